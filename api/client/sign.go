package client

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"hash"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Signer signs requests with a key of kind hmac, whose secret is never sent. It is safe for concurrent use.
type Signer struct {
	KeyID  string
	Secret string
	SM3    func() hash.Hash // Makes SM3 hashes; with it requests are signed by SHUQIAO-HMAC-SM3, without it by SHUQIAO-HMAC-SHA256.
	Clock  func() time.Time // nil means time.Now.
}

// covered are the headers that a signature covers when they are sent.
var covered = []string{"X-Content-Digest", "X-Grant", "X-Purpose", "X-Case-Number", "Idempotency-Key", "If-Match"}

// Sign adds timestamp, nonce, the digest of the body where there is one, and the signature. What it covers must not be changed
// afterwards, and a request is sent once: signing it again makes it another one.
func (s *Signer) Sign(req *http.Request, body []byte) error {
	if s.KeyID == "" || s.Secret == "" {
		return errors.New("signing a request: key id and secret are needed")
	}
	algorithm, digest, newHash := "SHUQIAO-HMAC-SHA256", "sha-256", sha256.New
	if s.SM3 != nil {
		algorithm, digest, newHash = "SHUQIAO-HMAC-SM3", "sm3", s.SM3
	}
	now := time.Now
	if s.Clock != nil {
		now = s.Clock
	}
	nonce := make([]byte, 16)
	_, _ = rand.Read(nonce) // never fails
	req.Header.Set("X-Timestamp", strconv.FormatInt(now().Unix(), 10))
	req.Header.Set("X-Nonce", hex.EncodeToString(nonce))
	req.Header.Del("X-Content-Digest")
	if len(body) > 0 {
		h := newHash()
		_, _ = h.Write(body)
		req.Header.Set("X-Content-Digest", digest+"=:"+base64.StdEncoding.EncodeToString(h.Sum(nil))+":")
	}
	host := req.Host
	if host == "" {
		host = req.URL.Host
	}
	names := []string{"host", "x-nonce", "x-timestamp"}
	for _, name := range covered {
		if req.Header.Get(name) != "" {
			names = append(names, strings.ToLower(name))
		}
	}
	slices.Sort(names)
	var text strings.Builder
	text.WriteString(algorithm + "\n" + req.Method + "\n" + req.URL.EscapedPath() + "\n" + req.URL.RawQuery + "\n")
	for _, name := range names {
		value := host
		if name != "host" {
			value = strings.TrimSpace(req.Header.Get(name))
		}
		text.WriteString(name + ":" + value + "\n")
	}
	text.WriteString(strings.Join(names, ";"))
	mac := hmac.New(newHash, []byte(s.Secret))
	_, _ = mac.Write([]byte(text.String()))
	req.Header.Set("Authorization", algorithm+" Credential="+s.KeyID+", SignedHeaders="+strings.Join(names, ";")+
		", Signature="+hex.EncodeToString(mac.Sum(nil)))
	return nil
}
