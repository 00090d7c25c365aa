package store

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/shuqiao/shuqiao/exchange/transform"
	"github.com/shuqiao/shuqiao/internal/db"
)

// MaxDifferences bounds the differences a comparison lists; its counts are complete.
const MaxDifferences = 1000

// Difference is one key that is not the same on both ends.
type Difference struct {
	Kind string // missing: at the source, not in the store; extra: the other way round; changed: other content, or held.
	Key  string
}

// Comparison is the result of comparing both ends. Accepted source rows are compared with the store's rows that are not
// held; held, rejected and superseded keys stand apart.
type Comparison struct {
	Source      transform.Sum
	Store       transform.Sum
	Held        int64
	Rejected    int64
	Superseded  int64
	Missing     int64
	Extra       int64
	Changed     int64
	Differences []Difference
	Seq         int64 // The store's head at the comparison.
	Part        bool  // Only what a partial read brought was compared.
}

// Listed reports whether Differences names every difference.
func (c Comparison) Listed() bool { return int64(len(c.Differences)) == c.Missing+c.Extra+c.Changed }

// Equal reports whether both ends hold the same rows.
func (c Comparison) Equal() bool { return c.Missing == 0 && c.Extra == 0 && c.Changed == 0 }

// CompareRead compares the store with the hashes of the run's own read, after its commit: the sums that were formed while
// reading must be those of the store. When they differ the keys are compared as well.
//
// A partial read says nothing of other rows: its own are compared with those that the store has under their keys.
func (st *Staging) CompareRead(ctx context.Context) (Comparison, error) {
	if st.job.Part {
		return st.Compare(ctx)
	}
	c, err := st.sums(ctx)
	if err != nil {
		return Comparison{}, err
	}
	if c.Source.Equal(c.Store) {
		return c, nil
	}
	if !st.fill {
		return st.Compare(ctx)
	}
	// A filled table was staged into directly: there is no second copy to name keys by. Rows carried over from the layout
	// before bear other runs, and are beside what was read.
	var own transform.Sum
	own, err = scanSum(st.store.db.Pool.QueryRow(ctx, "SELECT "+sumColumns+" FROM "+st.rows.Name()+" WHERE _held IS NULL AND _run = $1", st.job.Run))
	if err != nil {
		return Comparison{}, fmt.Errorf("summing what was read: %w", err)
	}
	if c.Source.Equal(own) {
		c.Extra = c.Store.Count - own.Count
		return c, nil
	}
	c.Missing = max(c.Source.Count-c.Store.Count, 0)
	c.Extra = max(c.Store.Count-c.Source.Count, 0)
	if c.Equal() {
		c.Changed = 1
	}
	return c, nil
}

// sums reads what both ends add up to.
func (st *Staging) sums(ctx context.Context) (Comparison, error) {
	var c Comparison
	pool := st.store.db.Pool
	var counts Counts
	err := pgx.BeginTxFunc(ctx, pool, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		var err error
		if c.Source, err = st.promised(ctx, tx); err != nil {
			return err
		}
		if err := st.countReads(ctx, tx, &counts); err != nil {
			return err
		}
		if err := tx.QueryRow(ctx, "SELECT seq FROM store.store_head WHERE resource = $1", st.job.Resource).Scan(&c.Seq); err != nil {
			return err
		}
		if err := tx.QueryRow(ctx, "SELECT count(*) FROM "+st.rows.Name()+" WHERE _held IS NOT NULL").Scan(&c.Held); err != nil {
			return err
		}
		stored := st.rows.Name()
		if c.Part = st.job.Part; c.Part {
			stored = fmt.Sprintf("(SELECT r._h1, r._h2, r._held FROM %s r JOIN %s s ON s._key = r._key) met", stored, st.table)
		}
		c.Store, err = scanSum(tx.QueryRow(ctx, "SELECT "+sumColumns+" FROM "+stored+" WHERE _held IS NULL"))
		return err
	})
	if err != nil {
		return Comparison{}, fmt.Errorf("summing both ends: %w", err)
	}
	c.Rejected, c.Superseded = counts.Rejected, counts.Superseded
	return c, nil
}

// Compare compares the staged keys and hashes with the store, key by key. Staging must be settled.
func (st *Staging) Compare(ctx context.Context) (Comparison, error) {
	c, err := st.sums(ctx)
	if err != nil {
		return Comparison{}, err
	}
	if st.job.Part && c.Source.Equal(c.Store) {
		return c, nil
	}
	join := "FULL"
	if st.job.Part {
		join = "LEFT"
	}
	// A held row is stale: it differs from an accepted row of its key whatever its content, and is no extra one. The first of
	// every kind come first, so that each kind shows its count however many differences another one has.
	rows, err := st.store.db.Pool.Query(ctx, fmt.Sprintf(`
		WITH d AS (
			SELECT CASE WHEN r._key IS NULL THEN 'missing' WHEN s._key IS NULL THEN 'extra' ELSE 'changed' END AS kind, coalesce(s._key, r._key) AS key
			FROM %[1]s s %[3]s JOIN (SELECT _key, _h1, _h2, _held FROM %[2]s) r ON r._key = s._key
			WHERE r._key IS NULL OR (s._key IS NULL AND r._held IS NULL) OR (s._key IS NOT NULL AND (r._held IS NOT NULL OR r._h1 <> s._h1 OR r._h2 <> s._h2))),
		n AS (
			SELECT kind, key, count(*) OVER (PARTITION BY kind) AS total, row_number() OVER (PARTITION BY kind ORDER BY key) AS place FROM d
			WHERE kind <> 'extra' OR NOT EXISTS (SELECT 1 FROM store.staged_reject x WHERE x.run = $1 AND x.key = d.key))
		SELECT kind, key, total FROM (SELECT * FROM n ORDER BY place, kind LIMIT $2) listed ORDER BY kind, key`, st.table, st.rows.Name(), join), st.job.Run, MaxDifferences)
	if err != nil {
		return Comparison{}, fmt.Errorf("comparing keys: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var d Difference
		var n int64
		if err := rows.Scan(&d.Kind, &d.Key, &n); err != nil {
			return Comparison{}, fmt.Errorf("comparing keys: %w", err)
		}
		switch d.Kind {
		case "missing":
			c.Missing = n
		case "extra":
			c.Extra = n
		default:
			c.Changed = n
		}
		c.Differences = append(c.Differences, d)
	}
	if err := rows.Err(); err != nil {
		return Comparison{}, fmt.Errorf("comparing keys: %w", err)
	}
	return c, nil
}

// StoredHashes returns the content hashes of the rows with these keys that are not held, to look a difference up a
// second time.
func (s *Store) StoredHashes(ctx context.Context, resource uuid.UUID, keys []string) (map[string][16]byte, error) {
	head, err := s.ReadHead(ctx, resource)
	if err != nil {
		return nil, err
	}
	l, err := readLayout(ctx, s.db.Pool, resource, head.Layout)
	if err != nil {
		return nil, err
	}
	rows, err := s.db.Pool.Query(ctx, "SELECT _key, _h1, _h2 FROM "+l.Name()+" WHERE _held IS NULL AND _key = ANY ($1)", keys)
	if err != nil {
		return nil, fmt.Errorf("looking hashes up: %w", err)
	}
	out := map[string][16]byte{}
	var key string
	var h1, h2 int64
	_, err = pgx.ForEachRow(rows, []any{&key, &h1, &h2}, func() error {
		out[key] = joined(h1, h2)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("looking hashes up: %w", err)
	}
	return out, nil
}

// MissingKeys returns up to limit keys > after that the store has and the staged read does not, in key order: after a
// resumed read they are looked up at the source before they count as deleted.
func (st *Staging) MissingKeys(ctx context.Context, after string, limit int) ([]string, error) {
	if st.fill {
		return nil, nil
	}
	rows, err := st.store.db.Pool.Query(ctx, fmt.Sprintf(`
		SELECT r._key FROM %s r WHERE r._key > $2
		AND NOT EXISTS (SELECT 1 FROM %s s WHERE s._key = r._key)
		AND NOT EXISTS (SELECT 1 FROM store.staged_reject x WHERE x.run = $1 AND x.key = r._key)
		ORDER BY r._key LIMIT $3`, st.rows.Name(), st.table), st.job.Run, after, limit)
	if err != nil {
		return nil, fmt.Errorf("listing missing keys: %w", err)
	}
	keys, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, fmt.Errorf("listing missing keys: %w", err)
	}
	return keys, nil
}

// RecordComparison keeps the result of a comparison with its run.
func RecordComparison(ctx context.Context, tx *db.Tx, run, resource uuid.UUID, fresh bool, c Comparison, listed []byte) error {
	source, stored := c.Source.Bytes(), c.Store.Bytes()
	_, err := tx.Exec(ctx, `
		INSERT INTO reconciliation (id, run_id, resource_id, fresh, equal, source_rows, store_rows, source_hash, store_hash, held, rejected, superseded, missing, extra, changed, differences, store_seq, at, part)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)`,
		db.NewID(), run, resource, fresh, c.Equal(), c.Source.Count, c.Store.Count, source[:], stored[:], c.Held, c.Rejected, c.Superseded,
		c.Missing, c.Extra, c.Changed, listed, c.Seq, tx.Now(), c.Part)
	if err != nil {
		return fmt.Errorf("recording a comparison: %w", err)
	}
	return nil
}

// Reopen returns the staging of a run whose merge is committed, so that its comparison can be made after all. It returns
// ErrStagingLost when there is nothing left to compare with: staging was dropped, or another run has written since.
func (s *Store) Reopen(ctx context.Context, job Job) (*Staging, error) {
	st := &Staging{store: s, job: job}
	err := pgx.BeginTxFunc(ctx, s.db.Pool, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		var writer *uuid.UUID
		var settled bool
		err := tx.QueryRow(ctx, `
			SELECT layout, run, EXISTS (SELECT 1 FROM store.chunk WHERE run = $2 AND n < 0), coalesce((SELECT part FROM store.staging WHERE run = $2), false)
			FROM store.store_head WHERE resource = $1`,
			job.Resource, job.Run).Scan(&st.head.Layout, &writer, &settled, &st.job.Part)
		if db.NoRows(err) || err == nil && (!settled || writer == nil || *writer != job.Run) {
			return ErrStagingLost
		}
		if err != nil {
			return fmt.Errorf("reading the head: %w", err)
		}
		if st.rows, err = readLayout(ctx, tx, job.Resource, st.head.Layout); err != nil {
			return err
		}
		st.job.Columns = st.rows.Columns
		st.table = stagingName(job.Run)
		var merged bool
		if err := tx.QueryRow(ctx, "SELECT to_regclass($1) IS NOT NULL", st.table).Scan(&merged); err != nil {
			return fmt.Errorf("looking for staged rows: %w", err)
		}
		if !merged {
			// The run filled the layout itself.
			st.fill, st.table = true, st.rows.Name()
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reopening staging: %w", err)
	}
	return st, nil
}
