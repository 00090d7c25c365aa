package api

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are the figures of the contract itself. Labels are routes, never paths, so that their number is bounded.
type metrics struct {
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	panics   prometheus.Counter
	pulls    *prometheus.CounterVec
	rows     *prometheus.CounterVec
	busy     *prometheus.CounterVec
}

func newMetrics(r *prometheus.Registry) *metrics {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "shuqiao_http_requests_total", Help: "Requests answered, by route and status.",
		}, []string{"method", "route", "status"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "shuqiao_http_request_seconds", Help: "Time to answer, by route.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 10},
		}, []string{"method", "route"}),
		panics: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "shuqiao_http_panics_total", Help: "Handlers that panicked.",
		}),
		pulls: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "shuqiao_pulls_total", Help: "Pull calls, by mode and outcome code.",
		}, []string{"mode", "code"}),
		rows: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "shuqiao_pulled_rows_total", Help: "Rows that left through the pull routes, by mode.",
		}, []string{"mode"}),
		busy: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "shuqiao_http_busy_total", Help: "Requests refused because the hub was busy, by class and by what ran out.",
		}, []string{"class", "reason"}),
	}
	r.MustRegister(m.requests, m.seconds, m.panics, m.pulls, m.rows, m.busy)
	return m
}

func (m *metrics) observe(method, route string, status int, took time.Duration) {
	switch method {
	case "GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS":
	default:
		method = "other"
	}
	m.requests.WithLabelValues(method, route, strconv.Itoa(status)).Inc()
	m.seconds.WithLabelValues(method, route).Observe(took.Seconds())
}
