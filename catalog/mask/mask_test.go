package mask

import (
	"encoding/hex"
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/emmansun/gmsm/sm3"
	"pgregory.net/rapid"
)

// null stands for NULL output in these tables.
const null = "<null>"

func apply(t *testing.T, name, value, key string) string {
	t.Helper()
	m, ok := Find(name)
	if !ok {
		t.Fatalf("there is no mask %q", name)
	}
	masked, isNull := m.Go(value, []byte(key))
	if isNull {
		return null
	}
	return masked
}

// vectors are the inputs and outputs that every mask must keep; the SQL forms are held to the same table.
var vectors = []struct{ name, in, want string }{
	{"name", "张三", "张*"},
	{"name", "李小明", "李**"},
	{"name", "欧阳明", "欧阳*"},
	{"name", "司马相如", "司马**"},
	{"name", "买买提·艾力", "买**·**"},
	{"name", "欧阳", "欧*"},
	{"name", "𡐓三", "𡐓*"},
	{"name", "张", hidden},
	{"name", "·三", hidden},
	{"name", "张三1", hidden},
	{"name", "张\n三", hidden},
	{"name", "", ""},
	{"id_card", "11010519491231002X", "110105********002X"},
	{"id_card", "110105491231002", "110105******002"},
	{"id_card", "1101051949123100", hidden},
	{"id_card", "11010519491231002X\n", hidden},
	{"id_card", "", ""},
	{"id_card_strict", "11010519491231002X", "110***********002X"},
	{"id_card_strict", "110105491231002", "110*********002"},
	{"id_card_strict", "x", hidden},
	{"mobile", "13800001234", "138****1234"},
	{"mobile", "1380000123", hidden},
	{"mobile", "+8613800001234", hidden},
	{"phone", "0571-88880000", "0571-******00"},
	{"phone", "057188880000", "0571******00"},
	{"phone", "010-88880000", "010-******00"},
	{"phone", "0218888000", "021*****00"},
	{"phone", "88880000", "******00"},
	{"phone", "13800001234", "138****1234"},
	{"phone", "-88880000", hidden},
	{"phone", "0571-88880000-1", hidden},
	{"email", "zhangsan@example.org", "zha***@example.org"},
	{"email", "ab@example.org", "a***@example.org"},
	{"email", "abcd@example.org", "abc***@example.org"},
	{"email", "张三李四@example.org", "张三李***@example.org"},
	{"email", "a@b@c", hidden},
	{"email", "@example.org", hidden},
	{"email", "nobody", hidden},
	{"address", "示例省示例市示例区示例路12号", "示例省示例市示例区****"},
	{"address", "北京市朝阳区示例路1号", "北京市朝阳区****"},
	{"address", "新疆维吾尔自治区乌鲁木齐市天山区示例路1号", "新疆维吾尔自治区乌鲁木齐市天山区****"},
	{"address", "浙江省台州市路桥区示例路1号", "浙江省台州市路桥区****"},
	{"address", "山东省济南市市中区示例路1号", "山东省济南市市中区****"},
	{"address", "浙江省诸暨市暨阳路12号阳光小区3幢", "浙江省诸暨市****"},
	{"address", "示例县示例镇示例村", "示例县****"},
	{"address", "示例路12号", hidden},
	{"address", "阳光小区3幢", hidden},
	{"address", "绍兴市越城区", "绍兴市越城区****"},
	{"bank_card", "6222000012345678", "6222****5678"},
	{"bank_card", "6222000012345678901", "6222****8901"},
	{"bank_card", "62220000123", hidden},
	{"mid", "E12345678", "E******78"},
	{"mid", "ABC", "***"},
	{"mid", "甲𡐓乙丙", "甲*乙丙"},
	{"mid", "A", "*"},
	{"date_year", "1949-12-31", "1949-01-01"},
	{"date_year", "9999-12-31", "9999-01-01"},
	{"geo_round", "120.123456", "120.12"},
	{"geo_round", "30.123456", "30.12"},
	{"geo_round", "120.125", "120.13"},
	{"geo_round", "-0.005", "-0.01"},
	{"geo_round", "-0.001", "0"},
	{"geo_round", "9.999", "10"},
	{"geo_round", "99.995", "100"},
	{"geo_round", "0", "0"},
	{"geo_round", "5", "5"},
	{"amount_round", "12345.67", "12000"},
	{"amount_round", "-12345.67", "-12000"},
	{"amount_round", "99", "99"},
	{"amount_round", "999.9999999999", "990"},
	{"amount_round", "7.89", "7.8"},
	{"amount_round", "0.0012345", "0.0012"},
	{"amount_round", "0", "0"},
	{"amount_round", "1000", "1000"},
	{"text_scan", "联系13800001234,证号11010519491231002X", "联系138****1234,证号110105********002X"},
	{"text_scan", "1101051949123100211", "1101051949123100211"},
	{"text_scan", "旧证110105491231002。", "旧证110105******002。"},
	{"text_scan", "8613800001234/013800001234", "86138****1234/0138****1234"},
	{"text_scan", "１３８００００１２３４", "１３８****１２３４"},
	{"text_scan", "23800001234", "23800001234"},
	{"text_scan", "11010519491231002x1", "11010519491231002x1"},
	{"text_scan", "", ""},
	{"hash", "", ""},
	{"full", "301室", hidden},
	{"full", "", ""},
	{"suppress", "301室", null},
	{"suppress", "", null},
}

// Every mask gives the output that its table promises.
func TestVectors(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, v := range vectors {
		seen[v.name] = true
		if got := apply(t, v.name, v.in, "test-key"); got != v.want {
			t.Errorf("%s of %q: got %q, want %q", v.name, v.in, got, v.want)
		}
	}
	for _, m := range Masks() {
		if !seen[m.Name] {
			t.Errorf("mask %s has no vector", m.Name)
		}
	}
}

// The keyed hash is HMAC-SM3, differs by key, and without a key hides the value instead of making it guessable.
func TestHash(t *testing.T) {
	t.Parallel()
	const id = "11010519491231002X"
	if got, want := apply(t, "hash", id, "test-key"), "09cc220f8ad8a2885185bc41db3817274aa6610cf2c1912ccbaf2a076c376c7b"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if apply(t, "hash", id, "other") == apply(t, "hash", id, "test-key") {
		t.Error("two keys give one hash")
	}
	if got := apply(t, "hash", id, ""); got != hidden {
		t.Errorf("without a key: got %s, want %s", got, hidden)
	}
	var file struct {
		SM3 struct {
			Message string `json:"msg_utf8"`
			Digest  string `json:"digest"`
		} `json:"sm3"`
	}
	raw, err := os.ReadFile("testdata/gm_vectors.json")
	if err != nil {
		t.Fatalf("reading vectors: %v", err)
	}
	if err := json.Unmarshal(raw, &file); err != nil {
		t.Fatalf("reading vectors: %v", err)
	}
	digest := sm3.Sum([]byte(file.SM3.Message))
	if got := hex.EncodeToString(digest[:]); got != file.SM3.Digest || got == "" {
		t.Errorf("SM3: got %s, want %s", got, file.SM3.Digest)
	}
}

// The table is complete: unique names, titles, versions, letters that exist, a Go form, and SQL on allowed letters only.
func TestRegistry(t *testing.T) {
	t.Parallel()
	name := regexp.MustCompile(`^[a-z_]+$`)
	seen := map[string]bool{}
	withoutSQL := ""
	for _, m := range Masks() {
		if !name.MatchString(m.Name) || seen[m.Name] || m.Version < 1 || m.ZH == "" || m.EN == "" || m.Letters == "" || m.Go == nil || m.SQL == nil {
			t.Errorf("mask %q is incomplete or double", m.Name)
		}
		seen[m.Name] = true
		for _, letter := range []byte(allLetters) {
			expr, ok := m.SQL(`"c"`, letter)
			if ok && !m.Allows(letter) {
				t.Errorf("mask %s has SQL for letter %c, which it does not allow", m.Name, letter)
			}
			if !ok && m.Allows(letter) && letter == 'C' {
				withoutSQL += m.Name + " "
			}
			if ok && (expr == "" || strings.Contains(expr, "$c")) {
				t.Errorf("mask %s has incomplete SQL %q", m.Name, expr)
			}
			if want := m.KeepsType || letter == 'C'; (m.Output(letter) == letter) != (want || letter == 'M') {
				t.Errorf("mask %s of %c gives %c", m.Name, letter, m.Output(letter))
			}
		}
		for _, letter := range []byte(m.Letters) {
			if !strings.ContainsRune(allLetters, rune(letter)) {
				t.Errorf("mask %s allows the unknown letter %c", m.Name, letter)
			}
		}
	}
	if withoutSQL != "hash " {
		t.Errorf("masks without SQL on text: %q, want hash only", withoutSQL)
	}
	if _, ok := Find("none"); ok {
		t.Error("none is a mask")
	}
}

// What is matched by hand for speed is what the patterns say, which PostgreSQL judges by.
func TestByHand(t *testing.T) {
	t.Parallel()
	start := regexp.MustCompile(addressPattern)
	start.Longest()
	refused := regexp.MustCompile(namePattern)
	numbers := map[string]struct {
		pattern *regexp.Regexp
		hand    func(string) bool
	}{
		"id card 18": {regexp.MustCompile(idCard18Pattern), isIDCard18},
		"id card 15": {regexp.MustCompile(idCard15Pattern), isIDCard15},
		"mobile":     {regexp.MustCompile(mobilePattern), isMobile},
		"bank card":  {regexp.MustCompile(bankCardPattern), isBankCard},
	}
	part := rapid.OneOf(
		rapid.StringOfN(rapid.SampledFrom([]rune("甲乙丙丁路镇市州区")), 0, 12, -1),
		rapid.SampledFrom([]string{"省", "市", "区", "县", "旗", "盟", "州", "自治区", "自治州", "特别行政区", "地区", "小区", "校区", "镇", "路", "1", "0", "　", "\n", "号", "社"}),
	)
	address := rapid.Map(rapid.SliceOfN(part, 0, 9), func(parts []string) string { return strings.Join(parts, "") })
	text := rapid.OneOf(address, textValue())
	rapid.Check(t, func(t *rapid.T) {
		for _, s := range rapid.SliceOfN(text, 40, 40).Draw(t, "texts") {
			if got, want := s[:addressPrefix(s)], start.FindString(s); got != want {
				t.Fatalf("the names at the start of %q: got %q, want %q", s, got, want)
			}
			if got, want := nameRefuses(s), refused.MatchString(s); got != want {
				t.Fatalf("a name refuses %q: got %t, want %t", s, got, want)
			}
			for name, n := range numbers {
				if got, want := n.hand(s), n.pattern.MatchString(s); got != want {
					t.Fatalf("%s %q: got %t, want %t", name, s, got, want)
				}
			}
		}
	})
}
