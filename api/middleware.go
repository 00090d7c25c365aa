package api

import (
	"context"
	"errors"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// outermost names the request, sets the headers every answer has, and logs and counts what came of it. The log names routes,
// never paths: a path may hold the key of a person's row.
func (a *API) outermost(c *gin.Context) {
	start := a.opt.Clock()
	id := c.GetHeader("X-Request-Id")
	if !requestID(id) {
		id = db.NewID().String()
	}
	noted := &request{id: id, method: sentMethod(c.Request)}
	c.Request = c.Request.WithContext(context.WithValue(c.Request.Context(), requestKey, noted))
	h := c.Writer.Header()
	h.Set("X-Request-Id", id)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-store")
	if ours(c.Request.URL.Path) {
		h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	}
	defer func() {
		route := c.FullPath()
		if route == "" {
			route = "(none)"
		}
		took := a.opt.Clock().Sub(start)
		a.metrics.observe(noted.method, route, c.Writer.Status(), took)
		a.log.InfoContext(c.Request.Context(), "request",
			"request_id", id, "method", noted.method, "route", route, "status", c.Writer.Status(),
			"bytes", max(c.Writer.Size(), 0), "ms", float64(took.Microseconds())/1000, "actor", string(noted.actor.Kind), "from", remoteAddr(c.Request).String())
	}()
	c.Next()
}

func requestID(id string) bool {
	if id == "" || len(id) > 64 {
		return false
	}
	return strings.IndexFunc(id, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_' || r == '.')
	}) < 0
}

// ours reports whether a path belongs to the contract rather than to the console.
func ours(path string) bool {
	return strings.HasPrefix(path, "/api/") || path == "/api"
}

// recovered answers 500 for a handler that panicked. http.ErrAbortHandler is no panic but the way to cut a connection.
func (a *API) recovered(c *gin.Context) {
	defer func() {
		v := recover()
		if v == nil {
			return
		}
		if err, ok := v.(error); ok && errors.Is(err, http.ErrAbortHandler) {
			panic(v)
		}
		a.metrics.panics.Inc()
		a.log.ErrorContext(c.Request.Context(), "handler panicked",
			"request_id", requestIDOf(c.Request.Context()), "route", c.FullPath(), "panic", panicText(v), "stack", string(debug.Stack()))
		if c.Writer.Written() {
			panic(http.ErrAbortHandler)
		}
		a.writeProblem(c, newProblem(nil, requestIDOf(c.Request.Context())))
	}()
	c.Next()
}

// panicText names a panic without its value, which may hold what a caller submitted, unless it is a runtime error.
func panicText(v any) string {
	if err, ok := v.(interface{ RuntimeError() }); ok {
		return err.(error).Error()
	}
	return "a value"
}

func (a *API) noRoute(c *gin.Context) {
	if a.opt.Console != nil && !ours(c.Request.URL.Path) {
		// gin has set 404 before it calls this.
		c.Status(http.StatusOK)
		a.opt.Console.ServeHTTP(c.Writer, c.Request)
		return
	}
	a.writeProblem(c, fault.New(fault.NotFound, "no_such_route", "there is nothing at this address; /openapi.json lists what there is"))
}

func (a *API) noMethod(c *gin.Context) {
	a.writeProblem(c, plainProblem(http.StatusMethodNotAllowed, "method_not_allowed",
		"this address does not take this method; the Allow header lists those it takes", requestIDOf(c.Request.Context())))
}

// The bounds of a connection. A stream moves its own deadlines on.
const (
	headerTimeout = 5 * time.Second
	readTimeout   = 30 * time.Second
	writeTimeout  = 60 * time.Second
	idleTimeout   = 2 * time.Minute
	headerBytes   = 64 << 10
)
