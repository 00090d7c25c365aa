package filter

import (
	"strconv"
	"strings"
)

// maxListed is how many values of an in are written out before the rest is counted.
const maxListed = 20

// phrases are the words of one language. %s stands for the operands in order.
type phrases struct {
	eq, ne, lt, le, gt, ge  string
	in, notIn, prefix       string
	between, isNull, isThen string // isThen: a value is present
	bbox, not               string
	and, or, comma, more    string
	yes, no                 string
	openQuote, closeQuote   string
	openGroup, closeGroup   string
}

func phrasesOf(lang string) phrases {
	if lang == "en" {
		return phrases{
			eq: "%s is %s", ne: "%s is not %s", lt: "%s is less than %s", le: "%s is at most %s",
			gt: "%s is more than %s", ge: "%s is at least %s",
			in: "%s is one of %s", notIn: "%s is none of %s", prefix: "%s begins with %s",
			between: "%s is between %s and %s", isNull: "%s is empty", isThen: "%s is not empty",
			bbox: "%s touches the area %s to %s east, %s to %s north", not: "not %s",
			and: " and ", or: " or ", comma: ", ", more: "%s and %s more",
			yes: "yes", no: "no", openQuote: "“", closeQuote: "”", openGroup: "(", closeGroup: ")",
		}
	}
	return phrases{
		eq: "%s 是 %s", ne: "%s 不是 %s", lt: "%s 小于 %s", le: "%s 不大于 %s", gt: "%s 大于 %s", ge: "%s 不小于 %s",
		in: "%s 是 %s 之一", notIn: "%s 不是 %s 中的任何一个", prefix: "%s 以 %s 开头",
		between: "%s 在 %s 至 %s 之间", isNull: "%s 为空", isThen: "%s 不为空",
		bbox: "%s 与东经 %s 至 %s 度、北纬 %s 至 %s 度的范围相交", not: "并非%s",
		and: " 且 ", or: " 或 ", comma: "、", more: "%s 等 %s 项",
		yes: "是", no: "否", openQuote: "“", closeQuote: "”", openGroup: "（", closeGroup: "）",
	}
}

// Words says a filter in plain words for people who decide about it: Chinese, or English where lang is "en". names maps
// item identifiers to names; an item without a name is called by its identifier. labels returns the label of a code of
// an item, or "" where there is none, and may be nil. A code with a label is said by its label, other text is quoted.
// Words shows the filter's values, so it is for those who may see the terms, never for logs.
func Words(n *Node, lang string, names map[string]string, labels func(item, code string) string) string {
	w := wording{phrases: phrasesOf(lang), names: names, labels: labels, english: lang == "en"}
	return w.node(n, false)
}

type wording struct {
	phrases
	names   map[string]string
	labels  func(item, code string) string
	english bool
}

// node says one node; nested is true inside another one, where an and / or of several needs brackets.
func (w *wording) node(n *Node, nested bool) string {
	switch n.op {
	case OpAnd, OpOr:
		return w.joined(n, nested)
	case OpNot:
		return w.negated(n.args[0])
	case OpIsNull:
		return fill(w.isNull, w.name(n))
	case OpIn:
		return fill(w.in, w.name(n), w.list(n))
	case OpBetween:
		return fill(w.between, w.name(n), w.value(n, 0), w.value(n, 1))
	case OpBBox:
		return fill(w.bbox, w.name(n), degrees(n.box[0]), degrees(n.box[2]), degrees(n.box[1]), degrees(n.box[3]))
	default:
		return fill(w.comparison(n.op), w.name(n), w.value(n, 0))
	}
}

func (w *wording) comparison(op Op) string {
	switch op {
	case OpNe:
		return w.ne
	case OpLt:
		return w.lt
	case OpLe:
		return w.le
	case OpGt:
		return w.gt
	case OpGe:
		return w.ge
	case OpPrefix:
		return w.prefix
	default:
		return w.eq
	}
}

func (w *wording) joined(n *Node, nested bool) string {
	if len(n.args) == 1 {
		return w.node(n.args[0], nested)
	}
	parts := make([]string, len(n.args))
	for i, arg := range n.args {
		parts[i] = w.node(arg, true)
	}
	word := w.and
	if n.op == OpOr {
		word = w.or
	}
	text := strings.Join(parts, word)
	if nested {
		return w.openGroup + text + w.closeGroup
	}
	return text
}

// negated says what people would say where the language has a word for it.
func (w *wording) negated(n *Node) string {
	switch n.op {
	case OpIsNull:
		return fill(w.isThen, w.name(n))
	case OpIn:
		return fill(w.notIn, w.name(n), w.list(n))
	case OpEq:
		return fill(w.ne, w.name(n), w.value(n, 0))
	default:
		return fill(w.not, w.openGroup+w.node(n, false)+w.closeGroup)
	}
}

func (w *wording) name(n *Node) string {
	if name := w.names[n.item]; name != "" {
		return name
	}
	return n.item
}

func (w *wording) value(n *Node, i int) string {
	v := n.values[i]
	if w.labels != nil && n.op != OpPrefix {
		if label := w.labels(n.item, v.text); label != "" {
			return label
		}
	}
	switch {
	case v.kind == literalBool && v.text == "true":
		return w.yes
	case v.kind == literalBool:
		return w.no
	case v.kind == literalNumber:
		return v.text
	default:
		return w.openQuote + v.text + w.closeQuote
	}
}

func (w *wording) list(n *Node) string {
	parts := make([]string, min(len(n.values), maxListed))
	for i := range parts {
		parts[i] = w.value(n, i)
	}
	text := strings.Join(parts, w.comma)
	if rest := len(n.values) - len(parts); rest > 0 {
		count := len(n.values)
		if w.english {
			count = rest
		}
		return fill(w.more, text, strconv.Itoa(count))
	}
	return text
}

// fill replaces each %s by the next operand. Operands are not scanned again, so text that holds %s stays as it is.
func fill(phrase string, operands ...string) string {
	parts := strings.Split(phrase, "%s")
	var b strings.Builder
	b.WriteString(parts[0])
	for i, operand := range operands {
		b.WriteString(operand + parts[i+1])
	}
	return b.String()
}

func degrees(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }
