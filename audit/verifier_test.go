package audit

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"time"
)

// A pass is told about from its start to its end; a second wish during it starts no other; what the log has become is in the next.
func TestVerifier(t *testing.T) {
	t.Parallel()
	d := newDB(t)
	signer, _ := newSigner(t)
	ids := writeEvents(t, d, 3)
	sealNow(t, d, signer)
	v := NewVerifier(d, VerifyOptions{}, slog.New(slog.DiscardHandler))
	if v.Latest().Started() {
		t.Fatal("a pass before anybody asked")
	}
	first := Actor{Kind: ActorUser, ID: "01900000-0000-7000-8000-000000000001"}
	v.Start(first)
	v.Start(Actor{Kind: ActorUser, ID: "01900000-0000-7000-8000-000000000002"})
	if got := v.Latest(); !got.UnderWay() || got.By != first {
		t.Fatalf("got %+v, want one under way for the first who asked", got)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { _ = v.Run(ctx) })
	ended := func() Verification {
		t.Helper()
		for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
			if got := v.Latest(); !got.UnderWay() {
				return got
			}
		}
		t.Fatal("the pass did not end")
		return Verification{}
	}
	if got := ended(); got.Failed || !got.Report.OK() || got.Report.Leaves != 3 {
		t.Errorf("got %+v, want three leaves without a problem", got)
	}
	exec(t, d, "UPDATE event SET body = body || ' '::bytea WHERE id = $1", ids[1])
	v.Start(first)
	if got := ended(); got.Failed || got.Report.OK() {
		t.Errorf("got %+v, want the altered event found", got)
	}
	cancel()
	running.Wait()
	v.Start(first)
	if got := v.Latest(); !got.UnderWay() {
		t.Error("a wish is forgotten")
	}
}
