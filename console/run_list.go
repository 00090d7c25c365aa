package console

import (
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/exchange"
	"github.com/shuqiao/shuqiao/internal/db"
)

// runRow is a run in a list.
type runRow struct {
	exchange.Run
	Changed  int64  // Rows inserted, updated and deleted.
	Resource string // In lists over several tasks.
	Provider string
}

func newRunRow(r exchange.Run) runRow {
	return runRow{Run: r, Changed: r.Counts.Inserted + r.Counts.Updated + r.Counts.Deleted}
}

func runRows(all []exchange.Run) []runRow {
	rows := make([]runRow, 0, len(all))
	for _, r := range all {
		rows = append(rows, newRunRow(r))
	}
	return rows
}

type runList struct {
	Rows             []runRow
	State, Kind, Day string
	Task             string // Id of the task whose runs these are, "" for all.
	TaskName         string
	States           []exchange.RunState
	Kinds            []exchange.RunKind
	Narrowed         bool
	Table            string
	More             string
}

// runFilter reads what the address narrows the list to. What it cannot read does not narrow.
func (v *visit) runFilter(list *runList) (exchange.RunFilter, error) {
	var f exchange.RunFilter
	list.States, list.Kinds = exchange.RunStates(), []exchange.RunKind{exchange.RunCollect, exchange.RunReconcile}
	if state := exchange.RunState(v.query("state")); slices.Contains(list.States, state) {
		f.State, list.State = &state, string(state)
	}
	if kind := exchange.RunKind(v.query("kind")); slices.Contains(list.Kinds, kind) {
		f.Kind, list.Kind = &kind, string(kind)
	}
	if day, err := time.ParseInLocation(time.DateOnly, v.query("day"), v.formats.zone); err == nil {
		next := day.AddDate(0, 0, 1)
		f.From, f.To, list.Day = &day, &next, day.Format(time.DateOnly)
	}
	if id, err := uuid.Parse(v.query("resource")); err == nil {
		f.ResourceID = &id
	}
	if id, err := uuid.Parse(v.query("task")); err == nil {
		t, err := v.Exchange.Task(v.r.Context(), v.principal, id)
		if err != nil {
			return f, err
		}
		f.TaskID, list.Task = &id, id.String()
		if called, err := v.Exchange.ResourceNames(v.r.Context(), v.principal, []uuid.UUID{t.ResourceID}); err == nil {
			list.TaskName = called[t.ResourceID].Name
		}
	}
	list.Narrowed = f != exchange.RunFilter{}
	return f, nil
}

func (c *console) showRuns(v *visit) error {
	ctx := v.r.Context()
	list := runList{}
	f, err := v.runFilter(&list)
	if err != nil {
		return err
	}
	names := v.names()
	page := func(cursor string, limit int) ([]runRow, string, error) {
		found, next, err := v.Exchange.Runs(ctx, v.principal, f, db.Page{Limit: limit, Cursor: cursor})
		if err != nil {
			return nil, "", err
		}
		rows := runRows(found)
		ids := make([]uuid.UUID, len(rows))
		for i, r := range rows {
			ids[i] = r.ResourceID
		}
		called, err := v.Exchange.ResourceNames(ctx, v.principal, ids)
		for i := range rows {
			n := called[rows[i].ResourceID]
			rows[i].Resource, rows[i].Provider = n.Name, names.department(n.ProviderID)
		}
		return rows, next, err
	}
	if v.asSheet() {
		columns := []string{
			"run.queued", "request.resource", "request.provider", "run.kind", "run.trigger", "list.state", "run.fault", "counts.read", "counts.inserted", "counts.updated",
			"counts.deleted", "counts.unchanged", "counts.rejected", "counts.held", "run.seconds",
		}
		return v.sheet("runs", columns, func(cursor string) (cells [][]string, next string, err error) {
			rows, next, err := page(cursor, db.MaxPage)
			for _, r := range rows {
				cells = append(cells, v.runCells(r))
			}
			return cells, next, err
		})
	}
	rows, next, err := page(v.query("cursor"), 30)
	if err != nil {
		return err
	}
	list.Rows, list.Table, list.More = rows, v.sheetAddress(), v.nextAddress(next)
	return v.show("runs", "runs.title", list)
}

func (v *visit) runCells(r runRow) []string {
	cells := []string{v.formats.second(r.QueuedAt), r.Resource, r.Provider, v.word("run_kind", r.Kind), v.word("run_trigger", r.Trigger), v.word("run_state", r.State), ""}
	if r.Error != nil {
		cells[6] = v.word("run_fault", r.Error.Code)
	}
	n := r.Counts
	for _, figure := range []int64{n.Read, n.Inserted, n.Updated, n.Deleted, n.Unchanged, n.Rejected, n.Held} {
		cells = append(cells, fmt.Sprint(figure))
	}
	seconds := ""
	if r.StartedAt != nil && r.FinishedAt != nil {
		seconds = fmt.Sprintf("%.1f", r.FinishedAt.Sub(*r.StartedAt).Seconds())
	}
	return append(cells, seconds)
}
