package catalog

import (
	"context"
	"fmt"
	"slices"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/internal/db"
)

// ItemSource says who is the source of what an item of an entry means, where the register of sources knows one that is not the
// department that offers the entry (一数一源; Order 809, Art 19).
type ItemSource struct {
	At           int       `json:"-"` // Index of the item in its version.
	Item         string    `json:"item"`
	Identifier   string    `json:"identifier"`
	Element      string    `json:"element"` // Code of the data element that the item was recognised as.
	ElementName  string    `json:"element_name"`
	Division     string    `json:"division"` // Of the line of the register that holds: the entry's own, or the nearest above it.
	DepartmentID uuid.UUID `json:"department_id"`
	Department   string    `json:"department"`
	ResourceID   uuid.UUID `json:"resource_id"` // The source's entry, when it is published and the caller may read it; else zero.
	Resource     string    `json:"resource"`
	Shared       bool      `json:"shared"`     // The source offers it: it can be asked for instead of being collected again.
	Referenced   bool      `json:"referenced"` // The item names the source as its source department: it comes from there.

	shareType, grade string // Of the source's entry, for the enforcer.
}

// owned finds the items of a version that mean what another department is the source of, in the order of the items.
func owned(ctx context.Context, q Querier, r Resource, v Version) (sources []ItemSource, unknown []int, err error) {
	elements, err := recognise(ctx, q, v.Items)
	if err != nil {
		return nil, nil, err
	}
	var codes []string
	for i, item := range v.Items {
		if e, ok := elements[i]; ok {
			codes = append(codes, e.Code)
		} else if term(item.DataElement) != "" {
			unknown = append(unknown, i)
		}
	}
	if len(codes) == 0 {
		return nil, unknown, nil
	}
	lines, err := sourcesOf(ctx, q, r, v, codes)
	if err != nil {
		return nil, nil, err
	}
	for i, item := range v.Items {
		line, ok := lines[elements[i].Code]
		if !ok || line.DepartmentID == r.ProviderDeptID {
			continue
		}
		from := item.SourceDeptID
		if from == uuid.Nil {
			from = v.SourceDeptID
		}
		line.At, line.Item, line.Identifier, line.Referenced = i, item.Name, item.Identifier, from == line.DepartmentID
		sources = append(sources, line)
	}
	return sources, unknown, nil
}

// recognise returns the data element of each item by its index: the one the item names, else the one whose name or synonym the
// item has as its name. Items that are none of them are left out.
func recognise(ctx context.Context, q Querier, items []Item) (map[int]DataElement, error) {
	var asked []string
	for _, item := range items {
		if t := term(item.DataElement); t != "" {
			asked = append(asked, t)
		} else if t := term(item.Name); t != "" {
			asked = append(asked, t)
		}
	}
	out := map[int]DataElement{}
	if len(asked) == 0 {
		return out, nil
	}
	found, err := many(ctx, q, dataElementRow.element, "SELECT * FROM data_element WHERE state = 'current' AND terms && $1 ORDER BY code DESC", asked)
	if err != nil {
		return nil, fmt.Errorf("recognising data elements: %w", err)
	}
	by := map[string]DataElement{}
	for _, e := range found {
		for _, t := range e.terms() {
			by[t] = e // The first by code wins where two elements share a term, as two meanings of one standard do.
		}
	}
	for i, item := range items {
		t := term(item.DataElement)
		if t == "" {
			t = term(item.Name)
		}
		if e, ok := by[t]; ok {
			out[i] = e
		}
	}
	return out, nil
}

// sourcesOf reads the lines of the register that hold for elements where an entry belongs: by code, the nearest division first.
func sourcesOf(ctx context.Context, q Querier, r Resource, v Version, codes []string) (map[string]ItemSource, error) {
	division := v.DivisionCode
	if !divisionPattern.MatchString(division) {
		if err := q.QueryRow(ctx, "SELECT division_code FROM department WHERE id = $1", r.ProviderDeptID).Scan(&division); err != nil {
			return nil, fmt.Errorf("reading the provider's division: %w", err)
		}
	}
	found, err := q.Query(ctx, `
		SELECT DISTINCT ON (s.element) s.element, e.name, s.division, s.department_id, d.name, offer.id, offer.name, offer.share_type, offer.grade
		FROM data_element e JOIN element_source s ON s.element = e.code JOIN department d ON d.id = s.department_id
		LEFT JOIN LATERAL (
			SELECT o.id, o.name, ov.share_type, ov.grade FROM resource o JOIN resource_version ov ON ov.resource_id = o.id AND ov.version = o.published
			WHERE o.id = s.resource_id AND o.state = 'published' AND EXISTS (SELECT FROM item i WHERE i.resource_id = o.id AND i.version = o.published
				AND i.share_type <> 'withheld' AND (lower(btrim(i.data_element)) = ANY(e.terms) OR lower(i.name) = ANY(e.terms)))) offer ON true
		WHERE s.element = ANY($1) AND s.division = ANY($2)
		ORDER BY s.element, array_position($2, s.division)`, codes, divisionsAbove(division))
	if err != nil {
		return nil, fmt.Errorf("reading the register of sources: %w", err)
	}
	out := map[string]ItemSource{}
	_, err = pgx.CollectRows(found, func(row pgx.CollectableRow) (struct{}, error) {
		var line ItemSource
		var id *uuid.UUID
		var name, share, grade *string
		if err := row.Scan(&line.Element, &line.ElementName, &line.Division, &line.DepartmentID, &line.Department, &id, &name, &share, &grade); err != nil {
			return struct{}{}, err
		}
		if id != nil {
			line.ResourceID, line.Resource, line.Shared, line.shareType, line.grade = *id, *name, true, *share, *grade
		}
		out[line.Element] = line
		return struct{}{}, nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading the register of sources: %w", err)
	}
	return out, nil
}

// oneSource points out what another department is the source of. What could be asked for instead is collected again only with a
// written reason, which the reviewers read.
func (c *checker) oneSource() {
	for _, i := range c.facts.UnknownElements {
		c.warn(fmt.Sprintf("items[%d].data_element", i), "unknown", "the register knows no such data element; name one by its code or its standard")
	}
	again := false
	for _, o := range c.facts.Owned {
		if o.Referenced {
			continue
		}
		again = again || o.Shared
		c.warn(fmt.Sprintf("items[%d].source_dept_id", o.At), "owned_elsewhere",
			"%s is registered as the source of this; name it as the source department, ask it for the data, or give the reason for collecting them again (Art 19)", o.Department)
	}
	if again {
		c.required("recollect_reason", c.m.RecollectReason, "another department offers some of these items; give the reason for collecting them again, or name it as their source department (Art 19)")
	}
}

// ItemSources lists the items of an entry's visible version that another department is the source of, in their order, so that
// who means to ask for a copy is shown the source first.
func (s *Service) ItemSources(ctx context.Context, p authz.Principal, id uuid.UUID) ([]ItemSource, error) {
	r, err := s.readable(ctx, p, id)
	if err != nil {
		return nil, err
	}
	var out []ItemSource
	err = s.db.InTx(ctx, func(tx *db.Tx) error {
		v, err := loadVersion(ctx, tx, id, shown(r))
		if err != nil {
			return err
		}
		out, _, err = owned(ctx, tx, r, v)
		return err
	})
	if err != nil {
		return nil, err
	}
	s.screenSources(p, out)
	return filled(out), nil
}

// screenSources drops the names of entries that p may not read. That there is a source is in the register for everybody.
func (s *Service) screenSources(p authz.Principal, sources []ItemSource) {
	for i := range sources {
		o := &sources[i]
		if o.ResourceID != uuid.Nil && !s.mayReadPublished(p, o.ResourceID, o.DepartmentID, o.shareType, o.grade) {
			o.ResourceID, o.Resource = uuid.Nil, ""
		}
	}
}

// mayReadPublished asks the enforcer about a published entry, with its facts.
func (s *Service) mayReadPublished(p authz.Principal, id, department uuid.UUID, shareType, grade string) bool {
	return s.enforcer.Allowed(p, authz.ResourceRead, authz.Target{
		Kind: "resource", ID: id.String(), Department: department, State: string(Published), ShareType: shareType, Grade: grade,
	})
}

// screen keeps from p the entries of others that p may not read: of these only that there is one, and where.
func (s *Service) screen(p authz.Principal, f *Facts) {
	f.Owned, f.Similar = slices.Clone(f.Owned), slices.Clone(f.Similar)
	s.screenSources(p, f.Owned)
	for i := range f.Similar {
		o := &f.Similar[i]
		if !s.mayReadPublished(p, o.ID, o.DepartmentID, o.shareType, o.grade) {
			o.ID, o.Name = uuid.Nil, ""
		}
	}
}
