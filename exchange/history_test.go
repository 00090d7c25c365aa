package exchange

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/shuqiao/shuqiao/exchange/store"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// Runs that others of their task have followed move into the history, once, and are listed, read and refused as before; the
// newest of each kind stays where the queue looks for it.
func TestHistory(t *testing.T) {
	t.Parallel()
	h := setup(t)
	h.start(t, processOptions{})
	h.sql(t, `INSERT INTO thing VALUES ('1', '330602', '甲', NULL, 1)`)
	first := h.collected(t, store.Counts{Read: 1, Inserted: 1})
	waiting := h.now(t)
	h.final(t, waiting)
	check, err := h.service.Reconcile(h.ctx, h.operator, h.task.ID)
	if err != nil {
		t.Fatal(err)
	}
	h.final(t, check.ID)
	last := h.collected(t, store.Counts{Read: 1, Unchanged: 1})
	// A run may have rows staged for a moment after its end.
	var moved int64
	await(t, "two runs to move", func() bool {
		n, err := MoveFinished(h.ctx, h.db)
		if err != nil {
			t.Fatal(err)
		}
		moved += n
		return moved == 2
	})
	if n, err := MoveFinished(h.ctx, h.db); n != 0 || err != nil {
		t.Errorf("moved %d more, %v", n, err)
	}
	left, err := db.Collect(h.ctx, h.db.Pool, func(row pgx.Row) (id uuid.UUID, err error) { return id, row.Scan(&id) }, "SELECT id FROM run ORDER BY queued_at")
	if diff := cmp.Diff([]uuid.UUID{check.ID, last.ID}, left); diff != "" || err != nil {
		t.Errorf("left in the queue (-want +got):\n%s%v", diff, err)
	}
	if err := MakeHistoryPartitions(h.ctx, h.db); err != nil {
		t.Fatal(err)
	}
	if err := MakeHistoryPartitions(h.ctx, h.db); err != nil {
		t.Fatal(err)
	}
	var place string
	if err := h.db.Pool.QueryRow(h.ctx, "SELECT tableoid::regclass::text FROM run_history WHERE id = $1", first.ID).Scan(&place); err != nil || place != "run_history_"+time.Now().UTC().Format("200601") {
		t.Errorf("got partition %q, %v", place, err)
	}
	read, err := h.service.Run(h.ctx, h.operator, first.ID)
	if diff := cmp.Diff(first, read); diff != "" || err != nil {
		t.Errorf("read from the history (-want +got):\n%s%v", diff, err)
	}
	var listed []uuid.UUID
	page := db.Page{Limit: 3}
	for {
		runs, next, err := h.service.Runs(h.ctx, h.operator, RunFilter{TaskID: &h.task.ID}, page)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range runs {
			listed = append(listed, r.ID)
		}
		if page.Cursor = next; next == "" {
			break
		}
	}
	if diff := cmp.Diff([]uuid.UUID{last.ID, check.ID, waiting, first.ID}, listed); diff != "" {
		t.Errorf("listed (-want +got):\n%s", diff)
	}
	_, err = h.service.Cancel(h.ctx, h.operator, first.ID)
	wantCode(t, err, fault.Conflict, "illegal_move")
	found, _, err := h.service.Reconciliations(h.ctx, h.operator, ReconciliationFilter{ResourceID: h.resource.ID, RunID: &first.ID}, db.Page{})
	if err != nil || len(found) != 1 {
		t.Errorf("comparisons of a moved run: %+v, %v", found, err)
	}
}

// Both tables of runs have the same columns, and all of them are moved.
func TestHistoryHasEveryColumn(t *testing.T) {
	t.Parallel()
	h := setup(t)
	const columns = "SELECT column_name || ' ' || data_type FROM information_schema.columns WHERE table_schema = 'public' AND table_name = $1 ORDER BY 1"
	text := func(row pgx.Row) (s string, err error) { return s, row.Scan(&s) }
	queue, err := db.Collect(h.ctx, h.db.Pool, text, columns, "run")
	if err != nil {
		t.Fatal(err)
	}
	history, err := db.Collect(h.ctx, h.db.Pool, text, columns, "run_history")
	if diff := cmp.Diff(queue, history); diff != "" || err != nil {
		t.Errorf("columns (-run +run_history):\n%s%v", diff, err)
	}
	var width int
	rows, err := h.db.Pool.Query(h.ctx, "SELECT "+storedColumns+" FROM run_history")
	if err == nil {
		width = len(rows.FieldDescriptions())
		rows.Close()
	}
	if width != len(queue) {
		t.Errorf("%d columns are moved, want %d: %v", width, len(queue), err)
	}
}
