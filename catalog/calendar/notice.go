package calendar

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/shuqiao/shuqiao/internal/fault"
)

// The forms in which notices are exchanged.
const (
	FormHolidayCN   = "holiday_cn"   // One year a file: {"year", "papers", "days": [{"date", "name", "isOffDay"}]}.
	FormChineseDays = "chinese_days" // Many years: {"holidays", "workdays", "inLieuDays"}, dates to "English,中文,days".
)

// The bounds of what is read.
const (
	MinYear, MaxYear = 1990, 2200
	MaxFile          = 1 << 20 // Bytes of a file.
	maxDays          = 120     // Days that one year's notice names.
	maxName          = 40      // Characters of a day's name.
	maxPaper         = 300     // Characters of a document.
)

// Notice is what the State Council General Office announced about one year.
type Notice struct {
	Year      int    `json:"year"`
	Announced bool   `json:"announced"` // false while only single days of the year were entered.
	Document  string `json:"document"`  // Number or address of the announcement.
	Days      []Day  `json:"days"`      // In order. A notice may name days of the neighbouring years.
}

// Day is a day that departs from the week: off, or a weekend day that is worked (调休).
type Day struct {
	Date string `json:"date"` // YYYY-MM-DD
	Off  bool   `json:"off"`
	Name string `json:"name"` // Of the holiday it belongs to.
}

// Parse reads a file of notices in one of the two forms, which it finds out itself, and returns the form and the notices by
// year. Invalid faults say what is wrong with which day, never with its text. Source of the forms: the projects
// NateScarlet/holiday-cn and vsme/chinese-days.
func Parse(raw []byte) (form string, all []Notice, err error) {
	if len(raw) > MaxFile {
		return "", nil, wrong("too_long", "a file of days off has at most 1 MiB")
	}
	if !utf8.Valid(raw) {
		return "", nil, wrong("not_utf8", "the file is not in UTF-8")
	}
	var found map[string]json.RawMessage
	if err := json.Unmarshal(raw, &found); err != nil {
		return "", nil, wrong("not_json", "the file is no JSON object")
	}
	if _, ok := found["holidays"]; ok {
		all, err = parseChineseDays(raw)
		return FormChineseDays, all, err
	}
	if _, ok := found["days"]; ok {
		n, err := parseHolidayCN(raw)
		return FormHolidayCN, []Notice{n}, err
	}
	return "", nil, wrong("unknown_form", `the file has neither "days" (holiday-cn) nor "holidays" (chinese-days)`)
}

func parseHolidayCN(raw []byte) (Notice, error) {
	var file struct {
		Schema string   `json:"$schema"`
		ID     string   `json:"$id"`
		Year   int      `json:"year"`
		Papers []string `json:"papers"`
		Days   []struct {
			Name string `json:"name"`
			Date string `json:"date"`
			Off  *bool  `json:"isOffDay"`
		} `json:"days"`
	}
	if err := strictly(raw, &file); err != nil {
		return Notice{}, err
	}
	n := Notice{Year: file.Year, Announced: true}
	if len(file.Papers) > 0 {
		n.Document = strings.TrimSpace(file.Papers[0])
	}
	for _, d := range file.Days {
		if d.Off == nil {
			return Notice{}, wrong("required", "every day says by isOffDay whether it is off")
		}
		n.Days = append(n.Days, Day{Date: d.Date, Off: *d.Off, Name: strings.TrimSpace(d.Name)})
	}
	return n, n.check()
}

func parseChineseDays(raw []byte) ([]Notice, error) {
	var file struct {
		Holidays map[string]string `json:"holidays"`
		Workdays map[string]string `json:"workdays"`
		InLieu   map[string]string `json:"inLieuDays"` // Some of the holidays again.
	}
	if err := strictly(raw, &file); err != nil {
		return nil, err
	}
	years := map[int]*Notice{}
	add := func(days map[string]string, off bool) error {
		for date, text := range days {
			day, err := time.Parse(time.DateOnly, date)
			if err != nil {
				return wrong("bad_date", "a day is no date of the form YYYY-MM-DD")
			}
			if _, both := file.Holidays[date]; both && !off {
				return wrong("contradicts", "a day is both off and worked")
			}
			parts := strings.Split(text, ",")
			if len(parts) != 3 {
				return wrong("bad_form", "a day is not named by three parts between commas")
			}
			n := years[day.Year()]
			if n == nil {
				n = &Notice{Year: day.Year(), Announced: true}
				years[n.Year] = n
			}
			n.Days = append(n.Days, Day{Date: date, Off: off, Name: strings.TrimSpace(parts[1])})
		}
		return nil
	}
	if err := errors.Join(add(file.Holidays, true), add(file.Workdays, false)); err != nil {
		return nil, err
	}
	var all []Notice
	for _, year := range slices.Sorted(maps.Keys(years)) {
		if err := years[year].check(); err != nil {
			return nil, err
		}
		all = append(all, *years[year])
	}
	if len(all) == 0 {
		return nil, wrong("empty", "the file names no day")
	}
	return all, nil
}

// check puts the days in order and refuses what no notice can say.
func (n *Notice) check() error {
	slices.SortFunc(n.Days, func(a, b Day) int { return strings.Compare(a.Date, b.Date) })
	switch {
	case n.Year < MinYear || n.Year > MaxYear:
		return wrong("out_of_range", "a year lies between 1990 and 2200")
	case len(n.Days) > maxDays:
		return wrong("too_long", "a notice names at most 120 days")
	case !plain(n.Document, maxPaper):
		return wrong("too_long", "a document is named by at most 300 characters in one line")
	case !slices.ContainsFunc(n.Days, func(d Day) bool { return d.Off }):
		return wrong("empty", "the notice names no day off")
	}
	for i, d := range n.Days {
		if err := d.Check(); err != nil {
			return err
		}
		if i > 0 && d.Date == n.Days[i-1].Date {
			return wrong("duplicate", "a day is named twice")
		}
		day, _ := time.Parse(time.DateOnly, d.Date)
		if day.Year() != n.Year && !day.AddDate(0, 1, 0).After(time.Date(n.Year, 1, 1, 0, 0, 0, 0, time.UTC)) ||
			day.After(time.Date(n.Year+1, 1, 31, 0, 0, 0, 0, time.UTC)) {
			return wrong("out_of_range", "a day lies far outside the year of the notice")
		}
	}
	return nil
}

// Check refuses a day that is no date, has a name that cannot be shown, or is said to be made up for on a weekday.
func (d Day) Check() error {
	day, err := time.Parse(time.DateOnly, d.Date)
	switch {
	case err != nil || day.Year() < MinYear || day.Year() > MaxYear:
		return wrong("bad_date", "a day is no date of the form YYYY-MM-DD between 1990 and 2200")
	case d.Name == "" || !plain(d.Name, maxName):
		return wrong("bad_name", "a day is named by 1 to 40 characters in one line")
	case !d.Off && !weekend(day):
		return wrong("not_weekend", "only a Saturday or Sunday can be a make-up working day")
	}
	return nil
}

// plain reports whether a text can be shown in one line of at most so many characters.
func plain(text string, most int) bool {
	return utf8.RuneCountInString(text) <= most && !strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) })
}

// strictly decodes one JSON value and nothing behind it, and refuses names that the form does not have.
func strictly(raw []byte, into any) error {
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		return wrong("bad_form", "the file has a part that its form does not have, or of another type")
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return wrong("bad_form", "the file goes on behind its end")
	}
	return nil
}

func wrong(code, message string) error {
	return fault.InvalidFields([]fault.Field{{Name: "content", Code: code, Message: message}})
}
