package calendar

import "time"

// Why a day of a term is not counted.
const (
	SkippedWeekend = "weekend"
	SkippedHoliday = "holiday"
)

// MaxTerm is the longest term that is told day by day, in working days.
const MaxTerm = 1000

// Term is a term of working days, told day by day.
type Term struct {
	Due         time.Time `json:"due"` // The last second of the last day counted.
	Provisional bool      `json:"provisional"`
	Skipped     []Skip    `json:"skipped"` // In order of days.
	MakeUp      []Skip    `json:"make_up"` // Weekend days that are counted because they are worked.
}

// Skip is a day of a term that is not as its weekday says, or is not counted.
type Skip struct {
	Date   string `json:"date"`   // YYYY-MM-DD
	Reason string `json:"reason"` // weekend or holiday; "" for a make-up working day.
	Name   string `json:"name"`   // Of the holiday, as the notice has it; "" for an ordinary weekend.
}

// Term is Due with the days that it passed over, and the weekend days that it counted. days is held between 0 and MaxTerm.
func (c *Calendar) Term(start time.Time, days int) Term {
	out := Term{Skipped: []Skip{}, MakeUp: []Skip{}}
	out.Due, out.Provisional = c.count(start, min(days, MaxTerm), func(day time.Time, working bool) {
		d, listed := c.Day(day)
		skip := Skip{Date: day.Format(time.DateOnly), Name: d.Name}
		switch {
		case working && weekend(day):
			out.MakeUp = append(out.MakeUp, skip)
		case working:
		case listed:
			skip.Reason = SkippedHoliday
			out.Skipped = append(out.Skipped, skip)
		default:
			skip.Reason = SkippedWeekend
			out.Skipped = append(out.Skipped, skip)
		}
	})
	return out
}
