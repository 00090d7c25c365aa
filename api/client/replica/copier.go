package replica

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/shuqiao/shuqiao/api/client"
)

// lockWait is how long a copier waits for another one to end: a server needs a moment to see that a killed one is gone.
const lockWait = 15 * time.Second

// maxRestarts bounds how often one Once begins to read everything anew before it gives up.
const maxRestarts = 5

// Options says what is copied and to where. Everything without a remark is required.
type Options struct {
	Client   *client.Client // Of the consuming system; with Retry set, short troubles pass unnoticed.
	Pull     client.Pull    // Resource, and where needed grant, purpose and case number.
	Into     string         // postgres://… or a folder.
	Table    string         // In PostgreSQL; "" means one named after Pull.Resource.
	CSV      bool           // In folders: keep rows.csv beside rows.ndjson.
	PageRows int            // Rows per call, at most 5000; 0 means 5000.
	// MaxChanges is how many changes become visible in one transaction; more are not applied but read as a new snapshot. 0 means
	// a million, in folders 200,000, since there they are held in memory.
	MaxChanges int
	LockWait   time.Duration // How long to wait for another process to let go of the copy; 0 means 15 s.
	Log        *slog.Logger  // nil means slog.Default.
	Clock      func() time.Time
}

// Copier keeps one copy. It is for one goroutine.
type Copier struct {
	opt    Options
	log    *slog.Logger
	clock  func() time.Time
	target target
}

// target is where a copy lives. Every method that takes a state stores it together with what it does, or neither.
type target interface {
	// lock makes this process the only one that writes the copy. It waits some seconds for one that is about to end.
	lock(ctx context.Context) error
	// load returns the stored state, nil when there is no copy.
	load(ctx context.Context) (*State, error)
	// begin makes an empty place beside the copy for s.Side, in place of one that may be there.
	begin(ctx context.Context, s *State) error
	// addPage puts rows beside the copy and counts them in s.Side.
	addPage(ctx context.Context, s *State, rows []cells) error
	// changes begins a group of changes, to the side when there is one, else to the copy.
	changes(ctx context.Context, s *State) (group, error)
	// swap lets what is beside the copy take its place; s is the state afterwards.
	swap(ctx context.Context, s *State) error
	// note stores the state alone.
	note(ctx context.Context, s *State) error
	// read yields the rows that readers see and returns the state that belongs to them.
	read(ctx context.Context, yield func(Shape, cells) error) (*State, error)
	// dispose removes the copy and keeps the record of it.
	dispose(ctx context.Context, s *State, d Disposal) error
	// disposal returns the record of a copy that was removed, nil when there is none.
	disposal(ctx context.Context) (*Disposal, error)
	// method says how dispose removes, for the record.
	method() string
	// groupLimit is how many changes a group can hold well.
	groupLimit() int
	close()
}

// group is a set of changes that becomes visible as one.
type group interface {
	apply(ctx context.Context, upserts []cells, deletes [][]string) error
	// commit makes the changes visible under s, whose Rows it corrects.
	commit(ctx context.Context, s *State) error
	rollback()
}

// Open opens the place of a copy. Nothing is read or written before Once. Close gives everything back.
func Open(ctx context.Context, opt Options) (*Copier, error) {
	if opt.Log == nil {
		opt.Log = slog.Default()
	}
	if opt.Clock == nil {
		opt.Clock = time.Now
	}
	if opt.PageRows <= 0 || opt.PageRows > 5000 {
		opt.PageRows = 5000
	}
	if opt.LockWait <= 0 {
		opt.LockWait = lockWait
	}
	t, err := openTarget(ctx, opt)
	if err != nil {
		return nil, err
	}
	return &Copier{opt: opt, log: opt.Log, clock: opt.Clock, target: t}, nil
}

// Close ends the connection to the copy's place and lets others write it.
func (c *Copier) Close() { c.target.close() }

// Status returns where the copy is, nil when there is none.
func (c *Copier) Status(ctx context.Context) (*State, error) { return c.target.load(ctx) }

// Once brings the copy up to the head of the hub and returns its state. The first time it makes the copy.
//
// Problems of the hub are returned as they came (*client.Problem): grant_suspended says that the copy stays as it is for now,
// grant_expired and no_grant of a copy that was filled say that it must be disposed of; the state notes all three. A copy that
// another process writes is ErrBusy.
func (c *Copier) Once(ctx context.Context) (*State, error) {
	if err := c.target.lock(ctx); err != nil {
		return nil, err
	}
	s, err := c.target.load(ctx)
	if err != nil {
		return nil, err
	}
	if s == nil {
		s = &State{Hub: c.opt.Client.Base}
	} else if err := c.sameGrant(s); err != nil {
		return nil, err
	}
	for restarts := 0; ; {
		next, done, err := c.step(ctx, s)
		switch {
		case err == nil && done:
			return next, nil
		case err == nil:
			s = next
		case errors.Is(err, errStartOver) && restarts < maxRestarts:
			restarts++
			c.log.Info("reading everything anew beside the copy", "reason", err.Error())
			if s, err = c.begin(ctx, s); err != nil {
				return s, c.notice(ctx, s, err)
			}
		default:
			return s, c.notice(ctx, s, err)
		}
	}
}

// sameGrant refuses to mix what two grants give.
func (c *Copier) sameGrant(s *State) error {
	if wanted := c.opt.Pull.Grant; wanted != "" && wanted != s.Grant {
		return &Refusal{Code: "other_grant", Message: "this is a copy of grant " + s.Grant + "; dispose of it, or copy to another place"}
	}
	return nil
}

// step does one piece of work. done says that the copy is at the head of the hub.
func (c *Copier) step(ctx context.Context, s *State) (next *State, done bool, err error) {
	if s.Visible == nil && s.Side == nil {
		next, err = c.begin(ctx, s)
		return next, false, err
	}
	switch s.Phase() {
	case Snapshot:
		next, err = c.addPage(ctx, s)
	case CatchUp:
		next, err = c.catchUp(ctx, s)
	case Swap:
		next, err = c.swap(ctx, s)
	default:
		next, err = c.follow(ctx, s)
		done = err == nil
	}
	return next, done, err
}

// pull names the grant that the copy is of, so that another one never decides.
func (c *Copier) pull(s *State) client.Pull {
	p := c.opt.Pull
	if s.Resource != "" {
		p.Resource = s.Resource
	}
	if s.Grant != "" {
		p.Grant = s.Grant
	}
	return p
}

// begin asks what rows look like and makes an empty place for them.
func (c *Copier) begin(ctx context.Context, s *State) (*State, error) {
	schema, err := c.opt.Client.SchemaOf(ctx, c.pull(s))
	if err != nil {
		return s, err
	}
	shape, err := newShape(schema)
	if err != nil {
		return s, err
	}
	next := s.clone()
	next.Hub, next.Resource, next.Grant = c.opt.Client.Base, schema.Resource, schema.Grant
	next.Side = &Side{Shape: shape}
	if err := c.target.begin(ctx, next); err != nil {
		return s, err
	}
	c.log.Info("copying", "phase", next.Phase(), "resource", next.Resource, "grant", next.Grant, "terms", shape.Terms)
	return next, nil
}

// addPage reads the next page.
func (c *Copier) addPage(ctx context.Context, s *State) (*State, error) {
	page, err := client.RowsOf[client.RawRow](ctx, c.opt.Client, c.pull(s), client.Query{Limit: c.opt.PageRows, Cursor: s.Side.Next})
	if err != nil {
		return s, startOver(err)
	}
	if s.Side.Next == "" {
		// The first page is bound to no terms yet: they may have changed since the schema was read.
		schema, err := c.opt.Client.SchemaOf(ctx, c.pull(s))
		if err != nil {
			return s, err
		}
		if schema.TermsVersion != s.Side.Terms || schema.Version != s.Side.Version {
			return s, fmt.Errorf("the terms changed while the first page was read: %w", errStartOver)
		}
	}
	rows := make([]cells, 0, len(page.Rows))
	for _, raw := range page.Rows {
		row, err := s.Side.row(raw)
		if err != nil {
			return s, err
		}
		rows = append(rows, row)
	}
	next := s.clone()
	next.Side.Next, next.Side.AsOf = page.NextCursor, page.AsOf
	if page.NextCursor == "" {
		next.Side.Cursor = page.ChangesCursor
	}
	if err := c.target.addPage(ctx, next, rows); err != nil {
		return s, err
	}
	if next.Phase() != Snapshot {
		c.log.Info("copying", "phase", next.Phase(), "rows", next.Side.Rows)
	}
	return next, nil
}

// catchUp applies what changed since the first page to what is beside the copy. Nobody reads there, so that it may be done
// in parts.
func (c *Copier) catchUp(ctx context.Context, s *State) (*State, error) {
	next := s.clone()
	_, more, err := c.applyGroup(ctx, s, next, func(page client.ChangesOf[client.RawRow]) {
		next.Side.Cursor, next.Side.AsOf, next.Side.Ready = page.NextCursor, page.AsOf, !page.More
	})
	if err != nil {
		return s, err
	}
	if !more {
		c.log.Info("copying", "phase", next.Phase(), "rows", next.Side.Rows)
	}
	return next, nil
}

// swap lets readers see what was read beside the copy.
func (c *Copier) swap(ctx context.Context, s *State) (*State, error) {
	next := s.clone()
	d := s.Side
	next.Visible = &Copy{Shape: d.Shape, Cursor: d.Cursor, AsOf: d.AsOf, Rows: d.Rows, File: d.File}
	next.Side, next.Notice, next.NoticeCode, next.CheckedAt = nil, "", "", c.clock().UTC()
	if err := c.target.swap(ctx, next); err != nil {
		return s, err
	}
	c.log.Info("copying", "phase", next.Phase(), "rows", next.Visible.Rows, "as_of", next.Visible.AsOf)
	return next, nil
}

// follow applies all changes up to the head of the hub in one transaction, so that a run becomes visible whole. More than a
// transaction should hold are not applied: then it is cheaper to read everything beside the copy.
func (c *Copier) follow(ctx context.Context, s *State) (*State, error) {
	next := s.clone()
	next.Notice, next.NoticeCode = "", ""
	applied, more, err := c.applyGroup(ctx, s, next, func(page client.ChangesOf[client.RawRow]) {
		next.Visible.Cursor, next.Visible.AsOf = page.NextCursor, page.AsOf
		next.CheckedAt = c.clock().UTC()
	})
	if err != nil {
		return s, err
	}
	if more {
		return s, fmt.Errorf("more than %d changes wait: %w", c.maxChanges(), errStartOver)
	}
	if applied > 0 {
		c.log.Info("changes applied", "changes", applied, "rows", next.Visible.Rows, "as_of", next.Visible.AsOf)
	}
	return next, nil
}

// applyGroup reads changes behind the cursor of s and applies them as one group, until there are none left or the group is
// full. A full group of the copy is dropped, one beside it is kept.
func (c *Copier) applyGroup(ctx context.Context, s, next *State, moved func(client.ChangesOf[client.RawRow])) (applied int, more bool, err error) {
	var g group
	defer func() {
		if g != nil {
			g.rollback()
		}
	}()
	shape, cursor := s.shape()
	query := client.Query{Limit: c.opt.PageRows, Cursor: cursor}
	for page, err := range client.ChangePages[client.RawRow](ctx, c.opt.Client, c.pull(s), query) {
		if err != nil {
			return 0, false, startOver(err)
		}
		if page.Resync != "" {
			return 0, false, fmt.Errorf("%w: the hub has these rows in another shape", errStartOver)
		}
		upserts, deletes, err := shape.changes(page.Changes)
		if err != nil {
			return 0, false, err
		}
		moved(page)
		if applied, more = applied+len(page.Changes), page.More; len(page.Changes) == 0 {
			continue
		}
		if g == nil {
			if g, err = c.target.changes(ctx, s); err != nil {
				return 0, false, err
			}
		}
		if err := g.apply(ctx, upserts, deletes); err != nil {
			return 0, false, err
		}
		if more && applied >= c.maxChanges() {
			break
		}
	}
	switch {
	case more && s.Side == nil:
		return applied, true, nil
	case g == nil:
		return 0, false, c.target.note(ctx, next)
	}
	err = g.commit(ctx, next)
	g = nil
	return applied, more, err
}

func (c *Copier) maxChanges() int {
	if c.opt.MaxChanges > 0 {
		return c.opt.MaxChanges
	}
	return c.target.groupLimit()
}

// shape returns what changes are applied to: what is beside the copy, or the copy, and the cursor behind it.
func (s *State) shape() (Shape, string) {
	if s.Side != nil {
		return s.Side.Shape, s.Side.Cursor
	}
	return s.Visible.Shape, s.Visible.Cursor
}

// changes sorts a page of changes into rows to put and keys to remove. A page never holds both for one row.
func (s Shape) changes(page []client.ChangeOf[client.RawRow]) (upserts []cells, deletes [][]string, err error) {
	for _, change := range page {
		switch change.Op {
		case "upsert":
			row, err := s.row(change.Row)
			if err != nil {
				return nil, nil, err
			}
			upserts = append(upserts, row)
		case "delete":
			parts := []string{change.RID}
			if !s.RowID {
				if parts, err = s.keyParts(change.Key); err != nil {
					return nil, nil, err
				}
			}
			deletes = append(deletes, parts)
		default:
			return nil, nil, fmt.Errorf("reading changes: the hub sent a kind of change that this program does not know; use a newer one")
		}
	}
	return upserts, deletes, nil
}
