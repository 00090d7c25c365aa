package console

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/catalog"
	"github.com/shuqiao/shuqiao/sharing"
	"github.com/shuqiao/shuqiao/sharing/filter"
)

// comparison is what a request would change beside a grant that is in force.
type comparison struct {
	GrantID uuid.UUID
	State   sharing.GrantState
	Since   time.Time
	Lines   []difference
	items   []int // Granted now.
}

// difference is one term in force and asked for. Change is one of changes.
type difference struct {
	Key            string // Of what the term is called.
	Now, Asked     string
	Added, Removed []string
	Change         string
}

// changes are the ways in which a term can differ.
func changes() []string { return []string{"same", "wider", "narrower", "other"} }

// compare says, term by term, how a request differs from a grant.
func (v *visit) compare(g sharing.Grant, q sharing.Request, r catalog.Resource) *comparison {
	c := &comparison{GrantID: g.ID, State: g.State, Since: g.ValidFrom, items: g.Items}
	called, masked := map[int]string{}, map[int]bool{}
	for _, i := range r.Version.Items {
		called[i.No], masked[i.No] = i.Name, maskOf(i) != ""
	}
	names := func(numbers, without []int) (out []string) {
		for _, no := range numbers {
			if !slices.Contains(without, no) && called[no] != "" {
				out = append(out, called[no])
			}
		}
		return out
	}
	items := difference{
		Key: "terms.items", Now: v.say("terms.items_count", "n", len(g.Items)), Asked: v.say("terms.items_count", "n", len(q.Items)),
		Added: names(q.Items, g.Items), Removed: names(g.Items, q.Items),
	}
	items.Change = direction(len(items.Added) > 0, len(items.Removed) > 0)
	c.Lines = append(c.Lines, items)

	clearNow, clearAsked := []int{}, q.Unmask
	for _, no := range g.Items {
		if masked[no] && g.Masks[no] == "" {
			clearNow = append(clearNow, no)
		}
	}
	if len(clearNow)+len(clearAsked) > 0 {
		d := difference{Key: "compare_terms.clear", Added: names(clearAsked, clearNow), Removed: names(clearNow, clearAsked)}
		d.Now, d.Asked = v.listOr(names(clearNow, nil), "compare_terms.no_clear"), v.listOr(names(clearAsked, nil), "compare_terms.no_clear")
		d.Change = direction(len(d.Added) > 0, len(d.Removed) > 0)
		c.Lines = append(c.Lines, d)
	}
	if len(g.Lookup)+len(q.Lookup) > 0 {
		d := difference{Key: "compare_terms.lookup", Now: v.listOr(names(g.Lookup, nil), "list.none"), Asked: v.listOr(names(q.Lookup, nil), "list.none")}
		d.Change = direction(len(names(q.Lookup, g.Lookup)) > 0, len(names(g.Lookup, q.Lookup)) > 0)
		c.Lines = append(c.Lines, d)
	}
	rows := difference{Key: "terms.rows", Now: v.rowsInWords(g.RowFilter, r.Version.Items), Asked: v.rowsInWords(q.RowFilter, r.Version.Items), Change: rowsChange(g.RowFilter, q.RowFilter)}
	for _, words := range []*string{&rows.Now, &rows.Asked} {
		if *words == "" {
			*words = v.say("terms.all_rows")
		}
	}
	c.Lines = append(c.Lines, rows)
	if g.Purpose != q.Purpose || g.PurposeText != q.PurposeText {
		c.Lines = append(c.Lines, difference{Key: "terms.purpose", Now: g.PurposeText, Asked: q.PurposeText, Change: "other"})
	}
	c.Lines = append(c.Lines,
		difference{
			Key: "terms.valid_until", Now: v.formats.day(g.ValidTo), Asked: v.formats.day(q.ValidUntil),
			Change: direction(v.formats.day(q.ValidUntil) > v.formats.day(g.ValidTo), v.formats.day(q.ValidUntil) < v.formats.day(g.ValidTo)),
		},
		difference{
			Key: "terms.quota", Now: v.quotaInWords(g.Quota, g.QuotaPeriod), Asked: v.quotaInWords(q.Quota, q.QuotaPeriod),
			Change: limitChange(g.Quota, q.Quota, g.QuotaPeriod == q.QuotaPeriod),
		},
		difference{
			Key: "terms.rate", Now: v.rateInWords(g.RateCalls, g.RateRows), Asked: v.rateInWords(q.RateCalls, q.RateRows),
			Change: both(limitChange(int64(g.RateCalls), int64(q.RateCalls), true), limitChange(int64(g.RateRows), int64(q.RateRows), true)),
		})
	return c
}

// direction says how a term differs that has become wider, narrower, both or neither.
func direction(wider, narrower bool) string {
	switch {
	case wider && narrower:
		return "other"
	case wider:
		return "wider"
	case narrower:
		return "narrower"
	}
	return "same"
}

// both joins the changes of two parts of one term.
func both(a, b string) string {
	switch {
	case a == b || b == "same":
		return a
	case a == "same":
		return b
	}
	return "other"
}

// limitChange compares two limits, of which 0 is none.
func limitChange(now, asked int64, comparable bool) string {
	switch {
	case now == 0 && asked == 0:
		return "same"
	case asked == 0:
		return "wider"
	case now == 0:
		return "narrower"
	case !comparable:
		return "other"
	}
	return direction(asked > now, asked < now)
}

// rowsChange compares two row filters. A filter that holds all conditions of the other and more lets fewer rows through; what
// cannot be told from the conditions is just another filter.
func rowsChange(now, asked json.RawMessage) string {
	a, b := rowConditions(now), rowConditions(asked)
	within := func(a, b []string) bool {
		return !slices.ContainsFunc(a, func(s string) bool { return !slices.Contains(b, s) })
	}
	switch {
	case within(a, b) && within(b, a):
		return "same"
	case within(a, b):
		return "narrower"
	case within(b, a):
		return "wider"
	}
	return "other"
}

// rowConditions are the conditions of a row filter that must all hold, in their canonical form; none for all rows.
func rowConditions(raw json.RawMessage) []string {
	if len(raw) == 0 || string(raw) == "null" {
		return nil
	}
	var whole struct {
		Op   string            `json:"op"`
		Args []json.RawMessage `json:"args"`
	}
	parts := []json.RawMessage{raw}
	if json.Unmarshal(raw, &whole) == nil && whole.Op == "and" {
		parts = whole.Args
	}
	out := make([]string, 0, len(parts))
	for _, part := range parts {
		if n, err := filter.Parse(part); err == nil {
			part = n.Canonical()
		}
		out = append(out, string(part))
	}
	return out
}

// listOr is a list of names, or the sentence of a key where there is none.
func (v *visit) listOr(names []string, key string) string {
	if len(names) == 0 {
		return v.say(key)
	}
	out := names[0]
	for _, name := range names[1:] {
		out += v.say("list.comma") + name
	}
	return out
}

func (v *visit) quotaInWords(quota int64, period string) string {
	if quota == 0 {
		return v.say("terms.no_quota")
	}
	return v.say("terms.quota_rows", "n", count(quota)) + " · " + v.word("quota_period", period)
}

func (v *visit) rateInWords(calls, rows int) string {
	switch {
	case calls == 0 && rows == 0:
		return v.say("terms.no_rate")
	case rows == 0:
		return v.say("terms.rate_calls", "n", count(calls))
	case calls == 0:
		return v.say("terms.rate_rows", "n", count(rows))
	}
	return v.say("terms.rate_calls", "n", count(calls)) + v.say("list.comma") + v.say("terms.rate_rows", "n", count(rows))
}
