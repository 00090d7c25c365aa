package identity

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/shuqiao/shuqiao/internal/fault"
)

// maxCertificates bounds the certificates of a client: one in use and its successor, with slack for clusters.
const maxCertificates = 10

// CertificateDigest returns how a certificate is registered: the SHA-256 of its public key (SubjectPublicKeyInfo, RFC 5280)
// in lower-case hexadecimal, so that a certificate renewed for the same key stays known.
func CertificateDigest(c *x509.Certificate) string {
	sum := sha256.Sum256(c.RawSubjectPublicKeyInfo)
	return hex.EncodeToString(sum[:])
}

// certificates brings digests into their canonical form. Colons, as openssl prints them, are left out.
func certificates(list []string) ([]string, []fault.Field) {
	out := []string{}
	if len(list) > maxCertificates {
		return nil, []fault.Field{{Name: "certificates", Code: "too_many", Message: fmt.Sprintf("name at most %d certificates", maxCertificates)}}
	}
	var wrong []fault.Field
	for i, text := range list {
		text = strings.ToLower(strings.ReplaceAll(text, ":", ""))
		if raw, err := hex.DecodeString(text); err != nil || len(raw) != sha256.Size {
			wrong = append(wrong, fault.Field{
				Name: fmt.Sprintf("certificates[%d]", i), Code: "invalid",
				Message: "give the SHA-256 of the certificate's public key as 64 hexadecimal digits",
			})
			continue
		}
		out = append(out, text)
	}
	slices.Sort(out)
	return slices.Compact(out), wrong
}

// knows reports whether a call with this certificate, nil for none, may be the client's. The TLS handshake has proved that
// the caller holds its private key; that the key is the registered one is all that needs to be asked, and no authority
// stands above it. A registered certificate outside its period is refused.
func (c knownClient) knows(certificate *x509.Certificate, now time.Time) bool {
	if len(c.certificates) == 0 {
		return true
	}
	return certificate != nil && slices.Contains(c.certificates, CertificateDigest(certificate)) &&
		!now.Before(certificate.NotBefore) && !now.After(certificate.NotAfter)
}
