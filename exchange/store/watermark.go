package store

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/shuqiao/shuqiao/internal/db"
)

// Mark is where an incremental task has come to. Watermarks are in the lexical form of their column.
type Mark struct {
	// Plan is a digest of all that decides how source rows become stored rows. Under another one, or nil, every row is read.
	Plan      []byte
	Watermark *string       // Rows below it, less Overlap, are known; nil: no row had one.
	Overlap   time.Duration // What was still open at the source when Watermark was formed.
	// Seen is the highest mark read by SeenAt, the source's clock behind that read. Marks that are numbers become the
	// watermark only when everything that was open then is over.
	Seen    *string
	SeenAt  *time.Time
	Deletes *string // Watermark of the delete table.
	// SweptFor is how long ago all keys were last compared, by a sweep or by a full read; nil: never. By the database's clock, as
	// is ReadAt, when the last run that wrote this merged.
	SweptFor *time.Duration
	ReadAt   time.Time
	Swept    bool // Only to write: this run compared all keys.
}

// ReadMark returns where a task has come to, and false when it has not, or when what it knew is of another incarnation of the
// store: every row must be read then.
func (s *Store) ReadMark(ctx context.Context, task uuid.UUID) (Mark, bool, error) {
	var m Mark
	var swept *float64
	err := s.db.Pool.QueryRow(ctx, `
		SELECT w.plan, w.watermark, w.overlap, w.seen, w.seen_at, w.deletes, extract(epoch FROM clock_timestamp() - w.swept_at)::float8, w.read_at
		FROM store.watermark w JOIN store.store_head h ON h.resource = w.resource AND h.incarnation = w.incarnation WHERE w.task = $1`, task).
		Scan(&m.Plan, &m.Watermark, &m.Overlap, &m.Seen, &m.SeenAt, &m.Deletes, &swept, &m.ReadAt)
	if db.NoRows(err) {
		return Mark{}, false, nil
	}
	if err != nil {
		return Mark{}, false, fmt.Errorf("reading the watermark: %w", err)
	}
	if swept != nil {
		ago := time.Duration(*swept * float64(time.Second))
		m.SweptFor = &ago
	}
	return m, true, nil
}

// writeMark moves the task on, in the transaction that merges what it read.
func (st *Staging) writeMark(ctx context.Context, tx pgx.Tx, m *Mark) error {
	if m == nil {
		return nil
	}
	_, err := tx.Exec(ctx, `
		INSERT INTO store.watermark AS w (task, resource, incarnation, plan, watermark, overlap, seen, seen_at, deletes, swept_at, read_at, run)
		SELECT $1, $2, h.incarnation, $3, $4, $5, $6, $7, $8, CASE WHEN $9 THEN clock_timestamp() END, clock_timestamp(), $10
		FROM store.store_head h WHERE h.resource = $2
		ON CONFLICT (task) DO UPDATE SET incarnation = EXCLUDED.incarnation, plan = EXCLUDED.plan, watermark = EXCLUDED.watermark, overlap = EXCLUDED.overlap,
			seen = EXCLUDED.seen, seen_at = EXCLUDED.seen_at, deletes = EXCLUDED.deletes, swept_at = coalesce(EXCLUDED.swept_at, w.swept_at),
			read_at = EXCLUDED.read_at, run = EXCLUDED.run`,
		st.job.Task, st.job.Resource, m.Plan, m.Watermark, m.Overlap, m.Seen, m.SeenAt, m.Deletes, m.Swept, st.job.Run)
	if err != nil {
		return fmt.Errorf("writing the watermark: %w", err)
	}
	return nil
}

// OpenRejects returns the source keys of the rows that earlier runs refused and nobody has seen corrected, with their keys at
// the hub, at most limit. complete is false when there are more, or when the source key of one is not known.
func (s *Store) OpenRejects(ctx context.Context, resource uuid.UUID, limit int) (origins map[string]string, complete bool, err error) {
	rows, err := s.db.Pool.Query(ctx, "SELECT origin, coalesce(key, '') FROM reject WHERE resource_id = $1 AND state IN ('open', 'waived') LIMIT $2", resource, limit+1)
	if err != nil {
		return nil, false, fmt.Errorf("listing open rejects: %w", err)
	}
	origins, complete = map[string]string{}, true
	var origin *string
	var key string
	_, err = pgx.ForEachRow(rows, []any{&origin, &key}, func() error {
		if origin == nil || len(origins) == limit {
			complete = false
			return nil
		}
		origins[*origin] = key
		return nil
	})
	if err != nil {
		return nil, false, fmt.Errorf("listing open rejects: %w", err)
	}
	return origins, complete, nil
}

// Met returns those of the source keys that are staged already, as accepted, refused or gone.
func (st *Staging) Met(ctx context.Context, origins []string) ([]string, error) {
	rows, err := st.store.db.Pool.Query(ctx, fmt.Sprintf(`
		SELECT _at FROM %s WHERE _at = ANY ($2) UNION SELECT origin FROM store.staged_reject WHERE run = $1 AND origin = ANY ($2)
		UNION SELECT origin FROM store.staged_gone WHERE run = $1 AND sure AND origin = ANY ($2)`, st.table), st.job.Run, origins)
	if err != nil {
		return nil, fmt.Errorf("looking for staged rows: %w", err)
	}
	out, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, fmt.Errorf("looking for staged rows: %w", err)
	}
	return out, nil
}

// Unsure returns up to limit source keys that are said to be gone, are in the store, and were not read by this run: the source
// must be asked for them, since the row may have come again.
func (st *Staging) Unsure(ctx context.Context, limit int) ([]string, error) {
	return st.origins(ctx, fmt.Sprintf(`
		SELECT DISTINCT g.origin FROM store.staged_gone g JOIN %s r ON r._key = g.key
		WHERE g.run = $1 AND NOT g.sure AND NOT EXISTS (SELECT 1 FROM %s s WHERE s._key = g.key)
		AND NOT EXISTS (SELECT 1 FROM store.staged_reject x WHERE x.run = g.run AND x.key = g.key)
		ORDER BY g.origin LIMIT $2`, st.rows.Name(), st.table), limit)
}

// origins reads a list of source keys; the statement has the run as $1 and the limit as $2. Nothing staged has statistics yet, so
// every join is by hashing.
func (st *Staging) origins(ctx context.Context, sql string, limit int) ([]string, error) {
	var out []string
	err := pgx.BeginTxFunc(ctx, st.store.db.Pool, pgx.TxOptions{AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "SET LOCAL enable_nestloop = off; SET LOCAL statement_timeout = '30min'"); err != nil {
			return err
		}
		rows, err := tx.Query(ctx, sql, st.job.Run, limit)
		if err != nil {
			return err
		}
		out, err = pgx.CollectRows(rows, pgx.RowTo[string])
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("listing source keys: %w", err)
	}
	return out, nil
}

// Sure says that the source was asked for every key that Unsure returned: those that it still has are staged.
func (st *Staging) Sure(ctx context.Context) error {
	return st.fenced(ctx, func(tx *db.Tx) error {
		_, err := tx.Exec(ctx, "UPDATE store.staged_gone SET sure = true WHERE run = $1 AND NOT sure", st.job.Run)
		return err
	})
}

// fenced does work in a transaction of the run that holds the lease.
func (st *Staging) fenced(ctx context.Context, work func(tx *db.Tx) error) error {
	err := st.store.db.InTx(ctx, func(tx *db.Tx) error {
		if err := setLimits(ctx, tx); err != nil {
			return err
		}
		if err := work(tx); err != nil {
			return err
		}
		return FenceTx(ctx, tx, st.job.Lease)
	})
	if err != nil {
		return fmt.Errorf("staging what is gone: %w", err)
	}
	return nil
}
