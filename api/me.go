package api

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/authz/identity"
	"github.com/shuqiao/shuqiao/internal/secret"
)

// me is who the caller is.
type me struct {
	User     identity.User `json:"user"`
	Limit    authz.Limit   `json:"limit,omitempty" doc:"What has to be done before anything else."`
	StandsIn []uuid.UUID   `json:"stands_in" nullable:"false" doc:"The absent people whose deputy I am now."`
}

type passwordInput struct {
	Body struct {
		Present secret.Secret `json:"present" maxLength:"1024"`
		Next    secret.Secret `json:"next" maxLength:"1024"`
	}
}

type codeInput struct {
	Body struct {
		Code string `json:"code" maxLength:"16" doc:"Of the app."`
	}
}

type recovery struct {
	Codes []string `json:"recovery_codes" nullable:"false" doc:"Each opens one sign-in. Shown once."`
}

type endedSessions struct {
	Ended int `json:"ended"`
}

type deputyBody struct {
	DeputyID uuid.UUID `json:"deputy_id" doc:"Who acts; of the same department."`
	StartsAt time.Time `json:"starts_at,omitempty" doc:"Now when not given."`
	EndsAt   time.Time `json:"ends_at"`
}

type ownDeputyInput struct{ Body deputyBody }

type deputyInput struct {
	IDInput
	Body deputyBody
}

type endDeputyInput struct {
	IDInput
	Deputy uuid.UUID `path:"deputy" doc:"Id of the absence."`
}

func (a *API) meRoutes() {
	s := a.opt.Identity
	who := func(ctx context.Context, p authz.Principal, _ *noInput) (me, error) {
		u, err := s.User(ctx, p, p.ID)
		out := me{User: u, Limit: p.Limit, StandsIn: []uuid.UUID{}}
		for _, absent := range p.StandIns {
			out.StandsIn = append(out.StandsIn, absent.User)
		}
		return out, err
	}
	change := func(ctx context.Context, p authz.Principal, in *passwordInput) error {
		return s.ChangePassword(ctx, p, in.Body.Present, in.Body.Next)
	}
	// Both spellings of "my own account" are part of the contract.
	for _, path := range []string{"/users/me", "/me"} {
		handle(a, get(path, "Who I am", "").unfinished(), who)
		handleEmpty(a, put(path+"/password", "Change my password", "").unfinished(), change)
	}
	handle(a, get("/me/sessions", "My open sessions", "").unfinished(), func(ctx context.Context, p authz.Principal, _ *noInput) (list[identity.OpenSession], error) {
		found, err := s.Sessions(ctx, p)
		return newList(found, "", err)
	})
	handle(a, del("/me/sessions", "Sign out everywhere", "").unfinished(), func(ctx context.Context, p authz.Principal, _ *noInput) (endedSessions, error) {
		n, err := s.SignOutEverywhere(ctx, p)
		return endedSessions{n}, err
	})
	handleEmpty(a, del("/me/sessions/{id}", "End one of my sessions", "").unfinished(), func(ctx context.Context, p authz.Principal, in *IDInput) error {
		return s.EndSession(ctx, p, in.ID)
	})
	a.secondFactorRoutes()
	handle(a, get("/me/colleagues", "The people of my department", "").signedIn(), func(ctx context.Context, p authz.Principal, _ *noInput) (list[identity.Colleague], error) {
		found, err := s.Colleagues(ctx, p)
		return newList(found, "", err)
	})
	handle(a, get("/me/deputies", "My absences, and whom I act for", "").signedIn(), func(ctx context.Context, p authz.Principal, _ *noInput) (list[identity.Deputy], error) {
		found, err := s.Deputies(ctx, p, p.ID)
		return newList(found, "", err)
	})
	handle(a, create("/me/deputies", "Name my deputy", "").signedIn(), func(ctx context.Context, p authz.Principal, in *ownDeputyInput) (identity.Deputy, error) {
		return s.SetDeputy(ctx, p, p.ID, in.Body.DeputyID, in.Body.StartsAt, in.Body.EndsAt)
	})
	handleEmpty(a, del("/me/deputies/{id}", "End one of my absences", "").signedIn(), func(ctx context.Context, p authz.Principal, in *IDInput) error {
		return s.EndDeputy(ctx, p, p.ID, in.ID)
	})
}

func (a *API) secondFactorRoutes() {
	s := a.opt.Identity
	handle(a, get("/me/second-factor", "My second factor", "").unfinished(), func(ctx context.Context, p authz.Principal, _ *noInput) (identity.SecondFactorState, error) {
		return s.SecondFactor(ctx, p)
	})
	handle(a, post("/me/second-factor", "Begin a second factor", "").unfinished(), func(ctx context.Context, p authz.Principal, _ *noInput) (identity.Enrolment, error) {
		return s.BeginSecondFactor(ctx, p)
	})
	handle(a, post("/me/second-factor/confirm", "Confirm it by its first code", "").unfinished(), func(ctx context.Context, p authz.Principal, in *codeInput) (recovery, error) {
		codes, err := s.ConfirmSecondFactor(ctx, p, in.Body.Code)
		return recovery{codes}, err
	})
	handle(a, post("/me/second-factor/recovery-codes", "Replace my recovery codes", "").signedIn(), func(ctx context.Context, p authz.Principal, in *codeInput) (recovery, error) {
		codes, err := s.RenewRecoveryCodes(ctx, p, in.Body.Code)
		return recovery{codes}, err
	})
	handleEmpty(a, post("/me/second-factor/remove", "Remove my second factor", "").signedIn(), func(ctx context.Context, p authz.Principal, in *codeInput) error {
		return s.RemoveSecondFactor(ctx, p, in.Body.Code)
	})
}
