package exchange

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/catalog"
	"github.com/shuqiao/shuqiao/catalog/mask"
	"github.com/shuqiao/shuqiao/connectors"
	"github.com/shuqiao/shuqiao/exchange/engine"
	"github.com/shuqiao/shuqiao/exchange/transform"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// The bounds of a preview.
const (
	previewRows   = 10
	previewLook   = 1000 // Rows looked at when the mount's filter drops most of them.
	previewLength = 200  // Characters shown of one value.
	previewLimit  = 15 * time.Second
)

// Preview is what the first rows of a mount's object become.
type Preview struct {
	Items []PreviewItem
	Rows  []PreviewRow
	Read  int // Rows looked at; those that the mount's filter drops are not shown.
}

// PreviewItem is one item of a preview.
type PreviewItem struct {
	No           int
	Name, Column string
	Mask         string // Under which its values are shown, "" as they are.
	Problem      string // Why it is left out: column_missing or incompatible_type; "" when it is not.
}

// PreviewRow is one row: a cell per item that is not left out, in their order.
type PreviewRow struct {
	Cells   []PreviewCell
	Refused bool // A run would refuse the row.
}

// PreviewCell is one value, masked where its item is.
type PreviewCell struct {
	Text    string
	Null    bool
	Reasons []string // Codes of what a run would refuse it for; the value is not shown then.
}

// PreviewMount reads at most ten rows of a mount's object and converts them as a run would. Values of items with a mask are
// masked, those of grade L3 and above always. Nothing is kept; that somebody looked is evidence. It takes the right to write the
// mount. It returns Invalid with fields when the items cannot be compiled, and what sources return.
func (s *Service) PreviewMount(ctx context.Context, p authz.Principal, id uuid.UUID) (Preview, error) {
	m, err := s.catalog.Mount(ctx, p, id)
	if err != nil {
		return Preview{}, err
	}
	f, err := loadFacts(ctx, s.db.Pool, m.ResourceID)
	if err != nil {
		return Preview{}, err
	}
	d, err := s.enforcer.Check(ctx, p, authz.MountWrite, authz.Target{Kind: "mount", ID: id.String(), Department: f.Provider, State: f.State})
	if err != nil {
		return Preview{}, err
	}
	if f.ShareType == "withheld" {
		return Preview{}, fault.New(fault.Conflict, "resource_withheld", "withheld resources are not collected (Order 809, Art 14)")
	}
	version, err := s.catalog.LoadVersion(ctx, s.db.Pool, m.ResourceID, m.Version)
	if err != nil {
		return Preview{}, err
	}
	reading, cancel := context.WithTimeout(ctx, previewLimit)
	defer cancel()
	out, err := s.preview(reading, d, m, version)
	if err != nil {
		return Preview{}, err
	}
	err = s.db.InTx(ctx, func(tx *db.Tx) error {
		return record(ctx, tx, p.Actor(), "mount.preview", "mount", id.String(), map[string]any{
			"resource_id": m.ResourceID, "source_id": m.SourceID, "object": m.Object, "rows": len(out.Rows),
		})
	})
	if err != nil {
		return Preview{}, err
	}
	return out, nil
}

func (s *Service) preview(ctx context.Context, d authz.Decision, m catalog.Mount, version catalog.Version) (Preview, error) {
	connection, err := s.catalog.OpenMount(ctx, d, m)
	if err != nil {
		return Preview{}, err
	}
	defer connection.Close()
	schema, err := connection.Describe(ctx, m.Object)
	if err != nil {
		return Preview{}, err
	}
	all, err := mapped(version.Items, m.Columns)
	if err != nil {
		return Preview{}, err
	}
	var out Preview
	var fed []engine.Mapped
	var hide []mask.Mask
	for _, item := range all {
		if item.Column == "" {
			continue
		}
		stated, _ := version.ItemNo(item.Item.No)
		shown := PreviewItem{No: item.Item.No, Name: item.Item.Name, Column: item.Column}
		column, ok := schema.Column(item.Column)
		switch {
		case !ok:
			shown.Problem = "column_missing"
		case !catalog.Feeds(column.Kind, stated):
			shown.Problem = "incompatible_type"
		default:
			item.Kind = transform.Kind(column.Kind)
			rule := hiding(stated)
			shown.Mask = rule.Name
			fed, hide = append(fed, item), append(hide, rule)
		}
		out.Items = append(out.Items, shown)
	}
	if len(fed) == 0 {
		return out, nil
	}
	err = s.previewRows(ctx, connection, m, version, fed, hide, &out)
	return out, err
}

// previewRows reads and converts until there are enough rows.
func (s *Service) previewRows(ctx context.Context, connection *connectors.Connection, m catalog.Mount, version catalog.Version, fed []engine.Mapped, hide []mask.Mask, out *Preview) error {
	zone, err := time.LoadLocation(DefaultTimeZone)
	if err != nil {
		return fmt.Errorf("reading the time zone of dates: %w", err)
	}
	items, columns, names := make([]transform.Item, len(fed)), make([]transform.Column, len(fed)), make([]string, len(fed))
	for i, f := range fed {
		items[i], columns[i], names[i] = f.Item, transform.Column{Name: f.Column, Kind: f.Kind}, f.Column
	}
	plan, wrong := transform.Compile(items, columns, time.Now().In(zone))
	if len(wrong) > 0 {
		return fault.InvalidFields(wrong)
	}
	keep, err := keeper(m.RowFilter, version.Items, fed)
	if err != nil {
		return err
	}
	stream, err := connection.Read(ctx, connectors.ReadRequest{Object: m.Object, Columns: names})
	if err != nil {
		return err
	}
	defer stream.Close()
	var row transform.Row
	for {
		batch, err := stream.Next(ctx)
		if errors.Is(err, connectors.ErrEndOfData) {
			return nil
		}
		if err != nil {
			return err
		}
		for n := range batch.Rows {
			plan.Row(batch, n, &row)
			out.Read++
			if keep == nil || len(row.Reasons) > 0 || keep(&row) {
				out.Rows = append(out.Rows, previewRow(&row, fed, hide))
			}
			if len(out.Rows) == previewRows || out.Read == previewLook {
				return nil
			}
		}
	}
}

// previewRow copies a row for people. A value with a complaint is not shown at all: what is wrong with it may be that it holds more
// than its item says.
func previewRow(row *transform.Row, fed []engine.Mapped, hide []mask.Mask) PreviewRow {
	out := PreviewRow{Cells: make([]PreviewCell, len(fed)), Refused: len(row.Reasons) > 0}
	reasons := map[int][]string{}
	for _, r := range row.Reasons {
		reasons[r.ItemNo] = append(reasons[r.ItemNo], r.Code)
	}
	for i, f := range fed {
		cell := PreviewCell{Reasons: reasons[f.Item.No], Null: row.Values[i] == nil}
		if len(cell.Reasons) == 0 && !cell.Null {
			cell.Text = strings.ToValidUTF8(string(row.Values[i]), "\uFFFD")
			if hide[i].Go != nil {
				cell.Text, cell.Null = hide[i].Go(cell.Text, nil)
			}
			if text := []rune(cell.Text); len(text) > previewLength {
				cell.Text = string(text[:previewLength]) + "…"
			}
		}
		out.Cells[i] = cell
	}
	return out
}

// hiding is the mask under which values of an item are shown to people who mend its mount: that of the item, and of grade L3 and
// above always one. The zero mask shows the value.
func hiding(item catalog.Item) mask.Mask {
	letter := item.DataType[0]
	if rule, ok := mask.Find(item.MaskRule); ok && rule.Allows(letter) {
		return rule
	}
	if item.Grade != catalog.L3 && item.Grade != catalog.L4 && (item.MaskRule == "" || item.MaskRule == "none") {
		return mask.Mask{}
	}
	for _, name := range []string{"full", "suppress"} {
		if rule, ok := mask.Find(name); ok && rule.Allows(letter) {
			return rule
		}
	}
	return mask.Mask{Name: "suppress", Go: func(string, []byte) (string, bool) { return "", true }}
}
