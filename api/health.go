package api

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// checkTimeout bounds each check of /readyz.
const checkTimeout = 2 * time.Second

// readiness is the body of /readyz.
type readiness struct {
	Ready  bool              `json:"ready"`
	Failed map[string]string `json:"failed,omitempty"` // Name of the check to its cause.
}

func (a *API) operationRoutes() {
	a.plain(Route{Method: http.MethodGet, Path: "/healthz", Access: Operators, Summary: "Whether the process is alive"}, func(c *gin.Context) {
		writeJSON(c, http.StatusOK, "application/json", map[string]bool{"alive": true})
	})
	a.plain(Route{Method: http.MethodGet, Path: "/readyz", Access: Operators, Summary: "Whether the hub can serve, or why not"}, func(c *gin.Context) {
		state := a.ready(c.Request.Context())
		status := http.StatusOK
		if !state.Ready {
			status = http.StatusServiceUnavailable
			c.Header("Retry-After", "1")
		}
		writeJSON(c, status, "application/json", state)
	})
	metrics := promhttp.HandlerFor(a.opt.Metrics, promhttp.HandlerOpts{Timeout: 5 * time.Second})
	a.plain(Route{Method: http.MethodGet, Path: "/metrics", Access: Operators, Summary: "Figures for Prometheus"}, func(c *gin.Context) {
		metrics.ServeHTTP(c.Writer, c.Request)
	})
	a.plain(Route{Method: http.MethodGet, Path: "/openapi.json", Access: Public, Summary: "This document"}, func(c *gin.Context) {
		c.Data(http.StatusOK, "application/json", a.openapi)
	})
	a.plain(Route{Method: http.MethodGet, Path: "/docs", Access: Public, Summary: "The routes as a page"}, func(c *gin.Context) {
		c.Header("Content-Security-Policy", a.docsPolicy)
		c.Data(http.StatusOK, "text/html; charset=utf-8", a.docs)
	})
}

// ready runs all checks at the same time.
func (a *API) ready(ctx context.Context) readiness {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	state := readiness{Ready: true}
	var mu sync.Mutex
	var wait sync.WaitGroup
	for _, check := range a.opt.Checks {
		wait.Go(func() {
			err := check.Run(ctx)
			if err == nil {
				return
			}
			mu.Lock()
			defer mu.Unlock()
			state.Ready = false
			if state.Failed == nil {
				state.Failed = map[string]string{}
			}
			state.Failed[check.Name] = err.Error()
		})
	}
	wait.Wait()
	return state
}
