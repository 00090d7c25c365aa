package console_test

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"github.com/shuqiao/shuqiao/api/client"
	"github.com/shuqiao/shuqiao/internal/hubtest"
)

// visitor is a browser that follows redirects and keeps cookies.
type visitor struct {
	*http.Client
	base string
}

func newVisitor(t *testing.T, base string) visitor {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return visitor{&http.Client{Jar: jar}, base}
}

// answer is a page with where it was found.
type answer struct {
	at     *url.URL
	status int
	text   string
}

func (b visitor) open(t *testing.T, method, address string, form url.Values) answer {
	t.Helper()
	if strings.HasPrefix(address, "/") {
		address = b.base + address
	}
	req, err := http.NewRequestWithContext(t.Context(), method, address, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	resp, err := b.Do(req)
	if err != nil {
		t.Fatalf("%s %s: %v", method, address, err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{resp.Request.URL, resp.StatusCode, string(raw)}
}

var authRequest = regexp.MustCompile(`name="id" value="([^"]*)"`)

// signInAt goes to the provider as the sign-in page's link does, gives name and password there, and returns the hub's answer.
func (b visitor) signInAt(t *testing.T, username string) answer {
	t.Helper()
	login := b.open(t, "GET", "/ui/openid/start", nil)
	id := authRequest.FindStringSubmatch(login.text)
	if id == nil {
		t.Fatalf("the provider does not ask for a name: %s %s", login.at, login.text)
	}
	at := login.at.ResolveReference(&url.URL{Path: "/login/username"})
	return b.open(t, "POST", at.String(), url.Values{"id": {id[1]}, "username": {username}, "password": {"x"}})
}

// People sign in at a real OpenID provider: an existing account is linked at the first sign-in and found by its subject from then
// on; strangers, closed accounts, foreign and repeated answers are refused; the provider's word for a second factor is taken where
// the settings say so. With passwords closed, only the system administrator still has one.
func TestOpenIDSignIn(t *testing.T) {
	t.Parallel()
	listener := hubtest.Listen(t)
	base := "http://" + listener.Addr().String()
	issuer := hubtest.StartProvider(t, base+"/ui/openid/callback",
		hubtest.ProviderPerson{ID: "s1", Username: "police_admin", Password: "x"},
		hubtest.ProviderPerson{ID: "s2", Username: "police_operator", Password: "x", FirstName: "Otp"},
		hubtest.ProviderPerson{ID: "s3", Username: "stranger", Password: "x"},
		hubtest.ProviderPerson{ID: "s4", Username: "police_admin_too", Password: "x"})
	flags := map[string]string{
		"openid-issuer": issuer, "openid-client-id": hubtest.ProviderClient, "openid-client-secret": hubtest.ProviderSecret,
		"openid-trust-factors": "true", "public-url": base,
	}
	h := hubtest.Start(t, hubtest.Options{Listener: listener, Flags: flags})
	staff := h.SetUp(t)
	bureau := h.Bureau(t, staff, 1, "示例市公安局", "police")

	door := newVisitor(t, base).open(t, "GET", "/ui/sign-in", nil)
	if !strings.Contains(door.text, `href="/ui/openid/start"`) {
		t.Error("the sign-in page does not lead to the provider")
	}
	b := newVisitor(t, base)
	back := b.signInAt(t, "police_admin")
	if back.status != 200 || !strings.Contains(back.text, `http-equiv="refresh"`) {
		t.Fatalf("back from the provider: %d %s", back.status, back.text)
	}
	if page := b.open(t, "GET", "/ui/account", nil); !strings.Contains(page.text, "police_admin") || strings.Contains(page.text, `id="change-password"`) {
		t.Errorf("signed in as somebody else: %s", page.text)
	}
	again := b.open(t, "GET", back.at.String(), nil)
	if again.status != 401 || !strings.Contains(again.text, "openid_flow_over") {
		t.Errorf("the answer repeated: %d", again.status)
	}
	foreign := newVisitor(t, base)
	foreign.open(t, "GET", "/ui/openid/start", nil)
	if a := foreign.open(t, "GET", "/ui/openid/callback?state=other&code=x", nil); a.status != 401 || !strings.Contains(a.text, "openid_flow_over") {
		t.Errorf("a foreign answer: %d", a.status)
	}
	if a := newVisitor(t, base).signInAt(t, "stranger"); a.status != 401 || !strings.Contains(a.text, "openid_unknown") {
		t.Errorf("a stranger: %d", a.status)
	}

	// The name moves on to somebody else at the provider; the account stays with its subject.
	admin, err := bureau.Admin.Me(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.DB.Pool.Exec(t.Context(), "UPDATE hub_user SET username = 'police_admin_too' WHERE id = $1", admin.ID); err != nil {
		t.Fatal(err)
	}
	if a := newVisitor(t, base).signInAt(t, "police_admin_too"); a.status != 401 || !strings.Contains(a.text, "openid_unknown") {
		t.Errorf("another subject under the name: %d", a.status)
	}
	if a := newVisitor(t, base).signInAt(t, "police_admin"); a.status != 200 || !strings.Contains(a.text, `http-equiv="refresh"`) {
		t.Errorf("the linked subject: %d", a.status)
	}

	// A second factor here: asked for unless the provider vouches for one.
	for person, c := range map[string]*client.Client{"police_admin": bureau.Admin, "police_operator": bureau.Operator} {
		e, err := c.BeginSecondFactor(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		code, err := totp.GenerateCode(e.Secret, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		if codes, err := c.ConfirmSecondFactor(t.Context(), code); err != nil || len(codes) != 10 {
			t.Fatalf("recovery codes %v, %v", codes, err)
		}
		a := newVisitor(t, base).signInAt(t, person)
		if asked := strings.Contains(a.text, `action="/ui/sign-in/code"`); a.status != 200 || asked != (person == "police_admin") {
			t.Errorf("%s with a second factor: %d, asked %v", person, a.status, asked)
		}
	}
	if _, err := staff.SystemAdmin.Leave(t.Context(), admin.ID, ""); err != nil {
		t.Fatal(err)
	}
	if a := newVisitor(t, base).signInAt(t, "police_admin"); a.status != 401 || !strings.Contains(a.text, "openid_unknown") {
		t.Errorf("a closed account: %d", a.status)
	}

	closed := map[string]string{"password-sign-in": "false"}
	for key, value := range flags {
		closed[key] = value
	}
	without := hubtest.Start(t, hubtest.Options{Beside: h, Flags: closed})
	if _, err := without.Anonymous.SignIn(t.Context(), "platform_operator", hubtest.Password); err == nil {
		t.Error("a password opens a hub that has closed them")
	}
	without.SignIn(t, "system_admin")
}
