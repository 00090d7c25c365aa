package api

import (
	"bytes"
	"context"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/netip"
	"strings"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humagin"
	"github.com/gin-gonic/gin"
	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/audit"
	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/authz/identity"
	"github.com/shuqiao/shuqiao/internal/edge"
	"github.com/shuqiao/shuqiao/internal/fault"
)

type contextKey int

const (
	principalKey contextKey = iota
	requestKey
)

// request is what the outermost middleware notes about a request.
type request struct {
	id     string
	method string // As it was sent; a HEAD is served as the GET it stands for.
	actor  authz.Principal
	signed *signedBody // What a signed request promised about its body; nil for others.
}

func requestOf(ctx context.Context) *request {
	r, _ := ctx.Value(requestKey).(*request)
	if r == nil {
		return &request{}
	}
	return r
}

// originalMethod returns the method as it was sent.
func originalMethod(ctx context.Context) string { return requestOf(ctx).method }

func requestIDOf(ctx context.Context) string { return requestOf(ctx).id }

func principalOf(ctx context.Context) authz.Principal {
	p, _ := ctx.Value(principalKey).(authz.Principal)
	return p
}

// guard stands in front of a huma handler: who asks, whether the route could be theirs at all, then the body.
func (a *API) guard(r Route) func(ctx huma.Context, next func(huma.Context)) {
	return func(ctx huma.Context, next func(huma.Context)) {
		c := humagin.Unwrap(ctx)
		p, err := a.admit(c.Request, r)
		if err == nil {
			err = a.readBody(c, r)
		}
		if err != nil {
			a.writeProblem(c, err)
			return
		}
		guarded := humaContext(invalidAs400{huma.WithValue(ctx, principalKey, p)})
		if r.Once && c.GetHeader(idempotencyHeader) != "" {
			a.once(c, r, p, guarded, next)
			return
		}
		next(guarded)
	}
}

// admit finds out who asks and refuses those the route cannot be meant for. It needs no object: a person passes when one of
// their roles has the action at all, so that the service's own check, with the facts of the object, is the one that counts.
func (a *API) admit(req *http.Request, r Route) (authz.Principal, error) {
	if r.Access == Public || r.Access == Operators {
		return authz.Principal{}, nil
	}
	p, err := a.authenticate(req)
	if err != nil {
		return authz.Principal{}, err
	}
	requestOf(req.Context()).actor = p
	if p.Limit != "" && !r.Unfinished {
		return authz.Principal{}, p.Limit.Fault()
	}
	if r.Access == Parties {
		return p, nil
	}
	if isClient := p.Kind == audit.ActorClient; isClient != (r.Access == ByClient) {
		message := "this is for people; a client's key opens the data routes only"
		if !isClient {
			message = "this is for consuming systems; sign requests with a client's key"
		}
		return authz.Principal{}, fault.New(fault.Forbidden, "forbidden", "%s", message).At("policy")
	}
	if r.Access != Permitted {
		return p, nil
	}
	kind, _, _ := strings.Cut(string(r.Action), ".")
	if _, err := a.opt.Enforcer.Check(req.Context(), p, r.Action, authz.Target{Kind: kind, Department: p.Department}); err != nil {
		return authz.Principal{}, err
	}
	return p, nil
}

// authenticate finds out who asks by the header Authorization: a bearer token or a signature.
func (a *API) authenticate(req *http.Request) (authz.Principal, error) {
	scheme, rest, _ := strings.Cut(req.Header.Get("Authorization"), " ")
	if _, known := bodyDigests[scheme]; known {
		return a.authenticateSigned(req, scheme, rest)
	}
	if !strings.EqualFold(scheme, "Bearer") || rest == "" || len(rest) > 512 {
		return authz.Principal{}, fault.New(fault.Unauthenticated, "unauthenticated",
			"send Authorization: Bearer with a session token or a client's key, or sign the request")
	}
	return a.opt.Identity.AuthenticateFrom(req.Context(), strings.TrimSpace(rest), origin(req))
}

// origin returns where a request comes from. The certificate is that of this connection: one that a proxy reports in a header
// would be whatever the caller says.
func origin(req *http.Request) identity.Origin {
	from := identity.Origin{Address: remoteAddr(req)}
	if req.TLS != nil && len(req.TLS.PeerCertificates) > 0 {
		from.Certificate = req.TLS.PeerCertificates[0]
	}
	return from
}

// remoteAddr returns the caller's address: that of the connection, or what a trusted proxy in front of the hub says.
func remoteAddr(req *http.Request) netip.Addr { return edge.OriginOf(req).Caller }

// readBody reads the whole body within the route's limit and refuses what no JSON text of ours can hold: other media types,
// bytes that are not UTF-8, and the NUL character, which PostgreSQL cannot store.
func (a *API) readBody(c *gin.Context, r Route) error {
	if c.Request.Body == nil || c.Request.Body == http.NoBody {
		return checkSignedBody(c.Request.Context(), nil)
	}
	if declared := c.GetHeader("Content-Type"); declared != "" && c.Request.ContentLength != 0 {
		media, _, err := mime.ParseMediaType(declared)
		if err != nil || media != "application/json" {
			return plainProblem(http.StatusUnsupportedMediaType, "unsupported_media_type", "send the body as application/json",
				requestIDOf(c.Request.Context()))
		}
	}
	// Nothing is unpacked, so that no body becomes larger than it was sent.
	if encoding := c.GetHeader("Content-Encoding"); encoding != "" && !strings.EqualFold(encoding, "identity") {
		return plainProblem(http.StatusUnsupportedMediaType, "unsupported_content_encoding", "send the body as it is, without Content-Encoding",
			requestIDOf(c.Request.Context()))
	}
	// Large bodies are refused by their announced length, so that a caller hears it before sending.
	if c.Request.ContentLength > r.Limit {
		c.Header("Connection", "close")
		return tooLarge(r.Limit)
	}
	raw, err := io.ReadAll(http.MaxBytesReader(c.Writer, c.Request.Body, r.Limit))
	if err != nil {
		if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
			return tooLarge(r.Limit)
		}
		return fault.New(fault.Invalid, "body_unreadable", "the body did not arrive whole; send it again").Wrap(err)
	}
	if err := checkSignedBody(c.Request.Context(), raw); err != nil {
		return err
	}
	if !utf8.Valid(raw) {
		return fault.New(fault.Invalid, "not_utf8", "the body is not UTF-8 text")
	}
	if holdsNUL(raw) {
		return fault.New(fault.Invalid, "nul_character", "the body holds the character U+0000, which no text of the hub may")
	}
	c.Request.Body = io.NopCloser(bytes.NewReader(raw))
	c.Request.ContentLength = int64(len(raw))
	c.Set(bodyKey, raw)
	return nil
}

// bodyKey is where gin's context keeps the bytes of the body.
const bodyKey = "shuqiao.body"

func tooLarge(limit int64) error {
	return fault.New(fault.TooLarge, string(fault.TooLarge), "the body is larger than %d bytes, the most this route accepts", limit)
}

// holdsNUL reports whether JSON text holds U+0000, raw or as an escape sequence.
func holdsNUL(raw []byte) bool {
	if bytes.IndexByte(raw, 0) >= 0 {
		return true
	}
	for rest := raw; ; {
		i := bytes.Index(rest, []byte(`\u0000`))
		if i < 0 {
			return false
		}
		// An even number of backslashes in front means that this one begins an escape.
		backslashes := 0
		for j := i - 1; j >= 0 && rest[j] == '\\'; j-- {
			backslashes++
		}
		if backslashes%2 == 0 {
			return true
		}
		rest = rest[i+6:]
	}
}

// checkText refuses addresses and headers that are not UTF-8 or hold control characters.
func checkText(req *http.Request) error {
	bad := !clean(req.URL.Path)
	query, err := rawQuery(req)
	if err != nil {
		return err
	}
	for key, values := range query {
		bad = bad || !clean(key)
		for _, value := range values {
			bad = bad || !clean(value)
		}
	}
	for _, name := range []string{
		"X-Purpose", "X-Case-Number", "X-Grant", idempotencyHeader, "If-Match", "Accept", "Content-Type", "Authorization",
		timestampHeader, nonceHeader, digestHeader,
	} {
		bad = bad || !clean(req.Header.Get(name))
	}
	if bad {
		return fault.New(fault.Invalid, "not_utf8", "the address or a header holds bytes that are not UTF-8, or control characters")
	}
	return nil
}

func clean(text string) bool {
	return utf8.ValidString(text) && strings.IndexFunc(text, func(r rune) bool {
		return r < ' ' && r != '\t' && r != '\n' && r != '\r' || r == 0x7f
	}) < 0
}

// invalidAs400 answers 400 where huma would answer 422: the kinds of faults know one status for wrong input.
type invalidAs400 struct{ humaContext }

// humaContext can be embedded, which huma.Context cannot for its method of that name.
type humaContext huma.Context

func (c invalidAs400) SetStatus(status int) {
	if status == http.StatusUnprocessableEntity {
		status = http.StatusBadRequest
	}
	c.humaContext.SetStatus(status)
}

func (c invalidAs400) Unwrap() huma.Context { return c.humaContext }

// fail turns a service's error into the problem that huma writes, and logs what is hidden from the caller.
func (a *API) fail(ctx context.Context, err error) error {
	p := a.problemFor(ctx, err)
	if after := retryAfter(p); after != "" {
		return huma.ErrorWithHeaders(p, http.Header{"Retry-After": {after}})
	}
	return p
}

// problemFor is the one place where errors become problems.
func (a *API) problemFor(ctx context.Context, err error) *Problem {
	if p, ok := errors.AsType[*Problem](err); ok {
		return p
	}
	// A caller who has gone away makes every query fail; nobody reads the answer.
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return plainProblem(http.StatusServiceUnavailable, "cancelled", "the request was cancelled", requestIDOf(ctx))
	}
	if _, known := errors.AsType[*fault.Fault](err); !known && errors.Is(err, context.DeadlineExceeded) {
		err = fault.New(fault.Unavailable, "timeout", "this took longer than the hub allows; ask for less, or try again when it is less busy").Wrap(err)
	}
	p := newProblem(err, requestIDOf(ctx))
	if p.Status >= http.StatusInternalServerError {
		a.log.ErrorContext(ctx, "request failed", "request_id", p.RequestID, "code", p.Code, "error", err)
	}
	return p
}

// writeProblem answers with the problem of err, outside huma.
func (a *API) writeProblem(c *gin.Context, err error) {
	p := a.problemFor(c.Request.Context(), err)
	if p.Status == http.StatusUnauthorized {
		c.Header("WWW-Authenticate", `Bearer realm="shuqiao"`)
	}
	if after := retryAfter(p); after != "" {
		c.Header("Retry-After", after)
	}
	c.Abort()
	writeJSON(c, p.Status, problemType, p)
}

// parseID parses the id in a path, outside huma.
func parseID(name, text string) (uuid.UUID, error) {
	id, err := uuid.Parse(text)
	if err != nil || len(text) != 36 {
		return uuid.Nil, fault.InvalidFields([]fault.Field{{Name: name, Code: "malformed", Message: "this is not an id"}})
	}
	return id, nil
}
