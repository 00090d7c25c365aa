package console

import (
	"encoding/json"
	"fmt"

	"github.com/shuqiao/shuqiao/catalog"
	"github.com/shuqiao/shuqiao/catalog/codes"
	"github.com/shuqiao/shuqiao/catalog/mask"
)

// gridColumn is one column of the grid of items, as the script draws it.
type gridColumn struct {
	Field  string   `json:"field"`
	Title  string   `json:"title"`
	Kind   string   `json:"kind"` // text, number, tick or list
	Width  int      `json:"width"`
	Values []option `json:"values,omitempty"` // Of a list.
	Frozen bool     `json:"frozen,omitempty"`
	Mono   bool     `json:"mono,omitempty"`
	Free   bool     `json:"free,omitempty"` // A list that takes other values, too.
}

// gridSpec is everything the script needs to know about the grid.
type gridSpec struct {
	Columns []gridColumn      `json:"columns"`
	New     catalog.Item      `json:"new"` // What a new row states.
	Say     map[string]string `json:"say"` // Words of the grid itself.
	Yes     []string          `json:"yes"` // What a pasted cell says for yes.
}

// itemColumns lists the fields of an item in the order in which people fill them in. no and id are the hub's.
func (v *visit) itemColumns(departments []option) []gridColumn {
	none := option{Text: v.say("list.none")}
	share := append([]option{none}, choices(v, "share_type", []catalog.ShareType{catalog.Unconditional, catalog.Conditional, catalog.Withheld})...)
	grades := []option{none}
	for _, g := range []catalog.Grade{catalog.L1, catalog.L2, catalog.L3, catalog.L4} {
		grades = append(grades, option{Value: string(g), Text: string(g) + " " + v.word("grade", g)})
	}
	masks := []option{none, {Value: catalog.MaskNone, Text: v.word("mask", catalog.MaskNone)}}
	for _, m := range mask.Masks() {
		masks = append(masks, option{Value: m.Name, Text: v.word("mask", m.Name)})
	}
	sets := []option{none}
	for _, l := range codes.Lists() {
		sets = append(sets, option{Value: l.Name, Text: v.pick(l.ZH, l.EN)})
	}
	validators := []option{none}
	for _, c := range codes.Validators() {
		validators = append(validators, option{Value: c.Name, Text: v.pick(c.ZH, c.EN)})
	}
	formats := []option{none, {Value: codes.FormatGeometry, Text: v.word("item_format", codes.FormatGeometry)}}
	columns := []gridColumn{
		{Field: "name", Kind: "text", Width: 150, Frozen: true},
		{Field: "identifier", Kind: "text", Width: 150, Mono: true},
		{Field: "data_type", Kind: "list", Width: 96, Values: choices(v, "data_type", catalog.DataTypes())},
		{Field: "length", Kind: "number", Width: 72},
		{Field: "scale", Kind: "number", Width: 88},
		{Field: "is_key", Kind: "tick", Width: 64},
		{Field: "required", Kind: "tick", Width: 84},
		{Field: "filterable", Kind: "tick", Width: 76},
		{Field: "share_type", Kind: "list", Width: 116, Values: share},
		{Field: "grade", Kind: "list", Width: 100, Values: grades},
		{Field: "mask_rule", Kind: "list", Width: 130, Values: masks},
		{Field: "mask_reason", Kind: "text", Width: 140},
		{Field: "sensitive_pi", Kind: "tick", Width: 116},
		{Field: "open", Kind: "tick", Width: 64},
		{Field: "code_set", Kind: "list", Width: 130, Values: sets},
		{Field: "definition", Kind: "text", Width: 200},
		{Field: "unit", Kind: "text", Width: 72},
		{Field: "share_condition", Kind: "text", Width: 160},
		{Field: "validator", Kind: "list", Width: 160, Values: validators, Free: true},
		{Field: "data_element", Kind: "text", Width: 120},
		{Field: "format", Kind: "list", Width: 90, Values: formats},
		{Field: "source_dept_id", Kind: "list", Width: 180, Values: append([]option{{Value: "00000000-0000-0000-0000-000000000000", Text: v.say("list.none")}}, departments...)},
	}
	for i := range columns {
		columns[i].Title = v.say("item_field." + columns[i].Field)
	}
	return columns
}

func (v *visit) gridSpec(departments []option) (string, error) {
	spec := gridSpec{
		Columns: v.itemColumns(departments), New: catalog.Item{DataType: catalog.Char, ShareType: catalog.Conditional, Grade: catalog.L2}, Say: map[string]string{},
		Yes: parted(v.say("compile.grid_yes")),
	}
	for _, key := range []string{"empty", "row", "pasted", "removed", "unread"} {
		spec.Say[key] = v.say("compile.grid_" + key)
	}
	spec.Say["count"] = v.say("terms.items_count")
	raw, err := json.Marshal(spec)
	if err != nil {
		return "", fmt.Errorf("writing the columns of the items: %w", err)
	}
	return string(raw), nil
}
