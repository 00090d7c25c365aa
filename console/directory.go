package console

import (
	"net/url"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/catalog"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// directory is the page of all entries with its search box.
type directory struct {
	Values  url.Values // The filters, the order and the view as they stand in the address; nothing else.
	Text    string
	Table   bool // A table instead of cards.
	Chips   []facetLink
	Clear   string // Address without any filter; the text stays.
	Groups  []facetGroup
	Sorts   []facetLink
	Views   []facetLink
	Total   string // How many were found, "1,000+" where there are more than are counted.
	Entries []catalog.Entry
	More    string // Address of the next page, or "".
	Sheet   string // Address of the list as a table.
	Bases   map[string]string
	Marks   map[uuid.UUID]*cartMark
}

// facetGroup is one way to narrow the search; each link keeps the others.
type facetGroup struct {
	Key    string
	All    string // Address without this filter.
	Facets []facetLink
	Rest   []facetLink // Those that are shown when asked for.
}

type facetLink struct {
	Text   string
	Count  string // "" where nothing is said.
	Href   string
	Active bool
}

// The parameters of the directory's address. All but the text, the order and the view narrow it.
const (
	byText, bySort, byView = "q", "sort", "view"
	asTable                = "table"
)

// filters are the parameters that narrow the directory besides its text, in the order of the page.
func filters() []string {
	return []string{"base", "department", "division", "share", "method", "timeliness", "data", "cycle", "grade", "theme", "open", "state"}
}

// facetsShown is how many values of a facet are shown at once.
const facetsShown = 10

// directoryQuery reads the address. What it does not know does not narrow.
func (v *visit) directoryQuery() (catalog.Query, url.Values) {
	values := url.Values{}
	for _, name := range append(filters(), byText, bySort, byView) {
		if value := v.query(name); value != "" {
			values.Set(name, value)
		}
	}
	truth := func(name string) *bool {
		b, err := strconv.ParseBool(values.Get(name))
		if err != nil {
			values.Del(name)
			return nil
		}
		return &b
	}
	q := catalog.Query{
		Text: values.Get(byText), BaseDatabase: values.Get("base"), ShareType: catalog.ShareType(values.Get("share")),
		ShareMethod: catalog.ShareMethod(values.Get("method")), Timeliness: catalog.Timeliness(values.Get("timeliness")),
		UpdateCycle: catalog.UpdateCycle(values.Get("cycle")), Grade: catalog.Grade(values.Get("grade")), Theme: values.Get("theme"),
		Division: values.Get("division"), Open: truth("open"), HasData: truth("data"), State: catalog.State(values.Get("state")), Sort: catalog.Sort(values.Get(bySort)),
	}
	if id, err := uuid.Parse(values.Get("department")); err == nil {
		q.DepartmentID, q.Below = id, true
	} else {
		values.Del("department")
	}
	if !v.has("resource_state."+string(q.State)) || q.State == catalog.Superseded || !v.mayOwn(authz.ResourceReadDraft) {
		values.Del("state")
		q.State = ""
	}
	// Who types a text wants what it fits best, unless another order is asked for.
	if q.Sort == "" && q.Text != "" {
		q.Sort = catalog.ByRelevance
	}
	return q, values
}

// showDirectory is the page of the directory; htmx asks for its results alone while somebody types.
func (c *console) showDirectory(v *visit) error {
	ctx := v.r.Context()
	q, values := v.directoryQuery()
	d := directory{Values: values, Text: q.Text, Table: values.Get(byView) == asTable, Bases: v.bases(), Sheet: v.sheetAddress()}
	names := v.names()
	find := func(page db.Page) ([]catalog.Entry, string, error) {
		entries, next, err := v.Catalog.Search(ctx, v.principal, q, page)
		for i := range entries {
			entries[i].Department = names.called(entries[i].DepartmentID.String(), entries[i].Department)
		}
		return entries, next, err
	}
	if v.asSheet() {
		return v.directorySheet(d.Bases, find)
	}
	var next string
	var err error
	if d.Entries, next, err = find(db.Page{Limit: 20, Cursor: v.query("cursor")}); err != nil {
		return err
	}
	facets, err := v.Catalog.Facets(ctx, v.principal, q)
	if err != nil {
		return err
	}
	if d.Total = lowerBound(facets.Total, facets.Capped); d.Total == "" {
		d.Total = count(facets.Total)
	}
	d.Marks = v.cartMarks(d.Entries)
	if next != "" {
		d.More = d.address("cursor", next)
	}
	v.narrowings(&d, facets, names)
	for _, sort := range []catalog.Sort{catalog.ByRelevance, catalog.ByChange, catalog.ByRows} {
		if sort == catalog.ByRelevance && q.Text == "" {
			continue
		}
		value := string(sort)
		if sort == catalog.ByChange {
			value = "newest"
		}
		active := q.Sort == sort || sort == catalog.ByChange && q.Sort == "newest"
		d.Sorts = append(d.Sorts, facetLink{Text: v.say("directory.sort_" + value), Href: d.address(bySort, value), Active: active})
	}
	d.Views = []facetLink{
		{Text: v.say("directory.cards"), Href: d.address(byView, ""), Active: !d.Table},
		{Text: v.say("directory.table"), Href: d.address(byView, asTable), Active: d.Table},
	}
	if v.r.Header.Get("HX-Target") == "results" {
		return v.part("directory", "results", frame{Body: d})
	}
	return v.show("directory", "directory.title", d)
}

// narrowings fills in how the search can be narrowed, and the chips of how it is.
func (v *visit) narrowings(d *directory, f catalog.Facets, names *names) {
	yes := func(n int64) []catalog.Facet {
		if n == 0 {
			return nil
		}
		return []catalog.Facet{{Value: "true", Count: n}}
	}
	var states []catalog.Facet
	if v.mayOwn(authz.ResourceReadDraft) {
		for _, s := range []catalog.State{catalog.Draft, catalog.DeptReview, catalog.PlatformReview, catalog.Returned, catalog.Published, catalog.Offline, catalog.Revoked} {
			states = append(states, catalog.Facet{Value: string(s)})
		}
	}
	counted := map[string][]catalog.Facet{
		"base": f.BaseDatabases, "department": f.Departments, "division": f.Divisions, "share": f.ShareTypes, "method": f.ShareMethods, "timeliness": f.Timeliness,
		"data": yes(f.HasData), "cycle": f.UpdateCycles, "grade": f.Grades, "theme": f.Themes, "open": yes(f.Open), "state": states,
	}
	words := map[string]string{
		"share": "share_type", "method": "share_method", "timeliness": "timeliness", "cycle": "update_cycle", "grade": "grade", "state": "resource_state",
	}
	text := func(name string, facet catalog.Facet) string {
		switch name {
		case "base":
			if called := d.Bases[facet.Value]; called != "" {
				return called
			}
		case "department":
			return names.called(facet.Value, facet.Label)
		case "division":
			if facet.Label != "" {
				return facet.Label
			}
		case "data", "open":
			return v.say("directory." + name)
		}
		if group, ok := words[name]; ok {
			return v.word(group, facet.Value)
		}
		return facet.Value
	}
	for _, name := range filters() {
		g := facetGroup{Key: "directory.by_" + name}
		now := d.Values.Get(name)
		if now != "" {
			g.All = d.address(name, "")
			chip := facetLink{Text: v.say(g.Key), Href: g.All}
			facet := catalog.Facet{Value: now}
			for _, known := range counted[name] {
				if known.Value == now {
					facet = known
				}
			}
			if name == "department" && facet.Label == "" { // Nothing was found, so that no facet knows its name.
				if id, err := uuid.Parse(now); err == nil {
					facet.Label = names.department(id)
				}
			}
			chip.Text += v.say("list.colon") + text(name, facet)
			d.Chips = append(d.Chips, chip)
		}
		for _, facet := range counted[name] {
			link := facetLink{Text: text(name, facet), Count: lowerBound(facet.Count, f.Capped), Href: d.address(name, facet.Value), Active: facet.Value == now}
			if len(g.Facets) < facetsShown || link.Active {
				g.Facets = append(g.Facets, link)
			} else {
				g.Rest = append(g.Rest, link)
			}
		}
		if len(g.Facets) == 1 && name == "division" && now == "" {
			continue // All are of one division: nothing to choose.
		}
		if len(g.Facets) > 0 {
			d.Groups = append(d.Groups, g)
		}
	}
	if len(d.Chips) > 0 {
		rest := url.Values{}
		for _, name := range []string{byText, bySort, byView} {
			if value := d.Values.Get(name); value != "" {
				rest.Set(name, value)
			}
		}
		d.Clear = directoryAddress(rest)
	}
}

// directorySheet sends all that was found as a table.
func (v *visit) directorySheet(bases map[string]string, find func(db.Page) ([]catalog.Entry, string, error)) error {
	columns := []string{
		"directory.name", "directory.code", "directory.by_department", "directory.by_base", "directory.by_share", "directory.by_method", "directory.by_grade",
		"directory.by_cycle", "directory.open", "directory.by_timeliness", "fresh.rows", "fresh.arrived", "resource.items", "directory.published", "list.state",
	}
	return v.sheet("resources", columns, func(cursor string) ([][]string, string, error) {
		entries, next, err := find(db.Page{Limit: db.MaxPage, Cursor: cursor})
		if err != nil {
			return nil, "", err
		}
		rows := make([][]string, len(entries))
		for i, e := range entries {
			timeliness := ""
			if e.Timeliness != "" {
				timeliness = v.word("timeliness", e.Timeliness)
			}
			rows[i] = []string{
				e.Name, e.Code, e.Department, bases[e.BaseDatabase], v.word("share_type", e.ShareType), v.methods(e.ShareMethods), v.word("grade", e.Grade),
				v.word("update_cycle", e.UpdateCycle), v.word("yes", e.Open), timeliness, strconv.FormatInt(e.Rows, 10), v.formats.moment(e.ArrivedAt),
				strconv.Itoa(e.Items), v.formats.day(e.PublishedAt), v.word("resource_state", e.State),
			}
		}
		return rows, next, nil
	})
}

// methods says the ways of sharing in one line.
func (v *visit) methods(all []catalog.ShareMethod) string {
	words := make([]string, len(all))
	for i, m := range all {
		words[i] = v.word("share_method", m)
	}
	return strings.Join(words, v.say("list.comma"))
}

// bases returns what base databases are called in the reader's language, by code.
func (v *visit) bases() map[string]string {
	out := map[string]string{}
	all, err := v.Catalog.BaseDatabases(v.r.Context(), v.principal)
	if err != nil && !fault.Is(err, fault.Forbidden) {
		v.Logger.ErrorContext(v.r.Context(), "reading base databases", "error", err)
	}
	for _, b := range all {
		out[b.Code] = v.pick(b.Name, b.NameEN)
	}
	return out
}

// Hidden are the parameters that the search box carries along.
func (d directory) Hidden() map[string]string {
	out := map[string]string{}
	for name := range d.Values {
		if name != byText {
			out[name] = d.Values.Get(name)
		}
	}
	return out
}

// address is this search with one parameter changed.
func (d directory) address(name, value string) string {
	q := url.Values{}
	for known := range d.Values {
		if known != name {
			q.Set(known, d.Values.Get(known))
		}
	}
	if value != "" {
		q.Set(name, value)
	}
	return directoryAddress(q)
}

func directoryAddress(q url.Values) string {
	if len(q) == 0 {
		return prefix + "/resources"
	}
	return prefix + "/resources?" + q.Encode()
}

// lowerBound writes a count, with a plus where it is a lower bound, and nothing for none.
func lowerBound(n int64, capped bool) string {
	switch {
	case n == 0:
		return ""
	case capped:
		return count(n) + "+"
	}
	return count(n)
}
