package pull_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/shuqiao/shuqiao/exchange/pull"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// Pages follow in key order, each row once; the last one has the cursor of the changes.
func TestPaging(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.collect(t, sampleRows())
	b.grant(t, grantTerms{items: []string{"cert_no", "children"}})
	var keys []string
	request := pull.RowsRequest{Limit: 5}
	asOf := ""
	for {
		got, page := b.rows(t, request)
		for _, row := range got.Rows {
			keys = append(keys, row["cert_no"].(string))
		}
		if asOf == "" {
			asOf = got.AsOf
		}
		if got.AsOf != asOf {
			t.Errorf("as_of %s on a later page, want that of the first, %s", got.AsOf, asOf)
		}
		if (got.NextCursor == nil) == (got.ChangesCursor == nil) {
			t.Fatalf("a page has either cursor: %+v", got)
		}
		if got.NextCursor == nil {
			break
		}
		if *got.NextCursor != page.NextCursor {
			t.Error("the cursors of body and page differ")
		}
		request.Cursor = *got.NextCursor
	}
	if diff := cmp.Diff(sorted(sampleRows()), keys); diff != "" {
		t.Errorf("keys (-want +got):\n%s", diff)
	}
}

// consumer follows a grant by pages and changes as the contract tells consumers to.
type consumer struct {
	rows    map[string]map[string]any // By _rid, or by key.
	cursor  string
	request pull.RowsRequest
}

// follow applies all changes there are.
func (c *consumer) follow(ctx context.Context, b *bundle, limit int) error {
	for {
		p, err := b.first.pull.Changes(ctx, b.client, pull.ChangesRequest{
			Call: b.call(), Limit: limit, Cursor: c.cursor, Items: c.request.Items, Filter: c.request.Filter,
		})
		if err != nil {
			return err
		}
		var got body
		if err := json.Unmarshal(p.Body, &got); err != nil {
			return err
		}
		for _, ch := range got.Changes {
			switch {
			case ch.Op == "upsert":
				c.rows[identity(ch.Row)] = ch.Row
			case ch.RID != nil:
				delete(c.rows, *ch.RID)
			default:
				delete(c.rows, *ch.Key)
			}
		}
		c.cursor = *got.NextCursor
		if !got.More {
			return nil
		}
	}
}

// identity is what deletes name a row by: its _rid, or the canonical form of its key.
func identity(row map[string]any) string {
	if rid, ok := row["_rid"]; ok {
		return rid.(string)
	}
	return strings.ReplaceAll(row["cert_no"].(string), "~", "~0")
}

// Whatever changes between pages and afterwards, a consumer that reads all pages and then the changes holds exactly the
// granted rows, masked, under the grant's filter and its own.
func TestConvergence(t *testing.T) {
	t.Parallel()
	for _, masked := range []bool{false, true} {
		t.Run(fmt.Sprintf("masked key %t", masked), func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			terms := grantTerms{items: []string{"cert_no", "division_code", "full_name", "children"}, filter: `{"op":"eq","item":"division_code","value":"330602"}`}
			terms.masks = map[string]string{"full_name": "name"}
			if masked {
				terms.masks["cert_no"] = "mid"
			}
			b.collect(t, map[string]person{"K000": {"division_code": "330602"}})
			b.grant(t, terms)
			rapid.Check(t, func(r *rapid.T) {
				rows := map[string]person{}
				shake := func() {
					for range rapid.IntRange(0, 8).Draw(r, "changes") {
						key := fmt.Sprintf("K%03d~", rapid.IntRange(0, 30).Draw(r, "key"))
						if rapid.IntRange(0, 3).Draw(r, "delete") == 0 {
							delete(rows, key)
							continue
						}
						rows[key] = person{
							"division_code": rapid.SampledFrom([]string{"330602", "330603"}).Draw(r, "division"),
							"full_name":     rapid.SampledFrom([]string{"示例甲", "示例乙丙"}).Draw(r, "name"),
							"children":      fmt.Sprint(rapid.IntRange(0, 3).Draw(r, "children")),
						}
					}
					b.collect(t, rows)
				}
				shake()
				c := &consumer{rows: map[string]map[string]any{}}
				c.request = pull.RowsRequest{Call: b.call(), Limit: rapid.IntRange(1, 7).Draw(r, "limit")}
				c.request.Filter = json.RawMessage(`{"op":"le","item":"children","value":2}`)
				for {
					p, err := b.first.pull.Rows(t.Context(), b.client, c.request)
					if err != nil {
						r.Fatal(err)
					}
					for _, row := range decode(t, p).Rows {
						c.rows[identity(row)] = row
					}
					shake()
					if p.NextCursor == "" {
						c.cursor = p.ChangesCursor
						break
					}
					c.request.Cursor = p.NextCursor
				}
				for range rapid.IntRange(1, 3).Draw(r, "rounds") {
					shake()
					if err := c.follow(t.Context(), b, rapid.IntRange(1, 5).Draw(r, "changes limit")); err != nil {
						r.Fatal(err)
					}
				}
				if diff := cmp.Diff(truth(rows, masked), c.rows); diff != "" {
					r.Fatalf("what the consumer holds (-want +got):\n%s", diff)
				}
			})
		})
	}
}

// truth is what a consumer under the grant of TestConvergence must hold.
func truth(rows map[string]person, masked bool) map[string]map[string]any {
	out := map[string]map[string]any{}
	for key, p := range rows {
		if p["division_code"] != "330602" || p["children"] > "2" {
			continue
		}
		name := []rune(p["full_name"])
		row := map[string]any{
			"cert_no": key, "division_code": "330602", "children": float64(p["children"][0] - '0'),
			"full_name": string(name[:1]) + strings.Repeat("*", len(name)-1),
		}
		id := strings.ReplaceAll(key, "~", "~0")
		if masked {
			id = ridOf(key)
			row["_rid"] = id
			row["cert_no"] = "K**" + key[3:]
		}
		out[id] = row
	}
	return out
}

// Cursors work for the grant, the call, the items and the filter they were made for, and nothing else; what moved on
// underneath is told apart from what never was a cursor.
func TestCursorFaults(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.collect(t, sampleRows())
	grant := b.grant(t, grantTerms{items: []string{"cert_no", "children"}})
	_, page := b.rows(t, pull.RowsRequest{Limit: 5})
	_, last := b.rows(t, pull.RowsRequest{})
	flipped := []byte(page.NextCursor)
	flipped[len(flipped)/2] ^= 1

	rows := func(cursor string, change func(*pull.RowsRequest)) error {
		r := pull.RowsRequest{Call: b.call(), Cursor: cursor}
		if change != nil {
			change(&r)
		}
		_, err := b.first.pull.Rows(t.Context(), b.client, r)
		return err
	}
	changes := func(cursor string) error {
		_, err := b.first.pull.Changes(t.Context(), b.client, pull.ChangesRequest{Call: b.call(), Cursor: cursor})
		return err
	}
	if err := rows(page.NextCursor, nil); err != nil {
		t.Fatalf("the cursor itself: %v", err)
	}
	for name, err := range map[string]error{
		"text that is none":      rows("hello", nil),
		"not base64":             rows("a b/c=", nil),
		"very long":              rows(strings.Repeat("A", 100_000), nil),
		"sealed by another":      rows(base64.RawURLEncoding.EncodeToString(make([]byte, 200)), nil),
		"altered":                rows(string(flipped), nil),
		"with other items":       rows(page.NextCursor, func(r *pull.RowsRequest) { r.Items = []string{"cert_no"} }),
		"with another filter":    rows(page.NextCursor, func(r *pull.RowsRequest) { r.Filter = json.RawMessage(`{"op":"eq","item":"children","value":1}`) }),
		"of changes for rows":    rows(last.ChangesCursor, nil),
		"of rows for changes":    changes(page.NextCursor),
		"none where one must be": changes(""),
	} {
		t.Run(name, func(t *testing.T) {
			if f := wantCode(t, err, pull.CodeCursorInvalid); f.Kind != fault.Invalid {
				t.Errorf("kind %s, want invalid", f.Kind)
			}
		})
	}

	other := b.grant(t, grantTerms{items: []string{"cert_no", "children"}})
	call := b.call()
	call.GrantID = other
	_, err := b.first.pull.Rows(t.Context(), b.client, pull.RowsRequest{Call: call, Cursor: page.NextCursor})
	wantCode(t, err, pull.CodeCursorInvalid)
	b.change(t, other, "state = 'terminated'")

	b.change(t, grant, "terms_version = terms_version + 1")
	b.first.sync(t)
	f := wantCode(t, rows(page.NextCursor, nil), pull.CodeTermsChanged)
	if f.Kind != fault.Conflict || !strings.HasSuffix(f.Detail["resync"], "/rows") {
		t.Errorf("terms_changed: kind %s, detail %v", f.Kind, f.Detail)
	}
	wantCode(t, changes(last.ChangesCursor), pull.CodeTermsChanged)
	b.change(t, grant, "terms_version = terms_version - 1")
	b.first.sync(t)

	for _, step := range []struct{ name, set, undo, code string }{
		{"rows were purged from the log", "min_seq = seq + 1", "min_seq = 0", pull.CodeCursorExpired},
		{"the store was restored to before the cursor", "seq = seq - 1", "seq = seq + 1", pull.CodeResyncRequired},
		{"the store is another one", "incarnation = gen_random_uuid()", "", pull.CodeResyncRequired},
	} {
		b.exec(t, "UPDATE store.store_head SET "+step.set)
		for _, err := range []error{rows(page.NextCursor, nil), changes(last.ChangesCursor)} {
			if f := wantCode(t, err, step.code); f.Kind != fault.Gone {
				t.Errorf("%s: kind %s, want gone", step.name, f.Kind)
			}
		}
		if step.undo != "" {
			b.exec(t, "UPDATE store.store_head SET "+step.undo)
		}
	}
}

// The order of the items asked for, and of the filter's conditions, is no matter to a cursor.
func TestSameViewInAnotherOrder(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.collect(t, sampleRows())
	b.grant(t, grantTerms{items: []string{"cert_no", "children", "division_code"}})
	first := pull.RowsRequest{
		Limit: 3, Items: []string{"cert_no", "children"},
		Filter: json.RawMessage(`{"op":"and","args":[{"op":"ge","item":"children","value":1},{"op":"eq","item":"division_code","value":"330602"}]}`),
	}
	_, page := b.rows(t, first)
	second := pull.RowsRequest{
		Limit: 100, Items: []string{"children", "cert_no", "children"}, Cursor: page.NextCursor,
		Filter: json.RawMessage(` {"args":[{"op":"eq","item":"division_code","value":"330602"},{"op":"ge","item":"children","value":1.0}],"op":"and"}`),
	}
	got, _ := b.rows(t, second)
	if len(got.Rows) != 7 {
		t.Errorf("got %d rows after the first 3, want the other 7", len(got.Rows))
	}
	if want := slices.Sorted(maps.Keys(got.Rows[0])); !cmp.Equal(want, []string{"cert_no", "children"}) {
		t.Errorf("items %v", want)
	}
}
