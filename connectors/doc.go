// Package connectors is how the hub talks to the systems of departments: the contract a driver implements, the
// declarative specification of its settings, the registry, and the portable Connection that callers use.
//
// A driver (one package per system below this one) is small and returns raw errors. Open wraps it: the Connection adds
// time limits, error kinds and codes, and hides every secret and value from error text, once for all drivers. The shared
// suite in connectors/connectortest proves that a driver keeps the contract.
//
// # Cells
//
// Rows travel as cells: byte strings in one lexical form per Kind, the same whatever the source. SQL NULL is a nil cell;
// an empty string is an empty, non-nil cell.
//
//	Kind            form of a cell                                          example
//	text            as stored, UTF-8, without the padding of CHAR(n)       王小明
//	integer         -?digits                                                -42
//	decimal         -?digits[.digits], scale as stored, no exponent         1200.50
//	float           shortest text that reads back as the same number        1.5e-07
//	bool            true | false                                            true
//	date            YYYY-MM-DD                                              2026-02-28
//	timestamp       YYYY-MM-DDTHH:MM:SS[.ffffff]Z, always UTC               2026-02-28T16:00:00.250000Z
//	local_timestamp YYYY-MM-DDTHH:MM:SS[.ffffff], no zone                   2026-03-01T00:00:00
//	time            HH:MM:SS[.ffffff], no zone                              09:30:00
//	bytes           the raw bytes                                           (binary)
//	geometry        raw WKB or EWKB                                         (binary)
//	json            JSON text                                               {"a":1}
//	other           the source's own text                                   1 day 02:00:00
//
// A fraction of a second is left out when it is zero and has six digits otherwise. A value without such a form (NaN and
// infinity, a year before 1 or after 9999) is handed over in the source's own text: it does not match the form of its
// kind, so that conversion refuses that one row with a reason instead of the whole read.
//
// # Errors
//
// Every error of a Connection and its Streams is a *fault.Fault of layer "source" with one of the Code constants, except
// when the caller's own context ended: then errors.Is finds context.Canceled or context.DeadlineExceeded. Retryable
// tells whether the same call may succeed later without anyone mending anything.
package connectors
