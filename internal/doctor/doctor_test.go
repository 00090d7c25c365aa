package doctor_test

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/shuqiao/shuqiao/api/client"
	"github.com/shuqiao/shuqiao/audit"
	"github.com/shuqiao/shuqiao/internal/config"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/doctor"
	"github.com/shuqiao/shuqiao/internal/hubtest"
	"github.com/shuqiao/shuqiao/internal/pglocal"
	"github.com/shuqiao/shuqiao/internal/pgtest"
	"github.com/shuqiao/shuqiao/internal/secret"
)

// settings makes the settings of a node; an empty database means a private one.
func settings(t *testing.T, database, dir, listen string) config.Config {
	t.Helper()
	cfg, err := config.Load(config.Sources{Flags: map[string]string{"database-url": database, "data-dir": dir, "listen": listen, "source-networks": hubtest.LocalNetworks}})
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

func examine(t *testing.T, opt doctor.Options) []doctor.Finding {
	t.Helper()
	opt.Log = slog.New(slog.DiscardHandler)
	if opt.Suspended == nil {
		opt.Suspended = func() (time.Duration, bool) { return 0, true }
	}
	found := doctor.Run(t.Context(), opt)
	for _, f := range found {
		whole := f.Found != "" && strings.HasSuffix(f.Found, ".")
		if f.Status != doctor.OK {
			whole = whole && strings.HasSuffix(f.Cause, ".") && strings.HasSuffix(f.Mend, ".")
		}
		if f.Check == "" || !whole {
			t.Errorf("a finding without found, cause or mend as sentences: %+v", f)
		}
	}
	return found
}

// wants fails unless some finding of the check has the status and says the text in what was found or its cause.
func wants(t *testing.T, found []doctor.Finding, check string, status doctor.Status, says string) {
	t.Helper()
	var seen []string
	for _, f := range found {
		if f.Check != check {
			continue
		}
		if f.Status == status && strings.Contains(f.Found+" "+f.Cause, says) {
			return
		}
		seen = append(seen, fmt.Sprintf("%+v", f))
	}
	t.Errorf("no finding of %q is %s and says %q; got %s", check, status, says, strings.Join(seen, "; "))
}

func execute(t *testing.T, database, sql string, args ...any) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), database)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(t.Context()))
	if _, err := conn.Exec(t.Context(), sql, args...); err != nil {
		t.Fatal(err)
	}
}

// Beside a hub that works nothing fails and nothing of the hub is changed; when its node is gone, what it left undone and
// sources that do not answer are found.
func TestHub(t *testing.T) {
	t.Parallel()
	h := hubtest.Start(t, hubtest.Options{})
	s := h.Sample(t, 3)
	schedule, err := s.Provider.Admin.CreateSchedule(t.Context(), client.NewSchedule{TaskID: s.Task.ID, Spec: "0 3 * * *"})
	if err != nil {
		t.Fatal(err)
	}
	listen := strings.TrimPrefix(h.URL(), "http://")
	opt := doctor.Options{Config: settings(t, h.DatabaseURL(), h.Dir(), listen), MinFree: 1}
	found := examine(t, opt)
	for _, f := range found {
		if f.Status == doctor.Fail && f.Check != "connections" { // Other tests use the server, too.
			t.Errorf("a working hub: %+v", f)
		}
	}
	wants(t, found, "listen", doctor.OK, "A hub answers on "+listen)
	wants(t, found, "sources", doctor.OK, "1 of 1 sources answer")
	wants(t, found, "sealed keys", doctor.OK, "opens")
	wants(t, found, "signer", doctor.OK, h.VerifierKey())
	wants(t, found, "setup", doctor.OK, "set up")

	// A port that is closed again, and one that takes connections and stays silent.
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	for name, at := range map[string]net.Listener{"关闭的库": closed, "沉默的库": silent} {
		_, err := s.Provider.Operator.CreateSource(t.Context(), client.SourceInput{Name: name, Driver: "postgres", Settings: map[string]string{
			"dsn": "postgres://reader:SECRET@" + at.Addr().String() + "/none?sslmode=disable",
		}})
		if err != nil {
			t.Fatal(err)
		}
	}
	_ = closed.Close()
	database := h.DatabaseURL()
	if err := h.Stop(); err != nil {
		t.Fatal(err)
	}
	execute(t, database, "UPDATE schedule SET next_at = clock_timestamp() - interval '5 minutes' WHERE id = $1", schedule.ID)
	d, err := db.Open(t.Context(), db.Options{URL: database, MaxConns: 2})
	if err != nil {
		t.Fatal(err)
	}
	err = d.InTx(t.Context(), func(tx *db.Tx) error {
		_, err := audit.WriteTx(t.Context(), tx, audit.Event{
			Actor: audit.Actor{Kind: audit.ActorSystem, ID: "test"}, Action: "test.wait", Object: audit.Object{Kind: "test", ID: "1"},
		})
		return err
	})
	d.Close()
	if err != nil {
		t.Fatal(err)
	}
	execute(t, database, "UPDATE event SET at = at - interval '90 seconds' WHERE id IN (SELECT event_id FROM pending)")
	found = examine(t, opt)
	wants(t, found, "listen", doctor.OK, "free")
	wants(t, found, "sources", doctor.OK, "1 of 3 sources answer")
	wants(t, found, "sources", doctor.Fail, "关闭的库")
	wants(t, found, "sources", doctor.Fail, "沉默的库")
	wants(t, found, "schedules", doctor.Fail, schedule.ID)
	wants(t, found, "sealer", doctor.Fail, "1m3")
	if text := fmt.Sprint(found); strings.Contains(text, "SECRET") {
		t.Errorf("a finding holds a password: %s", text)
	}
	execute(t, database, "UPDATE schedule SET state = 'parked' WHERE id = $1", schedule.ID)
	wants(t, examine(t, doctor.Options{Config: settings(t, database, t.TempDir(), "127.0.0.1:0")}), "schedules", doctor.Warn, "parked")
}

// Every check finds its own kind of damage on the machine.
func TestMachine(t *testing.T) {
	t.Parallel()
	write := func(t *testing.T, name, text string, mode os.FileMode) string {
		t.Helper()
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		return dir
	}
	stranger := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(stranger.Close)
	node := func(t *testing.T, dir, listen string) doctor.Options {
		return doctor.Options{Config: settings(t, "", dir, listen)}
	}
	const free = "127.0.0.1:0"
	for name, c := range map[string]struct {
		opt    func(t *testing.T) doctor.Options
		check  string
		status doctor.Status
		says   string
	}{
		"no PostgreSQL": {func(t *testing.T) doctor.Options {
			opt := node(t, t.TempDir(), free)
			opt.FindBinaries = func(context.Context) (pglocal.Binaries, error) { return pglocal.Binaries{}, pglocal.ErrNoBinaries }
			return opt
		}, "binaries", doctor.Fail, "No PostgreSQL server"},
		"no PostgreSQL needed": {func(t *testing.T) doctor.Options {
			return doctor.Options{Config: settings(t, "postgres://nobody@127.0.0.1:1/none", t.TempDir(), free), FindBinaries: func(context.Context) (pglocal.Binaries, error) {
				return pglocal.Binaries{}, pglocal.ErrNoBinaries
			}}
		}, "binaries", doctor.OK, "none is needed"},
		"a full disk": {func(t *testing.T) doctor.Options {
			opt := node(t, t.TempDir(), free)
			opt.MinFree = 1 << 60
			return opt
		}, "disk", doctor.Fail, "PostgreSQL stops"},
		"a folder to come": {func(t *testing.T) doctor.Options {
			opt := node(t, filepath.Join(t.TempDir(), "a", "b"), free)
			opt.MinFree = 1
			return opt
		}, "disk", doctor.OK, "free of"},
		"a file as data folder": {func(t *testing.T) doctor.Options { return node(t, filepath.Join(write(t, "x", "", 0o600), "x"), free) }, "disk", doctor.Fail, "is no folder"},
		"no key file":           {func(t *testing.T) doctor.Options { return node(t, t.TempDir(), free) }, "keys", doctor.Warn, "does not exist"},
		"an open key file":      {func(t *testing.T) doctor.Options { return node(t, write(t, secret.KeyFileName, "x", 0o644), free) }, "keys", doctor.Fail, "0600"},
		"a damaged key file":    {func(t *testing.T) doctor.Options { return node(t, write(t, secret.KeyFileName, "x", 0o600), free) }, "keys", doctor.Fail, "damaged"},
		"a folder as key file": {func(t *testing.T) doctor.Options {
			dir := t.TempDir()
			if err := os.Mkdir(filepath.Join(dir, secret.KeyFileName), 0o700); err != nil {
				t.Fatal(err)
			}
			return node(t, dir, free)
		}, "keys", doctor.Fail, "is no file"},
		"no audit key":        {func(t *testing.T) doctor.Options { return node(t, t.TempDir(), free) }, "signer", doctor.Warn, "does not exist"},
		"an open audit key":   {func(t *testing.T) doctor.Options { return node(t, write(t, audit.KeyFile, "x", 0o640), free) }, "signer", doctor.Fail, "0600"},
		"a damaged audit key": {func(t *testing.T) doctor.Options { return node(t, write(t, audit.KeyFile, "SECRET", 0o600), free) }, "signer", doctor.Fail, "damaged"},
		"an old calendar": {func(t *testing.T) doctor.Options {
			opt := node(t, t.TempDir(), free)
			opt.Clock = func() time.Time { return time.Date(2041, 6, 1, 0, 0, 0, 0, time.UTC) }
			return opt
		}, "calendar", doctor.Fail, "2041"},
		"next year is not announced yet": {func(t *testing.T) doctor.Options {
			opt := node(t, t.TempDir(), free)
			opt.Clock = func() time.Time { return time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC) }
			return opt
		}, "calendar", doctor.OK, "2027"},
		"next year is missing": {func(t *testing.T) doctor.Options {
			opt := node(t, t.TempDir(), free)
			opt.Clock = func() time.Time { return time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC) }
			return opt
		}, "calendar", doctor.Warn, "2027"},
		"a port of another program": {func(t *testing.T) doctor.Options {
			return node(t, t.TempDir(), strings.TrimPrefix(stranger.URL, "http://"))
		}, "listen", doctor.Fail, "no hub"},
		"an address of another machine": {func(t *testing.T) doctor.Options { return node(t, t.TempDir(), "192.0.2.1:8080") }, "listen", doctor.Fail, "no such address"},
		"no database yet":               {func(t *testing.T) doctor.Options { return node(t, t.TempDir(), free) }, "database", doctor.Warn, "no database yet"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			found := examine(t, c.opt(t))
			wants(t, found, c.check, c.status, c.says)
			if strings.Contains(fmt.Sprint(found), "SECRET") {
				t.Errorf("a finding holds what a key file held: %v", found)
			}
		})
	}
}

// with adds parameters to a database URL.
func with(t *testing.T, database string, change func(u *url.URL, q url.Values)) string {
	t.Helper()
	u, err := url.Parse(database)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	change(u, q)
	u.RawQuery = q.Encode()
	return u.String()
}

// Every check finds its own kind of damage in the database.
func TestDatabase(t *testing.T) {
	t.Parallel()
	sealed := func(t *testing.T, database, keys string) {
		t.Helper()
		keyring, err := secret.OpenKeyring(keys)
		if err != nil {
			t.Fatal(err)
		}
		bytes, err := keyring.Seal("hub_secret", make([]byte, 32), []byte("subject_key"))
		if err != nil {
			t.Fatal(err)
		}
		execute(t, database, "INSERT INTO hub_secret (name, sealed) VALUES ('subject_key', $1)", bytes)
	}
	for name, c := range map[string]struct {
		opt    func(t *testing.T) (database, dir string)
		check  string
		status doctor.Status
		says   string
	}{
		"nothing listens": {func(t *testing.T) (string, string) {
			return "postgres://u:SECRET@127.0.0.1:1/hub?sslmode=disable", t.TempDir()
		}, "database", doctor.Fail, "Nothing listens"},
		"and the rest is passed over": {func(t *testing.T) (string, string) {
			return "postgres://u:SECRET@127.0.0.1:1/hub?sslmode=disable", t.TempDir()
		}, "the rest", doctor.Warn, "schema"},
		"no such database": {func(t *testing.T) (string, string) {
			return with(t, pgtest.Empty(t), func(u *url.URL, _ url.Values) { u.Path = "/no_such_database" }), t.TempDir()
		}, "database", doctor.Fail, "no database of that name"},
		"a database that takes no writes": {func(t *testing.T) (string, string) {
			return with(t, pgtest.URL(t), func(_ *url.URL, q url.Values) { q.Set("default_transaction_read_only", "on") }), t.TempDir()
		}, "role", doctor.Fail, "takes no writes"},
		"an empty database": {func(t *testing.T) (string, string) { return pgtest.Empty(t), t.TempDir() }, "schema", doctor.Warn, "no schema yet"},
		"a newer schema": {func(t *testing.T) (string, string) {
			database := pgtest.URL(t)
			execute(t, database, "INSERT INTO goose_db_version (version_id, is_applied) VALUES (999999, true)")
			return database, t.TempDir()
		}, "schema", doctor.Fail, "newer release"},
		"an older schema": {func(t *testing.T) (string, string) {
			database := pgtest.URL(t)
			execute(t, database, "DELETE FROM goose_db_version WHERE version_id = (SELECT max(version_id) FROM goose_db_version)")
			return database, t.TempDir()
		}, "schema", doctor.Fail, "release is newer"},
		"nobody set it up": {func(t *testing.T) (string, string) { return pgtest.URL(t), t.TempDir() }, "setup", doctor.Warn, "no users"},
		"a lost key file": {func(t *testing.T) (string, string) {
			database := pgtest.URL(t)
			sealed(t, database, t.TempDir())
			return database, t.TempDir()
		}, "sealed keys", doctor.Fail, "no usable key file"},
		"the key file of another hub": {func(t *testing.T) (string, string) {
			database, dir := pgtest.URL(t), t.TempDir()
			sealed(t, database, t.TempDir())
			if _, err := secret.OpenKeyring(dir); err != nil {
				t.Fatal(err)
			}
			return database, dir
		}, "sealed keys", doctor.Fail, "not the one of this database"},
		"an altered sealed key": {func(t *testing.T) (string, string) {
			database, dir := pgtest.URL(t), t.TempDir()
			sealed(t, database, dir)
			execute(t, database, "UPDATE hub_secret SET sealed = set_byte(sealed, octet_length(sealed) - 1, get_byte(sealed, octet_length(sealed) - 1) # 1)")
			return database, dir
		}, "sealed keys", doctor.Fail, "altered"},
		"lost evidence": {func(t *testing.T) (string, string) {
			database := pgtest.URL(t)
			execute(t, database, "INSERT INTO pending (event_id) VALUES (gen_random_uuid())")
			return database, t.TempDir()
		}, "sealer", doctor.Fail, "missing"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			database, dir := c.opt(t)
			found := examine(t, doctor.Options{Config: settings(t, database, dir, "127.0.0.1:0"), MinFree: 1})
			wants(t, found, c.check, c.status, c.says)
			if strings.Contains(fmt.Sprint(found), "SECRET") {
				t.Errorf("a finding holds a password: %v", found)
			}
		})
	}
}

// Clocks that differ and sleep of the machine are found by comparing with the database's clock.
func TestClock(t *testing.T) {
	t.Parallel()
	database := pgtest.URL(t)
	for name, c := range map[string]struct {
		off, slept time.Duration
		status     doctor.Status
		says       string
	}{
		"together":       {0, 0, doctor.OK, "differ by"},
		"seconds behind": {-5 * time.Second, 0, doctor.Warn, "NTP"},
		"hours ahead":    {8 * time.Hour, 0, doctor.Fail, "NTP"},
		"slept":          {0, time.Hour, doctor.Warn, "CLOCK_BOOTTIME"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			found := examine(t, doctor.Options{
				Config:    settings(t, database, t.TempDir(), "127.0.0.1:0"),
				Clock:     func() time.Time { return time.Now().Add(c.off) },
				Suspended: func() (time.Duration, bool) { return c.slept, true },
			})
			wants(t, found, "clock", c.status, c.says)
		})
	}
}

// A role without rights on the hub's tables, with a wrong password, or with few connections is found.
func TestRole(t *testing.T) {
	t.Parallel()
	database := pgtest.URL(t)
	role := pgtest.Role(t, "Role-Passw0rd")
	as := func(password string) doctor.Options {
		address := with(t, database, func(u *url.URL, q url.Values) {
			u.User = url.UserPassword(role, password)
			q.Del("user")
			q.Del("password")
		})
		return doctor.Options{Config: settings(t, address, t.TempDir(), "127.0.0.1:0")}
	}
	execute(t, database, "ALTER ROLE "+pgx.Identifier{role}.Sanitize()+" CONNECTION LIMIT 3")
	found := examine(t, as("Role-Passw0rd"))
	wants(t, found, "privileges", doctor.Fail, "SELECT on")
	wants(t, found, "connections", doctor.Fail, "of 3 connections")
	wants(t, examine(t, as("SECRET")), "database", doctor.Fail, "refuses the user or the password")
}
