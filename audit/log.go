package audit

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// Log answers questions about what happened. Its methods take no principal: whoever calls them decides first whether the
// reader may read evidence (action audit.read).
type Log struct {
	db *db.DB
}

// NewLog returns a reader of the log.
func NewLog(d *db.DB) *Log { return &Log{db: d} }

// SeqPending is the Seq of an event that has not been sealed yet.
const SeqPending = "pending"

// Entry is an event as it is read.
type Entry struct {
	ID      uuid.UUID       `json:"id"`
	Seq     string          `json:"seq"` // The leaf in decimal, or SeqPending.
	At      time.Time       `json:"at"`  // Database time at the start of the transaction that wrote it, UTC.
	Actor   Actor           `json:"actor"`
	Action  string          `json:"action"`
	Object  Object          `json:"object"`
	Outcome Outcome         `json:"outcome"`
	Detail  json.RawMessage `json:"detail"` // A JSON object, {} for none.
}

// Filter narrows Find. A nil field does not narrow.
type Filter struct {
	From       *time.Time // Inclusive.
	To         *time.Time // Exclusive.
	ActorKind  *ActorKind
	ActorID    *string
	Department *uuid.UUID // Of the actor.
	Action     *string    // Whole, as "grant.suspend", or "grant." for every action on grants.
	ObjectKind *string
	ObjectID   *string
	Outcome    *Outcome
}

var entryColumns = "e.id, l.leaf, " + boundedAt("e.at") + ", e.actor_kind, e.actor_id, e.actor_department, e.action, e.object_kind, e.object_id, e.outcome, e.body"

// Find lists events, newest first, and the cursor of the next page, "" after the last. A foreign cursor is an Invalid
// fault "cursor_invalid".
func (l *Log) Find(ctx context.Context, f Filter, page db.Page) ([]Entry, string, error) {
	var c conditions
	c.bounds("e.at", f.From, f.To)
	where(&c, "e.actor_kind =", f.ActorKind)
	where(&c, "e.actor_id =", f.ActorID)
	where(&c, "e.actor_department =", f.Department)
	where(&c, "e.object_kind =", f.ObjectKind)
	where(&c, "e.object_id =", f.ObjectID)
	where(&c, "e.outcome =", f.Outcome)
	if f.Action != nil && strings.HasSuffix(*f.Action, ".") {
		c.add("starts_with(e.action, %s)", *f.Action)
	} else {
		where(&c, "e.action =", f.Action)
	}
	if err := c.after(page, "e.at", "e.id"); err != nil {
		return nil, "", err
	}
	return list(ctx, l.db, "SELECT "+entryColumns+" FROM event e LEFT JOIN leaf l ON l.event_id = e.id", &c, "e.at DESC, e.id DESC", page,
		scanEntry, func(e Entry) string { return db.Next(e.At, e.ID) })
}

// Get returns one event, or a NotFound fault.
func (l *Log) Get(ctx context.Context, id uuid.UUID) (Entry, error) {
	rows, err := l.db.Pool.Query(ctx, "SELECT "+entryColumns+" FROM event e LEFT JOIN leaf l ON l.event_id = e.id WHERE e.id = $1", id)
	if err != nil {
		return Entry{}, fmt.Errorf("reading event %s: %w", id, err)
	}
	e, err := pgx.CollectExactlyOneRow(rows, scanEntry)
	if db.NoRows(err) {
		return Entry{}, fault.New(fault.NotFound, "not_found", "there is no such event")
	}
	if err != nil {
		return Entry{}, fmt.Errorf("reading event %s: %w", id, err)
	}
	return e, nil
}

func scanEntry(row pgx.CollectableRow) (Entry, error) {
	var e Entry
	var leaf *int64
	var department uuid.NullUUID
	var raw []byte
	err := row.Scan(&e.ID, &leaf, &e.At, &e.Actor.Kind, &e.Actor.ID, &department, &e.Action, &e.Object.Kind, &e.Object.ID, &e.Outcome, &raw)
	if err != nil {
		return e, err
	}
	e.At, e.Actor.Department, e.Seq = e.At.UTC(), department.UUID, SeqPending
	if leaf != nil {
		e.Seq = strconv.FormatInt(*leaf, 10)
	}
	// A body that is no JSON any more still has columns worth showing; verification names it.
	var b struct {
		Actor struct {
			OnBehalfOf string `json:"on_behalf_of"`
		} `json:"actor"`
		Detail json.RawMessage `json:"detail"`
	}
	_ = json.Unmarshal(raw, &b)
	e.Actor.OnBehalfOf = b.Actor.OnBehalfOf
	if e.Detail = b.Detail; e.Detail == nil {
		e.Detail = json.RawMessage("{}")
	}
	return e, nil
}

// UsageFilter narrows FindUsage. A nil field does not narrow.
type UsageFilter struct {
	Grant    *uuid.UUID
	Client   *uuid.UUID
	Resource *uuid.UUID
	Subject  []byte     // A SubjectToken: look-ups of one key. Bulk reads that may have held it are not among them.
	From     *time.Time // Inclusive.
	To       *time.Time // Exclusive.
}

// FindUsage lists disclosures, newest first, and the cursor of the next page, "" after the last. A foreign cursor is an
// Invalid fault "cursor_invalid".
func (l *Log) FindUsage(ctx context.Context, f UsageFilter, page db.Page) ([]Usage, string, error) {
	var c conditions
	c.bounds("u.at", f.From, f.To)
	where(&c, "u.grant_id =", f.Grant)
	where(&c, "u.client_id =", f.Client)
	where(&c, "u.resource_id =", f.Resource)
	if f.Subject != nil {
		c.add("u.subject_tokens @> ARRAY[%s::bytea]", f.Subject)
	}
	if err := c.after(page, "u.at", "u.id"); err != nil {
		return nil, "", err
	}
	return list(ctx, l.db, "SELECT "+usageColumns+" FROM usage u", &c, "u.at DESC, u.id DESC", page,
		scanUsage, func(u Usage) string { return db.Next(u.At, u.ID) })
}

// Late is Sealer.Late for a process that runs no sealer.
func (l *Log) Late(ctx context.Context) (time.Duration, error) { return late(ctx, l.db.Pool) }

// conditions collects a WHERE clause and its arguments.
type conditions struct {
	parts []string
	args  []any
}

// add appends a condition; each %s in it stands for the next argument.
func (c *conditions) add(condition string, args ...any) {
	places := make([]any, len(args))
	for i, arg := range args {
		c.args = append(c.args, arg)
		places[i] = "$" + strconv.Itoa(len(c.args))
	}
	c.parts = append(c.parts, fmt.Sprintf(condition, places...))
}

func where[T any](c *conditions, condition string, value *T) {
	if value != nil {
		c.add(condition+" %s", *value)
	}
}

func (c *conditions) bounds(column string, from, to *time.Time) {
	where(c, column+" >=", from)
	where(c, column+" <", to)
}

func (c *conditions) after(page db.Page, at, id string) error {
	var lastAt time.Time
	var lastID uuid.UUID
	more, err := page.After(&lastAt, &lastID)
	if err != nil {
		return err
	}
	if more {
		c.add("("+at+", "+id+") < (%s, %s)", lastAt, lastID)
	}
	return nil
}

// list runs a keyset query for one page and one row more, which tells whether there is a next page.
func list[T any](ctx context.Context, d *db.DB, query string, c *conditions, order string, page db.Page,
	scan pgx.RowToFunc[T], cursor func(T) string,
) ([]T, string, error) {
	if len(c.parts) > 0 {
		query += " WHERE " + strings.Join(c.parts, " AND ")
	}
	size := page.Size()
	rows, err := d.Pool.Query(ctx, query+" ORDER BY "+order+" LIMIT "+strconv.Itoa(size+1), c.args...)
	if err != nil {
		return nil, "", fmt.Errorf("listing evidence: %w", err)
	}
	entries, err := pgx.CollectRows(rows, scan)
	if err != nil {
		return nil, "", fmt.Errorf("listing evidence: %w", err)
	}
	if len(entries) <= size {
		return entries, "", nil
	}
	entries = entries[:size]
	return entries, cursor(entries[size-1]), nil
}
