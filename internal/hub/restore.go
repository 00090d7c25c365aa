package hub

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/jackc/pgx/v5"

	"github.com/shuqiao/shuqiao/internal/backup"
	"github.com/shuqiao/shuqiao/internal/config"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
	"github.com/shuqiao/shuqiao/internal/pglocal"
	"github.com/shuqiao/shuqiao/internal/secret"
	"github.com/shuqiao/shuqiao/migrations"
)

// RestoreOptions say what to restore from, and how. Everything without a remark is required.
type RestoreOptions struct {
	Config      config.Config // Names the empty data folder, and the empty database where it is not the private one.
	From        string        // The archive.
	Opening     backup.Opening
	KeyFile     string // A copy of hub.key that was kept apart; "" where the archive holds the keys.
	LoseSecrets bool   // Goes on without the master key: everything sealed by it is lost.
	Log         *slog.Logger
}

// Restored is what a restore did.
type Restored struct {
	Report backup.Report
	Marked Marked
	Lost   Lost // What must be entered again; empty unless secrets were given up.
}

// Restore puts a hub back from an archive, into an empty data folder and an empty database only. The archive is verified from
// its first byte to its last before anything is made of it; the database is filled in one transaction, its rows are compared
// with the manifest, and it is marked as restored. A folder whose restore did not end is not served.
//
// Faults: Conflict data_folder_not_empty and database_not_empty; Invalid backup_without_keys, backup_wrong_key and those of
// backup.Read; Unavailable schema_newer and what the machine lacks.
func Restore(ctx context.Context, opt RestoreOptions) (_ Restored, err error) {
	dir, err := DataDir(opt.Config)
	if err != nil {
		return Restored{}, err
	}
	if _, err := os.Stat(dir); err == nil {
		if err := emptyFolder(dir); err != nil {
			return Restored{}, err
		}
	}
	report, err := backup.Verify(ctx, opt.From, opt.Opening, false)
	if err != nil {
		return Restored{}, err
	}
	if err := restorable(report.Manifest, opt); err != nil {
		return Restored{}, err
	}
	lock, err := pglocal.Lock(dir)
	if err != nil {
		return Restored{}, privateFault(err)
	}
	defer lock.Release()
	if err := emptyFolder(dir); err != nil {
		return Restored{}, err
	}
	if err := os.WriteFile(filepath.Join(dir, backup.Incomplete), []byte("This folder is being restored from a backup, or a restore failed.\n"), 0o600); err != nil {
		return Restored{}, environment("data_folder", err)
	}
	r := restoring{opt: opt, dir: dir}
	if opt.Config.DatabaseURL != "" {
		r.url = opt.Config.DatabaseURL.Reveal()
	} else {
		if r.cluster, r.url, err = startPrivate(ctx, dir, lock, opt.Log); err != nil {
			return Restored{}, err
		}
		defer func() { err = errors.Join(err, r.cluster.Close()) }()
	}
	done, err := r.run(ctx)
	if err != nil {
		return Restored{}, fmt.Errorf("restoring into %s: %w; remove that folder before the next attempt", dir, err)
	}
	return done, nil
}

// restorable refuses what would end in a hub that cannot be served, before anything is touched.
func restorable(m backup.Manifest, opt RestoreOptions) error {
	latest, err := migrations.Latest()
	if err != nil {
		return err
	}
	if m.Schema > latest {
		return fault.New(fault.Unavailable, "schema_newer", "the backup has schema version %d, this program knows up to %d: restore with version %s of the program",
			m.Schema, latest, m.Program)
	}
	if m.Keys && (opt.KeyFile != "" || opt.LoseSecrets) {
		return fault.New(fault.Invalid, "backup_has_keys", "this archive holds its keys; restore without --keys and --lose-secrets")
	}
	if !m.Keys && (opt.KeyFile != "") == opt.LoseSecrets {
		return fault.New(fault.Invalid, "backup_without_keys", "this archive was made without the key files. Name the copy of hub.key that was kept apart with --keys; "+
			"if there is none, --lose-secrets goes on without: passwords of sources must then be entered again, refused rows cannot be shown any more, and pseudonyms of grants change")
	}
	return nil
}

// emptyFolder refuses a data folder that holds anything but the lock.
func emptyFolder(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return environment("data_folder", err)
	}
	for _, e := range entries {
		if e.Name() != "hub.lock" {
			return fault.New(fault.Conflict, "data_folder_not_empty", "%s is not empty (%s); restore into an empty folder, and move this one away first if it is not needed any more", dir, e.Name())
		}
	}
	return nil
}

// checkComplete refuses a data folder whose restore has not ended.
func checkComplete(dir string) error {
	_, err := os.Stat(filepath.Join(dir, backup.Incomplete))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return environment("data_folder", err)
	}
	return fault.New(fault.Unavailable, "restore_incomplete", "a restore into this data folder did not end well; remove the folder and restore again")
}

// restoring is a restore into a folder and a database that are known to be empty.
type restoring struct {
	opt      RestoreOptions
	dir, url string
	cluster  *pglocal.Cluster // nil where a database was named.
}

func (r restoring) run(ctx context.Context) (Restored, error) {
	if err := emptyDatabase(ctx, r.url); err != nil {
		return Restored{}, err
	}
	var m backup.Manifest
	report, err := backup.Read(r.opt.From, r.opt.Opening, backup.Take{
		Manifest: func(got backup.Manifest) error { m = got; return nil },
		Key:      r.place,
		File:     r.place,
		Database: func(from io.Reader) error { return backup.Load(ctx, r.url, m.PostgreSQL, from) },
	})
	if err != nil {
		return Restored{}, err
	}
	contents, err := backup.ContentsOf(ctx, r.url)
	if err != nil {
		return Restored{}, err
	}
	if err := m.Match(contents); err != nil {
		return Restored{}, err
	}
	if r.opt.KeyFile != "" {
		if err := r.keyFile(); err != nil {
			return Restored{}, err
		}
	}
	done := Restored{Report: report}
	d, err := db.Open(ctx, db.Options{URL: r.url, ApplicationName: "shuqiao restore", MaxConns: 4})
	if err != nil {
		return Restored{}, err
	}
	defer d.Close()
	if err := r.arrange(ctx, d); err != nil {
		return Restored{}, err
	}
	keyring, err := secret.OpenKeyring(r.dir)
	if err != nil {
		return Restored{}, environment("key_file", err)
	}
	if r.opt.LoseSecrets {
		if done.Lost, err = loseSecrets(ctx, d, keyring); err != nil {
			return Restored{}, err
		}
	} else if err := opens(ctx, d, keyring); err != nil {
		return Restored{}, err
	}
	if done.Marked, err = RestoreMark(ctx, d); err != nil {
		return Restored{}, err
	}
	if err := os.Remove(filepath.Join(r.dir, backup.Incomplete)); err != nil {
		return Restored{}, environment("data_folder", err)
	}
	return done, syncFolder(r.dir)
}

// arrange gives the database its rights, which do not travel with a dump, and brings an older one up to this program.
func (r restoring) arrange(ctx context.Context, d *db.DB) error {
	if r.cluster != nil {
		_, err := arrange(ctx, r.cluster)
		return err
	}
	if err := protect(ctx, d); err != nil {
		return err
	}
	if err := migrations.Up(ctx, d.SQL()); err != nil {
		return fmt.Errorf("migrating: %w", err)
	}
	return nil
}

// place writes a file of the archive into the data folder, whole or not at all.
func (r restoring) place(name string, from io.Reader) (err error) {
	path := filepath.Join(r.dir, filepath.FromSlash(name))
	if top := firstOf(name); top != secret.KeyFileName && top != auditKey && !backup.DataFile(top) {
		return fault.New(fault.Invalid, "backup_damaged", "the archive holds a file that no backup holds")
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return environment("data_folder", err)
	}
	file, err := os.CreateTemp(filepath.Dir(path), ".restore-*") // Mode 0600.
	if err != nil {
		return environment("data_folder", err)
	}
	defer func() {
		if err != nil {
			_ = os.Remove(file.Name())
		}
	}()
	_, err = io.Copy(file, from)
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		return fmt.Errorf("writing %s: %w", name, err)
	}
	if err := os.Rename(file.Name(), path); err != nil {
		return fmt.Errorf("writing %s: %w", name, err)
	}
	return nil
}

// keyFile takes the master key that was kept apart.
func (r restoring) keyFile() error {
	file, err := os.Open(r.opt.KeyFile)
	if err != nil {
		return fault.New(fault.Invalid, "key_file", "the copy of hub.key cannot be read").Wrap(err)
	}
	defer file.Close()
	return r.place(secret.KeyFileName, file)
}

// emptyDatabase refuses a database that holds any table of its own.
func emptyDatabase(ctx context.Context, url string) error {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return fault.New(fault.Unavailable, "database_down", "the database to restore into does not answer; check that it runs and that the URL is right").Wrap(err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	var used bool
	err = conn.QueryRow(ctx, `
		SELECT EXISTS (SELECT FROM pg_class WHERE relnamespace IN (SELECT oid FROM pg_namespace WHERE nspname IN ('public', 'store')))
			OR EXISTS (SELECT FROM pg_namespace WHERE nspname = 'store')`).Scan(&used)
	if err != nil {
		return fmt.Errorf("looking whether the database is empty: %w", err)
	}
	if used {
		return fault.New(fault.Conflict, "database_not_empty", "the database to restore into is not empty; make a new one")
	}
	return nil
}

func syncFolder(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return environment("data_folder", err)
	}
	return errors.Join(d.Sync(), d.Close())
}
