package console

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/shuqiao/shuqiao/catalog"
	"github.com/shuqiao/shuqiao/catalog/codes"
	"github.com/shuqiao/shuqiao/sharing"
	"github.com/shuqiao/shuqiao/sharing/filter"
)

// terms is what is asked for or granted, as people read it.
type terms struct {
	Items        []termItem
	Rows         string // The row filter in words, "" for all rows.
	LegalBasis   string
	Scenario     string
	Purpose      string
	PurposeText  string
	CaseRequired bool
	Methods      []catalog.ShareMethod
	From         *time.Time // nil while it is only asked for.
	To           time.Time
	Quota        int64
	QuotaPeriod  string
	RateCalls    int
	RateRows     int
}

type termItem struct {
	Name, Identifier string
	Grade            catalog.Grade
	Key              bool
	Mask             string // "" when it is given as it is.
	Cleared          bool   // The catalogue masks it, these terms do not.
	Lookup           bool
}

// items returns the items of a resource version by their numbers, to say terms in words. A version that the reader may not
// see leaves them unnamed.
func (v *visit) items(r catalog.Resource) map[int]catalog.Item {
	out := make(map[int]catalog.Item, len(r.Version.Items))
	for _, i := range r.Version.Items {
		out[i.No] = i
	}
	return out
}

// version reads the version that terms were made for, or the visible one where that is out of sight.
func (v *visit) version(id sharingResource) catalog.Resource {
	ctx := v.r.Context()
	if r, err := v.Catalog.GetVersion(ctx, v.principal, id.ResourceID, id.Version); err == nil {
		return r
	}
	r, err := v.Catalog.Get(ctx, v.principal, id.ResourceID)
	if err != nil {
		v.Logger.WarnContext(ctx, "reading the resource of terms", "error", err)
	}
	return r
}

func (v *visit) termsOfRequest(q sharing.Request, r catalog.Resource) terms {
	items := v.items(r)
	t := terms{
		Rows: v.rowsInWords(q.RowFilter, r.Version.Items), LegalBasis: q.LegalBasis, Scenario: q.Scenario, Purpose: q.Purpose,
		PurposeText: q.PurposeText, CaseRequired: q.CaseRequired, Methods: q.ShareMethods, To: q.ValidUntil, Quota: q.Quota,
		QuotaPeriod: q.QuotaPeriod, RateCalls: q.RateCalls, RateRows: q.RateRows,
	}
	for _, no := range q.Items {
		i, ok := items[no]
		if !ok {
			continue
		}
		m := maskOf(i)
		cleared := m != "" && slices.Contains(q.Unmask, no)
		if cleared {
			m = ""
		}
		t.Items = append(t.Items, termItem{
			Name: i.Name, Identifier: i.Identifier, Grade: i.Grade, Key: i.Key, Mask: m, Cleared: cleared,
			Lookup: slices.Contains(q.Lookup, no),
		})
	}
	return t
}

func (v *visit) termsOfGrant(g sharing.Grant, r catalog.Resource) terms {
	items := v.items(r)
	t := terms{
		Rows: v.rowsInWords(g.RowFilter, r.Version.Items), Purpose: g.Purpose, PurposeText: g.PurposeText,
		CaseRequired: g.CaseRequired, Methods: g.ShareMethods, From: &g.ValidFrom, To: g.ValidTo, Quota: g.Quota,
		QuotaPeriod: g.QuotaPeriod, RateCalls: g.RateCalls, RateRows: g.RateRows,
	}
	for _, no := range g.Items {
		i, ok := items[no]
		if !ok {
			continue
		}
		t.Items = append(t.Items, termItem{
			Name: i.Name, Identifier: i.Identifier, Grade: i.Grade, Key: i.Key, Mask: g.Masks[no],
			Cleared: g.Masks[no] == "" && maskOf(i) != "", Lookup: slices.Contains(g.Lookup, no),
		})
	}
	return t
}

// maskOf is the mask that the catalogue puts on an item, "" for none.
func maskOf(i catalog.Item) string {
	if i.MaskRule == "none" {
		return ""
	}
	return i.MaskRule
}

// rowsInWords says a row filter, "" for all rows.
func (v *visit) rowsInWords(raw json.RawMessage, items []catalog.Item) string {
	if len(raw) == 0 || string(raw) == "null" {
		return ""
	}
	n, err := filter.Parse(raw)
	if err != nil {
		return ""
	}
	called, byName := map[string]string{}, map[string]catalog.Item{}
	for _, i := range items {
		called[i.Identifier], byName[i.Identifier] = i.Name, i
	}
	return filter.Words(n, v.language, called, func(item, code string) string { return v.codeWord(byName[item], code) })
}

// codeWord is what people call a value of an item with a code list, "" where there is no word for it.
func (v *visit) codeWord(i catalog.Item, code string) string {
	if i.Validator == "division" {
		if d, ok := codes.LookupDivision(code); ok {
			return d.Name
		}
	}
	list, _ := codes.List(i.CodeSet)
	e, ok := list.Find(code)
	if !ok {
		return ""
	}
	return v.pick(e.ZH, e.EN)
}
