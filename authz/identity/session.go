package identity

import (
	"context"
	"encoding/hex"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/audit"
	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
	"github.com/shuqiao/shuqiao/internal/secret"
)

// Actions of the log that need no right: every account signs in and out.
const (
	sessionOpen  authz.Action = "session.open"
	sessionClose authz.Action = "session.close"
)

// sessionPrefix starts every session token: sqs_, the session's id in 32 hex digits, '.', and 43 random characters.
const sessionPrefix = "sqs_"

// touchEvery is how often the use of a session or a key is written down. A session may therefore seem idle for so much
// longer than it was.
const touchEvery = time.Minute

// Session is one sign-in.
type Session struct {
	ID        uuid.UUID `json:"id"`
	UserID    uuid.UUID `json:"user_id"`
	CreatedAt time.Time `json:"created_at"`
	ExpiresAt time.Time `json:"expires_at"` // It ends earlier when it is not used.

	// Limit is what the person has to do first; "" for nothing.
	Limit authz.Limit `json:"limit,omitempty"`
	// Language is what the person has chosen for the console; "" for nothing.
	Language Language `json:"language,omitempty"`
	// Since tells a person what happened to their account since they signed in last.
	Since Since `json:"since"`
}

// Since is what a person is told at sign-in, so that they notice a stranger's attempts.
type Since struct {
	LastSignInAt *time.Time `json:"last_sign_in_at,omitempty"` // nil at the first sign-in.
	Failed       int        `json:"failed"`                    // Refused sign-ins of this account since then.
}

// account is a user with what signing in needs.
type account struct {
	ID           uuid.UUID
	Username     string
	DisplayName  string
	PasswordHash string
	DepartmentID uuid.UUID
	Roles        []authz.Role
	State        State
	Locked       bool // At the database's time of the reading.
	Enrolled     bool // Has a second factor.
	Temporary    bool // The password was set by somebody else.
	SetAt        time.Time
}

func findAccount(ctx context.Context, q db.Querier, where string, args ...any) (account, error) {
	a, err := one[account](ctx, q, `
		SELECT id, username, display_name, password_hash, department_id, roles, state, coalesce(locked_until > clock_timestamp(), false),
			EXISTS (SELECT FROM second_factor f WHERE f.user_id = hub_user.id AND f.confirmed_at IS NOT NULL), password_temporary,
			password_set_at
		FROM hub_user WHERE `+where, args...)
	switch {
	case db.NoRows(err):
		return account{}, unknown("user")
	case err != nil:
		return account{}, fmt.Errorf("reading user: %w", err)
	}
	return a, nil
}

// refused is the one answer to every sign-in that fails, so that it tells neither which names exist nor which are locked.
func refused() *fault.Fault {
	return fault.New(fault.Unauthenticated, "unauthenticated",
		"user name or password is wrong, or the account is closed or locked for a while after repeated failures").At("identity")
}

// SignIn opens a session and returns its token, which is shown once. Unknown names, wrong passwords, locked and disabled
// accounts get the same Unauthenticated fault after about the same time: a locked account, too, does not tell whether the
// password was right, or the lock would not stop guessing. After MaxFailures wrong answers in a row the account is locked for
// LockFor. Who has a second factor gets an Unauthenticated fault "second_factor_required" whose detail "challenge" goes to
// FinishSignIn. It returns an Exhausted fault "rate_limited" when one address tries too often, and an Unavailable fault
// "sign_in_busy" when too many sign in at once.
func (s *Service) SignIn(ctx context.Context, username string, password secret.Secret, address netip.Addr) (token string, _ Session, err error) {
	if err := s.admitAddress(address); err != nil {
		return "", Session{}, err
	}
	var found account
	if usernameForm.MatchString(username) {
		found, err = findAccount(ctx, s.db.Pool, "username = $1", username)
		if err != nil && !fault.Is(err, fault.NotFound) {
			return "", Session{}, err
		}
	}
	rehash, err := s.verify(ctx, found, password)
	if err != nil {
		return "", Session{}, err
	}
	stored := found.PasswordHash
	if rehash {
		// The costs were raised since the password was set; only now is it at hand to hash it anew.
		if stored, err = s.passwords.HashPassword(ctx, password); err != nil {
			return "", Session{}, err
		}
	}
	return s.recognised(ctx, found, entry{method: byPassword, address: address}, func(tx *db.Tx) (bool, error) {
		// The account may have been locked, disabled or given another password while the hash was computed.
		tag, err := tx.Exec(ctx, `
			UPDATE hub_user SET password_hash = $3
			WHERE id = $1 AND password_hash = $2 AND state = 'active' AND coalesce(locked_until <= clock_timestamp(), true)`,
			found.ID, found.PasswordHash, stored)
		return tag.RowsAffected() == 1, err
	})
}

// The ways to be recognised.
const (
	byPassword = "password"
	byOpenID   = "openid"
)

// entry is how somebody came in.
type entry struct {
	method       string
	secondFactor bool // A second factor was part of it.
	address      netip.Addr
}

// recognised opens a session for somebody whose first step succeeded, or a challenge where a second one is due. still runs
// first in the transaction and reports, with the account's row locked, whether what the first step rested on holds yet.
func (s *Service) recognised(ctx context.Context, who account, how entry, still func(tx *db.Tx) (bool, error)) (token string, session Session, err error) {
	var challenge string
	err = s.db.InTx(ctx, func(tx *db.Tx) error {
		holds, err := still(tx)
		if err != nil {
			return fmt.Errorf("opening session: %w", err)
		}
		if !holds {
			return refused()
		}
		// Under the row's lock: a second factor may have been set up since the account was read.
		err = tx.QueryRow(ctx, "SELECT EXISTS (SELECT FROM second_factor WHERE user_id = $1 AND confirmed_at IS NOT NULL)", who.ID).Scan(&who.Enrolled)
		if err != nil {
			return fmt.Errorf("opening session: %w", err)
		}
		if who.Enrolled && !how.secondFactor {
			challenge, err = insertChallenge(ctx, tx, who.ID, how.method)
			return err
		}
		token, session, err = s.open(ctx, tx, who, how)
		return err
	})
	if err != nil {
		return "", Session{}, err
	}
	if challenge != "" {
		return "", Session{}, fault.New(fault.Unauthenticated, "second_factor_required",
			"send the code of your second factor with this challenge").At("identity").With("challenge", challenge)
	}
	return token, session, nil
}

// open makes the session of somebody who has passed every step. The account's row is locked by the caller.
func (s *Service) open(ctx context.Context, tx *db.Tx, who account, how entry) (string, Session, error) {
	session := Session{ID: db.NewID(), UserID: who.ID, CreatedAt: tx.Now(), ExpiresAt: tx.Now().Add(s.opt.Absolute)}
	token, hash := secret.NewToken(sessionPrefix + hex.EncodeToString(session.ID[:]) + ".")
	err := tx.QueryRow(ctx, `
		WITH before AS (SELECT last_sign_in_at, failed_since FROM hub_user WHERE id = $1)
		UPDATE hub_user u SET failed = 0, failed_since = 0, locked_until = NULL, last_sign_in_at = $2 FROM before
		WHERE u.id = $1 RETURNING before.last_sign_in_at, before.failed_since, u.language`,
		who.ID, session.CreatedAt).Scan(&session.Since.LastSignInAt, &session.Since.Failed, &session.Language)
	if err != nil {
		return "", Session{}, fmt.Errorf("opening session: %w", err)
	}
	_, err = tx.Exec(ctx, `
		INSERT INTO session (id, user_id, token_hash, created_at, expires_at, last_seen_at, address, method, second_factor)
		VALUES ($1, $2, $3, $4, $5, $4, $6, $7, $8)`,
		session.ID, who.ID, hash, session.CreatedAt, session.ExpiresAt, addressText(how.address), how.method, how.secondFactor)
	if err != nil {
		return "", Session{}, fmt.Errorf("opening session: %w", err)
	}
	_, err = audit.WriteTx(ctx, tx, audit.Event{
		Actor: who.actor(), Action: string(sessionOpen), Object: audit.Object{Kind: "session", ID: session.ID.String()},
		Detail: map[string]any{"address": addressText(how.address), "method": how.method, "second_factor": how.secondFactor},
	})
	session.Limit = s.limitOf(who.Roles, who.Temporary, who.SetAt, how.method, how.secondFactor, who.Enrolled, session.CreatedAt)
	return token, session, err
}

// limitOf returns what somebody has to do before anything else. Who came by OpenID has a password elsewhere.
func (s *Service) limitOf(roles []authz.Role, temporary bool, setAt time.Time, method string, secondFactor, enrolled bool, now time.Time) authz.Limit {
	old := s.opt.Policy.MaxAge > 0 && now.Sub(setAt) > s.opt.Policy.MaxAge
	switch {
	case method == byPassword && (temporary || old):
		return authz.PasswordChangeRequired
	case !secondFactor && !enrolled && s.opt.SecondFactor.demands(roles):
		return authz.EnrolmentRequired
	}
	return ""
}

func (a account) actor() audit.Actor {
	return audit.Actor{Kind: audit.ActorUser, ID: a.ID.String(), Department: a.DepartmentID}
}

// verify checks a password against an account; the zero account is nobody's. It counts and records failures. rehash says
// that the stored hash has other costs than those of today.
func (s *Service) verify(ctx context.Context, found account, password secret.Secret) (rehash bool, err error) {
	if found.ID == uuid.Nil || found.State != Active || found.Locked || s.opt.NoPasswords && !slices.Contains(found.Roles, authz.SystemAdmin) {
		if err := s.passwords.VerifyNobody(ctx, password); err != nil {
			return false, err
		}
		return false, s.fail(ctx, found, false)
	}
	match, rehash, err := s.passwords.VerifyPassword(ctx, found.PasswordHash, password)
	if err != nil {
		return false, err
	}
	if !match {
		return false, s.fail(ctx, found, true)
	}
	return rehash, nil
}

// fail records a failed sign-in and returns the refusal. Names that do not exist are not recorded by name: people type
// passwords there.
func (s *Service) fail(ctx context.Context, found account, count bool) error {
	err := s.db.InTx(context.WithoutCancel(ctx), func(tx *db.Tx) error {
		actor := audit.Actor{Kind: audit.ActorSystem, ID: "sign-in"}
		detail := map[string]any{}
		switch {
		case found.ID == uuid.Nil:
			detail["reason"] = "unknown user"
		case count:
			actor, detail["reason"] = found.actor(), "wrong password"
			locked, err := s.countFailure(ctx, tx, found.ID)
			if err != nil {
				return err
			}
			if locked {
				detail["locked_for"] = s.opt.LockFor.String()
			}
		default:
			actor, detail["reason"] = found.actor(), "locked, disabled or not by password"
			if _, err := tx.Exec(ctx, "UPDATE hub_user SET failed_since = failed_since + 1 WHERE id = $1", found.ID); err != nil {
				return fmt.Errorf("counting a failed sign-in: %w", err)
			}
		}
		_, err := audit.WriteTx(ctx, tx, audit.Event{
			Actor: actor, Action: string(sessionOpen), Object: audit.Object{Kind: "session"}, Outcome: audit.Denied, Detail: detail,
		})
		return err
	})
	if err != nil {
		return err
	}
	return refused()
}

// countFailure counts a wrong answer of an account and locks it after MaxFailures in a row.
func (s *Service) countFailure(ctx context.Context, tx *db.Tx, user uuid.UUID) (locked bool, err error) {
	err = tx.QueryRow(ctx, `
		UPDATE hub_user SET
			failed = CASE WHEN failed + 1 >= $2 THEN 0 ELSE failed + 1 END, failed_since = failed_since + 1,
			locked_until = CASE WHEN failed + 1 >= $2 THEN clock_timestamp() + $3::interval ELSE locked_until END
		WHERE id = $1 RETURNING coalesce(locked_until > clock_timestamp(), false)`, user, s.opt.MaxFailures, s.opt.LockFor).Scan(&locked)
	if err != nil {
		return false, fmt.Errorf("counting a failed sign-in: %w", err)
	}
	return locked, nil
}

// SignOut ends the session of the person who asks.
func (s *Service) SignOut(ctx context.Context, p authz.Principal) error {
	return s.db.InTx(ctx, func(tx *db.Tx) error {
		tag, err := tx.Exec(ctx, "UPDATE session SET ended_at = $2 WHERE id = $1 AND ended_at IS NULL", p.Session, tx.Now())
		if err != nil {
			return fmt.Errorf("ending session: %w", err)
		}
		if tag.RowsAffected() == 0 {
			return unknown("session")
		}
		return record(ctx, tx, p.Actor(), sessionClose, authz.KindSession, p.Session.String(), nil)
	})
}

// endSessions ends a user's open sessions but one and returns how many.
func endSessions(ctx context.Context, tx *db.Tx, user, except uuid.UUID) (int, error) {
	type ended struct{ ID uuid.UUID }
	list, err := many[ended](ctx, tx, `
		UPDATE session SET ended_at = $3 WHERE user_id = $1 AND id <> $2 AND ended_at IS NULL RETURNING id`, user, except, tx.Now())
	if err != nil {
		return 0, fmt.Errorf("ending sessions: %w", err)
	}
	// Sign-ins between their two steps end with them.
	if _, err := tx.Exec(ctx, "DELETE FROM sign_in_challenge WHERE user_id = $1", user); err != nil {
		return 0, fmt.Errorf("ending sign-ins: %w", err)
	}
	for _, e := range list {
		if err := authz.LogTx(tx, authz.KindSession, e.ID.String()); err != nil {
			return 0, err
		}
	}
	return len(list), nil
}

func addressText(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.Unmap().String()
}
