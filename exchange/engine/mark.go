package engine

import (
	"math/big"
	"strings"
	"time"

	"github.com/shuqiao/shuqiao/connectors"
)

// marker reads and writes the values of a watermark column: dates, times and numbers. Values beyond them, such as infinity, are
// no marks: rows with them are read whenever the source thinks them high enough.
type marker struct {
	kind   connectors.Kind
	layout string         // Of dates and times.
	zone   *time.Location // In which a time without a zone is taken.
}

// newMarker returns the marker of a kind; ok is false for kinds that cannot be a watermark.
func newMarker(kind connectors.Kind, zone *time.Location) (marker, bool) {
	m := marker{kind: kind, zone: zone}
	switch kind {
	case connectors.Timestamp:
		m.layout, m.zone = "2006-01-02T15:04:05.999999Z07:00", time.UTC
	case connectors.LocalTimestamp:
		m.layout = "2006-01-02T15:04:05.999999"
	case connectors.Date:
		m.layout = time.DateOnly
	case connectors.Integer, connectors.Decimal:
	default:
		return marker{}, false
	}
	return m, true
}

// clocked reports whether marks are dates or times, so that the source's clock can be held against them.
func (m marker) clocked() bool { return m.layout != "" }

func (m marker) time(cell string) (time.Time, bool) {
	t, err := time.ParseInLocation(m.layout, cell, m.zone)
	return t, err == nil
}

func number(cell string) (*big.Rat, bool) {
	if strings.ContainsAny(cell, "/_eExXpP") {
		return nil, false
	}
	return new(big.Rat).SetString(cell)
}

// valid reports whether a cell is a mark.
func (m marker) valid(cell string) bool {
	if m.clocked() {
		_, ok := m.time(cell)
		return ok
	}
	_, ok := number(cell)
	return ok
}

// above reports whether mark a is higher than mark b. Both are valid.
func (m marker) above(a, b string) bool {
	if m.clocked() {
		at, _ := m.time(a)
		bt, _ := m.time(b)
		return at.After(bt)
	}
	an, _ := number(a)
	bn, _ := number(b)
	return an.Cmp(bn) > 0
}

// back returns the mark that lies by so much before a time-like one, and a number as it is. Dates go back by whole days, and at
// least by one: a day is not over when it is read, nor does it begin everywhere at once.
func (m marker) back(mark string, by time.Duration) string {
	if !m.clocked() {
		return mark
	}
	t, _ := m.time(mark)
	if m.kind == connectors.Date {
		const day = 24 * time.Hour
		days := max(int((by+day-1)/day), 1)
		return t.AddDate(0, 0, -days).Format(m.layout)
	}
	return t.Add(-by).Format(m.layout)
}

// at returns the mark of an instant.
func (m marker) at(t time.Time) string { return t.In(m.zone).Format(m.layout) }
