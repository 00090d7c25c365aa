package filter

import (
	"slices"
	"strings"
)

// Truth is the answer of a filter for one row. A row is inside only when it is True.
type Truth int8

// The three answers, ordered so that and is the smallest of its arguments and or the greatest.
const (
	False Truth = iota
	Unknown
	True
)

func truth(b bool) Truth {
	if b {
		return True
	}
	return False
}

// BoxIdentifier returns the name under which Eval asks for one edge of the envelope of a geometry item:
// edge 0 is west, 1 south, 2 east, 3 north.
func BoxIdentifier(item string, edge int) string {
	return item + [...]string{".west", ".south", ".east", ".north"}[edge]
}

// Eval answers the filter for one row as PostgreSQL answers Bound.SQL for it. row returns the value of an item in its
// store text form (text as it is; numbers plain or as PostgreSQL prints them; dates YYYY-MM-DD; times RFC 3339 or
// PostgreSQL's ISO form; true / false), or null. For bbox it is asked for the four BoxIdentifier names. A value that is
// not in its type's form counts as null, so a row that cannot be read is never inside by a comparison.
func (b *Bound) Eval(row func(identifier string) (value []byte, null bool)) Truth {
	return b.root.eval(row)
}

func (c *condition) eval(row func(string) ([]byte, bool)) Truth {
	switch c.op {
	case OpAnd:
		answer := True
		for i := range c.args {
			answer = min(answer, c.args[i].eval(row))
		}
		return answer
	case OpOr:
		answer := False
		for i := range c.args {
			answer = max(answer, c.args[i].eval(row))
		}
		return answer
	case OpNot:
		return True - c.args[0].eval(row)
	case OpBBox:
		return c.evalBox(row)
	}
	value, null := row(c.item)
	if c.op == OpIsNull {
		return truth(null)
	}
	if null {
		return Unknown
	}
	v, ok := c.rule.row(string(value))
	if !ok {
		return Unknown
	}
	return truth(c.holds(v))
}

// holds answers a comparison for a value that is there.
func (c *condition) holds(v scalar) bool {
	switch c.op {
	case OpIn:
		_, found := slices.BinarySearchFunc(c.values, v, c.rule.compare)
		return found
	case OpBetween:
		return c.rule.compare(v, c.values[0]) >= 0 && c.rule.compare(v, c.values[1]) <= 0
	case OpPrefix:
		return strings.HasPrefix(v.text, c.values[0].text)
	}
	order := c.rule.compare(v, c.values[0])
	switch c.op {
	case OpNe:
		return order != 0
	case OpLt:
		return order < 0
	case OpLe:
		return order <= 0
	case OpGt:
		return order > 0
	case OpGe:
		return order >= 0
	default:
		return order == 0
	}
}

// evalBox is the and of four comparisons, so a missing edge answers Unknown unless another one is False.
func (c *condition) evalBox(row func(string) ([]byte, bool)) Truth {
	answer := True
	for edge := range c.box {
		value, null := row(BoxIdentifier(c.item, edge))
		v, ok := floatRow(string(value))
		switch {
		case null || !ok:
			answer = min(answer, Unknown)
		case edge < 2: // west and south of the row against east and north of the box
			answer = min(answer, truth(compareFloat(v.float, c.box[edge+2]) <= 0))
		default:
			answer = min(answer, truth(compareFloat(v.float, c.box[edge-2]) >= 0))
		}
	}
	return answer
}
