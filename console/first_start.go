package console

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/shuqiao/shuqiao/authz/identity"
	"github.com/shuqiao/shuqiao/internal/fault"
	"github.com/shuqiao/shuqiao/internal/secret"
)

const (
	setupLink = "/setup"          // What the hub prints.
	setupPage = prefix + "/setup" // Where it leads, since cookies and the choice of language live under the prefix.
)

// firstStart is the page that sets an empty hub up. Without a token that counts it only says what to do.
type firstStart struct {
	Token     string
	Authority identity.Authority
	Levels    []string
	Accounts  []firstAccount
}

// firstAccount is one of the accounts that the form asks for.
type firstAccount struct {
	Role                  string
	Username, DisplayName string
	Optional              bool
}

// firstRoles are the roles of the accounts that the form asks for: the three administrators, and the one more that the
// authority's work begins with.
func firstRoles() []string {
	return []string{"system_admin", "security_admin", "auditor", "platform_operator"}
}

// settled lets readers through to a hub that is set up, and leads those of an empty one to the page that says what to do.
// When the hub cannot tell, nobody passes.
func (c *console) settled(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path := r.URL.Path
		if path == setupLink || path == setupPage || path == prefix+"/language" || strings.HasPrefix(path, prefix+"/static/") {
			next.ServeHTTP(w, r)
			return
		}
		empty, err := c.Identity.NeedsSetup(r.Context())
		switch {
		case err != nil:
			c.Logger.ErrorContext(r.Context(), "asking whether the hub is set up", "error", err)
			http.Error(w, http.StatusText(http.StatusServiceUnavailable), http.StatusServiceUnavailable)
		case empty:
			http.Redirect(w, r, setupPage, http.StatusSeeOther)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// openSetup leads the printed link to its page, as long as there is one.
func (c *console) openSetup(w http.ResponseWriter, r *http.Request) {
	if empty, err := c.Identity.NeedsSetup(r.Context()); err != nil || !empty {
		c.showSetup(w, r)
		return
	}
	to := setupPage
	if r.URL.RawQuery != "" {
		to += "?" + r.URL.RawQuery
	}
	http.Redirect(w, r, to, http.StatusSeeOther)
}

func (c *console) showSetup(w http.ResponseWriter, r *http.Request) {
	v := &visit{console: c, look: c.looks[languageOf(r)], w: w, r: r}
	page := firstStart{Token: v.query("token")}
	for _, role := range firstRoles() {
		page.Accounts = append(page.Accounts, firstAccount{Role: role, Username: role, Optional: role == "platform_operator"})
	}
	page.Accounts[len(page.Accounts)-1].Username = ""
	err := c.Identity.CheckSetupToken(r.Context(), page.Token)
	if page.Token == "" && fault.Is(err, fault.Forbidden) {
		page.Token, err = "", nil // Nobody tried anything: the page says what to do, without a reproach.
	}
	c.drawSetup(v, http.StatusOK, page, err)
}

func (c *console) setUp(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	v := &visit{console: c, look: c.looks[languageOf(r)], w: w, r: r}
	page := firstStart{Token: v.field("token")}
	page.Authority = identity.Authority{
		Name: v.field("name"), NameEN: v.field("name_en"), USCC: v.field("uscc"), DivisionCode: v.field("division_code"), Level: v.field("level"),
	}
	request := identity.SetupRequest{Authority: page.Authority}
	var differ []fault.Field
	for _, role := range firstRoles() {
		a := identity.Account{
			Username: v.field(role + ".username"), DisplayName: v.field(role + ".display_name"), Password: secret.Secret(r.PostFormValue(role + ".password")),
		}
		// A slip of the finger would lock an administrator out of a hub that cannot be set up again.
		if r.PostFormValue(role+".again") != a.Password.Reveal() {
			differ = append(differ, fault.Field{Name: role + ".password", Code: "differs", Message: "type the same password twice"})
		}
		page.Accounts = append(page.Accounts, firstAccount{
			Role: role, Username: a.Username, DisplayName: a.DisplayName, Optional: role == "platform_operator",
		})
		switch role {
		case "system_admin":
			request.SystemAdmin = a
		case "security_admin":
			request.SecurityAdmin = a
		case "auditor":
			request.Auditor = a
		case "platform_operator":
			request.PlatformOperator = a
		}
	}
	err := c.Identity.CheckSetupToken(r.Context(), page.Token)
	if err == nil {
		err = fault.InvalidFields(differ)
	}
	if err == nil {
		_, err = c.Identity.SetupByToken(r.Context(), page.Token, request)
	}
	if err != nil {
		c.drawSetup(v, http.StatusOK, page, err)
		return
	}
	http.Redirect(w, r, prefix+"/sign-in?"+url.Values{"done": {"set_up"}}.Encode(), http.StatusSeeOther)
}

// drawSetup draws the form again under what is wrong with it, and the page without a form when the link is not one that
// counts. A hub that is set up has no such page: reading it is a 404, sending it a 409.
func (c *console) drawSetup(v *visit, status int, page firstStart, err error) {
	name := "setup"
	switch {
	case err == nil:
	case fault.Is(err, fault.Conflict):
		if v.r.Method == http.MethodGet {
			err = notFound()
		}
		name = "error"
	case fault.Is(err, fault.Forbidden):
		page.Token = ""
	case !fault.Is(err, fault.Invalid):
		c.Logger.ErrorContext(v.r.Context(), "setting the hub up", "error", err)
	}
	if err != nil {
		status = statuses[fault.KindOf(err)]
	}
	page.Levels = []string{"province", "city", "county", "township", "national"}
	title := "setup.title"
	if name == "error" {
		title = "error.title"
	}
	if drawn := v.draw(status, name, title, page, err); drawn != nil {
		c.Logger.ErrorContext(v.r.Context(), "drawing the setup page", "error", drawn)
	}
}
