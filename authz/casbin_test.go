package authz

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/casbin/casbin/v2"
	"github.com/casbin/casbin/v2/model"
	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/audit"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// randomRules makes rules over the whole language, wildcards included. Most allow, some deny.
func randomRules(rng *rand.Rand, count int) []Rule {
	pick := func(values []string) string {
		if rng.IntN(3) == 0 {
			return anyValue
		}
		return values[rng.IntN(len(values))]
	}
	rules := make([]Rule, count)
	for i := range rules {
		rules[i] = Rule{
			ID: fmt.Sprintf("rule-%d", i), Role: pick(texts(Roles())), Action: pick(texts(Actions()[:6])),
			ShareType: pick(shareTypes), Grade: pick(grades), State: pick(states[:len(states)-1]), Granted: pick(grantedFacts), Effect: Allow,
		}
		if rng.IntN(4) == 0 {
			rules[i].Effect = Deny
		}
	}
	return rules
}

// answerOnly compiles without the refusal of unsafe sets, which random rules always are.
func answerOnly(t *testing.T, rules []Rule, actions ...Action) *ruleSet {
	t.Helper()
	set, ids, err := newRuleSet(rules)
	if err != nil {
		t.Fatal(err)
	}
	if err := set.answer(actions, ids); err != nil {
		t.Fatal(err)
	}
	return set
}

func readModelOf(t *testing.T) model.Model {
	t.Helper()
	m, err := readModel()
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// The table answers every question of the fact space as one casbin enforcer holding all rules does, for random rule sets:
// asking one value for all values that no rule names loses nothing.
func TestTableEqualsCasbin(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 2))
	for round := range 4 {
		rules := randomRules(rng, 5+20*round)
		set := answerOnly(t, rules, Actions()[:8]...)
		oracle, err := newCasbin(readModelOf(t), rules)
		if err != nil {
			t.Fatal(err)
		}
		for range 2500 {
			role, action := Roles()[rng.IntN(len(Roles()))], Actions()[rng.IntN(8)]
			fact := Fact{
				role, action, shareTypes[rng.IntN(len(shareTypes))], grades[rng.IntN(len(grades))],
				states[rng.IntN(len(states)-1)], grantedFacts[rng.IntN(2)],
			}
			want, wantRule, err := askCasbin(oracle, fact)
			if err != nil {
				t.Fatal(err)
			}
			target := Target{ShareType: fact.ShareType, Grade: fact.Grade, State: fact.State, Granted: fact.Granted == "yes"}
			p := Principal{Department: db.NewID(), Roles: []Role{role}}
			target.Department = p.Department
			got := set.decide(p, action, target)
			if got.allowed != want || got.ruleID != wantRule {
				t.Fatalf("%+v: got %v by %q, casbin says %v by %q", fact, got.allowed, got.ruleID, want, wantRule)
			}
		}
	}
}

// grantsAsLines is the plain way to write what the hub decides: every grant is a p line of its own, and no table, index or
// fact stands between casbin and the question.
const grantsAsLines = `
[request_definition]
r = client, resource, action
[policy_definition]
p = client, resource, action, eft
[policy_effect]
e = some(where (p.eft == allow)) && !some(where (p.eft == deny))
[matchers]
m = r.client == p.client && r.resource == p.resource && r.action == p.action
`

// The hub's way, rules over facts with the grant found beforehand, decides 10,000 random questions about random clients,
// resources and grants exactly as plain casbin that holds every grant as a line.
func TestEqualsCasbinWithEveryGrantAsALine(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(3, 4))
	type resource struct {
		id                      uuid.UUID
		shareType, grade, state string
	}
	resources := make([]resource, 60)
	for i := range resources {
		resources[i] = resource{
			db.NewID(), shareTypes[1+rng.IntN(3)], grades[1+rng.IntN(4)],
			[]string{"published", "published", "published", "offline", "revoked"}[rng.IntN(5)],
		}
	}
	clients := make([]Principal, 40)
	for i := range clients {
		clients[i] = Principal{Kind: audit.ActorClient, ID: db.NewID(), Department: db.NewID(), Roles: []Role{ClientRole}}
	}
	m, err := model.NewModelFromString(grantsAsLines)
	if err != nil {
		t.Fatal(err)
	}
	oracle, err := casbin.NewEnforcer(m)
	if err != nil {
		t.Fatal(err)
	}
	grants := map[[2]uuid.UUID]bool{}
	for range 160 {
		c, r := clients[rng.IntN(len(clients))], resources[rng.IntN(len(resources))]
		grants[[2]uuid.UUID{c.ID, r.id}] = true
		if r.state != "published" {
			continue // A grant opens nothing while its resource is not published.
		}
		eft := "allow"
		if r.shareType == "withheld" {
			eft = "deny"
		}
		for _, a := range []Action{DataPull, DataVerify} {
			if _, err := oracle.AddPolicy(c.ID.String(), r.id.String(), string(a), eft); err != nil {
				t.Fatal(err)
			}
		}
	}
	set, err := compile(defaultDataRules())
	if err != nil {
		t.Fatal(err)
	}
	questions := []Action{DataPull, DataVerify, DataCollect, DataDeliver, GrantTerminate}
	allowed := 0
	for range 10_000 {
		c, r, a := clients[rng.IntN(len(clients))], resources[rng.IntN(len(resources))], questions[rng.IntN(len(questions))]
		want, err := oracle.Enforce(c.ID.String(), r.id.String(), string(a))
		if err != nil {
			t.Fatal(err)
		}
		got := set.decide(c, a, Target{
			Department: c.Department, ShareType: r.shareType, Grade: r.grade, State: r.state, Granted: grants[[2]uuid.UUID{c.ID, r.id}],
		})
		if got.allowed != want {
			t.Fatalf("%s of a %s %s resource, granted %v: got %v, casbin says %v",
				a, r.state, r.shareType, grants[[2]uuid.UUID{c.ID, r.id}], got.allowed, want)
		}
		if want {
			allowed++
		}
	}
	if allowed < 100 {
		t.Errorf("only %d questions were allowed: the comparison says little", allowed)
	}
}

// defaultDataRules are the default rules about rows, with what a rule set cannot do without.
func defaultDataRules() []Rule {
	rule := func(id, role string, a Action, share, state, granted string, e Effect) Rule {
		return Rule{ID: id, Role: role, Action: string(a), ShareType: share, Grade: "*", State: state, Granted: granted, Effect: e}
	}
	return []Rule{
		rule("client-pull-unconditional", "client", DataPull, "unconditional", "published", "yes", Allow),
		rule("client-pull-conditional", "client", DataPull, "conditional", "published", "yes", Allow),
		rule("client-verify-unconditional", "client", DataVerify, "unconditional", "published", "yes", Allow),
		rule("client-verify-conditional", "client", DataVerify, "conditional", "published", "yes", Allow),
		rule("withheld-pull", "*", DataPull, "withheld", "*", "*", Deny),
		rule("withheld-verify", "*", DataVerify, "withheld", "*", "*", Deny),
		rule("policy", "security_admin", PolicyWrite, "*", "*", "*", Allow),
	}
}

// What lies outside the fact space is refused: roles, actions, sharing types and grades that nobody knows. A resource state
// that no rule can name is answered by the rules that ask for no state.
func TestUnknownFactsAreRefused(t *testing.T) {
	t.Parallel()
	all := []Rule{{ID: "all", Role: "*", Action: "*", ShareType: "*", Grade: "*", State: "*", Granted: "*", Effect: Allow}}
	set := answerOnly(t, all, Actions()...)
	mine := Principal{Department: db.NewID(), Roles: []Role{DeptAdmin}}
	home := Target{Department: mine.Department}
	with := func(change func(*Target)) Target {
		target := home
		change(&target)
		return target
	}
	for _, c := range []struct {
		name   string
		p      Principal
		a      Action
		target Target
		want   bool
	}{
		{"a known question", mine, GrantSuspend, home, true},
		{"an unknown role", Principal{Roles: []Role{"root"}}, GrantSuspend, home, false},
		{"no role", Principal{Department: mine.Department}, GrantSuspend, home, false},
		{"an unknown action", mine, "grant.give_away", home, false},
		{"no action", mine, "", home, false},
		{"the wildcard as an action", mine, "*", home, false},
		{"an unknown sharing type", mine, GrantSuspend, with(func(t *Target) { t.ShareType = "Withheld" }), false},
		{"the wildcard as a sharing type", mine, GrantSuspend, with(func(t *Target) { t.ShareType = "*" }), false},
		{"an unknown grade", mine, GrantSuspend, with(func(t *Target) { t.Grade = "L5" }), false},
		{"a state of something else", mine, GrantSuspend, with(func(t *Target) { t.State = "suspended" }), true},
	} {
		if got := set.decide(c.p, c.a, c.target).allowed; got != c.want {
			t.Errorf("%s: got %v, want %v", c.name, got, c.want)
		}
	}
}

// A rule set that is malformed, or that undoes what no editor may undo, does not compile, and says why.
func TestUnsafeRulesDoNotCompile(t *testing.T) {
	t.Parallel()
	allow := func(role string, a Action) Rule {
		return Rule{ID: "new-rule", Role: role, Action: string(a), ShareType: "*", Grade: "*", State: "*", Granted: "*", Effect: Allow}
	}
	with := func(r Rule, change func(*Rule)) Rule {
		change(&r)
		return r
	}
	for _, c := range []struct {
		name  string
		rules []Rule
		code  string
	}{
		{"the defaults", defaultDataRules(), ""},
		{"a harmless addition", append(defaultDataRules(), allow("dept_operator", SourceProbe)), ""},
		{"no rules", nil, "rules_unsafe"},
		{"nobody left to edit", defaultDataRules()[:6], "rules_unsafe"},
		{"an administrator who reads rows", append(defaultDataRules(), allow("system_admin", DataPull)), "rules_unsafe"},
		{"an administrator who approves", append(defaultDataRules(), allow("security_admin", RequestApprove)), "rules_unsafe"},
		{"an auditor who issues keys", append(defaultDataRules(), allow("auditor", KeyIssue)), "rules_unsafe"},
		{"everyone who approves", append(defaultDataRules(), allow("*", RequestApprove)), "rules_unsafe"},
		{"a person who pulls", append(defaultDataRules(), with(allow("dept_admin", DataPull), func(r *Rule) { r.Granted = "yes" })), "rules_unsafe"},
		{"a client that pulls without a grant", append(defaultDataRules(), allow("client", DataPull)), "rules_unsafe"},
		{"withheld rows that move", append(defaultDataRules(), with(allow("hub", DataCollect), func(r *Rule) { r.ShareType = "withheld" })), "rules_unsafe"},
		{"another who assigns rights", append(defaultDataRules(), allow("platform_operator", UserSetRoles)), "rules_unsafe"},
		{"an unknown role", append(defaultDataRules(), allow("root", SourceProbe)), "invalid"},
		{"an unknown action", append(defaultDataRules(), allow("client", "data.steal")), "invalid"},
		{"the same id twice", append(defaultDataRules(), defaultDataRules()[0]), "invalid"},
		{"an unknown effect", append(defaultDataRules(), with(allow("client", DataPull), func(r *Rule) { r.Effect = "maybe" })), "invalid"},
		{"an empty id", append(defaultDataRules(), with(allow("client", DataPull), func(r *Rule) { r.ID = "" })), "invalid"},
		{"a state that no resource has", append(defaultDataRules(), with(allow("client", DataPull), func(r *Rule) { r.State = other })), "invalid"},
		{"too many rules", make([]Rule, MaxRules+1), "rules_invalid"},
	} {
		_, err := compile(c.rules)
		if fault.CodeOf(err) != c.code || err != nil && !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: got %v, want code %q", c.name, err, c.code)
		}
	}
}

// casbin cannot write through the adapter: rules change in their table only.
func TestAdapterIsReadOnly(t *testing.T) {
	t.Parallel()
	e, err := newCasbin(readModelOf(t), defaultDataRules())
	if err != nil {
		t.Fatal(err)
	}
	if err := e.SavePolicy(); err == nil {
		t.Error("saving through casbin succeeded")
	}
	var a ruleAdapter
	for name, err := range map[string]error{
		"AddPolicy": a.AddPolicy("p", "p", nil), "RemovePolicy": a.RemovePolicy("p", "p", nil),
		"RemoveFilteredPolicy": a.RemoveFilteredPolicy("p", "p", 0),
	} {
		if err == nil || err.Error() != "not implemented" {
			t.Errorf("%s: got %v", name, err)
		}
	}
}
