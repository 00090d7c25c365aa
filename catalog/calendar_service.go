package catalog

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/catalog/calendar"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// What a day of the calendar can be made.
const (
	DayOff  = "off"  // Not worked.
	DayWork = "work" // A Saturday or Sunday that is worked.
	DayWeek = "week" // As its weekday says.
)

// formByHand is how a year came that nobody imported; the other forms are those of the package calendar.
const formByHand = "by_hand"

// CalendarYear is what the hub knows of the working days of a year.
type CalendarYear struct {
	Year        int       `json:"year"`
	Announced   bool      `json:"announced"` // false: weekends only, and what was entered by hand; terms counted in it are provisional.
	Document    string    `json:"document"`  // Number or address of the announcement.
	Form        string    `json:"form"`      // holiday_cn, chinese_days or by_hand; "" while nothing is known.
	ChangedBy   uuid.UUID `json:"changed_by"`
	ChangedAt   time.Time `json:"changed_at"`
	WorkingDays int       `json:"working_days"`
	// Days are the days of this year that depart from the week, by whatever announcement, in order. Empty in lists.
	Days []calendar.Day `json:"days"`
}

// CalendarChange is what a change of the calendar brought.
type CalendarChange struct {
	Years []int `json:"years"` // Whose announcement was changed, in order.
	Moved int   `json:"moved"` // Due dates that became later. None becomes earlier.
}

// CountAgain counts due dates again that lie at or after from, or are provisional, by a changed calendar, in the transaction that
// changes it. No date that was shown becomes earlier. It returns how many became later.
type CountAgain func(ctx context.Context, tx *db.Tx, c *calendar.Calendar, from time.Time) (int, error)

// OnCalendar registers who keeps due dates. It must be called before the first change of the calendar.
func (s *Service) OnCalendar(f CountAgain) { s.countAgain = append(s.countAgain, f) }

// FreshCalendar returns the calendar of a version that was read in q's transaction. Only when the one that is held has another
// version it reads the notices, and holds them from then on.
func FreshCalendar(ctx context.Context, q Querier, held *calendar.Held, version int64) (*calendar.Calendar, error) {
	if c := held.Now(); c.Version() == version {
		return c, nil
	}
	c, err := LoadCalendar(ctx, q)
	if err != nil {
		return nil, err
	}
	held.Replace(c)
	return c, nil
}

// LoadCalendar returns the calendar in force. One statement sees all notices and their version at one moment.
func LoadCalendar(ctx context.Context, q Querier) (*calendar.Calendar, error) {
	rows, err := q.Query(ctx, `
		SELECT v.version, y.year, y.announced, y.document, to_char(d.day, 'YYYY-MM-DD'), d.off, d.name
		FROM calendar_version v LEFT JOIN calendar_year y ON true LEFT JOIN calendar_day d ON d.year = y.year ORDER BY y.year, d.day`)
	if err != nil {
		return nil, fmt.Errorf("reading the calendar: %w", err)
	}
	defer rows.Close()
	var version int64
	var all []calendar.Notice
	for rows.Next() {
		var year *int
		var announced, off *bool
		var document, day, name *string
		if err := rows.Scan(&version, &year, &announced, &document, &day, &off, &name); err != nil {
			return nil, fmt.Errorf("reading the calendar: %w", err)
		}
		if year == nil {
			continue
		}
		if len(all) == 0 || all[len(all)-1].Year != *year {
			all = append(all, calendar.Notice{Year: *year, Announced: *announced, Document: *document})
		}
		if day != nil {
			last := &all[len(all)-1]
			last.Days = append(last.Days, calendar.Day{Date: *day, Off: *off, Name: *name})
		}
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("reading the calendar: %w", err)
	}
	return calendar.Build(version, all)
}

// followEvery is how soon a node holds a changed calendar that it was not asked for.
const followEvery = time.Second

// FollowCalendar holds the calendar in force until ctx ends, then returns nil. Failures are passed over: due dates are counted by
// the calendar that their own transaction finds.
func (s *Service) FollowCalendar(ctx context.Context) error {
	ticker := time.NewTicker(followEvery)
	defer ticker.Stop()
	for failed := false; ; {
		_, err := s.calendarNow(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil && !failed {
			s.log.WarnContext(ctx, "the calendar of working days is not being followed", "error", err)
		}
		failed = err != nil
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

// calendarNow returns the calendar in force.
func (s *Service) calendarNow(ctx context.Context) (*calendar.Calendar, error) {
	var version int64
	if err := s.db.Pool.QueryRow(ctx, "SELECT version FROM calendar_version").Scan(&version); err != nil {
		return nil, fmt.Errorf("reading the version of the calendar: %w", err)
	}
	return FreshCalendar(ctx, s.db.Pool, s.calendar, version)
}

var calendarTarget = authz.Target{Kind: "calendar"}

// CalendarYears lists the years of which something is known, the newest first: at most 211.
func (s *Service) CalendarYears(ctx context.Context, p authz.Principal) ([]CalendarYear, error) {
	if _, err := s.enforcer.Check(ctx, p, authz.CalendarRead, calendarTarget); err != nil {
		return nil, err
	}
	c, err := s.calendarNow(ctx)
	if err != nil {
		return nil, err
	}
	return readYears(ctx, s.db.Pool, c, "ORDER BY year DESC")
}

// CalendarYear returns a year with its days, this one for 0. Of a year between 1990 and 2200 that nothing is known of it returns the weekends.
func (s *Service) CalendarYear(ctx context.Context, p authz.Principal, year int) (CalendarYear, error) {
	if _, err := s.enforcer.Check(ctx, p, authz.CalendarRead, calendarTarget); err != nil {
		return CalendarYear{}, err
	}
	if year == 0 {
		year = s.thisYear()
	}
	if err := checkYear(year); err != nil {
		return CalendarYear{}, err
	}
	c, err := s.calendarNow(ctx)
	if err != nil {
		return CalendarYear{}, err
	}
	out := CalendarYear{Year: year, WorkingDays: c.WorkingDays(year)}
	found, err := readYears(ctx, s.db.Pool, c, "WHERE year = $1", year)
	if err != nil {
		return CalendarYear{}, err
	}
	if len(found) == 1 {
		out = found[0]
	}
	out.Days = c.Days(year)
	return out, nil
}

func readYears(ctx context.Context, q Querier, c *calendar.Calendar, which string, args ...any) ([]CalendarYear, error) {
	out, err := many(ctx, q, func(r yearRow) (CalendarYear, error) {
		return CalendarYear{
			Year: r.Year, Announced: r.Announced, Document: r.Document, Form: r.Form, ChangedBy: given(r.ChangedBy),
			ChangedAt: r.ChangedAt.UTC(), WorkingDays: c.WorkingDays(r.Year), Days: []calendar.Day{},
		}, nil
	}, "SELECT * FROM calendar_year "+which, args...)
	if err != nil {
		return nil, fmt.Errorf("reading years of the calendar: %w", err)
	}
	return out, nil
}

// yearRow is a row of calendar_year.
type yearRow struct {
	Year      int
	Announced bool
	Document  string
	Form      string
	ChangedBy *uuid.UUID
	ChangedAt time.Time
}

// DueDate counts a term of 0 to calendar.MaxTerm working days from a date (YYYY-MM-DD), which is not counted itself.
func (s *Service) DueDate(ctx context.Context, p authz.Principal, from string, days int) (calendar.Term, error) {
	if _, err := s.enforcer.Check(ctx, p, authz.CalendarRead, calendarTarget); err != nil {
		return calendar.Term{}, err
	}
	c, err := s.calendarNow(ctx)
	if err != nil {
		return calendar.Term{}, err
	}
	var wrong []fault.Field
	start, err := time.ParseInLocation(time.DateOnly, from, c.Zone())
	if err != nil || checkYear(start.Year()) != nil {
		wrong = append(wrong, fault.Field{Name: "from", Code: "bad_date", Message: "give a date as YYYY-MM-DD between 1990 and 2200"})
	}
	if days < 0 || days > calendar.MaxTerm {
		wrong = append(wrong, fault.Field{Name: "days", Code: "out_of_range", Message: "give 0 to 1000 working days"})
	}
	if err := fault.InvalidFields(wrong); err != nil {
		return calendar.Term{}, err
	}
	return c.Term(start, days), nil
}

// NextYearMissing reports from 1 November on that the next year has no announcement yet, with that year.
func (s *Service) NextYearMissing(ctx context.Context, p authz.Principal) (year int, missing bool, err error) {
	if _, err := s.enforcer.Check(ctx, p, authz.CalendarRead, calendarTarget); err != nil {
		return 0, false, err
	}
	c, err := s.calendarNow(ctx)
	if err != nil {
		return 0, false, err
	}
	now := s.clock().In(c.Zone())
	return now.Year() + 1, now.Month() >= time.November && !c.Covers(now.Year()+1), nil
}
