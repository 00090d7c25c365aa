package transform

import "testing"

// populationPlan is a population register as sources keep it: dates, codes and numbers as text, 12 items.
func populationPlan(b testing.TB) (*Plan, Cells) {
	items := []Item{
		{No: 1, Identifier: "citizen_id", Letter: 'C', Length: 18, Key: true, Required: true, Validator: "citizen_id"},
		{No: 2, Identifier: "name", Letter: 'C', Length: 64, Required: true},
		{No: 3, Identifier: "sex_code", Letter: 'C', Length: 1, Codes: []string{"0", "1", "2", "9"}},
		{No: 4, Identifier: "birth_date", Letter: 'D'},
		{No: 5, Identifier: "domicile_division_code", Letter: 'C', Length: 12, Validator: "division"},
		{No: 6, Identifier: "domicile_address", Letter: 'C', Length: 200},
		{No: 7, Identifier: "mobile", Letter: 'C', Length: 11, Validator: "mobile"},
		{No: 8, Identifier: "household_size", Letter: 'I'},
		{No: 9, Identifier: "income", Letter: 'Y', Length: 18, Scale: 2},
		{No: 10, Identifier: "registered_at", Letter: 'T'},
		{No: 11, Identifier: "score", Letter: 'B'},
		{No: 12, Identifier: "is_resident", Letter: 'L'},
	}
	columns := []Column{
		{Kind: KindText},
		{Kind: KindText},
		{Kind: KindText},
		{Kind: KindText},
		{Kind: KindText},
		{Kind: KindText},
		{Kind: KindText},
		{Kind: KindInteger},
		{Kind: KindDecimal},
		{Kind: KindLocalTimestamp},
		{Kind: KindFloat},
		{Kind: KindText},
	}
	return mustCompile(b, items, columns), table{cells("11010519491231002X", "欧阳示例", "1", "19491231", "330602001001",
		"示例省示例市示例区示例路12号", "13800001234", "3", "12345.60", "2026-02-13T08:30:00.123456", "0.123456", "1")}
}

func BenchmarkRow(b *testing.B) {
	plan, rows := populationPlan(b)
	var row Row
	b.ReportAllocs()
	for b.Loop() {
		plan.Row(rows, 0, &row)
	}
	if len(row.Reasons) > 0 {
		b.Fatalf("refused: %s", codesOf(row.Reasons))
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}

func BenchmarkEncodeCopyText(b *testing.B) {
	plan, rows := populationPlan(b)
	var row Row
	plan.Row(rows, 0, &row)
	var line []byte
	for b.Loop() {
		line = line[:0]
		for _, v := range row.Values {
			line = append(EncodeCopyText(line, v), '\t')
		}
	}
	b.SetBytes(int64(len(line)))
}

// A sound row costs one allocation, for its key.
func TestRowAllocations(t *testing.T) {
	plan, rows := populationPlan(t)
	var row Row
	plan.Row(rows, 0, &row)
	got := testing.AllocsPerRun(100, func() { plan.Row(rows, 0, &row) })
	if got > 1 || len(row.Reasons) > 0 {
		t.Errorf("got %v allocations, want at most 1 (reasons %s)", got, codesOf(row.Reasons))
	}
}
