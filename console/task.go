package console

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/catalog"
	"github.com/shuqiao/shuqiao/exchange"
	"github.com/shuqiao/shuqiao/internal/db"
)

// taskRow is a task in a list.
type taskRow struct {
	exchange.TaskSummary
	Provider string
	NextAt   *time.Time
	Late     string // How long it has been due without starting, "" while it is not late.
}

type taskList struct {
	Rows      []taskRow
	State     string
	States    []exchange.TaskState
	CanCreate bool
	Table     string
	More      string
}

func taskStates() []exchange.TaskState {
	return []exchange.TaskState{exchange.TaskDraft, exchange.TaskEnabled, exchange.TaskPaused, exchange.TaskDisabled}
}

func (c *console) showTasks(v *visit) error {
	f := exchange.TaskFilter{}
	if state := exchange.TaskState(v.query("state")); slices.Contains(taskStates(), state) {
		f.State = &state
	}
	names := v.names()
	page := func(cursor string, limit int) (rows []taskRow, next string, err error) {
		found, next, err := v.Exchange.TaskList(v.r.Context(), v.principal, f, db.Page{Limit: limit, Cursor: cursor})
		for _, t := range found {
			rows = append(rows, v.taskRow(names, t))
		}
		return rows, next, err
	}
	if v.asSheet() {
		columns := []string{"request.resource", "request.provider", "tasks.state", "task.mode", "tasks.schedule", "schedule.next", "tasks.last_run", "list.state", "counts.read", "counts.rejected", "tasks.open_rejects"}
		return v.sheet("tasks", columns, func(cursor string) (cells [][]string, next string, err error) {
			rows, next, err := page(cursor, db.MaxPage)
			for _, r := range rows {
				cells = append(cells, v.taskCells(r))
			}
			return cells, next, err
		})
	}
	rows, next, err := page(v.query("cursor"), 20)
	if err != nil {
		return err
	}
	list := taskList{Rows: rows, States: taskStates(), CanCreate: v.may(authz.TaskWrite, v.own("task")), Table: v.sheetAddress(), More: v.nextAddress(next)}
	if f.State != nil {
		list.State = string(*f.State)
	}
	return v.show("tasks", "tasks.title", list)
}

func (v *visit) taskRow(names *names, t exchange.TaskSummary) taskRow {
	row := taskRow{TaskSummary: t, Provider: names.department(t.ProviderID)}
	for _, s := range t.Schedules {
		if s.NextAt != nil && (row.NextAt == nil || s.NextAt.Before(*row.NextAt)) {
			row.NextAt = s.NextAt
		}
		if late := s.Late(v.Clock()); late > 0 && t.State == exchange.TaskEnabled {
			row.Late = v.lasting(late)
		}
	}
	return row
}

func (v *visit) taskCells(r taskRow) []string {
	var schedules []string
	for _, s := range r.Schedules {
		schedules = append(schedules, v.cron(s.Spec))
	}
	cells := []string{
		r.Resource, r.Provider, v.word("task_state", r.State), v.word("task_mode", r.Mode), strings.Join(schedules, v.say("list.comma")), v.formats.second(r.NextAt),
	}
	if r.Last == nil {
		cells = append(cells, v.say("tasks.never_ran"), "", "", "")
	} else {
		cells = append(cells, v.formats.second(r.Last.QueuedAt), v.word("run_state", r.Last.State), fmt.Sprint(r.Last.Counts.Read), fmt.Sprint(r.Last.Counts.Rejected))
	}
	return append(cells, fmt.Sprint(r.RejectsOpen))
}

// taskHead is what all pages of a task begin with.
type taskHead struct {
	Task               exchange.Task
	Resource, Provider string
	Tabs               []taskTab
	CanRun             bool
	CanWrite           bool
	CanSchedule        bool
	Moves              []taskMoveOffer
	entry              catalog.Resource
}

// taskTab is one part of the pages of a task.
type taskTab struct {
	Key, Icon, Href string
	Active          bool
	Count           int64
}

// taskMoveOffer is a step that the reader may take with the task now.
type taskMoveOffer struct {
	Step, Confirm string
	Danger        bool
}

// head reads what all pages of a task begin with; tab is the part that is shown.
func (v *visit) head(id uuid.UUID, tab string) (taskHead, error) {
	ctx := v.r.Context()
	t, err := v.Exchange.Task(ctx, v.principal, id)
	if err != nil {
		return taskHead{}, err
	}
	r, err := v.Catalog.Get(ctx, v.principal, t.ResourceID)
	if err != nil {
		return taskHead{}, err
	}
	h := taskHead{Task: t, Resource: r.Name, Provider: v.department(r.ProviderDeptID), entry: r}
	usable := t.State == exchange.TaskEnabled || t.State == exchange.TaskPaused
	h.CanRun = usable && v.may(authz.TaskRun, runTarget("task", r))
	h.CanWrite = v.may(authz.TaskWrite, runTarget("task", r))
	h.CanSchedule = v.may(authz.ScheduleWrite, runTarget("task", r))
	if h.CanWrite {
		for _, m := range exchange.TaskMoves() {
			if m.From == t.State {
				h.Moves = append(h.Moves, taskMoveOffer{
					Step: string(m.Step), Danger: m.Step == exchange.TaskDisable, Confirm: v.say("task.confirm_"+string(m.Step), "resource", r.Name),
				})
			}
		}
	}
	base := prefix + "/tasks/" + id.String()
	h.Tabs = []taskTab{
		{Key: "task.tab_runs", Icon: "history", Href: base, Active: tab == "runs"},
		{Key: "task.tab_schedules", Icon: "calendar-event", Href: base + "/schedules", Active: tab == "schedules"},
		{Key: "task.tab_comparisons", Icon: "scale", Href: base + "/comparisons", Active: tab == "comparisons"},
		{Key: "task.tab_settings", Icon: "settings", Href: base + "/settings", Active: tab == "settings"},
	}
	if v.may(authz.RejectRead, runTarget("resource", r)) {
		h.Tabs = slices.Insert(h.Tabs, 2, taskTab{Key: "task.tab_rejects", Icon: "file-text", Href: base + "/rejects", Active: tab == "rejects"})
	}
	return h, nil
}

// taskPage is the first part of a task's pages: what its runs did.
type taskPage struct {
	taskHead
	Fresh     exchange.Freshness
	Compared  string // Whether the newest comparison found both ends equal: "true", "false", or "" while there is none.
	Runs      []runRow
	More      string
	Schedules []exchange.Schedule
	RowsChart string
	TimeChart string
	Table     string
}

// charts says whether the page draws any.
func (p taskPage) charts() bool { return p.RowsChart != "" }

func (c *console) showTask(v *visit) error {
	id, err := v.id()
	if err != nil {
		return err
	}
	return v.drawTask(id, nil)
}

// chartedRuns is how many runs the charts of a task show.
const chartedRuns = 30

func (v *visit) drawTask(id uuid.UUID, problem error) error {
	ctx := v.r.Context()
	h, err := v.head(id, "runs")
	if err != nil {
		return err
	}
	page := taskPage{taskHead: h, Table: prefix + "/runs?format=csv&task=" + id.String()}
	runs, next, err := v.Exchange.Runs(ctx, v.principal, exchange.RunFilter{TaskID: &id}, db.Page{Limit: 15, Cursor: v.query("cursor")})
	if err != nil {
		return err
	}
	page.Runs, page.More = runRows(runs), more(prefix+"/tasks/"+id.String(), next)
	if page.Schedules, _, err = v.Exchange.Schedules(ctx, v.principal, exchange.ScheduleFilter{TaskID: &id}, db.Page{Limit: 20}); err != nil {
		return err
	}
	if page.Fresh, err = v.Exchange.Freshness(ctx, h.Task.ResourceID); err != nil {
		return err
	}
	if page.Fresh.Equal != nil {
		page.Compared = strconv.FormatBool(*page.Fresh.Equal)
	}
	kind := exchange.RunCollect
	shown, _, err := v.Exchange.Runs(ctx, v.principal, exchange.RunFilter{TaskID: &id, Kind: &kind}, db.Page{Limit: chartedRuns})
	if err != nil {
		return err
	}
	if page.RowsChart, page.TimeChart, err = v.runCharts(shown); err != nil {
		return err
	}
	if problem != nil {
		return v.again("task", h.Resource, page, problem)
	}
	return v.show("task", h.Resource, page)
}

// runCharts draws what finished runs changed and how long they took, the oldest at the left; "" for fewer than two.
func (v *visit) runCharts(runs []exchange.Run) (rows, times string, err error) {
	changed := []chartSeries{
		{Name: v.say("counts.inserted"), Tone: "green"},
		{Name: v.say("counts.updated"), Tone: "blue"},
		{Name: v.say("counts.deleted"), Tone: "secondary"},
		{Name: v.say("counts.rejected"), Tone: "orange"},
	}
	lasted := []chartSeries{{Name: v.say("run.took"), Tone: "blue"}}
	var x []string
	for _, r := range slices.Backward(runs) {
		if !r.State.Final() || r.StartedAt == nil || r.FinishedAt == nil {
			continue
		}
		x = append(x, r.QueuedAt.In(v.formats.zone).Format("01-02 15:04"))
		for i, n := range []int64{r.Counts.Inserted, r.Counts.Updated, r.Counts.Deleted, r.Counts.Rejected} {
			changed[i].Values = append(changed[i].Values, float64(n))
		}
		seconds, _ := strconv.ParseFloat(strconv.FormatFloat(r.FinishedAt.Sub(*r.StartedAt).Seconds(), 'f', 1, 64), 64)
		lasted[0].Values = append(lasted[0].Values, seconds)
	}
	if len(x) < 2 {
		return "", "", nil
	}
	first, err := json.Marshal(chart{Kind: "bar", X: x, Series: changed, Stacked: true})
	if err != nil {
		return "", "", fmt.Errorf("drawing a chart: %w", err)
	}
	second, err := json.Marshal(chart{Kind: "line", X: x, Series: lasted})
	return string(first), string(second), err
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
	case "repair":
		run, err = v.Exchange.RepairRun(ctx, v.principal, id)
	case string(exchange.TaskEnable), string(exchange.TaskPause), string(exchange.TaskDisable):
		if _, err = v.Exchange.MoveTask(ctx, v.principal, id, v.rowVersion(), exchange.TaskStep(act)); err == nil {
			return v.to(prefix+"/tasks/"+id.String(), "task_"+act)
		}
	default:
		return notFound()
	}
	if err != nil {
		return v.drawTask(id, err)
	}
	return v.to(prefix+"/runs/"+run.ID.String(), "run_"+act)
}
