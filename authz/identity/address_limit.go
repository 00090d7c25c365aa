package identity

import (
	"net/netip"
	"strconv"

	"github.com/shuqiao/shuqiao/internal/fault"
)

// admitAddress returns an Exhausted fault "rate_limited" when the address has used its sign-ins of the last minute. A caller who comes
// from nowhere that is known is not bounded; accounts still lock.
func (s *Service) admitAddress(address netip.Addr) error {
	wait, ok := s.addresses.Take(address, s.follower.Now())
	if ok {
		return nil
	}
	return fault.New(fault.Exhausted, "rate_limited", "too many sign-ins from this address; wait a little and try again").
		At("identity").With("retry_after", strconv.Itoa(int(wait.Seconds())))
}
