package filter_test

import (
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/shuqiao/shuqiao/internal/fault"
	"github.com/shuqiao/shuqiao/sharing/filter"
)

// Parse never panics, refuses only with filter_invalid, and what it accepts reads back from its canonical form.
func FuzzParse(f *testing.F) {
	f.Fuzz(func(t *testing.T, data []byte) {
		n, err := filter.Parse(data)
		if err != nil {
			if n != nil || fault.KindOf(err) != fault.Invalid || fault.CodeOf(err) != filter.CodeInvalid {
				t.Fatalf("got node %v and %v", n, err)
			}
			return
		}
		canonical := n.Canonical()
		again, err := filter.Parse(canonical)
		if err != nil {
			t.Fatalf("canonical form %s is refused: %v", canonical, err)
		}
		if got := again.Canonical(); string(got) != string(canonical) {
			t.Fatalf("canonical form is not stable:\n%s\n%s", canonical, got)
		}
		if strings.ContainsRune(filter.Words(n, "zh-CN", nil, nil)+filter.Words(n, "en", nil, nil), utf8.RuneError) &&
			!strings.ContainsRune(string(canonical), utf8.RuneError) {
			t.Fatalf("the words of %s are broken text", canonical)
		}
	})
}

// Bind never panics, refuses only with its two codes, and the SQL of what it accepts consists of the schema's columns,
// operators, casts and parameters, one argument each; evaluating it on rows of any text does not panic.
func FuzzBind(f *testing.F) {
	piece := regexp.MustCompile(`^(?:\(|\)|NOT | AND | OR | IS NULL|r\."[a-z_]+"| (?:=|<>|<|<=|>|>=) | = ANY |` +
		`\$\d+::(?:text|numeric|bigint|double precision|date|timestamptz|boolean)(?:\[\])?(?: COLLATE "C")?)+$`)
	placeholder := regexp.MustCompile(`\$\d+`)
	schema := fullSchema()
	f.Fuzz(func(t *testing.T, data []byte, value string) {
		n, err := filter.Parse(data)
		if err != nil {
			return
		}
		bound, err := filter.Bind(n, schema)
		if err != nil {
			kind, code := fault.KindOf(err), fault.CodeOf(err)
			if (kind != fault.Invalid || code != filter.CodeInvalid) && (kind != fault.Forbidden || code != filter.CodeNotGranted) {
				t.Fatalf("got %v", err)
			}
			return
		}
		where, args := bound.SQL(1)
		if !piece.MatchString(where) {
			t.Fatalf("the SQL holds something else than its own pieces: %s", where)
		}
		if got := len(placeholder.FindAllString(where, -1)); got != len(args) {
			t.Fatalf("%d parameters, %d arguments: %s", got, len(args), where)
		}
		for _, arg := range args {
			if text, ok := arg.(string); !ok || !utf8.ValidString(text) || strings.ContainsRune(text, 0) {
				t.Fatalf("argument %q is not text that PostgreSQL takes", arg)
			}
		}
		missing := bound.Eval(func(string) ([]byte, bool) { return nil, true })
		present := bound.Eval(func(string) ([]byte, bool) { return []byte(value), false })
		for _, answer := range []filter.Truth{missing, present} {
			if answer != filter.False && answer != filter.Unknown && answer != filter.True {
				t.Fatalf("answer %d is none of the three", answer)
			}
		}
	})
}
