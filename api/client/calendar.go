package client

import (
	"context"
	"encoding/json"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// CalendarYear is what the hub knows of the working days of a year.
type CalendarYear struct {
	Year        int           `json:"year"`
	Announced   bool          `json:"announced"` // false: terms counted in it are provisional.
	Document    string        `json:"document"`
	Form        string        `json:"form"` // holiday_cn, chinese_days or by_hand; "" while nothing is known.
	ChangedBy   string        `json:"changed_by,omitempty"`
	ChangedAt   time.Time     `json:"changed_at"`
	WorkingDays int           `json:"working_days"`
	Days        []CalendarDay `json:"days"` // That depart from the week; empty in lists.
}

// CalendarDay is a day off, or a weekend day that is worked.
type CalendarDay struct {
	Date string `json:"date"`
	Off  bool   `json:"off"`
	Name string `json:"name"`
}

// CalendarChange is what a change of the calendar brought.
type CalendarChange struct {
	Years []int `json:"years"`
	Moved int   `json:"moved"` // Due dates that became later.
}

// Term is a term of working days, told day by day.
type Term struct {
	Due         time.Time    `json:"due"`
	Provisional bool         `json:"provisional"`
	Skipped     []SkippedDay `json:"skipped"`
	MakeUp      []SkippedDay `json:"make_up"` // Weekend days that are counted because they are worked.
}

// SkippedDay is a day of a term that is not as its weekday says, or is not counted.
type SkippedDay struct {
	Date   string `json:"date"`
	Reason string `json:"reason"` // weekend or holiday; "" for a make-up working day.
	Name   string `json:"name"`
}

// Coverage counts how far the directory covers the information systems.
type Coverage struct {
	Year        int `json:"year"`
	Departments int `json:"departments"`
	Listed      int `json:"listed"`
	NilReturns  int `json:"nil_returns"`
	Missing     int `json:"missing"`
	SystemCounts
}

// SystemCounts are the systems by state; covered are those in use with at least one published entry.
type SystemCounts struct {
	Live         int `json:"live"`
	Zombie       int `json:"zombie"`
	SingleOffice int `json:"single_office"`
	Covered      int `json:"covered"`
}

// DepartmentCoverage is the coverage of one department.
type DepartmentCoverage struct {
	DepartmentID string     `json:"department_id"`
	Department   string     `json:"department"`
	NilReturnAt  *time.Time `json:"nil_return_at,omitempty"`
	Missing      bool       `json:"missing"`
	SystemCounts
}

// NilReturn is what a department states once a year that has no information system in use (无资源说明).
type NilReturn struct {
	ID           string     `json:"id"`
	DepartmentID string     `json:"department_id"`
	Department   string     `json:"department"`
	Year         int        `json:"year"`
	Statement    string     `json:"statement"`
	FiledBy      string     `json:"filed_by"`
	FiledAt      time.Time  `json:"filed_at"`
	WithdrawnAt  *time.Time `json:"withdrawn_at,omitempty"`
}

// CalendarYear returns a year of the calendar of working days.
func (c *Client) CalendarYear(ctx context.Context, year int) (CalendarYear, error) {
	return fetch[CalendarYear](ctx, c, http.MethodGet, "/calendar/"+strconv.Itoa(year), nil)
}

// DueDate counts working days from a date (YYYY-MM-DD), which is not counted itself.
func (c *Client) DueDate(ctx context.Context, from string, days int) (Term, error) {
	return fetch[Term](ctx, c, http.MethodGet, Filter{"from": from, "days": strconv.Itoa(days)}.path("/calendar-due"), nil)
}

// ImportCalendar imports a file of holiday-cn or chinese-days: one year of it, or all for 0.
func (c *Client) ImportCalendar(ctx context.Context, year int, document string, content json.RawMessage, changes ...Change) (CalendarChange, error) {
	return fetch[CalendarChange](ctx, c, http.MethodPost, "/calendar", map[string]any{"year": year, "document": document, "content": content}, changes...)
}

// SetCalendarDay makes a day off, work, or week for as its weekday says.
func (c *Client) SetCalendarDay(ctx context.Context, date, kind, name string, changes ...Change) (CalendarChange, error) {
	return fetch[CalendarChange](ctx, c, http.MethodPut, "/calendar-days/"+url.PathEscape(date), map[string]string{"kind": kind, "name": name}, changes...)
}

// SystemCoverage counts systems, and departments that listed or filed none, in a year; 0 means this one.
func (c *Client) SystemCoverage(ctx context.Context, year int) (Coverage, error) {
	return fetch[Coverage](ctx, c, http.MethodGet, Filter{"year": strconv.Itoa(year)}.path("/system-coverage"), nil)
}

// EachDepartmentCoverage iterates over departments with what they registered and stated.
func (c *Client) EachDepartmentCoverage(ctx context.Context, f Filter) iter.Seq2[DepartmentCoverage, error] {
	return Each[DepartmentCoverage](ctx, c, f.path("/system-coverage/departments"))
}

// EachNilReturn iterates over statements that a department has no system, newest first.
func (c *Client) EachNilReturn(ctx context.Context, f Filter) iter.Seq2[NilReturn, error] {
	return Each[NilReturn](ctx, c, f.path("/nil-returns"))
}

// FileNilReturn states that the caller's department has no information system in use this year.
func (c *Client) FileNilReturn(ctx context.Context, statement string, changes ...Change) (NilReturn, error) {
	return create[NilReturn](ctx, c, "/nil-returns", map[string]string{"statement": statement}, changes...)
}
