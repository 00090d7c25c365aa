package console

import (
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/catalog"
	"github.com/shuqiao/shuqiao/exchange"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
)

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
