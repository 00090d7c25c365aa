package migrations

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"time"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

//go:embed *.sql
var files embed.FS

// ErrNewerSchema says that the database was migrated by a newer hub. Install that hub's version, or restore a backup of
// the older schema; nothing was changed.
var ErrNewerSchema = errors.New("the database schema is newer than this hub knows")

// ErrOlderSchema says that migrations are still to be applied: run "shuqiao migrate up".
var ErrOlderSchema = errors.New("the database schema is older than this hub needs")

// State is one migration as Status lists it.
type State struct {
	Version   int64     // Number at the start of the file name.
	Name      string    // File name.
	Applied   bool      // Whether the database has it.
	AppliedAt time.Time // When it was applied, database time; zero when it was not.
}

// Up applies every migration the database lacks, oldest first, each in its own transaction. It waits while another hub
// migrates. It returns ErrNewerSchema, having changed nothing, when the database is ahead of this hub.
func Up(ctx context.Context, db *sql.DB) error {
	p, err := provider(db)
	if err != nil {
		return err
	}
	if err := refuseNewer(ctx, db); err != nil {
		return err
	}
	if _, err := p.Up(ctx); err != nil {
		return fmt.Errorf("applying migrations: %w", err)
	}
	// A newer hub may have migrated while this one waited for the lock.
	return refuseNewer(ctx, db)
}

// Down takes back the newest applied migration, with the data it holds. On an empty database it does nothing.
func Down(ctx context.Context, db *sql.DB) error {
	p, err := provider(db)
	if err != nil {
		return err
	}
	if err := refuseNewer(ctx, db); err != nil {
		return err
	}
	if _, err := p.Down(ctx); err != nil && !errors.Is(err, goose.ErrNoNextVersion) {
		return fmt.Errorf("taking back a migration: %w", err)
	}
	return nil
}

// Status lists all migrations this hub knows, oldest first. It only reads.
func Status(ctx context.Context, db *sql.DB) ([]State, error) {
	names, err := sources()
	if err != nil {
		return nil, err
	}
	applied, err := applied(ctx, db)
	if err != nil {
		return nil, err
	}
	states := make([]State, 0, len(names))
	for _, name := range names {
		v, err := goose.NumericComponent(name)
		if err != nil {
			return nil, fmt.Errorf("reading the number of migration %q: %w", name, err)
		}
		at, ok := applied[v]
		states = append(states, State{Version: v, Name: name, Applied: ok, AppliedAt: at})
	}
	return states, nil
}

// Version is the newest migration the database has, 0 when it has none. It only reads.
func Version(ctx context.Context, db *sql.DB) (int64, error) {
	applied, err := applied(ctx, db)
	if err != nil {
		return 0, err
	}
	var newest int64
	for v := range applied {
		newest = max(newest, v)
	}
	return newest, nil
}

// Check returns nil when the database has exactly the schema this hub knows, else ErrNewerSchema or ErrOlderSchema. It
// only reads.
func Check(ctx context.Context, db *sql.DB) error {
	if err := refuseNewer(ctx, db); err != nil {
		return err
	}
	states, err := Status(ctx, db)
	if err != nil {
		return err
	}
	for _, s := range states {
		if !s.Applied {
			return fmt.Errorf("%w: %s is not applied", ErrOlderSchema, s.Name)
		}
	}
	return nil
}

// Latest is the newest migration this hub knows.
func Latest() (int64, error) {
	sources, err := sources()
	if err != nil {
		return 0, err
	}
	var latest int64
	for _, name := range sources {
		v, err := goose.NumericComponent(name)
		if err != nil {
			return 0, fmt.Errorf("reading the number of migration %q: %w", name, err)
		}
		latest = max(latest, v)
	}
	return latest, nil
}

// Digest is a hash over the names and texts of all migrations, in hexadecimal. Two hubs with the same digest make the
// same schema.
func Digest() (string, error) {
	names, err := sources()
	if err != nil {
		return "", err
	}
	sum := sha256.New()
	for _, name := range names {
		text, err := files.ReadFile(name)
		if err != nil {
			return "", fmt.Errorf("reading migration %q: %w", name, err)
		}
		fmt.Fprintf(sum, "%s\x00%d\x00", name, len(text))
		sum.Write(text)
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// sources lists the embedded files in the order of their names.
func sources() ([]string, error) {
	names, err := fs.Glob(files, "*.sql")
	if err != nil {
		return nil, fmt.Errorf("listing migrations: %w", err)
	}
	return names, nil
}

// The lock is asked for once a second, up to ten minutes: a migration may rebuild a large table.
const (
	lockPeriodSeconds = 1
	lockAttempts      = 600
)

func provider(db *sql.DB) (*goose.Provider, error) {
	locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(lockPeriodSeconds, lockAttempts))
	if err != nil {
		return nil, fmt.Errorf("preparing the migration lock: %w", err)
	}
	p, err := goose.NewProvider(goose.DialectPostgres, db, files, goose.WithSessionLocker(locker),
		goose.WithDisableGlobalRegistry(true), goose.WithSlog(slog.New(slog.DiscardHandler)))
	if err != nil {
		return nil, fmt.Errorf("preparing migrations: %w", err)
	}
	return p, nil
}

// applied reads goose's own table: version to time of application. Reading it here rather than through the provider takes no
// lock and creates nothing, so that a hub may look while another migrates.
func applied(ctx context.Context, db *sql.DB) (map[int64]time.Time, error) {
	var exists bool
	if err := db.QueryRowContext(ctx, "SELECT to_regclass('goose_db_version') IS NOT NULL").Scan(&exists); err != nil {
		return nil, fmt.Errorf("reading the schema version: %w", err)
	}
	versions := map[int64]time.Time{}
	if !exists {
		return versions, nil
	}
	rows, err := db.QueryContext(ctx, "SELECT version_id, tstamp::timestamptz FROM goose_db_version WHERE is_applied AND version_id > 0")
	if err != nil {
		return nil, fmt.Errorf("reading the schema version: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var v int64
		var at time.Time
		if err := rows.Scan(&v, &at); err != nil {
			return nil, fmt.Errorf("reading the schema version: %w", err)
		}
		versions[v] = at
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("reading the schema version: %w", err)
	}
	return versions, nil
}

func refuseNewer(ctx context.Context, db *sql.DB) error {
	v, err := Version(ctx, db)
	if err != nil {
		return err
	}
	latest, err := Latest()
	if err != nil {
		return err
	}
	if v > latest {
		return fmt.Errorf("%w: it is at %d, this hub knows %d", ErrNewerSchema, v, latest)
	}
	return nil
}
