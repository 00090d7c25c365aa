package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/shuqiao/shuqiao/internal/db"
)

// purgeRows is how many log rows one transaction of a purge removes: the head is locked that long.
const purgeRows = 10_000

// Sweep removes what runs staged that are over or unknown: staging tables, detached row tables, checkpoints and staged
// rejects. A process that died between the end of a run and its tidying leaves them. It returns the number of runs swept.
// Resources that are being written are left for the next time.
func (s *Store) Sweep(ctx context.Context) (int, error) {
	rows, err := s.db.Pool.Query(ctx, "SELECT g.run, g.resource FROM store.staging g WHERE NOT "+alive("g.run")+" ORDER BY g.opened_at")
	if err != nil {
		return 0, fmt.Errorf("looking for left staging: %w", err)
	}
	type left struct{ Run, Resource uuid.UUID }
	found, err := pgx.CollectRows(rows, pgx.RowToStructByPos[left])
	if err != nil {
		return 0, fmt.Errorf("looking for left staging: %w", err)
	}
	swept := 0
	var failed error
	for _, l := range found {
		gone, err := s.sweep(ctx, l.Resource, l.Run)
		if err != nil {
			failed = errors.Join(failed, fmt.Errorf("sweeping staging of run %s: %w", l.Run, err))
		}
		if gone {
			swept++
		}
	}
	return swept, failed
}

// alive is a condition: the run may still stage rows or compare what it staged.
func alive(run string) string {
	return "EXISTS (SELECT 1 FROM run r WHERE r.id = " + run + " AND r.state IN ('queued', 'running', 'reconciling'))"
}

func (s *Store) sweep(ctx context.Context, resource, run uuid.UUID) (gone bool, err error) {
	err = s.db.InTx(ctx, func(tx *db.Tx) error {
		gone = false
		if err := setLimits(ctx, tx); err != nil {
			return err
		}
		if free, err := lockFreeHead(ctx, tx, resource); err != nil || !free {
			return err
		}
		var fill bool
		err := tx.QueryRow(ctx, "SELECT fill FROM store.staging g WHERE g.run = $1 AND NOT "+alive("g.run")+" FOR UPDATE SKIP LOCKED", run).Scan(&fill)
		if db.NoRows(err) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("locking staging: %w", err)
		}
		if err := dropStaged(ctx, tx, run); err != nil {
			return err
		}
		gone = true
		// A detached layout has the tables of whoever filled last; another run may be filling them by now.
		var filled bool
		if err := tx.QueryRow(ctx, "SELECT EXISTS (SELECT 1 FROM store.staging WHERE resource = $1 AND fill)", resource).Scan(&filled); err != nil {
			return fmt.Errorf("looking for fillings: %w", err)
		}
		if !fill || filled {
			return nil
		}
		return dropDetached(ctx, tx, resource)
	})
	return gone && err == nil, err
}

// lockFreeHead locks the head unless somebody holds it, and reports whether it did.
func lockFreeHead(ctx context.Context, tx pgx.Tx, resource uuid.UUID) (bool, error) {
	var one int
	err := tx.QueryRow(ctx, "SELECT 1 FROM store.store_head WHERE resource = $1 FOR UPDATE SKIP LOCKED", resource).Scan(&one)
	if db.NoRows(err) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("locking store head: %w", err)
	}
	return true, nil
}

// DropGrace drops the tables of layouts that were replaced longer than olderThan ago, and returns how many. A layout that
// somebody still reads is left for the next time. What was replaced since a version is served beside the one before may have that
// one's rows, and is kept until its time is over as long.
func (s *Store) DropGrace(ctx context.Context, olderThan time.Duration) (int, error) {
	rows, err := s.db.Pool.Query(ctx, "SELECT "+layoutColumns+` FROM store.layout l WHERE state = 'grace' AND retired_at < clock_timestamp() - $1::interval
		AND NOT EXISTS (SELECT FROM resource_version o JOIN version_change c ON c.resource_id = o.resource_id AND c.previous = o.version
			WHERE o.resource_id = l.resource AND o.served_until >= clock_timestamp() - $1::interval AND l.retired_at >= c.at)`, olderThan)
	if err != nil {
		return 0, fmt.Errorf("looking for replaced layouts: %w", err)
	}
	found, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (Layout, error) { return scanLayout(row) })
	if err != nil {
		return 0, fmt.Errorf("looking for replaced layouts: %w", err)
	}
	dropped := 0
	var failed error
	for _, l := range found {
		gone := false
		err := s.db.InTx(ctx, func(tx *db.Tx) error {
			if _, err := tx.Exec(ctx, fmt.Sprintf("SET LOCAL lock_timeout = '%dms'", alterWait.Milliseconds())); err != nil {
				return err
			}
			if free, err := lockFreeHead(ctx, tx, l.Resource); err != nil || !free {
				return err
			}
			tag, err := tx.Exec(ctx, "UPDATE store.layout SET state = 'dropped' WHERE resource = $1 AND layout = $2 AND state = 'grace'", l.Resource, l.Number)
			if err != nil || tag.RowsAffected() == 0 {
				return err
			}
			if err := dropTables(ctx, tx, l.Name(), l.LogName()); err != nil {
				return err
			}
			gone = true
			return nil
		})
		if gone && err == nil {
			dropped++
		}
		if err != nil && !lockRefused(err) {
			failed = errors.Join(failed, fmt.Errorf("dropping layout %d of %s: %w", l.Number, l.Resource, err))
		}
	}
	return dropped, failed
}

// Retention says how much of a log must stay.
type Retention struct {
	Keep time.Duration // Rows of commits younger than this stay.
	// Needed is the lowest cursor of the resource's active deliveries, nil when there are none. It holds the log at most
	// twice as long as Keep.
	Needed *int64
}

// Purged is what a purge did.
type Purged struct {
	Rows    int64 // Log rows removed.
	MinSeq  int64 // Cursors below cannot be continued.
	Overran bool  // Needed lies below MinSeq: that delivery must start again.
}

// PurgeLog removes the log rows of commits that are older than what must be kept. Each step raises the head's MinSeq in the
// same transaction, so that no reader meets a gap without being told.
func (s *Store) PurgeLog(ctx context.Context, resource uuid.UUID, keep Retention) (Purged, error) {
	var p Purged
	for {
		more := false
		err := s.db.InTx(ctx, func(tx *db.Tx) (err error) {
			if err := setLimits(ctx, tx); err != nil {
				return err
			}
			more, err = purgeStep(ctx, tx, resource, keep, &p)
			return err
		})
		if err != nil {
			return p, fmt.Errorf("purging the log of %s: %w", resource, err)
		}
		if !more {
			return p, nil
		}
	}
}

// purgeStep removes up to purgeRows log rows and reports whether further ones may go.
func purgeStep(ctx context.Context, tx pgx.Tx, resource uuid.UUID, keep Retention, p *Purged) (more bool, err error) {
	var layout int
	err = tx.QueryRow(ctx, "SELECT min_seq, layout FROM store.store_head WHERE resource = $1 FOR UPDATE", resource).Scan(&p.MinSeq, &layout)
	if db.NoRows(err) || err == nil && layout == 0 {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("locking store head: %w", err)
	}
	var cut, limit int64
	err = tx.QueryRow(ctx, `
		SELECT coalesce(max(seq) FILTER (WHERE at < clock_timestamp() - $2::interval), 0), coalesce(max(seq) FILTER (WHERE at < clock_timestamp() - 2 * $2::interval), 0)
		FROM store.head_move WHERE resource = $1`, resource, keep.Keep).Scan(&cut, &limit)
	if err != nil {
		return false, fmt.Errorf("dating the log: %w", err)
	}
	if keep.Needed != nil {
		cut = max(min(cut, *keep.Needed), limit)
		p.Overran = *keep.Needed < max(cut, p.MinSeq)
	}
	if cut <= p.MinSeq {
		return false, nil
	}
	l, err := readLayout(ctx, tx, resource, layout)
	if err != nil {
		return false, err
	}
	var step int64
	var rows int64
	err = tx.QueryRow(ctx, fmt.Sprintf("SELECT coalesce(max(seq), 0), count(*) FROM (SELECT seq FROM %s WHERE seq <= $1 ORDER BY seq LIMIT $2) oldest", l.LogName()), cut, purgeRows).Scan(&step, &rows)
	if err != nil {
		return false, fmt.Errorf("looking for old log rows: %w", err)
	}
	more = rows == purgeRows
	if !more {
		step = cut
	}
	if _, err := tx.Exec(ctx, "DELETE FROM "+l.LogName()+" WHERE seq <= $1", step); err != nil {
		return false, fmt.Errorf("removing old log rows: %w", err)
	}
	// The newest move below the cut stays: it dates what is cut next.
	if _, err := tx.Exec(ctx, "DELETE FROM store.head_move WHERE resource = $1 AND seq < $2", resource, step); err != nil {
		return false, fmt.Errorf("removing old moves of the head: %w", err)
	}
	if _, err := tx.Exec(ctx, "UPDATE store.store_head SET min_seq = greatest(min_seq, $2) WHERE resource = $1", resource, step); err != nil {
		return false, fmt.Errorf("raising the lowest cursor: %w", err)
	}
	p.Rows += rows
	p.MinSeq = max(p.MinSeq, step)
	return more, nil
}

// PurgeLogs cuts the log of every resource, and returns how many rows it removed. It does as much as it can: the errors of single
// resources are joined. Any number of nodes may call it at once.
func (s *Store) PurgeLogs(ctx context.Context, keep Retention) (int64, error) {
	rows, err := s.db.Pool.Query(ctx, "SELECT resource FROM store.store_head WHERE layout > 0")
	if err != nil {
		return 0, fmt.Errorf("listing store heads: %w", err)
	}
	resources, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
	if err != nil {
		return 0, fmt.Errorf("listing store heads: %w", err)
	}
	var removed int64
	var failed error
	for _, r := range resources {
		p, err := s.PurgeLog(ctx, r, keep)
		removed += p.Rows
		failed = errors.Join(failed, err)
	}
	return removed, failed
}
