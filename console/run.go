package console

import (
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/catalog"
	"github.com/shuqiao/shuqiao/exchange"
	"github.com/shuqiao/shuqiao/exchange/engine"
	"github.com/shuqiao/shuqiao/internal/db"
)

// runPage is one run with what it refused and compared.
type runPage struct {
	Run         runRow
	Resource    string
	Live        bool // It is not over: the page asks again by itself.
	Stages      []stage
	Speed       string // Rows per second while it reads, "" otherwise.
	Remaining   string // About how long it will still read, by the run before; "" when nobody can tell.
	Percent     int    // Of the rows of the run before, while it reads; 0 when nobody can tell.
	CanCancel   bool
	CanConfirm  bool
	CanRetry    bool
	CanRepair   bool
	Fault       string // What happened, in plain words.
	Advice      string
	Deletes     string // How many rows a run that needs confirmation would delete.
	ShowRejects bool
	Rejects     []rejectRow
	More        bool // There are more rejects than the page shows.
	Comparisons []comparisonRow
}

// stage is one step of a run; Class says whether it is past, now, bad or still to come ("").
type stage struct {
	Name  engine.Stage
	Class string
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
	page.ShowRejects = !page.Live && v.may(authz.RejectRead, runTarget("run", r))
	if page.ShowRejects {
		rejects, next, err := v.Exchange.Rejects(ctx, v.principal, exchange.RejectFilter{ResourceID: r.ID, RunID: &id}, db.Page{Limit: shownRejects})
		if err != nil {
			return err
		}
		items := v.items(r)
		for _, reject := range rejects {
			page.Rejects = append(page.Rejects, v.rejectRow(reject, items))
		}
		page.More = next != ""
	}
	comparisons, _, err := v.Exchange.Reconciliations(ctx, v.principal, exchange.ReconciliationFilter{ResourceID: r.ID, RunID: &id}, db.Page{Limit: 3})
	if err != nil {
		return err
	}
	for _, compared := range comparisons {
		page.Comparisons = append(page.Comparisons, v.comparisonRow(compared))
		page.CanRepair = page.CanRepair || !compared.Equal && !page.Live && v.may(authz.TaskRun, runTarget("task", r))
	}
	if problem != nil {
		return v.again("run", r.Name, page, problem)
	}
	return v.show("run", r.Name, page)
}

// shownRejects is how many refused rows the page of a run shows: the others are with the task.
const shownRejects = 10

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
	page.CanRetry = (run.State == exchange.Failed || run.State == exchange.Cancelled) && !run.NeedsConfirmation() && v.may(authz.TaskRun, runTarget("task", r))
	if err := v.pace(&page); err != nil {
		return runPage{}, catalog.Resource{}, err
	}
	if run.Error != nil {
		page.Fault = v.word("run_fault", run.Error.Code)
		if page.Fault == run.Error.Code {
			page.Fault = v.say("run.unknown_fault")
		}
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

// pace says how fast a run reads and, by the last run that succeeded, about how long it will go on. A run that reads only what
// changed has nothing to be held against.
func (v *visit) pace(page *runPage) error {
	p, r := page.Run.Progress, page.Run
	seconds := p.Elapsed.Seconds()
	if r.State != exchange.Running || r.Stage != engine.StageRead || p.Read == 0 || seconds <= 0 {
		return nil
	}
	speed := float64(p.Read) / seconds
	page.Speed = count(int64(speed))
	if p.Part {
		return nil
	}
	state := exchange.Succeeded
	before, _, err := v.Exchange.Runs(v.r.Context(), v.principal, exchange.RunFilter{TaskID: &r.TaskID, State: &state}, db.Page{Limit: 1})
	if err != nil || len(before) == 0 || before[0].Counts.Read <= p.Read || speed < 1 {
		return err
	}
	left := float64(before[0].Counts.Read-p.Read) / speed
	page.Percent = int(p.Read * 100 / before[0].Counts.Read)
	page.Remaining = v.lasting(max(time.Second, time.Duration(left*float64(time.Second)).Round(time.Second)))
	return nil
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
	var run exchange.Run
	act := v.r.PathValue("act")
	switch act {
	case "cancel":
		_, err = v.Exchange.Cancel(ctx, v.principal, id)
		run.ID = id
	case "confirm":
		run, err = v.Exchange.ConfirmDeletes(ctx, v.principal, id)
	case "retry", "repair":
		var of exchange.Run
		if of, err = v.Exchange.Run(ctx, v.principal, id); err != nil {
			return err
		}
		switch {
		case act == "repair":
			run, err = v.Exchange.RepairRun(ctx, v.principal, of.TaskID)
		case of.Kind == exchange.RunReconcile:
			run, err = v.Exchange.Reconcile(ctx, v.principal, of.TaskID)
		default:
			run, err = v.Exchange.RunNow(ctx, v.principal, of.TaskID)
		}
	default:
		return notFound()
	}
	if err != nil {
		return v.drawRun(id, err)
	}
	return v.to(prefix+"/runs/"+run.ID.String(), "run_"+act)
}
