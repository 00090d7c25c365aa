package console

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/catalog"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// mountForm is the form of a mount: first entry and source are chosen, then a table, then each item gets its column.
type mountForm struct {
	Editing             bool
	Action, Back        string
	RowVersion          int64
	Step                int // 1: entry and source, 2: table, 3: columns.
	ResourceID          uuid.UUID
	Resource            catalog.Resource
	Resources           []catalog.Entry
	SourceID            uuid.UUID
	Source              catalog.Source
	Sources             []catalog.Source
	Object, Text        string
	Tables              []catalog.SourceTable
	Cut                 bool
	Failure             *diagnosis
	Columns             []catalog.SourceColumn
	List                bool // So many columns and items that they share one list to choose from.
	Items               []mountFormItem
	Suggested           int
	Fed                 map[string]string // Columns by the item that was proposed from them; nil for an entry not made from a table.
	Conditions          []condition
	Filterable          []catalog.Item
	Ops                 []string
	KeepsRows           bool   // The row filter says more than the lines of the form can.
	Words               string // The row filter in words.
	Order, Watermark    string
	Rule                string
	SoftColumn, SoftIs  string
	TableObject         string
	TableKeys, TableAge string
	Rules               []string
}

// mountFormItem is one item in the form, with the columns that can feed it first.
type mountFormItem struct {
	Item    catalog.Item
	Column  string
	Reason  string
	Choices []columnChoice
	Guessed bool // The column was found by name or comment.
	Wrong   string
}

// columnChoice is one column to choose for an item.
type columnChoice struct {
	Name, Text string
	Unfit      bool // A column of its kind cannot feed the item.
}

// maxChoices bounds the choices of one page: beyond, all items share one list.
const maxChoices = 6_000

// mountable bounds the entries that can be chosen from.
const mountable = 200

// deleteRules are the ways a mount can say how deletes arrive.
func deleteRules() []string {
	return []string{catalog.DeleteMissing, catalog.DeleteSoft, catalog.DeleteTable, catalog.DeleteNone}
}

func (c *console) showNewMount(v *visit) error {
	if !v.may(authz.MountWrite, v.own("mount")) {
		return fault.New(fault.Forbidden, "forbidden", "you cannot mount entries")
	}
	f := mountForm{Action: prefix + "/mounts", Back: prefix + "/mounts", Object: v.query("object"), Text: v.query("q"), Rule: catalog.DeleteMissing}
	f.ResourceID, _ = uuid.Parse(v.query("resource"))
	f.SourceID, _ = uuid.Parse(v.query("source"))
	v.fromOrigin(&f)
	if err := v.chosen(&f); err != nil {
		return err
	}
	if f.Step == 3 {
		if m, ok := v.model(f); ok {
			f.of(v, m)
		} else {
			f.suggest()
		}
	}
	return v.drawMountForm(f, nil)
}

// fromOrigin fills in the table that an entry was proposed from, where nothing else was chosen.
func (v *visit) fromOrigin(f *mountForm) {
	if f.ResourceID == uuid.Nil || f.SourceID != uuid.Nil || f.Object != "" {
		return
	}
	if origin, err := v.Catalog.Origin(v.r.Context(), v.principal, f.ResourceID); err == nil {
		f.SourceID, f.Object = origin.SourceID, origin.Object
		f.Fed = map[string]string{}
		for _, item := range origin.Proposal.Items {
			f.Fed[item.Identifier] = item.Column
		}
	}
}

// model is the mount that a new one begins as: that in use cannot be edited, another takes its place.
func (v *visit) model(f mountForm) (catalog.Mount, bool) {
	id, err := uuid.Parse(v.query("from"))
	if err != nil {
		return catalog.Mount{}, false
	}
	m, err := v.Catalog.Mount(v.r.Context(), v.principal, id)
	return m, err == nil && m.ResourceID == f.ResourceID && m.SourceID == f.SourceID
}

// chosen reads what has been chosen so far, and what can be chosen next.
func (v *visit) chosen(f *mountForm) (err error) {
	ctx := v.r.Context()
	f.Step = 1
	if f.ResourceID != uuid.Nil {
		if f.Resource, err = v.Catalog.Get(ctx, v.principal, f.ResourceID); err != nil {
			return err
		}
	}
	if f.SourceID != uuid.Nil {
		if f.Source, err = v.Catalog.Source(ctx, v.principal, f.SourceID); err != nil {
			return err
		}
	}
	if f.ResourceID == uuid.Nil || f.SourceID == uuid.Nil {
		if f.Resources, _, err = v.Catalog.Search(ctx, v.principal, catalog.Query{DepartmentID: v.principal.Department}, db.Page{Limit: mountable}); err != nil {
			return err
		}
		f.Resources = slices.DeleteFunc(f.Resources, func(e catalog.Entry) bool { return e.ShareType == catalog.Withheld })
		f.Sources, _, err = v.Catalog.Sources(ctx, v.principal, v.principal.Department, db.Page{Limit: mountable})
		return err
	}
	f.Step = 2
	if f.Object == "" {
		f.Tables, err = v.Catalog.Tables(ctx, v.principal, f.SourceID, askTables)
		f.Tables = slices.DeleteFunc(f.Tables, func(t catalog.SourceTable) bool {
			return !strings.Contains(strings.ToLower(t.Object+" "+t.Comment), strings.ToLower(f.Text))
		})
		if f.Cut = len(f.Tables) > maxTables; f.Cut {
			f.Tables = f.Tables[:maxTables]
		}
		return v.orFailure(f, err)
	}
	schema, err := v.Catalog.Describe(ctx, v.principal, f.SourceID, f.Object)
	if err == nil {
		f.Step, f.Columns = 3, schema.Columns
	}
	return v.orFailure(f, err)
}

// orFailure keeps what a source answered instead of what it was asked for, to be said on the page.
func (v *visit) orFailure(f *mountForm, err error) error {
	if err != nil && fromSource(err) {
		f.Failure = v.diagnose(fault.CodeOf(err), messageOf(err))
		return nil
	}
	return err
}

// suggest finds columns for items: by the same identifier, then by a comment that is the item's name, then by a comment that
// begins with it. Each column is suggested once.
func (f *mountForm) suggest() {
	used := map[string]bool{}
	guess := map[int]string{}
	plain := func(s string) string { return strings.ReplaceAll(strings.ToLower(s), "_", "") }
	for _, same := range []func(catalog.Item, catalog.SourceColumn) bool{
		func(i catalog.Item, c catalog.SourceColumn) bool { return f.Fed[i.Identifier] == c.Name },
		func(i catalog.Item, c catalog.SourceColumn) bool { return plain(i.Identifier) == plain(c.Name) },
		func(i catalog.Item, c catalog.SourceColumn) bool { return c.Comment != "" && c.Comment == i.Name },
		func(i catalog.Item, c catalog.SourceColumn) bool {
			return c.Comment != "" && strings.HasPrefix(c.Comment, i.Name)
		},
	} {
		for _, item := range f.Resource.Version.Items {
			if item.ShareType == catalog.Withheld || guess[item.No] != "" {
				continue
			}
			for _, c := range f.Columns {
				if !used[c.Name] && same(item, c) && catalog.Feeds(c.Kind, item) {
					guess[item.No], used[c.Name] = c.Name, true
					break
				}
			}
		}
	}
	for _, item := range f.Resource.Version.Items {
		if item.ShareType != catalog.Withheld {
			f.Items = append(f.Items, mountFormItem{Item: item, Column: guess[item.No], Guessed: guess[item.No] != ""})
			if guess[item.No] != "" {
				f.Suggested++
			}
		}
	}
}

// drawMountForm fills in what can be chosen and, at each item, what is wrong with it.
func (v *visit) drawMountForm(f mountForm, problem error) error {
	f.Rules, f.Ops = deleteRules(), rowOps()
	f.List = len(f.Items)*len(f.Columns) > maxChoices
	p := v.problem(problem)
	for i := range f.Items {
		row := &f.Items[i]
		if p != nil {
			for _, part := range []string{"item_no", "column", "reason"} {
				if s := p.fields[fmt.Sprintf("columns[%d].%s", i, part)]; s != "" {
					row.Wrong = s
				}
			}
		}
		if !f.List {
			row.Choices = v.columnChoices(f.Columns, row.Item)
			if row.Column != "" && !slices.ContainsFunc(row.Choices, func(c columnChoice) bool { return c.Name == row.Column }) {
				row.Choices = append(row.Choices, columnChoice{Name: row.Column, Text: row.Column + " " + v.say("mount.gone"), Unfit: true})
			}
		}
	}
	for _, i := range f.Resource.Version.Items {
		if i.ShareType != catalog.Withheld && i.DataType != catalog.General {
			f.Filterable = append(f.Filterable, i)
		}
	}
	for len(f.Conditions) < conditionLines {
		f.Conditions = append(f.Conditions, condition{Op: "eq"})
	}
	title := "mount.new"
	if f.Editing {
		title = "mount.edit"
	}
	if problem != nil {
		return v.again("mount_form", title, f, problem)
	}
	return v.show("mount_form", title, f)
}

// columnChoices lists the columns for one item: those that can feed it first.
func (v *visit) columnChoices(columns []catalog.SourceColumn, item catalog.Item) []columnChoice {
	out := make([]columnChoice, 0, len(columns))
	for _, c := range columns {
		text := c.Name + " · " + c.NativeType
		if c.Comment != "" {
			text += " · " + c.Comment
		}
		unfit := !catalog.Feeds(c.Kind, item)
		if unfit {
			text += " " + v.say("mount.unfit")
		}
		out = append(out, columnChoice{c.Name, text, unfit})
	}
	slices.SortStableFunc(out, func(a, b columnChoice) int {
		switch {
		case a.Unfit == b.Unfit:
			return 0
		case b.Unfit:
			return -1
		}
		return 1
	})
	return out
}

// typedMount reads the form as it was sent, into f and as what the service takes.
func (v *visit) typedMount(f *mountForm) (catalog.MountInput, error) {
	in := catalog.MountInput{Version: f.Resource.Version.Number, SourceID: f.SourceID, Object: f.Object, DeleteRule: v.field("delete_rule")}
	f.Items = nil
	for _, item := range f.Resource.Version.Items {
		if item.ShareType == catalog.Withheld {
			continue
		}
		no := strconv.Itoa(item.No)
		row := mountFormItem{Item: item, Column: v.field("column_" + no), Reason: v.field("reason_" + no)}
		f.Items = append(f.Items, row)
		in.Columns = append(in.Columns, catalog.MountColumn{ItemNo: item.No, Column: row.Column, Reason: row.Reason})
	}
	f.Order, f.Watermark, f.Rule = v.field("order_column"), v.field("watermark_column"), in.DeleteRule
	f.SoftColumn, f.SoftIs = v.field("soft_column"), v.field("soft_values")
	f.TableObject, f.TableKeys, f.TableAge = v.field("deletes_object"), v.field("deletes_keys"), v.field("deletes_watermark")
	in.OrderColumn, in.WatermarkColumn = f.Order, f.Watermark
	switch in.DeleteRule {
	case catalog.DeleteSoft:
		in.Deletes = &catalog.MountDeletes{Column: f.SoftColumn, Values: listItems(f.SoftIs)}
	case catalog.DeleteTable:
		in.Deletes = &catalog.MountDeletes{Object: f.TableObject, KeyColumns: listItems(f.TableKeys), WatermarkColumn: f.TableAge}
	}
	lines := v.typedFor("")
	f.Conditions = lines.Conditions
	raw, err := lines.rowFilter(f.Resource.Version.Items)
	if err != nil {
		return in, fault.InvalidFields([]fault.Field{{Name: "row_filter", Code: "filter_invalid", Message: messageOf(err)}})
	}
	in.RowFilter = raw
	return in, nil
}

// listItems parts what people write as a list.
func listItems(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(" ,;\u3001\uff0c\uff1b", r) })
}
