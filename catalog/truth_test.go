package catalog_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/authz/authztest"
	"github.com/shuqiao/shuqiao/catalog"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// The points of all rules are 100, every rule is earned alone, and an entry with everything has all of them.
func TestCompletenessRules(t *testing.T) {
	t.Parallel()
	sum := 0
	for _, r := range catalog.CompletenessRules() {
		sum += r.Points
		if r.Mend == "" {
			t.Errorf("rule %s does not say what to do", r.Code)
		}
	}
	if sum != 100 {
		t.Errorf("all points are %d", sum)
	}
	score, points := catalog.Completeness(catalog.Metadata{}, catalog.Truth{})
	if score != 0 || len(points) != len(catalog.CompletenessRules()) || points[0].Mend == "" {
		t.Errorf("nothing has %d points: %v", score, points)
	}
	now, all := time.Now(), 1.0
	m := complete(catalog.Metadata{
		Classifications: []catalog.Classification{{Class1: "1", Class2: "01", Class3: "001", Primary: true}},
		Summary:         "本市范围内的示例数据，以编号为主键，含编号、名称、类型和备注，由示例系统产生并每日更新。",
		SystemID:        uuid.New(), CollectBasis: "示例条例", Themes: []string{"示例"}, Level: "city", DivisionCode: "330600",
		Items: []catalog.Item{
			{Name: "编号", Identifier: "no", DataType: catalog.Char, Key: true, DataElement: "uscc"},
			{Name: "类型", Identifier: "kind_code", DataType: catalog.Char, Definition: "类别", CodeSet: "id_type"},
		},
	})
	truth := catalog.Truth{Mounted: true, ArrivedAt: &now, Timeliness: catalog.OnTime, Quality: &all}
	if score, points := catalog.Completeness(m, truth); score != 100 {
		t.Errorf("everything has %d points: %v", score, points)
	}
	if score, _ := catalog.Completeness(m, catalog.Truth{Live: true, Mounted: true}); score != 100 {
		t.Errorf("a live entry has %d points", score)
	}
	held := m
	held.DeclaredShare = catalog.Withheld
	if score, _ := catalog.Completeness(held, catalog.Truth{}); score != 100 {
		t.Errorf("a withheld entry has %d points", score)
	}
	half := m
	half.Items = append(slices.Clone(m.Items), catalog.Item{Name: "备注", Identifier: "remark", DataType: catalog.Memo}, catalog.Item{Name: "状态", Identifier: "status", DataType: catalog.Char})
	_, points = catalog.Completeness(half, truth)
	for rule, got := range map[string]int{"definitions": 7, "codes": 4} { // Two of four items, one of two.
		if i := slices.IndexFunc(points, func(p catalog.Point) bool { return p.Rule == rule }); points[i].Got != got || points[i].Mend == "" {
			t.Errorf("%s: got %+v, want %d", rule, points[i], got)
		}
	}
}

// age moves what happened to an entry into the past, and gives it a store with what arrived then.
func (b *testBundle) age(t *testing.T, id uuid.UUID, published, arrived int) {
	t.Helper()
	statements := []string{fmt.Sprintf("UPDATE resource_version SET published_at = now() - interval '%d days' WHERE resource_id = $1", published)}
	if arrived >= 0 {
		statements = append(statements, fmt.Sprintf(`INSERT INTO store.store_head (resource, layout, incarnation, changed_at, rows) VALUES ($1, 1, gen_random_uuid(), now() - interval '%d days', 7)`, arrived))
	}
	for _, sql := range statements {
		if _, err := b.db.Pool.Exec(b.ctx, sql, id); err != nil {
			t.Fatal(err)
		}
	}
}

// What is published and has no data, late data or no use for 90 days sleeps; nothing else does. The list is that of the
// department for its people and of all for the authority.
func TestSleepingEntries(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, c := range []struct {
		name               string
		cycle              catalog.UpdateCycle
		published, arrived int // Days ago; -1 never.
		used               int
		withheld           bool
		want               catalog.Sleep
	}{
		{"新发布无数据", catalog.Daily, 10, -1, -1, false, catalog.Awake},
		{"久无数据", catalog.Daily, 100, -1, -1, false, catalog.SleepNoData},
		{"数据陈旧", catalog.Daily, 200, 95, 5, false, catalog.SleepStale},
		{"按年更新", catalog.Yearly, 200, 95, 5, false, catalog.Awake},
		{"无人使用", catalog.Daily, 120, 0, -1, false, catalog.SleepUnused},
		{"近期使用", catalog.Daily, 120, 0, 3, false, catalog.Awake},
		{"不予共享", catalog.Daily, 300, -1, -1, true, catalog.Awake},
	} {
		m := small("沉睡示例" + c.name)
		m.UpdateCycle = c.cycle
		if c.withheld {
			m = withheld(m)
		}
		r := b.publish(t, m)
		b.age(t, r.ID, c.published, c.arrived)
		if c.used >= 0 {
			_, err := b.db.Pool.Exec(b.ctx, `
				INSERT INTO usage (id, at, grant_id, terms_version, client_id, resource_id, mode, state, rows, items, policy_n, rule_id)
				VALUES (gen_random_uuid(), now() - make_interval(days => $2), gen_random_uuid(), 1, gen_random_uuid(), $1, 'rows', 'done', 12, '{1}', 1, 'x')`, r.ID, c.used)
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	n, err := b.service.RefreshTruth(b.ctx)
	if err != nil || n != 7 {
		t.Fatalf("looked at %d entries, %v", n, err)
	}
	if n, err := b.service.RefreshTruth(b.ctx); err != nil || n != 0 {
		t.Errorf("looked at %d entries again at once, %v", n, err)
	}
	seen := map[string]catalog.Sleep{}
	page := db.Page{Limit: 2}
	var last time.Time
	for {
		some, next, err := b.service.SleepingEntries(b.ctx, b.platform, catalog.SleepingFilter{}, page)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range some {
			seen[e.Name] = e.Why
			if e.Since.Before(last) {
				t.Error("the list is not sorted by how long entries sleep")
			}
			last = e.Since
		}
		if page.Cursor = next; next == "" {
			break
		}
	}
	want := map[string]catalog.Sleep{"沉睡示例久无数据": catalog.SleepNoData, "沉睡示例数据陈旧": catalog.SleepStale, "沉睡示例无人使用": catalog.SleepUnused}
	if len(seen) != len(want) {
		t.Errorf("got %v, want %v", seen, want)
	}
	for name, why := range want {
		if seen[name] != why {
			t.Errorf("%s: got %q, want %q", name, seen[name], why)
		}
	}
	if n, err := b.service.CountSleeping(b.ctx, b.admin); n != 3 || err != nil {
		t.Errorf("the department counts %d, %v", n, err)
	}
	if n, err := b.service.CountSleeping(b.ctx, b.marketAdm); n != 0 || err != nil {
		t.Errorf("another department counts %d, %v", n, err)
	}
	if n, err := b.service.CountSleeping(b.ctx, authztest.Person(uuid.Nil, authz.SystemAdmin)); n != 0 || err != nil {
		t.Errorf("who has no list counts %d, %v", n, err)
	}
	if own, _, err := b.service.SleepingEntries(b.ctx, b.operator, catalog.SleepingFilter{Why: catalog.SleepStale}, db.Page{}); err != nil || len(own) != 1 {
		t.Errorf("got %v, %v", own, err)
	}
	if _, _, err := b.service.SleepingEntries(b.ctx, b.marketAdm, catalog.SleepingFilter{DepartmentID: b.police.ID}, db.Page{}); fault.KindOf(err) != fault.Forbidden {
		t.Errorf("another department read the list: %v", err)
	}
	if _, _, err := b.service.SleepingEntries(b.ctx, b.admin, catalog.SleepingFilter{Why: "tired"}, db.Page{}); !slices.Contains(wrongIn(err), "why not_choice") {
		t.Errorf("got %v", err)
	}
}

// An entry is told what is behind it now, and what is stored for lists says the same after a refresh: also after the text, the
// data or the state changed.
func TestTruth(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := b.publish(t, small("真实情况示例"))
	truth, err := b.service.Truth(b.ctx, b.marketOperator, r.ID)
	if err != nil || truth.Mounted || truth.Rows != 0 || truth.ArrivedAt != nil || truth.Quality != nil || truth.Timeliness != catalog.NothingYet || truth.Score == 0 {
		t.Fatalf("got %+v, %v", truth, err)
	}
	b.age(t, r.ID, 5, 0)
	task := uuid.New()
	for _, sql := range []string{
		"INSERT INTO task (id, kind, resource_id, state, created_by, created_at, updated_at) VALUES ($2, 'collect', $1, 'enabled', $1, now(), now())",
		`INSERT INTO run_history (id, task_id, resource_id, kind, trigger, state, not_before, queued_at, finished_at, counts)
			SELECT gen_random_uuid(), $2, $1, 'collect', 'schedule', 'succeeded', now(), now() - make_interval(days => n), now(),
				jsonb_build_object('inserted', 10, 'updated', 5, 'unchanged', 3, 'rejected', CASE n WHEN 6 THEN 9999 ELSE 2 END)
			FROM generate_series(1, 6) n`,
		`INSERT INTO usage (id, at, grant_id, terms_version, client_id, resource_id, mode, state, rows, items, policy_n, rule_id)
			SELECT gen_random_uuid(), now() - make_interval(days => n), $2, 1, $2, $1, 'rows', 'done', 12, '{1}', 1, 'x' FROM unnest(ARRAY[1, 1, 40]) n`,
	} {
		if _, err := b.db.Pool.Exec(b.ctx, sql, r.ID, task); err != nil {
			t.Fatal(err)
		}
	}
	stored := func() (score, rows, uses int, quality float64) {
		t.Helper()
		if _, err := b.db.Pool.Exec(b.ctx, "UPDATE truth_refresh SET began_at = '2000-01-01Z'"); err != nil {
			t.Fatal(err)
		}
		if _, err := b.service.RefreshTruth(b.ctx); err != nil {
			t.Fatal(err)
		}
		err := b.db.Pool.QueryRow(b.ctx, "SELECT score, rows, uses_30d, coalesce(quality, -1)::float8 FROM resource_truth WHERE resource_id = $1", r.ID).Scan(&score, &rows, &uses, &quality)
		if err != nil {
			t.Fatal(err)
		}
		return score, rows, uses, quality
	}
	score, rows, uses, quality := stored()
	if truth, err = b.service.Truth(b.ctx, b.marketOperator, r.ID); err != nil {
		t.Fatal(err)
	}
	// The last five runs count: 18 of 20 rows each.
	if rows != 7 || uses != 2 || quality != 0.9 || truth.Quality == nil || *truth.Quality != 0.9 || truth.Score != score || truth.Uses30d != 2 || truth.Rows30d != 24 || truth.Timeliness != catalog.OnTime {
		t.Errorf("stored score %d, rows %d, uses %d, quality %v; shown %+v", score, rows, uses, quality, truth)
	}
	if _, err := b.service.StartVersion(b.ctx, b.operator, r.ID, 0); err != nil {
		t.Fatal(err)
	}
	m := small("真实情况示例")
	m.Themes = []string{"示例主题"}
	if _, err := b.service.EditDraft(b.ctx, b.operator, r.ID, 0, m); err != nil {
		t.Fatal(err)
	}
	if again, _, _, _ := stored(); again != score {
		t.Errorf("a draft changed the score of what is published from %d to %d", score, again)
	}
	b.review(t, r.ID)
	if again, _, _, _ := stored(); again != score+4 {
		t.Errorf("a theme changed the score from %d to %d, want 4 more", score, again)
	}
	if _, err := b.service.TakeOffline(b.ctx, b.platform, r.ID, 0, "示例", catalog.OfflineRequest{By: "示例负责人", Date: "2026-11-10", Document: "示例"}); err != nil {
		t.Fatal(err)
	}
	if _, err := b.db.Pool.Exec(b.ctx, "UPDATE truth_refresh SET began_at = '2000-01-01Z'"); err != nil {
		t.Fatal(err)
	}
	if n, err := b.service.RefreshTruth(b.ctx); err != nil || n != 0 {
		t.Errorf("looked at %d entries, %v", n, err)
	}
	var left int
	if err := b.db.Pool.QueryRow(b.ctx, "SELECT count(*) FROM resource_truth").Scan(&left); err != nil || left != 0 {
		t.Errorf("%d rows are left of what is not published, %v", left, err)
	}
	if _, err := b.service.Truth(b.ctx, b.marketOperator, r.ID); fault.KindOf(err) != fault.NotFound {
		t.Errorf("a stranger read what is behind an entry that is offline: %v", err)
	}
}

// A near-duplicate of another department is found by its items or its name among many that share common items, with how alike
// it is; entries of the own department, drafts and others are not.
func TestSimilarity(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for i := range 4 {
		b.publish(t, small(fmt.Sprintf("无关示例%d库", i)))
	}
	m := small("机动车登记信息表")
	for i := range 9 {
		m.Items = append(m.Items, catalog.Item{Name: fmt.Sprintf("车辆特征%d", i), Identifier: fmt.Sprintf("feature_%d", i), DataType: catalog.Char, Length: 20, ShareType: catalog.Conditional, Grade: catalog.L2})
	}
	m.Items[3].CodeSet, m.Items[3].Length = "id_type", 3
	original := b.publish(t, m)
	ours := m
	ours.Name, ours.Items = "示例市车辆台账", slices.Clone(m.Items)
	ours.Items[0].Name, ours.Items[0].Identifier = "车辆编号", "vehicle_no"
	ours.Items[1].Name = "车主" // Still the same by its identifier.
	ours.Items[2].Name, ours.Items[2].Identifier = "说明", "note"
	r, err := b.service.CreateResource(b.ctx, b.marketOperator, ours)
	if err != nil {
		t.Fatal(err)
	}
	find := func(m catalog.Metadata) []catalog.SimilarTo {
		t.Helper()
		found, err := b.service.CheckDraft(b.ctx, b.marketOperator, r.ID, m)
		if err != nil {
			t.Fatal(err)
		}
		return found.Similar
	}
	got := find(ours)
	if len(got) != 1 || got[0].ID != original.ID || got[0].Items != 83 || got[0].CodeSets != 100 || got[0].Title >= 80 || got[0].Score < 55 {
		t.Errorf("by items: got %+v", got)
	}
	renamed := ours
	renamed.Name = "2025年示例市机动车登记 数据（汇总）"
	renamed.Items = []catalog.Item{{Name: "别的", Identifier: "another", DataType: catalog.Char, Length: 9}}
	if got := find(renamed); len(got) != 1 || got[0].ID != original.ID || got[0].Title != 100 || got[0].Items != 0 {
		t.Errorf("by name: got %+v", got)
	}
	far := ours
	far.Items = slices.Clone(ours.Items)
	for i := range 3 {
		far.Items[i+5].Name, far.Items[i+5].Identifier = fmt.Sprintf("其他%d", i), fmt.Sprintf("other_%d", i)
	}
	if got := find(far); len(got) != 0 {
		t.Errorf("with too few items: got %+v", got)
	}
}
