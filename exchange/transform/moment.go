package transform

import (
	"time"
	_ "time/tzdata" // Asia/Shanghai must be known on machines without a zone database.
)

// moment is a date and time as written.
type moment struct {
	year, month, day     int
	hour, minute, second int
	micro                int
	timed                bool // A time of day was written.
	zoned                bool // A zone was written.
	offset               int  // Seconds east of UTC, where zoned.
}

// shanghaiFixedFrom is the first year from which Asia/Shanghai is always UTC+8: summer time ended in 1991.
const shanghaiFixedFrom = 1992

// shanghaiOffset is UTC+8 in seconds.
const shanghaiOffset = 8 * 3600

// shanghai is the zone of times written without one.
func shanghai() (*time.Location, error) { return time.LoadLocation("Asia/Shanghai") }

// parseMoment reads YYYY-MM-DD, YYYY/MM/DD (months and days of one digit allowed) or YYYYMMDD, optionally followed by T or
// a blank and HH:MM[:SS[.fraction]], and YYYYMMDDHHMMSS; then optionally Z or an offset. Digits after the microsecond are
// cut off. reason is empty, ReasonBadDate or ReasonImpossibleDate.
func parseMoment(s []byte) (m moment, reason string) {
	var ok bool
	rest := s
	m.year, rest, ok = digits(rest, 4, 4)
	if !ok || len(rest) == 0 {
		return m, ReasonBadDate
	}
	if separator := rest[0]; separator == '-' || separator == '/' {
		if m.month, rest, ok = digits(rest[1:], 1, 2); !ok || len(rest) == 0 || rest[0] != separator {
			return m, ReasonBadDate
		}
		if m.day, rest, ok = digits(rest[1:], 1, 2); !ok {
			return m, ReasonBadDate
		}
	} else {
		if m.month, rest, ok = digits(rest, 2, 2); !ok {
			return m, ReasonBadDate
		}
		if m.day, rest, ok = digits(rest, 2, 2); !ok {
			return m, ReasonBadDate
		}
		if len(rest) >= 6 && isDigit(rest[0]) {
			m.timed = true
			if m.hour, rest, ok = digits(rest, 2, 2); !ok {
				return m, ReasonBadDate
			}
			if m.minute, rest, ok = digits(rest, 2, 2); !ok {
				return m, ReasonBadDate
			}
			if m.second, rest, ok = digits(rest, 2, 2); !ok {
				return m, ReasonBadDate
			}
		}
	}
	if !m.timed && len(rest) > 1 && (rest[0] == 'T' || rest[0] == ' ' || rest[0] == 't') {
		if rest, ok = m.clock(rest[1:]); !ok {
			return m, ReasonBadDate
		}
	}
	if m.timed && len(rest) > 0 {
		if rest, ok = m.zone(rest); !ok {
			return m, ReasonBadDate
		}
	}
	if len(rest) > 0 {
		return m, ReasonBadDate
	}
	if m.year < 1 || m.month < 1 || m.month > 12 || m.day < 1 || m.day > daysIn(m.year, m.month) ||
		m.hour > 23 || m.minute > 59 || m.second > 59 {
		return m, ReasonImpossibleDate
	}
	return m, ""
}

// clock reads HH:MM[:SS[.fraction]].
func (m *moment) clock(s []byte) (rest []byte, ok bool) {
	m.timed = true
	if m.hour, s, ok = digits(s, 1, 2); !ok || len(s) == 0 || s[0] != ':' {
		return nil, false
	}
	if m.minute, s, ok = digits(s[1:], 2, 2); !ok {
		return nil, false
	}
	if len(s) == 0 || s[0] != ':' {
		return s, true
	}
	if m.second, s, ok = digits(s[1:], 2, 2); !ok {
		return nil, false
	}
	if len(s) == 0 || s[0] != '.' {
		return s, true
	}
	s = s[1:]
	n := 0
	for ; n < len(s) && isDigit(s[n]); n++ {
		if n < 6 {
			m.micro = m.micro*10 + int(s[n]-'0')
		}
	}
	for i := n; i < 6; i++ {
		m.micro *= 10
	}
	return s[n:], n > 0
}

// zone reads Z or ±HH[[:]MM[:SS]], a blank before it allowed.
func (m *moment) zone(s []byte) (rest []byte, ok bool) {
	if s[0] == ' ' {
		s = s[1:]
	}
	if len(s) == 0 {
		return nil, false
	}
	m.zoned = true
	if s[0] == 'Z' || s[0] == 'z' {
		return s[1:], true
	}
	if s[0] != '+' && s[0] != '-' {
		return nil, false
	}
	sign := 1
	if s[0] == '-' {
		sign = -1
	}
	var hours, minutes, seconds int
	if hours, s, ok = digits(s[1:], 2, 2); !ok {
		return nil, false
	}
	if len(s) > 0 && s[0] == ':' {
		s = s[1:]
		if len(s) == 0 {
			return nil, false
		}
	}
	if len(s) > 0 {
		if minutes, s, ok = digits(s, 2, 2); !ok {
			return nil, false
		}
	}
	if len(s) > 0 && s[0] == ':' {
		if seconds, s, ok = digits(s[1:], 2, 2); !ok {
			return nil, false
		}
	}
	m.offset = sign * (hours*3600 + minutes*60 + seconds)
	return s, hours <= 15 && minutes <= 59 && seconds <= 59
}

// instant returns seconds since 1970-01-01 UTC.
func (m *moment) instant(local *time.Location) int64 {
	seconds := daysFromCivil(m.year, m.month, m.day)*86400 + int64(m.hour*3600+m.minute*60+m.second)
	switch {
	case m.zoned:
		return seconds - int64(m.offset)
	case m.year >= shanghaiFixedFrom:
		return seconds - shanghaiOffset
	}
	return time.Date(m.year, time.Month(m.month), m.day, m.hour, m.minute, m.second, 0, local).Unix()
}

// date converts to D: the day as written, or for values with a zone the day in Asia/Shanghai at that instant.
func (r *Row) date(p *itemPlan, in []byte) ([]byte, string) {
	m, reason := parseMoment(in)
	if reason != "" {
		return nil, reason
	}
	if p.kind == KindTimestamp || m.zoned {
		m.zoned = true
		seconds := m.instant(p.local)
		if m.year >= shanghaiFixedFrom {
			seconds += shanghaiOffset
		} else {
			_, offset := time.Unix(seconds, 0).In(p.local).Zone()
			seconds += int64(offset)
		}
		m.year, m.month, m.day = civilFromDays(floorDiv(seconds, 86400))
		if m.year < 1 || m.year > 9999 {
			return nil, ReasonOutOfRange
		}
	} else if len(in) == 10 && in[4] == '-' && in[7] == '-' {
		return in, ""
	}
	start := len(r.arena)
	r.arena = appendDate(r.arena, m.year, m.month, m.day)
	return r.since(start), ""
}

// time converts to T.
func (r *Row) time(p *itemPlan, in []byte) ([]byte, string) {
	m, reason := parseMoment(in)
	if reason != "" {
		return nil, reason
	}
	if p.kind == KindTimestamp {
		m.zoned = true
	}
	seconds := m.instant(p.local)
	days := floorDiv(seconds, 86400)
	year, month, day := civilFromDays(days)
	if year < 1 || year > 9999 {
		return nil, ReasonOutOfRange
	}
	clock := int(seconds - days*86400)
	start := len(r.arena)
	a := appendDate(r.arena, year, month, day)
	a = append(a, 'T', digit(clock/36000), digit(clock/3600), ':', digit(clock/600%6), digit(clock/60), ':', digit(clock/10%6), digit(clock))
	if m.micro > 0 {
		a = append(a, '.')
		for scale, left := 100000, m.micro; left > 0; scale /= 10 {
			a = append(a, digit(left/scale))
			left %= scale
		}
	}
	r.arena = append(a, 'Z')
	return r.since(start), ""
}

func appendDate(dst []byte, year, month, day int) []byte {
	return append(dst, digit(year/1000), digit(year/100), digit(year/10), digit(year), '-',
		digit(month/10), digit(month), '-', digit(day/10), digit(day))
}

func digit(n int) byte { return byte('0' + n%10) }

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// digits reads between atLeast and atMost digits.
func digits(s []byte, atLeast, atMost int) (n int, rest []byte, ok bool) {
	i := 0
	for ; i < len(s) && i < atMost && isDigit(s[i]); i++ {
		n = n*10 + int(s[i]-'0')
	}
	return n, s[i:], i >= atLeast
}

func daysIn(year, month int) int {
	switch month {
	case 4, 6, 9, 11:
		return 30
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	}
	return 31
}

// daysFromCivil counts days from 1970-01-01 in the proleptic Gregorian calendar (years counted from March, so that the
// leap day is the last of its year).
func daysFromCivil(year, month, day int) int64 {
	if month <= 2 {
		year--
	}
	era := floorDiv(int64(year), 400)
	yearOfEra := int64(year) - era*400
	dayOfYear := int64((153*((month+9)%12)+2)/5 + day - 1)
	return era*146097 + yearOfEra*365 + yearOfEra/4 - yearOfEra/100 + dayOfYear - 719468
}

// civilFromDays is the inverse of daysFromCivil.
func civilFromDays(days int64) (year, month, day int) {
	days += 719468
	era := floorDiv(days, 146097)
	dayOfEra := days - era*146097
	yearOfEra := (dayOfEra - dayOfEra/1460 + dayOfEra/36524 - dayOfEra/146096) / 365
	dayOfYear := dayOfEra - (365*yearOfEra + yearOfEra/4 - yearOfEra/100)
	shifted := (5*dayOfYear + 2) / 153
	day = int(dayOfYear-(153*shifted+2)/5) + 1
	month = int((shifted+2)%12) + 1
	year = int(yearOfEra + era*400)
	if month <= 2 {
		year++
	}
	return year, month, day
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}
