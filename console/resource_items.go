package console

import (
	"strconv"
	"strings"

	"github.com/shuqiao/shuqiao/catalog"
	"github.com/shuqiao/shuqiao/catalog/codes"
)

// itemsTab is what a resource holds, item by item.
type itemsTab struct {
	Text     string // What narrows the list.
	Rows     []itemRow
	All      int
	Withheld []itemRow // Of those, the ones that nobody can have.
	Sheet    string
}

// itemRow is one item with what is said of its values.
type itemRow struct {
	catalog.Item
	Why   string // Why it cannot be had, or "".
	Notes []string
	Codes []codes.Entry
	List  string // Name of the code list.
}

func (v *visit) fillItems(page *resourcePage) error {
	m := page.Resource.Version.Metadata
	t := &itemsTab{Text: v.query("q"), All: len(m.Items), Sheet: v.sheetAddress()}
	for _, row := range v.itemRows(page) {
		if row.Why != "" {
			t.Withheld = append(t.Withheld, row)
		}
		if matchesText(t.Text, row.Name, row.Identifier, row.Definition, row.List) {
			t.Rows = append(t.Rows, row)
		}
	}
	page.Items = t
	return nil
}

// matchesText says whether one of the texts holds what was typed, whatever the case of its letters.
func matchesText(typed string, texts ...string) bool {
	typed = strings.ToLower(typed)
	for _, text := range texts {
		if strings.Contains(strings.ToLower(text), typed) {
			return true
		}
	}
	return false
}

func (v *visit) itemRows(page *resourcePage) []itemRow {
	rows := make([]itemRow, len(page.Resource.Version.Items))
	for i, item := range page.Resource.Version.Items {
		row := itemRow{Item: item}
		if item.ShareType == catalog.Withheld {
			row.Why = v.say("item.withheld_law")
			if page.Law != "" {
				row.Why = v.say("item.withheld_by", "law", page.Law)
			}
			if item.ShareCondition != "" {
				row.Why += " " + item.ShareCondition
			}
		}
		if item.Required {
			row.Notes = append(row.Notes, v.say("item.note_required"))
		}
		if validator, _, ok := codes.FindValidator(item.Validator); ok {
			row.Notes = append(row.Notes, v.say("item.note_validator", "name", v.pick(validator.ZH, validator.EN)))
		}
		if list, ok := codes.List(item.CodeSet); ok {
			row.List = strings.TrimSpace(v.pick(list.ZH, list.EN) + " " + list.Standard)
			row.Codes = list.Entries
		}
		if item.DataElement != "" {
			row.Notes = append(row.Notes, v.say("item.note_element", "name", item.DataElement))
		}
		rows[i] = row
	}
	return rows
}

// itemsSheet sends the items as a table.
func (v *visit) itemsSheet(page *resourcePage) error {
	columns := []string{
		"item.name", "item.identifier", "item.type", "item.length", "item.key", "item.filterable", "item.share", "item.grade", "item.mask", "item.code_set",
		"item.notes", "item.definition", "item.why",
	}
	return v.sheet("items", columns, func(string) ([][]string, string, error) {
		var rows [][]string
		for _, r := range v.itemRows(page) {
			length := ""
			if r.Length > 0 {
				length = strconv.Itoa(r.Length)
			}
			masked := ""
			if r.MaskRule != "" {
				masked = v.word("mask", r.MaskRule)
			}
			rows = append(rows, []string{
				r.Name, r.Identifier, v.word("data_type", r.DataType), length, v.word("yes", r.Key), v.word("yes", r.Filterable), v.word("share_type", r.ShareType),
				v.word("grade", r.Grade), masked, r.List, strings.Join(r.Notes, v.say("list.comma")), r.Definition, r.Why,
			})
		}
		return rows, "", nil
	})
}
