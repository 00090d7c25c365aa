package sharing

import (
	"slices"
	"strings"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// Step names one thing that is done to a request and kept in its history.
type Step string

// The steps that move a request, or that only one state allows.
const (
	StepSubmit        Step = "submit"
	StepReturn        Step = "return"
	StepSign          Step = "sign"
	StepGrantStanding Step = "grant_standing" // By the hub, in the transaction of the signature.
	StepWithdraw      Step = "withdraw"
	StepAccept        Step = "accept"
	StepSupplement    Step = "supplement"
	StepResubmit      Step = "resubmit"
	StepExtend        Step = "extend"
	StepApprove       Step = "approve"
	StepRefuse        Step = "refuse"
)

// The steps outside the table of moves.
const (
	StepCreate Step = "create"
	StepEdit   Step = "edit"

	StepHandOver Step = "hand_over" // The applicant has left; somebody else goes on.
)

// Side is on whose behalf a step is taken. Provider and consumer follow from who owns the client and the resource.
type Side string

// The sides.
const (
	ConsumerSide  Side = "consumer"
	ProviderSide  Side = "provider"
	AuthoritySide Side = "authority"
	HubSide       Side = "hub"
)

// Move is one allowed change of a request.
type Move struct {
	From   RequestState
	Step   Step
	To     RequestState
	Who    authz.Action // What the actor must be allowed; "" for moves of the hub itself.
	Side   Side
	Reason bool // A reason must be given.
	Review bool // The actor must not have made, edited or submitted the request.
}

// requestMoves is the life of a request (domain table 5.2, Order 809 Art 20 and 21); docs/states.md draws it.
var requestMoves = []Move{
	{From: RequestDraft, Step: StepSubmit, To: RequestDeptReview, Who: authz.RequestSubmit, Side: ConsumerSide},
	{From: RequestDraft, Step: StepWithdraw, To: RequestWithdrawn, Who: authz.RequestWithdraw, Side: ConsumerSide},
	{From: RequestDeptReview, Step: StepReturn, To: RequestDraft, Who: authz.RequestReturn, Side: ConsumerSide, Reason: true, Review: true},
	{From: RequestDeptReview, Step: StepSign, To: RequestPendingAcceptance, Who: authz.RequestSign, Side: ConsumerSide, Review: true},
	{From: RequestDeptReview, Step: StepWithdraw, To: RequestWithdrawn, Who: authz.RequestWithdraw, Side: ConsumerSide},
	{From: RequestPendingAcceptance, Step: StepGrantStanding, To: RequestApproved, Side: HubSide},
	{From: RequestPendingAcceptance, Step: StepAccept, To: RequestInReview, Who: authz.RequestAccept, Side: AuthoritySide, Review: true},
	{From: RequestPendingAcceptance, Step: StepSupplement, To: RequestSupplementRequired, Who: authz.RequestSupplement, Side: AuthoritySide, Reason: true, Review: true},
	{From: RequestPendingAcceptance, Step: StepExtend, To: RequestPendingAcceptance, Who: authz.RequestExtend, Side: AuthoritySide, Reason: true, Review: true},
	{From: RequestPendingAcceptance, Step: StepWithdraw, To: RequestWithdrawn, Who: authz.RequestWithdraw, Side: ConsumerSide},
	{From: RequestInReview, Step: StepApprove, To: RequestApproved, Who: authz.RequestApprove, Side: ProviderSide, Review: true},
	{From: RequestInReview, Step: StepRefuse, To: RequestRefused, Who: authz.RequestRefuse, Side: ProviderSide, Reason: true, Review: true},
	{From: RequestInReview, Step: StepSupplement, To: RequestSupplementRequired, Who: authz.RequestSupplement, Side: AuthoritySide, Reason: true, Review: true},
	{From: RequestInReview, Step: StepExtend, To: RequestInReview, Who: authz.RequestExtend, Side: AuthoritySide, Reason: true, Review: true},
	{From: RequestInReview, Step: StepWithdraw, To: RequestWithdrawn, Who: authz.RequestWithdraw, Side: ConsumerSide},
	{From: RequestSupplementRequired, Step: StepResubmit, To: RequestDeptReview, Who: authz.RequestSubmit, Side: ConsumerSide},
	{From: RequestSupplementRequired, Step: StepWithdraw, To: RequestWithdrawn, Who: authz.RequestWithdraw, Side: ConsumerSide},
}

// Moves returns the table of a request's moves, for pages and documentation.
func Moves() []Move { return slices.Clone(requestMoves) }

// Steps returns the steps that people can take, each once, in the order of the table.
func Steps() []Step {
	var steps []Step
	for _, m := range requestMoves {
		if m.Who != "" && !slices.Contains(steps, m.Step) {
			steps = append(steps, m.Step)
		}
	}
	return steps
}

// stepRule returns the right and the side of a step that people take. Each step has one of both whatever the state.
func stepRule(step Step) (authz.Action, Side) {
	for _, m := range requestMoves {
		if m.Step == step {
			return m.Who, m.Side
		}
	}
	return "", ""
}

// findMove returns the move of a step from a state, or a Conflict fault "illegal_move" whose detail "allowed" lists the
// steps possible now, separated by commas, and "state" the state.
func findMove(from RequestState, step Step) (Move, error) {
	var allowed []string
	for _, m := range requestMoves {
		if m.From != from {
			continue
		}
		if m.Step == step {
			return m, nil
		}
		if m.Who != "" {
			allowed = append(allowed, string(m.Step))
		}
	}
	return Move{}, illegalMove("request", string(from), string(step), allowed)
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

// editable reports whether people of the consumer may change the terms in that state.
func editable(s RequestState) bool { return s == RequestDraft || s == RequestSupplementRequired }
