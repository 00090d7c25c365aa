package filter

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// SQL returns the filter as a PostgreSQL condition and the arguments of its parameters, which are numbered from
// firstParam ($1 is 1). The text holds operators, casts, the schema's column expressions and parameter numbers, never a
// submitted value. Every argument is a string in PostgreSQL's text form of the type it is cast to, so that any driver
// mode can send it.
//
// The condition is TRUE, FALSE or NULL; a row is inside when it is TRUE, which is what WHERE asks. Under NOT or in a
// select list use InsideSQL. Comparisons name the column alone on one side, so that an index on it (for text: an index
// with COLLATE "C") can serve them, prefix included.
func (b *Bound) SQL(firstParam int) (where string, args []any) {
	w := sqlWriter{next: firstParam}
	w.condition(&b.root)
	return w.text.String(), w.args
}

// InsideSQL is SQL wrapped so that it is TRUE for rows inside and FALSE for all others, never NULL.
func (b *Bound) InsideSQL(firstParam int) (inside string, args []any) {
	where, args := b.SQL(firstParam)
	return "(" + where + " IS TRUE)", args
}

type sqlWriter struct {
	text strings.Builder
	args []any
	next int
}

// param appends an argument and returns its placeholder with a cast.
func (w *sqlWriter) param(value, cast string) string {
	w.args = append(w.args, value)
	placeholder := "$" + strconv.Itoa(w.next) + "::" + cast
	w.next++
	return placeholder
}

func (w *sqlWriter) condition(c *condition) {
	w.text.WriteByte('(')
	switch c.op {
	case OpAnd:
		w.joined(c.args, " AND ")
	case OpOr:
		w.joined(c.args, " OR ")
	case OpNot:
		w.text.WriteString("NOT ")
		w.condition(&c.args[0])
	case OpIsNull:
		w.text.WriteString(c.column.SQL + " IS NULL")
	case OpIn:
		elements := make([]string, len(c.values))
		for i, v := range c.values {
			elements[i] = v.sql
		}
		w.text.WriteString(c.column.SQL + " = ANY (" + w.param(arrayText(elements), c.rule.cast+"[]") + c.rule.collate + ")")
	case OpBetween:
		w.compare(c, ">=", c.values[0].sql)
		w.text.WriteString(" AND ")
		w.compare(c, "<=", c.values[1].sql)
	case OpPrefix:
		w.compare(c, ">=", c.values[0].sql)
		if end, ok := prefixEnd(c.values[0].sql); ok {
			w.text.WriteString(" AND ")
			w.compare(c, "<", end)
		}
	case OpBBox:
		w.box(c)
	default:
		w.compare(c, comparison(c.op), c.values[0].sql)
	}
	w.text.WriteByte(')')
}

func (w *sqlWriter) joined(args []condition, word string) {
	for i := range args {
		if i > 0 {
			w.text.WriteString(word)
		}
		w.condition(&args[i])
	}
}

func (w *sqlWriter) compare(c *condition, operator, value string) {
	w.text.WriteString(c.column.SQL + " " + operator + " " + w.param(value, c.rule.cast) + c.rule.collate)
}

// box asks whether the row's envelope and the box have a point in common, edges included.
func (w *sqlWriter) box(c *condition) {
	for i, edge := range []struct {
		column   string
		operator string
		value    float64
	}{
		{c.column.Box[0], "<=", c.box[2]},
		{c.column.Box[1], "<=", c.box[3]},
		{c.column.Box[2], ">=", c.box[0]},
		{c.column.Box[3], ">=", c.box[1]},
	} {
		if i > 0 {
			w.text.WriteString(" AND ")
		}
		value := strconv.FormatFloat(edge.value, 'g', -1, 64)
		w.text.WriteString(edge.column + " " + edge.operator + " " + w.param(value, "double precision"))
	}
}

func comparison(op Op) string {
	switch op {
	case OpNe:
		return "<>"
	case OpLt:
		return "<"
	case OpLe:
		return "<="
	case OpGt:
		return ">"
	case OpGe:
		return ">="
	default:
		return "="
	}
}

// prefixEnd returns the smallest text above every text that begins with prefix, and false when there is none. UTF-8
// keeps code point order, so it is the prefix with its last character replaced by the next one; a last U+10FFFF has no
// next and gives way to the character before it.
func prefixEnd(prefix string) (string, bool) {
	for prefix != "" {
		last, size := utf8.DecodeLastRuneInString(prefix)
		prefix = prefix[:len(prefix)-size]
		switch last {
		case utf8.MaxRune:
			continue
		case 0xD7FF: // the code points after it are surrogates, which text cannot hold
			return prefix + "\uE000", true
		default:
			return prefix + string(last+1), true
		}
	}
	return "", false
}

// arrayText writes a one-dimensional PostgreSQL array with every element quoted.
func arrayText(elements []string) string {
	var b strings.Builder
	b.WriteByte('{')
	for i, element := range elements {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteByte('"')
		for j := range len(element) {
			if element[j] == '"' || element[j] == '\\' {
				b.WriteByte('\\')
			}
			b.WriteByte(element[j])
		}
		b.WriteByte('"')
	}
	b.WriteByte('}')
	return b.String()
}
