package catalog

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// position is where a hit stands in an order, and how a page goes on after it.
type position struct {
	Rank int64 // Rank, or rows.
	At   time.Time
	ID   uuid.UUID
}

// order is one way to sort hits: by the columns of resource_search s and of arrivals a. What it does not sort by is a constant, so
// that a position says everything.
type order struct {
	rank, at string                                  // What a position holds.
	key      string                                  // ORDER BY, and what is compared with a position.
	after    func(f *filter, last position) []string // The position, as key has it.
	walks    bool                                    // An index has this order.
	arrivals bool
}

var orders = map[Sort]order{
	ByRelevance: {
		rank: "s.rank", at: "'epoch'::timestamptz", key: "(s.rank, s.resource_id)", walks: true,
		after: func(f *filter, last position) []string {
			return []string{f.param(int32(min(last.Rank, maxRank+1))) + "::int", f.param(last.ID)}
		},
	},
	ByChange: {
		rank: "0", at: "s.updated_at", key: "(s.updated_at, s.resource_id)", walks: true,
		after: func(f *filter, last position) []string { return []string{f.param(last.At), f.param(last.ID)} },
	},
	ByRows: {
		rank: "coalesce(a.rows, 0)", at: "s.updated_at", key: "(coalesce(a.rows, 0), s.updated_at, s.resource_id)", arrivals: true,
		after: func(f *filter, last position) []string {
			return []string{f.param(last.Rank), f.param(last.At), f.param(last.ID)}
		},
	},
}

// descending is the ORDER BY of a key.
func (o order) descending() string {
	return strings.ReplaceAll(strings.TrimSuffix(strings.TrimPrefix(o.key, "("), ")")+" DESC", ", s.", " DESC, s.")
}

// filter is a search as conditions on a row s of resource_search. Each is exact; match and whatever is made of it only says where to look.
type filter struct {
	state    State
	sight    sight
	exact    []string // Conditions on the columns of s and a.
	args     []any
	match    []string // tsqueries that every hit satisfies; the state is not among them.
	arrivals bool     // A condition is about what has arrived.
	nothing  bool     // Nothing can be found.
	after    *position
}

// param adds a parameter and returns its name.
func (f *filter) param(v any) string {
	f.args = append(f.args, v)
	return "$" + strconv.Itoa(len(f.args))
}

// only narrows to rows whose column has a value, by which mark says that words have it.
func (f *filter) only(column, kind, value string) {
	if value = clean(value); value != "" {
		f.exact = append(f.exact, column+" = "+f.param(value))
		f.match = append(f.match, quoted(mark(kind, value)))
	}
}

// maxMarks is how many departments are looked up by their marks; more of them are asked for row by row.
const maxMarks = 50

// narrowed turns a query into conditions.
func (s *Service) narrowed(ctx context.Context, p authz.Principal, q Query) (*filter, error) {
	f := &filter{state: q.State, sight: s.sight(p)}
	switch f.state {
	case "":
		f.state = Published
	case Draft, DeptReview, PlatformReview, Returned, Published, Offline, Revoked:
	default:
		return nil, fault.InvalidFields([]fault.Field{{Name: "state", Code: "not_choice", Message: "state draft, dept_review, platform_review, returned, published, offline or revoked"}})
	}
	// The state is one of ours, and so stands in the statement: PostgreSQL then knows what it looks for.
	f.exact = append(f.exact, "s.state = '"+string(f.state)+"'")
	if !f.sight.sees(uuid.Nil, f.state) { // Of the own department, if of any.
		f.nothing = f.sight.own == uuid.Nil
		f.of([]uuid.UUID{f.sight.own})
	}
	f.only("s.base_database", "b", q.BaseDatabase)
	f.only("s.share_type", "h", string(q.ShareType))
	f.only("s.update_cycle", "c", string(q.UpdateCycle))
	f.only("s.grade", "g", string(q.Grade))
	if method := clean(string(q.ShareMethod)); method != "" {
		f.exact = append(f.exact, f.param(method)+" = ANY(s.share_methods)")
		f.match = append(f.match, quoted(mark("m", method)))
	}
	if theme := clean(q.Theme); theme != "" {
		f.exact = append(f.exact, f.param(theme)+" = ANY(s.themes)")
		f.match = append(f.match, quoted(mark("t", theme)))
	}
	if q.Open != nil {
		f.exact = append(f.exact, "s.open = "+f.param(*q.Open))
		f.match = append(f.match, quoted(mark("o", strconv.FormatBool(*q.Open))))
	}
	if q.HasData != nil {
		f.arrivals = true
		f.exact = append(f.exact, "(a.at IS NOT NULL) = "+f.param(*q.HasData))
	}
	if timeliness := clean(string(q.Timeliness)); timeliness != "" {
		f.arrivals = true
		f.exact = append(f.exact, punctual+" = "+f.param(timeliness))
	}
	return f, s.narrowedByText(ctx, f, q)
}

// narrowedByText adds the conditions that need the departments: whose entries are meant, and what the text may be the name of.
func (s *Service) narrowedByText(ctx context.Context, f *filter, q Query) error {
	wanted, division := terms(q.Text), clean(q.Division)
	if len(wanted) == 0 && q.DepartmentID == uuid.Nil && division == "" {
		return nil
	}
	o, err := s.organisation(ctx)
	if err != nil {
		return err
	}
	if q.DepartmentID != uuid.Nil {
		departments := []uuid.UUID{q.DepartmentID}
		if q.Below {
			departments = o.tree(q.DepartmentID)
		}
		f.of(departments)
	}
	if division != "" {
		f.of(o.within(division))
	}
	for _, t := range wanted {
		if t.match == "" { // Nothing but signs.
			f.nothing = true
			return nil
		}
		holds := "s.body LIKE " + f.param(like(t.text))
		match := t.match
		if named := o.called(t.text); len(named) > 0 {
			holds = "(" + holds + " OR s.department_id = ANY(" + f.param(named) + "::uuid[]))"
			if match = ""; len(named) <= maxMarks {
				match = "(" + t.match + ") | " + anyOf(departmentMarks(named))
			}
		}
		f.exact = append(f.exact, holds)
		if match != "" {
			f.match = append(f.match, "("+match+")")
		}
	}
	return nil
}

// of narrows to the entries of some departments.
func (f *filter) of(departments []uuid.UUID) {
	f.nothing = f.nothing || len(departments) == 0
	f.exact = append(f.exact, "s.department_id = ANY("+f.param(departments)+"::uuid[])")
	if len(departments) <= maxMarks && len(departments) > 0 {
		f.match = append(f.match, anyOf(departmentMarks(departments)))
	}
}

func departmentMarks(ids []uuid.UUID) []string {
	out := make([]string, len(ids))
	for i, id := range ids {
		out[i] = mark("d", id.String())
	}
	return out
}

// from is what hits are read from.
func (f *filter) from(rows string, arrived bool) string {
	if arrived || f.arrivals {
		return rows + " s " + arrivals
	}
	return rows + " s"
}

// narrow reports whether anything besides the state narrows the search.
func (f *filter) narrow() bool {
	return len(f.exact) > 1
}

// looking says how hits are found. A text that is in every 8th entry is met often enough among the first of the order; one that is
// not is looked up, among the best ranked first, as far down as it takes when the text is as frequent everywhere as among the first.
// So nothing costs more than some hundred rows, whatever the size of the directory, as long as texts and ranks have little to do with
// each other; where they have, the last step finds the rest.
type looking struct {
	least, most int     // Rows that are walked in order.
	share       float64 // Of the entries, which are hits for all that is known without a walk.
	whole       float64 // Where so many hits are to be expected, or fewer, all are looked up at once.
}

// usualLooking suits a directory of a million entries, and does no harm to a small one.
func usualLooking() looking { return looking{least: 160, most: 4000, share: 1.0 / 320, whole: 1000} }

// find returns where the first n hits after f.after stand, in order.
func (s *Service) find(ctx context.Context, f *filter, o order, n int) ([]position, error) {
	if f.nothing {
		return nil, nil
	}
	if !f.narrow() && o.walks {
		return s.lookUp(ctx, *f, o, n, 0)
	}
	share := s.looking.share
	if rows := max(s.looking.least, 8*n); o.walks && rows <= s.looking.most {
		found, err := s.walk(ctx, *f, o, n, rows)
		if err != nil || len(found) == n {
			return found, err
		}
		share = max(float64(len(found)), 0.5) / float64(rows)
	}
	if o.key == orders[ByRelevance].key && f.state == Published && len(f.match) > 0 {
		least, err := s.bands(ctx, f.after, n, share)
		if err != nil {
			return nil, err
		}
		for _, band := range least {
			found, err := s.lookUp(ctx, *f, o, n, band)
			if err != nil || len(found) == n {
				return found, err
			}
		}
	}
	return s.lookUp(ctx, *f, o, n, 0)
}

// walk looks at so many rows, the first in order, and returns the hits among them: at most n.
func (s *Service) walk(ctx context.Context, f filter, o order, n, rows int) ([]position, error) {
	f.args = slices.Clone(f.args)
	seen := "s.state = '" + string(f.state) + "'" + f.continued(o)
	sql := "SELECT " + o.rank + "::bigint, " + o.at + ", s.resource_id FROM " +
		f.from("(SELECT * FROM resource_search s WHERE "+seen+" ORDER BY "+o.descending()+" LIMIT "+f.param(rows)+")", o.arrivals) +
		" WHERE " + strings.Join(f.exact, " AND ") + " ORDER BY " + o.descending() + " LIMIT " + f.param(n)
	return s.positions(ctx, sql, f.args)
}

// lookUp finds hits by their words, and sorts them. With a band only those that reach it are looked at.
func (s *Service) lookUp(ctx context.Context, f filter, o order, n, band int) ([]position, error) {
	f.args = slices.Clone(f.args)
	match := f.words()
	if band > 0 {
		match = append(match, quoted("=r"+strconv.Itoa(band)))
	}
	where := strings.Join(f.exact, " AND ")
	if len(match) > 0 {
		where += " AND s.words @@ " + f.param(strings.Join(match, " & ")) + "::text::tsquery"
	}
	where += f.continued(o)
	columns := o.rank + "::bigint AS rank, " + o.at + " AS at, s.resource_id AS id"
	sql := "SELECT " + columns + " FROM " + f.from("resource_search", o.arrivals) + " WHERE " + where + " ORDER BY " + o.descending() + " LIMIT " + f.param(n)
	if len(match) > 0 {
		// PostgreSQL would rather walk the order where it believes the words frequent; that they are not is known by now.
		sql = "WITH f AS MATERIALIZED (SELECT " + columns + " FROM " + f.from("resource_search", o.arrivals) + " WHERE " + where +
			") SELECT rank, at, id FROM f ORDER BY rank DESC, at DESC, id DESC LIMIT $" + strconv.Itoa(len(f.args))
	}
	return s.positions(ctx, sql, f.args)
}

// words are the tsqueries by which hits are looked up; none means that nothing says where they are. Nearly all entries are published:
// to look through those costs more than to ask each hit.
func (f *filter) words() []string {
	if len(f.match) == 0 || f.state == Published {
		return slices.Clone(f.match)
	}
	return append(slices.Clone(f.match), quoted(mark("s", string(f.state))))
}

// continued is the condition that a row comes after the page before.
func (f *filter) continued(o order) string {
	if f.after == nil {
		return ""
	}
	return " AND " + o.key + " < (" + strings.Join(o.after(f, *f.after), ", ") + ")"
}

func (s *Service) positions(ctx context.Context, sql string, args []any) ([]position, error) {
	// Planned for these very values: what is good for a rare word is bad for a frequent one.
	found, err := s.db.Pool.Query(ctx, sql, append([]any{pgx.QueryExecModeCacheDescribe}, args...)...)
	if err != nil {
		return nil, fmt.Errorf("searching the directory: %w", err)
	}
	out, err := pgx.CollectRows(found, pgx.RowToStructByPos[position])
	if err != nil {
		return nil, fmt.Errorf("searching the directory: %w", err)
	}
	return out, nil
}

// spreadFor is how long a node goes on with how many entries reach which band. It decides only where hits are looked for first.
const spreadFor = 10 * time.Minute

// spread says how many published entries reach each band, from 0, which all reach.
type spread struct {
	at      time.Time
	reached []int64
}

func (s *Service) spreadNow(ctx context.Context) (spread, error) {
	s.spreadMu.Lock()
	defer s.spreadMu.Unlock()
	now := s.clock()
	if s.spread.reached != nil && now.Sub(s.spread.at) < spreadFor {
		return s.spread, nil
	}
	reached := make([]int64, (maxRank+1)/32)
	found, err := s.db.Pool.Query(ctx, "SELECT rank / 32, count(*) FROM resource_search WHERE state = 'published' GROUP BY 1")
	if err != nil {
		return spread{}, fmt.Errorf("counting ranks: %w", err)
	}
	var band int
	var n int64
	_, err = pgx.ForEachRow(found, []any{&band, &n}, func() error {
		for i := 0; i <= band && i < len(reached); i++ {
			reached[i] += n
		}
		return nil
	})
	if err != nil {
		return spread{}, fmt.Errorf("counting ranks: %w", err)
	}
	s.spread = spread{at: now, reached: reached}
	return s.spread, nil
}

func (s *Service) forgetSpread() {
	s.spreadMu.Lock()
	defer s.spreadMu.Unlock()
	s.spread = spread{}
}

// bands returns the bands to look into one after the other for n hits that are a share of the entries: the first that holds twice as
// many hits after the page before, if the share is right, and further ones of 8 times as many entries, short of half of all.
func (s *Service) bands(ctx context.Context, after *position, n int, share float64) ([]int, error) {
	now, err := s.spreadNow(ctx)
	if err != nil {
		return nil, err
	}
	top := len(now.reached)
	var above int64
	if after != nil {
		if top = int(min(max(after.Rank, 0), maxRank)) / 32; top > 0 {
			above = now.reached[top]
		}
	}
	follow := float64(now.reached[0] - above)
	if follow*share <= s.looking.whole {
		return nil, nil
	}
	var out []int
	wanted := 2 * float64(n) / share
	for band := top - 1; band > 0; band-- {
		entries := float64(now.reached[band] - above)
		if entries >= follow/2 {
			break
		}
		if entries >= wanted {
			out = append(out, band)
			wanted = 8 * entries
		}
	}
	return out, nil
}

// punctual is what Punctuality says, of a row s with arrivals a.
var punctual = `CASE WHEN s.share_type = 'withheld' THEN '' WHEN a.at IS NULL THEN 'never'
	WHEN a.at < now() - ` + allowanceSQL("s.update_cycle") + ` THEN 'late' ELSE 'on_time' END`

// entries reads what is shown of hits, in their order. What somebody may no longer see by then is left out.
func (s *Service) entries(ctx context.Context, v sight, state State, at []position) ([]Entry, error) {
	ids := make([]uuid.UUID, len(at))
	for i := range at {
		ids[i] = at[i].ID
	}
	found, err := s.db.Pool.Query(ctx, `
		SELECT r.id, coalesce(r.code, '') AS code, v.name, v.summary, r.provider_dept_id AS department_id, d.name AS department, s.base_database,
			v.share_type, s.share_methods, v.grade, v.update_cycle, v.open, v.state, v.version, s.items,
			EXISTS (SELECT FROM mount m WHERE m.resource_id = r.id AND m.state = 'active') AS mounted,
			coalesce(a.rows, 0) AS rows, a.at AS arrived_at, `+punctual+` AS timeliness, v.published_at, v.updated_at
		FROM resource_search s JOIN resource r ON r.id = s.resource_id JOIN department d ON d.id = r.provider_dept_id
		JOIN resource_version v ON v.resource_id = s.resource_id AND v.version = s.version `+arrivals+`
		WHERE s.resource_id = ANY($1) AND s.state = $2 AND v.state = $2
			AND ($2 = 'published' OR r.provider_dept_id = $3 OR ($4 AND $2 NOT IN ('draft', 'dept_review')))`, ids, string(state), v.own, v.all)
	if err != nil {
		return nil, fmt.Errorf("reading entries: %w", err)
	}
	read, err := pgx.CollectRows(found, pgx.RowToStructByName[Entry])
	if err != nil {
		return nil, fmt.Errorf("reading entries: %w", err)
	}
	byID := make(map[uuid.UUID]*Entry, len(read))
	for i := range read {
		e := &read[i]
		e.UpdatedAt, e.PublishedAt, e.ArrivedAt = e.UpdatedAt.UTC(), db.UTC(e.PublishedAt), db.UTC(e.ArrivedAt)
		byID[e.ID] = e
	}
	out := make([]Entry, 0, len(read))
	for _, id := range ids {
		if e := byID[id]; e != nil {
			out = append(out, *e)
		}
	}
	return out, nil
}
