package catalog_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/catalog"
	"github.com/shuqiao/shuqiao/internal/db"
)

// holdings are entries of the police with and without data, one withheld, and a draft that only the police may know of.
func (b *testBundle) holdings(t *testing.T) (fresh, late, none, closed, draft catalog.Resource) {
	t.Helper()
	entry := func(name string, change func(*catalog.Metadata)) catalog.Metadata {
		m := small(name)
		m.Items = slices.Clone(m.Items)
		if change != nil {
			change(&m)
		}
		return m
	}
	fresh = b.publish(t, entry("按期资源", func(m *catalog.Metadata) {
		m.Themes, m.BaseDatabase = []string{"公共服务", "社会保障"}, "population"
	}))
	late = b.publish(t, entry("逾期资源", func(m *catalog.Metadata) {
		m.Themes, m.ShareMethods = []string{"公共服务"}, []catalog.ShareMethod{catalog.ByAPI, catalog.ByTable}
	}))
	none = b.publish(t, entry("无数资源", func(m *catalog.Metadata) { m.UpdateCycle = catalog.Monthly }))
	closed = b.publish(t, withheld(entry("不予资源", nil)))
	var err error
	draft, err = b.service.CreateResource(b.ctx, b.operator, entry("未发布资源", func(m *catalog.Metadata) {
		m.Themes, m.BaseDatabase, m.UpdateCycle = []string{"内部"}, "population", catalog.Yearly
	}))
	if err != nil {
		t.Fatal(err)
	}
	b.arrive(t, fresh.ID, 500, 2*time.Hour)
	b.arrive(t, late.ID, 900, 49*time.Hour)
	b.arrive(t, draft.ID, 7000, time.Hour)
	return fresh, late, none, closed, draft
}

// arrive says that rows arrived some time ago, as a merge leaves it behind.
func (b *testBundle) arrive(t *testing.T, resource uuid.UUID, rows int64, ago time.Duration) {
	t.Helper()
	_, err := b.db.Pool.Exec(b.ctx, `
		INSERT INTO store.store_head (resource, incarnation, layout, rows, seq, changed_at) VALUES ($1, gen_random_uuid(), 1, $2, $2, now() - $3::interval)`,
		resource, rows, ago)
	if err != nil {
		t.Fatal(err)
	}
}

// use writes that so many rows were taken.
func (b *testBundle) use(t *testing.T, resource uuid.UUID, rows int64, at time.Time) {
	t.Helper()
	_, err := b.db.Pool.Exec(b.ctx, `
		INSERT INTO usage (id, at, grant_id, terms_version, client_id, resource_id, mode, state, rows, items, policy_n, rule_id)
		VALUES (gen_random_uuid(), $1, gen_random_uuid(), 1, gen_random_uuid(), $2, 'rows', 'done', $3, '{}', 1, 'r')`, at, resource, rows)
	if err != nil {
		t.Fatal(err)
	}
}

// The overview counts what is published and nothing else: a draft is in none of its figures and lists.
func TestOverview(t *testing.T) {
	t.Parallel()
	b := setup(t)
	fresh, late, none, closed, draft := b.holdings(t)
	b.use(t, fresh.ID, 10, today.AddDate(0, 0, -3))
	b.use(t, fresh.ID, 20, today.AddDate(0, 0, -29))
	b.use(t, late.ID, 100, today.AddDate(0, 0, -1))
	b.use(t, late.ID, 9000, today.AddDate(0, 0, -31)) // Too long ago.
	b.use(t, draft.ID, 5000, today.AddDate(0, 0, -1))
	for _, who := range []authz.Principal{b.marketOperator, b.operator, b.platform} {
		o, err := b.service.Overview(b.ctx, who)
		if err != nil {
			t.Fatal(err)
		}
		type figures struct{ Resources, HasData, Open, Items, Rows int64 }
		if diff := cmp.Diff(figures{4, 2, 0, 12, 1400}, figures{o.Resources, o.HasData, o.Open, o.Items, o.Rows}); diff != "" {
			t.Errorf("figures (-want +got):\n%s", diff)
		}
		if !o.At.Equal(today) || !o.UsedAt.Equal(today) {
			t.Errorf("counted at %v and %v", o.At, o.UsedAt)
		}
		for _, base := range o.BaseDatabases {
			want := base.Code == "population"
			if got := base.Resources == 1 && base.Rows == 500 && base.ArrivedAt != nil; got != want {
				t.Errorf("%s: %+v", base.Code, base)
			}
		}
		if diff := cmp.Diff([]catalog.Facet{{Value: "公共服务", Label: "公共服务", Count: 2}, {Value: "社会保障", Label: "社会保障", Count: 1}}, o.Themes); diff != "" {
			t.Errorf("themes (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]catalog.Facet{{Value: b.police.ID.String(), Label: b.police.Name, Count: 4}}, o.Departments); diff != "" {
			t.Errorf("departments (-want +got):\n%s", diff)
		}
		var newest []uuid.UUID
		for _, e := range o.Newest {
			newest = append(newest, e.ID)
		}
		if diff := cmp.Diff([]uuid.UUID{closed.ID, none.ID, late.ID, fresh.ID}, newest); diff != "" {
			t.Errorf("newest (-want +got):\n%s", diff)
		}
		type used struct {
			Name         string
			Calls, Taken int64
		}
		var most []used
		for _, e := range o.MostUsed {
			most = append(most, used{e.Name, e.Calls, e.Taken})
		}
		if diff := cmp.Diff([]used{{late.Name, 1, 100}, {fresh.Name, 2, 30}}, most); diff != "" {
			t.Errorf("most used (-want +got):\n%s", diff)
		}
	}
}

// Every way to narrow and order the directory, and whom a draft is shown to.
func TestSearchNarrows(t *testing.T) {
	t.Parallel()
	b := setup(t)
	fresh, late, none, closed, draft := b.holdings(t)
	yes, no := true, false
	for _, c := range []struct {
		name string
		who  authz.Principal
		q    catalog.Query
		want []catalog.Resource
	}{
		{"everything, the last changed first", b.marketOperator, catalog.Query{}, []catalog.Resource{closed, none, late, fresh}},
		{"the most rows first", b.marketOperator, catalog.Query{Sort: catalog.ByRows}, []catalog.Resource{late, fresh, closed, none}},
		{"the best match first", b.marketOperator, catalog.Query{Text: "按期", Sort: catalog.ByRelevance}, []catalog.Resource{fresh}},
		{"a method", b.marketOperator, catalog.Query{ShareMethod: catalog.ByTable}, []catalog.Resource{late}},
		{"a theme", b.marketOperator, catalog.Query{Theme: "社会保障"}, []catalog.Resource{fresh}},
		{"a theme of drafts only", b.marketOperator, catalog.Query{Theme: "内部"}, nil},
		{"on time", b.marketOperator, catalog.Query{Timeliness: catalog.OnTime}, []catalog.Resource{fresh}},
		{"late", b.marketOperator, catalog.Query{Timeliness: catalog.Late}, []catalog.Resource{late}},
		{"nothing yet, withheld aside", b.marketOperator, catalog.Query{Timeliness: catalog.NothingYet}, []catalog.Resource{none}},
		{"with data", b.marketOperator, catalog.Query{HasData: &yes}, []catalog.Resource{late, fresh}},
		{"without data", b.marketOperator, catalog.Query{HasData: &no}, []catalog.Resource{closed, none}},
		{"open", b.marketOperator, catalog.Query{Open: &yes}, nil},
		{"not open", b.marketOperator, catalog.Query{Open: &no, ShareType: catalog.Withheld}, []catalog.Resource{closed}},
		{"a grade", b.marketOperator, catalog.Query{Grade: catalog.L2, UpdateCycle: catalog.Monthly}, []catalog.Resource{none}},
		{"a grade that none has", b.marketOperator, catalog.Query{Grade: catalog.L4}, nil},
		{"drafts of another department", b.marketOperator, catalog.Query{State: catalog.Draft}, nil},
		{"drafts of the own one", b.operator, catalog.Query{State: catalog.Draft}, []catalog.Resource{draft}},
		{"a hostile theme", b.marketOperator, catalog.Query{Theme: "' OR 1=1 --\x00", Sort: "'; --"}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var got, want []string
			page := db.Page{Limit: 1}
			for {
				found, next, err := b.service.Search(b.ctx, c.who, c.q, page)
				if err != nil {
					t.Fatal(err)
				}
				for _, e := range found {
					got = append(got, e.Name)
				}
				if page.Cursor = next; next == "" {
					break
				}
			}
			for _, r := range c.want {
				want = append(want, r.Name)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("want (-), got (+):\n%s", diff)
			}
			facets, err := b.service.Facets(b.ctx, c.who, c.q)
			if err != nil || facets.Total != int64(len(want)) {
				t.Errorf("the facets count %d of %d, %v", facets.Total, len(want), err)
			}
		})
	}
	facets, err := b.service.Facets(b.ctx, b.marketOperator, catalog.Query{})
	if err != nil {
		t.Fatal(err)
	}
	if facets.HasData != 2 || facets.Total != 4 || len(facets.Themes) != 2 || slices.ContainsFunc(facets.UpdateCycles, func(f catalog.Facet) bool { return f.Value == "yearly" }) {
		t.Errorf("the draft is counted: %+v", facets)
	}
	if len(facets.Divisions) == 0 {
		t.Error("no division is counted")
	}
	for _, f := range facets.Divisions {
		narrowed, err := b.service.Facets(b.ctx, b.marketOperator, catalog.Query{Division: f.Value})
		if err != nil || narrowed.Total != f.Count || f.Label == "" || f.Label == f.Value {
			t.Errorf("division %+v: a search finds %d, %v", f, narrowed.Total, err)
		}
	}
}

// The moment at which data become late, for each cycle.
func TestPunctuality(t *testing.T) {
	t.Parallel()
	ago := func(d time.Duration) *time.Time { at := today.Add(-d); return &at }
	const day = 24 * time.Hour
	for _, c := range []struct {
		cycle   catalog.UpdateCycle
		arrived *time.Time
		want    catalog.Timeliness
	}{
		{catalog.Daily, nil, catalog.NothingYet},
		{catalog.Irregular, nil, catalog.NothingYet},
		{catalog.Irregular, ago(5000 * day), catalog.OnTime},
		{catalog.Realtime, ago(59 * time.Minute), catalog.OnTime},
		{catalog.Realtime, ago(61 * time.Minute), catalog.Late},
		{catalog.Daily, ago(35 * time.Hour), catalog.OnTime},
		{catalog.Daily, ago(37 * time.Hour), catalog.Late},
		{catalog.Weekly, ago(7 * day), catalog.OnTime},
		{catalog.Weekly, ago(9 * day), catalog.Late},
		{catalog.Monthly, ago(31 * day), catalog.OnTime},
		{catalog.Monthly, ago(40 * day), catalog.Late},
		{catalog.Quarterly, ago(92 * day), catalog.OnTime},
		{catalog.Quarterly, ago(101 * day), catalog.Late},
		{catalog.Yearly, ago(366 * day), catalog.OnTime},
		{catalog.Yearly, ago(400 * day), catalog.Late},
	} {
		if got := catalog.Punctuality(c.cycle, c.arrived, today); got != c.want {
			t.Errorf("%s since %v: got %s, want %s", c.cycle, c.arrived, got, c.want)
		}
	}
}
