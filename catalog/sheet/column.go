package sheet

import (
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/catalog"
	"github.com/shuqiao/shuqiao/catalog/codes"
	"github.com/shuqiao/shuqiao/catalog/mask"
)

// Sheet is one of the two tables of a file.
type Sheet int

// The sheets.
const (
	Entries Sheet = iota // 资源: one row for an entry.
	Items                // 信息项: one row for an item of an entry.
)

// Title is the name of the sheet in a workbook, and of its file among CSV files.
func (s Sheet) Title() string { return sheetTitles[s][0] }

var sheetTitles = [2][2]string{{"资源", "resources"}, {"信息项", "items"}}

func sheetOf(title string) (Sheet, bool) {
	title = strings.TrimSpace(title)
	for i, names := range sheetTitles {
		if title == names[0] || strings.EqualFold(title, names[1]) {
			return Sheet(i), true
		}
	}
	return 0, false
}

// ExampleKey marks the rows of the template that show how a row is filled in; imports pass over them.
const ExampleKey = "示例行"

// Column is one column of a sheet, for the template and the documentation.
type Column struct {
	ID       string // The path in the API's JSON; "key" links the items to their entry.
	Title    string
	Note     string
	Required bool     // Demanded before an entry can be submitted.
	Choices  []string // What the drop-down offers; nil where anything can be typed.
	Example  string
	Width    float64
}

// Columns returns the columns of a sheet in their order.
func Columns(s Sheet) []Column {
	if s == Entries {
		return describe(entryColumns)
	}
	return describe(itemColumns)
}

func describe[T any](columns []column[T]) []Column {
	out := make([]Column, len(columns))
	for i, c := range columns {
		out[i] = c.Column
	}
	return out
}

// column is a Column that can be read from and written to what it belongs to.
type column[T any] struct {
	Column
	get func(*T, *names) string
	// set takes what a cell says and returns the code of what is wrong with it, or "".
	set func(*T, string, *names) string
}

// entry is a row of the sheet of entries.
type entry struct {
	Key      string // Links its items; the code where there is one.
	Code     string
	Provider string // Credit code of the department.
	catalog.Metadata
}

// itemLine is a row of the sheet of items.
type itemLine struct {
	Of string // Key of its entry.
	catalog.Item
}

// names translates between what cells say and what the catalogue keeps.
type names struct {
	uscc    map[uuid.UUID]string // Credit code by department.
	byUSCC  map[string]uuid.UUID
	systems map[uuid.UUID]string // Of the department of the entry.
	bySys   map[string]uuid.UUID
	bases   []choice // Base databases that exist.
}

// text is a column of free text, which is kept as it is.
func text[T any](c Column, at func(*T) *string) column[T] {
	return column[T]{
		Column: c,
		get:    func(e *T, _ *names) string { return *at(e) },
		set: func(e *T, cell string, _ *names) string {
			*at(e) = cell
			return ""
		},
	}
}

// word is a column of codes and names without blanks around them. Long numbers must not have lost digits.
func word[T any](c Column, at func(*T) *string) column[T] {
	return column[T]{
		Column: c,
		get:    func(e *T, _ *names) string { return *at(e) },
		set: func(e *T, cell string, _ *names) string {
			if lostDigits(cell) {
				return CodeLostDigits
			}
			*at(e) = strings.TrimSpace(cell)
			return ""
		},
	}
}

// onDay is a column of a day.
func onDay[T any](c Column, at func(*T) *string) column[T] {
	out := word(c, at)
	out.set = func(e *T, cell string, _ *names) string {
		d, ok := day(cell)
		if !ok {
			return CodeBadDate
		}
		*at(e) = d
		return ""
	}
	return out
}

// oneOf is a column of a closed list.
func oneOf[T any, S ~string](c Column, choices []choice, at func(*T) *S) column[T] {
	c.Choices = labels(choices)
	return column[T]{
		Column: c,
		get:    func(e *T, _ *names) string { return cellText(choices, string(*at(e))) },
		set: func(e *T, cell string, _ *names) string {
			code, ok := cellCode(choices, cell)
			if !ok {
				return CodeNotChoice
			}
			*at(e) = S(code)
			return ""
		},
	}
}

// flag is a column of yes or no; empty is no.
func flag[T any](c Column, at func(*T) *bool) column[T] {
	c.Choices = labels(yesNo)
	return column[T]{
		Column: c,
		get:    func(e *T, _ *names) string { return cellText(yesNo, strconv.FormatBool(*at(e))) },
		set: func(e *T, cell string, _ *names) string {
			code, ok := cellCode(yesNo, cell)
			if !ok {
				return CodeNotChoice
			}
			*at(e) = code == "true"
			return ""
		},
	}
}

// number is a column of whole numbers; empty is 0.
func number[T any](c Column, at func(*T) *int) column[T] {
	return column[T]{
		Column: c,
		get: func(e *T, _ *names) string {
			if n := *at(e); n != 0 {
				return strconv.Itoa(n)
			}
			return ""
		},
		set: func(e *T, cell string, _ *names) string {
			n, ok := wholeNumber(cell)
			if !ok {
				return CodeNotNumber
			}
			*at(e) = n
			return ""
		},
	}
}

// list is a column of several values with semicolons between them; choices may be nil.
func list[T any, S ~string](c Column, choices []choice, at func(*T) *[]S) column[T] {
	return column[T]{
		Column: c,
		get: func(e *T, _ *names) string {
			var out []string
			for _, s := range *at(e) {
				out = append(out, cellText(choices, string(s)))
			}
			return joinList(out)
		},
		set: func(e *T, cell string, _ *names) string {
			var out []S
			for _, s := range splitList(cell) {
				if choices != nil {
					code, ok := cellCode(choices, s)
					if !ok {
						return CodeNotChoice
					}
					s = code
				}
				out = append(out, S(s))
			}
			*at(e) = out
			return ""
		},
	}
}

// within is a column of a statement that an entry may lack: it is made by the first cell that says something of it.
func within[S any](c column[S], hold func(*catalog.Metadata) **S) column[entry] {
	return column[entry]{
		Column: c.Column,
		get: func(e *entry, n *names) string {
			if s := *hold(&e.Metadata); s != nil {
				return c.get(s, n)
			}
			return ""
		},
		set: func(e *entry, cell string, n *names) string {
			at := hold(&e.Metadata)
			if *at == nil {
				if strings.TrimSpace(cell) == "" {
					return ""
				}
				*at = new(S)
			} else {
				// What the published version states is not to be written into.
				copied := **at
				*at = &copied
			}
			return c.set(*at, cell, n)
		},
	}
}

// department is a column that names a department by its credit code.
func department[T any](c Column, at func(*T) *uuid.UUID) column[T] {
	return column[T]{
		Column: c,
		get:    func(e *T, n *names) string { return n.uscc[*at(e)] },
		set: func(e *T, cell string, n *names) string {
			if lostDigits(cell) {
				return CodeLostDigits
			}
			cell = strings.ToUpper(strings.TrimSpace(cell))
			id, ok := n.byUSCC[cell]
			if !ok && cell != "" {
				return CodeUnknown
			}
			*at(e) = id
			return ""
		},
	}
}

// classes is the column of the classifications: 类-项-目-细目, the primary one with an asterisk.
func classes(c Column) column[entry] {
	return column[entry]{
		Column: c,
		get: func(e *entry, _ *names) string {
			var out []string
			for _, cl := range e.Classifications {
				parts := []string{cl.Class1, cl.Class2, cl.Class3, cl.Class4}
				for i := range parts {
					parts[i] = escape(parts[i], classMarks)
				}
				one := strings.TrimRight(strings.Join(parts, "-"), "-")
				if cl.Primary {
					one += "*"
				}
				out = append(out, one)
			}
			return strings.Join(out, ";")
		},
		set: func(e *entry, cell string, _ *names) string {
			var out []catalog.Classification
			for _, one := range split(cell, ";；\n") {
				if one = strings.TrimSpace(one); one == "" {
					continue
				}
				marked := split(one, "*")
				parts := append(split(marked[0], "-"), "", "", "", "")
				if len(parts) > 8 || len(marked) > 2 || len(marked) == 2 && strings.TrimSpace(marked[1]) != "" {
					return "bad_form"
				}
				for i := range parts {
					parts[i] = unescape(strings.TrimSpace(parts[i]))
				}
				out = append(out, catalog.Classification{Class1: parts[0], Class2: parts[1], Class3: parts[2], Class4: parts[3], Primary: len(marked) == 2})
			}
			if len(out) == 1 {
				out[0].Primary = true
			}
			e.Classifications = out
			return ""
		},
	}
}

// system is the column of the information system, by its name in the register of the department.
func system(c Column) column[entry] {
	return column[entry]{
		Column: c,
		get:    func(e *entry, n *names) string { return n.systems[e.SystemID] },
		set: func(e *entry, cell string, n *names) string {
			cell = strings.TrimSpace(cell)
			id, ok := n.bySys[cell]
			if !ok && cell != "" {
				return CodeUnknown
			}
			e.SystemID = id
			return ""
		},
	}
}

// base is the column of the base database, by name or code.
func base(c Column) column[entry] {
	return column[entry]{
		Column: c,
		get:    func(e *entry, n *names) string { return cellText(n.bases, e.BaseDatabase) },
		set: func(e *entry, cell string, n *names) string {
			code, ok := cellCode(n.bases, cell)
			if !ok {
				return CodeUnknown
			}
			e.BaseDatabase = code
			return ""
		},
	}
}

// known is a word that must be one of a register's.
func known(c Column, offered []string, is func(string) bool, at func(*itemLine) *string) column[itemLine] {
	out := word(c, at)
	out.Choices = offered
	take := out.set
	out.set = func(e *itemLine, cell string, n *names) string {
		if s := strings.TrimSpace(cell); s != "" && !is(s) {
			return CodeUnknown
		}
		return take(e, cell, n)
	}
	return out
}

func maskNames() []string {
	out := []string{catalog.MaskNone}
	for _, m := range mask.Masks() {
		out = append(out, m.Name)
	}
	return out
}

func listNames() []string {
	var out []string
	for _, l := range codes.Lists() {
		out = append(out, l.Name)
	}
	return out
}

func isMask(s string) bool { return slices.Contains(maskNames(), s) }

func isList(s string) bool {
	_, ok := codes.List(s)
	return ok
}
