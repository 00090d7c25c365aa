package mask

import (
	"math/big"
	"strings"
	"time"
)

// maxExponent bounds the decimal exponents that are worked out; numbers beyond are hidden.
const maxExponent = 400

// dateYear gives the first day of the year of YYYY-MM-DD.
func dateYear(value string, _ []byte) (string, bool) {
	if _, err := time.Parse(time.DateOnly, value); err != nil {
		return "", true
	}
	return value[:4] + "-01-01", false
}

// decimal is a number as its digits: value = ±0.digits × 10^point, no zeros at the ends of digits; zero has no digits.
type decimal struct {
	negative bool
	digits   string
	point    int
}

// parseDecimal reads plain and scientific notation.
func parseDecimal(s string) (d decimal, ok bool) {
	mantissa, exponent := s, 0
	if i := strings.IndexAny(s, "eE"); i >= 0 {
		mantissa = s[:i]
		n, ok := new(big.Int).SetString(strings.TrimPrefix(s[i+1:], "+"), 10)
		if !ok || !n.IsInt64() || n.Int64() > maxExponent || n.Int64() < -maxExponent {
			return decimal{}, false
		}
		exponent = int(n.Int64())
	}
	if rest, found := strings.CutPrefix(mantissa, "-"); found {
		d.negative, mantissa = true, rest
	}
	whole, fraction, _ := strings.Cut(mantissa, ".")
	d.digits = whole + fraction
	if d.digits == "" || strings.Trim(d.digits, "0123456789") != "" {
		return decimal{}, false
	}
	d.point = len(whole) + exponent
	trimmed := strings.TrimLeft(d.digits, "0")
	d.point -= len(d.digits) - len(trimmed)
	d.digits = strings.TrimRight(trimmed, "0")
	return d, true
}

// String is plain notation without superfluous zeros, never -0.
func (d decimal) String() string {
	digits := strings.TrimRight(d.digits, "0")
	if digits == "" {
		return "0"
	}
	var b strings.Builder
	if d.negative {
		b.WriteByte('-')
	}
	switch {
	case d.point <= 0:
		b.WriteString("0." + strings.Repeat("0", -d.point) + digits)
	case d.point >= len(digits):
		b.WriteString(digits + strings.Repeat("0", d.point-len(digits)))
	default:
		b.WriteString(digits[:d.point] + "." + digits[d.point:])
	}
	return b.String()
}

// geoRound rounds to two decimals, halves away from zero.
func geoRound(value string, _ []byte) (string, bool) {
	d, ok := parseDecimal(value)
	if !ok {
		return "", true
	}
	keep := d.point + 2
	switch {
	case keep < 0:
		return "0", false
	case keep >= len(d.digits):
		return d.String(), false
	}
	up := d.digits[keep] >= '5'
	d.digits = d.digits[:keep]
	if up {
		n := new(big.Int)
		n.SetString("0"+d.digits, 10)
		n.Add(n, big.NewInt(1))
		rounded := n.String()
		d.point += len(rounded) - keep
		d.digits = rounded
	}
	return d.String(), false
}

// amountRound keeps the two leading digits and cuts off the rest.
func amountRound(value string, _ []byte) (string, bool) {
	d, ok := parseDecimal(value)
	if !ok {
		return "", true
	}
	if len(d.digits) > 2 {
		d.digits = d.digits[:2]
	}
	return d.String(), false
}
