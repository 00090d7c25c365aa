package client

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"time"
)

// Retry says how a client goes on when a hub is busy or cannot be reached for a moment. The zero value of every field takes
// its default.
type Retry struct {
	Attempts int           // Of one call, the first included; 0 means 5.
	Base     time.Duration // Wait before the second attempt, doubled each time, less up to a half by chance; 0 means 250 ms.
	Longest  time.Duration // A Retry-After beyond it is not waited for: the problem is returned; 0 means 30 s.
}

func (r Retry) attempts() int {
	if r.Attempts <= 0 {
		return 5
	}
	return r.Attempts
}

// wait returns how long to wait after the n-th attempt (from 0), and false when waiting is no use.
func (r Retry) wait(n int, err error, repeatable bool) (time.Duration, bool) {
	base, longest := r.Base, r.Longest
	if base <= 0 {
		base = 250 * time.Millisecond
	}
	if longest <= 0 {
		longest = 30 * time.Second
	}
	if n+1 >= r.attempts() {
		return 0, false
	}
	pause := min(base<<min(n, 16), longest)
	pause -= rand.N(pause/2 + 1)
	var p *Problem
	switch {
	case errors.As(err, &p):
		if !p.passing(repeatable) || p.RetryAfter > longest {
			return 0, false
		}
		return max(pause, p.RetryAfter), true
	case repeatable && !errors.Is(err, ErrDigest):
		// Nobody answered, or the answer was cut.
		return pause, true
	}
	return 0, false
}

// passing reports whether the same call may succeed in a moment. A 429 or 503 says that nothing was done.
func (p *Problem) passing(repeatable bool) bool {
	switch p.Status {
	case http.StatusTooManyRequests:
		return p.Code != "quota_exhausted"
	case http.StatusServiceUnavailable:
		return p.Code != "setup_required" // That takes a person.
	case http.StatusBadGateway, http.StatusGatewayTimeout:
		return repeatable
	}
	return p.Code == "already_sent"
}

// persist calls once and again until it passes, there is no use in going on, or ctx ends.
func (c *Client) persist(ctx context.Context, repeatable bool, call func() error) error {
	for n := 0; ; n++ {
		err := call()
		if err == nil || c.Retry == nil || ctx.Err() != nil {
			return err
		}
		pause, again := c.Retry.wait(n, err, repeatable)
		if !again {
			return err
		}
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			timer.Stop()
			return err
		case <-timer.C:
		}
	}
}
