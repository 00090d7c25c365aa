package api

import (
	"context"

	"github.com/shuqiao/shuqiao/authz"
)

// rules is the policy in force, with the number to name when saving.
type rules struct {
	Data    []authz.Rule `json:"data"`
	PolicyN int64        `json:"policy_n" doc:"Send it as If-Match when saving, so that rules changed since are not overwritten."`
}

type changesInput struct{ Body authz.Changes }

type saveInput struct {
	VersionInput
	Body authz.Changes
}

// difference is who gains and who loses what by a change of the rules.
type difference struct {
	Gains  []authz.Fact `json:"gains"`
	Losses []authz.Fact `json:"losses"`
}

func newDifference(gains, losses []authz.Fact, err error) (difference, error) {
	if gains == nil {
		gains = []authz.Fact{}
	}
	if losses == nil {
		losses = []authz.Fact{}
	}
	return difference{Gains: gains, Losses: losses}, err
}

func (a *API) policyRoutes() {
	e := a.opt.Enforcer
	handle(a, get("/policy/rules", "The rules in force", authz.PolicyRead), func(ctx context.Context, p authz.Principal, _ *noInput) (rules, error) {
		all, n, err := e.Rules(ctx, p)
		return rules{Data: all, PolicyN: n}, err
	})
	handle(a, post("/policy/rules/dry-run", "Who would gain and who would lose", authz.PolicyRead), func(ctx context.Context, p authz.Principal, in *changesInput) (difference, error) {
		return newDifference(e.DryRun(ctx, p, in.Body))
	})
	handle(a, post("/policy/rules", "Change the rules", authz.PolicyWrite), func(ctx context.Context, p authz.Principal, in *saveInput) (difference, error) {
		version, err := in.version()
		if err != nil {
			return difference{}, err
		}
		return newDifference(e.SaveRules(ctx, p, version, in.Body))
	})
}
