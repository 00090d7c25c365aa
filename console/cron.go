package console

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// cronNames are the schedules that have names.
var cronNames = map[string]string{
	"@hourly": "0 * * * *", "@daily": "0 0 * * *", "@midnight": "0 0 * * *", "@weekly": "0 0 * * 0", "@monthly": "0 0 1 * *",
	"@yearly": "0 0 1 1 *", "@annually": "0 0 1 1 *",
}

// The names that months and days of the week have in a schedule.
var (
	monthNames = []string{"", "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"}
	dayNames   = []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}
)

// maxTimes bounds the times of a day that are listed one by one.
const maxTimes = 12

// cron says a schedule in words: when in the day, and on which days. What cannot be said shortly is shown as it is written.
func (m messages) cron(spec string) string {
	rest, zone := strings.TrimSpace(spec), ""
	for _, sign := range []string{"CRON_TZ=", "TZ="} {
		if after, ok := strings.CutPrefix(rest, sign); ok {
			zone, rest, _ = strings.Cut(after, " ")
			break
		}
	}
	said := m.cronRest(strings.TrimSpace(rest))
	if said == "" {
		return spec
	}
	if zone != "" {
		said = m.say("cron.zone", "said", said, "zone", zone)
	}
	return said
}

// cronRest says a schedule without its zone, "" where it has no short words.
func (m messages) cronRest(spec string) string {
	if every, ok := strings.CutPrefix(spec, "@every "); ok {
		d, err := time.ParseDuration(strings.TrimSpace(every))
		if err != nil {
			return ""
		}
		return m.say("cron.every", "every", m.lasting(d))
	}
	if named, ok := cronNames[spec]; ok {
		spec = named
	}
	fields := strings.Fields(spec)
	if len(fields) != 5 {
		return ""
	}
	when, exact := m.cronTimes(fields[0], fields[1])
	days := m.cronDays(fields[2], fields[3], fields[4])
	switch {
	case when == "" || days == "":
		return ""
	case days == everyDay && exact:
		return m.say("cron.daily", "at", when)
	case days == everyDay:
		return when
	case exact:
		return m.say("cron.days_at", "days", days, "at", when)
	}
	return m.say("cron.days_every", "days", days, "every", when)
}

// everyDay stands for a schedule that leaves out no day.
const everyDay = "*"

// cronTimes says when in the day. exact is true for a list of times, false for something that is repeated.
func (m messages) cronTimes(minute, hour string) (said string, exact bool) {
	all := func(f string) bool { return f == "*" || f == "?" || f == "*/1" }
	step, stepped := strings.CutPrefix(minute, "*/")
	hourStep, hourStepped := strings.CutPrefix(hour, "*/")
	minutes, ok := cronList(minute, 0, 59, nil)
	hours, hoursOK := cronList(hour, 0, 23, nil)
	if !ok || !hoursOK {
		return "", false
	}
	repeat := ""
	switch {
	case all(minute):
		repeat = m.say("cron.minute")
	case stepped:
		repeat = m.say("cron.minutes", "n", step)
	}
	switch {
	case repeat != "" && all(hour):
		return repeat, false
	case repeat != "" && unbroken(hours):
		return m.say("cron.between", "every", repeat, "from", fmt.Sprintf("%02d:00", hours[0]), "to", fmt.Sprintf("%02d:59", hours[len(hours)-1])), false
	case repeat != "" || len(minutes) > maxTimes:
		return "", false
	case all(hour):
		return m.say("cron.hourly", "minute", m.numbers(minutes)), false
	case hourStepped && hourStep != "1" && len(minutes) == 1:
		return m.say("cron.hours", "n", hourStep, "minute", minutes[0]), false
	case len(hours)*len(minutes) > maxTimes:
		return "", false
	}
	var times []string
	for _, h := range hours {
		for _, min := range minutes {
			times = append(times, fmt.Sprintf("%02d:%02d", h, min))
		}
	}
	return strings.Join(times, m.say("cron.comma")), true
}

// cronDays says on which days: everyDay for all of them, "" where there are no short words. A day of the month and a day of the
// week both count where both are stated: that is how schedules are read.
func (m messages) cronDays(day, month, week string) string {
	days, ok := cronList(day, 1, 31, nil)
	months, monthsOK := cronList(month, 1, 12, monthNames)
	weekdays, weekOK := cronList(strings.ReplaceAll(week, "7", "0"), 0, 6, dayNames)
	if !ok || !monthsOK || !weekOK || strings.Contains(week, "7") && strings.Contains(week, "-") {
		return ""
	}
	anyDay, anyWeek := len(days) == 31, len(weekdays) == 7
	var parts []string
	if !anyDay {
		if len(days) > maxTimes && !unbroken(days) {
			return ""
		}
		key := "cron.month_days"
		if len(months) < 12 {
			key = "cron.days_of"
		}
		parts = append(parts, m.say(key, "days", m.spans(days, m.numbers)))
	}
	if !anyWeek {
		// The week begins on Monday for people.
		at := slices.Index(weekdays, 0)
		if at == 0 {
			weekdays = append(weekdays[1:], 7)
		}
		parts = append(parts, m.say("cron.week_days", "days", m.spans(weekdays, m.weekdays)))
	}
	said := strings.Join(parts, m.say("cron.or"))
	switch {
	case len(months) == 12 && said == "":
		return everyDay
	case len(months) == 12:
		return said
	case said == "":
		said = m.say("cron.every_day")
	}
	return m.say("cron.in_months", "months", m.spans(months, m.months), "days", said)
}

// spans says numbers in their order, three and more in a row as a stretch.
func (m messages) spans(all []int, say func([]int) string) string {
	if len(all) > 2 && unbroken(all) {
		return m.say("cron.span", "from", say(all[:1]), "to", say(all[len(all)-1:]))
	}
	return say(all)
}

func (m messages) numbers(all []int) string { return m.each(all, strconv.Itoa) }

func (m messages) months(all []int) string {
	return m.each(all, func(n int) string { return m.say("month." + strconv.Itoa(n)) })
}

func (m messages) weekdays(all []int) string {
	return m.each(all, func(n int) string { return m.say("weekday." + strconv.Itoa(n)) })
}

func (m messages) each(all []int, say func(int) string) string {
	out := make([]string, len(all))
	for i, n := range all {
		out[i] = say(n)
	}
	return strings.Join(out, m.say("cron.comma"))
}

func unbroken(all []int) bool { return len(all) > 0 && all[len(all)-1]-all[0] == len(all)-1 }

// cronList reads one field of a schedule into its numbers in their order; names, when not nil, are what numbers may be called.
func cronList(field string, least, most int, names []string) ([]int, bool) {
	set := map[int]bool{}
	number := func(s string) (int, bool) {
		if at := slices.Index(names, strings.ToLower(s)); at >= 0 && s != "" {
			return at, true
		}
		n, err := strconv.Atoi(s)
		return n, err == nil && n >= least && n <= most
	}
	for part := range strings.SplitSeq(field, ",") {
		span, by, stepped := strings.Cut(part, "/")
		step, from, to := 1, least, most
		if stepped {
			n, err := strconv.Atoi(by)
			if err != nil || n < 1 {
				return nil, false
			}
			step = n
		}
		if span != "*" && span != "?" {
			first, last, ranged := strings.Cut(span, "-")
			var ok, lastOK bool
			if from, ok = number(first); !ok {
				return nil, false
			}
			switch {
			case ranged:
				if to, lastOK = number(last); !lastOK || to < from {
					return nil, false
				}
			case !stepped:
				to = from
			}
		}
		for n := from; n <= to; n += step {
			set[n] = true
		}
	}
	out := make([]int, 0, len(set))
	for n := range set {
		out = append(out, n)
	}
	slices.Sort(out)
	return out, len(out) > 0
}

// lasting says how long something is, in its two largest units.
func (m messages) lasting(d time.Duration) string {
	d = d.Round(time.Second)
	if d <= 0 {
		return m.say("lasting.seconds", "n", 0)
	}
	var parts []string
	for _, unit := range []struct {
		key  string
		size time.Duration
	}{{"days", 24 * time.Hour}, {"hours", time.Hour}, {"minutes", time.Minute}, {"seconds", time.Second}} {
		n := d / unit.size
		if d -= n * unit.size; n > 0 && len(parts) < 2 {
			key := "lasting." + unit.key
			if n == 1 {
				key += "_one"
			}
			parts = append(parts, m.say(key, "n", int64(n)))
		} else if len(parts) > 0 {
			break
		}
	}
	return strings.Join(parts, " ")
}
