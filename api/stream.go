package api

import (
	"net/http"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/exchange/pull"
)

// stream writes rows as NDJSON. A stream that policy stops ends with its error line and a cut connection, so that nobody
// takes what came for the whole.
func (a *API) stream(c *gin.Context, client authz.Principal, r pull.RowsRequest) error {
	w := &streamWriter{c: c, control: http.NewResponseController(c.Writer)}
	end, err := a.opt.Pull.Stream(c.Request.Context(), client, r, w)
	a.metrics.rows.WithLabelValues("stream").Add(float64(end.Rows))
	switch {
	case err != nil && !end.Begun:
		return err
	case err != nil:
		a.log.InfoContext(c.Request.Context(), "stream was cut", "request_id", requestIDOf(c.Request.Context()), "rows", end.Rows, "error", err)
		panic(http.ErrAbortHandler)
	}
	c.Writer.Header().Set("X-Content-Digest", end.Digest)
	return nil
}

// streamWriter is a pull.StreamWriter over a response.
type streamWriter struct {
	c       *gin.Context
	control *http.ResponseController
}

// Begin sends the headers and announces the trailer.
func (w *streamWriter) Begin(evidence uuid.UUID, limits pull.Limits) {
	h := w.c.Writer.Header()
	h.Set("Content-Type", ndjson)
	h.Set("X-Evidence-Id", evidence.String())
	h.Set("Trailer", "X-Content-Digest")
	limitHeaders(h, limits)
	w.c.Writer.WriteHeader(http.StatusOK)
}

// Write hands p to the connection and sees to it that it has left the process.
func (w *streamWriter) Write(p []byte) error {
	if _, err := w.c.Writer.Write(p); err != nil {
		return err
	}
	return w.control.Flush()
}

// SetDeadline bounds writes under way and later ones.
func (w *streamWriter) SetDeadline(t time.Time) error { return w.control.SetWriteDeadline(t) }
