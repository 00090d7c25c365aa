package console

import (
	"net/http"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/catalog"
	"github.com/shuqiao/shuqiao/sharing"
)

// entry is one entry with the version that its desk is about, and what the reader can do with it.
type entry struct {
	catalog.Resource
	History []catalog.HistoryEntry
	Acts    []catalog.Step
	Review  bool // The version is under review, or about to be.
}

// entry reads the newest version for those who have a part in it: the department always, the authority once it was submitted
// to it. Everybody else sees what is published.
func (v *visit) entry(id uuid.UUID) (entry, error) {
	ctx := v.r.Context()
	r, err := v.Catalog.Get(ctx, v.principal, id)
	if err != nil {
		return entry{}, err
	}
	published := r
	if r.Newest != r.Version.Number && v.may(authz.ResourceReadDraft, entryTarget(r)) {
		newest, err := v.Catalog.GetVersion(ctx, v.principal, id, r.Newest)
		if err != nil {
			return entry{}, err
		}
		own := v.principal.Department == r.ProviderDeptID
		if own || newest.Version.State != catalog.Draft && newest.Version.State != catalog.DeptReview {
			r = newest
		}
	}
	e := entry{Resource: r}
	if v.may(authz.ResourceReadDraft, entryTarget(r)) {
		if e.History, err = v.Catalog.History(ctx, v.principal, id); err != nil {
			return entry{}, err
		}
	}
	e.Acts = v.Catalog.PossibleActs(v.principal, r, r.Version, e.History)
	if r.Version.Number != published.Version.Number {
		for _, act := range v.Catalog.PossibleActs(v.principal, published, published.Version, e.History) {
			if !slices.Contains(e.Acts, act) {
				e.Acts = append(e.Acts, act)
			}
		}
	}
	switch r.Version.State {
	case catalog.Draft, catalog.DeptReview, catalog.PlatformReview, catalog.Returned:
		e.Review = true
	}
	return e, nil
}

func entryTarget(r catalog.Resource) authz.Target {
	return authz.Target{Kind: "resource", ID: r.ID.String(), Department: r.ProviderDeptID, State: string(r.State)}
}

// entryPage is an entry as its reviewers see it: whole, with what changed and what the rules say.
type entryPage struct {
	Resource   catalog.Resource
	Provider   string
	Review     bool
	Found      entryFindings
	Sections   []factSection
	Items      []itemLine
	Before     int // Number of the version that it is compared with, 0 for none.
	Fields     []shownDifference
	ItemsDiff  []shownItem
	Steps      []entryStep
	Acts       []entryAct
	DraftIs    int // Number of a newer version that somebody works on, 0 for none.
	Directory  bool
	AwaitsHead bool // Nothing can be done by the reader who made it.
	Drift      *driftCard
	Tabs       []tab
	Impact     *sharing.Impact // nil where the version touches nobody.
	Beside     *besidePart     // nil where the version takes nothing away.
}

// factSection is one part of what an entry states.
type factSection struct {
	Key   string
	Facts []fact
}

type fact struct{ Label, Value string }

// itemLine is an item with how it differs from the version before.
type itemLine struct {
	catalog.Item
	Change string // "added", "changed" or "".
}

type shownDifference struct{ Label, Before, After string }

type shownItem struct {
	Name, Identifier, Change string
	Fields                   []shownDifference
}

// entryStep is one step of the history; edits in a row are one.
type entryStep struct {
	catalog.HistoryEntry
	Times int
	Mine  bool
}

// entryAct is what the reader can do, as a button or a form that opens.
type entryAct struct {
	Act, Key, Icon  string
	Form, Must      bool
	Danger, Primary bool
	Open            bool // The last try failed: show it opened with what was typed.
	Confirm         string
	Note            string
	Codes           []option
	Typed           map[string]string
}

// sections say under which heading each field of an entry stands, in the order of the form.
var sections = []struct {
	key    string
	fields []string
}{
	{"basics", []string{"name", "summary", "provider_unit", "base_database", "template", "classifications", "level", "division_code", "themes", "tags", "related_codes"}},
	{"sharing", []string{"declared_share_type", "share_condition", "share_scope", "share_purpose", "withhold_reason", "withhold_basis", "withhold_decision", "share_methods", "usage_terms"}},
	{"format", []string{"format_category", "formats", "update_cycle", "open", "open_condition"}},
	{"statements", []string{"secrecy", "secrecy_assessment", "pi_assessment", "head_signoff"}},
	{"responsibility", []string{"system_id", "source_dept_id", "collect_basis", "recollect_reason", "contact_name", "contact_phone"}},
}

// looks of the acts; those that are not named are plain buttons.
var entryLooks = map[catalog.Step]entryAct{
	catalog.StepEdit:            {Icon: "edit", Primary: true},
	catalog.StepSubmit:          {Icon: "send"},
	catalog.StepRecall:          {Icon: "rotate"},
	catalog.StepApprove:         {Icon: "signature", Form: true, Primary: true},
	catalog.StepReturnDept:      {Icon: "arrow-left", Form: true, Must: true},
	catalog.StepPublish:         {Icon: "circle-check", Form: true, Primary: true},
	catalog.StepReturn:          {Icon: "arrow-left", Form: true, Must: true},
	catalog.StepStartVersion:    {Icon: "versions"},
	catalog.StepRecordConsent:   {Icon: "signature", Form: true},
	catalog.StepWithdrawConsent: {Icon: "x", Form: true, Must: true},
	catalog.StepTakeOffline:     {Icon: "player-pause", Form: true, Must: true, Danger: true},
	catalog.StepRepublish:       {Icon: "player-play"},
	catalog.StepRevoke:          {Icon: "ban", Form: true, Must: true, Danger: true},
	catalog.StepDiscard:         {Icon: "trash", Danger: true},
}

// drawEntry draws the form of a draft for those who may change it, else the entry for its reviewers, with the form of a failed
// act opened.
func (v *visit) drawEntry(id uuid.UUID, failed string, problem error) error {
	e, err := v.entry(id)
	if err != nil {
		return err
	}
	if len(e.History) == 0 {
		if problem != nil {
			return problem
		}
		http.Redirect(v.w, v.r, prefix+"/resources/"+id.String(), http.StatusSeeOther)
		return nil
	}
	if slices.Contains(e.Acts, catalog.StepEdit) && v.query("view") == "" {
		return v.drawDraft(e, nil, problem)
	}
	page := entryPage{
		Resource: e.Resource, Provider: v.department(e.ProviderDeptID), Review: e.Review, Directory: e.Published != 0 && e.State == catalog.Published,
	}
	if page.Drift, err = v.drift(catalog.DriftFilter{ResourceID: e.ID}, e.ProviderDeptID); err != nil {
		return err
	}
	if e.Newest > e.Version.Number {
		page.DraftIs = e.Newest
	}
	page.Tabs = v.entryTabs(e.Resource, "content")
	if page.Impact, err = v.impactOf(e.Resource); err != nil {
		return err
	}
	if page.Beside, err = v.beside(e.Resource, e.Version.Metadata); err != nil {
		return err
	}
	if e.Review {
		found, err := v.Catalog.Findings(v.r.Context(), v.principal, id)
		if err != nil {
			return err
		}
		page.Found = v.entryFindings(found, e.Version.Metadata, true).unlinked()
	}
	if err := v.tell(&page, e); err != nil {
		return err
	}
	for _, h := range e.History {
		mine := slices.Contains(v.principal.Selves(), h.ActorID)
		if last := len(page.Steps) - 1; last >= 0 && h.Step == catalog.StepEdit && page.Steps[last].Step == h.Step && page.Steps[last].ActorID == h.ActorID && page.Steps[last].Version == h.Version {
			page.Steps[last].At, page.Steps[last].Times = h.At, page.Steps[last].Times+1
			continue
		}
		page.Steps = append(page.Steps, entryStep{HistoryEntry: h, Times: 1, Mine: mine})
	}
	slices.Reverse(page.Steps)
	if page.Acts, err = v.entryActs(e, failed); err != nil {
		return err
	}
	for i := range page.Acts {
		if a := &page.Acts[i]; a.Act == string(catalog.StepSubmit) {
			a.Form = page.Beside != nil
		}
	}
	page.AwaitsHead = e.Review && len(page.Acts) == 0
	if problem != nil {
		return v.again("compile_entry", e.Version.Name, page, problem)
	}
	return v.show("compile_entry", e.Version.Name, page)
}

// tell writes what an entry states, and how that differs from what is published.
func (v *visit) tell(page *entryPage, e entry) error {
	words, err := v.entryWords(e.Resource)
	if err != nil {
		return err
	}
	all, _ := catalog.Compare(catalog.Metadata{}, e.Version.Metadata)
	for _, s := range sections {
		section := factSection{Key: "compile.section_" + s.key}
		for _, field := range s.fields {
			for _, d := range all {
				if top, _, _ := strings.Cut(d.Field, "."); top == field {
					section.Facts = append(section.Facts, fact{v.fieldLabel(d.Field, nil), words.value(d.Field, d.After)})
				}
			}
		}
		if len(section.Facts) > 0 {
			page.Sections = append(page.Sections, section)
		}
	}
	changes := map[string]string{}
	if e.Review && e.Published != 0 && e.Published != e.Version.Number {
		before, err := v.Catalog.GetVersion(v.r.Context(), v.principal, e.ID, e.Published)
		if err != nil {
			return err
		}
		page.Before = before.Version.Number
		fields, items := catalog.Compare(before.Version.Metadata, e.Version.Metadata)
		for _, d := range fields {
			page.Fields = append(page.Fields, shownDifference{v.fieldLabel(d.Field, nil), words.value(d.Field, d.Before), words.value(d.Field, d.After)})
		}
		for _, i := range items {
			shown := words.item(i)
			changes[shown.Identifier] = shown.Change
			page.ItemsDiff = append(page.ItemsDiff, shown)
		}
	}
	for _, i := range e.Version.Items {
		page.Items = append(page.Items, itemLine{i, changes[i.Identifier]})
	}
	return nil
}
