package pull_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/shuqiao/shuqiao/exchange/pull"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// ridOf is the _rid of a row under the grants of the tests.
func ridOf(key string) string { return pull.RowID(ridKey, strings.ReplaceAll(key, "~", "~0")) }

// sampleRows holds a row with every value, one with none, and further ones in two divisions.
func sampleRows() map[string]person {
	rows := map[string]person{
		"A1": {
			"division_code": "330602", "full_name": "示例人\"一\\\n", "birth_date": "1990-02-28", "amount": "1234567890.12", "height": "1.705",
			"children": "2", "registered_at": "2026-02-13T20:30:00.5Z", "alive": "true", "remark": "行一\t\u0001", "shape": wkbPoint, "photo": `\x00ff`,
			"hidden_note": "private",
		},
		"A2": {"division_code": "330602"},
	}
	for i := range 20 {
		rows[fmt.Sprintf("B%02d", i)] = person{"division_code": []string{"330602", "330603"}[i%2], "full_name": fmt.Sprintf("示例%d", i), "children": fmt.Sprint(i)}
	}
	return rows
}

// wkbPoint is POINT (120.5 30) as the store keeps it.
const wkbPoint = `\x01010000000000000000205e400000000000003e40`

var allButHidden = []string{
	"cert_no", "division_code", "full_name", "birth_date", "amount", "height", "children", "registered_at", "alive", "remark", "shape", "photo",
}

// body is an answer decoded.
type body struct {
	Resource      string           `json:"resource"`
	Version       int              `json:"version"`
	Items         []string         `json:"items"`
	Rows          []map[string]any `json:"rows"`
	Row           map[string]any   `json:"row"`
	Changes       []changeEntry    `json:"changes"`
	NextCursor    *string          `json:"next_cursor"`
	ChangesCursor *string          `json:"changes_cursor"`
	AsOf          string           `json:"as_of"`
	More          bool             `json:"more"`
}

type changeEntry struct {
	Op  string         `json:"op"`
	Seq int64          `json:"seq"`
	Row map[string]any `json:"row"`
	Key *string        `json:"key"`
	RID *string        `json:"_rid"`
}

func decode(t testing.TB, p *pull.Page) body {
	t.Helper()
	var b body
	if err := json.Unmarshal(p.Body, &b); err != nil {
		t.Fatalf("the answer is no JSON: %v\n%s", err, p.Body)
	}
	return b
}

func (b *bundle) rows(t testing.TB, r pull.RowsRequest) (body, *pull.Page) {
	t.Helper()
	r.Call = b.call()
	p, err := b.first.pull.Rows(t.Context(), b.client, r)
	if err != nil {
		t.Fatalf("rows: %v", err)
	}
	return decode(t, p), p
}

// wantCode checks the code of a fault and that it is a fault of the caller.
func wantCode(t testing.TB, err error, code string) *fault.Fault {
	t.Helper()
	if got := fault.CodeOf(err); got != code {
		t.Fatalf("code %q, want %q (%v)", got, code, err)
	}
	var f *fault.Fault
	for e := err; e != nil; {
		if g, ok := e.(*fault.Fault); ok {
			f = g
			break
		}
		u, ok := e.(interface{ Unwrap() error })
		if !ok {
			break
		}
		e = u.Unwrap()
	}
	return f
}

// Every type has its JSON form, NULL is null, and only granted rows and items come.
func TestRowsForms(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.collect(t, sampleRows())
	b.grant(t, grantTerms{items: allButHidden, filter: `{"op":"eq","item":"division_code","value":"330602"}`})
	got, page := b.rows(t, pull.RowsRequest{})
	if len(got.Rows) != 12 || page.Rows != 12 {
		t.Fatalf("got %d rows, want the 12 of the division", len(got.Rows))
	}
	want := map[string]any{
		"cert_no": "A1", "division_code": "330602", "full_name": "示例人\"一\\\n", "birth_date": "1990-02-28", "amount": "1234567890.12",
		"height": 1.705, "children": 2.0, "registered_at": "2026-02-14T04:30:00.5+08:00", "alive": true, "remark": "行一\t\u0001",
		"shape": map[string]any{"type": "Point", "coordinates": []any{120.5, 30.0}},
		"photo": map[string]any{"sha256": "06eb7d6a69ee19e5fbdf749018d3d2abfa04bcbd1365db312eb86dc7169389b8"},
	}
	if diff := cmp.Diff(want, got.Rows[0]); diff != "" {
		t.Errorf("row A1 (-want +got):\n%s", diff)
	}
	for identifier, value := range got.Rows[1] {
		if identifier != "cert_no" && identifier != "division_code" && value != nil {
			t.Errorf("row A2: %s is %v, want null", identifier, value)
		}
	}
	if diff := cmp.Diff(allButHidden, got.Items); diff != "" {
		t.Errorf("items (-want +got):\n%s", diff)
	}
	if got.NextCursor != nil || got.ChangesCursor == nil || got.Resource != b.resource.String() || got.Version != 1 {
		t.Errorf("head and tail: %+v", got)
	}
}
