package client

import (
	"encoding/json"
	"time"
)

// Event is an event as it is read.
type Event struct {
	ID      string          `json:"id,omitempty"`
	Seq     string          `json:"seq"` // The leaf in decimal, or SeqPending.
	At      time.Time       `json:"at"`  // Database time at the start of the transaction that wrote it, UTC.
	Actor   Actor           `json:"actor"`
	Action  string          `json:"action"`
	Object  Object          `json:"object"`
	Outcome string          `json:"outcome"`
	Detail  json.RawMessage `json:"detail"` // A JSON object, {} for none.
}

// Actor is who did it: a user, a client or a part of the hub.
type Actor struct {
	Kind       string `json:"kind"`
	ID         string `json:"id,omitempty"`
	Department string `json:"department,omitempty"`
	OnBehalfOf string `json:"on_behalf_of,omitempty"` // The absent person whose deputy acted; "" otherwise.
}

// Object is what it was done to.
type Object struct {
	Kind string `json:"kind"`
	ID   string `json:"id,omitempty"`
}

// RetentionLine says how long one kind of thing is kept, and what became of what was older.
type RetentionLine struct {
	Kind        string     `json:"kind"`
	What        string     `json:"what"`
	Since       string     `json:"since"` // From when the days count.
	How         string     `json:"how"`   // How it is removed.
	Days        int        `json:"days"`  // 0: as soon as nobody needs it.
	Least       int        `json:"least"`
	Basis       string     `json:"basis"` // order_809_29, cybersecurity_law or own.
	Months      bool       `json:"months"`
	OldestKept  *time.Time `json:"oldest_kept"`
	LastRunAt   *time.Time `json:"last_run_at"`
	LastRemoved int64      `json:"last_removed"`
	RemovedAt   *time.Time `json:"removed_at"`
	Total       int64      `json:"total"`
	Error       string     `json:"error"`
}
