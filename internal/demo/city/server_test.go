package city

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
)

// TestMain stops the throw-away server that a test may have started.
func TestMain(m *testing.M) {
	code := m.Run()
	testServer.stop()
	os.Exit(code)
}

var testServer server

// server is the PostgreSQL server the tests use: the one SHUQIAO_TEST_DATABASE_URL names, else a throw-away one.
type server struct {
	once sync.Once
	url  string
	dir  string
	err  error
}

func (s *server) start() {
	if s.url = os.Getenv("SHUQIAO_TEST_DATABASE_URL"); s.url != "" {
		return
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		s.err = err
		return
	}
	port := listener.Addr().(*net.TCPAddr).Port
	_ = listener.Close()
	if s.dir, s.err = os.MkdirTemp("", "city-test"); s.err != nil {
		return
	}
	if s.err = os.Chmod(s.dir, 0o777); s.err != nil {
		return
	}
	data := filepath.Join(s.dir, "data")
	if s.err = s.run("initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "-N"); s.err != nil {
		return
	}
	options := fmt.Sprintf("-p %d -k %s -c listen_addresses=127.0.0.1 -c fsync=off -c full_page_writes=off", port, s.dir)
	s.err = s.run("pg_ctl", "-D", data, "-w", "-l", filepath.Join(s.dir, "log"), "-o", options, "start")
	s.url = "postgres://postgres@127.0.0.1:" + strconv.Itoa(port) + "/postgres"
}

// address returns the superuser's URL; the first caller starts the server.
func (s *server) address(t testing.TB) url.URL {
	t.Helper()
	s.once.Do(s.start)
	if s.err != nil {
		t.Fatalf("starting PostgreSQL: %v", s.err)
	}
	u, err := url.Parse(s.url)
	if err != nil {
		t.Fatal(err)
	}
	return *u
}

func (s *server) stop() {
	if s.dir == "" {
		return
	}
	_ = s.run("pg_ctl", "-D", filepath.Join(s.dir, "data"), "-m", "immediate", "stop")
	_ = os.RemoveAll(s.dir)
}

// run starts a PostgreSQL program; the server refuses to run as root.
func (s *server) run(program string, args ...string) error {
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/" + program)
	if len(found) == 0 {
		return fmt.Errorf("%s is not installed", program)
	}
	command := append([]string{found[len(found)-1]}, args...)
	if os.Getuid() == 0 {
		command = append([]string{"runuser", "-u", "postgres", "--"}, command...)
	}
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Dir = "/"
	if out, err := cmd.Output(); err != nil {
		return fmt.Errorf("running %s: %w: %s", program, err, out)
	}
	return nil
}

// sources creates six empty databases owned by six new roles and returns where they are.
func sources(t testing.TB) DSN {
	t.Helper()
	address := testServer.address(t)
	ctx := context.Background()
	admin, err := pgx.Connect(ctx, address.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = admin.Close(ctx) })
	suffix := fmt.Sprintf("_t%08x", rand.Uint32())
	for _, d := range Databases() {
		owner, name := d.Owner+suffix, d.Name+suffix
		for _, statement := range []string{
			"CREATE ROLE " + owner + " LOGIN PASSWORD 'example'",
			"CREATE DATABASE " + name + " OWNER " + owner + " TEMPLATE template0 ENCODING 'UTF8'",
		} {
			if _, err := admin.Exec(ctx, statement); err != nil {
				t.Fatal(err)
			}
		}
		t.Cleanup(func() {
			for _, statement := range []string{"DROP DATABASE " + name + " WITH (FORCE)", "DROP ROLE " + owner} {
				if _, err := admin.Exec(ctx, statement); err != nil {
					t.Error(err)
				}
			}
		})
	}
	owners := map[string]string{}
	for _, d := range Databases() {
		owners[d.Name] = d.Owner + suffix
	}
	return func(database string) string {
		u := address
		u.User, u.Path = url.UserPassword(owners[database], "example"), "/"+database+suffix
		return u.String()
	}
}

func connect(t testing.TB, dsn string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(context.Background(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

// scalar returns the single value a query yields.
func scalar[T any](t testing.TB, conn *pgx.Conn, query string, args ...any) T {
	t.Helper()
	var v T
	if err := conn.QueryRow(context.Background(), query, args...).Scan(&v); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return v
}
