package edge_test

import (
	"bytes"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/shuqiao/shuqiao/internal/edge"
	"github.com/shuqiao/shuqiao/internal/edge/edgetest"
	"github.com/shuqiao/shuqiao/internal/fault"
)

func write(t *testing.T, dir, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// serve accepts connections, finishes their handshakes and answers one byte.
func serve(t *testing.T, c *edge.Certificates) string {
	t.Helper()
	raw, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = raw.Close() })
	l := c.Listener(raw)
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				_, _ = conn.Write([]byte{'x'})
				_ = conn.Close()
			}()
		}
	}()
	return raw.Addr().String()
}

// connect returns the serial number of the certificate that is shown, after one byte has come through.
func connect(address string, config *tls.Config) (string, error) {
	conn, err := tls.Dial("tcp", address, config)
	if err != nil {
		return "", err
	}
	defer func() { _ = conn.Close() }()
	if _, err := conn.Read(make([]byte, 1)); err != nil {
		return "", err
	}
	state := conn.ConnectionState()
	if state.NegotiatedProtocol != "" && state.NegotiatedProtocol != "http/1.1" {
		return "", errors.New("negotiated " + state.NegotiatedProtocol)
	}
	return state.PeerCertificates[0].SerialNumber.String(), nil
}

// Connections get the certificate that the files hold when it was last read whole; files that do not fit together, are broken
// or are gone leave the old one in force and are reported.
func TestReload(t *testing.T) {
	t.Parallel()
	authority, dir := edgetest.NewAuthority(t), t.TempDir()
	first, second := authority.Issue(t, "127.0.0.1"), authority.Issue(t, "127.0.0.1")
	files := edge.Files{Cert: write(t, dir, "cert.pem", first.Cert), Key: write(t, dir, "key.pem", first.Key)}
	var log bytes.Buffer
	c, err := edge.LoadCertificates(files, slog.New(slog.NewJSONHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	address := serve(t, c)
	client := &tls.Config{RootCAs: authority.Pool, NextProtos: []string{"h2", "http/1.1"}}
	for _, step := range []struct {
		name      string
		cert, key []byte
		refused   bool
		want      string
	}{
		{"as loaded", first.Cert, first.Key, false, first.Serial},
		{"the key of the new certificate has not arrived", second.Cert, first.Key, true, first.Serial},
		{"still not", second.Cert, first.Key, true, first.Serial},
		{"the new pair is whole", second.Cert, second.Key, false, second.Serial},
		{"a file is empty", nil, second.Key, true, second.Serial},
		{"the first pair comes back", first.Cert, first.Key, false, first.Serial},
	} {
		write(t, dir, "cert.pem", step.cert)
		write(t, dir, "key.pem", step.key)
		if err := c.Reload(); (err != nil) != step.refused {
			t.Errorf("%s: reloading: %v", step.name, err)
		}
		if got, err := connect(address, client); err != nil || got != step.want {
			t.Errorf("%s: certificate %s, %v; want %s", step.name, got, err, step.want)
		}
	}
	if err := os.Remove(files.Key); err != nil {
		t.Fatal(err)
	}
	if err := c.Reload(); err == nil {
		t.Error("a missing file was not reported")
	}
	if got, err := connect(address, client); err != nil || got != first.Serial {
		t.Errorf("with a file missing: certificate %s, %v", got, err)
	}
	if strings.Count(log.String(), `"level":"ERROR"`) != 4 || strings.Contains(log.String(), "PRIVATE KEY") {
		t.Errorf("log:\n%s", log.String())
	}
	if _, err := connect(address, &tls.Config{RootCAs: authority.Pool, MaxVersion: tls.VersionTLS11}); err == nil {
		t.Error("TLS 1.1 is spoken")
	}
}

// Clients may come without a certificate; one that they show must come from the named issuers, also after those were changed.
func TestClientCertificates(t *testing.T) {
	t.Parallel()
	authority, clients, others := edgetest.NewAuthority(t), edgetest.NewAuthority(t), edgetest.NewAuthority(t)
	dir := t.TempDir()
	server := authority.Issue(t, "127.0.0.1")
	files := edge.Files{
		Cert: write(t, dir, "cert.pem", server.Cert), Key: write(t, dir, "key.pem", server.Key), ClientCA: write(t, dir, "clients.pem", clients.PEM),
	}
	c, err := edge.LoadCertificates(files, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	address := serve(t, c)
	cache := tls.NewLRUClientSessionCache(4)
	with := func(issued ...edgetest.Issued) error {
		config := &tls.Config{RootCAs: authority.Pool, ClientSessionCache: cache}
		for _, i := range issued {
			pair, err := tls.X509KeyPair(i.Cert, i.Key)
			if err != nil {
				t.Fatal(err)
			}
			// Shown whatever issuers the server names.
			config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair, nil }
		}
		_, err := connect(address, config)
		return err
	}
	known, stranger := clients.Issue(t, "client"), others.Issue(t, "client")
	if err := with(); err != nil {
		t.Errorf("without a certificate: %v", err)
	}
	if err := with(known); err != nil {
		t.Errorf("with a certificate of the named issuer: %v", err)
	}
	if err := with(stranger); err == nil {
		t.Error("a certificate of another issuer is taken")
	}
	write(t, dir, "clients.pem", others.PEM)
	if err := c.Reload(); err != nil {
		t.Fatal(err)
	}
	if err := with(known); err == nil {
		t.Error("a certificate whose issuer was taken out is still taken")
	}
	if err := with(stranger); err != nil {
		t.Errorf("with a certificate of the new issuer: %v", err)
	}
}

// A connection whose write was cut by its deadline closes at once, though its caller does not read: no farewell is waited for.
func TestCutConnectionCloses(t *testing.T) {
	t.Parallel()
	authority, dir := edgetest.NewAuthority(t), t.TempDir()
	server := authority.Issue(t, "127.0.0.1")
	c, err := edge.LoadCertificates(edge.Files{Cert: write(t, dir, "cert.pem", server.Cert), Key: write(t, dir, "key.pem", server.Key)}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	raw, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = raw.Close() })
	type outcome struct {
		write error
		took  time.Duration
	}
	done := make(chan outcome, 1)
	l := c.Listener(raw)
	go func() {
		var o outcome
		conn, err := l.Accept()
		for o.write = err; o.write == nil; {
			_ = conn.SetWriteDeadline(time.Now().Add(50 * time.Millisecond))
			_, o.write = conn.Write(make([]byte, 64<<10))
		}
		began := time.Now()
		_ = conn.Close()
		o.took = time.Since(began)
		done <- o
	}()
	conn, err := tls.Dial("tcp", raw.Addr().String(), &tls.Config{RootCAs: authority.Pool})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if o := <-done; !errors.Is(o.write, os.ErrDeadlineExceeded) || o.took > time.Second {
		t.Errorf("the write ended with %v, closing took %s", o.write, o.took)
	}
}

// Files that cannot be used at the start are a fault that names them.
func TestLoadRefuses(t *testing.T) {
	t.Parallel()
	authority, dir := edgetest.NewAuthority(t), t.TempDir()
	server, other := authority.Issue(t, "127.0.0.1"), authority.Issue(t, "127.0.0.1")
	cert, key := write(t, dir, "cert.pem", server.Cert), write(t, dir, "key.pem", server.Key)
	for name, files := range map[string]edge.Files{
		"no such file":        {Cert: filepath.Join(dir, "none.pem"), Key: key},
		"another key":         {Cert: cert, Key: write(t, dir, "other.pem", other.Key)},
		"no client authority": {Cert: cert, Key: key, ClientCA: write(t, dir, "empty.pem", []byte("\n"))},
		"files exchanged":     {Cert: key, Key: cert},
	} {
		if _, err := edge.LoadCertificates(files, slog.New(slog.DiscardHandler)); !fault.Is(err, fault.Invalid) || fault.CodeOf(err) != "tls_files" || !strings.Contains(err.Error(), dir) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}
