package codes

import "strings"

// usccAlphabet is the alphabet of credit codes: digits and capital letters without I, O, S, V, Z. Source: GB 32100-2015.
const usccAlphabet = "0123456789ABCDEFGHJKLMNPQRTUWXY"

// usccWeights are 3^(i-1) mod 31 for i = 1..17. Source: GB 32100-2015, check character.
var usccWeights = [17]int{1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28}

// usccClasses are the known classes by registration authority. Source: GB 32100-2015 table 1 with its later amendments.
var usccClasses = map[byte]string{
	'1': "1239",   // 机构编制: 机关, 事业单位, 群团, 其他
	'2': "19",     // 外交
	'3': "123459", // 司法行政: 律师事务所, 公证处, 基层法律服务所, 司法鉴定机构, 仲裁委员会, 其他
	'4': "19",     // 文化
	'5': "1239",   // 民政: 社会团体, 民办非企业单位, 基金会, 其他
	'6': "129",    // 旅游
	'7': "129",    // 宗教: 宗教活动场所, 宗教院校, 其他
	'8': "19",     // 工会
	'9': "123",    // 市场监管: 企业, 个体工商户, 农民专业合作社
	'A': "19",     // 军委改革编制办
	'N': "1239",   // 农业: 组级, 村级, 乡镇级集体经济组织, 其他
	'Y': "1",      // 其他
}

// usccValue maps a byte to its number in usccAlphabet, or 0xFF.
var usccValue = func() (table [256]byte) {
	for i := range table {
		table[i] = 0xFF
	}
	for i := 0; i < len(usccAlphabet); i++ {
		table[usccAlphabet[i]] = byte(i)
	}
	return table
}()

// USCCCheckChar returns the 18th character for the first 17 characters of a unified social credit code (GB 32100). ok is
// false unless body is exactly 17 characters of the alphabet.
func USCCCheckChar(body string) (char byte, ok bool) {
	if len(body) != 17 {
		return 0, false
	}
	sum := 0
	for i, w := range usccWeights {
		v := usccValue[body[i]]
		if v == 0xFF {
			return 0, false
		}
		sum += int(v) * w
	}
	return usccAlphabet[(31-sum%31)%31], true
}

// CheckUSCC judges a unified social credit code (统一社会信用代码, GB 32100-2015): registration authority, class, six digits
// division, nine characters organisation code, check character; capital letters. Rules in order: length, characters,
// known authority, check character. Warnings: authority and class are no known pair; the organisation code inside
// disagrees with GB 11714 (codes in use do). It does not ask whether the code was ever issued. It returns nil for a value
// beyond doubt.
func CheckUSCC(s string) []Finding {
	if len(s) != 18 {
		return []Finding{failure(CodeBadLength, "a credit code has 18 characters")}
	}
	for i := 0; i < 18; i++ {
		if usccValue[s[i]] == 0xFF {
			return []Finding{failure(CodeBadCharacter, "a credit code has digits and capital letters except I, O, S, V and Z")}
		}
	}
	if !isDigits(s[2:8]) {
		return []Finding{failure(CodeBadCharacter, "characters 3 to 8 of a credit code are the digits of a division")}
	}
	if s[1] == '0' {
		return []Finding{failure(CodeBadCharacter, "the second character of a credit code is not 0")}
	}
	classes, ok := usccClasses[s[0]]
	if !ok {
		return []Finding{failure(CodeUnknownRegistry, "the first character of the credit code is no registration authority")}
	}
	if char, _ := USCCCheckChar(s[:17]); char != s[17] {
		return []Finding{failure(CodeBadCheckDigit, "the last character of the credit code does not agree with the other 17")}
	}
	var warnings []Finding
	if strings.IndexByte(classes, s[1]) < 0 {
		warnings = append(warnings, warning(CodeUnknownClass, "the second character of the credit code is no known class of its authority"))
	}
	if char, _ := OrgCodeCheckChar(s[8:16]); char != s[16] {
		warnings = append(warnings, warning(CodeInnerCheckDigit, "the organisation code inside the credit code disagrees with its own check character"))
	}
	return warnings
}

// orgCodeWeights are 3^(9-i) mod 11 for i = 1..8. Source: GB 11714-1997, check character.
var orgCodeWeights = [8]int{3, 7, 9, 10, 5, 8, 4, 2}

// OrgCodeCheckChar returns the 9th character for the first 8 characters of an organisation code (GB 11714): digits and
// capital letters, A = 10 to Z = 35. ok is false unless body is exactly 8 such characters.
func OrgCodeCheckChar(body string) (char byte, ok bool) {
	if len(body) != 8 {
		return 0, false
	}
	sum := 0
	for i, w := range orgCodeWeights {
		v, ok := base36(body[i])
		if !ok {
			return 0, false
		}
		sum += v * w
	}
	switch c := 11 - sum%11; c {
	case 10:
		return 'X', true
	case 11:
		return '0', true
	default:
		return byte('0' + c), true
	}
}

// CheckOrgCode judges an organisation code (组织机构代码, GB 11714-1997) as it is stored: 8 digits or capital letters and a
// check character, without a dash (NormaliseOrgCode removes it). Rules in order: length, characters, check character.
func CheckOrgCode(s string) []Finding {
	if len(s) != 9 {
		return []Finding{failure(CodeBadLength, "an organisation code has 9 characters, without a dash")}
	}
	char, ok := OrgCodeCheckChar(s[:8])
	if !ok || (s[8] != 'X' && !isDigits(s[8:])) {
		return []Finding{failure(CodeBadCharacter, "an organisation code has digits and capital letters and ends in a digit or X")}
	}
	if char != s[8] {
		return []Finding{failure(CodeBadCheckDigit, "the last character of the organisation code does not agree with the other 8")}
	}
	return nil
}

// base36 is the number of a digit or capital letter: 0-9, A = 10 to Z = 35.
func base36(c byte) (int, bool) {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0'), true
	case c >= 'A' && c <= 'Z':
		return int(c-'A') + 10, true
	}
	return 0, false
}
