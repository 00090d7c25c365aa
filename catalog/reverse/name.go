package reverse

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// The bounds of names and texts in characters (domain tables 2.2 and 2.4).
const (
	maxName       = 100
	maxIdentifier = 63
	maxDefinition = 1_000
)

// titleOf is the part of a comment that is a name: up to the first sign that begins an explanation. "" when there is none.
func titleOf(comment string) string {
	comment = clean(comment)
	if at := strings.IndexFunc(comment, func(r rune) bool { return strings.ContainsRune("\n\r\t,,。;;::((\u3010[|", r) }); at > 0 {
		comment = comment[:at]
	}
	return shorten(strings.TrimSpace(comment), maxName)
}

// clean is text of a source as the directory can keep it.
func clean(s string) string { return strings.TrimSpace(strings.Map(printable, s)) }

// printable drops control characters other than those that part lines, and what is no Unicode.
func printable(r rune) rune {
	if r == utf8.RuneError || unicode.IsControl(r) && !unicode.IsSpace(r) {
		return -1
	}
	return r
}

func shorten(s string, most int) string {
	if utf8.RuneCountInString(s) <= most {
		return s
	}
	return string([]rune(s)[:most])
}

// identifierOf makes an identifier of a column's name: lower case, words parted by underscores, a letter first. "" when the name
// has no letter or digit of ASCII.
func identifierOf(column string) string {
	var b strings.Builder
	lower := false // The last one was a lower-case letter or digit, so that a capital begins a word.
	for _, r := range column {
		switch {
		case r >= 'A' && r <= 'Z':
			if lower {
				b.WriteByte('_')
			}
			b.WriteRune(r + 'a' - 'A')
			lower = false
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			b.WriteRune(r)
			lower = true
		default:
			b.WriteByte('_')
			lower = false
		}
	}
	parts := strings.FieldsFunc(b.String(), func(r rune) bool { return r == '_' })
	out := strings.Join(parts, "_")
	if out != "" && (out[0] < 'a' || out[0] > 'z') {
		out = "c_" + out
	}
	return strings.TrimRight(out[:min(len(out), maxIdentifier)], "_")
}

// distinct returns name, with a number behind it when it is taken, and takes it.
func distinct(name string, most int, taken map[string]bool) string {
	out := name
	for n := 2; taken[out]; n++ {
		suffix := "_" + strconv.Itoa(n)
		out = shorten(name, most-len(suffix)) + suffix
	}
	taken[out] = true
	return out
}
