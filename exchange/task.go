package exchange

import (
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/internal/fault"
)

// TaskKind is what a task does.
type TaskKind string

// The kinds of tasks.
const (
	Collect TaskKind = "collect" // 归集: a source's rows into the store.
	Deliver TaskKind = "deliver" // 分发: a grant's rows to a consumer's target.
)

// TaskState is the state of a task.
type TaskState string

// The states of a task.
const (
	TaskDraft    TaskState = "draft"    // Not yet in use: neither schedules nor people run it.
	TaskEnabled  TaskState = "enabled"  // Schedules fire and people may run it.
	TaskPaused   TaskState = "paused"   // Schedules are skipped; people may still run it.
	TaskDisabled TaskState = "disabled" // Nothing runs; what waited was cancelled.
)

// TaskStep names one thing that is done to a task.
type TaskStep string

// The steps of a task.
const (
	TaskEnable  TaskStep = "enable"
	TaskPause   TaskStep = "pause"
	TaskDisable TaskStep = "disable"
)

// Task is what the engine does again and again: collect a resource.
type Task struct {
	ID         uuid.UUID  `json:"id"`
	Kind       TaskKind   `json:"kind"`
	ResourceID uuid.UUID  `json:"resource_id"`
	GrantID    *uuid.UUID `json:"grant_id,omitempty"` // Of a delivery.
	Mode       TaskMode   `json:"mode"`
	Settings   Settings   `json:"settings"`
	Deletes    Arrival    `json:"deletes,omitempty"` // How deletes arrive under the active mount; "" without one.
	State      TaskState  `json:"state"`
	Priority   int        `json:"priority"` // 1 is served first, 9 last.
	RowVersion int64      `json:"row_version"`
	CreatedBy  uuid.UUID  `json:"created_by"`
	CreatedAt  time.Time  `json:"created_at"`
	UpdatedAt  time.Time  `json:"updated_at"`
}

// NewTask is what a caller states about a new task. Kind "" means Collect, Priority 0 means 5.
type NewTask struct {
	Kind       TaskKind  `json:"kind"`
	ResourceID uuid.UUID `json:"resource_id"`
	Mode       TaskMode  `json:"mode"` // "" means full.
	Settings   Settings  `json:"settings"`
	Priority   int       `json:"priority"`
	Draft      bool      `json:"draft"` // Make it without enabling it.
}

// Validate names every wrong field, or returns nil.
func (n NewTask) Validate() error {
	var fields []fault.Field
	if n.ResourceID == uuid.Nil {
		fields = append(fields, fault.Field{Name: "resource_id", Code: "required", Message: "name the resource that the task is for"})
	}
	if n.Kind != "" && n.Kind != Collect && n.Kind != Deliver {
		fields = append(fields, fault.Field{Name: "kind", Code: "unknown", Message: "a task is of kind collect or deliver"})
	}
	fields = append(fields, checkTask(n.Mode, n.Settings, n.Priority)...)
	return fault.InvalidFields(fields)
}

// TaskMove is one allowed change of a task's state.
type TaskMove struct {
	From TaskState
	Step TaskStep
	To   TaskState
}

// taskMoves is the life cycle of a task:
//
//	draft ──enable──▶ enabled ◀──enable/pause──▶ paused
//	  └──disable──▶ disabled ◀──disable── (enabled, paused);  disabled ──enable──▶ enabled
var taskMoves = []TaskMove{
	{TaskDraft, TaskEnable, TaskEnabled},
	{TaskDraft, TaskDisable, TaskDisabled},
	{TaskEnabled, TaskPause, TaskPaused},
	{TaskEnabled, TaskDisable, TaskDisabled},
	{TaskPaused, TaskEnable, TaskEnabled},
	{TaskPaused, TaskDisable, TaskDisabled},
	{TaskDisabled, TaskEnable, TaskEnabled},
}

// TaskMoves returns the table of allowed moves, for pages and documentation.
func TaskMoves() []TaskMove { return slices.Clone(taskMoves) }

// findTaskMove returns the move of a step from a state, or a Conflict fault "illegal_move".
func findTaskMove(from TaskState, step TaskStep) (TaskMove, error) {
	var allowed []string
	for _, m := range taskMoves {
		if m.From != from {
			continue
		}
		if m.Step == step {
			return m, nil
		}
		allowed = append(allowed, string(m.Step))
	}
	return TaskMove{}, illegalMove("task", string(from), allowed)
}

// illegalMove says that a thing in state from does not allow what was asked. The state is shown: the caller may read it.
func illegalMove(what, from string, allowed []string) error {
	message := "in state " + from + " this " + what + " does not allow that step"
	if len(allowed) > 0 {
		message += "; possible now: " + strings.Join(allowed, ", ")
	} else {
		message += "; this state is final"
	}
	return fault.New(fault.Conflict, "illegal_move", "%s", message).With("allowed", strings.Join(allowed, ",")).With("state", from)
}
