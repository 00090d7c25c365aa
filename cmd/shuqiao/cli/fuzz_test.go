package cli

import (
	"encoding/json"
	"testing"

	"github.com/shuqiao/shuqiao/internal/fault"
)

// Whatever stands in the file of a profile, reading it ends with a sign-in that is stored and read again as it is, or with a fault.
func FuzzProfile(f *testing.F) {
	for _, text := range []string{
		`{"url":"https://hub.example","username":"auditor","token":"sqs_x","expires_at":"2026-01-31T00:00:00+08:00"}`, "", "null", "[]", `{"url":1}`,
		`{"expires_at":"9999-99-99"}`, `{"token":"\u0000\ud800"}`, "\xff{}",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		p, err := readProfile(raw)
		if err != nil {
			if fault.CodeOf(err) != "profile" || p != (profile{}) {
				t.Errorf("%q: %v with %+v", raw, err, p)
			}
			return
		}
		again, err := json.Marshal(p)
		if err != nil {
			return // A year beyond 9999 cannot be written.
		}
		if q, err := readProfile(again); err != nil || !q.ExpiresAt.Equal(p.ExpiresAt) || q.URL != p.URL || q.Username != p.Username || q.Token != p.Token {
			t.Errorf("%q was read as %+v, then as %+v, %v", raw, p, q, err)
		}
	})
}
