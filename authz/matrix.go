package authz

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/shuqiao/shuqiao/audit"
	"github.com/shuqiao/shuqiao/internal/db"
)

// Power is what the rules let a role do with an action, in the words of the golden matrix.
type Power string

// The powers.
const (
	PowerNone    Power = "none"
	PowerAll     Power = "all"     // On objects of every department.
	PowerOwn     Power = "own"     // On objects of the own department only.
	PowerGranted Power = "granted" // On published, unconditional or conditional resources, under a grant.
	PowerShared  Power = "shared"  // On unconditional or conditional resources that are not revoked.
	PowerSome    Power = "some"    // On others: the rules themselves say which.
)

// Powers returns every power once.
func Powers() []Power {
	return []Power{PowerNone, PowerAll, PowerOwn, PowerGranted, PowerShared, PowerSome}
}

// MatrixRow is one action with the power of each role, in the order of Roles.
type MatrixRow struct {
	Action Action
	Powers []Power
}

// Matrix returns who may do what by the rules that decide on this node now, an action a row. It needs policy.read.
func (e *Enforcer) Matrix(ctx context.Context, p Principal) ([]MatrixRow, error) {
	if _, err := e.Check(ctx, p, PolicyRead, Target{Kind: "policy"}); err != nil {
		return nil, err
	}
	set := e.rules.Load()
	rows := make([]MatrixRow, 0, len(actions))
	for _, a := range Actions() {
		row := MatrixRow{Action: a}
		for _, r := range Roles() {
			row.Powers = append(row.Powers, set.power(r, a))
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// power sums the answers of one role and action up.
func (s *ruleSet) power(r Role, a Action) Power {
	never, always, granted, shared := true, true, true, true
	for fact, at := range facts() {
		if fact.State == other {
			continue
		}
		is := s.cells[s.cell(s.roleAt[r], s.actionAt[a], at)]&1 == 1
		open := fact.ShareType == "unconditional" || fact.ShareType == "conditional"
		never, always = never && !is, always && is
		granted = granted && is == (open && fact.State == "published" && fact.Granted == "yes")
		shared = shared && is == (open && fact.State != "revoked")
	}
	switch {
	case never:
		return PowerNone
	case always && OwnOnly(r, a):
		return PowerOwn
	case always:
		return PowerAll
	case granted:
		return PowerGranted
	case shared:
		return PowerShared
	}
	return PowerSome
}

// OwnOnly reports whether a role does an action on objects of its own department only, whatever rules say.
func OwnOnly(r Role, a Action) bool {
	return r.departmental() && slices.ContainsFunc(actions, func(known struct {
		action Action
		scope  scopeRule
	},
	) bool {
		return known.action == a && known.scope == ownDepartment
	})
}

// FactValues returns the values that a rule may name for a share type, a grade, a state and a grant, besides '*'.
func FactValues() (share, grade, state, granted []string) {
	return slices.Clone(shareTypes), slices.Clone(grades), slices.Clone(states[:len(states)-1]), slices.Clone(grantedFacts)
}

// RuleChange is one edit of the rules as it was made.
type RuleChange struct {
	ID           uuid.UUID // Of its event.
	At           time.Time
	By           string // User name of who made it; the id where the account is not known.
	Changes      Changes
	Gained, Lost int64 // How many questions are answered otherwise.
}

// RuleChanges lists the edits of the rules, the newest first, with a cursor for the next page ("" after the last). It needs
// policy.read: whoever may read the rules may know how they came about.
func (e *Enforcer) RuleChanges(ctx context.Context, p Principal, page db.Page) ([]RuleChange, string, error) {
	if _, err := e.Check(ctx, p, PolicyRead, Target{Kind: "policy"}); err != nil {
		return nil, "", err
	}
	action, kind, outcome := string(PolicyWrite), "policy", audit.OK
	events, next, err := audit.NewLog(e.db).Find(ctx, audit.Filter{Action: &action, ObjectKind: &kind, Outcome: &outcome}, page)
	if err != nil {
		return nil, "", err
	}
	ids := make([]string, len(events))
	for i, event := range events {
		ids[i] = event.Actor.ID
	}
	names := map[string]string{}
	rows, err := e.db.Pool.Query(ctx, "SELECT id::text, username FROM hub_user WHERE id::text = ANY($1)", ids)
	if err != nil {
		return nil, "", fmt.Errorf("reading who changed the rules: %w", err)
	}
	var id, name string
	if _, err := pgx.ForEachRow(rows, []any{&id, &name}, func() error { names[id] = name; return nil }); err != nil {
		return nil, "", fmt.Errorf("reading who changed the rules: %w", err)
	}
	out := make([]RuleChange, len(events))
	for i, event := range events {
		var detail struct {
			Changes Changes `json:"changes"`
			Gained  int64   `json:"gained"`
			Lost    int64   `json:"lost"`
		}
		// A detail that is no JSON any more leaves an edit of nothing: verification names it.
		_ = json.Unmarshal(event.Detail, &detail)
		out[i] = RuleChange{
			ID: event.ID, At: event.At, By: cmp.Or(names[event.Actor.ID], event.Actor.ID),
			Changes: detail.Changes, Gained: detail.Gained, Lost: detail.Lost,
		}
	}
	return out, next, nil
}
