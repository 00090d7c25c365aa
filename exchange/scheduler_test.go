package exchange

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/catalog"
	"github.com/shuqiao/shuqiao/exchange/store"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// schedule makes a schedule of the hub's task.
func (h *hub) schedule(t *testing.T, n NewSchedule) Schedule {
	t.Helper()
	n.TaskID = h.task.ID
	s, err := h.service.CreateSchedule(h.ctx, h.admin, n)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// back sets a schedule's next due time that long ago, on a whole second.
func (h *hub) back(t *testing.T, id uuid.UUID, ago time.Duration) time.Time {
	t.Helper()
	var at time.Time
	err := h.db.Pool.QueryRow(h.ctx, "UPDATE schedule SET next_at = date_trunc('second', clock_timestamp()) - make_interval(secs => $2) WHERE id = $1 RETURNING next_at", id, ago.Seconds()).Scan(&at)
	if err != nil {
		t.Fatal(err)
	}
	return at.UTC()
}

// ledger returns the fires of a schedule, oldest first.
func (h *hub) ledger(t *testing.T, id uuid.UUID) []Fire {
	t.Helper()
	fires, _, err := h.service.Fires(h.ctx, h.operator, id, db.Page{Limit: 500})
	if err != nil {
		t.Fatal(err)
	}
	slices.Reverse(fires)
	return fires
}

func (h *hub) tick(t *testing.T) int {
	t.Helper()
	n, err := NewScheduler(h.db, nil).Tick(h.ctx)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// A due time becomes one fire and one run, and the next due time follows from it.
func TestFire(t *testing.T) {
	t.Parallel()
	h := setup(t)
	s := h.schedule(t, NewSchedule{Spec: "@every 1h"})
	if h.tick(t) != 0 {
		t.Fatal("fired before it was due")
	}
	age, _, err := h.service.OldestOverdue(h.ctx)
	if err != nil || age != 0 {
		t.Errorf("overdue: %s, %v", age, err)
	}
	due := h.back(t, s.ID, 90*time.Second)
	age, id, err := h.service.OldestOverdue(h.ctx)
	if err != nil || age < 90*time.Second || id != s.ID {
		t.Errorf("overdue: %s %s, %v", age, id, err)
	}
	if h.tick(t) != 1 || h.tick(t) != 0 {
		t.Fatal("a due time must be fired once")
	}
	fires := h.ledger(t, s.ID)
	if len(fires) != 1 || fires[0].Outcome != FireStarted || !fires[0].DueFrom.Equal(due) || fires[0].RunID == nil {
		t.Fatalf("got %+v", fires)
	}
	if r := h.run(t, *fires[0].RunID); r.Trigger != BySchedule || r.State != Queued || r.RequestedBy != "scheduler" {
		t.Errorf("got %+v", r)
	}
	s, err = h.service.Schedule(h.ctx, h.platform, s.ID)
	if err != nil || !s.NextAt.Equal(due.Add(time.Hour)) || !s.LastDueAt.Equal(due) {
		t.Errorf("got %+v, %v", s, err)
	}
}

// Three schedulers over one database leave one fire per due time.
func TestThreeSchedulers(t *testing.T) {
	t.Parallel()
	h := setup(t)
	h.start(t, processOptions{})
	h.sql(t, `INSERT INTO thing VALUES ('1', '330602', '甲', NULL, 1)`)
	s := h.schedule(t, NewSchedule{Spec: "@every 1s", Overlap: OverlapQueue})
	ctx, cancel := context.WithCancel(context.WithoutCancel(h.ctx))
	var loops sync.WaitGroup
	for range 3 {
		loops.Go(func() { _ = NewScheduler(h.db, nil).Run(ctx) })
	}
	await(t, "four fires", func() bool { return len(h.ledger(t, s.ID)) >= 4 })
	cancel()
	loops.Wait()
	var last time.Time
	for i, f := range h.ledger(t, s.ID) {
		if i > 0 && !f.DueFrom.Equal(last.Add(time.Second)) {
			t.Errorf("fire %d: due %s after %s", i, f.DueFrom, last)
		}
		last = f.DueTo
	}
}

// Due times that passed while nobody was there share one row; the last one runs or not, as the policy says.
func TestMissed(t *testing.T) {
	t.Parallel()
	h := setup(t)
	once := h.schedule(t, NewSchedule{Spec: "@every 10m", Missed: MissedRunOnce})
	due := h.back(t, once.ID, 65*time.Minute)
	h.tick(t)
	fires := h.ledger(t, once.ID)
	if len(fires) != 2 || fires[0].Outcome != FireMissed || fires[0].DueCount != 6 || !fires[0].DueFrom.Equal(due) || !fires[0].DueTo.Equal(due.Add(50*time.Minute)) ||
		fires[1].Outcome != FireStarted || !fires[1].DueFrom.Equal(due.Add(time.Hour)) {
		t.Fatalf("got %+v", fires)
	}
	skip := h.schedule(t, NewSchedule{Spec: "@every 10m", Missed: MissedSkip})
	due = h.back(t, skip.ID, 65*time.Minute)
	h.tick(t)
	fires = h.ledger(t, skip.ID)
	if len(fires) != 1 || fires[0].Outcome != FireMissed || fires[0].DueCount != 7 || fires[0].RunID != nil {
		t.Fatalf("got %+v", fires)
	}
	s, err := h.service.Schedule(h.ctx, h.operator, skip.ID)
	if err != nil || !s.NextAt.Equal(due.Add(70*time.Minute)) {
		t.Errorf("got %+v, %v", s, err)
	}
	// A second outage directly behind extends the row.
	h.exec(t, "UPDATE schedule SET next_at = next_at - interval '60 minutes' WHERE id = $1", skip.ID)
	h.tick(t)
	if fires = h.ledger(t, skip.ID); len(fires) != 1 || fires[0].DueCount <= 7 {
		t.Fatalf("got %+v", fires)
	}
}

// While a run is not over, due times are skipped into one row, or one run is queued behind it.
func TestOverlap(t *testing.T) {
	t.Parallel()
	h := setup(t)
	p := h.start(t, processOptions{idle: true})
	h.sql(t, `INSERT INTO thing VALUES ('1', '330602', '甲', NULL, 1)`)
	release := h.holdRead(t)
	running := h.now(t)
	_, done := h.carry(t, p)
	skip := h.schedule(t, NewSchedule{Spec: "@every 1h"})
	for range 3 {
		h.back(t, skip.ID, time.Second)
		h.tick(t)
	}
	fires := h.ledger(t, skip.ID)
	if len(fires) != 1 || fires[0].Outcome != FireSkipped || fires[0].DueCount != 3 || *fires[0].RunID != running {
		t.Fatalf("got %+v", fires)
	}
	queue := h.schedule(t, NewSchedule{Spec: "@every 1h", Overlap: OverlapQueue})
	for range 2 {
		h.back(t, queue.ID, time.Second)
		h.tick(t)
	}
	fires = h.ledger(t, queue.ID)
	if len(fires) != 2 || fires[0].Outcome != FireQueued || fires[1].Outcome != FireSkipped || *fires[1].RunID != *fires[0].RunID {
		t.Fatalf("got %+v", fires)
	}
	release()
	<-done
}

// A schedule that cannot be fired is parked with a row that says why; the others go on, and mending it resumes it.
func TestParked(t *testing.T) {
	t.Parallel()
	h := setup(t)
	bad, good := h.schedule(t, NewSchedule{Spec: "@every 1h"}), h.schedule(t, NewSchedule{Spec: "@every 1h"})
	h.exec(t, "UPDATE schedule SET spec = 'once in a blue moon' WHERE id = $1", bad.ID)
	h.back(t, bad.ID, 2*time.Second)
	h.back(t, good.ID, time.Second)
	if n := h.tick(t); n != 2 {
		t.Fatalf("took %d", n)
	}
	if fires := h.ledger(t, good.ID); len(fires) != 1 || fires[0].Outcome != FireStarted {
		t.Fatalf("got %+v", fires)
	}
	fires := h.ledger(t, bad.ID)
	if len(fires) != 1 || fires[0].Outcome != FireError || fires[0].Reason == "" {
		t.Fatalf("got %+v", fires)
	}
	state := ScheduleParked
	parked, _, err := h.service.Schedules(h.ctx, h.platform, ScheduleFilter{State: &state}, db.Page{})
	if err != nil || len(parked) != 1 || parked[0].ID != bad.ID || parked[0].Error == "" || parked[0].NextAt != nil {
		t.Fatalf("got %+v, %v", parked, err)
	}
	_, err = h.service.ResumeSchedule(h.ctx, h.admin, bad.ID, 0)
	if !fault.Is(err, fault.Invalid) {
		t.Errorf("resumed as it is: %v", err)
	}
	s, err := h.service.EditSchedule(h.ctx, h.admin, bad.ID, parked[0].RowVersion, NewSchedule{Spec: "0 3 * * *"})
	if err != nil || s.State != ScheduleEnabled || s.NextAt == nil || s.Error != "" {
		t.Fatalf("got %+v, %v", s, err)
	}
	if n := h.events(t, "schedule.park", bad.ID); n != 1 {
		t.Errorf("%d events", n)
	}
}

// People of another department neither see nor change a department's tasks, runs and schedules; versions guard changes.
func TestIsolationAndVersions(t *testing.T) {
	t.Parallel()
	h := setup(t)
	s := h.schedule(t, NewSchedule{Spec: "@hourly"})
	run := h.now(t)
	for name, try := range map[string]func() error{
		"task":      func() error { _, err := h.service.Task(h.ctx, h.stranger, h.task.ID); return err },
		"move":      func() error { _, err := h.service.MoveTask(h.ctx, h.stranger, h.task.ID, 0, TaskPause); return err },
		"run now":   func() error { _, err := h.service.RunNow(h.ctx, h.stranger, h.task.ID); return err },
		"reconcile": func() error { _, err := h.service.Reconcile(h.ctx, h.stranger, h.task.ID); return err },
		"run":       func() error { _, err := h.service.Run(h.ctx, h.stranger, run); return err },
		"schedule":  func() error { _, err := h.service.Schedule(h.ctx, h.stranger, s.ID); return err },
		"pause":     func() error { _, err := h.service.PauseSchedule(h.ctx, h.stranger, s.ID, 0); return err },
		"fires":     func() error { _, _, err := h.service.Fires(h.ctx, h.stranger, s.ID, db.Page{}); return err },
		"create": func() error {
			_, err := h.service.CreateTask(h.ctx, h.stranger, NewTask{ResourceID: h.resource.ID})
			return err
		},
		"comparisons": func() error {
			_, _, err := h.service.Reconciliations(h.ctx, h.stranger, ReconciliationFilter{ResourceID: h.resource.ID}, db.Page{})
			return err
		},
	} {
		if err := try(); !fault.Is(err, fault.NotFound) {
			t.Errorf("%s: got %v, want not found", name, err)
		}
	}
	tasks, _, err := h.service.Tasks(h.ctx, h.stranger, TaskFilter{}, db.Page{})
	runs, _, err2 := h.service.Runs(h.ctx, h.stranger, RunFilter{}, db.Page{})
	if err != nil || err2 != nil || len(tasks) != 0 || len(runs) != 0 {
		t.Errorf("a stranger sees %v %v, %v %v", tasks, runs, err, err2)
	}
	tasks, _, err = h.service.Tasks(h.ctx, h.platform, TaskFilter{}, db.Page{})
	runs, _, err2 = h.service.Runs(h.ctx, h.operator, RunFilter{TaskID: &h.task.ID}, db.Page{})
	if err != nil || err2 != nil || len(tasks) != 1 || len(runs) != 1 {
		t.Errorf("got %v %v, %v %v", tasks, runs, err, err2)
	}
	_, err = h.service.CreateTask(h.ctx, h.operator, NewTask{ResourceID: h.resource.ID})
	wantCode(t, err, fault.Conflict, "task_exists")
	_, err = h.service.CreateTask(h.ctx, h.operator, NewTask{ResourceID: h.resource.ID, Kind: Deliver})
	wantCode(t, err, fault.Invalid, "kind_not_available")
	_, err = h.service.MoveTask(h.ctx, h.operator, h.task.ID, 7, TaskPause)
	wantCode(t, err, fault.Precondition, "version_mismatch")
	disabled, err := h.service.MoveTask(h.ctx, h.operator, h.task.ID, 1, TaskDisable)
	if err != nil || disabled.State != TaskDisabled || disabled.RowVersion != 2 || h.run(t, run).State != Cancelled {
		t.Fatalf("got %+v, %v", disabled, err)
	}
	_, err = h.service.RunNow(h.ctx, h.operator, h.task.ID)
	wantCode(t, err, fault.Conflict, "illegal_move")
	h.back(t, s.ID, time.Second)
	h.tick(t)
	if fires := h.ledger(t, s.ID); len(fires) != 1 || fires[0].Outcome != FireSkipped || fires[0].RunID != nil {
		t.Errorf("got %+v", fires)
	}
}

// What is written of a run is what is read of it.
func TestRowsRoundTrip(t *testing.T) {
	t.Parallel()
	h := setupWith(t, thing, func(*catalog.MountInput) {})
	h.start(t, processOptions{})
	h.sql(t, `INSERT INTO thing VALUES ('1', '330602', '甲', NULL, 1)`)
	r := h.collected(t, store.Counts{Read: 1, Inserted: 1})
	again, err := h.service.Run(h.ctx, h.operator, r.ID)
	if err != nil || again.TaskID != h.task.ID || again.ResourceID != h.resource.ID || again.Kind != RunCollect || again.Trigger != ByRequest ||
		again.RequestedBy != h.operator.ID.String() || again.Attempt != 1 || again.NodeID == nil || again.StartedAt == nil || again.MergedAt == nil ||
		again.FinishedAt == nil || again.Stage != "reconcile" || again.Progress.Read != 1 || again.Priority != 5 {
		t.Fatalf("got %+v, %v", again, err)
	}
	task, err := h.service.Task(h.ctx, h.operator, h.task.ID)
	if err != nil || task != h.task {
		t.Errorf("task: got %+v, want %+v, %v", task, h.task, err)
	}
}
