package city

import "fmt"

const (
	penaltyRows = 12_000
	permitRows  = 8_000
)

// agencyBlock is the number of consecutive rows one agency has reported: agencies hand in files, not single rows.
const agencyBlock = 64

type agency struct {
	Department
	short, violation, law, licence string
}

func agencies() []agency {
	return []agency{
		{departmentByKey("market"), "市监", "未按规定明码标价", "《中华人民共和国价格法》第四十二条", "食品经营许可证"},
		{departmentByKey("police"), "公", "未落实治安防范措施", "《企业事业单位内部治安保卫条例》第十九条", "特种行业许可证"},
		{departmentByKey("land"), "自然资", "未经批准占用土地", "《中华人民共和国土地管理法》第七十七条", "建设用地规划许可证"},
		{departmentByKey("social"), "人社", "未依法签订劳动合同", "《劳动保障监察条例》第二十四条", "人力资源服务许可证"},
		{departmentByKey("civil"), "民", "未按规定报送年度工作报告", "《社会团体登记管理条例》第三十条", "社会团体登记证书"},
	}
}

func creditSystem() system {
	party := []Code{{"1", "法人及非法人组织", "Legal person or organisation"}, {"2", "自然人", "Natural person"}, {"3", "个体工商户", "Sole trader"}}
	status := []Code{{"1", "有效", "In force"}, {"0", "撤销或失效", "Withdrawn or lapsed"}}
	return system{
		Database: Database{
			BaseDatabase: "credit", Name: "reform_credit", Owner: "reform_owner", Department: "reform",
			NameZH: "公共信用信息平台", NameEN: "Public credit platform",
		},
		tables: []table{{
			Table: Table{
				Name: "xy_xzcf", NameZH: "行政处罚", NameEN: "Administrative penalties", Template: "base_credit", Rows: penaltyRows,
				RowColumn: "id", KeyItems: []string{"decision_no", "agency_uscc"},
				Codes: map[string][]Code{"party_type": party, "status": status},
				Columns: []Column{
					{"id", "bigint", "流水号", ""},
					{"cf_wsh", "varchar(500)", "行政处罚决定书文号", "decision_no"},
					{"cf_xdr_mc", "varchar(2000)", "行政相对人名称", "party_name"},
					{"cf_xdr_lb", "varchar(4)", "行政相对人类别", "party_type"},
					{"cf_xdr_shxym", "varchar(36)", "行政相对人代码(统一社会信用代码)", "party_uscc"},
					{"cf_xdr_zjlx", "varchar(6)", "自然人证件类型", "party_id_type"},
					{"cf_xdr_zjhm", "varchar(36)", "自然人证件号码", "party_id_no"},
					{"cf_frdb", "varchar(200)", "法定代表人", "legal_rep_name"},
					{"cf_wfxw", "varchar(1000)", "违法行为类型", "violation_type"},
					{"cf_wfss", "text", "违法事实", "violation_fact"},
					{"cf_yj", "text", "处罚依据", "legal_basis"},
					{"cf_cflb", "varchar(200)", "处罚类别", "punish_type"},
					{"cf_nr", "text", "处罚内容", "punish_content"},
					{"cf_nr_fk", "varchar(30)", "罚款金额(万元)", "fine_amount"},
					{"cf_nr_wfff", "varchar(30)", "没收违法所得、没收非法财物的金额(万元)", "confiscate_amount"},
					{"cf_nr_zkdx", "varchar(400)", "暂扣或吊销证照名称及编号", "revoked_cert"},
					{"cf_jdrq", "varchar(30)", "处罚决定日期YYYY/MM/DD", "decision_date"},
					{"cf_yxq", "varchar(30)", "处罚有效期", "valid_to"},
					{"cf_gsjzq", "varchar(30)", "公示截止期", "publish_until"},
					{"cf_cfjg", "varchar(400)", "处罚机关", "agency_name"},
					{"cf_cfjgdm", "varchar(36)", "处罚机关统一社会信用代码", "agency_uscc"},
					{"cf_zt", "varchar(4)", "当前状态", "status"},
				},
			},
			open: openPenalties,
			flaws: []flaw{
				{DuplicateKey, "decision_no", nil},
				{BadCheckDigit, "party_uscc", otherLast(usccAlphabet)},
				{ImpossibleDate, "decision_date", fixed("2024/11/31")},
				{BadNumber, "fine_amount", fixed("叁万元")},
				{NullKey, "decision_no", nil},
				{UnknownCode, "status", fixed("8")},
				{TooLong, "decision_no", longer(128)},
				{UnknownCode, "party_type", fixed("6")},
				{BadDate, "publish_until", fixed("长期公示")},
				{BadCheckDigit, "agency_uscc", otherLast(usccAlphabet)},
			},
		}, {
			Table: Table{
				Name: "xy_xzxk", NameZH: "行政许可", NameEN: "Administrative licences", Template: "admin_licence", Rows: permitRows,
				RowColumn: "id", KeyItems: []string{"doc_no", "agency_uscc"},
				Codes: map[string][]Code{"party_type": party, "status": status},
				Columns: []Column{
					{"id", "bigint", "流水号", ""},
					{"xk_wsh", "varchar(400)", "行政许可决定文书号", "doc_no"},
					{"xk_xdr_mc", "varchar(2000)", "行政相对人名称", "party_name"},
					{"xk_xdr_lb", "varchar(4)", "行政相对人类别", "party_type"},
					{"xk_xdr_shxym", "varchar(36)", "行政相对人代码(统一社会信用代码)", "party_uscc"},
					{"xk_xdr_zjlx", "varchar(6)", "自然人证件类型", "party_id_type"},
					{"xk_xdr_zjhm", "varchar(36)", "自然人证件号码", "party_id_no"},
					{"xk_xkws", "varchar(200)", "行政许可决定文书名称", "doc_name"},
					{"xk_xklb", "varchar(100)", "许可类别", "licence_type"},
					{"xk_xkzs", "varchar(200)", "许可证书名称", "cert_name"},
					{"xk_xkbh", "varchar(200)", "许可编号", "cert_no"},
					{"xk_nr", "text", "许可内容", "content"},
					{"xk_jdrq", "varchar(30)", "许可决定日期YYYY/MM/DD", "decision_date"},
					{"xk_yxqz", "varchar(30)", "有效期自", "valid_from"},
					{"xk_yxqzi", "varchar(30)", "有效期至", "valid_to"},
					{"xk_xkjg", "varchar(400)", "许可机关", "agency_name"},
					{"xk_xkjgdm", "varchar(36)", "许可机关统一社会信用代码", "agency_uscc"},
					{"xk_zt", "varchar(4)", "当前状态", "status"},
				},
			},
			open: openPermits,
			flaws: []flaw{
				{NullKey, "doc_no", nil},
				{ImpossibleDate, "valid_from", fixed("2023/02/30")},
				{DuplicateKey, "doc_no", nil},
				{BadCheckDigit, "party_uscc", otherLast(usccAlphabet)},
				{TooLong, "cert_name", longer(64)},
				{BadDate, "valid_to", fixed("长期有效")},
				{UnknownCode, "status", fixed("8")},
			},
		}},
	}
}

// party is who a penalty or a licence concerns, in the columns both tables share.
type party struct{ name, kind, uscc, idType, idNo, legalRep string }

func makeParty(w *world, r *random) party {
	people, firms := w.people(), w.firms()
	if r.chance(20) {
		p := people[w.someone(r, 20)]
		return party{p.name, "2", null, "111", p.id, null}
	}
	f := firms[r.intN(len(firms))]
	kind := "1"
	if f.uscc[:2] == "92" {
		kind = "3"
	}
	return party{f.name, kind, f.uscc, null, null, people[f.legalRep].name}
}

func openPenalties(w *world, _ int) (func(int, []string) []string, error) {
	offices := agencies()
	return func(i int, rec []string) []string {
		r := randomAt(w.seed, "penalty", i)
		office := offices[i/agencyBlock%len(offices)]
		p := makeParty(w, &r)
		decided := daysBack(&r, 1, 1400)
		kind, content, fine, confiscated, cert := "警告", "警告，责令改正", null, null, null
		switch r.intN(10) {
		case 0, 1, 2, 3, 4, 5:
			amount := fmt.Sprintf("%d.%02d", r.between(0, 20), r.between(1, 99))
			kind, content, fine = "罚款", "罚款人民币"+amount+"万元", amount
		case 6:
			amount := fmt.Sprintf("%d.%02d", r.between(0, 9), r.between(1, 99))
			kind, content, confiscated = "没收违法所得", "没收违法所得人民币"+amount+"万元", amount
		case 7:
			kind, content, cert = "吊销", "吊销许可证件", fmt.Sprintf("示例许可证QQ%08d", i+1)
		}
		status := "1"
		if r.chance(4) {
			status = "0"
		}
		year := decided.Year()
		return append(rec, fmt.Sprintf("绍%s罚〔%d〕示例%05d号", office.short, year, i+1), p.name, p.kind, p.uscc, p.idType, p.idNo, p.legalRep,
			office.violation, fmt.Sprintf("当事人于%d年%d月%s。", year, int(decided.Month()), office.violation), office.law, kind, content, fine,
			confiscated, cert, decided.Format("2006/01/02"), decided.AddDate(3, 0, 0).Format("2006/01/02"),
			decided.AddDate(1, 0, 0).Format("2006/01/02"), office.NameZH, office.USCC, status)
	}, nil
}

func openPermits(w *world, _ int) (func(int, []string) []string, error) {
	offices := agencies()
	return func(i int, rec []string) []string {
		r := randomAt(w.seed, "permit", i)
		office := offices[i/agencyBlock%len(offices)]
		p := makeParty(w, &r)
		decided := daysBack(&r, 1, 2500)
		kind := pick(&r, []string{"普通", "特许", "认可", "核准", "登记"})
		cert := office.licence
		status := "1"
		if r.chance(8) {
			status = "0"
		}
		return append(rec, fmt.Sprintf("绍%s许〔%d〕示例%05d号", office.short, decided.Year(), i+1), p.name, p.kind, p.uscc, p.idType, p.idNo,
			"准予行政许可决定书", kind, cert, fmt.Sprintf("QQ3306%010d", i+1), "准予"+p.name+"取得"+cert+"。", decided.Format("2006/01/02"),
			decided.Format("2006/01/02"), decided.AddDate(5, 0, 0).Format("2006/01/02"), office.NameZH, office.USCC, status)
	}, nil
}
