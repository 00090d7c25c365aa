package connectors

import (
	"errors"
	"slices"

	"github.com/shuqiao/shuqiao/internal/fault"
)

// The codes of faults that come from a source.
const (
	CodeDown          = "source_down"
	CodeTimeout       = "source_timeout"
	CodeAuth          = "source_auth"
	CodeObjectMissing = "source_object_missing"
	CodeColumnMissing = "source_column_missing"
	CodePermission    = "source_permission"
	CodeOrder         = "source_order_not_unique"
	CodeRowTooLarge   = "source_row_too_large"
	CodeReadFailed    = "source_read_failed"
	CodeRefused       = "source_not_allowed"
)

// Failure is a driver's judgement of one of its raw errors.
type Failure struct {
	Code string // One of the Code constants.
	// Text tells an operator more, such as "SQLSTATE 42P01" or "connection refused". It holds no secret, no cell value
	// and no statement; "" where nothing more can be said safely.
	Text string
	// Passing: the same call may succeed later by itself. It only adds to CodeReadFailed: down and timeout always
	// pass, all others never do.
	Passing bool
}

// failures says, per code, which kind the fault has, whether it may pass by itself, and what to do next. Kinds are seen
// from the hub's caller: a wrong password of a source is a conflict with the source's state, not a failed sign-in here.
var failures = []struct {
	code    string
	kind    fault.Kind
	passing bool
	message string
}{
	{CodeDown, fault.Unavailable, true, "the source cannot be reached or closed the connection; check that it runs and that the network lets the hub through"},
	{CodeTimeout, fault.Unavailable, true, "the source did not answer in time; check its load and locks, or read an object that it can deliver faster"},
	{CodeAuth, fault.Conflict, false, "the source refused the account; correct user, password or its access rules"},
	{CodeObjectMissing, fault.Conflict, false, "the source has no such database, schema, table or view, or the account cannot see it; correct the name or the grants at the source"},
	{CodeColumnMissing, fault.Conflict, false, "the table or view has no such column; the source may have changed, so compare it with the mount"},
	{CodePermission, fault.Conflict, false, "the account may not read this; have the owner of the source grant SELECT"},
	{CodeOrder, fault.Conflict, false, "an ordered read needs columns that contain a unique not-null key of the table"},
	{CodeRowTooLarge, fault.TooLarge, false, "one row of the source exceeds 64 MiB; leave its largest column out"},
	{CodeRefused, fault.Conflict, false, "the hub may not connect to this address; its operator names the networks of sources in the setting source-networks"},
	{CodeReadFailed, fault.Unavailable, false, "the source reported an error while it was read; see the reason and its own log"},
}

var sentinels = []struct {
	err  error
	code string
}{
	{ErrObjectMissing, CodeObjectMissing},
	{ErrColumnMissing, CodeColumnMissing},
	{ErrOrderNotUnique, CodeOrder},
	{ErrRowTooLarge, CodeRowTooLarge},
	{ErrRefused, CodeRefused},
}

// errPassing marks faults that may pass by themselves; it is read by Retryable through errors.Is.
var errPassing = errors.New("may pass by itself")

// sourceCause is the innermost error of a source fault. It replaces the driver's raw error, whose text may hold values.
type sourceCause struct {
	text    string
	passing bool
}

func (c *sourceCause) Error() string { return c.text }

func (c *sourceCause) Is(target error) bool { return c.passing && target == errPassing }

// newFault builds the fault for a failure. An unknown code is treated as CodeReadFailed.
func newFault(f Failure) *fault.Fault {
	i := slices.IndexFunc(failures, func(row struct {
		code    string
		kind    fault.Kind
		passing bool
		message string
	},
	) bool {
		return row.code == f.Code
	})
	if i < 0 {
		i = len(failures) - 1
	}
	row := failures[i]
	out := fault.New(row.kind, row.code, "%s", row.message).At("source")
	cause := &sourceCause{text: f.Text, passing: row.passing || row.code == CodeReadFailed && f.Passing}
	if cause.text == "" {
		cause.text = "no further detail"
	}
	return out.Wrap(cause)
}

// Retryable reports whether err comes from a source and may pass by itself, so that the same call is worth repeating
// after a while. It is false for nil, for ended contexts and for everything that someone must mend first.
func Retryable(err error) bool { return errors.Is(err, errPassing) }
