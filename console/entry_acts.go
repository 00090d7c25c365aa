package console

import (
	"context"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/catalog"
	"github.com/shuqiao/shuqiao/exchange"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
	"github.com/shuqiao/shuqiao/sharing"
)

// entryActs lists what the reader can do now, with what it brings.
func (v *visit) entryActs(e entry, failed string) ([]entryAct, error) {
	name := e.Version.Name
	var acts []entryAct
	for _, step := range e.Acts {
		a := entryLooks[step]
		a.Act, a.Key, a.Typed = string(step), "entry_act."+string(step), map[string]string{}
		switch step {
		case catalog.StepReturn, catalog.StepReturnDept:
			a.Codes = choices(v, "return_reason", catalog.ReturnCodes())
		case catalog.StepPublish:
			a.Note = v.say("compile.publish_first")
			if e.Published != 0 {
				a.Note = v.say("compile.publish_next", "n", e.Published)
				if e.Version.OldUntil != "" {
					a.Note = v.say("beside.asked", "n", e.Published, "day", e.Version.OldUntil)
				}
			}
		case catalog.StepDiscard:
			a.Confirm = v.say("compile.confirm_discard", "name", name)
		case catalog.StepTakeOffline, catalog.StepRevoke:
			ends, err := v.ends(e.ID)
			if err != nil {
				return nil, err
			}
			a.Note = v.say("compile.ends", "grants", ends.grants, "tasks", ends.tasks)
			a.Confirm = v.say("compile.confirm_"+string(step), "name", name, "grants", ends.grants, "tasks", ends.tasks)
		case catalog.StepWithdrawConsent:
			a.Note = v.say("compile.withdraw_note")
		case catalog.StepRecordConsent:
			a.Note = v.say("compile.consent_note")
		}
		if failed == a.Act {
			a.Open = true
			a.Codes = chosen(a.Codes, v.r.PostForm["reason_code"]...)
			for _, field := range []string{"reason", "by", "date", "document", "filing"} {
				a.Typed[field] = v.field(field)
			}
		}
		acts = append(acts, a)
	}
	return acts, nil
}

// ending is what stops when an entry is taken out of use. Figures are words, since long lists are not counted to their end.
type ending struct{ grants, tasks string }

func (v *visit) ends(id uuid.UUID) (ending, error) {
	ctx := v.r.Context()
	grants, more := 0, false
	for _, state := range []sharing.GrantState{sharing.GrantActive, sharing.GrantSuspended, sharing.GrantPendingDelivery} {
		some, next, err := v.Sharing.ListGrants(ctx, v.principal, sharing.GrantFilter{ResourceID: id, State: state}, db.Page{Limit: db.MaxPage})
		if err != nil {
			return ending{}, err
		}
		grants, more = grants+len(some), more || next != ""
	}
	tasks, next, err := v.Exchange.Tasks(ctx, v.principal, exchange.TaskFilter{ResourceID: &id}, db.Page{Limit: db.MaxPage})
	if err != nil {
		return ending{}, err
	}
	return ending{atLeast(grants, more), atLeast(len(tasks), next != "")}, nil
}

func atLeast(n int, more bool) string {
	if more {
		return count(n) + "+"
	}
	return count(n)
}

// actOnEntry does what the address names. What goes wrong is shown where it was tried.
func (c *console) actOnEntry(v *visit) error {
	id, err := v.id()
	if err != nil {
		return err
	}
	act := v.r.PathValue("act")
	gone, err := v.act(v.r.Context(), id, catalog.Step(act), v.rowVersion())
	switch {
	case err != nil && gone:
		return err
	case err != nil:
		return v.drawEntry(id, act, err)
	case gone:
		return v.to(compilePath, "compile_"+act)
	}
	return v.to(compilePath+"/"+id.String(), "compile_"+act)
}

// act takes a step. gone says that the entry is not there any more, or that there is no such step.
func (v *visit) act(ctx context.Context, id uuid.UUID, step catalog.Step, version int64) (gone bool, err error) {
	s, p, reason := v.Catalog, v.principal, v.reason()
	switch step {
	case catalog.StepSubmit:
		_, err = s.SubmitWith(ctx, p, id, version, v.submission())
	case catalog.StepRecall:
		_, err = s.Recall(ctx, p, id, version)
	case catalog.StepApprove:
		_, err = s.Approve(ctx, p, id, version)
	case catalog.StepReturnDept:
		_, err = s.ReturnDept(ctx, p, id, version, reason, v.reasonCodes()...)
	case catalog.StepPublish:
		_, err = s.Publish(ctx, p, id, version)
	case catalog.StepReturn:
		_, err = s.Return(ctx, p, id, version, reason, v.reasonCodes()...)
	case catalog.StepStartVersion:
		_, err = s.StartVersion(ctx, p, id, version)
	case catalog.StepRecordConsent:
		_, err = s.RecordConsent(ctx, p, id, version, catalog.StandingConsent{By: v.field("by"), Date: v.field("date"), Document: v.field("document")})
	case catalog.StepWithdrawConsent:
		_, err = s.WithdrawConsent(ctx, p, id, version, reason)
	case catalog.StepTakeOffline:
		_, err = s.TakeOffline(ctx, p, id, version, reason, catalog.OfflineRequest{
			By: v.field("by"), Date: v.field("date"), Document: v.field("document"), Filing: v.field("filing"),
		})
	case catalog.StepRepublish:
		_, err = s.Republish(ctx, p, id, version)
	case catalog.StepRevoke:
		_, err = s.Revoke(ctx, p, id, version, reason)
	case catalog.StepDiscard:
		if err = s.DiscardDraft(ctx, p, id, version); err == nil {
			_, err = s.Get(ctx, p, id)
			gone = fault.Is(err, fault.NotFound)
			err = nil
		}
	default:
		return true, notFound()
	}
	return gone, err
}

// reason is what was ticked in the list of reasons, and what was written besides.
func (v *visit) reason() string {
	written := v.field("reason") // Parses the form, too.
	var parts []string
	for _, code := range v.reasonCodes() {
		parts = append(parts, v.word("return_reason", code))
	}
	if written != "" {
		parts = append(parts, written)
	}
	return strings.Join(parts, v.say("list.semicolon"))
}

// reasonCodes are the reasons that were ticked.
func (v *visit) reasonCodes() (out []catalog.ReturnCode) {
	for _, code := range v.r.PostForm["reason_code"] {
		if known := catalog.ReturnCode(code); slices.Contains(catalog.ReturnCodes(), known) && !slices.Contains(out, known) {
			out = append(out, known)
		}
	}
	return out
}
