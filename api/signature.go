package api

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"hash"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/emmansun/gmsm/sm3"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/authz/identity"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// Headers of signed requests.
const (
	timestampHeader = "X-Timestamp"
	nonceHeader     = "X-Nonce"
	digestHeader    = "X-Content-Digest"
)

// alwaysSigned are the headers every signature covers.
var alwaysSigned = []string{"host", "x-nonce", "x-timestamp"}

// signedWhenSent are the headers that change what a call means: whoever sends one signs it.
var signedWhenSent = []string{"x-content-digest", "x-grant", "x-purpose", "x-case-number", "idempotency-key", "if-match"}

// maxSignedHeaders bounds the headers a signature may name.
const maxSignedHeaders = 20

// bodyDigests are the digests a signed body may bear, by algorithm of the signature.
var bodyDigests = map[string]struct {
	name string
	hash func() hash.Hash
}{
	identity.SignSHA256: {"sha-256", sha256.New},
	identity.SignSM3:    {"sm3", sm3.New},
}

// signedBody is what a signed request promised about its body.
type signedBody struct {
	algorithm string
	digest    string // The value of X-Content-Digest; "" promises that there is no body.
}

// authenticateSigned reads and checks the signature of a request. The body is not read for it: the signature covers its digest,
// and readBody compares.
func (a *API) authenticateSigned(req *http.Request, algorithm, parameters string) (authz.Principal, error) {
	signed, err := readSignature(req, originalMethod(req.Context()), algorithm, parameters)
	if err != nil {
		return authz.Principal{}, err
	}
	requestOf(req.Context()).signed = &signedBody{algorithm: algorithm, digest: req.Header.Get(digestHeader)}
	return a.opt.Identity.AuthenticateSigned(req.Context(), signed, origin(req))
}

// malformedSignature says what is wrong with a signature as a text.
func malformedSignature(message string) error {
	return fault.New(fault.Unauthenticated, "signature_malformed", "%s", message).At("identity")
}

// readSignature takes a signed request apart: "Credential=<key id>, SignedHeaders=<names>, Signature=<hex>" and the headers
// it is over.
func readSignature(req *http.Request, method, algorithm, parameters string) (identity.SignedRequest, error) {
	r := identity.SignedRequest{Algorithm: algorithm, Nonce: req.Header.Get(nonceHeader)}
	var names string
	for _, part := range strings.Split(parameters, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		switch {
		case name == "Credential" && r.KeyID == "":
			r.KeyID = value
		case name == "SignedHeaders" && names == "":
			names = value
		case name == "Signature" && r.Signature == nil:
			raw, err := hex.DecodeString(value)
			if err != nil || len(raw) != sha256.Size || strings.ToLower(value) != value {
				return r, malformedSignature("write the signature as 64 lower-case hexadecimal digits")
			}
			r.Signature = raw
		default:
			return r, malformedSignature("send Credential=<key id>, SignedHeaders=<names>, Signature=<hex>, each once")
		}
	}
	if r.KeyID == "" || names == "" || r.Signature == nil {
		return r, malformedSignature("send Credential=<key id>, SignedHeaders=<names>, Signature=<hex>, each once")
	}
	seconds, err := strconv.ParseInt(req.Header.Get(timestampHeader), 10, 64)
	if err != nil || seconds < 0 || seconds > 1<<40 {
		return r, malformedSignature("send X-Timestamp as whole seconds since 1970-01-01T00:00:00Z")
	}
	r.Timestamp = time.Unix(seconds, 0)
	if !isNonce(r.Nonce) {
		return r, malformedSignature("send X-Nonce as 16 to 64 characters of A-Z a-z 0-9 - _")
	}
	signed := strings.Split(names, ";")
	if err := checkSignedHeaders(req, signed); err != nil {
		return r, err
	}
	r.Canonical, err = canonical(req, method, algorithm, signed)
	return r, err
}

func isNonce(text string) bool {
	return len(text) >= identity.MinNonce && len(text) <= identity.MaxNonce && strings.IndexFunc(text, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_')
	}) < 0
}

// checkSignedHeaders refuses a signature that leaves out what it must cover.
func checkSignedHeaders(req *http.Request, signed []string) error {
	if len(signed) > maxSignedHeaders || !slices.IsSorted(signed) || len(slices.Compact(slices.Clone(signed))) != len(signed) {
		return malformedSignature("name the signed headers in lower case, sorted, each once, with semicolons between them")
	}
	for _, name := range alwaysSigned {
		if !slices.Contains(signed, name) {
			return malformedSignature("sign at least host, x-nonce and x-timestamp")
		}
	}
	for _, name := range signedWhenSent {
		if len(req.Header.Values(name)) > 0 && !slices.Contains(signed, name) {
			return malformedSignature("sign each of these that is sent: " + strings.Join(signedWhenSent, ", "))
		}
	}
	return nil
}

// canonical returns the text that is signed. Lines end in LF, the last one does not:
//
//	algorithm
//	method
//	path as sent, percent-escapes included
//	query as sent without "?", empty when there is none
//	name:value of each signed header, in the order of SignedHeaders, without white space around the value
//	SignedHeaders
func canonical(req *http.Request, method, algorithm string, signed []string) (string, error) {
	var b strings.Builder
	b.WriteString(algorithm + "\n" + method + "\n" + req.URL.EscapedPath() + "\n" + req.URL.RawQuery + "\n")
	for _, name := range signed {
		value := req.Host
		if name != "host" {
			values := req.Header.Values(name)
			if len(values) != 1 {
				return "", malformedSignature("send each signed header exactly once")
			}
			value = strings.TrimSpace(values[0])
		}
		b.WriteString(name + ":" + value + "\n")
	}
	b.WriteString(strings.Join(signed, ";"))
	return b.String(), nil
}

// checkSignedBody compares a body with what the signature promised. A request that is not signed promises nothing.
func checkSignedBody(ctx context.Context, body []byte) error {
	signed := requestOf(ctx).signed
	if signed == nil || signed.digest == "" && len(body) == 0 {
		return nil
	}
	kind := bodyDigests[signed.algorithm]
	h := kind.hash()
	_, _ = h.Write(body) // A hash never fails to take bytes.
	want := kind.name + "=:" + base64.StdEncoding.EncodeToString(h.Sum(nil)) + ":"
	if subtle.ConstantTimeCompare([]byte(want), []byte(signed.digest)) == 0 {
		return fault.New(fault.Unauthenticated, "digest_mismatch",
			"the body is not the one that was signed; send X-Content-Digest: %s=:<base64>: over its bytes and sign it", kind.name).At("identity")
	}
	return nil
}
