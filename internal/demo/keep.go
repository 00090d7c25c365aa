package demo

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// Names of the files in the data folder.
const (
	keptFile  = "demo-keys.json" // What later starts need to know: passwords, secrets, and what has to be put back.
	readyFile = "demo.json"      // What people and testers need; written when the story has ended well.
)

// kept is what survives from one start to the next. It is written before what it describes is done, so that no password or
// secret exists that nobody knows.
type kept struct {
	Scale   float64            `json:"scale"`
	Users   map[string]string  `json:"users"`   // Password by user name.
	Roles   map[string]string  `json:"roles"`   // Password by database role.
	Clients map[string]keptKey `json:"clients"` // By short name.
	Altered *alteredEvent      `json:"altered_event,omitempty"`
	// Suspended says that a suspension in the middle of a stream was shown and undone.
	Suspended bool `json:"suspended"`
}

// keptKey is the key of a consuming system.
type keptKey struct {
	KeyID  string `json:"key_id"`
	Secret string `json:"secret"`
}

// alteredEvent is an event as it was before the story altered it.
type alteredEvent struct {
	ID   string `json:"id"`
	Body []byte `json:"body"`
}

// keeper reads and writes what is kept.
type keeper struct {
	dir string
	kept
}

// openKept reads what earlier starts kept; nothing kept is no error.
func openKept(dir string) (*keeper, error) {
	k := &keeper{dir: dir}
	raw, err := os.ReadFile(filepath.Join(dir, keptFile))
	switch {
	case errors.Is(err, os.ErrNotExist):
	case err != nil:
		return nil, fmt.Errorf("reading what earlier starts kept: %w", err)
	default:
		if err := json.Unmarshal(raw, &k.kept); err != nil {
			return nil, fmt.Errorf("reading %s: %w; remove it together with the data folder to start anew", filepath.Join(dir, keptFile), err)
		}
	}
	for _, m := range []*map[string]string{&k.Users, &k.Roles} {
		if *m == nil {
			*m = map[string]string{}
		}
	}
	if k.Clients == nil {
		k.Clients = map[string]keptKey{}
	}
	return k, nil
}

// save writes what is kept, completely or not at all.
func (k *keeper) save() error { return writeJSON(filepath.Join(k.dir, keptFile), k.kept) }

// password returns the password kept under a name, a new one the first time. Call save before using it.
func password(m map[string]string, name string) string {
	if m[name] == "" {
		m[name] = newPassword()
	}
	return m[name]
}

// newPassword returns 120 random bits in a form that every rule on passwords accepts.
func newPassword() string {
	raw := make([]byte, 15)
	_, _ = rand.Read(raw) // Never fails: crypto/rand ends the program instead.
	return "Sq7-" + base64.RawURLEncoding.EncodeToString(raw)
}

// writeJSON replaces a file that only its owner may read. A reader sees the old file or the new one, never a part.
func writeJSON(path string, v any) (err error) {
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("encoding %s: %w", filepath.Base(path), err)
	}
	file, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".new-*") // Mode 0600.
	if err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	_, err = file.Write(append(text, '\n'))
	err = errors.Join(err, file.Sync(), file.Close())
	if err == nil {
		err = os.Rename(file.Name(), path)
	}
	if err != nil {
		_ = os.Remove(file.Name())
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return nil
}
