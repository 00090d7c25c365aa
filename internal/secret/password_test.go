package secret_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/shuqiao/shuqiao/internal/fault"
	"github.com/shuqiao/shuqiao/internal/secret"
)

// cheap are the smallest useful costs, so that tests are fast.
func cheap() secret.PasswordParams {
	return secret.PasswordParams{MemoryKiB: 64, Time: 1, Parallelism: 1, Concurrent: 1}
}

// A password matches its own hash and no other password does; each hash has its own salt.
func TestPasswordRoundTrip(t *testing.T) {
	t.Parallel()
	p := secret.NewPasswords(cheap())
	for _, password := range []secret.Secret{"", "a", "密码𠀀", secret.Secret(strings.Repeat("x", secret.MaxPassword))} {
		stored, err := p.HashPassword(t.Context(), password)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(stored, "$argon2id$v=19$m=64,t=1,p=1$") {
			t.Errorf("got %s", stored)
		}
		if again, err := p.HashPassword(t.Context(), password); err != nil || again == stored {
			t.Errorf("two hashes of one password: equal %v, %v", again == stored, err)
		}
		if match, rehash, err := p.VerifyPassword(t.Context(), stored, password); !match || rehash || err != nil {
			t.Errorf("own password: match %v, rehash %v, %v", match, rehash, err)
		}
		if match, rehash, err := p.VerifyPassword(t.Context(), stored, password+"y"); match || rehash || err != nil {
			t.Errorf("other password: match %v, rehash %v, %v", match, rehash, err)
		}
	}
	_, err := p.HashPassword(t.Context(), secret.Secret(strings.Repeat("x", secret.MaxPassword+1)))
	if fault.KindOf(err) != fault.Invalid || fault.CodeOf(err) != "password_too_long" {
		t.Errorf("too long: got %v", err)
	}
	if err := p.VerifyNobody(t.Context(), "x"); err != nil {
		t.Error(err)
	}
}

// The default costs are those documented, and hashes made with others are said to need a new one.
func TestPasswordRehash(t *testing.T) {
	t.Parallel()
	old, err := secret.NewPasswords(cheap()).HashPassword(t.Context(), "pass")
	if err != nil {
		t.Fatal(err)
	}
	now := secret.NewPasswords(secret.PasswordParams{})
	if match, rehash, err := now.VerifyPassword(t.Context(), old, "pass"); !match || !rehash || err != nil {
		t.Errorf("match %v, rehash %v, %v", match, rehash, err)
	}
	fresh, err := now.HashPassword(t.Context(), "pass")
	if err != nil || !strings.HasPrefix(fresh, "$argon2id$v=19$m=65536,t=1,p=2$") {
		t.Errorf("got %s, %v", fresh, err)
	}
}

// The hash of another implementation verifies. Source: the reference argon2 tool's test suite (phc-winner-argon2
// test.c: argon2id, version 19, t=2, m=2^8, p=1, "password", salt "somesalt").
func TestPasswordReferenceVector(t *testing.T) {
	t.Parallel()
	const stored = "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4"
	match, rehash, err := secret.NewPasswords(cheap()).VerifyPassword(t.Context(), stored, "password")
	if !match || !rehash || err != nil {
		t.Errorf("match %v, rehash %v, %v", match, rehash, err)
	}
}

// A damaged hash, or one whose costs would exhaust the hub, is refused before anything is computed.
func TestDamagedPasswordHash(t *testing.T) {
	t.Parallel()
	const salt, sum = "c29tZXNhbHQ", "nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4"
	for _, stored := range []string{
		"", "plain", "$argon2i$v=19$m=256,t=2,p=1$" + salt + "$" + sum, "$argon2id$v=16$m=256,t=2,p=1$" + salt + "$" + sum,
		"$argon2id$v=19$m=4294967295,t=2,p=1$" + salt + "$" + sum, "$argon2id$v=19$m=256,t=4000000,p=1$" + salt + "$" + sum,
		"$argon2id$v=19$m=256,t=2,p=0$" + salt + "$" + sum, "$argon2id$v=19$m=0256,t=2,p=1$" + salt + "$" + sum,
		"$argon2id$v=19$m=256,t=2,p=1,x=1$" + salt + "$" + sum, "$argon2id$v=19$m=256,t=2,p=1$" + salt + "$",
		"$argon2id$v=19$m=256,t=2,p=1$$" + sum, "$argon2id$v=19$m=256,t=2,p=1$" + salt + "$" + sum + "$", "$argon2id$v=19$m=256,t=2,p=1$!$" + sum,
	} {
		match, _, err := secret.NewPasswords(cheap()).VerifyPassword(t.Context(), stored, "password")
		if match || !errors.Is(err, secret.ErrPasswordHash) {
			t.Errorf("%q: match %v, %v", stored, match, err)
		}
	}
}

// A hash whose caller has gone is not computed, so waiting sign-ins do not pile up work.
func TestPasswordWaitEndsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := secret.NewPasswords(cheap()).HashPassword(ctx, "x")
	if fault.KindOf(err) != fault.Unavailable || fault.CodeOf(err) != "sign_in_busy" || !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
