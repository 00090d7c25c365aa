package console_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/shuqiao/shuqiao/audit"
	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/authz/identity"
	"github.com/shuqiao/shuqiao/catalog"
	"github.com/shuqiao/shuqiao/catalog/calendar"
	"github.com/shuqiao/shuqiao/catalog/codes"
	"github.com/shuqiao/shuqiao/connectors/all"
	"github.com/shuqiao/shuqiao/console"
	"github.com/shuqiao/shuqiao/exchange"
	"github.com/shuqiao/shuqiao/exchange/store"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/pgtest"
	"github.com/shuqiao/shuqiao/internal/secret"
	"github.com/shuqiao/shuqiao/sharing"
)

const password = "Example-2026-x"

// hub is a console over real services with people, a client and three published entries.
type hub struct {
	ctx      context.Context
	db       *db.DB
	server   *httptest.Server
	identity *identity.Service
	catalog  *catalog.Service
	sharing  *sharing.Service
	exchange *exchange.Service
	enforcer *authz.Enforcer
	keyring  *secret.Keyring

	people                       map[string]authz.Principal
	police, social               catalog.Department
	client                       identity.Client
	population, things, withheld catalog.Resource
	task                         exchange.Task
}

func setup(t testing.TB) *hub {
	t.Helper()
	h := &hub{ctx: t.Context(), people: map[string]authz.Principal{}}
	address := pgtest.URL(t)
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	var err error
	h.db, err = db.Open(h.ctx, db.Options{URL: address, ApplicationName: "console test", MaxConns: 8})
	check(err)
	t.Cleanup(h.db.Close)
	h.keyring, err = secret.OpenKeyring(t.TempDir())
	check(err)
	log := slog.New(slog.DiscardHandler)
	follower, err := authz.NewFollower(h.ctx, authz.FollowerOptions{DB: h.db})
	check(err)
	h.enforcer, err = authz.NewEnforcer(h.ctx, authz.Options{DB: h.db, Follower: follower})
	check(err)
	h.identity = identity.New(identity.Options{DB: h.db, Enforcer: h.enforcer, Passwords: secret.NewPasswords(secret.PasswordParams{Memory: 64, Time: 1, Threads: 1})})
	registry, err := all.Registry()
	check(err)
	h.catalog, err = catalog.New(catalog.Options{DB: h.db, Enforcer: h.enforcer, Keyring: h.keyring, Connectors: registry})
	check(err)
	days, err := calendar.New()
	check(err)
	h.sharing = sharing.New(sharing.Options{DB: h.db, Enforcer: h.enforcer, Catalog: h.catalog, Keyring: h.keyring, Calendar: days})
	rows := store.New(h.db)
	h.exchange = exchange.New(exchange.Options{DB: h.db, Enforcer: h.enforcer, Keyring: h.keyring, Store: rows, Log: log})
	running, stop := context.WithCancel(context.WithoutCancel(h.ctx))
	done := make(chan struct{})
	go func() { defer close(done); _ = follower.Run(running) }()
	t.Cleanup(func() { stop(); <-done })
	for range 20 {
		if follower.Wait(h.ctx) == nil {
			break
		}
	}
	h.person(t)
	h.entries(t)

	pages, err := console.New(console.Options{
		Enforcer: h.enforcer, Identity: h.identity, Catalog: h.catalog, Sharing: h.sharing, Exchange: h.exchange,
		Log: audit.NewLog(h.db),
		Verify: func(ctx context.Context) (audit.Report, error) {
			return audit.Verify(ctx, h.db.Pool, audit.VerifyOptions{})
		},
		Logger: log,
	})
	check(err)
	h.server = httptest.NewServer(pages)
	t.Cleanup(h.server.Close)
	return h
}

// creditCode makes a well-formed credit code that no organisation can have: its organisation part starts with QQ.
func creditCode(t testing.TB, n int) string {
	t.Helper()
	org := fmt.Sprintf("QQ%06d", n)
	c, ok := codes.OrgCodeCheckChar(org)
	if !ok {
		t.Fatalf("no check character for %s", org)
	}
	body := "11330600" + org + string(c)
	u, ok := codes.USCCCheckChar(body)
	if !ok {
		t.Fatalf("no check character for %s", body)
	}
	return body + string(u)
}

// person sets the hub up with its administrators, two departments and the people of them.
func (h *hub) person(t testing.TB) {
	t.Helper()
	account := func(name string) identity.Account {
		return identity.Account{Username: name, DisplayName: name, Password: password}
	}
	made, err := h.identity.Setup(h.ctx, identity.SetupRequest{
		Authority:   identity.Authority{USCC: creditCode(t, 1), Name: "\u793a\u4f8b\u5e02\u6570\u636e\u5c40", NameEN: "Data Bureau of the Example City", DivisionCode: "330600", Level: "city"},
		SystemAdmin: account("system_admin"), SecurityAdmin: account("security_admin"), Auditor: account("auditor"), PlatformOperator: account("platform_operator"),
	})
	if err != nil {
		t.Fatal(err)
	}
	principal := func(u identity.User) authz.Principal {
		return authz.Principal{Kind: audit.ActorUser, ID: u.ID, Name: u.Username, Department: u.DepartmentID, Roles: u.Roles}
	}
	for _, u := range []identity.User{made.SystemAdmin, made.SecurityAdmin, made.Auditor, made.PlatformOperator} {
		h.people[u.Username] = principal(u)
	}
	for i, d := range []struct {
		prefix, name, english string
		keep                  *catalog.Department
	}{
		{"police", "\u793a\u4f8b\u5e02\u516c\u5b89\u5c40", "Public Security Bureau of the Example City", &h.police},
		{"social", "\u793a\u4f8b\u5e02\u4eba\u529b\u8d44\u6e90\u548c\u793e\u4f1a\u4fdd\u969c\u5c40", "Human Resources and Social Security Bureau of the Example City", &h.social},
	} {
		*d.keep, err = h.catalog.CreateDepartment(h.ctx, h.people["system_admin"], catalog.Department{
			USCC: creditCode(t, 2+i), Name: d.name, NameEN: d.english, DivisionCode: "330600", Level: "city",
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, role := range []authz.Role{authz.DeptAdmin, authz.DeptOperator} {
			name := d.prefix + strings.TrimPrefix(string(role), "dept")
			u, err := h.identity.CreateUser(h.ctx, h.people["system_admin"], identity.NewUser{
				Username: name, DisplayName: name, Password: password, DepartmentID: d.keep.ID,
			})
			if err == nil {
				u, err = h.identity.SetRoles(h.ctx, h.people["security_admin"], u.ID, 0, []authz.Role{role})
			}
			if err != nil {
				t.Fatalf("making %s: %v", name, err)
			}
			h.people[name] = principal(u)
		}
	}
	h.client, err = h.identity.CreateClient(h.ctx, h.people["social_admin"], identity.NewClient{DepartmentID: h.social.ID, Name: "\u517b\u8001\u5f85\u9047\u8d44\u683c\u6838\u9a8c\u7cfb\u7edf"})
	if err != nil {
		t.Fatal(err)
	}
}

// complete adds to what a template states everything else that the catalogue demands.
func complete(m catalog.Metadata) catalog.Metadata {
	m.ProviderUnit, m.UsageTerms, m.Secrecy = "\u4fe1\u606f\u5904", "\u4ec5\u7528\u4e8e\u7533\u8bf7\u65f6\u8f7d\u660e\u7684\u7528\u9014", catalog.NotSecret
	m.ContactName, m.ContactPhone = "\u503c\u73ed\u5ba4", "0575-00000000"
	if m.DeclaredShare == catalog.Conditional {
		m.ShareCondition, m.ShareScope, m.SharePurpose = "\u7ecf\u63d0\u4f9b\u65b9\u5ba1\u6838", "\u672c\u5e02\u5404\u90e8\u95e8", "\u529e\u7406\u653f\u52a1\u670d\u52a1\u4e8b\u9879"
	}
	assessment := func(title string) *catalog.Assessment {
		return &catalog.Assessment{Title: title, Date: "2026-01-05", Conclusion: "\u53ef\u4ee5\u7f16\u76ee", SHA256: fmt.Sprintf("%064x", 7)}
	}
	m.SecrecyAssess, m.PIAssess = assessment("\u4fdd\u5bc6\u98ce\u9669\u8bc4\u4f30"), assessment("\u4e2a\u4eba\u4fe1\u606f\u4fdd\u62a4\u5f71\u54cd\u8bc4\u4f30")
	m.HeadSignoff = &catalog.Signoff{Name: "\u793a\u4f8b\u8d1f\u8d23\u4eba", Date: "2026-01-06", Document: "\u793a\u4f8b\u51fd\u30142026\u30151\u53f7"}
	return m
}

// entries publishes population from its template, a small mounted entry, and a withheld one.
func (h *hub) entries(t testing.TB) {
	t.Helper()
	template, err := catalog.FindTemplate("base_population")
	if err != nil {
		t.Fatal(err)
	}
	_ = template
	h.population = h.publish(t, func() (catalog.Resource, error) {
		return h.catalog.CreateFromTemplate(h.ctx, h.people["police_operator"], "base_population", complete(catalog.Metadata{DeclaredShare: catalog.Conditional}))
	})
}

func (h *hub) publish(t testing.TB, create func() (catalog.Resource, error)) catalog.Resource {
	t.Helper()
	r, err := create()
	if err == nil {
		_, err = h.catalog.Submit(h.ctx, h.people["police_operator"], r.ID, 0)
	}
	if err == nil {
		_, err = h.catalog.Approve(h.ctx, h.people["police_admin"], r.ID, 0)
	}
	if err == nil {
		r, err = h.catalog.Publish(h.ctx, h.people["platform_operator"], r.ID, 0)
	}
	if err != nil {
		t.Fatalf("publishing: %v", err)
	}
	return r
}

var (
	_ = pgx.Connect
	_ = url.Parse
	_ = io.ReadAll
	_ = http.Get
	_ = regexp.MustCompile
	_ = cookiejar.New
	_ = time.Now
	_ = uuid.Nil
)
