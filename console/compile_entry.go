package console

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/catalog"
	"github.com/shuqiao/shuqiao/exchange"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
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

// entryActs lists what the reader can do now, with what it brings.
func (v *visit) entryActs(e entry, failed string) ([]entryAct, error) {
	name := e.Version.Name
	var acts []entryAct
	for _, step := range e.Acts {
		a := entryLooks[step]
		a.Act, a.Key, a.Typed = string(step), "entry_act."+string(step), map[string]string{}
		switch step {
		case catalog.StepReturn, catalog.StepReturnDept:
			a.Codes = choices(v, "return_reason", catalog.ReturnCodes())
		case catalog.StepPublish:
			a.Note = v.say("compile.publish_first")
			if e.Published != 0 {
				a.Note = v.say("compile.publish_next", "n", e.Published)
				if e.Version.OldUntil != "" {
					a.Note = v.say("beside.asked", "n", e.Published, "day", e.Version.OldUntil)
				}
			}
		case catalog.StepDiscard:
			a.Confirm = v.say("compile.confirm_discard", "name", name)
		case catalog.StepTakeOffline, catalog.StepRevoke:
			ends, err := v.ends(e.ID)
			if err != nil {
				return nil, err
			}
			a.Note = v.say("compile.ends", "grants", ends.grants, "tasks", ends.tasks)
			a.Confirm = v.say("compile.confirm_"+string(step), "name", name, "grants", ends.grants, "tasks", ends.tasks)
		case catalog.StepWithdrawConsent:
			a.Note = v.say("compile.withdraw_note")
		case catalog.StepRecordConsent:
			a.Note = v.say("compile.consent_note")
		}
		if failed == a.Act {
			a.Open = true
			a.Codes = chosen(a.Codes, v.r.PostForm["reason_code"]...)
			for _, field := range []string{"reason", "by", "date", "document", "filing"} {
				a.Typed[field] = v.field(field)
			}
		}
		acts = append(acts, a)
	}
	return acts, nil
}

// ending is what stops when an entry is taken out of use. Figures are words, since long lists are not counted to their end.
type ending struct{ grants, tasks string }

func (v *visit) ends(id uuid.UUID) (ending, error) {
	ctx := v.r.Context()
	grants, more := 0, false
	for _, state := range []sharing.GrantState{sharing.GrantActive, sharing.GrantSuspended, sharing.GrantPendingDelivery} {
		some, next, err := v.Sharing.ListGrants(ctx, v.principal, sharing.GrantFilter{ResourceID: id, State: state}, db.Page{Limit: db.MaxPage})
		if err != nil {
			return ending{}, err
		}
		grants, more = grants+len(some), more || next != ""
	}
	tasks, next, err := v.Exchange.Tasks(ctx, v.principal, exchange.TaskFilter{ResourceID: &id}, db.Page{Limit: db.MaxPage})
	if err != nil {
		return ending{}, err
	}
	return ending{atLeast(grants, more), atLeast(len(tasks), next != "")}, nil
}

func atLeast(n int, more bool) string {
	if more {
		return count(n) + "+"
	}
	return count(n)
}

// actOnEntry does what the address names. What goes wrong is shown where it was tried.
func (c *console) actOnEntry(v *visit) error {
	id, err := v.id()
	if err != nil {
		return err
	}
	act := v.r.PathValue("act")
	gone, err := v.act(v.r.Context(), id, catalog.Step(act), v.rowVersion())
	switch {
	case err != nil && gone:
		return err
	case err != nil:
		return v.drawEntry(id, act, err)
	case gone:
		return v.to(compilePath, "compile_"+act)
	}
	return v.to(compilePath+"/"+id.String(), "compile_"+act)
}

// act takes a step. gone says that the entry is not there any more, or that there is no such step.
func (v *visit) act(ctx context.Context, id uuid.UUID, step catalog.Step, version int64) (gone bool, err error) {
	s, p, reason := v.Catalog, v.principal, v.reason()
	switch step {
	case catalog.StepSubmit:
		_, err = s.SubmitWith(ctx, p, id, version, v.submission())
	case catalog.StepRecall:
		_, err = s.Recall(ctx, p, id, version)
	case catalog.StepApprove:
		_, err = s.Approve(ctx, p, id, version)
	case catalog.StepReturnDept:
		_, err = s.ReturnDept(ctx, p, id, version, reason, v.reasonCodes()...)
	case catalog.StepPublish:
		_, err = s.Publish(ctx, p, id, version)
	case catalog.StepReturn:
		_, err = s.Return(ctx, p, id, version, reason, v.reasonCodes()...)
	case catalog.StepStartVersion:
		_, err = s.StartVersion(ctx, p, id, version)
	case catalog.StepRecordConsent:
		_, err = s.RecordConsent(ctx, p, id, version, catalog.StandingConsent{By: v.field("by"), Date: v.field("date"), Document: v.field("document")})
	case catalog.StepWithdrawConsent:
		_, err = s.WithdrawConsent(ctx, p, id, version, reason)
	case catalog.StepTakeOffline:
		_, err = s.TakeOffline(ctx, p, id, version, reason, catalog.OfflineRequest{
			By: v.field("by"), Date: v.field("date"), Document: v.field("document"), Filing: v.field("filing"),
		})
	case catalog.StepRepublish:
		_, err = s.Republish(ctx, p, id, version)
	case catalog.StepRevoke:
		_, err = s.Revoke(ctx, p, id, version, reason)
	case catalog.StepDiscard:
		if err = s.DiscardDraft(ctx, p, id, version); err == nil {
			_, err = s.Get(ctx, p, id)
			gone = fault.Is(err, fault.NotFound)
			err = nil
		}
	default:
		return true, notFound()
	}
	return gone, err
}

// reason is what was ticked in the list of reasons, and what was written besides.
func (v *visit) reason() string {
	written := v.field("reason") // Parses the form, too.
	var parts []string
	for _, code := range v.reasonCodes() {
		parts = append(parts, v.word("return_reason", code))
	}
	if written != "" {
		parts = append(parts, written)
	}
	return strings.Join(parts, v.say("list.semicolon"))
}

// reasonCodes are the reasons that were ticked.
func (v *visit) reasonCodes() (out []catalog.ReturnCode) {
	for _, code := range v.r.PostForm["reason_code"] {
		if known := catalog.ReturnCode(code); slices.Contains(catalog.ReturnCodes(), known) && !slices.Contains(out, known) {
			out = append(out, known)
		}
	}
	return out
}

// entryWords says the values of an entry's fields as people do.
type entryWords struct {
	v       *visit
	names   *names
	bases   map[string]string
	systems map[uuid.UUID]string
	columns map[string]map[string]string // Words of the lists of the grid, by field and code.
	book    *catalog.CodeBook
	today   string
}

func (v *visit) entryWords(r catalog.Resource) (*entryWords, error) {
	w := &entryWords{v: v, names: v.names(), bases: v.bases(), systems: map[uuid.UUID]string{}, columns: map[string]map[string]string{}}
	systems, _, err := v.Catalog.Systems(v.r.Context(), v.principal, r.ProviderDeptID, db.Page{Limit: db.MaxPage})
	if err != nil {
		return nil, err
	}
	for _, s := range systems {
		w.systems[s.ID] = s.Name
	}
	if w.book, w.today, err = v.Catalog.CodeChoices(v.r.Context(), v.principal); err != nil {
		return nil, err
	}
	for _, c := range v.itemColumns(nil) {
		w.columns[c.Field] = map[string]string{}
		for _, value := range c.Values {
			w.columns[c.Field][value.Value] = value.Text
		}
	}
	return w, nil
}

// value says the value of a field of the entry, "" for none.
func (w *entryWords) value(field string, value any) string {
	v := w.v
	switch x := value.(type) {
	case bool:
		return v.word("yes", strconv.FormatBool(x))
	case catalog.ShareType:
		return v.word("share_type", x)
	case catalog.UpdateCycle:
		return v.word("update_cycle", x)
	case []catalog.ShareMethod:
		parts := make([]string, len(x))
		for i, m := range x {
			parts[i] = v.word("share_method", m)
		}
		return v.joined(parts)
	case []string:
		return v.joined(x)
	case []catalog.Classification:
		parts := make([]string, len(x))
		for i, c := range x {
			parts[i] = w.class(c)
		}
		return strings.Join(parts, v.say("list.semicolon"))
	case uuid.UUID:
		if x == uuid.Nil {
			return ""
		}
		if field == "system_id" {
			return w.systems[x]
		}
		return w.names.department(x)
	case string:
		switch {
		case x == "":
		case field == "format_category" || field == "withhold_basis.rank":
			return v.word(map[string]string{"format_category": "format_category", "withhold_basis.rank": "withhold_rank"}[field], x)
		case field == "level":
			return v.word("entry_level", x)
		case field == "base_database" && w.bases[x] != "":
			return w.bases[x]
		case field == "template":
			if t, err := catalog.FindTemplate(x); err == nil {
				return v.pick(t.Title, t.TitleEN)
			}
		}
		return x
	}
	return ""
}

func (w *entryWords) class(c catalog.Classification) string {
	out := w.v.classWords(w.book, w.today, c)
	if c.Primary {
		out += w.v.say("compile.primary_mark")
	}
	return out
}

// classWords says a classification: each level by its code and what the code table calls it, the first by the name alone.
func (v *visit) classWords(book *catalog.CodeBook, today string, c catalog.Classification) string {
	words := []string{v.word("class1", c.Class1)}
	code := c.Class1
	for _, part := range []string{c.Class2, c.Class3, c.Class4} {
		if part == "" {
			break
		}
		code += part
		if value, ok := book.Find(catalog.TableClassification, code, today); ok {
			part += " " + v.pick(value.Name, value.NameEN)
		}
		words = append(words, part)
	}
	return strings.Join(words, " / ")
}

// item says how an item differs.
func (w *entryWords) item(d catalog.ItemDifference) shownItem {
	switch {
	case d.Before == nil:
		return shownItem{Name: d.After.Name, Identifier: d.After.Identifier, Change: "added"}
	case d.After == nil:
		return shownItem{Name: d.Before.Name, Identifier: d.Before.Identifier, Change: "removed"}
	}
	out := shownItem{Name: d.After.Name, Identifier: d.After.Identifier, Change: "changed"}
	for _, c := range d.Changes {
		out.Fields = append(out.Fields, shownDifference{w.v.word("item_field", c.Field), w.itemValue(c.Field, c.Before), w.itemValue(c.Field, c.After)})
	}
	return out
}

func (w *entryWords) itemValue(field string, value any) string {
	switch x := value.(type) {
	case int:
		return strconv.Itoa(x)
	case catalog.DataType:
		return w.v.word("data_type", x)
	case catalog.Grade:
		return w.columns["grade"][string(x)]
	case string:
		if word := w.columns[field][x]; x != "" && word != "" {
			return word
		}
		return x
	}
	return w.value(field, value)
}
