package exchange

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/audit"
	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// The pace of a scheduler.
const (
	tickEvery   = time.Second      // A due time is seen at most this late.
	dueBatch    = 50               // Schedules per transaction.
	missedGrace = time.Minute      // How late a due time may be run under the policy MissedSkip.
	tickLimit   = 30 * time.Second // One transaction over a batch; beyond, the database is in trouble.
)

// Scheduler turns due times into runs. Any number of schedulers may loop over one database: each due time leaves one row
// in the ledger. The database's clock decides what is due.
type Scheduler struct {
	db  *db.DB
	log *slog.Logger
}

// NewScheduler returns a scheduler; log nil means slog.Default.
func NewScheduler(d *db.DB, log *slog.Logger) *Scheduler {
	if log == nil {
		log = slog.Default()
	}
	return &Scheduler{db: d, log: log}
}

// Run fires until ctx ends, then returns nil. Errors are logged and tried again: OldestOverdue shows what they cost.
func (s *Scheduler) Run(ctx context.Context) error {
	ticker := time.NewTicker(tickEvery)
	defer ticker.Stop()
	failing := false
	for {
		fired, err := s.Tick(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil && !failing {
			s.log.ErrorContext(ctx, "schedules are not being fired", "error", err)
		}
		if err == nil && failing {
			s.log.InfoContext(ctx, "schedules are being fired again")
		}
		failing = err != nil
		if fired == dueBatch && err == nil {
			continue
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

// Tick fires the schedules that are due now and that no other scheduler is firing, at most 50, and returns how many it
// took. A schedule that cannot be fired is parked with a row "error"; the others go on.
func (s *Scheduler) Tick(ctx context.Context) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, tickLimit)
	defer cancel()
	taken := 0
	err := s.db.InTx(ctx, func(tx *db.Tx) error {
		due, err := db.Collect(ctx, tx, scanSchedule, `
			SELECT `+scheduleColumns+` FROM schedule s WHERE s.state = 'enabled' AND s.next_at <= clock_timestamp()
			ORDER BY s.next_at LIMIT $1 FOR UPDATE SKIP LOCKED`, dueBatch)
		if err != nil {
			return err
		}
		taken = len(due)
		for _, sc := range due {
			if err := s.fire(ctx, tx, sc); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("firing schedules: %w", err)
	}
	return taken, nil
}

// fire handles one due schedule inside a savepoint; when that fails it parks the schedule. Its error ends the batch.
func (s *Scheduler) fire(ctx context.Context, tx *db.Tx, sc Schedule) error {
	cause := savepoint(ctx, tx, func() error { return s.fireDue(ctx, tx, sc) })
	if cause == nil || ctx.Err() != nil {
		return cause
	}
	s.log.ErrorContext(ctx, "a schedule is parked", "schedule", sc.ID, "error", cause)
	return savepoint(ctx, tx, func() error { return park(ctx, tx, sc, cause) })
}

// savepoint runs fn so that its failure undoes what it did and nothing else.
func savepoint(ctx context.Context, tx *db.Tx, fn func() error) error {
	inner, err := tx.Begin(ctx)
	if err != nil {
		return fmt.Errorf("setting a savepoint: %w", err)
	}
	if err := fn(); err != nil {
		if back := inner.Rollback(context.WithoutCancel(ctx)); back != nil {
			return fmt.Errorf("going back to a savepoint: %w", back)
		}
		return err
	}
	if err := inner.Commit(ctx); err != nil {
		return fmt.Errorf("releasing a savepoint: %w", err)
	}
	return nil
}

// fireDue notes the due times that passed, queues the run of the last one and sets the next.
func (s *Scheduler) fireDue(ctx context.Context, tx *db.Tx, sc Schedule) error {
	now := tx.Now()
	if now.Before(*sc.NextAt) {
		// It became due between the start of the transaction and the reading of the table.
		now = *sc.NextAt
	}
	due, err := ParseSpec(sc.Spec, sc.TimeZone, now)
	if err != nil {
		return err
	}
	behind, err := due.passed(*sc.NextAt, now)
	if err != nil {
		return err
	}
	task, err := loadTask(ctx, tx, sc.TaskID, "FOR SHARE")
	if err != nil {
		return err
	}
	run := task.State == TaskEnabled && (sc.Missed == MissedRunOnce || now.Sub(behind.last) <= missedGrace)
	switch {
	case task.State != TaskEnabled:
		f := Fire{ScheduleID: sc.ID, DueFrom: behind.first, DueTo: behind.last, DueCount: behind.count, Outcome: FireSkipped, Reason: "the task is " + string(task.State)}
		err = note(ctx, tx, f, true)
	case !run:
		f := Fire{ScheduleID: sc.ID, DueFrom: behind.first, DueTo: behind.last, DueCount: behind.count, Outcome: FireMissed, Reason: "no scheduler was running"}
		err = note(ctx, tx, f, true)
	case behind.count > 1:
		f := Fire{ScheduleID: sc.ID, DueFrom: behind.first, DueTo: behind.before, DueCount: behind.count - 1, Outcome: FireMissed, Reason: "no scheduler was running"}
		err = note(ctx, tx, f, true)
	}
	if err == nil && run {
		err = s.start(ctx, tx, sc, task, behind.last)
	}
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, "UPDATE schedule SET next_at = $2, last_due_at = $3 WHERE id = $1", sc.ID, behind.next, behind.last)
	if err != nil {
		return fmt.Errorf("setting the next due time: %w", err)
	}
	return nil
}

// start queues the run of a due time as the overlap policy says.
func (s *Scheduler) start(ctx context.Context, tx *db.Tx, sc Schedule, task Task, due time.Time) error {
	f := Fire{ScheduleID: sc.ID, DueFrom: due, DueTo: due, DueCount: 1}
	var active, waiting *uuid.UUID
	err := tx.QueryRow(ctx, `
		SELECT (SELECT id FROM run WHERE task_id = $1 AND (state IN ('running', 'reconciling') OR state = 'queued' AND attempt > 0) LIMIT 1),
		       (SELECT id FROM run WHERE task_id = $1 AND state = 'queued' AND attempt = 0)`, task.ID).Scan(&active, &waiting)
	if err != nil {
		return fmt.Errorf("looking for runs of the task: %w", err)
	}
	switch {
	case active != nil && sc.Overlap == OverlapSkip:
		f.Outcome, f.Reason, f.RunID = FireSkipped, "the earlier run is not over", active
		return note(ctx, tx, f, true)
	case waiting != nil:
		f.Outcome, f.Reason, f.RunID = FireSkipped, "a run is waiting already", waiting
		return note(ctx, tx, f, true)
	}
	f.Outcome = FireStarted
	if active != nil {
		f.Outcome = FireQueued
	}
	actor := authz.Hub("scheduler").Actor()
	id, queued, err := enqueueTx(ctx, tx, order{task: task, kind: RunCollect, trigger: BySchedule, by: actor})
	if err != nil {
		return err
	}
	if !queued {
		// Somebody asked for a run since the question above.
		f.Outcome, f.Reason, f.RunID = FireSkipped, "a run is waiting already", &id
		return note(ctx, tx, f, true)
	}
	f.RunID = &id
	if err := note(ctx, tx, f, false); err != nil {
		return err
	}
	return record(ctx, tx, actor, "schedule.fire", "schedule", sc.ID.String(), map[string]any{"due": due, "run": id, "task": task.ID})
}

// note writes a row of the ledger. With join it extends the schedule's newest row when that says the same of the due times
// directly before.
func note(ctx context.Context, tx *db.Tx, f Fire, join bool) error {
	if join {
		tag, err := tx.Exec(ctx, `
			UPDATE fire SET due_to = $2, due_count = due_count + $3, at = $4
			WHERE id = (SELECT max(id) FROM fire WHERE schedule_id = $1) AND outcome = $5 AND reason = $6 AND run_id IS NOT DISTINCT FROM $7::uuid`,
			f.ScheduleID, f.DueTo, f.DueCount, tx.Now(), f.Outcome, f.Reason, f.RunID)
		if err != nil {
			return fmt.Errorf("extending a fire: %w", err)
		}
		if tag.RowsAffected() == 1 {
			return nil
		}
	}
	_, err := tx.Exec(ctx, `
		INSERT INTO fire (schedule_id, due_from, due_to, due_count, outcome, reason, run_id, at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
		f.ScheduleID, f.DueFrom, f.DueTo, f.DueCount, f.Outcome, f.Reason, f.RunID, tx.Now())
	if err != nil {
		return fmt.Errorf("noting a fire: %w", err)
	}
	return nil
}

// park takes a schedule that cannot be fired out of the loop, visibly.
func park(ctx context.Context, tx *db.Tx, sc Schedule, cause error) error {
	reason := fault.CodeOf(cause)
	if fields := fieldsOf(cause); len(fields) > 0 {
		reason = fields[0].Code + ": " + fields[0].Message
	} else if fault.KindOf(cause) == fault.Internal {
		reason = "the hub could not fire it; its log has the details under this schedule"
	}
	f := Fire{ScheduleID: sc.ID, DueFrom: *sc.NextAt, DueTo: *sc.NextAt, DueCount: 1, Outcome: FireError, Reason: reason}
	if err := note(ctx, tx, f, false); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, "UPDATE schedule SET state = 'parked', next_at = NULL, error = $2, row_version = row_version + 1, updated_at = $3 WHERE id = $1", sc.ID, reason, tx.Now())
	if err != nil {
		return fmt.Errorf("parking a schedule: %w", err)
	}
	_, err = audit.WriteTx(ctx, tx, audit.Event{
		Actor: authz.Hub("scheduler").Actor(), Action: "schedule.park", Object: audit.Object{Kind: "schedule", ID: sc.ID.String()},
		Outcome: audit.Failed, Detail: map[string]any{"reason": reason},
	})
	return err
}

// OldestOverdue returns the schedule that should have fired longest ago and how long ago that was, or 0 and the zero id
// when none is overdue. A second or two are normal; more means that no scheduler is running.
func (s *Service) OldestOverdue(ctx context.Context) (time.Duration, uuid.UUID, error) {
	var id uuid.UUID
	var seconds float64
	err := s.db.Pool.QueryRow(ctx, `
		SELECT id, extract(epoch FROM clock_timestamp() - next_at)::float8 FROM schedule
		WHERE state = 'enabled' AND next_at < clock_timestamp() ORDER BY next_at LIMIT 1`).Scan(&id, &seconds)
	if db.NoRows(err) {
		return 0, uuid.Nil, nil
	}
	if err != nil {
		return 0, uuid.Nil, fmt.Errorf("looking for overdue schedules: %w", err)
	}
	return time.Duration(seconds * float64(time.Second)), id, nil
}
