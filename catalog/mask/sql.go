package mask

import (
	"regexp"
	"strings"
)

// sqlTypes are the SQL types of the store by data type letter.
var sqlTypes = map[byte]string{
	'C': "text", 'M': "text", 'N': "numeric", 'Y': "numeric", 'D': "date", 'T': "timestamptz", 'L': "boolean", 'G': "bytea",
	'B': "double precision", 'F': "double precision", 'I': "bigint",
}

// codePoint is how Go writes code points of four hexadecimal digits in patterns.
var codePoint = regexp.MustCompile(`\\x\{([0-9a-f]{4})\}`)

// pattern returns a Go pattern as a PostgreSQL string literal. The patterns of this package hold no quotes.
func pattern(goPattern string) string {
	return quote(codePoint.ReplaceAllString(goPattern, `\u$1`))
}

// quote returns a string literal.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

// expand replaces every $c in a template by the column reference.
func expand(template, col string) string { return strings.ReplaceAll(template, "$c", col) }

func noSQL(string, byte) (string, bool) { return "", false }

// textSQL makes the SQL form of a rule for text: NULL and empty stay, and template judges the rest. $c is the column.
func textSQL(template string) func(col string, letter byte) (string, bool) {
	template = "CASE WHEN $c IS NULL OR $c = '' THEN $c ELSE " + template + " END"
	return func(col string, letter byte) (string, bool) {
		if strings.IndexByte(textLetters, letter) < 0 {
			return "", false
		}
		return expand(template, col), true
	}
}

var sqlHidden = quote(hidden)

// nameSQL is maskName.
var nameSQL = func() string {
	surnames := make([]string, 0, len(compoundSurnames))
	for _, s := range compoundSurnames {
		surnames = append(surnames, quote(s))
	}
	dots := make([]string, 0, 3)
	for _, r := range nameDots {
		dots = append(dots, quote(string(r)))
	}
	others := quote("[^" + nameDots + "]")
	return "CASE WHEN char_length($c) < 2 OR $c ~ " + pattern(namePattern) +
		" OR substr($c, 1, 1) IN (" + strings.Join(dots, ", ") + ") THEN " + sqlHidden +
		" WHEN char_length($c) > 2 AND substr($c, 1, 2) IN (" + strings.Join(surnames, ", ") + ")" +
		" THEN substr($c, 1, 2) || regexp_replace(substr($c, 3), " + others + ", '*', 'g')" +
		" ELSE substr($c, 1, 1) || regexp_replace(substr($c, 2), " + others + ", '*', 'g') END"
}()

// The SQL forms of the rules of the same names.
var (
	idCardSQL = "CASE WHEN $c ~ " + pattern(idCard18Pattern) + " THEN substr($c, 1, 6) || '********' || substr($c, 15)" +
		" WHEN $c ~ " + pattern(idCard15Pattern) + " THEN substr($c, 1, 6) || '******' || substr($c, 13) ELSE " + sqlHidden + " END"

	idCardStrictSQL = "CASE WHEN $c ~ " + pattern(idCard18Pattern) + " THEN substr($c, 1, 3) || '***********' || substr($c, 15)" +
		" WHEN $c ~ " + pattern(idCard15Pattern) + " THEN substr($c, 1, 3) || '*********' || substr($c, 13) ELSE " + sqlHidden + " END"

	mobileSQL = "CASE WHEN $c ~ " + pattern(mobilePattern) + " THEN substr($c, 1, 3) || '****' || substr($c, 8) ELSE " + sqlHidden + " END"

	phoneSQL = "CASE WHEN $c ~ " + pattern(mobilePattern) + " THEN substr($c, 1, 3) || '****' || substr($c, 8)" +
		" WHEN $c ~ " + pattern(phonePattern) + " THEN (regexp_match($c, " + pattern(phonePattern) + "))[1]" +
		" || repeat('*', char_length((regexp_match($c, " + pattern(phonePattern) + "))[2])) || right($c, 2) ELSE " + sqlHidden + " END"

	emailSQL = "CASE WHEN $c ~ " + pattern(emailPattern) +
		" THEN substr($c, 1, CASE WHEN strpos($c, '@') <= 4 THEN 1 ELSE 3 END) || '***' || substr($c, strpos($c, '@')) ELSE " + sqlHidden + " END"

	addressSQL = "CASE WHEN substring($c from " + pattern(addressPattern) + ") = '' THEN " + sqlHidden +
		" ELSE substring($c from " + pattern(addressPattern) + ") || '****' END"

	bankCardSQL = "CASE WHEN $c ~ " + pattern(bankCardPattern) + " THEN substr($c, 1, 4) || '****' || right($c, 4) ELSE " + sqlHidden + " END"

	midSQL = "CASE WHEN char_length($c) <= 3 THEN repeat('*', char_length($c))" +
		" ELSE substr($c, 1, 1) || repeat('*', char_length($c) - 3) || right($c, 2) END"

	// The identity numbers go first: what is left of them has no run of digits that reads as a mobile number.
	textScanSQL = "regexp_replace(regexp_replace(regexp_replace($c, " +
		`'(?<![0-9０-９])([0-9０-９]{6})[0-9０-９]{8}([0-9０-９]{3}[0-9０-９XxＸｘ])(?![0-9０-９])', '\1********\2', 'g'), ` +
		`'(?<![0-9０-９])([0-9０-９]{6})[0-9０-９]{6}([0-9０-９]{3})(?![0-9０-９])', '\1******\2', 'g'), ` +
		`'(?<![0-9０-９])((?:[8８][6６]|[0０])?[1１][0-9０-９]{2})[0-9０-９]{4}([0-9０-９]{4})(?![0-9０-９])', '\1****\2', 'g')`
)

// fullSQL hides values of every type.
func fullSQL(col string, letter byte) (string, bool) {
	if strings.IndexByte(textLetters, letter) >= 0 {
		return expand("CASE WHEN $c IS NULL OR $c = '' THEN $c ELSE "+sqlHidden+" END", col), true
	}
	return expand("CASE WHEN $c IS NULL THEN NULL ELSE "+sqlHidden+" END", col), sqlTypes[letter] != "" && letter != 'G'
}

// suppressSQL is NULL of the item's type. The column is not read.
func suppressSQL(_ string, letter byte) (string, bool) {
	return "NULL::" + sqlTypes[letter], sqlTypes[letter] != ""
}

func dateYearSQL(col string, letter byte) (string, bool) {
	return expand("CASE WHEN isfinite($c) THEN date_trunc('year', $c::timestamp)::date END", col), letter == 'D'
}

// numberSQL applies a template over the exact decimal value $c of a numeric, bigint or double precision column and casts
// back. A double counts by its shortest decimal notation, as Go does; NaN and infinities give NULL.
func numberSQL(template, col string, letter byte) (string, bool) {
	switch letter {
	case 'N', 'Y':
		return expand("CASE WHEN $c IN ('NaN', 'Infinity', '-Infinity') THEN NULL ELSE trim_scale("+template+") END", col), true
	case 'B', 'F':
		inner := expand(template, "("+col+")::text::numeric")
		return expand("CASE WHEN $c IN ('NaN', 'Infinity', '-Infinity') THEN NULL ELSE ("+inner+")::double precision END", col), true
	case 'I':
		return "(" + expand(template, "("+col+")::numeric") + ")::bigint", true
	}
	return "", false
}

func geoRoundSQL(col string, letter byte) (string, bool) {
	if letter != 'N' && letter != 'B' && letter != 'F' {
		return "", false
	}
	return numberSQL("round($c, 2)", col, letter)
}

// amountRoundSQL counts digits in text, because logarithms of numbers just below a power of ten round up to it.
func amountRoundSQL(col string, letter byte) (string, bool) {
	return numberSQL("CASE WHEN $c = 0 THEN 0"+
		" WHEN abs($c) >= 1 THEN trunc($c, 2 - char_length(trunc(abs($c))::text))"+
		` ELSE trunc($c, 2 + char_length(substring(abs($c)::text from '^0\.(0*)'))) END`, col, letter)
}
