package postgres

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/shuqiao/shuqiao/connectors"
	"github.com/shuqiao/shuqiao/internal/fault"
)

func checkCode(t *testing.T, what string, err error, code string) {
	t.Helper()
	if got := fault.CodeOf(err); got != code {
		t.Errorf("%s: %v, want %s", what, err, code)
	}
}

// A URL gives the same settings as the single fields, with every part escaped, and parameters that would make the hub
// read its own files are refused.
func TestURL(t *testing.T) {
	t.Parallel()
	for dsn, want := range map[string]address{
		"postgres://u:p%40ss@db.example.org:6543/d?sslmode=require": {host: "db.example.org", port: "6543", database: "d", user: "u", password: "p@ss", sslmode: "require"},
		"postgresql://u@[2001:db8::1]/d":                            {host: "2001:db8::1", database: "d", user: "u"},
		"postgres:///d?host=/run/pg&port=5433&user=u&password=p":    {host: "/run/pg", port: "5433", database: "d", user: "u", password: "p"},
		"postgres://u:p@/d?host=/run/pg&options=-c%20a%3Db":         {host: "/run/pg", database: "d", user: "u", password: "p", options: "-c a=b"},
	} {
		got, problem := parseURL(dsn)
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(address{})); diff != "" || problem != "" {
			t.Errorf("%s: %s (-want +got):\n%s", dsn, problem, diff)
		}
	}
	for _, dsn := range []string{
		"", "mysql://u@h/d", "host=h user=u dbname=d", "postgres://h/d", "postgres://u@h", "postgres://u@/d", "postgres://u:hidden@h:0/d",
		"postgres://u:hidden@h:99999/d", "postgres://u:hidden@h/d?sslmode=none", "postgres://u:hidden@h/d?passfile=/etc/passwd",
		"postgres://u:hidden@h/d?sslrootcert=/etc/passwd", "postgres://u:hidden@h/d?service=x", "postgres://u:hidden@a,b/d",
		"postgres://u:hid%zzden@h/d", "postgres://u:hidden@h/d%00",
	} {
		if _, problem := parseURL(dsn); problem == "" || strings.Contains(problem, "hid") {
			t.Errorf("%q: %q, want a refusal that repeats nothing", dsn, problem)
		}
	}
}

// Contradictory and incomplete settings are named.
func TestSettings(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		settings map[string]string
		want     string
	}{
		{map[string]string{"dsn": "postgres://u@h/d"}, ""},
		{map[string]string{"dsn": "postgres://u@h/d", "host": "h"}, "host contradictory"},
		{map[string]string{"dsn": "oracle://u@h/d"}, "dsn malformed"},
		{map[string]string{}, "host required, database required, user required"},
		{map[string]string{"host": "a,b", "database": "d", "user": "u"}, "host malformed"},
		{map[string]string{"host": "h", "database": "d\x00", "user": "u"}, "database malformed"},
		{map[string]string{"host": "h", "database": "d", "user": "u", "port": "0", "sslmode": "x", "statement_timeout": "-1s"}, "port out_of_range, sslmode not_choice, statement_timeout not_duration"},
	} {
		_, err := Driver{}.Spec().Parse(row.settings)
		var codes []string
		if f, ok := errors.AsType[*fault.Fault](err); ok {
			for _, field := range f.Fields {
				codes = append(codes, field.Name+" "+field.Code)
			}
		}
		if got := strings.Join(codes, ", "); got != row.want {
			t.Errorf("%v: %q, want %q", row.settings, got, row.want)
		}
	}
}

// PG* variables of the hub's own process reach no source.
func TestEnvironmentIsIgnored(t *testing.T) {
	for name, value := range map[string]string{
		"PGHOST": "/elsewhere", "PGPORT": "1", "PGUSER": "other", "PGPASSWORD": "hub-password", "PGDATABASE": "other", "PGSSLMODE": "verify-full",
		"PGOPTIONS": "-c default_transaction_read_only=off", "PGAPPNAME": "other", "PGTZ": "Asia/Tokyo", "PGSSLROOTCERT": "/no/such/file",
		"PGTARGETSESSIONATTRS": "standby", "PGREQUIREAUTH": "none", "PGPASSFILE": "/no/such/file",
	} {
		t.Setenv(name, value)
	}
	config, err := Driver{}.Spec().Parse(map[string]string{"host": "h", "database": "d", "user": "u", "sslmode": "disable"})
	if err != nil {
		t.Fatal(err)
	}
	target, err := newTarget(config)
	if err != nil {
		t.Fatal(err)
	}
	got := target.config
	if got.Host != "h" || got.Port != 5432 || got.User != "u" || got.Password != "" || got.Database != "d" || got.TLSConfig != nil ||
		len(got.Fallbacks) != 0 || got.ValidateConnect != nil || got.RequireAuth != "" {
		t.Errorf("config %+v", got)
	}
	if diff := cmp.Diff(map[string]string{"application_name": applicationName, "client_encoding": "UTF8"}, got.RuntimeParams); diff != "" {
		t.Errorf("session settings (-want +got):\n%s", diff)
	}
}

// A source given by URL reads, also in another default schema and with options.
func TestReadByURL(t *testing.T) {
	t.Parallel()
	settings := newDatabase(t, "")
	mustExec(t, connect(t, settings[keyDatabase]), `CREATE SCHEMA "S.1"`, `CREATE TABLE "S.1".t AS SELECT current_setting('work_mem') AS a`,
		`CREATE VIEW "S.1".v AS SELECT current_setting('work_mem') AS a`, `GRANT USAGE ON SCHEMA "S.1" TO `+settings[keyUser],
		`GRANT SELECT ON ALL TABLES IN SCHEMA "S.1" TO `+settings[keyUser])
	dsn := url.URL{
		Scheme: "postgres", User: url.UserPassword(settings[keyUser], settings[keyPassword]), Path: "/" + settings[keyDatabase],
		RawQuery: url.Values{"host": {settings[keyHost]}, "port": {settings[keyPort]}}.Encode(),
	}
	c := open(t, map[string]string{keyDSN: dsn.String(), keySchema: "S.1", keyOptions: "-c work_mem=123kB"}, connectors.Options{})
	for _, object := range []string{"v", `"S.1".v`} {
		got := read(t, c, connectors.ReadRequest{Object: object, Columns: []string{"a"}})
		if diff := cmp.Diff([][]string{{"123kB"}}, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", object, diff)
		}
	}
}

// A look-up that works for longer than statement_timeout is a timeout; a read is bounded by its pauses only, and its
// rows are handed over although no batch is full. (The server itself holds rows back until it has 8 KiB of them.)
func TestTimeouts(t *testing.T) {
	t.Parallel()
	settings := newDatabase(t, "")
	settings[keyStatementTimeout] = "300ms"
	mustExec(t, connect(t, settings[keyDatabase]),
		"CREATE VIEW slow AS SELECT i AS a, repeat('x', 9000) || pg_sleep(0.6)::text AS b FROM generate_series(1, 8) AS i")
	c := open(t, settings, connectors.Options{StallTimeout: 4 * time.Second})
	s, err := c.Lookup(t.Context(), connectors.LookupRequest{Object: "slow", Columns: []string{"b"}, KeyColumns: []string{"a"}, Keys: [][]string{{"1"}, {"2"}}})
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.Next(t.Context())
	checkCode(t, "slow look-up", err, connectors.CodeTimeout)
	_ = s.Close()
	if got := len(read(t, c, connectors.ReadRequest{Object: "slow", Columns: []string{"a", "b"}})); got != 8 {
		t.Errorf("%d rows of a slow read, want 8", got)
	}
}

// Object names are split at dots outside quotes, and printing and parsing are inverse.
func TestObjectNames(t *testing.T) {
	t.Parallel()
	for object, want := range map[string][2]string{
		"t": {"", "t"}, "S.T": {"S", "T"}, `"a.b"."c""d"`: {"a.b", `c"d`}, "业务.办件": {"业务", "办件"}, `s."x"`: {"s", "x"}, "a b": {"", "a b"},
	} {
		schema, name, ok := parseObject(object)
		if got := [2]string{schema, name}; !ok || got != want {
			t.Errorf("%s: %q %v, want %q", object, got, ok, want)
		}
	}
	for _, object := range []string{"", ".", "a.", ".a", "a.b.c", `"`, `"a`, `a"b`, `"a"b`, `""`, "a\x00", strings.Repeat("a", 64)} {
		if schema, name, ok := parseObject(object); ok {
			t.Errorf("%q is accepted as %q, %q", object, schema, name)
		}
	}
}

// FuzzParseObject: what parses prints to something that parses to the same, and quoting cannot be escaped from.
func FuzzParseObject(f *testing.F) {
	for _, seed := range []string{"t", "s.t", `"a.b"."c""d"`, `"`, "业务.办件", `a"."b`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, object string) {
		schema, name, ok := parseObject(object)
		if !ok || schema == "" {
			return
		}
		again, same, ok := parseObject(formatObject(schema, name))
		if !ok || again != schema || same != name {
			t.Errorf("%q: %q, %q became %q, %q", object, schema, name, again, same)
		}
		if quoted := quoteIdentifier(name); strings.Count(quoted, `"`)%2 != 0 {
			t.Errorf("%q is quoted as %q", name, quoted)
		}
	})
}

// Errors of the server are judged by their code, and only codes that pass by themselves are retryable.
func TestClassify(t *testing.T) {
	t.Parallel()
	for state, want := range map[string]struct {
		code    string
		passing bool
	}{
		"08006": {connectors.CodeDown, true}, "28P01": {connectors.CodeAuth, false}, "3D000": {connectors.CodeObjectMissing, false},
		"40001": {connectors.CodeReadFailed, true}, "42501": {connectors.CodePermission, false}, "42P01": {connectors.CodeObjectMissing, false},
		"42703": {connectors.CodeColumnMissing, false}, "53300": {connectors.CodeDown, true}, "55P03": {connectors.CodeTimeout, true},
		"57014": {connectors.CodeTimeout, true}, "57P01": {connectors.CodeDown, true}, "22012": {connectors.CodeReadFailed, false},
		"25006": {connectors.CodeReadFailed, false}, "XX001": {connectors.CodeReadFailed, false},
	} {
		err := fmt.Errorf("wrapped: %w", &pgconn.PgError{Code: state, Message: "hidden-value", Detail: "hidden-value"})
		got := Driver{}.Classify(err)
		if got.Code != want.code || got.Passing != want.passing || strings.Contains(got.Text, "hidden") {
			t.Errorf("%s: %+v, want %+v", state, got, want)
		}
	}
}
