package exchange

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/audit"
	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// order is a run to be queued.
type order struct {
	task    Task
	kind    RunKind
	trigger Trigger
	by      audit.Actor
	of      *uuid.UUID
	deletes *int64
}

// enqueueTx queues a run. When one waits already it returns that one's id and false: the one that waits will do the same.
func enqueueTx(ctx context.Context, tx *db.Tx, o order) (id uuid.UUID, queued bool, err error) {
	for range 3 {
		id = db.NewID()
		tag, err := tx.Exec(ctx, `
			INSERT INTO run (id, task_id, resource_id, kind, trigger, requested_by, state, priority, not_before, confirm_deletes, of_run, queued_at)
			VALUES ($1, $2, $3, $4, $5, $6, 'queued', $7, $8, $9, $10, $8)
			ON CONFLICT (task_id) WHERE state = 'queued' AND attempt = 0 DO NOTHING`,
			id, o.task.ID, o.task.ResourceID, o.kind, o.trigger, o.by.ID, o.task.Priority, tx.Now(), o.deletes, o.of)
		if err != nil {
			return uuid.Nil, false, fmt.Errorf("queueing run: %w", err)
		}
		if tag.RowsAffected() == 1 {
			return id, true, nil
		}
		err = tx.QueryRow(ctx, "SELECT id FROM run WHERE task_id = $1 AND state = 'queued' AND attempt = 0", o.task.ID).Scan(&id)
		if err == nil {
			return id, false, nil
		}
		if !db.NoRows(err) {
			return uuid.Nil, false, fmt.Errorf("reading the run that waits: %w", err)
		}
		// A worker took it between the two statements: the place in the queue is free again.
	}
	return uuid.Nil, false, fault.New(fault.Conflict, "try_again", "the queue of this task is moving; try again")
}

// ask queues a run that a person asked for and writes the event.
func (s *Service) ask(ctx context.Context, p authz.Principal, o order, action authz.Action) (Run, error) {
	var out Run
	err := s.db.InTx(ctx, func(tx *db.Tx) error {
		var err error
		if o.task, err = loadTask(ctx, tx, o.task.ID, "FOR SHARE"); err != nil {
			return err
		}
		if o.task.State != TaskEnabled && o.task.State != TaskPaused {
			return illegalMove("task", string(o.task.State), []string{string(TaskEnable)})
		}
		id, queued, err := enqueueTx(ctx, tx, o)
		if err != nil {
			return err
		}
		if !queued {
			return fault.New(fault.Conflict, "already_queued", "a run of this task is waiting already and will do the same").With("run_id", id.String())
		}
		detail := map[string]any{"task": o.task.ID, "resource": o.task.ResourceID, "kind": o.kind, "trigger": o.trigger}
		if o.deletes != nil {
			detail["confirmed_deletes"], detail["of_run"] = *o.deletes, *o.of
		}
		if err := record(ctx, tx, p.Actor(), string(action), "run", id.String(), detail); err != nil {
			return err
		}
		out, err = loadRun(ctx, tx, id, "")
		return err
	})
	if err != nil {
		return Run{}, err
	}
	return out, nil
}

// RunNow queues a collect of a task. When one waits already it returns Conflict "already_queued" with its id in Detail
// "run_id". It does not wait for the run.
func (s *Service) RunNow(ctx context.Context, p authz.Principal, taskID uuid.UUID) (Run, error) {
	return s.request(ctx, p, taskID, RunCollect, ByRequest)
}

// Reconcile queues a comparison of the store with a fresh read of the source. Errors are those of RunNow.
func (s *Service) Reconcile(ctx context.Context, p authz.Principal, taskID uuid.UUID) (Run, error) {
	return s.request(ctx, p, taskID, RunReconcile, ByRequest)
}

// RepairRun queues the collect that mends the differences a comparison found. Errors are those of RunNow.
func (s *Service) RepairRun(ctx context.Context, p authz.Principal, taskID uuid.UUID) (Run, error) {
	return s.request(ctx, p, taskID, RunCollect, ByRepair)
}

func (s *Service) request(ctx context.Context, p authz.Principal, taskID uuid.UUID, kind RunKind, trigger Trigger) (Run, error) {
	t, err := loadTask(ctx, s.db.Pool, taskID, "")
	if err != nil {
		return Run{}, err
	}
	if _, err := s.check(ctx, p, authz.TaskRun, t.ResourceID, "task", taskID); err != nil {
		return Run{}, err
	}
	return s.ask(ctx, p, order{task: t, kind: kind, trigger: trigger, by: p.Actor()}, authz.TaskRun)
}

// ConfirmDeletes queues a run that may delete up to as many rows as the failed run was refused to. The failed run must be
// the newest of its task that read the source, so that nobody confirms a figure that no longer holds: otherwise Conflict
// "run_outdated".
func (s *Service) ConfirmDeletes(ctx context.Context, p authz.Principal, runID uuid.UUID) (Run, error) {
	r, err := loadRun(ctx, s.db.Pool, runID, "")
	if err != nil {
		return Run{}, err
	}
	if _, err := s.check(ctx, p, authz.RunConfirm, r.ResourceID, "run", runID); err != nil {
		return Run{}, err
	}
	if !r.NeedsConfirmation() {
		return Run{}, illegalMove("run", string(r.State), nil)
	}
	deletes, err := strconv.ParseInt(r.Error.Detail["deletes"], 10, 64)
	if err != nil {
		return Run{}, fmt.Errorf("reading how many deletes run %s was refused: %w", runID, err)
	}
	var newer bool
	err = s.db.Pool.QueryRow(ctx, "SELECT EXISTS (SELECT 1 FROM "+allRuns+" WHERE task_id = $1 AND kind = 'collect' AND queued_at > $2 AND state IN ('succeeded', 'partial'))", r.TaskID, r.QueuedAt).Scan(&newer)
	if err != nil {
		return Run{}, fmt.Errorf("looking for newer runs: %w", err)
	}
	if newer {
		return Run{}, fault.New(fault.Conflict, "run_outdated", "a later run has succeeded, so there is nothing left to confirm")
	}
	o := order{task: Task{ID: r.TaskID}, kind: RunCollect, trigger: ByConfirm, by: p.Actor(), of: &runID, deletes: &deletes}
	return s.ask(ctx, p, o, authz.RunConfirm)
}

// Cancel stops a run before its merge. One that waits is cancelled at once, one that runs within a second or, when it
// commits its merge first, not at all: then it is Conflict "illegal_move".
func (s *Service) Cancel(ctx context.Context, p authz.Principal, runID uuid.UUID) (Run, error) {
	r, err := loadRun(ctx, s.db.Pool, runID, "")
	if err != nil {
		return Run{}, err
	}
	if _, err := s.check(ctx, p, authz.RunCancel, r.ResourceID, "run", runID); err != nil {
		return Run{}, err
	}
	err = s.db.InTx(ctx, func(tx *db.Tx) error {
		if r, err = loadRun(ctx, tx, runID, "FOR UPDATE"); err != nil {
			return err
		}
		move, err := findRunMove(r.State, RunCancel)
		if err != nil {
			return err
		}
		if r.MergedAt != nil {
			return illegalMove("run", string(r.State), nil)
		}
		r.CancelRequested = true
		if move.From == Queued {
			now := tx.Now()
			r.State, r.FinishedAt = move.To, &now
		}
		if _, err := tx.Exec(ctx, "UPDATE run SET state = $2, cancel_requested = true, finished_at = $3 WHERE id = $1", runID, r.State, r.FinishedAt); err != nil {
			return fmt.Errorf("cancelling run: %w", err)
		}
		return record(ctx, tx, p.Actor(), string(authz.RunCancel), "run", runID.String(), map[string]any{"task": r.TaskID, "state": move.From})
	})
	if err != nil {
		return Run{}, err
	}
	return r, nil
}

// Run returns one run.
func (s *Service) Run(ctx context.Context, p authz.Principal, id uuid.UUID) (Run, error) {
	r, err := loadRun(ctx, s.db.Pool, id, "")
	if err != nil {
		return Run{}, err
	}
	if _, err := s.check(ctx, p, authz.TaskRead, r.ResourceID, "run", id); err != nil {
		return Run{}, err
	}
	return r, nil
}

// RunFilter narrows Runs. A nil field does not narrow.
type RunFilter struct {
	TaskID     *uuid.UUID
	ResourceID *uuid.UUID
	State      *RunState
	Kind       *RunKind
	From, To   *time.Time // Queued at From or later, before To.
}

// Runs lists the runs that p may see, newest first.
func (s *Service) Runs(ctx context.Context, p authz.Principal, f RunFilter, page db.Page) ([]Run, string, error) {
	own, err := s.sight(ctx, p, authz.TaskRead, "run")
	if err != nil {
		return nil, "", err
	}
	var at time.Time
	var id uuid.UUID
	more, err := page.After(&at, &id)
	if err != nil {
		return nil, "", err
	}
	found, err := db.Collect(ctx, s.db.Pool, scanRun, `
		SELECT `+runColumns+` FROM `+allRuns+` JOIN resource res ON res.id = r.resource_id
		WHERE ($1::uuid IS NULL OR res.provider_dept_id = $1) AND ($2::uuid IS NULL OR r.task_id = $2)
		  AND ($3::uuid IS NULL OR r.resource_id = $3) AND ($4::text IS NULL OR r.state = $4) AND ($5::text IS NULL OR r.kind = $5)
		  AND (NOT $6 OR (r.queued_at, r.id) < ($7, $8))
		  AND ($10::timestamptz IS NULL OR r.queued_at >= $10) AND ($11::timestamptz IS NULL OR r.queued_at < $11)
		ORDER BY r.queued_at DESC, r.id DESC LIMIT $9`,
		own, f.TaskID, f.ResourceID, f.State, f.Kind, more, at, id, page.Size()+1, f.From, f.To)
	if err != nil {
		return nil, "", err
	}
	out, next := db.Cut(found, page, func(r Run) string { return db.Next(r.QueuedAt, r.ID) })
	return out, next, nil
}
