package catalog

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Unconditionally is what an unconditional entry states as its condition (domain table 2.2, row 9b).
const Unconditionally = "无条件"

// class patterns: 类 1 digit, 项 2 digits, 目 3 digits, 细目 of any length (domain rule 2.5).
var (
	class1Pattern = regexp.MustCompile(`^[123]$`)
	class2Pattern = regexp.MustCompile(`^[0-9]{2}$`)
	class3Pattern = regexp.MustCompile(`^[0-9]{3}$`)
	class4Pattern = regexp.MustCompile(`^[0-9A-Za-z]{0,20}$`)
)

// closedClasses are the 项 of the closed lists 基础 (1) and 部门 (3) of domain table 2.1; 主题 (2) is open.
var closedClasses = map[string][]string{
	"1": {"01", "02", "03", "04", "05", "06"},
	"3": {"01", "02", "03", "04", "05", "06", "07", "08"},
}

// baseClasses gives the 项 of class 1 for each of the six base databases.
var baseClasses = map[string]string{
	"population": "01", "legal_person": "02", "geospatial": "03", "credit": "04", "certificate": "05", "macro_economy": "06",
}

// classes checks the classifications: well-formed, exactly one primary.
func (c *checker) classes() {
	m := c.m
	c.demand(len(m.Classifications) > 0)
	if len(m.Classifications) == 0 {
		c.block("classifications", "required", "classify the entry (class, category, sub-category, detail)")
		return
	}
	primaries := 0
	for i, class := range m.Classifications {
		name := fmt.Sprintf("classifications[%d]", i)
		if class.Primary {
			primaries++
		}
		if !class1Pattern.MatchString(class.Class1) {
			c.block(name+".class1", "not_choice", "state 1 (base), 2 (theme) or 3 (department)")
		}
		if !class2Pattern.MatchString(class.Class2) {
			c.block(name+".class2", "bad_form", "give two digits")
		} else if known := closedClasses[class.Class1]; known != nil && !slices.Contains(known, class.Class2) {
			c.block(name+".class2", "not_choice", "this class has no such category")
		} else {
			c.tabled(name, class)
		}
		switch {
		case class.Class3 == "":
			c.warn(name+".class3", "required", "the entry is not classified below the category")
		case !class3Pattern.MatchString(class.Class3):
			c.block(name+".class3", "bad_form", "give three digits")
		}
		if !class4Pattern.MatchString(class.Class4) {
			c.block(name+".class4", "bad_form", "give at most 20 letters and digits")
		}
		if want := baseClasses[m.BaseDatabase]; want != "" && class.Class1 == "1" && class.Class2 != want {
			c.warn(name+".class2", "contradicts_base", "the category is not that of the base database")
		}
	}
	if primaries != 1 {
		c.block("classifications", "primary", "mark exactly one classification as primary")
	}
}

// sharing checks share type, conditions, methods and opening against each other and against the items (Art 14, checks
// 2.6).
func (c *checker) sharing() {
	m := c.m
	derived := deriveShareType(m.Items)
	if c.required("declared_share_type", string(m.DeclaredShare), "state the sharing attribute (Art 13)") &&
		validShareType(m.DeclaredShare) && derived != "" && m.DeclaredShare != derived {
		c.block("declared_share_type", "contradicts_items", "the strictest of the items that are not withheld is %s; state that, or change the items", derived)
	}
	switch m.DeclaredShare {
	case Unconditional:
		if m.ShareCondition != "" && m.ShareCondition != Unconditionally {
			c.block("share_condition", "contradicts", "unconditional sharing has no condition: leave this empty or write %s", Unconditionally)
		}
	case Conditional:
		c.required("share_condition", m.ShareCondition, "state the conditions of sharing (Art 14)")
		c.required("share_scope", m.ShareScope, "state the scope of sharing (Art 14)")
		c.required("share_purpose", m.SharePurpose, "state for which purposes the data may be used (Art 14)")
	}
	if m.DeclaredShare != Withheld {
		c.demand(len(m.ShareMethods) > 0)
	}
	if m.DeclaredShare != Withheld && len(m.ShareMethods) == 0 {
		c.block("share_methods", "required", "state at least one sharing method (Art 13)")
	}
	if slices.Contains(m.ShareMethods, ByTable) && !slices.ContainsFunc(m.Items, func(i Item) bool { return i.Key }) {
		c.warn("items", "key_missing", "a table without a key item cannot be mounted")
	}
	if !m.Open {
		for i, item := range m.Items {
			if item.Open {
				c.block(fmt.Sprintf("items[%d].open", i), "contradicts", "the item is open but the entry is not")
			}
		}
	}
}

// withholdRanks are the ranks of provisions that can forbid sharing (Art 15); departmental and local rules cannot.
var withholdRanks = []string{"law", "regulation", "state_council_decision"}

// withholding checks that what is withheld has reason, basis and decision, and that nothing of it is opened, mounted or
// offered (Art 15, checks 2.6).
func (c *checker) withholding() {
	m := c.m
	some := slices.ContainsFunc(m.Items, func(i Item) bool { return i.ShareType == Withheld })
	if m.DeclaredShare != Withheld && !some {
		if strings.TrimSpace(m.WithholdReason) != "" || m.WithholdBasis != nil || m.WithholdRuling != nil {
			c.block("withhold_reason", "contradicts", "there is a reason or basis for withholding, but nothing is withheld")
		}
		return
	}
	c.required("withhold_reason", m.WithholdReason, "state why data are withheld (Art 15)")
	if b := m.WithholdBasis; b == nil {
		c.demand(false, false)
		c.block("withhold_basis", "required", "name the law, administrative regulation or State Council decision that forbids sharing (Art 15)")
	} else {
		if !slices.Contains(withholdRanks, b.Rank) {
			c.block("withhold_basis.rank", "not_choice", "only a law, an administrative regulation or a State Council decision can forbid sharing (Art 15): state law, regulation or state_council_decision")
		}
		c.required("withhold_basis.title", b.Title, "give the title of the provision")
		c.required("withhold_basis.article", b.Article, "give the article that expressly forbids sharing")
	}
	if r := m.WithholdRuling; r == nil {
		c.demand(false, false, false)
		c.block("withhold_decision", "required", "record the government's decision that the data are withheld")
	} else {
		c.required("withhold_decision.body", r.Body, "name the government that decided")
		c.required("withhold_decision.document_no", r.DocumentNo, "give the number of the deciding document")
		c.date("withhold_decision.date", r.Date)
	}
	if m.DeclaredShare != Withheld {
		return
	}
	if m.Open {
		c.block("open", "contradicts", "withheld data cannot be open to the public")
	}
	if len(m.ShareMethods) > 0 {
		c.block("share_methods", "contradicts", "withheld data have no sharing method")
	}
	if c.facts.HasMounts {
		c.block("declared_share_type", "mounted", "the entry is mounted; remove its mounts before it is withheld")
	}
}
