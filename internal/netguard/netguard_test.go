package netguard_test

import (
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/shuqiao/shuqiao/internal/netguard"
)

func parse(t *testing.T, text string) netguard.Policy {
	t.Helper()
	p, err := netguard.Parse(text)
	if err != nil {
		t.Fatalf("parsing %q: %v", text, err)
	}
	return p
}

// The default lets private and public addresses pass and none of the closed ones, in whatever form they are written.
func TestPermits(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		policy, addr string
		want         bool
	}{
		{"default", "10.1.2.3", true},
		{"default", "172.16.0.1", true},
		{"default", "192.168.1.1", true},
		{"default", "203.0.113.7", true},
		{"default", "fd12::1", true},
		{"default", "2001:db8::1", true},
		{"default", "127.0.0.1", false},
		{"default", "127.255.0.9", false},
		{"default", "0.0.0.0", false},
		{"default", "169.254.169.254", false},
		{"default", "100.100.100.200", false},
		{"default", "168.63.129.16", false},
		{"default", "224.0.0.1", false},
		{"default", "255.255.255.255", false},
		{"default", "::", false},
		{"default", "::1", false},
		{"default", "fe80::1%eth0", false},
		{"default", "ff02::1", false},
		{"default", "fd00:ec2::254", false},
		{"default", "::ffff:127.0.0.1", false},
		{"default", "::127.0.0.1", false},
		{"default", "64:ff9b::127.0.0.1", false},
		{"default", "64:ff9b::10.0.0.1", true},
		{"default", "2002:7f00:1::", false},
		{"default", "2002:a9fe:a9fe::1", false},
		{"default", "2001:0:1:2:3:4:80ff:fffe", false}, // Teredo of 127.0.0.1.
		{"", "10.1.2.3", false},
		{"10.0.0.0/8", "10.1.2.3", true},
		{"10.0.0.0/8", "192.168.1.1", false},
		{"default,127.0.0.1", "127.0.0.1", true},
		{"default,127.0.0.1", "::ffff:127.0.0.1", true},
		{"default,127.0.0.1", "127.0.0.2", false},
		{"default,127.0.0.0/8", "64:ff9b::127.0.0.1", true},
	} {
		if got := parse(t, c.policy).Permits(netip.MustParseAddr(c.addr)); got != c.want {
			t.Errorf("policy %q, address %s: got %v, want %v", c.policy, c.addr, got, c.want)
		}
	}
	if parse(t, "default").Permits(netip.Addr{}) {
		t.Error("no address at all is permitted")
	}
}

// Lists that mean nothing, or something else than their writer thinks, are refused.
func TestParseRefuses(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"10.0.0.1/8", "::ffff:10.0.0.0/104", "10.0.0.0/33", "fe80::1%eth0", "a b", "-a.example", "http://a.example", "default,,unix", "1.2.3", strings.Repeat("a.example,", 70),
	} {
		if _, err := netguard.Parse(text); err == nil {
			t.Errorf("%.40q is taken", text)
		}
	}
}

// A connection is judged by the address it goes to: names and redirects lead to nowhere that is closed, and allowing a name or
// a network opens just that.
func TestDial(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/away" {
			http.Redirect(w, r, "/", http.StatusFound)
		}
	}))
	t.Cleanup(server.Close)
	_, port, err := net.SplitHostPort(server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		policy, host string
		want         bool
	}{
		{"default", "127.0.0.1", false},
		{"default", "localhost", false},
		{"default", "0.0.0.0", false},
		{"default,127.0.0.0/8", "127.0.0.1", true},
		{"default,127.0.0.0/8", "localhost", true},
		{"localhost", "127.0.0.1", true}, // The named host has this address.
	} {
		conn, err := parse(t, c.policy).Dial(t.Context(), "tcp4", net.JoinHostPort(c.host, port))
		if conn != nil {
			conn.Close()
		}
		if (err == nil) != c.want || (!c.want && !errors.Is(err, netguard.ErrRefused)) {
			t.Errorf("policy %q, host %s: %v", c.policy, c.host, err)
		}
		err = parse(t, c.policy).CheckHost(t.Context(), c.host)
		if (err == nil) != c.want {
			t.Errorf("policy %q, early check of %s: %v", c.policy, c.host, err)
		}
	}
	answer, err := parse(t, "127.0.0.1").Client(5*time.Second, nil).Get(server.URL + "/away")
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if answer.StatusCode != http.StatusFound {
		t.Errorf("a redirect is answered with %d, want it returned as it is", answer.StatusCode)
	}
	if _, err := parse(t, "default").Client(5*time.Second, nil).Get(server.URL); !errors.Is(err, netguard.ErrRefused) {
		t.Errorf("a client of the default reaches loopback: %v", err)
	}
}

// Sockets of the hub's own machine are closed unless the list says unix.
func TestSockets(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "s")
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	for policy, want := range map[string]bool{"default": false, "default,unix": true} {
		conn, err := parse(t, policy).Dial(t.Context(), "unix", path)
		if conn != nil {
			conn.Close()
		}
		if (err == nil) != want || (parse(t, policy).CheckHost(t.Context(), path) == nil) != want {
			t.Errorf("%q: %v", policy, err)
		}
	}
}
