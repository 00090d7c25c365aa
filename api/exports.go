package api

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/gin-gonic/gin"
	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/exchange/pull"
)

// CallInput is what every call of a consuming system says about itself.
type CallInput struct {
	Grant      string `header:"X-Grant" doc:"Grant that decides, where several fit."`
	Purpose    string `header:"X-Purpose" doc:"Purpose code of the grant."`
	CaseNumber string `header:"X-Case-Number" doc:"Number of the case, where the grant demands it."`
}

func (in CallInput) call(ctx context.Context) (pull.Call, error) {
	call := pull.Call{Purpose: in.Purpose, CaseNumber: in.CaseNumber, RequestID: requestIDOf(ctx)}
	if in.Grant != "" {
		id, err := parseID("X-Grant", in.Grant)
		if err != nil {
			return pull.Call{}, err
		}
		call.GrantID = id
	}
	return call, nil
}

type exportBody struct {
	Format      pull.Format      `json:"format" enum:"csv,ndjson,parquet"`
	Compression pull.Compression `json:"compression,omitempty" enum:"none,gzip,zstd" doc:"Of csv and ndjson; parquet always packs its pages with zstd."`
	Items       []string         `json:"items,omitempty" doc:"Identifiers of granted items; all when not given."`
	Filter      json.RawMessage  `json:"filter,omitempty" doc:"A row filter."`
}

type exportInput struct {
	Resource string `path:"resource" doc:"Id of the resource, or its code with / written -."`
	CallInput
	Body exportBody
}

type exportListInput struct {
	PageInput
	State string `query:"state" doc:"Only those in this state: queued, running, ready, failed, gone."`
	Grant string `header:"X-Grant" doc:"Only those of this grant."`
}

type exportIDInput struct {
	IDInput
	CallInput
}

// byClient is a route of consuming systems whose grants decide.
func byClient(method, path, summary string, status int) Route {
	return Route{Method: method, Path: base + path, Access: ByClient, Action: authz.DataPull, Summary: summary, Status: status}
}

func (a *API) exportRoutes() {
	order := byClient(http.MethodPost, "/data/{resource}/exports", "Order a file of rows: csv, ndjson or parquet", http.StatusAccepted)
	order.Once = true
	handle(a, order, a.createExport)
	handle(a, byClient(http.MethodGet, "/exports", "What this client ordered, newest first", 0), a.listExports)
	handle(a, byClient(http.MethodGet, "/exports/{id}", "How far an export is", 0),
		func(ctx context.Context, p authz.Principal, in *exportIDInput) (pull.Export, error) {
			call, err := in.call(ctx)
			if err != nil {
				return pull.Export{}, err
			}
			return a.opt.Exports.Get(ctx, p, call, in.ID)
		})
	handleEmpty(a, byClient(http.MethodDelete, "/exports/{id}", "End an export and destroy its file", 0),
		func(ctx context.Context, p authz.Principal, in *exportIDInput) error {
			call, err := in.call(ctx)
			if err != nil {
				return err
			}
			return a.opt.Exports.Delete(ctx, p, call, in.ID)
		})
	file := byClient(http.MethodGet, "/exports/{id}/file", "The file of an export, or a part of it (Range)", 0)
	file.Timeout = unbounded
	op := a.plain(file, func(c *gin.Context) {
		if err := a.exportFile(c, file); err != nil {
			a.writeProblem(c, err)
		}
	})
	text := &huma.Schema{Type: "string"}
	op.Parameters = []*huma.Param{{Name: "id", In: "path", Required: true, Schema: text, Description: "Id of the export."}}
	for _, header := range []string{"X-Grant", "X-Purpose", "X-Case-Number", "Range", "If-Range"} {
		op.Parameters = append(op.Parameters, &huma.Param{Name: header, In: "header", Schema: text})
	}
	binary := map[string]*huma.MediaType{"application/octet-stream": {Schema: &huma.Schema{Type: "string", Format: "binary"}}}
	op.Responses["200"] = &huma.Response{Description: "The file. X-Content-Digest is that of the whole.", Content: binary}
	op.Responses["206"] = &huma.Response{Description: "The part asked for.", Content: binary}
	op.Responses["416"] = &huma.Response{Description: "The file has no such part."}
}

func (a *API) createExport(ctx context.Context, p authz.Principal, in *exportInput) (pull.Export, error) {
	call, err := in.call(ctx)
	if err != nil {
		return pull.Export{}, err
	}
	call.Resource = in.Resource
	r := pull.ExportRequest{Call: call, Format: in.Body.Format, Compression: in.Body.Compression, Items: in.Body.Items}
	if string(in.Body.Filter) != "null" {
		r.Filter = in.Body.Filter
	}
	return a.opt.Exports.Create(ctx, p, r)
}

func (a *API) listExports(ctx context.Context, p authz.Principal, in *exportListInput) (list[pull.Export], error) {
	var f pull.ExportFilter
	if in.State != "" {
		f.State = (*pull.ExportState)(&in.State)
	}
	if in.Grant != "" {
		id, err := parseID("X-Grant", in.Grant)
		if err != nil {
			return list[pull.Export]{}, err
		}
		f.GrantID = &id
	}
	return newList(a.opt.Exports.List(ctx, p, f, in.page()))
}

// exportFile sends a file. Once bytes have left, an error cuts the connection.
func (a *API) exportFile(c *gin.Context, r Route) error {
	p, err := a.admit(c.Request, r)
	if err != nil {
		return err
	}
	id, err := parseID("id", c.Param("id"))
	if err != nil {
		return err
	}
	in := CallInput{Grant: c.GetHeader("X-Grant"), Purpose: c.GetHeader("X-Purpose"), CaseNumber: c.GetHeader("X-Case-Number")}
	call, err := in.call(c.Request.Context())
	if err != nil {
		return err
	}
	fetch, err := a.opt.Exports.Fetch(c.Request.Context(), p, call, id)
	if err != nil {
		return err
	}
	defer fetch.Close()
	e := &fetch.Export
	if originalMethod(c.Request.Context()) == http.MethodHead {
		// Nothing of the file leaves, so nothing is recorded as disclosed.
		fileHeaders(c.Writer.Header(), e)
		c.Status(http.StatusOK)
		return nil
	}
	from, to, status := int64(0), e.Size, http.StatusOK
	if condition := c.GetHeader("If-Range"); condition == "" || condition == e.ETag() {
		var ok bool
		if from, to, ok = rangeOf(c.GetHeader("Range"), e.Size); !ok {
			c.Header("Content-Range", "bytes */"+strconv.FormatInt(e.Size, 10))
			return plainProblem(http.StatusRequestedRangeNotSatisfiable, "range_not_satisfiable",
				"the file has no such part; Content-Range says how long it is", requestIDOf(c.Request.Context()))
		}
		if from > 0 || to < e.Size {
			status = http.StatusPartialContent
		}
	}
	w := &fileWriter{streamWriter: streamWriter{c: c, control: http.NewResponseController(c.Writer)}, export: e, from: from, to: to, status: status}
	end, err := fetch.Send(c.Request.Context(), from, to, w)
	a.metrics.rows.WithLabelValues("export").Add(float64(end.Rows))
	switch {
	case err != nil && !end.Begun:
		return err
	case err != nil:
		a.log.InfoContext(c.Request.Context(), "a fetch was cut", "request_id", requestIDOf(c.Request.Context()), "error", err)
		panic(http.ErrAbortHandler)
	}
	return nil
}

// fileWriter is a pull.StreamWriter that announces a file.
type fileWriter struct {
	streamWriter
	export   *pull.Export
	from, to int64
	status   int
}

// Begin sends the headers.
func (w *fileWriter) Begin(evidence uuid.UUID, limits pull.Limits, asOf time.Time) {
	h := w.c.Writer.Header()
	fileHeaders(h, w.export)
	h.Set("Content-Length", strconv.FormatInt(w.to-w.from, 10))
	h.Set("X-Evidence-Id", evidence.String())
	asOfHeader(h, asOf)
	if w.status == http.StatusPartialContent {
		h.Set("Content-Range", "bytes "+strconv.FormatInt(w.from, 10)+"-"+strconv.FormatInt(w.to-1, 10)+"/"+strconv.FormatInt(w.export.Size, 10))
	} else {
		h.Set("X-Content-Digest", w.export.Digest)
	}
	limitHeaders(h, limits)
	w.c.Writer.WriteHeader(w.status)
}

// fileHeaders says what the file is.
func fileHeaders(h http.Header, e *pull.Export) {
	h.Set("Content-Type", e.ContentType())
	h.Set("Content-Disposition", `attachment; filename="`+e.FileName()+`"`)
	h.Set("Content-Length", strconv.FormatInt(e.Size, 10))
	h.Set("Accept-Ranges", "bytes")
	h.Set("ETag", e.ETag())
}

// rangeOf reads a Range header of one range. Others, of several ranges or of another unit, ask for the whole (RFC 9110,
// 14.2). ok is false when the range lies outside.
func rangeOf(header string, size int64) (from, to int64, ok bool) {
	spec, found := strings.CutPrefix(header, "bytes=")
	first, last, dashed := strings.Cut(strings.TrimSpace(spec), "-")
	if !found || !dashed || strings.Contains(spec, ",") {
		return 0, size, true
	}
	number := func(text string) (int64, bool) {
		n, err := strconv.ParseInt(text, 10, 64)
		return n, err == nil && n >= 0 && !strings.HasPrefix(text, "+")
	}
	if first == "" {
		n, valid := number(last)
		switch {
		case !valid:
			return 0, size, true
		case n == 0 || size == 0:
			return 0, 0, false
		}
		return max(0, size-n), size, true
	}
	from, valid := number(first)
	if !valid {
		return 0, size, true
	}
	to = size
	if last != "" {
		n, valid := number(last)
		if !valid || n < from {
			return 0, size, true
		}
		to = min(size, n+1)
	}
	if from >= size {
		return 0, 0, false
	}
	return from, to, true
}
