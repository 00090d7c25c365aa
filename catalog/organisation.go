package catalog

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// organisation is the tree of departments as searches need it: their names with pinyin, who is below whom, and their divisions.
type organisation struct {
	stamp   string
	checked time.Time
	all     []organ
	below   map[uuid.UUID][]uuid.UUID // Children.
	byID    map[uuid.UUID]int
}

type organ struct {
	ID       uuid.UUID
	Name     string
	NameEN   string
	Division string
	Parent   *uuid.UUID
	text     string // Plain names and pinyin, a line each.
}

// organisationFor is how long a node goes on with the departments it has read without asking whether they changed. Changes made on
// the node itself are seen at once.
const organisationFor = time.Second

// organisation returns the departments as they are.
func (s *Service) organisation(ctx context.Context) (*organisation, error) {
	s.organisationMu.Lock()
	defer s.organisationMu.Unlock()
	now := s.clock()
	if o := s.organised; o != nil && now.Sub(o.checked) < organisationFor {
		return o, nil
	}
	var stamp string
	if err := s.db.Pool.QueryRow(ctx, "SELECT concat_ws(' ', count(*), max(updated_at), sum(row_version)) FROM department").Scan(&stamp); err != nil {
		return nil, fmt.Errorf("reading departments: %w", err)
	}
	if o := s.organised; o != nil && o.stamp == stamp {
		fresh := *o
		fresh.checked = now
		s.organised = &fresh
		return s.organised, nil
	}
	found, err := s.db.Pool.Query(ctx, "SELECT id, name, name_en, division_code, parent_id FROM department")
	if err != nil {
		return nil, fmt.Errorf("reading departments: %w", err)
	}
	o := &organisation{stamp: stamp, checked: now, below: map[uuid.UUID][]uuid.UUID{}, byID: map[uuid.UUID]int{}}
	o.all, err = pgx.CollectRows(found, func(row pgx.CollectableRow) (d organ, err error) {
		err = row.Scan(&d.ID, &d.Name, &d.NameEN, &d.Division, &d.Parent)
		return d, err
	})
	if err != nil {
		return nil, fmt.Errorf("reading departments: %w", err)
	}
	for i := range o.all {
		d := &o.all[i]
		initials, full := sounds(d.Name)
		d.text = strings.Join([]string{plain(d.Name), initials, full, plain(d.NameEN)}, "\n")
		o.byID[d.ID] = i
		if d.Parent != nil {
			o.below[*d.Parent] = append(o.below[*d.Parent], d.ID)
		}
	}
	s.organised = o
	return o, nil
}

// forgetOrganisation has the next search read the departments again.
func (s *Service) forgetOrganisation() {
	s.organisationMu.Lock()
	defer s.organisationMu.Unlock()
	s.organised = nil
}

// called returns the departments whose name, or how it sounds, holds a plain text.
func (o *organisation) called(text string) []uuid.UUID {
	var out []uuid.UUID
	for i := range o.all {
		if strings.Contains(o.all[i].text, text) {
			out = append(out, o.all[i].ID)
		}
	}
	return out
}

// tree returns a department and all below it.
func (o *organisation) tree(root uuid.UUID) []uuid.UUID {
	out := []uuid.UUID{root}
	seen := map[uuid.UUID]bool{root: true}
	for i := 0; i < len(out); i++ {
		for _, child := range o.below[out[i]] {
			if !seen[child] {
				seen[child] = true
				out = append(out, child)
			}
		}
	}
	return out
}

// division returns the code of a department's division.
func (o *organisation) division(id uuid.UUID) string {
	i, ok := o.byID[id]
	if !ok {
		return ""
	}
	return o.all[i].Division
}

// within returns the departments of a division and of all divisions in it.
func (o *organisation) within(division string) []uuid.UUID {
	out := []uuid.UUID{}
	for _, d := range o.all {
		if isWithin(d.Division, division) {
			out = append(out, d.ID)
		}
	}
	return out
}

// isWithin reports whether a division is another one or in it: 330000 stands for the whole province, 330600 for the city.
func isWithin(division, other string) bool {
	for len(other) > 2 && strings.HasSuffix(other, "00") {
		other = other[:len(other)-2]
	}
	return strings.HasPrefix(division, other)
}
