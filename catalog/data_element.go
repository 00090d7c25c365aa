package catalog

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/shuqiao/shuqiao/catalog/codes"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// DataElement is one meaning that items of many entries have in common (数据元), such as the citizen identity number. Items name
// it by its code or its standard; items that name none are recognised by its names and synonyms.
type DataElement struct {
	Code       string    `json:"code"` // Stable name, snake_case.
	Name       string    `json:"name"`
	NameEN     string    `json:"name_en"`
	Definition string    `json:"definition"`
	DataType   DataType  `json:"data_type"`
	Length     int       `json:"length"`   // In characters; for N and Y the precision; 0 for types without.
	CodeSet    string    `json:"code_set"` // Name of a code list, or "".
	Standard   string    `json:"standard"` // Number of the standard that defines it, such as "GB 11643", or "".
	Synonyms   []string  `json:"synonyms"`
	State      string    `json:"state"` // current, or retired: no longer recognised.
	RowVersion int64     `json:"row_version"`
	CreatedAt  time.Time `json:"created_at"`
	UpdatedAt  time.Time `json:"updated_at"`
}

// Bounds of a data element.
const (
	maxSynonyms     = 50
	elementCurrent  = "current"
	elementRetired  = "retired"
	maxElementCount = 10_000_000 // The greatest length, as for items.
)

// DataElementStates returns the states of a data element.
func DataElementStates() []string { return []string{elementCurrent, elementRetired} }

// term is the form in which items and data elements are compared: without blanks around it, in lower case.
func term(s string) string { return strings.ToLower(strings.TrimSpace(s)) }

// terms are what items are recognised by, each once, sorted.
func (e DataElement) terms() []string {
	var out []string
	for _, s := range append([]string{e.Code, e.Name, e.NameEN, e.Standard}, e.Synonyms...) {
		if t := term(s); t != "" {
			out = append(out, t)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// tidy brings what was typed into the form that is kept.
func (e *DataElement) tidy() {
	for _, s := range []*string{&e.Code, &e.Name, &e.NameEN, &e.Definition, &e.Standard, &e.CodeSet} {
		*s = strings.TrimSpace(*s)
	}
	synonyms := make([]string, 0, len(e.Synonyms))
	for _, s := range e.Synonyms {
		if s = strings.TrimSpace(s); s != "" && !slices.Contains(synonyms, s) {
			synonyms = append(synonyms, s)
		}
	}
	e.Synonyms = synonyms
	if e.State == "" {
		e.State = elementCurrent
	}
}

// check returns an Invalid fault that names every field that is wrong.
func (e DataElement) check() error {
	var wrong []fault.Field
	bad := func(name, code, message string, args ...any) {
		wrong = append(wrong, fault.Field{Name: name, Code: code, Message: fmt.Sprintf(message, args...)})
	}
	if !identifierPattern.MatchString(e.Code) {
		bad("code", "bad_form", "give 1 to 63 lower-case letters, digits and underscores, a letter first")
	}
	if f, is := checkTitle("name", e.Name); is {
		wrong = append(wrong, f)
	}
	for _, text := range []struct {
		name, value string
		most        int
	}{{"name_en", e.NameEN, 200}, {"definition", e.Definition, maxText}, {"standard", e.Standard, maxName}, {"code_set", e.CodeSet, maxName}} {
		if utf8.RuneCountInString(text.value) > text.most {
			bad(text.name, "too_long", "shorten this to at most %d characters", text.most)
		}
	}
	for _, path := range nulls(e) {
		bad(path, "bad_character", "texts cannot hold the NUL character")
	}
	if !slices.Contains(dataTypes, e.DataType) {
		bad("data_type", "not_choice", "state one of the letters C, N, Y, D, T, L, M, G, B, I, F")
	}
	if e.Length < 0 || e.Length > maxElementCount {
		bad("length", "out_of_range", "give a length from 0 to 10,000,000")
	}
	if _, known := codes.List(e.CodeSet); e.CodeSet != "" && !known {
		bad("code_set", "unknown", "there is no code list of this name")
	}
	if len(e.Synonyms) > maxSynonyms {
		bad("synonyms", "too_many", "give at most %d", maxSynonyms)
	}
	for i, s := range e.Synonyms {
		if utf8.RuneCountInString(s) > maxName {
			bad(fmt.Sprintf("synonyms[%d]", i), "too_long", "shorten this to at most %d characters", maxName)
		}
	}
	if !slices.Contains(DataElementStates(), e.State) {
		bad("state", "not_choice", "state current or retired")
	}
	return fault.InvalidFields(wrong)
}
