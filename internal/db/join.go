package db

import (
	"context"
	"sync/atomic"
)

type beforeCommitKey struct{}

type beforeCommit struct {
	run  func(ctx context.Context, tx *Tx) error
	used atomic.Bool
}

// BeforeCommit returns a context under which the first transaction that InTx is about to commit also does run, before its
// last statements. An error of run rolls that transaction back and is what InTx returns. It is for what must be written
// together with a service's own write by somebody who does not know which transaction that is; only the first one does it.
func BeforeCommit(ctx context.Context, run func(ctx context.Context, tx *Tx) error) context.Context {
	return context.WithValue(ctx, beforeCommitKey{}, &beforeCommit{run: run})
}

// runBeforeCommit does what BeforeCommit asked for, once.
func runBeforeCommit(ctx context.Context, tx *Tx) error {
	b, _ := ctx.Value(beforeCommitKey{}).(*beforeCommit)
	if b == nil || b.used.Swap(true) {
		return nil
	}
	return b.run(ctx, tx)
}
