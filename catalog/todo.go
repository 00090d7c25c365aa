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

// Waiting is a version of an entry that waits for somebody.
type Waiting struct {
	ID           uuid.UUID
	Version      int
	Name         string
	DepartmentID uuid.UUID // The provider.
	Department   string
	ShareType    ShareType
	Round        int // Review round, from 1.
	Since        time.Time
	Update       bool       // An earlier version is published: the authority decides within two working days (Order 809, Art 17).
	DueAt        *time.Time `db:"-"` // Until when; nil where no limit runs.
	Light        Light      `db:"-"`
}

// TodoStates returns the states in which a version waits for somebody.
func TodoStates() []State { return []State{DeptReview, PlatformReview, Returned} }

// waiting returns the condition on resource_version v and resource r for what waits for p in a state, "" where p has no part in
// it. Versions that p, or somebody p stands in for, made are not among those to review.
func (s *Service) waiting(p authz.Principal, state State) (string, []any, error) {
	target := authz.Target{Kind: "resource", Department: p.Department, State: string(state)}
	const notMade = ` AND NOT (v.made_by = ANY($3) OR EXISTS (SELECT FROM resource_step t WHERE t.resource_id = v.resource_id
		AND t.version = v.version AND t.actor_id = ANY($3) AND t.action IN ('create', 'edit', 'submit')))`
	var action authz.Action
	var where string
	switch state {
	case DeptReview:
		action, where = authz.ResourceApprove, "r.provider_dept_id = $2"+notMade
	case PlatformReview:
		action, where = authz.ResourcePublish, "$2::uuid IS NOT NULL"+notMade
	case Returned:
		action, where = authz.ResourceCompile, "r.provider_dept_id = $2 AND $3::uuid[] IS NOT NULL"
	default:
		return "", nil, fault.InvalidFields([]fault.Field{{Name: "state", Code: "unknown", Message: "use dept_review, platform_review or returned"}})
	}
	if !s.enforcer.Allowed(p, action, target) {
		return "", nil, nil
	}
	return "v.state = $1 AND " + where, []any{string(state), p.Department, p.Selves()}, nil
}

// CountTodo returns how many versions in each state wait for p; states that p has no part in are left out.
func (s *Service) CountTodo(ctx context.Context, p authz.Principal) (map[State]int64, error) {
	out := map[State]int64{}
	for _, state := range TodoStates() {
		where, args, err := s.waiting(p, state)
		if err != nil {
			return nil, err
		}
		if where == "" {
			continue
		}
		var n int64
		err = s.db.Pool.QueryRow(ctx, "SELECT count(*) FROM resource_version v JOIN resource r ON r.id = v.resource_id AND r.newest = v.version WHERE "+where, args...).Scan(&n)
		if err != nil {
			return nil, fmt.Errorf("counting what waits: %w", err)
		}
		out[state] = n
	}
	return out, nil
}

// ListTodo lists the versions in a state that wait for p, the longest waiting first: as many as CountTodo counts. text narrows
// them by name unless it is "".
func (s *Service) ListTodo(ctx context.Context, p authz.Principal, state State, text string, page db.Page) ([]Waiting, string, error) {
	where, args, err := s.waiting(p, state)
	if err != nil || where == "" {
		return nil, "", err
	}
	var at time.Time
	var id uuid.UUID
	more, err := page.After(&at, &id)
	if err != nil {
		return nil, "", err
	}
	rows, err := s.db.Pool.Query(ctx, `
		SELECT r.id, v.version, v.name, r.provider_dept_id AS department_id, d.name AS department, v.share_type, v.round, v.updated_at AS since,
			r.published IS NOT NULL AS update
		FROM resource_version v JOIN resource r ON r.id = v.resource_id AND r.newest = v.version JOIN department d ON d.id = r.provider_dept_id
		WHERE `+where+` AND ($4 = '%%' OR v.name ILIKE $4) AND (NOT $5 OR (v.updated_at, r.id) > ($6, $7))
		ORDER BY v.updated_at, r.id LIMIT $8`, append(args, db.Containing(clean(text)), more, at, id, page.Size()+1)...)
	if err != nil {
		return nil, "", fmt.Errorf("listing what waits: %w", err)
	}
	out, err := pgx.CollectRows(rows, pgx.RowToStructByName[Waiting])
	if err != nil {
		return nil, "", fmt.Errorf("listing what waits: %w", err)
	}
	for i := range out {
		out[i].Since = out[i].Since.UTC()
	}
	if state == PlatformReview {
		if err := s.reviewLimits(ctx, p, out); err != nil {
			return nil, "", err
		}
	}
	out, next := db.Cut(out, page, func(w Waiting) string { return db.Next(w.Since, w.ID) })
	return out, next, nil
}

// reviewLimits says until when the authority decides on updates.
func (s *Service) reviewLimits(ctx context.Context, p authz.Principal, waiting []Waiting) error {
	rule, err := limitOf(ctx, s.db.Pool, limitReview, p.Department)
	if err != nil {
		return err
	}
	now := s.clock()
	for i := range waiting {
		if w := &waiting[i]; w.Update {
			due, _ := rule.due(s.calendar.Now(), w.Since, rule.Days)
			w.DueAt, w.Light = &due, reviewLight(now, due)
		}
	}
	return nil
}
