package sheet

import (
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/xuri/excelize/v2"
)

// The codes of what can be wrong with one cell, besides those that the catalogue's own rules give.
const (
	CodeFormula    = "formula"         // A formula: only values are taken.
	CodeMerged     = "merged"          // Part of merged cells.
	CodeBroken     = "error_value"     // The spreadsheet's own error, such as #REF!.
	CodeNotChoice  = "not_choice"      // Not one of the values of a closed list.
	CodeNotNumber  = "not_number"      // Not a whole number.
	CodeLostDigits = "lost_digits"     // A number in scientific notation: the spreadsheet has lost its digits.
	CodeBadDate    = "bad_date"        // Not a day of the calendar.
	CodeDuplicate  = "duplicate"       // Another row has the same.
	CodeUnknown    = "unknown"         // Names what does not exist.
	CodeForeign    = "foreign"         // Belongs to another department.
	CodeSelf       = "refers_to_self"  // An entry that names itself as related.
	CodeOrphan     = "no_such_entry"   // An item of an entry that is not in the file.
	CodeReviewed   = "in_review"       // The entry is being reviewed, offline or revoked.
	CodeClass      = "contradicts"     // The code is not one of the entry's primary class.
	CodeColumn     = "unknown_column"  // A column the template does not have.
	CodeNoColumn   = "missing_column"  // A column without which rows cannot be told apart.
	CodeChanged    = "changed_between" // Somebody changed the entry between check and apply.
	CodeTaken      = "taken"           // Another entry has the name or the code.
	CodeManyItems  = "too_many"        // More items than an entry can have.
)

// choice is one value of a closed list as people read it.
type choice struct{ code, label string }

// cellText is what people read for a code, the code itself where the list does not have it.
func cellText(choices []choice, code string) string {
	for _, c := range choices {
		if c.code == code {
			return c.label
		}
	}
	return code
}

// cellCode takes a label or a code, in any case, and returns the code.
func cellCode(choices []choice, text string) (code string, ok bool) {
	text = strings.TrimSpace(text)
	for _, c := range choices {
		if text == c.label || strings.EqualFold(text, c.code) {
			return c.code, true
		}
	}
	return "", text == ""
}

func labels(choices []choice) []string {
	out := make([]string, len(choices))
	for i, c := range choices {
		out[i] = c.label
	}
	return out
}

var yesNo = []choice{{"true", "是"}, {"false", "否"}}

// Lists stand in one cell with semicolons between their elements. An element that holds one, or a backslash, has a backslash
// before it; the empty element is written \0.
const (
	listMarks  = ";；\n\\"
	classMarks = "-*" + listMarks
)

// escape puts a backslash before each of the marks.
func escape(s, marks string) string {
	if !strings.ContainsAny(s, marks) {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		if strings.ContainsRune(marks, r) {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}

// split cuts a text at unescaped separators. The parts keep their backslashes.
func split(s, separators string) []string {
	var parts []string
	var b strings.Builder
	escaped := false
	for _, r := range s {
		switch {
		case escaped:
			escaped = false
			b.WriteRune(r)
		case r == '\\':
			escaped = true
			b.WriteRune(r)
		case strings.ContainsRune(separators, r):
			parts = append(parts, b.String())
			b.Reset()
		default:
			b.WriteRune(r)
		}
	}
	return append(parts, b.String())
}

// unescape takes the backslashes away again.
func unescape(s string) string {
	if !strings.ContainsRune(s, '\\') {
		return s
	}
	if s == `\0` {
		return ""
	}
	var b strings.Builder
	escaped := false
	for _, r := range s {
		if r == '\\' && !escaped {
			escaped = true
			continue
		}
		escaped = false
		b.WriteRune(r)
	}
	return b.String()
}

// joinList is a list as one cell. Blanks at the ends of an element are escaped, too, so that they are not trimmed away.
func joinList(list []string) string {
	parts := make([]string, len(list))
	for i, s := range list {
		if s == "" {
			parts[i] = `\0`
			continue
		}
		runes := []rune(s)
		head, last := "", ""
		if unicode.IsSpace(runes[0]) {
			head, runes = `\`+string(runes[0]), runes[1:]
		}
		if n := len(runes); n > 0 && unicode.IsSpace(runes[n-1]) {
			last, runes = `\`+string(runes[n-1]), runes[:n-1]
		}
		parts[i] = head + escape(string(runes), listMarks) + last
	}
	return strings.Join(parts, ";")
}

// splitList reads a cell that holds a list. Blanks around elements are not part of them; line breaks separate, too.
func splitList(cell string) []string {
	out := []string{}
	for _, part := range split(cell, ";；\n") {
		part = trimElement(part)
		if part == "" {
			continue
		}
		out = append(out, unescape(part))
	}
	return out
}

// trimElement drops blanks around an element, but not those that are escaped.
func trimElement(s string) string {
	s = strings.TrimLeftFunc(s, unicode.IsSpace)
	t := strings.TrimRightFunc(s, unicode.IsSpace)
	slashes := len(t) - len(strings.TrimRight(t, `\`))
	if rest := s[len(t):]; slashes%2 == 1 && rest != "" {
		_, size := utf8.DecodeRuneInString(rest)
		t += rest[:size]
	}
	return t
}

// wholeNumber reads a cell that holds a whole number; spreadsheets write some of them as 20.0.
func wholeNumber(s string) (int, bool) {
	s = strings.TrimSpace(s)
	if s == "" {
		return 0, true
	}
	if whole, rest, found := strings.Cut(s, "."); found && strings.Trim(rest, "0") == "" {
		s = whole
	}
	n, err := strconv.Atoi(s)
	return n, err == nil
}

// lostDigits reports whether a spreadsheet has turned a long number into one with an exponent.
func lostDigits(s string) bool {
	mantissa, exponent, found := strings.Cut(strings.ToUpper(strings.TrimSpace(s)), "E+")
	return found && mantissa != "" && exponent != "" && strings.Trim(mantissa, "0123456789.") == "" && strings.Trim(exponent, "0123456789") == ""
}

// broken are the errors that spreadsheets show in cells.
var broken = []string{"#N/A", "#REF!", "#VALUE!", "#DIV/0!", "#NAME?", "#NULL!", "#NUM!", "#SPILL!"}

func isBroken(s string) bool { return slices.Contains(broken, strings.TrimSpace(s)) }

// dayForms are the forms in which people write days.
var dayForms = []string{time.DateOnly, "2006-1-2", "2006/1/2", "2006.1.2", "2006年1月2日", "20060102"}

// day reads a day: as people write it, or as the number of days by which spreadsheets keep it.
func day(s string) (string, bool) {
	s = strings.TrimSpace(s)
	if s == "" {
		return "", true
	}
	for _, form := range dayForms {
		if t, err := time.Parse(form, s); err == nil {
			return t.Format(time.DateOnly), true
		}
	}
	// 20,000 days are the year 1954, 80,000 the year 2119.
	if n, err := strconv.ParseFloat(s, 64); err == nil && n > 20_000 && n < 80_000 {
		if t, err := excelize.ExcelDateToTime(n, false); err == nil {
			return t.Format(time.DateOnly), true
		}
	}
	return "", false
}
