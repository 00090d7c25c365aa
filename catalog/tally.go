package catalog

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// tallies are counts of hits by kind of facet, each sorted by value.
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

// hit is what is counted of an entry.
type hit struct {
	base, share, cycle, grade, timeliness string
	department                            uuid.UUID
	methods, themes                       []string
	open                                  bool
	items, rows                           int64
	arrived                               *time.Time
}

// tally counts hits by what they are: at most one more than most, 0 for all. They are counted as they come, so that a directory of a
// million entries needs no more memory than one of a hundred.
func (s *Service) tally(ctx context.Context, f *filter, most int) (tallies, error) {
	count := map[string]map[string]int64{}
	add := func(kind, value string, n int64) {
		if count[kind] == nil {
			count[kind] = map[string]int64{}
		}
		count[kind][value] += n
	}
	departments := map[uuid.UUID]int64{}
	var h hit
	sql := f.hits(most)
	err := s.planned(ctx, sql, f.args, func(rows pgx.Rows) error {
		into := []any{&h.base, &h.department, &h.share, &h.methods, &h.cycle, &h.grade, &h.themes, &h.open, &h.items, &h.rows, &h.arrived, &h.timeliness}
		_, err := pgx.ForEachRow(rows, into, func() error {
			departments[h.department]++
			h.count(add)
			if h.arrived != nil {
				latest := count["arrived"]
				add("arrived", h.base, max(h.arrived.Unix()-latest[h.base], 0))
			}
			return nil
		})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("counting the directory: %w", err)
	}
	labels, err := s.facetLabels(ctx, departments)
	if err != nil {
		return nil, err
	}
	for id, n := range departments {
		add("department", id.String(), n)
	}
	out := tallies{}
	for kind, values := range count {
		for _, value := range slices.Sorted(maps.Keys(values)) {
			f := Facet{Value: value, Label: value, Count: values[value]}
			if label, ok := labels[kind+" "+value]; ok {
				f.Label = label
			}
			out[kind] = append(out[kind], f)
		}
	}
	return out, nil
}

// hits reads what is counted, at most one more than most; 0 for all. Which ones are read of many does not matter.
func (f *filter) hits(most int) string {
	rows := "SELECT s.* FROM " + f.from("resource_search", false) + " WHERE " + strings.Join(f.exact, " AND ")
	if len(f.match) > 0 {
		holds := f.holds()
		var parts []string
		for _, tier := range f.tiers() {
			parts = append(parts, f.onTier(tier, "s.*", false)+holds)
		}
		rows = strings.Join(parts, " UNION ALL ")
	}
	if most > 0 {
		rows += " LIMIT " + f.param(most+1)
	}
	return `SELECT s.base_database, s.department_id, s.share_type, s.share_methods, s.update_cycle, s.grade, s.themes, s.open, s.items::bigint,
		coalesce(a.rows, 0), a.at, ` + punctual + " FROM (" + rows + ") s " + arrivals
}

// count adds a hit to the counts but those of departments and arrivals.
func (h hit) count(add func(kind, value string, n int64)) {
	one := func(kind, value string) {
		if value != "" {
			add(kind, value, 1)
		}
	}
	one("base", h.base)
	one("share", h.share)
	one("cycle", h.cycle)
	one("grade", h.grade)
	one("timeliness", h.timeliness)
	for _, method := range h.methods {
		one("method", method)
	}
	for _, theme := range h.themes {
		one("theme", theme)
	}
	if h.open {
		add("open", "", 1)
	}
	if h.arrived != nil {
		add("data", "", 1)
	}
	add("items", "", h.items)
	add("rows", h.base, h.rows)
	add("total", "", 1)
}

// facetLabels are the names of base databases and of the departments that were counted, by kind and value.
func (s *Service) facetLabels(ctx context.Context, departments map[uuid.UUID]int64) (map[string]string, error) {
	o, err := s.organisation(ctx)
	if err != nil {
		return nil, err
	}
	out := map[string]string{}
	for id := range departments {
		if i, ok := o.byID[id]; ok {
			out["department "+id.String()] = o.all[i].Name
		}
	}
	found, err := s.db.Pool.Query(ctx, "SELECT code, name FROM base_database")
	if err == nil {
		var code, name string
		_, err = pgx.ForEachRow(found, []any{&code, &name}, func() error {
			out["base "+code] = name
			return nil
		})
	}
	if err != nil {
		return nil, fmt.Errorf("reading the names of base databases: %w", err)
	}
	return out, nil
}
