package migrations_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	_ "github.com/jackc/pgx/v5/stdlib"

	"github.com/shuqiao/shuqiao/internal/pgtest"
	"github.com/shuqiao/shuqiao/migrations"
)

func open(t *testing.T) *sql.DB {
	t.Helper()
	db, err := sql.Open("pgx", pgtest.Empty(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// schema describes every table, column, index, constraint, trigger and function outside the system's own schemas.
func schema(t *testing.T, db *sql.DB) []string {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), `
		WITH mine AS (SELECT oid, nspname FROM pg_namespace WHERE nspname !~ '^(pg_|information_schema$)')
		SELECT 'schema ' || nspname FROM mine
		UNION ALL SELECT format('%s %I.%I.%I %s %s', c.relkind, nspname, relname, attname, format_type(atttypid, atttypmod), attnotnull)
			FROM pg_class c JOIN mine ON mine.oid = relnamespace JOIN pg_attribute ON attrelid = c.oid
			WHERE attnum > 0 AND NOT attisdropped AND relname !~ '^goose_'
		UNION ALL SELECT pg_get_constraintdef(c.oid) FROM pg_constraint c JOIN mine ON mine.oid = connamespace
			WHERE conrelid::regclass::text !~ 'goose_'
		UNION ALL SELECT pg_get_triggerdef(t.oid) FROM pg_trigger t WHERE NOT tgisinternal
		UNION ALL SELECT pg_get_functiondef(p.oid) FROM pg_proc p JOIN mine ON mine.oid = pronamespace WHERE prokind IN ('f', 'p')
		ORDER BY 1`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var lines []string
	for rows.Next() {
		var line string
		if err := rows.Scan(&line); err != nil {
			t.Fatal(err)
		}
		lines = append(lines, line)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return lines
}

func version(t *testing.T, db *sql.DB) int64 {
	t.Helper()
	v, err := migrations.Version(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func latest(t *testing.T) int64 {
	t.Helper()
	v, err := migrations.Latest()
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// All migrations up, all down and up again make the same schema, and "down" leaves nothing of it behind.
func TestUpDownUp(t *testing.T) {
	t.Parallel()
	db := open(t)
	before := schema(t, db)
	if err := migrations.Check(t.Context(), db); !errors.Is(err, migrations.ErrOlderSchema) {
		t.Errorf("Check of an empty database: %v, want ErrOlderSchema", err)
	}
	if err := migrations.Up(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	first := schema(t, db)
	if got := version(t, db); got != latest(t) {
		t.Errorf("after Up the version is %d, want %d", got, latest(t))
	}
	if err := migrations.Check(t.Context(), db); err != nil {
		t.Errorf("Check after Up: %v", err)
	}
	for version(t, db) > 0 {
		was := version(t, db)
		if err := migrations.Down(t.Context(), db); err != nil {
			t.Fatal(err)
		}
		if now := version(t, db); now >= was {
			t.Fatalf("Down left the version at %d", now)
		}
	}
	if diff := cmp.Diff(before, schema(t, db)); diff != "" {
		t.Errorf("Down left something behind (-before +after):\n%s", diff)
	}
	if err := migrations.Down(t.Context(), db); err != nil {
		t.Errorf("Down of an empty database: %v", err)
	}
	if err := migrations.Up(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(first, schema(t, db)); diff != "" {
		t.Errorf("the second Up made another schema (-first +second):\n%s", diff)
	}
}

// Several hubs that start at once on an empty database all succeed, and each migration is applied once.
func TestSeveralMigratorsAtOnce(t *testing.T) {
	t.Parallel()
	url := pgtest.Empty(t)
	const hubs = 3
	failures := make(chan error, hubs)
	for range hubs {
		go func() {
			db, err := sql.Open("pgx", url)
			if err != nil {
				failures <- err
				return
			}
			defer db.Close()
			failures <- migrations.Up(t.Context(), db)
		}()
	}
	for range hubs {
		if err := <-failures; err != nil {
			t.Error(err)
		}
	}
	db, err := sql.Open("pgx", url)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var rows, distinct int64
	err = db.QueryRowContext(t.Context(), "SELECT count(*), count(DISTINCT version_id) FROM goose_db_version").Scan(&rows, &distinct)
	if err != nil {
		t.Fatal(err)
	}
	if rows != distinct {
		t.Errorf("%d entries for %d migrations", rows, distinct)
	}
	if got := version(t, db); got != latest(t) {
		t.Errorf("version %d, want %d", got, latest(t))
	}
}

// A schema made by a newer hub is refused by everything that would use or change it, and stays as it is.
func TestNewerSchemaIsRefused(t *testing.T) {
	t.Parallel()
	db := open(t)
	if err := migrations.Up(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	newer := latest(t) + 1
	if _, err := db.ExecContext(t.Context(), "INSERT INTO goose_db_version (version_id, is_applied) VALUES ($1, true)", newer); err != nil {
		t.Fatal(err)
	}
	before := schema(t, db)
	for name, call := range map[string]func(context.Context, *sql.DB) error{
		"Up": migrations.Up, "Down": migrations.Down, "Check": migrations.Check,
	} {
		if err := call(t.Context(), db); !errors.Is(err, migrations.ErrNewerSchema) {
			t.Errorf("%s: %v, want ErrNewerSchema", name, err)
		}
	}
	if diff := cmp.Diff(before, schema(t, db)); diff != "" {
		t.Errorf("the schema changed:\n%s", diff)
	}
	if got := version(t, db); got != newer {
		t.Errorf("version %d, want %d", got, newer)
	}
}

// Status names every file in the order of its number and says which are applied; it creates nothing.
func TestStatusOnlyReads(t *testing.T) {
	t.Parallel()
	db := open(t)
	applied := func() (states []string) {
		list, err := migrations.Status(t.Context(), db)
		if err != nil {
			t.Fatal(err)
		}
		for i, s := range list {
			if i > 0 && s.Version <= list[i-1].Version {
				t.Errorf("%s comes after %s", s.Name, list[i-1].Name)
			}
			if s.Applied == s.AppliedAt.IsZero() {
				t.Errorf("%s: applied is %v, at %v", s.Name, s.Applied, s.AppliedAt)
			}
			states = append(states, fmt.Sprintf("%d %v", s.Version, s.Applied))
		}
		return states
	}
	var tables int
	for _, s := range applied() {
		if s[len(s)-5:] != "false" {
			t.Errorf("on an empty database: %s", s)
		}
	}
	if err := db.QueryRowContext(t.Context(), "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").Scan(&tables); err != nil {
		t.Fatal(err)
	}
	if tables != 0 {
		t.Errorf("Status created %d tables", tables)
	}
	if err := migrations.Up(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	for _, s := range applied() {
		if s[len(s)-4:] != "true" {
			t.Errorf("after Up: %s", s)
		}
	}
}

// contents returns a digest of the rows of each table, or table and condition, of the control plane, over the columns that the schema of the first
// release gave it.
func contents(t *testing.T, db *sql.DB, columns map[string]string) map[string]string {
	t.Helper()
	digests := make(map[string]string, len(columns))
	for table, list := range columns {
		var digest string
		query := fmt.Sprintf("SELECT count(*) || ' ' || coalesce(md5(string_agg(r::text, E'\\n' ORDER BY r::text COLLATE \"C\")), '') FROM (SELECT %s FROM %s) r", list, table)
		if err := db.QueryRowContext(t.Context(), query).Scan(&digest); err != nil {
			t.Fatalf("reading %s: %v", table, err)
		}
		digests[table] = digest
	}
	return digests
}

// columnsOf returns the columns of each table outside the system's schemas, in order.
func columnsOf(t *testing.T, db *sql.DB) map[string]string {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), `
		SELECT format('%I.%I', table_schema, table_name), string_agg(quote_ident(column_name), ', ' ORDER BY ordinal_position)
		FROM information_schema.columns JOIN information_schema.tables USING (table_schema, table_name)
		WHERE table_schema IN ('public', 'store') AND table_type = 'BASE TABLE' AND table_name !~ '^goose_' GROUP BY 1`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	columns := map[string]string{}
	for rows.Next() {
		var table, list string
		if err := rows.Scan(&table, &list); err != nil {
			t.Fatal(err)
		}
		columns[table] = list
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return columns
}

// A hub of the first release keeps its rows through up, down to its own schema and up again, and ends with the schema of a
// fresh database.
func TestUpDownUpWithRows(t *testing.T) {
	t.Parallel()
	const release = 70
	db, err := sql.Open("pgx", pgtest.Load(t, "testdata/v0.1.0/hub.sql.gz"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	if got := version(t, db); got != release {
		t.Fatalf("the schema of the first release is %d, want %d", got, release)
	}
	columns := columnsOf(t, db)
	// New actions come with rules of their own; those of the first release stay as they are.
	var rules string
	if err := db.QueryRowContext(t.Context(), "SELECT string_agg(quote_literal(id), ', ') FROM policy_rule").Scan(&rules); err != nil {
		t.Fatal(err)
	}
	columns["public.policy_rule WHERE id IN ("+rules+")"] = columns["public.policy_rule"]
	delete(columns, "public.policy_rule")
	before := contents(t, db, columns)
	if len(before) < 30 {
		t.Fatalf("the first release has %d tables", len(before))
	}
	for range 2 {
		if err := migrations.Up(t.Context(), db); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(before, contents(t, db, columns)); diff != "" {
			t.Errorf("Up changed rows (-before +after):\n%s", diff)
		}
		upgraded, fresh := schema(t, db), open(t)
		if err := migrations.Up(t.Context(), fresh); err != nil {
			t.Fatal(err)
		}
		missing := map[string]bool{}
		for _, line := range schema(t, fresh) {
			missing[line] = true
		}
		for _, line := range upgraded {
			delete(missing, line)
		}
		if len(missing) > 0 {
			t.Errorf("the upgraded schema lacks: %v", missing)
		}
		for version(t, db) > release {
			if err := migrations.Down(t.Context(), db); err != nil {
				t.Fatal(err)
			}
		}
		if diff := cmp.Diff(before, contents(t, db, columns)); diff != "" {
			t.Errorf("Down changed rows (-before +after):\n%s", diff)
		}
	}
}
