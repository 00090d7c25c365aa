package client

import (
	"net/http"
	"testing"
)

// Whatever a hub, or what stands in its place, sends as a line of a stream: reading it gives a row, the end or an error.
func FuzzReadLine(f *testing.F) {
	for _, line := range []string{
		`{"end":{"rows":1}}`, `{"error":{"code":"grant_suspended"}}`, `{"no":"T1"}`, `{"end":{},"end":null}`, `{"error":{},"error":null}`, `[]`, `null`, ``,
	} {
		f.Add([]byte(line))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		rows := 0
		_, done, err := readLine(line, http.StatusOK, func(Row) error { rows++; return nil })
		if rows > 1 || done && rows > 0 || err != nil && rows > 0 {
			t.Errorf("%q: %d rows, done %v, %v", line, rows, done, err)
		}
	})
}

// Whatever an answer that is no success holds, the caller gets a problem with a code, its status and a time to wait that is
// none or at most a day.
func FuzzProblem(f *testing.F) {
	f.Add([]byte(`{"code":"busy","status":503}`), "1")
	f.Add([]byte(`<html>`), "99999999999999")
	f.Add([]byte(`null`), "-1")
	f.Fuzz(func(t *testing.T, raw []byte, after string) {
		p := newProblem(&http.Response{StatusCode: http.StatusServiceUnavailable, Header: http.Header{"Retry-After": {after}}}, raw)
		if p.Code == "" || p.Status != http.StatusServiceUnavailable || p.RetryAfter < 0 || p.RetryAfter.Hours() > 24 {
			t.Errorf("%q, %q: got %+v", raw, after, *p)
		}
	})
}
