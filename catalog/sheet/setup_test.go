package sheet

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"testing"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/authz/authztest"
	"github.com/shuqiao/shuqiao/catalog"
	"github.com/shuqiao/shuqiao/catalog/codes"
	"github.com/shuqiao/shuqiao/connectors/all"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
	"github.com/shuqiao/shuqiao/internal/secret"
)

// testBundle is a hub's directory with two departments and people in them.
type testBundle struct {
	ctx     context.Context
	db      *db.DB
	catalog *catalog.Service
	service *Service
	police  catalog.Department
	market  catalog.Department

	platform, operator, admin, market1 authz.Principal
}

func setup(t testing.TB) *testBundle {
	t.Helper()
	d := authztest.Open(t)
	node := authztest.Start(t, d)
	keyring, err := secret.OpenKeyring(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	registry, err := all.Registry()
	if err != nil {
		t.Fatal(err)
	}
	directory, err := catalog.New(catalog.Options{DB: d, Enforcer: node.Enforcer, Keyring: keyring, Connectors: registry})
	if err != nil {
		t.Fatal(err)
	}
	b := &testBundle{ctx: t.Context(), db: d, catalog: directory}
	system := authztest.Person(uuid.Nil, authz.SystemAdmin)
	department := func(name string, n int) catalog.Department {
		created, err := directory.CreateDepartment(b.ctx, system, catalog.Department{USCC: creditCode(t, n), Name: name, DivisionCode: "330600", Level: "city"})
		if err != nil {
			t.Fatal(err)
		}
		return created
	}
	b.police, b.market = department("示例市公安局", 1), department("示例市市场监督管理局", 2)
	bureau := department("示例市数据局", 3)
	b.platform = authztest.Person(bureau.ID, authz.PlatformOperator)
	b.operator, b.admin = authztest.Person(b.police.ID, authz.DeptOperator), authztest.Person(b.police.ID, authz.DeptAdmin)
	b.market1 = authztest.Person(b.market.ID, authz.DeptOperator)
	people := map[uuid.UUID]authz.Principal{b.operator.ID: b.operator, b.market1.ID: b.market1}
	b.service = New(Options{DB: d, Enforcer: node.Enforcer, Catalog: directory, Person: func(_ context.Context, id uuid.UUID) (authz.Principal, error) {
		return people[id], nil
	}})
	return b
}

// creditCode makes a well-formed credit code that no organisation can have: its organisation part starts with QQ.
func creditCode(t testing.TB, n int) string {
	t.Helper()
	org := fmt.Sprintf("QQ%06d", n)
	c, _ := codes.OrgCodeCheckChar(org)
	body := "11330600" + org + string(c)
	u, ok := codes.USCCCheckChar(body)
	if !ok {
		t.Fatalf("no check character for %s", body)
	}
	return body + string(u)
}

// small is a complete conditional entry with three items.
func small(name string) catalog.Metadata {
	assessment := func(title string) *catalog.Assessment {
		return &catalog.Assessment{Title: title, Date: "2026-11-02", Conclusion: "可以编目", SHA256: fmt.Sprintf("%064x", 7)}
	}
	return catalog.Metadata{
		Classifications: []catalog.Classification{{Class1: "1", Class2: "01", Class3: "001", Class4: "001", Primary: true}},
		Name:            name, ProviderUnit: "信息处",
		Summary:        "示例数据,以编号为主键,含编号、名称和备注。",
		FormatCategory: "3", Formats: []string{"PostgreSQL"}, DeclaredShare: catalog.Conditional, ShareMethods: []catalog.ShareMethod{catalog.ByAPI},
		ShareCondition: "经提供方审核", ShareScope: "本市各部门", SharePurpose: "办理政务服务事项", UpdateCycle: catalog.Daily, UsageTerms: "仅用于申请时载明的用途",
		Secrecy: catalog.NotSecret, ContactName: "值班室", ContactPhone: "0575-00000000",
		SecrecyAssess: assessment("保密风险评估"), PIAssess: assessment("个人信息保护影响评估"),
		HeadSignoff: &catalog.Signoff{Name: "示例负责人", Date: "2026-11-03", Document: "示例函〔2026〕1号"},
		Items: []catalog.Item{
			{Name: "编号", Identifier: "no", DataType: catalog.Char, Length: 20, Key: true, Required: true, ShareType: catalog.Unconditional, Grade: catalog.L1},
			{Name: "名称", Identifier: "title", DataType: catalog.Char, Length: 100, ShareType: catalog.Conditional, Grade: catalog.L2},
			{Name: "备注", Identifier: "remark", DataType: catalog.Memo, ShareType: catalog.Conditional, Grade: catalog.L2},
		},
	}
}

func (b *testBundle) create(t *testing.T, m catalog.Metadata) catalog.Resource {
	t.Helper()
	r, err := b.catalog.CreateResource(b.ctx, b.operator, m)
	if err != nil {
		t.Fatalf("creating %s: %v", m.Name, err)
	}
	return r
}

func (b *testBundle) publish(t *testing.T, m catalog.Metadata) catalog.Resource {
	t.Helper()
	r := b.create(t, m)
	if _, err := b.catalog.Submit(b.ctx, b.operator, r.ID, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := b.catalog.Approve(b.ctx, b.admin, r.ID, 0); err != nil {
		t.Fatal(err)
	}
	r, err := b.catalog.Publish(b.ctx, b.platform, r.ID, 0)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// check receives a file and has it checked.
func (b *testBundle) check(t *testing.T, p authz.Principal, mode Mode, file []byte) Job {
	t.Helper()
	j, err := b.service.Receive(b.ctx, p, "示例.xlsx", mode, bytes.NewReader(file))
	if err != nil {
		t.Fatalf("receiving: %v", err)
	}
	return b.work(t, p, j.ID)
}

// work lets the service take every step that waits.
func (b *testBundle) work(t testing.TB, p authz.Principal, id uuid.UUID) Job {
	t.Helper()
	for {
		worked, err := b.service.work(b.ctx)
		if err != nil {
			t.Fatal(err)
		}
		if !worked {
			break
		}
	}
	j, err := b.service.Import(b.ctx, p, id)
	if err != nil {
		t.Fatal(err)
	}
	return j
}

// run checks and applies a file that must be right.
func (b *testBundle) run(t *testing.T, p authz.Principal, file []byte) Job {
	t.Helper()
	j := b.check(t, p, AllRows, file)
	if j.State != Checked || j.Troubles > 0 {
		t.Fatalf("got %s %s %s with %d troubles: %v", j.State, j.Reason, j.Message, j.Troubles, b.lines(t, p, j))
	}
	if j.Added+j.Changed == 0 {
		return j
	}
	if _, err := b.service.Apply(b.ctx, p, j.ID, j.RowVersion); err != nil {
		t.Fatalf("applying: %v", err)
	}
	if j = b.work(t, p, j.ID); j.State != Done {
		t.Fatalf("got %s %s %s", j.State, j.Reason, j.Message)
	}
	return j
}

// lines are what is wrong, as "sheet cell code".
func (b *testBundle) lines(t *testing.T, p authz.Principal, j Job) []string {
	t.Helper()
	all, _, err := b.service.Errors(b.ctx, p, j.ID, db.Page{Limit: 500})
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, l := range all {
		out = append(out, l.Sheet+" "+l.Cell+" "+l.Column+" "+l.Code)
	}
	return out
}

// export is what p exports, as bytes.
func (b *testBundle) export(t *testing.T, p authz.Principal, format Format) []byte {
	t.Helper()
	s, err := b.service.Export(b.ctx, p, Selection{}, format)
	if err != nil {
		t.Fatalf("exporting: %v", err)
	}
	return drained(t, s)
}

func drained(t *testing.T, s *Spool) []byte {
	t.Helper()
	defer s.Close()
	raw, err := io.ReadAll(s)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func wantCode(t *testing.T, err error, kind fault.Kind, code string) {
	t.Helper()
	if fault.KindOf(err) != kind || fault.CodeOf(err) != code {
		t.Fatalf("got %v, want %s %s", err, kind, code)
	}
}
