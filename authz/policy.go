package authz

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/shuqiao/shuqiao/audit"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// Changes is an edit of the rules: Put adds rules or replaces those of the same id, Remove takes rules away. An id may
// occur once.
type Changes struct {
	Put    []Rule   `json:"put"`
	Remove []string `json:"remove"`
}

// MaxChanges bounds one edit.
const MaxChanges = 500

// Rules returns the rules in force, ordered by id, and the number of the newest policy change they are read at. It needs
// policy.read.
func (e *Enforcer) Rules(ctx context.Context, p Principal) ([]Rule, int64, error) {
	if _, err := e.Check(ctx, p, PolicyRead, Target{Kind: "policy"}); err != nil {
		return nil, 0, err
	}
	var rules []Rule
	var n int64
	err := e.db.InTx(ctx, func(tx *db.Tx) error {
		// Read first: the rules may then be newer than the number, and a save that names it is refused in doubt.
		if err := tx.QueryRow(ctx, "SELECT n FROM policy_head").Scan(&n); err != nil {
			return fmt.Errorf("reading the policy head: %w", err)
		}
		var err error
		rules, err = loadRules(ctx, tx)
		return err
	})
	return rules, n, err
}

// DryRun compiles the rules as they would be and returns which facts would be allowed anew and which no longer, ordered by
// role and action. Values that make no difference are shown as '*'. It needs policy.read.
func (e *Enforcer) DryRun(ctx context.Context, p Principal, changes Changes) (gains, losses []Fact, err error) {
	if _, err := e.Check(ctx, p, PolicyRead, Target{Kind: "policy"}); err != nil {
		return nil, nil, err
	}
	before, err := loadRules(ctx, e.db.Pool)
	if err != nil {
		return nil, nil, err
	}
	_, gains, losses, err = change(before, changes)
	return gains, losses, err
}

// SaveRules changes the rules, or leaves them as they were and returns the Invalid fault that says why they cannot be. The
// new set is compiled inside the transaction, so one that cannot load cannot commit. ifRead is the number that Rules
// returned, or 0 to save regardless: rules changed since are a Precondition fault "version_mismatch". It needs
// policy.write and returns what DryRun would.
func (e *Enforcer) SaveRules(ctx context.Context, p Principal, ifRead int64, changes Changes) (gains, losses []Fact, err error) {
	if _, err := e.Check(ctx, p, PolicyWrite, Target{Kind: "policy"}); err != nil {
		return nil, nil, err
	}
	err = e.db.InTx(ctx, func(tx *db.Tx) error {
		// Two editors must not each compile a set that lacks the other's change.
		if _, err := tx.Exec(ctx, "LOCK TABLE policy_rule IN SHARE ROW EXCLUSIVE MODE"); err != nil {
			return fmt.Errorf("locking the policy rules: %w", err)
		}
		if ifRead > 0 {
			if err := unchangedSince(ctx, tx, ifRead); err != nil {
				return err
			}
		}
		before, err := loadRules(ctx, tx)
		if err != nil {
			return err
		}
		_, gains, losses, err = change(before, changes)
		if err != nil {
			return err
		}
		if err := writeChanges(ctx, tx, changes); err != nil {
			return err
		}
		return noteChanges(ctx, tx, p, changes, gains, losses)
	})
	if err != nil {
		return nil, nil, err
	}
	return gains, losses, nil
}

func unchangedSince(ctx context.Context, tx *db.Tx, n int64) error {
	var changed bool
	err := tx.QueryRow(ctx, "SELECT EXISTS (SELECT FROM policy_log WHERE n > $1 AND kind = 'rule')", n).Scan(&changed)
	if err != nil {
		return fmt.Errorf("reading the policy log: %w", err)
	}
	if changed {
		return fault.New(fault.Precondition, "version_mismatch", "the rules were changed since you read them; read them again")
	}
	return nil
}

func writeChanges(ctx context.Context, tx *db.Tx, changes Changes) error {
	if _, err := tx.Exec(ctx, "DELETE FROM policy_rule WHERE id = ANY($1)", changes.Remove); err != nil {
		return fmt.Errorf("removing policy rules: %w", err)
	}
	for _, r := range changes.Put {
		_, err := tx.Exec(ctx, `
			INSERT INTO policy_rule (id, role, action, share_type, grade, state, granted, effect, note)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
			ON CONFLICT (id) DO UPDATE SET role = $2, action = $3, share_type = $4, grade = $5, state = $6, granted = $7,
				effect = $8, note = $9, updated_at = clock_timestamp()`,
			r.ID, r.Role, r.Action, r.ShareType, r.Grade, r.State, r.Granted, string(r.Effect), r.Note)
		if err != nil {
			return fmt.Errorf("saving policy rule: %w", err)
		}
	}
	return nil
}

// shownFacts bounds the gains and losses kept in the log; the changes themselves are kept whole.
const shownFacts = 200

func noteChanges(ctx context.Context, tx *db.Tx, p Principal, changes Changes, gains, losses []Fact) error {
	for _, r := range changes.Put {
		if err := LogTx(tx, KindRule, r.ID); err != nil {
			return err
		}
	}
	for _, id := range changes.Remove {
		if err := LogTx(tx, KindRule, id); err != nil {
			return err
		}
	}
	_, err := audit.WriteTx(ctx, tx, audit.Event{
		Actor: p.Actor(), Action: string(PolicyWrite), Object: audit.Object{Kind: "policy", ID: "rules"},
		Detail: map[string]any{
			"changes": changes, "gained": len(gains), "lost": len(losses),
			"gains": gains[:min(len(gains), shownFacts)], "losses": losses[:min(len(losses), shownFacts)],
		},
	})
	return err
}

// change applies an edit to a set of rules, compiles both and compares them. An edit of nothing, of an unknown id or of an
// id twice is an Invalid fault, as is a set that does not compile. The old set may be one that no longer compiles: mending
// it must stay possible, and then nothing counts as allowed before.
func change(before []Rule, changes Changes) (after []Rule, gains, losses []Fact, err error) {
	if err := checkChanges(before, changes); err != nil {
		return nil, nil, nil, err
	}
	replaced := map[string]bool{}
	for _, r := range changes.Put {
		replaced[r.ID] = true
	}
	for _, id := range changes.Remove {
		replaced[id] = true
	}
	after = slices.DeleteFunc(slices.Clone(before), func(r Rule) bool { return replaced[r.ID] })
	after = append(after, changes.Put...)
	slices.SortFunc(after, func(a, b Rule) int { return strings.Compare(a.ID, b.ID) })
	newSet, err := compile(after)
	if err != nil {
		return nil, nil, nil, err
	}
	oldSet, err := compile(before)
	if err != nil {
		oldSet = &ruleSet{cells: make([]uint16, len(newSet.cells))}
	}
	gains, losses = difference(oldSet, newSet)
	return after, gains, losses, nil
}

func checkChanges(before []Rule, changes Changes) error {
	if len(changes.Put)+len(changes.Remove) == 0 {
		return fault.New(fault.Invalid, "no_changes", "name at least one rule to put or to remove")
	}
	if len(changes.Put)+len(changes.Remove) > MaxChanges {
		return fault.New(fault.TooLarge, "too_many_changes", "change at most %d rules at once", MaxChanges)
	}
	var wrong []fault.Field
	seen := map[string]bool{}
	for i, r := range changes.Put {
		path := fmt.Sprintf("put[%d]", i)
		wrong = append(wrong, r.fields(path)...)
		if seen[r.ID] {
			wrong = append(wrong, fault.Field{Name: path + ".id", Code: "duplicate", Message: "name each rule once"})
		}
		seen[r.ID] = true
	}
	for i, id := range changes.Remove {
		path := fmt.Sprintf("remove[%d]", i)
		if seen[id] {
			wrong = append(wrong, fault.Field{Name: path, Code: "duplicate", Message: "name each rule once"})
		}
		seen[id] = true
		if !slices.ContainsFunc(before, func(r Rule) bool { return r.ID == id }) {
			wrong = append(wrong, fault.Field{Name: path, Code: "unknown", Message: "there is no rule with this id"})
		}
	}
	return fault.InvalidFields(wrong)
}

// difference lists what the second set allows and the first does not, and the reverse. Per role and action, a fact whose
// values no rule of either set names is shown as '*'.
func difference(before, after *ruleSet) (gains, losses []Fact) {
	both := append(slices.Clone(before.rules), after.rules...)
	for _, role := range Roles() {
		for _, action := range Actions() {
			mine := slices.DeleteFunc(slices.Clone(both), func(r Rule) bool {
				return r.Role != anyValue && r.Role != string(role) || r.Action != anyValue && r.Action != string(action)
			})
			alike := classes(mine)
			for fact, at := range facts() {
				// A question with state (other) is one that no caller should ask; it would only blur the list.
				if fact.State == other || repeated(alike, at) {
					continue
				}
				cell := after.cell(after.roleAt[role], after.actionAt[action], at)
				was, is := before.cells[cell]&1 == 1, after.cells[cell]&1 == 1
				if was == is {
					continue
				}
				fact = shown(fact, alike)
				fact.Role, fact.Action = role, action
				if is {
					gains = append(gains, fact)
				} else {
					losses = append(losses, fact)
				}
			}
		}
	}
	return gains, losses
}

// uniform reports whether no value of a fact is named: all of them are one class.
func uniform(alike []int) bool {
	return !slices.ContainsFunc(alike, func(i int) bool { return i != 0 })
}

// repeated reports whether the position differs from an earlier one only in facts that are shown as '*'.
func repeated(alike [4][]int, at position) bool {
	for i := range at {
		if uniform(alike[i]) && at[i] != 0 {
			return true
		}
	}
	return false
}

func shown(f Fact, alike [4][]int) Fact {
	for i, value := range []*string{&f.ShareType, &f.Grade, &f.State, &f.Granted} {
		if uniform(alike[i]) {
			*value = anyValue
		}
	}
	return f
}
