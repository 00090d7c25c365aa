package store

import (
	"bytes"
	"context"
	"fmt"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/shuqiao/shuqiao/exchange/transform"
	"github.com/shuqiao/shuqiao/internal/db"
)

// A sweep brings the keys of all rows of the source beside a partial read: what the store has and neither knows is deleted.

// sweepName returns the quoted name of the table that holds the keys of a run's sweep.
func sweepName(run uuid.UUID) string {
	return qualified("k_" + strings.ReplaceAll(run.String(), "-", ""))
}

// Sweep collects the keys of one sweep.
type Sweep struct {
	st   *Staging
	copy bytes.Buffer
	rows int
	keys int64
}

// OpenSweep begins a sweep from zero. It is not continued by another attempt: it is one snapshot of the source.
func (st *Staging) OpenSweep(ctx context.Context) (*Sweep, error) {
	err := st.fenced(ctx, func(tx *db.Tx) error {
		name := sweepName(st.job.Run)
		if err := dropTables(ctx, tx, name); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, "CREATE TABLE "+name+` (_key text COLLATE "C" NOT NULL, _at text COLLATE "C" NOT NULL)`)
		return err
	})
	if err != nil {
		return nil, err
	}
	return &Sweep{st: st}, nil
}

// Add takes one key of the source, and writes when enough have come together.
func (w *Sweep) Add(ctx context.Context, key, origin string) error {
	line := w.copy.AvailableBuffer()
	line = transform.EncodeCopyText(line, []byte(key))
	line = append(line, '\t')
	line = transform.EncodeCopyText(line, []byte(origin))
	line = append(line, '\n')
	w.copy.Write(line)
	w.rows++
	if w.rows < chunkRows && w.copy.Len() < chunkBytes {
		return nil
	}
	return w.flush(ctx)
}

func (w *Sweep) flush(ctx context.Context) error {
	err := w.st.fenced(ctx, func(tx *db.Tx) error {
		_, err := tx.Conn().PgConn().CopyFrom(ctx, bytes.NewReader(w.copy.Bytes()), "COPY "+sweepName(w.st.job.Run)+" (_key, _at) FROM STDIN")
		return err
	})
	w.keys += int64(w.rows)
	w.rows = 0
	w.copy.Reset()
	return err
}

// Close ends the sweep: from now on keys that it does not have are missing.
func (w *Sweep) Close(ctx context.Context) error {
	if w.rows > 0 {
		if err := w.flush(ctx); err != nil {
			return err
		}
	}
	err := w.st.fenced(ctx, func(tx *db.Tx) error {
		_, err := tx.Exec(ctx, "ANALYZE "+sweepName(w.st.job.Run))
		return err
	})
	w.st.swept = &w.keys
	return err
}

// Unmet returns up to limit source keys that a sweep found and neither the store has nor this run has read, and those of rows
// that share a key: such rows must be read.
func (st *Staging) Unmet(ctx context.Context, limit int) ([]string, error) {
	return st.origins(ctx, fmt.Sprintf(`
		SELECT k._at FROM %[1]s k
		WHERE (NOT EXISTS (SELECT 1 FROM %[2]s r WHERE r._key = k._key) OR k._key IN (SELECT _key FROM %[1]s GROUP BY _key HAVING count(*) > 1))
		AND NOT EXISTS (SELECT 1 FROM %[3]s s WHERE s._at = k._at)
		AND NOT EXISTS (SELECT 1 FROM store.staged_reject x WHERE x.run = $1 AND x.origin = k._at)
		AND NOT EXISTS (SELECT 1 FROM store.staged_gone g WHERE g.run = $1 AND g.sure AND g.origin = k._at)
		ORDER BY k._at LIMIT $2`, sweepName(st.job.Run), st.rows.Name(), st.table), limit)
}

// absent is the table of keys that are deleted unless this run staged them: after a full read all that are stored, after a
// partial one those that are known to be gone and those that a sweep did not meet.
func (st *Staging) absent() string {
	rows := st.rows.Name()
	if !st.job.Part {
		return rows
	}
	out := fmt.Sprintf("SELECT q._key FROM %s q WHERE q._key IN (SELECT g.key FROM store.staged_gone g WHERE g.run = '%s' AND g.sure)", rows, st.job.Run)
	if st.swept != nil {
		out += fmt.Sprintf(" UNION SELECT q._key FROM %s q WHERE NOT EXISTS (SELECT 1 FROM %s k WHERE k._key = q._key)", rows, sweepName(st.job.Run))
	}
	return "(" + out + ")"
}

// sweepIntact asserts that the sweep still has all the keys it brought: what a crash took would count as deleted.
func (st *Staging) sweepIntact(ctx context.Context, tx pgx.Tx) error {
	if st.swept == nil {
		return nil
	}
	var keys int64
	if err := tx.QueryRow(ctx, "SELECT count(*) FROM "+sweepName(st.job.Run)).Scan(&keys); err != nil {
		return fmt.Errorf("counting swept keys: %w", err)
	}
	if keys != *st.swept {
		return ErrStagingLost
	}
	return nil
}
