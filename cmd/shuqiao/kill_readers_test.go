package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/shuqiao/shuqiao/api/client"
	"github.com/shuqiao/shuqiao/internal/hubtest"
	"github.com/shuqiao/shuqiao/internal/pgtest"
)

// observeEvery is how often the whole store is summed while hubs are killed.
const observeEvery = 500 * time.Millisecond

// stateOf sums the rows of a table that a reader may see: how many, what they say, and whether those rows that change with
// every version are all of one.
func stateOf(ctx context.Context, tx pgx.Tx, table string, seq int64) (string, error) {
	var rows, sum, versions, above int64
	err := tx.QueryRow(ctx, `
		SELECT count(*), coalesce(sum(hash_record_extended(r, 0) >> 20), 0)::bigint,
			1 + max(i6) FILTER (WHERE _key >= 'A' AND _key < 'B') - min(i6) FILTER (WHERE _key >= 'A' AND _key < 'B'),
			count(*) FILTER (WHERE _seq > $1) FROM `+table+" r", seq).Scan(&rows, &sum, &versions, &above)
	if err != nil {
		return "", err
	}
	if versions != 1 || above != 0 {
		return fmt.Sprintf("half a run: rows of %d versions, %d rows above the head", versions, above), nil
	}
	return fmt.Sprintf("%d rows, sum %x", rows, uint64(sum)), nil
}

// observer looks at the store all the time, each time in one snapshot.
type observer struct {
	cancel context.CancelFunc
	done   chan error
	seen   map[int64]map[string]int // States by head, with how often they were seen.
	looks  int
}

// observe starts an observer with a connection of its own.
func (k *killing) observe(t *testing.T) *observer {
	t.Helper()
	conn := pgtest.Conn(t, k.url)
	ctx, cancel := context.WithCancel(t.Context())
	o := &observer{cancel: cancel, done: make(chan error, 1), seen: map[int64]map[string]int{}}
	go func() {
		tick := time.NewTicker(observeEvery)
		defer tick.Stop()
		for {
			err := inSnapshot(ctx, conn, func(tx pgx.Tx) error {
				table, seq, err := k.rowTable(ctx, tx)
				if err != nil {
					return err
				}
				state := "0 rows"
				if table != "" {
					if state, err = stateOf(ctx, tx, table, seq); err != nil {
						return err
					}
				}
				if o.seen[seq] == nil {
					o.seen[seq] = map[string]int{}
				}
				o.seen[seq][state]++
				o.looks++
				return nil
			})
			if ctx.Err() != nil {
				err = nil
			}
			if err != nil || ctx.Err() != nil {
				o.done <- err
				return
			}
			select {
			case <-ctx.Done():
			case <-tick.C:
			}
		}
	}()
	return o
}

// stop ends the observer and compares what it saw with the states that finished runs left: there is no other.
func (o *observer) stop(t *testing.T, k *killing) {
	t.Helper()
	o.cancel()
	if err := <-o.done; err != nil {
		t.Errorf("observing the store: %v", err)
	}
	for seq, states := range o.seen {
		for state, times := range states {
			if want, known := k.states[seq]; !known || state != want {
				t.Errorf("at head %d the store was seen as %q %d times, want %q", seq, state, times, want)
			}
		}
	}
	if len(o.seen) < 3 {
		t.Errorf("the store was seen in %d states only", len(o.seen))
	}
	t.Logf("the store was summed %d times in %d states", o.looks, len(o.seen))
}

// reader is a consuming system that reads all rows of its grant once and follows the changes from then on.
type reader struct {
	system *client.Client
	pull   client.Pull
	rows   map[string]client.Row
	pages  int
	busy   int // Calls that no node answered.
	broken []string
	cancel context.CancelFunc
	done   chan struct{}
	caught chan chan error // Asks the reader to catch up and stop.
}

// ask gets the consumer's system a grant on one division.
func (k *killing) ask(t *testing.T, h *hubtest.Hub, staff hubtest.Staff, provider, consumer hubtest.Bureau) *reader {
	t.Helper()
	ctx := t.Context()
	system, err := consumer.Admin.CreateConsumingSystem(ctx, consumer.ID, "示例业务系统", nil)
	if err != nil {
		t.Fatalf("creating the client: %v", err)
	}
	key, err := consumer.Admin.IssueKey(ctx, system.ID, time.Time{})
	if err != nil {
		t.Fatalf("issuing a key: %v", err)
	}
	s := hubtest.Sample{Staff: staff, Provider: provider, Consumer: consumer, Resource: k.resource, System: system}
	terms := s.Terms()
	terms.Items = []string{"no", "division", "title", "amount", "batch"}
	terms.RowFilter = json.RawMessage(`{"op":"eq","item":"division","value":"330602"}`)
	grant := s.Grant(t, terms)
	return &reader{
		system: h.Anonymous.As(key.Token()), pull: client.Pull{Resource: k.resource.ID, Grant: grant.ID},
		rows: map[string]client.Row{}, done: make(chan struct{}), caught: make(chan chan error),
	}
}

// consume lets the reader read until it is stopped.
func (k *killing) consume(t *testing.T) *reader {
	t.Helper()
	r := k.reader
	ctx, cancel := context.WithCancel(t.Context())
	r.cancel = cancel
	go func() {
		defer close(r.done)
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		cursor := ""
		var stopping chan error
		for {
			var more bool
			var err error
			cursor, more, err = r.step(ctx, k.nodes, cursor)
			if stopping != nil && !more && err == nil && cursor != "" {
				stopping <- nil
				return
			}
			if more && err == nil {
				continue
			}
			select {
			case <-ctx.Done():
				return
			case stopping = <-r.caught:
			case <-tick.C:
			}
		}
	}()
	return r
}

// step reads all pages when there is no cursor yet, or else the next page of changes. An error leaves the cursor as it is.
func (r *reader) step(ctx context.Context, ns *nodes, cursor string) (next string, more bool, err error) {
	if cursor == "" {
		rows, place := map[string]client.Row{}, ""
		for {
			var page client.Page
			err := ns.any(r.system, func(c *client.Client) (err error) {
				page, err = c.Rows(ctx, r.pull, client.Query{Limit: 5000, Cursor: place})
				return err
			})
			if err != nil {
				return "", false, r.failed(err)
			}
			r.page(page.Rows)
			for _, row := range page.Rows {
				rows[fmt.Sprint(row["no"])] = row
			}
			if place = page.NextCursor; place == "" {
				r.rows = rows
				return page.ChangesCursor, true, nil
			}
		}
	}
	var changes client.Changes
	err = ns.any(r.system, func(c *client.Client) (err error) {
		changes, err = c.Changes(ctx, r.pull, client.Query{Limit: 5000, Cursor: cursor})
		return err
	})
	if err != nil {
		return cursor, false, r.failed(err)
	}
	var upserts []client.Row
	for _, change := range changes.Changes {
		if change.Op == "delete" {
			delete(r.rows, change.Key)
			continue
		}
		upserts = append(upserts, change.Row)
		r.rows[fmt.Sprint(change.Row["no"])] = change.Row
	}
	r.page(upserts)
	return changes.NextCursor, changes.More, nil
}

// page checks that the rows of one answer are of one version.
func (r *reader) page(rows []client.Row) {
	r.pages++
	versions := map[string]int{}
	for _, row := range rows {
		if strings.HasPrefix(fmt.Sprint(row["no"]), "A") {
			versions[fmt.Sprint(row["batch"])]++
		}
	}
	if len(versions) > 1 {
		r.broken = append(r.broken, fmt.Sprint(versions))
	}
}

// failed sorts errors: nobody serving, connections cut by a kill and a store without rows are to be expected.
func (r *reader) failed(err error) error {
	var problem *client.Problem
	if errors.As(err, &problem) && problem.Code != "not_collected" && problem.Code != "policy_stale" {
		r.broken = append(r.broken, err.Error())
	}
	r.busy++
	return err
}

// stop lets the reader catch up, and compares what it has with what the store holds for its grant.
func (r *reader) stop(t *testing.T, k *killing) {
	t.Helper()
	eventually(t, "every node to serve", 30*time.Second, func() bool {
		up := true
		for _, n := range k.all {
			up = n.serving(t) && n.base.Load() != nil && up
		}
		return up
	})
	caught := make(chan error, 1)
	select {
	case r.caught <- caught:
	case <-time.After(30 * time.Second):
		t.Fatal("the consumer does not answer")
	}
	select {
	case <-caught:
	case <-time.After(30 * time.Second):
		t.Error("the consumer does not catch up")
	}
	r.cancel()
	<-r.done
	if len(r.broken) > 0 {
		t.Errorf("the consumer met %d answers that must not be, the first: %s", len(r.broken), r.broken[0])
	}
	want := map[string]client.Row{}
	rows, err := k.hub.Query(t.Context(), "SELECT no, division, title, trim_scale(amount)::text, batch FROM (SELECT i1, i2, i3, i5, i6 FROM "+k.active(t)+") r (no, division, title, amount, batch) WHERE division = '330602'")
	if err != nil {
		t.Fatalf("reading the store: %v", err)
	}
	var no, division, title, amount string
	var batch int64
	if _, err = pgx.ForEachRow(rows, []any{&no, &division, &title, &amount, &batch}, func() error {
		want[no] = client.Row{"no": no, "division": division, "title": title, "amount": amount, "batch": float64(batch)}
		return nil
	}); err != nil {
		t.Fatalf("reading the store: %v", err)
	}
	maps.DeleteFunc(want, func(key string, row client.Row) bool {
		same := cmp.Equal(row, r.rows[key])
		if same {
			delete(r.rows, key)
		}
		return same
	})
	if len(want)+len(r.rows) > 0 {
		t.Errorf("the consumer's copy differs: %d rows of the store, %d of its own\n%.1000s", len(want), len(r.rows), cmp.Diff(want, r.rows))
	}
	t.Logf("the consumer read %d pages; %d calls found nobody", r.pages, r.busy)
}

// active returns the table with the rows that are served.
func (k *killing) active(t *testing.T) (table string) {
	t.Helper()
	err := inSnapshot(t.Context(), k.hub, func(tx pgx.Tx) (err error) {
		table, _, err = k.rowTable(t.Context(), tx)
		return err
	})
	if err != nil || table == "" {
		t.Fatalf("looking for the rows: %v", err)
	}
	return table
}
