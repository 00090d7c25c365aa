package identity

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/authz"
)

// Activity is what is known of an account besides what it is now.
type Activity struct {
	Sessions int          // Open now.
	History  []UserMoment // The newest first; not before the history began.
}

// UserMoment is what an account was from a moment on.
type UserMoment struct {
	At    time.Time
	Roles []authz.Role
	State State
}

// Activity returns how an account is used and what it was. It needs user.read for its department; everyone may read their own.
func (s *Service) Activity(ctx context.Context, p authz.Principal, id uuid.UUID) (Activity, error) {
	if _, err := s.User(ctx, p, id); err != nil {
		return Activity{}, err
	}
	var a Activity
	err := s.db.Pool.QueryRow(ctx, `
		SELECT count(*) FROM session WHERE user_id = $1 AND ended_at IS NULL AND expires_at > clock_timestamp()
			AND last_seen_at > clock_timestamp() - $2::interval`, id, s.opt.Idle).Scan(&a.Sessions)
	if err != nil {
		return Activity{}, fmt.Errorf("counting sessions: %w", err)
	}
	a.History, err = many[UserMoment](ctx, s.db.Pool, "SELECT at, roles, state FROM user_history WHERE user_id = $1 ORDER BY at DESC, seq DESC LIMIT 200", id)
	if err != nil {
		return Activity{}, fmt.Errorf("reading the history of an account: %w", err)
	}
	return a, nil
}
