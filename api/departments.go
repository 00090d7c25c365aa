package api

import (
	"context"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/catalog"
)

type departmentListInput struct {
	PageInput
	Text         string    `query:"q" maxLength:"200" doc:"Part of a name or credit code."`
	DivisionCode string    `query:"division_code" maxLength:"12"`
	ParentID     uuid.UUID `query:"parent_id"`
}

// departmentBody is what people state about an organisation.
type departmentBody struct {
	USCC         string    `json:"uscc"`
	Name         string    `json:"name"`
	NameEN       string    `json:"name_en"`
	DivisionCode string    `json:"division_code"`
	Level        string    `json:"level" doc:"national, province, city, county or township"`
	ParentID     uuid.UUID `json:"parent_id"`
	Authority    bool      `json:"authority" doc:"Whether it is the sharing authority of its division."`
}

func (b departmentBody) department() catalog.Department {
	return catalog.Department{
		USCC: b.USCC, Name: b.Name, NameEN: b.NameEN, DivisionCode: b.DivisionCode, Level: b.Level, ParentID: b.ParentID,
		Authority: b.Authority,
	}
}

type newDepartmentInput struct{ Body departmentBody }

type departmentChangeInput struct {
	MoveInput
	Body departmentBody
}

type systemListInput struct {
	PageInput
	Department uuid.UUID `query:"department_id"`
}

type systemBody struct {
	Name  string `json:"name"`
	State string `json:"state" doc:"live, zombie or single_office"`
}

type newSystemInput struct{ Body systemBody }

type systemChangeInput struct {
	MoveInput
	Body systemBody
}

type nilReturnListInput struct {
	PageInput
	YearInput
	Department uuid.UUID `query:"department_id"`
}

type nilReturnInput struct {
	Body struct {
		Statement string `json:"statement" doc:"Why the department holds no data; at most 1,000 characters."`
	}
}

// YearInput is a year of the register of systems.
type YearInput struct {
	Year int `query:"year" minimum:"0" maximum:"2200" doc:"This year when not given."`
}

type coverageListInput struct {
	PageInput
	YearInput
	Missing bool `query:"missing" doc:"Only departments that neither registered a system nor filed a nil return."`
}

func (a *API) departmentRoutes() {
	s := a.opt.Catalog
	handle(a, get("/departments", "List departments", authz.DepartmentRead), func(ctx context.Context, p authz.Principal, in *departmentListInput) (list[catalog.Department], error) {
		return newList(s.Departments(ctx, p, catalog.DepartmentFilter{
			Text: in.Text, DivisionCode: in.DivisionCode, ParentID: in.ParentID,
		}, in.page()))
	})
	handle(a, create("/departments", "Register a department", authz.DepartmentWrite), func(ctx context.Context, p authz.Principal, in *newDepartmentInput) (catalog.Department, error) {
		return s.CreateDepartment(ctx, p, in.Body.department())
	})
	handle(a, get("/departments/{id}", "One department", authz.DepartmentRead), func(ctx context.Context, p authz.Principal, in *IDInput) (catalog.Department, error) {
		return s.Department(ctx, p, in.ID)
	})
	handle(a, put("/departments/{id}", "Change a department", authz.DepartmentWrite), func(ctx context.Context, p authz.Principal, in *departmentChangeInput) (catalog.Department, error) {
		version, err := in.version()
		if err != nil {
			return catalog.Department{}, err
		}
		return s.UpdateDepartment(ctx, p, in.ID, version, in.Body.department())
	})
	handle(a, get("/systems", "List information systems", authz.SystemRead), func(ctx context.Context, p authz.Principal, in *systemListInput) (list[catalog.System], error) {
		return newList(s.Systems(ctx, p, in.Department, in.page()))
	})
	handle(a, create("/systems", "Register an information system", authz.SystemWrite), func(ctx context.Context, p authz.Principal, in *newSystemInput) (catalog.System, error) {
		return s.CreateSystem(ctx, p, in.Body.Name, in.Body.State)
	})
	handle(a, get("/systems/{id}", "One information system", authz.SystemRead), func(ctx context.Context, p authz.Principal, in *IDInput) (catalog.System, error) {
		return s.System(ctx, p, in.ID)
	})
	handle(a, put("/systems/{id}", "Change an information system", authz.SystemWrite), func(ctx context.Context, p authz.Principal, in *systemChangeInput) (catalog.System, error) {
		version, err := in.version()
		if err != nil {
			return catalog.System{}, err
		}
		return s.UpdateSystem(ctx, p, in.ID, version, in.Body.Name, in.Body.State)
	})
	handle(a, get("/system-coverage", "Count systems, and departments that listed or filed none", authz.SystemRead), func(ctx context.Context, p authz.Principal, in *YearInput) (catalog.Coverage, error) {
		return s.SystemCoverage(ctx, p, in.Year)
	})
	handle(a, get("/system-coverage/departments", "List the coverage of each department", authz.SystemRead), func(ctx context.Context, p authz.Principal, in *coverageListInput) (list[catalog.DepartmentCoverage], error) {
		return newList(s.CoverageByDepartment(ctx, p, in.Year, in.Missing, in.page()))
	})
	handle(a, get("/nil-returns", "List nil returns", authz.SystemRead), func(ctx context.Context, p authz.Principal, in *nilReturnListInput) (list[catalog.NilReturn], error) {
		return newList(s.NilReturns(ctx, p, in.Department, in.Year, in.page()))
	})
	handle(a, create("/nil-returns", "State that my department has no information system this year", authz.SystemWrite), func(ctx context.Context, p authz.Principal, in *nilReturnInput) (catalog.NilReturn, error) {
		return s.FileNilReturn(ctx, p, in.Body.Statement)
	})
}
