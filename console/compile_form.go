package console

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/catalog"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
	"github.com/shuqiao/shuqiao/sharing"
)

// maxDraft bounds what the form of an entry may send: a thousand items with long texts, each character three bytes that are
// sent as nine.
const maxDraft = 6 << 20

// draftForm is the form of a draft with what was typed.
type draftForm struct {
	Drift      *driftCard // Why the hub has begun the draft, or what else has changed at the source.
	Tabs       []tab
	Impact     *sharing.Impact  // nil where the version touches nobody.
	Resource   catalog.Resource // As it is stored.
	M          catalog.Metadata // As it was typed.
	RowVersion int64
	Tried      bool // It was submitted and refused: what is missing is shown at its fields, too.
	Found      entryFindings
	Provider   string
	CanDiscard bool
	CanSubmit  bool
	Beside     *besidePart           // nil where the draft takes nothing away.
	Returned   *catalog.HistoryEntry // Why the reviewers sent it back.
	Conflict   *draftConflict

	Basis       catalog.WithholdBasis
	Ruling      catalog.WithholdRuling
	Secrecy, PI catalog.Assessment
	Signoff     catalog.Signoff
	NotSecret   string

	Shares, Methods, Cycles, Levels, Ranks     []option
	Bases, Systems, Departments                []option
	Categories                                 []formatChoice
	OtherFormats                               string
	Classes                                    []classLine
	Class1                                     []option
	Class2Help, Class3Help, Class4Help         []option // What the code table has, with the class that each belongs to.
	ThemeHelp                                  []string
	Themes, Tags, Related, ItemsJSON, GridJSON string
	Items                                      []catalog.Item
}

func (draftForm) grid() bool { return true }

// formatChoice is a format category with its formats.
type formatChoice struct {
	option
	Formats []option // Empty where the provider names them.
}

// classLine is one line of the classification.
type classLine struct {
	Index int
	catalog.Classification
	Choices []option
}

// draftConflict says that somebody else saved while this form was open.
type draftConflict struct {
	At         time.Time
	RowVersion int64 // Of what is stored now: saving on purpose replaces that.
	Fields     []string
}

// draftOf is what the form says about an entry, nil where no form was sent.
type draftOf struct {
	m          catalog.Metadata
	items      string
	rowVersion int64
	tried      bool
}

// showEntry is the form of a draft for those who may change it, else the entry as reviewers see it.
func (c *console) showEntry(v *visit) error {
	id, err := v.id()
	if err != nil {
		return err
	}
	if may, _ := v.compiles(); !may {
		return notForYou()
	}
	return v.drawEntry(id, "", nil)
}

// drawDraft draws the form with what was typed, or with what is stored.
func (v *visit) drawDraft(e entry, typed *draftOf, problem error) error {
	r := e.Resource
	page := draftForm{
		Resource: r, M: r.Version.Metadata, RowVersion: r.RowVersion, Provider: v.department(r.ProviderDeptID), NotSecret: catalog.NotSecret,
		CanDiscard: slices.Contains(e.Acts, catalog.StepDiscard), CanSubmit: slices.Contains(e.Acts, catalog.StepSubmit),
		Tabs: v.entryTabs(r, "content"),
	}
	var err error
	if page.Impact, err = v.impactOf(r); err != nil {
		return err
	}
	if r.Version.State == catalog.Returned {
		for _, h := range e.History {
			if h.Version == r.Version.Number && h.To == catalog.Returned && h.Reason != "" {
				page.Returned = &h
			}
		}
	}
	if typed != nil {
		page.M, page.RowVersion, page.Tried = typed.m, typed.rowVersion, typed.tried
		if fault.Is(problem, fault.Precondition) {
			page.Conflict = v.conflict(r, typed.m)
		}
	}
	if page.Beside, err = v.beside(r, page.M); err != nil {
		return err
	}
	found, err := v.Catalog.CheckDraft(v.r.Context(), v.principal, r.ID, page.M)
	if err != nil {
		return err
	}
	page.Found = v.entryFindings(found, page.M, page.Tried)
	if page.Drift, err = v.drift(catalog.DriftFilter{ResourceID: r.ID}, r.ProviderDeptID); err != nil {
		return err
	}
	if err := v.fillForm(&page); err != nil {
		return err
	}
	if typed != nil && typed.items != "" {
		page.ItemsJSON = typed.items
	}
	if problem != nil {
		return v.again("compile_form", r.Version.Name, page, problem)
	}
	return v.show("compile_form", r.Version.Name, page)
}

// conflict says what the form would change in what somebody else saved.
func (v *visit) conflict(r catalog.Resource, typed catalog.Metadata) *draftConflict {
	out := &draftConflict{At: r.UpdatedAt, RowVersion: r.RowVersion}
	fields, items := catalog.Compare(r.Version.Metadata, typed)
	for _, f := range fields {
		if label := v.fieldLabel(f.Field, typed.Items); !slices.Contains(out.Fields, label) {
			out.Fields = append(out.Fields, label)
		}
	}
	if len(items) > 0 {
		out.Fields = append(out.Fields, v.say("compile.items_differ", "n", len(items)))
	}
	return out
}

// fillForm adds what the form offers to choose from.
func (v *visit) fillForm(page *draftForm) error {
	m := page.M
	page.Basis, page.Ruling, page.Signoff = stated(m.WithholdBasis), stated(m.WithholdRuling), stated(m.HeadSignoff)
	page.Secrecy, page.PI = stated(m.SecrecyAssess), stated(m.PIAssess)
	page.Themes, page.Tags, page.Related = v.joined(m.Themes), v.joined(m.Tags), strings.Join(m.RelatedCodes, "\n")
	page.Shares = chosen(choices(v, "share_type", []catalog.ShareType{catalog.Unconditional, catalog.Conditional, catalog.Withheld}), string(m.DeclaredShare))
	methods := make([]string, len(m.ShareMethods))
	for i, method := range m.ShareMethods {
		methods[i] = string(method)
	}
	page.Methods = chosen(choices(v, "share_method", []catalog.ShareMethod{catalog.ByTable, catalog.ByFile, catalog.ByAPI}), methods...)
	page.Cycles = chosen(choices(v, "update_cycle", catalog.UpdateCycles()), string(m.UpdateCycle))
	page.Levels = chosen(choices(v, "entry_level", catalog.Levels()), m.Level)
	page.Ranks = chosen(choices(v, "withhold_rank", catalog.WithholdRanks()), page.Basis.Rank)
	book, today, err := v.Catalog.CodeChoices(v.r.Context(), v.principal)
	if err != nil {
		return err
	}
	page.fillFormats(v, book, today)
	page.fillClasses(v, book, today)
	for _, theme := range book.Valid(catalog.TableTheme, today) {
		page.ThemeHelp = append(page.ThemeHelp, theme.Name)
	}

	bases, err := v.Catalog.BaseDatabases(v.r.Context(), v.principal)
	if err != nil {
		return err
	}
	for _, b := range bases {
		page.Bases = append(page.Bases, option{Value: b.Code, Text: v.pick(b.Name, b.NameEN), Selected: b.Code == m.BaseDatabase})
	}
	systems, _, err := v.Catalog.Systems(v.r.Context(), v.principal, page.Resource.ProviderDeptID, db.Page{Limit: db.MaxPage})
	if err != nil {
		return err
	}
	for _, s := range systems {
		page.Systems = append(page.Systems, option{Value: s.ID.String(), Text: s.Name, Selected: s.ID == m.SystemID})
	}
	departments, err := v.allDepartments()
	if err != nil {
		return err
	}
	page.Departments = chosen(departments, m.SourceDeptID.String())
	page.Items = m.Items
	items := m.Items
	if items == nil {
		items = []catalog.Item{}
	}
	raw, err := json.Marshal(items)
	if err != nil {
		return fmt.Errorf("writing items: %w", err)
	}
	page.ItemsJSON = string(raw)
	page.GridJSON, err = v.gridSpec(departments)
	return err
}

// fillFormats offers the formats of each category; what is stated besides is kept as text.
func (f *draftForm) fillFormats(v *visit, book *catalog.CodeBook, today string) {
	var known []string
	for _, c := range catalog.FormatCategories() {
		one := formatChoice{option: option{Value: c.Code, Text: v.word("format_category", c.Code), Selected: c.Code == f.M.FormatCategory}}
		for _, format := range book.Formats(c.Code, today) {
			at := slices.IndexFunc(f.M.Formats, func(stated string) bool { return one.Selected && strings.EqualFold(stated, format) })
			one.Formats = append(one.Formats, option{Value: format, Text: format, Selected: at >= 0})
			if at >= 0 {
				known = append(known, f.M.Formats[at])
			}
		}
		f.Categories = append(f.Categories, one)
	}
	var others []string
	for _, stated := range f.M.Formats {
		if !slices.Contains(known, stated) {
			others = append(others, stated)
		}
	}
	f.OtherFormats = v.joined(others)
}

// fillClasses offers one line more than there are classifications.
func (f *draftForm) fillClasses(v *visit, book *catalog.CodeBook, today string) {
	f.Class1 = choices(v, "class1", []string{"1", "2", "3"})
	for _, c := range book.Valid(catalog.TableClassification, today) {
		one := option{Value: strings.TrimPrefix(c.Code, c.Parent), Text: c.Parent + " \u00b7 " + v.pick(c.Name, c.NameEN)}
		switch n := len(c.Code); {
		case n > 6:
			f.Class4Help = append(f.Class4Help, one)
		case n > 3:
			f.Class3Help = append(f.Class3Help, one)
		case n > 1:
			f.Class2Help = append(f.Class2Help, one)
		}
	}
	lines := append(slices.Clone(f.M.Classifications), catalog.Classification{Primary: len(f.M.Classifications) == 0})
	for i, c := range lines {
		f.Classes = append(f.Classes, classLine{Index: i, Classification: c, Choices: chosen(f.Class1, c.Class1)})
	}
}

// stated is what a pointer points to, or nothing.
func stated[T any](p *T) T {
	if p == nil {
		var none T
		return none
	}
	return *p
}

// joined writes a list into one field, as parted reads it.
func (v *visit) joined(list []string) string { return strings.Join(list, v.say("list.comma")) }

// parted reads a list that was typed into one field: commas, semicolons of both scripts and line ends part it.
func parted(text string) []string {
	out := []string{}
	for part := range strings.FieldsFuncSeq(text, func(r rune) bool { return strings.ContainsRune(",;\n\r\u3001\uff0c\uff1b", r) }) {
		if part = strings.TrimSpace(part); part != "" {
			out = append(out, part)
		}
	}
	return out
}

// typedDraft reads the form. Items that cannot be read are a fault; everything else is taken as it is, for the service to judge.
func (v *visit) typedDraft() (draftOf, error) {
	if err := v.r.ParseForm(); err != nil {
		return draftOf{}, fault.New(fault.TooLarge, "too_large", "the form is larger than this page takes")
	}
	form := v.r.PostForm
	id := func(name string) uuid.UUID {
		id, _ := uuid.Parse(v.field(name))
		return id
	}
	m := catalog.Metadata{
		Name: v.field("name"), ProviderUnit: v.field("provider_unit"), Summary: v.field("summary"), FormatCategory: v.field("format_category"),
		Formats: append(slices.Clone(form["formats"]), parted(v.field("other_formats"))...), ShareCondition: v.field("share_condition"),
		ShareScope: v.field("share_scope"), SharePurpose: v.field("share_purpose"), WithholdReason: v.field("withhold_reason"),
		DeclaredShare: catalog.ShareType(v.field("declared_share_type")), Open: v.field("open") == "true", OpenCondition: v.field("open_condition"),
		UpdateCycle: catalog.UpdateCycle(v.field("update_cycle")), RelatedCodes: parted(v.field("related_codes")), UsageTerms: v.field("usage_terms"),
		Secrecy: v.field("secrecy"), SourceDeptID: id("source_dept_id"), SystemID: id("system_id"), CollectBasis: v.field("collect_basis"), RecollectReason: v.field("recollect_reason"),
		Themes: parted(v.field("themes")), Tags: parted(v.field("tags")), ContactName: v.field("contact_name"), ContactPhone: v.field("contact_phone"),
		Level: v.field("level"), DivisionCode: v.field("division_code"), BaseDatabase: v.field("base_database"), Template: v.field("template"),
		WithholdBasis: optionally(catalog.WithholdBasis{
			Rank: v.field("withhold_basis.rank"), Title: v.field("withhold_basis.title"), Article: v.field("withhold_basis.article"),
		}),
		WithholdRuling: optionally(catalog.WithholdRuling{
			Body: v.field("withhold_decision.body"), DocumentNo: v.field("withhold_decision.document_no"), Date: v.field("withhold_decision.date"),
		}),
		SecrecyAssess: v.typedAssessment("secrecy_assessment"), PIAssess: v.typedAssessment("pi_assessment"),
		HeadSignoff: optionally(catalog.Signoff{
			Name: v.field("head_signoff.name"), Date: v.field("head_signoff.date"), Document: v.field("head_signoff.document"),
		}),
	}
	for _, method := range form["share_methods"] {
		m.ShareMethods = append(m.ShareMethods, catalog.ShareMethod(method))
	}
	primary, _ := strconv.Atoi(v.field("class_primary"))
	for i := range min(len(form["class1"]), len(form["class2"]), len(form["class3"]), len(form["class4"])) {
		c := catalog.Classification{
			Class1: form["class1"][i], Class2: strings.TrimSpace(form["class2"][i]), Class3: strings.TrimSpace(form["class3"][i]),
			Class4: strings.TrimSpace(form["class4"][i]),
		}
		if c == (catalog.Classification{}) {
			continue
		}
		c.Primary = i == primary
		m.Classifications = append(m.Classifications, c)
	}
	out := draftOf{m: m, items: v.r.PostFormValue("items"), rowVersion: v.rowVersion(), tried: v.field("tried") != ""}
	if out.items == "" {
		out.items = "[]"
	}
	if err := json.Unmarshal([]byte(out.items), &out.m.Items); err != nil {
		out.m.Items = nil
		return out, oneField("items", "malformed")
	}
	return out, nil
}

func (v *visit) typedAssessment(name string) *catalog.Assessment {
	return optionally(catalog.Assessment{
		Title: v.field(name + ".title"), Date: v.field(name + ".date"), Conclusion: v.field(name + ".conclusion"),
		SHA256: strings.ToLower(v.field(name + ".sha256")),
	})
}

// optionally is nil for what states nothing at all.
func optionally[T comparable](value T) *T {
	var none T
	if value == none {
		return nil
	}
	return &value
}

// saveDraft keeps what was typed, and submits it where that was asked for. What goes wrong is shown in the form.
func (c *console) saveDraft(v *visit) error {
	ctx := v.r.Context()
	id, err := v.id()
	if err != nil {
		return err
	}
	typed, problem := v.typedDraft()
	if fault.Is(problem, fault.TooLarge) {
		return problem
	}
	version := typed.rowVersion
	if over, err := strconv.ParseInt(v.field("overwrite"), 10, 64); err == nil {
		version = over
	}
	if problem == nil {
		var saved catalog.Resource
		if saved, problem = v.Catalog.EditDraft(ctx, v.principal, id, version, typed.m); problem == nil {
			if v.field("then") != "submit" {
				return v.to(compilePath+"/"+id.String(), "compile_saved")
			}
			if _, problem = v.Catalog.SubmitWith(ctx, v.principal, id, saved.RowVersion, v.submission()); problem == nil {
				return v.to(compilePath+"/"+id.String(), "compile_submit")
			}
			typed.rowVersion, typed.tried = saved.RowVersion, true
		}
	}
	switch fault.KindOf(problem) {
	case fault.Internal, fault.NotFound, fault.Forbidden:
		return problem
	}
	e, err := v.entry(id)
	if err != nil {
		return err
	}
	return v.drawDraft(e, &typed, problem)
}
