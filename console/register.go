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

// registerRoutes are the registers beside the directory: base databases and information systems.
func (c *console) registerRoutes(m *http.ServeMux) {
	m.Handle("GET /ui/base-databases", c.page(c.showBaseDatabases))
	m.Handle("POST /ui/base-databases", c.page(c.createThemeDatabase))
	m.Handle("POST /ui/base-databases/{code}/register", c.page(c.registerBaseDatabase))
	m.Handle("POST /ui/base-databases/{code}/bind", c.page(c.bindBaseDatabase))
	m.Handle("GET /ui/systems", c.page(c.showSystems))
	m.Handle("POST /ui/systems", c.page(c.createSystem))
	m.Handle("POST /ui/systems/{id}", c.page(c.updateSystem))
}

// basesPage lists the base databases; the authority registers and binds them here.
type basesPage struct {
	Bases       []baseRow
	CanRegister bool
	Departments []option
	Sheet       string
	Failed      string // What was tried last: "theme", or an act and a code.
	Theme       catalog.ThemeDatabase
}

type baseRow struct {
	catalog.BaseDatabase
	Title, Lead, Resource string
	KeyItems              []option // Of the template; empty where there is none.
	Leads                 []option
	Entries               []option // That could serve it; read only for those who bind.
	Open                  string   // "register" or "bind": the form of it is open.
	Typed                 catalog.Registration
}

func (c *console) showBaseDatabases(v *visit) error { return v.drawBases("", "", nil) }

// drawBases draws the list, with the form of a failed act opened.
func (v *visit) drawBases(act, code string, problem error) error {
	ctx := v.r.Context()
	all, err := v.Catalog.BaseDatabases(ctx, v.principal)
	if err != nil {
		return err
	}
	page := basesPage{CanRegister: v.may(authz.BaseDatabaseRegister, authz.Target{Kind: "base_database"}), Sheet: v.sheetAddress(), Failed: act}
	if page.CanRegister {
		if page.Departments, err = v.allDepartments(); err != nil {
			return err
		}
	}
	names := v.names()
	for _, b := range all {
		row := baseRow{BaseDatabase: b, Title: v.pick(b.Name, b.NameEN), Lead: names.department(b.LeadDeptID)}
		if b.ResourceID != uuid.Nil {
			row.Resource = names.resource(ctx, b.ResourceID)
		}
		if page.CanRegister {
			if err := v.offerBase(&row, page.Departments, act, code); err != nil {
				return err
			}
		}
		page.Bases = append(page.Bases, row)
	}
	if act == "theme" {
		page.Theme = v.typedTheme()
	}
	switch {
	case problem != nil:
		return v.again("base_databases", "base.title", page, problem)
	case v.asSheet():
		return v.sheet("base-databases", []string{"base.name", "base.code", "base.lead", "base.key_item", "base.resource", "base.registered_at"}, func(string) ([][]string, string, error) {
			var rows [][]string
			for _, b := range page.Bases {
				rows = append(rows, []string{b.Title, b.Code, b.Lead, b.KeyItem, b.Resource, v.formats.day(b.RegisteredAt)})
			}
			return rows, "", nil
		})
	}
	return v.show("base_databases", "base.title", page)
}

// offerBase adds what the authority chooses from.
func (v *visit) offerBase(row *baseRow, departments []option, act, code string) error {
	row.Typed = catalog.Registration{LeadDeptID: row.LeadDeptID, KeyItem: row.KeyItem}
	if code == row.Code {
		row.Open = act
		if act == "register" {
			row.Typed = v.typedRegistration()
		}
	}
	row.Leads = chosen(departments, row.Typed.LeadDeptID.String())
	if t, err := catalog.FindTemplate(row.Template); err == nil {
		for _, i := range t.Items {
			if i.Key {
				row.KeyItems = append(row.KeyItems, option{Value: i.Identifier, Text: i.Name, Selected: i.Identifier == row.Typed.KeyItem})
			}
		}
	}
	if row.RegisteredAt == nil {
		return nil
	}
	entries, _, err := v.Catalog.Search(v.r.Context(), v.principal, catalog.Query{BaseDatabase: row.Code, DepartmentID: row.LeadDeptID}, db.Page{Limit: db.MaxPage})
	if err != nil {
		return err
	}
	for _, e := range entries {
		row.Entries = append(row.Entries, option{Value: e.ID.String(), Text: e.Name, Selected: e.ID == row.ResourceID})
	}
	return nil
}

func (v *visit) typedRegistration() catalog.Registration {
	lead, _ := uuid.Parse(v.field("lead_dept_id"))
	return catalog.Registration{LeadDeptID: lead, KeyItem: v.field("key_item")}
}

func (v *visit) typedTheme() catalog.ThemeDatabase {
	return catalog.ThemeDatabase{Code: v.field("code"), Name: v.field("name"), NameEN: v.field("name_en"), Registration: v.typedRegistration()}
}

func (c *console) registerBaseDatabase(v *visit) error {
	code := v.r.PathValue("code")
	_, err := v.Catalog.RegisterBaseDatabase(v.r.Context(), v.principal, code, v.rowVersion(), v.typedRegistration())
	return v.baseDone("register", code, err)
}

func (c *console) bindBaseDatabase(v *visit) error {
	code := v.r.PathValue("code")
	resource, err := uuid.Parse(v.field("resource_id"))
	if err != nil {
		return v.baseDone("bind", code, oneField("resource_id", "required"))
	}
	_, err = v.Catalog.BindBaseDatabase(v.r.Context(), v.principal, code, v.rowVersion(), resource)
	if fault.Is(err, fault.NotFound) {
		err = oneField("resource_id", "unknown") // It was published when the list was drawn.
	}
	return v.baseDone("bind", code, err)
}

func (c *console) createThemeDatabase(v *visit) error {
	_, err := v.Catalog.CreateThemeDatabase(v.r.Context(), v.principal, v.typedTheme())
	return v.baseDone("theme", "", err)
}

func (v *visit) baseDone(act, code string, err error) error {
	switch {
	case err == nil:
		return v.to(prefix+"/base-databases", "base_"+act)
	case fault.Is(err, fault.Forbidden):
		return err
	}
	return v.drawBases(act, code, err)
}

// systemsPage is the register of information systems: a department's own, or all of them for the authority.
type systemsPage struct {
	Tabs     []tab
	Systems  []systemRow
	More     string
	Sheet    string
	CanWrite bool
	All      bool
	States   []option
	New      systemRow // As it was typed.
	Failed   bool      // The new system was refused.
}

type systemRow struct {
	catalog.System
	Name, State string // As they were typed.
	Department  string
	CanWrite    bool
	States      []option
	Open        bool // The last change of it was refused.
}

// systemStates are what a system can be: in use, registered but dead, or of one office.
func systemStates() []string { return []string{"live", "zombie", "single_office"} }

func (c *console) showSystems(v *visit) error { return v.drawSystems(uuid.Nil, nil) }

// drawSystems draws the register; changed names the system whose change was refused, uuid.Nil for a new one.
func (v *visit) drawSystems(changed uuid.UUID, problem error) error {
	all := v.may(authz.ResourcePublish, v.own("resource"))
	page := systemsPage{
		Tabs: v.systemTabs(), All: all, CanWrite: v.may(authz.SystemWrite, v.own("system")), Sheet: v.sheetAddress(), States: choices(v, "system_state", systemStates()),
		Failed: problem != nil && changed == uuid.Nil,
	}
	if !all && !page.CanWrite {
		return fault.New(fault.Forbidden, "forbidden", "the register of systems is for departments and the authority")
	}
	scope := v.principal.Department
	if all {
		scope = uuid.Nil
	}
	names := v.names()
	if v.asSheet() {
		return v.sheet("systems", []string{"system.name", "compile.department", "list.state", "system.covered", "system.changed"}, func(cursor string) ([][]string, string, error) {
			some, next, err := v.Catalog.Systems(v.r.Context(), v.principal, scope, db.Page{Limit: db.MaxPage, Cursor: cursor})
			var rows [][]string
			for _, s := range some {
				rows = append(rows, []string{s.Name, names.department(s.DepartmentID), v.word("system_state", s.State), v.word("covered", strconv.FormatBool(s.Covered)), v.formats.moment(s.UpdatedAt)})
			}
			return rows, next, err
		})
	}
	some, next, err := v.Catalog.Systems(v.r.Context(), v.principal, scope, db.Page{Limit: 50, Cursor: v.query("cursor")})
	if err != nil {
		return err
	}
	page.More = more(prefix+"/systems", next)
	for _, s := range some {
		row := systemRow{System: s, Name: s.Name, State: s.State, Department: names.department(s.DepartmentID), Open: changed == s.ID}
		row.CanWrite = v.may(authz.SystemWrite, authz.Target{Kind: "system", ID: s.ID.String(), Department: s.DepartmentID})
		if row.Open {
			row.Name, row.State = v.field("name"), v.field("state")
		}
		row.States = chosen(page.States, row.State)
		page.Systems = append(page.Systems, row)
	}
	page.New.States = chosen(page.States, "live")
	if problem == nil {
		return v.show("systems", "system.title", page)
	}
	if page.Failed {
		page.New.Name, page.New.States = v.field("name"), chosen(page.States, v.field("state"))
	}
	return v.again("systems", "system.title", page, problem)
}

func (c *console) createSystem(v *visit) error {
	if _, err := v.Catalog.CreateSystem(v.r.Context(), v.principal, v.field("name"), v.field("state")); err != nil {
		return v.drawSystems(uuid.Nil, err)
	}
	return v.to(prefix+"/systems", "system_created")
}

func (c *console) updateSystem(v *visit) error {
	id, err := v.id()
	if err != nil {
		return err
	}
	if _, err := v.Catalog.UpdateSystem(v.r.Context(), v.principal, id, v.rowVersion(), v.field("name"), v.field("state")); err != nil {
		if fault.Is(err, fault.NotFound) || fault.Is(err, fault.Forbidden) {
			return err
		}
		return v.drawSystems(id, err)
	}
	return v.to(prefix+"/systems", "system_changed")
}
