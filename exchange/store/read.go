package store

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// Query says which rows and which columns of a resource to read. Select holds one SQL expression per column wanted
// (store columns are named by Column.Name; masks are expressions over them), Where a condition with parameters $1… given
// in Args, "" for all rows. Needs lists the item numbers that Select and Where use, Filters those of Where.
type Query struct {
	Resource uuid.UUID
	Select   []string
	Where    string
	Args     []any
	Needs    []int
	Filters  []int
	Keys     []string // Canonical keys that Rows keeps to; nil for all. The other reads do not look at it.
	Layout   int      // A replaced layout that is read in place of the active one; 0 for that.

	// Shape are columns that the layout has to have just so, and whose key is the whole key of the rows; nil asks for nothing. It keeps
	// a reader of an old version from a layout that was made for a newer one.
	Shape []Column
}

// Record is one row read. Key is the canonical key, for cursors and _rid only. Cells are text forms of PostgreSQL, nil
// for NULL, valid until the next record.
type Record struct {
	Key   string
	Seq   int64
	Held  bool
	Cells [][]byte
}

// Snapshot says what state of the store a read saw.
type Snapshot struct {
	Head Head
	At   time.Time // Database time of the read; of a replaced layout when it was replaced, since its rows are those of then.
}

// inSnapshot runs read in one repeatable-read transaction together with the head, so that what it returns is never part
// of a commit. It returns a NotFound fault "not_collected" when the resource has no rows at the hub.
func (s *Store) inSnapshot(ctx context.Context, d authz.Decision, action authz.Action, q Query, read func(tx pgx.Tx, h Head, l Layout) error) (Snapshot, error) {
	if !d.Allows(action) {
		return Snapshot{}, fault.New(fault.Forbidden, "forbidden", "reading rows needs a decision of policy").At("policy")
	}
	tx, err := s.db.Pool.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly})
	if err != nil {
		return Snapshot{}, fmt.Errorf("beginning to read: %w", err)
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }()
	var snap Snapshot
	var columns []byte
	l := Layout{Resource: q.Resource, State: LayoutActive}
	err = tx.QueryRow(ctx, `
		SELECT h.resource, coalesce(l.end_seq, h.seq), coalesce(l.min_seq, h.min_seq), l.layout, h.incarnation, h.changed_at, coalesce(l.filterable_from, h.filterable_from),
			coalesce(l.retired_at, clock_timestamp()), l.table_name, l.columns
		FROM store.store_head h JOIN store.layout l ON l.resource = h.resource AND CASE WHEN $2 = 0 THEN l.layout = h.layout
			ELSE l.layout = $2 AND l.state = 'grace' AND l.end_seq IS NOT NULL END
		WHERE h.resource = $1`, q.Resource, q.Layout).
		Scan(&snap.Head.Resource, &snap.Head.Seq, &snap.Head.MinSeq, &snap.Head.Layout, &snap.Head.Incarnation, &snap.Head.ChangedAt, &snap.Head.FilterableFrom, &snap.At, &l.Table, &columns)
	if db.NoRows(err) && q.Layout != 0 {
		return Snapshot{}, layoutGone()
	}
	if db.NoRows(err) {
		return Snapshot{}, notCollected()
	}
	if err != nil {
		return Snapshot{}, fmt.Errorf("reading the head: %w", err)
	}
	l.Number = snap.Head.Layout
	if err := l.decode(columns); err != nil {
		return Snapshot{}, err
	}
	if err := q.check(l); err != nil {
		return Snapshot{}, err
	}
	if err := read(tx, snap.Head, l); err != nil {
		if q.Layout != 0 && tableGone(err) {
			err = layoutGone()
		}
		return Snapshot{}, err
	}
	return snap, nil
}

// Rows reads up to limit rows with key > after ("" for the first) in key order and hands each to visit. ChangedAt and
// FilterableFrom of the head are left empty.
//
// Head and rows come by one statement, which has one snapshot, as in Lookup: a page costs one round trip.
func (s *Store) Rows(ctx context.Context, d authz.Decision, q Query, after string, limit int, visit func(Record) error) (Snapshot, error) {
	if q.Layout != 0 {
		return s.retiredRows(ctx, d, authz.DataPull, q, after, limit, visit)
	}
	var snap Snapshot
	err := s.inLayout(ctx, d, authz.DataPull, q, func(l Layout) (err error) {
		snap, err = s.page(ctx, l, q, after, limit, visit)
		return err
	})
	return snap, err
}

// page reads the head as a first record, whose key is its text, and the rows behind it.
func (s *Store) page(ctx context.Context, l Layout, q Query, after string, limit int, visit func(Record) error) (Snapshot, error) {
	args := append(q.Args[:len(q.Args):len(q.Args)], after, limit, q.Resource)
	n := len(args)
	wanted := fmt.Sprintf("SELECT %s FROM %s WHERE %s _key > $%d ORDER BY _key LIMIT $%d", q.list(), l.Name(), q.and(), n-2, n-1)
	if q.Keys != nil {
		// Each key is looked up, in order, until there are enough rows. As a condition the keys would be held against every
		// row that another index offers, which does not end where few of many rows are wanted.
		args = append(args, q.Keys)
		wanted = fmt.Sprintf(`
			SELECT r.* FROM (SELECT k COLLATE "C" AS k FROM unnest($%d::text[]) AS k WHERE k COLLATE "C" > $%d ORDER BY k COLLATE "C") AS wanted
			CROSS JOIN LATERAL (SELECT %s FROM %s WHERE %s _key = wanted.k OFFSET 0) AS r ORDER BY wanted.k LIMIT $%d`,
			n+1, n-2, q.list(), l.Name(), q.and(), n-1)
	}
	sql := fmt.Sprintf(`
		SELECT concat_ws(' ', h.seq, h.min_seq, h.layout, h.incarnation, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint), NULL, NULL%s
		FROM store.store_head h WHERE h.resource = $%d
		UNION ALL
		(%s)`, strings.Repeat(", NULL", len(q.Select)), n, wanted)
	rows, err := s.db.Pool.Query(ctx, sql, append([]any{pgx.QueryResultFormats{pgx.TextFormatCode}}, args...)...)
	if err != nil {
		return Snapshot{}, fmt.Errorf("reading rows: %w", err)
	}
	defer rows.Close()
	var snap Snapshot
	found := false
	for rows.Next() {
		raw := rows.RawValues()
		if !found {
			// Appended inputs come in order; should that ever change, this says so instead of answering wrongly.
			if raw[1] != nil {
				return Snapshot{}, fmt.Errorf("reading rows: a row came before the head")
			}
			if snap, err = headOf(q.Resource, string(raw[0])); err != nil {
				return Snapshot{}, err
			}
			if snap.Head.Layout != l.Number {
				return Snapshot{}, errLayoutMoved
			}
			found = true
			continue
		}
		rec, err := record(raw)
		if err != nil {
			return Snapshot{}, err
		}
		if err := visit(rec); err != nil {
			return Snapshot{}, err
		}
	}
	if err := rows.Err(); err != nil {
		return Snapshot{}, fmt.Errorf("reading rows: %w", err)
	}
	if !found {
		return Snapshot{}, notCollected()
	}
	return snap, nil
}

// headOf reads the text in which page asks for the head.
func headOf(resource uuid.UUID, text string) (Snapshot, error) {
	snap := Snapshot{Head: Head{Resource: resource}}
	var at int64
	if _, err := fmt.Sscan(text, &snap.Head.Seq, &snap.Head.MinSeq, &snap.Head.Layout, &idText{&snap.Head.Incarnation}, &at); err != nil {
		return Snapshot{}, fmt.Errorf("reading the head: %w", err)
	}
	snap.At = time.UnixMicro(at).UTC()
	return snap, nil
}

// idText scans an id.
type idText struct{ id *uuid.UUID }

// Scan reads one word.
func (t *idText) Scan(state fmt.ScanState, _ rune) error {
	word, err := state.Token(true, nil)
	if err != nil {
		return err
	}
	*t.id, err = uuid.ParseBytes(word)
	return err
}

// Scan counts the rows, tells how many there are, and hands each to visit in key order: count and rows are of one snapshot.
// Memory does not grow with the rows.
func (s *Store) Scan(ctx context.Context, d authz.Decision, q Query, counted func(rows int64) error, visit func(Record) error) (Snapshot, error) {
	return s.inSnapshot(ctx, d, authz.DataPull, q, func(tx pgx.Tx, _ Head, l Layout) error {
		where := q.Where
		if where == "" {
			where = "true"
		}
		var rows int64
		if err := tx.QueryRow(ctx, fmt.Sprintf("SELECT count(*) FROM %s WHERE %s", l.Name(), where), q.Args...).Scan(&rows); err != nil {
			return fmt.Errorf("counting rows: %w", err)
		}
		if err := counted(rows); err != nil {
			return err
		}
		return visitRows(ctx, tx, fmt.Sprintf("SELECT %s FROM %s WHERE %s ORDER BY _key", q.list(), l.Name(), where), q.Args, visit)
	})
}

// Change is one entry of the changes of a resource. Cells is nil for a delete.
type Change struct {
	Delete bool
	Record
}

// Changes reads up to limit changes with after < seq <= head, in seq order: an upsert for a row that is inside Where, a
// delete for a row that left it or the store. More reports whether there may be further ones up to the head. A Gone fault
// "resync_required" says that an item of Filters became filterable after the cursor, or is not filterable (any more): what
// left the filter before cannot be told.
func (s *Store) Changes(ctx context.Context, d authz.Decision, q Query, after int64, limit int, visit func(Change) error) (snap Snapshot, more bool, err error) {
	snap, err = s.inSnapshot(ctx, d, authz.DataPull, q, func(tx pgx.Tx, h Head, l Layout) error {
		for _, no := range q.Filters {
			if c, ok := l.Column(no); !ok || !c.Filterable || !h.Follows(after, no) {
				return fault.New(fault.Gone, "resync_required", "an item of the filter became filterable after this cursor; read the rows again from the start").At("store")
			}
		}
		// Log rows of keys that are inside the filter say nothing, and live rows outside it neither: a page that would have to
		// pass over many of them is read window by window, so that the next page does not pass over the same ones again.
		from, window, seen := after, int64(max(changesWindow, 2*limit)), 0
		for from < h.Seq && !more {
			upto := min(h.Seq, from+window)
			err := visitChanges(ctx, tx, q, l, from, upto, limit+1-seen, func(c Change) error {
				if seen == limit {
					more = true
					return nil
				}
				seen++
				return visit(c)
			})
			if err != nil {
				return err
			}
			from = upto
			window *= 2
		}
		return nil
	})
	return snap, more, err
}

// changesWindow is how many changes the first query of a page may pass over at least; each further one takes twice as many.
const changesWindow = 2_000

// visitChanges visits up to limit changes with from < seq <= upto in seq order.
func visitChanges(ctx context.Context, tx pgx.Tx, q Query, l Layout, from, upto int64, limit int, visit func(Change) error) error {
	args := append(q.Args[:len(q.Args):len(q.Args)], from, upto, limit)
	n := len(q.Args)
	where := q.Where
	if where == "" {
		where = "true"
	}
	nulls := strings.Repeat(", NULL", len(q.Select))
	sql := fmt.Sprintf(`
		(SELECT false, %[1]s FROM %[2]s WHERE _seq > $%[4]d AND _seq <= $%[5]d AND (%[3]s) ORDER BY _seq LIMIT $%[6]d)
		UNION ALL
		(SELECT true, key, seq, false%[7]s FROM %[8]s WHERE seq > $%[4]d AND seq <= $%[5]d AND (%[3]s)
			AND NOT EXISTS (SELECT 1 FROM (SELECT * FROM %[2]s WHERE _key = key) r WHERE %[3]s)
		ORDER BY seq LIMIT $%[6]d)
		ORDER BY 3 LIMIT $%[6]d`,
		q.list(), l.Name(), where, n+1, n+2, n+3, nulls, l.LogName())
	rows, err := tx.Query(ctx, sql, append([]any{pgx.QueryResultFormats{pgx.TextFormatCode}}, args...)...)
	if err != nil {
		return fmt.Errorf("reading changes: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		raw := rows.RawValues()
		rec, err := record(raw[1:])
		if err != nil {
			return err
		}
		c := Change{Delete: raw[0][0] == 't', Record: rec}
		if c.Delete {
			c.Cells = nil
		}
		if err := visit(c); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("reading changes: %w", err)
	}
	return nil
}

// list is the select list behind identity: key, seq, held, then the columns wanted.
func (q Query) list() string {
	return "_key, _seq, _held IS NOT NULL" + prefixed(", ", q.Select)
}

func (q Query) and() string {
	if q.Where == "" {
		return ""
	}
	return "(" + q.Where + ") AND"
}

func visitRows(ctx context.Context, tx pgx.Tx, sql string, args []any, visit func(Record) error) error {
	rows, err := tx.Query(ctx, sql, append([]any{pgx.QueryResultFormats{pgx.TextFormatCode}}, args...)...)
	if err != nil {
		return fmt.Errorf("reading rows: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		rec, err := record(rows.RawValues())
		if err != nil {
			return err
		}
		if err := visit(rec); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("reading rows: %w", err)
	}
	return nil
}

func record(raw [][]byte) (Record, error) {
	seq, err := strconv.ParseInt(string(raw[1]), 10, 64)
	if err != nil {
		return Record{}, fmt.Errorf("reading a row's seq: %w", err)
	}
	return Record{Key: string(raw[0]), Seq: seq, Held: raw[2][0] == 't', Cells: raw[3:]}, nil
}
