package api

import (
	"bufio"
	"compress/gzip"
	"io"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/gin-gonic/gin"

	"github.com/shuqiao/shuqiao/authz"
)

const (
	// dumpBuffer is how much of a dump is written at a time.
	dumpBuffer = 32 << 10
	// dumpPatience is how long a reader of a dump may take for so much.
	dumpPatience = time.Minute
)

func (a *API) dumpRoute() {
	r := get("/resources.jsonl", "Every entry that the caller may read, one JSON object a line", authz.ResourceRead).atMost(4)
	r.Timeout = unbounded
	op := a.plain(r, func(c *gin.Context) {
		if err := a.dump(c, r); err != nil {
			a.writeProblem(c, err)
		}
	})
	op.Responses["200"] = &huma.Response{
		Description: "All of them; packed where Accept-Encoding allows gzip. A connection that is cut means that it is not whole.",
		Content:     map[string]*huma.MediaType{ndjson: {Schema: &huma.Schema{Type: "string"}}},
	}
}

// dump streams the directory. Once bytes have left, an error cuts the connection, so that nobody takes what came for the whole.
func (a *API) dump(c *gin.Context, r Route) error {
	p, err := a.admit(c.Request, r)
	if err != nil {
		return err
	}
	query, err := rawQuery(c.Request)
	if err == nil {
		err = onlyKnown(query, nil)
	}
	if err != nil {
		return err
	}
	h := c.Writer.Header()
	h.Set("Vary", "Accept-Encoding, Authorization")
	out := &dumpWriter{c: c, control: http.NewResponseController(c.Writer)}
	if originalMethod(c.Request.Context()) == http.MethodHead {
		h.Set("Content-Type", ndjson)
		c.Status(http.StatusOK)
		return nil
	}
	buffered := bufio.NewWriterSize(out, dumpBuffer)
	var target io.Writer = buffered
	finish := buffered.Flush
	if q, _ := accepted(c.GetHeader("Accept-Encoding"), "gzip"); q > 0 {
		out.packed = true
		zipped := gzip.NewWriter(buffered)
		target, finish = zipped, func() error {
			if err := zipped.Close(); err != nil {
				return err
			}
			return buffered.Flush()
		}
	}
	written, err := a.opt.Catalog.Dump(c.Request.Context(), p, target)
	if err == nil {
		err = finish()
	}
	switch {
	case err != nil && !out.begun:
		return err
	case err != nil:
		a.log.InfoContext(c.Request.Context(), "a dump of the directory was cut", "request_id", requestIDOf(c.Request.Context()), "entries", written, "error", err)
		panic(http.ErrAbortHandler)
	case !out.begun:
		out.begin()
	}
	return nil
}

// dumpWriter sends the headers before the first byte, and gives the reader time for each part.
type dumpWriter struct {
	c       *gin.Context
	control *http.ResponseController
	packed  bool
	begun   bool
}

func (w *dumpWriter) begin() {
	w.begun = true
	h := w.c.Writer.Header()
	h.Set("Content-Type", ndjson)
	h.Set("Content-Disposition", `attachment; filename="resources.jsonl"`)
	if w.packed {
		h.Set("Content-Encoding", "gzip")
	}
	w.c.Writer.WriteHeader(http.StatusOK)
}

// Write sends p.
func (w *dumpWriter) Write(p []byte) (int, error) {
	if !w.begun {
		w.begin()
	}
	if err := w.control.SetWriteDeadline(time.Now().Add(dumpPatience)); err != nil {
		return 0, err
	}
	n, err := w.c.Writer.Write(p)
	if err == nil {
		err = w.control.Flush()
	}
	return n, err
}
