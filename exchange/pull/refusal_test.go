package pull_test

import (
	"context"
	"encoding/json"
	"errors"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/audit"
	"github.com/shuqiao/shuqiao/exchange/pull"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// Every refusal has its code and kind, names only what the caller may know, and repeats nothing that was submitted.
func TestRefusals(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.collect(t, sampleRows())
	b.grant(t, grantTerms{
		items: []string{"cert_no", "division_code", "full_name", "birth_date", "shape"}, masks: map[string]string{"cert_no": "mid", "full_name": "name"},
	})
	const submitted = "zzz_submitted"
	rows := func(items []string, filter string) error {
		r := pull.RowsRequest{Call: b.call(), Items: items}
		if filter != "" {
			r.Filter = json.RawMessage(filter)
		}
		_, err := b.first.pull.Rows(t.Context(), b.client, r)
		return err
	}
	for _, test := range []struct {
		name  string
		err   error
		code  string
		kind  fault.Kind
		field string
	}{
		{"an item of the resource outside the grant", rows([]string{"hidden_note"}, ""), "item_not_granted", fault.Forbidden, "hidden_note"},
		{"an item that does not exist", rows([]string{"cert_no", submitted}, ""), "item_not_granted", fault.Forbidden, "items[1]"},
		{"a filter on an item outside the grant", rows(nil, `{"op":"eq","item":"hidden_note","value":"zzz_submitted"}`), "filter_not_granted", fault.Forbidden, "filter.item"},
		{"a filter on an item that does not exist", rows(nil, `{"op":"eq","item":"zzz_submitted","value":1}`), "filter_not_granted", fault.Forbidden, "filter.item"},
		{"equality on a masked item without lookup", rows(nil, `{"op":"eq","item":"cert_no","value":"zzz_submitted"}`), "filter_not_granted", fault.Forbidden, "cert_no"},
		{"a prefix of a masked item", rows(nil, `{"op":"prefix","item":"full_name","value":"zzz_submitted"}`), "filter_not_granted", fault.Forbidden, "full_name"},
		{"a filter that is no JSON", rows(nil, `{"op":zzz_submitted`), "filter_invalid", fault.Invalid, "filter"},
		{"a value of another type", rows(nil, `{"op":"eq","item":"birth_date","value":"zzz_submitted"}`), "filter_invalid", fault.Invalid, "filter.value"},
		{"a limit beyond the bound", func() error {
			_, err := b.first.pull.Rows(t.Context(), b.client, pull.RowsRequest{Call: b.call(), Limit: 5001})
			return err
		}(), "invalid", fault.Invalid, "limit"},
		{"one row by a masked key", func() error {
			_, err := b.first.pull.Row(t.Context(), b.client, pull.RowRequest{Call: b.call(), Key: submitted})
			return err
		}(), "filter_not_granted", fault.Forbidden, ""},
		{"claims by a masked key", func() error {
			_, err := b.first.pull.Verify(t.Context(), b.client, pull.VerifyRequest{Call: b.call(), Claims: []pull.Claim{{Key: submitted, Items: map[string]json.RawMessage{"full_name": json.RawMessage(`"x"`)}}}})
			return err
		}(), "filter_not_granted", fault.Forbidden, ""},
		{"a resource without a grant", func() error {
			_, err := b.first.pull.Rows(t.Context(), b.client, pull.RowsRequest{Call: pull.Call{Resource: submitted}})
			return err
		}(), "no_grant", fault.Forbidden, ""},
		{"a grant of somebody else", func() error {
			call := b.call()
			call.GrantID = uuid.New()
			_, err := b.first.pull.Rows(t.Context(), b.client, pull.RowsRequest{Call: call})
			return err
		}(), "no_grant", fault.Forbidden, ""},
		{"another purpose", func() error {
			call := b.call()
			call.Purpose = submitted
			_, err := b.first.pull.Rows(t.Context(), b.client, pull.RowsRequest{Call: call})
			return err
		}(), "purpose_mismatch", fault.Forbidden, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := wantCode(t, test.err, test.code)
			if f.Kind != test.kind {
				t.Errorf("kind %s, want %s", f.Kind, test.kind)
			}
			if test.field != "" && (len(f.Fields) != 1 || f.Fields[0].Name != test.field) {
				t.Errorf("fields %+v, want %s", f.Fields, test.field)
			}
			if strings.Contains(f.Error(), submitted) {
				t.Errorf("the fault repeats what was submitted: %v", f)
			}
		})
	}
}

// Suspended and ended grants refuse every call, with their code.
func TestStates(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.collect(t, sampleRows())
	grant := b.grant(t, grantTerms{items: []string{"cert_no", "children"}})
	_, last := b.rows(t, pull.RowsRequest{})
	for _, step := range []struct{ set, code string }{
		{"state = 'suspended'", "grant_suspended"},
		{"state = 'active', valid_to = now() - interval '1 second'", "grant_expired"},
		{"state = 'terminated'", "no_grant"},
	} {
		b.change(t, grant, step.set)
		b.first.sync(t)
		for name, err := range b.everyCall(t.Context(), last.ChangesCursor) {
			if got := fault.CodeOf(err); got != step.code {
				t.Errorf("%s after %s: code %q, want %q", name, step.set, got, step.code)
			}
		}
	}
}

// everyCall makes each call once and returns its error.
func (b *bundle) everyCall(ctx context.Context, changes string) map[string]error {
	_, rows := b.first.pull.Rows(ctx, b.client, pull.RowsRequest{Call: b.call()})
	_, row := b.first.pull.Row(ctx, b.client, pull.RowRequest{Call: b.call(), Key: "A1"})
	_, changed := b.first.pull.Changes(ctx, b.client, pull.ChangesRequest{Call: b.call(), Cursor: changes})
	_, verify := b.first.pull.Verify(ctx, b.client, pull.VerifyRequest{Call: b.call(), Claims: []pull.Claim{{Key: "A1", Items: map[string]json.RawMessage{"children": json.RawMessage("2")}}}})
	_, schema := b.first.pull.Schema(ctx, b.client, b.call())
	_, stream := b.first.pull.Stream(ctx, b.client, pull.RowsRequest{Call: b.call()}, &sink{})
	return map[string]error{"rows": rows, "row": row, "changes": changed, "verify": verify, "schema": schema, "stream": stream}
}

// A node that cannot confirm its policy refuses every call within two seconds.
func TestStale(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.collect(t, sampleRows())
	b.grant(t, grantTerms{items: []string{"cert_no", "children"}})
	_, last := b.rows(t, pull.RowsRequest{})
	b.first.stop()
	for name, err := range b.everyCall(t.Context(), last.ChangesCursor) {
		if f := wantCode(t, err, "policy_stale"); f.Kind != fault.Unavailable {
			t.Errorf("%s: kind %s, want unavailable", name, f.Kind)
		}
	}
}

// The rate and the quota of a grant bind: a call above them gets nothing and records nothing.
func TestRateAndQuota(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.collect(t, sampleRows())
	b.grant(t, grantTerms{items: []string{"cert_no"}, quota: 30, rateCalls: 3})
	_, page := b.rows(t, pull.RowsRequest{})
	if want := (pull.Limits{Calls: 3, CallsLeft: 2, Quota: true, QuotaLeft: 8}); !cmp.Equal(page.Limits, want) {
		t.Errorf("limits %+v, want %+v", page.Limits, want)
	}
	_, err := b.first.pull.Rows(t.Context(), b.client, pull.RowsRequest{Call: b.call()})
	if f := wantCode(t, err, "quota_exhausted"); f.Kind != fault.Exhausted || f.Detail["remaining"] != "8" {
		t.Errorf("quota: %+v", f)
	}
	_, page = b.rows(t, pull.RowsRequest{Limit: 8})
	if page.Limits.QuotaLeft != 0 {
		t.Errorf("%d rows left, want none", page.Limits.QuotaLeft)
	}
	_, err = b.first.pull.Rows(t.Context(), b.client, pull.RowsRequest{Call: b.call(), Limit: 1})
	if f := wantCode(t, err, "rate_limited"); f.Kind != fault.Exhausted || f.Detail["retry_after"] != "1" {
		t.Errorf("rate: %+v", f)
	}
	if got := b.usage(t); len(got) != 2 || got[0].Rows+got[1].Rows != 30 {
		t.Errorf("usage %+v, want the two pages of 30 rows in all", got)
	}
}

// usage returns all records, the oldest first.
func (b *bundle) usage(t testing.TB) []audit.Usage {
	t.Helper()
	rows, err := b.db.Pool.Query(context.Background(), "SELECT mode, rows, items, coalesce(query, 'null'), subject_tokens, digest, request_id, rule_id, state, reserved_rows FROM usage ORDER BY at, id")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var out []audit.Usage
	for rows.Next() {
		var u audit.Usage
		if err := rows.Scan(&u.Mode, &u.Rows, &u.Items, &u.Query, &u.SubjectTokens, &u.Digest, &u.RequestID, &u.RuleID, &u.State, &u.ReservedRows); err != nil {
			t.Fatal(err)
		}
		out = append(out, u)
	}
	if rows.Err() != nil {
		t.Fatal(rows.Err())
	}
	return out
}

// No statement names an item that is neither granted nor part of the grant's filter, and no clear column of a masked one
// is selected: the columns that occur are exactly those expected.
func TestOnlyGrantedItemsAreRead(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.collect(t, sampleRows())
	b.grant(t, grantTerms{
		items: []string{"cert_no", "full_name", "children"}, masks: map[string]string{"full_name": "name"},
		filter: `{"op":"eq","item":"division_code","value":"330602"}`,
	})
	_, last := b.rows(t, pull.RowsRequest{})
	// Where nothing changed no rows are read for changes.
	later := sampleRows()
	later["A1"]["children"] = "3"
	b.collect(t, later)
	b.first.statements.take()
	for name, err := range b.everyCall(t.Context(), last.ChangesCursor) {
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	item := regexp.MustCompile(`\bi\d+(_[xy]\d)?\b`)
	var named []string
	reads := 0
	for _, sql := range b.first.statements.take() {
		if strings.Contains(sql, "FROM \"store\".\"r_") {
			reads++
			named = append(named, item.FindAllString(sql, -1)...)
		}
	}
	slices.Sort(named)
	if got := slices.Compact(named); reads != 5 || !cmp.Equal(got, []string{"i1", "i2", "i3", "i7"}) {
		t.Errorf("%d reads name the columns %v", reads, got)
	}
}

// Hostile keys, filters, items and cursors are answered by faults of the caller, never by a failure of the hub.
func FuzzHostileInput(f *testing.F) {
	for _, seed := range [][4]string{
		{"A1", `{"op":"eq","item":"children","value":2}`, "children", "cursor"},
		{"\x00", `{"op":"eq","item":"division_code","value":"\u0000"}`, "\x00", "\x00"},
		{"a~1b~2", `{"op":"in","item":"cert_no","values":["'; DROP TABLE x; --"]}`, "_key", "AQ"},
		{"\xff\xfe", `{"op":"not","arg":{"op":"bbox","item":"shape","box":[1,2,3,4]}}`, "i13", strings.Repeat("A", 300)},
		{strings.Repeat("长", 3000), `{"op":"prefix","item":"division_code","value":"\ud7ff"}`, "hidden_note", "%00"},
		{"~", `{"op":"lt","item":"amount","value":1e999}`, "", "-_"},
		{"~0", `null`, "cert_no,cert_no", "="},
		{"", `[]`, "*", "\n"},
	} {
		f.Add(seed[0], seed[1], seed[2], seed[3])
	}
	b := setup(f)
	b.collect(f, sampleRows())
	b.grant(f, grantTerms{items: allButHidden})
	f.Fuzz(func(t *testing.T, key, filter, items, cursor string) {
		_, row := b.first.pull.Row(t.Context(), b.client, pull.RowRequest{Call: b.call(), Key: key})
		_, rows := b.first.pull.Rows(t.Context(), b.client, pull.RowsRequest{Call: b.call(), Filter: json.RawMessage(filter)})
		_, chosen := b.first.pull.Rows(t.Context(), b.client, pull.RowsRequest{Call: b.call(), Items: strings.Split(items, ",")})
		_, paged := b.first.pull.Rows(t.Context(), b.client, pull.RowsRequest{Call: b.call(), Cursor: cursor})
		_, changes := b.first.pull.Changes(t.Context(), b.client, pull.ChangesRequest{Call: b.call(), Cursor: cursor, Filter: json.RawMessage(filter)})
		_, verify := b.first.pull.Verify(t.Context(), b.client, pull.VerifyRequest{Call: b.call(), Claims: []pull.Claim{{Key: key, Items: map[string]json.RawMessage{"full_name": json.RawMessage(filter), items: json.RawMessage(`"x"`)}}}})
		for _, err := range []error{row, rows, chosen, paged, changes, verify} {
			if f, ok := errors.AsType[*fault.Fault](err); err != nil && (!ok || f.Kind == fault.Internal || f.Kind == fault.Unavailable) {
				t.Errorf("an answer of the hub's failure: %v", err)
			}
		}
	})
}
