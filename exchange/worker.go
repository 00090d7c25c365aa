package exchange

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/catalog"
	"github.com/shuqiao/shuqiao/exchange/store"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/secret"
)

// The figures of a worker.
const (
	pollQueue    = 250 * time.Millisecond // How often an idle worker looks at the queue.
	watchEvery   = 500 * time.Millisecond // How often a run is asked whether it may go on.
	observeEvery = 500 * time.Millisecond // How often progress within a stage is written.
	maxFailures  = 5                      // Attempts that may fail before a run fails.
	retryBase    = 2 * time.Second        // The n-th retry waits 2^n times this long.
	finishAgain  = time.Second            // Pause before the end of a run is written again.
	stopLimit    = 10 * time.Second       // How long a stopping worker waits for its runs.
	finishLimit  = 10 * time.Second       // How long the end of a run may take to be written.
	candidates   = 8                      // Runs looked at per claim.
)

// WorkerOptions says what a Worker needs. Everything without a remark is required.
type WorkerOptions struct {
	DB        *db.DB // Its sessions bear the node's ApplicationName.
	Enforcer  *authz.Enforcer
	Keyring   *secret.Keyring // Seals rejected rows.
	Catalog   *catalog.Service
	Store     *store.Store
	Node      *Node         // Started.
	Slots     int           // Runs carried out at once; 0 means 2.
	RetryBase time.Duration // 0 means 2 s.
	Log       *slog.Logger  // nil means slog.Default.
}

// Worker carries runs out. Any number of workers may serve one queue.
type Worker struct {
	opt  WorkerOptions
	log  *slog.Logger
	hub  authz.Principal
	free chan struct{} // A slot became free.
}

// NewWorker returns a worker; Run starts it.
func NewWorker(opt WorkerOptions) *Worker {
	if opt.Slots <= 0 {
		opt.Slots = 2
	}
	if opt.RetryBase == 0 {
		opt.RetryBase = retryBase
	}
	if opt.Log == nil {
		opt.Log = slog.Default()
	}
	return &Worker{opt: opt, log: opt.Log, hub: authz.Hub("worker"), free: make(chan struct{}, 1)}
}

// Why a run is stopped from outside.
var (
	errStopping  = errors.New("the worker is stopping")
	errStale     = errors.New("the node's heartbeat is too old")
	errCancelled = errors.New("somebody cancelled the run")
)

// Run takes runs from the queue until ctx ends. It then stops those under way, gives them back to the queue, and returns
// nil, at most ten seconds later.
func (w *Worker) Run(ctx context.Context) error {
	attempts, stop := context.WithCancelCause(context.WithoutCancel(ctx))
	defer stop(errStopping)
	var under sync.WaitGroup
	slots := make(chan struct{}, w.opt.Slots)
	ticker := time.NewTicker(pollQueue)
	defer ticker.Stop()
	failing := false
	for ctx.Err() == nil {
		if len(slots) < cap(slots) && w.opt.Node.Fresh() {
			c, err := w.claim(ctx)
			if err != nil && !failing && ctx.Err() == nil {
				w.log.ErrorContext(ctx, "the queue of runs cannot be read", "error", err)
			}
			failing = err != nil
			if c != nil {
				slots <- struct{}{}
				under.Go(func() {
					w.attempt(attempts, *c)
					<-slots
					select {
					case w.free <- struct{}{}:
					default:
					}
				})
				continue
			}
		}
		select {
		case <-ctx.Done():
		case <-ticker.C:
		case <-w.free:
		}
	}
	stop(errStopping)
	done := make(chan struct{})
	go func() { under.Wait(); close(done) }()
	timer := time.NewTimer(stopLimit)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
		w.log.WarnContext(ctx, "a run did not stop in time; another node will take it over")
	}
	return nil
}

// claimed is a run that this worker holds.
type claimed struct {
	Run
	lease  store.Lease
	resume bool // The lease was last held by this very run: what it staged is still the newest read.
}

// claim takes the first run of the queue that may start, with the lease of its resource, or returns nil when there is none.
// The unique indexes on active runs decide between workers: who fails there leaves the run in the queue.
func (w *Worker) claim(ctx context.Context) (*claimed, error) {
	var out *claimed
	err := w.opt.DB.InTx(ctx, func(tx *db.Tx) error {
		out = nil
		found, err := db.Collect(ctx, tx, scanRun, `
			SELECT `+runColumns+` FROM run r WHERE r.state = 'queued' AND r.not_before <= clock_timestamp()
			AND NOT EXISTS (SELECT 1 FROM run a WHERE a.resource_id = r.resource_id AND a.id <> r.id
				AND (a.state IN ('running', 'reconciling') OR a.state = 'queued' AND a.attempt > 0 AND r.attempt = 0))
			ORDER BY r.priority, r.queued_at LIMIT $1 FOR UPDATE SKIP LOCKED`, candidates)
		if err != nil {
			return err
		}
		for _, r := range found {
			err := savepoint(ctx, tx, func() error {
				c, err := w.take(ctx, tx, r)
				out = c
				return err
			})
			if db.IsUnique(err, "") {
				out = nil
				continue
			}
			if err != nil || out != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("claiming a run: %w", err)
	}
	return out, nil
}

// take makes one queued run this worker's. It returns nil without an error when the run turned out to be cancelled.
func (w *Worker) take(ctx context.Context, tx *db.Tx, r Run) (*claimed, error) {
	if r.CancelRequested && r.MergedAt == nil {
		_, err := tx.Exec(ctx, "UPDATE run SET state = 'cancelled', finished_at = $2 WHERE id = $1", r.ID, tx.Now())
		if err != nil {
			return nil, fmt.Errorf("cancelling run: %w", err)
		}
		return nil, record(ctx, tx, w.hub.Actor(), "run.cancel", "run", r.ID.String(), nil)
	}
	c := &claimed{Run: r}
	// The store's own marker says whether an earlier attempt merged, should the store lie in another database.
	var holder *uuid.UUID
	mergedAt := r.MergedAt
	err := tx.QueryRow(ctx, `
		SELECT (SELECT run FROM store.lease WHERE name = $1),
		       coalesce($4::timestamptz, (SELECT at FROM store.shuqiao_cursor WHERE task = $2 AND run = $3))`,
		store.WriterLease(r.ResourceID), r.TaskID, r.ID, mergedAt).Scan(&holder, &mergedAt)
	if err != nil {
		return nil, fmt.Errorf("reading the lease: %w", err)
	}
	c.MergedAt = db.UTC(mergedAt)
	action := RunClaim
	if c.MergedAt != nil {
		action = RunResume
	}
	move, err := findRunMove(r.State, action)
	if err != nil {
		return nil, err
	}
	c.resume = r.Attempt > 0 && holder != nil && *holder == r.ID
	c.State = move.To
	c.Attempt++
	if c.StartedAt == nil {
		now := tx.Now()
		c.StartedAt = &now
	}
	node, incarnation := w.opt.Node.ID(), w.opt.Node.Incarnation()
	_, err = tx.Exec(ctx, `
		UPDATE run SET state = $2, attempt = $3, started_at = $4, merged_at = $5, node_id = $6, incarnation = $7, stage = '', progress = '{}'
		WHERE id = $1 AND state = 'queued'`, r.ID, c.State, c.Attempt, c.StartedAt, c.MergedAt, node, incarnation)
	if err != nil {
		return nil, fmt.Errorf("taking run %s: %w", r.ID, err)
	}
	if c.lease, err = store.TakeLeaseTx(ctx, tx, store.WriterLease(r.ResourceID), r.ID, incarnation); err != nil {
		return nil, err
	}
	if _, err := tx.Exec(ctx, "UPDATE run SET token = $2 WHERE id = $1", r.ID, c.lease.Token); err != nil {
		return nil, fmt.Errorf("taking run %s: %w", r.ID, err)
	}
	return c, record(ctx, tx, w.hub.Actor(), "run."+string(action), "run", r.ID.String(), map[string]any{
		"attempt": c.Attempt, "node": node, "token": c.lease.Token, "task": r.TaskID, "resource": r.ResourceID,
	})
}
