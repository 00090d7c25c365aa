package codes

import (
	"strings"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Normalise returns s in Unicode form NFKC (full-width letters and digits become ASCII) without blanks around it.
// A value that is already so is returned as it is, without allocation. Text that is no valid UTF-8 is returned as it is.
func Normalise(s string) string {
	if isPlain(s) {
		return s
	}
	if !utf8.ValidString(s) {
		return s
	}
	return strings.TrimSpace(norm.NFKC.String(s))
}

// NormaliseUpper is Normalise followed by upper-casing, for identifiers whose standard knows capital letters only.
func NormaliseUpper(s string) string {
	return strings.ToUpper(Normalise(s))
}

// NormaliseOrgCode is NormaliseUpper without the dash before the check character: GB 11714 prints it, registers do not
// store it.
func NormaliseOrgCode(s string) string {
	s = NormaliseUpper(s)
	if len(s) == 10 && s[8] == '-' {
		return s[:8] + s[9:]
	}
	return s
}

// isPlain reports whether s is printable ASCII without blanks at its ends, so that normalisation cannot change it.
func isPlain(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return s == "" || (s[0] != ' ' && s[len(s)-1] != ' ')
}

// isDigits reports whether s consists of ASCII digits only. The empty string does.
func isDigits(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}
