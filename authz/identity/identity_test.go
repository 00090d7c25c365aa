package identity_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/authz/authztest"
	"github.com/shuqiao/shuqiao/authz/identity"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
	"github.com/shuqiao/shuqiao/internal/pgtest"
	"github.com/shuqiao/shuqiao/internal/secret"
)

const password = "Correct-Horse-7"

var home = netip.MustParseAddr("10.1.2.3")

// testHub is a node with identity, set up with its first users, and two departments.
type testHub struct {
	*authztest.Node
	*identity.Service
	url          string
	keys         string // The folder of the key file that all nodes share.
	first        identity.SetupResult
	water, roads uuid.UUID
}

func (h *testHub) as(u identity.User) authz.Principal {
	p := authztest.Person(u.DepartmentID, u.Roles...)
	p.ID, p.Name = u.ID, u.Username
	return p
}

func (h *testHub) admin(department uuid.UUID) authz.Principal {
	return authztest.Person(department, authz.DeptAdmin)
}

func passwords() *secret.Passwords {
	return secret.NewPasswords(secret.PasswordParams{MemoryKiB: 64, Time: 1, Parallelism: 1, Concurrent: 4})
}

// serve starts a node with identity over a database.
func serve(t *testing.T, url string, changes ...func(*identity.Options)) (*authztest.Node, *identity.Service) {
	t.Helper()
	return serveWith(t, url, t.TempDir(), changes...)
}

// serveWith starts a further node with identity over the same database and the same key file.
func serveWith(t *testing.T, url, keys string, changes ...func(*identity.Options)) (*authztest.Node, *identity.Service) {
	t.Helper()
	keyring, err := secret.OpenKeyring(keys)
	if err != nil {
		t.Fatal(err)
	}
	d := authztest.OpenURL(t, url)
	f, err := authz.NewFollower(t.Context(), authz.FollowerOptions{DB: d})
	if err != nil {
		t.Fatal(err)
	}
	e, err := authz.NewEnforcer(t.Context(), authz.Options{DB: d, Follower: f})
	if err != nil {
		t.Fatal(err)
	}
	opt := identity.Options{DB: d, Enforcer: e, Passwords: passwords(), Keyring: keyring, SecondFactor: identity.SecondFactorOff, SignInRate: -1}
	for _, change := range changes {
		change(&opt)
	}
	s := identity.New(opt)
	return authztest.Run(t, d, f, e), s
}

func setupRequest() identity.SetupRequest {
	account := func(name string) identity.Account {
		return identity.Account{Username: name, DisplayName: "示例", Password: password}
	}
	return identity.SetupRequest{
		Authority:   identity.Authority{USCC: "11330600QQ00000000", Name: "示例数据局", DivisionCode: "330600", Level: "city"},
		SystemAdmin: account("system_admin"), SecurityAdmin: account("security_admin"), Auditor: account("auditor"),
		PlatformOperator: account("platform_operator"),
	}
}

func start(t *testing.T, changes ...func(*identity.Options)) *testHub {
	t.Helper()
	h := &testHub{url: pgtest.URL(t), keys: t.TempDir()}
	h.Node, h.Service = serveWith(t, h.url, h.keys, changes...)
	var err error
	if h.first, err = h.Setup(t.Context(), setupRequest()); err != nil {
		t.Fatalf("setting up: %v", err)
	}
	h.water, h.roads = department(t, h.DB, "示例水利局"), department(t, h.DB, "示例交通局")
	return h
}

func department(t *testing.T, d *db.DB, name string) uuid.UUID {
	t.Helper()
	id := db.NewID()
	_, err := d.Pool.Exec(t.Context(), `
		INSERT INTO department (id, uscc, name, division_code, level, created_at, updated_at)
		VALUES ($1::uuid, $1::uuid::text, $2, '330600', 'city', now(), now())`, id, name)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// user creates an account of a department with roles, as system_admin and security_admin do it together.
func (h *testHub) user(t *testing.T, username string, department uuid.UUID, roles ...authz.Role) identity.User {
	t.Helper()
	u, err := h.CreateUser(t.Context(), h.as(h.first.SystemAdmin), identity.NewUser{
		Username: username, DisplayName: "示例人员", Password: password, DepartmentID: department,
	})
	if err != nil {
		t.Fatalf("creating %s: %v", username, err)
	}
	// As after the person's first sign-in.
	h.exec(t, "UPDATE hub_user SET password_temporary = false WHERE id = $1", u.ID)
	if len(roles) == 0 {
		return u
	}
	u, err = h.SetRoles(t.Context(), h.as(h.first.SecurityAdmin), u.ID, 0, roles)
	if err != nil {
		t.Fatalf("giving roles to %s: %v", username, err)
	}
	return u
}

func (h *testHub) client(t *testing.T, department uuid.UUID, networks ...string) (identity.Client, identity.Key, string) {
	t.Helper()
	c, err := h.CreateClient(t.Context(), h.admin(department), identity.NewClient{DepartmentID: department, Name: "示例系统", AllowedNetworks: networks})
	if err != nil {
		t.Fatalf("creating a client: %v", err)
	}
	k, text, err := h.IssueKey(t.Context(), h.admin(department), c.ID, identity.NewKey{})
	if err != nil {
		t.Fatalf("issuing a key: %v", err)
	}
	return c, k, k.ID + "." + text
}

func (h *testHub) exec(t *testing.T, sql string, args ...any) {
	t.Helper()
	if _, err := h.DB.Pool.Exec(t.Context(), sql, args...); err != nil {
		t.Fatal(err)
	}
}

func (h *testHub) count(t *testing.T, sql string, args ...any) (n int) {
	t.Helper()
	if err := h.DB.Pool.QueryRow(t.Context(), sql, args...).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func wantCode(t *testing.T, what string, err error, code string) {
	t.Helper()
	if got := fault.CodeOf(err); got != code {
		t.Errorf("%s: got %v, want code %q", what, err, code)
	}
}

func until(t *testing.T, limit time.Duration, what string, done func() bool) {
	t.Helper()
	deadline := time.After(limit)
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("waited %v for %s", limit, what)
		}
	}
}
