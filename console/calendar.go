package console

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/catalog"
	"github.com/shuqiao/shuqiao/catalog/calendar"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// calendarRoutes are the working days: the year, its editing and import.
func (c *console) calendarRoutes(m *http.ServeMux) {
	m.Handle("GET /ui/calendar", c.page(c.showCalendar))
	m.Handle("POST /ui/calendar/day", c.page(c.setCalendarDay))
	m.Handle("POST /ui/calendar/announce", c.page(c.announceYear))
	m.Handle("POST /ui/calendar/import", c.pageUpTo(calendar.MaxFile+maxForm, c.importCalendar))
}

// calendarPage is one year as twelve months.
type calendarPage struct {
	Year, Before, After string
	Known               []option // Years that something is known of.
	Now                 catalog.CalendarYear
	Months              []calendarMonth
	Sheet               string
	MissingYear         string // The next year, from November on while it is not announced; "" otherwise.
	CanWrite            bool
	Failed              string // The form that was refused: day, announce, import or term.
	Kinds               []option
	Day                 calendar.Day // As it was typed.
	Document            string
	From, Days          string // Of the calculator.
	Term                *calendar.Term
	Skipped             []skippedDay
}

type calendarMonth struct {
	Name  string
	Weeks [][]calendarCell
}

// calendarCell is a day of a month, or an empty place before its first and behind its last.
type calendarCell struct {
	Number string
	Class  string // "off", "work", "weekend" or "".
	Title  string
}

type skippedDay struct{ Date, Why string }

func (c *console) showCalendar(v *visit) error {
	year := 0
	if text := v.query("year"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < calendar.MinYear || n > calendar.MaxYear {
			return notFound()
		}
		year = n
	}
	page, err := v.calendarOf(year)
	if err != nil {
		return err
	}
	if v.asSheet() {
		return v.calendarSheet(page.Now)
	}
	if page.From, page.Days = v.query("from"), v.query("days"); page.From != "" || page.Days != "" {
		if err := v.countTerm(&page); err != nil {
			page.Failed = "term"
			return v.again("calendar", "calendar.title", page, err)
		}
	}
	return v.show("calendar", "calendar.title", page)
}

// calendarOf reads a year, this one for 0, and what surrounds it.
func (v *visit) calendarOf(year int) (calendarPage, error) {
	ctx := v.r.Context()
	all, err := v.Catalog.CalendarYears(ctx, v.principal)
	if err != nil {
		return calendarPage{}, err
	}
	now, err := v.Catalog.CalendarYear(ctx, v.principal, year)
	if err != nil {
		return calendarPage{}, err
	}
	year = now.Year
	page := calendarPage{
		Year: strconv.Itoa(year), Now: now, Sheet: v.sheetAddress(), Kinds: choices(v, "day_kind", []string{catalog.DayOff, catalog.DayWork, catalog.DayWeek}),
		CanWrite: v.may(authz.CalendarWrite, authz.Target{Kind: "calendar"}),
	}
	if year > calendar.MinYear {
		page.Before = strconv.Itoa(year - 1)
	}
	if year < calendar.MaxYear {
		page.After = strconv.Itoa(year + 1)
	}
	for _, y := range all {
		text := strconv.Itoa(y.Year)
		page.Known = append(page.Known, option{Value: text, Text: text, Selected: y.Year == year})
	}
	next, missing, err := v.Catalog.NextYearMissing(ctx, v.principal)
	if err != nil {
		return calendarPage{}, err
	}
	if missing {
		page.MissingYear = strconv.Itoa(next)
	}
	page.Months = v.months(page.Now)
	return page, nil
}

// months lays a year out in weeks that begin on Monday.
func (v *visit) months(y catalog.CalendarYear) []calendarMonth {
	named := map[string]calendar.Day{}
	for _, d := range y.Days {
		named[d.Date] = d
	}
	var out []calendarMonth
	for month := time.January; month <= time.December; month++ {
		m := calendarMonth{Name: v.say("calendar.month_" + strconv.Itoa(int(month)))}
		first := time.Date(y.Year, month, 1, 0, 0, 0, 0, time.UTC)
		week := make([]calendarCell, (int(first.Weekday())+6)%7, 7)
		for day := first; day.Month() == month; day = day.AddDate(0, 0, 1) {
			cell := calendarCell{Number: strconv.Itoa(day.Day())}
			d, ok := named[day.Format(time.DateOnly)]
			switch {
			case ok && d.Off:
				cell.Class, cell.Title = "off", d.Name
			case ok:
				cell.Class, cell.Title = "work", v.say("calendar.made_up", "name", d.Name)
			case day.Weekday() == time.Saturday || day.Weekday() == time.Sunday:
				cell.Class = "weekend"
			}
			if week = append(week, cell); len(week) == 7 {
				m.Weeks, week = append(m.Weeks, week), make([]calendarCell, 0, 7)
			}
		}
		if len(week) > 0 {
			m.Weeks = append(m.Weeks, append(week, make([]calendarCell, 7-len(week))...))
		}
		out = append(out, m)
	}
	return out
}

func (v *visit) calendarSheet(y catalog.CalendarYear) error {
	return v.sheet(fmt.Sprintf("calendar-%d", y.Year), []string{"calendar.date", "calendar.kind", "calendar.name"}, func(string) ([][]string, string, error) {
		var rows [][]string
		for _, d := range y.Days {
			kind := catalog.DayWork
			if d.Off {
				kind = catalog.DayOff
			}
			rows = append(rows, []string{d.Date, v.word("day_kind", kind), d.Name})
		}
		return rows, "", nil
	})
}

// countTerm fills in what the calculator was asked.
func (v *visit) countTerm(page *calendarPage) error {
	days, err := strconv.Atoi(page.Days)
	if err != nil {
		return oneField("days", "out_of_range")
	}
	term, err := v.Catalog.DueDate(v.r.Context(), v.principal, page.From, days)
	if err != nil {
		return err
	}
	page.Term = &term
	for _, s := range term.Skipped {
		why := s.Name
		if s.Reason == calendar.SkippedWeekend {
			why = v.say("calendar.weekend")
		}
		page.Skipped = append(page.Skipped, skippedDay{s.Date, why})
	}
	return nil
}

func (c *console) setCalendarDay(v *visit) error {
	day := calendar.Day{Date: v.field("date"), Name: v.field("name")}
	change, err := v.Catalog.SetCalendarDay(v.r.Context(), v.principal, day.Date, v.field("kind"), day.Name)
	return v.calendarDone("day", change, err, func(page *calendarPage) {
		page.Day, page.Kinds = day, chosen(page.Kinds, v.field("kind"))
	})
}

func (c *console) announceYear(v *visit) error {
	year, _ := strconv.Atoi(v.field("year"))
	change, err := v.Catalog.AnnounceYear(v.r.Context(), v.principal, year, v.field("document"))
	return v.calendarDone("announce", change, err, func(page *calendarPage) { page.Document = v.field("document") })
}

func (c *console) importCalendar(v *visit) error {
	content, err := v.uploaded("file")
	if err != nil {
		return v.calendarDone("import", catalog.CalendarChange{}, err, func(*calendarPage) {})
	}
	only := 0
	if v.field("only") != "" {
		only, _ = strconv.Atoi(v.field("year"))
	}
	change, err := v.Catalog.ImportCalendar(v.r.Context(), v.principal, only, v.field("import_document"), content)
	return v.calendarDone("import", change, err, func(*calendarPage) {})
}

// uploaded reads the file of a form, which its route bounds.
func (v *visit) uploaded(name string) ([]byte, error) {
	file, _, err := v.r.FormFile(name)
	if err != nil {
		return nil, oneField("content", "required")
	}
	defer file.Close()
	content, err := io.ReadAll(file)
	if err != nil {
		return nil, fmt.Errorf("reading a file of a form: %w", err)
	}
	return content, nil
}

// calendarDone goes on to the year that was changed, or draws the form again with what was typed.
func (v *visit) calendarDone(form string, change catalog.CalendarChange, err error, typed func(*calendarPage)) error {
	if err == nil {
		year := strconv.Itoa(change.Years[len(change.Years)-1])
		http.Redirect(v.w, v.r, prefix+"/calendar?year="+year+"&done=calendar_"+form, http.StatusSeeOther)
		return nil
	}
	if fault.Is(err, fault.Forbidden) {
		return err
	}
	year, _ := strconv.Atoi(v.field("year"))
	if year < calendar.MinYear || year > calendar.MaxYear {
		year = 0
	}
	page, read := v.calendarOf(year)
	if read != nil {
		return read
	}
	page.Failed = form
	typed(&page)
	return v.again("calendar", "calendar.title", page, err)
}
