package catalog

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/shuqiao/shuqiao/authz"
)

// Facets counts the hits of a search, for narrowing it further. Each list is sorted by its value.
type Facets struct {
	Total         int64   `json:"total"`
	Capped        bool    `json:"capped"` // More were found than are counted: every count is a lower bound, shown as "1,000+".
	BaseDatabases []Facet `json:"base_databases"`
	Departments   []Facet `json:"departments"` // Value is the department's id.
	Divisions     []Facet `json:"divisions"`   // Of their departments; those in a division count in it, too.
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

const (
	// facetHits is how many hits are read to count them. Where there are more, counts are lower bounds.
	facetHits = 4000
	// MostCounted is the highest count that is shown where counts are lower bounds.
	MostCounted = 1000
)

// Facets counts the hits of a search. Where there are many, only so many are read that people wait for no count.
func (s *Service) Facets(ctx context.Context, p authz.Principal, q Query) (Facets, error) {
	if err := s.mayRead(ctx, p); err != nil {
		return Facets{}, err
	}
	f, err := s.narrowed(ctx, p, q)
	if err != nil {
		return Facets{}, err
	}
	counted, err := s.counts(ctx, f)
	if err != nil {
		return Facets{}, err
	}
	out := Facets{
		Total: counted.sum("total"), BaseDatabases: counted.of("base"), Departments: counted.of("department"), ShareTypes: counted.of("share"),
		ShareMethods: counted.of("method"), UpdateCycles: counted.of("cycle"), Grades: counted.of("grade"), Timeliness: counted.of("timeliness"),
		Themes: counted.of("theme"), Open: counted.sum("open"), HasData: counted.sum("data"), Capped: f.narrow() && counted.sum("total") > facetHits,
	}
	if out.Divisions, err = s.divisions(ctx, out.Departments); err != nil {
		return Facets{}, err
	}
	if out.Capped {
		out.cap()
	}
	return out, nil
}

// divisions adds up the hits of departments by their divisions, as a search narrowed to one finds them.
func (s *Service) divisions(ctx context.Context, departments []Facet) ([]Facet, error) {
	o, err := s.organisation(ctx)
	if err != nil {
		return nil, err
	}
	book, err := s.codeBook(ctx, s.db.Pool)
	if err != nil {
		return nil, err
	}
	day := s.today()
	counted := map[string]int64{}
	for _, d := range departments {
		if id, err := uuid.Parse(d.Value); err == nil {
			if division := o.division(id); division != "" {
				counted[division] += d.Count
			}
		}
	}
	out := []Facet{}
	for _, code := range slices.Sorted(maps.Keys(counted)) {
		f := Facet{Value: code, Label: code}
		if known, ok := book.Division(code, day); ok {
			f.Label = known.Name
		}
		for other, count := range counted {
			if isWithin(other, code) {
				f.Count += count
			}
		}
		out = append(out, f)
	}
	return out, nil
}

// counts tallies the hits. The whole of what is published is the same for everybody: where it is large, it is not counted for each.
func (s *Service) counts(ctx context.Context, f *filter) (tallies, error) {
	if f.nothing {
		return tallies{}, nil
	}
	if !f.narrow() && f.state == Published {
		now, err := s.spreadNow(ctx)
		if err != nil {
			return nil, err
		}
		if now.reached[0] > facetHits {
			c, err := s.countedNow(ctx)
			return c.counted, err
		}
	}
	return s.tally(ctx, f, facetHits)
}

// cap bounds the counts that are lower bounds.
func (f *Facets) cap() {
	for _, n := range []*int64{&f.Total, &f.Open, &f.HasData} {
		*n = min(*n, MostCounted)
	}
	for _, list := range [][]Facet{f.BaseDatabases, f.Departments, f.Divisions, f.ShareTypes, f.ShareMethods, f.UpdateCycles, f.Grades, f.Timeliness, f.Themes} {
		for i := range list {
			list[i].Count = min(list[i].Count, MostCounted)
		}
	}
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

// tally counts hits by what they are: at most one more than most, 0 for all.
func (s *Service) tally(ctx context.Context, f *filter, most int) (tallies, error) {
	where := strings.Join(f.exact, " AND ")
	if words := f.words(); len(words) > 0 {
		where += " AND s.words @@ " + f.param(strings.Join(words, " & ")) + "::text::tsquery"
	}
	rows := "SELECT s.* FROM " + f.from("resource_search", false) + " WHERE " + where
	if most > 0 {
		rows += " LIMIT " + f.param(most+1)
	}
	found, err := s.db.Pool.Query(ctx, `
		WITH r AS (`+rows+`), h AS MATERIALIZED (
			SELECT s.base_database, s.department_id, s.share_type, s.share_methods, s.update_cycle, s.grade, s.themes, s.open, s.items, a.rows, a.at,
				`+punctual+` AS timeliness
			FROM r s `+arrivals+`)
		SELECT 'base' AS kind, c.value, coalesce(b.name, '') AS label, c.count
			FROM (SELECT base_database AS value, count(*) FROM h WHERE base_database <> '' GROUP BY 1) c LEFT JOIN base_database b ON b.code = c.value
		UNION ALL SELECT 'department', d.id::text, d.name, c.count
			FROM (SELECT department_id, count(*) FROM h GROUP BY 1) c JOIN department d ON d.id = c.department_id
		UNION ALL SELECT 'share', h.share_type, h.share_type, count(*) FROM h GROUP BY 2
		UNION ALL SELECT 'method', m, m, count(*) FROM h, unnest(h.share_methods) m GROUP BY 2
		UNION ALL SELECT 'cycle', h.update_cycle, h.update_cycle, count(*) FROM h GROUP BY 2
		UNION ALL SELECT 'grade', h.grade, h.grade, count(*) FROM h GROUP BY 2
		UNION ALL SELECT 'timeliness', h.timeliness, h.timeliness, count(*) FROM h WHERE h.timeliness <> '' GROUP BY 2
		UNION ALL SELECT 'theme', t, t, count(*) FROM h, unnest(h.themes) t GROUP BY 2
		UNION ALL SELECT 'open', '', '', count(*) FROM h WHERE h.open
		UNION ALL SELECT 'data', '', '', count(*) FROM h WHERE h.at IS NOT NULL
		UNION ALL SELECT 'items', '', '', coalesce(sum(h.items), 0)::bigint FROM h
		UNION ALL SELECT 'rows', h.base_database, '', coalesce(sum(h.rows), 0)::bigint FROM h GROUP BY 2
		UNION ALL SELECT 'arrived', h.base_database, '', coalesce(extract(epoch FROM max(h.at))::bigint, 0) FROM h GROUP BY 2
		UNION ALL SELECT 'total', '', '', count(*) FROM h
		ORDER BY 1, 2`, append([]any{pgx.QueryExecModeCacheDescribe}, f.args...)...)
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
