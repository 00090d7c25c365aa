package postgres

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
)

// adminURL names a PostgreSQL server as a superuser, set by TestMain: the one of SHUQIAO_TEST_DATABASE_URL, or a private
// one that lives as long as the tests.
var adminURL string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		adminURL = os.Getenv("SHUQIAO_TEST_DATABASE_URL")
		if adminURL == "" {
			stop, err := startServer()
			if err != nil {
				fmt.Fprintln(os.Stderr, "starting PostgreSQL for the tests:", err)
				return 1
			}
			defer stop()
		}
		return m.Run()
	}())
}

// startServer makes a cluster in a temporary folder, reachable by its socket only, and sets adminURL.
func startServer() (stop func(), err error) {
	binaries, err := filepath.Glob("/usr/lib/postgresql/*/bin")
	if err != nil || len(binaries) == 0 {
		return nil, fmt.Errorf("no PostgreSQL under /usr/lib/postgresql: %v", err)
	}
	bin := slices.Max(binaries)
	dir, err := os.MkdirTemp("", "pgsource")
	if err != nil {
		return nil, err
	}
	password := rand.Text()
	run := func(name string, args ...string) error {
		command := append([]string{filepath.Join(bin, name)}, args...)
		if os.Geteuid() == 0 {
			command = append([]string{"runuser", "-u", "postgres", "--"}, command...)
		}
		cmd := exec.Command(command[0], command[1:]...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w: %s", name, err, out)
		}
		return nil
	}
	if err := os.WriteFile(filepath.Join(dir, "pw"), []byte(password), 0o644); err != nil {
		return nil, err
	}
	if os.Geteuid() == 0 {
		if out, err := exec.Command("chown", "-R", "postgres", dir).CombinedOutput(); err != nil {
			return nil, fmt.Errorf("chown: %w: %s", err, out)
		}
	}
	data := filepath.Join(dir, "data")
	if err := run("initdb", "-D", data, "-U", "admin", "--pwfile", filepath.Join(dir, "pw"), "--auth=scram-sha-256",
		"--encoding=UTF8", "--locale=C", "--no-sync"); err != nil {
		return nil, err
	}
	options := "-c listen_addresses= -c fsync=off -c full_page_writes=off -c max_connections=50 -c unix_socket_directories=" + dir
	if err := run("pg_ctl", "-D", data, "-w", "-l", filepath.Join(dir, "log"), "-o", options, "start"); err != nil {
		return nil, err
	}
	adminURL = "postgres://admin:" + password + "@/postgres?host=" + url.QueryEscape(dir)
	return func() {
		if err := run("pg_ctl", "-D", data, "-m", "immediate", "stop"); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
		_ = os.RemoveAll(dir)
	}, nil
}

// connect opens a superuser connection to a database, closed with t. It serves cleanups too, when t's context has ended.
func connect(t testing.TB, database string) *pgx.Conn {
	t.Helper()
	config, err := pgx.ParseConfig(adminURL)
	if err != nil {
		t.Fatal(err)
	}
	if database != "" {
		config.Database = database
	}
	conn, err := pgx.ConnectConfig(context.Background(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

func mustExec(t testing.TB, conn *pgx.Conn, statements ...string) {
	t.Helper()
	for _, sql := range statements {
		if _, err := conn.Exec(t.Context(), sql); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
}

// newDatabase creates a database and an account that may only read it, and returns the settings of a source. locale is
// the rest of CREATE DATABASE; the default locale sorts text unlike its bytes.
func newDatabase(t testing.TB, locale string) map[string]string {
	t.Helper()
	name := "t_" + strings.ToLower(rand.Text()[:12])
	password := `p'w \` + rand.Text()
	if locale == "" {
		locale = "LOCALE_PROVIDER icu ICU_LOCALE 'zh-u-co-pinyin'"
	}
	admin := connect(t, "")
	mustExec(t, admin,
		"CREATE DATABASE "+name+" TEMPLATE template0 ENCODING 'UTF8' "+locale,
		"CREATE ROLE "+name+" LOGIN PASSWORD '"+strings.ReplaceAll(password, "'", "''")+"'",
	)
	t.Cleanup(func() {
		admin := connect(t, "")
		for _, sql := range []string{"DROP DATABASE " + name + " WITH (FORCE)", "DROP ROLE " + name} {
			if _, err := admin.Exec(context.Background(), sql); err != nil {
				t.Errorf("%s: %v", sql, err)
			}
		}
	})
	mustExec(t, connect(t, name), "ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO "+name)
	config := admin.Config()
	return map[string]string{
		keyHost: config.Host, keyPort: fmt.Sprint(config.Port), keyDatabase: name, keyUser: name, keyPassword: password,
		keySSLMode: "prefer",
	}
}
