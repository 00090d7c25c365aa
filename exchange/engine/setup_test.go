package engine_test

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/shuqiao/shuqiao/connectors"
	"github.com/shuqiao/shuqiao/connectors/all"
	"github.com/shuqiao/shuqiao/exchange/engine"
	"github.com/shuqiao/shuqiao/exchange/store"
	"github.com/shuqiao/shuqiao/exchange/transform"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/pgtest"
)

// bench is a source database, a hub, and one resource whose rows go from table "person" of the first to the second.
type bench struct {
	source *pgxpool.Pool
	hub    *db.DB
	engine.Collect
}

// person are the items most tests collect: a key, a filterable division and a name.
func person() []engine.Mapped {
	return []engine.Mapped{
		{Item: transform.Item{No: 1, Identifier: "id", Letter: 'C', Length: 40, Key: true, Required: true}, Column: "id", Kind: transform.KindText},
		{Item: transform.Item{No: 2, Identifier: "division", Letter: 'C', Length: 6}, Filterable: true, Column: "division", Kind: transform.KindText},
		{Item: transform.Item{No: 3, Identifier: "name", Letter: 'C', Length: 64}, Column: "name", Kind: transform.KindText},
	}
}

const personTable = `CREATE TABLE person (id text PRIMARY KEY, division text, name text)`

func newBench(t testing.TB, table string, items []engine.Mapped) *bench {
	t.Helper()
	ctx := context.Background()
	sourceURL := pgtest.Empty(t)
	source, err := pgxpool.New(ctx, sourceURL)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(source.Close)
	hub, err := db.Open(ctx, db.Options{URL: pgtest.URL(t), ApplicationName: "engine test"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(hub.Close)
	b := &bench{source: source, hub: hub}
	b.at(t, table)
	registry, err := all.Registry()
	if err != nil {
		t.Fatal(err)
	}
	connection, err := connectors.Open(ctx, registry, "postgres", map[string]string{"dsn": sourceURL}, connectors.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = connection.Close() })
	b.Collect = engine.Collect{
		Store: store.New(hub), Source: connection, Object: "public.person", Items: items, CarryDeletes: true, MayDelete: 1 << 40,
		AsOf: time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC),
		Job:  store.Job{Resource: db.NewID(), Task: db.NewID(), Run: db.NewID(), Version: 1},
		Seal: func(row []byte) ([]byte, error) { return row, nil }, Continue: func(context.Context) error { return nil },
	}
	b.sql(t, `INSERT INTO department (id, uscc, name, division_code, level, created_at, updated_at)
		VALUES (gen_random_uuid(), 'QQ', '示例局', '330600', 'city', now(), now())`)
	b.sql(t, `INSERT INTO resource (id, provider_dept_id, name, state, created_by, created_at, updated_at)
		SELECT $1::uuid, id, $1::uuid::text, 'published', id, now(), now() FROM department`, b.Job.Resource)
	return b
}

// at runs a statement at the source.
func (b *bench) at(t testing.TB, sql string, args ...any) {
	t.Helper()
	if _, err := b.source.Exec(context.Background(), sql, args...); err != nil {
		t.Fatal(err)
	}
}

// sql runs a statement at the hub.
func (b *bench) sql(t testing.TB, sql string, args ...any) {
	t.Helper()
	if _, err := b.hub.Pool.Exec(context.Background(), sql, args...); err != nil {
		t.Fatal(err)
	}
}

// one reads a single value at the hub.
func one[T any](t testing.TB, b *bench, sql string, args ...any) (v T) {
	t.Helper()
	if err := b.hub.Pool.QueryRow(context.Background(), sql, args...).Scan(&v); err != nil {
		t.Fatal(err)
	}
	return v
}

// attempt runs one attempt of the run with a lease of its own.
func (b *bench) attempt(t testing.TB, ctx context.Context) (engine.Outcome, error) {
	t.Helper()
	err := b.hub.InTx(context.Background(), func(tx *db.Tx) (err error) {
		b.Job.Lease, err = store.TakeLeaseTx(context.Background(), tx, store.WriterLease(b.Job.Resource), b.Job.Run, db.NewID())
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.Collect.Run(ctx)
}

// run carries a new run out and checks that its counts balance and that both ends are equal.
func (b *bench) run(t testing.TB) engine.Outcome {
	t.Helper()
	b.Job.Run, b.Resume = db.NewID(), false
	return b.finish(t)
}

// finish makes an attempt that must succeed, and drops what it staged.
func (b *bench) finish(t testing.TB) engine.Outcome {
	t.Helper()
	out, err := b.attempt(t, context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if !out.Result.Counts.Balanced() || !out.Comparison.Equal() {
		t.Fatalf("counts %+v, comparison %+v", out.Result.Counts, out.Comparison)
	}
	if err := b.Store.DropStaging(context.Background(), b.Job); err != nil {
		t.Fatal(err)
	}
	return out
}

// dieAt makes an attempt that is cut off when it reaches a stage.
func (b *bench) dieAt(t testing.TB, stage engine.Stage) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	b.Observe = func(_ context.Context, p engine.Progress) {
		if p.Stage == stage {
			cancel()
		}
	}
	defer func() { b.Observe = nil }()
	if _, err := b.attempt(t, ctx); err == nil {
		t.Fatal("the attempt was not cut off")
	}
}

// table returns the row table in force.
func (b *bench) table(t testing.TB) string {
	t.Helper()
	return "store." + one[string](t, b, "SELECT table_name FROM store.layout WHERE resource = $1 AND state = 'active'", b.Job.Resource)
}

// leftovers counts what runs may leave in the store beside rows: staging tables, detached row tables, checkpoints, staged
// rejects.
func (b *bench) leftovers(t testing.TB) int64 {
	t.Helper()
	return one[int64](t, b, `SELECT (SELECT count(*) FROM pg_tables WHERE schemaname = 'store' AND tablename SIMILAR TO '(s|k)\_%')
		+ (SELECT count(*) FROM pg_tables p WHERE schemaname = 'store' AND tablename LIKE 'r\_%' AND NOT EXISTS (
			SELECT 1 FROM store.layout l WHERE l.state IN ('active', 'grace') AND p.tablename IN (l.table_name, l.table_name || '_log')))
		+ (SELECT count(*) FROM store.chunk) + (SELECT count(*) FROM store.staged_reject) + (SELECT count(*) FROM store.staged_gone)`)
}
