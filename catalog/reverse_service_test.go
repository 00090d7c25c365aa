package catalog_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/catalog"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// firms is a table of made-up firms, whose credit codes are given, and a view of it.
func firms(t *testing.T, n int) string {
	t.Helper()
	var rows []string
	for i := range n {
		rows = append(rows, fmt.Sprintf("(%d, '%s', '示例企业%d', '138%08d', %d, '330602')", i, creditCode(t, 1000+i), i, i, i))
	}
	return `
		CREATE TABLE firm (id bigint PRIMARY KEY, tyshxydm varchar(18) NOT NULL, qymc varchar(100), fr_sjh varchar(20), zczb numeric(14,2), xzqh varchar(6));
		COMMENT ON TABLE firm IS '市场主体信息';
		COMMENT ON COLUMN firm.tyshxydm IS '统一社会信用代码';
		COMMENT ON COLUMN firm.qymc IS '企业名称(全称)';
		COMMENT ON COLUMN firm.fr_sjh IS '法定代表人手机';
		COMMENT ON COLUMN firm.zczb IS '注册资本';
		CREATE VIEW firm_view AS SELECT tyshxydm, qymc FROM firm;
		CREATE TABLE empty_one (a text);
		INSERT INTO firm VALUES ` + strings.Join(rows, ", ")
}

// Tables become drafts of the department with all that can be seen of them, by the rules of every draft; what they came from is
// remembered, and no row of the source is kept anywhere.
func TestDraftFromSource(t *testing.T) {
	t.Parallel()
	b := setup(t)
	settings := sourceDatabase(t, firms(t, 60))
	source, err := b.service.CreateSource(b.ctx, b.operator, catalog.SourceInput{Name: "企业库", Driver: "postgres", Settings: settings})
	if err != nil {
		t.Fatal(err)
	}
	in := catalog.DraftInput{Objects: []string{"public.firm", "public.firm_view", "public.nowhere", "public.empty_one"}}
	proposed, err := b.service.DraftFromSource(b.ctx, b.operator, source.ID, in)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []struct {
		name    string
		sampled int
		items   int
		problem string
	}{{"市场主体信息", 60, 6, ""}, {"firm_view", 60, 2, ""}, {"public.nowhere", 0, 0, "describe source_object_missing"}, {"empty_one", 0, 1, ""}} {
		got := proposed[i]
		problem := ""
		if got.Problem != nil {
			problem = got.Problem.Stage + " " + got.Problem.Code
		}
		if got.Proposal.Name != want.name || got.Proposal.Sampled != want.sampled || len(got.Proposal.Items) != want.items || problem != want.problem || got.ResourceID != uuid.Nil {
			t.Errorf("%s: got %q, %d rows, %d items, %s", in.Objects[i], got.Proposal.Name, got.Proposal.Sampled, len(got.Proposal.Items), problem)
		}
	}
	uscc, _ := proposed[0].Proposal.Items[1].Suggested("validator")
	if !uscc.Taken || uscc.Value != "uscc" || uscc.Evidence[0].Passed != 60 || uscc.Evidence[0].Of != 60 {
		t.Errorf("the evidence for the credit code is %+v", uscc)
	}
	in.Create, in.Objects = true, []string{"public.firm"}
	made, err := b.service.DraftFromSource(b.ctx, b.operator, source.ID, in)
	if err != nil || made[0].Problem != nil || made[0].ResourceID == uuid.Nil {
		t.Fatalf("got %+v, %v", made, err)
	}
	r, err := b.service.Get(b.ctx, b.operator, made[0].ResourceID)
	if err != nil || r.State != catalog.Draft || r.ProviderDeptID != b.police.ID || len(r.Version.Items) != 6 {
		t.Fatalf("got %+v, %v", r, err)
	}
	if mobile, _ := r.Version.Item("fr_sjh"); mobile.Validator != "mobile" || mobile.Grade != catalog.L3 || mobile.MaskRule != "mobile" || mobile.ShareType != catalog.Conditional {
		t.Errorf("the draft has %+v", mobile)
	}
	if key, _ := r.Version.Item("id"); !key.Key || !key.Required || key.DataType != catalog.Integer {
		t.Errorf("the key is %+v", key)
	}
	origin, err := b.service.Origin(b.ctx, b.operator, r.ID)
	if err != nil || origin.SourceID != source.ID || origin.Object != "public.firm" || len(origin.Proposal.Items) != 6 {
		t.Errorf("it comes from %+v, %v", origin, err)
	}
	// The items block nothing: what is left are the statements that only the department can make.
	findings, err := b.service.Findings(b.ctx, b.operator, r.ID)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range findings.Blocks {
		if strings.HasPrefix(f.Name, "items") {
			t.Errorf("%s %s", f.Name, f.Code)
		}
	}
	// The same table once more gets another name.
	again, err := b.service.DraftFromSource(b.ctx, b.operator, source.ID, in)
	if err != nil || again[0].ResourceID == uuid.Nil {
		t.Fatalf("got %+v, %v", again, err)
	}
	if r, err := b.service.Get(b.ctx, b.operator, again[0].ResourceID); err != nil || r.Name != "市场主体信息(public.firm)" {
		t.Errorf("the second is called %q, %v", r.Name, err)
	}
	third, err := b.service.DraftFromSource(b.ctx, b.operator, source.ID, in)
	if err != nil || third[0].Problem == nil || third[0].Problem.Stage != "draft" || third[0].ResourceID != uuid.Nil {
		t.Errorf("a third: %+v, %v", third, err)
	}
	var kept []byte
	err = b.db.Pool.QueryRow(b.ctx, `SELECT convert_to((SELECT string_agg(o::text, ' ') FROM resource_origin o) || (SELECT string_agg(body::text, ' ') FROM resource_version)
		|| (SELECT string_agg(encode(body, 'escape'), ' ') FROM event), 'UTF8')`).Scan(&kept)
	if err != nil {
		t.Fatal(err)
	}
	answered, err := json.Marshal([]any{proposed, made, origin})
	if err != nil {
		t.Fatal(err)
	}
	for _, value := range []string{creditCode(t, 1007), "示例企业7", "13800000007"} {
		if strings.Contains(string(kept), value) || strings.Contains(string(answered), value) {
			t.Errorf("a value of the source is kept or shown: %s", value)
		}
	}
}

// Only those who compile for the department of a source may draft from it, and nonsense is refused before the source is asked.
func TestDraftFromSourceRefusals(t *testing.T) {
	t.Parallel()
	b := setup(t)
	source, err := b.service.CreateSource(b.ctx, b.operator, catalog.SourceInput{Name: "示例库", Driver: "postgres", Settings: map[string]string{
		"host": "127.0.0.1", "port": "1", "database": "d", "user": "u",
	}})
	if err != nil {
		t.Fatal(err)
	}
	many := make([]string, 501)
	for i := range many {
		many[i] = fmt.Sprint("t", i)
	}
	rows := func(n int) *int { return &n }
	for _, c := range []struct {
		name string
		who  authz.Principal
		in   catalog.DraftInput
		kind fault.Kind
		code string
	}{
		{"the platform may look and not compile", b.platform, catalog.DraftInput{Objects: many[:1]}, fault.Forbidden, "forbidden"},
		{"so may the department's reviewer", b.admin, catalog.DraftInput{Objects: many[:1]}, fault.Forbidden, "forbidden"},
		{"others do not know of it", b.marketOperator, catalog.DraftInput{Objects: many[:1]}, fault.NotFound, "not_found"},
		{"no tables", b.operator, catalog.DraftInput{}, fault.Invalid, "objects required"},
		{"too many", b.operator, catalog.DraftInput{Objects: many}, fault.Invalid, "objects too_many"},
		{"twice the same", b.operator, catalog.DraftInput{Objects: []string{"a", "a"}}, fault.Invalid, "objects[1] duplicate"},
		{"no name", b.operator, catalog.DraftInput{Objects: []string{"a", " ", "\x00"}}, fault.Invalid, "objects[1] bad_form, objects[2] bad_form"},
		{"too many rows", b.operator, catalog.DraftInput{Objects: []string{"a"}, Rows: rows(1001)}, fault.Invalid, "rows out_of_range"},
		{"less than none", b.operator, catalog.DraftInput{Objects: []string{"a"}, Rows: rows(-1)}, fault.Invalid, "rows out_of_range"},
		{"a source that is down", b.operator, catalog.DraftInput{Objects: []string{"a"}}, fault.Unavailable, "source_down"},
	} {
		_, err := b.service.DraftFromSource(b.ctx, c.who, source.ID, c.in)
		if c.kind == fault.Invalid {
			wantFields(t, err, strings.Split(c.code, ", ")...)
		} else if fault.KindOf(err) != c.kind || fault.CodeOf(err) != c.code {
			t.Errorf("%s: got %v", c.name, err)
		}
	}
}

// BenchmarkDraft500 proposes from a schema of 500 tables of 12 columns and 1,000 rows each.
func BenchmarkDraft500(bench *testing.B) {
	bench.ReportAllocs()
	b, source, objects := bigSchema(bench, 500)
	for bench.Loop() {
		started := time.Now()
		out, err := b.service.DraftFromSource(bench.Context(), b.operator, source.ID, catalog.DraftInput{Objects: objects})
		if err != nil || len(out) != len(objects) || out[len(out)-1].Problem != nil || out[0].Proposal.Sampled != 1000 {
			bench.Fatal(len(out), err)
		}
		bench.ReportMetric(time.Since(started).Seconds(), "s/500-tables")
	}
}

// bigSchema is a source of n tables with what registers usually have, each with 1,000 rows.
func bigSchema(t testing.TB, n int) (*testBundle, catalog.Source, []string) {
	t.Helper()
	b := setup(t)
	var sql strings.Builder
	objects := make([]string, n)
	for i := range n {
		name := fmt.Sprintf("t_%04d", i)
		objects[i] = "public." + name
		fmt.Fprintf(&sql, `
			CREATE TABLE %[1]s (id bigint PRIMARY KEY, tyshxydm varchar(18) NOT NULL, qymc varchar(100), fr_xm varchar(50), fr_sjh varchar(20), zczb numeric(14,2),
				xzqh varchar(6), djrq date, jyfw text, zt varchar(2), gxsj timestamptz, dz varchar(200));
			COMMENT ON TABLE %[1]s IS '示例登记表%[2]d';
			COMMENT ON COLUMN %[1]s.tyshxydm IS '统一社会信用代码';
			COMMENT ON COLUMN %[1]s.fr_xm IS '法定代表人姓名';
			INSERT INTO %[1]s SELECT n, '%[3]s', '示例企业' || n, '示例人', '138' || lpad(n::text, 8, '0'), n, '330602', '2026-01-01', '示例经营范围,以登记机关核准为准', '1', now(), '示例市示例路' || n
			FROM generate_series(1, 1000) n;`, name, i, creditCode(t, i))
	}
	source, err := b.service.CreateSource(b.ctx, b.operator, catalog.SourceInput{Name: "大库", Driver: "postgres", Settings: sourceDatabase(t, sql.String())})
	if err != nil {
		t.Fatal(err)
	}
	return b, source, objects
}
