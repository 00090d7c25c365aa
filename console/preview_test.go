package console

import (
	"strconv"
	"strings"
	"testing"

	"github.com/shuqiao/shuqiao/catalog"
	"github.com/shuqiao/shuqiao/catalog/sample"
)

// Whatever rows are asked for, the made-up rows that are shown lie inside them; a wrong filter shows none.
func TestPreviewRowsLieInside(t *testing.T) {
	t.Parallel()
	items := []catalog.Item{
		{Identifier: "no", DataType: catalog.Char, Length: 20, Key: true},
		{Identifier: "division", DataType: catalog.Char, Length: 6, Validator: "division"},
		{Identifier: "born", DataType: catalog.Date},
		{Identifier: "amount", DataType: catalog.Number, Length: 12, Scale: 2},
		{Identifier: "count", DataType: catalog.Integer},
		{Identifier: "flag", DataType: catalog.Logical},
	}
	const no, division, born, amount, count = 0, 1, 2, 3, 4
	number := func(text string) float64 {
		n, err := strconv.ParseFloat(text, 64)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	for _, tc := range []struct {
		name, filter string
		rows         int
		fits         func(row []sample.Value) bool
	}{
		{"all", ``, previewRows, func([]sample.Value) bool { return true }},
		{"a district", `{"op":"eq","item":"division","value":"330602"}`, previewRows, func(r []sample.Value) bool { return r[division].Text == "330602" }},
		{"a district elsewhere", `{"op":"eq","item":"division","value":"110101"}`, previewRows, func(r []sample.Value) bool { return r[division].Text == "110101" }},
		{"two districts elsewhere", `{"op":"in","item":"division","values":["110101","110102"]}`, previewRows, func(r []sample.Value) bool { return strings.HasPrefix(r[division].Text, "11010") }},
		{"but one", `{"op":"ne","item":"division","value":"330602"}`, previewRows, func(r []sample.Value) bool { return r[division].Text != "330602" }},
		{"a province", `{"op":"prefix","item":"division","value":"12"}`, previewRows, func(r []sample.Value) bool { return strings.HasPrefix(r[division].Text, "12") }},
		{"days to come", `{"op":"gt","item":"born","value":"2090-12-31"}`, previewRows, func(r []sample.Value) bool { return r[born].Text > "2090-12-31" }},
		{"days long gone", `{"op":"le","item":"born","value":"1800-01-01"}`, previewRows, func(r []sample.Value) bool { return r[born].Text <= "1800-01-01" }},
		{"large amounts", `{"op":"gt","item":"amount","value":"999999999.5"}`, previewRows, func(r []sample.Value) bool { return number(r[amount].Text) > 999999999.5 }},
		{"below nothing", `{"op":"lt","item":"count","value":0}`, previewRows, func(r []sample.Value) bool { return number(r[count].Text) < 0 }},
		{
			"both", `{"op":"and","args":[{"op":"eq","item":"division","value":"110101"},{"op":"ge","item":"count","value":5000}]}`, previewRows,
			func(r []sample.Value) bool { return r[division].Text == "110101" && number(r[count].Text) >= 5000 },
		},
		{"what cannot be", `{"op":"and","args":[{"op":"eq","item":"no","value":"a"},{"op":"eq","item":"no","value":"b"}]}`, 0, nil},
		{"a wrong value", `{"op":"eq","item":"born","value":"yesterday"}`, 0, nil},
		{"an item that there is not", `{"op":"eq","item":"other","value":"x"}`, 0, nil},
		{"no filter", `[]`, 0, nil},
	} {
		var raw []byte
		if tc.filter != "" {
			raw = []byte(tc.filter)
		}
		rows := rowsInside(items, raw, 1)
		if len(rows) != tc.rows {
			t.Errorf("%s: got %d rows, want %d", tc.name, len(rows), tc.rows)
		}
		seen := map[string]bool{}
		for _, row := range rows {
			if !tc.fits(row) {
				t.Errorf("%s: shows %+v", tc.name, row)
			}
			seen[row[no].Text] = true
		}
		if len(seen) != len(rows) {
			t.Errorf("%s: shows a row twice", tc.name)
		}
	}
}
