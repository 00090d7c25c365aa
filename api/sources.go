package api

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/catalog"
)

type sourceListInput struct {
	PageInput
	Department uuid.UUID `query:"department_id" doc:"The caller's own when not given."`
}

type newSourceInput struct{ Body catalog.SourceInput }

type sourceChangeInput struct {
	MoveInput
	Body catalog.SourceInput
}

type tablesInput struct {
	IDInput
	Limit int `query:"limit" minimum:"1" maximum:"10000"`
}

type describeInput struct {
	IDInput
	Object string `query:"object" maxLength:"300" required:"true" doc:"As /tables names it."`
}

type draftTablesInput struct {
	IDInput
	Create bool `query:"create" doc:"Keep each proposal as a draft of the caller's department."`
	Body   catalog.DraftInput
}

type driftInput struct {
	PageInput
	Resource uuid.UUID `query:"resource_id"`
	Source   uuid.UUID `query:"source_id"`
	Mount    uuid.UUID `query:"mount_id"`
	State    string    `query:"state" maxLength:"20" doc:"open, breaking or resolved; all when not given."`
}

// draftTimeout is that of proposing entries from hundreds of tables.
const draftTimeout = 55 * time.Second

// atSources bounds the calls that wait for systems of others, so that one that hangs does not fill the hub.
const atSources = 16

func (a *API) sourceRoutes() {
	s := a.opt.Catalog
	handle(a, get("/sources", "List sources of a department", authz.SourceRead), func(ctx context.Context, p authz.Principal, in *sourceListInput) (list[catalog.Source], error) {
		department := in.Department
		if department == uuid.Nil {
			department = p.Department
		}
		return newList(s.Sources(ctx, p, department, in.page()))
	})
	handle(a, create("/sources", "Register a connection; credentials are sealed", authz.SourceWrite), func(ctx context.Context, p authz.Principal, in *newSourceInput) (catalog.Source, error) {
		return s.CreateSource(ctx, p, in.Body)
	})
	handle(a, get("/sources/{id}", "One source, without secrets", authz.SourceRead), func(ctx context.Context, p authz.Principal, in *IDInput) (catalog.Source, error) {
		return s.Source(ctx, p, in.ID)
	})
	handle(a, put("/sources/{id}", "Change a source; secrets left out stay", authz.SourceWrite), func(ctx context.Context, p authz.Principal, in *sourceChangeInput) (catalog.Source, error) {
		version, err := in.version()
		if err != nil {
			return catalog.Source{}, err
		}
		return s.UpdateSource(ctx, p, in.ID, version, in.Body)
	})
	handle(a, post("/sources/{id}/probe", "Connect and say what answers", authz.SourceProbe).atMost(atSources), func(ctx context.Context, p authz.Principal, in *IDInput) (catalog.ProbeResult, error) {
		return s.Probe(ctx, p, in.ID)
	})
	handle(a, get("/sources/{id}/tables", "What the source holds that can be mounted", authz.SourceProbe).atMost(atSources), limited(s.Tables))
	draft := post("/sources/{id}/draft", "Propose entries from tables, with the evidence; keep them as drafts with create", authz.ResourceCompile).atMost(atSources)
	draft.Timeout = draftTimeout
	handle(a, draft, func(ctx context.Context, p authz.Principal, in *draftTablesInput) (list[catalog.DraftedTable], error) {
		in.Body.Create = in.Create
		out, err := s.DraftFromSource(ctx, p, in.ID, in.Body)
		return newList(out, "", err)
	})
	handle(a, get("/drift", "How sources differ from what was mounted", authz.SourceRead), func(ctx context.Context, p authz.Principal, in *driftInput) (list[catalog.Drift], error) {
		return newList(s.Drifts(ctx, p, catalog.DriftFilter{ResourceID: in.Resource, SourceID: in.Source, MountID: in.Mount, State: in.State}, in.page()))
	})
	handle(a, get("/resources/{id}/origin", "The table an entry was proposed from, with the evidence of that day", authz.SourceRead), func(ctx context.Context, p authz.Principal, in *IDInput) (catalog.Origin, error) {
		return s.Origin(ctx, p, in.ID)
	})
	handle(a, get("/sources/{id}/describe", "Columns and key of one object", authz.SourceProbe).atMost(atSources), ofObject(s.Describe))
}

// limited and ofObject pass on answers of types that belong to the connectors, which this package does not import.
func limited[T any](fn func(ctx context.Context, p authz.Principal, id uuid.UUID, limit int) ([]T, error)) func(context.Context, authz.Principal, *tablesInput) (list[T], error) {
	return func(ctx context.Context, p authz.Principal, in *tablesInput) (list[T], error) {
		items, err := fn(ctx, p, in.ID, in.Limit)
		return newList(items, "", err)
	}
}

func ofObject[T any](fn func(ctx context.Context, p authz.Principal, id uuid.UUID, object string) (T, error)) func(context.Context, authz.Principal, *describeInput) (T, error) {
	return func(ctx context.Context, p authz.Principal, in *describeInput) (T, error) {
		return fn(ctx, p, in.ID, in.Object)
	}
}
