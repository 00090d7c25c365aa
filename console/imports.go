package console

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/catalog"
	"github.com/shuqiao/shuqiao/catalog/sheet"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
)

const importsPath = prefix + "/imports"

// importRoutes are files of entries, both ways.
func (c *console) importRoutes(m *http.ServeMux) {
	m.Handle("GET /ui/imports", c.page(c.showImports))
	m.Handle("POST /ui/imports", c.pageUpTo(sheet.MaxFile+maxForm, c.receiveImport))
	m.Handle("GET /ui/imports/template", c.page(c.sendTemplate))
	m.Handle("GET /ui/imports/export", c.page(c.sendExport))
	m.Handle("GET /ui/imports/{id}", c.page(c.showImport))
	m.Handle("GET /ui/imports/{id}/progress", c.page(c.showImportProgress))
	m.Handle("GET /ui/imports/{id}/result", c.page(c.sendResult))
	m.Handle("POST /ui/imports/{id}/apply", c.page(c.applyImport))
	m.Handle("POST /ui/imports/{id}/remove", c.page(c.removeImport))
}

// importsPage offers files both ways and lists the imports of the department.
type importsPage struct {
	CanImport bool
	Jobs      []sheet.Job
	More      string
	Table     string
	Most      int // MiB of a file.
	Mode      string
}

func (c *console) showImports(v *visit) error { return v.drawImports(nil) }

func (v *visit) drawImports(problem error) error {
	page := importsPage{CanImport: v.may(authz.ResourceCompile, v.own("resource")), Most: sheet.MaxFile >> 20, Mode: string(sheet.AllRows)}
	if own, all := v.compiles(); !own && !all {
		return notForYou()
	}
	if page.CanImport {
		if v.asSheet() {
			return v.importSheet()
		}
		jobs, next, err := v.Sheets.Imports(v.r.Context(), v.principal, db.Page{Limit: 20, Cursor: v.query("cursor")})
		if err != nil {
			return err
		}
		page.Jobs, page.More, page.Table = jobs, v.nextAddress(next), v.sheetAddress()
	}
	if problem != nil {
		return v.again("imports", "import.title", page, problem)
	}
	return v.show("imports", "import.title", page)
}

func (v *visit) importSheet() error {
	columns := []string{"import.file", "list.state", "import.mode", "import.entries", "import.added", "import.changed", "import.unchanged", "import.wrong", "import.applied", "import.created"}
	return v.sheet("imports", columns, func(cursor string) ([][]string, string, error) {
		jobs, next, err := v.Sheets.Imports(v.r.Context(), v.principal, db.Page{Limit: db.MaxPage, Cursor: cursor})
		var rows [][]string
		for _, j := range jobs {
			rows = append(rows, []string{
				j.FileName, v.word("import_state", j.State), v.word("import_mode", j.Mode), strconv.Itoa(j.Entries), strconv.Itoa(j.Added), strconv.Itoa(j.Changed),
				strconv.Itoa(j.Unchanged), strconv.Itoa(j.Wrong), strconv.Itoa(j.Applied), v.formats.moment(j.CreatedAt),
			})
		}
		return rows, next, err
	})
}

// receiveImport reads the form as a stream: the mode comes before the file.
func (c *console) receiveImport(v *visit) error {
	parts, err := v.r.MultipartReader()
	if err != nil {
		return v.drawImports(noFile())
	}
	mode := sheet.AllRows
	for {
		part, err := parts.NextPart()
		_, bounded := errors.AsType[*http.MaxBytesError](err)
		switch {
		case bounded:
			return v.drawImports(fault.New(fault.TooLarge, "file_too_large", "the file is too large"))
		case err != nil: // The end, or what is no form at all.
			return v.drawImports(noFile())
		}
		switch part.FormName() {
		case "mode":
			raw, err := io.ReadAll(io.LimitReader(part, 20))
			if err != nil {
				return v.drawImports(noFile())
			}
			mode = sheet.Mode(raw)
		case "file":
			if part.FileName() == "" {
				return v.drawImports(noFile())
			}
			j, err := v.Sheets.Receive(v.r.Context(), v.principal, part.FileName(), mode, part)
			if err != nil {
				return v.drawImports(err)
			}
			return v.to(importsPath+"/"+j.ID.String(), "import_received")
		}
	}
}

func noFile() error {
	return fault.InvalidFields([]fault.Field{{Name: "file", Code: "required", Message: "choose a file"}})
}

// importPage is one import with what is wrong in its file.
type importPage struct {
	Job              sheet.Job
	Live, Applicable bool
	Percent          int
	Total            int
	Lines            []importLine
	Next, Table      string
	Result           bool
	Fault            string // Why it failed.
}

type importLine struct {
	sheet.Line
	Title, Sentence string
}

func (v *visit) importOf() (importPage, error) {
	id, err := v.id()
	if err != nil {
		return importPage{}, err
	}
	j, err := v.Sheets.Import(v.r.Context(), v.principal, id)
	if err != nil {
		return importPage{}, err
	}
	page := importPage{Job: j, Live: j.Live(), Applicable: j.Applicable(), Total: j.Entries}
	if j.State == sheet.Applying {
		page.Total = j.Added + j.Changed
	}
	if page.Total > 0 {
		page.Percent = min(100, j.Done*100/page.Total)
	}
	page.Result = !page.Live && j.Entries > 0 && j.Reason != sheet.CodeBadHeader
	if j.State == sheet.Failed {
		page.Fault = v.word("import_fault", j.Reason)
	}
	return page, nil
}

func (c *console) showImport(v *visit) error {
	page, err := v.importOf()
	if err != nil {
		return err
	}
	id := page.Job.ID
	if v.asSheet() {
		return v.sheet("import-errors", []string{"import.sheet", "import.cell", "import.column", "import.what"}, func(cursor string) ([][]string, string, error) {
			lines, next, err := v.importLines(id, db.Page{Limit: db.MaxPage, Cursor: cursor})
			var rows [][]string
			for _, l := range lines {
				rows = append(rows, []string{l.Sheet, l.Cell, l.Title, l.Sentence})
			}
			return rows, next, err
		})
	}
	if !page.Live && page.Job.Troubles > 0 {
		var next string
		if page.Lines, next, err = v.importLines(id, db.Page{Limit: 50, Cursor: v.query("cursor")}); err != nil {
			return err
		}
		page.Next, page.Table = v.nextAddress(next), v.sheetAddress()
	}
	return v.show("import", "import.one", page)
}

func (v *visit) importLines(id uuid.UUID, page db.Page) ([]importLine, string, error) {
	lines, next, err := v.Sheets.Errors(v.r.Context(), v.principal, id, page)
	if err != nil {
		return nil, "", err
	}
	titles := map[string]string{}
	for _, s := range []sheet.Sheet{sheet.Entries, sheet.Items} {
		for _, c := range sheet.Columns(s) {
			titles[s.Title()+c.ID] = c.Title
		}
	}
	out := make([]importLine, len(lines))
	for i, l := range lines {
		out[i] = importLine{Line: l, Title: titles[l.Sheet+l.Column], Sentence: v.word("import_trouble", l.Code)}
		if row, ok := strings.CutPrefix(l.Detail, "row "); ok {
			out[i].Sentence += v.say("import.like_row", "n", row)
		}
	}
	return out, next, nil
}

func (c *console) showImportProgress(v *visit) error {
	page, err := v.importOf()
	if err != nil {
		return err
	}
	if !page.Live {
		v.w.Header().Set("HX-Redirect", importsPath+"/"+page.Job.ID.String())
	}
	return v.part("import", "import_progress", page)
}

func (c *console) applyImport(v *visit) error {
	return v.moveImport("import_applied", func(id uuid.UUID) (string, error) {
		_, err := v.Sheets.Apply(v.r.Context(), v.principal, id, 0)
		return importsPath + "/" + id.String(), err
	})
}

func (c *console) removeImport(v *visit) error {
	return v.moveImport("import_removed", func(id uuid.UUID) (string, error) {
		return importsPath, v.Sheets.Remove(v.r.Context(), v.principal, id, 0)
	})
}

func (v *visit) moveImport(done string, move func(uuid.UUID) (string, error)) error {
	id, err := v.id()
	if err != nil {
		return err
	}
	to, err := move(id)
	if err != nil {
		page, loadErr := v.importOf()
		if loadErr != nil {
			return err
		}
		return v.again("import", "import.one", page, err)
	}
	return v.to(to, done)
}

func (c *console) sendTemplate(v *visit) error {
	return v.sendFile(func() (*sheet.Spool, error) { return sheet.TemplateFile() })
}

func (c *console) sendExport(v *visit) error {
	sel := sheet.Selection{}
	if text := v.query("q"); text != "" {
		sel.Search = &catalog.Query{Text: text}
	}
	if v.query("own") != "" {
		sel.Department = v.principal.Department
	}
	return v.sendFile(func() (*sheet.Spool, error) {
		return v.Sheets.Export(v.r.Context(), v.principal, sel, sheet.Format(v.query("as")))
	})
}

func (c *console) sendResult(v *visit) error {
	id, err := v.id()
	if err != nil {
		return err
	}
	return v.sendFile(func() (*sheet.Spool, error) { return v.Sheets.Result(v.r.Context(), v.principal, id) })
}

// sendFile sends a file that was made for the reader.
func (v *visit) sendFile(make func() (*sheet.Spool, error)) error {
	spool, err := make()
	if err != nil {
		return err
	}
	defer spool.Close()
	h := v.w.Header()
	h.Set("Content-Type", spool.Type)
	h.Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": spool.Name}))
	h.Set("Content-Length", strconv.FormatInt(spool.Size, 10))
	if _, err := io.Copy(v.w, spool); err != nil {
		v.Logger.InfoContext(v.r.Context(), "a file was cut", "route", v.r.Pattern, "error", err)
	}
	return nil
}
