package api_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/emmansun/gmsm/sm3"
	"github.com/jackc/pgx/v5"

	"github.com/shuqiao/shuqiao/api"
	"github.com/shuqiao/shuqiao/api/client"
	"github.com/shuqiao/shuqiao/authz/identity"
	"github.com/shuqiao/shuqiao/internal/hubtest"
)

// certificate makes a self-signed client certificate that is valid until a time.
func certificate(t *testing.T, until time.Time) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "sample system"}, NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: until,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	raw, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(raw)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{raw}, PrivateKey: key, Leaf: leaf}
}

// tlsDoor serves a hub by TLS and returns its contract's base and a maker of HTTP clients with or without a certificate.
func tlsDoor(t *testing.T, h *hubtest.Hub) (base string, with func(...tls.Certificate) *http.Client) {
	t.Helper()
	server := httptest.NewUnstartedServer(nil)
	server.Config = api.NewServer(h.API().Handler(), discard())
	server.TLS = &tls.Config{ClientAuth: tls.RequestClientCert}
	server.StartTLS()
	t.Cleanup(server.Close)
	return server.URL + "/api/v1", func(certificates ...tls.Certificate) *http.Client {
		transport := server.Client().Transport.(*http.Transport).Clone()
		transport.TLSClientConfig.Certificates = certificates
		t.Cleanup(transport.CloseIdleConnections)
		return &http.Client{Transport: transport}
	}
}

// A consuming system can sign its requests in place of sending a secret, by SHA-256 or SM3, with and without a body, and can
// bind itself to a TLS certificate; whatever was changed after signing, left out, or sent without the certificate is refused.
func TestSignedAndPinned(t *testing.T) {
	t.Parallel()
	h := hubtest.Start(t, hubtest.Options{})
	s := h.Sample(t, 30)
	terms := s.Terms()
	terms.Quota, terms.QuotaPeriod = 100_000, "total" // Blocks of 1,000.
	s.Grant(t, terms)
	ctx := t.Context()
	hours := 1
	key, err := s.Consumer.Admin.ReplaceKey(ctx, s.System.ID, client.KeyRequest{Kind: "hmac", OverlapHours: &hours})
	if err != nil || key.Kind != "hmac" {
		t.Fatalf("issuing a signing key: %+v, %v", key.Key, err)
	}
	pull := client.Pull{Resource: s.Resource.ID, Purpose: "benefit-check"}
	signer := &client.Signer{KeyID: key.ID, Secret: key.Secret}
	signing := h.Anonymous.Signing(signer)
	waitUntil(t, func() bool { _, err = signing.Schema(ctx, pull); return err == nil })

	t.Run("calls", func(t *testing.T) {
		for name, c := range map[string]*client.Client{
			"SHA-256": signing, "SM3": h.Anonymous.Signing(&client.Signer{KeyID: key.ID, Secret: key.Secret, SM3: sm3.New}),
		} {
			if page, err := c.Rows(ctx, pull, client.Query{Limit: 5, Filter: `{"op":"eq","item":"division","value":"330602"}`}); err != nil || len(page.Rows) != 5 {
				t.Errorf("%s: rows: %d, %v", name, len(page.Rows), err)
			}
			if v, err := c.Verify(ctx, pull, []client.Claim{{Key: "T000001", Items: map[string]any{"title": "示例事项1"}}}); err != nil || v.Results[0].Items["title"] != "match" {
				t.Errorf("%s: verify: %+v, %v", name, v.Results, err)
			}
			rows := 0
			if _, err := c.Stream(ctx, pull, client.Query{}, func(client.Row) error { rows++; return nil }); err != nil || rows != 20 {
				t.Errorf("%s: stream: %d rows, %v", name, rows, err)
			}
		}
	})
	t.Run("what is not as it was signed", func(t *testing.T) {
		body := []byte(`{"claims":[{"key":"T000001","items":{"title":"x"}}]}`)
		rows := h.APIURL() + "/data/" + s.Resource.ID + "/rows?limit=1"
		for _, c := range []struct {
			name, method, url string
			body              []byte
			edit              func(r *http.Request)
			status            int
			code              string
		}{
			{"nothing", "GET", rows, nil, func(*http.Request) {}, 200, ""},
			{"a HEAD signed as such", "HEAD", rows, nil, func(*http.Request) {}, 200, ""},
			{"a HEAD signed as GET", "GET", rows, nil, func(r *http.Request) { r.Method = "HEAD" }, 401, ""},
			{"the query", "GET", rows, nil, func(r *http.Request) { r.URL.RawQuery = "limit=2" }, 401, "unauthenticated"},
			{"the path", "GET", rows, nil, func(r *http.Request) { r.URL.Path += "/T000001" }, 401, "unauthenticated"},
			{"the purpose", "GET", rows, nil, func(r *http.Request) { r.Header.Set("X-Purpose", "else") }, 401, "unauthenticated"},
			{"a purpose that was not signed", "GET", rows, nil, func(r *http.Request) {
				r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), ";x-purpose", "", 1))
			}, 401, "signature_malformed"},
			{"the time", "GET", rows, nil, func(r *http.Request) { r.Header.Set("X-Timestamp", "1795336800") }, 401, "timestamp_out_of_range"},
			{"no time", "GET", rows, nil, func(r *http.Request) { r.Header.Del("X-Timestamp") }, 401, "signature_malformed"},
			{"a short nonce", "GET", rows, nil, func(r *http.Request) { r.Header.Set("X-Nonce", "short") }, 401, "signature_malformed"},
			{"a header twice", "GET", rows, nil, func(r *http.Request) { r.Header.Add("X-Purpose", "benefit-check") }, 401, "signature_malformed"},
			{"no signature", "GET", rows, nil, func(r *http.Request) { r.Header.Set("Authorization", "SHUQIAO-HMAC-SHA256") }, 401, "signature_malformed"},
			{"the body", "POST", h.APIURL() + "/data/" + s.Resource.ID + "/verify", body, func(r *http.Request) {
				r.Body = http.NoBody
				r.ContentLength = 0
			}, 401, "digest_mismatch"},
			{"a body where none was signed", "GET", rows, nil, func(r *http.Request) {
				r.Body, r.ContentLength = readCloser("{}"), 2
			}, 401, "digest_mismatch"},
		} {
			req, err := http.NewRequestWithContext(ctx, c.method, c.url, bytes.NewReader(c.body))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("X-Purpose", "benefit-check")
			if err := signer.Sign(req, c.body); err != nil {
				t.Fatal(err)
			}
			c.edit(req)
			if a := do(t, http.DefaultClient, req); a.status != c.status || a.problem.Code != c.code {
				t.Errorf("%s: got %d %s, want %d %s", c.name, a.status, a.problem.Code, c.status, c.code)
			}
		}
	})
	t.Run("a request sent twice", func(t *testing.T) {
		req, _ := http.NewRequestWithContext(ctx, "GET", h.APIURL()+"/data/"+s.Resource.ID+"/schema", http.NoBody)
		req.Header.Set("X-Purpose", "benefit-check")
		if err := signer.Sign(req, nil); err != nil {
			t.Fatal(err)
		}
		first, again := do(t, http.DefaultClient, req), do(t, http.DefaultClient, req)
		if first.status != 200 || again.status != 401 || again.problem.Code != "nonce_reused" {
			t.Errorf("got %d, then %d %s", first.status, again.status, again.problem.Code)
		}
	})
	t.Run("certificate", func(t *testing.T) {
		base, with := tlsDoor(t, h)
		own, successor, foreign, old := certificate(t, time.Now().Add(time.Hour)), certificate(t, time.Now().Add(time.Hour)),
			certificate(t, time.Now().Add(time.Hour)), certificate(t, time.Now().Add(-time.Hour))
		pinned := []string{identity.CertificateDigest(own.Leaf), strings.ToUpper(identity.CertificateDigest(successor.Leaf)), identity.CertificateDigest(old.Leaf)}
		changed, err := s.Consumer.Admin.ChangeConsumingSystem(ctx, s.System.ID, client.ConsumingSystemChange{Certificates: &pinned})
		if err != nil || len(changed.Certificates) != 3 {
			t.Fatalf("registering certificates: %+v, %v", changed, err)
		}
		call := func(c *client.Client, base string, doer *http.Client) error {
			c = &client.Client{Base: base, Token: c.Token, Signer: c.Signer, HTTP: doer}
			_, err := c.Schema(ctx, pull)
			return err
		}
		waitUntil(t, func() bool {
			return client.Code(call(s.Client, h.APIURL(), nil)) == "client_certificate_required"
		})
		for name, c := range map[string]*client.Client{"bearer": s.Client, "signed": signing} {
			if err := call(c, base, with(own)); err != nil {
				t.Errorf("%s with its certificate: %v", name, err)
			}
			if err := call(c, base, with(successor)); err != nil {
				t.Errorf("%s with its other certificate: %v", name, err)
			}
			for what, doer := range map[string]*http.Client{"none": with(), "a foreign one": with(foreign), "one that has ended": with(old)} {
				wantCode(t, name+" with "+what, call(c, base, doer), 403, "client_certificate_required")
			}
			wantCode(t, name+" without TLS", call(c, h.APIURL(), nil), 403, "client_certificate_required")
		}
		wrong := []string{"abc"}
		_, err = s.Consumer.Admin.ChangeConsumingSystem(ctx, s.System.ID, client.ConsumingSystemChange{Certificates: &wrong})
		wantCode(t, "a digest that is none", err, 400, "invalid")
	})
	t.Run("keys that end", func(t *testing.T) {
		keys, err := s.Consumer.Admin.ExpiringKeys(ctx, 1)
		if err != nil || len(keys) != 1 || keys[0].ID != s.Key.ID || keys[0].ClientName != s.System.Name {
			t.Errorf("keys that end within a day: %+v, %v", keys, err)
		}
		err = s.Consumer.Admin.Call(ctx, "GET", "/keys?expiring_within=soon", nil, nil)
		wantCode(t, "a duration that is none", err, 400, "invalid")
	})
	t.Run("what is left of the quota goes back when the hub stops", func(t *testing.T) {
		if err := h.Stop(); err != nil {
			t.Fatal(err)
		}
		conn, err := pgx.Connect(ctx, h.DatabaseURL())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close(context.WithoutCancel(ctx))
		var reserved, disclosed int64
		if err := conn.QueryRow(ctx, "SELECT (SELECT used FROM quota_use), (SELECT sum(rows) FROM usage)").Scan(&reserved, &disclosed); err != nil {
			t.Fatal(err)
		}
		if reserved != disclosed || disclosed < 52 {
			t.Errorf("%d rows are reserved, %d were disclosed", reserved, disclosed)
		}
	})
}

// do sends a request as it is.
func do(t *testing.T, c *http.Client, req *http.Request) answer {
	t.Helper()
	resp, err := c.Do(req.Clone(context.WithoutCancel(req.Context())))
	if err != nil {
		t.Fatal(err)
	}
	return read(t, resp)
}
