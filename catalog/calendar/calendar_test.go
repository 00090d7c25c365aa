package calendar_test

import (
	"testing"
	"time"

	"github.com/shuqiao/shuqiao/catalog/calendar"
)

func newCalendar(t testing.TB) *calendar.Calendar {
	t.Helper()
	c, err := calendar.New()
	if err != nil {
		t.Fatalf("reading the calendar: %v", err)
	}
	return c
}

func at(t testing.TB, c *calendar.Calendar, moment string) time.Time {
	t.Helper()
	got, err := time.ParseInLocation("2006-01-02 15:04:05", moment, c.Zone())
	if err != nil {
		t.Fatalf("reading the moment %q: %v", moment, err)
	}
	return got
}

// A limit of n working days ends with the last second of the n-th day that is worked after the day it starts.
func TestDue(t *testing.T) {
	t.Parallel()
	c := newCalendar(t)
	for _, tt := range []struct {
		start string
		days  int
		want  string
	}{
		{"2026-02-13", 1, "2026-02-14"}, // A Saturday that is worked.
		{"2026-02-13", 10, "2026-03-05"},
		{"2026-02-13", 20, "2026-03-19"},
		{"2026-09-18", 2, "2026-09-21"},
		{"2026-09-24", 10, "2026-10-15"},
		{"2026-09-30", 1, "2026-10-08"},
		{"2026-09-30", 20, "2026-11-03"},
		{"2026-10-03", 1, "2026-10-08"},
		{"2026-04-30", 10, "2026-05-18"},
		{"2025-01-24", 1, "2025-01-26"}, // A Sunday that is worked.
		{"2025-01-24", 10, "2025-02-13"},
		{"2025-09-26", 10, "2025-10-16"},
	} {
		for _, clock := range []string{" 00:00:00", " 09:30:00", " 23:59:59"} {
			got, provisional := c.Due(at(t, c, tt.start+clock), tt.days)
			if want := at(t, c, tt.want+" 23:59:59"); !got.Equal(want) || provisional {
				t.Errorf("%s + %d: got %v (provisional %v), want %v", tt.start+clock, tt.days, got, provisional, want)
			}
		}
	}
}

// The day of start is the day in Shanghai, whatever zone the time is written in.
func TestDueAcrossZones(t *testing.T) {
	t.Parallel()
	c := newCalendar(t)
	// 16:00 UTC is midnight in Shanghai: the limit starts on the 25th, a day off.
	got, _ := c.Due(time.Date(2026, 9, 24, 16, 0, 0, 0, time.UTC), 1)
	if want := at(t, c, "2026-09-28 23:59:59"); !got.Equal(want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// Days in a year without a notice follow the week and are marked as provisional, also when only the end lies there.
func TestDueWithoutNotice(t *testing.T) {
	t.Parallel()
	c := newCalendar(t)
	for _, tt := range []struct {
		start       string
		days        int
		want        string
		provisional bool
	}{
		{"2026-12-30", 1, "2026-12-31", false},
		{"2026-12-30", 2, "2027-01-01", true},
		{"2031-01-01", 3, "2031-01-06", true},
		{"2026-12-31", 0, "2026-12-31", false},
	} {
		got, provisional := c.Due(at(t, c, tt.start+" 10:00:00"), tt.days)
		if want := at(t, c, tt.want+" 23:59:59"); !got.Equal(want) || provisional != tt.provisional {
			t.Errorf("%s + %d: got %v (provisional %v), want %v (%v)", tt.start, tt.days, got, provisional, want, tt.provisional)
		}
	}
}

// The years of the notices have as many working days as were counted by hand from them.
func TestWorkingDaysInAYear(t *testing.T) {
	t.Parallel()
	c := newCalendar(t)
	for year, want := range map[int]int{2025: 248, 2026: 248} {
		got := 0
		for day := time.Date(year, 1, 1, 12, 0, 0, 0, c.Zone()); day.Year() == year; day = day.AddDate(0, 0, 1) {
			working, known := c.Working(day)
			if !known {
				t.Fatalf("%v is not covered by a notice", day)
			}
			if working {
				got++
			}
		}
		if got != want {
			t.Errorf("%d: got %d working days, want %d", year, got, want)
		}
	}
}
