package api

import (
	"context"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/catalog"
)

type elementsInput struct {
	PageInput
	Text  string `query:"q" maxLength:"200" doc:"Part of code, names, standard or a synonym."`
	State string `query:"state" enum:"current,retired"`
}

type elementInput struct{ Body catalog.DataElement }

type changedElementInput struct {
	CodeInput
	VersionInput
	Body catalog.DataElement
}

type elementSourcesInput struct {
	PageInput
	Element    string    `query:"element" maxLength:"64"`
	Division   string    `query:"division" maxLength:"12"`
	Department uuid.UUID `query:"department_id"`
}

// SourceLineInput is one line of the register of sources.
type SourceLineInput struct {
	CodeInput
	Division string `path:"division" maxLength:"12" doc:"Division code; 000000 is the whole country."`
}

type assignmentInput struct {
	SourceLineInput
	VersionInput
	Body catalog.SourceAssignment
}

type endedSourceInput struct {
	SourceLineInput
	VersionInput
	Body reasonBody
}

type dutiesInput struct {
	PageInput
	State   string `query:"state" enum:"open,approved,refused,withdrawn"`
	Element string `query:"element" maxLength:"64"`
}

type dutyInput struct{ Body catalog.NewDutyClaim }

type sleepingInput struct {
	PageInput
	Department uuid.UUID `query:"department_id"`
	Why        string    `query:"why" enum:"no_data,stale,unused"`
}

// dataElementRoutes are the data elements, who is the source of each, and what departments say about that.
func (a *API) dataElementRoutes() {
	s := a.opt.Catalog
	handle(a, get("/data-elements", "List data elements", authz.DataElementRead), func(ctx context.Context, p authz.Principal, in *elementsInput) (list[catalog.DataElement], error) {
		return newList(s.DataElements(ctx, p, catalog.DataElementFilter{Text: in.Text, State: in.State}, in.page()))
	})
	handle(a, create("/data-elements", "Add a data element", authz.DataElementWrite), func(ctx context.Context, p authz.Principal, in *elementInput) (catalog.DataElement, error) {
		return s.CreateDataElement(ctx, p, in.Body)
	})
	handle(a, get("/data-elements/{code}", "One data element", authz.DataElementRead), func(ctx context.Context, p authz.Principal, in *CodeInput) (catalog.DataElement, error) {
		return s.DataElement(ctx, p, in.Code)
	})
	handle(a, put("/data-elements/{code}", "Change a data element", authz.DataElementWrite), func(ctx context.Context, p authz.Principal, in *changedElementInput) (catalog.DataElement, error) {
		version, err := in.version()
		if err != nil {
			return catalog.DataElement{}, err
		}
		return s.UpdateDataElement(ctx, p, in.Code, version, in.Body)
	})
	handle(a, get("/element-sources", "List who is the source of which data element", authz.DataElementRead), func(ctx context.Context, p authz.Principal, in *elementSourcesInput) (list[catalog.ElementSource], error) {
		return newList(s.ElementSources(ctx, p, catalog.ElementSourceFilter{Element: in.Element, Division: in.Division, DepartmentID: in.Department}, in.page()))
	})
	handle(a, put("/data-elements/{code}/sources/{division}", "Record who is the source of a data element in a division", authz.DutyDecide), func(ctx context.Context, p authz.Principal, in *assignmentInput) (catalog.ElementSource, error) {
		version, err := in.version()
		if err != nil {
			return catalog.ElementSource{}, err
		}
		return s.AssignElementSource(ctx, p, in.Code, in.Division, version, in.Body)
	})
	handleEmpty(a, post("/data-elements/{code}/sources/{division}/end", "Take a source off the register", authz.DutyDecide), func(ctx context.Context, p authz.Principal, in *endedSourceInput) error {
		version, err := in.version()
		if err != nil {
			return err
		}
		return s.EndElementSource(ctx, p, in.Code, in.Division, version, in.Body.Reason)
	})
	handle(a, get("/duty-claims", "List claims and objections", authz.DataElementRead), func(ctx context.Context, p authz.Principal, in *dutiesInput) (list[catalog.DutyClaim], error) {
		return newList(s.DutyClaims(ctx, p, catalog.DutyFilter{State: catalog.DutyState(in.State), Element: in.Element}, in.page()))
	})
	handle(a, create("/duty-claims", "Claim to be the source, or object to who is", authz.DutyDeclare), func(ctx context.Context, p authz.Principal, in *dutyInput) (catalog.DutyClaim, error) {
		return s.ClaimDuty(ctx, p, in.Body)
	})
	handle(a, get("/duty-claims/{id}", "One claim", authz.DataElementRead), func(ctx context.Context, p authz.Principal, in *IDInput) (catalog.DutyClaim, error) {
		return s.DutyClaim(ctx, p, in.ID)
	})
	handleReason(a, post("/duty-claims/{id}/approve", "Decide for a claim, and write the register by it", authz.DutyDecide), s.ApproveDuty)
	handleReason(a, post("/duty-claims/{id}/refuse", "Decide against a claim", authz.DutyDecide), s.RefuseDuty)
	handleMove(a, post("/duty-claims/{id}/withdraw", "Take a claim back", authz.DutyDeclare), s.WithdrawDuty)
	handle(a, get("/resources/{id}/truth", "What there is behind an entry: data, quality, use, completeness", authz.ResourceRead), func(ctx context.Context, p authz.Principal, in *IDInput) (catalog.Truth, error) {
		return s.Truth(ctx, p, in.ID)
	})
	handle(a, get("/resources/{id}/item-sources", "Items of an entry that another department is the source of", authz.ResourceRead), func(ctx context.Context, p authz.Principal, in *IDInput) (list[catalog.ItemSource], error) {
		sources, err := s.ItemSources(ctx, p, in.ID)
		return newList(sources, "", err)
	})
	handle(a, get("/sleeping-entries", "List published entries without data or use", authz.ResourceReadDraft), func(ctx context.Context, p authz.Principal, in *sleepingInput) (list[catalog.SleepingEntry], error) {
		return newList(s.SleepingEntries(ctx, p, catalog.SleepingFilter{DepartmentID: in.Department, Why: catalog.Sleep(in.Why)}, in.page()))
	})
}
