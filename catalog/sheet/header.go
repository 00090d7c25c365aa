package sheet

import (
	"strings"

	"github.com/xuri/excelize/v2"
)

// ErrorColumn is the column of a result that says what is wrong with a row. Imports pass over it, so that a result can be mended and
// sent again.
const (
	errorTitle = "错误说明"
	errorID    = "errors"
)

// Header says which column of the file is which.
type Header struct {
	Rows   int      `json:"rows"`   // How many rows it takes: the titles, and the identifiers below them.
	Titles []string `json:"titles"` // As the file has them.
	IDs    []string `json:"ids"`    // By column of the file; "" for one that is passed over.
}

// Trouble is what is wrong with one cell.
type Trouble struct {
	Sheet  Sheet
	Row    int    // From 1, as spreadsheets count.
	Col    int    // From 0; -1 where it is the row as a whole.
	Column string // Identifier of the column, "" where it is the row as a whole.
	Code   string
	Detail string // What the catalogue's rules say of it, or the row it clashes with; never what the cell holds.
}

// Cell is the address of the cell, or the number of the row where it is no single one.
func (t Trouble) Cell() string { return cellName(t.Row, t.Col) }

func cellName(row, col int) string {
	name, err := excelize.CoordinatesToCellName(max(col, 0)+1, row)
	if err != nil {
		return ""
	}
	return name
}

// identify finds the column of a header cell, by identifier or title.
func identify(columns []Column, cell string) (id string, byID, known bool) {
	cell = strings.TrimRight(strings.TrimSpace(cell), "*＊")
	for _, c := range columns {
		if cell == c.ID {
			return c.ID, true, true
		}
		if cell == c.Title {
			return c.ID, false, true
		}
	}
	return "", false, cell == errorTitle || cell == errorID
}

// readHeader reads the first one or two rows of a sheet. second may be nil.
func readHeader(s Sheet, first, second []string) (Header, []Trouble) {
	columns := Columns(s)
	h := Header{Rows: 1, Titles: trimmed(first)}
	source, row := h.Titles, 1
	ids := 0
	for _, cell := range second {
		if _, byID, _ := identify(columns, cell); byID {
			ids++
		}
	}
	if ids >= 2 {
		h.Rows = 2
		source, row = trimmed(second), 2
	}
	var wrong []Trouble
	h.IDs = make([]string, len(source))
	seen := map[string]bool{}
	for i, cell := range source {
		title := cell
		if cell == "" && row == 2 && i < len(h.Titles) {
			title = h.Titles[i]
		}
		if title == "" {
			continue
		}
		id, _, known := identify(columns, title)
		at := Trouble{Sheet: s, Row: row, Col: i, Column: id}
		switch {
		case !known:
			at.Code = CodeColumn
			wrong = append(wrong, at)
		case id != "" && seen[id]:
			at.Code = CodeDuplicate
			wrong = append(wrong, at)
		}
		if id != "" && !seen[id] {
			h.IDs[i] = id
			seen[id] = true
		}
	}
	missing := ""
	switch {
	case s == Entries && !seen["name"] && !seen["code"]:
		missing = "name"
	case s == Items && !seen["key"]:
		missing = "key"
	case s == Items && !seen["identifier"]:
		missing = "identifier"
	}
	if missing != "" {
		wrong = append(wrong, Trouble{Sheet: s, Row: row, Col: -1, Column: missing, Code: CodeNoColumn})
	}
	return h, wrong
}

// trimmed drops blanks around the cells of a row, and empty cells at its end.
func trimmed(row []string) []string {
	out := make([]string, len(row))
	n := 0
	for i, cell := range row {
		if out[i] = strings.TrimSpace(cell); out[i] != "" {
			n = i + 1
		}
	}
	return out[:n]
}

// find returns the column of the file that holds an identifier, -1 when none does.
func (h Header) find(id string) int {
	for i, have := range h.IDs {
		if have == id {
			return i
		}
	}
	return -1
}

// cell returns what a row says in a column, "" when the file does not have it.
func (h Header) cell(cells []string, id string) string {
	if i := h.find(id); i >= 0 && i < len(cells) {
		return cells[i]
	}
	return ""
}
