package console

import (
	"cmp"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/catalog"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// sourceRow is a source in a list.
type sourceRow struct {
	catalog.Source
	Department string // For readers who see those of every department.
	Kind       string
	Address    string
	Probe      string // State of the last probe: ok, failed or never.
}

type sourceList struct {
	Rows      []sourceRow
	All       bool // Those of every department.
	CanCreate bool
	Table     string
	More      string
}

func (c *console) showSources(v *visit) error {
	all := v.may(authz.SourceRead, authz.Target{Kind: "source"})
	department := v.principal.Department
	if all {
		department = uuid.Nil
	}
	names := v.names()
	page := func(cursor string, limit int) ([]sourceRow, string, error) {
		found, next, err := v.Catalog.Sources(v.r.Context(), v.principal, department, db.Page{Limit: limit, Cursor: cursor})
		rows := make([]sourceRow, 0, len(found))
		for _, s := range found {
			row := v.sourceRow(s)
			if all {
				row.Department = names.department(s.DepartmentID)
			}
			rows = append(rows, row)
		}
		return rows, next, err
	}
	if v.asSheet() {
		columns := []string{"source.name", "source.department", "source.kind", "source.address", "source.probe", "source.probed_at", "source.product"}
		return v.sheet("sources", columns, func(cursor string) (cells [][]string, next string, err error) {
			rows, next, err := page(cursor, db.MaxPage)
			for _, r := range rows {
				last := cmp.Or(r.LastProbe, &catalog.ProbeResult{})
				cells = append(cells, []string{
					r.Name, names.department(r.DepartmentID), r.Kind, r.Address, v.word("probe_state", r.Probe), v.formats.second(last.At),
					strings.TrimSpace(last.Product + " " + last.Version),
				})
			}
			return cells, next, err
		})
	}
	rows, next, err := page(v.query("cursor"), 30)
	if err != nil {
		return err
	}
	return v.show("sources", "sources.title", sourceList{
		Rows: rows, All: all, CanCreate: v.may(authz.SourceWrite, v.own("source")), Table: v.sheetAddress(), More: v.nextAddress(next),
	})
}

// nextAddress is the address of this list's next page with the filters that are in the address now, "" after the last.
func (v *visit) nextAddress(cursor string) string {
	if cursor == "" {
		return ""
	}
	q := v.r.URL.Query()
	q.Del("done")
	q.Set("cursor", cursor)
	return v.r.URL.Path + "?" + q.Encode()
}

func (v *visit) sourceRow(s catalog.Source) sourceRow {
	row := sourceRow{Source: s, Kind: s.Driver, Address: addressOf(s), Probe: "never"}
	if spec, ok := v.driver(s.Driver); ok {
		row.Kind = v.pick(spec.SummaryZH, spec.Summary)
		if name := v.say("driver." + s.Driver); name != "driver."+s.Driver {
			row.Kind = name
		}
	}
	switch {
	case s.LastProbe == nil:
	case s.LastProbe.OK:
		row.Probe = "ok"
	default:
		row.Probe = "failed"
	}
	return row
}

// addressOf is where a source is, as far as its settings say so without its secrets.
func addressOf(s catalog.Source) string {
	address := s.Settings["host"]
	if address != "" && s.Settings["port"] != "" {
		address += ":" + s.Settings["port"]
	}
	if s.Settings["database"] != "" {
		address += "/" + s.Settings["database"]
	}
	return address
}

func (v *visit) driver(name string) (catalog.DriverSpec, bool) {
	for _, d := range v.Catalog.Drivers() {
		if d.Name == name {
			return d, true
		}
	}
	return catalog.DriverSpec{}, false
}

// sourcePage is one source: what is stated, what it answered last, and what it feeds.
type sourcePage struct {
	Row        sourceRow
	Department string
	Settings   []sourceSetting
	Diagnosis  *diagnosis
	Mounts     []catalog.MountEntry
	More       bool // It feeds more than are shown.
	CanEdit    bool
	CanProbe   bool
	CanMount   bool
	CanDraft   bool
	Drift      *driftCard
}

// sourceSetting is one setting as the page shows it; a secret never has a value.
type sourceSetting struct {
	Label, Help, Value string
	Secret, Default    bool
}

// diagnosis says in plain words what became of a connection: how far it came, whose side must look, and what to do.
type diagnosis struct {
	OK        bool
	Code      string
	Steps     []probeStep
	Side      string
	Advice    string // A sentence in the reader's language, or the source's own.
	Technical string // The words of the connector, where the page has better ones.
	Warnings  []string
}

type probeStep struct{ Key, Class string }

// probeSteps are what connecting consists of, with the failures that end each step.
var probeSteps = []struct {
	key   string
	codes []string
}{
	{"allowed", []string{"source_not_allowed", "source_credentials"}},
	{"reach", []string{"source_down", "source_timeout"}},
	{"sign_in", []string{"source_auth"}},
	{"look", []string{"source_permission", "source_object_missing", "source_column_missing", "source_read_failed"}},
}

// diagnose says what became of a connection; code is "" when it worked.
func (v *visit) diagnose(code, message string) *diagnosis {
	d := &diagnosis{OK: code == "", Code: code, Side: "source", Advice: message}
	if slices.Contains(probeSteps[0].codes, code) || fault.Kind(code) == fault.Internal {
		d.Side = "hub"
	}
	failed := -1
	for i, step := range probeSteps {
		if slices.Contains(step.codes, code) {
			failed = i
		}
	}
	for i, step := range probeSteps {
		class := "past"
		switch {
		case d.OK:
		case i == failed:
			class = "bad"
		case i > failed:
			class = ""
		}
		d.Steps = append(d.Steps, probeStep{"probe_step." + step.key, class})
	}
	if key := "run_advice." + code; code != "" && v.has(key) {
		d.Advice, d.Technical = v.say(key), message
	}
	return d
}

func (c *console) showSource(v *visit) error {
	id, err := v.id()
	if err != nil {
		return err
	}
	return v.drawSource(id, nil)
}

func (v *visit) drawSource(id uuid.UUID, problem error) error {
	s, err := v.Catalog.Source(v.r.Context(), v.principal, id)
	if err != nil {
		return err
	}
	target := authz.Target{Kind: "source", ID: id.String(), Department: s.DepartmentID}
	page := sourcePage{
		Row: v.sourceRow(s), Department: v.department(s.DepartmentID), Settings: v.settings(s), CanEdit: v.may(authz.SourceWrite, target),
		CanProbe: v.may(authz.SourceProbe, target), CanMount: v.may(authz.MountWrite, target),
	}
	if p := s.LastProbe; p != nil {
		page.Diagnosis = v.diagnose(p.Code, p.Advice)
		for _, w := range p.Warnings {
			page.Diagnosis.Warnings = append(page.Diagnosis.Warnings, v.word("probe_warning", w))
		}
		if len(page.Diagnosis.Warnings) > 0 {
			page.Diagnosis.Advice = ""
		}
	}
	mounts, next, err := v.Catalog.MountList(v.r.Context(), v.principal, catalog.MountFilter{SourceID: id}, db.Page{Limit: 20})
	if err != nil {
		return err
	}
	page.Mounts, page.More = mounts, next != ""
	page.CanDraft = v.mayDraft(s)
	if page.Drift, err = v.drift(catalog.DriftFilter{SourceID: id}, s.DepartmentID); err != nil {
		return err
	}
	if problem != nil {
		return v.again("source", s.Name, page, problem)
	}
	return v.show("source", s.Name, page)
}

// settings lists what is stated about a source in the order of its driver's form.
func (v *visit) settings(s catalog.Source) []sourceSetting {
	spec, _ := v.driver(s.Driver)
	var out []sourceSetting
	for _, f := range spec.Fields {
		row := sourceSetting{Label: v.driverFieldLabel(f), Help: v.fieldHelp(f), Value: s.Settings[f.Key], Secret: string(f.Kind) == "secret"}
		if row.Secret {
			row.Value = ""
		} else if row.Value == "" {
			row.Value, row.Default = f.Default, true
		}
		if row.Secret || row.Value != "" {
			out = append(out, row)
		}
	}
	return out
}

// driverFieldLabel is what a setting is called: by its sentence, else by its key.
func (v *visit) driverFieldLabel(f catalog.DriverField) string {
	if key := "source_field." + f.Key; v.has(key) {
		return v.say(key)
	}
	return f.Key
}

// fieldHelp says what to fill in, "" where the name of a setting says it all.
func (v *visit) fieldHelp(f catalog.DriverField) string {
	if key := "source_help." + f.Key; v.has(key) {
		return v.say(key)
	}
	if v.has("source_field." + f.Key) {
		return ""
	}
	return v.pick(f.DocZH, f.Doc)
}

func (c *console) probeSource(v *visit) error {
	id, err := v.id()
	if err != nil {
		return err
	}
	result, err := v.Catalog.Probe(v.r.Context(), v.principal, id)
	if err != nil {
		return v.drawSource(id, err)
	}
	done := "source_probe"
	if !result.OK {
		done = ""
	}
	return v.to(prefix+"/sources/"+id.String(), done)
}

// maxTables bounds how many tables a page lists: beyond, people search.
const (
	maxTables  = 200
	askTables  = 10_000
	maxColumns = 1_000
)

// tablesPage lets people look at what a source has: tables, and the columns of one. It never shows rows.
type tablesPage struct {
	Source   catalog.Source
	Text     string
	Tables   []catalog.SourceTable
	Total    int
	Cut      bool // There are more than are shown.
	Object   string
	Columns  []catalog.SourceColumn
	Failure  *diagnosis
	CanMount bool
}

func (c *console) showTables(v *visit) error {
	ctx := v.r.Context()
	id, err := v.id()
	if err != nil {
		return err
	}
	s, err := v.Catalog.Source(ctx, v.principal, id)
	if err != nil {
		return err
	}
	target := authz.Target{Kind: "source", ID: id.String(), Department: s.DepartmentID}
	page := tablesPage{Source: s, Text: v.query("q"), Object: v.query("object"), CanMount: v.may(authz.MountWrite, target)}
	all, err := v.Catalog.Tables(ctx, v.principal, id, askTables)
	if err == nil && page.Object != "" {
		var schema catalog.SourceSchema
		schema, err = v.Catalog.Describe(ctx, v.principal, id, page.Object)
		page.Columns = schema.Columns[:min(len(schema.Columns), maxColumns)]
	}
	if err != nil {
		if !fromSource(err) {
			return err
		}
		page.Failure = v.diagnose(fault.CodeOf(err), messageOf(err))
	}
	for _, t := range all {
		text := strings.ToLower(t.Schema + "." + t.Name + " " + t.Comment)
		if strings.Contains(text, strings.ToLower(page.Text)) {
			page.Tables = append(page.Tables, t)
		}
	}
	page.Total = len(page.Tables)
	if page.Cut = page.Total > maxTables; page.Cut {
		page.Tables = page.Tables[:maxTables]
	}
	if v.asSheet() && page.Object != "" && page.Failure == nil {
		return v.sheet("columns", []string{"column.name", "column.type", "column.nullable", "column.key", "column.comment"}, func(string) ([][]string, string, error) {
			var cells [][]string
			for _, col := range page.Columns {
				cells = append(cells, []string{col.Name, col.NativeType, v.word("answer", col.Nullable), v.word("answer", col.IsKey), col.Comment})
			}
			return cells, "", nil
		})
	}
	return v.show("tables", "tables.title", page)
}

// fromSource reports whether a fault came from the source rather than from the hub or its rules.
func fromSource(err error) bool { return strings.HasPrefix(fault.CodeOf(err), "source_") }
