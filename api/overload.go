package api

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/shuqiao/shuqiao/internal/fault"
)

// class groups requests that share a bound, so that one kind of load cannot shut the others out.
type class string

const (
	dataClass       class = "data"       // Consuming systems.
	managementClass class = "management" // People and programs at the contract.
	consoleClass    class = "console"    // People at the console, and the documentation.
	probeClass      class = "probes"     // Not bounded: a busy hub is alive.
)

// InFlight says how many requests of each class a node serves at the same time. More wait a moment and are answered 503.
type InFlight struct {
	Data       int // 0 means 512.
	Management int // 0 means 256.
	Console    int // 0 means 128.
}

const (
	// queueWait is how long a request waits for its turn before it is answered that the hub is busy: long enough for a
	// burst, too short for a queue to build up.
	queueWait = 100 * time.Millisecond
	// poolLook is how often a waiting request looks whether the database has a connection to spare.
	poolLook = 20 * time.Millisecond
	// perConnection is how many requests may be under way for each connection of the database pool once all are taken:
	// more would only wait for each other.
	perConnection = 4
	// defaultTimeout bounds a handler whose route names no time of its own.
	defaultTimeout = 30 * time.Second
)

// unbounded is the Timeout of a route that bounds itself.
const unbounded = time.Duration(-1)

// bounds are what a route allows on this node.
type bounds struct {
	class   class
	gate    *gate // nil where the class alone bounds.
	timeout time.Duration
}

// gate admits a number of requests at the same time.
type gate struct {
	slots   chan struct{}
	wait    time.Duration
	waiting atomic.Int64
}

func newGate(size int) *gate { return &gate{slots: make(chan struct{}, size), wait: queueWait} }

// enter takes a slot, waiting a moment for one. No more wait than are served.
func (g *gate) enter(ctx context.Context) bool {
	select {
	case g.slots <- struct{}{}:
		return true
	default:
	}
	defer g.waiting.Add(-1)
	if g.waiting.Add(1) > int64(cap(g.slots)) {
		return false
	}
	timer := time.NewTimer(g.wait)
	defer timer.Stop()
	select {
	case g.slots <- struct{}{}:
		return true
	case <-timer.C:
	case <-ctx.Done():
	}
	return false
}

func (g *gate) leave() { <-g.slots }

// overload is the bounds of the node as a whole.
type overload struct {
	classes  map[class]*gate
	routes   map[string]bounds // By method and path as gin writes it.
	inFlight atomic.Int64
	conns    int64 // Of the database pool; 0 where there is none.
}

func newOverload(opt Options) *overload {
	size := func(n, otherwise int) *gate {
		if n == 0 {
			n = otherwise
		}
		return newGate(n)
	}
	o := &overload{routes: map[string]bounds{}, classes: map[class]*gate{
		dataClass:       size(opt.InFlight.Data, 512),
		managementClass: size(opt.InFlight.Management, 256),
		consoleClass:    size(opt.InFlight.Console, 128),
	}}
	if opt.DB != nil {
		o.conns = int64(opt.DB.Pool.Config().MaxConns)
	}
	return o
}

// add notes the bounds of a route.
func (o *overload) add(r Route) {
	b := bounds{class: managementClass, timeout: r.Timeout}
	switch r.Access {
	case ByClient:
		b.class = dataClass
	case Operators:
		b.class = probeClass
	}
	if r.Max > 0 {
		b.gate = newGate(r.Max)
	}
	o.routes[r.Method+" "+ginPath(r.Path)] = b
}

// ginPath writes a path of the contract as gin does.
func ginPath(path string) string { return strings.NewReplacer("{", ":", "}", "").Replace(path) }

// of returns the bounds of a request.
func (o *overload) of(c *gin.Context) bounds {
	if b, ok := o.routes[c.Request.Method+" "+c.FullPath()]; ok {
		return b
	}
	if ours(c.Request.URL.Path) {
		return bounds{class: managementClass, timeout: defaultTimeout}
	}
	// The console bounds its own pages.
	return bounds{class: consoleClass, timeout: unbounded}
}

// bounded refuses what the hub cannot serve soon: text that is not UTF-8, and requests beyond the bounds of their class, of
// their route, or of the database pool. A refusal comes early, so that callers try again instead of piling up.
func (a *API) bounded(c *gin.Context) {
	if err := checkText(c.Request); err != nil {
		a.writeProblem(c, err)
		return
	}
	b := a.overload.of(c)
	if b.class == probeClass {
		c.Next()
		return
	}
	for _, g := range []*gate{a.overload.classes[b.class], b.gate} {
		if g == nil {
			continue
		}
		if !g.enter(c.Request.Context()) {
			a.busy(c, b.class, "requests")
			return
		}
		defer g.leave()
	}
	defer a.overload.inFlight.Add(-1)
	if a.overload.inFlight.Add(1) > perConnection*a.overload.conns && !a.hasConnections(c.Request.Context()) {
		a.busy(c, b.class, "database")
		return
	}
	if b.timeout > 0 {
		ctx, cancel := context.WithTimeout(c.Request.Context(), b.timeout)
		defer cancel()
		c.Request = c.Request.WithContext(ctx)
	}
	c.Next()
}

// hasConnections reports whether the database pool has a connection to spare, waiting for one at most queueWait.
func (a *API) hasConnections(ctx context.Context) bool {
	if a.opt.DB == nil {
		return true
	}
	for waited := time.Duration(0); ; waited += poolLook {
		if stat := a.opt.DB.Pool.Stat(); stat.AcquiredConns() < stat.MaxConns() {
			return true
		}
		if waited >= queueWait {
			return false
		}
		timer := time.NewTimer(poolLook)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return false
		}
	}
}

func (a *API) busy(c *gin.Context, k class, reason string) {
	a.metrics.busy.WithLabelValues(string(k), reason).Inc()
	a.writeProblem(c, fault.New(fault.Unavailable, "busy", "the hub is serving as many requests as it can; try again in a second").
		With("retry_after", "1"))
}

// headKey marks a request that was sent as HEAD.
type headKey struct{}

// serve answers HEAD as GET: net/http leaves the body of the answer out, and says in its headers what GET would.
func (a *API) serve(w http.ResponseWriter, req *http.Request) {
	if req.Method == http.MethodHead {
		req = req.WithContext(context.WithValue(req.Context(), headKey{}, true))
		req.Method = http.MethodGet
	}
	a.engine.ServeHTTP(w, req)
}

// sentMethod returns the method of a request as it was sent.
func sentMethod(req *http.Request) string {
	if head, _ := req.Context().Value(headKey{}).(bool); head {
		return http.MethodHead
	}
	return req.Method
}

// limitFacts repeats in headers what a refusal says about rate and quota.
func limitFacts(h http.Header, p *Problem) {
	if limit, ok := p.Facts["limit"]; ok && p.Status == http.StatusTooManyRequests {
		h.Set("RateLimit-Limit", limit)
		h.Set("RateLimit-Remaining", "0")
		h.Set("RateLimit-Reset", retryAfter(p))
	}
	if left, err := strconv.ParseInt(p.Facts["remaining"], 10, 64); err == nil {
		h.Set("X-Quota-Remaining", strconv.FormatInt(left, 10))
	}
}
