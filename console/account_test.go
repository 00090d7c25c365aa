package console_test

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"github.com/shuqiao/shuqiao/authz/authztest"
)

var (
	shownSecret    = regexp.MustCompile(`id="secret">([A-Z2-7]+)<`)
	shownRecovery  = regexp.MustCompile(`<li>([A-Z2-7-]{19})</li>`)
	shownChallenge = regexp.MustCompile(`name="challenge" value="([^"]+)"`)
)

// A person with a first password is led to their account and nowhere else; there they change it, set up a second factor that the
// next sign-in asks for, and name who acts for them.
func testAccount(t *testing.T, h *hub) {
	t.Helper()
	const first = "Example-2025-w"
	if _, err := h.identity.SetPassword(h.ctx, h.people["system_admin"], h.people["social_operator"].ID, 0, first); err != nil {
		t.Fatal(err)
	}
	if err := authztest.Sync(h.ctx, h.enforcer.Follower()); err != nil {
		t.Fatal(err)
	}
	b := h.anybody(t)
	status, page := b.post("/ui/sign-in", "username", "social_operator", "password", first, "back", "/ui/requests")
	if status != http.StatusOK || !strings.Contains(page, `id="limit"`) || !strings.Contains(page, `id="change-password"`) {
		t.Fatalf("after a first sign-in: %d %s", status, page)
	}
	if _, page := b.get("/ui/todo"); !strings.Contains(page, `id="limit"`) {
		t.Error("another page is open before the password is changed")
	}
	const next = "Example-2027-y"
	if status, page := b.post("/ui/account/password", "present", first, "next", next, "again", "other"); status != http.StatusUnprocessableEntity || !strings.Contains(page, `class="wrong"`) {
		t.Errorf("two different passwords: %d", status)
	}
	if status, _ := b.post("/ui/account/password", "present", "wrong", "next", next, "again", next); status != http.StatusUnauthorized {
		t.Errorf("a wrong present password: %d", status)
	}
	if _, page := b.post("/ui/account/password", "present", first, "next", next, "again", next); strings.Contains(page, `id="limit"`) || !strings.Contains(page, "alert-success") {
		t.Errorf("after the change: %s", page)
	}
	if status, page := b.get("/ui/todo"); status != http.StatusOK || strings.Contains(page, `id="change-password"`) {
		t.Errorf("the to-do list after the change: %d", status)
	}

	_, page = b.post("/ui/account/factor")
	secret := shownSecret.FindStringSubmatch(page)
	if secret == nil || !strings.Contains(page, `src="data:image/png;base64,`) {
		t.Fatalf("setting a second factor up: %s", page)
	}
	code, err := totp.GenerateCode(secret[1], time.Now())
	if err != nil {
		t.Fatal(err)
	}
	_, page = b.post("/ui/account/factor/confirm", "code", code)
	codes := shownRecovery.FindAllStringSubmatch(page, -1)
	if len(codes) != 10 {
		t.Fatalf("%d recovery codes: %s", len(codes), page)
	}
	again := h.anybody(t)
	_, page = again.post("/ui/sign-in", "username", "social_operator", "password", next, "back", "/ui/requests")
	challenge := shownChallenge.FindStringSubmatch(page)
	if challenge == nil {
		t.Fatalf("no second step: %s", page)
	}
	if status, page := again.post("/ui/sign-in/code", "challenge", challenge[1], "code", "123", "back", "/ui/requests"); status != http.StatusUnauthorized || shownChallenge.FindString(page) == "" {
		t.Errorf("a wrong code: %d", status)
	}
	if status, page := again.post("/ui/sign-in/code", "challenge", challenge[1], "code", codes[0][1], "back", "/ui/account"); status != http.StatusOK || !strings.Contains(page, `id="everywhere"`) {
		t.Errorf("a recovery code: %d %s", status, page)
	}

	day := time.Now().In(time.FixedZone("CST", 8*3600)).Format(time.DateOnly) // Days are counted as in Shanghai.
	_, page = again.post("/ui/account/deputies", "deputy", h.people["social_admin"].ID.String(), "from", day, "until", day)
	if !strings.Contains(page, "alert-success") {
		t.Errorf("naming a deputy: %s", page)
	}
	if status, _ := again.post("/ui/account/deputies", "deputy", h.people["police_admin"].ID.String(), "from", day, "until", day); status != http.StatusUnprocessableEntity {
		t.Errorf("a deputy of another department: %d", status)
	}
	if _, page := again.post("/ui/account/sign-out-everywhere"); !strings.Contains(page, `id="sign-in"`) {
		t.Error("signing out everywhere does not lead to the sign-in page")
	}
}
