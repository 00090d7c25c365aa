package catalog

import (
	"cmp"
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
	Rank int64 // Place of a rank (see places), or rows.
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
	tiers    bool                                    // Higher tiers come first.
	arrivals bool
}

// places is how many ranks there are: a tier and a rank are one number in a position.
const places = maxRank + 1

var orders = map[Sort]order{
	ByRelevance: {
		rank: fmt.Sprintf("s.tier::bigint * %d + s.rank", places), at: "'epoch'::timestamptz", key: "(s.tier, s.rank, s.resource_id)", walks: true, tiers: true,
		after: func(f *filter, last position) []string {
			return []string{f.param(last.tier()) + "::int", f.param(int32(last.Rank%places)) + "::int", f.param(last.ID)}
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

// tier is the tier of a position by relevance.
func (p position) tier() int { return int(min(max(p.Rank, 0)/places, tiers+1)) }

// descending is the ORDER BY of a key.
func (o order) descending() string {
	return strings.ReplaceAll(strings.TrimSuffix(strings.TrimPrefix(o.key, "("), ")")+" DESC", ", s.", " DESC, s.")
}

// filter is a search as conditions on a row s of resource_search. Each is exact; match and whatever is made of it only says where to look.
// The conditions are the same whatever a search is narrowed by, with nothing for their parameters where it is not: connections keep the
// plans of statements, and so there have to be few.
type filter struct {
	state    State
	sight    sight
	exact    []string // Conditions on the columns of s and a.
	args     []any
	match    []string    // tsqueries that every hit satisfies; the state is not among them.
	within   []uuid.UUID // Departments; nil for all.
	narrow   bool        // Anything besides the state narrows the search.
	arrivals bool        // A condition is about what has arrived.
	nothing  bool        // Nothing can be found.
	after    *position
}

// param adds a parameter and returns its name.
func (f *filter) param(v any) string {
	f.args = append(f.args, v)
	return "$" + strconv.Itoa(len(f.args))
}

// only narrows to rows that have a value, unless it is empty: is compares the value with their column, and mark says that words have it.
func (f *filter) only(is, kind, value string) {
	value = clean(value)
	name := f.param(value) + "::text"
	f.exact = append(f.exact, "("+name+" = '' OR "+name+" = "+is+")")
	if value != "" {
		f.looked(quoted(mark(kind, value)))
	}
}

// looked adds a tsquery; "" is none, though the search is narrowed.
func (f *filter) looked(match string) {
	f.narrow = true
	if match != "" {
		f.match = append(f.match, "("+match+")")
	}
}

// maxMarks is how many departments are looked up by their marks; more of them are asked for row by row.
const maxMarks = 150

// narrowed turns a query into conditions.
func (s *Service) narrowed(ctx context.Context, p authz.Principal, q Query) (*filter, error) {
	f := &filter{state: cmp.Or(q.State, Published)}
	if !slices.Contains(states(), f.state) {
		return nil, fault.InvalidFields([]fault.Field{{Name: "state", Code: "not_choice", Message: "state draft, dept_review, platform_review, returned, published, offline or revoked"}})
	}
	// The state is one of ours, and so stands in the statement: PostgreSQL then knows what it looks for.
	f.exact = append(f.exact, "s.state = '"+string(f.state)+"'")
	f.sight = s.sight(p, f.state)
	if all, own := f.sight.sees(f.state); !all {
		f.nothing = !own
		f.of([]uuid.UUID{f.sight.department})
	}
	f.only("s.base_database", "b", q.BaseDatabase)
	f.only("s.share_type", "h", string(q.ShareType))
	f.only("s.update_cycle", "c", string(q.UpdateCycle))
	f.only("s.grade", "g", string(q.Grade))
	f.only("ANY(s.share_methods)", "m", string(q.ShareMethod))
	f.only("ANY(s.themes)", "t", q.Theme)
	open := f.param(q.Open) + "::boolean"
	f.exact = append(f.exact, "("+open+" IS NULL OR s.open = "+open+")")
	if q.Open != nil {
		f.looked(quoted(mark("o", strconv.FormatBool(*q.Open))))
	}
	if q.HasData != nil {
		f.arrivals, f.narrow = true, true
		f.exact = append(f.exact, "(a.at IS NOT NULL) = "+f.param(*q.HasData))
	}
	if timeliness := clean(string(q.Timeliness)); timeliness != "" {
		f.arrivals, f.narrow = true, true
		f.exact = append(f.exact, punctual+" = "+f.param(timeliness))
	}
	if err := s.narrowedByText(ctx, f, q); err != nil {
		return nil, err
	}
	within := f.param(f.within) + "::uuid[]"
	f.exact = append(f.exact, "("+within+" IS NULL OR s.department_id = ANY("+within+"))")
	if f.within != nil && len(f.within) <= maxMarks {
		f.looked(anyOf(departmentMarks(f.within)))
	}
	return f, nil
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
		match, named := t.match, o.called(t.text)
		f.exact = append(f.exact, "(s.body LIKE "+f.param(like(t.text))+" OR s.department_id = ANY("+f.param(named)+"::uuid[]))")
		switch {
		case len(named) > maxMarks:
			match = ""
		case len(named) > 0:
			match = "(" + match + ") | " + anyOf(departmentMarks(named))
		}
		f.looked(match)
	}
	return nil
}

// of narrows to the entries of some departments.
func (f *filter) of(departments []uuid.UUID) {
	if f.within != nil {
		departments = both(f.within, departments)
	}
	f.within = append([]uuid.UUID{}, departments...)
	f.nothing, f.narrow = f.nothing || len(departments) == 0, true
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

// punctual is what Punctuality says, of a row s with arrivals a.
var punctual = `CASE WHEN s.share_type = 'withheld' THEN '' WHEN a.at IS NULL THEN 'never'
	WHEN a.at < now() - ` + allowanceSQL("s.update_cycle") + ` THEN 'late' ELSE 'on_time' END`

// entries reads what is shown of hits, in their order. What somebody may no longer see by then is left out.
func (s *Service) entries(ctx context.Context, v sight, state State, at []position) ([]Entry, error) {
	ids := make([]uuid.UUID, len(at))
	for i := range at {
		ids[i] = at[i].ID
	}
	all, own := v.sees(state)
	found, err := s.db.Pool.Query(ctx, `
		SELECT r.id, coalesce(r.code, '') AS code, v.name, v.summary, r.provider_dept_id AS department_id, d.name AS department, s.base_database,
			v.share_type, s.share_methods, v.grade, v.update_cycle, v.open, v.state, v.version, s.items,
			EXISTS (SELECT FROM mount m WHERE m.resource_id = r.id AND m.state = 'active') AS mounted,
			coalesce(a.rows, 0) AS rows, a.at AS arrived_at, `+punctual+` AS timeliness, v.published_at, v.updated_at
		FROM resource_search s JOIN resource r ON r.id = s.resource_id JOIN department d ON d.id = r.provider_dept_id
		JOIN resource_version v ON v.resource_id = s.resource_id AND v.version = s.version `+arrivals+`
		WHERE s.resource_id = ANY($1) AND s.state = $2 AND v.state = $2
			AND ($3 OR $4 AND r.provider_dept_id = $5)`, ids, string(state), all, own, v.department)
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
