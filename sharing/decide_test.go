package sharing_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/catalog"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
	"github.com/shuqiao/shuqiao/sharing"
)

func (c *town) decide(t testing.TB, edit ...func(*sharing.Ask)) (sharing.Permit, error) {
	t.Helper()
	ask := sharing.Ask{Resource: c.population.String(), Purpose: "pension-check", Action: authz.DataPull}
	for _, e := range edit {
		e(&ask)
	}
	return c.svc.Decide(t.Context(), c.socialClient, ask)
}

// One grant decides, and each way in which it does not hold has its own code.
func TestDecideCodes(t *testing.T) {
	t.Parallel()
	c := newTown(t)
	g := c.granted(t)
	const set = "UPDATE sharing_grant SET state = 'active', valid_from = now() - interval '1 hour', valid_to = now() + interval '1 hour', case_required = false WHERE id = $1"
	for _, tt := range []struct {
		name string
		set  string
		ask  func(*sharing.Ask)
		kind fault.Kind
		code string
	}{
		{"in force", "", nil, "", ""},
		{"by id", "", func(a *sharing.Ask) { a.GrantID = g.ID }, "", ""},
		{"by the resource's code", "", func(a *sharing.Ask) { a.Resource = "101001001-000001" }, "", ""},
		{"to verify", "", func(a *sharing.Ask) { a.Action = authz.DataVerify }, "", ""},
		{"unknown grant", "", func(a *sharing.Ask) { a.GrantID = uuid.New() }, fault.Forbidden, "no_grant"},
		{"unknown resource", "", func(a *sharing.Ask) { a.Resource = uuid.NewString() }, fault.Forbidden, "no_grant"},
		{"unknown code", "", func(a *sharing.Ask) { a.Resource = "999-1" }, fault.Forbidden, "no_grant"},
		{"hostile resource", "", func(a *sharing.Ask) { a.Resource = "'; DROP TABLE sharing_grant; --\x00" }, fault.Forbidden, "no_grant"},
		{"another resource", "", func(a *sharing.Ask) { a.Resource = c.streets.String() }, fault.Forbidden, "no_grant"},
		{"no purpose on sensitive items", "", func(a *sharing.Ask) { a.Purpose = "" }, fault.Forbidden, "purpose_required"},
		{"no purpose though the id is sent", "", func(a *sharing.Ask) { a.Purpose, a.GrantID = "", g.ID }, fault.Forbidden, "purpose_required"},
		{"foreign purpose", "", func(a *sharing.Ask) { a.Purpose = "marketing" }, fault.Forbidden, "purpose_mismatch"},
		{"foreign purpose though the id is sent", "", func(a *sharing.Ask) { a.Purpose, a.GrantID = "marketing", g.ID }, fault.Forbidden, "purpose_mismatch"},
		{"no case number", "case_required = true", nil, fault.Forbidden, "case_number_required"},
		{"a blank case number", "case_required = true", func(a *sharing.Ask) { a.CaseNumber = "  " }, fault.Forbidden, "case_number_required"},
		{"a case number", "case_required = true", func(a *sharing.Ask) { a.CaseNumber = "示2026-17" }, "", ""},
		{"suspended", "state = 'suspended'", nil, fault.Forbidden, "grant_suspended"},
		{"suspended, by id", "state = 'suspended'", func(a *sharing.Ask) { a.GrantID = g.ID }, fault.Forbidden, "grant_suspended"},
		{"expired by the sweep", "state = 'expired'", nil, fault.Forbidden, "grant_expired"},
		{"over, without any sweep", "valid_to = now()", nil, fault.Forbidden, "grant_expired"},
		{"over while suspended", "state = 'suspended', valid_to = now()", nil, fault.Forbidden, "grant_expired"},
		{"terminated", "state = 'terminated'", func(a *sharing.Ask) { a.GrantID = g.ID }, fault.Forbidden, "no_grant"},
		{"pending", "state = 'pending_delivery'", nil, fault.Forbidden, "no_grant"},
		{"closed", "state = 'closed'", nil, fault.Forbidden, "no_grant"},
		{"not yet begun", "valid_from = now() + interval '1 minute'", nil, fault.Forbidden, "no_grant"},
	} {
		c.exec(t, c.db, set, g.ID)
		if tt.set == "" {
			tt.set = "state = 'active'"
		}
		c.change(t, authz.KindGrant, g.ID, "UPDATE sharing_grant SET "+tt.set+" WHERE id = $1", g.ID)
		if tt.ask == nil {
			tt.ask = func(*sharing.Ask) {}
		}
		permit, err := c.decide(t, tt.ask)
		if tt.code == "" {
			if err != nil || permit.Grant.ID != g.ID {
				t.Errorf("%s: got %v", tt.name, err)
			}
			continue
		}
		wantCode(t, tt.name, err, tt.kind, tt.code)
		if permit.Decision.Allows(authz.DataPull) {
			t.Errorf("%s: the refusal carries a decision", tt.name)
		}
	}
}

// What the client or the resource has become decides as well, not only the grant.
func TestDecideFollowsClientAndResource(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		change func(*testing.T, *town)
		code   string
	}{
		"resource offline": {func(t *testing.T, c *town) {
			c.change(t, authz.KindResource, c.population, "UPDATE resource SET state = 'offline' WHERE id = $1", c.population)
		}, "forbidden"},
		"client disabled": {func(t *testing.T, c *town) {
			c.change(t, authz.KindClient, c.socialClient.ID, "UPDATE client SET state = 'disabled' WHERE id = $1", c.socialClient.ID)
		}, "no_grant"},
		"new version withholds every granted item": {func(t *testing.T, c *town) {
			items := population()
			for i := range items {
				items[i].ShareType = catalog.Withheld
			}
			c.version(t, c.db, c.population, 2, "withheld", "L4", items)
			c.change(t, authz.KindResource, c.population, "UPDATE resource SET published = 2 WHERE id = $1", c.population)
		}, "forbidden"},
		"rule taken away": {func(t *testing.T, c *town) {
			c.change(t, authz.KindRule, c.population, "DELETE FROM policy_rule WHERE id = 'client-pull-conditional' AND $1::uuid IS NOT NULL", c.population)
		}, "forbidden"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newTown(t)
			c.granted(t)
			permit, err := c.decide(t)
			if err != nil {
				t.Fatalf("before: %v", err)
			}
			tt.change(t, c)
			_, err = c.decide(t)
			wantCode(t, "deciding", err, fault.Forbidden, tt.code)
			if err := c.svc.Recheck(t.Context(), permit); err == nil {
				t.Error("a permit of before still holds")
			}
		})
	}
}

// An item that a new version withholds is not among the permit's items, whatever was granted, and a stream begun before
// has to start again.
func TestNewVersionNarrows(t *testing.T) {
	t.Parallel()
	c := newTown(t)
	c.granted(t)
	before := must[sharing.Permit](t, "deciding")(c.decide(t))
	items := population()
	items[1].ShareType = catalog.Withheld
	c.version(t, c.db, c.population, 2, "conditional", "L4", items)
	c.change(t, authz.KindResource, c.population, "UPDATE resource SET published = 2 WHERE id = $1", c.population)
	wantCode(t, "rechecking", c.svc.Recheck(t.Context(), before), fault.Conflict, "terms_changed")
	after := must[sharing.Permit](t, "deciding")(c.decide(t))
	for _, i := range after.Items() {
		if i.No == c.itemName {
			t.Error("the withheld item is still served")
		}
	}
	if len(after.Items()) != 3 {
		t.Errorf("got %d items, want 3", len(after.Items()))
	}
}

// Several grants in force are never joined: without a name the caller is told to choose, a purpose or an id chooses, and
// one that is over does not compete.
func TestDecideAmongSeveral(t *testing.T) {
	t.Parallel()
	c := newTown(t)
	street := func(purpose string) sharing.Grant {
		return c.granted(t, c.forStreets, func(a *sharing.Application) { a.Purpose = purpose })
	}
	one, two := street("mail"), street("survey")
	decide := func(edit func(*sharing.Ask)) (sharing.Permit, error) {
		return c.decide(t, func(a *sharing.Ask) { a.Resource, a.Purpose = c.streets.String(), "" }, edit)
	}
	_, err := decide(func(*sharing.Ask) {})
	wantCode(t, "nothing named", err, fault.Conflict, "grant_ambiguous")
	for _, tt := range []struct {
		name string
		edit func(*sharing.Ask)
		want uuid.UUID
	}{
		{"the purpose of the first", func(a *sharing.Ask) { a.Purpose = "mail" }, one.ID},
		{"the purpose of the second", func(a *sharing.Ask) { a.Purpose = "survey" }, two.ID},
		{"the id of the second", func(a *sharing.Ask) { a.GrantID = two.ID }, two.ID},
	} {
		permit, err := decide(tt.edit)
		if err != nil || permit.Grant.ID != tt.want {
			t.Errorf("%s: got %s, %v", tt.name, permit.Grant.ID, err)
		}
	}
	must[sharing.Grant](t, "suspending")(c.svc.SuspendGrant(t.Context(), c.policeAdmin, two.ID, 0, "检查"))
	c.sync(t)
	_, err = decide(func(*sharing.Ask) {})
	wantCode(t, "one of two suspended", err, fault.Conflict, "grant_ambiguous")
	c.change(t, authz.KindGrant, two.ID, "UPDATE sharing_grant SET valid_to = now() WHERE id = $1", two.ID)
	if permit, err := decide(func(*sharing.Ask) {}); err != nil || permit.Grant.ID != one.ID {
		t.Errorf("one of two over: got %s, %v", permit.Grant.ID, err)
	}
}

// Another department's client gets nothing from a grant, not even by its id.
func TestDecideIsolation(t *testing.T) {
	t.Parallel()
	c := newTown(t)
	g := c.granted(t)
	for name, client := range map[string]authz.Principal{
		"another department's client":              c.civilClient,
		"another client of the same department":    c.client(t, c.db, c.social),
		"the client's id under another department": {Kind: c.socialClient.Kind, ID: c.socialClient.ID, Department: c.civil, Roles: c.socialClient.Roles},
	} {
		_, err := c.svc.Decide(t.Context(), client, sharing.Ask{Resource: c.population.String(), GrantID: g.ID, Purpose: g.Purpose, Action: authz.DataPull})
		wantCode(t, name, err, fault.Forbidden, "no_grant")
	}
	_, err := c.svc.Decide(t.Context(), c.socialAdmin, sharing.Ask{Resource: c.population.String(), GrantID: g.ID, Purpose: g.Purpose, Action: authz.DataPull})
	wantCode(t, "a person", err, fault.Forbidden, "no_grant")
}

// A suspension on one node is refused by every node within a second of its commit, for new calls and for permits in use,
// and a resumption is seen as well.
func TestSuspensionReachesEveryNode(t *testing.T) {
	t.Parallel()
	c := newTown(t)
	g := c.granted(t)
	nodes := []*node{c.node, startNode(t, open(t, db.Options{URL: c.url}), c.keyring)}
	ask := sharing.Ask{Resource: c.population.String(), Purpose: g.Purpose, Action: authz.DataPull}
	for round := range 3 {
		permits := make([]sharing.Permit, len(nodes))
		for i, n := range nodes {
			permits[i] = must[sharing.Permit](t, "deciding")(n.svc.Decide(t.Context(), c.socialClient, ask))
		}
		must[sharing.Grant](t, "suspending")(c.svc.SuspendGrant(t.Context(), c.policeAdmin, g.ID, 0, "检查"))
		committed := time.Now()
		var wg sync.WaitGroup
		for i, n := range nodes {
			wg.Go(func() {
				var last time.Duration // The latest moment at which a call was still allowed.
				for time.Since(committed) < 1200*time.Millisecond {
					began := time.Since(committed)
					_, err := n.svc.Decide(t.Context(), c.socialClient, ask)
					if err == nil || n.svc.Recheck(t.Context(), permits[i]) == nil {
						last = began
						continue
					}
					if fault.CodeOf(err) != "grant_suspended" {
						t.Errorf("node %d: got %v", i, err)
					}
				}
				if last > time.Second {
					t.Errorf("round %d, node %d: still allowed %v after the commit", round, i, last)
				}
				wantCode(t, "the permit in use", n.svc.Recheck(t.Context(), permits[i]), fault.Forbidden, "grant_suspended")
			})
		}
		wg.Wait()
		must[sharing.Grant](t, "resuming")(c.svc.ResumeGrant(t.Context(), c.policeAdmin, g.ID, 0, ""))
		for i, n := range nodes {
			n.sync(t)
			if _, err := n.svc.Decide(t.Context(), c.socialClient, ask); err != nil {
				t.Errorf("node %d after resuming: %v", i, err)
			}
			if err := n.svc.Recheck(t.Context(), permits[i]); err != nil {
				t.Errorf("node %d, the old permit after resuming: %v", i, err)
			}
		}
	}
}

// A period ends by the database's time, in the midst of use, without any sweep or policy change.
func TestExpiryWithoutSweep(t *testing.T) {
	t.Parallel()
	c := newTown(t)
	g := c.granted(t)
	c.change(t, authz.KindGrant, g.ID, "UPDATE sharing_grant SET valid_to = clock_timestamp() + interval '800 milliseconds' WHERE id = $1", g.ID)
	permit := must[sharing.Permit](t, "deciding")(c.decide(t))
	if err := c.svc.Recheck(t.Context(), permit); err != nil {
		t.Fatalf("rechecking at once: %v", err)
	}
	deadline := time.Now().Add(5 * time.Second)
	for c.svc.Recheck(t.Context(), permit) == nil {
		if time.Now().After(deadline) {
			t.Fatal("the permit outlived its period")
		}
	}
	wantCode(t, "rechecking", c.svc.Recheck(t.Context(), permit), fault.Forbidden, "grant_expired")
	_, err := c.decide(t)
	wantCode(t, "deciding", err, fault.Forbidden, "grant_expired")
	if n := c.count(t, "SELECT count(*) FROM sharing_grant WHERE state = 'active'"); n != 1 {
		t.Errorf("got %d active rows, want 1: no sweep takes part", n)
	}
	// The node's estimate of the database's time may run ahead of it by the length of a poll.
	c.exec(t, c.db, "SELECT pg_sleep(greatest(0, extract(epoch FROM valid_to - clock_timestamp()))) FROM sharing_grant")
	if moved, err := c.svc.ExpireDue(t.Context()); moved != 1 || err != nil {
		t.Errorf("the sweep moved %d, %v", moved, err)
	}
}

// A change of the terms ends a stream begun under the old ones.
func TestTermsChanged(t *testing.T) {
	t.Parallel()
	c := newTown(t)
	g := c.granted(t)
	permit := must[sharing.Permit](t, "deciding")(c.decide(t))
	c.change(t, authz.KindGrant, g.ID, "UPDATE sharing_grant SET terms_version = terms_version + 1 WHERE id = $1", g.ID)
	wantCode(t, "rechecking", c.svc.Recheck(t.Context(), permit), fault.Conflict, "terms_changed")
}

// A node that cannot read the policy refuses within the lease, and says so.
func TestStaleNodeRefuses(t *testing.T) {
	t.Parallel()
	c := newTown(t)
	c.granted(t)
	lost := open(t, db.Options{URL: c.url})
	n := startNode(t, lost, c.keyring)
	ask := sharing.Ask{Resource: c.population.String(), Purpose: "pension-check", Action: authz.DataPull}
	permit := must[sharing.Permit](t, "deciding")(n.svc.Decide(t.Context(), c.socialClient, ask))
	// A log that cannot be followed: the follower's statement fails from here on.
	c.exec(t, c.db, "ALTER TABLE policy_log RENAME COLUMN kind TO kind_gone")
	deadline := time.Now().Add(3 * time.Second)
	for n.svc.Recheck(t.Context(), permit) == nil {
		if time.Now().After(deadline) {
			t.Fatal("the permit outlived the lease")
		}
	}
	wantCode(t, "rechecking", n.svc.Recheck(t.Context(), permit), fault.Unavailable, "policy_stale")
	_, err := n.svc.Decide(t.Context(), c.socialClient, ask)
	wantCode(t, "deciding", err, fault.Unavailable, "policy_stale")
}

// Refusals leave evidence, bounded.
func TestRefusalsAreNoted(t *testing.T) {
	t.Parallel()
	c := newTown(t)
	c.granted(t)
	for range 50 {
		_, _ = c.decide(t, func(a *sharing.Ask) { a.Purpose = "marketing" })
	}
	if n := c.count(t, "SELECT count(*) FROM event WHERE action = 'data.pull' AND outcome = 'denied'"); n < 1 || n > 20 {
		t.Errorf("got %d events for 50 refusals", n)
	}
}

// Decisions under a storm of suspensions never rest on a value older than what the node has applied.
func TestDecideUnderChange(t *testing.T) {
	t.Parallel()
	c := newTown(t)
	g := c.granted(t)
	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for ctx.Err() == nil {
				_, err := c.decide(t)
				if code := fault.CodeOf(err); err != nil && code != "grant_suspended" && code != "policy_stale" {
					t.Errorf("deciding: %v", err)
				}
			}
		})
	}
	for range 15 {
		must[sharing.Grant](t, "suspending")(c.svc.SuspendGrant(t.Context(), c.policeAdmin, g.ID, 0, "检查"))
		c.sync(t)
		_, err := c.decide(t)
		wantCode(t, "suspended", err, fault.Forbidden, "grant_suspended")
		must[sharing.Grant](t, "resuming")(c.svc.ResumeGrant(t.Context(), c.policeAdmin, g.ID, 0, ""))
		c.sync(t)
		if _, err := c.decide(t); err != nil {
			t.Errorf("resumed: %v", err)
		}
	}
	stop()
	wg.Wait()
}

// BenchmarkDecide is a decision whose facts are remembered; the aim is 5 µs.
func BenchmarkDecide(b *testing.B) {
	c := newTown(b)
	c.granted(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.decide(b); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkDecideMiss is a decision whose grant has to be read; the aim is 2 ms. The service remembers one pair of client and
// resource, and two take turns.
func BenchmarkDecideMiss(b *testing.B) {
	c := newTown(b)
	c.granted(b)
	c.granted(b, c.forStreets)
	forgetful := startNodeWith(b, open(b, db.Options{URL: c.url}), c.keyring, 1)
	asks := []sharing.Ask{
		{Resource: c.population.String(), Purpose: "pension-check", Action: authz.DataPull},
		{Resource: c.streets.String(), Action: authz.DataPull},
	}
	for i := 0; b.Loop(); i++ {
		if _, err := forgetful.svc.Decide(b.Context(), c.socialClient, asks[i%2]); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkRecheck is what each chunk of a stream pays.
func BenchmarkRecheck(b *testing.B) {
	c := newTown(b)
	c.granted(b)
	permit := must[sharing.Permit](b, "deciding")(c.decide(b))
	for b.Loop() {
		if err := c.svc.Recheck(b.Context(), permit); err != nil {
			b.Fatal(err)
		}
	}
}
