package catalog

import (
	"slices"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/authz"
)

// sight is what a principal may see in the directory: the states of entries of the own department, and of every other. It is the one
// rule of every list: searches, counts, suggestions and lists for other programs show what the enforcer lets the reader open, and
// nothing else.
type sight struct {
	department  uuid.UUID
	own, others []State
}

// states are all that a search or a dump may show.
func states() []State {
	return []State{Draft, DeptReview, PlatformReview, Returned, Published, Offline, Revoked}
}

// sight asks the enforcer about some states, as reading one entry asks it about that entry's.
func (s *Service) sight(p authz.Principal, of ...State) sight {
	v := sight{department: p.Department, own: []State{}, others: []State{}}
	for _, state := range of {
		if p.Department != uuid.Nil && s.sees(p, state, p.Department) {
			v.own = append(v.own, state)
		}
		// Whoever may read it of a department that is nobody's may read it of every one.
		if s.sees(p, state, uuid.Nil) {
			v.others = append(v.others, state)
		}
	}
	return v
}

func (s *Service) sees(p authz.Principal, state State, department uuid.UUID) bool {
	action := authz.ResourceRead
	if state != Published {
		if !s.mayReadDrafts(p, department) {
			return false
		}
		action = authz.ResourceReadDraft
	}
	return s.enforcer.Allowed(p, action, authz.Target{Kind: "resource", Department: department, State: string(state)})
}

// sees reports whether entries of every department are seen in that state, or those of the own.
func (v sight) sees(state State) (all, own bool) {
	return slices.Contains(v.others, state), slices.Contains(v.own, state)
}

// where is the condition that an entry is seen, given the columns of state and department and how a value becomes a parameter.
func (v sight) where(state, department string, param func(any) string) string {
	return "(" + state + " = ANY(" + param(v.others) + "::text[]) OR " + department + " = " + param(v.department) + " AND " + state + " = ANY(" + param(v.own) + "::text[]))"
}
