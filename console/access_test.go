package console_test

import (
	"net/http"
	"strings"
	"testing"
)

// testAccess looks for who can see the entry whose one grant the authority has suspended.
func testAccess(t *testing.T, h *hub) {
	police, auditor, social := h.as(t, "police_admin"), h.as(t, "auditor"), h.as(t, "social_operator")
	entry := "/ui/resources/" + h.population.ID.String()
	for name, b := range map[string]*browser{"the provider": police, "the auditor": auditor, "the security administrator": h.as(t, "security_admin")} {
		if _, page := b.get(entry); !strings.Contains(page, `href="`+entry+`/access"`) {
			t.Errorf("%s is not shown who can see the entry", name)
		}
	}
	if _, page := social.get(entry); strings.Contains(page, entry+"/access") {
		t.Error("the consumer is shown who can see the provider's entry")
	}
	status, page := police.get(entry + "/access?item=name")
	if status != http.StatusOK || !strings.Contains(page, "没有谁能看到") || !strings.Contains(page, "police_operator") || !strings.Contains(page, "dept-admin-reject-read") {
		t.Errorf("who can see the name: got %d\n%s", status, page)
	}
	client := "/ui/clients/" + h.client.ID.String() + "/access"
	status, page = police.get(entry + "/access?item=name&refused=1")
	if status != http.StatusOK || !strings.Contains(page, "授权已暂停") || !strings.Contains(page, h.client.Name) || !strings.Contains(page, `href="/ui/grants/`) || strings.Contains(page, client) {
		t.Errorf("why not: got %d\n%s", status, page)
	}
	if status, page = social.get(client + "?refused=1"); status != http.StatusOK || !strings.Contains(page, "能看到什么") || !strings.Contains(page, h.client.Name) || !strings.Contains(page, "授权已暂停") {
		t.Errorf("what the system sees: got %d\n%s", status, page)
	}
	if status, page = auditor.get(client + "?refused=1"); status != http.StatusOK || strings.Contains(page, "/ui/grants/") {
		t.Errorf("what the auditor is shown of a system: got %d\n%s", status, page)
	}
	status, page = auditor.get(entry + "/access?item=name&refused=1&format=csv")
	if status != http.StatusOK || !strings.HasPrefix(page, "at,kind,") || !strings.Contains(page, ",grant_suspended\r\n") {
		t.Errorf("the table: got %d\n%s", status, page)
	}
	for question, want := range map[string]int{
		"at=2000-01-01T00:00": http.StatusGone, "at=yesterday": http.StatusUnprocessableEntity,
		"at=2999-01-01T00:00:00": http.StatusUnprocessableEntity, "item=nothing": http.StatusUnprocessableEntity,
	} {
		if status, page := auditor.get(entry + "/access?" + question); status != want || !strings.Contains(page, `role="alert"`) || !strings.Contains(page, `id="at"`) {
			t.Errorf("%s: got %d without the form", question, status)
		}
	}
}
