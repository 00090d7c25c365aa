package pglocal

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// poll is the pause between two looks at a server that is starting or stopping.
const poll = 10 * time.Millisecond

// adopt takes over a server that runs already. All must hold: the process of the pid file is alive, it answers on our
// socket with our password, its data folder is ours, and its system identifier is the one noted at creation. It returns
// false when no such server runs; a pid file left behind is then PostgreSQL's to judge.
func (c *Cluster) adopt(ctx context.Context) (bool, error) {
	for {
		pid, err := readPIDFile(c.pgdata)
		if err != nil {
			return false, err
		}
		if pid.pid == 0 || !alive(pid.pid) {
			return false, nil
		}
		last, err := readLastStart(c.dir)
		if err != nil {
			return false, err
		}
		c.pid, c.port, c.socketDir = pid.pid, pid.port, pid.socketDir
		if c.port == 0 || c.socketDir == "" {
			c.port, c.socketDir = last.Port, last.SocketDir
		}
		if c.port == 0 || c.socketDir == "" {
			return false, nil
		}
		err = c.identify(ctx)
		if err == nil {
			c.process, err = os.FindProcess(c.pid)
			return err == nil, err
		}
		// Starting up, recovering or shutting down: it will be ready or gone, so look again.
		if pgErr, ok := errors.AsType[*pgconn.PgError](err); !ok || pgErr.Code != cannotConnectNow {
			c.log.InfoContext(ctx, "not adopting the process of the pid file", "pid", pid.pid, "reason", err)
			return false, nil
		}
		if err := pause(ctx, poll); err != nil {
			return false, fmt.Errorf("waiting for the running PostgreSQL (process %d): %w", pid.pid, err)
		}
	}
}

// cannotConnectNow is SQLSTATE 57P03: the server is starting up or shutting down.
const cannotConnectNow = "57P03"

// identify connects through the socket and checks that the server is the one of this data folder.
func (c *Cluster) identify(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, c.SocketURL("postgres")+"&application_name=shuqiao-start")
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	var folder, identifier string
	err = conn.QueryRow(ctx, "SELECT current_setting('data_directory'), system_identifier::text FROM pg_control_system()").
		Scan(&folder, &identifier)
	if err != nil {
		return fmt.Errorf("asking the server who it is: %w", err)
	}
	if identifier != c.identifier {
		return fmt.Errorf("the server's system identifier is %s, this folder's is %s", identifier, c.identifier)
	}
	theirs, err := os.Stat(folder)
	if err != nil {
		return fmt.Errorf("looking at the server's data folder: %w", err)
	}
	ours, err := os.Stat(c.pgdata)
	if err != nil {
		return fmt.Errorf("looking at our data folder: %w", err)
	}
	if !os.SameFile(theirs, ours) {
		return fmt.Errorf("the server's data folder is %q, not %q", folder, c.pgdata)
	}
	return nil
}

// Some failures to start pass by themselves: a port that another program takes between our look and the server's bind, a
// server that a killed holder launched an instant ago, and, after a kill of the server, its last sessions or its own
// entry in the process table, which PostgreSQL rightly takes for a server that still runs.
const (
	startAttempts = 8
	startPause    = 250 * time.Millisecond
)

func (c *Cluster) start(ctx context.Context, opts Options, acct account) error {
	version, err := clusterVersion(c.pgdata)
	if err != nil {
		return err
	}
	var bin Binaries
	if opts.Binaries != nil && opts.Binaries.Version == version {
		bin = *opts.Binaries
	} else if bin, err = findVersion(ctx, version); err != nil {
		return err
	}
	last, err := readLastStart(c.dir)
	if err != nil {
		return err
	}
	if c.socketDir, err = makeSocketDir(c.dir, acct); err != nil {
		return err
	}
	var failure error
	for attempt := range startAttempts {
		if attempt > 0 {
			if err := pause(ctx, startPause); err != nil {
				return errors.Join(failure, err)
			}
		}
		if c.port, err = freePort(ctx, last.Port); err != nil {
			return err
		}
		note := fmt.Appendf(nil, "{\"port\":%d,\"socket_dir\":%q}\n", c.port, c.socketDir)
		if err := writeFile(c.dir, "postgres.json", note); err != nil {
			return err
		}
		began := time.Now()
		if failure = c.launch(ctx, opts, bin, acct); failure == nil {
			c.log.InfoContext(ctx, "started the private PostgreSQL", "pid", c.pid, "port", c.port,
				"took", time.Since(began).Round(time.Millisecond))
			return nil
		}
		if ctx.Err() != nil {
			return failure
		}
		socketDir := c.socketDir
		adopted, err := c.adopt(ctx)
		if err != nil || adopted {
			c.adopted = adopted
			return err
		}
		c.socketDir = socketDir
	}
	return failure
}

// launch starts the server in a session of its own and waits until it answers.
func (c *Cluster) launch(ctx context.Context, opts Options, bin Binaries, acct account) error {
	logFile, err := openLog(c.dir)
	if err != nil {
		return err
	}
	defer logFile.Close()
	from, err := logFile.Seek(0, 2)
	if err != nil {
		return fmt.Errorf("reading the end of postgres.log: %w", err)
	}
	settings := map[string]string{
		"listen_addresses":        "127.0.0.1",
		"port":                    strconv.Itoa(c.port),
		"unix_socket_directories": `"` + strings.ReplaceAll(c.socketDir, `"`, `""`) + `"`,
		"unix_socket_permissions": "0700",
		"logging_collector":       "off",
		"log_destination":         "stderr",
	}
	maps.Copy(settings, opts.Settings)
	// The shell starts the server in the background and ends, so that the server is nobody's child to wait for.
	args := []string{"-c", `"$@" </dev/null >&2 & echo $!`, "sh", filepath.Join(bin.Dir, "postgres"), "-D", c.pgdata}
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		args = append(args, "-c", name+"="+settings[name])
	}
	// Not to be cut short: a shell killed after it forked would leave a server whose number nobody knows.
	cmd := acct.command(context.WithoutCancel(ctx), "/bin/sh", args...)
	cmd.Stderr = logFile
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("starting PostgreSQL: %w", err)
	}
	if c.pid, err = strconv.Atoi(strings.TrimSpace(string(out))); err != nil {
		return fmt.Errorf("starting PostgreSQL: reading its process id: %w", err)
	}
	if c.process, err = os.FindProcess(c.pid); err != nil {
		return fmt.Errorf("starting PostgreSQL: %w", err)
	}
	for {
		err := c.identify(ctx)
		if err == nil {
			// A server that a killed holder launched an instant ago may be the one that answered.
			running, err := readPIDFile(c.pgdata)
			if err == nil && running.pid != c.pid {
				err = fmt.Errorf("another server (process %d) of this data folder was first", running.pid)
			}
			return err
		}
		if !alive(c.pid) {
			return fmt.Errorf("PostgreSQL ended while starting; the end of %s says:\n%s",
				logFile.Name(), logTail(logFile.Name(), from))
		}
		if pauseErr := pause(ctx, poll); pauseErr != nil {
			_ = c.process.Signal(syscall.SIGQUIT)
			return fmt.Errorf("waiting for PostgreSQL to answer (last: %w): %w", err, pauseErr)
		}
	}
}

// openLog opens postgres.log at its end and starts a new one beyond 16 MiB, keeping one old file.
func openLog(dir string) (*os.File, error) {
	path := filepath.Join(dir, "postgres.log")
	if info, err := os.Stat(path); err == nil && info.Size() > 16<<20 {
		if err := os.Rename(path, path+".1"); err != nil {
			return nil, fmt.Errorf("turning over postgres.log: %w", err)
		}
	}
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_APPEND|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening postgres.log: %w", err)
	}
	return file, nil
}

// logTail returns what was written to the log after the given offset, at most its last 2 KiB.
func logTail(path string, from int64) string {
	text, err := os.ReadFile(path)
	if err != nil || int64(len(text)) < from {
		return ""
	}
	text = text[from:]
	if len(text) > 2048 {
		text = text[len(text)-2048:]
	}
	return strings.TrimSpace(string(text))
}

// freePort returns the wanted port when nothing listens on it, else one the system chooses.
func freePort(ctx context.Context, wanted int) (int, error) {
	var config net.ListenConfig
	if wanted != 0 {
		if l, err := config.Listen(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(wanted))); err == nil {
			return wanted, l.Close()
		}
	}
	l, err := config.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("finding a free port: %w", err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	return port, l.Close()
}

// pause waits, or returns the context's error.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
