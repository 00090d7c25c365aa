package catalog_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/catalog"
)

// The templates of the six base databases and of the systems that every government runs exist, with the items and keys of their
// tables; each belongs to a base database or to a group.
func TestTemplates(t *testing.T) {
	t.Parallel()
	all, err := catalog.Templates()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, template := range all {
		var keys []string
		for _, item := range template.Items {
			if item.Key {
				keys = append(keys, item.Identifier)
			}
		}
		if (template.BaseDatabase == "") != slices.Contains(catalog.TemplateGroups(), template.Group) {
			t.Errorf("%s belongs to base database %q and group %q", template.Name, template.BaseDatabase, template.Group)
		}
		got[template.Name] = fmt.Sprintf("%s:%s %d", template.BaseDatabase+string(template.Group), strings.Join(keys, ","), len(template.Items))
	}
	want := map[string]string{
		"abnormal_operation":    "credit:uscc,list_date 8",
		"admin_licence":         "credit:doc_no,agency_uscc 17",
		"annual_report":         "legal_person:uscc,report_year 20",
		"base_certificate":      "certificate:cert_id 20",
		"base_credit":           "credit:decision_no,agency_uscc 21",
		"base_geospatial":       "geospatial:address_code 15",
		"base_legal_person":     "legal_person:uscc 25",
		"base_macro_economy":    "macro_economy:indicator_code,period,division_code,version 14",
		"base_population":       "population:citizen_id 26",
		"bidder":                "trade:section_code,bidder_code 10",
		"candidate":             "trade:section_code,code 9",
		"contract_performance":  "trade:contract_no 15",
		"dishonest_executed":    "credit:case_no,party_id_no 11",
		"entity_code_map":       "credit:uscc 5",
		"geo_feature":           "geospatial:feature_code 10",
		"gov_org":               "legal_person:org_no 8",
		"hotline_order":         "hotline:order_no 24",
		"invest_project":        "investment:project_code 20",
		"public_institution":    "legal_person:uscc 8",
		"serious_violation":     "credit:uscc,list_date 8",
		"service_case":          "service:case_no 21",
		"service_case_material": "service:case_no,material_name 5",
		"service_case_process":  "service:case_no,step_no 8",
		"service_case_result":   "service:case_no 8",
		"service_case_special":  "service:case_no,special_type,start_time 5",
		"service_directory":     "service:base_code 10",
		"service_enforcement":   "service:impl_code 4",
		"service_item":          "service:impl_code 25",
		"service_material":      "service:impl_code,material_code 9",
		"social_org":            "legal_person:uscc 9",
		"tax_credit":            "credit:uscc,year 6",
		"tender_project":        "trade:tender_project_code 14",
		"trade_project":         "trade:project_no 16",
		"trade_section":         "trade:section_code 11",
		"unified_payment":       "payment:pay_code 23",
		"win_result":            "trade:unified_trade_code,section_code 14",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("templates (-want +got):\n%s", diff)
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
		"service_item":       {"impl_org_code": "C18 unconditional L1  uscc"},
		"service_case":       {"applicant_id_no": "C18 conditional L3 id_card id_number_by_type:applicant_id_type", "summary": "M0 conditional L3 text_scan "},
		"hotline_order":      {"content": "M0 conditional L3 text_scan ", "contact_phone": "C20 conditional L3 phone "},
		"win_result":         {"win_amount": "Y20 unconditional L1  "},
		"bidder":             {"bid_price": "Y20 conditional L3 none "},
		"invest_project":     {"project_code": "C24 unconditional L1  project_code"},
		"unified_payment":    {"payer_id_no": "C18 conditional L3 id_card ", "amount": "Y18 conditional L2  "},
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
