package filter_test

import (
	"fmt"

	"github.com/shuqiao/shuqiao/sharing/filter"
)

// A grant covers one district's rows: the filter is checked against what may be filtered, said in words for those who
// decide, and put into a query whose first two parameters are taken.
func Example() {
	node, err := filter.Parse([]byte(`{"op":"and","args":[
		{"op":"eq","item":"domicile_division_code","value":"330602"},
		{"op":"not","arg":{"op":"is_null","item":"birth_date"}}]}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	bound, err := filter.Bind(node, filter.Schema{
		"domicile_division_code": {SQL: `r."c9"`, Letter: 'C', Ops: filter.LetterOps('C')},
		"birth_date":             {SQL: `r."c6"`, Letter: 'D', Ops: filter.LetterOps('D')},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	where, args := bound.SQL(3)
	fmt.Println(where, args)
	fmt.Println(filter.Words(node, "zh-CN",
		map[string]string{"domicile_division_code": "户籍地区划", "birth_date": "出生日期"},
		func(_, code string) string { return map[string]string{"330602": "越城区"}[code] }))
	// Output:
	// ((r."c9" = $3::text COLLATE "C") AND (NOT (r."c6" IS NULL))) [330602]
	// 户籍地区划 是 越城区 且 出生日期 不为空
}
