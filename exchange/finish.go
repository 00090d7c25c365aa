package exchange

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/shuqiao/shuqiao/audit"
	"github.com/shuqiao/shuqiao/exchange/engine"
	"github.com/shuqiao/shuqiao/exchange/store"
	"github.com/shuqiao/shuqiao/internal/db"
)

// finish writes how the attempt ended, once: the run's row is locked, and a commit of its merge that is still under way is
// waited for, so that what it did is known. An attempt that another one has replaced writes nothing.
func (a *attempt) finish(ctx context.Context, end ending) error {
	if errors.Is(end.err, store.ErrFenced) {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, finishLimit)
	defer cancel()
	var final bool
	err := a.opt.DB.InTx(ctx, func(tx *db.Tx) error {
		final = false
		var token *int64
		if err := tx.QueryRow(ctx, "SELECT token FROM run WHERE id = $1 FOR UPDATE", a.run.ID).Scan(&token); err != nil {
			return fmt.Errorf("locking run: %w", err)
		}
		if token == nil || *token != a.run.lease.Token {
			return store.ErrFenced
		}
		r, err := loadRun(ctx, tx, a.run.ID, "")
		if err != nil {
			return err
		}
		final, err = a.end(ctx, tx, r, end)
		return err
	})
	if errors.Is(err, store.ErrFenced) {
		return nil
	}
	if err != nil {
		return err
	}
	if !final {
		return nil
	}
	// The lease may be another run's by now, which then tidies up itself.
	if err := a.opt.Store.DropStaging(ctx, a.job()); err != nil && !errors.Is(err, store.ErrFenced) {
		a.log.WarnContext(ctx, "dropping staged rows", "run", a.run.ID, "error", err)
	}
	return nil
}

// end moves the locked run and reports whether it is over.
func (a *attempt) end(ctx context.Context, tx *db.Tx, r Run, end ending) (final bool, err error) {
	switch {
	case end.err == nil:
		return true, a.compared(ctx, tx, r, end)
	case errors.Is(end.err, errCancelled) && r.MergedAt == nil:
		r.CancelRequested = true
		return true, surrender(ctx, tx, r, a.hub, map[string]any{})
	case errors.Is(end.err, errCancelled), errors.Is(end.err, errStopping), errors.Is(end.err, errStale), errors.Is(end.err, context.Canceled):
		return false, surrender(ctx, tx, r, a.hub, map[string]any{"reason": end.err.Error()})
	default:
		return a.failed(ctx, tx, r, end.err)
	}
}

// compared ends a run whose comparison was made.
func (a *attempt) compared(ctx context.Context, tx *db.Tx, r Run, end ending) error {
	c := end.comparison
	action := RunSucceed
	if c.Missing > 0 || c.Changed > 0 || c.Extra > 0 && !end.extraFine {
		action = RunDiffer
	}
	move, err := findRunMove(r.State, action)
	if err != nil {
		return err
	}
	listed, err := json.Marshal(listDifferences(c.Differences))
	if err != nil {
		return fmt.Errorf("encoding differences: %w", err)
	}
	hashes, err := json.Marshal(RunHashes{Source: &c.Source, Store: &c.Store})
	if err != nil {
		return fmt.Errorf("encoding hashes: %w", err)
	}
	if err := store.RecordComparison(ctx, tx, r.ID, r.ResourceID, end.fresh, c, listed); err != nil {
		return err
	}
	_, err = tx.Exec(ctx, "UPDATE run SET state = $2, hashes = $3, error = NULL, finished_at = $4, token = NULL WHERE id = $1", r.ID, move.To, hashes, tx.Now())
	if err != nil {
		return fmt.Errorf("ending run: %w", err)
	}
	if err := store.FenceTx(ctx, tx, a.run.lease); err != nil {
		return err
	}
	return record(ctx, tx, a.hub.Actor(), "run."+string(action), "run", r.ID.String(), map[string]any{
		"task": r.TaskID, "resource": r.ResourceID, "kind": r.Kind, "fresh": end.fresh, "source": c.Source.String(), "store": c.Store.String(),
		"missing": c.Missing, "extra": c.Extra, "changed": c.Changed, "held": c.Held, "rejected": c.Rejected,
	})
}

// failed ends an attempt that failed: another one follows when it may pass by itself, else the run is over.
func (a *attempt) failed(ctx context.Context, tx *db.Tx, r Run, cause error) (final bool, err error) {
	var f *engine.Failure
	if !errors.As(engine.NewFailure(a.lastStage(), engine.SideHub, "", cause), &f) {
		return false, fmt.Errorf("judging a failure: %w", cause)
	}
	a.log.WarnContext(ctx, "an attempt failed", "run", r.ID, "attempt", r.Attempt, "stage", f.Stage, "side", f.Side, "code", f.Code, "error", cause)
	raw, err := json.Marshal(f)
	if err != nil {
		return false, fmt.Errorf("encoding a failure: %w", err)
	}
	r.Failures++
	action := RunFail
	if f.Retryable && r.Failures < maxFailures {
		action = RunRetry
	}
	move, err := findRunMove(r.State, action)
	if err != nil {
		return false, err
	}
	notBefore := tx.Now().Add(a.opt.RetryBase << r.Failures)
	final = move.To.Final()
	_, err = tx.Exec(ctx, `
		UPDATE run SET state = $2, failures = $3, error = $4, stage = CASE WHEN stage = '' THEN $8 ELSE stage END, not_before = CASE WHEN $5 THEN not_before ELSE $6 END,
			finished_at = CASE WHEN $5 THEN $7::timestamptz END, token = NULL,
			node_id = CASE WHEN $5 THEN node_id END, incarnation = CASE WHEN $5 THEN incarnation END WHERE id = $1`,
		r.ID, move.To, r.Failures, raw, final, notBefore, tx.Now(), f.Stage)
	if err != nil {
		return false, fmt.Errorf("ending an attempt: %w", err)
	}
	if err := store.FenceTx(ctx, tx, a.run.lease); err != nil {
		return false, err
	}
	_, err = audit.WriteTx(ctx, tx, audit.Event{
		Actor: a.hub.Actor(), Action: "run." + string(action), Object: audit.Object{Kind: "run", ID: r.ID.String()}, Outcome: audit.Failed,
		Detail: map[string]any{"task": r.TaskID, "resource": r.ResourceID, "attempt": r.Attempt, "stage": f.Stage, "side": f.Side, "code": f.Code, "to": move.To},
	})
	return final, err
}

// lastStage is the stage the attempt was in, read when it had not come so far.
func (a *attempt) lastStage() engine.Stage {
	if a.stage == "" {
		return engine.StageRead
	}
	return a.stage
}
