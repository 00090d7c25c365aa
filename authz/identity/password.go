package identity

import (
	"context"
	_ "embed"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/audit"
	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
	"github.com/shuqiao/shuqiao/internal/secret"
)

// The rules on passwords that no setting changes. Source: domain table 4.3, which leaves the numbers to the hub.
const (
	minClasses     = 3 // Of lower case, upper case, digits and other characters.
	rememberedPast = 5 // So many former passwords may not be taken again.
)

// PasswordPolicy holds the rules on passwords that settings change.
type PasswordPolicy struct {
	MinLength int           // Characters; 0 means 12.
	MaxAge    time.Duration // After which a sign-in demands another one; 0 means never.
}

//go:embed common_passwords.txt
var commonText string

// CheckPassword returns an Invalid fault that names the first rule a password breaks, or nil. It must have the policy's
// length, mix three of four classes of characters, hold neither user name nor display name, be more than a common word with
// digits around it, and be none of the former ones, which are hashes.
func (s *Service) CheckPassword(ctx context.Context, username, displayName string, password secret.Secret, former ...string) error {
	if err := fault.InvalidFields(s.opt.Policy.fields("password", username, displayName, password)); err != nil {
		return err
	}
	for _, hash := range former {
		match, _, err := s.passwords.VerifyPassword(ctx, hash, password)
		if err != nil {
			return err
		}
		if match {
			return fault.InvalidFields([]fault.Field{{
				Name: "password", Code: "used_before", Message: fmt.Sprintf("choose one that is none of your last %d passwords", rememberedPast),
			}})
		}
	}
	return nil
}

// fields returns what is wrong with a password, whatever was used before.
func (policy PasswordPolicy) fields(path, username, displayName string, password secret.Secret) []fault.Field {
	wrong := func(code, message string) []fault.Field {
		return []fault.Field{{Name: path, Code: code, Message: message}}
	}
	text := password.Reveal()
	least := policy.MinLength
	if least == 0 {
		least = defaultMinPassword
	}
	switch {
	case len(text) > secret.MaxPassword:
		return wrong("too_long", fmt.Sprintf("use at most %d bytes", secret.MaxPassword))
	case utf8.RuneCountInString(text) < least:
		return wrong("too_short", fmt.Sprintf("use at least %d characters", least))
	case classesOf(text) < minClasses:
		return wrong("too_simple", "mix at least three of lower case, upper case, digits and other characters")
	case holds(text, username):
		return wrong("holds_username", "leave the user name out of the password")
	case holds(text, displayName):
		return wrong("holds_name", "leave your name out of the password")
	case isCommon(text):
		return wrong("too_common", "this is among the first that others would try; choose another")
	}
	return nil
}

// defaultMinPassword is the least length where no setting says otherwise.
const defaultMinPassword = 12

func classesOf(text string) int {
	var lower, upper, digit, rest int
	for _, c := range text {
		switch {
		case unicode.IsLower(c):
			lower = 1
		case unicode.IsUpper(c):
			upper = 1
		case unicode.IsDigit(c):
			digit = 1
		default:
			rest = 1
		}
	}
	return lower + upper + digit + rest
}

// holds reports whether a password holds a name. Names of one character are in too many words to say anything.
func holds(text, name string) bool {
	name = strings.ToLower(strings.TrimSpace(name))
	return utf8.RuneCountInString(name) > 1 && strings.Contains(strings.ToLower(text), name)
}

// isCommon reports whether a password is a common word: as it is, without digits and signs around it, or with the usual
// signs in the place of letters.
func isCommon(text string) bool {
	signs := strings.NewReplacer("0", "o", "1", "i", "!", "i", "3", "e", "4", "a", "@", "a", "5", "s", "$", "s", "7", "t")
	bare := func(s string) string { return strings.TrimFunc(s, func(r rune) bool { return !unicode.IsLetter(r) }) }
	lower := strings.ToLower(text)
	// "P@ssw0rd2026!" is "password": the end goes first, so that its digits are not read as letters.
	trimmed := strings.TrimRightFunc(lower, func(r rune) bool { return !unicode.IsLetter(r) })
	words := strings.Fields(commonText)
	for _, candidate := range []string{lower, bare(lower), signs.Replace(lower), bare(signs.Replace(trimmed)), signs.Replace(bare(lower))} {
		if slices.Contains(words, candidate) {
			return true
		}
	}
	return false
}

// ChangePassword replaces the password of the person who asks, who gives the present one, and ends their other sessions. A
// wrong present password is an Unauthenticated fault and counts as a failed sign-in; the other faults are those of
// CheckPassword.
func (s *Service) ChangePassword(ctx context.Context, p authz.Principal, present, next secret.Secret) error {
	if p.Kind != audit.ActorUser {
		return fault.New(fault.Forbidden, "forbidden", "only people have passwords")
	}
	account, err := findAccount(ctx, s.db.Pool, "id = $1", p.ID)
	if err != nil {
		return err
	}
	if _, err := s.verify(ctx, account, present); err != nil {
		return err
	}
	if next == present {
		return fault.InvalidFields([]fault.Field{{Name: "password", Code: "unchanged", Message: "choose another password than the present one"}})
	}
	former, err := formerPasswords(ctx, s.db.Pool, p.ID)
	if err != nil {
		return err
	}
	if err := s.CheckPassword(ctx, account.Username, account.DisplayName, next, former...); err != nil {
		return err
	}
	hash, err := s.passwords.HashPassword(ctx, next)
	if err != nil {
		return err
	}
	err = s.db.InTx(ctx, func(tx *db.Tx) error {
		tag, err := tx.Exec(ctx, `
			UPDATE hub_user SET password_hash = $3, password_set_at = $4, password_temporary = false, failed = 0,
				row_version = row_version + 1, updated_at = $4
			WHERE id = $1 AND password_hash = $2 AND state = 'active'`, p.ID, account.PasswordHash, hash, tx.Now())
		if err != nil {
			return fmt.Errorf("changing password: %w", err)
		}
		if tag.RowsAffected() == 0 {
			return refused()
		}
		if err := keepFormer(ctx, tx, p.ID, account.PasswordHash); err != nil {
			return err
		}
		ended, err := endSessions(ctx, tx, p.ID, p.Session)
		if err != nil {
			return err
		}
		return record(ctx, tx, p.Actor(), "user.change_password", authz.KindUser, p.ID.String(), map[string]any{"sessions_ended": ended})
	})
	if err == nil {
		s.settle(ctx)
	}
	return err
}

// SetPassword gives a person a password that they must change at their first sign-in, ends their sessions and their lock. It
// needs user.set_password, and nobody sets their own this way ("own_account").
func (s *Service) SetPassword(ctx context.Context, p authz.Principal, id uuid.UUID, ifMatch int64, password secret.Secret) (User, error) {
	if p.ID == id {
		return User{}, fault.New(fault.Conflict, "own_account", "change your own password with the present one")
	}
	var hash string
	return s.changeUser(ctx, p, authz.UserSetPassword, id, ifMatch, func(tx *db.Tx, u User) (map[string]any, error) {
		var before string
		if err := tx.QueryRow(ctx, "SELECT password_hash FROM hub_user WHERE id = $1", u.ID).Scan(&before); err != nil {
			return nil, fmt.Errorf("reading user: %w", err)
		}
		_, err := tx.Exec(ctx, `
			UPDATE hub_user SET password_hash = $2, password_set_at = $3, password_temporary = true, failed = 0, locked_until = NULL
			WHERE id = $1`, u.ID, hash, tx.Now())
		if err != nil {
			return nil, fmt.Errorf("setting password: %w", err)
		}
		if err := keepFormer(ctx, tx, u.ID, before); err != nil {
			return nil, err
		}
		ended, err := endSessions(ctx, tx, u.ID, uuid.Nil)
		return map[string]any{"sessions_ended": ended}, err
	}, func(u User) (err error) {
		// Hashing takes long: it is done before accounts are locked.
		if err := s.CheckPassword(ctx, u.Username, u.DisplayName, password); err != nil {
			return err
		}
		hash, err = s.passwords.HashPassword(ctx, password)
		return err
	})
}

// formerPasswords returns the hashes that a person may not take again, without the present one, which is compared as text.
func formerPasswords(ctx context.Context, q db.Querier, user uuid.UUID) ([]string, error) {
	type former struct{ Hash string }
	list, err := many[former](ctx, q, `
		SELECT password_hash FROM password_history WHERE user_id = $1 ORDER BY replaced_at DESC LIMIT $2`,
		user, rememberedPast-1)
	if err != nil {
		return nil, fmt.Errorf("reading former passwords: %w", err)
	}
	out := make([]string, len(list))
	for i, f := range list {
		out[i] = f.Hash
	}
	return out, nil
}

// keepFormer remembers a password that was replaced and forgets those that may be taken again.
func keepFormer(ctx context.Context, tx *db.Tx, user uuid.UUID, hash string) error {
	_, err := tx.Exec(ctx, "INSERT INTO password_history (user_id, password_hash, replaced_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
		user, hash, tx.Now())
	if err == nil {
		_, err = tx.Exec(ctx, `
			DELETE FROM password_history WHERE user_id = $1 AND password_hash NOT IN (
				SELECT password_hash FROM password_history WHERE user_id = $1 ORDER BY replaced_at DESC LIMIT $2)`, user, rememberedPast)
	}
	if err != nil {
		return fmt.Errorf("keeping former passwords: %w", err)
	}
	return nil
}

// settle waits a moment until this node knows what was just changed, so that the person's next call meets the new facts.
// The change stands whether or not it succeeds.
func (s *Service) settle(ctx context.Context) {
	if err := s.follower.Sync(ctx); err != nil {
		s.log.WarnContext(ctx, "a change of an account is not applied on this node yet", "error", err)
	}
}
