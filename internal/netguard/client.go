package netguard

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"time"
)

// Client returns an HTTP client that connects to allowed addresses only. It follows no redirect: the answer that asks for one is
// returned. It uses no proxy, which would connect in its place. roots are whom it believes; nil means the machine's.
func (p Policy) Client(limit time.Duration, roots *x509.CertPool) *http.Client {
	return &http.Client{
		Timeout:       limit,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			DialContext:            p.Dial,
			TLSClientConfig:        &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
			TLSHandshakeTimeout:    limit,
			ResponseHeaderTimeout:  limit,
			MaxResponseHeaderBytes: 64 << 10,
			DisableKeepAlives:      true, // Each message is judged anew, and few are sent.
			DisableCompression:     true,
		},
	}
}
