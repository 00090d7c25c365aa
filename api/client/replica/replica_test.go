package replica_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/shuqiao/shuqiao/api/client"
	"github.com/shuqiao/shuqiao/api/client/replica"
	"github.com/shuqiao/shuqiao/internal/hubtest"
	"github.com/shuqiao/shuqiao/internal/pgtest"
)

// world is a hub with a resource whose key has two parts, of text and number, and whose items are of every kind.
type world struct {
	hub    *hubtest.Hub
	sample hubtest.Sample
	grants map[string]client.Grant // By the kind of target that copies it.
}

const readings = `
	CREATE TABLE reading (
		station varchar(10) NOT NULL, slot bigint NOT NULL, flow double precision, cost numeric(10,2), day date, measured timestamptz,
		valid boolean, label varchar(40), scan bytea, PRIMARY KEY (station, slot));
	INSERT INTO reading SELECT CASE n % 3 WHEN 0 THEN 'A~' WHEN 1 THEN 'b' ELSE '王' END, n, n / 7.0, n * 1.25, date '2020-01-01' + n,
		timestamptz '2020-01-01 00:00:00+08' + n * interval '1 minute 0.5 second', n % 2 = 0, '示例"' || n || ',', decode(md5(n::text), 'hex')
	FROM generate_series(1, 40) n;
	UPDATE reading SET flow = NULL, cost = NULL, day = NULL, measured = NULL, valid = NULL, label = NULL, scan = NULL WHERE slot = 7;
	UPDATE reading SET label = '', slot = 9007199254740993 WHERE slot = 8`

func newWorld(t *testing.T, targets []string) *world {
	t.Helper()
	w := &world{hub: hubtest.Start(t, hubtest.Options{}), grants: map[string]client.Grant{}}
	w.sample = w.hub.Sample(t, 1)
	s := &w.sample
	m := hubtest.Metadata("示例读数")
	m.Items = nil
	for _, spec := range []struct {
		identifier, letter string
		length, scale      int
	}{
		{"station", "C", 10, 0},
		{"slot", "I", 0, 0},
		{"flow", "B", 0, 0},
		{"cost", "N", 10, 2},
		{"day", "D", 0, 0},
		{"measured", "T", 0, 0},
		{"valid", "L", 0, 0},
		{"label", "C", 40, 0},
		{"scan", "G", 0, 0},
	} {
		key := spec.identifier == "station" || spec.identifier == "slot"
		m.Items = append(m.Items, client.Item{
			Name: spec.identifier, Identifier: spec.identifier, DataType: spec.letter, Length: spec.length, Scale: spec.scale,
			ShareType: "conditional", Grade: "L2", Key: key, Required: key, Filterable: spec.identifier == "valid",
		})
	}
	w.source(t, readings)
	s.Resource, s.Task = s.Offer(t, m, "public.reading")
	w.collect(t)
	for _, target := range targets {
		terms := s.Terms()
		terms.RowFilter, terms.Items = nil, nil
		for _, item := range m.Items {
			// Without its key, a row is known by _rid.
			if !strings.HasPrefix(target, "keyless") || !item.Key {
				terms.Items = append(terms.Items, item.Identifier)
			}
		}
		if target == "filtered" {
			terms.RowFilter = json.RawMessage(`{"op":"eq","item":"valid","value":true}`)
		}
		terms.Purpose = target
		w.grants[target] = s.Grant(t, terms)
	}
	return w
}

func (w *world) source(t *testing.T, sql string) {
	t.Helper()
	if _, err := w.sample.Source.Exec(t.Context(), sql); err != nil {
		t.Fatalf("changing the source: %v", err)
	}
}

func (w *world) collect(t *testing.T) {
	t.Helper()
	if run := w.sample.Collect(t); run.State != "succeeded" {
		t.Fatalf("the run ended as %s: %+v", run.State, run.Error)
	}
}

// hubExec changes what no call changes, and tells the nodes.
func (w *world) hubExec(t *testing.T, grant, sql string, args ...any) {
	t.Helper()
	_, err := w.hub.DB.Pool.Exec(t.Context(), sql, args...)
	if err == nil && grant != "" {
		_, err = w.hub.DB.Pool.Exec(t.Context(), `
			WITH head AS (UPDATE policy_head SET n = n + 1 RETURNING n) INSERT INTO policy_log (n, kind, id) SELECT n, 'grant', $1 FROM head`, grant)
	}
	if err != nil {
		t.Fatalf("changing the hub: %v", err)
	}
}

// copied is one copy under test.
type copied struct {
	name   string
	into   string
	grant  client.Grant
	copier *replica.Copier
}

func (w *world) open(t *testing.T, name, into string) *copied {
	t.Helper()
	c := &copied{name: name, into: into, grant: w.grants[name]}
	opt := replica.Options{
		Client: w.sample.Client.Persistent(client.Retry{}), Into: into, Table: "reading_copy", CSV: true, PageRows: 9, LockWait: time.Millisecond,
		Pull: client.Pull{Resource: w.sample.Resource.ID, Grant: c.grant.ID, Purpose: name},
		Log:  slog.New(slog.NewTextHandler(io.Discard, nil)),
	}
	if name == "filtered" || name == "keyless-folder" {
		opt.MaxChanges = 5 // Fewer than happen.
	}
	var err error
	if c.copier, err = replica.Open(t.Context(), opt); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.copier.Close)
	return c
}

// labels reads what a reader of the copy sees: the labels of all rows in order, "-" for none.
func (c *copied) labels(t *testing.T) []string {
	t.Helper()
	var out []string
	if strings.HasPrefix(c.into, "postgres") {
		rows, err := pgtest.Conn(t, c.into).Query(t.Context(), "SELECT coalesce(label, '-') FROM reading_copy")
		if err == nil {
			out, err = pgx.CollectRows(rows, pgx.RowTo[string])
		}
		if err != nil {
			t.Fatalf("%s: reading the copy: %v", c.name, err)
		}
	} else {
		file, err := os.Open(filepath.Join(c.into, "rows.ndjson"))
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		for lines := bufio.NewScanner(file); lines.Scan(); {
			var row struct{ Label *string }
			if err := json.Unmarshal(lines.Bytes(), &row); err != nil {
				t.Fatal(err)
			}
			label := "-"
			if row.Label != nil {
				label = *row.Label
			}
			out = append(out, label)
		}
	}
	slices.Sort(out)
	return out
}

// wanted is what the source holds, as labels returns it.
func (w *world) wanted(t *testing.T, c *copied) []string {
	t.Helper()
	where := "true"
	if c.name == "filtered" {
		where = "valid"
	}
	rows, err := w.sample.Source.Query(t.Context(), "SELECT coalesce(label, '-') FROM reading WHERE "+where)
	if err != nil {
		t.Fatal(err)
	}
	out, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(out)
	return out
}

// current brings copies to the head and fails unless each is, also by its own comparison, what the source holds.
func (w *world) current(t *testing.T, what string, copies []*copied) {
	t.Helper()
	for _, c := range copies {
		s, err := c.copier.Once(t.Context())
		if err != nil {
			t.Fatalf("%s, %s: %v", what, c.name, err)
		}
		want := w.wanted(t, c)
		if diff := cmp.Diff(want, c.labels(t)); diff != "" {
			t.Errorf("%s, %s (-source +copy):\n%s", what, c.name, diff)
		}
		found, err := c.copier.Verify(t.Context())
		if err != nil || !found.Equal || found.Rows != int64(len(want)) || s.Visible.Rows != found.Rows {
			t.Errorf("%s, %s: comparison %+v, state says %d rows, %v", what, c.name, found, s.Visible.Rows, err)
		}
	}
}

// A copy follows its grant through everything that happens to it: changes, deletes, rows that leave the filter, cursors that
// are too old, other terms, suspension, and the end, after which nothing is left but the record of its disposal.
func TestCopyFollowsGrant(t *testing.T) {
	t.Parallel()
	targets := []string{"table", "filtered", "keyless-table", "folder", "keyless-folder"}
	w := newWorld(t, targets)
	ctx := t.Context()
	var copies []*copied
	for _, name := range targets {
		into := filepath.Join(t.TempDir(), "copy")
		if !strings.HasSuffix(name, "folder") {
			into = pgtest.Empty(t)
		}
		copies = append(copies, w.open(t, name, into))
	}
	w.current(t, "first copy", copies)
	for _, c := range copies {
		second := w.open(t, c.name, c.into)
		if _, err := second.copier.Once(ctx); !errors.Is(err, replica.ErrBusy) {
			t.Errorf("%s: a second writer: %v", c.name, err)
		}
		if found, err := second.copier.Verify(ctx); err != nil || !found.Equal {
			t.Errorf("%s: comparing beside the writer: %+v, %v", c.name, found, err)
		}
	}
	w.checkPlaces(t, copies[0])

	w.source(t, `DELETE FROM reading WHERE slot % 5 = 0; UPDATE reading SET label = 'changed ' || slot WHERE slot % 4 = 0;
		UPDATE reading SET valid = NOT valid WHERE slot % 6 = 1; INSERT INTO reading (station, slot, valid, label) VALUES ('~1', -5, true, 'new')`)
	w.collect(t)
	w.current(t, "changes", copies)

	view := pgtest.Conn(t, copies[0].into)
	if _, err := view.Exec(ctx, "CREATE VIEW of_people AS SELECT label FROM reading_copy"); err != nil {
		t.Fatal(err)
	}
	w.source(t, `DELETE FROM reading WHERE slot = 1; UPDATE reading SET label = 'later' WHERE slot = 2`)
	w.collect(t)
	w.hubExec(t, "", "UPDATE store.store_head SET min_seq = seq WHERE resource = $1", w.sample.Resource.ID)
	if _, err := view.Exec(ctx, "ALTER TABLE reading_copy ADD CONSTRAINT no_later CHECK (label <> 'later')"); err != nil {
		t.Fatal(err)
	}
	if _, err := copies[0].copier.Once(ctx); err == nil || !strings.Contains(err.Error(), "no_later") || strings.Contains(err.Error(), "later, ") {
		t.Errorf("a row that the table does not take: %v", err)
	}
	if _, err := view.Exec(ctx, "ALTER TABLE reading_copy DROP CONSTRAINT no_later"); err != nil {
		t.Fatal(err)
	}
	w.current(t, "an expired cursor", copies)
	var seen int
	if err := view.QueryRow(ctx, "SELECT count(*) FROM of_people").Scan(&seen); err != nil || seen != len(w.wanted(t, copies[0])) {
		t.Errorf("the view on the copy: %d rows, %v", seen, err)
	}
	if _, err := view.Exec(ctx, "DROP VIEW of_people"); err != nil {
		t.Fatal(err)
	}

	for _, c := range copies {
		w.hubExec(t, c.grant.ID, "UPDATE sharing_grant SET terms_version = terms_version + 1, items = array_remove(items, 4) WHERE id = $1", c.grant.ID)
	}
	for _, c := range copies {
		waitUntil(t, func() bool {
			schema, err := w.sample.Client.SchemaOf(ctx, client.Pull{Resource: w.sample.Resource.ID, Grant: c.grant.ID, Purpose: c.name})
			return err == nil && schema.TermsVersion == 2
		})
	}
	w.current(t, "other terms", copies)
	for _, c := range copies {
		s, err := c.copier.Status(ctx)
		if err != nil || slices.ContainsFunc(s.Visible.Columns, func(c replica.Column) bool { return c.Identifier == "cost" }) {
			t.Errorf("%s: an item that is not granted any more is still in the copy: %+v, %v", c.name, s.Visible, err)
		}
	}
	w.checkSuspension(t, copies)
	w.checkLoss(t, copies)
	w.checkTampering(t, copies)
	w.checkEnd(t, copies)
}

// checkPlaces: a table that is no copy is left alone, and a copy of one grant is not filled from another.
func (w *world) checkPlaces(t *testing.T, c *copied) {
	t.Helper()
	if _, err := pgtest.Conn(t, c.into).Exec(t.Context(), "CREATE TABLE taken (x int)"); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if _, err := pgtest.Conn(t, c.into).Exec(t.Context(), "DROP TABLE taken"); err != nil {
			t.Fatal(err)
		}
	}()
	for code, opt := range map[string]replica.Options{
		"table_taken": {Into: c.into, Table: "taken", Pull: client.Pull{Resource: w.sample.Resource.ID, Grant: c.grant.ID, Purpose: c.name}},
		"other_grant": {
			Into: filepath.Join(t.TempDir(), "copy"), Pull: client.Pull{Resource: w.sample.Resource.ID, Grant: c.grant.ID, Purpose: c.name},
		},
	} {
		opt.Client, opt.Log = w.sample.Client, slog.New(slog.NewTextHandler(io.Discard, nil))
		copier, err := replica.Open(t.Context(), opt)
		if err != nil {
			t.Fatal(err)
		}
		_, err = copier.Once(t.Context())
		copier.Close()
		if code == "other_grant" {
			if err != nil {
				t.Fatal(err)
			}
			opt.Pull.Grant = w.grants["filtered"].ID
			if copier, err = replica.Open(t.Context(), opt); err != nil {
				t.Fatal(err)
			}
			_, err = copier.Once(t.Context())
			copier.Close()
		}
		var refusal *replica.Refusal
		if !asRefusal(err, &refusal) || refusal.Code != code {
			t.Errorf("%s: %v", code, err)
		}
	}
}

// checkSuspension: a suspended grant leaves the copy as it is, says so, and goes on when it is resumed.
func (w *world) checkSuspension(t *testing.T, copies []*copied) {
	t.Helper()
	for _, c := range copies {
		if _, err := w.sample.Provider.Admin.Suspend(t.Context(), c.grant.ID, "示例原因"); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range copies {
		before := c.labels(t)
		var err error
		waitUntil(t, func() bool { _, err = c.copier.Once(t.Context()); return err != nil })
		s, loadErr := c.copier.Status(t.Context())
		if client.Code(err) != "grant_suspended" || !replica.Waiting(err) || loadErr != nil || s.NoticeCode != "grant_suspended" {
			t.Errorf("%s: suspended: %v, state %+v, %v", c.name, err, s, loadErr)
		}
		if diff := cmp.Diff(before, c.labels(t)); diff != "" {
			t.Errorf("%s: the copy of a suspended grant (-before +after):\n%s", c.name, diff)
		}
		if _, err := w.sample.Provider.Admin.Resume(t.Context(), c.grant.ID, "示例原因"); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range copies {
		var s *replica.State
		waitUntil(t, func() bool {
			var err error
			s, err = c.copier.Once(t.Context())
			return err == nil
		})
		if s.Notice != "" {
			t.Errorf("%s: resumed, but says %q", c.name, s.Notice)
		}
	}
}

// checkLoss: a copy whose rows somebody removed is filled anew, by the next copier.
func (w *world) checkLoss(t *testing.T, copies []*copied) {
	t.Helper()
	for i, c := range copies {
		if strings.HasPrefix(c.into, "postgres") {
			if _, err := pgtest.Conn(t, c.into).Exec(t.Context(), "DROP TABLE reading_copy"); err != nil {
				t.Fatal(err)
			}
		} else {
			files, err := filepath.Glob(filepath.Join(c.into, "rows-*"))
			for _, file := range files {
				err = errors.Join(err, os.Remove(file))
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		c.copier.Close()
		copies[i] = w.open(t, c.name, c.into)
	}
	w.current(t, "after a loss", copies)
}

// checkTampering: a copy that somebody else has written is found to differ.
func (w *world) checkTampering(t *testing.T, copies []*copied) {
	t.Helper()
	for _, c := range copies {
		if strings.HasPrefix(c.into, "postgres") {
			if _, err := pgtest.Conn(t, c.into).Exec(t.Context(), "UPDATE reading_copy SET label = 'other' WHERE label = 'new'"); err != nil {
				t.Fatal(err)
			}
		} else {
			path, err := filepath.EvalSymlinks(filepath.Join(c.into, "rows.ndjson"))
			if err != nil {
				t.Fatal(err)
			}
			raw, err := os.ReadFile(path)
			if err == nil {
				err = os.WriteFile(path, []byte(strings.Replace(string(raw), `"label":"new"`, `"label":"other"`, 1)), 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		found, err := c.copier.Verify(t.Context())
		if err != nil || found.Equal || found.Rows != found.HubRows {
			t.Errorf("%s: a changed copy: %+v, %v", c.name, found, err)
		}
	}
}

// checkEnd: a grant that is over says so, and a disposal leaves its record and nothing else.
func (w *world) checkEnd(t *testing.T, copies []*copied) {
	t.Helper()
	for _, c := range copies {
		if _, err := w.sample.Staff.Operator.Terminate(t.Context(), c.grant.ID, "示例原因", client.Filing{}); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range copies {
		var err error
		waitUntil(t, func() bool { _, err = c.copier.Once(t.Context()); return err != nil })
		s, loadErr := c.copier.Status(t.Context())
		if !replica.Over(err) || replica.Waiting(err) || loadErr != nil || s.NoticeCode != "no_grant" {
			t.Errorf("%s: terminated: %v, state %+v, %v", c.name, err, s, loadErr)
		}
		rows := len(c.labels(t))
		first, err := c.copier.Dispose(t.Context(), "tester")
		if err != nil || first.Rows != int64(rows) || first.Grant != c.grant.ID || len(first.Hash) != 32 || first.By != "tester" {
			t.Errorf("%s: disposed: %+v, %v", c.name, first, err)
		}
		again, err := c.copier.Dispose(t.Context(), "another")
		if diff := cmp.Diff(first, again); err != nil || diff != "" {
			t.Errorf("%s: disposed again: %v (-first +again):\n%s", c.name, err, diff)
		}
		var left string
		if strings.HasPrefix(c.into, "postgres") {
			err := pgtest.Conn(t, c.into).QueryRow(t.Context(), `
				SELECT coalesce(string_agg(tablename, ',' ORDER BY tablename), '') FROM pg_tables WHERE schemaname = 'public'`).Scan(&left)
			if err != nil || left != "shuqiao_copy,shuqiao_disposal" {
				t.Errorf("%s: after the disposal there are %s, %v", c.name, left, err)
			}
			continue
		}
		entries, err := os.ReadDir(c.into)
		for _, e := range entries {
			name, _, _ := strings.Cut(e.Name(), "-")
			left += name + " "
		}
		if err != nil || left != "disposal lock " {
			t.Errorf("%s: after the disposal there are %s, %v", c.name, left, err)
		}
	}
}

// waitUntil asks until the answer is yes, for at most ten seconds.
func waitUntil(t *testing.T, yes func() bool) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for !yes() {
		if time.Now().After(deadline) {
			t.Fatal("it did not become true in time")
		}
	}
}

// What cannot be a copy is refused in a sentence, before anything is written.
func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	for name, into := range map[string]string{
		"usage":              "mysql://127.0.0.1/x",
		"target_unreachable": "postgres://nobody@127.0.0.1:1/none?connect_timeout=1",
	} {
		_, err := replica.Open(t.Context(), replica.Options{Into: into, Table: "x", Client: client.New("http://127.0.0.1:1", "")})
		var refusal *replica.Refusal
		if !asRefusal(err, &refusal) || refusal.Code != name {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, table := range []string{"Table", "a b", "shuqiao_copy", strings.Repeat("x", 60), `a"`} {
		_, err := replica.Open(t.Context(), replica.Options{Into: "postgres://x@127.0.0.1:1/x", Table: table, Client: client.New("http://127.0.0.1:1", "")})
		var refusal *replica.Refusal
		if !asRefusal(err, &refusal) || refusal.Code != "usage" {
			t.Errorf("table %q: %v", table, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := replica.Open(ctx, replica.Options{Into: fmt.Sprintf("%s/x", t.TempDir()), Client: client.New("http://127.0.0.1:1", "")}); err != nil {
		t.Errorf("opening a folder: %v", err)
	}
}

func asRefusal(err error, into **replica.Refusal) bool { return errors.As(err, into) }
