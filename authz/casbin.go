package authz

import (
	"errors"
	"fmt"

	"github.com/casbin/casbin/v2"
	"github.com/casbin/casbin/v2/model"
	"github.com/casbin/casbin/v2/persist"
)

// modelText is the language of the rules: default deny, and a deny that matches outweighs every allow. id is the last
// column so that the explanation of an answer names its rule.
const modelText = `
[request_definition]
r = role, action, share_type, grade, state, granted

[policy_definition]
p = role, action, share_type, grade, state, granted, eft, id

[policy_effect]
e = some(where (p.eft == allow)) && !some(where (p.eft == deny))

[matchers]
m = (p.role == "*" || r.role == p.role) && (p.action == "*" || r.action == p.action) && \
(p.share_type == "*" || r.share_type == p.share_type) && (p.grade == "*" || r.grade == p.grade) && \
(p.state == "*" || r.state == p.state) && (p.granted == "*" || r.granted == p.granted)
`

// idColumn is the index of the rule id in a policy line.
const idColumn = 7

// readModel reads modelText. Many enforcers are made of one model: reading it costs more than filling it.
func readModel() (model.Model, error) {
	m, err := model.NewModelFromString(modelText)
	if err != nil {
		return nil, fmt.Errorf("reading the policy model: %w", err)
	}
	return m, nil
}

// newCasbin returns a casbin enforcer that holds exactly these rules, in a copy of the model.
func newCasbin(m model.Model, rules []Rule) (*casbin.Enforcer, error) {
	e, err := casbin.NewEnforcer(m.Copy(), ruleAdapter(rules))
	if err != nil {
		return nil, fmt.Errorf("loading the policy rules: %w", err)
	}
	return e, nil
}

// askCasbin answers one fact: whether it is allowed, and the id of the rule that decided ("" when none matched).
func askCasbin(e *casbin.Enforcer, f Fact) (allowed bool, ruleID string, err error) {
	allowed, line, err := e.EnforceEx(string(f.Role), string(f.Action), f.ShareType, f.Grade, f.State, f.Granted)
	if err != nil {
		return false, "", fmt.Errorf("answering %s %s: %w", f.Role, f.Action, err)
	}
	if len(line) > idColumn {
		ruleID = line[idColumn]
	}
	return allowed, ruleID, nil
}

// ruleAdapter hands loaded rules to casbin. The rules belong to their table: casbin may read them and nothing else.
type ruleAdapter []Rule

var _ persist.Adapter = ruleAdapter(nil)

// LoadPolicy adds every rule to the model.
func (a ruleAdapter) LoadPolicy(m model.Model) error {
	for _, r := range a {
		line := []string{"p", r.Role, r.Action, r.ShareType, r.Grade, r.State, r.Granted, string(r.Effect), r.ID}
		if err := persist.LoadPolicyArray(line, m); err != nil {
			return fmt.Errorf("loading rule %q: %w", r.ID, err)
		}
	}
	return nil
}

// errReadOnly is worded as casbin expects of an adapter without writes.
var errReadOnly = errors.New("not implemented")

// SavePolicy refuses: rules are saved in their table, in a transaction.
func (ruleAdapter) SavePolicy(model.Model) error { return errReadOnly }

// AddPolicy refuses, as SavePolicy does.
func (ruleAdapter) AddPolicy(string, string, []string) error { return errReadOnly }

// RemovePolicy refuses, as SavePolicy does.
func (ruleAdapter) RemovePolicy(string, string, []string) error { return errReadOnly }

// RemoveFilteredPolicy refuses, as SavePolicy does.
func (ruleAdapter) RemoveFilteredPolicy(string, string, int, ...string) error { return errReadOnly }
