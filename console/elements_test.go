package console_test

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
)

// testElements walks data elements from the register over a claim and its decision to what compilers and applicants are told.
func testElements(t *testing.T, h *hub) {
	platform, admin, operator, social := h.as(t, "platform_operator"), h.as(t, "police_admin"), h.as(t, "police_operator"), h.as(t, "social_operator")
	if _, page := operator.get("/ui/data-elements?q=GB+11643"); !strings.Contains(page, "公民身份号码") || strings.Contains(page, `id="new-element"`) || strings.Contains(page, "/ui/duties") {
		t.Error("an operator is not shown the register, or is offered to change it")
	}
	for _, c := range []struct {
		name   string
		by     *browser
		path   string
		fields []string
		status int
		shows  string
	}{
		{"an element without a name", platform, "/ui/data-elements", []string{"code", "example_no", "data_type", "C"}, 422, `value="example_no"`},
		{"an element", platform, "/ui/data-elements", []string{"code", "example_no", "name", "示例编号", "data_type", "C", "length", "20", "synonyms", "示例号\n示例编码"}, 200, "示例号、示例编码"},
		{"an element by a department", admin, "/ui/data-elements", []string{"code", "other_no", "name", "其他", "data_type", "C"}, 403, ""},
		{"a change that is wrong", platform, "/ui/data-elements/example_no/edit", []string{"name", "", "data_type", "C"}, 422, `id="act-edit" open`},
		{"a change", platform, "/ui/data-elements/example_no/edit", []string{"name", "示例编号", "data_type", "C", "standard", "GB 99"}, 200, "GB 99"},
		{"something else", platform, "/ui/data-elements/example_no/paint", nil, 404, ""},
		{"a claim without a reason", admin, "/ui/data-elements/citizen_id/claim", []string{"resource_id", h.population.ID.String()}, 422, `id="act-claim" open`},
		{"a claim with an entry of others", admin, "/ui/data-elements/uscc/claim", []string{"resource_id", h.population.ID.String(), "reason", "x"}, 422, "须为该部门已发布"},
		{"a claim", admin, "/ui/data-elements/citizen_id/claim", []string{"resource_id", h.population.ID.String(), "reason", "居民身份证法"}, 200, "待裁定"},
		{"the same again", admin, "/ui/data-elements/citizen_id/claim", []string{"reason", "x"}, 409, "未裁定的声明"},
		{"a claim by an operator", operator, "/ui/data-elements/citizen_id/claim", []string{"reason", "x"}, 403, ""},
	} {
		if status, page := c.by.post(c.path, c.fields...); status != c.status || !strings.Contains(page, c.shows) {
			t.Errorf("%s: %d without %s", c.name, status, c.shows)
		}
	}
	_, page := platform.get("/ui/duties?state=open")
	found := regexp.MustCompile(`action="(/ui/duties/[0-9a-f-]+)/approve"`).FindStringSubmatch(page)
	if found == nil {
		t.Fatal("the authority is not offered to decide")
	}
	if _, page := admin.get("/ui/duties"); strings.Contains(page, "/approve") || !strings.Contains(page, "/withdraw") {
		t.Error("a department is offered to decide, or not to withdraw")
	}
	if status, page := platform.post(found[1]+"/approve", "reason", ""); status != http.StatusUnprocessableEntity || !strings.Contains(page, "请填写") {
		t.Errorf("deciding without a reason: %d", status)
	}
	if status, page := platform.post(found[1]+"/approve", "reason", "职责明确"); status != http.StatusOK || !strings.Contains(page, "已采纳") {
		t.Errorf("deciding: %d", status)
	}
	if status, _ := platform.post(found[1]+"/refuse", "reason", "职责明确"); status != http.StatusConflict {
		t.Errorf("deciding twice: %d", status)
	}
	if _, page := social.get("/ui/element-sources"); !strings.Contains(page, "示例市公安局") || !strings.Contains(page, h.population.ID.String()) {
		t.Error("the register does not show the source")
	}
	if status, sheet := social.get("/ui/element-sources?format=csv"); status != http.StatusOK || !strings.Contains(sheet, "citizen_id,公民身份号码,330600,示例市公安局") {
		t.Errorf("the register as a table: %d %s", status, sheet)
	}
	if _, page := h.as(t, "social_admin").get("/ui/data-elements/citizen_id"); !strings.Contains(page, `id="act-contest"`) || strings.Contains(page, `id="act-claim"`) {
		t.Error("another department is not offered to object")
	}
	if status, page := platform.post("/ui/data-elements/uscc/assign", "division", "33", "department_id", h.social.ID.String(), "reason", "x"); status != 422 || !strings.Contains(page, `id="act-assign" open`) {
		t.Errorf("assigning for no division: %d", status)
	}
	if status, _ := platform.post("/ui/data-elements/uscc/assign", "division", "330600", "department_id", h.social.ID.String(), "reason", "三定方案"); status != http.StatusOK {
		t.Errorf("assigning: %d", status)
	}
	if status, _ := platform.post("/ui/data-elements/uscc/end-source", "division", "330600", "reason", "机构改革"); status != http.StatusOK {
		t.Errorf("ending: %d", status)
	}

	// What is behind an entry is on its page; what sleeps has a list for those who answer for it.
	if _, page := social.get("/ui/resources/" + h.population.ID.String()); !strings.Contains(page, `id="truth"`) || !strings.Contains(page, `id="score"`) {
		t.Error("an entry does not show what is behind it")
	}
	if _, page := admin.get("/ui/home"); !strings.Contains(page, `id="sleeping"`) {
		t.Error("an administrator is not told what sleeps")
	}
	if _, page := social.get("/ui/home"); strings.Contains(page, `id="sleeping"`) {
		t.Error("an operator is told what sleeps")
	}
	ago := "UPDATE resource_version SET published_at = now() - interval '200 days' WHERE resource_id = $1"
	for _, sql := range []string{ago, "UPDATE truth_refresh SET began_at = '2000-01-01Z' WHERE $1::uuid IS NOT NULL"} {
		if _, err := h.db.Pool.Exec(h.ctx, sql, h.things.ID); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := h.catalog.RefreshTruth(h.ctx); err != nil {
		t.Fatal(err)
	}
	for _, address := range []string{"/ui/sleeping", "/ui/sleeping?format=csv"} {
		if status, page := admin.get(address); status != http.StatusOK || !strings.Contains(page, h.things.Name) {
			t.Errorf("%s: %d without the entry that sleeps", address, status)
		}
		if _, page := social.get(address); strings.Contains(page, h.things.Name) {
			t.Errorf("%s: shown to another department", address)
		}
	}
	if status, _ := h.as(t, "auditor").get("/ui/sleeping"); status != http.StatusForbidden {
		t.Errorf("the auditor reads what sleeps: %d", status)
	}
	if status, page := platform.get("/ui/sleeping?why=no_data"); status != http.StatusOK || !strings.Contains(page, "示例市公安局") {
		t.Errorf("the authority reads what sleeps: %d", status)
	}
}
