package calendar

import (
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"path"
	"time"
)

// The notices of 2024 to 2026, as NateScarlet/holiday-cn (MIT, see data/LICENSE-holiday-cn) transcribes them.
//
//go:embed data/*.json
var notices embed.FS

// Calendar knows which days are worked. It never changes and may be shared between goroutines.
type Calendar struct {
	zone  *time.Location
	years map[int]bool    // Years with a notice.
	days  map[string]bool // Date as YYYY-MM-DD to whether it is off, where a notice departs from the week.
}

// notice is one year's file. A year's notice may name days of the neighbouring years.
type notice struct {
	Year int `json:"year"`
	Days []struct {
		Date string `json:"date"`
		Off  bool   `json:"isOffDay"`
	} `json:"days"`
}

// New returns the calendar of the embedded notices.
func New() (*Calendar, error) { return load(notices) }

func load(files fs.FS) (*Calendar, error) {
	zone, err := time.LoadLocation("Asia/Shanghai")
	if err != nil {
		return nil, fmt.Errorf("loading the time zone of working days: %w", err)
	}
	names, err := fs.Glob(files, path.Join("data", "*.json"))
	if err != nil {
		return nil, fmt.Errorf("listing the notices of days off: %w", err)
	}
	c := &Calendar{zone: zone, years: map[int]bool{}, days: map[string]bool{}}
	for _, name := range names {
		raw, err := fs.ReadFile(files, name)
		if err != nil {
			return nil, fmt.Errorf("reading the notice %s: %w", name, err)
		}
		var n notice
		if err := json.Unmarshal(raw, &n); err != nil {
			return nil, fmt.Errorf("decoding the notice %s: %w", name, err)
		}
		c.years[n.Year] = true
		for _, d := range n.Days {
			if _, err := time.Parse(time.DateOnly, d.Date); err != nil {
				return nil, fmt.Errorf("decoding the notice %s: %w", name, err)
			}
			c.days[d.Date] = d.Off
		}
	}
	return c, nil
}

// Zone returns Asia/Shanghai, in which days begin and end.
func (c *Calendar) Zone() *time.Location { return c.zone }

// Covers reports whether there is a notice of the days off of that year.
func (c *Calendar) Covers(year int) bool { return c.years[year] }

// Working reports whether the day on which t falls in Asia/Shanghai is worked. known is false when that day's year has no
// notice yet: the answer then follows from the weekday alone and is provisional.
func (c *Calendar) Working(t time.Time) (working, known bool) {
	t = t.In(c.zone)
	if off, listed := c.days[t.Format(time.DateOnly)]; listed {
		return !off, true
	}
	weekday := t.Weekday()
	return weekday != time.Saturday && weekday != time.Sunday, c.years[t.Year()]
}

// Due returns the end (23:59:59, Asia/Shanghai) of the days-th working day after the day of start, which is not counted
// itself. With days of 0 or less it is the end of the day of start. provisional is true when a day counted lies in a year
// without a notice, so that the true limit may be another.
func (c *Calendar) Due(start time.Time, days int) (due time.Time, provisional bool) {
	y, m, d := start.In(c.zone).Date()
	day := time.Date(y, m, d, 12, 0, 0, 0, c.zone)
	for days > 0 {
		day = day.AddDate(0, 0, 1)
		working, known := c.Working(day)
		provisional = provisional || !known
		if working {
			days--
		}
	}
	y, m, d = day.Date()
	return time.Date(y, m, d, 23, 59, 59, 0, c.zone), provisional
}
