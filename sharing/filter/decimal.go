package filter

import (
	"cmp"
	"strconv"
	"strings"
)

// Bounds of a number in a filter. They keep its plain form short enough for any column and for constant work.
const (
	maxNumberLength = 160
	maxDigits       = 100 // between the first and the last digit that is not zero
	maxExponent     = 400
	maxPlainZeros   = 20 // more zeros than this beside the digits, and the canonical form uses an exponent
)

// decimal is an exact number: ± 0.digits × 10^exp, where digits has no leading or trailing zero. Zero has no digits.
type decimal struct {
	neg    bool
	digits string
	exp    int
}

// literalDecimal reads a number of a filter: what readDecimal reads, inside the bounds above.
func literalDecimal(s string) (decimal, bool) {
	if len(s) > maxNumberLength {
		return decimal{}, false
	}
	d, ok := readDecimal(s)
	if !ok || len(d.digits) > maxDigits || d.exp > maxExponent || d.exp-len(d.digits) < -maxExponent {
		return decimal{}, false
	}
	return d, true
}

// readDecimal reads an optional minus sign, digits with an optional point, and an optional exponent. It refuses
// anything else (NaN, infinities, blanks, "1.", ".5").
func readDecimal(s string) (decimal, bool) {
	var d decimal
	if strings.HasPrefix(s, "-") {
		d.neg, s = true, s[1:]
	}
	mantissa, exponent, hasExponent := cutAny(s, "eE")
	whole, fraction, hasPoint := strings.Cut(mantissa, ".")
	if !allDigits(whole) || (hasPoint && !allDigits(fraction)) {
		return decimal{}, false
	}
	shift := 0
	if hasExponent {
		sign := strings.TrimPrefix(strings.TrimPrefix(exponent, "+"), "-")
		if !allDigits(sign) || len(exponent)-len(sign) > 1 || len(sign) > 6 {
			return decimal{}, false
		}
		// At most six digits: cannot fail.
		shift, _ = strconv.Atoi(exponent)
	}
	digits := whole + fraction
	leading := len(digits) - len(strings.TrimLeft(digits, "0"))
	d.exp = len(whole) + shift - leading
	d.digits = strings.TrimRight(digits[leading:], "0")
	if d.digits == "" {
		return decimal{}, true
	}
	return d, true
}

func cutAny(s, chars string) (before, after string, found bool) {
	if i := strings.IndexAny(s, chars); i >= 0 {
		return s[:i], s[i+1:], true
	}
	return s, "", false
}

func allDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

// String returns the one form of the number, valid in JSON and as PostgreSQL numeric input.
func (d decimal) String() string {
	if d.digits == "" {
		return "0"
	}
	var b strings.Builder
	if d.neg {
		b.WriteByte('-')
	}
	n := len(d.digits)
	switch {
	case d.exp <= -maxPlainZeros || d.exp-n >= maxPlainZeros:
		b.WriteString(d.digits + "e" + strconv.Itoa(d.exp-n))
	case d.exp <= 0:
		b.WriteString("0." + strings.Repeat("0", -d.exp) + d.digits)
	case d.exp >= n:
		b.WriteString(d.digits + strings.Repeat("0", d.exp-n))
	default:
		b.WriteString(d.digits[:d.exp] + "." + d.digits[d.exp:])
	}
	return b.String()
}

// compare returns -1, 0 or +1 by value.
func (d decimal) compare(e decimal) int {
	if c := cmp.Compare(d.sign(), e.sign()); c != 0 || d.digits == "" {
		return c
	}
	c := cmp.Compare(d.exp, e.exp)
	if c == 0 {
		// Without trailing zeros the shorter of two with a common start is the smaller, which is string order.
		c = strings.Compare(d.digits, e.digits)
	}
	return c * d.sign()
}

func (d decimal) sign() int {
	switch {
	case d.digits == "":
		return 0
	case d.neg:
		return -1
	default:
		return 1
	}
}
