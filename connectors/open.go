package connectors

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/shuqiao/shuqiao/internal/fault"
)

// The time limits of a Connection unless Options says otherwise.
const (
	DefaultConnectTimeout = 10 * time.Second
	DefaultStallTimeout   = 60 * time.Second
)

// Options adjusts a Connection. The zero value takes the defaults.
type Options struct {
	// ConnectTimeout bounds one attempt to connect.
	ConnectTimeout time.Duration
	// StallTimeout bounds each single call: Probe, Tables, Describe, Now, the opening of a read, and the wait for each
	// batch. A read that goes on delivering batches may last as long as it likes.
	StallTimeout time.Duration
	// Dial opens network connections; nil means a plain net.Dialer.
	Dial DialFunc
}

// Connection is a source as callers use it: a driver's Source with time limits and with faults for errors. See the
// package comment for its errors. It is safe for concurrent use.
type Connection struct {
	driver Driver
	source Source
	stall  time.Duration
}

// Open returns a connection to the source that settings describe. It need not connect: Probe does. Wrong settings are
// an Invalid fault that names the fields, with "driver" for an unknown driver.
func Open(ctx context.Context, registry *Registry, driver string, settings map[string]string, options Options) (*Connection, error) {
	d, err := registry.Driver(driver)
	if err != nil {
		return nil, err
	}
	config, err := d.Spec().Parse(settings)
	if err != nil {
		return nil, err
	}
	config.Dial, config.ConnectTimeout = options.Dial, options.ConnectTimeout
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = DefaultConnectTimeout
	}
	c := &Connection{driver: d, stall: options.StallTimeout}
	if c.stall == 0 {
		c.stall = DefaultStallTimeout
	}
	err = c.limited(ctx, func(ctx context.Context) (err error) {
		c.source, err = d.OpenSource(ctx, config)
		return err
	})
	if err != nil {
		return nil, err
	}
	return c, nil
}

// Traits says what reads of this source can promise.
func (c *Connection) Traits() Traits { return c.source.Traits() }

// Probe connects and says what answered.
func (c *Connection) Probe(ctx context.Context) (Probe, error) {
	return call(ctx, c, c.source.Probe)
}

// Tables lists at most limit objects that the account may read, sorted by schema and name in binary order.
func (c *Connection) Tables(ctx context.Context, limit int) ([]Table, error) {
	return call(ctx, c, func(ctx context.Context) ([]Table, error) { return c.source.Tables(ctx, limit) })
}

// Describe returns the columns and the key of an object.
func (c *Connection) Describe(ctx context.Context, object string) (Schema, error) {
	return call(ctx, c, func(ctx context.Context) (Schema, error) { return c.source.Describe(ctx, object) })
}

// describeBatch is how many objects one call of a driver describes, so that the stall limit is one for a bounded piece of work.
const describeBatch = 100

// DescribeAll returns the columns and keys of several objects, by the names they were asked for. Objects that are missing are
// left out.
func (c *Connection) DescribeAll(ctx context.Context, objects []string) (map[string]Schema, error) {
	out := make(map[string]Schema, len(objects))
	many, ok := c.source.(ManySource)
	if !ok {
		for _, object := range objects {
			schema, err := c.Describe(ctx, object)
			if fault.CodeOf(err) == CodeObjectMissing {
				continue
			}
			if err != nil {
				return nil, err
			}
			out[object] = schema
		}
		return out, nil
	}
	for batch := range slices.Chunk(objects, describeBatch) {
		found, err := call(ctx, c, func(ctx context.Context) (map[string]Schema, error) { return many.DescribeAll(ctx, batch) })
		if err != nil {
			return nil, err
		}
		maps.Copy(out, found)
	}
	return out, nil
}

// Now is the clock of the source, in UTC.
func (c *Connection) Now(ctx context.Context) (time.Time, error) {
	return call(ctx, c, c.source.Now)
}

// Pending says what may still commit at the source. Where the driver cannot tell it is the clock alone.
func (c *Connection) Pending(ctx context.Context) (Pending, error) {
	if source, ok := c.source.(PendingSource); ok {
		return call(ctx, c, source.Pending)
	}
	now, err := c.Now(ctx)
	return Pending{Now: now}, err
}

// Read opens a read of a whole object, or of what changed in it, in one snapshot. The stream must be closed.
func (c *Connection) Read(ctx context.Context, request ReadRequest) (*Stream, error) {
	return c.stream(ctx, func(ctx context.Context) (Reader, error) { return c.source.Read(ctx, request) })
}

// Lookup opens a read of the rows with certain keys in one fresh snapshot. The stream must be closed.
func (c *Connection) Lookup(ctx context.Context, request LookupRequest) (*Stream, error) {
	return c.stream(ctx, func(ctx context.Context) (Reader, error) { return c.source.Lookup(ctx, request) })
}

// Close frees everything the connection holds. Streams must be closed before.
func (c *Connection) Close() error {
	if err := c.source.Close(); err != nil {
		return c.fault(context.Background(), err)
	}
	return nil
}

// Stream hands over the rows of one read. It belongs to one goroutine.
type Stream struct {
	connection *Connection
	reader     Reader
	err        error // The first error of Next, returned from then on.
}

// Schema describes the columns of the batches, in the order asked for.
func (s *Stream) Schema() []Column { return s.reader.Schema() }

// Next returns the next batch, of at least one row, or ErrEndOfData after the last. The batch and its cells are valid
// until the next call. Any other error ends the stream.
func (s *Stream) Next(ctx context.Context) (*Batch, error) {
	if s.err != nil {
		return nil, s.err
	}
	var batch *Batch
	s.err = s.connection.limited(ctx, func(ctx context.Context) (err error) {
		batch, err = s.reader.Next(ctx)
		return err
	})
	if s.err != nil {
		return nil, s.err
	}
	return batch, nil
}

// Close ends the read, also at the source. It is safe to call twice.
func (s *Stream) Close() error {
	if err := s.reader.Close(); err != nil {
		return s.connection.fault(context.Background(), err)
	}
	return nil
}

var errStalled = errors.New("no answer within the time limit")

// limited runs one call of the driver under the stall limit and judges its error.
func (c *Connection) limited(ctx context.Context, run func(context.Context) error) error {
	limited, cancel := context.WithTimeoutCause(ctx, c.stall, errStalled)
	defer cancel()
	err := run(limited)
	if err == nil || err == ErrEndOfData { //nolint:errorlint // The contract is the sentinel itself.
		return err
	}
	return c.fault(limited, err)
}

// fault turns a raw error into the fault that callers see. The raw error is dropped: its text may hold secrets or values.
func (c *Connection) fault(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		if cause := context.Cause(ctx); cause == errStalled { //nolint:errorlint // Set by limited, never wrapped.
			return newFault(Failure{Code: CodeTimeout, Text: errStalled.Error() + " of " + c.stall.String()})
		}
		return ctx.Err()
	}
	for _, s := range sentinels {
		if errors.Is(err, s.err) {
			return newFault(Failure{Code: s.code, Text: err.Error()})
		}
	}
	return newFault(c.driver.Classify(err))
}

func call[T any](ctx context.Context, c *Connection, run func(context.Context) (T, error)) (T, error) {
	var out T
	err := c.limited(ctx, func(ctx context.Context) (err error) {
		out, err = run(ctx)
		return err
	})
	return out, err
}

func (c *Connection) stream(ctx context.Context, open func(context.Context) (Reader, error)) (*Stream, error) {
	reader, err := call(ctx, c, open)
	if err != nil {
		return nil, err
	}
	return &Stream{connection: c, reader: reader}, nil
}
