package identity

import (
	"context"
	"crypto/x509"
	"net/netip"
	"strings"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// Origin is where a call comes from.
type Origin struct {
	Address     netip.Addr
	Certificate *x509.Certificate // With which the caller opened this very TLS connection; nil without one.
}

// Authenticate turns a bearer token into who is asking: a session token (sqs_…) into a person, "<key id>.<secret>"
// (sqk_….…) into a client. It returns an Unauthenticated fault "unauthenticated" or "key_expired", a Forbidden fault
// "network_not_allowed", or an Unavailable fault "policy_stale" when the node cannot confirm within a second that the token
// still holds. Ended sessions, revoked keys and disabled accounts are refused by every node within a second of the commit;
// expiry is judged by the database's time.
func (s *Service) Authenticate(ctx context.Context, bearer string, address netip.Addr) (authz.Principal, error) {
	return s.AuthenticateFrom(ctx, bearer, Origin{Address: address})
}

// AuthenticateFrom is Authenticate for a call whose connection may bear a certificate. Beside the faults named there it
// returns a Forbidden fault "client_certificate_required", and an Unauthenticated fault "signature_required" for keys and
// clients whose requests must be signed.
func (s *Service) AuthenticateFrom(ctx context.Context, bearer string, from Origin) (authz.Principal, error) {
	if err := s.follower.Wait(ctx); err != nil {
		return authz.Principal{}, err
	}
	switch {
	case strings.HasPrefix(bearer, sessionPrefix):
		return s.person(ctx, bearer)
	case strings.HasPrefix(bearer, keyPrefix):
		return s.system(ctx, bearer, from)
	}
	return authz.Principal{}, unauthenticated()
}

func unauthenticated() *fault.Fault {
	return fault.New(fault.Unauthenticated, "unauthenticated", "sign in, or send a valid key as \"Bearer <key id>.<secret>\"").At("identity")
}
