package city

import (
	"fmt"
	"math"
)

const (
	addressRows = 20_000
	parcelRows  = 10_000
)

// countyBoxes are rectangles well inside each county: west, south, east, north in degrees, CGCS2000 (EPSG:4490).
var countyBoxes = map[string][4]float64{
	"330602": {120.50, 29.96, 120.70, 30.10}, "330603": {120.35, 29.92, 120.50, 30.12}, "330604": {120.75, 29.90, 120.95, 30.08},
	"330624": {120.80, 29.40, 121.00, 29.55}, "330681": {120.10, 29.60, 120.35, 29.80}, "330683": {120.65, 29.50, 120.80, 29.70},
}

func geospatialSystem() system {
	return system{
		Database: Database{
			BaseDatabase: "geospatial", Name: "land_space", Owner: "land_owner", Department: "land",
			NameZH: "自然资源一张图", NameEN: "Natural resources map",
		},
		tables: []table{{
			Table: Table{
				Name: "dz_bzdz", NameZH: "标准地址", NameEN: "Standard addresses", Template: "base_geospatial", Rows: addressRows,
				RowColumn: "objectid", KeyItems: []string{"address_code"},
				Codes: map[string][]Code{"status": {{"1", "在用", "In use"}, {"0", "注销", "Cancelled"}}},
				Columns: []Column{
					{"objectid", "bigint", "对象标识", ""},
					{"dzbm", "varchar(80)", "地址编码", "address_code"},
					{"dzqc", "varchar(2000)", "标准地址全称", "full_address"},
					{"sjxzqh", "varchar(4)", "省级区划", "province_code"},
					{"xzqhdm", "varchar(20)", "行政区划代码", "division_code"},
					{"jlxmc", "varchar(200)", "街路巷名称", "street_name"},
					{"mlph", "varchar(100)", "门楼牌号", "door_no"},
					{"ldmc", "varchar(200)", "楼幢名称", "building_name"},
					{"dyh", "varchar(40)", "单元", "unit_no"},
					{"hsh", "varchar(40)", "户室", "room_no"},
					{"jd", "varchar(30)", "经度(度)", "longitude"},
					{"wd", "varchar(30)", "纬度(度)", "latitude"},
					{"zbx", "varchar(30)", "坐标系", "crs"},
					{"cjrq", "varchar(20)", "采集日期YYYY/MM/DD", "survey_date"},
					{"sjly", "varchar(200)", "数据来源", "survey_source"},
					{"zt", "varchar(4)", "状态", "status"},
					{"shape", "text", "点位WKT,CGCS2000,经度在前", ""},
				},
			},
			open: openAddresses,
			flaws: []flaw{
				{BadNumber, "longitude", fixed("120°35′")},
				{DuplicateKey, "address_code", nil},
				{TooLong, "full_address", longer(300)},
				{UnknownCode, "status", fixed("x")},
				{NullKey, "address_code", nil},
				{ImpossibleDate, "survey_date", fixed("2022/04/31")},
				{UnknownDivision, "division_code", fixed("990602001000")},
				{NumberOutOfRange, "latitude", fixed("30012.5")},
			},
		}, {
			Table: Table{
				Name: "zd_dk", NameZH: "宗地图斑", NameEN: "Land parcels", Template: "geo_feature", Rows: parcelRows,
				RowColumn: "objectid", KeyItems: []string{"feature_code"},
				Columns: []Column{
					{"objectid", "bigint", "对象标识", ""},
					{"zddm", "varchar(80)", "宗地代码", "feature_code"},
					{"zdmc", "varchar(1000)", "宗地名称", "feature_name"},
					{"yslx", "varchar(40)", "要素类型", "feature_type"},
					{"xzqhdm", "varchar(20)", "行政区划代码", "division_code"},
					{"shape", "text", "界址面WKT,CGCS2000,经度在前", "geometry"},
					{"mj", "varchar(30)", "面积(平方米)", "area_m2"},
					{"zc", "varchar(30)", "周长(米)", "length_m"},
					{"jingdu", "varchar(20)", "测量精度(米)", "accuracy_m"},
					{"zbx", "varchar(30)", "坐标系", "crs"},
					{"xsxrq", "varchar(20)", "现势性日期YYYY/MM/DD", "current_date"},
				},
			},
			open: openParcels,
			flaws: []flaw{
				{OutOfBounds, "geometry", fixed("POLYGON((29.98 120.55,29.98 120.56,29.99 120.56,29.98 120.55))")},
				{BadGeometry, "geometry", fixed("POLYGON((120.55 29.98,120.56")},
				{DuplicateKey, "feature_code", nil},
				{BadNumber, "area_m2", fixed("约三亩")},
				{NullKey, "feature_code", nil},
				{ImpossibleDate, "current_date", fixed("2023/13/05")},
				{TooLong, "feature_name", longer(200)},
			},
		}},
	}
}

// point returns a longitude and latitude inside the county.
func point(r *random, county string) (lon, lat float64) {
	box := countyBoxes[county]
	part := func() float64 { return float64(r.intN(1_000_000)) / 1_000_000 }
	return box[0] + part()*(box[2]-box[0]), box[1] + part()*(box[3]-box[1])
}

func openAddresses(w *world, _ int) (func(int, []string) []string, error) {
	return func(i int, rec []string) []string {
		r := randomAt(w.seed, "address", i)
		town := pick(&r, w.towns)
		p := makePlace(&r)
		lon, lat := point(&r, town.county)
		status := "1"
		if r.chance(3) {
			status = "0"
		}
		x, y := fmt.Sprintf("%.8f", lon), fmt.Sprintf("%.8f", lat)
		return append(rec, fmt.Sprintf("%sQQ%010d", town.code, i+1), "浙江省绍兴市"+p.text(w, town), "33", town.code+"000", p.road,
			fmt.Sprintf("%d号", p.number), fmt.Sprintf("%s%d幢", p.estate, p.building), fmt.Sprintf("%d单元", p.unit), fmt.Sprintf("%d室", p.room),
			x, y, "CGCS2000", daysBack(&r, 1, 2500).Format("2006/01/02"), "示例地名地址普查", status, "POINT("+x+" "+y+")")
	}, nil
}

func openParcels(w *world, _ int) (func(int, []string) []string, error) {
	return func(i int, rec []string) []string {
		r := randomAt(w.seed, "parcel", i)
		town := pick(&r, w.towns)
		lon, lat := point(&r, town.county)
		width, depth := float64(r.between(15, 220)), float64(r.between(15, 220)) // metres
		// One degree of latitude is 110.85 km here, one of longitude that times the cosine of the latitude.
		dy := depth / 110_850
		dx := width / (110_850 * math.Cos(lat*math.Pi/180))
		shape := fmt.Sprintf("POLYGON((%.8f %.8f,%.8f %.8f,%.8f %.8f,%.8f %.8f,%.8f %.8f))",
			lon, lat, lon+dx, lat, lon+dx, lat+dy, lon, lat+dy, lon, lat)
		use := pick(&r, []string{"住宅用地", "工业用地", "商服用地", "公共管理用地", "耕地"})
		return append(rec, fmt.Sprintf("%sQQ%08d", town.code, i+1), fmt.Sprintf("%s%s示例地块%d", town.name, use, i+1), use, town.code+"000", shape,
			fmt.Sprintf("%.2f", width*depth), fmt.Sprintf("%.2f", 2*(width+depth)), pick(&r, []string{"0.05", "0.10", "0.50"}), "CGCS2000",
			daysBack(&r, 1, 2500).Format("2006/01/02"))
	}, nil
}
