package console

import (
	"net/http"
	"net/url"
	"time"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/catalog"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
)

const codeTablesPath = prefix + "/code-tables"

// codeTableRoutes are the code tables of the directory.
func (c *console) codeTableRoutes(m *http.ServeMux) {
	m.Handle("GET /ui/code-tables", c.page(c.showCodeTables))
	m.Handle("GET /ui/code-tables/{table}", c.page(c.showCodeTable))
	m.Handle("POST /ui/code-tables/{table}", c.page(c.addCodeValue))
	m.Handle("POST /ui/code-tables/{table}/{id}/end", c.page(c.endCodeValue))
}

type codeTableRow struct {
	catalog.CodeTable
	Name, Href string
}

// codeTablesPage lists the tables: those that can be edited, and those that a law or a standard fixes.
type codeTablesPage struct {
	Editable, Fixed []codeTableRow
	Sheet           string
}

func (c *console) showCodeTables(v *visit) error {
	all, err := v.Catalog.CodeTables(v.r.Context(), v.principal)
	if err != nil {
		return err
	}
	page := codeTablesPage{Sheet: v.sheetAddress()}
	for _, t := range all {
		row := codeTableRow{CodeTable: t, Name: v.pick(t.Title, t.TitleEN), Href: codeTablesPath + "/" + t.Name}
		if t.Editable {
			page.Editable = append(page.Editable, row)
		} else {
			page.Fixed = append(page.Fixed, row)
		}
	}
	if v.asSheet() {
		return v.sheet("code-tables", []string{"codes.table", "codes.identifier", "codes.basis", "codes.values", "codes.ended", "codes.edited"}, func(string) ([][]string, string, error) {
			var rows [][]string
			for _, r := range append(page.Editable, page.Fixed...) {
				rows = append(rows, []string{r.Name, r.CodeTable.Name, r.Basis, count(r.Values), count(r.Ended), v.formats.moment(r.UpdatedAt)})
			}
			return rows, "", nil
		})
	}
	return v.show("code_tables", "codes.title", page)
}

// codeTablePage is one table: its values on a day, or its history.
type codeTablePage struct {
	codeTableRow
	Tabs     []tab
	Values   []codeValueRow
	Changes  []catalog.CodeChange // With the history.
	History  bool
	More     string
	Sheet    string
	Text     string
	Parent   string
	Day      string
	Today    string
	Ended    bool
	Narrowed bool
	CanWrite bool
	Adding   bool // A new value was refused.
	New      catalog.NewCodeValue
}

type codeValueRow struct {
	catalog.CodeValue
	Over     bool // Not valid on the day of the list.
	CanEnd   bool
	Open     bool // Its end was refused.
	End      catalog.CodeEnd
	Below    string // Address of the values below it, or "".
	LastName string
}

func (c *console) showCodeTable(v *visit) error { return v.drawCodeTable(uuid.Nil, nil) }

// drawCodeTable draws a table; ended names the value whose end was refused, uuid.Nil with a problem a new one.
func (v *visit) drawCodeTable(ended uuid.UUID, problem error) error {
	ctx := v.r.Context()
	t, err := v.Catalog.CodeTable(ctx, v.principal, v.r.PathValue("table"))
	if err != nil {
		return err
	}
	at := codeTablesPath + "/" + url.PathEscape(t.Name)
	page := codeTablePage{
		codeTableRow: codeTableRow{CodeTable: t, Name: v.pick(t.Title, t.TitleEN), Href: at}, History: v.query("tab") == "history" && problem == nil,
		Sheet: v.sheetAddress(), Text: v.query("q"), Parent: v.query("parent"), Day: v.query("day"), Ended: v.query("ended") != "",
		Today: v.Clock().In(v.formats.zone).Format(time.DateOnly), Adding: problem != nil && ended == uuid.Nil,
		CanWrite: t.Editable && v.may(authz.CodeTableWrite, authz.Target{Kind: "code_table", ID: t.Name}),
	}
	page.Narrowed = page.Text != "" || page.Parent != "" || page.Day != "" || page.Ended
	page.Tabs = []tab{
		{Key: "codes.tab_values", Icon: "list-details", Href: at, Active: !page.History},
		{Key: "codes.tab_history", Icon: "history", Href: at + "?tab=history", Active: page.History},
	}
	if page.History {
		return v.drawCodeHistory(page)
	}
	f := catalog.CodeFilter{Text: page.Text, Parent: page.Parent, Day: page.Day, Ended: page.Ended}
	if v.asSheet() {
		return v.codeSheet(t.Name, f)
	}
	values, next, err := v.Catalog.CodeValues(ctx, v.principal, t.Name, f, db.Page{Limit: 50, Cursor: v.query("cursor")})
	if fault.Is(err, fault.Invalid) && problem == nil {
		problem = err // A day that is none: shown at its field, above an empty list.
	} else if err != nil {
		return err
	}
	day := page.Day
	if day == "" {
		day = page.Today
	}
	for _, value := range values {
		row := codeValueRow{CodeValue: value, Over: !value.ValidOn(day), CanEnd: page.CanWrite && !value.Fixed && value.ValidTo == "", Open: value.ID == ended}
		row.LastName = v.pick(value.Name, value.NameEN)
		if t.Name == catalog.TableDivision || t.Name == catalog.TableClassification || t.Name == catalog.TableFormat {
			row.Below = at + "?" + url.Values{"parent": {value.Code}}.Encode()
		}
		if row.Open {
			row.End = v.typedEnd()
		} else {
			row.End.ValidTo = page.Today
		}
		page.Values = append(page.Values, row)
	}
	if next != "" {
		q := v.r.URL.Query()
		q.Set("cursor", next)
		q.Del("done")
		page.More = at + "?" + q.Encode()
	}
	page.New.ValidFrom = page.Today
	if page.Adding {
		page.New = v.typedCode()
	}
	if problem != nil {
		return v.again("code_table", page.Name, page, problem)
	}
	return v.show("code_table", page.Name, page)
}

func (v *visit) codeSheet(table string, f catalog.CodeFilter) error {
	columns := []string{"codes.code", "codes.name", "codes.name_en", "codes.parent", "codes.valid_from", "codes.valid_to", "codes.successor", "codes.note", "codes.end_reason"}
	return v.sheet("code-table-"+table, columns, func(cursor string) ([][]string, string, error) {
		values, next, err := v.Catalog.CodeValues(v.r.Context(), v.principal, table, f, db.Page{Limit: db.MaxPage, Cursor: cursor})
		var rows [][]string
		for _, c := range values {
			rows = append(rows, []string{c.Code, c.Name, c.NameEN, c.Parent, c.ValidFrom, c.ValidTo, c.Successor, c.Note, c.EndReason})
		}
		return rows, next, err
	})
}

func (v *visit) drawCodeHistory(page codeTablePage) error {
	read := func(p db.Page) ([]catalog.CodeChange, string, error) {
		return v.Catalog.CodeHistory(v.r.Context(), v.principal, page.CodeTable.Name, p)
	}
	if v.asSheet() {
		return v.sheet("code-table-"+page.CodeTable.Name+"-history", []string{"codes.at", "codes.change", "codes.code", "codes.name", "codes.valid_from", "codes.valid_to", "codes.successor", "codes.reason"}, func(cursor string) ([][]string, string, error) {
			changes, next, err := read(db.Page{Limit: db.MaxPage, Cursor: cursor})
			var rows [][]string
			for _, c := range changes {
				rows = append(rows, []string{v.formats.moment(c.At), v.word("code_change", c.Kind), c.Value.Code, c.Value.Name, c.Value.ValidFrom, c.Value.ValidTo, c.Value.Successor, c.Reason})
			}
			return rows, next, err
		})
	}
	var next string
	var err error
	if page.Changes, next, err = read(db.Page{Limit: 50, Cursor: v.query("cursor")}); err != nil {
		return err
	}
	if next != "" {
		page.More = page.Href + "?tab=history&cursor=" + next
	}
	return v.show("code_table", page.Name, page)
}

func (v *visit) typedCode() catalog.NewCodeValue {
	return catalog.NewCodeValue{Code: v.field("code"), Name: v.field("name"), NameEN: v.field("name_en"), ValidFrom: v.field("valid_from"), Note: v.field("note")}
}

func (v *visit) typedEnd() catalog.CodeEnd {
	return catalog.CodeEnd{ValidTo: v.field("valid_to"), Successor: v.field("successor"), Reason: v.field("reason")}
}

func (c *console) addCodeValue(v *visit) error {
	table := v.r.PathValue("table")
	if _, err := v.Catalog.AddCodeValue(v.r.Context(), v.principal, table, v.typedCode()); err != nil {
		return v.codesRefused(uuid.Nil, err)
	}
	return v.to(codeTablesPath+"/"+table, "code_added")
}

func (c *console) endCodeValue(v *visit) error {
	id, err := v.id()
	if err != nil {
		return err
	}
	table := v.r.PathValue("table")
	if _, err := v.Catalog.EndCodeValue(v.r.Context(), v.principal, table, id, v.typedEnd()); err != nil {
		return v.codesRefused(id, err)
	}
	return v.to(codeTablesPath+"/"+table, "code_ended")
}

func (v *visit) codesRefused(id uuid.UUID, err error) error {
	if fault.Is(err, fault.NotFound) || fault.Is(err, fault.Forbidden) {
		return err
	}
	return v.drawCodeTable(id, err)
}
