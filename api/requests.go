package api

import (
	"context"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/internal/fault"
	"github.com/shuqiao/shuqiao/sharing"
)

type requestListInput struct {
	PageInput
	State    string    `query:"state" enum:"draft,dept_review,pending_acceptance,in_review,supplement_required,approved,refused,withdrawn"`
	Side     string    `query:"side" enum:"consumer,provider" doc:"Requests the caller's department made, or is to answer."`
	Resource uuid.UUID `query:"resource_id"`
	Client   uuid.UUID `query:"client_id"`
}

type newRequestInput struct{ Body sharing.Application }

type termsInput struct {
	MoveInput
	Body sharing.Terms
}

// opinionInput is a move on which the actor may state an opinion.
type opinionInput struct {
	MoveInput
	Body *struct {
		Opinion string `json:"opinion" maxLength:"2000"`
	}
}

type conditionsInput struct {
	MoveInput
	Body *sharing.Conditions
}

type refusalInput struct {
	MoveInput
	Body struct {
		Code   string `json:"code" doc:"One of /requests/refusal-codes."`
		Reason string `json:"reason" maxLength:"2000"`
	}
}

type extensionInput struct {
	MoveInput
	Body struct {
		Days   int    `json:"days" minimum:"1" maximum:"100" doc:"Working days."`
		Reason string `json:"reason" maxLength:"2000"`
	}
}

// handleOpinion registers a move that takes an opinion.
func handleOpinion[T any](a *API, r Route, fn func(ctx context.Context, p authz.Principal, id uuid.UUID, ifMatch int64, opinion string) (T, error)) {
	handle(a, r, func(ctx context.Context, p authz.Principal, in *opinionInput) (T, error) {
		version, err := in.version()
		if err != nil {
			var zero T
			return zero, err
		}
		opinion := ""
		if in.Body != nil {
			opinion = in.Body.Opinion
		}
		return fn(ctx, p, in.ID, version, opinion)
	})
}

func (a *API) requestRoutes() {
	s := a.opt.Sharing
	handle(a, get("/requests", "List sharing requests", authz.RequestRead), func(ctx context.Context, p authz.Principal, in *requestListInput) (list[sharing.Request], error) {
		return newList(s.ListRequests(ctx, p, sharing.RequestFilter{
			State: sharing.RequestState(in.State), Side: sharing.Side(in.Side), ResourceID: in.Resource, ClientID: in.Client,
		}, in.page()))
	})
	handle(a, create("/requests", "Draft a sharing request", authz.RequestCreate), func(ctx context.Context, p authz.Principal, in *newRequestInput) (sharing.Request, error) {
		return s.CreateRequest(ctx, p, in.Body)
	})
	handle(a, get("/requests/refusal-codes", "Codes a request can be refused with", authz.RequestRead), func(_ context.Context, _ authz.Principal, _ *noInput) (list[string], error) {
		return newList(sharing.RefusalCodes(), "", nil)
	})
	handle(a, get("/requests/{id}", "One request", authz.RequestRead), func(ctx context.Context, p authz.Principal, in *IDInput) (sharing.Request, error) {
		return s.GetRequest(ctx, p, in.ID)
	})
	handle(a, get("/requests/{id}/history", "What was done to a request", authz.RequestRead), func(ctx context.Context, p authz.Principal, in *IDInput) (list[sharing.RequestEntry], error) {
		steps, err := s.RequestHistory(ctx, p, in.ID)
		return newList(steps, "", err)
	})
	handle(a, put("/requests/{id}/draft", "Replace the terms of a draft", authz.RequestCreate), func(ctx context.Context, p authz.Principal, in *termsInput) (sharing.Request, error) {
		version, err := in.version()
		if err != nil {
			return sharing.Request{}, err
		}
		return s.EditDraft(ctx, p, in.ID, version, in.Body)
	})
	handleMove(a, post("/requests/{id}/submit", "Hand to the head of the sharing office", authz.RequestSubmit), func(ctx context.Context, p authz.Principal, id uuid.UUID, ifMatch int64) (sharing.Request, error) {
		r, err := s.Submit(ctx, p, id, ifMatch)
		// A request that was sent back for completion is handed in again by the same call.
		if fault.CodeOf(err) == "illegal_move" {
			if now, readErr := s.GetRequest(ctx, p, id); readErr == nil && now.State == sharing.RequestSupplementRequired {
				return s.Resubmit(ctx, p, id, ifMatch)
			}
		}
		return r, err
	})
	handleOpinion(a, post("/requests/{id}/sign", "Sign for the consumer", authz.RequestSign), s.Sign)
	handleReason(a, post("/requests/{id}/return", "Return to the applicant", authz.RequestReturn), s.Return)
	handleReason(a, post("/requests/{id}/withdraw", "Withdraw", authz.RequestWithdraw), s.Withdraw)
	handleOpinion(a, post("/requests/{id}/accept", "Accept for review (受理)", authz.RequestAccept), s.Accept)
	handleReason(a, post("/requests/{id}/supplement", "Ask once for everything missing", authz.RequestSupplement), s.Supplement)
	handle(a, post("/requests/{id}/approve", "Approve: the grant is in force within a second", authz.RequestApprove), func(ctx context.Context, p authz.Principal, in *conditionsInput) (sharing.Request, error) {
		version, err := in.version()
		if err != nil {
			return sharing.Request{}, err
		}
		var c sharing.Conditions
		if in.Body != nil {
			c = *in.Body
		}
		return s.Approve(ctx, p, in.ID, version, c)
	})
	handle(a, post("/requests/{id}/refuse", "Refuse, with code and reason", authz.RequestRefuse), func(ctx context.Context, p authz.Principal, in *refusalInput) (sharing.Request, error) {
		version, err := in.version()
		if err != nil {
			return sharing.Request{}, err
		}
		return s.Refuse(ctx, p, in.ID, version, in.Body.Code, in.Body.Reason)
	})
	handle(a, post("/requests/{id}/extend", "Extend the limit of the reply", authz.RequestExtend), func(ctx context.Context, p authz.Principal, in *extensionInput) (sharing.Request, error) {
		version, err := in.version()
		if err != nil {
			return sharing.Request{}, err
		}
		return s.Extend(ctx, p, in.ID, version, in.Body.Days, in.Body.Reason)
	})
	handle(a, get("/todo", "What waits for me", "").signedIn(), func(ctx context.Context, p authz.Principal, _ *noInput) (sharing.Todo, error) {
		return s.Todo(ctx, p)
	})
}
