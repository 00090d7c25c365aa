package pull_test

import (
	"testing"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/internal/secret"
)

// ridKey is the key of _rid of every grant in the tests.
var ridKey = []byte("0123456789abcdef0123456789abcdef")

// sealRidKey seals the key as the sharing service keeps it.
func sealRidKey(t testing.TB, k *secret.Keyring, grant uuid.UUID) []byte {
	t.Helper()
	sealed, err := k.Seal("grant-rid", ridKey, grant[:])
	if err != nil {
		t.Fatal(err)
	}
	return sealed
}
