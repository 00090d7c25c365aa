package replica

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/shuqiao/shuqiao/api/client"
)

// One value has one canonical form, whether the hub, PostgreSQL or a key wrote it, and different values have different ones.
func TestCanonical(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		letter string
		texts  []string
		want   string
	}{
		{"T", []string{"2026-02-13T18:00:00.5+08:00", "2026-02-13 10:00:00.5+00", "2026-02-13 15:30:00.500000+05:30"}, "2026-02-13T10:00:00.5Z"},
		{"T", []string{"9999-12-31T23:59:59+08:00", "9999-12-31 15:59:59+00"}, "9999-12-31T15:59:59Z"},
		{"L", []string{"true", "t"}, "true"},
		{"L", []string{"false", "f"}, "false"},
		{"B", []string{"3.4028235e+38", "3.4028235e38"}, "3.4028235e+38"},
		{"B", []string{"14", "14.0"}, "14"},
		{"I", []string{"9007199254740993"}, "9007199254740993"},
		{"N", []string{"12.50"}, "12.50"},
		{"C", []string{"t"}, "t"},
	} {
		for _, text := range c.texts {
			if got := canonical(c.letter, text); got != c.want {
				t.Errorf("%s %q: got %q, want %q", c.letter, text, got, c.want)
			}
		}
	}
}

// A row and the key of its delete have one identity, also where keys have several parts that hold the joint itself.
func TestIdentity(t *testing.T) {
	t.Parallel()
	s := Shape{Columns: []Column{{Identifier: "label", Letter: "C"}, {Identifier: "slot", Letter: "I", Key: 2}, {Identifier: "station", Letter: "C", Key: 1}}}
	for key, row := range map[string][2]string{"A~0~0~11": {"A~~", "1"}, "~01~1-2": {"~1", "-2"}, "~10": {"", "0"}} {
		parts, err := s.keyParts(key)
		if err != nil {
			t.Fatal(err)
		}
		label := "x"
		if got, want := s.identity(cells{&label, &row[1], &row[0]}), s.keyIdentity(parts); got != want || want != key {
			t.Errorf("row %q: identity %q, of its key %q, key %q", row, got, want, key)
		}
	}
	if _, err := s.keyParts("A"); err == nil {
		t.Error("half of a key is taken")
	}
}

// The content hash does not depend on the order of rows, tells NULL from empty text and one column from another, and counts
// a row that is there twice.
func TestHash(t *testing.T) {
	t.Parallel()
	s := Shape{Columns: []Column{{Identifier: "a", Letter: "C", Key: 1}, {Identifier: "b", Letter: "C"}}}
	text := func(v string) *string { return &v }
	of := func(rows ...cells) Hash {
		var h Hash
		for _, row := range rows {
			h.add(s, row)
		}
		return h
	}
	one, two := cells{text("1"), text("x")}, cells{text("2"), nil}
	if of(one, two) != of(two, one) {
		t.Error("the order of rows counts")
	}
	seen := map[string]string{}
	for name, rows := range map[string][]cells{
		"one": {one}, "one twice": {one, one}, "two": {two}, "empty text": {{text("2"), text("")}}, "other column": {{nil, text("2")}}, "none": nil,
		"split elsewhere": {{text("1x"), text("")}},
	} {
		h := of(rows...)
		if other, ok := seen[h.String()]; ok || len(h.String()) != 32 {
			t.Errorf("%s and %s have the hash %s", name, other, h.String())
		}
		seen[h.String()] = name
	}
}

// CSV keeps what a reader of RFC 4180 needs: quotes, commas and line ends inside cells, and NULL apart from empty text.
func TestCSVLine(t *testing.T) {
	t.Parallel()
	text := func(v string) *string { return &v }
	got := string(csvLine(cells{text("a"), nil, text(""), text(`say "x", y`), text("two\nlines"), text(" padded")}))
	if diff := cmp.Diff("a,,\"\",\"say \"\"x\"\", y\",\"two\nlines\",\" padded\"\r\n", got); diff != "" {
		t.Error(diff)
	}
}

// A schema without a way to tell rows apart is refused, and so are rows that are not of their shape.
func TestShapeRefuses(t *testing.T) {
	t.Parallel()
	items := []client.SchemaItem{{Identifier: "no", DataType: "C", Key: true}, {Identifier: "title", DataType: "C"}}
	for _, schema := range []client.Schema{{Items: items}, {Items: items[1:], Key: []string{"no"}}} {
		if _, err := newShape(schema); err == nil {
			t.Errorf("a shape of %+v", schema)
		}
	}
	s, err := newShape(client.Schema{Items: items, Key: []string{"no"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []client.RawRow{{"no": []byte(`"1"`)}, {"no": []byte("null"), "title": []byte(`"x"`)}, {"no": []byte(`"`), "title": []byte("null")}} {
		if got, err := s.row(row); err == nil {
			t.Errorf("%s became %v", fmt.Sprint(row), got)
		}
	}
}
