// Package client is a typed client of the hub's HTTP contract. It uses the standard library only and has its own copies of
// the bodies, so that programs outside the hub can take it as it is.
package client

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Client calls one hub on behalf of one person or consuming system. It is safe for concurrent use. The zero value of every
// field but Base is useful.
type Client struct {
	Base   string       // Ends in /api/v1.
	Token  string       // A session token, or <key id>.<secret>.
	Signer *Signer      // Signs every request instead of Token; nil for none.
	HTTP   *http.Client // nil means one with a time limit of a minute per call, which does not hold for streams.
	Retry  *Retry       // nil means that every call is sent once.
}

// New returns a client of the hub whose contract is at base, ending in /api/v1. token may be "".
func New(base, token string) *Client {
	return &Client{Base: strings.TrimRight(base, "/"), Token: token}
}

// As returns a client of the same hub with other credentials.
func (c *Client) As(token string) *Client {
	return &Client{Base: c.Base, Token: token, HTTP: c.HTTP, Retry: c.Retry}
}

// Persistent returns a client that repeats calls as r says: reads, and writes under a key of Once, whenever nobody answered;
// others only when the hub said that it did nothing (429, 503). Calls that make something are sent under a key of their own.
func (c *Client) Persistent(r Retry) *Client {
	return &Client{Base: c.Base, Token: c.Token, Signer: c.Signer, HTTP: c.HTTP, Retry: &r}
}

// Signing returns a client of the same hub that signs its requests.
func (c *Client) Signing(s *Signer) *Client {
	signing := *c
	signing.Token, signing.Signer = "", s
	return &signing
}

// Problem is the hub's answer when it is not a success (RFC 9457).
type Problem struct {
	Status     int               `json:"status"`
	Code       string            `json:"code"`
	Title      string            `json:"title"`
	Detail     string            `json:"detail"`
	Layer      string            `json:"layer"`
	Errors     []FieldError      `json:"errors"`
	Allowed    []string          `json:"allowed"`
	Facts      map[string]string `json:"facts"`
	RequestID  string            `json:"request_id"`
	RetryAfter time.Duration     `json:"-"` // From the header Retry-After; 0 when not sent.
}

// FieldError is one thing wrong with the input.
type FieldError struct {
	Name    string `json:"name"`
	Code    string `json:"code"`
	Message string `json:"message"`
}

// Error is the status, the code, the sentence and the fields.
func (p *Problem) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d %s: %s", p.Status, p.Code, p.Detail)
	for _, e := range p.Errors {
		fmt.Fprintf(&b, "; %s: %s (%s)", e.Name, e.Message, e.Code)
	}
	return b.String()
}

// Code returns the problem code of an error of this package, "" for nil and for errors that no hub answered.
func Code(err error) string {
	var p *Problem
	if errors.As(err, &p) {
		return p.Code
	}
	return ""
}

// List is a page of a list. NextCursor is "" after the last page.
type List[T any] struct {
	Data       []T    `json:"data"`
	NextCursor string `json:"next_cursor"`
}

// IfMatch makes a change conditional on the row version the caller has seen.
func IfMatch(version int64) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set("If-Match", strconv.FormatInt(version, 10)) }
}

// Once gives a write a key under which it happens at most once, however often it is sent.
func Once(key string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set("Idempotency-Key", key) }
}

// NewKey returns a random key for Once.
func NewKey() string {
	raw := make([]byte, 16)
	_, _ = rand.Read(raw)
	return hex.EncodeToString(raw)
}

// Call sends one request and decodes the answer into out, unless it is nil. body is encoded as JSON unless it is nil. An
// answer that is not a success is a *Problem.
func (c *Client) Call(ctx context.Context, method, path string, body, out any, options ...func(*http.Request)) error {
	raw, _, err := c.exchange(ctx, method, path, body, options...)
	if err != nil || out == nil || len(raw) == 0 {
		return err
	}
	if err := json.Unmarshal(raw, out); err != nil {
		return fmt.Errorf("decoding the answer of %s %s: %w", method, path, err)
	}
	return nil
}

// exchange sends one request, again where Retry says so, and reads the whole answer.
func (c *Client) exchange(ctx context.Context, method, path string, body any, options ...func(*http.Request)) (raw []byte, header http.Header, err error) {
	err = c.persist(ctx, c.repeatable(method, options), func() error {
		raw, header, err = c.exchangeOnce(ctx, method, path, body, options...)
		return err
	})
	return raw, header, err
}

// repeatable reports whether a call does no harm when it is sent twice: it changes nothing, puts what is there already, or
// has a key under which it happens once.
func (c *Client) repeatable(method string, options []func(*http.Request)) bool {
	if method == http.MethodGet || method == http.MethodPut {
		return true
	}
	probe := &http.Request{Header: http.Header{}}
	for _, option := range options {
		option(probe)
	}
	return probe.Header.Get("Idempotency-Key") != ""
}

// exchangeOnce sends one request and reads the whole answer.
func (c *Client) exchangeOnce(ctx context.Context, method, path string, body any, options ...func(*http.Request)) ([]byte, http.Header, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	resp, err := c.send(ctx, method, path, body, options...)
	if err != nil {
		return nil, nil, err
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, nil, fmt.Errorf("reading the answer of %s %s: %w", method, path, err)
	}
	if resp.StatusCode >= http.StatusMultipleChoices {
		return nil, resp.Header, newProblem(resp, raw)
	}
	return raw, resp.Header, nil
}

func (c *Client) send(ctx context.Context, method, path string, body any, options ...func(*http.Request)) (*http.Response, error) {
	var reader io.Reader
	var raw []byte
	if body != nil {
		var err error
		if raw, err = json.Marshal(body); err != nil {
			return nil, fmt.Errorf("encoding the body of %s %s: %w", method, path, err)
		}
		reader = bytes.NewReader(raw)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.Base+path, reader)
	if err != nil {
		return nil, fmt.Errorf("making request %s %s: %w", method, path, err)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if c.Token != "" {
		req.Header.Set("Authorization", "Bearer "+c.Token)
	}
	for _, option := range options {
		option(req)
	}
	if c.Signer != nil {
		if err := c.Signer.Sign(req, raw); err != nil {
			return nil, err
		}
	}
	doer := c.HTTP
	if doer == nil {
		doer = http.DefaultClient
	}
	resp, err := doer.Do(req)
	if err != nil {
		return nil, fmt.Errorf("calling %s %s: %w", method, path, err)
	}
	return resp, nil
}

// longestRetryAfter bounds, in seconds, what a Retry-After is believed: a day.
const longestRetryAfter = 24 * 3600

func newProblem(resp *http.Response, raw []byte) *Problem {
	p := &Problem{}
	if err := json.Unmarshal(raw, p); err != nil || p.Code == "" {
		p = &Problem{Code: "not_a_problem", Detail: "the answer is no problem+json; is this a hub?"}
	}
	p.Status = resp.StatusCode
	if seconds, err := strconv.Atoi(resp.Header.Get("Retry-After")); err == nil && seconds > 0 && seconds <= longestRetryAfter {
		p.RetryAfter = time.Duration(seconds) * time.Second
	}
	return p
}

// create is fetch for calls that make something. A persistent client sends them under a key of its own unless the caller has
// one, so that a call that nobody answered can be repeated without making two.
func create[T any](ctx context.Context, c *Client, path string, body any, options ...func(*http.Request)) (T, error) {
	if c.Retry != nil {
		options = append([]func(*http.Request){Once(NewKey())}, options...)
	}
	return fetch[T](ctx, c, http.MethodPost, path, body, options...)
}

// fetch calls and returns the decoded answer.
func fetch[T any](ctx context.Context, c *Client, method, path string, body any, options ...func(*http.Request)) (T, error) {
	var out T
	err := c.Call(ctx, method, path, body, &out, options...)
	return out, err
}

// All collects every page of a list. path may have a query.
func All[T any](ctx context.Context, c *Client, path string) ([]T, error) {
	var out []T
	for entry, err := range Each[T](ctx, c, path) {
		if err != nil {
			return nil, err
		}
		out = append(out, entry)
	}
	return out, nil
}
