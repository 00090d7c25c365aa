package authz

import (
	"context"
	"sync"
	"time"

	"github.com/shuqiao/shuqiao/audit"
)

// The bounds of denials in the log: enough to see who tries what, too little to fill a disk.
const (
	denialsPerSecond = 5      // Per principal and action; further ones are counted in the next that is written.
	denialKeys       = 10_000 // Principals and actions remembered at once.
	denialLimit      = 2 * time.Second
)

type denialKey struct {
	actor  audit.Actor
	action Action
}

type denialCount struct {
	second     int64
	written    int
	suppressed int64
}

// denials counts refusals per principal and action.
type denials struct {
	clock func() time.Time
	mu    sync.Mutex
	seen  map[denialKey]denialCount
}

// admit reports whether this denial is to be written, and how many were not since the last one that was.
func (d *denials) admit(key denialKey) (suppressed int64, write bool) {
	second := d.clock().Unix()
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.seen == nil || len(d.seen) >= denialKeys {
		d.seen = map[denialKey]denialCount{}
	}
	c := d.seen[key]
	if c.second != second {
		c.second, c.written = second, 0
	}
	if c.written >= denialsPerSecond {
		c.suppressed++
		d.seen[key] = c
		return 0, false
	}
	suppressed = c.suppressed
	c.written++
	c.suppressed = 0
	d.seen[key] = c
	return suppressed, true
}

// writeDenial notes a refusal of Check.
func (e *Enforcer) writeDenial(ctx context.Context, p Principal, a Action, t Target, v verdict, n int64) {
	detail := map[string]any{"policy_n": n}
	if v.ruleID != "" {
		detail["rule"] = v.ruleID
	}
	if v.limit != "" {
		detail["reason"] = string(v.limit)
	}
	if v.foreign {
		detail["reason"] = "another department's object"
	}
	e.note(ctx, p, a, t, detail)
}

// Refused notes in the log that a known principal was refused for a reason that is not a rule, such as a suspended grant or
// a foreign network. It is bounded as the refusals of Check are. reason is a code, never a submitted value.
func (e *Enforcer) Refused(ctx context.Context, p Principal, a Action, t Target, reason string) {
	e.note(ctx, p, a, t, map[string]any{"reason": reason})
}

// note writes a refusal within the bounds. The refusal stands whether or not the note succeeds; a note that fails is
// reported in the program's log.
func (e *Enforcer) note(ctx context.Context, p Principal, a Action, t Target, detail map[string]any) {
	suppressed, write := e.denials.admit(denialKey{p.Actor(), a})
	if !write {
		return
	}
	if suppressed > 0 {
		detail["not_written_before"] = suppressed
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), denialLimit)
	defer cancel()
	_, err := audit.Write(ctx, e.db, audit.Event{
		Actor: p.Actor(), Action: string(a), Object: audit.Object{Kind: t.Kind, ID: t.ID}, Outcome: audit.Denied, Detail: detail,
	})
	if err != nil {
		e.log.ErrorContext(ctx, "noting a refusal", "action", string(a), "error", err)
	}
}
