package connectortest

import (
	"context"
	"errors"
	"maps"
	"net"
	"syscall"
	"testing"
	"time"

	"github.com/shuqiao/shuqiao/connectors"
)

// prompt is how soon a call that is cancelled must return, and closing must end, on a busy test machine.
const prompt = 5 * time.Second

// started opens a read of a table far larger than any buffer on the way, through d, and takes its first batch.
func started(t *testing.T, h Harness, settings map[string]string, d *dialer, stall time.Duration) (*connectors.Connection, *connectors.Stream) {
	t.Helper()
	object := h.Load(t, settings, wide("large", 60_000, "v"))
	options := connectors.Options{StallTimeout: stall}
	if d != nil {
		options.Dial = d.Dial
	}
	c := h.open(t, settings, options)
	s, err := c.Read(t.Context(), connectors.ReadRequest{Object: object, Columns: wideColumns(), OrderBy: []string{"id"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		start := time.Now()
		closeStream(t, s)
		closeStream(t, s)
		if took := time.Since(start); took > prompt {
			t.Errorf("closing took %v", took)
		}
	})
	if _, err := s.Next(t.Context()); err != nil {
		t.Fatal(err)
	}
	return c, s
}

// testCancel: Next returns the context's own error soon after it ends, also while it waits for a silent source; the
// connection serves the next read.
func testCancel(t *testing.T, h Harness) {
	settings := h.NewConfig(t)
	for _, silent := range []bool{false, true} {
		d := &dialer{}
		c, s := started(t, h, settings, d, 0)
		if silent {
			d.Stall()
		}
		ctx, cancel := context.WithCancel(t.Context())
		if silent {
			time.AfterFunc(50*time.Millisecond, cancel)
		} else {
			cancel()
		}
		start := time.Now()
		err := nextUntilError(ctx, s)
		if !errors.Is(err, context.Canceled) || connectors.Retryable(err) {
			t.Errorf("silent %v: error %v, want context.Canceled", silent, err)
		}
		if took := time.Since(start); took > prompt {
			t.Errorf("silent %v: cancelling took %v", silent, took)
		}
		closeStream(t, s)
		if _, err := c.Probe(t.Context()); err != nil {
			t.Errorf("silent %v: the connection is of no more use: %v", silent, err)
		}
		cancel()
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Nanosecond)
	defer cancel()
	c := h.open(t, settings, connectors.Options{})
	if _, err := c.Probe(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the caller's own deadline: %v", err)
	}
}

// testEarlyClose: a read closed before its first batch, in the middle, and after its end leaves the connection usable.
func testEarlyClose(t *testing.T, h Harness) {
	settings := h.NewConfig(t)
	object := h.Load(t, settings, wide("large", 60_000, "v"))
	c := h.open(t, settings, connectors.Options{})
	for batches := range 3 {
		s, err := c.Read(t.Context(), connectors.ReadRequest{Object: object, Columns: wideColumns()})
		if err != nil {
			t.Fatal(err)
		}
		for range batches {
			if _, err := s.Next(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		start := time.Now()
		closeStream(t, s)
		if took := time.Since(start); took > prompt {
			t.Errorf("closing after %d batches took %v", batches, took)
		}
		if _, err := s.Next(t.Context()); err == nil {
			t.Errorf("Next after Close returned a batch")
		}
	}
	s, err := c.Read(t.Context(), connectors.ReadRequest{Object: object, Columns: []string{"id"}})
	if got := len(rows(t, s, err)); got != 60_000 {
		t.Errorf("%d rows afterwards, want 60000", got)
	}
}

// testKill: sessions ended by the server in the middle of a read are a retryable fault, and the same connection reads on.
func testKill(t *testing.T, h Harness) {
	settings := h.NewConfig(t)
	c, s := started(t, h, settings, nil, 0)
	h.Kill(t, settings)
	h.wantFault(t, nextUntilError(t.Context(), s), settings, connectors.CodeDown, true)
	if _, err := c.Probe(t.Context()); err != nil {
		t.Errorf("after the sessions ended: %v", err)
	}
	// The connection the probe left idle dies unseen; the next call must not fail by it.
	h.Kill(t, settings)
	if _, err := c.Probe(t.Context()); err != nil {
		t.Errorf("after the idle session ended: %v", err)
	}
}

// testCut: a network that drops the connection in the middle of a read is a retryable fault, and stays one on every
// further call of Next.
func testCut(t *testing.T, h Harness) {
	settings := h.NewConfig(t)
	d := &dialer{}
	_, s := started(t, h, settings, d, 0)
	d.Cut()
	h.wantFault(t, nextUntilError(t.Context(), s), settings, connectors.CodeDown, true)
	_, err := s.Next(t.Context())
	h.wantFault(t, err, settings, connectors.CodeDown, true)
}

// testStall: a source that goes silent is given up after the stall limit.
func testStall(t *testing.T, h Harness) {
	settings := h.NewConfig(t)
	d := &dialer{}
	c, s := started(t, h, settings, d, 2*time.Second)
	d.Stall()
	start := time.Now()
	h.wantFault(t, nextUntilError(t.Context(), s), settings, connectors.CodeTimeout, true)
	if took := time.Since(start); took > 2*time.Second+prompt {
		t.Errorf("the stall was noticed after %v", took)
	}
	closeStream(t, s)
	if _, err := c.Probe(t.Context()); err != nil {
		t.Errorf("a new session after the stall: %v", err)
	}
}

// testUnreachable: a refused connection is down, one that is never answered is a timeout, and both may pass.
func testUnreachable(t *testing.T, h Harness) {
	settings := h.NewConfig(t)
	refused := h.open(t, settings, connectors.Options{Dial: func(context.Context, string, string) (net.Conn, error) {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
	}})
	_, err := refused.Probe(t.Context())
	h.wantFault(t, err, settings, connectors.CodeDown, true)

	silent := h.open(t, settings, connectors.Options{
		ConnectTimeout: 100 * time.Millisecond,
		Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		},
	})
	start := time.Now()
	_, err = silent.Probe(t.Context())
	h.wantFault(t, err, settings, connectors.CodeTimeout, true)
	if took := time.Since(start); took > prompt {
		t.Errorf("the attempt to connect took %v", took)
	}
}

// testMissing: an object and a column that do not exist are told apart, in each call that names them; a key that is not
// of its column's type is an error that does not repeat it.
func testMissing(t *testing.T, h Harness) {
	settings := h.NewConfig(t)
	object := h.Load(t, settings, wide("present", 3, "v"))
	c := h.open(t, settings, connectors.Options{})
	ctx := t.Context()
	for _, missing := range []string{"no_such_table", "no_such_schema.present", "", `"`, "a.b.c", "present; DROP TABLE present", `present" --`} {
		_, err := c.Describe(ctx, missing)
		h.wantFault(t, err, settings, connectors.CodeObjectMissing, false)
		_, err = c.Read(ctx, connectors.ReadRequest{Object: missing, Columns: []string{"id"}})
		h.wantFault(t, err, settings, connectors.CodeObjectMissing, false)
	}
	for _, request := range []connectors.ReadRequest{
		{Object: object, Columns: []string{"id", "no_such_column"}},
		{Object: object, Columns: []string{"id"}, OrderBy: []string{"no_such_column"}},
		{Object: object, Columns: []string{`id" FROM "present" --`}},
	} {
		_, err := c.Read(ctx, request)
		h.wantFault(t, err, settings, connectors.CodeColumnMissing, false)
	}
	_, err := c.Lookup(ctx, connectors.LookupRequest{
		Object: object, Columns: []string{"id"}, KeyColumns: []string{"no_such_column"}, Keys: [][]string{{"1"}},
	})
	h.wantFault(t, err, settings, connectors.CodeColumnMissing, false)

	const hidden = "hidden-cell-value"
	after, err := c.Read(ctx, connectors.ReadRequest{Object: object, Columns: []string{"id"}, OrderBy: []string{"id"}, After: []string{hidden}})
	if err == nil {
		defer closeStream(t, after)
		_, err = after.Next(ctx)
	}
	h.wantFault(t, err, settings, connectors.CodeReadFailed, false, hidden)
	found, err := c.Lookup(ctx, connectors.LookupRequest{Object: object, Columns: []string{"id"}, KeyColumns: []string{"id"}, Keys: [][]string{{hidden}}})
	if err == nil {
		defer closeStream(t, found)
		_, err = found.Next(ctx)
	}
	h.wantFault(t, err, settings, connectors.CodeReadFailed, false, hidden)
	s, err := c.Read(ctx, connectors.ReadRequest{Object: object, Columns: []string{"id"}})
	if got := len(rows(t, s, err)); got != 3 {
		t.Errorf("%d rows afterwards, want 3", got)
	}
}

// testPassword: a refused account is not retryable, and neither the wrong nor the right password is repeated.
func testPassword(t *testing.T, h Harness) {
	right := h.NewConfig(t)
	wrong := maps.Clone(right)
	wrong[h.Password] = "hidden-wrong-password"
	c := h.open(t, wrong, connectors.Options{})
	_, err := c.Probe(t.Context())
	h.wantFault(t, err, wrong, connectors.CodeAuth, false, right[h.Password])
}
