package sharing

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/authz/identity"
	"github.com/shuqiao/shuqiao/internal/db"
)

// HandOverTx passes on the requests that a leaver began and has to go on with: drafts, and those to be completed. Where "to" is
// a person, that person is the applicant from now on, and so nobody who may review it; the history keeps who made it. Where "to"
// is uuid.Nil, any operator of the department goes on with them.
func (s *Service) HandOverTx(ctx context.Context, tx *db.Tx, by authz.Principal, leaver, to uuid.UUID) ([]identity.Handed, error) {
	requests, err := loadRequests(ctx, tx, `
		SELECT * FROM sharing_request WHERE applicant_id = $1 AND state IN ('draft', 'supplement_required') ORDER BY id FOR UPDATE`, leaver)
	if err != nil {
		return nil, err
	}
	out := make([]identity.Handed, 0, len(requests))
	for _, r := range requests {
		h := identity.Handed{Kind: "request", ID: r.ID}
		err := tx.QueryRow(ctx, "SELECT name FROM resource_version WHERE resource_id = $1 AND version = $2", r.ResourceID, r.ResourceVersion).Scan(&h.Title)
		if err != nil {
			return nil, fmt.Errorf("reading what a request is about: %w", err)
		}
		if to != uuid.Nil {
			h.To = &to
			tag, err := tx.Exec(ctx, `
				UPDATE sharing_request SET applicant_id = $3, row_version = row_version + 1, updated_at = $4 WHERE id = $1 AND state = $2`,
				r.ID, string(r.State), to, tx.Now())
			if err != nil {
				return nil, fmt.Errorf("handing a request over: %w", err)
			}
			if tag.RowsAffected() != 1 {
				return nil, fmt.Errorf("handing a request over: %w", pgx.ErrNoRows)
			}
		}
		if err := s.note(ctx, tx, by, r, StepHandOver, "", map[string]any{"from": leaver, "to": h.To}); err != nil {
			return nil, err
		}
		out = append(out, h)
	}
	return out, nil
}
