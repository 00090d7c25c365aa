package main

import (
	"fmt"
	"time"

	"github.com/shuqiao/shuqiao/catalog/calendar"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// calendarCommands are those that the table of commands cannot say; the others join them.
type calendarCommands struct {
	Due calendarDue `cmd:"" help:"Count working days without a hub, by the announcements that this program holds."`
}

type calendarDue struct {
	Date string `arg:"" help:"The day a term starts, YYYY-MM-DD; it is not counted itself."`
	Days int    `arg:"" help:"Working days, 0 to 1000."`
}

// Run prints when a term of working days is due, and below it each day that is not counted and why.
func (c *calendarDue) Run(t *terminal) error {
	days, err := calendar.New()
	if err != nil {
		return err
	}
	start, err := time.ParseInLocation(time.DateOnly, c.Date, days.Zone())
	if err != nil || start.Year() < calendar.MinYear || start.Year() > calendar.MaxYear {
		return fault.New(fault.Invalid, "usage", "give the date as YYYY-MM-DD between %d and %d", calendar.MinYear, calendar.MaxYear)
	}
	if c.Days < 0 || c.Days > calendar.MaxTerm {
		return fault.New(fault.Invalid, "usage", "give 0 to %d working days", calendar.MaxTerm)
	}
	term := days.Term(start, c.Days)
	provisional := ""
	if term.Provisional {
		provisional = "\tprovisional: a year without an announcement is counted by weekends only"
	}
	if _, err := fmt.Fprintf(t.out, "%s%s\n", term.Due.Format(time.DateOnly), provisional); err != nil {
		return err
	}
	for _, s := range term.Skipped {
		why := s.Name
		if s.Reason == calendar.SkippedWeekend {
			why = s.Reason
		}
		if _, err := fmt.Fprintf(t.out, "%s\t%s\n", s.Date, why); err != nil {
			return err
		}
	}
	return nil
}
