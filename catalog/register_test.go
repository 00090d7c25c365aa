package catalog_test

import (
	"testing"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/catalog"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// Departments are registered once, under right codes, in a tree.
func TestDepartments(t *testing.T) {
	t.Parallel()
	b := setup(t)
	_, err := b.service.CreateDepartment(b.ctx, b.system, catalog.Department{USCC: "11330600QQ000000", Level: "moon", DivisionCode: "33"})
	wantFields(t, err, "uscc bad_length", "name required", "division_code bad_length", "level not_choice")
	_, err = b.service.CreateDepartment(b.ctx, b.system, catalog.Department{USCC: b.police.USCC, Name: "另一个局", Level: "city", DivisionCode: "330600"})
	wantFields(t, err, "uscc taken")
	_, err = b.service.CreateDepartment(b.ctx, b.admin, catalog.Department{USCC: creditCode(t, 50), Name: "另一个局", Level: "city", DivisionCode: "330600"})
	wantCode(t, err, fault.Forbidden, "forbidden")
	child := b.market
	child.ParentID = b.police.ID
	child, err = b.service.UpdateDepartment(b.ctx, b.system, b.market.ID, b.market.RowVersion, child)
	if err != nil || child.ParentID != b.police.ID {
		t.Fatalf("got parent %s, %v", child.ParentID, err)
	}
	above := b.police
	above.ParentID = b.market.ID
	_, err = b.service.UpdateDepartment(b.ctx, b.system, b.police.ID, 0, above)
	wantFields(t, err, "parent_id cycle")
	_, err = b.service.UpdateDepartment(b.ctx, b.system, b.market.ID, b.market.RowVersion, child)
	wantCode(t, err, fault.Precondition, "version_mismatch")
	found, _, err := b.service.Departments(b.ctx, b.operator, catalog.DepartmentFilter{Text: "公安"}, db.Page{})
	if err != nil || len(found) != 1 || found[0].ID != b.police.ID {
		t.Errorf("got %v, %v", found, err)
	}
	first, next, err := b.service.Departments(b.ctx, b.operator, catalog.DepartmentFilter{}, db.Page{Limit: 2})
	if err != nil || len(first) != 2 || next == "" {
		t.Fatalf("got %d, next %q, %v", len(first), next, err)
	}
	rest, next, err := b.service.Departments(b.ctx, b.operator, catalog.DepartmentFilter{}, db.Page{Limit: 2, Cursor: next})
	if err != nil || len(rest) != 1 || next != "" || rest[0].ID == first[0].ID || rest[0].ID == first[1].ID {
		t.Errorf("got %d more, next %q, %v", len(rest), next, err)
	}
}

// A department registers its own systems, and names only these in its entries.
func TestSystems(t *testing.T) {
	t.Parallel()
	b := setup(t)
	system, err := b.service.CreateSystem(b.ctx, b.operator, "人口管理系统", "live")
	if err != nil {
		t.Fatal(err)
	}
	_, err = b.service.CreateSystem(b.ctx, b.operator, "人口管理系统", "live")
	wantFields(t, err, "name taken")
	_, err = b.service.CreateSystem(b.ctx, b.operator, "", "broken")
	wantFields(t, err, "name required", "state not_choice")
	_, err = b.service.UpdateSystem(b.ctx, b.marketAdm, system.ID, 0, "夺取", "zombie")
	wantCode(t, err, fault.Forbidden, "forbidden")
	if got, err := b.service.UpdateSystem(b.ctx, b.admin, system.ID, system.RowVersion, "人口管理系统", "zombie"); err != nil || got.State != "zombie" {
		t.Errorf("got %v, %v", got, err)
	}
	m := small("借用系统")
	m.SystemID = system.ID
	r, err := b.service.CreateResource(b.ctx, b.marketOperator, m)
	if err != nil {
		t.Fatal(err)
	}
	_, err = b.service.Submit(b.ctx, b.marketOperator, r.ID, 0)
	wantFields(t, err, "system_id unknown")
	m.SystemID = uuid.New()
	_, err = b.service.CreateResource(b.ctx, b.operator, m)
	wantFields(t, err, "system_id unknown")
}

// The authority registers a base database with lead department and key item, and binds what the lead department
// published for it.
func TestBaseDatabases(t *testing.T) {
	t.Parallel()
	b := setup(t)
	all, err := b.service.BaseDatabases(b.ctx, b.operator)
	if err != nil || len(all) != 6 || all[0].Code != "population" || all[5].Code != "macro_economy" {
		t.Fatalf("got %v, %v", all, err)
	}
	register := catalog.Registration{LeadDeptID: b.police.ID, KeyItem: "citizen_id"}
	_, err = b.service.RegisterBaseDatabase(b.ctx, b.admin, "population", 0, register)
	wantCode(t, err, fault.Forbidden, "forbidden")
	_, err = b.service.RegisterBaseDatabase(b.ctx, b.platform, "population", 0, catalog.Registration{LeadDeptID: b.police.ID, KeyItem: "mobile"})
	wantFields(t, err, "key_item not_key")
	_, err = b.service.RegisterBaseDatabase(b.ctx, b.platform, "population", 0, catalog.Registration{LeadDeptID: uuid.New(), KeyItem: "citizen_id"})
	wantFields(t, err, "lead_dept_id unknown")
	got, err := b.service.RegisterBaseDatabase(b.ctx, b.platform, "population", 1, register)
	if err != nil || got.RegisteredAt == nil || got.RegisteredBy != b.platform.ID || got.RowVersion != 2 {
		t.Fatalf("got %+v, %v", got, err)
	}
	other := small("别的")
	wrong := b.publish(t, other)
	_, err = b.service.BindBaseDatabase(b.ctx, b.platform, "population", 0, wrong.ID)
	wantFields(t, err, "resource_id contradicts")
	template, err := catalog.FindTemplate("base_population")
	if err != nil {
		t.Fatal(err)
	}
	right := b.publish(t, complete(template.Metadata()))
	bound, err := b.service.BindBaseDatabase(b.ctx, b.platform, "population", 0, right.ID)
	if err != nil || bound.ResourceID != right.ID {
		t.Fatalf("got %+v, %v", bound, err)
	}
	theme, err := b.service.CreateThemeDatabase(b.ctx, b.platform, catalog.ThemeDatabase{Code: "public_trade", Name: "公共资源交易", Registration: register})
	if err != nil || !theme.Theme {
		t.Fatalf("got %+v, %v", theme, err)
	}
	_, err = b.service.CreateThemeDatabase(b.ctx, b.platform, catalog.ThemeDatabase{Code: "public_trade", Name: "再次", Registration: register})
	wantFields(t, err, "code taken")
	if read, err := b.service.BaseDatabase(b.ctx, b.operator, "public_trade"); err != nil || read.Name != "公共资源交易" {
		t.Errorf("got %+v, %v", read, err)
	}
}
