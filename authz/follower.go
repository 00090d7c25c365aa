package authz

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// The figures of the policy lease. A change is refused everywhere at most leaseFor after its commit, and asking again every
// pollEvery leaves two polls that may fail before a lease lapses.
const (
	pollEvery = 200 * time.Millisecond
	leaseFor  = 700 * time.Millisecond
	waitFor   = time.Second            // How long a decision waits for a lapsed lease before it is refused.
	pollLimit = 600 * time.Millisecond // A poll that takes longer could not set a useful lease.
	batch     = 10_000                 // Entries per poll.

	// clockSkew is how far the monotonic and the wall clock may part since a poll. They part when the machine was suspended,
	// which the monotonic clock does not count: the lease then counts as lapsed until the next poll.
	clockSkew = 50 * time.Millisecond
)

// FollowerOptions says what to follow.
type FollowerOptions struct {
	DB    *db.DB           // The primary. The follower opens two connections of its own to it.
	Clock func() time.Time // nil means time.Now. Its times should carry a monotonic reading.
	Log   *slog.Logger     // nil means slog.Default.
}

// Follower keeps a node's policy current: it polls the policy log, hands changes to its subscribers, and holds a lease that
// says until when the node may decide. A node whose follower cannot read the log, or whose subscribers cannot apply it,
// stops deciding when the lease lapses.
type Follower struct {
	pool   *pgxpool.Pool
	clock  func() time.Time
	log    *slog.Logger
	nudge  chan struct{}
	origin time.Time

	subscribers []func([]Entry) error // Fixed once Run has begun.
	running     atomic.Bool

	lease    atomic.Pointer[lease]
	applied  atomic.Int64
	applying atomic.Int64 // Raised before the subscribers hear of entries; see Cache.
	lapses   atomic.Int64

	mu      sync.Mutex
	renewed chan struct{} // Closed and replaced at each renewal.
}

// lease is what one successful poll established.
type lease struct {
	t0          time.Time // Before the poll was sent.
	database    time.Time // The database's clock as the poll read it.
	n           int64
	incarnation uuid.UUID
}

// NewFollower makes a follower. Subscribe to it, then call Run.
func NewFollower(ctx context.Context, opt FollowerOptions) (*Follower, error) {
	cfg := opt.DB.Pool.Config()
	cfg.MaxConns, cfg.MinConns = 2, 0
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("making the policy follower's pool: %w", err)
	}
	f := &Follower{
		pool: pool, clock: opt.Clock, log: opt.Log,
		nudge: make(chan struct{}, 1), renewed: make(chan struct{}),
	}
	if f.clock == nil {
		f.clock = time.Now
	}
	if f.log == nil {
		f.log = slog.Default()
	}
	f.origin = f.clock()
	return f, nil
}

// Subscribe registers who hears of changes, in the order of the log. An error means that the entries are not applied: they
// come again, and the lease lapses meanwhile, so apply must bear a repetition. It must be called before Run.
func (f *Follower) Subscribe(apply func([]Entry) error) {
	if f.running.Load() {
		panic("authz: Subscribe after Run") // A programming error: the subscriber would have missed entries.
	}
	f.subscribers = append(f.subscribers, apply)
}

// Run polls until ctx ends, then returns nil. Failures are logged and retried: the lease is what they cost.
func (f *Follower) Run(ctx context.Context) error {
	f.running.Store(true)
	defer f.pool.Close()
	defer f.lease.Store(nil)
	ticker := time.NewTicker(pollEvery)
	defer ticker.Stop()
	failed := false
	for {
		more, err := f.poll(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil && !failed:
			f.log.ErrorContext(ctx, "policy is not being followed; decisions are refused while the lease is lapsed", "error", err)
		case err == nil && failed:
			f.log.InfoContext(ctx, "policy is being followed again", "applied", f.applied.Load())
		}
		failed = err != nil
		if more && err == nil {
			continue
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		case <-f.nudge:
		}
	}
}

var errStandby = errors.New("the database is a standby; policy is followed on the primary only")

// poll asks once for what is new and applies it. more says that the log holds further entries.
func (f *Follower) poll(ctx context.Context) (more bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, pollLimit)
	defer cancel()
	applied := f.applied.Load()
	old := f.lease.Load()
	next := lease{t0: f.clock()}
	rows, err := f.pool.Query(ctx, `
		SELECT clock_timestamp(), pg_is_in_recovery(), h.n, h.incarnation, l.n, l.kind, l.id
		FROM policy_head h LEFT JOIN policy_log l ON l.n > $1
		ORDER BY l.n LIMIT $2`, applied, batch)
	if err != nil {
		return false, fmt.Errorf("reading the policy log: %w", err)
	}
	defer rows.Close()
	var entries []Entry
	for rows.Next() {
		var n *int64
		var kind, id *string
		var standby bool
		if err := rows.Scan(&next.database, &standby, &next.n, &next.incarnation, &n, &kind, &id); err != nil {
			return false, fmt.Errorf("reading the policy log: %w", err)
		}
		if standby {
			return false, errStandby
		}
		if n != nil {
			entries = append(entries, Entry{*n, Kind(*kind), *id})
		}
	}
	if err := rows.Err(); err != nil {
		return false, fmt.Errorf("reading the policy log: %w", err)
	}
	if next.incarnation == uuid.Nil {
		return false, errors.New("reading the policy log: policy_head has no row")
	}
	if old == nil || old.incarnation != next.incarnation || !continues(applied, entries, next.n) {
		entries = []Entry{{N: next.n, Kind: KindAll}}
	}
	reached := next.n
	if len(entries) > 0 {
		reached = entries[len(entries)-1].N
		f.applying.Store(reached)
		for _, apply := range f.subscribers {
			if err := apply(entries); err != nil {
				return false, fmt.Errorf("applying policy changes up to %d: %w", reached, err)
			}
		}
		f.applied.Store(reached)
	}
	if reached < next.n {
		return true, nil
	}
	if old != nil && f.left(old) <= 0 {
		f.lapses.Add(1)
	}
	f.lease.Store(&next)
	f.mu.Lock()
	close(f.renewed)
	f.renewed = make(chan struct{})
	f.mu.Unlock()
	return false, nil
}

// continues reports whether entries follow applied without a gap and agree with the head.
func continues(applied int64, entries []Entry, head int64) bool {
	for i, e := range entries {
		if e.N != applied+1+int64(i) {
			return false
		}
	}
	last := applied + int64(len(entries))
	return last == head || last < head && len(entries) == batch
}

// current returns the lease if it is valid now.
func (f *Follower) current() *lease {
	l := f.lease.Load()
	if l == nil || f.left(l) <= 0 {
		return nil
	}
	return l
}

func (f *Follower) left(l *lease) time.Duration {
	now := f.clock()
	elapsed := now.Sub(l.t0)
	drift := now.Round(0).Sub(l.t0.Round(0)) - elapsed
	if elapsed < 0 || drift > clockSkew || drift < -clockSkew {
		return 0
	}
	return leaseFor - elapsed
}

// Current reports whether the node may decide now.
func (f *Follower) Current() bool { return f.current() != nil }

// LeaseLeft returns how long the node may go on deciding if no further poll succeeds; 0 when the lease has lapsed.
func (f *Follower) LeaseLeft() time.Duration {
	l := f.lease.Load()
	if l == nil {
		return 0
	}
	return max(0, f.left(l))
}

// Lapses counts how often the lease ran out before it was renewed, since the follower was made. A lease that is lapsed now is
// counted when it is renewed.
func (f *Follower) Lapses() int64 { return f.lapses.Load() }

// Applied returns the number of the newest change that every subscriber has applied.
func (f *Follower) Applied() int64 { return f.applied.Load() }

// Now estimates the database's time from the newest poll and the monotonic time since. Before the first poll it is the
// node's own clock. Expiry is judged by it, so that a node's wall clock takes no part.
func (f *Follower) Now() time.Time {
	l := f.lease.Load()
	if l == nil {
		return f.clock().UTC()
	}
	return l.database.Add(f.clock().Sub(l.t0)).UTC()
}

// Wait returns nil when the node may decide, at once or within a second; otherwise an Unavailable fault "policy_stale".
func (f *Follower) Wait(ctx context.Context) error {
	if f.Current() {
		return nil
	}
	return f.waitUntil(ctx, func() bool { return f.Current() })
}

// Sync returns when everything committed before the call is applied on this node, within a second, or the fault of Wait.
func (f *Follower) Sync(ctx context.Context) error {
	since := f.clock()
	return f.waitUntil(ctx, func() bool {
		l := f.current()
		return l != nil && !l.t0.Before(since)
	})
}

func (f *Follower) waitUntil(ctx context.Context, done func() bool) error {
	timer := time.NewTimer(waitFor)
	defer timer.Stop()
	for {
		f.mu.Lock()
		renewed := f.renewed
		f.mu.Unlock()
		if done() {
			return nil
		}
		select {
		case f.nudge <- struct{}{}:
		default:
		}
		select {
		case <-renewed:
		case <-ctx.Done():
			return stale().Wrap(ctx.Err())
		case <-timer.C:
			return stale()
		}
	}
}

func stale() *fault.Fault {
	return fault.New(fault.Unavailable, "policy_stale",
		"the hub cannot confirm right now that its policy is current, so it refuses; try again in a second").At("policy")
}
