package cli

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/shuqiao/shuqiao/api/client"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// defaultURL is where a hub listens that was started without settings.
const defaultURL = "http://127.0.0.1:8080"

// Connection is which hub is called and how it is trusted.
type Connection struct {
	URL       string `name:"url" help:"The hub; default SHUQIAO_URL, else that of the profile, else ${default_url}." placeholder:"URL"`
	CAFile    string `name:"ca-file" help:"Certificates that the hub's certificate is checked against, in place of those of the system." type:"path" placeholder:"FILE"`
	PlainHTTP bool   `name:"plain-http" help:"Send credentials unencrypted to another machine. Never do this outside a test."`
}

// Vars are what help texts name.
func Vars() map[string]string {
	return map[string]string{"default_url": defaultURL, "default_profile": defaultProfile}
}

// client returns a client of the hub. Retries are on: commands are for people and jobs, not for measuring.
func (c Connection) client(t *Terminal, profileURL, token string) (*client.Client, error) {
	text := first(c.URL, t.env("SHUQIAO_URL"), profileURL, defaultURL)
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, fault.New(fault.Invalid, "usage", "the address of the hub cannot be read; write it as https://hub.example.gov.cn")
	}
	if u.Scheme == "http" && !c.PlainHTTP && !loopback(u.Hostname()) {
		return nil, fault.New(fault.Invalid, "plain_http", "this would send credentials unencrypted to another machine; use https://, or --plain-http in a test")
	}
	u.RawQuery, u.Fragment, u.User = "", "", nil
	base := strings.TrimRight(u.String(), "/")
	if !strings.HasSuffix(base, "/api/v1") {
		base += "/api/v1"
	}
	out := client.New(base, token).Persistent(client.Retry{})
	if c.CAFile != "" {
		if out.HTTP, err = trusting(c.CAFile); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func trusting(file string) (*http.Client, error) {
	raw, err := os.ReadFile(file)
	if err != nil {
		return nil, fault.New(fault.Invalid, "usage", "the file of certificates cannot be read: %s", err).Wrap(err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(raw) {
		return nil, fault.New(fault.Invalid, "usage", "the file of certificates holds none; it has to be PEM")
	}
	transport := &http.Transport{
		Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true, IdleConnTimeout: 90 * time.Second,
		TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12},
	}
	return &http.Client{Transport: transport}, nil
}
