package engine

import (
	"context"
	"time"

	"github.com/shuqiao/shuqiao/exchange/store"
)

// Reconcile compares the store with a fresh read of the source. A difference counts only when a second fresh read still
// shows it under the same key: rows may change while they are compared. Nothing is written to the store's rows.
func (c *Collect) Reconcile(ctx context.Context) (store.Comparison, error) {
	first, err := c.compareFresh(ctx)
	if err != nil || first.Equal() {
		return first, err
	}
	second, err := c.compareFresh(ctx)
	if err != nil {
		return store.Comparison{}, err
	}
	if !first.Listed() || !second.Listed() {
		// Too many to intersect key by key; so many do not come from rows in motion.
		return second, nil
	}
	seen := map[string]bool{}
	for _, d := range first.Differences {
		seen[d.Key] = true
	}
	lasting := second
	lasting.Differences, lasting.Missing, lasting.Extra, lasting.Changed = nil, 0, 0, 0
	for _, d := range second.Differences {
		if !seen[d.Key] {
			continue
		}
		lasting.Differences = append(lasting.Differences, d)
		switch d.Kind {
		case "missing":
			lasting.Missing++
		case "extra":
			lasting.Extra++
		default:
			lasting.Changed++
		}
	}
	return lasting, nil
}

// compareFresh reads the source once more in one snapshot and compares keys and hashes.
func (c *Collect) compareFresh(ctx context.Context) (store.Comparison, error) {
	fresh := *c
	fresh.Job.Compare, fresh.Resume, fresh.Incremental = true, false, nil
	r := &reader{Collect: &fresh, started: time.Now()}
	defer r.still()
	if err := r.prepare(ctx); err != nil {
		return store.Comparison{}, newFailure(StageRead, SideSource, c.Object, err)
	}
	if err := r.stage(ctx); err != nil {
		return store.Comparison{}, err
	}
	r.observe(ctx, StageReconcile)
	if err := r.staging.Settle(ctx, c.Seal); err != nil {
		return store.Comparison{}, newFailure(StageReconcile, SideHub, c.Object, err)
	}
	comparison, err := r.staging.Compare(ctx)
	if err != nil {
		return store.Comparison{}, newFailure(StageReconcile, SideHub, c.Object, err)
	}
	if err := r.staging.Drop(ctx); err != nil {
		return store.Comparison{}, newFailure(StageReconcile, SideHub, c.Object, err)
	}
	return comparison, nil
}
