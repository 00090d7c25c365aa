package secret_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/shuqiao/shuqiao/internal/secret"
)

func open(t *testing.T, dir string) *secret.Keyring {
	t.Helper()
	k, err := secret.OpenKeyring(dir)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func seal(t *testing.T, k *secret.Keyring, purpose, text, aad string) []byte {
	t.Helper()
	sealed, err := k.Seal(purpose, []byte(text), []byte(aad))
	if err != nil {
		t.Fatal(err)
	}
	return sealed
}

// The first opening makes a 0600 file in a folder of its own; later openings read the same keys from it.
func TestOpenKeyringCreatesOnce(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	first := open(t, dir)
	info, err := os.Stat(filepath.Join(dir, secret.KeyFileName))
	if err != nil || info.Mode() != 0o600 {
		t.Fatalf("got %v, %v; want mode 0600", info, err)
	}
	second := open(t, dir)
	if first.KeyID() != second.KeyID() || !bytes.Equal(first.Derive("x"), second.Derive("x")) {
		t.Error("the second opening has other keys")
	}
	sealed := seal(t, first, "p", "text", "row 1")
	if got, err := second.Open("p", sealed, []byte("row 1")); err != nil || string(got) != "text" {
		t.Errorf("got %q, %v", got, err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		t.Errorf("the folder holds %v, %v; want the key file alone", entries, err)
	}
}

// Hubs that start at the same moment on one folder end with the same key.
func TestOpenKeyringAtOnce(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ids := make([]string, 16)
	var group sync.WaitGroup
	for i := range ids {
		group.Go(func() {
			k, err := secret.OpenKeyring(dir)
			if err != nil {
				t.Error(err)
				return
			}
			ids[i] = k.KeyID()
		})
	}
	group.Wait()
	for _, id := range ids {
		if id == "" || id != ids[0] {
			t.Fatalf("got different keys: %v", ids)
		}
	}
}

// A key file that others can use or that is damaged is refused, never replaced, and never shown in the error.
func TestOpenKeyringRefuses(t *testing.T) {
	t.Parallel()
	const key = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
	const line = "shuqiao-key-1 01020304 " + key + "\n"
	for name, test := range map[string]struct {
		content string
		mode    os.FileMode
	}{
		"readable by the group": {line, 0o640},
		"writable by all":       {line, 0o602},
		"empty":                 {"", 0o600},
		"only a comment":        {"# nothing\n", 0o600},
		"short key":             {"shuqiao-key-1 01020304 AAAA\n", 0o600},
		"bad id":                {"shuqiao-key-1 0102 " + key + "\n", 0o600},
		"unknown version":       {"shuqiao-key-9 01020304 " + key + "\n", 0o600},
		"same id twice":         {line + line, 0o600},
		"second line damaged":   {line + "shuqiao-key-1 01020305 " + key[1:] + "\n", 0o600},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			path := filepath.Join(dir, secret.KeyFileName)
			if err := os.WriteFile(path, []byte(test.content), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(path, test.mode); err != nil {
				t.Fatal(err)
			}
			_, err := secret.OpenKeyring(dir)
			if err == nil {
				t.Fatal("the file was taken")
			}
			if strings.Contains(err.Error(), key[1:]) {
				t.Errorf("the error shows the key: %v", err)
			}
			if now, err := os.ReadFile(path); err != nil || string(now) != test.content {
				t.Errorf("the file was changed: %v", err)
			}
		})
	}
}

// Sealed data opens only whole, for its purpose and with its associated data: any changed byte is noticed.
func TestOpenRefusesTampering(t *testing.T) {
	t.Parallel()
	k := open(t, t.TempDir())
	sealed := seal(t, k, "source", "dsn of a database", "source 1")
	if bytes.Contains(sealed, []byte("database")) || len(sealed) != len("dsn of a database")+secret.Overhead {
		t.Errorf("unexpected envelope %x", sealed)
	}
	if again := seal(t, k, "source", "dsn of a database", "source 1"); bytes.Equal(again, sealed) {
		t.Error("sealing twice gives the same bytes")
	}
	refused := func(name, purpose string, sealed []byte, aad string) {
		t.Helper()
		if got, err := k.Open(purpose, sealed, []byte(aad)); !errors.Is(err, secret.ErrSealed) || got != nil {
			t.Errorf("%s: got %q, %v; want ErrSealed", name, got, err)
		}
	}
	refused("wrong purpose", "cursor", sealed, "source 1")
	refused("wrong associated data", "source", sealed, "source 2")
	refused("no associated data", "source", sealed, "")
	for i := range sealed {
		altered := bytes.Clone(sealed)
		altered[i] ^= 1
		refused(fmt.Sprintf("byte %d altered", i), "source", altered, "source 1")
		refused(fmt.Sprintf("cut at %d", i), "source", sealed[:i], "source 1")
	}
	refused("one byte more", "source", append(bytes.Clone(sealed), 0), "source 1")
	if _, err := open(t, t.TempDir()).Open("source", sealed, []byte("source 1")); !errors.Is(err, secret.ErrKeyUnknown) {
		t.Errorf("another hub's key: got %v, want ErrKeyUnknown", err)
	}
	empty := seal(t, k, "source", "", "")
	if got, err := k.Open("source", empty, nil); err != nil || len(got) != 0 {
		t.Errorf("empty text: got %q, %v", got, err)
	}
}

// After a rotation new data is sealed by the new key and the old data still opens.
func TestRotateKeyring(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	before := open(t, dir)
	old := seal(t, before, "p", "kept", "")
	if err := secret.RotateKeyring(dir); err != nil {
		t.Fatal(err)
	}
	after := open(t, dir)
	if after.KeyID() == before.KeyID() {
		t.Error("the key did not change")
	}
	if got, err := after.Open("p", old, nil); err != nil || string(got) != "kept" {
		t.Errorf("old data: got %q, %v", got, err)
	}
	fresh := seal(t, after, "p", "new", "")
	if _, err := before.Open("p", fresh, nil); !errors.Is(err, secret.ErrKeyUnknown) {
		t.Errorf("new data under the old ring: got %v", err)
	}
	if !after.NeedsReseal(old) || after.NeedsReseal(fresh) {
		t.Error("NeedsReseal does not tell old from new")
	}
	if info, err := os.Stat(filepath.Join(dir, secret.KeyFileName)); err != nil || info.Mode() != 0o600 {
		t.Errorf("got %v, %v; want mode 0600", info, err)
	}
}

// Derived keys differ by purpose, and a key ring prints its key id and nothing else.
func TestDeriveAndPrinting(t *testing.T) {
	t.Parallel()
	k := open(t, t.TempDir())
	a, b := k.Derive("cursor"), k.Derive("session")
	if len(a) != 32 || bytes.Equal(a, b) {
		t.Errorf("got %d bytes; equal %v", len(a), bytes.Equal(a, b))
	}
	want := "keyring " + k.KeyID()
	if got := fmt.Sprintf("%v %+v %#v %s", k, k, k, k); got != strings.Join([]string{want, want, want, want}, " ") {
		t.Errorf("got %q", got)
	}
}
