package catalog_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/catalog"
	"github.com/shuqiao/shuqiao/connectors"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
)

const sourceTable = `
	CREATE TABLE thing (no varchar(20) PRIMARY KEY, title varchar(150), remark text, stamp timestamptz, shape bytea);
	INSERT INTO thing VALUES ('1', 'eins', NULL, now(), NULL)`

// mounted makes a published entry of the police and a source that holds its rows.
func (b *testBundle) mounted(t *testing.T, name string) (catalog.Resource, catalog.Source) {
	t.Helper()
	r := b.publish(t, small(name))
	source, err := b.service.CreateSource(b.ctx, b.operator, catalog.SourceInput{Name: name, Driver: "postgres", Settings: sourceDatabase(t, sourceTable)})
	if err != nil {
		t.Fatal(err)
	}
	return r, source
}

func input(source catalog.Source) catalog.MountInput {
	return catalog.MountInput{SourceID: source.ID, Object: "public.thing", Columns: []catalog.MountColumn{
		{ItemNo: 1, Column: "no"}, {ItemNo: 2, Column: "title"}, {ItemNo: 3, Reason: "源系统未采集"},
	}}
}

// Credentials are sealed: no answer, stored column or event holds them, and they open only for their own source.
func TestCredentialsStaySealed(t *testing.T) {
	t.Parallel()
	b := setup(t)
	settings := sourceDatabase(t, sourceTable)
	dsn := settings["dsn"]
	source, err := b.service.CreateSource(b.ctx, b.operator, catalog.SourceInput{Name: "人口库", Driver: "postgres", Settings: settings})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.service.Probe(b.ctx, b.operator, source.ID); err != nil {
		t.Fatal(err)
	}
	updated, err := b.service.UpdateSource(b.ctx, b.operator, source.ID, 0, catalog.SourceInput{Name: "人口库二", Driver: "postgres"})
	if err != nil {
		t.Fatal(err)
	}
	listed, _, err := b.service.Sources(b.ctx, b.operator, b.police.ID, db.Page{})
	if err != nil || len(listed) != 1 || listed[0].LastProbe == nil || !listed[0].LastProbe.OK {
		t.Fatalf("got %+v, %v", listed, err)
	}
	shown, err := json.Marshal([]any{source, updated, listed})
	if err != nil {
		t.Fatal(err)
	}
	var stored []byte
	err = b.db.Pool.QueryRow(b.ctx, `
		SELECT convert_to((SELECT string_agg(s::text, ' ') FROM source s) || (SELECT string_agg(encode(body, 'escape'), ' ') FROM event), 'UTF8')`).Scan(&stored)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string][]byte{"an answer": shown, "a table": stored} {
		if bytes.Contains(text, []byte(dsn)) || bytes.Contains(text, []byte("postgres://")) {
			t.Errorf("%s holds the credentials", name)
		}
	}
	// The same sealed bytes on another row do not open.
	other, err := b.service.CreateSource(b.ctx, b.operator, catalog.SourceInput{Name: "副本", Driver: "postgres", Settings: sourceDatabase(t, "")})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.db.Pool.Exec(b.ctx, "UPDATE source SET sealed = (SELECT sealed FROM source WHERE id = $1) WHERE id = $2", source.ID, other.ID); err != nil {
		t.Fatal(err)
	}
	result, err := b.service.Probe(b.ctx, b.operator, other.ID)
	if err != nil || result.OK || result.Code != "source_credentials" {
		t.Errorf("got %+v, %v", result, err)
	}
}

// Settings are checked by the driver's specification, and stored secrets never go to another server.
func TestSourceSettings(t *testing.T) {
	t.Parallel()
	b := setup(t)
	_, err := b.service.CreateSource(b.ctx, b.operator, catalog.SourceInput{Driver: "abacus"})
	wantFields(t, err, "name required", "driver not_choice")
	_, err = b.service.CreateSource(b.ctx, b.operator, catalog.SourceInput{Name: "x", Driver: "postgres", Settings: map[string]string{"port": "zero", "colour": "red", "host": "h", "database": "d", "user": "u"}})
	wantFields(t, err, "settings.port not_int", "settings.colour unknown")
	single := map[string]string{"host": "127.0.0.1", "port": "1", "database": "d", "user": "u", "password": "示例口令-do-not-show"}
	source, err := b.service.CreateSource(b.ctx, b.operator, catalog.SourceInput{Name: "单项", Driver: "postgres", Settings: single})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]string{"host": "127.0.0.1", "port": "1", "database": "d", "user": "u"}, source.Settings); diff != "" {
		t.Errorf("settings (-want +got):\n%s", diff)
	}
	moved := map[string]string{"host": "192.0.2.1", "port": "1", "database": "d", "user": "u"}
	_, err = b.service.UpdateSource(b.ctx, b.operator, source.ID, 0, catalog.SourceInput{Name: "单项", Driver: "postgres", Settings: moved})
	wantFields(t, err, "settings.password required")
	_, err = b.service.UpdateSource(b.ctx, b.operator, source.ID, 0, catalog.SourceInput{Name: "改名", Driver: "postgres", Settings: source.Settings})
	if err != nil {
		t.Errorf("renaming needed the password: %v", err)
	}
	_, err = b.service.UpdateSource(b.ctx, b.operator, source.ID, 1, catalog.SourceInput{Name: "改名", Driver: "postgres", Settings: source.Settings})
	wantCode(t, err, fault.Precondition, "version_mismatch")
	// Nothing listens there: the answer is a result with advice in plain words.
	result, err := b.service.Probe(b.ctx, b.operator, source.ID)
	if err != nil || result.OK || result.Code != connectors.CodeDown || result.Advice == "" || strings.Contains(result.Advice, "do-not-show") {
		t.Errorf("got %+v, %v", result, err)
	}
}

// People of another department neither see nor use a department's sources and mounts.
func TestIsolationOfSourcesAndMounts(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r, source := b.mounted(t, "隔离")
	mount, err := b.service.CreateMount(b.ctx, b.operator, r.ID, input(source))
	if err != nil {
		t.Fatal(err)
	}
	for name, try := range map[string]func() error{
		"source": func() error { _, err := b.service.Source(b.ctx, b.marketAdm, source.ID); return err },
		"probe":  func() error { _, err := b.service.Probe(b.ctx, b.marketOperator, source.ID); return err },
		"tables": func() error { _, err := b.service.Tables(b.ctx, b.marketOperator, source.ID, 0); return err },
		"describe": func() error {
			_, err := b.service.Describe(b.ctx, b.marketOperator, source.ID, "public.thing")
			return err
		},
		"update": func() error {
			_, err := b.service.UpdateSource(b.ctx, b.marketOperator, source.ID, 0, catalog.SourceInput{})
			return err
		},
		"mount": func() error { _, err := b.service.Mount(b.ctx, b.marketAdm, mount.ID); return err },
		"edit": func() error {
			_, err := b.service.EditMount(b.ctx, b.marketOperator, mount.ID, 0, input(source))
			return err
		},
		"check": func() error { _, err := b.service.CheckMount(b.ctx, b.marketOperator, mount.ID, 0); return err },
		"activate": func() error {
			_, err := b.service.ActivateMount(b.ctx, b.marketAdm, mount.ID, 0)
			return err
		},
	} {
		if err := try(); !fault.Is(err, fault.NotFound) {
			t.Errorf("%s: got %v, want not found", name, err)
		}
	}
	for name, try := range map[string]func() error{
		"list sources": func() error {
			_, _, err := b.service.Sources(b.ctx, b.marketAdm, b.police.ID, db.Page{})
			return err
		},
		"list mounts": func() error { _, err := b.service.Mounts(b.ctx, b.marketAdm, r.ID); return err },
		"create mount": func() error {
			_, err := b.service.CreateMount(b.ctx, b.marketOperator, r.ID, input(source))
			return err
		},
	} {
		if err := try(); !fault.Is(err, fault.Forbidden) {
			t.Errorf("%s: got %v, want forbidden", name, err)
		}
	}
	own, err := b.service.CreateResource(b.ctx, b.marketOperator, small("借用来源"))
	if err != nil {
		t.Fatal(err)
	}
	_, err = b.service.CreateMount(b.ctx, b.marketOperator, own.ID, input(source))
	wantFields(t, err, "source_id unknown")
}

// A mount is checked against the live schema: while an item is unmapped or cannot be converted it stays a draft, then it
// is submitted, activated, and feeds the entry alone.
func TestMountLifeCycle(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r, source := b.mounted(t, "挂接")
	in := input(source)
	in.Columns = []catalog.MountColumn{
		{ItemNo: 1, Column: ""}, {ItemNo: 2, Column: "shape"}, {ItemNo: 2, Column: "title"}, {ItemNo: 9, Column: "title"},
	}
	in.OrderColumn, in.WatermarkColumn = "ghost", "shape"
	mount, err := b.service.CreateMount(b.ctx, b.operator, r.ID, in)
	if err != nil {
		t.Fatal(err)
	}
	report, err := b.service.CheckMount(b.ctx, b.operator, mount.ID, 0)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"columns unmapped", "columns[0].column required", "columns[1].column incompatible_type", "columns[2].item_no duplicate",
		"columns[3].item_no unknown", "order_column column_missing", "watermark_column incompatible_type",
	}
	if diff := cmp.Diff(want, sorted(fieldNames(report.Blocks))); diff != "" || report.Mount.State != catalog.MountDraft {
		t.Fatalf("in state %s, blocks (-want +got):\n%s", report.Mount.State, diff)
	}
	_, err = b.service.ActivateMount(b.ctx, b.admin, mount.ID, 0)
	wantCode(t, err, fault.Conflict, "illegal_move")

	good := input(source)
	good.OrderColumn, good.WatermarkColumn = "stamp", "stamp"
	if _, err := b.service.EditMount(b.ctx, b.operator, mount.ID, 0, good); err != nil {
		t.Fatal(err)
	}
	if report, err = b.service.CheckMount(b.ctx, b.operator, mount.ID, 0); err != nil {
		t.Fatal(err)
	}
	if report.Mount.State != catalog.MountSubmitted || len(report.Blocks) > 0 {
		t.Fatalf("got %s, blocks %v", report.Mount.State, report.Blocks)
	}
	if diff := cmp.Diff([]string{"columns[1].column longer", "watermark_column nullable"}, sorted(fieldNames(report.Warnings))); diff != "" {
		t.Errorf("warnings (-want +got):\n%s", diff)
	}
	_, err = b.service.ActivateMount(b.ctx, b.operator, mount.ID, 0)
	wantCode(t, err, fault.Forbidden, "forbidden")
	active, err := b.service.ActivateMount(b.ctx, b.admin, mount.ID, report.Mount.RowVersion)
	if err != nil {
		t.Fatal(err)
	}
	got, err := b.service.ActiveMount(b.ctx, r.ID)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(active, got); diff != "" {
		t.Errorf("active mount (-want +got):\n%s", diff)
	}
	if got.Columns[0].Kind != "text" || got.Columns[2].Kind != "" || !slices.Equal(got.Schema.Key, []string{"no"}) {
		t.Errorf("got columns %v, key %v", got.Columns, got.Schema.Key)
	}

	// A second mount takes over; the first is suspended and cannot come back beside it.
	second, err := b.service.CreateMount(b.ctx, b.operator, r.ID, good)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.service.CheckMount(b.ctx, b.operator, second.ID, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := b.service.ActivateMount(b.ctx, b.admin, second.ID, 0); err != nil {
		t.Fatal(err)
	}
	_, err = b.service.ResumeMount(b.ctx, b.admin, mount.ID, 0)
	wantCode(t, err, fault.Conflict, "already_active")
	_, err = b.service.SuspendMount(b.ctx, b.admin, second.ID, 0, "")
	wantFields(t, err, "reason required")
	if _, err := b.service.SuspendMount(b.ctx, b.admin, second.ID, 0, "源表改造"); err != nil {
		t.Fatal(err)
	}
	_, err = b.service.ActiveMount(b.ctx, r.ID)
	wantCode(t, err, fault.NotFound, "not_found")
	if _, err := b.service.ResumeMount(b.ctx, b.admin, mount.ID, 0); err != nil {
		t.Fatal(err)
	}
	_, err = b.service.RemoveMount(b.ctx, b.operator, mount.ID, 0, "不再需要")
	wantCode(t, err, fault.Forbidden, "forbidden")
	if _, err := b.service.RemoveMount(b.ctx, b.admin, mount.ID, 0, "不再需要"); err != nil {
		t.Fatal(err)
	}
}

// Every pair of mount state and step is either a move of the table or refused with the moves possible now.
func TestEveryMountStateAndStep(t *testing.T) {
	t.Parallel()
	b := setup(t)
	steps := map[catalog.MountStep]func(id uuid.UUID, in catalog.MountInput) error{
		catalog.MountEdit: func(id uuid.UUID, in catalog.MountInput) error {
			_, err := b.service.EditMount(b.ctx, b.operator, id, 0, in)
			return err
		},
		catalog.MountCheck: func(id uuid.UUID, _ catalog.MountInput) error {
			_, err := b.service.CheckMount(b.ctx, b.operator, id, 0)
			return err
		},
		catalog.MountActivate: func(id uuid.UUID, _ catalog.MountInput) error {
			_, err := b.service.ActivateMount(b.ctx, b.admin, id, 0)
			return err
		},
		catalog.MountReject: func(id uuid.UUID, _ catalog.MountInput) error {
			_, err := b.service.RejectMount(b.ctx, b.admin, id, 0, "映射有误")
			return err
		},
		catalog.MountSuspend: func(id uuid.UUID, _ catalog.MountInput) error {
			_, err := b.service.SuspendMount(b.ctx, b.admin, id, 0, "源表改造")
			return err
		},
		catalog.MountResume: func(id uuid.UUID, _ catalog.MountInput) error {
			_, err := b.service.ResumeMount(b.ctx, b.admin, id, 0)
			return err
		},
		catalog.MountRemove: func(id uuid.UUID, _ catalog.MountInput) error {
			_, err := b.service.RemoveMount(b.ctx, b.admin, id, 0, "不再需要")
			if fault.CodeOf(err) == "forbidden" { // Before it is in use, its maker removes it.
				_, err = b.service.RemoveMount(b.ctx, b.operator, id, 0, "")
			}
			return err
		},
	}
	r, source := b.mounted(t, "状态")
	for _, state := range []catalog.MountState{
		catalog.MountDraft, catalog.MountChecking, catalog.MountSubmitted, catalog.MountActive, catalog.MountRejected, catalog.MountSuspended, catalog.MountRemoved,
	} {
		for step, do := range steps {
			mount, err := b.service.CreateMount(b.ctx, b.operator, r.ID, input(source))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := b.db.Pool.Exec(b.ctx, "UPDATE mount SET state = 'removed' WHERE state = 'active'"); err != nil {
				t.Fatal(err)
			}
			if _, err := b.db.Pool.Exec(b.ctx, "UPDATE mount SET state = $2 WHERE id = $1", mount.ID, string(state)); err != nil {
				t.Fatal(err)
			}
			err = do(mount.ID, input(source))
			allowed := slices.ContainsFunc(catalog.MountMoves(), func(m catalog.MountMove) bool { return m.From == state && m.Step == step })
			if allowed && err != nil {
				t.Errorf("%s in %s: %v", step, state, err)
			}
			if !allowed {
				f, ok := errors.AsType[*fault.Fault](err)
				if !ok || f.Code != "illegal_move" || f.Detail["state"] != string(state) {
					t.Errorf("%s in %s: got %v, want an illegal move", step, state, err)
				}
			}
		}
	}
}

// Withheld data are never mounted: neither a withheld entry nor a withheld item, and what is mounted cannot be withheld.
func TestWithheldIsNeverMounted(t *testing.T) {
	t.Parallel()
	b := setup(t)
	hidden := b.publish(t, withheld(small("不予共享")))
	r, source := b.mounted(t, "部分不予共享")
	_, err := b.service.CreateMount(b.ctx, b.operator, hidden.ID, input(source))
	wantCode(t, err, fault.Conflict, "withheld")
	b.activate(t, r, input(source))

	if _, err := b.service.StartVersion(b.ctx, b.operator, r.ID, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := b.service.EditDraft(b.ctx, b.operator, r.ID, 0, withheld(small("部分不予共享"))); err != nil {
		t.Fatal(err)
	}
	_, err = b.service.Submit(b.ctx, b.operator, r.ID, 0)
	wantFields(t, err, "declared_share_type mounted")

	// Withholding one item suspends the mount that feeds it, and the next mount must leave it out.
	m, w := small("部分不予共享"), withheld(small("x"))
	m.WithholdReason, m.WithholdBasis, m.WithholdRuling = w.WithholdReason, w.WithholdBasis, w.WithholdRuling
	m.Items[1].ShareType = catalog.Withheld
	if _, err := b.service.EditDraft(b.ctx, b.operator, r.ID, 0, m); err != nil {
		t.Fatal(err)
	}
	b.review(t, r.ID)
	_, err = b.service.ActiveMount(b.ctx, r.ID)
	wantCode(t, err, fault.NotFound, "not_found")
	mount, err := b.service.CreateMount(b.ctx, b.operator, r.ID, input(source))
	if err != nil {
		t.Fatal(err)
	}
	report, err := b.service.CheckMount(b.ctx, b.operator, mount.ID, 0)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"columns[1].item_no withheld"}, fieldNames(report.Blocks)); diff != "" {
		t.Errorf("blocks (-want +got):\n%s", diff)
	}
}

// activate takes a mount all the way.
func (b *testBundle) activate(t *testing.T, r catalog.Resource, in catalog.MountInput) catalog.Mount {
	t.Helper()
	mount, err := b.service.CreateMount(b.ctx, b.operator, r.ID, in)
	if err != nil {
		t.Fatal(err)
	}
	report, err := b.service.CheckMount(b.ctx, b.operator, mount.ID, 0)
	if err != nil || len(report.Blocks) > 0 {
		t.Fatalf("blocks %v, %v", report.Blocks, err)
	}
	if mount, err = b.service.ActivateMount(b.ctx, b.admin, mount.ID, 0); err != nil {
		t.Fatal(err)
	}
	return mount
}

// A mount follows to a new version with the same items; with more items it goes on under its own version.
func TestMountIsCarriedOver(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		more bool
		want int
	}{"same items": {false, 2}, "one more item": {true, 1}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			r, source := b.mounted(t, "延续")
			b.activate(t, r, input(source))
			m := small("延续二")
			if test.more {
				m.Items = append(m.Items, catalog.Item{Name: "新增", Identifier: "added", DataType: catalog.Date, ShareType: catalog.Conditional, Grade: catalog.L2})
			}
			if _, err := b.service.StartVersion(b.ctx, b.operator, r.ID, 0); err != nil {
				t.Fatal(err)
			}
			if _, err := b.service.EditDraft(b.ctx, b.operator, r.ID, 0, m); err != nil {
				t.Fatal(err)
			}
			b.review(t, r.ID)
			got, err := b.service.ActiveMount(b.ctx, r.ID)
			if err != nil || got.Version != test.want {
				t.Errorf("got version %d, %v, want %d", got.Version, err, test.want)
			}
		})
	}
}

// Sources answer what they hold, and are opened for collecting only with a decision about a resource they feed.
func TestSourcesAreRead(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r, source := b.mounted(t, "读取")
	tables, err := b.service.Tables(b.ctx, b.operator, source.ID, 0)
	if err != nil || len(tables) != 1 || tables[0].Object != "public.thing" {
		t.Fatalf("got %v, %v", tables, err)
	}
	schema, err := b.service.Describe(b.ctx, b.operator, source.ID, "public.thing")
	if err != nil || len(schema.Columns) != 5 {
		t.Fatalf("got %v, %v", schema, err)
	}
	_, err = b.service.Describe(b.ctx, b.operator, source.ID, "public.ghost\x00")
	wantCode(t, err, fault.Conflict, connectors.CodeObjectMissing)
	_, err = b.service.OpenSource(b.ctx, authz.Decision{}, source.ID)
	wantCode(t, err, fault.Forbidden, "forbidden")
	decide := func(id uuid.UUID) authz.Decision {
		d, err := b.node.Enforcer.Check(b.ctx, authz.Hub("test"), authz.DataCollect, authz.Target{
			Kind: "resource", ID: id.String(), ShareType: "conditional", Grade: "L2", State: "published", Granted: true,
		})
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	_, err = b.service.OpenSource(b.ctx, decide(r.ID), source.ID)
	wantCode(t, err, fault.Forbidden, "forbidden")
	b.activate(t, r, input(source))
	c, err := b.service.OpenSource(b.ctx, decide(r.ID), source.ID)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Now(b.ctx); err != nil {
		t.Error(err)
	}
}

// A source that is gone fails the check with what to do, and leaves the mount a draft that can be checked again.
func TestCheckWithoutSource(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := b.publish(t, small("断开"))
	source, err := b.service.CreateSource(b.ctx, b.operator, catalog.SourceInput{
		Name: "断开", Driver: "postgres", Settings: map[string]string{"host": "127.0.0.1", "port": "1", "database": "d", "user": "u"},
	})
	if err != nil {
		t.Fatal(err)
	}
	mount, err := b.service.CreateMount(b.ctx, b.operator, r.ID, input(source))
	if err != nil {
		t.Fatal(err)
	}
	_, err = b.service.CheckMount(b.ctx, b.operator, mount.ID, 0)
	wantCode(t, err, fault.Unavailable, connectors.CodeDown)
	got, err := b.service.Mount(b.ctx, b.operator, mount.ID)
	if err != nil || got.State != catalog.MountDraft || got.Note == "" {
		t.Errorf("got %s %q, %v", got.State, got.Note, err)
	}
}

// What a column can feed agrees with the kinds that connectors have.
func TestFeedsKnowsEveryKind(t *testing.T) {
	t.Parallel()
	for _, kind := range connectors.Kinds() {
		if !catalog.Feeds(kind, catalog.Item{DataType: catalog.Char}) && !catalog.Feeds(kind, catalog.Item{DataType: catalog.General, Format: "geometry"}) {
			t.Errorf("a column of kind %s feeds nothing", kind)
		}
	}
	if catalog.Feeds(connectors.Geometry, catalog.Item{DataType: catalog.General}) || catalog.Feeds(connectors.Text, catalog.Item{}) {
		t.Error("geometry feeds files, or text feeds an item without a type")
	}
}

// A mount that states nonsense is refused field by field.
func TestMountInput(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r, _ := b.mounted(t, "输入")
	_, err := b.service.CreateMount(b.ctx, b.operator, r.ID, catalog.MountInput{
		SourceID: uuid.New(), RowFilter: json.RawMessage("[1]"), DeleteRule: "all", OrderColumn: "a\x00",
	})
	wantFields(t, err, "source_id unknown", "object required", "delete_rule not_choice", "row_filter bad_form", "order_column bad_character")
	_, err = b.service.CreateMount(b.ctx, b.operator, r.ID, catalog.MountInput{Version: 7})
	wantFields(t, err, "version unknown")
	_, err = b.service.CreateMount(b.ctx, b.operator, uuid.New(), catalog.MountInput{})
	wantCode(t, err, fault.NotFound, "not_found")
}
