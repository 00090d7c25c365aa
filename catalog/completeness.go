package catalog

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// CompletenessRule is one rule by which the completeness of an entry is judged. The points of all rules are 100 together.
type CompletenessRule struct {
	Code   string
	Points int
	Mend   string // What to do about it, in English.
	Data   bool   // It judges the data behind the entry, not what the entry states.
}

// Point is what one rule gives an entry.
type Point struct {
	Rule   string `json:"rule"`
	Points int    `json:"points"` // The most there is.
	Got    int    `json:"got"`
	Mend   string `json:"mend,omitempty"` // What to do about it, in English; "" when nothing is missing.
}

// completenessRule is a rule with how it judges: the part of the points earned, as a fraction.
type completenessRule struct {
	CompletenessRule
	judge func(m Metadata, t Truth) (good, of int)
}

// completenessRevision numbers the rules about what entries state: stored points of another revision are computed again.
const completenessRevision = 1

// goodQuality is the share of accepted rows that earns the points of quality.
const goodQuality = 0.95

// summaryWanted is how many characters a summary has that says what the data are, and not only what they are called.
const summaryWanted = 30

// completenessRules are the rules in the order in which they are shown. What is not possible for an entry (rows of a withheld one,
// arrivals of one that is not kept at the hub) is given, so that every entry can have 100.
var completenessRules = []completenessRule{
	{CompletenessRule{"summary", 8, "say in at least 30 characters what the data are and which key fields they have", false}, func(m Metadata, _ Truth) (int, int) {
		return yes(utf8.RuneCountInString(strings.TrimSpace(m.Summary)) >= summaryWanted)
	}},
	{CompletenessRule{"classified", 5, "classify the entry down to the third level (目)", false}, func(m Metadata, _ Truth) (int, int) {
		return yes(slices.ContainsFunc(m.Classifications, func(c Classification) bool { return c.Primary && c.Class3 != "" }))
	}},
	{CompletenessRule{"definitions", 14, "define every item, or name its data element", false}, func(m Metadata, _ Truth) (int, int) {
		return share(m.Items, func(Item) bool { return true }, func(i Item) bool {
			return strings.TrimSpace(i.Definition) != "" || strings.TrimSpace(i.DataElement) != ""
		})
	}},
	{CompletenessRule{"codes", 8, "name the code list, data element or validator of items that hold codes", false}, func(m Metadata, _ Truth) (int, int) {
		return share(m.Items, holdsCode, func(i Item) bool { return i.CodeSet != "" || i.DataElement != "" || i.Validator != "" })
	}},
	{CompletenessRule{"elements", 6, "name the data element of at least one key item", false}, func(m Metadata, _ Truth) (int, int) {
		return yes(slices.ContainsFunc(m.Items, func(i Item) bool { return i.DataElement != "" && (i.Key || i.Filterable) }))
	}},
	{CompletenessRule{"key", 8, "mark the items that identify a row as keys", false}, func(m Metadata, _ Truth) (int, int) {
		return yes(slices.ContainsFunc(m.Items, func(i Item) bool { return i.Key }))
	}},
	{CompletenessRule{"system", 6, "name the information system that the data come from", false}, func(m Metadata, _ Truth) (int, int) {
		return yes(m.SystemID != [16]byte{})
	}},
	{CompletenessRule{"contact", 6, "name somebody whom consumers can ask, with a telephone number", false}, func(m Metadata, _ Truth) (int, int) {
		return yes(strings.TrimSpace(m.ContactName) != "" && strings.TrimSpace(m.ContactPhone) != "")
	}},
	{CompletenessRule{"basis", 5, "state on what basis the data are collected", false}, func(m Metadata, _ Truth) (int, int) {
		return yes(strings.TrimSpace(m.CollectBasis) != "")
	}},
	{CompletenessRule{"themes", 4, "name at least one theme", false}, func(m Metadata, _ Truth) (int, int) { return yes(len(m.Themes) > 0) }},
	{CompletenessRule{"area", 3, "state level and division", false}, func(m Metadata, _ Truth) (int, int) {
		return yes(m.Level != "" && m.DivisionCode != "")
	}},
	{CompletenessRule{"unit", 2, "name the office that answers for the data", false}, func(m Metadata, _ Truth) (int, int) {
		return yes(strings.TrimSpace(m.ProviderUnit) != "")
	}},
	{CompletenessRule{"mounted", 8, "mount a source", true}, func(m Metadata, t Truth) (int, int) {
		return yes(t.Mounted || m.DeclaredShare == Withheld)
	}},
	{CompletenessRule{"arrived", 7, "let the data arrive: run the collection", true}, func(m Metadata, t Truth) (int, int) {
		return yes(t.ArrivedAt != nil || t.Live && t.Mounted || m.DeclaredShare == Withheld)
	}},
	{CompletenessRule{"on_time", 6, "let the data arrive as often as the update cycle says, or correct the cycle", true}, func(m Metadata, t Truth) (int, int) {
		return yes(t.Timeliness == OnTime || t.Live && t.Mounted || m.DeclaredShare == Withheld)
	}},
	{CompletenessRule{"quality", 4, "correct the rows that are refused: at least 95 % should pass", true}, func(m Metadata, t Truth) (int, int) {
		return yes(t.Quality != nil && *t.Quality >= goodQuality || t.Live && t.Mounted || m.DeclaredShare == Withheld)
	}},
}

// CompletenessRules returns the rules in the order in which they are shown.
func CompletenessRules() []CompletenessRule {
	out := make([]CompletenessRule, len(completenessRules))
	for i, r := range completenessRules {
		out[i] = r.CompletenessRule
	}
	return out
}

// Completeness judges what an entry states and the data behind it: 0 to 100 points, and what every rule gives. It reads of t only
// what is known of the data: Mounted, Live, ArrivedAt, Timeliness and Quality.
func Completeness(m Metadata, t Truth) (score int, points []Point) {
	for _, r := range completenessRules {
		p := r.point(m, t)
		score += p.Got
		points = append(points, p)
	}
	return score, points
}

// described is the part of the score that does not change with the data.
func described(m Metadata) (score int) {
	for _, r := range completenessRules {
		if !r.Data {
			score += r.point(m, Truth{}).Got
		}
	}
	return score
}

// delivered is the part of the score that the data earn. Of m it reads whether the entry is withheld.
func delivered(m Metadata, t Truth) (score int) {
	for _, r := range completenessRules {
		if r.Data {
			score += r.point(m, t).Got
		}
	}
	return score
}

func (r completenessRule) point(m Metadata, t Truth) Point {
	good, of := r.judge(m, t)
	p := Point{Rule: r.Code, Points: r.Points, Got: r.Points * good / of}
	if p.Got < p.Points {
		p.Mend = r.Mend
	}
	return p
}

func yes(is bool) (good, of int) {
	if is {
		return 1, 1
	}
	return 0, 1
}

// share counts the items that are concerned and those of them that are good. An entry none of whose items are concerned has all
// the points, but one without items has none.
func share(items []Item, concerned, good func(Item) bool) (n, of int) {
	for _, i := range items {
		if !concerned(i) {
			continue
		}
		of++
		if good(i) {
			n++
		}
	}
	switch {
	case len(items) == 0:
		return 0, 1
	case of == 0:
		return 1, 1
	}
	return n, of
}

// holdsCode reports whether an item looks as if its values were codes of a list.
func holdsCode(i Item) bool {
	if i.DataType != Char {
		return false
	}
	return strings.HasSuffix(i.Identifier, "_code") || strings.HasSuffix(i.Identifier, "_type") || strings.HasSuffix(i.Identifier, "_status") ||
		strings.HasSuffix(i.Name, "代码") || strings.HasSuffix(i.Name, "类型") || strings.HasSuffix(i.Name, "状态") || strings.HasSuffix(i.Name, "类别")
}
