package catalog

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/internal/db"
)

// Volume is the survey of what the hub holds of an entry (数据量六项, domain table 2.2). Volumes are GB of 1,000,000,000 bytes and
// count the table with its indexes. The hub counts them; nobody states them. See exchange.CountVolumes.
type Volume struct {
	TotalGB    float64    `json:"vol_total_gb"`
	RowsTotal  int64      `json:"rows_total"`
	SharedGB   float64    `json:"vol_shared_gb"` // What active grants open.
	RowsShared int64      `json:"rows_shared"`
	OpenGB     float64    `json:"vol_open_gb"` // What is open to the public.
	RowsOpen   int64      `json:"rows_open"`
	CountedAt  *time.Time `json:"counted_at,omitempty"` // nil: nothing has arrived, or the hub does not keep its rows.
}

// Volume returns the survey of an entry as it was last counted.
func (s *Service) Volume(ctx context.Context, p authz.Principal, id uuid.UUID) (Volume, error) {
	var v Volume
	if _, err := s.readable(ctx, p, id); err != nil {
		return v, err
	}
	var bytes, shared, open int64
	err := s.db.Pool.QueryRow(ctx, `
		SELECT rows_total, bytes_total, rows_shared, bytes_shared, rows_open, bytes_open, counted_at
		FROM resource_volume WHERE resource_id = $1`, id).
		Scan(&v.RowsTotal, &bytes, &v.RowsShared, &shared, &v.RowsOpen, &open, &v.CountedAt)
	switch {
	case db.NoRows(err):
		return v, nil
	case err != nil:
		return v, fmt.Errorf("reading the survey: %w", err)
	}
	v.TotalGB, v.SharedGB, v.OpenGB, v.CountedAt = gigabytes(bytes), gigabytes(shared), gigabytes(open), db.UTC(v.CountedAt)
	return v, nil
}

func gigabytes(bytes int64) float64 { return float64(bytes) / 1e9 }

// Related is an entry that another one names as related, or that names it (关联资源代码).
type Related struct {
	ID    uuid.UUID `json:"id"`
	Code  string    `json:"code"`
	Name  string    `json:"name"`
	Named bool      `json:"named"` // The entry names it; false: it names the entry.
}

// maxRelated bounds the entries that are listed as naming one entry.
const maxRelated = 50

// Related lists the published entries that an entry names as related, in the order of their codes, and then those that name it.
func (s *Service) Related(ctx context.Context, p authz.Principal, id uuid.UUID) ([]Related, error) {
	r, err := s.Get(ctx, p, id)
	if err != nil {
		return nil, err
	}
	found, err := s.db.Pool.Query(ctx, `
		(SELECT o.id, o.code, o.name, true AS named FROM resource o WHERE o.code = ANY($1) AND o.state = 'published' ORDER BY o.code LIMIT $3)
		UNION ALL
		(SELECT o.id, o.code, o.name, false FROM resource_version v JOIN resource o ON o.id = v.resource_id AND o.published = v.version
			WHERE o.state = 'published' AND v.body -> 'related_codes' @> to_jsonb(ARRAY[$2::text]) AND $2 <> '' ORDER BY o.code LIMIT $3)`,
		r.Version.RelatedCodes, r.Code, maxRelated)
	if err != nil {
		return nil, fmt.Errorf("reading related entries: %w", err)
	}
	out, err := pgx.CollectRows(found, pgx.RowToStructByName[Related])
	if err != nil {
		return nil, fmt.Errorf("reading related entries: %w", err)
	}
	return out, nil
}
