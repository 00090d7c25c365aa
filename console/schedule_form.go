package console

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/shuqiao/shuqiao/exchange"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// scheduleForm is the form of a schedule. How says which of the other fields count.
type scheduleForm struct {
	taskHead
	Editing              bool
	Action, Back         string
	RowVersion           int64
	How                  string // minutes, hourly, daily, weekly, monthly or spec.
	Step, Minute, At     string
	Weekdays             []string
	Day, Spec            string
	TimeZone             string
	Overlap, Missed      string
	Hows, Overlaps, Miss []string
	Days                 []string
	Words                string
	Next                 []time.Time
	WrongSpec            string
}

func hows() []string { return []string{"daily", "weekly", "monthly", "hourly", "minutes", "spec"} }

// spec writes the schedule that the form says.
func (f scheduleForm) spec() string {
	hour, minute, _ := strings.Cut(f.At, ":")
	plain := func(s string) string { return strings.TrimPrefix(s, "0") }
	at := func() string { return orZero(plain(minute)) + " " + orZero(plain(hour)) }
	switch f.How {
	case "minutes":
		return "*/" + f.Step + " * * * *"
	case "hourly":
		return f.Minute + " * * * *"
	case "daily":
		return at() + " * * *"
	case "weekly":
		return at() + " * * " + strings.Join(f.Weekdays, ",")
	case "monthly":
		return at() + " " + f.Day + " * *"
	}
	return f.Spec
}

func orZero(s string) string {
	if s == "" {
		return "0"
	}
	return s
}

// of reads a schedule back into the form: into the fields of the commonest kinds, else as it is written.
func (f *scheduleForm) of(s exchange.Schedule) {
	f.How, f.Spec, f.TimeZone, f.Overlap, f.Missed = "spec", s.Spec, s.TimeZone, string(s.Overlap), string(s.Missed)
	parts := strings.Fields(s.Spec)
	if len(parts) != 5 || parts[3] != "*" {
		return
	}
	minute, minuteErr := strconv.Atoi(parts[0])
	hour, hourErr := strconv.Atoi(parts[1])
	at := fmt.Sprintf("%02d:%02d", hour, minute)
	step, stepped := strings.CutPrefix(parts[0], "*/")
	days := strings.Split(parts[4], ",")
	plainDays := !slices.ContainsFunc(days, func(d string) bool { return len(d) != 1 || d < "0" || d > "6" })
	_, dayErr := strconv.Atoi(parts[2])
	every := parts[2] == "*" && parts[4] == "*"
	switch {
	case stepped && parts[1] == "*" && every:
		f.How, f.Step = "minutes", step
	case minuteErr != nil:
	case parts[1] == "*" && every:
		f.How, f.Minute = "hourly", strconv.Itoa(minute)
	case hourErr != nil:
	case every:
		f.How, f.At = "daily", at
	case parts[2] == "*" && plainDays:
		f.How, f.At, f.Weekdays = "weekly", at, days
	case dayErr == nil && parts[4] == "*":
		f.How, f.At, f.Day = "monthly", at, parts[2]
	}
}

// fresh fills what was not stated with what suits most.
func (f *scheduleForm) fresh() {
	for _, d := range []struct {
		field *string
		value string
	}{{&f.Step, "30"}, {&f.Minute, "0"}, {&f.At, "02:00"}, {&f.Day, "1"}, {&f.TimeZone, exchange.DefaultTimeZone}, {&f.Overlap, "skip"}, {&f.Missed, "run_once"}} {
		if *d.field == "" {
			*d.field = d.value
		}
	}
	if len(f.Weekdays) == 0 {
		f.Weekdays = []string{"1"}
	}
	if f.How == "" {
		f.How = "daily"
	}
}

// typedSchedule reads the form as it was sent. A time of day must be one; everything else is the service's to judge.
func (v *visit) typedSchedule(f *scheduleForm) (exchange.NewSchedule, error) {
	f.How, f.Step, f.Minute, f.At, f.Day, f.Spec = v.field("how"), v.field("step"), v.field("minute"), v.field("at"), v.field("day"), v.field("spec")
	f.Weekdays, f.TimeZone, f.Overlap, f.Missed, f.RowVersion = v.r.PostForm["weekday"], v.field("time_zone"), v.field("overlap"), v.field("missed"), v.rowVersion()
	n := exchange.NewSchedule{TaskID: f.Task.ID, Spec: f.spec(), TimeZone: f.TimeZone, Overlap: exchange.Overlap(f.Overlap), Missed: exchange.Missed(f.Missed)}
	if f.How == "daily" || f.How == "weekly" || f.How == "monthly" {
		if _, err := time.Parse("15:04", f.At); err != nil {
			return n, fault.InvalidFields([]fault.Field{{Name: "at", Code: "not_a_time", Message: "write a time of day such as 02:30"}})
		}
	}
	if f.How == "weekly" && len(f.Weekdays) == 0 {
		return n, fault.InvalidFields([]fault.Field{{Name: "weekday", Code: "required", Message: "choose at least one day"}})
	}
	return n, nil
}

func (v *visit) drawScheduleForm(f scheduleForm, problem error) error {
	f.Hows, f.Days = hows(), []string{"1", "2", "3", "4", "5", "6", "0"}
	f.Overlaps = []string{string(exchange.OverlapSkip), string(exchange.OverlapQueue)}
	f.Miss = []string{string(exchange.MissedRunOnce), string(exchange.MissedSkip)}
	f.look(v)
	title := "schedule.new"
	if f.Editing {
		title = "schedule.edit"
	}
	if problem != nil {
		return v.again("schedule_form", title, f, problem)
	}
	return v.show("schedule_form", title, f)
}

// look says the schedule of the form in words, with the due times to come.
func (f *scheduleForm) look(v *visit) {
	next, err := exchange.NextDue(f.spec(), orDefault(f.TimeZone), v.Clock(), nextFires)
	if err != nil {
		if p := v.problem(err); p != nil {
			f.WrongSpec = p.fields["spec"]
			if f.WrongSpec == "" {
				f.WrongSpec = p.fields["time_zone"]
			}
		}
		return
	}
	f.Words, f.Next = v.cron(f.spec()), next
}

func orDefault(zone string) string {
	if zone == "" {
		return exchange.DefaultTimeZone
	}
	return zone
}

// previewSchedule says what the form says while it is filled in.
func (c *console) previewSchedule(v *visit) error {
	var f scheduleForm
	if _, err := v.typedSchedule(&f); err != nil {
		f.WrongSpec = v.say("schedule.incomplete")
		return v.part("schedule_form", "fires", f)
	}
	f.look(v)
	return v.part("schedule_form", "fires", f)
}

func (c *console) showNewSchedule(v *visit) error {
	f, err := v.newScheduleForm()
	if err != nil {
		return err
	}
	f.fresh()
	return v.drawScheduleForm(f, nil)
}

func (v *visit) newScheduleForm() (scheduleForm, error) {
	id, err := v.id()
	if err != nil {
		return scheduleForm{}, err
	}
	h, err := v.head(id, "schedules")
	if err != nil {
		return scheduleForm{}, err
	}
	if !h.CanSchedule {
		return scheduleForm{}, fault.New(fault.Forbidden, "forbidden", "you cannot make schedules")
	}
	back := prefix + "/tasks/" + id.String() + "/schedules"
	return scheduleForm{taskHead: h, Action: back, Back: back}, nil
}

func (c *console) createSchedule(v *visit) error {
	f, err := v.newScheduleForm()
	if err != nil {
		return err
	}
	n, err := v.typedSchedule(&f)
	if err == nil {
		var s exchange.Schedule
		if s, err = v.Exchange.CreateSchedule(v.r.Context(), v.principal, n); err == nil {
			return v.to(prefix+"/schedules/"+s.ID.String(), "schedule_created")
		}
	}
	return v.drawScheduleForm(f, err)
}

func (v *visit) editScheduleForm() (scheduleForm, exchange.Schedule, error) {
	id, err := v.id()
	if err != nil {
		return scheduleForm{}, exchange.Schedule{}, err
	}
	s, err := v.Exchange.Schedule(v.r.Context(), v.principal, id)
	if err != nil {
		return scheduleForm{}, s, err
	}
	h, err := v.head(s.TaskID, "schedules")
	if err == nil && !h.CanSchedule {
		err = fault.New(fault.Forbidden, "forbidden", "you cannot change this schedule")
	}
	back := prefix + "/schedules/" + id.String()
	return scheduleForm{taskHead: h, Editing: true, Action: back + "/edit", Back: back, RowVersion: s.RowVersion}, s, err
}

func (c *console) showEditSchedule(v *visit) error {
	f, s, err := v.editScheduleForm()
	if err != nil {
		return err
	}
	f.of(s)
	f.fresh()
	return v.drawScheduleForm(f, nil)
}

func (c *console) editSchedule(v *visit) error {
	f, s, err := v.editScheduleForm()
	if err != nil {
		return err
	}
	n, err := v.typedSchedule(&f)
	if err == nil {
		_, err = v.Exchange.EditSchedule(v.r.Context(), v.principal, s.ID, f.RowVersion, n)
	}
	if err != nil {
		return v.drawScheduleForm(f, err)
	}
	return v.to(f.Back, "schedule_saved")
}
