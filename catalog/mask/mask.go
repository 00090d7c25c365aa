package mask

import (
	"strings"
)

// hidden is what whole values are replaced by. Its length says nothing about the value.
const hidden = "******"

// Mask is one masking rule.
type Mask struct {
	Name    string // Stable name, snake_case; what items and grants store.
	Version int    // Raised whenever the output for some value changes; part of a grant's terms and of the evidence.
	ZH      string // Chinese title.
	EN      string // English title.
	Letters string // The data type letters of the items it may be put on.
	// KeepsType is true for masks whose output has the item's data type; the others give text.
	KeepsType bool
	// Go masks a value in store text form: for dates YYYY-MM-DD, for numbers plain or shortest notation. null is true
	// when the output is NULL. NULL input is not passed: it stays NULL. key is the grant's secret and matters to hash only.
	Go func(value string, key []byte) (masked string, null bool)
	// SQL returns a PostgreSQL 15 expression that masks the column reference col of an item with the given data type
	// letter, and gives exactly what Go gives. col is a quoted identifier or another expression without side effects; it
	// occurs several times. Text columns are COLLATE "C" in a UTF-8 database with standard_conforming_strings on. ok is
	// false where SQL cannot say the same; such masks are applied by the hub process.
	SQL func(col string, letter byte) (expr string, ok bool)
	// Here is true where the Go form costs less than the SQL form, as BenchmarkMasks measures it: who answers many rows reads
	// the clear value and masks it before it leaves the process. PostgreSQL judges text by regular expressions, which take it
	// five to a hundred times as long.
	Here bool
}

// Allows reports whether the mask may be put on an item of a data type letter.
func (m Mask) Allows(letter byte) bool { return strings.IndexByte(m.Letters, letter) >= 0 }

// Output returns the data type letter of the masked value: the item's own, or M for text.
func (m Mask) Output(letter byte) byte {
	if m.KeepsType || letter == 'C' {
		return letter
	}
	return 'M'
}

// textLetters are characters and memo.
const textLetters = "CM"

// allLetters are all data types.
const allLetters = "CNYDTLMGBIF"

// masks is the table of all masks. The tests go through it.
var masks = []Mask{
	{Name: "name", Version: 1, ZH: "姓名", EN: "Name: surname kept", Letters: textLetters, Go: text(maskName), SQL: textSQL(nameSQL), Here: true},
	{Name: "id_card", Version: 1, ZH: "身份证号", EN: "Identity number: first 6 and last 4 kept", Letters: textLetters, Go: text(maskIDCard), SQL: textSQL(idCardSQL), Here: true},
	{Name: "id_card_strict", Version: 1, ZH: "身份证号(严格)", EN: "Identity number: first 3 and last 4 kept", Letters: textLetters, Go: text(maskIDCardStrict), SQL: textSQL(idCardStrictSQL), Here: true},
	{Name: "mobile", Version: 1, ZH: "手机号码", EN: "Mobile number: first 3 and last 4 kept", Letters: textLetters, Go: text(maskMobile), SQL: textSQL(mobileSQL), Here: true},
	{Name: "phone", Version: 1, ZH: "电话号码", EN: "Telephone number: area code and last 2 kept", Letters: textLetters, Go: text(maskPhone), SQL: textSQL(phoneSQL), Here: true},
	{Name: "email", Version: 1, ZH: "电子邮箱", EN: "E-mail address: up to 3 characters and domain kept", Letters: textLetters, Go: text(maskEmail), SQL: textSQL(emailSQL), Here: true},
	{Name: "address", Version: 1, ZH: "地址", EN: "Address: kept to the county", Letters: textLetters, Go: text(maskAddress), SQL: textSQL(addressSQL), Here: true},
	{Name: "bank_card", Version: 1, ZH: "银行卡号", EN: "Bank card: first 4 and last 4 kept", Letters: textLetters, Go: text(maskBankCard), SQL: textSQL(bankCardSQL), Here: true},
	{Name: "mid", Version: 1, ZH: "证件号码(保留首尾)", EN: "Middle hidden: first 1 and last 2 kept", Letters: textLetters, Go: text(maskMid), SQL: textSQL(midSQL), Here: true},
	{Name: "date_year", Version: 1, ZH: "日期保留年份", EN: "Date: first day of the year", Letters: "D", KeepsType: true, Go: dateYear, SQL: dateYearSQL},
	{Name: "geo_round", Version: 1, ZH: "坐标保留两位小数", EN: "Coordinate: two decimals, about 1 km", Letters: "NBF", KeepsType: true, Go: geoRound, SQL: geoRoundSQL},
	{Name: "amount_round", Version: 1, ZH: "金额保留两位有效数字", EN: "Amount: two leading digits kept", Letters: "NYBFI", KeepsType: true, Go: amountRound, SQL: amountRoundSQL},
	{Name: "text_scan", Version: 1, ZH: "文本中的证件号和手机号", EN: "Identity and mobile numbers inside free text", Letters: textLetters, Go: text(maskTextScan), SQL: textSQL(textScanSQL), Here: true},
	{Name: "hash", Version: 1, ZH: "加密散列 (SM3-HMAC)", EN: "Keyed hash (SM3-HMAC)", Letters: "CMNYID", Go: hash, SQL: noSQL},
	{Name: "full", Version: 1, ZH: "全部隐藏", EN: "Hidden as a whole", Letters: "CMNYDTLBIF", Go: text(func(string) (string, bool) { return hidden, true }), SQL: fullSQL},
	{Name: "suppress", Version: 1, ZH: "不提供", EN: "Suppressed: always null", Letters: allLetters, KeepsType: true, Go: suppress, SQL: suppressSQL},
}

// Masks returns all masks in the order in which they are listed to people.
func Masks() []Mask { return append([]Mask(nil), masks...) }

// Find returns the mask of a name; ok is false when there is none. "none" and "" are not masks.
func Find(name string) (m Mask, ok bool) {
	for _, m := range masks {
		if m.Name == name {
			return m, true
		}
	}
	return Mask{}, false
}

// text makes a Go form of a rule for non-empty text; ok false means that the rule cannot read the value.
func text(rule func(string) (string, bool)) func(string, []byte) (string, bool) {
	return func(value string, _ []byte) (string, bool) {
		if value == "" {
			return "", false
		}
		masked, ok := rule(value)
		if !ok {
			return hidden, false
		}
		return masked, false
	}
}
