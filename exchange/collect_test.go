package exchange

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/authz/authztest"
	"github.com/shuqiao/shuqiao/catalog"
	"github.com/shuqiao/shuqiao/exchange/engine"
	"github.com/shuqiao/shuqiao/exchange/store"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// A first load and the runs behind it carry inserts, updates, deletes, wrong rows and their correction, and the counts
// balance each time.
func TestCollect(t *testing.T) {
	t.Parallel()
	h := setup(t)
	h.start(t, processOptions{})
	h.sql(t, `INSERT INTO thing VALUES ('1', '330602', '甲', '2001-02-03', 1.5), ('2', '330602', '乙', '20010203', 2), ('3', '330603', '丙', NULL, NULL)`)
	r := h.collected(t, store.Counts{Read: 3, Inserted: 3})
	if r.Hashes.Source == nil || r.Hashes.Store == nil || *r.Hashes.Source != *r.Hashes.Store || r.Hashes.Store.Count != 3 {
		t.Errorf("hashes: %+v", r.Hashes)
	}
	h.collected(t, store.Counts{Read: 3, Unchanged: 3})

	// 1 changes, 2 goes, 4 comes, 3 gets an impossible date: its last good row stays, held.
	h.sql(t, `UPDATE thing SET title = '甲甲' WHERE no = '1'; DELETE FROM thing WHERE no = '2';
		INSERT INTO thing VALUES ('4', '330604', '丁', '2001-01-01', 0), ('5', '330604', '戊', '2001-02-30', 0), (NULL, '330604', '己', NULL, 0);
		UPDATE thing SET born = '2001-13-01', title = '不可见' WHERE no = '3'`)
	bad := h.collected(t, store.Counts{Read: 5, Inserted: 1, Updated: 1, Rejected: 3, Deleted: 1, Held: 1})
	if diff := cmp.Diff(map[string]string{"1": "甲甲", "3": "丙*", "4": "丁"}, h.titles(t)); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
	fresh, err := h.service.Freshness(h.ctx, h.resource.ID)
	if err != nil || fresh.ArrivedAt == nil || fresh.Rows != 3 || fresh.Held != 1 || fresh.RejectsOpen != 3 || fresh.Equal == nil || !*fresh.Equal {
		t.Errorf("freshness: %+v, %v", fresh, err)
	}
	h.rejects(t, bad)

	// Corrected at the source, the next run clears the rejects.
	h.sql(t, `UPDATE thing SET born = '2001-12-01' WHERE no = '3'; UPDATE thing SET born = '2001-02-28' WHERE no = '5'; DELETE FROM thing WHERE no IS NULL`)
	h.collected(t, store.Counts{Read: 4, Inserted: 1, Updated: 1, Unchanged: 2})
	state := RejectCorrected
	corrected, _, err := h.service.Rejects(h.ctx, h.operator, RejectFilter{ResourceID: h.resource.ID, State: &state}, db.Page{})
	if err != nil || len(corrected) != 3 {
		t.Errorf("corrected: %+v, %v", corrected, err)
	}
}

// rejects checks what the people of the provider, and only they, see of three refused rows.
func (h *hub) rejects(t *testing.T, run Run) {
	t.Helper()
	list, next, err := h.service.Rejects(h.ctx, h.operator, RejectFilter{ResourceID: h.resource.ID, RunID: &run.ID}, db.Page{})
	if err != nil || len(list) != 3 || next != "" {
		t.Fatalf("rejects: %+v %q, %v", list, next, err)
	}
	codes := map[string]string{}
	for _, j := range list {
		key := "-"
		if j.Key != nil {
			key = *j.Key
		}
		codes[key] = j.Reasons[0].Code
		row, err := h.service.RejectedRow(h.ctx, h.admin, j.ID)
		if err != nil || row.Row["division"] == nil {
			t.Errorf("opening %s: %+v, %v", key, row, err)
		}
		_, err = h.service.RejectedRow(h.ctx, h.stranger, j.ID)
		wantCode(t, err, fault.NotFound, "not_found")
	}
	if diff := cmp.Diff(map[string]string{"3": "impossible_date", "5": "impossible_date", "-": "key_missing"}, codes); diff != "" {
		t.Errorf("reasons (-want +got):\n%s", diff)
	}
	var opened int
	if err := h.db.Pool.QueryRow(h.ctx, "SELECT count(*) FROM event WHERE action = 'reject.read' AND outcome = 'ok'").Scan(&opened); err != nil || opened != 3 {
		t.Errorf("evidence of opened rows: %d, %v", opened, err)
	}
	_, _, err = h.service.Rejects(h.ctx, h.stranger, RejectFilter{ResourceID: h.resource.ID}, db.Page{})
	wantCode(t, err, fault.NotFound, "not_found")
	// The authority sees runs, not refused rows.
	_, _, err = h.service.Rejects(h.ctx, h.platform, RejectFilter{ResourceID: h.resource.ID}, db.Page{})
	wantCode(t, err, fault.Forbidden, "forbidden")
}

// Pages of a list hold every entry once.
func TestRejectPages(t *testing.T) {
	t.Parallel()
	h := setup(t)
	h.start(t, processOptions{})
	h.sql(t, `INSERT INTO thing SELECT n::text, '330602', '甲', 'x', 1 FROM generate_series(1, 7) n`)
	h.collected(t, store.Counts{Read: 7, Rejected: 7})
	seen := map[int64]bool{}
	page := db.Page{Limit: 3}
	for {
		list, next, err := h.service.Rejects(h.ctx, h.operator, RejectFilter{ResourceID: h.resource.ID}, page)
		if err != nil {
			t.Fatal(err)
		}
		for _, j := range list {
			if seen[j.RowNo] {
				t.Errorf("row %d twice", j.RowNo)
			}
			seen[j.RowNo] = true
		}
		if next == "" {
			break
		}
		page.Cursor = next
	}
	if len(seen) != 7 {
		t.Errorf("got %d of 7", len(seen))
	}
}

// A key that occurs twice in one read is rejected in all its rows, and the stored row is held.
func TestDuplicateKeysAreHeld(t *testing.T) {
	t.Parallel()
	h := setup(t)
	h.start(t, processOptions{})
	h.sql(t, `INSERT INTO thing VALUES ('1', '330602', '甲', NULL, 1), ('2', '330602', '乙', NULL, 2)`)
	h.collected(t, store.Counts{Read: 2, Inserted: 2})
	h.sql(t, `INSERT INTO thing VALUES ('1', '330602', '另', NULL, 1)`)
	h.collected(t, store.Counts{Read: 3, Unchanged: 1, Rejected: 2, Held: 1})
	if diff := cmp.Diff(map[string]string{"1": "甲*", "2": "乙"}, h.titles(t)); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
}

// With an order column the last row of a key wins and the others count as superseded; a mount's filter drops rows before
// they count as present.
func TestOrderColumnAndRowFilter(t *testing.T) {
	t.Parallel()
	h := setupWith(t, thing, func(in *catalog.MountInput) {
		in.OrderColumn = "stamp"
		in.RowFilter = []byte(`{"op":"eq","item":"division","value":"330602"}`)
	})
	h.start(t, processOptions{})
	h.sql(t, `INSERT INTO thing VALUES ('1', '330602', '旧', NULL, 1, '2026-01-01'), ('1', '330602', '新', NULL, 1, '2026-01-02'), ('2', '330603', '外', NULL, 2, now())`)
	h.collected(t, store.Counts{Read: 3, Inserted: 1, Superseded: 1, Filtered: 1})
	if diff := cmp.Diff(map[string]string{"1": "新"}, h.titles(t)); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
}

// waits compares how many runs of each kind wait for somebody with what is wanted, and with the lengths of the lists.
func waits(t *testing.T, h *hub, p authz.Principal, want map[TodoKind]int64) {
	t.Helper()
	got, err := h.service.CountTodo(h.ctx, p)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("what waits (-want +got):\n%s", diff)
	}
	for kind, n := range got {
		all, _, err := h.service.ListTodo(h.ctx, p, kind, db.Page{})
		if err != nil || int64(len(all)) != n {
			t.Errorf("the list of %s has %d, %v; want %d", kind, len(all), err, n)
		}
	}
}

// Too many deletes fail the run and change nothing, until somebody confirms exactly that run.
func TestDeleteGuardAndConfirm(t *testing.T) {
	t.Parallel()
	h := setup(t)
	h.start(t, processOptions{})
	h.sql(t, `INSERT INTO thing SELECT n::text, '330602', '甲', NULL, n FROM generate_series(1, 300) n`)
	h.collected(t, store.Counts{Read: 300, Inserted: 300})
	h.sql(t, `DELETE FROM thing WHERE amount > 100`)
	refused := h.collect(t)
	failed(t, refused, engine.StageMerge, engine.SideHub, "delete_guard")
	if n := len(h.titles(t)); n != 300 || refused.Error.Detail["deletes"] != "200" || !refused.NeedsConfirmation() || refused.Failures != 1 {
		t.Fatalf("%d rows after %+v", n, refused.Error)
	}
	if q, err := h.service.Queue(h.ctx); err != nil || q != (Queue{Unconfirmed: 1}) {
		t.Errorf("queue: got %+v, %v", q, err)
	}
	waits(t, h, h.admin, map[TodoKind]int64{TodoConfirm: 1, TodoFailed: 0})
	waits(t, h, h.operator, map[TodoKind]int64{TodoFailed: 0})
	waits(t, h, h.stranger, map[TodoKind]int64{TodoConfirm: 0, TodoFailed: 0})
	_, err := h.service.ConfirmDeletes(h.ctx, h.stranger, refused.ID)
	wantCode(t, err, fault.NotFound, "not_found")
	_, err = h.service.ConfirmDeletes(h.ctx, h.operator, refused.ID)
	wantCode(t, err, fault.Forbidden, "forbidden")
	confirmed, err := h.service.ConfirmDeletes(h.ctx, h.admin, refused.ID)
	if err != nil {
		t.Fatal(err)
	}
	done := h.final(t, confirmed.ID)
	waits(t, h, h.admin, map[TodoKind]int64{TodoConfirm: 0, TodoFailed: 0})
	if done.State != Succeeded || done.Counts.Deleted != 200 || done.Trigger != ByConfirm || done.OfRun == nil || *done.OfRun != refused.ID {
		t.Fatalf("got %+v", done)
	}
	_, err = h.service.ConfirmDeletes(h.ctx, h.admin, refused.ID)
	wantCode(t, err, fault.Conflict, "run_outdated")
	_, err = h.service.ConfirmDeletes(h.ctx, h.admin, done.ID)
	wantCode(t, err, fault.Conflict, "illegal_move")
}

// A source that changed its shape fails the run with stage, side and advice, and the last good data stay. The department finds a
// draft begun for the change; when the source is as it was, runs go on by themselves.
func TestSchemaDrift(t *testing.T) {
	t.Parallel()
	h := setup(t)
	h.start(t, processOptions{})
	h.sql(t, `INSERT INTO thing VALUES ('1', '330602', '甲', NULL, 1)`)
	h.collected(t, store.Counts{Read: 1, Inserted: 1})
	before, err := h.catalog.ActiveMount(h.ctx, h.resource.ID)
	if err != nil {
		t.Fatal(err)
	}
	open := func(state string) []catalog.Drift {
		t.Helper()
		found, _, err := h.catalog.Drifts(h.ctx, h.operator, catalog.DriftFilter{ResourceID: h.resource.ID, State: state}, db.Page{})
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
	for _, drift := range []struct {
		name, sql, undo, code string
		kind                  catalog.DriftKind
	}{
		{"renamed column", `ALTER TABLE thing RENAME COLUMN title TO caption`, `ALTER TABLE thing RENAME COLUMN caption TO title`, "source_column_missing", catalog.DriftRenamed},
		{"other type", `ALTER TABLE thing ALTER COLUMN amount TYPE text`, `ALTER TABLE thing ALTER COLUMN amount TYPE numeric(12,3) USING amount::numeric`, "schema_changed", catalog.DriftRetyped},
		{"table gone", `ALTER TABLE thing RENAME TO other`, `ALTER TABLE other RENAME TO thing`, "source_object_missing", catalog.DriftGone},
	} {
		h.sql(t, drift.sql)
		r := h.collect(t)
		failed(t, r, engine.StageRead, engine.SideSource, drift.code)
		if r.Attempt != 1 || r.Stage != engine.StageRead || r.Error.Advice == "" {
			t.Errorf("%s: %d attempts, stage %q, advice %q", drift.name, r.Attempt, r.Stage, r.Error.Advice)
		}
		if diff := cmp.Diff(map[string]string{"1": "甲"}, h.titles(t)); diff != "" {
			t.Errorf("rows (-want +got):\n%s", diff)
		}
		found := open("breaking")
		if len(found) != 1 || found[0].Kind != drift.kind || found[0].DraftVersion != 2 {
			t.Fatalf("%s: got %+v", drift.name, found)
		}
		failed(t, h.collect(t), engine.StageRead, engine.SideSource, drift.code)
		if again := open("breaking"); len(again) != 1 || again[0].ID != found[0].ID || !again[0].LastSeen.After(found[0].LastSeen) {
			t.Errorf("%s: the finding goes on as %+v", drift.name, again)
		}
		h.sql(t, drift.undo)
		h.collected(t, store.Counts{Read: 1, Unchanged: 1})
		if left := open("open"); len(left) != 0 {
			t.Errorf("%s: left %+v", drift.name, left)
		}
	}
	mount, err := h.catalog.ActiveMount(h.ctx, h.resource.ID)
	if err != nil || mount.ID != before.ID || mount.RowVersion != before.RowVersion {
		t.Errorf("the mount is %+v, %v", mount, err)
	}
	if found := open("resolved"); len(found) != 3 {
		t.Errorf("kept: %+v", found)
	}
	h.sql(t, `ALTER TABLE thing ADD COLUMN extra int`)
	h.collected(t, store.Counts{Read: 1, Unchanged: 1})
	if found := open("open"); len(found) != 1 || found[0].Kind != catalog.DriftAdded || found[0].Breaks {
		t.Errorf("a new column: %+v", found)
	}
}

// A source that is down is tried again, then fails the run; nothing is lost.
func TestSourceDown(t *testing.T) {
	t.Parallel()
	h := setup(t)
	h.start(t, processOptions{})
	h.sql(t, `INSERT INTO thing VALUES ('1', '330602', '甲', NULL, 1)`)
	h.collected(t, store.Counts{Read: 1, Inserted: 1})
	before := h.settings(t, "postgres://nobody:example@127.0.0.1:1/none")
	r := h.collect(t)
	failed(t, r, engine.StageRead, engine.SideSource, "source_down")
	if r.Attempt != maxFailures || r.Failures != maxFailures {
		t.Errorf("%d attempts, %d failures, want %d", r.Attempt, r.Failures, maxFailures)
	}
	if diff := cmp.Diff(map[string]string{"1": "甲"}, h.titles(t)); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
	h.settings(t, before)
	h.collected(t, store.Counts{Read: 1, Unchanged: 1})
}

// settings points the source elsewhere and returns the address of the department's database.
func (h *hub) settings(t *testing.T, dsn string) string {
	t.Helper()
	if _, err := h.catalog.UpdateSource(h.ctx, h.operator, h.sourceID, 0, catalog.SourceInput{Name: "示例库", Driver: "postgres", Settings: map[string]string{"dsn": dsn}}); err != nil {
		t.Fatal(err)
	}
	return h.source.Config().ConnString()
}

// A comparison with a fresh read proves equality, names what differs, and a repair mends it.
func TestReconcileAndRepair(t *testing.T) {
	t.Parallel()
	h := setup(t)
	h.start(t, processOptions{})
	h.sql(t, `INSERT INTO thing SELECT '3306020000' || n, '330602', '甲', NULL, n FROM generate_series(1, 9) n`)
	h.collected(t, store.Counts{Read: 9, Inserted: 9})
	reconcile := func() (Run, Reconciliation) {
		t.Helper()
		r, err := h.service.Reconcile(h.ctx, h.operator, h.task.ID)
		if err != nil {
			t.Fatal(err)
		}
		r = h.final(t, r.ID)
		list, _, err := h.service.Reconciliations(h.ctx, h.platform, ReconciliationFilter{ResourceID: h.resource.ID, RunID: &r.ID}, db.Page{})
		if err != nil || len(list) != 1 {
			t.Fatalf("got %+v, %v", list, err)
		}
		return r, list[0]
	}
	r, c := reconcile()
	if r.State != Succeeded || !c.Equal || !c.Fresh || c.SourceRows != 9 || c.SourceHash != c.StoreHash {
		t.Fatalf("got %s, %+v", r.State, c)
	}
	h.sql(t, `UPDATE thing SET title = '乙' WHERE amount = 1; DELETE FROM thing WHERE amount = 2; INSERT INTO thing VALUES ('33060200010', '330602', '新', NULL, 10)`)
	r, c = reconcile()
	want := []Difference{{"changed", "33*******01"}, {"extra", "33*******02"}, {"missing", "33*******10"}}
	if r.State != Partial || c.Equal || c.Changed != 1 || c.Extra != 1 || c.Missing != 1 {
		t.Fatalf("got %s, %+v", r.State, c)
	}
	if diff := cmp.Diff(want, c.Differences); diff != "" {
		t.Errorf("differences (-want +got):\n%s", diff)
	}
	repair, err := h.service.RepairRun(h.ctx, h.operator, h.task.ID)
	if err != nil {
		t.Fatal(err)
	}
	if done := h.final(t, repair.ID); done.State != Succeeded || done.Trigger != ByRepair {
		t.Fatalf("got %+v", done)
	}
	if r, _ = reconcile(); r.State != Succeeded {
		t.Fatalf("after the repair: %+v", r)
	}
}

// What a rule no longer allows is not collected.
func TestPolicyStopsCollecting(t *testing.T) {
	t.Parallel()
	h := setup(t)
	h.start(t, processOptions{})
	h.sql(t, `INSERT INTO thing VALUES ('1', '330602', '甲', NULL, 1)`)
	h.exec(t, "WITH n AS (UPDATE policy_head SET n = n + 1 RETURNING n), l AS (INSERT INTO policy_log (n, kind, id) SELECT n, 'rule', 'x' FROM n) DELETE FROM policy_rule WHERE id = 'hub-collect-conditional'")
	if err := authztest.Sync(h.ctx, h.node.Follower); err != nil {
		t.Fatal(err)
	}
	failed(t, h.collect(t), engine.StageRead, engine.SideHub, "forbidden")
	if rows := h.titles(t); len(rows) != 0 {
		t.Errorf("rows arrived: %v", rows)
	}
}
