package audit

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// ResourceUse is how much was disclosed of one resource.
type ResourceUse struct {
	ResourceID uuid.UUID
	Calls      int64 // Records of use: a stream, an export or a delivery is one.
	Rows       int64 // Rows that left.
}

// reader is the pool, a connection or a transaction.
type reader interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

// MostUsed adds up the records of use since a moment by resource, the most rows first. It reads every record of that time.
func MostUsed(ctx context.Context, q reader, since time.Time, limit int) ([]ResourceUse, error) {
	found, err := q.Query(ctx, `
		SELECT resource_id, count(*) AS calls, coalesce(sum(rows), 0)::bigint AS rows FROM usage WHERE at >= $1
		GROUP BY resource_id ORDER BY rows DESC, calls DESC, resource_id LIMIT $2`, since, limit)
	if err != nil {
		return nil, fmt.Errorf("counting use: %w", err)
	}
	out, err := pgx.CollectRows(found, pgx.RowToStructByName[ResourceUse])
	if err != nil {
		return nil, fmt.Errorf("counting use: %w", err)
	}
	return out, nil
}
