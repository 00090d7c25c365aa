package client

import "time"

// ChangeEvent is something that changed and that an entry has to follow (Order 809, Art 17).
type ChangeEvent struct {
	ID           string     `json:"id"`
	ResourceID   string     `json:"resource_id"`
	Resource     string     `json:"resource"`
	DepartmentID string     `json:"department_id"`
	Department   string     `json:"department"`
	Cause        string     `json:"cause"`       // law, duty, system, data, drift or other.
	Detail       string     `json:"detail"`      // What changed.
	HappenedOn   string     `json:"happened_on"` // YYYY-MM-DD
	State        string     `json:"state"`       // open, submitted, done or withdrawn.
	Light        string     `json:"light"`       // normal, warn, yellow, red; "" where nothing is due.
	DueAt        time.Time  `json:"due_at"`      // Until when the authority must have the update.
	Provisional  bool       `json:"provisional"` // The days off of a year counted are not known yet.
	Extension    *Extension `json:"extension,omitempty"`
	Version      int        `json:"version"` // The version that follows the change; 0 until the authority has received it.
	SubmittedAt  *time.Time `json:"submitted_at,omitempty"`
	ReviewDueAt  *time.Time `json:"review_due_at,omitempty"` // Until when the authority must decide.
	ClosedAt     *time.Time `json:"closed_at,omitempty"`
	ClosedReason string     `json:"closed_reason"`
	RowVersion   int64      `json:"row_version"`
	RecordedBy   string     `json:"recorded_by"`
	RecordedAt   time.Time  `json:"recorded_at"`
	Acts         []string   `json:"acts"` // What the caller can do now: extend, withdraw.
}

// Extension is the authority's consent to a later update.
type Extension struct {
	By     string    `json:"by"`
	At     time.Time `json:"at"`
	Days   int       `json:"days"` // Working days.
	Reason string    `json:"reason"`
}

// NewChange is what a department states to record a change event.
type NewChange struct {
	Cause      string `json:"cause"`
	Detail     string `json:"detail"`
	HappenedOn string `json:"happened_on"` // YYYY-MM-DD, not after today.
}

// ChangeCounts are how many change events wait.
type ChangeCounts struct {
	Open      int64 `json:"open"`
	Submitted int64 `json:"submitted"`
	Warn      int64 `json:"warn"`
	Late      int64 `json:"late"`
}

// Comment is a remark on a version of an entry, or an answer to one.
type Comment struct {
	ID         string     `json:"id"`
	Version    int        `json:"version"`
	Round      int        `json:"round"`
	Field      string     `json:"field"`  // JSON name of a field, "items." and the identifier of an item, or "" for the whole.
	Thread     string     `json:"thread"` // The first remark of its thread.
	Said       string     `json:"said"`
	AuthorID   string     `json:"author_id"`
	Author     string     `json:"author"`
	Department string     `json:"department"`
	At         time.Time  `json:"at"`
	ResolvedBy *string    `json:"resolved_by,omitempty"`
	ResolvedAt *time.Time `json:"resolved_at,omitempty"`
}

// AssessmentFile is the document of an assessment that is kept with an entry.
type AssessmentFile struct {
	SHA256     string    `json:"sha256"`
	Name       string    `json:"name"`
	Kind       string    `json:"kind"` // pdf, ofd, docx, png or jpg.
	Size       int64     `json:"size"` // In bytes.
	UploadedBy string    `json:"uploaded_by"`
	UploadedAt time.Time `json:"uploaded_at"`
}

// Break is one thing that a new version takes from those who use the one before.
type Break struct {
	Kind       string `json:"kind"`
	No         int    `json:"no"` // Number of the item in the version before; 0 where the entry as a whole is meant.
	Identifier string `json:"identifier"`
	Name       string `json:"name"`
	Before     string `json:"before"`
	After      string `json:"after"`
}

// Impact is what a version of an entry takes from those who use the one published before.
type Impact struct {
	ResourceID  string        `json:"resource_id"`
	Version     int           `json:"version"`
	Previous    int           `json:"previous"`
	Breaks      []ImpactBreak `json:"breaks"`
	Grants      int64         `json:"grants"`
	Clients     int64         `json:"clients"`
	Departments int64         `json:"departments"`
	Tasks       int64         `json:"tasks"`
}

// ImpactBreak is one break with how many grants and delivering tasks it touches.
type ImpactBreak struct {
	Break
	Grants int64 `json:"grants"`
	Tasks  int64 `json:"tasks"`
}

// ImpactUse is one grant that a version touches, and whether its consumer has taken note.
type ImpactUse struct {
	GrantID        string     `json:"grant_id"`
	ClientID       string     `json:"client_id"`
	Client         string     `json:"client"`
	DepartmentID   string     `json:"department_id"`
	Department     string     `json:"department"`
	Purpose        string     `json:"purpose"`
	Items          []string   `json:"items"`
	Tasks          int64      `json:"tasks"`
	ValidTo        time.Time  `json:"valid_to"`
	AcknowledgedAt *time.Time `json:"acknowledged_at,omitempty"`
	AcknowledgedBy string     `json:"acknowledged_by"`
	Note           string     `json:"note"`
}

// GrantChange is a publication that touches a grant.
type GrantChange struct {
	Version        int        `json:"version"`
	At             time.Time  `json:"at"`
	Breaks         []Break    `json:"breaks"`
	AcknowledgedAt *time.Time `json:"acknowledged_at,omitempty"`
	AcknowledgedBy string     `json:"acknowledged_by"`
	Note           string     `json:"note"`
}
