package exchange

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/authz/authztest"
	"github.com/shuqiao/shuqiao/exchange/store"
	"github.com/shuqiao/shuqiao/internal/db"
)

// row is one row of the department's table, and of what a consumer should see of it.
type row struct{ division, title, born string }

// follower is a consumer that was granted one division and keeps up by changes alone.
type follower struct {
	cursor int64
	rows   map[string]string
}

// follow reads the changes since the cursor, a few at a time.
func (h *hub) follow(t *testing.T, d authz.Decision, f *follower) {
	t.Helper()
	q := store.Query{Resource: h.resource.ID, Select: []string{"i3"}, Where: "i2 = '330602'"}
	for {
		snap, more, err := h.store.Changes(h.ctx, d, q, f.cursor, 3, func(c store.Change) error {
			if c.Delete {
				delete(f.rows, c.Key)
			} else {
				f.rows[c.Key] = string(c.Cells[0])
			}
			f.cursor = c.Seq
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if !more {
			f.cursor = snap.Head.Seq
			return
		}
	}
}

// Whatever happens at the source, the hub holds its good rows and the last good ones of those that went wrong; a consumer
// that follows the changes of one division ends with exactly the rows of that division; and a fresh comparison agrees.
func TestRandomSources(t *testing.T) {
	t.Parallel()
	for seed := range uint64(3) {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			t.Parallel()
			h := setup(t)
			h.start(t, processOptions{})
			r := rand.New(rand.NewPCG(seed, 11))
			d, err := h.node.Enforcer.Check(h.ctx, authztest.Client(h.market.ID), authz.DataPull,
				authz.Target{Kind: "resource", ShareType: "conditional", Grade: "L2", State: "published", Granted: true})
			if err != nil {
				t.Fatal(err)
			}
			good := map[string]row{} // What the hub should hold.
			source := map[string][]row{"0": {{"330602", "始", ""}}}
			consumer := follower{rows: map[string]string{}}
			var steps []string
			for round := range 8 {
				steps = append(steps, mutate(r, source))
				h.fill(t, source)
				run := h.collect(t)
				if run.State != Succeeded || !run.Counts.Balanced() {
					t.Fatalf("round %d: %+v %+v\n%v", round, run, run.Error, steps)
				}
				settle(source, good)
				want, wantDivision := map[string]string{}, map[string]string{}
				for key, g := range good {
					want[key] = g.title
					if wrong(source[key]) {
						want[key] += "*"
					}
					if g.division == "330602" {
						wantDivision[key] = g.title
					}
				}
				if diff := cmp.Diff(want, h.titles(t)); diff != "" {
					t.Fatalf("round %d: rows (-want +got):\n%s%v", round, diff, steps)
				}
				if round == 0 {
					// The first load raised the oldest cursor; a consumer starts with a scan at that head.
					consumer.cursor = run.Counts.Inserted
					for key, title := range wantDivision {
						consumer.rows[key] = title
					}
				}
				h.follow(t, d, &consumer)
				if diff := cmp.Diff(wantDivision, consumer.rows); diff != "" {
					t.Fatalf("round %d: consumer (-want +got):\n%s%v", round, diff, steps)
				}
			}
			check, err := h.service.Reconcile(h.ctx, h.operator, h.task.ID)
			if err != nil {
				t.Fatal(err)
			}
			end := h.final(t, check.ID)
			list, _, err := h.service.Reconciliations(h.ctx, h.operator, ReconciliationFilter{ResourceID: h.resource.ID, RunID: &end.ID}, db.Page{})
			if err != nil || end.State != Succeeded || len(list) != 1 || !list[0].Equal {
				t.Fatalf("got %+v, %+v, %v", end, list, err)
			}
		})
	}
}

// mutate changes the source in a few random ways and says how.
func mutate(r *rand.Rand, source map[string][]row) string {
	said := ""
	for range 1 + r.IntN(8) {
		key := fmt.Sprint(r.IntN(12))
		fresh := row{[]string{"330602", "330603"}[r.IntN(2)], fmt.Sprintf("题%d", r.IntN(100)), ""}
		switch kind := r.IntN(6); {
		case kind == 0:
			delete(source, key)
			said += " -" + key
		case kind == 1 && len(source[key]) > 0:
			source[key] = append(source[key], fresh)
			said += " double " + key
		case kind == 2:
			fresh.born = "2001-02-30"
			source[key] = []row{fresh}
			said += " wrong " + key
		default:
			source[key] = []row{fresh}
			said += " =" + key
		}
	}
	if len(source) == 0 {
		source["0"] = []row{{"330602", "始", ""}}
	}
	return said + ";"
}

// wrong reports whether the rows of a key are all refused.
func wrong(rows []row) bool {
	return len(rows) > 1 || len(rows) == 1 && rows[0].born != ""
}

// settle brings what the hub should hold to the state of the source.
func settle(source map[string][]row, good map[string]row) {
	for key := range good {
		if len(source[key]) == 0 {
			delete(good, key)
		}
	}
	for key, rows := range source {
		if !wrong(rows) && len(rows) == 1 {
			good[key] = rows[0]
		}
	}
}

// fill makes the department's table what source says.
func (h *hub) fill(t *testing.T, source map[string][]row) {
	t.Helper()
	h.sql(t, "DELETE FROM thing")
	for key, rows := range source {
		for _, one := range slices.Backward(rows) {
			h.sql(t, "INSERT INTO thing (no, division, title, born, amount) VALUES ($1, $2, $3, nullif($4, ''), 1)", key, one.division, one.title, one.born)
		}
	}
}
