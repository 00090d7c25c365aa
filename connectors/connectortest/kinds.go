package connectortest

import (
	"bytes"
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/shuqiao/shuqiao/connectors"
)

// values are cells of each kind that must survive the way through a source: extremes, empty against NULL, characters
// outside the basic plane, and everything that has a meaning in some quoting.
func values(kind connectors.Kind) []string {
	switch kind {
	case connectors.Text:
		return []string{
			"", " ", "王小明", "𠮷野家😀", "a\tb\nc\r\\N\\.'\"`;--", "NULL", "null", "\\x41", "{a,\"b\"}", "\u00e9", "e\u0301",
			strings.Repeat("数", 50_000),
		}
	case connectors.Integer:
		return []string{"0", "-1", "7", "9223372036854775807", "-9223372036854775808"}
	case connectors.Decimal:
		return []string{
			"0", "0.00", "-0.01", "1200.50", "12345678901234567890.123456789", "-99999999999999999999999999999999999999",
			"0.000000000000000000000000000001",
		}
	case connectors.Float:
		return []string{"0", "-2.5", "1.5e-07", "1e+20", "0.1", "3.141592653589793", "1.7976931348623157e+308", "5e-324"}
	case connectors.Bool:
		return []string{"true", "false"}
	case connectors.Date:
		return []string{"0001-01-01", "1582-10-10", "1900-02-28", "2024-02-29", "9999-12-31"}
	case connectors.Timestamp:
		return []string{
			"0001-01-01T00:00:00Z", "1970-01-01T00:00:00Z", "1927-12-31T15:54:17Z", "2026-02-28T16:00:00.250000Z",
			"2026-02-28T16:00:00.000001Z", "9999-12-31T23:59:59.999999Z",
		}
	case connectors.LocalTimestamp:
		return []string{"0001-01-01T00:00:00", "1986-05-04T00:30:00", "2026-03-01T00:00:00.100000", "9999-12-31T23:59:59.999999"}
	case connectors.Time:
		return []string{"00:00:00", "09:30:00.500000", "23:59:59.999999"}
	case connectors.Bytes:
		return []string{"", "\x00", "\xff\xfe\x00\x80", "\\x41", string(allBytes())}
	case connectors.Geometry:
		return []string{string(point(120.58, 30.01)), string(point(-0.5, 0))}
	case connectors.JSON:
		return []string{`{}`, `[]`, `null`, `{"a": {"b": [1, 2.50, "𠮷\""]}}`, `"text"`}
	}
	return nil
}

func allBytes() []byte {
	out := make([]byte, 256)
	for i := range out {
		out[i] = byte(i)
	}
	return out
}

// point is a WKB point, little-endian. Source: OGC 06-103r4, 8.2.
func point(x, y float64) []byte {
	out := []byte{1, 1, 0, 0, 0}
	for _, v := range []float64{x, y} {
		for shift := 0; shift < 64; shift += 8 {
			out = append(out, byte(math.Float64bits(v)>>shift))
		}
	}
	return out
}

// same reports whether two cells of a kind are the same value where the form leaves room; elsewhere equal bytes are.
func same(kind connectors.Kind, a, b string) bool {
	if a == null || b == null {
		return a == b
	}
	switch kind {
	case connectors.Float:
		x, errX := strconv.ParseFloat(a, 64)
		y, errY := strconv.ParseFloat(b, 64)
		return errX == nil && errY == nil && x == y && len(b) <= len(strconv.FormatFloat(x, 'g', -1, 64))+17
	case connectors.JSON:
		var x, y bytes.Buffer
		return json.Compact(&x, []byte(a)) == nil && json.Compact(&y, []byte(b)) == nil && x.String() == y.String()
	}
	return a == b
}

// testKinds: per kind, every value and NULL arrive as they were, through a read and through a look-up.
func testKinds(t *testing.T, h Harness) {
	settings := h.NewConfig(t)
	c := h.open(t, settings, connectors.Options{})
	for _, kind := range h.Kinds {
		cells := append([]string{null}, values(kind)...)
		if len(cells) == 1 {
			continue
		}
		object := h.Load(t, settings, Table{
			Name: "kind_" + string(kind),
			Columns: []connectors.Column{
				{Name: "id", Kind: connectors.Integer},
				{Name: "value", Kind: kind, Nullable: true},
			},
			Key:  []string{"id"},
			Rows: generated(len(cells), func(i int) []string { return []string{strconv.Itoa(i), cells[i]} }),
		})
		schema, err := c.Describe(t.Context(), object)
		if err != nil {
			t.Fatal(err)
		}
		if got := schema.Columns[1].Kind; got != kind {
			t.Errorf("kind %s is described as %s", kind, got)
		}
		keys := make([][]string, len(cells))
		for i := range cells {
			keys[i] = []string{strconv.Itoa(i)}
		}
		read, err := c.Read(t.Context(), connectors.ReadRequest{Object: object, Columns: []string{"id", "value"}, OrderBy: []string{"id"}})
		checkCells(t, kind, cells, rows(t, read, err))
		found, err := c.Lookup(t.Context(), connectors.LookupRequest{
			Object: object, Columns: []string{"id", "value"}, KeyColumns: []string{"id"}, Keys: keys,
		})
		checkCells(t, kind, cells, rows(t, found, err))
	}
}

// checkCells compares rows of (id, value) with the values by id.
func checkCells(t *testing.T, kind connectors.Kind, want []string, got [][]string) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%s: %d rows, want %d", kind, len(got), len(want))
	}
	for _, row := range got {
		id, err := strconv.Atoi(row[0])
		if err != nil || id >= len(want) {
			t.Fatalf("%s: id %q", kind, row[0])
		}
		if !same(kind, want[id], row[1]) {
			t.Errorf("%s: value %d differs (-want +got):\n%s", kind, id, cmp.Diff(want[id], row[1]))
		}
	}
}
