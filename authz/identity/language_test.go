package identity_test

import (
	"testing"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/audit"
	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/authz/identity"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// A person's language is told to every browser that signs in, and each change is an event.
func TestLanguage(t *testing.T) {
	t.Parallel()
	h := start(t)
	clerk := h.user(t, "clerk", h.water, authz.DeptOperator)
	said := func() identity.Language {
		t.Helper()
		_, session, err := h.SignIn(t.Context(), "clerk", password, home)
		if err != nil {
			t.Fatal(err)
		}
		return session.Language
	}
	if got := said(); got != "" {
		t.Errorf("before a choice: %q", got)
	}
	for _, l := range []identity.Language{identity.English, identity.English, identity.Chinese} {
		if err := h.SetLanguage(t.Context(), h.as(clerk), l); err != nil {
			t.Fatal(err)
		}
		if got := said(); got != l {
			t.Errorf("after choosing %q: %q", l, got)
		}
	}
	if err := h.SetLanguage(t.Context(), h.as(clerk), "xx"); !fault.Is(err, fault.Invalid) {
		t.Errorf("an unknown language: %v", err)
	}
	if err := h.SetLanguage(t.Context(), authz.Hub("test"), identity.English); err == nil {
		t.Error("the hub has a language")
	}
	u, err := h.User(t.Context(), h.as(clerk), clerk.ID)
	if err != nil || u.Language != identity.Chinese || u.RowVersion != clerk.RowVersion {
		t.Errorf("the account: %q, version %d, %v", u.Language, u.RowVersion, err)
	}
	action := "user.update"
	events, _, err := audit.NewLog(h.DB).Find(t.Context(), audit.Filter{Action: &action}, db.Page{})
	if err != nil || len(events) != 2 {
		t.Errorf("%d events, want one for each change: %v", len(events), err)
	}
}

// What an account was, and whom the log names, is told to those whose duty it is and to nobody else.
func TestActivityAndActors(t *testing.T) {
	t.Parallel()
	h := start(t)
	clerk, head := h.user(t, "clerk", h.water, authz.DeptOperator), h.user(t, "head", h.water, authz.DeptAdmin)
	for range 2 {
		if _, _, err := h.SignIn(t.Context(), "clerk", password, home); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := h.SetRoles(t.Context(), h.as(h.first.SecurityAdmin), clerk.ID, 0, nil); err != nil {
		t.Fatal(err)
	}
	a, err := h.Activity(t.Context(), h.as(head), clerk.ID)
	if err != nil || a.Sessions != 2 || len(a.History) < 2 || len(a.History[0].Roles) != 0 {
		t.Errorf("what the account was: %+v, %v", a, err)
	}
	if _, err := h.Activity(t.Context(), h.as(clerk), head.ID); !fault.Is(err, fault.Forbidden) {
		t.Errorf("an operator asks about another: %v", err)
	}
	auditor := h.as(h.first.Auditor)
	found, err := h.FindActors(t.Context(), auditor, "cler", 10)
	if err != nil || len(found) != 1 || found[0].ID != clerk.ID {
		t.Errorf("searching an actor: %+v, %v", found, err)
	}
	if found, err = h.FindActors(t.Context(), auditor, "%", 10); err != nil || len(found) != 0 {
		t.Errorf("a wildcard is a wildcard: %+v, %v", found, err)
	}
	if found, err = h.Actors(t.Context(), auditor, []uuid.UUID{clerk.ID, uuid.New()}); err != nil || len(found) != 1 || found[0].Also != "clerk" {
		t.Errorf("naming actors: %+v, %v", found, err)
	}
	if _, err := h.Actors(t.Context(), h.as(head), []uuid.UUID{clerk.ID}); !fault.Is(err, fault.Forbidden) {
		t.Errorf("a department administrator asks whom the log names: %v", err)
	}
	list, _, err := h.Users(t.Context(), h.as(h.first.SystemAdmin), identity.UserFilter{Text: "HEA"})
	if err != nil || len(list) != 1 || list[0].ID != head.ID {
		t.Errorf("searching an account: %+v, %v", list, err)
	}
}
