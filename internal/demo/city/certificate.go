package city

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
)

const certificateRows = 60_000

// certType is one type of certificate. Its code is the issuing department's credit code and three digits (GB/T 36903).
type certType struct {
	name       string
	department Department
	number     string
	forFirm    bool
	years      int // 0 = without limit
	minAge     int // of the holder, if a person
}

func certTypes() []certType {
	return []certType{
		{"社会保障卡", departmentByKey("social"), "001", false, 10, 16},
		{"老年人优待证", departmentByKey("civil"), "002", false, 0, 60},
		{"最低生活保障证", departmentByKey("civil"), "003", false, 1, 18},
		{"居住证", departmentByKey("police"), "004", false, 1, 16},
		{"不动产权证书", departmentByKey("land"), "005", false, 0, 20},
		{"营业执照", departmentByKey("market"), "006", true, 0, 0},
		{"食品经营许可证", departmentByKey("market"), "007", true, 5, 0},
		{"投资项目备案证", departmentByKey("reform"), "008", true, 2, 0},
	}
}

func certificateSystem() system {
	return system{
		Database: Database{
			BaseDatabase: "certificate", Name: "data_certificate", Owner: "data_owner", Department: "data",
			NameZH: "电子证照库", NameEN: "Electronic certificates",
		},
		tables: []table{{
			Table: Table{
				Name: "dzzz_zzml", NameZH: "电子证照目录", NameEN: "Electronic certificates", Template: "base_certificate", Rows: certificateRows,
				RowColumn: "xh", KeyItems: []string{"cert_id"}, Missing: []string{"layout_file", "timestamp_token"},
				Codes: map[string][]Code{"cert_status": {
					{"01", "有效", "Valid"},
					{"02", "暂扣", "Withheld"},
					{"03", "撤销", "Withdrawn"},
					{"04", "注销", "Cancelled"},
					{"05", "失效", "Lapsed"},
					{"06", "转出", "Transferred"},
					{"07", "吊销", "Revoked"},
					{"99", "其他", "Other"},
				}},
				Columns: []Column{
					{"xh", "bigint", "序号", ""},
					{"zzbs", "varchar(400)", "电子证照标识", "cert_id"},
					{"zzybs", "varchar(200)", "电子证照源标识", "cert_source_id"},
					{"zzmc", "varchar(1000)", "证照名称", "cert_name"},
					{"zzlxmc", "varchar(400)", "证照类型名称", "cert_type_name"},
					{"zzlxdm", "varchar(42)", "证照类型代码", "cert_type_code"},
					{"zzbh", "varchar(500)", "证照编号", "cert_no"},
					{"czzt", "varchar(2000)", "持证主体", "holder_name"},
					{"czztdm", "varchar(100)", "持证主体代码", "holder_code"},
					{"czztdmlx", "varchar(6)", "持证主体代码类型", "holder_code_type"},
					{"zzbfjg", "varchar(400)", "证照颁发机构", "issuer_name"},
					{"zzbfjgdm", "varchar(36)", "证照颁发机构代码", "issuer_code"},
					{"gxsd", "varchar(20)", "管辖属地编码", "area_code"},
					{"bfrq", "varchar(30)", "颁发日期", "issue_date"},
					{"yxqqsrq", "varchar(30)", "有效期起始日期", "valid_from"},
					{"yxqjzrq", "varchar(30)", "有效期截止日期", "valid_to"},
					{"zzzt", "varchar(4)", "证照状态", "cert_status"},
					{"wjzyz", "varchar(128)", "文件摘要值(SM3)", "file_hash"},
					{"qmz", "varchar(1000)", "签名值(SM2)", "signature"},
				},
			},
			open: openCertificates,
			flaws: []flaw{
				{BadCheckDigit, "cert_id", otherLast(digits36)},
				{ImpossibleDate, "issue_date", fixed("2024-02-30")},
				{DuplicateKey, "cert_id", nil},
				{UnknownCode, "cert_status", fixed("88")},
				{NullKey, "cert_id", nil},
				{TooLong, "cert_no", longer(100)},
				{BadDate, "valid_to", fixed("长期")},
				{BadCheckDigit, "issuer_code", otherLast(usccAlphabet)},
				{UnknownCode, "holder_code_type", fixed("999")},
			},
		}},
	}
}

func openCertificates(w *world, _ int) (func(int, []string) []string, error) {
	people, firms, types := w.people(), w.firms(), certTypes()
	return func(i int, rec []string) []string {
		r := randomAt(w.seed, "certificate", i)
		kind := pick(&r, types)
		var holder, code, codeType, area string
		if kind.forFirm {
			f := firms[r.intN(len(firms))]
			holder, code, codeType, area = f.name, f.uscc, "001", w.towns[f.town].county+"000000"
		} else {
			p := people[w.someone(&r, kind.minAge)]
			holder, code, codeType, area = p.name, p.id, "111", w.towns[p.town].code+"000"
		}
		issued := daysBack(&r, 1, 2000)
		until, status := "9999-12-31", pickWeighted(&r, []weighted{{"01", 90}, {"02", 1}, {"03", 1}, {"04", 4}, {"06", 1}, {"07", 1}, {"99", 1}})
		if kind.years > 0 {
			end := issued.AddDate(kind.years, 0, -1)
			until = end.Format("2006-01-02")
			if end.Before(referenceDay) {
				status = "05"
			}
		}
		serial := issued.Format("20060102") + fmt.Sprintf("%08d", i+1)
		id := certID(kind.department.USCC+kind.number, kind.department.USCC, serial, "001")
		noise := make([]byte, 0, 64)
		for range 8 {
			noise = binary.BigEndian.AppendUint64(noise, r.next())
		}
		return append(rec, id, fmt.Sprintf("QQ%x", noise[:16]), kind.name, kind.name, kind.department.USCC+kind.number,
			fmt.Sprintf("示例QQ%s%08d", kind.number, i+1), holder, code, codeType, kind.department.NameZH, kind.department.USCC, area,
			issued.Format("2006-01-02"), issued.Format("2006-01-02"), until, status, fmt.Sprintf("%x", noise[:32]),
			base64.StdEncoding.EncodeToString(noise))
	}, nil
}
