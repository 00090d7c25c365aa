package calendar_test

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/shuqiao/shuqiao/catalog/calendar"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// chineseDays says of January and February 2031 what no notice says, in the other form.
const chineseDays = `{"holidays":{"2031-01-01":"New Year's Day,元旦,1","2031-01-23":"Spring Festival,春节,4"},
	"workdays":{"2031-01-18":"Spring Festival,春节,4"},"inLieuDays":{"2031-01-23":"Spring Festival,春节,4"}}`

func TestParse(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("data/2026.json")
	if err != nil {
		t.Fatal(err)
	}
	form, all, err := calendar.Parse(raw)
	if err != nil || form != calendar.FormHolidayCN || len(all) != 1 || all[0].Year != 2026 || len(all[0].Days) != 39 || !strings.HasPrefix(all[0].Document, "https://www.gov.cn/") {
		t.Errorf("holiday-cn: got %s, %+v, %v", form, all, err)
	}
	form, all, err = calendar.Parse([]byte(chineseDays))
	want := []calendar.Notice{{Year: 2031, Announced: true, Days: []calendar.Day{
		{Date: "2031-01-01", Off: true, Name: "元旦"}, {Date: "2031-01-18", Name: "春节"}, {Date: "2031-01-23", Off: true, Name: "春节"},
	}}}
	if diff := cmp.Diff(want, all); err != nil || form != calendar.FormChineseDays || diff != "" {
		t.Errorf("chinese-days: got %s, %v\n%s", form, err, diff)
	}
}

// What no notice can say is refused by a code, and no part of it is repeated.
func TestParseRefuses(t *testing.T) {
	t.Parallel()
	file := func(year, days string) string { return `{"year":` + year + `,"papers":[],"days":[` + days + `]}` }
	day := func(date, off string) string {
		return `{"name":"SECRET","date":"` + date + `","isOffDay":` + off + `}`
	}
	for name, c := range map[string]struct{ raw, code string }{
		"no JSON":                {"SECRET", "not_json"},
		"a list":                 {"[]", "not_json"},
		"another object":         {`{"SECRET":1}`, "unknown_form"},
		"not UTF-8":              {"{\"\xff\":1}", "not_utf8"},
		"too long":               {strings.Repeat(" ", calendar.MaxFile+1), "too_long"},
		"no day":                 {file("2031", ""), "empty"},
		"a part too much":        {`{"year":2031,"days":[],"SECRET":1}`, "bad_form"},
		"a year as text":         {file(`"2031"`, ""), "bad_form"},
		"a year too early":       {file("1789", day("1789-07-14", "true")), "out_of_range"},
		"no date":                {file("2031", day("2031-02-30", "true")), "bad_date"},
		"a date of another form": {file("2031", day("2031-1-1", "true")), "bad_date"},
		"a day twice":            {file("2031", day("2031-01-01", "true")+","+day("2031-01-01", "true")), "duplicate"},
		"work on a Wednesday":    {file("2031", day("2031-01-01", "false")+","+day("2031-01-02", "true")), "not_weekend"},
		"work only":              {file("2031", day("2031-01-04", "false")), "empty"},
		"a day of another year":  {file("2031", day("2033-01-01", "true")), "out_of_range"},
		"a day long before":      {file("2031", day("2030-11-01", "true")), "out_of_range"},
		"a line break in a name": {file("2031", `{"name":"a\nb","date":"2031-01-01","isOffDay":true}`), "bad_name"},
		"off or not":             {file("2031", `{"name":"a","date":"2031-01-01"}`), "required"},
		"off and worked":         {`{"holidays":{"2031-01-04":"a,b,1"},"workdays":{"2031-01-04":"a,b,1"},"inLieuDays":{}}`, "contradicts"},
		"a name in two parts":    {`{"holidays":{"2031-01-04":"SECRET,1"},"workdays":{}}`, "bad_form"},
		"no date as a name":      {`{"holidays":{"SECRET":"a,b,1"},"workdays":{}}`, "bad_date"},
		"two values":             {chineseDays + chineseDays, "not_json"},
	} {
		_, _, err := calendar.Parse([]byte(c.raw))
		var f *fault.Fault
		if !errors.As(err, &f) || f.Kind != fault.Invalid || len(f.Fields) != 1 || f.Fields[0].Code != c.code {
			t.Errorf("%s: got %v, want %s", name, err, c.code)
		}
		if err != nil && strings.Contains(err.Error(), "SECRET") {
			t.Errorf("%s: the message repeats the file: %v", name, err)
		}
	}
}

// A day that a neighbouring year's notice names is as the later notice says, and what was only entered leaves the year provisional.
func TestBuild(t *testing.T) {
	t.Parallel()
	c, err := calendar.Build(7, []calendar.Notice{
		{Year: 2030, Announced: true, Days: []calendar.Day{{Date: "2030-12-31", Off: false, Name: "a"}}},
		{Year: 2031, Announced: true, Days: []calendar.Day{{Date: "2030-12-31", Off: true, Name: "元旦"}}},
		{Year: 2032, Days: []calendar.Day{{Date: "2032-01-01", Off: true, Name: "元旦"}}},
	})
	if err != nil || c.Version() != 7 {
		t.Fatalf("got version %d, %v", c.Version(), err)
	}
	if working, known := c.Working(at(t, c, "2030-12-31 12:00:00")); working || !known {
		t.Errorf("31 December: working %v, known %v", working, known)
	}
	if due, provisional := c.Due(at(t, c, "2031-12-31 12:00:00"), 1); due.Format(time.DateOnly) != "2032-01-02" || !provisional {
		t.Errorf("after a day that was entered: %v, provisional %v", due, provisional)
	}
}

// A term tells why each day of it is not counted, and which weekend days are.
func TestTerm(t *testing.T) {
	t.Parallel()
	c := newCalendar(t)
	got := c.Term(at(t, c, "2026-05-07 09:00:00"), 3)
	want := calendar.Term{
		Due: at(t, c, "2026-05-11 23:59:59"), Skipped: []calendar.Skip{{Date: "2026-05-10", Reason: calendar.SkippedWeekend}},
		MakeUp: []calendar.Skip{{Date: "2026-05-09", Name: "劳动节"}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := c.Term(at(t, c, "2026-05-07 09:00:00"), calendar.MaxTerm+100000); len(got.Skipped) > calendar.MaxTerm {
		t.Errorf("a term without an end passes over %d days", len(got.Skipped))
	}
}

// Whatever is in a file, it is refused, or gives notices that are in order and make a calendar.
func FuzzParse(f *testing.F) {
	raw, err := os.ReadFile("data/2024.json")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	f.Add([]byte(chineseDays))
	f.Add([]byte(`{"year":2031,"days":[{"name":"a","date":"2031-01-01","isOffDay":true}]}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		_, all, err := calendar.Parse(raw)
		if err != nil {
			if fault.KindOf(err) != fault.Invalid {
				t.Fatalf("refused by %v", err)
			}
			return
		}
		for i, n := range all {
			if i > 0 && n.Year <= all[i-1].Year || len(n.Days) == 0 {
				t.Fatalf("notices out of order, or empty: %+v", all)
			}
			for j, d := range n.Days {
				if d.Check() != nil || j > 0 && d.Date <= n.Days[j-1].Date {
					t.Fatalf("a day that cannot be: %+v", d)
				}
			}
		}
		if _, err := calendar.Build(1, all); err != nil {
			t.Fatal(err)
		}
	})
}
