package connectortest

import (
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/shuqiao/shuqiao/connectors"
)

// wide is a table of n rows of about 220 bytes, all saying version in their last column.
func wide(name string, n int, version string) Table {
	padding := strings.Repeat("数", 64)
	return Table{
		Name: name,
		Columns: []connectors.Column{
			{Name: "id", Kind: connectors.Integer},
			{Name: "padding", Kind: connectors.Text, Nullable: true},
			{Name: "version", Kind: connectors.Text},
		},
		Key:  []string{"id"},
		Rows: generated(n, func(i int) []string { return []string{strconv.Itoa(i), padding, version} }),
	}
}

func wideColumns() []string { return []string{"id", "padding", "version"} }

// countVersion reads the rest of a stream and returns its rows, of which each must say version.
func countVersion(t *testing.T, s *connectors.Stream, version string) int {
	t.Helper()
	n := 0
	for {
		b, err := s.Next(t.Context())
		if err == connectors.ErrEndOfData { //nolint:errorlint // The contract is the sentinel itself.
			return n
		}
		if err != nil {
			t.Fatal(err)
		}
		for row := range b.Rows {
			if got := string(b.Cell(row, 2)); got != version {
				t.Fatalf("row %s says %q, want %q", b.Cell(row, 0), got, version)
			}
		}
		n += b.Rows
	}
}

// testReadSnapshot: when all rows change after the first batch, the read goes on in the old state, and the next one sees
// the new.
func testReadSnapshot(t *testing.T, h Harness) {
	settings := h.NewConfig(t)
	const n = 40_000
	object := h.Load(t, settings, wide("read_snapshot", n, "old"))
	c := h.open(t, settings, connectors.Options{})
	read := func() *connectors.Stream {
		s, err := c.Read(t.Context(), connectors.ReadRequest{Object: object, Columns: wideColumns(), OrderBy: []string{"id"}})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	s := read()
	first, err := s.Next(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	seen := first.Rows
	h.Replace(t, settings, wide("read_snapshot", n/2, "new"))
	if got := seen + countVersion(t, s, "old"); got != n {
		t.Errorf("%d rows, want %d", got, n)
	}
	closeStream(t, s)
	s = read()
	if got := countVersion(t, s, "new"); got != n/2 {
		t.Errorf("%d rows after the change, want %d", got, n/2)
	}
	closeStream(t, s)
}

// testLookupSnapshot: the same for a look-up that needs many batches.
func testLookupSnapshot(t *testing.T, h Harness) {
	settings := h.NewConfig(t)
	const n = 20_000
	object := h.Load(t, settings, wide("lookup_snapshot", n, "old"))
	c := h.open(t, settings, connectors.Options{})
	keys := make([][]string, n)
	for i := range keys {
		keys[i] = []string{strconv.Itoa(i)}
	}
	s, err := c.Lookup(t.Context(), connectors.LookupRequest{Object: object, Columns: wideColumns(), KeyColumns: []string{"id"}, Keys: keys})
	if err != nil {
		t.Fatal(err)
	}
	defer closeStream(t, s)
	first, err := s.Next(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	seen := first.Rows
	h.Replace(t, settings, wide("lookup_snapshot", n/2, "new"))
	if got := seen + countVersion(t, s, "old"); got != n {
		t.Errorf("%d rows, want %d", got, n)
	}
}

// testLookup: of 10,000 keys, half without a row and some given twice, exactly the rows that exist are found, by a
// simple and by a composite key; no keys find nothing.
func testLookup(t *testing.T, h Harness) {
	settings := h.NewConfig(t)
	const n = 10_000
	object := h.Load(t, settings, Table{
		Name: "lookup",
		Columns: []connectors.Column{
			{Name: "id", Kind: connectors.Integer},
			{Name: "code", Kind: connectors.Text},
		},
		Key:  []string{"id", "code"},
		Rows: generated(n, func(i int) []string { return []string{strconv.Itoa(i), "a\\\"'," + strconv.Itoa(i)} }),
	})
	c := h.open(t, settings, connectors.Options{})
	var simple, composite [][]string
	for i := range n {
		id := strconv.Itoa(i * 2)
		simple = append(simple, []string{id})
		composite = append(composite, []string{"a\\\"'," + id, id})
	}
	for _, lookup := range []struct {
		columns []string
		keys    [][]string
		want    int
	}{
		{[]string{"id"}, append(simple, simple[:100]...), n / 2},
		{[]string{"code", "id"}, append(composite, composite[:100]...), n / 2},
		{[]string{"id"}, nil, 0},
	} {
		s, err := c.Lookup(t.Context(), connectors.LookupRequest{
			Object: object, Columns: []string{"id", "code"}, KeyColumns: lookup.columns, Keys: lookup.keys,
		})
		got := rows(t, s, err)
		ids := make([]int, 0, len(got))
		for _, row := range got {
			id, err := strconv.Atoi(row[0])
			if err != nil || row[1] != "a\\\"',"+row[0] {
				t.Fatalf("row %q", row)
			}
			ids = append(ids, id)
		}
		slices.Sort(ids)
		if ids = slices.Compact(ids); len(ids) != lookup.want || len(got) != lookup.want {
			t.Errorf("by %v: %d rows, %d of them distinct, want %d", lookup.columns, len(got), len(ids), lookup.want)
		}
	}
}

// testBatchBounds: no batch exceeds 5,000 rows or 4 MiB, except one that holds a single larger row, and none is empty.
func testBatchBounds(t *testing.T, h Harness) {
	settings := h.NewConfig(t)
	c := h.open(t, settings, connectors.Options{})
	sizes := map[int]int{3: 6 << 20, 4: 10, 50: 5 << 20}
	const n = 12_100
	object := h.Load(t, settings, Table{
		Name: "batches",
		Columns: []connectors.Column{
			{Name: "id", Kind: connectors.Integer},
			{Name: "body", Kind: connectors.Text},
		},
		Key: []string{"id"},
		Rows: generated(n, func(i int) []string {
			size, ok := sizes[i]
			if !ok && i < 100 {
				size = 200_000
			}
			return []string{strconv.Itoa(i), strings.Repeat("x", size)}
		}),
	})
	s, err := c.Read(t.Context(), connectors.ReadRequest{Object: object, Columns: []string{"id", "body"}, OrderBy: []string{"id"}})
	if err != nil {
		t.Fatal(err)
	}
	defer closeStream(t, s)
	next := 0
	for {
		b, err := s.Next(t.Context())
		if err == connectors.ErrEndOfData { //nolint:errorlint // The contract is the sentinel itself.
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if b.Rows < 1 || b.Rows > connectors.MaxBatchRows || b.Bytes() > connectors.MaxBatchBytes && b.Rows != 1 {
			t.Errorf("a batch of %d rows and %d bytes", b.Rows, b.Bytes())
		}
		for row := range b.Rows {
			if got := string(b.Cell(row, 0)); got != strconv.Itoa(next) {
				t.Fatalf("row %s, want %d", got, next)
			}
			next++
		}
	}
	if next != n {
		t.Errorf("%d rows, want %d", next, n)
	}
	if _, err := s.Next(t.Context()); err != connectors.ErrEndOfData { //nolint:errorlint // As above.
		t.Errorf("Next after the end: %v", err)
	}
}

// testMemory: reading 300,000 rows keeps no more alive at its end than after its first batch, and allocates nothing per
// cell.
func testMemory(t *testing.T, h Harness) {
	settings := h.NewConfig(t)
	const n = 300_000
	object := h.Load(t, settings, wide("memory", n, "v"))
	c := h.open(t, settings, connectors.Options{})
	s, err := c.Read(t.Context(), connectors.ReadRequest{Object: object, Columns: wideColumns()})
	if err != nil {
		t.Fatal(err)
	}
	defer closeStream(t, s)
	measure := func() runtime.MemStats {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m
	}
	var first runtime.MemStats
	var grown uint64
	seen := 0
	for batches := 0; ; batches++ {
		b, err := s.Next(t.Context())
		if err == connectors.ErrEndOfData { //nolint:errorlint // The contract is the sentinel itself.
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		seen += b.Rows
		if batches == 1 {
			first = measure()
		}
		if batches > 1 && batches%20 == 0 {
			if m := measure(); m.HeapAlloc > first.HeapAlloc {
				grown = max(grown, m.HeapAlloc-first.HeapAlloc)
			}
		}
	}
	last := measure()
	if seen != n {
		t.Fatalf("%d rows, want %d", seen, n)
	}
	perRow := float64(last.Mallocs-first.Mallocs) / n
	t.Logf("heap grew by at most %d KiB, %.3f allocations per row", grown>>10, perRow)
	if grown > 8<<20 {
		t.Errorf("the heap grew by %d KiB over the read", grown>>10)
	}
	if perRow >= 1 {
		t.Errorf("%.2f allocations per row, want fewer than one", perRow)
	}
}
