package city

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"encoding/csv"
	"fmt"
	"math/big"
	"slices"
)

const (
	macroRows = 5_000
	// macroFigures is the number of figures in the embedded file. Only published figures are shown, so there are never more.
	macroFigures = 13_979
)

// gdpPublished is the date of the compiled file the figures come from.
const gdpPublished = "20260320"

// figure is one published value: gross domestic product in current US dollars (World Bank NY.GDP.MKTP.CD).
type figure struct{ country, region, year, value string }

// readFigures returns all figures, the newest year first and, within a year, China first and then by region code.
func readFigures() ([]figure, error) {
	raw, err := data.ReadFile("data/worldbank_gdp.csv.gz")
	if err != nil {
		return nil, fmt.Errorf("reading embedded figures: %w", err)
	}
	unzipped, err := gzip.NewReader(bytes.NewReader(raw))
	if err != nil {
		return nil, fmt.Errorf("unpacking embedded figures: %w", err)
	}
	records, err := csv.NewReader(unzipped).ReadAll()
	if err != nil {
		return nil, fmt.Errorf("parsing embedded figures: %w", err)
	}
	figures := make([]figure, 0, len(records)-1)
	for _, rec := range records[1:] {
		figures = append(figures, figure{rec[0], rec[1], rec[2], rec[3]})
	}
	rank := func(f figure) string {
		if f.region == "CHN" {
			return ""
		}
		return f.region
	}
	slices.SortFunc(figures, func(a, b figure) int {
		return cmp.Or(cmp.Compare(b.year, a.year), cmp.Compare(rank(a), rank(b)))
	})
	return figures, nil
}

func macroSystem() system {
	return system{
		Database: Database{
			BaseDatabase: "macro_economy", Name: "stat_macro", Owner: "statistics_owner", Department: "statistics",
			NameZH: "宏观经济数据库", NameEN: "Macro-economic indicators",
		},
		tables: []table{{
			Table: Table{
				Name: "tj_zbsj", NameZH: "指标数据", NameEN: "Indicator values", Template: "base_macro_economy", Rows: macroRows, MaxRows: macroFigures,
				RowColumn: "xh", KeyItems: []string{"indicator_code", "period", "division_code", "version"}, Missing: []string{"mom"},
				Codes: map[string][]Code{
					"period_type": {{"Y", "年", "Year"}, {"Q", "季", "Quarter"}, {"M", "月", "Month"}},
					"version":     {{"1", "初步", "Preliminary"}, {"2", "初核", "Verified"}, {"3", "最终", "Final"}},
				},
				Columns: []Column{
					{"xh", "bigint", "序号", ""},
					{"zbdm", "varchar(64)", "指标代码", "indicator_code"},
					{"zbmc", "varchar(400)", "指标名称", "indicator_name"},
					{"jldw", "varchar(40)", "计量单位", "unit"},
					{"tjkj", "varchar(2000)", "统计口径", "scope_note"},
					{"bgqlx", "varchar(4)", "报告期类型", "period_type"},
					{"bgq", "varchar(20)", "报告期", "period"},
					{"dqdm", "varchar(20)", "地区代码(国家或地区三位字母加000)", "division_code"},
					{"dqmc", "varchar(200)", "地区名称", ""},
					{"zbz", "varchar(60)", "指标值", "value"},
					{"tb", "varchar(30)", "同比(%)", "yoy"},
					{"ljz", "varchar(60)", "累计值", "cumulative_value"},
					{"sjly", "varchar(200)", "数据来源", "source_org"},
					{"fbrq", "varchar(20)", "发布日期YYYYMMDD", "publish_date"},
					{"bbh", "varchar(4)", "版本", "version"},
				},
			},
			open: openMacro,
			flaws: []flaw{
				{BadNumber, "value", fixed("暂缺")},
				{DuplicateKey, "division_code", nil},
				{NullKey, "division_code", nil},
				{ImpossibleDate, "publish_date", fixed("20260230")},
				{UnknownCode, "period_type", fixed("W")},
				{TooLong, "period", fixed("2023年全年")},
				{UnknownCode, "version", fixed("7")},
				{BadDate, "publish_date", fixed("次年三月")},
				{TooLong, "division_code", longer(6)},
			},
		}},
	}
}

func openMacro(_ *world, n int) (func(int, []string) []string, error) {
	figures, err := readFigures()
	if err != nil {
		return nil, err
	}
	if n > len(figures) {
		return nil, fmt.Errorf("producing %d indicator rows: only %d figures are published", n, len(figures))
	}
	byPeriod := make(map[[2]string]string, len(figures))
	for _, f := range figures {
		byPeriod[[2]string{f.region, f.year}] = f.value
	}
	return func(i int, rec []string) []string {
		f := figures[i]
		return append(rec, "NY.GDP.MKTP.CD", "国内生产总值(现价美元)", "美元", "世界银行指标NY.GDP.MKTP.CD,现价美元", "Y", f.year,
			f.region+"000", f.country, f.value, growth(f, byPeriod), f.value, "世界银行(World Bank)", gdpPublished, "3")
	}, nil
}

// growth is the change against the year before in percent with two digits, or NULL where either figure is missing.
func growth(f figure, byPeriod map[[2]string]string) string {
	var year int
	if _, err := fmt.Sscanf(f.year, "%d", &year); err != nil {
		return null
	}
	before, ok := new(big.Rat).SetString(byPeriod[[2]string{f.region, fmt.Sprint(year - 1)}])
	if !ok || before.Sign() == 0 {
		return null
	}
	now, ok := new(big.Rat).SetString(f.value)
	if !ok {
		return null
	}
	share := new(big.Rat).Sub(now, before)
	share.Quo(share, before).Mul(share, big.NewRat(100, 1))
	return share.FloatString(2)
}
