package transform

import (
	"bytes"
	"strconv"
)

// maxNumber bounds the characters of a number; numeric columns hold more, registers do not.
const maxNumber = 1000

// decimal reads plain decimal notation and returns it without superfluous zeros, plus or minus zero. It returns in itself
// where nothing changes and bytes of the arena otherwise; whole and fraction count the digits that remain.
func (r *Row) decimal(in []byte) (out []byte, whole, fraction int, ok bool) {
	s := in
	negative := false
	if len(s) > 0 && (s[0] == '-' || s[0] == '+') {
		negative = s[0] == '-'
		s = s[1:]
	}
	point := -1
	for i, c := range s {
		if c >= '0' && c <= '9' {
			continue
		}
		if c != '.' || point >= 0 {
			return nil, 0, 0, false
		}
		point = i
	}
	integer, decimals := s, []byte(nil)
	if point >= 0 {
		integer, decimals = s[:point], s[point+1:]
	}
	if len(integer)+len(decimals) == 0 {
		return nil, 0, 0, false
	}
	for len(integer) > 0 && integer[0] == '0' {
		integer = integer[1:]
	}
	for len(decimals) > 0 && decimals[len(decimals)-1] == '0' {
		decimals = decimals[:len(decimals)-1]
	}
	whole, fraction = len(integer), len(decimals)
	if whole+fraction == 0 {
		return zero, 0, 0, true
	}
	size := max(whole, 1)
	if fraction > 0 {
		size += 1 + fraction
	}
	if negative {
		size++
	}
	if size == len(in) {
		// Nothing was dropped and nothing is added, so the input is the result: a dropped character makes the result
		// shorter, and the only one added is the zero before a bare point, next to which none was dropped.
		if in[0] != '+' && in[0] != '.' && (!negative || in[1] != '.') {
			return in, whole, fraction, true
		}
	}
	start := len(r.arena)
	if negative {
		r.arena = append(r.arena, '-')
	}
	if whole == 0 {
		r.arena = append(r.arena, '0')
	}
	r.arena = append(r.arena, integer...)
	if fraction > 0 {
		r.arena = append(r.arena, '.')
		r.arena = append(r.arena, decimals...)
	}
	return r.since(start), whole, fraction, true
}

var zero = []byte("0")

// plain rewrites scientific notation of a float column in plain notation; other input comes back as it is.
func (r *Row) plain(in []byte) ([]byte, bool) {
	if bytes.IndexByte(in, 'e') < 0 && bytes.IndexByte(in, 'E') < 0 {
		return in, true
	}
	if !floatCharacters(in) {
		return nil, false
	}
	f, err := strconv.ParseFloat(view(in), 64)
	if err != nil {
		return nil, false
	}
	start := len(r.arena)
	r.arena = strconv.AppendFloat(r.arena, f, 'f', -1, 64)
	return r.since(start), true
}

// exact brings a cell of any kind into plain decimal notation, and counts the digits before and after the point.
func (r *Row) exact(p *itemPlan, in []byte) (out []byte, whole, fraction int, reason string) {
	if len(in) > maxNumber {
		return nil, 0, 0, ReasonOutOfRange
	}
	if p.kind == KindFloat {
		plain, ok := r.plain(in)
		if !ok {
			return nil, 0, 0, ReasonBadNumber
		}
		in = plain
	}
	out, whole, fraction, ok := r.decimal(in)
	if !ok {
		return nil, 0, 0, ReasonBadNumber
	}
	return out, whole, fraction, ""
}

// numeric converts to N and Y.
func (r *Row) numeric(p *itemPlan, in []byte) ([]byte, string) {
	out, whole, fraction, reason := r.exact(p, in)
	if reason != "" {
		return nil, reason
	}
	if p.item.Length > 0 && (whole > p.item.Length-p.item.Scale || fraction > p.item.Scale) {
		return nil, ReasonOutOfRange
	}
	return out, ""
}

// integer converts to I. A fraction of zeros is dropped, any other is no integer.
func (r *Row) integer(p *itemPlan, in []byte) ([]byte, string) {
	out, whole, fraction, reason := r.exact(p, in)
	if reason != "" {
		return nil, reason
	}
	if fraction > 0 {
		return nil, ReasonBadNumber
	}
	if p.item.Length > 0 && whole > p.item.Length {
		return nil, ReasonOutOfRange
	}
	if whole >= 19 {
		if _, err := strconv.ParseInt(view(out), 10, 64); err != nil {
			return nil, ReasonOutOfRange
		}
	}
	return out, ""
}

// float converts to B and F.
func (r *Row) float(in []byte) ([]byte, string) {
	if len(in) > maxNumber {
		return nil, ReasonOutOfRange
	}
	if !floatCharacters(in) {
		return nil, ReasonBadNumber
	}
	f, err := strconv.ParseFloat(view(in), 64)
	if err != nil {
		if f > 1 || f < -1 {
			return nil, ReasonOutOfRange
		}
		return nil, ReasonBadNumber
	}
	if f == 0 {
		return zero, ""
	}
	start := len(r.arena)
	r.arena = strconv.AppendFloat(r.arena, f, 'g', -1, 64)
	return r.since(start), ""
}

// floatCharacters reports whether in has only characters of decimal floating point, which keeps out the hexadecimal,
// underscored, infinite and NaN forms that strconv reads too.
func floatCharacters(in []byte) bool {
	for _, c := range in {
		if (c < '0' || c > '9') && c != '.' && c != '-' && c != '+' && c != 'e' && c != 'E' {
			return false
		}
	}
	return len(in) > 0
}

// boolean converts to L.
func boolean(in []byte) ([]byte, string) {
	switch string(in) {
	case "true", "TRUE", "True", "t", "T", "1", "Y", "y", "yes", "YES", "Yes", "是":
		return trueText, ""
	case "false", "FALSE", "False", "f", "F", "0", "N", "n", "no", "NO", "No", "否":
		return falseText, ""
	}
	return nil, ReasonBadBoolean
}

var trueText, falseText = []byte("true"), []byte("false")
