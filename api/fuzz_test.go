package api

import (
	"net/http"
	"strings"
	"testing"

	"github.com/shuqiao/shuqiao/authz/identity"
)

// Whatever stands in the headers of a signed request, reading it ends with a canonical text over everything that must be
// signed, or with a fault.
func FuzzReadSignature(f *testing.F) {
	const good = "Credential=sqk_a, SignedHeaders=host;x-nonce;x-timestamp, Signature="
	f.Add(good+strings.Repeat("0", 64), "1795336800", "0123456789abcdef", "benefit-check")
	f.Add("Credential=,SignedHeaders=;;,Signature=zz", "-1", "", "")
	f.Add(strings.Repeat("Credential=a,", 3), "99999999999999999999", strings.Repeat("a", 65), "\x00")
	f.Fuzz(func(t *testing.T, parameters, timestamp, nonce, purpose string) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://hub.example/api/v1/data/x/rows?limit=1", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		for name, value := range map[string]string{timestampHeader: timestamp, nonceHeader: nonce, "X-Purpose": purpose} {
			if value != "" {
				req.Header[name] = []string{value}
			}
		}
		r, err := readSignature(req, http.MethodGet, identity.SignSHA256, parameters)
		if err != nil {
			return
		}
		if !strings.HasPrefix(r.Canonical, identity.SignSHA256+"\nGET\n/api/v1/data/x/rows\nlimit=1\nhost:hub.example\n") ||
			!strings.Contains(r.Canonical, "\nx-nonce:"+nonce+"\n") || purpose != "" && !strings.Contains(r.Canonical, "\nx-purpose:") ||
			len(r.Signature) != 32 || r.KeyID == "" {
			t.Errorf("%q was read as %+v", parameters, r)
		}
	})
}

// Whatever stands in Accept, the answer is a format of the route or none.
func FuzzNegotiate(f *testing.F) {
	for _, accept := range []string{"", "*/*", "application/json;q=0.5, application/x-ndjson", ";;q=,,", "application/*;q=1e309"} {
		f.Add(accept)
	}
	f.Fuzz(func(t *testing.T, accept string) {
		got, ok := negotiate(accept, []format{jsonFormat, ndjsonFormat})
		if ok != (got == jsonFormat || got == ndjsonFormat) {
			t.Errorf("%q: got %+v, %v", accept, got, ok)
		}
	})
}

// Whatever stands in If-Match, a version is a number from 0 up or a fault; whatever huma reports of a field, the answer names
// only what the contract does.
func FuzzSmallHeaders(f *testing.F) {
	for _, text := range []string{"", "*", `W/"7"`, "-1", "99999999999999999999", "body.items[0].x", "query.a[b]c", "body[[]]", "path."} {
		f.Add(text)
	}
	a := &API{names: map[string]bool{"items": true}}
	f.Fuzz(func(t *testing.T, text string) {
		if n, err := (VersionInput{IfMatch: text}).version(); n < 0 || err != nil && strings.Contains(err.Error(), text) && len(text) > 20 {
			t.Errorf("%q: %d, %v", text, n, err)
		}
		for _, segment := range strings.Split(a.knownPath(text), ".") {
			if name, _, _ := strings.Cut(segment, "["); name != "" && name != "items" && name != "path" && name != "query" && name != "header" && name != "body" {
				t.Errorf("%q: %q is kept", text, segment)
			}
		}
		if id := requestID(text); id && (len(text) > 64 || strings.ContainsAny(text, "\r\n \"")) {
			t.Errorf("%q names a request", text)
		}
	})
}
