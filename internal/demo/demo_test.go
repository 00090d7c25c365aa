package demo_test

import (
	"context"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/shuqiao/shuqiao/api/client"
	"github.com/shuqiao/shuqiao/internal/demo"
	"github.com/shuqiao/shuqiao/internal/hubtest"
	"github.com/shuqiao/shuqiao/internal/pglocal"
)

// storyLimit bounds one telling of the smallest city on a busy machine.
const storyLimit = 4 * time.Minute

// testBundle is the program with a data folder that the account of PostgreSQL can enter.
type testBundle struct {
	binary string
	dir    string
}

func setup(t *testing.T) testBundle {
	t.Helper()
	dir, err := os.MkdirTemp("", "shuqiao-demo-test-")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		// A killed hub leaves its PostgreSQL running.
		if cluster, err := pglocal.Adopt(context.Background(), pglocal.Options{DataDir: dir}); err == nil {
			_ = cluster.Close()
		}
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return testBundle{binary: hubtest.Build(t), dir: dir}
}

func (b testBundle) start(t *testing.T, args ...string) *hubtest.Process {
	t.Helper()
	return hubtest.StartProcess(t, b.binary, append([]string{"demo", "--data-dir", b.dir, "--scale", "0.01", "--listen", "127.0.0.1:0"}, args...)...)
}

func (b testBundle) ready(t *testing.T) demo.Ready {
	t.Helper()
	path := filepath.Join(b.dir, "demo.json")
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := info.Mode().Perm(), os.FileMode(0o600); got != want {
		t.Errorf("mode of demo.json: got %o, want %o", got, want)
	}
	decoder := json.NewDecoder(strings.NewReader(string(raw)))
	decoder.DisallowUnknownFields()
	var r demo.Ready
	if err := decoder.Decode(&r); err != nil {
		t.Fatal(err)
	}
	return r
}

// Ctrl-C in the story ends hub and database and says so by the exit code; the story survives a kill in the middle and refuses
// company on its data folder; the next start goes on and ends well, demo.json is enough to use the hub from outside, and a start after a kill between altering an event and putting it back
// puts it back.
func TestTheStoryIsToldToItsEndWhateverHappens(t *testing.T) {
	t.Parallel()
	b := setup(t)

	stopped := b.start(t)
	stopped.WaitLine(t, "1  ", storyLimit)
	if got, want := stopped.Stop(time.Minute), 1; got != want {
		t.Errorf("exit code after Ctrl-C in the story: got %d, want %d", got, want)
	}
	if !strings.Contains(stopped.Errors(), "stopped before the story ended") {
		t.Errorf("it does not say that the story was stopped: %s", stopped.Errors())
	}
	if _, err := pglocal.Adopt(t.Context(), pglocal.Options{DataDir: b.dir}); err == nil {
		t.Error("PostgreSQL still runs after Ctrl-C in the story")
	}

	killed := b.start(t, "--exit")
	killed.WaitLine(t, "2  ", storyLimit)
	second := b.start(t, "--exit")
	if got, want := second.Wait(time.Minute), 3; got != want {
		t.Errorf("exit code of a second demo on the same folder: got %d, want %d", got, want)
	}
	if !strings.Contains(second.Errors(), b.dir) {
		t.Errorf("the second demo does not say which folder is held: %s", second.Errors())
	}
	killed.WaitLine(t, "4  ", storyLimit)
	killed.Kill()
	if _, err := os.Stat(filepath.Join(b.dir, "demo.json")); err == nil {
		t.Error("demo.json is there though the story has not ended")
	}

	again := b.start(t, "--exit")
	if got, want := again.Wait(storyLimit), 0; got != want {
		t.Fatalf("exit code of the start after the kill: got %d, want %d", got, want)
	}
	if !strings.Contains(again.Output(), "done by an earlier start") {
		t.Error("the start after the kill does not go on from what is there")
	}
	first := b.ready(t)

	serving := b.start(t)
	serving.WaitLine(t, "Press Ctrl-C", storyLimit)
	r := b.ready(t)
	checkReady(t, r)
	if diff := cmp.Diff(first.Users, r.Users); diff != "" {
		t.Errorf("a later start has other logins (-first +later):\n%s", diff)
	}
	useHub(t, r)

	event, body := alterEvent(t, r, b.dir)
	serving.Kill()
	last := b.start(t)
	last.WaitLine(t, "Press Ctrl-C", storyLimit)
	if got := eventBody(t, b.ready(t), event); got != body {
		t.Errorf("the altered event was not put back: got %q, want %q", got, body)
	}
	if got, want := last.Stop(time.Minute), 0; got != want {
		t.Errorf("exit code after Ctrl-C: got %d, want %d", got, want)
	}
	if _, err := pglocal.Adopt(t.Context(), pglocal.Options{DataDir: b.dir}); err == nil {
		t.Error("PostgreSQL still runs after Ctrl-C")
	}
}

// checkReady ensures that demo.json has all that its readers rely on.
func checkReady(t *testing.T, r demo.Ready) {
	t.Helper()
	if !r.Ready || !strings.HasSuffix(r.APIURL, "/api/v1") || r.ConsoleURL == "" || r.DatabaseURL == "" {
		t.Errorf("incomplete: %+v", r)
	}
	want := map[string]bool{"system_admin": true, "security_admin": true, "auditor": true, "platform_operator": true}
	for _, key := range []string{"police", "market", "land", "reform", "statistics", "social", "civil", "data"} {
		want[key+"_admin"], want[key+"_operator"] = true, true
	}
	got := map[string]bool{}
	for name, u := range r.Users {
		got[name] = name == u.Username && u.Password != "" && len(u.Roles) == 1 && u.Department != ""
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("users (-want +got):\n%s", diff)
	}
	bases := map[string]bool{}
	ids := map[string]bool{}
	for _, x := range r.Resources {
		bases[x.BaseDatabase], ids[x.ID] = true, true
	}
	wantBases := map[string]bool{
		"population": true, "legal_person": true, "geospatial": true, "credit": true, "certificate": true, "macro_economy": true, "": true,
	}
	if !maps.Equal(bases, wantBases) {
		t.Errorf("base databases: got %v, want %v", bases, wantBases)
	}
	if len(r.Tasks) != 6 || len(r.Sources) != 6 || len(r.Clients) != 3 || len(r.Grants) != 2 {
		t.Fatalf("got %d tasks, %d sources, %d clients and %d grants", len(r.Tasks), len(r.Sources), len(r.Clients), len(r.Grants))
	}
	for _, task := range r.Tasks {
		if !ids[task.Resource] {
			t.Errorf("task %s is of no resource in the file", task.ID)
		}
	}
	if g := r.Grants[0]; g.Client != r.Clients[0].ID || g.Resource != r.Resources[0].ID || g.State != "active" {
		t.Errorf("the first grant is not the active one of population: %+v", g)
	}
}

// useHub uses the hub as somebody would who has nothing but demo.json.
func useHub(t *testing.T, r demo.Ready) {
	t.Helper()
	ctx := t.Context()
	api := client.New(r.APIURL, "")
	for name, u := range r.Users {
		if _, err := api.SignIn(ctx, u.Username, u.Password); err != nil {
			t.Errorf("signing in as %s: %v", name, err)
		}
	}
	c := r.Clients[0]
	page, err := api.As(c.KeyID+"."+c.Secret).Rows(ctx, client.Pull{Resource: r.Resources[0].ID, Purpose: c.Purpose, CaseNumber: c.CaseNumber}, client.Query{Limit: 2})
	if err != nil || len(page.Rows) != 2 {
		t.Errorf("pulling: %d rows, %v", len(page.Rows), err)
	}
	for _, s := range r.Sources {
		conn, err := pgx.Connect(ctx, s.DSN)
		if err != nil {
			t.Errorf("source %s: %v", s.Name, err)
			continue
		}
		// An owner can change its own table; the hub's role cannot.
		if _, err := conn.Exec(ctx, "DELETE FROM "+s.Table+" WHERE false"); err != nil {
			t.Errorf("source %s: %v", s.Name, err)
		}
		_ = conn.Close(ctx)
	}
}

// alterEvent leaves the hub as a kill would between altering an event and putting it back: the event altered, and what it
// was noted in the data folder. It returns the event's id and body.
func alterEvent(t *testing.T, r demo.Ready, dir string) (id, body string) {
	t.Helper()
	ctx := t.Context()
	conn, err := pgx.Connect(ctx, r.DatabaseURL)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	var was []byte
	if err := conn.QueryRow(ctx, "SELECT e.id::text, e.body FROM event e JOIN leaf l ON l.event_id = e.id ORDER BY l.leaf LIMIT 1").Scan(&id, &was); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "demo-keys.json")
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var kept map[string]any
	if err := json.Unmarshal(raw, &kept); err != nil {
		t.Fatal(err)
	}
	kept["altered_event"] = map[string]any{"id": id, "body": was}
	if raw, err = json.Marshal(kept); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Exec(ctx, "UPDATE event SET body = body || ' '::bytea WHERE id = $1", id); err != nil {
		t.Fatal(err)
	}
	return id, string(was)
}

func eventBody(t *testing.T, r demo.Ready, id string) string {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), r.DatabaseURL)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	var body []byte
	if err := conn.QueryRow(t.Context(), "SELECT body FROM event WHERE id = $1", id).Scan(&body); err != nil {
		t.Fatal(err)
	}
	return string(body)
}
