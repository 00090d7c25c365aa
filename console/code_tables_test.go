package console_test

import (
	"regexp"
	"strings"
	"testing"
)

// The authority keeps the code tables: values are added, found, ended with a successor and stay in the history; what a law fixes is
// shown only, and departments only read. The directory's pages show what follows from it.
func testCodeTables(t *testing.T, h *hub) {
	platform, operator := h.as(t, "platform_operator"), h.as(t, "police_operator")
	for _, c := range []struct {
		name   string
		by     *browser
		path   string
		fields []string
		status int
		shows  string
	}{
		{"a theme", platform, "/ui/code-tables/theme", []string{"code", "31", "name", "示例主题甲", "valid_from", "2026-01-01", "note", "示例函〔2026〕3号"}, 200, "代码已新增"},
		{"its successor", platform, "/ui/code-tables/theme", []string{"code", "32", "name", "示例主题乙", "valid_from", "2026-01-01"}, 200, "示例主题乙"},
		{"the same code", platform, "/ui/code-tables/theme", []string{"code", "31", "name", "示例主题丙", "valid_from", "2026-01-01"}, 422, "已被使用"},
		{"a wrong code is kept in the form", platform, "/ui/code-tables/theme", []string{"code", "3 1", "name", "示例主题丙", "valid_from", "2026-01-01"}, 422, `value="示例主题丙"`},
		{"what a standard fixes", platform, "/ui/code-tables/sex", []string{"code", "7", "name", "示例"}, 409, "由法规或标准规定"},
		{"no such table", platform, "/ui/code-tables/weather", []string{"code", "7", "name", "示例"}, 404, ""},
		{"by a department", operator, "/ui/code-tables/theme", []string{"code", "33", "name", "示例"}, 403, ""},
	} {
		if status, page := c.by.post(c.path, c.fields...); status != c.status || !strings.Contains(page, c.shows) {
			t.Errorf("%s: %d without %s", c.name, status, c.shows)
		}
	}
	_, page := platform.get("/ui/code-tables/theme?q=示例主题甲")
	found := regexp.MustCompile(`action="(/ui/code-tables/theme/[0-9a-f-]+/end)"`).FindAllStringSubmatch(page, -1)
	if len(found) != 1 || strings.Contains(page, "示例主题乙") {
		t.Fatalf("the search shows %d values", len(found))
	}
	if status, page := platform.post(found[0][1], "valid_to", "2026-06-30", "successor", "99"); status != 422 || !strings.Contains(page, "请填写") {
		t.Errorf("an end without a reason: %d", status)
	}
	if status, _ := operator.post(found[0][1], "valid_to", "2026-06-30", "reason", "示例"); status != 403 {
		t.Errorf("a department ends a value: %d", status)
	}
	if status, page := platform.post(found[0][1], "valid_to", "2026-06-30", "successor", "32", "reason", "主题合并"); status != 200 || !strings.Contains(page, "代码已停用") {
		t.Errorf("ending: %d", status)
	}
	for address, want := range map[string]bool{"": false, "?day=2026-06-30": true, "?day=2026-07-01": false, "?ended=1": true} {
		if _, page := operator.get("/ui/code-tables/theme" + address); strings.Contains(page, "示例主题甲") != want {
			t.Errorf("theme%s shows the ended value: %v", address, !want)
		}
	}
	if _, page := operator.get("/ui/code-tables/theme?tab=history"); !strings.Contains(page, "主题合并") || !strings.Contains(page, "示例函〔2026〕3号") {
		t.Error("the history lacks what was done")
	}
	if status, page := operator.get("/ui/code-tables/theme?day=tomorrow"); status != 422 || !strings.Contains(page, "日期不对") {
		t.Errorf("a day that is none: %d", status)
	}
	if _, sheet := operator.get("/ui/code-tables/theme?format=csv&ended=1"); !strings.Contains(sheet, "31,示例主题甲,,,2026-01-01,2026-06-30,32,示例函〔2026〕3号,主题合并") {
		t.Errorf("the table to download is %s", sheet)
	}
	if _, page := operator.get("/ui/code-tables/division?parent=330600"); !strings.Contains(page, "越城区") || strings.Contains(page, `id="add-value"`) {
		t.Error("a department does not see the divisions below a city, or is offered to add one")
	}
	_, page = operator.get("/ui/code-tables")
	for _, want := range []string{"行政区划代码", "共享类型", "GB/T 2261.1", "/ui/code-tables/format"} {
		if !strings.Contains(page, want) {
			t.Errorf("the list of tables lacks %s", want)
		}
	}
	_, page = operator.get("/ui/compile/new")
	for _, want := range []string{"12345 热线", "template-unified_payment", "template-service_item", "template-base_population", "template-tax_credit"} {
		if !strings.Contains(page, want) {
			t.Errorf("what a new entry can be made from lacks %s", want)
		}
	}
}
