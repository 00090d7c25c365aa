package console

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/authz/identity"
	"github.com/shuqiao/shuqiao/catalog"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
	"github.com/shuqiao/shuqiao/sharing"
)

// requestForm is what was typed into the form of requests and holds for all resources of the form, as it was typed.
type requestForm struct {
	Client                                                 string
	LegalBasis, Scenario, Purpose, PurposeText, ValidUntil string
	CaseRequired                                           bool
	Quota, QuotaPeriod, RateRows                           string
}

// choice is what was typed for one resource.
type choice struct {
	Items, Lookup, Unmask []string
	Conditions            []condition
}

// formPage is the form with what it is about: one resource, or several of them that are asked for on the same grounds.
type formPage struct {
	Parts      []formPart
	Clients    []identity.Client
	Form       requestForm
	Used       []usedPurpose
	Days       []dayChoice
	Quotas     []int
	Ops        []string
	Periods    []string
	Action     string
	Back       string
	BackTo     string // What the way back is called.
	Keep       string // The name under which the browser keeps what is typed.
	Editing    bool   // The terms of a draft, not a new request.
	ClientName string
	RowVersion int64
	Preview    *preview
	Several    bool
}

// formPart is one resource of the form.
type formPart struct {
	Resource   catalog.Resource
	Provider   string
	Prefix     string // Of the names of its fields; "" for the only one.
	Choice     choice
	Items      []formItem
	Filterable []catalog.Item
	Words      string               // The row filter in words.
	Sources    []catalog.ItemSource // Items that another department is the source of.
	KeepsRows  bool                 // The draft's row filter says more than the lines of the form can: it stays as it is.
}

type formItem struct {
	catalog.Item
	Mask                             string
	Withheld, Chosen, Lookup, Unmask bool
	Wrong                            string
}

// dayChoice is an end of the period that one click fills in.
type dayChoice struct{ Key, Day string }

// partPrefix is what the names of a resource's fields begin with where the form has several.
func partPrefix(id uuid.UUID) string { return "r" + id.String() + "-" }

func (c *console) showRequestForm(v *visit) error {
	id, err := v.id()
	if err != nil {
		return err
	}
	page, err := v.newForm(id)
	if err != nil {
		return err
	}
	page.Form = v.freshForm(page.Clients)
	return v.drawForm(page, nil)
}

// freshForm is the form before anything was typed: a year's use by the only client there is.
func (v *visit) freshForm(clients []identity.Client) requestForm {
	f := requestForm{QuotaPeriod: "day", ValidUntil: v.inMonths(12)}
	if len(clients) == 1 {
		f.Client = clients[0].ID.String()
	}
	return f
}

// inMonths is the day before the one that many months from now.
func (v *visit) inMonths(n int) string {
	return v.formats.day(v.Clock().In(v.formats.zone).AddDate(0, n, -1))
}

// newForm reads what a new request for resources is about. Of several, each must be one that the reader can ask for.
func (v *visit) newForm(ids ...uuid.UUID) (formPage, error) {
	page := formPage{Several: len(ids) > 1}
	for _, id := range ids {
		r, err := v.Catalog.Get(v.r.Context(), v.principal, id)
		if err != nil {
			return formPage{}, err
		}
		if can, _ := v.canRequest(r); !can {
			return formPage{}, fault.New(fault.Forbidden, "forbidden", "you cannot ask for this resource")
		}
		part := formPart{Resource: r, Provider: v.department(r.ProviderDeptID)}
		if part.Sources, err = v.Catalog.ItemSources(v.r.Context(), v.principal, id); err != nil {
			return formPage{}, err
		}
		if page.Several {
			part.Prefix = partPrefix(id)
		}
		page.Parts = append(page.Parts, part)
	}
	active := identity.Active
	clients, _, err := v.Identity.Clients(v.r.Context(), v.principal, identity.ClientFilter{
		Department: &v.principal.Department, State: &active, Page: db.Page{Limit: db.MaxPage},
	})
	if err != nil {
		return formPage{}, err
	}
	page.Clients = clients
	if page.Used, err = v.usedPurposes(); err != nil {
		return formPage{}, err
	}
	if !page.Several {
		id := ids[0].String()
		page.Back, page.BackTo = prefix+"/resources/"+id, page.Parts[0].Resource.Name
		page.Action, page.Keep = page.Back+"/request", "request-"+id
	}
	return page, nil
}

// drawForm draws the form with what was typed and, at each field, what is wrong with it.
func (v *visit) drawForm(page formPage, problem error) error {
	page.Ops, page.Periods, page.Quotas = rowOps(), []string{"day", "month", "total"}, []int{1000, 10_000, 100_000}
	page.Days = []dayChoice{{"ask.half_year", v.inMonths(6)}, {"ask.one_year", v.inMonths(12)}, {"ask.three_years", v.inMonths(36)}}
	for n := range page.Parts {
		v.fillPart(&page.Parts[n], problem)
	}
	switch {
	case page.Preview != nil:
		// A preview is asked for, not handed in: what is still wrong is part of the answer.
		return v.draw(http.StatusOK, "request_form", "form.head", page, problem)
	case problem != nil:
		return v.again("request_form", "form.head", page, problem)
	}
	return v.show("request_form", "form.head", page)
}

// fillPart lists the items of one resource as the form shows them.
func (v *visit) fillPart(part *formPart, problem error) {
	ch := &part.Choice
	for len(ch.Conditions) < conditionLines {
		ch.Conditions = append(ch.Conditions, condition{Op: "eq"})
	}
	wrong := v.itemFaults(*part, problem)
	for _, i := range part.Resource.Version.Items {
		item := formItem{
			Item: i, Mask: maskOf(i), Withheld: i.ShareType == catalog.Withheld, Chosen: slices.Contains(ch.Items, i.Identifier),
			Lookup: slices.Contains(ch.Lookup, i.Identifier), Unmask: slices.Contains(ch.Unmask, i.Identifier),
			Wrong: wrong[i.Identifier],
		}
		part.Items = append(part.Items, item)
		if i.Filterable && item.Mask == "" && !item.Withheld {
			part.Filterable = append(part.Filterable, i)
		}
	}
	if raw, err := ch.rowFilter(part.Resource.Version.Items); err == nil && !part.KeepsRows {
		part.Words = v.rowsInWords(raw, part.Resource.Version.Items)
	}
}

// itemFaults says what is wrong with single items: faults name them by their place in the lists that were sent.
func (v *visit) itemFaults(part formPart, problem error) map[string]string {
	out := map[string]string{}
	p := v.problem(problem)
	if p == nil {
		return out
	}
	for name, list := range map[string][]string{"items": part.Choice.Items, "lookup": part.Choice.Lookup, "unmask": part.Choice.Unmask} {
		for i, identifier := range list {
			if sentence := p.fields[fmt.Sprintf("%s%s[%d]", part.Prefix, name, i)]; sentence != "" {
				out[identifier] = sentence
			}
		}
	}
	return out
}

// typed reads what was sent for all resources of the form.
func (v *visit) typed() requestForm {
	return requestForm{
		Client: v.field("client"), LegalBasis: v.field("legal_basis"), Scenario: v.field("scenario"), Purpose: v.field("purpose"),
		PurposeText: v.field("purpose_text"), ValidUntil: v.field("valid_until"), CaseRequired: v.field("case_required") != "",
		Quota: v.field("quota"), QuotaPeriod: v.field("quota_period"), RateRows: v.field("rate_rows"),
	}
}

// typedFor reads what was sent for one resource.
func (v *visit) typedFor(prefix string) choice {
	_ = v.field("client") // Parses the form; one that cannot be read is an empty one, and every field says so.
	form := v.r.PostForm
	ch := choice{Items: form[prefix+"items"], Lookup: form[prefix+"lookup"], Unmask: form[prefix+"unmask"]}
	items, ops, values := form[prefix+"row_item"], form[prefix+"row_op"], form[prefix+"row_value"]
	for i := range min(len(items), len(ops), len(values), conditionLines) {
		ch.Conditions = append(ch.Conditions, condition{items[i], ops[i], strings.TrimSpace(values[i])})
	}
	return ch
}

// read takes what was sent into the page.
func (v *visit) read(page *formPage) {
	page.Form = v.typed()
	for n := range page.Parts {
		page.Parts[n].Choice = v.typedFor(page.Parts[n].Prefix)
	}
}

// askedTerms are what the form asks for of one resource. Numbers and dates that cannot be read are faults at their fields.
func (v *visit) askedTerms(f requestForm, part formPart) (sharing.Terms, []fault.Field) {
	var wrong []fault.Field
	ch := part.Choice
	t := sharing.Terms{
		Items: ch.Items, Lookup: ch.Lookup, Unmask: ch.Unmask, ShareMethods: []catalog.ShareMethod{catalog.ByAPI},
		LegalBasis: f.LegalBasis, Scenario: f.Scenario, Purpose: f.Purpose, PurposeText: f.PurposeText,
		CaseRequired: f.CaseRequired, QuotaPeriod: f.QuotaPeriod,
	}
	t.RowFilter, _ = ch.rowFilter(part.Resource.Version.Items) // The service says what is wrong with it, together with everything else.
	number := func(name, text string) int64 {
		if text == "" {
			return 0
		}
		n, err := strconv.ParseInt(strings.ReplaceAll(text, ",", ""), 10, 64)
		if err != nil || n < 0 {
			wrong = append(wrong, fault.Field{Name: name, Code: "not_a_number", Message: "write a whole number"})
		}
		return n
	}
	t.Quota = number("quota", f.Quota)
	t.RateRows = int(number("rate_rows", f.RateRows))
	if f.ValidUntil != "" {
		day, err := time.ParseInLocation(time.DateOnly, f.ValidUntil, v.formats.zone)
		if err != nil {
			wrong = append(wrong, fault.Field{Name: "valid_until", Code: "malformed", Message: "write the day as YYYY-MM-DD"})
		} else {
			t.ValidUntil = day.AddDate(0, 0, 1).Add(-time.Second) // The last second of that day.
		}
	}
	return t, wrong
}

// application is what the form asks for of one resource, with what cannot be read.
func (v *visit) application(page formPage, part formPart) (sharing.Application, []fault.Field) {
	terms, wrong := v.askedTerms(page.Form, part)
	client, err := uuid.Parse(page.Form.Client)
	if err != nil {
		wrong = append(wrong, fault.Field{Name: "client_id", Code: "required", Message: "choose the client"})
	}
	return sharing.Application{ClientID: client, ResourceID: part.Resource.ID, Terms: terms}, wrong
}

// check says everything that is wrong with the form, for all of its resources at once. Nothing is stored.
func (v *visit) check(page formPage) error {
	var all []fault.Field
	said := map[string]bool{}
	add := func(part formPart, fields []fault.Field) {
		for _, f := range fields {
			if ofPart(f.Name) {
				f.Name = part.Prefix + f.Name
			}
			if !said[f.Name] {
				said[f.Name] = true
				all = append(all, f)
			}
		}
	}
	for _, part := range page.Parts {
		a, wrong := v.application(page, part)
		add(part, wrong)
		err := v.Sharing.CheckRequest(v.r.Context(), v.principal, a)
		f, ok := errors.AsType[*fault.Fault](err)
		switch {
		case err == nil:
		case !ok || f.Kind == fault.Internal || f.Kind == fault.Unavailable || f.Kind == fault.Unauthenticated:
			return err
		case len(f.Fields) > 0:
			add(part, f.Fields)
		default:
			add(part, []fault.Field{{Name: "resource", Code: f.Code, Message: v.problem(err).Title}})
		}
	}
	return fault.InvalidFields(all)
}

// ofPart reports whether a fault's field belongs to one resource and not to the whole form.
func ofPart(name string) bool {
	return slices.ContainsFunc([]string{"items", "lookup", "unmask", "row_filter", "share_methods", "resource"}, func(p string) bool {
		return strings.HasPrefix(name, p)
	})
}

// createRequest drafts a request and, if that was asked for, hands it in.
func (c *console) createRequest(v *visit) error {
	id, err := v.id()
	if err != nil {
		return err
	}
	page, err := v.newForm(id)
	if err != nil {
		return err
	}
	v.read(&page)
	wrong := v.check(page)
	if v.field("then") == "preview" {
		return v.drawPreview(page, wrong)
	}
	if wrong != nil {
		return v.drawForm(page, wrong)
	}
	a, _ := v.application(page, page.Parts[0])
	q, err := v.Sharing.CreateRequest(v.r.Context(), v.principal, a)
	if err != nil {
		return v.drawForm(page, err)
	}
	return v.afterForm(q, "request_draft")
}

// afterForm hands a drafted request in where that was asked for. One that cannot be handed in is a draft all the same.
func (v *visit) afterForm(q sharing.Request, done string) error {
	if v.field("then") == "submit" {
		step := sharing.StepSubmit
		if q.State == sharing.RequestSupplementRequired {
			step = sharing.StepResubmit
		}
		if err := v.takeStep(v.r.Context(), q.ID, step, q.RowVersion); err != nil {
			return v.drawRequest(q.ID, string(step), err)
		}
		done = "request_submit"
	}
	return v.to(prefix+"/requests/"+q.ID.String(), done)
}

// sayRows says the conditions in words while they are typed.
func (c *console) sayRows(v *visit) error {
	id, err := v.id()
	if err != nil {
		return err
	}
	r, err := v.Catalog.Get(v.r.Context(), v.principal, id)
	if err != nil {
		return err
	}
	part := formPart{Resource: r}
	if v.field("several") != "" {
		part.Prefix = partPrefix(id)
	}
	if raw, err := v.typedFor(part.Prefix).rowFilter(r.Version.Items); err == nil {
		part.Words = v.rowsInWords(raw, r.Version.Items)
	}
	return v.part("request_form", "words", part)
}
