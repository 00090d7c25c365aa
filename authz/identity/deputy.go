package identity

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// Deputy is one absence: from StartsAt until EndsAt the deputy does the absent person's part of the department's to-do list
// (authz.Deputable), by the roles that the absent person has at that moment.
type Deputy struct {
	ID        uuid.UUID  `json:"id"`
	AbsentID  uuid.UUID  `json:"absent_id"`
	DeputyID  uuid.UUID  `json:"deputy_id"`
	StartsAt  time.Time  `json:"starts_at"`
	EndsAt    time.Time  `json:"ends_at"`
	CreatedBy uuid.UUID  `json:"created_by"`
	CreatedAt time.Time  `json:"created_at"`
	EndedAt   *time.Time `json:"ended_at,omitempty"` // Set where somebody ended it early.
}

const deputyColumns = "id, absent_id, deputy_id, starts_at, ends_at, created_by, created_at, ended_at"

// The bounds of an absence: a longer one is a change of office, and a person acts for few.
const (
	longestAbsence = 366 * 24 * time.Hour
	mostAbsences   = 20
)

// standIns returns whom a person stands in for now.
func standIns(list []standing, now time.Time) []authz.StandIn {
	var out []authz.StandIn
	for _, a := range list {
		if !now.Before(a.From) && now.Before(a.To) {
			out = append(out, authz.StandIn{User: a.User, Roles: a.Roles})
		}
	}
	return out
}

// SetDeputy names who acts for a person from starts until ends. A person names their own deputy; for others it needs
// user.set_deputy for their department. Both are active people of one department. Neither may hold a role of the three
// administrators, whose separation would end there (Forbidden "deputy_exclusive").
func (s *Service) SetDeputy(ctx context.Context, p authz.Principal, absent, deputy uuid.UUID, starts, ends time.Time) (Deputy, error) {
	u, err := s.mayDepute(ctx, p, absent)
	if err != nil {
		return Deputy{}, err
	}
	d := Deputy{ID: db.NewID(), AbsentID: absent, DeputyID: deputy, StartsAt: starts, EndsAt: ends, CreatedBy: p.ID}
	err = s.db.InTx(ctx, func(tx *db.Tx) error {
		if err := s.checkDeputy(ctx, tx, u, &d); err != nil {
			return err
		}
		d.CreatedAt = tx.Now()
		_, err := tx.Exec(ctx, `
			INSERT INTO deputy (id, absent_id, deputy_id, starts_at, ends_at, created_by, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
			d.ID, d.AbsentID, d.DeputyID, d.StartsAt, d.EndsAt, d.CreatedBy, d.CreatedAt)
		if err != nil {
			return fmt.Errorf("naming a deputy: %w", err)
		}
		return recordDeputy(ctx, tx, p, authz.UserSetDeputy, d)
	})
	if err != nil {
		return Deputy{}, err
	}
	return d, nil
}

// mayDepute returns the absent person when p may name or end a deputy for them.
func (s *Service) mayDepute(ctx context.Context, p authz.Principal, absent uuid.UUID) (User, error) {
	u, err := findUser(ctx, s.db.Pool, absent)
	if err != nil {
		return User{}, err
	}
	if p.ID == absent && p.Limit == "" && s.onlyPeople(p) == nil {
		return u, nil
	}
	_, err = s.enforcer.Check(ctx, p, authz.UserSetDeputy, userTarget(u))
	return u, err
}

func (s *Service) checkDeputy(ctx context.Context, tx *db.Tx, absent User, d *Deputy) error {
	// Accounts stay as they are while they are looked at; a change of roles or a leaver takes the whole table.
	if _, err := tx.Exec(ctx, "SELECT FROM hub_user WHERE id IN ($1, $2) ORDER BY id FOR NO KEY UPDATE", d.AbsentID, d.DeputyID); err != nil {
		return fmt.Errorf("locking users: %w", err)
	}
	absent, err := findUser(ctx, tx, absent.ID)
	if err != nil {
		return err
	}
	deputy, err := findUser(ctx, tx, d.DeputyID)
	if err != nil && !fault.Is(err, fault.NotFound) {
		return err
	}
	var wrong []fault.Field
	if err != nil || deputy.ID == absent.ID || deputy.State != Active || deputy.DepartmentID != absent.DepartmentID || absent.State != Active {
		wrong = append(wrong, fault.Field{Name: "deputy_id", Code: "unknown", Message: "name another active person of the same department"})
	}
	now := tx.Now()
	if d.StartsAt.IsZero() || d.StartsAt.Before(now) {
		d.StartsAt = now
	}
	if !d.EndsAt.After(d.StartsAt) || d.EndsAt.Sub(d.StartsAt) > longestAbsence {
		wrong = append(wrong, fault.Field{Name: "ends_at", Code: "out_of_range", Message: "end it after its start, and within a year"})
	}
	if err := fault.InvalidFields(wrong); err != nil {
		return err
	}
	if slices.ContainsFunc(absent.Roles, authz.Role.Exclusive) || slices.ContainsFunc(deputy.Roles, authz.Role.Exclusive) {
		return fault.New(fault.Forbidden, "deputy_exclusive",
			"system_admin, security_admin and auditor have no deputies and are nobody's: appoint a second administrator instead").At("policy")
	}
	var overlaps bool
	var many int
	err = tx.QueryRow(ctx, `
		SELECT coalesce(bool_or(absent_id = $1 AND starts_at < $4 AND ends_at > $3), false), count(*) FILTER (WHERE deputy_id = $2)
		FROM deputy WHERE (absent_id = $1 OR deputy_id = $2) AND ended_at IS NULL AND ends_at > clock_timestamp()`,
		d.AbsentID, d.DeputyID, d.StartsAt, d.EndsAt).Scan(&overlaps, &many)
	switch {
	case err != nil:
		return fmt.Errorf("reading deputies: %w", err)
	case overlaps:
		return fault.New(fault.Conflict, "deputy_overlaps", "this person has a deputy for a part of that time; end that first")
	case many >= mostAbsences:
		return fault.New(fault.Conflict, "deputy_of_many", "this person stands in for %d others already", mostAbsences)
	}
	return nil
}

// recordDeputy closes a change of deputies: the deputy's rights are decided anew.
func recordDeputy(ctx context.Context, tx *db.Tx, p authz.Principal, a authz.Action, d Deputy) error {
	if err := authz.LogTx(tx, authz.KindUser, d.DeputyID.String()); err != nil {
		return err
	}
	return record(ctx, tx, p.Actor(), a, authz.KindUser, d.AbsentID.String(), map[string]any{
		"deputy": d.DeputyID, "starts_at": d.StartsAt, "ends_at": d.EndsAt,
	})
}

// EndDeputy ends an absence early, as SetDeputy allows it. One that is over is a Conflict "illegal_move".
func (s *Service) EndDeputy(ctx context.Context, p authz.Principal, absent, id uuid.UUID) error {
	if _, err := s.mayDepute(ctx, p, absent); err != nil {
		return err
	}
	return s.db.InTx(ctx, func(tx *db.Tx) error {
		d, err := one[Deputy](ctx, tx, "SELECT "+deputyColumns+" FROM deputy WHERE id = $1 AND absent_id = $2 FOR UPDATE", id, absent)
		switch {
		case db.NoRows(err):
			return unknown("deputy")
		case err != nil:
			return fmt.Errorf("reading a deputy: %w", err)
		case d.EndedAt != nil || !d.EndsAt.After(tx.Now()):
			return fault.New(fault.Conflict, "illegal_move", "this absence is over already")
		}
		if _, err := tx.Exec(ctx, "UPDATE deputy SET ended_at = $2 WHERE id = $1", id, tx.Now()); err != nil {
			return fmt.Errorf("ending a deputy: %w", err)
		}
		return recordDeputy(ctx, tx, p, "user.end_deputy", d)
	})
}

// Deputies lists the absences in which a person is absent or acts for another, the newest first, those over included. Everyone
// reads their own; for others it needs user.read for their department.
func (s *Service) Deputies(ctx context.Context, p authz.Principal, user uuid.UUID) ([]Deputy, error) {
	if _, err := s.User(ctx, p, user); err != nil {
		return nil, err
	}
	list, err := many[Deputy](ctx, s.db.Pool, "SELECT "+deputyColumns+` FROM deputy WHERE absent_id = $1 OR deputy_id = $1
		ORDER BY starts_at DESC, id LIMIT 200`, user)
	if err != nil {
		return nil, fmt.Errorf("listing deputies: %w", err)
	}
	return list, nil
}

// Colleague is a person of one's own department, as everybody there may know them.
type Colleague struct {
	ID          uuid.UUID `json:"id"`
	Username    string    `json:"username"`
	DisplayName string    `json:"display_name"`
}

// Colleagues lists the active people of the department of the person who asks, that person included, by name.
func (s *Service) Colleagues(ctx context.Context, p authz.Principal) ([]Colleague, error) {
	if err := s.onlyPeople(p); err != nil {
		return nil, err
	}
	if p.Limit != "" {
		return nil, p.Limit.Fault()
	}
	list, err := many[Colleague](ctx, s.db.Pool, `
		SELECT id, username, display_name FROM hub_user WHERE department_id = $1 AND state = 'active' ORDER BY display_name, id LIMIT 1000`,
		p.Department)
	if err != nil {
		return nil, fmt.Errorf("listing colleagues: %w", err)
	}
	return list, nil
}

// endDeputies ends every absence that a person takes part in, on either side.
func endDeputies(ctx context.Context, tx *db.Tx, user uuid.UUID) error {
	if err := noteDeputies(ctx, tx, user); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, `
		UPDATE deputy SET ended_at = $2 WHERE (absent_id = $1 OR deputy_id = $1) AND ended_at IS NULL AND ends_at > clock_timestamp()`,
		user, tx.Now())
	if err != nil {
		return fmt.Errorf("ending deputies: %w", err)
	}
	return nil
}

// noteDeputies has the rights of a person's deputies decided anew, since they follow from the person's.
func noteDeputies(ctx context.Context, tx *db.Tx, absent uuid.UUID) error {
	type deputy struct{ ID uuid.UUID }
	list, err := many[deputy](ctx, tx, "SELECT DISTINCT deputy_id FROM deputy WHERE absent_id = $1 AND ended_at IS NULL AND ends_at > clock_timestamp()", absent)
	if err != nil {
		return fmt.Errorf("reading deputies: %w", err)
	}
	for _, d := range list {
		if err := authz.LogTx(tx, authz.KindUser, d.ID.String()); err != nil {
			return err
		}
	}
	return nil
}
