package api

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// base is the path under which all routes lie that need a login.
const base = "/api/v1"

// Access says who may call a route at all. What the caller may do to which object is decided by the service.
type Access string

// The kinds of access.
const (
	Public    Access = "public"     // Anyone; the list of these is short and tested.
	SignedIn  Access = "signed_in"  // Any person with a session, for their own things.
	Permitted Access = "permitted"  // A person one of whose roles has the route's action.
	ByClient  Access = "by_client"  // A consuming system; its grants decide.
	Parties   Access = "parties"    // A person who may see the object, or a consuming system whose object it is.
	Operators Access = "operations" // Probes of the machine room; no login, no data.
)

// Route is one line of the contract.
type Route struct {
	Method  string
	Path    string // As in the OpenAPI document, with {names}.
	Access  Access
	Action  authz.Action  // The permission; set where Access is Permitted, ByClient or Parties.
	Tag     string        // Groups routes in the documentation.
	Summary string        // One line for the documentation.
	Status  int           // Of a success; 0 means 200.
	Once    bool          // Takes an Idempotency-Key.
	Limit   int64         // Largest body in bytes; 0 means the hub's body limit.
	Timeout time.Duration // Longest time of the handler; 0 means 30 s, unbounded that it bounds itself.
	Max     int           // Requests at the same time on this node; 0 means as many as its class.
	// Unfinished says that people may call it before they have changed a password or set up a second factor that they must.
	Unfinished bool
}

// OperationID returns the route's stable name in the OpenAPI document.
func (r Route) OperationID() string {
	path := strings.NewReplacer("/api/v1/", "", "{", "", "}", "", "/", "-").Replace(r.Path)
	return strings.ToLower(r.Method) + "-" + strings.Trim(path, "-")
}

func get(path, summary string, action authz.Action) Route {
	return Route{Method: http.MethodGet, Path: base + path, Access: Permitted, Action: action, Summary: summary}
}

func post(path, summary string, action authz.Action) Route {
	return Route{Method: http.MethodPost, Path: base + path, Access: Permitted, Action: action, Summary: summary}
}

func put(path, summary string, action authz.Action) Route {
	return Route{Method: http.MethodPut, Path: base + path, Access: Permitted, Action: action, Summary: summary}
}

func del(path, summary string, action authz.Action) Route {
	return Route{Method: http.MethodDelete, Path: base + path, Access: Permitted, Action: action, Summary: summary}
}

// create is a POST that makes a new thing and may be repeated safely.
func create(path, summary string, action authz.Action) Route {
	r := post(path, summary, action)
	r.Status, r.Once = http.StatusCreated, true
	return r
}

// atMost bounds how many requests the route serves at the same time on a node.
func (r Route) atMost(n int) Route { r.Max = n; return r }

func (r Route) signedIn() Route { r.Access, r.Action = SignedIn, ""; return r }

// unfinished opens a route to people who have to finish their sign-in first.
func (r Route) unfinished() Route { r.Unfinished = true; return r.signedIn() }

// Inputs that many routes share. Those that others embed are exported, since huma passes over embedded fields that are not.
type (
	noInput struct{}
	// IDInput is an object by its id.
	IDInput struct {
		ID uuid.UUID `path:"id" doc:"Id of the object."`
	}
	// MoveInput is an object to change, under the version the caller has seen.
	MoveInput struct {
		IDInput
		VersionInput
	}
	// VersionInput is the version the caller has seen.
	VersionInput struct {
		IfMatch string `header:"If-Match" doc:"row_version the caller has seen; another one in force answers 412."`
	}
	// PageInput asks for a part of a list.
	PageInput struct {
		Limit  int    `query:"limit" minimum:"1" maximum:"500" doc:"Most entries to return; 50 when not given."`
		Cursor string `query:"cursor" maxLength:"2000" doc:"next_cursor of the page before."`
	}
	reasonBody struct {
		Reason string `json:"reason" maxLength:"2000" doc:"Why; people read it in the history."`
	}
)

func (p PageInput) page() db.Page { return db.Page{Limit: p.Limit, Cursor: p.Cursor} }

// version parses If-Match: a row_version, bare or in quotes; 0 when it is not given.
func (v VersionInput) version() (int64, error) {
	text := strings.Trim(strings.TrimPrefix(strings.TrimSpace(v.IfMatch), "W/"), `"`)
	if text == "" || text == "*" {
		return 0, nil
	}
	var n int64
	for _, r := range text {
		if r < '0' || r > '9' || n > 1<<50 {
			return 0, fault.InvalidFields([]fault.Field{{
				Name: "If-Match", Code: "malformed", Message: "send the row_version of the object as you read it",
			}})
		}
		n = n*10 + int64(r-'0')
	}
	return n, nil
}

// list is the body of every list.
type list[T any] struct {
	Data       []T    `json:"data" nullable:"false"`
	NextCursor string `json:"next_cursor" doc:"Continues the list; empty after the last page."`
}

func newList[T any](items []T, next string, err error) (list[T], error) {
	if items == nil {
		items = []T{}
	}
	return list[T]{Data: items, NextCursor: next}, err
}

type answer[T any] struct{ Body T }

type empty struct{}

// handle registers a route whose answer has a body.
func handle[I, T any](a *API, r Route, fn func(ctx context.Context, p authz.Principal, in *I) (T, error)) {
	huma.Register(a.huma, a.operation(r), func(ctx context.Context, in *I) (*answer[T], error) {
		body, err := fn(ctx, principalOf(ctx), in)
		if err != nil {
			return nil, a.fail(ctx, err)
		}
		return &answer[T]{Body: body}, nil
	})
}

// handleEmpty registers a route whose answer has no body.
func handleEmpty[I any](a *API, r Route, fn func(ctx context.Context, p authz.Principal, in *I) error) {
	r.Status = http.StatusNoContent
	huma.Register(a.huma, a.operation(r), func(ctx context.Context, in *I) (*empty, error) {
		if err := fn(ctx, principalOf(ctx), in); err != nil {
			return nil, a.fail(ctx, err)
		}
		return nil, nil
	})
}

// handleMove registers a route that changes the state of one object and answers with the object.
func handleMove[T any](a *API, r Route, fn func(ctx context.Context, p authz.Principal, id uuid.UUID, ifMatch int64) (T, error)) {
	handle(a, r, func(ctx context.Context, p authz.Principal, in *MoveInput) (T, error) {
		version, err := in.version()
		if err != nil {
			var zero T
			return zero, err
		}
		return fn(ctx, p, in.ID, version)
	})
}

type reasonInput struct {
	MoveInput
	Body reasonBody
}

// handleReason is handleMove for changes that need a reason.
func handleReason[T any](a *API, r Route, fn func(ctx context.Context, p authz.Principal, id uuid.UUID, ifMatch int64, reason string) (T, error)) {
	handle(a, r, func(ctx context.Context, p authz.Principal, in *reasonInput) (T, error) {
		version, err := in.version()
		if err != nil {
			var zero T
			return zero, err
		}
		return fn(ctx, p, in.ID, version, in.Body.Reason)
	})
}

// operation enters a route into the table and returns its huma form.
func (a *API) operation(r Route) huma.Operation {
	a.enter(&r)
	return huma.Operation{
		OperationID:   r.OperationID(),
		Method:        r.Method,
		Path:          r.Path,
		Summary:       r.Summary,
		Tags:          []string{r.Tag},
		DefaultStatus: r.Status,
		MaxBodyBytes:  -1, // The guard has bounded it.
		Security:      security(r),
		Extensions:    extensions(r),
		Responses:     map[string]*huma.Response{"default": a.problemResponse()},
		Middlewares:   huma.Middlewares{a.guard(r)},
	}
}

// enter fills in what a route leaves open and adds it to the table.
func (a *API) enter(r *Route) {
	if r.Status == 0 {
		r.Status = http.StatusOK
	}
	if r.Limit == 0 {
		r.Limit = a.opt.BodyLimit
	}
	if r.Tag == "" {
		r.Tag = a.tag
	}
	if r.Timeout == 0 {
		r.Timeout = defaultTimeout
	}
	a.overload.add(*r)
	a.routes = append(a.routes, *r)
}

func security(r Route) []map[string][]string {
	if r.Access == Public || r.Access == Operators {
		return []map[string][]string{}
	}
	if r.Access == ByClient {
		return []map[string][]string{{"bearer": {}}, {"signed": {}}}
	}
	return []map[string][]string{{"bearer": {}}}
}

func extensions(r Route) map[string]any {
	out := map[string]any{"x-access": string(r.Access)}
	if r.Action != "" {
		out["x-permission"] = string(r.Action)
	}
	return out
}

func (a *API) problemResponse() *huma.Response {
	return &huma.Response{
		Description: "Problem",
		Content:     map[string]*huma.MediaType{problemType: {Schema: a.problemSchema}},
	}
}
