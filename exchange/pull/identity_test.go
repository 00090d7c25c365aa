package pull_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/shuqiao/shuqiao/audit"
	"github.com/shuqiao/shuqiao/exchange/pull"
)

func digestOf(s string) string {
	sum := sha256.Sum256([]byte(s))
	return "sha-256=:" + base64.StdEncoding.EncodeToString(sum[:]) + ":"
}

// A masked key is shown masked, and rows are known by the HMAC of the clear key under the grant's key, the same in pages,
// single rows, changes and deletes. The answers hold no clear key.
func TestMaskedKey(t *testing.T) {
	t.Parallel()
	b := setup(t)
	rows := sampleRows()
	b.collect(t, rows)
	b.grant(t, grantTerms{
		items: []string{"cert_no", "full_name", "remark"}, lookup: []string{"cert_no"},
		masks: map[string]string{"cert_no": "mid", "full_name": "hash", "remark": "suppress"},
	})
	got, page := b.rows(t, pull.RowsRequest{})
	mac := hmac.New(sha256.New, ridKey)
	mac.Write([]byte("A1"))
	rid := hex.EncodeToString(mac.Sum(nil)[:16])
	if got.Rows[0]["_rid"] != rid || got.Rows[0]["cert_no"] != "**" || got.Rows[0]["remark"] != nil {
		t.Errorf("row %v, want _rid %s", got.Rows[0], rid)
	}
	if name := got.Rows[0]["full_name"].(string); len(name) != 64 || strings.Contains(name, "示例") {
		t.Errorf("hashed name %q", name)
	}
	// Cursors are left out: two letters in a row may occur in any ciphertext.
	if shown := fmt.Sprint(got.Rows); strings.Contains(shown, "A1") || strings.Contains(shown, "示例") {
		t.Error("the page holds a clear value")
	}
	one, err := b.first.pull.Row(t.Context(), b.client, pull.RowRequest{Call: b.call(), Key: "A1"})
	if err != nil {
		t.Fatal(err)
	}
	if row := decode(t, one).Row; !cmp.Equal(row, got.Rows[0]) {
		t.Errorf("by key %v, in the page %v", row, got.Rows[0])
	}
	delete(rows, "A1")
	b.collect(t, rows)
	changed, err := b.first.pull.Changes(t.Context(), b.client, pull.ChangesRequest{Call: b.call(), Cursor: page.ChangesCursor})
	if err != nil {
		t.Fatal(err)
	}
	entries := decode(t, changed).Changes
	if len(entries) != 1 || entries[0].Op != "delete" || entries[0].Key != nil || *entries[0].RID != rid {
		t.Errorf("changes %s", changed.Body)
	}
}

// Where the key is not granted at all, rows and deletes still have their identity, and the key itself never shows.
func TestKeyNotGranted(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.collect(t, sampleRows())
	b.grant(t, grantTerms{items: []string{"children"}})
	got, page := b.rows(t, pull.RowsRequest{Limit: 1})
	if diff := cmp.Diff(map[string]any{"_rid": ridOf("A1"), "children": 2.0}, got.Rows[0]); diff != "" {
		t.Errorf("row (-want +got):\n%s", diff)
	}
	if strings.Contains(string(page.Body), "cert_no") {
		t.Error("the page names an item that is not granted")
	}
}

// With lookup, a clear value of a masked item finds its row by eq and in, and by nothing that narrows it down. The
// evidence keeps a token of the key and not the key.
func TestLookup(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.collect(t, sampleRows())
	b.grant(t, grantTerms{items: []string{"cert_no", "children"}, lookup: []string{"cert_no"}, masks: map[string]string{"cert_no": "mid"}})
	for filter, want := range map[string]int{
		`{"op":"eq","item":"cert_no","value":"A1"}`:                                                               1,
		`{"op":"in","item":"cert_no","values":["A1","B03","Z9"]}`:                                                 2,
		`{"op":"and","args":[{"op":"eq","item":"cert_no","value":"A1"},{"op":"eq","item":"children","value":3}]}`: 0,
	} {
		got, _ := b.rows(t, pull.RowsRequest{Filter: json.RawMessage(filter)})
		if len(got.Rows) != want {
			t.Errorf("%s: %d rows, want %d", filter, len(got.Rows), want)
		}
		if got.ChangesCursor != nil {
			t.Errorf("%s: changes would follow a filter that the log cannot answer", filter)
		}
	}
	for _, op := range []string{"prefix", "lt", "ne"} {
		_, err := b.first.pull.Rows(t.Context(), b.client, pull.RowsRequest{Call: b.call(), Filter: json.RawMessage(`{"op":"` + op + `","item":"cert_no","value":"A1"}`)})
		wantCode(t, err, "filter_not_granted")
	}
	token := audit.SubjectToken([]byte("subject key of the tests, random"), "A1")
	found := 0
	for _, u := range b.usage(t) {
		if strings.Contains(string(u.Query), "A1") {
			t.Errorf("the evidence holds a clear key: %s", u.Query)
		}
		for _, s := range u.SubjectTokens {
			if string(s) == string(token) {
				found++
			}
		}
	}
	if found != 3 {
		t.Errorf("%d records name the subject, want 3", found)
	}
}

// A key outside the filter, one that does not exist and texts that can be no key are answered alike, and each look-up is
// in the evidence.
func TestRowNotFound(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.collect(t, sampleRows())
	b.grant(t, grantTerms{items: []string{"cert_no", "children"}, filter: `{"op":"eq","item":"division_code","value":"330602"}`})
	var first error
	keys := []string{"B01", "ZZZ", "", "a~1b", "~", "\x00", "\xff", strings.Repeat("x", 10_000)}
	for _, key := range keys {
		_, err := b.first.pull.Row(t.Context(), b.client, pull.RowRequest{Call: b.call(), Key: key})
		f := wantCode(t, err, pull.CodeRowNotFound)
		if first == nil {
			first = f
		}
		if diff := cmp.Diff(first.Error(), f.Error()); diff != "" {
			t.Errorf("key %q is answered in another way:\n%s", key, diff)
		}
	}
	if got := b.usage(t); len(got) != len(keys) || got[0].Rows != 0 || len(got[0].SubjectTokens) != 1 || len(got[1].SubjectTokens) != 1 {
		t.Errorf("usage %+v", got)
	}
}

// A page names its evidence: a durable record of rows, items, rule and digest of exactly these bytes.
func TestEvidence(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.collect(t, sampleRows())
	b.grant(t, grantTerms{items: []string{"cert_no", "children"}})
	call := b.call()
	call.RequestID = "req-1"
	p, err := b.first.pull.Rows(t.Context(), b.client, pull.RowsRequest{Call: call, Items: []string{"children"}, Filter: json.RawMessage(`{"op":"ge","item":"children","value":18}`)})
	if err != nil {
		t.Fatal(err)
	}
	if p.Digest != digestOf(string(p.Body)) {
		t.Errorf("digest %s, want %s", p.Digest, digestOf(string(p.Body)))
	}
	var u audit.Usage
	err = b.db.Pool.QueryRow(t.Context(), "SELECT mode, rows, items, query, digest, request_id, rule_id FROM usage WHERE id = $1", p.EvidenceID).
		Scan(&u.Mode, &u.Rows, &u.Items, &u.Query, &u.Digest, &u.RequestID, &u.RuleID)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(p.Body)
	want := audit.Usage{
		Mode: "rows", Rows: 2, Items: []int32{7}, RequestID: "req-1", RuleID: "client-pull-conditional", Digest: sum[:],
		Query: json.RawMessage(`{"limit": 1000, "filter": {"op": "ge", "item": "children", "value": 18}}`),
	}
	if diff := cmp.Diff(want, u); diff != "" {
		t.Errorf("usage (-want +got):\n%s", diff)
	}
}

// The schema lists the granted items with how each may be used, and mentions no other.
func TestSchema(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.collect(t, sampleRows())
	b.grant(t, grantTerms{items: []string{"cert_no", "division_code", "full_name", "shape"}, lookup: []string{"cert_no"}, masks: map[string]string{"cert_no": "mid", "full_name": "name"}})
	p, err := b.first.pull.Schema(t.Context(), b.client, b.call())
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		RowID bool     `json:"row_id"`
		ByKey bool     `json:"by_key"`
		Key   []string `json:"key"`
		Items []struct {
			Identifier string `json:"identifier"`
			Mask       string `json:"mask"`
			Lookup     bool   `json:"lookup"`
			Filterable bool   `json:"filterable"`
		} `json:"items"`
	}
	if err := json.Unmarshal(p.Body, &got); err != nil {
		t.Fatal(err)
	}
	type item = struct {
		Identifier string `json:"identifier"`
		Mask       string `json:"mask"`
		Lookup     bool   `json:"lookup"`
		Filterable bool   `json:"filterable"`
	}
	want := []item{{"cert_no", "mid", true, true}, {"division_code", "", false, true}, {"full_name", "name", false, false}, {"shape", "", false, true}}
	if diff := cmp.Diff(want, got.Items); diff != "" || !got.RowID || !got.ByKey || len(got.Key) != 0 {
		t.Errorf("schema (-want +got):\n%s\n%s", diff, p.Body)
	}
	if strings.Contains(string(p.Body), "hidden") {
		t.Error("the schema mentions an item that is not granted")
	}
}

// A look-up finds the rows of the layout that is active now, also when the layout it remembered was replaced and its
// table dropped.
func TestRowAfterLayoutChange(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.collect(t, sampleRows())
	b.grant(t, grantTerms{items: []string{"cert_no", "children"}})
	want := func(children any) {
		t.Helper()
		p, err := b.first.pull.Row(t.Context(), b.client, pull.RowRequest{Call: b.call(), Key: "A1"})
		if err != nil {
			t.Fatal(err)
		}
		if got := decode(t, p).Row["children"]; got != children {
			t.Errorf("children %v, want %v", got, children)
		}
	}
	want(2.0)
	replaced := columns()
	replaced[12].Letter = "M"
	b.collectInto(t, map[string]person{"A1": {"division_code": "330602", "children": "9"}}, replaced)
	want(9.0)
	b.findTable(t)
	b.collect(t, map[string]person{"A1": {"division_code": "330602", "children": "5"}})
	b.exec(t, "DROP TABLE "+b.table)
	want(5.0)
}
