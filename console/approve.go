package console

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/catalog"
	"github.com/shuqiao/shuqiao/catalog/mask"
	"github.com/shuqiao/shuqiao/internal/fault"
	"github.com/shuqiao/shuqiao/sharing"
)

// decision is the form of an approval: what was asked for, and the ways in which it can be narrowed.
type decision struct {
	Step       sharing.Step
	Key        string
	Open       bool // The last try failed: show it opened with what was typed.
	RowVersion int64
	RequestID  uuid.UUID

	Items      []decisionItem
	Filterable []catalog.Item
	Conditions []condition
	Ops        []string

	CaseAsked, CaseRequired                bool
	ValidUntil, Quota, RateCalls, RateRows string
	AskedUntil                             time.Time
	AskedQuota                             int64
	AskedCalls, AskedRows                  int
	QuotaPeriod                            string
	Opinion                                string

	Outlook outlook
}

// decisionItem is one requested item with the ways in which it can be given.
type decisionItem struct {
	catalog.Item
	Default       string // The catalogue's mask, "" for none.
	Masks         []string
	ClearAsked    bool
	LookupAsked   bool
	Given, Lookup bool
	Shown         string // "" as the catalogue says, clearMask, or a mask.
}

// clearMask stands in the form for an item that is given without its mask.
const clearMask = "clear"

// outlook is the grant as it will be, or why it cannot be.
type outlook struct {
	Grant   *sharing.Grant
	Terms   terms
	Left    []string // Names of requested items that are not given.
	Problem *problem
	Wrong   []string // What is wrong at fields, in words.
}

// decisionOn fills the form of an approval: with what was asked for, or with what was typed in a try that failed.
func (v *visit) decisionOn(q sharing.Request, r catalog.Resource, step sharing.Step, failed string) *decision {
	d := v.blankDecision(q, r)
	d.Step, d.Key = step, "move."+string(step)
	// A form of both steps whose first half is done goes on as the form of the second.
	d.Open = failed != "" && isApproval(sharing.Step(failed))
	if d.Open {
		v.typedDecision(d)
	}
	d.Outlook = v.outlookOf(q.ID, d, r)
	return d
}

func (v *visit) blankDecision(q sharing.Request, r catalog.Resource) *decision {
	d := &decision{
		RowVersion: q.RowVersion, RequestID: q.ID, Ops: rowOps(), CaseAsked: q.CaseRequired, CaseRequired: q.CaseRequired, ValidUntil: v.dayOf(q.ValidUntil),
		AskedUntil: q.ValidUntil, AskedQuota: q.Quota, AskedCalls: q.RateCalls, AskedRows: q.RateRows, QuotaPeriod: q.QuotaPeriod,
		Quota: figure(q.Quota), RateCalls: figure(int64(q.RateCalls)), RateRows: figure(int64(q.RateRows)),
	}
	for _, i := range r.Version.Items {
		if i.Filterable && maskOf(i) == "" && i.ShareType != catalog.Withheld {
			d.Filterable = append(d.Filterable, i)
		}
		if !slices.Contains(q.Items, i.No) {
			continue
		}
		item := decisionItem{
			Item: i, Default: maskOf(i), ClearAsked: slices.Contains(q.Unmask, i.No), LookupAsked: slices.Contains(q.Lookup, i.No), Given: true, Lookup: slices.Contains(q.Lookup, i.No),
		}
		for _, m := range mask.Masks() {
			if m.Name != item.Default && i.DataType != "" && m.Allows(i.DataType[0]) {
				item.Masks = append(item.Masks, m.Name)
			}
		}
		d.Items = append(d.Items, item)
	}
	for range conditionLines {
		d.Conditions = append(d.Conditions, condition{Op: "eq"})
	}
	return d
}

// figure is a limit as a form holds it: none is an empty field.
func figure(n int64) string {
	if n == 0 {
		return ""
	}
	return strconv.FormatInt(n, 10)
}

// typedDecision reads the form as it was sent. A form that holds no terms, only an opinion, leaves them as they were asked for.
func (v *visit) typedDecision(d *decision) {
	d.Opinion = v.field("reason")
	if v.field("terms") == "" {
		return
	}
	for i := range d.Items {
		item := &d.Items[i]
		item.Given = slices.Contains(v.r.PostForm["items"], item.Identifier)
		item.Lookup = slices.Contains(v.r.PostForm["lookup"], item.Identifier)
		item.Shown = v.field("mask-" + item.Identifier)
	}
	d.Conditions = d.Conditions[:0]
	d.Conditions = append(d.Conditions, v.typedFor("").Conditions...)
	for len(d.Conditions) < conditionLines {
		d.Conditions = append(d.Conditions, condition{Op: "eq"})
	}
	d.CaseRequired = d.CaseAsked || v.field("case_required") != ""
	d.ValidUntil, d.Quota, d.RateCalls, d.RateRows = v.field("valid_until"), v.field("quota"), v.field("rate_calls"), v.field("rate_rows")
}

// conditions are what the form says, in the words of the service: only what differs from what was asked for. Numbers and days that
// cannot be read are faults at their fields.
func (d *decision) conditions(v *visit, items []catalog.Item) (sharing.Conditions, []fault.Field) {
	var wrong []fault.Field
	c := sharing.Conditions{Opinion: d.Opinion, CaseRequired: d.CaseRequired && !d.CaseAsked, Masks: map[string]string{}}
	given, lookup := []string{}, []string{}
	fewer, fewerLookups := false, false
	for _, i := range d.Items {
		if !i.Given {
			fewer = true
			continue
		}
		given = append(given, i.Identifier)
		switch {
		case i.Shown == clearMask && i.ClearAsked:
			c.Unmask = append(c.Unmask, i.Identifier)
		case i.Shown != "":
			c.Masks[i.Identifier] = i.Shown
		}
		switch {
		case i.LookupAsked && !i.Lookup:
			fewerLookups = true
		case i.Lookup && i.Shown != clearMask: // What is given in clear needs no look-up.
			lookup = append(lookup, i.Identifier)
		}
	}
	if fewer {
		c.Items = given
	}
	if fewerLookups {
		c.Lookup = lookup
	}
	c.RowFilter, _ = choice{Conditions: d.Conditions}.rowFilter(items) // The service says what is wrong with it.
	if d.ValidUntil != "" && d.ValidUntil != v.dayOf(d.AskedUntil) {
		day, err := time.ParseInLocation(time.DateOnly, d.ValidUntil, v.formats.zone)
		if err != nil {
			wrong = append(wrong, fault.Field{Name: "valid_until", Code: "malformed", Message: "write the day as YYYY-MM-DD"})
		} else {
			until := day.AddDate(0, 0, 1).Add(-time.Second) // The last second of that day.
			c.ValidUntil = &until
		}
	}
	limit := func(name, text string, asked int64) *int64 {
		if text == figure(asked) {
			return nil
		}
		n := int64(0)
		if text != "" {
			var err error
			if n, err = strconv.ParseInt(strings.ReplaceAll(text, ",", ""), 10, 64); err != nil {
				wrong = append(wrong, fault.Field{Name: name, Code: "not_a_number", Message: "write a whole number"})
				return nil
			}
		}
		return &n
	}
	c.Quota = limit("quota", d.Quota, d.AskedQuota)
	c.RateCalls = small(limit("rate_calls", d.RateCalls, int64(d.AskedCalls)))
	c.RateRows = small(limit("rate_rows", d.RateRows, int64(d.AskedRows)))
	return c, wrong
}

func small(n *int64) *int {
	if n == nil {
		return nil
	}
	i := int(*n)
	return &i
}

// conditionsTyped reads the form of an approval of a request.
func (v *visit) conditionsTyped(ctx context.Context, id uuid.UUID) (sharing.Conditions, error) {
	q, err := v.Sharing.GetRequest(ctx, v.principal, id)
	if err != nil {
		return sharing.Conditions{}, err
	}
	r := v.version(sharingResource{q.ResourceID, q.ResourceVersion})
	d := v.blankDecision(q, r)
	v.typedDecision(d)
	c, wrong := d.conditions(v, r.Version.Items)
	return c, fault.InvalidFields(wrong)
}

func (v *visit) approve(ctx context.Context, id uuid.UUID, version int64) error {
	c, err := v.conditionsTyped(ctx, id)
	if err != nil {
		return err
	}
	_, err = v.Sharing.Approve(ctx, v.principal, id, version, c)
	return err
}

// approvable asks whether the form of an approval would be taken.
func (v *visit) approvable(ctx context.Context, id uuid.UUID) error {
	c, err := v.conditionsTyped(ctx, id)
	if err == nil {
		_, err = v.Sharing.PreviewApproval(ctx, v.principal, id, c)
	}
	return err
}

// outlookOf says what grant the form would make.
func (v *visit) outlookOf(id uuid.UUID, d *decision, r catalog.Resource) outlook {
	var o outlook
	c, wrong := d.conditions(v, r.Version.Items)
	err := fault.InvalidFields(wrong)
	var g sharing.Grant
	if err == nil {
		g, err = v.Sharing.PreviewApproval(v.r.Context(), v.principal, id, c)
	}
	if err != nil {
		o.Problem = v.problem(err)
		for field, sentence := range o.Problem.fields {
			o.Wrong = append(o.Wrong, v.decisionField(field, d)+v.say("list.colon")+sentence)
		}
		slices.Sort(o.Wrong)
		o.Wrong = slices.Compact(o.Wrong)
		return o
	}
	o.Grant, o.Terms = &g, v.termsOfGrant(g, v.version(sharingResource{g.ResourceID, g.ResourceVersion}))
	for _, i := range d.Items {
		if !slices.Contains(g.Items, i.No) {
			o.Left = append(o.Left, i.Name)
		}
	}
	return o
}

// decisionField is what people call a field of the form of an approval, of which faults name parts.
func (v *visit) decisionField(name string, d *decision) string {
	kind := strings.FieldsFunc(name, func(r rune) bool { return r == '.' || r == '[' })[0]
	if kind == "masks" {
		for _, i := range d.Items {
			if "masks."+i.Identifier == name {
				return v.say("approve.as_of", "item", i.Name)
			}
		}
	}
	return v.word("decision_field", kind)
}

// showOutlook says what grant the form would make, while it is filled in.
func (c *console) showOutlook(v *visit) error {
	id, err := v.id()
	if err != nil {
		return err
	}
	q, err := v.Sharing.GetRequest(v.r.Context(), v.principal, id)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(v.possibleSteps(q, false), isApproval) {
		return notFound()
	}
	r := v.version(sharingResource{q.ResourceID, q.ResourceVersion})
	d := v.blankDecision(q, r)
	v.typedDecision(d)
	return v.part("request", "outlook", v.outlookOf(id, d, r))
}
