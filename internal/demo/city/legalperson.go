package city

import (
	"fmt"
	"strconv"
)

func legalPersonSystem() system {
	return system{
		Database: Database{
			BaseDatabase: "legal_person", Name: "market_entity", Owner: "market_owner", Department: "market",
			NameZH: "市场主体登记系统", NameEN: "Register of market entities",
		},
		tables: []table{{
			Table: Table{
				Name: "e_baseinfo", NameZH: "企业基本信息表", NameEN: "Legal persons", Template: "base_legal_person", Rows: firmRows,
				RowColumn: "recid", KeyItems: []string{"uscc"},
				Codes: map[string][]Code{
					"type_code": {
						{"1130", "有限责任公司(自然人独资)", "Limited company, one natural person"},
						{"1151", "有限责任公司(自然人投资或控股)", "Limited company, natural persons"},
						{"9500", "个体工商户", "Sole trader"},
						{"9100", "农民专业合作社", "Farmers' cooperative"},
					},
					"reg_status": {{"1", "存续", "Active"}, {"2", "吊销", "Revoked"}, {"3", "注销", "Deregistered"}, {"4", "迁出", "Moved out"}},
				},
				Columns: []Column{
					{"recid", "bigint", "记录号", ""},
					{"uniscid", "varchar(36)", "统一社会信用代码", "uscc"},
					{"pripid", "varchar(72)", "主体身份代码", "entity_id"},
					{"entname", "varchar(2000)", "企业名称", "name"},
					{"regno", "varchar(30)", "注册号", "reg_no"},
					{"orgcode", "varchar(20)", "组织机构代码", "org_code"},
					{"enttype", "varchar(8)", "企业类型", "type_code"},
					{"regstate", "varchar(4)", "登记状态", "reg_status"},
					{"lerep", "varchar(200)", "法定代表人姓名", "legal_rep_name"},
					{"certype", "varchar(6)", "法定代表人证件类型", "legal_rep_id_type"},
					{"cerno", "varchar(36)", "法定代表人证件号码", "legal_rep_id_no"},
					{"tel", "varchar(30)", "法定代表人手机", "legal_rep_mobile"},
					{"regcap", "varchar(40)", "注册资本(万元)", "reg_capital"},
					{"regcapcur", "varchar(6)", "币种", "currency_code"},
					{"estdate", "varchar(20)", "成立日期YYYY-MM-DD", "establish_date"},
					{"apprdate", "varchar(20)", "核准日期YYYY-MM-DD", "approve_date"},
					{"regorg", "varchar(200)", "登记机关", "reg_org_name"},
					{"dom", "varchar(2000)", "住所", "address"},
					{"domdistrict", "varchar(12)", "住所行政区划", "division_code"},
					{"oploc", "varchar(600)", "生产经营地", "business_address"},
					{"opscope", "text", "经营范围", "business_scope"},
					{"industryco", "varchar(10)", "行业代码", "industry_code"},
					{"opfrom", "varchar(20)", "经营期限自", "business_from"},
					{"opto", "varchar(20)", "经营期限至", "business_to"},
					{"revdate", "varchar(20)", "吊销日期", "revoke_date"},
					{"candate", "varchar(20)", "注销日期", "deregister_date"},
				},
			},
			open: openLegalPersons,
			flaws: []flaw{
				{BadCheckDigit, "uscc", otherLast(usccAlphabet)},
				{DuplicateKey, "uscc", nil},
				{ImpossibleDate, "establish_date", fixed("2021-02-29")},
				{BadNumber, "reg_capital", fixed("伍佰万")},
				{NullKey, "uscc", nil},
				{UnknownCode, "reg_status", fixed("9")},
				{TooLong, "name", longer(200)},
				{NumberOutOfRange, "reg_capital", fixed("9999999999999.5")},
				{BadCheckDigit, "legal_rep_id_no", otherLast("0123456789X")},
				{BadDate, "approve_date", fixed("二〇二二年")},
				{TooLong, "address", longer(300)},
			},
		}},
	}
}

func day10(r *random, low, high int) string { return daysBack(r, low, high).Format("2006-01-02") }

func openLegalPersons(w *world, _ int) (func(int, []string) []string, error) {
	people, firms := w.people(), w.firms()
	return func(i int, rec []string) []string {
		f := firms[i]
		r := randomAt(w.seed, "legal person", i)
		town, rep := w.towns[f.town], people[f.legalRep]
		kind := pick(&r, []string{"1130", "1151"})
		switch f.uscc[:2] {
		case "92":
			kind = "9500"
		case "93":
			kind = "9100"
		}
		first14 := CityDivision + fmt.Sprintf("%08d", i+1)
		address := makePlace(&r).text(w, town)
		business := null
		if r.chance(20) {
			business = makePlace(&r).text(w, town)
		}
		age := int(referenceDay.Sub(f.established).Hours() / 24)
		approved := day10(&r, 0, age)
		established := f.established.Format("2006-01-02")
		status := pickWeighted(&r, []weighted{{"1", 82}, {"2", 4}, {"3", 12}, {"4", 2}})
		revoked, cancelled := null, null
		switch status {
		case "2":
			revoked = day10(&r, 0, age)
		case "3":
			cancelled = day10(&r, 0, age)
		}
		until := "9999-12-31"
		if r.chance(30) {
			until = f.established.AddDate(30, 0, 0).Format("2006-01-02")
		}
		capital := strconv.Itoa(pick(&r, []int{5, 10, 30, 50, 100, 200, 500, 1000, 5000})) + pick(&r, []string{"", ".00", ".500000"})
		return append(rec, f.uscc, "3306QQ"+fmt.Sprintf("%016x", r.next()), f.name, first14+string(registrationCheck(first14)), f.uscc[8:17], kind,
			status, rep.name, "111", rep.id, mobile(&r), capital, "156", established, approved,
			w.counties[town.county]+"市场监督管理局", address, town.county, business, "一般项目:"+industries[f.industry].scope+"。",
			industries[f.industry].code, established, until, revoked, cancelled)
	}, nil
}
