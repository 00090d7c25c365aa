package city

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/shuqiao/shuqiao/internal/pgtest"
)

// templateItems are the items of the resource templates as "identifier:type", where C and N carry their length.
var templateItems = map[string]string{
	"base_population": "citizen_id:C18 id_type:C3 name:C64 former_name:C64 sex_code:C1 ethnic_code:C2 birth_date:D " +
		"birth_place_code:C6 native_place_code:C6 domicile_division_code:C12 domicile_address:C200 " +
		"residence_address:C200 household_no:C20 householder_relation_code:C2 marital_status_code:C2 " +
		"education_code:C2 employer:C120 mobile:C11 email:C100 social_card_no:C20 id_valid_from:D id_valid_to:D " +
		"move_in_date:D death_date:D cancel_reason_code:C2 photo:G",
	"base_legal_person": "uscc:C18 entity_id:C50 name:C200 reg_no:C15 org_code:C9 type_code:C4 reg_status:C2 legal_rep_name:C64 " +
		"legal_rep_id_type:C3 legal_rep_id_no:C18 legal_rep_mobile:C11 reg_capital:N18,6 currency_code:C3 " +
		"establish_date:D approve_date:D reg_org_name:C100 address:C300 division_code:C6 business_address:C300 " +
		"business_scope:M industry_code:C5 business_from:D business_to:D revoke_date:D deregister_date:D",
	"base_geospatial": "address_code:C40 full_address:C300 province_code:C2 division_code:C12 street_name:C100 door_no:C50 " +
		"building_name:C100 unit_no:C20 room_no:C20 longitude:N12,8 latitude:N11,8 crs:C20 survey_date:D " +
		"survey_source:C100 status:C1",
	"base_credit": "party_name:C200 party_type:C1 party_uscc:C18 party_id_type:C3 party_id_no:C18 legal_rep_name:C64 " +
		"decision_no:C128 violation_type:C200 violation_fact:M legal_basis:M punish_type:C64 punish_content:M " +
		"fine_amount:N18,6 confiscate_amount:N18,6 revoked_cert:C200 decision_date:D valid_to:D publish_until:D " +
		"agency_name:C200 agency_uscc:C18 status:C1",
	"base_certificate": "cert_id:C128 cert_source_id:C128 cert_name:C200 cert_type_name:C200 cert_type_code:C21 cert_no:C100 " +
		"holder_name:C200 holder_code:C64 holder_code_type:C3 issuer_name:C200 issuer_code:C18 area_code:C12 " +
		"issue_date:D valid_from:D valid_to:D cert_status:C2 layout_file:G file_hash:C64 signature:C512 " +
		"timestamp_token:M",
	"geo_feature": "feature_code:C40 feature_name:C200 feature_type:C20 division_code:C12 geometry:G area_m2:N18,2 " +
		"length_m:N18,2 accuracy_m:N8,2 crs:C20 current_date:D",
	"admin_licence": "party_name:C200 party_type:C1 party_uscc:C18 party_id_type:C3 party_id_no:C18 doc_name:C64 doc_no:C64 " +
		"licence_type:C32 cert_name:C64 cert_no:C64 content:M decision_date:D valid_from:D valid_to:D " +
		"agency_name:C200 agency_uscc:C18 status:C1",
	"base_macro_economy": "indicator_code:C32 indicator_name:C200 unit:C20 scope_note:C500 period_type:C1 period:C6 division_code:C6 " +
		"value:B yoy:N10,2 mom:N10,2 cumulative_value:B source_org:C100 publish_date:D version:C2",
}

// Every item of a template is either mapped or declared missing, and nothing else is mapped.
func TestMappingsCoverTheTemplates(t *testing.T) {
	t.Parallel()
	for _, d := range Databases() {
		for _, table := range d.Tables {
			want := map[string]bool{}
			for _, item := range strings.Fields(templateItems[table.Template]) {
				identifier, _, _ := strings.Cut(item, ":")
				want[identifier] = true
			}
			if len(want) == 0 {
				t.Errorf("%s: unknown template %s", table.Name, table.Template)
			}
			got := map[string]bool{}
			for item := range table.Mapping() {
				got[item] = true
			}
			for _, item := range table.Missing {
				got[item] = true
			}
			for item := range want {
				if !got[item] {
					t.Errorf("%s: item %s is neither mapped nor missing", table.Name, item)
				}
			}
			for item := range got {
				if !want[item] {
					t.Errorf("%s: template %s has no item %s", table.Name, table.Template, item)
				}
			}
		}
	}
}

// checkFitsTemplates ensures that values of right rows fit the types and lengths of their template.
func checkFitsTemplates(t *testing.T, dsn DSN, wrong []Wrong) {
	t.Helper()
	listed := map[string][]int64{}
	for _, w := range wrong {
		listed[w.Table] = append(listed[w.Table], w.Row)
	}
	for _, d := range Databases() {
		conn := pgtest.Conn(t, dsn(d.Name))
		for _, table := range d.Tables {
			mapping := table.Mapping()
			for _, item := range strings.Fields(templateItems[table.Template]) {
				identifier, kind, _ := strings.Cut(item, ":")
				column := mapping[identifier]
				if column == "" {
					continue
				}
				var bad string
				switch kind[0] {
				case 'C':
					if _, err := strconv.Atoi(kind[1:]); err != nil {
						t.Fatalf("type %s", kind)
					}
					bad = "char_length(%s) > " + kind[1:]
				case 'N', 'B':
					bad = `%s !~ '^-?[0-9]{1,17}(\.[0-9]+)?$'`
				case 'D':
					bad = `%s !~ '^[0-9]{4}([-/]?)[0-9]{2}\1[0-9]{2}$'`
				default:
					bad = "%s = ''"
				}
				query := fmt.Sprintf("SELECT count(*) FROM %s WHERE "+bad+" AND NOT %s = ANY($1)", tableName(table.Name), column, table.RowColumn)
				var n int
				if err := conn.QueryRow(context.Background(), query, listed[table.Name]).Scan(&n); err != nil {
					t.Fatalf("%s: %v", query, err)
				}
				if n != 0 {
					t.Errorf("%s: %d values of %s do not fit %s", table.Name, n, column, item)
				}
			}
		}
	}
}
