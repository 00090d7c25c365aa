package exchange

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// CreateTask makes a task for a resource of a department. It returns Conflict "task_exists" when the resource has one of
// that kind, "resource_live" when its rows are not kept at the hub, and Invalid "kind_not_available" for deliveries.
func (s *Service) CreateTask(ctx context.Context, p authz.Principal, n NewTask) (Task, error) {
	if err := n.Validate(); err != nil {
		return Task{}, err
	}
	f, err := s.check(ctx, p, authz.TaskWrite, n.ResourceID, "resource", n.ResourceID)
	if err != nil {
		return Task{}, err
	}
	switch {
	case n.Kind == Deliver:
		return Task{}, fault.New(fault.Invalid, "kind_not_available", "this hub does not deliver to targets yet; let the consumer pull through the API")
	case f.ShareType == "withheld":
		return Task{}, fault.New(fault.Conflict, "resource_withheld", "withheld resources are not collected (Order 809, Art 14)")
	case f.Live:
		return Task{}, fault.New(fault.Conflict, "resource_live", "this resource is read at its source on each call, so there is nothing to collect")
	}
	t := Task{ID: db.NewID(), Kind: Collect, ResourceID: n.ResourceID, Mode: "full", State: TaskEnabled, Priority: n.Priority, RowVersion: 1, CreatedBy: p.ID}
	if n.Draft {
		t.State = TaskDraft
	}
	if t.Priority == 0 {
		t.Priority = 5
	}
	err = s.db.InTx(ctx, func(tx *db.Tx) error {
		t.CreatedAt, t.UpdatedAt = tx.Now(), tx.Now()
		_, err := tx.Exec(ctx, `
			INSERT INTO task (id, kind, resource_id, mode, state, priority, row_version, created_by, created_at, updated_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9)`,
			t.ID, t.Kind, t.ResourceID, t.Mode, t.State, t.Priority, t.RowVersion, t.CreatedBy, t.CreatedAt)
		if db.IsUnique(err, "task_collect") {
			return fault.New(fault.Conflict, "task_exists", "this resource has its collecting task already")
		}
		if err != nil {
			return fmt.Errorf("inserting task: %w", err)
		}
		return record(ctx, tx, p.Actor(), string(authz.TaskWrite), "task", t.ID.String(), map[string]any{"resource": t.ResourceID, "kind": t.Kind, "state": t.State})
	})
	if err != nil {
		return Task{}, err
	}
	return t, nil
}

// MoveTask enables, pauses or disables a task. Disabling cancels the runs that wait; one that runs goes on.
func (s *Service) MoveTask(ctx context.Context, p authz.Principal, id uuid.UUID, ifMatch int64, step TaskStep) (Task, error) {
	t, err := loadTask(ctx, s.db.Pool, id, "")
	if err != nil {
		return Task{}, err
	}
	if _, err := s.check(ctx, p, authz.TaskWrite, t.ResourceID, "task", id); err != nil {
		return Task{}, err
	}
	err = s.db.InTx(ctx, func(tx *db.Tx) error {
		if t, err = loadTask(ctx, tx, id, "FOR UPDATE"); err != nil {
			return err
		}
		if err := matches(ifMatch, t.RowVersion); err != nil {
			return err
		}
		move, err := findTaskMove(t.State, step)
		if err != nil {
			return err
		}
		t.State, t.UpdatedAt = move.To, tx.Now()
		t.RowVersion++
		if _, err := tx.Exec(ctx, "UPDATE task SET state = $2, row_version = $3, updated_at = $4 WHERE id = $1", id, t.State, t.RowVersion, t.UpdatedAt); err != nil {
			return fmt.Errorf("moving task: %w", err)
		}
		if move.To == TaskDisabled {
			if _, err := tx.Exec(ctx, "UPDATE run SET state = 'cancelled', finished_at = $2 WHERE task_id = $1 AND state = 'queued' AND merged_at IS NULL", id, tx.Now()); err != nil {
				return fmt.Errorf("cancelling what waits: %w", err)
			}
		}
		return record(ctx, tx, p.Actor(), string(authz.TaskWrite), "task", id.String(), map[string]any{"step": step, "from": move.From, "to": move.To})
	})
	if err != nil {
		return Task{}, err
	}
	return t, nil
}

// Task returns one task.
func (s *Service) Task(ctx context.Context, p authz.Principal, id uuid.UUID) (Task, error) {
	t, err := loadTask(ctx, s.db.Pool, id, "")
	if err != nil {
		return Task{}, err
	}
	_, err = s.check(ctx, p, authz.TaskRead, t.ResourceID, "task", id)
	if err != nil {
		return Task{}, err
	}
	return t, nil
}

// TaskFilter narrows Tasks. A nil field does not narrow.
type TaskFilter struct {
	ResourceID   *uuid.UUID
	DepartmentID *uuid.UUID // The provider.
	State        *TaskState
}

// Tasks lists the tasks that p may see, newest first.
func (s *Service) Tasks(ctx context.Context, p authz.Principal, f TaskFilter, page db.Page) ([]Task, string, error) {
	own, err := s.sight(ctx, p, authz.TaskRead, "task")
	if err != nil {
		return nil, "", err
	}
	var at time.Time
	var id uuid.UUID
	more, err := page.After(&at, &id)
	if err != nil {
		return nil, "", err
	}
	found, err := collect(ctx, s.db.Pool, scanTask, `
		SELECT `+taskColumns+` FROM task t JOIN resource res ON res.id = t.resource_id
		WHERE ($1::uuid IS NULL OR res.provider_dept_id = $1) AND ($2::uuid IS NULL OR t.resource_id = $2)
		  AND ($3::uuid IS NULL OR res.provider_dept_id = $3) AND ($4::text IS NULL OR t.state = $4)
		  AND (NOT $5 OR (t.created_at, t.id) < ($6, $7))
		ORDER BY t.created_at DESC, t.id DESC LIMIT $8`,
		own, f.ResourceID, f.DepartmentID, f.State, more, at, id, page.Size()+1)
	if err != nil {
		return nil, "", err
	}
	out, next := cut(found, page.Size(), func(t Task) string { return db.Next(t.CreatedAt, t.ID) })
	return out, next, nil
}
