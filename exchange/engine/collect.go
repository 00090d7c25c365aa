package engine

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/shuqiao/shuqiao/connectors"
	"github.com/shuqiao/shuqiao/exchange/store"
	"github.com/shuqiao/shuqiao/exchange/transform"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// Mapped is one item with the source column that feeds it. Column "" means that the source does not hold the item: it is
// stored as NULL.
type Mapped struct {
	Item       transform.Item
	Filterable bool
	Column     string
	Kind       transform.Kind // The column's kind when the mount was checked.
}

// Collect is one attempt to bring a resource's rows from its source into the store.
type Collect struct {
	Store  *store.Store
	Source *connectors.Connection
	Job    store.Job // Columns, Ordered and Compare are filled by the engine.

	Object       string
	Items        []Mapped
	OrderColumn  string                        // Decides among rows of one key; "" rejects them all.
	Keep         func(row *transform.Row) bool // The mount's filter; nil keeps every row.
	Filter       []byte                        // Text of that filter: rows that an earlier attempt kept by another one are not continued.
	CarryDeletes bool                          // Keys missing from a full read are deleted.
	SoftDelete   *SoftDelete                   // How the source marks rows as deleted; nil when it does not.
	Incremental  *Incremental                  // How to read only what changed; nil reads every row.
	MayDelete    int64                         // Deletes a person confirmed.
	Resume       bool                          // Rows staged by an earlier attempt may be kept.
	AsOf         time.Time                     // The day by which dates are judged.
	Seal         func(row []byte) ([]byte, error)

	Continue    func(ctx context.Context) error // Asked per chunk: cancelled, fenced, no longer allowed.
	Observe     func(ctx context.Context, p Progress)
	BeforeFence func(ctx context.Context, tx *db.Tx, r store.Result) error
	AfterFence  func(ctx context.Context, tx *db.Tx, r store.Result) error
}

// Progress is how far a run has come. Elapsed counts from the start of this attempt.
type Progress struct {
	Part     bool          `json:"part"` // Only what changed is read.
	Stage    Stage         `json:"stage"`
	Read     int64         `json:"read"`
	Rejected int64         `json:"rejected"`
	Resumed  bool          `json:"resumed"`
	Elapsed  time.Duration `json:"elapsed"`
}

// Outcome is what a successful attempt left behind.
type Outcome struct {
	Result     store.Result
	Comparison store.Comparison
	Resumed    bool
	// DeletesDeferred says that the read was resumed in another snapshot and missing keys could not be looked up one by
	// one: this run carried no deletes, the next one will.
	DeletesDeferred bool
	Part            bool // Only what changed was read.
}

// reader is one attempt in progress.
type reader struct {
	*Collect
	staging  *store.Staging
	plan     *transform.Plan
	planned  []int    // Plan item to index in Items.
	columns  []string // Read from the source: fed items first, then what only order and resuming need.
	keyCells []int    // Columns that hold the source's key, in its order; nil when the read cannot be resumed.
	order    int      // Column of the order column, or -1.
	lookup   []string // Source columns of the item key where the key is stored as the source has it, else nil.
	started  time.Time
	staged   store.Row // Reused from row to row.
	read     int64
	rejected int64
	resumed  bool
	soft     int // Column of the soft delete, or -1.
	window       // What an incremental collect reads this time.
}

// Run carries the collect out. Its errors are *Failure, store.ErrFenced, or the context's.
func (c *Collect) Run(ctx context.Context) (Outcome, error) {
	r := &reader{Collect: c, started: time.Now()}
	defer r.still()
	if err := r.prepare(ctx); err != nil {
		return Outcome{}, newFailure(StageRead, SideSource, c.Object, err)
	}
	if err := r.stage(ctx); err != nil {
		return Outcome{}, err
	}
	out := Outcome{Resumed: r.resumed, Part: r.Job.Part}
	end, err := r.close(ctx)
	if err != nil {
		return Outcome{}, err
	}
	out.DeletesDeferred = end.Deferred
	if err := c.Continue(ctx); err != nil {
		return Outcome{}, newFailure(StageStage, SideHub, c.Object, err)
	}
	r.observe(ctx, StageMerge)
	result, err := r.merge(ctx, end)
	if err != nil {
		return Outcome{}, newFailure(StageMerge, SideHub, c.Object, err)
	}
	out.Result = result
	r.observe(ctx, StageReconcile)
	out.Comparison, err = r.staging.CompareRead(ctx)
	if err != nil {
		return Outcome{}, newFailure(StageReconcile, SideHub, c.Object, err)
	}
	return out, nil
}

// closing is what an attempt knows when it has read everything. It is kept with the settled rows, so that an attempt that follows
// a death inside the merge reads nothing again.
type closing struct {
	Carry    bool        `json:"carry"`    // The merge carries deletes.
	Deferred bool        `json:"deferred"` // It would, but missing keys could not be confirmed.
	Mark     *store.Mark `json:"mark"`
}

// close reads what is left beside the rows, and settles.
func (r *reader) close(ctx context.Context) (closing, error) {
	end := closing{Carry: r.CarryDeletes}
	if kept := r.staging.Closing(); kept != nil {
		if err := json.Unmarshal(kept, &end); err != nil {
			return closing{}, newFailure(StageStage, SideHub, r.Object, fmt.Errorf("decoding what was settled: %w", err))
		}
		return end, nil
	}
	switch {
	case r.Job.Part:
		if err := r.readRest(ctx); err != nil {
			return closing{}, err
		}
	case r.resumed && end.Carry:
		confirmed, err := r.confirmMissing(ctx)
		if err != nil {
			return closing{}, newFailure(StageRead, SideSource, r.Object, err)
		}
		end.Carry, end.Deferred = confirmed, !confirmed
	}
	var err error
	if end.Mark, err = r.newMark(ctx, end.Carry); err != nil {
		return closing{}, newFailure(StageRead, SideSource, r.Object, err)
	}
	kept, err := json.Marshal(end)
	if err != nil {
		return closing{}, newFailure(StageStage, SideHub, r.Object, fmt.Errorf("encoding what is settled: %w", err))
	}
	r.staging.SetClosing(kept)
	r.observe(ctx, StageStage)
	return end, newFailure(StageStage, SideHub, r.Object, r.staging.Settle(ctx, r.Seal))
}

// merge commits. When the commit itself fails nobody knows yet whether it happened: the marker is read first.
func (r *reader) merge(ctx context.Context, end closing) (store.Result, error) {
	result, err := r.staging.Commit(ctx, store.MergeOptions{
		CarryDeletes: end.Carry, MayDelete: r.MayDelete, Mark: end.Mark, BeforeFence: r.BeforeFence, AfterFence: r.AfterFence,
	})
	if err == nil || errors.Is(err, store.ErrFenced) || fault.KindOf(err) != fault.Internal {
		return result, err
	}
	committed, found, lookErr := r.Store.CommittedResult(ctx, r.Job.Task)
	if lookErr == nil && found && committed.Run == r.Job.Run && committed.Token == r.Job.Lease.Token {
		return committed, nil
	}
	return store.Result{}, err
}

// still waits until nothing of this attempt writes any more, also where it failed while a chunk was on its way.
func (r *reader) still() {
	if r.staging != nil {
		_ = r.staging.Flush()
	}
}

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

// stage reads the source to its end, converting and staging row by row.
func (r *reader) stage(ctx context.Context) error {
	if err := r.planWindow(ctx); err != nil {
		return err
	}
	staging, err := r.Store.Open(ctx, r.Job, r.Resume)
	if err != nil {
		return newFailure(StageRead, SideHub, r.Object, err)
	}
	r.staging = staging
	if err := r.followWindow(); err != nil {
		return newFailure(StageRead, SideHub, r.Object, err)
	}
	after, read, resumed, err := staging.Resumed(ctx)
	if err != nil {
		return newFailure(StageRead, SideHub, r.Object, err)
	}
	if resumed {
		r.read, r.resumed = read, true
	}
	r.observe(ctx, StageRead)
	if staging.Closing() != nil {
		return nil
	}
	if err := r.sweep(ctx); err != nil {
		return err
	}
	request := connectors.ReadRequest{Object: r.Object, Columns: r.columns, Since: r.since()}
	for _, k := range r.keyCells {
		request.OrderBy = append(request.OrderBy, r.columns[k])
	}
	if resumed {
		request.After = after
	}
	stream, err := r.Source.Read(ctx, request)
	if err != nil {
		return newFailure(StageRead, SideSource, r.Object, err)
	}
	defer stream.Close()
	if r.keyCells == nil {
		return r.drain(ctx, stream, nil)
	}
	last := make([]string, len(r.keyCells))
	copy(last, after)
	return r.drain(ctx, stream, last)
}

// drain stages everything a stream delivers, with a checkpoint per chunk. last is the source key behind which the stream
// began, and is moved on; with nil a checkpoint says nothing of where to go on.
func (r *reader) drain(ctx context.Context, stream *connectors.Stream, last []string) error {
	row := &transform.Row{}
	for {
		batch, err := stream.Next(ctx)
		if errors.Is(err, connectors.ErrEndOfData) {
			break
		}
		if err != nil {
			return newFailure(StageRead, SideSource, r.Object, err)
		}
		for i := range batch.Rows {
			if err := r.take(batch, i, row); err != nil {
				return newFailure(StageRead, SideHub, r.Object, err)
			}
			if !r.staging.Full() {
				continue
			}
			if err := r.checkpoint(ctx, r.position(batch, i, last)); err != nil {
				return newFailure(StageRead, SideHub, r.Object, err)
			}
		}
		if batch.Rows > 0 {
			r.position(batch, batch.Rows-1, last)
		}
	}
	if r.read == 0 {
		last = nil
	}
	err := r.checkpoint(ctx, last)
	if err == nil {
		err = r.staging.Flush()
	}
	return newFailure(StageRead, SideHub, r.Object, err)
}

// position writes the source key of a row into last, which is nil when the read cannot be resumed.
func (r *reader) position(batch *connectors.Batch, i int, last []string) []string {
	for j := range last {
		last[j] = string(batch.Cell(i, r.keyCells[j]))
	}
	return last
}

func (r *reader) checkpoint(ctx context.Context, after []string) error {
	if err := r.Continue(ctx); err != nil {
		return err
	}
	if after != nil {
		after = append([]string(nil), after...)
	}
	r.staging.SetMark(r.highest())
	if err := r.staging.Checkpoint(ctx, after); err != nil {
		return err
	}
	r.observe(ctx, StageRead)
	return nil
}

// take converts one row and stages it as accepted, rejected or filtered.
func (r *reader) take(batch *connectors.Batch, i int, row *transform.Row) error {
	r.read++
	r.plan.Row(batch, i, row)
	origin := r.meet(batch, i)
	if r.soft >= 0 && r.SoftDelete.marks(batch.Cell(i, r.soft)) {
		r.drop(row, origin)
		return nil
	}
	if r.Keep != nil && row.KeyOK && len(row.Reasons) == 0 && !r.Keep(row) {
		r.drop(row, origin)
		return nil
	}
	r.measure(row)
	if len(row.Reasons) > 0 {
		return r.refuse(batch, i, row, origin)
	}
	r.staged.Origin = origin
	r.staged.No, r.staged.Key, r.staged.Hash, r.staged.Box = r.read, row.Key, row.Hash, r.staged.Box[:0]
	for p, at := range r.planned {
		r.staged.Values[at] = row.Values[p]
		if r.Job.Columns[at].Geometry && row.Values[p] != nil {
			b := row.Boxes[p]
			r.staged.Box = append(r.staged.Box, b.MinLon, b.MinLat, b.MaxLon, b.MaxLat)
		}
	}
	if r.order >= 0 {
		r.staged.Order = batch.Cell(i, r.order)
	}
	r.staging.Append(r.staged)
	return nil
}

// drop stages a row that does not count as present. In a partial read nothing else says that its key is gone.
func (r *reader) drop(row *transform.Row, origin string) {
	r.staging.Filter()
	if r.Job.Part && row.KeyOK {
		r.staging.Gone(row.Key, origin, true)
	}
}

// maxIndexed bounds key and filterable text of a row, in bytes: together they must fit into an index entry of PostgreSQL,
// which holds 2,704 bytes with its header. One longer row would fail the index and with it every run.
const maxIndexed = 2600

// measure refuses a row whose key, alone or beside a filterable text, cannot be indexed.
func (r *reader) measure(row *transform.Row) {
	if len(row.Reasons) > 0 || !row.KeyOK {
		return
	}
	for p, at := range r.planned {
		m := r.Items[at]
		indexed := len(row.Key)
		if m.Filterable && m.Item.Letter != 'G' {
			indexed += len(row.Values[p])
		}
		if (m.Filterable || m.Item.Key) && indexed > maxIndexed {
			row.Reasons = append(row.Reasons, transform.Reason{ItemNo: m.Item.No, Code: transform.ReasonTooLong, Message: "the value is too long to be a key or to be filtered by"})
		}
	}
}

// refuse stages a rejected row: its reasons in the open, the row itself sealed for the provider.
func (r *reader) refuse(batch *connectors.Batch, i int, row *transform.Row, origin string) error {
	r.rejected++
	raw := make(map[string]*string, len(r.columns))
	digest := sha256.New()
	for c, name := range r.columns {
		cell := batch.Cell(i, c)
		var length [4]byte
		binary.BigEndian.PutUint32(length[:], uint32(len(cell)))
		if cell == nil {
			length = [4]byte{0xff, 0xff, 0xff, 0xff}
			raw[name] = nil
		} else {
			text := string(cell)
			raw[name] = &text
		}
		digest.Write(length[:])
		digest.Write(cell)
	}
	body, err := json.Marshal(raw)
	if err != nil {
		return fmt.Errorf("encoding a rejected row: %w", err)
	}
	sealed, err := r.Seal(body)
	if err != nil {
		return fmt.Errorf("sealing a rejected row: %w", err)
	}
	reasons, err := json.Marshal(row.Reasons)
	if err != nil {
		return fmt.Errorf("encoding reasons: %w", err)
	}
	refused := store.Refused{No: r.read, Reasons: reasons, Hash: digest.Sum(nil)[:16], Sealed: sealed}
	if r.Incremental != nil {
		refused.Origin = &origin
	}
	if row.KeyOK && len(row.Key) <= maxIndexed {
		key := row.Key
		refused.Key = &key
	}
	if r.order >= 0 {
		if cell := batch.Cell(i, r.order); cell != nil {
			order := string(cell)
			refused.Order = &order
		}
	}
	r.staging.Refuse(refused)
	return nil
}

func (r *reader) observe(ctx context.Context, stage Stage) {
	if r.Observe != nil {
		r.Observe(ctx, Progress{Stage: stage, Part: r.Job.Part, Read: r.read, Rejected: r.rejected, Resumed: r.resumed, Elapsed: time.Since(r.started)})
	}
}

// maxConfirmed bounds the missing keys that are looked up after a resumed read. They are held in memory, and all are looked
// up in one snapshot: a row that changed its key between two would be absent in both.
const maxConfirmed = 50_000

// confirmMissing looks every missing key up at the source after a resumed read: two snapshots took part, and a row that
// moved between them may look absent. Keys found are staged after all. It reports false when keys cannot be looked up, or
// are too many.
func (r *reader) confirmMissing(ctx context.Context) (bool, error) {
	if r.lookup == nil {
		return false, nil
	}
	keys, err := r.staging.MissingKeys(ctx, "", maxConfirmed+1)
	if err != nil || len(keys) == 0 {
		return err == nil, err
	}
	if len(keys) > maxConfirmed {
		return false, nil
	}
	parts := make([][]string, 0, len(keys))
	for _, k := range keys {
		p, ok := transform.SplitKey(k)
		if !ok {
			return false, fmt.Errorf("splitting a stored key: malformed")
		}
		parts = append(parts, p)
	}
	stream, err := r.Source.Lookup(ctx, connectors.LookupRequest{Object: r.Object, Columns: r.columns, KeyColumns: r.lookup, Keys: parts})
	if err != nil {
		return false, err
	}
	defer stream.Close()
	return true, r.drain(ctx, stream, nil)
}
