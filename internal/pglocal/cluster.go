package pglocal

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// Options say which cluster to run and how.
type Options struct {
	DataDir  string            // Folder of the cluster; created when missing. Required.
	Log      *slog.Logger      // Progress in plain words; nil is silent.
	Binaries *Binaries         // The PostgreSQL to use; nil finds one.
	Lock     *DirLock          // The caller's own lock on DataDir; nil makes Start take one and Stop or Detach free it.
	Settings map[string]string // PostgreSQL settings of this start, over those in postgresql.conf. Not applied on adoption.
}

// Cluster is a running server.
type Cluster struct {
	dir, pgdata, socketDir string
	port                   int
	password, identifier   string
	process                *os.Process
	pid                    int
	adopted                bool
	lock                   *DirLock // nil when the caller holds the lock.
	log                    *slog.Logger
}

// startLimit bounds a start whose context has no deadline: recovery after a crash replays up to max_wal_size.
const startLimit = 5 * time.Minute

// Start returns the running server of opts.DataDir. It creates the cluster the first time, adopts a server that a killed
// holder left running, and otherwise starts one, which answers queries when Start returns. Starting needs the lock on
// the folder: when another process holds it, the error matches ErrLocked. It also returns ErrNoBinaries, and a plain
// error that says what to do when the folder cannot be used by the account PostgreSQL runs as.
func Start(ctx context.Context, opts Options) (*Cluster, error) {
	return open(ctx, opts, true)
}

// ErrNotRunning is returned by Adopt when no server of this data folder is running.
var ErrNotRunning = errors.New("no server is running for this data folder")

// Adopt is Start for a caller who wants a server that is running already, and nothing to be created or started.
func Adopt(ctx context.Context, opts Options) (*Cluster, error) {
	return open(ctx, opts, false)
}

func open(ctx context.Context, opts Options, mayStart bool) (_ *Cluster, err error) {
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	dir, err := filepath.Abs(opts.DataDir)
	if err != nil || opts.DataDir == "" {
		return nil, fmt.Errorf("finding data folder %q: %w", opts.DataDir, errors.Join(err, os.ErrInvalid))
	}
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()

	c := &Cluster{dir: dir, pgdata: filepath.Join(dir, "postgres", "data"), log: opts.Log}
	if opts.Lock == nil {
		if c.lock, err = Lock(dir); err != nil {
			return nil, err
		}
		defer func() {
			if err != nil {
				c.lock.Release()
			}
		}()
	}
	acct, err := serverAccount()
	if err != nil {
		return nil, err
	}
	if _, statErr := os.Stat(c.pgdata); statErr != nil {
		if !errors.Is(statErr, os.ErrNotExist) {
			return nil, fmt.Errorf("looking at the cluster: %w", statErr)
		}
		if !mayStart {
			return nil, ErrNotRunning
		}
		if err := acct.canEnter(ctx, dir); err != nil {
			return nil, err
		}
		if err := c.create(ctx, opts, acct); err != nil {
			return nil, err
		}
	}
	if c.password, err = readTrimmed(filepath.Join(dir, "postgres", "password")); err != nil {
		return nil, fmt.Errorf("reading the password: %w", err)
	}
	if c.identifier, err = readTrimmed(filepath.Join(dir, "postgres", "system_identifier")); err != nil {
		return nil, fmt.Errorf("reading the cluster's identity: %w", err)
	}
	adopted, err := c.adopt(ctx)
	if err != nil {
		return nil, err
	}
	if adopted {
		c.adopted = true
		c.log.InfoContext(ctx, "adopted the running PostgreSQL", "pid", c.pid, "port", c.port)
		return c, nil
	}
	if !mayStart {
		return nil, ErrNotRunning
	}
	if err := acct.canEnter(ctx, dir); err != nil {
		return nil, err
	}
	if err := c.start(ctx, opts, acct); err != nil {
		return nil, err
	}
	return c, nil
}

func (c *Cluster) create(ctx context.Context, opts Options, acct account) error {
	bin, err := chooseBinaries(ctx, opts.Binaries)
	if err != nil {
		return err
	}
	c.log.InfoContext(ctx, "creating a private PostgreSQL", "folder", c.dir, "version", bin.Version)
	return createCluster(ctx, c.dir, bin, acct, opts.Settings["fsync"] != "off")
}

func chooseBinaries(ctx context.Context, given *Binaries) (Binaries, error) {
	if given != nil {
		return *given, nil
	}
	return Find(ctx)
}

// URL is the connection URL of a database over TCP on 127.0.0.1, as superuser and with the password: for psql and for
// people. It has no certificate because nothing leaves the machine.
func (c *Cluster) URL(db string) string {
	u := url.URL{
		Scheme: "postgres", User: url.UserPassword(superuser, c.password),
		Host: net.JoinHostPort("127.0.0.1", strconv.Itoa(c.port)), Path: "/" + db, RawQuery: "sslmode=disable",
	}
	return u.String()
}

// SocketURL is URL over the Unix socket, which saves the TCP stack: for the hub itself.
func (c *Cluster) SocketURL(db string) string {
	query := url.Values{"host": {c.socketDir}, "port": {strconv.Itoa(c.port)}, "sslmode": {"disable"}}
	u := url.URL{Scheme: "postgres", User: url.UserPassword(superuser, c.password), Path: "/" + db, RawQuery: query.Encode()}
	return u.String()
}

// SocketDir is the folder of the server's Unix socket, closed to other users.
func (c *Cluster) SocketDir() string { return c.socketDir }

// Port is the server's TCP port on 127.0.0.1. It stays the same from start to start unless something else has taken it.
func (c *Cluster) Port() int { return c.port }

// PID is the server's process id.
func (c *Cluster) PID() int { return c.pid }

// SystemIdentifier is the identity PostgreSQL gave the cluster when it was created, a decimal number.
func (c *Cluster) SystemIdentifier() string { return c.identifier }

// Adopted reports whether the server was running before Start: sessions of a killed holder may still be open in it.
func (c *Cluster) Adopted() bool { return c.adopted }

// Alive reports whether the server's process still runs.
func (c *Cluster) Alive() bool { return alive(c.pid) }
