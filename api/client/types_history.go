package client

import (
	"encoding/json"
	"time"
)

// Facets counts the entries that a search finds.
type Facets struct {
	Total         int64   `json:"total"`
	Capped        bool    `json:"capped"` // Every count is a lower bound.
	BaseDatabases []Facet `json:"base_databases"`
	Departments   []Facet `json:"departments"` // Value is the department's id.
	Divisions     []Facet `json:"divisions"`   // Of their departments; those in a division count in it, too.
	ShareTypes    []Facet `json:"share_types"`
	ShareMethods  []Facet `json:"share_methods"`
	UpdateCycles  []Facet `json:"update_cycles"`
	Grades        []Facet `json:"grades"`
	Timeliness    []Facet `json:"timeliness"`
	Themes        []Facet `json:"themes"`
	Open          int64   `json:"open"`     // Hits that are open to the public.
	HasData       int64   `json:"has_data"` // Hits of which rows have arrived.
}

// Facet is one value and how many hits have it.
type Facet struct {
	Value string `json:"value"`
	Label string `json:"label"` // For people; the value itself where there is nothing better.
	Count int64  `json:"count"`
}

// Completion is what somebody may mean who has typed the beginning of a search.
type Completion struct {
	Kind       string `json:"kind"` // entry or department.
	ID         string `json:"id"`
	Name       string `json:"name"`
	Code       string `json:"code"`
	Department string `json:"department"` // Name of the provider of an entry.
}

// HistoryEntry is one step of a resource's review.
type HistoryEntry struct {
	ID      string `json:"id"`
	Version int    `json:"version"`
	Step    string `json:"step"`
	From    string `json:"from"`
	To      string `json:"to"`
	ActorID string `json:"actor_id"`

	ActorName  string `json:"actor_name"` // "" for the hub.
	Department string `json:"department"` // Name of the actor's department.

	Reason   string          `json:"reason"`
	Document json.RawMessage `json:"document,omitempty"`
	At       time.Time       `json:"at"`
}

// Review is what stands against a version, and what reviewers should look at.
type Review struct {
	Blocks   []FieldError `json:"blocks"`
	Warnings []FieldError `json:"warnings"`

	Similar []SimilarTo  `json:"similar"` // Published entries of other departments that may be the same data.
	Owned   []ItemSource `json:"owned"`   // Items that another department is the source of.
	Score   int          `json:"score"`   // Completeness, 0 to 100.
	Points  []Point      `json:"points"`  // What every rule of it gives.
}

// ThemeDatabase is a theme database to add and register.
type ThemeDatabase struct {
	Code   string `json:"code"` // Stable name, snake_case.
	Name   string `json:"name"`
	NameEN string `json:"name_en"`
	Registration
}

// RequestEntry is one step of a request.
type RequestEntry struct {
	Step      string    `json:"step"`
	From      string    `json:"from"`
	To        string    `json:"to"`
	ActorID   string    `json:"actor_id"`
	ActorDept string    `json:"actor_dept"`
	Reason    string    `json:"reason"`
	At        time.Time `json:"at"`
	ActorName string    `json:"actor_name"`
}

// GrantEntry is one step of a grant.
type GrantEntry struct {
	Step      string          `json:"step"`
	From      string          `json:"from"`
	To        string          `json:"to"`
	ActorID   *string         `json:"actor_id,omitempty"` // nil for the hub.
	ActorDept *string         `json:"actor_dept,omitempty"`
	Side      string          `json:"side"`
	Reason    string          `json:"reason"`
	Document  json.RawMessage `json:"document,omitempty"`
	At        time.Time       `json:"at"`
	ActorName string          `json:"actor_name"` // "" for the hub.
}

// Usage is one disclosure.
type Usage struct {
	ID            string          `json:"id"`
	At            time.Time       `json:"at"`
	GrantID       string          `json:"grant_id"`
	TermsVersion  int64           `json:"terms_version"`
	ClientID      string          `json:"client_id"`
	ResourceID    string          `json:"resource_id"`
	Mode          string          `json:"mode"`
	State         string          `json:"state"`
	Rows          int64           `json:"rows"`           // Rows that left; meaning by State.
	ReservedRows  int64           `json:"reserved_rows"`  // Rows that a stream was about to send when it last said so.
	Items         []int32         `json:"items"`          // Item numbers disclosed, in answer order.
	Purpose       string          `json:"purpose"`        // "" where the grant demands none.
	CaseNumber    string          `json:"case_number"`    // "" where the grant demands none.
	Query         json.RawMessage `json:"query"`          // What was asked, values of masked items left out.
	SeqFrom       *int64          `json:"seq_from"`       // Exclusive lower change number.
	SeqTo         *int64          `json:"seq_to"`         // Inclusive upper change number.
	AsOf          *time.Time      `json:"as_of"`          // Time of the store's snapshot.
	SubjectTokens [][]byte        `json:"subject_tokens"` // Of keys asked for; nil in bulk reads.
	Digest        []byte          `json:"digest"`         // SHA-256 of the answer's bytes; nil while opened.
	PolicyN       int64           `json:"policy_n"`
	RuleID        string          `json:"rule_id"`
	RequestID     string          `json:"request_id"`
	Evidence      string          `json:"evidence"` // Event whose detail holds this record's digest.
	EndedAt       *time.Time      `json:"ended_at"` // When a stream ended.
}

// Checkpoint is a signed head of the log.
type Checkpoint struct {
	Size     int64     `json:"size"` // Number of leaves.
	Root     string    `json:"root"` // RFC 6962 tree hash in base64.
	Note     string    `json:"note"` // The signed note.
	SignedAt time.Time `json:"signed_at"`
}

// Proof is what is needed to check, without the hub, that an event is in its log.
type Proof struct {
	Leaf       int64      `json:"leaf"`
	Event      string     `json:"event"`
	Body       []byte     `json:"body"`   // The event's bytes as they were hashed.
	Hashes     []string   `json:"hashes"` // In base64.
	Checkpoint Checkpoint `json:"checkpoint"`
}

// RuleChanges are rules to add or replace and rules to remove.
type RuleChanges struct {
	Put    []Rule   `json:"put"`
	Remove []string `json:"remove"`
}
