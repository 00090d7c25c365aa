package transform

import "github.com/shuqiao/shuqiao/catalog/codes"

// Kind says in which lexical form a source's column gives its cells. The forms are those of the connector contract.
type Kind string

// The kinds.
const (
	KindText           Kind = "text"            // Text as it is.
	KindInteger        Kind = "integer"         // -?digits
	KindDecimal        Kind = "decimal"         // Plain notation without exponent.
	KindFloat          Kind = "float"           // Shortest round-trip notation, exponent allowed.
	KindBool           Kind = "bool"            // true or false
	KindDate           Kind = "date"            // YYYY-MM-DD
	KindTimestamp      Kind = "timestamp"       // RFC 3339 in UTC.
	KindLocalTimestamp Kind = "local_timestamp" // YYYY-MM-DDTHH:MM:SS[.ffffff] without zone: Asia/Shanghai.
	KindTime           Kind = "time"            // A time of day.
	KindBytes          Kind = "bytes"           // Raw bytes.
	KindGeometry       Kind = "geometry"        // Raw WKB or EWKB.
	KindJSON           Kind = "json"            // JSON text.
	KindOther          Kind = "other"           // The source's own text form.
)

// Kinds returns every kind once, for tables that must be complete.
func Kinds() []Kind {
	return []Kind{
		KindText, KindInteger, KindDecimal, KindFloat, KindBool, KindDate, KindTimestamp, KindLocalTimestamp, KindTime,
		KindBytes, KindGeometry, KindJSON, KindOther,
	}
}

// Letters are the data type letters of items, in the order of the catalogue guide.
const Letters = codes.Letters

// FormatGeometry is the Item.Format of a G item that holds a geometry.
const FormatGeometry = codes.FormatGeometry

// Item is what the plan needs to know of one information item.
type Item struct {
	No         int      // Stable item number, from 1, unique in the resource; orders keys and hashes.
	Identifier string   // English identifier; CheckTyped validators name their type item by it.
	Name       string   // Chinese name; not used for judging.
	Letter     byte     // One of Letters.
	Length     int      // C, M: characters; N, Y, I: digits in all. 0 means no limit.
	Scale      int      // N, Y: digits after the point, where Length is given.
	Key        bool     // Part of the row's key.
	Required   bool     // NULL and the empty text are refused.
	Format     string   // FormatGeometry for geometries, else "".
	Codes      []string // The values allowed, nil when free.
	Validator  string   // A validator of catalog/codes, with ":item" for those that take a type, or "".
}

// Column is the source's column that feeds the item at the same index.
type Column struct {
	Name string
	Kind Kind
}

// Cells is a batch of rows as a connector reads them. Cell returns nil for NULL; the bytes need to stay valid only until
// the caller has finished with the Row made from them.
type Cells interface {
	Cell(row, col int) []byte
}
