package doctor

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/shuqiao/shuqiao/audit"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/hub"
	"github.com/shuqiao/shuqiao/internal/secret"
)

// keyFile looks at the file that seals every stored credential. It makes none.
func keyFile(_ context.Context, s *subject) []Finding {
	const name = "keys"
	path := filepath.Join(s.dir, secret.KeyFileName)
	if f, usable := secretFile(name, path, "The first start of the hub makes it; on a further node copy it from the first."); !usable {
		return one(f)
	}
	keyring, err := secret.OpenKeyring(s.dir)
	if err != nil {
		return one(fail(name, path+" cannot be used.", "It is damaged.", "Restore it from the backup; a new one opens nothing that the old one sealed."))
	}
	s.keyring = keyring
	return one(ok(name, path+" is present, for its owner only. Keep a copy apart from the database's."))
}

// signer looks at the file that signs checkpoints of the log. It makes none.
func signer(_ context.Context, s *subject) []Finding {
	const name = "signer"
	path := filepath.Join(s.dir, audit.KeyFile)
	if f, usable := secretFile(name, path, "The first start of the hub makes it."); !usable {
		return one(f)
	}
	_, verifierKey, err := audit.LoadOrCreateSigner(s.dir)
	if err != nil {
		return one(fail(name, path+" cannot be used.", "It is damaged.", "Restore it from the backup, or move it away: the node then signs with a new key."))
	}
	return one(ok(name, "Checkpoints of this node are verified by "+verifierKey+"."))
}

// secretFile says what is wrong with a file that only its owner may use, and whether it can be used.
func secretFile(name, path, whenMissing string) (Finding, bool) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return warn(name, path+" does not exist.", "No hub has run on this data folder, or the file was lost.", whenMissing), false
	case errors.Is(err, fs.ErrPermission):
		return fail(name, path+" may not be read.", "It belongs to another user.", "Run this as the user who runs the hub."), false
	case err != nil:
		return fail(name, path+" cannot be looked at.", message(err), "Check the disk of the data folder."), false
	case !info.Mode().IsRegular():
		return fail(name, path+" is no file.", "Something else has its name.", "Restore the file from the backup."), false
	case info.Mode().Perm()&0o077 != 0:
		return fail(name, path+" can be used by other users.", "Its mode is wider than 0600, and the hub refuses to start with it.",
			"Set its mode to 0600, and consider it known if others have accounts here."), false
	}
	file, err := os.Open(path)
	if err != nil {
		return fail(name, path+" may not be read.", "It belongs to another user.", "Run this as the user who runs the hub."), false
	}
	_ = file.Close()
	return Finding{}, true
}

// sealedKeys asks whether the key file is the one of this database.
func sealedKeys(ctx context.Context, s *subject) []Finding {
	const name = "sealed keys"
	const mend = "Copy hub.key from the first node or restore it from the backup; without it sealed credentials must be entered anew."
	var exists bool
	if err := s.db.Pool.QueryRow(ctx, "SELECT to_regclass('hub_secret') IS NOT NULL").Scan(&exists); err != nil {
		return unread(name, err)
	}
	if !exists {
		return one(ok(name, "The database holds nothing sealed yet."))
	}
	var sealed []byte
	err := s.db.Pool.QueryRow(ctx, "SELECT sealed FROM hub_secret WHERE name = $1", hub.SubjectKeyName).Scan(&sealed)
	switch {
	case db.NoRows(err):
		return one(ok(name, "The database holds nothing sealed yet."))
	case err != nil:
		return unread(name, err)
	case s.keyring == nil:
		return one(fail(name, "The database holds sealed keys, and there is no usable key file.", "The key file was lost or belongs to another node's folder.", mend))
	}
	if _, err := s.keyring.Open(hub.SealedSecrets, sealed, []byte(hub.SubjectKeyName)); err != nil {
		cause := "The sealed key was altered."
		if errors.Is(err, secret.ErrKeyUnknown) {
			cause = "The key file is not the one of this database."
		}
		return one(fail(name, "The key file does not open what the database holds.", cause, mend))
	}
	return one(ok(name, "The key file opens what the database holds."))
}
