package console

import (
	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/catalog"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// dutiesPage lists claims and objections.
type dutiesPage struct {
	Tabs        []tab
	Claims      []dutyRow
	More, Sheet string
	States      []option
}

// dutyRow is a claim with what the reader can do about it.
type dutyRow struct {
	catalog.DutyClaim
	Steps  []catalog.DutyStep
	Failed string // The step that was refused: its form is open.
	Typed  string // The reason as it was typed.
}

func (v *visit) dutyRows(claims []catalog.DutyClaim) []dutyRow {
	out := make([]dutyRow, len(claims))
	for i, c := range claims {
		out[i] = dutyRow{DutyClaim: c}
		for _, m := range catalog.DutyMoves() {
			if m.From == c.State && v.may(m.Who, authz.Target{Kind: "duty", ID: c.ID.String(), Department: c.DepartmentID}) {
				out[i].Steps = append(out[i].Steps, m.Step)
			}
		}
	}
	return out
}

func (c *console) showDuties(v *visit) error { return v.drawDuties(uuid.Nil, "", nil) }

func (v *visit) drawDuties(id uuid.UUID, step string, problem error) error {
	ctx := v.r.Context()
	if !v.mayOwn(authz.DutyDeclare) && !v.mayOwn(authz.DutyDecide) {
		return fault.New(fault.Forbidden, "forbidden", "claims are for the administrators of departments and for the authority")
	}
	filter := catalog.DutyFilter{State: catalog.DutyState(v.query("state"))}
	if v.asSheet() && problem == nil {
		return v.sheet("duty-claims", []string{"duty.kind", "element.code", "element.name", "element.division", "duty.department", "duty.proposed", "duty.owner", "duty.reason", "list.state", "duty.decision", "duty.created", "element.decided_at"}, func(cursor string) ([][]string, string, error) {
			some, next, err := v.Catalog.DutyClaims(ctx, v.principal, filter, db.Page{Limit: db.MaxPage, Cursor: cursor})
			var rows [][]string
			for _, c := range some {
				rows = append(rows, []string{
					v.word("duty_kind", c.Kind), c.Element, c.ElementName, c.Division, c.Department, c.Proposed, c.Owner, c.Reason, v.word("duty_state", c.State), c.Decision,
					v.formats.moment(c.CreatedAt), v.formats.moment(c.DecidedAt),
				})
			}
			return rows, next, err
		})
	}
	some, next, err := v.Catalog.DutyClaims(ctx, v.principal, filter, db.Page{Limit: 50, Cursor: v.query("cursor")})
	if err != nil {
		return err
	}
	page := dutiesPage{
		Tabs: v.elementTabs("duties"), Claims: v.dutyRows(some), More: v.onward(next), Sheet: v.sheetAddress(),
		States: chosen(choices(v, "duty_state", catalog.DutyStates()), string(filter.State)),
	}
	if problem == nil {
		return v.show("duties", "duty.title", page)
	}
	for i := range page.Claims {
		if page.Claims[i].ID == id {
			page.Claims[i].Failed, page.Claims[i].Typed = step, v.field("reason")
		}
	}
	return v.again("duties", "duty.title", page, problem)
}

func (c *console) moveDuty(v *visit) error {
	ctx, step := v.r.Context(), v.r.PathValue("step")
	id, err := v.id()
	if err != nil {
		return err
	}
	switch catalog.DutyStep(step) {
	case catalog.DutyApprove:
		_, err = v.Catalog.ApproveDuty(ctx, v.principal, id, v.rowVersion(), v.field("reason"))
	case catalog.DutyRefuse:
		_, err = v.Catalog.RefuseDuty(ctx, v.principal, id, v.rowVersion(), v.field("reason"))
	case catalog.DutyWithdraw:
		_, err = v.Catalog.WithdrawDuty(ctx, v.principal, id, v.rowVersion())
	default:
		return notFound()
	}
	switch {
	case err == nil:
		return v.to(prefix+"/duties", "duty_"+step)
	case fault.Is(err, fault.Forbidden), fault.Is(err, fault.NotFound):
		return err
	}
	return v.drawDuties(id, step, err)
}
