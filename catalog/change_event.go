package catalog

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/internal/db"
)

// ChangeCause says why an entry has to be updated (Order 809, Art 17: law, decision or duties change; the others follow from it).
type ChangeCause string

// The causes of a change.
const (
	CauseLaw    ChangeCause = "law"    // A law, regulation or State Council decision.
	CauseDuty   ChangeCause = "duty"   // The department's duties.
	CauseSystem ChangeCause = "system" // The information system behind the data.
	CauseData   ChangeCause = "data"   // What the data hold, or how they are kept.
	CauseDrift  ChangeCause = "drift"  // The source was found to differ from what is published.
	CauseOther  ChangeCause = "other"
)

// ChangeCauses returns every cause once, in the order in which people are offered them.
func ChangeCauses() []ChangeCause {
	return []ChangeCause{CauseLaw, CauseDuty, CauseSystem, CauseData, CauseDrift, CauseOther}
}

// ChangeState is the state of a change event.
type ChangeState string

// The states of a change event.
const (
	ChangeOpen      ChangeState = "open"      // The update of the entry is awaited.
	ChangeSubmitted ChangeState = "submitted" // The authority has received it.
	ChangeDone      ChangeState = "done"      // It is published.
	ChangeWithdrawn ChangeState = "withdrawn" // There was nothing to update.
)

// ChangeStates returns every state once.
func ChangeStates() []ChangeState {
	return []ChangeState{ChangeOpen, ChangeSubmitted, ChangeDone, ChangeWithdrawn}
}

// ChangeStep is what is done to a change event.
type ChangeStep string

// The steps. The hub takes those that follow from the review of a version.
const (
	ChangeExtend   ChangeStep = "extend"
	ChangeWithdraw ChangeStep = "withdraw"
	ChangeReceive  ChangeStep = "receive" // A version of the entry has reached the authority.
	ChangeReturn   ChangeStep = "return"  // The authority sent it back.
	ChangePublish  ChangeStep = "publish"
	ChangeRevoke   ChangeStep = "revoke" // The entry is no more.
)

// ChangeMove is one allowed change of a change event's state.
type ChangeMove struct {
	From ChangeState
	Step ChangeStep
	To   ChangeState
	Hub  bool // The hub takes it; people do not.
}

// changeMoves is the life of a change event:
//
//	open ──receive──▶ submitted ──publish──▶ done
//	  ▲ extend            │ │
//	  └──────return───────┘ └──withdraw──▶ withdrawn ◀──withdraw, revoke── open
var changeMoves = []ChangeMove{
	{From: ChangeOpen, Step: ChangeExtend, To: ChangeOpen},
	{From: ChangeOpen, Step: ChangeWithdraw, To: ChangeWithdrawn},
	{From: ChangeSubmitted, Step: ChangeWithdraw, To: ChangeWithdrawn},
	{From: ChangeOpen, Step: ChangeReceive, To: ChangeSubmitted, Hub: true},
	{From: ChangeSubmitted, Step: ChangeReturn, To: ChangeOpen, Hub: true},
	{From: ChangeSubmitted, Step: ChangePublish, To: ChangeDone, Hub: true},
	{From: ChangeOpen, Step: ChangeRevoke, To: ChangeWithdrawn, Hub: true},
	{From: ChangeSubmitted, Step: ChangeRevoke, To: ChangeWithdrawn, Hub: true},
}

// ChangeMoves returns the table of allowed moves, for pages and documentation.
func ChangeMoves() []ChangeMove { return slices.Clone(changeMoves) }

// findChangeMove returns the move of a step from a state, or a Conflict fault "illegal_move" with the steps people can take now.
func findChangeMove(from ChangeState, step ChangeStep) (ChangeMove, error) {
	var allowed []string
	for _, m := range changeMoves {
		if m.From == from && m.Step == step {
			return m, nil
		}
		if m.From == from && !m.Hub {
			allowed = append(allowed, string(m.Step))
		}
	}
	return ChangeMove{}, illegalMove("change event", string(from), string(step), allowed)
}

// Light is how urgent an obligation with a limit is (domain rule 5.3).
type Light string

// The lights.
const (
	LightNone   Light = ""       // Nothing is due any more.
	LightNormal Light = "normal" // There is time.
	LightWarn   Light = "warn"   // 预警: most of the time is over.
	LightYellow Light = "yellow" // 黄牌: the limit is over.
	LightRed    Light = "red"    // 红牌: long over.
)

// Lights returns every light that is shown, the calmest first.
func Lights() []Light { return []Light{LightNormal, LightWarn, LightYellow, LightRed} }

// ChangeEvent is something that changed and that an entry has to follow within 10 working days, 15 with the authority's consent
// (Order 809, Art 17). The day of the change is not counted.
type ChangeEvent struct {
	ID           uuid.UUID    `json:"id"`
	ResourceID   uuid.UUID    `json:"resource_id"`
	Resource     string       `json:"resource"` // Its name.
	DepartmentID uuid.UUID    `json:"department_id"`
	Department   string       `json:"department"`
	Cause        ChangeCause  `json:"cause"`
	Detail       string       `json:"detail"`      // What changed.
	HappenedOn   string       `json:"happened_on"` // YYYY-MM-DD, in Asia/Shanghai.
	State        ChangeState  `json:"state"`
	Light        Light        `json:"light"`       // Of the obligation that runs now, "" where none does.
	DueAt        time.Time    `json:"due_at"`      // Until when the authority must have the update.
	Provisional  bool         `json:"provisional"` // A day counted lies in a year without a notice of days off.
	Extension    *Extension   `json:"extension,omitempty"`
	Version      int          `json:"version"` // The version that follows the change; 0 until the authority has received it.
	SubmittedAt  *time.Time   `json:"submitted_at,omitempty"`
	ReviewDueAt  *time.Time   `json:"review_due_at,omitempty"` // Until when the authority must decide.
	ClosedAt     *time.Time   `json:"closed_at,omitempty"`
	ClosedReason string       `json:"closed_reason"`
	RowVersion   int64        `json:"row_version"`
	RecordedBy   uuid.UUID    `json:"recorded_by"`
	RecordedAt   time.Time    `json:"recorded_at"`
	Acts         []ChangeStep `json:"acts"` // What the reader can do with it now.
}

// Extension is the authority's consent to a later update.
type Extension struct {
	By     uuid.UUID `json:"by"`
	At     time.Time `json:"at"`
	Days   int       `json:"days"` // Working days.
	Reason string    `json:"reason"`
}

// NewChange is what a department states to record a change event.
type NewChange struct {
	Cause      ChangeCause `json:"cause"`
	Detail     string      `json:"detail"`
	HappenedOn string      `json:"happened_on"` // YYYY-MM-DD, not after today.
}

// changeRow is a row of change_event with what its references are called.
type changeRow struct {
	ID           uuid.UUID
	ResourceID   uuid.UUID
	Resource     string
	DepartmentID uuid.UUID
	Department   string
	Cause        string
	Detail       string
	HappenedOn   time.Time
	State        string
	DueAt        time.Time
	WarnAt       time.Time
	RedAt        time.Time
	Provisional  bool
	Extension    json.RawMessage
	Version      *int
	SubmittedAt  *time.Time
	ReviewDueAt  *time.Time
	ClosedAt     *time.Time
	ClosedReason string
	RowVersion   int64
	RecordedBy   uuid.UUID
	RecordedAt   time.Time
	Now          time.Time
}

// changeSQL selects changeRow; what follows narrows it.
const changeSQL = `
	SELECT c.id, c.resource_id, r.name AS resource, r.provider_dept_id AS department_id, d.name AS department, c.cause, c.detail,
		c.happened_on, c.state, c.due_at, c.warn_at, c.red_at, c.provisional, c.extension, c.version, c.submitted_at, c.review_due_at,
		c.closed_at, c.closed_reason, c.row_version, c.recorded_by, c.recorded_at, clock_timestamp() AS now
	FROM change_event c JOIN resource r ON r.id = c.resource_id JOIN department d ON d.id = r.provider_dept_id `

func (r changeRow) event() (ChangeEvent, error) {
	c := ChangeEvent{
		ID: r.ID, ResourceID: r.ResourceID, Resource: r.Resource, DepartmentID: r.DepartmentID, Department: r.Department,
		Cause: ChangeCause(r.Cause), Detail: r.Detail, HappenedOn: r.HappenedOn.Format(time.DateOnly), State: ChangeState(r.State),
		DueAt: r.DueAt.UTC(), Provisional: r.Provisional, SubmittedAt: db.UTC(r.SubmittedAt), ReviewDueAt: db.UTC(r.ReviewDueAt),
		ClosedAt: db.UTC(r.ClosedAt), ClosedReason: r.ClosedReason, RowVersion: r.RowVersion, RecordedBy: r.RecordedBy,
		RecordedAt: r.RecordedAt.UTC(), Acts: []ChangeStep{},
	}
	if r.Version != nil {
		c.Version = *r.Version
	}
	c.Light = r.light()
	return c, decode(r.Extension, &c.Extension)
}

// light is that of the update until the authority has received it, afterwards that of the authority's review.
func (r changeRow) light() Light {
	switch {
	case ChangeState(r.State) == ChangeSubmitted && r.ReviewDueAt != nil:
		return reviewLight(r.Now, *r.ReviewDueAt)
	case ChangeState(r.State) != ChangeOpen:
		return LightNone
	case r.Now.After(r.RedAt):
		return LightRed
	case r.Now.After(r.DueAt):
		return LightYellow
	case r.Now.After(r.WarnAt):
		return LightWarn
	}
	return LightNormal
}

// reviewLight is that of a limit of two working days or less: it warns on its last day.
func reviewLight(now, due time.Time) Light {
	switch {
	case now.After(due):
		return LightYellow
	case now.After(due.Add(-24 * time.Hour)):
		return LightWarn
	}
	return LightNormal
}
