package exchange

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/shuqiao/shuqiao/internal/db"
)

// Rows are read by explicit lists of columns, each beside the function that scans it.

const taskColumns = `t.id, t.kind, t.resource_id, t.grant_id, t.mode, t.settings, t.state, t.priority, t.row_version, t.created_by, t.created_at, t.updated_at,
	coalesce((SELECT m.delete_rule FROM mount m WHERE m.resource_id = t.resource_id AND m.state = 'active'), '')`

func scanTask(row pgx.Row) (Task, error) {
	var t Task
	var rule string
	err := row.Scan(&t.ID, &t.Kind, &t.ResourceID, &t.GrantID, &t.Mode, &t.Settings, &t.State, &t.Priority, &t.RowVersion, &t.CreatedBy, &t.CreatedAt, &t.UpdatedAt, &rule)
	t.Deletes = arrival(t.Mode, t.Settings, rule)
	t.CreatedAt, t.UpdatedAt = t.CreatedAt.UTC(), t.UpdatedAt.UTC()
	return t, err
}

// loadTask reads a task; lock is "", "FOR SHARE" or "FOR UPDATE".
func loadTask(ctx context.Context, q db.Querier, id uuid.UUID, lock string) (Task, error) {
	t, err := scanTask(q.QueryRow(ctx, "SELECT "+taskColumns+" FROM task t WHERE t.id = $1 "+lock, id))
	if db.NoRows(err) {
		return Task{}, notFound("task")
	}
	if err != nil {
		return Task{}, fmt.Errorf("reading task: %w", err)
	}
	return t, nil
}

const scheduleColumns = "s.id, s.task_id, s.spec, s.time_zone, s.overlap, s.missed, s.state, s.next_at, s.last_due_at, s.error, s.row_version, s.created_at, s.updated_at"

func scanSchedule(row pgx.Row) (Schedule, error) {
	var s Schedule
	err := row.Scan(&s.ID, &s.TaskID, &s.Spec, &s.TimeZone, &s.Overlap, &s.Missed, &s.State, &s.NextAt, &s.LastDueAt, &s.Error, &s.RowVersion, &s.CreatedAt, &s.UpdatedAt)
	s.NextAt, s.LastDueAt, s.CreatedAt, s.UpdatedAt = db.UTC(s.NextAt), db.UTC(s.LastDueAt), s.CreatedAt.UTC(), s.UpdatedAt.UTC()
	return s, err
}

// loadSchedule reads a schedule; lock is "" or "FOR UPDATE".
func loadSchedule(ctx context.Context, q db.Querier, id uuid.UUID, lock string) (Schedule, error) {
	s, err := scanSchedule(q.QueryRow(ctx, "SELECT "+scheduleColumns+" FROM schedule s WHERE s.id = $1 "+lock, id))
	if db.NoRows(err) {
		return Schedule{}, notFound("schedule")
	}
	if err != nil {
		return Schedule{}, fmt.Errorf("reading schedule: %w", err)
	}
	return s, nil
}

const fireColumns = "f.id, f.schedule_id, f.due_from, f.due_to, f.due_count, f.outcome, f.reason, f.run_id, f.at"

func scanFire(row pgx.Row) (Fire, error) {
	var f Fire
	err := row.Scan(&f.ID, &f.ScheduleID, &f.DueFrom, &f.DueTo, &f.DueCount, &f.Outcome, &f.Reason, &f.RunID, &f.At)
	f.DueFrom, f.DueTo, f.At = f.DueFrom.UTC(), f.DueTo.UTC(), f.At.UTC()
	return f, err
}

const runColumns = `r.id, r.task_id, r.resource_id, r.kind, r.trigger, r.requested_by, r.state, r.priority, r.attempt, r.failures, r.not_before,
	r.node_id, r.stage, r.progress, r.counts, r.hashes, r.error, r.cancel_requested, r.confirm_deletes, r.of_run, r.queued_at, r.started_at,
	r.merged_at, r.finished_at`

func scanRun(row pgx.Row) (Run, error) {
	var r Run
	var progress, counts, hashes, failure []byte
	err := row.Scan(&r.ID, &r.TaskID, &r.ResourceID, &r.Kind, &r.Trigger, &r.RequestedBy, &r.State, &r.Priority, &r.Attempt, &r.Failures, &r.NotBefore,
		&r.NodeID, &r.Stage, &progress, &counts, &hashes, &failure, &r.CancelRequested, &r.ConfirmDeletes, &r.OfRun, &r.QueuedAt, &r.StartedAt,
		&r.MergedAt, &r.FinishedAt)
	if err != nil {
		return Run{}, err
	}
	r.NotBefore, r.QueuedAt = r.NotBefore.UTC(), r.QueuedAt.UTC()
	r.StartedAt, r.MergedAt, r.FinishedAt = db.UTC(r.StartedAt), db.UTC(r.MergedAt), db.UTC(r.FinishedAt)
	for _, part := range []struct {
		raw []byte
		out any
	}{{progress, &r.Progress}, {counts, &r.Counts}, {hashes, &r.Hashes}, {failure, &r.Error}} {
		if part.raw == nil {
			continue
		}
		if err := json.Unmarshal(part.raw, part.out); err != nil {
			return Run{}, fmt.Errorf("decoding run: %w", err)
		}
	}
	return r, nil
}

// loadRun reads a run, wherever it lies; lock is "" or "FOR UPDATE". One in the history does not change any more, and is not
// locked.
func loadRun(ctx context.Context, q db.Querier, id uuid.UUID, lock string) (Run, error) {
	r, err := scanRun(q.QueryRow(ctx, "SELECT "+runColumns+" FROM run r WHERE r.id = $1 "+lock, id))
	if db.NoRows(err) {
		r, err = scanRun(q.QueryRow(ctx, "SELECT "+runColumns+" FROM run_history r WHERE r.id = $1", id))
	}
	if db.NoRows(err) {
		return Run{}, notFound("run")
	}
	if err != nil {
		return Run{}, fmt.Errorf("reading run: %w", err)
	}
	return r, nil
}
