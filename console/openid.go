package console

import (
	"net/http"

	"github.com/shuqiao/shuqiao/internal/edge"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// openIDCookie keeps the sealed flow while its owner is at the provider. It comes back with the provider's redirect, which
// another site starts, so it cannot be strict; it opens nothing by itself.
const openIDCookie = "sq_openid"

const openIDPath = prefix + "/openid"

func setOpenIDCookie(w http.ResponseWriter, r *http.Request, value string, seconds int) {
	http.SetCookie(w, &http.Cookie{
		Name: openIDCookie, Value: value, Path: openIDPath, MaxAge: seconds, HttpOnly: true, Secure: edge.OriginOf(r).Secure, SameSite: http.SameSiteLaxMode,
	})
}

// startOpenID sends the reader to the provider.
func (c *console) startOpenID(w http.ResponseWriter, r *http.Request) {
	address, kept, err := c.Identity.OpenIDStart(r.Context())
	if err != nil {
		c.refuseOpenID(w, r, err)
		return
	}
	setOpenIDCookie(w, r, kept, 600)
	http.Redirect(w, r, address, http.StatusSeeOther)
}

// finishOpenID takes the reader back from the provider. The page it answers with leads on by itself: a redirect would still
// count as coming from the provider's site, and the browser would withhold the new session's strict cookie.
func (c *console) finishOpenID(w http.ResponseWriter, r *http.Request) {
	v := &visit{console: c, look: c.looks[languageOf(r)], w: w, r: r}
	setOpenIDCookie(w, r, "", -1)
	kept, err := r.Cookie(openIDCookie)
	if err != nil {
		kept = &http.Cookie{}
	}
	token, session, err := c.Identity.OpenIDFinish(r.Context(), kept.Value, v.query("state"), v.query("code"), c.Address(r))
	if challenge := challengeOf(err); challenge != "" {
		c.drawStep(v, http.StatusOK, secondStep{Challenge: challenge, Back: prefix + "/"}, nil)
		return
	}
	if err != nil {
		c.refuseOpenID(w, r, err)
		return
	}
	c.enter(v, token, session)
	if err := v.write(http.StatusOK, "onward", "onward", prefix+"/"); err != nil {
		c.Logger.ErrorContext(r.Context(), "drawing the way on", "error", err)
	}
}

func (c *console) refuseOpenID(w http.ResponseWriter, r *http.Request, err error) {
	if fault.Is(err, fault.Unavailable) || fault.CodeOf(err) == "openid_refused" {
		c.Logger.WarnContext(r.Context(), "signing in at the OpenID provider", "error", err)
	}
	c.drawDoor(&visit{console: c, look: c.looks[languageOf(r)], w: w, r: r}, statuses[fault.KindOf(err)], door{Back: prefix + "/"}, err)
}
