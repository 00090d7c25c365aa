package audit

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/shuqiao/shuqiao/internal/db"
)

// checkNumbering fails unless every event has exactly one leaf and the leaves are 0, 1, 2 … without a gap.
func checkNumbering(t *testing.T, d *db.DB, events int) {
	t.Helper()
	var leaves, distinct int
	var least, greatest int64
	err := d.Pool.QueryRow(t.Context(), "SELECT count(*), count(DISTINCT event_id), min(leaf), max(leaf) FROM leaf").Scan(&leaves, &distinct, &least, &greatest)
	noError(t, err)
	if leaves != events || distinct != events || least != 0 || greatest != int64(events)-1 {
		t.Fatalf("got %d leaves of %d events, numbered %d to %d; want %d", leaves, distinct, least, greatest, events)
	}
	report, err := Verify(t.Context(), d.Pool, VerifyOptions{})
	if err != nil || !report.OK() || report.Leaves != int64(events) {
		t.Fatalf("verification: %+v, err %v", report, err)
	}
}

// Two sealers and several writers at once: every event is sealed once, in numbers without gap.
func TestSealersRace(t *testing.T) {
	t.Parallel()
	d := newDB(t)
	signer, _ := newSigner(t)
	const writers, each = 4, 100
	stops := []func(){start(t, Options{DB: d, Signer: signer}), start(t, Options{DB: d, Signer: signer})}
	var wg sync.WaitGroup
	for range writers {
		wg.Go(func() {
			for i := range each {
				if _, err := Write(context.Background(), d, sampleEvent(i)); err != nil {
					t.Errorf("writing: %v", err)
				}
				if i == each/2 {
					stops[0]() // Whichever works now, the other must carry on.
				}
			}
		})
	}
	wg.Wait()
	eventually(t, "all is sealed", func() bool { return value[int](t, d, "SELECT count(*) FROM pending") == 0 })
	stops[1]()
	checkNumbering(t, d, writers*each)
	if got := value[int64](t, d, "SELECT max(size) FROM checkpoint"); got != writers*each {
		t.Errorf("a sealer that stops signs what it sealed: got a checkpoint of %d, want %d", got, writers*each)
	}
}

// A sealer whose session is killed between writing leaves and committing leaves nothing behind, and goes on with a new
// session where it was.
func TestSealerKilledInTheMiddle(t *testing.T) {
	t.Parallel()
	d := newDB(t)
	writeEvents(t, d, 30)
	blocker, err := d.Pool.Begin(t.Context())
	noError(t, err)
	defer blocker.Rollback(context.Background())
	// Leaves can be written, tree hashes cannot: the sealing transaction stops half way.
	_, err = blocker.Exec(t.Context(), "LOCK TABLE tree_hash IN SHARE MODE")
	noError(t, err)
	start(t, Options{DB: d})
	// Databases cloned from one template share their tables' numbers, and pg_locks shows the whole server.
	const here = "database = (SELECT oid FROM pg_database WHERE datname = current_database()) AND mode = 'RowExclusiveLock'"
	const waiting = "SELECT count(*) FROM pg_locks WHERE relation = 'tree_hash'::regclass AND NOT granted AND " + here
	eventually(t, "the sealer waits for the tree", func() bool { return value[int](t, d, waiting) == 1 })
	if got := value[int](t, d, "SELECT count(*) FROM pg_locks WHERE relation = 'leaf'::regclass AND granted AND "+here); got != 1 {
		t.Fatalf("the sealer has not written leaves yet: %d", got)
	}
	killed := value[bool](t, d, `SELECT pg_terminate_backend(pid, 5000) FROM pg_locks
		WHERE relation = 'tree_hash'::regclass AND NOT granted AND `+here)
	if !killed {
		t.Fatal("the sealer's session did not end")
	}
	if got := value[int](t, d, "SELECT count(*) FROM leaf"); got != 0 {
		t.Errorf("the killed transaction left %d leaves", got)
	}
	noError(t, blocker.Rollback(t.Context()))
	eventually(t, "all is sealed", func() bool { return value[int](t, d, "SELECT count(*) FROM pending") == 0 })
	checkNumbering(t, d, 30)
}

// A sealer that lost its token writes nothing, even with the events in hand.
func TestSealerWithAnOldToken(t *testing.T) {
	t.Parallel()
	d := newDB(t)
	ids := writeEvents(t, d, 3)
	conn, err := pgx.Connect(t.Context(), d.Pool.Config().ConnString())
	noError(t, err)
	defer conn.Close(context.Background())
	s := NewSealer(Options{DB: d})
	old, err := s.takeOver(t.Context(), conn)
	noError(t, err)
	newer, err := s.takeOver(t.Context(), conn)
	noError(t, err)
	if _, err := sealBatchTx(t.Context(), conn, old, ids); !errors.Is(err, errLost) {
		t.Errorf("got %v, want errLost", err)
	}
	if got := value[int](t, d, "SELECT count(*) FROM leaf"); got != 0 {
		t.Errorf("an old token wrote %d leaves", got)
	}
	sealed, err := sealBatchTx(t.Context(), conn, newer, ids)
	if err != nil || sealed != 3 {
		t.Errorf("got %d sealed, err %v", sealed, err)
	}
	// A batch read before another sealer sealed it adds nothing.
	sealed, err = sealBatchTx(t.Context(), conn, newer, ids)
	if err != nil || sealed != 0 {
		t.Errorf("sealing again: got %d sealed, err %v", sealed, err)
	}
	checkNumbering(t, d, 3)
}

// A pending mark without its event, or of a sealed event, holds up nobody; Late and the verification show it.
func TestSealerPassesWhatCannotBeSealed(t *testing.T) {
	t.Parallel()
	d := newDB(t)
	first := writeEvents(t, d, 1)[0]
	sealNow(t, d, nil)
	exec(t, d, "INSERT INTO pending VALUES ($1), ($2)", uuid.UUID{15: 1}, first)
	writeEvents(t, d, 2)
	start(t, Options{DB: d})
	eventually(t, "the others are sealed", func() bool { return value[int](t, d, "SELECT count(*) FROM leaf") == 3 })
	if _, err := NewSealer(Options{DB: d}).Late(t.Context()); err == nil {
		t.Error("Late says nothing of the missing event")
	}
	checkKinds(t, verify(t, d), EventMissing, EventTwice)
}

// Late is the age of the oldest pending event, and 0 when none is pending.
func TestLate(t *testing.T) {
	t.Parallel()
	d := newDB(t)
	s := NewSealer(Options{DB: d})
	late, err := s.Late(t.Context())
	if err != nil || late != 0 {
		t.Fatalf("empty: got %v, err %v", late, err)
	}
	id := writeEvents(t, d, 2)[0]
	exec(t, d, "UPDATE event SET at = at - interval '90 seconds' WHERE id = $1", id)
	late, err = s.Late(t.Context())
	if err != nil || late < 90*time.Second || late > 120*time.Second {
		t.Errorf("got %v, err %v", late, err)
	}
}

// Checkpoints are signed while the tree grows, no more often than asked, and never for a tree that did not grow.
func TestCheckpointPace(t *testing.T) {
	t.Parallel()
	d := newDB(t)
	signer, key := newSigner(t)
	var mu sync.Mutex
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	clock := func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		return now
	}
	sealed := func(n int) func() bool {
		return func() bool { return value[int](t, d, "SELECT count(*) FROM leaf") == n }
	}
	signed := func() int { return value[int](t, d, "SELECT count(*) FROM checkpoint") }
	writeEvents(t, d, 1)
	stop := start(t, Options{DB: d, Signer: signer, Clock: clock})
	eventually(t, "a first checkpoint is signed", func() bool { return signed() == 1 })
	writeEvents(t, d, 1)
	eventually(t, "the second event is sealed", sealed(2))
	if got := signed(); got != 1 {
		t.Errorf("got %d checkpoints within ten seconds, want 1", got)
	}
	mu.Lock()
	now = now.Add(10 * time.Second)
	mu.Unlock()
	eventually(t, "a checkpoint is due", func() bool { return signed() == 2 })
	writeEvents(t, d, 1)
	eventually(t, "the third event is sealed", sealed(3))
	stop()
	if got := signed(); got != 3 {
		t.Errorf("got %d checkpoints after stopping, want 3", got)
	}
	newest, err := NewLog(d).Checkpoint(t.Context())
	noError(t, err)
	size, root, err := OpenCheckpoint(newest.Note, key)
	if err != nil || size != 3 || root != newest.Root {
		t.Errorf("got size %d, root %v, err %v; want %+v", size, root, err, newest)
	}
	stop = start(t, Options{DB: d, Signer: signer})
	eventually(t, "another sealer has begun", func() bool { return value[int](t, d, "SELECT token FROM sealer") == 2 })
	stop()
	if got := signed(); got != 3 {
		t.Errorf("got %d checkpoints of an unchanged tree, want 3", got)
	}
}

// The edge of the tree that the sealer keeps gives the same hashes as the library reading every stored hash.
func TestFrontierAgreesWithTlog(t *testing.T) {
	t.Parallel()
	var all []tlog.Hash
	reader := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		hashes := make([]tlog.Hash, len(indexes))
		for i, index := range indexes {
			hashes[i] = all[index]
		}
		return hashes, nil
	})
	f := &frontier{}
	for n := range int64(300) {
		data := LeafData(uuid.UUID{15: byte(n)}, []byte{byte(n >> 8)})
		want, err := tlog.StoredHashes(n, data, reader)
		noError(t, err)
		got, err := f.append(tlog.RecordHash(data))
		noError(t, err)
		if len(got) != len(want) || got[len(got)-1] != want[len(want)-1] {
			t.Fatalf("leaf %d: got %v, want %v", n, got, want)
		}
		all = append(all, want...)
		wantRoot, err := tlog.TreeHash(n+1, reader)
		noError(t, err)
		gotRoot, err := f.root()
		noError(t, err)
		if gotRoot != wantRoot {
			t.Fatalf("root of %d leaves differs", n+1)
		}
	}
}
