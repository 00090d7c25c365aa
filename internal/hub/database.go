package hub

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"

	"github.com/jackc/pgx/v5"

	"github.com/shuqiao/shuqiao/internal/config"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
	"github.com/shuqiao/shuqiao/internal/pglocal"
	"github.com/shuqiao/shuqiao/internal/secret"
	"github.com/shuqiao/shuqiao/migrations"
)

// database is the hub's own database in the private cluster.
const database = "shuqiao"

// DataDir returns the data folder in force.
func DataDir(cfg config.Config) (string, error) {
	if cfg.DataDir != "" {
		return cfg.DataDir, nil
	}
	dir, err := pglocal.DefaultDataDir()
	if err != nil {
		return "", environment("data_folder", err)
	}
	return dir, nil
}

// environment is a fault of the machine the hub runs on, with the text that says what to do.
func environment(code string, err error) error {
	return fault.New(fault.Unavailable, code, "%s", err.Error()).Wrap(err)
}

// startPrivate starts the private PostgreSQL of a data folder and returns it with the hub's URL.
func startPrivate(ctx context.Context, dir string, lock *pglocal.DirLock, log *slog.Logger) (*pglocal.Cluster, string, error) {
	cluster, err := pglocal.Start(ctx, pglocal.Options{DataDir: dir, Lock: lock, Log: log})
	if err != nil {
		return nil, "", privateFault(err)
	}
	if err := createDatabase(ctx, cluster.SocketURL("postgres")); err != nil {
		_ = cluster.Close()
		return nil, "", err
	}
	return cluster, cluster.SocketURL(database), nil
}

func privateFault(err error) error {
	switch {
	case errors.Is(err, pglocal.ErrLocked):
		return environment("data_folder_in_use", err)
	case errors.Is(err, pglocal.ErrNoBinaries):
		return environment("no_postgresql", err)
	default:
		return environment("private_postgresql", err)
	}
}

// createDatabase makes the hub's database where it is missing.
func createDatabase(ctx context.Context, url string) error {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return fmt.Errorf("connecting to the private PostgreSQL: %w", err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	var exists bool
	if err := conn.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)", database).Scan(&exists); err != nil {
		return fmt.Errorf("looking for the hub's database: %w", err)
	}
	if exists {
		return nil
	}
	if _, err := conn.Exec(ctx, "CREATE DATABASE "+database+" TEMPLATE template0 ENCODING 'UTF8'"); err != nil {
		return fmt.Errorf("creating the hub's database: %w", err)
	}
	return nil
}

// Migrate brings the schema up where the hub may do so by itself: in its private database, and in an empty one. Any other
// schema is changed by the operator, since older nodes may still work on it: schema_newer and schema_older of kind
// Unavailable.
func Migrate(ctx context.Context, d *db.DB, private bool) error {
	version, err := migrations.Version(ctx, d.SQL())
	if err != nil {
		return fmt.Errorf("reading the schema's version: %w", err)
	}
	if private || version == 0 {
		err = migrations.Up(ctx, d.SQL())
	} else {
		err = migrations.Check(ctx, d.SQL())
	}
	switch {
	case errors.Is(err, migrations.ErrNewerSchema):
		return environment("schema_newer", err)
	case errors.Is(err, migrations.ErrOlderSchema):
		return environment("schema_older", fmt.Errorf("%w; back the database up, stop the older nodes, then run: shuqiao migrate up", err))
	case err != nil:
		return fmt.Errorf("migrating: %w", err)
	}
	return nil
}

// SealedSecrets is the purpose under which rows of hub_secret are sealed, with their name as associated data; SubjectKeyName is
// the name of the one that every database has.
const (
	SealedSecrets  = "hub_secret"
	SubjectKeyName = "subject_key"
)

// subjectKey returns the key of the tokens by which evidence knows row keys: random bytes, made once for all nodes and kept
// sealed, so that it outlives rotations of the key ring.
func subjectKey(ctx context.Context, d *db.DB, keyring *secret.Keyring) ([]byte, error) {
	const name = SubjectKeyName
	fresh := make([]byte, 32)
	_, _ = rand.Read(fresh)
	sealed, err := keyring.Seal(SealedSecrets, fresh, []byte(name))
	if err != nil {
		return nil, fmt.Errorf("sealing the subject key: %w", err)
	}
	if _, err := d.Pool.Exec(ctx, "INSERT INTO hub_secret (name, sealed) VALUES ($1, $2) ON CONFLICT DO NOTHING", name, sealed); err != nil {
		return nil, fmt.Errorf("storing the subject key: %w", err)
	}
	if err := d.Pool.QueryRow(ctx, "SELECT sealed FROM hub_secret WHERE name = $1", name).Scan(&sealed); err != nil {
		return nil, fmt.Errorf("reading the subject key: %w", err)
	}
	key, err := keyring.Open(SealedSecrets, sealed, []byte(name))
	if err != nil {
		return nil, environment("key_file", fmt.Errorf(
			"the key file %s in the data folder is not the one of this database; copy it from the first node or a backup: %w", secret.KeyFileName, err))
	}
	return key, nil
}

// Database returns the URL of the hub's database for a command beside the hub: the one named, else the private one, which
// is used as it is where a hub runs on the data folder, and started where none does. release stops what was started.
func Database(ctx context.Context, cfg config.Config, log *slog.Logger) (url string, release func(), err error) {
	if cfg.DatabaseURL != "" {
		return cfg.DatabaseURL.Reveal(), func() {}, nil
	}
	dir, err := DataDir(cfg)
	if err != nil {
		return "", nil, err
	}
	lock, err := pglocal.Lock(dir)
	if errors.Is(err, pglocal.ErrLocked) {
		if url, err = pglocal.RunningURL(dir, database); err != nil {
			return "", nil, privateFault(err)
		}
		return url, func() {}, nil
	}
	if err != nil {
		return "", nil, privateFault(err)
	}
	cluster, url, err := startPrivate(ctx, dir, lock, log)
	if err != nil {
		lock.Release()
		return "", nil, err
	}
	return url, func() { _ = cluster.Close(); lock.Release() }, nil
}
