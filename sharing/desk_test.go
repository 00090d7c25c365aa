package sharing_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
	"github.com/shuqiao/shuqiao/sharing"
)

// Requests and grants say what their ids are called, and the history who acted.
func TestNames(t *testing.T) {
	t.Parallel()
	c := newTown(t)
	g := c.granted(t)
	if g.ResourceName != "示例" || g.ConsumerName != "示例局1" || g.ProviderName != "示例局0" || g.ClientName == "" {
		t.Errorf("the grant is of %q, %q, %q, %q", g.ResourceName, g.ConsumerName, g.ProviderName, g.ClientName)
	}
	r := must[sharing.Request](t, "reading the request")(c.svc.GetRequest(t.Context(), c.policeAdmin, g.RequestID))
	if r.ResourceName != g.ResourceName || r.ConsumerName != g.ConsumerName || r.ProviderName != g.ProviderName || r.ClientName != g.ClientName {
		t.Errorf("the request calls them otherwise: %+v", r)
	}
	if draft := c.draft(t); draft.ClientName != g.ClientName {
		t.Errorf("a new draft is of %q", draft.ClientName)
	}
	steps := must[[]sharing.RequestEntry](t, "reading the history")(c.svc.RequestHistory(t.Context(), c.policeAdmin, r.ID))
	for _, s := range steps {
		if s.ActorName != "示例" {
			t.Errorf("%s was done by %q", s.Step, s.ActorName)
		}
	}
}

// Who suspended a grant is told, and what the authority suspended is offered to nobody else to resume.
func TestSuspendedBy(t *testing.T) {
	t.Parallel()
	c := newTown(t)
	g := c.granted(t)
	for _, by := range []struct {
		who            func() (sharing.Grant, error)
		want           sharing.SuspendedBy
		providerOffers bool
	}{
		{func() (sharing.Grant, error) {
			return c.svc.SuspendGrant(t.Context(), c.policeAdmin, g.ID, 0, "核查")
		}, sharing.ByProvider, true},
		{func() (sharing.Grant, error) { return c.svc.SuspendGrant(t.Context(), c.operator, g.ID, 0, "监督") }, sharing.ByAuthority, false},
	} {
		moved := must[sharing.Grant](t, "suspending")(by.who())
		read := must[sharing.Grant](t, "reading")(c.svc.GetGrant(t.Context(), c.policeAdmin, g.ID))
		if moved.SuspendedBy != by.want || read.SuspendedBy != by.want {
			t.Errorf("got %q and %q, want %q", moved.SuspendedBy, read.SuspendedBy, by.want)
		}
		if got := slices.Contains(c.svc.PossibleGrantSteps(c.policeAdmin, read), sharing.GrantResume); got != by.providerOffers {
			t.Errorf("suspended by %s: the provider is offered to resume: %t", by.want, got)
		}
		if !slices.Contains(c.svc.PossibleGrantSteps(c.operator, read), sharing.GrantResume) {
			t.Errorf("suspended by %s: the authority is not offered to resume", by.want)
		}
		resumed := must[sharing.Grant](t, "resuming")(c.svc.ResumeGrant(t.Context(), c.operator, g.ID, 0, "完毕"))
		if resumed.SuspendedBy != "" {
			t.Errorf("a grant in force is suspended by %q", resumed.SuspendedBy)
		}
	}
	// What is over is resumed by nobody.
	g = must[sharing.Grant](t, "suspending")(c.svc.SuspendGrant(t.Context(), c.policeAdmin, g.ID, 0, "核查"))
	g.ValidTo = time.Now().Add(-time.Hour)
	if slices.Contains(c.svc.PossibleGrantSteps(c.operator, g), sharing.GrantResume) {
		t.Error("a grant whose period is over is offered to be resumed")
	}
}

// The preview of an approval is the grant that the approval makes, and refuses what the approval would refuse.
func TestPreviewIsTheGrant(t *testing.T) {
	t.Parallel()
	c := newTown(t)
	r := c.inReview(t)
	quota, rows := int64(10), 5
	conditions := sharing.Conditions{
		Items: []string{"citizen_id", "name"}, Masks: map[string]string{"name": "full"}, Lookup: []string{}, CaseRequired: true, Quota: &quota, RateRows: &rows,
		RowFilter: []byte(`{"op":"eq","item":"sex","value":"1"}`),
	}
	preview := must[sharing.Grant](t, "previewing")(c.svc.PreviewApproval(t.Context(), c.policeAdmin, r.ID, conditions))
	if n := c.count(t, "SELECT count(*) FROM sharing_grant"); n != 0 {
		t.Fatalf("a preview made %d grants", n)
	}
	wide := int64(1001)
	_, err := c.svc.PreviewApproval(t.Context(), c.policeAdmin, r.ID, sharing.Conditions{Quota: &wide})
	wantCode(t, "a wider quota", err, fault.Invalid, "invalid")
	_, err = c.svc.PreviewApproval(t.Context(), c.socialAdmin, r.ID, conditions)
	wantCode(t, "a preview for the consumer", err, fault.Forbidden, "forbidden")
	r = must[sharing.Request](t, "approving")(c.svc.Approve(t.Context(), c.policeAdmin, r.ID, 0, conditions))
	got := must[sharing.Grant](t, "reading")(c.svc.GetGrant(t.Context(), c.policeAdmin, r.GrantID))
	if diff := cmp.Diff(preview, got, cmpopts.IgnoreFields(sharing.Grant{}, "ID", "ValidFrom", "CreatedAt", "UpdatedAt", "RowFilter")); diff != "" {
		t.Errorf("the grant is not what was shown (-shown +made):\n%s", diff)
	}
}

// Use by day is what the records of use add up to, in days of Shanghai, and is for both departments and the authority.
func TestGrantUse(t *testing.T) {
	t.Parallel()
	c := newTown(t)
	g := c.granted(t)
	zone := time.FixedZone("", 8*3600)
	y, m, d := time.Now().In(zone).Date()
	today := time.Date(y, m, d, 0, 0, 0, 0, zone)
	for _, u := range []struct {
		at          time.Time
		rows, ahead int64
		state       string
	}{
		{today.Add(-time.Second), 7, 0, "done"},
		{today, 10, 0, "done"},
		{today.Add(time.Millisecond), 0, 500, "opened"},
		{today.AddDate(0, 0, -1), 3, 0, "interrupted"},
		{today.AddDate(0, 0, -3), 100, 0, "done"},
	} {
		c.exec(t, c.db, `INSERT INTO usage (id, at, grant_id, terms_version, client_id, resource_id, mode, state, rows, reserved_rows, items, policy_n, rule_id)
			VALUES ($1, $2, $3, 1, $4, $5, 'rows', $6, $7, $8, '{1}', 1, 'x')`, db.NewID(), u.at, g.ID, g.ClientID, g.ResourceID, u.state, u.rows, u.ahead)
	}
	c.exec(t, c.db, `INSERT INTO quota_use VALUES ($1, 'total', 42)`, g.ID)
	want := []sharing.UseDay{
		{Day: today.AddDate(0, 0, -2)}, {Day: today.AddDate(0, 0, -1), Calls: 2, Rows: 10}, {Day: today, Calls: 2, Rows: 510},
	}
	for name, p := range map[string]struct{ ok bool }{"provider": {true}, "consumer": {true}, "authority": {true}, "another": {false}} {
		who := c.policeAdmin
		switch name {
		case "consumer":
			who = c.socialOperator
		case "authority":
			who = c.operator
		case "another":
			who = c.civilAdmin
		}
		use, err := c.svc.GrantUse(t.Context(), who, g.ID, 3)
		if !p.ok {
			wantCode(t, name, err, fault.NotFound, "not_found")
			continue
		}
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if diff := cmp.Diff(want, use.Days); diff != "" || use.Used != 42 || use.LastAt == nil || !use.LastAt.Equal(today.Add(time.Millisecond)) {
			t.Errorf("%s: used %d, last at %v\n%s", name, use.Used, use.LastAt, diff)
		}
	}
}

// A suspension says since when every node refuses: not before the last one that is alive has said so.
func TestRefusal(t *testing.T) {
	t.Parallel()
	c := newTown(t)
	g := c.granted(t)
	if _, err := c.svc.GrantRefusal(t.Context(), c.policeAdmin, g.ID); !fault.Is(err, fault.NotFound) {
		t.Errorf("a grant in force is refused: %v", err)
	}
	// Another node that is alive, one that fell silent, and one that only works.
	for _, n := range []struct {
		role    string
		silence time.Duration
	}{{"all", 0}, {"all", time.Minute}, {"worker", 0}} {
		c.exec(t, c.db, `INSERT INTO node (node_id, incarnation, role, started_at, seen_at) VALUES ($1, $1, $2, now() - interval '1 hour', now() - $3::interval)`,
			uuid.New(), n.role, n.silence)
	}
	g = must[sharing.Grant](t, "suspending")(c.svc.SuspendGrant(t.Context(), c.policeAdmin, g.ID, 0, "核查"))
	c.sync(t)
	if err := c.svc.NoteRefusals(t.Context()); err != nil {
		t.Fatalf("noting refusals: %v", err)
	}
	read := func() sharing.Refusal {
		return must[sharing.Refusal](t, "reading")(c.svc.GrantRefusal(t.Context(), c.socialOperator, g.ID))
	}
	if r := read(); r.RefusedAt != nil || r.Nodes != 1 || r.Waiting != 1 {
		t.Errorf("with one node outstanding: %+v", r)
	}
	c.exec(t, c.db, `INSERT INTO grant_refusal SELECT $1, $2, incarnation, $3 FROM node WHERE role = 'all' AND seen_at > now() - interval '8 seconds'`,
		g.ID, g.RowVersion, g.UpdatedAt.Add(time.Hour))
	r := read()
	if r.Nodes != 2 || r.Waiting != 0 || r.RefusedAt == nil || !r.RefusedAt.Equal(g.UpdatedAt.Add(time.Hour)) {
		t.Errorf("when all have said so: %+v", r)
	}
	// Nothing is written where nothing was stopped.
	must[sharing.Grant](t, "resuming")(c.svc.ResumeGrant(t.Context(), c.policeAdmin, g.ID, 0, "完毕"))
	c.sync(t)
	if err := c.svc.NoteRefusals(t.Context()); err != nil {
		t.Fatalf("noting refusals: %v", err)
	}
	if n := c.count(t, "SELECT count(*) FROM grant_refusal"); n != 2 {
		t.Errorf("a resumed grant is refused: %d records", n)
	}
}

// Lists of grants are narrowed by text, by department and by what ends soon.
func TestGrantFilters(t *testing.T) {
	t.Parallel()
	c := newTown(t)
	long := c.granted(t)
	soon := c.granted(t, func(a *sharing.Application) { a.Purpose, a.ValidUntil = "soon", time.Now().AddDate(0, 0, 5) })
	for name, x := range map[string]struct {
		filter sharing.GrantFilter
		want   int
	}{
		"all":                     {sharing.GrantFilter{}, 2},
		"by the resource":         {sharing.GrantFilter{Text: "示例"}, 2},
		"by the client":           {sharing.GrantFilter{Text: long.ClientName}, 2},
		"by a word of neither":    {sharing.GrantFilter{Text: "%"}, 0},
		"of a department":         {sharing.GrantFilter{ConsumerDeptID: c.social}, 2},
		"of another department":   {sharing.GrantFilter{ConsumerDeptID: c.civil}, 0},
		"that end within a month": {sharing.GrantFilter{ExpiresWithin: 30 * 24 * time.Hour}, 1},
	} {
		all, _, err := c.svc.ListGrants(t.Context(), c.policeAdmin, x.filter, db.Page{})
		if err != nil || len(all) != x.want {
			t.Errorf("%s: %d grants, %v, want %d", name, len(all), err, x.want)
		}
		if name == "that end within a month" && len(all) == 1 && all[0].ID != soon.ID {
			t.Errorf("%s ends soon", all[0].ID)
		}
	}
}
