package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/google/go-cmp/cmp"

	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
	"github.com/shuqiao/shuqiao/internal/pgtest"
)

// testAPI builds a contract over no services, for what the door does by itself.
func testAPI(t *testing.T, opt Options) (*API, *httptest.Server) {
	t.Helper()
	if opt.Logger == nil {
		opt.Logger = slog.New(slog.DiscardHandler)
	}
	a, err := New(opt)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(a.Handler())
	t.Cleanup(server.Close)
	return a, server
}

// ask sends a request and returns the answer with its body as a problem, if it is one.
func ask(t *testing.T, url string) (*http.Response, Problem, string) {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Error(err)
		return &http.Response{}, Problem{}, ""
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Error(err)
	}
	var p Problem
	_ = json.Unmarshal(raw, &p)
	return resp, p, string(raw)
}

// held is a handler whose requests wait until they are let go.
type held struct {
	entered chan struct{}
	release chan struct{}
}

func newHeld() *held { return &held{entered: make(chan struct{}, 100), release: make(chan struct{})} }

func (h *held) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	h.entered <- struct{}{}
	<-h.release
}

// occupy starts n requests that stay until the handler lets them go, and returns when all are inside.
func (h *held) occupy(t *testing.T, url string, n int) (wait func()) {
	t.Helper()
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() {
			if resp, _, _ := ask(t, url); resp.StatusCode != http.StatusOK {
				t.Errorf("a request within the bound: got %d", resp.StatusCode)
			}
		})
	}
	for range n {
		<-h.entered
	}
	return wg.Wait
}

// Requests beyond the bound of their class are answered 503 with Retry-After after a tenth of a second, the other classes
// and the probes go on, and the bound is free again when the requests have ended.
func TestBusy(t *testing.T) {
	t.Parallel()
	h := newHeld()
	a, server := testAPI(t, Options{InFlight: InFlight{Console: 3}, Console: h})
	for path, access := range map[string]Access{"/test/rows": ByClient, "/test/list": Permitted} {
		a.plain(Route{Method: http.MethodGet, Path: path, Access: access}, func(c *gin.Context) { c.Status(http.StatusOK) })
	}
	wait := h.occupy(t, server.URL+"/page", 3)
	start := time.Now()
	resp, p, _ := ask(t, server.URL+"/page")
	if took := time.Since(start); took < queueWait || took > queueWait+10*time.Second {
		t.Errorf("refused after %s", took)
	}
	if resp.StatusCode != 503 || p.Code != "busy" || resp.Header.Get("Retry-After") != "1" {
		t.Errorf("beyond the bound: got %d %s, Retry-After %q", resp.StatusCode, p.Code, resp.Header.Get("Retry-After"))
	}
	for path, want := range map[string]int{"/healthz": 200, "/openapi.json": 200, "/test/rows": 200, "/test/list": 200} {
		if resp, p, _ := ask(t, server.URL+path); resp.StatusCode != want {
			t.Errorf("%s meanwhile: got %d %s", path, resp.StatusCode, p.Code)
		}
	}
	close(h.release)
	wait()
	if resp, _, _ := ask(t, server.URL+"/page"); resp.StatusCode != 200 {
		t.Errorf("afterwards: got %d", resp.StatusCode)
	}
	if n := len(a.overload.classes[consoleClass].slots); n != 0 || a.overload.inFlight.Load() != 0 {
		t.Errorf("%d places are still taken, %d requests counted", n, a.overload.inFlight.Load())
	}
}

// A request that finds its class full is served when a place becomes free within its wait; more do not wait than are served.
func TestQueueIsShort(t *testing.T) {
	t.Parallel()
	g := newGate(1)
	g.wait = time.Minute
	if !g.enter(t.Context()) {
		t.Fatal("the first does not enter")
	}
	entered := make(chan bool)
	go func() { entered <- g.enter(t.Context()) }()
	for g.waiting.Load() == 0 {
	}
	if start := time.Now(); g.enter(t.Context()) || time.Since(start) > g.wait/2 {
		t.Error("a second one waits")
	}
	g.leave()
	if !<-entered {
		t.Error("the one that waited was not let in")
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if g.enter(gone) {
		t.Error("one that has gone was let in")
	}
}

// While every connection of the database pool is taken, more requests than the pool could serve soon are refused.
func TestBusyDatabase(t *testing.T) {
	t.Parallel()
	d, err := db.Open(t.Context(), db.Options{URL: pgtest.Empty(t), MaxConns: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	h := newHeld()
	_, server := testAPI(t, Options{DB: d, Console: h})
	conn, err := d.Pool.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	wait := h.occupy(t, server.URL+"/page", perConnection)
	if resp, p, _ := ask(t, server.URL+"/page"); resp.StatusCode != 503 || p.Code != "busy" {
		t.Errorf("with the pool taken: got %d %s", resp.StatusCode, p.Code)
	}
	conn.Release()
	more := h.occupy(t, server.URL+"/page", 1)
	close(h.release)
	wait()
	more()
}

// A refusal by rate or quota says in headers what a success says there; other refusals say nothing of it.
func TestRefusalsSayWhatIsLeft(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		err  error
		want http.Header
	}{
		{
			"by rate", fault.New(fault.Exhausted, "rate_limited", "x").With("limit", "5").With("retry_after", "2"),
			http.Header{"Ratelimit-Limit": {"5"}, "Ratelimit-Remaining": {"0"}, "Ratelimit-Reset": {"2"}},
		},
		{"by quota", fault.New(fault.Exhausted, "quota_exhausted", "x").With("remaining", "7"), http.Header{"X-Quota-Remaining": {"7"}}},
		{"by policy", fault.New(fault.Forbidden, "grant_suspended", "x"), http.Header{}},
	} {
		got := http.Header{}
		limitFacts(got, newProblem(c.err, "r1"))
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
}

// A route's own bounds hold beside those of its class: how many at the same time, and how long.
func TestBoundsOfARoute(t *testing.T) {
	t.Parallel()
	a, server := testAPI(t, Options{})
	h := newHeld()
	a.plain(Route{Method: http.MethodGet, Path: "/test/{id}/one", Access: Public, Max: 1}, func(c *gin.Context) { h.ServeHTTP(c.Writer, c.Request) })
	a.plain(Route{Method: http.MethodGet, Path: "/test/slow", Access: Public, Timeout: time.Millisecond}, func(c *gin.Context) {
		<-c.Request.Context().Done()
		a.writeProblem(c, errors.Join(errors.New("reading rows"), c.Request.Context().Err()))
	})
	wait := h.occupy(t, server.URL+"/test/7/one", 1)
	if resp, p, _ := ask(t, server.URL+"/test/8/one"); resp.StatusCode != 503 || p.Code != "busy" {
		t.Errorf("a second one: got %d %s", resp.StatusCode, p.Code)
	}
	close(h.release)
	wait()
	if resp, p, _ := ask(t, server.URL+"/test/slow"); resp.StatusCode != 503 || p.Code != "timeout" || resp.Header.Get("Retry-After") == "" {
		t.Errorf("a slow one: got %d %s", resp.StatusCode, p.Code)
	}
	for _, r := range a.Routes() {
		// People's routes that bound themselves bound how many there are, too.
		if r.Limit <= 0 || r.Timeout == 0 || r.Timeout == unbounded && r.Access != ByClient && r.Max == 0 {
			t.Errorf("%s %s: limit %d, timeout %s", r.Method, r.Path, r.Limit, r.Timeout)
		}
	}
}

// A handler that panics is answered 500 with a request id and nothing of what it panicked with, neither in the answer nor in
// the log; once it has begun to answer, the connection is cut.
func TestPanic(t *testing.T) {
	t.Parallel()
	const inside = "row of a person"
	var log bytes.Buffer
	var mu sync.Mutex
	console := http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if req.URL.Path == "/begun" {
			_, _ = w.Write([]byte("half"))
			_ = http.NewResponseController(w).Flush()
		}
		panic(inside)
	})
	_, server := testAPI(t, Options{Console: console, Logger: slog.New(slog.NewTextHandler(lockedWriter{&mu, &log}, nil))})
	resp, p, body := ask(t, server.URL+"/page")
	if resp.StatusCode != 500 || p.Code != "internal" || p.RequestID == "" || p.RequestID != resp.Header.Get("X-Request-Id") || resp.Header.Get("Content-Type") != problemType {
		t.Errorf("got %d %s", resp.StatusCode, body)
	}
	begun, err := http.Get(server.URL + "/begun")
	if err == nil {
		_, err = io.ReadAll(begun.Body)
		begun.Body.Close()
	}
	if err == nil {
		t.Error("an answer that broke off looks whole")
	}
	mu.Lock()
	defer mu.Unlock()
	if strings.Contains(body, inside) || strings.Contains(log.String(), inside) {
		t.Errorf("what the handler panicked with is out: %s", log.String())
	}
	if !strings.Contains(log.String(), "handler panicked") || !strings.Contains(log.String(), p.RequestID) {
		t.Errorf("the log does not tell of it: %s", log.String())
	}
}

type lockedWriter struct {
	mu *sync.Mutex
	w  io.Writer
}

func (l lockedWriter) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}

// Readiness fails with the name and cause of each check that fails, waits for none beyond its time, and does not touch
// liveness.
func TestReadinessFails(t *testing.T) {
	t.Parallel()
	ready := func(context.Context) error { return nil }
	stuck := func(ctx context.Context) error { <-ctx.Done(); return errors.New("no answer in time") }
	_, server := testAPI(t, Options{Checks: []Check{
		{"postgresql", func(context.Context) error { return errors.New("the database does not answer") }}, {"policy", ready}, {"sealer", stuck},
	}})
	resp, _, body := ask(t, server.URL+"/readyz")
	var state readiness
	if err := json.Unmarshal([]byte(body), &state); err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != 503 || resp.Header.Get("Retry-After") != "1" || state.Ready || len(state.Failed) != 2 ||
		state.Failed["postgresql"] != "the database does not answer" || state.Failed["sealer"] != "no answer in time" {
		t.Errorf("got %d %s", resp.StatusCode, body)
	}
	if resp, _, _ := ask(t, server.URL+"/healthz"); resp.StatusCode != 200 {
		t.Errorf("alive: got %d", resp.StatusCode)
	}
}

// The kernel keeps little unsent data per connection, with and without TLS: what it keeps still reaches a caller whose grant
// was suspended.
func TestSendBufferIsSmall(t *testing.T) {
	t.Parallel()
	for name, start := range map[string]func(*httptest.Server){"plain": (*httptest.Server).Start, "TLS": (*httptest.Server).StartTLS} {
		sizes := make(chan int, 1)
		server := httptest.NewUnstartedServer(nil)
		server.Config = NewServer(http.NotFoundHandler(), slog.New(slog.DiscardHandler))
		set := server.Config.ConnContext
		server.Config.ConnContext = func(ctx context.Context, c net.Conn) context.Context {
			ctx = set(ctx, c)
			if outer, ok := c.(interface{ NetConn() net.Conn }); ok {
				c = outer.NetConn()
			}
			raw, err := c.(*net.TCPConn).SyscallConn()
			if err != nil {
				t.Error(err)
				return ctx
			}
			_ = raw.Control(func(fd uintptr) {
				size, err := syscall.GetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_SNDBUF)
				if err != nil {
					t.Error(err)
				}
				sizes <- size
			})
			return ctx
		}
		start(server)
		resp, err := server.Client().Get(server.URL)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if size := <-sizes; size > 64<<10 {
			t.Errorf("%s: the send buffer holds %d bytes, want at most 64 KiB", name, size)
		}
		server.Close()
	}
}

// The format is the accepted one of the highest weight; of equals the one named first; without a wish the first of the route.
func TestNegotiate(t *testing.T) {
	t.Parallel()
	formats := []format{jsonFormat, ndjsonFormat}
	for accept, want := range map[string]string{
		"": "application/json", "*/*": "application/json", "application/*": "application/json",
		"application/x-ndjson": ndjson, "application/x-ndjson, application/json": ndjson, "application/json, application/x-ndjson": "application/json",
		"application/json;q=0.4, application/x-ndjson;q=0.5": ndjson, "APPLICATION/X-NDJSON": ndjson, "*/*;q=0.1, application/x-ndjson": ndjson,
		"application/x-ndjson;q=0, */*": "application/json", "application/x-ndjson;q=0": "", "text/csv": "", "*/*;q=0": "", "application/json;q=x": "",
		"application/json;q=0, application/*": ndjson, "text/html, */*;q=0.1": "application/json", ",": "",
	} {
		got, ok := negotiate(accept, formats)
		if got.media != want || ok != (want != "") {
			t.Errorf("Accept %q: got %q, want %q", accept, got.media, want)
		}
	}
}
