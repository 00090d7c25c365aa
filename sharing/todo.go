package sharing

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// todoShown is how many requests of one kind a to-do list shows; the counts are exact beyond it.
const todoShown = 20

// Todo is what waits for one person, also as a deputy. Requests that the person, or somebody they stand in for, made are not
// among those to sign, accept or decide.
type Todo struct {
	Sign       TodoList `json:"sign"`       // For the head of the consumer's sharing office.
	Accept     TodoList `json:"accept"`     // For the authority.
	Decide     TodoList `json:"decide"`     // For the head of the provider's sharing office.
	Supplement TodoList `json:"supplement"` // To be completed by the applicant's department.
}

// TodoList is one kind of waiting requests: how many, and the first of them, the most urgent first.
type TodoList struct {
	Count    int64     `json:"count"`
	Requests []Request `json:"requests"` // At most 20.
}

// Total returns how many requests wait.
func (t Todo) Total() int64 {
	return t.Sign.Count + t.Accept.Count + t.Decide.Count + t.Supplement.Count
}

// TodoKind is one kind of waiting requests.
type TodoKind string

// The kinds.
const (
	TodoSign       TodoKind = "sign"
	TodoAccept     TodoKind = "accept"
	TodoDecide     TodoKind = "decide"
	TodoSupplement TodoKind = "supplement"
)

// TodoKinds returns every kind once.
func TodoKinds() []TodoKind { return []TodoKind{TodoSign, TodoAccept, TodoDecide, TodoSupplement} }

// waiting returns the condition on sharing_request for one kind, and whether p has a part in it. Its parameters are p's
// department, p with those p stands in for, and whether who made a request is kept from it.
func (s *Service) waiting(p authz.Principal, kind TodoKind) (where string, args []any, err error) {
	own := authz.Target{Kind: "request", Department: p.Department}
	var action authz.Action
	target, review := own, true
	switch kind {
	case TodoSign:
		action, where = authz.RequestSign, "state = 'dept_review' AND consumer_dept_id = $1"
	case TodoAccept:
		action, target, where = authz.RequestAccept, authz.Target{Kind: "request"}, "state = 'pending_acceptance'"
	case TodoDecide:
		action, where = authz.RequestApprove, "state = 'in_review' AND provider_dept_id = $1 AND consumer_dept_id <> $1"
	case TodoSupplement:
		action, review, where = authz.RequestSubmit, false, "state = 'supplement_required' AND consumer_dept_id = $1"
	default:
		return "", nil, fault.InvalidFields([]fault.Field{{Name: "kind", Code: "unknown", Message: "use sign, accept, decide or supplement"}})
	}
	if !s.enforcer.Allowed(p, action, target) {
		return "", nil, nil
	}
	// $1 is compared in every form, so that each has the same parameters.
	return where + ` AND $1::uuid IS NOT NULL AND NOT ($3 AND (applicant_id = ANY($2) OR EXISTS (
		SELECT FROM request_step t WHERE t.request_id = sharing_request.id AND t.actor_id = ANY($2)
			AND t.action IN ('create', 'edit', 'submit', 'resubmit'))))`, []any{p.Department, p.Selves(), review}, nil
}

// Todo returns what waits for p. It is empty for people who have no part in requests.
func (s *Service) Todo(ctx context.Context, p authz.Principal) (Todo, error) {
	var t Todo
	counts, err := s.CountTodo(ctx, p)
	if err != nil {
		return t, err
	}
	for kind, out := range map[TodoKind]*TodoList{TodoSign: &t.Sign, TodoAccept: &t.Accept, TodoDecide: &t.Decide, TodoSupplement: &t.Supplement} {
		out.Count, out.Requests = counts[kind], []Request{}
		if out.Count == 0 {
			continue
		}
		if out.Requests, _, err = s.ListTodo(ctx, p, kind, RequestFilter{}, db.Page{Limit: todoShown}); err != nil {
			return Todo{}, err
		}
	}
	return t, nil
}

// CountTodo returns how many requests of each kind wait for p; kinds that p has no part in are left out.
func (s *Service) CountTodo(ctx context.Context, p authz.Principal) (map[TodoKind]int64, error) {
	if err := s.enforcer.Follower().Wait(ctx); err != nil {
		return nil, err
	}
	out := map[TodoKind]int64{}
	for _, kind := range TodoKinds() {
		where, args, err := s.waiting(p, kind)
		if err != nil {
			return nil, err
		}
		if where == "" {
			continue
		}
		var n int64
		if err := s.db.Pool.QueryRow(ctx, "SELECT count(*) FROM sharing_request WHERE "+where, args...).Scan(&n); err != nil {
			return nil, fmt.Errorf("counting what waits: %w", err)
		}
		out[kind] = n
	}
	return out, nil
}

// undue stands for "no limit" where requests are sorted by theirs.
var undue = time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC)

// ListTodo lists the requests of one kind that wait for p, the most urgent first: as many as CountTodo counts. Of the filter,
// the department and the text narrow it.
func (s *Service) ListTodo(ctx context.Context, p authz.Principal, kind TodoKind, f RequestFilter, page db.Page) ([]Request, string, error) {
	if err := s.enforcer.Follower().Wait(ctx); err != nil {
		return nil, "", err
	}
	where, args, err := s.waiting(p, kind)
	if err != nil || where == "" {
		return nil, "", err
	}
	var due, made time.Time
	var id uuid.UUID
	more, err := page.After(&due, &made, &id)
	if err != nil {
		return nil, "", err
	}
	found, err := loadRequests(ctx, s.db.Pool, `
		SELECT * FROM sharing_request WHERE `+where+` AND `+narrowed("$4", "$5")+`
			AND (NOT $6 OR (coalesce(due_at, $10), created_at, id) > ($7, $8, $9))
		ORDER BY coalesce(due_at, $10), created_at, id LIMIT $11`,
		append(args, optional(f.Department), db.Containing(f.Text), more, due, made, id, undue, page.Size()+1)...)
	if err != nil {
		return nil, "", err
	}
	next := ""
	if len(found) > page.Size() {
		found = found[:page.Size()]
		last := found[len(found)-1]
		if due = undue; last.DueAt != nil {
			due = *last.DueAt
		}
		next = db.Next(due, last.CreatedAt, last.ID)
	}
	return found, next, nil
}
