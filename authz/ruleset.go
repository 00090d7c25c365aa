package authz

import (
	"fmt"
	"slices"

	"github.com/casbin/casbin/v2/model"
	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/internal/fault"
)

// ruleSet is one compiled policy: casbin's answer to every question of the finite fact space. It never changes after
// compile returned it, so readers need no lock.
type ruleSet struct {
	rules []Rule
	cells []uint16 // Index by cell; bit 0 is allow, the rest a 1-based index into rules, 0 where no rule matched.

	roleAt   map[Role]int
	actionAt map[Action]int
	shareAt  map[string]int
	gradeAt  map[string]int
	stateAt  map[string]int
	scopes   []scopeRule // By action index.
}

// compile answers the whole fact space through casbin. Rules that are malformed, doubled, too many or that break the
// separation of duties are an Invalid fault; the rules slice is kept and must not change afterwards.
//
// Values of a fact that no rule of an action names are interchangeable, so one of them is asked for all: the table is
// complete after a few hundred questions instead of some 200,000. Each question goes to an engine that holds the rules of
// its action only, since the cost of casbin grows with the rules it holds.
func compile(rules []Rule) (*ruleSet, error) {
	s, ids, err := newRuleSet(rules)
	if err != nil {
		return nil, err
	}
	if err := s.answer(Actions(), ids); err != nil {
		return nil, err
	}
	if err := s.separation(); err != nil {
		return nil, err
	}
	return s, nil
}

// newRuleSet checks the rules and returns a set without answers, and the rules' 1-based places by id.
func newRuleSet(rules []Rule) (*ruleSet, map[string]int, error) {
	if len(rules) > MaxRules {
		return nil, nil, fault.New(fault.Invalid, "rules_invalid", "a rule set holds at most %d rules; express facts as grants", MaxRules)
	}
	var wrong []fault.Field
	ids := make(map[string]int, len(rules)) // 1-based; 0 stands for no rule.
	for i, r := range rules {
		path := fmt.Sprintf("rules[%d]", i)
		wrong = append(wrong, r.fields(path)...)
		if _, twice := ids[r.ID]; twice {
			wrong = append(wrong, fault.Field{Name: path + ".id", Code: "duplicate", Message: "give each rule its own id"})
		}
		ids[r.ID] = i + 1
	}
	if len(wrong) > 0 {
		return nil, nil, fault.InvalidFields(wrong)
	}
	s := &ruleSet{
		rules:    rules,
		roleAt:   index(Roles()),
		actionAt: index(Actions()),
		shareAt:  index(shareTypes),
		gradeAt:  index(grades),
		stateAt:  index(states),
		scopes:   make([]scopeRule, len(actions)),
	}
	s.cells = make([]uint16, len(s.roleAt)*len(actions)*len(shareTypes)*len(grades)*len(states)*len(grantedFacts))
	for i, a := range actions {
		s.scopes[i] = a.scope
	}
	return s, ids, nil
}

// answer fills the cells of some actions; ids are the rules' places that newRuleSet returned.
func (s *ruleSet) answer(actions []Action, ids map[string]int) error {
	m, err := readModel()
	if err != nil {
		return err
	}
	for _, a := range actions {
		if err := s.answerOne(m, a, ids); err != nil {
			return err
		}
	}
	return nil
}

func (s *ruleSet) answerOne(m model.Model, action Action, ids map[string]int) error {
	rules := slices.DeleteFunc(slices.Clone(s.rules), func(r Rule) bool {
		return r.Action != anyValue && r.Action != string(action)
	})
	if len(rules) == 0 {
		return nil
	}
	engine, err := newCasbin(m, rules)
	if err != nil {
		return err
	}
	for _, role := range Roles() {
		mine := slices.DeleteFunc(slices.Clone(rules), func(r Rule) bool { return r.Role != anyValue && r.Role != string(role) })
		if len(mine) == 0 {
			continue
		}
		alike := classes(mine)
		r, a := s.roleAt[role], s.actionAt[action]
		for fact, at := range facts() {
			class := position{alike[0][at[0]], alike[1][at[1]], alike[2][at[2]], alike[3][at[3]]}
			cell := s.cell(r, a, at)
			if class != at {
				// The class's first member comes before its others in the walk, so its answer is there.
				s.cells[cell] = s.cells[s.cell(r, a, class)]
				continue
			}
			fact.Role, fact.Action = role, action
			allowed, ruleID, err := askCasbin(engine, fact)
			if err != nil {
				return err
			}
			s.cells[cell] = uint16(ids[ruleID]) << 1
			if allowed {
				s.cells[cell] |= 1
			}
		}
	}
	return nil
}

// position is a place in the fact space of one role and action: indexes into shareTypes, grades, states, grantedFacts.
type position [4]int

// facts walks the fact space of one role and action, which it leaves empty in the facts.
func facts() func(yield func(Fact, position) bool) {
	return func(yield func(Fact, position) bool) {
		for a, share := range shareTypes {
			for b, grade := range grades {
				for c, state := range states {
					for d, granted := range grantedFacts {
						if !yield(Fact{ShareType: share, Grade: grade, State: state, Granted: granted}, position{a, b, c, d}) {
							return
						}
					}
				}
			}
		}
	}
}

func (s *ruleSet) cell(role, action int, at position) int {
	return ((((role*len(actions)+action)*len(shareTypes)+at[0])*len(grades)+at[1])*len(states)+at[2])*len(grantedFacts) + at[3]
}

// classes maps, for each fact, the index of a value to that of the value asked in its place: itself when one of the rules
// names it, else the first value that none of them names. Values that no rule names are matched by '*' alone and so have
// one answer.
func classes(rules []Rule) [4][]int {
	one := func(values []string, of func(Rule) string) []int {
		out := make([]int, len(values))
		first := -1
		for i, v := range values {
			out[i] = i
			if slices.ContainsFunc(rules, func(r Rule) bool { return of(r) == v }) {
				continue
			}
			if first < 0 {
				first = i
			}
			out[i] = first
		}
		return out
	}
	return [4][]int{
		one(shareTypes, func(r Rule) string { return r.ShareType }),
		one(grades, func(r Rule) string { return r.Grade }),
		one(states, func(r Rule) string { return r.State }),
		one(grantedFacts, func(r Rule) string { return r.Granted }),
	}
}

// verdict is the answer of a rule set to one principal.
type verdict struct {
	allowed bool
	ruleID  string // The rule that decided; "" when none matched or the scope refused.
	foreign bool   // A rule allows it on objects of the principal's own department only.
	limit   Limit  // What the principal has to do first.

	onBehalfOf uuid.UUID // The absent person whose role allows it; zero where the principal's own does.
}

// decide answers for a principal: allowed when any of its roles is. A departmental role counts only on objects of its own
// department where the action is scoped. Unknown roles, actions, sharing types and grades are refused. The roles of people
// it stands in for are asked where its own do not suffice, for what deputies may do.
func (s *ruleSet) decide(p Principal, a Action, t Target) verdict {
	if p.Limit != "" {
		return verdict{limit: p.Limit}
	}
	v := s.decideFor(p, p.Roles, a, t)
	if v.allowed || len(p.StandIns) == 0 || !Deputable(a) {
		return v
	}
	for _, absent := range p.StandIns {
		// The three administrators stay apart whatever a table says.
		if exclusive(p.Roles) || exclusive(absent.Roles) {
			continue
		}
		if w := s.decideFor(p, absent.Roles, a, t); w.allowed {
			w.onBehalfOf = absent.User
			return w
		}
	}
	return v
}

func exclusive(roles []Role) bool { return slices.ContainsFunc(roles, Role.Exclusive) }

// decideFor answers for the principal's department and some roles.
func (s *ruleSet) decideFor(p Principal, roles []Role, a Action, t Target) verdict {
	var v verdict
	action, known := s.actionAt[a]
	share, knownShare := s.shareAt[orNone(t.ShareType)]
	grade, knownGrade := s.gradeAt[orNone(t.Grade)]
	if !known || !knownShare || !knownGrade {
		return v
	}
	state, known := s.stateAt[orNone(t.State)]
	if !known {
		state = len(states) - 1
	}
	at := position{share, grade, state, 0}
	if t.Granted {
		at[3] = 1
	}
	for _, role := range roles {
		r, known := s.roleAt[role]
		if !known {
			continue
		}
		answer := s.cells[s.cell(r, action, at)]
		if answer&1 == 0 {
			if answer>>1 > 0 && v.ruleID == "" {
				v.ruleID = s.rules[answer>>1-1].ID
			}
			continue
		}
		if role.departmental() && s.scopes[action] == ownDepartment && (t.Department == uuid.Nil || t.Department != p.Department) {
			v.foreign = true
			continue
		}
		return verdict{allowed: true, ruleID: s.rules[answer>>1-1].ID}
	}
	return v
}

func orNone(fact string) string {
	if fact == "" {
		return none
	}
	return fact
}

func index[S ~string](values []S) map[S]int {
	out := make(map[S]int, len(values))
	for i, v := range values {
		out[v] = i
	}
	return out
}
