package catalog

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// ElementSource is one line of the register of sources (一数一源; Order 809, Art 19): for one data element in one division, the
// department whose data are the true ones. Where a division has no line of its own, that of the nearest division above holds.
type ElementSource struct {
	Element      string    `json:"element"` // Code of a data element.
	ElementName  string    `json:"element_name"`
	Division     string    `json:"division"` // 6 digits, 9 or 12 below a county; 000000 is the whole country.
	DepartmentID uuid.UUID `json:"department_id"`
	Department   string    `json:"department"`
	ResourceID   uuid.UUID `json:"resource_id"` // The entry by which the department offers it; zero where none is registered.
	Resource     string    `json:"resource"`    // Its name while it is published, else "".
	Reason       string    `json:"reason"`
	DecidedBy    uuid.UUID `json:"decided_by"`
	DecidedAt    time.Time `json:"decided_at"`
	RowVersion   int64     `json:"row_version"`
}

// ElementSourceFilter narrows the register of sources. Empty fields do not narrow.
type ElementSourceFilter struct {
	Element      string
	Division     string
	DepartmentID uuid.UUID
}

// SourceAssignment is what the authority decides about a line of the register.
type SourceAssignment struct {
	DepartmentID uuid.UUID `json:"department_id"`
	ResourceID   uuid.UUID `json:"resource_id"` // A published entry of the department that has the element, or zero.
	Reason       string    `json:"reason"`
}

// divisionPattern is the form of a division code: 6 digits, or 9 and 12 for what lies below a county (GB/T 2260, GB/T 10114).
var divisionPattern = regexp.MustCompile(`^[0-9]{6}([0-9]{3}){0,2}$`)

// nationwide is the division of what has one source for the whole country.
const nationwide = "000000"

// divisionsAbove returns a division and those it lies in, the nearest first, down to the whole country. It is empty for what
// is no division code.
func divisionsAbove(code string) []string {
	if !divisionPattern.MatchString(code) {
		return nil
	}
	var out []string
	add := func(c string) {
		if len(out) == 0 || out[len(out)-1] != c {
			out = append(out, c)
		}
	}
	for n := len(code); n > 6; n -= 3 {
		add(code[:n])
	}
	add(code[:6])
	add(code[:4] + "00")
	add(code[:2] + "0000")
	add(nationwide)
	return out
}

const elementSources = `
	SELECT s.element, e.name AS element_name, s.division, s.department_id, d.name AS department,
		coalesce(s.resource_id, '00000000-0000-0000-0000-000000000000') AS resource_id,
		coalesce((SELECT r.name FROM resource r WHERE r.id = s.resource_id AND r.state = 'published'), '') AS resource,
		s.reason, s.decided_by, s.decided_at, s.row_version
	FROM element_source s JOIN data_element e ON e.code = s.element JOIN department d ON d.id = s.department_id `

// ElementSources lists the register of sources by element and division.
func (s *Service) ElementSources(ctx context.Context, p authz.Principal, f ElementSourceFilter, page db.Page) ([]ElementSource, string, error) {
	if _, err := s.enforcer.Check(ctx, p, authz.DataElementRead, authz.Target{Kind: "data_element"}); err != nil {
		return nil, "", err
	}
	var element, division string
	if _, err := page.After(&element, &division); err != nil {
		return nil, "", err
	}
	found, err := s.db.Pool.Query(ctx, elementSources+`
		WHERE (s.element, s.division) > ($1, $2) AND ($3 = '' OR s.element = $3) AND ($4 = '' OR s.division = $4)
			AND ($5::uuid = $6::uuid OR s.department_id = $5)
		ORDER BY s.element, s.division LIMIT $7`,
		clean(element), clean(division), clean(f.Element), clean(f.Division), f.DepartmentID, uuid.Nil, page.Size()+1)
	if err != nil {
		return nil, "", fmt.Errorf("listing sources of data elements: %w", err)
	}
	out, err := pgx.CollectRows(found, pgx.RowToStructByName[ElementSource])
	if err != nil {
		return nil, "", fmt.Errorf("listing sources of data elements: %w", err)
	}
	for i := range out {
		out[i].DecidedAt = out[i].DecidedAt.UTC()
	}
	out, next := db.Cut(out, page, func(d ElementSource) string { return db.Next(d.Element, d.Division) })
	return out, next, nil
}

// AssignElementSource records which department is the source of an element in a division; doing it again changes it.
func (s *Service) AssignElementSource(ctx context.Context, p authz.Principal, element, division string, ifMatch int64, a SourceAssignment) (ElementSource, error) {
	element, division = clean(element), clean(division)
	if _, err := s.enforcer.Check(ctx, p, authz.DutyDecide, elementSourceTarget(element, division)); err != nil {
		return ElementSource{}, err
	}
	var out ElementSource
	err := s.db.InTx(ctx, func(tx *db.Tx) error {
		e, err := loadDataElement(ctx, tx, element, "FOR SHARE")
		if err != nil {
			return err
		}
		before, known, err := loadElementSource(ctx, tx, element, division)
		if err != nil {
			return err
		}
		if err := db.Matches(ifMatch, before.RowVersion); err != nil {
			return err
		}
		if err := checkAssignment(division, a); err != nil {
			return err
		}
		if err := offers(ctx, tx, e, a.DepartmentID, a.ResourceID); err != nil {
			return err
		}
		if err := s.assign(ctx, tx, p, element, division, a); err != nil {
			return err
		}
		detail := map[string]any{"department_id": a.DepartmentID, "resource_id": a.ResourceID, "reason": a.Reason}
		if known {
			detail["from"] = before.DepartmentID
		}
		if err := record(ctx, tx, p, "element_source.assign", "element_source", element+"/"+division, detail); err != nil {
			return err
		}
		out, _, err = loadElementSource(ctx, tx, element, division)
		return err
	})
	return out, err
}

// EndElementSource takes a line off the register: nobody is the source until somebody is assigned again. The reason is mandatory.
func (s *Service) EndElementSource(ctx context.Context, p authz.Principal, element, division string, ifMatch int64, reason string) error {
	element, division = clean(element), clean(division)
	if _, err := s.enforcer.Check(ctx, p, authz.DutyDecide, elementSourceTarget(element, division)); err != nil {
		return err
	}
	return s.db.InTx(ctx, func(tx *db.Tx) error {
		before, known, err := loadElementSource(ctx, tx, element, division)
		if err != nil {
			return err
		}
		if !known {
			return notFound("line of the register of sources")
		}
		if err := db.Matches(ifMatch, before.RowVersion); err != nil {
			return err
		}
		if err := checkReason("reason", reason); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, "DELETE FROM element_source WHERE element = $1 AND division = $2", element, division); err != nil {
			return fmt.Errorf("ending a source: %w", err)
		}
		return record(ctx, tx, p, "element_source.end", "element_source", element+"/"+division, map[string]any{"from": before.DepartmentID, "reason": reason})
	})
}

// assign writes one line of the register.
func (s *Service) assign(ctx context.Context, tx *db.Tx, p authz.Principal, element, division string, a SourceAssignment) error {
	_, err := tx.Exec(ctx, `
		INSERT INTO element_source AS s (element, division, department_id, resource_id, reason, decided_by, decided_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7)
		ON CONFLICT (element, division) DO UPDATE SET department_id = excluded.department_id, resource_id = excluded.resource_id,
			reason = excluded.reason, decided_by = excluded.decided_by, decided_at = excluded.decided_at, row_version = s.row_version + 1`,
		element, division, a.DepartmentID, optional(a.ResourceID), a.Reason, p.ID, tx.Now())
	if db.IsForeignKey(err, "element_source_department_id_fkey") {
		return fault.InvalidFields([]fault.Field{{Name: "department_id", Code: "unknown", Message: "there is no such department"}})
	}
	if err != nil {
		return fmt.Errorf("writing a source: %w", err)
	}
	return nil
}

// loadSource locks one line of the register; known is false where there is none.
func loadElementSource(ctx context.Context, tx *db.Tx, element, division string) (line ElementSource, known bool, err error) {
	found, err := tx.Query(ctx, elementSources+"WHERE s.element = $1 AND s.division = $2 FOR UPDATE OF s", element, division)
	if err != nil {
		return ElementSource{}, false, fmt.Errorf("reading a source: %w", err)
	}
	all, err := pgx.CollectRows(found, pgx.RowToStructByName[ElementSource])
	if err != nil {
		return ElementSource{}, false, fmt.Errorf("reading a source: %w", err)
	}
	if len(all) == 0 {
		return ElementSource{}, false, nil
	}
	all[0].DecidedAt = all[0].DecidedAt.UTC()
	return all[0], true, nil
}

// offers refuses an entry by which a department cannot offer an element: it must be its own, published, and have the element.
func offers(ctx context.Context, tx *db.Tx, e DataElement, department, resource uuid.UUID) error {
	if resource == uuid.Nil {
		return nil
	}
	var good bool
	err := tx.QueryRow(ctx, `
		SELECT EXISTS (SELECT FROM resource r JOIN item i ON i.resource_id = r.id AND i.version = r.published
			WHERE r.id = $1 AND r.state = 'published' AND r.provider_dept_id = $2
				AND (lower(btrim(i.data_element)) = ANY($3) OR lower(i.name) = ANY($3)))`,
		resource, department, e.terms()).Scan(&good)
	if err != nil {
		return fmt.Errorf("reading the entry of a source: %w", err)
	}
	if !good {
		return fault.InvalidFields([]fault.Field{{Name: "resource_id", Code: "not_offered", Message: "name a published entry of the department that has an item of this data element"}})
	}
	return nil
}

func checkAssignment(division string, a SourceAssignment) error {
	var wrong []fault.Field
	if !divisionPattern.MatchString(division) {
		wrong = append(wrong, fault.Field{Name: "division", Code: "bad_form", Message: "give a division code of 6, 9 or 12 digits"})
	}
	if a.DepartmentID == uuid.Nil {
		wrong = append(wrong, fault.Field{Name: "department_id", Code: "required", Message: "name the department that is the source"})
	}
	if f, bad := wrongReason("reason", a.Reason); bad {
		wrong = append(wrong, f)
	}
	return fault.InvalidFields(wrong)
}

func checkReason(name, reason string) error {
	if f, bad := wrongReason(name, reason); bad {
		return fault.InvalidFields([]fault.Field{f})
	}
	return nil
}

func wrongReason(name, reason string) (fault.Field, bool) {
	switch {
	case strings.TrimSpace(reason) == "":
		return fault.Field{Name: name, Code: "required", Message: "give the reason; the others have to be able to follow it"}, true
	case strings.ContainsRune(reason, 0) || !utf8.ValidString(reason):
		return fault.Field{Name: name, Code: "bad_character", Message: "texts cannot hold the NUL character"}, true
	case utf8.RuneCountInString(reason) > maxText:
		return fault.Field{Name: name, Code: "too_long", Message: fmt.Sprintf("shorten this to at most %d characters", maxText)}, true
	}
	return fault.Field{}, false
}

func elementSourceTarget(element, division string) authz.Target {
	return authz.Target{Kind: "duty", ID: element + "/" + division}
}
