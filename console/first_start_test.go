package console_test

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"

	"github.com/shuqiao/shuqiao/internal/hubtest"
)

// An empty hub leads every page to the one that says what to do; the printed link opens a form that says what is wrong with
// it and sets the hub up once. Afterwards the page does not exist.
func TestFirstStart(t *testing.T) {
	t.Parallel()
	h := hubtest.Start(t, hubtest.Options{})
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	browser := &http.Client{Jar: jar}
	read := func(answer *http.Response, err error) (int, string) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		body, err := io.ReadAll(answer.Body)
		if err != nil {
			t.Fatal(err)
		}
		return answer.StatusCode, string(body)
	}
	get := func(path string) (int, string) { return read(browser.Get(h.URL() + path)) }
	post := func(form url.Values) (int, string) { return read(browser.PostForm(h.URL()+"/ui/setup", form)) }

	for _, path := range []string{"/", "/ui/", "/ui/sign-in", "/ui/resources", "/ui/nothing", "/setup", "/ui/setup"} {
		status, page := get(path)
		if status != http.StatusOK || !strings.Contains(page, `id="setup-needed"`) || strings.Contains(page, `role="alert"`) || strings.Contains(page, "<form method=\"post\" action=\"/ui/setup\"") {
			t.Errorf("%s: got %d\n%s", path, status, page)
		}
	}
	if status, page := get("/setup?token=sqi_wrong"); status != http.StatusForbidden || !strings.Contains(page, "setup_link_invalid") || !strings.Contains(page, `id="setup-needed"`) {
		t.Errorf("a wrong link: got %d", status)
	}
	link, err := h.SetupLink(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	path, token, _ := strings.Cut(strings.TrimPrefix(link, h.URL()), "?token=")
	status, page := get(path + "?token=" + token)
	if status != http.StatusOK || !strings.Contains(page, `id="setup-form"`) || strings.Contains(page, "setup.") {
		t.Fatalf("the link: got %d\n%s", status, page)
	}
	form := url.Values{"token": {token}, "name": {"示例市数据局<b>"}, "uscc": {"1"}, "division_code": {hubtest.Division}, "level": {""}}
	for _, role := range []string{"system_admin", "security_admin", "auditor"} {
		form.Set(role+".username", role)
		form.Set(role+".display_name", "示例人员")
		form.Set(role+".password", hubtest.Password)
		form.Set(role+".again", hubtest.Password)
	}
	form.Set("auditor.username", "system_admin")
	form.Set("auditor.password", "Kurz-1")
	form.Set("auditor.again", "Kurz-1")
	status, page = post(form)
	if status != http.StatusUnprocessableEntity || !strings.Contains(page, "示例市数据局&lt;b&gt;") || strings.Contains(page, hubtest.Password) {
		t.Errorf("wrong fields: got %d\n%s", status, page)
	}
	for _, wrong := range []string{"三员互斥", "太短", `value="system_admin"`} {
		if !strings.Contains(page, wrong) {
			t.Errorf("the page does not say %q", wrong)
		}
	}
	form.Set("name", "示例市数据局")
	form.Set("uscc", hubtest.USCC(0))
	form.Set("auditor.username", "auditor")
	form.Set("auditor.password", hubtest.Password)
	if status, page = post(form); status != http.StatusUnprocessableEntity || !strings.Contains(page, "两次输入的密码不一致") {
		t.Errorf("two passwords: got %d\n%s", status, page)
	}
	form.Set("auditor.again", hubtest.Password)
	if status, page = post(form); status != http.StatusOK || !strings.Contains(page, `id="sign-in"`) || !strings.Contains(page, "平台已完成初始化") {
		t.Fatalf("setting up: got %d\n%s", status, page)
	}
	if status, _ := post(form); status != http.StatusConflict {
		t.Errorf("sending it again: got %d", status)
	}
	for _, path := range []string{path + "?token=" + token, "/ui/setup"} {
		if status, _ := get(path); status != http.StatusNotFound {
			t.Errorf("%s afterwards: got %d", path, status)
		}
	}
	if status, page := get("/ui/resources"); status != http.StatusOK || !strings.Contains(page, `id="sign-in"`) {
		t.Errorf("the directory afterwards: got %d", status)
	}
	h.SignIn(t, "auditor")
}
