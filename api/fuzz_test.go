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
