package console

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/catalog"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
)

const compilePath = prefix + "/compile"

// compileRoutes are the desk of those who compile and review entries.
func (c *console) compileRoutes(m *http.ServeMux) {
	m.Handle("GET /ui/compile", c.page(c.showCompiling))
	m.Handle("GET /ui/compile/new", c.page(c.showTemplates))
	m.Handle("POST /ui/compile/new", c.page(c.createEntry))
	m.Handle("GET /ui/compile/{id}", c.page(c.showEntry))
	m.Handle("POST /ui/compile/{id}", c.pageUpTo(maxDraft, c.saveDraft))
	m.Handle("POST /ui/compile/{id}/check", c.pageUpTo(maxDraft, c.checkDraft))
	m.Handle("POST /ui/compile/{id}/{act}", c.page(c.actOnEntry))
}

// compileList is the list of a department's entries by state; for the authority, of what all departments submitted.
type compileList struct {
	Tabs       []tab
	State      catalog.State
	Text       string
	Share      string
	Department string
	Entries    []compileRow
	More       string
	Sheet      string
	CanCompile bool
	All        bool // The reader looks after all departments.
	Narrowed   bool
}

type compileRow struct {
	catalog.Entry
	Href string
}

// compileStates are the states in which entries are listed, in the order of their life.
var compileStates = []struct {
	state catalog.State
	icon  string
}{
	{catalog.Draft, "edit"},
	{catalog.Returned, "arrow-left"},
	{catalog.DeptReview, "clipboard-check"},
	{catalog.PlatformReview, "gavel"},
	{catalog.Published, "circle-check"},
	{catalog.Offline, "player-pause"},
	{catalog.Revoked, "ban"},
}

// compiles says whether the reader has a part in compiling, and whether for all departments.
func (v *visit) compiles() (own, all bool) {
	t := v.own("resource")
	all = v.may(authz.ResourcePublish, t)
	return all || v.may(authz.ResourceCompile, t) || v.may(authz.ResourceApprove, t), all
}

func notForYou() error {
	return fault.New(fault.Forbidden, "forbidden", "compiling entries is for departments and the authority")
}

func (c *console) showCompiling(v *visit) error {
	ctx := v.r.Context()
	may, all := v.compiles()
	if !may {
		return notForYou()
	}
	page := compileList{
		Text: v.query("q"), Share: v.query("share"), All: all, CanCompile: v.may(authz.ResourceCompile, v.own("resource")),
		Sheet: v.sheetAddress(),
	}
	page.Narrowed = page.Text != "" || page.Share != ""
	scope := v.principal.Department
	if all {
		scope = uuid.Nil
	}
	counts, err := v.Catalog.CountStates(ctx, v.principal, scope)
	if err != nil {
		return err
	}
	page.State = catalog.State(v.query("state"))
	if page.State == "" {
		page.State = v.firstState(all)
	}
	for _, s := range compileStates {
		if all && (s.state == catalog.Draft || s.state == catalog.DeptReview) {
			continue // Nobody but the department sees these.
		}
		page.Tabs = append(page.Tabs, tab{
			Key: "resource_state." + string(s.state), Icon: s.icon, Active: s.state == page.State, Count: int(counts[s.state]),
			Href: compilePath + "?" + url.Values{"state": {string(s.state)}}.Encode(),
		})
	}
	q := catalog.Query{Text: page.Text, ShareType: catalog.ShareType(page.Share), State: page.State, DepartmentID: scope}
	if v.asSheet() {
		return v.compileSheet(q)
	}
	entries, next, err := v.Catalog.Search(ctx, v.principal, q, db.Page{Limit: 20, Cursor: v.query("cursor")})
	if err != nil {
		return err
	}
	page.Entries = v.names().compileRows(entries)
	if next != "" {
		at := v.r.URL.Query()
		at.Set("cursor", next)
		at.Del("done")
		page.More = compilePath + "?" + at.Encode()
	}
	return v.show("compile", "compile.title", page)
}

// firstState is where the reader has most likely something to do.
func (v *visit) firstState(all bool) catalog.State {
	switch t := v.own("resource"); {
	case all:
		return catalog.PlatformReview
	case v.may(authz.ResourceCompile, t):
		return catalog.Draft
	}
	return catalog.DeptReview
}

func (n *names) compileRows(entries []catalog.Entry) []compileRow {
	rows := make([]compileRow, 0, len(entries))
	for _, e := range entries {
		e.Department = cmp.Or(n.department(e.DepartmentID), e.Department)
		rows = append(rows, compileRow{Entry: e, Href: compilePath + "/" + e.ID.String()})
	}
	return rows
}

func (v *visit) compileSheet(q catalog.Query) error {
	names := v.names()
	columns := []string{"compile.name", "compile.department", "list.state", "resource.share_type", "item.grade", "resource.update_cycle", "compile.items", "resource.version", "compile.changed", "compile.code"}
	return v.sheet("entries-"+string(q.State), columns, func(cursor string) ([][]string, string, error) {
		entries, next, err := v.Catalog.Search(v.r.Context(), v.principal, q, db.Page{Limit: db.MaxPage, Cursor: cursor})
		if err != nil {
			return nil, "", err
		}
		var rows [][]string
		for _, e := range names.compileRows(entries) {
			rows = append(rows, []string{
				e.Name, e.Department, v.word("resource_state", e.State), v.word("share_type", e.ShareType), v.word("grade", e.Grade),
				v.word("update_cycle", e.UpdateCycle), strconv.Itoa(e.Items), strconv.Itoa(e.Version), v.formats.moment(e.UpdatedAt), e.Code,
			})
		}
		return rows, next, nil
	})
}

// templatesPage offers what a new entry can be made from.
type templatesPage struct {
	Groups []templateGroup // Those of the base databases, then those of other business.
	Name   string          // As it was typed.
	Chosen string          // The template that was tried last.
}

// templateGroup is the templates of one base database or of one kind of business.
type templateGroup struct {
	Name  string // What people call it.
	Key   string // Stable, for addresses within the page.
	Cards []templateCard
}

type templateCard struct {
	Name, Title, Summary, Provider, Notes string
	ResourceName                          string
	Items, Keys                           int
	ShareType                             catalog.ShareType
}

func (c *console) showTemplates(v *visit) error { return v.drawTemplates(nil) }

func (v *visit) drawTemplates(problem error) error {
	if !v.may(authz.ResourceCompile, v.own("resource")) {
		return notForYou()
	}
	all, err := catalog.Templates()
	if err != nil {
		return err
	}
	page := templatesPage{Name: v.field("name"), Chosen: v.field("template")}
	bases, err := v.Catalog.BaseDatabases(v.r.Context(), v.principal)
	if err != nil {
		return err
	}
	for _, b := range bases {
		page.add(v, v.pick(b.Name, b.NameEN), b.Code, all, func(t catalog.Template) bool { return t.BaseDatabase == b.Code })
	}
	for _, g := range catalog.TemplateGroups() {
		page.add(v, v.word("template_group", g), string(g), all, func(t catalog.Template) bool { return t.BaseDatabase == "" && t.Group == g })
	}
	if problem != nil {
		return v.again("compile_new", "compile.new", page, problem)
	}
	return v.show("compile_new", "compile.new", page)
}

// add adds a group with those templates that belong to it, unless there are none.
func (p *templatesPage) add(v *visit, name, key string, all []catalog.Template, belongs func(catalog.Template) bool) {
	group := templateGroup{Name: name, Key: key}
	for _, t := range all {
		if !belongs(t) {
			continue
		}
		card := templateCard{
			Name: t.Name, Title: v.pick(t.Title, t.TitleEN), Summary: t.Summary, Provider: t.Provider, Notes: t.Notes,
			ResourceName: t.ResourceName, Items: len(t.Items), ShareType: t.Metadata().DeclaredShare,
		}
		for _, i := range t.Items {
			if i.Key {
				card.Keys++
			}
		}
		group.Cards = append(group.Cards, card)
	}
	if len(group.Cards) > 0 {
		p.Groups = append(p.Groups, group)
	}
}

// createEntry makes a draft from a template, or an empty one, and opens it.
func (c *console) createEntry(v *visit) error {
	name, template := v.field("name"), v.field("template")
	m := catalog.Metadata{Name: name}
	var made catalog.Resource
	var err error
	if template == "" {
		m.Secrecy = catalog.NotSecret
		made, err = v.Catalog.CreateResource(v.r.Context(), v.principal, m)
	} else {
		made, err = v.Catalog.CreateFromTemplate(v.r.Context(), v.principal, template, m)
	}
	if err != nil {
		return v.drawTemplates(err)
	}
	return v.to(compilePath+"/"+made.ID.String(), "compile_created")
}

// allDepartments returns every department, for lists to choose from; beyond 2,000 the rest is left out.
func (v *visit) allDepartments() ([]option, error) {
	var out []option
	cursor := ""
	for range 4 {
		some, next, err := v.Catalog.Departments(v.r.Context(), v.principal, catalog.DepartmentFilter{}, db.Page{Limit: db.MaxPage, Cursor: cursor})
		if err != nil {
			return nil, err
		}
		for _, d := range some {
			out = append(out, option{Value: d.ID.String(), Text: v.departmentName(d)})
		}
		if cursor = next; cursor == "" {
			break
		}
	}
	return out, nil
}

// option is one value that people can choose, with what they call it.
type option struct {
	Value    string `json:"value"`
	Text     string `json:"text"`
	Selected bool   `json:"-"`
}

func chosen(all []option, now ...string) []option {
	out := slices.Clone(all)
	for i := range out {
		out[i].Selected = slices.Contains(now, out[i].Value)
	}
	return out
}

// choices are the codes of a group with their words.
func choices[S ~string](v *visit, group string, codes []S) []option {
	out := make([]option, len(codes))
	for i, code := range codes {
		out[i] = option{Value: string(code), Text: v.word(group, code)}
	}
	return out
}
