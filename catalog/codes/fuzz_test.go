package codes

import (
	"strings"
	"testing"
)

// No validator panics, repeats the value, or accepts what it refuses after normalising twice.
func FuzzValidators(f *testing.F) {
	for _, seed := range []string{
		"", "11010519491231002X", "110105491231002", "91110000802100433B", "D2143569-X", "2603-330000-04-01-000001",
		"1.2.156.3005.2.11100000000013338W011.11430000006122244L.20230000403.001.U", "13800001234", "330602001001",
		"101001001/000001", "９１３４０６００ＭＡ２ＰＢＰ２１２０", "\xff\xfe", "1.2.156.3005.2.....", "11010519491231002ｘ", "ⅷ", "ǆ",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, v := range Validators() {
			n := v.Normalise(s)
			for _, finding := range v.Check(n, judgementDay) {
				if len(n) > 8 && strings.Contains(finding.Message, n) {
					t.Errorf("%s repeats the value", v.Name)
				}
			}
			if !hasError(v.Check(n, judgementDay)) && v.Normalise(n) != n {
				t.Errorf("%s accepts a value that normalises further", v.Name)
			}
			if v.CheckTyped != nil {
				for _, typ := range []string{IDTypeCitizen, IDTypePermanentResident, IDTypeUSCC, "414"} {
					v.CheckTyped(typ, n, judgementDay)
				}
			}
		}
	})
}

// A check character computed for a body is the only one its check accepts.
func FuzzCheckCharacters(f *testing.F) {
	for _, seed := range []string{"11010519491231002", "91110000802100433", "00001333", "11100000000013338W011"} {
		f.Add(seed)
	}
	const alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	f.Fuzz(func(t *testing.T, body string) {
		accepted := func(check func(string) []Finding) (n int) {
			for i := range len(alphabet) {
				first, wrong := FirstError(check(body + alphabet[i:i+1]))
				if !wrong || (first.Code != CodeBadCheckDigit && first.Code != CodeBadCharacter) {
					n++
				}
			}
			return n
		}
		if _, ok := OrgCodeCheckChar(body); ok {
			if n := accepted(CheckOrgCode); n != 1 {
				t.Errorf("%d check characters are accepted for an organisation code, want 1", n)
			}
		}
		if _, ok := USCCCheckChar(body); ok && isDigits(body[2:8]) && body[1] != '0' && usccClasses[body[0]] != "" {
			if n := accepted(CheckUSCC); n != 1 {
				t.Errorf("%d check characters are accepted for a credit code, want 1", n)
			}
		}
	})
}
