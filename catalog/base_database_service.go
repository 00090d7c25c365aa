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

// Registration is what the authority decides about a base database.
type Registration struct {
	LeadDeptID uuid.UUID `json:"lead_dept_id"` // The lead department (牵头部门).
	KeyItem    string    `json:"key_item"`     // Identifier of the item that identifies its rows.
}

// ThemeDatabase is what the authority states to add a theme database to the list of base databases.
type ThemeDatabase struct {
	Code   string `json:"code"` // Stable name, snake_case.
	Name   string `json:"name"`
	NameEN string `json:"name_en"`
	Registration
}

// BaseDatabases lists the base databases, registered or not, in their usual order, and then the theme databases.
func (s *Service) BaseDatabases(ctx context.Context, p authz.Principal) ([]BaseDatabase, error) {
	if _, err := s.enforcer.Check(ctx, p, authz.BaseDatabaseRead, authz.Target{Kind: "base_database"}); err != nil {
		return nil, err
	}
	out, err := many(ctx, s.db.Pool, baseDatabaseRow.baseDatabase, "SELECT * FROM base_database ORDER BY theme, sort, code")
	if err != nil {
		return nil, fmt.Errorf("listing base databases: %w", err)
	}
	return out, nil
}

// BaseDatabase returns one base database.
func (s *Service) BaseDatabase(ctx context.Context, p authz.Principal, code string) (BaseDatabase, error) {
	if _, err := s.enforcer.Check(ctx, p, authz.BaseDatabaseRead, authz.Target{Kind: "base_database", ID: code}); err != nil {
		return BaseDatabase{}, err
	}
	return loadBaseDatabase(ctx, s.db.Pool, code, "")
}

// RegisterBaseDatabase records lead department and key item of a base database; doing it again changes them.
func (s *Service) RegisterBaseDatabase(ctx context.Context, p authz.Principal, code string, ifMatch int64, r Registration) (BaseDatabase, error) {
	return s.changeBaseDatabase(ctx, p, code, ifMatch, "register", func(tx *db.Tx, b *BaseDatabase) error {
		r.KeyItem = strings.TrimSpace(r.KeyItem)
		fields := checkRegistration(r)
		if t, err := FindTemplate(b.Template); err == nil && len(fields) == 0 && !slices.ContainsFunc(t.Items, func(i Item) bool { return i.Key && i.Identifier == r.KeyItem }) {
			fields = append(fields, fault.Field{Name: "key_item", Code: "not_key", Message: "this is no key item of the base database's template"})
		}
		if err := fault.InvalidFields(fields); err != nil {
			return err
		}
		b.LeadDeptID, b.KeyItem, b.RegisteredBy = r.LeadDeptID, r.KeyItem, p.ID
		now := tx.Now()
		b.RegisteredAt = &now
		return nil
	})
}

// BindBaseDatabase names the published resource, and the source behind it, that serves a registered base database. The
// resource must belong to that base database and to its lead department, and have the key item as a key.
func (s *Service) BindBaseDatabase(ctx context.Context, p authz.Principal, code string, ifMatch int64, resource uuid.UUID) (BaseDatabase, error) {
	return s.changeBaseDatabase(ctx, p, code, ifMatch, "bind", func(tx *db.Tx, b *BaseDatabase) error {
		if b.RegisteredAt == nil {
			return fault.New(fault.Conflict, "not_registered", "register the base database with lead department and key item first")
		}
		r, err := s.PublishedTx(ctx, tx, resource, true)
		if err != nil {
			return err
		}
		key, ok := r.Version.Item(b.KeyItem)
		if r.Version.BaseDatabase != code || r.ProviderDeptID != b.LeadDeptID || !ok || !key.Key {
			return fault.InvalidFields([]fault.Field{{
				Name: "resource_id", Code: "contradicts",
				Message: "the entry must be published for this base database by its lead department, with the registered key item as a key",
			}})
		}
		b.ResourceID, b.SourceID = resource, uuid.Nil
		if mount, err := activeMount(ctx, tx, resource, ""); err == nil {
			b.SourceID = mount.SourceID
		} else if !fault.Is(err, fault.NotFound) {
			return err
		}
		return nil
	})
}

// CreateThemeDatabase adds and registers a theme database.
func (s *Service) CreateThemeDatabase(ctx context.Context, p authz.Principal, t ThemeDatabase) (BaseDatabase, error) {
	if _, err := s.enforcer.Check(ctx, p, authz.BaseDatabaseRegister, authz.Target{Kind: "base_database"}); err != nil {
		return BaseDatabase{}, err
	}
	fields := checkRegistration(t.Registration)
	if !identifierPattern.MatchString(t.Code) {
		fields = append(fields, fault.Field{Name: "code", Code: "bad_form", Message: "give 1 to 63 lower-case letters, digits and underscores, a letter first"})
	}
	if f, bad := checkTitle("name", strings.TrimSpace(t.Name)); bad {
		fields = append(fields, f)
	}
	if err := fault.InvalidFields(fields); err != nil {
		return BaseDatabase{}, err
	}
	b := BaseDatabase{
		Code: t.Code, Name: strings.TrimSpace(t.Name), NameEN: t.NameEN, Theme: true, LeadDeptID: t.LeadDeptID,
		KeyItem: t.KeyItem, RegisteredBy: p.ID, RowVersion: 1,
	}
	err := s.db.InTx(ctx, func(tx *db.Tx) error {
		now := tx.Now()
		b.RegisteredAt = &now
		row := newBaseDatabaseRow(b)
		if err := insert(ctx, tx, &row); err != nil {
			if db.IsUnique(err, "base_database_pkey") {
				return fault.InvalidFields([]fault.Field{{Name: "code", Code: "taken", Message: "there is a base database of this code"}})
			}
			return leadFault(err)
		}
		return record(ctx, tx, p, "base_database.create", "base_database", b.Code, map[string]any{"lead_dept_id": b.LeadDeptID, "key_item": b.KeyItem})
	})
	if err != nil {
		return BaseDatabase{}, err
	}
	return b, nil
}

// changeBaseDatabase locks a base database, lets change alter it and writes it back.
func (s *Service) changeBaseDatabase(ctx context.Context, p authz.Principal, code string, ifMatch int64, verb string, change func(*db.Tx, *BaseDatabase) error) (BaseDatabase, error) {
	if _, err := s.enforcer.Check(ctx, p, authz.BaseDatabaseRegister, authz.Target{Kind: "base_database", ID: code}); err != nil {
		return BaseDatabase{}, err
	}
	var b BaseDatabase
	err := s.db.InTx(ctx, func(tx *db.Tx) (err error) {
		if b, err = loadBaseDatabase(ctx, tx, code, "FOR UPDATE"); err != nil {
			return err
		}
		if err := db.Matches(ifMatch, b.RowVersion); err != nil {
			return err
		}
		if err := change(tx, &b); err != nil {
			return err
		}
		b.RowVersion++
		_, err = tx.Exec(ctx, `
			UPDATE base_database SET lead_dept_id = $2, resource_id = $3, source_id = $4, key_item = $5, registered_by = $6,
				registered_at = $7, row_version = $8 WHERE code = $1`,
			code, optional(b.LeadDeptID), optional(b.ResourceID), optional(b.SourceID), b.KeyItem, optional(b.RegisteredBy),
			b.RegisteredAt, b.RowVersion)
		if err != nil {
			return leadFault(err)
		}
		return record(ctx, tx, p, "base_database."+verb, "base_database", code, map[string]any{
			"lead_dept_id": b.LeadDeptID, "key_item": b.KeyItem, "resource_id": b.ResourceID,
		})
	})
	if err != nil {
		return BaseDatabase{}, err
	}
	return b, nil
}

func loadBaseDatabase(ctx context.Context, q Querier, code, lock string) (BaseDatabase, error) {
	return one(ctx, q, baseDatabaseRow.baseDatabase, notFound("base database"), "SELECT * FROM base_database WHERE code = $1 "+lock, code)
}

func checkRegistration(r Registration) []fault.Field {
	var wrong []fault.Field
	if r.LeadDeptID == uuid.Nil {
		wrong = append(wrong, fault.Field{Name: "lead_dept_id", Code: "required", Message: "name the lead department"})
	}
	if !identifierPattern.MatchString(r.KeyItem) {
		wrong = append(wrong, fault.Field{Name: "key_item", Code: "bad_form", Message: "give the identifier of the key item"})
	}
	return wrong
}

func leadFault(err error) error {
	if db.IsForeignKey(err, "base_database_lead_dept_id_fkey") {
		return fault.InvalidFields([]fault.Field{{Name: "lead_dept_id", Code: "unknown", Message: "there is no such department"}})
	}
	return err
}
