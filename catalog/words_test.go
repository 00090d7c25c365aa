package catalog

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/authz/authztest"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/pgtest"
)

// How titles sound, where a character alone would be read otherwise, too.
func TestSounds(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][2]string{
		"人口基本信息": {"rkjbxx", "renkoujibenxinxi"}, "银行账户": {"yhzh", "yinhangzhanghu"}, "A股 行业2025": {"aghy2025", "aguhangye2025"},
		"Population": {"", ""}, "": {"", ""}, "ＡＢ户籍": {"abhj", "abhuji"},
	} {
		initials, full := sounds(text)
		if diff := cmp.Diff(want, [2]string{initials, full}); diff != "" {
			t.Errorf("%s (-want +got):\n%s", text, diff)
		}
	}
}

// How texts are cut up, and what is asked for.
func TestPieces(t *testing.T) {
	t.Parallel()
	want := []string{"abc", "bcd", "cd", "d", "户", "口户", "户口", "籍", "户籍"}
	slices.Sort(want)
	if diff := cmp.Diff(want, pieces(plain("户籍,ABCD 户口户"))); diff != "" {
		t.Errorf("pieces (-want +got):\n%s", diff)
	}
	for text, want := range map[string][]string{
		"户":            {"'户':*"},
		"户籍":           {"'户籍'"},
		"户籍人":          {"'户籍' & '籍人'"},
		"ab":           {"'ab':*"},
		"Cert_No":      {"'cer' & 'ert' & 'no':*"},
		"户籍 户籍\x00% 口": {"'户籍'", "", "'口':*"},
	} {
		var got []string
		for _, term := range terms(text) {
			got = append(got, term.match)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q (-want +got):\n%s", text, diff)
		}
	}
}

// satisfied reports whether the pieces of a text satisfy what a term asks for.
func satisfied(pieces []string, match string) bool {
	for lexeme := range strings.SplitSeq(match, " & ") {
		prefix, begins := strings.CutSuffix(lexeme, ":*")
		want := strings.Trim(prefix, "'")
		if !slices.ContainsFunc(pieces, func(p string) bool { return p == want || begins && strings.HasPrefix(p, want) }) {
			return false
		}
	}
	return true
}

// Whatever part of a text somebody looks for, the pieces of the text satisfy what is asked for.
func FuzzWords(f *testing.F) {
	for _, seed := range []string{"户籍信息2025", "Ａ股'\\ x_y", "\xff\x00é́ ß", "١٢٣ 한국어 ｱｲ", "=r1 st:published & | ! <->"} {
		f.Add(seed, uint8(0), uint8(3))
	}
	f.Fuzz(func(t *testing.T, text string, from, length uint8) {
		letters := []rune(plain(text))
		start := min(int(from), len(letters))
		part := string(letters[start:min(start+int(length), len(letters))])
		all := pieces(string(letters))
		for _, term := range terms(part) {
			if len([]rune(term.text)) == maxTerm || !strings.Contains(string(letters), term.text) {
				continue // Cut off, or composed anew with what stands beside it.
			}
			if term.match != "" && !satisfied(all, term.match) {
				t.Errorf("%q is in %q, but its pieces %q do not satisfy %s", term.text, string(letters), all, term.match)
			}
		}
		if initials, full := sounds(text); len(initials) > len(full) {
			t.Errorf("%q sounds %q and %q", text, initials, full)
		}
	})
}

// However hits are looked for (walked in order, looked up among the best ranked, or in all), a search returns what holds its words, in
// the order of ranks, page by page.
func TestEveryWayFindsTheSame(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	url := pgtest.Empty(t)
	const n = 400
	if err := makeDirectory(ctx, url, n); err != nil {
		t.Fatal(err)
	}
	d := authztest.OpenURL(t, url)
	node := authztest.Start(t, d)
	p := authztest.Person(benchDepartment(0), authz.DeptOperator)
	for name, way := range map[string]looking{
		"walked":         {least: 500, most: 4000, whole: 1 << 40},
		"band by band":   {least: 2, most: 200, whole: 0},
		"looked up":      {least: 0, most: 0, share: 0.4, whole: 1 << 40},
		"bands, no walk": {least: 0, most: 0, share: 0.4, whole: 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, err := New(Options{DB: d, Enforcer: node.Enforcer})
			if err != nil {
				t.Fatal(err)
			}
			s.looking = way
			for _, text := range []string{"登记", "户籍", "社", "cert", "djxx", "证件 许可", "镜湖", "2", "没有"} {
				want := unindexed(ctx, t, d, text)
				for _, size := range []int{3, 20} {
					got := []uuid.UUID{}
					page := db.Page{Limit: size}
					for {
						found, next, err := s.Search(ctx, p, Query{Text: text, Sort: ByRelevance}, page)
						if err != nil {
							t.Fatal(err)
						}
						for _, e := range found {
							got = append(got, e.ID)
						}
						if page.Cursor = next; next == "" || len(got) > 60 {
							break
						}
					}
					if diff := cmp.Diff(want[:min(len(got), len(want))], got); diff != "" || len(got) < min(len(want), 60) {
						t.Fatalf("%s by %d: found %d of %d (-want +got):\n%s", text, size, len(got), len(want), diff)
					}
				}
				facets, err := s.Facets(ctx, p, Query{Text: text})
				if err != nil || facets.Total != int64(len(want)) || facets.Capped {
					t.Errorf("%s: the facets count %d of %d, %v", text, facets.Total, len(want), err)
				}
			}
		})
	}
}

// unindexed is the same search without any index.
func unindexed(ctx context.Context, t *testing.T, d *db.DB, text string) []uuid.UUID {
	t.Helper()
	out, err := column[uuid.UUID](ctx, d.Pool, `
		SELECT s.resource_id FROM resource_search s JOIN department d ON d.id = s.department_id
		WHERE s.state = 'published' AND NOT EXISTS (SELECT FROM unnest(string_to_array($1, ' ')) w WHERE s.body NOT LIKE '%' || w || '%' AND d.name NOT LIKE '%' || w || '%')
		ORDER BY s.rank DESC, s.resource_id DESC`, text)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// More hits than are read are said to be more.
func TestCountsAreCapped(t *testing.T) {
	t.Parallel()
	f := Facets{Total: 4001, Open: 5, Themes: []Facet{{Value: "a", Count: 3000}, {Value: "b", Count: 7}}}
	f.cap()
	if diff := cmp.Diff(Facets{Total: 1000, Open: 5, Themes: []Facet{{Value: "a", Count: 1000}, {Value: "b", Count: 7}}}, f); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
