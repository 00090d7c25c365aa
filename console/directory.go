package console

import (
	"net/url"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/catalog"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// directory is the page of all entries with its search box.
type directory struct {
	Text, Base, Department, Share, State string
	Groups                               []facetGroup
	Total                                int64
	Entries                              []catalog.Entry
	More                                 string // Address of the next page, or "".
	Narrowed                             bool   // Something was searched for.
	Own                                  bool   // The reader may look for drafts of the own department.
	Bases                                map[string]string
}

// facetGroup is one way to narrow the search; each link keeps the others.
type facetGroup struct {
	Key    string
	All    string // Address without this filter.
	Facets []facetLink
}

type facetLink struct {
	Text   string
	Count  int64
	Href   string
	Active bool
}

// showDirectory is the page of the directory; htmx asks for its results alone while somebody types.
func (c *console) showDirectory(v *visit) error {
	ctx := v.r.Context()
	d := directory{
		Text: v.query("q"), Base: v.query("base"), Department: v.query("department"), Share: v.query("share"), Bases: v.bases(),
	}
	department, err := uuid.Parse(d.Department)
	if err != nil {
		d.Department, department = "", uuid.Nil
	}
	q := catalog.Query{Text: d.Text, BaseDatabase: d.Base, DepartmentID: department, ShareType: catalog.ShareType(d.Share)}
	d.Narrowed = d.Text != "" || d.Base != "" || d.Department != "" || d.Share != ""
	entries, next, err := v.Catalog.Search(ctx, v.principal, q, db.Page{Limit: 20, Cursor: v.query("cursor")})
	if err != nil {
		return err
	}
	facets, err := v.Catalog.Facets(ctx, v.principal, q)
	if err != nil {
		return err
	}
	d.Entries, d.Total = entries, facets.Total
	if next != "" {
		d.More = d.address("cursor", next)
	}
	d.Groups = []facetGroup{
		v.facetGroup(d, "base", facets.BaseDatabases, func(f catalog.Facet) string { return d.Bases[f.Value] }),
		v.facetGroup(d, "share", facets.ShareTypes, func(f catalog.Facet) string { return v.word("share_type", f.Value) }),
		v.facetGroup(d, "department", facets.Departments, func(f catalog.Facet) string {
			if id, err := uuid.Parse(f.Value); err == nil && v.language == english {
				if name := v.department(id); name != "" {
					return name
				}
			}
			return f.Label
		}),
	}
	names := v.names()
	for i := range d.Entries {
		if name := names.department(d.Entries[i].DepartmentID); name != "" {
			d.Entries[i].Department = name
		}
	}
	if v.r.Header.Get("HX-Target") == "results" {
		return v.part("directory", "results", frame{Body: d})
	}
	return v.show("directory", "directory.title", d)
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

func (v *visit) facetGroup(d directory, name string, facets []catalog.Facet, text func(catalog.Facet) string) facetGroup {
	now := map[string]string{"base": d.Base, "share": d.Share, "department": d.Department}[name]
	g := facetGroup{Key: "directory.by_" + name}
	if now != "" {
		g.All = d.address(name, "")
	}
	for _, f := range facets {
		if f.Value == "" {
			continue
		}
		t := text(f)
		if t == "" {
			t = f.Label
		}
		g.Facets = append(g.Facets, facetLink{Text: t, Count: f.Count, Href: d.address(name, f.Value), Active: f.Value == now})
	}
	return g
}

// address is this search with one parameter changed.
func (d directory) address(name, value string) string {
	q := url.Values{}
	for _, p := range [][2]string{{"q", d.Text}, {"base", d.Base}, {"department", d.Department}, {"share", d.Share}} {
		if p[1] != "" && p[0] != name {
			q.Set(p[0], p[1])
		}
	}
	if value != "" {
		q.Set(name, value)
	}
	if len(q) == 0 {
		return prefix + "/resources"
	}
	return prefix + "/resources?" + q.Encode()
}
