package pull

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/shuqiao/shuqiao/catalog"
	"github.com/shuqiao/shuqiao/catalog/codes"
	"github.com/shuqiao/shuqiao/exchange/transform"
)

// maxKey bounds keys that are looked up: longer ones cannot be in the store, whose index takes 2,704 bytes.
const maxKey = 4096

// converter brings a submitted value of one item into the form in which rows were converted when they were collected.
type converter struct {
	item      catalog.Item
	text      bool
	normalise func(string) string // Of the item's validator, or nil.
	plan      *transform.Plan     // Of items that are not text; nil for binary ones, which nobody submits.
}

func newConverter(item catalog.Item) (converter, error) {
	letter := letterOf(item)
	c := converter{item: item, text: letter == 'C' || letter == 'M'}
	if item.Validator != "" {
		if v, _, ok := codes.FindValidator(item.Validator); ok {
			c.normalise = v.Normalise
		}
	}
	if c.text || letter == 'G' {
		return c, nil
	}
	// Length and scale judge what may enter the store, not what may be asked.
	plan, faults := transform.Compile([]transform.Item{{No: item.No, Identifier: item.Identifier, Letter: letter}},
		[]transform.Column{{Name: item.Identifier, Kind: transform.KindText}}, time.Time{})
	if len(faults) > 0 {
		return converter{}, fmt.Errorf("preparing item %d for claims: %s", item.No, faults[0].Message)
	}
	c.plan = plan
	return c, nil
}

// oneCell is a row of one value.
type oneCell []byte

// Cell returns the value.
func (c oneCell) Cell(int, int) []byte { return c }

// convert returns the canonical form; ok is false when the value cannot be one of the item.
func (c *converter) convert(value string) (canonical string, ok bool) {
	if !utf8.ValidString(value) || strings.IndexByte(value, 0) >= 0 {
		return "", false
	}
	if c.text {
		if c.normalise != nil {
			value = c.normalise(value)
		}
		return value, true
	}
	if c.plan == nil {
		return "", false
	}
	var row transform.Row
	c.plan.Row(oneCell(value), 0, &row)
	if len(row.Reasons) > 0 || row.Values[0] == nil {
		return "", false
	}
	return string(row.Values[0]), true
}

// same reports whether a canonical value is the one stored, given in PostgreSQL's text form.
func (c *converter) same(canonical string, stored []byte) bool {
	switch letterOf(c.item) {
	case 'C', 'M':
		if canonical == string(stored) {
			return true
		}
		// Coded values were normalised to the code they mean when they were collected.
		return c.item.CodeSet != "" && (codes.Normalise(canonical) == string(stored) || codes.NormaliseUpper(canonical) == string(stored))
	case 'T':
		claimed, err1 := time.Parse(time.RFC3339Nano, canonical)
		at, err2 := time.Parse(pgTime, string(stored))
		return err1 == nil && err2 == nil && claimed.Equal(at)
	case 'L':
		return canonical == "true" == bytes.Equal(stored, []byte("t"))
	case 'B', 'F':
		claimed, err1 := strconv.ParseFloat(canonical, 64)
		f, err2 := strconv.ParseFloat(string(stored), 64)
		return err1 == nil && err2 == nil && claimed == f
	default:
		return canonical == string(stored)
	}
}

// canonicalKey returns the key in the form in which rows are stored under it; ok is false for a text that can be no key.
func (t *terms) canonicalKey(key string) (canonical string, ok bool) {
	if len(key) > maxKey || key == "" {
		return "", false
	}
	parts, ok := transform.SplitKey(key)
	if !ok || len(parts) != len(t.key) {
		return "", false
	}
	for i, item := range t.key {
		c := t.convert[item.No]
		if parts[i], ok = c.convert(parts[i]); !ok {
			return "", false
		}
	}
	return transform.JoinKey(parts...), true
}
