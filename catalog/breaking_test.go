package catalog_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/shuqiao/shuqiao/catalog"
)

// Each kind of change that takes something away is found, with what it was and is; what adds or widens breaks nothing.
func TestBreaking(t *testing.T) {
	t.Parallel()
	item := func(m *catalog.Metadata, identifier string) *catalog.Item {
		for i := range m.Items {
			if m.Items[i].Identifier == identifier {
				return &m.Items[i]
			}
		}
		return nil
	}
	for name, tt := range map[string]struct {
		change func(*catalog.Metadata)
		want   []string
	}{
		"nothing": {func(*catalog.Metadata) {}, nil},
		"a new item": {func(m *catalog.Metadata) {
			m.Items = append(m.Items, catalog.Item{Identifier: "extra", DataType: catalog.Char})
		}, nil},
		"other words": {func(m *catalog.Metadata) { m.Summary = "改写摘要"; item(m, "title").Definition = "名称全称" }, nil},
		"wider": {func(m *catalog.Metadata) {
			item(m, "title").Length = 200
			m.ShareMethods = append(m.ShareMethods, catalog.ByTable)
		}, nil},
		"faster":       {func(m *catalog.Metadata) { m.UpdateCycle = catalog.Realtime }, nil},
		"removed":      {func(m *catalog.Metadata) { m.Items = m.Items[:2] }, []string{"3 removed 备注>"}},
		"retyped":      {func(m *catalog.Metadata) { item(m, "title").DataType = catalog.Memo }, []string{"2 retyped C>M"}},
		"narrowed":     {func(m *catalog.Metadata) { item(m, "title").Length = 50 }, []string{"2 narrowed 100>50"}},
		"bounded":      {func(m *catalog.Metadata) { item(m, "remark").Length = 500 }, []string{"3 narrowed >500"}},
		"stricter":     {func(m *catalog.Metadata) { item(m, "no").ShareType = catalog.Conditional }, []string{"1 stricter unconditional>conditional"}},
		"withheld":     {func(m *catalog.Metadata) { item(m, "title").ShareType = catalog.Withheld }, []string{"2 withheld conditional>withheld"}},
		"masked":       {func(m *catalog.Metadata) { item(m, "title").MaskRule = "name" }, []string{"2 masked >name"}},
		"unmasked":     {func(m *catalog.Metadata) { item(m, "no").MaskRule = "none" }, nil},
		"regraded":     {func(m *catalog.Metadata) { item(m, "no").Grade = catalog.L3 }, []string{"1 regraded L1>L3"}},
		"lower grade":  {func(m *catalog.Metadata) { item(m, "title").Grade = catalog.L1 }, nil},
		"another key":  {func(m *catalog.Metadata) { item(m, "title").Key = true }, []string{"2 key 名称>名称"}},
		"unfilterable": {func(m *catalog.Metadata) { item(m, "no").Filterable = false }, []string{"1 unfilterable 编号>编号"}},
		"another list": {func(m *catalog.Metadata) { item(m, "no").CodeSet = "b" }, []string{"1 recoded a>b"}},
		"another unit": {func(m *catalog.Metadata) { item(m, "no").Unit = "千克" }, []string{"1 unit 克>千克"}},
		"one way less": {func(m *catalog.Metadata) { m.ShareMethods = nil }, []string{"0 method api>"}},
		"slower":       {func(m *catalog.Metadata) { m.UpdateCycle = catalog.Monthly }, []string{"0 slower daily>monthly"}},
		"other terms":  {func(m *catalog.Metadata) { m.UsageTerms = "不得用于其他用途" }, []string{"0 usage_terms 仅用于申请时载明的用途>不得用于其他用途"}},
	} {
		before, after := small("比较"), small("比较")
		for _, m := range []*catalog.Metadata{&before, &after} {
			for i := range m.Items {
				m.Items[i].No = i + 1
			}
			m.Items[0].Filterable, m.Items[0].CodeSet, m.Items[0].Unit, m.Items[0].MaskRule = true, "a", "克", "name"
		}
		tt.change(&after)
		var got []string
		for _, b := range catalog.Breaking(catalog.Version{Metadata: before}, catalog.Version{Metadata: after}) {
			got = append(got, string('0'+rune(b.No))+" "+string(b.Kind)+" "+b.Before+">"+b.After)
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// Any two versions can be compared, by those who may read them.
func TestDifference(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := b.publish(t, small("差异"))
	for _, length := range []int{80, 60} {
		if _, err := b.service.StartVersion(b.ctx, b.operator, r.ID, 0); err != nil {
			t.Fatal(err)
		}
		m := small("差异")
		m.Items[1].Length = length
		if _, err := b.service.EditDraft(b.ctx, b.operator, r.ID, 0, m); err != nil {
			t.Fatal(err)
		}
		if length == 80 {
			b.review(t, r.ID)
		}
	}
	for _, tt := range []struct{ from, to, wantFrom, before, after int }{
		{0, 3, 2, 80, 60}, {1, 3, 1, 100, 60}, {0, 2, 1, 100, 80}, {3, 1, 3, 60, 100},
	} {
		d := ok(b.service.Difference(b.ctx, b.admin, r.ID, tt.from, tt.to))
		if d.From != tt.wantFrom || len(d.Items) != 1 || len(d.Items[0].Changes) != 1 || d.Items[0].Changes[0].Before != tt.before || d.Items[0].Changes[0].After != tt.after {
			t.Errorf("%d to %d: %+v", tt.from, tt.to, d)
		}
		if narrower := tt.before > tt.after; narrower != (len(d.Breaks) == 1) {
			t.Errorf("%d to %d breaks %+v", tt.from, tt.to, d.Breaks)
		}
	}
	if _, err := b.service.Difference(b.ctx, b.marketAdm, r.ID, 1, 2); err == nil {
		t.Error("another department compares versions that are not published")
	}
}
