package catalog_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/catalog"
)

var ownSystem, otherDepartment = uuid.MustParse("01900000-0000-7000-8000-000000000001"), uuid.MustParse("01900000-0000-7000-8000-000000000002")

func facts(t *testing.T) catalog.Facts {
	return catalog.Facts{
		Today: "2026-11-20", ProviderCode: creditCode(t, 9), BaseDatabases: []string{"population"}, Systems: []uuid.UUID{ownSystem},
		Departments: map[uuid.UUID]bool{otherDepartment: true}, KeyItems: map[string]string{},
	}
}

// right is an entry that Check has nothing to say about.
func right() catalog.Metadata {
	m := small("示例目录")
	m.SystemID = ownSystem
	return m
}

// An entry with everything in its place passes without a block or a warning.
func TestCheckPasses(t *testing.T) {
	t.Parallel()
	blocks, warnings := catalog.Check(right(), facts(t))
	if len(blocks)+len(warnings) > 0 {
		t.Errorf("got blocks %v, warnings %v", blocks, warnings)
	}
	m := withheld(right())
	if blocks, warnings := catalog.Check(m, facts(t)); len(blocks)+len(warnings) > 0 {
		t.Errorf("withheld: got blocks %v, warnings %v", blocks, warnings)
	}
}

// Each rule names the fields it is about, and nothing else.
func TestCheckRules(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("长", 4001)
	for name, test := range map[string]struct {
		spoil  func(m *catalog.Metadata, f *catalog.Facts)
		blocks []string
		warns  []string
	}{
		"no name":           {func(m *catalog.Metadata, _ *catalog.Facts) { m.Name = "" }, []string{"name required"}, nil},
		"name too long":     {func(m *catalog.Metadata, _ *catalog.Facts) { m.Name = long[:303] }, []string{"name too_long"}, nil},
		"name taken":        {func(_ *catalog.Metadata, f *catalog.Facts) { f.NameTaken = true }, []string{"name taken"}, nil},
		"no unit":           {func(m *catalog.Metadata, _ *catalog.Facts) { m.ProviderUnit = " " }, []string{"provider_unit required"}, nil},
		"wrong credit code": {func(_ *catalog.Metadata, f *catalog.Facts) { f.ProviderCode = f.ProviderCode[:17] + "!" }, []string{"provider_code bad_character"}, nil},
		"no summary":        {func(m *catalog.Metadata, _ *catalog.Facts) { m.Summary = "" }, []string{"summary required"}, nil},
		"short summary":     {func(m *catalog.Metadata, _ *catalog.Facts) { m.Summary = "编号和名称" }, []string{"summary too_short"}, nil},
		"summary without keys": {func(m *catalog.Metadata, _ *catalog.Facts) {
			m.Summary = "一份没有说明主键是什么的示例数据"
		}, nil, []string{"summary key_not_named"}},
		"long summary":      {func(m *catalog.Metadata, _ *catalog.Facts) { m.Summary = "编号" + long[:3000] }, []string{"summary too_long"}, nil},
		"no classification": {func(m *catalog.Metadata, _ *catalog.Facts) { m.Classifications = nil }, []string{"classifications required"}, nil},
		"no primary":        {func(m *catalog.Metadata, _ *catalog.Facts) { m.Classifications[0].Primary = false }, []string{"classifications primary"}, nil},
		"unknown class":     {func(m *catalog.Metadata, _ *catalog.Facts) { m.Classifications[0].Class1 = "4" }, []string{"classifications[0].class1 not_choice"}, nil},
		"unknown category":  {func(m *catalog.Metadata, _ *catalog.Facts) { m.Classifications[0].Class2 = "07" }, []string{"classifications[0].class2 not_choice"}, nil},
		"open theme category": {func(m *catalog.Metadata, _ *catalog.Facts) {
			m.Classifications[0].Class1, m.Classifications[0].Class2 = "2", "77"
		}, nil, nil},
		"category without digits": {func(m *catalog.Metadata, _ *catalog.Facts) { m.Classifications[0].Class2 = "x" }, []string{"classifications[0].class2 bad_form"}, nil},
		"not below the category":  {func(m *catalog.Metadata, _ *catalog.Facts) { m.Classifications[0].Class3 = "" }, nil, []string{"classifications[0].class3 required"}},
		"sub-category of letters": {func(m *catalog.Metadata, _ *catalog.Facts) { m.Classifications[0].Class3 = "abc" }, []string{"classifications[0].class3 bad_form"}, nil},
		"detail with a slash":     {func(m *catalog.Metadata, _ *catalog.Facts) { m.Classifications[0].Class4 = "1/2" }, []string{"classifications[0].class4 bad_form"}, nil},
		"related code of no form": {func(m *catalog.Metadata, _ *catalog.Facts) { m.RelatedCodes = []string{"101001001-000001"} }, []string{"related_codes[0] bad_form"}, nil},
		"division of no form":     {func(m *catalog.Metadata, _ *catalog.Facts) { m.DivisionCode = "33" }, []string{"division_code bad_length"}, nil},
		"unknown level":           {func(m *catalog.Metadata, _ *catalog.Facts) { m.Level = "galaxy" }, []string{"level not_choice"}, nil},
		"no format category":      {func(m *catalog.Metadata, _ *catalog.Facts) { m.FormatCategory = "" }, []string{"format_category required"}, nil},
		"unknown format category": {func(m *catalog.Metadata, _ *catalog.Facts) { m.FormatCategory = "9" }, []string{"format_category not_choice"}, nil},
		"no format":               {func(m *catalog.Metadata, _ *catalog.Facts) { m.Formats = nil }, []string{"formats required"}, nil},
		"format of another kind":  {func(m *catalog.Metadata, _ *catalog.Facts) { m.Formats = []string{"jpg"} }, []string{"formats[0] not_in_category"}, nil},
		"database as file": {func(m *catalog.Metadata, _ *catalog.Facts) {
			m.ShareMethods = []catalog.ShareMethod{catalog.ByAPI, catalog.ByFile}
		}, []string{"share_methods[1] contradicts_format"}, nil},
		"document by api": {func(m *catalog.Metadata, _ *catalog.Facts) { m.FormatCategory, m.Formats = "1", []string{"ofd"} }, []string{"share_methods[0] contradicts_format"}, nil},
		"own format": {func(m *catalog.Metadata, _ *catalog.Facts) {
			m.FormatCategory, m.Formats = "6", []string{"示例行业格式"}
		}, nil, nil},
		"no method": {func(m *catalog.Metadata, _ *catalog.Facts) { m.ShareMethods = nil }, []string{"share_methods required"}, nil},
		"unknown method": {func(m *catalog.Metadata, _ *catalog.Facts) {
			m.ShareMethods = []catalog.ShareMethod{"mail", catalog.ByAPI}
		}, []string{"share_methods[0] contradicts_format", "share_methods[0] not_choice"}, nil},
		"method twice": {func(m *catalog.Metadata, _ *catalog.Facts) {
			m.ShareMethods = []catalog.ShareMethod{catalog.ByAPI, catalog.ByAPI}
		}, []string{"share_methods[1] duplicate"}, nil},
		"no items":           {func(m *catalog.Metadata, _ *catalog.Facts) { m.Items = nil }, []string{"items required"}, nil},
		"no share type":      {func(m *catalog.Metadata, _ *catalog.Facts) { m.DeclaredShare = "" }, []string{"declared_share_type required"}, nil},
		"unknown share type": {func(m *catalog.Metadata, _ *catalog.Facts) { m.DeclaredShare = "maybe" }, []string{"declared_share_type not_choice"}, nil},
		"laxer than the items": {func(m *catalog.Metadata, _ *catalog.Facts) {
			m.DeclaredShare, m.ShareCondition = catalog.Unconditional, ""
		}, []string{"declared_share_type contradicts_items"}, nil},
		"unconditional, condition": {func(m *catalog.Metadata, _ *catalog.Facts) { free(m); m.ShareCondition = "须审核" }, []string{"share_condition contradicts"}, nil},
		"conditional, nothing said": {func(m *catalog.Metadata, _ *catalog.Facts) {
			m.ShareCondition, m.ShareScope, m.SharePurpose = "", "", ""
		}, []string{"share_condition required", "share_purpose required", "share_scope required"}, nil},
		"no cycle":      {func(m *catalog.Metadata, _ *catalog.Facts) { m.UpdateCycle = "" }, []string{"update_cycle required"}, nil},
		"unknown cycle": {func(m *catalog.Metadata, _ *catalog.Facts) { m.UpdateCycle = "hourly" }, []string{"update_cycle not_choice"}, nil},
		"realtime without api": {func(m *catalog.Metadata, _ *catalog.Facts) {
			m.UpdateCycle, m.ShareMethods = catalog.Realtime, []catalog.ShareMethod{catalog.ByTable}
		}, nil, []string{"update_cycle realtime_without_api"}},
		"no terms":                  {func(m *catalog.Metadata, _ *catalog.Facts) { m.UsageTerms = "" }, []string{"usage_terms required"}, nil},
		"open without condition":    {func(m *catalog.Metadata, _ *catalog.Facts) { m.Open = true }, []string{"open_condition required"}, nil},
		"condition without opening": {func(m *catalog.Metadata, _ *catalog.Facts) { m.OpenCondition = "实名" }, []string{"open_condition contradicts"}, nil},
		"open item, closed entry":   {func(m *catalog.Metadata, _ *catalog.Facts) { m.Items[0].Open = true }, []string{"items[0].open contradicts"}, nil},
		"no secrecy":                {func(m *catalog.Metadata, _ *catalog.Facts) { m.Secrecy = "" }, []string{"secrecy required"}, nil},
		"secret":                    {func(m *catalog.Metadata, _ *catalog.Facts) { m.Secrecy = "机密" }, []string{"secrecy secret"}, nil},
		"no assessments":            {func(m *catalog.Metadata, _ *catalog.Facts) { m.SecrecyAssess, m.PIAssess = nil, nil }, []string{"pi_assessment required", "secrecy_assessment required"}, nil},
		"assessment of tomorrow":    {func(m *catalog.Metadata, _ *catalog.Facts) { m.PIAssess.Date = "2026-11-21" }, []string{"pi_assessment.date future_date"}, nil},
		"assessment half done": {func(m *catalog.Metadata, _ *catalog.Facts) {
			*m.PIAssess = catalog.Assessment{Date: "2026-02-30", SHA256: "zz"}
		}, []string{"pi_assessment.conclusion required", "pi_assessment.date bad_date", "pi_assessment.sha256 bad_form", "pi_assessment.title required"}, nil},
		"no sign-off":    {func(m *catalog.Metadata, _ *catalog.Facts) { m.HeadSignoff = nil }, []string{"head_signoff required"}, nil},
		"empty sign-off": {func(m *catalog.Metadata, _ *catalog.Facts) { m.HeadSignoff = &catalog.Signoff{} }, []string{"head_signoff.date required", "head_signoff.document required", "head_signoff.name required"}, nil},
		"unknown source department": {func(m *catalog.Metadata, _ *catalog.Facts) {
			m.SourceDeptID, m.Items[1].SourceDeptID = ownSystem, ownSystem
		}, []string{"items[1].source_dept_id unknown", "source_dept_id unknown"}, nil},
		"known source department": {func(m *catalog.Metadata, _ *catalog.Facts) { m.SourceDeptID = otherDepartment }, nil, nil},
		"no system, no contact":   {func(m *catalog.Metadata, _ *catalog.Facts) { m.SystemID, m.ContactName = uuid.Nil, "" }, nil, []string{"contact_name required", "system_id required"}},
		"foreign system":          {func(m *catalog.Metadata, _ *catalog.Facts) { m.SystemID = otherDepartment }, []string{"system_id unknown"}, nil},
		"unknown base database":   {func(m *catalog.Metadata, _ *catalog.Facts) { m.BaseDatabase = "weather" }, []string{"base_database unknown"}, nil},
		"registered key missing": {func(m *catalog.Metadata, f *catalog.Facts) {
			m.BaseDatabase = "population"
			f.KeyItems["population"] = "citizen_id"
		}, []string{"items base_key_missing"}, nil},
		"class of another base": {func(m *catalog.Metadata, _ *catalog.Facts) {
			m.BaseDatabase, m.Classifications[0].Class2 = "population", "02"
		}, nil, []string{"classifications[0].class2 contradicts_base"}},
		"item without name":     {func(m *catalog.Metadata, _ *catalog.Facts) { m.Items[1].Name = "" }, []string{"items[1].name required"}, nil},
		"item names twice":      {func(m *catalog.Metadata, _ *catalog.Facts) { m.Items[1].Name = "编号" }, []string{"items[1].name duplicate"}, nil},
		"identifiers twice":     {func(m *catalog.Metadata, _ *catalog.Facts) { m.Items[1].Identifier = "no" }, []string{"items[1].identifier duplicate"}, nil},
		"identifier of no form": {func(m *catalog.Metadata, _ *catalog.Facts) { m.Items[1].Identifier = "Title" }, []string{"items[1].identifier bad_form"}, nil},
		"unknown letter":        {func(m *catalog.Metadata, _ *catalog.Facts) { m.Items[1].DataType = "X" }, []string{"items[1].data_type not_choice"}, nil},
		"text without length":   {func(m *catalog.Metadata, _ *catalog.Facts) { m.Items[1].Length = 0 }, []string{"items[1].length required"}, nil},
		"scale above length": {func(m *catalog.Metadata, _ *catalog.Facts) {
			m.Items[1].DataType, m.Items[1].Length, m.Items[1].Scale = "N", 4, 5
		}, []string{"items[1].scale out_of_range"}, nil},
		"scale of a text":          {func(m *catalog.Metadata, _ *catalog.Facts) { m.Items[1].Scale = 2 }, []string{"items[1].scale contradicts_type"}, nil},
		"geometry of a text":       {func(m *catalog.Metadata, _ *catalog.Facts) { m.Items[1].Format = "geometry" }, []string{"items[1].format contradicts_type"}, nil},
		"unknown code list":        {func(m *catalog.Metadata, _ *catalog.Facts) { m.Items[1].CodeSet = "planets" }, []string{"items[1].code_set unknown"}, nil},
		"code list of a number":    {func(m *catalog.Metadata, _ *catalog.Facts) { m.Items[1].DataType, m.Items[1].CodeSet = "N", "sex" }, []string{"items[1].code_set contradicts_type"}, nil},
		"codes longer than item":   {func(m *catalog.Metadata, _ *catalog.Facts) { m.Items[1].Length, m.Items[1].CodeSet = 1, "ethnic" }, []string{"items[1].length too_short"}, nil},
		"unknown validator":        {func(m *catalog.Metadata, _ *catalog.Facts) { m.Items[1].Validator = "luck" }, []string{"items[1].validator unknown"}, nil},
		"validator's item missing": {func(m *catalog.Metadata, _ *catalog.Facts) { m.Items[1].Validator = "id_number_by_type:kind" }, []string{"items[1].validator unknown_item"}, nil},
		"validator of a date":      {func(m *catalog.Metadata, _ *catalog.Facts) { m.Items[1].DataType, m.Items[1].Validator = "D", "uscc" }, []string{"items[1].validator contradicts_type"}, nil},
		"no item share type":       {func(m *catalog.Metadata, _ *catalog.Facts) { m.Items[1].ShareType = "" }, []string{"items[1].share_type required"}, nil},
		"no grade":                 {func(m *catalog.Metadata, _ *catalog.Facts) { m.Items[1].Grade = "" }, []string{"items[1].grade required"}, nil},
		"unknown grade":            {func(m *catalog.Metadata, _ *catalog.Facts) { m.Items[1].Grade = "L5" }, []string{"items[1].grade not_choice"}, nil},
		"secret grade":             {func(m *catalog.Metadata, _ *catalog.Facts) { m.Items[1].Grade = "秘密" }, []string{"items[1].grade secret_word"}, nil},
		"secret label":             {func(m *catalog.Metadata, _ *catalog.Facts) { m.Tags, m.Themes = []string{"绝密"}, []string{"机密"} }, []string{"tags[0] secret_word", "themes[0] secret_word"}, nil},
		"secret word in a text": {func(m *catalog.Metadata, _ *catalog.Facts) {
			m.UsageTerms, m.Items[2].Definition = "保守商业秘密", "商业秘密"
		}, nil, []string{"items[2].name secret_word", "usage_terms secret_word"}},
		"open item above L1": {func(m *catalog.Metadata, _ *catalog.Facts) {
			m.Open, m.OpenCondition, m.Items[1].Open = true, "实名", true
		}, []string{"items[1].open contradicts_grade"}, nil},
		"sensitive below L3": {func(m *catalog.Metadata, _ *catalog.Facts) { m.Items[1].SensitivePI = true }, []string{"items[1].grade too_low"}, nil},
		"L3 without mask":    {func(m *catalog.Metadata, _ *catalog.Facts) { m.Items[1].Grade = catalog.L3 }, []string{"items[1].mask_rule required"}, nil},
		"L3 unmasked, no reason": {func(m *catalog.Metadata, _ *catalog.Facts) {
			m.Items[1].Grade, m.Items[1].MaskRule = catalog.L3, "none"
		}, []string{"items[1].mask_reason required"}, nil},
		"L3 unmasked with reason": {func(m *catalog.Metadata, _ *catalog.Facts) {
			m.Items[1].Grade, m.Items[1].MaskRule, m.Items[1].MaskReason = catalog.L3, "none", "代码值"
		}, nil, nil},
		"L4 unmasked with reason": {func(m *catalog.Metadata, _ *catalog.Facts) {
			m.Items[1].Grade, m.Items[1].MaskRule, m.Items[1].MaskReason = catalog.L4, "none", "代码值"
		}, []string{"items[1].mask_rule required"}, nil},
		"L4 masked": {func(m *catalog.Metadata, _ *catalog.Facts) {
			m.Items[1].Grade, m.Items[1].MaskRule = catalog.L4, "full"
		}, nil, nil},
		"L3 unconditional":     {func(m *catalog.Metadata, _ *catalog.Facts) { m.Items[0].Grade, m.Items[0].MaskRule = catalog.L3, "mid" }, nil, []string{"items[0].share_type grade"}},
		"unknown mask":         {func(m *catalog.Metadata, _ *catalog.Facts) { m.Items[1].MaskRule = "blur" }, []string{"items[1].mask_rule unknown"}, nil},
		"mask of another type": {func(m *catalog.Metadata, _ *catalog.Facts) { m.Items[1].MaskRule = "date_year" }, []string{"items[1].mask_rule contradicts_type"}, nil},
		"optional key":         {func(m *catalog.Metadata, _ *catalog.Facts) { m.Items[0].Required = false }, []string{"items[0].required contradicts_key"}, nil},
		"inexact key":          {func(m *catalog.Metadata, _ *catalog.Facts) { m.Items[0].DataType = catalog.Double }, []string{"items[0].is_key contradicts_type"}, nil},
		"overlong key":         {func(m *catalog.Metadata, _ *catalog.Facts) { m.Items[0].Length = 601 }, []string{"items[0].is_key contradicts_type"}, nil},
		"filterable memo":      {func(m *catalog.Metadata, _ *catalog.Facts) { m.Items[2].Filterable = true }, []string{"items[2].filterable contradicts_type"}, nil},
		"nine filterable": {func(m *catalog.Metadata, _ *catalog.Facts) {
			for i := range 9 {
				m.Items = append(m.Items, catalog.Item{Name: fmt.Sprintf("项%d", i), Identifier: fmt.Sprintf("item_%d", i), DataType: "D", Filterable: true, ShareType: catalog.Conditional, Grade: catalog.L2})
			}
		}, []string{"items too_many_filterable"}, nil},
		"table without key": {func(m *catalog.Metadata, _ *catalog.Facts) {
			m.Items[0].Key, m.ShareMethods = false, []catalog.ShareMethod{catalog.ByTable}
		}, nil, []string{"items key_missing"}},
		"withheld item without basis": {func(m *catalog.Metadata, _ *catalog.Facts) { m.Items[2].ShareType = catalog.Withheld }, []string{"withhold_basis required", "withhold_decision required", "withhold_reason required"}, nil},
		"withheld key": {func(m *catalog.Metadata, _ *catalog.Facts) {
			w := withheld(*m)
			m.WithholdReason, m.WithholdBasis, m.WithholdRuling = w.WithholdReason, w.WithholdBasis, w.WithholdRuling
			m.Items[0].ShareType = catalog.Withheld
		}, []string{"items[0].share_type contradicts_key"}, nil},
		"basis without withholding": {func(m *catalog.Metadata, _ *catalog.Facts) { m.WithholdReason = "不便" }, []string{"withhold_reason contradicts"}, nil},
		"withheld by a local rule": {func(m *catalog.Metadata, _ *catalog.Facts) {
			*m = withheld(*m)
			m.WithholdBasis.Rank = "departmental_rule"
		}, []string{"withhold_basis.rank not_choice"}, nil},
		"withheld, no document":      {func(m *catalog.Metadata, _ *catalog.Facts) { *m = withheld(*m); m.WithholdRuling.DocumentNo = "" }, []string{"withhold_decision.document_no required"}, nil},
		"withheld, decided tomorrow": {func(m *catalog.Metadata, _ *catalog.Facts) { *m = withheld(*m); m.WithholdRuling.Date = "2026-11-21" }, []string{"withhold_decision.date future_date"}, nil},
		"withheld, open and offered": {func(m *catalog.Metadata, _ *catalog.Facts) {
			*m = withheld(*m)
			m.Open, m.OpenCondition = true, "x"
			m.ShareMethods = []catalog.ShareMethod{catalog.ByAPI}
		}, []string{"open contradicts", "share_methods contradicts"}, nil},
		"withheld and mounted": {func(m *catalog.Metadata, f *catalog.Facts) { *m = withheld(*m); f.HasMounts = true }, []string{"declared_share_type mounted"}, nil},
		"withheld, items are not": {func(m *catalog.Metadata, _ *catalog.Facts) {
			*m = withheld(*m)
			m.Items[1].ShareType = catalog.Conditional
		}, []string{"declared_share_type contradicts_items"}, nil},
		"title of other items": {func(m *catalog.Metadata, _ *catalog.Facts) {
			m.Name, m.Items[1].Name = "行政许可公示", "处罚内容"
		}, nil, []string{"name contradicts_items"}},
		"same items elsewhere": {func(_ *catalog.Metadata, f *catalog.Facts) {
			f.Similar = []catalog.SimilarTo{{Department: "示例局", Name: "示例", Items: 80}}
		}, nil, []string{"items one_source"}},
		"same name elsewhere": {func(_ *catalog.Metadata, f *catalog.Facts) {
			f.Similar = []catalog.SimilarTo{{Department: "示例局", Name: "示例", Items: 79}}
		}, nil, []string{"name one_source"}},
		"NUL in a text":               {func(m *catalog.Metadata, _ *catalog.Facts) { m.UsageTerms, m.Items[1].Unit = "a\x00b", "\x00" }, []string{"items[1].unit bad_character", "usage_terms bad_character"}, nil},
		"text beyond its limit":       {func(m *catalog.Metadata, _ *catalog.Facts) { m.UsageTerms, m.Items[0].Definition = long, long }, []string{"items[0].definition too_long", "usage_terms too_long"}, nil},
		"a thousand and one items":    {func(m *catalog.Metadata, _ *catalog.Facts) { m.Items = many(1001) }, []string{"items too_many"}, nil},
		"filterable and withheld":     {func(m *catalog.Metadata, _ *catalog.Facts) { *m = withheld(*m); m.Items[1].Filterable = true }, []string{"items[1].filterable contradicts"}, nil},
		"withheld and open item":      {func(m *catalog.Metadata, _ *catalog.Facts) { *m = withheld(*m); m.Items[0].Open = true }, []string{"items[0].open contradicts", "items[0].open contradicts"}, nil},
		"withheld L4 without a mask":  {func(m *catalog.Metadata, _ *catalog.Facts) { *m = withheld(*m); m.Items[1].Grade = catalog.L4 }, nil, nil},
		"an item with a huge length":  {func(m *catalog.Metadata, _ *catalog.Facts) { m.Items[1].Length = 10_000_001 }, []string{"items[1].length out_of_range"}, nil},
		"a number of too many digits": {func(m *catalog.Metadata, _ *catalog.Facts) { m.Items[1].DataType, m.Items[1].Length = "N", 1001 }, []string{"items[1].length out_of_range"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m, f := right(), facts(t)
			test.spoil(&m, &f)
			blocks, warnings := catalog.Check(m, f)
			if diff := cmp.Diff(sorted(test.blocks), sorted(fieldNames(blocks))); diff != "" {
				t.Errorf("blocks (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(sorted(test.warns), sorted(fieldNames(warnings))); diff != "" {
				t.Errorf("warnings (-want +got):\n%s", diff)
			}
		})
	}
}

// An entry with nothing right in it has every fault named in one answer, and no message repeats what was submitted.
func TestCheckNamesAllAtOnce(t *testing.T) {
	t.Parallel()
	m := catalog.Metadata{
		Name: "绝密花名册", Secrecy: "绝密", DeclaredShare: catalog.Withheld, Open: true, UpdateCycle: "sometimes", Level: "galaxy",
		FormatCategory: "1", Formats: []string{"exe-echo"}, ShareMethods: []catalog.ShareMethod{catalog.ByTable, "mail-echo"},
		Classifications: []catalog.Classification{{Class1: "8", Class2: "x"}, {Class1: "1", Class2: "01", Class3: "001"}},
		WithholdBasis:   &catalog.WithholdBasis{Rank: "rule-echo"}, BaseDatabase: "weather-echo", RelatedCodes: []string{"code-echo"},
		Items: []catalog.Item{
			{Name: "甲", Identifier: "Bad-echo", DataType: "Z", ShareType: "often-echo", Grade: "L9"},
			{Name: "甲", Identifier: "b", DataType: catalog.Char, Key: true, ShareType: catalog.Conditional, Grade: catalog.L4, CodeSet: "set-echo", Validator: "validator-echo", MaskRule: "mask-echo"},
		},
	}
	blocks, warnings := catalog.Check(m, catalog.Facts{Today: "2026-11-20"})
	got := fieldNames(blocks)
	for _, want := range []string{
		"secrecy secret", "update_cycle not_choice", "level not_choice", "share_methods[1] not_choice", "items[0].identifier bad_form",
		"items[0].data_type not_choice", "items[0].share_type not_choice", "items[1].name duplicate", "summary required",
		"provider_unit required", "provider_code bad_length", "classifications[0].class1 not_choice", "classifications[0].class2 bad_form",
		"classifications primary", "related_codes[0] bad_form", "formats[0] not_in_category", "share_methods[0] contradicts_format",
		"declared_share_type contradicts_items", "withhold_reason required", "withhold_basis.rank not_choice", "withhold_basis.title required",
		"withhold_basis.article required", "withhold_decision required", "open contradicts", "share_methods contradicts",
		"open_condition required", "usage_terms required", "secrecy_assessment required", "pi_assessment required", "head_signoff required",
		"base_database unknown", "items[0].grade not_choice", "items[1].length required", "items[1].code_set unknown",
		"items[1].validator unknown", "items[1].mask_rule unknown", "items[1].required contradicts_key",
	} {
		if !slices.Contains(got, want) {
			t.Errorf("missing block %q", want)
		}
	}
	for _, f := range append(blocks, warnings...) {
		if strings.Contains(f.Message, "echo") || strings.Contains(f.Message, "花名册") {
			t.Errorf("%s repeats what was submitted: %s", f.Name, f.Message)
		}
	}
}

func free(m *catalog.Metadata) {
	m.DeclaredShare, m.ShareCondition, m.ShareScope, m.SharePurpose = catalog.Unconditional, "", "", ""
	for i := range m.Items {
		m.Items[i].ShareType = catalog.Unconditional
	}
}

func many(n int) []catalog.Item {
	items := small("x").Items
	for i := len(items); i < n; i++ {
		items = append(items, catalog.Item{Name: fmt.Sprintf("项%d", i), Identifier: fmt.Sprintf("item_%d", i), DataType: "D", ShareType: catalog.Conditional, Grade: catalog.L2})
	}
	return items
}
