package transform

import (
	"encoding/binary"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/paulmach/orb"
	"github.com/paulmach/orb/encoding/ewkb"
	"github.com/paulmach/orb/encoding/wkb"
)

// pointWKB is POINT(120.5 30.25) as little-endian WKB.
const pointWKB = `\x01010000000000000000205e400000000000403e40`

func geometryPlan(t testing.TB, kind Kind) *Plan {
	return mustCompile(t, []Item{{No: 1, Letter: 'G', Format: FormatGeometry}}, []Column{{Kind: kind}})
}

// Every notation of the same geometry is stored as the same bytes, hashes alike and has the same box.
func TestGeometryNotations(t *testing.T) {
	t.Parallel()
	point := orb.Point{120.5, 30.25}
	tests := []struct {
		name string
		kind Kind
		in   []byte
	}{
		{"little-endian WKB", KindGeometry, wkb.MustMarshal(point, binary.LittleEndian)},
		{"big-endian WKB", KindGeometry, wkb.MustMarshal(point, binary.BigEndian)},
		{"EWKB of CGCS2000", KindBytes, ewkb.MustMarshal(point, 4490)},
		{"EWKB without reference system", KindGeometry, ewkb.MustMarshal(point, 0)},
		{"hexadecimal EWKB", KindText, []byte(strings.ToUpper(hex.EncodeToString(ewkb.MustMarshal(point, 4490))))},
		{"WKT", KindText, []byte("POINT(120.5 30.25)")},
		{"EWKT", KindText, []byte(" SRID=4490;POINT (120.5 30.25) ")},
		{"GeoJSON text", KindText, []byte(`{"type":"Point","coordinates":[120.5,30.25]}`)},
		{"GeoJSON", KindJSON, []byte(` {"type":"Point","coordinates":[120.5,30.25]}`)},
	}
	var first [16]byte
	for _, tt := range tests {
		var row Row
		geometryPlan(t, tt.kind).Row(table{{tt.in}}, 0, &row)
		if got := texts(row.Values)[0]; got != pointWKB {
			t.Errorf("%s: got %s (%s), want %s", tt.name, got, codesOf(row.Reasons), pointWKB)
			continue
		}
		if want := (Box{120.5, 30.25, 120.5, 30.25, true}); row.Boxes[0] != want {
			t.Errorf("%s: got box %v, want %v", tt.name, row.Boxes[0], want)
		}
		if first == [16]byte{} {
			first = row.Hash
		}
		if row.Hash != first {
			t.Errorf("%s: hashes differ", tt.name)
		}
	}
}

// What is no plane geometry inside the bounds of CGCS2000 is refused by the reason that fits.
func TestGeometryRefusals(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, in, want string
	}{
		{"polygon", "POLYGON((120 30,121 30,121 31,120 30))", ""},
		{"polygon with a hole", "POLYGON((120 30,122 30,122 32,120 30),(121 30.5,121.2 30.5,121.2 30.6,121 30.5))", ""},
		{"multipolygon", "MULTIPOLYGON(((120 30,121 30,121 31,120 30)))", ""},
		{"collection", "GEOMETRYCOLLECTION(POINT(120 30),LINESTRING(120 30,121 31))", ""},
		{"western and southern bound", "POINT(73.62 16.7)", ""},
		{"eastern and northern bound", "POINT(134.77 53.56)", ""},
		{"axes swapped", "POINT(30.25 120.5)", ReasonOutOfBounds},
		{"one vertex outside", "LINESTRING(120 30,135 30)", ReasonOutOfBounds},
		{"another reference system", "SRID=3857;POINT(120 30)", ReasonBadGeometry},
		{"another reference system in EWKB", hex.EncodeToString(ewkb.MustMarshal(orb.Point{120, 30}, 4326)), ReasonBadGeometry},
		{"ring not closed", "POLYGON((120 30,121 30,121 31,120 31))", ReasonBadGeometry},
		{"ring of three points", "POLYGON((120 30,121 30,120 30))", ReasonBadGeometry},
		{"line of one point", "LINESTRING(120 30)", ReasonBadGeometry},
		{"empty", "POINT EMPTY", ReasonBadGeometry},
		{"empty collection", "GEOMETRYCOLLECTION EMPTY", ReasonBadGeometry},
		{"no geometry", "somewhere", ReasonBadGeometry},
		{"GeoJSON of another kind", `{"type":"Feature"}`, ReasonBadGeometry},
		{"NaN", "0101000000000000000000f87f0000000000403e40", ReasonBadGeometry},
		{"cut off", "0101000000000000000000", ReasonBadGeometry},
		{"bytes behind", pointWKB[2:] + "00", ReasonBadGeometry},
		{"three dimensions", "0101000080000000000000205e400000000000403e400000000000000000", ReasonBadGeometry},
		{"more points than bytes", "010200000000ffffff", ReasonBadGeometry},
		{"collections without end", strings.Repeat("GEOMETRYCOLLECTION(", 100), ReasonBadGeometry},
	}
	plan := geometryPlan(t, KindText)
	for _, tt := range tests {
		var row Row
		plan.Row(table{{[]byte(tt.in)}}, 0, &row)
		got := ""
		if len(row.Reasons) > 0 {
			got = row.Reasons[0].Code
		}
		if got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
}

// Bounds finds the box over all parts, and refuses what is no geometry.
func TestBounds(t *testing.T) {
	t.Parallel()
	got, ok := Bounds(wkb.MustMarshal(orb.Collection{orb.Point{120, 30}, orb.LineString{{-1, 31}, {121, -5}}}))
	if want := (Box{-1, -5, 121, 31, true}); !ok || got != want {
		t.Errorf("got %v %v, want %v", got, ok, want)
	}
	if _, ok := Bounds([]byte("x")); ok {
		t.Error("a letter has bounds")
	}
}
