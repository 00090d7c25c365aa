package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/shuqiao/shuqiao/api/client"
	"github.com/shuqiao/shuqiao/api/client/replica"
	"github.com/shuqiao/shuqiao/internal/hubtest"
	"github.com/shuqiao/shuqiao/internal/pgtest"
)

// How often a copier is killed at least: one that writes PostgreSQL, in all and in each phase, and one that writes a folder.
const (
	leastCopyKills   = 20
	leastPerPhase    = 3
	leastFolderKills = 5
)

// copyPhases are the phases that kills must fall into, in the order in which they are wanted.
var copyPhases = []string{"snapshot", "catchup", "swap", "following"}

// copying is a grant whose copies are killed.
type copying struct {
	hub    *hubtest.Hub
	sample hubtest.Sample
	grant  client.Grant
	binary string
	key    string // File.

	change  sync.Mutex // Held while the source changes and is collected.
	version int
	rows    sync.Map // Granted rows by version.
	runs    int
}

func newCopying(t *testing.T) *copying {
	t.Helper()
	c := &copying{hub: hubtest.Start(t, hubtest.Options{}), binary: hubtest.Build(t), key: filepath.Join(t.TempDir(), "key")}
	c.sample = c.hub.Sample(t, 1800)
	c.grant = c.sample.Grant(t, c.sample.Terms())
	if err := os.WriteFile(c.key, []byte(c.sample.Key.Token()+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return c
}

// advance changes every row of the source to a new version, with rows that come and go, and collects them. A context that
// ended in between is no error.
func (c *copying) advance(ctx context.Context) error {
	c.change.Lock()
	defer c.change.Unlock()
	c.version++
	extra := c.version % 7 * 10
	c.rows.Store(fmt.Sprintf("version %d", c.version), 1200+extra)
	for _, sql := range []string{
		"DELETE FROM thing WHERE no LIKE 'X%'",
		fmt.Sprintf("INSERT INTO thing SELECT 'X' || n, '330602', '', '2020-01-01', n FROM generate_series(1, %d) n", extra),
		fmt.Sprintf("UPDATE thing SET title = 'version %d'", c.version),
	} {
		if _, err := c.sample.Source.Exec(ctx, sql); err != nil {
			return err
		}
	}
	var run client.Run
	tick := time.NewTicker(15 * time.Millisecond)
	defer tick.Stop()
	for run.State != "succeeded" {
		var err error
		if run.ID == "" {
			run, err = c.sample.Provider.Operator.RunNow(ctx, c.sample.Task.ID)
		} else {
			run, err = c.sample.Provider.Operator.Run(ctx, run.ID)
		}
		switch {
		case client.Code(err) == "already_queued": // Of an advance that was cut short.
		case err != nil:
			return err
		case run.State == "failed" || run.State == "partial":
			return fmt.Errorf("the run ended %s: %+v", run.State, run.Error)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
	c.runs++
	return nil
}

// expire makes every cursor of before too old, so that copiers have to read everything anew.
func (c *copying) expire(t *testing.T) {
	t.Helper()
	if err := c.advance(t.Context()); err != nil {
		t.Fatalf("changing the source: %v", err)
	}
	if _, err := c.hub.DB.Pool.Exec(t.Context(), "UPDATE store.store_head SET min_seq = seq WHERE resource = $1", c.sample.Resource.ID); err != nil {
		t.Fatalf("expiring cursors: %v", err)
	}
}

// pull starts a copier.
func (c *copying) pull(t *testing.T, command, into string, more ...string) *hubtest.Process {
	t.Helper()
	args := append([]string{
		"pull", command, "--into", into, "--table", "thing_copy", "--url", c.hub.URL(), "--key-file", c.key, "--resource", c.sample.Resource.ID,
		"--purpose", c.grant.Purpose, "--page-rows", "80",
	}, more...)
	return hubtest.StartProcess(t, c.binary, args...)
}

// A copier that is killed again and again, in each phase and while rows change at the source, ends with exactly the rows of
// its grant, in PostgreSQL and in a folder; and nobody who reads the copy meanwhile ever sees a part of a run.
func TestKilledCopierLosesNothing(t *testing.T) {
	t.Parallel()
	c := newCopying(t)
	began := time.Now()
	ctx, stop := context.WithCancel(t.Context())
	changed := make(chan error, 1)
	go func() {
		for {
			if err := c.advance(ctx); err != nil || ctx.Err() != nil {
				if ctx.Err() != nil {
					err = nil
				}
				changed <- err
				return
			}
		}
	}()
	dsn, folder := pgtest.Empty(t), filepath.Join(t.TempDir(), "copy")
	reader := c.watchCopy(t, dsn)
	kills := c.killInDatabase(t, dsn)
	inFolder := c.killInFolder(t, folder)
	stop()
	if err := <-changed; err != nil {
		t.Fatalf("changing the source: %v", err)
	}
	if err := c.advance(t.Context()); err != nil { // What the stop cut short.
		t.Fatalf("changing the source: %v", err)
	}
	looks, versions := reader(t)
	want := c.sourceRows(t)
	for _, into := range []string{dsn, folder} {
		if p := c.pull(t, "copy", into, "--once"); p.Wait(30*time.Second) != exitOK {
			t.Fatalf("the last copy: %s", p.Errors())
		}
		p := c.pull(t, "verify", into)
		if code := p.Wait(30 * time.Second); code != exitOK || !strings.Contains(p.Output(), `"equal": true`) {
			t.Errorf("comparing: exit code %d, %s%s", code, p.Output(), p.Errors())
		}
	}
	if diff := cmp.Diff(want, databaseRows(t, dsn)); diff != "" {
		t.Errorf("the copy in PostgreSQL (-source +copy):\n%s", diff)
	}
	if diff := cmp.Diff(want, folderRows(t, folder)); diff != "" {
		t.Errorf("the copy in a folder (-source +copy):\n%s", diff)
	}
	for _, phase := range copyPhases {
		if kills[phase] < leastPerPhase {
			t.Errorf("%d kills fell into phase %s, want %d", kills[phase], phase, leastPerPhase)
		}
	}
	total, inPhases := phasesOf(kills)
	folderTotal, folderPhases := phasesOf(inFolder)
	hubtest.Figure(t, "%d kills of a copier into PostgreSQL (%s) and %d into a folder (%s) in %s, over %d runs; a reader looked %d times and saw %d versions, each whole",
		total, inPhases, folderTotal, folderPhases, time.Since(began).Round(100*time.Millisecond), c.runs, looks, versions)
	if total < leastCopyKills || folderTotal < leastFolderKills {
		t.Errorf("%d and %d kills, want %d and %d", total, folderTotal, leastCopyKills, leastFolderKills)
	}
}

// phasesOf says how many kills there were, and where.
func phasesOf(kills map[string]int) (total int, where string) {
	var parts []string
	for _, phase := range copyPhases {
		parts = append(parts, fmt.Sprintf("%s %d", phase, kills[phase]))
		total += kills[phase]
	}
	return total, strings.Join(parts, ", ")
}

// killInDatabase kills copiers until each phase has had its kills. It returns how many fell into each.
func (c *copying) killInDatabase(t *testing.T, dsn string) map[string]int {
	t.Helper()
	conn := pgtest.Conn(t, dsn)
	began := time.Now()
	kills := map[string]int{}
	delays := []time.Duration{0, 3 * time.Millisecond, 15 * time.Millisecond, 7 * time.Millisecond, 40 * time.Millisecond}
	for n, total := 0, 0; total < leastCopyKills || least(kills) < leastPerPhase; n++ {
		if n > 4*leastCopyKills {
			t.Fatalf("the phases are not met: %v", kills)
		}
		wanted := copyPhases[n%len(copyPhases)]
		before := copyStateOf(t, conn)
		if wanted == "snapshot" || before.phase == "following" && wanted != "following" {
			c.expire(t)
		}
		p := c.pull(t, "copy", dsn, "--every", "20ms")
		met, passed := false, false
		for limit := time.Now().Add(3 * time.Second); !met && time.Now().Before(limit); {
			now := copyStateOf(t, conn)
			if passed = passed || now.phase != "following"; passed && now.phase == "following" && wanted != "following" {
				break // It went through the phase between two looks.
			}
			met = now.phase == wanted && (wanted != "following" || now.busy)
			if met {
				before = now
			}
		}
		if wanted == "snapshot" { // How far into the phase it is killed.
			<-time.After(delays[n/len(copyPhases)%len(delays)])
		}
		p.Kill()
		after := copyStateOf(t, conn)
		for after.connected {
			after = copyStateOf(t, conn)
		}
		// A transaction of changes that was killed has left no trace; where it has, it was over.
		if after.phase != "following" || met && after.cursor == before.cursor {
			kills[after.phase]++
			total++
		}
		t.Logf("%s: wanted %s, met %v, killed in %s", time.Since(began).Round(time.Millisecond), wanted, met, after.phase)
	}
	return kills
}

func least(kills map[string]int) int {
	out := kills[copyPhases[0]]
	for _, phase := range copyPhases {
		out = min(out, kills[phase])
	}
	return out
}

// copyState is what a copier is at.
type copyState struct {
	phase, cursor   string // "" before the first.
	busy, connected bool   // A copier is inside a transaction; it is there at all.
}

func copyStateOf(t *testing.T, conn *pgx.Conn) copyState {
	t.Helper()
	var s copyState
	err := conn.QueryRow(t.Context(), `
		SELECT coalesce(bool_or(xact_start IS NOT NULL AND query NOT LIKE '%shuqiao_copy%'), false), count(*) > 0
		FROM pg_stat_activity WHERE application_name = $1 AND datname = current_database()`, replica.ApplicationName).Scan(&s.busy, &s.connected)
	if err == nil {
		err = conn.QueryRow(t.Context(), "SELECT phase, cursor FROM shuqiao_copy").Scan(&s.phase, &s.cursor)
	}
	var pg *pgconn.PgError
	if err != nil && !errors.Is(err, pgx.ErrNoRows) && (!errors.As(err, &pg) || pg.Code != "42P01") {
		t.Fatalf("watching the copier: %v", err)
	}
	return s
}

// killInFolder kills copiers of a folder at different moments and returns how many it killed in each phase.
func (c *copying) killInFolder(t *testing.T, folder string) map[string]int {
	t.Helper()
	kills := map[string]int{}
	phase := func() string {
		var s replica.State
		raw, err := os.ReadFile(filepath.Join(folder, "state.json"))
		if err != nil || json.Unmarshal(raw, &s) != nil {
			return ""
		}
		return string(s.Phase())
	}
	for n := range leastFolderKills {
		wanted := copyPhases[n%len(copyPhases)]
		if n > 0 && wanted != "following" {
			c.expire(t)
		}
		p := c.pull(t, "copy", folder, "--every", "20ms", "--format", "csv")
		for limit := time.Now().Add(3 * time.Second); phase() != wanted && time.Now().Before(limit); {
			<-time.After(time.Millisecond)
		}
		p.Kill()
		kills[phase()]++
	}
	return kills
}

// watchCopy reads the copy all the time. What it returns ends it and says how often it looked and how many versions it saw.
func (c *copying) watchCopy(t *testing.T, dsn string) func(*testing.T) (looks, versions int) {
	t.Helper()
	conn := pgtest.Conn(t, dsn)
	ctx, cancel := context.WithCancel(t.Context())
	looks, seen, done := 0, map[string]bool{}, make(chan error, 1)
	go func() {
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for {
			var rows, versions int
			var title string
			err := conn.QueryRow(ctx, "SELECT count(*), count(DISTINCT title), coalesce(min(title), '') FROM thing_copy").Scan(&rows, &versions, &title)
			var pg *pgconn.PgError
			want, known := c.rows.Load(title)
			switch {
			case ctx.Err() != nil:
				done <- nil
				return
			case errors.As(err, &pg) && pg.Code == "42P01": // Not copied yet.
			case err != nil:
				done <- err
				return
			case versions != 1 || known && want != rows:
				done <- fmt.Errorf("a part of a run is visible: %d rows of %d versions, first %q, want %v rows", rows, versions, title, want)
				return
			default:
				looks++
				seen[title] = true
			}
			select {
			case <-ctx.Done():
			case <-tick.C:
			}
		}
	}()
	return func(t *testing.T) (int, int) {
		t.Helper()
		cancel()
		if err := <-done; err != nil {
			t.Errorf("reading the copy while copiers are killed: %v", err)
		}
		return looks, len(seen)
	}
}

// sourceRows is what the grant gives, by key.
func (c *copying) sourceRows(t *testing.T) map[string]string {
	t.Helper()
	rows, err := c.sample.Source.Query(t.Context(), "SELECT no, concat_ws('|', division, title, born) FROM thing WHERE division = '330602'")
	return collectRows(t, rows, err)
}

func databaseRows(t *testing.T, dsn string) map[string]string {
	t.Helper()
	rows, err := pgtest.Conn(t, dsn).Query(t.Context(), "SELECT no, concat_ws('|', division, title, born) FROM thing_copy")
	return collectRows(t, rows, err)
}

func collectRows(t *testing.T, rows pgx.Rows, err error) map[string]string {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	var key, rest string
	if _, err := pgx.ForEachRow(rows, []any{&key, &rest}, func() error { out[key] = rest; return nil }); err != nil {
		t.Fatal(err)
	}
	return out
}

// folderRows reads the file of rows, and checks that the CSV file has as many.
func folderRows(t *testing.T, folder string) map[string]string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(folder, "rows.ndjson"))
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	lines := bufio.NewScanner(strings.NewReader(string(raw)))
	for lines.Scan() {
		var row map[string]string
		if err := json.Unmarshal(lines.Bytes(), &row); err != nil {
			t.Fatal(err)
		}
		out[row["no"]] = row["division"] + "|" + row["title"] + "|" + row["born"]
	}
	if len(out) != strings.Count(string(raw), "\n") {
		t.Errorf("%d lines for %d keys", strings.Count(string(raw), "\n"), len(out))
	}
	return out
}
