package postgres

import (
	"crypto/rand"
	"fmt"
	"net/url"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/shuqiao/shuqiao/internal/pgtest"
)

// connect opens a superuser connection to a database of the test server, closed with t.
func connect(t testing.TB, database string) *pgx.Conn {
	t.Helper()
	u, err := url.Parse(pgtest.Admin(t))
	if err != nil {
		t.Fatal(err)
	}
	u.Path = "/" + database
	return pgtest.Conn(t, u.String())
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
	if locale == "" {
		locale = "LOCALE 'C' LOCALE_PROVIDER icu ICU_LOCALE 'zh-u-co-pinyin'"
	}
	password := `p'w \` + rand.Text()
	user := pgtest.Role(t, password)
	config, err := pgx.ParseConfig(pgtest.Database(t, locale))
	if err != nil {
		t.Fatal(err)
	}
	mustExec(t, connect(t, config.Database), "ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO "+user)
	return map[string]string{
		keyHost: config.Host, keyPort: fmt.Sprint(config.Port), keyDatabase: config.Database, keyUser: user, keyPassword: password,
		keySSLMode: "prefer",
	}
}
