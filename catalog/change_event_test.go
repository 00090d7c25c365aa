package catalog_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/authz/authztest"
	"github.com/shuqiao/shuqiao/catalog"
	"github.com/shuqiao/shuqiao/catalog/calendar"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
)

var newDuty = catalog.NewChange{Cause: catalog.CauseDuty, Detail: "示例职责划转,增加一个信息项", HappenedOn: "2026-09-24"}

// The update is due on the 10th working day after the change, the authority's consent adds 5, the authority's own clock starts
// when it has the update and stops when it sends it back, and publication ends both.
func TestChangeClock(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := b.publish(t, small("时钟"))
	c := ok(b.service.RecordChange(b.ctx, b.operator, r.ID, newDuty))
	if got := shanghai(c.DueAt); got != "2026-10-15 23:59:59" || c.Provisional || c.State != catalog.ChangeOpen {
		t.Fatalf("due %s (provisional %t) in %s", got, c.Provisional, c.State)
	}
	if diff := cmp.Diff([]catalog.ChangeStep{catalog.ChangeWithdraw}, c.Acts); diff != "" {
		t.Errorf("the department can do (-want +got):\n%s", diff)
	}
	c = ok(b.service.ExtendChange(b.ctx, b.platform, c.ID, c.RowVersion, "涉及多个系统联调"))
	if got := shanghai(c.DueAt); got != "2026-10-22 23:59:59" || c.Extension == nil || c.Extension.Days != 5 || c.Extension.By != b.platform.ID {
		t.Errorf("extended to %s: %+v", got, c.Extension)
	}
	_, err := b.service.ExtendChange(b.ctx, b.platform, c.ID, 0, "再延一次")
	wantCode(t, err, fault.Conflict, "already_extended")
	_, err = b.service.ExtendChange(b.ctx, b.platform, c.ID, c.RowVersion-1, "再延一次")
	wantCode(t, err, fault.Precondition, "version_mismatch")

	if _, err := b.service.StartVersion(b.ctx, b.operator, r.ID, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := b.service.EditDraft(b.ctx, b.operator, r.ID, 0, small("时钟")); err != nil {
		t.Fatal(err)
	}
	state := func() catalog.ChangeEvent { return ok(b.service.ChangeEvent(b.ctx, b.operator, c.ID)) }
	steps := []struct {
		do   func() (catalog.Resource, error)
		want catalog.ChangeState
	}{
		{func() (catalog.Resource, error) { return b.service.Submit(b.ctx, b.operator, r.ID, 0) }, catalog.ChangeOpen},
		{func() (catalog.Resource, error) { return b.service.Approve(b.ctx, b.admin, r.ID, 0) }, catalog.ChangeSubmitted},
		{func() (catalog.Resource, error) {
			return b.service.Return(b.ctx, b.platform, r.ID, 0, "请补充", "items", "grade")
		}, catalog.ChangeOpen},
		{func() (catalog.Resource, error) { return b.service.Submit(b.ctx, b.operator, r.ID, 0) }, catalog.ChangeOpen},
		{func() (catalog.Resource, error) { return b.service.Approve(b.ctx, b.admin, r.ID, 0) }, catalog.ChangeSubmitted},
		{func() (catalog.Resource, error) { return b.service.Publish(b.ctx, b.platform, r.ID, 0) }, catalog.ChangeDone},
	}
	for i, s := range steps {
		if _, err := s.do(); err != nil {
			t.Fatalf("step %d: %v", i, err)
		}
		now := state()
		if now.State != s.want {
			t.Fatalf("step %d: the change is %s, want %s", i, now.State, s.want)
		}
		if received := s.want == catalog.ChangeSubmitted; received != (now.ReviewDueAt != nil && now.ClosedAt == nil) {
			t.Errorf("step %d: the authority's clock is %v", i, now.ReviewDueAt)
		}
		if !now.DueAt.Equal(c.DueAt) {
			t.Errorf("step %d moved the limit to %v", i, now.DueAt)
		}
	}
	if done := state(); done.Version != 2 || done.ClosedAt == nil || done.Light != catalog.LightNone || len(done.Acts) != 0 {
		t.Errorf("after publication: %+v", done)
	}
	history, err := b.service.History(b.ctx, b.admin, r.ID)
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range history {
		if h.Step == catalog.StepReturn && string(h.Document) != `{"codes": ["items", "grade"], "round": 1}` {
			t.Errorf("the history keeps of the return %s", h.Document)
		}
	}
}

// Every pair of state and step of a change event does what the table of moves says.
func TestChangeStateAndStep(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := b.publish(t, small("变更状态"))
	for _, state := range catalog.ChangeStates() {
		for step, do := range map[catalog.ChangeStep]func(catalog.ChangeEvent) (catalog.ChangeEvent, error){
			catalog.ChangeExtend: func(c catalog.ChangeEvent) (catalog.ChangeEvent, error) {
				return b.service.ExtendChange(b.ctx, b.platform, c.ID, 0, "联调")
			},
			catalog.ChangeWithdraw: func(c catalog.ChangeEvent) (catalog.ChangeEvent, error) {
				return b.service.WithdrawChange(b.ctx, b.operator, c.ID, 0, "经核实无需更新")
			},
		} {
			c := ok(b.service.RecordChange(b.ctx, b.admin, r.ID, newDuty))
			if _, err := b.db.Pool.Exec(b.ctx, "UPDATE change_event SET state = $2 WHERE id = $1", c.ID, string(state)); err != nil {
				t.Fatal(err)
			}
			want := catalog.ChangeState("")
			for _, m := range catalog.ChangeMoves() {
				if m.From == state && m.Step == step {
					want = m.To
				}
			}
			after, err := do(c)
			if want == "" {
				wantCode(t, err, fault.Conflict, "illegal_move")
			} else if err != nil || after.State != want {
				t.Errorf("%s in %s: got %s, %v, want %s", step, state, after.State, err, want)
			}
		}
	}
}

// Who may say what about a change, and what is no change.
func TestChangeRights(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := b.publish(t, small("权限"))
	draft := ok(b.service.CreateResource(b.ctx, b.operator, small("草稿")))
	for name, p := range map[string]authz.Principal{"another department": b.marketOperator, "the authority": b.platform, "an auditor": authztest.Person(b.police.ID, authz.Auditor)} {
		if _, err := b.service.RecordChange(b.ctx, p, r.ID, newDuty); !fault.Is(err, fault.Forbidden) {
			t.Errorf("%s records a change: %v", name, err)
		}
	}
	_, err := b.service.RecordChange(b.ctx, b.operator, draft.ID, newDuty)
	wantCode(t, err, fault.Conflict, "entry_not_published")
	_, err = b.service.RecordChange(b.ctx, b.operator, r.ID, catalog.NewChange{Cause: "x", Detail: " ", HappenedOn: "2027-01-01"})
	wantFields(t, err, "cause not_choice", "detail required", "happened_on future_date")
	_, err = b.service.RecordChange(b.ctx, b.operator, r.ID, catalog.NewChange{Cause: catalog.CauseLaw, Detail: "a\x00b", HappenedOn: "2026-11-01"})
	wantFields(t, err, "detail bad_character")
	c := ok(b.service.RecordChange(b.ctx, b.operator, r.ID, newDuty))
	_, err = b.service.ChangeEvent(b.ctx, b.marketAdm, c.ID)
	wantCode(t, err, fault.NotFound, "not_found")
	_, err = b.service.ExtendChange(b.ctx, b.admin, c.ID, 0, "联调")
	wantCode(t, err, fault.Forbidden, "forbidden")
	_, err = b.service.WithdrawChange(b.ctx, b.platform, c.ID, 0, "无需更新")
	wantCode(t, err, fault.Forbidden, "forbidden")
	_, err = b.service.WithdrawChange(b.ctx, b.operator, c.ID, 0, " ")
	wantFields(t, err, "reason required")
}

// The list shows the most urgent first with its light, narrows to what is late, pages without gaps, and belongs to the
// department and the authority.
func TestChangeList(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := b.publish(t, small("清单"))
	now := time.Now()
	for i, moments := range [][3]time.Duration{ // warn, due, red
		{-4, -3, -2}, {-3, -2, 1}, {-1, 1, 2}, {1, 2, 3},
	} {
		c := ok(b.service.RecordChange(b.ctx, b.operator, r.ID, newDuty))
		_, err := b.db.Pool.Exec(b.ctx, "UPDATE change_event SET warn_at = $2, due_at = $3, red_at = $4 WHERE id = $1", c.ID,
			now.Add(moments[0]*time.Hour), now.Add(moments[1]*time.Hour), now.Add(moments[2]*time.Hour))
		if err != nil {
			t.Fatalf("change %d: %v", i, err)
		}
	}
	lights := func(p authz.Principal, f catalog.ChangeFilter) (out []catalog.Light) {
		page := db.Page{Limit: 1}
		for {
			some, next, err := b.service.ChangeEvents(b.ctx, p, f, page)
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range some {
				out = append(out, c.Light)
			}
			if page.Cursor = next; next == "" {
				return out
			}
		}
	}
	all := []catalog.Light{catalog.LightRed, catalog.LightYellow, catalog.LightWarn, catalog.LightNormal}
	for name, tt := range map[string]struct {
		p    authz.Principal
		f    catalog.ChangeFilter
		want []catalog.Light
	}{
		"own":        {b.operator, catalog.ChangeFilter{}, all},
		"all":        {b.platform, catalog.ChangeFilter{Running: true}, all},
		"another's":  {b.marketAdm, catalog.ChangeFilter{}, nil},
		"late":       {b.admin, catalog.ChangeFilter{Late: true}, all[:2]},
		"done":       {b.platform, catalog.ChangeFilter{State: catalog.ChangeDone}, nil},
		"department": {b.platform, catalog.ChangeFilter{DepartmentID: b.market.ID}, nil},
		"resource":   {b.platform, catalog.ChangeFilter{ResourceID: r.ID}, all},
	} {
		if diff := cmp.Diff(tt.want, lights(tt.p, tt.f)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	want := catalog.ChangeCounts{Open: 4, Warn: 1, Late: 2}
	for p, want := range map[*authz.Principal]catalog.ChangeCounts{&b.admin: want, &b.platform: want, &b.marketAdm: {}} {
		if got := ok(b.service.CountChanges(b.ctx, *p)); got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
	}
	// What is revoked has nothing to follow any more.
	if _, err := b.service.TakeOffline(b.ctx, b.platform, r.ID, 0, "系统下线", offlineRequest); err != nil {
		t.Fatal(err)
	}
	if _, err := b.service.Revoke(b.ctx, b.platform, r.ID, 0, "职责调整"); err != nil {
		t.Fatal(err)
	}
	if got := ok(b.service.CountChanges(b.ctx, b.platform)); got != (catalog.ChangeCounts{}) {
		t.Errorf("after the revocation %+v wait", got)
	}
}

// An update under review shows until when the authority decides; a first version has no limit.
func TestReviewLimit(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := b.publish(t, small("更新"))
	if _, err := b.service.StartVersion(b.ctx, b.operator, r.ID, 0); err != nil {
		t.Fatal(err)
	}
	first := ok(b.service.CreateResource(b.ctx, b.operator, small("首次")))
	m := small("更新")
	if _, err := b.service.EditDraft(b.ctx, b.operator, r.ID, 0, m); err != nil {
		t.Fatal(err)
	}
	for _, id := range []catalog.Resource{r, first} {
		if _, err := b.service.Submit(b.ctx, b.operator, id.ID, 0); err != nil {
			t.Fatal(err)
		}
		if _, err := b.service.Approve(b.ctx, b.admin, id.ID, 0); err != nil {
			t.Fatal(err)
		}
	}
	waiting, _, err := b.service.ListTodo(b.ctx, b.platform, catalog.PlatformReview, "", db.Page{})
	if err != nil || len(waiting) != 2 {
		t.Fatalf("%d versions wait: %v", len(waiting), err)
	}
	for _, w := range waiting {
		if w.Update != (w.Name == "更新") || w.Update != (w.DueAt != nil) {
			t.Errorf("%s: update %t, due %v", w.Name, w.Update, w.DueAt)
		}
		if w.Update && !w.DueAt.After(w.Since.Add(24*time.Hour)) {
			t.Errorf("received %v, due %v", w.Since, w.DueAt)
		}
	}
}

// A changed calendar moves limits that wait to a later day and ends that they are provisional; nothing becomes earlier.
func TestChangesCountedAgain(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := b.publish(t, small("日历"))
	days, err := calendar.New()
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		shown, want string
		extended    bool
	}{
		{"2026-10-12 23:59:59", "2026-10-15 23:59:59", false},
		{"2026-10-20 23:59:59", "2026-10-20 23:59:59", false},
		{"2026-10-12 23:59:59", "2026-10-22 23:59:59", true},
	} {
		c := ok(b.service.RecordChange(b.ctx, b.operator, r.ID, newDuty))
		if tt.extended {
			c = ok(b.service.ExtendChange(b.ctx, b.platform, c.ID, 0, "联调"))
		}
		if _, err := b.db.Pool.Exec(b.ctx, "UPDATE change_event SET due_at = $2::timestamp AT TIME ZONE 'Asia/Shanghai', provisional = true WHERE id = $1", c.ID, tt.shown); err != nil {
			t.Fatal(err)
		}
		moved := 0
		err := b.db.InTx(b.ctx, func(tx *db.Tx) (err error) {
			moved, err = b.service.CountChangesAgainTx(b.ctx, tx, days, time.Now().AddDate(1, 0, 0))
			return err
		})
		after := ok(b.service.ChangeEvent(b.ctx, b.operator, c.ID))
		if got := shanghai(after.DueAt); err != nil || got != tt.want || after.Provisional || (moved == 1) != (tt.shown != tt.want) {
			t.Errorf("shown %s: now %s, provisional %t, %d moved, %v; want %s", tt.shown, got, after.Provisional, moved, err, tt.want)
		}
	}
}

// The authority's own clock, too, follows a changed calendar to a later day and never to an earlier one.
func TestReviewCountedAgain(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := b.publish(t, small("审核日历"))
	days, err := calendar.New()
	if err != nil {
		t.Fatal(err)
	}
	for shown, want := range map[string]string{"2026-10-13 23:59:59": "2026-10-14 23:59:59", "2026-10-16 23:59:59": "2026-10-16 23:59:59"} {
		c := ok(b.service.RecordChange(b.ctx, b.operator, r.ID, newDuty))
		if _, err := b.db.Pool.Exec(b.ctx, `
			UPDATE change_event SET state = 'submitted', version = 2, submitted_at = '2026-10-12 10:00+08',
				due_at = '2027-01-01', provisional = false, review_due_at = $2::timestamp AT TIME ZONE 'Asia/Shanghai' WHERE id = $1`, c.ID, shown); err != nil {
			t.Fatal(err)
		}
		moved := 0
		err := b.db.InTx(b.ctx, func(tx *db.Tx) (err error) {
			moved, err = b.service.CountChangesAgainTx(b.ctx, tx, days, time.Date(2026, 10, 1, 0, 0, 0, 0, time.UTC))
			return err
		})
		after := ok(b.service.ChangeEvent(b.ctx, b.operator, c.ID))
		if err != nil || after.ReviewDueAt == nil || shanghai(*after.ReviewDueAt) != want || (moved == 1) != (shown != want) {
			t.Errorf("shown %s: now %v, %d moved, %v; want %s", shown, after.ReviewDueAt, moved, err, want)
		}
		if _, err := b.db.Pool.Exec(b.ctx, "UPDATE change_event SET state = 'done' WHERE id = $1", c.ID); err != nil {
			t.Fatal(err)
		}
	}
}

func shanghai(t time.Time) string {
	return t.In(time.FixedZone("", 8*3600)).Format(time.DateTime)
}

// ok returns a value, and panics where there is none: the test that could not be prepared fails.
func ok[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
