package exchange

import (
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/exchange/engine"
	"github.com/shuqiao/shuqiao/exchange/store"
	"github.com/shuqiao/shuqiao/exchange/transform"
)

// RunKind is what a run does.
type RunKind string

// The kinds of runs.
const (
	RunCollect   RunKind = "collect"
	RunDeliver   RunKind = "deliver"
	RunReconcile RunKind = "reconcile" // Compares the store with a fresh read of the source and changes nothing.
)

// Trigger is why there is a run.
type Trigger string

// The triggers.
const (
	BySchedule Trigger = "schedule"
	ByRequest  Trigger = "request"
	ByConfirm  Trigger = "confirm" // Somebody confirmed the deletes that an earlier run was refused.
	ByRepair   Trigger = "repair"  // A comparison found differences.
)

// RunState is the state of a run.
type RunState string

// The states of a run.
const (
	Queued      RunState = "queued"      // Waits for a worker: the first time, for another attempt, or after its node died.
	Running     RunState = "running"     // A worker holds the lease and reads, stages or merges.
	Reconciling RunState = "reconciling" // The merge is committed; both ends are being compared.
	Succeeded   RunState = "succeeded"   // Done; rejects alone leave a run succeeded.
	Partial     RunState = "partial"     // Merged, but the comparison shows a difference that nothing explains, or could not be made.
	Failed      RunState = "failed"      // Nothing was changed; Error says why.
	Cancelled   RunState = "cancelled"   // Somebody stopped it before its merge; nothing was changed.
)

// RunStates returns every state once, for tables that must be complete.
func RunStates() []RunState {
	return []RunState{Queued, Running, Reconciling, Succeeded, Partial, Failed, Cancelled}
}

// Final reports whether a run in this state is over.
func (s RunState) Final() bool {
	return s == Succeeded || s == Partial || s == Failed || s == Cancelled
}

// RunAction names one thing that happens to a run.
type RunAction string

// The actions.
const (
	RunClaim    RunAction = "claim"     // A worker takes it and the lease.
	RunResume   RunAction = "resume"    // A worker takes a run that is merged already: only its comparison is left.
	RunMerge    RunAction = "merge"     // The merging transaction commits.
	RunSucceed  RunAction = "succeed"   // Both ends are equal, or differ only as stated.
	RunDiffer   RunAction = "differ"    // Both ends differ.
	RunRetry    RunAction = "retry"     // It failed, and another attempt may pass.
	RunGiveBack RunAction = "give_back" // Its node stops or is dead.
	RunFail     RunAction = "fail"      // It failed for good.
	RunCancel   RunAction = "cancel"    // Somebody stopped it.
)

// RunActions returns every action once, for tables that must be complete.
func RunActions() []RunAction {
	return []RunAction{RunClaim, RunResume, RunMerge, RunSucceed, RunDiffer, RunRetry, RunGiveBack, RunFail, RunCancel}
}

// RunMove is one allowed change of a run's state.
type RunMove struct {
	From   RunState
	Action RunAction
	To     RunState
}

// runMoves is the life cycle of a run:
//
//	           ┌───────────retry, give_back──────────┐
//	           ▼                                     │
//	queued ──claim──▶ running ──merge──▶ reconciling ┤
//	   │ └───────resume──────────────────▶   ▲       ├──succeed──▶ succeeded
//	   │                │                    │       └──differ, fail──▶ partial
//	   └──cancel──▶ cancelled ◀──cancel── running ──fail──▶ failed
//
// A reconcile run has nothing to merge: it goes from running to succeeded or partial. After its merge a run can neither be
// cancelled nor fail: its rows are there.
var runMoves = []RunMove{
	{Queued, RunClaim, Running},
	{Queued, RunResume, Reconciling},
	{Queued, RunCancel, Cancelled},
	{Running, RunMerge, Reconciling},
	{Running, RunSucceed, Succeeded},
	{Running, RunDiffer, Partial},
	{Running, RunRetry, Queued},
	{Running, RunGiveBack, Queued},
	{Running, RunFail, Failed},
	{Running, RunCancel, Cancelled},
	{Reconciling, RunSucceed, Succeeded},
	{Reconciling, RunDiffer, Partial},
	{Reconciling, RunRetry, Queued},
	{Reconciling, RunGiveBack, Queued},
	{Reconciling, RunFail, Partial},
}

// RunMoves returns the table of allowed moves, for pages and documentation.
func RunMoves() []RunMove { return slices.Clone(runMoves) }

// findRunMove returns the move of an action from a state, or a Conflict fault "illegal_move" whose detail "allowed" names
// what a person can do now.
func findRunMove(from RunState, action RunAction) (RunMove, error) {
	var allowed []string
	for _, m := range runMoves {
		if m.From != from {
			continue
		}
		if m.Action == action {
			return m, nil
		}
		if m.Action == RunCancel {
			allowed = append(allowed, string(m.Action))
		}
	}
	return RunMove{}, illegalMove("run", string(from), allowed)
}

// Run is one execution of a task. Its id stays the same over all attempts.
type Run struct {
	ID              uuid.UUID       `json:"id"`
	TaskID          uuid.UUID       `json:"task_id"`
	ResourceID      uuid.UUID       `json:"resource_id"`
	Kind            RunKind         `json:"kind"`
	Trigger         Trigger         `json:"trigger"`
	RequestedBy     string          `json:"requested_by"` // User id, or the name of a part of the hub.
	State           RunState        `json:"state"`
	Priority        int             `json:"priority"`
	Attempt         int             `json:"attempt"`  // Counts every worker that took it.
	Failures        int             `json:"failures"` // Attempts that ended by an error.
	NotBefore       time.Time       `json:"not_before"`
	NodeID          *uuid.UUID      `json:"node_id,omitempty"`
	Stage           engine.Stage    `json:"stage"`    // Of the current or last attempt; "" before the first.
	Progress        engine.Progress `json:"progress"` // As of at most half a second ago.
	Counts          store.Counts    `json:"counts"`   // Of the merge; zero before it.
	Hashes          RunHashes       `json:"hashes"`
	Error           *engine.Failure `json:"error,omitempty"` // Of the last attempt that failed.
	CancelRequested bool            `json:"cancel_requested"`
	ConfirmDeletes  *int64          `json:"confirm_deletes,omitempty"` // How many deletes somebody confirmed.
	OfRun           *uuid.UUID      `json:"of_run,omitempty"`          // The run that this one confirms or repairs.
	QueuedAt        time.Time       `json:"queued_at"`
	StartedAt       *time.Time      `json:"started_at,omitempty"` // Of the first attempt.
	MergedAt        *time.Time      `json:"merged_at,omitempty"`
	FinishedAt      *time.Time      `json:"finished_at,omitempty"`
}

// RunHashes are the content sums of both ends as the last comparison of the run found them.
type RunHashes struct {
	Source *transform.Sum `json:"source,omitempty"` // Of the accepted rows read.
	Store  *transform.Sum `json:"store,omitempty"`  // Of the stored rows that are not held.
}

// NeedsConfirmation reports whether the run was refused because it would delete too much, and how many rows.
func (r Run) NeedsConfirmation() bool {
	return r.State == Failed && r.Error != nil && r.Error.Code == "delete_guard"
}
