package identity_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/pquerna/otp/totp"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/authz/authztest"
	"github.com/shuqiao/shuqiao/authz/identity"
	"github.com/shuqiao/shuqiao/internal/fault"
	"github.com/shuqiao/shuqiao/internal/secret"
)

// appTime is what the phones of these tests and the hub take for now. It stands still: a code of thirty seconds cannot run out
// between computing it and sending it.
var appTime = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

func withFactors(rule identity.SecondFactorRule) func(t *testing.T) func(*identity.Options) {
	return func(t *testing.T) func(*identity.Options) {
		t.Helper()
		ring, err := secret.OpenKeyring(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		return func(o *identity.Options) {
			o.SecondFactor, o.Keyring, o.CodeTime = rule, ring, func() time.Time { return appTime }
		}
	}
}

// codeAt computes the code of a secret some steps from now, as an app does.
func codeAt(t *testing.T, text string, steps int) string {
	t.Helper()
	code, err := totp.GenerateCode(text, appTime.Add(time.Duration(steps)*30*time.Second))
	if err != nil {
		t.Fatal(err)
	}
	return code
}

// enrolled sets a second factor up for a principal and returns its secret and recovery codes. The code used is that of the step
// before, so that the present one is free.
func (h *testHub) enrolled(t *testing.T, p authz.Principal) (text string, recovery []string) {
	t.Helper()
	e, err := h.BeginSecondFactor(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(e.QR, "data:image/png;base64,") || !strings.Contains(e.URI, e.Secret) {
		t.Errorf("enrolment %+v", e)
	}
	if recovery, err = h.ConfirmSecondFactor(t.Context(), p, codeAt(t, e.Secret, -1)); err != nil {
		t.Fatal(err)
	}
	return e.Secret, recovery
}

// challenge signs in with the right password and returns what the second step needs.
func (h *testHub) challenge(t *testing.T, username string) string {
	t.Helper()
	_, _, err := h.SignIn(t.Context(), username, password, home)
	f, ok := err.(*fault.Fault)
	if !ok || f.Code != "second_factor_required" {
		t.Fatalf("signing in %s: %v", username, err)
	}
	return f.Detail["challenge"]
}

// Who must have a second factor gets nowhere before setting one up; afterwards a sign-in takes two steps. A code opens one
// session only, also that of a neighbouring step, and a recovery code opens one session.
func TestSecondFactor(t *testing.T) {
	t.Parallel()
	h := start(t, withFactors(identity.SecondFactorAdmins)(t))
	token, session, err := h.SignIn(t.Context(), "auditor", password, home)
	if err != nil || session.Limit != authz.EnrolmentRequired {
		t.Fatalf("session %+v, %v", session, err)
	}
	elsewhere, _, err := h.SignIn(t.Context(), "auditor", password, home)
	if err != nil {
		t.Fatal(err)
	}
	p, err := h.Authenticate(t.Context(), token, home)
	if err != nil || p.Limit != authz.EnrolmentRequired {
		t.Fatalf("principal %+v, %v", p, err)
	}
	_, _, err = h.Users(t.Context(), p, identity.UserFilter{})
	wantCode(t, "anything else", err, "second_factor_enrolment_required")
	_, err = h.ConfirmSecondFactor(t.Context(), p, "000000")
	wantCode(t, "confirming nothing", err, "no_second_factor")
	text, recovery := h.enrolled(t, p)
	if p, err = h.Authenticate(t.Context(), token, home); err != nil || p.Limit != "" {
		t.Errorf("after enrolment: limit %q, %v", p.Limit, err)
	}
	_, err = h.Authenticate(t.Context(), elsewhere, home)
	wantCode(t, "the session without a second factor", err, "unauthenticated")
	_, err = h.BeginSecondFactor(t.Context(), p)
	wantCode(t, "a second second factor", err, "second_factor_enrolled")
	wantCode(t, "removing a mandatory one", h.RemoveSecondFactor(t.Context(), p, codeAt(t, text, 0)), "second_factor_mandatory")

	challenge := h.challenge(t, "auditor")
	finish := func(challenge, code, recovery string) error {
		_, _, err := h.FinishSignIn(t.Context(), challenge, code, recovery, home)
		return err
	}
	wantCode(t, "a code used before", finish(challenge, codeAt(t, text, -1), ""), "second_factor_wrong")
	wantCode(t, "a code of long ago", finish(challenge, codeAt(t, text, -4), ""), "second_factor_wrong")
	forged := challenge[:len(challenge)-1] + "!"
	wantCode(t, "a forged challenge", finish(forged, codeAt(t, text, 1), ""), "challenge_invalid")
	wantCode(t, "the next step's code", finish(challenge, codeAt(t, text, 1), ""), "")
	wantCode(t, "the challenge again", finish(challenge, "", recovery[0]), "challenge_invalid")
	wantCode(t, "the code again", finish(h.challenge(t, "auditor"), codeAt(t, text, 1), ""), "second_factor_wrong")
	wantCode(t, "a recovery code, typed freely", finish(h.challenge(t, "auditor"), "", strings.ToLower(strings.ReplaceAll(recovery[1], "-", " "))), "")
	wantCode(t, "the recovery code again", finish(h.challenge(t, "auditor"), "", recovery[1]), "second_factor_wrong")
	state, err := h.SecondFactor(t.Context(), p)
	if err != nil || !state.Enrolled || !state.Mandatory || state.RecoveryCodes != 9 {
		t.Errorf("state %+v, %v", state, err)
	}
	if got := h.count(t, "SELECT count(*) FROM second_factor WHERE position($1::bytea IN sealed) > 0", []byte(text)); got != 0 {
		t.Error("the secret is not sealed")
	}
}

// A right password does not start the count of wrong codes anew: five in a row lock the account, whatever the challenges.
func TestGuessedCodesLockTheAccount(t *testing.T) {
	t.Parallel()
	h := start(t, withFactors(identity.SecondFactorOff)(t))
	u := h.user(t, "worker", h.water)
	_, recovery := h.enrolled(t, h.as(u))
	for range 5 {
		_, _, err := h.FinishSignIn(t.Context(), h.challenge(t, "worker"), "12345", "", home)
		wantCode(t, "a guess", err, "second_factor_wrong")
	}
	_, _, err := h.SignIn(t.Context(), "worker", password, home)
	wantCode(t, "the right password of the locked account", err, "unauthenticated")
	h.exec(t, "UPDATE hub_user SET locked_until = NULL WHERE id = $1", u.ID)
	// A challenge from before a lock is closed by it.
	challenge := h.challenge(t, "worker")
	h.exec(t, "UPDATE hub_user SET locked_until = now() + interval '1 minute' WHERE id = $1", u.ID)
	_, _, err = h.FinishSignIn(t.Context(), challenge, "", recovery[0], home)
	wantCode(t, "a right code under a lock", err, "challenge_invalid")
	h.exec(t, "UPDATE hub_user SET locked_until = NULL WHERE id = $1", u.ID)
	h.exec(t, "UPDATE sign_in_challenge SET expires_at = now() - interval '1 second' WHERE user_id = $1", u.ID)
	_, _, err = h.FinishSignIn(t.Context(), challenge, "", recovery[0], home)
	wantCode(t, "an old challenge", err, "challenge_invalid")
}

// A second factor that nobody demands can be removed against a code; a lost one is reset by the security administrator only, and
// the sessions end with it. A setting extends the duty to everybody.
func TestSecondFactorIsRemovedAndReset(t *testing.T) {
	t.Parallel()
	h := start(t, withFactors(identity.SecondFactorOff)(t))
	u := h.user(t, "worker", h.water)
	token, _, err := h.SignIn(t.Context(), "worker", password, home)
	if err != nil {
		t.Fatal(err)
	}
	p, err := h.Authenticate(t.Context(), token, home)
	if err != nil {
		t.Fatal(err)
	}
	text, recovery := h.enrolled(t, p)
	again, err := h.RenewRecoveryCodes(t.Context(), p, codeAt(t, text, 0))
	if err != nil || len(again) != 10 || cmp.Equal(again, recovery) {
		t.Errorf("renewed %v, %v", again, err)
	}
	wantCode(t, "removing with a wrong code", h.RemoveSecondFactor(t.Context(), p, "000"), "second_factor_wrong")
	wantCode(t, "removing", h.RemoveSecondFactor(t.Context(), p, codeAt(t, text, 1)), "")
	if _, _, err := h.SignIn(t.Context(), "worker", password, home); err != nil {
		t.Errorf("signing in without: %v", err)
	}

	h.enrolled(t, p)
	_, err = h.ResetSecondFactor(t.Context(), h.as(h.first.SystemAdmin), u.ID, 0)
	wantCode(t, "a reset without the right", err, "forbidden")
	_, err = h.ResetSecondFactor(t.Context(), h.as(h.first.SecurityAdmin), h.first.SecurityAdmin.ID, 0)
	wantCode(t, "resetting one's own", err, "own_account")
	if _, err := h.ResetSecondFactor(t.Context(), h.as(h.first.SecurityAdmin), u.ID, 0); err != nil {
		t.Fatal(err)
	}
	if err := authztest.Sync(t.Context(), h.Follower); err != nil {
		t.Fatal(err)
	}
	_, err = h.Authenticate(t.Context(), token, home)
	wantCode(t, "the session of before", err, "unauthenticated")
	_, everybody := serve(t, h.url, withFactors(identity.SecondFactorAll)(t))
	if _, session, err := everybody.SignIn(t.Context(), "worker", password, home); err != nil || session.Limit != authz.EnrolmentRequired {
		t.Errorf("where everybody must: %+v, %v", session, err)
	}
}
