package api_test

import (
	"strings"
	"testing"

	"github.com/shuqiao/shuqiao/api/client"
	"github.com/shuqiao/shuqiao/internal/hubtest"
)

// An empty hub serves its probes, its description and its setup, and refuses everything else with the way out; the setup
// names wrong fields, works once, and opens the rest.
func TestEmptyHubServesOnlyItsSetup(t *testing.T) {
	t.Parallel()
	h := hubtest.Start(t, hubtest.Options{})
	for _, path := range []string{"/healthz", "/metrics", "/openapi.json", "/docs"} {
		if a := send(t, "GET", h.URL()+path, "", ""); a.status != 200 {
			t.Errorf("%s: got %d", path, a.status)
		}
	}
	for _, r := range h.API().Routes() {
		if !strings.HasPrefix(r.Path, "/api/") || r.Path == "/api/v1/setup" {
			continue
		}
		if a := send(t, r.Method, h.URL()+fill(r.Path), "", "{}"); a.status != 503 || a.problem.Code != "setup_required" {
			t.Errorf("%s %s: got %d %s", r.Method, r.Path, a.status, a.problem.Code)
		}
	}
	if a := send(t, "GET", h.URL()+"/readyz", "", ""); a.status != 503 || !strings.Contains(a.body, "shuqiao setup") {
		t.Errorf("readiness: got %d %s", a.status, a.body)
	}

	link, err := h.SetupLink(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	_, token, _ := strings.Cut(link, "?token=")
	account := func(name string) client.Account {
		return client.Account{Username: name, DisplayName: "示例", Password: hubtest.Password}
	}
	first := client.FirstAccounts{
		Authority:   client.Authority{USCC: hubtest.USCC(0), Name: "示例市数据局", DivisionCode: hubtest.Division},
		SystemAdmin: account("chen_sys"), SecurityAdmin: account("chen_sec"), Auditor: account("chen_aud"),
	}
	bad := first
	bad.Authority.USCC, bad.Auditor.Password = "SECRET", "short"
	_, err = h.Anonymous.SetUp(t.Context(), token, bad)
	if got := client.Code(err); got != "invalid_fields" && got != "invalid" {
		t.Errorf("wrong fields: got %v", err)
	} else if text := err.Error(); strings.Contains(text, "SECRET") {
		t.Errorf("the answer repeats what was sent: %s", text)
	}
	if _, err := h.Anonymous.SetUp(t.Context(), "sqi_wrong", first); client.Code(err) != "setup_link_invalid" {
		t.Errorf("a wrong token: got %v", err)
	}
	made, err := h.Anonymous.SetUp(t.Context(), token, first)
	if err != nil || made.AuthorityID == "" || made.SystemAdmin.Username != "chen_sys" {
		t.Fatalf("got %+v, %v", made, err)
	}
	if _, err := h.Anonymous.SetUp(t.Context(), token, first); client.Code(err) != "already_set_up" {
		t.Errorf("a second time: got %v", err)
	}
	admin := h.SignIn(t, "chen_sys")
	found, err := admin.Departments(t.Context())
	if err != nil || len(found) != 1 || found[0].Level != "city" || !found[0].Authority {
		t.Errorf("the authority: got %+v, %v", found, err)
	}
	if a := send(t, "GET", h.URL()+"/readyz", "", ""); a.status != 200 {
		t.Errorf("readiness after setup: got %d %s", a.status, a.body)
	}
	if link, err := h.SetupLink(t.Context()); link != "" || err != nil {
		t.Errorf("a hub that is set up made the link %q, %v", link, err)
	}
}
