package authz_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/authz/authztest"
	"github.com/shuqiao/shuqiao/internal/db"
)

// The rules of a moment explain every question as Check answered it then: before, between and after edits. An edit of
// several rules takes effect at one moment, and a rule that the program does not know does no harm.
func TestRulesOfAMomentAnswerAsTheyDid(t *testing.T) {
	t.Parallel()
	n := authztest.Start(t, authztest.Open(t))
	officer, client := authztest.Person(uuid.Nil, authz.SecurityAdmin), authztest.Client(db.NewID())
	pull := authz.Rule{
		ID: "client-pull-conditional", Role: "client", Action: "data.pull", ShareType: "conditional", Grade: "*", State: "published",
		Granted: "yes", Effect: authz.Allow,
	}
	stop, renamed := pull, pull
	stop.ID, stop.Grade, stop.Effect = "stop-l3", "L3", authz.Deny
	renamed.ID = "pull-again"
	type moment struct {
		at   time.Time
		said map[string]authz.Verdict
	}
	ask := func(p authz.Policy) map[string]authz.Verdict {
		out := map[string]authz.Verdict{}
		for _, action := range []authz.Action{authz.DataPull, authz.DataVerify} {
			for target := range facts {
				out[string(action)+" "+target.ShareType+" "+target.Grade+" "+target.State+map[bool]string{true: " granted"}[target.Granted]] = p.Explain(client, action, target)
			}
		}
		return out
	}
	var moments []moment
	note := func() {
		t.Helper()
		if err := authztest.Sync(t.Context(), n.Follower); err != nil {
			t.Fatal(err)
		}
		m := moment{said: ask(n.Enforcer.Policy())}
		if err := n.DB.Pool.QueryRow(t.Context(), "SELECT clock_timestamp()").Scan(&m.at); err != nil {
			t.Fatal(err)
		}
		d, err := n.Enforcer.Check(t.Context(), client, authz.DataPull, granted)
		if got := m.said["data.pull conditional L3 published granted"]; got.Allowed != (err == nil) || err == nil && got.RuleID != d.RuleID() {
			t.Errorf("explained %+v, checked %v by %q", got, err, d.RuleID())
		}
		moments = append(moments, m)
	}
	note()
	for _, edit := range []authz.Changes{
		{Put: []authz.Rule{stop}},
		{Put: []authz.Rule{renamed}, Remove: []string{"client-verify-conditional", pull.ID, stop.ID}},
		{Put: []authz.Rule{pull}, Remove: []string{renamed.ID}},
	} {
		if _, _, err := n.Enforcer.SaveRules(t.Context(), officer, 0, edit); err != nil {
			t.Fatal(err)
		}
		note()
	}
	var times int
	err := n.DB.Pool.QueryRow(t.Context(), "SELECT count(DISTINCT at) FROM policy_rule_history WHERE at > $1", moments[0].at).Scan(&times)
	if err != nil || times != 3 {
		t.Errorf("three edits took effect at %d moments, %v", times, err)
	}
	if _, err := n.DB.Pool.Exec(t.Context(), "INSERT INTO policy_rule (id, role, action, effect) VALUES ('of-tomorrow', 'client', 'data.dream', 'allow')"); err != nil {
		t.Fatal(err)
	}
	moments = append(moments, moment{time.Now().Add(time.Minute), moments[len(moments)-1].said})
	for i, m := range moments {
		then, err := n.Enforcer.PolicyAt(t.Context(), m.at, authz.DataPull, authz.DataVerify)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(m.said, ask(then)); diff != "" {
			t.Errorf("moment %d (-then +now):\n%s", i, diff)
		}
		if then.Number() != 0 {
			t.Errorf("rules of the past have the number %d", then.Number())
		}
	}
}
