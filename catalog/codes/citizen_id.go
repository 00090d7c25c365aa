package codes

import "time"

// citizenIDWeights are 2^(18-i) mod 11 for i = 1..17. Source: GB 11643-1999, check character (ISO 7064 MOD 11-2).
var citizenIDWeights = [17]int{7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2}

// citizenIDChars are the check characters by weighted sum mod 11. Source: GB 11643-1999.
const citizenIDChars = "10X98765432"

// oldestAge is the age in years above which a birth date is worth a look.
const oldestAge = 150

// CitizenIDCheckDigit returns the 18th character for the first 17 digits of a citizen identity number (GB 11643). ok is
// false unless body is exactly 17 ASCII digits.
func CitizenIDCheckDigit(body string) (digit byte, ok bool) {
	if len(body) != 17 || !isDigits(body) {
		return 0, false
	}
	sum := 0
	for i, w := range citizenIDWeights {
		sum += int(body[i]-'0') * w
	}
	return citizenIDChars[sum%11], true
}

// CheckCitizenID judges a citizen identity number (公民身份号码, GB 11643-1999): 6 digits division of registration, 8 digits
// birth date, 3 digits sequence, check character; capital X. Rules in order: length, characters, province, calendar date,
// not after asOf, check character. The division may be any code ever valid; one that is not in the table is a warning, as
// are an age above 150 years at asOf and the 15-digit form of before 1999, which is accepted and never converted here.
// Numbers of residence permits (leading 9) are refused; CheckIDNumber accepts them for their own type.
// It returns nil for a value beyond doubt.
func CheckCitizenID(s string, asOf time.Time) []Finding {
	return checkCitizenID(s, asOf, false)
}

// checkCitizenID also accepts a leading 9 when foreign is true: permanent residence cards use the same construction.
func checkCitizenID(s string, asOf time.Time, foreign bool) []Finding {
	switch len(s) {
	case 18:
	case 15:
		return checkOldCitizenID(s, asOf)
	default:
		return []Finding{failure(CodeBadLength, "an identity number has 18 characters")}
	}
	if !isDigits(s[:17]) || (s[17] != 'X' && !isDigits(s[17:])) {
		return []Finding{failure(CodeBadCharacter, "an identity number has 17 digits and a digit or capital X at the end")}
	}
	var warnings []Finding
	if s[0] == '9' {
		if !foreign {
			return []Finding{failure(CodeUnknownProvince, "the first two digits are no province; a leading 9 belongs to a residence permit")}
		}
	} else if f, ok := divisionFinding(s[:6]); ok {
		if f.Level == LevelError {
			return []Finding{f}
		}
		warnings = append(warnings, f)
	}
	birth, ok := calendarDate(s[6:14])
	if !ok {
		return []Finding{failure(CodeImpossibleDate, "the birth date inside the identity number is no day of the calendar")}
	}
	if birth.After(asOf) {
		return []Finding{failure(CodeFutureDate, "the birth date inside the identity number lies in the future")}
	}
	if digit, _ := CitizenIDCheckDigit(s[:17]); digit != s[17] {
		return []Finding{failure(CodeBadCheckDigit, "the check character of the identity number does not agree with the other 17")}
	}
	if birth.AddDate(oldestAge, 0, 0).Before(asOf) {
		warnings = append(warnings, warning(CodeGreatAge, "the birth date inside the identity number is more than 150 years ago"))
	}
	return warnings
}

// checkOldCitizenID judges the 15-digit form: division, birth date with a two-digit year of the 20th century, sequence.
func checkOldCitizenID(s string, asOf time.Time) []Finding {
	if !isDigits(s) {
		return []Finding{failure(CodeBadCharacter, "an identity number of 15 characters has digits only")}
	}
	var warnings []Finding
	if f, ok := divisionFinding(s[:6]); ok {
		if f.Level == LevelError {
			return []Finding{f}
		}
		warnings = append(warnings, f)
	}
	birth, ok := calendarDate("19" + s[6:12])
	if !ok {
		return []Finding{failure(CodeImpossibleDate, "the birth date inside the identity number is no day of the calendar")}
	}
	if birth.After(asOf) {
		return []Finding{failure(CodeFutureDate, "the birth date inside the identity number lies in the future")}
	}
	return append(warnings, warning(CodeOldForm, "this is a 15-digit identity number of before 1999; ask for the 18-digit one"))
}

// ConvertOldCitizenID returns the 18-digit form of a 15-digit number: 19 before the year, check character behind. ok is
// false unless s is 15 digits. Callers use it only when somebody asked for the conversion: births before 1900 would get
// a wrong century, and nothing in the number tells.
func ConvertOldCitizenID(s string) (string, bool) {
	if len(s) != 15 || !isDigits(s) {
		return "", false
	}
	body := s[:6] + "19" + s[6:]
	digit, _ := CitizenIDCheckDigit(body)
	return body + string(digit), true
}

// The identity document types that CheckIDNumber judges by their own rule. Source: code list id_type.
const (
	IDTypeCitizen           = "111" // 居民身份证
	IDTypePermanentResident = "553" // 外国人永久居留证
	IDTypeUSCC              = "001" // 统一社会信用代码
)

// CheckIDNumber judges a document number by its type (code list id_type): 111 as a citizen identity number, 001 as a
// credit code, 553 as either a number built like a citizen identity number (leading 9 allowed) or the older 15-character
// card number. Other types have no national rule: 1 to 64 printable ASCII characters. An empty idType means that the type
// is not known: a value of 18 characters must satisfy the rule of 111, 553 or 001, others the rule of other types.
func CheckIDNumber(idType, s string, asOf time.Time) []Finding {
	switch idType {
	case IDTypeCitizen:
		return CheckCitizenID(s, asOf)
	case IDTypeUSCC:
		return CheckUSCC(s)
	case IDTypePermanentResident:
		if len(s) == 15 {
			return checkOtherNumber(s)
		}
		return checkCitizenID(s, asOf, true)
	case "":
		if len(s) != 18 {
			return checkOtherNumber(s)
		}
		findings := checkCitizenID(s, asOf, true)
		if _, wrong := FirstError(findings); !wrong {
			return findings
		}
		if other := CheckUSCC(s); !hasError(other) {
			return other
		}
		return findings
	}
	return checkOtherNumber(s)
}

func hasError(findings []Finding) bool {
	_, ok := FirstError(findings)
	return ok
}

// checkOtherNumber judges numbers of documents without a national rule.
func checkOtherNumber(s string) []Finding {
	if s == "" || len(s) > 64 {
		return []Finding{failure(CodeBadLength, "a document number has 1 to 64 characters")}
	}
	for i := 0; i < len(s); i++ {
		if s[i] < ' ' || s[i] > '~' {
			return []Finding{failure(CodeBadCharacter, "a document number has letters, digits and signs of ASCII only")}
		}
	}
	return nil
}

// calendarDate reads YYYYMMDD, all digits, as midnight UTC.
func calendarDate(s string) (time.Time, bool) {
	year := int(s[0]-'0')*1000 + int(s[1]-'0')*100 + int(s[2]-'0')*10 + int(s[3]-'0')
	month := int(s[4]-'0')*10 + int(s[5]-'0')
	day := int(s[6]-'0')*10 + int(s[7]-'0')
	if year < 1 || month < 1 || month > 12 || day < 1 {
		return time.Time{}, false
	}
	t := time.Date(year, time.Month(month), day, 0, 0, 0, 0, time.UTC)
	return t, t.Day() == day
}
