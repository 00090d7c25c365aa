package sharing_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/catalog"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
	"github.com/shuqiao/shuqiao/sharing"
)

// newVersion adds a draft of population as version 2, changed by edit.
func (c *town) newVersion(t *testing.T, edit func(items []catalog.Item) []catalog.Item) {
	t.Helper()
	c.version(t, c.db, c.population, 2, "conditional", "L3", edit(population()))
	c.exec(t, c.db, "UPDATE resource_version SET state = 'draft' WHERE resource_id = $1 AND version = 2", c.population)
	c.exec(t, c.db, "UPDATE resource SET newest = 2 WHERE id = $1", c.population)
}

// publishNext makes version 2 the published one with what it takes away, as the catalogue does.
func (c *town) publishNext(t *testing.T, items []int, identifiers []string, whole bool) {
	t.Helper()
	c.exec(t, c.db, `INSERT INTO version_change (resource_id, version, previous, breaks, items, identifiers, whole, at)
		SELECT $1, 2, 1, coalesce((SELECT jsonb_agg(jsonb_build_object('kind', 'removed', 'no', no, 'identifier', identifier, 'name', identifier))
			FROM unnest($2::int[], $3::text[]) AS i (no, identifier)), '[]'), $2, $3, $4, clock_timestamp()`, c.population, items, identifiers, whole)
	c.change(t, authz.KindResource, c.population, "UPDATE resource SET published = 2, newest = 2 WHERE id = $1", c.population)
}

// Before a version is published it says which grants and tasks use what it takes away: by what they read and by their row filter.
func TestImpact(t *testing.T) {
	t.Parallel()
	c := newTown(t)
	g := c.granted(t) // Reads name, citizen_id, sex and birth_date; its rows are chosen by domicile_division_code.
	c.exec(t, c.db, `INSERT INTO task (id, kind, resource_id, grant_id, state, created_by, created_at, updated_at) VALUES
		($1, 'deliver', $2, $3, 'enabled', $4, now(), now()), ($5, 'collect', $2, NULL, 'enabled', $4, now(), now())`,
		db.NewID(), c.population, g.ID, c.policeOperator.ID, db.NewID())
	c.newVersion(t, func(items []catalog.Item) []catalog.Item {
		items[2].DataType = "N"           // sex, which is read.
		items[3].Filterable = false       // domicile_division_code, which the filter names.
		return slices.Delete(items, 5, 6) // remark, which nobody uses.
	})
	i := must[sharing.Impact](t, "asking")(c.svc.Impact(t.Context(), c.policeOperator, c.population, 0))
	type line struct {
		kind          catalog.BreakKind
		identifier    string
		grants, tasks int64
	}
	var got []line
	for _, b := range i.Breaks {
		got = append(got, line{b.Kind, b.Identifier, b.Grants, b.Tasks})
	}
	want := []line{{catalog.BreakRetyped, "sex", 1, 1}, {catalog.BreakUnfilterable, "domicile_division_code", 1, 1}, {catalog.BreakRemoved, "remark", 0, 0}}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(line{})); diff != "" {
		t.Errorf("the breaks (-want +got):\n%s", diff)
	}
	if i.Version != 2 || i.Previous != 1 || i.Grants != 1 || i.Clients != 1 || i.Departments != 1 || i.Tasks != 2 {
		t.Errorf("the impact is %+v", i)
	}
	found, next, err := c.svc.ImpactUses(t.Context(), c.operator, c.population, 2, db.Page{})
	if err != nil || next != "" || len(found) != 1 || found[0].GrantID != g.ID || found[0].Tasks != 1 || found[0].AcknowledgedAt != nil {
		t.Fatalf("the grants are %+v, %v", found, err)
	}
	if diff := cmp.Diff([]string{"sex", "domicile_division_code"}, found[0].Items); diff != "" {
		t.Errorf("its items (-want +got):\n%s", diff)
	}
	for name, p := range map[string]authz.Principal{"a consumer": c.socialAdmin, "an auditor": c.auditor} {
		if _, err := c.svc.Impact(t.Context(), p, c.population, 0); !fault.Is(err, fault.Forbidden) {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, err = c.svc.Impact(t.Context(), c.policeOperator, c.population, 3)
	wantCode(t, "an unknown version", err, fault.NotFound, "not_found")
	_, err = c.svc.Impact(t.Context(), c.policeOperator, uuid.New(), 0)
	wantCode(t, "an unknown resource", err, fault.NotFound, "not_found")
	none := must[sharing.Impact](t, "asking")(c.svc.Impact(t.Context(), c.policeOperator, c.streets, 0))
	if len(none.Breaks) != 0 || none.Grants != 0 {
		t.Errorf("a version without changes touches %+v", none)
	}
}

// Consumers whose grants a publication touches hear of it, take note of it, and are listed with who has not.
func TestAcknowledge(t *testing.T) {
	t.Parallel()
	c := newTown(t)
	touched := c.granted(t)
	untouched := c.granted(t, func(a *sharing.Application) {
		a.ClientID = c.socialClient.ID
		a.Items, a.RowFilter, a.Lookup = []string{"citizen_id"}, nil, nil
		a.Purpose = "other"
	})
	c.newVersion(t, func(items []catalog.Item) []catalog.Item { return slices.Delete(items, 1, 2) })
	c.publishNext(t, []int{2}, []string{"name"}, false)

	if n, err := c.svc.CountUnacknowledged(t.Context(), c.socialAdmin); n != 1 || err != nil {
		t.Errorf("%d grants wait, %v", n, err)
	}
	for _, p := range []authz.Principal{c.socialOperator, c.civilAdmin, c.operator} {
		if n, err := c.svc.CountUnacknowledged(t.Context(), p); n != 0 || err != nil {
			t.Errorf("%d grants wait for others, %v", n, err)
		}
	}
	waiting, _, err := c.svc.ListGrants(t.Context(), c.socialAdmin, sharing.GrantFilter{Unacknowledged: true}, db.Page{})
	if err != nil || len(waiting) != 1 || waiting[0].ID != touched.ID {
		t.Errorf("waiting are %d grants, %v", len(waiting), err)
	}
	notices, _, err := c.svc.Notices(t.Context(), c.socialAdmin, db.Page{})
	if err != nil {
		t.Fatal(err)
	}
	told := slices.IndexFunc(notices, func(n sharing.Notice) bool { return n.Event == "change" })
	if told < 0 || notices[told].ID != touched.ID || notices[told].Kind != "grant" || notices[told].Side != sharing.ConsumerSide {
		t.Errorf("the notices are %+v", notices)
	}

	_, err = c.svc.AcknowledgeChange(t.Context(), c.socialAdmin, untouched.ID, 2, "")
	wantCode(t, "a grant that is not touched", err, fault.NotFound, "not_found")
	_, err = c.svc.AcknowledgeChange(t.Context(), c.socialAdmin, touched.ID, 3, "")
	wantCode(t, "an unknown version", err, fault.NotFound, "not_found")
	_, err = c.svc.AcknowledgeChange(t.Context(), c.socialOperator, touched.ID, 2, "")
	wantCode(t, "an operator", err, fault.Forbidden, "forbidden")
	_, err = c.svc.AcknowledgeChange(t.Context(), c.policeAdmin, touched.ID, 2, "")
	wantCode(t, "the provider", err, fault.Forbidden, "forbidden")
	_, err = c.svc.AcknowledgeChange(t.Context(), c.socialAdmin, touched.ID, 2, "a\x00b")
	wantCode(t, "no text", err, fault.Invalid, "invalid")

	done := must[sharing.GrantChange](t, "taking note")(c.svc.AcknowledgeChange(t.Context(), c.socialAdmin, touched.ID, 2, "月底前改造接口"))
	if done.AcknowledgedAt == nil || done.AcknowledgedBy != "示例" || done.Note != "月底前改造接口" || len(done.Breaks) != 1 || done.Breaks[0].Identifier != "name" {
		t.Errorf("noted is %+v", done)
	}
	_, err = c.svc.AcknowledgeChange(t.Context(), c.socialAdmin, touched.ID, 2, "")
	wantCode(t, "twice", err, fault.Conflict, "already_acknowledged")
	if n, err := c.svc.CountUnacknowledged(t.Context(), c.socialAdmin); n != 0 || err != nil {
		t.Errorf("%d grants wait afterwards, %v", n, err)
	}
	uses, _, err := c.svc.ImpactUses(t.Context(), c.policeAdmin, c.population, 2, db.Page{})
	if err != nil || len(uses) != 1 || uses[0].AcknowledgedAt == nil || uses[0].Note != "月底前改造接口" {
		t.Errorf("the provider sees %+v, %v", uses, err)
	}
	changes := must[[]sharing.GrantChange](t, "reading")(c.svc.GrantChanges(t.Context(), c.socialOperator, untouched.ID))
	if len(changes) != 0 {
		t.Errorf("a grant that is not touched has the changes %+v", changes)
	}
}
