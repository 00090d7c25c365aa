package sharing

import (
	"context"
	"fmt"

	"github.com/shuqiao/shuqiao/authz"
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

// Todo returns what waits for p. It is empty for people who have no part in requests.
func (s *Service) Todo(ctx context.Context, p authz.Principal) (Todo, error) {
	var t Todo
	if err := s.enforcer.Follower().Wait(ctx); err != nil {
		return t, err
	}
	own := authz.Target{Kind: "request", Department: p.Department}
	for _, kind := range []struct {
		out    *TodoList
		action authz.Action
		target authz.Target
		where  string
		review bool
	}{
		{&t.Sign, authz.RequestSign, own, "state = 'dept_review' AND consumer_dept_id = $1", true},
		{&t.Accept, authz.RequestAccept, authz.Target{Kind: "request"}, "state = 'pending_acceptance'", true},
		{&t.Decide, authz.RequestApprove, own, "state = 'in_review' AND provider_dept_id = $1 AND consumer_dept_id <> $1", true},
		{&t.Supplement, authz.RequestSubmit, own, "state = 'supplement_required' AND consumer_dept_id = $1", false},
	} {
		kind.out.Requests = []Request{}
		if !s.enforcer.Allowed(p, kind.action, kind.target) {
			continue
		}
		// $1 is compared in every form, so that each has the same parameters.
		where := kind.where + ` AND $1::uuid IS NOT NULL AND NOT ($3 AND (applicant_id = ANY($2) OR EXISTS (
			SELECT FROM request_step t WHERE t.request_id = sharing_request.id AND t.actor_id = ANY($2)
				AND t.action IN ('create', 'edit', 'submit', 'resubmit'))))`
		err := s.db.Pool.QueryRow(ctx, "SELECT count(*) FROM sharing_request WHERE "+where, p.Department, p.Selves(), kind.review).
			Scan(&kind.out.Count)
		if err != nil {
			return Todo{}, fmt.Errorf("counting what waits: %w", err)
		}
		kind.out.Requests, err = loadRequests(ctx, s.db.Pool,
			fmt.Sprintf("SELECT * FROM sharing_request WHERE %s ORDER BY due_at NULLS LAST, created_at, id LIMIT %d", where, todoShown),
			p.Department, p.Selves(), kind.review)
		if err != nil {
			return Todo{}, err
		}
	}
	return t, nil
}
