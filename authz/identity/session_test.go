package identity_test

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/authz/authztest"
	"github.com/shuqiao/shuqiao/internal/secret"
)

// A person signs in, is known by the token on every node, and is unknown after signing out, on every node within a second.
func TestSignInAndOut(t *testing.T) {
	t.Parallel()
	h := start(t)
	_, other := serve(t, h.url)
	u := h.user(t, "worker", h.water, authz.DeptAdmin)
	token, session, err := h.SignIn(t.Context(), "worker", password, home)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(token, "sqs_") || session.ExpiresAt.Sub(session.CreatedAt) != 8*time.Hour {
		t.Errorf("token %.4s…, session %+v", token, session)
	}
	p, err := other.Authenticate(t.Context(), token, home)
	if err != nil {
		t.Fatal(err)
	}
	if p.ID != u.ID || p.Department != h.water || p.Session != session.ID || p.Name != "worker" || !p.Has(authz.DeptAdmin) {
		t.Errorf("got %+v", p)
	}
	for name, forged := range map[string]string{
		"nothing": "", "another secret": token[:len(token)-1] + "!", "no secret": token[:36], "no id": "sqs_." + token[37:],
		"another kind": "sqx_1.2", "a key of nobody": "sqk_nobody.secret", "a key without a secret": "sqk_nobody",
		"a session of nobody": "sqs_" + strings.Repeat("0", 32) + token[36:], "endless": "sqk_" + strings.Repeat("x", 1<<16) + ".y",
	} {
		_, err := other.Authenticate(t.Context(), forged, home)
		wantCode(t, name, err, "unauthenticated")
	}
	var stored []byte
	if err := h.DB.Pool.QueryRow(t.Context(), "SELECT token_hash FROM session WHERE id = $1", session.ID).Scan(&stored); err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(stored, []byte(token)) || !bytes.Equal(stored, secret.HashToken(token)) {
		t.Error("the stored hash is not that of the token")
	}
	if err := h.SignOut(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	until(t, time.Second, "the other node to refuse the session", func() bool {
		_, err := other.Authenticate(t.Context(), token, home)
		return err != nil
	})
	wantCode(t, "signing out twice", h.SignOut(t.Context(), p), "not_found")
}

// Unknown names, wrong passwords, locked and disabled accounts are answered alike. Five wrong passwords lock the account for
// 30 minutes, also for the right one; a success in between starts the count anew.
func TestFailedSignIns(t *testing.T) {
	t.Parallel()
	h := start(t)
	u := h.user(t, "worker", h.water)
	try := func(name string, text secret.Secret) error {
		_, _, err := h.SignIn(t.Context(), name, text, home)
		return err
	}
	unknown := try("nobody", password)
	wantCode(t, "an unknown name", unknown, "unauthenticated")
	for range 4 {
		if diff := cmp.Diff(unknown.Error(), try("worker", "Wrong-Horse-7").Error()); diff != "" {
			t.Errorf("a wrong password is answered differently:\n%s", diff)
		}
	}
	wantCode(t, "the right password after four wrong ones", try("worker", password), "")
	for range 5 {
		wantCode(t, "a wrong password", try("worker", "Wrong-Horse-7"), "unauthenticated")
	}
	locked := try("worker", password)
	if locked == nil || locked.Error() != unknown.Error() {
		t.Errorf("a locked account: got %v", locked)
	}
	read, err := h.User(t.Context(), h.as(h.first.SystemAdmin), u.ID)
	if err != nil || read.LockedUntil == nil || time.Until(*read.LockedUntil).Round(time.Minute) != 30*time.Minute {
		t.Errorf("locked until %v, %v", read.LockedUntil, err)
	}
	h.exec(t, "UPDATE hub_user SET locked_until = now() - interval '1 second' WHERE id = $1", u.ID)
	wantCode(t, "the right password after the lock", try("worker", password), "")
	if _, err := h.DisableUser(t.Context(), h.as(h.first.SystemAdmin), u.ID, 0); err != nil {
		t.Fatal(err)
	}
	if err := try("worker", password); err == nil || err.Error() != unknown.Error() {
		t.Errorf("a disabled account: got %v", err)
	}
	if got := h.count(t, "SELECT count(*) FROM event WHERE action = 'session.open' AND outcome = 'denied' AND actor_id = $1", u.ID.String()); got != 11 {
		t.Errorf("%d failures were recorded for the account", got)
	}
	if got := h.count(t, "SELECT count(*) FROM event WHERE position('nobody' IN convert_from(body, 'UTF8')) > 0"); got != 0 {
		t.Error("a mistyped name is in the log")
	}
}

// Guessing in parallel gains nothing: whatever the number of guesses under way, the account is locked after five.
func TestParallelGuesses(t *testing.T) {
	t.Parallel()
	h := start(t)
	u := h.user(t, "worker", h.water)
	done := make(chan struct{})
	for range 12 {
		go func() {
			_, _, _ = h.SignIn(t.Context(), "worker", "Wrong-Horse-7", home)
			done <- struct{}{}
		}()
	}
	for range 12 {
		<-done
	}
	read, err := h.User(t.Context(), h.as(h.first.SystemAdmin), u.ID)
	if err != nil || read.LockedUntil == nil {
		t.Errorf("not locked: %+v, %v", read, err)
	}
	_, _, err = h.SignIn(t.Context(), "worker", password, home)
	wantCode(t, "the right password", err, "unauthenticated")
}

// A session ends after 30 minutes without use and after 8 hours whatever the use, by the database's time; what another node
// saw keeps it alive.
func TestSessionsEnd(t *testing.T) {
	t.Parallel()
	h := start(t)
	h.user(t, "worker", h.water)
	for _, c := range []struct {
		name, age string
		want      string
	}{
		{"used lately", "last_seen_at = now() - interval '29 minutes'", ""},
		{"idle", "last_seen_at = now() - interval '31 minutes'", "unauthenticated"},
		{"old", "expires_at = now() - interval '1 second'", "unauthenticated"},
	} {
		token, session, err := h.SignIn(t.Context(), "worker", password, home)
		if err != nil {
			t.Fatal(err)
		}
		h.exec(t, "UPDATE session SET "+c.age+" WHERE id = $1", session.ID)
		_, err = h.Authenticate(t.Context(), token, home)
		wantCode(t, c.name, err, c.want)
	}
	// This node remembers a use 40 minutes ago; another has written a newer one since.
	token, session, err := h.SignIn(t.Context(), "worker", password, home)
	if err != nil {
		t.Fatal(err)
	}
	_, other := serve(t, h.url)
	h.exec(t, "UPDATE session SET last_seen_at = now() - interval '20 minutes' WHERE id = $1", session.ID)
	if _, err := other.Authenticate(t.Context(), token, home); err != nil {
		t.Fatal(err)
	}
	if got := h.count(t, "SELECT count(*) FROM session WHERE id = $1 AND last_seen_at > now() - interval '1 minute'", session.ID); got != 1 {
		t.Error("the use was not written down")
	}
}

// Disabling an account ends its sessions on every node within a second, and enabling it again does not bring them back.
// Roles that are taken away are gone from the next call within a second.
func TestDisablingAndRolesReachSessions(t *testing.T) {
	t.Parallel()
	h := start(t)
	_, other := serve(t, h.url)
	u := h.user(t, "worker", h.water, authz.DeptAdmin)
	token, _, err := h.SignIn(t.Context(), "worker", password, home)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := other.Authenticate(t.Context(), token, home); err != nil {
		t.Fatal(err)
	}
	if _, err := h.SetRoles(t.Context(), h.as(h.first.SecurityAdmin), u.ID, 0, []authz.Role{authz.DeptOperator}); err != nil {
		t.Fatal(err)
	}
	until(t, time.Second, "the other node to see the new roles", func() bool {
		p, err := other.Authenticate(t.Context(), token, home)
		return err == nil && !p.Has(authz.DeptAdmin) && p.Has(authz.DeptOperator)
	})
	if _, err := h.DisableUser(t.Context(), h.as(h.first.SystemAdmin), u.ID, 0); err != nil {
		t.Fatal(err)
	}
	until(t, time.Second, "the other node to refuse", func() bool {
		_, err := other.Authenticate(t.Context(), token, home)
		return err != nil
	})
	_, err = h.DisableUser(t.Context(), h.as(h.first.SystemAdmin), u.ID, 0)
	wantCode(t, "disabling twice", err, "illegal_move")
	if _, err := h.EnableUser(t.Context(), h.as(h.first.SystemAdmin), u.ID, 0); err != nil {
		t.Fatal(err)
	}
	if err := authztest.Sync(t.Context(), h.Follower); err != nil {
		t.Fatal(err)
	}
	_, err = h.Authenticate(t.Context(), token, home)
	wantCode(t, "the old session after enabling", err, "unauthenticated")
	if _, _, err := h.SignIn(t.Context(), "worker", password, home); err != nil {
		t.Errorf("signing in after enabling: %v", err)
	}
}

// A new password needs the present one, follows the rules, and ends the other sessions but not the one it was set in.
func TestChangePassword(t *testing.T) {
	t.Parallel()
	h := start(t)
	h.user(t, "worker", h.water)
	mine, _, err := h.SignIn(t.Context(), "worker", password, home)
	if err != nil {
		t.Fatal(err)
	}
	elsewhere, _, err := h.SignIn(t.Context(), "worker", password, home)
	if err != nil {
		t.Fatal(err)
	}
	p, err := h.Authenticate(t.Context(), mine, home)
	if err != nil {
		t.Fatal(err)
	}
	const next = "Battery-Staple-8"
	wantCode(t, "a wrong present password", h.ChangePassword(t.Context(), p, "Wrong-Horse-7", next), "unauthenticated")
	wantCode(t, "a weak password", h.ChangePassword(t.Context(), p, password, "weak"), "invalid")
	wantCode(t, "the same password", h.ChangePassword(t.Context(), p, password, password), "invalid")
	if err := h.ChangePassword(t.Context(), p, password, next); err != nil {
		t.Fatal(err)
	}
	if err := authztest.Sync(t.Context(), h.Follower); err != nil {
		t.Fatal(err)
	}
	_, err = h.Authenticate(t.Context(), mine, home)
	wantCode(t, "this session", err, "")
	_, err = h.Authenticate(t.Context(), elsewhere, home)
	wantCode(t, "the other session", err, "unauthenticated")
	_, _, err = h.SignIn(t.Context(), "worker", password, home)
	wantCode(t, "the old password", err, "unauthenticated")
	_, _, err = h.SignIn(t.Context(), "worker", next, home)
	wantCode(t, "the new password", err, "")
}

// A node whose follower has stopped knows nobody any more.
func TestStaleNodeKnowsNobody(t *testing.T) {
	t.Parallel()
	h := start(t)
	_, _, bearer := h.client(t, h.water)
	if _, err := h.Authenticate(t.Context(), bearer, home); err != nil {
		t.Fatal(err)
	}
	h.Stop()
	_, err := h.Authenticate(t.Context(), bearer, home)
	wantCode(t, "after the follower stopped", err, "policy_stale")
}

// A right password that was being checked while wrong ones locked the account, or while it was disabled or given another
// password, does not get in.
func TestSignInOvertakenByALock(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]string{
		"locked":           "locked_until = now() + interval '30 minutes'",
		"disabled":         "state = 'disabled'",
		"another password": "password_hash = 'another'",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := start(t)
			u := h.user(t, "worker", h.water)
			tx, err := h.DB.Pool.Begin(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = tx.Rollback(context.WithoutCancel(t.Context())) }()
			if _, err := tx.Exec(t.Context(), "UPDATE hub_user SET "+change+" WHERE id = $1", u.ID); err != nil {
				t.Fatal(err)
			}
			done := make(chan error, 1)
			go func() {
				_, _, err := h.SignIn(t.Context(), "worker", password, home)
				done <- err
			}()
			until(t, 10*time.Second, "the sign-in to reach the row", func() bool {
				return h.count(t, "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'") == 1
			})
			if err := tx.Commit(t.Context()); err != nil {
				t.Fatal(err)
			}
			wantCode(t, "the overtaken sign-in", <-done, "unauthenticated")
		})
	}
}
