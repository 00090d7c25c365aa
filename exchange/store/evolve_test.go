package store_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/exchange/store"
	"github.com/shuqiao/shuqiao/internal/fault"
)

var (
	threeItems = []store.Column{{No: 1, Letter: "C", Key: true}, {No: 2, Letter: "C", Filterable: true}, {No: 3, Letter: "C"}}
	fourItems  = append(threeItems[:3:3], store.Column{No: 4, Letter: "C"})
)

// wide stages rows of four items and commits.
func (b *bundle) wide(t testing.TB, rows map[string][3]string) store.Counts {
	t.Helper()
	st, err := b.store.Open(context.Background(), b.job(t), false)
	if err != nil {
		t.Fatal(err)
	}
	no := int64(0)
	for k, v := range rows {
		no++
		r := row(no, k, [2]string{v[0], v[1]})
		r.Values = append(r.Values, []byte(v[2]))
		r.Hash[0] ^= v[2][0]
		st.Append(r)
	}
	checkpoint(t, st, nil)
	if err := st.Settle(context.Background(), seal); err != nil {
		t.Fatal(err)
	}
	return b.commit(t, st)
}

// changesFrom lists what a consumer behind a cursor is told.
func (b *bundle) changesFrom(t testing.TB, q store.Query, after int64) ([]string, error) {
	t.Helper()
	q.Resource, q.Select = b.resource, []string{"i3"}
	var out []string
	_, _, err := b.store.Changes(context.Background(), b.decision(t), q, after, 100, func(c store.Change) error {
		if c.Delete {
			out = append(out, "-"+c.Key)
		} else {
			out = append(out, "+"+c.Key)
		}
		return nil
	})
	return out, err
}

// A new item that may be NULL gets a column in the table in force: rows keep their numbers, cursors go on, and nobody sees
// the item before its first values are committed.
func TestItemAdded(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.columns = threeItems
	b.collect(t, rowsOf{"a": {"330602", "1"}, "b": {"330602", "2"}})
	before, err := b.store.ReadHead(t.Context(), b.resource)
	if err != nil {
		t.Fatal(err)
	}
	may := b.decision(t)
	// Rows look the layout up each time, look-ups remember it: both must notice.
	needs := func() string {
		q := store.Query{Resource: b.resource, Select: []string{"i4"}, Needs: []int{4}}
		_, err := b.store.Rows(t.Context(), may, q, "", 10, func(store.Record) error { return nil })
		_, lookErr := b.store.Lookup(t.Context(), may, authz.DataPull, q, []string{"a"}, func(store.Record) error { return nil })
		if fault.CodeOf(err) != fault.CodeOf(lookErr) {
			t.Errorf("rows: %v, look-up: %v", err, lookErr)
		}
		return fault.CodeOf(err)
	}
	// A run that widens the table with another idea of the item and is given up does not get in the way.
	b.columns = append(threeItems[:3:3], store.Column{No: 4, Letter: "D", Filterable: true})
	if _, err := b.store.Open(t.Context(), b.job(t), false); err != nil {
		t.Fatal(err)
	}
	if got := needs(); got != "not_collected" {
		t.Errorf("before the merge: got %q", got)
	}
	b.columns = fourItems
	got := b.wide(t, map[string][3]string{"a": {"330602", "1", "new"}, "b": {"330603", "2", "new"}})
	if want := (store.Counts{Read: 2, Updated: 2}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got := needs(); got == "not_collected" {
		t.Error("after the merge the item still counts as not collected")
	}
	after, err := b.store.ReadHead(t.Context(), b.resource)
	if err != nil || after.Layout != before.Layout || after.MinSeq != before.MinSeq || after.Seq != before.Seq+2 {
		t.Errorf("head: %+v, was %+v, err %v", after, before, err)
	}
	told, err := b.changesFrom(t, store.Query{Where: "i2 = $1", Args: []any{"330602"}, Filters: []int{2}}, before.Seq)
	if diff := cmp.Diff([]string{"+a", "-b"}, told); diff != "" || err != nil {
		t.Error(diff, err)
	}
	if n := one[int64](t, b, "SELECT count(*) FROM "+b.table(t)+" WHERE i4 = 'new'"); n != 2 {
		t.Errorf("rows with the new item: got %d", n)
	}
}

// An item may become filterable later: from then on the log keeps its old values. Cursors of before cannot follow a filter
// that uses it, later ones can; other filters go on.
func TestItemBecomesFilterable(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.columns = threeItems
	b.collect(t, rowsOf{"a": {"330602", "1"}, "b": {"330602", "2"}, "c": {"330602", "2"}})
	b.collect(t, rowsOf{"a": {"330602", "1"}, "b": {"330602", "1"}, "c": {"330602", "2"}}) // Not logged: b leaves name 2.
	b.columns = []store.Column{threeItems[0], threeItems[1], {No: 3, Letter: "C", Filterable: true}}
	b.collect(t, rowsOf{"a": {"330602", "1"}, "b": {"330602", "1"}, "c": {"330602", "1"}}) // Logged: c leaves name 2.
	head, err := b.store.ReadHead(t.Context(), b.resource)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[int]int64{3: 4}, head.FilterableFrom); diff != "" || head.Layout != 1 {
		t.Fatalf("layout %d, %s", head.Layout, diff)
	}
	byName := store.Query{Where: "i3 = $1", Args: []any{"2"}, Filters: []int{3}}
	if _, err := b.changesFrom(t, byName, 3); fault.CodeOf(err) != "resync_required" {
		t.Errorf("cursor of before: got %v", err)
	}
	told, err := b.changesFrom(t, byName, 4)
	if diff := cmp.Diff([]string{"-c"}, told); diff != "" || err != nil {
		t.Error(diff, err)
	}
	told, err = b.changesFrom(t, store.Query{Where: "i2 = $1", Args: []any{"330602"}, Filters: []int{2}}, 3)
	if diff := cmp.Diff([]string{"+b", "+c"}, told); diff != "" || err != nil {
		t.Error(diff, err)
	}
	indexed := one[bool](t, b, "SELECT count(*) = 2 FROM pg_indexes WHERE schemaname = 'store' AND indexdef LIKE '%(i_, _key)'")
	if !indexed {
		t.Error("a filterable item has no index")
	}
	// Switched off and on again: what was logged before is not enough.
	b.columns = threeItems
	b.collect(t, rowsOf{"a": {"330602", "1"}, "b": {"330602", "1"}, "c": {"330602", "2"}})
	if _, err := b.changesFrom(t, byName, 5); fault.CodeOf(err) != "resync_required" {
		t.Errorf("no longer filterable: got %v", err)
	}
	b.columns = []store.Column{threeItems[0], threeItems[1], {No: 3, Letter: "C", Filterable: true}}
	b.collect(t, rowsOf{"a": {"330602", "1"}, "b": {"330602", "1"}, "c": {"330602", "2"}})
	if _, err := b.changesFrom(t, byName, 5); fault.CodeOf(err) != "resync_required" {
		t.Errorf("filterable again, cursor of before: got %v", err)
	}
	if _, err := b.changesFrom(t, byName, 6); err != nil {
		t.Errorf("filterable again, cursor of now: got %v", err)
	}
}

// A reader that holds the table keeps it from being widened, but not others from reading it; the run is told to come again.
func TestWideningGivesWayToReaders(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.columns = threeItems
	b.collect(t, rowsOf{"a": {"330602", "1"}})
	reader, err := b.db.Pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = reader.Rollback(context.Background()) }()
	if _, err := reader.Exec(t.Context(), "SELECT * FROM "+b.table(t)); err != nil {
		t.Fatal(err)
	}
	b.columns = fourItems
	job := b.job(t)
	opened := make(chan error, 1)
	go func() {
		_, err := b.store.Open(context.Background(), job, false)
		opened <- err
	}()
	table := b.table(t)
	for open := true; open; {
		start := time.Now()
		if n := one[int64](t, b, "SELECT count(*) FROM "+table); n != 1 {
			t.Errorf("rows: got %d", n)
		}
		if d := time.Since(start); d > 2*time.Second {
			t.Errorf("a reader waited for %v", d)
		}
		select {
		case err := <-opened:
			if fault.CodeOf(err) != "store_busy" || !fault.Is(err, fault.Unavailable) {
				t.Errorf("got %v", err)
			}
			open = false
		default:
		}
	}
	if err := reader.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.wide(t, map[string][3]string{"a": {"330602", "1", "new"}})
}

// A new layout keeps the last good row of every rejected key, and all rows that were not met where deletes are not carried;
// what was accepted is compared as ever, and the next good read replaces what was kept.
func TestNewLayoutKeepsWhatMustStay(t *testing.T) {
	t.Parallel()
	for _, carry := range []bool{true, false} {
		b := setup(t)
		ctx := t.Context()
		b.columns = []store.Column{threeItems[0], threeItems[1], threeItems[2], {No: 4, Letter: "C"}}
		b.wide(t, map[string][3]string{"a": {"330602", "1", "x"}, "held": {"330602", "2", "x"}, "gone": {"330602", "3", "x"}})
		b.columns = threeItems
		st := b.stage(t, b.job(t), rowsOf{"a": {"330602", "1"}}, nil, "held", "never")
		r, err := st.Commit(ctx, store.MergeOptions{CarryDeletes: carry, MayDelete: 1})
		if err != nil {
			t.Fatal(err)
		}
		want := store.Counts{Read: 3, Inserted: 1, Rejected: 2, Held: 1}
		kept := rowsOf{"a": {"330602", "1"}, "held": {"330602", "2"}}
		if carry {
			want.Deleted = 1
		} else {
			kept["gone"] = [2]string{"330602", "3"}
		}
		if r.Counts != want {
			t.Errorf("deletes carried %v: got %+v, want %+v", carry, r.Counts, want)
		}
		if diff := cmp.Diff(kept, b.stored(t)); diff != "" {
			t.Error(diff)
		}
		if got := b.openRejects(t); got != "held held, never" {
			t.Errorf("open rejects: got %q", got)
		}
		c, err := st.CompareRead(ctx)
		if err != nil || c.Missing != 0 || c.Changed != 0 || c.Extra != int64(len(kept)-2) || c.Held != 1 {
			t.Errorf("comparison: %+v, err %v", c, err)
		}
		head, err := b.store.ReadHead(ctx, b.resource)
		if err != nil || head.Seq != r.Seq || head.MinSeq != r.Seq || one[int64](t, b, "SELECT max(_seq) FROM "+b.table(t)) != r.Seq {
			t.Errorf("head: %+v, result %+v, err %v", head, r, err)
		}
		next := rowsOf{"a": {"330602", "1"}, "held": {"330602", "2"}, "gone": {"330602", "3"}}
		b.collect(t, next)
		if diff := cmp.Diff(next, b.stored(t)); diff != "" {
			t.Error(diff)
		}
	}
}

// Rows under another key are other rows: the layout is made anew, and the guard looks at how many there are.
func TestKeyChanges(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.columns = threeItems
	rows := rowsOf{}
	for _, k := range []string{"a", "b", "c"} {
		rows[k] = [2]string{"330602", "name " + k}
	}
	b.collect(t, rows)
	b.columns = []store.Column{{No: 1, Letter: "C"}, threeItems[1], {No: 3, Letter: "C", Key: true}}
	byName := rowsOf{"name a": rows["a"], "name b": rows["b"], "name c": rows["c"]}
	st := b.stage(t, b.job(t), byName, nil)
	r, err := st.Commit(t.Context(), store.MergeOptions{CarryDeletes: true})
	if err != nil {
		t.Fatal(err)
	}
	if want := (store.Counts{Read: 3, Inserted: 3}); r.Counts != want {
		t.Errorf("got %+v, want %+v", r.Counts, want)
	}
	if diff := cmp.Diff(byName, b.stored(t), cmpopts.EquateEmpty()); diff != "" {
		t.Error(diff)
	}
	b.columns = threeItems
	empty := b.stage(t, b.job(t), nil, nil)
	if _, err := empty.Commit(t.Context(), store.MergeOptions{CarryDeletes: true}); fault.CodeOf(err) != "delete_guard" {
		t.Errorf("an empty read under another key: got %v", err)
	}
}

// Widening belongs to whoever holds the lease.
func TestWideningIsFenced(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.columns = threeItems
	b.collect(t, rowsOf{"a": {"330602", "1"}})
	dead := b.job(t)
	dead.Columns = fourItems
	b.lease(t, dead.Task)
	if _, err := b.store.Open(t.Context(), dead, false); !errors.Is(err, store.ErrFenced) {
		t.Errorf("got %v", err)
	}
}
