package secret

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/argon2"

	"github.com/shuqiao/shuqiao/internal/fault"
)

// MaxPassword is the longest password taken, in bytes. Longer ones only cost time.
const MaxPassword = 1024

// PasswordParams are the costs of argon2id (RFC 9106).
type PasswordParams struct {
	MemoryKiB   uint32
	Time        uint32
	Parallelism uint8
	Concurrent  int // hashes computed at the same time; the others wait. It bounds memory to MemoryKiB × Concurrent.
}

// DefaultPasswordParams are 64 MiB, one pass, two lanes and two hashes at a time: about 128 MiB at most.
func DefaultPasswordParams() PasswordParams {
	return PasswordParams{MemoryKiB: 64 << 10, Time: 1, Parallelism: 2, Concurrent: 2}
}

// Bounds of the costs that a stored hash may ask for, so that an altered row cannot exhaust the hub's memory.
const (
	maxMemoryKiB = 256 << 10
	maxTime      = 16
	maxLanes     = 16
)

const (
	saltSize = 16
	hashSize = 32
)

// ErrPasswordHash: a stored password hash is not one that this package wrote.
var ErrPasswordHash = errors.New("the stored password hash is damaged")

// Passwords hashes and verifies passwords. It may be used by several goroutines.
type Passwords struct {
	params PasswordParams
	slots  chan struct{}
}

// NewPasswords returns an argon2id hasher. Zero params are replaced by the default ones, one by one.
func NewPasswords(params PasswordParams) *Passwords {
	d := DefaultPasswordParams()
	if params.MemoryKiB == 0 {
		params.MemoryKiB = d.MemoryKiB
	}
	if params.Time == 0 {
		params.Time = d.Time
	}
	if params.Parallelism == 0 {
		params.Parallelism = d.Parallelism
	}
	if params.Concurrent <= 0 {
		params.Concurrent = d.Concurrent
	}
	return &Passwords{params: params, slots: make(chan struct{}, params.Concurrent)}
}

// HashPassword returns the argon2id hash with its costs and a fresh salt as a PHC string
// ($argon2id$v=19$m=65536,t=1,p=2$salt$hash). It returns an Invalid fault (password_too_long) above MaxPassword bytes,
// and an Unavailable one (sign_in_busy) when ctx ends before its turn comes.
func (p *Passwords) HashPassword(ctx context.Context, password Secret) (string, error) {
	if len(password) > MaxPassword {
		return "", fault.New(fault.Invalid, "password_too_long", "choose a password of at most %d bytes", MaxPassword)
	}
	h := phc{params: p.params, salt: make([]byte, saltSize)}
	_, _ = rand.Read(h.salt) // never fails
	sum, err := p.sum(ctx, h.params, password, h.salt, hashSize)
	if err != nil {
		return "", err
	}
	h.sum = sum
	return h.String(), nil
}

// VerifyPassword reports whether password is the one of the stored PHC string, and whether the string should be
// replaced by a new hash because its costs are not the present ones (only when it matches). It returns ErrPasswordHash,
// or an Unavailable fault (sign_in_busy) when ctx ends before its turn comes. A too long password does not match.
func (p *Passwords) VerifyPassword(ctx context.Context, stored string, password Secret) (match, rehash bool, err error) {
	h, err := parsePHC(stored)
	if err != nil {
		return false, false, err
	}
	if len(password) > MaxPassword {
		return false, false, nil
	}
	sum, err := p.sum(ctx, h.params, password, h.salt, len(h.sum))
	if err != nil {
		return false, false, err
	}
	match = Equal(sum, h.sum)
	now := p.params
	h.params.Concurrent = now.Concurrent
	return match, match && (h.params != now || len(h.sum) != hashSize), nil
}

// VerifyNobody takes as long as VerifyPassword and never matches. A sign-in by an unknown name calls it, so that its
// time does not tell which names exist.
func (p *Passwords) VerifyNobody(ctx context.Context, password Secret) error {
	if len(password) > MaxPassword {
		return nil
	}
	_, err := p.sum(ctx, p.params, password, make([]byte, saltSize), hashSize)
	return err
}

func (p *Passwords) sum(ctx context.Context, params PasswordParams, password Secret, salt []byte, size int) ([]byte, error) {
	busy := fault.New(fault.Unavailable, "sign_in_busy", "too many sign-ins at once; try again in a moment")
	if err := ctx.Err(); err != nil {
		return nil, busy.Wrap(err)
	}
	select {
	case p.slots <- struct{}{}:
		defer func() { <-p.slots }()
	case <-ctx.Done():
		return nil, busy.Wrap(ctx.Err())
	}
	return argon2.IDKey([]byte(password.Reveal()), salt, params.Time, params.MemoryKiB, params.Parallelism, uint32(size)), nil
}

// phc is a parsed PHC string of argon2id.
type phc struct {
	params    PasswordParams
	salt, sum []byte
}

func (h phc) costs() string {
	return fmt.Sprintf("m=%d,t=%d,p=%d", h.params.MemoryKiB, h.params.Time, h.params.Parallelism)
}

func (h phc) String() string {
	b64 := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$%s$%s$%s", argon2.Version, h.costs(), b64.EncodeToString(h.salt), b64.EncodeToString(h.sum))
}

func parsePHC(s string) (phc, error) {
	var h phc
	parts := strings.Split(s, "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" || parts[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return h, ErrPasswordHash
	}
	m := &h.params
	if _, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &m.MemoryKiB, &m.Time, &m.Parallelism); err != nil {
		return h, ErrPasswordHash
	}
	if m.MemoryKiB == 0 || m.MemoryKiB > maxMemoryKiB || m.Time == 0 || m.Time > maxTime || m.Parallelism == 0 || m.Parallelism > maxLanes {
		return h, ErrPasswordHash
	}
	var err error
	if h.salt, err = base64.RawStdEncoding.Strict().DecodeString(parts[4]); err != nil || len(h.salt) < 8 || len(h.salt) > 64 {
		return h, ErrPasswordHash
	}
	if h.sum, err = base64.RawStdEncoding.Strict().DecodeString(parts[5]); err != nil || len(h.sum) < 16 || len(h.sum) > 64 {
		return h, ErrPasswordHash
	}
	if h.String() != s { // Decoding passes over ends of lines.
		return h, ErrPasswordHash
	}
	return h, nil
}
