package exchange

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

// TodoKind is one kind of runs that wait for somebody.
type TodoKind string

// The kinds.
const (
	TodoConfirm TodoKind = "confirm" // The delete guard refused the run; somebody confirms the deletes or mends the source.
	TodoFailed  TodoKind = "failed"  // It failed otherwise.
)

// TodoKinds returns every kind once.
func TodoKinds() []TodoKind { return []TodoKind{TodoConfirm, TodoFailed} }

// WaitingRun is the last run of a task that is in use, which failed and which no other has followed yet.
type WaitingRun struct {
	ID         uuid.UUID
	TaskID     uuid.UUID
	ResourceID uuid.UUID
	Resource   string // Its name.
	Code       string // What went wrong.
	FinishedAt time.Time
}

// waitingRuns finds them for a department ($1), those that the delete guard refused or the others ($2).
const waitingRuns = `
	FROM task t JOIN resource res ON res.id = t.resource_id
	CROSS JOIN LATERAL (SELECT id, state, coalesce(error ->> 'code', '') AS code, coalesce(finished_at, queued_at) AS finished_at FROM run
		WHERE task_id = t.id AND kind = 'collect' AND state IN ('succeeded', 'partial', 'failed') ORDER BY queued_at DESC LIMIT 1) r
	WHERE t.kind = 'collect' AND t.state <> 'disabled' AND res.provider_dept_id = $1 AND r.state = 'failed' AND (r.code = 'delete_guard') = $2
		AND NOT EXISTS (SELECT FROM run a WHERE a.task_id = t.id AND a.kind = 'collect' AND a.state IN ('queued', 'running', 'reconciling'))`

// mayMend reports whether p has a part in one kind for the own department.
func (s *Service) mayMend(p authz.Principal, kind TodoKind) (bool, error) {
	own := authz.Target{Kind: "task", Department: p.Department}
	switch {
	case p.Department == uuid.Nil:
		return false, nil
	case kind == TodoConfirm:
		return s.enforcer.Allowed(p, authz.RunConfirm, own), nil
	case kind == TodoFailed:
		return s.enforcer.Allowed(p, authz.TaskRun, own), nil
	}
	return false, fault.InvalidFields([]fault.Field{{Name: "kind", Code: "unknown", Message: "use confirm or failed"}})
}

// CountTodo returns how many runs of p's department wait for p; kinds that p has no part in are left out.
func (s *Service) CountTodo(ctx context.Context, p authz.Principal) (map[TodoKind]int64, error) {
	out := map[TodoKind]int64{}
	for _, kind := range TodoKinds() {
		may, err := s.mayMend(p, kind)
		if err != nil {
			return nil, err
		}
		if !may {
			continue
		}
		var n int64
		if err := s.db.Pool.QueryRow(ctx, "SELECT count(*) "+waitingRuns, p.Department, kind == TodoConfirm).Scan(&n); err != nil {
			return nil, fmt.Errorf("counting failed runs: %w", err)
		}
		out[kind] = n
	}
	return out, nil
}

// ListTodo lists the runs of p's department that wait for p, the longest waiting first: as many as CountTodo counts.
func (s *Service) ListTodo(ctx context.Context, p authz.Principal, kind TodoKind, page db.Page) ([]WaitingRun, string, error) {
	may, err := s.mayMend(p, kind)
	if err != nil || !may {
		return nil, "", err
	}
	var at time.Time
	var id uuid.UUID
	more, err := page.After(&at, &id)
	if err != nil {
		return nil, "", err
	}
	rows, err := s.db.Pool.Query(ctx, "SELECT r.id, t.id AS task_id, res.id AS resource_id, res.name AS resource, r.code, r.finished_at "+waitingRuns+`
			AND (NOT $3 OR (r.finished_at, r.id) > ($4, $5))
		ORDER BY r.finished_at, r.id LIMIT $6`, p.Department, kind == TodoConfirm, more, at, id, page.Size()+1)
	if err != nil {
		return nil, "", fmt.Errorf("listing failed runs: %w", err)
	}
	found, err := pgx.CollectRows(rows, pgx.RowToStructByName[WaitingRun])
	if err != nil {
		return nil, "", fmt.Errorf("listing failed runs: %w", err)
	}
	for i := range found {
		found[i].FinishedAt = found[i].FinishedAt.UTC()
	}
	out, next := db.Cut(found, page, func(r WaitingRun) string { return db.Next(r.FinishedAt, r.ID) })
	return out, next, nil
}
