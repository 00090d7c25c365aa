package main

import (
	"strings"
	"testing"

	"github.com/shuqiao/shuqiao/api/client"
	"github.com/shuqiao/shuqiao/internal/hubtest"
)

// Sources in two languages become drafts of one department, each with what it lacks; people of that department find them in both
// languages, others do not.
func TestExcerpt(t *testing.T) {
	t.Parallel()
	h := hubtest.Start(t, hubtest.Options{})
	staff := h.SetUp(t)
	bureau := h.Bureau(t, staff, 41, "示例市统计局", "statistics")
	other := h.Bureau(t, staff, 42, "示例市民政局", "civil")
	var out strings.Builder
	if err := run(t.Context(), bureau.Operator, "testdata/sources.json", &out); err != nil {
		t.Fatal(err)
	}
	if said := out.String(); !strings.HasPrefix(said, "3 drafts in ") || !strings.Contains(said, "3 lack items") || !strings.Contains(said, "3 lack secrecy_assessment") {
		t.Errorf("it says %s", said)
	}
	find := func(c *client.Client, text string) (n int) {
		for e, err := range c.EachEntry(t.Context(), client.Filter{"q": text, "state": "draft"}) {
			if err != nil {
				t.Fatal(err)
			}
			if e.Name != "" {
				n++
			}
		}
		return n
	}
	for _, text := range []string{"千人基因组", "Genomes Project"} {
		if n := find(bureau.Operator, text); n != 1 {
			t.Errorf("%d entries for %s", n, text)
		}
		if n := find(other.Operator, text); n != 0 {
			t.Errorf("another department finds %d entries for %s", n, text)
		}
	}
	// A second run finds every draft made.
	if err := run(t.Context(), bureau.Operator, "testdata/sources.json", &out); err != nil {
		t.Errorf("the second run: %v", err)
	}
}
