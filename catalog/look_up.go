package catalog

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

const (
	// walked is how many rows are looked at in order, at least, before hits are looked up by their words.
	walked = 160
	// walkedMost bounds how many are, however likely hits are among them.
	walkedMost = 20_000
)

// find returns where the first n hits after f.after stand, in order.
func (s *Service) find(ctx context.Context, f *filter, o order, n int) ([]position, error) {
	switch {
	case f.nothing:
		return nil, nil
	case len(f.match) == 0: // Nothing says where hits are.
		return s.inOrder(ctx, *f, o, n)
	case o.walks && !o.tiers:
		return s.walkOrLookUp(ctx, f, o, n)
	}
	return s.lookUp(ctx, *f, o, n)
}

// walkOrLookUp suits an order that has nothing to do with the tiers. Frequent hits are met soon in that order, rare ones are few to
// sort: how often some are met among the first rows says which it is.
func (s *Service) walkOrLookUp(ctx context.Context, f *filter, o order, n int) ([]position, error) {
	rows := max(walked, 8*n)
	found, err := s.walk(ctx, *f, o, n, rows)
	if err != nil || len(found) == n {
		return found, err
	}
	all, err := s.searchable(ctx)
	if err != nil {
		return nil, err
	}
	share := float64(len(found)) / float64(rows)
	if further := 2 * float64(n) / share; further <= walkedMost && further < share*all {
		if found, err = s.walk(ctx, *f, o, n, int(further)); err != nil || len(found) == n {
			return found, err
		}
	}
	return s.lookUp(ctx, *f, o, n)
}

// searchable is about how many rows resource_search has.
func (s *Service) searchable(ctx context.Context) (rows float64, err error) {
	err = s.db.Pool.QueryRow(ctx, "SELECT greatest(reltuples, 0) FROM pg_class WHERE oid = 'resource_search'::regclass").Scan(&rows)
	if err != nil {
		return 0, fmt.Errorf("looking how large the directory is: %w", err)
	}
	return rows, nil
}

// walk looks at so many rows, the first in order, and returns the hits among them: at most n.
func (s *Service) walk(ctx context.Context, f filter, o order, n, rows int) ([]position, error) {
	f.args = slices.Clone(f.args)
	seen := "s.state = '" + string(f.state) + "'" + f.continued(o)
	sql := "SELECT " + o.columns() + " FROM " +
		f.from("(SELECT * FROM resource_search s WHERE "+seen+" ORDER BY "+o.descending()+" LIMIT "+f.param(rows)+")", o.arrivals) +
		" WHERE " + strings.Join(f.exact, " AND ") + " ORDER BY " + o.descending() + " LIMIT " + f.param(n)
	return s.positions(ctx, sql, f.args)
}

// inOrder asks row by row, in order.
func (s *Service) inOrder(ctx context.Context, f filter, o order, n int) ([]position, error) {
	f.args = slices.Clone(f.args)
	sql := "SELECT " + o.columns() + " FROM " + f.from("resource_search", o.arrivals) + " WHERE " + strings.Join(f.exact, " AND ") +
		f.continued(o) + " ORDER BY " + o.descending() + " LIMIT " + f.param(n)
	return s.positions(ctx, sql, f.args)
}

// lookUp finds hits by their words, tier by tier. An order that has the tiers first needs no lower one than the one that fills the page:
// PostgreSQL takes of a WITH query, and so of a tier, no more rows than it is asked for, and reads what is materialized one after the
// other, as written.
func (s *Service) lookUp(ctx context.Context, f filter, o order, n int) ([]position, error) {
	f.args = slices.Clone(f.args)
	holds := f.holds()
	limit := " LIMIT " + f.param(n)
	if !o.tiers {
		continued := f.continued(o)
		var parts []string
		for _, tier := range f.tiers() {
			parts = append(parts, f.onTier(tier, o.columns(), o.arrivals)+holds+continued)
		}
		return s.plannedPositions(ctx, "WITH f AS MATERIALIZED ("+strings.Join(parts, " UNION ALL ")+
			") SELECT rank, at, id FROM f ORDER BY rank DESC, at DESC, id DESC"+limit, f.args)
	}
	from := position{Rank: (tiers + 1) * places}
	if f.after != nil {
		from = *f.after
	}
	after := " AND " + o.key + " < (" + strings.Join(o.after(&f, from), ", ") + ")"
	highest := f.param(from.tier()) + "::int"
	var parts, names []string
	for _, tier := range f.tiers() {
		parts = append(parts, fmt.Sprintf("t%d AS MATERIALIZED (%s%s%s AND %s >= %d ORDER BY %s%s)", tier, f.onTier(tier, o.columns(), o.arrivals), holds, after, highest, tier, o.descending(), limit))
		names = append(names, fmt.Sprintf("SELECT rank, at, id FROM t%d", tier))
	}
	return s.plannedPositions(ctx, "WITH "+strings.Join(parts, ", ")+" "+strings.Join(names, " UNION ALL ")+limit, f.args)
}

// columns are a position.
func (o order) columns() string {
	return "(" + o.rank + ")::bigint AS rank, " + o.at + " AS at, s.resource_id AS id"
}

// holds is the condition on the words of a row.
func (f *filter) holds() string {
	match := slices.Clone(f.match)
	if f.state != Published {
		match = append(match, quoted(mark("s", string(f.state))))
	}
	return " AND s.words @@ " + f.param(strings.Join(match, " & ")) + "::text::tsquery"
}

// tiers are where entries of the state stand, the best first.
func (f *filter) tiers() []int {
	if f.state != Published {
		return []int{0}
	}
	var out []int
	for tier := tiers; tier > 0; tier-- {
		out = append(out, tier)
	}
	return out
}

// onTier reads the hits on a tier. Its number stands in the statement: it names an index.
func (f *filter) onTier(tier int, columns string, arrived bool) string {
	return fmt.Sprintf("SELECT %s FROM %s WHERE s.tier = %d AND %s", columns, f.from("resource_search", arrived), tier, strings.Join(f.exact, " AND "))
}

// continued is the condition that a row comes after the page before.
func (f *filter) continued(o order) string {
	if f.after == nil {
		return ""
	}
	return " AND " + o.key + " < (" + strings.Join(o.after(f, *f.after), ", ") + ")"
}

// positions reads positions by a statement that is planned for these very values.
func (s *Service) positions(ctx context.Context, sql string, args []any) (out []position, err error) {
	found, err := s.db.Pool.Query(ctx, sql, append([]any{pgx.QueryExecModeCacheDescribe}, args...)...)
	if err == nil {
		out, err = pgx.CollectRows(found, pgx.RowToStructByPos[position])
	}
	if err != nil {
		return nil, fmt.Errorf("searching the directory: %w", err)
	}
	return out, nil
}

func (s *Service) plannedPositions(ctx context.Context, sql string, args []any) (out []position, err error) {
	err = s.planned(ctx, sql, args, func(rows pgx.Rows) (err error) {
		out, err = pgx.CollectRows(rows, pgx.RowToStructByPos[position])
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("searching the directory: %w", err)
	}
	return out, nil
}

// planned reads by a statement that a connection plans once, for whatever values. Seven tiers take longer to plan than to search, and
// which index answers is in the statement.
func (s *Service) planned(ctx context.Context, sql string, args []any, read func(pgx.Rows) error) error {
	batch := &pgx.Batch{}
	batch.Queue("SELECT set_config('plan_cache_mode', 'force_generic_plan', true)") // Until the end of the batch.
	batch.Queue(sql, args...).Query(read)
	return s.db.Pool.SendBatch(ctx, batch).Close()
}
