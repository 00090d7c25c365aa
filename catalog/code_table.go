package catalog

import (
	"time"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/internal/db"
)

// The code tables that the rules of the catalogue look into. Names of tables are stable; the values of the editable ones change.
const (
	TableClassification = "classification" // 类, 项, 目, 细目: codes of 1, 3, 6 and more characters.
	TableTheme          = "theme"          // Entries state the names.
	TableFormat         = "format"         // "3" for a category, "3/MySQL" for a format of it.
	TableDivision       = "division"       // Six, nine or twelve digits.
)

// CodeTable is a list of values that entries are compiled with.
type CodeTable struct {
	Name       string    `json:"name"`
	Title      string    `json:"title"`
	TitleEN    string    `json:"title_en"`
	Basis      string    `json:"basis"`    // The article or standard it comes from, or "".
	Editable   bool      `json:"editable"` // False: fixed by law or standard, shown only.
	Values     int64     `json:"values"`   // Valid today.
	Ended      int64     `json:"ended"`    // Not valid any more.
	RowVersion int64     `json:"row_version"`
	UpdatedAt  time.Time `json:"updated_at"`
}

// CodeValue is one value of a code table with the days on which it is valid. It is never deleted: it ends, and entries that were
// compiled with it keep it. The same code can come again with another name after it has ended.
type CodeValue struct {
	ID        uuid.UUID  `json:"id"`
	Table     string     `json:"table"`
	Code      string     `json:"code"`
	Name      string     `json:"name"`
	NameEN    string     `json:"name_en"`
	Parent    string     `json:"parent"`     // Code of the value above, or "".
	Fixed     bool       `json:"fixed"`      // Cannot end: the program works with it.
	ValidFrom string     `json:"valid_from"` // YYYY-MM-DD, "" for since ever.
	ValidTo   string     `json:"valid_to"`   // The last day, "" for no end.
	Successor string     `json:"successor"`  // Code of the value that takes its place, or "".
	Note      string     `json:"note"`
	AddedBy   uuid.UUID  `json:"added_by"` // Zero for values with which the hub began.
	AddedAt   *time.Time `json:"added_at,omitempty"`
	EndReason string     `json:"end_reason"`
	EndedBy   uuid.UUID  `json:"ended_by"`
	EndedAt   *time.Time `json:"ended_at,omitempty"`

	sort int
}

// ValidOn reports whether the value is valid on a day, YYYY-MM-DD.
func (v CodeValue) ValidOn(day string) bool {
	return v.ValidFrom <= day && (v.ValidTo == "" || day <= v.ValidTo)
}

// NewCodeValue is what the authority states to add a value. Its parent follows from the code.
type NewCodeValue struct {
	Code      string `json:"code"`
	Name      string `json:"name"`
	NameEN    string `json:"name_en"`
	ValidFrom string `json:"valid_from"` // YYYY-MM-DD; "" means today.
	Note      string `json:"note"`       // The document by which it was introduced, or "".
}

// CodeEnd is what the authority states to end a value.
type CodeEnd struct {
	ValidTo   string `json:"valid_to"`  // The last day on which it is valid, YYYY-MM-DD.
	Successor string `json:"successor"` // Code that takes its place, or "".
	Reason    string `json:"reason"`
}

// CodeFilter narrows a list of values. Empty fields do not narrow, but for Day.
type CodeFilter struct {
	Text   string // Part of a code or a name.
	Parent string // Code of the value above.
	Day    string // Valid on this day, YYYY-MM-DD; "" means today.
	Ended  bool   // Values of every day.
}

// CodeChange is one line in the history of a code table.
type CodeChange struct {
	Value  CodeValue `json:"value"`
	Kind   string    `json:"kind"` // added or ended.
	At     time.Time `json:"at"`
	By     uuid.UUID `json:"by"`
	Reason string    `json:"reason"` // The note of what was added, the reason of what was ended.
}

type codeTableRow struct {
	Name       string
	Title      string
	TitleEN    string `db:"title_en"`
	Basis      string
	Editable   bool
	Values     int64
	Ended      int64
	RowVersion int64
	UpdatedAt  time.Time
}

func (r codeTableRow) table() (CodeTable, error) {
	t := CodeTable(r)
	t.UpdatedAt = r.UpdatedAt.UTC()
	return t, nil
}

type codeValueRow struct {
	ID        uuid.UUID
	TableName string
	Code      string
	Title     string
	TitleEN   string `db:"title_en"`
	Parent    string
	Fixed     bool
	Sort      int
	FromDay   string
	ToDay     string
	Successor string
	Note      string
	AddedBy   *uuid.UUID
	AddedAt   *time.Time
	EndReason string
	EndedBy   *uuid.UUID
	EndedAt   *time.Time
}

// codeColumns are those of codeValueRow; days without end are "".
const codeColumns = `id, table_name, code, title, title_en, parent, fixed, sort,
	CASE WHEN isfinite(valid_from) THEN to_char(valid_from, 'YYYY-MM-DD') ELSE '' END AS from_day,
	coalesce(to_char(valid_to, 'YYYY-MM-DD'), '') AS to_day, successor, note, added_by, added_at, end_reason, ended_by, ended_at`

func (r codeValueRow) value() (CodeValue, error) {
	return CodeValue{
		ID: r.ID, Table: r.TableName, Code: r.Code, Name: r.Title, NameEN: r.TitleEN, Parent: r.Parent, Fixed: r.Fixed,
		ValidFrom: r.FromDay, ValidTo: r.ToDay, Successor: r.Successor, Note: r.Note, AddedBy: given(r.AddedBy), AddedAt: db.UTC(r.AddedAt),
		EndReason: r.EndReason, EndedBy: given(r.EndedBy), EndedAt: db.UTC(r.EndedAt), sort: r.Sort,
	}, nil
}
