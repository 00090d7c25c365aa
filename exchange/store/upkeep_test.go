package store_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/exchange/store"
	"github.com/shuqiao/shuqiao/internal/fault"
)

func (b *bundle) sql(t testing.TB, sql string, args ...any) {
	t.Helper()
	if _, err := b.db.Pool.Exec(context.Background(), sql, args...); err != nil {
		t.Fatal(err)
	}
}

func one[T any](t testing.TB, b *bundle, sql string, args ...any) (v T) {
	t.Helper()
	if err := b.db.Pool.QueryRow(context.Background(), sql, args...).Scan(&v); err != nil {
		t.Fatal(err)
	}
	return v
}

// tables lists the tables of the store that hold rows, by kind: rows, logs, staging.
func (b *bundle) tables(t testing.TB) string {
	t.Helper()
	return one[string](t, b, `SELECT concat_ws(' ', 'rows', count(*) FILTER (WHERE tablename ~ '^r_.*_\d+$'), 'logs', count(*) FILTER (WHERE tablename ~ '^r_.*_log$'),
		'staging', count(*) FILTER (WHERE tablename ~ '^s_'), 'chunks', (SELECT count(*) FROM store.chunk), 'rejects', (SELECT count(*) FROM store.staged_reject))
		FROM pg_tables WHERE schemaname = 'store'`)
}

// recordRun makes the run's row in a state.
func (b *bundle) recordRun(t testing.TB, run uuid.UUID, state string) {
	t.Helper()
	b.sql(t, `INSERT INTO task (id, kind, resource_id, state, created_by, created_at, updated_at) VALUES ($1, 'collect', $2, 'enabled', $1, now(), now())
		ON CONFLICT DO NOTHING`, b.task, b.resource)
	b.sql(t, `INSERT INTO run (id, task_id, resource_id, kind, trigger, state, not_before, queued_at) VALUES ($1, $2, $3, 'collect', 'request', $4, now(), now())`,
		run, b.task, b.resource, state)
}

// A sweep removes what finished and unknown runs staged, whether they filled or merged, and nothing of runs that may go on.
func TestSweep(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ctx := t.Context()
	filling := b.job(t)
	b.recordRun(t, filling.Run, "queued")
	b.stage(t, filling, rowsOf{"a": {"330602", "1"}}, nil, "bad")
	other := b.another(t)
	other.collect(t, rowsOf{"a": {"330602", "1"}})
	merging := other.job(t)
	other.recordRun(t, merging.Run, "reconciling")
	other.stage(t, merging, rowsOf{"a": {"330602", "2"}}, nil, "bad")
	before := b.tables(t)
	if n, err := b.store.Sweep(ctx); n != 0 || err != nil {
		t.Fatalf("live runs: swept %d, err %v", n, err)
	}
	if diff := cmp.Diff(before, b.tables(t)); diff != "" {
		t.Fatal(diff)
	}
	b.sql(t, "UPDATE run SET state = 'failed'")
	// A resource that is being written is left alone.
	lock, err := b.db.Pool.Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = lock.Rollback(context.Background()) }()
	if _, err := lock.Exec(ctx, "SELECT 1 FROM store.store_head WHERE resource = $1 FOR UPDATE", other.resource); err != nil {
		t.Fatal(err)
	}
	if n, err := b.store.Sweep(ctx); n != 1 || err != nil {
		t.Fatalf("with one resource locked: swept %d, err %v", n, err)
	}
	if err := lock.Rollback(ctx); err != nil {
		t.Fatal(err)
	}
	if n, err := b.store.Sweep(ctx); n != 1 || err != nil {
		t.Fatalf("swept %d, err %v", n, err)
	}
	if got, want := b.tables(t), "rows 1 logs 1 staging 0 chunks 0 rejects 0"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if diff := cmp.Diff(rowsOf{"a": {"330602", "1"}}, other.stored(t)); diff != "" {
		t.Error(diff)
	}
	b.collect(t, rowsOf{"a": {"330602", "9"}})
}

// A crash between the commit that attaches a filled table and the tidying behind it leaves nothing that a sweep does not
// remove, and the attached rows stay; a late drop by the run itself does no harm either.
func TestCrashBehindAttach(t *testing.T) {
	t.Parallel()
	for _, sweeps := range []bool{true, false} {
		b := setup(t)
		job := b.job(t)
		st := b.stage(t, job, rowsOf{"a": {"330602", "1"}}, nil, "bad")
		if _, err := st.Commit(t.Context(), store.MergeOptions{CarryDeletes: true}); err != nil {
			t.Fatal(err)
		}
		var err error
		if sweeps {
			_, err = b.store.Sweep(t.Context())
		} else {
			err = b.store.DropStaging(t.Context(), job)
		}
		if err != nil {
			t.Fatal(err)
		}
		if got, want := b.tables(t), "rows 1 logs 1 staging 0 chunks 0 rejects 0"; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
		if diff := cmp.Diff(rowsOf{"a": {"330602", "1"}}, b.stored(t)); diff != "" {
			t.Error(diff)
		}
	}
}

// A chunk that arrives after its staging was dropped is refused: it would stay for ever.
func TestLateChunk(t *testing.T) {
	t.Parallel()
	b := setup(t)
	job := b.job(t)
	st, err := b.store.Open(t.Context(), job, false)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.store.DropStaging(t.Context(), job); err != nil {
		t.Fatal(err)
	}
	st.Filter()
	if err := st.Checkpoint(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if err := st.Flush(); !errors.Is(err, store.ErrStagingLost) {
		t.Errorf("got %v", err)
	}
	if got, want := b.tables(t), "rows 0 logs 0 staging 0 chunks 0 rejects 0"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// Replaced layouts are dropped when their grace is over, unless somebody still reads them; the layout in force never is.
func TestDropGrace(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ctx := t.Context()
	b.collect(t, rowsOf{"a": {"330602", "1"}})
	old := one[string](t, b, "SELECT table_name FROM store.layout WHERE state = 'active'")
	b.columns = []store.Column{{No: 1, Letter: "C"}, {No: 2, Letter: "C"}, {No: 3, Letter: "M"}}
	b.collect(t, rowsOf{"a": {"330602", "1"}})
	if n, err := b.store.DropGrace(ctx, time.Hour); n != 0 || err != nil {
		t.Fatalf("within grace: dropped %d, err %v", n, err)
	}
	reader, err := b.db.Pool.Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = reader.Rollback(context.Background()) }()
	if _, err := reader.Exec(ctx, "SELECT * FROM store."+old); err != nil {
		t.Fatal(err)
	}
	if n, err := b.store.DropGrace(ctx, 0); n != 0 || err != nil {
		t.Fatalf("while it is read: dropped %d, err %v", n, err)
	}
	if err := reader.Rollback(ctx); err != nil {
		t.Fatal(err)
	}
	for _, want := range []int{1, 0} {
		if n, err := b.store.DropGrace(ctx, 0); n != want || err != nil {
			t.Fatalf("dropped %d, want %d, err %v", n, want, err)
		}
	}
	if got, want := b.tables(t), "rows 1 logs 1 staging 0 chunks 0 rejects 0"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if diff := cmp.Diff(rowsOf{"a": {"330602", "1"}}, b.stored(t)); diff != "" {
		t.Error(diff)
	}
}

// The log is cut by the age of commits, and the lowest cursor rises with it; a delivery that is behind holds it, but at most
// twice as long.
func TestPurgeLog(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	needed := func(seq int64) *int64 { return &seq }
	cases := map[string]struct {
		keep       store.Retention
		min, rows  int64
		overran    bool
		remembered string
	}{
		"young":                      {store.Retention{Keep: 500 * day}, 2, 0, false, "[3 4 5]"},
		"older than 90 days":         {store.Retention{Keep: 90 * day}, 4, 2, false, "[5]"},
		"held by a delivery":         {store.Retention{Keep: 90 * day, Needed: needed(3)}, 3, 1, false, "[4 5]"},
		"held too long":              {store.Retention{Keep: 40 * day, Needed: needed(2)}, 4, 2, true, "[5]"},
		"a delivery that is abreast": {store.Retention{Keep: 90 * day, Needed: needed(5)}, 4, 2, false, "[5]"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.collect(t, rowsOf{"a": {"330602", "1"}, "b": {"330602", "1"}})
			b.sql(t, "UPDATE store.head_move SET at = now() - interval '400 days'")
			// Each of the next three commits logs one row, at the heads 3, 4 and 5.
			for i, age := range []int{200, 100, 10} {
				b.collect(t, rowsOf{"a": {fmt.Sprintf("33060%d", 3+i), "1"}, "b": {"330602", "1"}})
				b.sql(t, "UPDATE store.head_move SET at = now() - make_interval(days => $1) WHERE seq = $2", age, 3+i)
			}
			got, err := b.store.PurgeLog(t.Context(), b.resource, c.keep)
			if err != nil {
				t.Fatal(err)
			}
			if want := (store.Purged{Rows: c.rows, MinSeq: c.min, Overran: c.overran}); got != want {
				t.Errorf("got %+v, want %+v", got, want)
			}
			head, err := b.store.ReadHead(t.Context(), b.resource)
			if err != nil || head.MinSeq != c.min || head.Seq != 5 {
				t.Errorf("head: %+v, err %v", head, err)
			}
			log := strings.ReplaceAll(b.table(t)+"_log", `"`, "")
			if got := one[[]int64](t, b, "SELECT array_agg(seq ORDER BY seq) FROM "+log); fmt.Sprint(got) != c.remembered {
				t.Errorf("log: got %v, want %s", got, c.remembered)
			}
			again, err := b.store.PurgeLog(t.Context(), b.resource, c.keep)
			if err != nil || again.Rows != 0 || again.MinSeq != c.min {
				t.Errorf("again: %+v, err %v", again, err)
			}
		})
	}
}

// A cursor and the log it needs are cut in one transaction: whoever reads at any moment either finds every change behind
// its cursor or is told that the cursor is too old.
func TestPurgeNeverLeavesAGap(t *testing.T) {
	t.Parallel()
	b := setup(t)
	rows := rowsOf{}
	for i := range 40 {
		rows[fmt.Sprintf("k%02d", i)] = [2]string{"330602", "x"}
	}
	b.collect(t, rows)
	start, err := b.store.ReadHead(t.Context(), b.resource)
	if err != nil {
		t.Fatal(err)
	}
	b.collect(t, rowsOf{"k00": {"330602", "x"}}) // Deletes 39, the last change of which has the seq of the head.
	may := b.decision(t)
	stop, ended := make(chan struct{}), make(chan error, 1)
	go func() {
		for {
			select {
			case <-stop:
				ended <- nil
				return
			default:
			}
			deletes := 0
			snap, _, err := b.store.Changes(context.Background(), may, store.Query{Resource: b.resource, Select: []string{"i3"}}, start.Seq, 100, func(c store.Change) error {
				deletes++
				return nil
			})
			if err == nil && snap.Head.MinSeq <= start.Seq && deletes != 39 {
				err = fmt.Errorf("%d changes behind cursor %d, lowest %d", deletes, start.Seq, snap.Head.MinSeq)
			}
			if err != nil {
				ended <- err
				return
			}
		}
	}()
	for range 20 {
		b.sql(t, "SELECT 1")
	}
	p, err := b.store.PurgeLog(t.Context(), b.resource, store.Retention{})
	if err != nil || p.Rows != 39 {
		t.Errorf("purged %+v, err %v", p, err)
	}
	for range 20 {
		b.sql(t, "SELECT 1")
	}
	close(stop)
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// Staging, replaced layouts and logs are tidied for every resource, also where several nodes do it at once.
func TestTidyAtOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.collect(t, rowsOf{"a": {"330602", "1"}, "b": {"330602", "1"}})
	b.collect(t, rowsOf{"a": {"330602", "1"}})
	b.stage(t, b.job(t), rowsOf{"a": {"330602", "2"}}, nil)
	type result struct {
		swept, dropped int
		purged         int64
		err            error
	}
	results := make(chan result)
	for range 3 {
		go func() {
			var r result
			var errs [3]error
			r.swept, errs[0] = b.store.Sweep(context.Background())
			r.dropped, errs[1] = b.store.DropGrace(context.Background(), 0)
			r.purged, errs[2] = b.store.PurgeLogs(context.Background(), store.Retention{})
			r.err = errors.Join(errs[:]...)
			results <- r
		}()
	}
	var sum result
	for range 3 {
		r := <-results
		if r.err != nil {
			t.Fatal(r.err)
		}
		sum.swept += r.swept
		sum.dropped += r.dropped
		sum.purged += r.purged
	}
	if want := (result{swept: 1, purged: 1}); sum != want {
		t.Errorf("got %+v, want %+v", sum, want)
	}
	if got, want := b.tables(t), "rows 1 logs 1 staging 0 chunks 0 rejects 0"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// A layout that was replaced while a version is served beside its successor is kept until that one's time is over, and then for the grace;
// one that was replaced before is not.
func TestDropGraceKeepsTheOldVersion(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ctx := t.Context()
	exec := func(sql string, args ...any) {
		t.Helper()
		if _, err := b.db.Pool.Exec(ctx, sql, append([]any{b.resource}, args...)...); err != nil {
			t.Fatal(err)
		}
	}
	shape := []store.Column{{No: 1, Letter: "C"}, {No: 2, Letter: "C"}, {No: 3, Letter: "C"}}
	relay := func(letter string) {
		t.Helper()
		b.columns = []store.Column{{No: 1, Letter: "C"}, {No: 2, Letter: letter}, {No: 3, Letter: "C"}}
		b.collect(t, rowsOf{"a": {"330602", "1"}})
	}
	for v := 1; v <= 2; v++ {
		exec(`INSERT INTO resource_version (resource_id, version, state, name, summary, share_type, grade, body, made_by, created_at, updated_at)
			SELECT $1, $2, 'published', 'x', '', 'conditional', 'L2', '{}', gen_random_uuid(), now(), now()`, v)
	}
	relay("M")
	relay("C") // What was replaced here is dropped whatever comes.
	exec("INSERT INTO version_change (resource_id, version, previous, breaks, items, identifiers, whole, at) VALUES ($1, 2, 1, '[]', '{2}', '{}', false, clock_timestamp())")
	exec("UPDATE resource_version SET served_until = clock_timestamp() + interval '1 hour' WHERE resource_id = $1 AND version = 1")
	if l, err := b.store.Fitting(ctx, b.resource, shape); err != nil || l.State != store.LayoutActive {
		t.Errorf("before: %+v, %v", l, err)
	}
	relay("M")
	if n, err := b.store.DropGrace(ctx, 0); n != 1 || err != nil {
		t.Errorf("while the old version is served: dropped %d, %v", n, err)
	}
	if l, err := b.store.Fitting(ctx, b.resource, shape); err != nil || l.State != store.LayoutGrace || l.Number != 2 {
		t.Errorf("afterwards: %+v, %v", l, err)
	}
	if l, err := b.store.Fitting(ctx, b.resource, append(shape[:2:2], store.Column{No: 3, Letter: "C", Key: true})); fault.CodeOf(err) != "resync_required" {
		t.Errorf("another key: %+v, %v", l, err)
	}
	exec("UPDATE resource_version SET served_until = clock_timestamp() - interval '30 minutes' WHERE resource_id = $1 AND version = 1")
	if n, err := b.store.DropGrace(ctx, time.Hour); n != 0 || err != nil {
		t.Errorf("within the grace of the old version: dropped %d, %v", n, err)
	}
	if n, err := b.store.DropGrace(ctx, time.Minute); n != 0 || err != nil {
		t.Errorf("within the grace of the layout: dropped %d, %v", n, err)
	}
	exec("UPDATE version_change SET at = at - interval '3 hours' WHERE resource_id = $1")
	exec("UPDATE store.layout SET retired_at = retired_at - interval '2 hours' WHERE resource = $1 AND state = 'grace'")
	if n, err := b.store.DropGrace(ctx, time.Hour); n != 0 || err != nil {
		t.Errorf("replaced long ago, the old version was served until lately: dropped %d, %v", n, err)
	}
	if n, err := b.store.DropGrace(ctx, time.Minute); n != 1 || err != nil {
		t.Errorf("all is over: dropped %d, %v", n, err)
	}
	if _, err := b.store.Fitting(ctx, b.resource, shape); fault.CodeOf(err) != "resync_required" {
		t.Errorf("dropped: %v", err)
	}
}
