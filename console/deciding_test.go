package console_test

import (
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/audit"
	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/authz/identity"
	"github.com/shuqiao/shuqiao/catalog"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/sharing"
)

// TestDeciding walks what approvers do: looking at a request, narrowing it, deciding beside others, and looking after what they granted.
func TestDeciding(t *testing.T) {
	t.Parallel()
	h := setup(t)
	t.Run("the page holds what is decided on", func(t *testing.T) { testReview(t, h) })
	t.Run("each condition becomes a term of the grant", func(t *testing.T) { testConditions(t, h) })
	t.Run("what is wrong is said at its field, and before it is sent", func(t *testing.T) { testWiderConditions(t, h) })
	t.Run("two approvers at once", func(t *testing.T) { testTwoApprovers(t, h) })
	t.Run("accepting and deciding in one step", func(t *testing.T) { testAcceptAndDecide(t, h) })
	t.Run("the list of grants", func(t *testing.T) { testGrantList(t, h) })
	t.Run("the page of a grant", func(t *testing.T) { testGrantPage(t, h) })
	t.Run("what a restore suspended", func(t *testing.T) { testRestored(t, h) })
	t.Run("addresses of forms lead to their pages", func(t *testing.T) { testFormAddresses(t, h) })
	t.Run("an entry changes in sight of those who use it", func(t *testing.T) { testChanges(t, h) })
}

// asked makes a request of social security for population in the state in_review, or before it.
func (h *hub) asked(t testing.TB, upTo sharing.RequestState, edit ...func(*sharing.Application)) sharing.Request {
	t.Helper()
	a := sharing.Application{ClientID: h.client.ID, ResourceID: h.population.ID, Terms: sharing.Terms{
		Items: []string{"citizen_id", "name", "sex_code"}, Lookup: []string{"citizen_id"}, Unmask: []string{"name"}, ShareMethods: []catalog.ShareMethod{catalog.ByAPI},
		RowFilter:  []byte(`{"op":"eq","item":"domicile_division_code","value":"330602"}`),
		LegalBasis: "示例条例第一条", Scenario: "资格核验", Purpose: "pension-check", PurposeText: "养老待遇资格核验",
		ValidUntil: time.Date(2027, 6, 30, 15, 59, 59, 0, time.UTC), Quota: 1000, QuotaPeriod: "day", RateCalls: 50, RateRows: 500,
	}}
	for _, e := range edit {
		e(&a)
	}
	r, err := h.sharing.CreateRequest(h.ctx, h.people["social_operator"], a)
	if err == nil {
		r, err = h.sharing.Submit(h.ctx, h.people["social_operator"], r.ID, 0)
	}
	if err == nil {
		r, err = h.sharing.Sign(h.ctx, h.people["social_admin"], r.ID, 0, "同意申请")
	}
	if err == nil && upTo == sharing.RequestInReview {
		r, err = h.sharing.Accept(h.ctx, h.people["platform_operator"], r.ID, 0, "")
	}
	if err != nil {
		t.Fatalf("asking: %v", err)
	}
	return r
}

// granted makes a grant of population on the terms that were asked for.
func (h *hub) granted(t testing.TB, edit ...func(*sharing.Application)) sharing.Grant {
	t.Helper()
	r, err := h.sharing.Approve(h.ctx, h.people["police_admin"], h.asked(t, sharing.RequestInReview, edit...).ID, 0, sharing.Conditions{})
	if err != nil {
		t.Fatalf("approving: %v", err)
	}
	return h.grant(t, r.GrantID)
}

func (h *hub) grant(t testing.TB, id uuid.UUID) sharing.Grant {
	t.Helper()
	g, err := h.sharing.GetGrant(h.ctx, h.people["police_admin"], id)
	if err != nil {
		t.Fatalf("reading a grant: %v", err)
	}
	return g
}

// wants checks that a page holds all of some texts.
func wants(t testing.TB, what, page string, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if !strings.Contains(page, text) {
			t.Errorf("%s lacks %q", what, text)
		}
	}
}

// lacks checks that a page holds none of some texts.
func lacks(t testing.TB, what, page string, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if strings.Contains(page, text) {
			t.Errorf("%s holds %q", what, text)
		}
	}
}

// testReview: the five facts, the items as asked for, the difference from what is in force, the clock and who acted are on one
// page, for both sides; only who may approve has the form.
func testReview(t *testing.T, h *hub) {
	old := h.granted(t, func(a *sharing.Application) {
		a.Unmask, a.Items, a.Quota = nil, []string{"citizen_id", "sex_code"}, 2000
	})
	path := "/ui/requests/" + h.asked(t, sharing.RequestInReview).ID.String()
	police := h.as(t, "police_admin")
	_, page := police.get(path)
	wants(t, "the approver's page", page, "示例条例第一条", "资格核验", "越城区", "接口", "2027-06-30 23:59", h.client.Name, "申请不脱敏", "身份证号",
		`id="against"`, `/ui/grants/`+old.ID.String(), `title="wider"`, `title="narrower"`, `<span class="added">姓名</span>`, "个工作日",
		"示例市公安局共享工作机构负责人审核", "同意申请", "social_admin", `id="move-approve"`, `id="move-refuse"`, `id="outlook"`, `data-confirm="不同意示例市人力资源和社会保障局使用`)
	_, page = h.as(t, "social_operator").get(path)
	wants(t, "the consumer's page", page, `id="against"`, "示例条例第一条")
	lacks(t, "the consumer's page", page, `id="move-approve"`, `id="do-approve"`, `id="outlook"`)
	_, page = h.as(t, "platform_operator").get(path)
	wants(t, "the authority's page", page, `id="move-supplement"`, `id="move-extend"`, "只能通知补正一次")
	lacks(t, "the authority's page", page, `id="move-approve"`)
	if status, _ := h.as(t, "auditor").get(path); status != http.StatusNotFound {
		t.Errorf("the auditor's page: %d", status)
	}
	for _, name := range []string{"social_admin", "platform_operator"} {
		if status, _ := h.as(t, name).post(path + "/outlook"); status != http.StatusNotFound {
			t.Errorf("the outlook for %s: %d", name, status)
		}
	}
	police.post("/ui/language", "language", "en")
	_, page = police.get(path)
	wants(t, "the page in English", page, "Compared with what is in force", "working days left", "Human Resources and Social Security Bureau", "The grant will be")
	if found := regexp.MustCompile(`>(?:approve|outlook|brings|waits|change|compare_terms|request)\.[a-z_]+<`).FindString(page); found != "" {
		t.Errorf("the page in English shows the key %s", found)
	}
}

// termsForm is the form of an approval as it is drawn, with some fields replaced: a name that begins with "-" takes one value away.
func termsForm(edit ...string) []string {
	form := []string{
		"terms", "1", "items", "citizen_id", "items", "name", "items", "sex_code", "lookup", "citizen_id", "mask-citizen_id", "", "mask-name", "", "mask-sex_code", "",
		"row_item", "", "row_op", "eq", "row_value", "", "valid_until", "2027-06-30", "quota", "1000", "rate_calls", "50", "rate_rows", "500", "reason", "",
	}
	for i := 0; i+1 < len(edit); i += 2 {
		name, value := strings.TrimPrefix(edit[i], "-"), edit[i+1]
		var out []string
		for j := 0; j+1 < len(form); j += 2 {
			if form[j] == name && (!strings.HasPrefix(edit[i], "-") || form[j+1] == value) {
				continue
			}
			out = append(out, form[j], form[j+1])
		}
		if form = out; !strings.HasPrefix(edit[i], "-") {
			form = append(form, name, value)
		}
	}
	return form
}

// Every field of the conditions goes through the form into the grant, and the outlook says it before.
func testConditions(t *testing.T, h *hub) {
	b := h.as(t, "police_admin")
	for _, x := range []struct {
		name, says string
		form       []string
		holds      func(sharing.Grant) bool
	}{
		{"as asked for", "越城区", termsForm(), func(g sharing.Grant) bool {
			return len(g.Items) == 3 && g.Masks[itemNo(h, "name")] == "name" && len(g.Lookup) == 1 && g.Quota == 1000 && g.RateCalls == 50 && g.RateRows == 500 && !g.CaseRequired
		}},
		{"only an opinion", "越城区", []string{"reason", "同意"}, func(g sharing.Grant) bool { return len(g.Items) == 3 && len(g.Lookup) == 1 }},
		{"fewer items", "不授权： 性别代码", termsForm("-items", "sex_code"), func(g sharing.Grant) bool { return len(g.Items) == 2 }},
		{"another mask", "全部隐藏", termsForm("mask-name", "full"), func(g sharing.Grant) bool { return g.Masks[itemNo(h, "name")] == "full" }},
		{"in clear as asked for", "不脱敏", termsForm("mask-name", "clear"), func(g sharing.Grant) bool { return g.Masks[itemNo(h, "name")] == "" }},
		{"no look-up", "身份证号", termsForm("-lookup", "citizen_id"), func(g sharing.Grant) bool { return len(g.Lookup) == 0 }},
		{"fewer rows", "性别代码", termsForm("row_item", "sex_code", "row_op", "eq", "row_value", "1"), func(g sharing.Grant) bool {
			return strings.Contains(string(g.RowFilter), "sex_code") && strings.Contains(string(g.RowFilter), "330602")
		}},
		{"a shorter period", "2027-03-31 23:59", termsForm("valid_until", "2027-03-31"), func(g sharing.Grant) bool {
			return g.ValidTo.Equal(time.Date(2027, 3, 31, 15, 59, 59, 0, time.UTC))
		}},
		{"a smaller quota", "800 行", termsForm("quota", "800"), func(g sharing.Grant) bool { return g.Quota == 800 }},
		{"fewer calls", "每秒 5 次", termsForm("rate_calls", "5"), func(g sharing.Grant) bool { return g.RateCalls == 5 }},
		{"fewer rows a second", "每秒 60 行", termsForm("rate_rows", "60"), func(g sharing.Grant) bool { return g.RateRows == 60 }},
		{"with case numbers", "每次调用必须提供", termsForm("case_required", "1"), func(g sharing.Grant) bool { return g.CaseRequired }},
	} {
		path := "/ui/requests/" + h.asked(t, sharing.RequestInReview).ID.String()
		if status, part := b.post(path+"/outlook", x.form...); status != http.StatusOK || !strings.Contains(part, x.says) || strings.Contains(part, "<html") {
			t.Errorf("%s: the outlook lacks %q: %d\n%s", x.name, x.says, status, part)
		}
		status, page := b.post(path+"/approve", x.form...)
		found := regexp.MustCompile(`id="to-grant" href="/ui/grants/([0-9a-f-]{36})"`).FindStringSubmatch(page)
		if status != http.StatusOK || found == nil {
			t.Fatalf("%s: got %d\n%s", x.name, status, page)
		}
		if g := h.grant(t, uuid.MustParse(found[1])); !x.holds(g) {
			t.Errorf("%s: got %+v", x.name, g)
		}
	}
}

func itemNo(h *hub, identifier string) int {
	items := h.population.Version.Items
	return items[slices.IndexFunc(items, func(i catalog.Item) bool { return i.Identifier == identifier })].No
}

// What is wider than asked for is refused at its field; what was typed stays.
func testWiderConditions(t *testing.T, h *hub) {
	b := h.as(t, "police_admin")
	path := "/ui/requests/" + h.asked(t, sharing.RequestInReview).ID.String()
	for _, x := range []struct {
		name, field, says string
		form              []string
	}{
		{"a larger quota", `name="quota" inputmode="numeric" value="2000"`, "不能超出申请", termsForm("quota", "2000")},
		{"no quota", `name="quota" inputmode="numeric" value=""`, "不能超出申请", termsForm("quota", "")},
		{"a word for a number", `name="rate_rows" inputmode="numeric" value="many"`, "请填整数", termsForm("rate_rows", "many")},
		{"a longer period", `name="valid_until" value="2028-01-01"`, "不能超出申请", termsForm("valid_until", "2028-01-01")},
		{"no item", `id="decide-items"`, "至少要有一个信息项", termsForm("-items", "sex_code", "-items", "name", "-items", "citizen_id")},
		{"a mask that does not fit", `name="mask-sex_code"`, "此脱敏方式不适用于该项", termsForm("mask-sex_code", "date_year")},
		{"a condition on a masked item", `value="typed condition"`, "此项不能用于这种条件", termsForm("row_item", "name", "row_op", "eq", "row_value", "typed condition")},
	} {
		status, page := b.post(path+"/approve", append(x.form, "reason", "typed opinion")...)
		if status != http.StatusUnprocessableEntity || strings.Count(page, `<div class="wrong" role="alert">`) != 1 {
			t.Errorf("%s: got %d with %d faults at fields", x.name, status, strings.Count(page, `<div class="wrong" role="alert">`))
		}
		wants(t, x.name, page, x.field, x.says, `id="move-approve" open`)
		_, part := b.post(path+"/outlook", x.form...)
		wants(t, "the outlook of "+x.name, part, "不能这样授权", x.says)
	}
}

// The second of two approvers learns who decided what and when, and loses nothing that was typed.
func testTwoApprovers(t *testing.T, h *hub) {
	second, err := h.identity.CreateUser(h.ctx, h.people["system_admin"], identity.NewUser{
		Username: "police_admin_two", DisplayName: "另一负责人", Password: password, DepartmentID: h.police.ID, KeepPassword: true,
	})
	if err == nil {
		_, err = h.identity.SetRoles(h.ctx, h.people["security_admin"], second.ID, 0, []authz.Role{authz.DeptAdmin})
	}
	if err != nil {
		t.Fatal(err)
	}
	r := h.asked(t, sharing.RequestInReview)
	path := "/ui/requests/" + r.ID.String()
	one, two := h.as(t, "police_admin"), h.as(t, "police_admin_two")
	_, page := two.get(path)
	version := regexp.MustCompile(`name="row_version" value="(\d+)"`).FindStringSubmatch(page)[1]

	// The authority puts the answer off meanwhile: the form stays, with what was typed.
	if _, err := h.sharing.Extend(h.ctx, h.people["platform_operator"], r.ID, 0, 3, "材料较多"); err != nil {
		t.Fatal(err)
	}
	status, page := two.post(path+"/approve", termsForm("quota", "70", "reason", "typed opinion", "row_version", version)...)
	if status != http.StatusPreconditionFailed {
		t.Errorf("deciding on what was put off: got %d", status)
	}
	wants(t, "the page of who came after the extension", page, `id="meanwhile"`, "材料较多", "platform_operator", `id="move-approve" open`, `value="70"`, "typed opinion")
	lacks(t, "that page", page, `id="kept"`)
	again := regexp.MustCompile(`name="row_version" value="(\d+)"`).FindStringSubmatch(page)[1]
	if again == version {
		t.Error("the form still speaks of what was there before")
	}
	if status, _ := one.post(path+"/approve", "row_version", again, "reason", "第一位同意"); status != http.StatusOK {
		t.Fatalf("the first approves: got %d", status)
	}
	status, page = two.post(path+"/refuse", "row_version", again, "code", "scope_excessive", "reason", "typed reason")
	if status != http.StatusPreconditionFailed {
		t.Errorf("the second refuses: got %d", status)
	}
	wants(t, "the second's page", page, `id="meanwhile"`, "police_admin（示例市公安局）", "同意并授权", "第一位同意", `id="to-grant"`, `id="kept"`, "typed reason")
	lacks(t, "the second's page", page, `id="do-approve"`, `id="do-refuse"`)
	if strings.Count(page[strings.Index(page, `id="meanwhile"`):], "<li>") < 1 {
		t.Error("nobody is said to have acted")
	}
}

// Who holds both roles accepts and decides in one form: two steps in the history. What the second would refuse leaves the first undone.
func testAcceptAndDecide(t *testing.T, h *hub) {
	authority := h.people["platform_operator"].Department
	for name, roles := range map[string][]authz.Role{"both_roles": {authz.DeptAdmin, authz.PlatformOperator}, "authority_operator": {authz.DeptOperator}} {
		u, err := h.identity.CreateUser(h.ctx, h.people["system_admin"], identity.NewUser{
			Username: name, DisplayName: name, Password: password, DepartmentID: authority, KeepPassword: true,
		})
		if err == nil {
			u, err = h.identity.SetRoles(h.ctx, h.people["security_admin"], u.ID, 0, roles)
		}
		if err != nil {
			t.Fatal(err)
		}
		h.people[name] = authz.Principal{Kind: audit.ActorUser, ID: u.ID, Name: name, Department: authority, Roles: roles}
	}
	// The authority provides an entry itself, so one of its people may both accept and decide.
	entry := h.things.Version.Metadata
	entry.Name, entry.ProviderUnit = "示例平台事项", "信息处"
	own, err := h.catalog.CreateResource(h.ctx, h.people["authority_operator"], entry)
	if err == nil {
		_, err = h.catalog.Submit(h.ctx, h.people["authority_operator"], own.ID, 0)
	}
	if err == nil {
		_, err = h.catalog.Approve(h.ctx, h.people["both_roles"], own.ID, 0)
	}
	if err == nil {
		own, err = h.catalog.Publish(h.ctx, h.people["platform_operator"], own.ID, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	asks := func(a *sharing.Application) {
		a.ResourceID, a.Items, a.Lookup, a.Unmask, a.RowFilter = own.ID, []string{"no", "title"}, nil, nil, nil
	}
	form := func(quota string) []string {
		return []string{"terms", "1", "items", "no", "items", "title", "valid_until", "2027-06-30", "quota", quota, "rate_calls", "50", "rate_rows", "500"}
	}
	b := h.as(t, "both_roles")
	r := h.asked(t, sharing.RequestPendingAcceptance, asks)
	path := "/ui/requests/" + r.ID.String()
	_, page := b.get(path)
	wants(t, "the page of who may do both", page, `id="do-accept"`, `id="move-accept_approve"`, `id="move-accept_refuse"`, "受理并同意授权")
	_, page = h.as(t, "platform_operator").get(path)
	lacks(t, "the page of who may only accept", page, "accept_approve", "accept_refuse")

	status, page := b.post(path+"/accept_approve", form("5000")...)
	if status != http.StatusUnprocessableEntity || state(page) != "pending_acceptance" {
		t.Errorf("a wider quota: got %d in state %q", status, state(page))
	}
	wants(t, "the page after it", page, "不能超出申请", `id="move-accept_approve" open`)
	if status, page = b.post(path+"/accept_refuse", "reason", "typed reason"); status != http.StatusUnprocessableEntity || state(page) != "pending_acceptance" {
		t.Errorf("a refusal without its ground: got %d in state %q", status, state(page))
	}
	if status, page = b.post(path+"/accept_approve", form("500")...); status != http.StatusOK || state(page) != "approved" {
		t.Fatalf("accepting and approving: got %d in state %q", status, state(page))
	}
	wants(t, "the page then", page, `title="accept"`, `title="approve"`, "已受理并同意")
	path = "/ui/requests/" + h.asked(t, sharing.RequestPendingAcceptance, asks).ID.String()
	if status, page = b.post(path+"/accept_refuse", "code", "scope_excessive", "reason", "范围过大"); status != http.StatusOK || state(page) != "refused" {
		t.Errorf("accepting and refusing: got %d in state %q", status, state(page))
	}
	if status, _ = h.as(t, "police_admin").post("/ui/requests/"+h.asked(t, sharing.RequestPendingAcceptance).ID.String()+"/accept_approve", termsForm()...); status != http.StatusForbidden {
		t.Errorf("without the right to accept: got %d", status)
	}
}

func testGrantList(t *testing.T, h *hub) {
	soon := h.granted(t, func(a *sharing.Application) { a.Purpose, a.ValidUntil = "soon", time.Now().AddDate(0, 0, 5) })
	b := h.as(t, "police_admin")
	address := "/ui/grants/" + soon.ID.String()
	for path, shown := range map[string]bool{
		"/ui/grants?soon=1": true, "/ui/grants?side=provider&soon=1": true, "/ui/grants?side=consumer": false, "/ui/grants?state=suspended": false,
		"/ui/grants?soon=1&q=" + "%E4%BA%BA%E5%8F%A3": true, "/ui/grants?q=nothing-like-it": false,
	} {
		status, page := b.get(path)
		if status != http.StatusOK || strings.Contains(page, address) != shown {
			t.Errorf("%s: %d, shown: %t", path, status, !shown)
		}
	}
	_, page := b.get("/ui/grants?soon=1")
	wants(t, "the list", page, "即将到期", h.client.Name, `format=csv`, "soon=1")
	_, table := b.get("/ui/grants?soon=1&format=csv")
	wants(t, "the table", table, "\uFEFF数据资源,应用系统", soon.ID.String(), h.client.Name)
	_, page = h.as(t, "platform_operator").get("/ui/grants")
	lacks(t, "the authority's list", page, `name="side"`)
}

func testGrantPage(t *testing.T, h *hub) {
	g := h.granted(t, func(a *sharing.Application) { a.Purpose = "grant-page" })
	path := "/ui/grants/" + g.ID.String()
	for i, rows := range []int64{40, 2} {
		_, err := h.db.Pool.Exec(h.ctx, `
			INSERT INTO usage (id, at, grant_id, terms_version, client_id, resource_id, mode, state, rows, items, policy_n, rule_id)
			VALUES ($1, now() - make_interval(days => $2), $3, 1, $4, $5, 'rows', 'done', $6, '{1}', 1, 'x')`, db.NewID(), i, g.ID, g.ClientID, g.ResourceID, rows)
		if err != nil {
			t.Fatal(err)
		}
	}
	if _, err := h.db.Pool.Exec(h.ctx, "INSERT INTO quota_use SELECT $1, to_char(now() AT TIME ZONE 'Asia/Shanghai', 'YYYY-MM-DD'), 40", g.ID); err != nil {
		t.Fatal(err)
	}
	police, platform, social := h.as(t, "police_admin"), h.as(t, "platform_operator"), h.as(t, "social_operator")
	_, page := police.get(path)
	wants(t, "the provider's page", page, "data-chart=", `,2,40]`, "<b>42</b>", "40 / 1,000", "police_admin")
	lacks(t, "the provider's page", page, `id="address"`, `id="refusal"`)
	_, page = social.get(path)
	wants(t, "the consumer's page", page, `id="address"`, "/api/v1/data/"+g.ResourceID.String()+"/rows", "X-Purpose: grant-page", "data-chart=")
	lacks(t, "the consumer's page", page, `id="do-suspend"`)

	// A suspension says since when nodes refuse.
	_, page = police.post(path+"/suspend", "reason", "核查异常")
	wants(t, "the page after the suspension", page, "由提供部门暂停", `hx-get="`+path+`/refusal"`, "起停止")
	refused := h.until(t, func() bool {
		if err := h.sharing.NoteRefusals(h.ctx); err != nil {
			t.Fatal(err)
		}
		_, page = police.get(path + "/refusal")
		return !strings.Contains(page, "hx-get")
	})
	if !refused || strings.Contains(page, "<html") {
		t.Errorf("the nodes never refused: %s", page)
	}
	wants(t, "the part of the refusal", page, "起拒绝，共 1 个节点")
	if status, _ := h.as(t, "auditor").get(path + "/refusal"); status != http.StatusNotFound {
		t.Errorf("the auditor reads the refusal: %d", status)
	}
	police.post(path+"/resume", "reason", "完毕")

	// What the authority suspended the provider may not resume, and is not offered it.
	platform.post(path+"/suspend", "reason", "监督检查")
	_, page = police.get(path)
	wants(t, "the provider's page then", page, "由主管部门暂停", `id="do-terminate"`)
	lacks(t, "the provider's page then", page, `id="do-resume"`)
	if status, _ := police.post(path+"/resume", "reason", "x"); status != http.StatusForbidden {
		t.Errorf("the provider resumes: %d", status)
	}
	_, page = platform.get(path)
	wants(t, "the authority's page", page, `id="do-resume"`)

	// The end holds the record that the law wants.
	status, page := police.post(path+"/terminate", "reason", "业务终止", "negotiation", "双方已协商一致", "filing_no", "示备〔2026〕1号", "date", "2026-11-20")
	if status != http.StatusOK || state(page) != "terminated" {
		t.Fatalf("terminating: got %d, %q", status, state(page))
	}
	wants(t, "the page at the end", page, "双方已协商一致", "示备〔2026〕1号", "2026-11-20", "业务终止")
	lacks(t, "the page at the end", page, `id="do-terminate"`)
}

// The authority sees what a restore suspended and confirms it, chosen ones or all; others are shown nothing of it.
func testRestored(t *testing.T, h *hub) {
	g := h.granted(t, func(a *sharing.Application) { a.Purpose = "restored-a" })
	h.granted(t, func(a *sharing.Application) { a.Purpose = "restored-b" })
	err := h.db.InTx(h.ctx, func(tx *db.Tx) error {
		_, err := sharing.SuspendRestoredTx(h.ctx, tx)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	platform, police := h.as(t, "platform_operator"), h.as(t, "police_admin")
	_, page := police.get("/ui/grants")
	lacks(t, "the provider's list", page, `id="restored"`)
	_, page = police.get("/ui/grants/" + g.ID.String())
	wants(t, "the provider's page", page, "由平台暂停", "待确认后恢复", `id="do-resume"`)
	_, page = platform.get("/ui/grants")
	wants(t, "the authority's list", page, `id="restored"`, `value="`+g.ID.String()+`"`, "data-confirm=")
	if status, page := platform.post("/ui/grants/confirm-restored", "which", "some", "reason", "typed reason"); status != http.StatusUnprocessableEntity || !strings.Contains(page, "请至少选择一项") || !strings.Contains(page, "typed reason") {
		t.Errorf("confirming nothing: got %d", status)
	}
	if status, page := platform.post("/ui/grants/confirm-restored", "which", "some", "grant", g.ID.String()); status != http.StatusUnprocessableEntity || !strings.Contains(page, "请填写") {
		t.Errorf("confirming without a reason: got %d", status)
	}
	if status, page := platform.post("/ui/grants/confirm-restored", "which", "some", "grant", g.ID.String(), "reason", "与各部门核对"); status != http.StatusOK || !strings.Contains(page, "已确认") {
		t.Errorf("confirming one: got %d", status)
	}
	if got := h.grant(t, g.ID).State; got != sharing.GrantActive {
		t.Errorf("the confirmed grant is %s", got)
	}
	if status, _ := police.post("/ui/grants/confirm-restored", "which", "all", "reason", "x"); status != http.StatusForbidden {
		t.Errorf("the provider confirms all: got %d", status)
	}
	if status, page := platform.post("/ui/grants/confirm-restored", "which", "all", "reason", "全部核对"); status != http.StatusOK || strings.Contains(page, `id="restored"`) {
		t.Errorf("confirming all: got %d", status)
	}
}

func testFormAddresses(t *testing.T, h *hub) {
	b := h.as(t, "police_admin")
	g := h.granted(t, func(a *sharing.Application) { a.Purpose = "addresses" })
	for path, want := range map[string]string{
		"/ui/requests/" + g.RequestID.String() + "/approve": "/ui/requests/" + g.RequestID.String(),
		"/ui/grants/" + g.ID.String() + "/suspend":          "/ui/grants/" + g.ID.String(),
	} {
		answer, err := b.http.Get(h.server.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != http.StatusOK || answer.Request.URL.Path != want {
			t.Errorf("%s leads to %s: %d", path, answer.Request.URL.Path, answer.StatusCode)
		}
	}
	if status, _ := b.get("/ui/requests/nothing/approve"); status != http.StatusNotFound {
		t.Errorf("no request: got %d", status)
	}
}
