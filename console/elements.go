package console

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/catalog"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// elementRoutes are the data elements, who is the source of each, what departments say about that, and what sleeps.
func (c *console) elementRoutes(m *http.ServeMux) {
	m.Handle("GET /ui/data-elements", c.page(c.showElements))
	m.Handle("POST /ui/data-elements", c.page(c.createElement))
	m.Handle("GET /ui/data-elements/{code}", c.page(c.showElement))
	m.Handle("POST /ui/data-elements/{code}/{act}", c.page(c.actOnElement))
	m.Handle("GET /ui/element-sources", c.page(c.showElementSources))
	m.Handle("GET /ui/duties", c.page(c.showDuties))
	m.Handle("POST /ui/duties/{id}/{step}", c.page(c.moveDuty))
	m.Handle("GET /ui/sleeping", c.page(c.showSleeping))
}

// elementTabs are the pages about data elements.
func (v *visit) elementTabs(active string) []tab {
	tabs := []tab{
		{Key: "element.title", Icon: "category", Href: prefix + "/data-elements", Active: active == "elements"},
		{Key: "element.sources", Icon: "building", Href: prefix + "/element-sources", Active: active == "sources"},
	}
	if v.mayOwn(authz.DutyDeclare) || v.mayOwn(authz.DutyDecide) {
		tabs = append(tabs, tab{Key: "duty.title", Icon: "gavel", Href: prefix + "/duties", Active: active == "duties", Count: v.openClaims()})
	}
	return tabs
}

// openClaims is how many claims wait for the reader's decision.
func (v *visit) openClaims() int {
	n, err := v.Catalog.CountOpenClaims(v.r.Context(), v.principal)
	if err != nil {
		v.Logger.WarnContext(v.r.Context(), "counting claims", "error", err)
	}
	return n
}

// onward is the address of this list from a cursor on, with its filters; "" where it ends.
func (v *visit) onward(cursor string) string {
	if cursor == "" {
		return ""
	}
	q := v.r.URL.Query()
	q.Del("done")
	q.Set("cursor", cursor)
	return v.r.URL.Path + "?" + q.Encode()
}

// elementsPage is the register of data elements.
type elementsPage struct {
	Tabs           []tab
	Elements       []catalog.DataElement
	More, Sheet    string
	Text, State    string
	States         []option
	CanWrite, Open bool
	New            elementForm
}

// elementForm is a data element as it is typed.
type elementForm struct {
	catalog.DataElement
	Words         string // The synonyms, one a line.
	Types, States []option
}

func (c *console) showElements(v *visit) error { return v.drawElements(nil) }

func (v *visit) drawElements(problem error) error {
	ctx := v.r.Context()
	filter := catalog.DataElementFilter{Text: v.query("q"), State: v.query("state")}
	if v.asSheet() && problem == nil {
		return v.sheet("data-elements", []string{"element.code", "element.name", "element.name_en", "element.definition", "element.type", "element.length", "element.code_set", "element.standard", "element.synonyms", "list.state"}, func(cursor string) ([][]string, string, error) {
			some, next, err := v.Catalog.DataElements(ctx, v.principal, filter, db.Page{Limit: db.MaxPage, Cursor: cursor})
			var rows [][]string
			for _, e := range some {
				rows = append(rows, []string{
					e.Code, e.Name, e.NameEN, e.Definition, string(e.DataType), strconv.Itoa(e.Length), e.CodeSet, e.Standard, strings.Join(e.Synonyms, v.say("list.comma")), v.word("element_state", e.State),
				})
			}
			return rows, next, err
		})
	}
	some, next, err := v.Catalog.DataElements(ctx, v.principal, filter, db.Page{Limit: 50, Cursor: v.query("cursor")})
	if err != nil {
		return err
	}
	page := elementsPage{
		Tabs: v.elementTabs("elements"), Elements: some, More: v.onward(next), Sheet: v.sheetAddress(), Text: filter.Text,
		States:   chosen(choices(v, "element_state", catalog.DataElementStates()), filter.State),
		CanWrite: v.may(authz.DataElementWrite, authz.Target{Kind: "data_element"}), Open: problem != nil,
	}
	typed := catalog.DataElement{DataType: catalog.Char}
	if problem != nil {
		typed = v.typedElement()
	}
	page.New = v.elementForm(typed)
	if problem != nil {
		return v.again("elements", "element.title", page, problem)
	}
	return v.show("elements", "element.title", page)
}

func (v *visit) elementForm(e catalog.DataElement) elementForm {
	f := elementForm{DataElement: e, Words: strings.Join(e.Synonyms, "\n")}
	f.Types = chosen(choices(v, "data_type", catalog.DataTypes()), string(e.DataType))
	f.States = chosen(choices(v, "element_state", catalog.DataElementStates()), e.State)
	return f
}

// typedElement is the data element of a form.
func (v *visit) typedElement() catalog.DataElement {
	length, err := strconv.Atoi(v.field("length"))
	if err != nil && v.field("length") != "" {
		length = -1
	}
	return catalog.DataElement{
		Code: v.field("code"), Name: v.field("name"), NameEN: v.field("name_en"), Definition: v.field("definition"), DataType: catalog.DataType(v.field("data_type")),
		Length: length, CodeSet: v.field("code_set"), Standard: v.field("standard"), State: v.field("state"),
		Synonyms: strings.FieldsFunc(v.field("synonyms"), func(r rune) bool { return r == '\n' || r == '\r' }),
	}
}

func (c *console) createElement(v *visit) error {
	e, err := v.Catalog.CreateDataElement(v.r.Context(), v.principal, v.typedElement())
	switch {
	case err == nil:
		return v.to(prefix+"/data-elements/"+e.Code, "element_created")
	case fault.Is(err, fault.Forbidden):
		return err
	}
	return v.drawElements(err)
}

// elementPage is one data element with its sources and what is said about them.
type elementPage struct {
	Tabs       []tab
	Element    catalog.DataElement
	Sources    []sourceLine
	Claims     []dutyRow
	CanWrite   bool
	CanDecide  bool
	CanDeclare bool
	Failed     string // The act that was refused.
	Edit       elementForm

	Division    string // Of the reader's department.
	Owned       bool   // The reader's division has a source, which can only be contested.
	Own         bool   // It is the reader's department itself.
	Departments []option
	Entries     []option // Published entries that could offer it.
	Typed       map[string]string
}

// sourceLine is a line of the register with what the reader can open.
type sourceLine struct {
	catalog.ElementSource
	Whole bool // The division is the whole country.
}

func (c *console) showElement(v *visit) error { return v.drawElement("", nil) }

func (v *visit) drawElement(failed string, problem error) error {
	ctx := v.r.Context()
	e, err := v.Catalog.DataElement(ctx, v.principal, v.r.PathValue("code"))
	if err != nil {
		return err
	}
	page := elementPage{
		Tabs: v.elementTabs("elements"), Element: e, Failed: failed, Typed: map[string]string{},
		CanWrite: v.may(authz.DataElementWrite, authz.Target{Kind: "data_element"}), CanDecide: v.mayOwn(authz.DutyDecide), CanDeclare: v.mayOwn(authz.DutyDeclare) && e.State == "current",
	}
	lines, _, err := v.Catalog.ElementSources(ctx, v.principal, catalog.ElementSourceFilter{Element: e.Code}, db.Page{Limit: 100})
	if err != nil {
		return err
	}
	page.Sources = sourceLines(lines)
	if page.CanDecide || page.CanDeclare {
		claims, _, err := v.Catalog.DutyClaims(ctx, v.principal, catalog.DutyFilter{Element: e.Code}, db.Page{Limit: 20})
		if err != nil {
			return err
		}
		page.Claims = v.dutyRows(claims)
		if err := v.offerSources(&page, lines); err != nil {
			return err
		}
	}
	page.Edit = v.elementForm(e)
	if problem == nil {
		return v.show("element", e.Name, page)
	}
	if failed == "edit" {
		typed := v.typedElement()
		typed.Code, typed.RowVersion = e.Code, v.rowVersion()
		page.Edit = v.elementForm(typed)
	}
	for _, name := range []string{"division", "department_id", "proposed_dept_id", "resource_id", "reason"} {
		page.Typed[name] = v.field(name)
	}
	page.Departments, page.Entries = chosen(page.Departments, page.Typed["department_id"], page.Typed["proposed_dept_id"]), chosen(page.Entries, page.Typed["resource_id"])
	return v.again("element", e.Name, page, problem)
}

// offerSources adds what the forms about sources choose from.
func (v *visit) offerSources(page *elementPage, lines []catalog.ElementSource) error {
	ctx := v.r.Context()
	var err error
	if page.Departments, err = v.allDepartments(); err != nil {
		return err
	}
	query := catalog.Query{Text: page.Element.Name}
	if page.CanDeclare {
		own, err := v.Catalog.Department(ctx, v.principal, v.principal.Department)
		if err != nil {
			return err
		}
		page.Division, query.DepartmentID = own.DivisionCode, v.principal.Department
		if i := slices.IndexFunc(lines, func(l catalog.ElementSource) bool { return l.Division == own.DivisionCode }); i >= 0 {
			page.Owned, page.Own = true, lines[i].DepartmentID == own.ID
		}
	}
	entries, _, err := v.Catalog.Search(ctx, v.principal, query, db.Page{Limit: 200})
	if err != nil {
		return err
	}
	names := v.names()
	for _, e := range entries {
		text := e.Name
		if !page.CanDeclare {
			text = names.called(e.DepartmentID.String(), e.Department) + " · " + e.Name
		}
		page.Entries = append(page.Entries, option{Value: e.ID.String(), Text: text})
	}
	return nil
}

func sourceLines(lines []catalog.ElementSource) []sourceLine {
	out := make([]sourceLine, len(lines))
	for i, l := range lines {
		out[i] = sourceLine{l, l.Division == "000000"}
	}
	return out
}

// actOnElement changes a data element, or what is registered or stated about its source.
func (c *console) actOnElement(v *visit) error {
	ctx, code, act := v.r.Context(), v.r.PathValue("code"), v.r.PathValue("act")
	id := func(name string) uuid.UUID {
		parsed, _ := uuid.Parse(v.field(name))
		return parsed
	}
	var err error
	switch act {
	case "edit":
		_, err = v.Catalog.UpdateDataElement(ctx, v.principal, code, v.rowVersion(), v.typedElement())
	case "assign":
		_, err = v.Catalog.AssignElementSource(ctx, v.principal, code, v.field("division"), v.rowVersion(), catalog.SourceAssignment{
			DepartmentID: id("department_id"), ResourceID: id("resource_id"), Reason: v.field("reason"),
		})
	case "end-source":
		err = v.Catalog.EndElementSource(ctx, v.principal, code, v.field("division"), v.rowVersion(), v.field("reason"))
	case "claim", "contest":
		_, err = v.Catalog.ClaimDuty(ctx, v.principal, catalog.NewDutyClaim{
			Kind: catalog.DutyKind(act), Element: code, Division: v.field("division"), ProposedID: id("proposed_dept_id"), ResourceID: id("resource_id"), Reason: v.field("reason"),
		})
	default:
		return notFound()
	}
	switch {
	case err == nil:
		return v.to(prefix+"/data-elements/"+code, "element_"+strings.ReplaceAll(act, "-", "_"))
	case fault.Is(err, fault.Forbidden), fault.Is(err, fault.NotFound):
		return err
	}
	return v.drawElement(act, err)
}

// sourcesRegister is the register of sources.
type sourcesRegister struct {
	Tabs        []tab
	Lines       []sourceLine
	More, Sheet string
	Division    string
	Departments []option
}

func (c *console) showElementSources(v *visit) error {
	ctx := v.r.Context()
	department, _ := uuid.Parse(v.query("department"))
	filter := catalog.ElementSourceFilter{Division: v.query("division"), DepartmentID: department}
	if v.asSheet() {
		return v.sheet("element-sources", []string{"element.code", "element.name", "element.division", "element.source_dept", "element.offered_by", "element.reason", "element.decided_at"}, func(cursor string) ([][]string, string, error) {
			some, next, err := v.Catalog.ElementSources(ctx, v.principal, filter, db.Page{Limit: db.MaxPage, Cursor: cursor})
			var rows [][]string
			for _, l := range some {
				rows = append(rows, []string{l.Element, l.ElementName, l.Division, l.Department, l.Resource, l.Reason, v.formats.day(l.DecidedAt)})
			}
			return rows, next, err
		})
	}
	some, next, err := v.Catalog.ElementSources(ctx, v.principal, filter, db.Page{Limit: 50, Cursor: v.query("cursor")})
	if err != nil {
		return err
	}
	departments, err := v.allDepartments()
	if err != nil {
		return err
	}
	return v.show("element_sources", "element.sources", sourcesRegister{
		Tabs: v.elementTabs("sources"), Lines: sourceLines(some), More: v.onward(next), Sheet: v.sheetAddress(), Division: filter.Division,
		Departments: chosen(departments, department.String()),
	})
}
