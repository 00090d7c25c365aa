package pull

import (
	"context"
	"sync"
	"time"

	"github.com/shuqiao/shuqiao/internal/fault"
)

// Bounds of a stream under the policy lease.
const (
	// watchEvery is how often a stream's grant is asked for while rows flow or a write is blocked.
	watchEvery = 100 * time.Millisecond
	// leaseGrace is what a write may last beyond the lease.
	leaseGrace = 200 * time.Millisecond
	// maxPause is how long a stream waits for a lapsed lease before it is aborted.
	maxPause = 10 * time.Second
	// maxStall is how long one write may make no progress.
	maxStall = 10 * time.Second
)

const codePolicyStale = "policy_stale"

// guard watches over the writes of one stream: a write ends with the policy lease, at once when the grant is lost, and
// when it makes no progress.
type guard struct {
	writer  StreamWriter
	clock   func() time.Time
	left    func() time.Duration // Of the policy lease.
	recheck func(context.Context) error
	cancel  context.CancelFunc
	done    chan struct{}
	// stopping is closed when the node stops.
	stopping <-chan struct{}

	mu      sync.Mutex
	lost    error     // Why the stream must stop; nil while it may go on.
	writing time.Time // When the write under way began; zero when there is none.
}

// watch starts the guard. The context it returns ends when the grant is lost.
func watch(ctx context.Context, g *guard) context.Context {
	ctx, g.cancel = context.WithCancel(ctx)
	g.done = make(chan struct{})
	go g.run(ctx)
	return ctx
}

// close ends the watching. It is safe to call twice.
func (g *guard) close() {
	g.cancel()
	<-g.done
}

func (g *guard) run(ctx context.Context) {
	defer close(g.done)
	ticker := time.NewTicker(watchEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-g.stopping:
			g.halt(hubStopping())
			return
		case <-ticker.C:
		}
		err := g.recheck(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err == nil:
			g.renew()
		case fault.CodeOf(err) != codePolicyStale:
			g.lose(err)
			return
		}
		// While the lease is lapsed the deadline stays where the last renewal put it.
	}
}

// lose stops the stream: a write that is blocked ends now.
func (g *guard) lose(err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.lost == nil {
		g.lost = err
	}
	// A writer that cannot set its deadline is stopped by the context as soon as its write returns.
	_ = g.writer.SetDeadline(g.clock())
	g.cancel()
}

// halt stops the stream after the write under way, which keeps the deadline that the last renewal gave it.
func (g *guard) halt(why error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.lost == nil {
		g.lost = why
	}
	g.cancel()
}

// renew moves the deadline on with the lease.
func (g *guard) renew() {
	g.mu.Lock()
	defer g.mu.Unlock()
	_ = g.setDeadline()
}

// setDeadline puts the deadline of the write under way. The caller holds the mutex.
func (g *guard) setDeadline() error {
	if g.lost != nil || g.writing.IsZero() {
		return g.lost
	}
	deadline := g.clock().Add(g.left() + leaseGrace)
	if stall := g.writing.Add(maxStall); stall.Before(deadline) {
		deadline = stall
	}
	return g.writer.SetDeadline(deadline)
}

// write writes under the guard. It reports whether the writer was given anything, and returns why the stream must stop, if
// it must.
func (g *guard) write(p []byte) (written bool, err error) {
	g.mu.Lock()
	g.writing = g.clock()
	err = g.setDeadline()
	g.mu.Unlock()
	if err == nil {
		written, err = true, g.writer.Write(p)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.writing = time.Time{}
	if g.lost != nil && err != nil {
		err = g.lost
	}
	return written, err
}

// reason returns why the grant was lost, nil when it was not.
func (g *guard) reason() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.lost
}

// mayGoOn asks policy before a chunk. While the node cannot confirm that its policy is current it waits, at most maxPause.
func (c *session) mayGoOn(ctx context.Context) error {
	since := c.service.clock()
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		err := c.service.sharing.Recheck(ctx, c.permit)
		if err == nil || fault.CodeOf(err) != codePolicyStale || c.service.clock().Sub(since) >= maxPause {
			return err
		}
		timer := time.NewTimer(watchEvery / 2)
		select {
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case <-timer.C:
		}
	}
}
