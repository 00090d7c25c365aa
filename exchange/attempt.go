package exchange

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/exchange/engine"
	"github.com/shuqiao/shuqiao/exchange/store"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
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
