package console_test

import (
	"encoding/csv"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/catalog"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/sharing"
)

// prefixed are the fields of one resource in the form of several.
func prefixed(id uuid.UUID, pairs ...string) []string {
	out := []string{"resource", id.String()}
	for i := 0; i+1 < len(pairs); i += 2 {
		out = append(out, "r"+id.String()+"-"+pairs[i], pairs[i+1])
	}
	return out
}

// grounds are the fields that all resources of a form share.
func (h *hub) grounds(pairs ...string) []string {
	return append([]string{
		"client", h.client.ID.String(), "legal_basis", "示例条例第一条", "scenario", "资格核验", "purpose", "pension-check",
		"purpose_text", "养老待遇资格核验", "valid_until", "2027-06-30", "quota_period", "day",
	}, pairs...)
}

func (h *hub) requestsOf(t *testing.T, who string) []sharing.Request {
	t.Helper()
	all, _, err := h.sharing.ListRequests(h.ctx, h.people[who], sharing.RequestFilter{Applicant: h.people[who].ID}, db.Page{Limit: db.MaxPage})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// testCart lays two entries aside, asks for them in one form, and gets one request for each.
func testCart(t *testing.T, h *hub) {
	b := h.as(t, "social_operator")
	for _, r := range []catalog.Resource{h.population, h.things} {
		if _, page := b.get("/ui/resources/" + r.ID.String()); !strings.Contains(page, `id="add-to-cart"`) {
			t.Fatal("a resource that can be asked for cannot be laid aside")
		}
		if status, page := b.post("/ui/cart", "resource", r.ID.String()); status != http.StatusOK || !strings.Contains(page, `role="status"`) {
			t.Fatalf("laying aside: got %d", status)
		}
	}
	if status, _ := b.post("/ui/cart", "resource", h.withheld.ID.String()); status != http.StatusForbidden {
		t.Errorf("laying aside what is withheld: got %d", status)
	}
	_, page := b.get("/ui/cart")
	if !strings.Contains(page, h.population.Name) || !strings.Contains(page, h.things.Name) || !strings.Contains(page, `id="ask-for-cart"`) {
		t.Error("the cart lacks what was laid aside")
	}
	if _, withheld := b.get("/ui/resources/" + h.withheld.ID.String()); strings.Contains(withheld, `id="add-to-cart"`) {
		t.Error("what is withheld can be laid aside")
	}
	for _, who := range []string{"social_admin", "police_operator", "auditor"} {
		status, page := h.as(t, who).get("/ui/cart")
		if strings.Contains(page, "ask-for-cart") || who != "police_operator" && (status != http.StatusForbidden || strings.Contains(page, `href="/ui/cart"`)) {
			t.Errorf("%s opens the cart: got %d", who, status)
		}
	}

	before := len(h.requestsOf(t, "social_operator"))
	both := append(prefixed(h.population.ID, "items", "name", "items", "citizen_id", "unmask", "name", "row_item", "domicile_division_code", "row_op", "eq", "row_value", "330602"), prefixed(h.things.ID, "items", "no")...)
	ask := func(pairs ...string) (int, string) {
		return b.post("/ui/cart/request", append(h.grounds(pairs...), both...)...)
	}
	if status, page := b.get("/ui/cart/request"); status != http.StatusOK || !strings.Contains(page, "r"+h.things.ID.String()+"-item-no") || !strings.Contains(page, `data-keep="request-cart"`) {
		t.Errorf("the form: got %d", status)
	}
	// One of them is wrong: nothing is made, and the fault is at its field with everything else kept.
	status, page := b.post("/ui/cart/request", append(h.grounds("then", "submit"), append(prefixed(h.population.ID, "items", "name"), prefixed(h.things.ID)...)...)...)
	if status != http.StatusUnprocessableEntity || strings.Count(page, `class="wrong"`) != 1 || !strings.Contains(page, `id="r`+h.population.ID.String()+`-item-name" checked`) || !strings.Contains(page, "资格核验") {
		t.Errorf("a form without items: got %d", status)
	}
	_, words := b.post("/ui/resources/"+h.population.ID.String()+"/words", append([]string{"several", "1"}, both...)...)
	if !strings.Contains(words, "越城区") {
		t.Errorf("the rows in words: %s", words)
	}
	if status, page = ask("then", "preview"); status != http.StatusOK {
		t.Errorf("the preview: got %d", status)
	}
	testPreview(t, page)
	if n := len(h.requestsOf(t, "social_operator")); n != before {
		t.Errorf("%d requests were made too early", n-before)
	}

	status, page = ask("then", "draft")
	if status != http.StatusOK || strings.Contains(page, `id="not-made"`) || strings.Count(page, `title="draft"`) != 2 {
		t.Errorf("drafting both: got %d", status)
	}
	got := map[uuid.UUID]int{}
	all := h.requestsOf(t, "social_operator")
	for _, q := range all[:len(all)-before] {
		got[q.ResourceID] = len(q.Items)
	}
	if len(all)-before != 2 || got[h.population.ID] != 2 || got[h.things.ID] != 1 {
		t.Errorf("the requests are %v", got)
	}
	if _, page = b.get("/ui/cart"); strings.Contains(page, "ask-for-cart") {
		t.Error("what was asked for is still laid aside")
	}
	if status, _ := ask("then", "draft"); status != http.StatusConflict {
		t.Errorf("asking again for what is gone: got %d", status)
	}
	testDrafts(t, h, b, all[:2])
}

// testCartMarks lays entries aside in the directory: a button where the reader may ask, what it becomes, and no page for it.
func testCartMarks(t *testing.T, h *hub) {
	b := h.as(t, "social_operator")
	mark := `id="cart-` + h.things.ID.String() + `"`
	for _, view := range []string{"", "?view=table"} {
		if _, page := b.get("/ui/resources" + view); !strings.Contains(page, mark) || strings.Contains(page, `id="cart-`+h.withheld.ID.String()) {
			t.Errorf("the directory%s offers to lay aside what it should not, or not what it should", view)
		}
	}
	for _, who := range []string{"police_operator", "auditor"} {
		if _, page := h.as(t, who).get("/ui/resources"); strings.Contains(page, mark) {
			t.Errorf("%s may lay aside what they cannot ask for", who)
		}
	}
	lay := func(id uuid.UUID) string {
		form := url.Values{"resource": {id.String()}}
		request, err := http.NewRequestWithContext(h.ctx, http.MethodPost, h.server.URL+"/ui/cart", strings.NewReader(form.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		request.Header.Set("HX-Request", "true")
		request.Header.Set("HX-Target", "cart-"+id.String())
		status, page := b.read(b.http.Do(request))
		if status != http.StatusOK || strings.Contains(page, "<html") {
			t.Errorf("laying aside in a list: got %d", status)
		}
		return page
	}
	if part := lay(h.things.ID); !strings.Contains(part, mark) || !strings.Contains(part, "已在申请清单") || strings.Contains(part, "<form") {
		t.Errorf("what was laid aside: %s", part)
	}
	if part := lay(h.withheld.ID); !strings.Contains(part, `role="alert"`) || strings.Contains(part, "已在申请清单") {
		t.Errorf("what cannot be laid aside: %s", part)
	}
	if _, page := b.get("/ui/resources"); !strings.Contains(page, "已在申请清单") {
		t.Error("the directory does not say what is laid aside")
	}
	if status, _ := b.post("/ui/cart/remove", "all", "1"); status != http.StatusOK {
		t.Errorf("emptying the cart: got %d", status)
	}
	// Stable addresses have the code.
	if _, page := b.get("/ui/resources/" + strings.Replace(h.things.Code, "/", "-", 1)); !strings.Contains(page, h.things.Name) {
		t.Error("an entry is not found by its code")
	}
	if status, _ := b.get("/ui/resources/999999999-000001"); status != http.StatusNotFound {
		t.Errorf("a code that there is not: got %d", status)
	}
}

// testPreview looks at the made-up rows: exactly the chosen items, masked as asked.
func testPreview(t *testing.T, page string) {
	t.Helper()
	at := strings.Index(page, `id="preview"`)
	if at < 0 || strings.Count(page, `<table class="table table-sm preview">`) != 2 || strings.Contains(page[at:], "sex_code</div>") {
		t.Fatal("the preview does not hold the chosen items of both resources")
	}
	page = page[at:]
	if n := strings.Count(page, "<tr>"); n != 2*(1+10) {
		t.Errorf("the preview has %d lines", n)
	}
	if !regexp.MustCompile(`<td class="masked">\d{6}\*{8}\w{4}</td>`).MatchString(page) || !strings.Contains(page, `badge bg-orange-lt`) {
		t.Error("the preview masks what is asked for in clear, or the other way round")
	}
}

// testDrafts continues and discards drafts, as far as a person may.
func testDrafts(t *testing.T, h *hub, b *browser, drafts []sharing.Request) {
	t.Helper()
	path := "/ui/todo/drafts"
	_, page := b.get(path)
	for _, q := range drafts {
		if !strings.Contains(page, "/ui/requests/"+q.ID.String()+"/edit") || !strings.Contains(page, path+"/"+q.ID.String()+"/discard") {
			t.Error("a draft is not offered to be continued or discarded")
		}
	}
	discard := path + "/" + drafts[0].ID.String() + "/discard"
	if status, _ := h.as(t, "police_operator").post(discard, "row_version", "1"); status != http.StatusNotFound {
		t.Errorf("another department discards a draft: got %d", status)
	}
	if status, _ := b.post(discard, "row_version", "7"); status != http.StatusPreconditionFailed {
		t.Errorf("discarding what changed meanwhile: got %d", status)
	}
	if status, page := b.post(discard, "row_version", "1"); status != http.StatusOK || strings.Contains(page, discard) {
		t.Errorf("discarding: got %d", status)
	}
	q, err := h.sharing.GetRequest(h.ctx, h.people["social_operator"], drafts[0].ID)
	if err != nil || q.State != sharing.RequestWithdrawn {
		t.Errorf("the discarded draft is %s, %v", q.State, err)
	}
	for _, who := range []string{"social_admin", "platform_operator"} {
		if status, _ := h.as(t, who).get(path); status != http.StatusForbidden {
			t.Errorf("%s opens drafts: got %d", who, status)
		}
	}
}

var tileCount = regexp.MustCompile(`href="/ui/todo\?kind=([a-z_]+)"><b>(\d+)</b>`)

// testDesk compares, for each person, the number on the menu, the numbers of the tiles, and the lengths of the lists and tables.
func testDesk(t *testing.T, h *hub) {
	ctx, operator := h.ctx, h.people["social_operator"]
	ask := func(r catalog.Resource, items ...string) sharing.Request {
		t.Helper()
		q, err := h.sharing.CreateRequest(ctx, operator, sharing.Application{ClientID: h.client.ID, ResourceID: r.ID, Terms: sharing.Terms{
			Items: items, ShareMethods: []catalog.ShareMethod{catalog.ByAPI}, LegalBasis: "示例", Scenario: "示例", Purpose: "desk",
			PurposeText: `<b>"办事"</b>`, ValidUntil: time.Now().AddDate(0, 6, 0),
		}})
		if err == nil {
			q, err = h.sharing.Submit(ctx, operator, q.ID, q.RowVersion)
		}
		if err != nil {
			t.Fatal(err)
		}
		return q
	}
	for range 12 {
		ask(h.things, "no")
	}
	sign := func(q sharing.Request) sharing.Request {
		t.Helper()
		q, err := h.sharing.Sign(ctx, h.people["social_admin"], q.ID, 0, "")
		if err != nil {
			t.Fatal(err)
		}
		return q
	}
	accepted := sign(ask(h.things, "no", "title"))
	sign(ask(h.population, "name"))
	if _, err := h.sharing.Accept(ctx, h.people["platform_operator"], accepted.ID, 0, ""); err != nil {
		t.Fatal(err)
	}
	draft := complete(h.things.Version.Metadata)
	draft.Name = "示例待审事项"
	r, err := h.catalog.CreateResource(ctx, h.people["police_operator"], draft)
	if err == nil {
		_, err = h.catalog.Submit(ctx, h.people["police_operator"], r.ID, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]map[string]int{
		"social_admin": {"sign": 12, "decide": 0, "dept_review": 0, "change": 0, "acknowledge": 0, "confirm": 0, "failed": 0}, "social_operator": {"supplement": 0, "returned": 0, "change": 0, "failed": 0},
		"police_admin": {"sign": 0, "decide": 1, "dept_review": 1, "change": 0, "acknowledge": 0, "confirm": 0, "failed": 0}, "platform_operator": {"accept": 1, "platform_review": 0, "confirm": 0, "failed": 0},
	}
	for who, counts := range want {
		b := h.as(t, who)
		_, page := b.get("/ui/todo")
		got, total := map[string]int{}, 0
		for _, found := range tileCount.FindAllStringSubmatch(page, -1) {
			n, _ := strconv.Atoi(found[2])
			got[found[1]], total = n, total+n
		}
		if fmt.Sprint(got) != fmt.Sprint(counts) {
			t.Errorf("%s: the tiles are %v, want %v", who, got, counts)
		}
		menu := regexp.MustCompile(`(?s)href="/ui/todo" aria-current="page">.*?</a>`).FindString(page)
		if total > 0 && !strings.Contains(menu, fmt.Sprintf(`<span class="count">%d</span>`, total)) {
			t.Errorf("%s: the menu does not say %d: %s", who, total, menu)
		}
		for kind, n := range got {
			path := "/ui/todo?kind=" + kind
			status, list := b.get(path)
			if rows := strings.Count(list, "<tr>") - 1; status != http.StatusOK || rows != n && n > 0 {
				t.Errorf("%s: the list of %s has %d lines, want %d (%d)", who, kind, rows, n, status)
			}
			_, table := b.get(path + "&format=csv")
			cells, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(table, "\uFEFF"))).ReadAll()
			if err != nil || len(cells) != n+1 {
				t.Errorf("%s: the table of %s has %d lines, %v", who, kind, len(cells), err)
			}
		}
	}
	if _, page := h.as(t, "social_admin").get("/ui/todo"); strings.Count(page, "/ui/requests/") != 10 || !strings.Contains(page, `href="/ui/todo?kind=sign">查看全部`) {
		t.Error("the overview does not show the first ten with a way to the rest")
	}
	if _, page := h.as(t, "police_admin").get("/ui/todo"); !strings.Contains(page, "/ui/compile/"+r.ID.String()) || !strings.Contains(page, "还剩 ") {
		t.Error("the desk lacks the entry to review or the clock")
	}
	for _, c := range [][2]string{{"social_operator", "sign"}, {"police_admin", "accept"}, {"social_admin", "nothing"}, {"social_admin", "restored"}} {
		if status, _ := h.as(t, c[0]).get("/ui/todo?kind=" + c[1]); status != http.StatusNotFound {
			t.Errorf("%s opens the list of %s: got %d", c[0], c[1], status)
		}
	}
	if _, page := h.as(t, "auditor").get("/ui/resources"); strings.Contains(page, `href="/ui/inbox"`) || strings.Contains(page, `href="/ui/cart"`) || strings.Contains(page, `href="/ui/todo`) {
		t.Error("an auditor sees desk, inbox or cart")
	}
	if _, err := h.catalog.Recall(ctx, h.people["police_operator"], r.ID, 0); err != nil {
		t.Error(err)
	}
	testLists(t, h)
}

// testLists narrows lists of requests and of what was done.
func testLists(t *testing.T, h *hub) {
	t.Helper()
	b := h.as(t, "social_operator")
	for _, c := range []struct {
		path string
		want int
	}{
		{"/ui/requests?q=%E5%8A%9E%E4%BA%8B", 14},
		{"/ui/requests?q=%E5%8A%9E%E4%BA%8B&state=dept_review", 12},
		{"/ui/requests?q=%E5%8A%9E%E4%BA%8B&side=consumer&department=" + h.police.ID.String(), 14},
		{"/ui/requests?side=provider", 0},
		{"/ui/requests?q=%25", 0},
		{"/ui/todo/mine?q=%E5%8A%9E%E4%BA%8B&state=in_review", 1},
	} {
		status, page := b.get(c.path)
		if n := strings.Count(page, "<tr>") - 1; status != http.StatusOK || max(n, 0) != c.want {
			t.Errorf("%s: got %d lines, want %d (%d)", c.path, n, c.want, status)
		}
		if strings.Contains(page, "<b>\"") {
			t.Errorf("%s shows markup that was typed", c.path)
		}
		_, table := b.get(c.path + "&format=csv")
		if n := strings.Count(table, "\n") - 1; n != c.want {
			t.Errorf("the table of %s has %d lines, want %d", c.path, n, c.want)
		}
	}
	if _, page := h.as(t, "social_admin").get("/ui/todo/done?step=sign"); strings.Count(page, "签批同意") < 2 || strings.Contains(page, `title="create"`) {
		t.Error("what was done lacks the signatures")
	}
}

// testInbox reads what happened, and marks it as read.
func testInbox(t *testing.T, h *hub) {
	b := h.as(t, "social_operator")
	_, page := b.get("/ui/inbox")
	until := regexp.MustCompile(`name="until" value="([^"]+)"`).FindStringSubmatch(page)
	if until == nil || !strings.Contains(page, "已受理") || !strings.Contains(page, `class="unread"`) {
		t.Fatal("the inbox lacks what happened")
	}
	if status, page := b.post("/ui/inbox/read", "until", until[1]); status != http.StatusOK || strings.Contains(page, `class="unread"`) {
		t.Errorf("marking as read: got %d", status)
	}
	if _, page := h.as(t, "social_admin").get("/ui/inbox"); !strings.Contains(page, `class="unread"`) {
		t.Error("a colleague has read what one person read")
	}
	b.post("/ui/language", "language", "en", "back", "/ui/inbox")
	for _, path := range []string{"/ui/inbox", "/ui/cart", "/ui/todo", "/ui/todo/done", "/ui/todo/mine", "/ui/todo/drafts", "/ui/requests", "/ui/resources/" + h.things.ID.String() + "/request"} {
		if status, page := b.get(path); status != http.StatusOK || !strings.Contains(page, `<html lang="en">`) {
			t.Errorf("%s in English: got %d", path, status)
		}
	}
}
