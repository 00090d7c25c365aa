package console_test

import (
	"bytes"
	"mime/multipart"
	"net/http"
	"strings"
	"testing"
)

// uploadForm is a multipart form with one file and the boundary that its header names.
func uploadForm(t *testing.T, content string, fields ...string) (body *bytes.Buffer, contentType string) {
	t.Helper()
	body = &bytes.Buffer{}
	w := multipart.NewWriter(body)
	for i := 0; i < len(fields); i += 2 {
		if err := w.WriteField(fields[i], fields[i+1]); err != nil {
			t.Fatal(err)
		}
	}
	part, err := w.CreateFormFile("file", "2031.json")
	if err == nil {
		_, err = part.Write([]byte(content))
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return body, w.FormDataContentType()
}

// The year is shown to everybody, counted for everybody, and changed by the platform operator alone.
func testCalendar(t *testing.T, h *hub) {
	operator, platform := h.as(t, "police_operator"), h.as(t, "platform_operator")
	for _, c := range []struct {
		b       *browser
		path    string
		status  int
		holds   string
		without string
	}{
		{operator, "/ui/calendar?year=2026", 200, "国庆节", `id="set-day"`},
		{platform, "/ui/calendar?year=2026", 200, `id="import-calendar"`, `id="announce"`},
		{platform, "/ui/calendar?year=2033", 200, `id="announce"`, "国庆节"},
		{operator, "/ui/calendar?year=2026&from=2026-09-24&days=10", 200, "2026-10-15", "暂定"},
		{operator, "/ui/calendar?year=2026&from=2033-09-24&days=1", 200, "暂定", ""},
		{operator, "/ui/calendar?year=2026&from=x&days=many", 422, `class="wrong"`, `id="due"`},
		{operator, "/ui/calendar?year=2026&format=csv", 200, "2026-10-01,放假,国庆节", ""},
		{operator, "/ui/calendar?year=1", 404, "", ""},
		{operator, "/ui/calendar?year=x", 404, "", ""},
	} {
		status, page := c.b.get(c.path)
		if status != c.status || !strings.Contains(page, c.holds) || c.without != "" && strings.Contains(page, c.without) {
			t.Errorf("%s: got %d, holds %q %v", c.path, status, c.holds, strings.Contains(page, c.holds))
		}
	}
	if status, _ := operator.post("/ui/calendar/day", "date", "2031-01-01", "kind", "off", "name", "元旦"); status != http.StatusForbidden {
		t.Errorf("a department changes the calendar: got %d", status)
	}
	if status, page := platform.post("/ui/calendar/day", "year", "2031", "date", "2031-01-01", "kind", "work", "name", "元旦一"); status != 422 || !strings.Contains(page, `value="元旦一"`) {
		t.Errorf("work on a Wednesday: got %d", status)
	}
	if status, page := platform.post("/ui/calendar/announce", "year", "2031", "document", "示例文件"); status != http.StatusConflict || !strings.Contains(page, `value="示例文件"`) {
		t.Errorf("a year without days: got %d", status)
	}
	if status, page := platform.post("/ui/calendar/day", "year", "2031", "date", "2031-01-01", "kind", "off", "name", "元旦"); status != 200 || !strings.Contains(page, "2031-01-01") {
		t.Errorf("a day off: got %d", status)
	}
	if status, page := platform.post("/ui/calendar/announce", "year", "2031", "document", "示例文件"); status != 200 || strings.Contains(page, `id="announce"`) {
		t.Errorf("announcing: got %d", status)
	}
	year := `{"year":2032,"papers":[],"days":[{"name":"元旦","date":"2032-01-01","isOffDay":true}]}`
	send := func(b *browser, content string) (int, string) {
		t.Helper()
		body, kind := uploadForm(t, content, "year", "2032", "only", "1", "import_document", "示例文号")
		answer, err := b.http.Post(h.server.URL+"/ui/calendar/import", kind, body)
		return b.read(answer, err)
	}
	if status, page := send(platform, "{"); status != 422 || !strings.Contains(page, "文件不是 JSON 格式") {
		t.Errorf("no JSON: got %d", status)
	}
	if status, _ := send(operator, year); status != http.StatusForbidden {
		t.Errorf("a department imports: got %d", status)
	}
	if status, page := send(platform, year); status != 200 || !strings.Contains(page, "示例文号") || !strings.Contains(page, "2032-01-01") {
		t.Errorf("importing: got %d", status)
	}
	if status, page := platform.post("/ui/calendar/import", "year", "2032"); status != 422 || !strings.Contains(page, `class="wrong"`) {
		t.Errorf("no file: got %d", status)
	}
}

// Departments file that they have no system; the authority sees who did neither.
func testCoverage(t *testing.T, h *hub) {
	social, platform := h.as(t, "social_operator"), h.as(t, "platform_operator")
	if status, page := platform.get("/ui/systems/coverage"); status != 200 || !strings.Contains(page, "未登记") {
		t.Errorf("the report: got %d", status)
	}
	if status, _ := social.get("/ui/systems/coverage"); status != http.StatusForbidden {
		t.Errorf("a department reads the report: got %d", status)
	}
	if status, page := social.post("/ui/systems/nil-returns", "statement", ""); status != 422 || !strings.Contains(page, `class="wrong"`) {
		t.Errorf("no statement: got %d", status)
	}
	if status, page := social.post("/ui/systems/nil-returns", "statement", "业务全部在省级系统中办理"); status != 200 || !strings.Contains(page, "业务全部在省级系统中办理") || strings.Contains(page, `id="file-nil-return"`) {
		t.Errorf("filing: got %d", status)
	}
	if status, _ := social.post("/ui/systems/nil-returns", "statement", "再次"); status != http.StatusConflict {
		t.Errorf("filing again: got %d", status)
	}
	if status, page := platform.get("/ui/systems/nil-returns?format=csv"); status != 200 || !strings.Contains(page, "业务全部在省级系统中办理") {
		t.Errorf("the list of the authority: got %d", status)
	}
	if status, page := platform.get("/ui/systems/coverage?format=csv"); status != 200 || !strings.Contains(page, "无资源说明") {
		t.Errorf("the report as a table: got %d", status)
	}
	if status, page := platform.get("/ui/systems/coverage?missing=true"); status != 200 || !strings.Contains(page, `aria-current="page"`) {
		t.Errorf("those that did neither: got %d", status)
	}
	if status, _ := platform.post("/ui/systems/nil-returns", "statement", "x"); status != http.StatusForbidden {
		t.Errorf("the authority files for itself without the right: got %d", status)
	}
	if status, _ := h.as(t, "auditor").get("/ui/systems/nil-returns"); status != http.StatusForbidden {
		t.Errorf("the auditor: got %d", status)
	}
}
