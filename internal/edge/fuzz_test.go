package edge_test

import (
	"net/http"
	"net/netip"
	"testing"

	"github.com/shuqiao/shuqiao/internal/edge"
)

// Whatever stands in the headers of proxies, the caller is an address without a zone; and from a connection that is not
// trusted, it is that of the connection.
func FuzzOrigin(f *testing.F) {
	for _, header := range []string{"192.0.2.1, 10.0.0.1", `for="[2001:db8::1%eth0]:80";proto=https, for=10.0.0.2`, `"`, ",,;=", "::ffff:192.0.2.1"} {
		f.Add(header, "https")
	}
	trusted := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	f.Fuzz(func(t *testing.T, header, proto string) {
		for _, form := range []edge.Header{edge.XForwarded, edge.Forwarded} {
			for _, peer := range []string{"10.0.0.9:1", "198.51.100.7:1"} {
				r := &http.Request{RemoteAddr: peer, Header: http.Header{"X-Forwarded-For": {header}, "X-Forwarded-Proto": {proto}, "Forwarded": {header}}}
				o := edge.Proxies{Networks: trusted, Header: form}.Origin(r)
				if !o.Caller.IsValid() || o.Caller.Zone() != "" || o.Caller.Is4In6() {
					t.Errorf("%q from %s: got %v", header, peer, o)
				}
				if peer == "198.51.100.7:1" && (o.Caller.String() != "198.51.100.7" || o.Secure) {
					t.Errorf("%q was believed: %v", header, o)
				}
			}
		}
	})
}
