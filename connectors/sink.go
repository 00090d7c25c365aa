package connectors

import "context"

// SinkClass says by which of two means a sink keeps "nothing lost, nothing doubled". There is no third.
type SinkClass string

// The classes of sinks.
const (
	// SinkTransactional: cursor and fence live at the target and move in the transaction that writes the rows.
	SinkTransactional SinkClass = "transactional"
	// SinkIdempotent: a batch written twice under the same idempotency key has the effect of one (files, webhooks).
	SinkIdempotent SinkClass = "idempotent"
)

// SinkDriver is a Driver that also writes.
type SinkDriver interface {
	Driver
	// OpenSink returns a sink for checked settings.
	OpenSink(ctx context.Context, config Config) (Sink, error)
}

// Sink is one system that is written to. It also implements TransactionalSink or IdempotentSink, as its class says.
type Sink interface {
	Class() SinkClass
	// Close frees everything the sink holds. It is safe to call twice.
	Close() error
}

// TransactionalSink keeps, per task, the fencing token of the attempt that may write and the cursor it has reached.
type TransactionalSink interface {
	Sink
	// Begin raises the token of the task in a transaction of its own, before anything is read, and returns the cursor
	// the target stands at ("" for none). A token not above the stored one is refused.
	Begin(ctx context.Context, task string, token int64) (cursor string, err error)
	// Write merges the change in one transaction that ends by moving the cursor from change.From to change.To, only if
	// the token is still the one stored; otherwise nothing is written.
	Write(ctx context.Context, task string, token int64, change SinkChange) error
}

// IdempotentSink writes batches that are recognised when they come again.
type IdempotentSink interface {
	Sink
	// Write hands over one batch under its key (task, from, to, content hash). number grows by one per batch of a task.
	Write(ctx context.Context, key string, number int64, change SinkChange) error
}

// SinkChange is a block of changes of one object.
type SinkChange struct {
	Object   string
	Columns  []Column // Of Upserts.
	Key      []string // Columns that identify a row at the target; compared by their bytes.
	From, To string   // The cursor before and after.
	Upserts  *Batch   // Rows to insert or replace; nil for none.
	Deletes  *Batch   // Keys to delete, with the columns of Key in that order; nil for none.
}
