package console

import (
	"strconv"
	"strings"
	"time"
)

// formats writes values as readers of one language expect them, in the hub's time zone.
type formats struct {
	zone *time.Location
}

// moment writes a time to the minute, and "" for none.
func (f formats) moment(t any) string { return f.written(t, "2006-01-02 15:04") }

// second writes a time to the second, and "" for none.
func (f formats) second(t any) string { return f.written(t, "2006-01-02 15:04:05") }

// day writes a date, and "" for none.
func (f formats) day(t any) string { return f.written(t, time.DateOnly) }

func (f formats) written(v any, layout string) string {
	switch t := v.(type) {
	case time.Time:
		if !t.IsZero() {
			return t.In(f.zone).Format(layout)
		}
	case *time.Time:
		if t != nil && !t.IsZero() {
			return t.In(f.zone).Format(layout)
		}
	}
	return ""
}

// count writes a whole number with thousands separated.
func count(n any) string {
	var digits string
	switch v := n.(type) {
	case int:
		digits = strconv.Itoa(v)
	case int64:
		digits = strconv.FormatInt(v, 10)
	default:
		return ""
	}
	sign := ""
	if strings.HasPrefix(digits, "-") {
		sign, digits = "-", digits[1:]
	}
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return sign + digits
}

// took writes how long something lasted in seconds, more exactly the shorter it was, and "" while it lasts.
func took(from, to *time.Time) string {
	if from == nil || to == nil {
		return ""
	}
	seconds := to.Sub(*from).Seconds()
	decimals := 0
	switch {
	case seconds < 1:
		decimals = 2
	case seconds < 60:
		decimals = 1
	}
	return strconv.FormatFloat(seconds, 'f', decimals, 64) + " s"
}
