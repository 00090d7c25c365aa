package catalog_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/catalog"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// A department without a system in use files once a year that it has none; a system in use ends that and forbids it.
func TestNilReturn(t *testing.T) {
	t.Parallel()
	b := setup(t)
	file := func() error {
		_, err := b.service.FileNilReturn(b.ctx, b.operator, "业务全部在省级系统中办理")
		return err
	}
	_, err := b.service.FileNilReturn(b.ctx, b.operator, "  ")
	wantCode(t, err, fault.Invalid, "invalid")
	_, err = b.service.FileNilReturn(b.ctx, b.system, "x")
	wantCode(t, err, fault.Forbidden, "forbidden")
	_, err = b.service.FileNilReturn(b.ctx, b.platform, "x")
	wantCode(t, err, fault.Forbidden, "forbidden")
	if err := file(); err != nil {
		t.Fatal(err)
	}
	wantCode(t, file(), fault.Conflict, "already_filed")
	zombie, err := b.service.CreateSystem(b.ctx, b.operator, "示例旧系统", "zombie")
	if err != nil {
		t.Fatal(err)
	}
	states := func() (out []bool) {
		t.Helper()
		all, _, err := b.service.NilReturns(b.ctx, b.platform, b.police.ID, 2026, db.Page{})
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range all {
			out = append(out, n.WithdrawnAt == nil)
		}
		return out
	}
	if got := states(); !cmp.Equal(got, []bool{true}) {
		t.Errorf("a system that is not in use ends the statement: %v", got)
	}
	if _, err := b.service.UpdateSystem(b.ctx, b.operator, zombie.ID, 0, zombie.Name, "live"); err != nil {
		t.Fatal(err)
	}
	if got := states(); !cmp.Equal(got, []bool{false}) {
		t.Errorf("a system in use leaves the statement: %v", got)
	}
	wantCode(t, file(), fault.Conflict, "has_systems")
	if _, err := b.service.UpdateSystem(b.ctx, b.operator, zombie.ID, 0, zombie.Name, "single_office"); err != nil {
		t.Fatal(err)
	}
	if err := file(); err != nil {
		t.Fatal(err)
	}
	if got := states(); !cmp.Equal(got, []bool{true, false}) {
		t.Errorf("filed again: %v", got)
	}
	if _, err := b.service.CreateSystem(b.ctx, b.admin, "示例新系统", "live"); err != nil {
		t.Fatal(err)
	}
	if got := states(); !cmp.Equal(got, []bool{false, false}) {
		t.Errorf("a new system leaves the statement: %v", got)
	}
	first, next, err := b.service.NilReturns(b.ctx, b.platform, uuid.Nil, 0, db.Page{Limit: 1})
	if err != nil || len(first) != 1 || next == "" {
		t.Fatalf("the first page: %+v, %q, %v", first, next, err)
	}
	if second, next, err := b.service.NilReturns(b.ctx, b.platform, uuid.Nil, 0, db.Page{Limit: 1, Cursor: next}); err != nil || len(second) != 1 || next != "" || second[0].ID == first[0].ID {
		t.Errorf("the second page: %+v, %q, %v", second, next, err)
	}
}

// A system in use is covered from the publication of an entry that names it until that entry leaves the directory.
func TestCoverage(t *testing.T) {
	t.Parallel()
	b := setup(t)
	counts := func(want catalog.Coverage) {
		t.Helper()
		want.Year, want.Departments = 2026, 3
		got, err := b.service.SystemCoverage(b.ctx, b.operator, 0)
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%v (-want +got)\n%s", err, diff)
		}
	}
	counts(catalog.Coverage{Missing: 3})
	system, err := b.service.CreateSystem(b.ctx, b.operator, "示例户籍系统", "live")
	if err != nil {
		t.Fatal(err)
	}
	for name, state := range map[string]string{"示例旧系统": "zombie", "示例台账": "single_office", "示例车驾系统": "live"} {
		if _, err := b.service.CreateSystem(b.ctx, b.operator, name, state); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := b.service.FileNilReturn(b.ctx, b.marketOperator, "暂无信息系统"); err != nil {
		t.Fatal(err)
	}
	registered := catalog.Coverage{Listed: 1, NilReturns: 1, Missing: 1, SystemCounts: catalog.SystemCounts{Live: 2, Zombie: 1, SingleOffice: 1}}
	counts(registered)
	m := small("示例户籍事项")
	m.SystemID = system.ID
	r, err := b.service.CreateResource(b.ctx, b.operator, m)
	if err != nil {
		t.Fatal(err)
	}
	counts(registered) // A draft covers nothing.
	b.review(t, r.ID)
	registered.Covered = 1
	counts(registered)
	if got, err := b.service.System(b.ctx, b.operator, system.ID); err != nil || !got.Covered {
		t.Errorf("the system: %+v, %v", got, err)
	}
	if n, ok := registered.Percent(); n != 50 || !ok {
		t.Errorf("got %d%%, %v", n, ok)
	}

	var names []string
	for cursor := ""; ; {
		some, next, err := b.service.CoverageByDepartment(b.ctx, b.operator, 0, false, db.Page{Limit: 1, Cursor: cursor})
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range some {
			names = append(names, d.Department)
			if police := d.DepartmentID == b.police.ID; police != (d.Live == 2 && d.Covered == 1) || (d.DepartmentID == b.market.ID) != (d.NilReturnAt != nil) {
				t.Errorf("got %+v", d)
			}
		}
		if cursor = next; cursor == "" {
			break
		}
	}
	if len(names) != 3 {
		t.Errorf("departments: %v", names)
	}
	missing, _, err := b.service.CoverageByDepartment(b.ctx, b.platform, 0, true, db.Page{})
	if err != nil || len(missing) != 1 || missing[0].Department != "示例市数据局" || !missing[0].Missing {
		t.Errorf("missing: %+v, %v", missing, err)
	}
	if own, err := b.service.DepartmentCoverage(b.ctx, b.operator, b.police.ID); err != nil || own.Covered != 1 || own.Missing {
		t.Errorf("the own department: %+v, %v", own, err)
	}
	if last, err := b.service.SystemCoverage(b.ctx, b.platform, 2025); err != nil || last.NilReturns != 0 || last.Missing != 2 {
		t.Errorf("last year: %+v, %v", last, err)
	}
}
