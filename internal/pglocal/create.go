package pglocal

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// superuser is the role that owns the cluster.
const superuser = "shuqiao"

// tuning goes to the end of postgresql.conf when the cluster is created; an operator may edit it there. The figures suit
// a small machine (2 cores, 4 GiB). fsync and synchronous_commit stay on: an acknowledged decision survives power loss.
const tuning = `
# Settings of the hub. Lines below may be edited; they are written once, when the cluster is created.
max_connections = 200
shared_buffers = 256MB
effective_cache_size = 1GB
work_mem = 16MB
maintenance_work_mem = 128MB
max_wal_size = 2GB
checkpoint_timeout = 15min
fsync = on
synchronous_commit = on
wal_compression = on
jit = off
timezone = 'UTC'
log_timezone = 'UTC'
log_line_prefix = '%m [%p] %a '
`

// createCluster makes <dir>/postgres complete or not at all: everything is built under a name of its own and renamed. A
// killed holder's initdb may still be writing for a moment, so no two attempts share a name; what it leaves is removed by
// the next call. durable says whether files are flushed to disk.
func createCluster(ctx context.Context, dir string, bin Binaries, acct account, durable bool) (err error) {
	if err := removeHalfMade(dir); err != nil {
		return err
	}
	building, err := os.MkdirTemp(dir, halfMade)
	if err != nil {
		return fmt.Errorf("creating the cluster's folder: %w", err)
	}
	defer func() {
		if err != nil {
			_ = os.RemoveAll(building)
		}
	}()
	secret := make([]byte, 32)
	if _, err := rand.Read(secret); err != nil {
		return fmt.Errorf("making a password: %w", err)
	}
	password := filepath.Join(building, "password")
	if err := os.WriteFile(password, []byte(base64.RawURLEncoding.EncodeToString(secret)+"\n"), 0o600); err != nil {
		return fmt.Errorf("writing the password: %w", err)
	}
	if err := errors.Join(acct.own(password), acct.own(building)); err != nil {
		return err
	}
	pgdata := filepath.Join(building, "data")
	args := []string{
		"--pgdata=" + pgdata, "--username=" + superuser, "--pwfile=" + password, "--encoding=UTF8", "--locale=C",
		"--auth-local=scram-sha-256", "--auth-host=scram-sha-256", "--no-instructions",
	}
	if !durable {
		args = append(args, "--no-sync")
	}
	if out, err := acct.command(ctx, filepath.Join(bin.Dir, "initdb"), args...).CombinedOutput(); err != nil {
		return fmt.Errorf("creating the cluster with initdb: %w\n%s", err, strings.TrimSpace(string(out)))
	}
	conf, err := os.OpenFile(filepath.Join(pgdata, "postgresql.conf"), os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return fmt.Errorf("opening postgresql.conf: %w", err)
	}
	_, err = conf.WriteString(tuning)
	if err = errors.Join(err, conf.Close()); err != nil {
		return fmt.Errorf("writing postgresql.conf: %w", err)
	}
	id, err := controlIdentifier(pgdata)
	if err != nil {
		return err
	}
	identity := filepath.Join(building, "system_identifier")
	if err := os.WriteFile(identity, []byte(id+"\n"), 0o600); err != nil {
		return fmt.Errorf("noting the cluster's identity: %w", err)
	}
	if err := acct.own(identity); err != nil {
		return err
	}
	if err := os.Rename(building, filepath.Join(dir, "postgres")); err != nil {
		return fmt.Errorf("placing the cluster: %w", err)
	}
	return nil
}

// halfMade is the pattern of names under which clusters are built.
const halfMade = "postgres.new-*"

func removeHalfMade(dir string) error {
	old, err := filepath.Glob(filepath.Join(dir, halfMade))
	if err != nil {
		return fmt.Errorf("looking for a half-made cluster: %w", err)
	}
	for _, path := range old {
		// An initdb that still writes there makes this fail; a later start removes the rest.
		_ = os.RemoveAll(path)
	}
	return nil
}

// readTrimmed returns a small text file without surrounding blanks.
func readTrimmed(path string) (string, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	return strings.TrimSpace(string(text)), nil
}
