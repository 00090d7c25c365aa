package catalog_test

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/authz/authztest"
	"github.com/shuqiao/shuqiao/catalog"
	"github.com/shuqiao/shuqiao/catalog/calendar"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// days2027 is what no announcement says of 2027.
const days2027 = `{"year":2027,"papers":["示例文件"],"days":[{"name":"元旦","date":"2027-01-01","isOffDay":true},
	{"name":"元旦","date":"2027-01-03","isOffDay":false},{"name":"元旦","date":"2026-12-31","isOffDay":true}]}`

// The database begins with the announcements that the program holds.
func TestCalendarSeed(t *testing.T) {
	t.Parallel()
	b := setup(t)
	embedded, err := calendar.New()
	if err != nil {
		t.Fatal(err)
	}
	years, err := b.service.CalendarYears(b.ctx, b.operator)
	if err != nil || len(years) != 3 || years[0].Year != 2026 {
		t.Fatalf("years: %+v, %v", years, err)
	}
	for _, y := range years {
		got, err := b.service.CalendarYear(b.ctx, b.operator, y.Year)
		if diff := cmp.Diff(embedded.Days(y.Year), got.Days); err != nil || diff != "" || !got.Announced || got.WorkingDays != embedded.WorkingDays(y.Year) {
			t.Errorf("%d: %v (-program +database)\n%s", y.Year, err, diff)
		}
	}
}

// The platform operator enters, confirms and imports years; terms follow at once, and who keeps due dates hears of each change.
func TestCalendarChanges(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var heard []string
	b.service.OnCalendar(func(_ context.Context, _ *db.Tx, c *calendar.Calendar, from time.Time) (int, error) {
		heard = append(heard, from.Format(time.DateOnly))
		return 2, nil
	})
	due := func(from string, days int, want string, provisional bool) {
		t.Helper()
		got, err := b.service.DueDate(b.ctx, b.operator, from, days)
		if err != nil || got.Due.Format(time.DateOnly) != want || got.Provisional != provisional {
			t.Errorf("%s + %d: got %v, provisional %v, %v; want %s, %v", from, days, got.Due, got.Provisional, err, want, provisional)
		}
	}
	check := func(change catalog.CalendarChange, err error, year int) {
		t.Helper()
		if diff := cmp.Diff(catalog.CalendarChange{Years: []int{year}, Moved: 2}, change); err != nil || diff != "" {
			t.Errorf("%v\n%s", err, diff)
		}
	}
	due("2026-12-30", 2, "2027-01-01", true)
	if year, missing, err := b.service.NextYearMissing(b.ctx, b.platform); year != 2027 || !missing || err != nil {
		t.Errorf("in November: %d, %v, %v", year, missing, err)
	}
	_, err := b.service.AnnounceYear(b.ctx, b.platform, 2027, "示例文件")
	wantCode(t, err, fault.Conflict, "no_days_off")
	change, err := b.service.SetCalendarDay(b.ctx, b.platform, "2027-01-01", catalog.DayOff, "元旦")
	check(change, err, 2027)
	due("2026-12-30", 2, "2027-01-04", true)
	change, err = b.service.AnnounceYear(b.ctx, b.platform, 2027, "示例文件")
	check(change, err, 2027)
	due("2026-12-30", 2, "2027-01-04", false)
	change, err = b.service.ImportCalendar(b.ctx, b.platform, 0, "", []byte(days2027))
	check(change, err, 2027)
	due("2026-12-30", 2, "2027-01-04", false)
	due("2026-12-30", 1, "2027-01-03", false) // The year's last day is off, a Sunday is worked.
	y, err := b.service.CalendarYear(b.ctx, b.auditor(), 2027)
	if err != nil || y.Document != "示例文件" || y.Form != calendar.FormHolidayCN || y.ChangedBy != b.platform.ID || len(y.Days) != 2 {
		t.Errorf("the year: %+v, %v", y, err)
	}
	if _, missing, err := b.service.NextYearMissing(b.ctx, b.platform); missing || err != nil {
		t.Errorf("announced, and yet missing: %v, %v", missing, err)
	}
	change, err = b.service.SetCalendarDay(b.ctx, b.platform, "2026-12-31", catalog.DayWeek, "")
	check(change, err, 2026)
	due("2026-12-30", 1, "2026-12-31", false)
	// What 2026 says again does not take back what 2027 said of its last days.
	raw, err := os.ReadFile("calendar/data/2026.json")
	if err != nil {
		t.Fatal(err)
	}
	change, err = b.service.ImportCalendar(b.ctx, b.platform, 2026, "再次导入", raw)
	check(change, err, 2026)
	due("2026-09-24", 10, "2026-10-15", false)
	if want := []string{"2026-12-31", "2026-12-31", "2026-12-30", "2026-12-30", "2025-12-31"}; !cmp.Equal(heard, want) {
		t.Errorf("due dates were counted again from %v, want %v", heard, want)
	}
	// A second node holds what the first one changed as soon as it looks.
	other, err := catalog.New(catalog.Options{DB: b.db, Enforcer: b.node.Enforcer})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := other.DueDate(b.ctx, b.operator, "2026-12-31", 1); err != nil || got.Due.Format(time.DateOnly) != "2027-01-03" {
		t.Errorf("another node: %+v, %v", got, err)
	}
}

func (b *testBundle) auditor() authz.Principal { return authztest.Person(b.police.ID, authz.Auditor) }

// Nobody else changes the calendar, and what cannot be is refused without a trace.
func TestCalendarRefuses(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, p := range []authz.Principal{b.operator, b.admin, b.system, b.auditor()} {
		_, err := b.service.SetCalendarDay(b.ctx, p, "2027-01-01", catalog.DayOff, "元旦")
		wantCode(t, err, fault.Forbidden, "forbidden")
		_, err = b.service.AnnounceYear(b.ctx, p, 2027, "x")
		wantCode(t, err, fault.Forbidden, "forbidden")
		_, err = b.service.ImportCalendar(b.ctx, p, 0, "", []byte(days2027))
		wantCode(t, err, fault.Forbidden, "forbidden")
	}
	for name, c := range map[string]struct{ date, kind, name string }{
		"no date": {"2027-02-30", "off", "x"}, "a far date": {"9999-01-01", "off", "x"}, "no kind": {"2027-01-01", "", "x"},
		"work on a Friday": {"2027-01-01", "work", "x"}, "no name": {"2027-01-01", "off", " "}, "a name of two lines": {"2027-01-01", "off", "a\nb"},
	} {
		if _, err := b.service.SetCalendarDay(b.ctx, b.platform, c.date, c.kind, c.name); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%s: got %v", name, err)
		}
	}
	for _, year := range []int{1, 1989, 2201} {
		if _, err := b.service.AnnounceYear(b.ctx, b.platform, year, "x"); fault.KindOf(err) != fault.Invalid {
			t.Errorf("the year %d: got %v", year, err)
		}
	}
	for _, document := range []string{"a\x00b", string(make([]rune, 2000))} {
		if _, err := b.service.ImportCalendar(b.ctx, b.platform, 0, document, []byte(days2027)); fault.KindOf(err) != fault.Invalid {
			t.Errorf("a document %.10q: got %v", document, err)
		}
	}
	if _, err := b.service.ImportCalendar(b.ctx, b.platform, 2030, "", []byte(days2027)); fault.KindOf(err) != fault.Invalid {
		t.Errorf("a year that is not in the file: got %v", err)
	}
	if _, err := b.service.DueDate(b.ctx, b.operator, "2026-01-01", calendar.MaxTerm+1); fault.KindOf(err) != fault.Invalid {
		t.Errorf("a term without end: got %v", err)
	}
	years, err := b.service.CalendarYears(b.ctx, b.operator)
	if err != nil || len(years) != 3 {
		t.Errorf("refused, and yet %+v, %v", years, err)
	}
}
