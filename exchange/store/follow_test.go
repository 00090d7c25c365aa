package store_test

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/shuqiao/shuqiao/audit"
	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/authz/authztest"
	"github.com/shuqiao/shuqiao/exchange/store"
	"github.com/shuqiao/shuqiao/internal/db"
)

// For random source states a consumer that follows the changes holds, after every collect, exactly the rows of the source
// that its filter lets through: also when rows leave the filter, come back, vanish or are rejected.
func TestFollowerConverges(t *testing.T) {
	t.Parallel()
	b := setup(t)
	may := b.decision(t)
	rapid.Check(t, func(rt *rapid.T) {
		r := b.another(t)
		held := rowsOf{} // What is true at the hub: the source, with last good rows for rejected keys.
		consumer := rowsOf{}
		cursor := int64(-1)
		q := store.Query{Resource: r.resource, Select: []string{"i2", "i3"}, Where: "i2 = $1", Args: []any{"330602"}, Needs: []int{2, 3}}
		for range rapid.IntRange(2, 4).Draw(rt, "collects") {
			source, rejected := drawSource(rt)
			r.collect(t, source, rejected...)
			held = expected(held, source, rejected)
			if diff := cmp.Diff(held, r.stored(t), cmpopts.EquateEmpty()); diff != "" {
				rt.Fatal(diff)
			}
			if cursor < 0 {
				cursor = snapshot(rt, r, may, q, consumer)
			}
			cursor = follow(rt, r, may, q, cursor, rapid.IntRange(1, 4).Draw(rt, "page"), consumer)
			want := rowsOf{}
			for k, v := range held {
				if v[0] == "330602" {
					want[k] = v
				}
			}
			if diff := cmp.Diff(want, consumer, cmpopts.EquateEmpty()); diff != "" {
				rt.Fatal(diff)
			}
		}
	})
}

// decision lets a client pull.
func (b *bundle) decision(t testing.TB) authz.Decision {
	t.Helper()
	node := authztest.Start(t, b.db)
	client := authz.Principal{Kind: audit.ActorClient, ID: db.NewID(), Department: db.NewID(), Roles: []authz.Role{authz.ClientRole}}
	may, err := node.Enforcer.Check(context.Background(), client, authz.DataPull, authz.Target{Kind: "resource", ShareType: "conditional", Grade: "L2", State: "published", Granted: true})
	if err != nil {
		t.Fatal(err)
	}
	return may
}

func drawSource(rt *rapid.T) (rowsOf, []string) {
	source, rejected := rowsOf{}, []string{}
	for _, k := range []string{"a", "b", "c", "d", "e", "中~1文", "g"} {
		switch rapid.IntRange(0, 5).Draw(rt, k) {
		case 0: // Not at the source.
		case 1:
			rejected = append(rejected, k)
		default:
			division := rapid.SampledFrom([]string{"330602", "330603"}).Draw(rt, "division")
			source[k] = [2]string{division, rapid.SampledFrom([]string{"x", "y"}).Draw(rt, "name")}
		}
	}
	return source, rejected
}

func expected(before, source rowsOf, rejected []string) rowsOf {
	after := rowsOf{}
	for k, v := range source {
		after[k] = v
	}
	for _, k := range rejected {
		if v, ok := before[k]; ok {
			after[k] = v
		}
	}
	return after
}

// snapshot notes the head, then takes all rows, as a consumer does the first time.
func snapshot(rt *rapid.T, b *bundle, may authz.Decision, q store.Query, consumer rowsOf) int64 {
	head, err := b.store.ReadHead(context.Background(), b.resource)
	if err == nil {
		_, err = b.store.Rows(context.Background(), may, q, "", 1000, func(r store.Record) error {
			consumer[r.Key] = [2]string{string(r.Cells[0]), string(r.Cells[1])}
			return nil
		})
	}
	if err != nil {
		rt.Fatal(err)
	}
	return head.Seq
}

// follow applies changes page by page to what the consumer holds, and returns the new cursor.
func follow(rt *rapid.T, b *bundle, may authz.Decision, q store.Query, cursor int64, page int, consumer rowsOf) int64 {
	for {
		last := cursor
		snap, more, err := b.store.Changes(context.Background(), may, q, cursor, page, func(c store.Change) error {
			if c.Seq <= last {
				rt.Fatalf("seq %d after %d", c.Seq, last)
			}
			last = c.Seq
			if c.Delete {
				delete(consumer, c.Key)
			} else {
				consumer[c.Key] = [2]string{string(c.Cells[0]), string(c.Cells[1])}
			}
			return nil
		})
		if err != nil {
			rt.Fatal(err)
		}
		if !more {
			return snap.Head.Seq
		}
		cursor = last
	}
}
