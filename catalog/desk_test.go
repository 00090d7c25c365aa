package catalog_test

import (
	"context"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/catalog"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// What somebody is offered is exactly what the service then lets them do, in every state of an entry's life.
func TestPossibleActs(t *testing.T) {
	t.Parallel()
	b := setup(t)
	people := []authz.Principal{b.operator, b.admin, b.platform, b.marketOperator, b.marketAdm}
	do := func(ctx context.Context, p authz.Principal, id uuid.UUID, act catalog.Step) (err error) {
		s := b.service
		switch act {
		case catalog.StepEdit:
			_, err = s.EditDraft(ctx, p, id, -1, small("可办理"))
		case catalog.StepDiscard:
			err = s.DiscardDraft(ctx, p, id, -1)
		case catalog.StepSubmit:
			_, err = s.Submit(ctx, p, id, -1)
		case catalog.StepRecall:
			_, err = s.Recall(ctx, p, id, -1)
		case catalog.StepApprove:
			_, err = s.Approve(ctx, p, id, -1)
		case catalog.StepReturnDept:
			_, err = s.ReturnDept(ctx, p, id, -1, "x")
		case catalog.StepPublish:
			_, err = s.Publish(ctx, p, id, -1)
		case catalog.StepReturn:
			_, err = s.Return(ctx, p, id, -1, "x")
		case catalog.StepStartVersion:
			_, err = s.StartVersion(ctx, p, id, -1)
		}
		return err
	}
	r, err := b.service.CreateResource(b.ctx, b.operator, small("可办理"))
	if err != nil {
		t.Fatal(err)
	}
	look := func(state catalog.State) {
		t.Helper()
		for i, p := range people {
			got, err := b.service.Get(b.ctx, p, r.ID)
			if fault.Is(err, fault.NotFound) {
				continue
			}
			history, _ := b.service.History(b.ctx, p, r.ID)
			offered := b.service.PossibleActs(p, got, got.Version, history)
			for _, act := range catalog.Acts() {
				// A version that nobody has seen lets every act fail at last, after it was asked whether it is allowed.
				err := do(b.ctx, p, r.ID, act)
				if err == nil {
					continue // Acts that are not tried here.
				}
				allowed := !fault.Is(err, fault.Forbidden)
				if slices.Contains(offered, act) && !allowed {
					t.Errorf("%s: person %d is offered %s, which is refused: %v", state, i, act, err)
				}
			}
			if i > 2 && len(offered) > 0 {
				t.Errorf("%s: another department is offered %v", state, offered)
			}
		}
	}
	want := map[catalog.State][3][]catalog.Step{
		catalog.Draft:          {{catalog.StepEdit, catalog.StepSubmit, catalog.StepDiscard}, nil, nil},
		catalog.DeptReview:     {{catalog.StepRecall}, {catalog.StepApprove, catalog.StepReturnDept}, nil},
		catalog.PlatformReview: {nil, nil, {catalog.StepPublish, catalog.StepReturn}},
		catalog.Published:      {{catalog.StepStartVersion}, {catalog.StepRecordConsent}, {catalog.StepTakeOffline}},
		catalog.Offline:        {nil, {catalog.StepRecordConsent}, {catalog.StepRepublish, catalog.StepRevoke}},
		catalog.Revoked:        {nil, nil, nil},
	}
	for _, step := range []struct {
		state catalog.State
		next  func() error
	}{
		{catalog.Draft, func() error { _, err := b.service.Submit(b.ctx, b.operator, r.ID, 0); return err }},
		{catalog.DeptReview, func() error { _, err := b.service.Approve(b.ctx, b.admin, r.ID, 0); return err }},
		{catalog.PlatformReview, func() error { _, err := b.service.Publish(b.ctx, b.platform, r.ID, 0); return err }},
		{catalog.Published, func() error {
			_, err := b.service.TakeOffline(b.ctx, b.platform, r.ID, 0, "x", catalog.OfflineRequest{By: "示例负责人", Date: "2026-11-01", Document: "示例函5号"})
			return err
		}},
		{catalog.Offline, func() error { _, err := b.service.Revoke(b.ctx, b.platform, r.ID, 0, "x"); return err }},
		{catalog.Revoked, nil},
	} {
		look(step.state)
		for i, p := range people[:3] {
			got, err := b.service.Get(b.ctx, p, r.ID)
			if err != nil {
				t.Fatal(err)
			}
			history, err := b.service.History(b.ctx, p, r.ID)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want[step.state][i], b.service.PossibleActs(p, got, got.Version, history)); diff != "" {
				t.Errorf("%s, person %d: want (-), got (+)\n%s", step.state, i, diff)
			}
		}
		if step.next != nil {
			if err := step.next(); err != nil {
				t.Fatal(err)
			}
		}
	}
	// Who made a version is not offered to review it, whatever the role.
	both := b.operator
	both.Roles = []authz.Role{authz.DeptOperator, authz.DeptAdmin}
	made, err := b.service.CreateResource(b.ctx, both, small("自己编自己审"))
	if err == nil {
		made, err = b.service.Submit(b.ctx, both, made.ID, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	history, _ := b.service.History(b.ctx, both, made.ID)
	if acts := b.service.PossibleActs(both, made, made.Version, history); slices.Contains(acts, catalog.StepApprove) {
		t.Errorf("the maker is offered %v", acts)
	}
}

// What is counted is what a search finds, for each person and state.
func TestCountStates(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.publish(t, small("甲"))
	second := b.publish(t, small("乙"))
	if _, err := b.service.StartVersion(b.ctx, b.operator, second.ID, 0); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"丙", "丁"} {
		if _, err := b.service.CreateResource(b.ctx, b.operator, small(name)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := b.service.CreateResource(b.ctx, b.marketOperator, small("戊")); err != nil {
		t.Fatal(err)
	}
	for _, p := range []authz.Principal{b.operator, b.admin, b.platform, b.marketAdm} {
		for _, department := range []uuid.UUID{uuid.Nil, b.police.ID, b.market.ID} {
			counts, err := b.service.CountStates(b.ctx, p, department)
			if err != nil {
				t.Fatal(err)
			}
			for _, state := range []catalog.State{catalog.Draft, catalog.DeptReview, catalog.PlatformReview, catalog.Returned, catalog.Published, catalog.Offline} {
				found, _, err := b.service.Search(b.ctx, p, catalog.Query{State: state, DepartmentID: department}, db.Page{Limit: 100})
				if err != nil {
					t.Fatal(err)
				}
				if counts[state] != int64(len(found)) {
					t.Errorf("%v in %s: counted %d, found %d", p.Roles, state, counts[state], len(found))
				}
			}
		}
	}
}

// What is typed is checked without being stored, for those who compile; completeness rises as it is filled in.
func TestCheckDraft(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r, err := b.service.CreateResource(b.ctx, b.operator, catalog.Metadata{Name: "未完成"})
	if err != nil {
		t.Fatal(err)
	}
	empty, err := b.service.CheckDraft(b.ctx, b.operator, r.ID, r.Version.Metadata)
	if err != nil {
		t.Fatal(err)
	}
	full, err := b.service.CheckDraft(b.ctx, b.operator, r.ID, small("未完成"))
	if err != nil {
		t.Fatal(err)
	}
	if len(empty.Blocks) == 0 || empty.Filled >= empty.Needed || len(full.Blocks) != 0 || full.Filled != full.Needed || full.ShareType != catalog.Conditional || full.Grade != catalog.L2 {
		t.Errorf("empty %+v\nfull %+v", empty, full)
	}
	all, err := b.service.CheckDraft(b.ctx, b.operator, r.ID, withheld(small("未完成")))
	if err != nil || len(all.Blocks) != 0 || all.Filled != all.Needed {
		t.Errorf("withheld: %+v %v", all, err)
	}
	odd := small("未完成")
	odd.Summary = "a\x00b, which no database holds"
	if f, err := b.service.CheckDraft(b.ctx, b.operator, r.ID, odd); err != nil || len(f.Blocks) == 0 {
		t.Errorf("a NUL character: %+v %v", f, err)
	}
	if stored, err := b.service.Get(b.ctx, b.operator, r.ID); err != nil || stored.Version.Summary != "" || stored.RowVersion != r.RowVersion {
		t.Errorf("checking changed the draft: %+v %v", stored, err)
	}
	_, err = b.service.CheckDraft(b.ctx, b.admin, r.ID, r.Version.Metadata)
	wantCode(t, err, fault.Forbidden, "forbidden")
	_, err = b.service.CheckDraft(b.ctx, b.marketOperator, r.ID, r.Version.Metadata)
	wantCode(t, err, fault.NotFound, "not_found")
}

// Two versions are compared field by field and item by item.
func TestCompare(t *testing.T) {
	t.Parallel()
	before := small("甲")
	for _, c := range []struct {
		name   string
		change func(*catalog.Metadata)
		fields []string
		items  []string
	}{
		{"nothing", func(m *catalog.Metadata) { m.Themes = []string{}; m.Items[0].No = 9 }, nil, nil},
		{"a text", func(m *catalog.Metadata) { m.Summary = "x" }, []string{"summary"}, nil},
		{"inside", func(m *catalog.Metadata) {
			m.HeadSignoff = &catalog.Signoff{Name: "示例负责人", Date: "2026-11-03", Document: "y"}
		}, []string{"head_signoff.document"}, nil},
		{"what was not stated", func(m *catalog.Metadata) { m.WithholdBasis = &catalog.WithholdBasis{Rank: "law"} }, []string{"withhold_basis.rank"}, nil},
		{"a list", func(m *catalog.Metadata) { m.ShareMethods = append(m.ShareMethods, catalog.ByTable) }, []string{"share_methods"}, nil},
		{"an item", func(m *catalog.Metadata) { m.Items[1].Grade, m.Items[1].Length = catalog.L3, 7 }, nil, []string{"title: length grade"}},
		{"one more and one less", func(m *catalog.Metadata) {
			m.Items = append(m.Items[:2:2], catalog.Item{Name: "新", Identifier: "fresh"})
		}, nil, []string{"+fresh", "-remark"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			after := small("甲")
			c.change(&after)
			fields, items := catalog.Compare(before, after)
			var gotFields, gotItems []string
			for _, f := range fields {
				gotFields = append(gotFields, f.Field)
			}
			for _, i := range items {
				switch {
				case i.Before == nil:
					gotItems = append(gotItems, "+"+i.After.Identifier)
				case i.After == nil:
					gotItems = append(gotItems, "-"+i.Before.Identifier)
				default:
					line := i.After.Identifier + ":"
					for _, f := range i.Changes {
						line += " " + f.Field
					}
					gotItems = append(gotItems, line)
				}
			}
			if diff := cmp.Diff(c.fields, gotFields); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(c.items, gotItems); diff != "" {
				t.Error(diff)
			}
		})
	}
}
