package secret

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"math/big"
	"strings"
)

// base62 is the alphabet of tokens: no sign that a shell, a URL or a double click would break at, and no dot, which
// separates a key id from its secret.
const base62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

const (
	tokenBytes = 32
	tokenChars = 43 // ⌈256 / log2(62)⌉
	keyIDBytes = 12
	keyIDChars = 17 // ⌈96 / log2(62)⌉
)

// NewToken returns prefix followed by 256 random bits as 43 base62 characters, and the hash to store (HashToken). The
// token is shown once and not stored.
func NewToken(prefix string) (token string, hash []byte) {
	token = prefix + randomText(tokenBytes, tokenChars)
	return token, HashToken(token)
}

// NewKeyID returns prefix followed by 96 random bits as 17 base62 characters: the public name of a key, not a secret.
func NewKeyID(prefix string) string { return prefix + randomText(keyIDBytes, keyIDChars) }

func randomText(size, width int) string {
	raw := make([]byte, size)
	_, _ = rand.Read(raw) // never fails
	n, digit, base := new(big.Int).SetBytes(raw), new(big.Int), big.NewInt(int64(len(base62)))
	text := []byte(strings.Repeat("0", width))
	for i := width - 1; n.Sign() > 0; i-- {
		n.DivMod(n, base, digit)
		text[i] = base62[digit.Int64()]
	}
	return string(text)
}

// HashToken returns the SHA-256 of a whole token, prefix included, 32 bytes. A token has 256 random bits, so a fast
// hash without salt is enough: there is nothing to guess.
func HashToken(token string) []byte {
	sum := sha256.Sum256([]byte(token))
	return sum[:]
}

// Equal compares two hashes in a time that does not depend on where they differ.
func Equal(a, b []byte) bool { return subtle.ConstantTimeCompare(a, b) == 1 }
