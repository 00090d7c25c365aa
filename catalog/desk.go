package catalog

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/shuqiao/shuqiao/authz"
)

// What people do with an entry besides the moves of its version's state. None of them is kept as a step of the review
// history except StepEdit.
const (
	StepDiscard         Step = "discard"
	StepStartVersion    Step = "start_version"
	StepRecordConsent   Step = "record_consent"
	StepWithdrawConsent Step = "withdraw_consent"
)

// Acts returns everything that people can do with a version or its entry, in the order in which it is offered.
func Acts() []Step {
	return []Step{
		StepEdit, StepSubmit, StepRecall, StepApprove, StepReturnDept, StepPublish, StepReturn, StepStartVersion,
		StepRecordConsent, StepWithdrawConsent, StepTakeOffline, StepRepublish, StepRevoke, StepDiscard,
	}
}

// PossibleActs returns what p can do now with version v of r, in the order of Acts. history is that of the entry: who made,
// edited or submitted a version is not offered to review it.
func (s *Service) PossibleActs(p authz.Principal, r Resource, v Version, history []HistoryEntry) []Step {
	may := func(a authz.Action) bool { return s.enforcer.Allowed(p, a, resourceTarget(r)) }
	newest, shows := v.Number == r.Newest, v.Number == shown(r)
	var out []Step
	for _, step := range Acts() {
		possible := false
		switch step {
		case StepEdit, StepDiscard:
			possible = newest && editable(v.State) && r.State != Revoked && may(authz.ResourceCompile)
		case StepStartVersion:
			possible = r.State == Published && r.Newest == r.Published && v.Number == r.Published && may(authz.ResourceCompile)
		case StepRecordConsent:
			possible = shows && r.Published != 0 && r.State != Revoked && may(authz.ResourceConsent)
		case StepWithdrawConsent:
			possible = shows && r.StandingConsent != nil && r.State != Revoked && may(authz.ResourceConsent)
		case StepTakeOffline, StepRepublish, StepRevoke:
			possible = shows && s.canMove(p, r, v, step, history)
		case StepPublish:
			possible = newest && (r.Published == 0 || r.State == Published) && s.canMove(p, r, v, step, history)
		default:
			possible = newest && r.State != Revoked && s.canMove(p, r, v, step, history)
		}
		if possible {
			out = append(out, step)
		}
	}
	return out
}

// canMove reports whether the state of v allows a step and p may take it.
func (s *Service) canMove(p authz.Principal, r Resource, v Version, step Step, history []HistoryEntry) bool {
	m, err := findMove(v.State, step)
	if err != nil || !s.enforcer.Allowed(p, m.Who, resourceTarget(r)) {
		return false
	}
	return !m.Review || !madeBy(p, v, history)
}

// madeBy reports what notTheMaker finds out in the database.
func madeBy(p authz.Principal, v Version, history []HistoryEntry) bool {
	selves := p.Selves()
	return slices.Contains(selves, v.MadeBy) || slices.ContainsFunc(history, func(h HistoryEntry) bool {
		return h.Version == v.Number && slices.Contains([]Step{StepCreate, StepEdit, StepSubmit}, h.Step) && slices.Contains(selves, h.ActorID)
	})
}

// CountStates counts what Search would find in each state: of one department, or of all for uuid.Nil. States in which there
// is nothing are left out.
func (s *Service) CountStates(ctx context.Context, p authz.Principal, department uuid.UUID) (map[State]int64, error) {
	if _, err := s.enforcer.Check(ctx, p, authz.ResourceRead, authz.Target{Kind: "resource", State: string(Published)}); err != nil {
		return nil, err
	}
	args := []any{department, uuid.Nil}
	seen := s.sight(p, states()...).where("v.state", "r.provider_dept_id", func(v any) string {
		args = append(args, v)
		return "$" + strconv.Itoa(len(args))
	})
	found, err := s.db.Pool.Query(ctx, `
		SELECT v.state, count(*) FROM resource r JOIN resource_version v ON v.resource_id = r.id AND v.version IN (r.newest, r.published)
		WHERE v.state <> 'superseded' AND ($1::uuid = $2::uuid OR r.provider_dept_id = $1)
			AND `+seen+`
		GROUP BY v.state`, args...)
	if err != nil {
		return nil, fmt.Errorf("counting entries by state: %w", err)
	}
	out := map[State]int64{}
	var state string
	var n int64
	_, err = pgx.ForEachRow(found, []any{&state, &n}, func() error {
		out[State(state)] = n
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("counting entries by state: %w", err)
	}
	return out, nil
}
