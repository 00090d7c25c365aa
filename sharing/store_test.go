package sharing

import (
	"encoding/json"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/catalog"
	"github.com/shuqiao/shuqiao/internal/pgtest"
)

// fill gives every field of a struct a value that is not zero and differs from its neighbours.
func fill(t *testing.T, v reflect.Value) {
	t.Helper()
	for i := range v.NumField() {
		f := v.Field(i)
		n := int64(i + 1)
		at := time.Date(2026, 1, 1, 0, 0, i, 0, time.UTC)
		id := uuid.NewSHA1(uuid.NameSpaceOID, []byte{byte(i)})
		switch f.Interface().(type) {
		case uuid.UUID:
			f.Set(reflect.ValueOf(id))
		case time.Time:
			f.Set(reflect.ValueOf(at))
		case *time.Time:
			f.Set(reflect.ValueOf(&at))
		case []int:
			f.Set(reflect.ValueOf([]int{i, i + 1}))
		case json.RawMessage:
			f.Set(reflect.ValueOf(json.RawMessage(`{"op":"is_null","item":"x"}`)))
		case map[int]string:
			f.Set(reflect.ValueOf(map[int]string{i: "full"}))
		case []catalog.ShareMethod:
			f.Set(reflect.ValueOf([]catalog.ShareMethod{"api"}))
		default:
			switch f.Kind() {
			case reflect.String:
				f.SetString(v.Type().Field(i).Name)
			case reflect.Int, reflect.Int64:
				f.SetInt(n)
			case reflect.Bool:
				f.SetBool(true)
			default:
				t.Fatalf("field %s has a type this test does not know", v.Type().Field(i).Name)
			}
		}
	}
}

// No field is forgotten between a request or a grant and its row.
func TestRowsRoundTrip(t *testing.T) {
	t.Parallel()
	var r Request
	fill(t, reflect.ValueOf(&r).Elem())
	r.ClientName, r.ConsumerName, r.ProviderName, r.ResourceName = "", "", "", "" // Other tables hold these.
	if diff := cmp.Diff(r, newRequestRow(r).request()); diff != "" {
		t.Errorf("a request changes on its way through its row:\n%s", diff)
	}
	var g Grant
	fill(t, reflect.ValueOf(&g).Elem())
	g.ClientName, g.ConsumerName, g.ProviderName, g.ResourceName, g.SuspendedBy = "", "", "", "", ""
	if diff := cmp.Diff(g, newGrantRow(g, []byte("sealed")).grant()); diff != "" {
		t.Errorf("a grant changes on its way through its row:\n%s", diff)
	}
}

// The row structs have exactly the columns of their tables.
func TestRowsMatchTheirTables(t *testing.T) {
	t.Parallel()
	pool := pgtest.Pool(t)
	for table, row := range map[string]any{"sharing_request": requestRow{}, "sharing_grant": grantRow{}} {
		var want []string
		err := pool.QueryRow(t.Context(), `
			SELECT array_agg(column_name::text ORDER BY column_name::text COLLATE "C") FROM information_schema.columns WHERE table_name = $1`,
			table).Scan(&want)
		if err != nil {
			t.Fatalf("reading the columns of %s: %v", table, err)
		}
		got, _ := columnsOf(row)
		slices.Sort(got)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("columns of %s differ (-table +row):\n%s", table, diff)
		}
	}
}
