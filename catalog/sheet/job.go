package sheet

import (
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/internal/fault"
)

// Mode says what becomes of a file in which something is wrong.
type Mode string

// The modes.
const (
	AllRows  Mode = "all"  // Everything or nothing.
	GoodRows Mode = "good" // Entries in which something is wrong are left out, the others are taken.
)

// State is the state of an import. JobMoves lists how it changes.
type State string

// The states of an import.
const (
	Received State = "received" // The file is here; a node will read it.
	Checking State = "checking" // A node reads and checks it. Leaves by its result, or by silence of the node (it is begun again).
	Checked  State = "checked"  // What is wrong is listed; a person decides whether it is applied.
	Applying State = "applying" // A node writes the entries.
	Done     State = "done"
	Failed   State = "failed" // The file cannot be read, or somebody changed the entries in the meantime.
)

// States returns every state once.
func States() []State { return []State{Received, Checking, Checked, Applying, Done, Failed} }

// JobStep is what moves an import.
type JobStep string

// The steps.
const (
	StepCheck   JobStep = "check"   // By a node.
	StepFound   JobStep = "found"   // By a node: the check has come to its end.
	StepApply   JobStep = "apply"   // By a person.
	StepWritten JobStep = "written" // By a node.
	StepFail    JobStep = "fail"    // By a node.
	StepRemove  JobStep = "remove"  // By a person; the import is gone then.
)

// JobMove is one allowed change.
type JobMove struct {
	From State
	Step JobStep
	To   State // "" where the import is gone.
}

// jobMoves is the life of an import:
//
//	received ──check──▶ checking ──found──▶ checked ──apply──▶ applying ──written──▶ done
//	                       └──────fail──▶ failed ◀──────fail──────┘
//
// What nobody works on (received, checked, done, failed) can be removed.
var jobMoves = []JobMove{
	{Received, StepCheck, Checking},
	{Checking, StepCheck, Checking}, // Another node goes on where one fell silent.
	{Checking, StepFound, Checked},
	{Checking, StepFail, Failed},
	{Checked, StepApply, Applying},
	{Applying, StepWritten, Done},
	{Applying, StepFail, Failed},
	{Received, StepRemove, ""},
	{Checked, StepRemove, ""},
	{Done, StepRemove, ""},
	{Failed, StepRemove, ""},
}

// JobMoves returns the table of allowed moves.
func JobMoves() []JobMove { return append([]JobMove(nil), jobMoves...) }

// moved returns where a step leads, or a Conflict "illegal_move" with the steps possible now.
func moved(from State, step JobStep) (State, error) {
	var allowed []string
	for _, m := range jobMoves {
		if m.From != from {
			continue
		}
		if m.Step == step {
			return m.To, nil
		}
		if m.Step == StepApply || m.Step == StepRemove {
			allowed = append(allowed, string(m.Step))
		}
	}
	return from, fault.New(fault.Conflict, "illegal_move", "in state %s this import does not allow %s; possible now: %s", from, step, strings.Join(allowed, ", ")).
		With("allowed", strings.Join(allowed, ",")).With("state", string(from))
}

// Job is one import.
type Job struct {
	ID           uuid.UUID  `json:"id"`
	DepartmentID uuid.UUID  `json:"department_id"`
	CreatedBy    uuid.UUID  `json:"created_by"`
	AppliedBy    *uuid.UUID `json:"applied_by,omitempty"`
	FileName     string     `json:"file_name"`
	Size         int64      `json:"size"`
	SHA256       string     `json:"sha256"` // Of the file, in hexadecimal digits.
	Mode         Mode       `json:"mode"`
	State        State      `json:"state"`
	Reason       string     `json:"reason"`  // Why it failed: a code; "" otherwise.
	Message      string     `json:"message"` // The same as a sentence.
	Entries      int        `json:"entries"` // Rows of entries in the file.
	Items        int        `json:"items"`   // Rows of items.
	Done         int        `json:"done"`    // Entries the present step has gone through.
	Added        int        `json:"added"`   // Entries of the file that are new,
	Changed      int        `json:"changed"` // that change what is there,
	Unchanged    int        `json:"unchanged"`
	Wrong        int        `json:"wrong"`    // and in which something is wrong.
	Troubles     int        `json:"troubles"` // Cells in which something is wrong, listed at /imports/{id}/errors.
	Applied      int        `json:"applied"`  // Entries that were written.
	RowVersion   int64      `json:"row_version"`
	CreatedAt    time.Time  `json:"created_at"`
	UpdatedAt    time.Time  `json:"updated_at"`
	FinishedAt   *time.Time `json:"finished_at,omitempty"`

	headers []Header
	attempt int
}

// Live reports whether a node works on the import or will.
func (j Job) Live() bool { return j.State == Received || j.State == Checking || j.State == Applying }

// Applicable reports whether the import can be applied now: something is to be written, and nothing is wrong where everything or
// nothing is taken.
func (j Job) Applicable() bool {
	return j.State == Checked && j.Added+j.Changed > 0 && (j.Mode == GoodRows || j.Troubles == 0)
}

// Line is one thing that is wrong in a file.
type Line struct {
	Sheet  string `json:"sheet"`
	Row    int    `json:"row"`
	Cell   string `json:"cell"`   // Such as B7; that of the first column where it is the row as a whole.
	Column string `json:"column"` // Identifier of the column, "" where it is the row as a whole.
	Code   string `json:"code"`
	Detail string `json:"detail"` // A sentence, "" where the code says it all.
}
