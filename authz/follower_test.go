package authz_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/authz/authztest"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
	"github.com/shuqiao/shuqiao/internal/pgtest"
)

func logChange(t testing.TB, d *db.DB, kind authz.Kind, ids ...string) {
	t.Helper()
	err := d.InTx(t.Context(), func(tx *db.Tx) error {
		for _, id := range ids {
			if err := authz.LogTx(tx, kind, id); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatalf("logging a change: %v", err)
	}
}

// recorder is a subscriber that remembers what it heard, and fails while broken.
type recorder struct {
	mu     sync.Mutex
	heard  []authz.Entry
	broken atomic.Bool
}

func (r *recorder) subscribe(f *authz.Follower) {
	f.Subscribe(func(entries []authz.Entry) error {
		if r.broken.Load() {
			return errors.New("broken on purpose")
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		r.heard = append(r.heard, entries...)
		return nil
	})
}

func (r *recorder) entries() []authz.Entry {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]authz.Entry(nil), r.heard...)
}

// A follower starts with "everything", then hands on each change once and in order; changes of one transaction are numbered
// one after another, and a thing noted twice in a transaction counts once.
func TestFollowerHandsOnChangesInOrder(t *testing.T) {
	t.Parallel()
	d := authztest.Open(t)
	logChange(t, d, authz.KindGrant, "before the start")
	var r recorder
	n := authztest.Start(t, d, r.subscribe)
	logChange(t, d, authz.KindGrant, "a", "b", "a")
	logChange(t, d, authz.KindClient, "c")
	if err := authztest.Sync(t.Context(), n.Follower); err != nil {
		t.Fatal(err)
	}
	want := []authz.Entry{
		{N: 2, Kind: authz.KindAll}, {N: 3, Kind: authz.KindGrant, ID: "a"}, {N: 4, Kind: authz.KindGrant, ID: "b"}, {N: 5, Kind: authz.KindClient, ID: "c"},
	}
	if diff := cmp.Diff(want, r.entries()); diff != "" {
		t.Errorf("entries (-want +got):\n%s", diff)
	}
	if got := n.Follower.Applied(); got != 5 {
		t.Errorf("applied: got %d, want 5", got)
	}
}

// The order of numbers is the order of commits, without gaps, while many writers commit at once: a reader that has seen n has
// seen everything below n.
func TestLogOrderIsCommitOrder(t *testing.T) {
	t.Parallel()
	d := authztest.Open(t)
	const writers, each = 5, 30
	stop := make(chan struct{})
	var gaps atomic.Int64
	var wg sync.WaitGroup
	watch := make(chan error, 1)
	go func() {
		var seen int64
		for {
			var count, highest int64
			// One statement is one snapshot: a number visible without a lower one would be a hole that a follower steps over.
			err := d.Pool.QueryRow(context.WithoutCancel(t.Context()), "SELECT count(*), coalesce(max(n), 0) FROM policy_log").Scan(&count, &highest)
			if err != nil {
				watch <- err
				return
			}
			if count != highest || highest < seen {
				gaps.Add(1)
			}
			seen = highest
			select {
			case <-stop:
				watch <- nil
				return
			default:
			}
		}
	}()
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				err := d.InTx(t.Context(), func(tx *db.Tx) error {
					if err := authz.LogTx(tx, authz.KindGrant, string(rune('a'+w))); err != nil {
						return err
					}
					if i%3 == 0 {
						return authz.LogTx(tx, authz.KindClient, string(rune('a'+w)))
					}
					if i%5 == 0 {
						return errors.New("rolled back on purpose")
					}
					return nil
				})
				if err != nil && i%5 != 0 {
					t.Errorf("writing: %v", err)
				}
			}
		})
	}
	wg.Wait()
	close(stop)
	if err := <-watch; err != nil {
		t.Fatal(err)
	}
	if gaps.Load() > 0 {
		t.Errorf("a reader saw a hole %d times", gaps.Load())
	}
	var count, highest, head int64
	if err := d.Pool.QueryRow(t.Context(), "SELECT count(*), max(n), (SELECT n FROM policy_head) FROM policy_log").Scan(&count, &highest, &head); err != nil {
		t.Fatal(err)
	}
	if count != highest || head != highest || count < writers*each {
		t.Errorf("got %d entries, highest %d, head %d", count, highest, head)
	}
}

// A node whose subscriber cannot apply a change stops deciding within a second, answers policy_stale after waiting at most a
// second, and decides again when the change can be applied.
func TestUnappliedChangeStopsDecisions(t *testing.T) {
	t.Parallel()
	d := authztest.Open(t)
	var r recorder
	n := authztest.Start(t, d, r.subscribe)
	client := authztest.Client(db.NewID())
	target := authz.Target{Kind: "resource", ID: "r", ShareType: "conditional", Grade: "L3", State: "published", Granted: true}
	decision, err := n.Enforcer.Check(t.Context(), client, authz.DataPull, target)
	if err != nil {
		t.Fatal(err)
	}
	r.broken.Store(true)
	logChange(t, d, authz.KindGrant, "g")
	start := time.Now()
	until(t, time.Second, "the lease to lapse", func() bool { return !n.Follower.Current() })
	t.Logf("lease lapsed after %v", time.Since(start))
	if err := n.Enforcer.Recheck(decision); fault.CodeOf(err) != "policy_stale" {
		t.Errorf("rechecking: got %v", err)
	}
	if n.Enforcer.Allowed(client, authz.DataPull, target) {
		t.Error("Allowed answers yes without a lease")
	}
	start = time.Now()
	_, err = n.Enforcer.Check(t.Context(), client, authz.DataPull, target)
	if !fault.Is(err, fault.Unavailable) || fault.CodeOf(err) != "policy_stale" {
		t.Errorf("checking: got %v", err)
	}
	if took := time.Since(start); took > 1500*time.Millisecond {
		t.Errorf("the refusal took %v", took)
	}
	if left := n.Follower.LeaseLeft(); left != 0 {
		t.Errorf("lease left: %v", left)
	}
	r.broken.Store(false)
	if err := waitLong(t, n.Follower); err != nil {
		t.Errorf("waiting after the repair: %v", err)
	}
	if err := n.Enforcer.Recheck(decision); err != nil {
		t.Errorf("rechecking after the repair: %v", err)
	}
	if diff := cmp.Diff(authz.Entry{N: 2, Kind: authz.KindGrant, ID: "g"}, r.entries()[len(r.entries())-1]); diff != "" {
		t.Errorf("the change was not handed on again:\n%s", diff)
	}
}

// A node that no longer reaches the log refuses at once when its follower has stopped, and within a second when the database
// is gone.
func TestNodeWithoutLogRefuses(t *testing.T) {
	t.Parallel()
	url := pgtest.URL(t)
	n := authztest.Start(t, authztest.OpenURL(t, url))
	other := authztest.Start(t, authztest.OpenURL(t, url))
	other.Stop()
	if other.Follower.Current() {
		t.Error("a stopped follower still holds a lease")
	}
	// Hold the head's table so that no poll can end: the log is there and does not answer.
	tx, err := n.DB.Pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback(context.WithoutCancel(t.Context())) //nolint:errcheck // The database is dropped anyway.
	if _, err := tx.Exec(t.Context(), "LOCK TABLE policy_head IN ACCESS EXCLUSIVE MODE"); err != nil {
		t.Fatal(err)
	}
	until(t, time.Second, "the lease to lapse", func() bool { return !n.Follower.Current() })
	if err := tx.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	until(t, 3*time.Second, "the lease to return", n.Follower.Current)
}

// When the log does not go on where this node was (a restored database has another incarnation, or fewer entries), everything
// remembered is dropped.
func TestRestoredLogVoidsEverything(t *testing.T) {
	t.Parallel()
	for name, restore := range map[string]string{
		"another incarnation": "UPDATE policy_head SET incarnation = gen_random_uuid()",
		"an older head":       "WITH d AS (DELETE FROM policy_log WHERE n > 1) UPDATE policy_head SET n = 1",
		"a hole in the log":   "WITH d AS (INSERT INTO policy_log (n, kind, id) VALUES (9, 'grant', 'x')) UPDATE policy_head SET n = 9",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := authztest.Open(t)
			var r recorder
			n := authztest.Start(t, d, r.subscribe)
			logChange(t, d, authz.KindGrant, "a", "b")
			if err := authztest.Sync(t.Context(), n.Follower); err != nil {
				t.Fatal(err)
			}
			if _, err := d.Pool.Exec(t.Context(), restore); err != nil {
				t.Fatal(err)
			}
			if err := authztest.Sync(t.Context(), n.Follower); err != nil {
				t.Fatal(err)
			}
			last := r.entries()[len(r.entries())-1]
			if last.Kind != authz.KindAll || last.N != n.Follower.Applied() {
				t.Errorf("last entry: got %+v, applied %d", last, n.Follower.Applied())
			}
		})
	}
}

// A clock that jumps, as after a suspended machine wakes, ends the lease: the time since the poll is not known.
func TestJumpingClockEndsTheLease(t *testing.T) {
	t.Parallel()
	d := authztest.Open(t)
	var jump atomic.Int64
	// A time without a monotonic reading stands in for a machine whose monotonic clock stood still: only its wall clock moves.
	f, err := authz.NewFollower(t.Context(), authz.FollowerOptions{DB: d, Clock: func() time.Time {
		return time.Now().Round(0).Add(time.Duration(jump.Load()))
	}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); _ = f.Run(ctx) }()
	defer func() { cancel(); <-done }()
	if err := waitLong(t, f); err != nil {
		t.Fatal(err)
	}
	if now := f.Now(); time.Until(now).Abs() > time.Minute {
		t.Errorf("estimated database time is %v", now)
	}
	jump.Store(int64(time.Hour))
	if f.Current() {
		t.Error("the lease outlived an hour")
	}
	if err := waitLong(t, f); err != nil {
		t.Errorf("the next poll did not renew: %v", err)
	}
	// The estimate rests on the database's clock, not on this node's.
	if now := f.Now(); time.Until(now).Abs() > time.Minute {
		t.Errorf("after the jump the estimated database time is %v", now)
	}
	jump.Store(0)
	if f.Current() {
		t.Error("the lease outlived a step back in time")
	}
}

// waitLong is Follower.Wait for a machine that is so busy that a poll takes longer than a node itself waits for it.
func waitLong(t *testing.T, f *authz.Follower) error {
	t.Helper()
	var err error
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); {
		if err = f.Wait(t.Context()); err == nil {
			return nil
		}
	}
	return err
}

func until(t *testing.T, limit time.Duration, what string, done func() bool) {
	t.Helper()
	deadline := time.After(limit)
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("waited %v for %s", limit, what)
		}
	}
}
