package sharing_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/audit"
	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/authz/authztest"
	"github.com/shuqiao/shuqiao/catalog"
	"github.com/shuqiao/shuqiao/catalog/calendar"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
	"github.com/shuqiao/shuqiao/internal/pgtest"
	"github.com/shuqiao/shuqiao/internal/secret"
	"github.com/shuqiao/shuqiao/sharing"
)

// node is one node of the hub: a database handle with its own follower, enforcer and service.
type node struct {
	db        *db.DB
	follower  *authz.Follower
	svc       *sharing.Service
	directory *catalog.Service
}

// startNode runs a node until the test ends and returns when it may decide.
func startNode(t testing.TB, d *db.DB, keyring *secret.Keyring) *node {
	t.Helper()
	return startNodeWith(t, d, keyring, 0)
}

// startNodeWith is startNode with a bound on what decisions remember.
func startNodeWith(t testing.TB, d *db.DB, keyring *secret.Keyring, cache int) *node {
	t.Helper()
	follower, err := authz.NewFollower(t.Context(), authz.FollowerOptions{DB: d})
	if err != nil {
		t.Fatalf("making a follower: %v", err)
	}
	enforcer, err := authz.NewEnforcer(t.Context(), authz.Options{DB: d, Follower: follower})
	if err != nil {
		t.Fatalf("making an enforcer: %v", err)
	}
	days, err := calendar.NewHeld()
	if err != nil {
		t.Fatalf("reading the calendar: %v", err)
	}
	directory, err := catalog.New(catalog.Options{DB: d, Enforcer: enforcer, Keyring: keyring, Calendar: days})
	if err != nil {
		t.Fatalf("making a directory: %v", err)
	}
	svc := sharing.New(sharing.Options{DB: d, Enforcer: enforcer, Catalog: directory, Keyring: keyring, Calendar: days, Cache: cache})
	directory.OnCalendar(svc.CountAgainTx)
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = follower.Run(ctx)
	}()
	t.Cleanup(func() { cancel(); <-done })
	for range 10 {
		if follower.Wait(t.Context()) == nil {
			return &node{d, follower, svc, directory}
		}
	}
	t.Fatal("the node never became able to decide")
	return nil
}

func open(t testing.TB, opt db.Options) *db.DB {
	t.Helper()
	opt.ApplicationName, opt.MaxConns = "test", 8
	d, err := db.Open(t.Context(), opt)
	if err != nil {
		t.Fatalf("opening the test database: %v", err)
	}
	t.Cleanup(d.Close)
	return d
}

// town is a hub with a provider (police), two consumers (social, civil) and the authority (bureau), their people, one
// client each for the consumers, and three published resources of the police.
type town struct {
	*node
	url     string
	keyring *secret.Keyring

	police, social, civil, bureau                           uuid.UUID
	policeAdmin, policeOperator                             authz.Principal
	socialAdmin, socialOperator, civilAdmin, civilOperator  authz.Principal
	operator, auditor                                       authz.Principal
	socialClient, civilClient                               authz.Principal
	population, streets, withheld                           uuid.UUID
	itemID, itemName, itemSex, itemDivision, itemBirth, top int
}

func newTown(t testing.TB) *town {
	t.Helper()
	c := &town{url: pgtest.URL(t)}
	d := open(t, db.Options{URL: c.url})
	keyring, err := secret.OpenKeyring(t.TempDir())
	if err != nil {
		t.Fatalf("making a key ring: %v", err)
	}
	c.keyring = keyring
	for i, dept := range []*uuid.UUID{&c.police, &c.social, &c.civil, &c.bureau} {
		*dept = db.NewID()
		c.exec(t, d, `INSERT INTO department (id, uscc, name, division_code, level, authority, created_at, updated_at)
			VALUES ($1, $2, $3, '330600', 'city', $4, now(), now())`, *dept, fmt.Sprintf("QQ%016d", i), fmt.Sprintf("示例局%d", i), i == 3)
	}
	for _, u := range []struct {
		p     *authz.Principal
		dept  uuid.UUID
		roles []authz.Role
	}{
		{&c.policeAdmin, c.police, []authz.Role{authz.DeptAdmin}},
		{&c.policeOperator, c.police, []authz.Role{authz.DeptOperator}},
		{&c.socialAdmin, c.social, []authz.Role{authz.DeptAdmin}},
		{&c.socialOperator, c.social, []authz.Role{authz.DeptOperator}},
		{&c.civilAdmin, c.civil, []authz.Role{authz.DeptAdmin}},
		{&c.civilOperator, c.civil, []authz.Role{authz.DeptOperator}},
		{&c.operator, c.bureau, []authz.Role{authz.PlatformOperator}},
		{&c.auditor, c.bureau, []authz.Role{authz.Auditor}},
	} {
		*u.p = c.person(t, d, u.dept, u.roles...)
	}
	c.socialClient, c.civilClient = c.client(t, d, c.social), c.client(t, d, c.civil)
	c.itemID, c.itemName, c.itemSex, c.itemDivision, c.itemBirth, c.top = 1, 2, 3, 4, 5, 8
	c.population = c.resource(t, d, "101001001/000001", "conditional", population())
	c.streets = c.resource(t, d, "101001001/000002", "unconditional", []catalog.Item{
		{No: 1, Identifier: "street_code", DataType: "C", Length: 12, Key: true, Filterable: true, ShareType: catalog.Unconditional, Grade: catalog.L1},
		{No: 2, Identifier: "street_name", DataType: "C", Length: 50, ShareType: catalog.Unconditional, Grade: catalog.L1},
	})
	c.withheld = c.resource(t, d, "101001001/000003", "withheld", []catalog.Item{
		{No: 1, Identifier: "case_no", DataType: "C", Length: 12, Key: true, ShareType: catalog.Withheld, Grade: catalog.L4},
	})
	c.node = startNode(t, d, keyring)
	return c
}

// population has masked and clear, filterable and other, conditional, unconditional and withheld items.
func population() []catalog.Item {
	conditional := func(no int, identifier string, letter catalog.DataType, grade catalog.Grade, rule string) catalog.Item {
		return catalog.Item{
			No: no, Identifier: identifier, DataType: letter, Length: 18, ShareType: catalog.Conditional, Grade: grade, MaskRule: rule,
		}
	}
	items := []catalog.Item{
		conditional(1, "citizen_id", "C", catalog.L3, "id_card"),
		conditional(2, "name", "C", catalog.L3, "name"),
		conditional(3, "sex", "C", catalog.L2, "none"),
		conditional(4, "domicile_division_code", "C", catalog.L2, ""),
		conditional(5, "birth_date", "D", catalog.L3, "date_year"),
		conditional(6, "remark", "M", catalog.L2, ""),
		{No: 7, Identifier: "police_note", DataType: "M", ShareType: catalog.Withheld, Grade: catalog.L4},
		{No: 8, Identifier: "county_name", DataType: "C", Length: 50, ShareType: catalog.Unconditional, Grade: catalog.L1},
	}
	items[0].Key, items[0].Required, items[0].Filterable = true, true, true
	items[2].Filterable, items[3].Filterable, items[4].Filterable = true, true, true
	return items
}

func (c *town) exec(t testing.TB, d *db.DB, sql string, args ...any) {
	t.Helper()
	if _, err := d.Pool.Exec(t.Context(), sql, args...); err != nil {
		t.Fatalf("preparing the town: %v", err)
	}
}

func (c *town) person(t testing.TB, d *db.DB, dept uuid.UUID, roles ...authz.Role) authz.Principal {
	t.Helper()
	id := db.NewID()
	names := make([]string, len(roles))
	for i, r := range roles {
		names[i] = string(r)
	}
	c.exec(t, d, `INSERT INTO hub_user (id, username, display_name, password_hash, department_id, roles, state, created_at, updated_at)
		VALUES ($1, $2, '示例', '', $3, $4, 'active', now(), now())`, id, "u"+id.String(), dept, names)
	return authz.Principal{Kind: audit.ActorUser, ID: id, Name: "test", Department: dept, Roles: roles}
}

func (c *town) client(t testing.TB, d *db.DB, dept uuid.UUID) authz.Principal {
	t.Helper()
	id := db.NewID()
	c.exec(t, d, `INSERT INTO client (id, department_id, name, state, created_at, updated_at)
		VALUES ($1, $2, $3, 'active', now(), now())`, id, dept, "示例系统"+id.String())
	return authz.Principal{Kind: audit.ActorClient, ID: id, Department: dept, Roles: []authz.Role{authz.ClientRole}}
}

// resource publishes an entry of the police with these items.
func (c *town) resource(t testing.TB, d *db.DB, code, share string, items []catalog.Item) uuid.UUID {
	t.Helper()
	id, grade := db.NewID(), catalog.L1
	for _, i := range items {
		grade = max(grade, i.Grade)
	}
	c.exec(t, d, `INSERT INTO resource (id, code, provider_dept_id, name, state, newest, published, next_item_no, created_by, created_at, updated_at)
		VALUES ($1, $2, $3, $4, 'published', 1, 1, 100, $5, now(), now())`, id, code, c.police, "示例资源 "+code, c.policeOperator.ID)
	c.version(t, d, id, 1, share, string(grade), items)
	return id
}

func (c *town) version(t testing.TB, d *db.DB, id uuid.UUID, number int, share, grade string, items []catalog.Item) {
	t.Helper()
	c.exec(t, d, `INSERT INTO resource_version (resource_id, version, state, name, summary, share_type, grade, body, made_by, created_at, updated_at)
		VALUES ($1, $2, 'published', '示例', '示例', $3, $4, '{"share_methods": ["table", "api"]}', $5, now(), now())`,
		id, number, share, grade, c.policeOperator.ID)
	for i, item := range items {
		c.exec(t, d, `INSERT INTO item (resource_id, version, no, id, ordinal, name, identifier, data_type, length, is_key, required,
				filterable, share_type, grade, mask_rule)
			VALUES ($1, $2, $3, $4, $5, $6, $6, $7, $8, $9, $10, $11, $12, $13, $14)`,
			id, number, item.No, db.NewID(), i+1, item.Identifier, string(item.DataType), item.Length, item.Key, item.Required,
			item.Filterable, string(item.ShareType), string(item.Grade), item.MaskRule)
	}
}

// change makes a change with its policy entry, as other rooms do.
func (c *town) change(t testing.TB, kind authz.Kind, id uuid.UUID, sql string, args ...any) {
	t.Helper()
	err := c.db.InTx(t.Context(), func(tx *db.Tx) error {
		if _, err := tx.Exec(t.Context(), sql, args...); err != nil {
			return err
		}
		return authz.LogTx(tx, kind, id.String())
	})
	if err != nil {
		t.Fatalf("changing: %v", err)
	}
	c.sync(t)
}

// sync waits until the node has applied everything committed so far.
func (n *node) sync(t testing.TB) {
	t.Helper()
	if err := authztest.Sync(t.Context(), n.follower); err != nil {
		t.Fatalf("waiting for the policy: %v", err)
	}
}

// consent records the police's standing consent for a resource.
func (c *town) consent(t testing.TB, id uuid.UUID) {
	t.Helper()
	c.exec(t, c.db, `UPDATE resource SET standing_consent = $2 WHERE id = $1`, id,
		`{"by":"示例","date":"2026-01-05","document":"示共享〔2026〕1号","recorder":"`+c.policeAdmin.ID.String()+`"}`)
}

// application is a good request for population by social's client; edit alters it.
func (c *town) application(edit ...func(*sharing.Application)) sharing.Application {
	a := sharing.Application{ClientID: c.socialClient.ID, ResourceID: c.population, Terms: sharing.Terms{
		Items:        []string{"name", "citizen_id", "sex", "birth_date"},
		RowFilter:    []byte(`{"op":"eq","item":"domicile_division_code","value":"330602"}`),
		Lookup:       []string{"citizen_id"},
		ShareMethods: []catalog.ShareMethod{catalog.ByAPI},
		LegalBasis:   "社会保险法 第五十八条", Scenario: "待遇资格认证", Purpose: "pension-check", PurposeText: "核验待遇资格",
		ValidUntil: time.Now().AddDate(1, 0, 0), Quota: 1000, RateRows: 2000,
	}}
	for _, e := range edit {
		e(&a)
	}
	return a
}

// forStreets asks for the unconditional resource.
func (c *town) forStreets(a *sharing.Application) {
	a.ResourceID, a.Items, a.RowFilter, a.Lookup, a.Quota = c.streets, []string{"street_code", "street_name"}, nil, nil, 0
}

func must[T any](t testing.TB, what string) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		return v
	}
}

// draft makes a request of social.
func (c *town) draft(t testing.TB, edit ...func(*sharing.Application)) sharing.Request {
	t.Helper()
	return must[sharing.Request](t, "drafting")(c.svc.CreateRequest(t.Context(), c.socialOperator, c.application(edit...)))
}

// signed brings a request to pending_acceptance, or further under a standing consent.
func (c *town) signed(t testing.TB, edit ...func(*sharing.Application)) sharing.Request {
	t.Helper()
	r := c.draft(t, edit...)
	r = must[sharing.Request](t, "submitting")(c.svc.Submit(t.Context(), c.socialOperator, r.ID, r.RowVersion))
	return must[sharing.Request](t, "signing")(c.svc.Sign(t.Context(), c.socialAdmin, r.ID, r.RowVersion, ""))
}

// inReview brings a request to the provider.
func (c *town) inReview(t testing.TB, edit ...func(*sharing.Application)) sharing.Request {
	t.Helper()
	r := c.signed(t, edit...)
	return must[sharing.Request](t, "accepting")(c.svc.Accept(t.Context(), c.operator, r.ID, 0, ""))
}

// granted brings a request to its grant and waits until the node knows.
func (c *town) granted(t testing.TB, edit ...func(*sharing.Application)) sharing.Grant {
	t.Helper()
	r := c.inReview(t, edit...)
	r = must[sharing.Request](t, "approving")(c.svc.Approve(t.Context(), c.policeAdmin, r.ID, 0, sharing.Conditions{}))
	c.sync(t)
	return must[sharing.Grant](t, "reading the grant")(c.svc.GetGrant(t.Context(), c.policeAdmin, r.GrantID))
}

func wantCode(t testing.TB, what string, err error, kind fault.Kind, code string) {
	t.Helper()
	if fault.KindOf(err) != kind || fault.CodeOf(err) != code {
		t.Errorf("%s: got %v (%s), want %s %s", what, err, fault.KindOf(err), kind, code)
	}
}

func (c *town) count(t testing.TB, sql string, args ...any) int64 {
	t.Helper()
	var n int64
	if err := c.db.Pool.QueryRow(t.Context(), sql, args...).Scan(&n); err != nil {
		t.Fatalf("counting: %v", err)
	}
	return n
}
