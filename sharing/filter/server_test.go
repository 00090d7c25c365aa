package filter_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
)

// server is the PostgreSQL server of this test binary: the one SHUQIAO_TEST_DATABASE_URL names, or a throw-away one
// that is started by the first test that needs it and stopped by TestMain.
type server struct {
	once sync.Once
	url  string
	stop func() error
	err  error
}

var testServer server

func TestMain(m *testing.M) {
	code := m.Run()
	if testServer.stop != nil {
		if err := testServer.stop(); err != nil {
			fmt.Fprintln(os.Stderr, "stopping the test server:", err)
			code = 1
		}
	}
	os.Exit(code)
}

// connect returns a connection that is closed when the test ends.
func connect(t *testing.T) *pgx.Conn {
	t.Helper()
	testServer.once.Do(testServer.start)
	if testServer.err != nil {
		t.Fatal(testServer.err)
	}
	conn, err := pgx.Connect(t.Context(), testServer.url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

func (s *server) start() {
	if s.url = os.Getenv("SHUQIAO_TEST_DATABASE_URL"); s.url != "" {
		return
	}
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin")
	if len(found) == 0 {
		s.err = fmt.Errorf("no PostgreSQL server is installed and SHUQIAO_TEST_DATABASE_URL is not set")
		return
	}
	sort.Strings(found)
	bin := found[len(found)-1]
	dir, err := os.MkdirTemp("/tmp", "sq-filter-")
	if err != nil {
		s.err = err
		return
	}
	run := func(name string, args ...string) error {
		command := append([]string{filepath.Join(bin, name)}, args...)
		if os.Geteuid() == 0 {
			command = append([]string{"runuser", "-u", "postgres", "--"}, command...)
		}
		cmd := exec.Command(command[0], command[1:]...)
		cmd.Dir = dir
		// The server inherits no pipe of ours, so that pg_ctl does not wait for it.
		log, err := os.Create(filepath.Join(dir, name+".out"))
		if err != nil {
			return err
		}
		defer func() { _ = log.Close() }()
		cmd.Stdout, cmd.Stderr = log, log
		if err := cmd.Run(); err != nil {
			text, _ := os.ReadFile(log.Name())
			return fmt.Errorf("running %s: %w: %s", strings.Join(command, " "), err, text)
		}
		return nil
	}
	if os.Geteuid() == 0 {
		if err := exec.Command("chown", "postgres", dir).Run(); err != nil {
			s.err = err
			return
		}
	}
	data := filepath.Join(dir, "data")
	if s.err = run("initdb", "-D", data, "-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C", "-N"); s.err != nil {
		return
	}
	options := "-c listen_addresses= -c unix_socket_directories=" + dir + " -c fsync=off"
	if s.err = run("pg_ctl", "-D", data, "-w", "-l", filepath.Join(dir, "log"), "-o", options, "start"); s.err != nil {
		return
	}
	s.stop = func() error {
		err := run("pg_ctl", "-D", data, "-w", "-m", "immediate", "stop")
		if removeErr := os.RemoveAll(dir); err == nil {
			err = removeErr
		}
		return err
	}
	s.url = "host=" + dir + " user=postgres dbname=postgres"
}
