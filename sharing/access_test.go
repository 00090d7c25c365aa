package sharing_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/catalog"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
	"github.com/shuqiao/shuqiao/sharing"
)

// access asks who can see a resource as the auditor.
func (c *town) access(t testing.TB, id uuid.UUID, q sharing.AccessQuery) sharing.AccessReport {
	t.Helper()
	return must[sharing.AccessReport](t, "asking who can see a resource")(c.svc.ResourceAccess(t.Context(), c.auditor, id, q))
}

// One grant in force is the answer to who can see an item, with its mask, its grant and the rule; each way in which it does
// not hold is shown as such, and an item that it does not cover is nobody's.
func TestAccessSaysWhoAndWhy(t *testing.T) {
	t.Parallel()
	c := newTown(t)
	g := c.granted(t)
	got := c.access(t, c.population, sharing.AccessQuery{Item: "name"})
	if len(got.Data) != 1 || got.Past || got.PolicyN == 0 || got.NextCursor != "" {
		t.Fatalf("got %+v", got)
	}
	one := got.Data[0]
	want := sharing.Access{
		ClientID: c.socialClient.ID, Client: one.Client, DepartmentID: c.social, Department: "示例局1", ResourceID: c.population,
		Resource: "示例资源 101001001/000001", GrantID: g.ID, RequestID: g.RequestID, State: sharing.GrantActive, Purpose: g.Purpose,
		PurposeText: g.PurposeText, ValidFrom: g.ValidFrom, ValidTo: g.ValidTo, TermsVersion: 1,
		Items: []sharing.AccessItem{{Identifier: "name", Name: "name", Grade: catalog.L3, Mask: "name"}}, Sees: true,
		Ways: []sharing.Way{
			{Action: authz.DataPull, Allowed: true, RuleID: "client-pull-conditional"},
			{Action: authz.DataVerify, Allowed: true, RuleID: "client-verify-conditional"},
		},
	}
	if diff := cmp.Diff(want, one); diff != "" {
		t.Errorf("who sees the name (-want +got):\n%s", diff)
	}
	var people []string
	for _, p := range got.People {
		people = append(people, p.Username+" "+p.Way.RuleID)
	}
	if len(people) != 2 || got.People[0].Way.Action != authz.RejectRead {
		t.Errorf("people who open refused rows: got %v", people)
	}
	for _, item := range []string{"remark", "police_note"} {
		if got := c.access(t, c.population, sharing.AccessQuery{Item: item}); len(got.Data) != 0 {
			t.Errorf("%s: got %+v", item, got.Data)
		}
	}
	of := must[sharing.AccessReport](t, "asking what a client sees")(c.svc.ClientAccess(t.Context(), c.socialOperator, c.socialClient.ID, sharing.AccessQuery{}))
	if len(of.Data) != 1 || len(of.Data[0].Items) != 4 || of.Data[0].AllRows {
		t.Errorf("what the client sees: got %+v", of.Data)
	}

	change := func(kind authz.Kind, id uuid.UUID, sql string) func() {
		return func() { c.change(t, kind, id, sql, id) }
	}
	for _, tt := range []struct {
		name   string
		change func()
		reason string
		rule   string
	}{
		{"suspended", change(authz.KindGrant, g.ID, "UPDATE sharing_grant SET state = 'suspended' WHERE id = $1"), "grant_suspended", "client-pull-conditional"},
		{"terminated", change(authz.KindGrant, g.ID, "UPDATE sharing_grant SET state = 'terminated' WHERE id = $1"), "no_grant", "client-pull-conditional"},
		{"over, without any sweep", change(authz.KindGrant, g.ID, "UPDATE sharing_grant SET state = 'active', valid_to = now() WHERE id = $1"), "grant_expired", "client-pull-conditional"},
		{"in force again", change(authz.KindGrant, g.ID, "UPDATE sharing_grant SET valid_to = now() + interval '1 day' WHERE id = $1"), "", "client-pull-conditional"},
		{"client disabled", change(authz.KindClient, c.socialClient.ID, "UPDATE client SET state = 'disabled' WHERE id = $1"), "client_disabled", "client-pull-conditional"},
		{"client enabled, resource offline", func() {
			c.change(t, authz.KindClient, c.socialClient.ID, "UPDATE client SET state = 'active' WHERE id = $1", c.socialClient.ID)
			c.change(t, authz.KindResource, c.population, "UPDATE resource SET state = 'offline' WHERE id = $1", c.population)
		}, "resource_not_published", ""},
		{"the item is withheld now", func() {
			items := population()
			items[1].ShareType = catalog.Withheld
			c.version(t, c.db, c.population, 2, "conditional", "L4", items)
			c.change(t, authz.KindResource, c.population, "UPDATE resource SET state = 'published', published = 2 WHERE id = $1", c.population)
		}, "item_withheld", "client-pull-conditional"},
	} {
		tt.change()
		all := c.access(t, c.population, sharing.AccessQuery{Item: "name", Refused: true})
		if len(all.Data) != 1 || all.Data[0].Reason != tt.reason || all.Data[0].Sees != (tt.reason == "") || all.Data[0].Ways[0].RuleID != tt.rule {
			t.Errorf("%s: got %+v, want reason %q by rule %q", tt.name, all.Data, tt.reason, tt.rule)
		}
		if open := c.access(t, c.population, sharing.AccessQuery{Item: "name"}); len(open.Data) != len(all.Data) && tt.reason == "" || tt.reason != "" && len(open.Data) != 0 {
			t.Errorf("%s: those who see are %+v", tt.name, open.Data)
		}
	}
}

// Only the auditor, the security administrator and the own department may ask; each answer is evidence. Moments that are
// not known, and items that are not there, are refused.
func TestAccessIsForFewAndNoted(t *testing.T) {
	t.Parallel()
	c := newTown(t)
	ask := func(p authz.Principal, id uuid.UUID, q sharing.AccessQuery) error {
		_, err := c.svc.ResourceAccess(t.Context(), p, id, q)
		return err
	}
	askClient := func(p authz.Principal, id uuid.UUID) error {
		_, err := c.svc.ClientAccess(t.Context(), p, id, sharing.AccessQuery{})
		return err
	}
	for name, p := range map[string]authz.Principal{"auditor": c.auditor, "provider's admin": c.policeAdmin, "provider's operator": c.policeOperator} {
		if err := ask(p, c.population, sharing.AccessQuery{}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, p := range map[string]authz.Principal{"consumer": c.socialAdmin, "authority": c.operator, "client": c.socialClient} {
		wantCode(t, name, ask(p, c.population, sharing.AccessQuery{}), fault.Forbidden, "forbidden")
		wantCode(t, name+", a resource that is not there", ask(p, uuid.New(), sharing.AccessQuery{}), fault.Forbidden, "forbidden")
	}
	for name, p := range map[string]authz.Principal{"auditor": c.auditor, "own department": c.socialOperator} {
		if err := askClient(p, c.socialClient.ID); err != nil {
			t.Errorf("%s about a client: %v", name, err)
		}
	}
	wantCode(t, "another department about a client", askClient(c.policeAdmin, c.socialClient.ID), fault.Forbidden, "forbidden")
	wantCode(t, "no such client", askClient(c.auditor, uuid.New()), fault.NotFound, "not_found")
	wantCode(t, "no such resource", ask(c.auditor, uuid.New(), sharing.AccessQuery{}), fault.NotFound, "not_found")
	wantCode(t, "no such item", ask(c.auditor, c.population, sharing.AccessQuery{Item: "salary"}), fault.Invalid, "invalid")
	wantCode(t, "the future", ask(c.auditor, c.population, sharing.AccessQuery{At: time.Now().Add(time.Hour)}), fault.Invalid, "invalid")
	wantCode(t, "before the history", ask(c.auditor, c.population, sharing.AccessQuery{At: time.Now().AddDate(-1, 0, 0)}), fault.Gone, "before_history")
	wantCode(t, "a cursor of something else", ask(c.auditor, c.population, sharing.AccessQuery{Page: db.Page{Cursor: db.Next("x")}}), fault.Invalid, "cursor_invalid")
	if n := c.count(t, "SELECT count(*) FROM event WHERE action = 'access.read' AND outcome = 'ok'"); n != 5 {
		t.Errorf("got %d events of answers, want 5", n)
	}
}

// remembered is what was answered, and what Decide did, at a moment.
type remembered struct {
	what    string
	at      time.Time
	answers map[string]sharing.AccessReport
}

// Whatever happens to grants, clients, people, resources and rules: at each moment the answer agrees with what Decide
// decides, and later the answer for that moment is the one that was given then.
func TestAccessOfThePastIsWhatItWas(t *testing.T) {
	t.Parallel()
	c := newTown(t)
	rng := rand.New(rand.NewPCG(8, 9))
	grants := []sharing.Grant{c.granted(t), c.granted(t, c.forStreets)}
	versions := map[uuid.UUID]int{c.population: 1}
	pick := func(texts ...string) string { return texts[rng.IntN(len(texts))] }
	rules := []string{"client-pull-conditional", "client-pull-unconditional", "client-verify-conditional"}
	changes := []func() string{
		func() string {
			g, state := grants[rng.IntN(len(grants))], pick("active", "active", "suspended", "terminated", "expired", "pending_delivery")
			c.change(t, authz.KindGrant, g.ID, "UPDATE sharing_grant SET state = $2 WHERE id = $1", g.ID, state)
			return "grant " + state
		},
		func() string {
			g := grants[rng.IntN(len(grants))]
			c.change(t, authz.KindGrant, g.ID, "UPDATE sharing_grant SET items = $2, masks = $3, valid_to = now() + $4, terms_version = terms_version + 1 WHERE id = $1",
				g.ID, []int{1, 2}, map[string]string{"2": pick("name", "full")}, pick("1 day", "-1 hour", "2 days"))
			return "terms"
		},
		func() string {
			p, state := []authz.Principal{c.socialClient, c.civilClient}[rng.IntN(2)], pick("active", "active", "disabled")
			c.change(t, authz.KindClient, p.ID, "UPDATE client SET state = $2 WHERE id = $1", p.ID, state)
			return "client " + state
		},
		func() string {
			id, state := []uuid.UUID{c.population, c.streets}[rng.IntN(2)], pick("published", "published", "offline")
			c.change(t, authz.KindResource, id, "UPDATE resource SET state = $2 WHERE id = $1", id, state)
			return "resource " + state
		},
		func() string {
			items := population()
			items[rng.IntN(3)].ShareType = catalog.Withheld
			versions[c.population]++
			c.version(t, c.db, c.population, versions[c.population], "conditional", "L4", items)
			c.change(t, authz.KindResource, c.population, "UPDATE resource SET published = $2 WHERE id = $1", c.population, versions[c.population])
			return "new version"
		},
		func() string {
			id := rules[rng.IntN(len(rules))]
			c.change(t, authz.KindRule, c.population, `WITH gone AS (DELETE FROM policy_rule WHERE id = $2 RETURNING id)
				INSERT INTO policy_rule (id, role, action, share_type, state, granted, effect)
				SELECT $2, 'client', CASE WHEN $2 LIKE '%verify%' THEN 'data.verify' ELSE 'data.pull' END,
					CASE WHEN $2 LIKE '%-unconditional' THEN 'unconditional' ELSE 'conditional' END, 'published', 'yes', 'allow'
				WHERE NOT EXISTS (SELECT FROM gone) AND $1::uuid IS NOT NULL`, c.population, id)
			return "rule " + id
		},
		func() string {
			c.change(t, authz.KindUser, c.policeAdmin.ID, "UPDATE hub_user SET state = $2, roles = $3 WHERE id = $1", c.policeAdmin.ID,
				pick("active", "disabled"), []string{pick("dept_admin", "dept_operator", "platform_operator")})
			return "person"
		},
	}
	resources := []uuid.UUID{c.population, c.streets, c.withheld}
	answer := func(at time.Time) map[string]sharing.AccessReport {
		out := map[string]sharing.AccessReport{}
		for i, id := range resources {
			out[fmt.Sprint("resource ", i)] = c.access(t, id, sharing.AccessQuery{At: at, Refused: true})
			out[fmt.Sprint("seen ", i)] = c.access(t, id, sharing.AccessQuery{At: at})
		}
		for i, p := range []authz.Principal{c.socialClient, c.civilClient} {
			of, err := c.svc.ClientAccess(t.Context(), c.auditor, p.ID, sharing.AccessQuery{At: at, Refused: true})
			out[fmt.Sprint("client ", i)] = must[sharing.AccessReport](t, "asking about a client")(of, err)
		}
		for name, r := range out {
			r.At, r.Past, r.PolicyN = time.Time{}, false, 0
			out[name] = r
		}
		return out
	}
	var past []remembered
	for step := range 16 {
		done := []string{changes[step%len(changes)](), changes[rng.IntN(len(changes))]()}
		if step == 8 {
			c.change(t, authz.KindClient, c.socialClient.ID, "UPDATE client SET state = 'active' WHERE id = $1", c.socialClient.ID)
			c.change(t, authz.KindResource, c.streets, "UPDATE resource SET state = 'published' WHERE id = $1", c.streets)
			grants = append(grants, c.granted(t, c.forStreets, func(a *sharing.Application) { a.Purpose = "another-check" }))
		}
		now := c.access(t, c.population, sharing.AccessQuery{Refused: true})
		answers := answer(time.Time{})
		past = append(past, remembered{strings.Join(done, ", "), now.At, answers})
		for i := range resources {
			for _, a := range answers[fmt.Sprint("resource ", i)].Data {
				for _, way := range a.Ways {
					permit, err := c.svc.Decide(t.Context(), c.socialClient, sharing.Ask{
						Resource: a.ResourceID.String(), GrantID: a.GrantID, Purpose: a.Purpose, CaseNumber: "1", Action: way.Action,
					})
					// A grant of which nothing is left to see still permits calls; they carry no items.
					sees := err == nil && len(permit.Items()) > 0
					if sees != way.Allowed || sees && permit.Decision.RuleID() != way.RuleID {
						t.Fatalf("after %s: %s under %+v, but Decide says %v by %q", past[len(past)-1].what, way.Action, a, err, permit.Decision.RuleID())
					}
				}
			}
		}
	}
	for i, r := range past {
		if diff := cmp.Diff(r.answers, answer(r.at)); diff != "" {
			t.Fatalf("moment %d, after %s (-then +now):\n%s", i, r.what, diff)
		}
	}
}

// At 100,000 grants a page of the answer is found by indexes, for now and for the past, by resource and by client; pages
// follow each other without gap or repetition and stay at one moment.
func TestAccessPagesAmongManyGrants(t *testing.T) {
	t.Parallel()
	c := newTown(t)
	g := c.granted(t)
	var columns string
	err := c.db.Pool.QueryRow(t.Context(), `
		SELECT string_agg(CASE column_name
			WHEN 'id' THEN '(''00000000-0000-7000-8000-'' || lpad(to_hex(n), 12, ''0''))::uuid'
			WHEN 'request_id' THEN '(''00000000-0000-7000-8001-'' || lpad(to_hex(n), 12, ''0''))::uuid'
			WHEN 'client_id' THEN 'md5(''c'' || n % 1000 + 1)::uuid'
			WHEN 'resource_id' THEN 'CASE WHEN n % 50 = 0 THEN one.resource_id ELSE md5(''x'' || n % 2000)::uuid END'
			WHEN 'state' THEN 'CASE WHEN n % 4 = 0 THEN ''active'' ELSE ''terminated'' END'
			ELSE 'one.' || column_name END, ', ' ORDER BY ordinal_position)
		FROM information_schema.columns WHERE table_schema = 'public' AND table_name = 'sharing_grant'`).Scan(&columns)
	if err != nil {
		t.Fatal(err)
	}
	// Rows are written without their triggers, which would take most of the time of the test; so the history is written here.
	err = c.db.InTx(t.Context(), func(tx *db.Tx) error {
		for _, sql := range []string{
			"SET LOCAL session_replication_role = replica",
			`CREATE TEMP TABLE one ON COMMIT DROP AS SELECT * FROM sharing_grant`,
			`INSERT INTO client SELECT md5('c' || n)::uuid, department_id, 'client ' || n, allowed_networks, state, row_version, created_at, updated_at
				FROM client, generate_series(1, 1000) n WHERE id = (SELECT client_id FROM one)`,
			"INSERT INTO sharing_grant SELECT " + columns + " FROM one, generate_series(1, 100000) n",
			`INSERT INTO client_history (client_id, department_id, name, state, at) SELECT id, department_id, name, state, now() FROM client WHERE name LIKE 'client %'`,
			`INSERT INTO grant_history (grant_id, client_id, resource_id, body, at)
				SELECT id, client_id, resource_id, to_jsonb(g) - 'rid_key', now() FROM sharing_grant g WHERE id <> (SELECT id FROM one)
					AND (resource_id = (SELECT resource_id FROM one) OR id::text ~ '[0-3]$')`,
		} {
			if _, err := tx.Exec(t.Context(), sql); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatalf("writing many grants: %v", err)
	}
	c.exec(t, c.db, "ANALYZE sharing_grant, grant_history, client, client_history")

	for _, clients := range []bool{false, true} {
		id := c.population
		if clients {
			id = g.ClientID
		}
		for _, past := range []bool{false, true} {
			for _, refused := range []bool{false, true} {
				args := []any{id, uuid.Nil, 51, g.Items[:1]}
				if past {
					args = append(args, time.Now())
				}
				rows, err := c.db.Pool.Query(t.Context(), "EXPLAIN "+sharing.CandidatesSQL(clients, past, refused), args...)
				plan := must[[]string](t, "explaining")(pgx.CollectRows(rows, pgx.RowTo[string]))
				if err != nil || strings.Contains(strings.Join(plan, "\n"), "Seq Scan on sharing_grant") || strings.Contains(strings.Join(plan, "\n"), "Seq Scan on grant_history") {
					t.Errorf("of a client %v, past %v, refused %v: %v\n%s", clients, past, refused, err, strings.Join(plan, "\n"))
				}
			}
		}
	}

	seen, query := map[uuid.UUID]bool{}, sharing.AccessQuery{Page: db.Page{Limit: 300}}
	var at time.Time
	for pages := 0; ; pages++ {
		got := c.access(t, c.population, query)
		if pages == 0 {
			at = got.At
			// What is granted after the first page is no part of the answer.
			c.granted(t, func(a *sharing.Application) { a.Purpose = "later" })
		}
		for _, a := range got.Data {
			if seen[a.GrantID] || a.Purpose != g.Purpose {
				t.Fatalf("page %d holds %+v", pages, a)
			}
			seen[a.GrantID] = true
		}
		if !got.At.Equal(at) || got.Past != (pages > 0) || (len(got.People) > 0) != (pages == 0) {
			t.Fatalf("page %d is of %s, past %v, with %d people", pages, got.At, got.Past, len(got.People))
		}
		if query.Page.Cursor = got.NextCursor; got.NextCursor == "" {
			break
		}
	}
	// Every 100th is of the resource and active, and the one that was approved.
	if len(seen) != 1001 {
		t.Errorf("got %d grants on all pages, want 1001", len(seen))
	}
}
