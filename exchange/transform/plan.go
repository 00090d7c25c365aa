package transform

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/shuqiao/shuqiao/catalog/codes"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// Plan is a compiled mapping. It is immutable and may be used by several goroutines, each with its own Row.
type Plan struct {
	items  []itemPlan
	byNo   []int // Indexes of items in item-number order.
	keys   []int // Indexes of key items in item-number order.
	binary bool  // Some item is of letter G.
	asOf   time.Time
}

// itemPlan is one item with all that judging a cell of it needs.
type itemPlan struct {
	item      Item
	kind      Kind
	text      bool // Letter C or M.
	codes     map[string]string
	validator *codes.Validator
	typeIndex int // Index of the item that holds the validator's type, or -1.
	local     *time.Location
	prefix    []byte // Item number and letter as they are hashed.
}

// Compile checks that columns[i] can feed items[i] and prepares their conversion. asOf is the day on which dates inside
// identifiers are judged (births in the future, ages); a run passes its start, so that all its rows are judged alike.
// It returns a nil plan and every fault found when the mapping cannot work; Field.Name is "items[i]" with the item's part
// behind it, or "columns". Codes: count_mismatch, item_number, unknown_letter, unknown_kind, incompatible_type, key_type,
// length, unknown_validator, validator_type.
func Compile(items []Item, columns []Column, asOf time.Time) (*Plan, []fault.Field) {
	if len(items) != len(columns) {
		return nil, []fault.Field{{Name: "columns", Code: "count_mismatch", Message: "give exactly one column for each item"}}
	}
	local, err := shanghai()
	if err != nil {
		// The zone database is part of the build, so this is a defect of the build, told as such.
		return nil, []fault.Field{{Name: "items", Code: "no_time_zone", Message: "the time zone Asia/Shanghai is not known to this build"}}
	}
	plan := &Plan{items: make([]itemPlan, len(items)), asOf: asOf}
	index := make(map[string]int, len(items))
	numbers := make(map[int]bool, len(items))
	for i, item := range items {
		index[item.Identifier] = i
	}
	var faults []fault.Field
	for i, item := range items {
		name := fmt.Sprintf("items[%d]", i)
		add := func(part, code, message string) {
			faults = append(faults, fault.Field{Name: name + part, Code: code, Message: message})
		}
		if item.No < 1 || numbers[item.No] {
			add(".no", "item_number", "item numbers start at 1 and occur once")
		}
		numbers[item.No] = true
		p, ok := compileItem(item, columns[i], index, add)
		if ok {
			p.local = local
			plan.items[i] = p
		}
		plan.byNo = append(plan.byNo, i)
		if item.Letter == 'G' {
			plan.binary = true
		}
	}
	if len(faults) > 0 {
		return nil, faults
	}
	slices.SortFunc(plan.byNo, func(a, b int) int { return cmp.Compare(items[a].No, items[b].No) })
	for _, i := range plan.byNo {
		if items[i].Key {
			plan.keys = append(plan.keys, i)
		}
	}
	return plan, nil
}

// compileItem prepares one item and reports what is wrong through add.
func compileItem(item Item, column Column, index map[string]int, add func(part, code, message string)) (itemPlan, bool) {
	p := itemPlan{item: item, kind: column.Kind, text: item.Letter == 'C' || item.Letter == 'M', typeIndex: -1}
	switch {
	case item.Letter == 0 || strings.IndexByte(Letters, item.Letter) < 0:
		add(".data_type", "unknown_letter", "the data type is one of the letters C N Y D T L M G B I F")
		return p, false
	case !codes.KnownKind(string(column.Kind)):
		add("", "unknown_kind", "the column's kind is not known to this hub")
		return p, false
	case !codes.Feeds(string(column.Kind), item.Letter, item.Format):
		add("", "incompatible_type",
			fmt.Sprintf("a column of kind %s cannot feed an item of data type %c; map another column or change the item", column.Kind, item.Letter))
		return p, false
	}
	if item.Key && item.Letter == 'G' {
		add(".is_key", "key_type", "binary data and geometries cannot be part of a key")
	}
	if item.Length < 0 || item.Scale < 0 || (item.Scale > item.Length && item.Length > 0) {
		add(".length", "length", "length and scale are not negative, and the scale is not above the length")
	}
	if item.Codes != nil {
		p.codes = make(map[string]string, len(item.Codes))
		for _, code := range item.Codes {
			p.codes[code] = code
		}
	}
	if item.Validator != "" {
		v, typeItem, ok := codes.FindValidator(item.Validator)
		if !ok {
			add(".validator", "unknown_validator", "there is no validator of this name, or it takes no type item")
			return p, false
		}
		if !p.text {
			add(".validator", "validator_type", "validators judge items of data type C or M only")
		}
		p.validator = &v
		if typeItem != "" {
			if p.typeIndex, ok = index[typeItem]; !ok {
				add(".validator", "unknown_validator", "the item that holds the validator's type is not mapped")
			}
		}
	}
	p.prefix = appendUvarint(nil, uint64(max(item.No, 0)))
	p.prefix = append(p.prefix, item.Letter)
	return p, true
}

// Items returns the number of items.
func (p *Plan) Items() int { return len(p.items) }
