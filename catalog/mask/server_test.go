package mask

import (
	"context"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/jackc/pgx/v5"
)

// database connects to the server of SHUQIAO_TEST_DATABASE_URL, or starts a private one that lives as long as the test.
func database(t *testing.T) *pgx.Conn {
	t.Helper()
	url := os.Getenv("SHUQIAO_TEST_DATABASE_URL")
	if url == "" {
		url = startServer(t)
	}
	conn, err := pgx.Connect(context.Background(), url)
	if err != nil {
		t.Fatalf("connecting to PostgreSQL: %v", err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

// startServer runs initdb and pg_ctl in a folder of their own, as user postgres when the test runs as root.
func startServer(t *testing.T) string {
	t.Helper()
	binaries, err := filepath.Glob("/usr/lib/postgresql/*/bin")
	if err != nil || len(binaries) == 0 {
		t.Fatal("PostgreSQL is not installed: set SHUQIAO_TEST_DATABASE_URL or install the postgresql package")
	}
	folder, err := os.MkdirTemp("", "mask")
	if err != nil {
		t.Fatalf("making the data folder: %v", err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	var prefix []string
	if os.Geteuid() == 0 {
		account, err := user.Lookup("postgres")
		if err != nil {
			t.Fatalf("PostgreSQL refuses to run as root and there is no user postgres: %v", err)
		}
		uid, _ := strconv.Atoi(account.Uid)
		gid, _ := strconv.Atoi(account.Gid)
		if err := os.Chown(folder, uid, gid); err != nil {
			t.Fatalf("handing the data folder to postgres: %v", err)
		}
		prefix = []string{"runuser", "-u", "postgres", "--"}
	}
	run := func(name string, args ...string) {
		t.Helper()
		line := append(append([]string{}, prefix...), append([]string{filepath.Join(binaries[len(binaries)-1], name)}, args...)...)
		command := exec.Command(line[0], line[1:]...)
		command.Dir = folder
		if out, err := command.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", name, err, out)
		}
	}
	data := filepath.Join(folder, "data")
	run("initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
	run("pg_ctl", "-D", data, "-w", "-l", filepath.Join(folder, "log"), "-o",
		"-c listen_addresses='' -c fsync=off -c unix_socket_directories='"+folder+"'", "start")
	t.Cleanup(func() { run("pg_ctl", "-D", data, "-w", "-m", "immediate", "stop") })
	return "host=" + folder + " user=postgres dbname=postgres"
}
