package identity

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/audit"
	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
	"github.com/shuqiao/shuqiao/internal/secret"
)

// KeyKind says how a key proves itself.
type KeyKind string

// The kinds of keys.
const (
	BearerKey  KeyKind = "bearer" // Its secret is sent with each request. Only a hash of it is kept.
	SigningKey KeyKind = "hmac"   // Its secret signs each request and is never sent. It is kept sealed.
)

// Key is a credential of a client, without its secret.
type Key struct {
	ID         string     `json:"key_id"` // Starts with sqk_.
	ClientID   uuid.UUID  `json:"client_id"`
	Kind       KeyKind    `json:"kind"`
	CreatedAt  time.Time  `json:"created_at"`
	ExpiresAt  time.Time  `json:"expires_at"`
	RevokedAt  *time.Time `json:"revoked_at,omitempty"`
	LastUsedAt *time.Time `json:"last_used_at,omitempty"` // To the minute.
}

// NewKey is a key to issue.
type NewKey struct {
	Kind      KeyKind        // "" means BearerKey.
	ExpiresAt time.Time      // Zero means MaxKeyAge from now.
	Overlap   *time.Duration // How long the key that is replaced works on, at most MaxOverlap; nil means DefaultOverlap.
}

// keyPrefix starts every key id. A client sends "<key id>.<secret>", or the key id with a signature.
const keyPrefix = "sqk_"

// MaxKeyAge is how long a key may be valid: domain table 4.3 asks for yearly rotation.
const MaxKeyAge = 366 * 24 * time.Hour

// The overlap of a rotation: the key that is replaced ends after it, so that a consuming system has time to change over.
const (
	DefaultOverlap = 30 * 24 * time.Hour
	MaxOverlap     = 90 * 24 * time.Hour
)

// maxKeys bounds the live keys of a client, which are neither revoked nor expired: one in use and its successor.
const maxKeys = 2

// sealingPurpose separates the secrets of signing keys from everything else the key ring seals.
const sealingPurpose = "client-key"

// IssueKey makes a key of a client and returns its secret, which is shown once. A live key that the client has already is
// thereby replaced: it ends after the overlap, or at its own end where that is earlier. It needs key.issue for the client's
// department and an active client. It returns an Invalid fault for times out of range and unknown kinds, and a Conflict
// "too_many_keys" or "client_disabled".
func (s *Service) IssueKey(ctx context.Context, p authz.Principal, clientID uuid.UUID, n NewKey) (Key, string, error) {
	seen, err := findClient(ctx, s.db.Pool, clientID, "")
	if err != nil {
		return Key{}, "", err
	}
	if _, err := s.enforcer.Check(ctx, p, authz.KeyIssue, clientTarget(seen)); err != nil {
		return Key{}, "", err
	}
	id := secret.NewKeyID(keyPrefix)
	text, hash := secret.NewToken("")
	var sealed []byte
	switch n.Kind {
	case "", BearerKey:
		n.Kind = BearerKey
	case SigningKey:
		if hash, sealed, err = s.seal(id, text); err != nil {
			return Key{}, "", err
		}
	}
	var key Key
	err = s.db.InTx(ctx, func(tx *db.Tx) error {
		client, err := findClient(ctx, tx, clientID, " FOR UPDATE")
		if err != nil {
			return err
		}
		if client.State != Active {
			return fault.New(fault.Conflict, "client_disabled", "this client is disabled; enable it first")
		}
		if err := n.check(tx.Now()); err != nil {
			return err
		}
		replaced, err := replaceKey(ctx, tx, clientID, *n.Overlap)
		if err != nil {
			return err
		}
		key, err = one[Key](ctx, tx, `
			INSERT INTO client_key (key_id, client_id, kind, secret_hash, secret_sealed, created_at, expires_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING `+keyColumns, id, clientID, n.Kind, hash, sealed, tx.Now(), n.ExpiresAt)
		if err != nil {
			return fmt.Errorf("inserting key: %w", err)
		}
		detail := map[string]any{"client": clientID, "kind": n.Kind, "expires_at": key.ExpiresAt.UTC()}
		if replaced != nil {
			detail["replaced"], detail["replaced_ends"] = replaced.ID, replaced.ExpiresAt.UTC()
		}
		return record(ctx, tx, p.Actor(), authz.KeyIssue, authz.KindKey, key.ID, detail)
	})
	if err != nil {
		return Key{}, "", err
	}
	return key, text, nil
}

// check fills in what is left open and refuses what is out of range, all at once.
func (n *NewKey) check(now time.Time) error {
	if n.ExpiresAt.IsZero() {
		n.ExpiresAt = now.Add(MaxKeyAge)
	}
	if n.Overlap == nil {
		overlap := DefaultOverlap
		n.Overlap = &overlap
	}
	var wrong []fault.Field
	if n.Kind != BearerKey && n.Kind != SigningKey {
		wrong = append(wrong, fault.Field{Name: "kind", Code: "not_allowed", Message: "a key is of kind bearer or hmac"})
	}
	if !n.ExpiresAt.After(now) || n.ExpiresAt.Sub(now) > MaxKeyAge {
		wrong = append(wrong, fault.Field{Name: "expires_at", Code: "out_of_range", Message: "choose a time in the future, at most 366 days away"})
	}
	if *n.Overlap < 0 || *n.Overlap > MaxOverlap {
		wrong = append(wrong, fault.Field{Name: "overlap_hours", Code: "out_of_range", Message: "the key that is replaced works on for 0 to 2160 hours"})
	}
	return fault.InvalidFields(wrong)
}

// replaceKey gives the one live key of a client its end, and returns it as it is then; nil when there is none. The client's
// row is locked, so two rotations cannot pass each other.
func replaceKey(ctx context.Context, tx *db.Tx, clientID uuid.UUID, overlap time.Duration) (*Key, error) {
	live, err := many[Key](ctx, tx, "SELECT "+keyColumns+" FROM client_key WHERE client_id = $1 AND revoked_at IS NULL AND expires_at > $2 FOR UPDATE",
		clientID, tx.Now())
	switch {
	case err != nil:
		return nil, fmt.Errorf("reading keys: %w", err)
	case len(live) >= maxKeys:
		return nil, fault.New(fault.Conflict, "too_many_keys", "a client has at most %d keys at a time; revoke one", maxKeys)
	case len(live) == 0:
		return nil, nil
	}
	key, end := live[0], tx.Now().Add(overlap)
	if !end.Before(key.ExpiresAt) {
		return &key, nil
	}
	key.ExpiresAt = end
	if _, err := tx.Exec(ctx, "UPDATE client_key SET expires_at = $2 WHERE key_id = $1", key.ID, end); err != nil {
		return nil, fmt.Errorf("ending the key that is replaced: %w", err)
	}
	return &key, authz.LogTx(tx, authz.KindKey, key.ID)
}

// seal keeps the secret of a signing key. There is no hash of it: nobody should send it.
func (s *Service) seal(keyID, text string) (hash, sealed []byte, err error) {
	if s.opt.Keyring == nil {
		return nil, nil, fault.New(fault.Unavailable, "no_keyring", "this process cannot seal secrets; issue the key through a running hub")
	}
	sealed, err = s.opt.Keyring.Seal(sealingPurpose, []byte(text), []byte(keyID))
	if err != nil {
		return nil, nil, fmt.Errorf("sealing a key: %w", err)
	}
	return nil, sealed, nil
}

// Keys lists a client's keys, newest first, without their secrets. It needs client.read for the client's department.
func (s *Service) Keys(ctx context.Context, p authz.Principal, clientID uuid.UUID) ([]Key, error) {
	if _, err := s.Client(ctx, p, clientID); err != nil {
		return nil, err
	}
	keys, err := many[Key](ctx, s.db.Pool,
		"SELECT "+keyColumns+" FROM client_key WHERE client_id = $1 ORDER BY created_at DESC, key_id LIMIT $2", clientID, db.MaxPage)
	if err != nil {
		return nil, fmt.Errorf("listing keys: %w", err)
	}
	return keys, nil
}

// RevokeKey ends a key for good: every node refuses it within a second. It needs key.revoke for the client's department.
// A key that is revoked already is a Conflict "illegal_move".
func (s *Service) RevokeKey(ctx context.Context, p authz.Principal, keyID string) (Key, error) {
	key, err := one[Key](ctx, s.db.Pool, "SELECT "+keyColumns+" FROM client_key WHERE key_id = $1", keyID)
	switch {
	case db.NoRows(err):
		return Key{}, unknown("key")
	case err != nil:
		return Key{}, fmt.Errorf("reading key: %w", err)
	}
	client, err := findClient(ctx, s.db.Pool, key.ClientID, "")
	if err != nil {
		return Key{}, err
	}
	target := authz.Target{Kind: "key", ID: keyID, Department: client.DepartmentID}
	if _, err := s.enforcer.Check(ctx, p, authz.KeyRevoke, target); err != nil {
		return Key{}, err
	}
	err = s.db.InTx(ctx, func(tx *db.Tx) error {
		key, err = one[Key](ctx, tx, `
			UPDATE client_key SET revoked_at = $2 WHERE key_id = $1 AND revoked_at IS NULL RETURNING `+keyColumns, keyID, tx.Now())
		switch {
		case db.NoRows(err):
			return fault.New(fault.Conflict, "illegal_move", "this key is revoked already").With("allowed", "")
		case err != nil:
			return fmt.Errorf("revoking key: %w", err)
		}
		return record(ctx, tx, p.Actor(), authz.KeyRevoke, authz.KindKey, keyID, map[string]any{"client": key.ClientID})
	})
	return key, err
}

// knownKey is what is remembered of a key.
type knownKey struct {
	clientID  uuid.UUID
	kind      KeyKind
	hash      []byte        // Of the secret of a bearer key.
	secret    secret.Secret // Of a signing key.
	expiresAt time.Time
	revoked   bool
	used      atomic.Int64 // Unix microseconds of the newest use written down.
}

// knownClient is what is remembered of a client.
type knownClient struct {
	name         string
	department   uuid.UUID
	networks     []netip.Prefix
	signedOnly   bool
	certificates []string
	state        State
}

// allows reports whether a client may call from an address. Which address it is, is judged at each call.
func (c knownClient) allows(address netip.Addr) bool {
	if len(c.networks) == 0 {
		return true
	}
	address = address.Unmap().WithZone("")
	for _, n := range c.networks {
		if n.Contains(address) {
			return true
		}
	}
	return false
}

// system turns a client's bearer key into its principal. The secret is compared before anything is said about the key.
func (s *Service) system(ctx context.Context, bearer string, from Origin) (authz.Principal, error) {
	keyID, text, found := strings.Cut(bearer, ".")
	if !found || len(keyID) > 64 || len(text) > 128 {
		return authz.Principal{}, unauthenticated()
	}
	key, err := s.keys.Get(ctx, keyID, s.loadKey(keyID))
	if err != nil {
		return authz.Principal{}, err
	}
	known := key.hash
	if key.kind == SigningKey {
		known = secret.HashToken(key.secret.Reveal())
	}
	if !secret.Equal(known, secret.HashToken(text)) || key.revoked {
		return authz.Principal{}, unauthenticated()
	}
	p, client, now, err := s.admit(ctx, keyID, key, from)
	if err != nil {
		return authz.Principal{}, err
	}
	if key.kind != BearerKey || client.signedOnly {
		return authz.Principal{}, s.refuse(ctx, p, fault.New(fault.Unauthenticated, "signature_required",
			"requests of this client or key are signed, the secret is not sent; see \"Signed requests\" in the API documentation"))
	}
	s.used(ctx, keyID, key, now)
	return p, nil
}

// admit judges a key that has proved itself: its client's state, its period, the network and the certificate of the call.
func (s *Service) admit(ctx context.Context, keyID string, key *knownKey, from Origin) (authz.Principal, knownClient, time.Time, error) {
	client, err := s.clients.Get(ctx, key.clientID, s.loadClient(key.clientID))
	if err != nil {
		return authz.Principal{}, client, time.Time{}, err
	}
	if client.state != Active {
		return authz.Principal{}, client, time.Time{}, unauthenticated()
	}
	p := authz.Principal{
		Kind: audit.ActorClient, ID: key.clientID, Name: client.name, Department: client.department,
		Roles: []authz.Role{authz.ClientRole}, Key: keyID,
	}
	now := s.follower.Now()
	switch {
	case !now.Before(key.expiresAt):
		err = s.refuse(ctx, p, fault.New(fault.Unauthenticated, "key_expired", "this key has expired; ask your department for a new one"))
	case !client.allows(from.Address):
		err = s.refuse(ctx, p, fault.New(fault.Forbidden, "network_not_allowed",
			"this client may not call from this network; call from an allowed one or have it added"))
	case !client.knows(from.Certificate, now):
		err = s.refuse(ctx, p, fault.New(fault.Forbidden, "client_certificate_required",
			"this client must connect by TLS to the hub itself with a certificate that is registered for it and valid now"))
	}
	return p, client, now, err
}

// refuse notes in the log that a known key was refused, and returns the fault.
func (s *Service) refuse(ctx context.Context, p authz.Principal, f *fault.Fault) error {
	s.enforcer.Refused(ctx, p, keyUse, authz.Target{Kind: "key", ID: p.Key}, f.Code)
	return f.At("identity")
}

// keyUse is the action in the log when a known key is refused.
const keyUse authz.Action = "key.use"

// used writes the use of a key down once in a while. It is a help for those who look for keys to revoke: failing to write it
// does not fail the call.
func (s *Service) used(ctx context.Context, keyID string, key *knownKey, now time.Time) {
	before := key.used.Load()
	if now.Sub(time.UnixMicro(before)) < touchEvery || !key.used.CompareAndSwap(before, now.UnixMicro()) {
		return
	}
	_, err := s.db.Pool.Exec(ctx, `
		UPDATE client_key SET last_used_at = greatest(last_used_at, date_trunc('minute', clock_timestamp())) WHERE key_id = $1`, keyID)
	if err != nil {
		s.log.WarnContext(ctx, "noting the use of a key", "key", keyID, "error", err)
	}
}

func (s *Service) loadKey(keyID string) func(context.Context) (*knownKey, int64, error) {
	return func(ctx context.Context) (*knownKey, int64, error) {
		var k knownKey
		var sealed []byte
		var used *time.Time
		var n int64
		err := s.db.Pool.QueryRow(ctx, `
			SELECT client_id, kind, secret_hash, secret_sealed, expires_at, revoked_at IS NOT NULL, last_used_at, (SELECT n FROM policy_head)
			FROM client_key WHERE key_id = $1`, keyID).Scan(&k.clientID, &k.kind, &k.hash, &sealed, &k.expiresAt, &k.revoked, &used, &n)
		switch {
		case db.NoRows(err):
			return nil, 0, unauthenticated()
		case err != nil:
			return nil, 0, fmt.Errorf("reading key: %w", err)
		}
		if used != nil {
			k.used.Store(used.UnixMicro())
		}
		if k.kind == SigningKey {
			if k.secret, err = s.unseal(keyID, sealed); err != nil {
				return nil, 0, err
			}
		}
		return &k, n, nil
	}
}

func (s *Service) unseal(keyID string, sealed []byte) (secret.Secret, error) {
	if s.opt.Keyring == nil {
		return "", fault.New(fault.Unavailable, "no_keyring", "this process cannot open sealed secrets").At("identity")
	}
	text, err := s.opt.Keyring.Open(sealingPurpose, sealed, []byte(keyID))
	if err != nil {
		return "", fault.New(fault.Unavailable, "key_unreadable",
			"the hub's key file cannot open the secret of this key; have the key revoked and a new one issued").At("identity").Wrap(err)
	}
	return secret.Secret(text), nil
}

func (s *Service) loadClient(id uuid.UUID) func(context.Context) (knownClient, int64, error) {
	return func(ctx context.Context) (knownClient, int64, error) {
		var k knownClient
		var allowed []string
		var n int64
		err := s.db.Pool.QueryRow(ctx, `
			SELECT name, department_id, allowed_networks, signed_only, certificates, state, (SELECT n FROM policy_head) FROM client WHERE id = $1`,
			id).Scan(&k.name, &k.department, &allowed, &k.signedOnly, &k.certificates, &k.state, &n)
		if err != nil {
			return knownClient{}, 0, fmt.Errorf("reading client: %w", err)
		}
		for _, text := range allowed {
			prefix, err := netip.ParsePrefix(text)
			if err != nil {
				// Leaving it out could leave an empty list, which allows every network.
				return knownClient{}, 0, fmt.Errorf("reading the networks of client %s: %w", id, err)
			}
			k.networks = append(k.networks, prefix)
		}
		return k, n, nil
	}
}
