package console

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"unicode"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/authz/identity"
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
	OpenID   bool // People may sign in at an OpenID provider.
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
	if challenge := challengeOf(err); challenge != "" {
		c.drawStep(v, http.StatusOK, secondStep{Challenge: challenge, Back: d.Back}, nil)
		return
	}
	if err != nil {
		if fault.Is(err, fault.Unauthenticated) {
			err = fault.New(fault.Unauthenticated, "sign_in_refused", "sign-in refused")
		}
		c.drawDoor(v, statuses[fault.KindOf(err)], d, err)
		return
	}
	c.enter(v, token, session)
	http.Redirect(w, r, d.Back, http.StatusSeeOther)
}

// enter hands the browser its session, and the language that its person has chosen, on whatever browser that was.
func (c *console) enter(v *visit, token string, session identity.Session) {
	setCookie(v.w, v.r, sessionCookie, token, int(session.ExpiresAt.Sub(c.Clock()).Seconds()))
	if session.Language != "" {
		keepLanguage(v.w, v.r, string(session.Language))
	}
}

// secondStep is the page that asks for the code of the second factor.
type secondStep struct {
	Challenge string
	Back      string
}

// challengeOf returns the challenge of a sign-in whose second step is due, or "".
func challengeOf(err error) string {
	f, ok := errors.AsType[*fault.Fault](err)
	if !ok || f.Code != "second_factor_required" {
		return ""
	}
	return f.Detail["challenge"]
}

func (c *console) signInCode(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	v := &visit{console: c, look: c.looks[languageOf(r)], w: w, r: r}
	step := secondStep{Challenge: v.field("challenge"), Back: backTo(v.field("back"))}
	// One field takes both: a code of the app has digits only.
	code, recovery := v.field("code"), ""
	if strings.ContainsFunc(code, unicode.IsLetter) {
		code, recovery = "", code
	}
	token, session, err := c.Identity.FinishSignIn(r.Context(), step.Challenge, code, recovery, c.Address(r))
	switch {
	case err == nil:
		c.enter(v, token, session)
		http.Redirect(w, r, step.Back, http.StatusSeeOther)
	case fault.CodeOf(err) == "second_factor_wrong", fault.Is(err, fault.Exhausted):
		c.drawStep(v, statuses[fault.KindOf(err)], step, err)
	default:
		c.drawDoor(v, statuses[fault.KindOf(err)], door{Back: step.Back}, err)
	}
}

func (c *console) drawStep(v *visit, status int, step secondStep, problem error) {
	if err := v.draw(status, "second_step", "second_step.title", step, problem); err != nil {
		c.Logger.ErrorContext(v.r.Context(), "drawing the second step of signing in", "error", err)
	}
}

func (c *console) drawDoor(v *visit, status int, d door, problem error) {
	d.OpenID = c.Identity.HasOpenID()
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
	keepLanguage(w, r, language)
	// Who is signed in finds the language again wherever they sign in; the cookie alone serves everybody else.
	if p, err := c.authenticate(r); err == nil {
		if err := c.Identity.SetLanguage(r.Context(), p, identity.Language(language)); err != nil {
			c.Logger.WarnContext(r.Context(), "keeping a language", "error", err)
		}
	}
	http.Redirect(w, r, backTo(r.PostFormValue("back")), http.StatusSeeOther)
}

func keepLanguage(w http.ResponseWriter, r *http.Request, language string) {
	setCookie(w, r, languageCookie, language, 365*24*3600)
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
