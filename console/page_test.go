package console_test

import (
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/shuqiao/shuqiao/audit"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/retain"
	"github.com/shuqiao/shuqiao/sharing"
)

// TestConsole shares one hub: parts that change it come last.
func TestConsole(t *testing.T) {
	t.Parallel()
	h := setup(t)
	t.Run("without a session every page leads to the sign-in page", func(t *testing.T) { testWithoutSession(t, h) })
	t.Run("answers carry what browsers are told", func(t *testing.T) { testHeaders(t, h) })
	t.Run("forms of other sites are refused", func(t *testing.T) { testCrossOrigin(t, h) })
	t.Run("a wrong password says so and keeps the name", func(t *testing.T) { testSignIn(t, h) })
	t.Run("the language is chosen in the header", func(t *testing.T) { testLanguage(t, h) })
	t.Run("a refused form keeps what was typed", func(t *testing.T) { testFormKeeps(t, h) })
	t.Run("what was typed is never markup", func(t *testing.T) { testMarkup(t, h) })
	t.Run("several entries are asked for in one form", func(t *testing.T) { testCart(t, h) })
	t.Run("from request to suspension", func(t *testing.T) { testStory(t, h) })
	t.Run("a run shows counts, rejects and comparison", func(t *testing.T) { testRun(t, h) })
	t.Run("the desk counts what its lists hold", func(t *testing.T) { testDesk(t, h) })
	t.Run("the inbox tells what happened", func(t *testing.T) { testInbox(t, h) })
	t.Run("an alarm is acknowledged and silenced", func(t *testing.T) { testAlarms(t, h) })
	t.Run("who can see an entry, and what a system can see", func(t *testing.T) { testAccess(t, h) })
	t.Run("disclosures are found by their evidence", func(t *testing.T) { testEvidence(t, h) })
	t.Run("a draft is nobody else's, wherever entries are counted or listed", func(t *testing.T) { testForeignDrafts(t, h) })
	t.Run("the front page says what it counts and when", func(t *testing.T) { testHome(t, h) })
	t.Run("the directory is narrowed by its address", func(t *testing.T) { testDirectory(t, h) })
	t.Run("an entry shows each person the tabs that are theirs", func(t *testing.T) { testTabs(t, h) })
	t.Run("ready programs are for who has a grant", func(t *testing.T) { testPrograms(t, h) })
	t.Run("versions are compared", func(t *testing.T) { testVersions(t, h) })
	t.Run("every field of an entry goes through its form", func(t *testing.T) { testDraftRoundTrip(t, h) })
	t.Run("from template to publication and a returned version", func(t *testing.T) { testCompileStory(t, h) })
	t.Run("two people edit one draft", func(t *testing.T) { testTwoEditors(t, h) })
	t.Run("each role has its part in compiling", func(t *testing.T) { testCompileRoles(t, h) })
	t.Run("offline, revoked, consent", func(t *testing.T) { testEntryEnds(t, h) })
	t.Run("base databases and systems", func(t *testing.T) { testRegisters(t, h) })
	t.Run("nil returns and coverage", func(t *testing.T) { testCoverage(t, h) })
	t.Run("the year of working days", func(t *testing.T) { testCalendar(t, h) })
	t.Run("what is shown works, for each person", func(t *testing.T) { testLinks(t, h) })
	t.Run("alarms of others stay theirs", func(t *testing.T) { testForeignAlarms(t, h) })
	t.Run("what a person may not do answers 403", func(t *testing.T) { testForbidden(t, h) })
	t.Run("administrators see their own duties", func(t *testing.T) { testAdministrators(t, h) })
	t.Run("administration speaks both languages", func(t *testing.T) { testAdminWords(t, h) })
	t.Run("an account is made, given a role and closed", func(t *testing.T) { testPeople(t, h) })
	t.Run("a system gets its keys", func(t *testing.T) { testClients(t, h) })
	t.Run("rules change in sight", func(t *testing.T) { testRules(t, h) })
	t.Run("channels of alarms", func(t *testing.T) { testChannels(t, h) })
	t.Run("my account: password, second factor, deputy", func(t *testing.T) { testAccount(t, h) })
	t.Run("signing out ends the session", func(t *testing.T) { testSignOut(t, h) })
	t.Run("hostile addresses and forms are refused", func(t *testing.T) { testHostile(t, h) })
}

func testWithoutSession(t *testing.T, h *hub) {
	b := h.anybody(t)
	for _, path := range []string{"/", "/ui", "/ui/", "/ui/resources", "/ui/todo", "/ui/audit", "/ui/retention", "/ui/nothing", "/ui/grants/" + h.task.ID.String()} {
		if status, page := b.get(path); status != http.StatusOK || !strings.Contains(page, `id="sign-in"`) {
			t.Errorf("%s: got %d without the sign-in form", path, status)
		}
	}
	// A key of a client is for programs.
	request, err := http.NewRequestWithContext(h.ctx, http.MethodGet, h.server.URL+"/ui/resources", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.AddCookie(&http.Cookie{Name: "sq_session", Value: "sqk_abc.def"})
	answer, err := http.DefaultTransport.RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if answer.StatusCode != http.StatusSeeOther || !strings.HasPrefix(answer.Header.Get("Location"), "/ui/sign-in") {
		t.Errorf("a client's key: got %d to %q", answer.StatusCode, answer.Header.Get("Location"))
	}
}

func testHeaders(t *testing.T, h *hub) {
	answer, err := http.Get(h.server.URL + "/ui/sign-in")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	policy := answer.Header.Get("Content-Security-Policy")
	for _, part := range []string{"default-src 'none'", "script-src 'self'", "style-src 'self'", "frame-ancestors 'none'"} {
		if !strings.Contains(policy, part) {
			t.Errorf("the policy %q lacks %s", policy, part)
		}
	}
	if strings.Contains(policy, "unsafe") || answer.Header.Get("X-Content-Type-Options") != "nosniff" || answer.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("got %v", answer.Header)
	}
	b := h.as(t, "social_operator")
	_, page := b.get("/ui/resources")
	for _, found := range regexp.MustCompile(`/ui/static/[^"#]+`).FindAllString(page, -1) {
		answer, err := http.Get(h.server.URL + found)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != http.StatusOK || !strings.Contains(answer.Header.Get("Cache-Control"), "immutable") {
			t.Errorf("%s: got %d, %q", found, answer.StatusCode, answer.Header.Get("Cache-Control"))
		}
	}
}

func testCrossOrigin(t *testing.T, h *hub) {
	b := h.as(t, "social_operator")
	request, err := http.NewRequestWithContext(h.ctx, http.MethodPost, h.server.URL+"/ui/sign-out", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Sec-Fetch-Site", "cross-site")
	answer, err := b.http.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if answer.StatusCode != http.StatusForbidden {
		t.Errorf("got %d, want 403", answer.StatusCode)
	}
	if _, page := b.get("/ui/resources"); !strings.Contains(page, `id="sign-out"`) {
		t.Error("the session ended by a form of another site")
	}
}

func testSignIn(t *testing.T, h *hub) {
	status, page := h.anybody(t).post("/ui/sign-in", "username", "social_admin", "password", "wrong")
	if status != http.StatusUnauthorized || !strings.Contains(page, `value="social_admin"`) || !strings.Contains(page, `role="alert"`) || strings.Contains(page, "wrong\"") {
		t.Errorf("got %d\n%s", status, page)
	}
	b := h.anybody(t)
	answer, err := http.DefaultTransport.RoundTrip(formRequest(t, h, "/ui/sign-in", "username=social_admin&password="+password+"&back=https://example.org/"))
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	cookie := answer.Cookies()[0]
	if !cookie.HttpOnly || cookie.SameSite != http.SameSiteStrictMode || cookie.Path != "/ui" || !strings.HasPrefix(cookie.Value, "sqs_") {
		t.Errorf("got cookie %+v", cookie)
	}
	if got := answer.Header.Get("Location"); got != "/ui/" {
		t.Errorf("signing in leads to %q", got)
	}
	if status, _ := b.get("/ui/sign-in?back=/ui/grants"); status != http.StatusOK {
		t.Errorf("got %d", status)
	}
}

func formRequest(t *testing.T, h *hub, path, form string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(h.ctx, http.MethodPost, h.server.URL+path, strings.NewReader(form))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return r
}

func testLanguage(t *testing.T, h *hub) {
	b := h.as(t, "social_operator")
	path := "/ui/resources/" + h.population.ID.String()
	if _, page := b.get(path); !strings.Contains(page, `<html lang="zh-CN">`) || !strings.Contains(page, "示例市公安局") {
		t.Error("the first language is not Chinese")
	}
	_, page := b.post("/ui/language", "language", "en", "back", path)
	if !strings.Contains(page, `<html lang="en">`) || !strings.Contains(page, "Public Security Bureau of the Example City") || !strings.Contains(page, `title="conditional">Conditional<`) {
		t.Error("English was not taken, or the reader was led away")
	}
	// The language is the person's: another browser speaks it from the sign-in on, and a browser nobody signed in with does not.
	again := h.signedIn(t, "social_operator")
	if _, page := again.get(path); !strings.Contains(page, `<html lang="en">`) {
		t.Error("another browser does not speak the person's language")
	}
	if again.post("/ui/sign-out"); again.cookie("sq_language") != "en" {
		t.Error("signing out forgets the language of the sign-in page")
	}
	if _, page := h.signedIn(t, "social_admin").get(path); !strings.Contains(page, `<html lang="zh-CN">`) {
		t.Error("somebody else's language changed, too")
	}
	if _, page = b.post("/ui/language", "language", "zh-CN", "back", path); !strings.Contains(page, `<html lang="zh-CN">`) {
		t.Error("Chinese was not taken back")
	}
}

func testFormKeeps(t *testing.T, h *hub) {
	b := h.as(t, "social_operator")
	path := "/ui/resources/" + h.population.ID.String() + "/request"
	if status, page := b.get(path); status != http.StatusOK || !strings.Contains(page, h.client.Name) {
		t.Fatalf("the form: got %d", status)
	}
	status, page := b.post(path, "client", h.client.ID.String(), "items", "name", "items", "citizen_id", "row_item", "sex_code", "row_op", "eq",
		"row_value", "1", "purpose", "two words", "scenario", "typed scenario", "valid_until", "2001-01-01", "quota", "many", "then", "submit")
	if status != http.StatusUnprocessableEntity {
		t.Errorf("got %d, want 422", status)
	}
	for _, want := range []string{
		`value="name" id="item-name" checked`, `value="citizen_id" id="item-citizen_id" checked`, "typed scenario", `value="two words"`, `value="2001-01-01"`,
		`value="many"`, `<option value="sex_code" selected>`,
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the form lost %q", want)
		}
	}
	// Numbers that cannot be read are said first; then the service names everything else at once.
	_, page = b.post(path, "client", h.client.ID.String(), "items", "name", "purpose", "two words", "valid_until", "2001-01-01")
	if n := strings.Count(page, `class="wrong"`); n != 5 {
		t.Errorf("%d fields are said to be wrong, want legal basis, scenario, purpose, its code and period", n)
	}
	_, words := b.post("/ui/resources/"+h.population.ID.String()+"/words", "row_item", "domicile_division_code", "row_op", "eq", "row_value", "330602")
	if !strings.Contains(words, "越城区") || strings.Contains(words, "<html") {
		t.Errorf("the rows in words: got %s", words)
	}
}

func testMarkup(t *testing.T, h *hub) {
	b := h.as(t, "social_operator")
	attack := `"><script>alert(1)</script><img src=x onerror=alert(2)>`
	path := "/ui/resources/" + h.population.ID.String() + "/request"
	_, form := b.post(path, "client", attack, "items", attack, "row_item", attack, "row_op", attack, "row_value", attack, "purpose", attack,
		"purpose_text", attack, "legal_basis", attack, "scenario", attack, "valid_until", attack, "quota", attack, "rate_rows", attack)
	_, search := b.get("/ui/resources?q=%22%3E%3Cscript%3Ealert(1)%3C/script%3E&base=%22%3E%3Cimg%20src=x%20onerror=alert(2)%3E")
	_, door := h.anybody(t).post("/ui/sign-in", "username", attack, "password", "x", "back", attack)
	for name, page := range map[string]string{"form": form, "search": search, "sign-in": door} {
		if strings.Contains(page, "<script>alert") || strings.Contains(page, "<img src=x") {
			t.Errorf("%s shows markup that was typed", name)
		}
	}
}

var badge = regexp.MustCompile(`class="badge bg-[a-z]+-lt" title="([a-z_]+)"`)

// state is the code of the first badge of a page's head.
func state(page string) string {
	if found := badge.FindStringSubmatch(page); found != nil {
		return found[1]
	}
	return ""
}

func testStory(t *testing.T, h *hub) {
	operator, admin, platform, police := h.as(t, "social_operator"), h.as(t, "social_admin"), h.as(t, "platform_operator"), h.as(t, "police_admin")
	status, page := operator.post("/ui/resources/"+h.population.ID.String()+"/request", "client", h.client.ID.String(),
		"items", "citizen_id", "items", "name", "items", "sex_code", "lookup", "citizen_id", "row_item", "domicile_division_code", "row_op", "eq",
		"row_value", "330602", "legal_basis", "示例条例第一条", "scenario", "资格核验", "purpose", "pension-check", "purpose_text", "养老待遇资格核验",
		"valid_until", "2027-06-30", "quota", "1,000", "quota_period", "day", "then", "draft")
	found := regexp.MustCompile(`/ui/requests/([0-9a-f-]{36})/submit`).FindStringSubmatch(page)
	if status != http.StatusOK || found == nil {
		t.Fatalf("drafting: got %d\n%s", status, page)
	}
	path := "/ui/requests/" + found[1]

	// The draft is edited in the same form.
	if status, page = operator.get(path + "/edit"); status != http.StatusOK || !strings.Contains(page, `value="citizen_id" id="item-citizen_id" checked`) || !strings.Contains(page, `value="330602"`) {
		t.Errorf("the edit form: got %d without the terms", status)
	}
	row := regexp.MustCompile(`name="row_version" value="(\d+)"`).FindStringSubmatch(page)[1]
	status, page = operator.post(path+"/edit", "row_version", row, "items", "citizen_id", "items", "name", "lookup", "citizen_id", "legal_basis", "示例条例第二条",
		"scenario", "资格核验", "purpose", "pension-check", "purpose_text", "养老待遇资格核验", "valid_until", "2027-06-30", "quota_period", "day", "then", "submit")
	if status != http.StatusOK || state(page) != "dept_review" || !strings.Contains(page, "示例条例第二条") {
		t.Fatalf("editing and submitting: got %d, %q", status, state(page))
	}
	if strings.Contains(page, `id="do-sign"`) {
		t.Error("who made a request is shown its signature")
	}
	if status, _ = operator.post(path + "/sign"); status != http.StatusForbidden {
		t.Errorf("who made a request signs it: got %d", status)
	}

	step := func(b *browser, list, move string, want sharing.RequestState, form ...string) {
		t.Helper()
		_, todo := b.get("/ui/todo")
		if !strings.Contains(todo, path) || !strings.Contains(todo, `id="todo-`+list+`"`) {
			t.Errorf("the request is not among what waits (%s)", list)
		}
		_, page := b.get(path)
		if !strings.Contains(page, `id="do-`+move+`"`) {
			t.Errorf("%s is not offered", move)
		}
		if status, page := b.post(path+"/"+move, form...); status != http.StatusOK || state(page) != string(want) || !strings.Contains(page, `role="status"`) {
			t.Fatalf("%s: got %d, %q\n%s", move, status, state(page), page)
		}
	}
	step(admin, "sign", "sign", sharing.RequestPendingAcceptance)
	step(platform, "accept", "accept", sharing.RequestInReview)
	if status, page := police.post(path+"/refuse", "reason", "typed reason"); status != http.StatusUnprocessableEntity || !strings.Contains(page, "typed reason") || !strings.Contains(page, `id="move-refuse" open`) {
		t.Errorf("a refusal without a code: got %d", status)
	}
	if status, _ := police.post(path+"/approve", "row_version", "1"); status != http.StatusPreconditionFailed {
		t.Errorf("deciding on what changed meanwhile: got %d", status)
	}
	step(police, "decide", "approve", sharing.RequestApproved, "reason", "同意")
	if status, page := police.post(path + "/refuse"); status < 400 || !strings.Contains(page, `role="alert"`) {
		t.Errorf("refusing after approving: got %d", status)
	}

	_, page = operator.get(path)
	grant := regexp.MustCompile(`/ui/grants/[0-9a-f-]{36}`).FindString(page)
	if _, page = operator.get(grant); state(page) != "active" || strings.Contains(page, `id="do-suspend"`) {
		t.Errorf("the consumer's page of the grant: got %q", state(page))
	}
	if status, page = police.post(grant + "/suspend"); status != http.StatusUnprocessableEntity || !strings.Contains(page, `id="move-suspend" open`) {
		t.Errorf("suspending without a reason: got %d", status)
	}
	if status, page = police.post(grant+"/suspend", "reason", "核查异常"); status != http.StatusOK || state(page) != "suspended" {
		t.Errorf("suspending: got %d, %q", status, state(page))
	}
	if _, page = operator.get(grant); !strings.Contains(page, "核查异常") || strings.Contains(page, `id="do-resume"`) {
		t.Error("the consumer does not see why, or may resume")
	}
	if status, _ = operator.post(grant+"/resume", "reason", "x"); status != http.StatusForbidden {
		t.Errorf("the consumer resumes: got %d", status)
	}
	if status, page = police.post(grant+"/terminate", "reason", "终止"); status != http.StatusUnprocessableEntity || strings.Count(page, `class="wrong"`) < 2 {
		t.Errorf("terminating without the record: got %d", status)
	}
	if status, page = police.post(grant+"/resume", "reason", "核查完毕"); status != http.StatusOK || state(page) != "active" {
		t.Errorf("resuming: got %d, %q", status, state(page))
	}
	// What the authority suspended is not offered to the provider.
	if status, _ = platform.post(grant+"/suspend", "reason", "监督检查"); status != http.StatusOK {
		t.Errorf("the authority suspends: got %d", status)
	}
	if _, page = police.get(grant); strings.Contains(page, `id="do-resume"`) {
		t.Error("the provider is offered to resume what the authority suspended")
	}
}

func testRun(t *testing.T, h *hub) {
	h.work(t)
	b := h.as(t, "police_admin")
	if _, page := b.get("/ui/tasks"); !strings.Contains(page, "示例事项") || !strings.Contains(page, `title="0 3 * * *">每天 03:00<`) {
		t.Errorf("the list of tasks lacks the task or its schedule in words")
	}
	status, page := b.post("/ui/tasks/" + h.task.ID.String() + "/run")
	run := regexp.MustCompile(`hx-get="(/ui/runs/[0-9a-f-]{36})/progress"`).FindStringSubmatch(page)
	if status != http.StatusOK || run == nil {
		t.Fatalf("running: got %d\n%s", status, page)
	}
	ended := h.until(t, func() bool {
		_, part := b.get(run[1] + "/progress")
		return !strings.Contains(part, "hx-get")
	})
	if !ended {
		t.Fatal("the run did not end")
	}
	_, page = b.get(run[1])
	for _, want := range []string{`title="succeeded"`, "两端一致", "A0003", "日期不存在", `title="open"`} {
		if !strings.Contains(page, want) {
			t.Errorf("the page of the run lacks %q", want)
		}
	}
	if status, _ := b.post(run[1] + "/cancel"); status != http.StatusConflict {
		t.Errorf("stopping a run that is over: got %d", status)
	}
	_, page = b.get("/ui/resources/" + h.things.ID.String())
	if !strings.Contains(page, "最近到数") || strings.Contains(page, "尚未到数") {
		t.Error("the entry does not say that data arrived")
	}
	if status, _ := h.as(t, "social_admin").get(run[1]); status != http.StatusForbidden && status != http.StatusNotFound {
		t.Errorf("another department opens the run: got %d", status)
	}
}

// testLinks follows every link that each person is shown: none is dead, and looking around is no offence.
func testLinks(t *testing.T, h *hub) {
	link := regexp.MustCompile(`(?:href|hx-get)="(/ui/[^"#]*)"`)
	for name := range h.people {
		b := h.as(t, name)
		seen, queue := map[string]bool{"/ui/resources": true}, []string{"/ui/resources"}
		for len(queue) > 0 && len(seen) < 150 {
			path := queue[0]
			queue = queue[1:]
			status, page := b.get(path)
			if status != http.StatusOK {
				t.Errorf("%s is shown %s, which answers %d", name, path, status)
			}
			for _, found := range link.FindAllStringSubmatch(page, -1) {
				next := strings.ReplaceAll(found[1], "&amp;", "&")
				if !seen[next] && !strings.HasPrefix(next, "/ui/static/") && !(strings.HasPrefix(next, "/ui/audit/") && len(seen) > 60) {
					seen[next] = true
					queue = append(queue, next)
				}
			}
		}
		if len(seen) < 5 {
			t.Errorf("%s is shown only %d pages", name, len(seen))
		}
	}
	denied := audit.Denied
	events, _, err := audit.NewLog(h.db).Find(h.ctx, audit.Filter{Outcome: &denied}, db.Page{Limit: 100})
	if err != nil {
		t.Fatal(err)
	}
	// The forms that the story sent on purpose were refused; pages that were only read were not.
	var reads []string
	for _, e := range events {
		if strings.HasSuffix(e.Action, ".read") || strings.HasSuffix(e.Action, ".read_draft") {
			reads = append(reads, e.Action+" "+e.Actor.ID)
		}
	}
	want := []string{"task.read " + h.people["social_admin"].ID.String()} // The run of another department.
	if diff := cmp.Diff(want, reads); diff != "" {
		t.Errorf("reading pages left refusals in the log; want (-), got (+):\n%s", diff)
	}
}

func testForbidden(t *testing.T, h *hub) {
	for _, c := range []struct {
		who, path string
		want      int
	}{
		{"social_operator", "/ui/audit", http.StatusForbidden},
		{"social_operator", "/ui/retention", http.StatusForbidden},
		{"auditor", "/ui/tasks", http.StatusForbidden},
		{"system_admin", "/ui/grants", http.StatusForbidden},
		{"social_admin", "/ui/resources/" + h.population.ID.String() + "/access", http.StatusForbidden},
		{"police_admin", "/ui/clients/" + h.client.ID.String() + "/access", http.StatusForbidden},
		{"auditor", "/ui/resources/" + h.population.ID.String() + "/request", http.StatusForbidden},
		{"social_operator", "/ui/resources/" + h.withheld.ID.String() + "/request", http.StatusForbidden},
		{"auditor", "/ui/todo", http.StatusForbidden},
		{"auditor", "/ui/todo/done", http.StatusForbidden},
		{"system_admin", "/ui/inbox", http.StatusForbidden},
		{"auditor", "/ui/cart/request", http.StatusForbidden},
		{"police_admin", "/ui/todo/drafts", http.StatusForbidden},
		{"social_operator", "/ui/resources/not-an-id", http.StatusNotFound},
		{"social_operator", "/ui/nothing", http.StatusNotFound},
	} {
		if status, page := h.as(t, c.who).get(c.path); status != c.want || !strings.Contains(page, `role="alert"`) {
			t.Errorf("%s opens %s: got %d, want %d", c.who, c.path, status, c.want)
		}
	}
	if _, page := h.as(t, "auditor").get("/ui/resources/" + h.withheld.ID.String()); !strings.Contains(page, "示例政〔2026〕1号") {
		t.Error("a withheld entry does not state the decision")
	}
	if _, page := h.as(t, "auditor").get("/ui/retention"); strings.Count(page, "<tr>") != 1+len(retain.Rules()) || !strings.Contains(page, "1096") {
		t.Error("the page of periods does not show every kind")
	}
	status, page := h.as(t, "auditor").post("/ui/audit/verify")
	if status != http.StatusOK || !strings.Contains(page, `id="report"`) || !strings.Contains(page, "alert-success") {
		t.Errorf("verifying the log: got %d", status)
	}
	if status, _ := h.as(t, "police_admin").post("/ui/audit/verify"); status != http.StatusForbidden {
		t.Errorf("verifying without the right: got %d", status)
	}
}

func testSignOut(t *testing.T, h *hub) {
	b := h.as(t, "police_operator")
	before := b.http.Jar.Cookies(formRequest(t, h, "/ui/", "").URL)
	b.post("/ui/sign-out")
	again := h.anybody(t)
	again.http.Jar.SetCookies(formRequest(t, h, "/ui/", "").URL, before)
	if !h.until(t, func() bool {
		_, page := again.get("/ui/resources")
		return strings.Contains(page, `id="sign-in"`)
	}) {
		t.Error("a copy of the cookie still opens pages")
	}
}
