package pgtest

import (
	"compress/gzip"
	"io"
	"os"
	"testing"

	"github.com/jackc/pgx/v5"
)

// Load returns the URL of a fresh database that a gzipped file of SQL statements was run in. The file holds no commands of
// psql.
func Load(t testing.TB, path string) string {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatalf("opening a dump: %v", err)
	}
	defer f.Close()
	unzipped, err := gzip.NewReader(f)
	if err != nil {
		t.Fatalf("unzipping %s: %v", path, err)
	}
	script, err := io.ReadAll(unzipped)
	if err != nil {
		t.Fatalf("unzipping %s: %v", path, err)
	}
	url := Empty(t)
	// A connection of its own: the script changes the session's settings.
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatalf("connecting to load %s: %v", path, err)
	}
	defer conn.Close(t.Context())
	if _, err := conn.PgConn().Exec(t.Context(), string(script)).ReadAll(); err != nil {
		t.Fatalf("loading %s: %v", path, err)
	}
	return url
}
