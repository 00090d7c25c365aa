package console_test

import (
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/audit"
	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/authz/authztest"
	"github.com/shuqiao/shuqiao/internal/db"
)

// cookie returns the value of a cookie of the console, "" for none.
func (b *browser) cookie(name string) string {
	b.t.Helper()
	for _, c := range b.http.Jar.Cookies(formRequest(b.t.(*testing.T), b.hub, "/ui/", "").URL) {
		if c.Name == name {
			return c.Value
		}
	}
	return ""
}

// testAdminWords opens the pages of administration in English: every sentence is there.
func testAdminWords(t *testing.T, h *hub) {
	bare := regexp.MustCompile(`>\s*((?:people|person_state|departments|clients|client_state|key_state|key_kind|rules|rule_fact|power|health|health_check|channels|alarm_rules|unit|proof|evidence|checkpoints|access|audit|nav|object|verb|role)\.[a-z_*.-]+)\s*<`)
	for who, pages := range map[string][]string{
		"system_admin": {
			"/ui/people", "/ui/people/new", "/ui/people/" + h.people["police_operator"].ID.String(), "/ui/departments", "/ui/departments/new",
			"/ui/departments/" + h.police.ID.String() + "/edit", "/ui/alarms", "/ui/alarms/rules", "/ui/alarms/channels", "/ui/alarms/channels/new?kind=mail", "/ui/health",
		},
		"security_admin": {"/ui/people/" + h.people["police_operator"].ID.String(), "/ui/clients", "/ui/rules", "/ui/rules/matrix", "/ui/rules/changes", "/ui/rules/edit"},
		"auditor":        {"/ui/audit", "/ui/audit/checkpoints", "/ui/evidence", "/ui/access", "/ui/access?kind=client"},
		"social_admin":   {"/ui/clients/new", "/ui/clients/" + h.client.ID.String(), "/ui/people/new", "/ui/account"},
	} {
		b := h.as(t, who)
		b.post("/ui/language", "language", "en", "back", "/ui/resources")
		for _, path := range pages {
			status, page := b.get(path)
			if status != http.StatusOK || !strings.Contains(page, `<html lang="en">`) {
				t.Errorf("%s opens %s in English: got %d", who, path, status)
			}
			if found := bare.FindStringSubmatch(page); found != nil {
				t.Errorf("%s shows the bare key %s", path, found[1])
			}
		}
		b.post("/ui/language", "language", "zh-CN", "back", "/ui/resources")
	}
}

// testAdministrators keeps the administrators apart: of the pages of administration each sees those of their own duties in the
// menu, and exactly those open.
func testAdministrators(t *testing.T, h *hub) {
	pages := []string{
		"/ui/people", "/ui/departments", "/ui/clients", "/ui/rules", "/ui/alarms", "/ui/audit", "/ui/evidence", "/ui/access", "/ui/health", "/ui/retention",
	}
	for who, open := range map[string][]string{
		"system_admin":      {"/ui/people", "/ui/departments", "/ui/alarms", "/ui/health", "/ui/retention"},
		"security_admin":    {"/ui/people", "/ui/departments", "/ui/clients", "/ui/rules", "/ui/access", "/ui/retention"},
		"auditor":           {"/ui/departments", "/ui/rules", "/ui/audit", "/ui/evidence", "/ui/access", "/ui/retention"},
		"platform_operator": {"/ui/departments", "/ui/clients", "/ui/alarms", "/ui/health", "/ui/retention"},
		"social_admin":      {"/ui/people", "/ui/departments", "/ui/clients", "/ui/alarms", "/ui/access", "/ui/retention"},
		"social_operator":   {"/ui/departments", "/ui/clients", "/ui/access"},
	} {
		b := h.as(t, who)
		_, start := b.get("/ui/resources")
		for _, path := range pages {
			want := http.StatusForbidden
			if slices.Contains(open, path) {
				want = http.StatusOK
			}
			if status, _ := b.get(path); status != want {
				t.Errorf("%s opens %s: got %d, want %d", who, path, status, want)
			}
			if shown := strings.Contains(start, `<a href="`+path+`"`); shown != (want == http.StatusOK) {
				t.Errorf("%s: the menu shows %s: %v", who, path, shown)
			}
		}
	}
	// What one of the three makes, another gives rights, and neither does the other's part.
	for _, c := range []struct {
		who, page string
		shown     []string
		hidden    []string
	}{
		{"system_admin", "/ui/people", []string{`id="new"`}, nil},
		{"security_admin", "/ui/people", nil, []string{`id="new"`}},
		{"system_admin", "/ui/people/" + h.people["police_operator"].ID.String(), []string{`id="do-disable"`, `id="do-password"`}, []string{`id="do-roles"`}},
		{"security_admin", "/ui/people/" + h.people["police_operator"].ID.String(), []string{`id="do-roles"`, `id="do-deputies"`}, []string{`id="do-disable"`, `id="do-password"`}},
		{"security_admin", "/ui/rules", []string{`id="new"`}, nil},
		{"auditor", "/ui/rules", []string{`href="/ui/rules/matrix"`}, []string{`id="new"`, `/ui/rules/edit`}},
		{"security_admin", "/ui/clients/" + h.client.ID.String(), nil, []string{`id="do-keys"`, `id="do-edit"`, `id="do-disable"`}},
		{"social_operator", "/ui/clients/" + h.client.ID.String(), nil, []string{`id="do-keys"`, `id="do-edit"`}},
		{"social_admin", "/ui/clients/" + h.client.ID.String(), []string{`id="do-keys"`, `id="do-edit"`, `id="do-disable"`}, nil},
		{"police_admin", "/ui/departments", nil, []string{`id="new"`}},
	} {
		status, page := h.as(t, c.who).get(c.page)
		for _, id := range c.shown {
			if status != http.StatusOK || !strings.Contains(page, id) {
				t.Errorf("%s is not shown %s on %s (%d)", c.who, id, c.page, status)
			}
		}
		for _, id := range c.hidden {
			if strings.Contains(page, id) {
				t.Errorf("%s is shown %s on %s", c.who, id, c.page)
			}
		}
	}
}

var (
	shownPassword = regexp.MustCompile(`id="password">([^<]+)<`)
	shownKey      = regexp.MustCompile(`id="secret">([^<]+)<`)
	shownVersion  = regexp.MustCompile(`name="row_version" value="(\d+)"`)
	atPerson      = regexp.MustCompile(`action="/ui/people/([0-9a-f-]{36})/`)
)

// testPeople makes an account, gives it a role, closes it again and hands its work over.
func testPeople(t *testing.T, h *hub) {
	system, security := h.as(t, "system_admin"), h.as(t, "security_admin")
	if status, page := system.post("/ui/people", "username", "Not A Name", "display_name", "", "department", "x"); status != http.StatusUnprocessableEntity || strings.Count(page, `class="wrong"`) != 3 {
		t.Errorf("a form that is wrong throughout: got %d with %d faults", status, strings.Count(page, `class="wrong"`))
	}
	if status, page := system.post("/ui/people", "username", "police_admin", "display_name", "另一人", "department", h.police.ID.String()); status != http.StatusUnprocessableEntity || !strings.Contains(page, "该用户名已被使用") || !strings.Contains(page, `value="另一人"`) {
		t.Errorf("a name that is taken: got %d", status)
	}
	status, page := system.post("/ui/people", "username", "wang_example", "display_name", "王示例", "department", h.police.ID.String())
	first := shownPassword.FindStringSubmatch(page)
	if status != http.StatusOK || first == nil {
		t.Fatalf("making an account: got %d\n%s", status, page)
	}
	id := atPerson.FindStringSubmatch(page)[1]
	path := "/ui/people/" + id
	if strings.Count(page, first[1]) != 1 {
		t.Error("the first password is on the page more than once")
	}
	if _, page = system.get(path); strings.Contains(page, first[1]) || !strings.Contains(page, "未分配角色") {
		t.Error("the first password is shown again, or the account has a role")
	}
	if _, page = system.get("/ui/people?q=%E7%8E%8B%E7%A4%BA&state=active"); !strings.Contains(page, path) || strings.Contains(page, "police_admin") {
		t.Error("the list is not narrowed to the name")
	}
	if status, page = security.post(path+"/roles", "roles", "auditor", "roles", "dept_operator"); status != http.StatusUnprocessableEntity || !strings.Contains(page, "互斥，也不得兼任") {
		t.Errorf("roles that exclude each other: got %d", status)
	}
	if status, page = security.post(path+"/roles", "roles", "dept_operator"); status != http.StatusOK || !strings.Contains(page, `value="dept_operator" checked`) {
		t.Errorf("setting a role: got %d", status)
	}
	if status, _ = system.post(path+"/roles", "roles", "dept_admin"); status != http.StatusForbidden {
		t.Errorf("a system administrator sets roles: got %d", status)
	}
	if err := authztest.Sync(h.ctx, h.enforcer.Follower()); err != nil {
		t.Fatal(err)
	}
	if _, page = h.anybody(t).post("/ui/sign-in", "username", "wang_example", "password", first[1]); !strings.Contains(page, `id="limit"`) {
		t.Error("the first password does not lead to its change")
	}
	_, page = system.get(path)
	stale := shownVersion.FindStringSubmatch(page)[1]
	if status, page = system.post(path+"/password", "row_version", stale); status != http.StatusOK || shownPassword.FindString(page) == "" || strings.Contains(page, first[1]) {
		t.Errorf("another first password: got %d", status)
	}
	if status, page = system.post(path+"/password", "row_version", stale); status != http.StatusPreconditionFailed || shownPassword.FindString(page) != "" {
		t.Errorf("the same form once more: got %d", status)
	}
	if status, page = system.post(path+"/disable", "to", h.people["social_admin"].ID.String()); status != http.StatusUnprocessableEntity || !strings.Contains(page, `class="act danger" open`) {
		t.Errorf("a successor of another department: got %d", status)
	}
	if status, page = system.post(path+"/disable", "to", h.people["police_operator"].ID.String()); status != http.StatusOK || state(page) != "disabled" || !strings.Contains(page, `id="do-enable"`) {
		t.Errorf("closing the account: got %d, %q", status, state(page))
	}
	if status, page = system.post("/ui/people/" + h.people["security_admin"].ID.String() + "/disable"); status != http.StatusConflict || !strings.Contains(page, "最后一名") {
		t.Errorf("closing the last security administrator: got %d", status)
	}
	if status, page = system.get("/ui/people?format=csv"); status != http.StatusOK || !strings.Contains(page, "wang_example,王示例") {
		t.Errorf("the table: got %d", status)
	}
	if status, _ = h.as(t, "social_admin").get(path); status != http.StatusForbidden && status != http.StatusNotFound {
		t.Errorf("another department opens the account: got %d", status)
	}
	testDepartments(t, h, system)
}

func testDepartments(t *testing.T, h *hub, system *browser) {
	form := []string{"name", "示例市教育局", "name_en", "Education Bureau of the Example City", "uscc", creditCode(t, 77), "division_code", "330600", "level", "city", "parent", h.police.ID.String()}
	if status, page := system.post("/ui/departments", "name", "示例市公安局", "uscc", "x", "division_code", "1", "level", "moon"); status != http.StatusUnprocessableEntity || strings.Count(page, `class="wrong"`) != 3 {
		t.Errorf("a department that is wrong throughout: got %d with %d faults", status, strings.Count(page, `class="wrong"`))
	}
	status, page := system.post("/ui/departments", form...)
	if status != http.StatusOK || !strings.Contains(page, "示例市教育局") || !strings.Contains(page, "示例市公安局") {
		t.Fatalf("making a department: got %d\n%s", status, page)
	}
	if _, page = system.get("/ui/departments"); !strings.Contains(page, "depth-1") {
		t.Error("the department is not below its parent")
	}
	if status, page = system.get("/ui/departments?format=csv"); status != http.StatusOK || !strings.Contains(page, "示例市教育局,Education Bureau") {
		t.Errorf("the table: got %d", status)
	}
	if status, _ = h.as(t, "police_admin").post("/ui/departments", form...); status != http.StatusForbidden {
		t.Errorf("a department administrator makes a department: got %d", status)
	}
}

// testClients registers a system, issues its key, whose secret is shown once, rotates and revokes it.
func testClients(t *testing.T, h *hub) {
	b := h.as(t, "police_admin")
	if status, page := b.post("/ui/clients", "name", " ", "networks", "10.0.0.0/8\nnowhere", "certificates", "zz"); status != http.StatusUnprocessableEntity || strings.Count(page, `class="wrong"`) != 3 || !strings.Contains(page, "nowhere</textarea>") {
		t.Errorf("a form that is wrong throughout: got %d", status)
	}
	status, page := b.post("/ui/clients", "name", "示例核验系统", "networks", "10.1.2.3，10.2.0.0/16")
	at := regexp.MustCompile(`/ui/clients/([0-9a-f-]{36})/edit`).FindStringSubmatch(page)
	if status != http.StatusOK || at == nil || !strings.Contains(page, "10.2.0.0/16") {
		t.Fatalf("registering: got %d\n%s", status, page)
	}
	path := "/ui/clients/" + at[1]
	status, page = b.post(path+"/keys", "kind", "bearer", "days", "90", "newest", "")
	first := shownKey.FindStringSubmatch(page)
	if status != http.StatusOK || first == nil || strings.Count(page, first[1]) != 1 {
		t.Fatalf("issuing a key: got %d", status)
	}
	text := first[1][strings.Index(first[1], ".")+1:]
	if _, page = b.get(path); strings.Contains(page, text) {
		t.Error("the secret is shown again")
	}
	if status, page = b.post(path+"/keys", "kind", "bearer", "days", "90", "newest", ""); status != http.StatusPreconditionFailed || shownKey.FindString(page) != "" {
		t.Errorf("the same form once more: got %d", status)
	}
	key := first[1][:strings.Index(first[1], ".")]
	if status, page = b.post(path+"/keys", "kind", "hmac", "days", "365", "overlap", "7", "newest", key); status != http.StatusOK || shownKey.FindString(page) == "" || strings.Contains(page, `id="do-keys"`) {
		t.Errorf("rotating: got %d, or a third key is offered", status)
	}
	if status, page = b.post(path + "/keys/" + key + "/revoke"); status != http.StatusOK || !strings.Contains(page, `title="revoked"`) || !strings.Contains(page, "alert-success") {
		t.Errorf("revoking: got %d", status)
	}
	if status, page = b.post(path + "/keys/" + key + "/revoke"); status != http.StatusConflict || !strings.Contains(page, `role="alert"`) {
		t.Errorf("revoking twice: got %d", status)
	}
	if status, page = b.post(path+"/edit", "name", h.client.Name, "signed_only", "1"); status != http.StatusOK || !strings.Contains(page, "只接受签名请求") {
		t.Errorf("editing: got %d", status)
	}
	if status, page = b.post(path + "/disable"); status != http.StatusOK || state(page) != "disabled" {
		t.Errorf("disabling: got %d, %q", status, state(page))
	}
	if status, _ = h.as(t, "social_admin").get(path); status != http.StatusForbidden {
		t.Errorf("another department opens the system: got %d", status)
	}
	if status, page = h.as(t, "security_admin").get("/ui/clients?format=csv"); status != http.StatusOK || !strings.Contains(page, "示例市公安局") {
		t.Errorf("the table: got %d", status)
	}
}

// testRules shows what a rule would change before it is saved, refuses what would break the separation, and keeps who did it.
func testRules(t *testing.T, h *hub) {
	b := h.as(t, "security_admin")
	// A node that reads changed rules answers "try again" until it has, which a busy machine shows: also the page after a save.
	settle := func() {
		t.Helper()
		if !h.until(t, func() bool { return authztest.Sync(h.ctx, h.enforcer.Follower()) == nil }) {
			t.Fatal("the rules do not settle")
		}
	}
	edit := func(pairs ...string) (int, string) {
		t.Helper()
		settle()
		return b.post("/ui/rules/edit", pairs...)
	}
	save := func(pairs ...string) string {
		t.Helper()
		if status, page := edit(pairs...); status != http.StatusOK && status != http.StatusServiceUnavailable {
			t.Errorf("saving: got %d\n%s", status, page)
		}
		settle()
		_, page := b.get("/ui/rules")
		return page
	}
	rule := func(then, role, action string) []string {
		return []string{"before", "", "id", "example-rule", "effect", "allow", "role", role, "action", action, "share_type", "*", "grade", "*", "state", "*", "granted", "*", "note", "示例", "then", then}
	}
	status, page := edit(rule("preview", "dept_operator", "alarm.read")...)
	if status != http.StatusOK || !strings.Contains(page, `id="effect-shown"`) || !strings.Contains(page, "1 种情形新获许可") {
		t.Fatalf("what it would change: got %d\n%s", status, page)
	}
	if status, page = edit(rule("save", "auditor", "data.pull")...); status != http.StatusUnprocessableEntity || !strings.Contains(page, "三员分立") {
		t.Errorf("a rule that breaks the separation: got %d", status)
	}
	n := regexp.MustCompile(`name="policy_n" value="(\d+)"`)
	_, page = b.get("/ui/rules/edit")
	read := n.FindStringSubmatch(page)[1]
	if page = save(append(rule("save", "dept_operator", "alarm.read"), "policy_n", read)...); !strings.Contains(page, "example-rule") {
		t.Error("the rule is not saved")
	}
	if status, _ = edit("before", "example-rule", "remove", "1", "then", "save", "policy_n", read); status != http.StatusPreconditionFailed {
		t.Errorf("removing by a form from before: got %d", status)
	}
	_, page = b.get("/ui/rules/edit?id=example-rule")
	if page = save("before", "example-rule", "remove", "1", "then", "save", "policy_n", n.FindStringSubmatch(page)[1]); strings.Contains(page, "example-rule") {
		t.Error("the rule is not removed")
	}
	auditor := h.as(t, "auditor")
	if _, page = auditor.get("/ui/rules/changes"); strings.Count(page, "example-rule") != 2 || !strings.Contains(page, "security_admin") {
		t.Error("the changes are not listed with who made them")
	}
	if _, page = auditor.get("/ui/rules/matrix"); strings.Count(page, `<th scope="row">`) != len(authz.Actions()) {
		t.Error("the table of powers does not have every action")
	}
	if status, page = auditor.get("/ui/rules/matrix?format=csv"); status != http.StatusOK || !strings.Contains(page, "request.sign,不可,不可,不可,不可,本部门,不可") {
		t.Errorf("the table of powers as CSV: got %d\n%s", status, page)
	}
	if status, _ = auditor.post("/ui/rules/edit", rule("preview", "dept_operator", "alarm.read")...); status != http.StatusForbidden {
		t.Errorf("an auditor edits a rule: got %d", status)
	}
}

// testChannels makes a channel, tries it and deletes it, and changes a rule of alarms.
func testChannels(t *testing.T, h *hub) {
	b := h.as(t, "system_admin")
	if status, page := b.post("/ui/alarms/channels", "kind", "mail", "name", "", "host", "mail.example", "port", "x"); status != http.StatusUnprocessableEntity || !strings.Contains(page, `value="mail.example"`) {
		t.Errorf("a wrong channel: got %d", status)
	}
	status, page := b.post("/ui/alarms/channels", "kind", "webhook", "name", "值班室", "url", "http://127.0.0.1:1/hook", "secret", "Example-Secret-0123", "least_severity", "info", "enabled", "1")
	at := regexp.MustCompile(`/ui/alarms/channels/[0-9a-f-]{36}`).FindString(page)
	if status != http.StatusOK || at == "" {
		t.Fatalf("making a channel: got %d\n%s", status, page)
	}
	if strings.Contains(page, "Example-Secret-0123") {
		t.Error("the page shows the secret")
	}
	if status, page = b.post(at + "/test"); status != http.StatusOK || !strings.Contains(page, `id="test-result"`) || !strings.Contains(page, "alert-danger") {
		t.Errorf("a test that cannot arrive: got %d", status)
	}
	if status, page = b.post(at+"/edit", "name", "值班室二", "url", "http://127.0.0.1:1/hook", "least_severity", "critical", "rules", "node_lost"); status != http.StatusOK || state(page) != "paused" || !strings.Contains(page, `value="node_lost" checked`) {
		t.Errorf("editing: got %d, %q", status, state(page))
	}
	if status, _ = h.as(t, "police_admin").get(at); status != http.StatusNotFound {
		t.Errorf("another department opens the channel: got %d", status)
	}
	if status, page = b.post(at + "/delete"); status != http.StatusOK || strings.Contains(page, "值班室二") {
		t.Errorf("deleting: got %d", status)
	}
	if status, page = b.post("/ui/alarms/rules/disk_low/change", "enabled", "1", "severity", "warning", "threshold", "many"); status != http.StatusUnprocessableEntity || !strings.Contains(page, `value="many"`) {
		t.Errorf("a threshold that is no number: got %d", status)
	}
	if status, page = b.post("/ui/alarms/rules/disk_low/change", "enabled", "1", "severity", "critical", "threshold", "7"); status != http.StatusOK || !strings.Contains(page, "7 GiB") {
		t.Errorf("changing a rule: got %d", status)
	}
	if status, page = h.as(t, "police_admin").get("/ui/alarms/rules"); status != http.StatusOK || strings.Contains(page, `/change"`) {
		t.Errorf("a department is offered to change rules: %d", status)
	}
}

// testEvidence finds a disclosure by its id and has it checked, searches the log by the name of an actor, and proves an event.
func testEvidence(t *testing.T, h *hub) {
	recorder := audit.NewRecorder(h.db)
	t.Cleanup(func() { recorder.Close() })
	id, err := recorder.Record(h.ctx, audit.Usage{
		GrantID: db.NewID(), TermsVersion: 1, ClientID: h.client.ID, ResourceID: h.population.ID, Mode: audit.ModeRows, Rows: 1234, Items: []int32{1, 2},
		Purpose: "pension-check", CaseNumber: "示例〔2026〕7号", Digest: []byte("0123456789abcdef0123456789abcdef"), PolicyN: 1, RuleID: "client-pull-conditional",
	})
	if err != nil {
		t.Fatal(err)
	}
	b := h.as(t, "auditor")
	status, page := b.get("/ui/evidence?id=" + id.String())
	for _, want := range []string{h.client.Name, h.population.Name, "1,234", "示例〔2026〕7号", "公民身份号码", "未被改动"} {
		if status != http.StatusOK || !strings.Contains(page, want) {
			t.Errorf("the disclosure lacks %q (%d)", want, status)
		}
	}
	if _, err := h.db.Pool.Exec(h.ctx, "UPDATE usage SET rows = 1 WHERE id = $1", id); err != nil {
		t.Fatal(err)
	}
	if _, page = b.get("/ui/evidence?id=" + id.String()); !strings.Contains(page, "不一致") || !strings.Contains(page, `title="wrong"`) {
		t.Error("a record that was altered passes for true")
	}
	if _, err := h.db.Pool.Exec(h.ctx, "UPDATE usage SET rows = 1234 WHERE id = $1", id); err != nil {
		t.Fatal(err)
	}
	for _, wrong := range []string{"nonsense", uuid.NewString()} {
		if status, page = b.get("/ui/evidence?id=" + wrong); status != http.StatusUnprocessableEntity || !strings.Contains(page, `class="wrong"`) {
			t.Errorf("evidence %q: got %d", wrong, status)
		}
	}
	if status, page = b.get("/ui/audit?actor=police_operator&kind=resource"); status != http.StatusOK || !strings.Contains(page, ">police_operator</span>") {
		t.Errorf("searching by name: got %d", status)
	}
	if _, page = b.get("/ui/audit?actor=police"); !strings.Contains(page, `id="which"`) || !strings.Contains(page, "actor="+h.people["police_admin"].ID.String()) {
		t.Error("a name of several is not asked about")
	}
	if _, page = b.get("/ui/audit?actor=nobody-at-all"); !strings.Contains(page, "没有符合条件的记录") {
		t.Error("events of somebody unknown are listed")
	}
	status, page = b.get("/ui/audit?action=resource.publish&format=csv")
	if status != http.StatusOK || strings.Count(page, "resource.publish") != 3 || !strings.Contains(page, "platform_operator") {
		t.Errorf("the log as a table: got %d\n%s", status, page)
	}
	if status, page = b.get("/ui/access?q=" + url.QueryEscape("人口")); status != http.StatusOK || !strings.Contains(page, "/ui/resources/"+h.population.ID.String()+"/access") {
		t.Errorf("what may be asked about: got %d", status)
	}
	if _, page = h.as(t, "social_admin").get("/ui/access?kind=client"); !strings.Contains(page, h.client.Name) || strings.Contains(page, "示例核验系统") {
		t.Error("systems of another department can be asked about, or the own cannot")
	}
	h.work(t)
	if _, page = h.as(t, "system_admin").get("/ui/health"); !strings.Contains(page, `id="well"`) || !strings.Contains(page, `title="alive"`) {
		t.Error("the page of health shows no node")
	}
}
