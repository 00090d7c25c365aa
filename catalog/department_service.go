package catalog

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/authz/identity"
	"github.com/shuqiao/shuqiao/catalog/codes"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// DepartmentFilter narrows Departments. Empty fields do not narrow.
type DepartmentFilter struct {
	Text         string // Part of a name or credit code.
	DivisionCode string
	ParentID     uuid.UUID
}

// Departments lists departments by name.
func (s *Service) Departments(ctx context.Context, p authz.Principal, f DepartmentFilter, page db.Page) ([]Department, string, error) {
	if _, err := s.enforcer.Check(ctx, p, authz.DepartmentRead, authz.Target{Kind: "department"}); err != nil {
		return nil, "", err
	}
	var name string
	var id uuid.UUID
	if _, err := page.After(&name, &id); err != nil {
		return nil, "", err
	}
	out, err := many(ctx, s.db.Pool, departmentRow.department, `
		SELECT * FROM department
		WHERE (name, id) > ($1, $2) AND ($3 = '' OR division_code = $3) AND ($4::uuid = $5::uuid OR parent_id = $4)
			AND ($6 = '%%' OR name ILIKE $6 OR name_en ILIKE $6 OR uscc ILIKE $6)
		ORDER BY name, id LIMIT $7`,
		name, id, f.DivisionCode, f.ParentID, uuid.Nil, db.Containing(f.Text), page.Size()+1)
	if err != nil {
		return nil, "", fmt.Errorf("listing departments: %w", err)
	}
	out, next := db.Cut(out, page, func(d Department) string { return db.Next(d.Name, d.ID) })
	return out, next, nil
}

// Department returns one department.
func (s *Service) Department(ctx context.Context, p authz.Principal, id uuid.UUID) (Department, error) {
	if _, err := s.enforcer.Check(ctx, p, authz.DepartmentRead, authz.Target{Kind: "department", ID: id.String()}); err != nil {
		return Department{}, err
	}
	return loadDepartment(ctx, s.db.Pool, id)
}

// CreateDepartment registers an organisation. Of d the id, version and times are ignored.
func (s *Service) CreateDepartment(ctx context.Context, p authz.Principal, d Department) (Department, error) {
	target := authz.Target{Kind: "department"}
	if _, err := s.enforcer.Check(ctx, p, authz.DepartmentWrite, target); err != nil {
		return Department{}, err
	}
	if err := fault.InvalidFields(checkDepartment(&d)); err != nil {
		return Department{}, err
	}
	err := s.db.InTx(ctx, func(tx *db.Tx) error {
		d.ID, d.RowVersion, d.CreatedAt, d.UpdatedAt = db.NewID(), 1, tx.Now(), tx.Now()
		row := newDepartmentRow(d)
		if err := insert(ctx, tx, &row); err != nil {
			return departmentFault(err)
		}
		if err := authz.LogTx(tx, authz.KindDepartment, d.ID.String()); err != nil {
			return err
		}
		return record(ctx, tx, p, "department.create", "department", d.ID.String(), map[string]any{"name": d.Name, "uscc": d.USCC})
	})
	if err != nil {
		return Department{}, err
	}
	s.forgetOrganisation()
	return d, nil
}

// UpdateDepartment replaces what is stated about an organisation.
func (s *Service) UpdateDepartment(ctx context.Context, p authz.Principal, id uuid.UUID, ifMatch int64, d Department) (Department, error) {
	target := authz.Target{Kind: "department", ID: id.String()}
	if _, err := s.enforcer.Check(ctx, p, authz.DepartmentWrite, target); err != nil {
		return Department{}, err
	}
	fields := checkDepartment(&d)
	if d.ParentID == id {
		fields = append(fields, fault.Field{Name: "parent_id", Code: "cycle", Message: "a department cannot be above itself"})
	}
	if err := fault.InvalidFields(fields); err != nil {
		return Department{}, err
	}
	err := s.db.InTx(ctx, func(tx *db.Tx) error {
		before, err := one(ctx, tx, departmentRow.department, notFound("department"), "SELECT * FROM department WHERE id = $1 FOR UPDATE", id)
		if err != nil {
			return err
		}
		if err := db.Matches(ifMatch, before.RowVersion); err != nil {
			return err
		}
		d.ID, d.RowVersion, d.CreatedAt, d.UpdatedAt = id, before.RowVersion+1, before.CreatedAt, tx.Now()
		if err := underItself(ctx, tx, id, d.ParentID); err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `
			UPDATE department SET uscc = $2, name = $3, name_en = $4, division_code = $5, level = $6, parent_id = $7, authority = $8,
				row_version = $9, updated_at = $10 WHERE id = $1`,
			id, d.USCC, d.Name, d.NameEN, d.DivisionCode, d.Level, optional(d.ParentID), d.Authority, d.RowVersion, d.UpdatedAt)
		if err != nil {
			return departmentFault(err)
		}
		if err := authz.LogTx(tx, authz.KindDepartment, id.String()); err != nil {
			return err
		}
		return record(ctx, tx, p, "department.update", "department", id.String(), map[string]any{"name": d.Name, "uscc": d.USCC})
	})
	if err != nil {
		return Department{}, err
	}
	s.forgetOrganisation()
	return d, nil
}

// underItself refuses a parent that lies below the department: the organisations are a tree.
func underItself(ctx context.Context, tx *db.Tx, id, parent uuid.UUID) error {
	var cycle bool
	err := tx.QueryRow(ctx, `
		WITH RECURSIVE above AS (
			SELECT id, parent_id FROM department WHERE id = $2
			UNION
			SELECT d.id, d.parent_id FROM department d JOIN above a ON d.id = a.parent_id)
		SELECT EXISTS (SELECT FROM above WHERE id = $1)`, id, parent).Scan(&cycle)
	if err != nil {
		return fmt.Errorf("reading organisation tree: %w", err)
	}
	if cycle {
		return fault.InvalidFields([]fault.Field{{Name: "parent_id", Code: "cycle", Message: "a department cannot be above itself"}})
	}
	return nil
}

func loadDepartment(ctx context.Context, q Querier, id uuid.UUID) (Department, error) {
	return one(ctx, q, departmentRow.department, notFound("department"), "SELECT * FROM department WHERE id = $1", id)
}

// checkDepartment normalises d and returns what is wrong with it.
func checkDepartment(d *Department) []fault.Field {
	var wrong []fault.Field
	d.USCC, d.Name = codes.NormaliseUpper(d.USCC), strings.TrimSpace(d.Name)
	if f, bad := codes.FirstError(codes.CheckUSCC(d.USCC)); bad {
		wrong = append(wrong, fault.Field{Name: "uscc", Code: f.Code, Message: f.Message})
	}
	if f, bad := checkTitle("name", d.Name); bad {
		wrong = append(wrong, f)
	}
	if f, bad := codes.FirstError(codes.CheckDivision(d.DivisionCode)); bad {
		wrong = append(wrong, fault.Field{Name: "division_code", Code: f.Code, Message: f.Message})
	}
	if !slices.Contains([]string{"national", "province", "city", "county", "township"}, d.Level) {
		wrong = append(wrong, fault.Field{Name: "level", Code: "not_choice", Message: "state national, province, city, county or township"})
	}
	return wrong
}

// CheckAuthority normalises the sharing authority of an empty hub and returns what is wrong with it, as for any department. A
// level that is not given follows from the division code: beyond six digits it is a township's, else 0000 at the end is a
// province, 00 a city, anything else a county.
func CheckAuthority(a *identity.Authority) []fault.Field {
	if a.Level == "" {
		switch {
		case len(a.DivisionCode) > 6:
			a.Level = "township"
		case strings.HasSuffix(a.DivisionCode, "0000"):
			a.Level = "province"
		case strings.HasSuffix(a.DivisionCode, "00"):
			a.Level = "city"
		default:
			a.Level = "county"
		}
	}
	d := Department{USCC: a.USCC, Name: a.Name, NameEN: a.NameEN, DivisionCode: a.DivisionCode, Level: a.Level}
	wrong := checkDepartment(&d)
	a.USCC, a.Name = d.USCC, d.Name
	return wrong
}

func checkTitle(name, title string) (fault.Field, bool) {
	switch n := utf8.RuneCountInString(title); {
	case n == 0:
		return fault.Field{Name: name, Code: "required", Message: "give a name"}, true
	case n > maxName:
		return fault.Field{Name: name, Code: "too_long", Message: fmt.Sprintf("shorten this to at most %d characters", maxName)}, true
	}
	return fault.Field{}, false
}

// departmentFault turns violated constraints of table department into faults that name the field.
func departmentFault(err error) error {
	for _, taken := range []struct{ constraint, field, message string }{
		{"department_uscc_key", "uscc", "another department has this credit code"},
		{"department_name_key", "name", "another department has this name"},
		{"department_authority", "authority", "this division already has a sharing authority"},
	} {
		if db.IsUnique(err, taken.constraint) {
			return fault.InvalidFields([]fault.Field{{Name: taken.field, Code: "taken", Message: taken.message}})
		}
	}
	if db.IsForeignKey(err, "") {
		return fault.InvalidFields([]fault.Field{{Name: "parent_id", Code: "unknown", Message: "there is no such department"}})
	}
	return err
}
