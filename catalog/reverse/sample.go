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
	names   []string // The columns of the batches, in their order.
	columns []*columnSample
}

// columnSample is what is counted of one column.
type columnSample struct {
	filled  int // Rows with a value that is not blank.
	longest int // In characters.
	passed  map[string]int
	gaveUp  map[string]bool // Checks that no value had passed when it was clear what the column does not hold.
	coded   map[string]int
	seen    map[string]map[string]bool // Codes of each list that occurred: national codes, not data of persons.
	dates   int
	times   int
	within  int
	unique  map[uint64]struct{}
	text    bool
}

// giveUpAfter is how many values a check may fail from the start before it is no longer asked.
const giveUpAfter = 64

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
	s := &Sample{asOf: asOf, seed: maphash.MakeSeed()}
	for _, c := range columns {
		s.names = append(s.names, c.Name)
		s.columns = append(s.columns, &columnSample{
			passed: map[string]int{}, gaveUp: map[string]bool{}, coded: map[string]int{}, seen: map[string]map[string]bool{}, unique: map[uint64]struct{}{},
			text: c.Kind == connectors.Text || c.Kind == connectors.Integer,
		})
	}
	return s
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
	c.longest = max(c.longest, utf8.RuneCountInString(value))
	c.unique[maphash.String(s.seed, value)] = struct{}{}
	if !c.text {
		return
	}
	if len(plain) > maxLook {
		c.scan(value)
		return
	}
	for _, name := range checks {
		c.ask(name, func() bool {
			v, _, _ := codes.FindValidator(name)
			findings := v.Check(v.Normalise(value), s.asOf)
			// A division that is not in the table may be any number with the right beginning.
			if name == "division" {
				return findings == nil
			}
			_, wrong := codes.FirstError(findings)
			return !wrong
		})
	}
	c.ask(looksEmail, func() bool { return emailForm.MatchString(plain) })
	c.ask(looksPhone, func() bool { return phoneForm.MatchString(plain) })
	c.ask(looksBankCard, func() bool { return luhn(plain) })
	for _, list := range codes.Lists() {
		c.ask("list:"+list.Name, func() bool {
			if _, ok := list.Find(plain); !ok {
				return false
			}
			if c.seen[list.Name] == nil {
				c.seen[list.Name] = map[string]bool{}
			}
			c.seen[list.Name][plain] = true
			c.coded[list.Name]++
			return true
		})
	}
	switch {
	case isDate(plain):
		c.dates++
	case timeForm.MatchString(plain):
		c.times++
	}
	c.scan(value)
}

// ask counts a check that is still worth asking.
func (c *columnSample) ask(name string, check func() bool) {
	if c.gaveUp[name] {
		return
	}
	if check() {
		c.passed[name]++
	} else if c.passed[name] == 0 && c.filled >= giveUpAfter {
		c.gaveUp[name] = true
	}
}

// scan looks for identity and mobile numbers inside free text. A value that is such a number as a whole is no free text.
func (c *columnSample) scan(value string) {
	if utf8.RuneCountInString(value) < 20 {
		return
	}
	m, _ := mask.Find("text_scan")
	if hidden, _ := m.Go(value, nil); hidden != value {
		c.within++
	}
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
