package backup

import (
	"archive/tar"
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"filippo.io/age"

	"github.com/shuqiao/shuqiao/audit"
	"github.com/shuqiao/shuqiao/internal/fault"
	"github.com/shuqiao/shuqiao/internal/secret"
)

// Options say what to back up, and where to. Everything without a remark is required.
type Options struct {
	Database    string // URL of one who may read everything.
	DataDir     string // The node's data folder.
	To          string // The file to write; it must not exist, and lie outside the data folder.
	Sealing     Sealing
	WithoutKeys bool   // Leaves the key files out, for keeping them apart.
	Full        bool   // Verifies by restoring into a PostgreSQL of its own.
	Version     string // Of the program.
	Log         *slog.Logger
}

// Report is what an archive was found to hold.
type Report struct {
	Manifest Manifest
	Parts    []Part
	Size     int64  // Of the archive, in bytes.
	SHA256   string // Of the archive, in hexadecimal. Kept elsewhere it proves that the archive is this one.
	Full     bool   // Whether the database was restored for a trial, and its rows compared.
}

// attempts is how often a backup is begun: a table that the hub drops between the snapshot and the dump's locks ends an attempt.
const attempts = 3

// Create writes a hub into one encrypted file, beside a running hub, and reads it back before it gets its name: whatever is
// called To was verified. The database, its rows and the policy number are of one snapshot.
//
// Faults: Conflict file_exists; Invalid backup_inside and backup_sealing and what else is wrong with the options; Unavailable
// for what the machine lacks.
func Create(ctx context.Context, opt Options) (Report, error) {
	if opt.Log == nil {
		opt.Log = slog.Default()
	}
	if err := checkTarget(opt); err != nil {
		return Report{}, err
	}
	recipients, identity, err := opt.Sealing.keys()
	if err != nil {
		return Report{}, err
	}
	for attempt := 1; ; attempt++ {
		report, err := create(ctx, opt, recipients, identity)
		_, dumping := errors.AsType[*toolError](err)
		if err == nil || !dumping || attempt == attempts || ctx.Err() != nil {
			return report, err
		}
		opt.Log.WarnContext(ctx, "pg_dump failed, perhaps because a table was dropped meanwhile; the backup begins again", "error", err)
	}
}

func checkTarget(opt Options) error {
	to, err := filepath.Abs(opt.To)
	if err != nil || opt.To == "" {
		return fault.New(fault.Invalid, "backup_target", "name the file to write")
	}
	dir, err := filepath.Abs(opt.DataDir)
	if err != nil {
		return fmt.Errorf("finding the data folder: %w", err)
	}
	if rel, err := filepath.Rel(dir, to); err == nil && filepath.IsLocal(rel) {
		return fault.New(fault.Invalid, "backup_inside", "the backup would be lost with the data folder; name a file outside it")
	}
	if _, err := os.Lstat(to); err == nil {
		return fault.New(fault.Conflict, "file_exists", "a file of this name exists already; name another one")
	}
	if info, err := os.Stat(filepath.Dir(to)); err != nil || !info.IsDir() {
		return fault.New(fault.Unavailable, "file_not_writable", "the folder of the backup does not exist")
	}
	return nil
}

func create(ctx context.Context, opt Options, recipients []age.Recipient, identity age.Identity) (report Report, err error) {
	snap, err := openSnapshot(ctx, opt.Database)
	if err != nil {
		return Report{}, err
	}
	defer snap.close()
	snap.m.Program, snap.m.Keys = opt.Version, !opt.WithoutKeys

	file, err := os.CreateTemp(filepath.Dir(opt.To), ".shuqiao-backup-*") // Mode 0600.
	if err != nil {
		return Report{}, fault.New(fault.Unavailable, "file_not_writable", "the backup cannot be written there").Wrap(err)
	}
	defer func() {
		if err != nil {
			_ = os.Remove(file.Name())
		}
	}()
	defer file.Close()
	written := sha256.New()
	if err := write(ctx, opt, snap, recipients, file, written); err != nil {
		return Report{}, fmt.Errorf("writing the backup: %w", err)
	}
	if err := file.Sync(); err != nil {
		return Report{}, fmt.Errorf("writing the backup: %w", err)
	}
	snap.close()
	report, err = Verify(ctx, file.Name(), Opening{identities: []age.Identity{identity}}, opt.Full)
	if err != nil {
		return Report{}, fmt.Errorf("verifying the backup: %w", err)
	}
	if report.SHA256 != hex.EncodeToString(written.Sum(nil)) {
		return Report{}, fault.New(fault.Unavailable, "backup_damaged", "the disk gives back other bytes than were written; use another one")
	}
	if err := os.Rename(file.Name(), opt.To); err != nil {
		return Report{}, fmt.Errorf("naming the backup: %w", err)
	}
	return report, syncDir(filepath.Dir(opt.To))
}

func write(ctx context.Context, opt Options, snap *snapshot, recipients []age.Recipient, file io.Writer, written hash.Hash) error {
	buffered := bufio.NewWriterSize(io.MultiWriter(file, written), 256<<10)
	sealed, err := age.Encrypt(buffered, recipients...)
	if err != nil {
		return fmt.Errorf("encrypting: %w", err)
	}
	w := &writer{tar: tar.NewWriter(sealed), at: snap.m.CreatedAt}
	if err := w.json(manifestName, snap.m); err != nil {
		return err
	}
	if !opt.WithoutKeys {
		for _, name := range []string{secret.KeyFileName, audit.KeyFile} {
			if err := w.path(filepath.Join(opt.DataDir, name), keysPrefix+name); err != nil {
				return err
			}
		}
	}
	names, err := dataFiles(opt.DataDir)
	if err != nil {
		return err
	}
	for _, name := range names {
		err := w.path(filepath.Join(opt.DataDir, name), filesPrefix+filepath.ToSlash(name))
		if err != nil && !errors.Is(err, fs.ErrNotExist) { // One that was fetched or expired meanwhile is not missed.
			return err
		}
	}
	dump := w.pieces(databaseName)
	if err := snap.dump(ctx, opt.Database, dump); err != nil {
		return err
	}
	return errors.Join(dump.close(), w.close(), sealed.Close(), buffered.Flush())
}

// path writes a file as a part.
func (w *writer) path(path, name string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	return w.file(name, info.Size(), file)
}

// DataFile reports whether a name directly in the data folder is of those that a backup takes along as they are: not the
// lock, the keys, the private PostgreSQL, which is dumped instead, and half-written files.
func DataFile(name string) bool {
	return !strings.HasPrefix(name, ".") && name != "hub.lock" && name != Incomplete && name != secret.KeyFileName && name != audit.KeyFile &&
		name != "postgres" && !strings.HasPrefix(name, "postgres.")
}

// Incomplete is the name of the file in a data folder that a restore has begun and not ended.
const Incomplete = "restore.incomplete"

// dataFiles lists the regular files of the data folder that belong in a backup, in lexical order.
func dataFiles(dir string) ([]string, error) {
	var out []string
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			return err
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil || rel == "." {
			return err
		}
		if !DataFile(entry.Name()) && filepath.Dir(rel) == "." || strings.HasPrefix(entry.Name(), ".") {
			if entry.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		if entry.Type().IsRegular() {
			out = append(out, rel)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("listing the data folder: %w", err)
	}
	return out, nil
}
