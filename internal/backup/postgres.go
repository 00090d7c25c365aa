package backup

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/jackc/pgx/v5"

	"github.com/shuqiao/shuqiao/exchange/store"
	"github.com/shuqiao/shuqiao/internal/fault"
	"github.com/shuqiao/shuqiao/internal/pglocal"
)

// tool prepares a client program of PostgreSQL for a server of a major version.
func tool(ctx context.Context, name string, version int, args ...string) (*exec.Cmd, error) {
	path, err := pglocal.FindTool(ctx, name, version)
	if err != nil {
		return nil, fault.New(fault.Unavailable, "no_postgresql", "%s", err.Error()).Wrap(err)
	}
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Env = []string{"LC_ALL=C", "PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME")}
	for _, variable := range os.Environ() {
		// Certificates and the like may be set for libpq and for the hub alike.
		if strings.HasPrefix(variable, "PG") {
			cmd.Env = append(cmd.Env, variable)
		}
	}
	return cmd, nil
}

// connect lets a tool connect to a database. The password travels in the environment, where other users do not see it.
func connect(cmd *exec.Cmd, database string) error {
	u, err := url.Parse(database)
	if err != nil {
		// The error repeats the URL with its password.
		return fault.New(fault.Invalid, "database_url", "the database URL is malformed; expected postgres://user:password@host:port/database")
	}
	if password, ok := u.User.Password(); ok {
		cmd.Env = append(cmd.Env, "PGPASSWORD="+password)
		u.User = url.User(u.User.Username())
	}
	query := u.Query()
	for key := range query {
		// Words of the hub's own driver, which libpq refuses.
		if strings.HasPrefix(key, "pool_") || strings.HasSuffix(key, "_cache_capacity") || key == "default_query_exec_mode" {
			query.Del(key)
		}
	}
	u.RawQuery = query.Encode()
	cmd.Args = append(cmd.Args, "--dbname="+u.String())
	return nil
}

// run runs a tool. What it says about a failure is the cause.
func run(cmd *exec.Cmd) error {
	said := &tail{}
	cmd.Stderr = said
	return ended(cmd, said, cmd.Run())
}

func ended(cmd *exec.Cmd, said *tail, err error) error {
	if _, exited := errors.AsType[*exec.ExitError](err); exited {
		return &toolError{name: filepath.Base(cmd.Path), said: said.String(), cause: err}
	}
	return err
}

// toolError is a tool that ended badly.
type toolError struct {
	name, said string
	cause      error
}

func (e *toolError) Error() string { return e.name + ": " + e.cause.Error() + ": " + e.said }

func (e *toolError) Unwrap() error { return e.cause }

// tail keeps the last 4 KiB that a tool said.
type tail struct{ bytes.Buffer }

func (t *tail) Write(p []byte) (int, error) {
	n, err := t.Buffer.Write(p)
	if over := t.Len() - 4<<10; over > 0 {
		t.Next(over)
	}
	return n, err
}

func (t *tail) String() string { return strings.TrimSpace(t.Buffer.String()) }

// snapshot is a transaction whose view of the database everything in an archive shares.
type snapshot struct {
	conn *pgx.Conn
	tx   pgx.Tx
	id   string
	skip []string // Tables of schema store that are left out.
	m    Manifest
}

// openSnapshot begins the transaction and fills the manifest in.
func openSnapshot(ctx context.Context, database string) (_ *snapshot, err error) {
	config, err := pgx.ParseConfig(database)
	if err != nil {
		return nil, fault.New(fault.Invalid, "database_url", "the database URL is malformed; expected postgres://user:password@host:port/database")
	}
	config.RuntimeParams["application_name"] = "shuqiao backup"
	config.RuntimeParams["timezone"] = "UTC"
	s := &snapshot{m: Manifest{Format: format}}
	if s.conn, err = pgx.ConnectConfig(ctx, config); err != nil {
		return nil, fault.New(fault.Unavailable, "database_down", "the hub's database does not answer; check that it runs and that the URL is right").Wrap(err)
	}
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	if s.tx, err = s.conn.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}); err != nil {
		return nil, fmt.Errorf("beginning the snapshot: %w", err)
	}
	if _, err := s.tx.Exec(ctx, "SET LOCAL idle_in_transaction_session_timeout = 0; SET LOCAL statement_timeout = 0"); err != nil {
		return nil, fmt.Errorf("preparing the snapshot: %w", err)
	}
	err = s.tx.QueryRow(ctx, "SELECT pg_export_snapshot(), current_setting('server_version_num')::int / 10000, clock_timestamp()").
		Scan(&s.id, &s.m.PostgreSQL, &s.m.CreatedAt)
	if err != nil {
		return nil, fmt.Errorf("exporting the snapshot: %w", err)
	}
	s.m.CreatedAt = s.m.CreatedAt.UTC()
	err = s.tx.QueryRow(ctx, `
		SELECT (SELECT max(version_id) FROM goose_db_version WHERE is_applied), (SELECT n FROM policy_head), (SELECT coalesce(max(leaf) + 1, 0) FROM leaf)`).
		Scan(&s.m.Schema, &s.m.PolicyN, &s.m.Sealed)
	if err != nil {
		return nil, fault.New(fault.Invalid, "no_hub", "this database is not a hub's; start the hub once, or name its database").Wrap(err)
	}
	if s.m.Contents, err = store.Contents(ctx, s.tx); err != nil {
		return nil, err
	}
	s.skip, err = store.TransientTables(ctx, s.tx)
	return s, err
}

func (s *snapshot) close() { _ = s.conn.Close(context.Background()) }

// dump writes the database as the snapshot sees it.
func (s *snapshot) dump(ctx context.Context, database string, to io.Writer) error {
	args := []string{
		"--format=custom", "--snapshot=" + s.id, "--no-owner", "--no-privileges", "--lock-wait-timeout=20s", "--no-password",
	}
	for _, table := range s.skip {
		args = append(args, "--exclude-table=store."+table)
	}
	cmd, err := tool(ctx, "pg_dump", s.m.PostgreSQL, args...)
	if err != nil {
		return err
	}
	if err := connect(cmd, database); err != nil {
		return err
	}
	cmd.Stdout = to
	return run(cmd)
}

// list lets pg_restore read the table of contents, which stands at the start of a dump.
func list(ctx context.Context, version int, from io.Reader) error {
	cmd, err := tool(ctx, "pg_restore", version, "--format=custom", "--list")
	if err != nil {
		return err
	}
	return feed(cmd, from)
}

// Load restores a dump into an empty database, all of it or nothing. Objects belong to who connects.
func Load(ctx context.Context, database string, version int, from io.Reader) error {
	cmd, err := tool(ctx, "pg_restore", version, "--format=custom", "--single-transaction", "--exit-on-error", "--no-owner", "--no-privileges", "--no-password")
	if err != nil {
		return err
	}
	if err := connect(cmd, database); err != nil {
		return err
	}
	return feed(cmd, from)
}

// feed runs a tool on an input of which it may leave a part unread. An error of the input is the one that counts.
func feed(cmd *exec.Cmd, from io.Reader) error {
	in, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	said := &tail{}
	cmd.Stderr = said
	if err := cmd.Start(); err != nil {
		return err
	}
	_, err = io.Copy(in, from)
	if errors.Is(err, syscall.EPIPE) {
		err = nil // It has read enough, or ended; its exit code tells.
	}
	if err != nil {
		// An input that ends early must not look like one that is whole.
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		return err
	}
	_ = in.Close()
	return ended(cmd, said, cmd.Wait())
}

// ContentsOf adds up the rows of a database, to compare with a manifest.
func ContentsOf(ctx context.Context, database string) ([]store.Content, error) {
	conn, err := pgx.Connect(ctx, database)
	if err != nil {
		return nil, fmt.Errorf("connecting to the restored database: %w", err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	var out []store.Content
	err = pgx.BeginTxFunc(ctx, conn, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) (err error) {
		out, err = store.Contents(ctx, tx)
		return err
	})
	return out, err
}
