package postgres

import (
	"bytes"
	"encoding/hex"
	"strings"

	"github.com/jackc/pgx/v5/pgtype"

	"github.com/shuqiao/shuqiao/connectors"
)

// Result and parameter formats of the wire protocol.
const (
	formatText   = 0
	formatBinary = 1
)

// kindOf maps a base type to its portable kind. typtype is pg_type's: 'e' for enums. Types of extensions have no fixed
// number and are known by name.
func kindOf(oid uint32, name, typtype string) connectors.Kind {
	switch oid {
	case pgtype.TextOID, pgtype.VarcharOID, pgtype.BPCharOID, pgtype.NameOID, pgtype.QCharOID, pgtype.UUIDOID, pgtype.XMLOID:
		return connectors.Text
	case pgtype.Int2OID, pgtype.Int4OID, pgtype.Int8OID, pgtype.OIDOID:
		return connectors.Integer
	case pgtype.NumericOID:
		return connectors.Decimal
	case pgtype.Float4OID, pgtype.Float8OID:
		return connectors.Float
	case pgtype.BoolOID:
		return connectors.Bool
	case pgtype.DateOID:
		return connectors.Date
	case pgtype.TimestamptzOID:
		return connectors.Timestamp
	case pgtype.TimestampOID:
		return connectors.LocalTimestamp
	case pgtype.TimeOID:
		return connectors.Time
	case pgtype.ByteaOID:
		return connectors.Bytes
	case pgtype.JSONOID, pgtype.JSONBOID:
		return connectors.JSON
	}
	switch {
	case typtype == "e", name == "citext":
		return connectors.Text
	case typtype == "b" && (name == "geometry" || name == "geography"):
		return connectors.Geometry
	}
	return connectors.Other
}

// size reads length and scale from a type modifier, -1 for none. Source: PostgreSQL's varchar_out and numeric_typmod.
func size(oid uint32, typmod int) (length, scale int) {
	if typmod < 4 {
		return 0, 0
	}
	typmod -= 4 // VARHDRSZ
	switch oid {
	case pgtype.VarcharOID, pgtype.BPCharOID:
		return typmod, 0
	case pgtype.NumericOID:
		return typmod >> 16 & 0xffff, (typmod&0x7ff ^ 1024) - 1024
	}
	return 0, 0
}

// format is how the server sends a column of that kind.
func format(kind connectors.Kind) int16 {
	if kind == connectors.Bytes || kind == connectors.Geometry {
		return formatBinary
	}
	return formatText
}

// conversion says how a value becomes a cell.
type conversion uint8

const (
	asIs conversion = iota
	fromBool
	fromTimestamp
	fromLocalTimestamp
	fromTime
	fromPadded
)

func conversionOf(c column) conversion {
	switch c.Kind {
	case connectors.Text:
		if c.typeOID == pgtype.BPCharOID {
			return fromPadded
		}
	case connectors.Bool:
		return fromBool
	case connectors.Timestamp:
		return fromTimestamp
	case connectors.LocalTimestamp:
		return fromLocalTimestamp
	case connectors.Time:
		return fromTime
	}
	return asIs
}

// growth bounds by how many bytes a conversion can lengthen a value: a fraction of one digit grows to six, "t" to "true".
const growth = 8

// convert appends the cell for a value to dst. Values without a lexical form are appended as they are.
func (c conversion) convert(dst, value []byte) []byte {
	switch c {
	case fromBool:
		if len(value) == 1 && value[0] == 't' {
			return append(dst, "true"...)
		}
		return append(dst, "false"...)
	case fromTimestamp:
		if clock, ok := bytes.CutSuffix(value, []byte("+00")); ok && isTimestamp(clock) {
			return append(appendTimestamp(dst, clock), 'Z')
		}
	case fromLocalTimestamp:
		if isTimestamp(value) {
			return appendTimestamp(dst, value)
		}
	case fromPadded:
		// The blanks that fill a CHAR(n) up count neither when the server compares nor when it sorts: with them, a key
		// could not be named by its value, and rows would not be in the order of their cells.
		return append(dst, bytes.TrimRight(value, " ")...)
	case fromTime:
		if len(value) >= 8 {
			return appendFraction(append(dst, value[:8]...), value[8:])
		}
	}
	return append(dst, value...)
}

// isTimestamp reports whether value is YYYY-MM-DD HH:MM:SS[.f…], which leaves out infinity, BC and years of five digits.
func isTimestamp(value []byte) bool {
	return len(value) >= 19 && value[4] == '-' && value[10] == ' ' && (len(value) == 19 || value[19] == '.')
}

func appendTimestamp(dst, value []byte) []byte {
	dst = append(dst, value[:10]...)
	dst = append(dst, 'T')
	dst = append(dst, value[11:19]...)
	return appendFraction(dst, value[19:])
}

// appendFraction appends "" or "." and six digits for "" or "." and one to six digits.
func appendFraction(dst, fraction []byte) []byte {
	if len(fraction) == 0 {
		return dst
	}
	dst = append(dst, fraction...)
	return append(dst, "000000"[:max(0, 7-len(fraction))]...)
}

// parameter turns a cell, such as a part of a key, into the text of a parameter. The server reads the lexical forms of
// all other kinds as they are.
func parameter(kind connectors.Kind, cell string) string {
	switch kind {
	case connectors.Bytes:
		return `\x` + hex.EncodeToString([]byte(cell))
	case connectors.Geometry:
		return hex.EncodeToString([]byte(cell))
	}
	return cell
}

// arrayElement quotes elements of array parameters.
var arrayElement = strings.NewReplacer(`\`, `\\`, `"`, `\"`)

// array formats an array parameter.
func array(kind connectors.Kind, cells []string) string {
	var b strings.Builder
	b.WriteByte('{')
	for i, cell := range cells {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteByte('"')
		_, _ = arrayElement.WriteString(&b, parameter(kind, cell))
		b.WriteByte('"')
	}
	b.WriteByte('}')
	return b.String()
}
