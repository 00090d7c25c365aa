package catalog

import (
	"fmt"
	"slices"

	"github.com/shuqiao/shuqiao/connectors"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// maxDeleteValues bounds the values of a soft-delete column that mean deleted.
const maxDeleteValues = 20

// checkDeletes judges how a mount says that deletes arrive, as far as that needs no look at the source.
func checkDeletes(rule string, d *MountDeletes) []fault.Field {
	var wrong []fault.Field
	add := func(name, code, message string) {
		wrong = append(wrong, fault.Field{Name: name, Code: code, Message: message})
	}
	switch rule {
	case DeleteMissing, DeleteNone:
		if d != nil {
			add("deletes", "contradicts", "this delete rule needs nothing of the source; leave deletes out")
		}
	case DeleteSoft:
		if d == nil || d.Column == "" {
			add("deletes.column", "required", "name the column that marks rows as deleted")
			break
		}
		if d.Object != "" || len(d.KeyColumns) > 0 || d.WatermarkColumn != "" {
			add("deletes.object", "contradicts", "a soft delete is a column of the mounted object itself")
		}
		if len(d.Values) > maxDeleteValues {
			add("deletes.values", "too_many", fmt.Sprintf("name at most %d values", maxDeleteValues))
		}
	case DeleteTable:
		if d == nil || d.Object == "" || len(d.KeyColumns) == 0 || d.WatermarkColumn == "" {
			add("deletes", "required", "name the table of deleted keys, its key columns in item-number order, and its watermark column")
			break
		}
		if d.Column != "" || len(d.Values) > 0 {
			add("deletes.column", "contradicts", "a delete table marks no rows of the mounted object")
		}
	default:
		add("delete_rule", "not_choice", "state missing, soft_delete, delete_table or none")
	}
	return wrong
}

// checkDeleteColumns compares the delete rule with the live schemas of the mounted object and of the delete table.
func checkDeleteColumns(m Mount, columns []MountColumn, v Version, schema, deleted connectors.Schema) []fault.Field {
	var wrong []fault.Field
	block := func(name, code, message string) {
		wrong = append(wrong, fault.Field{Name: name, Code: code, Message: message})
	}
	switch m.DeleteRule {
	case DeleteSoft:
		if _, ok := schema.Column(m.Deletes.Column); !ok {
			block("deletes.column", "column_missing", "the object has no such column")
		}
	case DeleteTable:
		var kinds []string // Of the columns that feed the key items, in item-number order.
		items := slices.SortedFunc(slices.Values(v.Items), func(a, b Item) int { return a.No - b.No })
		for _, item := range items {
			for _, c := range columns {
				if item.Key && c.ItemNo == item.No {
					kinds = append(kinds, c.Kind)
				}
			}
		}
		if len(kinds) != len(m.Deletes.KeyColumns) {
			block("deletes.key_columns", "count", "name one column for each key item, in item-number order")
			break
		}
		for i, name := range m.Deletes.KeyColumns {
			field := fmt.Sprintf("deletes.key_columns[%d]", i)
			column, ok := deleted.Column(name)
			switch {
			case !ok:
				block(field, "column_missing", "the delete table has no such column")
			case string(column.Kind) != kinds[i]:
				block(field, "incompatible_type", "the column is of another kind than the one that feeds the key item")
			}
		}
		column, ok := deleted.Column(m.Deletes.WatermarkColumn)
		switch {
		case !ok:
			block("deletes.watermark_column", "column_missing", "the delete table has no such column")
		case column.Kind != connectors.Date && column.Kind != connectors.Timestamp && column.Kind != connectors.LocalTimestamp:
			block("deletes.watermark_column", "incompatible_type", "the watermark column of a delete table is a date or a time")
		}
	}
	return wrong
}
