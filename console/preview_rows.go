package console

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/shuqiao/shuqiao/catalog"
	"github.com/shuqiao/shuqiao/catalog/sample"
	"github.com/shuqiao/shuqiao/sharing/filter"
)

// previewTries is how many rows are made up to find some that lie inside a filter.
const previewTries = 400

// wanted is a part of a row filter as the form makes them.
type wanted struct {
	Op     filter.Op `json:"op"`
	Item   string    `json:"item"`
	Value  any       `json:"value"`
	Values []any     `json:"values"`
	Args   []wanted  `json:"args"`
}

// rowsInside makes up rows of all items that lie inside a row filter, nil for every row. Rows that happen to lie inside come first;
// where they are too few, values that the filter asks for are put into others. It returns fewer rows, or none, where no made-up row
// fits, and none for a filter that is wrong.
func rowsInside(items []catalog.Item, raw json.RawMessage, seed uint64) [][]sample.Value {
	if raw == nil {
		return sample.Rows(items, previewRows, seed)
	}
	node, err := filter.Parse(raw)
	if err != nil {
		return nil
	}
	schema, place := filter.Schema{}, map[string]int{}
	for n, i := range items {
		schema[i.Identifier] = filter.Column{Letter: i.DataType[0], Ops: filter.LetterOps(i.DataType[0])}
		place[i.Identifier] = n
	}
	bound, err := filter.Bind(node, schema)
	if err != nil {
		return nil
	}
	inside := func(row []sample.Value) bool {
		return bound.Eval(func(identifier string) ([]byte, bool) {
			n, ok := place[identifier]
			if !ok || row[n].Null {
				return nil, true
			}
			return []byte(row[n].Text), false
		}) == filter.True
	}
	candidates := sample.Rows(items, previewTries, seed)
	var out [][]sample.Value
	for _, row := range candidates {
		if inside(row) && len(out) < previewRows {
			out = append(out, row)
		}
	}
	var asked wanted
	if err := json.Unmarshal(raw, &asked); err != nil {
		return out
	}
	for n := 0; n < previewRows && len(out) < previewRows; n++ {
		row := slices.Clone(candidates[n])
		if inside(row) {
			continue // It is there already.
		}
		asked.steer(row, place, n)
		if inside(row) {
			out = append(out, row)
		}
	}
	return out
}

// steer puts values into the n-th row with which it should lie inside.
func (c wanted) steer(row []sample.Value, place map[string]int, n int) {
	for _, arg := range c.Args {
		arg.steer(row, place, n)
	}
	at, ok := place[c.Item]
	if !ok {
		return
	}
	text := fmt.Sprint(c.Value)
	if number, ok := c.Value.(float64); ok {
		text = strconv.FormatFloat(number, 'f', -1, 64)
	}
	switch c.Op {
	case filter.OpIn:
		if len(c.Values) == 0 {
			return
		}
		text = fmt.Sprint(c.Values[n%len(c.Values)])
	case filter.OpEq, filter.OpLe, filter.OpGe:
	case filter.OpGt:
		text = beside(text, 1+n)
	case filter.OpLt:
		text = beside(text, -1-n)
	case filter.OpPrefix:
		if rest := []rune(row[at].Text); len(rest) > len([]rune(text)) {
			text += string(rest[len([]rune(text)):])
		}
	default:
		return
	}
	row[at] = sample.Value{Text: text}
}

// beside is a number or a day some steps on; other texts stay as they are.
func beside(text string, steps int) string {
	if day, err := time.Parse(time.DateOnly, text); err == nil {
		return day.AddDate(0, 0, steps).Format(time.DateOnly)
	}
	if number, err := strconv.ParseFloat(text, 64); err == nil {
		return strconv.FormatFloat(number+float64(steps), 'f', -1, 64)
	}
	return text
}
