package codes

import (
	"strings"
	"time"
)

// Validator is a named check that an item of a resource may carry (item field validator).
type Validator struct {
	Name string // Stable name, snake_case.
	ZH   string // Chinese title.
	EN   string // English title.
	// Normalise brings input into the form that Check judges and that is stored.
	Normalise func(s string) string
	// Check judges a non-empty, normalised value on the day asOf. nil means beyond doubt.
	Check func(s string, asOf time.Time) []Finding
	// CheckTyped is not nil for validators that take the code of a type from another item of the row; Check then
	// answers for an unknown type.
	CheckTyped func(typeCode, s string, asOf time.Time) []Finding
}

// validators is the table of all validators. The tests go through it.
var validators = []Validator{
	{
		Name: "citizen_id", ZH: "公民身份号码 (GB 11643)", EN: "Citizen identity number (GB 11643)",
		Normalise: NormaliseUpper, Check: CheckCitizenID,
	},
	{
		Name: "uscc", ZH: "统一社会信用代码 (GB 32100)", EN: "Unified social credit code (GB 32100)",
		Normalise: NormaliseUpper, Check: timeless(CheckUSCC),
	},
	{
		Name: "org_code", ZH: "组织机构代码 (GB 11714)", EN: "Organisation code (GB 11714)",
		Normalise: NormaliseOrgCode, Check: timeless(CheckOrgCode),
	},
	{
		Name: "cert_id", ZH: "电子证照标识 (GB/T 36904)", EN: "Electronic certificate identifier (GB/T 36904)",
		Normalise: NormaliseUpper, Check: timeless(CheckCertID),
	},
	{
		Name: "project_code", ZH: "投资项目代码", EN: "Investment project code",
		Normalise: Normalise, Check: timeless(CheckProjectCode),
	},
	{
		Name: "mobile", ZH: "手机号码", EN: "Mobile number",
		Normalise: Normalise, Check: timeless(CheckMobile),
	},
	{
		Name: "division", ZH: "行政区划代码 (GB/T 2260)", EN: "Division code (GB/T 2260)",
		Normalise: Normalise, Check: timeless(CheckDivision),
	},
	{
		Name: "resource_code", ZH: "信息资源代码", EN: "Resource code",
		Normalise: Normalise, Check: timeless(CheckResourceCode),
	},
	{
		Name: "id_number_by_type", ZH: "按证件类型校验的证件号码", EN: "Document number by document type",
		Normalise: NormaliseUpper,
		Check: func(s string, asOf time.Time) []Finding {
			return CheckIDNumber("", s, asOf)
		},
		CheckTyped: CheckIDNumber,
	},
}

// timeless adapts a check that does not depend on the day.
func timeless(check func(string) []Finding) func(string, time.Time) []Finding {
	return func(s string, _ time.Time) []Finding { return check(s) }
}

// Validators returns all validators in the order in which they are listed to people.
func Validators() []Validator {
	return append([]Validator(nil), validators...)
}

// FindValidator returns the validator that spec names. spec is a name ("uscc"), or for a validator with CheckTyped a name,
// a colon and the identifier of the item that holds the type ("id_number_by_type:legal_rep_id_type"), which is returned
// as typeItem. ok is false when there is no such validator or it takes no type.
func FindValidator(spec string) (v Validator, typeItem string, ok bool) {
	name, typeItem, typed := strings.Cut(spec, ":")
	for _, v := range validators {
		if v.Name == name {
			if typed && (v.CheckTyped == nil || typeItem == "") {
				return Validator{}, "", false
			}
			return v, typeItem, true
		}
	}
	return Validator{}, "", false
}
