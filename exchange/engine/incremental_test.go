package engine_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/shuqiao/shuqiao/exchange/engine"
	"github.com/shuqiao/shuqiao/exchange/store"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// marked is a table with a watermark of its own accord, a soft delete and a table of deletes.
const marked = `CREATE TABLE person (id text PRIMARY KEY, division text, name text, changed timestamptz DEFAULT clock_timestamp(), step bigint, gone text);
	CREATE TABLE departed (who text, at timestamptz DEFAULT clock_timestamp())`

// newIncremental returns a bench that reads what changed by the column "changed".
func newIncremental(t *testing.T) *bench {
	t.Helper()
	zone, err := time.LoadLocation("Asia/Shanghai")
	if err != nil {
		t.Fatal(err)
	}
	b := newBench(t, marked, person())
	b.Incremental = &engine.Incremental{Column: "changed", Zone: zone}
	b.MayDelete = 0
	return b
}

// counted carries a new run out, which must have these counts and be partial or not.
func (b *bench) counted(t testing.TB, part bool, want store.Counts) {
	t.Helper()
	out := b.run(t)
	if out.Part != part {
		t.Errorf("partial: got %v, want %v", out.Part, part)
	}
	if diff := cmp.Diff(want, out.Result.Counts); diff != "" {
		t.Errorf("counts (-want +got):\n%s", diff)
	}
}

// names returns what the store holds; held rows bear a star.
func (b *bench) names(t testing.TB) map[string]string {
	t.Helper()
	rows, err := b.hub.Pool.Query(context.Background(), "SELECT _key, coalesce(i3, '-') || CASE WHEN _held IS NULL THEN '' ELSE '*' END FROM "+b.table(t))
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	var key, name string
	if _, err := pgx.ForEachRow(rows, []any{&key, &name}, func() error { out[key] = name; return nil }); err != nil {
		t.Fatal(err)
	}
	return out
}

func (b *bench) holds(t testing.TB, want map[string]string) {
	t.Helper()
	if diff := cmp.Diff(want, b.names(t)); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
	if n := one[int64](t, b, "SELECT rows FROM store.store_head WHERE resource = $1", b.Job.Resource); n != int64(len(want)) {
		t.Errorf("the head counts %d rows, want %d", n, len(want))
	}
}

// The first run reads everything; the next ones what changed, rows without a mark each time, and rows that were refused
// whatever their mark says, until they are mended or gone.
func TestIncremental(t *testing.T) {
	t.Parallel()
	b := newIncremental(t)
	b.at(t, `INSERT INTO person VALUES ('a', '330602', '甲', '2026-01-01'), ('b', '330602', '乙', '2026-01-02'), ('n', '330602', '无', NULL), ('far', '330602', '远', 'infinity'),
		('bad', '3306021', '丙', '2026-01-01'), ('worse', '3306021', '丁', '2026-01-01')`)
	b.counted(t, false, store.Counts{Read: 6, Inserted: 4, Rejected: 2})
	b.counted(t, true, store.Counts{Read: 5, Unchanged: 3, Rejected: 2})
	// b changes with its mark, n without one; a changes behind the watermark, which nobody can notice.
	b.at(t, `UPDATE person SET name = '乙乙', changed = '2026-01-03' WHERE id = 'b'; UPDATE person SET name = '有' WHERE id = 'n'; UPDATE person SET name = '暗' WHERE id = 'a';
		UPDATE person SET division = '330603' WHERE id = 'bad'; DELETE FROM person WHERE id = 'worse'`)
	b.counted(t, true, store.Counts{Read: 4, Inserted: 1, Updated: 2, Unchanged: 1})
	b.holds(t, map[string]string{"a": "甲", "b": "乙乙", "n": "有", "far": "远", "bad": "丙"})
	if n := one[int64](t, b, "SELECT count(*) FROM reject WHERE state = 'open'"); n != 0 {
		t.Errorf("%d rejects are open", n)
	}
	// A row of the very mark that was read last is at the edge, and is read.
	b.at(t, `INSERT INTO person VALUES ('edge', '330602', '边', '2026-01-03'), ('below', '330602', '下', '2026-01-02')`)
	b.counted(t, true, store.Counts{Read: 4, Inserted: 1, Unchanged: 3})
	if n := b.leftovers(t); n != 0 {
		t.Errorf("left over: %d", n)
	}
}

// A stored row that goes wrong is held, and released when it is mended without a new mark; one that goes while it is held goes
// at the hub.
func TestIncrementalHolds(t *testing.T) {
	t.Parallel()
	b := newIncremental(t)
	b.at(t, `INSERT INTO person VALUES ('a', '330602', '甲', '2026-01-01'), ('b', '330602', '乙', '2026-01-02')`)
	b.counted(t, false, store.Counts{Read: 2, Inserted: 2})
	b.at(t, `UPDATE person SET division = '3306021', name = '错', changed = '2026-01-03'`)
	b.counted(t, true, store.Counts{Read: 2, Rejected: 2, Held: 2})
	b.holds(t, map[string]string{"a": "甲*", "b": "乙*"})
	b.at(t, `UPDATE person SET division = '330602' WHERE id = 'a'; DELETE FROM person WHERE id = 'b'`)
	b.counted(t, true, store.Counts{Read: 1, Updated: 1, Deleted: 1})
	b.holds(t, map[string]string{"a": "错"})
}

// A transaction that was open while a run read, and commits behind it with an older mark, is not lost, whether marks are times
// or numbers.
func TestLateCommitIsRead(t *testing.T) {
	t.Parallel()
	for _, column := range []string{"changed", "step"} {
		t.Run(column, func(t *testing.T) {
			t.Parallel()
			b := newIncremental(t)
			b.Incremental.Column = column
			b.at(t, `INSERT INTO person (id, division, name, step) VALUES ('a', '330602', '甲', 1)`)
			b.run(t)
			b.run(t)
			late, err := b.source.Begin(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if _, err := late.Exec(t.Context(), `INSERT INTO person (id, division, name, step) VALUES ('late', '330602', '迟', 2)`); err != nil {
				t.Fatal(err)
			}
			b.at(t, `INSERT INTO person (id, division, name, step) VALUES ('b', '330602', '乙', 3)`)
			b.run(t)
			b.at(t, `INSERT INTO person (id, division, name, step) VALUES ('c', '330602', '丙', 4)`)
			b.run(t)
			b.run(t)
			b.holds(t, map[string]string{"a": "甲", "b": "乙", "c": "丙"})
			if err := late.Commit(t.Context()); err != nil {
				t.Fatal(err)
			}
			b.run(t)
			b.holds(t, map[string]string{"a": "甲", "b": "乙", "c": "丙", "late": "迟"})
			// The watermark follows once nothing is open any more.
			b.run(t)
			if out := b.run(t); out.Result.Counts.Read > 1 {
				t.Errorf("still reads %d rows", out.Result.Counts.Read)
			}
		})
	}
}

// A row marked as deleted goes, comes back when the mark is taken away, and was never there when it came with it.
func TestSoftDelete(t *testing.T) {
	t.Parallel()
	b := newIncremental(t)
	b.SoftDelete = &engine.SoftDelete{Column: "gone", Values: []string{"Y", "1"}}
	b.at(t, `INSERT INTO person VALUES ('a', '330602', '甲', '2026-01-01', 0, NULL), ('b', '330602', '乙', '2026-01-01', 0, 'N'), ('c', '330602', '丙', '2026-01-01', 0, '1'), ('d', '330602', '丁', '2026-01-01', 0, NULL)`)
	b.counted(t, false, store.Counts{Read: 4, Inserted: 3, Filtered: 1})
	b.at(t, `UPDATE person SET gone = 'Y', changed = '2026-01-02', division = 'much too long' WHERE id = 'b'; INSERT INTO person VALUES ('e', '330602', '戊', '2026-01-02', 0, 'Y')`)
	b.counted(t, true, store.Counts{Read: 5, Unchanged: 2, Filtered: 3, Deleted: 1})
	b.holds(t, map[string]string{"a": "甲", "d": "丁"})
	b.at(t, `UPDATE person SET gone = NULL, changed = '2026-01-03', division = '330602' WHERE id = 'b'`)
	b.counted(t, true, store.Counts{Read: 2, Inserted: 1, Filtered: 1})
	b.holds(t, map[string]string{"a": "甲", "b": "乙", "d": "丁"})
}

// A key of the delete table goes unless the source has a row of it again, however old that row's mark is.
func TestDeleteTable(t *testing.T) {
	t.Parallel()
	b := newIncremental(t)
	b.Incremental.DeleteTable = &engine.DeleteTable{Object: "public.departed", Columns: []string{"who"}, Column: "at"}
	b.at(t, `INSERT INTO person SELECT n::text, '330602', '名', '2026-01-01' FROM generate_series(1, 5) n; INSERT INTO person VALUES ('9', '330602', '新', '2026-02-01')`)
	b.counted(t, false, store.Counts{Read: 6, Inserted: 6})
	b.at(t, `DELETE FROM person WHERE id IN ('1', '2'); INSERT INTO departed VALUES ('1', '2026-01-02'), ('2', '2026-01-03'), ('3', '2026-01-03'), ('unknown', '2026-01-03'), (NULL, '2026-01-03')`)
	// 3 was deleted and is there again, with a mark that was read long ago.
	b.counted(t, true, store.Counts{Read: 2, Unchanged: 2, Deleted: 2})
	b.holds(t, map[string]string{"3": "名", "4": "名", "5": "名", "9": "新"})
	b.counted(t, true, store.Counts{Read: 2, Unchanged: 2})
	b.at(t, `DELETE FROM person WHERE id = '3'; INSERT INTO departed VALUES ('3', '2026-01-03')`)
	b.counted(t, true, store.Counts{Read: 1, Unchanged: 1, Deleted: 1})
	b.holds(t, map[string]string{"4": "名", "5": "名", "9": "新"})
}

// A sweep deletes what the source does not have any more, within the guard, and reads rows that the watermark passed by; the
// next one waits for its time.
func TestSweep(t *testing.T) {
	t.Parallel()
	b := newIncremental(t)
	b.Incremental.SweepEvery = time.Hour
	b.at(t, `INSERT INTO person SELECT lpad(n::text, 4, '0'), '330602', '名', '2026-01-01' FROM generate_series(1, 400) n; INSERT INTO person VALUES ('9999', '330602', '末', '2026-02-01')`)
	b.counted(t, false, store.Counts{Read: 401, Inserted: 401})
	b.at(t, `DELETE FROM person WHERE id <= '0003'; INSERT INTO person VALUES ('5000', '330602', '旧', '2026-01-01')`)
	b.counted(t, true, store.Counts{Read: 1, Unchanged: 1})
	b.sql(t, "UPDATE store.watermark SET swept_at = swept_at - interval '1 hour'")
	b.counted(t, true, store.Counts{Read: 2, Inserted: 1, Unchanged: 1, Deleted: 3})
	b.at(t, `DELETE FROM person WHERE id BETWEEN '0100' AND '0300'`)
	b.counted(t, true, store.Counts{Read: 1, Unchanged: 1})
	b.sql(t, "UPDATE store.watermark SET swept_at = swept_at - interval '1 hour'")
	b.Job.Run = db.NewID()
	_, err := b.attempt(t, t.Context())
	var f *engine.Failure
	if !errors.As(err, &f) || f.Code != "delete_guard" || f.Detail["deletes"] != "201" {
		t.Fatalf("got %v, want the guard against 201 deletes", err)
	}
	if n := len(b.names(t)); n != 399 {
		t.Errorf("%d rows after the guard, want 399", n)
	}
	if err := b.Store.DropStaging(t.Context(), b.Job); err != nil {
		t.Fatal(err)
	}
	b.MayDelete = 201
	b.counted(t, true, store.Counts{Read: 1, Unchanged: 1, Deleted: 201})
	// Every row gone is an empty sweep, which is refused whatever the size of the store.
	b.MayDelete = 0
	b.at(t, "DELETE FROM person")
	b.sql(t, "UPDATE store.watermark SET swept_at = NULL")
	b.Job.Run = db.NewID()
	if _, err := b.attempt(t, t.Context()); fault.CodeOf(errors.Unwrap(err)) != "delete_guard" {
		t.Errorf("an empty sweep: %v", err)
	}
	if err := b.Store.DropStaging(t.Context(), b.Job); err != nil {
		t.Fatal(err)
	}
	if n := b.leftovers(t); n != 0 {
		t.Errorf("left over: %d", n)
	}
}

// What decides how rows are stored is compared each time: when it changes, and when the layout does, every row is read again.
func TestChangedPlanReadsEveryRow(t *testing.T) {
	t.Parallel()
	b := newIncremental(t)
	b.at(t, `INSERT INTO person VALUES ('a', '330602', '甲', '2026-01-01'), ('b', '330603', '乙', '2026-01-02')`)
	b.counted(t, false, store.Counts{Read: 2, Inserted: 2})
	b.counted(t, true, store.Counts{Read: 1, Unchanged: 1})
	b.AsOf = b.AsOf.AddDate(0, 0, 1)
	b.counted(t, true, store.Counts{Read: 1, Unchanged: 1})
	b.Items[1].Item.Codes = []string{"330602"}
	b.counted(t, false, store.Counts{Read: 2, Unchanged: 1, Rejected: 1, Held: 1})
	b.Items[1].Item.Codes = nil
	b.counted(t, false, store.Counts{Read: 2, Unchanged: 2})
	b.Items[2].Item.Letter, b.Items[2].Item.Length = 'M', 0
	b.counted(t, false, store.Counts{Read: 2, Inserted: 2})
	b.Incremental.Full = true
	b.counted(t, false, store.Counts{Read: 2, Unchanged: 2})
	b.Incremental.Full = false
	b.sql(t, "UPDATE store.store_head SET incarnation = gen_random_uuid()")
	b.counted(t, false, store.Counts{Read: 2, Unchanged: 2})
}

// What cannot be read exactly since a mark says so instead of guessing.
func TestIncrementalRefused(t *testing.T) {
	t.Parallel()
	b := newIncremental(t)
	b.at(t, `CREATE TABLE loose AS SELECT * FROM person; INSERT INTO person VALUES ('a', '330602', '甲')`)
	for _, c := range []struct {
		name, code string
		change     func(c *engine.Collect)
	}{
		{"the key is not unique", "incremental_key", func(c *engine.Collect) { c.Object = "public.loose" }},
		{"rows of one key are ordered", "incremental_key", func(c *engine.Collect) { c.OrderColumn = "changed" }},
		{"the mark is a text", "incremental_watermark", func(c *engine.Collect) { c.Incremental.Column = "gone" }},
		{"the mark is gone", "source_column_missing", func(c *engine.Collect) { c.Incremental.Column = "elsewhere" }},
		{"the soft delete is gone", "source_column_missing", func(c *engine.Collect) { c.SoftDelete = &engine.SoftDelete{Column: "elsewhere"} }},
	} {
		plain, how := b.Collect, *b.Incremental
		b.Incremental = &how
		c.change(&b.Collect)
		_, err := b.attempt(t, t.Context())
		b.Collect = plain
		var f *engine.Failure
		if !errors.As(err, &f) || f.Code != c.code || f.Advice == "" || f.Side != engine.SideSource {
			t.Errorf("%s: got %v", c.name, err)
		}
	}
}

// An attempt that dies after its chunks are durable is continued within its own window, and the watermark that follows is held
// against the clock of the first attempt.
func TestIncrementalResumes(t *testing.T) {
	t.Parallel()
	b := newIncremental(t)
	b.at(t, `INSERT INTO person VALUES ('a', '330602', '甲', '2026-01-01')`)
	b.run(t)
	b.at(t, `INSERT INTO person SELECT 'm' || lpad(n::text, 6, '0'), '330602', '名', '2026-02-01' FROM generate_series(1, 25000) n`)
	b.Job.Run = db.NewID()
	asked := 0
	b.Continue = func(context.Context) error {
		if asked++; asked == 2 {
			return errors.New("no further")
		}
		return nil
	}
	if _, err := b.attempt(t, t.Context()); err == nil {
		t.Fatal("the attempt was not cut off")
	}
	b.Continue = func(context.Context) error { return nil }
	// Before the cut, and marked with this moment: only the next run sees it, and must not have passed it.
	b.at(t, `INSERT INTO person (id, division, name) VALUES ('b', '330602', '乙')`)
	b.at(t, `INSERT INTO person (id, division, name) VALUES ('z', '330602', '末')`)
	b.Resume = true
	out := b.finish(t)
	if c := out.Result.Counts; !out.Resumed || !out.Part || c.Inserted != 25_001 || c.Unchanged != 1 || c.Read != 25_002 {
		t.Errorf("resumed: %+v", out)
	}
	if c := b.run(t).Result.Counts; c.Inserted != 1 {
		t.Errorf("the row before the cut: %+v", c)
	}
}

// Whatever is written to the source, in whatever order its transactions commit, the store equals the source in the end.
func TestIncrementalEqualsSource(t *testing.T) {
	t.Parallel()
	for seed := range uint64(3) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(seed, 5))
			b := newIncremental(t)
			b.MayDelete = 1 << 40
			b.Incremental.SweepEvery = time.Nanosecond
			if seed == 1 {
				b.Incremental.DeleteTable, b.Incremental.SweepEvery = &engine.DeleteTable{Object: "public.departed", Columns: []string{"who"}, Column: "at"}, 0
			}
			b.Items[2].Item.Required = true
			var open []pgx.Tx
			for range 12 {
				for range 1 + r.IntN(6) {
					open = b.disturb(t, r, open)
				}
				b.run(t)
			}
			for _, tx := range open {
				if err := tx.Commit(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			b.run(t)
			part := b.names(t)
			b.Incremental = nil
			if c := b.run(t).Result.Counts; c.Inserted+c.Updated+c.Deleted != 0 {
				t.Errorf("a full read finds %+v", c)
			}
			if diff := cmp.Diff(b.names(t), part); diff != "" {
				t.Errorf("rows (-full +partial):\n%s", diff)
			}
		})
	}
}

// disturb writes to the source in one of many ways; a transaction may stay open over several runs. Two of them never write the
// same keys.
func (b *bench) disturb(t *testing.T, r *rand.Rand, open []pgx.Tx) []pgx.Tx {
	t.Helper()
	key := func(group int) string { return fmt.Sprintf("%d-%d", group, r.IntN(8)) }
	write := func(group int) (string, []any) {
		k := key(group)
		switch r.IntN(6) {
		case 0:
			return "WITH d AS (DELETE FROM person WHERE id = $1 RETURNING id) INSERT INTO departed SELECT id FROM d", []any{k}
		case 1: // Without a name it is refused.
			return "INSERT INTO person (id, division) VALUES ($1, '330602') ON CONFLICT (id) DO UPDATE SET name = NULL, changed = clock_timestamp()", []any{k}
		case 2: // Mended without a new mark.
			return "UPDATE person SET name = 'mended' WHERE id = $1 AND name IS NULL", []any{k}
		case 3: // No mark at all.
			return "INSERT INTO person (id, division, name, changed) VALUES ($1, '330603', 'unmarked', NULL) ON CONFLICT (id) DO UPDATE SET name = 'unmarked', changed = NULL", []any{k}
		default:
			return "INSERT INTO person (id, division, name) VALUES ($1, '330602', $2) ON CONFLICT (id) DO UPDATE SET name = $2, changed = clock_timestamp()", []any{k, fmt.Sprint(r.IntN(1000))}
		}
	}
	switch {
	case r.IntN(3) == 0 && len(open) < 3:
		tx, err := b.source.Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		open = append(open, tx)
		fallthrough
	case len(open) > 0 && r.IntN(2) == 0:
		// The oldest may have no key in common with the others: each writes a group of its own.
		for i, tx := range open {
			sql, args := write(100 + i)
			if i < len(open)-1 {
				continue
			}
			if _, err := tx.Exec(t.Context(), sql, args...); err != nil {
				t.Fatal(err)
			}
		}
	case len(open) > 0 && r.IntN(2) == 0:
		last := len(open) - 1
		if err := open[last].Commit(t.Context()); err != nil {
			t.Fatal(err)
		}
		open = open[:last]
	default:
		sql, args := write(r.IntN(2))
		b.at(t, sql, args...)
	}
	return open
}
