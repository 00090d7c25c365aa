package catalog_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/authz/authztest"
	"github.com/shuqiao/shuqiao/catalog"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// open marks an entry as open to the public under a condition.
func open(m catalog.Metadata) catalog.Metadata {
	m.Open, m.OpenCondition = true, "注明来源"
	return m
}

// nameAuthority makes the bureau the authority, as setting a hub up does.
func (b *testBundle) nameAuthority(t *testing.T) {
	t.Helper()
	if _, err := b.db.Pool.Exec(b.ctx, "UPDATE department SET authority = true WHERE id = $1", b.platform.Department); err != nil {
		t.Fatal(err)
	}
}

// inEveryState makes entries in every state, some of them open. It returns their ids, and of those that are open.
func (b *testBundle) inEveryState(t *testing.T) (all, opened []uuid.UUID) {
	t.Helper()
	b.nameAuthority(t)
	draft := func(name string, m func(catalog.Metadata) catalog.Metadata) catalog.Resource {
		r, err := b.service.CreateResource(b.ctx, b.operator, m(small(name)))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, r.ID)
		return r
	}
	move := func(_ catalog.Resource, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	s, ctx := b.service, b.ctx
	draft("示例草稿", open)
	inReview := draft("示例待部门审核", open)
	move(s.Submit(ctx, b.operator, inReview.ID, 0))
	returned := draft("示例退回", open)
	move(s.Submit(ctx, b.operator, returned.ID, 0))
	move(s.ReturnDept(ctx, b.admin, returned.ID, 0, "请补充"))
	platform := draft("示例待平台审核", open)
	move(s.Submit(ctx, b.operator, platform.ID, 0))
	move(s.Approve(ctx, b.admin, platform.ID, 0))
	closed := draft("示例不开放", func(m catalog.Metadata) catalog.Metadata { return m })
	b.review(t, closed.ID)
	for i := range 3 {
		r := draft(fmt.Sprintf("示例开放%d", i), open)
		b.review(t, r.ID)
		opened = append(opened, r.ID)
	}
	// A published entry with a draft beside it shows the published version.
	move(s.StartVersion(ctx, b.operator, opened[0], 0))

	for _, name := range []string{"示例下线", "示例撤销"} {
		r := draft(name, open)
		b.review(t, r.ID)
		move(s.TakeOffline(ctx, b.platform, r.ID, 0, "系统停用", offlineRequest))
		if name == "示例撤销" {
			move(s.Revoke(ctx, b.platform, r.ID, 0, "不再提供"))
		}
	}
	return all, opened
}

// dumped returns the lines of a dump by id.
func (b *testBundle) dumped(t *testing.T, p authz.Principal) (map[uuid.UUID]json.RawMessage, error) {
	t.Helper()
	var text bytes.Buffer
	n, err := b.service.Dump(b.ctx, p, &text)
	out := map[uuid.UUID]json.RawMessage{}
	for _, line := range bytes.Split(bytes.TrimSpace(text.Bytes()), []byte("\n")) {
		if len(line) == 0 {
			continue
		}
		var r struct{ ID uuid.UUID }
		if err := json.Unmarshal(line, &r); err != nil {
			t.Fatalf("a line is no JSON: %v", err)
		}
		out[r.ID] = line
	}
	if n != len(out) {
		t.Fatalf("wrote %d entries, said %d", len(out), n)
	}
	return out, err
}

// openIDs walks the open directory in pages of n.
func openIDs(ctx context.Context, s *catalog.Service, p authz.Principal, n int) (ids []uuid.UUID, err error) {
	for cursor := ""; ; {
		page, err := s.OpenEntries(ctx, p, db.Page{Limit: n, Cursor: cursor})
		if err != nil {
			return nil, err
		}
		for _, e := range page.Entries {
			ids = append(ids, e.ID)
		}
		if cursor = page.Next; cursor == "" {
			return ids, nil
		}
	}
}

// For random callers the dump holds exactly the entries that the enforcer lets them read, each as reading it alone answers;
// and the open directory exactly those among them that are published and open.
func TestDoorsShowWhatMayBeRead(t *testing.T) {
	t.Parallel()
	b := setup(t)
	all, opened := b.inEveryState(t)
	random := rand.New(rand.NewPCG(1, 2))
	roles := []authz.Role{authz.SystemAdmin, authz.SecurityAdmin, authz.Auditor, authz.PlatformOperator, authz.DeptAdmin, authz.DeptOperator}
	departments := []uuid.UUID{uuid.Nil, b.police.ID, b.market.ID, b.platform.Department}
	sizes := map[int]int{}
	for range 200 {
		var has []authz.Role
		for _, r := range roles {
			if random.IntN(4) == 0 {
				has = append(has, r)
			}
		}
		p := authztest.Person(departments[random.IntN(len(departments))], has...)
		want := map[uuid.UUID]json.RawMessage{}
		for _, id := range all {
			r, err := b.service.Get(b.ctx, p, id)
			switch {
			case err == nil:
				raw, err := json.Marshal(r)
				if err != nil {
					t.Fatal(err)
				}
				want[id] = raw
			case !fault.Is(err, fault.NotFound) && !fault.Is(err, fault.Forbidden):
				t.Fatal(err)
			}
		}
		got, err := b.dumped(t, p)
		if err != nil && len(want) > 0 || err != nil && !fault.Is(err, fault.Forbidden) {
			t.Fatalf("%v: %v", has, err)
		}
		same := cmp.Comparer(func(x, y json.RawMessage) bool { return bytes.Equal(compact(t, x), compact(t, y)) })
		if diff := cmp.Diff(want, got, same); diff != "" {
			t.Errorf("%v of %s: the dump (-what may be read +got):\n%s", has, p.Department, diff)
		}
		sizes[len(got)]++

		var public []uuid.UUID
		for _, id := range opened {
			if want[id] != nil {
				public = append(public, id)
			}
		}
		ids, err := openIDs(b.ctx, b.service, p, 1+random.IntN(3))
		if err != nil && !fault.Is(err, fault.Forbidden) {
			t.Fatal(err)
		}
		if diff := cmp.Diff(inOrder(public), inOrder(ids)); diff != "" {
			t.Errorf("%v: the open directory (-want +got):\n%s", has, diff)
		}
	}
	if len(sizes) < 3 {
		t.Errorf("the callers see %v entries: they are too much alike to show anything", sizes)
	}
}

func compact(t *testing.T, raw json.RawMessage) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := json.Compact(&out, raw); err != nil {
		t.Fatal(err)
	}
	var plain any
	if err := json.Unmarshal(out.Bytes(), &plain); err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(plain)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func inOrder(ids []uuid.UUID) []string {
	out := make([]string, len(ids))
	for i, id := range ids {
		out[i] = id.String()
	}
	slices.Sort(out)
	return out
}

// Where the directory is open to the public nobody has to be anybody to read what is open, and that alone; elsewhere they have.
func TestOpenToThePublic(t *testing.T) {
	t.Parallel()
	b := setup(t)
	all, opened := b.inEveryState(t)
	var nobody authz.Principal
	if _, err := b.service.OpenEntries(b.ctx, nobody, db.Page{}); !fault.Is(err, fault.Unauthenticated) {
		t.Errorf("a closed directory answers nobody with %v", err)
	}
	if _, err := b.service.OpenEntry(b.ctx, nobody, opened[0].String()); !fault.Is(err, fault.Unauthenticated) {
		t.Errorf("an entry of a closed directory answers nobody with %v", err)
	}
	public, err := catalog.New(catalog.Options{DB: b.db, Enforcer: b.node.Enforcer, OpenToPublic: true})
	if err != nil {
		t.Fatal(err)
	}
	ids, err := openIDs(b.ctx, public, nobody, 2)
	if diff := cmp.Diff(inOrder(opened), inOrder(ids)); err != nil || diff != "" {
		t.Errorf("got %v (-want +got):\n%s", err, diff)
	}
	for _, id := range all {
		page, err := public.OpenEntry(b.ctx, nobody, id.String())
		if slices.Contains(opened, id) {
			if err != nil || len(page.Entries) != 1 || page.Entries[0].ID != id || page.Entries[0].Metadata.ContactName != "" {
				t.Errorf("an open entry: got %+v, %v", page.Entries, err)
			}
			continue
		}
		if !fault.Is(err, fault.NotFound) {
			t.Errorf("an entry that is not open: got %v", err)
		}
	}
	system := authztest.Client(b.market.ID)
	if n, err := public.Dump(b.ctx, system, &bytes.Buffer{}); n != 0 || !fault.Is(err, fault.Forbidden) {
		t.Errorf("a consuming system dumps the directory: got %d, %v", n, err)
	}
}

// An entry is found by its code as addresses have it, by those who may read it; nothing else is found by anything.
func TestEntriesByCode(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.nameAuthority(t)
	r := b.publish(t, open(small("示例开放")))
	other := b.publish(t, small("示例不开放"))
	m := open(small("示例相关"))
	m.RelatedCodes = []string{r.Code, other.Code}
	related := b.publish(t, m)
	for name, want := range map[string]bool{
		r.ID.String(): true, "101001001-000001": true, "101001001/000001": false, "101001001-1": false, "": false, "-": false,
		"a' OR true --1": false, "101001001-99999999999999999999": false, uuid.Nil.String(): false,
	} {
		page, err := b.service.OpenEntry(b.ctx, b.marketOperator, name)
		if found := err == nil && len(page.Entries) == 1 && page.Entries[0].Code == r.Code; found != want || err != nil && !fault.Is(err, fault.NotFound) {
			t.Errorf("%q: found %v, %v", name, found, err)
		}
	}
	page, err := b.service.OpenEntry(b.ctx, b.marketOperator, related.ID.String())
	if err != nil || !slices.Equal(page.Entries[0].RelatedOpen, []string{r.Code}) {
		t.Errorf("related entries: got %+v, %v", page.Entries, err)
	}
	if id, err := b.service.ByCode(b.ctx, b.marketOperator, "101001001-000002"); err != nil || id != other.ID {
		t.Errorf("by code: got %s, %v", id, err)
	}
	if _, err := b.service.ByCode(b.ctx, authztest.Client(b.market.ID), "101001001-000002"); !fault.Is(err, fault.Forbidden) {
		t.Errorf("a consuming system finds an entry by its code: got %v", err)
	}
}
