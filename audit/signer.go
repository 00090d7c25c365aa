package audit

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/mod/sumdb/note"

	"github.com/shuqiao/shuqiao/internal/fault"
)

// KeyFile is the name of the file in the data folder that holds the key which signs checkpoints.
const KeyFile = "audit.key"

// LoadOrCreateSigner returns the signer whose key lies in dir, making one at the first call (file mode 0600), and the
// verifier key that others need to check its checkpoints, in the form "<name>+<hash>+<key>" of golang.org/x/mod/sumdb/note.
// Show the verifier key to the operator and keep it outside the machine. The signer's name is "shuqiao-" and eight random
// digits, so that checkpoints of several hubs can be told apart. A key file that others may read, or that is damaged, is an
// Invalid fault "audit_key".
func LoadOrCreateSigner(dir string) (signer note.Signer, verifierKey string, err error) {
	path := filepath.Join(dir, KeyFile)
	if err := createKey(path); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, "", fmt.Errorf("creating the audit key: %w", err)
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, "", fmt.Errorf("reading the audit key: %w", err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, "", fault.New(fault.Invalid, "audit_key", "the audit key %s can be read by others; set its mode to 0600", path)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, "", fmt.Errorf("reading the audit key: %w", err)
	}
	secret := strings.TrimSpace(string(text))
	signer, err = note.NewSigner(secret)
	if err == nil {
		verifierKey, err = verifierOf(secret)
	}
	if err != nil {
		// The cause is left out: it may quote the key.
		return nil, "", fault.New(fault.Invalid, "audit_key", "the audit key %s is damaged; restore it from the backup, or move it away to begin a new one", path)
	}
	return signer, verifierKey, nil
}

// createKey writes a new key under a temporary name and links it into place, so that a file of the right name is always
// whole, and of two processes that start at once one wins.
func createKey(path string) error {
	if _, err := os.Stat(path); err == nil {
		return fs.ErrExist
	}
	var suffix [4]byte
	_, _ = rand.Read(suffix[:]) // Never fails: crypto/rand ends the process instead.
	secret, _, err := note.GenerateKey(rand.Reader, "shuqiao-"+hex.EncodeToString(suffix[:]))
	if err != nil {
		return err
	}
	file, err := os.CreateTemp(filepath.Dir(path), KeyFile+".*") // Mode 0600.
	if err != nil {
		return err
	}
	defer os.Remove(file.Name())
	_, err = file.WriteString(secret + "\n")
	if err := errors.Join(err, file.Sync(), file.Close()); err != nil {
		return err
	}
	return os.Link(file.Name(), path)
}

// verifierOf derives the public half of a key in the form PRIVATE+KEY+<name>+<hash>+<base64 of algorithm and seed>.
func verifierOf(secret string) (string, error) {
	parts := strings.SplitN(secret, "+", 5)
	if len(parts) != 5 {
		return "", errors.New("malformed key")
	}
	key, err := base64.StdEncoding.DecodeString(parts[4])
	if err != nil || len(key) != 1+ed25519.SeedSize {
		return "", errors.New("malformed key")
	}
	public, ok := ed25519.NewKeyFromSeed(key[1:]).Public().(ed25519.PublicKey)
	if !ok {
		return "", errors.New("malformed key")
	}
	return note.NewEd25519VerifierKey(parts[2], public)
}
