package api

import (
	"bytes"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/gin-gonic/gin"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/catalog"
	"github.com/shuqiao/shuqiao/catalog/dcat"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// visitsPerMinute is how often one address may read the open directory without signing in: enough for a harvester that goes
// through it page by page, too little to keep a node busy.
const visitsPerMinute = 60

// The forms of the open directory. The page for people comes first, so that it is what a browser gets.
var (
	htmlFormat   = format{media: "text/html", what: "The page for people."}
	jsonldFormat = format{media: dcat.JSONLD, what: "JSON-LD 1.1, with its context."}
	turtleFormat = format{media: dcat.Turtle, what: "RDF 1.1 Turtle."}
)

// linkedData are the forms for programs, by what the query calls them.
func linkedData() map[string]format {
	return map[string]format{"jsonld": jsonldFormat, "turtle": turtleFormat}
}

func (a *API) openRoutes() {
	r := get("/dcat", "What is open to the public, as DCAT", authz.ResourceRead)
	if a.opt.OpenToPublic {
		r.Access, r.Action = Public, ""
	}
	one := r
	one.Path, one.Summary = base+"/dcat/{resource}", "One entry that is open to the public, as DCAT"
	pages := a.plain(r, a.open(r, []string{"limit", "cursor", "format"}, a.openCatalogue))
	entry := a.plain(one, a.open(one, []string{"format"}, a.openEntry))
	text, number := &huma.Schema{Type: "string"}, &huma.Schema{Type: "integer"}
	asked := &huma.Param{Name: "format", In: "query", Schema: &huma.Schema{Type: "string", Enum: []any{"jsonld", "turtle"}}, Description: "Instead of the header Accept."}
	pages.Parameters = []*huma.Param{
		{Name: "limit", In: "query", Schema: number, Description: "Most entries of a page, up to 500; 50 when not given."},
		{Name: "cursor", In: "query", Schema: text, Description: "As the page before has it in hydra:next and in the header Link."},
		asked,
	}
	entry.Parameters = []*huma.Param{
		{Name: "resource", In: "path", Required: true, Schema: text, Description: "Id of the resource, or its code with / written -."}, asked,
	}
	for _, op := range []*huma.Operation{pages, entry} {
		op.Responses["200"] = &huma.Response{Description: op.Summary, Content: map[string]*huma.MediaType{}}
		for _, f := range linkedData() {
			op.Responses["200"].Content[f.media] = &huma.MediaType{Schema: &huma.Schema{Type: "string", Description: f.what}}
		}
	}
	// Stable addresses say nothing themselves: where they lead decides who may read it.
	a.stable("/id/catalogue", "Stable address of the open directory: leads to the page, or to its DCAT", func(*gin.Context) (string, string) {
		return "/ui/resources?open=true", base + "/dcat"
	})
	a.stable("/id/resource/{resource}", "Stable address of an entry: leads to its page, or to its DCAT", func(c *gin.Context) (string, string) {
		name := c.Param("resource")
		if !addressed.MatchString(name) {
			return "", ""
		}
		return "/ui/resources/" + name, base + "/dcat/" + name
	})
}

// addressed is what may stand for an entry in an address: its id, or its code with / written -.
var addressed = regexp.MustCompile(`^[0-9A-Za-z-]{1,120}$`)

// stable registers an address that leads on (303), by the form that is asked for. Where it leads has no place of its own.
func (a *API) stable(path, summary string, places func(*gin.Context) (page, data string)) {
	op := a.plain(Route{Method: http.MethodGet, Path: path, Access: Public, Summary: summary}, func(c *gin.Context) {
		formats := []format{htmlFormat, jsonldFormat, turtleFormat}
		chosen, ok := negotiate(c.GetHeader("Accept"), formats)
		page, data := places(c)
		switch {
		case page == "":
			a.writeProblem(c, fault.New(fault.NotFound, "not_found", "there is no such resource, or it is not yours to see"))
			return
		case !ok:
			a.writeProblem(c, notAcceptable(formats, requestIDOf(c.Request.Context())))
			return
		}
		for name, f := range linkedData() {
			if f == chosen {
				page = data + "?format=" + name
			}
		}
		c.Header("Vary", "Accept")
		c.Redirect(http.StatusSeeOther, page)
	})
	op.Responses["303"] = &huma.Response{Description: "Where it is."}
	delete(op.Responses, "200")
	if strings.Contains(path, "{resource}") {
		op.Parameters = []*huma.Param{{Name: "resource", In: "path", Required: true, Schema: &huma.Schema{Type: "string"}, Description: "Id of the resource, or its code with / written -."}}
	}
}

// opener reads a part of the open directory and says it as a graph; next is the address of the next page, "" where there is none.
type opener func(c *gin.Context, p authz.Principal, query url.Values, form string) (g *dcat.Graph, next string, err error)

// open answers with what an opener reads, in the form that is asked for.
func (a *API) open(r Route, parameters []string, read opener) gin.HandlerFunc {
	return func(c *gin.Context) {
		if err := a.answerOpen(c, r, parameters, read); err != nil {
			a.writeProblem(c, err)
		}
	}
}

func (a *API) answerOpen(c *gin.Context, r Route, parameters []string, read opener) error {
	p, err := a.admit(c.Request, r)
	if err != nil {
		return err
	}
	if r.Access == Public {
		if wait, ok := a.visitors.Take(remoteAddr(c.Request), a.opt.Clock()); !ok {
			return fault.New(fault.Exhausted, "rate_limited", "this address reads the open directory too often; wait a little and go on").
				With("retry_after", strconv.Itoa(int(wait/time.Second)))
		}
	}
	query, err := rawQuery(c.Request)
	if err == nil {
		err = onlyKnown(query, parameters)
	}
	if err != nil {
		return err
	}
	form := query.Get("format")
	chosen, ok := linkedData()[form]
	switch {
	case form != "" && !ok:
		return fault.InvalidFields([]fault.Field{{Name: "format", Code: "not_choice", Message: "state jsonld or turtle"}})
	case form == "":
		formats := []format{jsonldFormat, turtleFormat}
		if chosen, ok = negotiate(c.GetHeader("Accept"), formats); !ok {
			return notAcceptable(formats, requestIDOf(c.Request.Context()))
		}
	}
	g, next, err := read(c, p, query, form)
	if err != nil {
		return err
	}
	var body bytes.Buffer
	if chosen == turtleFormat {
		err = g.WriteTurtle(&body)
	} else {
		err = g.WriteJSONLD(&body)
	}
	if err != nil {
		return err
	}
	h := c.Writer.Header()
	h.Set("Vary", "Accept, Authorization")
	if next != "" {
		h.Set("Link", "<"+next+`>; rel="next"`)
	}
	c.Data(http.StatusOK, chosen.media+"; charset=utf-8", body.Bytes())
	return nil
}

func (a *API) openCatalogue(c *gin.Context, p authz.Principal, query url.Values, form string) (*dcat.Graph, string, error) {
	limit, err := limitOf(query)
	if err != nil {
		return nil, "", err
	}
	page, err := a.opt.Catalog.OpenEntries(c.Request.Context(), p, db.Page{Limit: limit, Cursor: query.Get("cursor")})
	if err != nil {
		return nil, "", err
	}
	// The pages of one walk have the same form and length.
	address := func(cursor string) string {
		q := url.Values{}
		for name, value := range map[string]string{"format": form, "limit": query.Get("limit"), "cursor": cursor} {
			if value != "" {
				q.Set(name, value)
			}
		}
		if len(q) == 0 {
			return a.opt.PublicURL + base + "/dcat"
		}
		return a.opt.PublicURL + base + "/dcat?" + q.Encode()
	}
	view := dcat.View{Page: address(query.Get("cursor")), First: address("")}
	if page.Next != "" {
		view.Next = address(page.Next)
	}
	return dcat.Hub(a.opt.PublicURL).Catalogue(page, view), view.Next, nil
}

func (a *API) openEntry(c *gin.Context, p authz.Principal, _ url.Values, _ string) (*dcat.Graph, string, error) {
	var page catalog.OpenPage
	name := c.Param("resource")
	if !addressed.MatchString(name) {
		return nil, "", fault.New(fault.NotFound, "not_found", "there is no such open resource, or it is not yours to see")
	}
	page, err := a.opt.Catalog.OpenEntry(c.Request.Context(), p, name)
	if err != nil {
		return nil, "", err
	}
	return dcat.Hub(a.opt.PublicURL).Entry(page), "", nil
}
