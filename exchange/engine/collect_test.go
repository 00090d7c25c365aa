package engine_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/shuqiao/shuqiao/connectors"
	"github.com/shuqiao/shuqiao/connectors/postgres"
	"github.com/shuqiao/shuqiao/exchange/engine"
	"github.com/shuqiao/shuqiao/exchange/store"
	"github.com/shuqiao/shuqiao/exchange/transform"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/pgtest"
)

// rowsAtSource is more than two chunks of a run, so that a run can break off between them.
const rowsAtSource = 50_000

// bundle is a source table with a key, and a store to collect it into.
type bundle struct {
	db       *db.DB
	store    *store.Store
	pool     *pgxpool.Pool // The department's database.
	source   *connectors.Connection
	resource uuid.UUID
	task     uuid.UUID
}

func setup(t *testing.T) *bundle {
	t.Helper()
	d, err := db.Open(t.Context(), db.Options{URL: pgtest.URL(t), ApplicationName: "engine test"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	b := &bundle{db: d, store: store.New(d), resource: db.NewID(), task: db.NewID()}
	_, err = d.Pool.Exec(t.Context(), `
		WITH d AS (INSERT INTO department (id, uscc, name, division_code, level, created_at, updated_at)
			VALUES (gen_random_uuid(), 'QQ', '示例局', '330600', 'city', now(), now()) RETURNING id)
		INSERT INTO resource (id, provider_dept_id, name, state, created_by, created_at, updated_at) SELECT $1, id, '示例', 'published', id, now(), now() FROM d`, b.resource)
	if err != nil {
		t.Fatal(err)
	}
	address := pgtest.Empty(t)
	if b.pool, err = pgxpool.New(t.Context(), address); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.pool.Close)
	b.sql(t, `CREATE TABLE thing (no text PRIMARY KEY, title text, born text)`)
	b.sql(t, `INSERT INTO thing SELECT 'k' || lpad(n::text, 6, '0'), '甲' || n, '2001-02-03' FROM generate_series(1, $1::int) n`, rowsAtSource)
	registry, err := connectors.NewRegistry(postgres.Driver{})
	if err != nil {
		t.Fatal(err)
	}
	if b.source, err = connectors.Open(t.Context(), registry, "postgres", map[string]string{"dsn": address}, connectors.Options{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.source.Close() })
	return b
}

func (b *bundle) sql(t *testing.T, sql string, args ...any) {
	t.Helper()
	if _, err := b.pool.Exec(t.Context(), sql, args...); err != nil {
		t.Fatal(err)
	}
}

// collect is an attempt of a run, with a lease of its own.
func (b *bundle) collect(t *testing.T, run uuid.UUID) *engine.Collect {
	t.Helper()
	var lease store.Lease
	err := b.db.InTx(t.Context(), func(tx *db.Tx) (err error) {
		lease, err = store.TakeLeaseTx(t.Context(), tx, store.WriterLease(b.resource), run, uuid.New())
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	item := func(no int, name string, letter byte, key bool) engine.Mapped {
		return engine.Mapped{Column: name, Kind: transform.KindText, Item: transform.Item{No: no, Identifier: name, Letter: letter, Key: key, Required: key}}
	}
	return &engine.Collect{
		Store: b.store, Source: b.source, Object: "public.thing", CarryDeletes: true, Resume: true, AsOf: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC),
		Job:      store.Job{Resource: b.resource, Task: b.task, Run: run, Version: 1, Lease: lease},
		Items:    []engine.Mapped{item(1, "no", 'C', true), item(2, "title", 'C', false), item(3, "born", 'D', false)},
		Seal:     func(row []byte) ([]byte, error) { return row, nil },
		Continue: func(context.Context) error { return nil },
	}
}

var errDied = errors.New("the attempt died")

// dieAt makes an attempt end before its n-th checkpoint.
func dieAt(n int) func(context.Context) error {
	asked := 0
	return func(context.Context) error {
		if asked++; asked >= n {
			return errDied
		}
		return nil
	}
}

// finish carries an attempt out, which must succeed, and drops what it staged.
func (b *bundle) finish(t *testing.T, c *engine.Collect) engine.Outcome {
	t.Helper()
	out, err := c.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if !out.Comparison.Equal() || !out.Result.Counts.Balanced() {
		t.Fatalf("got %+v", out)
	}
	if err := b.store.DropStaging(t.Context(), c.Job); err != nil {
		t.Fatal(err)
	}
	return out
}

// died asserts that an attempt broke off as planned, after it had staged something.
func (b *bundle) died(t *testing.T, c *engine.Collect) {
	t.Helper()
	c.Continue = dieAt(3)
	if _, err := c.Run(t.Context()); !errors.Is(err, errDied) {
		t.Fatalf("got %v", err)
	}
	var staged int64
	if err := b.db.Pool.QueryRow(t.Context(), "SELECT coalesce(sum(rows), 0)::bigint FROM store.chunk WHERE run = $1", c.Job.Run).Scan(&staged); err != nil || staged == 0 {
		t.Fatalf("%d rows staged, %v", staged, err)
	}
}

// A first load that broke off goes on behind its last checkpoint and ends as if it never had.
func TestResumedFill(t *testing.T) {
	t.Parallel()
	b := setup(t)
	run := uuid.New()
	b.died(t, b.collect(t, run))
	out := b.finish(t, b.collect(t, run))
	want := store.Counts{Read: rowsAtSource, Inserted: rowsAtSource}
	if !out.Resumed || out.Result.Counts != want || out.Result.Seq != rowsAtSource {
		t.Fatalf("got %+v", out)
	}
}

// A merge that was resumed under another snapshot deletes only what a fresh look at the source confirms as gone: a row that
// moved behind the reader's back is kept.
func TestResumedMerge(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.sql(t, "DELETE FROM thing WHERE no = 'k000010'")
	b.finish(t, b.collect(t, uuid.New()))
	run := uuid.New()
	b.died(t, b.collect(t, run))
	// Behind the checkpoint one row comes and one goes; before the reader one goes and one changes.
	b.sql(t, "INSERT INTO thing VALUES ('k000010', '迟', NULL)")
	b.sql(t, "DELETE FROM thing WHERE no IN ('k000011', 'k049999')")
	b.sql(t, "UPDATE thing SET title = '乙' WHERE no = 'k049998'")
	out := b.finish(t, b.collect(t, run))
	c := out.Result.Counts
	if !out.Resumed || out.DeletesDeferred || c.Deleted != 1 || c.Updated != 1 || c.Inserted != 0 {
		t.Fatalf("got %+v", out)
	}
	// What the two snapshots hid, the next run brings.
	c = b.finish(t, b.collect(t, uuid.New())).Result.Counts
	if c.Deleted != 1 || c.Inserted != 1 || c.Updated != 0 || c.Unchanged != rowsAtSource-3 {
		t.Fatalf("got %+v", c)
	}
}

// Staged rows that are not what their checkpoints promise are never merged: the attempt that finds them so before it
// reads starts from zero, the one that finds them so at its merge fails.
func TestAlteredStaging(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.finish(t, b.collect(t, uuid.New()))
	run := uuid.New()
	broken := b.collect(t, run)
	b.died(t, broken)
	alter := func() {
		t.Helper()
		_, err := b.db.Pool.Exec(t.Context(), `DO $$ BEGIN EXECUTE (SELECT format('DELETE FROM %s WHERE _key = ''k000001''', c.oid::regclass)
			FROM pg_class c WHERE c.relnamespace = 'store'::regnamespace AND c.relkind = 'r' AND c.relname LIKE 's\_%'); END $$`)
		if err != nil {
			t.Fatal(err)
		}
	}
	alter()
	again := b.collect(t, run)
	again.Observe = func(_ context.Context, p engine.Progress) {
		if p.Stage == engine.StageMerge {
			alter()
		}
	}
	_, err := again.Run(t.Context())
	var f *engine.Failure
	if !errors.As(err, &f) || f.Code != "staging_lost" || f.Stage != engine.StageMerge || !f.Retryable {
		t.Fatalf("got %v", err)
	}
	out := b.finish(t, b.collect(t, run))
	if out.Resumed || out.Result.Counts != (store.Counts{Read: rowsAtSource, Unchanged: rowsAtSource}) {
		t.Fatalf("got %+v", out)
	}
}

// A resource version that lacks an item gets a new layout, and the old rows are served until it is complete.
func TestNewLayout(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.finish(t, b.collect(t, uuid.New()))
	before, err := b.store.ReadHead(t.Context(), b.resource)
	if err != nil {
		t.Fatal(err)
	}
	b.sql(t, "ALTER TABLE thing ADD COLUMN note text; DELETE FROM thing WHERE no > 'k049990'")
	other := func(run uuid.UUID) *engine.Collect {
		c := b.collect(t, run)
		c.Job.Version = 2
		c.Items = append(c.Items[:2], engine.Mapped{Column: "note", Kind: transform.KindText, Item: transform.Item{No: 4, Identifier: "note", Letter: 'C'}})
		return c
	}
	run := uuid.New()
	b.died(t, other(run))
	if head, err := b.store.ReadHead(t.Context(), b.resource); err != nil || head.Layout != before.Layout || head.Seq != before.Seq {
		t.Fatalf("half a layout is visible: %+v, %v", head, err)
	}
	c := b.finish(t, other(run))
	head, err := b.store.ReadHead(t.Context(), b.resource)
	if err != nil || head.Layout != before.Layout+1 || head.MinSeq != head.Seq || !c.Resumed || c.Result.Counts.Deleted != 10 {
		t.Fatalf("got %+v after %+v, %v", head, c, err)
	}
}
