package connectortest

import (
	"slices"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/shuqiao/shuqiao/connectors"
)

// textKeys sort differently in most locales than by their bytes.
func textKeys() []string {
	return []string{
		"", " ", "A", "B", "a", "b", "Z", "ä", "ab", "a b", "a-b", "a_b", "ab ", "10", "9", "_", "王", "三", "中", "𠮷", "~", "\\", "'", "\"",
		"null", "\x01",
	}
}

// testTextOrder: text keys come in the order of their bytes whatever the locale, a read resumed after any of them
// returns exactly the rest, and one that is limited ends after so many.
func testTextOrder(t *testing.T, h Harness) {
	settings := h.NewConfig(t)
	keys := textKeys()
	object := h.Load(t, settings, Table{
		Name: "text_order", Columns: []connectors.Column{{Name: "k", Kind: connectors.Text}}, Key: []string{"k"},
		Rows: generated(len(keys), func(i int) []string { return []string{keys[i]} }),
	})
	c := h.open(t, settings, connectors.Options{})
	slices.Sort(keys)
	want := make([][]string, len(keys))
	for i, key := range keys {
		want[i] = []string{key}
	}
	resumeEverywhere(t, c, object, []string{"k"}, want)
	for _, n := range []int{1, 3, len(want) + 1} {
		s, err := c.Read(t.Context(), connectors.ReadRequest{Object: object, Columns: []string{"k"}, OrderBy: []string{"k"}, Limit: n})
		if diff := cmp.Diff(want[:min(n, len(want))], rows(t, s, err)); diff != "" {
			t.Errorf("limited to %d (-want +got):\n%s", n, diff)
		}
	}
}

// testCompositeOrder: the same for a key of text and number, given in another order than the table's columns.
func testCompositeOrder(t *testing.T, h Harness) {
	settings := h.NewConfig(t)
	var want [][]string
	texts := []string{"A", "B", "a", "ab", "王"}
	for _, text := range texts {
		for _, n := range []string{"-5", "2", "10"} {
			want = append(want, []string{text, n})
		}
	}
	object := h.Load(t, settings, Table{
		Name:    "composite_order",
		Columns: []connectors.Column{{Name: "n", Kind: connectors.Integer}, {Name: "k", Kind: connectors.Text}},
		Key:     []string{"n", "k"},
		Rows:    generated(len(want), func(i int) []string { return []string{want[len(want)-1-i][1], want[len(want)-1-i][0]} }),
	})
	c := h.open(t, settings, connectors.Options{})
	resumeEverywhere(t, c, object, []string{"k", "n"}, want)
}

// testKeyKinds: whatever the kind of a key, each row's own cell resumes strictly after it and finds it by look-up.
func testKeyKinds(t *testing.T, h Harness) {
	settings := h.NewConfig(t)
	c := h.open(t, settings, connectors.Options{})
	for _, kind := range h.Kinds {
		switch kind {
		case connectors.Float, connectors.Bool, connectors.JSON, connectors.Geometry, connectors.Other:
			continue // No system of records uses these as keys, and some cannot be compared at all.
		}
		var cells []string
		for _, cell := range values(kind) {
			// 0 and 0.00 are one key, and an index entry is bounded in size.
			if cell != "0.00" && len(cell) < 1_000 {
				cells = append(cells, cell)
			}
		}
		object := h.Load(t, settings, Table{
			Name: "key_" + string(kind), Columns: []connectors.Column{{Name: "k", Kind: kind}}, Key: []string{"k"},
			Rows: generated(len(cells), func(i int) []string { return []string{cells[i]} }),
		})
		s, err := c.Read(t.Context(), connectors.ReadRequest{Object: object, Columns: []string{"k"}, OrderBy: []string{"k"}})
		all := rows(t, s, err)
		if len(all) != len(cells) {
			t.Fatalf("%s: %d rows, want %d", kind, len(all), len(cells))
		}
		resumeEverywhere(t, c, object, []string{"k"}, all)
		found, err := c.Lookup(t.Context(), connectors.LookupRequest{Object: object, Columns: []string{"k"}, KeyColumns: []string{"k"}, Keys: all})
		got := rows(t, found, err)
		slices.SortFunc(got, slices.Compare[[]string])
		slices.SortFunc(all, slices.Compare[[]string])
		if diff := cmp.Diff(all, got); diff != "" {
			t.Errorf("%s: look-up by every key (-want +got):\n%s", kind, diff)
		}
	}
}

// resumeEverywhere reads the object in full and then after each of its keys. want holds the keys in order.
func resumeEverywhere(t *testing.T, c *connectors.Connection, object string, key []string, want [][]string) {
	t.Helper()
	s, err := c.Read(t.Context(), connectors.ReadRequest{Object: object, Columns: key, OrderBy: key})
	if diff := cmp.Diff(want, rows(t, s, err)); diff != "" {
		t.Fatalf("ordered read of %s (-want +got):\n%s", object, diff)
	}
	for i := range want {
		s, err := c.Read(t.Context(), connectors.ReadRequest{Object: object, Columns: key, OrderBy: key, After: want[i]})
		got := rows(t, s, err)
		if rest := want[i+1:]; len(rest) != len(got) || len(got) > 0 && !cmp.Equal(rest, got) {
			t.Errorf("%s after %q (-want +got):\n%s", object, want[i], cmp.Diff(rest, got))
		}
	}
}

// testOrderRefused: an order by columns that are not unique, or that may be NULL, is refused before a row is lost by it.
func testOrderRefused(t *testing.T, h Harness) {
	settings := h.NewConfig(t)
	object := h.Load(t, settings, Table{
		Name: "order_refused",
		Columns: []connectors.Column{
			{Name: "id", Kind: connectors.Integer},
			{Name: "same", Kind: connectors.Text},
			{Name: "maybe", Kind: connectors.Text, Nullable: true},
		},
		Key:  []string{"id"},
		Rows: generated(3, func(i int) []string { return []string{strconv.Itoa(i), "x", null} }),
	})
	c := h.open(t, settings, connectors.Options{})
	for _, order := range [][]string{{"same"}, {"maybe", "id"}, {"id", "maybe"}} {
		_, err := c.Read(t.Context(), connectors.ReadRequest{Object: object, Columns: []string{"id"}, OrderBy: order})
		h.wantFault(t, err, settings, connectors.CodeOrder, false)
	}
	s, err := c.Read(t.Context(), connectors.ReadRequest{Object: object, Columns: []string{"id"}, OrderBy: []string{"same", "id"}, After: []string{"x", "1"}})
	if diff := cmp.Diff([][]string{{"2"}}, rows(t, s, err)); diff != "" {
		t.Errorf("an order that contains the key (-want +got):\n%s", diff)
	}
}
