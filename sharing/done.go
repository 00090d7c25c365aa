package sharing

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/internal/db"
)

// DoneStep is something that a person did to a request.
type DoneStep struct {
	RequestEntry
	Request Request // As it is now.
}

// Done lists what p did to requests that p may still see, the newest first; step narrows it unless it is "". Cursors are of
// steps, so a page may hold fewer than were asked for.
func (s *Service) Done(ctx context.Context, p authz.Principal, step Step, page db.Page) ([]DoneStep, string, error) {
	if _, err := s.enforcer.Check(ctx, p, authz.RequestRead, authz.Target{Kind: "request", Department: p.Department}); err != nil {
		return nil, "", err
	}
	var before cursor
	if _, err := page.After(&before.At, &before.ID); err != nil {
		return nil, "", err
	}
	type line struct {
		ID, RequestID uuid.UUID
		RequestEntry
	}
	rows, err := s.db.Pool.Query(ctx, `
		SELECT id, request_id, action AS step, from_state AS "from", to_state AS "to", actor_id, actor_dept, reason, at,
			'' AS actor_name FROM request_step
		WHERE actor_id = $1 AND ($2 = '' OR action = $2) AND ($3::uuid IS NULL OR (at, id) < ($4, $3))
		ORDER BY at DESC, id DESC LIMIT $5`, p.ID, string(step), optional(before.ID), before.At, page.Size()+1)
	if err != nil {
		return nil, "", fmt.Errorf("reading what somebody did: %w", err)
	}
	lines, err := pgx.CollectRows(rows, pgx.RowToStructByName[line])
	if err != nil {
		return nil, "", fmt.Errorf("reading what somebody did: %w", err)
	}
	next := ""
	if len(lines) > page.Size() {
		lines = lines[:page.Size()]
		last := lines[len(lines)-1]
		next = db.Next(last.At.UTC(), last.ID)
	}
	ids := make([]uuid.UUID, len(lines))
	for i, l := range lines {
		ids[i] = l.RequestID
	}
	requests, err := loadRequests(ctx, s.db.Pool, "SELECT * FROM sharing_request WHERE id = ANY ($1)", ids)
	if err != nil {
		return nil, "", err
	}
	byID := map[uuid.UUID]Request{}
	for _, r := range requests {
		if s.sees(p, r) {
			byID[r.ID] = r
		}
	}
	out := make([]DoneStep, 0, len(lines))
	for _, l := range lines {
		if r, ok := byID[l.RequestID]; ok {
			out = append(out, DoneStep{RequestEntry: l.RequestEntry, Request: r})
		}
	}
	return out, next, nil
}
