package backup

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/jackc/pgx/v5"

	"github.com/shuqiao/shuqiao/internal/fault"
	"github.com/shuqiao/shuqiao/internal/pglocal"
)

// Read walks through an archive: see Take. It returns what the archive holds once every byte of it was authenticated and
// every part compared with its digest; what take received before an error is not to be trusted.
//
// Faults, of kind Invalid: backup_file, backup_key, backup_damaged, backup_newer.
func Read(path string, opening Opening, take Take) (Report, error) {
	file, err := os.Open(path)
	if err != nil {
		return Report{}, fault.New(fault.Invalid, "backup_file", "the archive cannot be read").Wrap(err)
	}
	defer file.Close()
	digest := sha256.New()
	whole := &measure{from: file, digest: digest}
	plain, err := opening.open(whole)
	if err != nil {
		return Report{}, err
	}
	m, parts, err := read(plain, take)
	if err != nil {
		return Report{}, err
	}
	if _, err := io.Copy(io.Discard, whole); err != nil {
		return Report{}, damaged(err)
	}
	return Report{Manifest: m, Parts: parts, Size: whole.size, SHA256: hex.EncodeToString(digest.Sum(nil))}, nil
}

// Verify reads an archive to its end, compares every digest, and lets pg_restore read the table of contents of the database;
// full restores it into a private PostgreSQL of its own in the temporary folder, unencrypted meanwhile, and compares what
// its rows add up to with the manifest.
func Verify(ctx context.Context, path string, opening Opening, full bool) (Report, error) {
	var m Manifest
	report, err := Read(path, opening, Take{
		Manifest: func(got Manifest) error { m = got; return nil },
		Database: func(from io.Reader) error {
			if full {
				return try(ctx, m, from)
			}
			return list(ctx, m.PostgreSQL, from)
		},
	})
	if err != nil {
		return Report{}, err
	}
	if !holds(report.Parts, databaseName) {
		return Report{}, damaged(errors.New("the database is missing"))
	}
	report.Full = full
	return report, nil
}

func holds(parts []Part, name string) bool {
	for _, p := range parts {
		if p.Name == name {
			return true
		}
	}
	return false
}

// try restores a database into a cluster that is thrown away afterwards.
func try(ctx context.Context, m Manifest, from io.Reader) (err error) {
	dir, err := os.MkdirTemp("", "shuqiao-verify-")
	if err != nil {
		return fmt.Errorf("making a folder for the trial: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	// The account PostgreSQL runs as must be able to enter it.
	if err := os.Chmod(dir, 0o711); err != nil {
		return fmt.Errorf("making a folder for the trial: %w", err)
	}
	cluster, err := pglocal.Start(ctx, pglocal.Options{
		DataDir: filepath.Join(dir, "trial"), Settings: map[string]string{"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"},
	})
	if err != nil {
		return fault.New(fault.Unavailable, "private_postgresql", "%s", err.Error()).Wrap(err)
	}
	defer func() { err = errors.Join(err, cluster.Close()) }()
	conn, err := pgx.Connect(ctx, cluster.SocketURL("postgres"))
	if err != nil {
		return fmt.Errorf("connecting to the trial: %w", err)
	}
	_, err = conn.Exec(ctx, "CREATE DATABASE trial TEMPLATE template0 ENCODING 'UTF8'")
	if err = errors.Join(err, conn.Close(ctx)); err != nil {
		return fmt.Errorf("creating the trial's database: %w", err)
	}
	if err := Load(ctx, cluster.SocketURL("trial"), m.PostgreSQL, from); err != nil {
		return err
	}
	contents, err := ContentsOf(ctx, cluster.SocketURL("trial"))
	if err != nil {
		return err
	}
	return m.Match(contents)
}
