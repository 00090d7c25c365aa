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
	w := &streamWriter{c: c, control: http.NewResponseController(c.Writer), format: r.Format}
	end, err := a.opt.Pull.Stream(c.Request.Context(), client, r, w)
	a.metrics.rows.WithLabelValues("stream").Add(float64(end.Rows))
	switch {
	case err != nil && !end.Begun:
		return err
	case err != nil:
		a.log.InfoContext(c.Request.Context(), "stream was cut", "request_id", requestIDOf(c.Request.Context()), "rows", end.Rows, "error", err)
		panic(http.ErrAbortHandler)
	}
	h := c.Writer.Header()
	h.Set("X-Content-Digest", end.Digest)
	if r.Format == pull.FormatCSV {
		cursorHeaders(h, end.NextCursor, end.ChangesCursor)
	}
	return nil
}

// streamWriter is a pull.StreamWriter over a response.
type streamWriter struct {
	c       *gin.Context
	control *http.ResponseController
	format  pull.Format
}

// Begin sends the headers and announces the trailer. CSV has no line for the end, so its cursors are trailers.
func (w *streamWriter) Begin(evidence uuid.UUID, limits pull.Limits, asOf time.Time) {
	h := w.c.Writer.Header()
	h.Set("Content-Type", w.format.ContentType())
	h.Set("X-Evidence-Id", evidence.String())
	trailer := "X-Content-Digest"
	if w.format == pull.FormatCSV {
		asOfHeader(h, asOf)
		trailer += ", X-Next-Cursor, X-Changes-Cursor"
	}
	h.Set("Trailer", trailer)
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
