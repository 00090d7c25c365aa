package engine

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"time"

	"github.com/shuqiao/shuqiao/connectors"
	"github.com/shuqiao/shuqiao/exchange/store"
	"github.com/shuqiao/shuqiao/exchange/transform"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// prepare compares the source with the mount and compiles the mapping.
func (r *reader) prepare(ctx context.Context) error {
	schema, err := r.Source.Describe(ctx, r.Object)
	if err != nil {
		return err
	}
	var items []transform.Item
	var fed []transform.Column
	r.Job.Columns = make([]store.Column, len(r.Items))
	for i, m := range r.Items {
		r.Job.Columns[i] = store.Column{
			No: m.Item.No, Letter: string(m.Item.Letter), Key: m.Item.Key, Filterable: m.Filterable,
			Geometry: m.Item.Letter == 'G' && m.Item.Format == transform.FormatGeometry,
		}
		if m.Column == "" {
			continue
		}
		column, ok := schema.Column(m.Column)
		if !ok {
			return fault.New(fault.Conflict, "source_column_missing", "column %q, which feeds item %q, is gone from %s", m.Column, m.Item.Identifier, r.Object)
		}
		if transform.Kind(column.Kind) != m.Kind {
			return fault.New(fault.Conflict, "schema_changed", "column %q, which feeds item %q, was %s and is now %s", m.Column, m.Item.Identifier, m.Kind, column.Kind)
		}
		items = append(items, m.Item)
		fed = append(fed, transform.Column{Name: m.Column, Kind: m.Kind})
		r.planned = append(r.planned, i)
		r.columns = append(r.columns, m.Column)
	}
	plan, fields := transform.Compile(items, fed, r.AsOf)
	if len(fields) > 0 {
		return fault.InvalidFields(fields)
	}
	r.plan = plan
	r.order = -1
	if r.OrderColumn != "" {
		column, ok := schema.Column(r.OrderColumn)
		if !ok {
			return fault.New(fault.Conflict, "source_column_missing", "the order column %q is gone from %s", r.OrderColumn, r.Object)
		}
		r.order = r.column(r.OrderColumn)
		r.Job.Ordered = "text"
		switch column.Kind {
		case connectors.Integer, connectors.Decimal, connectors.Float:
			r.Job.Ordered = "numeric"
		}
	}
	identity := schema.Key
	if r.soft = -1; r.SoftDelete != nil {
		if _, ok := schema.Column(r.SoftDelete.Column); !ok {
			return fault.New(fault.Conflict, "source_column_missing", "the column %q, which marks rows as deleted, is gone from %s", r.SoftDelete.Column, r.Object)
		}
		r.soft = r.column(r.SoftDelete.Column)
	}
	if r.Incremental != nil {
		if identity, err = r.prepareWindow(schema); err != nil {
			return err
		}
	}
	if r.Source.Traits().Resume == connectors.ResumeKey && len(schema.Key) > 0 {
		for _, k := range identity {
			r.keyCells = append(r.keyCells, r.column(k))
		}
	}
	r.lookup = lookupColumns(r.Items)
	r.staged.Values = make([][]byte, len(r.Items))
	r.Job.Mapping, err = r.mapping()
	return err
}

// mapping is a digest of what decides how a source row is staged on the day of this run.
func (r *reader) mapping() ([]byte, error) { return r.digest(r.AsOf.Format(time.DateOnly)) }

// digest is that of what decides how a source row is staged, on one day or, with "", on any.
func (r *reader) digest(day string) ([]byte, error) {
	digest := sha256.New()
	err := json.NewEncoder(digest).Encode(map[string]any{
		"object": r.Object, "items": r.Items, "columns": r.columns, "key": r.keyCells, "order": r.OrderColumn, "filter": r.Filter,
		"filtered": r.Keep != nil, "as_of": day, "soft": r.SoftDelete, "changes": r.Incremental.identity(),
	})
	if err != nil {
		return nil, fmt.Errorf("digesting the mapping: %w", err)
	}
	return digest.Sum(nil), nil
}

// column returns the index of a source column among those read, adding it if no item is fed by it.
func (r *reader) column(name string) int {
	for i, c := range r.columns {
		if c == name && i >= r.plan.Items() {
			return i
		}
	}
	for i, c := range r.columns {
		if c == name {
			return i
		}
	}
	r.columns = append(r.columns, name)
	return len(r.columns) - 1
}

// lookupColumns returns the source columns of the key items, in item-number order, when their values are stored exactly
// as the source has them, so that a stored key can be looked up there. Normalised values cannot.
func lookupColumns(items []Mapped) []string {
	byNo := map[int]Mapped{}
	highest := 0
	for _, m := range items {
		if !m.Item.Key {
			continue
		}
		same := m.Column != "" && m.Item.Validator == "" && len(m.Item.Codes) == 0 &&
			(m.Item.Letter == 'C' && m.Kind == transform.KindText || m.Item.Letter == 'I' && m.Kind == transform.KindInteger)
		if !same {
			return nil
		}
		byNo[m.Item.No] = m
		highest = max(highest, m.Item.No)
	}
	var out []string
	for no := 1; no <= highest; no++ {
		if m, ok := byNo[no]; ok {
			out = append(out, m.Column)
		}
	}
	return out
}
