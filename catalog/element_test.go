package catalog_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/authz/authztest"
	"github.com/shuqiao/shuqiao/catalog"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// wrongIn returns field and code of everything that an error finds wrong.
func wrongIn(err error) []string {
	if f, ok := errors.AsType[*fault.Fault](err); ok {
		return fieldNames(f.Fields)
	}
	return nil
}

func element(code, name string) catalog.DataElement {
	return catalog.DataElement{Code: code, Name: name, NameEN: "Example " + code, DataType: catalog.Char, Length: 20, Synonyms: []string{name + "（别名）"}}
}

// Every data element that a template names is in the register from the start.
func TestTemplatesNameKnownElements(t *testing.T) {
	t.Parallel()
	b := setup(t)
	templates, err := catalog.Templates()
	if err != nil {
		t.Fatal(err)
	}
	known, _, err := b.service.DataElements(b.ctx, b.admin, catalog.DataElementFilter{}, db.Page{Limit: db.MaxPage})
	if err != nil {
		t.Fatal(err)
	}
	terms := map[string]bool{}
	for _, e := range known {
		terms[strings.ToLower(e.Code)], terms[strings.ToLower(e.Standard)] = true, true
	}
	for _, template := range templates {
		for _, item := range template.Items {
			if item.DataElement != "" && !terms[strings.ToLower(item.DataElement)] {
				t.Errorf("template %s, item %s: no data element %s", template.Name, item.Identifier, item.DataElement)
			}
		}
	}
}

// The register of data elements is kept by the authority, read by everybody, and refuses what has no sense.
func TestDataElements(t *testing.T) {
	t.Parallel()
	b := setup(t)
	if _, err := b.service.CreateDataElement(b.ctx, b.admin, element("plate_no", "号牌号码")); fault.KindOf(err) != fault.Forbidden {
		t.Errorf("a department added a data element: %v", err)
	}
	made, err := b.service.CreateDataElement(b.ctx, b.platform, element("plate_no", " 号牌号码 "))
	if err != nil || made.Name != "号牌号码" || made.State != "current" {
		t.Fatalf("got %+v, %v", made, err)
	}
	for name, bad := range map[string]catalog.DataElement{
		"code bad_form": element("Plate", "其他"), "code taken": element("plate_no", "其他"), "name taken": element("other", "号牌号码"),
		"name required": element("other", " "), "data_type not_choice": {Code: "other", Name: "其他", DataType: "Z"},
		"code_set unknown":     {Code: "other", Name: "其他", DataType: catalog.Char, CodeSet: "no_such_list"},
		"length out_of_range":  {Code: "other", Name: "其他", DataType: catalog.Char, Length: -1},
		"state not_choice":     {Code: "other", Name: "其他", DataType: catalog.Char, State: "gone"},
		"synonyms too_many":    {Code: "other", Name: "其他", DataType: catalog.Char, Synonyms: strings.Split(words(60), " ")},
		"standard too_long":    {Code: "other", Name: "其他", DataType: catalog.Char, Standard: strings.Repeat("长", 101)},
		"name bad_character":   {Code: "other", Name: "a\x00b", DataType: catalog.Char},
		"synonyms[0] too_long": {Code: "other", Name: "其他", DataType: catalog.Char, Synonyms: []string{strings.Repeat("长", 101)}},
	} {
		if _, err := b.service.CreateDataElement(b.ctx, b.platform, bad); !slices.Contains(wrongIn(err), name) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	made.NameEN, made.State = "Number plate", "retired"
	changed, err := b.service.UpdateDataElement(b.ctx, b.platform, "plate_no", made.RowVersion, made)
	if err != nil || changed.RowVersion != 2 || changed.NameEN != "Number plate" {
		t.Fatalf("got %+v, %v", changed, err)
	}
	_, err = b.service.UpdateDataElement(b.ctx, b.platform, "plate_no", made.RowVersion, made)
	wantCode(t, err, fault.Precondition, "version_mismatch")
	_, err = b.service.DataElement(b.ctx, b.marketOperator, "no\x00such")
	wantCode(t, err, fault.NotFound, "not_found")
	found, _, err := b.service.DataElements(b.ctx, b.marketOperator, catalog.DataElementFilter{Text: "PLATE", State: "retired"}, db.Page{})
	if err != nil || len(found) != 1 || found[0].Code != "plate_no" {
		t.Errorf("got %v, %v", found, err)
	}
	first, next, err := b.service.DataElements(b.ctx, b.admin, catalog.DataElementFilter{}, db.Page{Limit: 2})
	if err != nil || len(first) != 2 || next == "" {
		t.Fatalf("got %d, %q, %v", len(first), next, err)
	}
	second, _, err := b.service.DataElements(b.ctx, b.admin, catalog.DataElementFilter{}, db.Page{Limit: 2, Cursor: next})
	if err != nil || len(second) != 2 || second[0].Code <= first[1].Code {
		t.Errorf("the second page begins with %v, %v", second, err)
	}
}

func words(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "w%d ", i)
	}
	return strings.TrimSpace(b.String())
}

// A claim is decided once, in every order of state and step that the table allows and in no other; the register follows.
func TestDutyMoves(t *testing.T) {
	t.Parallel()
	b := setup(t)
	reach := map[catalog.DutyState]catalog.DutyStep{catalog.DutyApproved: catalog.DutyApprove, catalog.DutyRefused: catalog.DutyRefuse, catalog.DutyWithdrawn: catalog.DutyWithdraw}
	do := func(id uuid.UUID, step catalog.DutyStep) (catalog.DutyClaim, error) {
		switch step {
		case catalog.DutyApprove:
			return b.service.ApproveDuty(b.ctx, b.platform, id, 0, "职责明确")
		case catalog.DutyRefuse:
			return b.service.RefuseDuty(b.ctx, b.platform, id, 0, "依据不足")
		}
		return b.service.WithdrawDuty(b.ctx, b.admin, id, 0)
	}
	n := 0
	for _, from := range catalog.DutyStates() {
		for _, step := range catalog.DutySteps() {
			n++
			c, err := b.service.ClaimDuty(b.ctx, b.admin, catalog.NewDutyClaim{Kind: catalog.DutyClaimed, Element: "citizen_id", Division: fmt.Sprintf("3306%02d", n), Reason: "居民身份证法"})
			if err != nil {
				t.Fatal(err)
			}
			if by, ok := reach[from]; ok {
				if _, err := do(c.ID, by); err != nil {
					t.Fatal(err)
				}
			}
			want := ""
			for _, m := range catalog.DutyMoves() {
				if m.From == from && m.Step == step {
					want = string(m.To)
				}
			}
			got, err := do(c.ID, step)
			switch {
			case want == "":
				wantCode(t, err, fault.Conflict, "illegal_move")
			case err != nil || string(got.State) != want:
				t.Errorf("%s from %s: got %s, %v; want %s", step, from, got.State, err, want)
			}
			lines, _, err := b.service.ElementSources(b.ctx, b.marketOperator, catalog.ElementSourceFilter{Division: c.Division}, db.Page{})
			approved := from == catalog.DutyApproved || from == catalog.DutyOpen && step == catalog.DutyApprove
			if err != nil || (len(lines) == 1) != approved || approved && lines[0].DepartmentID != b.police.ID {
				t.Errorf("%s from %s: the register has %v, %v", step, from, lines, err)
			}
		}
	}
}

// Only the authority writes the register; departments state things about it for themselves, once at a time, with a reason.
func TestWhoWritesTheRegister(t *testing.T) {
	t.Parallel()
	b := setup(t)
	claim := catalog.NewDutyClaim{Kind: catalog.DutyClaimed, Element: "citizen_id", Reason: "居民身份证法"}
	assignment := catalog.SourceAssignment{DepartmentID: b.market.ID, Reason: "三定方案"}
	if _, err := b.service.AssignElementSource(b.ctx, b.admin, "uscc", "330600", 0, assignment); fault.KindOf(err) != fault.Forbidden {
		t.Errorf("a department wrote the register: %v", err)
	}
	if _, err := b.service.ClaimDuty(b.ctx, b.operator, claim); fault.KindOf(err) != fault.Forbidden {
		t.Errorf("an operator claimed: %v", err)
	}
	c, err := b.service.ClaimDuty(b.ctx, b.admin, claim)
	if err != nil || c.Division != "330600" || c.ProposedID != b.police.ID || c.State != catalog.DutyOpen {
		t.Fatalf("got %+v, %v", c, err)
	}
	_, err = b.service.ClaimDuty(b.ctx, b.admin, claim)
	wantCode(t, err, fault.Conflict, "claim_open")
	for _, bad := range []struct {
		field string
		in    catalog.NewDutyClaim
	}{
		{"reason required", catalog.NewDutyClaim{Kind: catalog.DutyClaimed, Element: "uscc"}},
		{"element unknown", catalog.NewDutyClaim{Kind: catalog.DutyClaimed, Element: "nothing", Reason: "x"}},
		{"division bad_form", catalog.NewDutyClaim{Kind: catalog.DutyClaimed, Element: "uscc", Division: "33", Reason: "x"}},
		{"kind not_choice", catalog.NewDutyClaim{Kind: "wish", Element: "uscc", Reason: "x"}},
		{"resource_id not_offered", catalog.NewDutyClaim{Kind: catalog.DutyClaimed, Element: "uscc", Reason: "x", ResourceID: uuid.New()}},
		{"reason bad_character", catalog.NewDutyClaim{Kind: catalog.DutyClaimed, Element: "uscc", Reason: "a\x00"}},
	} {
		if _, err := b.service.ClaimDuty(b.ctx, b.admin, bad.in); !slices.Contains(wrongIn(err), bad.field) {
			t.Errorf("%s: got %v", bad.field, err)
		}
	}
	if n, err := b.service.CountOpenClaims(b.ctx, b.platform); n != 1 || err != nil {
		t.Errorf("%d claims wait, %v", n, err)
	}
	if n, err := b.service.CountOpenClaims(b.ctx, b.admin); n != 0 || err != nil {
		t.Errorf("%d claims wait for a department, %v", n, err)
	}
	// Others do not know of it, and cannot take it back or decide.
	_, err = b.service.DutyClaim(b.ctx, b.marketAdm, c.ID)
	wantCode(t, err, fault.NotFound, "not_found")
	_, err = b.service.WithdrawDuty(b.ctx, b.marketAdm, c.ID, 0)
	wantCode(t, err, fault.NotFound, "not_found")
	if _, err = b.service.ApproveDuty(b.ctx, b.admin, c.ID, 0, "本部门"); fault.KindOf(err) != fault.Forbidden {
		t.Errorf("a department decided: %v", err)
	}
	if _, err = b.service.ApproveDuty(b.ctx, b.platform, c.ID, 0, " "); !slices.Contains(wrongIn(err), "reason required") {
		t.Errorf("decided without a reason: %v", err)
	}
	_, err = b.service.ApproveDuty(b.ctx, b.platform, c.ID, 9, "职责明确")
	wantCode(t, err, fault.Precondition, "version_mismatch")
	if c, err = b.service.ApproveDuty(b.ctx, b.platform, c.ID, c.RowVersion, "职责明确"); err != nil || c.Owner != b.police.Name || c.Decision != "职责明确" {
		t.Fatalf("got %+v, %v", c, err)
	}

	// What is owned is contested instead: here by another department, which names itself, and then nobody.
	_, err = b.service.ClaimDuty(b.ctx, b.marketAdm, claim)
	wantCode(t, err, fault.Conflict, "owned")
	contest := catalog.NewDutyClaim{Kind: catalog.DutyContested, Element: "citizen_id", ProposedID: b.police.ID, Reason: "职责调整"}
	if _, err = b.service.ClaimDuty(b.ctx, b.marketAdm, contest); !slices.Contains(wrongIn(err), "proposed_dept_id contradicts") {
		t.Errorf("contested in favour of the owner: %v", err)
	}
	for _, proposed := range []uuid.UUID{b.market.ID, uuid.Nil} {
		contest.ProposedID = proposed
		c, err := b.service.ClaimDuty(b.ctx, b.marketAdm, contest)
		if err != nil {
			t.Fatal(err)
		}
		if seen, _, err := b.service.DutyClaims(b.ctx, b.admin, catalog.DutyFilter{State: catalog.DutyOpen}, db.Page{}); err != nil || proposed == b.market.ID && len(seen) != 1 {
			t.Errorf("the owner sees %d objections, %v", len(seen), err)
		}
		if _, err := b.service.ApproveDuty(b.ctx, b.platform, c.ID, 0, "同意"); err != nil {
			t.Fatal(err)
		}
		lines, _, err := b.service.ElementSources(b.ctx, b.operator, catalog.ElementSourceFilter{Element: "citizen_id"}, db.Page{})
		if err != nil || proposed == uuid.Nil && len(lines) != 0 || proposed != uuid.Nil && (len(lines) != 1 || lines[0].DepartmentID != proposed) {
			t.Errorf("proposed %s: the register has %v, %v", proposed, lines, err)
		}
	}
	contest.ProposedID = b.market.ID
	_, err = b.service.ClaimDuty(b.ctx, b.admin, contest)
	wantCode(t, err, fault.Conflict, "not_owned")

	// The authority writes and ends lines itself, with a reason.
	line, err := b.service.AssignElementSource(b.ctx, b.platform, "uscc", "330600", 0, assignment)
	if err != nil || line.Department != b.market.Name {
		t.Fatalf("got %+v, %v", line, err)
	}
	assignment.DepartmentID = uuid.New()
	if _, err := b.service.AssignElementSource(b.ctx, b.platform, "uscc", "330600", line.RowVersion, assignment); !slices.Contains(wrongIn(err), "department_id unknown") {
		t.Errorf("assigned to nobody: %v", err)
	}
	if err := b.service.EndElementSource(b.ctx, b.platform, "uscc", "330600", line.RowVersion, ""); !slices.Contains(wrongIn(err), "reason required") {
		t.Errorf("ended without a reason: %v", err)
	}
	if err := b.service.EndElementSource(b.ctx, b.platform, "uscc", "330600", line.RowVersion, "机构改革"); err != nil {
		t.Error(err)
	}
	wantCode(t, b.service.EndElementSource(b.ctx, b.platform, "uscc", "330600", 0, "机构改革"), fault.NotFound, "not_found")
}

// A claim that another decision overtook is not accepted silently over it.
func TestOvertakenClaim(t *testing.T) {
	t.Parallel()
	b := setup(t)
	c, err := b.service.ClaimDuty(b.ctx, b.admin, catalog.NewDutyClaim{Kind: catalog.DutyClaimed, Element: "mobile", Reason: "x"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.service.AssignElementSource(b.ctx, b.platform, "mobile", "330600", 0, catalog.SourceAssignment{DepartmentID: b.market.ID, Reason: "x"}); err != nil {
		t.Fatal(err)
	}
	_, err = b.service.ApproveDuty(b.ctx, b.platform, c.ID, 0, "同意")
	wantCode(t, err, fault.Conflict, "owned")
}

// holder is small with an item of a data element.
func holder(name string) catalog.Metadata {
	m := small(name)
	m.Items = append(slices.Clone(m.Items), catalog.Item{Name: "统一社会信用代码", Identifier: "uscc", DataType: catalog.Char, Length: 18, DataElement: "GB 32100", ShareType: catalog.Conditional, Grade: catalog.L2})
	return m
}

// What another department is the source of is collected again only with a written reason; naming the source as the source
// department, or a source that offers nothing, needs none. The line of the nearest division holds.
func TestCollectingAgainNeedsAReason(t *testing.T) {
	t.Parallel()
	b := setup(t)
	offered := b.publish(t, holder("市场主体示例"))
	m := holder("涉企检查示例")
	m.Items[3].DataElement = "" // Recognised by its name.
	r, err := b.service.CreateResource(b.ctx, b.marketOperator, m)
	if err != nil {
		t.Fatal(err)
	}
	check := func(why string, m catalog.Metadata, blocked, warned bool) catalog.Findings {
		t.Helper()
		found, err := b.service.CheckDraft(b.ctx, b.marketOperator, r.ID, m)
		if err != nil {
			t.Fatal(err)
		}
		if got := slices.Contains(fieldNames(found.Blocks), "recollect_reason required"); got != blocked {
			t.Errorf("%s: blocked %v, want %v: %v", why, got, blocked, found.Blocks)
		}
		if got := slices.Contains(fieldNames(found.Warnings), "items[3].source_dept_id owned_elsewhere"); got != warned {
			t.Errorf("%s: warned %v, want %v", why, got, warned)
		}
		return found
	}
	assign := func(division string, department, resource uuid.UUID) {
		t.Helper()
		if _, err := b.service.AssignElementSource(b.ctx, b.platform, "uscc", division, 0, catalog.SourceAssignment{DepartmentID: department, ResourceID: resource, Reason: "三定方案"}); err != nil {
			t.Fatal(err)
		}
	}
	check("nobody is registered", m, false, false)
	assign("330000", b.police.ID, uuid.Nil)
	check("the source offers nothing", m, false, true)
	assign("330000", b.police.ID, offered.ID)
	found := check("the source of the province offers it", m, true, true)
	if len(found.Owned) != 1 || found.Owned[0].ResourceID != offered.ID || found.Owned[0].Division != "330000" || !found.Owned[0].Shared || found.Owned[0].Referenced {
		t.Errorf("got %+v", found.Owned)
	}
	if _, err := b.service.Submit(b.ctx, b.marketOperator, r.ID, 0); !slices.Contains(wrongIn(err), "recollect_reason required") {
		t.Errorf("submitted without a reason: %v", err)
	}
	argued := m
	argued.RecollectReason = "现场检查须当场登记"
	check("argued", argued, false, true)
	referenced := m
	referenced.Items = slices.Clone(m.Items)
	referenced.Items[3].SourceDeptID = b.police.ID
	check("referenced by the item", referenced, false, false)
	whole := m
	whole.SourceDeptID = b.police.ID
	check("referenced by the entry", whole, false, false)
	assign("330600", b.market.ID, uuid.Nil)
	check("the department is the source of its own city", m, false, false)
	elsewhere := m
	elsewhere.DivisionCode = "330300"
	check("another city", elsewhere, true, true)
	unknown := m
	unknown.Items = slices.Clone(m.Items)
	unknown.Items[3].DataElement = "GB 99999"
	if found := check("an element nobody knows", unknown, false, false); !slices.Contains(fieldNames(found.Warnings), "items[3].data_element unknown") {
		t.Errorf("got %v", found.Warnings)
	}

	// Who means to ask for a copy is told the source.
	copied := b.publish(t, holder("抄录示例"))
	sources, err := b.service.ItemSources(b.ctx, authztest.Person(b.police.ID, authz.DeptOperator), copied.ID)
	if err != nil || len(sources) != 1 || sources[0].DepartmentID != b.market.ID || sources[0].Identifier != "uscc" {
		t.Errorf("got %+v, %v", sources, err)
	}
}
