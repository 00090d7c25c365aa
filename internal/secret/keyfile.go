package secret

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// KeyFileName is the name of the master key file inside the data folder.
const KeyFileName = "hub.key"

const (
	keyFileMark = "shuqiao-key-1" // first word of every line; the number is the file's version
	keySize     = 32
	keyIDSize   = 4
)

// masterKey is one line of the key file.
type masterKey struct {
	id  [keyIDSize]byte
	key [keySize]byte
}

func newMasterKey() masterKey {
	var m masterKey
	// crypto/rand.Read never returns an error: it ends the program when the system has no randomness.
	_, _ = rand.Read(m.id[:])
	_, _ = rand.Read(m.key[:])
	return m
}

func (m masterKey) line() string {
	return keyFileMark + " " + hex.EncodeToString(m.id[:]) + " " + base64.StdEncoding.EncodeToString(m.key[:]) + "\n"
}

// OpenKeyring reads <dir>/hub.key and creates it, with the folder, when it does not exist. Several processes may do so
// at once: one file wins and all read it. A file that other users can read or write is refused, and so is one that
// cannot be understood, since a new key would make everything sealed unreadable.
func OpenKeyring(dir string) (*Keyring, error) {
	path := filepath.Join(dir, KeyFileName)
	keys, err := readKeyFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, fmt.Errorf("creating the data folder: %w", err)
		}
		err = writeKeyFile(path, []masterKey{newMasterKey()}, os.Link)
		if err != nil && !errors.Is(err, fs.ErrExist) {
			return nil, fmt.Errorf("creating the key file: %w", err)
		}
		keys, err = readKeyFile(path)
	}
	if err != nil {
		return nil, fmt.Errorf("reading the key file %s: %w", path, err)
	}
	return newKeyring(keys), nil
}

// RotateKeyring puts a new master key in front of the ones in <dir>/hub.key. From the next OpenKeyring on, Seal and
// Derive use the new key; Open still opens what the older ones sealed. Call it with no hub running on the folder.
func RotateKeyring(dir string) error {
	path := filepath.Join(dir, KeyFileName)
	keys, err := readKeyFile(path)
	if err != nil {
		return fmt.Errorf("reading the key file %s: %w", path, err)
	}
	keys = append([]masterKey{newMasterKey()}, keys...)
	if err := writeKeyFile(path, keys, os.Rename); err != nil {
		return fmt.Errorf("replacing the key file: %w", err)
	}
	return nil
}

// writeKeyFile writes a complete file beside path and brings it to its name by place (os.Link keeps an existing file,
// os.Rename replaces it), so that nobody ever reads half a file.
func writeKeyFile(path string, keys []masterKey, place func(from, to string) error) (err error) {
	temporary, err := os.CreateTemp(filepath.Dir(path), KeyFileName+".*") // mode 0600
	if err != nil {
		return err
	}
	defer func() {
		// After os.Rename the name is gone, which is what is wanted.
		if removeErr := os.Remove(temporary.Name()); err == nil && !errors.Is(removeErr, fs.ErrNotExist) {
			err = removeErr
		}
	}()
	var text strings.Builder
	for _, m := range keys {
		text.WriteString(m.line())
	}
	_, err = io.WriteString(temporary, text.String())
	if err == nil {
		err = temporary.Sync()
	}
	if closeErr := temporary.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return err
	}
	if err := place(temporary.Name(), path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	err = d.Sync()
	if closeErr := d.Close(); err == nil {
		err = closeErr
	}
	return err
}

// readKeyFile returns the keys of a file, at least one, the current one first.
func readKeyFile(path string) ([]masterKey, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("it is not a file")
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("other users may use it (mode %04o); set mode 0600", info.Mode().Perm())
	}
	var keys []masterKey
	lines := bufio.NewScanner(io.LimitReader(file, 64<<10))
	for number := 1; lines.Scan(); number++ {
		line := bytes.TrimSpace(lines.Bytes())
		if len(line) == 0 || line[0] == '#' {
			continue
		}
		m, err := parseKeyLine(string(line))
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", number, err)
		}
		for _, other := range keys {
			if other.id == m.id {
				return nil, fmt.Errorf("line %d: the key id occurs twice", number)
			}
		}
		keys = append(keys, m)
	}
	if err := lines.Err(); err != nil {
		return nil, err
	}
	if len(keys) == 0 {
		return nil, errors.New("it holds no key; restore it from a backup")
	}
	return keys, nil
}

// parseKeyLine reads "shuqiao-key-1 <8 hex digits> <32 bytes in base64>". Its errors never repeat the line.
func parseKeyLine(line string) (masterKey, error) {
	var m masterKey
	words := strings.Fields(line)
	if len(words) != 3 || words[0] != keyFileMark {
		return m, errors.New("it is not a key line; restore the file from a backup")
	}
	id, err := hex.DecodeString(words[1])
	if err != nil || len(id) != keyIDSize {
		return m, errors.New("the key id is damaged; restore the file from a backup")
	}
	key, err := base64.StdEncoding.DecodeString(words[2])
	if err != nil || len(key) != keySize {
		return m, errors.New("the key is damaged; restore the file from a backup")
	}
	copy(m.id[:], id)
	copy(m.key[:], key)
	return m, nil
}
