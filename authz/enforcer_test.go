package authz_test

import (
	"testing"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/authz/authztest"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// A decision allows what was asked and nothing else, and names its rule; the zero decision allows nothing.
func TestDecision(t *testing.T) {
	t.Parallel()
	n := authztest.Start(t, authztest.Open(t))
	p := authztest.Client(db.NewID())
	target := authz.Target{Kind: "resource", ID: "r", ShareType: "conditional", Grade: "L3", State: "published", Granted: true}
	d, err := n.Enforcer.Check(t.Context(), p, authz.DataPull, target)
	if err != nil {
		t.Fatalf("checking: %v", err)
	}
	if !d.Allows(authz.DataPull) || d.Allows(authz.DataVerify) || d.RuleID() != "client-pull-conditional" {
		t.Errorf("got rule %q, pull %v, verify %v", d.RuleID(), d.Allows(authz.DataPull), d.Allows(authz.DataVerify))
	}
	if d.Target() != target || d.Action() != authz.DataPull || d.Principal().ID != p.ID {
		t.Errorf("the decision is about something else: %+v", d)
	}
	if err := n.Enforcer.Recheck(d); err != nil {
		t.Errorf("rechecking: %v", err)
	}
	var zero authz.Decision
	if zero.Allows(authz.DataPull) || zero.Allows("") {
		t.Error("the zero decision allows something")
	}
	if err := n.Enforcer.Recheck(zero); !fault.Is(err, fault.Forbidden) {
		t.Errorf("rechecking the zero decision: got %v", err)
	}
}
