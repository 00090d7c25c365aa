package connectors

import "slices"

// Kind is the portable type of a column. It fixes the lexical form of its cells; see the table in the package comment.
type Kind string

// The kinds.
const (
	Text           Kind = "text"
	Integer        Kind = "integer"
	Decimal        Kind = "decimal"
	Float          Kind = "float"
	Bool           Kind = "bool"
	Date           Kind = "date"
	Timestamp      Kind = "timestamp"       // An instant; the source knows its zone.
	LocalTimestamp Kind = "local_timestamp" // A wall-clock time; the source does not say in which zone.
	Time           Kind = "time"
	Bytes          Kind = "bytes"
	Geometry       Kind = "geometry"
	JSON           Kind = "json"
	Other          Kind = "other" // A type without a portable form: the source's text.
)

// Kinds returns every kind once, for tables that must be complete.
func Kinds() []Kind {
	return []Kind{
		Text, Integer, Decimal, Float, Bool, Date, Timestamp, LocalTimestamp, Time, Bytes, Geometry, JSON, Other,
	}
}

// Column describes one column of a source object.
type Column struct {
	Name       string `json:"name"`              // As the source spells it.
	NativeType string `json:"native_type"`       // The source's own type name, for people.
	Kind       Kind   `json:"kind"`              // What its cells look like.
	Length     int    `json:"length,omitempty"`  // Characters (text) or total digits (decimal); 0 when unbounded or meaningless.
	Scale      int    `json:"scale,omitempty"`   // Digits after the decimal point; meaningful only where Length > 0.
	Nullable   bool   `json:"nullable"`          // False when the source itself forbids NULL.
	IsKey      bool   `json:"is_key"`            // Part of Schema.Key.
	Comment    string `json:"comment,omitempty"` // The source's comment, often its Chinese name; "" when none.
}

// Schema describes a source object.
type Schema struct {
	Columns []Column `json:"columns"` // In the source's order; never empty.
	Key     []string `json:"key"`     // Columns of the best unique NOT NULL key, in key order; nil when the object has none.

	// Unique are the columns of every unique NOT NULL key, Key first.
	Unique [][]string `json:"unique,omitempty"`
}

// UniqueBy reports whether no two rows of the object can agree in these columns.
func (s Schema) UniqueBy(columns []string) bool {
	return slices.ContainsFunc(s.Unique, func(key []string) bool {
		return !slices.ContainsFunc(key, func(name string) bool { return !slices.Contains(columns, name) })
	})
}

// Column returns the column of that name.
func (s Schema) Column(name string) (Column, bool) {
	for _, c := range s.Columns {
		if c.Name == name {
			return c, true
		}
	}
	return Column{}, false
}

// TableKind says what an object of a source is.
type TableKind string

// The kinds of objects.
const (
	KindTable TableKind = "table"
	KindView  TableKind = "view" // Has no key of its own, so reads of it cannot be resumed.
)

// Table is one object that can be read.
type Table struct {
	Object        string    `json:"object"` // What to hand to Describe, Read and Lookup.
	Schema        string    `json:"schema"`
	Name          string    `json:"name"`
	Kind          TableKind `json:"kind"`
	EstimatedRows int64     `json:"estimated_rows"` // The source's own estimate; -1 when it has none.
	Comment       string    `json:"comment,omitempty"`
}
