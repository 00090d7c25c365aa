package pull_test

import (
	"strconv"
	"testing"

	"github.com/shuqiao/shuqiao/exchange/pull"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// Pages count against the rows per second of a grant: a page may overdraw them, and the calls after it are refused, with the
// time after which they are not, until that is made good. A refused call records nothing.
func TestPagesPayForRows(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.collect(t, sampleRows())
	b.grant(t, grantTerms{items: []string{"cert_no"}, rateRows: 5})
	b.rows(t, pull.RowsRequest{Limit: 2}) // Within a second's worth.
	b.rows(t, pull.RowsRequest{Limit: 20})
	_, err := b.first.pull.Rows(t.Context(), b.client, pull.RowsRequest{Call: b.call(), Limit: 1})
	f := wantCode(t, err, "rate_limited")
	// 22 rows at 5 a second, of which one was there and a second's worth may be owed: between 2 and 4 seconds to wait.
	if wait, _ := strconv.Atoi(f.Detail["retry_after"]); f.Kind != fault.Exhausted || wait < 2 || wait > 4 {
		t.Errorf("refused with %+v", f)
	}
	if got := b.usage(t); len(got) != 2 {
		t.Errorf("%d records, want those of the two pages", len(got))
	}
}
