package sharing_test

import (
	"context"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/catalog"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
	"github.com/shuqiao/shuqiao/sharing"
)

// publishBeside makes version 2 of population, changed by edit, the published one, and has version 1 served beside it for a while.
func (c *town) publishBeside(t *testing.T, items []int, identifiers []string, edit func(items []catalog.Item) []catalog.Item) {
	t.Helper()
	c.newVersion(t, edit)
	c.exec(t, c.db, "UPDATE resource_version SET served_until = now() + interval '10 days' WHERE resource_id = $1 AND version = 1", c.population)
	c.publishNext(t, items, identifiers, false)
}

// identifiers are those of a permit's items.
func identifiers(p sharing.Permit) []string {
	var out []string
	for _, i := range p.Items() {
		out = append(out, i.Identifier)
	}
	return out
}

func withoutName(items []catalog.Item) []catalog.Item { return slices.Delete(items, 1, 2) }

// While the old version is served beside the new one, a grant that the change touches is served the old one until its consumer takes note, and
// a permit of then ends at once; other grants are served the new one.
func TestOldVersionBesideTheNew(t *testing.T) {
	t.Parallel()
	c := newTown(t)
	g := c.granted(t) // Reads name, citizen_id, sex and birth_date.
	other := c.granted(t, func(a *sharing.Application) {
		a.Items, a.RowFilter, a.Lookup, a.Purpose = []string{"citizen_id"}, nil, nil, "other"
	})
	plain := must[sharing.Permit](t, "before the publication")(c.decide(t))
	c.publishBeside(t, []int{2}, []string{"name"}, withoutName)

	wantCode(t, "a permit of before the publication", c.svc.Recheck(t.Context(), plain), fault.Conflict, "terms_changed")
	old := must[sharing.Permit](t, "beside")(c.decide(t))
	if diff := cmp.Diff([]string{"citizen_id", "name", "sex", "birth_date"}, identifiers(old)); diff != "" {
		t.Errorf("the items (-want +got):\n%s", diff)
	}
	if old.Resource.Published != 1 || old.Beside == nil || old.Demands() != 2 || time.Until(old.Beside.Until) < 9*24*time.Hour {
		t.Errorf("the permit is for version %d, beside %+v", old.Resource.Published, old.Beside)
	}
	if err := c.svc.Recheck(t.Context(), old); err != nil {
		t.Errorf("rechecking: %v", err)
	}
	untouched := must[sharing.Permit](t, "the other grant")(c.decide(t, func(a *sharing.Ask) { a.Purpose = other.Purpose }))
	if untouched.Resource.Published != 2 || untouched.Beside != nil {
		t.Errorf("a grant that is not touched is served version %d", untouched.Resource.Published)
	}
	if _, r, err := c.svc.Describe(t.Context(), c.policeAdmin, g.ID); err != nil || r.Published != 1 {
		t.Errorf("described as version %d, %v", r.Published, err)
	}
	served := must[sharing.ServedGrant](t, "asking")(c.svc.GetServed(t.Context(), c.socialOperator, g.ID))
	if served.Version != 1 || served.ServedUntil == nil || !served.ServedUntil.Equal(old.Beside.Until) {
		t.Errorf("said to be served %+v", served)
	}
	report, err := c.svc.ResourceAccess(t.Context(), c.policeAdmin, c.population, sharing.AccessQuery{Item: "name"})
	if err != nil || len(report.Data) != 1 || report.Data[0].GrantID != g.ID {
		t.Errorf("who sees the removed item: %+v, %v", report.Data, err)
	}

	before := time.Now()
	must[sharing.GrantChange](t, "taking note")(c.svc.AcknowledgeChange(t.Context(), c.socialAdmin, g.ID, 2, ""))
	c.sync(t)
	wantCode(t, "a permit of before taking note", c.svc.Recheck(t.Context(), old), fault.Conflict, "terms_changed")
	now := must[sharing.Permit](t, "after taking note")(c.decide(t))
	if diff := cmp.Diff([]string{"citizen_id", "sex", "birth_date"}, identifiers(now)); diff != "" || now.Resource.Published != 2 {
		t.Errorf("version %d (-want +got):\n%s", now.Resource.Published, diff)
	}
	served = must[sharing.ServedGrant](t, "asking")(c.svc.GetServed(t.Context(), c.socialOperator, g.ID))
	if served.Version != 2 || served.ServedUntil != nil {
		t.Errorf("said to be served %+v", served)
	}
	report, err = c.svc.ResourceAccess(t.Context(), c.policeAdmin, c.population, sharing.AccessQuery{})
	if err != nil || len(report.Data) != 2 || slices.ContainsFunc(report.Data, func(a sharing.Access) bool {
		return slices.ContainsFunc(a.Items, func(i sharing.AccessItem) bool { return i.Identifier == "name" })
	}) {
		t.Errorf("who sees what afterwards: %+v, %v", report.Data, err)
	}
	report, err = c.svc.ResourceAccess(t.Context(), c.policeAdmin, c.population, sharing.AccessQuery{Item: "name", At: before})
	if err != nil || len(report.Data) != 1 || report.Data[0].GrantID != g.ID || len(report.Data[0].Items) != 1 {
		t.Errorf("who saw the removed item before: %+v, %v", report.Data, err)
	}
}

// factReads counts the statements by which decisions read what they rest on.
type factReads struct{ n atomic.Int64 }

func (f *factReads) TraceQueryStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	if strings.Contains(data.SQL, "FROM policy_head h") {
		f.n.Add(1)
	}
	return ctx
}

func (f *factReads) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

// Deciding on an old version reads the database no oftener than deciding on the published one: once.
func TestOldVersionIsDecidedFromMemory(t *testing.T) {
	t.Parallel()
	c := newTown(t)
	g := c.granted(t)
	c.publishBeside(t, []int{2}, []string{"name"}, withoutName)
	reads := &factReads{}
	n := startNode(t, open(t, db.Options{URL: c.url, Tracer: reads}), c.keyring)
	ask := sharing.Ask{Resource: c.population.String(), Purpose: g.Purpose, Action: authz.DataPull}
	p := must[sharing.Permit](t, "deciding")(n.svc.Decide(t.Context(), c.socialClient, ask))
	first := reads.n.Load()
	for range 20 {
		must[sharing.Permit](t, "deciding")(n.svc.Decide(t.Context(), c.socialClient, ask))
		if err := n.svc.Recheck(t.Context(), p); err != nil {
			t.Fatal(err)
		}
	}
	if again := reads.n.Load() - first; p.Beside == nil || first == 0 || again != 0 {
		t.Errorf("%d reads for the first decision, %d for the others, beside %+v", first, again, p.Beside)
	}
}

// A grant that is made after the publication is served the new version, and nobody is served the old one when its time is over: no
// entry of the policy log says so.
func TestOldVersionEnds(t *testing.T) {
	t.Parallel()
	c := newTown(t)
	g := c.granted(t)
	c.publishBeside(t, []int{6}, []string{"remark"}, func(items []catalog.Item) []catalog.Item { return slices.Delete(items, 5, 6) })
	if p := must[sharing.Permit](t, "not touched")(c.decide(t)); p.Resource.Published != 2 {
		t.Errorf("served version %d", p.Resource.Published)
	}
	c.exec(t, c.db, "UPDATE resource_version SET state = 'published', served_until = NULL WHERE resource_id = $1 AND version = 2", c.population)
	late := c.granted(t, func(a *sharing.Application) { a.Purpose = "late" })
	c.change(t, authz.KindResource, c.population, "UPDATE version_change SET whole = true WHERE resource_id = $1", c.population)
	if p := must[sharing.Permit](t, "the new grant")(c.decide(t, func(a *sharing.Ask) { a.Purpose = "late" })); p.Grant.ID != late.ID || p.Resource.Published != 2 {
		t.Errorf("a grant of after the publication is served version %d", p.Resource.Published)
	}

	c.change(t, authz.KindResource, c.population,
		"UPDATE resource_version SET served_until = clock_timestamp() + interval '1500 milliseconds' WHERE resource_id = $1 AND version = 1", c.population)
	old := must[sharing.Permit](t, "before the end")(c.decide(t))
	if old.Resource.Published != 1 || old.Grant.ID != g.ID {
		t.Fatalf("served version %d", old.Resource.Published)
	}
	time.Sleep(time.Until(old.Beside.Until) + 300*time.Millisecond)
	wantCode(t, "a permit of before the end", c.svc.Recheck(t.Context(), old), fault.Conflict, "terms_changed")
	if p := must[sharing.Permit](t, "after the end")(c.decide(t)); p.Resource.Published != 2 || p.Beside != nil {
		t.Errorf("served version %d", p.Resource.Published)
	}
}

// What the new version demands holds for the old one at once: an item that it withholds is not served, whatever its number is now, and what
// the rules say of a stricter entry is said of the old version, too.
func TestOldVersionUnderNewDemands(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		edit func(items []catalog.Item) []catalog.Item
		want []string
		code string
	}{
		"an item is withheld": {func(items []catalog.Item) []catalog.Item {
			items[2].ShareType = catalog.Withheld
			return withoutName(items)
		}, []string{"citizen_id", "name", "birth_date"}, ""},
		"a retyped item is withheld": {func(items []catalog.Item) []catalog.Item {
			items[2].ShareType, items[2].No, items[2].DataType = catalog.Withheld, 40, "N"
			return withoutName(items)
		}, []string{"citizen_id", "name", "birth_date"}, ""},
		"an item has a higher grade": {func(items []catalog.Item) []catalog.Item {
			items[2].Grade = catalog.L4
			return withoutName(items)
		}, nil, "forbidden"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newTown(t)
			c.granted(t)
			c.exec(t, c.db, `INSERT INTO policy_rule (id, role, action, grade, effect, note) VALUES ('no-l4', 'client', 'data.pull', 'L4', 'deny', '')`)
			c.change(t, authz.KindRule, c.population, "SELECT $1::uuid", c.population)
			before := must[sharing.Permit](t, "before the publication")(c.decide(t))
			c.publishBeside(t, []int{2, 3}, []string{"name", "sex"}, tt.edit)
			if err := c.svc.Recheck(t.Context(), before); err == nil {
				t.Error("a permit of before the publication still holds")
			}
			p, err := c.decide(t)
			if tt.code != "" {
				wantCode(t, "deciding", err, fault.Forbidden, tt.code)
				return
			}
			if err != nil || p.Resource.Published != 1 {
				t.Fatalf("served version %v, %v", p.Resource, err)
			}
			if diff := cmp.Diff(tt.want, identifiers(p)); diff != "" {
				t.Errorf("the items (-want +got):\n%s", diff)
			}
		})
	}
}
