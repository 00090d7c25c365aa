package identity

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// Handed is one thing that a leaver had in hand.
type Handed struct {
	Kind  string     `json:"kind"` // Such as request or resource.
	ID    uuid.UUID  `json:"id"`
	Title string     `json:"title"`
	To    *uuid.UUID `json:"to,omitempty"` // nil where it went back to the department.
}

// Successor passes on what a leaver has in hand, in the transaction that closes the account: to a person of the same
// department, or to the department where to is uuid.Nil. by is who closes it. It returns each thing passed on.
type Successor func(ctx context.Context, tx *db.Tx, by authz.Principal, leaver, to uuid.UUID) ([]Handed, error)

// OnLeave registers who passes on one kind of things. It must be called before the first account is closed.
func (s *Service) OnLeave(f Successor) { s.leaving = append(s.leaving, f) }

// Leaver is a closed account and what became of the person's open work.
type Leaver struct {
	User
	SessionsEnded int      `json:"sessions_ended"`
	HandedOver    []Handed `json:"handed_over"`
}

// DisableUser closes an account without naming who goes on with its work; see Leave.
func (s *Service) DisableUser(ctx context.Context, p authz.Principal, id uuid.UUID, ifMatch int64) (User, error) {
	l, err := s.Leave(ctx, p, id, ifMatch, uuid.Nil)
	return l.User, err
}

// Leave closes an account: its sessions end, nobody is its deputy or has it as deputy any more, and its open work goes to
// the active person "to" of the same department, or to the department where that is uuid.Nil. The account is never deleted: its
// name stays where the person acted. It needs user.disable for its department. The last active holder of an administrator
// role cannot leave (Conflict "last_administrator"), and nobody closes their own account ("own_account").
func (s *Service) Leave(ctx context.Context, p authz.Principal, id uuid.UUID, ifMatch int64, to uuid.UUID) (Leaver, error) {
	if p.ID == id {
		return Leaver{}, fault.New(fault.Conflict, "own_account", "you cannot disable your own account; ask another administrator")
	}
	out := Leaver{HandedOver: []Handed{}}
	u, err := s.changeUser(ctx, p, authz.UserDisable, id, ifMatch, func(tx *db.Tx, u User) (map[string]any, error) {
		if err := notLast(ctx, tx, u, nil); err != nil {
			return nil, err
		}
		if err := successorOf(ctx, tx, u, to); err != nil {
			return nil, err
		}
		if err := move(ctx, tx, "hub_user", u.ID, Active, Disabled); err != nil {
			return nil, err
		}
		if err := endDeputies(ctx, tx, u.ID); err != nil {
			return nil, err
		}
		var err error
		if out.SessionsEnded, err = endSessions(ctx, tx, u.ID, uuid.Nil); err != nil {
			return nil, err
		}
		out.HandedOver = out.HandedOver[:0]
		for _, pass := range s.leaving {
			handed, err := pass(ctx, tx, p, u.ID, to)
			if err != nil {
				return nil, err
			}
			out.HandedOver = append(out.HandedOver, handed...)
		}
		if err := keepHandover(ctx, tx, p, u.ID, out.HandedOver); err != nil {
			return nil, err
		}
		return map[string]any{"state": Disabled, "sessions_ended": out.SessionsEnded, "handed_over": len(out.HandedOver), "to": optional(to)}, nil
	})
	out.User = u
	return out, err
}

// successorOf checks that a person may go on with another's work.
func successorOf(ctx context.Context, tx *db.Tx, leaver User, to uuid.UUID) error {
	if to == uuid.Nil {
		return nil
	}
	next, err := findUser(ctx, tx, to)
	if err != nil && !fault.Is(err, fault.NotFound) {
		return err
	}
	if err != nil || next.State != Active || next.ID == leaver.ID || next.DepartmentID != leaver.DepartmentID {
		return fault.InvalidFields([]fault.Field{{
			Name: "hand_over_to", Code: "unknown", Message: "name an active person of the same department, or nobody for the department itself",
		}})
	}
	return nil
}

func keepHandover(ctx context.Context, tx *db.Tx, p authz.Principal, leaver uuid.UUID, handed []Handed) error {
	for _, h := range handed {
		_, err := tx.Exec(ctx, `
			INSERT INTO handover (id, from_user, to_user, object_kind, object_id, title, by_user, at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
			db.NewID(), leaver, h.To, h.Kind, h.ID, h.Title, p.ID, tx.Now())
		if err != nil {
			return fmt.Errorf("keeping what was handed over: %w", err)
		}
	}
	return nil
}

// HandedOver lists what a person had in hand when their account was closed, the newest first. It needs user.read for their
// department.
func (s *Service) HandedOver(ctx context.Context, p authz.Principal, id uuid.UUID) ([]Handed, error) {
	u, err := findUser(ctx, s.db.Pool, id)
	if err != nil {
		return nil, err
	}
	if _, err := s.enforcer.Check(ctx, p, authz.UserRead, userTarget(u)); err != nil {
		return nil, err
	}
	list, err := many[Handed](ctx, s.db.Pool, "SELECT object_kind, object_id, title, to_user FROM handover WHERE from_user = $1 ORDER BY at DESC, id LIMIT 1000", id)
	if err != nil {
		return nil, fmt.Errorf("listing what was handed over: %w", err)
	}
	return list, nil
}

func optional(id uuid.UUID) *uuid.UUID {
	if id == uuid.Nil {
		return nil
	}
	return &id
}
