package filter

import (
	"slices"
	"strconv"

	"github.com/shuqiao/shuqiao/internal/fault"
)

// Bound is a filter whose items, operators and values were checked against a Schema. It never changes and may be
// shared between goroutines.
type Bound struct {
	root condition
}

// condition is one node with its column and its typed values.
type condition struct {
	op     Op
	item   string
	column Column
	rule   rule
	values []scalar // as in Node; of in sorted by the rule's order
	box    [4]float64
	args   []condition
}

// Bind checks a parsed filter against the schema. It returns
//
//   - a Forbidden fault, code filter_not_granted, when the filter names an item that is not in the schema or uses an
//     operator that the schema does not allow on its item: each field is named by the item's identifier when the schema
//     lists it, else by its position in the filter;
//   - else an Invalid fault, code filter_invalid, when an operator or a value does not fit an item's type, with the
//     position of each.
//
// No fault repeats a submitted value.
func Bind(n *Node, schema Schema) (*Bound, error) {
	b := binder{schema: schema}
	root := b.bind(n)
	switch {
	case len(b.forbidden) > 0:
		f := fault.New(fault.Forbidden, CodeNotGranted, "the filter uses items or operators that are not granted")
		f.Fields = b.forbidden
		return nil, f
	case len(b.invalid) > 0:
		return nil, invalidAll(b.invalid)
	}
	return &Bound{root: root}, nil
}

type binder struct {
	schema    Schema
	forbidden []fault.Field
	invalid   []fault.Field
}

func (b *binder) bind(n *Node) condition {
	c := condition{op: n.op, item: n.item, box: n.box}
	switch n.op {
	case OpAnd, OpOr, OpNot:
		for _, arg := range n.args {
			c.args = append(c.args, b.bind(arg))
		}
		return c
	}
	column, listed := b.schema[n.item]
	if !listed {
		b.refuse(n.path+".item", CodeNotGranted, "this item is not granted for filtering")
		return c
	}
	rule, known := ruleOf(column.Letter)
	switch {
	case column.Ops == 0:
		b.refuse(n.item, CodeNotGranted, "this item is not granted for filtering")
		return c
	case !known || !rule.ops.Has(n.op):
		// An operator that no item of this type has says nothing about the grant.
		b.wrong(n.path+".op", "op_not_for_type", "this item's type does not have the operator "+string(n.op))
		return c
	case !column.Ops.Has(n.op):
		b.refuse(n.item, CodeNotGranted, "the operator "+string(n.op)+" is not granted on this item")
		return c
	}
	c.column, c.rule = column, rule
	for i, v := range n.values {
		s, ok := rule.literal(v)
		if !ok {
			b.wrong(n.valuePath(i), "bad_value", rule.want)
			continue
		}
		c.values = append(c.values, s)
	}
	switch {
	case n.op == OpIn:
		slices.SortFunc(c.values, rule.compare)
		c.values = slices.CompactFunc(c.values, func(a, b scalar) bool { return rule.compare(a, b) == 0 })
	case n.op == OpBetween && len(c.values) == 2 && rule.compare(c.values[0], c.values[1]) > 0:
		b.wrong(n.path+".from", "from_above_to", "from must not be above to")
	}
	return c
}

func (b *binder) refuse(name, code, message string) {
	b.forbidden = append(b.forbidden, fault.Field{Name: name, Code: code, Message: message})
}

func (b *binder) wrong(name, code, message string) {
	b.invalid = append(b.invalid, fault.Field{Name: name, Code: code, Message: message})
}

func (n *Node) valuePath(i int) string {
	switch {
	case n.op == OpIn:
		return n.path + ".values[" + strconv.Itoa(i) + "]"
	case n.op == OpBetween && i == 0:
		return n.path + ".from"
	case n.op == OpBetween:
		return n.path + ".to"
	default:
		return n.path + ".value"
	}
}
