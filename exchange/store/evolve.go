package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// A table that is being read is altered only within brief moments: readers that come while the change waits queue behind
// it, so it gives up soon and tries again.
const (
	alterWait  = 200 * time.Millisecond
	alterTries = 25
)

// keyed returns the columns that make the key.
func keyed(columns []Column) []Column {
	var out []Column
	for _, c := range columns {
		if c.Key {
			c.Filterable = false
			out = append(out, c)
		}
	}
	slices.SortFunc(out, func(a, b Column) int { return a.No - b.No })
	return out
}

// sameKey reports whether rows have the same keys under both sets of columns.
func sameKey(a, b []Column) bool { return slices.Equal(keyed(a), keyed(b)) }

// holds reports whether rows of the layout can stay in their table under these columns: every item is still there as it
// was, and new ones are not part of the key. NULL is not hashed, so a new item changes no row by itself.
func (l Layout) holds(columns []Column) bool {
	for _, c := range l.Columns {
		i := slices.IndexFunc(columns, func(n Column) bool { return n.No == c.No })
		if i < 0 || columns[i].Letter != c.Letter || columns[i].Geometry != c.Geometry {
			return false
		}
	}
	return sameKey(l.Columns, columns)
}

// grown returns the items that have no column yet, and those that become filterable.
func (l Layout) grown(columns []Column) (added, filterable []Column) {
	for _, c := range columns {
		before, ok := l.Column(c.No)
		if !ok {
			added = append(added, c)
		}
		if c.Filterable && !before.Filterable {
			filterable = append(filterable, c)
		}
	}
	return added, filterable
}

// widen gives the tables of the layout in force what a job needs beside: columns for new items, log columns and indexes for
// items that become filterable. Nobody reads them before the merge that fills them writes the columns into the layout.
// It returns an Unavailable fault "store_busy" when readers held the table all the time.
func (s *Store) widen(ctx context.Context, job Job) error {
	for try := 1; ; try++ {
		err := s.db.InTx(ctx, func(tx *db.Tx) error { return widenTables(ctx, tx, job) })
		if err == nil {
			break
		}
		if !lockRefused(err) {
			return err
		}
		if try == alterTries {
			return fault.New(fault.Unavailable, "store_busy", "the rows of this resource are read without a pause; their table cannot be widened now").At("store").Wrap(err)
		}
		timer := time.NewTimer(alterWait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case <-timer.C:
		}
	}
	return s.db.InTx(ctx, func(tx *db.Tx) error {
		if err := setLimits(ctx, tx); err != nil {
			return err
		}
		l, err := activeLayout(ctx, tx, job)
		if err != nil || l.Number == 0 {
			return err
		}
		// Building an index only keeps writers out, and the caller is the only one.
		l.Columns = job.Columns
		return indexFilterable(ctx, tx, l)
	})
}

// activeLayout returns the layout in force when the job's rows can stay in it, and the zero Layout otherwise.
func activeLayout(ctx context.Context, tx pgx.Tx, job Job) (Layout, error) {
	var number int
	err := tx.QueryRow(ctx, "SELECT layout FROM store.store_head WHERE resource = $1 FOR UPDATE", job.Resource).Scan(&number)
	if db.NoRows(err) || err == nil && number == 0 {
		return Layout{}, nil
	}
	if err != nil {
		return Layout{}, fmt.Errorf("locking store head: %w", err)
	}
	l, err := readLayout(ctx, tx, job.Resource, number)
	if err != nil || !l.holds(job.Columns) {
		return Layout{}, err
	}
	return l, nil
}

func lockRefused(err error) bool {
	pgErr, ok := errors.AsType[*pgconn.PgError](err)
	return ok && pgErr.Code == "55P03" // lock_not_available
}

// widenTables adds the columns that are wanting.
func widenTables(ctx context.Context, tx *db.Tx, job Job) error {
	if _, err := tx.Exec(ctx, fmt.Sprintf("SET LOCAL lock_timeout = '%dms'; SET LOCAL statement_timeout = '30s'", alterWait.Milliseconds())); err != nil {
		return err
	}
	l, err := activeLayout(ctx, tx, job)
	if err != nil || l.Number == 0 {
		return err
	}
	added, filterable := l.grown(job.Columns)
	if len(added)+len(filterable) == 0 {
		return nil
	}
	for _, c := range added {
		// What a run left that widened the table and was given up holds nothing but NULL, and may have another type.
		if err := replaceColumn(ctx, tx, l.Name(), c, true); err != nil {
			return err
		}
	}
	for _, c := range filterable {
		_, known := l.Column(c.No)
		if err := replaceColumn(ctx, tx, l.LogName(), c, !known); err != nil {
			return err
		}
	}
	return FenceTx(ctx, tx, job.Lease)
}

// replaceColumn adds the column to a table where it is wanting; anew says that one that is there is another's remnant.
func replaceColumn(ctx context.Context, tx pgx.Tx, table string, c Column, anew bool) error {
	names := copyColumns([]Column{c})
	var there int
	err := tx.QueryRow(ctx, "SELECT count(*) FROM pg_attribute WHERE attrelid = $1::regclass AND attname = $2 AND NOT attisdropped", table, c.Name()).Scan(&there)
	if err != nil {
		return fmt.Errorf("looking for column %s: %w", c.Name(), err)
	}
	if there > 0 && !anew {
		return nil
	}
	sql := "ALTER TABLE " + table
	for i, definition := range itemDefinitions([]Column{c}) {
		if i > 0 {
			sql += ","
		}
		sql += " DROP COLUMN IF EXISTS " + names[i] + ", ADD COLUMN " + definition
	}
	if _, err := tx.Exec(ctx, sql); err != nil {
		return fmt.Errorf("widening table by %s: %w", c.Name(), err)
	}
	return nil
}

// indexFilterable builds the indexes of filterable items that are wanting; each also gives key order.
func indexFilterable(ctx context.Context, tx pgx.Tx, l Layout) error {
	for _, c := range l.filterable() {
		index := l.Table + "_" + c.Name()
		var there bool
		if err := tx.QueryRow(ctx, "SELECT to_regclass($1) IS NOT NULL", qualified(index)).Scan(&there); err != nil {
			return fmt.Errorf("looking for index %s: %w", index, err)
		}
		if there {
			continue
		}
		if _, err := tx.Exec(ctx, fmt.Sprintf("CREATE INDEX %s ON %s (%s, _key)", pgx.Identifier{index}.Sanitize(), l.Name(), c.Name())); err != nil {
			return fmt.Errorf("indexing %s: %w", c.Name(), err)
		}
	}
	return nil
}

// recordColumns makes the columns of a merge those of the layout. From here on the log keeps the old values of an item that
// became filterable: cursors of before cannot follow a filter that uses it.
func (st *Staging) recordColumns(ctx context.Context, tx pgx.Tx, head Head) error {
	before, err := readLayout(ctx, tx, st.job.Resource, head.Layout)
	if err != nil {
		return err
	}
	if before.Version == st.job.Version && slices.Equal(before.Columns, st.rows.Columns) {
		return nil
	}
	columns, err := json.Marshal(st.rows.Columns)
	if err != nil {
		return fmt.Errorf("encoding columns: %w", err)
	}
	_, err = tx.Exec(ctx, "UPDATE store.layout SET columns = $3, version = $4 WHERE resource = $1 AND layout = $2",
		st.job.Resource, head.Layout, columns, st.job.Version)
	if err != nil {
		return fmt.Errorf("recording columns: %w", err)
	}
	_, filterable := before.grown(st.rows.Columns)
	from := map[int]int64{}
	for _, c := range filterable {
		from[c.No] = head.Seq
	}
	raw, err := json.Marshal(from)
	if err != nil {
		return fmt.Errorf("encoding filterable items: %w", err)
	}
	if _, err := tx.Exec(ctx, "UPDATE store.store_head SET filterable_from = filterable_from || $2::jsonb WHERE resource = $1", st.job.Resource, raw); err != nil {
		return fmt.Errorf("noting filterable items: %w", err)
	}
	return nil
}
