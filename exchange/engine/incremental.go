package engine

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/shuqiao/shuqiao/connectors"
	"github.com/shuqiao/shuqiao/exchange/store"
	"github.com/shuqiao/shuqiao/exchange/transform"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// Incremental says how to read only what changed since the last run: rows at or above the task's watermark less an overlap,
// rows without a mark, and rows that earlier runs refused. The first run, and any run after something has changed that decides
// how rows are stored, reads every row.
type Incremental struct {
	Column      string         // The watermark column of the object.
	Overlap     time.Duration  // How long a transaction at the source may hold a mark back before it commits, at least.
	SweepEvery  time.Duration  // How often the keys of all rows are compared, so that deletes arrive; 0 for never.
	DeleteTable *DeleteTable   // Where the source notes deletes; nil when it does not.
	Zone        *time.Location // In which marks without a zone are taken.
	Full        bool           // Read every row this time.
}

// DeleteTable is an object of the source that has one row per deleted key.
type DeleteTable struct {
	Object  string
	Columns []string // That hold the key items, in item-number order, as the columns of the main object hold them.
	Column  string   // Its watermark column.
}

// SoftDelete is how a source marks rows as deleted. They count as absent.
type SoftDelete struct {
	Column string
	Values []string // In lexical form, that mean deleted; empty: every value but NULL does.
}

// marks reports whether the value says that the row is deleted.
func (s *SoftDelete) marks(cell []byte) bool {
	if cell == nil {
		return false
	}
	return len(s.Values) == 0 || slices.Contains(s.Values, string(cell))
}

// identity is the part of the settings under which what was read before still holds.
func (i *Incremental) identity() any {
	if i == nil {
		return nil
	}
	return []any{i.Column, i.DeleteTable}
}

// window is what an incremental collect reads this time.
type window struct {
	decided  decided
	marker   marker
	deletes  marker
	mark     int               // Column of the watermark.
	top      *string           // The highest mark read.
	keyPlan  *transform.Plan   // Of the key alone.
	keyed    []string          // Columns of keyPlan; those of the key first.
	width    int               // How many of keyed are the key.
	refusals map[string]string // Source keys refused earlier and not met yet, with their keys at the hub.
	toDelete *string           // The highest mark of the delete table.
	forget   bool              // What was read does not suffice: the next run reads every row.
}

// decided is kept with the staged rows, for whoever continues.
type decided struct {
	Plan    []byte     `json:"plan"`
	Before  store.Mark `json:"before"`
	Part    bool       `json:"part"`
	Sweep   bool       `json:"sweep"`
	Now     time.Time  `json:"now"`     // The source's clock before the first read.
	Overlap int64      `json:"overlap"` // What may still have been open then, in nanoseconds.
}

// maxRefused bounds the refused rows that a partial read looks up. Where there are more it pays to read every row.
const maxRefused = 50_000

// prepareWindow finds the columns that an incremental collect needs and returns those that tell source rows apart: the ones
// that feed the key items, which must be unique there. Otherwise a row that is not read could bear the key of one that is.
func (r *reader) prepareWindow(schema connectors.Schema) ([]string, error) {
	if !r.Source.Traits().Since || r.Source.Traits().Resume != connectors.ResumeKey {
		return nil, fault.New(fault.Conflict, "incremental_source", "this kind of source cannot be read since a mark; collect in full")
	}
	column, ok := schema.Column(r.Incremental.Column)
	if !ok {
		return nil, fault.New(fault.Conflict, "source_column_missing", "the watermark column %q is gone from %s", r.Incremental.Column, r.Object)
	}
	if r.marker, ok = newMarker(column.Kind, r.Incremental.Zone); !ok {
		return nil, fault.New(fault.Conflict, "incremental_watermark", "a watermark column is a date, a time or a number; %q is of kind %s", column.Name, column.Kind)
	}
	r.mark = r.column(column.Name)
	keys := r.keyItems()
	for _, k := range keys {
		r.keyed = append(r.keyed, k.Column)
		if k.Kind == transform.Kind(connectors.Bytes) {
			ok = false
		}
	}
	if !ok || !schema.UniqueBy(r.keyed) {
		return nil, fault.New(fault.Conflict, "incremental_key", "the columns of %s that feed the key items are not declared unique and not null there", r.Object)
	}
	if r.OrderColumn != "" {
		return nil, fault.New(fault.Conflict, "incremental_key", "an order column decides among rows of one key, which a partial read does not see together; collect in full")
	}
	r.width = len(r.keyed)
	return slices.Clone(r.keyed), r.compileKey(keys)
}

// keyItems returns the key items in item-number order.
func (r *reader) keyItems() []Mapped {
	var out []Mapped
	for _, m := range r.Items {
		if m.Item.Key {
			out = append(out, m)
		}
	}
	slices.SortFunc(out, func(a, b Mapped) int { return a.Item.No - b.Item.No })
	return out
}

// compileKey makes the plan that converts keys alone. Validators are asked for the form of a value only, so those whose kind
// another item decides stand alone as well, with that item read beside the key.
func (r *reader) compileKey(keys []Mapped) error {
	var items []transform.Item
	var fed []transform.Column
	for _, k := range keys {
		items = append(items, k.Item)
		fed = append(fed, transform.Column{Name: k.Column, Kind: k.Kind})
	}
	plan, fields := transform.Compile(items, fed, r.AsOf)
	if len(fields) > 0 {
		// A key item is judged by another item: the whole mapping converts it.
		items, fed = nil, nil
		r.keyed = r.keyed[:0]
		for _, p := range r.planned {
			m := r.Items[p]
			items = append(items, m.Item)
			fed = append(fed, transform.Column{Name: m.Column, Kind: m.Kind})
			r.keyed = append(r.keyed, m.Column)
		}
		plan, fields = transform.Compile(items, fed, r.AsOf)
	}
	r.keyPlan = plan
	return fault.InvalidFields(fields)
}

// origin returns the source key of a row.
func (r *reader) origin(batch *connectors.Batch, i int, cells []int) string {
	parts := make([]string, len(cells))
	for j, c := range cells {
		parts[j] = string(batch.Cell(i, c))
	}
	return transform.JoinKey(parts...)
}

// meet notes the mark of a row that is read, and that a refused one was met again. It returns the row's source key.
func (r *reader) meet(batch *connectors.Batch, i int) string {
	if r.Incremental == nil {
		return ""
	}
	if cell := batch.Cell(i, r.mark); cell != nil && !(r.top != nil && bytes.Equal(cell, []byte(*r.top))) {
		mark := string(cell)
		if r.marker.valid(mark) && (r.top == nil || r.marker.above(mark, *r.top)) {
			r.top = &mark
		}
	}
	origin := r.origin(batch, i, r.keyCells)
	delete(r.refusals, origin)
	return origin
}

// highest returns the highest mark read, nil when there is none.
func (r *reader) highest() *string { return r.top }

// planWindow decides what is read this time.
func (r *reader) planWindow(ctx context.Context) error {
	r.Job.Part, r.Job.Located, r.Job.Note = false, false, nil
	if r.Incremental == nil {
		return nil
	}
	hub := func(err error) error { return newFailure(StageRead, SideHub, r.Object, err) }
	plan, err := r.digest("")
	if err != nil {
		return hub(err)
	}
	filling, err := r.Store.Fills(ctx, r.Job)
	if err != nil {
		return hub(err)
	}
	before, known, err := r.Store.ReadMark(ctx, r.Job.Task)
	if err != nil {
		return hub(err)
	}
	// The clock comes before the open transactions, and both before the first row: whatever commits behind the rows that are
	// read was begun after this instant less this age.
	pending, err := r.Source.Pending(ctx)
	if err != nil {
		return newFailure(StageRead, SideSource, r.Object, err)
	}
	d := decided{Plan: plan, Now: pending.Now, Overlap: int64(max(r.Incremental.Overlap, pending.Oldest))}
	d.Part = known && !filling && !r.Incremental.Full && bytes.Equal(before.Plan, plan)
	if d.Part {
		var complete bool
		if r.refusals, complete, err = r.Store.OpenRejects(ctx, r.Job.Resource, maxRefused); err != nil {
			return hub(err)
		}
		d.Part = complete
	}
	if d.Part {
		d.Before = before
		every := r.Incremental.SweepEvery
		d.Sweep = every > 0 && (before.SweptFor == nil || *before.SweptFor >= every)
	}
	return hub(r.decide(d))
}

// decide makes d what this attempt follows.
func (r *reader) decide(d decided) error {
	r.decided = d
	r.Job.Part, r.Job.Located = d.Part, true
	if !d.Part {
		r.refusals = nil
	}
	note, err := json.Marshal(d)
	if err != nil {
		return fmt.Errorf("encoding what is read: %w", err)
	}
	r.Job.Note = note
	return nil
}

// followWindow takes over what the attempt decided whose rows were kept: they are of its window, and of its clock.
func (r *reader) followWindow() error {
	note, mark := r.staging.Note()
	if r.Incremental == nil || note == nil {
		return nil
	}
	var d decided
	if err := json.Unmarshal(note, &d); err != nil {
		return fmt.Errorf("decoding what is read: %w", err)
	}
	r.top = mark
	return r.decide(d)
}

// since narrows the read to what changed.
func (r *reader) since() *connectors.Since {
	if !r.Job.Part || r.decided.Before.Watermark == nil {
		return nil
	}
	return &connectors.Since{Column: r.Incremental.Column, From: r.marker.back(*r.decided.Before.Watermark, r.lag())}
}

// lag is how far below a watermark is read: what may have been open when it was formed, and what may be late in general.
func (r *reader) lag() time.Duration { return max(r.decided.Before.Overlap, r.Incremental.Overlap) }

// newMark returns where the task has come to with what was read. carried says that a full read carries deletes, so that it
// compared all keys as a sweep does.
func (r *reader) newMark(ctx context.Context, carried bool) (*store.Mark, error) {
	if r.Incremental == nil {
		return nil, nil
	}
	d := r.decided
	m := &store.Mark{Plan: d.Plan, Overlap: r.overlap(), Deletes: r.toDelete, Swept: d.Sweep || !d.Part && carried}
	if r.forget {
		m.Plan = nil
	}
	if m.Deletes == nil {
		m.Deletes = d.Before.Deletes
	}
	if r.marker.clocked() {
		m.Watermark = r.clockedMark()
		return m, nil
	}
	// Numbers cannot be held against a clock. One becomes the watermark when whatever was open as it was read is over.
	m.Watermark, m.Seen, m.SeenAt = d.Before.Watermark, d.Before.Seen, d.Before.SeenAt
	if m.SeenAt != nil && !m.SeenAt.After(d.Now.Add(-r.overlap())) {
		m.Watermark, m.Seen, m.SeenAt = m.Seen, nil, nil
	}
	if m.SeenAt == nil {
		now, err := r.Source.Now(ctx)
		if err != nil {
			return nil, err
		}
		top := r.top
		if top == nil || m.Watermark != nil && r.marker.above(*m.Watermark, *top) {
			top = m.Watermark
		}
		m.Seen, m.SeenAt = top, &now
	}
	return m, nil
}

// clockedMark is the highest mark known, but never later than what may still commit.
func (r *reader) clockedMark() *string {
	mark := r.top
	if before := r.decided.Before.Watermark; before != nil && (mark == nil || r.marker.above(*before, *mark)) {
		mark = before
	}
	ceiling := r.marker.at(r.decided.Now.Add(-r.overlap()))
	if mark != nil && r.marker.above(*mark, ceiling) {
		mark = &ceiling
	}
	return mark
}

// overlap is what may have been open at the source before the first read.
func (r *reader) overlap() time.Duration { return time.Duration(r.decided.Overlap) }
