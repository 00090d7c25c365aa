package secret

import (
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"golang.org/x/crypto/chacha20poly1305"
)

// ErrSealed: the sealed bytes were not made by this key ring for this purpose and these associated data, or were
// altered. Which of these is not said. A caller answers as for any unknown text (a cursor: cursor_invalid).
var ErrSealed = errors.New("sealed data cannot be opened")

// ErrKeyUnknown is an ErrSealed: the key that sealed the data is not in the key file, so the file is not the one that
// belongs to the database. The operator restores hub.key from a backup.
var ErrKeyUnknown = fmt.Errorf("the sealing key is not in the key file: %w", ErrSealed)

// Layout of sealed bytes: version, key id, nonce, then ciphertext with its 16-byte tag.
const (
	envelopeVersion = 1
	headerSize      = 1 + keyIDSize
	minSealed       = headerSize + chacha20poly1305.NonceSizeX + chacha20poly1305.Overhead
)

// Overhead is how many bytes Seal adds to the plaintext.
const Overhead = minSealed

// Keyring holds the master keys. Each purpose has its own subkey, so that what was sealed for one cannot be opened for
// another. It may be used by several goroutines.
type Keyring struct {
	current masterKey
	keys    map[[keyIDSize]byte]masterKey
	aeads   sync.Map // aeadName to cipher.AEAD; bounded by keys × purposes, which the program's text fixes
}

type aeadName struct {
	id      [keyIDSize]byte
	purpose string
}

func newKeyring(keys []masterKey) *Keyring {
	k := &Keyring{current: keys[0], keys: map[[keyIDSize]byte]masterKey{}}
	for _, m := range keys {
		k.keys[m.id] = m
	}
	return k
}

// String keeps keys out of logs: it names the current key id only.
func (k *Keyring) String() string { return "keyring " + k.KeyID() }

// GoString returns what String returns.
func (k *Keyring) GoString() string { return k.String() }

// LogValue returns what String returns.
func (k *Keyring) LogValue() slog.Value { return slog.StringValue(k.String()) }

// KeyID returns the id of the key that Seal uses, 8 hexadecimal digits. It is not secret.
func (k *Keyring) KeyID() string { return hex.EncodeToString(k.current.id[:]) }

// Derive returns 32 bytes that only this key ring and purpose give: HKDF-SHA-256 (RFC 5869) of the current master key.
// They change when the master key is rotated, so what must outlive a rotation (a pseudonym key) is made by random
// bytes and stored sealed instead. purpose is a constant of the program.
func (k *Keyring) Derive(purpose string) []byte { return derive(k.current, "derive", purpose) }

// derive separates sealing keys from those handed out, so that a caller of Derive cannot open sealed data.
func derive(m masterKey, use, purpose string) []byte {
	key, err := hkdf.Key(sha256.New, m.key[:], nil, "shuqiao/1/"+use+"/"+purpose, keySize)
	if err != nil {
		// hkdf refuses only lengths beyond 255 hashes; ours is one.
		panic("secret: deriving a key: " + err.Error())
	}
	return key
}

func (k *Keyring) aead(m masterKey, purpose string) (cipher.AEAD, error) {
	name := aeadName{m.id, purpose}
	if known, ok := k.aeads.Load(name); ok {
		return known.(cipher.AEAD), nil
	}
	aead, err := chacha20poly1305.NewX(derive(m, "seal", purpose))
	if err != nil {
		return nil, fmt.Errorf("preparing the cipher: %w", err)
	}
	k.aeads.Store(name, aead)
	return aead, nil
}

// Seal encrypts plaintext by XChaCha20-Poly1305 under the purpose's key. aad is bound to it but not stored: Open needs
// the same bytes, for example the id of the row that holds the result, so that a sealed value cannot be moved to another row.
func (k *Keyring) Seal(purpose string, plaintext, aad []byte) ([]byte, error) {
	aead, err := k.aead(k.current, purpose)
	if err != nil {
		return nil, err
	}
	sealed := make([]byte, headerSize+chacha20poly1305.NonceSizeX, len(plaintext)+Overhead)
	sealed[0] = envelopeVersion
	copy(sealed[1:], k.current.id[:])
	nonce := sealed[headerSize:]
	_, _ = rand.Read(nonce) // never fails
	return aead.Seal(sealed, nonce, plaintext, bindHeader(sealed[:headerSize], aad)), nil
}

// Open returns what Seal was given. It returns ErrSealed, or ErrKeyUnknown, which is one.
func (k *Keyring) Open(purpose string, sealed, aad []byte) ([]byte, error) {
	if len(sealed) < minSealed || sealed[0] != envelopeVersion {
		return nil, ErrSealed
	}
	m, ok := k.keys[[keyIDSize]byte(sealed[1:headerSize])]
	if !ok {
		return nil, ErrKeyUnknown
	}
	aead, err := k.aead(m, purpose)
	if err != nil {
		return nil, err
	}
	nonce := sealed[headerSize : headerSize+chacha20poly1305.NonceSizeX]
	plaintext, err := aead.Open(nil, nonce, sealed[headerSize+len(nonce):], bindHeader(sealed[:headerSize], aad))
	if err != nil {
		return nil, ErrSealed
	}
	return plaintext, nil
}

// NeedsReseal reports whether sealed was made by an older key than Seal uses now.
func (k *Keyring) NeedsReseal(sealed []byte) bool {
	return len(sealed) < minSealed || [keyIDSize]byte(sealed[1:headerSize]) != k.current.id
}

// bindHeader is the AEAD's associated data: the envelope's header with its length, then the caller's.
func bindHeader(header, aad []byte) []byte {
	bound := binary.BigEndian.AppendUint32(make([]byte, 0, 4+len(header)+len(aad)), uint32(len(header)))
	return append(append(bound, header...), aad...)
}
