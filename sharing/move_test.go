package sharing_test

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/internal/fault"
	"github.com/shuqiao/shuqiao/sharing"
)

// take lets the person whose step it is take it.
func (c *town) take(t testing.TB, r uuid.UUID, step sharing.Step) (sharing.Request, error) {
	t.Helper()
	ctx := t.Context()
	switch step {
	case sharing.StepSubmit:
		return c.svc.Submit(ctx, c.socialOperator, r, 0)
	case sharing.StepReturn:
		return c.svc.Return(ctx, c.socialAdmin, r, 0, "请补充")
	case sharing.StepSign:
		return c.svc.Sign(ctx, c.socialAdmin, r, 0, "")
	case sharing.StepWithdraw:
		return c.svc.Withdraw(ctx, c.socialOperator, r, 0, "")
	case sharing.StepAccept:
		return c.svc.Accept(ctx, c.operator, r, 0, "")
	case sharing.StepSupplement:
		return c.svc.Supplement(ctx, c.operator, r, 0, "缺少依据条款")
	case sharing.StepResubmit:
		return c.svc.Resubmit(ctx, c.socialOperator, r, 0)
	case sharing.StepExtend:
		return c.svc.Extend(ctx, c.operator, r, 0, 5, "需要会商")
	case sharing.StepApprove:
		return c.svc.Approve(ctx, c.policeAdmin, r, 0, sharing.Conditions{})
	case sharing.StepRefuse:
		return c.svc.Refuse(ctx, c.policeAdmin, r, 0, sharing.RefusedNoBasis, "依据不足")
	}
	t.Fatalf("nobody takes the step %s", step)
	return sharing.Request{}, nil
}

// From every state exactly the steps of the table are possible and lead where it says; every other one answers with the
// moves allowed now and changes nothing.
func TestRequestMoves(t *testing.T) {
	t.Parallel()
	c := newTown(t)
	received := c.signed(t)
	for _, from := range sharing.RequestStates() {
		var allowed []string
		for _, m := range sharing.Moves() {
			if m.From == from && m.Who != "" {
				allowed = append(allowed, string(m.Step))
			}
		}
		for _, step := range sharing.Steps() {
			r := received
			r.ID = db7(t)
			c.exec(t, c.db, `
				INSERT INTO sharing_request SELECT (jsonb_populate_record(q, jsonb_build_object('id', $2::uuid, 'state', $3::text,
					'refusal_code', 'x', 'refusal_reason', 'x'))).* FROM sharing_request q WHERE id = $1`, received.ID, r.ID, string(from))
			if from == sharing.RequestDraft || from == sharing.RequestDeptReview {
				c.exec(t, c.db, "UPDATE sharing_request SET received_at = NULL, due_at = NULL WHERE id = $1", r.ID)
			}
			got, err := c.take(t, r.ID, step)
			i := slices.IndexFunc(sharing.Moves(), func(m sharing.Move) bool { return m.From == from && m.Step == step })
			if i >= 0 {
				if want := sharing.Moves()[i].To; err != nil || got.State != want {
					t.Errorf("%s from %s: got %s, %v, want %s", step, from, got.State, err, want)
				}
				continue
			}
			if _, side := stepSide(step); side != sharing.ConsumerSide && (from == sharing.RequestDraft || from == sharing.RequestDeptReview) {
				wantCode(t, fmt.Sprintf("%s from %s, unseen by the other side", step, from), err, fault.NotFound, "not_found")
				continue
			}
			wantCode(t, fmt.Sprintf("%s from %s", step, from), err, fault.Conflict, "illegal_move")
			if f, ok := errors.AsType[*fault.Fault](err); ok && f.Detail["allowed"] != strings.Join(allowed, ",") {
				t.Errorf("%s from %s: got allowed %q, want %q", step, from, f.Detail["allowed"], allowed)
			}
			var state string
			if err := c.db.Pool.QueryRow(t.Context(), "SELECT state FROM sharing_request WHERE id = $1", r.ID).Scan(&state); err != nil || state != string(from) {
				t.Errorf("%s from %s: the request is in %s now (%v)", step, from, state, err)
			}
		}
	}
}

func stepSide(step sharing.Step) (authz.Action, sharing.Side) {
	for _, m := range sharing.Moves() {
		if m.Step == step {
			return m.Who, m.Side
		}
	}
	return "", ""
}

func db7(t testing.TB) uuid.UUID {
	t.Helper()
	id, err := uuid.NewV7()
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// From every state of a grant exactly the steps of the table are possible, and every other one changes nothing.
func TestGrantMoves(t *testing.T) {
	t.Parallel()
	c := newTown(t)
	g := c.granted(t)
	filing := sharing.Filing{Negotiation: "已协商", FilingNo: "示备〔2026〕3号", Date: "2026-11-20"}
	for _, from := range sharing.GrantStates() {
		for _, step := range sharing.GrantSteps() {
			due := "now() + interval '1 year'"
			if step == sharing.GrantExpire {
				due = "now() - interval '1 second'"
			}
			c.exec(t, c.db, "UPDATE sharing_grant SET valid_to = "+due+", state = $2 WHERE id = $1", g.ID, string(from))
			var err error
			var moved int
			switch step {
			case sharing.GrantSuspend:
				_, err = c.svc.SuspendGrant(t.Context(), c.policeAdmin, g.ID, 0, "检查")
			case sharing.GrantResume:
				_, err = c.svc.ResumeGrant(t.Context(), c.policeAdmin, g.ID, 0, "")
			case sharing.GrantTerminate:
				_, err = c.svc.TerminateGrant(t.Context(), c.policeAdmin, g.ID, 0, "不再需要", filing)
			case sharing.GrantExpire:
				moved, err = c.svc.ExpireDue(t.Context())
			case sharing.GrantRevoke:
				c.exec(t, c.db, "UPDATE resource SET state = 'revoked' WHERE id = $1", g.ResourceID)
				moved, err = c.svc.EndRevoked(t.Context())
				c.exec(t, c.db, "UPDATE resource SET state = 'published' WHERE id = $1", g.ResourceID)
			}
			want := string(from)
			legal := false
			for _, m := range sharing.GrantMoves() {
				if m.From == from && m.Step == step {
					want, legal = string(m.To), true
				}
			}
			switch {
			case step == sharing.GrantExpire || step == sharing.GrantRevoke:
				if err != nil || (moved == 1) != legal {
					t.Errorf("%s from %s: got %d moved, %v", step, from, moved, err)
				}
			case legal && err != nil:
				t.Errorf("%s from %s: %v", step, from, err)
			case !legal:
				wantCode(t, fmt.Sprintf("%s from %s", step, from), err, fault.Conflict, "illegal_move")
			}
			var state string
			if err := c.db.Pool.QueryRow(t.Context(), "SELECT state FROM sharing_grant WHERE id = $1", g.ID).Scan(&state); err != nil || state != want {
				t.Errorf("%s from %s: got %s, want %s (%v)", step, from, state, want, err)
			}
		}
	}
}

// The drawn diagrams show exactly the tables.
func TestDrawnStates(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("../docs/states.md")
	if err != nil {
		t.Fatalf("reading the drawing: %v", err)
	}
	var drawn []string
	for line := range strings.Lines(string(raw)) {
		line = strings.TrimSpace(line)
		if strings.Contains(line, " --> ") && strings.Contains(line, " : ") && !strings.HasPrefix(line, "[*]") {
			drawn = append(drawn, line)
		}
	}
	var want []string
	for _, m := range sharing.Moves() {
		want = append(want, fmt.Sprintf("%s --> %s : %s", m.From, m.To, m.Step))
	}
	for _, m := range sharing.GrantMoves() {
		want = append(want, fmt.Sprintf("%s --> %s : %s", m.From, m.To, m.Step))
	}
	for _, line := range want {
		if !slices.Contains(drawn, line) {
			t.Errorf("docs/states.md does not draw %q", line)
		}
	}
}

// A provider ends a running service only with a record of negotiation and filing; the authority, which ends a misused
// one, needs a reason only.
func TestTerminateNeedsFiling(t *testing.T) {
	t.Parallel()
	c := newTown(t)
	g := c.granted(t)
	_, err := c.svc.TerminateGrant(t.Context(), c.policeAdmin, g.ID, 0, "", sharing.Filing{})
	var got []string
	if f, ok := errors.AsType[*fault.Fault](err); ok {
		for _, x := range f.Fields {
			got = append(got, x.Name)
		}
	}
	if diff := cmp.Diff([]string{"reason", "filing.negotiation", "filing.filing_no", "filing.date"}, got); diff != "" {
		t.Errorf("missing facts differ (-want +got):\n%s", diff)
	}
	ended, err := c.svc.TerminateGrant(t.Context(), c.operator, g.ID, 0, "违规使用", sharing.Filing{})
	if err != nil || ended.State != sharing.GrantTerminated {
		t.Errorf("the authority: got %s, %v", ended.State, err)
	}
}

// What the authority suspended the provider does not resume; what the provider suspended it does.
func TestResume(t *testing.T) {
	t.Parallel()
	c := newTown(t)
	g := c.granted(t)
	must[sharing.Grant](t, "suspending")(c.svc.SuspendGrant(t.Context(), c.operator, g.ID, 0, "检查"))
	_, err := c.svc.ResumeGrant(t.Context(), c.policeAdmin, g.ID, 0, "")
	wantCode(t, "the provider", err, fault.Forbidden, "suspended_by_authority")
	must[sharing.Grant](t, "resuming")(c.svc.ResumeGrant(t.Context(), c.operator, g.ID, 0, ""))
	must[sharing.Grant](t, "suspending")(c.svc.SuspendGrant(t.Context(), c.policeAdmin, g.ID, 0, "维护"))
	g = must[sharing.Grant](t, "resuming")(c.svc.ResumeGrant(t.Context(), c.policeAdmin, g.ID, 0, ""))
	history := must[[]sharing.GrantEntry](t, "reading the history")(c.svc.GrantHistory(t.Context(), c.socialAdmin, g.ID))
	var steps []string
	for _, e := range history {
		steps = append(steps, string(e.Step)+" by "+string(e.Side))
	}
	want := []string{"create by provider", "suspend by authority", "resume by authority", "suspend by provider", "resume by provider"}
	if diff := cmp.Diff(want, steps); diff != "" {
		t.Errorf("history differs (-want +got):\n%s", diff)
	}
	if g.RowVersion != 5 || g.TermsVersion != 1 {
		t.Errorf("got row version %d, terms version %d", g.RowVersion, g.TermsVersion)
	}
}
