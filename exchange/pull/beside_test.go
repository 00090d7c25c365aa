package pull_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/exchange/pull"
	"github.com/shuqiao/shuqiao/exchange/store"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// publishBeside publishes version 2, which has no full_name and gives children another type, and has version 1 served beside it for so long.
func (b *bundle) publishBeside(t testing.TB, beside time.Duration) {
	t.Helper()
	b.exec(t, `INSERT INTO resource_version (resource_id, version, state, name, summary, share_type, grade, body, made_by, published_at, created_at, updated_at)
		SELECT resource_id, 2, 'published', name, summary, share_type, grade, body, made_by, now(), now(), now() FROM resource_version WHERE resource_id = $1`, b.resource)
	b.exec(t, `INSERT INTO item (resource_id, version, no, id, ordinal, name, identifier, data_type, length, format, is_key, filterable, share_type, grade)
		SELECT resource_id, 2, CASE identifier WHEN 'children' THEN 21 ELSE no END, gen_random_uuid(), ordinal, name, identifier,
			CASE identifier WHEN 'children' THEN 'C' ELSE data_type END, length, format, is_key, filterable, share_type, grade
		FROM item WHERE resource_id = $1 AND version = 1 AND identifier <> 'full_name'`, b.resource)
	b.exec(t, `INSERT INTO version_change (resource_id, version, previous, breaks, items, identifiers, whole, at)
		VALUES ($1, 2, 1, '[]', $2, '{full_name,children}', false, clock_timestamp())`, b.resource, numbers("full_name", "children"))
	b.exec(t, "UPDATE resource_version SET served_until = clock_timestamp() + $2::interval WHERE resource_id = $1 AND version = 1", b.resource, beside)
	b.exec(t, "UPDATE resource SET published = 2, newest = 2 WHERE id = $1", b.resource)
	b.resourceChanged(t)
}

// newColumns are the store columns of version 2.
func newColumns() []store.Column {
	out := columns()
	out[numbers("full_name")[0]-1] = store.Column{No: 20, Letter: "C"}
	out[numbers("children")[0]-1] = store.Column{No: 21, Letter: "C"}
	return out
}

// takeNote records that the consumer of a grant has taken note of version 2.
func (b *bundle) takeNote(t testing.TB, grant uuid.UUID) {
	t.Helper()
	b.exec(t, "INSERT INTO change_acknowledgement (resource_id, version, grant_id, note, by, at) VALUES ($1, 2, $2, '', $3, now())", b.resource, grant, b.user)
	b.touch(t, grant)
}

// nameIs claims a name.
func nameIs(name string) map[string]json.RawMessage {
	return map[string]json.RawMessage{"full_name": json.RawMessage(`"` + name + `"`)}
}

// shapeOf writes the version and the items of an answer.
func shapeOf(b body) string { return fmt.Sprint(b.Version, " ", strings.Join(b.Items, ",")) }

// A grant on a removed and a retyped item reads them in their old shape: live until the store is rebuilt for the new version, then as they
// were at that moment, by every way of reading; when its consumer takes note, it reads the new shape.
func TestOldVersionIsServedBeside(t *testing.T) {
	t.Parallel()
	b := setup(t)
	rows := map[string]person{"A1": {"full_name": "甲", "children": "1"}, "A2": {"full_name": "乙", "children": "2"}}
	b.collect(t, rows)
	id := b.grant(t, grantTerms{items: []string{"cert_no", "full_name", "children"}})
	begun, _ := b.rows(t, pull.RowsRequest{})
	b.publishBeside(t, time.Hour)

	rows["A2"] = person{"full_name": "丙", "children": "3"}
	b.collect(t, rows)
	live, page := b.rows(t, pull.RowsRequest{})
	const old, now = "1 cert_no,full_name,children", "2 cert_no"
	if shapeOf(live) != old || live.Rows[1]["full_name"] != "丙" || live.Rows[1]["children"] != 3.0 {
		t.Errorf("before the store is rebuilt: %s", page.Body)
	}
	if o := page.Limits.Beside; o == nil || o.Successor != 2 || time.Until(o.Until) > time.Hour || time.Since(o.Since) > time.Minute {
		t.Errorf("said of the old version: %+v", o)
	}
	changes, err := b.first.pull.Changes(t.Context(), b.client, pull.ChangesRequest{Call: b.call(), Cursor: *begun.ChangesCursor})
	if err != nil || len(decode(t, changes).Changes) != 1 {
		t.Errorf("changes since before the publication: %v", err)
	}

	b.collectInto(t, map[string]person{"A1": {"full_name": "新", "children": "一"}}, newColumns())
	swapped := time.Now()
	frozen, page := b.rows(t, pull.RowsRequest{Limit: 1})
	if shapeOf(frozen) != old || len(frozen.Rows) != 1 || frozen.NextCursor == nil || page.Resync != "" || page.AsOf.After(swapped) {
		t.Fatalf("after the store is rebuilt: %s", page.Body)
	}
	frozen, page = b.rows(t, pull.RowsRequest{Limit: 1, Cursor: *frozen.NextCursor})
	if shapeOf(frozen) != old || frozen.Rows[0]["children"] != 3.0 || frozen.ChangesCursor == nil {
		t.Errorf("the next page: %s", page.Body)
	}
	for name, cursor := range map[string]*string{"of before": live.ChangesCursor, "of then": frozen.ChangesCursor} {
		p, err := b.first.pull.Changes(t.Context(), b.client, pull.ChangesRequest{Call: b.call(), Cursor: *cursor})
		if err != nil || len(decode(t, p).Changes) != 0 || p.Resync != "" || p.AsOf.After(swapped) {
			t.Errorf("changes by a cursor %s: %v", name, err)
		}
	}
	row, err := b.first.pull.Row(t.Context(), b.client, pull.RowRequest{Call: b.call(), Key: "A2"})
	if err != nil || decode(t, row).Row["full_name"] != "丙" || row.Limits.Beside == nil {
		t.Errorf("one row: %v", err)
	}
	found, err := b.first.pull.Query(t.Context(), b.client, pull.QueryRequest{Call: b.call(), Keys: []string{"A1", "A2"}})
	if err != nil || len(decode(t, found).Rows) != 2 {
		t.Errorf("rows by key: %v", err)
	}
	verified, err := b.first.pull.Verify(t.Context(), b.client, pull.VerifyRequest{Call: b.call(), Claims: []pull.Claim{{Key: "A2", Items: nameIs("丙")}}})
	if err != nil || !strings.Contains(string(verified.Body), `"match"`) {
		t.Errorf("a claim: %v", err)
	}
	s := &sink{}
	if end, err := b.first.pull.Stream(t.Context(), b.client, pull.RowsRequest{Call: b.call()}, s); err != nil || end.Rows != 2 {
		t.Errorf("a stream: %d rows, %v", end.Rows, err)
	}
	d := b.desk(t, t.TempDir())
	e := d.wait(t, d.order(t, pull.ExportRequest{Format: pull.FormatNDJSON}).ID)
	if e.State != pull.ExportReady || e.Rows != 2 || !strings.Contains(string(d.fetch(t, e.ID, 0, -1)), "丙") {
		t.Errorf("an export: %+v", e)
	}
	if n, err := b.store.DropGrace(t.Context(), 0); n != 0 || err != nil {
		t.Errorf("%d layouts were dropped while they are served, %v", n, err)
	}

	b.takeNote(t, id)
	fresh, page := b.rows(t, pull.RowsRequest{})
	if shapeOf(fresh) != now || len(fresh.Rows) != 1 || page.Limits.Beside != nil {
		t.Errorf("after taking note: %s", page.Body)
	}
	_, err = b.first.pull.Changes(t.Context(), b.client, pull.ChangesRequest{Call: b.call(), Cursor: *live.ChangesCursor})
	if f := wantCode(t, err, "resync_required"); f.Kind != fault.Gone {
		t.Errorf("a cursor of the old version: %v", f)
	}
	_, err = d.exports.Fetch(t.Context(), b.client, pull.Call{}, e.ID)
	wantCode(t, err, "terms_changed")
}

// A stream of the old version ends with terms_changed when its time is over, and the next call reads the new one.
func TestOldVersionEndsUnderAStream(t *testing.T) {
	t.Parallel()
	b := setup(t)
	rows := map[string]person{}
	for i := range 40 {
		rows[fmt.Sprintf("A%02d", i)] = person{"full_name": "甲", "children": "1"}
	}
	b.collect(t, rows)
	b.grant(t, grantTerms{items: []string{"cert_no", "full_name"}, rateRows: 4})
	b.publishBeside(t, 2*time.Second)
	s := &sink{}
	if _, err := b.first.pull.Stream(t.Context(), b.client, pull.RowsRequest{Call: b.call()}, s); fault.CodeOf(err) != "terms_changed" {
		t.Errorf("the stream ended with %v", err)
	}
	if !strings.Contains(s.data.String(), `"full_name":"甲"`) {
		t.Errorf("the stream had %s", s.data.String())
	}
	if got, _ := b.rows(t, pull.RowsRequest{}); shapeOf(got) != "2 cert_no" {
		t.Errorf("afterwards: %s", shapeOf(got))
	}
}

// What the new version withholds is served to nobody from its publication on: not by terms that were compiled before, and not by a file that was
// ordered before. Where no kept layout has the rows of the old version, they have to be read anew.
func TestOldVersionIsNoWayAround(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.collect(t, map[string]person{"A1": {"full_name": "甲", "children": "1", "remark": "密"}})
	b.grant(t, grantTerms{items: []string{"cert_no", "full_name", "remark"}})
	d := b.desk(t, t.TempDir())
	before := d.wait(t, d.order(t, pull.ExportRequest{Format: pull.FormatNDJSON}).ID)
	if got, _ := b.rows(t, pull.RowsRequest{}); got.Rows[0]["remark"] != "密" {
		t.Fatalf("before: %v", got.Rows)
	}
	b.publishBeside(t, time.Hour)
	b.exec(t, "UPDATE item SET share_type = 'withheld' WHERE resource_id = $1 AND version = 2 AND identifier = 'remark'", b.resource)
	b.resourceChanged(t)
	if got, _ := b.rows(t, pull.RowsRequest{}); shapeOf(got) != "1 cert_no,full_name" {
		t.Errorf("after the publication: %s", shapeOf(got))
	}
	_, err := d.exports.Fetch(t.Context(), b.client, pull.Call{}, before.ID)
	wantCode(t, err, "terms_changed")
	_, err = b.first.pull.Rows(t.Context(), b.client, pull.RowsRequest{Call: b.call(), Items: []string{"remark"}})
	wantCode(t, err, "item_not_granted")

	b.collectInto(t, map[string]person{"A1": {}}, newColumns())
	b.exec(t, "UPDATE store.layout SET state = 'dropped' WHERE resource = $1 AND state = 'grace'", b.resource)
	_, err = b.first.pull.Rows(t.Context(), b.client, pull.RowsRequest{Call: b.call()})
	wantCode(t, err, "resync_required")
	_, err = b.first.pull.Verify(t.Context(), b.client, pull.VerifyRequest{Call: b.call(), Claims: []pull.Claim{{Key: "A1", Items: nameIs("甲")}}})
	wantCode(t, err, "resync_required")
	if _, err := b.first.pull.Schema(t.Context(), b.client, b.call()); err != nil {
		t.Errorf("the schema: %v", err)
	}
}
