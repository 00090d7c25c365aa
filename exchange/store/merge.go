package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// ErrStagingLost says that the staged rows are no longer what their checkpoints promise. The run starts from zero.
var ErrStagingLost = errors.New("the staged rows are not what their checkpoints promise")

// Bounds of the delete guard: a run that would delete more than both is refused until somebody confirms it.
const (
	guardRows  = 100
	guardShare = 0.05
)

// MergeOptions says what else belongs to the commit.
type MergeOptions struct {
	CarryDeletes bool  // Keys of the store that the read did not have are deleted.
	MayDelete    int64 // Deletes a person confirmed; they pass the guard up to this number.
	Mark         *Mark // Where the task has come to with this commit; nil when it reads every row each time.

	// BeforeFence runs with the counts inside the transaction before the lease is checked (the run row), AfterFence
	// after it (evidence): the lock order of the hub is run, lease, event.
	BeforeFence func(ctx context.Context, tx *db.Tx, r Result) error
	AfterFence  func(ctx context.Context, tx *db.Tx, r Result) error
}

// Commit makes the staged rows visible, all at once, together with their rejects and the task's cursor. It asserts first
// that staging still holds what was checkpointed (ErrStagingLost). A fault "delete_guard" says that too much would be
// deleted; its detail "deletes" is the number. ErrFenced says that another attempt took over.
func (st *Staging) Commit(ctx context.Context, opt MergeOptions) (Result, error) {
	result := Result{Run: st.job.Run, Token: st.job.Lease.Token, NoDeletes: !opt.CarryDeletes}
	err := st.store.db.InTx(ctx, func(tx *db.Tx) error {
		if err := setLimits(ctx, tx); err != nil {
			return err
		}
		head, err := lockHead(ctx, tx, st.job.Resource)
		if err != nil {
			return err
		}
		promised, intact, err := st.intact(ctx, tx)
		if err != nil {
			return err
		}
		if !intact {
			return ErrStagingLost
		}
		st.staged = promised.Count
		if err := st.countReads(ctx, tx, &result.Counts); err != nil {
			return err
		}
		apply := st.merge
		if st.fill {
			apply = st.attach
		}
		if err := apply(ctx, tx, head, opt, &result); err != nil {
			return err
		}
		if err := st.carryRejects(ctx, tx); err != nil {
			return err
		}
		if err := st.closeHead(ctx, tx, result); err != nil {
			return err
		}
		if err := st.writeMark(ctx, tx, opt.Mark); err != nil {
			return err
		}
		if opt.BeforeFence != nil {
			if err := opt.BeforeFence(ctx, tx, result); err != nil {
				return err
			}
		}
		if err := FenceTx(ctx, tx, st.job.Lease); err != nil {
			return err
		}
		if opt.AfterFence != nil {
			return opt.AfterFence(ctx, tx, result)
		}
		return nil
	})
	if err != nil {
		return Result{}, fmt.Errorf("merging: %w", err)
	}
	return result, nil
}

// countReads fills what reading alone determines.
func (st *Staging) countReads(ctx context.Context, tx pgx.Tx, c *Counts) error {
	err := tx.QueryRow(ctx, `
		SELECT coalesce(sum(read), 0)::bigint, coalesce(sum(filtered), 0)::bigint, coalesce(sum(replaced), 0)::bigint,
		       (SELECT count(*) FROM store.staged_reject WHERE run = $1)
		FROM store.chunk WHERE run = $1`, st.job.Run).Scan(&c.Read, &c.Filtered, &c.Superseded, &c.Rejected)
	if err != nil {
		return fmt.Errorf("counting what was read: %w", err)
	}
	return nil
}

// guard refuses deletes beyond the bounds. Emptying a store is refused whatever its size.
func guard(deletes, stored, accepted, allowed int64) error {
	if deletes <= allowed {
		return nil
	}
	emptied := stored > 0 && accepted == 0
	if !emptied && (deletes <= guardRows || float64(deletes) <= guardShare*float64(stored)) {
		return nil
	}
	return fault.New(fault.Conflict, "delete_guard",
		"this run would delete %d of %d rows; check the source, then confirm the run or mend the source", deletes, stored).
		At("merge").With("deletes", fmt.Sprint(deletes)).With("stored", fmt.Sprint(stored))
}

// merge brings an existing row table to the staged state by one numbered change set.
func (st *Staging) merge(ctx context.Context, tx pgx.Tx, head Head, opt MergeOptions, result *Result) error {
	rows, c := st.rows.Name(), &result.Counts
	if head.Layout != st.rows.Number {
		return ErrStagingLost
	}
	if err := st.recordColumns(ctx, tx, head); err != nil {
		return err
	}
	deletes := ""
	if opt.CarryDeletes {
		if err := st.sweepIntact(ctx, tx); err != nil {
			return err
		}
		deletes = fmt.Sprintf(`
			UNION ALL SELECT r._key, 'd' FROM %s r
			WHERE NOT EXISTS (SELECT 1 FROM %s s WHERE s._key = r._key)
			  AND NOT EXISTS (SELECT 1 FROM store.staged_reject x WHERE x.run = '%s' AND x.key = r._key)`, st.absent(), st.table, st.job.Run)
	}
	if _, err := tx.Exec(ctx, fmt.Sprintf(`
		CREATE TEMP TABLE change ON COMMIT DROP AS
		SELECT key, op, %d + row_number() OVER (ORDER BY key) AS seq FROM (
			SELECT s._key AS key, CASE WHEN r._key IS NULL THEN 'i' ELSE 'u' END AS op
			FROM %s s LEFT JOIN %s r ON r._key = s._key
			WHERE r._key IS NULL OR r._h1 <> s._h1 OR r._h2 <> s._h2%s) c`, head.Seq, st.table, rows, deletes)); err != nil {
		return fmt.Errorf("forming the change set: %w", err)
	}
	if _, err := tx.Exec(ctx, "ANALYZE change"); err != nil {
		return fmt.Errorf("analysing the change set: %w", err)
	}
	err := tx.QueryRow(ctx, fmt.Sprintf(`
		SELECT count(*) FILTER (WHERE op = 'i'), count(*) FILTER (WHERE op = 'u'), count(*) FILTER (WHERE op = 'd'), coalesce(max(seq), %d) FROM change`, head.Seq)).
		Scan(&c.Inserted, &c.Updated, &c.Deleted, &result.Seq)
	if err != nil {
		return fmt.Errorf("counting the change set: %w", err)
	}
	c.Unchanged = st.staged - c.Inserted - c.Updated
	if c.Deleted > 0 {
		var stored int64
		if err := tx.QueryRow(ctx, "SELECT count(*) FROM "+rows).Scan(&stored); err != nil {
			return fmt.Errorf("counting rows: %w", err)
		}
		accepted := st.staged
		if st.job.Part {
			accepted = stored - c.Deleted // A partial read may well be empty; what it leaves must not be.
		}
		if err := guard(c.Deleted, stored, accepted, opt.MayDelete); err != nil {
			return err
		}
	}
	if result.Seq == head.Seq {
		return st.hold(ctx, tx, c)
	}
	return st.apply(ctx, tx, c)
}

// apply writes the change set: the log of what leaves, then deletes, updates and inserts.
func (st *Staging) apply(ctx context.Context, tx pgx.Tx, c *Counts) error {
	rows, run := st.rows.Name(), st.job.Run
	items := copyColumns(st.rows.Columns)
	var was, new, set, from []string
	for _, f := range st.rows.filterable() {
		was = append(was, "r."+f.Name())
		new = append(new, "s."+f.Name())
	}
	for _, n := range items {
		set = append(set, n+" = s."+n)
		from = append(from, "s."+n)
	}
	logColumns, exits := "", "c.op = 'd'"
	if len(was) > 0 {
		logColumns = ", " + strings.ReplaceAll(strings.Join(was, ", "), "r.", "")
		exits = fmt.Sprintf("c.op = 'd' OR (c.op = 'u' AND (%s) IS DISTINCT FROM (%s))", strings.Join(was, ", "), strings.Join(new, ", "))
	}
	statements := []struct{ what, sql string }{
		{"logging what leaves", fmt.Sprintf("INSERT INTO %s (seq, key%s) SELECT c.seq, r._key%s FROM change c JOIN %s r ON r._key = c.key LEFT JOIN %s s ON s._key = c.key WHERE %s",
			st.rows.LogName(), logColumns, prefixed(", ", was), rows, st.table, exits)},
		{"deleting rows", fmt.Sprintf("DELETE FROM %s r USING change c WHERE c.op = 'd' AND r._key = c.key", rows)},
		{"updating rows", fmt.Sprintf("UPDATE %s r SET _seq = c.seq, _run = '%s', _h1 = s._h1, _h2 = s._h2, _held = NULL, %s FROM change c JOIN %s s ON s._key = c.key WHERE c.op = 'u' AND r._key = c.key",
			rows, run, strings.Join(set, ", "), st.table)},
		{"inserting rows", fmt.Sprintf("INSERT INTO %s (_key, _seq, _run, _h1, _h2, %s) SELECT s._key, c.seq, '%s', s._h1, s._h2, %s FROM change c JOIN %s s ON s._key = c.key WHERE c.op = 'i' ORDER BY c.seq",
			rows, strings.Join(items, ", "), run, strings.Join(from, ", "), st.table)},
	}
	for _, s := range statements {
		if _, err := tx.Exec(ctx, s.sql); err != nil {
			return fmt.Errorf("%s: %w", s.what, err)
		}
	}
	return st.hold(ctx, tx, c)
}

// hold releases the rows whose keys were accepted, and marks those whose keys were refused.
func (st *Staging) hold(ctx context.Context, tx pgx.Tx, c *Counts) error {
	rows, run := st.rows.Name(), st.job.Run
	if _, err := tx.Exec(ctx, fmt.Sprintf("UPDATE %s r SET _held = NULL FROM %s s WHERE r._held IS NOT NULL AND s._key = r._key", rows, st.table)); err != nil {
		return fmt.Errorf("releasing rows: %w", err)
	}
	tag, err := tx.Exec(ctx, fmt.Sprintf(`UPDATE %s r SET _held = '%s' WHERE _key IN (SELECT key FROM store.staged_reject WHERE run = '%s' AND key IS NOT NULL)
		AND NOT EXISTS (SELECT 1 FROM %s s WHERE s._key = r._key)`, rows, run, run, st.table))
	if err != nil {
		return fmt.Errorf("holding rows: %w", err)
	}
	c.Held = tag.RowsAffected()
	return nil
}

func prefixed(prefix string, parts []string) string {
	if len(parts) == 0 {
		return ""
	}
	return prefix + strings.Join(parts, ", ")
}

// carryRejects moves the staged rejects to the provider's list: known ones are renewed, new ones opened, and open ones
// that this run did not meet again are corrected.
func (st *Staging) carryRejects(ctx context.Context, tx pgx.Tx) error {
	statements := []string{
		`UPDATE reject j SET last_run = x.run, reasons = x.reasons, row_no = x.row_no, origin = coalesce(x.origin, j.origin) FROM store.staged_reject x
		 WHERE x.run = $1 AND j.resource_id = $2 AND j.state IN ('open', 'waived') AND j.key IS NOT DISTINCT FROM x.key AND j.row_hash = x.row_hash`,
		`INSERT INTO reject (id, resource_id, first_run, last_run, key, row_no, reasons, row_hash, sealed_row, state, created_at, origin)
		 SELECT gen_random_uuid(), $2, x.run, x.run, x.key, x.row_no, x.reasons, x.row_hash, x.sealed, 'open', clock_timestamp(), x.origin FROM store.staged_reject x
		 WHERE x.run = $1 AND NOT EXISTS (SELECT 1 FROM reject j WHERE j.resource_id = $2 AND j.state IN ('open', 'waived') AND j.last_run = $1
			AND j.key IS NOT DISTINCT FROM x.key AND j.row_hash = x.row_hash)`,
		`UPDATE reject SET state = 'corrected', closed_at = clock_timestamp() WHERE resource_id = $2 AND state IN ('open', 'waived') AND last_run <> $1`,
	}
	for _, sql := range statements {
		if _, err := tx.Exec(ctx, sql, st.job.Run, st.job.Resource); err != nil {
			return fmt.Errorf("carrying rejects: %w", err)
		}
	}
	// Whether a last good row is held under the same key.
	held := fmt.Sprintf("UPDATE reject j SET held = j.key IS NOT NULL AND EXISTS (SELECT 1 FROM %s r WHERE r._key = j.key AND r._held IS NOT NULL) WHERE j.resource_id = $1 AND j.state IN ('open', 'waived')", st.rows.Name())
	if _, err := tx.Exec(ctx, held, st.job.Resource); err != nil {
		return fmt.Errorf("marking held rejects: %w", err)
	}
	return nil
}

// closeHead writes the new head and the marker of this commit.
func (st *Staging) closeHead(ctx context.Context, tx pgx.Tx, r Result) error {
	// A merge changes the number of rows by what it counted; an attach has written it.
	change := r.Counts.Inserted - r.Counts.Deleted
	if st.fill {
		change = 0
	}
	_, err := tx.Exec(ctx, "UPDATE store.store_head SET seq = $2, run = $3, token = $4, changed_at = clock_timestamp(), rows = rows + $5 WHERE resource = $1",
		st.job.Resource, r.Seq, r.Run, r.Token, change)
	if err != nil {
		return fmt.Errorf("writing the head: %w", err)
	}
	_, err = tx.Exec(ctx, "INSERT INTO store.head_move (resource, seq) VALUES ($1, $2) ON CONFLICT DO NOTHING", st.job.Resource, r.Seq)
	if err != nil {
		return fmt.Errorf("noting when the head moved: %w", err)
	}
	counts, err := json.Marshal(r.Counts)
	if err != nil {
		return fmt.Errorf("encoding counts: %w", err)
	}
	tag, err := tx.Exec(ctx, `
		INSERT INTO store.shuqiao_cursor (task, token, cursor, run, counts, incarnation) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (task) DO UPDATE SET token = EXCLUDED.token, cursor = EXCLUDED.cursor, run = EXCLUDED.run, counts = EXCLUDED.counts,
			incarnation = EXCLUDED.incarnation, at = clock_timestamp() WHERE store.shuqiao_cursor.token <= EXCLUDED.token`,
		st.job.Task, r.Token, r.Seq, r.Run, counts, st.job.Lease.Incarnation)
	if err != nil {
		return fmt.Errorf("writing the commit marker: %w", err)
	}
	if tag.RowsAffected() == 0 {
		return ErrFenced
	}
	return nil
}

// Drop removes what the run staged. A filled table that was attached stays.
func (st *Staging) Drop(ctx context.Context) error {
	return st.store.DropStaging(ctx, st.job)
}

// DropStaging removes what a run staged: after its commit, or when it is given up. It needs the lease (ErrFenced).
func (s *Store) DropStaging(ctx context.Context, job Job) error {
	err := s.db.InTx(ctx, func(tx *db.Tx) error {
		st := &Staging{store: s, job: job, table: stagingName(job.Run)}
		if err := st.discard(ctx, tx); err != nil {
			return err
		}
		return FenceTx(ctx, tx, job.Lease)
	})
	if err != nil {
		return fmt.Errorf("dropping staging: %w", err)
	}
	return nil
}
