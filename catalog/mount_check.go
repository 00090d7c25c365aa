package catalog

import (
	"fmt"
	"strings"

	"github.com/shuqiao/shuqiao/catalog/codes"
	"github.com/shuqiao/shuqiao/connectors"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// Feeds reports whether a column of that kind can feed the item.
func Feeds(kind connectors.Kind, item Item) bool {
	return len(item.DataType) == 1 && codes.Feeds(string(kind), item.DataType[0], item.Format)
}

// checkMount compares a mount with the version it feeds and the live schema of its object (domain rule 2.8). It returns
// the columns with the kinds found, what blocks the mount, and what its owner should look at.
func checkMount(m Mount, v Version, schema connectors.Schema) (columns []MountColumn, blocks, warnings []fault.Field) {
	block := func(name, code, message string, args ...any) {
		blocks = append(blocks, fault.Field{Name: name, Code: code, Message: fmt.Sprintf(message, args...)})
	}
	warn := func(name, code, message string, args ...any) {
		warnings = append(warnings, fault.Field{Name: name, Code: code, Message: fmt.Sprintf(message, args...)})
	}
	columns = append(columns, m.Columns...)
	fed := map[int]int{}
	for i := range columns {
		c := &columns[i]
		name := fmt.Sprintf("columns[%d]", i)
		c.Kind = ""
		item, ok := v.ItemNo(c.ItemNo)
		if !ok {
			block(name+".item_no", "unknown", "the version has no item of this number")
			continue
		}
		if first, twice := fed[c.ItemNo]; twice {
			block(name+".item_no", "duplicate", "columns[%d] feeds the same item", first)
			continue
		}
		fed[c.ItemNo] = i
		if item.ShareType == Withheld {
			block(name+".item_no", "withheld", "withheld items are listed in the directory and never mounted")
			continue
		}
		if c.Column == "" {
			switch {
			case item.Key || item.Required:
				block(name+".column", "required", "key items and required items need a column")
			case strings.TrimSpace(c.Reason) == "":
				block(name+".reason", "required", "say why no column feeds the item")
			}
			continue
		}
		if strings.TrimSpace(c.Reason) != "" {
			block(name+".reason", "contradicts", "there is a reason for having no column, but a column is named")
		}
		column, ok := schema.Column(c.Column)
		if !ok {
			block(name+".column", "column_missing", "the object has no such column")
			continue
		}
		c.Kind = string(column.Kind)
		checkColumn(name, item, column, block, warn)
	}
	keys := 0
	for _, item := range v.Items {
		if item.Key {
			keys++
		}
		if _, ok := fed[item.No]; !ok && item.ShareType != Withheld {
			block("columns", "unmapped", "item %s (number %d) is fed by no column; name one, or leave it empty with a reason", item.Identifier, item.No)
		}
	}
	if keys == 0 {
		block("columns", "key_missing", "the version has no key item, so that rows cannot be told apart")
	}
	for _, named := range []struct{ field, column string }{{"order_column", m.OrderColumn}, {"watermark_column", m.WatermarkColumn}} {
		if named.column == "" {
			continue
		}
		column, ok := schema.Column(named.column)
		switch {
		case !ok:
			block(named.field, "column_missing", "the object has no such column")
		case column.Kind == connectors.Bytes || column.Kind == connectors.Geometry || column.Kind == connectors.JSON || column.Kind == connectors.Other:
			block(named.field, "incompatible_type", "a column of kind %s has no order", column.Kind)
		case column.Nullable && named.field == "watermark_column":
			warn(named.field, "nullable", "rows without a value here are read each time")
		}
	}
	if len(schema.Key) == 0 {
		warn("object", "no_source_key", "the object has no unique key of its own: reads cannot be resumed, and rows with the same key are rejected")
	}
	return columns, blocks, warnings
}

// checkColumn compares an item with the column that feeds it.
func checkColumn(name string, item Item, column connectors.Column, block, warn func(name, code, message string, args ...any)) {
	if !Feeds(column.Kind, item) {
		block(name+".column", "incompatible_type", "a column of kind %s cannot feed item %s of type %s", column.Kind, item.Identifier, item.DataType)
		return
	}
	exact := item.DataType == Number || item.DataType == Currency
	switch {
	case column.Length == 0 || item.Length == 0:
	case item.DataType == Char && column.Kind == connectors.Text && column.Length > item.Length:
		warn(name+".column", "longer", "the column holds up to %d characters, the item %d; longer values are rejected", column.Length, item.Length)
	case exact && column.Kind == connectors.Decimal && (column.Scale > item.Scale || column.Length-column.Scale > item.Length-item.Scale):
		warn(name+".column", "longer", "the column holds more digits than the item; such values are rejected")
	}
	if column.Nullable && (item.Key || item.Required) {
		warn(name+".column", "nullable", "the column may be empty; rows without a value are rejected")
	}
}
