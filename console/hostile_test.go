package console_test

import (
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"
)

// testHostile walks every address of the console: what browsers are told is on every answer, forms of other sites are refused,
// and hostile addresses and forms are neither failures of the hub nor markup.
func testHostile(t *testing.T, h *hub) {
	const hostile = `Zq7"><svg/onload=alert(1)>'{{.}}`
	var routes [][2]string
	for _, m := range regexp.MustCompile(`m\.Handle(?:Func)?\("(GET|POST) ?([^"]*)"(?:\+(\w+))?`).FindAllStringSubmatch(allSources(t), -1) {
		path := m[2]
		switch m[3] {
		case "setupLink", "setupPage":
			path = "/ui/setup"
		}
		routes = append(routes, [2]string{m[1], path})
	}
	if len(routes) < 40 {
		t.Fatalf("only %d routes were found", len(routes))
	}
	form := url.Values{}
	for _, name := range regexp.MustCompile(`(?:field|PostFormValue)\("([a-z_]+)"`).FindAllStringSubmatch(allSources(t), -1) {
		form.Set(name[1], hostile)
	}
	if len(form) < 10 {
		t.Fatalf("only %d fields were found", len(form))
	}
	people := []*browser{h.anybody(t), h.as(t, "social_admin"), h.as(t, "auditor")}
	for _, b := range people {
		b.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	}
	for _, r := range routes {
		method, pattern := r[0], strings.TrimSuffix(r[1], "{$}")
		for i, b := range people {
			if i > 0 && (strings.Contains(pattern, "sign-out") || strings.Contains(pattern, "/end")) {
				continue // These end the session on purpose.
			}
			values := []string{url.PathEscape(hostile), h.population.ID.String(), "%00", strings.Repeat("9", 3000)}
			if !strings.Contains(pattern, "{") {
				values = values[:1]
			}
			sites := []string{"same-origin"}
			if method == http.MethodPost {
				sites = append(sites, "cross-site")
			}
			for _, value := range values {
				path := regexp.MustCompile(`\{[a-z.]+\}`).ReplaceAllString(pattern, value)
				for _, site := range sites {
					body := ""
					if method == http.MethodPost {
						body = form.Encode()
					}
					request, err := http.NewRequestWithContext(h.ctx, method, h.server.URL+path+"?q="+url.QueryEscape(hostile)+"&cursor=%ff&done="+url.QueryEscape(hostile)+"&back=//evil.example", strings.NewReader(body))
					if err != nil {
						t.Fatal(err)
					}
					request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
					request.Header.Set("Sec-Fetch-Site", site)
					answer, err := b.http.Do(request)
					status, page := b.read(answer, err)
					if status >= 500 && status != http.StatusServiceUnavailable {
						t.Errorf("%s %.100s: %d", method, path, status)
					}
					if method == http.MethodPost && site == "cross-site" && status != http.StatusForbidden {
						t.Errorf("%s %s from another site: %d", method, pattern, status)
					}
					if strings.Contains(page, "<svg/onload") {
						t.Errorf("%s %s: what was sent is markup", method, pattern)
					}
					if strings.Contains(answer.Header.Get("Location"), "evil.example") && !strings.HasPrefix(answer.Header.Get("Location"), "/ui/") {
						t.Errorf("%s %s leads to %s", method, pattern, answer.Header.Get("Location"))
					}
					head := answer.Header
					if !strings.Contains(head.Get("Content-Security-Policy"), "default-src 'none'") || head.Get("X-Content-Type-Options") != "nosniff" ||
						head.Get("X-Frame-Options") != "DENY" || head.Get("Referrer-Policy") == "" || head.Get("Access-Control-Allow-Origin") != "" {
						t.Errorf("%s %s: headers %v", method, pattern, head)
					}
					for _, cookie := range answer.Cookies() {
						if !cookie.HttpOnly || cookie.SameSite == http.SameSiteNoneMode || cookie.SameSite == http.SameSiteDefaultMode {
							t.Errorf("%s %s: cookie %s", method, pattern, cookie.Name)
						}
					}
				}
			}
		}
	}
}

// allSources returns the code of the console.
func allSources(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	for _, f := range sourcesOf(t) {
		b.WriteString(f)
	}
	return b.String()
}

func sourcesOf(t *testing.T) (out []string) {
	t.Helper()
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), ".go") && !strings.HasSuffix(e.Name(), "_test.go") {
			raw, err := os.ReadFile(e.Name())
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, string(raw))
		}
	}
	return out
}
