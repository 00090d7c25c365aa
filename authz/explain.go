package authz

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
)

// Policy is the rules of one moment, to explain decisions by. It permits nothing: only Check does.
type Policy struct {
	set *ruleSet
	n   int64
}

// Verdict is what the rules say to one question.
type Verdict struct {
	Allowed bool
	RuleID  string // The rule that decides; "" when none matches.
}

// Policy returns the rules that decide on this node now.
func (e *Enforcer) Policy() Policy {
	// The number is read before the rules are, as in Check.
	n := e.follower.Applied()
	return Policy{set: e.rules.Load(), n: n}
}

// PolicyAt returns the rules that were in force at a moment, as far as they speak about the actions; about others it
// explains nothing but refusals. Rules about roles, actions or facts that the hub no longer knows are left out: no question
// asks for them. The moment must not lie before the history begins.
func (e *Enforcer) PolicyAt(ctx context.Context, at time.Time, actions ...Action) (Policy, error) {
	rows, err := e.db.Pool.Query(ctx, `
		SELECT body->>'id', body->>'role', body->>'action', body->>'share_type', body->>'grade', body->>'state',
			body->>'granted', body->>'effect', body->>'note'
		FROM (SELECT DISTINCT ON (rule_id) rule_id, body FROM policy_rule_history WHERE at <= $1
			ORDER BY rule_id, at DESC, seq DESC) h
		WHERE body IS NOT NULL ORDER BY rule_id`, at)
	if err != nil {
		return Policy{}, fmt.Errorf("reading the policy rules of a moment: %w", err)
	}
	rules, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Rule])
	if err != nil {
		return Policy{}, fmt.Errorf("reading the policy rules of a moment: %w", err)
	}
	rules = slices.DeleteFunc(rules, func(r Rule) bool { return len(r.fields("rule")) > 0 })
	set, ids, err := newRuleSet(rules)
	if err != nil {
		return Policy{}, err
	}
	if err := set.answer(actions, ids); err != nil {
		return Policy{}, err
	}
	return Policy{set: set}, nil
}

// Number returns the number of the newest policy change that the rules of now rest on, 0 for rules of the past.
func (p Policy) Number() int64 { return p.n }

// Explain answers as Check decides, with the rules of the policy's moment. It asks for no lease and writes nothing.
func (p Policy) Explain(who Principal, a Action, t Target) Verdict {
	v := p.set.decide(who, a, t)
	return Verdict{Allowed: v.allowed, RuleID: v.ruleID}
}
