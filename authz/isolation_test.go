package authz_test

import (
	"testing"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/authz/authztest"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// ownScoped are the actions that a departmental role may do to its own department's objects only. It is kept apart from the
// table of the package, so that a scope that is loosened there is noticed here.
var ownScoped = []authz.Action{
	authz.UserRead, authz.UserCreate, authz.UserDisable, authz.ClientRead, authz.ClientWrite, authz.KeyIssue, authz.KeyRevoke,
	authz.SystemWrite, authz.ResourceReadDraft, authz.ResourceCompile, authz.ResourceSubmit, authz.ResourceRecall,
	authz.ResourceApprove, authz.ResourceReturnDept, authz.ResourceConsent, authz.SourceRead, authz.SourceWrite, authz.SourceProbe,
	authz.MountWrite, authz.MountActivate, authz.RequestRead, authz.RequestCreate, authz.RequestSubmit, authz.RequestSign,
	authz.RequestReturn, authz.RequestWithdraw, authz.RequestApprove, authz.RequestRefuse, authz.GrantRead, authz.GrantSuspend,
	authz.GrantResume, authz.GrantTerminate, authz.TaskRead, authz.TaskWrite, authz.TaskRun, authz.RunCancel, authz.RunConfirm,
	authz.RejectRead, authz.RejectWaive, authz.ScheduleWrite, authz.AccessRead,
}

// Two departments on one hub: neither's people can do to the other's objects, or to an object of no department, anything
// that is scoped, and at least one departmental role can do each of them at home.
func TestTwoDepartmentsAreApart(t *testing.T) {
	t.Parallel()
	n := authztest.Start(t, authztest.Open(t))
	water, roads := db.NewID(), db.NewID()
	for _, action := range ownScoped {
		atHome := false
		for _, home := range []uuid.UUID{water, roads} {
			p := authztest.Person(home, authz.DeptAdmin, authz.DeptOperator)
			for _, owner := range []uuid.UUID{water, roads, uuid.Nil} {
				for target := range facts {
					target.Department = owner
					switch got := n.Enforcer.Allowed(p, action, target); {
					case got && owner != home:
						t.Fatalf("%s of department %s on an object of %s is allowed", action, home, owner)
					case got:
						atHome = true
					}
				}
			}
		}
		if !atHome {
			t.Errorf("%s: nobody of a department may do it even at home", action)
		}
	}
	// A person without a department owns nothing: no department is not a department.
	if n.Enforcer.Allowed(authztest.Person(uuid.Nil, authz.DeptAdmin), authz.GrantSuspend, authz.Target{}) {
		t.Error("a person without a department acts on an object without one")
	}
	_, err := n.Enforcer.Check(t.Context(), authztest.Person(water, authz.DeptAdmin), authz.GrantSuspend, authz.Target{Kind: "grant", ID: "g", Department: roads})
	if !fault.Is(err, fault.Forbidden) || fault.CodeOf(err) != "forbidden" {
		t.Errorf("checking a foreign object: got %v", err)
	}
}
