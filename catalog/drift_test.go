package catalog_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/authz/authztest"
	"github.com/shuqiao/shuqiao/catalog"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// at runs statements at a department's database.
func (b *testBundle) at(t *testing.T, settings map[string]string, sql string) {
	t.Helper()
	conn, err := pgx.Connect(b.ctx, settings["dsn"])
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(b.ctx))
	if _, err := conn.Exec(b.ctx, sql); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

// drifting is a published entry with an active mount, of whose table the test can change the shape.
func (b *testBundle) drifting(t *testing.T, name string) (catalog.Resource, catalog.Mount, map[string]string) {
	t.Helper()
	r := b.publish(t, small(name))
	settings := sourceDatabase(t, `
		CREATE TABLE thing (no varchar(20) PRIMARY KEY, title varchar(150), remark varchar(80), n bigint NOT NULL, price numeric(10,2), stamp timestamptz);
		COMMENT ON COLUMN thing.title IS '名称'`)
	source, err := b.service.CreateSource(b.ctx, b.operator, catalog.SourceInput{Name: name, Driver: "postgres", Settings: settings})
	if err != nil {
		t.Fatal(err)
	}
	in := input(source)
	in.WatermarkColumn = "stamp"
	return r, b.activate(t, r, in), settings
}

// found are the open findings about an entry, as "kind column was>now items breaks".
func (b *testBundle) found(t *testing.T, resource uuid.UUID) []string {
	t.Helper()
	list, _, err := b.service.Drifts(b.ctx, b.operator, catalog.DriftFilter{ResourceID: resource, State: "open"}, db.Page{})
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, d := range list {
		line := fmt.Sprintf("%s %s %s>%s %s", d.Kind, d.Column, d.Was, d.Now, strings.Join(d.Items, "+"))
		if d.Breaks {
			line += " breaks"
		}
		out = append(out, strings.TrimSpace(line))
	}
	return out
}

// Every way in which a table can change is found by a probe, breaks the mount exactly where an item cannot be filled as promised,
// and is over when the table is as it was.
func TestDriftKinds(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r, mount, settings := b.drifting(t, "结构变化")
	for _, c := range []struct{ name, sql, undo, want string }{
		{"a column is added", "ADD COLUMN extra int", "DROP COLUMN extra", "added extra >integer"},
		{"a column that nothing uses is dropped", "DROP COLUMN remark", "ADD COLUMN remark varchar(80)", "dropped remark character varying(80)>"},
		{"a column that feeds an item is dropped", "DROP COLUMN title", "ADD COLUMN title varchar(150)", "dropped title character varying(150)> title breaks"},
		{"the watermark is dropped", "DROP COLUMN stamp", "ADD COLUMN stamp timestamptz", "dropped stamp timestamp with time zone> watermark_column breaks"},
		{"a column is renamed", "RENAME COLUMN title TO caption", "RENAME COLUMN caption TO title", "renamed title title>caption title breaks"},
		{"another type", "ALTER COLUMN title TYPE int USING NULL", "ALTER COLUMN title TYPE varchar(150)", "retyped title character varying(150)>integer title breaks"},
		{"another type where nothing is fed", "ALTER COLUMN n TYPE text", "ALTER COLUMN n TYPE bigint USING n::bigint", "retyped n bigint>text"},
		{"narrower than the item", "ALTER COLUMN title TYPE varchar(99)", "ALTER COLUMN title TYPE varchar(150)", "narrowed title character varying(150)>character varying(99) title breaks"},
		{"narrower and still wide enough", "ALTER COLUMN title TYPE varchar(100)", "ALTER COLUMN title TYPE varchar(150)", "narrowed title character varying(150)>character varying(100) title"},
		{"wider", "ALTER COLUMN title TYPE varchar(300)", "ALTER COLUMN title TYPE varchar(150)", "widened title character varying(150)>character varying(300) title"},
		{"without bound", "ALTER COLUMN title TYPE text", "ALTER COLUMN title TYPE varchar(150)", "widened title character varying(150)>text title"},
		{"a smaller number", "ALTER COLUMN n TYPE int", "ALTER COLUMN n TYPE bigint", "narrowed n bigint>integer"},
		{"fewer decimals", "ALTER COLUMN price TYPE numeric(10,1)", "ALTER COLUMN price TYPE numeric(10,2)", "narrowed price numeric(10,2)>numeric(10,1)"},
		{"more digits", "ALTER COLUMN price TYPE numeric(12,2)", "ALTER COLUMN price TYPE numeric(10,2)", "widened price numeric(10,2)>numeric(12,2)"},
		{"the key may be empty", "DROP CONSTRAINT thing_pkey, ALTER COLUMN no DROP NOT NULL", "ADD PRIMARY KEY (no)", "nullable no > no"},
		{"the table is gone", "RENAME TO elsewhere", "", "gone  public.thing>  breaks"},
	} {
		b.at(t, settings, "ALTER TABLE thing "+c.sql)
		if _, err := b.service.Probe(b.ctx, b.operator, mount.SourceID); err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		if diff := cmp.Diff([]string{c.want}, b.found(t, r.ID)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
		undo := "ALTER TABLE thing " + c.undo
		if c.undo == "" {
			undo = "ALTER TABLE elsewhere RENAME TO thing"
		}
		b.at(t, settings, undo+`; COMMENT ON COLUMN thing.title IS '名称'`)
		if _, err := b.service.Probe(b.ctx, b.operator, mount.SourceID); err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		if left := b.found(t, r.ID); left != nil {
			t.Errorf("%s: left %v", c.name, left)
		}
	}
	b.at(t, settings, `COMMENT ON COLUMN thing.title IS '标题'`)
	if _, err := b.service.Probe(b.ctx, b.operator, mount.SourceID); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"commented title 名称>标题 title"}, b.found(t, r.ID)); diff != "" {
		t.Errorf("a comment (-want +got):\n%s", diff)
	}
}

// What breaks a mount begins one change draft of the entry, in the hub's name and with the reason; what informs begins none.
func TestDriftDraft(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r, mount, settings := b.drifting(t, "变更草稿")
	probe := func() {
		t.Helper()
		if _, err := b.service.Probe(b.ctx, b.operator, mount.SourceID); err != nil {
			t.Fatal(err)
		}
	}
	newest := func() catalog.Resource {
		t.Helper()
		got, err := b.service.Get(b.ctx, b.operator, r.ID)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	b.at(t, settings, "ALTER TABLE thing ADD COLUMN extra int")
	probe()
	if got := newest(); got.Newest != 1 {
		t.Fatalf("a new column began version %d", got.Newest)
	}
	b.at(t, settings, "ALTER TABLE thing DROP COLUMN title")
	probe()
	got := newest()
	if got.Newest != 2 || got.Published != 1 {
		t.Fatalf("newest %d, published %d", got.Newest, got.Published)
	}
	steps, err := b.service.History(b.ctx, b.operator, r.ID)
	if err != nil || len(steps) == 0 {
		t.Fatal(steps, err)
	}
	last := steps[len(steps)-1]
	if last.Step != catalog.StepDrift || last.Version != 2 || last.Reason == "" || last.ActorID != uuid.Nil || !strings.Contains(string(last.Document), `"title"`) {
		t.Errorf("the history says %+v", last)
	}
	b.at(t, settings, "ALTER TABLE thing DROP COLUMN stamp")
	probe()
	breaking, _, err := b.service.Drifts(b.ctx, b.platform, catalog.DriftFilter{MountID: mount.ID, State: "breaking"}, db.Page{})
	if err != nil || len(breaking) != 2 || breaking[0].DraftVersion != 2 || breaking[1].DraftVersion != 2 || newest().Newest != 2 {
		t.Errorf("got %+v, %v", breaking, err)
	}
	// The draft is the department's to finish: without what is gone it passes the review, and its new mount ends the findings.
	m := small("变更草稿")
	m.Items = m.Items[:1:1]
	m.DeclaredShare, m.ShareCondition, m.ShareScope, m.SharePurpose = catalog.Unconditional, "", "", ""
	if _, err := b.service.EditDraft(b.ctx, b.operator, r.ID, 0, m); err != nil {
		t.Fatal(err)
	}
	b.review(t, r.ID)
	got, err = b.service.Get(b.ctx, b.operator, r.ID)
	if err != nil || got.Published != 2 {
		t.Fatalf("published %d, %v", got.Published, err)
	}
	b.activate(t, got, catalog.MountInput{SourceID: mount.SourceID, Object: "public.thing", Columns: []catalog.MountColumn{{ItemNo: 1, Column: "no"}}})
	probe()
	if left := b.found(t, r.ID); left != nil {
		t.Errorf("left %v", left)
	}
}

// What breaks a mount starts the clock of the update once, in the hub's name; it stops when the source is again as it was, and ends
// with the version that follows it.
func TestDriftStartsTheClock(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r, mount, settings := b.drifting(t, "变更时限")
	changes := func() (said []string) {
		t.Helper()
		if _, err := b.service.Probe(b.ctx, b.operator, mount.SourceID); err != nil {
			t.Fatal(err)
		}
		all, _, err := b.service.ChangeEvents(b.ctx, b.operator, catalog.ChangeFilter{ResourceID: r.ID}, db.Page{})
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range all {
			if c.Cause != catalog.CauseDrift || c.RecordedBy != uuid.Nil || c.DueAt.IsZero() {
				t.Errorf("got %+v", c)
			}
			said = append(said, string(c.State)+" "+c.Detail)
		}
		slices.Sort(said)
		return said
	}
	b.at(t, settings, "ALTER TABLE thing ADD COLUMN extra int")
	if got := changes(); got != nil {
		t.Errorf("a new column: %v", got)
	}
	for _, sql := range []string{"ALTER TABLE thing RENAME COLUMN title TO gone", "ALTER TABLE thing RENAME COLUMN stamp TO gone_too"} {
		b.at(t, settings, sql)
		if diff := cmp.Diff([]string{"open public.thing: title"}, changes()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", sql, diff)
		}
	}
	b.at(t, settings, "ALTER TABLE thing RENAME COLUMN gone TO title")
	if diff := cmp.Diff([]string{"open public.thing: title"}, changes()); diff != "" {
		t.Errorf("half as it was (-want +got):\n%s", diff)
	}
	b.at(t, settings, "ALTER TABLE thing RENAME COLUMN gone_too TO stamp")
	if diff := cmp.Diff([]string{"withdrawn public.thing: title"}, changes()); diff != "" {
		t.Errorf("as it was (-want +got):\n%s", diff)
	}
	b.at(t, settings, "ALTER TABLE thing DROP COLUMN title")
	if diff := cmp.Diff([]string{"open public.thing: title", "withdrawn public.thing: title"}, changes()); diff != "" {
		t.Errorf("broken again (-want +got):\n%s", diff)
	}
}

// Findings are for those who may see the sources of the department, page by page, and end with the mount.
func TestDrifts(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r, mount, settings := b.drifting(t, "可见范围")
	b.at(t, settings, "ALTER TABLE thing ADD COLUMN a int, ADD COLUMN b int, ADD COLUMN c int")
	if _, err := b.service.Probe(b.ctx, b.operator, mount.SourceID); err != nil {
		t.Fatal(err)
	}
	count := func(p authz.Principal) int {
		t.Helper()
		n, cursor := 0, ""
		for {
			list, next, err := b.service.Drifts(b.ctx, p, catalog.DriftFilter{}, db.Page{Limit: 2, Cursor: cursor})
			if err != nil {
				t.Fatal(err)
			}
			if n += len(list); next == "" {
				return n
			}
			cursor = next
		}
	}
	if own, all, others := count(b.admin), count(b.platform), count(b.marketOperator); own != 3 || all != 3 || others != 0 {
		t.Errorf("seen: %d by the department, %d by the platform, %d by others", own, all, others)
	}
	_, _, err := b.service.Drifts(b.ctx, authztest.Person(uuid.Nil, authz.Auditor), catalog.DriftFilter{}, db.Page{})
	wantCode(t, err, fault.Forbidden, "forbidden")
	_, _, err = b.service.Drifts(b.ctx, b.admin, catalog.DriftFilter{State: "any"}, db.Page{})
	wantFields(t, err, "state unknown")
	if _, err := b.service.SuspendMount(b.ctx, b.admin, mount.ID, 0, "停机"); err != nil {
		t.Fatal(err)
	}
	if left := b.found(t, r.ID); left != nil {
		t.Errorf("a suspended mount leaves %v", left)
	}
}
