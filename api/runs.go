package api

import (
	"context"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/exchange"
)

type runListInput struct {
	PageInput
	Task     uuid.UUID `query:"task_id"`
	Resource uuid.UUID `query:"resource_id"`
	State    string    `query:"state" enum:"queued,running,reconciling,succeeded,partial,failed,cancelled"`
	Kind     string    `query:"kind" enum:"collect,deliver,reconcile"`
}

func (a *API) runRoutes() {
	s := a.opt.Exchange
	handle(a, get("/runs", "List runs", authz.TaskRead), func(ctx context.Context, p authz.Principal, in *runListInput) (list[exchange.Run], error) {
		return newList(s.Runs(ctx, p, exchange.RunFilter{
			TaskID: given(in.Task), ResourceID: given(in.Resource), State: given(exchange.RunState(in.State)),
			Kind: given(exchange.RunKind(in.Kind)),
		}, in.page()))
	})
	handle(a, get("/runs/{id}", "One run", authz.TaskRead), func(ctx context.Context, p authz.Principal, in *IDInput) (exchange.Run, error) {
		return s.Run(ctx, p, in.ID)
	})
	handle(a, post("/runs/{id}/cancel", "Stop a run before its merge", authz.RunCancel), func(ctx context.Context, p authz.Principal, in *IDInput) (exchange.Run, error) {
		return s.Cancel(ctx, p, in.ID)
	})
	a.startRoute(create("/runs/{id}/confirm", "Run again and delete what this run was refused to", authz.RunConfirm), s.ConfirmDeletes)
}

type rejectListInput struct {
	IDInput
	PageInput
	State string `query:"state" enum:"open,corrected,waived"`
}

type waiveInput struct {
	IDInput
	Body struct {
		Reason string `json:"reason" doc:"Why the row need not be corrected." minLength:"1" maxLength:"500"`
	}
}

type reconciliationListInput struct {
	IDInput
	PageInput
}

// outcomeRoutes are about what runs left behind: refused rows and comparisons.
func (a *API) outcomeRoutes() {
	s := a.opt.Exchange
	handle(a, get("/runs/{id}/rejects", "Rows a run refused, with reasons", authz.RejectRead), func(ctx context.Context, p authz.Principal, in *rejectListInput) (list[exchange.Reject], error) {
		run, err := s.Run(ctx, p, in.ID)
		if err != nil {
			return list[exchange.Reject]{}, err
		}
		return newList(s.Rejects(ctx, p, exchange.RejectFilter{
			ResourceID: run.ResourceID, RunID: &run.ID, State: given(exchange.RejectState(in.State)),
		}, in.page()))
	})
	handle(a, get("/resources/{id}/rejects", "Refused rows of a resource", authz.RejectRead), func(ctx context.Context, p authz.Principal, in *rejectListInput) (list[exchange.Reject], error) {
		return newList(s.Rejects(ctx, p, exchange.RejectFilter{ResourceID: in.ID, State: given(exchange.RejectState(in.State))}, in.page()))
	})
	handle(a, get("/rejects/{id}/row", "A refused row itself, for its provider", authz.RejectRead), func(ctx context.Context, p authz.Principal, in *IDInput) (exchange.RejectRow, error) {
		return s.RejectedRow(ctx, p, in.ID)
	})
	handle(a, post("/rejects/{id}/waive", "A refused row need not be corrected", authz.RejectWaive), func(ctx context.Context, p authz.Principal, in *waiveInput) (exchange.Reject, error) {
		return s.WaiveReject(ctx, p, in.ID, in.Body.Reason)
	})
	handle(a, get("/runs/{id}/reconciliation", "Comparisons a run made, newest first", authz.TaskRead), func(ctx context.Context, p authz.Principal, in *reconciliationListInput) (list[exchange.Reconciliation], error) {
		run, err := s.Run(ctx, p, in.ID)
		if err != nil {
			return list[exchange.Reconciliation]{}, err
		}
		return newList(s.Reconciliations(ctx, p, exchange.ReconciliationFilter{ResourceID: run.ResourceID, RunID: &run.ID}, in.page()))
	})
	handle(a, get("/resources/{id}/reconciliations", "Comparisons of a resource, newest first", authz.TaskRead), func(ctx context.Context, p authz.Principal, in *reconciliationListInput) (list[exchange.Reconciliation], error) {
		return newList(s.Reconciliations(ctx, p, exchange.ReconciliationFilter{ResourceID: in.ID}, in.page()))
	})
	handle(a, get("/resources/{id}/freshness", "How current the rows at the hub are", authz.ResourceRead), func(ctx context.Context, p authz.Principal, in *IDInput) (exchange.Freshness, error) {
		// Figures of an entry are for those who may see the entry.
		if _, err := a.opt.Catalog.Get(ctx, p, in.ID); err != nil {
			return exchange.Freshness{}, err
		}
		return s.Freshness(ctx, in.ID)
	})
}
