package connectortest

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/shuqiao/shuqiao/connectors"
)

// testSince: of a table with a mark of each ordered kind, exactly the rows at or above the mark and those without one come,
// also behind a key; and the clock that marks are held against is not behind the one a read starts at.
func testSince(t *testing.T, h Harness) {
	settings := h.NewConfig(t)
	c := h.open(t, settings, connectors.Options{})
	if !c.Traits().Since {
		t.Log("this source reads every row each time")
		return
	}
	marks := map[connectors.Kind][]string{
		connectors.Integer:        {"-2", "9", "10", "10", "11"},
		connectors.Decimal:        {"-2.5", "9.9", "10.5", "10.5", "11"},
		connectors.Date:           {"1999-12-31", "2026-01-09", "2026-01-10", "2026-01-10", "2026-02-01"},
		connectors.Timestamp:      {"1999-12-31T23:59:59Z", "2026-01-10T08:00:00.000001Z", "2026-01-10T08:00:00.000002Z", "2026-01-10T08:00:00.000002Z", "2026-01-10T08:00:01Z"},
		connectors.LocalTimestamp: {"1999-12-31T23:59:59", "2026-01-10T08:00:00.000001", "2026-01-10T08:00:00.000002", "2026-01-10T08:00:00.000002", "2026-01-10T08:00:01"},
	}
	keys := []string{"a", "b", "c", "d", "e", "f"} // f has no mark.
	for _, kind := range h.Kinds {
		cells, ok := marks[kind]
		if !ok {
			continue
		}
		object := h.Load(t, settings, Table{
			Name: "since_" + string(kind), Key: []string{"k"},
			Columns: []connectors.Column{{Name: "k", Kind: connectors.Text}, {Name: "mark", Kind: kind, Scale: 1, Length: 12, Nullable: true}},
			Rows: generated(len(keys), func(i int) []string {
				if i == len(cells) {
					return []string{keys[i], null}
				}
				return []string{keys[i], cells[i]}
			}),
		})
		since := &connectors.Since{Column: "mark", From: cells[2]}
		read := func(after []string) []string {
			s, err := c.Read(t.Context(), connectors.ReadRequest{Object: object, Columns: []string{"k"}, OrderBy: []string{"k"}, After: after, Since: since})
			var out []string
			for _, row := range rows(t, s, err) {
				out = append(out, row[0])
			}
			return out
		}
		if diff := cmp.Diff([]string{"c", "d", "e", "f"}, read(nil)); diff != "" {
			t.Errorf("%s since %s (-want +got):\n%s", kind, since.From, diff)
		}
		if diff := cmp.Diff([]string{"e", "f"}, read([]string{"d"})); diff != "" {
			t.Errorf("%s since %s behind a key (-want +got):\n%s", kind, since.From, diff)
		}
		_, err := c.Read(t.Context(), connectors.ReadRequest{Object: object, Columns: []string{"k"}, Since: &connectors.Since{Column: "gone", From: "1"}})
		h.wantFault(t, err, settings, connectors.CodeColumnMissing, false)
	}
	before, err := c.Now(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	pending, err := c.Pending(t.Context())
	if err != nil || pending.Now.Before(before) || pending.Oldest < 0 {
		t.Errorf("pending %+v after %s, error %v", pending, before, err)
	}
}
