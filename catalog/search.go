package catalog

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// Query narrows a search in the directory and orders what it finds. Empty fields do not narrow.
type Query struct {
	Text         string // Part of name, summary, code, or of the name or identifier of an item.
	BaseDatabase string
	DepartmentID uuid.UUID
	ShareType    ShareType
	ShareMethod  ShareMethod // One of the methods.
	UpdateCycle  UpdateCycle
	Grade        Grade
	Theme        string
	Timeliness   Timeliness
	Open         *bool // Open to the public.
	HasData      *bool // Rows have arrived.
	State        State // "" means Published. Other states show what the caller may see of them.
	Sort         Sort
}

// Sort is the order of a search's hits.
type Sort string

// The orders. Hits of the same rank follow each other as ByChange has them.
const (
	ByChange    Sort = ""          // The last changed first.
	ByRelevance Sort = "relevance" // Where the text is the name, starts it, is in it, is an item; then all others.
	ByRows      Sort = "rows"      // The most rows first.
)

// Timeliness says whether data arrive as often as their provider promises.
type Timeliness string

// The values of timeliness; withheld entries have none, for nothing arrives of them.
const (
	OnTime     Timeliness = "on_time"
	Late       Timeliness = "late"  // The last arrival is longer ago than the update cycle allows.
	NothingYet Timeliness = "never" // No data have arrived yet.
)

// Timelinesses returns every value once, for tables that must be complete.
func Timelinesses() []Timeliness { return []Timeliness{OnTime, Late, NothingYet} }

// allowances are how long ago the last arrival may be: the update cycle, and some time for the run itself and for a due time that
// is not the same every day. Irregular data are never late.
var allowances = map[UpdateCycle]time.Duration{
	Realtime: time.Hour, Daily: 36 * time.Hour, Weekly: 8 * 24 * time.Hour, Monthly: 35 * 24 * time.Hour,
	Quarterly: 100 * 24 * time.Hour, Yearly: 380 * 24 * time.Hour,
}

// Punctuality judges the last arrival of data at a moment; nil is no arrival.
func Punctuality(cycle UpdateCycle, arrived *time.Time, now time.Time) Timeliness {
	allowed, regular := allowances[cycle]
	switch {
	case arrived == nil:
		return NothingYet
	case regular && now.Sub(*arrived) > allowed:
		return Late
	}
	return OnTime
}

// allowanceSQL gives the allowance of a cycle as an interval, NULL for cycles without.
func allowanceSQL(column string) string {
	var b strings.Builder
	b.WriteString("CASE " + column)
	for _, cycle := range []UpdateCycle{Realtime, Daily, Weekly, Monthly, Quarterly, Yearly} {
		fmt.Fprintf(&b, " WHEN '%s' THEN interval '%d seconds'", cycle, int64(allowances[cycle].Seconds()))
	}
	b.WriteString(" END")
	return b.String()
}

// Entry is one hit of a search.
type Entry struct {
	ID           uuid.UUID     `json:"id"`
	Code         string        `json:"code"`
	Name         string        `json:"name"`
	Summary      string        `json:"summary"`
	DepartmentID uuid.UUID     `json:"department_id"`
	Department   string        `json:"department"` // Name of the provider.
	BaseDatabase string        `json:"base_database"`
	ShareType    ShareType     `json:"share_type"`
	ShareMethods []ShareMethod `json:"share_methods"`
	Grade        Grade         `json:"grade"`
	UpdateCycle  UpdateCycle   `json:"update_cycle"`
	Open         bool          `json:"open"`
	State        State         `json:"state"`
	Version      int           `json:"version"`
	Items        int           `json:"items"`                // How many it has.
	Mounted      bool          `json:"mounted"`              // An active mount brings data.
	Rows         int64         `json:"rows"`                 // Now at the hub.
	ArrivedAt    *time.Time    `json:"arrived_at,omitempty"` // When the source was last read to its end.
	Timeliness   Timeliness    `json:"timeliness"`           // "" for withheld entries.
	PublishedAt  *time.Time    `json:"published_at,omitempty"`
	UpdatedAt    time.Time     `json:"updated_at"`
}

// Facets counts the hits of a search, for narrowing it further. Each list is sorted by its value.
type Facets struct {
	Total         int64   `json:"total"`
	BaseDatabases []Facet `json:"base_databases"`
	Departments   []Facet `json:"departments"` // Value is the department's id.
	ShareTypes    []Facet `json:"share_types"`
	ShareMethods  []Facet `json:"share_methods"`
	UpdateCycles  []Facet `json:"update_cycles"`
	Grades        []Facet `json:"grades"`
	Timeliness    []Facet `json:"timeliness"`
	Themes        []Facet `json:"themes"`
	Open          int64   `json:"open"`     // Hits that are open to the public.
	HasData       int64   `json:"has_data"` // Hits of which rows have arrived.
}

// Facet is one value and how many hits have it.
type Facet struct {
	Value string `json:"value"`
	Label string `json:"label"` // For people; the value itself where there is nothing better.
	Count int64  `json:"count"`
}

// hits is the one search of the directory: what is published for everyone, what is not for the people of its department,
// and for reviewers of the authority from the authority's review on. Its parameters are those of (*Service).hitArgs. What has
// arrived is read from the heads of the store and from where the runs say that they read their source to its end. What is costly to
// read from a version is a query of its own, which PostgreSQL then asks for the rows of a page only.
var hits = `
	SELECT * FROM (
		SELECT r.id, coalesce(r.code, '') AS code, v.name, v.summary, r.provider_dept_id AS department_id, d.name AS department,
			coalesce(v.base_database, '') AS base_database, v.share_type, v.grade, v.update_cycle, v.open, v.state, v.version,
			(SELECT coalesce(jsonb_agg(x), '[]') FROM jsonb_path_query(v.body, '$.share_methods[*] ? (@ != null)') x) AS share_methods,
			(SELECT coalesce(jsonb_agg(x), '[]') FROM jsonb_path_query(v.body, '$.themes[*] ? (@ != null)') x) AS themes,
			(SELECT count(*) FROM item i WHERE i.resource_id = r.id AND i.version = v.version) AS items,
			EXISTS (SELECT FROM mount m WHERE m.resource_id = r.id AND m.state = 'active') AS mounted,
			coalesce(a.rows, 0) AS rows, a.at AS arrived_at,
			CASE WHEN v.share_type = 'withheld' THEN '' WHEN a.at IS NULL THEN 'never'
				WHEN a.at < now() - ` + allowanceSQL("v.update_cycle") + ` THEN 'late' ELSE 'on_time' END AS timeliness,
			CASE $13::text
				WHEN 'rows' THEN coalesce(a.rows, 0)
				WHEN 'relevance' THEN CASE
					WHEN $8 = '%%' THEN 0
					WHEN v.name ILIKE substr($8, 2, length($8) - 2) THEN 4
					WHEN v.name ILIKE substr($8, 2) THEN 3
					WHEN v.name ILIKE $8 THEN 2
					WHEN EXISTS (SELECT FROM item i WHERE i.resource_id = r.id AND i.version = v.version AND i.name ILIKE $8) THEN 1
					ELSE 0 END
				ELSE 0 END AS rank,
			v.published_at, v.updated_at
		FROM resource r
		JOIN resource_version v ON v.resource_id = r.id
			AND v.version = CASE WHEN $1 IN ('published', 'offline', 'revoked') THEN r.published ELSE r.newest END
		JOIN department d ON d.id = r.provider_dept_id
		LEFT JOIN LATERAL (
			SELECT h.rows, greatest(h.changed_at, (SELECT k.at FROM task t JOIN store.shuqiao_cursor k ON k.task = t.id
				WHERE t.resource_id = r.id AND t.kind = 'collect')) AS at
			FROM store.store_head h WHERE h.resource = r.id AND h.layout > 0) a ON true
		WHERE v.state = $1
			AND ($1 = 'published' OR r.provider_dept_id = $2 OR ($3 AND $1 NOT IN ('draft', 'dept_review')))
			AND ($4 = '' OR v.base_database = $4)
			AND ($5::uuid = '00000000-0000-0000-0000-000000000000' OR r.provider_dept_id = $5)
			AND ($6 = '' OR v.share_type = $6)
			AND ($7 = '' OR v.update_cycle = $7)
			AND ($8 = '%%' OR v.name ILIKE $8 OR v.summary ILIKE $8 OR r.code ILIKE $8 OR EXISTS (
				SELECT FROM item i WHERE i.resource_id = r.id AND i.version = v.version AND (i.name ILIKE $8 OR i.identifier ILIKE $8)))
			AND ($9 = '' OR v.grade = $9)
			AND ($12::boolean IS NULL OR v.open = $12)) f
	WHERE ($10 = '' OR f.share_methods ? $10) AND ($11 = '' OR f.themes ? $11)
		AND ($14::boolean IS NULL OR (f.arrived_at IS NOT NULL) = $14) AND ($15::text = '' OR f.timeliness = $15)`

// hitCount is the number of parameters of hits.
const hitCount = 15

func (s *Service) hitArgs(p authz.Principal, q Query) ([]any, error) {
	state := q.State
	switch state {
	case "":
		state = Published
	case Draft, DeptReview, PlatformReview, Returned, Published, Offline, Revoked:
	default:
		return nil, fault.InvalidFields([]fault.Field{{Name: "state", Code: "not_choice", Message: "state draft, dept_review, platform_review, returned, published, offline or revoked"}})
	}
	own := uuid.Nil
	if p.Department != uuid.Nil && s.mayReadDrafts(p, p.Department) {
		own = p.Department
	}
	// Only roles that act for the whole platform may read the drafts of a department that is nobody's.
	all := s.mayReadDrafts(p, uuid.Nil)
	return []any{
		string(state), own, all, clean(q.BaseDatabase), q.DepartmentID, clean(string(q.ShareType)), clean(string(q.UpdateCycle)),
		contains(clean(q.Text)), clean(string(q.Grade)), clean(string(q.ShareMethod)), clean(q.Theme), q.Open, clean(string(q.Sort)),
		q.HasData, clean(string(q.Timeliness)),
	}, nil
}

// clean drops what PostgreSQL cannot take in a text.
func clean(s string) string { return strings.ReplaceAll(strings.ToValidUTF8(s, ""), "\x00", "") }

// hit is an Entry with what only the search itself needs.
type hit struct {
	Entry
	Themes []string
	Rank   int64
}

func (s *Service) mayRead(ctx context.Context, p authz.Principal) error {
	_, err := s.enforcer.Check(ctx, p, authz.ResourceRead, authz.Target{Kind: "resource", State: string(Published)})
	return err
}

// Search lists entries in the order that q asks for.
func (s *Service) Search(ctx context.Context, p authz.Principal, q Query, page db.Page) ([]Entry, string, error) {
	if err := s.mayRead(ctx, p); err != nil {
		return nil, "", err
	}
	args, err := s.hitArgs(p, q)
	if err != nil {
		return nil, "", err
	}
	var rank int64
	var at time.Time
	var id uuid.UUID
	after, err := page.After(&rank, &at, &id)
	if err != nil {
		return nil, "", err
	}
	found, err := s.find(ctx, fmt.Sprintf("WHERE NOT $%d OR (h.rank, h.updated_at, h.id) < ($%d, $%d, $%d) ORDER BY h.rank DESC, h.updated_at DESC, h.id DESC LIMIT $%d",
		hitCount+1, hitCount+2, hitCount+3, hitCount+4, hitCount+5), append(args, after, rank, at, id, page.Size()+1)...)
	if err != nil {
		return nil, "", err
	}
	found, next := cut(found, page, func(h hit) string { return db.Next(h.Rank, h.UpdatedAt, h.ID) })
	out := make([]Entry, len(found))
	for i := range found {
		out[i] = found[i].Entry
	}
	return out, next, nil
}

// find reads the hits h that the rest of a statement chooses.
func (s *Service) find(ctx context.Context, rest string, args ...any) ([]hit, error) {
	found, err := s.db.Pool.Query(ctx, "SELECT * FROM ("+hits+") AS h "+rest, args...)
	if err != nil {
		return nil, fmt.Errorf("searching the directory: %w", err)
	}
	out, err := pgx.CollectRows(found, pgx.RowToStructByName[hit])
	if err != nil {
		return nil, fmt.Errorf("searching the directory: %w", err)
	}
	for i := range out {
		e := &out[i].Entry
		e.UpdatedAt, e.PublishedAt, e.ArrivedAt = e.UpdatedAt.UTC(), inUTC(e.PublishedAt), inUTC(e.ArrivedAt)
	}
	return out, nil
}

// Facets counts the hits of a search.
func (s *Service) Facets(ctx context.Context, p authz.Principal, q Query) (Facets, error) {
	if err := s.mayRead(ctx, p); err != nil {
		return Facets{}, err
	}
	args, err := s.hitArgs(p, q)
	if err != nil {
		return Facets{}, err
	}
	counted, err := s.tally(ctx, args)
	if err != nil {
		return Facets{}, err
	}
	return Facets{
		Total: counted.sum("total"), BaseDatabases: counted.of("base"), Departments: counted.of("department"), ShareTypes: counted.of("share"),
		ShareMethods: counted.of("method"), UpdateCycles: counted.of("cycle"), Grades: counted.of("grade"), Timeliness: counted.of("timeliness"),
		Themes: counted.of("theme"), Open: counted.sum("open"), HasData: counted.sum("data"),
	}, nil
}

// tallies are counts of hits by kind of facet.
type tallies map[string][]Facet

func (t tallies) of(kind string) []Facet {
	if t[kind] == nil {
		return []Facet{}
	}
	return t[kind]
}

func (t tallies) sum(kind string) (n int64) {
	for _, f := range t[kind] {
		n += f.Count
	}
	return n
}

func (s *Service) tally(ctx context.Context, args []any) (tallies, error) {
	found, err := s.db.Pool.Query(ctx, "WITH h AS MATERIALIZED ("+hits+`)
		SELECT 'base' AS kind, h.base_database AS value, coalesce(b.name, '') AS label, count(*) AS count
			FROM h LEFT JOIN base_database b ON b.code = h.base_database WHERE h.base_database <> '' GROUP BY 2, 3
		UNION ALL SELECT 'department', h.department_id::text, h.department, count(*) FROM h GROUP BY 2, 3
		UNION ALL SELECT 'share', h.share_type, h.share_type, count(*) FROM h GROUP BY 2
		UNION ALL SELECT 'method', m, m, count(*) FROM h, jsonb_array_elements_text(h.share_methods) m GROUP BY 2
		UNION ALL SELECT 'cycle', h.update_cycle, h.update_cycle, count(*) FROM h GROUP BY 2
		UNION ALL SELECT 'grade', h.grade, h.grade, count(*) FROM h GROUP BY 2
		UNION ALL SELECT 'timeliness', h.timeliness, h.timeliness, count(*) FROM h WHERE h.timeliness <> '' GROUP BY 2
		UNION ALL SELECT 'theme', t, t, count(*) FROM h, jsonb_array_elements_text(h.themes) t WHERE t <> '' GROUP BY 2
		UNION ALL SELECT 'open', '', '', count(*) FROM h WHERE h.open
		UNION ALL SELECT 'data', '', '', count(*) FROM h WHERE h.arrived_at IS NOT NULL
		UNION ALL SELECT 'items', '', '', coalesce(sum(h.items), 0)::bigint FROM h
		UNION ALL SELECT 'rows', h.base_database, '', coalesce(sum(h.rows), 0)::bigint FROM h GROUP BY 2
		UNION ALL SELECT 'arrived', h.base_database, '', coalesce(extract(epoch FROM max(h.arrived_at))::bigint, 0) FROM h GROUP BY 2
		UNION ALL SELECT 'total', '', '', count(*) FROM h
		ORDER BY 1, 2`, args...)
	if err != nil {
		return nil, fmt.Errorf("counting the directory: %w", err)
	}
	type counted struct {
		Kind, Value, Label string
		Count              int64
	}
	all, err := pgx.CollectRows(found, pgx.RowToStructByName[counted])
	if err != nil {
		return nil, fmt.Errorf("counting the directory: %w", err)
	}
	out := tallies{}
	for _, c := range all {
		out[c.Kind] = append(out[c.Kind], Facet{Value: c.Value, Label: c.Label, Count: c.Count})
	}
	return out, nil
}
