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

// retire notes what the active layout is as it is replaced: where its changes end, and from where its log tells them.
func retire(ctx context.Context, tx pgx.Tx, head Head) error {
	_, err := tx.Exec(ctx, `
		UPDATE store.layout l SET state = 'grace', retired_at = clock_timestamp(), min_seq = h.min_seq, end_seq = h.seq, filterable_from = h.filterable_from
		FROM store.store_head h WHERE l.resource = $1 AND l.state = 'active' AND h.resource = l.resource`, head.Resource)
	if err != nil {
		return fmt.Errorf("retiring the old layout: %w", err)
	}
	return nil
}

// Retired returns a replaced layout whose rows are still there, and false where there is none of that number: it is active,
// dropped, or was never one.
func (s *Store) Retired(ctx context.Context, resource uuid.UUID, number int) (Layout, bool, error) {
	l, err := scanLayout(s.db.Pool.QueryRow(ctx, "SELECT "+layoutColumns+` FROM store.layout
		WHERE resource = $1 AND layout = $2 AND state = 'grace' AND end_seq IS NOT NULL`, resource, number))
	if db.NoRows(err) {
		return Layout{}, false, nil
	}
	if err != nil {
		return Layout{}, false, fmt.Errorf("looking for a replaced layout: %w", err)
	}
	return l, true, nil
}

// Fits reports whether the layout has these columns just so, and no other column in its key.
func (l Layout) Fits(shape []Column) bool {
	for _, c := range shape {
		is, ok := l.Column(c.No)
		if !ok || is.Letter != c.Letter || is.Key != c.Key || is.Geometry != c.Geometry {
			return false
		}
	}
	return len(keyed(l.Columns)) == len(keyed(shape))
}

// Fitting returns the layout in which rows of a shape are found: the active one where it fits, else the newest replaced one that does and
// is still kept. The faults: NotFound not_collected where the resource has no layout, Gone resync_required where none fits.
func (s *Store) Fitting(ctx context.Context, resource uuid.UUID, shape []Column) (Layout, error) {
	rows, err := s.db.Pool.Query(ctx, "SELECT "+layoutColumns+` FROM store.layout
		WHERE resource = $1 AND (state = 'active' OR state = 'grace' AND end_seq IS NOT NULL) ORDER BY state = 'active' DESC, layout DESC`, resource)
	if err != nil {
		return Layout{}, fmt.Errorf("looking for a layout: %w", err)
	}
	found, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (Layout, error) { return scanLayout(row) })
	if err != nil {
		return Layout{}, fmt.Errorf("looking for a layout: %w", err)
	}
	for _, l := range found {
		if l.Fits(shape) {
			return l, nil
		}
	}
	if len(found) == 0 {
		return Layout{}, notCollected()
	}
	return Layout{}, layoutGone()
}

// retiredRows is Rows in a replaced layout, for an action of data.
func (s *Store) retiredRows(ctx context.Context, d authz.Decision, action authz.Action, q Query, after string, limit int, visit func(Record) error) (Snapshot, error) {
	return s.inSnapshot(ctx, d, action, q, func(tx pgx.Tx, _ Head, l Layout) error {
		args := append(q.Args[:len(q.Args):len(q.Args)], after, limit)
		n := len(args)
		among := ""
		if q.Keys != nil {
			args = append(args, q.Keys)
			among = fmt.Sprintf("_key = ANY ($%d::text[]) AND", n+1)
		}
		return visitRows(ctx, tx, fmt.Sprintf("SELECT %s FROM %s WHERE %s %s _key > $%d ORDER BY _key LIMIT $%d",
			q.list(), l.Name(), q.and(), among, n-1, n), args, visit)
	})
}

// layoutGone says of a read in a replaced layout that its rows are not there any more.
func layoutGone() error {
	return fault.New(fault.Gone, "resync_required", "the rows of this resource were rebuilt; read them again from the start").At("store")
}

// tableGone reports whether a statement named a table that was dropped meanwhile.
func tableGone(err error) bool {
	pgErr, ok := errors.AsType[*pgconn.PgError](err)
	return ok && pgErr.Code == undefinedTable
}
