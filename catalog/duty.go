package catalog

import (
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/authz"
)

// DutyKind says what a department states about the register of sources.
type DutyKind string

// The kinds.
const (
	DutyClaimed   DutyKind = "claim"   // 认责: the department is the source itself, and nobody is registered.
	DutyContested DutyKind = "contest" // 异议: what is registered is wrong.
)

// DutyKinds returns every kind once, for tables that must be complete.
func DutyKinds() []DutyKind { return []DutyKind{DutyClaimed, DutyContested} }

// dutyVerbs are what the log calls the statement of each kind.
var dutyVerbs = map[DutyKind]string{DutyClaimed: "declare", DutyContested: "contest"}

// DutyState is the state of a claim. DutyMoves lists how it changes.
type DutyState string

// The states of a claim.
const (
	DutyOpen      DutyState = "open"
	DutyApproved  DutyState = "approved"
	DutyRefused   DutyState = "refused"
	DutyWithdrawn DutyState = "withdrawn"
)

// DutyStates returns every state once.
func DutyStates() []DutyState {
	return []DutyState{DutyOpen, DutyApproved, DutyRefused, DutyWithdrawn}
}

// DutyStep names one thing that is done to a claim.
type DutyStep string

// The steps.
const (
	DutyApprove  DutyStep = "approve"
	DutyRefuse   DutyStep = "refuse"
	DutyWithdraw DutyStep = "withdraw"
)

// DutySteps returns every step once.
func DutySteps() []DutyStep { return []DutyStep{DutyApprove, DutyRefuse, DutyWithdraw} }

// DutyMove is one allowed change of a claim's state.
type DutyMove struct {
	From   DutyState
	Step   DutyStep
	To     DutyState
	Who    authz.Action // What the actor must be allowed.
	Reason bool         // A reason must be given.
}

// dutyMoves is the life of a claim. Approving writes the register in the same transaction:
//
//	        ┌──approve──▶ approved
//	open ───┼──refuse───▶ refused
//	        └──withdraw─▶ withdrawn
var dutyMoves = []DutyMove{
	{From: DutyOpen, Step: DutyApprove, To: DutyApproved, Who: authz.DutyDecide, Reason: true},
	{From: DutyOpen, Step: DutyRefuse, To: DutyRefused, Who: authz.DutyDecide, Reason: true},
	{From: DutyOpen, Step: DutyWithdraw, To: DutyWithdrawn, Who: authz.DutyDeclare},
}

// DutyMoves returns the table of allowed moves, for pages and documentation.
func DutyMoves() []DutyMove { return slices.Clone(dutyMoves) }

// findDutyMove returns the move of a step from a state, or a Conflict fault "illegal_move" with what is possible now.
func findDutyMove(from DutyState, step DutyStep) (DutyMove, error) {
	var allowed []string
	for _, m := range dutyMoves {
		if m.From != from {
			continue
		}
		if m.Step == step {
			return m, nil
		}
		allowed = append(allowed, string(m.Step))
	}
	return DutyMove{}, illegalMove("claim", string(from), string(step), allowed)
}

// dutyAction returns what an actor of the step must be allowed. Each step has one action whatever the state.
func dutyAction(step DutyStep) authz.Action {
	i := slices.IndexFunc(dutyMoves, func(m DutyMove) bool { return m.Step == step })
	return dutyMoves[i].Who
}

// DutyClaim is what a department states about one line of the register of sources, and what became of it.
type DutyClaim struct {
	ID           uuid.UUID  `json:"id"`
	Kind         DutyKind   `json:"kind"`
	Element      string     `json:"element"` // Code of a data element.
	ElementName  string     `json:"element_name"`
	Division     string     `json:"division"`
	DepartmentID uuid.UUID  `json:"department_id"` // Who states it.
	Department   string     `json:"department"`
	ProposedID   uuid.UUID  `json:"proposed_dept_id"` // Who should be the source; zero where an objection names nobody.
	Proposed     string     `json:"proposed"`
	ResourceID   uuid.UUID  `json:"resource_id"` // The entry by which the proposed department offers it, or zero.
	OwnerID      uuid.UUID  `json:"owner_dept_id"`
	Owner        string     `json:"owner"` // Who is registered now for exactly this division, or "".
	Reason       string     `json:"reason"`
	State        DutyState  `json:"state"`
	Decision     string     `json:"decision"` // The authority's reason.
	MadeBy       uuid.UUID  `json:"made_by"`
	DecidedBy    uuid.UUID  `json:"decided_by"`
	DecidedAt    *time.Time `json:"decided_at,omitempty"`
	RowVersion   int64      `json:"row_version"`
	CreatedAt    time.Time  `json:"created_at"`
	UpdatedAt    time.Time  `json:"updated_at"`
}

// NewDutyClaim is what a department states.
type NewDutyClaim struct {
	Kind       DutyKind  `json:"kind"`
	Element    string    `json:"element"`
	Division   string    `json:"division"`         // "" means the department's own.
	ProposedID uuid.UUID `json:"proposed_dept_id"` // Of objections; zero names nobody.
	ResourceID uuid.UUID `json:"resource_id"`
	Reason     string    `json:"reason"`
}

// DutyFilter narrows a list of claims. Empty fields do not narrow.
type DutyFilter struct {
	State   DutyState
	Element string
}
