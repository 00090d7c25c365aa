package api_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/shuqiao/shuqiao/api/client"
	"github.com/shuqiao/shuqiao/internal/hubtest"
)

// wantCode fails the test unless err is the problem with that status and code.
func wantCode(t *testing.T, what string, err error, status int, code string) {
	t.Helper()
	var p *client.Problem
	if !errors.As(err, &p) || p.Status != status || p.Code != code {
		t.Errorf("%s: got %v, want %d %s", what, err, status, code)
	}
}

// A row travels from a department's database by an approval to a consumer, is refused from the moment the grant is
// suspended, and everything is in the log.
func TestOneGrantEndToEnd(t *testing.T) {
	t.Parallel()
	h := hubtest.Start(t, hubtest.Options{})
	s := h.Sample(t, 30)
	ctx := t.Context()
	pull := client.Pull{Resource: s.Resource.ID, Purpose: "benefit-check"}

	history, err := s.Provider.Admin.ResourceHistory(ctx, s.Resource.ID)
	if err != nil {
		t.Fatal(err)
	}
	var who []string
	for _, step := range history {
		who = append(who, step.Step+" "+step.ActorName+" "+step.Department)
	}
	if made, last := "create police_operator "+s.Provider.Name, "publish platform_operator"; len(who) != 4 || who[0] != made || !strings.HasPrefix(who[3], last) {
		t.Errorf("the history says %q, want it to begin with %q and end with %q", who, made, last)
	}

	_, err = s.Client.Rows(ctx, pull, client.Query{})
	wantCode(t, "before the grant", err, 403, "no_grant")
	grant := s.Grant(t, s.Terms())
	waitUntil(t, func() bool { _, err = s.Client.Rows(ctx, pull, client.Query{}); return err == nil })

	page, err := s.Client.Rows(ctx, pull, client.Query{Limit: 8})
	if err != nil {
		t.Fatal(err)
	}
	if len(page.Rows) != 8 || page.NextCursor == "" || page.Evidence.ID == "" || page.Evidence.Digest == "" {
		t.Fatalf("first page: %d rows, cursor %q, evidence %+v", len(page.Rows), page.NextCursor, page.Evidence)
	}
	if page.Rows[0]["no"] != "T000001" || page.Rows[0]["born"] != "2000-01-02" {
		t.Errorf("first row: %v", page.Rows[0])
	}
	if _, has := page.Rows[0]["amount"]; has {
		t.Error("an item outside the grant was disclosed")
	}
	total := len(page.Rows)
	for page.NextCursor != "" {
		if page, err = s.Client.Rows(ctx, pull, client.Query{Limit: 8, Cursor: page.NextCursor}); err != nil {
			t.Fatal(err)
		}
		total += len(page.Rows)
	}
	if total != 20 {
		t.Errorf("rows of all pages: got %d, want the 20 inside the filter", total)
	}
	var streamed int
	end, err := s.Client.Stream(ctx, pull, client.Query{}, func(client.Row) error { streamed++; return nil })
	if err != nil || streamed != 20 || end.Rows != 20 || end.Digest == "" {
		t.Errorf("stream: %d rows, end %+v, %v", streamed, end, err)
	}
	row, err := s.Client.Row(ctx, pull, "T000002")
	if err != nil || row.Row["title"] != "示例事项2" {
		t.Errorf("one row: %v, %v", row.Row, err)
	}
	_, err = s.Client.Row(ctx, pull, "T000003")
	wantCode(t, "a row outside the filter", err, 404, "row_not_found")
	_, err = s.Client.Rows(ctx, pull, client.Query{Items: []string{"amount"}})
	wantCode(t, "an item outside the grant", err, 403, "item_not_granted")
	_, err = s.Client.Rows(ctx, client.Pull{Resource: s.Resource.ID, Purpose: "other"}, client.Query{})
	wantCode(t, "a foreign purpose", err, 403, "purpose_mismatch")
	_, err = s.Client.Changes(ctx, pull, client.Query{})
	wantCode(t, "changes without a cursor", err, 400, "cursor_invalid")
	verdicts, err := s.Client.Verify(ctx, pull, []client.Claim{{Key: "T000001", Items: map[string]any{"title": "示例事项1", "division": "330603"}}})
	if err != nil || len(verdicts.Results) != 1 || verdicts.Results[0].Items["title"] != "match" || verdicts.Results[0].Items["division"] != "mismatch" {
		t.Errorf("verify: %+v, %v", verdicts.Results, err)
	}
	if _, err := s.Client.Schema(ctx, pull); err != nil {
		t.Errorf("schema: %v", err)
	}

	for _, sql := range []string{
		`UPDATE thing SET title = 'changed' WHERE no = 'T000001'`, `UPDATE thing SET division = '330603' WHERE no = 'T000002'`,
		`DELETE FROM thing WHERE no = 'T000004'`, `UPDATE thing SET born = '2001-02-30' WHERE no = 'T000005'`,
	} {
		if _, err := s.Source.Exec(ctx, sql); err != nil {
			t.Fatal(err)
		}
	}
	run, err := s.Provider.Operator.RunNow(ctx, s.Task.ID)
	if err != nil {
		t.Fatal(err)
	}
	run = hubtest.WaitRun(t, s.Provider.Operator, run.ID)
	if run.State != "succeeded" || run.Counts.Updated != 2 || run.Counts.Deleted != 1 || run.Counts.Rejected != 1 {
		t.Fatalf("second run: %s, %+v, %+v", run.State, run.Counts, run.Error)
	}
	changes, err := s.Client.Changes(ctx, pull, client.Query{Cursor: page.ChangesCursor})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, c := range changes.Changes {
		key := c.Key
		if c.Op == "upsert" {
			key, _ = c.Row["no"].(string)
		}
		got[key] = c.Op
	}
	if len(got) != 3 || got["T000001"] != "upsert" || got["T000002"] != "delete" || got["T000004"] != "delete" {
		t.Errorf("changes: got %v", got)
	}
	rejects, err := s.Provider.Operator.Rejects(ctx, s.Resource.ID, "open")
	if err != nil || len(rejects) != 1 || !rejects[0].Held || len(rejects[0].Reasons) == 0 {
		t.Errorf("rejects: %+v, %v", rejects, err)
	}

	before, err := s.Staff.Auditor.ResourceAccess(ctx, s.Resource.ID, client.AccessQuery{Item: "title"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Provider.Admin.Suspend(ctx, grant.ID, "示例原因"); err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	waitUntil(t, func() bool { _, err = s.Client.Rows(ctx, pull, client.Query{}); return err != nil })
	if took := time.Since(start); took > time.Second {
		t.Errorf("refused %s after the suspension", took)
	}
	wantCode(t, "after the suspension", err, 403, "grant_suspended")
	_, err = s.Provider.Admin.Suspend(ctx, grant.ID, "示例原因")
	var p *client.Problem
	if !errors.As(err, &p) || p.Status != 409 || p.Code != "illegal_move" || len(p.Allowed) == 0 {
		t.Errorf("suspending twice: %v, allowed %v", err, p)
	}
	events, err := s.Staff.Auditor.Events(ctx, "action=grant.suspend&object_id="+grant.ID)
	if err != nil || len(events.Data) != 1 {
		t.Errorf("the suspension in the log: %d, %v", len(events.Data), err)
	}
	testAccess(t, h, s, grant, before)
}

// waitUntil asks until the answer is yes, for at most five seconds.
func waitUntil(t *testing.T, yes func() bool) {
	t.Helper()
	deadline := time.Now().Add(5 * time.Second)
	for !yes() {
		if time.Now().After(deadline) {
			t.Fatal("it did not become true in time")
		}
	}
}
