package city

import (
	"strings"
	"unicode/utf8"
)

// Kind says in which way a row is wrong.
type Kind string

// The kinds of wrong rows.
const (
	BadCheckDigit    Kind = "bad_check_digit"     // The last character of an identifier is not the computed one.
	ImpossibleID     Kind = "impossible_id_date"  // The check digit is right, the birth date inside is not a day.
	ImpossibleDate   Kind = "impossible_date"     // The form of a date, but no such day.
	BadDate          Kind = "bad_date"            // Text that is no date.
	UnknownCode      Kind = "unknown_code"        // A value outside its code list.
	UnknownDivision  Kind = "unknown_division"    // A division code of a province that does not exist.
	TooLong          Kind = "too_long"            // More characters than the template allows.
	BadNumber        Kind = "bad_number"          // Text that is no number.
	NumberOutOfRange Kind = "number_out_of_range" // More digits before the point than the template allows.
	BadGeometry      Kind = "bad_geometry"        // Text that is no geometry.
	OutOfBounds      Kind = "out_of_bounds"       // Latitude and longitude exchanged, outside the bounds of CGCS2000.
	DuplicateKey     Kind = "duplicate_key"       // The key of the row before; both rows share one key.
	NullKey          Kind = "null_key"            // No key at all.
)

// Wrong is one row that is wrong on purpose. Setting Column back to GoodValue in row Row makes it right.
type Wrong struct {
	Database  string
	Table     string
	Kind      Kind
	Row       int64  // Value of the table's RowColumn.
	RowColumn string // Name of that column.
	Key       string // Canonical key of the row as it stands (parts joined by "~1", "~" inside a part as "~0"); empty for NullKey.
	Column    string
	GoodValue string
}

// Rejected returns how many source rows a validating reader refuses per table: a duplicate key costs both of its rows.
func Rejected(wrong []Wrong) map[string]int {
	m := map[string]int{}
	for _, w := range wrong {
		m[w.Table]++
		if w.Kind == DuplicateKey {
			m[w.Table]++
		}
	}
	return m
}

// null stands for NULL in a record; PostgreSQL text can hold no such character.
const null = "\x00"

// flaw is one way to make a row of a table wrong. item is the template item that suffers; spoil turns its good value into
// the wrong one. DuplicateKey and NullKey need no spoil.
type flaw struct {
	kind  Kind
	item  string
	spoil func(good string) string
}

// shareWrong is the reciprocal of the share of wrong rows.
const shareWrong = 200

// spoiler walks through the rows of one table and makes some wrong.
type spoiler struct {
	table     table
	database  string
	keys      []int
	rows      []int // row numbers (from 0) at which the next flaw becomes due, ascending
	flaws     []int // indexes into table.flaws, waiting
	next      int
	previous  []string // key of the row before; nil when that row is wrong
	inventory []Wrong
}

func newSpoiler(database string, t table, seed uint64, n int) *spoiler {
	s := &spoiler{table: t, database: database, keys: t.keyColumns()}
	count := max(2, (n+shareWrong/2)/shareWrong)
	stride := n / count
	r := randomAt(seed, "wrong:"+t.Name, 0)
	for k := range count {
		// Three good rows at least lie between two wrong ones, so a flaw that does not fit a row may wait for the next
		// and a duplicate key always has a right partner.
		s.rows = append(s.rows, k*stride+1+r.intN(max(1, stride-4)))
	}
	return s
}

// apply makes record i wrong when a flaw is due and fits. rec holds all columns of the table.
func (s *spoiler) apply(i int, rec []string) {
	for s.next < len(s.rows) && s.rows[s.next] <= i {
		s.flaws = append(s.flaws, s.next%len(s.table.flaws))
		s.next++
	}
	spoilt := false
	if len(s.flaws) > 0 && s.previous != nil {
		spoilt = s.try(i, s.table.flaws[s.flaws[0]], rec)
	}
	if spoilt {
		s.flaws = s.flaws[1:]
		s.previous = nil
		return
	}
	s.previous = s.previous[:0]
	for _, k := range s.keys {
		s.previous = append(s.previous, rec[k])
	}
}

// try reports whether the flaw fitted the record.
func (s *spoiler) try(i int, f flaw, rec []string) bool {
	column := s.table.column(f.item)
	good := rec[column]
	if good == null {
		return false
	}
	switch f.kind {
	case NullKey:
		rec[column] = null
	case DuplicateKey:
		for k, at := range s.keys {
			if at != column && rec[at] != s.previous[k] {
				return false // more than one key column differs: one column could not restore the row
			}
			if at == column {
				rec[column] = s.previous[k]
			}
		}
	default:
		rec[column] = f.spoil(good)
	}
	s.inventory = append(s.inventory, Wrong{
		Database: s.database, Table: s.table.Name, Kind: f.kind, Row: int64(i + 1), RowColumn: s.table.RowColumn,
		Key: canonicalKey(rec, s.keys), Column: s.table.Columns[column].Name, GoodValue: good,
	})
	return true
}

// canonicalKey joins the key parts of a record; it is empty when one of them is NULL.
func canonicalKey(rec []string, keys []int) string {
	parts := make([]string, 0, len(keys))
	for _, k := range keys {
		if rec[k] == null {
			return ""
		}
		parts = append(parts, strings.ReplaceAll(rec[k], "~", "~0"))
	}
	return strings.Join(parts, "~1")
}

// otherLast exchanges the last character for another of the alphabet, so that a check character becomes wrong.
func otherLast(alphabet string) func(string) string {
	return func(good string) string {
		last := len(good) - 1
		at := strings.IndexByte(alphabet, good[last])
		return good[:last] + string(alphabet[(at+1)%len(alphabet)])
	}
}

// longer repeats the value until it has more than limit characters.
func longer(limit int) func(string) string {
	return func(good string) string {
		b := good
		for utf8.RuneCountInString(b) <= limit {
			b += good
		}
		return b
	}
}

// fixed always yields the same wrong value.
func fixed(wrong string) func(string) string { return func(string) string { return wrong } }
