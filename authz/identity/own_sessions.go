package identity

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/audit"
	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// OpenSession is one of a person's sessions, as they may see it.
type OpenSession struct {
	ID           uuid.UUID `json:"id"`
	CreatedAt    time.Time `json:"created_at"`
	ExpiresAt    time.Time `json:"expires_at"`
	LastSeenAt   time.Time `json:"last_seen_at"` // To the minute.
	Address      string    `json:"address"`
	Method       string    `json:"method"` // password or openid.
	SecondFactor bool      `json:"second_factor"`
	Current      bool      `json:"current"` // The one that asks.
}

// Sessions lists the open sessions of the person who asks, the newest first.
func (s *Service) Sessions(ctx context.Context, p authz.Principal) ([]OpenSession, error) {
	if err := s.onlyPeople(p); err != nil {
		return nil, err
	}
	list, err := many[OpenSession](ctx, s.db.Pool, `
		SELECT id, created_at, expires_at, last_seen_at, address, method, second_factor, id = $2 FROM session
		WHERE user_id = $1 AND ended_at IS NULL AND expires_at > clock_timestamp() AND last_seen_at > clock_timestamp() - $3::interval
		ORDER BY created_at DESC LIMIT 200`, p.ID, p.Session, s.opt.Idle)
	if err != nil {
		return nil, fmt.Errorf("listing sessions: %w", err)
	}
	return list, nil
}

// EndSession ends one session of the person who asks.
func (s *Service) EndSession(ctx context.Context, p authz.Principal, id uuid.UUID) error {
	if err := s.onlyPeople(p); err != nil {
		return err
	}
	return s.db.InTx(ctx, func(tx *db.Tx) error {
		tag, err := tx.Exec(ctx, "UPDATE session SET ended_at = $3 WHERE id = $1 AND user_id = $2 AND ended_at IS NULL", id, p.ID, tx.Now())
		if err != nil {
			return fmt.Errorf("ending session: %w", err)
		}
		if tag.RowsAffected() == 0 {
			return unknown("session")
		}
		return record(ctx, tx, p.Actor(), sessionClose, authz.KindSession, id.String(), nil)
	})
}

// SignOutEverywhere ends all sessions of the person who asks, this one included, and returns how many.
func (s *Service) SignOutEverywhere(ctx context.Context, p authz.Principal) (ended int, err error) {
	if err := s.onlyPeople(p); err != nil {
		return 0, err
	}
	err = s.db.InTx(ctx, func(tx *db.Tx) error {
		if ended, err = endSessions(ctx, tx, p.ID, uuid.Nil); err != nil {
			return err
		}
		_, err = audit.WriteTx(ctx, tx, audit.Event{
			Actor: p.Actor(), Action: "session.close_all", Object: audit.Object{Kind: string(authz.KindUser), ID: p.ID.String()},
			Detail: map[string]any{"sessions_ended": ended},
		})
		return err
	})
	return ended, err
}

// Unlock ends the lock that wrong answers brought on an account. It needs user.unlock; an account that is not locked is a
// Conflict "not_locked".
func (s *Service) Unlock(ctx context.Context, p authz.Principal, id uuid.UUID, ifMatch int64) (User, error) {
	return s.changeUser(ctx, p, authz.UserUnlock, id, ifMatch, func(tx *db.Tx, u User) (map[string]any, error) {
		tag, err := tx.Exec(ctx, "UPDATE hub_user SET failed = 0, locked_until = NULL WHERE id = $1 AND locked_until > clock_timestamp()", u.ID)
		if err != nil {
			return nil, fmt.Errorf("unlocking an account: %w", err)
		}
		if tag.RowsAffected() == 0 {
			return nil, fault.New(fault.Conflict, "not_locked", "this account is not locked")
		}
		return map[string]any{"locked_until": u.LockedUntil}, nil
	})
}
