package console

import (
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// rulesPage is the rules in force, in words.
type rulesPage struct {
	Tabs                       []tab
	Role, Object, Effect, Text string
	Roles                      []authz.Role
	Objects                    []string
	Rows                       []ruleRow
	Total                      int
	Table                      string
	CanWrite                   bool
}

// ruleRow is a rule as people say it. Facts are what narrows it; none means that it speaks about everything.
type ruleRow struct {
	authz.Rule
	Facts []ruleFact
	Own   bool // The role does it for its own department only, whatever the rule says.
}

// ruleFact is one condition of a rule: the group of its word, and the value.
type ruleFact struct{ Name, Group, Value string }

func newRuleRow(r authz.Rule) ruleRow {
	row := ruleRow{Rule: r, Own: authz.OwnOnly(authz.Role(r.Role), authz.Action(r.Action))}
	row.Facts = ruleFacts(r.ShareType, r.Grade, r.State, r.Granted)
	return row
}

func ruleFacts(share, grade, state, granted string) []ruleFact {
	var out []ruleFact
	for _, f := range []ruleFact{
		{"rules.share_type", "share_type", share}, {"rules.grade", "grade", grade}, {"rules.state", "resource_state", state}, {"rules.granted", "yes", granted},
	} {
		switch f.Value {
		case "*":
			continue
		case "-":
			f.Group = "rule_fact"
		case "yes", "no":
			f.Group = "rule_fact"
		}
		out = append(out, f)
	}
	return out
}

func (v *visit) ruleTabs(active string) []tab {
	tabs := []tab{
		{Key: "rules.tab_rules", Icon: "list-details", Href: prefix + "/rules"},
		{Key: "rules.tab_matrix", Icon: "table", Href: prefix + "/rules/matrix"},
		{Key: "rules.tab_changes", Icon: "history", Href: prefix + "/rules/changes"},
	}
	for i := range tabs {
		tabs[i].Active = tabs[i].Key == "rules.tab_"+active
	}
	return tabs
}

func (c *console) showRules(v *visit) error {
	rules, _, err := v.Enforcer.Rules(v.r.Context(), v.principal)
	if err != nil {
		return err
	}
	page := rulesPage{
		Tabs: v.ruleTabs("rules"), Role: v.query("role"), Object: v.query("object"), Effect: v.query("effect"), Text: v.query("q"), Roles: authz.Roles(),
		Total: len(rules), Table: v.sheetAddress(), CanWrite: v.may(authz.PolicyWrite, authz.Target{Kind: "policy"}),
	}
	for _, r := range rules {
		object, _, _ := strings.Cut(r.Action, ".")
		if object != "*" && !slices.Contains(page.Objects, object) {
			page.Objects = append(page.Objects, object)
		}
		if page.Role != "" && r.Role != page.Role && r.Role != "*" || page.Object != "" && object != page.Object && object != "*" ||
			page.Effect != "" && string(r.Effect) != page.Effect || page.Text != "" && !strings.Contains(r.ID+" "+r.Note, page.Text) {
			continue
		}
		page.Rows = append(page.Rows, newRuleRow(r))
	}
	slices.Sort(page.Objects)
	if v.asSheet() {
		columns := []string{"rules.id", "rules.effect", "rules.role", "rules.action", "rules.when", "rules.note"}
		return v.sheet("rules", columns, func(string) ([][]string, string, error) {
			out := make([][]string, len(page.Rows))
			for i, r := range page.Rows {
				out[i] = []string{r.ID, v.word("rule_effect", r.Effect), v.anyWord("role", r.Role), v.anyWord("action", r.Action), v.factText(r), r.Note}
			}
			return out, "", nil
		})
	}
	return v.show("rules", "rules.title", page)
}

// anyWord says a code that may be '*'.
func (l look) anyWord(group, code string) string {
	if code == "*" {
		return l.word("rule_fact", code)
	}
	return l.word(group, code)
}

func (l look) factText(r ruleRow) string {
	var parts []string
	if r.Own {
		parts = append(parts, l.say("rules.own"))
	}
	for _, f := range r.Facts {
		parts = append(parts, l.say(f.Name)+" "+l.word(f.Group, f.Value))
	}
	return strings.Join(parts, l.say("list.comma"))
}

// matrixPage is who may do what, an action a row.
type matrixPage struct {
	Tabs  []tab
	Roles []authz.Role
	Rows  []authz.MatrixRow
	Table string
}

func (c *console) showMatrix(v *visit) error {
	rows, err := v.Enforcer.Matrix(v.r.Context(), v.principal)
	if err != nil {
		return err
	}
	if v.asSheet() {
		columns := []string{"rules.action", "rules.code"}
		for _, r := range authz.Roles() {
			columns = append(columns, "role."+string(r))
		}
		return v.sheet("matrix", columns, func(string) ([][]string, string, error) {
			out := make([][]string, len(rows))
			for i, r := range rows {
				out[i] = []string{v.word("action", r.Action), string(r.Action)}
				for _, p := range r.Powers {
					out[i] = append(out[i], v.word("power", p))
				}
			}
			return out, "", nil
		})
	}
	return v.show("rules_matrix", "rules.matrix", matrixPage{Tabs: v.ruleTabs("matrix"), Roles: authz.Roles(), Rows: rows, Table: v.sheetAddress()})
}

type ruleChangesPage struct {
	Tabs []tab
	Rows []authz.RuleChange
	More string
}

func (c *console) showRuleChanges(v *visit) error {
	rows, next, err := v.Enforcer.RuleChanges(v.r.Context(), v.principal, db.Page{Cursor: v.query("cursor"), Limit: 20})
	if err != nil {
		return err
	}
	return v.show("rules_changes", "rules.changes", ruleChangesPage{Tabs: v.ruleTabs("changes"), Rows: rows, More: v.moreAddress(next)})
}

// rulePage is the form of one rule, and what it would change.
type rulePage struct {
	Rule                                         authz.Rule
	New                                          bool
	Roles                                        []authz.Role
	Actions                                      []authz.Action
	ShareTypes, Grades, States, Granted, Effects []string
	PolicyN                                      int64
	Shown                                        bool // The effect below was computed.
	Remove                                       bool // The rule would be removed.
	Gains, Losses                                []factRow
	Gained, Lost                                 int
}

// factRow is one question that would be answered otherwise.
type factRow struct {
	authz.Fact
	Facts []ruleFact
	Own   bool
}

// shownFacts bounds the questions that the page lists; it counts them all.
const shownFacts = 100

func (c *console) showRule(v *visit) error {
	page, err := v.rulePage(v.query("id"))
	if err != nil {
		return err
	}
	return v.show("rule", "rules.edit", page)
}

// rulePage prepares the form of a rule, "" for a new one.
func (v *visit) rulePage(id string) (rulePage, error) {
	if _, err := v.Enforcer.Check(v.r.Context(), v.principal, authz.PolicyWrite, authz.Target{Kind: "policy"}); err != nil {
		return rulePage{}, err
	}
	rules, n, err := v.Enforcer.Rules(v.r.Context(), v.principal)
	if err != nil {
		return rulePage{}, err
	}
	page := rulePage{
		New: id == "", PolicyN: n, Roles: authz.Roles(), Actions: authz.Actions(), Effects: []string{string(authz.Allow), string(authz.Deny)},
		Rule: authz.Rule{ShareType: "*", Grade: "*", State: "*", Granted: "*", Effect: authz.Allow},
	}
	page.ShareTypes, page.Grades, page.States, page.Granted = authz.FactValues()
	if id == "" {
		return page, nil
	}
	at := slices.IndexFunc(rules, func(r authz.Rule) bool { return r.ID == id })
	if at < 0 {
		return rulePage{}, notFound()
	}
	page.Rule = rules[at]
	return page, nil
}

// saveRule shows what a change of the rules would bring, or makes it. The form that makes it holds exactly what was shown.
func (c *console) saveRule(v *visit) error {
	page, err := v.rulePage(v.field("before"))
	if err != nil {
		return err
	}
	if n, err := strconv.ParseInt(v.field("policy_n"), 10, 64); err == nil {
		page.PolicyN = n
	}
	page.Remove = v.field("remove") != "" && !page.New
	changes := authz.Changes{Remove: []string{page.Rule.ID}}
	if !page.Remove {
		id := page.Rule.ID
		if page.New {
			id = v.field("id")
		}
		page.Rule = authz.Rule{
			ID: id, Role: v.field("role"), Action: v.field("action"), ShareType: v.field("share_type"), Grade: v.field("grade"), State: v.field("state"),
			Granted: v.field("granted"), Effect: authz.Effect(v.field("effect")), Note: v.field("note"),
		}
		changes = authz.Changes{Put: []authz.Rule{page.Rule}}
	}
	if page.New && !v.unknownRule(page.Rule.ID) {
		err = fault.InvalidFields([]fault.Field{{Name: "put[0].id", Code: "taken", Message: "another rule has this id"}})
		return v.again("rule", "rules.edit", page, err)
	}
	if v.field("then") == "save" {
		if _, _, err = v.Enforcer.SaveRules(v.r.Context(), v.principal, max(page.PolicyN, 1), changes); err == nil {
			return v.to(prefix+"/rules", "rule_saved")
		}
		return v.again("rule", "rules.edit", page, err)
	}
	gains, losses, err := v.Enforcer.DryRun(v.r.Context(), v.principal, changes)
	if err != nil {
		return v.again("rule", "rules.edit", page, err)
	}
	page.Shown, page.Gained, page.Lost = true, len(gains), len(losses)
	page.Gains, page.Losses = factRows(gains), factRows(losses)
	return v.show("rule", "rules.edit", page)
}

func (v *visit) unknownRule(id string) bool {
	rules, _, err := v.Enforcer.Rules(v.r.Context(), v.principal)
	return err == nil && !slices.ContainsFunc(rules, func(r authz.Rule) bool { return r.ID == id })
}

func factRows(facts []authz.Fact) []factRow {
	out := make([]factRow, 0, min(len(facts), shownFacts))
	for _, f := range facts[:min(len(facts), shownFacts)] {
		out = append(out, factRow{f, ruleFacts(f.ShareType, f.Grade, f.State, f.Granted), authz.OwnOnly(f.Role, f.Action)})
	}
	return out
}

// ruleAddress is where a rule is changed.
func ruleAddress(id string) string {
	return prefix + "/rules/edit?" + url.Values{"id": {id}}.Encode()
}

// EditAddress is where the rule is changed.
func (r ruleRow) EditAddress() string { return ruleAddress(r.ID) }
