package api_test

import (
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/shuqiao/shuqiao/api/client"
	"github.com/shuqiao/shuqiao/internal/hubtest"
)

// A version that drops an item and gives another one a new type is published beside the old one until a day: the consumer of a grant reads the old
// shape, first live and then, once a mount of the new version feeds the store, as it was; each answer says until when. When
// the consumer takes note, the next call reads the new shape.
func TestOldVersionBesideTheNewEndToEnd(t *testing.T) {
	t.Parallel()
	h := hubtest.Start(t, hubtest.Options{})
	s := h.Sample(t, 6)
	ctx := t.Context()
	grant := s.Grant(t, s.Terms())
	pull := client.Pull{Resource: s.Resource.ID, Purpose: "benefit-check"}
	waitUntil(t, func() bool { _, err := s.Client.Rows(ctx, pull, client.Query{}); return err == nil })
	exec := func(sql string) {
		t.Helper()
		if _, err := s.Source.Exec(ctx, sql); err != nil {
			t.Fatal(err)
		}
	}
	ask := func(path string, headers ...string) answer {
		return send(t, "GET", h.APIURL()+"/data/"+s.Resource.ID+path, s.Key.Token(), "", append(headers, "X-Purpose", "benefit-check")...)
	}
	if a := ask("/rows"); a.header.Get("Deprecation")+a.header.Get("Sunset") != "" {
		t.Errorf("the published version is called old: %v", a.header)
	}

	if _, err := s.Provider.Operator.MoveResource(ctx, s.Resource.ID, "versions"); err != nil {
		t.Fatal(err)
	}
	m := hubtest.Metadata("示例事项")
	m.Items = slices.DeleteFunc(m.Items, func(i client.Item) bool { return i.Identifier == "born" })
	m.Items[2].DataType, m.Items[2].Length = "M", 0
	if _, err := s.Provider.Operator.EditDraft(ctx, s.Resource.ID, m); err != nil {
		t.Fatal(err)
	}
	_, err := s.Provider.Operator.SubmitResource(ctx, s.Resource.ID, "2020-01-01")
	wantCode(t, "a day that has passed", err, 400, "invalid")
	day := time.Now().AddDate(0, 0, 30)
	r, err := s.Provider.Operator.SubmitResource(ctx, s.Resource.ID, day.Format(time.DateOnly))
	if err != nil || r.Version.OldUntil != day.Format(time.DateOnly) {
		t.Fatalf("submitted with %q, %v", r.Version.OldUntil, err)
	}
	if _, err = s.Provider.Admin.MoveResource(ctx, s.Resource.ID, "approve"); err == nil {
		_, err = s.Staff.Operator.MoveResource(ctx, s.Resource.ID, "publish")
	}
	if err != nil {
		t.Fatal(err)
	}

	exec(`UPDATE thing SET title = 'live' WHERE no = 'T000001'`)
	if run := s.Collect(t); run.State != "succeeded" {
		t.Fatalf("the mount of the old version: %s, %+v", run.State, run.Error)
	}
	var a answer
	waitUntil(t, func() bool { a = ask("/rows"); return a.header.Get("Sunset") != "" })
	if !strings.Contains(a.body, `"title":"live"`) || !strings.Contains(a.body, `"born"`) || !strings.Contains(a.body, `"version":1`) {
		t.Errorf("beside the new version: %s", a.body)
	}
	served, err := s.Consumer.Operator.Grant(ctx, grant.ID)
	if err != nil || served.Version != 1 || served.ServedUntil == nil {
		t.Fatalf("the grant says %d until %v, %v", served.Version, served.ServedUntil, err)
	}
	sunset, err := time.Parse("Mon, 02 Jan 2006 15:04:05 GMT", a.header.Get("Sunset"))
	if err != nil || !sunset.Equal(served.ServedUntil.UTC()) {
		t.Errorf("Sunset is %q, the grant says %v", a.header.Get("Sunset"), served.ServedUntil)
	}
	since, err := strconv.ParseInt(strings.TrimPrefix(a.header.Get("Deprecation"), "@"), 10, 64)
	if age := time.Since(time.Unix(since, 0)); err != nil || age < 0 || age > time.Minute {
		t.Errorf("Deprecation is %q", a.header.Get("Deprecation"))
	}
	if link := a.header.Get("Link"); link != "</api/v1/grants/"+grant.ID+`/changes>; rel="successor-version"` {
		t.Errorf("Link is %q", link)
	}
	if stream := ask("/rows?stream=true", "Accept", "application/x-ndjson"); stream.header.Get("Sunset") == "" || !strings.Contains(stream.body, `"title":"live"`) {
		t.Errorf("a stream: %v %s", stream.header, stream.body)
	}

	now, err := s.Provider.Operator.Resource(ctx, s.Resource.ID)
	if err != nil {
		t.Fatal(err)
	}
	var columns []client.MountColumn
	for _, item := range now.Version.Items {
		columns = append(columns, client.MountColumn{ItemNo: item.No, Column: item.Identifier})
	}
	mount, err := s.Provider.Operator.CreateMount(ctx, s.Resource.ID, client.MountInput{SourceID: s.SourceID, Object: "public.thing", DeleteRule: "missing", Columns: columns})
	if err == nil {
		if _, err = s.Provider.Operator.CheckMount(ctx, mount.ID); err == nil {
			_, err = s.Provider.Admin.ActivateMount(ctx, mount.ID)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	exec(`UPDATE thing SET title = 'new shape' WHERE no = 'T000001'`)
	if run := s.Collect(t); run.State != "succeeded" {
		t.Fatalf("the mount of the new version: %s, %+v", run.State, run.Error)
	}
	if a = ask("/rows"); !strings.Contains(a.body, `"title":"live"`) || !strings.Contains(a.body, `"born"`) || a.header.Get("Sunset") == "" {
		t.Errorf("after the store is rebuilt: %s", a.body)
	}

	if changes, err := s.Consumer.Operator.GrantChanges(ctx, grant.ID); err != nil || len(changes) != 1 || changes[0].Version != 2 || len(changes[0].Breaks) != 2 {
		t.Errorf("the changes of the grant: %+v, %v", changes, err)
	}
	if _, err := s.Consumer.Admin.AcknowledgeChange(ctx, grant.ID, 2, "已改造"); err != nil {
		t.Fatalf("taking note: %v", err)
	}
	waitUntil(t, func() bool { a = ask("/rows"); return strings.Contains(a.body, `"version":2`) })
	if strings.Contains(a.body, "born") || strings.Contains(a.body, "title") || !strings.Contains(a.body, `"no":"T000001"`) || a.header.Get("Sunset") != "" {
		t.Errorf("after taking note: %s", a.body)
	}
	if served, err = s.Consumer.Operator.Grant(ctx, grant.ID); err != nil || served.Version != 2 || served.ServedUntil != nil {
		t.Errorf("the grant says %d until %v, %v", served.Version, served.ServedUntil, err)
	}
}
