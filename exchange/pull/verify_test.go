package pull_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/shuqiao/shuqiao/exchange/pull"
	"github.com/shuqiao/shuqiao/internal/fault"
)

func (b *bundle) verify(t testing.TB, claims ...pull.Claim) ([]map[string]string, error) {
	t.Helper()
	p, err := b.first.pull.Verify(t.Context(), b.client, pull.VerifyRequest{Call: b.call(), Claims: claims})
	if err != nil {
		return nil, err
	}
	var got struct {
		Results []struct {
			Key   string            `json:"key"`
			Items map[string]string `json:"items"`
		} `json:"results"`
	}
	if err := json.Unmarshal(p.Body, &got); err != nil {
		t.Fatalf("%v: %s", err, p.Body)
	}
	out := []map[string]string{}
	for _, r := range got.Results {
		out = append(out, r.Items)
	}
	return out, nil
}

// Claims are compared in the canonical form of each type, with the clear value; absent rows and rows outside the filter
// are unknown alike.
func TestVerify(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.collect(t, sampleRows())
	b.grant(t, grantTerms{
		items: allButHidden, masks: map[string]string{"full_name": "name", "cert_no": "mid"}, lookup: []string{"cert_no"},
		filter: `{"op":"eq","item":"division_code","value":"330602"}`,
	})
	for _, test := range []struct{ identifier, value, want string }{
		{"full_name", `"示例人\"一\\\n"`, "match"},
		{"full_name", `"示例人"`, "mismatch"},
		{"birth_date", `"1990-02-28"`, "match"},
		{"birth_date", `"19900228"`, "match"},
		{"birth_date", `"1990-02-30"`, "mismatch"},
		{"amount", `"01234567890.120"`, "match"},
		{"amount", `1234567890.12`, "match"},
		{"height", `1.7050`, "match"},
		{"height", `"1.7"`, "mismatch"},
		{"children", `2`, "match"},
		{"children", `"2"`, "match"},
		{"registered_at", `"2026-02-14T04:30:00.5+08:00"`, "match"},
		{"registered_at", `"2026-02-14T04:30:00+08:00"`, "mismatch"},
		{"alive", `true`, "match"},
		{"alive", `false`, "mismatch"},
		{"remark", `null`, "mismatch"},
	} {
		got, err := b.verify(t, pull.Claim{Key: "A1", Items: map[string]json.RawMessage{test.identifier: json.RawMessage(test.value)}})
		if err != nil {
			t.Fatal(err)
		}
		if got[0][test.identifier] != test.want {
			t.Errorf("%s %s: %s, want %s", test.identifier, test.value, got[0][test.identifier], test.want)
		}
	}
	claim := map[string]json.RawMessage{"children": json.RawMessage("1"), "remark": json.RawMessage("null")}
	got, err := b.verify(t, pull.Claim{Key: "A2", Items: claim}, pull.Claim{Key: "B01", Items: claim}, pull.Claim{Key: "no such", Items: claim})
	if err != nil {
		t.Fatal(err)
	}
	unknown := map[string]string{"children": "unknown", "remark": "unknown"}
	if diff := cmp.Diff([]map[string]string{{"children": "mismatch", "remark": "match"}, unknown, unknown}, got); diff != "" {
		t.Errorf("results (-want +got):\n%s", diff)
	}
}

// Guessing ends: after 20 wrong claims about a subject the next is refused unanswered, also within one call and by another
// writing of the key; other subjects are not affected.
func TestVerifyIsNoOracle(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.collect(t, sampleRows())
	b.grant(t, grantTerms{items: []string{"cert_no", "children"}})
	guess := func(key string, from, n int) error {
		var claims []pull.Claim
		for i := range n {
			claims = append(claims, pull.Claim{Key: key, Items: map[string]json.RawMessage{"children": json.RawMessage(fmt.Sprint(from + i))}})
		}
		_, err := b.verify(t, claims...)
		return err
	}
	for i := range 2 {
		if err := guess("A1", 100+10*i, 10); err != nil {
			t.Fatal(err)
		}
	}
	if f := wantCode(t, guess("A1", 2, 1), pull.CodeRateLimited); f.Kind != fault.Exhausted {
		t.Errorf("kind %s", f.Kind)
	}
	if err := guess("B02", 2, 1); err != nil {
		t.Errorf("another subject: %v", err)
	}
	wantCode(t, guess("B03", 100, 21), pull.CodeRateLimited)
	wantCode(t, guess("B03", 3, 1), pull.CodeRateLimited)
}

// Malformed claims are refused with the place of each fault.
func TestVerifyRefusals(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.collect(t, sampleRows())
	b.grant(t, grantTerms{items: []string{"cert_no", "children", "photo"}})
	one := func(identifier, value string) pull.Claim {
		return pull.Claim{Key: "A1", Items: map[string]json.RawMessage{identifier: json.RawMessage(value)}}
	}
	for _, test := range []struct {
		name   string
		claims []pull.Claim
		code   string
		field  string
	}{
		{"none", nil, "invalid", "claims"},
		{"too many", make([]pull.Claim, 101), "invalid", "claims"},
		{"no items", []pull.Claim{{Key: "A1"}}, "invalid", "claims[0].items"},
		{"an object for a value", []pull.Claim{one("children", `{"a":1}`)}, "invalid", "claims[0].items.children"},
		{"a binary item", []pull.Claim{one("photo", `"x"`)}, "invalid", "claims[0].items.photo"},
		{"an item outside the grant", []pull.Claim{one("hidden_note", `"x"`)}, "item_not_granted", "hidden_note"},
		{"an item that is none", []pull.Claim{one("zzz", `"x"`)}, "item_not_granted", "claims[0].items"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := b.verify(t, test.claims...)
			f := wantCode(t, err, test.code)
			if len(f.Fields) != 1 || f.Fields[0].Name != test.field {
				t.Errorf("fields %+v, want %s", f.Fields, test.field)
			}
		})
	}
}
