package catalog_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/authz/authztest"
	"github.com/shuqiao/shuqiao/catalog"
	"github.com/shuqiao/shuqiao/internal/fault"
)

var allStates = []catalog.State{
	catalog.Draft, catalog.DeptReview, catalog.PlatformReview, catalog.Returned, catalog.Published, catalog.Offline, catalog.Revoked,
}

// Every pair of state and step does what the table of moves says: the allowed ones move, all others answer 409 with the
// moves possible now and change nothing.
func TestEveryStateAndStep(t *testing.T) {
	t.Parallel()
	b := setup(t)
	steps := map[catalog.Step]func(catalog.Resource) (catalog.Resource, error){
		catalog.StepSubmit: func(r catalog.Resource) (catalog.Resource, error) {
			return b.service.Submit(b.ctx, b.operator, r.ID, 0)
		},
		catalog.StepRecall: func(r catalog.Resource) (catalog.Resource, error) {
			return b.service.Recall(b.ctx, b.operator, r.ID, 0)
		},
		catalog.StepApprove: func(r catalog.Resource) (catalog.Resource, error) { return b.service.Approve(b.ctx, b.admin, r.ID, 0) },
		catalog.StepReturnDept: func(r catalog.Resource) (catalog.Resource, error) {
			return b.service.ReturnDept(b.ctx, b.admin, r.ID, 0, "请补充")
		},
		catalog.StepPublish: func(r catalog.Resource) (catalog.Resource, error) {
			return b.service.Publish(b.ctx, b.platform, r.ID, 0)
		},
		catalog.StepReturn: func(r catalog.Resource) (catalog.Resource, error) {
			return b.service.Return(b.ctx, b.platform, r.ID, 0, "请补充")
		},
		catalog.StepTakeOffline: func(r catalog.Resource) (catalog.Resource, error) {
			return b.service.TakeOffline(b.ctx, b.platform, r.ID, 0, "系统下线", offlineRequest)
		},
		catalog.StepRepublish: func(r catalog.Resource) (catalog.Resource, error) {
			return b.service.Republish(b.ctx, b.platform, r.ID, 0)
		},
		catalog.StepRevoke: func(r catalog.Resource) (catalog.Resource, error) {
			return b.service.Revoke(b.ctx, b.platform, r.ID, 0, "职责调整")
		},
	}
	// How to bring a new draft into each state.
	paths := map[catalog.State][]catalog.Step{
		catalog.Draft:          nil,
		catalog.DeptReview:     {catalog.StepSubmit},
		catalog.PlatformReview: {catalog.StepSubmit, catalog.StepApprove},
		catalog.Returned:       {catalog.StepSubmit, catalog.StepReturnDept},
		catalog.Published:      {catalog.StepSubmit, catalog.StepApprove, catalog.StepPublish},
		catalog.Offline:        {catalog.StepSubmit, catalog.StepApprove, catalog.StepPublish, catalog.StepTakeOffline},
		catalog.Revoked:        {catalog.StepSubmit, catalog.StepApprove, catalog.StepPublish, catalog.StepTakeOffline, catalog.StepRevoke},
	}
	for _, state := range allStates {
		for step, do := range steps {
			r, err := b.service.CreateResource(b.ctx, b.operator, small(string(state)+" "+string(step)))
			if err != nil {
				t.Fatal(err)
			}
			for _, before := range paths[state] {
				if r, err = steps[before](r); err != nil {
					t.Fatalf("bringing an entry to %s: %v", state, err)
				}
			}
			if r.State != state || r.Version.State != state {
				t.Fatalf("got entry in %s, version in %s, want %s", r.State, r.Version.State, state)
			}
			i := slices.IndexFunc(catalog.Moves(), func(m catalog.Move) bool { return m.From == state && m.Step == step })
			after, err := do(r)
			if i >= 0 {
				if want := catalog.Moves()[i].To; err != nil || after.Version.State != want {
					t.Errorf("%s in %s: got %s, %v, want %s", step, state, after.Version.State, err, want)
				}
				continue
			}
			f, ok := errors.AsType[*fault.Fault](err)
			if !ok || f.Kind != fault.Conflict || f.Code != "illegal_move" {
				t.Errorf("%s in %s: got %v, want an illegal move", step, state, err)
				continue
			}
			var allowed []string
			for _, s := range catalog.Next(state) {
				allowed = append(allowed, string(s))
			}
			if got := f.Detail["allowed"]; got != strings.Join(allowed, ",") {
				t.Errorf("%s in %s: got allowed %q, want %q", step, state, got, allowed)
			}
			if again, err := b.service.Get(b.ctx, b.operator, r.ID); err != nil || again.State != state {
				t.Errorf("%s in %s changed the state to %s (%v)", step, state, again.State, err)
			}
		}
	}
}

// Each step belongs to one action, whatever the state, so that the enforcer can be asked before the state is read.
func TestStepsHaveOneAction(t *testing.T) {
	t.Parallel()
	actions := map[catalog.Step]authz.Action{}
	for _, m := range catalog.Moves() {
		if before, seen := actions[m.Step]; seen && before != m.Who {
			t.Errorf("step %s needs %s and %s", m.Step, before, m.Who)
		}
		actions[m.Step] = m.Who
	}
}

// Steps that send back or take away demand a reason, taking offline also the provider's request.
func TestReasonsAreMandatory(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r, err := b.service.CreateResource(b.ctx, b.operator, small("退回"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.service.Submit(b.ctx, b.operator, r.ID, 0); err != nil {
		t.Fatal(err)
	}
	_, err = b.service.ReturnDept(b.ctx, b.admin, r.ID, 0, " ")
	wantFields(t, err, "reason required")
	published := b.publish(t, small("下线"))
	_, err = b.service.TakeOffline(b.ctx, b.platform, published.ID, 0, "", offlineRequest)
	wantFields(t, err, "reason required")
	_, err = b.service.TakeOffline(b.ctx, b.platform, published.ID, 0, "系统下线", catalog.OfflineRequest{Date: "2026-13-01"})
	wantFields(t, err, "request.by required", "request.date bad_date", "request.document required")
}

// Nobody reviews what they made, edited or submitted, even when they hold both roles.
func TestMakerIsNotReviewer(t *testing.T) {
	t.Parallel()
	b := setup(t)
	both := authztest.Person(b.police.ID, authz.DeptOperator, authz.DeptAdmin)
	all := authztest.Person(b.police.ID, authz.DeptOperator, authz.DeptAdmin, authz.PlatformOperator)
	for name, make := range map[string]func(t *testing.T) (catalog.Resource, authz.Principal){
		"who created": func(t *testing.T) (catalog.Resource, authz.Principal) {
			r, err := b.service.CreateResource(b.ctx, both, small("甲"))
			if err != nil {
				t.Fatal(err)
			}
			_, err = b.service.Submit(b.ctx, b.operator, r.ID, 0)
			return r, must(t, both, err)
		},
		"who edited": func(t *testing.T) (catalog.Resource, authz.Principal) {
			r, err := b.service.CreateResource(b.ctx, b.operator, small("乙"))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := b.service.EditDraft(b.ctx, both, r.ID, 0, small("乙二")); err != nil {
				t.Fatal(err)
			}
			_, err = b.service.Submit(b.ctx, b.operator, r.ID, 0)
			return r, must(t, both, err)
		},
		"who submitted": func(t *testing.T) (catalog.Resource, authz.Principal) {
			r, err := b.service.CreateResource(b.ctx, b.operator, small("丙"))
			if err != nil {
				t.Fatal(err)
			}
			_, err = b.service.Submit(b.ctx, all, r.ID, 0)
			return r, must(t, all, err)
		},
	} {
		t.Run(name, func(t *testing.T) {
			r, maker := make(t)
			_, err := b.service.Approve(b.ctx, maker, r.ID, 0)
			wantCode(t, err, fault.Forbidden, "maker_is_reviewer")
			if _, err := b.service.Approve(b.ctx, b.admin, r.ID, 0); err != nil {
				t.Fatalf("somebody else could not approve: %v", err)
			}
			if maker.Has(authz.PlatformOperator) {
				_, err := b.service.Publish(b.ctx, maker, r.ID, 0)
				wantCode(t, err, fault.Forbidden, "maker_is_reviewer")
			}
		})
	}
}

// Each step is refused to the roles that do not hold it.
func TestStepsByRole(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r, err := b.service.CreateResource(b.ctx, b.operator, small("角色"))
	if err != nil {
		t.Fatal(err)
	}
	_, err = b.service.Submit(b.ctx, b.admin, r.ID, 0)
	wantCode(t, err, fault.Forbidden, "forbidden")
	if _, err := b.service.Submit(b.ctx, b.operator, r.ID, 0); err != nil {
		t.Fatal(err)
	}
	_, err = b.service.Approve(b.ctx, b.operator, r.ID, 0)
	wantCode(t, err, fault.Forbidden, "forbidden")
	_, err = b.service.Approve(b.ctx, b.platform, r.ID, 0)
	wantCode(t, err, fault.Forbidden, "forbidden")
	if _, err := b.service.Approve(b.ctx, b.admin, r.ID, 0); err != nil {
		t.Fatal(err)
	}
	_, err = b.service.Publish(b.ctx, b.admin, r.ID, 0)
	wantCode(t, err, fault.Forbidden, "forbidden")
	for _, p := range []authz.Principal{b.system, authztest.Person(b.police.ID, authz.Auditor), authztest.Client(b.police.ID)} {
		_, err := b.service.CreateResource(b.ctx, p, small("无权"))
		wantCode(t, err, fault.Forbidden, "forbidden")
	}
}

// The review history and the audit log tell each step with its actor, and the log proves which text was decided on.
func TestHistory(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := b.publish(t, small("历史"))
	history, err := b.service.History(b.ctx, b.admin, r.ID)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, h := range history {
		got = append(got, string(h.Step)+":"+string(h.From)+">"+string(h.To))
	}
	want := []string{"create:draft>draft", "submit:draft>dept_review", "approve:dept_review>platform_review", "publish:platform_review>published"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("history (-want +got):\n%s", diff)
	}
	var events, digests, entries int
	err = b.db.Pool.QueryRow(b.ctx, `
		SELECT count(*), count(DISTINCT convert_from(body, 'UTF8')::jsonb #>> '{detail,metadata_sha256}'),
			(SELECT count(*) FROM policy_log WHERE kind = 'resource' AND id = $1)
		FROM event WHERE object_kind = 'resource' AND object_id = $1 AND outcome = 'ok'`, r.ID.String()).Scan(&events, &digests, &entries)
	if err != nil {
		t.Fatal(err)
	}
	if events != 4 || digests != 1 || entries != 1 {
		t.Errorf("got %d events with %d digests and %d policy entries, want 4, 1, 1", events, digests, entries)
	}
}

var offlineRequest = catalog.OfflineRequest{By: "示例负责人", Date: "2026-11-10", Document: "示例函〔2026〕9号"}

func must[T any](t *testing.T, v T, err error) T {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// wantFields compares the fields of an Invalid fault, given as "name code", in any order.
func wantFields(t *testing.T, err error, want ...string) {
	t.Helper()
	f, ok := errors.AsType[*fault.Fault](err)
	if !ok || f.Kind != fault.Invalid {
		t.Fatalf("got %v, want an invalid fault", err)
	}
	if diff := cmp.Diff(sorted(want), sorted(fieldNames(f.Fields))); diff != "" {
		t.Fatalf("fields (-want +got):\n%s", diff)
	}
}

func fieldNames(fields []fault.Field) []string {
	var out []string
	for _, f := range fields {
		out = append(out, f.Name+" "+f.Code)
	}
	return out
}

func sorted(list []string) []string {
	out := slices.Clone(list)
	slices.Sort(out)
	return out
}
