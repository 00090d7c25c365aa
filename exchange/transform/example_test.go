package transform_test

import (
	"fmt"
	"time"

	"github.com/shuqiao/shuqiao/exchange/transform"
)

// batch is rows in memory; connectors give batches of the same shape.
type batch [][]string

func (b batch) Cell(row, col int) []byte { return []byte(b[row][col]) }

// A source that keeps everything as text: the first row is accepted, the second refused with all its reasons.
func ExamplePlan_Row() {
	plan, faults := transform.Compile(
		[]transform.Item{
			{No: 1, Identifier: "uscc", Letter: 'C', Length: 18, Key: true, Validator: "uscc"},
			{No: 2, Identifier: "establish_date", Letter: 'D'},
			{No: 3, Identifier: "reg_capital", Letter: 'N', Length: 18, Scale: 6},
		},
		[]transform.Column{
			{Name: "code", Kind: transform.KindText}, {Name: "founded", Kind: transform.KindText}, {Name: "capital", Kind: transform.KindText},
		},
		time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC),
	)
	if len(faults) > 0 {
		fmt.Println(faults)
		return
	}
	rows := batch{
		{"11330602qq0000004n ", "20260213", "100.500000"},
		{"11330602QQ0000004M", "2026-02-30", "a lot"},
	}
	var row transform.Row
	var sum transform.Sum
	for i := range rows {
		plan.Row(rows, i, &row)
		if len(row.Reasons) == 0 {
			sum.Add(row.Hash)
			fmt.Printf("%s: %s\n", row.Key, row.Values)
			continue
		}
		for _, reason := range row.Reasons {
			fmt.Println("item", reason.ItemNo, reason.Code)
		}
	}
	fmt.Println(sum.Count, "row accepted")
	// Output:
	// 11330602QQ0000004N: [11330602QQ0000004N 2026-02-13 100.5]
	// item 1 bad_check_digit
	// item 2 impossible_date
	// item 3 bad_number
	// 1 row accepted
}
