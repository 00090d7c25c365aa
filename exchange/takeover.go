package exchange

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/exchange/store"
	"github.com/shuqiao/shuqiao/internal/db"
)

// sessionsGone is how long a takeover waits for ended sessions to be gone: a server process that is stopped by the kernel
// or stuck in a system call must not hold the takeover up, and the fence holds without it.
const sessionsGone = 2 * time.Second

// takeOver takes the runs of every incarnation that is not among the living, and returns how many.
func (n *Node) takeOver(ctx context.Context) (int, error) {
	dead, err := db.Collect(ctx, n.pool, func(row pgx.Row) (id uuid.UUID, err error) { return id, row.Scan(&id) }, `
		SELECT DISTINCT r.incarnation FROM run r WHERE r.state IN ('running', 'reconciling') AND r.incarnation <> $1
		AND NOT EXISTS (SELECT 1 FROM node n WHERE n.incarnation = r.incarnation AND n.seen_at > clock_timestamp() - make_interval(secs => $2))`,
		n.opt.Incarnation, n.opt.Silence.Seconds())
	if err != nil {
		return 0, fmt.Errorf("looking for silent nodes: %w", err)
	}
	total := 0
	for _, incarnation := range dead {
		if err := endSessions(ctx, n.pool, incarnation); err != nil {
			return total, err
		}
		taken, err := reclaim(ctx, n.opt.DB, incarnation)
		total += taken
		if err != nil {
			return total, err
		}
	}
	return total, nil
}

// endSessions ends the database sessions of a dead process and waits until they are gone, at most two seconds. A client
// that was stopped inside COPY would otherwise hold its locks through every timeout.
func endSessions(ctx context.Context, pool *pgxpool.Pool, incarnation uuid.UUID) error {
	ctx, cancel := context.WithTimeout(ctx, sessionsGone+5*time.Second)
	defer cancel()
	deadline := time.NewTimer(sessionsGone)
	defer deadline.Stop()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for {
		var left int
		err := pool.QueryRow(ctx, `
			SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
			WHERE position($1 IN application_name) > 0 AND pid <> pg_backend_pid()`, incarnation.String()).Scan(&left)
		if err != nil {
			return fmt.Errorf("ending the sessions of incarnation %s: %w", incarnation, err)
		}
		if left == 0 {
			return nil
		}
		select {
		case <-deadline.C:
			return nil
		case <-ctx.Done():
			return fmt.Errorf("ending the sessions of incarnation %s: %w", incarnation, ctx.Err())
		case <-again.C:
		}
	}
}

// reclaim puts the runs of a dead incarnation back into the queue under the same ids, with new fencing tokens, so that
// nothing the dead process still sends can commit. A run that somebody else holds locked is left for the next call.
func reclaim(ctx context.Context, d *db.DB, incarnation uuid.UUID) (int, error) {
	taken := 0
	err := d.InTx(ctx, func(tx *db.Tx) error {
		runs, err := db.Collect(ctx, tx, scanRun, `
			SELECT `+runColumns+` FROM run r WHERE r.incarnation = $1 AND r.state IN ('running', 'reconciling')
			ORDER BY r.id FOR UPDATE SKIP LOCKED`, incarnation)
		if err != nil {
			return err
		}
		taken = len(runs)
		for _, r := range runs {
			_, err := tx.Exec(ctx, "UPDATE store.lease SET token = nextval('store.fence'), taken_at = clock_timestamp() WHERE name = $1 AND run = $2",
				store.WriterLease(r.ResourceID), r.ID)
			if err != nil {
				return fmt.Errorf("taking the lease of run %s: %w", r.ID, err)
			}
			if err := surrender(ctx, tx, r, authz.Hub("takeover"), map[string]any{"incarnation": incarnation}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("taking the runs of incarnation %s back: %w", incarnation, err)
	}
	return taken, nil
}

// surrender takes an active run, whose row the caller has locked, from its worker: back to the queue or, when somebody asked
// for that and nothing is merged yet, cancelled. The lease keeps naming the run, with a token that nobody knows.
func surrender(ctx context.Context, tx *db.Tx, r Run, by authz.Principal, detail map[string]any) error {
	action := RunGiveBack
	if r.CancelRequested && r.MergedAt == nil {
		action = RunCancel
	}
	move, err := findRunMove(r.State, action)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `
		UPDATE run SET state = $2, node_id = NULL, incarnation = NULL, token = NULL, not_before = $3,
			finished_at = CASE WHEN $2 = 'cancelled' THEN $3::timestamptz END WHERE id = $1`, r.ID, move.To, tx.Now())
	if err != nil {
		return fmt.Errorf("giving run %s back: %w", r.ID, err)
	}
	detail["from"], detail["to"], detail["stage"], detail["attempt"] = move.From, move.To, r.Stage, r.Attempt
	return record(ctx, tx, by.Actor(), "run."+string(action), "run", r.ID.String(), detail)
}
