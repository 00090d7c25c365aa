package console

import (
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/exchange"
	"github.com/shuqiao/shuqiao/internal/db"
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
