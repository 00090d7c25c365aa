package catalog

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// ChangeFilter narrows a list of change events. Empty fields do not narrow.
type ChangeFilter struct {
	ResourceID   uuid.UUID
	DepartmentID uuid.UUID
	State        ChangeState
	Running      bool // Those that still wait for somebody.
	Late         bool // Running, and over the limit of whoever has to act.
}

// ChangeCounts are how many change events wait, of those a person may see.
type ChangeCounts struct {
	Open      int64 `json:"open"`      // The update is awaited.
	Submitted int64 `json:"submitted"` // The authority has it.
	Warn      int64 `json:"warn"`      // Of both: most of the time is over.
	Late      int64 `json:"late"`      // Of both: the limit is over.
}

// ChangeEvent returns one change event, to the department of its entry and to the authority.
func (s *Service) ChangeEvent(ctx context.Context, p authz.Principal, id uuid.UUID) (ChangeEvent, error) {
	c, err := s.loadChange(ctx, s.db.Pool, id)
	if err != nil {
		return ChangeEvent{}, err
	}
	if !s.mayReadDrafts(p, c.DepartmentID) {
		return ChangeEvent{}, notFound("change event")
	}
	if _, err := s.enforcer.Check(ctx, p, authz.ResourceReadDraft, authz.Target{Kind: "resource", ID: c.ResourceID.String(), Department: c.DepartmentID}); err != nil {
		return ChangeEvent{}, err
	}
	return s.withChangeActs(p, c), nil
}

// ChangeEvents lists change events, the most urgent first: a department's own, or all of them for the authority.
func (s *Service) ChangeEvents(ctx context.Context, p authz.Principal, f ChangeFilter, page db.Page) ([]ChangeEvent, string, error) {
	own, err := s.changesOf(ctx, p)
	if err != nil {
		return nil, "", err
	}
	if f.State != "" && !validChangeState(f.State) {
		return nil, "", fault.InvalidFields([]fault.Field{{Name: "state", Code: "unknown", Message: "use open, submitted, done or withdrawn"}})
	}
	var at time.Time
	var id uuid.UUID
	more, err := page.After(&at, &id)
	if err != nil {
		return nil, "", err
	}
	running := ""
	if f.Running || f.Late {
		running = "AND c.state IN ('open', 'submitted')" // Said in words, for the index of what runs.
	}
	out, err := many(ctx, s.db.Pool, changeRow.event, changeSQL+`
		WHERE ($1::uuid IS NULL OR r.provider_dept_id = $1) AND ($2::uuid IS NULL OR r.provider_dept_id = $2)
			AND ($3::uuid IS NULL OR c.resource_id = $3) AND ($4 = '' OR c.state = $4) `+running+`
			AND (NOT $5 OR clock_timestamp() > CASE c.state WHEN 'open' THEN c.due_at ELSE c.review_due_at END)
			AND (NOT $6 OR (c.due_at, c.id) > ($7, $8))
		ORDER BY c.due_at, c.id LIMIT $9`,
		own, optional(f.DepartmentID), optional(f.ResourceID), string(f.State), f.Late, more, at, id, page.Size()+1)
	if err != nil {
		return nil, "", fmt.Errorf("listing changes: %w", err)
	}
	for i := range out {
		out[i] = s.withChangeActs(p, out[i])
	}
	out, next := db.Cut(out, page, func(c ChangeEvent) string { return db.Next(c.DueAt, c.ID) })
	return out, next, nil
}

// CountChanges counts the change events that wait, of those that p may see.
func (s *Service) CountChanges(ctx context.Context, p authz.Principal) (ChangeCounts, error) {
	own, err := s.changesOf(ctx, p)
	if err != nil {
		return ChangeCounts{}, err
	}
	found, err := s.db.Pool.Query(ctx, `
		SELECT count(*) FILTER (WHERE c.state = 'open') AS open, count(*) FILTER (WHERE c.state = 'submitted') AS submitted,
			count(*) FILTER (WHERE now.t > CASE c.state WHEN 'open' THEN c.warn_at ELSE c.review_due_at - interval '1 day' END
				AND now.t <= CASE c.state WHEN 'open' THEN c.due_at ELSE c.review_due_at END) AS warn,
			count(*) FILTER (WHERE now.t > CASE c.state WHEN 'open' THEN c.due_at ELSE c.review_due_at END) AS late
		FROM change_event c JOIN resource r ON r.id = c.resource_id, (SELECT clock_timestamp() AS t) AS now
		WHERE c.state IN ('open', 'submitted') AND ($1::uuid IS NULL OR r.provider_dept_id = $1)`, own)
	if err != nil {
		return ChangeCounts{}, fmt.Errorf("counting changes: %w", err)
	}
	out, err := pgx.CollectExactlyOneRow(found, pgx.RowToStructByName[ChangeCounts])
	if err != nil {
		return ChangeCounts{}, fmt.Errorf("counting changes: %w", err)
	}
	return out, nil
}

// changesOf returns whose change events p may see: one department's, or nil for all of them.
func (s *Service) changesOf(ctx context.Context, p authz.Principal) (*uuid.UUID, error) {
	if s.mayReadDrafts(p, uuid.Nil) {
		_, err := s.enforcer.Check(ctx, p, authz.ResourceReadDraft, authz.Target{Kind: "resource"})
		return nil, err
	}
	_, err := s.enforcer.Check(ctx, p, authz.ResourceReadDraft, authz.Target{Kind: "resource", Department: p.Department})
	return &p.Department, err
}

func (s *Service) loadChange(ctx context.Context, q Querier, id uuid.UUID) (ChangeEvent, error) {
	return one(ctx, q, changeRow.event, notFound("change event"), changeSQL+"WHERE c.id = $1", id)
}

// withChangeActs says what p can do with a change event now.
func (s *Service) withChangeActs(p authz.Principal, c ChangeEvent) ChangeEvent {
	for _, m := range changeMoves {
		action := authz.ChangeEventRecord
		if m.Step == ChangeExtend {
			action = authz.ChangeEventExtend
		}
		if m.From != c.State || m.Hub || m.Step == ChangeExtend && c.Extension != nil || !s.enforcer.Allowed(p, action, changeTarget(c)) {
			continue
		}
		c.Acts = append(c.Acts, m.Step)
	}
	return c
}

func changeTarget(c ChangeEvent) authz.Target {
	return authz.Target{Kind: "change_event", ID: c.ID.String(), Department: c.DepartmentID, State: string(c.State)}
}

func validChangeState(state ChangeState) bool {
	for _, known := range ChangeStates() {
		if state == known {
			return true
		}
	}
	return false
}
