package identity

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/audit"
	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
	"github.com/shuqiao/shuqiao/internal/secret"
)

// State says whether an account or a client may be used.
type State string

// The states of users and clients.
const (
	Active   State = "active"   // Moves to Disabled by disable.
	Disabled State = "disabled" // Moves to Active by enable.
)

// User is a person's account.
type User struct {
	ID           uuid.UUID    `json:"id"`
	Username     string       `json:"username"` // a-z, then a-z, 0-9, '_', '.', '-'; 2 to 64 characters.
	DisplayName  string       `json:"display_name"`
	DepartmentID uuid.UUID    `json:"department_id"`
	Roles        []authz.Role `json:"roles"` // In the order of authz.Roles; empty for an account without rights.
	State        State        `json:"state"`
	LockedUntil  *time.Time   `json:"locked_until,omitempty"`
	LastSignInAt *time.Time   `json:"last_sign_in_at,omitempty"` // nil for an account that was never used.
	SecondFactor bool         `json:"second_factor"`             // Whether one is set up.
	MustChange   bool         `json:"must_change_password"`      // The password was set by somebody else.
	Language     Language     `json:"language"`                  // Of the console; "" until the person has chosen one.
	RowVersion   int64        `json:"row_version"`
	CreatedAt    time.Time    `json:"created_at"`
	UpdatedAt    time.Time    `json:"updated_at"`
}

// NewUser is an account to create.
type NewUser struct {
	Username     string
	DisplayName  string
	Password     secret.Secret
	DepartmentID uuid.UUID
	Roles        []authz.Role
	KeepPassword bool // The password is the person's own; otherwise the first sign-in demands another.
}

// UserFilter narrows Users. A nil field does not narrow.
type UserFilter struct {
	Department *uuid.UUID
	Role       *authz.Role
	State      *State
	Text       string        // Part of the user name or the name; "" does not narrow.
	DormantFor time.Duration // Only accounts without a sign-in for so long; 0 does not narrow.
	Page       db.Page
}

var usernameForm = regexp.MustCompile(`^[a-z][a-z0-9_.-]{1,63}$`)

// roleFields returns what is wrong with a set of roles.
func roleFields(path string, roles []authz.Role) []fault.Field {
	for _, r := range roles {
		if !slices.Contains(authz.UserRoles(), r) {
			return []fault.Field{{Name: path, Code: "unknown", Message: fmt.Sprintf("use roles of people: %v", authz.UserRoles())}}
		}
	}
	if len(roles) > 1 && slices.ContainsFunc(roles, authz.Role.Exclusive) {
		return []fault.Field{{
			Name: path, Code: "exclusive",
			Message: "system_admin, security_admin and auditor exclude each other and every other role",
		}}
	}
	return nil
}

// ordered returns the roles once each, in the order of authz.Roles.
func ordered(roles []authz.Role) []authz.Role {
	out := []authz.Role{}
	for _, r := range authz.Roles() {
		if slices.Contains(roles, r) {
			out = append(out, r)
		}
	}
	return out
}

func (n NewUser) check(path string, policy PasswordPolicy) []fault.Field {
	var wrong []fault.Field
	if !usernameForm.MatchString(n.Username) {
		wrong = append(wrong, fault.Field{
			Name: path + "username", Code: "invalid",
			Message: "use 2 to 64 characters: a letter a-z, then a-z, 0-9, '_', '.' or '-'",
		})
	}
	if name := strings.TrimSpace(n.DisplayName); name == "" || utf8.RuneCountInString(name) > 100 {
		wrong = append(wrong, fault.Field{Name: path + "display_name", Code: "invalid", Message: "give a name of at most 100 characters"})
	}
	if n.DepartmentID == uuid.Nil {
		wrong = append(wrong, fault.Field{Name: path + "department_id", Code: "required", Message: "name the department"})
	}
	wrong = append(wrong, policy.fields(path+"password", n.Username, n.DisplayName, n.Password)...)
	return append(wrong, roleFields(path+"roles", ordered(n.Roles))...)
}

// CreateUser makes an account. It needs user.create, for departmental roles in their own department. An account with roles
// needs user.set_roles besides, which nobody who creates accounts has, but for one case: a dept_admin may create
// dept_operators of its own department. Others create the account without roles, and security_admin assigns them. It returns
// an Invalid fault that names every wrong field, or a Conflict "username_taken".
func (s *Service) CreateUser(ctx context.Context, p authz.Principal, n NewUser) (User, error) {
	target := authz.Target{Kind: "user", Department: n.DepartmentID}
	if _, err := s.enforcer.Check(ctx, p, authz.UserCreate, target); err != nil {
		return User{}, err
	}
	for _, r := range n.Roles {
		if !slices.Contains(authz.UserRoles(), r) {
			return User{}, fault.InvalidFields(roleFields("roles", n.Roles))
		}
	}
	roles := ordered(n.Roles)
	operator := len(roles) == 1 && roles[0] == authz.DeptOperator && p.Has(authz.DeptAdmin) && p.Department == n.DepartmentID
	if len(roles) > 0 && !operator {
		if _, err := s.enforcer.Check(ctx, p, authz.UserSetRoles, target); err != nil {
			return User{}, err
		}
	}
	if err := fault.InvalidFields(n.check("", s.opt.Policy)); err != nil {
		return User{}, err
	}
	hash, err := s.passwords.HashPassword(ctx, n.Password)
	if err != nil {
		return User{}, err
	}
	var u User
	err = s.db.InTx(ctx, func(tx *db.Tx) error {
		u, err = insertUser(ctx, tx, n, hash)
		if err != nil {
			return err
		}
		return record(ctx, tx, p.Actor(), authz.UserCreate, authz.KindUser, u.ID.String(),
			map[string]any{"department": u.DepartmentID, "roles": u.Roles})
	})
	return u, err
}

func insertUser(ctx context.Context, tx *db.Tx, n NewUser, hash string) (User, error) {
	roles := ordered(n.Roles)
	if err := seatOf(ctx, tx, n.DepartmentID, roles); err != nil {
		return User{}, err
	}
	u, err := one[User](ctx, tx, `
		INSERT INTO hub_user (id, username, display_name, password_hash, department_id, roles, state, created_at, updated_at,
			password_set_at, password_temporary)
		VALUES ($1, $2, $3, $4, $5, $6, 'active', $7, $7, $7, $8)
		RETURNING `+userColumns, db.NewID(), n.Username, strings.TrimSpace(n.DisplayName), hash, n.DepartmentID, roles, tx.Now(), !n.KeepPassword)
	switch {
	case db.IsUnique(err, "hub_user_username_key"):
		return User{}, fault.New(fault.Conflict, "username_taken", "this user name is taken; choose another")
	case err != nil:
		return User{}, fmt.Errorf("inserting user: %w", err)
	}
	return u, nil
}

// seatOf checks that the department exists and may have people with these roles: platform_operator acts for the sharing
// authority and so belongs to it.
func seatOf(ctx context.Context, tx *db.Tx, department uuid.UUID, roles []authz.Role) error {
	var authority bool
	err := tx.QueryRow(ctx, "SELECT authority FROM department WHERE id = $1 FOR KEY SHARE", department).Scan(&authority)
	switch {
	case db.NoRows(err):
		return fault.InvalidFields([]fault.Field{{Name: "department_id", Code: "unknown", Message: "name a department that exists"}})
	case err != nil:
		return fmt.Errorf("reading department: %w", err)
	case slices.Contains(roles, authz.PlatformOperator) && !authority:
		return fault.InvalidFields([]fault.Field{{
			Name: "roles", Code: "not_authority",
			Message: "platform_operator acts for the sharing authority; give it to people of that department",
		}})
	}
	return nil
}

// User returns one account. It needs user.read for its department; everyone may read their own.
func (s *Service) User(ctx context.Context, p authz.Principal, id uuid.UUID) (User, error) {
	u, err := findUser(ctx, s.db.Pool, id)
	if err != nil || p.Kind == audit.ActorUser && p.ID == id {
		return u, err
	}
	if _, err := s.enforcer.Check(ctx, p, authz.UserRead, userTarget(u)); err != nil {
		return User{}, err
	}
	return u, nil
}

// Users lists accounts by user name, with a cursor for the next page ("" after the last). It needs user.read; departmental
// roles see their own department only.
func (s *Service) Users(ctx context.Context, p authz.Principal, f UserFilter) ([]User, string, error) {
	department, err := s.narrow(ctx, p, authz.UserRead, "user", f.Department)
	if err != nil {
		return nil, "", err
	}
	var after string
	if _, err := f.Page.After(&after); err != nil {
		return nil, "", err
	}
	users, err := many[User](ctx, s.db.Pool, `
		SELECT `+userColumns+` FROM hub_user
		WHERE username > $1 AND ($2::uuid IS NULL OR department_id = $2) AND ($3::text IS NULL OR $3 = ANY(roles))
			AND ($4::text IS NULL OR state = $4)
			AND ($6::interval = '0' OR coalesce(last_sign_in_at, created_at) < clock_timestamp() - $6::interval)
			AND ($7 = '%%' OR username ILIKE $7 OR display_name ILIKE $7)
		ORDER BY username LIMIT $5`, after, department, f.Role, f.State, f.Page.Size()+1, f.DormantFor, db.Containing(f.Text))
	if err != nil {
		return nil, "", fmt.Errorf("listing users: %w", err)
	}
	users, next := db.Cut(users, f.Page, func(u User) string { return db.Next(u.Username) })
	return users, next, nil
}

// EnableUser opens a disabled account again and forgets its failed sign-ins. It needs user.disable for its department.
func (s *Service) EnableUser(ctx context.Context, p authz.Principal, id uuid.UUID, ifMatch int64) (User, error) {
	return s.changeUser(ctx, p, authz.UserDisable, id, ifMatch, func(tx *db.Tx, u User) (map[string]any, error) {
		if err := move(ctx, tx, "hub_user", u.ID, Disabled, Active); err != nil {
			return nil, err
		}
		_, err := tx.Exec(ctx, "UPDATE hub_user SET failed = 0, locked_until = NULL WHERE id = $1", u.ID)
		return map[string]any{"state": Active}, err
	})
}

// SetRoles gives an account exactly these roles. It needs user.set_roles, and nobody sets their own. Roles that exclude each
// other are an Invalid fault; taking an administrator role from its last active holder is a Conflict "last_administrator".
func (s *Service) SetRoles(ctx context.Context, p authz.Principal, id uuid.UUID, ifMatch int64, roles []authz.Role) (User, error) {
	return s.changeUser(ctx, p, authz.UserSetRoles, id, ifMatch, func(tx *db.Tx, u User) (map[string]any, error) {
		if p.ID == id {
			return nil, fault.New(fault.Forbidden, "own_account", "nobody sets their own roles; ask another security administrator")
		}
		if err := fault.InvalidFields(roleFields("roles", roles)); err != nil {
			return nil, err
		}
		to := ordered(roles)
		if err := seatOf(ctx, tx, u.DepartmentID, to); err != nil {
			return nil, err
		}
		if err := notLast(ctx, tx, u, to); err != nil {
			return nil, err
		}
		if slices.ContainsFunc(to, authz.Role.Exclusive) {
			// The administrators' roles are never lent and never join others.
			if err := endDeputies(ctx, tx, u.ID); err != nil {
				return nil, err
			}
		}
		_, err := tx.Exec(ctx, "UPDATE hub_user SET roles = $2 WHERE id = $1", u.ID, to)
		return map[string]any{"from": u.Roles, "to": to}, err
	})
}

// changeUser runs one change of an account: the right, what has to be prepared, the version, the change, the new version, the
// record.
func (s *Service) changeUser(ctx context.Context, p authz.Principal, a authz.Action, id uuid.UUID, ifMatch int64,
	change func(tx *db.Tx, u User) (map[string]any, error), prepare ...func(u User) error,
) (User, error) {
	// The department of an account never changes, so the right can be checked before the row is locked.
	seen, err := findUser(ctx, s.db.Pool, id)
	if err != nil {
		return User{}, err
	}
	if _, err := s.enforcer.Check(ctx, p, a, userTarget(seen)); err != nil {
		return User{}, err
	}
	for _, f := range prepare {
		if err := f(seen); err != nil {
			return User{}, err
		}
	}
	var u User
	err = s.db.InTx(ctx, func(tx *db.Tx) error {
		// All changes of accounts queue here, so that two of them cannot each spare the other's last administrator.
		if _, err := tx.Exec(ctx, "LOCK TABLE hub_user IN SHARE ROW EXCLUSIVE MODE"); err != nil {
			return fmt.Errorf("locking users: %w", err)
		}
		before, err := findUser(ctx, tx, id)
		if err != nil {
			return err
		}
		if err := db.Matches(ifMatch, before.RowVersion); err != nil {
			return err
		}
		detail, err := change(tx, before)
		if err != nil {
			return err
		}
		u, err = one[User](ctx, tx, `
			UPDATE hub_user SET row_version = row_version + 1, updated_at = $2 WHERE id = $1 RETURNING `+userColumns, id, tx.Now())
		if err != nil {
			return fmt.Errorf("changing user: %w", err)
		}
		if err := noteDeputies(ctx, tx, id); err != nil {
			return err
		}
		return record(ctx, tx, p.Actor(), a, authz.KindUser, id.String(), detail)
	})
	return u, err
}

// notLast refuses to take an administrator role from its last active holder: nobody could give it back.
func notLast(ctx context.Context, tx *db.Tx, u User, to []authz.Role) error {
	for _, r := range u.Roles {
		if !r.Exclusive() || slices.Contains(to, r) || u.State != Active {
			continue
		}
		var others bool
		err := tx.QueryRow(ctx, "SELECT EXISTS (SELECT FROM hub_user WHERE id <> $1 AND state = 'active' AND $2 = ANY(roles))",
			u.ID, string(r)).Scan(&others)
		if err != nil {
			return fmt.Errorf("reading users: %w", err)
		}
		if !others {
			return fault.New(fault.Conflict, "last_administrator", "this is the last active %s; appoint another first", r)
		}
	}
	return nil
}

func userTarget(u User) authz.Target {
	return authz.Target{Kind: "user", ID: u.ID.String(), Department: u.DepartmentID}
}
