package engine_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/shuqiao/shuqiao/exchange/engine"
	"github.com/shuqiao/shuqiao/exchange/store"
	"github.com/shuqiao/shuqiao/exchange/transform"
	"github.com/shuqiao/shuqiao/internal/db"
)

// A run that dies again and again after it has read everything goes on behind the last row each time: no row is read
// twice, which would make every key a duplicate.
func TestResumeBehindTheLastRow(t *testing.T) {
	t.Parallel()
	for _, first := range []bool{true, false} {
		b := newBench(t, personTable, person())
		b.at(t, "INSERT INTO person VALUES ('a', '330602', 'x'), ('b', '330602', 'y')")
		if !first {
			b.run(t)
			b.at(t, "INSERT INTO person VALUES ('c', '330602', 'z')")
		}
		b.Job.Run[15]++
		b.dieAt(t, engine.StageStage)
		b.Resume = true
		b.dieAt(t, engine.StageStage)
		b.dieAt(t, engine.StageStage)
		out := b.finish(t)
		if c := out.Result.Counts; c.Rejected != 0 || c.Inserted+c.Unchanged != c.Read {
			t.Errorf("first load %v: got %+v", first, c)
		}
	}
}

// A run that dies inside its merge reads nothing again: what it settled is merged as it was read, with its deletes and its
// watermark, whether it fills a table or merges into one. Rows that were lost meanwhile are read anew.
func TestResumeBehindSettledRows(t *testing.T) {
	t.Parallel()
	zone := time.UTC
	for _, c := range []struct {
		name          string
		first, lost   bool
		how           *engine.Incremental
		read, deleted int64
	}{
		{"a first load", true, false, nil, 5, 0},
		{"a first load that was lost", true, true, nil, 6, 0},
		{"a merge", false, false, nil, 5, 2},
		{"a merge that was lost", false, true, nil, 6, 2},
		{"a partial read with a sweep", false, false, &engine.Incremental{Column: "changed", SweepEvery: time.Nanosecond, Zone: zone}, 2, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, personTable+"; ALTER TABLE person ADD changed timestamptz DEFAULT '2026-01-01'", person())
			b.Incremental = c.how
			b.at(t, "INSERT INTO person SELECT n::text, '330602', 'x' FROM generate_series(1, 5) n; UPDATE person SET changed = '2026-01-02' WHERE id = '5'")
			if !c.first {
				b.run(t)
				b.at(t, "DELETE FROM person WHERE id IN ('1', '2'); INSERT INTO person VALUES ('6', '330602', 'x', '2026-01-02'), ('7', 'much too long', 'x', '2026-01-01')")
				if c.how == nil {
					b.at(t, "DELETE FROM person WHERE id = '7'; INSERT INTO person VALUES ('8', '330602', 'x')")
				}
			}
			b.Job.Run = db.NewID()
			b.dieAt(t, engine.StageMerge)
			b.at(t, "INSERT INTO person VALUES ('9', '330602', 'late')")
			if c.lost {
				b.sql(t, "UPDATE store.chunk SET rows = rows + 1 WHERE n = 0")
			}
			b.Resume = true
			out := b.finish(t)
			if got := out.Result.Counts; out.Resumed == c.lost || got.Read != c.read+one[int64](t, b, "SELECT count(*) FROM reject") || got.Deleted != c.deleted {
				t.Errorf("got %+v", out)
			}
			if n := b.leftovers(t); n != 0 {
				t.Errorf("left over: %d", n)
			}
		})
	}
}

// Rows staged for another mapping, shape or filter are never continued: the items of a resource may change between two
// attempts of one run. What they left is removed.
func TestResumeUnderAnotherMapping(t *testing.T) {
	t.Parallel()
	table := personTable + "; ALTER TABLE person ADD mobile text, ADD changed int"
	rows := "INSERT INTO person SELECT n::text, '330602', 'name', 'mobile', n FROM generate_series(1, 50) n"
	cases := map[string]func(b *bench){
		"item added": func(b *bench) {
			b.Items = append(b.Items, engine.Mapped{
				Item: transform.Item{No: 4, Identifier: "mobile", Letter: 'C', Length: 20}, Column: "mobile", Kind: transform.KindText,
			})
		},
		"item fed by another column": func(b *bench) { b.Items[2].Column = "mobile" },
		"item removed":               func(b *bench) { b.Items = b.Items[:2] },
		"order column named":         func(b *bench) { b.OrderColumn = "changed" },
		"filter changed": func(b *bench) {
			b.Keep, b.Filter = func(row *transform.Row) bool { return row.Key != "7" }, []byte("other than 7")
		},
	}
	for name, change := range cases {
		for _, first := range []bool{true, false} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				b := newBench(t, table, person())
				b.at(t, rows)
				if !first {
					b.run(t)
				}
				b.Job.Run[15]++
				b.dieAt(t, engine.StageStage)
				change(b)
				b.Resume = true
				out := b.finish(t)
				if out.Resumed {
					t.Error("rows of another mapping were continued")
				}
				if c := out.Result.Counts; c.Read != 50 || c.Rejected != 0 {
					t.Errorf("got %+v", c)
				}
				if b.Items[len(b.Items)-1].Column == "mobile" {
					last := b.Items[len(b.Items)-1].Item.No
					if n := one[int64](t, b, "SELECT count(*) FROM "+b.table(t)+" WHERE "+store.Column{No: last}.Name()+" = 'mobile'"); n != 50 {
						t.Errorf("rows with the new value: got %d", n)
					}
				}
				if n := b.leftovers(t); n != 0 {
					t.Errorf("left over: %d", n)
				}
			})
		}
	}
}

// An attempt that fails returns only when nothing of it writes any more: a chunk that arrived after its staging was
// dropped would stay for ever, and one that arrived in the next attempt would double rows.
func TestFailedAttemptLeavesNoWriter(t *testing.T) {
	t.Parallel()
	b := newBench(t, personTable, person())
	b.at(t, "INSERT INTO person SELECT lpad(n::text, 6, '0'), '330602', 'name' FROM generate_series(1, 45000) n")
	lock, err := b.hub.Pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = lock.Rollback(context.Background()) }()
	asked := 0
	refused := make(chan struct{})
	b.Continue = func(context.Context) error {
		asked++
		if asked == 1 {
			// The first chunk cannot become durable before the lock is gone.
			_, err := lock.Exec(t.Context(), "LOCK TABLE store.chunk IN EXCLUSIVE MODE")
			return err
		}
		close(refused)
		return errors.New("no further")
	}
	ended := make(chan error, 1)
	go func() {
		_, err := b.attempt(t, t.Context())
		ended <- err
	}()
	<-refused
	for range 200 {
		one[int](t, b, "SELECT 1")
		select {
		case err := <-ended:
			t.Fatalf("the attempt returned while a chunk of it was being written: %v", err)
		default:
		}
	}
	if err := lock.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err == nil {
		t.Error("the attempt was not cut off")
	}
	if err := b.Store.DropStaging(t.Context(), b.Job); err != nil {
		t.Fatal(err)
	}
	if n := b.leftovers(t); n != 0 {
		t.Errorf("left over: %d", n)
	}
}

// After a read that was resumed in another snapshot, a key that is missing counts as deleted only if the source confirms
// it: a row that changed its key from behind the place of the cut to before it is not lost.
func TestResumedReadConfirmsDeletes(t *testing.T) {
	t.Parallel()
	b := newBench(t, personTable, person())
	b.at(t, "INSERT INTO person SELECT lpad(n::text, 6, '0'), '330602', 'name' FROM generate_series(1, 30000) n")
	b.run(t)
	b.Job.Run[15]++
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
	// 000001 was read before the cut and is gone since, 029999 was not read yet and is gone, and 000007 was read and has
	// other content since.
	b.at(t, "DELETE FROM person WHERE id IN ('000001', '029999', '000007')")
	b.at(t, "INSERT INTO person VALUES ('000007', '330603', 'back')")
	b.Resume = true
	out, err := b.attempt(t, t.Context())
	if err != nil || !out.Resumed || out.DeletesDeferred {
		t.Fatalf("%+v, err %v", out, err)
	}
	if c := out.Result.Counts; c.Deleted != 1 || !c.Balanced() {
		t.Errorf("resumed: got %+v", c)
	}
	// What lay before the cut is as it was read; the next run brings it up to date.
	if c := b.run(t).Result.Counts; c.Deleted != 1 || c.Updated != 1 || c.Read != 29998 {
		t.Errorf("next run: got %+v", c)
	}
}

// A missing key that the source still has, behind or before the cut, stays: it is staged from the look-up.
func TestResumedReadFindsMovedRows(t *testing.T) {
	t.Parallel()
	b := newBench(t, personTable, person())
	b.at(t, "INSERT INTO person SELECT lpad(n::text, 6, '0'), '330602', 'name' FROM generate_series(11, 30000) n")
	b.at(t, "INSERT INTO person VALUES ('000001', '330602', 'moves')")
	b.run(t)
	b.Job.Run[15]++
	b.at(t, "UPDATE person SET id = '099999' WHERE id = '000001'")
	asked := 0
	b.Continue = func(context.Context) error {
		if asked++; asked == 2 {
			// It moves back while the run is between its two snapshots, so that no read of the run meets it.
			b.at(t, "UPDATE person SET id = '000001' WHERE id = '099999'")
			return errors.New("no further")
		}
		return nil
	}
	if _, err := b.attempt(t, t.Context()); err == nil {
		t.Fatal("the attempt was not cut off")
	}
	b.Continue, b.Resume = func(context.Context) error { return nil }, true
	out, err := b.attempt(t, t.Context())
	if err != nil || !out.Resumed {
		t.Fatalf("%+v, err %v", out, err)
	}
	if c := out.Result.Counts; c.Deleted != 0 || c.Unchanged != 29991 || !c.Balanced() {
		t.Errorf("got %+v", c)
	}
}
