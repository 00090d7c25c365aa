package sharing_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/catalog"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
	"github.com/shuqiao/shuqiao/sharing"
)

func fieldCodes(err error) map[string]string {
	got := map[string]string{}
	if f, ok := errors.AsType[*fault.Fault](err); ok {
		for _, x := range f.Fields {
			got[x.Name] = x.Code
		}
	}
	return got
}

// A request that lacks what Order 809, Art 20 demands is answered with all of it at once, and nothing is stored.
func TestCreateRequestNamesEverythingMissing(t *testing.T) {
	t.Parallel()
	c := newTown(t)
	_, err := c.svc.CreateRequest(t.Context(), c.socialOperator, sharing.Application{ResourceID: c.population})
	want := map[string]string{
		"legal_basis": "required", "scenario": "required", "items": "required", "share_methods": "required",
		"valid_until": "required", "purpose": "required", "purpose_text": "required", "client_id": "unknown_client",
	}
	if diff := cmp.Diff(want, fieldCodes(err)); diff != "" {
		t.Errorf("findings differ (-want +got):\n%s", diff)
	}
	if n := c.count(t, "SELECT count(*) FROM sharing_request"); n != 0 {
		t.Errorf("got %d stored requests", n)
	}
}

// Each wrong fact is named by its field; a filter may use filterable items only that are neither masked nor withheld.
func TestCreateRequestChecks(t *testing.T) {
	t.Parallel()
	c := newTown(t)
	for name, tt := range map[string]struct {
		edit  func(*sharing.Application)
		field string
		code  string
	}{
		"unknown item":                      {func(a *sharing.Application) { a.Items = []string{"citizen_id", "nothing"} }, "items[1]", "unknown_item"},
		"withheld item":                     {func(a *sharing.Application) { a.Items = []string{"citizen_id", "police_note"} }, "items[1]", "item_withheld"},
		"item twice":                        {func(a *sharing.Application) { a.Items = []string{"citizen_id", "citizen_id"} }, "items[1]", "duplicate"},
		"look-up of a clear item":           {func(a *sharing.Application) { a.Lookup = []string{"sex"} }, "lookup[0]", "not_masked_key"},
		"look-up of an item that is no key": {func(a *sharing.Application) { a.Lookup = []string{"name"} }, "lookup[0]", "not_masked_key"},
		"look-up of an unmasked key":        {func(a *sharing.Application) { a.Unmask = []string{"citizen_id"} }, "lookup[0]", "not_masked_key"},
		"clear values of what has no mask":  {func(a *sharing.Application) { a.Unmask = []string{"sex"} }, "unmask[0]", "not_masked"},
		"clear values not among the items":  {func(a *sharing.Application) { a.Items, a.Unmask = []string{"citizen_id"}, []string{"name"} }, "unmask[0]", "item_not_requested"},
		"filter on a masked item": {func(a *sharing.Application) {
			a.RowFilter = []byte(`{"op":"eq","item":"birth_date","value":"1990-01-01"}`)
		}, "row_filter.birth_date", "filter_not_granted"},
		"filter on an item not filterable": {func(a *sharing.Application) { a.RowFilter = []byte(`{"op":"eq","item":"remark","value":"x"}`) }, "row_filter.remark", "filter_not_granted"},
		"filter on a withheld item":        {func(a *sharing.Application) { a.RowFilter = []byte(`{"op":"eq","item":"police_note","value":"x"}`) }, "row_filter.item", "filter_not_granted"},
		"filter that is no filter":         {func(a *sharing.Application) { a.RowFilter = []byte(`{"op":"drop"}`) }, "row_filter.op", "unknown_op"},
		"purpose outside the alphabet":     {func(a *sharing.Application) { a.Purpose = "养老" }, "purpose", "malformed"},
		"end in the past":                  {func(a *sharing.Application) { a.ValidUntil = time.Now().Add(-time.Hour) }, "valid_until", "in_the_past"},
		"end too far":                      {func(a *sharing.Application) { a.ValidUntil = time.Now().AddDate(3, 0, 2) }, "valid_until", "too_far"},
		"negative quota":                   {func(a *sharing.Application) { a.Quota = -1 }, "quota", "negative"},
		"unknown quota period":             {func(a *sharing.Application) { a.QuotaPeriod = "hour" }, "quota_period", "unknown"},
		"another department's client":      {func(a *sharing.Application) { a.ClientID = c.civilClient.ID }, "client_id", "unknown_client"},
		"unknown method":                   {func(a *sharing.Application) { a.ShareMethods = []catalog.ShareMethod{"pigeon"} }, "share_methods[0]", "unknown"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := c.svc.CreateRequest(t.Context(), c.socialOperator, c.application(tt.edit))
			if got := fieldCodes(err); got[tt.field] != tt.code || !fault.Is(err, fault.Invalid) {
				t.Errorf("got %v, want %s at %s", got, tt.code, tt.field)
			}
		})
	}
}

// A withheld resource, a method the hub does not have, an own resource and an unknown one are refused before anything is stored.
func TestCreateRequestRefuses(t *testing.T) {
	t.Parallel()
	c := newTown(t)
	_, err := c.svc.CreateRequest(t.Context(), c.socialOperator, c.application(func(a *sharing.Application) {
		a.ResourceID, a.Items = c.withheld, []string{"case_no"}
	}))
	wantCode(t, "withheld resource", err, fault.Forbidden, "resource_withheld")
	_, err = c.svc.CreateRequest(t.Context(), c.socialOperator, c.application(func(a *sharing.Application) {
		a.ShareMethods = []catalog.ShareMethod{catalog.ByTable}
	}))
	wantCode(t, "table", err, fault.Invalid, "method_not_available")
	_, err = c.svc.CreateRequest(t.Context(), c.policeOperator, c.application())
	wantCode(t, "own resource", err, fault.Conflict, "own_resource")
	_, err = c.svc.CreateRequest(t.Context(), c.socialOperator, c.application(func(a *sharing.Application) { a.ResourceID = db7(t) }))
	wantCode(t, "unknown resource", err, fault.NotFound, "not_found")
	_, err = c.svc.CreateRequest(t.Context(), c.auditor, c.application())
	wantCode(t, "an auditor", err, fault.Forbidden, "forbidden")
	if n := c.count(t, "SELECT count(*) FROM sharing_request"); n != 0 {
		t.Errorf("got %d stored requests", n)
	}
}

// The request's sharing type is that of its strictest item, not of the resource.
func TestShareTypeFollowsTheItems(t *testing.T) {
	t.Parallel()
	c := newTown(t)
	r := c.draft(t, func(a *sharing.Application) { a.Items, a.Lookup = []string{"county_name"}, nil })
	if r.ShareType != catalog.Unconditional {
		t.Errorf("unconditional items only: got %s", r.ShareType)
	}
	if r = c.draft(t); r.ShareType != catalog.Conditional {
		t.Errorf("one conditional item: got %s", r.ShareType)
	}
}

// The departments of a request see it, the provider and the authority once it was received; for everybody else it does
// not exist, whatever they try.
func TestIsolation(t *testing.T) {
	t.Parallel()
	c := newTown(t)
	draft, received := c.draft(t), c.signed(t)
	g := c.granted(t)
	other := c.person(t, c.db, c.bureau, authz.DeptAdmin)
	for name, tt := range map[string]struct {
		p                      authz.Principal
		draft, received, grant bool
	}{
		"applicant":                              {c.socialOperator, true, true, true},
		"head of the consumer":                   {c.socialAdmin, true, true, true},
		"head of the provider":                   {c.policeAdmin, false, true, true},
		"authority":                              {c.operator, false, true, true},
		"another consumer":                       {c.civilAdmin, false, false, false},
		"a department of the authority's people": {other, false, false, false},
		"auditor":                                {c.auditor, false, false, false},
		"client":                                 {c.socialClient, false, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			for id, want := range map[uuid.UUID]bool{draft.ID: tt.draft, received.ID: tt.received} {
				_, err := c.svc.GetRequest(t.Context(), tt.p, id)
				if (err == nil) != want || err != nil && !fault.Is(err, fault.NotFound) {
					t.Errorf("reading a request: got %v, want seen %v", err, want)
				}
				_, err = c.svc.RequestHistory(t.Context(), tt.p, id)
				if (err == nil) != want {
					t.Errorf("reading its history: got %v, want seen %v", err, want)
				}
				if !want {
					_, err = c.svc.Withdraw(t.Context(), tt.p, id, 0, "")
					wantCode(t, "withdrawing", err, fault.NotFound, "not_found")
				}
			}
			if _, err := c.svc.GetGrant(t.Context(), tt.p, g.ID); (err == nil) != tt.grant {
				t.Errorf("reading a grant: got %v, want seen %v", err, tt.grant)
			}
			if !tt.grant {
				_, err := c.svc.SuspendGrant(t.Context(), tt.p, g.ID, 0, "x")
				wantCode(t, "suspending", err, fault.NotFound, "not_found")
			}
			listed, _, err := c.svc.ListRequests(t.Context(), tt.p, sharing.RequestFilter{}, db.Page{})
			if err != nil && !fault.Is(err, fault.Forbidden) {
				t.Fatalf("listing: %v", err)
			}
			for id, want := range map[uuid.UUID]bool{draft.ID: tt.draft, received.ID: tt.received} {
				if slices.ContainsFunc(listed, func(r sharing.Request) bool { return r.ID == id }) != want {
					t.Errorf("listing: want seen %v", want)
				}
			}
			grants, _, err := c.svc.ListGrants(t.Context(), tt.p, sharing.GrantFilter{}, db.Page{})
			if err != nil && !fault.Is(err, fault.Forbidden) || (len(grants) == 1) != tt.grant {
				t.Errorf("listing grants: got %d, %v", len(grants), err)
			}
		})
	}
}

// Nobody signs, accepts or decides what they made, nobody decides for the department that asks, and a role in the wrong
// department is none.
func TestWhoMayNot(t *testing.T) {
	t.Parallel()
	c := newTown(t)
	both := c.person(t, c.db, c.social, authz.DeptAdmin, authz.DeptOperator)
	made, err := c.svc.CreateRequest(t.Context(), both, c.application())
	if err != nil {
		t.Fatalf("drafting: %v", err)
	}
	must[sharing.Request](t, "submitting")(c.svc.Submit(t.Context(), both, made.ID, 0))
	_, err = c.svc.Sign(t.Context(), both, made.ID, 0, "")
	wantCode(t, "the applicant signs", err, fault.Forbidden, "maker_is_reviewer")

	edited := c.draft(t)
	must[sharing.Request](t, "editing")(c.svc.EditDraft(t.Context(), both, edited.ID, 0, c.application().Terms))
	must[sharing.Request](t, "submitting")(c.svc.Submit(t.Context(), c.socialOperator, edited.ID, 0))
	_, err = c.svc.Sign(t.Context(), both, edited.ID, 0, "")
	wantCode(t, "an editor signs", err, fault.Forbidden, "maker_is_reviewer")

	r := c.inReview(t)
	_, err = c.svc.Approve(t.Context(), c.socialAdmin, r.ID, 0, sharing.Conditions{})
	wantCode(t, "the consumer decides", err, fault.Forbidden, "forbidden")
	_, err = c.svc.Approve(t.Context(), c.policeOperator, r.ID, 0, sharing.Conditions{})
	wantCode(t, "an operator decides", err, fault.Forbidden, "forbidden")
	_, err = c.svc.Approve(t.Context(), c.operator, r.ID, 0, sharing.Conditions{})
	wantCode(t, "the authority decides", err, fault.Forbidden, "forbidden")

	// A department that asks itself cannot come about by the service; the rule holds on the rows as well.
	c.exec(t, c.db, "UPDATE sharing_request SET consumer_dept_id = provider_dept_id WHERE id = $1", r.ID)
	_, err = c.svc.Approve(t.Context(), c.policeAdmin, r.ID, 0, sharing.Conditions{})
	wantCode(t, "a department decides on its own request", err, fault.Forbidden, "own_request")
}

// A request is returned for completion once, its clock goes on, and the completed terms are signed again.
func TestSupplementOnce(t *testing.T) {
	t.Parallel()
	c := newTown(t)
	r := c.inReview(t)
	received, due := *r.ReceivedAt, *r.DueAt
	if _, err := c.svc.Supplement(t.Context(), c.operator, r.ID, 0, " "); !fault.Is(err, fault.Invalid) {
		t.Errorf("without saying what is missing: got %v", err)
	}
	must[sharing.Request](t, "asking")(c.svc.Supplement(t.Context(), c.operator, r.ID, 0, "缺少依据条款"))
	r = must[sharing.Request](t, "completing")(c.svc.EditDraft(t.Context(), c.socialOperator, r.ID, 0,
		c.application(func(a *sharing.Application) { a.Items, a.Lookup = []string{"county_name"}, nil }).Terms))
	must[sharing.Request](t, "resubmitting")(c.svc.Resubmit(t.Context(), c.socialOperator, r.ID, 0))
	r = must[sharing.Request](t, "signing")(c.svc.Sign(t.Context(), c.socialAdmin, r.ID, 0, ""))
	if r.ShareType != catalog.Unconditional || !r.ReceivedAt.Equal(received) || r.DueAt.Before(due) {
		t.Errorf("got %s, received %v, due %v; want the clock of before: %v, %v", r.ShareType, r.ReceivedAt, r.DueAt, received, due)
	}
	_, err := c.svc.Supplement(t.Context(), c.operator, r.ID, 0, "还缺")
	wantCode(t, "a second time", err, fault.Conflict, "already_supplemented")
}

// A reply is extended once, by at most ten working days, and the limit moves with it.
func TestExtendOnce(t *testing.T) {
	t.Parallel()
	c := newTown(t)
	r := c.inReview(t)
	for _, days := range []int{0, -1, 11} {
		if _, err := c.svc.Extend(t.Context(), c.operator, r.ID, 0, days, "会商"); !fault.Is(err, fault.Invalid) {
			t.Errorf("by %d days: got %v", days, err)
		}
	}
	extended := must[sharing.Request](t, "extending")(c.svc.Extend(t.Context(), c.operator, r.ID, 0, 4, "会商"))
	if !extended.DueAt.After(*r.DueAt) || extended.ExtendedDays != 4 || extended.State != r.State {
		t.Errorf("got due %v (before %v), %d days, %s", extended.DueAt, r.DueAt, extended.ExtendedDays, extended.State)
	}
	_, err := c.svc.Extend(t.Context(), c.operator, r.ID, 0, 1, "再次")
	wantCode(t, "a second time", err, fault.Conflict, "already_extended")
}

// A refusal needs a known code and a reason, and leaves no grant.
func TestRefuse(t *testing.T) {
	t.Parallel()
	c := newTown(t)
	r := c.inReview(t)
	if _, err := c.svc.Refuse(t.Context(), c.policeAdmin, r.ID, 0, "because", "不行"); fieldCodes(err)["code"] != "unknown" {
		t.Errorf("unknown code: got %v", err)
	}
	if _, err := c.svc.Refuse(t.Context(), c.policeAdmin, r.ID, 0, sharing.RefusedScope, ""); fieldCodes(err)["reason"] != "required" {
		t.Errorf("no reason: got %v", err)
	}
	r = must[sharing.Request](t, "refusing")(c.svc.Refuse(t.Context(), c.policeAdmin, r.ID, 0, sharing.RefusedScope, "超出必要范围"))
	if r.State != sharing.RequestRefused || r.RefusalCode != sharing.RefusedScope || r.RefusalReason == "" || r.GrantID != uuid.Nil {
		t.Errorf("got %s, %q, %q, grant %s", r.State, r.RefusalCode, r.RefusalReason, r.GrantID)
	}
	c.sync(t)
	_, err := c.svc.Decide(t.Context(), c.socialClient, sharing.Ask{Resource: c.population.String(), Action: authz.DataPull})
	wantCode(t, "pulling", err, fault.Forbidden, "no_grant")
}

// A change that rests on an older version of the request is refused.
func TestIfMatch(t *testing.T) {
	t.Parallel()
	c := newTown(t)
	r := c.draft(t)
	must[sharing.Request](t, "editing")(c.svc.EditDraft(t.Context(), c.socialOperator, r.ID, r.RowVersion, c.application().Terms))
	_, err := c.svc.Submit(t.Context(), c.socialOperator, r.ID, r.RowVersion)
	wantCode(t, "submitting", err, fault.Precondition, "version_mismatch")
}

// Each person's to-do list holds exactly what waits for that person.
func TestTodo(t *testing.T) {
	t.Parallel()
	c := newTown(t)
	submitted := c.draft(t)
	must[sharing.Request](t, "submitting")(c.svc.Submit(t.Context(), c.socialOperator, submitted.ID, 0))
	c.signed(t)
	c.signed(t)
	c.inReview(t)
	returned := c.inReview(t)
	must[sharing.Request](t, "asking")(c.svc.Supplement(t.Context(), c.operator, returned.ID, 0, "缺"))
	for name, tt := range map[string]struct {
		p    authz.Principal
		want [4]int64 // Sign, accept, decide, supplement.
	}{
		"applicant":            {c.socialOperator, [4]int64{0, 0, 0, 1}},
		"head of the consumer": {c.socialAdmin, [4]int64{1, 0, 0, 0}},
		"head of the provider": {c.policeAdmin, [4]int64{0, 0, 1, 0}},
		"authority":            {c.operator, [4]int64{0, 2, 0, 0}},
		"another department":   {c.civilAdmin, [4]int64{0, 0, 0, 0}},
		"auditor":              {c.auditor, [4]int64{0, 0, 0, 0}},
	} {
		todo, err := c.svc.Todo(t.Context(), tt.p)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		got := [4]int64{todo.Sign.Count, todo.Accept.Count, todo.Decide.Count, todo.Supplement.Count}
		lists := [4]int64{
			int64(len(todo.Sign.Requests)), int64(len(todo.Accept.Requests)), int64(len(todo.Decide.Requests)), int64(len(todo.Supplement.Requests)),
		}
		if got != tt.want || lists != tt.want {
			t.Errorf("%s: got counts %v and lists %v, want %v", name, got, lists, tt.want)
		}
	}
}

// Reading a list page by page gives every request once.
func TestListPages(t *testing.T) {
	t.Parallel()
	c := newTown(t)
	want := map[uuid.UUID]bool{}
	for range 5 {
		want[c.draft(t).ID] = true
	}
	got := map[uuid.UUID]bool{}
	page := db.Page{Limit: 2}
	for pages := 0; ; pages++ {
		rows, next, err := c.svc.ListRequests(t.Context(), c.socialAdmin, sharing.RequestFilter{State: sharing.RequestDraft, Side: sharing.ConsumerSide}, page)
		if err != nil {
			t.Fatalf("listing: %v", err)
		}
		for _, r := range rows {
			if got[r.ID] {
				t.Errorf("request %s came twice", r.ID)
			}
			got[r.ID] = true
		}
		if next == "" {
			if pages != 2 {
				t.Errorf("got %d pages, want 3", pages+1)
			}
			break
		}
		page.Cursor = next
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("requests differ (-want +got):\n%s", diff)
	}
}
