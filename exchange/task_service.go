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
	t := Task{ID: db.NewID(), Kind: Collect, ResourceID: n.ResourceID, Mode: n.Mode, Settings: n.Settings, State: TaskEnabled, Priority: n.Priority, RowVersion: 1, CreatedBy: p.ID}
	if n.Draft {
		t.State = TaskDraft
	}
	if t.Priority == 0 {
		t.Priority = 5
	}
	if t.Mode == "" {
		t.Mode = ModeFull
	}
	err = s.db.InTx(ctx, func(tx *db.Tx) error {
		t.CreatedAt, t.UpdatedAt = tx.Now(), tx.Now()
		var err error
		if t.Deletes, err = fits(ctx, tx, t); err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `
			INSERT INTO task (id, kind, resource_id, mode, settings, state, priority, row_version, created_by, created_at, updated_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10)`,
			t.ID, t.Kind, t.ResourceID, t.Mode, t.Settings, t.State, t.Priority, t.RowVersion, t.CreatedBy, t.CreatedAt)
		if db.IsUnique(err, "task_collect") {
			return fault.New(fault.Conflict, "task_exists", "this resource has its collecting task already")
		}
		if err != nil {
			return fmt.Errorf("inserting task: %w", err)
		}
		return record(ctx, tx, p.Actor(), string(authz.TaskWrite), "task", t.ID.String(), map[string]any{"resource": t.ResourceID, "kind": t.Kind, "mode": t.Mode, "state": t.State})
	})
	if err != nil {
		return Task{}, err
	}
	return t, nil
}

// fits says how deletes will arrive for a task under the mount in use, and refuses to read what changed by a mount that names
// no watermark column (Conflict "incremental_watermark"). A resource without a mount in use is judged when it is collected.
func fits(ctx context.Context, tx *db.Tx, t Task) (Arrival, error) {
	var rule, column string
	err := tx.QueryRow(ctx, "SELECT delete_rule, watermark_column FROM mount WHERE resource_id = $1 AND state = 'active' FOR SHARE", t.ResourceID).Scan(&rule, &column)
	if db.NoRows(err) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("reading the mount in use: %w", err)
	}
	if t.Mode == ModeIncremental && column == "" {
		return "", noWatermark()
	}
	return arrival(t.Mode, t.Settings, rule), nil
}

func noWatermark() error {
	return fault.New(fault.Conflict, "incremental_watermark", "the mount in use names no watermark column, so nothing says what changed; activate one that does, or collect in full")
}

// EditTask changes what a task reads and how urgent it is. Runs that wait follow the new settings; one that runs goes on under
// the old ones. It returns Conflict "incremental_watermark" when the mount in use names no watermark column.
func (s *Service) EditTask(ctx context.Context, p authz.Principal, id uuid.UUID, ifMatch int64, in TaskInput) (Task, error) {
	if err := fault.InvalidFields(checkTask(in.Mode, in.Settings, in.Priority)); err != nil {
		return Task{}, err
	}
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
		if err := db.Matches(ifMatch, t.RowVersion); err != nil {
			return err
		}
		was := t.Mode
		t.Mode, t.Settings, t.Priority, t.UpdatedAt = in.Mode, in.Settings, in.Priority, tx.Now()
		if t.Mode == "" {
			t.Mode = ModeFull
		}
		if t.Priority == 0 {
			t.Priority = 5
		}
		if t.Deletes, err = fits(ctx, tx, t); err != nil {
			return err
		}
		t.RowVersion++
		_, err = tx.Exec(ctx, "UPDATE task SET mode = $2, settings = $3, priority = $4, row_version = $5, updated_at = $6 WHERE id = $1",
			id, t.Mode, t.Settings, t.Priority, t.RowVersion, t.UpdatedAt)
		if err != nil {
			return fmt.Errorf("editing task: %w", err)
		}
		return record(ctx, tx, p.Actor(), string(authz.TaskWrite), "task", id.String(), map[string]any{
			"step": "edit", "from": was, "to": t.Mode, "settings": t.Settings, "priority": t.Priority, "deletes": t.Deletes,
		})
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
		if err := db.Matches(ifMatch, t.RowVersion); err != nil {
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
	found, err := db.Collect(ctx, s.db.Pool, scanTask, `
		SELECT `+taskColumns+` FROM task t JOIN resource res ON res.id = t.resource_id
		WHERE ($1::uuid IS NULL OR res.provider_dept_id = $1) AND ($2::uuid IS NULL OR t.resource_id = $2)
		  AND ($3::uuid IS NULL OR res.provider_dept_id = $3) AND ($4::text IS NULL OR t.state = $4)
		  AND (NOT $5 OR (t.created_at, t.id) < ($6, $7))
		ORDER BY t.created_at DESC, t.id DESC LIMIT $8`,
		own, f.ResourceID, f.DepartmentID, f.State, more, at, id, page.Size()+1)
	if err != nil {
		return nil, "", err
	}
	out, next := db.Cut(found, page, func(t Task) string { return db.Next(t.CreatedAt, t.ID) })
	return out, next, nil
}
