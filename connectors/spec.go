package connectors

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/shuqiao/shuqiao/internal/fault"
)

// FieldKind is the type of a setting.
type FieldKind string

// The types of settings.
const (
	FieldString   FieldKind = "string"
	FieldInt      FieldKind = "int"
	FieldBool     FieldKind = "bool"     // "true" or "false".
	FieldSecret   FieldKind = "secret"   // Sealed at rest, never shown, prints as ***.
	FieldEnum     FieldKind = "enum"     // One of Choices.
	FieldDuration FieldKind = "duration" // Go notation: "30s", "5m".
)

// Field is one setting of a driver.
type Field struct {
	Key      string    `json:"key"`
	Kind     FieldKind `json:"kind"`
	Required bool      `json:"required"`
	Default  string    `json:"default,omitempty"` // Used when the setting is absent or empty; "" for none.
	Doc      string    `json:"doc"`               // One English sentence.
	DocZH    string    `json:"doc_zh"`            // The same in Chinese.
	Choices  []string  `json:"choices,omitempty"` // For FieldEnum only.
	Min      int64     `json:"min,omitempty"`     // For FieldInt only, with Max; both 0 for no bounds.
	Max      int64     `json:"max,omitempty"`
}

// Spec describes a driver: its validation, its documentation and its form in the console all follow from it.
type Spec struct {
	Name      string  `json:"name"` // Lower case, equal to the name of the driver's package.
	Summary   string  `json:"summary"`
	SummaryZH string  `json:"summary_zh"`
	Fields    []Field `json:"fields"` // In the order of the form.

	// Check, when set, judges settings that are right one by one but may contradict each other. It returns what is
	// wrong, in field order, and never repeats a value.
	Check func(Config) []fault.Field `json:"-"`
}

// Field returns the field of that key.
func (s Spec) Field(key string) (Field, bool) {
	i := slices.IndexFunc(s.Fields, func(f Field) bool { return f.Key == key })
	if i < 0 {
		return Field{}, false
	}
	return s.Fields[i], true
}

// SecretKeys returns the keys of the fields whose values must be sealed, in field order.
func (s Spec) SecretKeys() []string {
	var keys []string
	for _, f := range s.Fields {
		if f.Kind == FieldSecret {
			keys = append(keys, f.Key)
		}
	}
	return keys
}

// Parse turns settings as text into a Config. Absent and empty settings take the default. The error is an Invalid fault
// that names every unknown key, missing required field and wrong value at once and repeats no value. The codes of its
// fields are unknown, required, not_int, out_of_range, not_bool, not_choice, not_duration and those of Check.
func (s Spec) Parse(settings map[string]string) (Config, error) {
	config := Config{spec: s, values: make(map[string]string, len(s.Fields))}
	var wrong []fault.Field
	for _, f := range s.Fields {
		value := settings[f.Key]
		if value == "" {
			value = f.Default
		}
		if value == "" {
			if f.Required {
				wrong = append(wrong, fault.Field{Name: f.Key, Code: "required", Message: "is required"})
			}
			continue
		}
		if code, message := f.check(value); code != "" {
			wrong = append(wrong, fault.Field{Name: f.Key, Code: code, Message: message})
			continue
		}
		config.values[f.Key] = value
	}
	unknown := make([]string, 0)
	for key := range settings {
		if _, ok := s.Field(key); !ok {
			unknown = append(unknown, key)
		}
	}
	slices.Sort(unknown)
	for _, key := range unknown {
		wrong = append(wrong, fault.Field{Name: key, Code: "unknown", Message: "is not a setting of " + s.Name})
	}
	if len(wrong) == 0 && s.Check != nil {
		wrong = s.Check(config)
	}
	return config, fault.InvalidFields(wrong)
}

// check returns the code and the sentence of what is wrong with value, or "".
func (f Field) check(value string) (code, message string) {
	switch f.Kind {
	case FieldInt:
		n, err := strconv.ParseInt(value, 10, 64)
		if err != nil {
			return "not_int", "must be a whole number"
		}
		if (f.Min != 0 || f.Max != 0) && (n < f.Min || n > f.Max) {
			return "out_of_range", "must be between " + strconv.FormatInt(f.Min, 10) + " and " + strconv.FormatInt(f.Max, 10)
		}
	case FieldBool:
		if value != "true" && value != "false" {
			return "not_bool", "must be true or false"
		}
	case FieldEnum:
		if !slices.Contains(f.Choices, value) {
			return "not_choice", "must be one of " + strings.Join(f.Choices, ", ")
		}
	case FieldDuration:
		if d, err := time.ParseDuration(value); err != nil || d < 0 {
			return "not_duration", "must be a duration such as 30s or 5m"
		}
	}
	return "", ""
}

// problem is why a Spec cannot be used; it is a mistake in a driver, found when its registry is built.
func (s Spec) problem() string {
	if s.Name == "" || s.Name != strings.ToLower(s.Name) || strings.ContainsAny(s.Name, " /.") {
		return "its name must be a lower-case word"
	}
	seen := map[string]bool{}
	for _, f := range s.Fields {
		switch {
		case f.Key == "" || seen[f.Key]:
			return "field " + strconv.Quote(f.Key) + " is empty or occurs twice"
		case f.Doc == "" || f.DocZH == "":
			return "field " + f.Key + " lacks its text in one language"
		case (f.Kind == FieldEnum) != (len(f.Choices) > 0):
			return "field " + f.Key + " must have choices exactly if it is an enum"
		case f.Kind == FieldSecret && f.Default != "":
			return "secret " + f.Key + " must not have a default"
		}
		if f.Default != "" {
			if code, _ := f.check(f.Default); code != "" {
				return "the default of field " + f.Key + " is " + code
			}
		}
		seen[f.Key] = true
	}
	return ""
}
