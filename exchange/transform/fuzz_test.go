package transform

import (
	"bytes"
	"math/big"
	"strings"
	"testing"
	"time"
)

// A date or time that is read is one that package time reads to the same instant, and its store form reads to itself.
func FuzzMoment(f *testing.F) {
	for _, s := range []string{
		"2026-02-13", "20260213", "2026/2/13 8:30", "2026-02-13T08:30:00.123456+08:00", "20260213083000", "2026-02-13 08:30:00-03",
		"1988-07-01 12:00:00", "0001-01-01", "9999-12-31T23:59:59Z", "2026-02-30", "1900-12-31 23:59:59",
	} {
		f.Add(s)
	}
	plan := mustCompile(f, []Item{{No: 1, Letter: 'T'}, {No: 2, Letter: 'D'}}, []Column{{Kind: KindText}, {Kind: KindText}})
	local, err := shanghai()
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, s string) {
		var row, again Row
		plan.Row(table{cells(s, s)}, 0, &row)
		stored := texts(row.Values)
		if stored[0] != null {
			got, err := time.Parse(time.RFC3339Nano, stored[0])
			if err != nil {
				t.Fatalf("%q is stored as %q: %v", s, stored[0], err)
			}
			for _, layout := range []string{"2006-01-02", "20060102", "2006/1/2", "2006-01-02 15:04:05", "20060102150405"} {
				if want, err := time.ParseInLocation(layout, strings.TrimSpace(s), local); err == nil && want.Unix() != got.Unix() {
					t.Fatalf("%q is stored as %v, want %v", s, got, want.UTC())
				}
			}
		}
		if len(row.Reasons) == 0 && stored[0] != null {
			plan.Row(table{cells(stored[0], stored[1])}, 0, &again)
			if got := texts(again.Values); got[0] != stored[0] || got[1] != stored[1] {
				t.Fatalf("%q: stored form %q reads as %q", s, stored, got)
			}
		}
	})
}

// A number that is read has the value that arbitrary precision gives it, in a form that reads to itself.
func FuzzNumber(f *testing.F) {
	for _, s := range []string{"0", "-0.0", "+1.50", ".5", "5.", "00012", "1e5", "-.0", "--1", "1.2.3", "9223372036854775808"} {
		f.Add(s)
	}
	plan := mustCompile(f, []Item{{No: 1, Letter: 'N'}, {No: 2, Letter: 'I'}, {No: 3, Letter: 'B'}, {No: 4, Letter: 'N'}},
		[]Column{{Kind: KindText}, {Kind: KindText}, {Kind: KindText}, {Kind: KindFloat}})
	f.Fuzz(func(t *testing.T, s string) {
		var row, again Row
		plan.Row(table{cells(s, s, s, s)}, 0, &row)
		stored := texts(row.Values)
		if n := stored[0]; n != null {
			want, ok := new(big.Rat).SetString(strings.TrimSpace(s))
			got, gotOK := new(big.Rat).SetString(n)
			if !ok || !gotOK || want.Cmp(got) != 0 {
				t.Fatalf("%q is stored as %q", s, n)
			}
			plan.Row(table{cells(n, n, n, n)}, 0, &again)
			if got := texts(again.Values)[0]; got != n {
				t.Fatalf("stored form %q reads as %q", n, got)
			}
		}
	})
}

// Geometry bytes never panic, and what is accepted is a fixed point with the box that its bytes say.
func FuzzGeometry(f *testing.F) {
	for _, s := range []string{
		"\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x20\x5e\x40\x00\x00\x00\x00\x00\x40\x3e\x40", "POINT(120 30)", "MULTIPOINT((120 30),(121 31))",
		`{"type":"Point","coordinates":[120,30]}`, `{"type":"GeometryCollection","geometries":[]}`, "SRID=4490;POLYGON((120 30,121 30,121 31,120 30))",
		"GEOMETRYCOLLECTION(POINT(120 30))", "0101000000", `{"type":"Polygon","coordinates":null}`,
	} {
		f.Add([]byte(s))
	}
	raw, text := geometryPlan(f, KindGeometry), geometryPlan(f, KindText)
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, plan := range []*Plan{raw, text} {
			var row, again Row
			plan.Row(table{{b}}, 0, &row)
			if len(row.Reasons) > 0 || row.Values[0] == nil {
				continue
			}
			raw.Row(table{{row.raw[0]}}, 0, &again)
			if !bytes.Equal(again.Values[0], row.Values[0]) || again.Boxes[0] != row.Boxes[0] || again.Hash != row.Hash {
				t.Fatalf("%q: the stored form %s reads as %s", b, row.Values[0], again.Values[0])
			}
		}
	})
}

// An escaped field holds no bare tab or line end and unescapes to itself.
func FuzzEncodeCopyText(f *testing.F) {
	for _, s := range []string{"", `\N`, "a\tb", "\\\n", "\v\f\b\r", "张三"} {
		f.Add([]byte(s))
	}
	unescape := strings.NewReplacer(`\\`, `\`, `\b`, "\b", `\f`, "\f", `\n`, "\n", `\r`, "\r", `\t`, "\t", `\v`, "\v")
	f.Fuzz(func(t *testing.T, b []byte) {
		if b == nil {
			b = []byte{}
		}
		got := EncodeCopyText(nil, b)
		if bytes.ContainsAny(got, "\t\n\r") || string(got) == `\N` || unescape.Replace(string(got)) != string(b) {
			t.Fatalf("%q is escaped as %q", b, got)
		}
	})
}

// No text, whatever it holds, makes a row of validators and codes panic or repeats itself in a reason.
func FuzzText(f *testing.F) {
	for _, s := range []string{"", " ", "11010519491231002X", "９１", "\xff", "a\x00", "~1"} {
		f.Add(s, s)
	}
	items := []Item{
		{No: 1, Letter: 'C', Key: true, Length: 18, Validator: "citizen_id"},
		{No: 2, Identifier: "t", Letter: 'C', Key: true, Codes: []string{"111", "414"}},
		{No: 3, Letter: 'C', Validator: "id_number_by_type:t"},
		{No: 4, Letter: 'L'},
	}
	text := Column{Kind: KindText}
	plan := mustCompile(f, items, []Column{text, text, text, text})
	f.Fuzz(func(t *testing.T, a, b string) {
		var row Row
		plan.Row(table{cells(a, b, a, b)}, 0, &row)
		for _, r := range row.Reasons {
			if r.Code == "" || r.Message == "" || (len(a) > 12 && strings.Contains(r.Message, a)) {
				t.Fatalf("bad reason %+v", r)
			}
		}
		if row.KeyOK {
			if parts, ok := SplitKey(row.Key); !ok || len(parts) != 2 || parts[0] != string(row.Values[0]) {
				t.Fatalf("key %q does not split into its parts", row.Key)
			}
		}
	})
}
