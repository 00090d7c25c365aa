package exchange

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/shuqiao/shuqiao/catalog"
	"github.com/shuqiao/shuqiao/exchange/engine"
	"github.com/shuqiao/shuqiao/exchange/store"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// keyed is a department's table that can be read since a mark.
const keyed = `CREATE TABLE thing (no varchar(20) PRIMARY KEY, division varchar(6), title varchar(150), born varchar(20), amount numeric(12,3), stamp timestamptz DEFAULT clock_timestamp(), gone boolean)`

// A task becomes incremental, reads what changed, shows how deletes arrive, and reads everything again when it repairs.
func TestIncrementalTask(t *testing.T) {
	t.Parallel()
	h := setupWith(t, keyed, func(in *catalog.MountInput) {
		in.WatermarkColumn, in.DeleteRule = "stamp", catalog.DeleteSoft
		in.Deletes = &catalog.MountDeletes{Column: "gone", Values: []string{"true"}}
	})
	h.start(t, processOptions{})
	h.sql(t, `INSERT INTO thing SELECT n::text, '330602', '题' || n, NULL, 1, '2026-01-01'::timestamptz + n * interval '1 day' FROM generate_series(1, 9) n`)
	h.collected(t, store.Counts{Read: 9, Inserted: 9})
	_, err := h.service.EditTask(h.ctx, h.stranger, h.task.ID, 0, TaskInput{Mode: ModeIncremental})
	wantCode(t, err, fault.NotFound, "not_found")
	task, err := h.service.EditTask(h.ctx, h.operator, h.task.ID, h.task.RowVersion, TaskInput{Mode: ModeIncremental, Settings: Settings{OverlapSeconds: 3600}})
	if err != nil || task.Mode != ModeIncremental || task.Deletes != BySoftDelete || task.Settings.OverlapSeconds != 3600 || task.Priority != 5 {
		t.Fatalf("got %+v, %v", task, err)
	}
	_, err = h.service.EditTask(h.ctx, h.operator, h.task.ID, h.task.RowVersion, TaskInput{})
	wantCode(t, err, fault.Precondition, "version_mismatch")
	h.collected(t, store.Counts{Read: 9, Unchanged: 9})
	h.sql(t, `UPDATE thing SET title = '改', stamp = '2026-02-01Z' WHERE no = '3'; UPDATE thing SET gone = true, stamp = '2026-02-01Z' WHERE no = '4'`)
	h.collected(t, store.Counts{Read: 3, Updated: 1, Unchanged: 1, Filtered: 1, Deleted: 1})
	fresh, err := h.service.Freshness(h.ctx, h.resource.ID)
	if err != nil || fresh.Rows != 8 || fresh.Deletes != BySoftDelete || fresh.Watermark == nil || *fresh.Watermark != "2026-02-01T00:00:00Z" || fresh.ReadAt == nil || !*fresh.Equal {
		t.Errorf("freshness: %+v, %v", fresh, err)
	}
	repair, err := h.service.RepairRun(h.ctx, h.operator, h.task.ID)
	if err != nil {
		t.Fatal(err)
	}
	if r := h.final(t, repair.ID); r.State != Succeeded || r.Counts.Read != 9 {
		t.Errorf("repair: %+v", r)
	}
	check, err := h.service.Reconcile(h.ctx, h.operator, h.task.ID)
	if err != nil {
		t.Fatal(err)
	}
	if r := h.final(t, check.ID); r.State != Succeeded {
		t.Errorf("comparison: %+v %+v", r, r.Error)
	}
}

// What is stated about a task is judged before anything is kept, and a mount without a watermark column cannot be read since one.
func TestTaskSettings(t *testing.T) {
	t.Parallel()
	h := setup(t)
	for name, in := range map[string]TaskInput{
		"mode":                     {Mode: "sometimes"},
		"settings":                 {Settings: Settings{SweepSeconds: 60}},
		"settings.overlap_seconds": {Mode: ModeIncremental, Settings: Settings{OverlapSeconds: -1}},
		"settings.sweep_seconds":   {Mode: ModeIncremental, Settings: Settings{SweepSeconds: 59}},
		"priority":                 {Priority: 10},
	} {
		_, err := h.service.EditTask(h.ctx, h.operator, h.task.ID, 0, in)
		if f := fieldsOf(err); len(f) != 1 || f[0].Name != name {
			t.Errorf("%s: got %v", name, err)
		}
	}
	_, err := h.service.EditTask(h.ctx, h.operator, h.task.ID, 0, TaskInput{Mode: ModeIncremental})
	wantCode(t, err, fault.Conflict, "incremental_watermark")
	// A mount that is replaced behind the task's back is noticed by the run.
	h.exec(t, "UPDATE task SET mode = 'incremental'")
	h.start(t, processOptions{})
	failed(t, h.collect(t), engine.StageRead, engine.SideHub, "incremental_watermark")
}

// How deletes arrive follows from mode, settings and delete rule.
func TestArrival(t *testing.T) {
	t.Parallel()
	never := Settings{SweepSeconds: neverSweep}
	for _, c := range []struct {
		mode TaskMode
		set  Settings
		rule string
		want Arrival
	}{
		{ModeFull, Settings{}, "", ""},
		{ModeFull, Settings{}, catalog.DeleteMissing, ByRead},
		{ModeFull, Settings{}, catalog.DeleteTable, ByRead},
		{ModeFull, Settings{}, catalog.DeleteNone, NotCarried},
		{ModeIncremental, Settings{}, catalog.DeleteMissing, BySweep},
		{ModeIncremental, never, catalog.DeleteMissing, NotCarried},
		{ModeIncremental, never, catalog.DeleteSoft, BySoftDelete},
		{ModeIncremental, never, catalog.DeleteTable, ByTable},
		{ModeIncremental, Settings{}, catalog.DeleteNone, NotCarried},
	} {
		if got := arrival(c.mode, c.set, c.rule); got != c.want {
			t.Errorf("%+v: got %q", c, got)
		}
	}
}

// A refused row that was waived stays so while it is the same, opens anew when it changes and is still refused, and is corrected
// when it is accepted.
func TestWaiver(t *testing.T) {
	t.Parallel()
	h := setup(t)
	h.start(t, processOptions{})
	h.sql(t, `INSERT INTO thing VALUES ('1', '330602', '甲', '2001-02-30', 1), ('2', '330602', '乙', NULL, 1)`)
	h.collected(t, store.Counts{Read: 2, Inserted: 1, Rejected: 1})
	states := func() map[RejectState]int {
		out := map[RejectState]int{}
		list, _, err := h.service.Rejects(h.ctx, h.admin, RejectFilter{ResourceID: h.resource.ID}, db.Page{})
		if err != nil {
			t.Fatal(err)
		}
		for _, j := range list {
			out[j.State]++
		}
		return out
	}
	list, _, err := h.service.Rejects(h.ctx, h.admin, RejectFilter{ResourceID: h.resource.ID}, db.Page{})
	if err != nil || len(list) != 1 {
		t.Fatalf("got %+v, %v", list, err)
	}
	id := list[0].ID
	_, err = h.service.WaiveReject(h.ctx, h.stranger, id, "不归我管")
	wantCode(t, err, fault.NotFound, "not_found")
	_, err = h.service.WaiveReject(h.ctx, h.operator, id, "操作员不能决定")
	wantCode(t, err, fault.Forbidden, "forbidden")
	if _, err = h.service.WaiveReject(h.ctx, h.admin, id, " "); len(fieldsOf(err)) != 1 {
		t.Errorf("without a reason: %v", err)
	}
	j, err := h.service.WaiveReject(h.ctx, h.admin, id, "历史数据,无法更正")
	if err != nil || j.State != RejectWaived || j.Note == "" || j.ClosedAt == nil || h.events(t, "reject.waive", id) == 0 {
		t.Fatalf("got %+v, %v", j, err)
	}
	_, err = h.service.WaiveReject(h.ctx, h.admin, id, "再次")
	wantCode(t, err, fault.Conflict, "illegal_move")
	h.collected(t, store.Counts{Read: 2, Unchanged: 1, Rejected: 1})
	if diff := cmp.Diff(map[RejectState]int{RejectWaived: 1}, states()); diff != "" {
		t.Errorf("the same row (-want +got):\n%s", diff)
	}
	h.sql(t, `UPDATE thing SET born = '2001-02-31' WHERE no = '1'`)
	h.collected(t, store.Counts{Read: 2, Unchanged: 1, Rejected: 1})
	if diff := cmp.Diff(map[RejectState]int{RejectCorrected: 1, RejectOpen: 1}, states()); diff != "" {
		t.Errorf("another row (-want +got):\n%s", diff)
	}
	h.sql(t, `UPDATE thing SET born = NULL WHERE no = '1'`)
	h.collected(t, store.Counts{Read: 2, Inserted: 1, Unchanged: 1})
	if diff := cmp.Diff(map[RejectState]int{RejectCorrected: 2}, states()); diff != "" {
		t.Errorf("mended (-want +got):\n%s", diff)
	}
}

// Every pair of a reject's state and an action is either in the table or refused.
func TestEveryRejectStateAndAction(t *testing.T) {
	t.Parallel()
	want := map[RejectState]map[RejectAction]RejectState{
		RejectOpen:      {RejectWaive: RejectWaived, RejectCorrect: RejectCorrected},
		RejectWaived:    {RejectCorrect: RejectCorrected},
		RejectCorrected: {},
	}
	for from, actions := range want {
		for _, action := range []RejectAction{RejectWaive, RejectCorrect} {
			move, err := findRejectMove(from, action)
			to, allowed := actions[action]
			if allowed != (err == nil) || allowed && move.To != to {
				t.Errorf("%s %s: got %s, %v", from, action, move.To, err)
			}
		}
	}
	if len(RejectMoves()) != 3 {
		t.Errorf("got %v", RejectMoves())
	}
}
