package pull_test

import (
	"strconv"
	"testing"

	"github.com/shuqiao/shuqiao/exchange/pull"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// Pages count against the rows per second of a grant: what is saved up can be read at once, then calls are refused, with the
// time after which they are not. A refused call records nothing.
func TestPagesPayForRows(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.collect(t, sampleRows())
	b.grant(t, grantTerms{items: []string{"cert_no"}, rateRows: 1})
	pages := 0
	var f *fault.Fault
	for ; pages < 60; pages++ {
		if _, err := b.first.pull.Rows(t.Context(), b.client, pull.RowsRequest{Call: b.call()}); err != nil {
			f = wantCode(t, err, "rate_limited")
			break
		}
	}
	// A thousand rows are saved up; a page has 22. The seconds that the test takes add a row each.
	if pages < 46 || pages == 60 {
		t.Fatalf("refused after %d pages", pages)
	}
	if wait, _ := strconv.Atoi(f.Detail["retry_after"]); f.Kind != fault.Exhausted || wait < 1 || wait > 23 {
		t.Errorf("refused with %+v", f)
	}
	if got := len(b.usage(t)); got != pages {
		t.Errorf("%d records of %d pages", got, pages)
	}
}
