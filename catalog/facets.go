package catalog

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/google/uuid"

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

// MostCounted is how many hits are read to count them. Where there are more, counts are lower bounds, and none is higher.
const MostCounted = 1000

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
		Themes: counted.of("theme"), Open: counted.sum("open"), HasData: counted.sum("data"), Capped: f.narrow && counted.sum("total") > MostCounted,
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
	if !f.narrow && f.state == Published {
		var many bool
		err := s.db.Pool.QueryRow(ctx, "SELECT count(*) > $1 FROM (SELECT FROM resource_search WHERE state = 'published' LIMIT $1 + 1) s", MostCounted).Scan(&many)
		if err != nil {
			return nil, fmt.Errorf("counting the directory: %w", err)
		}
		if many {
			c, err := s.countedNow(ctx)
			return c.counted, err
		}
	}
	return s.tally(ctx, f, MostCounted)
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
