package edge

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/shuqiao/shuqiao/internal/fault"
)

// pollFiles is how often the files of a certificate are looked at.
const pollFiles = 5 * time.Second

// Files name a certificate in PEM form.
type Files struct {
	Cert     string // The certificate, then those of its issuers.
	Key      string
	ClientCA string // Certificates that issue those of clients; "" asks clients for none.
}

// Certificates is a certificate in force, read from files that may change. It is safe for concurrent use.
type Certificates struct {
	files Files
	log   *slog.Logger
	now   atomic.Pointer[tls.Config]

	mu      sync.Mutex
	read    [3][]byte // What was last read, be it in force or refused.
	refused error     // Why what was last read is not in force; nil when it is.
}

// LoadCertificates reads the files. It returns an Invalid fault "tls_files" that says what is wrong with them.
func LoadCertificates(files Files, log *slog.Logger) (*Certificates, error) {
	c := &Certificates{files: files, log: log}
	if _, err := c.reload(); err != nil {
		return nil, fault.New(fault.Invalid, "tls_files", "%s", err.Error()).Wrap(err)
	}
	return c, nil
}

// Listener speaks TLS with whoever connects through l: version 1.2 or later with Go's choice of ciphers, and HTTP/1.1 only,
// so that one connection carries one answer and its write deadline is that answer's.
func (c *Certificates) Listener(l net.Listener) net.Listener {
	return tls.NewListener(abrupt{l}, &tls.Config{
		MinVersion:         tls.VersionTLS12,
		NextProtos:         []string{"http/1.1"},
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return c.now.Load(), nil },
	})
}

// abrupt is a listener whose connections take nothing more once a write has failed.
type abrupt struct{ net.Listener }

// Accept waits for the next connection.
func (l abrupt) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if tcp, ok := conn.(*net.TCPConn); ok {
		return &abruptConn{TCPConn: tcp}, nil
	}
	return conn, err
}

// abruptConn fails every write after the first that failed. Closing a TLS connection writes a farewell and gives it five
// seconds: with a caller that does not read, an answer that was cut short would last that much longer.
type abruptConn struct {
	*net.TCPConn
	broken atomic.Bool
}

// Write writes as the connection does until a write fails.
func (c *abruptConn) Write(p []byte) (int, error) {
	if c.broken.Load() {
		return 0, net.ErrClosed
	}
	n, err := c.TCPConn.Write(p)
	if err != nil {
		c.broken.Store(true)
	}
	return n, err
}

// Reload reads the files again. Connections made from now on get what they hold; those open are left alone. When they do not
// fit together the certificate in force stays, an error is logged, and it is returned.
func (c *Certificates) Reload() error {
	_, err := c.reload()
	return c.report(err)
}

func (c *Certificates) report(err error) error {
	if err != nil {
		c.log.Error("the new certificate cannot be used; the old one stays in force", "error", err)
		return err
	}
	leaf := c.now.Load().Certificates[0].Leaf
	c.log.Info("the certificate is in force", "subject", leaf.Subject.String(), "not_after", leaf.NotAfter.UTC().Format(time.RFC3339))
	return nil
}

// Run reads the files again whenever they have changed, until ctx ends.
func (c *Certificates) Run(ctx context.Context) error {
	ticker := time.NewTicker(pollFiles)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
			// What is wrong is said once for every content of the files.
			if changed, err := c.reload(); changed {
				_ = c.report(err)
			}
		}
	}
}

// NotAfter returns when the certificate in force expires.
func (c *Certificates) NotAfter() time.Time { return c.now.Load().Certificates[0].Leaf.NotAfter }

// reload reads the files and puts them in force. It reports false when they hold what was read before: contents are compared
// rather than times, since a file may be replaced twice within the clock's step, or by one with an older time.
func (c *Certificates) reload() (changed bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var read [3][]byte
	for i, name := range []string{c.files.Cert, c.files.Key, c.files.ClientCA} {
		if name == "" {
			continue
		}
		if read[i], err = os.ReadFile(name); err != nil {
			// The marker makes a file that stays away be reported once.
			read[i] = []byte(err.Error())
			changed = !bytes.Equal(read[i], c.read[i])
			c.read[i] = read[i]
			c.refused = fmt.Errorf("reading TLS files: %w", err)
			return changed, c.refused
		}
		changed = changed || !bytes.Equal(read[i], c.read[i])
	}
	if !changed {
		return false, c.refused
	}
	c.read = read
	config, err := newConfig(read, c.files)
	if c.refused = err; err == nil {
		c.now.Store(config)
	}
	return true, err
}

func newConfig(read [3][]byte, files Files) (*tls.Config, error) {
	pair, err := tls.X509KeyPair(read[0], read[1])
	if err != nil {
		return nil, fmt.Errorf("reading certificate %q with key %q: %w", files.Cert, files.Key, err)
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}, Certificates: []tls.Certificate{pair}}
	if files.ClientCA == "" {
		return config, nil
	}
	config.ClientCAs = x509.NewCertPool()
	if !config.ClientCAs.AppendCertsFromPEM(read[2]) {
		return nil, fmt.Errorf("reading certificates of client issuers %q: %w", files.ClientCA, errors.New("it holds no certificate in PEM form"))
	}
	config.ClientAuth = tls.VerifyClientCertIfGiven
	// A resumed session would keep a client whose issuer has been taken out of the file.
	config.SessionTicketsDisabled = true
	return config, nil
}
