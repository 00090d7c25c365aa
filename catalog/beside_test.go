package catalog_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/catalog"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// next begins a version of an entry and edits it; it is not submitted.
func (b *testBundle) next(t *testing.T, id uuid.UUID, name string, change func(*catalog.Metadata)) {
	t.Helper()
	if _, err := b.service.StartVersion(b.ctx, b.operator, id, 0); err != nil {
		t.Fatalf("starting a version: %v", err)
	}
	m := small(name)
	change(&m)
	if _, err := b.service.EditDraft(b.ctx, b.operator, id, 0, m); err != nil {
		t.Fatalf("editing the draft: %v", err)
	}
}

// submitted submits the newest version with a day, and has it approved.
func (b *testBundle) submitted(t *testing.T, id uuid.UUID, day string) {
	t.Helper()
	if _, err := b.service.SubmitWith(b.ctx, b.operator, id, 0, catalog.Submission{OldUntil: day}); err != nil {
		t.Fatalf("submitting with %s: %v", day, err)
	}
	if _, err := b.service.Approve(b.ctx, b.admin, id, 0); err != nil {
		t.Fatalf("approving: %v", err)
	}
}

// servedUntil returns until when a version is served beside its successor; nil where it is not.
func (b *testBundle) servedUntil(t *testing.T, id uuid.UUID, version int) *time.Time {
	t.Helper()
	r, err := b.service.GetVersion(b.ctx, b.operator, id, version)
	if err != nil {
		t.Fatal(err)
	}
	return r.Version.ServedUntil
}

func drop(m *catalog.Metadata) { m.Items = m.Items[:2] }

// A day is accepted only where a version is published from which the submitted one takes something away, and only from today to
// a year ahead.
func TestOldUntilRules(t *testing.T) {
	t.Parallel()
	b := setup(t)
	first := ok(b.service.CreateResource(b.ctx, b.operator, small("首版")))
	published := b.publish(t, small("旧版"))
	b.next(t, published.ID, "旧版", drop)
	harmless := b.publish(t, small("无害"))
	b.next(t, harmless.ID, "无害", func(m *catalog.Metadata) { m.Summary += "另有说明。" })
	for _, tt := range []struct {
		name string
		id   uuid.UUID
		day  string
		code string
	}{
		{"no version is published", first.ID, "2026-12-31", "nothing_published"},
		{"nothing breaks", harmless.ID, "2026-12-31", "nothing_breaks"},
		{"not a day", published.ID, "2026-02-30", "bad_date"},
		{"not a date", published.ID, "31.12.2026", "bad_date"},
		{"yesterday", published.ID, "2026-11-19", "in_the_past"},
		{"more than a year ahead", published.ID, "2027-11-22", "over_a_year"},
		{"today", published.ID, "2026-11-20", ""},
		{"a year ahead", published.ID, "2027-11-21", ""},
		{"no day", published.ID, "", ""},
	} {
		r, err := b.service.SubmitWith(b.ctx, b.operator, tt.id, 0, catalog.Submission{OldUntil: tt.day})
		if tt.code != "" {
			if f, is := errors.AsType[*fault.Fault](err); !is || len(f.Fields) != 1 || f.Fields[0].Name != "old_until" || f.Fields[0].Code != tt.code {
				t.Errorf("%s: %v", tt.name, err)
			}
			continue
		}
		if err != nil || r.Version.OldUntil != tt.day {
			t.Errorf("%s: %q, %v", tt.name, r.Version.OldUntil, err)
		}
		if kept := ok(b.service.GetVersion(b.ctx, b.admin, tt.id, 2)); kept.Version.OldUntil != tt.day {
			t.Errorf("%s: reviewers see %q", tt.name, kept.Version.OldUntil)
		}
		ok(b.service.Recall(b.ctx, b.operator, tt.id, 0))
	}
}

// The old version is served to the end of its last day, and no longer than the next publication or until the entry is taken offline; a day that has
// passed by the publication has no effect.
func TestServedBeside(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := b.publish(t, small("并行"))
	b.next(t, r.ID, "并行", drop)
	b.submitted(t, r.ID, "2027-03-31")
	if until := b.servedUntil(t, r.ID, 1); until != nil {
		t.Errorf("before the publication: %v", until)
	}
	ok(b.service.Publish(b.ctx, b.platform, r.ID, 0))
	want := time.Date(2027, 3, 31, 16, 0, 0, 0, time.UTC)
	if until := b.servedUntil(t, r.ID, 1); until == nil || !until.Equal(want) {
		t.Errorf("served until %v, want %v", until, want)
	}

	b.next(t, r.ID, "并行", func(m *catalog.Metadata) { m.Items = append(m.Items[:1], m.Items[2]) })
	if draft := ok(b.service.GetVersion(b.ctx, b.operator, r.ID, 3)); draft.Version.OldUntil != "" {
		t.Errorf("the day of the version before is in the draft: %q", draft.Version.OldUntil)
	}
	b.submitted(t, r.ID, "2027-04-30")
	ok(b.service.Publish(b.ctx, b.platform, r.ID, 0))
	if until := b.servedUntil(t, r.ID, 1); until == nil || !until.Before(want) {
		t.Errorf("two versions back is served until %v", until)
	}
	if until := b.servedUntil(t, r.ID, 2); until == nil || !until.After(want) {
		t.Errorf("one version back is served until %v", until)
	}
	ok(b.service.TakeOffline(b.ctx, b.platform, r.ID, 0, "测试", catalog.OfflineRequest{By: "示例负责人", Date: "2026-11-20", Document: "示例函"}))
	if until := b.servedUntil(t, r.ID, 2); until == nil || !until.Before(want) {
		t.Errorf("taken offline, it is served until %v", until)
	}

	late := b.publish(t, small("迟发"))
	b.next(t, late.ID, "迟发", drop)
	b.submitted(t, late.ID, "2026-11-20")
	if _, err := b.db.Pool.Exec(b.ctx, "UPDATE resource_version SET old_until = '2026-11-19' WHERE resource_id = $1 AND version = 2", late.ID); err != nil {
		t.Fatal(err)
	}
	ok(b.service.Publish(b.ctx, b.platform, late.ID, 0))
	if until := b.servedUntil(t, late.ID, 1); until != nil {
		t.Errorf("published after the day, the old version is served until %v", until)
	}
}

// Served beside a later version, a version is withheld, shared, graded and masked as strictly as that demands, whatever became of
// an item's type; what the later one does not have stays.
func TestVersionUnder(t *testing.T) {
	t.Parallel()
	old := catalog.Version{Metadata: small("要求"), ShareType: catalog.Conditional, Grade: catalog.L2}
	later := catalog.Version{Metadata: small("要求")}
	later.Items = later.Items[:2]
	later.Items[0].ShareType, later.Items[0].Grade, later.Items[0].MaskRule = catalog.Conditional, catalog.L3, "full"
	later.Items[1].DataType, later.Items[1].No, later.Items[1].ShareType = catalog.Memo, 9, catalog.Withheld
	got := old.Under(later)
	if i := got.Items[0]; i.ShareType != catalog.Conditional || i.Grade != catalog.L3 || i.MaskRule != "full" {
		t.Errorf("stricter: %+v", i)
	}
	if i := got.Items[1]; i.ShareType != catalog.Withheld || i.DataType != catalog.Char {
		t.Errorf("withheld and retyped: %+v", i)
	}
	if got.Items[2] != old.Items[2] || got.ShareType != catalog.Conditional || got.Grade != catalog.L3 {
		t.Errorf("as a whole: %s %s %+v", got.ShareType, got.Grade, got.Items[2])
	}
	if old.Items[0].Grade != catalog.L1 {
		t.Error("the version itself was changed")
	}
}

// The mount of the old version goes on feeding what the new one drops as long as somebody is served it, but never what the new one withholds.
func TestMountOfTheOldVersion(t *testing.T) {
	t.Parallel()
	b := setup(t)
	w := withheld(small("x"))
	for _, tt := range []struct {
		name   string
		change func(*catalog.Metadata)
		feeds  bool
	}{
		{"旧版删除", drop, true},
		{"旧版改型", func(m *catalog.Metadata) { m.Items[2].DataType, m.Items[2].Length = catalog.Char, 200 }, true},
		{"旧版改型不予共享", func(m *catalog.Metadata) {
			m.WithholdReason, m.WithholdBasis, m.WithholdRuling = w.WithholdReason, w.WithholdBasis, w.WithholdRuling
			m.Items[2].DataType, m.Items[2].Length, m.Items[2].ShareType = catalog.Char, 200, catalog.Withheld
		}, false},
	} {
		r, source := b.mounted(t, tt.name)
		mount := b.activate(t, r, input(source))
		b.next(t, r.ID, tt.name, tt.change)
		b.submitted(t, r.ID, "2027-03-31")
		ok(b.service.Publish(b.ctx, b.platform, r.ID, 0))
		active, err := b.service.ActiveMount(b.ctx, r.ID)
		if (err == nil) != tt.feeds {
			t.Errorf("%s: %v", tt.name, err)
		}
		if !tt.feeds {
			continue
		}
		if active.ID != mount.ID || active.Version != 1 {
			t.Errorf("%s: version %d is fed", tt.name, active.Version)
		}
		old := ok(b.service.GetVersion(b.ctx, b.operator, r.ID, 1)).Version
		if err := b.service.Feedable(b.ctx, b.db.Pool, active, old); err != nil {
			t.Errorf("%s: while it is served: %v", tt.name, err)
		}
		if _, err := b.db.Pool.Exec(b.ctx, "UPDATE resource_version SET served_until = now() - interval '1 second' WHERE resource_id = $1 AND version = 1", r.ID); err != nil {
			t.Fatal(err)
		}
		wantCode(t, b.service.Feedable(b.ctx, b.db.Pool, active, old), fault.Conflict, "old_version_over")
	}
}
