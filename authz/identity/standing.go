package identity

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/audit"
	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/secret"
)

// knownSession is what is remembered of a session. When it was last seen moves on without the policy log.
type knownSession struct {
	userID    uuid.UUID
	hash      []byte
	expiresAt time.Time
	ended     bool
	method    string
	factor    bool         // A second factor was part of the sign-in, or was set up in this session.
	seen      atomic.Int64 // Unix microseconds of the newest use written down.
}

// knownUser is what is remembered of a user.
type knownUser struct {
	name       string
	department uuid.UUID
	roles      []authz.Role
	state      State
	temporary  bool
	setAt      time.Time
	enrolled   bool
	deputyOf   []standing
}

// standing is one absence in which a person acts for another.
type standing struct {
	User  uuid.UUID    `json:"user"`
	Roles []authz.Role `json:"roles"`
	From  time.Time    `json:"from"`
	To    time.Time    `json:"to"`
}

// person turns a session token into its principal.
func (s *Service) person(ctx context.Context, token string) (authz.Principal, error) {
	raw, _, found := strings.Cut(strings.TrimPrefix(token, sessionPrefix), ".")
	id, err := uuid.Parse(raw)
	if !found || len(raw) != 32 || err != nil {
		return authz.Principal{}, unauthenticated()
	}
	session, err := s.sessions.Get(ctx, id, s.loadSession(id))
	if err != nil {
		return authz.Principal{}, err
	}
	if session.ended || !secret.Equal(session.hash, secret.HashToken(token)) {
		return authz.Principal{}, unauthenticated()
	}
	now := s.follower.Now()
	if !now.Before(session.expiresAt) {
		return authz.Principal{}, unauthenticated()
	}
	user, err := s.users.Get(ctx, session.userID, s.loadUser(session.userID))
	if err != nil {
		return authz.Principal{}, err
	}
	if user.state != Active {
		return authz.Principal{}, unauthenticated()
	}
	absent := standIns(user.deputyOf, now)
	roles := user.roles
	for _, a := range absent {
		// Who acts by an administrative role proves who they are as its holder must.
		roles = append(slices.Clip(roles), a.Roles...)
	}
	// A session from before the second factor was set up, or before a role that demands one: sign in again with it.
	if user.enrolled && !session.factor && s.opt.SecondFactor.demands(roles) {
		return authz.Principal{}, unauthenticated()
	}
	if err := s.touch(ctx, id, session, now); err != nil {
		return authz.Principal{}, err
	}
	return authz.Principal{
		Kind: audit.ActorUser, ID: session.userID, Name: user.name, Department: user.department, Roles: user.roles, Session: id,
		Limit:    s.limitOf(roles, user.temporary, user.setAt, session.method, session.factor, user.enrolled, now),
		StandIns: absent,
	}, nil
}

// touch judges idleness and writes the use down once in a while. What is remembered of the last use may be older than what
// another node has written, so an idle session is refused only after its row was asked.
func (s *Service) touch(ctx context.Context, id uuid.UUID, session *knownSession, now time.Time) error {
	if now.Sub(time.UnixMicro(session.seen.Load())) < touchEvery {
		return nil
	}
	type seen struct{ At time.Time }
	row, err := one[seen](ctx, s.db.Pool, `
		UPDATE session SET last_seen_at = clock_timestamp()
		WHERE id = $1 AND ended_at IS NULL AND last_seen_at > clock_timestamp() - $2::interval RETURNING last_seen_at`, id, s.opt.Idle)
	switch {
	case db.NoRows(err):
		return unauthenticated()
	case err != nil:
		return fmt.Errorf("noting the use of a session: %w", err)
	}
	session.seen.Store(row.At.UnixMicro())
	return nil
}

func (s *Service) loadSession(id uuid.UUID) func(context.Context) (*knownSession, int64, error) {
	return func(ctx context.Context) (*knownSession, int64, error) {
		var k knownSession
		var seen time.Time
		var n int64
		err := s.db.Pool.QueryRow(ctx, `
			SELECT user_id, token_hash, expires_at, ended_at IS NOT NULL, method, second_factor, last_seen_at, (SELECT n FROM policy_head)
			FROM session WHERE id = $1`, id).Scan(&k.userID, &k.hash, &k.expiresAt, &k.ended, &k.method, &k.factor, &seen, &n)
		switch {
		case db.NoRows(err):
			return nil, 0, unauthenticated()
		case err != nil:
			return nil, 0, fmt.Errorf("reading session: %w", err)
		}
		k.seen.Store(seen.UnixMicro())
		return &k, n, nil
	}
}

func (s *Service) loadUser(id uuid.UUID) func(context.Context) (knownUser, int64, error) {
	return func(ctx context.Context) (knownUser, int64, error) {
		var k knownUser
		var n int64
		err := s.db.Pool.QueryRow(ctx, `
			SELECT username, department_id, roles, state, password_temporary, password_set_at,
				EXISTS (SELECT FROM second_factor f WHERE f.user_id = u.id AND f.confirmed_at IS NOT NULL),
				(SELECT jsonb_agg(jsonb_build_object('user', a.id, 'roles', a.roles, 'from', d.starts_at, 'to', d.ends_at) ORDER BY d.id)
					FROM deputy d JOIN hub_user a ON a.id = d.absent_id
					WHERE d.deputy_id = u.id AND d.ended_at IS NULL AND d.ends_at > clock_timestamp() AND a.state = 'active'),
				(SELECT n FROM policy_head)
			FROM hub_user u WHERE id = $1`,
			id).Scan(&k.name, &k.department, &k.roles, &k.state, &k.temporary, &k.setAt, &k.enrolled, &k.deputyOf, &n)
		if err != nil {
			return knownUser{}, 0, fmt.Errorf("reading user: %w", err)
		}
		return k, n, nil
	}
}
