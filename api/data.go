package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/gin-gonic/gin"
	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/exchange/pull"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// formatName is where gin's context keeps the media type of the answer.
const formatName = "shuqiao.format"

// ndjson is the media type of streams.
const ndjson = "application/x-ndjson"

const (
	// csvType is the media type that asks for CSV.
	csvType = "text/csv"
	// verifyLimit is the largest body of claims: 100 keys with their values.
	verifyLimit = 1 << 20
	// queryLimit is the largest body of a query: 10,000 keys of several parts.
	queryLimit = 4 << 20
)

// The pull routes carry the load and are plain gin handlers: huma's binding costs more than the answer. Their descriptions
// are written by hand.
func (a *API) dataRoutes() {
	a.data(http.MethodGet, "/data/{resource}/rows", "A page of current rows in key order, or all of them as a stream (Accept: application/x-ndjson)",
		authz.DataPull, []string{"limit", "cursor", "items", "filter", "stream"}, a.rows)
	a.data(http.MethodGet, "/data/{resource}/rows/{key}", "One row by its key (parts of a composite key joined by ~1, ~ written ~0)",
		authz.DataPull, []string{"items"}, a.row)
	a.data(http.MethodGet, "/data/{resource}/changes", "Inserts, updates and deletes since a cursor",
		authz.DataPull, []string{"limit", "cursor", "items", "filter"}, a.changes)
	a.data(http.MethodPost, "/data/{resource}/query", "Rows by keys, up to 10,000, or by conditions, page by page",
		authz.DataPull, nil, a.query).RequestBody = a.jsonBody(typeOf[queryBody]())
	a.data(http.MethodPost, "/data/{resource}/verify", "Check claims; values are not disclosed",
		authz.DataVerify, nil, a.verify).RequestBody = a.jsonBody(typeOf[claims]())
	a.data(http.MethodGet, "/data/{resource}/schema", "The granted items",
		authz.DataPull, nil, a.schema)
}

// puller answers one pull call. An error it returns is answered as a problem.
type puller func(c *gin.Context, client authz.Principal, call pull.Call, query url.Values) (*pull.Page, error)

// data registers a pull route with its description.
func (a *API) data(method, path, summary string, action authz.Action, parameters []string, answer puller) *huma.Operation {
	r := Route{Method: method, Path: base + path, Access: ByClient, Action: action, Summary: summary, Limit: verifyLimit}
	formats := []format{jsonFormat}
	mode := path[strings.LastIndex(path, "/")+1:]
	switch mode {
	case "{key}":
		mode = "row"
	case "rows":
		// A stream lasts as long as its rows do; pages are bounded where they are read.
		formats, r.Timeout = append(formats, ndjsonFormat, csvFormat), unbounded
	case "changes":
		formats = append(formats, csvFormat)
	case "query":
		formats, r.Limit = append(formats, csvFormat), queryLimit
	}
	op := a.plain(r, func(c *gin.Context) {
		page, err := a.pull(c, r, formats, parameters, answer)
		if err != nil {
			p := a.problemFor(c.Request.Context(), err)
			a.metrics.pulls.WithLabelValues(mode, p.Code).Inc()
			limitFacts(c.Writer.Header(), p)
			a.writeProblem(c, err)
			return
		}
		a.metrics.pulls.WithLabelValues(mode, "ok").Inc()
		if page == nil {
			return
		}
		a.metrics.rows.WithLabelValues(mode).Add(float64(page.Rows))
		h := c.Writer.Header()
		if page.EvidenceID != uuid.Nil {
			h.Set("X-Evidence-Id", page.EvidenceID.String())
		}
		h.Set("Vary", "Accept")
		h.Set("X-Content-Digest", page.Digest)
		limitHeaders(h, page.Limits)
		h.Set("Content-Length", strconv.Itoa(len(page.Body)))
		if page.Format == pull.FormatCSV {
			csvHeaders(h, page)
		}
		c.Data(http.StatusOK, page.Format.ContentType(), page.Body)
	})
	op.Parameters = dataParameters(path, parameters)
	op.Responses["200"] = &huma.Response{
		Description: summary,
		Headers: map[string]*huma.Param{
			"X-Evidence-Id":       {Description: "Id of the usage record.", Schema: &huma.Schema{Type: "string"}},
			"X-Content-Digest":    {Description: "sha-256=:<base64>: of the body; a trailer on streams.", Schema: &huma.Schema{Type: "string"}},
			"RateLimit-Limit":     {Description: "Calls per second the grant allows.", Schema: &huma.Schema{Type: "integer"}},
			"RateLimit-Remaining": {Description: "Calls that may follow at once on this node.", Schema: &huma.Schema{Type: "integer"}},
			"RateLimit-Reset":     {Description: "Seconds until the next call is allowed.", Schema: &huma.Schema{Type: "integer"}},
			"X-Quota-Remaining":   {Description: "Rows left in the quota period, as this node knows it.", Schema: &huma.Schema{Type: "integer"}},
			"Deprecation":         {Description: "Of an old version that is served beside the published one: when that was published, as @ and Unix seconds (RFC 9745).", Schema: &huma.Schema{Type: "string"}},
			"Sunset":              {Description: "Of an old version: when it is served no longer (RFC 8594).", Schema: &huma.Schema{Type: "string"}},
		},
		Content: map[string]*huma.MediaType{"application/json": {Schema: &huma.Schema{Type: "object", AdditionalProperties: true}}},
	}
	for _, f := range formats[1:] {
		op.Responses["200"].Content[f.media] = &huma.MediaType{Schema: &huma.Schema{Type: "string", Description: f.what}}
	}
	return op
}

// pull admits the caller, reads what every call says about itself and hands over to answer.
func (a *API) pull(c *gin.Context, r Route, formats []format, parameters []string, answer puller) (*pull.Page, error) {
	p, err := a.admit(c.Request, r)
	if err != nil {
		return nil, err
	}
	chosen, ok := negotiate(c.GetHeader("Accept"), formats)
	if !ok {
		return nil, notAcceptable(formats, requestIDOf(c.Request.Context()))
	}
	c.Set(formatName, chosen.media)
	if err := a.readBody(c, r); err != nil {
		return nil, err
	}
	query, err := rawQuery(c.Request)
	if err != nil {
		return nil, err
	}
	if err := onlyKnown(query, parameters); err != nil {
		return nil, err
	}
	var grant uuid.UUID
	if header := c.GetHeader("X-Grant"); header != "" {
		if grant, err = parseID("X-Grant", header); err != nil {
			return nil, err
		}
	}
	return answer(c, p, pull.Call{
		Resource:   pathValue(c, "resource"),
		GrantID:    grant,
		Purpose:    c.GetHeader("X-Purpose"),
		CaseNumber: c.GetHeader("X-Case-Number"),
		RequestID:  requestIDOf(c.Request.Context()),
	}, query)
}

// onlyKnown refuses parameters that a plain route does not have, and those that are given twice.
func onlyKnown(query url.Values, parameters []string) error {
	for name, values := range query {
		if !slices.Contains(parameters, name) || len(values) > 1 {
			message := "this route takes no parameters"
			if len(parameters) > 0 {
				message = "this route takes each of these once: " + strings.Join(parameters, ", ")
			}
			return fault.InvalidFields([]fault.Field{{Name: "query", Code: "unknown_field", Message: message}})
		}
	}
	return nil
}

// pathValue returns a path parameter decoded. Paths with escapes are matched as they were sent.
func pathValue(c *gin.Context, name string) string {
	value := c.Param(name)
	if c.Request.URL.RawPath == "" {
		return value
	}
	decoded, err := url.PathUnescape(value)
	if err != nil {
		return value
	}
	return decoded
}

func (a *API) rows(c *gin.Context, client authz.Principal, call pull.Call, query url.Values) (*pull.Page, error) {
	limit, err := limitOf(query)
	if err != nil {
		return nil, err
	}
	r := pull.RowsRequest{Call: call, Limit: limit, Cursor: query.Get("cursor"), Items: itemsOf(query), Filter: filterOf(query)}
	r.Format = formatOf(c)
	stream, err := streamOf(query)
	if err != nil {
		return nil, err
	}
	if c.GetString(formatName) == ndjson {
		r.Format, stream = pull.FormatNDJSON, true
	}
	if originalMethod(c.Request.Context()) == http.MethodHead {
		stream = false
	}
	if stream {
		if r.Format == pull.FormatJSON {
			return nil, fault.InvalidFields([]fault.Field{{
				Name: "stream", Code: "not_acceptable", Message: "a stream is sent as application/x-ndjson or text/csv; ask for one of them by Accept",
			}})
		}
		return nil, a.stream(c, client, r)
	}
	ctx, cancel := context.WithTimeout(c.Request.Context(), defaultTimeout)
	defer cancel()
	return a.opt.Pull.Rows(ctx, client, r)
}

func (a *API) row(c *gin.Context, client authz.Principal, call pull.Call, query url.Values) (*pull.Page, error) {
	return a.opt.Pull.Row(c.Request.Context(), client, pull.RowRequest{Call: call, Key: pathValue(c, "key"), Items: itemsOf(query)})
}

func (a *API) changes(c *gin.Context, client authz.Principal, call pull.Call, query url.Values) (*pull.Page, error) {
	limit, err := limitOf(query)
	if err != nil {
		return nil, err
	}
	return a.opt.Pull.Changes(c.Request.Context(), client, pull.ChangesRequest{
		Call: call, Limit: limit, Cursor: query.Get("cursor"), Items: itemsOf(query), Filter: filterOf(query), Format: formatOf(c),
	})
}

// queryBody is the body of query. It has everything that rows take from the address, since a body may be long and is in
// nobody's log.
type queryBody struct {
	Keys   []string        `json:"keys,omitempty" maxItems:"10000" doc:"Clear keys; parts of a composite key joined by ~1, ~ written ~0."`
	Filter json.RawMessage `json:"filter,omitempty" doc:"A row filter."`
	Items  []string        `json:"items,omitempty" doc:"Identifiers of granted items; all when not given."`
	Limit  int             `json:"limit,omitempty" minimum:"1" maximum:"5000" doc:"Most rows of a page; 1000 when not given."`
	Cursor string          `json:"cursor,omitempty" doc:"next_cursor of the page before, with everything else as it was."`
}

func (a *API) query(c *gin.Context, client authz.Principal, call pull.Call, _ url.Values) (*pull.Page, error) {
	var in queryBody
	if err := decodeBody(c, &in); err != nil {
		return nil, fault.InvalidFields([]fault.Field{{
			Name: "keys", Code: "malformed", Message: `send {"keys":["…"],"filter":{…},"items":["…"],"limit":n,"cursor":"…"} with keys, a filter, or both`,
		}})
	}
	if string(in.Filter) == "null" {
		in.Filter = nil
	}
	return a.opt.Pull.Query(c.Request.Context(), client, pull.QueryRequest{
		Call: call, Keys: in.Keys, Filter: in.Filter, Items: in.Items, Limit: in.Limit, Cursor: in.Cursor, Format: formatOf(c),
	})
}

// decodeBody decodes the body of a plain route strictly.
func decodeBody(c *gin.Context, into any) error {
	raw, _ := c.Get(bodyKey)
	body, _ := raw.([]byte)
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		return err
	}
	if decoder.More() {
		return errors.New("more than one value")
	}
	return nil
}

// claims is the body of verify.
type claims struct {
	Claims []pull.Claim `json:"claims" maxItems:"100"`
}

func (a *API) verify(c *gin.Context, client authz.Principal, call pull.Call, _ url.Values) (*pull.Page, error) {
	var in claims
	if err := decodeBody(c, &in); err != nil {
		return nil, fault.InvalidFields([]fault.Field{{
			Name: "claims", Code: "malformed", Message: `send {"claims":[{"key":"…","items":{"<identifier>":<value>}}]}`,
		}})
	}
	return a.opt.Pull.Verify(c.Request.Context(), client, pull.VerifyRequest{Call: call, Claims: in.Claims})
}

func (a *API) schema(c *gin.Context, client authz.Principal, call pull.Call, _ url.Values) (*pull.Page, error) {
	return a.opt.Pull.Schema(c.Request.Context(), client, call)
}

func limitOf(query url.Values) (int, error) {
	text := query.Get("limit")
	if text == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		return 0, fault.InvalidFields([]fault.Field{{Name: "limit", Code: "out_of_range", Message: "send a whole number from 1 up"}})
	}
	return n, nil
}

func itemsOf(query url.Values) []string {
	text := query.Get("items")
	if text == "" {
		return nil
	}
	return strings.Split(text, ",")
}

func filterOf(query url.Values) json.RawMessage {
	text := query.Get("filter")
	if text == "" {
		return nil
	}
	return json.RawMessage(text)
}

// formatOf returns the format of a page that the caller asks for.
func formatOf(c *gin.Context) pull.Format {
	if c.GetString(formatName) == csvType {
		return pull.FormatCSV
	}
	return pull.FormatJSON
}

func streamOf(query url.Values) (bool, error) {
	switch query.Get("stream") {
	case "":
		return false, nil
	case "true":
		return true, nil
	}
	return false, fault.InvalidFields([]fault.Field{{Name: "stream", Code: "malformed", Message: "send true, or leave it out"}})
}

// limitHeaders says what is left of rate and quota, and of an answer of an old version since when it is old (RFC 9745) and until when it is
// served (RFC 8594).
func limitHeaders(h http.Header, l pull.Limits) {
	if l.Calls > 0 {
		h.Set("RateLimit-Limit", strconv.Itoa(l.Calls))
		h.Set("RateLimit-Remaining", strconv.Itoa(l.CallsLeft))
		h.Set("RateLimit-Reset", strconv.Itoa(int((l.Reset+999_999_999)/1_000_000_000)))
	}
	if l.Quota {
		h.Set("X-Quota-Remaining", strconv.FormatInt(l.QuotaLeft, 10))
	}
	if l.Beside != nil {
		h.Set("Deprecation", "@"+strconv.FormatInt(l.Beside.Since.Unix(), 10))
		h.Set("Sunset", l.Beside.Until.UTC().Format(http.TimeFormat))
		h.Set("Link", "<"+base+"/grants/"+l.Grant.String()+`/changes>; rel="successor-version"`)
	}
}

// csvHeaders says in headers what JSON says around the rows.
func csvHeaders(h http.Header, p *pull.Page) {
	cursorHeaders(h, p.NextCursor, p.ChangesCursor)
	if !p.AsOf.IsZero() {
		asOfHeader(h, p.AsOf)
	}
	if p.Resync != "" {
		h.Set("X-Resync", p.Resync)
	}
	if p.More != nil {
		h.Set("X-More", strconv.FormatBool(*p.More))
	}
}

func asOfHeader(h http.Header, at time.Time) {
	h.Set("X-As-Of", at.In(time.FixedZone("+08:00", 8*3600)).Format("2006-01-02T15:04:05.999999-07:00"))
}

// cursorHeaders sets the cursors there are.
func cursorHeaders(h http.Header, next, changes string) {
	if next != "" {
		h.Set("X-Next-Cursor", next)
	}
	if changes != "" {
		h.Set("X-Changes-Cursor", changes)
	}
}

// dataParameters describes the parameters of a pull route.
func dataParameters(path string, query []string) []*huma.Param {
	texts := map[string]string{
		"limit": "Most rows to return.", "cursor": "next_cursor of the page before, or changes_cursor.",
		"items": "Identifiers of granted items, separated by commas; all when not given.", "filter": "A row filter as JSON.",
		"stream": "true: all rows as one stream, of application/x-ndjson or text/csv.",
	}
	text := &huma.Schema{Type: "string"}
	out := []*huma.Param{{Name: "resource", In: "path", Required: true, Schema: text, Description: "Id of the resource, or its code with / written -."}}
	if strings.HasSuffix(path, "{key}") {
		out = append(out, &huma.Param{Name: "key", In: "path", Required: true, Schema: text, Description: "Clear key of the row."})
	}
	for _, name := range query {
		schema := text
		if name == "limit" {
			schema = &huma.Schema{Type: "integer"}
		}
		out = append(out, &huma.Param{Name: name, In: "query", Schema: schema, Description: texts[name]})
	}
	for _, header := range []string{"X-Grant", "X-Purpose", "X-Case-Number"} {
		out = append(out, &huma.Param{Name: header, In: "header", Schema: text})
	}
	return out
}

// jsonBody describes a body that must be sent.
func (a *API) jsonBody(t reflect.Type) *huma.RequestBody {
	return &huma.RequestBody{
		Required: true,
		Content:  map[string]*huma.MediaType{"application/json": {Schema: huma.SchemaFromType(a.huma.OpenAPI().Components.Schemas, t)}},
	}
}
