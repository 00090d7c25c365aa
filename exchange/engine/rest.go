package engine

import (
	"context"
	"errors"
	"slices"

	"github.com/shuqiao/shuqiao/connectors"
	"github.com/shuqiao/shuqiao/exchange/transform"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// readRest reads what a partial read needs beside the changed rows: rows refused earlier, deletes, and what a sweep found.
func (r *reader) readRest(ctx context.Context) error {
	if err := r.readRefused(ctx); err != nil {
		return err
	}
	if err := r.readDeletes(ctx); err != nil {
		return err
	}
	if !r.decided.Sweep || r.Keep != nil || r.SoftDelete != nil {
		return nil
	}
	// A row that the watermark passed by, and rows whose keys have become one.
	unmet, err := r.staging.Unmet(ctx, maxConfirmed+1)
	if err != nil {
		return newFailure(StageRead, SideHub, r.Object, err)
	}
	if len(unmet) > maxConfirmed {
		r.forget = true
		return nil
	}
	return r.lookUp(ctx, unmet)
}

// readRefused reads the rows again that earlier runs refused, whatever their marks say. One that the source does not have any
// more is gone.
func (r *reader) readRefused(ctx context.Context) error {
	origins := make([]string, 0, len(r.refusals))
	for origin := range r.refusals {
		origins = append(origins, origin)
	}
	if r.resumed && len(origins) > 0 {
		met, err := r.staging.Met(ctx, origins)
		if err != nil {
			return newFailure(StageRead, SideHub, r.Object, err)
		}
		for _, origin := range met {
			delete(r.refusals, origin)
		}
		origins = slices.DeleteFunc(origins, func(origin string) bool { _, left := r.refusals[origin]; return !left })
	}
	slices.Sort(origins)
	if err := r.lookUp(ctx, origins); err != nil {
		return err
	}
	for _, origin := range origins {
		if key, left := r.refusals[origin]; left && key != "" {
			r.staging.Gone(key, origin, true)
		}
	}
	return r.flush(ctx)
}

// lookUp stages the rows with these source keys.
func (r *reader) lookUp(ctx context.Context, origins []string) error {
	if len(origins) == 0 {
		return nil
	}
	keys := make([][]string, 0, len(origins))
	for _, origin := range origins {
		parts, ok := transform.SplitKey(origin)
		if !ok || len(parts) != r.width {
			return newFailure(StageRead, SideHub, r.Object, errors.New("splitting a source key: malformed"))
		}
		keys = append(keys, parts)
	}
	columns := make([]string, r.width)
	for i, c := range r.keyCells {
		columns[i] = r.columns[c]
	}
	stream, err := r.Source.Lookup(ctx, connectors.LookupRequest{Object: r.Object, Columns: r.columns, KeyColumns: columns, Keys: keys})
	if err != nil {
		return newFailure(StageRead, SideSource, r.Object, err)
	}
	defer stream.Close()
	return r.drain(ctx, stream, nil)
}

// flush writes what is staged by now.
func (r *reader) flush(ctx context.Context) error {
	err := r.checkpoint(ctx, nil)
	if err == nil {
		err = r.staging.Flush()
	}
	return newFailure(StageRead, SideHub, r.Object, err)
}

// readDeletes reads the new rows of the delete table. A key named there may have come again, so the source is asked for the row
// itself wherever the store still has it.
func (r *reader) readDeletes(ctx context.Context) error {
	table := r.Incremental.DeleteTable
	if table == nil {
		return nil
	}
	source := func(err error) error { return newFailure(StageRead, SideSource, table.Object, err) }
	columns, err := r.describeDeletes(ctx, table)
	if err != nil {
		return source(err)
	}
	request := connectors.ReadRequest{Object: table.Object, Columns: columns}
	if before := r.decided.Before.Deletes; before != nil {
		request.Since = &connectors.Since{Column: table.Column, From: r.deletes.back(*before, r.lag())}
	}
	stream, err := r.Source.Read(ctx, request)
	if err != nil {
		return source(err)
	}
	defer stream.Close()
	row := &transform.Row{}
	var top *string
	for {
		batch, err := stream.Next(ctx)
		if errors.Is(err, connectors.ErrEndOfData) {
			break
		}
		if err != nil {
			return source(err)
		}
		for i := range batch.Rows {
			if cell := batch.Cell(i, r.width); cell != nil {
				if mark := string(cell); r.deletes.valid(mark) && (top == nil || r.deletes.above(mark, *top)) {
					top = &mark
				}
			}
			r.keyPlan.Row(batch, i, row)
			if !row.KeyOK {
				continue
			}
			r.staging.Gone(row.Key, r.origin(batch, i, r.firstCells()), false)
			if r.staging.Full() {
				if err := r.checkpoint(ctx, nil); err != nil {
					return newFailure(StageRead, SideHub, r.Object, err)
				}
			}
		}
	}
	if err := r.flush(ctx); err != nil {
		return err
	}
	r.moveDeletes(top)
	return r.confirmDeletes(ctx)
}

// firstCells are the columns of the key where it is read first.
func (r *reader) firstCells() []int {
	cells := make([]int, r.width)
	for i := range cells {
		cells[i] = i
	}
	return cells
}

// describeDeletes checks the delete table and returns the columns to read: those of the key, then its mark.
func (r *reader) describeDeletes(ctx context.Context, table *DeleteTable) ([]string, error) {
	schema, err := r.Source.Describe(ctx, table.Object)
	if err != nil {
		return nil, err
	}
	keys := r.keyItems()
	if len(keys) != len(table.Columns) || len(r.keyed) != r.width {
		return nil, fault.New(fault.Conflict, "incremental_deletes", "the delete table must name the columns of all key items, and none that another item decides about")
	}
	for i, name := range table.Columns {
		column, ok := schema.Column(name)
		if !ok {
			return nil, fault.New(fault.Conflict, "source_column_missing", "the column %q is gone from the delete table %s", name, table.Object)
		}
		if transform.Kind(column.Kind) != keys[i].Kind {
			return nil, fault.New(fault.Conflict, "schema_changed", "the column %q of the delete table is %s, that of the rows %s", name, column.Kind, keys[i].Kind)
		}
	}
	column, ok := schema.Column(table.Column)
	if !ok {
		return nil, fault.New(fault.Conflict, "source_column_missing", "the watermark column %q is gone from the delete table %s", table.Column, table.Object)
	}
	if r.deletes, ok = newMarker(column.Kind, r.Incremental.Zone); !ok || !r.deletes.clocked() {
		return nil, fault.New(fault.Conflict, "incremental_watermark", "the watermark column of a delete table is a date or a time; %q is of kind %s", column.Name, column.Kind)
	}
	return append(slices.Clone(table.Columns), table.Column), nil
}

// moveDeletes moves the watermark of the delete table on, never past what may still commit.
func (r *reader) moveDeletes(top *string) {
	if before := r.decided.Before.Deletes; before != nil && (top == nil || r.deletes.above(*before, *top)) {
		top = before
	}
	ceiling := r.deletes.at(r.decided.Now.Add(-r.overlap()))
	if top != nil && r.deletes.above(*top, ceiling) {
		top = &ceiling
	}
	r.toDelete = top
}

func (r *reader) confirmDeletes(ctx context.Context) error {
	unsure, err := r.staging.Unsure(ctx, maxConfirmed+1)
	if err != nil {
		return newFailure(StageRead, SideHub, r.Object, err)
	}
	if len(unsure) > maxConfirmed {
		r.forget = true
		return nil
	}
	if err := r.lookUp(ctx, unsure); err != nil {
		return err
	}
	return newFailure(StageRead, SideHub, r.Object, r.staging.Sure(ctx))
}

// sweep reads the keys of all rows, in one snapshot of its own. It comes before the rows that changed: one that arrives in
// between is staged, and so not missing.
func (r *reader) sweep(ctx context.Context) error {
	if !r.Job.Part || !r.decided.Sweep {
		return nil
	}
	sweep, err := r.staging.OpenSweep(ctx)
	if err != nil {
		return newFailure(StageRead, SideHub, r.Object, err)
	}
	stream, err := r.Source.Read(ctx, connectors.ReadRequest{Object: r.Object, Columns: r.keyed})
	if err != nil {
		return newFailure(StageRead, SideSource, r.Object, err)
	}
	defer stream.Close()
	row := &transform.Row{}
	cells := r.sweepCells()
	for {
		batch, err := stream.Next(ctx)
		if errors.Is(err, connectors.ErrEndOfData) {
			break
		}
		if err != nil {
			return newFailure(StageRead, SideSource, r.Object, err)
		}
		if err := r.Continue(ctx); err != nil {
			return newFailure(StageRead, SideHub, r.Object, err)
		}
		for i := range batch.Rows {
			r.keyPlan.Row(batch, i, row)
			if !row.KeyOK {
				continue
			}
			if err := sweep.Add(ctx, row.Key, r.origin(batch, i, cells)); err != nil {
				return newFailure(StageRead, SideHub, r.Object, err)
			}
		}
	}
	return newFailure(StageRead, SideHub, r.Object, sweep.Close(ctx))
}

// sweepCells are the columns of the key among those that a sweep reads.
func (r *reader) sweepCells() []int {
	cells := make([]int, 0, r.width)
	for _, k := range r.keyItems() {
		cells = append(cells, slices.Index(r.keyed, k.Column))
	}
	return cells
}
