package catalog_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/authz/authztest"
	"github.com/shuqiao/shuqiao/catalog"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// Incomplete drafts are kept; submitting names everything that is missing; secret data are refused, not stored.
func TestDraftsMayBeIncomplete(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r, err := b.service.CreateResource(b.ctx, b.operator, catalog.Metadata{Name: "未完成"})
	if err != nil {
		t.Fatal(err)
	}
	_, err = b.service.Submit(b.ctx, b.operator, r.ID, 0)
	wantFields(t, err, "summary required", "provider_unit required", "classifications required", "format_category required",
		"declared_share_type required", "share_methods required", "update_cycle required", "usage_terms required", "secrecy required",
		"secrecy_assessment required", "pi_assessment required", "head_signoff required", "items required")
	secret := small("涉密")
	secret.Secrecy = "秘密"
	_, err = b.service.CreateResource(b.ctx, b.operator, secret)
	wantFields(t, err, "secrecy secret")
	var n int
	if err := b.db.Pool.QueryRow(b.ctx, "SELECT count(*) FROM resource WHERE name = '涉密'").Scan(&n); err != nil || n != 0 {
		t.Errorf("a secret entry was stored (%d, %v)", n, err)
	}
	_, err = b.service.CreateResource(b.ctx, b.operator, catalog.Metadata{Name: "未完成"})
	wantFields(t, err, "name taken")
}

// What was submitted incomplete or without a deciding document cannot be published; complete, a withheld entry can.
func TestWithheldNeedsItsDocument(t *testing.T) {
	t.Parallel()
	b := setup(t)
	m := withheld(small("不予共享"))
	m.WithholdBasis, m.WithholdRuling.DocumentNo = nil, ""
	r, err := b.service.CreateResource(b.ctx, b.operator, m)
	if err != nil {
		t.Fatal(err)
	}
	_, err = b.service.Submit(b.ctx, b.operator, r.ID, 0)
	wantFields(t, err, "withhold_basis required", "withhold_decision.document_no required")
	if _, err := b.service.EditDraft(b.ctx, b.operator, r.ID, 0, withheld(small("不予共享"))); err != nil {
		t.Fatal(err)
	}
	published := b.review(t, r.ID)
	if published.Version.ShareType != catalog.Withheld || published.State != catalog.Published {
		t.Errorf("got %s in %s", published.Version.ShareType, published.State)
	}
}

// A new version leaves the published one visible until it is published itself, and then supersedes it; the code stays,
// items keep their numbers by identifier, and numbers are never used for another meaning.
func TestPublishSupersedes(t *testing.T) {
	t.Parallel()
	b := setup(t)
	first := b.publish(t, small("版本"))
	if first.Code != "101001001/000001" || first.Published != 1 || first.Version.PublishedAt == nil {
		t.Fatalf("got code %q, published %d at %v", first.Code, first.Published, first.Version.PublishedAt)
	}
	draft, err := b.service.StartVersion(b.ctx, b.operator, first.ID, 0)
	if err != nil {
		t.Fatal(err)
	}
	if draft.State != catalog.Published || draft.Version.State != catalog.Draft || draft.Version.HeadSignoff != nil {
		t.Errorf("got entry %s, version %s, sign-off %v", draft.State, draft.Version.State, draft.Version.HeadSignoff)
	}
	_, err = b.service.StartVersion(b.ctx, b.operator, first.ID, 0)
	wantCode(t, err, fault.Conflict, "draft_exists")

	// title goes, added comes, remark changes its type: only no keeps its number.
	m := small("版本二")
	m.Items = []catalog.Item{m.Items[2], m.Items[0], {Name: "新增", Identifier: "added", DataType: catalog.Date, ShareType: catalog.Conditional, Grade: catalog.L2}}
	m.Items[0].DataType, m.Items[0].Length = catalog.Char, 200
	if _, err := b.service.EditDraft(b.ctx, b.operator, first.ID, 0, m); err != nil {
		t.Fatal(err)
	}
	// Coming back under the old identifier and type, title is the same meaning again.
	m.Items = append(m.Items, small("x").Items[1])
	edited, err := b.service.EditDraft(b.ctx, b.operator, first.ID, 0, m)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]int{}
	for _, item := range edited.Version.Items {
		got[item.Identifier] = item.No
	}
	if diff := cmp.Diff(map[string]int{"no": 1, "title": 2, "remark": 4, "added": 5}, got); diff != "" {
		t.Errorf("item numbers (-want +got):\n%s", diff)
	}
	seen, err := b.service.Get(b.ctx, b.marketOperator, first.ID)
	if err != nil || seen.Version.Number != 1 || seen.Version.Name != "版本" {
		t.Errorf("others see version %d %q (%v)", seen.Version.Number, seen.Version.Name, err)
	}
	second := b.review(t, first.ID)
	if second.Code != first.Code || second.Published != 2 || second.Name != "版本二" {
		t.Errorf("got code %q, published %d, name %q", second.Code, second.Published, second.Name)
	}
	versions, err := b.service.Versions(b.ctx, b.operator, first.ID)
	if err != nil || len(versions) != 2 || versions[0].State != catalog.Published || versions[1].State != catalog.Superseded {
		t.Errorf("got versions %v (%v)", versions, err)
	}
	if versions, err = b.service.Versions(b.ctx, b.marketOperator, first.ID); err != nil || len(versions) != 1 || versions[0].Number != 2 {
		t.Errorf("others see versions %v (%v)", versions, err)
	}
	_, err = b.service.GetVersion(b.ctx, b.marketOperator, first.ID, 1)
	wantCode(t, err, fault.NotFound, "not_found")
}

// Publishers of one classification at the same time get consecutive codes, none of them twice.
func TestCodesAreMonotonic(t *testing.T) {
	t.Parallel()
	b := setup(t)
	const n = 12
	ids := make([]uuid.UUID, n)
	for i := range n {
		r, err := b.service.CreateResource(b.ctx, b.operator, small(fmt.Sprintf("并发%d", i)))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := b.service.Submit(b.ctx, b.operator, r.ID, 0); err != nil {
			t.Fatal(err)
		}
		if _, err := b.service.Approve(b.ctx, b.admin, r.ID, 0); err != nil {
			t.Fatal(err)
		}
		ids[i] = r.ID
	}
	codes := make([]string, n)
	var group sync.WaitGroup
	for i := range n {
		group.Go(func() {
			r, err := b.service.Publish(b.ctx, b.platform, ids[i], 0)
			if err != nil {
				t.Errorf("publishing: %v", err)
			}
			codes[i] = r.Code
		})
	}
	group.Wait()
	slices.Sort(codes)
	want := make([]string, n)
	for i := range n {
		want[i] = fmt.Sprintf("101001001/%06d", i+1)
	}
	if diff := cmp.Diff(want, codes); diff != "" {
		t.Errorf("codes (-want +got):\n%s", diff)
	}
}

// A change based on an older state of the entry is refused.
func TestIfMatch(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r, err := b.service.CreateResource(b.ctx, b.operator, small("并行"))
	if err != nil {
		t.Fatal(err)
	}
	edited, err := b.service.EditDraft(b.ctx, b.operator, r.ID, r.RowVersion, small("并行二"))
	if err != nil || edited.RowVersion != r.RowVersion+1 {
		t.Fatalf("got row version %d, %v", edited.RowVersion, err)
	}
	_, err = b.service.EditDraft(b.ctx, b.operator, r.ID, r.RowVersion, small("并行三"))
	wantCode(t, err, fault.Precondition, "version_mismatch")
	_, err = b.service.Submit(b.ctx, b.operator, r.ID, r.RowVersion)
	wantCode(t, err, fault.Precondition, "version_mismatch")
}

// People of another department neither see nor change what a department has not published, whatever they try.
func TestIsolationOfDrafts(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r, err := b.service.CreateResource(b.ctx, b.operator, small("草稿"))
	if err != nil {
		t.Fatal(err)
	}
	for name, try := range map[string]func() error{
		"get":      func() error { _, err := b.service.Get(b.ctx, b.marketAdm, r.ID); return err },
		"version":  func() error { _, err := b.service.GetVersion(b.ctx, b.marketAdm, r.ID, 1); return err },
		"versions": func() error { _, err := b.service.Versions(b.ctx, b.marketAdm, r.ID); return err },
		"history":  func() error { _, err := b.service.History(b.ctx, b.marketAdm, r.ID); return err },
		"review":   func() error { _, _, err := b.service.Review(b.ctx, b.marketAdm, r.ID); return err },
		"edit": func() error {
			_, err := b.service.EditDraft(b.ctx, b.marketOperator, r.ID, 0, small("改"))
			return err
		},
		"submit":  func() error { _, err := b.service.Submit(b.ctx, b.marketOperator, r.ID, 0); return err },
		"discard": func() error { return b.service.DiscardDraft(b.ctx, b.marketOperator, r.ID, 0) },
		"mounts":  func() error { _, err := b.service.Mounts(b.ctx, b.marketAdm, r.ID); return err },
		"by a client": func() error {
			_, err := b.service.Get(b.ctx, authztest.Client(b.market.ID), r.ID)
			return err
		},
	} {
		if err := try(); !fault.Is(err, fault.NotFound) {
			t.Errorf("%s: got %v, want not found", name, err)
		}
	}
	published := b.publish(t, small("已发布"))
	for name, try := range map[string]func() error{
		"start": func() error { _, err := b.service.StartVersion(b.ctx, b.marketOperator, published.ID, 0); return err },
		"consent": func() error {
			_, err := b.service.RecordConsent(b.ctx, b.marketAdm, published.ID, 0, consent)
			return err
		},
		"history": func() error { _, err := b.service.History(b.ctx, b.marketAdm, published.ID); return err },
	} {
		if err := try(); !fault.Is(err, fault.Forbidden) {
			t.Errorf("%s of a published entry: got %v, want forbidden", name, err)
		}
	}
	for state, want := range map[catalog.State][3]int{catalog.Draft: {1, 0, 1}, catalog.Published: {1, 1, 1}} {
		hits := [3]int{}
		for i, p := range []int{0, 1, 2} {
			who := b.operator
			if p == 1 {
				who = b.marketOperator
			} else if p == 2 {
				who = b.platform
			}
			found, _, err := b.service.Search(b.ctx, who, catalog.Query{State: state}, db.Page{})
			if err != nil {
				t.Fatal(err)
			}
			hits[i] = len(found)
		}
		if hits != want {
			t.Errorf("search in %s: own, other, platform see %v, want %v", state, hits, want)
		}
	}
}

// A search finds by name, summary, code and item, narrows by facets, and pages without losing or repeating a hit.
func TestSearch(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for i := range 5 {
		b.publish(t, small(fmt.Sprintf("示例%d", i)))
	}
	special := small("特别")
	special.Items[1].Name, special.BaseDatabase = "稀有项目", "population"
	b.publish(t, special)
	for text, want := range map[string]int{
		"": 6, "示例3": 1, "稀有": 1, "101001001/000006": 1, "title": 6, "没有这样的": 0, "%": 0, "_": 0, `\`: 0, "remark\x00": 6,
	} {
		found, _, err := b.service.Search(b.ctx, b.marketOperator, catalog.Query{Text: text}, db.Page{})
		if err != nil || len(found) != want {
			t.Errorf("search for %q: got %d, %v, want %d", text, len(found), err, want)
		}
	}
	var seen []string
	page := db.Page{Limit: 4}
	for {
		found, next, err := b.service.Search(b.ctx, b.marketOperator, catalog.Query{}, page)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range found {
			seen = append(seen, e.Name)
		}
		if next == "" {
			break
		}
		page.Cursor = next
	}
	if diff := cmp.Diff([]string{"特别", "示例4", "示例3", "示例2", "示例1", "示例0"}, seen); diff != "" {
		t.Errorf("pages (-want +got):\n%s", diff)
	}
	facets, err := b.service.Facets(b.ctx, b.marketOperator, catalog.Query{})
	if err != nil {
		t.Fatal(err)
	}
	want := catalog.Facets{
		Total: 6, BaseDatabases: []catalog.Facet{{Value: "population", Label: "人口", Count: 1}},
		Departments:  []catalog.Facet{{Value: b.police.ID.String(), Label: b.police.Name, Count: 6}},
		Divisions:    []catalog.Facet{{Value: "330600", Label: "绍兴市", Count: 6}},
		ShareTypes:   []catalog.Facet{{Value: "conditional", Label: "conditional", Count: 6}},
		ShareMethods: []catalog.Facet{{Value: "api", Label: "api", Count: 6}}, UpdateCycles: []catalog.Facet{{Value: "daily", Label: "daily", Count: 6}},
		Grades: []catalog.Facet{{Value: "L2", Label: "L2", Count: 6}}, Timeliness: []catalog.Facet{{Value: "never", Label: "never", Count: 6}},
		Themes: []catalog.Facet{},
	}
	if diff := cmp.Diff(want, facets); diff != "" {
		t.Errorf("facets (-want +got):\n%s", diff)
	}
	_, _, err = b.service.Search(b.ctx, b.marketOperator, catalog.Query{State: "haunted"}, db.Page{})
	wantFields(t, err, "state not_choice")
	_, _, err = b.service.Search(b.ctx, b.marketOperator, catalog.Query{}, db.Page{Cursor: "forged"})
	wantCode(t, err, fault.Invalid, "cursor_invalid")
}

// The provider's standing consent is recorded and withdrawn by its admin, with a policy entry each time.
func TestStandingConsent(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := b.publish(t, small("同意"))
	_, err := b.service.RecordConsent(b.ctx, b.admin, r.ID, 0, catalog.StandingConsent{Date: "2027-01-01"})
	wantFields(t, err, "by required", "date future_date", "document required")
	_, err = b.service.RecordConsent(b.ctx, b.operator, r.ID, 0, consent)
	wantCode(t, err, fault.Forbidden, "forbidden")
	recorded, err := b.service.RecordConsent(b.ctx, b.admin, r.ID, 0, consent)
	if err != nil {
		t.Fatal(err)
	}
	want := consent
	want.Recorder = b.admin.ID
	if diff := cmp.Diff(&want, recorded.StandingConsent); diff != "" {
		t.Errorf("consent (-want +got):\n%s", diff)
	}
	_, err = b.service.WithdrawConsent(b.ctx, b.admin, r.ID, 0, "")
	wantFields(t, err, "reason required")
	if after, err := b.service.WithdrawConsent(b.ctx, b.admin, r.ID, 0, "职责调整"); err != nil || after.StandingConsent != nil {
		t.Errorf("got %v, %v", after.StandingConsent, err)
	}
	_, err = b.service.WithdrawConsent(b.ctx, b.admin, r.ID, 0, "再次")
	wantCode(t, err, fault.Conflict, "no_consent")
	var n int
	if err := b.db.Pool.QueryRow(b.ctx, "SELECT count(*) FROM policy_log WHERE kind = 'resource'").Scan(&n); err != nil || n != 3 {
		t.Errorf("got %d policy entries, %v, want 3", n, err)
	}
}

// Other rooms get an entry only while it is published.
func TestPublishedTx(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := b.publish(t, small("供其他模块"))
	read := func() (got catalog.Resource, err error) {
		err = b.db.InTx(b.ctx, func(tx *db.Tx) error {
			got, err = b.service.PublishedTx(b.ctx, tx, r.ID, true)
			return err
		})
		return got, err
	}
	got, err := read()
	if err != nil || len(got.Version.Items) != 3 || got.Version.ProviderCode != b.police.USCC {
		t.Fatalf("got %d items of %q, %v", len(got.Version.Items), got.Version.ProviderCode, err)
	}
	if _, err := b.service.TakeOffline(b.ctx, b.platform, r.ID, 0, "系统下线", offlineRequest); err != nil {
		t.Fatal(err)
	}
	_, err = read()
	wantCode(t, err, fault.NotFound, "not_found")
	_, err = b.service.Get(b.ctx, b.marketOperator, r.ID)
	wantCode(t, err, fault.NotFound, "not_found")
}

// An entry that is offline is not brought back by publishing a newer version, and revoking it ends its drafts and mounts.
func TestNewerVersionOfHiddenEntry(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r, source := b.mounted(t, "下线后")
	b.activate(t, r, input(source))
	if _, err := b.service.StartVersion(b.ctx, b.operator, r.ID, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := b.service.EditDraft(b.ctx, b.operator, r.ID, 0, small("下线后")); err != nil {
		t.Fatal(err)
	}
	if _, err := b.service.Submit(b.ctx, b.operator, r.ID, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := b.service.Approve(b.ctx, b.admin, r.ID, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := b.service.TakeOffline(b.ctx, b.platform, r.ID, 0, "系统下线", offlineRequest); err != nil {
		t.Fatal(err)
	}
	_, err := b.service.Publish(b.ctx, b.platform, r.ID, 0)
	wantCode(t, err, fault.Conflict, "illegal_move")
	back, err := b.service.Return(b.ctx, b.platform, r.ID, 0, "条目已下线")
	if err != nil || back.State != catalog.Offline || back.Version.State != catalog.Returned || back.Version.Round != 2 {
		t.Fatalf("got entry %s, version %s in round %d, %v", back.State, back.Version.State, back.Version.Round, err)
	}
	if _, err := b.service.Revoke(b.ctx, b.platform, r.ID, 0, "职责调整"); err != nil {
		t.Fatal(err)
	}
	_, err = b.service.Submit(b.ctx, b.operator, r.ID, 0)
	wantCode(t, err, fault.Conflict, "illegal_move")
	_, err = b.service.EditDraft(b.ctx, b.operator, r.ID, 0, small("下线后"))
	wantCode(t, err, fault.Conflict, "illegal_move")
	_, err = b.service.ActiveMount(b.ctx, r.ID)
	wantCode(t, err, fault.NotFound, "not_found")
	// The name is free again, the code is not.
	again := b.publish(t, small("下线后"))
	if again.Code != "101001001/000002" {
		t.Errorf("got code %s", again.Code)
	}
}

// Discarding a draft deletes it; what was ever visible, submitted or mounted stays.
func TestDiscardDraft(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r, err := b.service.CreateResource(b.ctx, b.operator, small("放弃"))
	if err != nil {
		t.Fatal(err)
	}
	if err := b.service.DiscardDraft(b.ctx, b.operator, r.ID, 0); err != nil {
		t.Fatal(err)
	}
	_, err = b.service.Get(b.ctx, b.operator, r.ID)
	wantCode(t, err, fault.NotFound, "not_found")
	published := b.publish(t, small("保留"))
	err = b.service.DiscardDraft(b.ctx, b.operator, published.ID, 0)
	wantCode(t, err, fault.Conflict, "illegal_move")
	if _, err := b.service.StartVersion(b.ctx, b.operator, published.ID, 0); err != nil {
		t.Fatal(err)
	}
	if err := b.service.DiscardDraft(b.ctx, b.operator, published.ID, 0); err != nil {
		t.Fatal(err)
	}
	got, err := b.service.Get(b.ctx, b.operator, published.ID)
	if err != nil || got.Newest != 1 || got.Published != 1 {
		t.Errorf("got newest %d, published %d, %v", got.Newest, got.Published, err)
	}
}

// Reviewers see what another department's entry may duplicate.
func TestSimilarEntriesAreShown(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.publish(t, small("重复采集信息"))
	r, err := b.service.CreateResource(b.ctx, b.marketOperator, small("重复采集 数据"))
	if err != nil {
		t.Fatal(err)
	}
	_, warnings, err := b.service.Review(b.ctx, b.marketAdm, r.ID)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(fieldNames(warnings), "items one_source") {
		t.Errorf("got warnings %v", warnings)
	}
}

var consent = catalog.StandingConsent{By: "示例负责人", Date: "2026-11-10", Document: "示例函〔2026〕8号"}
