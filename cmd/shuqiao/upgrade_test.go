package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/shuqiao/shuqiao/api/client"
	"github.com/shuqiao/shuqiao/internal/hubtest"
	"github.com/shuqiao/shuqiao/internal/pgtest"
)

// released is a folder of what a released hub left behind, see its README.
const released = "../../migrations/testdata/v0.1.0"

// leftBehind are the notes of such a folder.
type leftBehind struct {
	Small, Running, Queued, Grant, Suspended, Pending, Task, Source string

	Big           string
	Key           string `json:"key_id"`
	Password      string
	SourcePass    string `json:"source_password"`
	Rows          int
	ChangesCursor string `json:"changes_cursor"`
}

// restore loads what the release left behind into databases and a data folder of the test, with the source where the test's
// server is, and the dates that end keys, grants and passwords moved on by as much as has passed since.
func restore(t *testing.T) (notes leftBehind, url, dir string) {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(released, "notes.json"))
	if err == nil {
		err = json.Unmarshal(raw, &notes)
	}
	if err != nil {
		t.Fatalf("reading the notes: %v", err)
	}
	role := pgtest.Role(t, notes.SourcePass)
	source, url := pgtest.Load(t, filepath.Join(released, "source.sql.gz")), pgtest.Load(t, filepath.Join(released, "hub.sql.gz"))
	at, err := pgx.ParseConfig(source)
	if err != nil {
		t.Fatalf("reading the source's address: %v", err)
	}
	execute(t, source, fmt.Sprintf("GRANT SELECT ON ALL TABLES IN SCHEMA public TO %s; REVOKE CREATE ON SCHEMA public FROM PUBLIC", role))
	execute(t, url, fmt.Sprintf(`
		UPDATE source SET settings = settings || jsonb_build_object('host', '%s', 'port', '%d', 'database', '%s', 'user', '%s') WHERE id = '%s';
		UPDATE client_key SET expires_at = expires_at + age.passed, created_at = created_at + age.passed FROM (SELECT now() - max(created_at) AS passed FROM client_key) age;
		UPDATE sharing_grant SET valid_to = valid_to + age.passed FROM (SELECT now() - max(created_at) AS passed FROM sharing_grant) age`,
		at.Host, at.Port, at.Database, role, notes.Source))
	dir = t.TempDir()
	for _, name := range []string{"hub.key", "audit.key", "node_id"} {
		raw, err := os.ReadFile(filepath.Join(released, name))
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name), raw, 0o600)
		}
		if err != nil {
			t.Fatalf("copying the data folder: %v", err)
		}
	}
	return notes, url, dir
}

func execute(t *testing.T, url, sql string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatalf("connecting: %v", err)
	}
	defer conn.Close(t.Context())
	if _, err := conn.PgConn().Exec(t.Context(), sql).ReadAll(); err != nil {
		t.Fatalf("preparing: %v", err)
	}
}

// A hub of the first release, dead in the middle of a run, is upgraded by the operator and goes on: its runs end, its schedule
// fires, its grants bind, its accounts and keys work, cursors that its clients hold stay good, and the evidence verifies.
func TestUpgradeFromFirstRelease(t *testing.T) {
	t.Parallel()
	binary := hubtest.Build(t)
	notes, url, dir := restore(t)
	serve := func() *hubtest.Process {
		return hubtest.StartProcess(t, binary, "serve", "--database-url", url, "--data-dir", dir, "--listen", "127.0.0.1:0", "--node-takeover", "1s", "--second-factor", "off")
	}
	early := serve()
	if code := early.Wait(20 * time.Second); code != exitEnvironment || !strings.Contains(early.Errors(), "migrate up") {
		t.Fatalf("before the migration: exit code %d, %s", code, early.Errors())
	}
	if p := hubtest.StartProcess(t, binary, "migrate", "up", "--database-url", url); p.Wait(time.Minute) != exitOK {
		t.Fatalf("migrating: %s", p.Errors())
	}
	h := serve()
	anonymous := client.New(h.URL(t)+"/api/v1", "")
	as := func(user string) *client.Client {
		c, err := anonymous.SignIn(t.Context(), user, notes.Password)
		if err != nil {
			t.Fatalf("signing %s in: %v", user, err)
		}
		return c
	}
	provider, authority := as("police_admin"), as("platform_operator")
	for name, id := range map[string]string{"running": notes.Running, "queued": notes.Queued} {
		if r := hubtest.WaitRun(t, provider, id); r.State != "succeeded" && r.State != "partial" {
			t.Errorf("the run that was %s ended as %s: %+v", name, r.State, r.Error)
		}
	}
	fires, err := provider.Schedules(t.Context(), notes.Task)
	if err != nil || len(fires) != 1 {
		t.Fatalf("schedules: %v, %v", fires, err)
	}
	eventually(t, "the missed times to be in the ledger", 20*time.Second, func() bool {
		ledger, err := provider.Fires(t.Context(), fires[0].ID, 10)
		return err == nil && len(ledger.Data) > 0
	})

	consumer := anonymous.As(notes.Key)
	pull := client.Pull{Resource: notes.Small, Grant: notes.Grant}
	page, err := consumer.Rows(t.Context(), pull, client.Query{Limit: 1000})
	if err != nil || len(page.Rows) != notes.Rows {
		t.Errorf("the active grant serves %d rows, %v, want %d", len(page.Rows), err, notes.Rows)
	}
	if changes, err := consumer.Changes(t.Context(), pull, client.Query{Cursor: notes.ChangesCursor}); err != nil || len(changes.Changes) != 0 {
		t.Errorf("a cursor of the first release: %+v, %v", changes.Changes, err)
	}
	pull.Grant = notes.Suspended
	var problem *client.Problem
	if _, err := consumer.Rows(t.Context(), pull, client.Query{Limit: 1}); !errors.As(err, &problem) || problem.Code != "grant_suspended" {
		t.Errorf("the suspended grant: %v", err)
	}
	if _, err = authority.MoveRequest(t.Context(), notes.Pending, "accept"); err == nil {
		_, err = provider.Approve(t.Context(), notes.Pending, client.Conditions{})
	}
	if err != nil {
		t.Errorf("deciding the request that waited: %v", err)
	}
	if code := h.Stop(20 * time.Second); code != exitOK {
		t.Errorf("stopping: exit code %d", code)
	}
	if p := hubtest.StartProcess(t, binary, "audit", "verify", "--database-url", url); p.Wait(time.Minute) != exitOK {
		t.Errorf("verifying: %s%s", p.Output(), p.Errors())
	}
}

// A schema newer than the program is refused: an old program would not know what it must write.
func TestNewerSchemaIsRefused(t *testing.T) {
	t.Parallel()
	url := pgtest.URL(t)
	execute(t, url, "INSERT INTO goose_db_version (version_id, is_applied) VALUES (999999, true)")
	for _, args := range [][]string{{"serve", "--listen", "127.0.0.1:0", "--data-dir", t.TempDir()}, {"migrate", "up"}} {
		p := hubtest.StartProcess(t, hubtest.Build(t), append(args, "--database-url", url)...)
		if code := p.Wait(20 * time.Second); code != exitEnvironment || !strings.Contains(p.Errors(), "newer") {
			t.Errorf("%s: exit code %d, %s", args[0], code, p.Errors())
		}
	}
}
