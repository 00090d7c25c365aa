package identity

import (
	"net/netip"
	"strconv"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/shuqiao/shuqiao/internal/fault"
)

// The bounds of what is remembered of addresses. An address unused for a minute has its whole allowance again, so nothing is
// lost when it is forgotten.
const (
	addressKeys   = 50_000
	addressMemory = time.Minute
)

// addressLimits bounds how often one address may try to sign in on this node.
type addressLimits struct {
	perMinute int
	state     *addressState
}

type addressState struct {
	mu    sync.Mutex
	seen  map[netip.Prefix]*addressUse
	swept time.Time
}

type addressUse struct {
	limiter *rate.Limiter
	last    time.Time
}

func newAddressLimits(perMinute int) addressLimits {
	return addressLimits{perMinute: perMinute, state: &addressState{seen: map[netip.Prefix]*addressUse{}}}
}

// admit returns an Exhausted fault "rate_limited" when the address has used its tries of the last minute. Addresses of IPv6
// count by /64, which one machine has all to itself.
func (l addressLimits) admit(address netip.Addr, now time.Time) error {
	if l.perMinute < 0 || !address.IsValid() {
		return nil
	}
	bits := 32
	if address = address.Unmap(); address.Is6() {
		bits = 64
	}
	network, err := address.WithZone("").Prefix(bits)
	if err != nil {
		return nil // Cannot be: the bits are within the address.
	}
	l.state.mu.Lock()
	defer l.state.mu.Unlock()
	use, ok := l.state.seen[network]
	if !ok {
		l.state.sweep(now)
		use = &addressUse{limiter: rate.NewLimiter(rate.Limit(float64(l.perMinute)/60), l.perMinute)}
		l.state.seen[network] = use
	}
	use.last = now
	if use.limiter.AllowN(now, 1) {
		return nil
	}
	wait := int(60/float64(l.perMinute)) + 1
	return fault.New(fault.Exhausted, "rate_limited", "too many sign-ins from this address; wait a little and try again").
		At("identity").With("retry_after", strconv.Itoa(wait))
}

// sweep forgets addresses that have rested, at most once a minute unless the table is full. A full table of addresses that
// all tried within a minute is forgotten whole: each then has its allowance once more, and accounts still lock.
func (s *addressState) sweep(now time.Time) {
	if len(s.seen) < addressKeys && now.Sub(s.swept) < addressMemory {
		return
	}
	s.swept = now
	for network, use := range s.seen {
		if now.Sub(use.last) > addressMemory {
			delete(s.seen, network)
		}
	}
	if len(s.seen) >= addressKeys {
		clear(s.seen)
	}
}
