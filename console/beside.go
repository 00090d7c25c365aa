package console

import (
	"cmp"
	"time"

	"github.com/shuqiao/shuqiao/catalog"
)

// besidePart is what a version takes from those who use the published one, and until when that is to be served beside it.
type besidePart struct {
	Previous int
	Breaks   []string
	OldUntil string // As typed or asked for; "" where the published version is replaced at once.
}

// beside says what a version that is not published yet takes away, when it states m; nil for nothing.
func (v *visit) beside(r catalog.Resource, m catalog.Metadata) (*besidePart, error) {
	if r.Published == 0 || r.Version.Number <= r.Published {
		return nil, nil
	}
	before, err := v.Catalog.GetVersion(v.r.Context(), v.principal, r.ID, r.Published)
	if err != nil {
		return nil, err
	}
	breaks := catalog.Breaking(before.Version, catalog.Version{Metadata: m})
	if len(breaks) == 0 {
		return nil, nil
	}
	return &besidePart{Previous: r.Published, Breaks: v.breakLines(breaks), OldUntil: cmp.Or(v.field("old_until"), r.Version.OldUntil)}, nil
}

// breakLines says each break in one line.
func (v *visit) breakLines(breaks []catalog.Break) []string {
	out := make([]string, len(breaks))
	for i, b := range breaks {
		name := b.Name
		if b.No == 0 {
			name = v.say("comments.whole")
		}
		out[i] = name + v.say("list.colon") + v.word("break", b.Kind)
	}
	return out
}

// submission is what was typed beside the submit button.
func (v *visit) submission() catalog.Submission {
	return catalog.Submission{OldUntil: v.field("old_until")}
}

// lastDay is the last day of what ends at a moment, nil for what has no end.
func lastDay(until *time.Time) *time.Time {
	if until == nil {
		return nil
	}
	last := until.Add(-time.Microsecond)
	return &last
}
