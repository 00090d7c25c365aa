package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// lookupTries is how often a look-up is repeated because the layout it remembered had been replaced.
const lookupTries = 3

// errLayoutMoved says that a statement was made for a layout that is not the active one any more.
var errLayoutMoved = errors.New("the active layout is another one")

// Lookup reads the rows with these keys, in key order. Keys outside Where are as absent as keys that do not exist.
// action is what the caller was allowed: data.pull or data.verify.
//
// Head and rows come by one statement, which has one snapshot, so that a look-up costs one round trip. The name of the
// table is remembered from the last time; the head in the answer says whether it still was the right one. FilterableFrom of
// the head is left empty.
func (s *Store) Lookup(ctx context.Context, d authz.Decision, action authz.Action, q Query, keys []string, visit func(Record) error) (Snapshot, error) {
	if q.Layout != 0 {
		q.Keys = keys
		return s.retiredRows(ctx, d, action, q, "", len(keys), visit)
	}
	var snap Snapshot
	err := s.inLayout(ctx, d, action, q, func(l Layout) (err error) {
		snap, err = s.lookup(ctx, l, q, keys, visit)
		return err
	})
	return snap, err
}

// inLayout lets read make one statement for the layout that was active when it was last looked for, again when it was
// another one. read returns errLayoutMoved, before it has visited a row, when the head names another layout.
func (s *Store) inLayout(ctx context.Context, d authz.Decision, action authz.Action, q Query, read func(l Layout) error) error {
	if !d.Allows(action) {
		return fault.New(fault.Forbidden, "forbidden", "reading rows needs a decision of policy").At("policy")
	}
	var err error
	for range lookupTries {
		var l Layout
		if l, err = s.activeLayout(ctx, q.Resource); err != nil {
			return err
		}
		if q.check(l) != nil {
			// A merge may have widened the layout since.
			s.layouts.Delete(q.Resource)
			if l, err = s.activeLayout(ctx, q.Resource); err != nil {
				return err
			}
			if err := q.check(l); err != nil {
				return err
			}
		}
		if err = read(l); err == nil {
			return nil
		}
		if pgErr, ok := errors.AsType[*pgconn.PgError](err); !errors.Is(err, errLayoutMoved) && (!ok || pgErr.Code != undefinedTable) {
			return err
		}
		s.layouts.Delete(q.Resource)
	}
	return fault.New(fault.Unavailable, "try_again", "the rows of this resource are being replaced; try again").At("store").Wrap(err)
}

// undefinedTable is PostgreSQL's code for a table that is not there.
const undefinedTable = "42P01"

// activeLayout returns the layout that was active when it was last looked for.
func (s *Store) activeLayout(ctx context.Context, resource uuid.UUID) (Layout, error) {
	if l, ok := s.layouts.Load(resource); ok {
		return l.(Layout), nil
	}
	l, err := scanLayout(s.db.Pool.QueryRow(ctx, "SELECT "+layoutColumns+" FROM store.layout WHERE resource = $1 AND state = 'active'", resource))
	if db.NoRows(err) {
		return Layout{}, notCollected()
	}
	if err != nil {
		return Layout{}, fmt.Errorf("reading the active layout: %w", err)
	}
	s.layouts.Store(resource, l)
	return l, nil
}

func notCollected() error {
	return fault.New(fault.NotFound, "not_collected", "no data of this resource have arrived at the hub yet").At("store")
}

// check reports whether the layout has the items that the query needs, in the shape it asks for.
func (q Query) check(l Layout) error {
	for _, no := range q.Needs {
		if _, ok := l.Column(no); !ok {
			return fault.New(fault.Unavailable, "not_collected", "an item of this grant has not arrived at the hub yet").At("store")
		}
	}
	if q.Shape != nil && !l.Fits(q.Shape) {
		return fault.New(fault.Unavailable, "try_again", "the rows of this resource are being replaced; try again").At("store")
	}
	return nil
}

// headWidth is the number of columns that a look-up selects before the row.
const headWidth = 7

func (s *Store) lookup(ctx context.Context, l Layout, q Query, keys []string, visit func(Record) error) (Snapshot, error) {
	// One key is asked for as such: with an array PostgreSQL makes a plan each time, which takes longer than the look-up.
	var wanted any = keys
	among, order := "= ANY ($%d::text[])", "ORDER BY r._key"
	if len(keys) == 1 {
		wanted, among, order = keys[0], "= $%d", ""
	}
	args := append(q.Args[:len(q.Args):len(q.Args)], wanted, q.Resource)
	sql := fmt.Sprintf(`
		SELECT h.resource, h.seq, h.min_seq, h.layout, h.incarnation, h.changed_at, clock_timestamp(), r.*
		FROM store.store_head h LEFT JOIN (SELECT %s FROM %s WHERE %s _key %s) r ON true
		WHERE h.resource = $%d %s`, q.list(), l.Name(), q.and(), fmt.Sprintf(among, len(args)-1), len(args), order)
	rows, err := s.db.Pool.Query(ctx, sql, append([]any{pgx.QueryResultFormats{pgx.TextFormatCode}}, args...)...)
	if err != nil {
		return Snapshot{}, fmt.Errorf("looking rows up: %w", err)
	}
	defer rows.Close()
	var snap Snapshot
	h := &snap.Head
	found := false
	for rows.Next() {
		raw := rows.RawValues()
		if !found {
			into := make([]any, len(raw))
			copy(into, []any{&h.Resource, &h.Seq, &h.MinSeq, &h.Layout, &h.Incarnation, &h.ChangedAt, &snap.At})
			if err := rows.Scan(into...); err != nil {
				return Snapshot{}, fmt.Errorf("looking rows up: %w", err)
			}
			if h.Layout != l.Number {
				return Snapshot{}, errLayoutMoved
			}
			found = true
		}
		if raw[headWidth] == nil {
			continue // The head alone: no row.
		}
		rec, err := record(raw[headWidth:])
		if err != nil {
			return Snapshot{}, err
		}
		if err := visit(rec); err != nil {
			return Snapshot{}, err
		}
	}
	if err := rows.Err(); err != nil {
		return Snapshot{}, fmt.Errorf("looking rows up: %w", err)
	}
	if !found {
		return Snapshot{}, notCollected()
	}
	return snap, nil
}
