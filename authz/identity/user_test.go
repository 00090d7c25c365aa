package identity_test

import (
	"encoding/json"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/authz/authztest"
	"github.com/shuqiao/shuqiao/authz/identity"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
	"github.com/shuqiao/shuqiao/internal/pgtest"
	"github.com/shuqiao/shuqiao/internal/secret"
)

// The first users exist once, whoever sets up first, with one administrator role each; wrong input names every field at once.
func TestSetup(t *testing.T) {
	t.Parallel()
	_, s := serve(t, pgtest.URL(t))
	if needs, err := s.NeedsSetup(t.Context()); err != nil || !needs {
		t.Errorf("an empty hub needs setup: got %v, %v", needs, err)
	}
	bad := setupRequest()
	bad.Authority.Name, bad.Auditor.Password, bad.SystemAdmin.Username = "", "short", "No Name"
	_, err := s.Setup(t.Context(), bad)
	for _, field := range []string{"authority.name", "auditor.password", "system_admin.username"} {
		if err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("field %s is not named: %v", field, err)
		}
	}
	var done atomic.Int64
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			r, err := s.Setup(t.Context(), setupRequest())
			if err != nil {
				wantCode(t, "a second setup", err, "already_set_up")
				return
			}
			done.Add(1)
			if diff := cmp.Diff([]authz.Role{authz.SecurityAdmin}, r.SecurityAdmin.Roles); diff != "" {
				t.Errorf("roles (-want +got):\n%s", diff)
			}
		})
	}
	wg.Wait()
	if done.Load() != 1 {
		t.Errorf("set up %d times", done.Load())
	}
}

// Passwords follow the rules of domain table 4.3; user names and departments are checked; all faults come at once and none
// repeats what was submitted.
func TestCreateUserChecks(t *testing.T) {
	t.Parallel()
	h := start(t)
	valid := identity.NewUser{Username: "water_clerk", DisplayName: "示例人员", Password: password, DepartmentID: h.water}
	for _, c := range []struct {
		name   string
		change func(*identity.NewUser)
		want   string
	}{
		{"a short password", func(u *identity.NewUser) { u.Password = "Ab1-Ab1-9" }, "password too_short"},
		{"two classes of characters", func(u *identity.NewUser) { u.Password = "abcdefghij12" }, "password too_simple"},
		{"the user name in the password", func(u *identity.NewUser) { u.Password = "xWATER_clerk-77" }, "password holds_username"},
		{"an endless password", func(u *identity.NewUser) { u.Password = secret.Secret(strings.Repeat("Ab1-", 500)) }, "password too_long"},
		{"an upper-case user name", func(u *identity.NewUser) { u.Username = "Water" }, "username invalid"},
		{"no display name", func(u *identity.NewUser) { u.DisplayName = " " }, "display_name invalid"},
		{"an unknown department", func(u *identity.NewUser) { u.DepartmentID = db.NewID() }, "department_id unknown"},
	} {
		u := valid
		c.change(&u)
		_, err := h.CreateUser(t.Context(), h.as(h.first.SystemAdmin), u)
		if !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), u.Password.Reveal()) {
			t.Errorf("%s: got %v", c.name, err)
		}
	}
	created, err := h.CreateUser(t.Context(), h.as(h.first.SystemAdmin), valid)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.CreateUser(t.Context(), h.as(h.first.SystemAdmin), valid); fault.CodeOf(err) != "username_taken" {
		t.Errorf("the same name: got %v", err)
	}
	read, err := h.User(t.Context(), h.as(h.first.SystemAdmin), created.ID)
	if diff := cmp.Diff(created, read); err != nil || diff != "" {
		t.Errorf("read back: %v\n%s", err, diff)
	}
	if raw, _ := json.Marshal(read); strings.Contains(string(raw), "argon2") {
		t.Error("the password hash is in the JSON")
	}
}

// Accounts and rights are apart: who creates accounts gives no roles and who gives roles creates no accounts; a dept_admin
// makes operators of its own department and nothing more; the three administrators exclude every other role; nobody changes
// their own rights, and the last administrator of a kind stays.
func TestSeparationOfDuties(t *testing.T) {
	t.Parallel()
	h := start(t)
	ctx := t.Context()
	sys, sec := h.as(h.first.SystemAdmin), h.as(h.first.SecurityAdmin)
	n := 0
	create := func(p authz.Principal, department uuid.UUID, roles ...authz.Role) error {
		n++
		_, err := h.CreateUser(ctx, p, identity.NewUser{
			Username: "user" + string(rune('a'+n)), DisplayName: "示例人员", Password: password, DepartmentID: department, Roles: roles,
		})
		return err
	}
	wantCode(t, "system_admin gives a role", create(sys, h.water, authz.DeptAdmin), "forbidden")
	wantCode(t, "security_admin creates", create(sec, h.water), "forbidden")
	wantCode(t, "a dept_admin makes an operator", create(h.admin(h.water), h.water, authz.DeptOperator), "")
	wantCode(t, "a dept_admin makes another admin", create(h.admin(h.water), h.water, authz.DeptAdmin), "forbidden")
	wantCode(t, "a dept_admin makes an operator elsewhere", create(h.admin(h.water), h.roads, authz.DeptOperator), "forbidden")

	u := h.user(t, "worker", h.water)
	set := func(p authz.Principal, id uuid.UUID, roles ...authz.Role) error {
		_, err := h.SetRoles(ctx, p, id, 0, roles)
		return err
	}
	wantCode(t, "system_admin sets roles", set(sys, u.ID, authz.DeptAdmin), "forbidden")
	wantCode(t, "a dept_admin sets roles", set(h.admin(h.water), u.ID, authz.DeptAdmin), "forbidden")
	for _, mix := range [][]authz.Role{
		{authz.SystemAdmin, authz.DeptOperator}, {authz.SecurityAdmin, authz.Auditor}, {authz.Auditor, authz.PlatformOperator},
	} {
		wantCode(t, "mixed roles", set(sec, u.ID, mix...), "invalid")
	}
	wantCode(t, "a role of clients", set(sec, u.ID, authz.ClientRole), "invalid")
	wantCode(t, "a platform_operator outside the authority", set(sec, u.ID, authz.PlatformOperator), "invalid")
	wantCode(t, "one's own roles", set(sec, sec.ID, authz.DeptAdmin), "own_account")
	other := authztest.Person(h.first.Authority, authz.SecurityAdmin)
	wantCode(t, "the last security_admin loses its role", set(other, sec.ID), "last_administrator")
	_, err := h.DisableUser(ctx, authztest.Person(h.first.Authority, authz.SystemAdmin), sys.ID, 0)
	wantCode(t, "the last system_admin is disabled", err, "last_administrator")
	_, err = h.DisableUser(ctx, sys, sys.ID, 0)
	wantCode(t, "one's own account", err, "own_account")
	// The table itself refuses a mix, too.
	_, err = h.DB.Pool.Exec(ctx, "UPDATE hub_user SET roles = '{auditor,dept_admin}' WHERE id = $1", u.ID)
	if !db.IsCheck(err, "hub_user_exclusive_roles") {
		t.Errorf("the table took mixed roles: %v", err)
	}
	got, err := h.SetRoles(ctx, sec, u.ID, u.RowVersion, []authz.Role{authz.DeptOperator, authz.DeptAdmin, authz.DeptAdmin})
	if diff := cmp.Diff([]authz.Role{authz.DeptAdmin, authz.DeptOperator}, got.Roles); err != nil || diff != "" {
		t.Errorf("err %v, roles (-want +got):\n%s", err, diff)
	}
	_, err = h.SetRoles(ctx, sec, u.ID, u.RowVersion, nil)
	wantCode(t, "a version read before the change", err, "version_mismatch")
	if got := h.count(t, "SELECT count(*) FROM event WHERE action = 'user.set_roles' AND outcome = 'ok' AND object_id = $1", u.ID.String()); got != 1 {
		t.Errorf("%d events for one change of roles", got)
	}
	if got := h.count(t, "SELECT count(*) FROM policy_log WHERE kind = 'user' AND id = $1", u.ID.String()); got != 2 {
		t.Errorf("%d policy entries for creation and one change", got)
	}
}

// Two departments on one hub: an admin of one neither sees nor alters the other's users, clients and keys, by id or by list.
func TestDepartmentsAreApart(t *testing.T) {
	t.Parallel()
	h := start(t)
	ctx := t.Context()
	water, roads := h.admin(h.water), h.admin(h.roads)
	theirs := h.user(t, "roads_user", h.roads, authz.DeptOperator)
	h.user(t, "water_user", h.water, authz.DeptOperator)
	client, key, bearer := h.client(t, h.roads)
	h.client(t, h.water)

	for name, call := range map[string]func() error{
		"User":        func() error { _, err := h.User(ctx, water, theirs.ID); return err },
		"DisableUser": func() error { _, err := h.DisableUser(ctx, water, theirs.ID, 0); return err },
		"EnableUser":  func() error { _, err := h.EnableUser(ctx, water, theirs.ID, 0); return err },
		"SetRoles":    func() error { _, err := h.SetRoles(ctx, water, theirs.ID, 0, nil); return err },
		"Users":       func() error { _, _, err := h.Users(ctx, water, identity.UserFilter{Department: &h.roads}); return err },
		"Client":      func() error { _, err := h.Client(ctx, water, client.ID); return err },
		"CreateClient": func() error {
			_, err := h.CreateClient(ctx, water, identity.NewClient{DepartmentID: h.roads, Name: "x"})
			return err
		},
		"UpdateClient":  func() error { _, err := h.UpdateClient(ctx, water, client.ID, 0, identity.ClientChange{}); return err },
		"DisableClient": func() error { _, err := h.DisableClient(ctx, water, client.ID, 0); return err },
		"EnableClient":  func() error { _, err := h.EnableClient(ctx, water, client.ID, 0); return err },
		"Clients": func() error {
			_, _, err := h.Clients(ctx, water, identity.ClientFilter{Department: &h.roads})
			return err
		},
		"Keys":      func() error { _, err := h.Keys(ctx, water, client.ID); return err },
		"IssueKey":  func() error { _, _, err := h.IssueKey(ctx, water, client.ID, identity.NewKey{}); return err },
		"RevokeKey": func() error { _, err := h.RevokeKey(ctx, water, key.ID); return err },
	} {
		if err := call(); !fault.Is(err, fault.Forbidden) {
			t.Errorf("%s on another department: got %v", name, err)
		}
	}
	users, _, err := h.Users(ctx, water, identity.UserFilter{})
	if err != nil || len(users) != 1 || users[0].DepartmentID != h.water {
		t.Errorf("users seen: %+v, %v", users, err)
	}
	clients, _, err := h.Clients(ctx, water, identity.ClientFilter{})
	if err != nil || len(clients) != 1 || clients[0].DepartmentID != h.water {
		t.Errorf("clients seen: %+v, %v", clients, err)
	}
	all, _, err := h.Users(ctx, h.as(h.first.SystemAdmin), identity.UserFilter{})
	if err != nil || len(all) != 6 {
		t.Errorf("system_admin sees %d users, %v", len(all), err)
	}
	// Nothing of the attempts had an effect.
	if _, err := h.Authenticate(ctx, bearer, home); err != nil {
		t.Errorf("the other department's key: %v", err)
	}
	if keys, err := h.Keys(ctx, roads, client.ID); err != nil || len(keys) != 1 {
		t.Errorf("keys: %v, %v", keys, err)
	}
	if _, err := h.User(ctx, h.admin(h.water), db.NewID()); !fault.Is(err, fault.NotFound) {
		t.Errorf("an unknown id: got %v", err)
	}
}

// Lists give every entry once over their pages.
func TestUsersArePaged(t *testing.T) {
	t.Parallel()
	h := start(t)
	for _, name := range []string{"ua", "ub", "uc"} {
		h.user(t, name, h.water)
	}
	var got []string
	page := db.Page{Limit: 2}
	for {
		users, next, err := h.Users(t.Context(), h.as(h.first.SystemAdmin), identity.UserFilter{Page: page})
		if err != nil {
			t.Fatal(err)
		}
		for _, u := range users {
			got = append(got, u.Username)
		}
		if next == "" {
			break
		}
		page.Cursor = next
	}
	want := []string{"auditor", "platform_operator", "security_admin", "system_admin", "ua", "ub", "uc"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("user names (-want +got):\n%s", diff)
	}
}
