package console

import (
	"net/http"
	"strconv"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/catalog"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// coverageRoutes are how far the directory covers the information systems, and the statements of departments without any.
func (c *console) coverageRoutes(m *http.ServeMux) {
	m.Handle("GET /ui/systems/coverage", c.page(c.showCoverage))
	m.Handle("GET /ui/systems/nil-returns", c.page(c.showNilReturns))
	m.Handle("POST /ui/systems/nil-returns", c.page(c.fileNilReturn))
}

// systemTabs lead from the list of systems to what is counted from it.
func (v *visit) systemTabs() []tab {
	all := []tab{{Key: "system.tab_list", Icon: "server", Href: prefix + "/systems"}}
	if v.may(authz.ResourcePublish, v.own("resource")) {
		all = append(all, tab{Key: "system.tab_coverage", Icon: "chart-bar", Href: prefix + "/systems/coverage"})
	}
	all = append(all, tab{Key: "system.tab_nil", Icon: "file-text", Href: prefix + "/systems/nil-returns"})
	for i := range all {
		all[i].Active = all[i].Href == v.r.URL.Path
	}
	return all
}

// coveragePage is the yearly report of the authority.
type coveragePage struct {
	Tabs    []tab
	Whole   catalog.Coverage
	Percent string // "" where no system is in use.
	Missing bool   // Only departments that did nothing are shown.
	Rows    []coverageLine
	More    string
	Sheet   string
}

type coverageLine struct {
	catalog.DepartmentCoverage
	Percent string
}

func percentOf(c catalog.SystemCounts) string {
	if n, ok := c.Percent(); ok {
		return strconv.Itoa(n) + "%"
	}
	return ""
}

// coverageState says what a department did for the year.
func coverageState(d catalog.DepartmentCoverage) string {
	switch {
	case d.Missing:
		return "missing"
	case d.NilReturnAt != nil:
		return "nil_return"
	}
	return "listed"
}

// State is what a department did for the year.
func (l coverageLine) State() string { return coverageState(l.DepartmentCoverage) }

func (c *console) showCoverage(v *visit) error {
	if !v.may(authz.ResourcePublish, v.own("resource")) {
		return fault.New(fault.Forbidden, "forbidden", "the report on the register of systems is for the authority")
	}
	ctx := v.r.Context()
	page := coveragePage{Tabs: v.systemTabs(), Missing: v.query("missing") == "true", Sheet: v.sheetAddress()}
	if v.asSheet() {
		columns := []string{"compile.department", "coverage.state", "coverage.live", "coverage.covered", "coverage.percent", "coverage.zombie", "coverage.single_office", "coverage.filed_at"}
		return v.sheet("system-coverage", columns, func(cursor string) ([][]string, string, error) {
			some, next, err := v.Catalog.CoverageByDepartment(ctx, v.principal, 0, page.Missing, db.Page{Limit: db.MaxPage, Cursor: cursor})
			var rows [][]string
			for _, d := range some {
				rows = append(rows, []string{
					d.Department, v.word("coverage_state", coverageState(d)), strconv.Itoa(d.Live), strconv.Itoa(d.Covered), percentOf(d.SystemCounts),
					strconv.Itoa(d.Zombie), strconv.Itoa(d.SingleOffice), v.formats.day(d.NilReturnAt),
				})
			}
			return rows, next, err
		})
	}
	var err error
	if page.Whole, err = v.Catalog.SystemCoverage(ctx, v.principal, 0); err != nil {
		return err
	}
	page.Percent = percentOf(page.Whole.SystemCounts)
	some, next, err := v.Catalog.CoverageByDepartment(ctx, v.principal, 0, page.Missing, db.Page{Limit: 50, Cursor: v.query("cursor")})
	if err != nil {
		return err
	}
	address := prefix + "/systems/coverage"
	if page.Missing {
		address += "?missing=true"
	}
	page.More = more(address, next)
	for _, d := range some {
		page.Rows = append(page.Rows, coverageLine{d, percentOf(d.SystemCounts)})
	}
	return v.show("coverage", "coverage.title", page)
}

// nilPage lists the statements of departments without systems; a department makes its own here.
type nilPage struct {
	Tabs      []tab
	Year      string
	All       bool
	Rows      []catalog.NilReturn
	More      string
	Sheet     string
	CanFile   bool // The department has no system in use and has not filed yet.
	HasSystem bool
	Statement string
}

func (c *console) showNilReturns(v *visit) error { return v.drawNilReturns("", nil) }

func (v *visit) drawNilReturns(statement string, problem error) error {
	ctx := v.r.Context()
	page := nilPage{Tabs: v.systemTabs(), All: v.may(authz.ResourcePublish, v.own("resource")), Sheet: v.sheetAddress(), Statement: statement}
	writes := v.may(authz.SystemWrite, v.own("system"))
	if !page.All && !writes {
		return fault.New(fault.Forbidden, "forbidden", "the register of systems is for departments and the authority")
	}
	scope := v.principal.Department
	if page.All {
		scope = uuid.Nil
	}
	if v.asSheet() {
		return v.sheet("nil-returns", []string{"compile.department", "nil.year", "nil.statement", "coverage.filed_at", "nil.withdrawn_at"}, func(cursor string) ([][]string, string, error) {
			some, next, err := v.Catalog.NilReturns(ctx, v.principal, scope, 0, db.Page{Limit: db.MaxPage, Cursor: cursor})
			var rows [][]string
			for _, n := range some {
				rows = append(rows, []string{n.Department, strconv.Itoa(n.Year), n.Statement, v.formats.moment(n.FiledAt), v.formats.day(n.WithdrawnAt)})
			}
			return rows, next, err
		})
	}
	some, next, err := v.Catalog.NilReturns(ctx, v.principal, scope, 0, db.Page{Limit: 50, Cursor: v.query("cursor")})
	if err != nil {
		return err
	}
	page.Rows, page.More = some, more(prefix+"/systems/nil-returns", next)
	if writes {
		own, err := v.Catalog.DepartmentCoverage(ctx, v.principal, v.principal.Department)
		if err != nil {
			return err
		}
		page.HasSystem = own.Live > 0
		page.CanFile = !page.HasSystem && own.NilReturnAt == nil
	}
	if problem != nil {
		return v.again("nil_returns", "nil.title", page, problem)
	}
	return v.show("nil_returns", "nil.title", page)
}

func (c *console) fileNilReturn(v *visit) error {
	statement := v.field("statement")
	if _, err := v.Catalog.FileNilReturn(v.r.Context(), v.principal, statement); err != nil {
		if fault.Is(err, fault.Forbidden) {
			return err
		}
		return v.drawNilReturns(statement, err)
	}
	return v.to(prefix+"/systems/nil-returns", "nil_filed")
}
