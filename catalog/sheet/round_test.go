package sheet

import (
	"bytes"
	"os"
	"reflect"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/catalog"
)

// cells collects what a file says, for comparing files cell by cell.
type cells struct {
	Headers  [2]Header
	Rows     [2][][]string
	Troubles []Trouble
}

func (c *cells) header(s Sheet, h Header) error {
	h.Titles = nil // A star marks what is demanded in workbooks only.
	c.Headers[s] = h
	return nil
}

func (c *cells) row(s Sheet, _ int, row []string) error {
	c.Rows[s] = append(c.Rows[s], slices.Clone(row))
	return nil
}
func (c *cells) trouble(t Trouble) error { c.Troubles = append(c.Troubles, t); return nil }

func readAll(t *testing.T, raw []byte) (cells, error) {
	t.Helper()
	file, err := os.CreateTemp(t.TempDir(), "read")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if _, err := file.Write(raw); err != nil {
		t.Fatal(err)
	}
	var c cells
	err = read(file, int64(len(raw)), &c)
	return c, err
}

func mustRead(t *testing.T, raw []byte) cells {
	t.Helper()
	c, err := readAll(t, raw)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// fixture fills a directory as a demonstration would: templates, published entries, a draft beside one, texts that are hard to carry.
func (b *testBundle) fixture(t *testing.T) {
	t.Helper()
	templates, err := catalog.Templates()
	if err != nil {
		t.Fatal(err)
	}
	for _, template := range templates {
		b.create(t, template.Metadata())
	}
	first := b.publish(t, small("示例登记信息"))
	changed := first.Version.Metadata
	if _, err := b.catalog.StartVersion(b.ctx, b.operator, first.ID, 0); err != nil {
		t.Fatal(err)
	}
	changed.Summary = "=SUM(A1) 以编号为主键的示例数据\n第二行,含\"引号\"、逗号,和;分号"
	changed.Tags = []string{"一;二", " 前后有空格 ", `反\斜`, "", "@某人"}
	changed.HeadSignoff = nil
	if _, err := b.catalog.EditDraft(b.ctx, b.operator, first.ID, 0, changed); err != nil {
		t.Fatal(err)
	}
	hard := small("示例难以搬运的信息")
	hard.Summary, hard.UsageTerms = "-1 以加号减号开头的摘要,含编号", "+86 开头"
	hard.ContactName, hard.CollectBasis = "'撇号", "\t制表符开头,  空格结尾  "
	hard.RelatedCodes = []string{first.Code}
	hard.Classifications = append(hard.Classifications, catalog.Classification{Class1: "2", Class2: "03"})
	hard.DeclaredShare, hard.ShareMethods = catalog.Withheld, nil
	hard.WithholdReason = "法律明确规定"
	hard.WithholdBasis = &catalog.WithholdBasis{Rank: "law", Title: "示例法", Article: "第一条"}
	hard.WithholdRuling = &catalog.WithholdRuling{Body: "示例市人民政府", DocumentNo: "示例政〔2026〕1号", Date: "2026-10-08"}
	hard.SourceDeptID, hard.Items[1].SourceDeptID = b.market.ID, b.market.ID
	b.publish(t, withItems(hard, catalog.Withheld))
	b.create(t, catalog.Metadata{Name: "示例只有名称"})
}

func withItems(m catalog.Metadata, share catalog.ShareType) catalog.Metadata {
	for i := range m.Items {
		m.Items[i].ShareType = share
	}
	m.ShareCondition, m.ShareScope, m.SharePurpose = "", "", ""
	return m
}

// What is exported and imported into an empty hub is exported again cell by cell, as a workbook and as CSV, and imported a second time it
// changes nothing.
func TestRoundTrip(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.fixture(t)
	for _, format := range []Format{XLSX, CSV} {
		t.Run(string(format), func(t *testing.T) {
			t.Parallel()
			file := b.export(t, b.operator, format)
			if again := b.run(t, b.operator, file); again.Added+again.Changed+again.Wrong != 0 || again.Unchanged != again.Entries || again.Entries < 8 {
				t.Errorf("into the same hub: %+v", again)
			}
			other := setup(t)
			j := other.run(t, other.operator, file)
			if j.Added != j.Entries || j.Applied != j.Entries || j.Entries != len(mustRead(t, file).Rows[Entries]) {
				t.Errorf("into an empty hub: %+v", j)
			}
			for _, back := range []Format{XLSX, CSV} {
				if diff := cmp.Diff(mustRead(t, file), mustRead(t, other.export(t, other.operator, back))); diff != "" {
					t.Errorf("exported again as %s:\n%s", back, diff)
				}
			}
			second := other.run(t, other.operator, file)
			if second.Unchanged != j.Entries {
				t.Errorf("the second import: %+v", second)
			}
		})
	}
}

// Every statement of an entry and of an item has a column: whatever is stated comes back from its cell.
func TestEveryStatementHasAColumn(t *testing.T) {
	t.Parallel()
	id := uuid.New()
	n := &names{
		uscc: map[uuid.UUID]string{id: "U"}, byUSCC: map[string]uuid.UUID{"U": id}, systems: map[uuid.UUID]string{id: "系统"}, bySys: map[string]uuid.UUID{"系统": id},
		bases: []choice{{"population", "人口"}},
	}
	m := small("示例")
	m.OpenCondition, m.Open, m.WithholdReason, m.RecollectReason, m.RelatedCodes, m.SourceDeptID, m.SystemID = "条件", true, "理由", "示例理由", []string{"101001/1"}, id, id
	m.CollectBasis, m.Themes, m.Tags, m.Level, m.DivisionCode, m.BaseDatabase, m.Template = "依据", []string{"主题"}, []string{"标签"}, "city", "330600", "population", "模板"
	m.WithholdBasis = &catalog.WithholdBasis{Rank: "law", Title: "示例法", Article: "第一条"}
	m.WithholdRuling = &catalog.WithholdRuling{Body: "示例市人民政府", DocumentNo: "1号", Date: "2026-10-08"}
	from := entry{Metadata: m}
	var to entry
	for i, cell := range cellsOf(entryColumns, &from, n) {
		if code := entryColumns[i].set(&to, cell, n); code != "" {
			t.Errorf("%s: %s", entryColumns[i].ID, code)
		}
	}
	to.Items = m.Items
	if diff := cmp.Diff(from.Metadata, to.Metadata); diff != "" {
		t.Error(diff)
	}
	for i, v := 0, reflect.ValueOf(from.Metadata); i < v.NumField(); i++ {
		if v.Field(i).IsZero() {
			t.Errorf("%s is not stated by this test", v.Type().Field(i).Name)
		}
	}
	line := itemLine{Item: catalog.Item{
		Name: "编号", Identifier: "no", DataType: catalog.General, Length: 20, Scale: 2, Format: "geometry", Key: true, Required: true, Filterable: true,
		Definition: "定义", Unit: "米", CodeSet: codesOf(t), DataElement: "元", Validator: "uscc", ShareType: catalog.Conditional, ShareCondition: "条件", Open: true,
		Grade: catalog.L3, SensitivePI: true, MaskRule: "none", MaskReason: "理由", SourceDeptID: id,
	}}
	var back itemLine
	for i, cell := range cellsOf(itemColumns, &line, n) {
		if code := itemColumns[i].set(&back, cell, n); code != "" {
			t.Errorf("%s: %s", itemColumns[i].ID, code)
		}
	}
	if diff := cmp.Diff(line, back); diff != "" {
		t.Error(diff)
	}
	for i, v := 0, reflect.ValueOf(line.Item); i < v.NumField(); i++ {
		if name := v.Type().Field(i).Name; v.Field(i).IsZero() && name != "No" && name != "ID" {
			t.Errorf("%s of items is not stated by this test", name)
		}
	}
}

func codesOf(t *testing.T) string {
	t.Helper()
	all := listNames()
	if len(all) == 0 {
		t.Fatal("there are no code lists")
	}
	return all[0]
}

// The template has both sheets with their notes and drop-downs, and sent back as it is says that it holds nothing yet.
func TestTemplate(t *testing.T) {
	t.Parallel()
	var raw bytes.Buffer
	if err := Template(&raw); err != nil {
		t.Fatal(err)
	}
	c, err := readAll(t, raw.Bytes())
	wantCode(t, err, "invalid", CodeEmpty)
	want := fullHeaders()
	for s := range Sheet(2) {
		if diff := cmp.Diff(want[s].IDs, c.Headers[s].IDs); diff != "" {
			t.Errorf("%s: %s", s.Title(), diff)
		}
	}
}

// Only operators of a department import, each for their own; an import is not there for others.
func TestWhoImports(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.create(t, small("示例一"))
	file := b.export(t, b.operator, XLSX)
	for name, p := range map[string]authz.Principal{"platform operator": b.platform, "department head": b.admin} {
		if _, err := b.service.Receive(b.ctx, p, "a.xlsx", AllRows, bytes.NewReader(file)); err == nil {
			t.Errorf("a %s imports", name)
		}
	}
	j := b.check(t, b.operator, AllRows, file)
	_, err := b.service.Import(b.ctx, b.market1, j.ID)
	wantCode(t, err, "not_found", "not_found")
	_, err = b.service.Apply(b.ctx, b.market1, j.ID, 0)
	wantCode(t, err, "not_found", "not_found")
	err = b.service.Remove(b.ctx, b.market1, j.ID, 0)
	wantCode(t, err, "not_found", "not_found")
	_, err = b.service.Result(b.ctx, b.market1, j.ID)
	wantCode(t, err, "not_found", "not_found")
	if rows := mustRead(t, b.export(t, b.operator, XLSX)).Rows[Entries]; len(rows) != 1 {
		t.Errorf("the operator exports %d entries", len(rows))
	}
	if _, err := readAll(t, b.export(t, b.market1, XLSX)); err == nil {
		t.Error("another department exports the draft")
	}
}
