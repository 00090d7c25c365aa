package authz

// Decision is the proof that the enforcer allowed one action on one target. Only the enforcer makes one that allows
// anything: functions that move or return rows demand it, so that none of them can be reached without asking. The zero
// Decision allows nothing.
type Decision struct {
	principal Principal
	action    Action
	target    Target
	policyN   int64
	ruleID    string
	allowed   bool
}

// Allows reports whether this decision allows the action.
func (d Decision) Allows(a Action) bool { return d.allowed && d.action == a }

// Principal returns who was allowed.
func (d Decision) Principal() Principal { return d.principal }

// Target returns what the decision is about.
func (d Decision) Target() Target { return d.target }

// Action returns what was asked for.
func (d Decision) Action() Action { return d.action }

// PolicyN returns the number of the newest policy change the decision rests on.
func (d Decision) PolicyN() int64 { return d.policyN }

// RuleID returns the rule that allowed it.
func (d Decision) RuleID() string { return d.ruleID }
