package store_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/shuqiao/shuqiao/exchange/store"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/pgtest"
)

// What a consumer behind a cursor is told of one key, for every way through the filter: entering, leaving, coming back,
// deletion and insertion again, each also over several commits.
func TestChangesOfOneKey(t *testing.T) {
	t.Parallel()
	in, in2, out := [2]string{"330602", "1"}, [2]string{"330602", "2"}, [2]string{"330603", "1"}
	var gone [2]string
	cases := []struct {
		name   string
		states [][2]string // Of key k, commit by commit; the cursor is behind the first.
		want   string
	}{
		{"unchanged", [][2]string{in, in}, ""},
		{"changed inside", [][2]string{in, in2}, "+k2"},
		{"left", [][2]string{in, out}, "-k"},
		{"entered", [][2]string{out, in}, "+k1"},
		{"left and came back", [][2]string{in, out, in}, "+k1"},
		{"left twice", [][2]string{in, out, in, out}, "-k -k"},
		{"entered and left", [][2]string{out, in, out}, "-k"},
		{"never inside", [][2]string{out, gone, out}, ""},
		{"deleted", [][2]string{in, gone}, "-k"},
		{"deleted outside", [][2]string{out, gone}, ""},
		{"deleted and inserted again", [][2]string{in, gone, in2}, "+k2"},
		{"deleted and inserted outside", [][2]string{in, gone, out}, "-k"},
		{"left, then deleted", [][2]string{in, out, gone}, "-k"},
		{"inserted and deleted", [][2]string{gone, in, gone}, "-k"},
	}
	b := setup(t)
	may := b.decision(t)
	for _, c := range cases {
		r := b.another(t)
		var cursor int64
		for i, s := range c.states {
			rows := rowsOf{"other": {"330602", "x"}}
			if s != gone {
				rows["k"] = s
			}
			r.collect(t, rows)
			if head, err := r.store.ReadHead(t.Context(), r.resource); err != nil {
				t.Fatal(err)
			} else if i == 0 {
				cursor = head.Seq
			}
		}
		for _, limit := range []int{1, 100} {
			var told []string
			for more, from := true, cursor; more; {
				var err error
				_, more, err = r.store.Changes(t.Context(), may, store.Query{
					Resource: r.resource, Select: []string{"i3"}, Where: "i2 = $1", Args: []any{"330602"}, Needs: []int{2, 3}, Filters: []int{2},
				}, from, limit, func(ch store.Change) error {
					from = ch.Seq
					if ch.Delete {
						told = append(told, "-"+ch.Key)
					} else {
						told = append(told, "+"+ch.Key+string(ch.Cells[0]))
					}
					return nil
				})
				if err != nil {
					t.Fatal(err)
				}
			}
			if got := strings.Join(told, " "); got != c.want {
				t.Errorf("%s, %d at a time: got %q, want %q", c.name, limit, got, c.want)
			}
		}
	}
}

// planned keeps the queries of changes with their arguments.
type planned struct {
	mu      sync.Mutex
	queries [][]any
}

func (p *planned) TraceQueryStart(ctx context.Context, _ *pgx.Conn, d pgx.TraceQueryStartData) context.Context {
	if strings.Contains(d.SQL, "UNION ALL") && !strings.HasPrefix(d.SQL, "EXPLAIN") {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.queries = append(p.queries, append([]any{d.SQL}, d.Args[1:]...))
	}
	return ctx
}

func (p *planned) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

// Changes read both branches through indexes, and following them from the first to the last passes over each row a bounded
// number of times: not over the whole log once per page, although most of its rows say nothing to this consumer.
func TestChangesPassOverRowsOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	trace := &planned{}
	d, err := db.Open(t.Context(), db.Options{URL: pgtest.URL(t), ApplicationName: "plans", Tracer: trace})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	b.db, b.store = d, store.New(d)
	b.sql(t, `INSERT INTO department (id, uscc, name, division_code, level, created_at, updated_at)
		VALUES (gen_random_uuid(), 'QQ', '示例局', '330600', 'city', now(), now())`)
	b = b.another(t)
	b.collect(t, rowsOf{"first": {"330602", "x"}})
	table := b.table(t)
	// Live rows and log rows in turn: each change left the old division in the log.
	const rows = 60_000
	b.sql(t, fmt.Sprintf(`INSERT INTO %s (_key, _seq, _run, _h1, _h2, i1, i2, i3)
		SELECT 'k' || n, n + 1, gen_random_uuid(), n, n, 'k' || n, '3306' || lpad((n %% 40)::text, 2, '0'), 'x' FROM generate_series(1, %d) n`, table, rows))
	b.sql(t, fmt.Sprintf("INSERT INTO %s_log (seq, key, i2) SELECT n + 1, 'k' || n, '330602' FROM generate_series(1, %d) n", table, rows))
	b.sql(t, fmt.Sprintf("UPDATE store.store_head SET seq = %d", rows+1))
	b.sql(t, "ANALYZE")
	may := b.decision(t)
	for where, want := range map[string]int{"": rows, "i2 = $1": rows} {
		trace.queries = nil
		q := store.Query{Resource: b.resource, Select: []string{"i1", "i3"}, Where: where}
		if where != "" {
			q.Args = []any{"330602"}
		}
		told := 0
		for more, from := true, int64(1); more; {
			if _, more, err = b.store.Changes(t.Context(), may, q, from, 5000, func(c store.Change) error {
				told++
				from = c.Seq
				return nil
			}); err != nil {
				t.Fatal(err)
			}
		}
		if told != want {
			t.Errorf("where %q: told %d changes, want %d", where, told, want)
		}
		passed := 0.0
		for _, query := range trace.queries {
			p := explain(t, b, query[0].(string), query[1:])
			if p.scans != nil {
				t.Errorf("where %q: sequential scans of %v", where, p.scans)
			}
			passed += p.rows
		}
		// Each live row, each log row, and one look-up per log row; pages may share a window.
		if limit := 3.0 * 2 * rows; passed > limit {
			t.Errorf("where %q: passed over %v rows in %d queries, want at most %v", where, passed, len(trace.queries), limit)
		}
	}
}

type plan struct {
	scans []string
	rows  float64 // Rows that the scans returned or dropped.
}

func explain(t *testing.T, b *bundle, sql string, args []any) plan {
	t.Helper()
	var raw []byte
	if err := b.db.Pool.QueryRow(t.Context(), "EXPLAIN (ANALYZE, FORMAT JSON) "+sql, args...).Scan(&raw); err != nil {
		t.Fatal(err)
	}
	var top []struct{ Plan map[string]any }
	if err := json.Unmarshal(raw, &top); err != nil {
		t.Fatal(err)
	}
	var out plan
	var walk func(node map[string]any)
	walk = func(node map[string]any) {
		kind, _ := node["Node Type"].(string)
		if kind == "Seq Scan" {
			out.scans = append(out.scans, fmt.Sprint(node["Relation Name"]))
		}
		if strings.HasSuffix(kind, "Scan") && kind != "Subquery Scan" {
			loops, _ := node["Actual Loops"].(float64)
			rows, _ := node["Actual Rows"].(float64)
			dropped, _ := node["Rows Removed by Filter"].(float64)
			out.rows += loops * (rows + dropped)
		}
		children, _ := node["Plans"].([]any)
		for _, c := range children {
			walk(c.(map[string]any))
		}
	}
	walk(top[0].Plan)
	return out
}

// A resource's changes never show part of a commit: while collects go on, a reader's counts of both divisions always add up
// to those of one commit.
func TestReadersSeeWholeCommits(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.collect(t, rowsOf{"a": {"330602", "0"}, "b": {"330602", "0"}, "c": {"330602", "0"}})
	may := b.decision(t)
	stop, ended := make(chan struct{}), make(chan error, 1)
	go func() {
		for {
			select {
			case <-stop:
				ended <- nil
				return
			default:
			}
			names := map[string]int{}
			_, err := b.store.Rows(context.Background(), may, store.Query{Resource: b.resource, Select: []string{"i3"}}, "", 10, func(r store.Record) error {
				names[string(r.Cells[0])]++
				return nil
			})
			if err == nil && len(names) != 1 {
				err = fmt.Errorf("rows of several commits: %v", names)
			}
			if err != nil {
				ended <- err
				return
			}
		}
	}()
	// Merges, and with every other item set a new layout that is attached.
	for i := range 6 {
		name := fmt.Sprint(i + 1)
		b.columns[2].Letter = []string{"C", "M"}[i/2%2]
		b.collect(t, rowsOf{"a": {"330602", name}, "b": {"330602", name}, "c": {"330602", name}})
	}
	close(stop)
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff(rowsOf{"a": {"330602", "6"}, "b": {"330602", "6"}, "c": {"330602", "6"}}, b.stored(t)); diff != "" {
		t.Error(diff)
	}
}
