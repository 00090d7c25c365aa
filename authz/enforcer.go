package authz

import (
	"context"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// Options says what an enforcer needs.
type Options struct {
	DB       *db.DB
	Follower *Follower        // Not yet running: the enforcer subscribes to it.
	Clock    func() time.Time // nil means time.Now.
	Log      *slog.Logger     // nil means slog.Default.
}

// Enforcer answers who may do what, by the rules of policy_rule and the facts it is handed.
type Enforcer struct {
	db       *db.DB
	follower *Follower
	log      *slog.Logger
	rules    atomic.Pointer[ruleSet]
	denials  denials
}

// NewEnforcer loads the rules and follows their changes. A rule set that does not compile is an error.
func NewEnforcer(ctx context.Context, opt Options) (*Enforcer, error) {
	if opt.Clock == nil {
		opt.Clock = time.Now
	}
	if opt.Log == nil {
		opt.Log = slog.Default()
	}
	e := &Enforcer{db: opt.DB, follower: opt.Follower, log: opt.Log, denials: denials{clock: opt.Clock}}
	if err := e.reload(ctx); err != nil {
		return nil, err
	}
	opt.Follower.Subscribe(func(entries []Entry) error {
		for _, entry := range entries {
			if entry.Kind == KindRule || entry.Kind == KindAll {
				ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
				defer cancel()
				return e.reload(ctx)
			}
		}
		return nil
	})
	return e, nil
}

// reload builds a rule set from the table and swaps it in, unless the one in force was built of the same rules. On an error the
// old one stays, and the lease lapses.
func (e *Enforcer) reload(ctx context.Context) error {
	rules, err := loadRules(ctx, e.db.Pool)
	if err != nil {
		return err
	}
	if old := e.rules.Load(); old != nil && slices.Equal(old.rules, rules) {
		return nil
	}
	set, err := compile(rules)
	if err != nil {
		return err
	}
	e.rules.Store(set)
	return nil
}

// Follower returns the follower whose lease the decisions rest on.
func (e *Enforcer) Follower() *Follower { return e.follower }

// Check decides whether p may do a to t and returns the decision, which allows a and nothing else; its principal says for
// whom p acts. Otherwise it returns the
// zero Decision and a Forbidden fault "forbidden", noted in the log, or an Unavailable fault "policy_stale" when the node
// cannot confirm within a second that its policy is current. Whatever else goes wrong is an error, too, and so a refusal.
func (e *Enforcer) Check(ctx context.Context, p Principal, a Action, t Target) (Decision, error) {
	if err := e.follower.Wait(ctx); err != nil {
		return Decision{}, err
	}
	// The number is read before the rules are: the rules are then at least as new as the number says.
	n := e.follower.Applied()
	v := e.rules.Load().decide(p, a, t)
	if !v.allowed {
		e.writeDenial(ctx, p, a, t, v, n)
		return Decision{}, forbidden(a, v)
	}
	p.OnBehalfOf = v.onBehalfOf
	return Decision{principal: p, action: a, target: t, policyN: n, ruleID: v.ruleID, allowed: true}, nil
}

// Allowed answers as Check does, without waiting and without a note in the log: for what to show. It is no permission.
func (e *Enforcer) Allowed(p Principal, a Action, t Target) bool {
	return e.follower.Current() && e.rules.Load().decide(p, a, t).allowed
}

// Recheck asks again what was decided, with the facts of then and the rules of now. It is cheap enough for every chunk of
// a stream. The errors are those of Check, but it never waits. Whether the facts still hold is for the caller to know.
func (e *Enforcer) Recheck(d Decision) error {
	if !e.follower.Current() {
		return stale()
	}
	v := verdict{}
	if d.allowed {
		v = e.rules.Load().decide(d.principal, d.action, d.target)
	}
	if !v.allowed {
		return forbidden(d.action, v)
	}
	return nil
}

func forbidden(a Action, v verdict) *fault.Fault {
	if v.limit != "" {
		return v.limit.Fault()
	}
	f := fault.New(fault.Forbidden, "forbidden", "this needs the right %s; ask the security administrator", a)
	if v.foreign {
		f = fault.New(fault.Forbidden, "forbidden", "this needs the right %s in the department that the object belongs to", a)
	}
	return f.At("policy").With("right", string(a))
}
