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

// NoticeDays are how many days before its end a key is noticed, the longest first.
func NoticeDays() []int { return []int{30, 7, 1} }

// keyExpiring is the action in the log when the hub notices that a key is about to end.
const keyExpiring = "key.expiring"

// actorNotices is the hub itself as the one who notices.
var actorNotices = audit.Actor{Kind: audit.ActorSystem, ID: "key-notices"}

// ExpiringKey is a live key with whose it is.
type ExpiringKey struct {
	Key
	ClientName   string    `json:"client_name"`
	DepartmentID uuid.UUID `json:"department_id"`
}

// KeyFilter narrows KeysExpiring. A nil field does not narrow.
type KeyFilter struct {
	Within     time.Duration // Until the end, from now; 0 means MaxKeyAge, which is every live key.
	Department *uuid.UUID
	Page       db.Page
}

const expiringColumns = "k.key_id, k.client_id, k.kind, k.created_at, k.expires_at, k.revoked_at, k.last_used_at, c.name, c.department_id"

// liveKeys are keys that end within an interval ($1), of active clients.
const liveKeys = `
	FROM client_key k JOIN client c ON c.id = k.client_id
	WHERE k.revoked_at IS NULL AND c.state = 'active' AND k.expires_at > clock_timestamp() AND k.expires_at <= clock_timestamp() + $1::interval`

// ExpiringKeys returns the live keys of active clients that end within a duration from now, the earliest end first, at most
// 10,000. It checks no right: it is for the hub's own notices.
func (s *Service) ExpiringKeys(ctx context.Context, within time.Duration) ([]ExpiringKey, error) {
	keys, err := many[ExpiringKey](ctx, s.db.Pool, "SELECT "+expiringColumns+liveKeys+" ORDER BY k.expires_at, k.key_id LIMIT 10000", within)
	if err != nil {
		return nil, fmt.Errorf("listing keys that end: %w", err)
	}
	return keys, nil
}

// KeysExpiring lists live keys by their end, with a cursor for the next page ("" after the last). It needs client.read;
// departmental roles see their own department only.
func (s *Service) KeysExpiring(ctx context.Context, p authz.Principal, f KeyFilter) ([]ExpiringKey, string, error) {
	department, err := s.narrow(ctx, p, authz.ClientRead, "client", f.Department)
	if err != nil {
		return nil, "", err
	}
	if f.Within < 0 || f.Within > MaxKeyAge {
		return nil, "", fault.InvalidFields([]fault.Field{{Name: "expiring_within", Code: "out_of_range", Message: "ask for at most 366 days"}})
	}
	if f.Within == 0 {
		f.Within = MaxKeyAge
	}
	var end time.Time
	var id string
	if _, err := f.Page.After(&end, &id); err != nil {
		return nil, "", err
	}
	keys, err := many[ExpiringKey](ctx, s.db.Pool, "SELECT "+expiringColumns+liveKeys+`
		AND (k.expires_at, k.key_id) > ($2, $3) AND ($4::uuid IS NULL OR c.department_id = $4)
		ORDER BY k.expires_at, k.key_id LIMIT $5`, f.Within, end, id, department, f.Page.Size()+1)
	if err != nil {
		return nil, "", fmt.Errorf("listing keys that end: %w", err)
	}
	keys, next := db.Cut(keys, f.Page, func(k ExpiringKey) string { return db.Next(k.ExpiresAt, k.ID) })
	return keys, next, nil
}

// NoteExpiringKeys leaves one notice and one event for each live key that has come within 30, 7 or 1 days of its end, and
// returns how many are new. A key that is seen for the first time shortly before its end gets the nearest notice only. Call it
// now and then, on any node: each notice is made once.
func (s *Service) NoteExpiringKeys(ctx context.Context) (int, error) {
	const day = 24 * time.Hour
	keys, err := s.ExpiringKeys(ctx, time.Duration(NoticeDays()[0])*day)
	if err != nil {
		return 0, err
	}
	noted := 0
	for _, k := range keys {
		days := 0
		for _, d := range NoticeDays() {
			if k.ExpiresAt.Sub(s.follower.Now()) <= time.Duration(d)*day {
				days = d
			}
		}
		if days == 0 {
			continue
		}
		made := false
		err := s.db.InTx(ctx, func(tx *db.Tx) error {
			tag, err := tx.Exec(ctx, "INSERT INTO key_notice (key_id, rule, due_at, noted_at) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
				k.ID, fmt.Sprintf("%dd", days), k.ExpiresAt, tx.Now())
			if err != nil {
				return fmt.Errorf("noting that a key ends: %w", err)
			}
			if made = tag.RowsAffected() == 1; !made {
				return nil
			}
			_, err = audit.WriteTx(ctx, tx, audit.Event{
				Actor: actorNotices, Action: keyExpiring, Object: audit.Object{Kind: string(authz.KindKey), ID: k.ID},
				Detail: map[string]any{"client": k.ClientID, "department": k.DepartmentID, "days": days, "expires_at": k.ExpiresAt.UTC()},
			})
			return err
		})
		if err != nil {
			return noted, err
		}
		if made {
			noted++
		}
	}
	return noted, nil
}
