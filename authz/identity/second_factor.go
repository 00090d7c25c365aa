package identity

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base32"
	"encoding/base64"
	"fmt"
	"image/png"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/pquerna/otp"
	"github.com/pquerna/otp/hotp"
	"github.com/pquerna/otp/totp"

	"github.com/shuqiao/shuqiao/audit"
	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
	"github.com/shuqiao/shuqiao/internal/secret"
)

// SecondFactorRule says who must sign in with a second factor. Everyone else may.
type SecondFactorRule string

// The rules.
const (
	SecondFactorOff    SecondFactorRule = "off"    // Nobody must.
	SecondFactorAdmins SecondFactorRule = "admins" // The three administrators and platform_operator (domain table 4.3).
	SecondFactorAll    SecondFactorRule = "all"    // Everybody.
)

// demands reports whether people with these roles must have a second factor.
func (r SecondFactorRule) demands(roles []authz.Role) bool {
	return r == SecondFactorAll || r == SecondFactorAdmins && slices.ContainsFunc(roles, func(role authz.Role) bool {
		return role.Exclusive() || role == authz.PlatformOperator
	})
}

// The figures of the second factor. Apps know six digits of SHA-1 every 30 seconds (RFC 6238, 4 and 5.2); SHA-1's weakness
// to collisions does not touch HMAC.
const (
	stepSeconds   = 30
	stepSkew      = 1 // Codes of the step before and after are taken, too (RFC 6238, 5.2).
	recoveryCodes = 10
	recoveryBytes = 10 // 80 random bits: a hash without salt is enough.
	qrPixels      = 240
	sealedFactor  = "second factor"
)

// Enrolment is a second factor to set up. It is shown once.
type Enrolment struct {
	Secret string `json:"secret"`  // Base32, to type into an app.
	URI    string `json:"uri"`     // otpauth://…, as the picture holds it.
	QR     string `json:"qr_code"` // A PNG as data: URI.
}

var secretText = base32.StdEncoding.WithPadding(base32.NoPadding)

// BeginSecondFactor makes a new second factor for the person who asks. It counts only once ConfirmSecondFactor has seen a
// code of it; until then it may be begun anew. It is a Conflict "second_factor_enrolled" when there is one.
func (s *Service) BeginSecondFactor(ctx context.Context, p authz.Principal) (Enrolment, error) {
	if err := s.onlyPeople(p); err != nil {
		return Enrolment{}, err
	}
	if s.opt.Keyring == nil {
		return Enrolment{}, fault.New(fault.Unavailable, "no_keyring", "this hub has no key to seal second factors with")
	}
	key, err := totp.Generate(totp.GenerateOpts{Issuer: "Shuqiao", AccountName: p.Name, Period: stepSeconds, SecretSize: 20})
	if err != nil {
		return Enrolment{}, fmt.Errorf("making a second factor: %w", err)
	}
	raw, err := secretText.DecodeString(key.Secret())
	if err != nil {
		return Enrolment{}, fmt.Errorf("making a second factor: %w", err)
	}
	sealed, err := s.opt.Keyring.Seal(sealedFactor, raw, p.ID[:])
	if err != nil {
		return Enrolment{}, fmt.Errorf("sealing a second factor: %w", err)
	}
	picture, err := key.Image(qrPixels, qrPixels)
	if err != nil {
		return Enrolment{}, fmt.Errorf("drawing a second factor: %w", err)
	}
	var encoded bytes.Buffer
	if err := png.Encode(&encoded, picture); err != nil {
		return Enrolment{}, fmt.Errorf("drawing a second factor: %w", err)
	}
	err = s.db.InTx(ctx, func(tx *db.Tx) error {
		tag, err := tx.Exec(ctx, `
			INSERT INTO second_factor (user_id, sealed, created_at) VALUES ($1, $2, $3)
			ON CONFLICT (user_id) DO UPDATE SET sealed = $2, created_at = $3 WHERE second_factor.confirmed_at IS NULL`, p.ID, sealed, tx.Now())
		if err != nil {
			return fmt.Errorf("keeping a second factor: %w", err)
		}
		if tag.RowsAffected() == 0 {
			return fault.New(fault.Conflict, "second_factor_enrolled", "you have a second factor; remove it first to set up another")
		}
		return nil
	})
	if err != nil {
		return Enrolment{}, err
	}
	return Enrolment{
		Secret: key.Secret(), URI: key.URL(), QR: "data:image/png;base64," + base64.StdEncoding.EncodeToString(encoded.Bytes()),
	}, nil
}

// ConfirmSecondFactor takes the first code of a second factor that was begun, from which on sign-ins ask for it, and returns
// the recovery codes, which are shown once. Other sessions of the person end. A wrong code is an Invalid fault.
func (s *Service) ConfirmSecondFactor(ctx context.Context, p authz.Principal, code string) ([]string, error) {
	if err := s.onlyPeople(p); err != nil {
		return nil, err
	}
	var codes []string
	err := s.db.InTx(ctx, func(tx *db.Tx) error {
		// Sign-ins under way wait here, and then find the second factor or are ended with the other sessions.
		if _, err := tx.Exec(ctx, "SELECT FROM hub_user WHERE id = $1 FOR NO KEY UPDATE", p.ID); err != nil {
			return fmt.Errorf("locking users: %w", err)
		}
		step, err := s.step(ctx, tx, p.ID, code, false)
		if err != nil {
			return err
		}
		if step == 0 {
			return fault.InvalidFields([]fault.Field{{
				Name: "code", Code: "wrong_code", Message: "this is not the code of now; check the clock of the app's device",
			}})
		}
		if _, err := tx.Exec(ctx, "UPDATE second_factor SET confirmed_at = $2, last_step = $3 WHERE user_id = $1", p.ID, tx.Now(), step); err != nil {
			return fmt.Errorf("confirming a second factor: %w", err)
		}
		if codes, err = newRecoveryCodes(ctx, tx, p.ID); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, "UPDATE session SET second_factor = true WHERE id = $1", p.Session); err != nil {
			return fmt.Errorf("confirming a second factor: %w", err)
		}
		if err := authz.LogTx(tx, authz.KindSession, p.Session.String()); err != nil {
			return err
		}
		ended, err := endSessions(ctx, tx, p.ID, p.Session)
		if err != nil {
			return err
		}
		return record(ctx, tx, p.Actor(), "user.enrol_second_factor", authz.KindUser, p.ID.String(), map[string]any{"sessions_ended": ended})
	})
	if err != nil {
		return nil, err
	}
	s.settle(ctx)
	return codes, nil
}

// RemoveSecondFactor takes the person's own second factor away, against a code of it. It is a Forbidden fault
// "second_factor_mandatory" for roles that must have one, and a wrong code counts as a failed sign-in.
func (s *Service) RemoveSecondFactor(ctx context.Context, p authz.Principal, code string) error {
	if err := s.onlyPeople(p); err != nil {
		return err
	}
	if s.opt.SecondFactor.demands(p.Roles) {
		return fault.New(fault.Forbidden, "second_factor_mandatory", "your role demands a second factor; the security administrator can reset it")
	}
	return s.withCode(ctx, p, code, func(tx *db.Tx) error {
		if _, err := tx.Exec(ctx, "DELETE FROM second_factor WHERE user_id = $1", p.ID); err != nil {
			return fmt.Errorf("removing a second factor: %w", err)
		}
		return record(ctx, tx, p.Actor(), "user.remove_second_factor", authz.KindUser, p.ID.String(), nil)
	})
}

// RenewRecoveryCodes replaces the person's recovery codes, against a code of the second factor, and returns the new ones.
func (s *Service) RenewRecoveryCodes(ctx context.Context, p authz.Principal, code string) (codes []string, err error) {
	if err := s.onlyPeople(p); err != nil {
		return nil, err
	}
	err = s.withCode(ctx, p, code, func(tx *db.Tx) error {
		if codes, err = newRecoveryCodes(ctx, tx, p.ID); err != nil {
			return err
		}
		return record(ctx, tx, p.Actor(), "user.renew_recovery_codes", authz.KindUser, p.ID.String(), nil)
	})
	return codes, err
}

// ResetSecondFactor takes a person's second factor away, for one who lost it, and ends their sessions. It needs
// user.reset_second_factor, and nobody resets their own ("own_account").
func (s *Service) ResetSecondFactor(ctx context.Context, p authz.Principal, id uuid.UUID, ifMatch int64) (User, error) {
	if p.ID == id {
		return User{}, fault.New(fault.Conflict, "own_account", "you cannot reset your own second factor; ask another security administrator")
	}
	return s.changeUser(ctx, p, authz.UserResetSecondFactor, id, ifMatch, func(tx *db.Tx, u User) (map[string]any, error) {
		tag, err := tx.Exec(ctx, "DELETE FROM second_factor WHERE user_id = $1 AND confirmed_at IS NOT NULL", u.ID)
		if err != nil {
			return nil, fmt.Errorf("resetting a second factor: %w", err)
		}
		if tag.RowsAffected() == 0 {
			return nil, fault.New(fault.Conflict, "no_second_factor", "this person has no second factor")
		}
		ended, err := endSessions(ctx, tx, u.ID, uuid.Nil)
		return map[string]any{"sessions_ended": ended}, err
	})
}

func (s *Service) onlyPeople(p authz.Principal) error {
	if p.Kind != audit.ActorUser || p.ID == uuid.Nil {
		return fault.New(fault.Forbidden, "forbidden", "only people have second factors")
	}
	return nil
}

// withCode runs change in one transaction after a code of the person's second factor. A wrong one is counted.
func (s *Service) withCode(ctx context.Context, p authz.Principal, code string, change func(tx *db.Tx) error) error {
	wrong := false
	err := s.db.InTx(ctx, func(tx *db.Tx) error {
		ok, err := s.prove(ctx, tx, p.ID, code, "")
		if err != nil {
			return err
		}
		if !ok {
			wrong = true
			return s.failSecond(ctx, tx, p.Actor(), p.ID)
		}
		return change(tx)
	})
	if err == nil && wrong {
		return wrongSecond()
	}
	if err == nil {
		s.settle(ctx)
	}
	return err
}

// prove takes a code or a recovery code of a person with the account's row locked, so that guesses queue. It reports false
// for a wrong one, for one that was used, and for any while the account is locked or disabled.
func (s *Service) prove(ctx context.Context, tx *db.Tx, user uuid.UUID, code, recovery string) (bool, error) {
	var open bool
	err := tx.QueryRow(ctx, `
		SELECT state = 'active' AND coalesce(locked_until <= clock_timestamp(), true) FROM hub_user WHERE id = $1 FOR NO KEY UPDATE`,
		user).Scan(&open)
	if err != nil || !open {
		return false, err
	}
	if recovery != "" {
		tag, err := tx.Exec(ctx, "UPDATE recovery_code SET used_at = $3 WHERE user_id = $1 AND code_hash = $2 AND used_at IS NULL",
			user, recoveryHash(recovery), tx.Now())
		if err != nil {
			return false, fmt.Errorf("using a recovery code: %w", err)
		}
		return tag.RowsAffected() == 1, nil
	}
	step, err := s.step(ctx, tx, user, code, true)
	if err != nil || step == 0 {
		return false, err
	}
	tag, err := tx.Exec(ctx, "UPDATE second_factor SET last_step = $2 WHERE user_id = $1 AND last_step < $2", user, step)
	if err != nil {
		return false, fmt.Errorf("using a second factor: %w", err)
	}
	return tag.RowsAffected() == 1, nil
}

// step returns the time step whose code this is, newer than the last one used; 0 for none.
func (s *Service) step(ctx context.Context, tx *db.Tx, user uuid.UUID, code string, confirmed bool) (int64, error) {
	var sealed []byte
	var last int64
	err := tx.QueryRow(ctx, "SELECT sealed, last_step FROM second_factor WHERE user_id = $1 AND (confirmed_at IS NOT NULL) = $2 FOR UPDATE",
		user, confirmed).Scan(&sealed, &last)
	switch {
	case db.NoRows(err) && !confirmed:
		return 0, fault.New(fault.Conflict, "no_second_factor", "begin with a new second factor first")
	case db.NoRows(err):
		return 0, nil
	case err != nil:
		return 0, fmt.Errorf("reading a second factor: %w", err)
	case s.opt.Keyring == nil:
		return 0, fault.New(fault.Unavailable, "no_keyring", "this hub has no key to open second factors with")
	}
	raw, err := s.opt.Keyring.Open(sealedFactor, sealed, user[:])
	if err != nil {
		return 0, fmt.Errorf("opening a second factor: %w", err)
	}
	code = strings.Map(func(r rune) rune {
		if r == ' ' {
			return -1
		}
		return r
	}, code)
	now := s.opt.CodeTime().Unix() / stepSeconds
	for step := now - stepSkew; step <= now+stepSkew; step++ {
		want, err := hotp.GenerateCodeCustom(secretText.EncodeToString(raw), uint64(step), hotp.ValidateOpts{Digits: otp.DigitsSix, Algorithm: otp.AlgorithmSHA1})
		if err != nil {
			return 0, fmt.Errorf("computing a code: %w", err)
		}
		if subtle.ConstantTimeCompare([]byte(want), []byte(code)) == 1 && step > last {
			return step, nil
		}
	}
	return 0, nil
}

// failSecond counts and records a wrong second step.
func (s *Service) failSecond(ctx context.Context, tx *db.Tx, actor audit.Actor, user uuid.UUID) error {
	locked, err := s.countFailure(ctx, tx, user)
	if err != nil {
		return err
	}
	detail := map[string]any{"reason": "wrong second factor"}
	if locked {
		detail["locked_for"] = s.opt.LockFor.String()
	}
	_, err = audit.WriteTx(ctx, tx, audit.Event{
		Actor: actor, Action: string(sessionOpen), Object: audit.Object{Kind: "session"}, Outcome: audit.Denied, Detail: detail,
	})
	return err
}

func wrongSecond() *fault.Fault {
	return fault.New(fault.Unauthenticated, "second_factor_wrong",
		"the code is wrong or was used before; wait for the next one, or use a recovery code").At("identity")
}

// newRecoveryCodes replaces a person's recovery codes.
func newRecoveryCodes(ctx context.Context, tx *db.Tx, user uuid.UUID) ([]string, error) {
	if _, err := tx.Exec(ctx, "DELETE FROM recovery_code WHERE user_id = $1", user); err != nil {
		return nil, fmt.Errorf("replacing recovery codes: %w", err)
	}
	codes := make([]string, recoveryCodes)
	for i := range codes {
		raw := make([]byte, recoveryBytes)
		_, _ = rand.Read(raw) // never fails
		text := secretText.EncodeToString(raw)
		codes[i] = text[:4] + "-" + text[4:8] + "-" + text[8:12] + "-" + text[12:]
		if _, err := tx.Exec(ctx, "INSERT INTO recovery_code (user_id, code_hash) VALUES ($1, $2)", user, recoveryHash(codes[i])); err != nil {
			return nil, fmt.Errorf("replacing recovery codes: %w", err)
		}
	}
	return codes, nil
}

// recoveryHash is the hash of a recovery code however it was typed.
func recoveryHash(code string) []byte {
	return secret.HashToken(strings.NewReplacer("-", "", " ", "").Replace(strings.ToUpper(code)))
}

// SecondFactorState is what a person may know of their own second factor.
type SecondFactorState struct {
	Enrolled      bool       `json:"enrolled"`
	Mandatory     bool       `json:"mandatory"` // The person's roles demand one.
	Since         *time.Time `json:"since,omitempty"`
	RecoveryCodes int        `json:"recovery_codes"` // How many are left.
}

// SecondFactor tells the person who asks about their second factor.
func (s *Service) SecondFactor(ctx context.Context, p authz.Principal) (SecondFactorState, error) {
	if err := s.onlyPeople(p); err != nil {
		return SecondFactorState{}, err
	}
	state := SecondFactorState{Mandatory: s.opt.SecondFactor.demands(p.Roles)}
	err := s.db.Pool.QueryRow(ctx, `
		SELECT confirmed_at, (SELECT count(*) FROM recovery_code r WHERE r.user_id = f.user_id AND r.used_at IS NULL)
		FROM second_factor f WHERE user_id = $1 AND confirmed_at IS NOT NULL`, p.ID).Scan(&state.Since, &state.RecoveryCodes)
	if err != nil && !db.NoRows(err) {
		return SecondFactorState{}, fmt.Errorf("reading a second factor: %w", err)
	}
	state.Enrolled = err == nil
	return state, nil
}
