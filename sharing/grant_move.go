package sharing

import (
	"slices"

	"github.com/shuqiao/shuqiao/authz"
)

// GrantStep names one thing that is done to a grant and kept in its history.
type GrantStep string

// The steps of a grant.
const (
	GrantCreate    GrantStep = "create"
	GrantSuspend   GrantStep = "suspend"
	GrantResume    GrantStep = "resume"
	GrantTerminate GrantStep = "terminate"
	GrantExpire    GrantStep = "expire"
	GrantRevoke    GrantStep = "revoke" // By the hub: the resource was revoked.
)

// GrantMove is one allowed change of a grant's state. The side of the actor is the provider's or the authority's, except
// for moves of the hub.
type GrantMove struct {
	From   GrantState
	Step   GrantStep
	To     GrantState
	Who    authz.Action
	Reason bool
}

// grantMoves is the life of a grant from its approval to its end (domain table 5.2, Order 809 Art 27).
var grantMoves = []GrantMove{
	{GrantActive, GrantSuspend, GrantSuspended, authz.GrantSuspend, true},
	{GrantSuspended, GrantResume, GrantActive, authz.GrantResume, false},
	{GrantPendingDelivery, GrantTerminate, GrantTerminated, authz.GrantTerminate, true},
	{GrantActive, GrantTerminate, GrantTerminated, authz.GrantTerminate, true},
	{GrantSuspended, GrantTerminate, GrantTerminated, authz.GrantTerminate, true},
	{GrantPendingDelivery, GrantExpire, GrantExpired, authz.GrantExpire, false},
	{GrantActive, GrantExpire, GrantExpired, authz.GrantExpire, false},
	{GrantSuspended, GrantExpire, GrantExpired, authz.GrantExpire, false},
	{GrantPendingDelivery, GrantRevoke, GrantTerminated, authz.GrantExpire, false},
	{GrantActive, GrantRevoke, GrantTerminated, authz.GrantExpire, false},
	{GrantSuspended, GrantRevoke, GrantTerminated, authz.GrantExpire, false},
}

// GrantMoves returns the table of a grant's moves, for pages and documentation.
func GrantMoves() []GrantMove { return slices.Clone(grantMoves) }

// GrantStates returns every state of a grant once.
func GrantStates() []GrantState {
	return []GrantState{
		GrantPendingDelivery, GrantActive, GrantSuspended, GrantExpired, GrantTerminated, GrantDisposing, GrantClosed,
	}
}

// GrantSteps returns every step of the table once.
func GrantSteps() []GrantStep {
	return []GrantStep{GrantSuspend, GrantResume, GrantTerminate, GrantExpire, GrantRevoke}
}

// findGrantMove returns the move of a step from a state, or the Conflict fault "illegal_move" with the steps possible now.
func findGrantMove(from GrantState, step GrantStep) (GrantMove, error) {
	var allowed []string
	for _, m := range grantMoves {
		if m.From != from {
			continue
		}
		if m.Step == step {
			return m, nil
		}
		if m.Who != authz.GrantExpire {
			allowed = append(allowed, string(m.Step))
		}
	}
	return GrantMove{}, illegalMove("grant", string(from), string(step), allowed)
}
