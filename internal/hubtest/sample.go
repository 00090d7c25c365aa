package hubtest

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/shuqiao/shuqiao/api/client"
	"github.com/shuqiao/shuqiao/internal/pgtest"
)

// Sample is a small world around one hub: a provider with a source database and a published, mounted, collected resource,
// and a consumer with a client.
type Sample struct {
	Staff    Staff
	Provider Bureau
	Consumer Bureau
	Source   *pgxpool.Pool // The provider's database; the table is public.thing.
	DSN      string        // Of the source.
	SourceID string        // The source as the hub knows it.
	Resource client.Resource
	Task     client.Task
	System   client.ConsumingSystem
	Key      client.IssuedKey
	Client   *client.Client // Signs with the key.
}

// Thing is the table of the sample's source. no is the key, division the filterable item; born is text, so that it can be
// wrong.
const Thing = `CREATE TABLE thing (no varchar(20), division varchar(6), title varchar(150), born varchar(20), amount numeric(12,3))`

// Sample builds the world through the contract, with rows T000001… whose every third is of division 330603 and the others
// of 330602, and collects them.
func (h *Hub) Sample(t testing.TB, rows int) Sample {
	t.Helper()
	ctx := t.Context()
	s := Sample{Staff: h.SetUp(t)}
	s.Provider = h.Bureau(t, s.Staff, 1, "示例市公安局", "police")
	s.Consumer = h.Bureau(t, s.Staff, 2, "示例市人社局", "social")

	s.DSN = pgtest.Empty(t)
	var err error
	if s.Source, err = pgxpool.New(ctx, s.DSN); err != nil {
		t.Fatalf("opening the source: %v", err)
	}
	t.Cleanup(s.Source.Close)
	for _, sql := range []string{Thing, fmt.Sprintf(`
		INSERT INTO thing SELECT 'T' || lpad(n::text, 6, '0'), CASE WHEN n %% 3 = 0 THEN '330603' ELSE '330602' END,
			'示例事项' || n, to_char(date '2000-01-01' + n %% 9000, 'YYYY-MM-DD'), n * 1.5
		FROM generate_series(1, %d) n`, rows)} {
		if _, err := s.Source.Exec(ctx, sql); err != nil {
			t.Fatalf("filling the source: %v", err)
		}
	}
	source, err := s.Provider.Operator.CreateSource(ctx, client.SourceInput{Name: "示例库", Driver: "postgres", Settings: map[string]string{"dsn": s.DSN}})
	if err != nil {
		t.Fatalf("creating the source: %v", err)
	}
	s.SourceID = source.ID
	s.Resource, s.Task = s.Offer(t, Metadata("示例事项"), "public.thing")
	if run := s.Collect(t); run.State != "succeeded" {
		t.Fatalf("the run ended as %s: %+v", run.State, run.Error)
	}
	if s.System, err = s.Consumer.Admin.CreateConsumingSystem(ctx, s.Consumer.ID, "示例业务系统", nil); err != nil {
		t.Fatalf("creating the client: %v", err)
	}
	if s.Key, err = s.Consumer.Admin.IssueKey(ctx, s.System.ID, time.Time{}); err != nil {
		t.Fatalf("issuing a key: %v", err)
	}
	s.Client = h.Anonymous.As(s.Key.Token())
	return s
}

// Metadata is what the sample's provider states about its resource: complete, conditional, five items, no as key.
func Metadata(name string) client.Metadata {
	assessment := func(title string) *client.Assessment {
		return &client.Assessment{Title: title, Date: "2026-01-05", Conclusion: "可以编目", SHA256: strings.Repeat("0", 63) + "7"}
	}
	item := func(name, identifier, letter string, length, scale int) client.Item {
		return client.Item{Name: name, Identifier: identifier, DataType: letter, Length: length, Scale: scale, ShareType: "conditional", Grade: "L2"}
	}
	items := []client.Item{
		item("编号", "no", "C", 20, 0), item("区划", "division", "C", 6, 0), item("名称", "title", "C", 100, 0),
		item("日期", "born", "D", 0, 0), item("金额", "amount", "N", 12, 3),
	}
	items[0].Key, items[0].Required, items[1].Filterable = true, true, true
	return client.Metadata{
		Classifications: []client.Classification{{Class1: "1", Class2: "01", Class3: "001", Class4: "001", Primary: true}},
		Name:            name, Summary: "示例数据,以编号为主键,含区划、名称、日期和金额。", FormatCategory: "3", Formats: []string{"PostgreSQL"},
		DeclaredShare: "conditional", ShareMethods: []string{"api"}, UpdateCycle: "daily",
		ProviderUnit: "信息处", UsageTerms: "仅用于申请时载明的用途", Secrecy: "非涉密", ContactName: "值班室", ContactPhone: "0575-00000000",
		ShareCondition: "经提供方审核", ShareScope: "本市各部门", SharePurpose: "办理政务服务事项",
		SecrecyAssess: assessment("保密风险评估"), PIAssess: assessment("个人信息保护影响评估"),
		HeadSignoff: &client.Signoff{Name: "示例负责人", Date: "2026-01-06", Document: "示例函〔2026〕1号"},
		Items:       items,
	}
}

// Offer publishes what m states for the provider, feeds each item from the column of its identifier in an object of the
// source, and makes the task that collects it.
func (s Sample) Offer(t testing.TB, m client.Metadata, object string) (client.Resource, client.Task) {
	t.Helper()
	ctx := t.Context()
	r, err := s.Provider.Operator.CreateResource(ctx, "", m)
	if err == nil {
		_, err = s.Provider.Operator.MoveResource(ctx, r.ID, "submit")
	}
	if err == nil {
		_, err = s.Provider.Admin.MoveResource(ctx, r.ID, "approve")
	}
	if err == nil {
		r, err = s.Staff.Operator.MoveResource(ctx, r.ID, "publish")
	}
	if err != nil {
		t.Fatalf("publishing: %v", err)
	}
	columns := make([]client.MountColumn, 0, len(r.Version.Items))
	for _, item := range r.Version.Items {
		columns = append(columns, client.MountColumn{ItemNo: item.No, Column: item.Identifier})
	}
	mount, err := s.Provider.Operator.CreateMount(ctx, r.ID, client.MountInput{
		SourceID: s.SourceID, Object: object, DeleteRule: "missing", Columns: columns,
	})
	if err == nil {
		var report client.MountReport
		if report, err = s.Provider.Operator.CheckMount(ctx, mount.ID); err == nil && len(report.Blocks) > 0 {
			t.Fatalf("mounting: %+v", report.Blocks)
		}
	}
	if err == nil {
		_, err = s.Provider.Admin.ActivateMount(ctx, mount.ID)
	}
	if err != nil {
		t.Fatalf("mounting: %v", err)
	}
	task, err := s.Provider.Operator.CreateTask(ctx, client.NewTask{ResourceID: r.ID})
	if err != nil {
		t.Fatalf("creating the task: %v", err)
	}
	return r, task
}

// Collect runs the sample's task and returns the run when it is over.
func (s Sample) Collect(t testing.TB) client.Run {
	t.Helper()
	run, err := s.Provider.Operator.RunNow(t.Context(), s.Task.ID)
	if err != nil {
		t.Fatalf("starting the run: %v", err)
	}
	return WaitRun(t, s.Provider.Operator, run.ID)
}

// Terms asks for the rows of division 330602 with four of the five items, for a year.
func (s Sample) Terms() client.Terms {
	return client.Terms{
		Items: []string{"no", "division", "title", "born"}, RowFilter: json.RawMessage(`{"op":"eq","item":"division","value":"330602"}`),
		ShareMethods: []string{"api"}, LegalBasis: "政务数据共享条例第二十条", Scenario: "待遇资格核验", Purpose: "benefit-check",
		PurposeText: "核验待遇资格", ValidUntil: time.Now().AddDate(1, 0, 0).UTC().Truncate(time.Second),
	}
}

// Grant asks for, signs, accepts and approves, and returns the grant.
func (s Sample) Grant(t testing.TB, terms client.Terms) client.Grant {
	t.Helper()
	ctx := t.Context()
	r, err := s.Consumer.Operator.CreateRequest(ctx, client.Application{ClientID: s.System.ID, ResourceID: s.Resource.ID, Terms: terms})
	if err == nil {
		_, err = s.Consumer.Operator.MoveRequest(ctx, r.ID, "submit")
	}
	if err == nil {
		_, err = s.Consumer.Admin.MoveRequest(ctx, r.ID, "sign")
	}
	if err == nil {
		_, err = s.Staff.Operator.MoveRequest(ctx, r.ID, "accept")
	}
	if err == nil {
		r, err = s.Provider.Admin.Approve(ctx, r.ID, client.Conditions{})
	}
	if err != nil {
		t.Fatalf("asking for a grant: %v", err)
	}
	g, err := s.Provider.Admin.Grant(ctx, r.GrantID)
	if err != nil {
		t.Fatalf("reading the grant: %v", err)
	}
	return g
}

// WaitRun returns a run when it is over. It fails the test after a minute.
func WaitRun(t testing.TB, c *client.Client, id string) client.Run {
	t.Helper()
	deadline := time.After(time.Minute)
	for {
		r, err := c.Run(t.Context(), id)
		if err != nil {
			t.Fatalf("reading the run: %v", err)
		}
		switch r.State {
		case "succeeded", "partial", "failed", "cancelled":
			return r
		}
		select {
		case <-deadline:
			t.Fatalf("the run is still %s in stage %s", r.State, r.Stage)
		case <-time.After(50 * time.Millisecond):
		}
	}
}
