package city

import "testing"

// The arithmetic agrees with the published examples of the standards, so right rows are right for any validator.
func TestCheckDigitsAgreeWithPublishedExamples(t *testing.T) {
	t.Parallel()
	last := func(s string) (string, byte) { return s[:len(s)-1], s[len(s)-1] }
	cert := func(body string) byte { return certCheck(body) }
	for _, tt := range []struct {
		standard string
		check    func(string) byte
		codes    []string
	}{
		{"GB 11643", citizenCheck, []string{"11010519491231002X", "440524188001010014", "34052419800101001X", "110105189602290012"}},
		{"GB 32100", usccCheck, []string{
			"91110000802100433B", "91330106673959654P", "11100000000013338W", "91350100M000100Y43", "A1110000000000019A",
			"N2330000000000019G", "Y1330000000000019B", "513300000000000270", "91330000MA0000015P",
		}},
		{"GB 11714", orgCheck, []string{"D2143569X", "000013338", "00000006X", "000000190"}},
		{"GB/T 36904", cert, []string{
			"11100000000013338W01111430000006122244L20230000403001U",
			"11100000000013338W00911330105002500287C20250522010020",
			"11100000MB032716990223401000000000160019",
		}},
		{"GS 15", registrationCheck, []string{"110108000000016"}},
	} {
		for _, code := range tt.codes {
			body, want := last(code)
			if got := tt.check(body); got != want {
				t.Errorf("%s: check character of %s is %c, want %c", tt.standard, body, got, want)
			}
		}
	}
}

// A credit code built here carries a right organisation code inside it, and a certificate identifier its published form.
func TestBuiltCodesHaveTheirForm(t *testing.T) {
	t.Parallel()
	code := creditCode("91", "330602", "QQA00001")
	if len(code) != 18 || code[16] != orgCheck(code[8:16]) || code[17] != usccCheck(code[:17]) {
		t.Errorf("credit code %s is malformed", code)
	}
	got := certID("11100000000013338W011", "11430000006122244L", "20230000403", "001")
	if want := "1.2.156.3005.2.11100000000013338W011.11430000006122244L.20230000403.001.U"; got != want {
		t.Errorf("certificate identifier is %s, want %s", got, want)
	}
}
