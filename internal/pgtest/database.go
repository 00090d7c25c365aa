package pgtest

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/hex"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	_ "github.com/jackc/pgx/v5/stdlib"

	"github.com/shuqiao/shuqiao/migrations"
)

// URL returns the URL of a fresh database with the newest schema of the hub, as superuser. The database is dropped, and
// sessions still open in it are ended, when the test is over.
func URL(t testing.TB) string {
	t.Helper()
	return create(t, func(ctx context.Context, conn *pgx.Conn, server string) (string, error) {
		template, err := template(ctx, conn, server)
		if err != nil {
			return "", err
		}
		return " TEMPLATE " + pgx.Identifier{template}.Sanitize(), nil
	})
}

// Empty is URL without a schema: for a department's system that the hub reads from or writes to. It is UTF-8 with
// locale C.
func Empty(t testing.TB) string {
	t.Helper()
	return Database(t, "LOCALE 'C'")
}

// Database is Empty with more of CREATE DATABASE after its template and encoding: an owner, a locale.
func Database(t testing.TB, options string) string {
	t.Helper()
	return create(t, func(context.Context, *pgx.Conn, string) (string, error) {
		return " TEMPLATE template0 ENCODING 'UTF8' " + options, nil
	})
}

// Role makes an account that may log in with the password and nothing else, and returns its name, which needs no quotes.
// The account is dropped when the test is over: make it before the databases it owns or has rights in.
func Role(t testing.TB, password string) string {
	t.Helper()
	server := Admin(t)
	name := testPrefix + randomName()
	literal := "'" + strings.ReplaceAll(password, "'", "''") + "'"
	if err := execOn(t.Context(), server, "CREATE ROLE "+name+" LOGIN PASSWORD "+literal); err != nil {
		t.Fatalf("creating a test account: %v", err)
	}
	t.Cleanup(func() {
		if err := execOn(context.Background(), server, "DROP ROLE "+name); err != nil {
			t.Errorf("dropping test account %s: %v", name, err)
		}
	})
	return name
}

// Admin returns a superuser's URL of the server and holds the server until the test is over.
func Admin(t testing.TB) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	server, err := Acquire(ctx)
	if err != nil {
		t.Fatalf("getting a test server: %v", err)
	}
	t.Cleanup(func() {
		if err := server.Release(); err != nil {
			t.Errorf("giving the test server back: %v", err)
		}
	})
	return server.URL()
}

// Pool returns a pool over URL, closed before its database is dropped. Its sessions carry the test's name.
func Pool(t testing.TB) *pgxpool.Pool {
	t.Helper()
	config, err := pgxpool.ParseConfig(URL(t))
	if err != nil {
		t.Fatalf("reading the test database's URL: %v", err)
	}
	config.ConnConfig.RuntimeParams["application_name"] = applicationName(t.Name())
	pool, err := pgxpool.NewWithConfig(t.Context(), config)
	if err != nil {
		t.Fatalf("opening a pool on the test database: %v", err)
	}
	t.Cleanup(pool.Close)
	return pool
}

// Conn connects to a database by its URL and closes the connection when the test is over. Cleanups may use it.
func Conn(t testing.TB, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatalf("connecting to the test database: %v", err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) }) // A test may have killed it.
	return conn
}

// applicationName shortens a test's name to what PostgreSQL shows: 63 bytes, printable ASCII.
func applicationName(name string) string {
	short := []byte("test ")
	for i := range len(name) {
		if c := name[i]; c > ' ' && c < 0x7f && len(short) < 63 {
			short = append(short, c)
		}
	}
	return string(short)
}

// limit bounds creating or dropping one database, starting the server included.
const limit = 2 * time.Minute

// Prefixes of the names of databases and accounts that this package makes and may drop.
const (
	testPrefix     = "shuqiao_test_"
	templatePrefix = "shuqiao_template_"
)

func create(t testing.TB, source func(ctx context.Context, conn *pgx.Conn, server string) (string, error)) string {
	t.Helper()
	server := Admin(t)
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	conn, err := pgx.Connect(ctx, server)
	if err != nil {
		t.Fatalf("connecting to the test server: %v", err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	from, err := source(ctx, conn, server)
	if err != nil {
		t.Fatalf("preparing a template database: %v", err)
	}
	name := testPrefix + randomName()
	if _, err := conn.Exec(ctx, "CREATE DATABASE "+name+strategy(conn)+from); err != nil {
		t.Fatalf("creating a test database: %v", err)
	}
	t.Cleanup(func() {
		if err := execOn(context.Background(), server, "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)"); err != nil {
			t.Errorf("dropping test database %s: %v", name, err)
		}
	})
	return inDatabase(server, name)
}

// strategy makes CREATE DATABASE copy files. Where nothing is flushed to disk that takes half the time of PostgreSQL's
// usual way, through the log. Before version 15 there is no other way and no word for it.
func strategy(conn *pgx.Conn) string {
	major, _, _ := strings.Cut(conn.PgConn().ParameterStatus("server_version"), ".")
	if version, err := strconv.Atoi(major); err == nil && version < 15 {
		return ""
	}
	return " STRATEGY file_copy"
}

// execOn runs one statement in a session of its own, within the limit.
func execOn(ctx context.Context, server, statement string) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	conn, err := pgx.Connect(ctx, server)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	_, err = conn.Exec(ctx, statement)
	return err
}

// templateLock is the key of the advisory lock under which templates are made and swept.
const templateLock = 0x7368757174657374

// template returns the name of a database that holds the newest schema, making it first when the server has none. The
// name carries the digest of the migrations, so that other versions of the code on the same server have their own.
// A template is complete once it is marked as one; what a killed process left half made is made again.
func template(ctx context.Context, conn *pgx.Conn, server string) (string, error) {
	digest, err := migrations.Digest()
	if err != nil {
		return "", err
	}
	name := templatePrefix + digest[:16]
	const isComplete = "SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1 AND datistemplate)"
	var complete bool
	if err := conn.QueryRow(ctx, isComplete, name).Scan(&complete); err != nil || complete {
		return name, err
	}
	if _, err := conn.Exec(ctx, "SELECT pg_advisory_lock($1)", int64(templateLock)); err != nil {
		return "", fmt.Errorf("waiting for the template lock: %w", err)
	}
	defer func() {
		_, _ = conn.Exec(context.WithoutCancel(ctx), "SELECT pg_advisory_unlock($1)", int64(templateLock))
	}()
	if err := conn.QueryRow(ctx, isComplete, name).Scan(&complete); err != nil || complete {
		return name, err
	}
	quoted := pgx.Identifier{name}.Sanitize()
	for _, statement := range []string{
		"DROP DATABASE IF EXISTS " + quoted + " WITH (FORCE)",
		"CREATE DATABASE " + quoted + " TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C'",
	} {
		if _, err := conn.Exec(ctx, statement); err != nil {
			return "", fmt.Errorf("creating the template: %w", err)
		}
	}
	if err := migrate(ctx, inDatabase(server, name)); err != nil {
		return "", err
	}
	if _, err := conn.Exec(ctx, "ALTER DATABASE "+quoted+" WITH IS_TEMPLATE true ALLOW_CONNECTIONS false"); err != nil {
		return "", fmt.Errorf("marking the template as complete: %w", err)
	}
	return name, nil
}

func migrate(ctx context.Context, url string) error {
	db, err := sql.Open("pgx", url)
	if err != nil {
		return fmt.Errorf("opening the template: %w", err)
	}
	defer db.Close()
	return migrations.Up(ctx, db)
}

// sweep drops all databases and accounts this package made, on a server that was just started and has no user but us:
// what killed test binaries left, and templates of schemas past.
func sweep(ctx context.Context, server string) error {
	conn, err := pgx.Connect(ctx, server)
	if err != nil {
		return fmt.Errorf("connecting to the test server: %w", err)
	}
	defer conn.Close(ctx)
	digest, err := migrations.Digest()
	if err != nil {
		return err
	}
	rows, err := conn.Query(ctx, `
SELECT format('ALTER DATABASE %1$I WITH IS_TEMPLATE false; DROP DATABASE %1$I WITH (FORCE)', datname)
FROM pg_database WHERE (datname LIKE $1 || '%' OR datname LIKE $2 || '%') AND datname <> $2 || $3
UNION ALL SELECT format('DROP ROLE %I', rolname) FROM pg_roles WHERE rolname LIKE $1 || '%'
ORDER BY 1`, testPrefix, templatePrefix, digest[:16])
	if err != nil {
		return fmt.Errorf("listing old test databases: %w", err)
	}
	leftovers, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return fmt.Errorf("listing old test databases: %w", err)
	}
	for _, leftover := range leftovers { // Databases first, since accounts own some.
		// One at a time: DROP DATABASE does not share a message with other statements.
		for statement := range strings.SplitSeq(leftover, "; ") {
			if _, err := conn.Exec(ctx, statement); err != nil {
				return fmt.Errorf("sweeping the test server (%s): %w", statement, err)
			}
		}
	}
	return nil
}

// inDatabase is the server's URL with another database.
func inDatabase(server, name string) string {
	u, err := url.Parse(server)
	if err != nil {
		return server
	}
	u.Path = "/" + name
	return u.String()
}

func randomName() string {
	var b [8]byte
	_, _ = rand.Read(b[:]) // Never fails: crypto/rand ends the process instead.
	return hex.EncodeToString(b[:])
}
