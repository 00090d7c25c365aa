package console

import (
	"slices"

	"github.com/shuqiao/shuqiao/catalog"
	"github.com/shuqiao/shuqiao/catalog/sample"
)

// previewRows is how many made-up rows show what a system would receive.
const previewRows = 10

// preview is what a system would receive under the terms of the form, on rows that are made up.
type preview struct {
	Parts []previewPart
	Wrong int // How many fields stand in the way of handing the form in.
}

type previewPart struct {
	Resource string
	Words    string // The rows in words, "" for all.
	Columns  []previewColumn
	Rows     [][]sample.Value
}

type previewColumn struct {
	Name, Identifier string
	Mask             string // "" when it is given as it is.
	Cleared          bool   // Only if the provider agrees.
	Lookup           bool
}

// drawPreview draws the form with what a system would receive, and with what is still wrong.
func (v *visit) drawPreview(page formPage, problem error) error {
	page.Preview = &preview{}
	if p := v.problem(problem); p != nil {
		if len(p.fields) == 0 {
			return problem
		}
		page.Preview.Wrong = len(p.fields)
	}
	for _, part := range page.Parts {
		page.Preview.Parts = append(page.Preview.Parts, v.previewOf(part))
	}
	return v.drawForm(page, problem)
}

// previewOf makes rows up from what the items state, inside the rows that are asked for. No row of the store is read. Items that are asked for without
// their mask are shown without it: that is what is asked for, and the page says that the provider decides.
func (v *visit) previewOf(part formPart) previewPart {
	version := part.Resource.Version
	out := previewPart{Resource: part.Resource.Name}
	var all [][]sample.Value
	if raw, err := part.Choice.rowFilter(version.Items); err == nil {
		out.Words = v.rowsInWords(raw, version.Items)
		all = rowsInside(version.Items, raw, uint64(version.Number))
	}
	var chosen []catalog.Item
	var places []int
	for n, i := range version.Items {
		if !slices.Contains(part.Choice.Items, i.Identifier) || i.ShareType == catalog.Withheld {
			continue
		}
		column := previewColumn{
			Name: i.Name, Identifier: i.Identifier, Mask: maskOf(i), Lookup: slices.Contains(part.Choice.Lookup, i.Identifier),
		}
		if column.Mask != "" && slices.Contains(part.Choice.Unmask, i.Identifier) {
			column.Mask, column.Cleared = "", true
		}
		chosen, places = append(chosen, i), append(places, n)
		out.Columns = append(out.Columns, column)
	}
	if len(chosen) == 0 {
		return out
	}
	masks := sample.DefaultMasks(chosen)
	for n, i := range chosen {
		if out.Columns[n].Cleared {
			delete(masks, i.No)
		}
	}
	rows := make([][]sample.Value, len(all))
	for n, row := range all {
		for _, place := range places {
			rows[n] = append(rows[n], row[place])
		}
	}
	out.Rows = sample.Masked(chosen, rows, masks)
	return out
}
