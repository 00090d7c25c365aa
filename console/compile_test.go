package console_test

import (
	"encoding/json"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/catalog"
)

var (
	formTag    = regexp.MustCompile(`(?s)<(?:(input)\b([^>]*)>|(textarea)\b([^>]*)>([^<]*)</textarea>|(select)\b([^>]*)>(.*?)</select>)`)
	attribute  = regexp.MustCompile(`([a-z-]+)(?:="([^"]*)")?`)
	optionTag  = regexp.MustCompile(`(?s)<option value="([^"]*)"([^>]*)>`)
	draftForm  = regexp.MustCompile(`(?s)<form [^>]*id="draft".*?</form>`)
	rowVersion = regexp.MustCompile(`name="row_version" value="(\d+)"`)
)

// fieldsOf reads what a browser would send of the draft's form, everything shown.
func fieldsOf(t *testing.T, page string) url.Values {
	t.Helper()
	out := url.Values{}
	for _, m := range formTag.FindAllStringSubmatch(draftForm.FindString(page), -1) {
		at, kind := map[string]string{}, m[1]+m[3]+m[6]
		for _, a := range attribute.FindAllStringSubmatch(m[2]+m[4]+m[7], -1) {
			at[a[1]] = html.UnescapeString(a[2])
		}
		_, checked := at["checked"]
		switch {
		case at["name"] == "":
		case kind == "textarea":
			out.Add(at["name"], strings.TrimPrefix(html.UnescapeString(m[5]), "\n"))
		case kind == "select":
			for _, o := range optionTag.FindAllStringSubmatch(m[8], -1) {
				if strings.Contains(o[2], "selected") {
					out.Add(at["name"], html.UnescapeString(o[1]))
				}
			}
			if !out.Has(at["name"]) {
				out.Add(at["name"], "")
			}
		case at["type"] == "checkbox" || at["type"] == "radio":
			if checked {
				out.Add(at["name"], at["value"])
			}
		default:
			out.Add(at["name"], at["value"])
		}
	}
	return out
}

// problemsOf are the sentences that a refused form shows at its fields.
func problemsOf(page string) []string {
	return regexp.MustCompile(`data-wrong="[^"]+">[^<]+|data-problems="[^"]+"|role="alert">[^~]{0,200}`).FindAllString(page, -1)
}

func (b *browser) send(path string, form url.Values) (int, string) {
	b.t.Helper()
	answer, err := b.http.PostForm(b.hub.server.URL+path, form)
	return b.read(answer, err)
}

// fillText gives every text of a struct a value of its own that a form must not change.
func fillText(v reflect.Value, n *int) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			fillText(v.Field(i), n)
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fillText(v.Elem(), n)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range 2 {
			fillText(v.Index(i), n)
		}
	case reflect.String:
		*n++
		v.SetString(fmt.Sprintf("v%d \u7532", *n))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int:
		*n++
		v.SetInt(int64(*n))
	}
}

// Whatever an entry states is in its form, and comes back from it: a field that the form forgets would be lost on saving.
func testDraftRoundTrip(t *testing.T, h *hub) {
	operator := h.people["police_operator"]
	system, err := h.catalog.CreateSystem(h.ctx, operator, "往返示例系统", "live")
	if err != nil {
		t.Fatal(err)
	}
	var m catalog.Metadata
	n := 0
	fillText(reflect.ValueOf(&m).Elem(), &n)
	// What is stored is one of a list.
	m.FormatCategory, m.Formats = "3", []string{"sql server", "PostgreSQL", "v99"}
	m.DeclaredShare, m.ShareMethods, m.UpdateCycle = catalog.Conditional, []catalog.ShareMethod{catalog.ByTable, catalog.ByAPI}, catalog.Weekly
	m.Secrecy, m.Level, m.BaseDatabase, m.SystemID, m.SourceDeptID = catalog.NotSecret, "city", "population", system.ID, h.social.ID
	m.WithholdBasis.Rank = "regulation"
	m.Classifications = []catalog.Classification{{Class1: "1", Class2: "01", Class3: "001", Class4: "a"}, {Class1: "2", Class2: "03", Class3: "002", Class4: "b", Primary: true}}
	letters := []catalog.DataType{catalog.Char, catalog.General}
	for i := range m.Items {
		m.Items[i].No, m.Items[i].ID = 0, uuid.Nil
		m.Items[i].Identifier, m.Items[i].DataType, m.Items[i].ShareType = fmt.Sprintf("item_%d", i), letters[i], catalog.Withheld
		m.Items[i].Grade, m.Items[i].SourceDeptID = catalog.L3, h.police.ID
	}
	r, err := h.catalog.CreateResource(h.ctx, operator, m)
	if err != nil {
		t.Fatal(err)
	}
	for _, language := range []string{"zh-CN", "en"} {
		b := h.as(t, "police_operator")
		b.post("/ui/language", "language", language, "back", "/ui/")
		path := "/ui/compile/" + r.ID.String()
		status, page := b.get(path)
		if status != http.StatusOK {
			t.Fatalf("the form: %d", status)
		}
		form := fieldsOf(t, page)
		form.Set("then", "save")
		form.Del("overwrite")
		if status, page := b.send(path, form); status != http.StatusOK || !strings.Contains(page, "alert-success") {
			t.Fatalf("saving: %d %s", status, page)
		}
		got, err := h.catalog.GetVersion(h.ctx, operator, r.ID, 1)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(r.Version.Metadata, got.Version.Metadata); diff != "" {
			t.Errorf("%s: before (-) and after (+) the form:\n%s", language, diff)
		}
	}
	if err := h.catalog.DiscardDraft(h.ctx, operator, r.ID, 0); err != nil {
		t.Fatal(err)
	}
}

// A draft is made from a template, is refused while it is incomplete, is reviewed, returned, submitted again and published; its
// next version is shown with what differs.
func testCompileStory(t *testing.T, h *hub) {
	operator, admin, platform := h.as(t, "police_operator"), h.as(t, "police_admin"), h.as(t, "platform_operator")
	status, page := operator.post("/ui/compile/new", "template", "admin_licence", "name", "示例许可公示")
	if status != http.StatusOK || !strings.Contains(page, `id="draft"`) {
		t.Fatalf("a new entry: %d", status)
	}
	path := regexp.MustCompile(`action="(/ui/compile/[0-9a-f-]+)" id="draft"`).FindStringSubmatch(page)[1]
	id := uuid.MustParse(strings.TrimPrefix(path, "/ui/compile/"))
	form := fieldsOf(t, page)

	form.Set("summary", "太短")
	status, part := operator.send(path+"/check", form)
	if status != http.StatusOK || !strings.Contains(part, "不少于 10 字") || !strings.Contains(part, "<progress") || strings.Contains(part, "<html") {
		t.Errorf("checking what is typed: %d %s", status, part)
	}
	problems := regexp.MustCompile(`data-problems="([^"]*)"`).FindStringSubmatch(part)
	var at map[string]string
	if err := json.Unmarshal([]byte(html.UnescapeString(problems[1])), &at); err != nil || at["summary"] == "" || at["provider_unit"] != "" {
		t.Errorf("the sentences at fields: %v %v", at, err)
	}
	if r, err := h.catalog.GetVersion(h.ctx, h.people["police_operator"], id, 1); err != nil || r.Version.Summary == "太短" {
		t.Errorf("checking stored what was typed: %v", err)
	}
	form.Set("then", "submit")
	status, page = operator.send(path, form)
	if status != http.StatusUnprocessableEntity || !strings.Contains(page, "太短") || !strings.Contains(page, "须登记部门负责人的同意") {
		t.Errorf("an incomplete submission: %d", status)
	}

	r, err := h.catalog.GetVersion(h.ctx, h.people["police_operator"], id, 1)
	if err != nil {
		t.Fatal(err)
	}
	m := complete(r.Version.Metadata)
	m.Summary = "示例行政许可公示,以许可文书编号为主键。"
	if _, err := h.catalog.EditDraft(h.ctx, h.people["police_operator"], id, 0, m); err != nil {
		t.Fatal(err)
	}
	_, page = operator.get(path)
	form = fieldsOf(t, page)
	form.Set("then", "submit")
	if status, page = operator.send(path, form); status != http.StatusOK || !strings.Contains(page, `id="do-recall"`) || strings.Contains(page, `id="do-approve"`) {
		t.Fatalf("submitting: %d %v", status, problemsOf(page))
	}
	if status, page = admin.post(path+"/return_dept", "row_version", "0"); status != http.StatusUnprocessableEntity || !strings.Contains(page, `id="act-return_dept" open`) {
		t.Errorf("returning without a reason: %d", status)
	}
	admin.post(path+"/return_dept", "reason_code", "items", "reason_code", "grade", "reason", "<b>第三项</b>")
	_, page = operator.get(path)
	if !strings.Contains(page, "信息项不完整或有误；信息项分级不当；&lt;b&gt;第三项") {
		t.Error("the reasons of the return are not shown to the one who compiles")
	}
	operator.post(path + "/submit")
	if _, page = admin.get(path); !strings.Contains(page, "示例负责人") || !strings.Contains(page, `id="do-approve"`) || strings.Contains(page, `id="do-publish"`) {
		t.Error("the reviewer does not see the head's consent and the approval")
	}
	admin.post(path + "/approve")
	if status, page = platform.post(path + "/publish"); status != http.StatusOK || !strings.Contains(page, "alert-success") {
		t.Fatalf("publishing: %d", status)
	}

	// The next version.
	if status, page = operator.post(path + "/start_version"); status != http.StatusOK || !strings.Contains(page, `id="draft"`) {
		t.Fatalf("a new version: %d", status)
	}
	m = complete(m)
	m.UsageTerms, m.Items = "新的使用要求", append(slices.Clone(m.Items[:len(m.Items)-1]), catalog.Item{
		Name: "新增项", Identifier: "added_item", DataType: catalog.Char, Length: 9, ShareType: m.Items[0].ShareType, Grade: catalog.L1,
	})
	if _, err := h.catalog.EditDraft(h.ctx, h.people["police_operator"], id, 0, m); err != nil {
		t.Fatal(err)
	}
	if _, page = platform.get(path); strings.Contains(page, "新的使用要求") {
		t.Error("the authority sees a draft that nobody submitted")
	}
	operator.post(path + "/submit")
	admin.post(path + "/approve")
	_, page = platform.get(path)
	for _, want := range []string{`id="difference"`, `<span class="added">新的使用要求</span>`, "added_item", "新增", "删除", `id="do-publish"`, `id="do-return"`} {
		if !strings.Contains(page, want) {
			t.Errorf("the review of the second version lacks %s", want)
		}
	}
	platform.post(path+"/publish", "row_version", "0")
	if _, page = operator.get("/ui/compile?state=published&q=" + url.QueryEscape("示例许可")); !strings.Contains(page, "示例许可公示") {
		t.Error("the list lacks the published entry")
	}
	if status, sheet := operator.get("/ui/compile?state=published&format=csv"); status != http.StatusOK || !strings.Contains(sheet, "示例许可公示") || strings.Contains(sheet, "<") {
		t.Errorf("the table: %d %s", status, sheet)
	}
}

// Who saves second is told, keeps what was typed, and may save it on purpose.
func testTwoEditors(t *testing.T, h *hub) {
	r, err := h.catalog.CreateResource(h.ctx, h.people["police_operator"], catalog.Metadata{Name: "两人同时编制"})
	if err != nil {
		t.Fatal(err)
	}
	path := "/ui/compile/" + r.ID.String()
	first, second := h.as(t, "police_operator"), h.as(t, "police_operator")
	_, page := first.get(path)
	mine := fieldsOf(t, page)
	mine.Set("then", "save")
	theirs := url.Values{}
	for k, v := range mine {
		theirs[k] = slices.Clone(v)
	}
	theirs.Set("summary", "先保存的摘要")
	if status, page := second.send(path, theirs); status != http.StatusOK {
		t.Fatalf("the first to save: %d %v", status, problemsOf(page))
	}
	mine.Set("summary", "后保存的摘要")
	status, page := first.send(path, mine)
	if status != http.StatusPreconditionFailed || !strings.Contains(page, `id="conflict"`) || !strings.Contains(page, "后保存的摘要") || !strings.Contains(page, "摘要") {
		t.Fatalf("the second to save: %d", status)
	}
	again := fieldsOf(t, page)
	if got := again.Get("row_version"); got != mine.Get("row_version") {
		t.Errorf("the form took version %s by itself", got)
	}
	again.Set("overwrite", regexp.MustCompile(`name="overwrite" value="(\d+)"`).FindStringSubmatch(page)[1])
	if status, _ := first.send(path, again); status != http.StatusOK {
		t.Errorf("saving on purpose: %d", status)
	}
	if got, err := h.catalog.GetVersion(h.ctx, h.people["police_operator"], r.ID, 1); err != nil || got.Version.Summary != "后保存的摘要" {
		t.Errorf("kept %q, %v", got.Version.Summary, err)
	}
	// Items that cannot be read lose nothing either.
	again.Set("items", `[{"name":`)
	again.Del("overwrite")
	if status, page := first.send(path, again); status != http.StatusUnprocessableEntity || !strings.Contains(page, "[{&#34;name&#34;:") {
		t.Errorf("unreadable items: %d", status)
	}
	if _, page := first.get(path); !strings.Contains(page, "两人同时编制") || !strings.Contains(page, "data-confirm=") {
		t.Error("discarding does not name the entry")
	}
	if status, page := first.post(path+"/discard", "row_version", rowVersion.FindStringSubmatch(page)[1]); status != http.StatusPreconditionFailed {
		t.Errorf("discarding what changed: %d %s", status, page)
	}
	if status, _ := first.post(path + "/discard"); status != http.StatusOK {
		t.Errorf("discarding: %d", status)
	}
	if status, _ := first.get(path); status != http.StatusNotFound {
		t.Errorf("after discarding: %d", status)
	}
}

// Each role sees its own acts and no other's, and what is not offered is refused.
func testCompileRoles(t *testing.T, h *hub) {
	r, err := h.catalog.CreateResource(h.ctx, h.people["police_operator"], catalog.Metadata{Name: "各角色示例"})
	if err != nil {
		t.Fatal(err)
	}
	draft, published := "/ui/compile/"+r.ID.String(), "/ui/compile/"+h.things.ID.String()
	const form, read = `id="draft"`, `id="entry-state"`
	for _, c := range []struct {
		person                           string
		list, new, draft, shown, systems int
		onDraft                          string
		acts                             []string // On the published entry.
	}{
		{"police_operator", 200, 200, 200, 200, 200, form, []string{"start_version"}},
		{"police_admin", 200, 403, 200, 200, 200, read, []string{"record_consent"}},
		{"platform_operator", 200, 403, 200, 200, 200, read, []string{"take_offline"}},
		{"social_operator", 200, 200, 404, 200, 200, "", nil},
		{"social_admin", 200, 403, 404, 200, 200, "", nil},
		{"auditor", 403, 403, 403, 403, 403, "", nil},
		{"system_admin", 403, 403, 403, 403, 403, "", nil},
	} {
		b := h.as(t, c.person)
		for path, want := range map[string]int{"/ui/compile": c.list, "/ui/compile/new": c.new, draft: c.draft, published: c.shown, "/ui/systems": c.systems, "/ui/base-databases": 200} {
			if status, _ := b.get(path); status != want {
				t.Errorf("%s at %s: %d, want %d", c.person, path, status, want)
			}
		}
		if _, page := b.get(draft); c.onDraft != "" && !strings.Contains(page, c.onDraft) {
			t.Errorf("%s does not see %s of a draft", c.person, c.onDraft)
		}
		_, page := b.get(published)
		for _, act := range catalog.Acts() {
			offered := strings.Contains(page, `id="do-`+string(act)+`"`)
			if want := slices.Contains(c.acts, string(act)); offered != want {
				t.Errorf("%s is offered %s: %v", c.person, act, offered)
			} else if !want && act != catalog.StepEdit {
				if status, _ := b.post(published+"/"+string(act), "reason", "x", "by", "x", "date", "2026-01-01", "document", "x"); status < 400 {
					t.Errorf("%s may %s: %d", c.person, act, status)
				}
			}
		}
		_, home := b.get("/ui/resources")
		if got := strings.Contains(home, `href="/ui/compile"`); got != (c.list == 200) {
			t.Errorf("%s has the menu entry: %v", c.person, got)
		}
	}
	if err := h.catalog.DiscardDraft(h.ctx, h.people["police_operator"], r.ID, 0); err != nil {
		t.Fatal(err)
	}
}

// Standing consent is recorded and withdrawn; an entry goes offline with what the law wants, comes back, and is revoked.
func testEntryEnds(t *testing.T, h *hub) {
	r := h.publish(t, func() (catalog.Resource, error) {
		m := complete(catalog.Metadata{
			Classifications: []catalog.Classification{{Class1: "2", Class2: "01", Class3: "001", Primary: true}},
			Name:            "下线撤销示例", Summary: "示例数据,以编号为主键,供下线和撤销。", FormatCategory: "3", Formats: []string{"PostgreSQL"},
			DeclaredShare: catalog.Unconditional, ShareMethods: []catalog.ShareMethod{catalog.ByAPI}, UpdateCycle: catalog.Daily,
			Items: []catalog.Item{{Name: "编号", Identifier: "no", DataType: catalog.Char, Length: 20, Key: true, Required: true, ShareType: catalog.Unconditional, Grade: catalog.L1}},
		})
		return h.catalog.CreateResource(h.ctx, h.people["police_operator"], m)
	})
	path := "/ui/compile/" + r.ID.String()
	admin, platform := h.as(t, "police_admin"), h.as(t, "platform_operator")
	for _, c := range []struct {
		name   string
		by     *browser
		act    string
		fields []string
		status int
		shows  string
	}{
		{"consent without a name", admin, "record_consent", []string{"date", "2026-01-02"}, 422, `value="2026-01-02"`},
		{"consent", admin, "record_consent", []string{"by", "示例负责人", "date", "2026-01-02", "document", "示例函3号"}, 200, "示例函3号"},
		{"withdrawal without a reason", admin, "withdraw_consent", nil, 422, `id="act-withdraw_consent" open`},
		{"withdrawal", admin, "withdraw_consent", []string{"reason", "改为逐件答复"}, 200, "alert-success"},
		{"offline without the request", platform, "take_offline", []string{"reason", "停用"}, 422, "请填写"},
		{"offline", platform, "take_offline", []string{"reason", "停用", "by", "示例负责人", "date", "2026-01-03", "document", "示例函4号", "filing", "已备案"}, 200, `id="do-republish"`},
		{"published again", platform, "republish", nil, 200, `id="act-take_offline"`},
		{"offline again", platform, "take_offline", []string{"reason", "停用", "by", "示例负责人", "date", "2026-01-03", "document", "示例函4号"}, 200, "下线撤销示例”？撤销不能恢复"},
		{"revoked", platform, "revoke", []string{"reason", "不再产生"}, 200, "已撤销"},
	} {
		if status, page := c.by.post(path+"/"+c.act, c.fields...); status != c.status || !strings.Contains(page, c.shows) {
			t.Errorf("%s: %d without %s", c.name, status, c.shows)
		}
	}
}

// The authority registers and binds base databases; departments keep the register of their systems.
func testRegisters(t *testing.T, h *hub) {
	platform, operator, social := h.as(t, "platform_operator"), h.as(t, "police_operator"), h.as(t, "social_admin")
	if _, page := operator.get("/ui/base-databases"); strings.Contains(page, `id="register-population"`) {
		t.Error("a department is offered to register base databases")
	}
	for _, c := range []struct {
		name   string
		by     *browser
		path   string
		fields []string
		status int
		shows  string
	}{
		{"no lead", platform, "/ui/base-databases/population/register", []string{"key_item", "citizen_id"}, 422, `id="register-population" open`},
		{"no key of the template", platform, "/ui/base-databases/population/register", []string{"lead_dept_id", h.police.ID.String(), "key_item", "name"}, 422, "不是模板中的主键项"},
		{"registered", platform, "/ui/base-databases/population/register", []string{"lead_dept_id", h.police.ID.String(), "key_item", "citizen_id"}, 200, "人口基本信息"},
		{"bound to nothing", platform, "/ui/base-databases/population/bind", nil, 422, `id="bind-population" open`},
		{"bound to another", platform, "/ui/base-databases/population/bind", []string{"resource_id", h.things.ID.String()}, 422, "须为牵头部门"},
		{"bound", platform, "/ui/base-databases/population/bind", []string{"resource_id", h.population.ID.String()}, 200, "已绑定"},
		{"by a department", operator, "/ui/base-databases/population/register", []string{"key_item", "citizen_id"}, 403, ""},
		{"a theme without a code", platform, "/ui/base-databases", []string{"name", "示例主题"}, 422, `value="示例主题"`},
		{"a theme", platform, "/ui/base-databases", []string{"name", "示例主题库", "code", "example_theme", "lead_dept_id", h.police.ID.String(), "key_item", "no"}, 200, "example_theme"},
		{"a system without a name", operator, "/ui/systems", []string{"state", "live"}, 422, "请填写"},
		{"a system", operator, "/ui/systems", []string{"name", "示例户籍系统", "state", "live"}, 200, "示例户籍系统"},
		{"the same again", operator, "/ui/systems", []string{"name", "示例户籍系统", "state", "zombie"}, 422, `value="示例户籍系统"`},
	} {
		if status, page := c.by.post(c.path, c.fields...); status != c.status || !strings.Contains(page, c.shows) {
			t.Errorf("%s: %d without %s", c.name, status, c.shows)
		}
	}
	_, page := operator.get("/ui/systems")
	path := regexp.MustCompile(`action="(/ui/systems/[0-9a-f-]+)"`).FindStringSubmatch(page)[1]
	if status, _ := social.post(path, "name", "别人的", "state", "live"); status != http.StatusForbidden {
		t.Errorf("another department changes a system: %d", status)
	}
	if status, page := operator.post(path, "name", "示例户籍系统二期", "state", "single_office"); status != http.StatusOK || !strings.Contains(page, "仅内部处室使用") {
		t.Errorf("changing a system: %d", status)
	}
	if _, page := social.get("/ui/systems"); strings.Contains(page, "示例户籍系统") {
		t.Error("a department sees the systems of another")
	}
	if _, sheet := platform.get("/ui/systems?format=csv"); !strings.Contains(sheet, "示例户籍系统二期") {
		t.Error("the authority's table lacks a system")
	}
}
