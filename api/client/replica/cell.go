package replica

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/bits"
	"strconv"
	"strings"
	"time"

	"github.com/shuqiao/shuqiao/api/client"
)

// rowIDColumn is the name of the column that identifies rows whose key is masked or not granted.
const rowIDColumn = "_rid"

// cells is one row in the order of its shape's columns, each in text; nil is NULL.
type cells []*string

// newShape is the shape that a schema gives. A row without key and _rid could not be told from others, so it is refused.
func newShape(s client.Schema) (Shape, error) {
	out := Shape{Terms: s.TermsVersion, Version: s.Version, RowID: s.RowID}
	if s.RowID {
		out.Columns = append(out.Columns, Column{Identifier: rowIDColumn, Title: "row id", Letter: "C", Key: 1})
	}
	for _, item := range s.Items {
		c := Column{Identifier: item.Identifier, Title: item.Name, Letter: item.DataType}
		if item.Masked {
			c.Letter = "M" // A mask may give text whatever the item is.
		}
		for i, key := range s.Key {
			if key == item.Identifier && !s.RowID {
				c.Key = i + 1
			}
		}
		out.Columns = append(out.Columns, c)
	}
	keys := out.keys()
	if len(keys) == 0 || !s.RowID && len(keys) != len(s.Key) {
		return Shape{}, fmt.Errorf("reading the schema: the hub does not say how rows are identified")
	}
	return out, nil
}

// row brings a row into the order and form of the copy.
func (s Shape) row(raw client.RawRow) (cells, error) {
	out := make(cells, len(s.Columns))
	for i, c := range s.Columns {
		value, ok := raw[c.Identifier]
		if !ok {
			return nil, fmt.Errorf("reading a row: it has no %s", c.Identifier)
		}
		text, err := cellText(value)
		if err != nil {
			return nil, fmt.Errorf("reading %s of a row: %w", c.Identifier, err)
		}
		if text == nil && c.Key > 0 {
			return nil, fmt.Errorf("reading a row: %s identifies it and is missing", c.Identifier)
		}
		out[i] = text
	}
	return out, nil
}

// cellText is the text of a JSON value: of strings what they say, of all else how it is written.
func cellText(raw json.RawMessage) (*string, error) {
	raw = bytes.TrimSpace(raw)
	if len(raw) == 0 {
		return nil, fmt.Errorf("no value")
	}
	var text string
	switch raw[0] {
	case 'n':
		return nil, nil
	case '"':
		if err := json.Unmarshal(raw, &text); err != nil {
			return nil, err
		}
	default:
		text = string(raw)
	}
	return &text, nil
}

// cellJSON appends a cell as the hub writes it.
func cellJSON(dst []byte, letter string, cell *string) []byte {
	switch {
	case cell == nil:
		return append(dst, "null"...)
	case letter == "I" || letter == "B" || letter == "F" || letter == "G" || letter == "L":
		return append(dst, *cell...)
	}
	text, err := json.Marshal(*cell)
	if err != nil { // A string can always be written.
		return append(dst, "null"...)
	}
	return append(dst, text...)
}

// canonical brings the texts of one value, as the hub, a database and a key write it, into one.
func canonical(letter, text string) string {
	switch letter {
	case "T":
		for _, layout := range []string{time.RFC3339Nano, "2006-01-02 15:04:05.999999999Z07", "2006-01-02 15:04:05.999999999Z07:00"} {
			if at, err := time.Parse(layout, text); err == nil {
				return at.UTC().Format("2006-01-02T15:04:05.999999Z")
			}
		}
	case "L":
		switch text {
		case "t":
			return "true"
		case "f":
			return "false"
		}
	case "B", "F":
		if f, err := strconv.ParseFloat(text, 64); err == nil {
			return strconv.FormatFloat(f, 'g', -1, 64)
		}
	}
	return text
}

// identity is what a row is known by within its copy.
func (s Shape) identity(row cells) string {
	keys := s.keys()
	parts := make([]string, len(keys))
	for i, column := range keys {
		parts[i] = canonical(s.Columns[column].Letter, *row[column])
	}
	return strings.Join(escaped(parts), "~1")
}

func escaped(parts []string) []string {
	for i, part := range parts {
		parts[i] = strings.ReplaceAll(part, "~", "~0")
	}
	return parts
}

// keyParts takes the key of a delete apart.
func (s Shape) keyParts(key string) ([]string, error) {
	parts := strings.Split(key, "~1")
	for i, part := range parts {
		parts[i] = strings.ReplaceAll(part, "~0", "~")
	}
	if len(parts) != len(s.keys()) {
		return nil, fmt.Errorf("reading a delete: its key has %d parts where the rows have %d", len(parts), len(s.keys()))
	}
	return parts, nil
}

// keyIdentity is the identity of the row with a key as deletes write it.
func (s Shape) keyIdentity(parts []string) string {
	out := make([]string, len(parts))
	for i, column := range s.keys() {
		out[i] = canonical(s.Columns[column].Letter, parts[i])
	}
	return strings.Join(escaped(out), "~1")
}

// Hash is the content hash of many rows: a sum over the rows modulo 2^128, so that their order does not matter, and their
// number. It guards against faults, not against attackers.
type Hash struct {
	Rows   int64
	hi, lo uint64
}

// add counts a row in. What it hashes is, for each column that is not NULL, its name and canonical value with their lengths.
func (h *Hash) add(s Shape, row cells) {
	var b []byte
	for i, cell := range row {
		if cell == nil {
			continue
		}
		value := canonical(s.Columns[i].Letter, *cell)
		b = binary.AppendUvarint(b, uint64(len(s.Columns[i].Identifier)))
		b = append(b, s.Columns[i].Identifier...)
		b = binary.AppendUvarint(b, uint64(len(value)))
		b = append(b, value...)
	}
	sum := sha256.Sum256(b)
	var carry uint64
	h.lo, carry = bits.Add64(h.lo, binary.BigEndian.Uint64(sum[8:]), 0)
	h.hi, _ = bits.Add64(h.hi, binary.BigEndian.Uint64(sum[:]), carry)
	h.Rows++
}

// String is the hash in 32 hexadecimal digits.
func (h *Hash) String() string {
	return hex.EncodeToString(binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, h.hi), h.lo))
}
