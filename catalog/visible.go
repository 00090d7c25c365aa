package catalog

import (
	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/authz"
)

// sight is what a principal is led to in the directory besides what is published, which everybody sees who may read the directory at
// all. It is the one rule of every list: searches, counts, suggestions and lists for other programs show the same, and nothing that the
// enforcer would not let the reader open.
//
//   - What a department is still working on (draft, dept_review) is listed for nobody else: the authority may open it, but is not led to it.
//   - What it has handed to the authority, and what was published once, is listed for the department and for the authority.
type sight struct {
	own uuid.UUID // Department whose unpublished versions are seen; zero for none.
	all bool      // Those of every department are, from the authority's review on.
}

// sight asks the enforcer what p may see.
func (s *Service) sight(p authz.Principal) sight {
	v := sight{all: s.mayReadDrafts(p, uuid.Nil)} // Only roles that act for the whole platform read what is nobody's.
	if p.Department != uuid.Nil && s.mayReadDrafts(p, p.Department) {
		v.own = p.Department
	}
	return v
}

// sees reports whether a version of a department's entry is listed in that state.
func (v sight) sees(department uuid.UUID, state State) bool {
	return state == Published || v.own != uuid.Nil && department == v.own || v.all && state != Draft && state != DeptReview
}

// where says the same as sees in SQL, given the columns of state and department and how a value becomes a parameter.
func (v sight) where(state, department string, param func(any) string) string {
	out := "(" + state + " = 'published'"
	if v.own != uuid.Nil {
		out += " OR " + department + " = " + param(v.own)
	}
	if v.all {
		out += " OR " + state + " NOT IN ('draft', 'dept_review')"
	}
	return out + ")"
}
