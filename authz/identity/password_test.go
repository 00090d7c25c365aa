package identity_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/authz/authztest"
	"github.com/shuqiao/shuqiao/authz/identity"
	"github.com/shuqiao/shuqiao/internal/fault"
	"github.com/shuqiao/shuqiao/internal/secret"
)

// fieldCode returns the code of the first wrong field, "" for none.
func fieldCode(err error) string {
	f, ok := err.(*fault.Fault)
	if !ok || len(f.Fields) == 0 {
		return fault.CodeOf(err)
	}
	return f.Fields[0].Code
}

// Each rule on passwords refuses what it is there to refuse, names itself, and leaves good passwords alone.
func TestCheckPassword(t *testing.T) {
	t.Parallel()
	h := start(t)
	former, err := passwords().HashPassword(t.Context(), "Former-Horse-11")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name     string
		password secret.Secret
		want     string
	}{
		{"three classes", "Correct-Horse", ""},
		{"long with spaces", "correct Horse battery staple", ""},
		{"Chinese characters count as characters", "数桥数桥数桥数桥数桥aa", "too_simple"},
		{"Chinese characters with two further classes", "数据共享交换密码长Aa-9", ""},
		{"eleven characters", "Corr-Horse7", "too_short"},
		{"two classes", "correcthorse7", "too_simple"},
		{"the user name inside", "My-Worker-Horse-7", "holds_username"},
		{"the display name inside", "张三丰-Horse-7777", "holds_name"},
		{"a common word with digits", "Password2026!", "too_common"},
		{"a common word in disguise", "P@ssw0rd123456", "too_common"},
		{"a common word inside digits", "2026!Shuqiao!2026", "too_common"},
		{"a row of keys", "1qaz@WSX3edc", "too_common"},
		{"a former one", "Former-Horse-11", "used_before"},
		{"endless", secret.Secret(fmt.Sprintf("Aa-%01100d", 1)), "too_long"},
	} {
		err := h.CheckPassword(t.Context(), "worker", "张三丰", c.password, former)
		if got := fieldCode(err); got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}

// A person may not take one of the last five passwords again, and may take the sixth.
func TestFormerPasswordsAreRefused(t *testing.T) {
	t.Parallel()
	h := start(t)
	u := h.user(t, "worker", h.water)
	present := secret.Secret(password)
	for i := range 5 {
		next := secret.Secret(fmt.Sprintf("Battery-Staple-%d", i))
		if err := h.ChangePassword(t.Context(), h.as(u), present, next); err != nil {
			t.Fatalf("change %d: %v", i, err)
		}
		present = next
		want := "used_before"
		if i == 4 {
			want = ""
		}
		if got := fieldCode(h.ChangePassword(t.Context(), h.as(u), present, password)); got != want {
			t.Errorf("the first password after %d others: got %q, want %q", i+1, got, want)
		}
	}
}

// A password set by an administrator, and one that is too old, open a session that may only change it. The session is whole
// after the change, at once.
func TestPasswordMustBeChanged(t *testing.T) {
	t.Parallel()
	h := start(t, func(o *identity.Options) { o.Policy.MaxAge = 90 * 24 * time.Hour })
	u := h.user(t, "worker", h.water, authz.DeptAdmin)
	admin := h.as(h.first.SystemAdmin)
	const first, own = "Battery-Staple-8", "Stapled-Batteries-9"
	if _, err := h.SetPassword(t.Context(), admin, u.ID, 0, first); err != nil {
		t.Fatal(err)
	}
	_, err := h.SetPassword(t.Context(), h.admin(h.water), u.ID, 0, first)
	wantCode(t, "a department's admin setting a password", err, "forbidden")
	_, err = h.SetPassword(t.Context(), admin, admin.ID, 0, first)
	wantCode(t, "setting one's own", err, "own_account")

	token, session, err := h.SignIn(t.Context(), "worker", first, home)
	if err != nil || session.Limit != authz.PasswordChangeRequired {
		t.Fatalf("session %+v, %v", session, err)
	}
	p, err := h.Authenticate(t.Context(), token, home)
	if err != nil || p.Limit != authz.PasswordChangeRequired {
		t.Fatalf("principal %+v, %v", p, err)
	}
	_, _, err = h.Users(t.Context(), p, identity.UserFilter{})
	wantCode(t, "anything else", err, "password_change_required")
	_, err = h.SetDeputy(t.Context(), p, p.ID, u.ID, time.Time{}, time.Now().Add(time.Hour))
	wantCode(t, "naming a deputy", err, "password_change_required")
	if h.Enforcer.Allowed(p, authz.UserRead, authz.Target{Kind: "user", Department: h.water}) {
		t.Error("a limited principal is shown what it may not do")
	}
	if err := h.ChangePassword(t.Context(), p, first, own); err != nil {
		t.Fatal(err)
	}
	if p, err = h.Authenticate(t.Context(), token, home); err != nil || p.Limit != "" {
		t.Errorf("after the change: limit %q, %v", p.Limit, err)
	}
	// Ninety-one days later.
	h.exec(t, "UPDATE hub_user SET password_set_at = now() - interval '91 days' WHERE id = $1", u.ID)
	if _, session, err = h.SignIn(t.Context(), "worker", own, home); err != nil || session.Limit != authz.PasswordChangeRequired {
		t.Errorf("an old password: session %+v, %v", session, err)
	}
}

// One address may try twenty times a minute on a node, whatever it tries; other addresses are not held up.
func TestSignInsPerAddress(t *testing.T) {
	t.Parallel()
	h := start(t, func(o *identity.Options) { o.SignInRate = 20 })
	var limited error
	tries := 0
	for ; tries < 40 && fault.CodeOf(limited) != "rate_limited"; tries++ {
		_, _, limited = h.SignIn(t.Context(), "nobody", "Wrong-Horse-77", home)
	}
	f, ok := limited.(*fault.Fault)
	if !ok || f.Kind != fault.Exhausted || f.Detail["retry_after"] == "" || tries < 20 || tries > 25 {
		t.Errorf("after %d tries: %v", tries, limited)
	}
	_, _, err := h.FinishSignIn(t.Context(), "sqc_x.y", "000000", "", home)
	wantCode(t, "the second step from the same address", err, "rate_limited")
	_, _, err = h.SignIn(t.Context(), "nobody", "Wrong-Horse-77", home.Next())
	wantCode(t, "another address", err, "unauthenticated")
}

// A person is told at sign-in when they were here last and how often somebody failed since; an administrator unlocks; the lists of
// sessions and of dormant accounts hold what they should.
func TestSignInsAreSeen(t *testing.T) {
	t.Parallel()
	h := start(t)
	u := h.user(t, "worker", h.water)
	other, _, err := h.SignIn(t.Context(), "worker", password, home)
	if err != nil {
		t.Fatal(err)
	}
	for range 6 {
		_, _, err := h.SignIn(t.Context(), "worker", "Wrong-Horse-77", home)
		wantCode(t, "a wrong password", err, "unauthenticated")
	}
	_, err = h.Unlock(t.Context(), h.as(h.first.SecurityAdmin), u.ID, 0)
	wantCode(t, "unlocking without the right", err, "forbidden")
	if u, err = h.Unlock(t.Context(), h.as(h.first.SystemAdmin), u.ID, 0); err != nil || u.LockedUntil != nil {
		t.Fatalf("unlocking: %+v, %v", u, err)
	}
	_, err = h.Unlock(t.Context(), h.as(h.first.SystemAdmin), u.ID, 0)
	wantCode(t, "unlocking twice", err, "not_locked")
	token, session, err := h.SignIn(t.Context(), "worker", password, home)
	if err != nil || session.Since.Failed != 6 || session.Since.LastSignInAt == nil {
		t.Fatalf("session %+v, %v", session, err)
	}

	p, err := h.Authenticate(t.Context(), token, home)
	if err != nil {
		t.Fatal(err)
	}
	list, err := h.Sessions(t.Context(), p)
	if err != nil || len(list) != 2 || !list[0].Current || list[1].Current || list[1].Address != home.String() {
		t.Fatalf("sessions %+v, %v", list, err)
	}
	if err := h.EndSession(t.Context(), p, list[1].ID); err != nil {
		t.Fatal(err)
	}
	stranger := h.as(h.first.Auditor)
	wantCode(t, "ending a stranger's session", h.EndSession(t.Context(), stranger, list[0].ID), "not_found")
	if err := authztest.Sync(t.Context(), h.Follower); err != nil {
		t.Fatal(err)
	}
	_, err = h.Authenticate(t.Context(), other, home)
	wantCode(t, "the session that was ended", err, "unauthenticated")
	if n, err := h.SignOutEverywhere(t.Context(), p); err != nil || n != 1 {
		t.Errorf("signing out everywhere ended %d, %v", n, err)
	}

	h.exec(t, "UPDATE hub_user SET last_sign_in_at = now() - interval '91 days' WHERE id = $1", u.ID)
	dormant, _, err := h.Users(t.Context(), h.as(h.first.SystemAdmin), identity.UserFilter{DormantFor: 90 * 24 * time.Hour})
	if err != nil || len(dormant) != 1 || dormant[0].ID != u.ID {
		t.Errorf("dormant accounts: %+v, %v", dormant, err)
	}
}
