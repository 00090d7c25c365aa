package identity

import (
	"context"
	"encoding/hex"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
	"github.com/shuqiao/shuqiao/internal/secret"
)

// challengePrefix starts every challenge, formed as session tokens are.
const challengePrefix = "sqc_"

// The bounds of a challenge.
const (
	challengeFor   = 5 * time.Minute
	challengeTries = 5
)

// insertChallenge notes that the first step of a sign-in succeeded and returns what the second one has to bring.
func insertChallenge(ctx context.Context, tx *db.Tx, user uuid.UUID, method string) (string, error) {
	// Nobody else clears them away, and a person has few.
	if _, err := tx.Exec(ctx, "DELETE FROM sign_in_challenge WHERE user_id = $1 AND expires_at < $2", user, tx.Now()); err != nil {
		return "", fmt.Errorf("clearing challenges: %w", err)
	}
	id := db.NewID()
	token, hash := secret.NewToken(challengePrefix + hex.EncodeToString(id[:]) + ".")
	_, err := tx.Exec(ctx, `
		INSERT INTO sign_in_challenge (id, user_id, token_hash, method, created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6)`,
		id, user, hash, method, tx.Now(), tx.Now().Add(challengeFor))
	if err != nil {
		return "", fmt.Errorf("making a challenge: %w", err)
	}
	return token, nil
}

func challengeOver() *fault.Fault {
	return fault.New(fault.Unauthenticated, "challenge_invalid", "this sign-in is over; begin again").At("identity")
}

// FinishSignIn opens the session that SignIn left open, against a code of the second factor or, where recovery is not "", a
// recovery code. A wrong one is an Unauthenticated fault "second_factor_wrong", counts as a failed sign-in and may be
// mended; a challenge that is unknown, used, older than five minutes or failed five times is "challenge_invalid".
func (s *Service) FinishSignIn(ctx context.Context, challenge, code, recovery string, address netip.Addr) (token string, session Session, err error) {
	if err := s.admitAddress(address); err != nil {
		return "", Session{}, err
	}
	raw, _, found := strings.Cut(strings.TrimPrefix(challenge, challengePrefix), ".")
	id, err := uuid.Parse(raw)
	if !found || !strings.HasPrefix(challenge, challengePrefix) || len(raw) != 32 || err != nil {
		return "", Session{}, challengeOver()
	}
	wrong := false
	err = s.db.InTx(ctx, func(tx *db.Tx) error {
		var user uuid.UUID
		var method string
		// The account first: ending somebody's sign-ins takes the account before the challenges.
		err := tx.QueryRow(ctx, `
			SELECT u.id FROM hub_user u WHERE id = (SELECT user_id FROM sign_in_challenge WHERE id = $1) FOR NO KEY UPDATE`, id).Scan(&user)
		if err == nil {
			err = tx.QueryRow(ctx, `
				SELECT method FROM sign_in_challenge
				WHERE id = $1 AND token_hash = $2 AND used_at IS NULL AND failed < $3 AND expires_at > clock_timestamp() FOR UPDATE`,
				id, secret.HashToken(challenge), challengeTries).Scan(&method)
		}
		switch {
		case db.NoRows(err):
			return challengeOver()
		case err != nil:
			return fmt.Errorf("reading a challenge: %w", err)
		}
		who, err := findAccount(ctx, tx, "id = $1", user)
		if err != nil {
			return err
		}
		if who.State != Active || who.Locked {
			return challengeOver()
		}
		proved, err := s.prove(ctx, tx, user, code, recovery)
		if err != nil {
			return err
		}
		if !proved {
			wrong = true
			if _, err := tx.Exec(ctx, "UPDATE sign_in_challenge SET failed = failed + 1 WHERE id = $1", id); err != nil {
				return fmt.Errorf("counting a failed sign-in: %w", err)
			}
			return s.failSecond(ctx, tx, who.actor(), user)
		}
		if _, err := tx.Exec(ctx, "UPDATE sign_in_challenge SET used_at = $2 WHERE id = $1", id, tx.Now()); err != nil {
			return fmt.Errorf("using a challenge: %w", err)
		}
		token, session, err = s.open(ctx, tx, who, entry{method: method, secondFactor: true, address: address})
		return err
	})
	switch {
	case err != nil:
		return "", Session{}, err
	case wrong:
		return "", Session{}, wrongSecond()
	}
	return token, session, nil
}
