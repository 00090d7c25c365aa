package api

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/gin-gonic/gin"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/catalog"
	"github.com/shuqiao/shuqiao/exchange/pull"
	"github.com/shuqiao/shuqiao/internal/fault"
	"github.com/shuqiao/shuqiao/sharing"
)

// grantParameter is what gin calls the last part of the path, which OpenAPI writes {grant}.json.
const grantParameter = "grant.json"

func (a *API) describeRoutes() {
	r := Route{
		Method: http.MethodGet, Path: base + "/openapi/{grant}.json", Access: Parties, Action: authz.GrantRead,
		Summary: "OpenAPI of exactly what a grant allows, for its client and for people who may see it",
	}
	op := a.plain(r, func(c *gin.Context) {
		body, err := a.describe(c, r)
		if err != nil {
			a.writeProblem(c, err)
			return
		}
		c.Data(http.StatusOK, "application/openapi+json;version=3.1", body)
	})
	op.Parameters = []*huma.Param{{Name: "grant", In: "path", Required: true, Schema: &huma.Schema{Type: huma.TypeString}, Description: "Id of the grant."}}
}

func (a *API) describe(c *gin.Context, r Route) ([]byte, error) {
	p, err := a.admit(c.Request, r)
	if err != nil {
		return nil, err
	}
	text, ok := strings.CutSuffix(c.Param(grantParameter), ".json")
	if !ok {
		return nil, fault.New(fault.NotFound, "no_such_route", "there is nothing at this address; /openapi.json lists what there is")
	}
	id, err := parseID("grant", text)
	if err != nil {
		return nil, err
	}
	d, err := a.opt.Pull.Describe(c.Request.Context(), p, id)
	if err != nil {
		return nil, err
	}
	return GrantOpenAPI(d, a.opt.Version)
}

// GrantOpenAPI writes the OpenAPI document of a grant; version is that of the program.
func GrantOpenAPI(d pull.Description, version string) ([]byte, error) {
	return grantOpenAPI(d, version).MarshalJSON()
}

// grantDocument builds the OpenAPI document of one grant.
type grantDocument struct {
	pull.Description
	paths      map[string]*huma.PathItem
	parameters []*huma.Param // Of every call.
}

func text(description string) *huma.Schema {
	return &huma.Schema{Type: huma.TypeString, Description: description}
}

func refTo(name string) *huma.Schema { return &huma.Schema{Ref: "#/components/schemas/" + name} }

func grantOpenAPI(d pull.Description, version string) *huma.OpenAPI {
	g := d.Grant
	doc := &grantDocument{Description: d, paths: map[string]*huma.PathItem{}}
	doc.headers()
	data := "/data/" + g.ResourceID.String()
	rows := doc.answer("Rows", "application/json", csvType, ndjson)
	doc.add(http.MethodGet, data+"/rows", "A page of current rows in key order, or all of them as a stream", rows, nil, doc.reading(true)...)
	if d.ByKey {
		doc.add(http.MethodGet, data+"/rows/{key}", "One row by its key", doc.answer("OneRow", "application/json"), nil, doc.key(), doc.items())
	}
	doc.add(http.MethodGet, data+"/changes", "Inserts, updates and deletes since a cursor", doc.answer("Changes", "application/json", csvType), nil, doc.reading(false)...)
	doc.add(http.MethodPost, data+"/query", "Rows by keys or conditions", doc.answer("Rows", "application/json", csvType), refTo("Query"))
	if d.ByKey {
		doc.add(http.MethodPost, data+"/verify", "Check claims; values are not disclosed", doc.answer("Verdicts", "application/json"), refTo("Claims"))
	}
	doc.add(http.MethodGet, data+"/schema", "The granted items", doc.answer("Schema", "application/json"), nil)
	doc.add(http.MethodPost, data+"/exports", "Order a file of rows", doc.answer("Export", "application/json"), refTo("NewExport"))
	id := &huma.Param{Name: "id", In: "path", Required: true, Schema: &huma.Schema{Type: huma.TypeString, Format: "uuid"}}
	doc.add(http.MethodGet, "/exports/{id}", "How far an export is", doc.answer("Export", "application/json"), nil, id)
	doc.add(http.MethodGet, "/exports/{id}/file", "The file of an export, or a part of it (Range)", doc.answer("File", "application/octet-stream"), nil, id)
	return &huma.OpenAPI{
		OpenAPI: "3.1.0",
		Info: &huma.Info{
			Title: d.Resource, Version: strconv.Itoa(d.Version) + "." + strconv.FormatInt(g.TermsVersion, 10), Description: doc.about(version),
		},
		Servers:    []*huma.Server{{URL: base}},
		Paths:      doc.paths,
		Security:   []map[string][]string{{"bearer": {}}},
		Components: &huma.Components{Schemas: doc.schemas(), SecuritySchemes: map[string]*huma.SecurityScheme{"bearer": {Type: "http", Scheme: "bearer", Description: "<key id>.<secret> of the client."}}},
		Extensions: map[string]any{"x-grant": g.ID, "x-limits": limitsOf(g)},
	}
}

// limitsOf are the bounds of a grant.
func limitsOf(g sharing.Grant) map[string]any {
	limits := map[string]any{"valid_from": g.ValidFrom.Format(time.RFC3339), "valid_to": g.ValidTo.Format(time.RFC3339), "page_rows": pull.MaxLimit, "query_keys": pull.MaxKeys}
	if g.Quota > 0 {
		limits["quota_rows"], limits["quota_period"] = g.Quota, g.QuotaPeriod
	}
	if g.RateCalls > 0 {
		limits["calls_per_second"] = g.RateCalls
	}
	if g.RateRows > 0 {
		limits["stream_rows_per_second"] = g.RateRows
	}
	return limits
}

func (d *grantDocument) about(version string) string {
	out := "What grant " + d.Grant.ID.String() + " allows on resource " + d.Code + ", for the purpose " + d.Grant.Purpose + ", until " +
		d.Grant.ValidTo.Format(time.RFC3339) + ". Only rows inside the grant's filter and only these items are answered; a row outside it is answered like one that does not exist."
	if d.RowID {
		out += " The key is masked or not granted: rows are known by _rid."
	}
	return out + " Written by Shuqiao " + version + "."
}

// headers are those of every call: the grant is named, so that no other can decide.
func (d *grantDocument) headers() {
	one := func(name, description string, required bool, value string) {
		schema := text("")
		if value != "" {
			schema.Enum = []any{value}
		}
		d.parameters = append(d.parameters, &huma.Param{Name: name, In: "header", Required: required, Schema: schema, Description: description})
	}
	one("X-Grant", "This grant. Needed where the client has several grants on the resource.", false, d.Grant.ID.String())
	one("X-Purpose", "The purpose of the grant.", d.Grant.CaseRequired || d.Grant.Grade >= catalog.L3, d.Grant.Purpose)
	if d.Grant.CaseRequired {
		one("X-Case-Number", "Number of the case: 1 to 128 printable characters.", true, "")
	}
}

func (d *grantDocument) items() *huma.Param {
	identifiers := []any{}
	for _, item := range d.Items {
		identifiers = append(identifiers, item.Identifier)
	}
	explode := false
	return &huma.Param{
		Name: "items", In: "query", Description: "Some of the items; all when not given.", Explode: &explode,
		Schema: &huma.Schema{Type: huma.TypeArray, Items: &huma.Schema{Type: huma.TypeString, Enum: identifiers}},
	}
}

func (d *grantDocument) key() *huma.Param {
	return &huma.Param{Name: "key", In: "path", Required: true, Schema: text(""), Description: "Clear key; parts of a composite key joined by ~1, ~ written ~0."}
}

func (d *grantDocument) reading(rows bool) []*huma.Param {
	least, most := 1.0, float64(pull.MaxLimit)
	out := []*huma.Param{
		{Name: "limit", In: "query", Schema: &huma.Schema{Type: huma.TypeInteger, Minimum: &least, Maximum: &most, Default: pull.DefaultLimit}, Description: "Most entries of a page."},
		{Name: "cursor", In: "query", Required: !rows, Schema: text(""), Description: "next_cursor of the page before, or changes_cursor."},
		d.items(),
		{Name: "filter", In: "query", Schema: text(""), Description: "A row filter as JSON over the filterable items."},
	}
	if rows {
		out = append(out, &huma.Param{Name: "stream", In: "query", Schema: &huma.Schema{Type: huma.TypeString, Enum: []any{"true"}}, Description: "All rows as one stream."})
	}
	return out
}

// answer describes a success and a refusal.
func (d *grantDocument) answer(schema string, media ...string) map[string]*huma.Response {
	content := map[string]*huma.MediaType{}
	for _, m := range media {
		content[m] = &huma.MediaType{Schema: text("")}
	}
	switch media[0] {
	case "application/json":
		content[media[0]].Schema = refTo(schema)
	default:
		content[media[0]].Schema.Format = "binary"
	}
	status := "200"
	if schema == "Export" {
		status = "2XX"
	}
	return map[string]*huma.Response{
		status:    {Description: "OK", Content: content},
		"default": {Description: "Problem", Content: map[string]*huma.MediaType{problemType: {Schema: refTo("Problem")}}},
	}
}

func (d *grantDocument) add(method, path, summary string, responses map[string]*huma.Response, body *huma.Schema, parameters ...*huma.Param) {
	op := &huma.Operation{
		OperationID: Route{Method: method, Path: strings.Replace(path, "/data/"+d.Grant.ResourceID.String(), "/data", 1)}.OperationID(),
		Method:      method, Path: path, Summary: summary, Responses: responses,
		Parameters: append(append([]*huma.Param{}, parameters...), d.parameters...),
	}
	if body != nil {
		op.RequestBody = &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{"application/json": {Schema: body}}}
	}
	item := d.paths[path]
	if item == nil {
		item = &huma.PathItem{}
		d.paths[path] = item
	}
	if method == http.MethodPost {
		item.Post = op
	} else {
		item.Get = op
	}
}
