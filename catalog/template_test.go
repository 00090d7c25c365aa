package catalog_test

import (
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/catalog"
)

// The templates of the six base databases exist, with the two additions, and have the items and keys of their tables.
func TestTemplates(t *testing.T) {
	t.Parallel()
	all, err := catalog.Templates()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	counts := map[string]int{}
	for _, template := range all {
		var keys []string
		for _, item := range template.Items {
			if item.Key {
				keys = append(keys, item.Identifier)
			}
		}
		got[template.Name] = template.BaseDatabase + ":" + strings.Join(keys, ",")
		counts[template.Name] = len(template.Items)
	}
	want := map[string]string{
		"base_population": "population:citizen_id", "base_legal_person": "legal_person:uscc", "base_geospatial": "geospatial:address_code",
		"geo_feature": "geospatial:feature_code", "base_credit": "credit:decision_no,agency_uscc", "admin_licence": "credit:doc_no,agency_uscc",
		"base_certificate": "certificate:cert_id", "base_macro_economy": "macro_economy:indicator_code,period,division_code,version",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("templates (-want +got):\n%s", diff)
	}
	wantCounts := map[string]int{
		"base_population": 26, "base_legal_person": 25, "base_geospatial": 15, "geo_feature": 10, "base_credit": 21, "admin_licence": 17,
		"base_certificate": 20, "base_macro_economy": 14,
	}
	if diff := cmp.Diff(wantCounts, counts); diff != "" {
		t.Errorf("items (-want +got):\n%s", diff)
	}
}

// Every template passes Check once a department has added what only it can state.
func TestTemplatesPassCheck(t *testing.T) {
	t.Parallel()
	all, err := catalog.Templates()
	if err != nil {
		t.Fatal(err)
	}
	f := facts(t)
	f.BaseDatabases = []string{"population", "legal_person", "geospatial", "credit", "certificate", "macro_economy"}
	for _, template := range all {
		m := complete(template.Metadata())
		m.SystemID = ownSystem
		blocks, warnings := catalog.Check(m, f)
		if len(blocks)+len(warnings) > 0 {
			t.Errorf("%s: blocks %v, warnings %v", template.Name, blocks, warnings)
		}
	}
}

// Details of the tables that protection and validation hang on are those of the templates.
func TestTemplateItems(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]map[string]string{
		"base_population": {
			"citizen_id": "C18 conditional L3 id_card citizen_id", "name": "C64 conditional L3 name ", "sex_code": "C1 conditional L2  ",
			"birth_date": "D0 conditional L3 date_year ", "photo": "G0 conditional L4 suppress ", "mobile": "C11 conditional L3 mobile mobile",
			"ethnic_code": "C2 conditional L3 none ", "domicile_division_code": "C12 conditional L2  division",
		},
		"base_legal_person": {
			"uscc": "C18 unconditional L1  uscc", "org_code": "C9 unconditional L1  org_code", "reg_capital": "N18 unconditional L1  ",
			"legal_rep_id_no": "C18 conditional L3 id_card id_number_by_type:legal_rep_id_type",
		},
		"base_geospatial":    {"room_no": "C20 conditional L3 full ", "longitude": "N12 unconditional L1  "},
		"geo_feature":        {"geometry": "G0 conditional L2  "},
		"base_credit":        {"party_name": "C200 unconditional L1 name ", "violation_fact": "M0 unconditional L1 text_scan "},
		"admin_licence":      {"content": "M0 unconditional L1 text_scan "},
		"base_certificate":   {"cert_id": "C128 conditional L2  cert_id", "layout_file": "G0 conditional L4 suppress ", "cert_no": "C100 conditional L3 mid "},
		"base_macro_economy": {"value": "B0 unconditional L1  ", "yoy": "N10 unconditional L1  "},
	} {
		template, err := catalog.FindTemplate(name)
		if err != nil {
			t.Fatal(err)
		}
		m := template.Metadata()
		for identifier, line := range want {
			i, ok := m.Item(identifier)
			if !ok {
				t.Errorf("%s has no item %s", name, identifier)
				continue
			}
			got := strings.Join([]string{string(i.DataType) + strconv.Itoa(i.Length), string(i.ShareType), string(i.Grade), i.MaskRule, i.Validator}, " ")
			if got != line {
				t.Errorf("%s.%s: got %q, want %q", name, identifier, got, line)
			}
		}
	}
}

// A draft made from a template takes over what the department states and keeps the rest.
func TestCreateFromTemplate(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r, err := b.service.CreateFromTemplate(b.ctx, b.operator, "base_population", catalog.Metadata{Name: "示例市人口基本信息", UsageTerms: "依法使用"})
	if err != nil {
		t.Fatal(err)
	}
	if r.Name != "示例市人口基本信息" || r.Version.UsageTerms != "依法使用" || len(r.Version.Items) != 26 || r.Version.BaseDatabase != "population" {
		t.Errorf("got %q, %q, %d items, base %q", r.Name, r.Version.UsageTerms, len(r.Version.Items), r.Version.BaseDatabase)
	}
	if r.Version.Grade != catalog.L4 || r.Version.ShareType != catalog.Conditional {
		t.Errorf("got grade %s and share type %s", r.Version.Grade, r.Version.ShareType)
	}
	_, err = b.service.CreateFromTemplate(b.ctx, b.operator, "base_weather", catalog.Metadata{})
	wantCode(t, err, "not_found", "template_not_found")
	if r.Version.SourceDeptID != uuid.Nil {
		t.Errorf("the template names a source department")
	}
}
