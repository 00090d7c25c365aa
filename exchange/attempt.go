package exchange

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/catalog"
	"github.com/shuqiao/shuqiao/catalog/codes"
	"github.com/shuqiao/shuqiao/connectors"
	"github.com/shuqiao/shuqiao/exchange/engine"
	"github.com/shuqiao/shuqiao/exchange/store"
	"github.com/shuqiao/shuqiao/exchange/transform"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
	"github.com/shuqiao/shuqiao/sharing/filter"
)

// sealReject is the key ring purpose of rejected rows; the associated data is the resource's id.
const sealReject = "reject"

// attempt is one worker's hold on one run.
type attempt struct {
	*Worker
	run      claimed
	decision authz.Decision
	cancel   context.CancelCauseFunc
	seen     time.Time // When progress was last written.
	stage    engine.Stage
}

// ending is how an attempt ended.
type ending struct {
	err        error
	comparison store.Comparison
	fresh      bool // Compared with a read of its own rather than with the run's.
	extraFine  bool // Rows that only the store has are explained: this run carries no deletes.
}

// attempt carries one run out and writes how it ended. While the database refuses that it tries again: nobody else takes the
// runs of a node that lives.
func (w *Worker) attempt(outer context.Context, c claimed) {
	ctx, cancel := context.WithCancelCause(outer)
	a := &attempt{Worker: w, run: c, cancel: cancel}
	end := a.carry(ctx)
	if cause := context.Cause(ctx); cause != nil && end.err != nil {
		end.err = cause
	}
	cancel(nil)
	for {
		err := a.finish(context.WithoutCancel(outer), end)
		if err == nil {
			return
		}
		w.log.ErrorContext(outer, "the end of a run could not be written", "run", c.ID, "error", err)
		again := time.NewTimer(finishAgain)
		select {
		case <-again.C:
		case <-outer.Done():
			again.Stop()
			return
		}
	}
}

// carry does what the run is for.
func (a *attempt) carry(ctx context.Context) ending {
	f, err := loadFacts(ctx, a.opt.DB.Pool, a.run.ResourceID)
	if err == nil {
		a.decision, err = a.opt.Enforcer.Check(ctx, a.hub, authz.DataCollect, f.target("resource", f.Resource))
	}
	if err != nil {
		return ending{err: engine.NewFailure(engine.StageRead, engine.SideHub, "", err)}
	}
	watching := make(chan struct{})
	watched, stopWatching := context.WithCancel(ctx)
	go func() {
		defer close(watching)
		a.watch(watched)
	}()
	defer func() {
		stopWatching()
		<-watching
	}()
	if a.run.MergedAt != nil {
		return a.compareMerged(ctx)
	}
	a.sweep(ctx)
	job, connection, err := a.prepare(ctx)
	if err != nil {
		return ending{err: err}
	}
	defer connection.Close()
	if a.run.Kind == RunReconcile {
		comparison, err := job.Reconcile(ctx)
		return ending{err: err, comparison: comparison, fresh: true, extraFine: !job.CarryDeletes}
	}
	out, err := job.Run(ctx)
	return ending{err: err, comparison: out.Comparison, extraFine: !job.CarryDeletes || out.DeletesDeferred}
}

// compareMerged makes the comparison of a run that an earlier attempt merged: with what that attempt staged, or with a
// fresh read when that is gone.
func (a *attempt) compareMerged(ctx context.Context) ending {
	a.observe(ctx, engine.Progress{Stage: engine.StageReconcile})
	left, err := a.merged(ctx)
	if err != nil {
		return ending{err: engine.NewFailure(engine.StageReconcile, engine.SideHub, "", err)}
	}
	staging, err := a.opt.Store.Reopen(ctx, a.job())
	if err == nil {
		comparison, err := staging.CompareRead(ctx)
		return ending{err: engine.NewFailure(engine.StageReconcile, engine.SideHub, "", err), comparison: comparison, extraFine: left.ExtraFine}
	}
	if !errors.Is(err, store.ErrStagingLost) {
		return ending{err: engine.NewFailure(engine.StageReconcile, engine.SideHub, "", err)}
	}
	job, connection, err := a.prepare(ctx)
	if err != nil {
		return ending{err: err}
	}
	defer connection.Close()
	comparison, err := job.Reconcile(ctx)
	return ending{err: err, comparison: comparison, fresh: true, extraFine: !job.CarryDeletes || left.ExtraFine}
}

// afterMerge is what the transaction that merges leaves for the comparison, whichever node makes it.
type afterMerge struct {
	ExtraFine bool `json:"extra_fine"` // It carried no deletes, so that rows which only the store has are explained.
}

// merged reads what the merge of this run left.
func (a *attempt) merged(ctx context.Context) (afterMerge, error) {
	var left *afterMerge
	if err := a.opt.DB.Pool.QueryRow(ctx, "SELECT checkpoint FROM run WHERE id = $1", a.run.ID).Scan(&left); err != nil {
		return afterMerge{}, fmt.Errorf("reading what the merge left: %w", err)
	}
	if left == nil {
		left = &afterMerge{}
	}
	return *left, nil
}

// job names the run, its resource and its lease for the store.
func (a *attempt) job() store.Job {
	return store.Job{Resource: a.run.ResourceID, Task: a.run.TaskID, Run: a.run.ID, Lease: a.run.lease}
}

// prepare finds mount, items and source and builds the collect. The caller closes the connection.
func (a *attempt) prepare(ctx context.Context) (*engine.Collect, *connectors.Connection, error) {
	mount, err := a.opt.Catalog.ActiveMount(ctx, a.run.ResourceID)
	if fault.Is(err, fault.NotFound) {
		err = fault.New(fault.Conflict, "not_mounted", "no active mount says where the rows of this resource come from")
	}
	if err != nil {
		return nil, nil, engine.NewFailure(engine.StageRead, engine.SideHub, "", err)
	}
	version, err := a.opt.Catalog.LoadVersion(ctx, a.opt.DB.Pool, a.run.ResourceID, mount.Version)
	if err != nil {
		return nil, nil, engine.NewFailure(engine.StageRead, engine.SideHub, mount.Object, err)
	}
	if err := a.opt.Catalog.Feedable(ctx, a.opt.DB.Pool, mount, version); err != nil {
		return nil, nil, engine.NewFailure(engine.StageRead, engine.SideHub, mount.Object, err)
	}
	items, err := mapped(version.Items, mount.Columns)
	if err != nil {
		return nil, nil, engine.NewFailure(engine.StageRead, engine.SideHub, mount.Object, err)
	}
	keep, err := keeper(mount.RowFilter, version.Items, items)
	if err != nil {
		return nil, nil, engine.NewFailure(engine.StageRead, engine.SideHub, mount.Object, err)
	}
	task, err := loadTask(ctx, a.opt.DB.Pool, a.run.TaskID, "")
	if err == nil && task.Mode == ModeIncremental && mount.WatermarkColumn == "" && a.run.Kind == RunCollect {
		err = noWatermark()
	}
	if err != nil {
		return nil, nil, engine.NewFailure(engine.StageRead, engine.SideHub, mount.Object, err)
	}
	zone, err := time.LoadLocation(DefaultTimeZone)
	if err != nil {
		return nil, nil, engine.NewFailure(engine.StageRead, engine.SideHub, mount.Object, err)
	}
	connection, err := a.opt.Catalog.OpenSource(ctx, a.decision, mount.SourceID)
	if err != nil {
		return nil, nil, engine.NewFailure(engine.StageRead, engine.SideSource, mount.Object, err)
	}
	if err := a.asMounted(ctx, mount, connection); err != nil {
		connection.Close()
		return nil, nil, err
	}
	job := a.job()
	job.Version = version.Number
	aad := []byte(a.run.ResourceID.String())
	c := &engine.Collect{
		Store: a.opt.Store, Source: connection, Job: job, Object: mount.Object, Items: items, OrderColumn: mount.OrderColumn, Keep: keep, Filter: mount.RowFilter,
		CarryDeletes: mount.DeleteRule != catalog.DeleteNone, Resume: a.run.resume,
		// All rows of a run are judged by one day, that of its start, whichever attempt reads them.
		AsOf:     a.run.StartedAt.In(zone),
		Seal:     func(row []byte) ([]byte, error) { return a.opt.Keyring.Seal(sealReject, row, aad) },
		Continue: a.proceed, Observe: a.observe, BeforeFence: a.merging, AfterFence: a.evidence,
	}
	changes(c, mount, task, a.run.Run, zone)
	if a.run.ConfirmDeletes != nil {
		c.MayDelete = *a.run.ConfirmDeletes
	}
	return c, connection, nil
}

// asMounted fails when the source no longer has the shape that the mount was checked against. The last good data stay served; the
// next run looks again, and goes on when the source is as it was.
func (a *attempt) asMounted(ctx context.Context, mount catalog.Mount, connection *connectors.Connection) error {
	broken, err := a.opt.Catalog.LookAtMount(ctx, a.hub, mount, connection)
	side := engine.SideHub
	if err != nil && strings.HasPrefix(fault.CodeOf(err), "source_") {
		side = engine.SideSource
	}
	if err != nil || len(broken) == 0 {
		return engine.NewFailure(engine.StageRead, side, mount.Object, err)
	}
	d := broken[0]
	fed := strings.Join(d.Items, ", ")
	code, message := "schema_changed", fmt.Sprintf("column %q, which feeds %s, was %s and is now %s", d.Column, fed, d.Was, d.Now)
	switch d.Kind {
	case catalog.DriftGone:
		code, message = connectors.CodeObjectMissing, "the source has no object "+mount.Object+" any more, or does not show it to the hub's account"
	case catalog.DriftDropped:
		code, message = connectors.CodeColumnMissing, fmt.Sprintf("column %q, which feeds %s, is gone from %s", d.Column, fed, mount.Object)
	case catalog.DriftRenamed:
		code, message = connectors.CodeColumnMissing, fmt.Sprintf("column %q, which feeds %s, is gone from %s; %q may be what has become of it", d.Column, fed, mount.Object, d.Now)
	}
	changed := fault.New(fault.Conflict, code, "%s", message).With("changes", strconv.Itoa(len(broken)))
	return engine.NewFailure(engine.StageRead, engine.SideSource, mount.Object, changed)
}

// changes says how deletes arrive and, of an incremental task, how to read only what changed. A repair reads every row, because
// whatever differs did so unnoticed.
func changes(c *engine.Collect, mount catalog.Mount, task Task, run Run, zone *time.Location) {
	if mount.DeleteRule == catalog.DeleteSoft {
		c.SoftDelete = &engine.SoftDelete{Column: mount.Deletes.Column, Values: mount.Deletes.Values}
	}
	if task.Mode != ModeIncremental || run.Kind != RunCollect {
		return
	}
	c.Incremental = &engine.Incremental{Column: mount.WatermarkColumn, Overlap: task.Settings.overlap(), Zone: zone, Full: run.Trigger == ByRepair}
	switch mount.DeleteRule {
	case catalog.DeleteMissing:
		c.Incremental.SweepEvery = task.Settings.sweep()
	case catalog.DeleteTable:
		c.Incremental.DeleteTable = &engine.DeleteTable{Object: mount.Deletes.Object, Columns: mount.Deletes.KeyColumns, Column: mount.Deletes.WatermarkColumn}
	}
}

// mapped pairs the items that are collected with the columns that feed them. Withheld items stay at the source.
func mapped(items []catalog.Item, columns []catalog.MountColumn) ([]engine.Mapped, error) {
	feeds := make(map[int]catalog.MountColumn, len(columns))
	for _, c := range columns {
		feeds[c.ItemNo] = c
	}
	var out []engine.Mapped
	for _, item := range items {
		if item.ShareType == catalog.Withheld {
			continue
		}
		m := engine.Mapped{
			Filterable: item.Filterable, Column: feeds[item.No].Column, Kind: transform.Kind(feeds[item.No].Kind),
			Item: transform.Item{
				No: item.No, Identifier: item.Identifier, Name: item.Name, Letter: item.DataType[0], Length: item.Length, Scale: item.Scale,
				Key: item.Key, Required: item.Required, Format: item.Format, Validator: item.Validator,
			},
		}
		if item.CodeSet != "" {
			list, ok := codes.List(item.CodeSet)
			if !ok {
				return nil, fault.New(fault.Conflict, "unknown_code_set", "the code list of item %q is not known to this hub", item.Identifier)
			}
			m.Item.Codes = list.Codes()
		}
		out = append(out, m)
	}
	return out, nil
}

// keeper returns the mount's filter over converted rows, nil when there is none.
func keeper(raw json.RawMessage, items []catalog.Item, collected []engine.Mapped) (func(*transform.Row) bool, error) {
	if len(raw) == 0 || string(raw) == "null" {
		return nil, nil
	}
	node, err := filter.Parse(raw)
	if err != nil {
		return nil, err
	}
	schema := filter.Schema{}
	for _, item := range items {
		schema[item.Identifier] = filter.Column{Letter: item.DataType[0], Ops: filter.LetterOps(item.DataType[0]).Without(filter.OpBBox)}
	}
	bound, err := filter.Bind(node, schema)
	if err != nil {
		return nil, err
	}
	index := map[string]int{}
	for _, m := range collected {
		if m.Column != "" {
			index[m.Item.Identifier] = len(index)
		}
	}
	return func(row *transform.Row) bool {
		return bound.Eval(func(identifier string) ([]byte, bool) {
			i, ok := index[identifier]
			if !ok {
				return nil, true
			}
			return row.Values[i], row.Values[i] == nil
		}) == filter.True
	}, nil
}

// proceed is asked before every chunk and before the merge: does the node live, does policy still allow this, has nobody
// stopped it.
func (a *attempt) proceed(ctx context.Context) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	if !a.opt.Node.Fresh() {
		a.cancel(errStale)
		return errStale
	}
	err := a.opt.Enforcer.Recheck(a.decision)
	if fault.CodeOf(err) == "policy_stale" {
		_, err = a.opt.Enforcer.Check(ctx, a.hub, authz.DataCollect, a.decision.Target())
	}
	return err
}

// watch stops the attempt when its node, its people or policy say so, also while the source is silent.
func (a *attempt) watch(ctx context.Context) {
	ticker := time.NewTicker(watchEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if !a.opt.Node.Fresh() {
			a.cancel(errStale)
			return
		}
		var wanted, mine, merged bool
		err := a.opt.DB.Pool.QueryRow(ctx, "SELECT cancel_requested, token IS NOT DISTINCT FROM $2, merged_at IS NOT NULL FROM run WHERE id = $1", a.run.ID, a.run.lease.Token).
			Scan(&wanted, &mine, &merged)
		if err != nil {
			continue
		}
		if !mine {
			a.cancel(store.ErrFenced)
			return
		}
		if merged {
			continue
		}
		if wanted {
			a.cancel(errCancelled)
			return
		}
		f, err := loadFacts(ctx, a.opt.DB.Pool, a.run.ResourceID)
		if err != nil || a.opt.Enforcer.Allowed(a.hub, authz.DataCollect, f.target("resource", f.Resource)) || !a.opt.Enforcer.Follower().Current() {
			continue
		}
		if _, err := a.opt.Enforcer.Check(ctx, a.hub, authz.DataCollect, f.target("resource", f.Resource)); fault.Is(err, fault.Forbidden) {
			a.cancel(engine.NewFailure(engine.StageRead, engine.SideHub, "", err))
			return
		}
	}
}

// observe writes how far the run has come: each stage before its work begins, and progress inside a stage now and then.
func (a *attempt) observe(ctx context.Context, p engine.Progress) {
	now := time.Now()
	if p.Stage == a.stage && now.Sub(a.seen) < observeEvery {
		return
	}
	a.stage, a.seen = p.Stage, now
	raw, err := json.Marshal(p)
	if err == nil {
		_, err = a.opt.DB.Pool.Exec(ctx, "UPDATE run SET stage = $3, progress = $4 WHERE id = $1 AND token = $2", a.run.ID, a.run.lease.Token, p.Stage, raw)
	}
	if err != nil && ctx.Err() == nil {
		a.log.WarnContext(ctx, "writing the progress of a run", "run", a.run.ID, "error", err)
	}
}

// merging moves the run in the transaction that merges: from then on it has only its comparison left, whatever happens.
func (a *attempt) merging(ctx context.Context, tx *db.Tx, r store.Result) error {
	counts, err := json.Marshal(r.Counts)
	if err != nil {
		return fmt.Errorf("encoding counts: %w", err)
	}
	left, err := json.Marshal(afterMerge{ExtraFine: r.NoDeletes})
	if err != nil {
		return fmt.Errorf("encoding what the comparison must know: %w", err)
	}
	tag, err := tx.Exec(ctx, `
		UPDATE run SET state = 'reconciling', counts = $3, merged_at = clock_timestamp(), error = NULL, checkpoint = $4
		WHERE id = $1 AND token = $2 AND state = 'running'`, a.run.ID, a.run.lease.Token, counts, left)
	if err != nil {
		return fmt.Errorf("moving the run: %w", err)
	}
	if tag.RowsAffected() == 0 {
		return store.ErrFenced
	}
	return nil
}

// evidence writes the event of the merge.
func (a *attempt) evidence(ctx context.Context, tx *db.Tx, r store.Result) error {
	return record(ctx, tx, a.hub.Actor(), "run.merge", "run", a.run.ID.String(), map[string]any{
		"task": a.run.TaskID, "resource": a.run.ResourceID, "token": r.Token, "seq": r.Seq, "counts": r.Counts,
		"rule": a.decision.RuleID(), "policy_n": a.decision.PolicyN(),
	})
}

// sweep drops what finished runs of the resource left staged when their process died between the end and the tidying. Rows
// that this run staged itself are kept.
func (a *attempt) sweep(ctx context.Context) {
	if a.run.resume {
		return
	}
	left, err := db.Collect(ctx, a.opt.DB.Pool, scanRun, `
		SELECT `+runColumns+` FROM run r WHERE r.resource_id = $1 AND r.id <> $2 AND r.state IN ('succeeded', 'partial', 'failed', 'cancelled')
		AND EXISTS (SELECT 1 FROM store.chunk c WHERE c.run = r.id)`, a.run.ResourceID, a.run.ID)
	for _, r := range left {
		job := a.job()
		job.Run = r.ID
		err = errors.Join(err, a.opt.Store.DropStaging(ctx, job))
	}
	if err != nil && ctx.Err() == nil {
		a.log.WarnContext(ctx, "dropping what earlier runs left staged", "resource", a.run.ResourceID, "error", err)
	}
}
