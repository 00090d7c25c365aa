package api_test

import (
	"encoding/csv"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/shuqiao/shuqiao/api/client"
	"github.com/shuqiao/shuqiao/internal/hubtest"
)

// testAccess asks who could see an item of a resource before its one grant was suspended, and who can after: as JSON and as
// a table, by those who may ask and those who may not.
func testAccess(t *testing.T, h *hubtest.Hub, s hubtest.Sample, grant client.Grant, before client.AccessReport) {
	ctx := t.Context()
	if len(before.Data) != 1 || before.Data[0].GrantID != grant.ID || !before.Data[0].Sees || before.Data[0].Ways[0].RuleID != "client-pull-conditional" ||
		before.Data[0].AllRows || len(before.People) != 2 {
		t.Errorf("before the suspension: %+v", before)
	}
	asked := client.AccessQuery{Item: "title"}
	now, err := s.Provider.Operator.ResourceAccess(ctx, s.Resource.ID, asked)
	if err != nil || len(now.Data) != 0 || now.Past {
		t.Errorf("after the suspension: %+v, %v", now, err)
	}
	asked.At = before.At
	then, err := s.Provider.Operator.ResourceAccess(ctx, s.Resource.ID, asked)
	if err != nil || !then.Past {
		t.Errorf("asked about before: %+v, %v", then, err)
	}
	if diff := cmp.Diff(before.Data, then.Data); diff != "" {
		t.Errorf("the past (-as it was answered +now):\n%s", diff)
	}
	of, err := s.Consumer.Operator.ClientAccess(ctx, s.System.ID, client.AccessQuery{Refused: true})
	if err != nil || len(of.Data) != 1 || of.Data[0].Reason != "grant_suspended" || len(of.Data[0].Items) != len(grant.Items) {
		t.Errorf("what the client sees: %+v, %v", of, err)
	}
	_, err = s.Consumer.Admin.ResourceAccess(ctx, s.Resource.ID, client.AccessQuery{})
	wantCode(t, "the consumer about the provider's resource", err, 403, "forbidden")
	_, err = s.Provider.Admin.ClientAccess(ctx, s.System.ID, client.AccessQuery{})
	wantCode(t, "the provider about the consumer's client", err, 403, "forbidden")
	_, err = s.Provider.Admin.ResourceAccess(ctx, s.Resource.ID, client.AccessQuery{At: time.Now().AddDate(-20, 0, 0)})
	wantCode(t, "before the history", err, 410, "before_history")

	url := h.URL() + "/api/v1/resources/" + s.Resource.ID + "/access"
	past := "&at=" + before.At.Format(time.RFC3339Nano)
	for _, got := range []answer{
		send(t, "GET", url+"?item=title&format=csv"+past, s.Staff.Auditor.Token, ""),
		send(t, "GET", url+"?item=title"+past, s.Staff.Auditor.Token, "", "Accept", "text/csv"),
	} {
		lines, err := csv.NewReader(strings.NewReader(got.body)).ReadAll()
		if err != nil || got.status != 200 || !strings.HasPrefix(got.header.Get("Content-Type"), "text/csv") || len(lines) != 4 {
			t.Fatalf("the table: %d %s, %v\n%s", got.status, got.header.Get("Content-Type"), err, got.body)
		}
		head := lines[0]
		of := func(line int, column string) string { return lines[line][slices.Index(head, column)] }
		if of(1, "kind") != "grant" || of(1, "item") != "title" || of(1, "grant_id") != grant.ID || of(1, "who_id") != s.System.ID ||
			of(1, "rules") != "client-pull-conditional client-verify-conditional" || of(2, "kind") != "person" || of(3, "ways") != "reject.read" {
			t.Errorf("the table:\n%s", got.body)
		}
	}
	if got := send(t, "GET", url, s.Staff.Auditor.Token, "", "Accept", "image/png"); got.status != 406 || got.problem.Code != "not_acceptable" {
		t.Errorf("another form: %d %s", got.status, got.body)
	}
	if got := send(t, "GET", url+"?format=csv&item=salary", s.Staff.Auditor.Token, ""); got.status != 400 || strings.Contains(got.body, "salary") {
		t.Errorf("an unknown item: %d %s", got.status, got.body)
	}
}
