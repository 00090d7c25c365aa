package console

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/exchange"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// nextFires is how many due times to come are shown.
const nextFires = 10

// schedulesPage is the part of a task's pages about when it runs by itself.
type schedulesPage struct {
	taskHead
	Rows []scheduleRow
}

// scheduleRow is a schedule in a list.
type scheduleRow struct {
	exchange.Schedule
	Late string // How long it has been due without starting, "" while it is not late.
}

func (v *visit) scheduleRow(s exchange.Schedule) scheduleRow {
	row := scheduleRow{Schedule: s}
	if late := s.Late(v.Clock()); late > 0 {
		row.Late = v.lasting(late)
	}
	return row
}

func (c *console) showTaskSchedules(v *visit) error {
	id, err := v.id()
	if err != nil {
		return err
	}
	h, err := v.head(id, "schedules")
	if err != nil {
		return err
	}
	page := schedulesPage{taskHead: h}
	all, _, err := v.Exchange.Schedules(v.r.Context(), v.principal, exchange.ScheduleFilter{TaskID: &id}, db.Page{Limit: 100})
	if err != nil {
		return err
	}
	for _, s := range all {
		page.Rows = append(page.Rows, v.scheduleRow(s))
	}
	return v.show("schedules", h.Resource, page)
}

// schedulePage is one schedule: its rule, the due times to come, and what became of those behind.
type schedulePage struct {
	taskHead
	Row   scheduleRow
	Next  []time.Time
	Fires []fireRow
	Table string
	More  string
}

// fireRow is what became of a due time, or of several in a row.
type fireRow struct {
	exchange.Fire
	Delay string // From the due time to the start; "" where nothing started.
	Why   string
}

// hubReasons are the sentences with which the scheduler says why a due time did not start a run.
var hubReasons = map[string]string{
	"no scheduler was running": "fire_reason.no_scheduler", "the earlier run is not over": "fire_reason.not_over",
	"a run is waiting already": "fire_reason.waiting", "the task is paused": "fire_reason.paused", "the task is disabled": "fire_reason.disabled",
	"the task is draft": "fire_reason.draft",
}

func (v *visit) fireRow(f exchange.Fire) fireRow {
	row := fireRow{Fire: f, Why: f.Reason}
	if key, ok := hubReasons[f.Reason]; ok {
		row.Why = v.say(key)
	}
	if f.Outcome == exchange.FireStarted || f.Outcome == exchange.FireQueued {
		row.Delay = v.lasting(max(0, f.At.Sub(f.DueTo)))
	}
	return row
}

func (c *console) showSchedule(v *visit) error {
	id, err := v.id()
	if err != nil {
		return err
	}
	return v.drawSchedule(id, nil)
}

func (v *visit) drawSchedule(id uuid.UUID, problem error) error {
	ctx := v.r.Context()
	s, err := v.Exchange.Schedule(ctx, v.principal, id)
	if err != nil {
		return err
	}
	ledger := func(cursor string, limit int) (rows []fireRow, next string, err error) {
		fires, next, err := v.Exchange.Fires(ctx, v.principal, id, db.Page{Limit: limit, Cursor: cursor})
		for _, f := range fires {
			rows = append(rows, v.fireRow(f))
		}
		return rows, next, err
	}
	if problem == nil && v.asSheet() {
		return v.sheet("fires", []string{"fire.due", "fire.to", "fire.count", "fire.noted", "fire.delay", "fire.outcome", "fire.why"}, func(cursor string) (cells [][]string, next string, err error) {
			rows, next, err := ledger(cursor, db.MaxPage)
			for _, r := range rows {
				cells = append(cells, []string{
					v.formats.second(r.DueFrom), v.formats.second(r.DueTo), fmt.Sprint(r.DueCount), v.formats.second(r.At), r.Delay, v.word("fire_outcome", r.Outcome), r.Why,
				})
			}
			return cells, next, err
		})
	}
	h, err := v.head(s.TaskID, "schedules")
	if err != nil {
		return err
	}
	page := schedulePage{taskHead: h, Row: v.scheduleRow(s), Table: v.sheetAddress()}
	if s.State == exchange.ScheduleEnabled {
		// A schedule that cannot be read any more is parked, and says so.
		page.Next, _ = exchange.NextDue(s.Spec, s.TimeZone, v.Clock(), nextFires)
		if every, ok := strings.CutPrefix(s.Spec, "@every"); ok && s.NextAt != nil {
			page.Next = evenly(strings.TrimSpace(every), *s.NextAt)
		}
	}
	fires, next, err := ledger(v.query("cursor"), 25)
	if err != nil {
		return err
	}
	page.Fires, page.More = fires, v.nextAddress(next)
	if problem != nil {
		return v.again("schedule", h.Resource, page, problem)
	}
	return v.show("schedule", h.Resource, page)
}

// evenly are the due times of an even schedule: they follow from the next one, not from now.
func evenly(every string, next time.Time) (out []time.Time) {
	d, err := time.ParseDuration(every)
	if err != nil {
		return nil
	}
	for i := range nextFires {
		out = append(out, next.Add(time.Duration(i)*d))
	}
	return out
}

func (c *console) actOnSchedule(v *visit) error {
	ctx := v.r.Context()
	id, err := v.id()
	if err != nil {
		return err
	}
	act := v.r.PathValue("act")
	switch act {
	case "pause":
		_, err = v.Exchange.PauseSchedule(ctx, v.principal, id, v.rowVersion())
	case "resume":
		_, err = v.Exchange.ResumeSchedule(ctx, v.principal, id, v.rowVersion())
	default:
		return notFound()
	}
	if err != nil {
		return v.drawSchedule(id, err)
	}
	return v.to(prefix+"/schedules/"+id.String(), "schedule_"+act)
}

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
