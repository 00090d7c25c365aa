package store

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// attach makes a filled table the active layout. Cursors of before cannot be continued across it, only in the layout they are of.
func (st *Staging) attach(ctx context.Context, tx pgx.Tx, head Head, opt MergeOptions, result *Result) error {
	if head.Seq != st.head.Seq || head.Layout != st.head.Layout {
		return ErrStagingLost
	}
	c := &result.Counts
	c.Inserted = st.staged
	if err := tx.QueryRow(ctx, fmt.Sprintf("SELECT coalesce(max(_seq), %d) FROM %s", head.Seq, st.table)).Scan(&result.Seq); err != nil {
		return fmt.Errorf("numbering filled rows: %w", err)
	}
	if head.Layout > 0 {
		old, err := readLayout(ctx, tx, st.job.Resource, head.Layout)
		if err != nil {
			return err
		}
		if err := st.replace(ctx, tx, old, opt, result); err != nil {
			return err
		}
	}
	if err := retire(ctx, tx, head); err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, "UPDATE store.layout SET state = 'active' WHERE resource = $1 AND layout = $2", st.job.Resource, st.rows.Number); err != nil {
		return fmt.Errorf("activating the layout: %w", err)
	}
	if _, err := tx.Exec(ctx, "UPDATE store.store_head SET layout = $2, min_seq = $3, filterable_from = '{}', rows = $4 WHERE resource = $1",
		st.job.Resource, st.rows.Number, result.Seq, c.Inserted+st.carried); err != nil {
		return fmt.Errorf("moving the head to the layout: %w", err)
	}
	return nil
}

// replace counts what goes with the old layout, guards it, and carries over the rows that must stay.
func (st *Staging) replace(ctx context.Context, tx pgx.Tx, old Layout, opt MergeOptions, result *Result) error {
	c := &result.Counts
	var stored int64
	if !sameKey(old.Columns, st.rows.Columns) {
		// Under another key no old row can be told to be the same as a new one: only the numbers can be compared.
		if err := tx.QueryRow(ctx, "SELECT count(*) FROM "+old.Name()).Scan(&stored); err != nil {
			return fmt.Errorf("counting the old layout: %w", err)
		}
		c.Deleted = max(stored-c.Inserted-c.Rejected, 0)
		return guard(c.Deleted, stored, c.Inserted, opt.MayDelete)
	}
	err := tx.QueryRow(ctx, fmt.Sprintf(`
		SELECT count(*), count(*) FILTER (WHERE NOT EXISTS (SELECT 1 FROM %s s WHERE s._key = r._key)
			AND NOT EXISTS (SELECT 1 FROM store.staged_reject x WHERE x.run = $1 AND x.key = r._key)) FROM %s r`, st.table, old.Name()), st.job.Run).Scan(&stored, &c.Deleted)
	if err != nil {
		return fmt.Errorf("comparing with the old layout: %w", err)
	}
	if !opt.CarryDeletes {
		c.Deleted = 0
	} else if err := guard(c.Deleted, stored, c.Inserted, opt.MayDelete); err != nil {
		return err
	}
	return st.carryOver(ctx, tx, old, opt.CarryDeletes, result)
}

// carryOver brings rows of the old layout into the new one: the last good row of every rejected key, held by this run, and,
// where this run carries no deletes, the rows it did not meet. Items that are new or of another type are NULL in them, and
// their hash is changed, so that the next good read of the key replaces them.
func (st *Staging) carryOver(ctx context.Context, tx pgx.Tx, old Layout, deletes bool, result *Result) error {
	var shared []Column
	h1 := "r._h1"
	for _, c := range old.Columns {
		if n, ok := st.rows.Column(c.No); ok && n.Letter == c.Letter && n.Geometry == c.Geometry {
			shared = append(shared, c)
		} else {
			h1 = "~r._h1"
		}
	}
	rejected := "WHERE x.key IS NOT NULL AND"
	if !deletes {
		rejected = "WHERE"
	}
	items := copyColumns(shared)
	from := make([]string, len(items))
	for i, n := range items {
		from[i] = "r." + n
	}
	tag, err := tx.Exec(ctx, fmt.Sprintf(`
		INSERT INTO %[1]s (_key, _seq, _run, _h1, _h2, _held%[2]s)
		SELECT r._key, %[3]d + row_number() OVER (ORDER BY r._key), r._run, %[4]s, r._h2, CASE WHEN x.key IS NULL THEN r._held ELSE $1::uuid END%[5]s
		FROM %[6]s r LEFT JOIN (SELECT DISTINCT key FROM store.staged_reject WHERE run = $1 AND key IS NOT NULL) x ON x.key = r._key
		%[7]s NOT EXISTS (SELECT 1 FROM %[1]s s WHERE s._key = r._key)`,
		st.table, prefixed(", ", items), result.Seq, h1, prefixed(", ", from), old.Name(), rejected), st.job.Run)
	if err != nil {
		return fmt.Errorf("carrying rows over: %w", err)
	}
	st.carried = tag.RowsAffected()
	result.Seq += st.carried
	err = tx.QueryRow(ctx, fmt.Sprintf("SELECT count(*) FROM %s WHERE _held = $1", st.table), st.job.Run).Scan(&result.Counts.Held)
	if err != nil {
		return fmt.Errorf("counting held rows: %w", err)
	}
	return nil
}
