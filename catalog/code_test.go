package catalog_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/catalog"
	"github.com/shuqiao/shuqiao/catalog/codes"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// allValues walks a list of values by small pages.
func (b *testBundle) allValues(t *testing.T, table string, f catalog.CodeFilter, limit int) []catalog.CodeValue {
	t.Helper()
	var out []catalog.CodeValue
	for page := (db.Page{Limit: limit}); ; {
		some, next, err := b.service.CodeValues(b.ctx, b.operator, table, f, page)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, some...)
		if page.Cursor = next; next == "" {
			return out
		}
	}
}

// fieldsOf is what a fault says about fields.
func fieldsOf(err error) []fault.Field {
	if f, ok := errors.AsType[*fault.Fault](err); ok {
		return f.Fields
	}
	return nil
}

// The tables begin with the values that the program works with: what law and standards fix cannot be changed, and the divisions, the
// formats, the templates' classes and the lists are all there.
func TestCodeTablesAtTheBeginning(t *testing.T) {
	t.Parallel()
	b := setup(t)
	tables, err := b.service.CodeTables(b.ctx, b.operator)
	if err != nil {
		t.Fatal(err)
	}
	editable := map[string]bool{}
	for _, table := range tables {
		editable[table.Name] = table.Editable
		if table.Values == 0 || table.Ended != 0 || table.Title == "" || table.TitleEN == "" {
			t.Errorf("%s: %d values, %d ended, titles %q and %q", table.Name, table.Values, table.Ended, table.Title, table.TitleEN)
		}
	}
	want := map[string]bool{
		"share_type": false, "share_method": false, "withhold_rank": false, "secrecy": false, "update_cycle": false, "item_type": false,
		"grade": false, "level": false, "classification": true, "theme": true, "format": true, "division": true,
	}
	for _, list := range codes.Lists() {
		want[list.Name] = false
		got := b.allValues(t, list.Name, catalog.CodeFilter{}, 500)
		var same []codes.Entry
		for i, v := range got {
			same = append(same, codes.Entry{Code: v.Code, ZH: v.Name, EN: v.NameEN, ImportOnly: i < len(list.Entries) && list.Entries[i].ImportOnly})
		}
		if diff := cmp.Diff(list.Entries, same); diff != "" {
			t.Errorf("%s is not the program's list (-want +got):\n%s", list.Name, diff)
		}
	}
	if diff := cmp.Diff(want, editable); diff != "" {
		t.Errorf("editable (-want +got):\n%s", diff)
	}

	for _, v := range b.allValues(t, catalog.TableDivision, catalog.CodeFilter{}, 500) {
		d, ok := codes.LookupDivision(v.Code)
		if !ok || d.Name != v.Name || d.Code != d.Parent && d.Parent != v.Parent {
			t.Fatalf("division %s %s under %q: the program has %+v", v.Code, v.Name, v.Parent, d)
		}
	}
	for _, c := range catalog.FormatCategories() {
		var names []string
		for _, v := range b.allValues(t, catalog.TableFormat, catalog.CodeFilter{Parent: c.Code}, 50) {
			names = append(names, v.Name)
		}
		slices.Sort(names)
		slices.Sort(c.Formats)
		if !slices.Equal(names, c.Formats) {
			t.Errorf("formats of %s: got %v, want %v", c.Code, names, c.Formats)
		}
	}
	known := map[string]bool{}
	for _, v := range b.allValues(t, catalog.TableClassification, catalog.CodeFilter{}, 7) {
		if known[v.Code] {
			t.Errorf("%s was listed twice", v.Code)
		}
		known[v.Code] = true
	}
	templates, err := catalog.Templates()
	if err != nil {
		t.Fatal(err)
	}
	for _, template := range templates {
		if code := template.Metadata().ClassCode(); !known[code] {
			t.Errorf("template %s: class %s is not in the table", template.Name, code)
		}
	}
}

// A division is replaced: the old one ends with a successor, every list of a day tells the truth of that day, the history says who did
// it, and an entry that states the old one keeps it and is warned.
func TestCodeValueEnds(t *testing.T) {
	t.Parallel()
	b := setup(t)
	add := func(code, name, from string) catalog.CodeValue {
		t.Helper()
		v, err := b.service.AddCodeValue(b.ctx, b.platform, catalog.TableDivision, catalog.NewCodeValue{Code: code, Name: name, ValidFrom: from, Note: "示例民函〔2026〕1号"})
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	old := add("330691", "示例旧区", "2020-01-01")
	street := add("330691001", "示例街道", "2020-01-01")
	add("330692", "示例新区", "2026-07-01")
	if old.Parent != "330600" || street.Parent != "330691" {
		t.Errorf("parents are %q and %q", old.Parent, street.Parent)
	}
	m := small("区划示例目录")
	m.DivisionCode = "330691001999"
	r := b.publish(t, m)

	end := catalog.CodeEnd{ValidTo: "2026-06-30", Successor: "330692", Reason: "行政区划调整"}
	_, err := b.service.EndCodeValue(b.ctx, b.platform, catalog.TableDivision, old.ID, end)
	wantCode(t, err, fault.Conflict, "values_below")
	if _, err = b.service.EndCodeValue(b.ctx, b.platform, catalog.TableDivision, street.ID, end); err != nil {
		t.Fatal(err)
	}
	if _, err = b.service.EndCodeValue(b.ctx, b.platform, catalog.TableDivision, old.ID, end); err != nil {
		t.Fatal(err)
	}
	_, err = b.service.EndCodeValue(b.ctx, b.platform, catalog.TableDivision, old.ID, end)
	wantCode(t, err, fault.Conflict, "already_ended")

	for day, want := range map[string]string{"2019-12-31": "", "2020-01-01": "示例旧区", "2026-06-30": "示例旧区", "2026-07-01": "示例新区", "": "示例新区"} {
		var names []string
		for _, v := range b.allValues(t, catalog.TableDivision, catalog.CodeFilter{Text: "区", Parent: "330600", Day: day}, 50) {
			if strings.HasPrefix(v.Code, "33069") {
				names = append(names, v.Name)
			}
		}
		if got := strings.Join(names, " "); got != want {
			t.Errorf("on %q: got %q, want %q", day, got, want)
		}
	}
	history, next, err := b.service.CodeHistory(b.ctx, b.operator, catalog.TableDivision, db.Page{Limit: 3})
	if err != nil || len(history) != 3 || next == "" {
		t.Fatalf("got %d changes, %q, %v", len(history), next, err)
	}
	if c := history[0]; c.Kind != "ended" || c.Value.Code != "330691" || c.By != b.platform.ID || c.Reason != end.Reason || c.Value.Successor != "330692" {
		t.Errorf("the last change is %+v", c)
	}
	rest, _, err := b.service.CodeHistory(b.ctx, b.operator, catalog.TableDivision, db.Page{Limit: 3, Cursor: next})
	if err != nil || len(rest) != 2 || rest[1].Value.Code != "330691" || rest[1].Kind != "added" {
		t.Errorf("got %+v, %v", rest, err)
	}

	// The entry keeps what it states; its next version is told.
	if r, err = b.service.StartVersion(b.ctx, b.operator, r.ID, 0); err != nil {
		t.Fatal(err)
	}
	found, err := b.service.Findings(b.ctx, b.operator, r.ID)
	if err != nil {
		t.Fatal(err)
	}
	if len(found.Ended) != 1 || found.Ended[0].Field != "division_code" || found.Ended[0].Successor != "330692" || found.Ended[0].ValidTo != "2026-06-30" {
		t.Errorf("got %+v", found.Ended)
	}
	warned := slices.ContainsFunc(found.Warnings, func(f fault.Field) bool {
		return f.Name == "division_code" && f.Code == "value_ended" && strings.Contains(f.Message, "ended on 2026-06-30; its successor is 330692")
	})
	if !warned || r.Version.DivisionCode != m.DivisionCode {
		t.Errorf("division %s, warnings %+v", r.Version.DivisionCode, found.Warnings)
	}

	// After its end a code may come again.
	again := add("330691", "示例旧区", "2026-07-01")
	if again.ID == old.ID {
		t.Error("the ended value was taken up again")
	}
}

// What may be added to a table, and what not.
func TestAddCodeValue(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, c := range []struct {
		table  string
		value  catalog.NewCodeValue
		fields string // "" adds.
	}{
		{"theme", catalog.NewCodeValue{Code: "13", Name: "数字经济", NameEN: "Digital economy"}, ""},
		{"theme", catalog.NewCodeValue{Code: "13", Name: "别名"}, "code taken"},
		{"theme", catalog.NewCodeValue{Code: "14", Name: "数字经济"}, "name taken"},
		{"theme", catalog.NewCodeValue{Code: "1 4", Name: ""}, "name required, code bad_form"},
		{"theme", catalog.NewCodeValue{Code: "14", Name: strings.Repeat("长", 101), ValidFrom: "2026-02-30"}, "name too_long, valid_from bad_date"},
		{"classification", catalog.NewCodeValue{Code: "213", Name: "数字经济"}, ""},
		{"classification", catalog.NewCodeValue{Code: "213001", Name: "数据要素"}, ""},
		{"classification", catalog.NewCodeValue{Code: "213001A1", Name: "数据产权登记"}, ""},
		{"classification", catalog.NewCodeValue{Code: "213002A1", Name: "没有上级"}, "code no_parent"},
		{"classification", catalog.NewCodeValue{Code: "107", Name: "第七类"}, "code closed"},
		{"classification", catalog.NewCodeValue{Code: "4", Name: "第四类"}, "code bad_form"},
		{"format", catalog.NewCodeValue{Code: "3/TiDB", Name: "TiDB"}, ""},
		{"format", catalog.NewCodeValue{Code: "8/x", Name: "x"}, "code bad_form"},
		{"division", catalog.NewCodeValue{Code: "990101", Name: "示例区"}, "code unknown_province"},
		{"division", catalog.NewCodeValue{Code: "330699", Name: "示例区", ValidFrom: "2027-01-01"}, ""},
		{"division", catalog.NewCodeValue{Code: "330699001", Name: "示例街道"}, "code no_parent"},
		{"division", catalog.NewCodeValue{Code: "33060", Name: "示例区"}, "code bad_form"},
	} {
		_, err := b.service.AddCodeValue(b.ctx, b.platform, c.table, c.value)
		var got []string
		for _, f := range fieldsOf(err) {
			got = append(got, f.Name+" "+f.Code)
		}
		if text := strings.Join(got, ", "); text != c.fields || (err != nil) != (c.fields != "") {
			t.Errorf("%s %s: got %q (%v), want %q", c.table, c.value.Code, text, err, c.fields)
		}
	}
	for _, table := range []string{"share_type", "update_cycle", "item_type", "sex", "secrecy"} {
		_, err := b.service.AddCodeValue(b.ctx, b.platform, table, catalog.NewCodeValue{Code: "x", Name: "x"})
		wantCode(t, err, fault.Conflict, "fixed_by_law")
	}
	_, err := b.service.AddCodeValue(b.ctx, b.platform, "weather", catalog.NewCodeValue{Code: "x", Name: "x"})
	wantCode(t, err, fault.NotFound, "not_found")
	for _, p := range []authz.Principal{b.operator, b.admin, b.system} {
		_, err := b.service.AddCodeValue(b.ctx, p, "theme", catalog.NewCodeValue{Code: "15", Name: "示例主题"})
		if !fault.Is(err, fault.Forbidden) {
			t.Errorf("%v: got %v", p.Roles, err)
		}
	}
	// What the program works with cannot end, and an end has a reason and a successor that exists.
	values := b.allValues(t, "classification", catalog.CodeFilter{Text: "101"}, 50)
	_, err = b.service.EndCodeValue(b.ctx, b.platform, "classification", values[0].ID, catalog.CodeEnd{ValidTo: "2026-12-31", Reason: "示例"})
	wantCode(t, err, fault.Conflict, "fixed_by_law")
	theme := b.allValues(t, "theme", catalog.CodeFilter{Text: "数字经济"}, 50)[0]
	for want, end := range map[string]catalog.CodeEnd{
		"valid_to bad_date, reason required": {ValidTo: "soon"},
		"valid_to before_start":              {ValidTo: "2026-11-19", Reason: "示例"},
		"successor unknown":                  {ValidTo: "2026-12-31", Reason: "示例", Successor: "13"},
	} {
		_, err := b.service.EndCodeValue(b.ctx, b.platform, "theme", theme.ID, end)
		var got []string
		for _, f := range fieldsOf(err) {
			got = append(got, f.Name+" "+f.Code)
		}
		if text := strings.Join(got, ", "); text != want {
			t.Errorf("got %q, want %q", text, want)
		}
	}
}

// Entries are judged by what the tables hold now, on every node at once: what was added is right, what ended is a warning, what never
// was is said.
func TestEntriesFollowTheCodeTables(t *testing.T) {
	t.Parallel()
	b := setup(t)
	other, err := catalog.New(catalog.Options{DB: b.db, Enforcer: b.node.Enforcer})
	if err != nil {
		t.Fatal(err)
	}
	m := small("分类示例目录")
	m.Classifications = []catalog.Classification{{Class1: "2", Class2: "13", Class3: "001", Primary: true}}
	m.Themes, m.Formats = []string{"数字经济", "公共服务"}, []string{"tidb"}
	r, err := b.service.CreateResource(b.ctx, b.operator, m)
	if err != nil {
		t.Fatal(err)
	}
	codesOf := func(s *catalog.Service) string {
		t.Helper()
		f, err := s.Findings(b.ctx, b.operator, r.ID)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, one := range slices.Concat(f.Blocks, f.Warnings) {
			if one.Code != "required" && one.Code != "not_attached" {
				got = append(got, one.Name+" "+one.Code)
			}
		}
		return strings.Join(got, ", ")
	}
	if got, want := codesOf(other), "classifications[0].class2 not_choice, formats[0] not_in_category, themes[0] not_in_table"; got != want {
		t.Errorf("before: got %q, want %q", got, want)
	}
	var theme catalog.CodeValue
	for _, n := range []struct{ table, code, name string }{
		{"classification", "213", "数字经济"}, {"classification", "213001", "数据要素"}, {"format", "3/TiDB", "TiDB"}, {"theme", "13", "数字经济"},
	} {
		if theme, err = b.service.AddCodeValue(b.ctx, b.platform, n.table, catalog.NewCodeValue{Code: n.code, Name: n.name, ValidFrom: "2026-01-01"}); err != nil {
			t.Fatal(err)
		}
	}
	if got := codesOf(other); got != "" {
		t.Errorf("after: got %q", got)
	}
	if _, err := b.service.EndCodeValue(b.ctx, b.platform, "theme", theme.ID, catalog.CodeEnd{ValidTo: "2026-11-19", Successor: "01", Reason: "示例"}); err != nil {
		t.Fatal(err)
	}
	if got, want := codesOf(other), "themes[0] value_ended"; got != want {
		t.Errorf("ended: got %q, want %q", got, want)
	}
}

// Related entries must exist and be readable; the link is seen from both sides.
func TestRelated(t *testing.T) {
	t.Parallel()
	b := setup(t)
	target := b.publish(t, small("被关联目录"))
	m := small("关联目录")
	m.RelatedCodes = []string{target.Code, "101001001/999999", target.Code}
	r, err := b.service.CreateResource(b.ctx, b.operator, m)
	if err != nil {
		t.Fatal(err)
	}
	_, err = b.service.Submit(b.ctx, b.operator, r.ID, 0)
	var got []string
	for _, f := range fieldsOf(err) {
		got = append(got, f.Name+" "+f.Code)
	}
	if want := []string{"related_codes[1] unknown", "related_codes[2] duplicate"}; !slices.Equal(got, want) {
		t.Fatalf("got %v, want %v", got, want)
	}
	m.RelatedCodes = []string{target.Code}
	if _, err := b.service.EditDraft(b.ctx, b.operator, r.ID, 0, m); err != nil {
		t.Fatal(err)
	}
	// A draft is in nobody's list of what names an entry.
	if seen, err := b.service.Related(b.ctx, b.marketOperator, target.ID); err != nil || len(seen) != 0 {
		t.Errorf("before publication: %v, %v", seen, err)
	}
	r = b.review(t, r.ID)
	for _, c := range []struct{ of, other catalog.Resource }{{r, target}, {target, r}} {
		got, err := b.service.Related(b.ctx, b.marketOperator, c.of.ID)
		want := []catalog.Related{{ID: c.other.ID, Code: c.other.Code, Name: c.other.Name, Named: c.of.ID == r.ID}}
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got):\n%s", c.of.Name, err, diff)
		}
	}
	own, err := b.service.StartVersion(b.ctx, b.operator, target.ID, 0)
	if err != nil {
		t.Fatal(err)
	}
	own.Version.RelatedCodes = []string{target.Code}
	f, err := b.service.CheckDraft(b.ctx, b.operator, target.ID, own.Version.Metadata)
	if err != nil || !slices.ContainsFunc(f.Blocks, func(one fault.Field) bool { return one.Name == "related_codes[0]" && one.Code == "own_code" }) {
		t.Errorf("got %+v, %v", f.Blocks, err)
	}
}

// With a provincial prefix a publication gets a code with it; entries published before keep theirs, and both can be named as related.
func TestProvincialCodes(t *testing.T) {
	t.Parallel()
	b := setup(t)
	before := b.publish(t, small("国家代码目录"))
	coder, ok := codes.NewCodeGenerator("ZJ")
	if !ok {
		t.Fatal("the prefix was refused")
	}
	var err error
	if b.service, err = catalog.New(catalog.Options{DB: b.db, Enforcer: b.node.Enforcer, Coder: coder}); err != nil {
		t.Fatal(err)
	}
	m := small("省级代码目录")
	m.RelatedCodes = []string{before.Code}
	after := b.publish(t, m)
	if before.Code != "101001001/000001" || after.Code != "ZJ101001001/000002" {
		t.Errorf("got %s and %s", before.Code, after.Code)
	}
	m = small("又一目录")
	m.RelatedCodes = []string{after.Code}
	if last := b.publish(t, m); last.Code != "ZJ101001001/000003" {
		t.Errorf("got %s", last.Code)
	}
}
