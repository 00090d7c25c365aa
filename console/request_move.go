package console

import (
	"context"
	"net/http"
	"slices"
	"strconv"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/sharing"
)

// Two steps in one form, for readers whose roles allow both.
const (
	stepAcceptApprove sharing.Step = "accept_approve"
	stepAcceptRefuse  sharing.Step = "accept_refuse"
)

func isApproval(s sharing.Step) bool { return s == sharing.StepApprove || s == stepAcceptApprove }

// looks of the steps; those that are not named are plain buttons. Approving has a form of its own.
var requestLooks = map[sharing.Step]requestMove{
	sharing.StepSubmit:     {Icon: "send", Primary: true},
	sharing.StepResubmit:   {Icon: "send", Primary: true},
	sharing.StepSign:       {Icon: "signature", Primary: true},
	sharing.StepAccept:     {Icon: "check", Primary: true},
	sharing.StepReturn:     {Icon: "arrow-left", Form: true, Must: true, Consequence: "brings.return"},
	sharing.StepSupplement: {Icon: "list-details", Form: true, Must: true, Consequence: "brings.supplement"},
	sharing.StepExtend:     {Icon: "clock", Form: true, Must: true, Consequence: "brings.extend"},
	sharing.StepRefuse:     {Icon: "ban", Form: true, Must: true, Danger: true, Final: true, Consequence: "brings.refuse"},
	stepAcceptRefuse:       {Icon: "ban", Form: true, Must: true, Danger: true, Final: true, Consequence: "brings.refuse"},
	sharing.StepWithdraw:   {Icon: "x", Form: true, Danger: true, Final: true, Consequence: "brings.withdraw"},
}

// possibleSteps lists what the reader can do now. Who made a request is not shown the steps of its reviewers. Who may accept a
// request and decide on it then may do both at once.
func (v *visit) possibleSteps(q sharing.Request, made bool) []sharing.Step {
	reviews := map[sharing.Step]bool{}
	for _, m := range sharing.Moves() {
		reviews[m.Step] = reviews[m.Step] || m.Review
	}
	possible := func(q sharing.Request) []sharing.Step {
		return slices.DeleteFunc(v.Sharing.PossibleSteps(v.principal, q), func(s sharing.Step) bool { return made && reviews[s] })
	}
	steps := possible(q)
	if slices.Contains(steps, sharing.StepAccept) {
		q.State = sharing.RequestInReview
		then := possible(q)
		for both, second := range map[sharing.Step]sharing.Step{stepAcceptApprove: sharing.StepApprove, stepAcceptRefuse: sharing.StepRefuse} {
			if slices.Contains(then, second) {
				steps = append(steps, both)
			}
		}
		slices.Sort(steps)
	}
	return steps
}

// requestMoves are the buttons and forms of the steps that the reader can take.
func (v *visit) requestMoves(steps []sharing.Step, failed string) []requestMove {
	var moves []requestMove
	for _, step := range steps {
		if isApproval(step) {
			continue
		}
		m := requestLooks[step]
		m.Step, m.Key = string(step), "move."+string(step)
		switch step {
		case sharing.StepRefuse, stepAcceptRefuse:
			m.Codes = sharing.RefusalCodes()
		case sharing.StepExtend:
			m.Days = "10"
		case sharing.StepSubmit, sharing.StepResubmit:
			moves = append(moves, requestMove{Step: "edit", Key: "move.edit"})
		}
		if failed == m.Step {
			m.Open, m.Reason, m.Code, m.Days = true, v.field("reason"), v.field("code"), v.field("days")
		}
		moves = append(moves, m)
	}
	return moves
}

// moveRequest takes a step. What goes wrong is shown where it was tried.
func (c *console) moveRequest(v *visit) error {
	id, err := v.id()
	if err != nil {
		return err
	}
	step := v.r.PathValue("move")
	err = v.takeStep(v.r.Context(), id, sharing.Step(step), v.rowVersion())
	if err == nil {
		return v.to(prefix+"/requests/"+id.String(), "request_"+step)
	}
	return v.drawRequest(id, step, err)
}

// backToRequest leads who reloads or follows the address of a form to the page that has the form.
func (c *console) backToRequest(v *visit) error { return v.back("/requests/") }

func (v *visit) back(to string) error {
	id, err := v.id()
	if err != nil {
		return err
	}
	http.Redirect(v.w, v.r, prefix+to+id.String(), http.StatusSeeOther)
	return nil
}

func (v *visit) takeStep(ctx context.Context, id uuid.UUID, step sharing.Step, version int64) (err error) {
	s, p, reason := v.Sharing, v.principal, v.field("reason")
	switch step {
	case sharing.StepSubmit:
		_, err = s.Submit(ctx, p, id, version)
	case sharing.StepResubmit:
		_, err = s.Resubmit(ctx, p, id, version)
	case sharing.StepSign:
		_, err = s.Sign(ctx, p, id, version, reason)
	case sharing.StepReturn:
		_, err = s.Return(ctx, p, id, version, reason)
	case sharing.StepWithdraw:
		_, err = s.Withdraw(ctx, p, id, version, reason)
	case sharing.StepAccept:
		_, err = s.Accept(ctx, p, id, version, reason)
	case sharing.StepSupplement:
		_, err = s.Supplement(ctx, p, id, version, reason)
	case sharing.StepExtend:
		days, bad := strconv.Atoi(v.field("days"))
		if bad != nil {
			return oneField("days", "out_of_range")
		}
		_, err = s.Extend(ctx, p, id, version, days, reason)
	case sharing.StepApprove:
		err = v.approve(ctx, id, version)
	case sharing.StepRefuse:
		_, err = s.Refuse(ctx, p, id, version, v.field("code"), reason)
	case stepAcceptApprove:
		err = v.acceptAnd(ctx, id, version, v.approvable, v.approve)
	case stepAcceptRefuse:
		err = v.acceptAnd(ctx, id, version, v.refusable, func(ctx context.Context, id uuid.UUID, version int64) error {
			_, err := s.Refuse(ctx, p, id, version, v.field("code"), reason)
			return err
		})
	default:
		err = notFound()
	}
	return err
}

// acceptAnd accepts a request and decides on it: two steps, each with its own entry in the history. What the second one would
// refuse is found before the first is taken.
func (v *visit) acceptAnd(ctx context.Context, id uuid.UUID, version int64, check func(context.Context, uuid.UUID) error,
	decide func(context.Context, uuid.UUID, int64) error,
) error {
	if err := check(ctx, id); err != nil {
		return err
	}
	q, err := v.Sharing.Accept(ctx, v.principal, id, version, "")
	if err != nil {
		return err
	}
	return decide(ctx, id, q.RowVersion)
}

func (v *visit) refusable(context.Context, uuid.UUID) error {
	if !slices.Contains(sharing.RefusalCodes(), v.field("code")) {
		return oneField("code", "unknown")
	}
	if v.field("reason") == "" {
		return oneField("reason", "required")
	}
	return nil
}
