package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/shuqiao/shuqiao/api/client"
	"github.com/shuqiao/shuqiao/internal/hubtest"
	"github.com/shuqiao/shuqiao/internal/pgtest"
)

// How often a hub is killed at least, and in each stage.
const (
	leastKills    = 20
	leastPerStage = 3
)

// disturbedBatch is the version in whose run the source changes while the hub is dead: what is read before and after are two
// snapshots.
const disturbedBatch = 4

// killPlans are where the hub is killed in the course of a run; the runs take them in turn. The next attempt goes on in the
// stage of the kill, so that rows of a read that was killed come from several attempts.
// killDelays are how far into the stage, killChunks how many chunks a read has staged by then. A run that is further is
// killed where it is.
var (
	killPlans = [][]string{
		{"read", "stage", "merge", "merge", "reconcile"},
		{"read", "read", "stage", "merge", "reconcile", "reconcile"},
	}
	killChunks = []int{2, 6, 0, 8, 4, 1}
	killDelays = map[string][]time.Duration{
		"stage":     {0, 200 * time.Millisecond, 30 * time.Millisecond, 100 * time.Millisecond},
		"merge":     {20 * time.Millisecond, 1200 * time.Millisecond, 300 * time.Millisecond, 700 * time.Millisecond},
		"reconcile": {0, 10 * time.Millisecond, 40 * time.Millisecond, 80 * time.Millisecond},
	}
)

// stages in the order of a run.
var stageOrder = []string{"read", "stage", "merge", "reconcile"}

// killing is the collect that is killed again and again.
type killing struct {
	*nodes
	hub      *pgx.Conn // Watches the run.
	source   *pgxpool.Pool
	operator *client.Client
	resource client.Resource
	task     client.Task
	byID     map[string]*node
	reader   *reader

	stored  map[string]string // What the hub must hold, by key.
	kills   map[string]int    // By stage.
	count   int
	turns   map[string]int   // Of the delays, by stage.
	resumed int              // Runs that merged what several attempts had read.
	seq     int64            // Of the newest merge.
	states  map[int64]string // What observers may see, by head.
}

// A hub that is killed again and again, in every stage of collects of 200,000 rows, restarted or replaced by another node,
// ends every run with exactly the rows of its source: nothing is lost, doubled or merged twice, and nobody ever sees a part
// of a run, neither in the database nor through a grant.
func TestKilledHubLosesNothing(t *testing.T) {
	k := newKilling(t)
	watcher := k.observe(t)
	reader := k.consume(t)
	began := time.Now()
	for batch := 2; ; batch++ {
		if batch > 2 {
			change(t, k.source, fmt.Sprintf(reviseLedger, heldKeys, batch))
		}
		before := readVersion(t, k.source)
		run := k.collect(t, batch)
		if batch == disturbedBatch {
			k.checkMixed(t, run, before, readVersion(t, k.source))
			continue
		}
		k.check(t, run, before)
		if batch >= 5 && k.count >= leastKills && k.leastKilled() >= leastPerStage || batch > 12 {
			break
		}
	}
	hubtest.Figure(t, "%d kills in %s: %s; starts of A %d, of B %d; runs merged from several attempts %d", k.count, time.Since(began).Round(time.Millisecond),
		k.killed(), k.all[0].starts, k.all[1].starts, k.resumed)
	if k.count < leastKills {
		t.Errorf("%d kills, want at least %d", k.count, leastKills)
	}
	if k.resumed < 2 {
		t.Errorf("%d runs merged what several attempts had read, want 2", k.resumed)
	}
	for _, stage := range stageOrder {
		if k.kills[stage] == 0 {
			t.Errorf("no kill fell into stage %s", stage)
		}
	}
	reader.stop(t, k)
	watcher.stop(t, k)
	k.checkLeftovers(t)
	k.verifyEvidence(t)
}

func newKilling(t *testing.T) *killing {
	t.Helper()
	url := pgtest.URL(t)
	h := hubtest.Start(t, hubtest.Options{DatabaseURL: url})
	staff := h.SetUp(t)
	provider := h.Bureau(t, staff, 1, "示例市公安局", "police")
	consumer := h.Bureau(t, staff, 2, "示例市人社局", "social")
	k := &killing{
		operator: provider.Operator, stored: map[string]string{}, kills: map[string]int{}, turns: map[string]int{},
		states: map[int64]string{0: "0 rows"}, byID: map[string]*node{},
	}
	dsn := pgtest.Empty(t)
	var err error
	if k.source, err = pgxpool.New(t.Context(), dsn); err != nil {
		t.Fatalf("opening the source: %v", err)
	}
	t.Cleanup(k.source.Close)
	fillLedger(t, k.source)
	k.resource, k.task = mountLedger(t, staff, provider, dsn)
	k.reader = k.ask(t, h, staff, provider, consumer)
	if err := h.Stop(); err != nil {
		t.Fatalf("stopping the hub that made the directory: %v", err)
	}
	k.nodes = newNodes(t, hubtest.Build(t), url, h.Dir(), 2)
	k.startAll(t)
	for _, n := range k.all {
		k.byID[n.id(t).String()] = n
	}
	k.hub = pgtest.Conn(t, url)
	return k
}

// progress is a run as its row says.
type progress struct {
	state, stage string
	attempt      int
	chunks       int
	resumed      bool // The attempt goes on behind what an earlier one read.
	merged       bool
	node         *node // nil while nobody has it.
}

func (k *killing) progress(t *testing.T, run string) progress {
	t.Helper()
	var p progress
	var id *uuid.UUID
	err := k.hub.QueryRow(t.Context(), `
		SELECT state, stage, attempt, (SELECT count(*) FROM store.chunk WHERE run = id), coalesce((progress->>'resumed')::bool, false), merged_at IS NOT NULL, node_id
		FROM run WHERE id = $1`, run).Scan(&p.state, &p.stage, &p.attempt, &p.chunks, &p.resumed, &p.merged, &id)
	if err != nil {
		t.Fatalf("watching the run: %v", err)
	}
	if id != nil {
		p.node = k.byID[id.String()]
	}
	return p
}

func (p progress) over() bool {
	return slices.Contains([]string{"succeeded", "partial", "failed", "cancelled"}, p.state)
}

// where is the stage that the run is in: once its merge is committed only the comparison is left, whatever it says.
func (p progress) where() string {
	if p.merged {
		return "reconcile"
	}
	return p.stage
}

// collect asks for a run and kills the hub that carries it out, as planned, until the run is over. It returns the run.
func (k *killing) collect(t *testing.T, batch int) client.Run {
	t.Helper()
	var run client.Run
	eventually(t, "a node to take the order", 30*time.Second, func() bool {
		k.noteServing(t)
		err := k.any(k.operator, func(c *client.Client) (err error) { run, err = c.RunNow(t.Context(), k.task.ID); return err })
		var problem *client.Problem
		if errors.As(err, &problem) {
			t.Fatalf("asking for a run: %v", err)
		}
		return err == nil
	})
	plan := killPlans[batch%len(killPlans)]
	attempt, disturbed, resumed, limit := 0, false, false, time.Now().Add(4*time.Minute)
	var since time.Time // When the wanted stage was first seen.
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for {
		if time.Now().After(limit) {
			t.Fatalf("the run does not come to an end: %+v", k.progress(t, run.ID))
		}
		k.noteServing(t)
		p := k.progress(t, run.ID)
		if p.over() {
			break
		}
		if p.where() == "merge" {
			resumed = p.resumed
		}
		if len(plan) > 0 && p.node != nil && p.node.process != nil && p.attempt > attempt && p.where() != "" {
			wanted := plan[0]
			at, want := slices.Index(stageOrder, p.where()), slices.Index(stageOrder, wanted)
			if at == want && since.IsZero() {
				since = time.Now()
			}
			if at > want || at == want && k.far(p, since) {
				attempt, since, plan = p.attempt, time.Time{}, plan[1:]
				k.turns[wanted]++
				k.kill(t, run.ID, p.node)
				if batch == disturbedBatch && !disturbed && wanted == "read" {
					change(t, k.source, fmt.Sprintf(disturbLedger, batch))
					disturbed = true
				}
			}
		}
		<-tick.C
	}
	if resumed {
		k.resumed++
	}
	out := k.read(t, run.ID)
	if out.State != "succeeded" {
		t.Fatalf("version %d: the run ended %s: %+v", batch, out.State, out.Error)
	}
	return out
}

// far reports whether a run is as far into its stage as it shall be when it is killed next.
func (k *killing) far(p progress, since time.Time) bool {
	stage := p.where()
	turn := k.turns[stage]
	if stage == "read" {
		return p.chunks >= killChunks[turn%len(killChunks)]
	}
	delays := killDelays[stage]
	return time.Since(since) >= delays[turn%len(delays)]
}

// read returns a run as it is stored.
func (k *killing) read(t *testing.T, id string) client.Run {
	t.Helper()
	var out client.Run
	err := k.hub.QueryRow(t.Context(), "SELECT id::text, state, attempt, counts, error FROM run WHERE id = $1", id).
		Scan(&out.ID, &out.State, &out.Attempt, &out.Counts, &out.Error)
	if err != nil {
		t.Fatalf("reading the run: %v", err)
	}
	return out
}

// kill kills the node that carries the run out. Every second time it is started again at once and takes its run back; the
// other times the other node has to find out and take the run over first.
func (k *killing) kill(t *testing.T, run string, n *node) {
	t.Helper()
	n.kill()
	dead := k.progress(t, run)
	if dead.over() {
		// It came to its end before it was killed.
		k.start(t, n)
		return
	}
	k.kills[dead.where()]++
	k.count++
	if k.count%2 == 0 {
		eventually(t, "the other node to take the run over", 20*time.Second, func() bool {
			k.noteServing(t)
			p := k.progress(t, run)
			return p.over() || p.node != nil && p.node != n
		})
	}
	k.start(t, n)
}

func (k *killing) noteServing(t *testing.T) {
	t.Helper()
	for _, n := range k.all {
		n.serving(t)
	}
}

func (k *killing) leastKilled() int {
	least := k.count
	for _, stage := range stageOrder {
		least = min(least, k.kills[stage])
	}
	return least
}

func (k *killing) killed() string {
	var parts []string
	for _, stage := range stageOrder {
		parts = append(parts, fmt.Sprintf("%s %d", stage, k.kills[stage]))
	}
	return strings.Join(parts, ", ")
}

// rowTable returns the table with the rows that are served, "" while there is none, and the head.
func (k *killing) rowTable(ctx context.Context, tx pgx.Tx) (table string, seq int64, err error) {
	err = tx.QueryRow(ctx, `
		SELECT coalesce(l.table_name, ''), h.seq FROM store.store_head h
		LEFT JOIN store.layout l ON l.resource = h.resource AND l.layout = h.layout WHERE h.resource = $1`, k.resource.ID).Scan(&table, &seq)
	if errors.Is(err, pgx.ErrNoRows) {
		return "", 0, nil
	}
	if table != "" {
		table = pgx.Identifier{"store", table}.Sanitize()
	}
	return table, seq, err
}

// inSnapshot calls do in a transaction that sees one state of the database.
func inSnapshot(ctx context.Context, conn *pgx.Conn, do func(tx pgx.Tx) error) error {
	return pgx.BeginTxFunc(ctx, conn, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, do)
}

// storeContent is content over the columns of the store.
func storeContent() string { return content("i1", "i2", "i3", "i4", "i5", "i6", "i7", "i8") }

// holds reads what the hub holds, and remembers the state that goes with its head.
func (k *killing) holds(t *testing.T) map[string]string {
	t.Helper()
	got := make(map[string]string, len(k.stored))
	err := inSnapshot(t.Context(), k.hub, func(tx pgx.Tx) error {
		table, seq, err := k.rowTable(t.Context(), tx)
		if err != nil {
			return err
		}
		k.seq = seq
		rows, err := tx.Query(t.Context(), "SELECT _key, "+storeContent()+", _key = i1 FROM "+table)
		if err != nil {
			return err
		}
		var key, sum string
		var same bool
		_, err = pgx.ForEachRow(rows, []any{&key, &sum, &same}, func() error {
			if _, twice := got[key]; twice || !same {
				t.Errorf("key %s is in the store twice, or under another name", key)
			}
			got[key] = sum
			return nil
		})
		if err != nil {
			return err
		}
		k.states[seq], err = stateOf(t.Context(), tx, table, seq)
		return err
	})
	if err != nil {
		t.Fatalf("reading the store: %v", err)
	}
	return got
}

// check compares a finished run with the source's version that it read: rows, counts, rejects, head, comparison.
func (k *killing) check(t *testing.T, run client.Run, v edition) {
	t.Helper()
	before := k.seq
	want, counts := v.stored(k.stored)
	if diff := cmp.Diff(counts, run.Counts); diff != "" {
		t.Errorf("counts of the run (-want +got):\n%s", diff)
	}
	got := k.holds(t)
	k.compare(t, want, got)
	k.stored = got
	// Rows of a first load are numbered while they are read, those of duplicate keys among them.
	if moved, changes := k.seq-before, counts.Inserted+counts.Updated+counts.Deleted; moved != changes && before != 0 || moved < changes {
		t.Errorf("the head moved by %d, want one for each of %+v", moved, counts)
	}
	k.checkRejects(t, v, want)
	k.checkOnce(t, run)
}

// compare reports keys that are lost, too many or different, the first ones by name.
func (k *killing) compare(t *testing.T, want, got map[string]string) {
	t.Helper()
	var lost, extra, changed []string
	for key, sum := range want {
		switch other, ok := got[key]; {
		case !ok:
			lost = append(lost, key)
		case other != sum:
			changed = append(changed, key)
		}
	}
	for key := range got {
		if _, ok := want[key]; !ok {
			extra = append(extra, key)
		}
	}
	for what, keys := range map[string][]string{"lost": lost, "too many": extra, "different": changed} {
		if len(keys) > 0 {
			slices.Sort(keys)
			t.Errorf("%d rows are %s: %v", len(keys), what, keys[:min(len(keys), 10)])
		}
	}
}

// checkMixed checks a run whose source changed between two attempts: every row is that of one of the two versions, and those
// that did not change are exactly those of both. What is left comes with the next run.
func (k *killing) checkMixed(t *testing.T, run client.Run, first, second edition) {
	t.Helper()
	a, _ := first.stored(k.stored)
	b, _ := second.stored(k.stored)
	got := k.holds(t)
	want := maps.Clone(got)
	for key := range a {
		if b[key] == a[key] {
			want[key] = a[key]
		}
	}
	for key, sum := range got {
		if sum != a[key] && sum != b[key] {
			t.Errorf("row %s is that of neither version", key)
		}
	}
	k.compare(t, want, got)
	k.stored = got
	c := run.Counts
	if c.Read != c.Inserted+c.Updated+c.Unchanged+c.Rejected+c.Superseded+c.Filtered {
		t.Errorf("the counts of the run do not balance: %+v", c)
	}
	k.checkOnce(t, run)
}

// checkRejects compares the open rejects with the rows that are wrong at the source.
func (k *killing) checkRejects(t *testing.T, v edition, stored map[string]string) {
	t.Helper()
	codes := map[string]string{"date": "impossible_date", "long": "too_long", "twice": "duplicate_key", "null": "key_missing"}
	want := map[string]int{}
	for key, rows := range v.wrong {
		_, held := stored[key]
		for _, wrong := range rows {
			want[fmt.Sprintf("%s %s held=%t", key, codes[wrong], held)]++
		}
	}
	got := map[string]int{}
	rows, err := k.hub.Query(t.Context(), "SELECT coalesce(key, ''), reasons->0->>'code', held FROM reject WHERE resource_id = $1 AND state = 'open'", k.resource.ID)
	if err != nil {
		t.Fatalf("reading the rejects: %v", err)
	}
	var key, code string
	var held bool
	_, err = pgx.ForEachRow(rows, []any{&key, &code, &held}, func() error {
		got[fmt.Sprintf("%s %s held=%t", key, code, held)]++
		return nil
	})
	if err != nil {
		t.Fatalf("reading the rejects: %v", err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("open rejects (-want +got):\n%.2000s", diff)
	}
}

// checkOnce checks that a run merged once, compared once and found both ends equal.
func (k *killing) checkOnce(t *testing.T, run client.Run) {
	t.Helper()
	var merges, comparisons, equal int
	err := k.hub.QueryRow(t.Context(), `
		SELECT (SELECT count(*) FROM event WHERE action = 'run.merge' AND object_id = $1::text),
		       (SELECT count(*) FROM reconciliation WHERE run_id = $1::uuid), (SELECT count(*) FROM reconciliation WHERE run_id = $1::uuid AND equal)`,
		run.ID).Scan(&merges, &comparisons, &equal)
	if err != nil {
		t.Fatalf("reading what the run left: %v", err)
	}
	if merges != 1 || comparisons != 1 || equal != 1 {
		t.Errorf("the run merged %d times and compared %d times, %d of them equal: want once each", merges, comparisons, equal)
	}
	t.Logf("run %s: %d attempts, %+v; kills so far: %s", run.ID[len(run.ID)-4:], run.Attempt, run.Counts, k.killed())
}

// checkLeftovers checks that nothing that was staged is left behind.
func (k *killing) checkLeftovers(t *testing.T) {
	t.Helper()
	var left []string
	if !await(t.Context(), 10*time.Second, func() bool {
		rows, err := k.hub.Query(t.Context(), `
			SELECT 'table ' || tablename FROM pg_tables WHERE schemaname = 'store' AND tablename ~ '^[sr]_'
				AND tablename NOT IN (SELECT table_name || suffix FROM store.layout, unnest(ARRAY['', '_log']) suffix WHERE state = 'active')
			UNION ALL SELECT 'layout ' || state FROM store.layout WHERE state <> 'active'
			UNION ALL SELECT DISTINCT 'chunks of ' || run FROM store.chunk
			UNION ALL SELECT DISTINCT 'rejects of ' || run FROM store.staged_reject
			UNION ALL SELECT 'run ' || id FROM run WHERE state NOT IN ('succeeded')`)
		if err == nil {
			left, err = pgx.CollectRows(rows, pgx.RowTo[string])
		}
		if err != nil {
			t.Fatalf("looking for leftovers: %v", err)
		}
		return len(left) == 0
	}) {
		t.Errorf("left behind: %v", left)
	}
}
