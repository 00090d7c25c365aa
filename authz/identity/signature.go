package identity

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"hash"
	"strings"
	"time"

	"github.com/emmansun/gmsm/sm3"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// The algorithms of signed requests: HMAC (RFC 2104) over SHA-256, or over SM3 (GB/T 32905-2016).
const (
	SignSHA256 = "SHUQIAO-HMAC-SHA256"
	SignSM3    = "SHUQIAO-HMAC-SM3"
)

// SignatureWindow is how far the timestamp of a signed request may lie from the database's time, either way.
const SignatureWindow = 5 * time.Minute

// nonceSlack is how much longer than its timestamp a nonce is kept: nodes estimate the database's time apart from each other.
const nonceSlack = time.Minute

// The length of a nonce in characters.
const (
	MinNonce = 16
	MaxNonce = 64
)

// SignedRequest is what a request says about its signature.
type SignedRequest struct {
	Algorithm string
	KeyID     string
	Timestamp time.Time
	Nonce     string // MinNonce to MaxNonce characters of A-Z a-z 0-9 - _.
	Canonical string // The text that the signature is over.
	Signature []byte
}

// signatureHash returns the hash of an algorithm, nil for an unknown one.
func signatureHash(algorithm string) func() hash.Hash {
	switch algorithm {
	case SignSHA256:
		return sha256.New
	case SignSM3:
		return sm3.New
	}
	return nil
}

// Sign returns the signature of a canonical text, nil for an unknown algorithm.
func Sign(algorithm, secretText, canonical string) []byte {
	h := signatureHash(algorithm)
	if h == nil {
		return nil
	}
	mac := hmac.New(h, []byte(secretText))
	_, _ = mac.Write([]byte(canonical)) // A hash never fails to take bytes.
	return mac.Sum(nil)
}

// AuthenticateSigned turns a signed request into the client that signed it. The body is the caller's to compare with the
// digest that was signed. It returns an Unauthenticated fault: "unauthenticated" for unknown keys and wrong signatures alike,
// "timestamp_out_of_range", "nonce_reused", "key_expired"; else the faults of AuthenticateFrom. A request that is sent twice
// is refused the second time, on whichever node it arrives.
func (s *Service) AuthenticateSigned(ctx context.Context, r SignedRequest, from Origin) (authz.Principal, error) {
	if err := s.follower.Wait(ctx); err != nil {
		return authz.Principal{}, err
	}
	now := s.follower.Now()
	if age := now.Sub(r.Timestamp); age > SignatureWindow || age < -SignatureWindow {
		return authz.Principal{}, fault.New(fault.Unauthenticated, "timestamp_out_of_range",
			"X-Timestamp is more than %d minutes from the hub's time; set the clock and sign again", int(SignatureWindow.Minutes())).
			At("identity").With("hub_time", fmt.Sprint(now.Unix()))
	}
	if !strings.HasPrefix(r.KeyID, keyPrefix) || len(r.KeyID) > 64 || signatureHash(r.Algorithm) == nil {
		return authz.Principal{}, badSignature()
	}
	key, err := s.keys.Get(ctx, r.KeyID, s.loadKey(r.KeyID))
	if fault.Is(err, fault.Unauthenticated) {
		return authz.Principal{}, badSignature()
	}
	if err != nil {
		return authz.Principal{}, err
	}
	if key.kind != SigningKey || !hmac.Equal(Sign(r.Algorithm, key.secret.Reveal(), r.Canonical), r.Signature) || key.revoked {
		return authz.Principal{}, badSignature()
	}
	p, _, now, err := s.admit(ctx, r.KeyID, key, from)
	if err != nil {
		return authz.Principal{}, err
	}
	if err := s.takeNonce(ctx, p, r); err != nil {
		return authz.Principal{}, err
	}
	s.used(ctx, r.KeyID, key, now)
	return p, nil
}

func badSignature() *fault.Fault {
	return fault.New(fault.Unauthenticated, "unauthenticated",
		"the signature is not one of a valid key over this request; compare the canonical text with the API documentation").At("identity")
}

// takeNonce uses a nonce up. The row is durable before the request is answered, so the same request is refused by every
// node, also after a crash, until its timestamp is out of range.
func (s *Service) takeNonce(ctx context.Context, p authz.Principal, r SignedRequest) error {
	tag, err := s.db.Pool.Exec(ctx, "INSERT INTO request_nonce (key_id, nonce, expires_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
		r.KeyID, r.Nonce, r.Timestamp.Add(SignatureWindow+nonceSlack))
	if err != nil {
		return fmt.Errorf("noting a nonce: %w", err)
	}
	if tag.RowsAffected() == 0 {
		return s.refuse(ctx, p, fault.New(fault.Unauthenticated, "nonce_reused", "this X-Nonce was used before; sign each request with a new one"))
	}
	return nil
}

// ForgetNonces removes nonces whose timestamps are out of range by now. Call it now and then, on any node.
func (s *Service) ForgetNonces(ctx context.Context) error {
	if _, err := s.db.Pool.Exec(ctx, "DELETE FROM request_nonce WHERE expires_at < clock_timestamp()"); err != nil {
		return fmt.Errorf("removing old nonces: %w", err)
	}
	return nil
}
