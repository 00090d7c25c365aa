package api

import (
	"bytes"
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/catalog"
	"github.com/shuqiao/shuqiao/sharing"
)

// documentLimit is the largest body that brings the document of an assessment, which Base64 makes a third longer.
const documentLimit = catalog.MaxAssessment/3*4 + 64<<10

type changeListInput struct {
	PageInput
	Resource   uuid.UUID `query:"resource_id"`
	Department uuid.UUID `query:"department_id"`
	State      string    `query:"state" enum:"open,submitted,done,withdrawn"`
	Late       bool      `query:"late" doc:"Those over the limit of whoever has to act."`
}

type newChangeInput struct {
	IDInput
	Body catalog.NewChange
}

type returnInput struct {
	MoveInput
	Body struct {
		Reason string               `json:"reason" maxLength:"4000" doc:"Why; people read it in the history."`
		Codes  []catalog.ReturnCode `json:"codes,omitempty" maxItems:"20" doc:"The usual reasons that apply."`
	}
}

type differenceInput struct {
	VersionPathInput
	From int `query:"from" minimum:"0" maximum:"1000000" doc:"The version to compare with; the published one, or the one before, when not given."`
}

type commentListInput struct {
	PageInput
	IDInput
	Version int `query:"version" minimum:"0" maximum:"1000000" doc:"The newest when not given."`
}

type newCommentInput struct {
	IDInput
	Body catalog.NewComment
}

type commentInput struct {
	IDInput
	Comment uuid.UUID `path:"comment"`
}

type attachInput struct {
	MoveInput
	Kind string `path:"kind" enum:"secrecy,pi"`
	Body struct {
		Name    string `json:"name" maxLength:"200" doc:"File name of the document."`
		Content []byte `json:"content" doc:"The document, in Base64: PDF, OFD, docx, PNG or JPEG, at most 10 MiB."`
	}
}

type documentInput struct {
	IDInput
	SHA256 string `path:"sha256" pattern:"^[0-9a-f]{64}$"`
}

// ImpactInput is a version whose impact is asked for.
type ImpactInput struct {
	IDInput
	Version int `query:"version" minimum:"0" maximum:"1000000" doc:"The newest, compared with the published one, when not given; or a published one, compared with the one before it."`
}

type impactUsesInput struct {
	PageInput
	ImpactInput
}

type acknowledgeChangeInput struct {
	IDInput
	Number int `path:"number" minimum:"1" maximum:"1000000"`
	Body   struct {
		Note string `json:"note,omitempty" maxLength:"2000" doc:"What the consumer does about it."`
	}
}

// changeRoutes are how entries change: what happened, what reviewers say, which documents there are, and whom it touches.
func (a *API) changeRoutes() {
	s := a.opt.Catalog
	handle(a, get("/change-events", "What changed that entries have to follow, the most urgent first", authz.ResourceReadDraft), func(ctx context.Context, p authz.Principal, in *changeListInput) (list[catalog.ChangeEvent], error) {
		return newList(s.ChangeEvents(ctx, p, catalog.ChangeFilter{
			ResourceID: in.Resource, DepartmentID: in.Department, State: catalog.ChangeState(in.State), Late: in.Late,
		}, in.page()))
	})
	handle(a, get("/change-events/counts", "How many changes wait", authz.ResourceReadDraft), func(ctx context.Context, p authz.Principal, _ *noInput) (catalog.ChangeCounts, error) {
		return s.CountChanges(ctx, p)
	})
	handle(a, create("/resources/{id}/change-events", "Record a change, which starts the clock of the update", authz.ChangeEventRecord), func(ctx context.Context, p authz.Principal, in *newChangeInput) (catalog.ChangeEvent, error) {
		return s.RecordChange(ctx, p, in.ID, in.Body)
	})
	handle(a, get("/change-events/{id}", "One change event", authz.ResourceReadDraft), func(ctx context.Context, p authz.Principal, in *IDInput) (catalog.ChangeEvent, error) {
		return s.ChangeEvent(ctx, p, in.ID)
	})
	handleReason(a, post("/change-events/{id}/extend", "Consent to a later update", authz.ChangeEventExtend), s.ExtendChange)
	handleReason(a, post("/change-events/{id}/withdraw", "Say that a change needs no update", authz.ChangeEventRecord), s.WithdrawChange)

	sendBack := func(back func(context.Context, authz.Principal, uuid.UUID, int64, string, ...catalog.ReturnCode) (catalog.Resource, error)) func(context.Context, authz.Principal, *returnInput) (catalog.Resource, error) {
		return func(ctx context.Context, p authz.Principal, in *returnInput) (catalog.Resource, error) {
			version, err := in.version()
			if err != nil {
				return catalog.Resource{}, err
			}
			return back(ctx, p, in.ID, version, in.Body.Reason, in.Body.Codes...)
		}
	}
	handle(a, post("/resources/{id}/return-dept", "Return out of the department's review", authz.ResourceReturnDept), sendBack(s.ReturnDept))
	handle(a, post("/resources/{id}/return", "Return out of the authority's review", authz.ResourceReturn), sendBack(s.Return))
	handle(a, get("/resources/return-codes", "The usual reasons for returning a version", authz.ResourceRead), func(context.Context, authz.Principal, *noInput) (list[catalog.ReturnCode], error) {
		return newList(catalog.ReturnCodes(), "", nil)
	})
	handle(a, get("/resources/{id}/versions/{number}/difference", "What two versions state differently", authz.ResourceRead), func(ctx context.Context, p authz.Principal, in *differenceInput) (catalog.VersionDifference, error) {
		return s.Difference(ctx, p, in.ID, in.From, in.Number)
	})
	handle(a, get("/resources/{id}/comments", "Remarks of makers and reviewers on a version", authz.ResourceReadDraft), func(ctx context.Context, p authz.Principal, in *commentListInput) (list[catalog.Comment], error) {
		return newList(s.Comments(ctx, p, in.ID, in.Version, in.page()))
	})
	handle(a, create("/resources/{id}/comments", "Remark something on the newest version, or answer", authz.ResourceComment), func(ctx context.Context, p authz.Principal, in *newCommentInput) (catalog.Comment, error) {
		return s.AddComment(ctx, p, in.ID, in.Body)
	})
	handle(a, post("/resources/{id}/comments/{comment}/resolve", "Say that a remark is settled", authz.ResourceComment), func(ctx context.Context, p authz.Principal, in *commentInput) (catalog.Comment, error) {
		return s.ResolveComment(ctx, p, in.ID, in.Comment)
	})
	a.assessmentRoutes()
	a.impactRoutes()
}

func (a *API) assessmentRoutes() {
	s := a.opt.Catalog
	handle(a, get("/resources/{id}/assessments", "Documents of assessments kept with an entry", authz.ResourceReadDraft), func(ctx context.Context, p authz.Principal, in *IDInput) (list[catalog.AssessmentFile], error) {
		files, err := s.Assessments(ctx, p, in.ID)
		return newList(files, "", err)
	})
	attach := put("/resources/{id}/assessments/{kind}", "Attach the document of an assessment to the draft", authz.ResourceCompile)
	attach.Limit = documentLimit
	handle(a, attach.atMost(8), func(ctx context.Context, p authz.Principal, in *attachInput) (catalog.Resource, error) {
		version, err := in.version()
		if err != nil {
			return catalog.Resource{}, err
		}
		return s.AttachAssessment(ctx, p, in.ID, version, catalog.AssessmentKind(in.Kind), in.Body.Name, bytes.NewReader(in.Body.Content))
	})
	open := a.operation(get("/resources/{id}/documents/{sha256}", "The document of an assessment", authz.ResourceReadDraft).atMost(8))
	open.Responses["200"] = &huma.Response{Description: "The document.", Content: map[string]*huma.MediaType{
		"application/octet-stream": {Schema: &huma.Schema{Type: huma.TypeString, Format: "binary"}},
	}}
	huma.Register(a.huma, open, func(ctx context.Context, in *documentInput) (*huma.StreamResponse, error) {
		f, raw, err := s.OpenAssessment(ctx, principalOf(ctx), in.ID, in.SHA256)
		if err != nil {
			return nil, a.fail(ctx, err)
		}
		return &huma.StreamResponse{Body: func(c huma.Context) {
			c.SetHeader("Content-Disposition", `attachment; filename="`+f.SHA256[:16]+"."+f.Kind+`"`)
			c.SetHeader("Content-Type", f.MediaType())
			c.SetStatus(http.StatusOK)
			_, _ = c.BodyWriter().Write(raw)
		}}, nil
	})
}

func (a *API) impactRoutes() {
	s := a.opt.Sharing
	handle(a, get("/resources/{id}/impact", "Whom a version touches, and by what", authz.ResourceReadDraft), func(ctx context.Context, p authz.Principal, in *ImpactInput) (sharing.Impact, error) {
		return s.Impact(ctx, p, in.ID, in.Version)
	})
	handle(a, get("/resources/{id}/impact/grants", "The grants that a version touches, and who has taken note", authz.ResourceReadDraft), func(ctx context.Context, p authz.Principal, in *impactUsesInput) (list[sharing.ImpactUse], error) {
		return newList(s.ImpactUses(ctx, p, in.ID, in.Version, in.page()))
	})
	handle(a, get("/grants/{id}/changes", "Publications that touch a grant", authz.GrantRead), func(ctx context.Context, p authz.Principal, in *IDInput) (list[sharing.GrantChange], error) {
		changes, err := s.GrantChanges(ctx, p, in.ID)
		return newList(changes, "", err)
	})
	handle(a, post("/grants/{id}/changes/{number}/acknowledge", "Take note of a publication that touches a grant", authz.GrantAcknowledge), func(ctx context.Context, p authz.Principal, in *acknowledgeChangeInput) (sharing.GrantChange, error) {
		return s.AcknowledgeChange(ctx, p, in.ID, in.Number, in.Body.Note)
	})
}
