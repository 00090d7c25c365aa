package edge

import (
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// The bounds of what is remembered of addresses. An address unused for a minute has its whole allowance again, so nothing is
// lost when it is forgotten.
const (
	addressKeys   = 50_000
	addressMemory = time.Minute
)

// Allowance bounds how often one address may do something on this node. It is safe for concurrent use.
type Allowance struct {
	perMinute int

	mu    sync.Mutex
	seen  map[netip.Prefix]*addressUse
	swept time.Time
}

type addressUse struct {
	limiter *rate.Limiter
	last    time.Time
}

// NewAllowance returns an allowance of so many times a minute; a negative one has no limit.
func NewAllowance(perMinute int) *Allowance {
	return &Allowance{perMinute: perMinute, seen: map[netip.Prefix]*addressUse{}}
}

// Take reports whether the address may go on, and takes one of its times. When it has used those of the last minute, wait is
// after how long it has one again, in whole seconds. Addresses of IPv6 count by /64, which one machine has all to itself.
func (a *Allowance) Take(address netip.Addr, now time.Time) (wait time.Duration, ok bool) {
	if a.perMinute < 0 || !address.IsValid() {
		return 0, true
	}
	bits := 32
	if address = address.Unmap(); address.Is6() {
		bits = 64
	}
	network, err := address.WithZone("").Prefix(bits)
	if err != nil {
		return 0, true // Cannot be: the bits are within the address.
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	use, known := a.seen[network]
	if !known {
		a.sweep(now)
		use = &addressUse{limiter: rate.NewLimiter(rate.Limit(float64(a.perMinute)/60), a.perMinute)}
		a.seen[network] = use
	}
	use.last = now
	if use.limiter.AllowN(now, 1) {
		return 0, true
	}
	return time.Duration(int(60/float64(a.perMinute))+1) * time.Second, false
}

// sweep forgets addresses that have rested, at most once a minute unless the table is full. A full table of addresses that
// all tried within a minute is forgotten whole: each then has its allowance once more.
func (a *Allowance) sweep(now time.Time) {
	if len(a.seen) < addressKeys && now.Sub(a.swept) < addressMemory {
		return
	}
	a.swept = now
	for network, use := range a.seen {
		if now.Sub(use.last) > addressMemory {
			delete(a.seen, network)
		}
	}
	if len(a.seen) >= addressKeys {
		clear(a.seen)
	}
}
