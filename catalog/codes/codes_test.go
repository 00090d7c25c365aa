package codes

import (
	"encoding/csv"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var judgementDay = time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)

// summary writes findings as "level:code level:code" so that tables stay readable.
func summary(findings []Finding) string {
	parts := make([]string, 0, len(findings))
	for _, f := range findings {
		parts = append(parts, string(f.Level)+":"+f.Code)
	}
	return strings.Join(parts, " ")
}

// Every worked example and counter-example of the identifiers gives exactly the findings that its standard demands.
func TestVectors(t *testing.T) {
	t.Parallel()
	id := func(s string) []Finding { return CheckCitizenID(s, judgementDay) }
	tests := []struct {
		name  string
		check func(string) []Finding
		value string
		want  string
	}{
		{"ID example of the standard", id, "11010519491231002X", ""},
		{"ID example of the 19th century, division retired since", id, "440524188001010014", "warning:unknown_division"},
		{"ID with a retired city-level division", id, "34052419800101001X", "warning:unknown_division"},
		{"ID of a leap day in 1896", id, "110105189602290012", ""},
		{"ID older than 150 years", id, "110105187501010019", "warning:great_age"},
		{"ID with wrong check", id, "110105194912310021", "error:bad_check_digit"},
		{"ID with month 13", id, "110105194913310021", "error:impossible_date"},
		{"ID with 29 February of a common year", id, "110105194902290029", "error:impossible_date"},
		{"ID of province 99", id, "990105194912310023", "error:unknown_province"},
		{"ID starting with a letter", id, "T1010519491231002X", "error:bad_character"},
		{"ID of 16 digits", id, "1101051949123100", "error:bad_length"},
		{"ID with lower-case x", id, "11010519491231002x", "error:bad_character"},
		{"ID empty", id, "", "error:bad_length"},
		{"ID born tomorrow", id, "110105202611230017", "error:future_date"},
		{"ID of year zero", id, "110105000001010010", "error:impossible_date"},
		{"ID of a Taiwan resident's permit", id, "83000019491231002X", "error:bad_check_digit"},
		{"old ID", id, "110105491231002", "warning:old_form"},
		{"old ID with a letter", id, "11010549123100X", "error:bad_character"},
		{"old ID with month 13", id, "110105491331002", "error:impossible_date"},
		{"old ID of province 99", id, "990105491231002", "error:unknown_province"},

		{"USCC", CheckUSCC, "91110000802100433B", ""},
		{"USCC ending in P", CheckUSCC, "91330106673959654P", ""},
		{"USCC ending in W", CheckUSCC, "11100000000013338W", ""},
		{"USCC with letters inside", CheckUSCC, "91350100M000100Y43", ""},
		{"USCC of A1", CheckUSCC, "A1110000000000019A", ""},
		{"USCC of N2", CheckUSCC, "N2330000000000019G", ""},
		{"USCC of Y1", CheckUSCC, "Y1330000000000019B", ""},
		{"USCC of a social organisation", CheckUSCC, "513300000000000270", ""},
		{"USCC of the MA series", CheckUSCC, "91330000MA0000015P", ""},
		{"USCC with wrong check", CheckUSCC, "91110000802100433A", "error:bad_check_digit"},
		{"USCC with foreign letters", CheckUSCC, "9111000060003IOZSV", "error:bad_character"},
		{"USCC of 17 characters", CheckUSCC, "9111000080210043B", "error:bad_length"},
		{"USCC in lower case", CheckUSCC, "91110000802100433b", "error:bad_character"},
		{"USCC with class 0", CheckUSCC, "90110000802100433B", "error:bad_character"},

		{"organisation code ending in X", CheckOrgCode, "D2143569X", ""},
		{"organisation code", CheckOrgCode, "000013338", ""},
		{"organisation code of remainder 1", CheckOrgCode, "00000006X", ""},
		{"organisation code of remainder 0", CheckOrgCode, "000000190", ""},
		{"organisation code with wrong check", CheckOrgCode, "000013339", "error:bad_check_digit"},
		{"organisation code with dash", CheckOrgCode, "D2143569-X", "error:bad_length"},
		{"organisation code with a letter as check", CheckOrgCode, "00001333A", "error:bad_character"},

		{"certificate", CheckCertID, "1.2.156.3005.2.11100000000013338W011.11430000006122244L.20230000403.001.U", ""},
		{"certificate ending in a digit", CheckCertID, "1.2.156.3005.2.11100000000013338W009.11330105002500287C.2025052201.002.0", ""},
		{"certificate with a short issuer", CheckCertID, "1.2.156.3005.2.11100000MB03271699022.340100.000000016.001.9", "warning:short_issuer"},
		{"certificate with wrong check", CheckCertID, "1.2.156.3005.2.11100000000013338W011.11430000006122244L.20230000403.001.M", "error:bad_check_digit"},
		{"certificate without prefix", CheckCertID, "11100000000013338W011.11430000006122244L.20230000403.001.U", "error:bad_prefix"},
		{"certificate with a part missing", CheckCertID, "1.2.156.3005.2.11100000000013338W011.11430000006122244L.20230000403.U", "error:bad_form"},
		{"certificate with an empty part", CheckCertID, "1.2.156.3005.2.11100000000013338W011..20230000403.001.U", "error:bad_form"},
		{"certificate with lower case", CheckCertID, "1.2.156.3005.2.11100000000013338w011.11430000006122244L.20230000403.001.U", "error:bad_character"},
		{"certificate with a short type", CheckCertID, "1.2.156.3005.2.11100000000013338W01.11430000006122244L.20230000403.001.U", "error:bad_form"},
		{"certificate with version 1A", CheckCertID, "1.2.156.3005.2.11100000000013338W011.11430000006122244L.20230000403.01A.U", "error:bad_form"},
		{"certificate too long", CheckCertID, "1.2.156.3005.2." + strings.Repeat("1", 120), "error:bad_length"},

		{"project code", CheckProjectCode, "2603-330000-04-01-000001", ""},
		{"project code without dashes", CheckProjectCode, "260333000004010001", "error:bad_length"},
		{"project code with a letter", CheckProjectCode, "2603-330000-04-01-00000A", "error:bad_character"},
		{"project code with dashes elsewhere", CheckProjectCode, "26033-30000-04-01-000001", "error:bad_form"},

		{"mobile", CheckMobile, "13800001234", ""},
		{"mobile of no assigned block", CheckMobile, "10000001234", "warning:unassigned_block"},
		{"mobile of 10 digits", CheckMobile, "1380000123", "error:bad_length"},
		{"mobile starting with 2", CheckMobile, "23800001234", "error:bad_prefix"},
		{"mobile with a letter", CheckMobile, "1380000123a", "error:bad_character"},

		{"division of a county", CheckDivision, "330602", ""},
		{"division of a city", CheckDivision, "330600", ""},
		{"division of a province", CheckDivision, "330000", ""},
		{"division of a township", CheckDivision, "330602001", ""},
		{"division of a village", CheckDivision, "330602001001", ""},
		{"division of Hong Kong", CheckDivision, "810000", ""},
		{"division of no province", CheckDivision, "990000", "error:unknown_province"},
		{"division once valid", CheckDivision, "330621", "warning:unknown_division"},
		{"division of 7 digits", CheckDivision, "3306020", "error:bad_length"},
		{"division with a letter", CheckDivision, "33060A", "error:bad_character"},

		{"resource code", CheckResourceCode, "101001001/000001", ""},
		{"resource code with long serial", CheckResourceCode, "112461465423/798456", ""},
		{"resource code at its shortest", CheckResourceCode, "112461/1", ""},
		{"resource code of class 4", CheckResourceCode, "401001001/000001", "error:bad_form"},
		{"resource code with a dash", CheckResourceCode, "101001001-000001", "error:bad_form"},
		{"resource code too short", CheckResourceCode, "10100/1", "error:bad_form"},
		{"resource code without serial", CheckResourceCode, "101001001/", "error:bad_form"},
		{"resource code with a line end", CheckResourceCode, "112461/1\n", "error:bad_form"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := tt.check(tt.value)
			if diff := cmp.Diff(tt.want, summary(got)); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
			for _, f := range got {
				if f.Message == "" || (len(tt.value) > 3 && strings.Contains(f.Message, tt.value)) {
					t.Errorf("the message %q is empty or repeats the value", f.Message)
				}
			}
		})
	}
}

// A person of more than 150 years is a warning, and the 150th birthday itself is not.
func TestGreatAge(t *testing.T) {
	t.Parallel()
	tests := map[string]string{"11010518761121": "warning:great_age", "11010518761122": "", "11010518761123": ""}
	for front, want := range tests {
		digit, ok := CitizenIDCheckDigit(front + "001")
		if !ok {
			t.Fatalf("no check digit for a body of 17 digits")
		}
		got := summary(CheckCitizenID(front+"001"+string(digit), judgementDay))
		if got != want {
			t.Errorf("born %s: got %q, want %q", front[6:], got, want)
		}
	}
}

// Document numbers are judged by the rule of their type: a leading 9 stands for residence cards and falls for citizens.
func TestIDNumberByType(t *testing.T) {
	t.Parallel()
	nine, _ := CitizenIDCheckDigit("91115619491231002")
	resident := "91115619491231002" + string(nine)
	tests := []struct{ typ, value, want string }{
		{"111", "11010519491231002X", ""},
		{"111", resident, "error:unknown_province"},
		{"553", resident, ""},
		{"553", "CHN110064041502", ""},
		{"553", resident[:17] + "Z", "error:bad_character"},
		{"001", "91110000802100433B", ""},
		{"001", "11010519491231002X", "error:bad_check_digit"},
		{"414", "E12345678", ""},
		{"414", "", "error:bad_length"},
		{"414", "护照", "error:bad_character"},
		{"", "11010519491231002X", ""},
		{"", "91110000802100433B", ""},
		{"", resident, ""},
		{"", "110105194912310021", "error:bad_check_digit"},
		{"", "E12345678", ""},
	}
	for _, tt := range tests {
		if got := summary(CheckIDNumber(tt.typ, tt.value, judgementDay)); got != tt.want {
			t.Errorf("type %q: got %q, want %q", tt.typ, got, tt.want)
		}
	}
}

func readVectors(t *testing.T, name string) [][]string {
	t.Helper()
	file, err := os.Open("testdata/" + name)
	if err != nil {
		t.Fatalf("opening vectors: %v", err)
	}
	defer file.Close()
	rows, err := csv.NewReader(file).ReadAll()
	if err != nil {
		t.Fatalf("reading vectors: %v", err)
	}
	return rows[1:]
}

// All collected credit codes are judged as their table says, by the rule that the table names.
func TestUSCCVectorFile(t *testing.T) {
	t.Parallel()
	rows := readVectors(t, "uscc_vectors.csv")
	if len(rows) != 58 {
		t.Fatalf("got %d vectors, want 58", len(rows))
	}
	form := map[string]bool{CodeBadLength: true, CodeBadCharacter: true}
	for _, row := range rows {
		value, expect, reason, level := row[0], row[1], row[2], row[5]
		findings := CheckUSCC(value)
		first, wrong := FirstError(findings)
		switch {
		case expect == "valid":
			if len(findings) != 0 {
				t.Errorf("%s: got %q, want no finding", value, summary(findings))
			}
		case level == "form":
			if !wrong || !form[first.Code] {
				t.Errorf("%s (%s): got %q, want a form error", value, reason, summary(findings))
			}
		case level == "check" && first.Code != CodeBadCheckDigit:
			t.Errorf("%s (%s): got %q, want a check error", value, reason, summary(findings))
		case level == "inner" && summary(findings) != "warning:"+CodeInnerCheckDigit:
			t.Errorf("%s (%s): got %q, want a warning", value, reason, summary(findings))
		case level == "code" && first.Code != CodeUnknownRegistry:
			t.Errorf("%s (%s): got %q, want an unknown registry", value, reason, summary(findings))
		}
		if expect == "decide" {
			// Blanks around and lower case are normalised; blanks inside could join two values and stay an error.
			normalised := hasError(CheckUSCC(NormaliseUpper(value)))
			if inside := strings.Contains(strings.TrimSpace(value), " "); normalised != inside {
				t.Errorf("%q after normalising: got error %v, want %v", value, normalised, inside)
			}
		}
	}
}

// All collected identity numbers are judged as their table says.
func TestCitizenIDVectorFile(t *testing.T) {
	t.Parallel()
	rows := readVectors(t, "citizen_id_vectors.csv")
	if len(rows) != 25 {
		t.Fatalf("got %d vectors, want 25", len(rows))
	}
	for _, row := range rows {
		value, expect := row[0], row[1]
		findings := CheckCitizenID(value, judgementDay)
		first, wrong := FirstError(findings)
		want := ""
		switch {
		case strings.HasPrefix(expect, "valid after"):
			if hasError(CheckCitizenID(NormaliseUpper(value), judgementDay)) {
				t.Errorf("%s: still wrong after normalising", value)
			}
			want = CodeBadCharacter
		case strings.Contains(expect, "checksum") && !strings.Contains(expect, "right"):
			want = CodeBadCheckDigit
		case strings.Contains(expect, "Feb"), strings.Contains(expect, "month"):
			want = CodeImpossibleDate
		case strings.Contains(expect, "province"):
			want = CodeUnknownProvince
		case strings.Contains(expect, "format"):
			want = CodeBadCharacter
		case strings.Contains(expect, "length"):
			want = CodeBadLength
		case strings.Contains(expect, "15-digit"):
			if summary(findings) != "warning:"+CodeOldForm {
				t.Errorf("%s: got %q, want the old form flagged", value, summary(findings))
			}
		}
		if wrong != (want != "") || first.Code != want {
			t.Errorf("%s (%s): got %q, want error %q", value, expect, summary(findings), want)
		}
	}
}

// Normalising turns what people type into what the standards print, and leaves text that is no UTF-8 alone.
func TestNormalise(t *testing.T) {
	t.Parallel()
	tests := []struct {
		form      func(string) string
		in, value string
	}{
		{Normalise, " １３８００００１２３４　", "13800001234"},
		{Normalise, "ab", "ab"},
		{Normalise, "", ""},
		{Normalise, "\xff ", "\xff "},
		{NormaliseUpper, "11010519491231002ｘ", "11010519491231002X"},
		{NormaliseUpper, "９１３４０６００ＭＡ２ＰＢＰ２１２０", "91340600MA2PBP2120"},
		{NormaliseOrgCode, "d2143569-x", "D2143569X"},
		{NormaliseOrgCode, "D2143569－X", "D2143569X"},
		{NormaliseOrgCode, "D2143569X", "D2143569X"},
	}
	for _, tt := range tests {
		if got := tt.form(tt.in); got != tt.value {
			t.Errorf("normalising %q: got %q, want %q", tt.in, got, tt.value)
		}
	}
}

// A 15-digit number is converted only on request and then satisfies the rule of 18 characters.
func TestConvertOldCitizenID(t *testing.T) {
	t.Parallel()
	got, ok := ConvertOldCitizenID("110105491231002")
	if want := "11010519491231002X"; !ok || got != want {
		t.Errorf("got %q %v, want %q", got, ok, want)
	}
	if _, ok := ConvertOldCitizenID("11010549123100X"); ok {
		t.Error("converted a number with a letter")
	}
}

// Generated resource codes pass their own check, count upwards, and bad parts are named.
func TestNationalCoder(t *testing.T) {
	t.Parallel()
	var coder CodeGenerator = NationalCoder{}
	for serial, want := range map[int64]string{1: "101001001/000001", 1234567: "101001001/1234567"} {
		got, err := coder.ResourceCode("101001001", serial)
		if err != nil || got != want || CheckResourceCode(got) != nil {
			t.Errorf("serial %d: got %q, %v, want %q", serial, got, err, want)
		}
		if back := ResourceCodeFromPath(ResourceCodePath(got)); back != got {
			t.Errorf("path round trip: got %q, want %q", back, got)
		}
	}
	if _, err := coder.ResourceCode("4", 0); err == nil || !strings.Contains(err.Error(), "serial out_of_range") ||
		!strings.Contains(err.Error(), "classification bad_form") {
		t.Errorf("got %v, want both parts named", err)
	}
}

// The provincial generator puts its prefix before the national code, takes codes of both forms for good and no others, and cannot be
// made with a prefix that could be the beginning of a national code.
func TestProvincialCoder(t *testing.T) {
	t.Parallel()
	coder, ok := NewCodeGenerator("ZJ")
	got, err := coder.ResourceCode("101001001", 7)
	if !ok || err != nil || got != "ZJ101001001/000007" || ResourceCodeFromPath(ResourceCodePath(got)) != got {
		t.Fatalf("got %q, %v, %v", got, ok, err)
	}
	for code, want := range map[string]bool{
		"ZJ101001001/000007": true, "101001001/000007": true, "JS101001001/000007": false, "ZJZJ101001/1": false, "ZJ401001/1": false, "ZJ": false, "": false,
	} {
		if pass := coder.Check(code) == nil; pass != want {
			t.Errorf("%q passes: %v, want %v", code, pass, want)
		}
	}
	if _, err := coder.ResourceCode("4", 0); err == nil {
		t.Error("made a code of a classification that does not exist")
	}
	for prefix, want := range map[string]bool{"": true, "Z": true, "Zj3306000000": true, "Zj33060000001": false, "330000": false, "Z-J": false, "Z/": false, "浙": false} {
		if _, ok := NewCodeGenerator(prefix); ok != want {
			t.Errorf("prefix %q: got %v, want %v", prefix, ok, want)
		}
	}
}

// The division table knows levels, parents and the entries that are statistical only.
func TestLookupDivision(t *testing.T) {
	t.Parallel()
	tests := map[string]Division{
		"330000":       {Code: "330000", Name: "浙江省", Level: DivisionProvince},
		"330600":       {Code: "330600", Name: "绍兴市", Level: DivisionCity, Parent: "330000"},
		"330602001":    {Code: "330602", Name: "越城区", Level: DivisionCounty, Parent: "330600"},
		"321371":       {Code: "321371", Name: "宿迁经济技术开发区", Level: DivisionCounty, Parent: "321300", Statistical: true},
		"110100":       {Code: "110100", Name: "市辖区", Level: DivisionCity, Parent: "110000", Statistical: true},
		"330602001001": {Code: "330602", Name: "越城区", Level: DivisionCounty, Parent: "330600"},
	}
	for code, want := range tests {
		got, ok := LookupDivision(code)
		if diff := cmp.Diff(want, got); !ok || diff != "" {
			t.Errorf("%s (-want +got):\n%s", code, diff)
		}
	}
	for _, code := range []string{"", "33", "999999", "33060"} {
		if _, ok := LookupDivision(code); ok {
			t.Errorf("%q was found", code)
		}
	}
}

// Code lists have unique names and codes, both languages, and say which values belong to older editions.
func TestLists(t *testing.T) {
	t.Parallel()
	sizes := map[string]int{}
	for _, list := range Lists() {
		seen := map[string]bool{}
		for _, e := range list.Entries {
			if e.Code == "" || e.ZH == "" || e.EN == "" || seen[e.Code] {
				t.Errorf("%s: entry %+v is incomplete or double", list.Name, e)
			}
			seen[e.Code] = true
		}
		if list.ZH == "" || list.EN == "" || sizes[list.Name] != 0 || (list.Standard == "") != (list.Version == "") {
			t.Errorf("list %q is incomplete or double", list.Name)
		}
		sizes[list.Name] = len(list.Entries)
	}
	want := map[string]int{
		ListSex: 6, ListEthnic: 58, ListMarital: 8, ListEducation: 40, ListRelation: 10, ListIDType: 8, ListProvince: 35,
		ListCertStatus: 8,
	}
	if diff := cmp.Diff(want, sizes); diff != "" {
		t.Errorf("sizes (-want +got):\n%s", diff)
	}
	checks := []struct{ list, code, want string }{
		{ListSex, "1", ""},
		{ListSex, "5", "warning:import_only"},
		{ListSex, "3", "error:unknown_code"},
		{ListEthnic, "97", ""},
		{ListEthnic, "57", "error:unknown_code"},
		{"no_such_list", "1", "error:unknown_code"},
	}
	for _, c := range checks {
		if got := summary(CheckCode(c.list, c.code)); got != c.want {
			t.Errorf("%s %s: got %q, want %q", c.list, c.code, got, c.want)
		}
	}
}

// Every validator is complete, found by its name, and takes a type item only where it has a typed check.
func TestValidators(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, v := range Validators() {
		if v.Name == "" || v.ZH == "" || v.EN == "" || v.Normalise == nil || v.Check == nil || seen[v.Name] {
			t.Errorf("validator %q is incomplete or double", v.Name)
		}
		seen[v.Name] = true
		if !hasError(v.Check(v.Normalise("\x01"), judgementDay)) {
			t.Errorf("validator %q accepts a control character", v.Name)
		}
		if _, typeItem, ok := FindValidator(v.Name); !ok || typeItem != "" {
			t.Errorf("validator %q is not found by its name", v.Name)
		}
		_, typeItem, ok := FindValidator(v.Name + ":id_type")
		if typed := v.CheckTyped != nil; ok != typed || (typeItem == "id_type") != typed {
			t.Errorf("validator %q with a type item: got %q %v", v.Name, typeItem, ok)
		}
	}
	for _, spec := range []string{"", "nothing", "id_number_by_type:"} {
		if _, _, ok := FindValidator(spec); ok {
			t.Errorf("%q was found", spec)
		}
	}
}
