package audit

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"golang.org/x/mod/sumdb/note"

	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/pgtest"
)

func open(t testing.TB, url string) *db.DB {
	t.Helper()
	d, err := db.Open(t.Context(), db.Options{URL: url, ApplicationName: "audit test", MaxConns: 24})
	if err != nil {
		t.Fatalf("opening the test database: %v", err)
	}
	t.Cleanup(d.Close)
	return d
}

func newDB(t testing.TB) *db.DB {
	t.Helper()
	return open(t, pgtest.URL(t))
}

func noError(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func exec(t testing.TB, d *db.DB, sql string, args ...any) {
	t.Helper()
	if _, err := d.Pool.Exec(t.Context(), sql, args...); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

func value[T any](t testing.TB, d *db.DB, sql string, args ...any) T {
	t.Helper()
	var v T
	if err := d.Pool.QueryRow(t.Context(), sql, args...).Scan(&v); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return v
}

func sampleEvent(n int) Event {
	return Event{
		Actor:  Actor{Kind: ActorUser, ID: uuid.NewString(), Department: uuid.New()},
		Action: "grant.suspend",
		Object: Object{Kind: "grant", ID: fmt.Sprint(n)},
		Detail: map[string]any{"reason": "示例", "n": n},
	}
}

// writeEvents writes n events, each in its own transaction, and returns their ids.
func writeEvents(t testing.TB, d *db.DB, n int) []uuid.UUID {
	t.Helper()
	ids := make([]uuid.UUID, n)
	for i := range ids {
		id, err := Write(t.Context(), d, sampleEvent(i))
		if err != nil {
			t.Fatalf("writing event %d: %v", i, err)
		}
		ids[i] = id
	}
	return ids
}

func newSigner(t testing.TB) (note.Signer, string) {
	t.Helper()
	signer, key, err := LoadOrCreateSigner(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return signer, key
}

// start runs a sealer; stop ends it and waits. It is safe to call stop twice.
func start(t testing.TB, opt Options) (stop func()) {
	t.Helper()
	if opt.Interval == 0 {
		opt.Interval = 5 * time.Millisecond
	}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := NewSealer(opt).Run(ctx); err != nil {
			t.Errorf("sealer: %v", err)
		}
	})
	stop = func() {
		cancel()
		wg.Wait()
	}
	t.Cleanup(stop)
	return stop
}

// sealNow seals everything pending and signs a checkpoint.
func sealNow(t testing.TB, d *db.DB, signer note.Signer) {
	t.Helper()
	stop := start(t, Options{DB: d, Signer: signer})
	defer stop()
	eventually(t, "nothing is pending", func() bool {
		return value[int](t, d, "SELECT count(*) FROM pending p WHERE EXISTS (SELECT FROM event e WHERE e.id = p.event_id)") == 0
	})
}

// eventually asks until the condition holds: it waits for work of other goroutines and of the server.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	deadline := time.NewTimer(20 * time.Second)
	defer deadline.Stop()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-deadline.C:
			t.Fatalf("waited in vain until %s", what)
		case <-tick.C:
		}
	}
}

func sampleUsage(mode Mode) Usage {
	seq, asOf := int64(41), time.Date(2026, 3, 1, 8, 0, 0, 123456789, time.FixedZone("", 8*3600))
	return Usage{
		GrantID: uuid.New(), TermsVersion: 3, ClientID: uuid.New(), ResourceID: uuid.New(), Mode: mode, Rows: 2,
		Items: []int32{3, 1, 2}, Purpose: "SOCIAL_AID", CaseNumber: "示例〔2026〕1号",
		Query:   json.RawMessage(`{"z":[1.50, 2e3, -0, "é\u4e2d<"], "a": null, "a": true}`),
		SeqFrom: &seq, SeqTo: &seq, AsOf: &asOf,
		SubjectTokens: [][]byte{SubjectToken([]byte("test-key"), "A~1B"), SubjectToken([]byte("test-key"), "C")},
		Digest:        []byte("0123456789abcdef0123456789abcdef"), PolicyN: 7, RuleID: "r1", RequestID: "req-1", Department: uuid.New(),
	}
}

func newRecorder(t testing.TB, d *db.DB) *Recorder {
	t.Helper()
	r := NewRecorder(d)
	t.Cleanup(r.Close)
	return r
}
