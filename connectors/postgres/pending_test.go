package postgres

import (
	"testing"
	"time"

	"github.com/shuqiao/shuqiao/connectors"
)

// An open transaction of somebody else is noticed as unseen by an account without the right to see it, and is dated by one
// with that right; the clock is not behind its begin.
func TestPending(t *testing.T) {
	t.Parallel()
	settings := newDatabase(t, "")
	writer := connect(t, settings[keyDatabase])
	mustExec(t, writer, "BEGIN", "SELECT 1")
	c := open(t, settings, connectors.Options{})
	p, err := c.Pending(t.Context())
	if err != nil || p.Complete {
		t.Errorf("without the right: %+v, %v", p, err)
	}
	mustExec(t, connect(t, settings[keyDatabase]), "GRANT pg_read_all_stats TO "+settings[keyUser])
	var begun time.Time
	if err := writer.QueryRow(t.Context(), "SELECT now()").Scan(&begun); err != nil {
		t.Fatal(err)
	}
	p, err = c.Pending(t.Context())
	if err != nil || !p.Complete || p.Oldest <= 0 || p.Now.Add(-p.Oldest).After(begun) {
		t.Errorf("with the right: %+v, %v, begun %s", p, err, begun)
	}
	mustExec(t, writer, "COMMIT")
	if err := writer.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if p, err = c.Pending(t.Context()); err != nil || !p.Complete || p.Oldest != 0 {
		t.Errorf("after the commit: %+v, %v", p, err)
	}
}
