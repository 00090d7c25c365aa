package main

import (
	"strings"
	"testing"

	"github.com/shuqiao/shuqiao/internal/fault"
)

// Whatever stands in a file of answers, reading it ends with a request or with a fault that repeats nothing of it, since it holds
// passwords.
func FuzzAnswers(f *testing.F) {
	for _, text := range []string{
		`{"authority":{"uscc":"x","name":"示例","division_code":"330600"},"system_admin":{"username":"a","password":"示例-Passw0rd-secret"}}`,
		`{"authority":{}} {}`, `{"autority":{}}`, "", "null", "[]", `{"system_admin":{"password":{"x":"示例-Passw0rd-secret"}}}`, "\xff",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		_, err := readAnswers(raw)
		if err == nil {
			return
		}
		if fault.CodeOf(err) != "answers_file" || fault.KindOf(err) != fault.Invalid {
			t.Errorf("%q: %v", raw, err)
		}
		if text := string(raw); len(text) > 12 && strings.Contains(err.Error(), text) {
			t.Errorf("%q is repeated by %v", raw, err)
		}
	})
}
