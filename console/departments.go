package console

import (
	"cmp"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/catalog"
	"github.com/shuqiao/shuqiao/internal/db"
)

// departmentsPage is the list of departments, those below another beneath it.
type departmentsPage struct {
	Text        string
	Rows        []departmentRow
	Tree        bool // The rows are in the order of the tree.
	More, Table string
	CanWrite    bool
}

type departmentRow struct {
	catalog.Department
	Called string // In the reader's language.
	Above  string
	Depth  int // In the tree; at most deepest.
}

// deepest is how far rows of the tree are moved in.
const deepest = 4

func (c *console) showDepartments(v *visit) error {
	page := departmentsPage{Text: v.query("q"), Table: v.sheetAddress(), CanWrite: v.may(authz.DepartmentWrite, authz.Target{Kind: "department"})}
	f := catalog.DepartmentFilter{Text: strings.ToValidUTF8(strings.ReplaceAll(page.Text, "\x00", ""), "")}
	names := v.names()
	read := func(cursor string) ([]departmentRow, string, error) {
		list, next, err := v.Catalog.Departments(v.r.Context(), v.principal, f, db.Page{Limit: db.MaxPage, Cursor: cursor})
		for _, d := range list {
			names.departments[d.ID] = v.departmentName(d)
		}
		rows := make([]departmentRow, len(list))
		for i, d := range list {
			rows[i] = departmentRow{Department: d, Called: v.departmentName(d), Above: names.department(d.ParentID)}
		}
		return rows, next, err
	}
	if v.asSheet() {
		columns := []string{"departments.name", "departments.name_en", "departments.uscc", "departments.division", "departments.level", "departments.parent", "departments.authority"}
		return v.sheet("departments", columns, func(cursor string) ([][]string, string, error) {
			rows, next, err := read(cursor)
			out := make([][]string, len(rows))
			for i, d := range rows {
				out[i] = []string{d.Name, d.NameEN, d.USCC, d.DivisionCode, v.word("level", d.Level), d.Above, v.word("yes", d.Authority)}
			}
			return out, next, err
		})
	}
	rows, next, err := read(v.query("cursor"))
	if err != nil {
		return err
	}
	page.Rows, page.More = rows, v.moreAddress(next)
	if page.Text == "" && next == "" && v.query("cursor") == "" {
		page.Rows, page.Tree = inTree(rows), true
	}
	return v.show("departments", "departments.title", page)
}

// inTree orders departments so that each is followed by those below it. Those whose parent is not among them stand at the top.
func inTree(rows []departmentRow) []departmentRow {
	known, below := map[uuid.UUID]bool{}, map[uuid.UUID][]departmentRow{}
	for _, d := range rows {
		known[d.ID] = true
	}
	for _, d := range rows {
		above := d.ParentID
		if !known[above] {
			above = uuid.Nil
		}
		below[above] = append(below[above], d)
	}
	// The authority of a division comes first among its equals.
	for _, list := range below {
		slices.SortStableFunc(list, func(a, b departmentRow) int {
			return cmp.Compare(map[bool]int{true: 0, false: 1}[a.Authority], map[bool]int{true: 0, false: 1}[b.Authority])
		})
	}
	out := make([]departmentRow, 0, len(rows))
	var add func(above uuid.UUID, depth int)
	add = func(above uuid.UUID, depth int) {
		for _, d := range below[above] {
			d.Depth = min(depth, deepest)
			out = append(out, d)
			add(d.ID, depth+1)
		}
	}
	add(uuid.Nil, 0)
	return out
}

// departmentPage is one department, and the form for those who may change it.
type departmentPage struct {
	Row      departmentRow
	Parents  []option
	Levels   []string
	Below    []departmentRow
	People   string // Address of its people, for those who may see them.
	CanWrite bool
	New      bool
}

// levels returns the levels of administration, the highest first.
func levels() []string { return []string{"national", "province", "city", "county", "township"} }

func (c *console) showDepartment(v *visit) error {
	id, err := v.id()
	if err != nil {
		return err
	}
	page, err := v.departmentPage(id)
	if err != nil {
		return err
	}
	return v.show("department", page.Row.Called, page)
}

func (v *visit) departmentPage(id uuid.UUID) (departmentPage, error) {
	ctx := v.r.Context()
	d, err := v.Catalog.Department(ctx, v.principal, id)
	if err != nil {
		return departmentPage{}, err
	}
	page := departmentPage{
		Row:    departmentRow{Department: d, Called: v.departmentName(d), Above: v.department(d.ParentID)},
		Levels: levels(), CanWrite: v.may(authz.DepartmentWrite, authz.Target{Kind: "department", ID: id.String()}),
	}
	below, _, err := v.Catalog.Departments(ctx, v.principal, catalog.DepartmentFilter{ParentID: id}, db.Page{Limit: db.MaxPage})
	if err != nil {
		return departmentPage{}, err
	}
	for _, d := range below {
		page.Below = append(page.Below, departmentRow{Department: d, Called: v.departmentName(d)})
	}
	if v.everywhere(authz.UserRead) {
		page.People = prefix + "/people?department=" + id.String()
	}
	if page.CanWrite {
		page.Parents, err = v.parents(id)
	}
	return page, err
}

// parents are the departments that one may stand below.
func (v *visit) parents(of uuid.UUID) ([]option, error) {
	all, err := v.names().departmentChoices()
	return slices.DeleteFunc(all, func(c option) bool { return c.Value == of.String() }), err
}

func (c *console) showNewDepartment(v *visit) error {
	page, err := v.newDepartment()
	if err != nil {
		return err
	}
	return v.show("department_form", "departments.new", page)
}

func (v *visit) newDepartment() (departmentPage, error) {
	if _, err := v.Enforcer.Check(v.r.Context(), v.principal, authz.DepartmentWrite, authz.Target{Kind: "department"}); err != nil {
		return departmentPage{}, err
	}
	parents, err := v.parents(uuid.Nil)
	return departmentPage{Parents: parents, Levels: levels(), CanWrite: true, New: true}, err
}

// typedDepartment puts what was typed over a department.
func (v *visit) typedDepartment(d catalog.Department) catalog.Department {
	d.Name, d.NameEN, d.USCC = v.field("name"), v.field("name_en"), v.field("uscc")
	d.DivisionCode, d.Level = v.field("division_code"), v.field("level")
	d.ParentID, _ = uuid.Parse(v.field("parent"))
	return d
}

func (c *console) createDepartment(v *visit) error {
	page, err := v.newDepartment()
	if err != nil {
		return err
	}
	page.Row.Department = v.typedDepartment(catalog.Department{})
	d, err := c.Catalog.CreateDepartment(v.r.Context(), v.principal, page.Row.Department)
	if err != nil {
		return v.again("department_form", "departments.new", page, err)
	}
	return v.to(prefix+"/departments/"+d.ID.String(), "department_created")
}

func (c *console) editDepartment(v *visit) error {
	id, err := v.id()
	if err != nil {
		return err
	}
	page, err := v.departmentPage(id)
	if err != nil {
		return err
	}
	// Which department is the authority was settled when the hub was set up and stays as it is.
	page.Row.Department = v.typedDepartment(page.Row.Department)
	if _, err = c.Catalog.UpdateDepartment(v.r.Context(), v.principal, id, v.seenVersion(), page.Row.Department); err != nil {
		page.Row.RowVersion = v.seenVersion()
		return v.again("department_form", page.Row.Called, page, err)
	}
	return v.to(prefix+"/departments/"+id.String(), "department_saved")
}

func (c *console) showDepartmentForm(v *visit) error {
	id, err := v.id()
	if err != nil {
		return err
	}
	if _, err := v.Enforcer.Check(v.r.Context(), v.principal, authz.DepartmentWrite, authz.Target{Kind: "department", ID: id.String()}); err != nil {
		return err
	}
	page, err := v.departmentPage(id)
	if err != nil {
		return err
	}
	return v.show("department_form", page.Row.Called, page)
}
