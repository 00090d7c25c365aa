package identity

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/audit"
	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
	"github.com/shuqiao/shuqiao/internal/secret"
)

// SetupRequest is what an empty hub starts with: the sharing authority, the three administrators (三员), who are three
// persons, and its platform_operator where one is known already. Everybody else is created by them.
type SetupRequest struct {
	Authority        Authority `json:"authority"`
	SystemAdmin      Account   `json:"system_admin"`
	SecurityAdmin    Account   `json:"security_admin"`
	Auditor          Account   `json:"auditor"`
	PlatformOperator Account   `json:"platform_operator,omitzero"` // Zero for none.
}

// Authority is the department that acts as the sharing authority (数据主管部门).
type Authority struct {
	USCC         string `json:"uscc"`
	Name         string `json:"name"`
	NameEN       string `json:"name_en,omitempty"`
	DivisionCode string `json:"division_code"`
	Level        string `json:"level,omitempty"` // national, province, city, county, township.
}

// Account is one of the first users.
type Account struct {
	Username    string        `json:"username"`
	DisplayName string        `json:"display_name"`
	Password    secret.Secret `json:"password"`
	Temporary   bool          `json:"-"` // The first sign-in demands another password.
}

// SetupResult is what Setup created. PlatformOperator is zero where none was asked for.
type SetupResult struct {
	Authority        uuid.UUID `json:"authority_id"`
	SystemAdmin      User      `json:"system_admin"`
	SecurityAdmin    User      `json:"security_admin"`
	Auditor          User      `json:"auditor"`
	PlatformOperator User      `json:"platform_operator,omitzero"`
}

// SetupLinkLife is how long the token of a setup link is valid.
const SetupLinkLife = 24 * time.Hour

// setupTokenStart is how the tokens of setup links start.
const setupTokenStart = "sqi_"

// NeedsSetup reports whether the hub has no users yet. A hub that was set up stays so, and is not asked again.
func (s *Service) NeedsSetup(ctx context.Context) (bool, error) {
	if s.settled.Load() {
		return false, nil
	}
	var empty bool
	if err := s.db.Pool.QueryRow(ctx, "SELECT NOT EXISTS (SELECT FROM hub_user)").Scan(&empty); err != nil {
		return false, fmt.Errorf("reading users: %w", err)
	}
	if !empty {
		s.settled.Store(true)
	}
	return empty, nil
}

// NewSetupToken returns the token of a setup link, valid for SetupLinkLife and once, or "" on a hub that has users. Tokens
// made before are void: the newest link is the one that counts.
func (s *Service) NewSetupToken(ctx context.Context) (string, error) {
	token, hash := secret.NewToken(setupTokenStart)
	tag, err := s.db.Pool.Exec(ctx, `
		INSERT INTO setup_token (hash, expires_at)
		SELECT $1, clock_timestamp() + make_interval(secs => $2) WHERE NOT EXISTS (SELECT FROM hub_user)
		ON CONFLICT (singleton) DO UPDATE SET hash = excluded.hash, expires_at = excluded.expires_at`, hash, SetupLinkLife.Seconds())
	if err != nil {
		return "", fmt.Errorf("storing the setup token: %w", err)
	}
	if tag.RowsAffected() == 0 {
		return "", nil
	}
	return token, nil
}

// CheckSetupToken returns nil for the token of the setup link in force, a Conflict "already_set_up" on a hub that has
// users, and else a Forbidden fault "setup_link_invalid".
func (s *Service) CheckSetupToken(ctx context.Context, token string) error {
	needed, err := s.NeedsSetup(ctx)
	switch {
	case err != nil:
		return err
	case !needed:
		return alreadySetUp()
	}
	// In one snapshot: whoever sets the hub up meanwhile uses the token up, too.
	var valid, empty bool
	err = s.db.Pool.QueryRow(ctx, `
		SELECT EXISTS (SELECT FROM setup_token WHERE hash = $1 AND expires_at > clock_timestamp()), NOT EXISTS (SELECT FROM hub_user)`,
		secret.HashToken(token)).Scan(&valid, &empty)
	switch {
	case err != nil:
		return fmt.Errorf("reading the setup token: %w", err)
	case !empty:
		return alreadySetUp()
	case !valid:
		return setupLinkInvalid()
	}
	return nil
}

func alreadySetUp() error {
	return fault.New(fault.Conflict, "already_set_up", "this hub has users already; sign in as one of its administrators")
}

func setupLinkInvalid() error {
	return fault.New(fault.Forbidden, "setup_link_invalid",
		"this setup link is wrong, void or older than 24 hours; each start of the hub prints a new one, and the newest counts")
}

// CheckPassword returns what is wrong with a password of the account with this user name ("" when it has none yet), as fields
// called path; nil for one that may be used.
func CheckPassword(path, username string, password secret.Secret) []fault.Field {
	return PasswordPolicy{}.fields(path, username, "", password)
}

// Setup creates the first department and users in one transaction, for somebody who has the hub's database in hand. It asks
// no enforcer, since nobody exists who could be asked for: that is why it works on a hub without users only, and is a
// Conflict "already_set_up" on any other. An Invalid fault names every wrong field by its JSON path.
func (s *Service) Setup(ctx context.Context, r SetupRequest) (SetupResult, error) {
	return s.setUp(ctx, r, func(tx *db.Tx) error {
		if _, err := tx.Exec(ctx, "DELETE FROM setup_token"); err != nil {
			return fmt.Errorf("voiding the setup token: %w", err)
		}
		return nil
	})
}

// SetupByToken is Setup for whoever holds the token of the setup link in force, which it uses up: any other token is a
// Forbidden fault "setup_link_invalid". Of two at once one wins, and the other is "already_set_up".
func (s *Service) SetupByToken(ctx context.Context, token string, r SetupRequest) (SetupResult, error) {
	// First of all, so that strangers neither learn what is asked nor make the hub hash passwords.
	if err := s.CheckSetupToken(ctx, token); err != nil {
		return SetupResult{}, err
	}
	return s.setUp(ctx, r, func(tx *db.Tx) error {
		tag, err := tx.Exec(ctx, "DELETE FROM setup_token WHERE hash = $1 AND expires_at > clock_timestamp()", secret.HashToken(token))
		switch {
		case err != nil:
			return fmt.Errorf("using the setup token up: %w", err)
		case tag.RowsAffected() == 0:
			return setupLinkInvalid()
		}
		return nil
	})
}

// firstAccount is one account that a setup makes.
type firstAccount struct {
	path string // Of its fields, with a dot at the end.
	Account
	role authz.Role
	user *User
}

// samePerson names the accounts whose user name another one has: separated powers are three persons.
func samePerson(accounts []firstAccount) []fault.Field {
	var wrong []fault.Field
	seen := map[string]bool{}
	for _, a := range accounts {
		if a.Username != "" && seen[a.Username] {
			wrong = append(wrong, fault.Field{
				Name: a.path + "username", Code: "same_person", Message: "give each of them a user name of their own: these roles exclude each other",
			})
		}
		seen[a.Username] = true
	}
	return wrong
}

// setUp does what all ways to set up share; admit is asked within the transaction, when it is certain that the hub is empty.
func (s *Service) setUp(ctx context.Context, r SetupRequest, admit func(tx *db.Tx) error) (SetupResult, error) {
	var out SetupResult
	accounts := []firstAccount{
		{"system_admin.", r.SystemAdmin, authz.SystemAdmin, &out.SystemAdmin},
		{"security_admin.", r.SecurityAdmin, authz.SecurityAdmin, &out.SecurityAdmin},
		{"auditor.", r.Auditor, authz.Auditor, &out.Auditor},
	}
	if r.PlatformOperator != (Account{}) {
		accounts = append(accounts, firstAccount{"platform_operator.", r.PlatformOperator, authz.PlatformOperator, &out.PlatformOperator})
	}
	out.Authority = db.NewID()
	var wrong []fault.Field
	if s.opt.CheckAuthority != nil {
		for _, f := range s.opt.CheckAuthority(&r.Authority) {
			f.Name = "authority." + f.Name
			wrong = append(wrong, f)
		}
	} else {
		wrong = r.Authority.missing()
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
	wrong = append(wrong, samePerson(accounts)...)
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
			return alreadySetUp()
		}
		if err := admit(tx); err != nil {
			return err
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
	s.settled.Store(true)
	return out, nil
}

// missing names what every authority must have, whoever checks the form of its codes.
func (r Authority) missing() []fault.Field {
	var wrong []fault.Field
	if strings.TrimSpace(r.Name) == "" {
		wrong = append(wrong, fault.Field{Name: "authority.name", Code: "required", Message: "name the sharing authority"})
	}
	if r.USCC == "" {
		wrong = append(wrong, fault.Field{Name: "authority.uscc", Code: "required", Message: "give its unified social credit code"})
	}
	if r.DivisionCode == "" {
		wrong = append(wrong, fault.Field{Name: "authority.division_code", Code: "required", Message: "give its division code"})
	}
	switch r.Level {
	case "national", "province", "city", "county", "township":
	default:
		wrong = append(wrong, fault.Field{Name: "authority.level", Code: "unknown", Message: "use national, province, city, county or township"})
	}
	return wrong
}
