package console

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/authz/identity"
	"github.com/shuqiao/shuqiao/catalog"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
	"github.com/shuqiao/shuqiao/internal/secret"
)

// peoplePage is the list of accounts with its filters.
type peoplePage struct {
	Text, Department, Role, State, Unused string
	Departments                           []option // Empty for readers who see one department only.
	Roles                                 []authz.Role
	States                                []identity.State
	Rows                                  []personRow
	More, Table                           string
	CanCreate                             bool
	Narrowed                              bool
}

// personRow is an account in a list. Standing is its state, or what says more.
type personRow struct {
	identity.User
	Department string
	Standing   string
}

// personStates returns every standing a row can show once.
func personStates() []string { return []string{"active", "locked", "unused", "disabled"} }

func (v *visit) personRow(u identity.User, department string) personRow {
	row := personRow{User: u, Department: department, Standing: string(u.State)}
	switch {
	case u.State == identity.Disabled:
	case u.LockedUntil != nil && u.LockedUntil.After(v.Clock()):
		row.Standing = "locked"
	case u.LastSignInAt == nil:
		row.Standing = "unused"
	}
	return row
}

// everywhere says whether the reader's right is not bound to the own department.
func (v *visit) everywhere(a authz.Action) bool {
	kind, _, _ := strings.Cut(string(a), ".")
	return v.may(a, authz.Target{Kind: kind})
}

// unusedDays is how long an account without a sign-in is asked about.
const unusedDays = 90

func (c *console) showPeople(v *visit) error {
	page := peoplePage{
		Text: v.query("q"), Department: v.query("department"), Role: v.query("role"), State: v.query("state"), Unused: v.query("unused"),
		Roles: authz.UserRoles(), States: []identity.State{identity.Active, identity.Disabled}, Table: v.sheetAddress(),
		CanCreate: v.mayOwn(authz.UserCreate),
	}
	page.Narrowed = page.Text+page.Department+page.Role+page.State+page.Unused != ""
	f := identity.UserFilter{Text: page.Text, Page: db.Page{Cursor: v.query("cursor")}}
	names := v.names()
	if v.everywhere(authz.UserRead) {
		var err error
		if page.Departments, err = names.departmentChoices(); err != nil {
			return err
		}
		if id, err := uuid.Parse(page.Department); err == nil {
			f.Department = &id
		}
	}
	if role := authz.Role(page.Role); slices.Contains(page.Roles, role) {
		f.Role = &role
	}
	if state := identity.State(page.State); slices.Contains(page.States, state) {
		f.State = &state
	}
	if page.Unused != "" {
		f.DormantFor = unusedDays * 24 * time.Hour
	}
	rows := func(cursor string, size int) ([]personRow, string, error) {
		f.Page = db.Page{Cursor: cursor, Limit: size}
		users, next, err := v.Identity.Users(v.r.Context(), v.principal, f)
		out := make([]personRow, len(users))
		for i, u := range users {
			out[i] = v.personRow(u, names.department(u.DepartmentID))
		}
		return out, next, err
	}
	if v.asSheet() {
		return v.peopleSheet(rows)
	}
	var next string
	var err error
	if page.Rows, next, err = rows(v.query("cursor"), 0); err != nil {
		return err
	}
	page.More = v.moreAddress(next)
	return v.show("people", "people.title", page)
}

func (v *visit) peopleSheet(rows func(cursor string, size int) ([]personRow, string, error)) error {
	columns := []string{"people.username", "people.name", "people.department", "people.roles", "list.state", "people.last", "people.factor", "people.created"}
	return v.sheet("people", columns, func(cursor string) ([][]string, string, error) {
		found, next, err := rows(cursor, db.MaxPage)
		out := make([][]string, len(found))
		for i, u := range found {
			roles := make([]string, len(u.Roles))
			for j, r := range u.Roles {
				roles[j] = v.word("role", r)
			}
			out[i] = []string{
				u.Username, u.DisplayName, u.Department, strings.Join(roles, v.say("list.comma")), v.word("person_state", u.Standing),
				v.formats.second(u.LastSignInAt), v.word("yes", u.SecondFactor), v.formats.second(u.CreatedAt),
			}
		}
		return out, next, err
	})
}

// moreAddress is where this list goes on, with the filters that are in the address now; "" after the last page.
func (v *visit) moreAddress(next string) string {
	if next == "" {
		return ""
	}
	q := v.r.URL.Query()
	q.Del("done")
	q.Set("cursor", next)
	return (&url.URL{Path: v.r.URL.Path, RawQuery: q.Encode()}).RequestURI()
}

// departmentChoices returns the departments for a select, by name, and remembers what they are called.
func (n *names) departmentChoices() ([]option, error) {
	list, _, err := n.v.Catalog.Departments(n.v.r.Context(), n.v.principal, catalog.DepartmentFilter{}, db.Page{Limit: db.MaxPage})
	if err != nil {
		return nil, err
	}
	out := make([]option, len(list))
	for i, d := range list {
		n.departments[d.ID] = n.v.departmentName(d)
		out[i] = option{Value: d.ID.String(), Text: n.v.departmentName(d)}
	}
	return out, nil
}

// newPersonPage is the form of a new account.
type newPersonPage struct {
	Username, DisplayName, Department string
	Departments                       []option // Empty for readers who make accounts of their own department only.
	Own                               string   // That department's name.
	Operator                          bool     // It gets the role of an operator at once.
	CanOperator                       bool
}

func (c *console) showNewPerson(v *visit) error {
	page, err := v.newPerson()
	if err != nil {
		return err
	}
	page.Operator = page.CanOperator
	return v.show("person_new", "people.new", page)
}

// newPerson prepares the form. Who may make accounts anywhere chooses the department; others have their own.
func (v *visit) newPerson() (newPersonPage, error) {
	if _, err := v.Enforcer.Check(v.r.Context(), v.principal, authz.UserCreate, v.own("user")); err != nil {
		return newPersonPage{}, err
	}
	var page newPersonPage
	var err error
	if v.everywhere(authz.UserCreate) {
		page.Departments, err = v.names().departmentChoices()
	} else {
		page.Own, page.CanOperator = v.department(v.principal.Department), v.principal.Has(authz.DeptAdmin)
	}
	return page, err
}

// createPerson makes an account with a password that the hub has made up. It is shown in the answer and nowhere else.
func (c *console) createPerson(v *visit) error {
	page, err := v.newPerson()
	if err != nil {
		return err
	}
	page.Username, page.DisplayName, page.Department = strings.ToLower(v.field("username")), v.field("display_name"), v.field("department")
	page.Operator = page.CanOperator && v.field("operator") != ""
	n := identity.NewUser{Username: page.Username, DisplayName: page.DisplayName, DepartmentID: v.principal.Department}
	if len(page.Departments) > 0 {
		n.DepartmentID, _ = uuid.Parse(page.Department)
	}
	if page.Operator {
		n.Roles = []authz.Role{authz.DeptOperator}
	}
	password, err := v.firstPassword(n.Username, n.DisplayName)
	if err == nil {
		n.Password = secret.Secret(password)
		var u identity.User
		if u, err = v.Identity.CreateUser(v.r.Context(), v.principal, n); err == nil {
			return v.drawPerson(u.ID, http.StatusOK, personPage{Password: password, Created: true}, nil)
		}
	}
	if fault.CodeOf(err) == "username_taken" {
		err = fault.InvalidFields([]fault.Field{{Name: "username", Code: "username_taken", Message: "this user name is taken; choose another"}})
	}
	return v.again("person_new", "people.new", page, err)
}
