package main

import (
	"errors"
	"net/url"
	"path/filepath"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/shuqiao/shuqiao/api/client"
	"github.com/shuqiao/shuqiao/internal/backup"
	"github.com/shuqiao/shuqiao/internal/hubtest"
	"github.com/shuqiao/shuqiao/internal/pgtest"
)

// as is a database's URL as another role.
func as(t *testing.T, database, role, password string) string {
	t.Helper()
	u, err := url.Parse(database)
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.UserPassword(role, password)
	return u.String()
}

// With the roles of deploy/roles.sql the hub serves as one that owns none of its tables: it collects, grants, pulls and is
// backed up, and the database refuses it every change of evidence and of the schema. What was restored as the owner serves
// as well.
func TestHubOwnsNoTables(t *testing.T) {
	t.Parallel()
	app := pgtest.Role(t, "app")
	owner := pgtest.Role(t, "owner")
	admin := pgtest.Conn(t, pgtest.Admin(t))
	if _, err := admin.Exec(t.Context(), "GRANT "+app+" TO "+owner); err != nil {
		t.Fatal(err)
	}
	empty := func() (asOwner, asApp string) {
		super := pgtest.Database(t, "OWNER "+owner)
		conn := pgtest.Conn(t, super)
		if _, err := conn.Exec(t.Context(), "ALTER SCHEMA public OWNER TO "+owner+"; REVOKE CREATE ON SCHEMA public FROM PUBLIC"); err != nil {
			t.Fatal(err)
		}
		return as(t, super, owner, "owner"), as(t, super, app, "app")
	}
	migrate := func(asOwner string) {
		if code, _, said := shuqiao(t, "migrate", "up", "--database-url", asOwner, "--grant-to", app); code != exitOK {
			t.Fatalf("migrating: exit code %d, %s", code, said)
		}
	}
	asOwner, asApp := empty()
	migrate(asOwner)
	h := hubtest.Start(t, hubtest.Options{DatabaseURL: asApp})
	s := h.Sample(t, 300)
	g := s.Grant(t, s.Terms())
	if _, err := s.Client.Rows(t.Context(), client.Pull{Resource: s.Resource.ID, Grant: g.ID, Purpose: g.Purpose}, client.Query{}); err != nil {
		t.Errorf("pulling: %v", err)
	}
	for _, statement := range []string{
		"UPDATE event SET action = action", "DELETE FROM event", "TRUNCATE event", "UPDATE leaf SET data = data", "DELETE FROM leaf",
		"UPDATE checkpoint SET note = note", "DELETE FROM tree_hash", "ALTER TABLE event ADD COLUMN x int", "DROP TABLE event",
		"CREATE TABLE public.x (a int)", "UPDATE goose_db_version SET version_id = 1", "GRANT UPDATE ON event TO CURRENT_USER", "SET ROLE " + owner,
	} {
		_, err := h.DB.Pool.Exec(t.Context(), statement)
		// GRANT of a right that one may not give only warns, and gives nothing.
		if pgErr, ok := errors.AsType[*pgconn.PgError](err); (!ok || pgErr.Code != "42501") && statement != "GRANT UPDATE ON event TO CURRENT_USER" {
			t.Errorf("%s: %v, want permission denied", statement, err)
		}
	}
	// Months whose period is over are dropped although the hub owns none of the tables.
	if _, err := pgtest.Conn(t, asOwner).Exec(t.Context(), "CREATE TABLE usage_202001 PARTITION OF usage FOR VALUES FROM ('2020-01-01Z') TO ('2020-02-01Z')"); err != nil {
		t.Fatal(err)
	}
	var left bool
	if err := h.Retention.Round(t.Context()); err != nil {
		t.Errorf("removing what is due: %v", err)
	}
	if err := h.DB.Pool.QueryRow(t.Context(), "SELECT to_regclass('usage_202001') IS NOT NULL").Scan(&left); err != nil || left {
		t.Errorf("a month of usage records whose period is over is there: %v, %v", left, err)
	}
	if err := h.Stop(); err != nil {
		t.Fatal(err)
	}

	archive, key := filepath.Join(t.TempDir(), "hub.backup"), filepath.Join(t.TempDir(), "backup.key")
	recipient, err := backup.WriteKey(key)
	if err != nil {
		t.Fatal(err)
	}
	if code, _, said := shuqiao(t, "backup", "--to", archive, "--recipient", recipient, "--database-url", asApp, "--data-dir", h.Dir()); code != exitOK {
		t.Fatalf("backing up: exit code %d, %s", code, said)
	}
	asOwner, asApp = empty()
	folder := filepath.Join(pgtest.Dir(t), "hub")
	if code, _, said := shuqiao(t, "restore", "--from", archive, "--identity-file", key, "--database-url", asOwner, "--data-dir", folder); code != exitOK {
		t.Fatalf("restoring: exit code %d, %s", code, said)
	}
	migrate(asOwner)
	d := &drill{binary: hubtest.Build(t), sample: s}
	hub := d.serve(t, "--data-dir", folder, "--database-url", asApp)
	provider, err := client.New(s.Client.Base, "").SignIn(t.Context(), "police_operator", hubtest.Password)
	if err != nil {
		t.Fatalf("signing in: %v", err)
	}
	run, err := provider.RunNow(t.Context(), s.Task.ID)
	if err != nil {
		t.Fatalf("starting a run: %v", err)
	}
	if run = hubtest.WaitRun(t, provider, run.ID); run.State != "succeeded" {
		t.Errorf("collecting after the restore: %s, %+v", run.State, run.Error)
	}
	hub.Kill()
}
