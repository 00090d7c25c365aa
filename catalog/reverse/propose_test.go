package reverse_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/shuqiao/shuqiao/catalog/codes"
	"github.com/shuqiao/shuqiao/catalog/reverse"
	"github.com/shuqiao/shuqiao/connectors"
)

var asOf = time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC)

// sampleOf samples one column with those values; "" is NULL.
func sampleOf(t *testing.T, c connectors.Column, values ...string) *reverse.Sample {
	t.Helper()
	s := reverse.NewSample([]connectors.Column{c}, asOf)
	for len(values) > 0 {
		batch := connectors.NewBatch(1)
		for batch.Rows < 100 && len(values) > 0 {
			if values[0] == "" {
				batch.AppendNull()
			} else {
				batch.Append([]byte(values[0]))
			}
			batch.EndRow()
			values = values[1:]
		}
		s.Add(batch)
	}
	return s
}

// times makes n values by their number.
func times(n int, value func(i int) string) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = value(i)
	}
	return out
}

// citizen makes identity numbers on a city-level code, which nobody has.
func citizen(i int) string {
	body := fmt.Sprintf("330600%s%03d", asOf.AddDate(-30, 0, -i).Format("20060102"), i%1000)
	digit, _ := codes.CitizenIDCheckDigit(body)
	return body + string(digit)
}

// firm makes credit codes whose organisation part no organisation has.
func firm(i int) string {
	org := fmt.Sprintf("QQ%06d", i)
	c, _ := codes.OrgCodeCheckChar(org)
	body := "11330600" + org + string(c)
	u, _ := codes.USCCCheckChar(body)
	return body + string(u)
}

func mobile(i int) string { return fmt.Sprintf("138%08d", i) }

// What is proposed for a column follows from its comment, its type and its values; what the values do not bear is shown only.
func TestColumns(t *testing.T) {
	t.Parallel()
	text := func(name, comment string) connectors.Column {
		return connectors.Column{Name: name, NativeType: "character varying(200)", Kind: connectors.Text, Length: 200, Nullable: true, Comment: comment}
	}
	noise := func(i int) string { return fmt.Sprintf("示例文字 %d", i) }
	mixed := func(good func(int) string, every int) func(int) string {
		return func(i int) string {
			if i%every == 0 {
				return noise(i)
			}
			return good(i)
		}
	}
	for _, c := range []struct {
		name   string
		column connectors.Column
		values []string
		want   string // identifier type(length,scale) marks validator list grade mask
		shown  string // Fields that are shown and not taken, with their value.
	}{
		{"identity numbers", text("sfzhm", "证件号"), times(1000, citizen), "sfzhm C(18) pi validator=citizen_id L3 id_card", "required=true"},
		{"credit codes without a telling name", text("dm", ""), times(1000, firm), "dm C(18) validator=uscc L2", "required=true"},
		{"mobile numbers", text("lxfs", "联系方式"), times(100, mobile), "lxfs C(11) validator=mobile L3 mobile", "required=true"},
		{"nine in ten are identity numbers", text("id", ""), times(100, mixed(citizen, 10)), "id C(200) pi L3 id_card", "required=true validator=citizen_id"},
		{"one in five is", text("id", ""), times(100, func(i int) string {
			if i%5 == 0 {
				return citizen(i)
			}
			return noise(i)
		}), "id C(200) L2", "required=true"},
		{"too few to be sure", text("id", ""), times(10, citizen), "id C(200) pi L3 id_card", "validator=citizen_id"},
		{"named so and empty", text("idCard", "公民身份号码"), nil, "id_card C(200) pi L3 id_card", "validator=citizen_id"},
		{"named so and something else", text("mobile", "手机号"), times(100, noise), "mobile C(200) L3 mobile", "required=true validator=mobile"},
		{"sex", text("xb", "性别"), times(100, func(i int) string { return "12"[i%2 : i%2+1] }), "xb C(200) list=sex L2", "required=true"},
		{"flags look like sex but are not called so", text("flag", ""), times(100, func(i int) string { return "01"[i%2 : i%2+1] }), "flag C(200) L2", "code_set=sex required=true"},
		{"a foreign value", text("xb", "性别"), times(100, func(i int) string {
			if i == 7 {
				return "男"
			}
			return "1"
		}), "xb C(200) L2", "code_set=sex required=true"},
		{"divisions", text("qh", "所在区划代码"), times(100, func(i int) string { return []string{"330602", "330603", "330604"}[i%3] }), "qh C(12) validator=division L2", "required=true"},
		{"dates as text", text("rq", "办理日期"), times(100, func(i int) string { return asOf.AddDate(0, 0, -i).Format("2006-01-02") }), "rq D L2", "required=true"},
		{"dates and one that is none", text("rq", "办理日期"), times(100, func(i int) string {
			if i == 3 {
				return "2026-02-30"
			}
			return "20260228"
		}), "rq C(200) L2", "required=true"},
		{"times as text", text("sj", "办理时间"), times(100, func(i int) string { return "2026-01-02 03:04:05" }), "sj T L2", "required=true"},
		{"mail", text("contact", ""), times(100, func(i int) string { return fmt.Sprintf("n%d@example.org", i) }), "contact C(200) L3 email", "required=true"},
		{"bank cards", text("zh", ""), times(100, bankCard), "zh C(200) pi L3 bank_card", "required=true"},
		{"telephones", text("tel", ""), times(100, func(i int) string { return fmt.Sprintf("0571-8888%04d", i) }), "tel C(200) L3 phone", "required=true"},
		{"free text with a number in it", text("bz", "备注"), append(times(50, noise), "请与经办人联系,电话"+mobile(1)+",谢谢配合办理示例事项"), "bz C(200) L3 text_scan", "required=true"},
		{"addresses by their name", text("jtdz", "家庭住址"), times(100, noise), "jtdz C(200) L3 address", "required=true"},
		{"half of the rows are empty", text("note", ""), append(times(50, noise), make([]string, 50)...), "note C(200) L2", ""},
		{"an unbounded text", connectors.Column{Name: "body", NativeType: "text", Kind: connectors.Text, Nullable: true}, times(30, noise), "body M L2", "required=true"},
		{"not null", connectors.Column{Name: "n", NativeType: "integer", Kind: connectors.Integer}, times(30, func(i int) string { return fmt.Sprint(i) }), "n I required L2", ""},
		{"mobile numbers as numbers", connectors.Column{Name: "sjh", NativeType: "bigint", Kind: connectors.Integer, Nullable: true}, times(30, mobile), "sjh C(11) validator=mobile L3 mobile", "required=true"},
		{"money", connectors.Column{Name: "je", NativeType: "numeric(12,2)", Kind: connectors.Decimal, Length: 12, Scale: 2, Nullable: true, Comment: "罚款金额(元)"}, nil, "je Y(12,2) L2", ""},
		{"a number without bounds", connectors.Column{Name: "x", NativeType: "numeric", Kind: connectors.Decimal, Nullable: true}, nil, "x N(38,10) L2", ""},
		{"a birthday", connectors.Column{Name: "csrq", NativeType: "date", Kind: connectors.Date, Nullable: true}, nil, "csrq D L3 date_year", ""},
		{"an income", connectors.Column{Name: "salary", NativeType: "real", Kind: connectors.Float, Nullable: true}, nil, "salary B L3 amount_round", ""},
		{"a phone in a column of flags", connectors.Column{Name: "phone", NativeType: "boolean", Kind: connectors.Bool, Nullable: true}, nil, "phone L L3 full", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			table := reverse.Table{Object: "public.t", Name: "t", Schema: connectors.Schema{Columns: []connectors.Column{c.column}}}
			p := reverse.Propose(table, sampleOf(t, c.column, c.values...))
			item := p.Items[0]
			if got := inShort(item); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
			var shown []string
			for _, s := range item.Suggestions {
				if !s.Taken && s.Field != "is_key" {
					shown = append(shown, s.Field+"="+s.Value)
				}
				if len(s.Evidence) == 0 {
					t.Errorf("%s=%s is without evidence", s.Field, s.Value)
				}
			}
			if !sameSet(shown, strings.Fields(c.shown)) {
				t.Errorf("shown %v, want %v", shown, c.shown)
			}
			wantNoValue(t, p, c.values)
		})
	}
}

// wantNoValue fails when any value of the sample that is long enough to tell stands in the proposal.
func wantNoValue(t *testing.T, p reverse.Proposal, values []string) {
	t.Helper()
	raw, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range values {
		if len(v) > 6 && strings.Contains(string(raw), v) {
			t.Fatalf("the proposal repeats a value: %s", raw)
		}
	}
}

func sameSet(a, b []string) bool {
	seen := map[string]int{}
	for _, s := range a {
		seen[s]++
	}
	for _, s := range b {
		seen[s]--
	}
	for _, n := range seen {
		if n != 0 {
			return false
		}
	}
	return true
}

func inShort(i reverse.Item) string {
	out := i.Identifier + " " + i.DataType
	switch {
	case i.Scale > 0:
		out += fmt.Sprintf("(%d,%d)", i.Length, i.Scale)
	case i.Length > 0:
		out += fmt.Sprintf("(%d)", i.Length)
	}
	for _, mark := range []struct {
		name string
		set  bool
	}{{"key", i.Key}, {"required", i.Required}, {"pi", i.SensitivePI}, {"validator=" + i.Validator, i.Validator != ""}, {"list=" + i.CodeSet, i.CodeSet != ""}} {
		if mark.set {
			out += " " + mark.name
		}
	}
	return strings.TrimSpace(out + " " + i.Grade + " " + i.MaskRule)
}

// bankCard makes numbers with the check digit of bank cards, on an issuer that does not exist.
func bankCard(i int) string {
	body := fmt.Sprintf("900000%09d", i)
	sum := 0
	for k := range len(body) {
		d := int(body[len(body)-1-k] - '0')
		if k%2 == 0 {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
	}
	return body + fmt.Sprint((10-sum%10)%10)
}

// The evidence of a check says how many of how many values passed.
func TestEvidence(t *testing.T) {
	t.Parallel()
	c := connectors.Column{Name: "a", NativeType: "text", Kind: connectors.Text, Nullable: true}
	values := append(times(970, firm), times(30, func(int) string { return "未填写" })...)
	p := reverse.Propose(reverse.Table{Name: "t", Schema: connectors.Schema{Columns: []connectors.Column{c}}}, sampleOf(t, c, values...))
	got, ok := p.Items[0].Suggested("validator")
	want := reverse.Suggestion{Field: "validator", Value: "uscc", Taken: true, Evidence: []reverse.Evidence{{Kind: reverse.SamplePasses, Name: "uscc", Passed: 970, Of: 1000}}}
	if diff := cmp.Diff(want, got); !ok || diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if p.Sampled != reverse.MaxSample {
		t.Errorf("sampled %d", p.Sampled)
	}
	more := sampleOf(t, c, append(values, times(500, firm)...)...)
	if more.Rows() != reverse.MaxSample {
		t.Errorf("a sample of %d rows", more.Rows())
	}
}

// Keys are those of the source; where it has none, what is unique in the sample is shown and not taken.
func TestKeys(t *testing.T) {
	t.Parallel()
	columns := []connectors.Column{
		{Name: "no", NativeType: "text", Kind: connectors.Text}, {Name: "flag", NativeType: "boolean", Kind: connectors.Bool},
	}
	table := reverse.Table{Name: "t", Schema: connectors.Schema{Columns: columns, Key: []string{"no", "flag"}}}
	p := reverse.Propose(table, nil)
	if got := inShort(p.Items[0]); got != "no C(64) key required L2" {
		t.Errorf("an unbounded key: %s", got)
	}
	if s, ok := p.Items[1].Suggested("is_key"); p.Items[1].Key || !p.Items[1].Required || !ok || s.Taken {
		t.Errorf("a truth value cannot be a key: %+v", p.Items[1])
	}
	view := connectors.Column{Name: "no", NativeType: "varchar(20)", Kind: connectors.Text, Length: 20, Nullable: true}
	p = reverse.Propose(reverse.Table{Name: "v", Schema: connectors.Schema{Columns: []connectors.Column{view}}}, sampleOf(t, view, times(50, func(i int) string { return fmt.Sprint("N", i) })...))
	s, ok := p.Items[0].Suggested("is_key")
	if diff := cmp.Diff(reverse.Suggestion{Field: "is_key", Value: "true", Evidence: []reverse.Evidence{{Kind: reverse.SampleUnique, Passed: 50, Of: 50}}}, s); !ok || p.Items[0].Key || diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Names and identifiers have the form an entry can keep and are told apart, whatever the source calls its columns.
func TestNames(t *testing.T) {
	t.Parallel()
	columns := []connectors.Column{
		{Name: "PersonName", Comment: "姓名,按证件填写"},
		{Name: "person_name", Comment: "姓名"},
		{Name: "编号", Comment: "  "},
		{Name: "2nd-try", Comment: "(无)"},
		{Name: strings.Repeat("x", 80), Comment: strings.Repeat("长", 200)},
		{Name: strings.Repeat("x", 70), Comment: strings.Repeat("长", 150)},
		{Name: "a\x00b", Comment: "带\x00空字符"},
		{Name: "  ", Comment: ""},
		{Name: "XMLHttp", Comment: "第一行\n第二行"},
	}
	for i := range columns {
		columns[i].Kind, columns[i].NativeType, columns[i].Nullable = connectors.Text, "text", true
	}
	p := reverse.Propose(reverse.Table{Name: "t_person", Comment: "人员信息表:示例", Schema: connectors.Schema{Columns: columns}}, nil)
	var got []string
	for _, i := range p.Items {
		name := i.Name
		if len(name) > 30 {
			name = fmt.Sprintf("%d characters", len([]rune(name)))
		}
		got = append(got, shortName(i.Identifier)+" "+name)
	}
	want := []string{
		"person_name 姓名", "person_name_2 姓名_2", "item_3 编号", "c_2nd_try (无)", "63 x 100 characters", "63 x 100 characters", "a_b 带空字符", "item_8 #8", "xmlhttp 第一行",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if p.Name != "人员信息表" || p.Items[0].Definition != "姓名,按证件填写" {
		t.Errorf("table %q, definition %q", p.Name, p.Items[0].Definition)
	}
	if p := reverse.Propose(reverse.Table{Name: "t_person", Schema: connectors.Schema{Columns: columns[:1]}}, nil); p.Name != "t_person" || p.Evidence[0].Kind != reverse.FromName {
		t.Errorf("a table without a comment is called %q", p.Name)
	}
}

func shortName(s string) string {
	if len(s) == 63 {
		return "63 " + s[:1]
	}
	return s
}

// Whatever a source calls its columns, names stay within bounds and identifiers have their form.
func FuzzNames(f *testing.F) {
	for _, seed := range []string{"PersonName", "编号", "a b", "", "\x00", "x\xff", "__", "9", strings.Repeat("A", 300)} {
		f.Add(seed, seed)
	}
	f.Fuzz(func(t *testing.T, name, comment string) {
		c := connectors.Column{Name: name, Comment: comment, Kind: connectors.Text}
		p := reverse.Propose(reverse.Table{Name: name, Comment: comment, Schema: connectors.Schema{Columns: []connectors.Column{c, c, c}}}, nil)
		seen := map[string]bool{}
		for _, i := range p.Items {
			if len(i.Identifier) == 0 || len(i.Identifier) > 63 || i.Identifier[0] < 'a' || i.Identifier[0] > 'z' || strings.Trim(i.Identifier, "abcdefghijklmnopqrstuvwxyz0123456789_") != "" {
				t.Errorf("identifier %q", i.Identifier)
			}
			if n := len([]rune(i.Name)); n == 0 || n > 100 || strings.ContainsRune(i.Name, 0) || strings.ContainsRune(i.Definition, 0) {
				t.Errorf("name %q, definition %q", i.Name, i.Definition)
			}
			if seen[i.Identifier] || seen["="+i.Name] {
				t.Errorf("%q or %q twice", i.Identifier, i.Name)
			}
			seen[i.Identifier], seen["="+i.Name] = true, true
		}
	})
}
