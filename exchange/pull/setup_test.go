package pull_test

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/shuqiao/shuqiao/audit"
	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/authz/authztest"
	"github.com/shuqiao/shuqiao/catalog/calendar"
	"github.com/shuqiao/shuqiao/exchange/pull"
	"github.com/shuqiao/shuqiao/exchange/store"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/pgtest"
	"github.com/shuqiao/shuqiao/internal/secret"
	"github.com/shuqiao/shuqiao/sharing"
)

// testItem is one item of the test resource: one of every type, and one that no grant of the tests includes.
type testItem struct {
	identifier, letter, format string
	key, filterable            bool
}

// The item numbers follow from the order, from 1.
var testItems = []testItem{
	{identifier: "cert_no", letter: "C", key: true},
	{identifier: "division_code", letter: "C", filterable: true},
	{identifier: "full_name", letter: "C"},
	{identifier: "birth_date", letter: "D", filterable: true},
	{identifier: "amount", letter: "N", filterable: true},
	{identifier: "height", letter: "B"},
	{identifier: "children", letter: "I", filterable: true},
	{identifier: "registered_at", letter: "T", filterable: true},
	{identifier: "alive", letter: "L", filterable: true},
	{identifier: "remark", letter: "M"},
	{identifier: "shape", letter: "G", format: "geometry"},
	{identifier: "photo", letter: "G"},
	{identifier: "hidden_note", letter: "C", filterable: true},
}

// person is one row: the values of testItems in PostgreSQL's text form, by identifier; a missing one is NULL.
type person map[string]string

// statements keeps the text of all SQL that a node's pool sends.
type statements struct {
	mu  sync.Mutex
	sql []string
}

// TraceQueryStart notes a statement.
func (s *statements) TraceQueryStart(ctx context.Context, _ *pgx.Conn, q pgx.TraceQueryStartData) context.Context {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sql = append(s.sql, q.SQL)
	return ctx
}

// TraceQueryEnd does nothing.
func (s *statements) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

func (s *statements) take() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := s.sql
	s.sql = nil
	return out
}

// node is one node of the hub.
type node struct {
	follower   *authz.Follower
	pull       *pull.Service
	stop       func() // Ends the follower: the node's lease lapses at once.
	statements *statements
}

// bundle is a database with one resource and nodes over it.
type bundle struct {
	url      string
	keyring  *secret.Keyring
	db       *db.DB
	store    *store.Store
	client   authz.Principal
	provider uuid.UUID
	user     uuid.UUID
	resource uuid.UUID
	task     uuid.UUID
	first    *node
	table    string // Of the active layout, for benchmarks.
}

func setup(t testing.TB) *bundle {
	t.Helper()
	keyring, err := secret.OpenKeyring(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	b := &bundle{url: pgtest.URL(t), keyring: keyring, resource: db.NewID(), task: db.NewID(), provider: db.NewID(), user: db.NewID()}
	b.client = authztest.Client(db.NewID())
	b.db = authztest.OpenURL(t, b.url)
	b.store = store.New(b.db)
	b.plant(t)
	b.first = b.node(t)
	return b
}

// exec runs one statement against the test database.
func (b *bundle) exec(t testing.TB, sql string, args ...any) {
	t.Helper()
	if _, err := b.db.Pool.Exec(context.Background(), sql, args...); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

// plant writes departments, a client and a published resource.
func (b *bundle) plant(t testing.TB) {
	t.Helper()
	for _, d := range []struct {
		id   uuid.UUID
		name string
	}{{b.provider, "示例提供局"}, {b.client.Department, "示例使用局"}} {
		b.exec(t, "INSERT INTO department (id, uscc, name, division_code, level, created_at, updated_at) VALUES ($1, $2, $2, '330600', 'city', now(), now())", d.id, d.name)
	}
	b.exec(t, "INSERT INTO hub_user (id, username, display_name, password_hash, department_id, roles, state, created_at, updated_at) VALUES ($1, 'tester', 'x', 'x', $2, '{dept_admin}', 'active', now(), now())", b.user, b.client.Department)
	b.exec(t, "INSERT INTO client (id, department_id, name, state, created_at, updated_at) VALUES ($1, $2, 'client', 'active', now(), now())", b.client.ID, b.client.Department)
	b.exec(t, "INSERT INTO resource (id, code, provider_dept_id, name, state, published, next_item_no, created_by, created_at, updated_at) VALUES ($1, '307010101/000001', $2, '示例', 'published', 1, 14, $3, now(), now())", b.resource, b.provider, b.user)
	b.exec(t, "INSERT INTO resource_version (resource_id, version, state, name, summary, share_type, grade, body, made_by, created_at, updated_at) VALUES ($1, 1, 'published', '示例', '', 'conditional', 'L2', '{}', $2, now(), now())", b.resource, b.user)
	for i, item := range testItems {
		length := 0
		if item.letter == "C" || item.letter == "N" {
			length = 100
		}
		b.exec(t, `INSERT INTO item (resource_id, version, no, id, ordinal, name, identifier, data_type, length, format, is_key, filterable, share_type, grade)
			VALUES ($1, 1, $2, gen_random_uuid(), $2, $3, $3, $4, $5, $6, $7, $8, 'conditional', 'L2')`,
			b.resource, i+1, item.identifier, item.letter, length, item.format, item.key, item.filterable)
	}
}

// node starts a further node over the same database.
func (b *bundle) node(t testing.TB) *node {
	t.Helper()
	n := &node{statements: &statements{}}
	d, err := db.Open(t.Context(), db.Options{URL: b.url, ApplicationName: "pull test", MaxConns: 8, Tracer: n.statements})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	recorder := audit.NewRecorder(d)
	t.Cleanup(recorder.Close)
	n.follower, err = authz.NewFollower(t.Context(), authz.FollowerOptions{DB: d})
	if err != nil {
		t.Fatal(err)
	}
	enforcer, err := authz.NewEnforcer(t.Context(), authz.Options{DB: d, Follower: n.follower})
	if err != nil {
		t.Fatal(err)
	}
	days, err := calendar.NewHeld()
	if err != nil {
		t.Fatal(err)
	}
	grants := sharing.New(sharing.Options{DB: d, Enforcer: enforcer, Keyring: b.keyring, Calendar: days})
	n.pull, err = pull.New(pull.Options{
		Store: store.New(d), Sharing: grants, Recorder: recorder, Follower: n.follower, Keyring: b.keyring,
		SubjectKey: []byte("subject key of the tests, random"),
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = n.follower.Run(ctx)
	}()
	n.stop = func() { cancel(); <-done }
	t.Cleanup(n.stop)
	n.sync(t)
	return n
}

// sync waits until everything committed so far is applied on the node.
func (n *node) sync(t testing.TB) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	for n.follower.Sync(ctx) != nil {
		if ctx.Err() != nil {
			t.Fatal("the node never became able to decide")
		}
	}
}

// columns are the store columns of the test resource.
func columns() []store.Column {
	out := make([]store.Column, len(testItems))
	for i, item := range testItems {
		out[i] = store.Column{No: i + 1, Letter: item.letter, Geometry: item.format == "geometry", Key: item.key, Filterable: item.filterable}
	}
	return out
}

// collect makes the resource hold exactly these rows, as a run would.
func (b *bundle) collect(t testing.TB, rows map[string]person) {
	t.Helper()
	b.collectInto(t, rows, columns())
}

// collectInto collects into a layout with these columns.
func (b *bundle) collectInto(t testing.TB, rows map[string]person, columns []store.Column) {
	t.Helper()
	ctx := context.Background()
	job := store.Job{Resource: b.resource, Task: b.task, Run: db.NewID(), Version: 1, Columns: columns}
	err := b.db.InTx(ctx, func(tx *db.Tx) (err error) {
		job.Lease, err = store.TakeLeaseTx(ctx, tx, store.WriterLease(b.resource), job.Run, db.NewID())
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	st, err := b.store.Open(ctx, job, false)
	if err != nil {
		t.Fatal(err)
	}
	for i, key := range sorted(rows) {
		st.Append(storeRow(int64(i+1), key, rows[key]))
	}
	for _, step := range []func() error{
		func() error { return st.Checkpoint(ctx, nil) }, st.Flush,
		func() error { return st.Settle(ctx, func(row []byte) ([]byte, error) { return row, nil }) },
		func() error {
			_, err := st.Commit(ctx, store.MergeOptions{CarryDeletes: true, MayDelete: 1 << 40})
			return err
		},
		func() error { return st.Drop(ctx) },
	} {
		if err := step(); err != nil {
			t.Fatal(err)
		}
	}
}

func storeRow(no int64, key string, p person) store.Row {
	r := store.Row{No: no, Key: strings.ReplaceAll(key, "~", "~0"), Box: []float64{120.5, 30, 120.5, 30}}
	sum := sha256.New()
	for _, item := range testItems {
		value, ok := p[item.identifier]
		if item.key {
			value, ok = key, true
		}
		if !ok {
			r.Values = append(r.Values, nil)
			continue
		}
		fmt.Fprintf(sum, "%s=%s\x00", item.identifier, value)
		r.Values = append(r.Values, []byte(value))
	}
	copy(r.Hash[:], sum.Sum(nil))
	return r
}

func sorted(rows map[string]person) []string {
	keys := make([]string, 0, len(rows))
	for key := range rows {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

// numbers returns item numbers of identifiers.
func numbers(identifiers ...string) []int {
	out := []int{}
	for _, identifier := range identifiers {
		out = append(out, 1+slices.IndexFunc(testItems, func(i testItem) bool { return i.identifier == identifier }))
	}
	return out
}

// grantTerms is what the tests vary about a grant.
type grantTerms struct {
	items     []string
	filter    string
	masks     map[string]string
	lookup    []string
	quota     int64
	rateCalls int
	rateRows  int
}

// grant plants an active grant of the client and returns its id.
func (b *bundle) grant(t testing.TB, g grantTerms) uuid.UUID {
	t.Helper()
	request, id := db.NewID(), db.NewID()
	masks := map[int]string{}
	for identifier, rule := range g.masks {
		masks[numbers(identifier)[0]] = rule
	}
	encoded, err := json.Marshal(masks)
	if err != nil {
		t.Fatal(err)
	}
	var filter, quota any
	if g.filter != "" {
		filter = g.filter
	}
	if g.quota > 0 {
		quota = g.quota
	}
	b.exec(t, `INSERT INTO sharing_request (id, client_id, consumer_dept_id, provider_dept_id, resource_id, resource_version, share_type, items, share_methods,
			legal_basis, scenario, purpose, purpose_text, valid_until, state, applicant_id, created_at, updated_at)
		VALUES ($1, $2, $3, $4, $5, 1, 'conditional', $6, '{api}', 'x', 'x', 'test', 'x', now() + interval '1 year', 'approved', $7, now(), now())`,
		request, b.client.ID, b.client.Department, b.provider, b.resource, numbers(g.items...), b.user)
	b.exec(t, `INSERT INTO sharing_grant (id, request_id, client_id, consumer_dept_id, provider_dept_id, resource_id, resource_version, share_type, grade, items,
			row_filter, masks, lookup, rid_key, share_methods, purpose, purpose_text, quota, rate_calls, rate_rows, valid_from, valid_to, state, created_at, updated_at)
		VALUES ($1, $2, $3, $4, $5, $6, 1, 'conditional', 'L2', $7, $8, $9, $10, $11, '{api}', 'test', 'x', $12, $13, $14, now(), now() + interval '1 year', 'active', now(), now())`,
		id, request, b.client.ID, b.client.Department, b.provider, b.resource, numbers(g.items...), filter, encoded, numbers(g.lookup...),
		sealRidKey(t, b.keyring, id), quota, g.rateCalls, g.rateRows)
	b.touch(t, id)
	return id
}

// change alters a grant as the sharing service does: with a policy log entry.
func (b *bundle) change(t testing.TB, grant uuid.UUID, set string) {
	t.Helper()
	err := b.db.InTx(context.Background(), func(tx *db.Tx) error {
		if _, err := tx.Exec(context.Background(), "UPDATE sharing_grant SET row_version = row_version + 1, "+set+" WHERE id = $1", grant); err != nil {
			return err
		}
		return authz.LogTx(tx, authz.KindGrant, grant.String())
	})
	if err != nil {
		t.Fatal(err)
	}
}

// touch tells all nodes that a grant is new, and waits until the bundle's node knows.
func (b *bundle) touch(t testing.TB, grant uuid.UUID) {
	t.Helper()
	b.change(t, grant, "updated_at = now()")
	b.first.sync(t)
}

func (b *bundle) call() pull.Call { return pull.Call{Resource: b.resource.String()} }
