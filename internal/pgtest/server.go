package pgtest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/shuqiao/shuqiao/internal/pglocal"
)

// ServerEnv names a superuser's URL of the server to make test databases on.
const ServerEnv = "SHUQIAO_TEST_DATABASE_URL"

// Server is the right to use a server until Release.
type Server struct {
	url  string
	dir  string        // "" when the server is not ours.
	hold *os.File      // Shared lock on <dir>/users.lock.
	rest time.Duration // How long the server goes on without a user.
}

// rest is how long a server goes on without a user. Between two tests of one binary nobody holds the lock.
const rest = 3 * time.Second

// URL is a superuser's URL of the server's database "postgres", or of the database ServerEnv names.
func (s *Server) URL() string { return s.url }

// settings suit throw-away data and many small databases at once.
func settings() map[string]string {
	return map[string]string{
		"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off",
		"max_connections": "400", "shared_buffers": "128MB", "max_wal_size": "1GB",
	}
}

// Acquire returns the server of ServerEnv, or the shared private one, which it starts when nobody uses it. A shared
// private server whose files do not open any more is made anew.
func Acquire(ctx context.Context) (*Server, error) {
	if url := os.Getenv(ServerEnv); url != "" {
		return &Server{url: url}, nil
	}
	dir, err := sharedDir()
	if err != nil {
		return nil, err
	}
	return acquireIn(ctx, dir, rest)
}

// acquireIn is Acquire of the private server in dir.
func acquireIn(ctx context.Context, dir string, rest time.Duration) (_ *Server, err error) {
	s := &Server{dir: dir, rest: rest}
	if s.hold, err = flock(filepath.Join(dir, "users.lock"), syscall.LOCK_SH); err != nil {
		return nil, err
	}
	if err := s.start(ctx); err != nil {
		return nil, errors.Join(err, s.hold.Close())
	}
	return s, nil
}

// start adopts or starts the server. Nobody stops it meanwhile, because we hold the users' lock.
func (s *Server) start(ctx context.Context) error {
	starting, err := flock(filepath.Join(s.dir, "start.lock"), syscall.LOCK_EX)
	if err != nil {
		return err
	}
	defer starting.Close()
	options := pglocal.Options{DataDir: filepath.Join(s.dir, "cluster"), Settings: settings()}
	cluster, err := pglocal.Start(ctx, options)
	if err != nil && ctx.Err() == nil && !errors.Is(err, pglocal.ErrNoBinaries) && !errors.Is(err, pglocal.ErrLocked) {
		// Files that were not flushed when the machine went down: nothing in them is worth keeping.
		if removeErr := os.RemoveAll(options.DataDir); removeErr != nil {
			return errors.Join(err, removeErr)
		}
		cluster, err = pglocal.Start(ctx, options)
	}
	if err != nil {
		return fmt.Errorf("starting the test server: %w", err)
	}
	defer cluster.Detach()
	s.url = cluster.URL("postgres")
	if cluster.Adopted() {
		return nil
	}
	if err := sweep(ctx, s.url); err != nil {
		return errors.Join(err, cluster.Close())
	}
	return s.watch(cluster.PID())
}

// watchScript waits until nobody holds the users' lock and nobody comes for a while, then stops the server. It ends
// with the server, too. $1 is the folder, $2 the server's process, $3 the while in seconds.
const watchScript = `
pidfile=$1/cluster/postgres/data/postmaster.pid
ours() { [ "$(head -n 1 "$pidfile" 2>/dev/null)" = "$2" ]; }
while ours "$@"; do
	flock -x "$1/users.lock" true || exit 1
	ours "$@" || exit 0
	sleep "$3"
	if exec 9<"$1/users.lock" && flock -n -x 9; then
		ours "$@" && kill -INT "$2" && while ours "$@" && kill -0 "$2"; do sleep 0.1; done
		exit 0
	fi
	exec 9<&-
done`

// watch leaves a small shell process behind that stops the server once its last user is gone, however it went. Between
// two tests of one binary nobody holds the lock; the pause keeps the server up. Where flock(1) is missing (it is part of
// util-linux), Release stops the server at once instead.
func (s *Server) watch(pid int) error {
	if !canWatch() {
		return nil
	}
	cmd := exec.Command("/bin/sh", "-c", watchScript, "sh", s.dir, strconv.Itoa(pid),
		strconv.FormatFloat(s.rest.Seconds(), 'f', -1, 64))
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	cmd.Dir = "/"
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("watching the test server: %w", err)
	}
	return cmd.Process.Release()
}

func canWatch() bool {
	_, err := exec.LookPath("flock")
	return err == nil
}

// Release gives the server back. It is the watcher that stops it when nobody comes.
func (s *Server) Release() error {
	if s.hold == nil {
		return nil
	}
	if !canWatch() {
		return s.Stop(context.Background())
	}
	return s.close()
}

// Stop is Release for a caller who is through with the server for good: when nobody else uses it, it has stopped when
// Stop returns.
func (s *Server) Stop(ctx context.Context) error {
	if s.hold == nil {
		return nil
	}
	if err := tryExclusive(s.hold); err != nil {
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return s.close()
		}
		return errors.Join(err, s.close())
	}
	defer s.close()
	cluster, err := pglocal.Adopt(ctx, pglocal.Options{DataDir: filepath.Join(s.dir, "cluster")})
	if errors.Is(err, pglocal.ErrNotRunning) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("stopping the test server: %w", err)
	}
	return cluster.Stop(ctx)
}

func (s *Server) close() error {
	hold := s.hold
	s.hold = nil
	if hold == nil {
		return nil
	}
	return hold.Close()
}

// enoughShm is the free space above which /dev/shm is used: a test run needs a few hundred MiB there, and a container
// often has only 64.
const enoughShm = 2 << 30

// sharedDir is the folder of this user's shared server, in memory where there is room. A folder already there is used
// even if room has become scarce, so that two binaries never choose differently while one of them runs.
func sharedDir() (string, error) {
	name := "shuqiao-test-" + strconv.Itoa(os.Geteuid())
	inMemory := filepath.Join("/dev/shm", name)
	if err := checkOwn(inMemory); err == nil {
		return inMemory, nil
	}
	if roomInMemory() {
		if err := makeOwn(inMemory); err == nil {
			return inMemory, nil
		}
	}
	inTemp := filepath.Join(os.TempDir(), name)
	if err := makeOwn(inTemp); err != nil {
		return "", fmt.Errorf("creating the folder of the test server: %w", err)
	}
	return inTemp, nil
}

func roomInMemory() bool {
	var shm syscall.Statfs_t
	err := syscall.Statfs("/dev/shm", &shm)
	return err == nil && uint64(shm.Bavail)*uint64(shm.Bsize) >= enoughShm
}

// MkdirTemp makes a fresh folder for a cluster of the caller's own, in memory where there is room. The account PostgreSQL
// runs as can enter it; t.TempDir is closed to it when root runs the test. The caller removes it.
func MkdirTemp() (string, error) {
	parent := ""
	if roomInMemory() {
		parent = "/dev/shm"
	}
	dir, err := os.MkdirTemp(parent, "shuqiao-test-")
	if err != nil && parent != "" {
		// Memory may be closed to an ordinary user.
		dir, err = os.MkdirTemp("", "shuqiao-test-")
	}
	if err != nil {
		return "", err
	}
	return dir, os.Chmod(dir, 0o711)
}

// Dir is MkdirTemp that is removed when the test is over.
func Dir(t testing.TB) string {
	t.Helper()
	dir, err := MkdirTemp()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		// A killed process's initdb may still be writing there for a moment.
		limit := time.Now().Add(20 * time.Second)
		err := os.RemoveAll(dir)
		for err != nil && time.Now().Before(limit) {
			err = os.RemoveAll(dir)
		}
		if err != nil {
			t.Error(err)
		}
	})
	return dir
}

// makeOwn creates the folder, or accepts ours; one that somebody else made in the public place is refused.
func makeOwn(dir string) error {
	if err := os.Mkdir(dir, 0o711); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	if err := checkOwn(dir); err != nil {
		return err
	}
	return os.Chmod(dir, 0o711)
}

func checkOwn(dir string) error {
	info, err := os.Lstat(dir)
	if err != nil {
		return err
	}
	if stat, ok := info.Sys().(*syscall.Stat_t); !ok || !info.IsDir() || int(stat.Uid) != os.Geteuid() {
		return fmt.Errorf("%q exists and is not ours", dir)
	}
	return nil
}

// flock opens path and waits for the lock.
func flock(path string, how int) (*os.File, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening lock file: %w", err)
	}
	for {
		err := syscall.Flock(int(file.Fd()), how)
		if errors.Is(err, syscall.EINTR) {
			continue
		}
		if err != nil {
			return nil, errors.Join(fmt.Errorf("locking %q: %w", path, err), file.Close())
		}
		return file, nil
	}
}

// tryExclusive turns our shared lock into the exclusive one if nobody else holds it, and never waits.
func tryExclusive(file *os.File) error {
	for {
		err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}
