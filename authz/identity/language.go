package identity

import (
	"context"
	"fmt"
	"slices"

	"github.com/shuqiao/shuqiao/audit"
	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// Language is what the console speaks to a person.
type Language string

// The languages.
const (
	Chinese Language = "zh-CN"
	English Language = "en"
)

// Languages returns every language once, the default first.
func Languages() []Language { return []Language{Chinese, English} }

// SetLanguage keeps the language of the person who asks, for every browser they sign in with. It is open before a sign-in is
// finished. The account's version stays: nothing that others decide about has changed.
func (s *Service) SetLanguage(ctx context.Context, p authz.Principal, l Language) error {
	if err := s.onlyPeople(p); err != nil {
		return err
	}
	if !slices.Contains(Languages(), l) {
		return fault.InvalidFields([]fault.Field{{Name: "language", Code: "unknown", Message: fmt.Sprintf("use one of: %v", Languages())}})
	}
	return s.db.InTx(ctx, func(tx *db.Tx) error {
		tag, err := tx.Exec(ctx, "UPDATE hub_user SET language = $2 WHERE id = $1 AND language <> $2", p.ID, l)
		if err != nil {
			return fmt.Errorf("keeping a language: %w", err)
		}
		if tag.RowsAffected() == 0 {
			return nil
		}
		_, err = audit.WriteTx(ctx, tx, audit.Event{
			Actor: p.Actor(), Action: "user.update", Object: audit.Object{Kind: string(authz.KindUser), ID: p.ID.String()},
			Detail: map[string]any{"language": l},
		})
		return err
	})
}
