package retention

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/shuqiao/shuqiao/audit"
	"github.com/shuqiao/shuqiao/exchange"
	"github.com/shuqiao/shuqiao/exchange/store"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/retain"
)

// way is how one kind is removed: remove takes what is older than a period and returns how much it was; oldest is a query
// for the time of the oldest that is kept, "" where that says nothing.
type way struct {
	remove func(s *Service, ctx context.Context, keep time.Duration) (int64, error)
	oldest string
}

// ways has one for every kind of the table.
var ways = map[retain.Kind]way{
	retain.Usage: {(*Service).usage, "SELECT min(at) FROM usage"},
	retain.Runs:  {(*Service).runs, "SELECT min(finished_at) FROM run_history"},
	retain.Fires: {rows(retain.Fires, `
		DELETE FROM fire WHERE id IN (
			SELECT f.id FROM fire f WHERE f.due_to < clock_timestamp() - $1::interval
			AND EXISTS (SELECT FROM fire n WHERE n.schedule_id = f.schedule_id AND n.id > f.id) ORDER BY f.due_to LIMIT $2)`), "SELECT min(due_to) FROM fire"},
	retain.Reconciliation: {rows(retain.Reconciliation, `
		DELETE FROM reconciliation WHERE id IN (
			SELECT c.id FROM reconciliation c WHERE c.at < clock_timestamp() - $1::interval
			AND EXISTS (SELECT FROM reconciliation n WHERE n.resource_id = c.resource_id AND n.at > c.at) ORDER BY c.at LIMIT $2)`), "SELECT min(at) FROM reconciliation"},
	retain.Sessions: {rows(retain.Sessions, `
		DELETE FROM session WHERE id IN (
			SELECT id FROM session WHERE least(ended_at, expires_at) < clock_timestamp() - $1::interval LIMIT $2)`), "SELECT min(least(ended_at, expires_at)) FROM session"},
	retain.RejectedRows: {rows(retain.RejectedRows, `
		UPDATE reject SET sealed_row = NULL WHERE id IN (
			SELECT id FROM reject WHERE state = 'corrected' AND sealed_row IS NOT NULL AND closed_at < clock_timestamp() - $1::interval
			ORDER BY closed_at LIMIT $2 FOR UPDATE SKIP LOCKED)`), "SELECT min(closed_at) FROM reject WHERE state = 'corrected' AND sealed_row IS NOT NULL"},
	retain.Rejects: {rows(retain.Rejects, `
		DELETE FROM reject WHERE id IN (
			SELECT id FROM reject WHERE state = 'corrected' AND closed_at < clock_timestamp() - $1::interval
			ORDER BY closed_at LIMIT $2 FOR UPDATE SKIP LOCKED)`), "SELECT min(closed_at) FROM reject WHERE state = 'corrected'"},
	retain.Exports: {rows(retain.Exports, `
		DELETE FROM export WHERE id IN (
			SELECT id FROM export WHERE state IN ('failed', 'gone') AND file = '' AND coalesce(finished_at, created_at) < clock_timestamp() - $1::interval
			ORDER BY coalesce(finished_at, created_at) LIMIT $2 FOR UPDATE SKIP LOCKED)`), "SELECT min(coalesce(finished_at, created_at)) FROM export WHERE state IN ('failed', 'gone')"},
	retain.Answers: {rows(retain.Answers, `
		DELETE FROM idempotency WHERE (actor_id, key) IN (
			SELECT actor_id, key FROM idempotency WHERE created_at < clock_timestamp() - $1::interval ORDER BY created_at LIMIT $2)`), "SELECT min(created_at) FROM idempotency"},
	retain.ChangeLog: {(*Service).changeLog, "SELECT min(at) FROM store.head_move"},
	retain.Layouts:   {(*Service).layouts, "SELECT min(retired_at) FROM store.layout WHERE state = 'grace'"},
	retain.Staging:   {(*Service).staging, ""},
	retain.RevokedRows: {(*Service).revokedRows, `
		SELECT min(s.at) FROM resource r JOIN resource_step s ON s.resource_id = r.id AND s.action = 'revoke'
		WHERE r.state = 'revoked' AND EXISTS (SELECT FROM store.layout l WHERE l.resource = r.id AND l.state <> 'dropped')`},
	retain.GrantKeys: {(*Service).grantKeys, `
		SELECT min(updated_at) FROM sharing_grant WHERE rid_key IS NOT NULL AND state IN ('expired', 'terminated', 'disposing', 'closed')`},
}

// rows removes by a statement with two parameters, the period and the most rows, batch by batch.
func rows(kind retain.Kind, sql string) func(s *Service, ctx context.Context, keep time.Duration) (int64, error) {
	return func(s *Service, ctx context.Context, keep time.Duration) (int64, error) {
		return s.inBatches(ctx, kind, sql, keep)
	}
}

// inBatches runs a statement that removes at most so many rows as its last parameter says until it finds no more, or the turn is over.
func (s *Service) inBatches(ctx context.Context, kind retain.Kind, sql string, args ...any) (total int64, err error) {
	args = append(args, batch)
	for range batches {
		var removed int64
		err := s.db.InTx(ctx, func(tx *db.Tx) error {
			tag, err := tx.Exec(ctx, sql, args...)
			if err != nil {
				return err
			}
			removed = tag.RowsAffected()
			return countTx(ctx, tx, kind, removed)
		})
		if err != nil {
			return total, err
		}
		if total += removed; removed < batch {
			break
		}
	}
	return total, nil
}

// note counts what was removed by transactions of another room.
func (s *Service) note(ctx context.Context, kind retain.Kind, removed int64) error {
	return s.db.InTx(ctx, func(tx *db.Tx) error { return countTx(ctx, tx, kind, removed) })
}

func (s *Service) usage(ctx context.Context, keep time.Duration) (total int64, err error) {
	months, err := audit.UsageMonths(ctx, s.db, keep)
	if err != nil {
		return 0, err
	}
	for _, month := range months {
		removed, err := audit.PurgeUsage(ctx, s.db, month, func(tx *db.Tx, removed int64) error { return countTx(ctx, tx, retain.Usage, removed) })
		total += removed
		if err != nil {
			return total, err
		}
	}
	return total, nil
}

func (s *Service) runs(ctx context.Context, keep time.Duration) (total int64, err error) {
	months, err := exchange.RunMonths(ctx, s.db, keep)
	if err != nil {
		return 0, err
	}
	for _, month := range months {
		var removed int64
		err := s.db.InTx(ctx, func(tx *db.Tx) (err error) {
			if removed, err = exchange.DropRunsTx(ctx, tx, month); err != nil {
				return err
			}
			return countTx(ctx, tx, retain.Runs, removed)
		})
		if err != nil {
			return total, err
		}
		total += removed
	}
	return total, nil
}

func (s *Service) changeLog(ctx context.Context, keep time.Duration) (int64, error) {
	removed, err := s.opt.Store.PurgeLogs(ctx, store.Retention{Keep: keep})
	return removed, errors.Join(err, s.note(ctx, retain.ChangeLog, removed))
}

func (s *Service) layouts(ctx context.Context, keep time.Duration) (int64, error) {
	dropped, err := s.opt.Store.DropGrace(ctx, keep)
	return int64(dropped), errors.Join(err, s.note(ctx, retain.Layouts, int64(dropped)))
}

func (s *Service) staging(ctx context.Context, _ time.Duration) (int64, error) {
	swept, err := s.opt.Store.Sweep(ctx)
	return int64(swept), errors.Join(err, s.note(ctx, retain.Staging, int64(swept)))
}

// grantsAtOnce is how many grants one transaction takes the keys from: each is two entries of the policy log, whose head it holds.
const grantsAtOnce = 50

func (s *Service) grantKeys(ctx context.Context, keep time.Duration) (total int64, err error) {
	for range batches {
		n, err := s.opt.Sharing.ForgetKeys(ctx, keep, grantsAtOnce, func(tx *db.Tx, n int64) error { return countTx(ctx, tx, retain.GrantKeys, n) })
		if err != nil {
			return total, err
		}
		if total += int64(n); n < grantsAtOnce {
			break
		}
	}
	return total, nil
}

// revokedRows stops the tasks of revoked resources at once, and removes their rows when the period is over. It returns how many rows of the
// active layouts, of their logs and of the rejects were removed.
func (s *Service) revokedRows(ctx context.Context, keep time.Duration) (total int64, err error) {
	if err := s.stopTasks(ctx); err != nil {
		return 0, err
	}
	due, err := s.db.Pool.Query(ctx, `
		SELECT r.id, max(s.at) FROM resource r JOIN resource_step s ON s.resource_id = r.id AND s.action = 'revoke'
		WHERE r.state = 'revoked' AND (EXISTS (SELECT FROM store.layout l WHERE l.resource = r.id AND l.state <> 'dropped')
			OR EXISTS (SELECT FROM reject j WHERE j.resource_id = r.id))
		GROUP BY r.id HAVING max(s.at) < clock_timestamp() - $1::interval ORDER BY 2`, keep)
	if err != nil {
		return 0, fmt.Errorf("looking for revoked resources: %w", err)
	}
	type revoked struct {
		ID uuid.UUID
		At time.Time
	}
	found, err := pgx.CollectRows(due, pgx.RowToStructByPos[revoked])
	if err != nil {
		return 0, fmt.Errorf("looking for revoked resources: %w", err)
	}
	for _, r := range found {
		var gone int64
		_, err := s.opt.Store.Remove(ctx, r.ID, func(tx *db.Tx, d store.Removed) error {
			gone = d.Rows + d.LogRows
			// The state is read under the head: nothing brings a revoked entry back, but a restored database may lie behind.
			var rejects int64
			err := tx.QueryRow(ctx, "SELECT (SELECT count(*) FROM reject WHERE resource_id = r.id) FROM resource r WHERE r.id = $1 AND r.state = 'revoked' FOR SHARE", r.ID).Scan(&rejects)
			if err != nil {
				return fmt.Errorf("reading a revoked resource: %w", err)
			}
			_, err = audit.WriteTx(ctx, tx, audit.Event{
				Actor: actor, Action: "resource.purge", Object: audit.Object{Kind: "resource", ID: r.ID.String()},
				Detail: map[string]any{"revoked_at": r.At.UTC(), "layouts": d.Layouts, "rows": d.Rows, "log_rows": d.LogRows, "rejects": rejects},
			})
			if err != nil {
				return err
			}
			return countTx(ctx, tx, retain.RevokedRows, gone)
		})
		if err != nil {
			return total, err
		}
		total += gone
		rejects, err := s.inBatches(ctx, retain.RevokedRows, `
			DELETE FROM reject WHERE id IN (SELECT id FROM reject WHERE resource_id = $1 AND NOT EXISTS (
				SELECT FROM store.layout l WHERE l.resource = $1 AND l.state <> 'dropped') LIMIT $2)`, r.ID)
		total += rejects
		if err != nil {
			return total, err
		}
	}
	return total, nil
}

// stopTasks disables the tasks of revoked resources: their runs would be refused each time, for ever.
func (s *Service) stopTasks(ctx context.Context) error {
	err := s.db.InTx(ctx, func(tx *db.Tx) error {
		stopped, err := tx.Query(ctx, `
			UPDATE task SET state = 'disabled', row_version = row_version + 1, updated_at = $1
			WHERE state <> 'disabled' AND resource_id IN (SELECT id FROM resource WHERE state = 'revoked') RETURNING id`, tx.Now())
		if err != nil {
			return err
		}
		tasks, err := pgx.CollectRows(stopped, pgx.RowTo[uuid.UUID])
		if err != nil {
			return err
		}
		for _, id := range tasks {
			if _, err := tx.Exec(ctx, "UPDATE schedule SET state = 'paused', row_version = row_version + 1, updated_at = $2 WHERE task_id = $1 AND state <> 'paused'", id, tx.Now()); err != nil {
				return err
			}
			_, err := audit.WriteTx(ctx, tx, audit.Event{
				Actor: actor, Action: "task.disable", Object: audit.Object{Kind: "task", ID: id.String()}, Detail: map[string]any{"reason": "the resource was revoked"},
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("stopping tasks of revoked resources: %w", err)
	}
	return nil
}
