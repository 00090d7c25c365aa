package catalog

import (
	"context"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

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

// However entries are spread over tiers, a search returns what holds its words, in the order of ranks, page by page.
func TestEveryTieringFindsTheSame(t *testing.T) {
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
	s, err := New(Options{DB: d, Enforcer: node.Enforcer})
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		name    string
		tiering tiering
		tiers   int // How many have entries.
	}{
		{"a small directory", usualTiering(), 1},
		{"all tiers", tiering{highest: 1}, 6},
		{"wide tiers", tiering{highest: 50}, 3},
		{"one tier for all", tiering{highest: 1000}, 1},
		{"tiers given up", usualTiering(), 1},
	} {
		t.Run(step.name, func(t *testing.T) {
			s.tiering = step.tiering
			if _, err := s.CountRanks(ctx); err != nil {
				t.Fatal(err)
			}
			if again, err := s.CountRanks(ctx); err != nil || again != 0 {
				t.Errorf("counted again, %d entries moved, %v", again, err)
			}
			var occupied, wrong int
			err := d.Pool.QueryRow(ctx, `SELECT count(DISTINCT tier), count(*) FILTER (WHERE tier <> search_tier_of(state, rank, resource_id)) FROM resource_search`).Scan(&occupied, &wrong)
			if err != nil || occupied != step.tiers || wrong != 0 {
				t.Errorf("%d tiers have entries, want %d; %d entries stand on a wrong one, %v", occupied, step.tiers, wrong, err)
			}
			for _, text := range []string{"登记", "户籍", "社", "cert", "djxx", "证件 许可", "镜湖", "2", "没有"} {
				want := unindexed(ctx, t, d, text, "s.rank DESC, s.resource_id DESC")
				for _, size := range []int{3, 20} {
					firstPages(ctx, t, s, p, Query{Text: text, Sort: ByRelevance}, size, want)
				}
				firstPages(ctx, t, s, p, Query{Text: text, Sort: ByChange}, 20, unindexed(ctx, t, d, text, "s.updated_at DESC, s.resource_id DESC"))
				facets, err := s.Facets(ctx, p, Query{Text: text})
				if err != nil || facets.Total != int64(len(want)) || facets.Capped {
					t.Errorf("%s: the facets count %d of %d, %v", text, facets.Total, len(want), err)
				}
			}
		})
	}
}

// firstPages compares the first hits of a search, page by page, with all that it should find.
func firstPages(ctx context.Context, t *testing.T, s *Service, p authz.Principal, q Query, size int, want []uuid.UUID) {
	t.Helper()
	const enough = 60
	got := []uuid.UUID{}
	page := db.Page{Limit: size}
	for {
		found, next, err := s.Search(ctx, p, q, page)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range found {
			got = append(got, e.ID)
		}
		if page.Cursor = next; next == "" || len(got) > enough {
			break
		}
	}
	if diff := cmp.Diff(want[:min(len(got), len(want))], got); diff != "" || len(got) < min(len(want), enough) {
		t.Fatalf("%s %q by %d: found %d of %d (-want +got):\n%s", q.Text, q.Sort, size, len(got), len(want), diff)
	}
}

// A cursor of another state's list, or one that somebody made up, finds what comes after it, and that may be nothing.
func TestForeignCursors(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	url := pgtest.Empty(t)
	if err := makeDirectory(ctx, url, 30); err != nil {
		t.Fatal(err)
	}
	d := authztest.OpenURL(t, url)
	s, err := New(Options{DB: d, Enforcer: authztest.Start(t, d).Enforcer})
	if err != nil {
		t.Fatal(err)
	}
	p := authztest.Person(benchDepartment(0), authz.DeptOperator)
	for rank, want := range map[int64]int{math.MinInt64: 0, -1: 0, 0: 0, maxRank: 0, places + maxRank: 30, math.MaxInt64: 30} {
		for _, text := range []string{"", "登记", "的"} {
			found, _, err := s.Search(ctx, p, Query{Text: text, Sort: ByRelevance}, db.Page{Cursor: db.Next(rank, time.Time{}, uuid.Max)})
			if err != nil || text == "" && len(found) != min(want, db.Page{}.Size()) {
				t.Errorf("%q after rank %d: %d hits, %v", text, rank, len(found), err)
			}
		}
	}
}

// However a search is narrowed and whatever page it asks for, connections keep the plans of few statements: each takes 200 KB.
func TestSearchesKeepFewPlans(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	url := pgtest.Empty(t)
	if err := makeDirectory(ctx, url, 60); err != nil {
		t.Fatal(err)
	}
	d, err := db.Open(ctx, db.Options{URL: url, MaxConns: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	s, err := New(Options{DB: d, Enforcer: authztest.Start(t, authztest.OpenURL(t, url)).Enforcer, CountedFor: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	p := authztest.Person(benchDepartment(0), authz.DeptOperator)
	yes := true
	for _, text := range []string{"登记", "名单", "镜湖", "规划"} {
		for _, q := range []Query{
			{},
			{Grade: L2},
			{UpdateCycle: Daily, Theme: "公共服务"},
			{ShareType: Conditional},
			{ShareMethod: ByAPI, Open: &yes},
			{DepartmentID: benchDepartment(3)},
			{DepartmentID: benchDepartment(3), Below: true, BaseDatabase: "credit"},
			{Division: "330600"},
		} {
			q.Text, q.Sort = text, ByRelevance
			page := db.Page{Limit: 2}
			for range 3 {
				_, next, err := s.Search(ctx, p, q, page)
				if err != nil {
					t.Fatal(err)
				}
				if page.Cursor = next; next == "" {
					break
				}
			}
			if _, err := s.Facets(ctx, p, q); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := s.Suggest(ctx, p, text); err != nil {
			t.Fatal(err)
		}
	}
	var plans int
	if err := d.Pool.QueryRow(ctx, "SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE $1", "%s.tier = 7%").Scan(&plans); err != nil || plans != 3 {
		t.Errorf("a connection keeps %d plans of searches, suggestions and counts, want one each, %v", plans, err)
	}
}

// unindexed is a search in some order without any index.
func unindexed(ctx context.Context, t *testing.T, d *db.DB, text, order string) []uuid.UUID {
	t.Helper()
	out, err := column[uuid.UUID](ctx, d.Pool, `
		SELECT s.resource_id FROM resource_search s JOIN department d ON d.id = s.department_id
		WHERE s.state = 'published' AND NOT EXISTS (SELECT FROM unnest(string_to_array($1, ' ')) w WHERE s.body NOT LIKE '%' || w || '%' AND d.name NOT LIKE '%' || w || '%')
		ORDER BY `+order, text)
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
