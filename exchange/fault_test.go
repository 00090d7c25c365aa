package exchange

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/shuqiao/shuqiao/exchange/engine"
	"github.com/shuqiao/shuqiao/exchange/store"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// hold runs a statement in a transaction of its own and keeps its locks until release is called.
func hold(t *testing.T, pool *pgxpool.Pool, sql string, args ...any) (release func()) {
	t.Helper()
	conn, err := pgx.ConnectConfig(t.Context(), pool.Config().ConnConfig)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Exec(t.Context(), "BEGIN"); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Exec(t.Context(), sql, args...); err != nil {
		t.Fatal(err)
	}
	var once sync.Once
	release = func() { once.Do(func() { _ = conn.Close(context.WithoutCancel(t.Context())) }) }
	t.Cleanup(release)
	return release
}

// holdRead keeps the rows of the source from being read: a run stays in stage read.
func (h *hub) holdRead(t *testing.T) (release func()) {
	t.Helper()
	return hold(t, h.source, "LOCK TABLE thing IN ACCESS EXCLUSIVE MODE")
}

// holdMerge keeps writers of the store waiting; a run that has opened its staging stays in stage merge.
func (h *hub) holdMerge(t *testing.T) (release func()) {
	t.Helper()
	return hold(t, h.db.Pool, "SELECT 1 FROM store.store_head WHERE resource = $1 FOR UPDATE", h.resource.ID)
}

// holdEnd keeps comparisons from being recorded: a run stays reconciling.
func (h *hub) holdEnd(t *testing.T) (release func()) {
	t.Helper()
	return hold(t, h.db.Pool, "LOCK TABLE reconciliation IN SHARE MODE")
}

// reaches waits until a run is in this stage.
func (h *hub) reaches(t *testing.T, id uuid.UUID, stage engine.Stage) {
	t.Helper()
	await(t, "stage "+string(stage), func() bool { return h.run(t, id).Stage == stage })
}

// now asks for a run and returns its id without waiting for it.
func (h *hub) now(t *testing.T) uuid.UUID {
	t.Helper()
	r, err := h.service.RunNow(h.ctx, h.operator, h.task.ID)
	if err != nil {
		t.Fatal(err)
	}
	return r.ID
}

// carry lets an idle process take the next run and carry it out beside the test; done is closed at its end.
func (h *hub) carry(t *testing.T, p *process) (c *claimed, done chan struct{}) {
	t.Helper()
	await(t, "a run to claim", func() bool {
		var err error
		if c, err = p.worker.claim(h.ctx); err != nil {
			t.Fatal(err)
		}
		return c != nil
	})
	done = make(chan struct{})
	ctx := context.WithoutCancel(h.ctx)
	go func() {
		defer close(done)
		p.worker.attempt(ctx, *c)
	}()
	t.Cleanup(func() { <-done })
	return c, done
}

// frozen is a clock that stands still: a node with it believes that its last heartbeat was just now.
func frozen() func() time.Time {
	at := time.Now()
	return func() time.Time { return at }
}

func (h *hub) events(t *testing.T, action string, id uuid.UUID) int {
	t.Helper()
	var n int
	if err := h.db.Pool.QueryRow(h.ctx, "SELECT count(*) FROM event WHERE action = $1 AND object_id = $2", action, id.String()).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// Cancelling stops a run that waits at once, one that reads within a second, and none that is over.
func TestCancel(t *testing.T) {
	t.Parallel()
	h := setup(t)
	h.sql(t, `INSERT INTO thing VALUES ('1', '330602', '甲', NULL, 1)`)
	waiting := h.now(t)
	_, err := h.service.RunNow(h.ctx, h.operator, h.task.ID)
	wantCode(t, err, fault.Conflict, "already_queued")
	var f *fault.Fault
	if !errors.As(err, &f) || f.Detail["run_id"] != waiting.String() {
		t.Errorf("got %+v, want the id of the run that waits", f)
	}
	_, err = h.service.Cancel(h.ctx, h.stranger, waiting)
	wantCode(t, err, fault.NotFound, "not_found")
	if r, err := h.service.Cancel(h.ctx, h.operator, waiting); err != nil || r.State != Cancelled || r.FinishedAt == nil {
		t.Fatalf("got %+v, %v", r, err)
	}
	_, err = h.service.Cancel(h.ctx, h.operator, waiting)
	wantCode(t, err, fault.Conflict, "illegal_move")

	release := h.holdRead(t)
	h.start(t, processOptions{})
	reading := h.now(t)
	h.reaches(t, reading, engine.StageRead)
	if r, err := h.service.Cancel(h.ctx, h.operator, reading); err != nil || !r.CancelRequested {
		t.Fatalf("got %+v, %v", r, err)
	}
	if r := h.final(t, reading); r.State != Cancelled || r.FinishedAt == nil || r.MergedAt != nil {
		t.Fatalf("got %+v", r)
	}
	release()
	done := h.collect(t)
	_, err = h.service.Cancel(h.ctx, h.operator, done.ID)
	wantCode(t, err, fault.Conflict, "illegal_move")
}

// A run is cancelled within two seconds wherever its statement is: writing a chunk, waiting for the head, or in the middle of a
// merge. Nothing of it becomes visible, nothing stays staged, no session goes on, and the next run does the work.
func TestCancelInsideAStatement(t *testing.T) {
	t.Parallel()
	h := setup(t)
	h.sql(t, `INSERT INTO thing VALUES ('1', '330602', '甲', NULL, 1)`)
	h.start(t, processOptions{})
	h.collected(t, store.Counts{Read: 1, Inserted: 1})
	h.sql(t, `UPDATE thing SET title = '乙'`)
	var table string
	if err := h.db.Pool.QueryRow(h.ctx, "SELECT table_name FROM store.layout WHERE state = 'active'").Scan(&table); err != nil {
		t.Fatal(err)
	}
	h.exec(t, "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(60); RETURN NEW; END $$")
	for _, c := range []struct {
		name  string
		stage engine.Stage
		begin func() (end func())
	}{
		{"writing a chunk", engine.StageRead, func() func() { return hold(t, h.db.Pool, "LOCK TABLE store.chunk IN EXCLUSIVE MODE") }},
		{"waiting for the head", engine.StageMerge, func() func() { return h.holdMerge(t) }},
		{"merging", engine.StageMerge, func() func() {
			h.exec(t, "CREATE TRIGGER slow BEFORE UPDATE ON store."+table+" FOR EACH ROW EXECUTE FUNCTION slow()")
			return func() { h.exec(t, "DROP TRIGGER slow ON store."+table) }
		}},
	} {
		read := h.holdRead(t)
		id := h.now(t)
		h.reaches(t, id, engine.StageRead)
		end := c.begin()
		read()
		await(t, "the statement to hang", func() bool { return h.busy(t) == 1 })
		h.reaches(t, id, c.stage)
		asked := time.Now()
		if _, err := h.service.Cancel(h.ctx, h.operator, id); err != nil {
			t.Fatal(err)
		}
		r := h.final(t, id)
		if took := time.Since(asked); r.State != Cancelled || took > 2*time.Second || h.events(t, "run.cancel", id) == 0 {
			t.Errorf("%s: %s after %s", c.name, r.State, took)
		}
		end()
		await(t, "the end of the statement", func() bool { return h.busy(t) == 0 })
		await(t, "the tidying", func() bool {
			var left int
			err := h.db.Pool.QueryRow(h.ctx, "SELECT (SELECT count(*) FROM store.staging) + (SELECT count(*) FROM store.chunk)").Scan(&left)
			return err == nil && left == 0
		})
		if diff := cmp.Diff(map[string]string{"1": "甲"}, h.titles(t)); diff != "" {
			t.Errorf("%s: rows (-want +got):\n%s", c.name, diff)
		}
	}
	h.collected(t, store.Counts{Read: 1, Updated: 1})
}

// busy counts the hub's sessions that write or wait to.
func (h *hub) busy(t *testing.T) int {
	t.Helper()
	var n int
	err := h.db.Pool.QueryRow(h.ctx, `SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state = 'active' AND application_name LIKE 'shuqiao%'
		AND (wait_event_type = 'Lock' OR wait_event = 'PgSleep')`).Scan(&n)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// The end of a run is written again until it succeeds, however long the database refuses it.
func TestEndIsWrittenAgain(t *testing.T) {
	t.Parallel()
	h := setup(t)
	h.start(t, processOptions{})
	h.exec(t, `CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'refused'; END $$;
		CREATE TRIGGER refuse BEFORE INSERT ON reconciliation FOR EACH ROW EXECUTE FUNCTION refuse()`)
	id := h.now(t)
	await(t, "the merge", func() bool { return h.run(t, id).State == Reconciling })
	h.exec(t, "DROP TRIGGER refuse ON reconciliation")
	if r := h.final(t, id); r.State != Succeeded || r.Attempt != 1 {
		t.Fatalf("got %+v", r)
	}
}

// Two workers on one queue never carry two runs of a task at once, and every run is carried out once.
func TestTwoWorkers(t *testing.T) {
	t.Parallel()
	h := setup(t)
	h.start(t, processOptions{})
	h.start(t, processOptions{})
	h.sql(t, `INSERT INTO thing VALUES ('1', '330602', '甲', NULL, 1)`)
	for range 6 {
		id := h.now(t)
		var active int
		if err := h.db.Pool.QueryRow(h.ctx, "SELECT count(*) FROM run WHERE state IN ('running', 'reconciling')").Scan(&active); err != nil || active > 1 {
			t.Fatalf("%d active runs, %v", active, err)
		}
		if r := h.final(t, id); r.State != Succeeded || r.Attempt != 1 {
			t.Fatalf("got %+v", r)
		}
	}
}

// A node that hangs while it reads loses its run to another within its silence; the run keeps its id and succeeds, and the
// dead attempt writes nothing.
func TestTakeoverWhileReading(t *testing.T) {
	t.Parallel()
	h := setup(t)
	h.sql(t, `INSERT INTO thing VALUES ('1', '330602', '甲', NULL, 1)`)
	dead := h.start(t, processOptions{idle: true, clock: frozen()})
	id := h.now(t)
	release := h.holdRead(t)
	_, done := h.carry(t, dead)
	h.reaches(t, id, engine.StageRead)
	h.start(t, processOptions{})
	died := time.Now()
	dead.node.halt()
	await(t, "the takeover", func() bool { return h.run(t, id).Attempt == 2 })
	if took := time.Since(died); took > 10*time.Second {
		t.Errorf("the takeover took %s", took)
	}
	release()
	r := h.final(t, id)
	<-done
	if r.State != Succeeded || r.Attempt != 2 || r.Failures != 0 || h.events(t, "run.merge", id) != 1 || h.events(t, "run.give_back", id) != 1 {
		t.Fatalf("got %+v", r)
	}
	if diff := cmp.Diff(map[string]string{"1": "甲"}, h.titles(t)); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
}

// A node that hangs inside its merge, with locks held, has its sessions ended: the taker merges, once.
func TestTakeoverInsideMerge(t *testing.T) {
	t.Parallel()
	h := setup(t)
	h.sql(t, `INSERT INTO thing VALUES ('1', '330602', '甲', NULL, 1)`)
	dead := h.start(t, processOptions{idle: true, clock: frozen()})
	id := h.now(t)
	read := h.holdRead(t)
	_, done := h.carry(t, dead)
	h.reaches(t, id, engine.StageRead)
	merge := h.holdMerge(t)
	read()
	h.reaches(t, id, engine.StageMerge)
	h.start(t, processOptions{})
	dead.node.halt()
	<-done // Its sessions were ended, so it came back with an error.
	merge()
	r := h.final(t, id)
	if r.State != Succeeded || r.Attempt != 2 || h.events(t, "run.merge", id) != 1 {
		t.Fatalf("got %+v", r)
	}
}

// An attempt that lost its lease cannot commit, even when nobody ended its sessions.
func TestDeadAttemptIsFenced(t *testing.T) {
	t.Parallel()
	h := setup(t)
	h.sql(t, `INSERT INTO thing VALUES ('1', '330602', '甲', NULL, 1)`)
	dead := h.start(t, processOptions{idle: true, silence: time.Hour})
	id := h.now(t)
	read := h.holdRead(t)
	c, done := h.carry(t, dead)
	h.reaches(t, id, engine.StageRead)
	merge := h.holdMerge(t)
	read()
	h.reaches(t, id, engine.StageMerge)
	if n, err := reclaim(h.ctx, h.db, dead.node.Incarnation()); err != nil || n != 1 {
		t.Fatalf("got %d, %v", n, err)
	}
	merge()
	<-done
	r := h.run(t, id)
	if r.State != Queued || r.MergedAt != nil || h.events(t, "run.merge", id) != 0 {
		t.Fatalf("got %+v", r)
	}
	if rows := h.titles(t); len(rows) != 0 {
		t.Errorf("the dead attempt wrote %v", rows)
	}
	err := h.db.InTx(h.ctx, func(tx *db.Tx) error { return store.FenceTx(h.ctx, tx, c.lease) })
	if !errors.Is(err, store.ErrFenced) {
		t.Errorf("the old token: got %v", err)
	}
}

// A run whose merge was committed by a node that then died is only compared by the taker, never merged again: first loads
// and merges alike.
func TestMergedIsNotMergedTwice(t *testing.T) {
	t.Parallel()
	h := setup(t)
	for round, want := range []store.Counts{{Read: 2, Inserted: 2}, {Read: 3, Inserted: 1, Unchanged: 2}} {
		h.sql(t, `INSERT INTO thing SELECT n::text, '330602', '甲', NULL, n FROM generate_series($1::int, $2::int) n`, round*2+1, 2+round)
		dead := h.start(t, processOptions{idle: true, clock: frozen()})
		id := h.now(t)
		end := h.holdEnd(t)
		_, done := h.carry(t, dead)
		await(t, "the merge", func() bool { return h.run(t, id).State == Reconciling })
		dead.node.halt()
		taker := h.start(t, processOptions{})
		await(t, "the takeover", func() bool { return h.run(t, id).Attempt == 2 })
		end()
		r := h.final(t, id)
		<-done
		if r.State != Succeeded || r.Attempt != 2 || r.Counts != want || h.events(t, "run.merge", id) != 1 || h.events(t, "run.resume", id) != 1 {
			t.Fatalf("round %d: got %+v", round, r)
		}
		taker.stop()
	}
}

// A comparison that was lost with its staging is made with a fresh read.
func TestMergedWithoutStagingIsComparedAfresh(t *testing.T) {
	t.Parallel()
	h := setup(t)
	h.sql(t, `INSERT INTO thing VALUES ('1', '330602', '甲', NULL, 1)`)
	dead := h.start(t, processOptions{idle: true, clock: frozen()})
	id := h.now(t)
	end := h.holdEnd(t)
	_, done := h.carry(t, dead)
	await(t, "the merge", func() bool { return h.run(t, id).State == Reconciling })
	dead.node.halt()
	h.exec(t, "DELETE FROM store.chunk WHERE run = $1", id)
	h.start(t, processOptions{})
	await(t, "the takeover", func() bool { return h.run(t, id).Attempt == 2 })
	end()
	r := h.final(t, id)
	<-done
	list, _, err := h.service.Reconciliations(h.ctx, h.operator, ReconciliationFilter{ResourceID: h.resource.ID}, db.Page{})
	if err != nil || r.State != Succeeded || len(list) != 1 || !list[0].Fresh || !list[0].Equal {
		t.Fatalf("got %+v, %+v, %v", r, list, err)
	}
}

// A worker that stops gives its run back by itself, and the next one finishes it.
func TestGracefulStop(t *testing.T) {
	t.Parallel()
	h := setup(t)
	h.sql(t, `INSERT INTO thing VALUES ('1', '330602', '甲', NULL, 1)`)
	p := h.start(t, processOptions{})
	release := h.holdRead(t)
	id := h.now(t)
	h.reaches(t, id, engine.StageRead)
	p.stop()
	if r := h.run(t, id); r.State != Queued || r.NodeID != nil || r.Failures != 0 || r.Attempt != 1 {
		t.Fatalf("got %+v", r)
	}
	// Another run may wait behind the one that was given back, and does not overtake it.
	behind := h.now(t)
	release()
	h.start(t, processOptions{})
	first, second := h.final(t, id), h.final(t, behind)
	if first.State != Succeeded || second.State != Succeeded || second.StartedAt.Before(*first.FinishedAt) {
		t.Fatalf("got %+v and %+v", first, second)
	}
}

// A process that starts with the data folder of a dead one takes its runs back at once, without waiting for silence; one
// that finds itself replaced stops.
func TestRestartUnderTheSameNodeID(t *testing.T) {
	t.Parallel()
	h := setup(t)
	h.sql(t, `INSERT INTO thing VALUES ('1', '330602', '甲', NULL, 1)`)
	dir := t.TempDir()
	dead := h.start(t, processOptions{dir: dir, idle: true, silence: time.Hour})
	id := h.now(t)
	release := h.holdRead(t)
	_, done := h.carry(t, dead)
	h.reaches(t, id, engine.StageRead)
	next := h.start(t, processOptions{dir: dir, silence: time.Hour, idle: true})
	if next.node.ID() != dead.node.ID() || next.node.Incarnation() == dead.node.Incarnation() {
		t.Fatal("the node's id must outlive the process, its incarnation must not")
	}
	if r := h.run(t, id); r.State != Queued {
		t.Fatalf("got %+v", r)
	}
	await(t, "the replaced node to notice", func() bool {
		dead.node.beat(h.ctx) // The first may fail: its session was ended.
		select {
		case <-dead.node.Lost():
			return true
		default:
			return false
		}
	})
	if dead.node.Fresh() {
		t.Error("the replaced node goes on")
	}
	release()
	<-done
}

// A node whose heartbeats fail stops its runs by itself before others take them.
func TestStaleNodeStopsItsRuns(t *testing.T) {
	t.Parallel()
	h := setup(t)
	h.sql(t, `INSERT INTO thing VALUES ('1', '330602', '甲', NULL, 1)`)
	p := h.start(t, processOptions{idle: true})
	id := h.now(t)
	h.holdRead(t)
	_, done := h.carry(t, p)
	h.reaches(t, id, engine.StageRead)
	p.node.halt()
	<-done
	if r := h.run(t, id); r.State != Queued {
		t.Fatalf("got %+v", r)
	}
	if p.node.Fresh() {
		t.Error("the node still believes that it is fresh")
	}
}

// The node's id is made once, also by processes that start together, and nonsense in its file is refused.
func TestNodeID(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "node_id")
	var group sync.WaitGroup
	ids := make([]uuid.UUID, 8)
	for i := range ids {
		group.Go(func() { ids[i], _ = nodeID(path) })
	}
	group.Wait()
	for _, id := range ids {
		if id == uuid.Nil || id != ids[0] {
			t.Fatalf("got %v", ids)
		}
	}
	if err := os.WriteFile(path, []byte("node one"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := nodeID(path); err == nil {
		t.Error("nonsense was taken for an id")
	}
	if n := len(ApplicationName(ids[0])); n > 63 {
		t.Errorf("the name of sessions has %d bytes; PostgreSQL keeps 63", n)
	}
}
