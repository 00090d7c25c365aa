package catalog

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/shuqiao/shuqiao/authz"
)

// Completion is what somebody may mean who has typed the beginning of a search.
type Completion struct {
	Kind       string    `json:"kind"` // entry or department.
	ID         uuid.UUID `json:"id"`
	Name       string    `json:"name"`
	Code       string    `json:"code"`       // Of an entry.
	Department string    `json:"department"` // Name of the provider of an entry.
}

// The kinds of suggestions.
const (
	SuggestEntry      = "entry"
	SuggestDepartment = "department"
)

const (
	suggestedEntries     = 8
	suggestedDepartments = 3
	// askedDepartments bounds how many departments of a fitting name are asked whether they have entries.
	askedDepartments = 50
)

// Suggest returns published entries whose name, pinyin or code holds what was typed, the highest rank first, and then departments of
// such a name that have published entries. It is empty for an empty text.
func (s *Service) Suggest(ctx context.Context, p authz.Principal, text string) ([]Completion, error) {
	if err := s.mayRead(ctx, p); err != nil {
		return nil, err
	}
	wanted := terms(text)
	f := &filter{state: Published, sight: s.sight(p, Published), exact: []string{"s.state = 'published'"}, nothing: len(wanted) == 0}
	for _, t := range wanted {
		if t.match == "" {
			f.nothing = true
			continue
		}
		f.exact = append(f.exact, "s.name LIKE "+f.param(like(t.text)))
		f.looked(t.named)
	}
	if f.nothing {
		return []Completion{}, nil
	}
	found, err := s.find(ctx, f, orders[ByRelevance], suggestedEntries)
	if err != nil {
		return nil, err
	}
	entries, err := s.entries(ctx, f.sight, Published, found)
	if err != nil {
		return nil, err
	}
	out := make([]Completion, 0, suggestedEntries+suggestedDepartments)
	for _, e := range entries {
		out = append(out, Completion{Kind: SuggestEntry, ID: e.ID, Name: e.Name, Code: e.Code, Department: e.Department})
	}
	departments, err := s.suggestDepartments(ctx, wanted)
	return append(out, departments...), err
}

func (s *Service) suggestDepartments(ctx context.Context, wanted []sought) ([]Completion, error) {
	o, err := s.organisation(ctx)
	if err != nil {
		return nil, err
	}
	named := o.called(wanted[0].text)
	for _, t := range wanted[1:] {
		named = both(named, o.called(t.text))
	}
	if len(named) == 0 {
		return nil, nil
	}
	found, err := s.db.Pool.Query(ctx, `
		SELECT d.id FROM unnest($1::uuid[]) WITH ORDINALITY AS d (id, n)
		WHERE EXISTS (SELECT FROM resource_search s WHERE s.department_id = d.id AND s.state = 'published') ORDER BY d.n LIMIT $2`,
		named[:min(len(named), askedDepartments)], suggestedDepartments)
	if err != nil {
		return nil, fmt.Errorf("looking for departments with entries: %w", err)
	}
	return pgx.CollectRows(found, func(row pgx.CollectableRow) (Completion, error) {
		out := Completion{Kind: SuggestDepartment}
		err := row.Scan(&out.ID)
		out.Name = o.all[o.byID[out.ID]].Name
		return out, err
	})
}

// both returns what is in both lists, in the order of the first.
func both(a, b []uuid.UUID) []uuid.UUID {
	in := make(map[uuid.UUID]bool, len(b))
	for _, id := range b {
		in[id] = true
	}
	var out []uuid.UUID
	for _, id := range a {
		if in[id] {
			out = append(out, id)
		}
	}
	return out
}
