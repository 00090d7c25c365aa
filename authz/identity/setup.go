package identity

import (
	"context"
	"fmt"
	"strings"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/audit"
	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
	"github.com/shuqiao/shuqiao/internal/secret"
)

// SetupRequest is what an empty hub starts with: the sharing authority, its platform_operator and the three administrators.
// Everybody else is created by them.
type SetupRequest struct {
	Authority        Authority
	SystemAdmin      Account
	SecurityAdmin    Account
	Auditor          Account
	PlatformOperator Account
}

// Authority is the department that acts as the sharing authority (数据主管部门). Its codes are the caller's to check.
type Authority struct {
	USCC         string
	Name         string
	NameEN       string
	DivisionCode string
	Level        string // national, province, city, county, township.
}

// Account is one of the first users.
type Account struct {
	Username    string
	DisplayName string
	Password    secret.Secret
	Temporary   bool // The first sign-in demands another password.
}

// SetupResult is what Setup created.
type SetupResult struct {
	Authority        uuid.UUID
	SystemAdmin      User
	SecurityAdmin    User
	Auditor          User
	PlatformOperator User
}

// NeedsSetup reports whether the hub has no users yet.
func (s *Service) NeedsSetup(ctx context.Context) (bool, error) {
	var empty bool
	if err := s.db.Pool.QueryRow(ctx, "SELECT NOT EXISTS (SELECT FROM hub_user)").Scan(&empty); err != nil {
		return false, fmt.Errorf("reading users: %w", err)
	}
	return empty, nil
}

// Setup creates the first department and users in one transaction. It asks no enforcer, since nobody exists who could be
// asked for: that is why it works on a hub without users only, and is a Conflict "already_set_up" on any other.
func (s *Service) Setup(ctx context.Context, r SetupRequest) (SetupResult, error) {
	var out SetupResult
	accounts := []struct {
		path string
		Account
		role authz.Role
		user *User
	}{
		{"system_admin.", r.SystemAdmin, authz.SystemAdmin, &out.SystemAdmin},
		{"security_admin.", r.SecurityAdmin, authz.SecurityAdmin, &out.SecurityAdmin},
		{"auditor.", r.Auditor, authz.Auditor, &out.Auditor},
		{"platform_operator.", r.PlatformOperator, authz.PlatformOperator, &out.PlatformOperator},
	}
	out.Authority = db.NewID()
	var wrong []fault.Field
	if strings.TrimSpace(r.Authority.Name) == "" {
		wrong = append(wrong, fault.Field{Name: "authority.name", Code: "required", Message: "name the sharing authority"})
	}
	if r.Authority.USCC == "" {
		wrong = append(wrong, fault.Field{Name: "authority.uscc", Code: "required", Message: "give its unified social credit code"})
	}
	if r.Authority.DivisionCode == "" {
		wrong = append(wrong, fault.Field{Name: "authority.division_code", Code: "required", Message: "give its division code"})
	}
	switch r.Authority.Level {
	case "national", "province", "city", "county", "township":
	default:
		wrong = append(wrong, fault.Field{Name: "authority.level", Code: "unknown", Message: "use national, province, city, county or township"})
	}
	hashes := make([]string, len(accounts))
	news := make([]NewUser, len(accounts))
	for i, a := range accounts {
		news[i] = NewUser{
			Username: a.Username, DisplayName: a.DisplayName, Password: a.Password, DepartmentID: out.Authority,
			Roles: []authz.Role{a.role}, KeepPassword: !a.Temporary,
		}
		wrong = append(wrong, news[i].check(a.path, s.opt.Policy)...)
	}
	if err := fault.InvalidFields(wrong); err != nil {
		return SetupResult{}, err
	}
	for i, n := range news {
		var err error
		if hashes[i], err = s.passwords.HashPassword(ctx, n.Password); err != nil {
			return SetupResult{}, err
		}
	}
	actor := audit.Actor{Kind: audit.ActorSystem, ID: "setup"}
	err := s.db.InTx(ctx, func(tx *db.Tx) error {
		// Two first starts at once: the second waits here and then finds users.
		if _, err := tx.Exec(ctx, "LOCK TABLE hub_user IN SHARE ROW EXCLUSIVE MODE"); err != nil {
			return fmt.Errorf("locking users: %w", err)
		}
		var empty bool
		if err := tx.QueryRow(ctx, "SELECT NOT EXISTS (SELECT FROM hub_user)").Scan(&empty); err != nil {
			return fmt.Errorf("reading users: %w", err)
		}
		if !empty {
			return fault.New(fault.Conflict, "already_set_up", "this hub has users already; sign in as one of its administrators")
		}
		_, err := tx.Exec(ctx, `
			INSERT INTO department (id, uscc, name, name_en, division_code, level, authority, created_at, updated_at)
			VALUES ($1, $2, $3, $4, $5, $6, true, $7, $7)`,
			out.Authority, r.Authority.USCC, strings.TrimSpace(r.Authority.Name), r.Authority.NameEN, r.Authority.DivisionCode,
			r.Authority.Level, tx.Now())
		if err != nil {
			return fmt.Errorf("inserting the sharing authority: %w", err)
		}
		err = record(ctx, tx, actor, authz.DepartmentWrite, authz.KindDepartment, out.Authority.String(), map[string]any{"authority": true})
		if err != nil {
			return err
		}
		for i, a := range accounts {
			u, err := insertUser(ctx, tx, news[i], hashes[i])
			if err != nil {
				return err
			}
			*a.user = u
			err = record(ctx, tx, actor, authz.UserCreate, authz.KindUser, u.ID.String(), map[string]any{"roles": u.Roles})
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return SetupResult{}, err
	}
	return out, nil
}
