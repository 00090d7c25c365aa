package api

import (
	"context"
	"net/http"
	"net/netip"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/authz/identity"
	"github.com/shuqiao/shuqiao/internal/secret"
)

// signInLimit is the largest body of a sign-in, which anyone may send.
const signInLimit = 64 << 10

type signInInput struct {
	address netip.Addr
	Body    struct {
		Username string        `json:"username" maxLength:"64"`
		Password secret.Secret `json:"password" maxLength:"1024"`
	}
}

// Resolve takes the caller's address from the connection.
func (in *signInInput) Resolve(ctx huma.Context) []error {
	addr, err := netip.ParseAddrPort(ctx.RemoteAddr())
	if err == nil {
		in.address = addr.Addr().Unmap()
	}
	return nil
}

type session struct {
	Token     string    `json:"token" doc:"Bearer token, shown once."`
	ExpiresAt time.Time `json:"expires_at" doc:"When it ends at the latest; earlier when it is not used."`
}

// me is who the caller is.
type me struct {
	User identity.User `json:"user"`
}

type passwordInput struct {
	Body struct {
		Present secret.Secret `json:"present" maxLength:"1024"`
		Next    secret.Secret `json:"next" maxLength:"1024"`
	}
}

func (a *API) sessionRoutes() {
	signIn := Route{
		Method: http.MethodPost, Path: base + "/sessions", Access: Public, Summary: "Sign in",
		Status: http.StatusCreated, Limit: signInLimit,
	}
	handle(a, signIn, func(ctx context.Context, _ authz.Principal, in *signInInput) (session, error) {
		token, s, err := a.opt.Identity.SignIn(ctx, in.Body.Username, in.Body.Password, in.address)
		return session{Token: token, ExpiresAt: s.ExpiresAt}, err
	})
	handleEmpty(a, del("/sessions/current", "Sign out", "").signedIn(), func(ctx context.Context, p authz.Principal, _ *noInput) error {
		return a.opt.Identity.SignOut(ctx, p)
	})
	handle(a, get("/users/me", "Who I am", "").signedIn(), func(ctx context.Context, p authz.Principal, _ *noInput) (me, error) {
		u, err := a.opt.Identity.User(ctx, p, p.ID)
		return me{User: u}, err
	})
	handleEmpty(a, put("/users/me/password", "Change my password", "").signedIn(), func(ctx context.Context, p authz.Principal, in *passwordInput) error {
		return a.opt.Identity.ChangePassword(ctx, p, in.Body.Present, in.Body.Next)
	})
}
