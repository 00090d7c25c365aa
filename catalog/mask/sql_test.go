package mask

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"pgregory.net/rapid"

	"github.com/shuqiao/shuqiao/internal/pgtest"
)

// inSQL applies the SQL form of every listed mask to every value, and NULL, of an SQL type. The result is by mask, then by
// value, the NULL last; NULL output reads as null.
func inSQL(tb interface {
	Helper()
	Fatalf(string, ...any)
}, conn *pgx.Conn, list []Mask, letter byte, values []string,
) [][]string {
	tb.Helper()
	columns := make([]string, 0, len(list))
	for _, m := range list {
		expr, ok := m.SQL(`"c"`, letter)
		if !ok {
			tb.Fatalf("mask %s has no SQL for %c", m.Name, letter)
		}
		columns = append(columns, fmt.Sprintf("coalesce((%s)::text, '%s')", expr, null))
	}
	cast := `v COLLATE "C"`
	if letter != 'C' {
		cast = "v::" + sqlTypes[letter]
	}
	query := "SELECT " + strings.Join(columns, ", ") + ` FROM (SELECT ` + cast +
		` AS "c", n FROM unnest($1::text[] || NULL::text) WITH ORDINALITY AS input(v, n)) AS t ORDER BY n`
	rows, err := conn.Query(context.Background(), query, values)
	if err != nil {
		tb.Fatalf("masking in SQL: %v", err)
	}
	defer rows.Close()
	out := make([][]string, len(list))
	for rows.Next() {
		line := make([]string, len(list))
		targets := make([]any, len(list))
		for i := range line {
			targets[i] = &line[i]
		}
		if err := rows.Scan(targets...); err != nil {
			tb.Fatalf("reading masked values: %v", err)
		}
		for i, v := range line {
			out[i] = append(out[i], v)
		}
	}
	if err := rows.Err(); err != nil {
		tb.Fatalf("masking in SQL: %v", err)
	}
	return out
}

// inGo is the Go side of inSQL.
func inGo(m Mask, value string) string {
	masked, isNull := m.Go(value, nil)
	if isNull {
		return null
	}
	return masked
}

// masksFor are the masks with an SQL form for a letter.
func masksFor(letter byte) []Mask {
	var list []Mask
	for _, m := range Masks() {
		if _, ok := m.SQL("c", letter); ok {
			list = append(list, m)
		}
	}
	return list
}

// sameNumber compares by value, because a double prints 1e+23 where plain notation has all its zeros.
func sameNumber(a, b string) bool {
	if a == null || b == null {
		return a == b
	}
	x, errX := strconv.ParseFloat(a, 64)
	y, errY := strconv.ParseFloat(b, 64)
	return errX == nil && errY == nil && x == y
}

// characters are alphabets that make text which the rules can read, nearly read, and not read.
var characters = []string{
	"0123456789", "0123456789-", "01Xx9", "012345678９１８６０Ｘｘx ,。", "省市区县旗盟州自治地特别行政示例路镇乡小园北京1a",
	"张李欧阳司马诸葛·•・明 ", "ab@.张 \n", "\x01\t\n\r\x7f\u00a0\u3000\ufeff\u200b*'\"\\", "𡐓𣒍😀e\u0301ǅßﬀ", "abcXYZ019张·@-",
}

// textValue draws text for the masks: random Unicode, words of one alphabet, shaped numbers, and mixtures.
func textValue() *rapid.Generator[string] {
	words := make([]*rapid.Generator[string], 0, len(characters)+6)
	for _, alphabet := range characters {
		words = append(words, rapid.StringOfN(rapid.SampledFrom([]rune(alphabet)), 0, 24, -1))
	}
	for _, shape := range []string{
		`1[0-9]{10}`, `[0-9]{17}[0-9Xx]`, `[0-9]{15}`, `0[0-9]{2,3}-?[0-9]{7,8}`, `[a-z张]{1,5}@[a-z]{1,4}\.cn`, `[0-9]{12,19}`, `[a电]?(86|0|８６)?1[0-9]{10}[x;]?`,
		`(欧阳|司马|西门|张)[明三·a]{0,4}`, `(浙江省|内蒙古自治区)?(绍兴市|阿拉善盟|镇江市)?(越城区|镇海区|示例旗|阳光小区)?[示例路1号]{0,3}`,
	} {
		words = append(words, rapid.StringMatching(shape))
	}
	word := rapid.OneOf(words...)
	anything := rapid.Map(rapid.String(), func(s string) string { return strings.ReplaceAll(s, "\x00", "") })
	mixed := rapid.Map(rapid.SliceOfN(word, 1, 4), func(parts []string) string { return strings.Join(parts, "") })
	return rapid.OneOf(word, mixed, anything)
}

// The SQL forms, on a real server: the vectors hold, and on random text, dates and numbers SQL and Go agree.
func TestSQL(t *testing.T) {
	conn := pgtest.Conn(t, pgtest.Empty(t))
	t.Run("vectors", func(t *testing.T) { testVectors(t, conn) })
	t.Run("text", func(t *testing.T) { testText(t, conn) })
	t.Run("types", func(t *testing.T) { testTypes(t, conn) })
	t.Run("columns", func(t *testing.T) { testColumns(t, conn) })
}

// The vectors of the masks hold in SQL too, and NULL stays NULL.
func testVectors(t *testing.T, conn *pgx.Conn) {
	for _, v := range vectors {
		m, _ := Find(v.name)
		letter := m.Letters[0]
		if v.in == "" && letter != 'C' {
			continue
		}
		if _, ok := m.SQL("c", letter); !ok {
			continue
		}
		got := inSQL(t, conn, []Mask{m}, letter, []string{v.in})[0]
		if got[0] != v.want || got[1] != null {
			t.Errorf("%s of %q and NULL: got %q, want %q and %s", v.name, v.in, got, v.want, null)
		}
	}
}

// On any text every mask gives in SQL exactly what it gives in Go.
func testText(t *testing.T, conn *pgx.Conn) {
	list := masksFor('C')
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfN(textValue(), 1, 60).Draw(t, "values")
		got := inSQL(t, conn, list, 'C', values)
		for i, m := range list {
			for j, value := range values {
				if want := inGo(m, value); got[i][j] != want {
					t.Fatalf("%s of %q: SQL gives %q, Go gives %q", m.Name, value, got[i][j], want)
				}
			}
			if got[i][len(values)] != null {
				t.Fatalf("%s of NULL gives %q", m.Name, got[i][len(values)])
			}
		}
	})
}

// On dates, numbers and doubles the masks that keep the type give in SQL the value that they give in Go.
func testTypes(t *testing.T, conn *pgx.Conn) {
	date := rapid.Custom(func(t *rapid.T) string {
		return fmt.Sprintf("%04d-%02d-%02d", rapid.IntRange(1, 9999).Draw(t, "year"), rapid.IntRange(1, 12).Draw(t, "month"), rapid.IntRange(1, 28).Draw(t, "day"))
	})
	number := rapid.OneOf(
		rapid.StringMatching(`-?(0|[1-9][0-9]{0,20})(\.[0-9]{1,12})?`),
		rapid.StringMatching(`-?9{1,12}\.9{1,12}`),
		rapid.StringMatching(`-?0\.0{0,10}[0-9]{1,8}`),
		rapid.StringMatching(`-?[0-9]{1,3}\.[0-9][0-9]5`),
		rapid.Just("NaN"),
	)
	double := rapid.Map(rapid.OneOf(rapid.Float64(), rapid.Float64Range(-180, 180), rapid.Float64Range(-1e9, 1e9)), func(f float64) string {
		return strconv.FormatFloat(f, 'g', -1, 64)
	})
	integer := rapid.Map(rapid.Int64(), func(n int64) string { return strconv.FormatInt(n, 10) })
	generators := []struct {
		letter byte
		value  *rapid.Generator[string]
	}{{'D', date}, {'N', number}, {'Y', number}, {'B', double}, {'F', double}, {'I', integer}}
	for _, g := range generators {
		t.Run(string(g.letter), func(t *testing.T) {
			list := masksFor(g.letter)
			rapid.Check(t, func(t *rapid.T) {
				values := rapid.SliceOfN(g.value, 1, 60).Draw(t, "values")
				got := inSQL(t, conn, list, g.letter, values)
				for i, m := range list {
					for j, value := range values {
						want := inGo(m, value)
						if got[i][j] != want && (g.letter == 'D' || !m.KeepsType || !sameNumber(got[i][j], want)) {
							t.Fatalf("%s of %s: SQL gives %q, Go gives %q", m.Name, value, got[i][j], want)
						}
					}
				}
			})
		})
	}
}

// A masked column keeps the SQL type that the mask promises.
func testColumns(t *testing.T, conn *pgx.Conn) {
	for _, m := range Masks() {
		for _, letter := range []byte(m.Letters) {
			expr, ok := m.SQL("c", letter)
			if !ok {
				continue
			}
			var got string
			err := conn.QueryRow(context.Background(), "SELECT pg_typeof("+expr+")::text FROM (SELECT NULL::"+sqlTypes[letter]+" AS c) AS t").Scan(&got)
			if err != nil {
				t.Errorf("%s of %c: %v", m.Name, letter, err)
				continue
			}
			want := sqlTypes[m.Output(letter)]
			if want == "timestamptz" {
				want = "timestamp with time zone"
			}
			if got != want {
				t.Errorf("%s of %c: got %s, want %s", m.Name, letter, got, want)
			}
		}
	}
}

// No text makes a Go form panic, show the middle of a mobile number, or give an empty value for one that is not.
func FuzzMasks(f *testing.F) {
	for _, v := range vectors {
		f.Add(v.in)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, m := range Masks() {
			masked, isNull := m.Go(s, []byte("key"))
			if s != "" && masked == "" && !isNull {
				t.Errorf("%s gives an empty value for %q", m.Name, s)
			}
			if isMobile(s) && m.Allows('C') && m.Name != "hash" && masked == s {
				t.Errorf("%s shows the mobile number %q", m.Name, s)
			}
		}
	})
}
