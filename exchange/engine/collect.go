package engine

import (
	"context"
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
