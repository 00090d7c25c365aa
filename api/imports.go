package api

import (
	"context"
	"io"
	"mime"
	"net/http"
	"reflect"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/gin-gonic/gin"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/catalog"
	"github.com/shuqiao/shuqiao/catalog/sheet"
)

type importErrorsInput struct {
	IDInput
	PageInput
}

// fileTimeout bounds sending a file in, and making one.
const fileTimeout = 5 * time.Minute

func (a *API) importRoutes() {
	s := a.opt.Sheets
	handle(a, get("/imports", "Imports of the caller's department, newest first", authz.ResourceCompile), func(ctx context.Context, p authz.Principal, in *PageInput) (list[sheet.Job], error) {
		return newList(s.Imports(ctx, p, in.page()))
	})
	text := &huma.Schema{Type: "string"}
	take := post("/imports", "Send a file of entries in; it is checked in the background", authz.ResourceCompile).atMost(4)
	take.Status, take.Limit, take.Timeout = http.StatusAccepted, sheet.MaxFile, fileTimeout
	op := a.plain(take, func(c *gin.Context) {
		if err := a.takeFile(c, take); err != nil {
			a.writeProblem(c, err)
		}
	})
	op.Parameters = []*huma.Param{
		{Name: "name", In: "query", Schema: text, Description: "Name of the file, for people."},
		{Name: "mode", In: "query", Schema: text, Description: "all: everything or nothing (when not given); good: entries in which something is wrong are left out."},
	}
	op.RequestBody = &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{"application/octet-stream": {Schema: &huma.Schema{Type: "string", Format: "binary"}}}}
	job := a.huma.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[sheet.Job](), true, "Job")
	delete(op.Responses, "200")
	op.Responses["202"] = &huma.Response{Description: "Received.", Content: map[string]*huma.MediaType{"application/json": {Schema: job}}}
	handle(a, get("/imports/{id}", "How far an import is", authz.ResourceCompile), func(ctx context.Context, p authz.Principal, in *IDInput) (sheet.Job, error) {
		return s.Import(ctx, p, in.ID)
	})
	handle(a, get("/imports/{id}/errors", "What is wrong in the file, by cell", authz.ResourceCompile), func(ctx context.Context, p authz.Principal, in *importErrorsInput) (list[sheet.Line], error) {
		return newList(s.Errors(ctx, p, in.ID, in.page()))
	})
	handleMove(a, post("/imports/{id}/apply", "Write the entries of a checked file", authz.ResourceCompile), s.Apply)
	handleEmpty(a, del("/imports/{id}", "Forget an import; entries that were written stay", authz.ResourceCompile), func(ctx context.Context, p authz.Principal, in *MoveInput) error {
		version, err := in.version()
		if err != nil {
			return err
		}
		return s.Remove(ctx, p, in.ID, version)
	})
	a.file(get("/imports/{id}/result", "The file again, with a column that says what is wrong", authz.ResourceCompile), []*huma.Param{{Name: "id", In: "path", Required: true, Schema: text}},
		func(c *gin.Context, p authz.Principal) (*sheet.Spool, error) {
			id, err := parseID("id", c.Param("id"))
			if err != nil {
				return nil, err
			}
			return s.Result(c.Request.Context(), p, id)
		})
	a.file(get("/directory/template", "The workbook to fill in", authz.ResourceRead), nil, func(*gin.Context, authz.Principal) (*sheet.Spool, error) {
		return sheet.TemplateFile()
	})
	var narrow []*huma.Param
	for _, name := range []string{"format", "department_id", "q", "base_database", "share_type", "update_cycle"} {
		narrow = append(narrow, &huma.Param{Name: name, In: "query", Schema: text})
	}
	a.file(get("/directory/export", "All entries the caller may read, or the hits of a search, in the form of the template", authz.ResourceRead).atMost(2), narrow,
		func(c *gin.Context, p authz.Principal) (*sheet.Spool, error) {
			q := c.Request.URL.Query()
			format := sheet.Format(q.Get("format"))
			if format == "" {
				format = sheet.XLSX
			}
			var sel sheet.Selection
			if id := q.Get("department_id"); id != "" {
				var err error
				if sel.Department, err = parseID("department_id", id); err != nil {
					return nil, err
				}
			}
			if q.Get("q")+q.Get("base_database")+q.Get("share_type")+q.Get("update_cycle") != "" {
				sel.Search = &catalog.Query{
					Text: q.Get("q"), BaseDatabase: q.Get("base_database"), DepartmentID: sel.Department,
					ShareType: catalog.ShareType(q.Get("share_type")), UpdateCycle: catalog.UpdateCycle(q.Get("update_cycle")),
				}
			}
			return s.Export(c.Request.Context(), p, sel, format)
		})
}

// takeFile receives a file as a stream: it is never in memory as a whole.
func (a *API) takeFile(c *gin.Context, r Route) error {
	p, err := a.admit(c.Request, r)
	if err != nil {
		return err
	}
	q := c.Request.URL.Query()
	body := http.MaxBytesReader(c.Writer, c.Request.Body, r.Limit)
	j, err := a.opt.Sheets.Receive(c.Request.Context(), p, q.Get("name"), sheet.Mode(q.Get("mode")), body)
	if err != nil {
		return err
	}
	c.JSON(r.Status, j)
	return nil
}

// file registers a route that answers with a file.
func (a *API) file(r Route, parameters []*huma.Param, make func(*gin.Context, authz.Principal) (*sheet.Spool, error)) {
	r.Timeout = fileTimeout
	op := a.plain(r, func(c *gin.Context) {
		if err := a.sendFile(c, r, make); err != nil {
			a.writeProblem(c, err)
		}
	})
	op.Parameters = parameters
	op.Responses["200"] = &huma.Response{
		Description: "The file.", Content: map[string]*huma.MediaType{"application/octet-stream": {Schema: &huma.Schema{Type: "string", Format: "binary"}}},
	}
}

func (a *API) sendFile(c *gin.Context, r Route, make func(*gin.Context, authz.Principal) (*sheet.Spool, error)) error {
	p, err := a.admit(c.Request, r)
	if err != nil {
		return err
	}
	spool, err := make(c, p)
	if err != nil {
		return err
	}
	defer spool.Close()
	h := c.Writer.Header()
	h.Set("Content-Type", spool.Type)
	h.Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": spool.Name}))
	h.Set("Content-Length", strconv.FormatInt(spool.Size, 10))
	c.Status(http.StatusOK)
	if originalMethod(c.Request.Context()) == http.MethodHead {
		return nil
	}
	if _, err := io.Copy(c.Writer, spool); err != nil {
		a.log.InfoContext(c.Request.Context(), "a file was cut", "request_id", requestIDOf(c.Request.Context()), "error", err)
	}
	return nil
}
