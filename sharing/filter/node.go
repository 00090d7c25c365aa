package filter

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
)

// Op is an operator of the language.
type Op string

// The operators. Comparisons take one value; prefix takes text; bbox asks whether a geometry's envelope meets a box.
const (
	OpEq      Op = "eq"
	OpNe      Op = "ne"
	OpLt      Op = "lt"
	OpLe      Op = "le"
	OpGt      Op = "gt"
	OpGe      Op = "ge"
	OpIn      Op = "in"
	OpPrefix  Op = "prefix"
	OpBetween Op = "between"
	OpIsNull  Op = "is_null"
	OpBBox    Op = "bbox"
	OpAnd     Op = "and"
	OpOr      Op = "or"
	OpNot     Op = "not"
)

// literalKind is the JSON type a value was written in.
type literalKind byte

const (
	literalText literalKind = iota
	literalNumber
	literalBool
)

// literal is one value of a filter. text holds the string, the normalised number, or "true" / "false".
type literal struct {
	kind literalKind
	text string
}

func (l literal) appendJSON(dst []byte) []byte {
	if l.kind == literalText {
		return appendJSONString(dst, l.text)
	}
	return append(dst, l.text...)
}

// Node is a parsed filter. It never changes after Parse and may be shared between goroutines.
type Node struct {
	op     Op
	item   string
	values []literal // eq…prefix: one; in: the list; between: from, to
	box    [4]float64
	args   []*Node // and, or: one or more; not: one
	path   string  // where in the submitted filter the node stood, for error messages
}

// Op returns the node's operator.
func (n *Node) Op() Op { return n.op }

// Items returns the identifiers of the items the filter looks at, each once, in byte order.
func (n *Node) Items() []string {
	var items []string
	n.walk(func(m *Node) {
		if m.item != "" {
			items = append(items, m.item)
		}
	})
	slices.Sort(items)
	return slices.Compact(items)
}

func (n *Node) walk(visit func(*Node)) {
	visit(n)
	for _, arg := range n.args {
		arg.walk(visit)
	}
}

// Canonical returns the filter in its one canonical JSON form: no white space, members in a fixed order, numbers
// normalised, the arguments of and / or and the values of in sorted and each kept once. Two filters written with these
// in another order are the same filter and have the same canonical bytes, so a hash of them identifies the terms.
// Parse accepts the result and gives an Equal filter. Store these bytes as text: jsonb would rewrite them.
func (n *Node) Canonical() []byte { return n.appendCanonical(nil) }

func (n *Node) appendCanonical(dst []byte) []byte {
	dst = append(dst, `{"op":"`...)
	dst = append(dst, n.op...)
	dst = append(dst, '"')
	switch n.op {
	case OpAnd, OpOr:
		parts := make([][]byte, len(n.args))
		for i, arg := range n.args {
			parts[i] = arg.Canonical()
		}
		dst = appendSortedSet(append(dst, `,"args":`...), parts)
	case OpNot:
		dst = n.args[0].appendCanonical(append(dst, `,"arg":`...))
	default:
		dst = appendJSONString(append(dst, `,"item":`...), n.item)
		dst = n.appendOperands(dst)
	}
	return append(dst, '}')
}

func (n *Node) appendOperands(dst []byte) []byte {
	switch n.op {
	case OpIsNull:
		return dst
	case OpIn:
		parts := make([][]byte, len(n.values))
		for i, v := range n.values {
			parts[i] = v.appendJSON(nil)
		}
		return appendSortedSet(append(dst, `,"values":`...), parts)
	case OpBetween:
		dst = n.values[0].appendJSON(append(dst, `,"from":`...))
		return n.values[1].appendJSON(append(dst, `,"to":`...))
	case OpBBox:
		dst = append(dst, `,"box":[`...)
		for i, edge := range n.box {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = strconv.AppendFloat(dst, edge, 'f', -1, 64)
		}
		return append(dst, ']')
	default:
		return n.values[0].appendJSON(append(dst, `,"value":`...))
	}
}

func appendSortedSet(dst []byte, parts [][]byte) []byte {
	slices.SortFunc(parts, bytes.Compare)
	parts = slices.CompactFunc(parts, bytes.Equal)
	dst = append(dst, '[')
	dst = append(dst, bytes.Join(parts, []byte{','})...)
	return append(dst, ']')
}

func appendJSONString(dst []byte, s string) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	// A string and a bytes.Buffer cannot fail.
	_ = e.Encode(s)
	return append(dst, bytes.TrimSuffix(b.Bytes(), []byte{'\n'})...)
}

// Equal reports whether both filters have the same canonical form. Two nil filters are equal.
func (n *Node) Equal(m *Node) bool {
	if n == nil || m == nil {
		return n == m
	}
	return bytes.Equal(n.Canonical(), m.Canonical())
}

// MarshalJSON returns the canonical form.
func (n *Node) MarshalJSON() ([]byte, error) { return n.Canonical(), nil }

// UnmarshalJSON parses as Parse does and returns its faults.
func (n *Node) UnmarshalJSON(data []byte) error {
	m, err := Parse(data)
	if err != nil {
		return err
	}
	*n = *m
	return nil
}
