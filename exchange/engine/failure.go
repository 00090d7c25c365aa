package engine

import (
	"context"
	"errors"

	"github.com/shuqiao/shuqiao/connectors"
	"github.com/shuqiao/shuqiao/exchange/store"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// Stage is where in a run something happened.
type Stage string

// The stages of a run.
const (
	StageRead      Stage = "read"
	StageStage     Stage = "stage" // Settling what was read: duplicates, indexes.
	StageMerge     Stage = "merge"
	StageReconcile Stage = "reconcile"
)

// Side says whose system must be looked at.
type Side string

// The sides of a run.
const (
	SideSource Side = "source"
	SideHub    Side = "hub"
)

// Failure is why a run failed, for the people of both sides: where it happened, whose system it is, what to do. It holds
// no row contents and no credentials.
type Failure struct {
	Stage     Stage             `json:"stage"`
	Side      Side              `json:"side"`
	Object    string            `json:"object"` // The source object or store table.
	Code      string            `json:"code"`
	Message   string            `json:"message"`
	Advice    string            `json:"advice"`
	Retryable bool              `json:"retryable"` // Another attempt may pass without anybody doing anything.
	Detail    map[string]string `json:"detail,omitempty"`
	cause     error
}

// Error is for logs.
func (f *Failure) Error() string {
	text := string(f.Stage) + " " + f.Code
	if f.cause != nil {
		text += ": " + f.cause.Error()
	}
	return text
}

// Unwrap returns the cause.
func (f *Failure) Unwrap() error { return f.cause }

// advice is what people should do, by code. Codes without an entry get the advice of their side.
var advice = map[string]string{
	"source_down":           "check that the department's database runs and that the hub can reach it; the last good data stay served",
	"source_timeout":        "the source answers too slowly: check its load and locks, or give it a replica to read from",
	"source_auth":           "the account or password is refused: ask the department for the current ones and update the source",
	"source_object_missing": "the table is gone or renamed: have it restored, then runs go on by themselves, or mount the entry on the new one",
	"source_column_missing": "a column is gone or renamed: have it restored, then runs go on by themselves, or change the entry and mount it anew",
	"source_permission":     "the account may not read the table: ask the department to grant SELECT",
	"source_not_allowed":    "correct the address of the source, or ask the hub's operator to name its network in the setting source-networks",
	"schema_changed":        "a column changed its type or is narrower: have it restored, then runs go on by themselves, or change the entry and mount it anew",
	"delete_guard":          "see whether the source really lost these rows; if so confirm the run, otherwise have the source mended",
	"staging_lost":          "nothing was lost for good: the next attempt reads from the start",
	"store_busy":            "long reads hold the rows of this resource; the hub tries again by itself, and an operator can see and end them",
	"try_again":             "something moved meanwhile; the hub tries again by itself",
	"incremental_source":    "let the task collect in full, or mount an object of a kind of source that can be read since a mark",
	"incremental_watermark": "name a watermark column that is a date, a time or a number, or let the task collect in full",
	"incremental_key":       "ask the department to declare the key columns unique and not null, or let the task collect in full",
	"incremental_deletes":   "name the columns of the delete table that hold the key items, one for each, in their order",
	"not_mounted":           "mount the resource on a source and activate the mount",
	"forbidden":             "policy does not allow this collect: see the sharing type and state of the resource and the rules",
	"policy_stale":          "the hub could not confirm its policy; it tries again by itself",
}

// NewFailure names stage and side of an error that happened around a run. Lost leases, cancelled contexts and failures pass
// unchanged; nil stays nil.
func NewFailure(stage Stage, side Side, object string, err error) error {
	return newFailure(stage, side, object, err)
}

// newFailure names stage and side of an error. Lost leases, cancelled contexts and failures pass unchanged.
func newFailure(stage Stage, side Side, object string, err error) error {
	if err == nil || errors.Is(err, store.ErrFenced) || errors.Is(err, context.Canceled) {
		return err
	}
	if f, ok := errors.AsType[*Failure](err); ok {
		return f
	}
	f := &Failure{Stage: stage, Side: side, Object: object, Code: fault.CodeOf(err), cause: err, Retryable: connectors.Retryable(err)}
	if known, ok := errors.AsType[*fault.Fault](err); ok {
		f.Message, f.Detail = known.Message, known.Detail
	}
	if errors.Is(err, store.ErrStagingLost) {
		f.Code, f.Retryable = "staging_lost", true
		f.Message = "the staged rows were lost before they could be merged"
	}
	if side == SideHub && (fault.Is(err, fault.Unavailable) || f.Code == "try_again") {
		f.Retryable = true
	}
	if f.Message == "" {
		f.Message = "the hub itself failed; its log has the details under this run"
		f.Retryable = true
	}
	f.Advice = advice[f.Code]
	if f.Advice == "" {
		f.Advice = map[Side]string{
			SideSource: "ask the department that runs the source, naming this code",
			SideHub:    "ask the operators of the hub, naming this run",
		}[side]
	}
	return f
}
