package reverse

import (
	"hash/maphash"
	"regexp"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/shuqiao/shuqiao/catalog/codes"
	"github.com/shuqiao/shuqiao/catalog/mask"
	"github.com/shuqiao/shuqiao/connectors"
)

// Sample counts how the values of a table look. It keeps no value: only counts, lengths, and salted hashes by which equal
// values are told apart until the sample is dropped.
type Sample struct {
	rows    int
	asOf    time.Time
	seed    maphash.Seed
	asked   []asked
	names   []string // The columns of the batches, in their order.
	columns []*columnSample
}

// asked is one question that is put to values: a validator, a form or a code list.
type asked struct {
	name string
	list bool
	is   func(value string) bool // Given the normalised value.
}

// columnSample is what is counted of one column.
type columnSample struct {
	filled  int // Rows with a value that is not blank.
	longest int // In characters.
	passed  map[string]int
	gaveUp  []bool // By question: no value had passed it when it was clear what the column does not hold.
	coded   map[string]int
	seen    map[string]map[string]bool // Codes of each list that occurred: national codes, not data of persons.
	dates   int
	times   int
	within  int
	unique  map[uint64]struct{}
	text    bool
}

// giveUpAfter is how many values a check may fail from the start before it is no longer asked.
const giveUpAfter = 40

// The forms that have no validator, because what is stored need not have them.
const (
	looksEmail    = "email"
	looksPhone    = "phone"
	looksBankCard = "bank_card"
)

var (
	emailForm = regexp.MustCompile(`^[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+$`)
	phoneForm = regexp.MustCompile(`^(0[1-9][0-9]{1,2}-[2-9][0-9]{6,7}|0[1-9][0-9]{1,2}[2-9][0-9]{6,7}|400-?[0-9]{3}-?[0-9]{4})$`)
	dateForm  = regexp.MustCompile(`^([12][0-9]{3})([-/]?)(0[1-9]|1[0-2])([-/]?)(0[1-9]|[12][0-9]|3[01])$`)
	timeForm  = regexp.MustCompile(`^[12][0-9]{3}[-/](0[1-9]|1[0-2])[-/](0[1-9]|[12][0-9]|3[01])[ T]([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\.[0-9]{1,6})?)?$`)
)

// checks are the validators that a sample is asked, the particular before the general. Document numbers by type are left out:
// without the type nearly everything passes.
var checks = []string{"citizen_id", "uscc", "cert_id", "project_code", "resource_code", "org_code", "mobile", "division"}

// Sampled reports whether values of a kind of column can say anything.
func Sampled(kind connectors.Kind) bool {
	return kind != connectors.Bytes && kind != connectors.Geometry && kind != connectors.JSON && kind != connectors.Other
}

// NewSample returns an empty sample of columns, which must be Sampled. asOf is the day by which dates inside numbers are judged.
func NewSample(columns []connectors.Column, asOf time.Time) *Sample {
	s := &Sample{asOf: asOf, seed: maphash.MakeSeed(), asked: questions(asOf)}
	for _, c := range columns {
		s.names = append(s.names, c.Name)
		s.columns = append(s.columns, &columnSample{
			passed: map[string]int{}, gaveUp: make([]bool, len(s.asked)), coded: map[string]int{}, seen: map[string]map[string]bool{},
			unique: map[uint64]struct{}{}, text: c.Kind == connectors.Text || c.Kind == connectors.Integer,
		})
	}
	return s
}

// questions lists what every value is asked.
func questions(asOf time.Time) []asked {
	var out []asked
	for _, name := range checks {
		v, _, _ := codes.FindValidator(name)
		out = append(out, asked{name: name, is: func(value string) bool {
			findings := v.Check(v.Normalise(value), asOf)
			// A division that is not in the table may be any number with the right beginning.
			if name == "division" {
				return findings == nil
			}
			_, wrong := codes.FirstError(findings)
			return !wrong
		}})
	}
	out = append(
		out, asked{name: looksEmail, is: emailForm.MatchString}, asked{name: looksPhone, is: phoneForm.MatchString},
		asked{name: looksBankCard, is: luhn},
	)
	for _, list := range codes.Lists() {
		known := make(map[string]bool, len(list.Entries))
		for _, code := range list.Codes() {
			known[code] = true
		}
		out = append(out, asked{name: list.Name, list: true, is: func(value string) bool { return known[value] }})
	}
	return out
}

// Rows is how many rows were added.
func (s *Sample) Rows() int { return s.rows }

// Add counts the rows of a batch until the sample has MaxSample, and reports whether it wants more.
func (s *Sample) Add(batch *connectors.Batch) bool {
	for row := 0; row < batch.Rows && s.rows < MaxSample; row++ {
		s.rows++
		for i, c := range s.columns {
			if cell := batch.Cell(row, i); len(cell) > 0 {
				c.add(string(cell), s)
			}
		}
	}
	return s.rows < MaxSample
}

// column returns what was counted of a column; nil when it was not sampled.
func (s *Sample) column(name string) *columnSample {
	if s == nil {
		return nil
	}
	if i := slices.Index(s.names, name); i >= 0 {
		return s.columns[i]
	}
	return nil
}

// maxLook is how long a value may be to be judged as an identifier, a date or a code.
const maxLook = 128

func (c *columnSample) add(value string, s *Sample) {
	plain := codes.Normalise(value)
	if plain == "" {
		return
	}
	c.filled++
	runes := utf8.RuneCountInString(value)
	c.longest = max(c.longest, runes)
	c.unique[maphash.String(s.seed, value)] = struct{}{}
	if !c.text {
		return
	}
	if runes >= leastText && hasNumber(plain) {
		// A value that is such a number as a whole is no free text, and shorter than that.
		m, _ := mask.Find("text_scan")
		if hidden, _ := m.Go(value, nil); hidden != value {
			c.within++
		}
	}
	// What has other characters is no number, no code and no date; it agrees with no question.
	if len(plain) > maxLook || !isASCII(plain) {
		return
	}
	for i, question := range s.asked {
		switch {
		case c.gaveUp[i]:
		case !question.is(plain):
			c.gaveUp[i] = c.filled >= giveUpAfter && c.passed[question.name]+c.coded[question.name] == 0
		case question.list:
			c.coded[question.name]++
			if c.seen[question.name] == nil {
				c.seen[question.name] = map[string]bool{}
			}
			c.seen[question.name][plain] = true
		default:
			c.passed[question.name]++
		}
	}
	switch {
	case len(plain) < 8 || plain[0] != '1' && plain[0] != '2':
	case isDate(plain):
		c.dates++
	case timeForm.MatchString(plain):
		c.times++
	}
}

// leastText is from how many characters on a value is looked through for numbers inside it, and leastNumber how many digits such
// numbers have.
const (
	leastText   = 20
	leastNumber = 11
)

// hasNumber reports whether s has so many digits in a row that an identity or mobile number may be among them.
func hasNumber(s string) bool {
	run := 0
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			run = 0
		} else if run++; run >= leastNumber {
			return true
		}
	}
	return false
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// isDate reports whether s is a day of the calendar as YYYY-MM-DD, YYYY/MM/DD or YYYYMMDD.
func isDate(s string) bool {
	parts := dateForm.FindStringSubmatch(s)
	if parts == nil || parts[2] != parts[4] {
		return false
	}
	_, err := time.Parse("20060102", parts[1]+parts[3]+parts[5])
	return err == nil
}

// luhn reports whether s is 16 to 19 digits whose last is the check digit of ISO/IEC 7812-1, as bank cards have it.
func luhn(s string) bool {
	if len(s) < 16 || len(s) > 19 || s[0] == '0' {
		return false
	}
	sum := 0
	for i := range len(s) {
		d := int(s[len(s)-1-i]) - '0'
		if d < 0 || d > 9 {
			return false
		}
		if i%2 == 1 {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
	}
	return sum%10 == 0
}
