package pgtest_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/shuqiao/shuqiao/internal/pgtest"
	"github.com/shuqiao/shuqiao/migrations"
)

// userEnv makes the test binary act as another user of the shared server: it acquires it, prints its URL, and holds it
// until its input ends or it is killed.
const userEnv = "PGTEST_TEST_USER"

func TestMain(m *testing.M) {
	if os.Getenv(userEnv) != "" {
		os.Exit(use())
	}
	os.Exit(m.Run())
}

func use() int {
	server, err := pgtest.Acquire(context.Background())
	if err != nil {
		fmt.Println("error:", err)
		return 1
	}
	fmt.Println(server.URL())
	_, _ = io.Copy(io.Discard, os.Stdin)
	if err := server.Stop(context.Background()); err != nil {
		fmt.Println("error:", err)
		return 1
	}
	return 0
}

func scan[T any](t *testing.T, conn *pgx.Conn, sql string, args ...any) T {
	t.Helper()
	var got T
	if err := conn.QueryRow(t.Context(), sql, args...).Scan(&got); err != nil {
		t.Fatal(err)
	}
	return got
}

// A database of URL has the newest schema, is UTF-8 in binary order, and two of them do not see each other.
func TestURL(t *testing.T) {
	t.Parallel()
	a, b := pgtest.Conn(t, pgtest.URL(t)), pgtest.Conn(t, pgtest.URL(t))
	latest, err := migrations.Latest()
	if err != nil {
		t.Fatal(err)
	}
	if got := scan[int64](t, a, "SELECT max(version_id) FROM goose_db_version"); got != latest {
		t.Errorf("schema version %d, want %d", got, latest)
	}
	const properties = "SELECT pg_encoding_to_char(encoding) || ' ' || datcollate FROM pg_database WHERE datname = current_database()"
	if got := scan[string](t, a, properties); got != "UTF8 C" {
		t.Errorf("encoding and collation %q, want UTF8 C", got)
	}
	if _, err := a.Exec(t.Context(), "CREATE TABLE only_here ()"); err != nil {
		t.Fatal(err)
	}
	if scan[bool](t, b, "SELECT to_regclass('only_here') IS NOT NULL") {
		t.Error("a table made in one database is in the other")
	}
}

// Empty gives a database without any table.
func TestEmpty(t *testing.T) {
	t.Parallel()
	conn := pgtest.Conn(t, pgtest.Empty(t))
	const tables = "SELECT count(*) FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
	if got := scan[int](t, conn, tables); got != 0 {
		t.Errorf("%d tables", got)
	}
}

// An account of Role logs in with its password, owns the database made for it, may do nothing on the server, and is gone
// after its test.
func TestRole(t *testing.T) {
	t.Parallel()
	var name string
	t.Run("user", func(t *testing.T) {
		const password = `it's \ p@ss`
		name = pgtest.Role(t, password)
		config, err := pgx.ParseConfig(pgtest.Database(t, "LOCALE 'C' OWNER "+name))
		if err != nil {
			t.Fatal(err)
		}
		config.User, config.Password = name, password
		conn, err := pgx.ConnectConfig(t.Context(), config)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close(context.WithoutCancel(t.Context()))
		if _, err := conn.Exec(t.Context(), "CREATE SCHEMA mine"); err != nil {
			t.Error(err)
		}
		if _, err := conn.Exec(t.Context(), "CREATE DATABASE other"); err == nil {
			t.Error("the account may create databases")
		}
	})
	if scan[bool](t, pgtest.Conn(t, pgtest.Admin(t)), "SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)", name) {
		t.Errorf("account %s is still there", name)
	}
}

// A database is dropped when its test is over, also while a session is still open in it.
func TestDroppedAfterwards(t *testing.T) {
	t.Parallel()
	server, err := pgtest.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer server.Release()
	var name string
	var left *pgx.Conn
	t.Run("user", func(t *testing.T) {
		url := pgtest.URL(t)
		left, err = pgx.Connect(context.Background(), url)
		if err != nil {
			t.Fatal(err)
		}
		name = scan[string](t, left, "SELECT current_database()")
	})
	defer left.Close(context.Background())
	conn := pgtest.Conn(t, server.URL())
	if scan[bool](t, conn, "SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)", name) {
		t.Errorf("database %s is still there", name)
	}
}

// Pool's sessions carry the test's name, so that a stuck one can be found in pg_stat_activity.
func TestPool(t *testing.T) {
	t.Parallel()
	var got string
	if err := pgtest.Pool(t).QueryRow(t.Context(), "SHOW application_name").Scan(&got); err != nil {
		t.Fatal(err)
	}
	if got != "test TestPool" {
		t.Errorf("application_name %q", got)
	}
}

// Many databases may be asked for at once.
func TestManyAtOnce(t *testing.T) {
	t.Parallel()
	began := time.Now()
	const many = 12
	var group sync.WaitGroup
	seen := make(chan string, many)
	for range many {
		group.Go(func() { seen <- pgtest.URL(t) })
	}
	group.Wait()
	close(seen)
	distinct := map[string]bool{}
	for url := range seen {
		distinct[url] = true
	}
	if len(distinct) != many {
		t.Errorf("%d distinct databases, want %d", len(distinct), many)
	}
	t.Logf("%d databases: %v", many, time.Since(began).Round(time.Millisecond))
}

// user starts this binary as another user of a private server that lies in tmp, and returns it with the server's URL.
func user(t *testing.T, env []string) (*exec.Cmd, io.Closer, string) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(env, userEnv+"=1")
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
	if url := strings.TrimSpace(line); strings.HasPrefix(url, "postgres://") {
		return cmd, in, url
	}
	t.Fatal(line)
	return nil, nil, ""
}

// privateEnv is an environment without a given server.
func privateEnv() []string {
	var env []string
	for _, e := range os.Environ() {
		if !strings.HasPrefix(e, pgtest.ServerEnv+"=") {
			env = append(env, e)
		}
	}
	return env
}

// Users in different processes share one server; a killed one does not take it away from the others, and one that
// leaves first does not stop it.
func TestUsersShareOneServer(t *testing.T) {
	t.Parallel()
	first, _, url := user(t, privateEnv())
	second, secondIn, secondURL := user(t, privateEnv())
	if url != secondURL {
		t.Errorf("two servers: %s and %s", url, secondURL)
	}
	third, thirdIn, _ := user(t, privateEnv())
	if err := first.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = first.Wait() // Reports the kill.
	if err := secondIn.Close(); err != nil {
		t.Fatal(err)
	}
	if err := second.Wait(); err != nil {
		t.Error(err)
	}
	if got := scan[int](t, pgtest.Conn(t, url), "SELECT 1"); got != 1 {
		t.Errorf("SELECT 1: %d", got)
	}
	if err := thirdIn.Close(); err != nil {
		t.Fatal(err)
	}
	if err := third.Wait(); err != nil {
		t.Error(err)
	}
}

// withpg hands the server to its command and passes on the command's exit code, also when a signal ended it.
func TestWithPG(t *testing.T) {
	t.Parallel()
	binary := t.TempDir() + "/withpg"
	if out, err := exec.Command("go", "build", "-o", binary, "./withpg").CombinedOutput(); err != nil {
		t.Fatalf("building withpg: %v\n%s", err, out)
	}
	for _, tc := range []struct {
		name string
		args []string
		code int
		out  string
	}{
		{"success", []string{"sh", "-c", `case $SHUQIAO_TEST_DATABASE_URL in postgres://*) echo given;; esac`}, 0, "given\n"},
		{"failure", []string{"sh", "-c", "exit 7"}, 7, ""},
		{"ended by a signal", []string{"sh", "-c", "kill -TERM $$"}, 128 + int(syscall.SIGTERM), ""},
		{"no such command", []string{"/nonexistent"}, 127, ""},
		{"no command", nil, 2, ""},
	} {
		cmd := exec.Command(binary, tc.args...)
		cmd.Env = privateEnv()
		out, err := cmd.Output()
		if err != nil && cmd.ProcessState == nil {
			t.Fatal(err)
		}
		if got := cmd.ProcessState.ExitCode(); got != tc.code || string(out) != tc.out {
			t.Errorf("%s: exit code %d with output %q, want %d with %q", tc.name, got, out, tc.code, tc.out)
		}
	}
}
