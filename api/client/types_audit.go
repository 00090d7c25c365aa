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
