package audit

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/internal/db"
)

// ActorKind says what sort of actor did something.
type ActorKind string

// The kinds of actors.
const (
	ActorUser   ActorKind = "user"   // A person, signed in.
	ActorClient ActorKind = "client" // A consuming system, with a key.
	ActorSystem ActorKind = "system" // The hub itself: schedules, sweeps, takeovers.
)

// Actor is who did it. ID is the uuid of a user or client, or the name of a part of the hub. Department is zero for the
// hub itself. Names of people are not kept here: the log outlives them, and the id leads to the name.
type Actor struct {
	Kind       ActorKind `json:"kind"`
	ID         string    `json:"id"`
	Department uuid.UUID `json:"department"`
	OnBehalfOf string    `json:"on_behalf_of,omitempty"` // The absent person whose deputy acted; "" otherwise.
}

// Object is what it was done to: a kind such as "grant" or "run", and its id.
type Object struct {
	Kind string `json:"kind"`
	ID   string `json:"id"`
}

// Outcome is how it ended.
type Outcome string

// The outcomes.
const (
	OK     Outcome = "ok"
	Denied Outcome = "denied" // Policy or a rule of the state table refused it.
	Failed Outcome = "error"  // It was allowed and did not succeed.
)

// Event is one entry to write. Action is "<object kind>.<verb>", for example "request.approve". Detail holds what
// evidence needs (terms, reasons, counts, hashes), never row contents, credentials or values of personal data.
type Event struct {
	Actor   Actor
	Action  string
	Object  Object
	Outcome Outcome // "" means OK.
	Detail  map[string]any
}

// body is what is hashed. Its field order is the order of the stored bytes.
type body struct {
	ID      uuid.UUID      `json:"id"`
	At      time.Time      `json:"at"`
	Actor   Actor          `json:"actor"`
	Action  string         `json:"action"`
	Object  Object         `json:"object"`
	Outcome Outcome        `json:"outcome"`
	Detail  map[string]any `json:"detail,omitempty"`
}

// insertEvent writes an event and its pending mark; newEvent makes its arguments.
const insertEvent = `
	WITH e AS (
		INSERT INTO event (id, at, actor_kind, actor_id, actor_department, action, object_kind, object_id, outcome, body)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10))
	INSERT INTO pending (event_id) VALUES ($1)`

// newEvent gives an event its id and its bytes.
func newEvent(e Event, now time.Time) (id uuid.UUID, args []any, err error) {
	if e.Outcome == "" {
		e.Outcome = OK
	}
	if !writable(e.Object.ID) {
		e.Object.ID = unwritable
	}
	id = db.NewID()
	b := body{id, now.UTC().Truncate(time.Microsecond), e.Actor, e.Action, e.Object, e.Outcome, e.Detail}
	raw, err := json.Marshal(b)
	if err != nil {
		return uuid.Nil, nil, fmt.Errorf("encoding event %q: %w", e.Action, err)
	}
	var department *uuid.UUID
	if e.Actor.Department != uuid.Nil {
		department = &e.Actor.Department
	}
	return id, []any{id, b.At, string(e.Actor.Kind), e.Actor.ID, department, e.Action, e.Object.Kind, e.Object.ID, string(e.Outcome), raw}, nil
}

// unwritable stands for the id of an object that only a hostile caller can have named: a refusal is noted all the same.
const unwritable = "(not an id)"

// idLimit is in bytes; the ids and codes of the hub are shorter.
const idLimit = 300

// writable: PostgreSQL stores the id as text, and a list of events shows it in one line.
func writable(id string) bool {
	return len(id) <= idLimit && utf8.ValidString(id) && !strings.ContainsFunc(id, unicode.IsControl)
}

// WriteTx adds an event in the caller's transaction and returns its id. When it fails the caller must not commit: what
// cannot be evidenced does not happen.
func WriteTx(ctx context.Context, tx *db.Tx, e Event) (uuid.UUID, error) {
	id, args, err := newEvent(e, tx.Now())
	if err != nil {
		return uuid.Nil, err
	}
	if _, err := tx.Exec(ctx, insertEvent, args...); err != nil {
		return uuid.Nil, fmt.Errorf("writing event %q: %w", e.Action, err)
	}
	return id, nil
}

// Write adds an event in a transaction of its own: for denials and failures, where nothing else is written.
func Write(ctx context.Context, d *db.DB, e Event) (id uuid.UUID, err error) {
	err = d.InTx(ctx, func(tx *db.Tx) error {
		id, err = WriteTx(ctx, tx, e)
		return err
	})
	return id, err
}
