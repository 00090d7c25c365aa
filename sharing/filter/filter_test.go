package filter_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/shuqiao/shuqiao/internal/fault"
	"github.com/shuqiao/shuqiao/sharing/filter"
)

func mustParse(t testing.TB, source string) *filter.Node {
	t.Helper()
	n, err := filter.Parse([]byte(source))
	if err != nil {
		t.Fatalf("parsing %s: %v", source, err)
	}
	return n
}

func mustBind(t testing.TB, source string, schema filter.Schema) *filter.Bound {
	t.Helper()
	b, err := filter.Bind(mustParse(t, source), schema)
	if err != nil {
		t.Fatalf("binding %s: %v", source, err)
	}
	return b
}

func column(t *testing.T, conn *pgx.Conn, sql string, args ...any) []string {
	t.Helper()
	rows, err := conn.Query(t.Context(), sql, args...)
	if err != nil {
		t.Fatal(err)
	}
	values, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	return values
}

// fields returns kind, code and "name code" per field of a fault.
func fields(t *testing.T, err error) (kind fault.Kind, code string, at []string) {
	t.Helper()
	f, ok := errors.AsType[*fault.Fault](err)
	if !ok {
		t.Fatalf("got %v, want a fault", err)
	}
	for _, field := range f.Fields {
		at = append(at, field.Name+" "+field.Code)
	}
	return f.Kind, f.Code, at
}

func nested(levels int) string {
	return strings.Repeat(`{"op":"not","arg":`, levels-1) + `{"op":"is_null","item":"c"}` + strings.Repeat("}", levels-1)
}

func conditions(count int) string {
	return `{"op":"or","args":[` + strings.TrimSuffix(strings.Repeat(`{"op":"is_null","item":"c"},`, count), ",") + `]}`
}

func values(count int) string {
	parts := make([]string, count)
	for i := range parts {
		parts[i] = fmt.Sprint(i)
	}
	return `{"op":"in","item":"n","values":[` + strings.Join(parts, ",") + `]}`
}

// Every malformed filter is refused as filter_invalid at the right place, and the refusal repeats nothing of it.
func TestParseRefuses(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ source, want string }{
		"nothing":                         {``, "filter not_json"},
		"not JSON":                        {`{"op":"eq",}`, "filter not_json"},
		"two objects":                     {`{"op":"is_null","item":"c"}{}`, "filter not_json"},
		"not an object":                   {`["eq"]`, "filter bad_type"},
		"null":                            {`null`, "filter bad_type"},
		"not UTF-8":                       {"{\"op\":\"eq\",\"item\":\"c\",\"value\":\"\xff\"}", "filter not_utf8"},
		"half a character":                {`{"op":"eq","item":"c","value":"\ud800"}`, "filter not_utf8"},
		"half a character, then another":  {`{"op":"eq","item":"c","value":"\ud800\u0041"}`, "filter not_utf8"},
		"second half of a character":      {`{"op":"eq","item":"c","value":"\\\udc00"}`, "filter not_utf8"},
		"U+0000":                          {`{"op":"eq","item":"c","value":"SECRET\u0000"}`, "filter.value bad_character"},
		"too long":                        {`{"op":"eq","item":"c","value":"` + strings.Repeat("x", filter.MaxBytes) + `"}`, "filter too_long"},
		"too deep":                        {nested(9), "filter" + strings.Repeat(".arg", 8) + " too_deep"},
		"too many conditions":             {conditions(200), "filter.args[199] too_many"},
		"too many values":                 {values(1001), "filter.values too_many"},
		"no values":                       {`{"op":"in","item":"c","values":[]}`, "filter.values required"},
		"no arguments":                    {`{"op":"and","args":[]}`, "filter.args required"},
		"no op":                           {`{"item":"c","value":"x"}`, "filter.op required"},
		"no item":                         {`{"op":"eq","value":"x"}`, "filter.item required"},
		"no value":                        {`{"op":"eq","item":"c"}`, "filter.value required"},
		"no to":                           {`{"op":"between","item":"c","from":"a"}`, "filter.to required"},
		"unknown op":                      {`{"op":"SECRET","item":"c","value":"x"}`, "filter.op unknown_op"},
		"op in capitals":                  {`{"op":"EQ","item":"c","value":"x"}`, "filter.op unknown_op"},
		"op is a number":                  {`{"op":1,"item":"c","value":"x"}`, "filter.op bad_type"},
		"unknown member":                  {`{"op":"eq","item":"c","value":"x","SECRET":1}`, "filter unknown_member"},
		"member of another op":            {`{"op":"eq","item":"c","value":"x","values":["y"]}`, "filter unexpected_member"},
		"arg and args":                    {`{"op":"not","arg":{"op":"is_null","item":"c"},"args":[{"op":"is_null","item":"c"}]}`, "filter unexpected_member"},
		"repeated member":                 {`{"op":"eq","item":"c","value":"x","value":"y"}`, "filter repeated"},
		"repeated member, written apart":  {`{"op":"eq","item":"c","value":"x","\u0076alue":"y"}`, "filter repeated"},
		"identifier with a quote":         {`{"op":"eq","item":"c\"SECRET","value":"x"}`, "filter.item bad_identifier"},
		"identifier in capitals":          {`{"op":"eq","item":"C","value":"x"}`, "filter.item bad_identifier"},
		"null value":                      {`{"op":"eq","item":"c","value":null}`, "filter.value is_null"},
		"object value":                    {`{"op":"eq","item":"c","value":{"a":1}}`, "filter.value bad_type"},
		"array among values":              {`{"op":"in","item":"c","values":["a",["b"]]}`, "filter.values[1] bad_type"},
		"number of absurd size":           {`{"op":"eq","item":"n","value":1e99999}`, "filter.value bad_number"},
		"number of absurd length":         {`{"op":"eq","item":"n","value":` + strings.Repeat("1", 200) + `}`, "filter.value bad_number"},
		"box of three":                    {`{"op":"bbox","item":"g","box":[1,2,3]}`, "filter.box bad_box"},
		"box of five":                     {`{"op":"bbox","item":"g","box":[1,2,3,4,5]}`, "filter.box bad_box"},
		"box turned round":                {`{"op":"bbox","item":"g","box":[3,2,1,4]}`, "filter.box bad_box"},
		"box off the earth":               {`{"op":"bbox","item":"g","box":[1,2,3,91]}`, "filter.box bad_box"},
		"box of strings":                  {`{"op":"bbox","item":"g","box":["1",2,3,4]}`, "filter.box bad_box"},
		"fault in the second of a nested": {`{"op":"and","args":[{"op":"is_null","item":"c"},{"op":"or","args":[{"op":"eq","item":"c","value":null}]}]}`, "filter.args[1].args[0].value is_null"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n, err := filter.Parse([]byte(test.source))
			if n != nil {
				t.Error("a node came with the error")
			}
			kind, code, at := fields(t, err)
			if diff := cmp.Diff([]string{test.want}, at); diff != "" || kind != fault.Invalid || code != filter.CodeInvalid {
				t.Errorf("got %v %v (-want +got):\n%s", kind, code, diff)
			}
			shown, _ := json.Marshal(err)
			if strings.Contains(err.Error()+string(shown), "SECRET") {
				t.Errorf("the fault repeats the input: %v", err)
			}
		})
	}
}

// The bounds themselves are allowed.
func TestParseAcceptsTheBounds(t *testing.T) {
	t.Parallel()
	for name, source := range map[string]string{
		"eight levels":             nested(filter.MaxDepth),
		"two hundred conditions":   conditions(filter.MaxNodes - 1),
		"a thousand values":        values(filter.MaxValues),
		"members in any order":     `{"to":"b","item":"c","from":"a","op":"between"}`,
		"both halves of an escape": `{"op":"eq","item":"c","value":"\ud840\udc00\\ud800"}`,
	} {
		if _, err := filter.Parse([]byte(source)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The canonical form does not depend on white space, order or spelling, keeps what differs apart, and reads back.
func TestCanonical(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ source, want string }{
		{` { "value" : "a<\u0062>" , "item":"c", "op":"eq" } `, `{"op":"eq","item":"c","value":"a<b>"}`},
		{`{"op":"in","item":"c","values":["b","a","b"]}`, `{"op":"in","item":"c","values":["a","b"]}`},
		{`{"to":2,"op":"between","from":1,"item":"n"}`, `{"op":"between","item":"n","from":1,"to":2}`},
		{`{"op":"eq","item":"n","value":-0}`, `{"op":"eq","item":"n","value":0}`},
		{`{"op":"eq","item":"n","value":1.50e2}`, `{"op":"eq","item":"n","value":150}`},
		{`{"op":"eq","item":"n","value":1.50e-3}`, `{"op":"eq","item":"n","value":0.0015}`},
		{`{"op":"eq","item":"n","value":-1.5E+40}`, `{"op":"eq","item":"n","value":-15e39}`},
		{`{"op":"eq","item":"n","value":"150"}`, `{"op":"eq","item":"n","value":"150"}`},
		{`{"op":"eq","item":"l","value":true}`, `{"op":"eq","item":"l","value":true}`},
		{`{"op":"bbox","item":"g","box":[-0,1.50,2e1,3]}`, `{"op":"bbox","item":"g","box":[0,1.5,20,3]}`},
		{
			`{"op":"or","args":[{"op":"is_null","item":"d"},{"op":"not","arg":{"op":"is_null","item":"c"}},{"op":"is_null","item":"d"}]}`,
			`{"op":"or","args":[{"op":"is_null","item":"d"},{"op":"not","arg":{"op":"is_null","item":"c"}}]}`,
		},
		{
			`{"op":"and","args":[{"op":"is_null","item":"d"},{"op":"is_null","item":"c"}]}`,
			`{"op":"and","args":[{"op":"is_null","item":"c"},{"op":"is_null","item":"d"}]}`,
		},
	} {
		n, err := filter.Parse([]byte(test.source))
		if err != nil {
			t.Errorf("%s: %v", test.source, err)
			continue
		}
		if got := string(n.Canonical()); got != test.want {
			t.Errorf("%s:\n got %s\nwant %s", test.source, got, test.want)
		}
		var again filter.Node
		if err := json.Unmarshal([]byte(test.want), &again); err != nil || !again.Equal(n) {
			t.Errorf("%s does not read back: %v", test.want, err)
		}
	}
	if mustParse(t, `{"op":"eq","item":"n","value":"1"}`).Equal(mustParse(t, `{"op":"eq","item":"n","value":1}`)) {
		t.Error("text and number are one filter")
	}
}

// Items lists each item once, in order.
func TestItems(t *testing.T) {
	t.Parallel()
	n := mustParse(t, `{"op":"and","args":[{"op":"is_null","item":"d"},{"op":"not","arg":{"op":"eq","item":"c","value":"x"}},{"op":"is_null","item":"d"}]}`)
	if diff := cmp.Diff([]string{"c", "d"}, n.Items()); diff != "" {
		t.Error(diff)
	}
}

// Bind refuses what is not granted before it says anything about types, names an item only when the schema lists it, and
// names every wrong value at once.
func TestBindRefuses(t *testing.T) {
	t.Parallel()
	schema := fullSchema()
	schema["masked"] = filter.Column{SQL: `r."c"`, Letter: 'C', Ops: filter.LookupOps()}
	schema["withheld"] = filter.Column{SQL: `r."c"`, Letter: 'C'}
	for name, test := range map[string]struct {
		source string
		kind   fault.Kind
		want   []string
	}{
		"item outside the schema": {`{"op":"eq","item":"elsewhere","value":"x"}`, fault.Forbidden, []string{"filter.item filter_not_granted"}},
		"item without any use":    {`{"op":"eq","item":"withheld","value":"x"}`, fault.Forbidden, []string{"withheld filter_not_granted"}},
		"prefix on a masked item": {`{"op":"prefix","item":"masked","value":"x"}`, fault.Forbidden, []string{"masked filter_not_granted"}},
		"order on a masked item":  {`{"op":"lt","item":"masked","value":"x"}`, fault.Forbidden, []string{"masked filter_not_granted"}},
		"null of a masked item":   {`{"op":"is_null","item":"masked"}`, fault.Forbidden, []string{"masked filter_not_granted"}},
		"not granted goes first": {
			`{"op":"and","args":[{"op":"eq","item":"n","value":"x"},{"op":"is_null","item":"elsewhere"}]}`, fault.Forbidden,
			[]string{"filter.args[1].item filter_not_granted"},
		},
		"every wrong value": {
			`{"op":"and","args":[{"op":"eq","item":"n","value":"x"},{"op":"in","item":"d","values":["2026-02-13","2026-02-30",5]}]}`,
			fault.Invalid,
			[]string{"filter.args[0].value bad_value", "filter.args[1].values[1] bad_value", "filter.args[1].values[2] bad_value"},
		},
		"from above to":               {`{"op":"between","item":"n","from":"10","to":"9"}`, fault.Invalid, []string{"filter.from from_above_to"}},
		"prefix on a date":            {`{"op":"prefix","item":"d","value":"2026"}`, fault.Invalid, []string{"filter.op op_not_for_type"}},
		"order on a note":             {`{"op":"lt","item":"m","value":"x"}`, fault.Invalid, []string{"filter.op op_not_for_type"}},
		"equality on a geometry":      {`{"op":"eq","item":"g","value":"x"}`, fault.Invalid, []string{"filter.op op_not_for_type"}},
		"box on text":                 {`{"op":"bbox","item":"c","box":[1,2,3,4]}`, fault.Invalid, []string{"filter.op op_not_for_type"}},
		"number for text":             {`{"op":"eq","item":"c","value":330602}`, fault.Invalid, []string{"filter.value bad_value"}},
		"fraction for a whole":        {`{"op":"eq","item":"i","value":1.5}`, fault.Invalid, []string{"filter.value bad_value"}},
		"whole beyond 64 bits":        {`{"op":"eq","item":"i","value":9223372036854775808}`, fault.Invalid, []string{"filter.value bad_value"}},
		"float beyond double":         {`{"op":"eq","item":"b","value":1e309}`, fault.Invalid, []string{"filter.value bad_value"}},
		"not a number as text":        {`{"op":"eq","item":"b","value":"NaN"}`, fault.Invalid, []string{"filter.value bad_value"}},
		"number with blanks":          {`{"op":"eq","item":"n","value":" 1"}`, fault.Invalid, []string{"filter.value bad_value"}},
		"date without zeros":          {`{"op":"eq","item":"d","value":"2026-2-3"}`, fault.Invalid, []string{"filter.value bad_value"}},
		"date in year zero":           {`{"op":"eq","item":"d","value":"0000-02-03"}`, fault.Invalid, []string{"filter.value bad_value"}},
		"the word infinity as a date": {`{"op":"eq","item":"d","value":"infinity"}`, fault.Invalid, []string{"filter.value bad_value"}},
		"time without offset":         {`{"op":"eq","item":"t","value":"2026-02-13T00:00:00"}`, fault.Invalid, []string{"filter.value bad_value"}},
		"time finer than stored":      {`{"op":"eq","item":"t","value":"2026-02-13T00:00:00.0000001Z"}`, fault.Invalid, []string{"filter.value bad_value"}},
		"bool as text":                {`{"op":"eq","item":"l","value":"true"}`, fault.Invalid, []string{"filter.value bad_value"}},
		"bool for a number":           {`{"op":"eq","item":"n","value":true}`, fault.Invalid, []string{"filter.value bad_value"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := filter.Bind(mustParse(t, test.source), schema)
			kind, code, at := fields(t, err)
			wantCode := map[fault.Kind]string{fault.Forbidden: filter.CodeNotGranted, fault.Invalid: filter.CodeInvalid}[test.kind]
			if diff := cmp.Diff(test.want, at); diff != "" || kind != test.kind || code != wantCode {
				t.Errorf("got %v %v (-want +got):\n%s", kind, code, diff)
			}
			if strings.Contains(err.Error(), "elsewhere") {
				t.Errorf("the fault names an item outside the schema: %v", err)
			}
		})
	}
}

// The SQL numbers its parameters from where the caller says, casts each, and holds no value.
func TestSQL(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		source, where string
		args          []any
	}{
		{`{"op":"eq","item":"c","value":"'; --"}`, `(r."c" = $3::text COLLATE "C")`, []any{"'; --"}},
		{`{"op":"eq","item":"n","value":1.50}`, `(r."n" = $3::numeric)`, []any{"1.5"}},
		{`{"op":"ne","item":"l","value":false}`, `(r."l" <> $3::boolean)`, []any{"false"}},
		{`{"op":"ge","item":"d","value":"2026-02-13"}`, `(r."d" >= $3::date)`, []any{"2026-02-13"}},
		{`{"op":"lt","item":"t","value":"2026-02-13T00:00:00+08:00"}`, `(r."t" < $3::timestamptz)`, []any{"2026-02-12T16:00:00Z"}},
		{`{"op":"in","item":"c","values":["b","a\"\\{","a\"\\{"]}`, `(r."c" = ANY ($3::text[] COLLATE "C"))`, []any{`{"a\"\\{","b"}`}},
		{`{"op":"prefix","item":"c","value":""}`, `(r."c" >= $3::text COLLATE "C")`, []any{""}},
		{`{"op":"prefix","item":"c","value":"33"}`, `(r."c" >= $3::text COLLATE "C" AND r."c" < $4::text COLLATE "C")`, []any{"33", "34"}},
		{
			`{"op":"not","arg":{"op":"and","args":[{"op":"is_null","item":"m"},{"op":"between","item":"i","from":1,"to":"2"}]}}`,
			`(NOT ((r."m" IS NULL) AND (r."i" >= $3::bigint AND r."i" <= $4::bigint)))`,
			[]any{"1", "2"},
		},
		{
			`{"op":"bbox","item":"g","box":[1,2,3,4]}`,
			`(r."g_w" <= $3::double precision AND r."g_s" <= $4::double precision AND r."g_e" >= $5::double precision AND r."g_n" >= $6::double precision)`,
			[]any{"3", "4", "1", "2"},
		},
	} {
		where, args := mustBind(t, test.source, fullSchema()).SQL(3)
		if where != test.where {
			t.Errorf("%s:\n got %s\nwant %s", test.source, where, test.where)
		}
		if diff := cmp.Diff(test.args, args); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.source, diff)
		}
	}
}

// A value that cannot be read as its type is never inside, neither plainly nor under not.
func TestUnreadableValueIsOutside(t *testing.T) {
	t.Parallel()
	for item, value := range map[string]string{"n": "x", "i": "1.5", "b": "x", "d": "13.02.2026", "t": "yesterday", "l": "perhaps"} {
		operand := map[string]string{"d": `"2026-02-13"`, "t": `"2026-02-13T00:00:00Z"`, "l": "true"}[item]
		if operand == "" {
			operand = "1"
		}
		leaf := `{"op":"ne","item":"` + item + `","value":` + operand + `}`
		row := func(string) ([]byte, bool) { return []byte(value), false }
		for _, source := range []string{leaf, `{"op":"not","arg":` + leaf + `}`} {
			if got := mustBind(t, source, fullSchema()).Eval(row); got != filter.Unknown {
				t.Errorf("%s: got %v, want Unknown", source, got)
			}
		}
	}
}

// Words says filters as an official would read them, in both languages, with labels where codes have them.
func TestWords(t *testing.T) {
	t.Parallel()
	names := map[string]string{"division": "户籍地区划", "birth_date": "出生日期", "sex": "性别"}
	labels := func(item, code string) string {
		return map[string]string{"division 330602": "越城区", "sex 1": "男", "sex 2": "女"}[item+" "+code]
	}
	for _, test := range []struct{ source, zh, en string }{
		{`{"op":"eq","item":"division","value":"330602"}`, "户籍地区划 是 越城区", "户籍地区划 is 越城区"},
		{`{"op":"eq","item":"division","value":"999999"}`, "户籍地区划 是 “999999”", "户籍地区划 is “999999”"},
		{
			`{"op":"and","args":[{"op":"eq","item":"division","value":"330602"},{"op":"or","args":[{"op":"in","item":"sex","values":["1","2"]},{"op":"is_null","item":"sex"}]}]}`,
			"户籍地区划 是 越城区 且 （性别 是 男、女 之一 或 性别 为空）", "户籍地区划 is 越城区 and (性别 is one of 男, 女 or 性别 is empty)",
		},
		{`{"op":"between","item":"birth_date","from":"1990-01-01","to":"1999-12-31"}`, "出生日期 在 “1990-01-01” 至 “1999-12-31” 之间", "出生日期 is between “1990-01-01” and “1999-12-31”"},
		{`{"op":"not","arg":{"op":"is_null","item":"sex"}}`, "性别 不为空", "性别 is not empty"},
		{`{"op":"not","arg":{"op":"eq","item":"sex","value":"1"}}`, "性别 不是 男", "性别 is not 男"},
		{`{"op":"not","arg":{"op":"lt","item":"age","value":18}}`, "并非（age 小于 18）", "not (age is less than 18)"},
		{`{"op":"prefix","item":"division","value":"3306"}`, "户籍地区划 以 “3306” 开头", "户籍地区划 begins with “3306”"},
		{`{"op":"eq","item":"alive","value":true}`, "alive 是 是", "alive is yes"},
		{`{"op":"eq","item":"note","value":"%s%d"}`, "note 是 “%s%d”", "note is “%s%d”"},
		{`{"op":"bbox","item":"shape","box":[120.4,29.9,120.8,30.2]}`, "shape 与东经 120.4 至 120.8 度、北纬 29.9 至 30.2 度的范围相交", "shape touches the area 120.4 to 120.8 east, 29.9 to 30.2 north"},
	} {
		n := mustParse(t, test.source)
		if got := filter.Words(n, "zh-CN", names, labels); got != test.zh {
			t.Errorf("got  %s\nwant %s", got, test.zh)
		}
		if got := filter.Words(n, "en", names, labels); got != test.en {
			t.Errorf("got  %s\nwant %s", got, test.en)
		}
	}
	long := mustParse(t, values(25))
	if got := filter.Words(long, "zh-CN", nil, nil); !strings.HasSuffix(got, "、19 等 25 项 之一") {
		t.Errorf("got %s", got)
	}
	if got := filter.Words(long, "en", nil, nil); !strings.HasSuffix(got, ", 19 and 5 more") {
		t.Errorf("got %s", got)
	}
}
