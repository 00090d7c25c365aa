package audit

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/shuqiao/shuqiao/internal/db"
)

// Verifier verifies the whole log in the background, once at a time, and remembers the last outcome. Reading all of a log takes as
// long as the log is, which no web page waits for.
type Verifier struct {
	db    *db.DB
	opt   VerifyOptions
	log   *slog.Logger
	asked chan struct{}

	mu     sync.Mutex
	latest Verification
	ended  chan struct{} // Closed when the pass under way, or the last one, has ended.
}

// Verification is one pass over the log; the zero value is none.
type Verification struct {
	By        Actor
	StartedAt time.Time
	EndedAt   time.Time // Zero while it is under way.
	Report    Report    // Of a pass that came to its end.
	Failed    bool      // It could not be finished.
}

// Started reports whether there was a pass since this node started.
func (v Verification) Started() bool { return !v.StartedAt.IsZero() }

// UnderWay reports whether the log is being read.
func (v Verification) UnderWay() bool { return v.Started() && v.EndedAt.IsZero() }

// NewVerifier returns a verifier that works while Run runs.
func NewVerifier(d *db.DB, opt VerifyOptions, log *slog.Logger) *Verifier {
	return &Verifier{db: d, opt: opt, log: log, asked: make(chan struct{}, 1)}
}

// Start asks for a pass, and returns what is closed when it has ended; while one is under way, that one is the answer.
func (v *Verifier) Start(by Actor) <-chan struct{} {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.latest.UnderWay() {
		return v.ended
	}
	v.ended = make(chan struct{})
	v.latest = Verification{By: by, StartedAt: time.Now().UTC()}
	v.asked <- struct{}{} // Never full: a pass is under way from here to its end.
	return v.ended
}

// Latest returns the pass under way, or the last one that ended.
func (v *Verifier) Latest() Verification {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.latest
}

// Run verifies whenever it is asked to, until ctx ends.
func (v *Verifier) Run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-v.asked:
		}
		report, err := Verify(ctx, v.db.Pool, v.opt)
		if err != nil && ctx.Err() == nil {
			v.log.Error("verifying the log", "error", err)
		}
		v.mu.Lock()
		v.latest.EndedAt, v.latest.Report, v.latest.Failed = time.Now().UTC(), report, err != nil
		close(v.ended)
		v.mu.Unlock()
	}
}
