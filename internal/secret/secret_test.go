package secret_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/shuqiao/shuqiao/internal/secret"
)

// A secret shows nothing of itself through any verb, encoder or logger, and gives its text when asked.
func TestSecretDoesNotShow(t *testing.T) {
	t.Parallel()
	const text = "hunter2-not-shown"
	s := secret.Secret(text)
	holder := struct {
		Password secret.Secret            `json:"password"`
		ByName   map[string]secret.Secret `json:"by_name"`
		Pointer  *secret.Secret           `json:"pointer"`
	}{s, map[string]secret.Secret{"a": s}, &s}
	var shown bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t", "%T"} {
		fmt.Fprintf(&shown, verb+"\n", s)
		fmt.Fprintf(&shown, verb+"\n", holder)
		fmt.Fprintf(&shown, verb+"\n", []secret.Secret{s})
	}
	encoded, err := json.Marshal(holder)
	if err != nil {
		t.Fatal(err)
	}
	shown.Write(encoded)
	for _, handler := range []slog.Handler{slog.NewTextHandler(&shown, nil), slog.NewJSONHandler(&shown, nil)} {
		slog.New(handler).Info("x", "s", s, "holder", holder, slog.Any("list", []secret.Secret{s}))
	}
	fmt.Fprintln(&shown, fmt.Errorf("opening with %v", s), s.String(), s.GoString())
	for _, leak := range []string{text, fmt.Sprintf("%x", text), fmt.Sprintf("%X", text)} {
		if strings.Contains(shown.String(), leak) {
			t.Errorf("the secret shows in:\n%s", shown.String())
		}
	}
	if want := `{"password":"***","by_name":{"a":"***"},"pointer":"***"}`; string(encoded) != want {
		t.Errorf("JSON: got %s, want %s", encoded, want)
	}
	if s.Reveal() != text {
		t.Error("Reveal does not give the text")
	}
	var read secret.Secret
	if err := json.Unmarshal([]byte(`"`+text+`"`), &read); err != nil || read != s {
		t.Errorf("reading JSON: got %q, %v", read.Reveal(), err)
	}
}
