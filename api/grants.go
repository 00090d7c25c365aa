package api

import (
	"context"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/sharing"
)

type grantListInput struct {
	PageInput
	State    string    `query:"state" enum:"pending_delivery,active,suspended,expired,terminated,disposing,closed"`
	Side     string    `query:"side" enum:"consumer,provider" doc:"Grants the caller's department uses, or gave."`
	Resource uuid.UUID `query:"resource_id"`
	Client   uuid.UUID `query:"client_id"`

	SuspendedBy string `query:"suspended_by" enum:"provider,authority,restore" doc:"Suspended grants whose last suspension came from there; restore: by the hub, whose database was restored."`

	Unacknowledged bool `query:"unacknowledged" doc:"Grants that a publication touches which their consumer has not taken note of."`
}

type confirmRestoredInput struct {
	Body struct {
		Reason   string      `json:"reason" maxLength:"2000" doc:"How it was made sure that the grants are still in force."`
		GrantIDs []uuid.UUID `json:"grant_ids,omitempty" maxItems:"200" doc:"Confirm only these; without it, all."`
	}
}

type terminationInput struct {
	MoveInput
	Body struct {
		Reason string         `json:"reason" maxLength:"2000"`
		Filing sharing.Filing `json:"filing" doc:"Negotiation and filing, which a provider must record."`
	}
}

func (a *API) grantRoutes() {
	s := a.opt.Sharing
	handle(a, get("/grants", "List grants", authz.GrantRead), func(ctx context.Context, p authz.Principal, in *grantListInput) (list[sharing.Grant], error) {
		return newList(s.ListGrants(ctx, p, sharing.GrantFilter{
			State: sharing.GrantState(in.State), Side: sharing.Side(in.Side), ResourceID: in.Resource, ClientID: in.Client,
			SuspendedBy: sharing.SuspendedBy(in.SuspendedBy), Unacknowledged: in.Unacknowledged,
		}, in.page()))
	})
	handle(a, get("/grants/{id}", "One grant", authz.GrantRead), func(ctx context.Context, p authz.Principal, in *IDInput) (sharing.ServedGrant, error) {
		return s.GetServed(ctx, p, in.ID)
	})
	handle(a, get("/grants/{id}/history", "What was done to a grant", authz.GrantRead), func(ctx context.Context, p authz.Principal, in *IDInput) (list[sharing.GrantEntry], error) {
		steps, err := s.GrantHistory(ctx, p, in.ID)
		return newList(steps, "", err)
	})
	handleReason(a, post("/grants/{id}/suspend", "Suspend: refused everywhere within a second", authz.GrantSuspend), s.SuspendGrant)
	handleReason(a, post("/grants/{id}/resume", "Resume", authz.GrantResume), s.ResumeGrant)
	handle(a, post("/grants/{id}/terminate", "End for good", authz.GrantTerminate), func(ctx context.Context, p authz.Principal, in *terminationInput) (sharing.Grant, error) {
		version, err := in.version()
		if err != nil {
			return sharing.Grant{}, err
		}
		return s.TerminateGrant(ctx, p, in.ID, version, in.Body.Reason, in.Body.Filing)
	})
	handle(a, post("/grants/confirm-restored", "Confirm grants that a restore suspended, 200 at a time", authz.GrantConfirmRestored),
		func(ctx context.Context, p authz.Principal, in *confirmRestoredInput) (sharing.Confirmation, error) {
			return s.ConfirmRestored(ctx, p, in.Body.Reason, in.Body.GrantIDs)
		})
}
