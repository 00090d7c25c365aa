package calendar

import (
	"embed"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"sync/atomic"
	"time"
)

// The notices of 2024 to 2026, as NateScarlet/holiday-cn (MIT, see data/LICENSE-holiday-cn) transcribes them.
//
//go:embed data/*.json
var notices embed.FS

// Calendar knows which days are worked. It never changes and may be shared between goroutines.
type Calendar struct {
	zone    *time.Location
	version int64
	years   map[int]bool   // Years with a notice.
	days    map[string]Day // By date, where a notice departs from the week.
}

// New returns the calendar of the embedded notices.
func New() (*Calendar, error) {
	all, err := Embedded()
	if err != nil {
		return nil, err
	}
	return Build(0, all)
}

// Build returns the calendar of some notices. Where two of them name the same day the later notice holds. version tells
// calendars of one hub apart; that of the embedded notices has 0.
func Build(version int64, all []Notice) (*Calendar, error) {
	zone, err := time.LoadLocation("Asia/Shanghai")
	if err != nil {
		return nil, fmt.Errorf("loading the time zone of working days: %w", err)
	}
	c := &Calendar{zone: zone, version: version, years: map[int]bool{}, days: map[string]Day{}}
	for _, n := range all {
		c.years[n.Year] = c.years[n.Year] || n.Announced
		for _, d := range n.Days {
			c.days[d.Date] = d
		}
	}
	return c, nil
}

// Embedded returns the notices that the program holds, by year.
func Embedded() ([]Notice, error) {
	names, err := fs.Glob(notices, path.Join("data", "*.json"))
	if err != nil {
		return nil, fmt.Errorf("listing the notices of days off: %w", err)
	}
	var all []Notice
	for _, name := range names {
		raw, err := fs.ReadFile(notices, name)
		if err != nil {
			return nil, fmt.Errorf("reading the notice %s: %w", name, err)
		}
		_, some, err := Parse(raw)
		if err != nil {
			return nil, fmt.Errorf("decoding the notice %s: %w", name, err)
		}
		all = append(all, some...)
	}
	slices.SortFunc(all, func(a, b Notice) int { return a.Year - b.Year })
	return all, nil
}

// Zone returns Asia/Shanghai, in which days begin and end.
func (c *Calendar) Zone() *time.Location { return c.zone }

// Version tells which state of the hub's notices it was built from.
func (c *Calendar) Version() int64 { return c.version }

// Covers reports whether there is a notice of the days off of that year.
func (c *Calendar) Covers(year int) bool { return c.years[year] }

// Day returns what a notice says of the day on which t falls; ok is false where none names it.
func (c *Calendar) Day(t time.Time) (d Day, ok bool) {
	d, ok = c.days[t.In(c.zone).Format(time.DateOnly)]
	return d, ok
}

// Days returns the days of a year that notices name, in order.
func (c *Calendar) Days(year int) []Day {
	out := []Day{}
	for day := time.Date(year, 1, 1, 12, 0, 0, 0, c.zone); day.Year() == year; day = day.AddDate(0, 0, 1) {
		if d, ok := c.Day(day); ok {
			out = append(out, d)
		}
	}
	return out
}

// Working reports whether the day on which t falls in Asia/Shanghai is worked. known is false when that day's year has no
// notice yet: the answer then follows from the weekday alone and is provisional.
func (c *Calendar) Working(t time.Time) (working, known bool) {
	t = t.In(c.zone)
	if d, listed := c.Day(t); listed {
		return !d.Off, true
	}
	return !weekend(t), c.years[t.Year()]
}

// Due returns the end (23:59:59, Asia/Shanghai) of the days-th working day after the day of start, which is not counted
// itself. With days of 0 or less it is the end of the day of start. provisional is true when a day counted lies in a year
// without a notice, so that the true limit may be another.
func (c *Calendar) Due(start time.Time, days int) (due time.Time, provisional bool) {
	return c.count(start, days, func(time.Time, bool) {})
}

// count is Due that shows every day it passes and whether that is worked.
func (c *Calendar) count(start time.Time, days int, passed func(day time.Time, working bool)) (due time.Time, provisional bool) {
	y, m, d := start.In(c.zone).Date()
	day := time.Date(y, m, d, 12, 0, 0, 0, c.zone)
	for days > 0 {
		day = day.AddDate(0, 0, 1)
		working, known := c.Working(day)
		provisional = provisional || !known
		if working {
			days--
		}
		passed(day, working)
	}
	y, m, d = day.Date()
	return time.Date(y, m, d, 23, 59, 59, 0, c.zone), provisional
}

// WorkingDays returns how many days of a year are worked.
func (c *Calendar) WorkingDays(year int) int {
	n := 0
	for day := time.Date(year, 1, 1, 12, 0, 0, 0, c.zone); day.Year() == year; day = day.AddDate(0, 0, 1) {
		if working, _ := c.Working(day); working {
			n++
		}
	}
	return n
}

func weekend(t time.Time) bool {
	return t.Weekday() == time.Saturday || t.Weekday() == time.Sunday
}

// Held is the calendar that a node holds: one after the other, each a whole. It may be shared between goroutines.
type Held struct{ now atomic.Pointer[Calendar] }

// NewHeld begins with the calendar of the embedded notices.
func NewHeld() (*Held, error) {
	c, err := New()
	if err != nil {
		return nil, err
	}
	h := &Held{}
	h.now.Store(c)
	return h, nil
}

// Now returns the calendar that is held.
func (h *Held) Now() *Calendar { return h.now.Load() }

// Replace puts another calendar in its place.
func (h *Held) Replace(c *Calendar) { h.now.Store(c) }
