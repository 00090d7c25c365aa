package catalog

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// Systems lists the registered information systems of a department by name, of all departments for uuid.Nil.
func (s *Service) Systems(ctx context.Context, p authz.Principal, department uuid.UUID, page db.Page) ([]System, string, error) {
	if _, err := s.enforcer.Check(ctx, p, authz.SystemRead, authz.Target{Kind: "system", Department: department}); err != nil {
		return nil, "", err
	}
	var name string
	var id uuid.UUID
	if _, err := page.After(&name, &id); err != nil {
		return nil, "", err
	}
	out, err := many(ctx, s.db.Pool, coveredRow.system, `
		SELECT s.*, `+coveredSystem+` AS covered FROM system s WHERE (name, id) > ($1, $2) AND ($3::uuid = $4::uuid OR department_id = $3) ORDER BY name, id LIMIT $5`,
		name, id, department, uuid.Nil, page.Size()+1)
	if err != nil {
		return nil, "", fmt.Errorf("listing systems: %w", err)
	}
	out, next := db.Cut(out, page, func(s System) string { return db.Next(s.Name, s.ID) })
	return out, next, nil
}

// System returns one information system.
func (s *Service) System(ctx context.Context, p authz.Principal, id uuid.UUID) (System, error) {
	if _, err := s.enforcer.Check(ctx, p, authz.SystemRead, authz.Target{Kind: "system", ID: id.String()}); err != nil {
		return System{}, err
	}
	return loadSystem(ctx, s.db.Pool, id, "")
}

// CreateSystem registers an information system of the caller's department.
func (s *Service) CreateSystem(ctx context.Context, p authz.Principal, name, state string) (System, error) {
	target := authz.Target{Kind: "system", Department: p.Department}
	if _, err := s.enforcer.Check(ctx, p, authz.SystemWrite, target); err != nil {
		return System{}, err
	}
	system := System{DepartmentID: p.Department, Name: strings.TrimSpace(name), State: state}
	if err := checkSystem(system); err != nil {
		return System{}, err
	}
	err := s.db.InTx(ctx, func(tx *db.Tx) error {
		system.ID, system.RowVersion, system.CreatedAt, system.UpdatedAt = db.NewID(), 1, tx.Now(), tx.Now()
		row := newSystemRow(system)
		if err := insert(ctx, tx, &row); err != nil {
			return systemFault(err)
		}
		if err := s.systemInUse(ctx, tx, p, system); err != nil {
			return err
		}
		return record(ctx, tx, p, "system.create", "system", system.ID.String(), map[string]any{"name": system.Name, "state": state})
	})
	if err != nil {
		return System{}, err
	}
	return system, nil
}

// UpdateSystem replaces name and state of an information system.
func (s *Service) UpdateSystem(ctx context.Context, p authz.Principal, id uuid.UUID, ifMatch int64, name, state string) (System, error) {
	system, err := loadSystem(ctx, s.db.Pool, id, "")
	if err != nil {
		return System{}, err
	}
	target := authz.Target{Kind: "system", ID: id.String(), Department: system.DepartmentID}
	if _, err := s.enforcer.Check(ctx, p, authz.SystemWrite, target); err != nil {
		return System{}, err
	}
	err = s.db.InTx(ctx, func(tx *db.Tx) error {
		if system, err = loadSystem(ctx, tx, id, "FOR UPDATE OF s"); err != nil {
			return err
		}
		if err := db.Matches(ifMatch, system.RowVersion); err != nil {
			return err
		}
		system.Name, system.State = strings.TrimSpace(name), state
		if err := checkSystem(system); err != nil {
			return err
		}
		system.RowVersion, system.UpdatedAt = system.RowVersion+1, tx.Now()
		_, err := tx.Exec(ctx, "UPDATE system SET name = $2, state = $3, row_version = $4, updated_at = $5 WHERE id = $1",
			id, system.Name, system.State, system.RowVersion, system.UpdatedAt)
		if err != nil {
			return systemFault(err)
		}
		if err := s.systemInUse(ctx, tx, p, system); err != nil {
			return err
		}
		return record(ctx, tx, p, "system.update", "system", id.String(), map[string]any{"name": system.Name, "state": state})
	})
	if err != nil {
		return System{}, err
	}
	return system, nil
}

// systemInUse ends the statement of a department that it has no system in use.
func (s *Service) systemInUse(ctx context.Context, tx *db.Tx, p authz.Principal, system System) error {
	if system.State != "live" {
		return nil
	}
	return s.withdrawNilReturn(ctx, tx, p, system.DepartmentID)
}

func loadSystem(ctx context.Context, q Querier, id uuid.UUID, lock string) (System, error) {
	return one(ctx, q, coveredRow.system, notFound("system"), "SELECT s.*, "+coveredSystem+" AS covered FROM system s WHERE id = $1 "+lock, id)
}

func checkSystem(s System) error {
	var wrong []fault.Field
	if f, bad := checkTitle("name", s.Name); bad {
		wrong = append(wrong, f)
	}
	if !slices.Contains([]string{"live", "zombie", "single_office"}, s.State) {
		wrong = append(wrong, fault.Field{Name: "state", Code: "not_choice", Message: "state live, zombie or single_office"})
	}
	return fault.InvalidFields(wrong)
}

func systemFault(err error) error {
	switch {
	case db.IsUnique(err, "system_department_id_name_key"):
		return fault.InvalidFields([]fault.Field{{Name: "name", Code: "taken", Message: "another system of your department has this name"}})
	case db.IsForeignKey(err, ""):
		return fault.InvalidFields([]fault.Field{{Name: "department_id", Code: "unknown", Message: "your account belongs to no registered department"}})
	}
	return err
}
