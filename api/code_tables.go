package api

import (
	"context"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/catalog"
)

// CodeTableInput is a code table by its name.
type CodeTableInput struct {
	Table string `path:"table" maxLength:"64"`
}

type codeValuesInput struct {
	CodeTableInput
	PageInput
	Text   string `query:"q" maxLength:"100" doc:"Part of a code or a name."`
	Parent string `query:"parent" maxLength:"64" doc:"Code of the value above."`
	Day    string `query:"day" maxLength:"10" doc:"Valid on this day, YYYY-MM-DD; today when not given."`
	Ended  bool   `query:"ended" doc:"Values of every day."`
}

type codeHistoryInput struct {
	CodeTableInput
	PageInput
}

type newCodeInput struct {
	CodeTableInput
	Body catalog.NewCodeValue
}

type endCodeInput struct {
	CodeTableInput
	ID   uuid.UUID `path:"id"`
	Body catalog.CodeEnd
}

func (a *API) codeTableRoutes() {
	s := a.opt.Catalog
	handle(a, get("/code-tables", "List the code tables", authz.CodeTableRead), func(ctx context.Context, p authz.Principal, _ *noInput) (list[catalog.CodeTable], error) {
		all, err := s.CodeTables(ctx, p)
		return newList(all, "", err)
	})
	handle(a, get("/code-tables/{table}", "One code table", authz.CodeTableRead), func(ctx context.Context, p authz.Principal, in *CodeTableInput) (catalog.CodeTable, error) {
		return s.CodeTable(ctx, p, in.Table)
	})
	handle(a, get("/code-tables/{table}/values", "Values of a code table on a day", authz.CodeTableRead), func(ctx context.Context, p authz.Principal, in *codeValuesInput) (list[catalog.CodeValue], error) {
		return newList(s.CodeValues(ctx, p, in.Table, catalog.CodeFilter{Text: in.Text, Parent: in.Parent, Day: in.Day, Ended: in.Ended}, in.page()))
	})
	handle(a, create("/code-tables/{table}/values", "Add a value", authz.CodeTableWrite), func(ctx context.Context, p authz.Principal, in *newCodeInput) (catalog.CodeValue, error) {
		return s.AddCodeValue(ctx, p, in.Table, in.Body)
	})
	handle(a, post("/code-tables/{table}/values/{id}/end", "End a value, with its successor", authz.CodeTableWrite), func(ctx context.Context, p authz.Principal, in *endCodeInput) (catalog.CodeValue, error) {
		return s.EndCodeValue(ctx, p, in.Table, in.ID, in.Body)
	})
	handle(a, get("/code-tables/{table}/history", "What was added to a code table and ended in it", authz.CodeTableRead), func(ctx context.Context, p authz.Principal, in *codeHistoryInput) (list[catalog.CodeChange], error) {
		return newList(s.CodeHistory(ctx, p, in.Table, in.page()))
	})
	handle(a, get("/resources/{id}/volume", "How much the hub holds of an entry, shares and opens", authz.ResourceRead), func(ctx context.Context, p authz.Principal, in *IDInput) (catalog.Volume, error) {
		return s.Volume(ctx, p, in.ID)
	})
	handle(a, get("/resources/{id}/related", "Entries that an entry names as related, or that name it", authz.ResourceRead), func(ctx context.Context, p authz.Principal, in *IDInput) (list[catalog.Related], error) {
		all, err := s.Related(ctx, p, in.ID)
		return newList(all, "", err)
	})
}
