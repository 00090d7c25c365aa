package sharing_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
	"github.com/shuqiao/shuqiao/sharing"
)

// An approval writes the decision, the grant with the catalogue's masks, history, evidence and policy entries, and the
// client can pull at once.
func TestApprove(t *testing.T) {
	t.Parallel()
	c := newTown(t)
	r := c.inReview(t)
	if r.DueAt == nil || r.ReceivedAt == nil || !r.DueAt.After(*r.ReceivedAt) {
		t.Fatalf("the clock of a received request does not run: %v, %v", r.ReceivedAt, r.DueAt)
	}
	before := c.count(t, "SELECT n FROM policy_head")
	r, err := c.svc.Approve(t.Context(), c.policeAdmin, r.ID, r.RowVersion, sharing.Conditions{Opinion: "同意"})
	if err != nil {
		t.Fatalf("approving: %v", err)
	}
	if r.State != sharing.RequestApproved || r.DecidedBy != c.policeAdmin.ID || r.DecidedAt == nil {
		t.Errorf("got state %s, decided by %s at %v", r.State, r.DecidedBy, r.DecidedAt)
	}
	g, err := c.svc.GetGrant(t.Context(), c.socialOperator, r.GrantID)
	if err != nil {
		t.Fatalf("reading the grant: %v", err)
	}
	type terms struct {
		Items, Lookup []int
		Masks         map[int]string
		State         sharing.GrantState
		Share, Grade  string
		Standing      bool
	}
	got := terms{g.Items, g.Lookup, g.Masks, g.State, string(g.ShareType), string(g.Grade), g.Standing}
	want := terms{
		[]int{1, 2, 3, 5},
		[]int{1},
		map[int]string{1: "id_card", 2: "name", 5: "date_year"},
		sharing.GrantActive, "conditional", "L3", false,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the grant differs (-want +got):\n%s", diff)
	}
	for what, n := range map[string]int64{
		"events of the approval":    c.count(t, "SELECT count(*) FROM event WHERE action = 'request.approve' AND object_id = $1", r.ID.String()),
		"events of the grant":       c.count(t, "SELECT count(*) FROM event WHERE action = 'grant.create' AND object_id = $1", g.ID.String()),
		"steps of the decision":     c.count(t, "SELECT count(*) FROM request_step WHERE request_id = $1 AND action = 'approve'", r.ID),
		"policy entries":            c.count(t, "SELECT count(*) FROM policy_log WHERE kind = 'grant' AND id = $1", g.ID.String()),
		"numbers of policy changes": c.count(t, "SELECT n FROM policy_head") - before - 1, // By its id and by its place.
	} {
		if n != 1 {
			t.Errorf("%s: got %d, want 1", what, n)
		}
	}
	// The log tells terms apart by hashes; values that a filter compares with are not for it.
	if n := c.count(t, "SELECT count(*) FROM event WHERE position('330602'::bytea IN body) > 0"); n != 0 {
		t.Errorf("%d events repeat a value of the row filter", n)
	}
	c.sync(t)
	permit, err := c.svc.Decide(t.Context(), c.socialClient, sharing.Ask{Resource: c.population.String(), Purpose: "pension-check", Action: authz.DataPull})
	if err != nil {
		t.Fatalf("deciding: %v", err)
	}
	if !permit.Decision.Allows(authz.DataPull) || permit.Grant.ID != g.ID || len(permit.RidKey) != 32 || len(permit.Items()) != 4 {
		t.Errorf("got permit for grant %s with %d items and a key of %d bytes", permit.Grant.ID, len(permit.Items()), len(permit.RidKey))
	}
}

// The approver narrows items, rows, masks, look-up, period, quota and rates, and unmasks only what was asked for.
func TestApproveNarrows(t *testing.T) {
	t.Parallel()
	c := newTown(t)
	r := c.inReview(t, func(a *sharing.Application) { a.Unmask = []string{"name", "birth_date"} })
	until, quota, rate := time.Now().AddDate(0, 1, 0).UTC().Truncate(time.Second), int64(10), 100
	r, err := c.svc.Approve(t.Context(), c.policeAdmin, r.ID, 0, sharing.Conditions{
		Items: []string{"citizen_id", "name", "sex"}, RowFilter: []byte(`{"op":"eq","item":"sex","value":"1"}`),
		Masks: map[string]string{"citizen_id": "id_card_strict"}, Lookup: []string{}, Unmask: []string{"name"}, CaseRequired: true,
		ValidUntil: &until, Quota: &quota, RateRows: &rate,
	})
	if err != nil {
		t.Fatalf("approving: %v", err)
	}
	g := must[sharing.Grant](t, "reading")(c.svc.GetGrant(t.Context(), c.policeAdmin, r.GrantID))
	if diff := cmp.Diff([]int{1, 2, 3}, g.Items); diff != "" {
		t.Errorf("items differ:\n%s", diff)
	}
	if diff := cmp.Diff(map[int]string{1: "id_card_strict"}, g.Masks); diff != "" {
		t.Errorf("masks differ:\n%s", diff)
	}
	if len(g.Lookup) != 0 || !g.CaseRequired || g.Quota != quota || g.RateRows != rate || !g.ValidTo.Equal(until) {
		t.Errorf("got lookup %v, case %v, quota %d, rate %d, until %v", g.Lookup, g.CaseRequired, g.Quota, g.RateRows, g.ValidTo)
	}
	for _, part := range []string{"330602", `"sex"`, `"and"`} {
		if !strings.Contains(string(g.RowFilter), part) {
			t.Errorf("the row filter %s lacks %s", g.RowFilter, part)
		}
	}
}

// An approval never widens what was asked for; everything wrong is named at once.
func TestApproveNeverWidens(t *testing.T) {
	t.Parallel()
	c := newTown(t)
	r := c.inReview(t)
	later, quota, rate := r.ValidUntil.Add(time.Hour), int64(0), 5000
	_, err := c.svc.Approve(t.Context(), c.policeAdmin, r.ID, 0, sharing.Conditions{
		Items: []string{"citizen_id", "remark", "police_note", "nothing"}, RowFilter: []byte(`{"op":"prefix","item":"citizen_id","value":"33"}`),
		Masks: map[string]string{"sex": "full", "citizen_id": "no such mask"}, Lookup: []string{"name"}, Unmask: []string{"name"},
		ValidUntil: &later, Quota: &quota, RateRows: &rate,
	})
	got := map[string]string{}
	if f, ok := errors.AsType[*fault.Fault](err); ok {
		for _, x := range f.Fields {
			got[x.Name] = x.Code
		}
	}
	want := map[string]string{
		"items[1]": "not_requested", "items[2]": "item_withheld", "items[3]": "unknown_item", "unmask[0]": "not_requested",
		"masks": "not_requested", "masks.citizen_id": "unknown_mask", "lookup[0]": "not_masked_key",
		"row_filter.citizen_id": "filter_not_granted", "valid_until": "wider", "quota": "wider", "rate_rows": "wider",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("findings differ (-want +got):\n%s", diff)
	}
}

// An unconditional request under a standing consent is granted by the signature itself; without a consent it waits for the
// authority with the short limit.
func TestStandingConsent(t *testing.T) {
	t.Parallel()
	c := newTown(t)
	r := c.signed(t, c.forStreets)
	if r.State != sharing.RequestPendingAcceptance || r.ShareType != "unconditional" {
		t.Fatalf("without a consent: got %s, %s", r.State, r.ShareType)
	}
	conditional := c.signed(t)
	if !r.DueAt.Before(*conditional.DueAt) {
		t.Errorf("the reply to unconditional data is due %v, to conditional data %v", r.DueAt, conditional.DueAt)
	}
	c.consent(t, c.streets)
	c.consent(t, c.population)
	r = c.signed(t, c.forStreets)
	if r.State != sharing.RequestApproved {
		t.Fatalf("with a consent: got %s", r.State)
	}
	g := must[sharing.Grant](t, "reading")(c.svc.GetGrant(t.Context(), c.socialAdmin, r.GrantID))
	if !g.Standing || g.State != sharing.GrantActive || len(g.Masks) != 0 {
		t.Errorf("got standing %v, state %s, masks %v", g.Standing, g.State, g.Masks)
	}
	c.sync(t)
	if _, err := c.svc.Decide(t.Context(), c.socialClient, sharing.Ask{Resource: "101001001-000002", Action: authz.DataPull}); err != nil {
		t.Errorf("pulling by the resource's code: %v", err)
	}
	if r := c.signed(t); r.State != sharing.RequestPendingAcceptance {
		t.Errorf("a consent covers conditional data: got %s", r.State)
	}
}

// Nothing is granted of a resource that is not published, that lost an item or withholds it, nor to a disabled client.
func TestApproveReliesOnTheCatalogue(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		sql  string
		code string
	}{
		"offline":         {"UPDATE resource SET state = 'offline' WHERE id = $1", "resource_not_published"},
		"item withheld":   {"UPDATE item SET share_type = 'withheld' WHERE resource_id = $1 AND no = 3", "resource_changed"},
		"item gone":       {"DELETE FROM item WHERE resource_id = $1 AND no = 3", "resource_changed"},
		"withheld":        {"UPDATE resource_version SET share_type = 'withheld' WHERE resource_id = $1", "resource_withheld"},
		"client disabled": {"UPDATE client SET state = 'disabled' WHERE id <> $1", "client_disabled"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newTown(t)
			r := c.inReview(t)
			c.exec(t, c.db, tt.sql, c.population)
			_, err := c.svc.Approve(t.Context(), c.policeAdmin, r.ID, 0, sharing.Conditions{})
			if fault.CodeOf(err) != tt.code {
				t.Errorf("got %v, want %s", err, tt.code)
			}
			if n := c.count(t, "SELECT count(*) FROM sharing_grant"); n != 0 {
				t.Errorf("got %d grants", n)
			}
		})
	}
}

// Of two deciders at once one wins and the other is told that the move is no longer possible.
func TestTwoDeciders(t *testing.T) {
	t.Parallel()
	c := newTown(t)
	second := c.person(t, c.db, c.police, authz.DeptAdmin)
	r := c.inReview(t)
	var wg sync.WaitGroup
	errs := make([]error, 2)
	for i, decide := range []func() error{
		func() error {
			_, err := c.svc.Approve(t.Context(), c.policeAdmin, r.ID, 0, sharing.Conditions{})
			return err
		},
		func() error {
			_, err := c.svc.Refuse(t.Context(), second, r.ID, 0, sharing.RefusedScope, "范围过大")
			return err
		},
	} {
		wg.Go(func() { errs[i] = decide() })
	}
	wg.Wait()
	if (errs[0] == nil) == (errs[1] == nil) {
		t.Fatalf("got %v and %v, want exactly one success", errs[0], errs[1])
	}
	for _, err := range errs {
		if err != nil {
			wantCode(t, "the second decider", err, fault.Conflict, "illegal_move")
		}
	}
}

// failAt ends the connection's statement when the n-th writing statement since arm begins.
type failAt struct {
	armed atomic.Bool
	left  atomic.Int64
	seen  atomic.Int64
}

func isWrite(sql string) bool {
	for _, word := range []string{"INSERT", "UPDATE", "DELETE"} {
		if strings.Contains(sql, word+" ") && !strings.HasPrefix(strings.TrimSpace(sql), "SELECT") {
			return true
		}
	}
	return false
}

func (f *failAt) TraceQueryStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	if !f.armed.Load() || !isWrite(data.SQL) {
		return ctx
	}
	f.seen.Add(1)
	if f.left.Add(-1) == 0 {
		broken, cancel := context.WithCancel(ctx)
		cancel()
		return broken
	}
	return ctx
}

func (f *failAt) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

// When any one write of an approval fails, none of the writes exists afterwards, and the approval can be repeated.
func TestApproveIsAllOrNothing(t *testing.T) {
	t.Parallel()
	c := newTown(t)
	r := c.inReview(t)
	traced := &failAt{}
	n := startNode(t, open(t, db.Options{URL: c.url, Tracer: traced}), c.keyring)
	// Everything an approval writes, as one text.
	const state = `SELECT concat_ws(' ', (SELECT n FROM policy_head), (SELECT count(*) FROM policy_log), (SELECT count(*) FROM event),
		(SELECT count(*) FROM pending), (SELECT count(*) FROM sharing_grant), (SELECT count(*) FROM grant_step),
		(SELECT count(*) FROM request_step), (SELECT string_agg(to_jsonb(q)::text, '') FROM sharing_request q))`
	read := func() (s string) {
		if err := c.db.Pool.QueryRow(t.Context(), state).Scan(&s); err != nil {
			t.Fatalf("reading the state: %v", err)
		}
		return s
	}
	before := read()
	writes := 0
	for at := int64(1); ; at++ {
		traced.left.Store(at)
		traced.seen.Store(0)
		traced.armed.Store(true)
		_, err := n.svc.Approve(t.Context(), c.policeAdmin, r.ID, 0, sharing.Conditions{})
		traced.armed.Store(false)
		if err == nil {
			writes = int(traced.seen.Load())
			break
		}
		if diff := cmp.Diff(before, read()); diff != "" {
			t.Fatalf("write %d failed and left something:\n%s", at, diff)
		}
	}
	// Grant, its step and event; the request, its step and event; two policy entries.
	if writes != 8 {
		t.Errorf("got %d writes, want 8", writes)
	}
	if read() == before {
		t.Error("the approval that succeeded wrote nothing")
	}
}

// A signature that meets a withdrawal of the standing consent waits for it and does not grant under a consent that is gone.
func TestStandingConsentWithdrawnMeanwhile(t *testing.T) {
	t.Parallel()
	c := newTown(t)
	c.consent(t, c.streets)
	r := c.draft(t, c.forStreets)
	must[sharing.Request](t, "submitting")(c.svc.Submit(t.Context(), c.socialOperator, r.ID, 0))
	type answer struct {
		r   sharing.Request
		err error
	}
	signed := make(chan answer, 1)
	err := c.db.InTx(t.Context(), func(tx *db.Tx) error {
		if _, err := tx.Exec(t.Context(), "UPDATE resource SET standing_consent = NULL WHERE id = $1", c.streets); err != nil {
			return err
		}
		go func() {
			r, err := c.svc.Sign(t.Context(), c.socialAdmin, r.ID, 0, "")
			signed <- answer{r, err}
		}()
		for waiting := false; !waiting; {
			err := c.db.Pool.QueryRow(t.Context(), `
				SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock')`).Scan(&waiting)
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatalf("withdrawing: %v", err)
	}
	if got := <-signed; got.err != nil || got.r.State != sharing.RequestPendingAcceptance {
		t.Errorf("got %s, %v; want a request that waits for the authority", got.r.State, got.err)
	}
}
