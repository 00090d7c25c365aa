package api

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/audit"
	"github.com/shuqiao/shuqiao/authz"
)

type eventListInput struct {
	PageInput
	From       time.Time `query:"from" doc:"Inclusive."`
	To         time.Time `query:"to" doc:"Exclusive."`
	ActorID    string    `query:"actor_id" maxLength:"64"`
	Department uuid.UUID `query:"department_id"`
	Action     string    `query:"action" maxLength:"64" doc:"One action, or a kind with a dot for all its actions."`
	ObjectKind string    `query:"object_kind" maxLength:"64"`
	ObjectID   string    `query:"object_id" maxLength:"200"`
	Outcome    string    `query:"outcome" enum:"ok,denied,error"`
}

type usageListInput struct {
	PageInput
	Grant    uuid.UUID `query:"grant_id"`
	Client   uuid.UUID `query:"client_id"`
	Resource uuid.UUID `query:"resource_id"`
	From     time.Time `query:"from"`
	To       time.Time `query:"to"`
}

type leafInput struct {
	Leaf int64 `path:"leaf" minimum:"0"`
}

func (a *API) auditRoutes() {
	l := a.opt.Log
	handle(a, get("/audit/events", "What happened, newest first", authz.AuditRead), func(ctx context.Context, _ authz.Principal, in *eventListInput) (list[audit.Entry], error) {
		return newList(l.Find(ctx, audit.Filter{
			From: moment(in.From), To: moment(in.To), ActorID: given(in.ActorID), Department: given(in.Department),
			Action: given(in.Action), ObjectKind: given(in.ObjectKind), ObjectID: given(in.ObjectID),
			Outcome: given(audit.Outcome(in.Outcome)),
		}, in.page()))
	})
	handle(a, get("/audit/events/{id}", "One event", authz.AuditRead), func(ctx context.Context, _ authz.Principal, in *IDInput) (audit.Entry, error) {
		return l.Get(ctx, in.ID)
	})
	handle(a, get("/audit/usage", "Disclosures, newest first", authz.AuditRead), func(ctx context.Context, _ authz.Principal, in *usageListInput) (list[audit.Usage], error) {
		return newList(l.FindUsage(ctx, audit.UsageFilter{
			Grant: given(in.Grant), Client: given(in.Client), Resource: given(in.Resource), From: moment(in.From), To: moment(in.To),
		}, in.page()))
	})
	handle(a, get("/audit/checkpoint", "The newest signed head of the log", authz.AuditRead), func(ctx context.Context, _ authz.Principal, _ *noInput) (audit.Checkpoint, error) {
		return l.Checkpoint(ctx)
	})
	handle(a, get("/audit/proof/{leaf}", "Proof that an event is in the log", authz.AuditRead), func(ctx context.Context, _ authz.Principal, in *leafInput) (audit.Proof, error) {
		return l.Proof(ctx, in.Leaf)
	})
}

// moment returns a pointer to a time filter, or nil when it is not given.
func moment(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
