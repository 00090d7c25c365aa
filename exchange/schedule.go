package exchange

import (
	"time"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/internal/fault"
)

// ScheduleState is the state of a schedule.
type ScheduleState string

// The states of a schedule.
const (
	ScheduleEnabled ScheduleState = "enabled" // NextAt says when it fires.
	SchedulePaused  ScheduleState = "paused"  // Somebody paused it.
	ScheduleParked  ScheduleState = "parked"  // It could not be fired; Error says why. Somebody must mend and resume it.
)

// Overlap says what happens at a due time while an earlier run of the task is not over.
type Overlap string

// The overlap policies.
const (
	OverlapSkip  Overlap = "skip"  // The due time is skipped.
	OverlapQueue Overlap = "queue" // One run waits behind the active one; further due times are skipped.
)

// Missed says what happens to due times that passed while no scheduler was running.
type Missed string

// The policies for missed due times.
const (
	MissedRunOnce Missed = "run_once" // The last of them is run, late; the others are noted.
	MissedSkip    Missed = "skip"     // All are noted, none is run, unless the last is less than a minute old.
)

// Schedule says when a task runs by itself.
type Schedule struct {
	ID         uuid.UUID     `json:"id"`
	TaskID     uuid.UUID     `json:"task_id"`
	Spec       string        `json:"spec"`      // Five cron fields, @hourly and its like, or "@every 10s".
	TimeZone   string        `json:"time_zone"` // IANA name; a CRON_TZ= prefix of Spec takes precedence.
	Overlap    Overlap       `json:"overlap"`
	Missed     Missed        `json:"missed"`
	State      ScheduleState `json:"state"`
	NextAt     *time.Time    `json:"next_at,omitempty"`
	LastDueAt  *time.Time    `json:"last_due_at,omitempty"`
	Error      string        `json:"error"` // Why it is parked, "" otherwise.
	RowVersion int64         `json:"row_version"`
	CreatedAt  time.Time     `json:"created_at"`
	UpdatedAt  time.Time     `json:"updated_at"`
}

// NewSchedule is what a caller states about a schedule. Empty fields take the defaults: Asia/Shanghai, skip, run_once.
type NewSchedule struct {
	TaskID   uuid.UUID `json:"task_id"` // Ignored when a schedule is edited.
	Spec     string    `json:"spec"`
	TimeZone string    `json:"time_zone"`
	Overlap  Overlap   `json:"overlap"`
	Missed   Missed    `json:"missed"`
}

// withDefaults fills what was left empty.
func (n NewSchedule) withDefaults() NewSchedule {
	if n.TimeZone == "" {
		n.TimeZone = DefaultTimeZone
	}
	if n.Overlap == "" {
		n.Overlap = OverlapSkip
	}
	if n.Missed == "" {
		n.Missed = MissedRunOnce
	}
	return n
}

// Validate names every wrong field, or returns nil. now is the time from which the schedule must still fire.
func (n NewSchedule) Validate(now time.Time) error {
	n = n.withDefaults()
	var fields []fault.Field
	if _, err := ParseSpec(n.Spec, n.TimeZone, now); err != nil {
		fields = append(fields, fieldsOf(err)...)
	}
	if n.Overlap != OverlapSkip && n.Overlap != OverlapQueue {
		fields = append(fields, fault.Field{Name: "overlap", Code: "unknown", Message: "overlap is skip or queue"})
	}
	if n.Missed != MissedRunOnce && n.Missed != MissedSkip {
		fields = append(fields, fault.Field{Name: "missed", Code: "unknown", Message: "missed is run_once or skip"})
	}
	return fault.InvalidFields(fields)
}

// FireOutcome is what became of a due time.
type FireOutcome string

// The outcomes of due times.
const (
	FireStarted FireOutcome = "started" // A run was made and nothing stands before it.
	FireQueued  FireOutcome = "queued"  // A run was made and waits behind the active one.
	FireSkipped FireOutcome = "skipped" // By the overlap policy, or because the task is not enabled.
	FireMissed  FireOutcome = "missed"  // Nobody was there to fire it in time.
	FireError   FireOutcome = "error"   // It could not be fired; the schedule is parked.
)

// Fire is one row of the ledger of due times. Consecutive due times that were missed or skipped for one reason share a row.
type Fire struct {
	ID         int64       `json:"id"`
	ScheduleID uuid.UUID   `json:"schedule_id"`
	DueFrom    time.Time   `json:"due_from"`
	DueTo      time.Time   `json:"due_to"`
	DueCount   int64       `json:"due_count"`
	Outcome    FireOutcome `json:"outcome"`
	Reason     string      `json:"reason"`
	RunID      *uuid.UUID  `json:"run_id,omitempty"`
	At         time.Time   `json:"at"`
}
