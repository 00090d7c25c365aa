package catalog_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/shuqiao/shuqiao/catalog"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// How deletes arrive is judged as it is stated, then against the live schemas of the object and of the delete table; what is
// right is kept as it was given.
func TestMountDeletes(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := b.publish(t, small("删除"))
	source, err := b.service.CreateSource(b.ctx, b.operator, catalog.SourceInput{
		Name: "删除", Driver: "postgres",
		Settings: sourceDatabase(t, sourceTable+"; CREATE TABLE departed (who varchar(20), n int, at timestamptz)"),
	})
	if err != nil {
		t.Fatal(err)
	}
	table := func(keys []string, mark string) *catalog.MountDeletes {
		return &catalog.MountDeletes{Object: "public.departed", KeyColumns: keys, WatermarkColumn: mark}
	}
	for _, c := range []struct {
		name, rule string
		deletes    *catalog.MountDeletes
		stated     string // The field refused as it is stated.
		checked    string // The field refused against the source.
	}{
		{"an unknown rule", "guess", nil, "delete_rule", ""},
		{"a rule that needs nothing", catalog.DeleteMissing, &catalog.MountDeletes{Column: "remark"}, "deletes", ""},
		{"a soft delete without a column", catalog.DeleteSoft, nil, "deletes.column", ""},
		{"a soft delete elsewhere", catalog.DeleteSoft, &catalog.MountDeletes{Column: "remark", Object: "public.departed"}, "deletes.object", ""},
		{"too many values", catalog.DeleteSoft, &catalog.MountDeletes{Column: "remark", Values: make([]string, 21)}, "deletes.values", ""},
		{"a delete table without columns", catalog.DeleteTable, table(nil, "at"), "deletes", ""},
		{"a soft delete that is not there", catalog.DeleteSoft, &catalog.MountDeletes{Column: "gone"}, "", "deletes.column"},
		{"too many key columns", catalog.DeleteTable, table([]string{"who", "n"}, "at"), "", "deletes.key_columns"},
		{"a key of another kind", catalog.DeleteTable, table([]string{"n"}, "at"), "", "deletes.key_columns[0]"},
		{"a watermark without a clock", catalog.DeleteTable, table([]string{"who"}, "n"), "", "deletes.watermark_column"},
		{"a soft delete", catalog.DeleteSoft, &catalog.MountDeletes{Column: "remark", Values: []string{"注销"}}, "", ""},
		{"a delete table", catalog.DeleteTable, table([]string{"who"}, "at"), "", ""},
	} {
		in := input(source)
		in.DeleteRule, in.Deletes = c.rule, c.deletes
		mount, err := b.service.CreateMount(b.ctx, b.operator, r.ID, in)
		if c.stated != "" {
			f, ok := errors.AsType[*fault.Fault](err)
			if !ok || len(f.Fields) != 1 || f.Fields[0].Name != c.stated {
				t.Errorf("%s: got %v", c.name, err)
			}
			continue
		}
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		report, err := b.service.CheckMount(b.ctx, b.operator, mount.ID, 0)
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		if c.checked != "" {
			if len(report.Blocks) != 1 || report.Blocks[0].Name != c.checked || report.Mount.State != catalog.MountDraft {
				t.Errorf("%s: got %+v", c.name, report.Blocks)
			}
			continue
		}
		if diff := cmp.Diff(c.deletes, report.Mount.Deletes); diff != "" || report.Mount.State != catalog.MountSubmitted {
			t.Errorf("%s: %s, deletes (-want +got):\n%s", c.name, report.Mount.State, diff)
		}
	}
}
