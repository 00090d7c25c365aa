package sample

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/shuqiao/shuqiao/catalog"
	"github.com/shuqiao/shuqiao/catalog/codes"
)

// typed makes up a value of an item that has neither validator nor code list.
func (r *row) typed(item catalog.Item) Value {
	switch item.DataType {
	case catalog.Date:
		return Value{Text: r.date(item).Format(time.DateOnly)}
	case catalog.Timestamp:
		at := time.Date(2025, 1, 1, 8, 0, 0, 0, time.FixedZone("", 8*3600)).Add(time.Duration(r.random.IntN(300*24*60)) * time.Minute)
		return Value{Text: at.Format(time.RFC3339)}
	case catalog.Number, catalog.Currency:
		return Value{Text: r.decimal(item)}
	case catalog.Integer:
		return Value{Text: strconv.Itoa(r.random.IntN(1000))}
	case catalog.Double, catalog.Float:
		if degrees := r.degrees(item); degrees != "" {
			return Value{Text: degrees}
		}
		return Value{Text: strconv.FormatFloat(float64(r.random.IntN(1_000_000))/100, 'f', -1, 64)}
	case catalog.Logical:
		return Value{Text: strconv.FormatBool(r.random.IntN(2) == 0)}
	case catalog.General:
		if item.Format == codes.FormatGeometry {
			return Value{Text: fmt.Sprintf("POINT (120.%02d 30.%02d)", r.random.IntN(100), r.random.IntN(100))}
		}
		return Value{Null: true}
	}
	return fitted(item, r.words(item))
}

func (r *row) date(item catalog.Item) time.Time {
	day := func(year, years int) time.Time {
		return time.Date(year+r.random.IntN(years), time.Month(1+r.random.IntN(12)), 1+r.random.IntN(28), 0, 0, 0, 0, time.UTC)
	}
	switch {
	case strings.Contains(item.Identifier, "birth"):
		return r.birth
	case strings.HasSuffix(item.Identifier, "_to") || strings.HasSuffix(item.Identifier, "until"):
		return day(2030, 10)
	}
	return day(2015, 10)
}

// degrees are a longitude or latitude, "" for items that are neither.
func (r *row) degrees(item catalog.Item) string {
	switch {
	case strings.Contains(item.Identifier, "longitude"):
		return "120." + r.digits(4)
	case strings.Contains(item.Identifier, "latitude"):
		return "30." + r.digits(4)
	}
	return ""
}

// decimal has at most as many digits as the item takes, before and behind the point.
func (r *row) decimal(item catalog.Item) string {
	whole := max(item.Length-item.Scale, 0)
	if degrees := r.degrees(item); degrees != "" && whole >= 3 && item.Scale >= 4 {
		return degrees
	}
	text := "0"
	if whole > 0 {
		text = strconv.Itoa(1+r.random.IntN(9)) + r.digits(min(whole, 5)-1)
	}
	if fraction := min(item.Scale, 2); fraction > 0 {
		text += "." + r.digits(fraction)
	}
	return text
}

// words makes up a text by what the item is called.
func (r *row) words(item catalog.Item) string {
	county := counties[r.random.IntN(len(counties))]
	has := func(parts ...string) bool {
		for _, part := range parts {
			if strings.Contains(item.Identifier, part) || strings.Contains(item.Name, part) {
				return true
			}
		}
		return false
	}
	number := fmt.Sprintf("QQ%04d", r.n)
	switch {
	case item.MaskRule == "name" || has("rep_name", "姓名"):
		return surnames[r.random.IntN(len(surnames))] + "示例"
	case item.MaskRule == "bank_card":
		return "0000000000" + r.digits(6)
	case item.MaskRule == "id_card" || item.MaskRule == "id_card_strict":
		return r.citizenID()
	case item.MaskRule == "mobile" || has("mobile"):
		return mobileBlock + r.digits(8)
	case item.MaskRule == "phone" || has("phone", "电话"):
		return "0575-0000" + r.digits(4)
	case item.MaskRule == "email" || has("email"):
		return fmt.Sprintf("example%d@example.org", r.n)
	case item.MaskRule == "address" || has("address", "地址", "住所", "经营地") && !has("编码", "code"):
		return "浙江省绍兴市" + county.name + "示例路" + strconv.Itoa(1+r.random.IntN(200)) + "号"
	case has("_no", "编号", "文号", "证号", "户号", "卡号", "标识") || strings.HasSuffix(item.Identifier, "id"):
		return number
	case has("crs"):
		return "CGCS2000"
	case has("hash"):
		return strings.Repeat("0", 60) + fmt.Sprintf("%04d", r.n)
	case has("period_type"):
		return "Y"
	case has("period"):
		return strconv.Itoa(2020 + r.random.IntN(5))
	case has("code", "代码", "编码"):
		return number
	case has("status", "state", "状态", "type", "类型", "类别", "version") && item.Length > 0 && item.Length <= 4:
		return "1"
	case has("企业", "employer", "处所", "单位", "party_name"):
		return "绍兴示例" + strconv.Itoa(r.n) + "有限公司"
	case has("机关", "机构", "org_name", "agency"):
		return county.name + "示例局"
	}
	return "示例" + item.Name + strconv.Itoa(r.n)
}

// fitted shortens a text to the length of its item: by its end where it is a number, so that rows stay apart, else by its tail.
func fitted(item catalog.Item, text string) Value {
	if item.Length <= 0 || utf8.RuneCountInString(text) <= item.Length {
		return Value{Text: text}
	}
	runes := []rune(text)
	if runes[0] < utf8.RuneSelf {
		return Value{Text: string(runes[len(runes)-item.Length:])}
	}
	return Value{Text: string(runes[:item.Length])}
}
