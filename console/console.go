package console

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"time"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/alarm"
	"github.com/shuqiao/shuqiao/audit"
	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/authz/identity"
	"github.com/shuqiao/shuqiao/catalog"
	"github.com/shuqiao/shuqiao/exchange"
	"github.com/shuqiao/shuqiao/exchange/pull"
	"github.com/shuqiao/shuqiao/exchange/retention"
	"github.com/shuqiao/shuqiao/internal/edge"
	"github.com/shuqiao/shuqiao/sharing"
)

// prefix is the path under which the console lives.
const prefix = "/ui"

// Options says what the console needs. All services are those that the HTTP contract calls, too.
type Options struct {
	Enforcer *authz.Enforcer
	Identity *identity.Service
	Catalog  *catalog.Service
	Sharing  *sharing.Service
	Exchange *exchange.Service
	Alarm    *alarm.Service
	Log      *audit.Log

	Retention *retention.Service
	// Checks are what must hold for this node to serve, as its readiness says.
	Checks []Check
	// VerifierKey is the public key that others need to check the hub's checkpoints; "" where it is not known.
	VerifierKey string
	// Verifier verifies the whole log, as "shuqiao audit verify" does.
	Verifier *audit.Verifier
	// Describe says what a grant allows (pull.Service), and OpenAPI writes that for programs, as the contract does.
	Describe func(context.Context, authz.Principal, uuid.UUID) (pull.Description, error)
	OpenAPI  func(pull.Description) ([]byte, error)
	// Address is where a request comes from. nil means the caller's address, behind trusted proxies too.
	Address func(*http.Request) netip.Addr
	Clock   func() time.Time // nil means time.Now.
	Logger  *slog.Logger     // nil means slog.Default.
}

// console holds what all pages share. It has no state besides.
type console struct {
	Options
	assets  assets
	looks   map[string]look // By language.
	formats formats
	mux     *http.ServeMux
}

// New returns the console as a handler of "/" (which leads to the console) and of everything under "/ui/". Templates and
// messages that do not fit together are an error.
func New(opt Options) (http.Handler, error) {
	c, err := newConsole(opt)
	if err != nil {
		return nil, err
	}
	// Browsers say where a form was; what comes from another site's page is refused whatever cookie it carries.
	guard := http.NewCrossOriginProtection()
	guard.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Error(w, "cross-origin request refused", http.StatusForbidden)
	}))
	return secured(guard.Handler(c.settled(c.mux))), nil
}

func newConsole(opt Options) (*console, error) {
	if opt.Clock == nil {
		opt.Clock = time.Now
	}
	if opt.Logger == nil {
		opt.Logger = slog.Default()
	}
	if opt.Address == nil {
		opt.Address = func(r *http.Request) netip.Addr { return edge.OriginOf(r).Caller }
	}
	zone, err := time.LoadLocation("Asia/Shanghai")
	if err != nil {
		return nil, errors.New("reading the time zone Asia/Shanghai: embed time/tzdata")
	}
	c := &console{Options: opt, formats: formats{zone: zone}}
	if c.assets, err = loadAssets(); err != nil {
		return nil, err
	}
	if c.looks, err = newLooks(languages(), c.assets, c.formats); err != nil {
		return nil, err
	}
	c.routes()
	return c, nil
}

// routes lists every address of the console, by the parts of its menu. Pages of signed-in readers go through c.page, which
// knows who reads.
func (c *console) routes() {
	m := http.NewServeMux()
	m.Handle("GET /{$}", http.RedirectHandler(prefix+"/", http.StatusSeeOther))
	m.Handle("GET /ui", http.RedirectHandler(prefix+"/", http.StatusSeeOther))
	m.Handle("GET /ui/{$}", http.RedirectHandler(prefix+"/home", http.StatusSeeOther))
	m.Handle("GET /ui/static/{name...}", c.assets)
	c.doorRoutes(m)
	c.accountRoutes(m)
	c.directoryRoutes(m)
	c.deskRoutes(m)
	c.compileRoutes(m)
	c.registerRoutes(m)
	c.requestRoutes(m)
	c.grantRoutes(m)
	c.exchangeRoutes(m)
	c.adminRoutes(m)
	c.oversightRoutes(m)
	m.Handle("/ui/", c.page(func(*visit) error { return notFound() }))
	c.mux = m
}

// secured adds what browsers are told about every answer. Images in data: are those of the style sheet.
func secured(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "+
			"connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		// With no-referrer, browsers that send no Sec-Fetch-Site (plain HTTP) would name no origin either, and every form
		// would be refused as foreign.
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		if h.Get("Cache-Control") == "" {
			h.Set("Cache-Control", "no-store")
		}
		next.ServeHTTP(w, r)
	})
}
