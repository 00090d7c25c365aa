package pglocal_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/shuqiao/shuqiao/internal/pglocal"
	"github.com/shuqiao/shuqiao/internal/pgtest"
)

// holderEnv makes the test binary act as a holder of the data folder it names: it starts the server, says so, and waits
// until its input ends or it is killed.
const holderEnv = "PGLOCAL_TEST_HOLDER"

func TestMain(m *testing.M) {
	if dir := os.Getenv(holderEnv); dir != "" {
		os.Exit(hold(dir))
	}
	code := m.Run()
	if prototype.parent != "" {
		_ = os.RemoveAll(prototype.parent)
	}
	os.Exit(code)
}

func hold(dir string) int {
	c, err := pglocal.Start(context.Background(), pglocal.Options{DataDir: dir, Settings: fast})
	if err != nil {
		fmt.Println("error:", err)
		return 1
	}
	fmt.Println("pid", c.PID())
	_, _ = io.Copy(io.Discard, os.Stdin)
	if err := c.Close(); err != nil {
		fmt.Println("error:", err)
		return 1
	}
	return 0
}

// fast leaves out flushing to disk: these tests kill processes, never the machine.
var fast = map[string]string{"fsync": "off"}

// dataDir is a folder that does not exist yet, where the account PostgreSQL runs as can enter.
func dataDir(t *testing.T) string {
	t.Helper()
	return filepath.Join(pgtest.Dir(t), "data")
}

// prototype is a stopped cluster. Tests of anything but a cluster's creation copy it, since initdb takes long.
var prototype struct {
	once   sync.Once
	parent string // Removed by TestMain.
	err    error
}

// made fills dir with a cluster that is not running.
func made(t *testing.T, dir string) {
	t.Helper()
	p := &prototype
	p.once.Do(func() {
		if p.parent, p.err = pgtest.MkdirTemp(); p.err != nil {
			return
		}
		data := filepath.Join(p.parent, "data")
		c, err := pglocal.Start(t.Context(), pglocal.Options{DataDir: data, Settings: fast})
		if err != nil {
			p.err = err
			return
		}
		// Each copy is to find a port of its own.
		p.err = errors.Join(c.Close(), os.Remove(filepath.Join(data, "postgres.json")))
	})
	if p.err != nil {
		t.Fatalf("making the cluster to copy: %v", p.err)
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o711); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("cp", "-a", filepath.Join(p.parent, "data"), dir).CombinedOutput(); err != nil {
		t.Fatalf("copying the cluster: %v: %s", err, out)
	}
}

// madeDir is dataDir with a cluster in it that is not running.
func madeDir(t *testing.T) string {
	t.Helper()
	dir := dataDir(t)
	made(t, dir)
	return dir
}

func start(t *testing.T, dir string) *pglocal.Cluster {
	t.Helper()
	c, err := pglocal.Start(t.Context(), pglocal.Options{DataDir: dir, Settings: fast})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

func exec1(t *testing.T, url, sql string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(t.Context()))
	if _, err := conn.Exec(t.Context(), sql); err != nil {
		t.Fatal(err)
	}
}

func query(t *testing.T, url, sql string) string {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(t.Context()))
	var got string
	if err := conn.QueryRow(t.Context(), sql).Scan(&got); err != nil {
		t.Fatal(err)
	}
	return got
}

// holder starts this test binary as a holder and returns it once its server answers, with the server's process id.
func holder(t *testing.T, dir string) (cmd *exec.Cmd, stdin io.Closer, serverPID int) {
	t.Helper()
	cmd = exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), holderEnv+"="+dir)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	number, ok := strings.CutPrefix(strings.TrimSpace(line), "pid ")
	if !ok {
		t.Fatal(line)
	}
	pid, err := strconv.Atoi(number)
	if err != nil {
		t.Fatal(err)
	}
	return cmd, in, pid
}

func kill(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // Reports the kill.
}

// A first start creates a UTF-8 cluster with passwords everywhere; a second one keeps data, port, password and identity.
func TestStartTwice(t *testing.T) {
	t.Parallel()
	dir := dataDir(t)
	began := time.Now()
	c, err := pglocal.Start(t.Context(), pglocal.Options{DataDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("first start: %v", time.Since(began).Round(time.Millisecond))
	url, identifier := c.URL("postgres"), c.SystemIdentifier()
	exec1(t, url, "CREATE TABLE kept AS SELECT '数桥' AS word")
	for setting, want := range map[string]string{
		"server_encoding": "UTF8", "lc_collate": "C", "fsync": "on", "synchronous_commit": "on",
		"listen_addresses": "127.0.0.1", "password_encryption": "scram-sha-256", "jit": "off",
	} {
		if got := query(t, url, "SHOW "+setting); got != want {
			t.Errorf("%s = %q, want %q", setting, got, want)
		}
	}
	for _, file := range []string{"postgres/password", "postgres.json", "postgres.log", "hub.lock"} {
		info, err := os.Stat(filepath.Join(dir, file))
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode().Perm(); got != 0o600 {
			t.Errorf("%s has mode %o, want 600", file, got)
		}
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if c.Alive() {
		t.Error("the server still runs after Close")
	}

	began = time.Now()
	c = start(t, dir)
	t.Logf("second start: %v", time.Since(began).Round(time.Millisecond))
	if diff := cmp.Diff([]string{url, identifier}, []string{c.URL("postgres"), c.SystemIdentifier()}); diff != "" {
		t.Errorf("the second start differs (-want +got):\n%s", diff)
	}
	if got := query(t, c.SocketURL("postgres"), "SELECT word FROM kept"); got != "数桥" {
		t.Errorf("after a restart the table holds %q", got)
	}
	if c.Adopted() {
		t.Error("a stopped server was reported as adopted")
	}
}

// A wrong password is refused on the socket and on TCP: there is no trusted way in.
func TestPasswordIsAlwaysAsked(t *testing.T) {
	t.Parallel()
	c := start(t, madeDir(t))
	for name, url := range map[string]string{"tcp": c.URL("postgres"), "socket": c.SocketURL("postgres")} {
		config, err := pgx.ParseConfig(url)
		if err != nil {
			t.Fatal(err)
		}
		config.Password = "wrong"
		if conn, err := pgx.ConnectConfig(t.Context(), config); err == nil {
			_ = conn.Close(t.Context())
			t.Errorf("%s let a wrong password in", name)
		}
	}
}

// A server whose holder was killed is adopted, not started again: same process, same data.
func TestAdoptAfterKill(t *testing.T) {
	t.Parallel()
	dir := madeDir(t)
	cmd, _, pid := holder(t, dir)
	kill(t, cmd)
	began := time.Now()
	c := start(t, dir)
	t.Logf("adoption: %v", time.Since(began).Round(time.Millisecond))
	if !c.Adopted() || c.PID() != pid {
		t.Errorf("Adopted, PID = %v, %d, want true, %d", c.Adopted(), c.PID(), pid)
	}
	if got := query(t, c.URL("postgres"), "SELECT system_identifier::text FROM pg_control_system()"); got != c.SystemIdentifier() {
		t.Errorf("system identifier %s, want %s", got, c.SystemIdentifier())
	}
}

// Ctrl-C in a terminal signals the whole foreground group: the server is in a session of its own and lives on.
func TestServerHasItsOwnSession(t *testing.T) {
	t.Parallel()
	c := start(t, madeDir(t))
	ours, err := syscall.Getpgid(0)
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := syscall.Getpgid(c.PID())
	if err != nil {
		t.Fatal(err)
	}
	if ours == theirs {
		t.Error("the server is in our process group")
	}
}

// While one process holds the folder a second gets an error that names the folder, and the server is left alone.
func TestTwoHoldersAreRefused(t *testing.T) {
	t.Parallel()
	dir := madeDir(t)
	cmd, stdin, pid := holder(t, dir)
	_, err := pglocal.Start(t.Context(), pglocal.Options{DataDir: dir, Settings: fast})
	if !errors.Is(err, pglocal.ErrLocked) || !strings.Contains(err.Error(), dir) ||
		!strings.Contains(err.Error(), strconv.Itoa(cmd.Process.Pid)) {
		t.Errorf("second Start: %v, want ErrLocked naming %s and process %d", err, dir, cmd.Process.Pid)
	}
	if err := syscall.Kill(pid, 0); err != nil {
		t.Errorf("the first holder's server: %v", err)
	}
	if err := stdin.Close(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
}

// A caller that holds the lock itself keeps it: Start neither takes a second one nor frees it on Close.
func TestCallersLockIsKept(t *testing.T) {
	t.Parallel()
	dir := madeDir(t)
	lock, err := pglocal.Lock(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Release()
	c, err := pglocal.Start(t.Context(), pglocal.Options{DataDir: dir, Lock: lock, Settings: fast})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if again, err := pglocal.Lock(dir); !errors.Is(err, pglocal.ErrLocked) {
		again.Release()
		t.Errorf("the caller's lock was freed: %v", err)
	}
}

// A released folder is free at once, even while this process is starting others that share its open files for a moment.
func TestReleaseIsNotHeldByForks(t *testing.T) {
	t.Parallel()
	dir := dataDir(t)
	done := make(chan struct{})
	var starting sync.WaitGroup
	for range 4 {
		starting.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
					_ = exec.Command("true").Run()
				}
			}
		})
	}
	for range 300 {
		lock, err := pglocal.Lock(dir)
		if err != nil {
			t.Error(err)
			break
		}
		lock.Release()
		time.Sleep(time.Millisecond)
	}
	close(done)
	starting.Wait()
}

// A path too long for a Unix socket gets a short socket folder that only the server's account can enter.
func TestDeepDataDir(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(dataDir(t), strings.Repeat("深", 30), strings.Repeat("d", 60))
	made(t, dir)
	c := start(t, dir)
	if len(c.SocketDir()) > 80 {
		t.Errorf("socket folder %q is %d bytes long", c.SocketDir(), len(c.SocketDir()))
	}
	info, err := os.Stat(c.SocketDir())
	if err != nil {
		t.Fatal(err)
	}
	if got := info.Mode().Perm(); got != 0o700 {
		t.Errorf("socket folder has mode %o, want 700", got)
	}
	if got := query(t, c.SocketURL("postgres"), "SELECT 'here'"); got != "here" {
		t.Errorf("query over the socket: %q", got)
	}
}

// A server killed with SIGKILL leaves its pid file; the next start recovers and serves what was committed.
func TestStalePIDFile(t *testing.T) {
	t.Parallel()
	dir := madeDir(t)
	c := start(t, dir)
	exec1(t, c.URL("postgres"), "CREATE TABLE committed AS SELECT 'yes' AS word")
	if err := syscall.Kill(c.PID(), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "postgres", "data", "postmaster.pid")); err != nil {
		t.Fatalf("the killed server should leave its pid file: %v", err)
	}
	c = start(t, dir)
	if c.Adopted() {
		t.Error("a dead server was adopted")
	}
	if got := query(t, c.URL("postgres"), "SELECT word FROM committed"); got != "yes" {
		t.Errorf("after recovery the table holds %q", got)
	}
}

// A pid file that names a living process which is not our server never makes us adopt it or signal it.
func TestPIDFileOfAnotherProcess(t *testing.T) {
	t.Parallel()
	dir := madeDir(t)
	c := start(t, dir)
	pidPath := filepath.Join(dir, "postgres", "data", "postmaster.pid")
	text, err := os.ReadFile(pidPath)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "\n")
	stale := strconv.Itoa(os.Getpid()) + "\n" + rest
	if err := os.WriteFile(pidPath, []byte(stale), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := pglocal.Adopt(t.Context(), pglocal.Options{DataDir: dir}); !errors.Is(err, pglocal.ErrNotRunning) {
		t.Errorf("Adopt: %v, want ErrNotRunning", err)
	}
}

// A holder killed at any point of the first start leaves nothing that keeps the next one from a whole cluster, and no
// half-made one behind.
func TestKilledFirstStart(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ name, until string }{
		{"when initdb begins", "postgres.new-*"},
		{"while initdb writes", "postgres.new-*/data/global/*"},
		{"when the cluster is placed", "postgres"},
		{"when the server starts", "postgres/data/postmaster.pid"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			dir := dataDir(t)
			cmd := exec.Command(os.Args[0])
			cmd.Env = append(os.Environ(), holderEnv+"="+dir)
			stdin, err := cmd.StdinPipe() // Kept open: the holder would leave by itself at its end.
			if err != nil {
				t.Fatal(err)
			}
			defer stdin.Close()
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			awaitFile(t, filepath.Join(dir, tc.until))
			kill(t, cmd)

			c := start(t, dir)
			if got := query(t, c.URL("postgres"), "SELECT 'whole'"); got != "whole" {
				t.Errorf("query: %q", got)
			}
			if err := c.Close(); err != nil {
				t.Fatal(err)
			}
			start(t, dir)
		})
	}
}

// awaitFile returns as soon as a path matches the pattern.
func awaitFile(t *testing.T, pattern string) {
	t.Helper()
	ticker := time.NewTicker(time.Millisecond)
	defer ticker.Stop()
	limit := time.After(time.Minute)
	for {
		if found, err := filepath.Glob(pattern); err != nil || len(found) > 0 {
			if err != nil {
				t.Fatal(err)
			}
			return
		}
		select {
		case <-ticker.C:
		case <-limit:
			t.Fatalf("%s did not appear", pattern)
		}
	}
}

// What a killed initdb left under its own name is removed by the next start.
func TestHalfMadeClusterIsRemoved(t *testing.T) {
	t.Parallel()
	dir := dataDir(t)
	half := filepath.Join(dir, "postgres.new-1", "data")
	if err := os.MkdirAll(half, 0o711); err != nil {
		t.Fatal(err)
	}
	start(t, dir)
	if left, err := filepath.Glob(filepath.Join(dir, "postgres.new-*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %q, %v", left, err)
	}
}

// A port taken by another program is exchanged for a free one.
func TestTakenPortIsReplaced(t *testing.T) {
	t.Parallel()
	first, second := madeDir(t), madeDir(t)
	a := start(t, first)
	note := fmt.Sprintf(`{"port":%d}`, a.Port())
	if err := os.WriteFile(filepath.Join(second, "postgres.json"), []byte(note), 0o600); err != nil {
		t.Fatal(err)
	}
	b := start(t, second)
	if a.Port() == b.Port() {
		t.Errorf("both servers use port %d", a.Port())
	}
}

// For root, a folder that PostgreSQL's account cannot enter is named in the error, and nothing is created in it.
func TestClosedFolderIsNamed(t *testing.T) {
	t.Parallel()
	dir := dataDir(t)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	c, err := pglocal.Start(t.Context(), pglocal.Options{DataDir: dir, Settings: fast})
	if os.Geteuid() != 0 {
		if err != nil {
			t.Fatalf("a private folder suits an ordinary user: %v", err)
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		return
	}
	if err == nil || !strings.Contains(err.Error(), dir) {
		t.Fatalf("Start: %v, want an error naming %s", err, dir)
	}
	if _, err := os.Stat(filepath.Join(dir, "postgres")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("postgres folder: %v, want that it does not exist", err)
	}
}

// A context that ends stops a start and leaves no server behind.
func TestStartObeysItsContext(t *testing.T) {
	t.Parallel()
	dir := dataDir(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := pglocal.Start(ctx, pglocal.Options{DataDir: dir}); !errors.Is(err, context.Canceled) {
		t.Errorf("Start: %v, want context.Canceled", err)
	}
	lock, err := pglocal.Lock(dir)
	if err != nil {
		t.Errorf("the lock was kept: %v", err)
	}
	lock.Release()
}
