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
	"github.com/shuqiao/shuqiao/internal/fault"
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

// taskForm is what a task reads and how urgent it is.
type taskForm struct {
	taskHead
	New          bool
	Action, Back string
	Resources    []catalog.Entry // To choose from, for a new task.
	ResourceID   string
	Mode         string
	Overlap      string // In minutes.
	Sweep        string // In hours; "never" for never.
	Sweeps       []sweepChoice
	Priority     string
	RowVersion   int64
	Mounted      *catalog.Mount // The mount in use; nil while there is none or the reader may not see it.
}

// sweepChoice is how often all keys can be compared.
type sweepChoice struct{ Hours, Text string }

// drawTaskForm draws the form with what can be chosen in it.
func (v *visit) drawTaskForm(f taskForm, problem error) error {
	hours := []string{"1", "6", "12", "168"}
	if f.Sweep != "" && f.Sweep != "never" && !slices.Contains(hours, f.Sweep) {
		hours = append(hours, f.Sweep)
	}
	for _, h := range hours {
		if n, err := strconv.ParseFloat(h, 64); err == nil {
			f.Sweeps = append(f.Sweeps, sweepChoice{h, v.say("cron.every", "every", v.lasting(time.Duration(n*float64(time.Hour))))})
		}
	}
	f.Sweeps = append(f.Sweeps, sweepChoice{"never", v.say("task.sweep_never")})
	title := f.Resource
	if f.New {
		title = "task.new"
	}
	if problem != nil {
		return v.again("task_form", title, f, problem)
	}
	return v.show("task_form", title, f)
}

func (c *console) showTaskSettings(v *visit) error {
	id, err := v.id()
	if err != nil {
		return err
	}
	f, err := v.taskSettings(id)
	if err != nil {
		return err
	}
	t := f.Task
	f.Mode, f.Priority = string(t.Mode), strconv.Itoa(t.Priority)
	if t.Settings.OverlapSeconds > 0 {
		f.Overlap = trimmed(float64(t.Settings.OverlapSeconds) / 60)
	}
	switch {
	case t.Settings.SweepSeconds < 0:
		f.Sweep = "never"
	case t.Settings.SweepSeconds > 0:
		f.Sweep = trimmed(float64(t.Settings.SweepSeconds) / 3600)
	}
	return v.drawTaskForm(f, nil)
}

func trimmed(n float64) string { return strconv.FormatFloat(n, 'f', -1, 64) }

func (v *visit) taskSettings(id uuid.UUID) (taskForm, error) {
	h, err := v.head(id, "settings")
	if err != nil {
		return taskForm{}, err
	}
	back := prefix + "/tasks/" + id.String()
	f := taskForm{taskHead: h, Action: back + "/settings", Back: back, RowVersion: h.Task.RowVersion}
	if v.may(authz.SourceRead, authz.Target{Kind: "mount", Department: h.entry.ProviderDeptID, State: string(h.entry.State)}) {
		mounts, err := v.Catalog.Mounts(v.r.Context(), v.principal, h.Task.ResourceID)
		if err != nil {
			return f, err
		}
		if at := slices.IndexFunc(mounts, func(m catalog.Mount) bool { return m.State == catalog.MountActive }); at >= 0 {
			f.Mounted = &mounts[at]
		}
	}
	return f, nil
}

// typedTask reads the settings as they were sent. Times that cannot be read are faults at their fields.
func (v *visit) typedTask(f *taskForm) (exchange.TaskInput, error) {
	f.Mode, f.Overlap, f.Sweep, f.Priority, f.RowVersion = v.field("mode"), v.field("overlap"), v.field("sweep"), v.field("priority"), v.rowVersion()
	in := exchange.TaskInput{Mode: exchange.TaskMode(f.Mode)}
	var wrong []fault.Field
	number := func(name, text string, unit float64) int64 {
		if text == "" {
			return 0
		}
		n, err := strconv.ParseFloat(text, 64)
		if err != nil || n <= 0 || n > 1e6 {
			wrong = append(wrong, fault.Field{Name: name, Code: "not_a_positive_number", Message: "write a number above 0"})
			return 0
		}
		return max(1, int64(n*unit))
	}
	in.Priority = int(number("priority", f.Priority, 1))
	if in.Mode == exchange.ModeIncremental {
		in.Settings.OverlapSeconds = number("settings.overlap_seconds", f.Overlap, 60)
		if f.Sweep == "never" {
			in.Settings.SweepSeconds = -1
		} else {
			in.Settings.SweepSeconds = number("settings.sweep_seconds", f.Sweep, 3600)
		}
	}
	return in, fault.InvalidFields(wrong)
}

func (c *console) editTask(v *visit) error {
	id, err := v.id()
	if err != nil {
		return err
	}
	f, err := v.taskSettings(id)
	if err != nil {
		return err
	}
	in, err := v.typedTask(&f)
	if err == nil {
		_, err = v.Exchange.EditTask(v.r.Context(), v.principal, id, f.RowVersion, in)
	}
	if err != nil {
		return v.drawTaskForm(f, err)
	}
	return v.to(prefix+"/tasks/"+id.String()+"/settings", "task_saved")
}

func (c *console) showNewTask(v *visit) error {
	f, err := v.newTaskForm()
	if err != nil {
		return err
	}
	f.ResourceID = v.query("resource")
	return v.drawTaskForm(f, nil)
}

// newTaskForm reads which entries a task can be made for: those of the own department, of those the first ones by name.
func (v *visit) newTaskForm() (taskForm, error) {
	f := taskForm{New: true, Action: prefix + "/tasks", Back: prefix + "/tasks", Mode: string(exchange.ModeFull)}
	if !v.may(authz.TaskWrite, v.own("task")) {
		return f, fault.New(fault.Forbidden, "forbidden", "you cannot make tasks")
	}
	found, _, err := v.Catalog.Search(v.r.Context(), v.principal, catalog.Query{DepartmentID: v.principal.Department}, db.Page{Limit: mountable})
	f.Resources = slices.DeleteFunc(found, func(e catalog.Entry) bool { return e.ShareType == catalog.Withheld || !e.Mounted })
	return f, err
}

func (c *console) createTask(v *visit) error {
	f, err := v.newTaskForm()
	if err != nil {
		return err
	}
	f.ResourceID = v.field("resource")
	in, err := v.typedTask(&f)
	if err == nil {
		n := exchange.NewTask{Mode: in.Mode, Settings: in.Settings, Priority: in.Priority}
		n.ResourceID, _ = uuid.Parse(f.ResourceID) // None at all is the service's to refuse, at its field.
		var t exchange.Task
		if t, err = v.Exchange.CreateTask(v.r.Context(), v.principal, n); err == nil {
			to := prefix + "/tasks/" + t.ID.String()
			if v.may(authz.ScheduleWrite, v.own("task")) {
				to += "/schedules/new"
			}
			return v.to(to, "task_created")
		}
	}
	return v.drawTaskForm(f, err)
}
