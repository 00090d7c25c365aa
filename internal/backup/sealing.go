package backup

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"filippo.io/age"

	"github.com/shuqiao/shuqiao/internal/fault"
	"github.com/shuqiao/shuqiao/internal/secret"
)

// Sealing says for whom an archive is encrypted: a passphrase, or recipients ("age1…"), one of the two.
type Sealing struct {
	Passphrase secret.Secret
	Recipients []string
	WorkFactor int // log2 of scrypt's N; 0 means age's own 18, about a second.
}

// keys returns the recipients, and an identity that opens the archive once for verification: the passphrase, or one that is
// made for this archive alone and forgotten, since who can only encrypt must be able to verify what was written.
func (s Sealing) keys() ([]age.Recipient, age.Identity, error) {
	switch {
	case (s.Passphrase != "") == (len(s.Recipients) > 0):
		return nil, nil, fault.New(fault.Invalid, "backup_sealing", "name who may open the archive: either --passphrase-file or --recipient")
	case s.Passphrase != "":
		if len(s.Passphrase.Reveal()) < minPassphrase {
			return nil, nil, fault.New(fault.Invalid, "backup_passphrase", "the passphrase of a backup has at least %d characters", minPassphrase)
		}
		recipient, err := age.NewScryptRecipient(s.Passphrase.Reveal())
		if err != nil {
			return nil, nil, fmt.Errorf("preparing the passphrase: %w", err)
		}
		if s.WorkFactor > 0 {
			recipient.SetWorkFactor(s.WorkFactor)
		}
		identity, err := age.NewScryptIdentity(s.Passphrase.Reveal())
		if err != nil {
			return nil, nil, fmt.Errorf("preparing the passphrase: %w", err)
		}
		return []age.Recipient{recipient}, identity, nil
	}
	var recipients []age.Recipient
	for _, text := range s.Recipients {
		r, err := age.ParseX25519Recipient(strings.TrimSpace(text))
		if err != nil {
			return nil, nil, fault.New(fault.Invalid, "backup_recipient", "a recipient looks like age1… with 62 characters; shuqiao backup key makes one").Wrap(err)
		}
		recipients = append(recipients, r)
	}
	once, err := age.GenerateX25519Identity()
	if err != nil {
		return nil, nil, fmt.Errorf("making a key for verification: %w", err)
	}
	return append(recipients, once.Recipient()), once, nil
}

// minPassphrase is the least number of bytes of a passphrase: with fewer, guessing it offline is no great effort.
const minPassphrase = 12

// Opening says how to open an archive: by its passphrase, or by the file of a key.
type Opening struct {
	Passphrase   secret.Secret
	IdentityFile string

	identities []age.Identity
}

func (o Opening) keys() ([]age.Identity, error) {
	switch {
	case len(o.identities) > 0:
		return o.identities, nil
	case (o.Passphrase != "") == (o.IdentityFile != ""):
		return nil, fault.New(fault.Invalid, "backup_opening", "name what opens the archive: either --passphrase-file or --identity-file")
	case o.Passphrase != "":
		identity, err := age.NewScryptIdentity(o.Passphrase.Reveal())
		if err != nil {
			return nil, fmt.Errorf("preparing the passphrase: %w", err)
		}
		return []age.Identity{identity}, nil
	}
	file, err := os.Open(o.IdentityFile)
	if err != nil {
		return nil, fault.New(fault.Invalid, "backup_identity", "the key file of the backup cannot be read").Wrap(err)
	}
	defer file.Close()
	identities, err := age.ParseIdentities(io.LimitReader(file, maxSmall))
	if err != nil {
		// The error may repeat a line of the file.
		return nil, fault.New(fault.Invalid, "backup_identity", "the key file of the backup holds no key of age (AGE-SECRET-KEY-1…)")
	}
	return identities, nil
}

// open returns the decrypted stream. What does not open for another reason than the key is damaged.
func (o Opening) open(archive io.Reader) (io.Reader, error) {
	identities, err := o.keys()
	if err != nil {
		return nil, err
	}
	plain, err := age.Decrypt(archive, identities...)
	if err == nil {
		return plain, nil
	}
	if _, ok := errors.AsType[*age.NoIdentityMatchError](err); ok || errors.Is(err, age.ErrIncorrectIdentity) {
		return nil, fault.New(fault.Invalid, "backup_key", "this passphrase or key does not open the archive").Wrap(err)
	}
	return nil, damaged(err)
}

// WriteKey makes a key for backups in a file that only its owner may read, and returns the recipient to encrypt for. An
// existing file is the Conflict fault "file_exists".
func WriteKey(path string) (recipient string, err error) {
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		return "", fmt.Errorf("making a key: %w", err)
	}
	text := "# recipient: " + identity.Recipient().String() + "\n" + identity.String() + "\n"
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, os.ErrExist) {
		return "", fault.New(fault.Conflict, "file_exists", "a file of this name exists already; name another one")
	}
	if err != nil {
		return "", fault.New(fault.Unavailable, "file_not_writable", "the key file cannot be written there").Wrap(err)
	}
	_, err = file.WriteString(text)
	err = errors.Join(err, file.Sync(), file.Close(), syncDir(filepath.Dir(path)))
	if err != nil {
		return "", fmt.Errorf("writing the key file: %w", err)
	}
	return identity.Recipient().String(), nil
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
