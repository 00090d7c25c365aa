package pull

import (
	"bytes"
	"encoding/hex"
	"time"
	"unicode/utf8"

	"github.com/paulmach/orb/encoding/wkb"
	"github.com/paulmach/orb/geojson"
)

// form is how the text form of a PostgreSQL value is written in JSON.
type form byte

const (
	formText     form = iota // A string, escaped.
	formDecimal              // A number of PostgreSQL in quotes: digits, sign and point only.
	formNumber               // A JSON number; NaN and infinities become null.
	formTime                 // RFC 3339 with +08:00.
	formBool                 // t and f.
	formGeometry             // Hexadecimal WKB as GeoJSON.
	formDigest               // {"sha256": …}; the query gives the digest.
)

// formOf returns the form of a data type letter.
func formOf(letter byte, geometry bool) form {
	switch letter {
	case 'N', 'Y', 'D':
		return formDecimal
	case 'I', 'B', 'F':
		return formNumber
	case 'T':
		return formTime
	case 'L':
		return formBool
	case 'G':
		if geometry {
			return formGeometry
		}
		return formDigest
	}
	return formText
}

// appendValue appends one value. nil is null.
func appendValue(dst []byte, f form, cell []byte) []byte {
	if cell == nil {
		return append(dst, "null"...)
	}
	switch f {
	case formDecimal:
		if !finite(cell) {
			return append(dst, "null"...)
		}
		dst = append(dst, '"')
		dst = append(dst, cell...)
		return append(dst, '"')
	case formNumber:
		if !finite(cell) {
			return append(dst, "null"...)
		}
		return append(dst, cell...)
	case formTime:
		return appendTime(dst, cell)
	case formBool:
		if len(cell) > 0 && cell[0] == 't' {
			return append(dst, "true"...)
		}
		return append(dst, "false"...)
	case formGeometry:
		return appendGeometry(dst, cell)
	case formDigest:
		dst = append(dst, `{"sha256":"`...)
		dst = append(dst, cell...)
		return append(dst, '"', '}')
	default:
		return appendString(dst, cell)
	}
}

// finite reports whether a number or date of PostgreSQL is neither NaN nor infinite: those are words.
func finite(cell []byte) bool {
	last := len(cell) - 1
	return last >= 0 && cell[last] >= '0' && cell[last] <= '9'
}

const hexDigits = "0123456789abcdef"

// appendString appends a JSON string. Text of the store is UTF-8, so only quotes, backslashes and control characters
// need an escape; bytes that are no UTF-8 are replaced all the same, for text that came from elsewhere.
func appendString(dst, s []byte) []byte {
	dst = append(dst, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= ' ' && c < utf8.RuneSelf && c != '"' && c != '\\' {
			i++
			continue
		}
		if c >= utf8.RuneSelf {
			r, size := utf8.DecodeRune(s[i:])
			if r != utf8.RuneError || size > 1 {
				i += size
				continue
			}
			dst = append(dst, s[start:i]...)
			dst = append(dst, `\ufffd`...)
		} else {
			dst = append(dst, s[start:i]...)
			switch c {
			case '"', '\\':
				dst = append(dst, '\\', c)
			case '\n':
				dst = append(dst, '\\', 'n')
			case '\r':
				dst = append(dst, '\\', 'r')
			case '\t':
				dst = append(dst, '\\', 't')
			default:
				dst = append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
			}
		}
		i++
		start = i
	}
	dst = append(dst, s[start:]...)
	return append(dst, '"')
}

// beijing is UTC+8, in which times are answered.
var beijing = time.FixedZone("+08:00", 8*3600)

// answerTime is the layout of times in answers: RFC 3339 with up to six decimals.
const answerTime = "2006-01-02T15:04:05.999999-07:00"

// pgTime is how PostgreSQL writes a timestamptz under TimeZone UTC and DateStyle ISO.
const pgTime = "2006-01-02 15:04:05.999999-07"

// appendTime turns PostgreSQL's text of a time under TimeZone UTC ("2026-02-13 10:00:00.5+00") into RFC 3339 with +08:00.
// Times that it cannot read, such as infinity, become null.
func appendTime(dst, cell []byte) []byte {
	if hour, ok := utcHour(cell); ok && hour < 16 {
		hour += 8
		dst = append(dst, '"')
		dst = append(dst, cell[:10]...)
		dst = append(dst, 'T', byte('0'+hour/10), byte('0'+hour%10))
		dst = append(dst, cell[13:len(cell)-3]...)
		return append(dst, `+08:00"`...)
	}
	at, err := time.Parse(pgTime, string(cell))
	if err != nil {
		return append(dst, "null"...)
	}
	dst = append(dst, '"')
	dst = at.In(beijing).AppendFormat(dst, answerTime)
	return append(dst, '"')
}

// utcHour returns the hour of a time in the usual layout; ok is false for any other.
func utcHour(cell []byte) (hour int, ok bool) {
	n := len(cell)
	if n < 22 || cell[4] != '-' || cell[10] != ' ' || cell[13] != ':' || !bytes.HasSuffix(cell, []byte("+00")) {
		return 0, false
	}
	return int(cell[11]-'0')*10 + int(cell[12]-'0'), true
}

// appendGeometry turns the text form of a bytea with WKB into GeoJSON (RFC 7946). What is no WKB becomes null: the store
// holds only geometries that were read and written before.
func appendGeometry(dst, cell []byte) []byte {
	digits, ok := bytes.CutPrefix(cell, []byte(`\x`))
	if !ok {
		return append(dst, "null"...)
	}
	raw := make([]byte, hex.DecodedLen(len(digits)))
	if _, err := hex.Decode(raw, digits); err != nil {
		return append(dst, "null"...)
	}
	g, err := wkb.Unmarshal(raw)
	if err != nil {
		return append(dst, "null"...)
	}
	text, err := geojson.NewGeometry(g).MarshalJSON()
	if err != nil {
		return append(dst, "null"...)
	}
	return append(dst, text...)
}
