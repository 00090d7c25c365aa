package connectors

import (
	"context"
	"errors"
	"time"
)

// Sentinels a driver returns; the Connection turns them into faults. A driver may wrap them with the name of the object
// or column, never with a value. ErrEndOfData is never wrapped and reaches callers as it is.
var (
	// ErrEndOfData: Next has handed over the last batch.
	ErrEndOfData = errors.New("end of data")
	// ErrObjectMissing: the source has no such object, or the account may not know of it.
	ErrObjectMissing = errors.New("object is missing")
	// ErrColumnMissing: the object has no such column.
	ErrColumnMissing = errors.New("column is missing")
	// ErrOrderNotUnique: the columns to order by do not contain a unique NOT NULL key or may hold NULL, so that a read
	// resumed "strictly after" could lose rows.
	ErrOrderNotUnique = errors.New("order is not by a unique not-null key")
	// ErrRowTooLarge: one row exceeds MaxRowBytes.
	ErrRowTooLarge = errors.New("row is too large")
	// ErrRefused: the DialFunc of the caller does not allow the address. It is in the chain of the DialFunc's error.
	ErrRefused = errors.New("address is refused")
)

// Addressed is a driver that can say, without connecting, which host settings lead to.
type Addressed interface {
	// Host is a name, an address, or the path of a socket; "" when the settings name none.
	Host(config Config) string
}

// Driver makes sources of one kind of system. A Driver holds no state and is safe for concurrent use.
type Driver interface {
	// Spec describes the driver; the same value each time.
	Spec() Spec
	// OpenSource returns a source for checked settings. It may put off connecting until the first call.
	OpenSource(ctx context.Context, config Config) (Source, error)
	// Classify says what sort of failure an error of this driver's sources is. It sees raw errors, except the sentinels
	// above and ended contexts, which the Connection judges itself. Its Text must hold neither secrets nor cell values.
	Classify(err error) Failure
}

// Source is one system that is read. Its methods are safe for concurrent use; each Reader belongs to one goroutine.
// Drivers implement Source and Reader with raw errors; callers use Connection and Stream instead.
type Source interface {
	// Traits says what reads of this source can promise.
	Traits() Traits
	// Probe connects and says what answered.
	Probe(ctx context.Context) (Probe, error)
	// Tables lists at most limit objects that the account may read, sorted by schema and name in binary order.
	Tables(ctx context.Context, limit int) ([]Table, error)
	// Describe returns the columns and the key of an object. ErrObjectMissing.
	Describe(ctx context.Context, object string) (Schema, error)
	// Read opens a read of a whole object in one snapshot. ErrObjectMissing, ErrColumnMissing, ErrOrderNotUnique.
	Read(ctx context.Context, request ReadRequest) (Reader, error)
	// Lookup opens a read of the rows with certain keys in one fresh snapshot. ErrObjectMissing, ErrColumnMissing.
	Lookup(ctx context.Context, request LookupRequest) (Reader, error)
	// Now is the clock of the source, in UTC.
	Now(ctx context.Context) (time.Time, error)
	// Close frees everything the source holds. Readers must be closed before. It is safe to call twice.
	Close() error
}

// Reader hands over rows in batches, holding a bounded amount of memory whatever the number of rows.
type Reader interface {
	// Schema describes the columns of the batches, in the order asked for.
	Schema() []Column
	// Next returns the next batch, of at least one row, or ErrEndOfData. The batch and its cells are valid until the
	// next call. A slow source is handed over in small batches rather than held back until a batch is full. When ctx
	// ends, Next returns promptly and the Reader is of no further use.
	Next(ctx context.Context) (*Batch, error)
	// Close ends the read, also at the source, whether or not all rows were read. It is safe to call twice.
	Close() error
}

// Resume says how a read that broke off can go on.
type Resume string

// The ways to resume.
const (
	ResumeNone   Resume = "none"   // Only from the start.
	ResumeKey    Resume = "key"    // Strictly after a key, for objects whose Schema has one.
	ResumeOffset Resume = "offset" // At an offset; only for immutable files.
)

// Traits says what reads of a source can promise.
type Traits struct {
	Resume   Resume `json:"resume"`
	Snapshot bool   `json:"snapshot"` // One Read or Lookup sees one state of the object, whatever others write meanwhile.
	Since    bool   `json:"since"`    // Read honours ReadRequest.Since.
}

// Pending says what may still commit at a source behind the newest values that a read shows.
type Pending struct {
	Now    time.Time     // The clock of the source, in UTC, read before Oldest.
	Oldest time.Duration // Age of the oldest transaction that is open; 0 when there is none.
	// Complete: the account sees every open transaction. Otherwise Oldest is that of those it sees.
	Complete bool
}

// PendingSource is implemented by sources that can tell how old their oldest open transaction is.
type PendingSource interface {
	Pending(ctx context.Context) (Pending, error)
}

// ManySource is implemented by sources that describe many objects in few round trips.
type ManySource interface {
	// DescribeAll returns what Describe does for each of the objects, by the names they were asked for. Objects that are
	// missing are left out.
	DescribeAll(ctx context.Context, objects []string) (map[string]Schema, error)
}

// Probe is what a source says of itself.
type Probe struct {
	Product    string        `json:"product"`
	Version    string        `json:"version"`
	ServerTime time.Time     `json:"server_time"` // UTC.
	Latency    time.Duration `json:"latency"`     // Of one round trip on an open connection, in nanoseconds.
	ReadOnly   bool          `json:"read_only"`   // The source itself confirmed that the hub's session cannot write.
	Encrypted  bool          `json:"encrypted"`   // The connection is encrypted, or does not leave the machine.
	Warnings   []Warning     `json:"warnings"`    // What the owner should mend or know; nil when nothing.
}

// Warning is a fact about a source that does not keep it from being read.
type Warning string

// The warnings.
const (
	WarnPrivileged   Warning = "account_privileged" // The account may do more than read: use one with SELECT only.
	WarnStandby      Warning = "standby"            // A replica: it may lag, and it may cancel long reads.
	WarnNotEncrypted Warning = "not_encrypted"      // Passwords and rows cross the network readable.
)

// ReadRequest asks for all rows of an object.
type ReadRequest struct {
	Object  string   // As in Table.Object.
	Columns []string // At least one, in the order wanted.
	// OrderBy are columns that contain a unique NOT NULL key, none of them nullable. Text is ordered by its bytes,
	// whatever the source's locale. nil for the source's own order, which cannot be resumed.
	OrderBy []string
	// After is the key, in lexical form and in the order of OrderBy, after which to go on, itself excluded. nil to start
	// at the first row.
	After []string
	// Since leaves out rows that have not changed since a mark; nil for all rows. Only where Traits.Since.
	Since *Since
	// Limit ends the read after that many rows, so that the source need not begin on the others; 0 for all rows.
	Limit int
}

// Since narrows a read to the rows whose Column is at least From, compared by the source itself, or NULL.
type Since struct {
	Column string // Of an ordered kind: a number, a date or a time.
	From   string // In lexical form.
}

// LookupRequest asks for the rows with certain keys.
type LookupRequest struct {
	Object     string   // As in Table.Object.
	Columns    []string // At least one, in the order wanted.
	KeyColumns []string // At least one.
	// Keys are the keys wanted, each in lexical form and in the order of KeyColumns. A key given twice counts once; a key
	// without a row yields nothing; a key that is not unique at the source yields all its rows. Rows come in any order.
	Keys [][]string
}
