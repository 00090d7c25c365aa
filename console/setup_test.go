package console_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"mime/multipart"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/shuqiao/shuqiao/alarm"
	"github.com/shuqiao/shuqiao/audit"
	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/authz/identity"
	"github.com/shuqiao/shuqiao/catalog"
	"github.com/shuqiao/shuqiao/catalog/calendar"
	"github.com/shuqiao/shuqiao/catalog/codes"
	"github.com/shuqiao/shuqiao/catalog/sheet"
	"github.com/shuqiao/shuqiao/connectors/all"
	"github.com/shuqiao/shuqiao/console"
	"github.com/shuqiao/shuqiao/exchange"
	"github.com/shuqiao/shuqiao/exchange/pull"
	"github.com/shuqiao/shuqiao/exchange/retention"
	"github.com/shuqiao/shuqiao/exchange/store"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/netguard"
	"github.com/shuqiao/shuqiao/internal/pgtest"
	"github.com/shuqiao/shuqiao/internal/secret"
	"github.com/shuqiao/shuqiao/sharing"
)

const password = "Example-2026-x"

// hub is a console over real services with people, a client and three published entries.
type hub struct {
	ctx      context.Context
	address  string // Of the database.
	db       *db.DB
	server   *httptest.Server
	identity *identity.Service
	catalog  *catalog.Service
	sharing  *sharing.Service
	exchange *exchange.Service
	alarm    *alarm.Service
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
	h := &hub{ctx: t.Context(), people: map[string]authz.Principal{}, address: pgtest.URL(t)}
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	var err error
	h.db, err = db.Open(h.ctx, db.Options{URL: h.address, ApplicationName: "console test", MaxConns: 8})
	check(err)
	t.Cleanup(h.db.Close)
	h.keyring, err = secret.OpenKeyring(t.TempDir())
	check(err)
	log := slog.New(slog.DiscardHandler)
	follower, err := authz.NewFollower(h.ctx, authz.FollowerOptions{DB: h.db})
	check(err)
	h.enforcer, err = authz.NewEnforcer(h.ctx, authz.Options{DB: h.db, Follower: follower})
	check(err)
	h.identity = identity.New(identity.Options{DB: h.db, Enforcer: h.enforcer, Keyring: h.keyring, SecondFactor: identity.SecondFactorOff, SignInRate: -1, Passwords: secret.NewPasswords(secret.PasswordParams{MemoryKiB: 64, Time: 1, Parallelism: 1, Concurrent: 4})})
	registry, err := all.Registry()
	check(err)
	days, err := calendar.NewHeld()
	check(err)
	h.catalog, err = catalog.New(catalog.Options{DB: h.db, Enforcer: h.enforcer, Keyring: h.keyring, Connectors: registry, Calendar: days, CountedFor: -1})
	check(err)
	sheets := sheet.New(sheet.Options{DB: h.db, Enforcer: h.enforcer, Catalog: h.catalog, Person: h.identity.PersonNow, Log: log})
	h.sharing = sharing.New(sharing.Options{DB: h.db, Enforcer: h.enforcer, Catalog: h.catalog, Keyring: h.keyring, Calendar: days})
	h.catalog.OnCalendar(h.sharing.CountAgainTx)
	rows := store.New(h.db)
	loopback, err := netguard.Parse("127.0.0.1")
	check(err)
	h.alarm = alarm.New(alarm.Options{DB: h.db, Enforcer: h.enforcer, Keyring: h.keyring, Networks: loopback, Log: log, Every: time.Millisecond})
	recorder := audit.NewRecorder(h.db)
	t.Cleanup(recorder.Close)
	puller, err := pull.New(pull.Options{Store: rows, Sharing: h.sharing, Recorder: recorder, Follower: follower, Keyring: h.keyring, SubjectKey: make([]byte, 16)})
	check(err)
	h.exchange = exchange.New(exchange.Options{DB: h.db, Enforcer: h.enforcer, Keyring: h.keyring, Store: rows, Catalog: h.catalog, Log: log})
	running, stop := context.WithCancel(context.WithoutCancel(h.ctx))
	done := make(chan struct{})
	go func() { defer close(done); _ = follower.Run(running) }()
	t.Cleanup(func() { stop(); <-done })
	importing := make(chan struct{})
	go func() { defer close(importing); _ = sheets.Run(running) }()
	t.Cleanup(func() { stop(); <-importing })
	for range 20 {
		if follower.Wait(h.ctx) == nil {
			break
		}
	}
	h.person(t)
	h.entries(t)

	verifier := audit.NewVerifier(h.db, audit.VerifyOptions{}, log)
	work, end := context.WithCancel(context.WithoutCancel(h.ctx))
	var verifying sync.WaitGroup
	verifying.Go(func() { _ = verifier.Run(work) })
	t.Cleanup(func() { end(); verifying.Wait() })
	pages, err := console.New(console.Options{
		Enforcer: h.enforcer, Identity: h.identity, Catalog: h.catalog, Sharing: h.sharing, Exchange: h.exchange, Alarm: h.alarm, Sheets: sheets,
		Log:       audit.NewLog(h.db),
		Retention: retention.New(retention.Options{DB: h.db, Enforcer: h.enforcer, Store: rows, Sharing: h.sharing, Log: log}),
		Verifier:  verifier,
		Describe:  puller.Describe,
		OpenAPI:   func(d pull.Description) ([]byte, error) { return json.Marshal(d) },
		Logger:    log,
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
		Authority:   identity.Authority{USCC: creditCode(t, 1), Name: "示例市数据局", NameEN: "Data Bureau of the Example City", DivisionCode: "330600", Level: "city"},
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
		{"police", "示例市公安局", "Public Security Bureau of the Example City", &h.police},
		{"social", "示例市人力资源和社会保障局", "Human Resources and Social Security Bureau of the Example City", &h.social},
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
				Username: name, DisplayName: name, Password: password, DepartmentID: d.keep.ID, KeepPassword: true,
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
	h.client, err = h.identity.CreateClient(h.ctx, h.people["social_admin"], identity.NewClient{DepartmentID: h.social.ID, Name: "养老待遇资格核验系统"})
	if err != nil {
		t.Fatal(err)
	}
}

// complete adds to what a template states everything else that the catalogue demands.
func complete(m catalog.Metadata) catalog.Metadata {
	m.ProviderUnit, m.UsageTerms, m.Secrecy = "信息处", "仅用于申请时载明的用途", catalog.NotSecret
	m.ContactName, m.ContactPhone = "值班室", "0575-00000000"
	if m.DeclaredShare == catalog.Conditional {
		m.ShareCondition, m.ShareScope, m.SharePurpose = "经提供方审核", "本市各部门", "办理政务服务事项"
	}
	assessment := func(title string) *catalog.Assessment {
		return &catalog.Assessment{Title: title, Date: "2026-01-05", Conclusion: "可以编目", SHA256: fmt.Sprintf("%064x", 7)}
	}
	m.SecrecyAssess, m.PIAssess = assessment("保密风险评估"), assessment("个人信息保护影响评估")
	m.HeadSignoff = &catalog.Signoff{Name: "示例负责人", Date: "2026-01-06", Document: "示例函〔2026〕1号"}
	return m
}

// entries publishes population from its template, a small mounted entry, and a withheld one.
func (h *hub) entries(t testing.TB) {
	t.Helper()
	h.population = h.publish(t, func() (catalog.Resource, error) {
		return h.catalog.CreateFromTemplate(h.ctx, h.people["police_operator"], "base_population", complete(catalog.Metadata{DeclaredShare: catalog.Conditional}))
	})
	item := func(name, identifier string, letter catalog.DataType, length int) catalog.Item {
		return catalog.Item{Name: name, Identifier: identifier, DataType: letter, Length: length, ShareType: catalog.Conditional, Grade: catalog.L2}
	}
	things := complete(catalog.Metadata{
		Classifications: []catalog.Classification{{Class1: "1", Class2: "01", Class3: "001", Class4: "001", Primary: true}},
		Name:            "示例事项", Summary: "示例数据,以编号为主键,含区划、名称和日期。", FormatCategory: "3", Formats: []string{"PostgreSQL"},
		DeclaredShare: catalog.Conditional, ShareMethods: []catalog.ShareMethod{catalog.ByAPI}, UpdateCycle: catalog.Daily,
		Items: []catalog.Item{
			item("编号", "no", catalog.Char, 20), item("区划", "division", catalog.Char, 6), item("名称", "title", catalog.Char, 100),
			item("日期", "born", catalog.Date, 0),
		},
	})
	things.Items[0].Key, things.Items[0].Required, things.Items[1].Filterable = true, true, true
	h.things = h.publish(t, func() (catalog.Resource, error) {
		return h.catalog.CreateResource(h.ctx, h.people["police_operator"], things)
	})
	withheld := things
	withheld.Name, withheld.DeclaredShare = "示例不予共享事项", catalog.Withheld
	withheld.ShareCondition, withheld.ShareScope, withheld.SharePurpose, withheld.ShareMethods = "", "", "", nil
	withheld.WithholdReason = "法律明确规定不得提供"
	withheld.WithholdBasis = &catalog.WithholdBasis{Rank: "law", Title: "示例法", Article: "第一条"}
	withheld.WithholdRuling = &catalog.WithholdRuling{Body: "示例市人民政府", DocumentNo: "示例政〔2026〕1号", Date: "2026-01-08"}
	withheld.Items = slices.Clone(things.Items)
	for i := range withheld.Items {
		withheld.Items[i].ShareType, withheld.Items[i].Filterable = catalog.Withheld, false
	}
	h.withheld = h.publish(t, func() (catalog.Resource, error) {
		return h.catalog.CreateResource(h.ctx, h.people["police_operator"], withheld)
	})
	h.mount(t)
}

// mount gives the small entry a source with two good rows and one wrong one, and a task.
func (h *hub) mount(t testing.TB) {
	t.Helper()
	address := pgtest.Empty(t)
	conn, err := pgx.Connect(h.ctx, address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(h.ctx))
	_, err = conn.Exec(h.ctx, `
		CREATE TABLE thing (no varchar(20), division varchar(6), title varchar(100), born varchar(20));
		INSERT INTO thing VALUES ('A0001', '330602', '甲', '2001-02-03'), ('A0002', '330603', '乙', '1999-12-31'), ('A0003', '330602', '丙', '2001-02-30')`)
	if err != nil {
		t.Fatal(err)
	}
	operator, admin := h.people["police_operator"], h.people["police_admin"]
	source, err := h.catalog.CreateSource(h.ctx, operator, catalog.SourceInput{Name: "示例库", Driver: "postgres", Settings: map[string]string{"dsn": address}})
	if err != nil {
		t.Fatal(err)
	}
	mount, err := h.catalog.CreateMount(h.ctx, operator, h.things.ID, catalog.MountInput{
		SourceID: source.ID, Object: "public.thing", DeleteRule: "missing", Columns: []catalog.MountColumn{
			{ItemNo: 1, Column: "no"}, {ItemNo: 2, Column: "division"}, {ItemNo: 3, Column: "title"}, {ItemNo: 4, Column: "born"},
		},
	})
	if err == nil {
		_, err = h.catalog.CheckMount(h.ctx, operator, mount.ID, 0)
	}
	if err == nil {
		_, err = h.catalog.ActivateMount(h.ctx, admin, mount.ID, 0)
	}
	if err == nil {
		h.task, err = h.exchange.CreateTask(h.ctx, operator, exchange.NewTask{ResourceID: h.things.ID})
	}
	if err == nil {
		_, err = h.exchange.CreateSchedule(h.ctx, admin, exchange.NewSchedule{TaskID: h.task.ID, Spec: "0 3 * * *"})
	}
	if err != nil {
		t.Fatalf("mounting: %v", err)
	}
}

// work starts a node that carries runs out, until the test ends.
func (h *hub) work(t testing.TB) {
	t.Helper()
	incarnation := uuid.New()
	d, err := db.Open(h.ctx, db.Options{URL: h.address, ApplicationName: exchange.ApplicationName(incarnation), MaxConns: 6})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	log := slog.New(slog.DiscardHandler)
	node, err := exchange.NewNode(exchange.NodeOptions{DB: d, DataDir: t.TempDir(), Incarnation: incarnation, Role: "worker", Log: log})
	if err != nil {
		t.Fatal(err)
	}
	if err := node.Start(h.ctx); err != nil {
		t.Fatal(err)
	}
	worker := exchange.NewWorker(exchange.WorkerOptions{
		DB: d, Enforcer: h.enforcer, Keyring: h.keyring, Catalog: h.catalog, Store: store.New(d), Node: node, Log: log,
	})
	ctx, stop := context.WithCancel(context.WithoutCancel(h.ctx))
	done := make(chan struct{})
	go func() { defer close(done); _ = worker.Run(ctx) }()
	t.Cleanup(func() { stop(); <-done; node.Stop(context.WithoutCancel(h.ctx)) })
}

// until asks again and again until done says so, for at most 20 seconds.
func (h *hub) until(t testing.TB, done func() bool) bool {
	t.Helper()
	limit := time.NewTimer(20 * time.Second)
	defer limit.Stop()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-limit.C:
			return false
		case <-tick.C:
		}
	}
	return true
}

// browser is what a person clicks with: it keeps cookies and follows redirects.
type browser struct {
	t    testing.TB
	hub  *hub
	http *http.Client
}

// anybody returns a browser that nobody has signed in with.
func (h *hub) anybody(t testing.TB) *browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &browser{t: t, hub: h, http: &http.Client{Jar: jar}}
}

// as returns a browser in which that person is signed in.
func (h *hub) as(t testing.TB, name string) *browser {
	t.Helper()
	b := h.signedIn(t, name)
	b.post("/ui/language", "language", "zh-CN") // Whatever an earlier test chose for the person.
	return b
}

// signedIn is a browser of somebody who just signed in, in the person's language.
func (h *hub) signedIn(t testing.TB, name string) *browser {
	t.Helper()
	b := h.anybody(t)
	if status, page := b.post("/ui/sign-in", "username", name, "password", password); status != http.StatusOK {
		t.Fatalf("signing in as %s: %d\n%s", name, status, page)
	}
	return b
}

// get opens a page; the answer is the one after redirects.
func (b *browser) get(path string) (int, string) {
	b.t.Helper()
	answer, err := b.http.Get(b.hub.server.URL + path)
	return b.read(answer, err)
}

// post sends a form of pairs of a field and its value.
func (b *browser) post(path string, pairs ...string) (int, string) {
	b.t.Helper()
	form := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		form.Add(pairs[i], pairs[i+1])
	}
	answer, err := b.http.PostForm(b.hub.server.URL+path, form)
	return b.read(answer, err)
}

func (b *browser) read(answer *http.Response, err error) (int, string) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return answer.StatusCode, string(body)
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

// upload sends a file, none where it has no name, and other fields by a form; it returns where that led, too.
func (b *browser) upload(path, name, content string, fields ...string) (int, string, string) {
	b.t.Helper()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	for i := 0; i+1 < len(fields); i += 2 {
		if err := form.WriteField(fields[i], fields[i+1]); err != nil {
			b.t.Fatal(err)
		}
	}
	if name != "" {
		file, err := form.CreateFormFile("file", name)
		if err != nil {
			b.t.Fatal(err)
		}
		if _, err := file.Write([]byte(content)); err != nil {
			b.t.Fatal(err)
		}
	}
	if err := form.Close(); err != nil {
		b.t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(b.t.Context(), http.MethodPost, b.hub.server.URL+path, &body)
	if err != nil {
		b.t.Fatal(err)
	}
	request.Header.Set("Content-Type", form.FormDataContentType())
	answer, err := b.http.Do(request)
	status, page := b.read(answer, err)
	return status, page, answer.Request.URL.Path
}
