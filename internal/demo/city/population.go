package city

import (
	"fmt"
	"time"
)

// populationTable is the table of inhabitants; Change works on it.
const populationTable = "t_rk_jbxx"

var (
	ethnicShares = []weighted{
		{"01", 9700}, {"06", 60}, {"15", 50}, {"22", 45}, {"08", 40}, {"12", 30}, {"03", 25}, {"11", 20}, {"05", 10}, {"97", 5},
	}
	birthPlaces = []weighted{
		{"330602", 200},
		{"330603", 170},
		{"330604", 170},
		{"330624", 100},
		{"330681", 240},
		{"330683", 160},
		{"330106", 12},
		{"330203", 10},
		{"310101", 6},
		{"340102", 10},
		{"360102", 8},
		{"430102", 6},
		{"520102", 5},
	}
	educationShares = []weighted{
		{"10", 3}, {"20", 15}, {"30", 16}, {"40", 10}, {"60", 14}, {"70", 27}, {"80", 13}, {"90", 2},
	}
)

// idEnd is the end of validity of an identity card issued at the given age: 5 years under 16, 10 under 26, 20 under 46,
// then without limit. Source: 居民身份证法 Art 5.
func idEnd(from time.Time, age int) string {
	switch {
	case age < 16:
		return day8(from.AddDate(5, 0, 0))
	case age < 26:
		return day8(from.AddDate(10, 0, 0))
	case age < 46:
		return day8(from.AddDate(20, 0, 0))
	default:
		return endless
	}
}

func day8(t time.Time) string { return t.Format("20060102") }

func populationSystem() system {
	return system{
		Database: Database{
			BaseDatabase: "population", Name: "police_population", Owner: "police_owner", Department: "police",
			NameZH: "人口管理信息系统", NameEN: "Population administration",
		},
		tables: []table{{
			Table: Table{
				Name: populationTable, NameZH: "人口基本信息表", NameEN: "Inhabitants", Template: "base_population", Rows: populationRows,
				RowColumn: "xh", KeyItems: []string{"citizen_id"}, Missing: []string{"id_type", "photo"},
				Codes: map[string][]Code{"cancel_reason_code": {{"01", "死亡", "Death"}, {"02", "迁出市外", "Moved out of the city"}, {"03", "出国定居", "Settled abroad"}}},
				Columns: []Column{
					{"xh", "bigint", "序号", ""},
					{"gmsfhm", "varchar(32)", "公民身份号码", "citizen_id"},
					{"xm", "varchar(300)", "姓名", "name"},
					{"cym", "varchar(300)", "曾用名", "former_name"},
					{"xb", "varchar(4)", "性别", "sex_code"},
					{"mz", "varchar(4)", "民族", "ethnic_code"},
					{"csrq", "varchar(20)", "出生日期YYYYMMDD", "birth_date"},
					{"csdssxq", "varchar(12)", "出生地省市县区", "birth_place_code"},
					{"jgssxq", "varchar(12)", "籍贯省市县区", "native_place_code"},
					{"hjdqh", "varchar(20)", "户籍地区划", "domicile_division_code"},
					{"hjdz", "varchar(1000)", "户籍地址", "domicile_address"},
					{"xzdz", "varchar(1000)", "现住址", "residence_address"},
					{"hh", "varchar(30)", "户号", "household_no"},
					{"yhzgx", "varchar(4)", "与户主关系", "householder_relation_code"},
					{"hyzk", "varchar(4)", "婚姻状况", "marital_status_code"},
					{"whcd", "varchar(4)", "文化程度", "education_code"},
					{"fwcs", "varchar(400)", "服务处所", "employer"},
					{"lxdh", "varchar(30)", "联系电话", "mobile"},
					{"dzyx", "varchar(200)", "电子邮箱", "email"},
					{"sbkh", "varchar(40)", "社会保障卡号", "social_card_no"},
					{"yxqxqsrq", "varchar(20)", "有效期限起始日期", "id_valid_from"},
					{"yxqxjzrq", "varchar(20)", "有效期限截止日期", "id_valid_to"},
					{"qrrq", "varchar(20)", "迁入日期", "move_in_date"},
					{"swrq", "varchar(20)", "死亡日期", "death_date"},
					{"zxyy", "varchar(4)", "注销原因", "cancel_reason_code"},
					{"gxsj", "varchar(14)", "更新时间YYYYMMDDHH24MISS", ""},
				},
			},
			open: openPopulation,
			flaws: []flaw{
				{BadCheckDigit, "citizen_id", otherLast("0123456789X")},
				{ImpossibleDate, "birth_date", fixed("19900231")},
				{DuplicateKey, "citizen_id", nil},
				{UnknownCode, "sex_code", fixed("7")},
				{NullKey, "citizen_id", nil},
				{TooLong, "name", longer(64)},
				{ImpossibleID, "citizen_id", impossibleID},
				{BadDate, "birth_date", fixed("不详")},
				{UnknownCode, "ethnic_code", fixed("77")},
				{UnknownDivision, "domicile_division_code", fixed("990602001000")},
				{ImpossibleDate, "id_valid_from", fixed("20231301")},
				{UnknownCode, "marital_status_code", fixed("55")},
				{TooLong, "domicile_address", longer(200)},
			},
		}},
	}
}

// impossibleID puts 31 February into an identity number and computes the check digit that belongs to it.
func impossibleID(good string) string {
	first17 := good[:10] + "0231" + good[14:17]
	return first17 + string(citizenCheck(first17))
}

func openPopulation(w *world, _ int) (func(int, []string) []string, error) {
	people, firms := w.people(), w.firms()
	return func(i int, rec []string) []string {
		p := people[i]
		r := randomAt(w.seed, "population", i)
		age := p.age()
		town := w.towns[p.town]
		address := p.home.text(w, town)

		sex, residence := "1", address
		if p.female {
			sex = "2"
		}
		if r.chance(18) {
			residence = makePlace(&r).text(w, pick(&r, w.towns))
		}
		former := null
		if r.chance(2) {
			former = string([]rune(p.name)[:1]) + givenName(&r, p.female)
		}
		marital := "10"
		switch {
		case p.relation == "10" || p.relation == "50" || (p.relation == "02" && age > 28):
			marital = pickWeighted(&r, []weighted{{"20", 60}, {"21", 25}, {"22", 4}, {"30", 4}, {"40", 7}})
		case age >= 22 && r.chance(30):
			marital = "20"
		}
		education := "90"
		switch {
		case age >= 22:
			education = pickWeighted(&r, educationShares)
		case age >= 7:
			education = []string{"80", "70", "60"}[min(2, (age-7)/5)]
		}
		employer, phone, mail := null, null, null
		if age >= 20 && age < 60 && r.chance(60) {
			employer = firms[r.intN(len(firms))].name
		}
		if age >= 12 {
			phone = mobile(&r)
		}
		if age >= 16 && r.chance(35) {
			mail = fmt.Sprintf("shili%d@%s", i+1, pick(&r, mailHosts))
		}
		card := null
		if r.chance(93) {
			card = fmt.Sprintf("QQ%010d", i+1)
		}
		issued := daysBack(&r, 5, 5*365)
		if issued.Before(p.birth) {
			issued = p.birth.AddDate(0, 0, min(30, int(referenceDay.Sub(p.birth).Hours()/24)))
		}
		movedIn, died, cancelled := null, null, null
		if r.chance(12) {
			movedIn = day8(daysBack(&r, 1, max(1, min(age, 20)*365)))
			if movedIn < day8(p.birth) {
				movedIn = day8(p.birth)
			}
		}
		switch {
		case age > 60 && r.chance(6):
			died, cancelled = day8(daysBack(&r, 1, 365*5)), "01"
		case r.chance(1):
			cancelled = pick(&r, []string{"02", "03"})
		}
		touched := daysBack(&r, 1, 3000).Add(time.Duration(r.intN(86400)) * time.Second)
		return append(rec, p.id, p.name, former, sex, pickWeighted(&r, ethnicShares), day8(p.birth), pickWeighted(&r, birthPlaces),
			pickWeighted(&r, birthPlaces), town.code+"000", address, residence, fmt.Sprintf("%s%09d", CityDivision, p.house), p.relation,
			marital, education, employer, phone, mail, card, day8(issued), idEnd(issued, age), movedIn, died, cancelled,
			touched.Format("20060102150405"))
	}, nil
}
