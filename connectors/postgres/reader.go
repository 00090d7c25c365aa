package postgres

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/shuqiao/shuqiao/connectors"
)

// flushAfter is how long a batch of a slow source is filled before it is handed over as it is. It keeps a source that
// trickles apart from one that has stalled.
const flushAfter = 2 * time.Second

// reader runs its statements one after another in one transaction and hands over their rows.
type reader struct {
	session     *session
	columns     []connectors.Column
	conversions []conversion
	statements  []statement // Not yet started.
	result      *pgconn.ResultReader
	held        bool // result stands on a row that did not fit the last batch.
	batch       *connectors.Batch
	scratch     []byte
	late        atomic.Bool // Set by timer when the batch has been filled for long enough.
	timer       *time.Timer

	// ctx spans the whole read: pgconn ties a running statement to one context, while each Next brings its own.
	ctx    context.Context
	cancel context.CancelFunc
	err    error
}

func newReader(q *session, columns []column, statements []statement) *reader {
	r := &reader{session: q, statements: statements, batch: connectors.NewBatch(len(columns))}
	for _, c := range columns {
		r.columns = append(r.columns, c.Column)
		r.conversions = append(r.conversions, conversionOf(c))
	}
	r.ctx, r.cancel = context.WithCancel(context.Background())
	return r
}

// Schema describes the columns of the batches.
func (r *reader) Schema() []connectors.Column { return r.columns }

// Next returns the next batch or connectors.ErrEndOfData.
func (r *reader) Next(ctx context.Context) (*connectors.Batch, error) {
	if r.err != nil {
		return nil, r.err
	}
	if r.err = ctx.Err(); r.err != nil {
		return nil, r.err
	}
	stop := context.AfterFunc(ctx, r.cancel)
	defer stop()
	if r.err = r.fill(); r.err == nil && r.batch.Rows > 0 {
		return r.batch, nil
	}
	if r.err == nil {
		r.err = connectors.ErrEndOfData
		if err := r.session.end(r.ctx); err != nil {
			r.err = err
		}
		r.session = nil
	}
	return nil, r.err
}

// fill puts rows into the batch until it is full or late, or nothing is left.
func (r *reader) fill() error {
	r.batch.Reset()
	r.late.Store(false)
	if r.timer == nil {
		r.timer = time.AfterFunc(flushAfter, func() { r.late.Store(true) })
	} else {
		r.timer.Reset(flushAfter)
	}
	defer r.timer.Stop()
	for r.start() {
		for r.held || r.result.NextRow() {
			values := r.result.Values()
			size := len(values) * growth
			for _, value := range values {
				size += len(value)
			}
			if r.held = !r.batch.Fits(size); r.held {
				return nil
			}
			if size > connectors.MaxRowBytes+len(values)*growth {
				return connectors.ErrRowTooLarge
			}
			r.add(values)
			if r.batch.Rows == connectors.MaxBatchRows || r.late.Load() {
				return nil
			}
		}
		_, err := r.result.Close()
		r.result = nil
		if err != nil {
			return err
		}
	}
	return nil
}

// start makes sure that a statement is running, and reports false when none is left.
func (r *reader) start() bool {
	if r.result != nil {
		return true
	}
	if len(r.statements) == 0 {
		return false
	}
	st := r.statements[0]
	r.statements = r.statements[1:]
	r.result = r.session.conn.ExecParams(r.ctx, st.sql, st.args, st.types, nil, st.formats)
	return true
}

func (r *reader) add(values [][]byte) {
	for i, value := range values {
		switch {
		case value == nil:
			r.batch.AppendNull()
		case r.conversions[i] == asIs:
			r.batch.Append(value)
		default:
			r.scratch = r.conversions[i].convert(r.scratch[:0], value)
			r.batch.Append(r.scratch)
		}
	}
	r.batch.EndRow()
}

// Close ends the read. A statement that is still running is cancelled at the server.
func (r *reader) Close() error {
	r.cancel()
	if r.session == nil {
		return nil
	}
	if r.result != nil {
		// With its context ended the result stops at the next read of the socket, and pgconn asks the server to cancel.
		_, _ = r.result.Close()
		r.result = nil
	}
	r.session.abandon()
	r.session = nil
	if r.err == nil {
		r.err = connectors.ErrEndOfData
	}
	return nil
}
