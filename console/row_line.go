package console

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/shuqiao/shuqiao/catalog"
	"github.com/shuqiao/shuqiao/sharing/filter"
)

// condition is one line of the row filter; all of them must hold.
type condition struct{ Item, Op, Value string }

// conditionLines is how many conditions the form offers.
const conditionLines = 3

// rowOps are the comparisons that the form offers, of those that the filter language has.
func rowOps() []string { return []string{"eq", "ne", "prefix", "ge", "le", "in"} }

// rowFilter writes the conditions in the filter language, nil when there is none. Values are numbers for items that hold
// numbers. What the items do not allow is for the service to say.
func (ch choice) rowFilter(items []catalog.Item) (json.RawMessage, error) {
	var args []any
	for _, c := range ch.Conditions {
		if c.Item == "" || c.Value == "" {
			continue
		}
		at := slices.IndexFunc(items, func(i catalog.Item) bool { return i.Identifier == c.Item })
		letter := catalog.Char
		if at >= 0 {
			letter = items[at].DataType
		}
		node := map[string]any{"op": c.Op, "item": c.Item}
		if c.Op == "in" {
			var values []any
			for part := range strings.FieldsFuncSeq(c.Value, func(r rune) bool { return strings.ContainsRune(" ,;\u3001\uff0c\uff1b", r) }) {
				values = append(values, rowValue(part, letter))
			}
			node["values"] = values
		} else {
			node["value"] = rowValue(c.Value, letter)
		}
		args = append(args, node)
	}
	if len(args) == 0 {
		return nil, nil
	}
	whole := args[0]
	if len(args) > 1 {
		whole = map[string]any{"op": "and", "args": args}
	}
	raw, err := json.Marshal(whole)
	if err != nil {
		return nil, fmt.Errorf("writing the row filter: %w", err)
	}
	if _, err := filter.Parse(raw); err != nil {
		return raw, err
	}
	return raw, nil
}

func rowValue(text string, letter catalog.DataType) any {
	switch letter {
	case catalog.Integer, catalog.Float, catalog.Double:
		if _, err := strconv.ParseFloat(text, 64); err == nil {
			return json.Number(text)
		}
	case catalog.Logical:
		return text == "1" || strings.EqualFold(text, "true")
	}
	return text
}

// inLines reports whether the lines of the form can say a row filter. Filters that callers of the HTTP contract made may
// say more; leaving a part out would ask for more rows than was meant.
func inLines(raw json.RawMessage, items []catalog.Item) bool {
	if len(raw) == 0 || string(raw) == "null" {
		return true
	}
	stated, err := filter.Parse(raw)
	if err != nil {
		return false
	}
	lines, err := choice{Conditions: conditionsOf(raw)}.rowFilter(items)
	if err != nil || lines == nil {
		return false
	}
	again, err := filter.Parse(lines)
	return err == nil && stated.Equal(again)
}

// conditionsOf reads a row filter back into lines, as far as lines can say it.
func conditionsOf(raw json.RawMessage) []condition {
	type line struct {
		Op     string            `json:"op"`
		Item   string            `json:"item"`
		Value  json.RawMessage   `json:"value"`
		Values []json.RawMessage `json:"values"`
		Args   []line            `json:"args"`
	}
	var whole line
	if len(raw) == 0 || json.Unmarshal(raw, &whole) != nil {
		return nil
	}
	lines := []line{whole}
	if whole.Op == "and" {
		lines = whole.Args
	}
	plain := func(r json.RawMessage) string {
		var s string
		if json.Unmarshal(r, &s) == nil {
			return s
		}
		return string(r)
	}
	var out []condition
	for _, l := range lines {
		c := condition{Item: l.Item, Op: l.Op, Value: plain(l.Value)}
		if l.Op == "in" {
			parts := make([]string, len(l.Values))
			for i, value := range l.Values {
				parts[i] = plain(value)
			}
			c.Value = strings.Join(parts, ",")
		}
		if c.Item != "" && slices.Contains(rowOps(), c.Op) && len(out) < conditionLines {
			out = append(out, c)
		}
	}
	return out
}
