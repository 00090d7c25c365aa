package console

import (
	"encoding/json"
	"fmt"
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
	"github.com/shuqiao/shuqiao/sharing/filter"
)

// requestForm is what was typed into the form of a request, as it was typed.
type requestForm struct {
	Client                                                 string
	Items, Lookup, Unmask                                  []string
	Conditions                                             []condition
	LegalBasis, Scenario, Purpose, PurposeText, ValidUntil string
	CaseRequired                                           bool
	Quota, QuotaPeriod, RateRows                           string
	Ops, Periods                                           []string
}

// condition is one line of the row filter; all of them must hold.
type condition struct{ Item, Op, Value string }

// conditionLines is how many conditions the form offers.
const conditionLines = 3

// rowOps are the comparisons that the form offers, of those that the filter language has.
func rowOps() []string { return []string{"eq", "ne", "prefix", "ge", "le", "in"} }

// formPage is the form with what it is about.
type formPage struct {
	Resource   catalog.Resource
	Provider   string
	Clients    []identity.Client
	Items      []formItem
	Filterable []catalog.Item
	Form       requestForm
	Words      string // The row filter in words.
	KeepsRows  bool   // The draft's row filter says more than the lines of the form can: it stays as it is.
	Action     string
	Back       string
	Editing    bool // The terms of a draft, not a new request.
	ClientName string
	RowVersion int64
}

type formItem struct {
	catalog.Item
	Mask                             string
	Withheld, Chosen, Lookup, Unmask bool
	Wrong                            string
}

func (c *console) showRequestForm(v *visit) error {
	id, err := v.id()
	if err != nil {
		return err
	}
	page, err := v.newForm(id)
	if err != nil {
		return err
	}
	page.Form = requestForm{QuotaPeriod: "day"}
	if len(page.Clients) == 1 {
		page.Form.Client = page.Clients[0].ID.String()
	}
	return v.drawForm(page, nil)
}

// newForm reads what a new request for a resource is about.
func (v *visit) newForm(id uuid.UUID) (formPage, error) {
	r, err := v.Catalog.Get(v.r.Context(), v.principal, id)
	if err != nil {
		return formPage{}, err
	}
	if can, _ := v.canRequest(r); !can {
		return formPage{}, fault.New(fault.Forbidden, "forbidden", "you cannot ask for this resource")
	}
	active := identity.Active
	clients, _, err := v.Identity.Clients(v.r.Context(), v.principal, identity.ClientFilter{
		Department: &v.principal.Department, State: &active, Page: db.Page{Limit: db.MaxPage},
	})
	if err != nil {
		return formPage{}, err
	}
	here := prefix + "/resources/" + id.String()
	return formPage{Resource: r, Provider: v.department(r.ProviderDeptID), Clients: clients, Action: here + "/request", Back: here}, nil
}

// drawForm draws the form with what was typed and, at each field, what is wrong with it.
func (v *visit) drawForm(page formPage, problem error) error {
	f := &page.Form
	f.Ops, f.Periods = rowOps(), []string{"day", "month", "total"}
	for len(f.Conditions) < conditionLines {
		f.Conditions = append(f.Conditions, condition{Op: "eq"})
	}
	wrong := v.itemFaults(*f, problem)
	for _, i := range page.Resource.Version.Items {
		item := formItem{
			Item: i, Mask: maskOf(i), Withheld: i.ShareType == catalog.Withheld, Chosen: slices.Contains(f.Items, i.Identifier),
			Lookup: slices.Contains(f.Lookup, i.Identifier), Unmask: slices.Contains(f.Unmask, i.Identifier),
			Wrong: wrong[i.Identifier],
		}
		page.Items = append(page.Items, item)
		if i.Filterable && item.Mask == "" && !item.Withheld {
			page.Filterable = append(page.Filterable, i)
		}
	}
	if raw, err := f.rowFilter(page.Resource.Version.Items); err == nil && !page.KeepsRows {
		page.Words = v.rowsInWords(raw, page.Resource.Version.Items)
	}
	if problem != nil {
		return v.again("request_form", "form.head", page, problem)
	}
	return v.show("request_form", "form.head", page)
}

// itemFaults says what is wrong with single items: faults name them by their place in the lists that were sent.
func (v *visit) itemFaults(f requestForm, problem error) map[string]string {
	out := map[string]string{}
	p := v.problem(problem)
	if p == nil {
		return out
	}
	for name, list := range map[string][]string{"items": f.Items, "lookup": f.Lookup, "unmask": f.Unmask} {
		for i, identifier := range list {
			if sentence := p.fields[fmt.Sprintf("%s[%d]", name, i)]; sentence != "" {
				out[identifier] = sentence
			}
		}
	}
	return out
}

// typed reads the form as it was sent.
func (v *visit) typed() requestForm {
	_ = v.field("client") // Parses the form; one that cannot be read is an empty one, and every field says so.
	f := requestForm{
		Client: v.field("client"), Items: v.r.PostForm["items"], Lookup: v.r.PostForm["lookup"], Unmask: v.r.PostForm["unmask"],
		LegalBasis: v.field("legal_basis"), Scenario: v.field("scenario"), Purpose: v.field("purpose"),
		PurposeText: v.field("purpose_text"), ValidUntil: v.field("valid_until"), CaseRequired: v.field("case_required") != "",
		Quota: v.field("quota"), QuotaPeriod: v.field("quota_period"), RateRows: v.field("rate_rows"),
	}
	items, ops, values := v.r.PostForm["row_item"], v.r.PostForm["row_op"], v.r.PostForm["row_value"]
	for i := range min(len(items), len(ops), len(values), conditionLines) {
		f.Conditions = append(f.Conditions, condition{items[i], ops[i], strings.TrimSpace(values[i])})
	}
	return f
}

// rowFilter writes the conditions in the filter language, nil when there is none. Values are numbers for items that hold
// numbers. What the items do not allow is for the service to say.
func (f requestForm) rowFilter(items []catalog.Item) (json.RawMessage, error) {
	var args []any
	for _, c := range f.Conditions {
		if c.Item == "" || c.Value == "" {
			continue
		}
		at := slices.IndexFunc(items, func(i catalog.Item) bool { return i.Identifier == c.Item })
		letter := catalog.Char
		if at >= 0 {
			letter = items[at].DataType
		}
		node := map[string]any{"op": c.Op, "item": c.Item}
		if c.Op == "in" {
			var values []any
			for part := range strings.FieldsFuncSeq(c.Value, func(r rune) bool { return strings.ContainsRune(" ,;\u3001\uff0c\uff1b", r) }) {
				values = append(values, rowValue(part, letter))
			}
			node["values"] = values
		} else {
			node["value"] = rowValue(c.Value, letter)
		}
		args = append(args, node)
	}
	if len(args) == 0 {
		return nil, nil
	}
	whole := args[0]
	if len(args) > 1 {
		whole = map[string]any{"op": "and", "args": args}
	}
	raw, err := json.Marshal(whole)
	if err != nil {
		return nil, fmt.Errorf("writing the row filter: %w", err)
	}
	if _, err := filter.Parse(raw); err != nil {
		return raw, err
	}
	return raw, nil
}

func rowValue(text string, letter catalog.DataType) any {
	switch letter {
	case catalog.Integer, catalog.Float, catalog.Double:
		if _, err := strconv.ParseFloat(text, 64); err == nil {
			return json.Number(text)
		}
	case catalog.Logical:
		return text == "1" || strings.EqualFold(text, "true")
	}
	return text
}

// askedTerms are what the form asks for. Numbers and dates that cannot be read are faults at their fields.
func (v *visit) askedTerms(f requestForm, items []catalog.Item) (sharing.Terms, []fault.Field) {
	var wrong []fault.Field
	t := sharing.Terms{
		Items: f.Items, Lookup: f.Lookup, Unmask: f.Unmask, ShareMethods: []catalog.ShareMethod{catalog.ByAPI},
		LegalBasis: f.LegalBasis, Scenario: f.Scenario, Purpose: f.Purpose, PurposeText: f.PurposeText,
		CaseRequired: f.CaseRequired, QuotaPeriod: f.QuotaPeriod,
	}
	t.RowFilter, _ = f.rowFilter(items) // The service says what is wrong with it, together with everything else.
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

// createRequest drafts a request and, if that was asked for, hands it in.
func (c *console) createRequest(v *visit) error {
	ctx := v.r.Context()
	id, err := v.id()
	if err != nil {
		return err
	}
	page, err := v.newForm(id)
	if err != nil {
		return err
	}
	page.Form = v.typed()
	asked, wrong := v.askedTerms(page.Form, page.Resource.Version.Items)
	client, err := uuid.Parse(page.Form.Client)
	if err != nil {
		wrong = append(wrong, fault.Field{Name: "client_id", Code: "required", Message: "choose the client"})
	}
	if len(wrong) > 0 {
		return v.drawForm(page, fault.InvalidFields(wrong))
	}
	q, err := v.Sharing.CreateRequest(ctx, v.principal, sharing.Application{ClientID: client, ResourceID: id, Terms: asked})
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

// showEditForm is the same form over the terms of a draft, or of a request to be completed.
func (c *console) showEditForm(v *visit) error {
	page, q, err := v.editForm()
	if err != nil {
		return err
	}
	page.Form = v.formOf(q, page.Resource)
	return v.drawForm(page, nil)
}

func (c *console) editRequest(v *visit) error {
	page, q, err := v.editForm()
	if err != nil {
		return err
	}
	page.Form = v.typed()
	asked, wrong := v.askedTerms(page.Form, page.Resource.Version.Items)
	if len(wrong) > 0 {
		return v.drawForm(page, fault.InvalidFields(wrong))
	}
	// What the form does not offer stays as it was stated.
	asked.RateCalls, asked.ShareMethods = q.RateCalls, q.ShareMethods
	if page.KeepsRows {
		asked.RowFilter = q.RowFilter
	}
	q, err = v.Sharing.EditDraft(v.r.Context(), v.principal, q.ID, v.rowVersion(), asked)
	if err != nil {
		return v.drawForm(page, err)
	}
	return v.afterForm(q, "request_draft")
}

func (v *visit) editForm() (formPage, sharing.Request, error) {
	id, err := v.id()
	if err != nil {
		return formPage{}, sharing.Request{}, err
	}
	q, err := v.Sharing.GetRequest(v.r.Context(), v.principal, id)
	if err != nil {
		return formPage{}, q, err
	}
	page, err := v.newForm(q.ResourceID)
	if err != nil {
		return formPage{}, q, err
	}
	page.Editing, page.RowVersion, page.ClientName = true, q.RowVersion, q.ClientName
	if !inLines(q.RowFilter, page.Resource.Version.Items) {
		page.KeepsRows, page.Words = true, v.rowsInWords(q.RowFilter, page.Resource.Version.Items)
	}
	page.Back = prefix + "/requests/" + id.String()
	page.Action = page.Back + "/edit"
	return page, q, nil
}

// formOf fills the form with the terms of a request.
func (v *visit) formOf(q sharing.Request, r catalog.Resource) requestForm {
	items := v.items(r)
	identifiers := func(numbers []int) (out []string) {
		for _, no := range numbers {
			if i, ok := items[no]; ok {
				out = append(out, i.Identifier)
			}
		}
		return out
	}
	f := requestForm{
		Client: q.ClientID.String(), Items: identifiers(q.Items), Lookup: identifiers(q.Lookup), Unmask: identifiers(q.Unmask),
		LegalBasis: q.LegalBasis, Scenario: q.Scenario, Purpose: q.Purpose, PurposeText: q.PurposeText,
		CaseRequired: q.CaseRequired, ValidUntil: v.formats.day(q.ValidUntil), QuotaPeriod: q.QuotaPeriod,
		Conditions: conditionsOf(q.RowFilter),
	}
	if q.Quota > 0 {
		f.Quota = strconv.FormatInt(q.Quota, 10)
	}
	if q.RateRows > 0 {
		f.RateRows = strconv.Itoa(q.RateRows)
	}
	return f
}

// inLines reports whether the lines of the form can say a row filter. Filters that callers of the HTTP contract made may
// say more; leaving a part out would ask for more rows than was meant.
func inLines(raw json.RawMessage, items []catalog.Item) bool {
	if len(raw) == 0 || string(raw) == "null" {
		return true
	}
	stated, err := filter.Parse(raw)
	if err != nil {
		return false
	}
	lines, err := requestForm{Conditions: conditionsOf(raw)}.rowFilter(items)
	if err != nil || lines == nil {
		return false
	}
	again, err := filter.Parse(lines)
	return err == nil && stated.Equal(again)
}

// conditionsOf reads a row filter back into lines, as far as lines can say it.
func conditionsOf(raw json.RawMessage) []condition {
	type line struct {
		Op     string            `json:"op"`
		Item   string            `json:"item"`
		Value  json.RawMessage   `json:"value"`
		Values []json.RawMessage `json:"values"`
		Args   []line            `json:"args"`
	}
	var whole line
	if len(raw) == 0 || json.Unmarshal(raw, &whole) != nil {
		return nil
	}
	lines := []line{whole}
	if whole.Op == "and" {
		lines = whole.Args
	}
	plain := func(r json.RawMessage) string {
		var s string
		if json.Unmarshal(r, &s) == nil {
			return s
		}
		return string(r)
	}
	var out []condition
	for _, l := range lines {
		c := condition{Item: l.Item, Op: l.Op, Value: plain(l.Value)}
		if l.Op == "in" {
			parts := make([]string, len(l.Values))
			for i, value := range l.Values {
				parts[i] = plain(value)
			}
			c.Value = strings.Join(parts, ",")
		}
		if c.Item != "" && slices.Contains(rowOps(), c.Op) && len(out) < conditionLines {
			out = append(out, c)
		}
	}
	return out
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
	f := v.typed()
	page := formPage{}
	if raw, err := f.rowFilter(r.Version.Items); err == nil {
		page.Words = v.rowsInWords(raw, r.Version.Items)
	}
	return v.part("request_form", "words", page)
}
