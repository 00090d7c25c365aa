package exchange

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/shuqiao/shuqiao/internal/db"
)

// Table run holds what waits or is under way, and of every task and kind the run that finished last; those before it lie in
// run_history, by month. Whoever reads runs of any state reads both.

// movedAtOnce bounds the runs that one transaction moves.
const movedAtOnce = 1000

// historyLock is the key of the advisory lock under which partitions are made: "shu_runs" in ASCII.
const historyLock = 0x7368755f72756e73

// storedColumns are the columns of run and run_history.
const storedColumns = `id, task_id, resource_id, kind, trigger, requested_by, state, priority, attempt, failures, not_before, node_id, incarnation, token, stage,
	progress, checkpoint, counts, hashes, error, cancel_requested, confirm_deletes, of_run, queued_at, started_at, merged_at, finished_at`

// allRuns is run and run_history as one table r.
const allRuns = "(SELECT " + storedColumns + " FROM run UNION ALL SELECT " + storedColumns + " FROM run_history) r"

// MoveFinished moves the runs into the history behind which another run of their task and kind has finished, and returns how many.
// One that still has rows staged stays until they are swept. Any number of nodes may call it at once.
func MoveFinished(ctx context.Context, d *db.DB) (int64, error) {
	var total int64
	for {
		var moved int64
		err := d.InTx(ctx, func(tx *db.Tx) error {
			tag, err := tx.Exec(ctx, `
				WITH over AS (
					SELECT r.id FROM run r WHERE r.state IN ('succeeded', 'partial', 'failed', 'cancelled') AND r.finished_at IS NOT NULL
					AND EXISTS (SELECT 1 FROM run n WHERE n.task_id = r.task_id AND n.kind = r.kind AND n.state IN ('succeeded', 'partial', 'failed')
						AND (n.queued_at, n.id) > (r.queued_at, r.id))
					AND NOT EXISTS (SELECT 1 FROM store.staging g WHERE g.run = r.id)
					ORDER BY r.queued_at LIMIT $1 FOR UPDATE SKIP LOCKED),
				moved AS (DELETE FROM run r USING over o WHERE r.id = o.id RETURNING `+prefixColumns("r.")+`)
				INSERT INTO run_history (`+storedColumns+`) SELECT `+storedColumns+` FROM moved`, movedAtOnce)
			moved = tag.RowsAffected()
			return err
		})
		if err != nil {
			return total, fmt.Errorf("moving finished runs: %w", err)
		}
		total += moved
		if moved < movedAtOnce {
			return total, nil
		}
	}
}

func prefixColumns(table string) string {
	return table + strings.Join(strings.Fields(storedColumns), " "+table)
}

// MakeHistoryPartitions makes the partitions of run_history for this and the next month (UTC, by the database's clock), moving
// runs that already lie in the default partition. It changes nothing where they exist, so several nodes may call it daily.
func MakeHistoryPartitions(ctx context.Context, d *db.DB) error {
	for ahead := range 2 {
		err := d.InTx(ctx, func(tx *db.Tx) error {
			year, month, _ := tx.Now().UTC().Date()
			return makeHistoryPartition(ctx, tx, time.Date(year, month+time.Month(ahead), 1, 0, 0, 0, 0, time.UTC))
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func makeHistoryPartition(ctx context.Context, tx *db.Tx, from time.Time) error {
	name := "run_history_" + from.Format("200601")
	var exists bool
	err := tx.QueryRow(ctx, "SELECT to_regclass($2) IS NOT NULL FROM pg_advisory_xact_lock($1)", int64(historyLock), name).Scan(&exists)
	if err != nil {
		return fmt.Errorf("looking for partition %s: %w", name, err)
	}
	if exists {
		return nil
	}
	// A function of the schema does it with the rights of the tables' owner, which the hub's sessions need not have.
	if _, err := tx.Exec(ctx, "SELECT make_run_history_partition($1::date)", from.Format(time.DateOnly)); err != nil {
		return fmt.Errorf("making partition %s: %w", name, err)
	}
	return nil
}

// RunMonths returns the months (UTC, by their first moment, oldest first) of finished runs that are wholly older than keep.
func RunMonths(ctx context.Context, d *db.DB, keep time.Duration) ([]time.Time, error) {
	return db.OldMonths(ctx, d, "run_history", "finished_at", keep)
}

// DropRunsTx removes the finished runs of a month, whose period must be over, and returns how many there were.
func DropRunsTx(ctx context.Context, tx *db.Tx, month time.Time) (removed int64, err error) {
	// Making and dropping partitions at once would deadlock on the table that holds them.
	if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock($1)", int64(historyLock)); err != nil {
		return 0, fmt.Errorf("waiting for other partitions of runs: %w", err)
	}
	if err := tx.QueryRow(ctx, "SELECT drop_month('run_history', $1::date)", month.Format(time.DateOnly)).Scan(&removed); err != nil {
		return 0, fmt.Errorf("removing runs of %s: %w", month.Format("2006-01"), err)
	}
	return removed, nil
}
