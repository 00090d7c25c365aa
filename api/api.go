package api

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humagin"
	"github.com/gin-gonic/gin"
	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/shuqiao/shuqiao/alarm"
	"github.com/shuqiao/shuqiao/audit"
	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/authz/identity"
	"github.com/shuqiao/shuqiao/catalog"
	"github.com/shuqiao/shuqiao/catalog/sheet"
	"github.com/shuqiao/shuqiao/exchange"
	"github.com/shuqiao/shuqiao/exchange/pull"
	"github.com/shuqiao/shuqiao/exchange/retention"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/edge"
	"github.com/shuqiao/shuqiao/internal/fault"
	"github.com/shuqiao/shuqiao/sharing"
)

// Options says what the contract stands on. Everything without a remark is required.
type Options struct {
	DB       *db.DB
	Enforcer *authz.Enforcer
	Identity *identity.Service
	Catalog  *catalog.Service
	Sharing  *sharing.Service
	Exchange *exchange.Service
	Pull     *pull.Service
	Alarm    *alarm.Service
	Exports  *pull.Exports
	Sheets   *sheet.Service
	Log      *audit.Log

	Retention *retention.Service
	Checks    []Check // What /readyz asks, in this order.

	Version   string               // Of the program, for the OpenAPI document; "" means "dev".
	BodyLimit int64                // Bytes; 0 means 1 MiB.
	InFlight  InFlight             // Requests at the same time, by class. More are answered 503.
	Logger    *slog.Logger         // nil means slog.Default.
	Metrics   *prometheus.Registry // nil means a registry of its own.
	Clock     func() time.Time     // nil means time.Now.
	Console   http.Handler         // Serves what is not the contract's; nil answers 404.

	PublicURL    string // Where the hub is reached from outside, without a slash at the end; stable addresses are made from it.
	OpenToPublic bool   // Nobody has to sign in to read what is open to the public. The directory must say the same.
}

// API is the contract as a handler. It is safe for concurrent use.
type API struct {
	opt      Options
	log      *slog.Logger
	engine   *gin.Engine
	huma     huma.API
	routes   []Route
	tag      string // Of the routes being registered.
	names    map[string]bool
	metrics  *metrics
	overload *overload
	visitors *edge.Allowance // What one address may read without signing in.

	problemSchema *huma.Schema
	openapi       []byte
	docs          []byte
	docsPolicy    string
}

// New builds the contract.
func New(opt Options) (*API, error) {
	if opt.BodyLimit == 0 {
		opt.BodyLimit = 1 << 20
	}
	if opt.Logger == nil {
		opt.Logger = slog.Default()
	}
	if opt.Metrics == nil {
		opt.Metrics = prometheus.NewRegistry()
	}
	if opt.Clock == nil {
		opt.Clock = time.Now
	}
	if opt.Version == "" {
		opt.Version = "dev"
	}
	a := &API{opt: opt, log: opt.Logger, names: map[string]bool{}, overload: newOverload(opt), visitors: edge.NewAllowance(visitsPerMinute)}
	a.metrics = newMetrics(opt.Metrics)
	a.engine = newEngine()
	a.engine.Use(a.outermost, a.recovered, a.bounded, a.settled)
	a.engine.NoRoute(a.noRoute)
	a.engine.NoMethod(a.noMethod)
	a.huma = humagin.New(a.engine, a.humaConfig())
	a.problemSchema = a.huma.OpenAPI().Components.Schemas.Schema(typeOf[Problem](), true, "Problem")

	for _, group := range []struct {
		tag      string
		register func()
	}{
		{"setup", a.setupRoutes},
		{"sessions", a.sessionRoutes},
		{"my account", a.meRoutes},
		{"departments", a.departmentRoutes},
		{"users", a.userRoutes},
		{"clients", a.clientRoutes},
		{"base databases", a.baseDatabaseRoutes},
		{"code tables", a.codeTableRoutes},
		{"working days", a.calendarRoutes},
		{"data elements", a.dataElementRoutes},
		{"resources", a.resourceRoutes},
		{"imports", a.importRoutes},
		{"open directory", a.openRoutes},
		{"changes", a.changeRoutes},
		{"mounts", a.mountRoutes},
		{"sources", a.sourceRoutes},
		{"requests", a.requestRoutes},
		{"grants", a.grantRoutes},
		{"access", a.accessRoutes},
		{"tasks", a.taskRoutes},
		{"runs", a.runRoutes},
		{"runs", a.outcomeRoutes},
		{"schedules", a.scheduleRoutes},
		{"alarms", a.alarmRoutes},
		{"data", a.dataRoutes},
		{"data", a.exportRoutes},
		{"data", a.describeRoutes},
		{"audit", a.auditRoutes},
		{"policy", a.policyRoutes},
		{"retention", a.retentionRoutes},
		{"operations", a.operationRoutes},
	} {
		a.tag = group.tag
		group.register()
	}
	if err := a.document(); err != nil {
		return nil, err
	}
	return a, nil
}

// Routes returns the table of routes, in the order of the documentation.
func (a *API) Routes() []Route { return slices.Clone(a.routes) }

// Handler returns the contract as an HTTP handler.
func (a *API) Handler() http.Handler { return http.HandlerFunc(a.serve) }

func newEngine() *gin.Engine {
	// Release mode is a global of gin; it only silences its debug prints.
	gin.SetMode(gin.ReleaseMode)
	e := gin.New()
	e.HandleMethodNotAllowed = true
	e.RedirectTrailingSlash = false
	e.RedirectFixedPath = false
	// Keys of rows may hold '/': such a path is matched as it was sent, and data routes decode the key themselves.
	e.UseRawPath = true
	e.UnescapePathValues = false
	// Without trusted proxies gin takes the address of the connection.
	_ = e.SetTrustedProxies(nil)
	return e
}

func (a *API) humaConfig() huma.Config {
	format := huma.Format{
		Marshal: func(w io.Writer, v any) error {
			encoder := json.NewEncoder(w)
			encoder.SetEscapeHTML(false)
			return encoder.Encode(v)
		},
		Unmarshal: json.Unmarshal,
	}
	schemas := huma.NewMapRegistry("#/components/schemas/", schemaName)
	schemas.RegisterTypeAlias(typeOf[uuid.UUID](), typeOf[identifier]())
	cfg := huma.Config{
		OpenAPI: &huma.OpenAPI{
			OpenAPI: "3.1.0",
			Info: &huma.Info{
				Title:       "Shuqiao 数桥",
				Version:     a.opt.Version,
				Description: "Government data-sharing exchange hub: directory, sharing requests, grants, exchange and evidence.",
			},
			Components: &huma.Components{
				Schemas: schemas,
				SecuritySchemes: map[string]*huma.SecurityScheme{
					"bearer": {
						Type: "http", Scheme: "bearer",
						Description: "A session token (sqs_…) of a person, or <key id>.<secret> (sqk_….…) of a client.",
					},
					"signed": {
						Type: "apiKey", In: "header", Name: "Authorization",
						Description: "SHUQIAO-HMAC-SHA256 or SHUQIAO-HMAC-SM3 with Credential, SignedHeaders and Signature, by a client's key of kind hmac.",
					},
				},
			},
		},
		Formats:                      map[string]huma.Format{"application/json": format, "json": format},
		DefaultFormat:                "application/json",
		RejectUnknownQueryParameters: true,
		Transformers:                 []huma.Transformer{a.rewrite},
	}
	// What is required is said by the services, which name every missing field at once.
	cfg.FieldsOptionalByDefault = true
	return cfg
}

// identifier stands for ids in the contract. With its format huma finds an id of a wrong form itself and says where it is;
// the decoder would only say that the body is wrong.
type identifier string

// Schema describes an id.
func (identifier) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeString, Format: "uuid"}
}

// schemaName names schemas by package and type, since several packages have a Source or a State.
func schemaName(t reflect.Type, hint string) string {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	name := huma.DefaultSchemaNamer(t, hint)
	room := t.PkgPath()[strings.LastIndex(t.PkgPath(), "/")+1:]
	if t.Name() == "" || room == "api" || room == "" {
		if i := strings.IndexByte(t.Name(), '['); i >= 0 {
			// A generic list: its element may share its name with one of another package.
			inner := t.Name()[i+1 : len(t.Name())-1]
			path, element := inner[:strings.LastIndex(inner, ".")+1], inner[strings.LastIndex(inner, ".")+1:]
			path = strings.TrimSuffix(path[strings.LastIndex(path, "/")+1:], ".")
			return upper(t.Name()[:i]) + upper(path) + upper(element)
		}
		return name
	}
	return upper(room) + name
}

func upper(text string) string {
	if text == "" {
		return ""
	}
	return strings.ToUpper(text[:1]) + text[1:]
}

// document encodes the OpenAPI document once and collects the names of the contract.
func (a *API) document() error {
	doc := a.huma.OpenAPI()
	raw, err := json.Marshal(doc)
	if err != nil {
		return fmt.Errorf("encoding the OpenAPI document: %w", err)
	}
	a.openapi = raw
	for _, schema := range doc.Components.Schemas.Map() {
		for name := range schema.Properties {
			a.names[name] = true
		}
	}
	for _, item := range doc.Paths {
		for _, op := range []*huma.Operation{item.Get, item.Post, item.Put, item.Delete, item.Patch} {
			if op == nil {
				continue
			}
			for _, parameter := range op.Parameters {
				a.names[parameter.Name] = true
			}
		}
	}
	a.docs, a.docsPolicy, err = renderDocs(a.opt.Version, a.routes)
	return err
}

// rawQuery parses the query string, which gin would do leniently.
func rawQuery(req *http.Request) (url.Values, error) {
	values, err := url.ParseQuery(req.URL.RawQuery)
	if err != nil {
		return nil, fault.New(fault.Invalid, "query_malformed", "the query string is malformed; percent-encode its values")
	}
	return values, nil
}

// writeJSON writes a body outside huma.
func writeJSON(c *gin.Context, status int, contentType string, body any) {
	raw, err := json.Marshal(body)
	if err != nil {
		c.Status(http.StatusInternalServerError)
		return
	}
	c.Data(status, contentType, append(raw, '\n'))
}

func typeOf[T any]() reflect.Type { return reflect.TypeFor[T]() }

// Check is one thing that readiness depends on. Run returns nil, or an error whose text may be shown to operators.
type Check struct {
	Name string
	Run  func(ctx context.Context) error
}
