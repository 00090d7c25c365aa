package mask

import (
	"crypto/hmac"
	"encoding/hex"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/emmansun/gmsm/sm3"
)

// compoundSurnames are the surnames of two characters that keep both, where a given name follows.
var compoundSurnames = []string{
	"欧阳", "司马", "上官", "诸葛", "东方", "皇甫", "尉迟", "公孙", "令狐", "司徒", "司空", "夏侯", "慕容", "宇文", "长孙", "轩辕",
	"端木", "百里", "东郭", "南宫", "呼延", "独孤", "拓跋", "赫连", "澹台", "公冶", "宗政", "濮阳", "淳于", "单于", "太叔", "申屠",
	"仲孙", "钟离", "鲜于", "闾丘", "公羊", "公西", "漆雕", "乐正", "壤驷", "巫马", "第五", "闻人", "万俟", "梁丘", "左丘", "西门",
}

// compound has the compound surnames for looking one up.
var compound = func() map[string]struct{} {
	m := make(map[string]struct{}, len(compoundSurnames))
	for _, s := range compoundSurnames {
		m[s] = struct{}{}
	}
	return m
}()

// nameDots separate the parts of names of many peoples; they stay visible.
const nameDots = "·•・"

// namePattern finds the characters that no name has: control characters, digits and the signs of ASCII that names do not
// use (apostrophe, brackets, dash, full stop and grave accent occur).
const namePattern = `[\x{0001}-\x{001f}\x{0021}-\x{0026}\x{002a}-\x{002c}\x{002f}-\x{0040}\x{005b}-\x{005f}\x{007b}-\x{007f}]`

// nameRefuses is namePattern by hand: a table look-up for each character costs a tenth of the expression.
func nameRefuses(s string) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case c >= utf8.RuneSelf, c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c == 0:
		case c == ' ', c >= '\'' && c <= ')', c == '-', c == '.', c == '`':
		default:
			return true
		}
	}
	return false
}

// maskName keeps the surname: one character, two for compound surnames when a given name follows, and dots.
func maskName(s string) (string, bool) {
	count := utf8.RuneCountInString(s)
	first, size := utf8.DecodeRuneInString(s)
	if count < 2 || nameRefuses(s) || isNameDot(first) {
		return "", false
	}
	keep := size
	if count > 2 && isCompoundSurname(s) {
		keep = compoundBytes
	}
	out := make([]byte, keep, len(s))
	copy(out, s)
	for _, r := range s[keep:] {
		if isNameDot(r) {
			out = utf8.AppendRune(out, r)
		} else {
			out = append(out, '*')
		}
	}
	return string(out), true
}

// compoundBytes is the length of each compound surname: two characters of three bytes.
const compoundBytes = 6

func isCompoundSurname(s string) bool {
	if len(s) < compoundBytes {
		return false
	}
	_, ok := compound[s[:compoundBytes]]
	return ok
}

func isNameDot(r rune) bool { return r == '·' || r == '•' || r == '・' }

// The forms that both the Go and the SQL rules judge by. Code points are written \x{....} as Go wants them; pattern
// rewrites them for PostgreSQL.
const (
	idCard18Pattern = `^[0-9]{17}[0-9Xx]$`
	idCard15Pattern = `^[0-9]{15}$`
	mobilePattern   = `^1[0-9]{10}$`
	bankCardPattern = `^[0-9]{12,19}$`

	// phonePattern is an area code (10 and 2x have three digits with the 0, the others four) with a dash or not, and 7 or
	// 8 digits; or these digits alone.
	phonePattern = `^((?:(?:010|02[0-9]|0[3-9][0-9]{2})-?)?)([0-9]{5,6})[0-9]{2}$`

	// emailPattern is a local part and a domain without control characters and blanks of ASCII.
	emailPattern = `^[^@\x{0001}-\x{0020}\x{007f}]+@[^@\x{0001}-\x{0020}\x{007f}]+$`
)

// digits reports whether s has only ASCII digits.
func digits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

// The patterns of digits alone by hand, since they judge each value of a page.
func isIDCard18(s string) bool {
	return len(s) == 18 && digits(s[:17]) && (digits(s[17:]) || s[17] == 'X' || s[17] == 'x')
}

func isIDCard15(s string) bool { return len(s) == 15 && digits(s) }

func isMobile(s string) bool { return len(s) == 11 && s[0] == '1' && digits(s) }

func isBankCard(s string) bool { return len(s) >= 12 && len(s) <= 19 && digits(s) }

var (
	phoneNumber  = regexp.MustCompile(phonePattern)
	emailAddress = regexp.MustCompile(emailPattern)
)

// maskIDCard keeps the first 6 and last 4 characters, of the 15-digit form the last 3.
func maskIDCard(s string) (string, bool) {
	switch {
	case isIDCard18(s):
		return s[:6] + "********" + s[14:], true
	case isIDCard15(s):
		return s[:6] + "******" + s[12:], true
	}
	return "", false
}

// maskIDCardStrict keeps the first 3 and last 4 characters, of the 15-digit form the last 3.
func maskIDCardStrict(s string) (string, bool) {
	switch {
	case isIDCard18(s):
		return s[:3] + "***********" + s[14:], true
	case isIDCard15(s):
		return s[:3] + "*********" + s[12:], true
	}
	return "", false
}

// maskMobile keeps the first 3 and last 4 digits.
func maskMobile(s string) (string, bool) {
	if !isMobile(s) {
		return "", false
	}
	return s[:3] + "****" + s[7:], true
}

// maskPhone keeps area code and last 2 digits; a mobile number is masked as one.
func maskPhone(s string) (string, bool) {
	if masked, ok := maskMobile(s); ok {
		return masked, true
	}
	m := phoneNumber.FindStringSubmatch(s)
	if m == nil {
		return "", false
	}
	return m[1] + strings.Repeat("*", len(m[2])) + s[len(s)-2:], true
}

// maskEmail keeps 3 characters of the local part, 1 when it has at most 3, and the domain.
func maskEmail(s string) (string, bool) {
	if !emailAddress.MatchString(s) {
		return "", false
	}
	at := strings.IndexByte(s, '@')
	keep := 3
	if utf8.RuneCountInString(s[:at]) <= 3 {
		keep = 1
	}
	end := 0
	for range keep {
		_, size := utf8.DecodeRuneInString(s[end:])
		end += size
	}
	return s[:end] + "***" + s[at:], true
}

// addressStop are the characters that end the name of a province, city or county, and those that name streets, villages,
// houses and rooms, or occur in no such name: ASCII, full-width digits and blanks. None occurs inside a name.
const addressStop = `省市区县旗盟路街道巷弄里村镇乡号幢栋楼室组社\x{0001}-\x{007f}\x{ff10}-\x{ff19}\x{3000}`

// addressPattern matches province, city and county at the start of an address, as many of them as are there. The first
// character of a city or county may be one of 市旗盟路街道巷弄里村镇乡组社, because 路桥区 and 镇江市 start so. The character
// before 区 is none of those that make an estate, a community, a campus, a plant or a depot. All quantifiers are greedy and
// the match is leftmost-longest, in Go as in PostgreSQL, so that both find the same prefix.
const addressPattern = `^(?:[^` + addressStop + `]{1,8}(?:省|自治区|特别行政区))?` +
	`(?:` + addressFirst + `[^` + addressStop + `]{1,10}(?:市|自治州|地区|盟))?` +
	`(?:` + addressFirst + `(?:[^` + addressStop + `]{0,10}[县旗市]|[^` + addressStop + `]{0,10}[^` + addressStop + `小校厂库]区))?`

const addressFirst = `[^省区县号幢栋楼室\x{0001}-\x{007f}\x{ff10}-\x{ff19}\x{3000}]`

// maskAddress keeps province, city and county, as far as the address starts with them.
func maskAddress(s string) (string, bool) {
	end := addressPrefix(s)
	if end == 0 {
		return "", false
	}
	return s[:end] + "****", true
}

// maskBankCard keeps the first 4 and last 4 digits; the stars are four whatever they hide.
func maskBankCard(s string) (string, bool) {
	if !isBankCard(s) {
		return "", false
	}
	return s[:4] + "****" + s[len(s)-4:], true
}

// maskMid keeps the first and the last 2 characters; up to 3 characters are all hidden.
func maskMid(s string) (string, bool) {
	runes := []rune(s)
	from, to := 1, len(runes)-2
	if len(runes) <= 3 {
		from, to = 0, len(runes)
	}
	for i := from; i < to; i++ {
		runes[i] = '*'
	}
	return string(runes), true
}

// maskTextScan masks runs of digits, ASCII or full-width, inside free text: 17 digits and a digit or X, and 15 digits, as
// identity numbers; 11 digits starting with 1, with 0 or 86 before them or not, as mobile numbers. Longer and shorter runs
// are something else and stay.
func maskTextScan(s string) (string, bool) {
	if !strings.ContainsFunc(s, func(r rune) bool { return digitValue(r) >= 0 }) {
		return s, true
	}
	runes := []rune(s)
	for i := 0; i < len(runes); {
		if digitValue(runes[i]) < 0 {
			i++
			continue
		}
		end := i
		for end < len(runes) && digitValue(runes[end]) >= 0 {
			end++
		}
		checked := end < len(runes) && strings.ContainsRune("XxＸｘ", runes[end]) &&
			(end+1 == len(runes) || digitValue(runes[end+1]) < 0)
		switch n := end - i; {
		case n == 18 || (n == 17 && checked):
			stars(runes[i+6 : i+14])
		case n == 15:
			stars(runes[i+6 : i+12])
		case n == 11 && digitValue(runes[i]) == 1:
			stars(runes[i+3 : i+7])
		case n == 12 && digitValue(runes[i]) == 0 && digitValue(runes[i+1]) == 1:
			stars(runes[i+4 : i+8])
		case n == 13 && digitValue(runes[i]) == 8 && digitValue(runes[i+1]) == 6 && digitValue(runes[i+2]) == 1:
			stars(runes[i+5 : i+9])
		}
		i = end
	}
	return string(runes), true
}

func stars(runes []rune) {
	for i := range runes {
		runes[i] = '*'
	}
}

// digitValue is the value of an ASCII or full-width digit, or -1.
func digitValue(r rune) int {
	switch {
	case r >= '0' && r <= '9':
		return int(r - '0')
	case r >= '０' && r <= '９':
		return int(r - '０')
	}
	return -1
}

// hash is HMAC-SM3 (GB/T 32905, GB/T 15852.2) of the value under the grant's key, in hexadecimal. Plain hashes of
// identity and phone numbers can be enumerated, so without a key the value is hidden as a whole.
func hash(value string, key []byte) (string, bool) {
	if value == "" {
		return "", false
	}
	if len(key) == 0 {
		return hidden, false
	}
	mac := hmac.New(sm3.New, key)
	mac.Write([]byte(value))
	return hex.EncodeToString(mac.Sum(nil)), false
}

func suppress(string, []byte) (string, bool) { return "", true }
