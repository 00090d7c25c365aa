package api

import (
	"context"
	"net/http"
	"net/netip"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humagin"

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

// Resolve notes the caller's address.
func (in *signInInput) Resolve(ctx huma.Context) []error {
	in.address = remoteAddr(humagin.Unwrap(ctx).Request)
	return nil
}

type secondStepInput struct {
	address netip.Addr
	Body    struct {
		Challenge    secret.Secret `json:"challenge" maxLength:"200" doc:"facts.challenge of the first step's answer."`
		Code         string        `json:"code,omitempty" maxLength:"16" doc:"Of the app."`
		RecoveryCode secret.Secret `json:"recovery_code,omitempty" maxLength:"64" doc:"Instead of a code."`
	}
}

// Resolve notes the caller's address.
func (in *secondStepInput) Resolve(ctx huma.Context) []error {
	in.address = remoteAddr(humagin.Unwrap(ctx).Request)
	return nil
}

type session struct {
	Token     string         `json:"token" doc:"Bearer token, shown once."`
	ExpiresAt time.Time      `json:"expires_at" doc:"When it ends at the latest; earlier when it is not used."`
	Limit     authz.Limit    `json:"limit,omitempty" doc:"What has to be done before anything else: password_change_required or second_factor_enrolment_required."`
	Since     identity.Since `json:"since" doc:"What happened to the account since its last sign-in."`
}

func newSession(token string, s identity.Session, err error) (session, error) {
	return session{Token: token, ExpiresAt: s.ExpiresAt, Limit: s.Limit, Since: s.Since}, err
}

func (a *API) sessionRoutes() {
	signIn := Route{
		Method: http.MethodPost, Path: base + "/sessions", Access: Public, Summary: "Sign in; with a second factor, its first step",
		Status: http.StatusCreated, Limit: signInLimit,
	}
	handle(a, signIn, func(ctx context.Context, _ authz.Principal, in *signInInput) (session, error) {
		return newSession(a.opt.Identity.SignIn(ctx, in.Body.Username, in.Body.Password, in.address))
	})
	second := signIn
	second.Path, second.Summary = base+"/sessions/second-factor", "Second step of a sign-in"
	handle(a, second, func(ctx context.Context, _ authz.Principal, in *secondStepInput) (session, error) {
		return newSession(a.opt.Identity.FinishSignIn(ctx, in.Body.Challenge.Reveal(), in.Body.Code, in.Body.RecoveryCode.Reveal(), in.address))
	})
	handleEmpty(a, del("/sessions/current", "Sign out", "").unfinished(), func(ctx context.Context, p authz.Principal, _ *noInput) error {
		return a.opt.Identity.SignOut(ctx, p)
	})
}
