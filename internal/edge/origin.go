package edge

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// Header says which headers proxies use to name the caller.
type Header string

// The headers. Exactly one form is believed: a proxy that writes one of them passes the other through as its caller
// wrote it.
const (
	XForwarded Header = "x-forwarded" // X-Forwarded-For and X-Forwarded-Proto, as nginx and Caddy write them.
	Forwarded  Header = "forwarded"   // Forwarded, RFC 7239.
)

// maxHops bounds how many entries of a chain of proxies are looked at.
const maxHops = 16

// Origin is where a request comes from.
type Origin struct {
	Caller netip.Addr // Address of the caller, unmapped; invalid when the connection has none.
	Secure bool       // The caller speaks HTTPS, with this node or with a trusted proxy in front of it.
}

// Proxies are the networks whose proxies are believed. The zero value believes nobody.
type Proxies struct {
	Networks []netip.Prefix
	Header   Header // "" means XForwarded.
}

// Origin finds out where a request comes from. Headers count only when the connection comes from a trusted network: then
// the chain is read from its end, and the first address that is not a trusted proxy's is the caller. An entry that is no
// address ends the reading: the trusted proxy before it is the caller then.
func (p Proxies) Origin(r *http.Request) Origin {
	o := Origin{Caller: peer(r.RemoteAddr), Secure: r.TLS != nil}
	if !p.trusts(o.Caller) {
		return o
	}
	if p.Header == Forwarded {
		return p.forwarded(o, r.Header.Values("Forwarded"))
	}
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(hops) - 1; i >= 0 && i >= len(hops)-maxHops && p.trusts(o.Caller); i-- {
		addr, ok := parseNode(strings.TrimSpace(hops[i]))
		if !ok {
			break
		}
		o.Caller = addr
	}
	// Every proxy of the chain may have added a value; the nearest one's is at the end.
	protos := strings.Split(strings.Join(r.Header.Values("X-Forwarded-Proto"), ","), ",")
	if proto := strings.TrimSpace(protos[len(protos)-1]); proto != "" {
		o.Secure = strings.EqualFold(proto, "https")
	}
	return o
}

// forwarded reads elements of RFC 7239. Each says how its proxy was called, so the scheme is that of the element that
// names the caller.
func (p Proxies) forwarded(o Origin, values []string) Origin {
	elements := splitOutsideQuotes(strings.Join(values, ","), ',')
	for i := len(elements) - 1; i >= 0 && i >= len(elements)-maxHops && p.trusts(o.Caller); i-- {
		var node, proto string
		for _, pair := range splitOutsideQuotes(elements[i], ';') {
			name, value, _ := strings.Cut(strings.TrimSpace(pair), "=")
			value = strings.Trim(value, `"`)
			switch strings.ToLower(name) {
			case "for":
				node = value
			case "proto":
				proto = value
			}
		}
		addr, ok := parseNode(node)
		if !ok {
			break
		}
		o.Caller = addr
		if proto != "" {
			o.Secure = strings.EqualFold(proto, "https")
		}
	}
	return o
}

func (p Proxies) trusts(addr netip.Addr) bool {
	for _, network := range p.Networks {
		if network.Contains(addr) {
			return true
		}
	}
	return false
}

// parseNode reads an address with or without a port: 192.0.2.1, 192.0.2.1:80, 2001:db8::1, [2001:db8::1], [2001:db8::1]:80.
func parseNode(text string) (netip.Addr, bool) {
	if at, err := netip.ParseAddrPort(text); err == nil {
		return at.Addr().Unmap().WithZone(""), true
	}
	if strings.HasPrefix(text, "[") && strings.HasSuffix(text, "]") {
		text = text[1 : len(text)-1]
	}
	addr, err := netip.ParseAddr(text)
	if err != nil {
		return netip.Addr{}, false
	}
	return addr.Unmap().WithZone(""), true
}

func splitOutsideQuotes(text string, separator byte) []string {
	var out []string
	quoted, start := false, 0
	for i := range len(text) {
		switch {
		case text[i] == '"':
			quoted = !quoted
		case text[i] == separator && !quoted:
			out = append(out, text[start:i])
			start = i + 1
		}
	}
	return append(out, text[start:])
}

type originKey struct{}

// hsts tells browsers to come by HTTPS only, for a year (RFC 6797, section 6.1.1).
const hsts = "max-age=31536000"

// Handler finds out once where each request comes from, for everything behind it: RemoteAddr becomes the caller's address,
// OriginOf says the scheme, and answers over HTTPS bear HSTS.
func (p Proxies) Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		o := p.Origin(r)
		if o.Secure {
			w.Header().Set("Strict-Transport-Security", hsts)
		}
		named := r.WithContext(context.WithValue(r.Context(), originKey{}, o))
		if o.Caller.IsValid() && o.Caller != peer(r.RemoteAddr) {
			// The port is the proxy's and would only mislead.
			named.RemoteAddr = netip.AddrPortFrom(o.Caller, 0).String()
		}
		next.ServeHTTP(w, named)
	})
}

// OriginOf returns where a request comes from: as Handler found out, or as the connection says where there is no Handler.
func OriginOf(r *http.Request) Origin {
	if o, ok := r.Context().Value(originKey{}).(Origin); ok {
		return o
	}
	return Proxies{}.Origin(r)
}

func peer(remote string) netip.Addr {
	host, _, err := net.SplitHostPort(remote)
	if err != nil {
		host = remote
	}
	addr, err := netip.ParseAddr(host)
	if err != nil {
		return netip.Addr{}
	}
	return addr.Unmap().WithZone("")
}
