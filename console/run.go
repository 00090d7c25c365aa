package console

import (
	"context"
	"slices"
	"strconv"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/catalog"
	"github.com/shuqiao/shuqiao/exchange"
	"github.com/shuqiao/shuqiao/exchange/engine"
	"github.com/shuqiao/shuqiao/exchange/transform"
	"github.com/shuqiao/shuqiao/internal/db"
)

// runRow is a run in a list.
type runRow struct {
	exchange.Run
	Changed int64 // Rows inserted, updated and deleted.
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

type taskRow struct {
	Task               exchange.Task
	Resource, Provider string
	Schedules          []exchange.Schedule
	Last               *exchange.Run
}

type taskList struct {
	Rows []taskRow
	More string
}

func (c *console) showTasks(v *visit) error {
	ctx := v.r.Context()
	tasks, next, err := v.Exchange.Tasks(ctx, v.principal, exchange.TaskFilter{}, db.Page{Limit: 20, Cursor: v.query("cursor")})
	if err != nil {
		return err
	}
	list := taskList{More: more(prefix+"/tasks", next)}
	names := v.names()
	for _, t := range tasks {
		row := taskRow{Task: t}
		row.Resource, row.Provider = names.owner(ctx, t.ResourceID)
		if row.Schedules, _, err = v.Exchange.Schedules(ctx, v.principal, exchange.ScheduleFilter{TaskID: &t.ID}, db.Page{}); err != nil {
			return err
		}
		runs, _, err := v.Exchange.Runs(ctx, v.principal, exchange.RunFilter{TaskID: &t.ID}, db.Page{Limit: 1})
		if err != nil {
			return err
		}
		if len(runs) > 0 {
			row.Last = &runs[0]
		}
		list.Rows = append(list.Rows, row)
	}
	return v.show("tasks", "tasks.title", list)
}

// owner returns what a resource and its provider are called.
func (n *names) owner(ctx context.Context, id uuid.UUID) (resource, provider string) {
	r, err := n.v.Catalog.Get(ctx, n.v.principal, id)
	if err != nil {
		return id.String(), ""
	}
	return r.Name, n.department(r.ProviderDeptID)
}

type taskPage struct {
	Task               exchange.Task
	Resource, Provider string
	CanRun             bool
	Runs               []runRow
	More               string
	Schedules          []exchange.Schedule
	Fires              []exchange.Fire
}

func (c *console) showTask(v *visit) error {
	id, err := v.id()
	if err != nil {
		return err
	}
	return v.drawTask(id, nil)
}

func (v *visit) drawTask(id uuid.UUID, problem error) error {
	ctx := v.r.Context()
	t, err := v.Exchange.Task(ctx, v.principal, id)
	if err != nil {
		return err
	}
	page := taskPage{Task: t}
	r, err := v.Catalog.Get(ctx, v.principal, t.ResourceID)
	if err != nil {
		return err
	}
	page.Resource, page.Provider = r.Name, v.department(r.ProviderDeptID)
	runs, next, err := v.Exchange.Runs(ctx, v.principal, exchange.RunFilter{TaskID: &id}, db.Page{Limit: 20, Cursor: v.query("cursor")})
	if err != nil {
		return err
	}
	page.Runs, page.More = runRows(runs), more(prefix+"/tasks/"+id.String(), next)
	if page.Schedules, _, err = v.Exchange.Schedules(ctx, v.principal, exchange.ScheduleFilter{TaskID: &id}, db.Page{}); err != nil {
		return err
	}
	for _, s := range page.Schedules {
		fires, _, err := v.Exchange.Fires(ctx, v.principal, s.ID, db.Page{Limit: 15})
		if err != nil {
			return err
		}
		page.Fires = append(page.Fires, fires...)
	}
	usable := t.State == exchange.TaskEnabled || t.State == exchange.TaskPaused
	page.CanRun = usable && v.may(authz.TaskRun, runTarget("task", r))
	if problem != nil {
		return v.again("task", r.Name, page, problem)
	}
	return v.show("task", r.Name, page)
}

func runTarget(kind string, r catalog.Resource) authz.Target {
	return authz.Target{
		Kind: kind, Department: r.ProviderDeptID, ShareType: string(r.Version.ShareType), Grade: string(r.Version.Grade),
		State: string(r.State),
	}
}

func (c *console) actOnTask(v *visit) error {
	ctx := v.r.Context()
	id, err := v.id()
	if err != nil {
		return err
	}
	var run exchange.Run
	act := v.r.PathValue("act")
	switch act {
	case "run":
		run, err = v.Exchange.RunNow(ctx, v.principal, id)
	case "reconcile":
		run, err = v.Exchange.Reconcile(ctx, v.principal, id)
	default:
		return notFound()
	}
	if err != nil {
		return v.drawTask(id, err)
	}
	return v.to(prefix+"/runs/"+run.ID.String(), "run_"+act)
}

// runPage is one run with what it refused and compared.
type runPage struct {
	Run         runRow
	Resource    string
	Live        bool // It is not over: the page asks again by itself.
	Stages      []stage
	CanCancel   bool
	CanConfirm  bool
	Advice      string
	Deletes     string // How many rows a run that needs confirmation would delete.
	ShowRejects bool
	Rejects     []rejectRow
	More        string
	Comparisons []exchange.Reconciliation
}

// stage is one step of a run; Class says whether it is past, now, bad or still to come ("").
type stage struct {
	Name  engine.Stage
	Class string
}

type rejectRow struct {
	exchange.Reject
	Reasons []rejectReason
}

type rejectReason struct {
	transform.Reason
	Item  string
	Known bool // There is a word for its code; else its message is shown.
}

func (c *console) showRun(v *visit) error {
	id, err := v.id()
	if err != nil {
		return err
	}
	return v.drawRun(id, nil)
}

func (v *visit) drawRun(id uuid.UUID, problem error) error {
	ctx := v.r.Context()
	page, r, err := v.run(id)
	if err != nil {
		return err
	}
	page.ShowRejects = v.may(authz.RejectRead, runTarget("run", r))
	if page.ShowRejects {
		rejects, next, err := v.Exchange.Rejects(ctx, v.principal, exchange.RejectFilter{ResourceID: r.ID, RunID: &id}, db.Page{Limit: 25, Cursor: v.query("cursor")})
		if err != nil {
			return err
		}
		items := v.items(r)
		for _, reject := range rejects {
			row := rejectRow{Reject: reject}
			for _, reason := range reject.Reasons {
				name := items[reason.ItemNo].Name
				if name == "" {
					name = v.say("reject.whole_row")
				}
				row.Reasons = append(row.Reasons, rejectReason{Reason: reason, Item: name, Known: v.has("reject_reason." + reason.Code)})
			}
			page.Rejects = append(page.Rejects, row)
		}
		page.More = more(prefix+"/runs/"+id.String(), next)
	}
	if page.Comparisons, _, err = v.Exchange.Reconciliations(ctx, v.principal, exchange.ReconciliationFilter{ResourceID: r.ID, RunID: &id}, db.Page{Limit: 3}); err != nil {
		return err
	}
	if problem != nil {
		return v.again("run", r.Name, page, problem)
	}
	return v.show("run", r.Name, page)
}

// run reads what the upper part of a run's page shows.
func (v *visit) run(id uuid.UUID) (runPage, catalog.Resource, error) {
	ctx := v.r.Context()
	run, err := v.Exchange.Run(ctx, v.principal, id)
	if err != nil {
		return runPage{}, catalog.Resource{}, err
	}
	r, err := v.Catalog.Get(ctx, v.principal, run.ResourceID)
	if err != nil {
		return runPage{}, catalog.Resource{}, err
	}
	if run.Counts.Read == 0 { // Before the merge there is only what was read so far.
		run.Counts.Read, run.Counts.Rejected = run.Progress.Read, max(run.Counts.Rejected, run.Progress.Rejected)
	}
	page := runPage{Run: newRunRow(run), Resource: r.Name, Live: !run.State.Final(), Stages: stages(run)}
	waits := run.State == exchange.Queued || run.State == exchange.Running
	page.CanCancel = waits && run.MergedAt == nil && !run.CancelRequested && v.may(authz.RunCancel, runTarget("run", r))
	if run.Error != nil {
		page.Advice = run.Error.Advice
		if key := "run_advice." + run.Error.Code; v.has(key) {
			page.Advice = v.say(key)
		}
	}
	if run.NeedsConfirmation() {
		page.CanConfirm = v.may(authz.RunConfirm, runTarget("run", r))
		page.Deletes = run.Error.Detail["deletes"]
		if n, err := strconv.ParseInt(page.Deletes, 10, 64); err == nil {
			page.Deletes = count(n)
		}
	}
	return page, r, nil
}

// stages says how far a run has come.
func stages(r exchange.Run) []stage {
	order := []engine.Stage{engine.StageRead, engine.StageStage, engine.StageMerge, engine.StageReconcile}
	if r.Kind == exchange.RunReconcile {
		order = []engine.Stage{engine.StageRead, engine.StageReconcile}
	}
	at := slices.Index(order, r.Stage)
	out := make([]stage, len(order))
	for i, name := range order {
		out[i].Name = name
		switch {
		case r.State == exchange.Succeeded || i < at:
			out[i].Class = "past"
		case i == at && (r.State == exchange.Failed || r.State == exchange.Partial):
			out[i].Class = "bad"
		case i == at && (r.State == exchange.Running || r.State == exchange.Reconciling):
			out[i].Class = "now"
		}
	}
	return out
}

// showProgress is the upper part alone, which the page of a live run asks for each second. When the run is over the whole
// page is opened once more, since comparisons and rejects have come.
func (c *console) showProgress(v *visit) error {
	id, err := v.id()
	if err != nil {
		return err
	}
	page, _, err := v.run(id)
	if err != nil {
		return err
	}
	if !page.Live {
		v.w.Header().Set("HX-Redirect", prefix+"/runs/"+id.String())
	}
	return v.part("run", "progress", page)
}

func (c *console) actOnRun(v *visit) error {
	ctx := v.r.Context()
	id, err := v.id()
	if err != nil {
		return err
	}
	to, act := id, v.r.PathValue("act")
	switch act {
	case "cancel":
		_, err = v.Exchange.Cancel(ctx, v.principal, id)
	case "confirm":
		var run exchange.Run
		run, err = v.Exchange.ConfirmDeletes(ctx, v.principal, id)
		to = run.ID
	default:
		return notFound()
	}
	if err != nil {
		return v.drawRun(id, err)
	}
	return v.to(prefix+"/runs/"+to.String(), "run_"+act)
}
