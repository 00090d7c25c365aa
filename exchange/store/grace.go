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

// retiredRows is Rows in a replaced layout.
func (s *Store) retiredRows(ctx context.Context, d authz.Decision, q Query, after string, limit int, visit func(Record) error) (Snapshot, error) {
	return s.inSnapshot(ctx, d, authz.DataPull, q, func(tx pgx.Tx, _ Head, l Layout) error {
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
