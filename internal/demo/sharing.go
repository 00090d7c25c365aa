package demo

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/shuqiao/shuqiao/api/client"
)

// system is a consuming system of a department.
type system struct {
	short      string // Name under which its key is kept.
	name       string
	department string // Key.
	purpose    string // Sent with each call.
	caseNumber string

	id     string
	key    keptKey
	grant  client.Grant
	source *entry // What it asks for.
}

func (y *system) bearer() string { return y.key.KeyID + "." + y.key.Secret }

// countyAsked is the one county (Yuecheng 越城区) whose inhabitants social security may see.
const (
	countyAsked = "330602"
	countyMoved = "330604" // Shangyu 上虞区
)

// askedItems are the eight items of the population that social security asks for.
func askedItems() []string {
	return []string{
		"citizen_id", "name", "sex_code", "birth_date", "domicile_division_code", "residence_address", "mobile", "death_date",
	}
}

// The period of the grants, and the pace of streams: at small scales it is lowered so that a stream lasts long enough to be
// stopped in the middle.
const (
	grantPeriod  = 365 * 24 * time.Hour
	streamRate   = 2000 // Rows per second.
	streamLength = 14   // Seconds at least.
)

// share lets three departments ask: one is granted after review, one at once, one is refused.
func (s *story) share(ctx context.Context) error {
	s.tell.Step(3, "Asking and deciding: an approval is a grant, and nothing else opens the data")
	population, macro := s.resources["base_population"], s.resources["base_macro_economy"]
	s.social = &system{short: "social", name: "养老待遇资格核验系统", department: "social", purpose: "pension.eligibility", caseNumber: "SB-2026-0001", source: population}
	s.civil = &system{short: "civil", name: "社会救助标准测算系统", department: "civil", purpose: "assistance.standard", caseNumber: "MZ-2026-0001", source: macro}
	s.reform = &system{short: "reform", name: "公共信用服务系统", department: "reform", purpose: "credit.profile", caseNumber: "FG-2026-0001", source: population}
	for _, y := range []*system{s.social, s.civil, s.reform} {
		if err := s.enrol(ctx, y); err != nil {
			return err
		}
	}
	if err := s.askPopulation(ctx); err != nil {
		return err
	}
	if err := s.askMacro(ctx); err != nil {
		return err
	}
	if err := s.askTooMuch(ctx); err != nil {
		return err
	}
	_, err := s.apply(ctx, s.reform, s.resources[withheld], client.Terms{Items: []string{"register_no"}})
	problem, err := refused(err, "resource_withheld")
	if err != nil {
		return err
	}
	s.tell.Refused(problem.Code, "A request for the withheld “%s”", withheld)
	return nil
}

// enrol registers a consuming system with a key. Its secret is shown once: where an earlier start was stopped before it was
// kept, another key is issued.
func (s *story) enrol(ctx context.Context, y *system) error {
	admin := y.department + "_admin"
	known, err := all[client.ConsumingSystem](ctx, s.hub, admin, "/clients")
	if err != nil {
		return err
	}
	if i := slices.IndexFunc(known, func(c client.ConsumingSystem) bool { return c.Name == y.name }); i >= 0 {
		y.id = known[i].ID
	} else {
		var made client.ConsumingSystem
		err := s.hub.post(ctx, admin, "/clients", map[string]any{
			"department_id": s.departments[y.department].ID, "name": y.name, "allowed_networks": []string{},
		}, &made)
		if err != nil {
			return fmt.Errorf("registering the system %s: %w", y.name, err)
		}
		y.id = made.ID
	}
	if y.key = s.kept.Clients[y.short]; y.key.Secret != "" {
		return nil
	}
	if y.key, err = s.issueKey(ctx, y, time.Time{}); err != nil {
		return err
	}
	s.kept.Clients[y.short] = y.key
	return s.kept.save()
}

// issueKey issues a key that ends at a moment; zero means as late as the hub allows.
func (s *story) issueKey(ctx context.Context, y *system, ends time.Time) (keptKey, error) {
	body := map[string]any{}
	if !ends.IsZero() {
		body["expires_at"] = ends
	}
	var key keptKey
	if err := s.hub.post(ctx, y.department+"_admin", "/clients/"+y.id+"/keys", body, &key); err != nil {
		return key, fmt.Errorf("issuing a key of %s: %w", y.name, err)
	}
	return key, nil
}

// apply drafts a request for a system.
func (s *story) apply(ctx context.Context, y *system, e *entry, t client.Terms) (r client.Request, err error) {
	t.ShareMethods, t.Purpose = []string{"api"}, y.purpose
	t.ValidUntil = s.Clock().Add(grantPeriod)
	if t.Lookup == nil {
		t.Lookup = []string{}
	}
	t.Unmask = []string{}
	return r, s.hub.post(ctx, y.department+"_operator", "/requests", client.Application{ClientID: y.id, ResourceID: e.resource.ID, Terms: t}, &r)
}

// filed returns the newest request of a system that is not withdrawn, whatever became of it.
func (s *story) filed(ctx context.Context, y *system, e *entry) (client.Request, bool, error) {
	list, err := all[client.Request](ctx, s.hub, y.department+"_operator", "/requests?client_id="+y.id+"&resource_id="+e.resource.ID)
	if err != nil {
		return client.Request{}, false, err
	}
	for _, r := range list {
		if r.Purpose == y.purpose && r.State != "withdrawn" {
			return r, true, nil
		}
	}
	return client.Request{}, false, nil
}

// handle takes a request from wherever it is to the provider's decision, which decide makes. It returns the request and
// whether there was something left to do.
func (s *story) handle(ctx context.Context, y *system, e *entry, t client.Terms, decide func(r *client.Request) error) (client.Request, bool, error) {
	r, ok, err := s.filed(ctx, y, e)
	if err != nil {
		return r, false, err
	}
	if !ok {
		if r, err = s.apply(ctx, y, e, t); err != nil {
			return r, false, fmt.Errorf("drafting the request of %s: %w", y.name, err)
		}
	}
	for done := false; ; done = true {
		who, step := "", ""
		switch r.State {
		case "approved", "refused":
			return r, done, nil
		case "draft":
			who, step = y.department+"_operator", "submit"
		case "dept_review":
			who, step = y.department+"_admin", "sign"
		case "pending_acceptance":
			who, step = "platform_operator", "accept"
		case "in_review":
			if err := decide(&r); err != nil {
				return r, done, fmt.Errorf("deciding the request of %s: %w", y.name, err)
			}
			continue
		default:
			return r, done, untrue("the request of %s is in state %s", y.name, r.State)
		}
		before := r.State
		if err := s.hub.post(ctx, who, "/requests/"+r.ID+"/"+step, nil, &r); err != nil {
			return r, done, fmt.Errorf("%s of the request of %s: %w", step, y.name, err)
		}
		if r.State == before {
			return r, done, untrue("the request of %s stays %s after %s", y.name, r.State, step)
		}
	}
}

// readGrant reads the grant of an approved request.
func (s *story) readGrant(ctx context.Context, y *system, r client.Request) error {
	if r.State != "approved" {
		return untrue("the request of %s is %s instead of approved", y.name, r.State)
	}
	return s.hub.get(ctx, y.department+"_operator", "/grants/"+r.GrantID, &y.grant)
}

func (s *story) askPopulation(ctx context.Context) error {
	y := s.social
	rate, err := s.paceOf(ctx, y.source)
	if err != nil {
		return err
	}
	filter, err := json.Marshal(map[string]string{"op": "prefix", "item": "domicile_division_code", "value": countyAsked})
	if err != nil {
		return fmt.Errorf("writing the row filter: %w", err)
	}
	var due string
	r, news, err := s.handle(ctx, y, y.source, client.Terms{
		Items: askedItems(), RowFilter: filter, Lookup: []string{"citizen_id"},
		LegalBasis: "《中华人民共和国社会保险法》第七十四条", Scenario: "养老保险待遇领取资格核验", PurposeText: "核验领取养老待遇人员的生存状态和户籍",
		Quota: 50_000_000, QuotaPeriod: "month", RateCalls: 200, RateRows: rate,
	}, func(r *client.Request) error {
		if r.DueAt != nil {
			due = r.DueAt.Local().Format(time.DateOnly)
		}
		return s.hub.post(ctx, "police_admin", "/requests/"+r.ID+"/approve", client.Conditions{Opinion: "同意，按申请范围共享，证件号码等脱敏"}, r)
	})
	if err != nil {
		return err
	}
	if err := s.readGrant(ctx, y, r); err != nil {
		return err
	}
	if y.grant.State == "suspended" {
		// An earlier start was stopped between suspending and resuming.
		if err := s.hub.post(ctx, "police_admin", "/grants/"+y.grant.ID+"/resume", reason("恢复演示"), &y.grant); err != nil {
			return fmt.Errorf("resuming the grant: %w", err)
		}
	}
	if y.grant.State != "active" || len(y.grant.Items) != len(askedItems()) || len(y.grant.Masks) == 0 || len(y.grant.Lookup) != 1 {
		return untrue("the population grant is %s with %d items, %d masks and %d look-ups", y.grant.State, len(y.grant.Items), len(y.grant.Masks), len(y.grant.Lookup))
	}
	if !news {
		s.tell.Already("social security holds a grant on “%s”", y.source.resource.Name)
		return nil
	}
	s.tell.Done("Social security asks for “%s”: 8 items, only Yuecheng 越城区, purpose %s, a year, a quota.", y.source.resource.Name, y.purpose)
	s.tell.Note("Its head signs, the data bureau accepts (the reply is due on %s), public security approves: that is the grant, active at once.", due)
	s.tell.Note("%d of the 8 items are masked; single persons may be looked up by their clear ID number.", len(y.grant.Masks))
	return nil
}

// reason is the body of a move that needs one.
func reason(text string) map[string]string { return map[string]string{"reason": text} }

// paceOf returns the rows per second of the grant's streams.
func (s *story) paceOf(ctx context.Context, e *entry) (int, error) {
	conn, err := pgx.Connect(ctx, s.sources.owner(e.database.Name))
	if err != nil {
		return 0, fmt.Errorf("connecting to the source: %w", err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	var rows int
	column := pgx.Identifier{e.table.Mapping()["domicile_division_code"]}.Sanitize()
	query := "SELECT count(*) FROM " + pgx.Identifier{"public", e.table.Name}.Sanitize() + " WHERE starts_with(" + column + ", $1)"
	if err := conn.QueryRow(ctx, query, countyAsked).Scan(&rows); err != nil {
		return 0, fmt.Errorf("counting the inhabitants of %s: %w", countyAsked, err)
	}
	return max(1, min(streamRate, rows/streamLength)), nil
}

func (s *story) askMacro(ctx context.Context) error {
	y, e := s.civil, s.civil.source
	r, err := s.entry(ctx, e.admin(), e.resource.ID)
	if err != nil {
		return err
	}
	if r.StandingConsent == nil {
		consent := client.StandingConsent{By: "示例负责人", Date: signedOn, Document: "示例同意〔2026〕1号"}
		if err := s.hub.put(ctx, e.admin(), "/resources/"+e.resource.ID+"/consent", map[string]string{
			"by": consent.By, "date": consent.Date, "document": consent.Document,
		}, &r); err != nil {
			return fmt.Errorf("recording the standing consent: %w", err)
		}
	}
	asked := s.Clock()
	request, news, err := s.handle(ctx, y, e, client.Terms{
		Items:      []string{"indicator_code", "indicator_name", "unit", "period", "division_code", "value", "source_org", "version"},
		LegalBasis: "《社会救助暂行办法》第十条", Scenario: "最低生活保障标准测算", PurposeText: "参考宏观经济指标测算救助标准",
		Quota: 10_000_000, QuotaPeriod: "month", RateCalls: 200,
	}, func(*client.Request) error { return untrue("the unconditional request waits for a review") })
	if err != nil {
		return err
	}
	if err := s.readGrant(ctx, y, request); err != nil {
		return err
	}
	if !y.grant.Standing || y.grant.State != "active" {
		return untrue("civil affairs' grant is %s and not by the standing consent", y.grant.State)
	}
	if !news {
		s.tell.Already("civil affairs holds a grant on “%s”", e.resource.Name)
		return nil
	}
	s.tell.Done("Civil affairs asks for “%s”, which is shared without condition: granted %d ms after it began to ask.", e.resource.Name, s.Clock().Sub(asked).Milliseconds())
	s.tell.Note("The statistics bureau has recorded its standing consent, so nobody has to decide again.")
	return nil
}

func (s *story) askTooMuch(ctx context.Context) error {
	y := s.reform
	r, news, err := s.handle(ctx, y, y.source, client.Terms{
		Items:      []string{"citizen_id", "name", "mobile", "residence_address", "household_no", "marital_status_code", "employer"},
		LegalBasis: "《社会信用体系建设规划纲要》", Scenario: "建立居民信用画像", PurposeText: "为全体居民生成信用画像",
	}, func(r *client.Request) error {
		return s.hub.post(ctx, "police_admin", "/requests/"+r.ID+"/refuse", map[string]string{
			"code": "scope_excessive", "reason": "申请全市居民的婚姻、工作和联系信息，超出所述用途需要；请限定人员范围和信息项后重新申请",
		}, r)
	})
	if err != nil {
		return err
	}
	if r.State != "refused" || r.RefusalCode != "scope_excessive" || strings.TrimSpace(r.RefusalReason) == "" {
		return untrue("the third request is %s (%s) instead of refused with reasons", r.State, r.RefusalCode)
	}
	if !news {
		s.tell.Already("the third request is refused with reasons")
		return nil
	}
	s.tell.Refused(r.RefusalCode, "The credit commission asks for everybody's marriage, work and contacts")
	s.tell.Note("Public security must say why: “%s”.", r.RefusalReason)
	return nil
}
