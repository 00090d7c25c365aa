// Package connectortest is the acceptance suite that every driver passes. A driver's whole test is one call of Run with
// a Harness that says how to fill and disturb the system behind it.
package connectortest

import (
	"context"
	"errors"
	"iter"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/shuqiao/shuqiao/connectors"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// Harness is what a driver's test provides. Functions fail the test themselves.
type Harness struct {
	Driver connectors.Driver

	// NewConfig returns complete settings for a new, empty place of its own, which goes away with t.
	NewConfig func(t *testing.T) map[string]string
	// Load creates a table, fills it in one transaction and returns its object name.
	Load func(t *testing.T, settings map[string]string, table Table) (object string)
	// Replace exchanges all rows of a loaded table in one transaction, without waiting for readers.
	Replace func(t *testing.T, settings map[string]string, table Table)
	// Kill ends, at the server, every session opened with these settings.
	Kill func(t *testing.T, settings map[string]string)

	Kinds    []connectors.Kind // The kinds that a table can have; the suite covers all but Other.
	Required []string          // Settings that may not be left out.
	Password string            // The key of the setting that proves the account.
}

// Table is a table to be loaded.
type Table struct {
	Name    string
	Columns []connectors.Column // Name, Kind, Length, Scale, Nullable and Comment count.
	Key     []string            // The primary key; nil for none.
	Rows    iter.Seq[[][]byte]  // Cells in lexical form, nil for NULL.
}

// Run runs the suite; its tests run in parallel, so every function of the harness may be called at the same time as any
// other. The caller must not have made t parallel: the suite ends by looking for goroutines left behind.
func Run(t *testing.T, h Harness) {
	before := goleak.IgnoreCurrent()
	// Alone, because it counts what the whole process allocates.
	t.Run("memory stays flat over 300,000 rows", func(t *testing.T) { testMemory(t, h) })
	// The group returns when all of its parallel tests have.
	t.Run("group", func(t *testing.T) { runGroup(t, h) })
	if err := goleak.Find(before); err != nil {
		t.Errorf("goroutines left behind: %v", err)
	}
}

func runGroup(t *testing.T, h Harness) {
	for _, c := range []struct {
		name string
		run  func(*testing.T, Harness)
	}{
		{"required settings are required and secrets do not print", testSettings},
		{"a probe says who answers and that nothing can be written", testProbe},
		{"tables are listed and described", testDescribe},
		{"every kind of value arrives in its lexical form", testKinds},
		{"text is ordered by bytes and resumed strictly after its key", testTextOrder},
		{"composite keys are ordered and resumed strictly after", testCompositeOrder},
		{"keys of every kind can be resumed", testKeyKinds},
		{"an order that is not unique is refused", testOrderRefused},
		{"a read since a mark is inclusive and never leaves NULL out", testSince},
		{"a read sees one snapshot while rows change", testReadSnapshot},
		{"a look-up sees one snapshot while rows change", testLookupSnapshot},
		{"ten thousand keys are looked up at once", testLookup},
		{"batches keep their bounds", testBatchBounds},
		{"a cancelled read returns at once", testCancel},
		{"a read may be closed at any time", testEarlyClose},
		{"sessions ended at the server give a retryable fault", testKill},
		{"a cut network gives a retryable fault", testCut},
		{"a source that stalls gives a timeout", testStall},
		{"a source that cannot be reached gives a retryable fault", testUnreachable},
		{"missing objects and columns have their codes", testMissing},
		{"a wrong password is told apart and not repeated", testPassword},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.run(t, h)
		})
	}
}

// open returns a connection that is closed with t.
func (h Harness) open(t *testing.T, settings map[string]string, options connectors.Options) *connectors.Connection {
	t.Helper()
	registry, err := connectors.NewRegistry(h.Driver)
	if err != nil {
		t.Fatal(err)
	}
	c, err := connectors.Open(t.Context(), registry, h.Driver.Spec().Name, settings, options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Errorf("closing: %v", err)
		}
	})
	return c
}

// wantFault checks the code of an error from a source, whether it is retryable, and that its text holds neither a secret
// of the settings nor any of the other hidden words.
func (h Harness) wantFault(t *testing.T, err error, settings map[string]string, code string, retryable bool, hidden ...string) {
	t.Helper()
	f, ok := errors.AsType[*fault.Fault](err)
	if !ok {
		t.Fatalf("error %v (%T), want a fault %s", err, err, code)
	}
	if f.Code != code || f.Layer != "source" {
		t.Errorf("fault %q of layer %q (%v), want %q of source", f.Code, f.Layer, f, code)
	}
	if got := connectors.Retryable(err); got != retryable {
		t.Errorf("Retryable(%v) = %v, want %v", err, got, retryable)
	}
	for _, key := range h.Driver.Spec().SecretKeys() {
		if settings[key] != "" {
			hidden = append(hidden, settings[key])
		}
	}
	for err := err; err != nil; err = errors.Unwrap(err) {
		for _, word := range hidden {
			if strings.Contains(err.Error(), word) {
				t.Errorf("error text repeats a hidden word: %v", err)
			}
		}
	}
}

// rows reads a stream to its end and closes it. Every cell is copied.
func rows(t *testing.T, s *connectors.Stream, err error) [][]string {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	defer closeStream(t, s)
	var out [][]string
	for {
		b, err := s.Next(t.Context())
		if err == connectors.ErrEndOfData { //nolint:errorlint // The contract is the sentinel itself.
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		for row := range b.Rows {
			cells := make([]string, b.Columns())
			for column := range cells {
				cells[column] = show(b.Cell(row, column))
			}
			out = append(out, cells)
		}
	}
}

// null stands for NULL in the output of rows; no test value equals it.
const null = "\x00NULL"

func show(cell []byte) string {
	if cell == nil {
		return null
	}
	return string(cell)
}

// nextUntilError calls Next until it fails.
func nextUntilError(ctx context.Context, s *connectors.Stream) error {
	for {
		if _, err := s.Next(ctx); err != nil {
			return err
		}
	}
}

func closeStream(t *testing.T, s *connectors.Stream) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Errorf("closing the stream: %v", err)
	}
}
