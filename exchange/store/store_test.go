package store_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"sort"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/exchange/store"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
	"github.com/shuqiao/shuqiao/internal/pgtest"
)

// rowsOf maps a key to its division and name, the two items of the test resource beside the key.
type rowsOf map[string][2]string

// bundle is one resource with a store of its own.
type bundle struct {
	db       *db.DB
	store    *store.Store
	resource uuid.UUID
	task     uuid.UUID
	columns  []store.Column
}

func setup(t testing.TB) *bundle {
	t.Helper()
	d, err := db.Open(t.Context(), db.Options{URL: pgtest.URL(t), ApplicationName: "store test"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	b := &bundle{db: d, store: store.New(d), columns: []store.Column{
		{No: 1, Letter: "C"}, {No: 2, Letter: "C", Filterable: true}, {No: 3, Letter: "C"},
	}}
	_, err = d.Pool.Exec(t.Context(), `INSERT INTO department (id, uscc, name, division_code, level, created_at, updated_at)
		VALUES (gen_random_uuid(), 'QQ', '示例局', '330600', 'city', now(), now())`)
	if err != nil {
		t.Fatal(err)
	}
	return b.another(t)
}

// another returns a further resource in the same database.
func (b *bundle) another(t testing.TB) *bundle {
	t.Helper()
	n := *b
	n.resource, n.task = db.NewID(), db.NewID()
	_, err := b.db.Pool.Exec(context.Background(), `INSERT INTO resource (id, provider_dept_id, name, state, created_by, created_at, updated_at)
		SELECT $1::uuid, id, $1::uuid::text, 'published', id, now(), now() FROM department`, n.resource)
	if err != nil {
		t.Fatal(err)
	}
	return &n
}

// job makes a new run and takes the writer lease for it.
func (b *bundle) job(t testing.TB) store.Job {
	t.Helper()
	job := store.Job{Resource: b.resource, Task: b.task, Run: db.NewID(), Version: 1, Columns: b.columns}
	job.Lease = b.lease(t, job.Run)
	return job
}

func (b *bundle) lease(t testing.TB, run uuid.UUID) (l store.Lease) {
	t.Helper()
	err := b.db.InTx(context.Background(), func(tx *db.Tx) (err error) {
		l, err = store.TakeLeaseTx(context.Background(), tx, store.WriterLease(b.resource), run, db.NewID())
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func row(no int64, key string, v [2]string) store.Row {
	r := store.Row{No: no, Key: key, Values: [][]byte{[]byte(key), []byte(v[0]), []byte(v[1])}}
	sum := sha256.Sum256([]byte(key + "\x00" + v[0] + "\x00" + v[1]))
	copy(r.Hash[:], sum[:])
	return r
}

func seal(row []byte) ([]byte, error) { return row, nil }

// stage stages rows in key order, then further rows, then rejects, and settles.
func (b *bundle) stage(t testing.TB, job store.Job, rows rowsOf, further []store.Row, rejected ...string) *store.Staging {
	t.Helper()
	st, err := b.store.Open(context.Background(), job, false)
	if err != nil {
		t.Fatal(err)
	}
	no := int64(0)
	for _, k := range sortedKeys(rows) {
		no++
		st.Append(row(no, k, rows[k]))
	}
	for _, r := range further {
		no++
		r.No = no
		st.Append(r)
	}
	for _, k := range rejected {
		no++
		st.Refuse(store.Refused{No: no, Key: &k, Reasons: []byte(`[{"item_no":3,"code":"bad_date","message":"x"}]`), Hash: []byte(k), Sealed: []byte("sealed")})
	}
	checkpoint(t, st, nil)
	for range 2 { // Settling again, as after a crash, changes nothing.
		if err := st.Settle(context.Background(), seal); err != nil {
			t.Fatal(err)
		}
	}
	return st
}

func checkpoint(t testing.TB, st *store.Staging, after []string) {
	t.Helper()
	err := st.Checkpoint(context.Background(), after)
	if err == nil {
		err = st.Flush()
	}
	if err != nil {
		t.Fatal(err)
	}
}

// commit merges what is staged, whatever it deletes, and checks that counts balance and both ends are equal.
func (b *bundle) commit(t testing.TB, st *store.Staging) store.Counts {
	t.Helper()
	ctx := context.Background()
	r, err := st.Commit(ctx, store.MergeOptions{CarryDeletes: true, MayDelete: 1 << 40})
	if err != nil {
		t.Fatal(err)
	}
	if !r.Counts.Balanced() {
		t.Fatalf("counts do not balance: %+v", r.Counts)
	}
	c, err := st.CompareRead(ctx)
	if err != nil || !c.Equal() {
		t.Fatalf("the store differs from what was read: %+v, err %v", c, err)
	}
	if err := st.Drop(ctx); err != nil {
		t.Fatal(err)
	}
	return r.Counts
}

// collect runs one whole collect of these source rows.
func (b *bundle) collect(t testing.TB, rows rowsOf, rejected ...string) store.Counts {
	t.Helper()
	return b.commit(t, b.stage(t, b.job(t), rows, nil, rejected...))
}

func sortedKeys(rows rowsOf) []string {
	keys := make([]string, 0, len(rows))
	for k := range rows {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}

// stored reads the rows past the package, as an operator could.
func (b *bundle) stored(t testing.TB) rowsOf {
	t.Helper()
	rows, err := b.db.Pool.Query(context.Background(), "SELECT _key, i2, i3 FROM "+b.table(t))
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	out := rowsOf{}
	for rows.Next() {
		var k string
		var v [2]string
		if err := rows.Scan(&k, &v[0], &v[1]); err != nil {
			t.Fatal(err)
		}
		out[k] = v
	}
	return out
}

// table returns the row table in force.
func (b *bundle) table(t testing.TB) string {
	t.Helper()
	return "store." + one[string](t, b, "SELECT table_name FROM store.layout WHERE resource = $1 AND state = 'active'", b.resource)
}

func (b *bundle) openRejects(t testing.TB) string {
	t.Helper()
	rows, err := b.db.Pool.Query(context.Background(), "SELECT key, held FROM reject WHERE state = 'open' ORDER BY key")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var out []string
	for rows.Next() {
		var key string
		var held bool
		if err := rows.Scan(&key, &held); err != nil {
			t.Fatal(err)
		}
		if held {
			key += " held"
		}
		out = append(out, key)
	}
	return strings.Join(out, ", ")
}

// The first collect attaches a filled table; later ones merge inserts, updates and deletes and count each row once.
func TestCollectCounts(t *testing.T) {
	t.Parallel()
	b := setup(t)
	got := b.collect(t, rowsOf{"a": {"330602", "1"}, "b": {"330602", "2"}, "c": {"330603", "3"}})
	if want := (store.Counts{Read: 3, Inserted: 3}); got != want {
		t.Fatalf("first collect: got %+v, want %+v", got, want)
	}
	next := rowsOf{"a": {"330602", "1"}, "b": {"330603", "2"}, "d": {"330602", "4"}}
	got = b.collect(t, next)
	if want := (store.Counts{Read: 3, Inserted: 1, Updated: 1, Unchanged: 1, Deleted: 1}); got != want {
		t.Fatalf("second collect: got %+v, want %+v", got, want)
	}
	if diff := cmp.Diff(next, b.stored(t)); diff != "" {
		t.Error(diff)
	}
	got = b.collect(t, next)
	if want := (store.Counts{Read: 3, Unchanged: 3}); got != want {
		t.Fatalf("third collect: got %+v, want %+v", got, want)
	}
	head, err := b.store.ReadHead(t.Context(), b.resource)
	if err != nil || head.Seq != 6 {
		t.Errorf("head: got %d, want 6 (3 inserts, then 3 changes, then none); err %v", head.Seq, err)
	}
}

// A rejected key keeps its last good row, marked held; when the source is corrected the reject closes and the row is new.
func TestRejectHoldsLastGoodRow(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.collect(t, rowsOf{"a": {"330602", "1"}, "b": {"330602", "2"}})
	counts := b.collect(t, rowsOf{"a": {"330602", "1"}}, "b", "never-good")
	if counts.Rejected != 2 || counts.Held != 1 || counts.Deleted != 0 {
		t.Fatalf("got %+v", counts)
	}
	if diff := cmp.Diff(rowsOf{"a": {"330602", "1"}, "b": {"330602", "2"}}, b.stored(t)); diff != "" {
		t.Error(diff)
	}
	if got := b.openRejects(t); got != "b held, never-good" {
		t.Errorf("open rejects: got %q", got)
	}
	b.collect(t, rowsOf{"a": {"330602", "1"}, "b": {"330602", "9"}})
	if got := b.openRejects(t); got != "" {
		t.Errorf("open rejects after correction: got %q", got)
	}
	if got := b.stored(t)["b"]; got != [2]string{"330602", "9"} {
		t.Errorf("corrected row: got %v", got)
	}
}

// A key that occurs twice in one read is rejected with all its rows, in a first load and in a merge; the stored row is
// held.
func TestDuplicateKeys(t *testing.T) {
	t.Parallel()
	b := setup(t)
	twice := []store.Row{row(0, "dup", [2]string{"330602", "x"}), row(0, "dup", [2]string{"330602", "y"})}
	a := rowsOf{"a": {"330602", "1"}}
	got := b.commit(t, b.stage(t, b.job(t), a, twice))
	if want := (store.Counts{Read: 3, Inserted: 1, Rejected: 2}); got != want {
		t.Fatalf("first load: got %+v, want %+v", got, want)
	}
	b.collect(t, rowsOf{"a": {"330602", "1"}, "dup": {"330602", "good"}})
	got = b.commit(t, b.stage(t, b.job(t), a, twice))
	if want := (store.Counts{Read: 3, Unchanged: 1, Rejected: 2, Held: 1}); got != want {
		t.Fatalf("merge: got %+v, want %+v", got, want)
	}
	if got := b.stored(t)["dup"]; got != [2]string{"330602", "good"} {
		t.Errorf("held row: got %v", got)
	}
}

// Where the mount names an order column, the last row of a key wins and the others count as superseded.
func TestOrderColumnDecidesDuplicates(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, name := range []string{"first load", "merge"} {
		job := b.job(t)
		job.Ordered = "numeric"
		older, newer := row(0, "k", [2]string{"330602", name + " older"}), row(0, "k", [2]string{"330602", name + " newer"})
		older.Order, newer.Order = []byte("9"), []byte("10")
		counts := b.commit(t, b.stage(t, job, nil, []store.Row{newer, older}))
		if counts.Superseded != 1 || counts.Rejected != 0 || counts.Read != 2 {
			t.Errorf("%s: got %+v", name, counts)
		}
		if got := b.stored(t)["k"]; got != [2]string{"330602", name + " newer"} {
			t.Errorf("%s: got %v", name, got)
		}
	}
}

// A run that would delete more than the guard allows changes nothing and says how many; confirmed, it may.
func TestDeleteGuard(t *testing.T) {
	t.Parallel()
	b := setup(t)
	many, few := rowsOf{}, rowsOf{}
	for i := range 300 {
		many[fmt.Sprintf("k%03d", i)] = [2]string{"330602", "x"}
		if i < 150 {
			few[fmt.Sprintf("k%03d", i)] = [2]string{"330602", "x"}
		}
	}
	b.collect(t, many)
	st := b.stage(t, b.job(t), few, nil)
	_, err := st.Commit(t.Context(), store.MergeOptions{CarryDeletes: true})
	if fault.CodeOf(err) != "delete_guard" {
		t.Fatalf("got %v", err)
	}
	if f, _ := errors.AsType[*fault.Fault](err); f.Detail["deletes"] != "150" {
		t.Errorf("detail: got %v", f.Detail)
	}
	if got := len(b.stored(t)); got != 300 {
		t.Errorf("rows after the refused run: got %d", got)
	}
	if _, err := st.Commit(t.Context(), store.MergeOptions{CarryDeletes: true, MayDelete: 150}); err != nil {
		t.Fatal(err)
	}
	if got := len(b.stored(t)); got != 150 {
		t.Errorf("rows after confirmation: got %d", got)
	}
	empty := b.stage(t, b.job(t), nil, nil)
	if _, err := empty.Commit(t.Context(), store.MergeOptions{CarryDeletes: true}); fault.CodeOf(err) != "delete_guard" {
		t.Errorf("empty read of a non-empty store: got %v", err)
	}
}

// A dead attempt cannot write any more once another one has taken the lease: not a chunk, not a merge, not a drop.
func TestFence(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ctx := t.Context()
	b.collect(t, rowsOf{"a": {"330602", "1"}})
	dead := b.stage(t, b.job(t), rowsOf{"a": {"330602", "old"}}, nil)
	b.collect(t, rowsOf{"a": {"330602", "new"}})
	if _, err := dead.Commit(ctx, store.MergeOptions{CarryDeletes: true}); !errors.Is(err, store.ErrFenced) {
		t.Errorf("merge: got %v", err)
	}
	if err := dead.Drop(ctx); !errors.Is(err, store.ErrFenced) {
		t.Errorf("drop: got %v", err)
	}
	if err := dead.Settle(ctx, seal); !errors.Is(err, store.ErrFenced) {
		t.Errorf("settle: got %v", err)
	}
	if err := dead.Checkpoint(ctx, nil); err != nil {
		t.Fatal(err)
	}
	if err := dead.Flush(); !errors.Is(err, store.ErrFenced) {
		t.Errorf("chunk: got %v", err)
	}
	if got := b.stored(t)["a"]; got != [2]string{"330602", "new"} {
		t.Errorf("row: got %v", got)
	}
}

// Rows that vanish from staging behind the run's back are noticed in the merging transaction, and nothing is merged.
func TestLostStagingIsNoticed(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.collect(t, rowsOf{"a": {"330602", "1"}, "b": {"330602", "2"}})
	job := b.job(t)
	st := b.stage(t, job, rowsOf{"a": {"330602", "1"}, "b": {"330602", "3"}}, nil)
	table := "store.s_" + strings.ReplaceAll(job.Run.String(), "-", "")
	if _, err := b.db.Pool.Exec(t.Context(), "DELETE FROM "+table+" WHERE _key = 'b'"); err != nil {
		t.Fatal(err)
	}
	if _, err := st.Commit(t.Context(), store.MergeOptions{CarryDeletes: true}); !errors.Is(err, store.ErrStagingLost) {
		t.Fatalf("got %v", err)
	}
	if got := b.stored(t)["b"]; got != [2]string{"330602", "2"} {
		t.Errorf("row: got %v", got)
	}
}

// Staging of an earlier attempt is kept with its place in the source, unless another writer has committed since.
func TestResume(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.collect(t, rowsOf{"a": {"330602", "1"}})
	job := b.job(t)
	resumed := func() ([]string, int64, bool, *store.Staging) {
		st, err := b.store.Open(t.Context(), job, true)
		if err != nil {
			t.Fatal(err)
		}
		after, read, ok, err := st.Resumed(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return after, read, ok, st
	}
	_, _, ok, st := resumed()
	if ok {
		t.Fatal("a fresh run claims to be resumed")
	}
	st.Append(row(1, "a", [2]string{"330602", "1"}))
	checkpoint(t, st, []string{"a"})
	after, read, ok, _ := resumed()
	if !ok || read != 1 || !cmp.Equal(after, []string{"a"}) {
		t.Fatalf("got after %v, read %d, resumed %v", after, read, ok)
	}
	b.collect(t, rowsOf{"a": {"330602", "2"}})
	job.Lease = b.lease(t, job.Run)
	if _, _, ok, _ := resumed(); ok {
		t.Error("staging from before another writer's commit was kept")
	}
}
