package sample

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/shuqiao/shuqiao/catalog"
	"github.com/shuqiao/shuqiao/catalog/codes"
)

// row is one row being made up. Its items agree with each other where a reader would notice: number, birth date and sex belong
// to one person.
type row struct {
	random *rand.Rand
	n      int // From 1.
	items  []catalog.Item
	birth  time.Time
	female bool
}

// city is a prefecture-level city; counties are below it. Both are public codes.
const city = "330600"

var counties = []struct{ code, name string }{
	{"330602", "越城区"}, {"330603", "柯桥区"}, {"330604", "上虞区"}, {"330624", "新昌县"}, {"330681", "诸暨市"}, {"330683", "嵊州市"},
}

var surnames = []string{"赵", "钱", "孙", "李", "周", "吴", "郑", "王", "冯", "陈"}

func (r *row) person() {
	r.birth = time.Date(1950+r.random.IntN(55), time.Month(1+r.random.IntN(12)), 1+r.random.IntN(28), 0, 0, 0, 0, time.UTC)
	r.female = r.random.IntN(2) == 0
}

func (r *row) digits(n int) string {
	var b strings.Builder
	for range n {
		b.WriteByte(byte('0' + r.random.IntN(10)))
	}
	return b.String()
}

// value makes up one value: by the validator, else by the code list, else by the data type and what the item is called.
func (r *row) value(item catalog.Item) Value {
	if item.ShareType == catalog.Withheld {
		return Value{Null: true}
	}
	name, typeItem, _ := strings.Cut(item.Validator, ":")
	if name == "id_number_by_type" {
		name = ""
		if other := r.typeCode(typeItem); other == codes.IDTypeCitizen {
			name = "citizen_id"
		} else if other == codes.IDTypeUSCC {
			name = "uscc"
		}
		if name == "" {
			return fitted(item, fmt.Sprintf("QQ%06d", r.n))
		}
	}
	if made := r.valid(name, item); made != "" {
		return Value{Text: made}
	}
	if list, ok := codes.List(item.CodeSet); ok {
		return Value{Text: r.code(list)}
	}
	if r.empty(item) {
		return Value{Null: true}
	}
	return r.typed(item)
}

// valid makes up a value that a validator accepts, "" for validators it does not know and for none.
func (r *row) valid(validator string, item catalog.Item) string {
	switch validator {
	case "citizen_id":
		return r.citizenID()
	case "uscc":
		return r.creditCode()
	case "org_code":
		return r.creditCode()[8:17]
	case "cert_id":
		typeCode, issuer, serial := r.creditCode()+"001", r.creditCode(), fmt.Sprintf("%06d", r.n)
		char, _ := codes.CertIDCheckChar(typeCode + issuer + serial + "001")
		return "1.2.156.3005.2." + typeCode + "." + issuer + "." + serial + ".001." + string(char)
	case "project_code":
		return fmt.Sprintf("2099-%s-00-00-%06d", city, r.n)
	case "mobile":
		return mobileBlock + r.digits(8)
	case "division":
		code := counties[r.random.IntN(len(counties))].code
		if item.Length >= 12 {
			return code + "000000"
		}
		return code
	case "resource_code":
		return fmt.Sprintf("399999/%06d", r.n)
	}
	return ""
}

// mobileBlock has been given to no operator.
const mobileBlock = "154"

// citizenID is a number on the code of a city: numbers are issued on codes of counties and districts only.
func (r *row) citizenID() string {
	sequence := 1 + 2*r.random.IntN(499)
	if r.female {
		sequence++
	}
	body := city + r.birth.Format("20060102") + fmt.Sprintf("%03d", sequence)
	char, _ := codes.CitizenIDCheckDigit(body)
	return body + string(char)
}

// creditCode has an organisation code that starts with QQ, which no registrar assigns.
func (r *row) creditCode() string {
	organisation := "QQ" + r.digits(6)
	char, _ := codes.OrgCodeCheckChar(organisation)
	body := "91" + city + organisation + string(char)
	char, _ = codes.USCCCheckChar(body)
	return body + string(char)
}

// code picks an entry that new records may hold: the person's sex, an identity card, else any.
func (r *row) code(list codes.CodeList) string {
	switch list.Name {
	case codes.ListSex:
		if r.female {
			return "2"
		}
		return "1"
	case codes.ListIDType:
		return codes.IDTypeCitizen
	case codes.ListEthnic:
		if r.random.IntN(10) > 0 {
			return "01" // As most rows of most places have it.
		}
	}
	var current []string
	for _, e := range list.Entries {
		if !e.ImportOnly {
			current = append(current, e.Code)
		}
	}
	if len(current) == 0 {
		return ""
	}
	return current[r.random.IntN(len(current))]
}

// typeCode is the document type that this row holds in an item, "" where that item has no list of types.
func (r *row) typeCode(identifier string) string {
	for _, item := range r.items {
		if item.Identifier == identifier && item.CodeSet == codes.ListIDType {
			return codes.IDTypeCitizen
		}
	}
	return ""
}

// empty says whether an optional item stays empty in this row: things that happen to few.
func (r *row) empty(item catalog.Item) bool {
	if item.Required || item.Key {
		return false
	}
	for _, rare := range []string{"former", "death", "cancel", "revoke", "deregister", "confiscate"} {
		if strings.Contains(item.Identifier, rare) {
			return r.n%5 != 0
		}
	}
	return false
}
