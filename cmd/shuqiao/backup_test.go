package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/shuqiao/shuqiao/api/client"
	"github.com/shuqiao/shuqiao/internal/backup"
	"github.com/shuqiao/shuqiao/internal/hubtest"
	"github.com/shuqiao/shuqiao/internal/pglocal"
	"github.com/shuqiao/shuqiao/internal/pgtest"
)

// drill is a hub that is backed up, destroyed and restored.
type drill struct {
	binary   string
	sample   hubtest.Sample
	served   client.Grant // Active when the backup is made.
	stopped  client.Grant // Suspended by the authority before.
	old      client.Page  // What the client had read from the hub before.
	archive  string
	identity string // File with the key of the archive.
}

// A hub is backed up while clients pull and collects run, lost with its data folder, and restored: its rows are those of the
// backup by content hash, its evidence verifies, its grants refuse until the authority confirms them, cursors and sessions
// of before end, and sealed passwords of sources still open.
func TestBackupDrill(t *testing.T) {
	t.Parallel()
	began := time.Now()
	d := &drill{binary: hubtest.Build(t)}
	folder, database := d.prepare(t)
	hub := d.serve(t, "--data-dir", folder, "--database-url", database)
	d.backUp(t, hub, folder, database)
	d.refuseWrong(t)

	hub.Kill()
	if err := os.RemoveAll(folder); err != nil {
		t.Fatal(err)
	}
	folder = filepath.Join(pgtest.Dir(t), "hub")
	out := d.mustRun(t, "restore", "--from", d.archive, "--identity-file", d.identity, "--data-dir", folder)
	if !strings.Contains(out, "1 grant is suspended until confirmed") {
		t.Errorf("restoring says:\n%s", out)
	}
	d.compare(t, folder)
	if code, _, said := shuqiao(t, "restore", "--from", d.archive, "--identity-file", d.identity, "--data-dir", folder); code != exitRuntime || !strings.Contains(said, "not empty") {
		t.Errorf("restoring over it: exit code %d, %s", code, said)
	}

	hub = d.serve(t, "--data-dir", folder)
	d.confirm(t, hub)
	if out := d.mustRun(t, "audit", "verify", "--data-dir", folder); !strings.Contains(out, "OK") {
		t.Errorf("verifying the evidence:\n%s", out)
	}
	if code := hub.Stop(20 * time.Second); code != exitOK {
		t.Errorf("stopping: exit code %d", code)
	}
	hubtest.Figure(t, "backed up, destroyed, restored and confirmed in %s", time.Since(began).Round(time.Millisecond))
}

// shuqiao runs a command line in this process.
func shuqiao(t *testing.T, args ...string) (code int, out, said string) {
	t.Helper()
	var stdout, stderr strings.Builder
	code = run(t.Context(), append(args, "--log-level", "warn"), nil, &stdout, &stderr)
	return code, stdout.String(), stderr.String()
}

func (d *drill) mustRun(t *testing.T, args ...string) string {
	t.Helper()
	code, out, said := shuqiao(t, args...)
	if code != exitOK {
		t.Fatalf("shuqiao %s: exit code %d\n%s%s", args[0], code, out, said)
	}
	return out
}

// prepare makes a hub with 3,000 rows and two grants, and returns where its data are.
func (d *drill) prepare(t *testing.T) (folder, database string) {
	t.Helper()
	h := hubtest.Start(t, hubtest.Options{DatabaseURL: pgtest.URL(t)})
	d.sample = h.Sample(t, 3000)
	d.served = d.sample.Grant(t, d.sample.Terms())
	other := d.sample.Terms()
	other.Purpose = "census"
	d.stopped = d.sample.Grant(t, other)
	if _, err := d.sample.Staff.Operator.Suspend(t.Context(), d.stopped.ID, "示例核查"); err != nil {
		t.Fatalf("suspending: %v", err)
	}
	if err := h.Stop(); err != nil {
		t.Fatalf("stopping the hub that made the directory: %v", err)
	}
	keys := t.TempDir()
	d.archive, d.identity = filepath.Join(keys, "hub.backup"), filepath.Join(keys, "backup.key")
	return h.Dir(), h.DatabaseURL()
}

func (d *drill) serve(t *testing.T, args ...string) *hubtest.Process {
	t.Helper()
	p := hubtest.StartProcess(t, d.binary, append([]string{"serve", "--listen", "127.0.0.1:0", "--node-takeover", "1s", "--log-level", "warn", "--second-factor", "off", "--sign-in-rate", "100000"}, args...)...)
	base := p.URL(t) + "/api/v1"
	for _, c := range []*client.Client{d.sample.Client, d.sample.Provider.Operator, d.sample.Staff.Operator} {
		c.Base = base
	}
	return p
}

func (d *drill) pull(g client.Grant) client.Pull {
	return client.Pull{Resource: d.sample.Resource.ID, Grant: g.ID, Purpose: g.Purpose}
}

// backUp makes the backup while rows change, are collected and are pulled.
func (d *drill) backUp(t *testing.T, hub *hubtest.Process, folder, database string) {
	t.Helper()
	var err error
	if d.old, err = d.sample.Client.Rows(t.Context(), d.pull(d.served), client.Query{Limit: 5000}); err != nil || len(d.old.Rows) != 2000 {
		t.Fatalf("reading before: %d rows, %v", len(d.old.Rows), err)
	}
	recipient := strings.TrimPrefix(strings.Split(d.mustRunKey(t), "\n")[0], "recipient: ")

	ctx, cancel := context.WithCancel(t.Context())
	var traffic sync.WaitGroup
	var pulls, runs atomic.Int64
	traffic.Go(func() {
		for ctx.Err() == nil {
			if _, err := d.sample.Client.Rows(ctx, d.pull(d.served), client.Query{Limit: 500}); err == nil {
				pulls.Add(1)
			} else if ctx.Err() == nil {
				t.Errorf("pulling during the backup: %v", err)
				return
			}
		}
	})
	traffic.Go(func() {
		for batch := 1; ctx.Err() == nil; batch++ {
			_, err := d.sample.Source.Exec(ctx, "UPDATE thing SET title = '示例事项' || $1 WHERE right(no, 1) = right($1, 1)", fmt.Sprint(batch))
			var run client.Run
			if err == nil {
				run, err = d.sample.Provider.Operator.RunNow(ctx, d.sample.Task.ID)
			}
			for err == nil && run.FinishedAt == nil && ctx.Err() == nil {
				run, err = d.sample.Provider.Operator.Run(ctx, run.ID)
			}
			if err != nil && ctx.Err() == nil {
				t.Errorf("collecting during the backup: %v", err)
				return
			}
			runs.Add(1)
		}
	})
	eventually(t, "traffic to flow", 20*time.Second, func() bool { return pulls.Load() > 0 && runs.Load() > 0 || t.Failed() })
	before := pulls.Load() + runs.Load()
	began := time.Now()
	out := d.mustRun(t, "backup", "--to", d.archive, "--recipient", recipient, "--verify", "full", "--data-dir", folder, "--database-url", database)
	during := pulls.Load() + runs.Load() - before
	hubtest.Figure(t, "%d pulls and runs during a backup of %s", during, time.Since(began).Round(time.Millisecond))
	// The hub is lost with runs under way: the last ones are not waited for.
	cancel()
	traffic.Wait()
	if during == 0 {
		t.Error("nothing happened during the backup")
	}
	for _, want := range []string{"3000 rows of 1 resource", "keys/hub.key", "keys/audit.key", "files/node_id", "a trial restore"} {
		if !strings.Contains(out, want) {
			t.Errorf("the backup does not say %q:\n%s", want, out)
		}
	}
	if info, err := os.Stat(d.archive); err != nil || info.Mode() != 0o600 {
		t.Errorf("the archive: %v, %v; want mode 0600", info, err)
	}
}

func (d *drill) mustRunKey(t *testing.T) string {
	t.Helper()
	code, out, said := 0, "", ""
	var stdout, stderr strings.Builder
	code = run(t.Context(), []string{"backup", "key", "--to", d.identity}, nil, &stdout, &stderr)
	if out, said = stdout.String(), stderr.String(); code != exitOK {
		t.Fatalf("making a key: exit code %d, %s", code, said)
	}
	return out
}

// refuseWrong looks at archives that must not be restored from, and at what was left behind.
func (d *drill) refuseWrong(t *testing.T) {
	t.Helper()
	whole, err := os.ReadFile(d.archive)
	if err != nil {
		t.Fatal(err)
	}
	flipped := append([]byte{}, whole...)
	flipped[len(flipped)/2] ^= 1
	stranger := filepath.Join(t.TempDir(), "stranger.key")
	if _, err := backup.WriteKey(stranger); err != nil {
		t.Fatal(err)
	}
	folder := filepath.Join(pgtest.Dir(t), "hub")
	for name, c := range map[string]struct {
		archive  []byte
		identity string
		want     string
	}{
		"one byte changed": {flipped, d.identity, "damaged"},
		"cut short":        {whole[:len(whole)-1], d.identity, "damaged"},
		"another key":      {whole, stranger, "does not open"},
	} {
		path := filepath.Join(t.TempDir(), "archive")
		if err := os.WriteFile(path, c.archive, 0o600); err != nil {
			t.Fatal(err)
		}
		code, _, said := shuqiao(t, "restore", "--from", path, "--identity-file", c.identity, "--data-dir", folder)
		if code != exitValidation || !strings.Contains(said, c.want) {
			t.Errorf("%s: exit code %d, %s", name, code, said)
		}
	}
	if _, err := os.Stat(folder); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a refused restore made the data folder: %v", err)
	}
}

// compare holds the restored database against the manifest, before a hub serves it.
func (d *drill) compare(t *testing.T, folder string) {
	t.Helper()
	report, err := backup.Read(d.archive, backup.Opening{IdentityFile: d.identity}, backup.Take{})
	if err != nil {
		t.Fatalf("reading the archive: %v", err)
	}
	cluster, err := pglocal.Start(t.Context(), pglocal.Options{DataDir: folder})
	if err != nil {
		t.Fatalf("starting the restored PostgreSQL: %v", err)
	}
	defer func() {
		if err := cluster.Close(); err != nil {
			t.Error(err)
		}
	}()
	got, err := backup.ContentsOf(t.Context(), cluster.SocketURL("shuqiao"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(report.Manifest.Contents, got); diff != "" {
		t.Errorf("rows (-manifest +restored):\n%s", diff)
	}
	if report.Manifest.Rows() != 3000 {
		t.Errorf("the backup holds %d rows, want 3000", report.Manifest.Rows())
	}
	conn, err := pgx.Connect(t.Context(), cluster.SocketURL("shuqiao"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	var sessions, active int
	err = conn.QueryRow(t.Context(), `
		SELECT (SELECT count(*) FROM session WHERE ended_at IS NULL), (SELECT count(*) FROM run WHERE state IN ('running', 'reconciling'))`).
		Scan(&sessions, &active)
	if err != nil || sessions != 0 || active != 0 {
		t.Errorf("%d sessions open, %d runs active, %v; want none", sessions, active, err)
	}
}

// confirm shows what the restored hub refuses, confirms the grants and shows that it serves.
func (d *drill) confirm(t *testing.T, hub *hubtest.Process) {
	t.Helper()
	ctx, s := t.Context(), d.sample
	code := func(g client.Grant) string {
		_, err := s.Client.Rows(ctx, d.pull(g), client.Query{Limit: 1})
		return client.Code(err)
	}
	if got := code(d.served); got != "grant_suspended" {
		t.Errorf("pulling before the confirmation: %q, want grant_suspended", got)
	}
	if _, err := s.Staff.Operator.Grants(ctx); client.Code(err) != "unauthenticated" {
		t.Errorf("a session of before: %v, want unauthenticated", err)
	}
	base := s.Client.Base
	operator, err := client.New(base, "").SignIn(ctx, "platform_operator", hubtest.Password)
	if err != nil {
		t.Fatalf("signing in: %v", err)
	}
	police, err := client.New(base, "").SignIn(ctx, "police_admin", hubtest.Password)
	if err != nil {
		t.Fatalf("signing in: %v", err)
	}
	waiting, err := operator.GrantsSuspendedBy(ctx, "restore")
	if err != nil || len(waiting) != 1 || waiting[0].ID != d.served.ID {
		t.Errorf("waiting for confirmation: %+v, %v; want grant %s alone", waiting, err, d.served.ID)
	}
	if _, err := police.ConfirmRestored(ctx, "示例"); client.Code(err) != "forbidden" {
		t.Errorf("a provider confirms for all: %v, want forbidden", err)
	}
	done, err := operator.ConfirmRestored(ctx, "与各提供方核对")
	if diff := cmp.Diff(client.Confirmation{Confirmed: 1}, done); err != nil || diff != "" {
		t.Errorf("confirming: %v (-want +got):\n%s", err, diff)
	}
	eventually(t, "the confirmed grant to serve", 5*time.Second, func() bool { return code(d.served) == "" })
	if got := code(d.stopped); got != "grant_suspended" {
		t.Errorf("the grant that the authority suspended: %q, want grant_suspended", got)
	}
	for name, cursor := range map[string]string{"changes": d.old.ChangesCursor} {
		_, err := s.Client.Changes(ctx, d.pull(d.served), client.Query{Cursor: cursor})
		if got := client.Code(err); got != "resync_required" {
			t.Errorf("a cursor of %s of before: %q, want resync_required", name, got)
		}
	}
	provider, err := client.New(base, "").SignIn(ctx, "police_operator", hubtest.Password)
	if err != nil {
		t.Fatalf("signing in: %v", err)
	}
	// A run that was given back may be under way; the order then waits behind it.
	run, err := provider.RunNow(ctx, s.Task.ID)
	if err != nil {
		t.Fatalf("starting a run: %v", err)
	}
	if run = hubtest.WaitRun(t, provider, run.ID); run.State != "succeeded" {
		t.Errorf("collecting by the sealed password: %s, %+v", run.State, run.Error)
	}
	rows, err := s.Client.Rows(ctx, d.pull(d.served), client.Query{Limit: 5000})
	if err != nil {
		t.Fatalf("pulling: %v", err)
	}
	if diff := cmp.Diff(d.titles(t), titlesOf(t, rows)); diff != "" {
		t.Errorf("rows (-source +hub):\n%s", diff)
	}
}

// titles returns what the client is granted of the source, by key.
func (d *drill) titles(t *testing.T) map[string]string {
	t.Helper()
	rows, err := d.sample.Source.Query(t.Context(), "SELECT no, title FROM thing WHERE division = '330602'")
	out := map[string]string{}
	var no, title string
	if err == nil {
		_, err = pgx.ForEachRow(rows, []any{&no, &title}, func() error { out[no] = title; return nil })
	}
	if err != nil {
		t.Fatalf("reading the source: %v", err)
	}
	return out
}

func titlesOf(t *testing.T, page client.Page) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, row := range page.Rows {
		no, ok := row["no"].(string)
		title, also := row["title"].(string)
		if !ok || !also {
			text, _ := json.Marshal(row)
			t.Fatalf("a row without key or title: %s", text)
		}
		out[no] = title
	}
	return out
}
