package sample

import (
	"math/rand/v2"

	"github.com/shuqiao/shuqiao/catalog"
	"github.com/shuqiao/shuqiao/catalog/mask"
)

// Value is one value in the text form of the store: dates as YYYY-MM-DD, times in RFC 3339, numbers plain.
type Value struct {
	Text   string
	Null   bool // There is none: the item is optional, binary, or its mask hides it.
	Masked bool // A mask made Text, or took the value away.
}

// Rows makes up n rows, one value per item in the order of the items. The same items and the same seed give the same rows.
// Items that are withheld have no values: the hub never holds any.
func Rows(items []catalog.Item, n int, seed uint64) [][]Value {
	rows := make([][]Value, n)
	for i := range rows {
		r := &row{random: rand.New(rand.NewPCG(seed, uint64(i))), n: i + 1, items: items}
		r.person()
		rows[i] = make([]Value, len(items))
		for j, item := range items {
			rows[i][j] = r.value(item)
		}
	}
	return rows
}

// sampleKey stands for a grant's secret, on which only keyed hashes depend.
var sampleKey = []byte("rows that nobody ever had, masked")

// Masked returns rows as a grant with these masks (item number to rule) answers them. Items without a mask keep their values.
func Masked(items []catalog.Item, rows [][]Value, masks map[int]string) [][]Value {
	out := make([][]Value, len(rows))
	for i, row := range rows {
		out[i] = append([]Value(nil), row...)
		for j, item := range items {
			rule, ok := mask.Find(masks[item.No])
			if !ok || j >= len(row) || row[j].Null && row[j].Text == "" && item.DataType != catalog.General {
				continue
			}
			text, null := rule.Go(row[j].Text, sampleKey)
			if null {
				text = ""
			}
			out[i][j] = Value{Text: text, Null: null, Masked: true}
		}
	}
	return out
}

// DefaultMasks are the masks that the catalogue puts on items, by item number: what a grant masks unless it says otherwise.
func DefaultMasks(items []catalog.Item) map[int]string {
	masks := map[int]string{}
	for _, item := range items {
		if item.MaskRule != "" && item.MaskRule != catalog.MaskNone {
			masks[item.No] = item.MaskRule
		}
	}
	return masks
}
