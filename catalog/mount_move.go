package catalog

import (
	"slices"

	"github.com/shuqiao/shuqiao/authz"
)

// MountStep names one thing that is done to a mount.
type MountStep string

// The steps of a mount. Pass and fail are the two ends of a check.
const (
	MountEdit     MountStep = "edit"
	MountCheck    MountStep = "check"
	MountPass     MountStep = "pass"
	MountFail     MountStep = "fail"
	MountActivate MountStep = "activate"
	MountReject   MountStep = "reject"
	MountSuspend  MountStep = "suspend"
	MountResume   MountStep = "resume"
	MountRemove   MountStep = "remove"
)

// MountMove is one allowed change of a mount's state.
type MountMove struct {
	From   MountState
	Step   MountStep
	To     MountState
	Who    authz.Action // What the actor must be allowed; "" for moves of the hub itself.
	Reason bool         // A reason must be given.
}

// mountMoves is the life cycle of a mount (domain rule 2.8). A check that dies with its process leaves "checking", from
// where it can be started again.
//
//	draft ──check──▶ checking ──pass──▶ submitted ──activate──▶ active ◀──suspend/resume──▶ suspended
//	  ▲ └──────fail──────┘                 └──reject──▶ rejected             every state ──remove──▶ removed
//	  └── edit, from draft, checking, submitted, rejected, suspended
//	suspended ──check──▶ checking: a source whose columns have changed is looked at again before it feeds the entry
var mountMoves = []MountMove{
	{From: MountDraft, Step: MountEdit, To: MountDraft, Who: authz.MountWrite},
	{From: MountChecking, Step: MountEdit, To: MountDraft, Who: authz.MountWrite},
	{From: MountSubmitted, Step: MountEdit, To: MountDraft, Who: authz.MountWrite},
	{From: MountRejected, Step: MountEdit, To: MountDraft, Who: authz.MountWrite},
	{From: MountDraft, Step: MountCheck, To: MountChecking, Who: authz.MountWrite},
	{From: MountChecking, Step: MountCheck, To: MountChecking, Who: authz.MountWrite},
	{From: MountSubmitted, Step: MountCheck, To: MountChecking, Who: authz.MountWrite},
	{From: MountChecking, Step: MountPass, To: MountSubmitted},
	{From: MountChecking, Step: MountFail, To: MountDraft},
	{From: MountSubmitted, Step: MountActivate, To: MountActive, Who: authz.MountActivate},
	{From: MountSubmitted, Step: MountReject, To: MountRejected, Who: authz.MountActivate, Reason: true},
	{From: MountActive, Step: MountSuspend, To: MountSuspended, Who: authz.MountActivate, Reason: true},
	{From: MountSuspended, Step: MountResume, To: MountActive, Who: authz.MountActivate},
	{From: MountSuspended, Step: MountCheck, To: MountChecking, Who: authz.MountWrite},
	{From: MountSuspended, Step: MountEdit, To: MountDraft, Who: authz.MountWrite},
	{From: MountDraft, Step: MountRemove, To: MountRemoved, Who: authz.MountWrite},
	{From: MountChecking, Step: MountRemove, To: MountRemoved, Who: authz.MountWrite},
	{From: MountSubmitted, Step: MountRemove, To: MountRemoved, Who: authz.MountWrite},
	{From: MountRejected, Step: MountRemove, To: MountRemoved, Who: authz.MountWrite},
	{From: MountActive, Step: MountRemove, To: MountRemoved, Who: authz.MountActivate, Reason: true},
	{From: MountSuspended, Step: MountRemove, To: MountRemoved, Who: authz.MountActivate, Reason: true},
}

// MountMoves returns the table of allowed moves, for pages and documentation.
func MountMoves() []MountMove { return slices.Clone(mountMoves) }

// findMountMove returns the move of a step from a state, or a Conflict fault "illegal_move" like findMove.
func findMountMove(from MountState, step MountStep) (MountMove, error) {
	var allowed []string
	for _, m := range mountMoves {
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
	return MountMove{}, illegalMove("mount", string(from), string(step), allowed)
}
