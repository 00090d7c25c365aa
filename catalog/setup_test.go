package catalog_test

import (
	"context"
	"fmt"
	"net/url"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/authz/authztest"
	"github.com/shuqiao/shuqiao/catalog"
	"github.com/shuqiao/shuqiao/catalog/codes"
	"github.com/shuqiao/shuqiao/connectors/all"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
	"github.com/shuqiao/shuqiao/internal/pgtest"
	"github.com/shuqiao/shuqiao/internal/secret"
)

// today is the day on which the tests happen.
var today = time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC)

// testBundle is a directory over a fresh database, with two departments and people in them.
type testBundle struct {
	ctx     context.Context
	db      *db.DB
	node    *authztest.Node
	service *catalog.Service
	police  catalog.Department
	market  catalog.Department

	system, platform                           authz.Principal
	operator, admin, marketOperator, marketAdm authz.Principal
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
	service, err := catalog.New(catalog.Options{
		DB: d, Enforcer: node.Enforcer, Keyring: keyring, Connectors: registry, Clock: func() time.Time { return today },
	})
	if err != nil {
		t.Fatal(err)
	}
	b := &testBundle{ctx: t.Context(), db: d, node: node, service: service}
	b.system = authztest.Person(uuid.Nil, authz.SystemAdmin)
	b.police = b.department(t, "示例市公安局", 1)
	b.market = b.department(t, "示例市市场监督管理局", 2)
	bureau := b.department(t, "示例市数据局", 3)
	b.platform = authztest.Person(bureau.ID, authz.PlatformOperator)
	b.operator = authztest.Person(b.police.ID, authz.DeptOperator)
	b.admin = authztest.Person(b.police.ID, authz.DeptAdmin)
	b.marketOperator = authztest.Person(b.market.ID, authz.DeptOperator)
	b.marketAdm = authztest.Person(b.market.ID, authz.DeptAdmin)
	return b
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

func (b *testBundle) department(t testing.TB, name string, n int) catalog.Department {
	t.Helper()
	d, err := b.service.CreateDepartment(b.ctx, b.system, catalog.Department{USCC: creditCode(t, n), Name: name, DivisionCode: "330600", Level: "city"})
	if err != nil {
		t.Fatalf("creating department: %v", err)
	}
	return d
}

// complete adds to what a template states everything else that Check demands.
func complete(m catalog.Metadata) catalog.Metadata {
	m.ProviderUnit = "信息处"
	m.UsageTerms = "仅用于申请时载明的用途"
	m.Secrecy = catalog.NotSecret
	m.ContactName, m.ContactPhone = "值班室", "0575-00000000"
	if m.DeclaredShare == catalog.Conditional {
		m.ShareCondition, m.ShareScope, m.SharePurpose = "经提供方审核", "本市各部门", "办理政务服务事项"
	}
	assessment := func(title string) *catalog.Assessment {
		return &catalog.Assessment{Title: title, Date: "2026-11-02", Conclusion: "可以编目", SHA256: fmt.Sprintf("%064x", 7)}
	}
	m.SecrecyAssess, m.PIAssess = assessment("保密风险评估"), assessment("个人信息保护影响评估")
	m.HeadSignoff = &catalog.Signoff{Name: "示例负责人", Date: "2026-11-03", Document: "示例函〔2026〕1号"}
	return m
}

// small is a complete conditional entry with three items.
func small(name string) catalog.Metadata {
	return complete(catalog.Metadata{
		Classifications: []catalog.Classification{{Class1: "1", Class2: "01", Class3: "001", Class4: "001", Primary: true}},
		Name:            name,
		Summary:         "示例数据,以编号为主键,含编号、名称和备注。",
		FormatCategory:  "3",
		Formats:         []string{"PostgreSQL"},
		DeclaredShare:   catalog.Conditional,
		ShareMethods:    []catalog.ShareMethod{catalog.ByAPI},
		UpdateCycle:     catalog.Daily,
		Items: []catalog.Item{
			{Name: "编号", Identifier: "no", DataType: catalog.Char, Length: 20, Key: true, Required: true, ShareType: catalog.Unconditional, Grade: catalog.L1},
			{Name: "名称", Identifier: "title", DataType: catalog.Char, Length: 100, ShareType: catalog.Conditional, Grade: catalog.L2},
			{Name: "备注", Identifier: "remark", DataType: catalog.Memo, ShareType: catalog.Conditional, Grade: catalog.L2},
		},
	})
}

// withheld turns an entry into one that is withheld with everything the law demands for it.
func withheld(m catalog.Metadata) catalog.Metadata {
	m.DeclaredShare = catalog.Withheld
	m.ShareCondition, m.ShareScope, m.SharePurpose, m.ShareMethods = "", "", "", nil
	m.WithholdReason = "法律明确规定不得提供"
	m.WithholdBasis = &catalog.WithholdBasis{Rank: "law", Title: "示例法", Article: "第一条"}
	m.WithholdRuling = &catalog.WithholdRuling{Body: "示例市人民政府", DocumentNo: "示例政〔2026〕1号", Date: "2026-10-08"}
	m.Items = append([]catalog.Item(nil), m.Items...)
	for i := range m.Items {
		m.Items[i].ShareType, m.Items[i].Filterable = catalog.Withheld, false
	}
	return m
}

// publish takes a new entry of the police all the way.
func (b *testBundle) publish(t *testing.T, m catalog.Metadata) catalog.Resource {
	t.Helper()
	r, err := b.service.CreateResource(b.ctx, b.operator, m)
	if err != nil {
		t.Fatalf("creating %s: %v", m.Name, err)
	}
	return b.review(t, r.ID)
}

// review submits, approves and publishes the newest version of an entry of the police.
func (b *testBundle) review(t *testing.T, id uuid.UUID) catalog.Resource {
	t.Helper()
	if _, err := b.service.Submit(b.ctx, b.operator, id, 0); err != nil {
		t.Fatalf("submitting: %v", err)
	}
	if _, err := b.service.Approve(b.ctx, b.admin, id, 0); err != nil {
		t.Fatalf("approving: %v", err)
	}
	r, err := b.service.Publish(b.ctx, b.platform, id, 0)
	if err != nil {
		t.Fatalf("publishing: %v", err)
	}
	return r
}

// sourceDatabase makes a department's database with what sql says, and the settings of a source for it.
func sourceDatabase(t testing.TB, sql string) map[string]string {
	t.Helper()
	address := pgtest.Empty(t)
	conn, err := pgx.Connect(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(t.Context()))
	if _, err := conn.Exec(t.Context(), sql); err != nil {
		t.Fatalf("filling the source: %v", err)
	}
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return map[string]string{"dsn": u.String()}
}

func wantCode(t *testing.T, err error, kind fault.Kind, code string) {
	t.Helper()
	if fault.KindOf(err) != kind || fault.CodeOf(err) != code {
		t.Fatalf("got %v, want %s %s", err, kind, code)
	}
}
