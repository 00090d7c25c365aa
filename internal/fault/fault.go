package fault

import (
	"errors"
	"fmt"
	"sort"
	"strings"
)

// Kind says what sort of failure an error is. The zero Kind is not valid; errors without a Fault are Internal.
type Kind string

// The kinds. Each comment says when a service returns it.
const (
	Invalid         Kind = "invalid"         // The input is malformed or contradictory; Fields names where.
	NotFound        Kind = "not_found"       // The thing does not exist, or the caller may not know that it does.
	Conflict        Kind = "conflict"        // The thing's state does not allow this now, or another writer was first.
	Forbidden       Kind = "forbidden"       // The caller is known and may not do this.
	Unauthenticated Kind = "unauthenticated" // The caller is not known, or the credentials no longer hold.
	Precondition    Kind = "precondition"    // The caller's If-Match version is not the version in force.
	Gone            Kind = "gone"            // The thing existed and cannot be had any more (cursors, retired layouts).
	TooLarge        Kind = "too_large"       // The input or the answer exceeds a stated bound.
	Exhausted       Kind = "exhausted"       // A quota or rate is used up; it may work later.
	Unavailable     Kind = "unavailable"     // The hub or a system it needs cannot answer now; try again.
	Internal        Kind = "internal"        // A defect or an unforeseen failure; the sentence is hidden from callers.
)

// Kinds returns every kind once, for tables that must be complete.
func Kinds() []Kind {
	return []Kind{
		Invalid, NotFound, Conflict, Forbidden, Unauthenticated, Precondition, Gone, TooLarge, Exhausted,
		Unavailable, Internal,
	}
}

// Field is one thing wrong with the input. Name is the JSON path of the field ("items[2].length"), Code a stable machine
// code ("required", "too_long"), Message a sentence that says how to mend it and never repeats the submitted value.
type Field struct {
	Name    string `json:"name"`
	Code    string `json:"code"`
	Message string `json:"message"`
}

// Fault is an error a caller can act on.
type Fault struct {
	Kind    Kind
	Code    string            // Stable snake_case code, for example "grant_suspended". Equals the kind where no finer code exists.
	Message string            // One sentence for people: what is wrong and what to do next. No submitted values.
	Layer   string            // The layer that failed ("policy", "source", "store"), or "".
	Fields  []Field           // What is wrong with the input, in input order; nil when no field is to blame.
	Detail  map[string]string // Further machine-readable facts such as the moves allowed now; nil when there are none.
	cause   error
}

// New returns a fault with a formatted sentence. The arguments must not be values a caller submitted.
func New(kind Kind, code, format string, args ...any) *Fault {
	return &Fault{Kind: kind, Code: code, Message: fmt.Sprintf(format, args...)}
}

// InvalidFields returns an Invalid fault that names every wrong field at once, or nil when fields is empty.
func InvalidFields(fields []Field) error {
	if len(fields) == 0 {
		return nil
	}
	names := make([]string, 0, len(fields))
	seen := map[string]bool{}
	for _, f := range fields {
		if !seen[f.Name] {
			seen[f.Name] = true
			names = append(names, f.Name)
		}
	}
	return &Fault{
		Kind:    Invalid,
		Code:    string(Invalid),
		Message: "correct these fields: " + strings.Join(names, ", "),
		Fields:  fields,
	}
}

// Wrap returns f with cause underneath, so that errors.Is and errors.As reach it. The cause is logged, never shown.
func (f *Fault) Wrap(cause error) *Fault {
	g := *f
	g.cause = cause
	return &g
}

// With returns f with one more machine-readable fact.
func (f *Fault) With(key, value string) *Fault {
	g := *f
	g.Detail = make(map[string]string, len(f.Detail)+1)
	for k, v := range f.Detail {
		g.Detail[k] = v
	}
	g.Detail[key] = value
	return &g
}

// At returns f with the layer that failed.
func (f *Fault) At(layer string) *Fault {
	g := *f
	g.Layer = layer
	return &g
}

// Error is for logs: the code, the sentence, the fields' codes and the cause.
func (f *Fault) Error() string {
	var b strings.Builder
	b.WriteString(f.Code)
	b.WriteString(": ")
	b.WriteString(f.Message)
	if len(f.Fields) > 0 {
		parts := make([]string, 0, len(f.Fields))
		for _, field := range f.Fields {
			parts = append(parts, field.Name+" "+field.Code)
		}
		sort.Strings(parts)
		b.WriteString(" (" + strings.Join(parts, ", ") + ")")
	}
	if f.cause != nil {
		b.WriteString(": " + f.cause.Error())
	}
	return b.String()
}

// Unwrap returns the cause, or nil.
func (f *Fault) Unwrap() error { return f.cause }

// KindOf returns the kind of the first Fault in err's chain, Internal for any other error, and "" for nil.
func KindOf(err error) Kind {
	if err == nil {
		return ""
	}
	if f, ok := errors.AsType[*Fault](err); ok {
		return f.Kind
	}
	return Internal
}

// CodeOf returns the code of the first Fault in err's chain, "internal" for any other error, and "" for nil.
func CodeOf(err error) string {
	if err == nil {
		return ""
	}
	if f, ok := errors.AsType[*Fault](err); ok {
		return f.Code
	}
	return string(Internal)
}

// Is reports whether err is of the given kind.
func Is(err error, kind Kind) bool { return KindOf(err) == kind }
