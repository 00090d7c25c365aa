package sharing_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
	"github.com/shuqiao/shuqiao/sharing"
)

// told returns what a person's notices say, the newest first.
func (c *town) told(t *testing.T, p authz.Principal) (out []string) {
	t.Helper()
	cursor := ""
	for {
		all, next, err := c.svc.Notices(t.Context(), p, db.Page{Limit: 2, Cursor: cursor})
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range all {
			out = append(out, fmt.Sprintf("%s %s %s", n.Kind, n.Event, n.Side))
			if !slices.Contains(sharing.NoticeEvents()[n.Kind], n.Event) {
				t.Errorf("%s %s is not among the events", n.Kind, n.Event)
			}
			if n.Resource == "" || n.At.IsZero() {
				t.Errorf("a notice lacks its resource or time: %+v", n)
			}
		}
		if cursor = next; cursor == "" {
			return out
		}
	}
}

func (c *town) unread(t *testing.T, p authz.Principal) int {
	t.Helper()
	return must[int](t, "counting")(c.svc.CountUnread(t.Context(), p))
}

// Each side is told what others did, nobody what they did themselves, and no third department anything.
func TestNotices(t *testing.T) {
	t.Parallel()
	c := newTown(t)
	g := c.granted(t)
	must[sharing.Grant](t, "suspending")(c.svc.SuspendGrant(t.Context(), c.policeAdmin, g.ID, 0, "核查"))
	for _, tt := range []struct {
		who  string
		p    authz.Principal
		want []string
	}{
		{"the applicant", c.socialOperator, []string{"grant suspend consumer", "request approve consumer", "request accept consumer", "request sign consumer"}},
		{"who signed", c.socialAdmin, []string{"grant suspend consumer", "request approve consumer", "request accept consumer"}},
		{"who decided", c.policeAdmin, []string{"request accept provider"}},
		{"a colleague of who decided", c.policeOperator, []string{"grant suspend provider", "request accept provider"}},
		{"another department", c.civilOperator, nil},
	} {
		if diff := cmp.Diff(tt.want, c.told(t, tt.p)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.who, diff)
		}
		if n := c.unread(t, tt.p); n != len(tt.want) {
			t.Errorf("%s has %d unread, want %d", tt.who, n, len(tt.want))
		}
	}
	_, _, err := c.svc.Notices(t.Context(), c.auditor, db.Page{})
	wantCode(t, "an auditor", err, fault.Forbidden, "forbidden")
	if n := c.unread(t, c.auditor); n != 0 {
		t.Errorf("an auditor has %d unread", n)
	}

	// Reading is each person's own, never goes back, and leaves what came later.
	all, _, err := c.svc.Notices(t.Context(), c.socialOperator, db.Page{})
	if err != nil {
		t.Fatal(err)
	}
	for _, until := range []time.Time{all[1].At, all[3].At} {
		if err := c.svc.MarkNoticesRead(t.Context(), c.socialOperator, until); err != nil {
			t.Fatal(err)
		}
		if a, b := c.unread(t, c.socialOperator), c.unread(t, c.socialAdmin); a != 1 || b != 3 {
			t.Errorf("unread after reading: %d, want 1; of a colleague: %d, want 3", a, b)
		}
	}
	if err := c.svc.MarkNoticesRead(t.Context(), c.socialOperator, time.Now().AddDate(1, 0, 0)); err != nil {
		t.Fatal(err)
	}
	must[sharing.Grant](t, "resuming")(c.svc.ResumeGrant(t.Context(), c.policeAdmin, g.ID, 0, "核查完毕"))
	if n := c.unread(t, c.socialOperator); n != 1 {
		t.Errorf("what happens after everything was read: %d unread, want 1", n)
	}
}

// Consumers are told of a grant that soon ends and of new versions of what they use; providers of the reviews of their entries.
func TestNoticesOfGrantsAndEntries(t *testing.T) {
	t.Parallel()
	c := newTown(t)
	g := c.granted(t)
	c.exec(t, c.db, "UPDATE sharing_grant SET valid_from = now() - interval '40 days', valid_to = now() + interval '20 days' WHERE id = $1", g.ID)
	c.version(t, c.db, c.population, 2, "conditional", "L3", population())
	step := func(id uuid.UUID, version int, action string) {
		t.Helper()
		c.exec(t, c.db, `INSERT INTO resource_step (id, resource_id, version, action, from_state, to_state, actor_id, at)
			VALUES ($1, $2, $3, $4, '', '', $5, clock_timestamp())`, db.NewID(), id, version, action, c.operator.ID)
	}
	step(c.population, 2, "publish")
	step(c.streets, 1, "return") // Nobody uses it.
	want := []string{"resource publish consumer", "request approve consumer", "request accept consumer", "request sign consumer", "grant expiring consumer"}
	if diff := cmp.Diff(want, c.told(t, c.socialOperator)); diff != "" {
		t.Errorf("the consumer (-want +got):\n%s", diff)
	}
	want = []string{"resource return provider", "resource publish provider", "request accept provider"}
	if diff := cmp.Diff(want, c.told(t, c.policeAdmin)); diff != "" {
		t.Errorf("the provider (-want +got):\n%s", diff)
	}
	if got := c.told(t, c.civilAdmin); got != nil {
		t.Errorf("another department is told %v", got)
	}
}

// The counts of what waits are the lengths of the lists, for each person and kind, and a filter narrows a list.
func TestTodoListsAndCounts(t *testing.T) {
	t.Parallel()
	c := newTown(t)
	ctx := t.Context()
	for range 3 {
		c.signed(t)
	}
	c.inReview(t)
	c.inReview(t, c.forStreets)
	r := c.draft(t)
	must[sharing.Request](t, "submitting")(c.svc.Submit(ctx, c.socialOperator, r.ID, 0))
	r = c.inReview(t)
	must[sharing.Request](t, "supplementing")(c.svc.Supplement(ctx, c.operator, r.ID, 0, "缺依据"))
	want := map[string]map[sharing.TodoKind]int64{
		"social admin": {"sign": 1, "decide": 0}, "social operator": {"supplement": 1}, "police admin": {"sign": 0, "decide": 2},
		"operator": {"accept": 3}, "civil operator": {"supplement": 0}, "auditor": {},
	}
	for who, p := range map[string]authz.Principal{
		"social admin": c.socialAdmin, "social operator": c.socialOperator, "police admin": c.policeAdmin, "operator": c.operator,
		"civil operator": c.civilOperator, "auditor": c.auditor,
	} {
		counts := must[map[sharing.TodoKind]int64](t, "counting")(c.svc.CountTodo(ctx, p))
		if diff := cmp.Diff(want[who], counts); diff != "" {
			t.Errorf("%s (-want +got):\n%s", who, diff)
		}
		for _, kind := range sharing.TodoKinds() {
			seen, cursor := map[uuid.UUID]bool{}, ""
			for {
				all, next, err := c.svc.ListTodo(ctx, p, kind, sharing.RequestFilter{}, db.Page{Limit: 2, Cursor: cursor})
				if err != nil {
					t.Fatal(err)
				}
				for _, r := range all {
					seen[r.ID] = true
				}
				if cursor = next; cursor == "" {
					break
				}
			}
			if int64(len(seen)) != counts[kind] {
				t.Errorf("%s: the list of %s has %d, the count is %d", who, kind, len(seen), counts[kind])
			}
		}
	}
	for text, n := range map[string]int{"核验": 2, "100%": 0, "000002": 0} {
		all, _, err := c.svc.ListTodo(ctx, c.policeAdmin, sharing.TodoDecide, sharing.RequestFilter{Text: text}, db.Page{})
		if err != nil || len(all) != n {
			t.Errorf("%q narrows to %d, %v; want %d", text, len(all), err, n)
		}
	}
	all, _, err := c.svc.ListTodo(ctx, c.policeAdmin, sharing.TodoDecide, sharing.RequestFilter{Department: c.civil}, db.Page{})
	if err != nil || len(all) != 0 {
		t.Errorf("another department's requests: %d, %v", len(all), err)
	}
}

// What somebody did is listed with the request as it is now, newest first; what they may not see any more is left out.
func TestDone(t *testing.T) {
	t.Parallel()
	c := newTown(t)
	c.granted(t)
	r := c.draft(t)
	steps := func(p authz.Principal, step sharing.Step) (out []string) {
		t.Helper()
		all, _, err := c.svc.Done(t.Context(), p, step, db.Page{})
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range all {
			out = append(out, string(d.Step)+" "+string(d.Request.State))
		}
		return out
	}
	for _, tt := range []struct {
		p    authz.Principal
		step sharing.Step
		want []string
	}{
		{c.socialOperator, "", []string{"create draft", "submit approved", "create approved"}},
		{c.socialOperator, sharing.StepSubmit, []string{"submit approved"}},
		{c.socialAdmin, "", []string{"sign approved"}},
		{c.operator, "", []string{"accept approved"}},
		{c.policeAdmin, "", []string{"approve approved"}},
		{c.civilOperator, "", nil},
	} {
		if diff := cmp.Diff(tt.want, steps(tt.p, tt.step)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
	moved := c.socialOperator // To another department: the draft is not theirs to see any more.
	moved.Department = c.civil
	if got := steps(moved, ""); got != nil {
		t.Errorf("somebody who moved sees %v", got)
	}
	mine, _, err := c.svc.ListRequests(t.Context(), c.socialOperator, sharing.RequestFilter{Applicant: c.socialOperator.ID, State: sharing.RequestDraft}, db.Page{})
	if err != nil || len(mine) != 1 || mine[0].ID != r.ID {
		t.Errorf("my drafts: %v, %v", mine, err)
	}
	_, _, err = c.svc.Done(t.Context(), c.auditor, "", db.Page{})
	wantCode(t, "an auditor", err, fault.Forbidden, "forbidden")
}
