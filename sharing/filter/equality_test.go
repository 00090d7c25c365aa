package filter_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/shuqiao/shuqiao/internal/pgtest"
	"github.com/shuqiao/shuqiao/sharing/filter"
)

// letters are the columns of the test table: one item per type rule, named after its letter.
const letters = "cnyibdtlm"

func columnTypes() map[byte]string {
	return map[byte]string{
		'c': `text COLLATE "C"`, 'n': "numeric", 'y': "numeric", 'i': "bigint", 'b': "double precision",
		'd': "date", 't': "timestamptz", 'l': "boolean", 'm': `text COLLATE "C"`,
	}
}

// fullSchema lists one item of each letter with everything its letter allows, and a geometry item g.
func fullSchema() filter.Schema {
	s := filter.Schema{"g": {
		SQL: `r."g"`, Letter: 'G', Ops: filter.LetterOps('G'),
		Box: [4]string{`r."g_w"`, `r."g_s"`, `r."g_e"`, `r."g_n"`},
	}}
	for _, letter := range letters {
		upper := byte(strings.ToUpper(string(letter))[0])
		s[string(letter)] = filter.Column{SQL: `r."` + string(letter) + `"`, Letter: upper, Ops: filter.LetterOps(upper)}
	}
	return s
}

// text draws from awkward strings first, so that rows and filters meet, and from all text otherwise.
func text() *rapid.Generator[string] {
	return rapid.OneOf(
		rapid.SampledFrom([]string{
			"", " ", "a", "A", "ab", "a ", "b", "%", "a%", "_", "a_", `\`, `\\`, `a\%`, "'", "''", `"`, `{a,b}`, "NULL",
			"null", "{}", ",", "330602", "33", "3306", "越城区", "越", "𠀀", "𠀀x", "x𠀀", "\U0010FFFF", "a\U0010FFFF",
			"a\U0010FFFF\U0010FFFFz", "\uD7FF", "\uE000", "\uFFFF", "\U00010000", "é", "e\u0301", "\n", "\t", "\u0001", "\u2028",
			"$1", "--", "/*", ";", "1", "true",
		}),
		rapid.StringN(0, 4, 12).Filter(func(s string) bool { return utf8.ValidString(s) && !strings.ContainsRune(s, 0) }),
	)
}

func number() *rapid.Generator[string] {
	return rapid.OneOf(
		rapid.SampledFrom([]string{
			"0", "1", "1.0", "-1", "0.1", "0.10", "1000", "10", "2", "99999", "-99999", "0.5", "-0.5",
			"123456789012345678901234567890.123", "-0.000000000000000000000000001", "9223372036854775807",
			"-9223372036854775808", "100000000000000000000000000000000000000",
		}),
		rapid.Map(rapid.Int32(), func(i int32) string { return fmt.Sprint(i % 50) }),
		rapid.Map(rapid.Int64(), func(i int64) string { return fmt.Sprintf("%d.%02d", i%10, (i&1023)%100) }),
	)
}

func whole() *rapid.Generator[string] {
	return rapid.OneOf(
		rapid.SampledFrom([]string{"0", "1", "-1", "10", "9223372036854775807", "-9223372036854775808"}),
		rapid.Map(rapid.Int64(), func(i int64) string { return fmt.Sprint(i % 20) }),
	)
}

func float() *rapid.Generator[string] {
	return rapid.OneOf(
		rapid.SampledFrom([]string{"0", "1", "-1", "0.1", "0.30000000000000004", "1e300", "-1e300", "5e-324", "120.5", "30"}),
		rapid.Map(rapid.Float64Range(-200, 200), func(f float64) string { return fmt.Sprint(f) }),
	)
}

func date() *rapid.Generator[string] {
	return rapid.OneOf(
		rapid.SampledFrom([]string{"0001-01-01", "9999-12-31", "2000-02-29", "1970-01-01", "2026-02-13"}),
		rapid.Map(rapid.IntRange(0, 27), func(i int) string { return fmt.Sprintf("2026-02-%02d", i+1) }),
	)
}

func instant() *rapid.Generator[string] {
	return rapid.OneOf(
		rapid.SampledFrom([]string{
			"2026-02-13T00:00:00+08:00", "2026-02-12T16:00:00Z", "2026-02-12T16:00:00.000001Z", "1970-01-01T00:00:00Z",
			"0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z",
		}),
		rapid.Map(rapid.IntRange(0, 30), func(i int) string { return fmt.Sprintf("2026-02-12T16:%02d:00.5+00:00", i) }),
	)
}

// stored draws a value of a letter's column in the store text form.
func stored(letter byte) *rapid.Generator[string] {
	switch letter {
	case 'n', 'y':
		return number()
	case 'i':
		return whole()
	case 'b':
		return rapid.OneOf(float(), rapid.SampledFrom([]string{"NaN", "Infinity", "-Infinity", "-0"}))
	case 'd':
		return date()
	case 't':
		return instant()
	case 'l':
		return rapid.SampledFrom([]string{"true", "false"})
	default:
		return text()
	}
}

// literal draws a JSON value for a letter: numbers as JSON numbers or as strings.
func literal(t *rapid.T, letter byte) any {
	switch letter {
	case 'n', 'y', 'i', 'b':
		g := number()
		if letter == 'i' {
			g = whole()
		} else if letter == 'b' {
			g = float()
		}
		s := g.Draw(t, "number")
		if rapid.Bool().Draw(t, "quoted") {
			return s
		}
		return json.Number(s)
	case 'l':
		return rapid.Bool().Draw(t, "bool")
	default:
		return stored(letter).Draw(t, "value")
	}
}

// tree draws a filter over fullSchema with at most depth levels.
func tree(t *rapid.T, depth int) map[string]any {
	if depth > 1 && rapid.IntRange(0, 2).Draw(t, "inner") > 0 {
		op := rapid.SampledFrom([]string{"and", "or", "not"}).Draw(t, "op")
		if op == "not" {
			return map[string]any{"op": op, "arg": tree(t, depth-1)}
		}
		args := make([]any, rapid.IntRange(1, 3).Draw(t, "args"))
		for i := range args {
			args[i] = tree(t, depth-1)
		}
		return map[string]any{"op": op, "args": args}
	}
	letter := rapid.SampledFrom([]byte(letters+"g"+"ccc")).Draw(t, "item")
	allowed := filter.LetterOps(byte(strings.ToUpper(string(letter))[0]))
	op := rapid.SampledFrom([]filter.Op{
		filter.OpEq, filter.OpNe, filter.OpLt, filter.OpLe, filter.OpGt, filter.OpGe, filter.OpIn, filter.OpPrefix,
		filter.OpBetween, filter.OpIsNull, filter.OpBBox,
	}).Filter(allowed.Has).Draw(t, "op")
	n := map[string]any{"op": op, "item": string(letter)}
	switch op {
	case filter.OpIsNull:
	case filter.OpIn:
		values := make([]any, rapid.IntRange(1, 5).Draw(t, "values"))
		for i := range values {
			values[i] = literal(t, letter)
		}
		n["values"] = values
	case filter.OpBetween:
		n["from"], n["to"] = literal(t, letter), literal(t, letter)
	case filter.OpBBox:
		west, south := rapid.Float64Range(-180, 180).Draw(t, "west"), rapid.Float64Range(-90, 90).Draw(t, "south")
		n["box"] = []float64{
			west, south, rapid.Float64Range(west, 180).Draw(t, "east"), rapid.Float64Range(south, 90).Draw(t, "north"),
		}
	default:
		n["value"] = literal(t, letter)
	}
	return n
}

type storedRow map[string]*string

func (r storedRow) get(identifier string) ([]byte, bool) {
	v := r[identifier]
	if v == nil {
		return nil, true
	}
	return []byte(*v), false
}

// randomRow draws a row; about one value in five is missing.
func randomRow() *rapid.Generator[storedRow] {
	return rapid.Custom(func(t *rapid.T) storedRow {
		r := storedRow{}
		draw := func(name string, g *rapid.Generator[string]) {
			if rapid.IntRange(0, 4).Draw(t, "null") > 0 {
				v := g.Draw(t, name)
				r[name] = &v
			}
		}
		for _, letter := range []byte(letters) {
			draw(string(letter), stored(letter))
		}
		draw("g", rapid.Just("\\x00"))
		for edge := range 4 {
			draw(filter.BoxIdentifier("g", edge), rapid.Map(rapid.Float64Range(-180, 180), func(f float64) string { return fmt.Sprint(f) }))
		}
		return r
	})
}

// PostgreSQL, asked with SQL, and Eval, asked with the row, give the same of three answers for random filters over
// random rows, in the store's text form and in PostgreSQL's own.
func TestEvalEqualsPostgreSQL(t *testing.T) {
	t.Parallel()
	conn := pgtest.Conn(t, pgtest.Empty(t))
	ctx := t.Context()
	names := make([]string, 0, 16)
	columns := make([]string, 0, 16)
	for _, letter := range []byte(letters) {
		names = append(names, string(letter))
		columns = append(columns, `"`+string(letter)+`" `+columnTypes()[letter])
	}
	names = append(names, "g")
	columns = append(columns, `"g" bytea`)
	for edge, column := range []string{"g_w", "g_s", "g_e", "g_n"} {
		names = append(names, filter.BoxIdentifier("g", edge))
		columns = append(columns, `"`+column+`" double precision`)
	}
	exec := func(sql string, args ...any) {
		t.Helper()
		if _, err := conn.Exec(ctx, sql, args...); err != nil {
			t.Fatal(err)
		}
	}
	exec("SET TimeZone = 'UTC'")
	exec("CREATE TEMP TABLE r (id int, " + strings.Join(columns, ", ") + ")")
	placeholders := make([]string, len(columns)+1)
	for i := range placeholders {
		placeholders[i] = fmt.Sprintf("$%d", i+1)
	}
	insert := "INSERT INTO r VALUES (" + strings.Join(placeholders, ",") + ")"
	rows := make([]storedRow, 250)
	for i := range rows {
		rows[i] = randomRow().Example(i)
		args := []any{fmt.Sprint(i)}
		for _, name := range names {
			args = append(args, rows[i][name])
		}
		exec(insert, args...)
	}

	// The same rows as PostgreSQL prints them.
	printed := make([]storedRow, len(rows))
	result, err := conn.Query(ctx, `SELECT r.id, ARRAY[c, n::text, y::text, i::text, b::text, d::text, t::text, l::text, m,
		g::text, g_w::text, g_s::text, g_e::text, g_n::text] FROM r`)
	if err != nil {
		t.Fatal(err)
	}
	for result.Next() {
		var id int
		var values []*string
		if err := result.Scan(&id, &values); err != nil {
			t.Fatal(err)
		}
		printed[id] = storedRow{}
		for i, name := range names {
			printed[id][name] = values[i]
		}
	}
	if result.Err() != nil {
		t.Fatal(result.Err())
	}

	answered := map[filter.Truth]int{}
	rapid.Check(t, func(rt *rapid.T) {
		for range 8 {
			source, err := json.Marshal(tree(rt, 4))
			if err != nil {
				rt.Fatal(err)
			}
			node, err := filter.Parse(source)
			if err != nil {
				rt.Fatalf("parsing %s: %v", source, err)
			}
			bound, err := filter.Bind(node, fullSchema())
			if err != nil && strings.Contains(err.Error(), "from_above_to") {
				continue
			}
			if err != nil {
				rt.Fatalf("binding %s: %v", source, err)
			}
			where, args := bound.SQL(1)
			inside, _ := bound.InsideSQL(1)
			got, err := conn.Query(ctx, "SELECT r.id, "+where+", "+inside+" FROM r", args...)
			if err != nil {
				rt.Fatalf("asking %s: %v", where, err)
			}
			for got.Next() {
				var id int
				var answer *bool
				var isInside bool
				if err := got.Scan(&id, &answer, &isInside); err != nil {
					rt.Fatal(err)
				}
				want := filter.Unknown
				if answer != nil {
					want = map[bool]filter.Truth{true: filter.True, false: filter.False}[*answer]
				}
				answered[want]++
				if isInside != (want == filter.True) {
					rt.Fatalf("%s: InsideSQL says %v for %v", source, isInside, want)
				}
				for form, row := range map[string]storedRow{"store": rows[id], "PostgreSQL": printed[id]} {
					if eval := bound.Eval(row.get); eval != want {
						rt.Fatalf("%s\n%s %q\nrow %d in %s form: Eval says %v, PostgreSQL %v", source, where, args, id, form, eval, want)
					}
				}
			}
			if got.Err() != nil {
				rt.Fatalf("asking %s with %q: %v", where, args, got.Err())
			}
			again, err := filter.Parse(node.Canonical())
			if err != nil || !again.Equal(node) {
				rt.Fatalf("%s: canonical form %s does not parse to the same filter: %v", source, node.Canonical(), err)
			}
		}
	})
	for _, answer := range []filter.Truth{filter.False, filter.Unknown, filter.True} {
		if answered[answer] < 1000 {
			t.Errorf("only %d rows were answered %v; the drawn filters prove too little", answered[answer], answer)
		}
	}
	t.Logf("answers compared: %v", answered)
}

// An index with COLLATE "C" on a text column serves prefix, eq and in, also in a plan made before the values are known,
// and finds exactly the rows that begin with the text.
func TestPrefixUsesTheIndex(t *testing.T) {
	t.Parallel()
	conn := pgtest.Conn(t, pgtest.Empty(t))
	ctx := t.Context()
	for _, sql := range []string{
		`CREATE TEMP TABLE r (c text COLLATE "C")`,
		`INSERT INTO r SELECT lpad(i::text, 6, '0') FROM generate_series(1, 20000) i`,
		`INSERT INTO r VALUES ('越城区'), ('越'), ('𠀀x'), ('𠀀'), (U&'a\+10FFFF'), (U&'a\+10FFFFz'), ('b'), ('50%'), ('50x'), ('50\%')`,
		`CREATE INDEX ON r (c)`,
		`ANALYZE r`,
		`SET plan_cache_mode = force_generic_plan`,
	} {
		if _, err := conn.Exec(ctx, sql); err != nil {
			t.Fatal(err)
		}
	}
	for _, test := range []struct {
		name, source string
		want         []string
	}{
		{"plain prefix", `{"op":"prefix","item":"c","value":"01234"}`, []string{"012340", "012341", "012342", "012343", "012344", "012345", "012346", "012347", "012348", "012349"}},
		{"Chinese prefix", `{"op":"prefix","item":"c","value":"越"}`, []string{"越", "越城区"}},
		{"prefix beyond the basic plane", `{"op":"prefix","item":"c","value":"𠀀"}`, []string{"𠀀", "𠀀x"}},
		{"prefix ending in the last character", `{"op":"prefix","item":"c","value":"a􏿿"}`, []string{"a\U0010FFFF", "a\U0010FFFFz"}},
		{"percent is a character", `{"op":"prefix","item":"c","value":"50%"}`, []string{"50%"}},
		{"backslash is a character", `{"op":"prefix","item":"c","value":"50\\"}`, []string{`50\%`}},
		{"equality", `{"op":"eq","item":"c","value":"000007"}`, []string{"000007"}},
		{"list", `{"op":"in","item":"c","values":["000007","越","none"]}`, []string{"000007", "越"}},
	} {
		bound := mustBind(t, test.source, fullSchema())
		where, args := bound.SQL(1)
		query := "SELECT c FROM r WHERE " + where + ` ORDER BY c`
		var plan strings.Builder
		for _, line := range column(t, conn, "EXPLAIN "+query, args...) {
			plan.WriteString(line + "\n")
		}
		if !strings.Contains(plan.String(), "Index Cond: ") || strings.Contains(plan.String(), "Filter: ") {
			t.Errorf("%s: the index does not serve %s:\n%s", test.name, where, plan.String())
		}
		if diff := cmp.Diff(test.want, column(t, conn, query, args...)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
}
