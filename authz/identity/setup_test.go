package identity_test

import (
	"errors"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/shuqiao/shuqiao/authz/identity"
	"github.com/shuqiao/shuqiao/internal/fault"
	"github.com/shuqiao/shuqiao/internal/pgtest"
)

// code is the code of a fault, "" for nil and the text of any other error.
func code(err error) string {
	if err == nil {
		return ""
	}
	if f, ok := errors.AsType[*fault.Fault](err); ok {
		return f.Code
	}
	return err.Error()
}

// A setup link works for its token, as long as it is the newest and not too old; without it nothing is said about the
// request, and afterwards every token is told that the hub is set up.
func TestSetupByToken(t *testing.T) {
	t.Parallel()
	node, s := serve(t, pgtest.URL(t))
	ctx := t.Context()
	newToken := func() string {
		t.Helper()
		token, err := s.NewSetupToken(ctx)
		if err != nil || token == "" {
			t.Fatalf("got %q, %v", token, err)
		}
		return token
	}
	voided, token := newToken(), newToken()
	wrong := setupRequest()
	wrong.Auditor.Username = wrong.SystemAdmin.Username
	for name, given := range map[string]string{"voided": voided, "empty": "", "misspelt": token + "x"} {
		if _, err := s.SetupByToken(ctx, given, wrong); code(err) != "setup_link_invalid" || !fault.Is(err, fault.Forbidden) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if _, err := node.DB.Pool.Exec(ctx, "UPDATE setup_token SET expires_at = clock_timestamp()"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.SetupByToken(ctx, token, setupRequest()); code(err) != "setup_link_invalid" {
		t.Errorf("an expired token: got %v", err)
	}

	token = newToken()
	_, err := s.SetupByToken(ctx, token, wrong)
	f, _ := errors.AsType[*fault.Fault](err)
	if f == nil || len(f.Fields) != 1 || f.Fields[0].Name != "auditor.username" || f.Fields[0].Code != "same_person" {
		t.Fatalf("one person as two administrators: got %v", err)
	}
	request := setupRequest()
	request.PlatformOperator = identity.Account{}
	made, err := s.SetupByToken(ctx, token, request)
	if err != nil {
		t.Fatal(err)
	}
	if made.Auditor.Username != "auditor" || made.PlatformOperator.Username != "" || made.Auditor.DepartmentID != made.Authority {
		t.Errorf("got %+v", made)
	}
	if _, err := s.SetupByToken(ctx, token, request); code(err) != "already_set_up" || !fault.Is(err, fault.Conflict) {
		t.Errorf("a second time: got %v", err)
	}
	if token, err := s.NewSetupToken(ctx); token != "" || err != nil {
		t.Errorf("a hub with users made the token %q, %v", token, err)
	}
	var got [3]int
	err = node.DB.Pool.QueryRow(ctx, `
		SELECT (SELECT count(*) FROM hub_user), (SELECT count(*) FROM event), (SELECT count(*) FROM setup_token)`).Scan(&got[0], &got[1], &got[2])
	if want := [3]int{3, 4, 0}; err != nil || got != want {
		t.Errorf("users, events and tokens: got %v, want %v, %v", got, want, err)
	}
}

// Of several who set the hub up at the same time, with the link and at the machine, exactly one succeeds, and nothing of the
// others stays.
func TestSetupRace(t *testing.T) {
	t.Parallel()
	node, s := serve(t, pgtest.URL(t))
	token, err := s.NewSetupToken(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	outcomes := make([]string, 6)
	var wait sync.WaitGroup
	for i := range outcomes {
		wait.Go(func() {
			var err error
			if i%2 == 0 {
				_, err = s.Setup(t.Context(), setupRequest())
			} else {
				_, err = s.SetupByToken(t.Context(), token, setupRequest())
			}
			outcomes[i] = code(err)
		})
	}
	wait.Wait()
	got := map[string]int{}
	for _, o := range outcomes {
		got[o]++
	}
	if diff := cmp.Diff(map[string]int{"": 1, "already_set_up": 5}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	var users, departments int
	err = node.DB.Pool.QueryRow(t.Context(), "SELECT (SELECT count(*) FROM hub_user), (SELECT count(*) FROM department)").Scan(&users, &departments)
	if err != nil || users != 4 || departments != 1 {
		t.Errorf("%d users, %d departments, %v", users, departments, err)
	}
}
