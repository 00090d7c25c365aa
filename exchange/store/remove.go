package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/shuqiao/shuqiao/internal/db"
)

// Removed is what Remove dropped.
type Removed struct {
	Layouts int
	Rows    int64 // Of the active layout.
	LogRows int64 // Of its log.
}

// errBusy rolls a removal back that has to wait.
var errBusy = errors.New("somebody writes or reads the rows")

// Remove drops the tables of a resource, its staging and its watermark, and calls with in the same transaction. Cursors of before cannot be
// continued. It reports false, and changes nothing, while a run of the resource is alive, somebody reads its rows, or with nothing to
// drop: the next call tries again. The caller has made sure that the resource is revoked. The rows are counted before anything is locked, since nobody
// writes them any more.
func (s *Store) Remove(ctx context.Context, resource uuid.UUID, with func(tx *db.Tx, r Removed) error) (bool, error) {
	rows, err := s.db.Pool.Query(ctx, "SELECT "+layoutColumns+" FROM store.layout WHERE resource = $1 AND state <> 'dropped' ORDER BY layout", resource)
	if err != nil {
		return false, fmt.Errorf("listing layouts: %w", err)
	}
	layouts, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (Layout, error) { return scanLayout(row) })
	if err != nil {
		return false, fmt.Errorf("listing layouts: %w", err)
	}
	if len(layouts) == 0 {
		return false, nil
	}
	removed := Removed{Layouts: len(layouts)}
	for _, l := range layouts {
		if l.State != LayoutActive {
			continue
		}
		err := s.db.Pool.QueryRow(ctx, fmt.Sprintf("SELECT (SELECT count(*) FROM %s), (SELECT count(*) FROM %s)", l.Name(), l.LogName())).
			Scan(&removed.Rows, &removed.LogRows)
		if err != nil {
			return false, fmt.Errorf("counting rows of layout %d: %w", l.Number, err)
		}
	}
	err = s.db.InTx(ctx, func(tx *db.Tx) error {
		if _, err := tx.Exec(ctx, fmt.Sprintf("SET LOCAL lock_timeout = '%dms'", alterWait.Milliseconds())); err != nil {
			return err
		}
		if err := dropAll(ctx, tx, resource, layouts); err != nil {
			return err
		}
		return with(tx, removed)
	})
	if errors.Is(err, errBusy) || lockRefused(err) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("removing the rows of %s: %w", resource, err)
	}
	s.layouts.Delete(resource)
	return true, nil
}

func dropAll(ctx context.Context, tx *db.Tx, resource uuid.UUID, layouts []Layout) error {
	free, err := lockFreeHead(ctx, tx, resource)
	if err != nil {
		return err
	}
	if !free {
		return errBusy
	}
	var alive bool
	err = tx.QueryRow(ctx, "SELECT EXISTS (SELECT 1 FROM run WHERE resource_id = $1 AND state IN ('queued', 'running', 'reconciling'))", resource).Scan(&alive)
	if err != nil {
		return fmt.Errorf("looking for runs: %w", err)
	}
	if alive {
		return errBusy
	}
	rows, err := tx.Query(ctx, "SELECT run FROM store.staging WHERE resource = $1", resource)
	if err != nil {
		return fmt.Errorf("listing staging: %w", err)
	}
	runs, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
	if err != nil {
		return fmt.Errorf("listing staging: %w", err)
	}
	for _, run := range runs {
		if err := dropStaged(ctx, tx, run); err != nil {
			return err
		}
	}
	if err := dropDetached(ctx, tx, resource); err != nil {
		return err
	}
	for _, l := range layouts {
		if err := dropTables(ctx, tx, l.Name(), l.LogName()); err != nil {
			return err
		}
	}
	for _, sql := range []string{
		"UPDATE store.layout SET state = 'dropped', retired_at = coalesce(retired_at, clock_timestamp()) WHERE resource = $1",
		"DELETE FROM store.head_move WHERE resource = $1",
		"DELETE FROM store.watermark WHERE resource = $1",
		`UPDATE store.store_head SET layout = 0, min_seq = seq, rows = NULL, filterable_from = '{}', incarnation = gen_random_uuid(), changed_at = clock_timestamp()
			WHERE resource = $1`,
	} {
		if _, err := tx.Exec(ctx, sql, resource); err != nil {
			return fmt.Errorf("forgetting layouts: %w", err)
		}
	}
	return nil
}
