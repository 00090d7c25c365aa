package sharing

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/shuqiao/shuqiao/catalog"
	"github.com/shuqiao/shuqiao/catalog/mask"
	"github.com/shuqiao/shuqiao/internal/fault"
	"github.com/shuqiao/shuqiao/sharing/filter"
)

// Bounds of what a request may ask for.
const (
	maxYears = 3         // Longest period of a grant.
	maxText  = 2000      // Characters of one free text.
	maxRate  = 1_000_000 // Calls or rows per second.
)

// purposePattern is what fits into an HTTP header and a URL without any escaping.
var purposePattern = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

// findings collects everything that is wrong with an input.
type findings []fault.Field

func (f *findings) add(name, code, format string, args ...any) {
	*f = append(*f, fault.Field{Name: name, Code: code, Message: fmt.Sprintf(format, args...)})
}

func (f *findings) text(name, value string, required bool) {
	switch {
	case strings.TrimSpace(value) == "":
		if required {
			f.add(name, "required", "state this")
		}
	case !utf8.ValidString(value) || strings.ContainsRune(value, 0):
		f.add(name, "not_text", "write this as text in UTF-8")
	case utf8.RuneCountInString(value) > maxText:
		f.add(name, "too_long", "use at most %d characters", maxText)
	}
}

// masked returns the mask rule an item has by the catalogue, "" when it has none.
func masked(i catalog.Item) string {
	if i.MaskRule == "none" {
		return ""
	}
	return i.MaskRule
}

// byIdentifier returns the items of a version by identifier.
func byIdentifier(items []catalog.Item) map[string]catalog.Item {
	out := make(map[string]catalog.Item, len(items))
	for _, i := range items {
		out[i.Identifier] = i
	}
	return out
}

// pick returns the numbers of the named items in the order of the resource. Unknown, withheld and doubled names are
// findings; a name itself is never repeated, only its place.
func (f *findings) pick(field string, names []string, items []catalog.Item) []int {
	known := byIdentifier(items)
	wanted := map[string]bool{}
	for i, name := range names {
		path := fmt.Sprintf("%s[%d]", field, i)
		item, ok := known[name]
		switch {
		case !ok:
			f.add(path, "unknown_item", "the published version of the resource has no such item")
		case item.ShareType == catalog.Withheld:
			f.add(path, "item_withheld", "this item is withheld and cannot be shared")
		case wanted[name]:
			f.add(path, "duplicate", "name each item once")
		default:
			wanted[name] = true
		}
	}
	numbers := make([]int, 0, len(wanted))
	for _, item := range items {
		if wanted[item.Identifier] {
			numbers = append(numbers, item.No)
		}
	}
	return numbers
}

// within adds a finding for each named item that can be shared and whose number is not among the allowed ones.
func (f *findings) within(field string, names []string, items []catalog.Item, allowed []int, code, message string) {
	known := byIdentifier(items)
	for i, name := range names {
		if item, ok := known[name]; ok && item.ShareType != catalog.Withheld && !slices.Contains(allowed, item.No) {
			f.add(fmt.Sprintf("%s[%d]", field, i), code, "%s", message)
		}
	}
}

// rowFilter returns the canonical form of a row filter, nil for all rows. Only filterable items of the published version
// that are neither withheld nor masked may decide about rows: a filter on a masked item would tell its values. Envelopes
// are for callers, not for terms.
func (f *findings) rowFilter(field string, raw json.RawMessage, items []catalog.Item) json.RawMessage {
	raw = bytes.TrimSpace(raw)
	if len(raw) == 0 || string(raw) == "null" {
		return nil
	}
	node, err := filter.Parse(raw)
	if err == nil {
		_, err = filter.Bind(node, filterSchema(items))
	}
	if err == nil {
		return node.Canonical()
	}
	broken, ok := errors.AsType[*fault.Fault](err)
	if !ok || len(broken.Fields) == 0 {
		f.add(field, filter.CodeNotGranted, "this row filter cannot be used")
		return nil
	}
	for _, x := range broken.Fields {
		// The language names the whole filter "filter"; here it is a field of the terms. Items are named as they are.
		name := field
		if rest, ok := strings.CutPrefix(x.Name, "filter"); ok {
			name += rest
		} else {
			name += "." + x.Name
		}
		f.add(name, x.Code, "%s", x.Message)
	}
	return nil
}

func filterSchema(items []catalog.Item) filter.Schema {
	schema := filter.Schema{}
	for _, i := range items {
		if i.ShareType == catalog.Withheld {
			continue
		}
		column := filter.Column{SQL: "NULL", Letter: i.DataType[0]}
		if i.Filterable && masked(i) == "" {
			column.Ops = filter.LetterOps(i.DataType[0]).Without(filter.OpBBox)
		}
		schema[i.Identifier] = column
	}
	return schema
}

// narrower returns the filter that covers the rows of both, in canonical form; nil stands for all rows.
func narrower(a, b json.RawMessage) (json.RawMessage, error) {
	if a == nil || b == nil {
		if a == nil {
			a = b
		}
		return a, nil
	}
	both, err := filter.Parse(fmt.Appendf(nil, `{"op":"and","args":[%s,%s]}`, a, b))
	if err != nil {
		return nil, err
	}
	return both.Canonical(), nil
}

// check reads the terms against the published version and writes them into r. Everything wrong is named at once.
func (t Terms) check(r *Request, version catalog.Version, now time.Time) findings {
	var f findings
	f.text("legal_basis", t.LegalBasis, true)
	f.text("scenario", t.Scenario, true)
	f.text("purpose_text", t.PurposeText, true)
	switch {
	case t.Purpose == "":
		f.add("purpose", "required", "state the code of the purpose")
	case !purposePattern.MatchString(t.Purpose):
		f.add("purpose", "malformed", "use 1 to 64 letters, digits, '.', '_' and '-'")
	}
	t.checkScope(&f, r, version)
	t.checkMethods(&f, version)
	switch latest := now.AddDate(maxYears, 0, 0); {
	case t.ValidUntil.IsZero():
		f.add("valid_until", "required", "state until when the data are needed")
	case !t.ValidUntil.After(now):
		f.add("valid_until", "in_the_past", "name a time in the future")
	case t.ValidUntil.After(latest):
		f.add("valid_until", "too_far", "a grant lasts at most %d years; renew it then", maxYears)
	}
	if t.Quota < 0 {
		f.add("quota", "negative", "state the rows per period, or 0 for no quota")
	}
	if !slices.Contains([]string{"", "total", "day", "month"}, t.QuotaPeriod) {
		f.add("quota_period", "unknown", "use total, day or month")
	}
	if t.RateCalls < 0 || t.RateCalls > maxRate {
		f.add("rate_calls", "out_of_range", "use 0 for no limit, at most %d calls a second", maxRate)
	}
	if t.RateRows < 0 || t.RateRows > maxRate {
		f.add("rate_rows", "out_of_range", "use 0 for no limit, at most %d rows a second", maxRate)
	}
	if len(f) > 0 {
		return f
	}
	r.ResourceVersion = version.Number
	r.ShareMethods = slices.Clone(t.ShareMethods)
	r.LegalBasis, r.Scenario = strings.TrimSpace(t.LegalBasis), strings.TrimSpace(t.Scenario)
	r.Purpose, r.PurposeText, r.CaseRequired = t.Purpose, strings.TrimSpace(t.PurposeText), t.CaseRequired
	r.ValidUntil = t.ValidUntil.UTC().Truncate(time.Microsecond)
	r.Quota, r.QuotaPeriod, r.RateCalls, r.RateRows = t.Quota, t.QuotaPeriod, t.RateCalls, t.RateRows
	if r.QuotaPeriod == "" {
		r.QuotaPeriod = "total"
	}
	return nil
}

func (t Terms) checkScope(f *findings, r *Request, version catalog.Version) {
	if len(t.Items) == 0 {
		f.add("items", "required", "name the items needed")
	}
	r.Items = f.pick("items", t.Items, version.Items)
	r.Lookup = f.pick("lookup", t.Lookup, version.Items)
	r.Unmask = f.pick("unmask", t.Unmask, version.Items)
	f.within("lookup", t.Lookup, version.Items, r.Items, "item_not_requested", "name this item among the items, too")
	f.within("unmask", t.Unmask, version.Items, r.Items, "item_not_requested", "name this item among the items, too")
	f.within("unmask", t.Unmask, version.Items, maskedNumbers(version.Items, nil), "not_masked", "this item has no mask")
	f.within("lookup", t.Lookup, version.Items, maskedKeys(version.Items, r.Unmask), "not_masked_key",
		"look-up by clear value is for key items that are granted masked")
	r.RowFilter = f.rowFilter("row_filter", t.RowFilter, version.Items)
	r.ShareType = strictest(chosen(version.Items, r.Items))
}

// maskedNumbers returns the numbers of the items that the catalogue masks, without those unmasked.
func maskedNumbers(items []catalog.Item, unmasked []int) []int {
	var out []int
	for _, i := range items {
		if masked(i) != "" && !slices.Contains(unmasked, i.No) {
			out = append(out, i.No)
		}
	}
	return out
}

func maskedKeys(items []catalog.Item, unmasked []int) []int {
	var out []int
	for _, i := range items {
		if i.Key && masked(i) != "" && !slices.Contains(unmasked, i.No) {
			out = append(out, i.No)
		}
	}
	return out
}

func (t Terms) checkMethods(f *findings, version catalog.Version) {
	if len(t.ShareMethods) == 0 {
		f.add("share_methods", "required", "name how the data are to be shared")
	}
	for i, m := range t.ShareMethods {
		path := fmt.Sprintf("share_methods[%d]", i)
		switch {
		case slices.Contains(t.ShareMethods[:i], m):
			f.add(path, "duplicate", "name each method once")
		case m != catalog.ByAPI && m != catalog.ByTable && m != catalog.ByFile:
			f.add(path, "unknown", "use api, table or file")
		case m != catalog.ByAPI:
			f.add(path, "method_not_available", "this hub shares by api")
		case !slices.Contains(version.ShareMethods, m):
			f.add(path, "method_not_offered", "the catalogue does not offer this method for the resource")
		}
	}
}

// fault returns what the findings amount to: nil for none. Terms whose only fault is a method that the hub does not have
// are answered by that code.
func (f findings) fault() error {
	if len(f) == 0 {
		return nil
	}
	for _, x := range f {
		if x.Code != "method_not_available" {
			return fault.InvalidFields(f)
		}
	}
	return &fault.Fault{
		Kind: fault.Invalid, Code: "method_not_available", Fields: f,
		Message: "this hub shares by api; ask for the method api",
	}
}

// chosen returns the items with these numbers, in the order of the resource.
func chosen(items []catalog.Item, numbers []int) []catalog.Item {
	out := make([]catalog.Item, 0, len(numbers))
	for _, i := range items {
		if slices.Contains(numbers, i.No) {
			out = append(out, i)
		}
	}
	return out
}

// strictest returns conditional when one of the items is, withheld when all are or there is none, else unconditional:
// one conditional item makes the whole request follow the longer path (domain table 2.6).
func strictest(items []catalog.Item) catalog.ShareType {
	out := catalog.Withheld
	for _, i := range items {
		switch i.ShareType {
		case catalog.Conditional:
			return catalog.Conditional
		case catalog.Unconditional:
			out = catalog.Unconditional
		}
	}
	return out
}

// highest returns the highest grade of the items.
func highest(items []catalog.Item) catalog.Grade {
	out := catalog.L1
	for _, i := range items {
		out = max(out, i.Grade)
	}
	return out
}

// maskFits reports whether a mask exists and can be applied to items of the type.
func maskFits(name string, item catalog.Item) bool {
	m, ok := mask.Find(name)
	return ok && m.Allows(item.DataType[0])
}
