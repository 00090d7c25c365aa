package pull

import (
	"bytes"
	"encoding/json"
	"strconv"

	"github.com/shuqiao/shuqiao/exchange/store"
)

// Format is how rows are written.
type Format string

// The formats. The zero value stands for JSON.
const (
	FormatJSON    Format = "json"    // One object with rows and cursors.
	FormatNDJSON  Format = "ndjson"  // One row a line; streams and exports.
	FormatCSV     Format = "csv"     // RFC 4180: comma, CRLF, UTF-8 without byte order mark, a header line of identifiers.
	FormatParquet Format = "parquet" // Exports only.
)

// ContentType returns the media type of an answer in this format.
func (f Format) ContentType() string {
	switch f {
	case FormatNDJSON:
		return "application/x-ndjson"
	case FormatCSV:
		return "text/csv; charset=utf-8; header=present"
	case FormatParquet:
		return "application/vnd.apache.parquet"
	}
	return "application/json"
}

// The columns of CSV that are no items: names of items never begin with an underscore. Keys stand in changes only, where
// deletes have nothing else.
const (
	columnOp  = "_op"
	columnSeq = "_seq"
	columnKey = "_key"
	columnRid = "_rid"
)

// appendCSVHead appends the header line of rows.
func (v *view) appendCSVHead(dst []byte) []byte {
	if !v.terms.keyClear {
		dst = append(dst, columnRid...)
		dst = append(dst, ',')
	}
	for i := range v.columns {
		dst = append(dst, v.columns[i].item.Identifier...)
		dst = append(dst, ',')
	}
	return append(dst[:len(dst)-1], '\r', '\n')
}

// appendCSVRow appends one row and the end of its line.
func (v *view) appendCSVRow(dst []byte, key string, cells [][]byte, rid *ridMaker) []byte {
	if !v.terms.keyClear {
		dst = append(rid.append(dst, key), ',')
	}
	for i := range v.columns {
		c := &v.columns[i]
		dst = c.appendCSV(dst, cells[i], v.terms.ridKey)
		dst = append(dst, ',')
	}
	return append(dst[:len(dst)-1], '\r', '\n')
}

// appendCSVChangesHead appends the header line of changes.
func (v *view) appendCSVChangesHead(dst []byte) []byte {
	dst = append(dst, columnOp+","+columnSeq+","...)
	if v.terms.keyClear {
		dst = append(dst, columnKey+","...)
	}
	return v.appendCSVHead(dst)
}

// appendCSVChange appends one change. The items of a delete are empty.
func (v *view) appendCSVChange(dst []byte, ch store.Change, rid *ridMaker) []byte {
	op := "upsert,"
	if ch.Delete {
		op = "delete,"
	}
	dst = strconv.AppendInt(append(dst, op...), ch.Seq, 10)
	dst = append(dst, ',')
	if v.terms.keyClear {
		dst = append(appendCSVText(dst, []byte(ch.Key)), ',')
	}
	if !ch.Delete {
		return v.appendCSVRow(dst, ch.Key, ch.Cells, rid)
	}
	if !v.terms.keyClear {
		dst = append(rid.append(dst, ch.Key), ',')
	}
	for range len(v.columns) - 1 {
		dst = append(dst, ',')
	}
	return append(dst, '\r', '\n')
}

// appendCSV appends one cell as JSON would have it, without the quotes of strings. NULL is empty, empty text is "".
func (c *column) appendCSV(dst, cell, key []byte) []byte {
	if c.form == formText {
		cell, ok := c.text(cell, key)
		if !ok {
			return dst
		}
		return appendCSVText(dst, cell)
	}
	start := len(dst)
	dst = c.appendValue(dst, cell, key)
	switch value := dst[start:]; {
	case string(value) == "null":
		return dst[:start]
	case value[0] == '"':
		// Numbers, dates and times: nothing in them needs a quote.
		copy(value, value[1:])
		return dst[:len(dst)-2]
	case c.form == formDigest:
		var digest struct{ SHA256 string }
		_ = json.Unmarshal(value, &digest) // It was written a moment ago.
		return append(append(dst[:start], "sha256:"...), digest.SHA256...)
	case c.form == formGeometry:
		return appendCSVText(dst[:start], bytes.Clone(value))
	}
	return dst
}

// text returns a text value masked; ok is false for NULL.
func (c *column) text(cell, key []byte) (_ []byte, ok bool) {
	if c.mask != nil && cell != nil {
		masked, null := c.mask.Go(string(cell), key)
		if null {
			return nil, false
		}
		return []byte(masked), true
	}
	return cell, cell != nil
}

// appendCSVText appends text, in quotes where it is empty or holds a comma, a quote or an end of line. Text is never
// changed: a value that a spreadsheet would take for a formula stays what it is.
func appendCSVText(dst, s []byte) []byte {
	if len(s) > 0 && bytes.IndexByte(s, ',') < 0 && bytes.IndexByte(s, '"') < 0 && bytes.IndexByte(s, '\n') < 0 && bytes.IndexByte(s, '\r') < 0 {
		return append(dst, s...)
	}
	dst = append(dst, '"')
	for {
		i := bytes.IndexByte(s, '"')
		if i < 0 {
			return append(append(dst, s...), '"')
		}
		dst = append(append(dst, s[:i+1]...), '"')
		s = s[i+1:]
	}
}
