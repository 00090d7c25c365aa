package sharing

import (
	"context"
	"fmt"
	"time"

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
		SELECT id, request_id, action AS step, from_state AS "from", to_state AS "to", actor_id, actor_dept, reason, at FROM request_step
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

// Titles returns what the resources of requests are called, by request: the name of the version that was asked for, so that a
// request has one whatever became of the entry. Requests that p may not see have none.
func (s *Service) Titles(ctx context.Context, p authz.Principal, requests []Request) (map[uuid.UUID]string, error) {
	var ids []uuid.UUID
	for _, r := range requests {
		if s.sees(p, r) {
			ids = append(ids, r.ID)
		}
	}
	rows, err := s.db.Pool.Query(ctx, `
		SELECT q.id, v.name FROM sharing_request q JOIN resource_version v ON v.resource_id = q.resource_id AND v.version = q.resource_version
		WHERE q.id = ANY ($1)`, ids)
	if err != nil {
		return nil, fmt.Errorf("reading what requests are about: %w", err)
	}
	out := map[uuid.UUID]string{}
	var id uuid.UUID
	var name string
	if _, err := pgx.ForEachRow(rows, []any{&id, &name}, func() error { out[id] = name; return nil }); err != nil {
		return nil, fmt.Errorf("reading what requests are about: %w", err)
	}
	return out, nil
}

// WorkingDaysLeft counts the working days after today up to the day of a limit; it is negative by the working days that have
// passed since a limit that is over, at least -1.
func (s *Service) WorkingDaysLeft(due time.Time) int {
	return s.calendar.Left(s.enforcer.Follower().Now(), due)
}
