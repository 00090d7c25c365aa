package exchange

import (
	"context"
	"fmt"
	"log/slog"
	"net/url"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/authz/authztest"
	"github.com/shuqiao/shuqiao/catalog"
	"github.com/shuqiao/shuqiao/catalog/codes"
	"github.com/shuqiao/shuqiao/connectors/all"
	"github.com/shuqiao/shuqiao/exchange/engine"
	"github.com/shuqiao/shuqiao/exchange/store"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
	"github.com/shuqiao/shuqiao/internal/pgtest"
	"github.com/shuqiao/shuqiao/internal/secret"
)

// hub is a directory with one published and mounted resource, and what runs need, over a fresh database.
type hub struct {
	ctx      context.Context
	url      string
	db       *db.DB
	node     *authztest.Node
	keyring  *secret.Keyring
	catalog  *catalog.Service
	store    *store.Store
	service  *Service
	source   *pgxpool.Pool // The department's database.
	sourceID uuid.UUID
	resource catalog.Resource
	task     Task

	police, market            catalog.Department
	platform                  authz.Principal
	operator, admin, stranger authz.Principal
}

// thing is the department's table: text where a date should be, and no constraint that the story of a wrong row would break.
const thing = `CREATE TABLE thing (no varchar(20), division varchar(6), title varchar(150), born varchar(20), amount numeric(12,3), stamp timestamptz DEFAULT now())`

func setup(t *testing.T) *hub {
	t.Helper()
	return setupWith(t, thing, func(*catalog.MountInput) {})
}

// setupWith makes the hub with a source table of its own and a mount that change may alter.
func setupWith(t *testing.T, table string, change func(*catalog.MountInput)) *hub {
	t.Helper()
	h := &hub{ctx: t.Context(), url: pgtest.URL(t)}
	h.db = authztest.OpenURL(t, h.url)
	h.node = authztest.Start(t, h.db)
	var err error
	if h.keyring, err = secret.OpenKeyring(t.TempDir()); err != nil {
		t.Fatal(err)
	}
	h.catalog = h.directory(t, h.db)
	h.store = store.New(h.db)
	h.service = New(Options{DB: h.db, Enforcer: h.node.Enforcer, Keyring: h.keyring, Store: h.store})
	system := authztest.Person(uuid.Nil, authz.SystemAdmin)
	department := func(name string, n int) catalog.Department {
		d, err := h.catalog.CreateDepartment(h.ctx, system, catalog.Department{USCC: creditCode(t, n), Name: name, DivisionCode: "330600", Level: "city"})
		if err != nil {
			t.Fatalf("creating department: %v", err)
		}
		return d
	}
	h.police, h.market = department("示例市公安局", 1), department("示例市市场监督管理局", 2)
	h.platform = authztest.Person(department("示例市数据局", 3).ID, authz.PlatformOperator)
	h.operator, h.admin = authztest.Person(h.police.ID, authz.DeptOperator), authztest.Person(h.police.ID, authz.DeptAdmin)
	h.stranger = authztest.Person(h.market.ID, authz.DeptAdmin)

	address := pgtest.Empty(t)
	if h.source, err = pgxpool.New(t.Context(), address); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.source.Close)
	h.sql(t, table)
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	h.resource = h.publish(t)
	source, err := h.catalog.CreateSource(h.ctx, h.operator, catalog.SourceInput{Name: "示例库", Driver: "postgres", Settings: map[string]string{"dsn": u.String()}})
	if err != nil {
		t.Fatalf("creating source: %v", err)
	}
	h.sourceID = source.ID
	in := catalog.MountInput{SourceID: source.ID, Object: "public.thing", DeleteRule: "missing", Columns: []catalog.MountColumn{
		{ItemNo: 1, Column: "no"}, {ItemNo: 2, Column: "division"}, {ItemNo: 3, Column: "title"}, {ItemNo: 4, Column: "born"}, {ItemNo: 5, Column: "amount"},
	}}
	change(&in)
	mount, err := h.catalog.CreateMount(h.ctx, h.operator, h.resource.ID, in)
	if err == nil {
		_, err = h.catalog.CheckMount(h.ctx, h.operator, mount.ID, 0)
	}
	if err == nil {
		mount, err = h.catalog.ActivateMount(h.ctx, h.admin, mount.ID, 0)
	}
	if err != nil {
		t.Fatalf("mounting: %v (%s)", err, mount.Note)
	}
	if h.task, err = h.service.CreateTask(h.ctx, h.operator, NewTask{ResourceID: h.resource.ID}); err != nil {
		t.Fatalf("creating task: %v", err)
	}
	return h
}

func (h *hub) directory(t *testing.T, d *db.DB) *catalog.Service {
	t.Helper()
	registry, err := all.Registry()
	if err != nil {
		t.Fatal(err)
	}
	s, err := catalog.New(catalog.Options{DB: d, Enforcer: h.node.Enforcer, Keyring: h.keyring, Connectors: registry})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// creditCode makes a well-formed credit code that no organisation can have: its organisation part starts with QQ.
func creditCode(t *testing.T, n int) string {
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

// publish takes a resource of the police all the way.
func (h *hub) publish(t *testing.T) catalog.Resource {
	t.Helper()
	assessment := func(title string) *catalog.Assessment {
		return &catalog.Assessment{Title: title, Date: "2026-01-05", Conclusion: "可以编目", SHA256: fmt.Sprintf("%064x", 7)}
	}
	item := func(name, identifier string, letter catalog.DataType, length, scale int) catalog.Item {
		return catalog.Item{Name: name, Identifier: identifier, DataType: letter, Length: length, Scale: scale, ShareType: catalog.Conditional, Grade: catalog.L2}
	}
	items := []catalog.Item{
		item("编号", "no", catalog.Char, 20, 0), item("区划", "division", catalog.Char, 6, 0), item("名称", "title", catalog.Char, 100, 0),
		item("日期", "born", catalog.Date, 0, 0), item("金额", "amount", catalog.Number, 12, 3),
	}
	items[0].Key, items[0].Required, items[1].Filterable = true, true, true
	r, err := h.catalog.CreateResource(h.ctx, h.operator, catalog.Metadata{
		Classifications: []catalog.Classification{{Class1: "1", Class2: "01", Class3: "001", Class4: "001", Primary: true}},
		Name:            "示例事项", Summary: "示例数据,以编号为主键,含区划、名称、日期和金额。", FormatCategory: "3", Formats: []string{"PostgreSQL"},
		DeclaredShare: catalog.Conditional, ShareMethods: []catalog.ShareMethod{catalog.ByAPI}, UpdateCycle: catalog.Daily,
		ProviderUnit: "信息处", UsageTerms: "仅用于申请时载明的用途", Secrecy: catalog.NotSecret, ContactName: "值班室", ContactPhone: "0575-00000000",
		ShareCondition: "经提供方审核", ShareScope: "本市各部门", SharePurpose: "办理政务服务事项",
		SecrecyAssess: assessment("保密风险评估"), PIAssess: assessment("个人信息保护影响评估"),
		HeadSignoff: &catalog.Signoff{Name: "示例负责人", Date: "2026-01-06", Document: "示例函〔2026〕1号"},
		Items:       items,
	})
	if err == nil {
		_, err = h.catalog.Submit(h.ctx, h.operator, r.ID, 0)
	}
	if err == nil {
		_, err = h.catalog.Approve(h.ctx, h.admin, r.ID, 0)
	}
	if err == nil {
		r, err = h.catalog.Publish(h.ctx, h.platform, r.ID, 0)
	}
	if err != nil {
		t.Fatalf("publishing: %v", err)
	}
	return r
}

// sql changes the department's database.
func (h *hub) sql(t *testing.T, sql string, args ...any) {
	t.Helper()
	if _, err := h.source.Exec(h.ctx, sql, args...); err != nil {
		t.Fatalf("changing the source: %v", err)
	}
}

// exec changes the hub's database.
func (h *hub) exec(t *testing.T, sql string, args ...any) {
	t.Helper()
	if _, err := h.db.Pool.Exec(h.ctx, sql, args...); err != nil {
		t.Fatalf("changing the hub's database: %v", err)
	}
}

// process is one hub process: a node and a worker with a pool of their own.
type process struct {
	db     *db.DB
	node   *Node
	worker *Worker
	stop   func() // Ends the worker gracefully and leaves the list of nodes. Safe to call twice.
}

// processOptions adjusts a process. The zero value starts a worker on a node of its own.
type processOptions struct {
	dir     string           // Data folder; "" for a new one.
	silence time.Duration    // 0 for one second.
	clock   func() time.Time // Of the node.
	idle    bool             // Do not start the worker.
}

// start runs a process until the test ends.
func (h *hub) start(t *testing.T, opt processOptions) *process {
	t.Helper()
	if opt.dir == "" {
		opt.dir = t.TempDir()
	}
	if opt.silence == 0 {
		opt.silence = time.Second
	}
	incarnation := uuid.New()
	d, err := db.Open(h.ctx, db.Options{URL: h.url, ApplicationName: ApplicationName(incarnation), MaxConns: 8})
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	node, err := NewNode(NodeOptions{DB: d, DataDir: opt.dir, Incarnation: incarnation, Role: "worker", Silence: opt.silence, Clock: opt.clock, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	if err := node.Start(h.ctx); err != nil {
		t.Fatalf("starting the node: %v", err)
	}
	p := &process{db: d, node: node}
	p.worker = NewWorker(WorkerOptions{
		DB: d, Enforcer: h.node.Enforcer, Keyring: h.keyring, Catalog: h.directory(t, d), Store: store.New(d), Node: node, RetryBase: 5 * time.Millisecond, Log: log,
	})
	ctx, cancel := context.WithCancel(context.WithoutCancel(h.ctx))
	done := make(chan struct{})
	go func() {
		defer close(done)
		if !opt.idle {
			_ = p.worker.Run(ctx)
		}
	}()
	p.stop = func() {
		cancel()
		<-done
		node.Stop(context.WithoutCancel(h.ctx))
	}
	t.Cleanup(func() {
		p.stop()
		d.Close()
	})
	return p
}

// await polls until done says so; the test fails when it does not within 20 s.
func await(t *testing.T, what string, done func() bool) {
	t.Helper()
	limit := time.NewTimer(20 * time.Second)
	defer limit.Stop()
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for !done() {
		select {
		case <-limit.C:
			t.Fatalf("waited in vain: %s", what)
		case <-ticker.C:
		}
	}
}

// run reads a run without asking policy.
func (h *hub) run(t *testing.T, id uuid.UUID) Run {
	t.Helper()
	r, err := loadRun(h.ctx, h.db.Pool, id, "")
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// final waits for a run to be over.
func (h *hub) final(t *testing.T, id uuid.UUID) Run {
	t.Helper()
	var r Run
	await(t, "the end of a run", func() bool { r = h.run(t, id); return r.State.Final() })
	return r
}

// collect asks for a run now and waits for its end.
func (h *hub) collect(t *testing.T) Run {
	t.Helper()
	r, err := h.service.RunNow(h.ctx, h.operator, h.task.ID)
	if err != nil {
		t.Fatalf("asking for a run: %v", err)
	}
	return h.final(t, r.ID)
}

// collected asks for a run now, which must succeed with these counts.
func (h *hub) collected(t *testing.T, want store.Counts) Run {
	t.Helper()
	r := h.collect(t)
	if r.State != Succeeded {
		t.Fatalf("the run ended %s: %+v", r.State, r.Error)
	}
	if r.Counts != want {
		t.Fatalf("counts: got %+v, want %+v", r.Counts, want)
	}
	if !r.Counts.Balanced() {
		t.Fatalf("counts do not balance: %+v", r.Counts)
	}
	return r
}

// titles returns the titles at the hub by key, as consumers see them; held rows bear a star.
func (h *hub) titles(t *testing.T) map[string]string {
	t.Helper()
	out := map[string]string{}
	d, err := h.node.Enforcer.Check(h.ctx, authztest.Client(h.market.ID), authz.DataPull,
		authz.Target{Kind: "resource", ShareType: "conditional", Grade: "L2", State: "published", Granted: true})
	if err != nil {
		t.Fatal(err)
	}
	_, err = h.store.Rows(h.ctx, d, store.Query{Resource: h.resource.ID, Select: []string{"i3"}}, "", 10_000, func(r store.Record) error {
		title := string(r.Cells[0])
		if r.Held {
			title += "*"
		}
		out[r.Key] = title
		return nil
	})
	if err != nil && !fault.Is(err, fault.NotFound) {
		t.Fatal(err)
	}
	return out
}

// failed asserts how a run failed.
func failed(t *testing.T, r Run, stage engine.Stage, side engine.Side, code string) {
	t.Helper()
	if r.State != Failed || r.Error == nil {
		t.Fatalf("the run ended %s with %+v, want failed", r.State, r.Error)
	}
	if r.Error.Stage != stage || r.Error.Side != side || r.Error.Code != code || r.Error.Message == "" || r.Error.Advice == "" {
		t.Fatalf("got %+v, want %s at the %s: %s", r.Error, stage, side, code)
	}
}

func wantCode(t *testing.T, err error, kind fault.Kind, code string) {
	t.Helper()
	if fault.KindOf(err) != kind || fault.CodeOf(err) != code {
		t.Fatalf("got %v, want %s %s", err, kind, code)
	}
}
