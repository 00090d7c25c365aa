package console

import (
	"encoding/binary"
	"slices"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/catalog"
	"github.com/shuqiao/shuqiao/catalog/sample"
)

// sampleTab is made-up rows as a grant would answer them.
type sampleTab struct {
	sampleTable
	Choices []grantChoice
	Grant   bool // Masked as the chosen grant says, with its items only; else as the catalogue says.
}

// sampleTable is rows of made-up values, with a head that says what each column is.
type sampleTable struct {
	Heads []sampleHead
	Rows  [][]sampleCell
}

type sampleHead struct {
	Name, Identifier, Mask string
	Key                    bool
}

// sampleCell is one value; Code is the code behind a word, or "".
type sampleCell struct {
	Text, Code   string
	Masked, Null bool
}

// sampleRows is how many rows are made up.
const sampleRows = 10

func (v *visit) fillSample(page *resourcePage) error {
	grants, err := v.usable(page.Resource)
	if err != nil {
		return err
	}
	t := &sampleTab{}
	var items []catalog.Item
	for _, item := range page.Resource.Version.Items {
		if item.ShareType != catalog.Withheld {
			items = append(items, item)
		}
	}
	masks := sample.DefaultMasks(items)
	t.Choices, _ = v.choices(grants)
	// The catalogue's own masks are the choice of who has chosen nothing: they are what anybody would get.
	for i := range t.Choices {
		t.Choices[i].Chosen = t.Choices[i].ID.String() == v.query("grant")
		if t.Choices[i].Chosen {
			t.Grant = true
			masks = grants[i].Masks
			items = slices.DeleteFunc(items, func(item catalog.Item) bool { return !slices.Contains(grants[i].Items, item.No) })
		}
	}
	t.sampleTable = v.sampleTable(page.Resource.ID, items, masks)
	page.Sample = t
	return nil
}

// sampleTable makes up rows of items and masks them. The rows of one resource are the same each time.
func (v *visit) sampleTable(resource uuid.UUID, items []catalog.Item, masks map[int]string) sampleTable {
	var t sampleTable
	for _, item := range items {
		t.Heads = append(t.Heads, sampleHead{Name: item.Name, Identifier: item.Identifier, Mask: masks[item.No], Key: item.Key})
	}
	rows := sample.Masked(items, sample.Rows(items, sampleRows, binary.BigEndian.Uint64(resource[8:])), masks)
	for _, row := range rows {
		cells := make([]sampleCell, len(row))
		for i, value := range row {
			cells[i] = sampleCell{Text: value.Text, Masked: value.Masked, Null: value.Null}
			if value.Masked || value.Null {
				continue
			}
			if word := v.codeWord(items[i], value.Text); word != "" {
				cells[i].Text, cells[i].Code = word, value.Text
			}
		}
		t.Rows = append(t.Rows, cells)
	}
	return t
}
