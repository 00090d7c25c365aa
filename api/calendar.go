package api

import (
	"context"
	"encoding/json"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/catalog"
	"github.com/shuqiao/shuqiao/catalog/calendar"
)

// CalendarYearInput is a year of the calendar.
type CalendarYearInput struct {
	Year int `path:"year" minimum:"1990" maximum:"2200"`
}

type termInput struct {
	From string `query:"from" required:"true" maxLength:"10" doc:"The day a term starts, YYYY-MM-DD; it is not counted itself."`
	Days int    `query:"days" required:"true" minimum:"0" maximum:"1000" doc:"Working days."`
}

type calendarDayInput struct {
	Date string `path:"date" maxLength:"10" doc:"YYYY-MM-DD"`
	Body struct {
		Kind string `json:"kind" doc:"off, work (a Saturday or Sunday that is worked) or week (as the weekday says)"`
		Name string `json:"name,omitempty" doc:"The holiday it belongs to; not for week."`
	}
}

type announceInput struct {
	CalendarYearInput
	Body struct {
		Document string `json:"document" doc:"Number or address of the announcement."`
	}
}

type calendarImportInput struct {
	Body struct {
		Year     int             `json:"year,omitempty" minimum:"0" maximum:"2200" doc:"Only this year of the file; all when not given."`
		Document string          `json:"document,omitempty" doc:"Number or address of the announcement; as the file has it when not given."`
		Content  json.RawMessage `json:"content" doc:"A file of holiday-cn or chinese-days, as it is."`
	}
}

func (a *API) calendarRoutes() {
	s := a.opt.Catalog
	handle(a, get("/calendar", "List the years of the calendar of working days", authz.CalendarRead), func(ctx context.Context, p authz.Principal, _ *noInput) (list[catalog.CalendarYear], error) {
		all, err := s.CalendarYears(ctx, p)
		return newList(all, "", err)
	})
	handle(a, get("/calendar-due", "Count working days", authz.CalendarRead), func(ctx context.Context, p authz.Principal, in *termInput) (calendar.Term, error) {
		return s.DueDate(ctx, p, in.From, in.Days)
	})
	handle(a, post("/calendar", "Import days off of one or more years", authz.CalendarWrite), func(ctx context.Context, p authz.Principal, in *calendarImportInput) (catalog.CalendarChange, error) {
		return s.ImportCalendar(ctx, p, in.Body.Year, in.Body.Document, in.Body.Content)
	})
	handle(a, get("/calendar/{year}", "One year with its days off and make-up days", authz.CalendarRead), func(ctx context.Context, p authz.Principal, in *CalendarYearInput) (catalog.CalendarYear, error) {
		return s.CalendarYear(ctx, p, in.Year)
	})
	handle(a, put("/calendar/{year}", "Say that what was entered of a year is its announcement", authz.CalendarWrite), func(ctx context.Context, p authz.Principal, in *announceInput) (catalog.CalendarChange, error) {
		return s.AnnounceYear(ctx, p, in.Year, in.Body.Document)
	})
	handle(a, put("/calendar-days/{date}", "Make a day off, worked or as its weekday says", authz.CalendarWrite), func(ctx context.Context, p authz.Principal, in *calendarDayInput) (catalog.CalendarChange, error) {
		return s.SetCalendarDay(ctx, p, in.Date, in.Body.Kind, in.Body.Name)
	})
}
