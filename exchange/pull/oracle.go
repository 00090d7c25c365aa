package pull

import (
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/internal/fault"
)

// Bounds of guessing by claims: a client may be wrong about one subject (row) that often within an hour on one node. It is
// a choice of this project: enough for typing errors, too few to find a date of birth.
const (
	MaxMismatches  = 20
	mismatchWindow = time.Hour
)

// maxSubjects bounds the memory of the counts. Beyond it, verification is refused until the oldest have run out.
const maxSubjects = 200_000

// oracle counts wrong claims per client and subject, since each tells what a value is not.
type oracle struct {
	clock  func() time.Time
	mu     sync.Mutex
	counts map[oracleKey]*mismatches
}

type oracleKey struct {
	client  uuid.UUID
	subject [16]byte
}

type mismatches struct {
	count int
	since time.Time
}

func newOracle(clock func() time.Time) *oracle {
	return &oracle{clock: clock, counts: map[oracleKey]*mismatches{}}
}

func tooManyMismatches() error {
	return fault.New(fault.Exhausted, CodeRateLimited, "too many claims about this subject were wrong; at most 20 may be within an hour").At("policy")
}

// ask refuses subjects about which the client was wrong too often already.
func (o *oracle) ask(client uuid.UUID, subjects [][]byte) error {
	now := o.clock()
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, s := range subjects {
		if m := o.counts[keyOf(client, s)]; m != nil && m.count >= MaxMismatches && now.Sub(m.since) < mismatchWindow {
			return tooManyMismatches()
		}
	}
	return nil
}

// wrong adds wrong claims about a subject. It refuses the answer when they are too many.
func (o *oracle) wrong(client uuid.UUID, subject []byte, n int) error {
	if n == 0 {
		return nil
	}
	now := o.clock()
	o.mu.Lock()
	defer o.mu.Unlock()
	key := keyOf(client, subject)
	m := o.counts[key]
	if m == nil || now.Sub(m.since) >= mismatchWindow {
		if m == nil && len(o.counts) >= maxSubjects && !o.forget(now) {
			return tooManyMismatches()
		}
		m = &mismatches{since: now}
		o.counts[key] = m
	}
	m.count += n
	if m.count > MaxMismatches {
		return tooManyMismatches()
	}
	return nil
}

// forget drops counts whose hour is over and reports whether there were any.
func (o *oracle) forget(now time.Time) bool {
	before := len(o.counts)
	for key, m := range o.counts {
		if now.Sub(m.since) >= mismatchWindow {
			delete(o.counts, key)
		}
	}
	return len(o.counts) < before
}

func keyOf(client uuid.UUID, subject []byte) oracleKey {
	k := oracleKey{client: client}
	copy(k.subject[:], subject)
	return k
}
