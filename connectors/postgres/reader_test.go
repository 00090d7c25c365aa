package postgres

import (
	"strconv"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/shuqiao/shuqiao/connectors"
)

// A row beyond the bound is refused by its announced length, before it takes memory, and the next read works.
func TestRowTooLarge(t *testing.T) {
	t.Parallel()
	settings := newDatabase(t, "")
	mustExec(t, connect(t, settings[keyDatabase]),
		"CREATE VIEW huge AS SELECT i AS a, repeat('x', CASE i WHEN 2 THEN 70000000 ELSE 9000 END) AS b FROM generate_series(1, 3) AS i")
	c := open(t, settings, connectors.Options{})
	s, err := c.Read(t.Context(), connectors.ReadRequest{Object: "huge", Columns: []string{"a", "b"}})
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.Next(t.Context())
	checkCode(t, "a row of 70 MB", err, connectors.CodeRowTooLarge)
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	got := read(t, c, connectors.ReadRequest{Object: "huge", Columns: []string{"a"}})
	if diff := cmp.Diff([][]string{{"1"}, {"2"}, {"3"}}, got); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
}

// One connection serves several goroutines at once, each with its own session and its own rows.
func TestConcurrentReads(t *testing.T) {
	t.Parallel()
	settings := newDatabase(t, "")
	mustExec(t, connect(t, settings[keyDatabase]), "CREATE TABLE t AS SELECT i AS a FROM generate_series(1, 12000) AS i")
	c := open(t, settings, connectors.Options{})
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			s, err := c.Read(t.Context(), connectors.ReadRequest{Object: "t", Columns: []string{"a"}})
			if err != nil {
				t.Error(err)
				return
			}
			defer s.Close()
			next := 1
			for {
				b, err := s.Next(t.Context())
				if err == connectors.ErrEndOfData { //nolint:errorlint // The contract is the sentinel itself.
					break
				}
				if err != nil {
					t.Error(err)
					return
				}
				for row := range b.Rows {
					if got := string(b.Cell(row, 0)); got != strconv.Itoa(next) {
						t.Errorf("row %s, want %d", got, next)
						return
					}
					next++
				}
				if _, err := c.Now(t.Context()); err != nil {
					t.Error(err)
				}
			}
			if next != 12001 {
				t.Errorf("read up to %d, want 12000", next-1)
			}
		})
	}
	readers.Wait()
}
