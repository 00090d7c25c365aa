package exchange

import (
	"errors"
	"strings"
	"time"
	_ "time/tzdata" // Schedules need time zones on hosts that install none.

	"github.com/robfig/cron/v3"

	"github.com/shuqiao/shuqiao/internal/fault"
)

// DefaultTimeZone is the zone of schedules that name none: the legal time of the People's Republic of China.
const DefaultTimeZone = "Asia/Shanghai"

// The bounds of a schedule's text. The longest useful five-field text lists every value of every field.
const (
	maxSpec  = 400
	maxZone  = 64
	maxEvery = 366 * 24 * time.Hour
)

// Due gives the due times of a schedule.
type Due struct {
	schedule cron.Schedule
	every    time.Duration // 0 unless the schedule is "@every".
}

// ParseSpec reads the text of a schedule: five cron fields (minute, hour, day of month, month, day of week), a name such as
// @hourly, or "@every" with whole seconds, each with an optional prefix "CRON_TZ=Area/City ". zone is the IANA name that
// holds without a prefix. Faults are Invalid and name the fields "spec" or "time_zone" with one of the codes required,
// too_long, malformed, too_fast, never_fires and unknown_zone; no fault repeats the text. now is the time from which the
// schedule must still fire.
func ParseSpec(spec, zone string, now time.Time) (Due, error) {
	wrong := func(field, code, message string) (Due, error) {
		return Due{}, fault.InvalidFields([]fault.Field{{Name: field, Code: code, Message: message}})
	}
	spec = strings.TrimSpace(spec)
	if spec == "" {
		return wrong("spec", "required", "give five cron fields such as 30 2 * * *, or @every 10m")
	}
	if len(spec) > maxSpec {
		return wrong("spec", "too_long", "a schedule has at most 400 characters")
	}
	zoneField := "time_zone"
	// The parser takes the prefix too, but trips over one without fields behind it.
	for _, prefix := range []string{"CRON_TZ=", "TZ="} {
		if rest, ok := strings.CutPrefix(spec, prefix); ok {
			name, fields, found := strings.Cut(rest, " ")
			if !found {
				return wrong("spec", "malformed", "the time zone must be followed by a blank and the five fields")
			}
			zone, spec, zoneField = name, strings.TrimSpace(fields), "spec"
			break
		}
	}
	if strings.Contains(spec, "TZ=") {
		return wrong("spec", "malformed", "name one time zone only")
	}
	location, err := loadZone(zone)
	if err != nil {
		return wrong(zoneField, "unknown_zone", "name a time zone of the IANA database, such as Asia/Shanghai")
	}
	due := Due{}
	if text, ok := strings.CutPrefix(spec, "@every"); ok {
		if due.every, err = time.ParseDuration(strings.TrimSpace(text)); err != nil {
			return wrong("spec", "malformed", "@every needs a duration such as 10s, 15m or 6h")
		}
		if due.every < time.Second || due.every%time.Second != 0 {
			return wrong("spec", "too_fast", "@every needs whole seconds, at least one")
		}
		if due.every > maxEvery {
			return wrong("spec", "never_fires", "@every can be at most 8784h, a year")
		}
		due.schedule = cron.Every(due.every)
		return due, nil
	}
	parser := cron.NewParser(cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow | cron.Descriptor)
	if due.schedule, err = parser.Parse(spec); err != nil {
		return wrong("spec", "malformed", "give five cron fields (minute hour day month weekday), a name such as @hourly, or @every 10m")
	}
	if fields, ok := due.schedule.(*cron.SpecSchedule); ok {
		fields.Location = location
	}
	if due.Next(now).IsZero() {
		return wrong("spec", "never_fires", "no such day comes up within five years")
	}
	return due, nil
}

// Next returns the first due time after t, in UTC, or the zero time when none follows within five years.
func (d Due) Next(t time.Time) time.Time {
	next := d.schedule.Next(t)
	if next.IsZero() {
		return next
	}
	return next.UTC()
}

// maxSteps bounds how many due times are counted one by one.
const maxSteps = 100_000

// span is a stretch of due times that lie behind.
type span struct {
	first, last time.Time
	before      time.Time // The due time before last; first's own when there is one only.
	next        time.Time // The first that is still to come.
	count       int64     // Exact unless it exceeds maxSteps.
}

// passed says which due times lie behind at now; first is the earliest of them.
func (d Due) passed(first, now time.Time) (span, error) {
	s := span{first: first, last: first, before: first, count: 1}
	if d.every > 0 {
		s.count = int64(now.Sub(first)/d.every) + 1
		s.last = first.Add(time.Duration(s.count-1) * d.every)
		if s.count > 1 {
			s.before = s.last.Add(-d.every)
		}
		s.next = s.last.Add(d.every)
		return s, nil
	}
	for {
		s.next = d.Next(s.last)
		if s.next.IsZero() || !s.next.After(s.last) {
			return s, errors.New("no further due time within five years")
		}
		if s.next.After(now) {
			return s, nil
		}
		s.before, s.last = s.last, s.next
		if s.count++; s.count == maxSteps {
			// What remains is found from the end: cron times lie at least a minute apart.
			for back := time.Hour; now.Add(-back).After(s.last); back *= 2 {
				if near := d.Next(now.Add(-back)); !near.IsZero() && !near.After(now) {
					s.last = near
					break
				}
			}
		}
	}
}

func loadZone(name string) (*time.Location, error) {
	if name == "" || name == "Local" || len(name) > maxZone {
		return nil, errors.New("no name of a zone")
	}
	for i := range len(name) {
		c := name[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && !strings.ContainsRune("_+-/", rune(c)) {
			return nil, errors.New("no name of a zone")
		}
	}
	return time.LoadLocation(name)
}

// fieldsOf returns what an Invalid fault says of fields.
func fieldsOf(err error) []fault.Field {
	if f, ok := errors.AsType[*fault.Fault](err); ok {
		return f.Fields
	}
	return nil
}
