package netguard

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"time"
)

// ErrRefused says that the policy does not allow a connection to the address.
var ErrRefused = errors.New("the hub may not connect to this address")

// The words of a policy besides networks, addresses and names.
const (
	// Default stands for every address but the closed ones.
	Default = "default"
	// Unix stands for sockets in the file system of the hub's machine.
	Unix = "unix"
)

// maxEntries bounds a list, which every connection is compared with.
const maxEntries = 64

// Policy says where the hub may connect to. The zero Policy allows nothing.
type Policy struct {
	open     bool // Everything that is not closed.
	unix     bool
	networks []netip.Prefix
	hosts    []string
}

// closed are addresses that are nobody's service for the hub: "this" network and unspecified (RFC 1122), loopback, link-local
// (RFC 3927, RFC 4291; most clouds' metadata lie there), multicast, reserved and broadcast, and single metadata addresses of
// clouds that lie elsewhere (Azure, Alibaba Cloud, Oracle Cloud, AWS over IPv6).
func closed() []netip.Prefix {
	return prefixes(
		"0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4", "240.0.0.0/4",
		"168.63.129.16/32", "100.100.100.200/32", "192.0.0.192/32",
		"::/128", "::1/128", "fe80::/10", "ff00::/8", "fd00:ec2::254/128",
	)
}

func prefixes(all ...string) []netip.Prefix {
	out := make([]netip.Prefix, len(all))
	for i, text := range all {
		out[i] = netip.MustParsePrefix(text)
	}
	return out
}

// Parse reads a list separated by commas: "default", "unix", networks (10.0.0.0/8), addresses, and host names. A network or
// an address allows what lies in it, also where it is closed otherwise; a name allows the addresses it resolves to when the
// connection is opened. An empty list allows nothing.
func Parse(text string) (Policy, error) {
	wrong := fmt.Errorf("write up to %d of these, separated by commas: default, unix, networks such as 10.0.0.0/8, addresses, host names", maxEntries)
	var p Policy
	if strings.TrimSpace(text) == "" {
		return p, nil
	}
	parts := strings.Split(text, ",")
	if len(parts) > maxEntries {
		return Policy{}, wrong
	}
	for _, part := range parts {
		part = strings.ToLower(strings.TrimSpace(part))
		if network, err := netip.ParsePrefix(part); err == nil {
			if network.Addr().Is4In6() || network != network.Masked() {
				return Policy{}, wrong
			}
			p.networks = append(p.networks, network)
			continue
		}
		if addr, err := netip.ParseAddr(part); err == nil {
			if addr.Zone() != "" {
				return Policy{}, wrong
			}
			addr = addr.Unmap()
			p.networks = append(p.networks, netip.PrefixFrom(addr, addr.BitLen()))
			continue
		}
		switch {
		case part == Default:
			p.open = true
		case part == Unix:
			p.unix = true
		case hostName(part):
			p.hosts = append(p.hosts, part)
		default:
			return Policy{}, wrong
		}
	}
	return p, nil
}

// hostName reports whether text is a DNS name (RFC 1123) with at least one letter.
func hostName(text string) bool {
	if len(text) == 0 || len(text) > 253 || !strings.ContainsAny(text, "abcdefghijklmnopqrstuvwxyz") {
		return false
	}
	for label := range strings.SplitSeq(text, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for _, c := range []byte(label) {
			if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '_' {
				return false
			}
		}
	}
	return true
}

// Permits reports whether the hub may connect to the address as the networks of the policy have it; names are not asked. An IPv6
// address that stands for an IPv4 one, as translators and tunnels read it, must be allowed as both.
func (p Policy) Permits(addr netip.Addr) bool {
	if !addr.IsValid() {
		return false
	}
	addr = addr.WithZone("").Unmap()
	if slices.ContainsFunc(p.networks, func(n netip.Prefix) bool { return n.Contains(addr) }) {
		return true
	}
	if !p.open || slices.ContainsFunc(closed(), func(n netip.Prefix) bool { return n.Contains(addr) }) {
		return false
	}
	if inner, ok := embedded(addr); ok {
		return p.Permits(inner)
	}
	return true
}

// embedded returns the IPv4 address inside an IPv6 one: IPv4-compatible (RFC 4291), NAT64 (RFC 6052, RFC 8215), 6to4 (RFC 3056),
// Teredo (RFC 4380, which writes it inverted).
func embedded(addr netip.Addr) (netip.Addr, bool) {
	if !addr.Is6() {
		return netip.Addr{}, false
	}
	b := addr.As16()
	in := func(text string) bool { return netip.MustParsePrefix(text).Contains(addr) }
	switch {
	case in("::/96"), in("64:ff9b::/96"), in("64:ff9b:1::/48"):
		return netip.AddrFrom4([4]byte(b[12:16])), true
	case in("2002::/16"):
		return netip.AddrFrom4([4]byte(b[2:6])), true
	case in("2001::/32"):
		return netip.AddrFrom4([4]byte{^b[12], ^b[13], ^b[14], ^b[15]}), true
	}
	return netip.Addr{}, false
}

// resolveLimit bounds the resolution of names in a check.
const resolveLimit = 5 * time.Second

// allows is Permits, and then asks whether a named host has the address.
func (p Policy) allows(ctx context.Context, addr netip.Addr) bool {
	if p.Permits(addr) {
		return true
	}
	addr = addr.WithZone("").Unmap()
	ctx, cancel := context.WithTimeout(ctx, resolveLimit)
	defer cancel()
	for _, host := range p.hosts {
		found, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
		if err == nil && slices.ContainsFunc(found, func(a netip.Addr) bool { return a.Unmap() == addr }) {
			return true
		}
	}
	return false
}

// CheckHost says early whether a host that somebody states can be allowed: ErrRefused when it is an address, a socket or a
// name all of whose addresses are refused. A name that cannot be resolved now passes. Dial judges again whatever it says.
func (p Policy) CheckHost(ctx context.Context, host string) error {
	if strings.HasPrefix(host, "/") || strings.HasPrefix(host, "@") {
		return p.socket()
	}
	if addr, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil {
		if p.allows(ctx, addr) {
			return nil
		}
		return ErrRefused
	}
	resolving, cancel := context.WithTimeout(ctx, resolveLimit)
	defer cancel()
	found, err := net.DefaultResolver.LookupNetIP(resolving, "ip", host)
	if err != nil || len(found) == 0 {
		return nil
	}
	for _, addr := range found {
		if p.allows(ctx, addr) {
			return nil
		}
	}
	return ErrRefused
}

func (p Policy) socket() error {
	if p.unix {
		return nil
	}
	return ErrRefused
}

// Dial opens a connection as (*net.Dialer).DialContext does, to allowed addresses only; ErrRefused is in the chain of the error
// of others. The address is judged after its name was resolved, once for each address that is tried.
func (p Policy) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	if strings.HasPrefix(network, "unix") {
		if err := p.socket(); err != nil {
			return nil, err
		}
		return (&net.Dialer{}).DialContext(ctx, network, address)
	}
	dialer := &net.Dialer{
		KeepAlive: 15 * time.Second,
		ControlContext: func(ctx context.Context, _, dialled string, _ syscall.RawConn) error {
			at, err := netip.ParseAddrPort(dialled)
			if err != nil || !p.allows(ctx, at.Addr()) {
				return ErrRefused
			}
			return nil
		},
	}
	return dialer.DialContext(ctx, network, address)
}
