package pull_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/shuqiao/shuqiao/audit"
	"github.com/shuqiao/shuqiao/exchange/pull"
)

// keysOf returns the keys of rows in their order.
func keysOf(got body) []string {
	out := []string{}
	for _, row := range got.Rows {
		out = append(out, row["cert_no"].(string))
	}
	return out
}

func (b *bundle) query(t testing.TB, r pull.QueryRequest) (body, *pull.Page) {
	t.Helper()
	r.Call = b.call()
	p, err := b.first.pull.Query(t.Context(), b.client, r)
	if err != nil {
		t.Fatalf("query: %v", err)
	}
	return decode(t, p), p
}

// A query gives the rows of its keys that meet its conditions, in key order, each once. Keys that do not exist, cannot
// exist or are outside the grant's filter are absent alike.
func TestQuery(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.collect(t, sampleRows())
	b.grant(t, grantTerms{items: []string{"cert_no", "children"}, filter: `{"op":"eq","item":"division_code","value":"330602"}`})
	for _, c := range []struct {
		name   string
		keys   []string
		filter string
		want   []string
	}{
		{"keys in any order, one twice", []string{"B04", "A1", "B02", "A1"}, "", []string{"A1", "B02", "B04"}},
		{"keys outside the filter, unknown and impossible", []string{"B01", "ZZZ", "", "a~1b", "~", "\x00", strings.Repeat("x", 10_000), "B06"}, "", []string{"B06"}},
		{"only such keys", []string{"B01", "~"}, "", []string{}},
		{"a condition", nil, `{"op":"ge","item":"children","value":16}`, []string{"B16", "B18"}},
		{"keys and a condition", []string{"B02", "B16", "B17"}, `{"op":"ge","item":"children","value":16}`, []string{"B16"}},
	} {
		got, page := b.query(t, pull.QueryRequest{Keys: c.keys, Filter: json.RawMessage(c.filter)})
		if diff := cmp.Diff(c.want, keysOf(got)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
		if page.Rows != len(c.want) || got.NextCursor != nil {
			t.Errorf("%s: %d rows, cursor %v", c.name, page.Rows, got.NextCursor)
		}
		if (got.ChangesCursor != nil) != (c.keys == nil) {
			t.Errorf("%s: changes cursor %v", c.name, got.ChangesCursor)
		}
	}
	for name, r := range map[string]pull.QueryRequest{
		"neither keys nor filter": {},
		"too many keys":           {Keys: make([]string, pull.MaxKeys+1)},
		"bytes that are no text":  {Keys: []string{"\xff"}},
		"too many rows a page":    {Keys: []string{"A1"}, Limit: pull.MaxLimit + 1},
	} {
		r.Call = b.call()
		if _, err := b.first.pull.Query(t.Context(), b.client, r); err == nil {
			t.Errorf("%s was answered", name)
		} else {
			wantCode(t, err, "invalid")
		}
	}
}

// Ten thousand keys come page by page, each row once, in JSON and CSV; the evidence counts them and keeps no key. Few keys
// are kept as tokens, found or not.
func TestQueryMany(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.collect(t, manyRows(4000))
	b.grant(t, grantTerms{items: []string{"cert_no"}})
	asked := []string{}
	for i := range pull.MaxKeys {
		asked = append(asked, fmt.Sprintf("K%06d", (i*7919)%10_000*2))
	}
	var got []string
	request := pull.QueryRequest{Keys: asked, Limit: 700}
	for {
		page, p := b.query(t, request)
		got = append(got, keysOf(page)...)
		if p.NextCursor == "" {
			break
		}
		request.Cursor = p.NextCursor
		slices.Reverse(request.Keys)
	}
	want := []string{}
	for i := 0; i < 4000; i += 2 {
		want = append(want, fmt.Sprintf("K%06d", i))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
	other := pull.QueryRequest{Call: b.call(), Keys: asked[1:], Cursor: request.Cursor}
	_, err := b.first.pull.Query(t.Context(), b.client, other)
	wantCode(t, err, pull.CodeCursorInvalid)

	b.query(t, pull.QueryRequest{Keys: []string{"K000001", "none"}, Format: pull.FormatJSON})
	records := b.usage(t)
	last := records[len(records)-1]
	tokens := [][]byte{}
	for _, key := range []string{"K000001", "none"} {
		tokens = append(tokens, audit.SubjectToken([]byte("subject key of the tests, random"), key))
	}
	if diff := cmp.Diff(tokens, last.SubjectTokens); diff != "" || last.Mode != audit.ModeQuery || last.Rows != 1 {
		t.Errorf("a query of two keys is recorded as %+v\n%s", last, diff)
	}
	if first := records[0]; len(first.SubjectTokens) != 0 || !strings.Contains(string(first.Query), `"count": 10000`) || strings.Contains(string(first.Query), "K00") {
		t.Errorf("a query of many keys is recorded as %+v, %s", first, first.Query)
	}
}

// Masked keys are asked for only with lookup, and the rows come masked.
func TestQueryMasked(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.collect(t, sampleRows())
	mask := map[string]string{"cert_no": "mid"}
	grant := b.grant(t, grantTerms{items: []string{"cert_no", "children"}, masks: mask})
	_, err := b.first.pull.Query(t.Context(), b.client, pull.QueryRequest{Call: b.call(), Keys: []string{"B03"}})
	wantCode(t, err, "filter_not_granted")
	b.change(t, grant, "state = 'terminated'")
	b.grant(t, grantTerms{items: []string{"cert_no", "children"}, masks: mask, lookup: []string{"cert_no"}})
	got, _ := b.query(t, pull.QueryRequest{Keys: []string{"B03"}})
	if diff := cmp.Diff([]map[string]any{{"_rid": ridOf("B03"), "cert_no": "***", "children": 3.0}}, got.Rows); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
}
