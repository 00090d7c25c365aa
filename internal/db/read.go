package db

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/shuqiao/shuqiao/internal/fault"
)

// Querier is what reading needs: a pool, a connection or a transaction.
type Querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// Collect reads all rows of a query with scan.
func Collect[T any](ctx context.Context, q Querier, scan func(pgx.Row) (T, error), sql string, args ...any) ([]T, error) {
	rows, err := q.Query(ctx, sql, args...)
	if err != nil {
		return nil, fmt.Errorf("reading rows: %w", err)
	}
	out, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (T, error) { return scan(row) })
	if err != nil {
		return nil, fmt.Errorf("reading rows: %w", err)
	}
	return out, nil
}

// Matches compares the version a caller has seen, 0 when none is given, with the one in force: a Precondition fault
// "version_mismatch" when somebody was faster.
func Matches(ifMatch, inForce int64) error {
	if ifMatch != 0 && ifMatch != inForce {
		return fault.New(fault.Precondition, "version_mismatch", "somebody changed this in the meantime; read it again and repeat the change")
	}
	return nil
}

// Containing makes the pattern of an ILIKE that finds text anywhere, "%%" for none; its wildcards stand for themselves, and what
// PostgreSQL cannot hold in a text is dropped.
func Containing(text string) string {
	text = strings.ReplaceAll(strings.ToValidUTF8(strings.TrimSpace(text), ""), "\x00", "")
	return "%" + strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(text) + "%"
}

// UTC is a moment in UTC, nil for none.
func UTC(t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	out := t.UTC()
	return &out
}
