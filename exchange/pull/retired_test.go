package pull_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/exchange/pull"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// relaid collects the sample anew into a layout in which one item has another type, as the directory entry then says, too.
func (b *bundle) relaid(t testing.TB, identifier, letter string, rows map[string]person) {
	t.Helper()
	replaced := columns()
	at := numbers(identifier)[0]
	replaced[at-1].Letter = letter
	b.exec(t, "UPDATE item SET data_type = $3 WHERE resource_id = $1 AND no = $2", b.resource, at, letter)
	b.collectInto(t, rows, replaced)
	b.resourceChanged(t)
}

// resourceChanged tells the node that the directory entry is another one.
func (b *bundle) resourceChanged(t testing.TB) {
	t.Helper()
	err := b.db.InTx(t.Context(), func(tx *db.Tx) error { return authz.LogTx(tx, authz.KindResource, b.resource.String()) })
	if err != nil {
		t.Fatal(err)
	}
	b.first.sync(t)
}

// Cursors of a layout that was replaced are continued in it: a reading of pages ends with the rows it began with, its changes cursor tells
// what that layout still has, and each answer says where to read the rows as they are now. When the layout is dropped
// they answer 410.
func TestRetiredLayout(t *testing.T) {
	t.Parallel()
	b := setup(t)
	rows := map[string]person{"A1": {"children": "1"}, "A2": {"children": "2"}, "A3": {"children": "3"}, "A4": {"children": "4"}}
	b.collect(t, rows)
	b.grant(t, grantTerms{items: []string{"cert_no", "children"}, filter: `{"op":"ge","item":"children","value":1}`})
	read := func(r pull.RowsRequest) (*pull.Page, body) {
		t.Helper()
		r.Call = b.call()
		p, err := b.first.pull.Rows(t.Context(), b.client, r)
		if err != nil {
			t.Fatal(err)
		}
		return p, decode(t, p)
	}
	follow := func(cursor string) (*pull.Page, error) {
		return b.first.pull.Changes(t.Context(), b.client, pull.ChangesRequest{Call: b.call(), Cursor: cursor, Limit: 1})
	}
	whole, _ := read(pull.RowsRequest{})
	first, _ := read(pull.RowsRequest{Limit: 3})
	delete(rows, "A1")
	rows["A2"] = person{"children": "22"}
	b.collect(t, rows)

	rows["A4"] = person{"children": "44", "remark": "new"}
	b.relaid(t, "remark", "C", rows)
	last, got := read(pull.RowsRequest{Limit: 3, Cursor: first.NextCursor})
	if len(got.Rows) != 1 || got.Rows[0]["children"] != 4.0 || last.Resync == "" || last.NextCursor != "" {
		t.Errorf("the last page: %s", last.Body)
	}
	var seen []string
	for cursor, n := whole.ChangesCursor, 0; n < 3; n++ {
		p, err := follow(cursor)
		if err != nil {
			t.Fatal(err)
		}
		cursor = p.NextCursor
		for _, c := range decode(t, p).Changes {
			if c.Key == nil {
				seen = append(seen, fmt.Sprintf("%s %v", c.Op, c.Row["cert_no"]))
			} else {
				seen = append(seen, c.Op+" "+*c.Key)
			}
		}
		if p.Resync == "" || *p.More != (n == 0) {
			t.Errorf("changes: %s", p.Body)
		}
	}
	slices.Sort(seen)
	if diff := cmp.Diff([]string{"delete A1", "upsert A2"}, seen); diff != "" {
		t.Errorf("changes of the old layout (-want +got):\n%s", diff)
	}
	if p, err := follow(last.ChangesCursor); err != nil || p.Resync == "" {
		t.Errorf("after the last page: %v", err)
	}
	s := &sink{}
	end, err := b.first.pull.Stream(t.Context(), b.client, pull.RowsRequest{Call: b.call(), Cursor: first.NextCursor}, s)
	if err != nil || end.Rows != 1 {
		t.Errorf("a stream from the middle: %d rows, %v", end.Rows, err)
	}
	if fresh, now := read(pull.RowsRequest{}); fresh.Resync != "" || len(now.Rows) != 3 {
		t.Errorf("rows of now: %s", fresh.Body)
	}

	if n, err := b.store.DropGrace(t.Context(), time.Duration(0)); n != 1 || err != nil {
		t.Fatalf("dropping: %d, %v", n, err)
	}
	_, err = b.first.pull.Rows(t.Context(), b.client, pull.RowsRequest{Call: b.call(), Limit: 3, Cursor: first.NextCursor})
	if f := wantCode(t, err, "resync_required"); f.Kind != fault.Gone {
		t.Errorf("rows after the grace: %v", f)
	}
	_, err = follow(whole.ChangesCursor)
	wantCode(t, err, "resync_required")
}

// What a replaced layout holds is shown by the rules of now: an item that changes its type is read as it was, one that left the
// resource is not, and where the key of then cannot be judged any more nothing is.
func TestRetiredLayoutKeepsRules(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		change func(b *bundle)
		want   string
	}{
		{"an item of another type", func(*bundle) {}, ""},
		{"an item that is withheld now", func(b *bundle) {
			b.exec(t, "UPDATE item SET share_type = 'withheld' WHERE resource_id = $1 AND no = $2", b.resource, numbers("children")[0])
		}, "resync_required"},
		{"an item that is no longer there", func(b *bundle) {
			b.exec(t, "DELETE FROM item WHERE resource_id = $1 AND no = $2", b.resource, numbers("children")[0])
		}, "resync_required"},
		{"a key item that is no longer there", func(b *bundle) {
			b.exec(t, "DELETE FROM item WHERE resource_id = $1 AND no = $2", b.resource, numbers("cert_no")[0])
		}, "resync_required"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.collect(t, map[string]person{"A1": {"children": "1"}, "A2": {"children": "2"}})
			b.grant(t, grantTerms{items: []string{"cert_no", "full_name", "children"}})
			first, err := b.first.pull.Rows(t.Context(), b.client, pull.RowsRequest{Call: b.call(), Limit: 1})
			if err != nil {
				t.Fatal(err)
			}
			b.relaid(t, "children", "C", map[string]person{"A1": {"children": "1"}, "A2": {"children": "2"}})
			c.change(b)
			b.resourceChanged(t)
			p, err := b.first.pull.Rows(t.Context(), b.client, pull.RowsRequest{Call: b.call(), Limit: 1, Cursor: first.NextCursor})
			if got := fault.CodeOf(err); err != nil && got != c.want || err == nil && c.want != "" {
				t.Fatalf("got %q, %v; want %q", got, err, c.want)
			}
			if err == nil && decode(t, p).Rows[0]["children"] != 2.0 {
				t.Errorf("the number of then: %s", p.Body)
			}
		})
	}
}
