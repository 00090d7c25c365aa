package api_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"github.com/shuqiao/shuqiao/api"
	"github.com/shuqiao/shuqiao/api/client"
	"github.com/shuqiao/shuqiao/internal/hubtest"
)

// employ makes a person of a department and signs them in; nothing is open to them before they have changed their password.
func employ(t *testing.T, h *hubtest.Hub, staff hubtest.Staff, department, name, role string) (client.User, *client.Client) {
	t.Helper()
	u, err := staff.SystemAdmin.CreateUser(t.Context(), client.NewUser{Username: name, DisplayName: name, Password: hubtest.FirstPassword, DepartmentID: department})
	if err == nil {
		u, err = staff.SecurityAdmin.SetRoles(t.Context(), u.ID, []string{role})
	}
	if err != nil {
		t.Fatalf("employing %s: %v", name, err)
	}
	return u, h.FirstSignIn(t, name)
}

// A person with a password that somebody else has set is refused everything but changing it, on every route; a second factor
// makes a sign-in take two steps.
func TestUnfinishedSignInOpensNothing(t *testing.T) {
	t.Parallel()
	h := hubtest.Start(t, hubtest.Options{})
	staff := h.SetUp(t)
	u, err := staff.SystemAdmin.CreateUser(t.Context(), client.NewUser{
		Username: "newcomer", DisplayName: "newcomer", Password: hubtest.FirstPassword, DepartmentID: staff.AuthorityID,
	})
	if err == nil {
		_, err = staff.SecurityAdmin.SetRoles(t.Context(), u.ID, []string{"platform_operator"})
	}
	if err != nil {
		t.Fatal(err)
	}
	c, err := h.Anonymous.SignIn(t.Context(), "newcomer", hubtest.FirstPassword)
	if err != nil {
		t.Fatal(err)
	}
	open := 0
	for _, r := range h.API().Routes() {
		switch {
		case r.Access == api.Public || r.Access == api.Operators || r.Access == api.ByClient:
		case r.Unfinished:
			open++
		default:
			if a := send(t, r.Method, h.URL()+fill(r.Path), c.Token, ""); a.status != 403 || a.problem.Code != "password_change_required" {
				t.Errorf("%s %s: got %d %s", r.Method, r.Path, a.status, a.problem.Code)
			}
		}
	}
	if open == 0 || open > 14 {
		t.Errorf("%d routes are open to an unfinished sign-in", open)
	}
	if err := c.ChangePassword(t.Context(), hubtest.FirstPassword, hubtest.Password); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Requests(t.Context()); err != nil {
		t.Errorf("after the change: %v", err)
	}

	e, err := c.BeginSecondFactor(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.ConfirmSecondFactor(t.Context(), "000")
	wantCode(t, "a wrong first code", err, 400, "invalid")
	code, err := totp.GenerateCode(e.Secret, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	recovery, err := c.ConfirmSecondFactor(t.Context(), code)
	if err != nil {
		t.Fatal(err)
	}
	_, err = h.Anonymous.SignIn(t.Context(), "newcomer", hubtest.Password)
	wantCode(t, "the first step", err, 401, "second_factor_required")
	var problem *client.Problem
	if !errors.As(err, &problem) || problem.Facts["challenge"] == "" {
		t.Fatalf("no challenge: %+v", problem)
	}
	_, err = h.Anonymous.FinishSignIn(t.Context(), problem.Facts["challenge"], "", "AAAA-AAAA-AAAA-AAAA")
	wantCode(t, "a wrong recovery code", err, 401, "second_factor_wrong")
	again, err := h.Anonymous.FinishSignIn(t.Context(), problem.Facts["challenge"], "", recovery[3])
	if err != nil {
		t.Fatal(err)
	}
	sessions, err := again.Sessions(t.Context())
	if err != nil || len(sessions) != 2 || !sessions[0].SecondFactor {
		t.Errorf("sessions %+v, %v", sessions, err)
	}
}

// What a leaver was writing goes on with whom the administrator names; a deputy signs for an absent head, recorded as done for
// them; and neither way lets somebody review what they, or the person they stand in for, made.
func TestLeaversAndDeputies(t *testing.T) {
	t.Parallel()
	h := hubtest.Start(t, hubtest.Options{})
	s := h.Sample(t, 5)
	ctx := t.Context()
	leaver, atWork := employ(t, h, s.Staff, s.Consumer.ID, "leaver", "dept_operator")
	next, successor := employ(t, h, s.Staff, s.Consumer.ID, "successor", "dept_operator")
	third, deputy := employ(t, h, s.Staff, s.Consumer.ID, "deputy", "dept_operator")
	head, err := s.Consumer.Admin.Me(ctx)
	if err != nil {
		t.Fatal(err)
	}
	r, err := atWork.CreateRequest(ctx, client.Application{ClientID: s.System.ID, ResourceID: s.Resource.ID, Terms: s.Terms()})
	if err != nil {
		t.Fatal(err)
	}
	draft, err := atWork.CreateResource(ctx, "", hubtest.Metadata("示例草稿"))
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.Staff.SystemAdmin.Leave(ctx, leaver.ID, s.Staff.AuthorityID)
	wantCode(t, "handing over to nobody", err, 400, "invalid")
	report, err := s.Staff.SystemAdmin.Leave(ctx, leaver.ID, next.ID)
	if err != nil || report.State != "disabled" || len(report.HandedOver) != 2 {
		t.Fatalf("report %+v, %v", report, err)
	}
	for _, handed := range report.HandedOver {
		if !slices.Contains([]string{r.ID, draft.ID}, handed.ID) || handed.To != next.ID || handed.Title == "" {
			t.Errorf("handed over %+v", handed)
		}
	}
	waitUntil(t, func() bool { _, err = atWork.Me(ctx); return err != nil })
	wantCode(t, "the leaver's session", err, 401, "unauthenticated")
	if r, err = successor.Request(ctx, r.ID); err != nil || r.ApplicantID != next.ID {
		t.Fatalf("request %+v, %v", r, err)
	}
	if _, err := successor.MoveRequest(ctx, r.ID, "submit"); err != nil {
		t.Fatal(err)
	}

	_, err = deputy.MoveRequest(ctx, r.ID, "sign")
	wantCode(t, "signing without the right", err, 403, "forbidden")
	if _, err := s.Consumer.Admin.SetDeputy(ctx, "", third.ID, time.Time{}, time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	// The successor's absence makes the head no way around the maker.
	if _, err := s.Staff.SecurityAdmin.SetDeputy(ctx, next.ID, head.ID, time.Time{}, time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	var mine struct {
		StandsIn []string `json:"stands_in"`
	}
	waitUntil(t, func() bool {
		err = s.Consumer.Admin.Call(ctx, "GET", "/me", nil, &mine)
		return err == nil && slices.Equal(mine.StandsIn, []string{next.ID})
	})
	_, err = s.Consumer.Admin.MoveRequest(ctx, r.ID, "sign")
	wantCode(t, "signing what the person one stands in for made", err, 403, "maker_is_reviewer")
	var todo client.Todo
	waitUntil(t, func() bool { todo, err = deputy.Todo(ctx); return err == nil && todo.Sign.Count == 1 })
	if r, err = deputy.MoveRequest(ctx, r.ID, "sign"); err != nil || r.State != "pending_acceptance" {
		t.Fatalf("signing as deputy: %+v, %v", r, err)
	}
	events, err := s.Staff.Auditor.Events(ctx, "action=request.sign&object_id="+r.ID)
	signed := slices.IndexFunc(events.Data, func(e client.Event) bool { return e.Outcome == "ok" })
	if err != nil || signed < 0 || events.Data[signed].Actor.ID != third.ID || events.Data[signed].Actor.OnBehalfOf != head.ID {
		t.Errorf("events %+v, %v", events.Data, err)
	}
	if kept, err := s.Staff.SystemAdmin.Users(ctx); err != nil || !slices.ContainsFunc(kept, func(u client.User) bool { return u.ID == leaver.ID && u.State == "disabled" }) {
		t.Errorf("the leaver's account is gone: %v", err)
	}
}

// Sign-ins are bounded per caller, whom a trusted proxy names, and not per proxy; the session remembers where its owner was.
func TestSignInsAreBoundedPerCaller(t *testing.T) {
	t.Parallel()
	h := hubtest.Start(t, hubtest.Options{Flags: map[string]string{"sign-in-rate": "8", "trusted-proxies": "127.0.0.1"}})
	staff := h.SetUp(t)
	const wrong = `{"username":"nobody","password":"x"}`
	last := answer{}
	for range 12 {
		last = send(t, "POST", h.APIURL()+"/sessions", "", wrong, "X-Forwarded-For", "192.0.2.7")
	}
	if last.status != 429 || last.problem.Code != "rate_limited" || last.header.Get("Retry-After") == "" {
		t.Errorf("the twelfth try: %d %s", last.status, last.body)
	}
	if a := send(t, "POST", h.APIURL()+"/sessions", "", wrong, "X-Forwarded-For", "192.0.2.8"); a.status != 401 {
		t.Errorf("another caller behind the proxy: %d %s", a.status, a.problem.Code)
	}
	a := send(t, "POST", h.APIURL()+"/sessions", "", `{"username":"auditor","password":"`+hubtest.Password+`"}`, "X-Forwarded-For", "192.0.2.9")
	sessions, err := staff.Auditor.Sessions(t.Context())
	if a.status != 201 || err != nil || len(sessions) != 2 || sessions[0].Address != "192.0.2.9" {
		t.Errorf("signed in with %d; sessions %+v, %v", a.status, sessions, err)
	}
}
