package exchange

import (
	"context"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/pgtest"
)

// A node counts those that serve the contract and live: itself, not workers, not the silent.
func TestServingNodes(t *testing.T) {
	t.Parallel()
	incarnation := uuid.New()
	d, err := db.Open(t.Context(), db.Options{URL: pgtest.URL(t), ApplicationName: ApplicationName(incarnation), MaxConns: 2})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	n, err := NewNode(NodeOptions{DB: d, DataDir: t.TempDir(), Incarnation: incarnation, Role: "all"})
	if err != nil {
		t.Fatal(err)
	}
	if got := n.Serving(); got != 1 {
		t.Errorf("before the first heartbeat: got %d, want 1", got)
	}
	if err := n.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.Stop(context.WithoutCancel(t.Context())) })
	for _, other := range []struct {
		role   string
		silent time.Duration
	}{{"api", 0}, {"worker", 0}, {"api", time.Minute}} {
		_, err := d.Pool.Exec(t.Context(), `INSERT INTO node (node_id, incarnation, role, started_at, seen_at)
			VALUES ($1, $2, $3, now(), clock_timestamp() - $4::interval)`, uuid.New(), uuid.New(), other.role, other.silent)
		if err != nil {
			t.Fatal(err)
		}
	}
	n.beat(t.Context())
	if got := n.Serving(); got != 2 {
		t.Errorf("beside an api node, a worker and a silent one: got %d, want 2", got)
	}
}
