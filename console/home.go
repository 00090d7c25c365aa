package console

import (
	"net/url"
	"time"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/catalog"
)

// homePage is the front page: what the directory holds, and where to go from here.
type homePage struct {
	catalog.Overview
	Tiles   []baseTile
	Themes  []facetLink
	Givers  []facetLink
	Days    int
	MayWait bool // The reader has a list of what waits.
	Waiting int

	ShowSleeping bool // The reader answers for entries that may sleep.
	Sleeping     int
	SleepingSaid string
}

// baseTile is one base database. It opens the directory narrowed to it.
type baseTile struct {
	Name, Href string
	Resources  int64
	Rows       int64
	ArrivedAt  *time.Time
}

// givers bounds the departments of the front page; the directory has them all.
const givers = 12

func (c *console) showHome(v *visit) error {
	overview, err := v.Catalog.Overview(v.r.Context(), v.principal)
	if err != nil {
		return err
	}
	page := homePage{Overview: overview, Days: int(overview.At.Sub(overview.UsedSince).Hours()) / 24}
	for _, b := range overview.BaseDatabases {
		page.Tiles = append(page.Tiles, baseTile{
			Name: v.pick(b.Name, b.NameEN), Href: narrowed("base", b.Code), Resources: b.Resources, Rows: b.Rows, ArrivedAt: b.ArrivedAt,
		})
	}
	for _, f := range overview.Themes {
		page.Themes = append(page.Themes, facetLink{Text: f.Value, Count: count(f.Count), Href: narrowed("theme", f.Value)})
	}
	names := v.names()
	for _, f := range overview.Departments[:min(givers, len(overview.Departments))] {
		page.Givers = append(page.Givers, facetLink{Text: names.called(f.Value, f.Label), Count: count(f.Count), Href: narrowed("department", f.Value)})
	}
	for i := range page.Newest {
		page.Newest[i].Department = names.called(page.Newest[i].DepartmentID.String(), page.Newest[i].Department)
	}
	for i := range page.MostUsed {
		page.MostUsed[i].Department = names.called(page.MostUsed[i].DepartmentID.String(), page.MostUsed[i].Department)
	}
	if page.MayWait = v.mayOwn(authz.RequestRead); page.MayWait {
		page.Waiting = v.waiting()
	}
	page.ShowSleeping, page.Sleeping, page.SleepingSaid = v.sleepingTile()
	return v.show("home", "home.title", page)
}

// narrowed is the directory with one filter.
func narrowed(name, value string) string {
	return prefix + "/resources?" + url.Values{name: {value}}.Encode()
}

// called is a department's name in the reader's language. known is its Chinese name, which nothing has to be read for.
func (n *names) called(id, known string) string {
	if n.v.language == chinese {
		return known
	}
	if parsed, err := uuid.Parse(id); err == nil {
		if name := n.department(parsed); name != "" {
			return name
		}
	}
	return known
}
