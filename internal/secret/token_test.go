package secret_test

import (
	"bytes"
	"encoding/hex"
	"regexp"
	"testing"

	"github.com/shuqiao/shuqiao/internal/secret"
)

// Tokens have the prefix and 43 base62 characters, are new each time, and are known again by their hash alone.
func TestTokens(t *testing.T) {
	t.Parallel()
	form := regexp.MustCompile(`^sqs_[0-9A-Za-z]{43}$`)
	idForm := regexp.MustCompile(`^sqk_[0-9A-Za-z]{17}$`)
	seen := map[string]bool{}
	for range 2000 {
		token, hash := secret.NewToken("sqs_")
		id := secret.NewKeyID("sqk_")
		if !form.MatchString(token) || !idForm.MatchString(id) || seen[token] || seen[id] {
			t.Fatalf("token %q, id %q", token, id)
		}
		seen[token], seen[id] = true, true
		if !secret.Equal(hash, secret.HashToken(token)) || bytes.Contains(hash, []byte(token)) {
			t.Fatal("the hash does not belong to the token")
		}
	}
	token, hash := secret.NewToken("sqs_")
	for _, other := range []string{"", token[4:], token + "0", "sqk_" + token[4:]} {
		if secret.Equal(hash, secret.HashToken(other)) {
			t.Errorf("%q passes for the token", other)
		}
	}
}

// HashToken is SHA-256. Source of the vector: FIPS 180-4, "abc".
func TestHashTokenVector(t *testing.T) {
	t.Parallel()
	const want = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
	if got := hex.EncodeToString(secret.HashToken("abc")); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if secret.Equal([]byte{1}, []byte{1, 0}) || !secret.Equal(nil, nil) {
		t.Error("Equal mixes up lengths")
	}
}
