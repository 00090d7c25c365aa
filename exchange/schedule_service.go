package exchange

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/internal/db"
)

// CreateSchedule lets a task run by itself. The first due time is the first after now.
func (s *Service) CreateSchedule(ctx context.Context, p authz.Principal, n NewSchedule) (Schedule, error) {
	t, err := loadTask(ctx, s.db.Pool, n.TaskID, "")
	if err != nil {
		return Schedule{}, err
	}
	if _, err := s.check(ctx, p, authz.ScheduleWrite, t.ResourceID, "task", t.ID); err != nil {
		return Schedule{}, err
	}
	n = n.withDefaults()
	out := Schedule{
		ID: db.NewID(), TaskID: t.ID, Spec: n.Spec, TimeZone: n.TimeZone, Overlap: n.Overlap, Missed: n.Missed,
		State: ScheduleEnabled, RowVersion: 1,
	}
	err = s.db.InTx(ctx, func(tx *db.Tx) error {
		next, err := firstDue(n, tx.Now())
		if err != nil {
			return err
		}
		out.NextAt, out.CreatedAt, out.UpdatedAt = &next, tx.Now(), tx.Now()
		_, err = tx.Exec(ctx, `
			INSERT INTO schedule (id, task_id, spec, time_zone, overlap, missed, state, next_at, created_at, updated_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9)`,
			out.ID, out.TaskID, out.Spec, out.TimeZone, out.Overlap, out.Missed, out.State, out.NextAt, out.CreatedAt)
		if err != nil {
			return fmt.Errorf("inserting schedule: %w", err)
		}
		return record(ctx, tx, p.Actor(), string(authz.ScheduleWrite), "schedule", out.ID.String(), map[string]any{"task": t.ID, "spec": out.Spec, "time_zone": out.TimeZone, "state": out.State})
	})
	if err != nil {
		return Schedule{}, err
	}
	return out, nil
}

// firstDue checks what a caller stated and returns the first due time after now.
func firstDue(n NewSchedule, now time.Time) (time.Time, error) {
	if err := n.Validate(now); err != nil {
		return time.Time{}, err
	}
	due, err := ParseSpec(n.Spec, n.TimeZone, now)
	if err != nil {
		return time.Time{}, err
	}
	return due.Next(now), nil
}

// EditSchedule replaces text, zone and policies of a schedule. Its due times start anew from now; a parked one is enabled.
func (s *Service) EditSchedule(ctx context.Context, p authz.Principal, id uuid.UUID, ifMatch int64, n NewSchedule) (Schedule, error) {
	return s.changeSchedule(ctx, p, id, ifMatch, "edit", func(sc *Schedule, now time.Time) error {
		n = n.withDefaults()
		next, err := firstDue(n, now)
		if err != nil {
			return err
		}
		sc.Spec, sc.TimeZone, sc.Overlap, sc.Missed = n.Spec, n.TimeZone, n.Overlap, n.Missed
		if sc.State != SchedulePaused {
			sc.State, sc.NextAt, sc.Error = ScheduleEnabled, &next, ""
		}
		return nil
	})
}

// PauseSchedule stops a schedule from firing until it is resumed. Due times meanwhile leave no rows: nobody expects them.
func (s *Service) PauseSchedule(ctx context.Context, p authz.Principal, id uuid.UUID, ifMatch int64) (Schedule, error) {
	return s.changeSchedule(ctx, p, id, ifMatch, "pause", func(sc *Schedule, _ time.Time) error {
		if sc.State == SchedulePaused {
			return illegalMove("schedule", string(sc.State), []string{"resume"})
		}
		sc.State, sc.NextAt = SchedulePaused, nil
		return nil
	})
}

// ResumeSchedule lets a paused or parked schedule fire again, from the first due time after now.
func (s *Service) ResumeSchedule(ctx context.Context, p authz.Principal, id uuid.UUID, ifMatch int64) (Schedule, error) {
	return s.changeSchedule(ctx, p, id, ifMatch, "resume", func(sc *Schedule, now time.Time) error {
		if sc.State == ScheduleEnabled {
			return illegalMove("schedule", string(sc.State), []string{"pause"})
		}
		next, err := firstDue(NewSchedule{TaskID: sc.TaskID, Spec: sc.Spec, TimeZone: sc.TimeZone, Overlap: sc.Overlap, Missed: sc.Missed}, now)
		if err != nil {
			return err
		}
		sc.State, sc.NextAt, sc.Error = ScheduleEnabled, &next, ""
		return nil
	})
}

// changeSchedule applies a change to a schedule under its lock and writes it back.
func (s *Service) changeSchedule(ctx context.Context, p authz.Principal, id uuid.UUID, ifMatch int64, step string, change func(*Schedule, time.Time) error) (Schedule, error) {
	sc, err := s.reachSchedule(ctx, p, authz.ScheduleWrite, id)
	if err != nil {
		return Schedule{}, err
	}
	err = s.db.InTx(ctx, func(tx *db.Tx) error {
		if sc, err = loadSchedule(ctx, tx, id, "FOR UPDATE"); err != nil {
			return err
		}
		if err := db.Matches(ifMatch, sc.RowVersion); err != nil {
			return err
		}
		from := sc.State
		if err := change(&sc, tx.Now()); err != nil {
			return err
		}
		sc.RowVersion++
		sc.UpdatedAt = tx.Now()
		_, err := tx.Exec(ctx, `
			UPDATE schedule SET spec = $2, time_zone = $3, overlap = $4, missed = $5, state = $6, next_at = $7, error = $8, row_version = $9, updated_at = $10
			WHERE id = $1`, id, sc.Spec, sc.TimeZone, sc.Overlap, sc.Missed, sc.State, sc.NextAt, sc.Error, sc.RowVersion, sc.UpdatedAt)
		if err != nil {
			return fmt.Errorf("changing schedule: %w", err)
		}
		return record(ctx, tx, p.Actor(), string(authz.ScheduleWrite), "schedule", id.String(), map[string]any{"step": step, "from": from, "to": sc.State, "spec": sc.Spec})
	})
	if err != nil {
		return Schedule{}, err
	}
	return sc, nil
}

// reachSchedule loads a schedule and asks whether p may do action to it.
func (s *Service) reachSchedule(ctx context.Context, p authz.Principal, action authz.Action, id uuid.UUID) (Schedule, error) {
	sc, err := loadSchedule(ctx, s.db.Pool, id, "")
	if err != nil {
		return Schedule{}, err
	}
	t, err := loadTask(ctx, s.db.Pool, sc.TaskID, "")
	if err != nil {
		return Schedule{}, err
	}
	if _, err := s.check(ctx, p, action, t.ResourceID, "schedule", id); err != nil {
		return Schedule{}, err
	}
	return sc, nil
}

// Schedule returns one schedule.
func (s *Service) Schedule(ctx context.Context, p authz.Principal, id uuid.UUID) (Schedule, error) {
	return s.reachSchedule(ctx, p, authz.TaskRead, id)
}

// ScheduleFilter narrows Schedules. A nil field does not narrow.
type ScheduleFilter struct {
	TaskID *uuid.UUID
	State  *ScheduleState
}

// Schedules lists the schedules that p may see, newest first.
func (s *Service) Schedules(ctx context.Context, p authz.Principal, f ScheduleFilter, page db.Page) ([]Schedule, string, error) {
	own, err := s.sight(ctx, p, authz.TaskRead, "schedule")
	if err != nil {
		return nil, "", err
	}
	var at time.Time
	var id uuid.UUID
	more, err := page.After(&at, &id)
	if err != nil {
		return nil, "", err
	}
	found, err := db.Collect(ctx, s.db.Pool, scanSchedule, `
		SELECT `+scheduleColumns+` FROM schedule s JOIN task t ON t.id = s.task_id JOIN resource res ON res.id = t.resource_id
		WHERE ($1::uuid IS NULL OR res.provider_dept_id = $1) AND ($2::uuid IS NULL OR s.task_id = $2) AND ($3::text IS NULL OR s.state = $3)
		  AND (NOT $4 OR (s.created_at, s.id) < ($5, $6))
		ORDER BY s.created_at DESC, s.id DESC LIMIT $7`, own, f.TaskID, f.State, more, at, id, page.Size()+1)
	if err != nil {
		return nil, "", err
	}
	out, next := db.Cut(found, page, func(sc Schedule) string { return db.Next(sc.CreatedAt, sc.ID) })
	return out, next, nil
}

// Fires lists what became of a schedule's due times, newest first.
func (s *Service) Fires(ctx context.Context, p authz.Principal, scheduleID uuid.UUID, page db.Page) ([]Fire, string, error) {
	if _, err := s.reachSchedule(ctx, p, authz.TaskRead, scheduleID); err != nil {
		return nil, "", err
	}
	var id int64
	more, err := page.After(&id)
	if err != nil {
		return nil, "", err
	}
	found, err := db.Collect(ctx, s.db.Pool, scanFire, `
		SELECT `+fireColumns+` FROM fire f WHERE f.schedule_id = $1 AND (NOT $2 OR f.id < $3) ORDER BY f.id DESC LIMIT $4`,
		scheduleID, more, id, page.Size()+1)
	if err != nil {
		return nil, "", err
	}
	out, next := db.Cut(found, page, func(f Fire) string { return db.Next(f.ID) })
	return out, next, nil
}
