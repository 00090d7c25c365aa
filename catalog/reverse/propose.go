package reverse

import (
	"slices"
	"strconv"
	"unicode/utf8"

	"github.com/shuqiao/shuqiao/catalog/codes"
	"github.com/shuqiao/shuqiao/catalog/mask"
	"github.com/shuqiao/shuqiao/connectors"
)

// maxKey is the greatest length of a text item that may be a key, and maxChar that of one that is not called a memo.
const (
	maxKey  = 600
	maxChar = 2_000
)

// maxItems is how many items an entry may have.
const maxItems = 1_000

// widestNumber is the precision proposed for numbers whose source states none.
const (
	widestNumber = 38
	widestScale  = 10
)

// Propose returns what an entry made from a table would state. sample may be nil: nothing is then known of its rows. Columns
// beyond the items that an entry may have are left out.
func Propose(t Table, sample *Sample) Proposal {
	p := Proposal{Object: t.Object, Name: titleOf(t.Comment), Evidence: []Evidence{{Kind: FromComment}}, Items: []Item{}}
	if p.Name == "" {
		p.Name, p.Evidence[0].Kind = shorten(clean(t.Name), maxName), FromName
	}
	if sample != nil {
		p.Sampled = sample.rows
	}
	names, identifiers := map[string]bool{}, map[string]bool{}
	for i, c := range t.Schema.Columns[:min(len(t.Schema.Columns), maxItems)] {
		item := Item{Column: c.Name, NativeType: c.NativeType, Kind: c.Kind}
		item.naming(c, i+1, names, identifiers)
		says, _ := meaningOf(c.Name, c.Comment)
		j := judged{column: c, says: says, sampled: sample.column(c.Name)}
		item.checking(j)
		item.typing(j, slices.Contains(t.Schema.Key, c.Name))
		item.keying(j, t.Schema, p.Sampled)
		item.protecting(j)
		p.Items = append(p.Items, item)
	}
	return p
}

// judged is what is known of a column.
type judged struct {
	column  connectors.Column
	says    meaning
	sampled *columnSample // nil when its values were not looked at.
}

func (j judged) filled() int {
	if j.sampled == nil {
		return 0
	}
	return j.sampled.filled
}

// share is evidence that so many of the column's values agree.
func (j judged) share(kind EvidenceKind, name string, passed int) Evidence {
	return Evidence{Kind: kind, Name: name, Passed: passed, Of: j.filled()}
}

// sure and shown compare the values that agree with the measures.
func (j judged) sure(passed int) bool {
	return j.filled() >= Enough && passed*100 >= SurePercent*j.filled()
}

func (j judged) shown(passed int) bool { return passed > 0 && passed*100 >= ShownPercent*j.filled() }

// few is the evidence that there is too little to look at, nil when there is enough.
func (j judged) few() []Evidence {
	switch {
	case j.filled() == 0:
		return []Evidence{{Kind: NoSample}}
	case j.filled() < Enough:
		return []Evidence{{Kind: FewSamples, Of: j.filled()}}
	}
	return nil
}

// said is the evidence that the name speaks of something.
func (j judged) said() []Evidence { return []Evidence{{Kind: NameMeans, Name: j.says.name}} }

// naming proposes name, definition and identifier.
func (i *Item) naming(c connectors.Column, no int, names, identifiers map[string]bool) {
	i.Name = titleOf(c.Comment)
	evidence := Evidence{Kind: FromComment}
	if i.Name == "" {
		i.Name, evidence.Kind = shorten(clean(c.Name), maxName), FromName
	}
	if i.Name == "" {
		i.Name = "#" + strconv.Itoa(no)
	}
	i.Name = distinct(i.Name, maxName, names)
	i.suggest("name", i.Name, true, evidence)
	if comment := clean(c.Comment); comment != i.Name && comment != "" {
		i.Definition = shorten(comment, maxDefinition)
		i.suggest("definition", i.Definition, true, Evidence{Kind: FromComment})
	}
	evidence = Evidence{Kind: FromName}
	if i.Identifier = identifierOf(c.Name); i.Identifier == "" {
		i.Identifier, evidence.Kind = "item_"+strconv.Itoa(no), MadeUp
	}
	i.Identifier = distinct(i.Identifier, maxIdentifier, identifiers)
	i.suggest("identifier", i.Identifier, true, evidence)
}

// checking proposes a validator or a code list.
func (i *Item) checking(j judged) {
	if j.sampled == nil || !j.sampled.text {
		return
	}
	best, most := "", 0
	for _, name := range checks {
		if n := j.sampled.passed[name]; n > most {
			best, most = name, n
		}
	}
	if best != "" && j.shown(most) {
		taken := j.sure(most)
		i.suggest("validator", best, taken, append([]Evidence{j.share(SamplePasses, best, most)}, j.few()...)...)
		if taken {
			i.Validator = best
			return
		}
	} else if j.says.validator != "" {
		// The name promises it, the values do not keep it: people should know.
		i.suggest("validator", j.says.validator, false,
			append(j.said(), append([]Evidence{j.share(SamplePasses, j.says.validator, j.sampled.passed[j.says.validator])}, j.few()...)...)...)
	}
	i.listing(j)
}

// listing proposes a code list: all values are in it, and either the name speaks of it or so many different codes occur that it
// is no accident.
func (i *Item) listing(j judged) {
	best := ""
	for _, list := range codes.Lists() {
		coded := j.sampled.coded[list.Name]
		fits := coded > 0 && coded == j.filled()
		switch {
		case list.Name == j.says.list && j.shown(coded):
			taken := fits && j.sure(coded)
			if taken {
				i.CodeSet = list.Name
			}
			i.suggest("code_set", list.Name, taken, append(append(j.said(), j.share(SampleCoded, list.Name, coded)), j.few()...)...)
			return
		case fits && (best == "" || len(j.sampled.seen[list.Name]) > len(j.sampled.seen[best])):
			best = list.Name
		}
	}
	if best != "" && j.says.list == "" && i.Validator == "" && len(j.sampled.seen[best]) > 1 {
		i.suggest("code_set", best, false, append([]Evidence{j.share(SampleCoded, best, j.sampled.coded[best])}, j.few()...)...)
	}
}

// fixedLengths are those of what a validator accepts, in characters.
var fixedLengths = map[string]int{"citizen_id": 18, "uscc": 18, "org_code": 9, "mobile": 11, "division": 12, "project_code": 24, "cert_id": 128, "resource_code": 64}

// typing proposes type letter, length, scale and format.
func (i *Item) typing(j judged, key bool) {
	c := j.column
	evidence := []Evidence{{Kind: SourceType, Name: c.NativeType}}
	switch c.Kind {
	case connectors.Integer:
		i.DataType = "I"
	case connectors.Decimal:
		i.DataType, i.Length, i.Scale = "N", c.Length, min(max(c.Scale, 0), c.Length)
		if c.Length <= 0 || c.Length > 1000 {
			i.Length, i.Scale = widestNumber, widestScale
		}
		if j.says.money {
			i.DataType = "Y"
			evidence = append(evidence, j.said()...)
		}
	case connectors.Float:
		i.DataType = "B"
	case connectors.Bool:
		i.DataType = "L"
	case connectors.Date:
		i.DataType = "D"
	case connectors.Timestamp, connectors.LocalTimestamp:
		i.DataType = "T"
	case connectors.Time:
		i.DataType, i.Length = "C", 18
	case connectors.Bytes:
		i.DataType = "G"
	case connectors.Geometry:
		i.DataType, i.Format = "G", codes.FormatGeometry
	case connectors.Text:
		evidence = append(evidence, i.textType(j, key)...)
	default:
		i.DataType = "M"
	}
	switch {
	case i.Validator != "":
		i.DataType, i.Length = "C", max(fixedLengths[i.Validator], longest(j))
		evidence = []Evidence{{Kind: FollowsCheck, Name: i.Validator}}
	case i.CodeSet != "":
		i.DataType, i.Length = "C", max(widest(i.CodeSet), min(i.Length, maxChar))
		evidence = []Evidence{{Kind: FollowsList, Name: i.CodeSet}}
	}
	i.suggest("data_type", i.DataType, true, evidence...)
	if i.Length > 0 {
		i.suggest("length", strconv.Itoa(i.Length), true, evidence...)
	}
}

// textType types a column of text: as a date when every value is one, else by its length.
func (i *Item) textType(j judged, key bool) (evidence []Evidence) {
	if j.filled() > 0 && j.sampled.dates+j.sampled.times == j.filled() && i.Validator == "" && i.CodeSet == "" {
		letter := "D"
		if j.sampled.times > 0 {
			letter = "T"
		}
		evidence := j.share(SampleDates, "", j.filled())
		if j.filled() >= Enough {
			i.DataType = letter
			return []Evidence{evidence}
		}
		i.suggest("data_type", letter, false, append([]Evidence{evidence}, j.few()...)...)
	}
	i.DataType, i.Length = "C", j.column.Length
	switch {
	case j.column.Length > 0 && j.column.Length <= maxChar:
	case key:
		// A key needs a bound; twice of what occurs leaves room.
		i.Length = min(max(64, 2*longest(j)), maxKey)
		evidence = append(evidence, Evidence{Kind: SampleLongest, Passed: longest(j), Of: j.filled()})
	default:
		i.DataType, i.Length = "M", 0
	}
	return evidence
}

func longest(j judged) int {
	if j.sampled == nil {
		return 0
	}
	return j.sampled.longest
}

// widest is the length of the longest code of a list.
func widest(name string) int {
	n := 0
	list, _ := codes.List(name)
	for _, code := range list.Codes() {
		n = max(n, utf8.RuneCountInString(code))
	}
	return n
}

// keying proposes what rows are told apart by, and what must not be empty. A key that only the sample shows is not taken over:
// the next row may break it.
func (i *Item) keying(j judged, schema connectors.Schema, rows int) {
	able := !slices.Contains([]string{"G", "M", "B", "F", "L"}, i.DataType) && (i.DataType != "C" || i.Length <= maxKey)
	switch {
	case slices.Contains(schema.Key, j.column.Name):
		i.Key, i.Required = able, true
		i.suggest("is_key", "true", able, Evidence{Kind: SourceKey})
		i.suggest("required", "true", true, Evidence{Kind: SourceKey})
		return
	case len(schema.Key) == 0 && able && rows >= Enough && j.filled() == rows && len(j.sampled.unique) == rows:
		i.suggest("is_key", "true", false, Evidence{Kind: SampleUnique, Passed: len(j.sampled.unique), Of: rows})
	}
	switch {
	case !j.column.Nullable:
		i.Required = true
		i.suggest("required", "true", true, Evidence{Kind: SourceNotNull})
	case rows >= Enough && j.filled() == rows:
		i.suggest("required", "true", false, Evidence{Kind: SampleFilled, Passed: j.filled(), Of: rows})
	}
}

// looked are forms of values without a validator, with the protection that follows.
var looked = []struct{ form, mask string }{{looksEmail, "email"}, {looksBankCard, "bank_card"}, {looksPhone, "phone"}}

// protecting proposes grade, mark and mask: by what the values are, else by what the name says, else the grade of what is not for
// everybody.
func (i *Item) protecting(j judged) {
	says, evidence := j.protection()
	i.Grade, i.SensitivePI = says.grade, says.sensitive
	i.suggest("grade", i.Grade, true, evidence...)
	if i.SensitivePI {
		i.suggest("sensitive_pi", "true", true, evidence...)
	}
	if says.mask != "" {
		i.MaskRule = fitting(says.mask, i.DataType)
		i.suggest("mask_rule", i.MaskRule, true, evidence...)
	}
}

func (j judged) protection() (meaning, []Evidence) {
	if j.sampled != nil {
		for _, name := range checks {
			if n := j.sampled.passed[name]; j.shown(n) {
				for _, m := range meanings {
					if m.validator == name && m.grade != "" {
						return m, append([]Evidence{j.share(SamplePasses, name, n)}, j.few()...)
					}
				}
			}
		}
		for _, l := range looked {
			if n := j.sampled.passed[l.form]; j.shown(n) {
				return meaning{grade: "L3", mask: l.mask, sensitive: l.form == looksBankCard}, append([]Evidence{j.share(SampleLooks, l.form, n)}, j.few()...)
			}
		}
	}
	if j.says.grade != "" {
		return j.says, j.said()
	}
	if j.sampled != nil && j.sampled.within > 0 {
		return meaning{grade: "L3", mask: "text_scan"}, []Evidence{j.share(SampleContains, "", j.sampled.within)}
	}
	if j.column.Kind == connectors.Bytes {
		return meaning{grade: "L4", mask: "suppress"}, []Evidence{{Kind: SourceType, Name: j.column.NativeType}}
	}
	return meaning{grade: "L2"}, []Evidence{{Kind: ByDefault}}
}

// fitting returns the mask, or one that hides all where it does not suit the type.
func fitting(name, letter string) string {
	for _, candidate := range []string{name, "full", "suppress"} {
		if m, ok := mask.Find(candidate); ok && m.Allows(letter[0]) {
			return candidate
		}
	}
	return "suppress"
}
