package console_test

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
)

// Tables are chosen, their proposals shown with the evidence and without any row, and kept as drafts from which the mount is
// prefilled; how a source has changed stands on every page that it concerns, for those whom it concerns.
func TestReversePages(t *testing.T) {
	t.Parallel()
	h := setup(t)
	e := exchangeHub{hub: h}
	e.find(t)
	source := "/ui/sources/" + e.source.ID.String()
	clerk := e.as(t, "police_operator")
	must(t, clerk, source, `id="draft"`, "由数据表编目")
	must(t, clerk, source+"/draft", `value="public.thing"`, `id="propose"`)
	must(t, clerk, source+"/draft?q=nothing", "nothing")
	page := must(t, clerk, source+"/draft?object=public.thing", "样本只有 3 个", "抽样 3 行", "取默认值", `id="keep"`)
	for _, value := range []string{"A0001", "2001-02-03", "330602", "甲"} {
		if strings.Contains(page, value) {
			t.Errorf("the page shows the value %s", value)
		}
	}
	must(t, clerk, source+"/draft?object=public.nowhere", "读不到这张表")
	if status, page := clerk.get(source + "/draft?" + strings.Repeat("object=x&", 21)); status != http.StatusUnprocessableEntity || !strings.Contains(page, `id="propose"`) {
		t.Errorf("21 tables: got %d", status)
	}
	made := sent(t, clerk, source+"/draft", http.StatusOK, []string{"已由数据表生成目录草稿", "thing"}, "object", "public.thing")
	entry := regexp.MustCompile(`action="/ui/compile/([0-9a-f-]{36})"`).FindStringSubmatch(made)
	if entry == nil {
		t.Fatalf("no form of the draft: %s", made)
	}
	must(t, clerk, "/ui/mounts/new?resource="+entry[1], `name="column_1"`, "public.thing")
	sent(t, clerk, source+"/draft", http.StatusOK, []string{"已生成 1 个目录草稿", "读不到这张表"}, "object", "public.thing", "object", "public.nowhere")
	sent(t, clerk, source+"/draft", http.StatusUnprocessableEntity, []string{`id="propose"`})

	admin := e.as(t, "police_admin")
	if page := must(t, admin, source); strings.Contains(page, `id="draft"`) {
		t.Error("who compiles nothing is offered to catalogue")
	}
	for _, c := range []struct {
		who  string
		want int
	}{{"police_admin", http.StatusForbidden}, {"social_operator", http.StatusNotFound}, {"auditor", http.StatusNotFound}} {
		if status, _ := e.as(t, c.who).get(source + "/draft?object=public.thing"); status != c.want {
			t.Errorf("%s: got %d, want %d", c.who, status, c.want)
		}
	}

	_, err := e.db.Pool.Exec(e.ctx, `
		INSERT INTO drift (id, mount_id, column_name, kind, was, now, items, breaks, draft_version, first_seen, last_seen)
		VALUES (gen_random_uuid(), $1, 'title', 'renamed', 'title', 'caption', '{title}', true, 2, now(), now()),
			(gen_random_uuid(), $1, 'extra', 'added', '', 'integer', '{}', false, NULL, now(), now())`, e.mount.ID)
	if err != nil {
		t.Fatal(err)
	}
	mount, lineage := "/ui/mounts/"+e.mount.ID.String(), "/ui/resources/"+e.things.ID.String()+"?tab=lineage"
	for _, path := range []string{mount, source, lineage, "/ui/drift", "/ui/drift?state=open"} {
		must(t, clerk, path, "来源结构变化", "字段疑似改名", "caption", "新增字段", "阻断运行")
		must(t, admin, path, "字段疑似改名")
	}
	must(t, clerk, mount, `href="/ui/compile/`+e.things.ID.String(), "继续提供上次的有效数据")
	if page := must(t, clerk, "/ui/drift?state=resolved", "没有结构变化"); strings.Contains(page, "caption") {
		t.Error("an open finding is listed as resolved")
	}
	if page := must(t, clerk, "/ui/drift?format=csv", "字段疑似改名", "caption"); strings.Contains(page, "<td") {
		t.Error("the sheet is a page")
	}
	other := e.as(t, "social_operator")
	for _, path := range []string{"/ui/drift", lineage} {
		if page := must(t, other, path); strings.Contains(page, "caption") {
			t.Errorf("another department sees in %s how the source has changed", path)
		}
	}
	clerk.post("/ui/language", "language", "en", "back", "/ui/drift")
	must(t, clerk, "/ui/drift", "Column probably renamed", "Stops runs")
	must(t, clerk, source+"/draft?object=public.thing", "only 3 samples")
}
