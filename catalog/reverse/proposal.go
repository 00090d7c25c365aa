package reverse

import "github.com/shuqiao/shuqiao/connectors"

// The measures of evidence.
const (
	// MaxSample is the most rows of a table that are looked at.
	MaxSample = 1_000
	// Enough is how many values a column must have in the sample before they bear a statement.
	Enough = 20
	// SurePercent of the values must agree with a check for it to be taken over.
	SurePercent = 95
	// ShownPercent of the values must agree for a check to be worth showing, and for protection to be taken over.
	ShownPercent = 50
)

// Table is one object of a source.
type Table struct {
	Object  string // As the source names it in full.
	Name    string
	Comment string
	Schema  connectors.Schema
}

// Proposal is what an entry made from one table would state.
type Proposal struct {
	Object   string     `json:"object"`
	Name     string     `json:"name"`
	Sampled  int        `json:"sampled"` // Rows that were looked at.
	Evidence []Evidence `json:"evidence"`
	Items    []Item     `json:"items"` // One for each column, in the source's order.
}

// Item is what is proposed for one column. The fields are those of an item of the directory.
type Item struct {
	Column     string          `json:"column"`
	NativeType string          `json:"native_type"`
	Kind       connectors.Kind `json:"kind"`

	Name        string `json:"name"`
	Identifier  string `json:"identifier"`
	DataType    string `json:"data_type"`
	Length      int    `json:"length"`
	Scale       int    `json:"scale"`
	Format      string `json:"format"`
	Key         bool   `json:"is_key"`
	Required    bool   `json:"required"`
	Definition  string `json:"definition"`
	CodeSet     string `json:"code_set"`
	Validator   string `json:"validator"`
	Grade       string `json:"grade"`
	SensitivePI bool   `json:"sensitive_pi"`
	MaskRule    string `json:"mask_rule"`

	Suggestions []Suggestion `json:"suggestions"` // Why, field by field.
}

// Suggestion is one field of an item with the evidence for it.
type Suggestion struct {
	Field    string     `json:"field"` // JSON name of the item's field.
	Value    string     `json:"value"` // What the field would state; "true" for marks.
	Taken    bool       `json:"taken"` // It stands in the item; otherwise the evidence is too weak and it is only shown.
	Evidence []Evidence `json:"evidence"`
}

// Evidence is one observation. Passed of Of values of the sample agree, where Of is not 0; it holds no value of the source.
type Evidence struct {
	Kind   EvidenceKind `json:"kind"`
	Name   string       `json:"name,omitempty"` // Of a check, a code list, or what a name was understood as.
	Passed int          `json:"passed,omitempty"`
	Of     int          `json:"of,omitempty"`
}

// EvidenceKind says what was observed.
type EvidenceKind string

// The kinds of evidence.
const (
	FromComment    EvidenceKind = "comment"       // The source's comment says so.
	FromName       EvidenceKind = "name"          // The source's own name, as there is no comment.
	MadeUp         EvidenceKind = "made_up"       // The source's name has no form an identifier can have.
	NameMeans      EvidenceKind = "means"         // Name or comment speak of Name.
	SourceType     EvidenceKind = "source_type"   // The type of the column.
	SourceKey      EvidenceKind = "source_key"    // The source declares the key.
	SourceNotNull  EvidenceKind = "not_null"      // The source forbids that it is empty.
	SampleFilled   EvidenceKind = "filled"        // Passed of Of rows have a value.
	SampleUnique   EvidenceKind = "unique"        // Passed different values among Of rows.
	SamplePasses   EvidenceKind = "passes"        // Passed of Of values pass the check Name.
	SampleCoded    EvidenceKind = "coded"         // Passed of Of values are in the code list Name.
	SampleDates    EvidenceKind = "dates"         // Passed of Of values are dates, or dates with times.
	SampleLooks    EvidenceKind = "looks"         // Passed of Of values have the form of Name.
	SampleContains EvidenceKind = "contains"      // Passed of Of texts have identity or mobile numbers in them.
	SampleLongest  EvidenceKind = "longest"       // Of the values, the longest has Passed characters.
	FollowsCheck   EvidenceKind = "follows_check" // It follows from the check Name.
	FollowsList    EvidenceKind = "follows_list"  // It follows from the code list Name.
	NoSample       EvidenceKind = "no_sample"     // The sample has no value of the column.
	FewSamples     EvidenceKind = "few_samples"   // The sample has only Of values of the column.
	ByDefault      EvidenceKind = "by_default"    // Nothing says otherwise.
)

// EvidenceKinds returns every kind once, for tables that must be complete.
func EvidenceKinds() []EvidenceKind {
	return []EvidenceKind{
		FromComment, FromName, MadeUp, NameMeans, SourceType, SourceKey, SourceNotNull, SampleFilled, SampleUnique, SamplePasses, SampleCoded,
		SampleDates, SampleLooks, SampleContains, SampleLongest, FollowsCheck, FollowsList, NoSample, FewSamples, ByDefault,
	}
}

// Suggested returns the suggestion for a field of the item.
func (i Item) Suggested(field string) (Suggestion, bool) {
	for _, s := range i.Suggestions {
		if s.Field == field {
			return s, true
		}
	}
	return Suggestion{}, false
}

// suggest adds a suggestion.
func (i *Item) suggest(field, value string, taken bool, evidence ...Evidence) {
	i.Suggestions = append(i.Suggestions, Suggestion{Field: field, Value: value, Taken: taken, Evidence: evidence})
}
