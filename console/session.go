package console

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/internal/edge"
	"github.com/shuqiao/shuqiao/internal/fault"
	"github.com/shuqiao/shuqiao/internal/secret"
)

// sessionCookie holds the token of the reader's session, the same that callers of the HTTP contract send as bearer.
const sessionCookie = "sq_session"

// bearerStart is how session tokens start. A client's key is for programs: it opens no page.
const bearerStart = "sqs_"

func (c *console) authenticate(r *http.Request) (authz.Principal, error) {
	cookie, err := r.Cookie(sessionCookie)
	if err != nil || !strings.HasPrefix(cookie.Value, bearerStart) {
		return authz.Principal{}, fault.New(fault.Unauthenticated, "unauthenticated", "sign in")
	}
	return c.Identity.Authenticate(r.Context(), cookie.Value, c.Address(r))
}

func setCookie(w http.ResponseWriter, r *http.Request, name, value string, seconds int) {
	http.SetCookie(w, &http.Cookie{
		Name: name, Value: value, Path: prefix, MaxAge: seconds, HttpOnly: true, Secure: edge.OriginOf(r).Secure,
		SameSite: http.SameSiteStrictMode,
	})
}

// door is the sign-in page.
type door struct {
	Username string
	Back     string
	Ended    bool // The session ended in the middle of something.
}

func (c *console) showSignIn(w http.ResponseWriter, r *http.Request) {
	v := &visit{console: c, look: c.looks[languageOf(r)], w: w, r: r}
	c.drawDoor(v, http.StatusOK, door{Back: backTo(r.URL.Query().Get("back")), Ended: r.URL.Query().Get("ended") != ""}, nil)
}

func (c *console) signIn(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	v := &visit{console: c, look: c.looks[languageOf(r)], w: w, r: r}
	d := door{Username: v.field("username"), Back: backTo(v.field("back"))}
	token, session, err := c.Identity.SignIn(r.Context(), d.Username, secret.Secret(r.PostFormValue("password")), c.Address(r))
	if err != nil {
		if fault.Is(err, fault.Unauthenticated) {
			err = fault.New(fault.Unauthenticated, "sign_in_refused", "sign-in refused")
		}
		c.drawDoor(v, statuses[fault.KindOf(err)], d, err)
		return
	}
	setCookie(w, r, sessionCookie, token, int(session.ExpiresAt.Sub(c.Clock()).Seconds()))
	http.Redirect(w, r, d.Back, http.StatusSeeOther)
}

func (c *console) drawDoor(v *visit, status int, d door, problem error) {
	if fault.Is(problem, fault.Internal) && problem != nil {
		c.Logger.ErrorContext(v.r.Context(), "signing in", "error", problem)
	}
	if err := v.draw(status, "sign_in", "sign_in.title", d, problem); err != nil {
		c.Logger.ErrorContext(v.r.Context(), "drawing the sign-in page", "error", err)
	}
}

func (c *console) signOut(w http.ResponseWriter, r *http.Request) {
	if p, err := c.authenticate(r); err == nil {
		if err := c.Identity.SignOut(r.Context(), p); err != nil {
			c.Logger.ErrorContext(r.Context(), "signing out", "error", err)
		}
	}
	setCookie(w, r, sessionCookie, "", -1)
	http.Redirect(w, r, prefix+"/sign-in", http.StatusSeeOther)
}

func (c *console) chooseLanguage(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	language := chinese
	if r.PostFormValue("language") == english {
		language = english
	}
	setCookie(w, r, languageCookie, language, 365*24*3600)
	http.Redirect(w, r, backTo(r.PostFormValue("back")), http.StatusSeeOther)
}

// backTo keeps a reader inside the console: an address that leads elsewhere leads to its start.
func backTo(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil || !strings.HasPrefix(u.Path, prefix+"/") ||
		strings.Contains(address, `\`) || strings.HasPrefix(u.Path, prefix+"//") {
		return prefix + "/"
	}
	return u.RequestURI()
}
