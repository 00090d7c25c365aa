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

// Whatever stands in Range, the part lies inside the file, or the whole is meant, or the answer is that there is no such part.
func FuzzRange(f *testing.F) {
	for _, header := range []string{"", "bytes=0-", "bytes=-1", "bytes=5-4", "bytes=0-1,3-4", "bytes=+1-2", "bytes=9223372036854775807-", "bytes=-9223372036854775808", "rows=0-1", "bytes= 1-2 "} {
		f.Add(header, int64(100))
	}
	f.Fuzz(func(t *testing.T, header string, size int64) {
		size &= 1<<62 - 1
		from, to, ok := rangeOf(header, size)
		if ok && (from < 0 || to > size || from > to || from == to && size > 0) {
			t.Errorf("%q of %d bytes: %d to %d", header, size, from, to)
		}
		if !ok && !strings.HasPrefix(header, "bytes=") {
			t.Errorf("%q asks for no part and is refused", header)
		}
	})
}

// Whatever stands in Idempotency-Key, it is refused or names one write: the hash of a request depends on every part of it.
func FuzzIdempotencyKey(f *testing.F) {
	f.Add("k1", "benefit-check", `{"a":1}`)
	f.Add(strings.Repeat("k", 201), "", "")
	f.Add("\x00", "a\nX-Case-Number: b", "\xff")
	f.Add("' OR 1=1", "a", "X-Grant: x\n")
	f.Fuzz(func(t *testing.T, key, purpose, body string) {
		if err := checkKey(key); (err == nil) != (len(key) <= 200) {
			t.Errorf("%q was taken for a key", key)
		}
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://hub.example/api/v1/data/x/exports", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		bare := hashOf(req, []byte(body))
		if purpose == "" || strings.ContainsAny(purpose, "\r\n") {
			return // No header holds the end of a line.
		}
		req.Header["X-Purpose"] = []string{purpose}
		if with := hashOf(req, []byte(body)); string(with) == string(bare) || string(with) != string(hashOf(req, []byte(body))) {
			t.Errorf("%q for %q has the hash of another request", body, purpose)
		}
	})
}
