package filter

import (
	"cmp"
	"math"
	"strconv"
	"strings"
	"time"
)

// Ops is a set of the operators that look at an item.
type Ops uint16

// NewOps returns the set of the given operators. and, or and not belong to no set: they are always allowed.
func NewOps(ops ...Op) Ops {
	var set Ops
	for _, op := range ops {
		set |= bit(op)
	}
	return set
}

// LookupOps is what a caller may do with a masked item whose grant says lookup: ask for known clear values, by eq and
// in. Order and prefixes would find an unknown value by halving; not around eq tells no more than eq does.
func LookupOps() Ops { return NewOps(OpEq, OpIn) }

// LetterOps returns the operators that make sense for an item's data type letter (C, N, Y, D, T, L, M, G, B, I, F), and
// the empty set for any other letter. For G it includes bbox; take that out (Without) where only rows' items may
// decide, as in a grant's row filter.
func LetterOps(letter byte) Ops {
	r, _ := ruleOf(letter)
	return r.ops
}

// Has reports whether op is in the set.
func (s Ops) Has(op Op) bool { return s&bit(op) != 0 }

// Without returns the set without op.
func (s Ops) Without(op Op) Ops { return s &^ bit(op) }

func bit(op Op) Ops {
	switch op {
	case OpEq:
		return 1 << 0
	case OpNe:
		return 1 << 1
	case OpLt:
		return 1 << 2
	case OpLe:
		return 1 << 3
	case OpGt:
		return 1 << 4
	case OpGe:
		return 1 << 5
	case OpIn:
		return 1 << 6
	case OpPrefix:
		return 1 << 7
	case OpBetween:
		return 1 << 8
	case OpIsNull:
		return 1 << 9
	case OpBBox:
		return 1 << 10
	default:
		return 0
	}
}

// Column says how one item may be filtered.
type Column struct {
	SQL    string    // Quoted column expression, for example `r."c17"`. Trusted: it goes into the SQL text as it is.
	Box    [4]string // For G: the expressions of the envelope's west, south, east, north (double precision); else empty.
	Letter byte      // The item's data type letter.
	Ops    Ops       // What this caller may do with the item; the zero set lists the item but refuses every use.
}

// Schema lists the items a filter may name, by identifier. An identifier in the schema may be repeated in a fault; one
// that is not in it never is, so list only items whose existence the caller may know.
type Schema map[string]Column

// scalar is one value ready to be compared: of a filter (with its SQL text) or of a row.
type scalar struct {
	sql   string // as PostgreSQL reads it, for filter values only
	text  string // C, M, D
	whole int64  // I; T in microseconds since 1970 UTC; L as 0 or 1
	float float64
	dec   decimal
}

// rule is what the letters of one type share.
type rule struct {
	cast    string // PostgreSQL type of the column and of the parameters
	collate string // appended to the cast parameter so that the comparison is binary
	ops     Ops
	want    string // says which JSON value to write
	literal func(literal) (scalar, bool)
	row     func(string) (scalar, bool) // reads a stored value in its text form
	compare func(a, b scalar) int
}

func ordered() Ops {
	return NewOps(OpEq, OpNe, OpLt, OpLe, OpGt, OpGe, OpIn, OpBetween, OpIsNull)
}

// ruleOf returns the rule of a data type letter.
func ruleOf(letter byte) (rule, bool) {
	switch letter {
	case 'C':
		return textRule(ordered() | NewOps(OpPrefix)), true
	case 'M':
		return textRule(NewOps(OpEq, OpIsNull)), true
	case 'N', 'Y':
		return rule{
			cast: "numeric", ops: ordered(), want: "write a number, or a decimal in a string",
			literal: numericLiteral, row: numericRow,
			compare: func(a, b scalar) int { return a.dec.compare(b.dec) },
		}, true
	case 'I':
		return rule{
			cast: "bigint", ops: ordered(), want: "write a whole number of at most 64 bits",
			literal: wholeLiteral, row: wholeRow, compare: compareWhole,
		}, true
	case 'B', 'F':
		return rule{
			cast: "double precision", ops: ordered(), want: "write a number",
			literal: floatLiteral, row: floatRow,
			compare: func(a, b scalar) int { return compareFloat(a.float, b.float) },
		}, true
	case 'D':
		return rule{
			cast: "date", ops: ordered(), want: "write a date as YYYY-MM-DD",
			literal: dateLiteral, row: dateRow, compare: compareText,
		}, true
	case 'T':
		return rule{
			cast: "timestamptz", ops: ordered(),
			want:    "write a time by RFC 3339 with its offset and at most six decimals of a second",
			literal: timeLiteral, row: timeRow, compare: compareWhole,
		}, true
	case 'L':
		return rule{
			cast: "boolean", ops: NewOps(OpEq, OpNe, OpIn, OpIsNull), want: "write true or false",
			literal: boolLiteral, row: boolRow, compare: compareWhole,
		}, true
	case 'G':
		return rule{ops: NewOps(OpBBox, OpIsNull)}, true
	default:
		return rule{}, false
	}
}

func textRule(ops Ops) rule {
	return rule{
		cast: "text", collate: ` COLLATE "C"`, ops: ops, want: "write a string",
		literal: func(l literal) (scalar, bool) {
			return scalar{sql: l.text, text: l.text}, l.kind == literalText
		},
		row:     func(s string) (scalar, bool) { return scalar{text: s}, true },
		compare: compareText,
	}
}

// compareText compares bytes, as PostgreSQL does under COLLATE "C".
func compareText(a, b scalar) int { return strings.Compare(a.text, b.text) }

func compareWhole(a, b scalar) int { return cmp.Compare(a.whole, b.whole) }

// compareFloat orders as PostgreSQL does: NaN equals NaN and is greater than every other value.
func compareFloat(a, b float64) int {
	switch {
	case math.IsNaN(a) && math.IsNaN(b):
		return 0
	case math.IsNaN(a):
		return 1
	case math.IsNaN(b):
		return -1
	default:
		return cmp.Compare(a, b)
	}
}

func numericLiteral(l literal) (scalar, bool) {
	d, ok := literalDecimal(l.text)
	return scalar{sql: d.String(), dec: d}, ok && l.kind != literalBool
}

func numericRow(s string) (scalar, bool) {
	d, ok := readDecimal(s)
	return scalar{dec: d}, ok
}

func wholeLiteral(l literal) (scalar, bool) {
	d, ok := literalDecimal(l.text)
	if !ok || l.kind == literalBool || d.exp > 19 {
		return scalar{}, false
	}
	text := d.String()
	i, err := strconv.ParseInt(text, 10, 64)
	return scalar{sql: text, whole: i}, err == nil
}

func wholeRow(s string) (scalar, bool) {
	i, err := strconv.ParseInt(s, 10, 64)
	return scalar{whole: i}, err == nil
}

func floatLiteral(l literal) (scalar, bool) {
	d, ok := literalDecimal(l.text)
	if !ok || l.kind == literalBool {
		return scalar{}, false
	}
	f, err := strconv.ParseFloat(d.String(), 64)
	return scalar{sql: strconv.FormatFloat(f, 'g', -1, 64), float: f}, err == nil
}

func floatRow(s string) (scalar, bool) {
	f, err := strconv.ParseFloat(s, 64)
	return scalar{float: f}, err == nil
}

func dateLiteral(l literal) (scalar, bool) {
	s, ok := dateRow(l.text)
	s.sql = s.text
	return s, ok && l.kind == literalText
}

// dateRow accepts YYYY-MM-DD of the years 0001 to 9999; in this form the order of the text is the order of the days.
func dateRow(s string) (scalar, bool) {
	day, err := time.Parse(time.DateOnly, s)
	return scalar{text: s}, err == nil && day.Year() >= 1
}

func timeLiteral(l literal) (scalar, bool) {
	at, err := time.Parse(time.RFC3339Nano, l.text)
	at = at.UTC()
	if l.kind != literalText || err != nil || at.Nanosecond()%1000 != 0 || at.Year() < 1 || at.Year() > 9999 {
		return scalar{}, false
	}
	return scalar{sql: at.Format("2006-01-02T15:04:05.999999Z07:00"), whole: at.UnixMicro()}, true
}

// timeRow accepts RFC 3339 and PostgreSQL's ISO output under TimeZone UTC.
func timeRow(s string) (scalar, bool) {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02 15:04:05.999999-07"} {
		if at, err := time.Parse(layout, s); err == nil {
			return scalar{whole: at.UnixMicro()}, true
		}
	}
	return scalar{}, false
}

func boolLiteral(l literal) (scalar, bool) {
	s, ok := boolRow(l.text)
	s.sql = l.text
	return s, ok && l.kind == literalBool
}

func boolRow(s string) (scalar, bool) {
	switch s {
	case "true", "t":
		return scalar{whole: 1}, true
	case "false", "f":
		return scalar{whole: 0}, true
	default:
		return scalar{}, false
	}
}
