package sharing_test

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/catalog"
	"github.com/shuqiao/shuqiao/sharing"
)

// Due dates in a year without an announcement are provisional, become later with the days off that are entered, stop being
// provisional with the announcement, and never become earlier.
func TestCalendarMovesDueDates(t *testing.T) {
	t.Parallel()
	c := newTown(t)
	ctx := t.Context()
	open, decided := c.signed(t), c.signed(t)
	// Ten working days from Monday 6 January 2031 by weekends alone.
	c.exec(t, c.db, "UPDATE sharing_request SET received_at = '2031-01-06 09:00+08', due_at = '2031-01-20 23:59:59+08', due_provisional = true")
	c.exec(t, c.db, "UPDATE sharing_request SET state = 'withdrawn' WHERE id = $1", decided.ID)
	check := func(id uuid.UUID, want string, provisional bool) {
		t.Helper()
		r := must[sharing.Request](t, "reading")(c.svc.GetRequest(ctx, c.operator, id))
		if got := r.DueAt.Add(8 * time.Hour).Format(time.DateTime); got != want+" 23:59:59" || r.DueProvisional != provisional {
			t.Errorf("due %s, provisional %v; want %s, %v", got, r.DueProvisional, want, provisional)
		}
	}
	moved := func(want int) func(catalog.CalendarChange, error) {
		return func(change catalog.CalendarChange, err error) {
			t.Helper()
			if err != nil || change.Moved != want {
				t.Errorf("got %+v, %v; want %d due dates to move", change, err, want)
			}
		}
	}
	moved(1)(c.directory.SetCalendarDay(ctx, c.operator, "2031-01-08", catalog.DayOff, "示例节"))
	check(open.ID, "2031-01-21", true)
	check(decided.ID, "2031-01-20", true)
	// A Saturday that is worked would bring the date forward: the one that was shown stays.
	moved(0)(c.directory.SetCalendarDay(ctx, c.operator, "2031-01-11", catalog.DayWork, "示例节"))
	check(open.ID, "2031-01-21", true)
	moved(0)(c.directory.AnnounceYear(ctx, c.operator, 2031, "示例文件"))
	check(open.ID, "2031-01-21", false)
	check(decided.ID, "2031-01-20", true)
	moved(0)(c.directory.SetCalendarDay(ctx, c.operator, "2031-01-22", catalog.DayOff, "示例节")) // Behind the term.
	moved(0)(c.directory.SetCalendarDay(ctx, c.operator, "2031-01-09", catalog.DayOff, "示例节")) // The worked Saturday makes up for it.
	check(open.ID, "2031-01-21", false)
	moved(1)(c.directory.SetCalendarDay(ctx, c.operator, "2031-01-10", catalog.DayOff, "示例节"))
	check(open.ID, "2031-01-23", false)

	// The next due date is counted by the calendar in force, without being told.
	r := must[sharing.Request](t, "extending")(c.svc.Extend(ctx, c.operator, open.ID, 0, 1, "需核实"))
	check(r.ID, "2031-01-24", false)
	if n := c.count(t, "SELECT count(*) FROM event WHERE action LIKE 'calendar.%'"); n != 6 {
		t.Errorf("got %d events about the calendar, want 6", n)
	}
}
