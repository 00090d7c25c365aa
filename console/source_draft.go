package console

import (
	"net/http"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/catalog"
	"github.com/shuqiao/shuqiao/catalog/codes"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// reverseRoutes are cataloguing from tables, and how sources differ from what was mounted.
func (c *console) reverseRoutes(m *http.ServeMux) {
	m.Handle("GET /ui/sources/{id}/draft", c.page(c.showSourceDraft))
	m.Handle("POST /ui/sources/{id}/draft", c.page(c.createSourceDraft))
	m.Handle("GET /ui/drift", c.page(c.showDrift))
}

// chosenTables bounds the tables of one page: rows of each are looked at before it is shown.
const chosenTables = 20

// sourceDraftPage chooses tables, then shows what they would become, then what has become of them.
type sourceDraftPage struct {
	Source   catalog.Source
	Text     string
	Tables   []catalog.SourceTable
	Total    int
	Cut      bool
	Most     int
	Proposed []draftedTable
	Objects  []string
	Made     int // How many drafts were made; the page then lists them.
	Done     bool
	Failure  *diagnosis
}

// draftedTable is one table with its proposal as people read it.
type draftedTable struct {
	catalog.DraftedTable
	Lines []proposedLine
	Wrong []string // Why no draft was made of it, in words.
}

// proposedLine is one column with what is proposed for it and why.
type proposedLine struct {
	catalog.ProposedItem
	Why  []proposedWhy
	Weak []proposedWhy // What is only shown.
}

// proposedWhy is one field with its evidence in words.
type proposedWhy struct{ Field, Value, Evidence string }

// draftFrom reads the source and refuses readers who could not keep what is proposed.
func (v *visit) draftFrom() (catalog.Source, error) {
	id, err := v.id()
	if err != nil {
		return catalog.Source{}, err
	}
	s, err := v.Catalog.Source(v.r.Context(), v.principal, id)
	if err == nil && !v.mayDraft(s) {
		err = fault.New(fault.Forbidden, "forbidden", "you cannot compile entries for the department of this source")
	}
	return s, err
}

// mayDraft says whether the reader may make entries from the tables of a source.
func (v *visit) mayDraft(s catalog.Source) bool {
	return v.may(authz.SourceProbe, authz.Target{Kind: "source", ID: s.ID.String(), Department: s.DepartmentID}) &&
		v.may(authz.ResourceCompile, authz.Target{Kind: "resource", Department: s.DepartmentID})
}

func (c *console) showSourceDraft(v *visit) error {
	s, err := v.draftFrom()
	if err != nil {
		return err
	}
	page := sourceDraftPage{Source: s, Text: v.query("q"), Objects: v.r.URL.Query()["object"], Most: chosenTables}
	if len(page.Objects) == 0 {
		return v.drawTableChoice(page, nil)
	}
	return v.drawProposals(page)
}

// drawTableChoice lists the tables to choose from.
func (v *visit) drawTableChoice(page sourceDraftPage, problem error) error {
	all, err := v.Catalog.Tables(v.r.Context(), v.principal, page.Source.ID, askTables)
	if err != nil {
		if !fromSource(err) {
			return err
		}
		page.Failure = v.diagnose(fault.CodeOf(err), messageOf(err))
	}
	page.Tables = slices.DeleteFunc(all, func(t catalog.SourceTable) bool {
		return !strings.Contains(strings.ToLower(t.Object+" "+t.Comment), strings.ToLower(page.Text))
	})
	page.Total = len(page.Tables)
	if page.Cut = page.Total > maxTables; page.Cut {
		page.Tables = page.Tables[:maxTables]
	}
	if problem != nil {
		return v.again("source_draft", "draft.title", page, problem)
	}
	return v.show("source_draft", "draft.title", page)
}

// drawProposals shows what the chosen tables would become.
func (v *visit) drawProposals(page sourceDraftPage) error {
	if len(page.Objects) > chosenTables {
		page.Objects = nil
		return v.drawTableChoice(page, tooManyTables())
	}
	drafted, err := v.Catalog.DraftFromSource(v.r.Context(), v.principal, page.Source.ID, catalog.DraftInput{Objects: page.Objects})
	if err != nil {
		if fromSource(err) {
			page.Failure, page.Objects = v.diagnose(fault.CodeOf(err), messageOf(err)), nil
			return v.show("source_draft", "draft.title", page)
		}
		page.Objects = nil
		return v.drawTableChoice(page, err)
	}
	for _, d := range drafted {
		page.Proposed = append(page.Proposed, v.inWords(d))
	}
	return v.show("source_draft", "draft.title", page)
}

func tooManyTables() error {
	return fault.InvalidFields([]fault.Field{{Name: "objects", Code: "too_many", Message: "choose at most 20 tables at a time"}})
}

func (c *console) createSourceDraft(v *visit) error {
	s, err := v.draftFrom()
	if err != nil {
		return err
	}
	if err := v.r.ParseForm(); err != nil {
		return fault.New(fault.Invalid, "invalid", "the form cannot be read")
	}
	page := sourceDraftPage{Source: s, Objects: v.r.PostForm["object"], Most: chosenTables, Done: true}
	if len(page.Objects) > chosenTables {
		page.Objects, page.Done = nil, false
		return v.drawTableChoice(page, tooManyTables())
	}
	drafted, err := v.Catalog.DraftFromSource(v.r.Context(), v.principal, s.ID, catalog.DraftInput{Objects: page.Objects, Create: true})
	if err != nil {
		page.Objects, page.Done = nil, false
		return v.drawTableChoice(page, err)
	}
	last := uuid.Nil
	for _, d := range drafted {
		if d.ResourceID != uuid.Nil {
			page.Made++
			last = d.ResourceID
		}
		made := draftedTable{DraftedTable: d}
		if d.Problem != nil {
			for _, field := range d.Problem.Fields {
				made.Wrong = append(made.Wrong, v.finding(field))
			}
		}
		page.Proposed = append(page.Proposed, made)
	}
	if page.Made == 1 && len(drafted) == 1 {
		return v.to(prefix+"/compile/"+last.String(), "draft_made")
	}
	return v.show("source_draft", "draft.title", page)
}

// inWords puts the evidence for each column into sentences.
func (v *visit) inWords(d catalog.DraftedTable) draftedTable {
	out := draftedTable{DraftedTable: d}
	for _, item := range d.Proposal.Items {
		line := proposedLine{ProposedItem: item}
		for _, s := range item.Suggestions {
			why := proposedWhy{Field: v.say("item_field." + s.Field), Value: v.suggested(s), Evidence: v.evidence(s.Evidence)}
			switch {
			case !s.Taken:
				line.Weak = append(line.Weak, why)
			case slices.Contains([]string{"validator", "code_set", "grade", "is_key", "required"}, s.Field):
				line.Why = append(line.Why, why)
			}
		}
		out.Lines = append(out.Lines, line)
	}
	return out
}

// suggested is the value of a suggestion as people read it.
func (v *visit) suggested(s catalog.Suggestion) string {
	switch s.Field {
	case "validator", "code_set":
		return v.named(s.Value)
	case "grade":
		return v.word("grade", s.Value)
	case "is_key", "required":
		return v.word("answer", s.Value)
	}
	return s.Value
}

// named is what a check, a code list or a meaning is called.
func (v *visit) named(name string) string {
	if found, _, ok := codes.FindValidator(name); ok {
		return v.pick(found.ZH, found.EN)
	}
	if list, ok := codes.List(name); ok {
		return v.pick(list.ZH, list.EN)
	}
	if key := "meaning." + name; v.has(key) {
		return v.say(key)
	}
	return name
}

// evidence is a list of observations in one line.
func (v *visit) evidence(all []catalog.Evidence) string {
	said := make([]string, 0, len(all))
	for _, e := range all {
		said = append(said, v.say("evidence."+string(e.Kind), "name", v.named(e.Name), "passed", count(e.Passed), "of", count(e.Of)))
	}
	return strings.Join(said, v.say("evidence_and"))
}
