package sharing

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// Filing is the record that a provider needs to end a running service (Order 809, Art 27): the negotiation with the
// consumer, and the filing with the authority (备案).
type Filing struct {
	Negotiation string `json:"negotiation"` // What was negotiated, with whom and when.
	FilingNo    string `json:"filing_no"`   // Number of the filing with the authority.
	Date        string `json:"date"`        // Of the filing, YYYY-MM-DD.
}

// GrantEntry is one line of a grant's history.
type GrantEntry struct {
	Step      GrantStep       `json:"step"`
	From      GrantState      `json:"from"`
	To        GrantState      `json:"to"`
	ActorID   *uuid.UUID      `json:"actor_id,omitempty"` // nil for the hub.
	ActorDept *uuid.UUID      `json:"actor_dept,omitempty"`
	Side      Side            `json:"side"`
	Reason    string          `json:"reason"`
	Document  json.RawMessage `json:"document,omitempty"`
	At        time.Time       `json:"at"`
	ActorName string          `json:"actor_name"` // "" for the hub.
}

// SuspendGrant stops a grant at once, by the provider or the authority (Order 809, Art 27): within a second of the commit
// every node refuses, also in the middle of a stream.
func (s *Service) SuspendGrant(ctx context.Context, p authz.Principal, id uuid.UUID, ifMatch int64, reason string) (Grant, error) {
	return s.moveGrant(ctx, p, id, ifMatch, GrantSuspend, reason, nil)
}

// ResumeGrant lets a suspended grant be used again. What the authority suspended only the authority resumes; for the
// provider this is the Forbidden fault "suspended_by_authority".
func (s *Service) ResumeGrant(ctx context.Context, p authz.Principal, id uuid.UUID, ifMatch int64, reason string) (Grant, error) {
	return s.moveGrant(ctx, p, id, ifMatch, GrantResume, reason, nil)
}

// TerminateGrant ends a grant for good. The provider must record negotiation and filing; the authority, which may end a
// misused service, need not.
func (s *Service) TerminateGrant(ctx context.Context, p authz.Principal, id uuid.UUID, ifMatch int64, reason string, filing Filing) (Grant, error) {
	return s.moveGrant(ctx, p, id, ifMatch, GrantTerminate, reason, &filing)
}

func (s *Service) moveGrant(ctx context.Context, p authz.Principal, id uuid.UUID, ifMatch int64, step GrantStep, reason string, filing *Filing) (Grant, error) {
	g, err := s.GetGrant(ctx, p, id)
	if err != nil {
		return Grant{}, err
	}
	var action authz.Action
	for _, m := range grantMoves {
		if m.Step == step {
			action = m.Who
		}
	}
	target := authz.Target{Kind: "grant", ID: id.String(), Department: g.ProviderDeptID, ShareType: string(g.ShareType), Grade: string(g.Grade)}
	if _, err := s.enforcer.Check(ctx, p, action, target); err != nil {
		return Grant{}, err
	}
	side := s.sideOf(p, action, target)
	err = s.db.InTx(ctx, func(tx *db.Tx) (err error) {
		if g, err = loadGrant(ctx, tx, id, "FOR UPDATE"); err != nil {
			return err
		}
		if err := db.Matches(ifMatch, g.RowVersion); err != nil {
			return err
		}
		m, err := findGrantMove(g.State, step)
		if err != nil {
			return err
		}
		if err := checkFiling(m, side, reason, filing); err != nil {
			return err
		}
		if step == GrantResume {
			if err := resumable(ctx, tx, g, side); err != nil {
				return err
			}
		}
		return s.shiftGrant(ctx, tx, p, &g, m, side, reason, filing)
	})
	if err != nil {
		return Grant{}, err
	}
	return g, nil
}

// sideOf says for whom p acts on a grant: who holds the right on objects of every department acts for the authority.
func (s *Service) sideOf(p authz.Principal, action authz.Action, target authz.Target) Side {
	if target.Department = uuid.Nil; s.enforcer.Allowed(p, action, target) {
		return AuthoritySide
	}
	return ProviderSide
}

func checkFiling(m GrantMove, side Side, reason string, filing *Filing) error {
	var f findings
	f.text("reason", reason, m.Reason)
	if filing != nil {
		f.text("filing.negotiation", filing.Negotiation, side == ProviderSide)
		f.text("filing.filing_no", filing.FilingNo, side == ProviderSide)
		if _, err := time.Parse(time.DateOnly, filing.Date); err != nil && (side == ProviderSide || filing.Date != "") {
			f.add("filing.date", "malformed", "write the date of the filing as YYYY-MM-DD")
		}
	}
	return f.fault()
}

// resumable refuses to resume what has ended, or what the authority suspended, to the provider.
func resumable(ctx context.Context, tx *db.Tx, g Grant, side Side) error {
	if !g.ValidTo.After(tx.Now()) {
		return fault.New(fault.Conflict, "grant_expired", "the period of the grant is over; have it renewed")
	}
	if side == AuthoritySide {
		return nil
	}
	var by string
	err := tx.QueryRow(ctx, `
		SELECT coalesce((SELECT side FROM grant_step WHERE grant_id = $1 AND action = 'suspend' ORDER BY at DESC, id DESC LIMIT 1), '')`,
		g.ID).Scan(&by)
	if err != nil {
		return fmt.Errorf("reading who suspended a grant: %w", err)
	}
	if by == string(AuthoritySide) {
		return fault.New(fault.Forbidden, "suspended_by_authority", "the authority suspended this grant; only the authority resumes it").At("policy")
	}
	return nil
}

// shiftGrant writes one move of a grant with its history, event and policy entry.
func (s *Service) shiftGrant(ctx context.Context, tx *db.Tx, p authz.Principal, g *Grant, m GrantMove, side Side, reason string, filing *Filing) error {
	version := g.RowVersion
	g.State, g.StateReason, g.RowVersion, g.UpdatedAt = m.To, reason, g.RowVersion+1, tx.Now()
	tag, err := tx.Exec(ctx, `
		UPDATE sharing_grant SET state = $4, state_reason = $5, row_version = $6, updated_at = $7
		WHERE id = $1 AND state = $2 AND row_version = $3`,
		g.ID, string(m.From), version, string(m.To), reason, g.RowVersion, g.UpdatedAt)
	if err != nil {
		return fmt.Errorf("moving a grant: %w", err)
	}
	if err := one(tag.RowsAffected()); err != nil {
		return err
	}
	if g.SuspendedBy = ""; m.Step == GrantSuspend {
		g.SuspendedBy = suspendedFrom(side)
	}
	detail := map[string]any{"from": m.From, "to": m.To, "side": side}
	if reason != "" {
		detail["reason"] = reason
	}
	if filing != nil {
		detail["filing_no"], detail["filing_date"] = filing.FilingNo, filing.Date
	}
	return s.noteGrant(ctx, tx, p, *g, m, side, reason, filing, detail)
}

func (s *Service) noteGrant(ctx context.Context, tx *db.Tx, p authz.Principal, g Grant, m GrantMove, side Side, reason string, filing *Filing, detail map[string]any) error {
	var document []byte
	if filing != nil {
		var err error
		if document, err = json.Marshal(filing); err != nil {
			return fmt.Errorf("encoding a filing: %w", err)
		}
	}
	_, err := tx.Exec(ctx, `
		INSERT INTO grant_step (id, grant_id, action, from_state, to_state, actor_id, actor_dept, side, reason, document, at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
		db.NewID(), g.ID, string(m.Step), string(m.From), string(m.To), optional(p.ID), optional(p.Department), string(side),
		reason, document, tx.Now())
	if err != nil {
		return fmt.Errorf("writing the history of a grant: %w", err)
	}
	if err := record(ctx, tx, p, "grant."+string(m.Step), "grant", g.ID, detail); err != nil {
		return err
	}
	return logGrant(tx, g)
}

// GrantHistory returns what was done to a grant, oldest first.
func (s *Service) GrantHistory(ctx context.Context, p authz.Principal, id uuid.UUID) ([]GrantEntry, error) {
	if _, err := s.GetGrant(ctx, p, id); err != nil {
		return nil, err
	}
	rows, err := s.db.Pool.Query(ctx, `
		SELECT action, from_state, to_state, actor_id, actor_dept, side, reason, document, at,
			coalesce((SELECT display_name FROM hub_user u WHERE u.id = actor_id), '')
		FROM grant_step WHERE grant_id = $1 ORDER BY at, id`, id)
	if err != nil {
		return nil, fmt.Errorf("reading the history of a grant: %w", err)
	}
	out, err := pgx.CollectRows(rows, pgx.RowToStructByPos[GrantEntry])
	if err != nil {
		return nil, fmt.Errorf("reading the history of a grant: %w", err)
	}
	return out, nil
}

// PossibleGrantSteps returns the steps that p may take on the grant now, for what to show. It is no permission. What the authority
// suspended is not the provider's to resume, and what is over nobody resumes.
func (s *Service) PossibleGrantSteps(p authz.Principal, g Grant) []GrantStep {
	var steps []GrantStep
	target := authz.Target{Kind: "grant", ID: g.ID.String(), Department: g.ProviderDeptID, ShareType: string(g.ShareType), Grade: string(g.Grade)}
	for _, m := range grantMoves {
		if m.From != g.State || !s.enforcer.Allowed(p, m.Who, target) {
			continue
		}
		if m.Step == GrantResume && (expired(&g, s.enforcer.Follower().Now()) || g.SuspendedBy == ByAuthority && s.sideOf(p, m.Who, target) != AuthoritySide) {
			continue
		}
		steps = append(steps, m.Step)
	}
	return steps
}

// expireBatch is how many grants one transaction of the sweep moves.
const expireBatch = 100

// ExpireDue moves grants whose period is over to expired and returns how many. It is bookkeeping: every decision judges
// the period by itself. Several nodes may sweep at once.
func (s *Service) ExpireDue(ctx context.Context) (int, error) {
	return s.endAll(ctx, authz.Hub("expiry"), GrantExpire, `
		SELECT * FROM sharing_grant
		WHERE state IN ('active', 'suspended', 'pending_delivery') AND valid_to <= $1
		ORDER BY valid_to LIMIT $2 FOR UPDATE SKIP LOCKED`)
}
