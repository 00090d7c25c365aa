package identity_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/authz/authztest"
	"github.com/shuqiao/shuqiao/authz/identity"
	"github.com/shuqiao/shuqiao/internal/db"
)

// During an absence the deputy does the absent person's part of the to-do list by that person's roles, marked as done for them,
// and nothing else; it ends with the absence, with the absent person's role, and with their account.
func TestDeputy(t *testing.T) {
	t.Parallel()
	h := start(t)
	head, clerk := h.user(t, "head", h.water, authz.DeptAdmin), h.user(t, "clerk", h.water, authz.DeptOperator)
	token, _, err := h.SignIn(t.Context(), "clerk", password, home)
	if err != nil {
		t.Fatal(err)
	}
	may := func(action authz.Action) (bool, uuid.UUID) {
		t.Helper()
		if err := authztest.Sync(t.Context(), h.Follower); err != nil {
			t.Fatal(err)
		}
		p, err := h.Authenticate(t.Context(), token, home)
		if err != nil {
			t.Fatal(err)
		}
		d, err := h.Enforcer.Check(t.Context(), p, action, authz.Target{Kind: "request", Department: h.water})
		return err == nil, d.Principal().OnBehalfOf
	}
	want := func(what string, action authz.Action, allowed bool, forWhom uuid.UUID) {
		t.Helper()
		if got, whom := may(action); got != allowed || whom != forWhom {
			t.Errorf("%s: got %v for %v, want %v for %v", what, got, whom, allowed, forWhom)
		}
	}
	want("signing before the absence", authz.RequestSign, false, uuid.Nil)
	later := time.Now().Add(48 * time.Hour)
	d, err := h.SetDeputy(t.Context(), h.as(head), head.ID, clerk.ID, time.Now().Add(24*time.Hour), later)
	if err != nil {
		t.Fatal(err)
	}
	want("signing before it begins", authz.RequestSign, false, uuid.Nil)
	_, err = h.SetDeputy(t.Context(), h.as(head), head.ID, clerk.ID, time.Time{}, later)
	wantCode(t, "two deputies at a time", err, "deputy_overlaps")
	if err := h.EndDeputy(t.Context(), h.as(head), head.ID, d.ID); err != nil {
		t.Fatal(err)
	}
	wantCode(t, "ending it twice", h.EndDeputy(t.Context(), h.as(head), head.ID, d.ID), "illegal_move")
	if _, err = h.SetDeputy(t.Context(), h.as(h.first.SecurityAdmin), head.ID, clerk.ID, time.Time{}, later); err != nil {
		t.Fatal(err)
	}
	want("signing", authz.RequestSign, true, head.ID)
	want("what the clerk may do anyway", authz.RequestCreate, true, uuid.Nil)
	want("issuing keys, which is no part of the to-do list", authz.KeyIssue, false, uuid.Nil)
	if _, err := h.SetRoles(t.Context(), h.as(h.first.SecurityAdmin), head.ID, 0, []authz.Role{authz.DeptOperator}); err != nil {
		t.Fatal(err)
	}
	want("signing for somebody who may not any more", authz.RequestSign, false, uuid.Nil)
	if _, err := h.SetRoles(t.Context(), h.as(h.first.SecurityAdmin), head.ID, 0, []authz.Role{authz.DeptAdmin}); err != nil {
		t.Fatal(err)
	}
	want("signing again", authz.RequestSign, true, head.ID)
	if _, err := h.DisableUser(t.Context(), h.as(h.first.SystemAdmin), head.ID, 0); err != nil {
		t.Fatal(err)
	}
	want("signing for somebody who has left", authz.RequestSign, false, uuid.Nil)
	list, err := h.Deputies(t.Context(), h.as(clerk), clerk.ID)
	if err != nil || len(list) != 2 || list[0].EndedAt == nil || list[1].EndedAt == nil {
		t.Errorf("absences %+v, %v", list, err)
	}
}

// Deputies are people of one department, and the separation of the three administrators holds whoever names them.
func TestDeputiesRefused(t *testing.T) {
	t.Parallel()
	h := start(t)
	head, clerk, other := h.user(t, "head", h.water, authz.DeptAdmin), h.user(t, "clerk", h.water, authz.DeptOperator), h.user(t, "other", h.roads)
	later := time.Now().Add(time.Hour)
	for _, c := range []struct {
		name           string
		by             authz.Principal
		absent, deputy identity.User
		ends           time.Time
		want           string
	}{
		{"another department", h.as(head), head, other, later, "invalid"},
		{"oneself", h.as(head), head, head, later, "invalid"},
		{"an end before the start", h.as(head), head, clerk, time.Now().Add(-time.Hour), "invalid"},
		{"two years", h.as(head), head, clerk, time.Now().AddDate(2, 0, 0), "invalid"},
		{"a colleague's absence", h.as(clerk), head, clerk, later, "forbidden"},
		{"another department's head", h.admin(h.roads), head, clerk, later, "forbidden"},
		{"an administrator's absence", h.as(h.first.SystemAdmin), h.first.SystemAdmin, h.first.PlatformOperator, later, "deputy_exclusive"},
		{"an administrator as deputy", h.as(h.first.PlatformOperator), h.first.PlatformOperator, h.first.Auditor, later, "deputy_exclusive"},
		{"two administrators", h.as(h.first.SecurityAdmin), h.first.Auditor, h.first.SystemAdmin, later, "deputy_exclusive"},
		{"nobody", h.as(head), head, identity.User{ID: db.NewID()}, later, "invalid"},
	} {
		_, err := h.SetDeputy(t.Context(), c.by, c.absent.ID, c.deputy.ID, time.Time{}, c.ends)
		wantCode(t, c.name, err, c.want)
	}
	// Roles that come later end the absence: what was lawful must not become a way around.
	if _, err := h.SetDeputy(t.Context(), h.as(head), head.ID, clerk.ID, time.Time{}, later); err != nil {
		t.Fatal(err)
	}
	if _, err := h.SetRoles(t.Context(), h.as(h.first.SecurityAdmin), clerk.ID, 0, []authz.Role{authz.Auditor}); err != nil {
		t.Fatal(err)
	}
	if got := h.count(t, "SELECT count(*) FROM deputy WHERE ended_at IS NULL"); got != 0 {
		t.Errorf("%d absences are open", got)
	}
	// Even a principal that nobody should be able to be is refused by the enforcer.
	mixed := authztest.Person(h.water, authz.Auditor)
	mixed.StandIns = []authz.StandIn{{User: head.ID, Roles: []authz.Role{authz.DeptAdmin}}}
	if h.Enforcer.Allowed(mixed, authz.RequestSign, authz.Target{Kind: "request", Department: h.water}) {
		t.Error("an auditor signs as a deputy")
	}
	names, err := h.Colleagues(t.Context(), h.as(head))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, c := range names {
		got = append(got, c.Username)
	}
	if diff := cmp.Diff([]string{"head", "clerk"}, got); diff != "" && len(got) != 2 {
		t.Errorf("colleagues (-want +got):\n%s", diff)
	}
}

// A leaver's work goes to the person named, who must be of the same department and active; the report says what went where.
func TestLeave(t *testing.T) {
	t.Parallel()
	h := start(t)
	leaver, next, stranger := h.user(t, "leaver", h.water), h.user(t, "next", h.water), h.user(t, "stranger", h.roads)
	work := identity.Handed{Kind: "request", ID: db.NewID(), Title: "示例事项"}
	h.OnLeave(func(_ context.Context, _ *db.Tx, _ authz.Principal, from, to uuid.UUID) ([]identity.Handed, error) {
		if from != leaver.ID {
			t.Errorf("work of %v is passed on", from)
		}
		w := work
		w.To = &to
		return []identity.Handed{w}, nil
	})
	admin := h.as(h.first.SystemAdmin)
	_, err := h.Leave(t.Context(), admin, leaver.ID, 0, stranger.ID)
	wantCode(t, "somebody of another department", err, "invalid")
	_, err = h.Leave(t.Context(), admin, leaver.ID, 0, leaver.ID)
	wantCode(t, "the leaver", err, "invalid")
	if _, _, err := h.SignIn(t.Context(), "leaver", password, home); err != nil {
		t.Errorf("after refused attempts: %v", err)
	}
	work.To = &next.ID
	report, err := h.Leave(t.Context(), admin, leaver.ID, 0, next.ID)
	if err != nil || report.State != identity.Disabled || report.SessionsEnded != 1 {
		t.Fatalf("report %+v, %v", report, err)
	}
	if diff := cmp.Diff([]identity.Handed{work}, report.HandedOver); diff != "" {
		t.Errorf("handed over (-want +got):\n%s", diff)
	}
	kept, err := h.HandedOver(t.Context(), admin, leaver.ID)
	if diff := cmp.Diff([]identity.Handed{work}, kept); diff != "" || err != nil {
		t.Errorf("kept (-want +got):\n%s%v", diff, err)
	}
}
