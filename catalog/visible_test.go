package catalog_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/authz/authztest"
	"github.com/shuqiao/shuqiao/catalog"
	"github.com/shuqiao/shuqiao/internal/db"
)

// shownState is one version of an entry that a list may show.
type shownState struct {
	ID    uuid.UUID
	Name  string
	Dept  uuid.UUID
	State catalog.State
}

// randomDirectory makes entries of several departments in every state; some published ones have a draft beside them.
func (b *testBundle) randomDirectory(t *testing.T, r *rand.Rand, n int) (departments []uuid.UUID, shown []shownState) {
	t.Helper()
	departments = []uuid.UUID{b.police.ID, b.market.ID}
	for i := range 3 {
		departments = append(departments, b.department(t, fmt.Sprintf("示例市第%d办公室", i), 10+i).ID)
	}
	states := []catalog.State{
		catalog.Draft, catalog.DeptReview, catalog.PlatformReview, catalog.Returned, catalog.Published, catalog.Published, catalog.Offline, catalog.Revoked,
	}
	for i := range n {
		dept := departments[r.IntN(len(departments))]
		m := small(fmt.Sprintf("随机条目%03d", i))
		if r.IntN(4) == 0 {
			m = withheld(m)
		}
		operator := authztest.Person(dept, authz.DeptOperator)
		entry, err := b.service.CreateResource(b.ctx, operator, m)
		if err != nil {
			t.Fatal(err)
		}
		state := states[r.IntN(len(states))]
		published := state == catalog.Published || state == catalog.Offline || state == catalog.Revoked
		for _, sql := range []string{
			"UPDATE resource SET state = $2, published = CASE WHEN $3 THEN 1 END WHERE id = $1",
			"UPDATE resource_version SET state = $2, published_at = CASE WHEN $3 THEN now() END WHERE resource_id = $1",
		} {
			if _, err := b.db.Pool.Exec(b.ctx, sql, entry.ID, string(state), published); err != nil {
				t.Fatal(err)
			}
		}
		shown = append(shown, shownState{entry.ID, m.Name, dept, state})
		if state == catalog.Published && r.IntN(2) == 0 {
			if _, err := b.service.StartVersion(b.ctx, operator, entry.ID, 0); err != nil {
				t.Fatal(err)
			}
			m.Name += "新版"
			if _, err := b.service.EditDraft(b.ctx, operator, entry.ID, 0, m); err != nil {
				t.Fatal(err)
			}
			shown = append(shown, shownState{entry.ID, m.Name, dept, catalog.Draft})
		}
	}
	if _, err := catalog.RebuildSearch(b.ctx, b.db, true, nil); err != nil {
		t.Fatal(err)
	}
	return departments, shown
}

// For many callers, what searches, counts and suggestions show is what the enforcer lets them read, entry by entry.
func TestNothingShowsMoreThanCheckAllows(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := rand.New(rand.NewPCG(2026, 11))
	departments, shown := b.randomDirectory(t, r, 40)
	roles := []authz.Role{
		authz.SystemAdmin, authz.SecurityAdmin, authz.Auditor, authz.PlatformOperator, authz.DeptAdmin, authz.DeptOperator, authz.ClientRole,
	}
	states := []catalog.State{
		catalog.Draft, catalog.DeptReview, catalog.PlatformReview, catalog.Returned, catalog.Published, catalog.Offline, catalog.Revoked,
	}
	for caller := range 200 {
		p := authztest.Person(departments[r.IntN(len(departments))], roles[r.IntN(len(roles))])
		if r.IntN(10) == 0 {
			p.Department = uuid.Nil
		}
		if !b.node.Enforcer.Allowed(p, authz.ResourceRead, authz.Target{Kind: "resource", State: "published"}) {
			_, _, err := b.service.Search(b.ctx, p, catalog.Query{}, db.Page{})
			if err == nil {
				t.Fatalf("%v may not read and searches", p.Roles)
			}
			continue
		}
		reads := func(s shownState) bool {
			return s.State == catalog.Published ||
				b.node.Enforcer.Allowed(p, authz.ResourceReadDraft, authz.Target{Kind: "resource", Department: s.Dept, State: string(s.State)})
		}
		// A sample of all states for each caller; together they see every pair of role and state many times.
		for _, state := range []catalog.State{catalog.Published, catalog.Draft, states[caller%len(states)]} {
			q := catalog.Query{State: state, Text: []string{"", "随机", "sjtm", "remark"}[r.IntN(4)], Sort: []catalog.Sort{"", catalog.ByRelevance, catalog.ByRows}[r.IntN(3)]}
			var want, got []string
			for _, s := range shown {
				if s.State == state && reads(s) {
					want = append(want, s.Name)
				}
			}
			found, next, err := b.service.Search(b.ctx, p, q, db.Page{Limit: 100})
			if err != nil || next != "" {
				t.Fatal(next, err)
			}
			for _, e := range found {
				got = append(got, e.Name)
			}
			slices.Sort(want)
			slices.Sort(got)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatalf("%v of %s in %s, %+v (-allowed +found):\n%s", p.Roles, p.Department, state, q, diff)
			}
			facets, err := b.service.Facets(b.ctx, p, q)
			if err != nil {
				t.Fatal(err)
			}
			sum := int64(0)
			for _, f := range facets.Departments {
				sum += f.Count
			}
			if facets.Total != int64(len(want)) || sum != facets.Total {
				t.Fatalf("%v in %s: the facets count %d, %d by department, of %d", p.Roles, state, facets.Total, sum, len(want))
			}
		}
		one := shown[r.IntN(len(shown))]
		suggested, err := b.service.Suggest(b.ctx, p, one.Name)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range suggested {
			if !slices.ContainsFunc(shown, func(o shownState) bool { return o.Name == s.Name && o.State == catalog.Published }) {
				t.Fatalf("suggested %q, which is not published", s.Name)
			}
		}
		if want := one.State == catalog.Published; want != slices.ContainsFunc(suggested, func(s catalog.Completion) bool { return s.Name == one.Name }) {
			t.Fatalf("%q in %s: suggested %v", one.Name, one.State, suggested)
		}
		if _, err := b.service.Get(b.ctx, p, one.ID); one.State != catalog.Published && !strings.HasSuffix(one.Name, "新版") && (err == nil) != reads(one) {
			t.Fatalf("%v reads %s: %v", p.Roles, one.State, err)
		}
	}
}

// What can be typed, and what it finds; the index follows every change.
func TestWaysToFind(t *testing.T) {
	t.Parallel()
	b := setup(t)
	below, err := b.service.CreateDepartment(b.ctx, b.system, catalog.Department{
		USCC: creditCode(t, 20), Name: "示例区交警大队", NameEN: "Traffic Police", DivisionCode: "330602", Level: "county", ParentID: b.police.ID,
	})
	if err != nil {
		t.Fatal(err)
	}
	entry := func(name string, change func(*catalog.Metadata)) catalog.Metadata {
		m := small(name)
		m.Items = slices.Clone(m.Items)
		change(&m)
		return m
	}
	residents := b.publish(t, entry("户籍人口信息", func(m *catalog.Metadata) {
		m.Tags, m.Themes, m.Open = []string{"常住"}, []string{"公共安全"}, false
		m.Items[1].Name, m.Items[1].Identifier = "曾用名", "former_name"
	}))
	cars := b.publish(t, entry("机动车登记 Vehicle register", func(m *catalog.Metadata) { m.Summary = "全市机动车的登记情况,含号牌ＡＢＣ。" }))
	if _, err := b.db.Pool.Exec(b.ctx, "UPDATE resource SET provider_dept_id = $2 WHERE id = $1", cars.ID, below.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := catalog.RebuildSearch(b.ctx, b.db, true, nil); err != nil {
		t.Fatal(err)
	}
	find := func(who authz.Principal, q catalog.Query) string {
		t.Helper()
		found, _, err := b.service.Search(b.ctx, who, q, db.Page{})
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, e := range found {
			names = append(names, string([]rune(e.Name)[:2]))
		}
		slices.Sort(names)
		return strings.Join(names, " ")
	}
	for text, want := range map[string]string{
		"户籍": "户籍", "籍": "户籍", "户": "户籍", "口信": "户籍", "户信": "", "hjrk": "户籍", "jrkx": "户籍", "hujiren": "户籍", "曾用名": "户籍", "former": "户籍", "Former_N": "户籍",
		"常住": "户籍", "公共安全": "户籍", residents.Code: "户籍", residents.Code[:9]: "户籍 机动", "vehicle": "机动", "REGISTER vehicle": "机动", "abc": "机动", "ＡＢＣ": "机动",
		"交警": "机动", "jjdd": "机动", "traffic": "机动", "公安局 户籍": "户籍", "公安局": "户籍", "示例": "户籍 机动", "登记 户籍": "", "%": "", "_": "", "'": "", "\\": "", "|": "", "&!": "", "  ": "户籍 机动",
	} {
		for _, sort := range []catalog.Sort{catalog.ByChange, catalog.ByRelevance, catalog.ByRows} {
			if got := find(b.marketOperator, catalog.Query{Text: text, Sort: sort}); got != want {
				t.Errorf("%q by %q: found %q, want %q", text, sort, got, want)
			}
		}
	}
	for name, c := range map[string]struct {
		q    catalog.Query
		want string
	}{
		"a department":        {catalog.Query{DepartmentID: b.police.ID}, "户籍"},
		"with those below":    {catalog.Query{DepartmentID: b.police.ID, Below: true}, "户籍 机动"},
		"the city":            {catalog.Query{Division: "330600"}, "户籍 机动"},
		"the province":        {catalog.Query{Division: "330000"}, "户籍 机动"},
		"a district":          {catalog.Query{Division: "330602"}, "机动"},
		"another province":    {catalog.Query{Division: "110000"}, ""},
		"a hostile division":  {catalog.Query{Division: "'; --\x00"}, ""},
		"a text and a filter": {catalog.Query{Text: "登记", Division: "330602", Grade: catalog.L2}, "机动"},
	} {
		if got := find(b.marketOperator, c.q); got != c.want {
			t.Errorf("%s: found %q, want %q", name, got, c.want)
		}
	}
	suggest := func(text string) (out []string) {
		t.Helper()
		found, err := b.service.Suggest(b.ctx, b.marketOperator, text)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range found {
			out = append(out, s.Kind+" "+s.Name)
		}
		return out
	}
	for text, want := range map[string][]string{
		"": nil, "?": nil, "hjrk": {"entry 户籍人口信息"}, "户": {"entry 户籍人口信息"}, "常住": nil, "交警": {"department 示例区交警大队"}, "市场监督": nil,
		residents.Code: {"entry 户籍人口信息"},
	} {
		if diff := cmp.Diff(want, suggest(text)); diff != "" {
			t.Errorf("suggestions for %q (-want +got):\n%s", text, diff)
		}
	}
	// A department's new name is found at once, its old one no more.
	below.Name = "示例区车辆管理所"
	if _, err := b.service.UpdateDepartment(b.ctx, b.system, below.ID, 0, below); err != nil {
		t.Fatal(err)
	}
	// A draft beside the published version changes nothing for others.
	if _, err := b.service.StartVersion(b.ctx, b.operator, residents.ID, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := b.service.EditDraft(b.ctx, b.operator, residents.ID, 0, entry("常住人口", func(*catalog.Metadata) {})); err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string][3]string{
		"车辆管理": {"机动", "", ""}, "交警": {"", "", ""}, "户籍人口": {"户籍", "", ""}, "常住人口": {"", "", "常住"},
	} {
		got := [3]string{
			find(b.marketOperator, catalog.Query{Text: text}), find(b.marketOperator, catalog.Query{Text: text, State: catalog.Draft}),
			find(b.operator, catalog.Query{Text: text, State: catalog.Draft}),
		}
		if got != want {
			t.Errorf("%s: others, others in drafts, the department find %q, want %q", text, got, want)
		}
	}
	if err := b.service.DiscardDraft(b.ctx, b.operator, residents.ID, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := b.service.TakeOffline(b.ctx, b.platform, residents.ID, 0, "系统下线", offlineRequest); err != nil {
		t.Fatal(err)
	}
	if got := find(b.operator, catalog.Query{Text: "人口", State: catalog.Draft}) + find(b.marketOperator, catalog.Query{Text: "户籍"}) + strings.Join(suggest("户籍"), ""); got != "" {
		t.Errorf("found %q of what was discarded or taken offline", got)
	}
}

// Ranks prefer what has data, fresh ones, and what is used; what a program before did not index is indexed.
func TestRanks(t *testing.T) {
	t.Parallel()
	b := setup(t)
	fresh, late, none, closed, _ := b.holdings(t)
	order := func() (names []string) {
		t.Helper()
		found, _, err := b.service.Search(b.ctx, b.marketOperator, catalog.Query{Sort: catalog.ByRelevance}, db.Page{})
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range found {
			names = append(names, e.Name)
		}
		return names
	}
	if _, err := b.db.Pool.Exec(b.ctx, "DELETE FROM resource_search WHERE resource_id = $1", fresh.ID); err != nil {
		t.Fatal(err)
	}
	if n, err := b.service.KeepSearch(b.ctx); err != nil || n < 2 {
		t.Fatalf("%d ranks changed, %v", n, err)
	}
	if got := order()[:2]; !slices.Equal(got, []string{fresh.Name, late.Name}) {
		t.Errorf("with data first: got %v", got)
	}
	if n, err := b.service.KeepSearch(b.ctx); err != nil || n != 0 {
		t.Errorf("within the hour %d ranks changed, %v", n, err)
	}
	b.use(t, none.ID, 1_000_000, today.AddDate(0, 0, -1))
	b.use(t, late.ID, 1_000_000, today.AddDate(0, 0, -1))
	if n, err := b.service.CountRanks(b.ctx); err != nil || n != 2 {
		t.Errorf("%d ranks changed, %v", n, err)
	}
	if got := order(); !slices.Equal(got[:2], []string{late.Name, fresh.Name}) || got[2] != none.Name || got[3] != closed.Name {
		t.Errorf("with use: got %v", got)
	}
	// An edit keeps the points, and the tier follows the rank.
	var wrong int
	if _, err := b.service.RecordConsent(b.ctx, b.admin, late.ID, 0, consent); err != nil {
		t.Fatal(err)
	}
	err := b.db.Pool.QueryRow(b.ctx, `
		SELECT count(*) FROM resource_search WHERE rank <> least(complete + signals, 1023)
			OR tier <> search_tier_of(state, rank, resource_id)`).Scan(&wrong)
	if err != nil || wrong != 0 {
		t.Errorf("%d rows have a rank or tier that is not theirs, %v", wrong, err)
	}
	if got := order()[0]; got != late.Name {
		t.Errorf("an edit lost the points: %s is first", got)
	}
}
