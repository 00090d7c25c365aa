package edge_test

import (
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/shuqiao/shuqiao/internal/edge"
)

// Headers name the caller only when they come from a trusted network, and nothing that a caller writes into them itself moves
// it to another address or scheme.
func TestOrigin(t *testing.T) {
	t.Parallel()
	trusted := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}
	type headers map[string][]string
	for name, test := range map[string]struct {
		peer    string
		tls     bool
		rfc7239 bool
		headers headers
		want    string
		secure  bool
	}{
		"nobody in front":                          {"192.0.2.9:1", false, false, nil, "192.0.2.9", false},
		"nobody in front, by TLS":                  {"192.0.2.9:1", true, false, nil, "192.0.2.9", true},
		"a stranger claims an address":             {"192.0.2.9:1", false, false, headers{"X-Forwarded-For": {"10.0.0.1"}, "X-Forwarded-Proto": {"https"}}, "192.0.2.9", false},
		"a stranger claims an address by RFC 7239": {"192.0.2.9:1", false, true, headers{"Forwarded": {"for=10.0.0.1;proto=https"}}, "192.0.2.9", false},
		"a stranger by TLS cannot become insecure": {"192.0.2.9:1", true, false, headers{"X-Forwarded-Proto": {"http"}}, "192.0.2.9", true},
		"a proxy":            {"10.0.0.1:1", false, false, headers{"X-Forwarded-For": {"192.0.2.9"}, "X-Forwarded-Proto": {"https"}}, "192.0.2.9", true},
		"a proxy's own call": {"10.0.0.1:1", false, false, nil, "10.0.0.1", false},
		"a proxy that speaks TLS with the hub only": {"10.0.0.1:1", true, false, headers{"X-Forwarded-For": {"192.0.2.9"}, "X-Forwarded-Proto": {"http"}}, "192.0.2.9", false},
		"a mapped peer":                                {"[::ffff:10.0.0.1]:1", false, false, headers{"X-Forwarded-For": {"::ffff:192.0.2.9"}}, "192.0.2.9", false},
		"a chain of trusted proxies":                   {"10.0.0.1:1", false, false, headers{"X-Forwarded-For": {"192.0.2.9, 10.0.0.3", "10.0.0.2"}}, "192.0.2.9", false},
		"a caller invents hops before its own":         {"10.0.0.1:1", false, false, headers{"X-Forwarded-For": {"10.9.9.9, 198.51.100.1, 192.0.2.9"}}, "192.0.2.9", false},
		"a caller inside the trusted network invents":  {"10.0.0.1:1", false, false, headers{"X-Forwarded-For": {"not an address, 10.0.0.7"}}, "10.0.0.7", false},
		"all hops are trusted":                         {"10.0.0.1:1", false, false, headers{"X-Forwarded-For": {"10.0.0.7, 10.0.0.2"}}, "10.0.0.7", false},
		"nonsense":                                     {"10.0.0.1:1", false, false, headers{"X-Forwarded-For": {"192.0.2.9, <script>"}}, "10.0.0.1", false},
		"empty":                                        {"10.0.0.1:1", false, false, headers{"X-Forwarded-For": {""}, "X-Forwarded-Proto": {""}}, "10.0.0.1", false},
		"more hops than are looked at":                 {"10.0.0.1:1", false, false, headers{"X-Forwarded-For": {"192.0.2.9" + strings.Repeat(", 10.0.0.2", 40)}}, "10.0.0.2", false},
		"the caller's scheme before the proxy's":       {"10.0.0.1:1", false, false, headers{"X-Forwarded-For": {"192.0.2.9"}, "X-Forwarded-Proto": {"https, http"}}, "192.0.2.9", false},
		"the caller's scheme in a line of its own":     {"10.0.0.1:1", false, false, headers{"X-Forwarded-For": {"192.0.2.9"}, "X-Forwarded-Proto": {"https", "http"}}, "192.0.2.9", false},
		"addresses with ports":                         {"10.0.0.1:1", false, false, headers{"X-Forwarded-For": {"[2001:db8::9]:4711"}}, "2001:db8::9", false},
		"a zone is no part of an address":              {"10.0.0.1:1", false, false, headers{"X-Forwarded-For": {"fe80::9%eth0"}}, "fe80::9", false},
		"the other form is passed through":             {"10.0.0.1:1", false, false, headers{"Forwarded": {"for=198.51.100.1;proto=https"}, "X-Forwarded-For": {"192.0.2.9"}}, "192.0.2.9", false},
		"the other form is passed through by RFC 7239": {"10.0.0.1:1", false, true, headers{"X-Forwarded-For": {"198.51.100.1"}, "X-Forwarded-Proto": {"https"}, "Forwarded": {"for=192.0.2.9"}}, "192.0.2.9", false},
		"RFC 7239":                     {"10.0.0.1:1", false, true, headers{"Forwarded": {`For="[2001:db8::9]:4711";Proto=HTTPS;by=10.0.0.1`}}, "2001:db8::9", true},
		"RFC 7239 through two proxies": {"10.0.0.1:1", false, true, headers{"Forwarded": {"for=192.0.2.9;proto=https, for=10.0.0.2;proto=http"}}, "192.0.2.9", true},
		"RFC 7239 with hops that the caller invents":     {"10.0.0.1:1", false, true, headers{"Forwarded": {"for=10.0.0.5;proto=https, for=192.0.2.9;proto=http"}}, "192.0.2.9", false},
		"RFC 7239 with an open quote":                    {"10.0.0.1:1", false, true, headers{"Forwarded": {`for="198.51.100.1`, "for=192.0.2.9"}}, "10.0.0.1", false},
		"RFC 7239 with a hidden caller":                  {"10.0.0.1:1", false, true, headers{"Forwarded": {"for=192.0.2.9, for=_hidden"}}, "10.0.0.1", false},
		"RFC 7239 with separators inside quotes":         {"10.0.0.1:1", false, true, headers{"Forwarded": {`for=192.0.2.9;host="a,for=198.51.100.1;proto=https"`}}, "192.0.2.9", false},
		"an address without a port, as a test gives one": {"10.0.0.1", false, false, headers{"X-Forwarded-For": {"192.0.2.9"}}, "192.0.2.9", false},
		"no address at all":                              {"@", false, false, headers{"X-Forwarded-For": {"192.0.2.9"}}, "invalid IP", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := edge.Proxies{Networks: trusted}
			if test.rfc7239 {
				p.Header = edge.Forwarded
			}
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			r.RemoteAddr = test.peer
			if test.tls {
				r.TLS = &tls.ConnectionState{}
			}
			for header, values := range test.headers {
				r.Header[header] = values
			}
			type seen struct {
				Caller, Remote string
				Secure, HSTS   bool
			}
			var got seen
			w := httptest.NewRecorder()
			p.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				o := edge.OriginOf(r)
				got = seen{Caller: o.Caller.String(), Secure: o.Secure}
				// Who reads the address of the connection sees the caller, too.
				got.Remote = edge.Proxies{}.Origin(r).Caller.String()
			})).ServeHTTP(w, r)
			got.HSTS = w.Header().Get("Strict-Transport-Security") != ""
			want := seen{Caller: test.want, Remote: test.want, Secure: test.secure, HSTS: test.secure}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
