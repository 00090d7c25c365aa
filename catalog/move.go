package catalog

import (
	"slices"
	"strings"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// Step names one thing that is done to a version of a resource and kept in its review history.
type Step string

// The steps that move a version from state to state.
const (
	StepSubmit      Step = "submit"
	StepRecall      Step = "recall"
	StepApprove     Step = "approve"
	StepReturnDept  Step = "return_dept"
	StepPublish     Step = "publish"
	StepReturn      Step = "return"
	StepSupersede   Step = "supersede" // By the hub: a newer version of the entry is published.
	StepTakeOffline Step = "take_offline"
	StepRepublish   Step = "republish"
	StepRevoke      Step = "revoke"
)

// The steps that leave the state as it is: who made or changed what is reviewed.
const (
	StepCreate Step = "create"
	StepEdit   Step = "edit"

	StepHandOver Step = "hand_over" // The maker has left; somebody else goes on.
)

// Move is one allowed change of a version's state.
type Move struct {
	From   State
	Step   Step
	To     State
	Who    authz.Action // What the actor must be allowed; "" for moves of the hub itself.
	Reason bool         // A reason must be given.
	Review bool         // The actor must not have made, edited or submitted the version.
}

// moves is the life cycle of a version (domain table 2.7):
//
//	draft ──submit──▶ dept_review ──approve──▶ platform_review ──publish──▶ published ──take_offline──▶ offline
//	  ▲                │  │  ▲                       │                       │    ▲                     │   │
//	  └────recall──────┘  │  └─────submit────┐       │                       │    └──────republish──────┘   │
//	                      └──return_dept──▶ returned ◀──return──┘            └──▶ superseded       revoked ◀┘
var moves = []Move{
	{From: Draft, Step: StepSubmit, To: DeptReview, Who: authz.ResourceSubmit},
	{From: Returned, Step: StepSubmit, To: DeptReview, Who: authz.ResourceSubmit},
	{From: DeptReview, Step: StepRecall, To: Draft, Who: authz.ResourceRecall},
	{From: DeptReview, Step: StepApprove, To: PlatformReview, Who: authz.ResourceApprove, Review: true},
	{From: DeptReview, Step: StepReturnDept, To: Returned, Who: authz.ResourceReturnDept, Reason: true, Review: true},
	{From: PlatformReview, Step: StepPublish, To: Published, Who: authz.ResourcePublish, Review: true},
	{From: PlatformReview, Step: StepReturn, To: Returned, Who: authz.ResourceReturn, Reason: true, Review: true},
	{From: Published, Step: StepSupersede, To: Superseded},
	{From: Published, Step: StepTakeOffline, To: Offline, Who: authz.ResourceTakeOffline, Reason: true},
	{From: Offline, Step: StepRepublish, To: Published, Who: authz.ResourceRepublish},
	{From: Offline, Step: StepRevoke, To: Revoked, Who: authz.ResourceRevoke, Reason: true},
}

// Moves returns the table of allowed moves, for pages and documentation.
func Moves() []Move { return slices.Clone(moves) }

// Next returns the steps people can take from a state, in the order of the table. It is empty for final states.
func Next(from State) []Step {
	var steps []Step
	for _, m := range moves {
		if m.From == from && m.Who != "" {
			steps = append(steps, m.Step)
		}
	}
	return steps
}

// findMove returns the move of a step from a state, or a Conflict fault "illegal_move" whose detail "allowed" lists the
// steps possible now, separated by commas, and "state" the state.
func findMove(from State, step Step) (Move, error) {
	for _, m := range moves {
		if m.From == from && m.Step == step {
			return m, nil
		}
	}
	allowed := make([]string, 0, 3)
	for _, s := range Next(from) {
		allowed = append(allowed, string(s))
	}
	return Move{}, illegalMove("entry", string(from), string(step), allowed)
}

// actionOf returns what an actor of the step must be allowed. Each step has one action whatever the state.
func actionOf(step Step) authz.Action {
	for _, m := range moves {
		if m.Step == step {
			return m.Who
		}
	}
	return ""
}

// illegalMove says that a thing in state from does not allow step now. from is shown: callers can read it anyway.
func illegalMove(what, from, step string, allowed []string) error {
	message := "in state " + from + " this " + what + " does not allow " + step
	if len(allowed) > 0 {
		message += "; possible now: " + strings.Join(allowed, ", ")
	} else {
		message += "; this state is final"
	}
	return fault.New(fault.Conflict, "illegal_move", "%s", message).With("allowed", strings.Join(allowed, ",")).With("state", from)
}

// editable reports whether people of the department may change a version in that state.
func editable(s State) bool { return s == Draft || s == Returned }

// visible reports whether a version in that state is, or has been, what others see of its entry.
func visible(s State) bool { return s == Published || s == Offline || s == Revoked }
