package client

import (
	"encoding/json"
	"time"
)

// NewTask is what a caller states about a new task. Kind "" means Collect, Priority 0 means 5.
type NewTask struct {
	Kind       string       `json:"kind"`
	ResourceID string       `json:"resource_id,omitempty"`
	Mode       string       `json:"mode"` // full or incremental; "" means full.
	Settings   TaskSettings `json:"settings"`
	Priority   int          `json:"priority"`
	Draft      bool         `json:"draft"` // Make it without enabling it.
}

// TaskSettings adjust an incremental task.
type TaskSettings struct {
	OverlapSeconds int64 `json:"overlap_seconds"` // 0 for ten minutes.
	SweepSeconds   int64 `json:"sweep_seconds"`   // 0 for daily, -1 for never.
}

// TaskInput is what people may change about a task.
type TaskInput struct {
	Mode     string       `json:"mode"`
	Settings TaskSettings `json:"settings"`
	Priority int          `json:"priority"` // 0 means 5.
}

// Task is what the engine does again and again: collect a resource.
type Task struct {
	ID         string       `json:"id,omitempty"`
	Kind       string       `json:"kind"`
	ResourceID string       `json:"resource_id,omitempty"`
	GrantID    *string      `json:"grant_id,omitempty"` // Of a delivery.
	Mode       string       `json:"mode"`               // full: every row is read each time; incremental: what changed.
	Settings   TaskSettings `json:"settings"`
	Deletes    string       `json:"deletes,omitempty"` // How deletes arrive: read, sweep, soft_delete, delete_table, not_carried.
	State      string       `json:"state"`
	Priority   int          `json:"priority"` // 1 is served first, 9 last.
	RowVersion int64        `json:"row_version"`
	CreatedBy  string       `json:"created_by,omitempty"`
	CreatedAt  time.Time    `json:"created_at"`
	UpdatedAt  time.Time    `json:"updated_at"`
}

// NewSchedule is what a caller states about a schedule. Empty fields take the defaults: Asia/Shanghai, skip, run_once.
type NewSchedule struct {
	TaskID   string `json:"task_id,omitempty"` // Ignored when a schedule is edited.
	Spec     string `json:"spec"`
	TimeZone string `json:"time_zone"`
	Overlap  string `json:"overlap"`
	Missed   string `json:"missed"`
}

// Schedule says when a task runs by itself.
type Schedule struct {
	ID         string     `json:"id,omitempty"`
	TaskID     string     `json:"task_id,omitempty"`
	Spec       string     `json:"spec"`      // Five cron fields, @hourly and its like, or "@every 10s".
	TimeZone   string     `json:"time_zone"` // IANA name; a CRON_TZ= prefix of Spec takes precedence.
	Overlap    string     `json:"overlap"`
	Missed     string     `json:"missed"`
	State      string     `json:"state"`
	NextAt     *time.Time `json:"next_at,omitempty"`
	LastDueAt  *time.Time `json:"last_due_at,omitempty"`
	Error      string     `json:"error"` // Why it is parked, "" otherwise.
	RowVersion int64      `json:"row_version"`
	CreatedAt  time.Time  `json:"created_at"`
	UpdatedAt  time.Time  `json:"updated_at"`
}

// Fire is one row of the ledger of due times. Consecutive due times that were missed or skipped for one reason share a row.
type Fire struct {
	ID         int64     `json:"id"`
	ScheduleID string    `json:"schedule_id,omitempty"`
	DueFrom    time.Time `json:"due_from"`
	DueTo      time.Time `json:"due_to"`
	DueCount   int64     `json:"due_count"`
	Outcome    string    `json:"outcome"`
	Reason     string    `json:"reason"`
	RunID      *string   `json:"run_id,omitempty"`
	At         time.Time `json:"at"`
}

// Run is one execution of a task. Its id stays the same over all attempts.
type Run struct {
	ID              string          `json:"id,omitempty"`
	TaskID          string          `json:"task_id,omitempty"`
	ResourceID      string          `json:"resource_id,omitempty"`
	Kind            string          `json:"kind"`
	Trigger         string          `json:"trigger"`
	RequestedBy     string          `json:"requested_by"` // User id, or the name of a part of the hub.
	State           string          `json:"state"`
	Priority        int             `json:"priority"`
	Attempt         int             `json:"attempt"`  // Counts every worker that took it.
	Failures        int             `json:"failures"` // Attempts that ended by an error.
	NotBefore       time.Time       `json:"not_before"`
	NodeID          *string         `json:"node_id,omitempty"`
	Stage           string          `json:"stage"`    // Of the current or last attempt; "" before the first.
	Progress        json.RawMessage `json:"progress"` // As of at most half a second ago.
	Counts          Counts          `json:"counts"`   // Of the merge; zero before it.
	Hashes          json.RawMessage `json:"hashes"`
	Error           *Failure        `json:"error,omitempty"` // Of the last attempt that failed.
	CancelRequested bool            `json:"cancel_requested"`
	ConfirmDeletes  *int64          `json:"confirm_deletes,omitempty"` // How many deletes somebody confirmed.
	OfRun           *string         `json:"of_run,omitempty"`          // The run that this one confirms or repairs.
	QueuedAt        time.Time       `json:"queued_at"`
	StartedAt       *time.Time      `json:"started_at,omitempty"` // Of the first attempt.
	MergedAt        *time.Time      `json:"merged_at,omitempty"`
	FinishedAt      *time.Time      `json:"finished_at,omitempty"`
}

// Reject is a row that was refused, for its provider to correct at the source.
type Reject struct {
	ID         string     `json:"id,omitempty"`
	ResourceID string     `json:"resource_id,omitempty"`
	FirstRun   string     `json:"first_run,omitempty"`
	LastRun    string     `json:"last_run,omitempty"`
	Key        *string    `json:"key,omitempty"` // Masked for people outside the provider; nil: the row has no usable key.
	RowNo      int64      `json:"row_no"`        // Its place in the last read, from 1.
	Reasons    []Reason   `json:"reasons"`
	Held       bool       `json:"held"` // The last good row of that key is served meanwhile.
	State      string     `json:"state"`
	Note       string     `json:"note,omitempty"` // Why it was waived.
	CreatedAt  time.Time  `json:"created_at"`
	ClosedAt   *time.Time `json:"closed_at,omitempty"`
}

// RejectRow is the row itself as the source gave it, by column; nil is NULL.
type RejectRow struct {
	Reject
	Row map[string]*string `json:"row"`
}

// Difference is one key that is not the same on both ends, masked.
type Difference struct {
	Kind string `json:"kind"` // missing, extra or changed
	Key  string `json:"key"`
}

// Reconciliation is the result of comparing both ends (对账).
type Reconciliation struct {
	ID          string       `json:"id,omitempty"`
	RunID       string       `json:"run_id,omitempty"`
	ResourceID  string       `json:"resource_id,omitempty"`
	Fresh       bool         `json:"fresh"` // With a read of its own, rather than with the run's own read.
	Part        bool         `json:"part"`  // Of what a partial read brought, rather than of both ends as a whole.
	Equal       bool         `json:"equal"`
	SourceRows  int64        `json:"source_rows"` // Accepted rows read.
	StoreRows   int64        `json:"store_rows"`  // Stored rows that are not held.
	SourceHash  string       `json:"source_hash"` // Hexadecimal; independent of the order of rows.
	StoreHash   string       `json:"store_hash"`
	Held        int64        `json:"held"`
	Rejected    int64        `json:"rejected"`
	Superseded  int64        `json:"superseded"`
	Missing     int64        `json:"missing"` // At the source, not in the store.
	Extra       int64        `json:"extra"`   // In the store, not at the source.
	Changed     int64        `json:"changed"`
	Differences []Difference `json:"differences"` // The first ones.
	StoreSeq    int64        `json:"store_seq"`
	At          time.Time    `json:"at"`
}

// Freshness says how current a resource's rows at the hub are.
type Freshness struct {
	ArrivedAt   *time.Time `json:"arrived_at,omitempty"` // When the newest merge was committed; nil: nothing has arrived.
	Seq         int64      `json:"seq"`
	Rows        int64      `json:"rows"` // Held ones included.
	Held        int64      `json:"held"`
	RejectsOpen int64      `json:"rejects_open"`
	Equal       *bool      `json:"equal,omitempty"`     // Whether the newest comparison found both ends equal.
	Deletes     string     `json:"deletes,omitempty"`   // How deletes at the source arrive; not_carried: they do not.
	Watermark   *string    `json:"watermark,omitempty"` // Of an incremental task: up to where it has read.
	ReadAt      *time.Time `json:"read_at,omitempty"`   // When a run last read the source to its end and merged.
}

// Counts is what a run did. Read = Inserted + Updated + Unchanged + Rejected + Superseded + Filtered; Deleted and Held
// stand beside it.
type Counts struct {
	Read       int64 `json:"read"`
	Inserted   int64 `json:"inserted"`
	Updated    int64 `json:"updated"`
	Unchanged  int64 `json:"unchanged"`
	Rejected   int64 `json:"rejected"`
	Superseded int64 `json:"superseded"`
	Filtered   int64 `json:"filtered"`
	Deleted    int64 `json:"deleted"`
	Held       int64 `json:"held"`
}

// Failure is why a run failed, for the people of both sides: where it happened, whose system it is, what to do. It holds
// no row contents and no credentials.
type Failure struct {
	Stage     string            `json:"stage"`
	Side      string            `json:"side"`
	Object    string            `json:"object"` // The source object or store table.
	Code      string            `json:"code"`
	Message   string            `json:"message"`
	Advice    string            `json:"advice"`
	Retryable bool              `json:"retryable"` // Another attempt may pass without anybody doing anything.
	Detail    map[string]string `json:"detail,omitempty"`
}

// Reason is why a row is refused, or for warnings what is unusual about it. Message never contains the value.
type Reason struct {
	ItemNo  int    `json:"item_no"`
	Code    string `json:"code"`
	Message string `json:"message"`
}
