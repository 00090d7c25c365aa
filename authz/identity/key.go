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

// Key is a credential of a client, without its secret.
type Key struct {
	ID         string     `json:"key_id"` // Starts with sqk_.
	ClientID   uuid.UUID  `json:"client_id"`
	CreatedAt  time.Time  `json:"created_at"`
	ExpiresAt  time.Time  `json:"expires_at"`
	RevokedAt  *time.Time `json:"revoked_at,omitempty"`
	LastUsedAt *time.Time `json:"last_used_at,omitempty"` // To the minute.
}

// keyPrefix starts every key id. A client sends "<key id>.<secret>".
const keyPrefix = "sqk_"

// MaxKeyAge is how long a key may be valid: domain table 4.3 asks for yearly rotation.
const MaxKeyAge = 366 * 24 * time.Hour

// maxKeys bounds the keys of a client that are neither revoked nor expired: two serve a rotation, the rest is slack.
const maxKeys = 10

// IssueKey makes a key of a client and returns its secret, which is shown once: only a hash is kept. A zero expiresAt means
// MaxKeyAge from now. It needs key.issue for the client's department and an active client. It returns an Invalid fault for a
// time that is past or too far away, and a Conflict "too_many_keys" or "client_disabled".
func (s *Service) IssueKey(ctx context.Context, p authz.Principal, clientID uuid.UUID, expiresAt time.Time) (Key, string, error) {
	seen, err := findClient(ctx, s.db.Pool, clientID, "")
	if err != nil {
		return Key{}, "", err
	}
	if _, err := s.enforcer.Check(ctx, p, authz.KeyIssue, clientTarget(seen)); err != nil {
		return Key{}, "", err
	}
	var key Key
	text, hash := secret.NewToken("")
	err = s.db.InTx(ctx, func(tx *db.Tx) error {
		client, err := findClient(ctx, tx, clientID, " FOR UPDATE")
		if err != nil {
			return err
		}
		if client.State != Active {
			return fault.New(fault.Conflict, "client_disabled", "this client is disabled; enable it first")
		}
		if expiresAt.IsZero() {
			expiresAt = tx.Now().Add(MaxKeyAge)
		}
		if !expiresAt.After(tx.Now()) || expiresAt.Sub(tx.Now()) > MaxKeyAge {
			return fault.InvalidFields([]fault.Field{{
				Name: "expires_at", Code: "out_of_range", Message: "choose a time in the future, at most 366 days away",
			}})
		}
		var keys int
		err = tx.QueryRow(ctx, "SELECT count(*) FROM client_key WHERE client_id = $1 AND revoked_at IS NULL AND expires_at > $2",
			clientID, tx.Now()).Scan(&keys)
		if err != nil {
			return fmt.Errorf("counting keys: %w", err)
		}
		if keys >= maxKeys {
			return fault.New(fault.Conflict, "too_many_keys", "a client has at most %d keys at a time; revoke one", maxKeys)
		}
		key, err = one[Key](ctx, tx, `
			INSERT INTO client_key (key_id, client_id, secret_hash, created_at, expires_at)
			VALUES ($1, $2, $3, $4, $5) RETURNING `+keyColumns, secret.NewKeyID(keyPrefix), clientID, hash, tx.Now(), expiresAt)
		if err != nil {
			return fmt.Errorf("inserting key: %w", err)
		}
		return record(ctx, tx, p.Actor(), authz.KeyIssue, authz.KindKey, key.ID,
			map[string]any{"client": clientID, "expires_at": key.ExpiresAt.UTC()})
	})
	if err != nil {
		return Key{}, "", err
	}
	return key, text, nil
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
	hash      []byte
	expiresAt time.Time
	revoked   bool
	used      atomic.Int64 // Unix microseconds of the newest use written down.
}

// knownClient is what is remembered of a client.
type knownClient struct {
	name       string
	department uuid.UUID
	networks   []netip.Prefix
	state      State
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

// system turns a client's key into its principal. The secret is compared before anything is said about the key.
func (s *Service) system(ctx context.Context, bearer string, address netip.Addr) (authz.Principal, error) {
	keyID, text, found := strings.Cut(bearer, ".")
	if !found || len(keyID) > 64 || len(text) > 128 {
		return authz.Principal{}, unauthenticated()
	}
	key, err := s.keys.Get(ctx, keyID, s.loadKey(keyID))
	if err != nil {
		return authz.Principal{}, err
	}
	if !secret.Equal(key.hash, secret.HashToken(text)) || key.revoked {
		return authz.Principal{}, unauthenticated()
	}
	client, err := s.clients.Get(ctx, key.clientID, s.loadClient(key.clientID))
	if err != nil {
		return authz.Principal{}, err
	}
	if client.state != Active {
		return authz.Principal{}, unauthenticated()
	}
	p := authz.Principal{
		Kind: audit.ActorClient, ID: key.clientID, Name: client.name, Department: client.department,
		Roles: []authz.Role{authz.ClientRole}, Key: keyID,
	}
	now := s.follower.Now()
	if !now.Before(key.expiresAt) {
		s.enforcer.Refused(ctx, p, keyUse, authz.Target{Kind: "key", ID: keyID}, "key_expired")
		return authz.Principal{}, fault.New(fault.Unauthenticated, "key_expired", "this key has expired; ask your department for a new one").At("identity")
	}
	if !client.allows(address) {
		s.enforcer.Refused(ctx, p, keyUse, authz.Target{Kind: "key", ID: keyID}, "network_not_allowed")
		return authz.Principal{}, fault.New(fault.Forbidden, "network_not_allowed",
			"this client may not call from this network; call from an allowed one or have it added").At("identity")
	}
	s.used(ctx, keyID, key, now)
	return p, nil
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
		var used *time.Time
		var n int64
		err := s.db.Pool.QueryRow(ctx, `
			SELECT client_id, secret_hash, expires_at, revoked_at IS NOT NULL, last_used_at, (SELECT n FROM policy_head)
			FROM client_key WHERE key_id = $1`, keyID).Scan(&k.clientID, &k.hash, &k.expiresAt, &k.revoked, &used, &n)
		switch {
		case db.NoRows(err):
			return nil, 0, unauthenticated()
		case err != nil:
			return nil, 0, fmt.Errorf("reading key: %w", err)
		}
		if used != nil {
			k.used.Store(used.UnixMicro())
		}
		return &k, n, nil
	}
}

func (s *Service) loadClient(id uuid.UUID) func(context.Context) (knownClient, int64, error) {
	return func(ctx context.Context) (knownClient, int64, error) {
		var k knownClient
		var allowed []string
		var n int64
		err := s.db.Pool.QueryRow(ctx, `
			SELECT name, department_id, allowed_networks, state, (SELECT n FROM policy_head) FROM client WHERE id = $1`,
			id).Scan(&k.name, &k.department, &allowed, &k.state, &n)
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
