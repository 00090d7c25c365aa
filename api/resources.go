package api

import (
	"context"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/catalog"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// DirectoryFilter narrows a search in the directory.
type DirectoryFilter struct {
	Text         string    `query:"q" maxLength:"200" doc:"Words, separated by blanks, each of which is part of name, summary, code, a tag, a theme, an item or the provider's name, or of its pinyin."`
	BaseDatabase string    `query:"base_database" maxLength:"64"`
	Department   uuid.UUID `query:"department_id"`
	Below        bool      `query:"below" doc:"The departments below department_id count, too."`
	Division     string    `query:"division" maxLength:"12" doc:"Entries of departments of this division and of those in it."`
	Theme        string    `query:"theme" maxLength:"200"`
	ShareType    string    `query:"share_type" enum:"unconditional,conditional,withheld"`
	ShareMethod  string    `query:"share_method" enum:"table,file,api"`
	UpdateCycle  string    `query:"update_cycle" enum:"realtime,daily,weekly,monthly,quarterly,yearly,irregular"`
	Grade        string    `query:"grade" enum:"L1,L2,L3,L4"`
	Timeliness   string    `query:"timeliness" enum:"on_time,late,never"`
	Open         string    `query:"open" enum:"true,false" doc:"Open to the public."`
	HasData      string    `query:"has_data" enum:"true,false" doc:"Rows have arrived."`
	State        string    `query:"state" enum:"draft,dept_review,platform_review,returned,published,offline,revoked" doc:"published when not given; others show what the caller may see of them."`
}

func (f DirectoryFilter) query() catalog.Query {
	truth := func(text string) *bool {
		if text == "" {
			return nil
		}
		yes := text == "true"
		return &yes
	}
	return catalog.Query{
		Text: f.Text, BaseDatabase: f.BaseDatabase, DepartmentID: f.Department, Below: f.Below, Division: f.Division, Theme: f.Theme,
		ShareType: catalog.ShareType(f.ShareType), ShareMethod: catalog.ShareMethod(f.ShareMethod), UpdateCycle: catalog.UpdateCycle(f.UpdateCycle),
		Grade: catalog.Grade(f.Grade), Timeliness: catalog.Timeliness(f.Timeliness), Open: truth(f.Open), HasData: truth(f.HasData),
		State: catalog.State(f.State),
	}
}

type directoryInput struct {
	PageInput
	DirectoryFilter
	Sort string `query:"sort" enum:"relevance,rows" doc:"The highest rank or the most rows first; without it the last changed."`
}

type suggestInput struct {
	Text string `query:"q" maxLength:"200" doc:"What was typed so far: part of a name, of its pinyin, or of a code."`
}

type facetsInput struct{ DirectoryFilter }

type newResourceInput struct {
	Template string `query:"template" maxLength:"64" doc:"Name of a template to start from; what the body states takes precedence."`
	Body     catalog.Metadata
}

type draftInput struct {
	MoveInput
	Body catalog.Metadata
}

// VersionPathInput is a version of an object by its number.
type VersionPathInput struct {
	IDInput
	Number int `path:"number" minimum:"1" maximum:"1000000"`
}

type submitInput struct {
	MoveInput
	Body *struct {
		OldUntil string `json:"old_until,omitempty" maxLength:"10" doc:"YYYY-MM-DD: the last day on which the version published now is served beside this one, where this one takes something away. Without it, it is replaced at once."`
	}
}

type offlineInput struct {
	MoveInput
	Body struct {
		Reason  string                 `json:"reason" maxLength:"2000"`
		Request catalog.OfflineRequest `json:"request"`
	}
}

type consentInput struct {
	MoveInput
	Body struct {
		By       string `json:"by" doc:"The head of the provider's sharing office."`
		Date     string `json:"date" doc:"YYYY-MM-DD"`
		Document string `json:"document"`
	}
}

// review is what a reviewer is shown beside a version.
type review struct {
	Blocks   []fault.Field `json:"blocks"`
	Warnings []fault.Field `json:"warnings"`

	Similar []catalog.SimilarTo  `json:"similar" nullable:"false" doc:"Published entries of other departments that may be the same data."`
	Owned   []catalog.ItemSource `json:"owned" nullable:"false" doc:"Items that another department is the source of."`
	Score   int                  `json:"score" doc:"Completeness, 0 to 100."`
	Points  []catalog.Point      `json:"points" nullable:"false" doc:"What every rule of it gives."`
}

func (a *API) resourceRoutes() {
	s := a.opt.Catalog
	handle(a, get("/resources", "Search the directory", authz.ResourceRead), func(ctx context.Context, p authz.Principal, in *directoryInput) (list[catalog.Entry], error) {
		q := in.query()
		q.Sort = catalog.Sort(in.Sort)
		return newList(s.Search(ctx, p, q, in.page()))
	})
	handle(a, get("/resources/suggestions", "What somebody may mean who is typing a search", authz.ResourceRead), func(ctx context.Context, p authz.Principal, in *suggestInput) (list[catalog.Completion], error) {
		found, err := s.Suggest(ctx, p, in.Text)
		return newList(found, "", err)
	})
	handle(a, get("/resources/facets", "Counts to narrow a search by", authz.ResourceRead), func(ctx context.Context, p authz.Principal, in *facetsInput) (catalog.Facets, error) {
		return s.Facets(ctx, p, in.query())
	})
	handle(a, create("/resources", "Compile an entry, as a draft", authz.ResourceCompile), func(ctx context.Context, p authz.Principal, in *newResourceInput) (catalog.Resource, error) {
		if in.Template != "" {
			return s.CreateFromTemplate(ctx, p, in.Template, in.Body)
		}
		return s.CreateResource(ctx, p, in.Body)
	})
	handle(a, get("/resources/{id}", "One entry", authz.ResourceRead), func(ctx context.Context, p authz.Principal, in *IDInput) (catalog.Resource, error) {
		return s.Get(ctx, p, in.ID)
	})
	handle(a, put("/resources/{id}/draft", "Replace what the draft states", authz.ResourceCompile), func(ctx context.Context, p authz.Principal, in *draftInput) (catalog.Resource, error) {
		version, err := in.version()
		if err != nil {
			return catalog.Resource{}, err
		}
		return s.EditDraft(ctx, p, in.ID, version, in.Body)
	})
	handleEmpty(a, del("/resources/{id}/draft", "Discard the draft", authz.ResourceCompile), func(ctx context.Context, p authz.Principal, in *MoveInput) error {
		version, err := in.version()
		if err != nil {
			return err
		}
		return s.DiscardDraft(ctx, p, in.ID, version)
	})
	handle(a, get("/resources/{id}/versions", "Versions of an entry", authz.ResourceRead), func(ctx context.Context, p authz.Principal, in *IDInput) (list[catalog.Version], error) {
		versions, err := s.Versions(ctx, p, in.ID)
		return newList(versions, "", err)
	})
	handleMove(a, create("/resources/{id}/versions", "Begin a new version beside the published one", authz.ResourceCompile), s.StartVersion)
	handle(a, get("/resources/{id}/versions/{number}", "One version", authz.ResourceRead), func(ctx context.Context, p authz.Principal, in *VersionPathInput) (catalog.Resource, error) {
		return s.GetVersion(ctx, p, in.ID, in.Number)
	})
	handle(a, get("/resources/{id}/history", "Review history", authz.ResourceReadDraft), func(ctx context.Context, p authz.Principal, in *IDInput) (list[catalog.HistoryEntry], error) {
		steps, err := s.History(ctx, p, in.ID)
		return newList(steps, "", err)
	})
	handle(a, get("/resources/{id}/review", "What blocks the newest version, and what to look at", authz.ResourceReadDraft), func(ctx context.Context, p authz.Principal, in *IDInput) (review, error) {
		f, err := s.Findings(ctx, p, in.ID)
		out := review{Blocks: f.Blocks, Warnings: f.Warnings, Similar: f.Similar, Owned: f.Owned, Score: f.Score, Points: f.Points}
		if out.Similar == nil {
			out.Similar = []catalog.SimilarTo{}
		}
		if out.Owned == nil {
			out.Owned = []catalog.ItemSource{}
		}
		return out, err
	})
	handle(a, post("/resources/{id}/submit", "Submit to the department's review", authz.ResourceSubmit), func(ctx context.Context, p authz.Principal, in *submitInput) (catalog.Resource, error) {
		version, err := in.version()
		if err != nil {
			return catalog.Resource{}, err
		}
		var said catalog.Submission
		if in.Body != nil {
			said.OldUntil = in.Body.OldUntil
		}
		return s.SubmitWith(ctx, p, in.ID, version, said)
	})
	handleMove(a, post("/resources/{id}/recall", "Take back out of the department's review", authz.ResourceRecall), s.Recall)
	handleMove(a, post("/resources/{id}/approve", "Pass the department's review", authz.ResourceApprove), s.Approve)
	handleMove(a, post("/resources/{id}/publish", "Publish", authz.ResourcePublish), s.Publish)
	handle(a, post("/resources/{id}/take-offline", "Hide on the provider's request", authz.ResourceTakeOffline), func(ctx context.Context, p authz.Principal, in *offlineInput) (catalog.Resource, error) {
		version, err := in.version()
		if err != nil {
			return catalog.Resource{}, err
		}
		return s.TakeOffline(ctx, p, in.ID, version, in.Body.Reason, in.Body.Request)
	})
	handleMove(a, post("/resources/{id}/republish", "Make visible again", authz.ResourceRepublish), s.Republish)
	handleReason(a, post("/resources/{id}/revoke", "End an offline entry for good", authz.ResourceRevoke), s.Revoke)
	handle(a, put("/resources/{id}/consent", "Record the provider's standing consent", authz.ResourceConsent), func(ctx context.Context, p authz.Principal, in *consentInput) (catalog.Resource, error) {
		version, err := in.version()
		if err != nil {
			return catalog.Resource{}, err
		}
		return s.RecordConsent(ctx, p, in.ID, version, catalog.StandingConsent{By: in.Body.By, Date: in.Body.Date, Document: in.Body.Document})
	})
	handleReason(a, post("/resources/{id}/withdraw-consent", "End the standing consent", authz.ResourceConsent), s.WithdrawConsent)
	a.dumpRoute()
	handle(a, get("/templates", "Templates to compile from", authz.ResourceRead), func(_ context.Context, _ authz.Principal, _ *noInput) (list[catalog.Template], error) {
		all, err := catalog.Templates()
		return newList(all, "", err)
	})
}
