package catalog

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/catalog/calendar"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// SetCalendarDay makes one day off, worked or as the week says. name is that of the holiday it belongs to; nothing is asked of it
// for DayWeek. A year that nothing was known of stays provisional.
func (s *Service) SetCalendarDay(ctx context.Context, p authz.Principal, date, kind, name string) (CalendarChange, error) {
	if _, err := s.enforcer.Check(ctx, p, authz.CalendarWrite, calendarTarget); err != nil {
		return CalendarChange{}, err
	}
	day := calendar.Day{Date: date, Off: kind == DayOff, Name: strings.TrimSpace(name)}
	if err := checkCalendarDay(day, kind); err != nil {
		return CalendarChange{}, err
	}
	from, _ := time.Parse(time.DateOnly, date)
	return s.changeCalendar(ctx, p, "set_day", from, map[string]any{"date": date, "kind": kind}, func(tx *db.Tx) ([]int, error) {
		if kind == DayWeek {
			_, err := tx.Exec(ctx, "DELETE FROM calendar_day WHERE day = $1", from)
			return []int{from.Year()}, err
		}
		if err := touchYear(ctx, tx, p, from.Year()); err != nil {
			return nil, err
		}
		_, err := tx.Exec(ctx, `
			INSERT INTO calendar_day (day, year, off, name) VALUES ($1, $2, $3, $4)
			ON CONFLICT (day) DO UPDATE SET off = excluded.off, name = excluded.name`, from, from.Year(), day.Off, day.Name)
		return []int{from.Year()}, err
	})
}

// AnnounceYear says that what was entered of a year by hand is the whole announcement, and names it.
func (s *Service) AnnounceYear(ctx context.Context, p authz.Principal, year int, document string) (CalendarChange, error) {
	if _, err := s.enforcer.Check(ctx, p, authz.CalendarWrite, calendarTarget); err != nil {
		return CalendarChange{}, err
	}
	document = strings.TrimSpace(document)
	if err := checkYear(year); err != nil {
		return CalendarChange{}, err
	}
	if err := checkDocument(document); err != nil {
		return CalendarChange{}, err
	}
	from := time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC)
	return s.changeCalendar(ctx, p, "announce", from, map[string]any{"year": year}, func(tx *db.Tx) ([]int, error) {
		var entered bool
		if err := tx.QueryRow(ctx, "SELECT EXISTS (SELECT FROM calendar_day WHERE year = $1 AND off)", year).Scan(&entered); err != nil {
			return nil, err
		}
		if !entered {
			return nil, fault.New(fault.Conflict, "no_days_off", "enter the days off of that year first, or import them")
		}
		if err := touchYear(ctx, tx, p, year); err != nil {
			return nil, err
		}
		_, err := tx.Exec(ctx, "UPDATE calendar_year SET announced = true, document = $2 WHERE year = $1", year, document)
		return []int{year}, err
	})
}

// ImportCalendar replaces what is known of the years that a file of one of the forms of calendar.Parse holds: only of one of them
// when year is not 0. document names the announcement; where it is "" the file does.
func (s *Service) ImportCalendar(ctx context.Context, p authz.Principal, year int, document string, content []byte) (CalendarChange, error) {
	if _, err := s.enforcer.Check(ctx, p, authz.CalendarWrite, calendarTarget); err != nil {
		return CalendarChange{}, err
	}
	form, notices, err := calendar.Parse(content)
	if err != nil {
		return CalendarChange{}, err
	}
	if year != 0 {
		notices = slices.DeleteFunc(notices, func(n calendar.Notice) bool { return n.Year != year })
	}
	if len(notices) == 0 {
		return CalendarChange{}, fault.InvalidFields([]fault.Field{{Name: "year", Code: "unknown", Message: "the file says nothing of that year"}})
	}
	if document = strings.TrimSpace(document); document != "" {
		if err := checkDocument(document); err != nil {
			return CalendarChange{}, err
		}
	}
	from, _ := time.Parse(time.DateOnly, notices[0].Days[0].Date)
	return s.changeCalendar(ctx, p, "import", from, map[string]any{"form": form}, func(tx *db.Tx) ([]int, error) {
		var years []int
		for i := range notices {
			if document != "" {
				notices[i].Document = document
			}
			years = append(years, notices[i].Year)
		}
		return years, replaceYears(ctx, tx, p, form, notices)
	})
}

// replaceYears writes whole years in three statements.
func replaceYears(ctx context.Context, tx *db.Tx, p authz.Principal, form string, notices []calendar.Notice) error {
	var years, of []int
	var documents, days, names []string
	var off []bool
	for _, n := range notices {
		years, documents = append(years, n.Year), append(documents, n.Document)
		for _, d := range n.Days {
			days, of, off, names = append(days, d.Date), append(of, n.Year), append(off, d.Off), append(names, d.Name)
		}
	}
	if _, err := tx.Exec(ctx, `
		INSERT INTO calendar_year (year, announced, document, form, changed_by, changed_at)
		SELECT year, true, document, $3, $4, $5 FROM unnest($1::int[], $2::text[]) AS n (year, document)
		ON CONFLICT (year) DO UPDATE SET announced = true, document = excluded.document, form = excluded.form,
			changed_by = excluded.changed_by, changed_at = excluded.changed_at`,
		years, documents, form, p.ID, tx.Now()); err != nil {
		return fmt.Errorf("writing years of the calendar: %w", err)
	}
	if _, err := tx.Exec(ctx, "DELETE FROM calendar_day WHERE year = ANY($1)", years); err != nil {
		return fmt.Errorf("replacing days of the calendar: %w", err)
	}
	_, err := tx.Exec(ctx, `
		INSERT INTO calendar_day (day, year, off, name)
		SELECT DISTINCT ON (day) day::date, year, off, name
		FROM unnest($1::text[], $2::int[], $3::bool[], $4::text[]) AS n (day, year, off, name) ORDER BY day, year DESC
		ON CONFLICT (day) DO UPDATE SET year = excluded.year, off = excluded.off, name = excluded.name WHERE calendar_day.year < excluded.year`,
		days, of, off, names)
	if err != nil {
		return fmt.Errorf("writing days of the calendar: %w", err)
	}
	return nil
}

// touchYear notes who changed a year by hand; one that was not known is from then on, without an announcement.
func touchYear(ctx context.Context, tx *db.Tx, p authz.Principal, year int) error {
	_, err := tx.Exec(ctx, `
		INSERT INTO calendar_year (year, announced, form, changed_by, changed_at) VALUES ($1, false, $2, $3, $4)
		ON CONFLICT (year) DO UPDATE SET changed_by = excluded.changed_by, changed_at = excluded.changed_at`, year, formByHand, p.ID, tx.Now())
	if err != nil {
		return fmt.Errorf("writing a year of the calendar: %w", err)
	}
	return nil
}

// changeCalendar makes one change under a new version, counts due dates at or after from again and writes the event.
func (s *Service) changeCalendar(ctx context.Context, p authz.Principal, verb string, from time.Time, detail map[string]any, change func(*db.Tx) ([]int, error)) (CalendarChange, error) {
	var out CalendarChange
	err := s.db.InTx(ctx, func(tx *db.Tx) error {
		// The row lock keeps two changes apart.
		if _, err := tx.Exec(ctx, "UPDATE calendar_version SET version = version + 1"); err != nil {
			return fmt.Errorf("numbering a change of the calendar: %w", err)
		}
		years, err := change(tx)
		if err != nil {
			return err
		}
		c, err := LoadCalendar(ctx, tx)
		if err != nil {
			return err
		}
		out = CalendarChange{Years: years}
		for _, again := range s.countAgain {
			moved, err := again(ctx, tx, c, from.AddDate(0, 0, -1))
			if err != nil {
				return err
			}
			out.Moved += moved
		}
		detail["years"], detail["moved"] = out.Years, out.Moved
		return record(ctx, tx, p, "calendar."+verb, "calendar", fmt.Sprint(from.Year()), detail)
	})
	if err != nil {
		return CalendarChange{}, err
	}
	return out, nil
}

func checkYear(year int) error {
	if year < calendar.MinYear || year > calendar.MaxYear {
		return fault.InvalidFields([]fault.Field{{Name: "year", Code: "out_of_range", Message: "give a year between 1990 and 2200"}})
	}
	return nil
}

func checkDocument(document string) error {
	f, bad := checkTitle("document", document)
	if strings.ContainsFunc(document, func(r rune) bool { return !unicode.IsPrint(r) }) {
		f, bad = fault.Field{Name: "document", Code: "bad_form", Message: "name the announcement in one line"}, true
	}
	if bad {
		return fault.InvalidFields([]fault.Field{f})
	}
	return nil
}

// checkCalendarDay words what calendar.Day refuses by the fields of a form.
func checkCalendarDay(d calendar.Day, kind string) error {
	var wrong []fault.Field
	day, err := time.Parse(time.DateOnly, d.Date)
	switch {
	case err != nil || checkYear(day.Year()) != nil:
		wrong = append(wrong, fault.Field{Name: "date", Code: "bad_date", Message: "give a date as YYYY-MM-DD between 1990 and 2200"})
	case kind == DayWork && day.Weekday() != time.Saturday && day.Weekday() != time.Sunday:
		wrong = append(wrong, fault.Field{Name: "date", Code: "not_weekend", Message: "only a Saturday or Sunday can be a make-up working day"})
	}
	switch kind {
	case DayWeek:
		return fault.InvalidFields(wrong)
	case DayOff, DayWork:
	default:
		wrong = append(wrong, fault.Field{Name: "kind", Code: "not_choice", Message: "use off, work or week"})
	}
	if (calendar.Day{Date: "2026-01-01", Off: true, Name: d.Name}).Check() != nil {
		wrong = append(wrong, fault.Field{Name: "name", Code: "bad_name", Message: "name the holiday by 1 to 40 characters"})
	}
	return fault.InvalidFields(wrong)
}
