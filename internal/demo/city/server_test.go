package city

import (
	"context"
	"net/url"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/shuqiao/shuqiao/internal/pgtest"
)

// sources creates six empty databases owned by six new accounts and returns where they are.
func sources(t testing.TB) DSN {
	t.Helper()
	const password = "example"
	where := map[string]string{}
	for _, d := range Databases() {
		owner := pgtest.Role(t, password)
		u, err := url.Parse(pgtest.Database(t, "LOCALE 'C' OWNER "+owner))
		if err != nil {
			t.Fatal(err)
		}
		u.User = url.UserPassword(owner, password)
		where[d.Name] = u.String()
	}
	return func(database string) string { return where[database] }
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
