package client_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/shuqiao/shuqiao/api/client"
)

// answer is one answer of a hub that plays a part.
type answer struct {
	status  int
	body    string
	headers map[string]string
}

// hub plays answers one after the other, the last one for ever, and notes what was sent.
func hub(t testing.TB, answers ...answer) (*client.Client, func() []string) {
	var mu sync.Mutex
	var sent []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		a := answers[min(len(sent), len(answers)-1)]
		sent = append(sent, r.Method+" "+r.URL.RequestURI()+" "+r.Header.Get("Idempotency-Key"))
		mu.Unlock()
		if a.status == 0 { // Cut the connection.
			panic(http.ErrAbortHandler)
		}
		for name, value := range a.headers {
			w.Header().Set(name, value)
		}
		w.WriteHeader(a.status)
		_, _ = w.Write([]byte(a.body))
	}))
	t.Cleanup(server.Close)
	return client.New(server.URL, "").Persistent(client.Retry{Base: time.Millisecond, Longest: 1500 * time.Millisecond}), func() []string {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(sent)
	}
}

func problem(status int, code string, headers map[string]string) answer {
	return answer{status, fmt.Sprintf(`{"status":%d,"code":%q,"detail":"d"}`, status, code), headers}
}

func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "sha-256=:" + base64.StdEncoding.EncodeToString(sum[:]) + ":"
}

// A persistent client repeats what did no harm, waits as long as the hub says, and gives up where waiting is no use.
func TestRetry(t *testing.T) {
	t.Parallel()
	fine := answer{200, `{"id":"1"}`, nil}
	for _, c := range []struct {
		name    string
		answers []answer
		call    func(context.Context, *client.Client) error
		want    int // Calls sent.
		code    string
		least   time.Duration
	}{
		{"a read of a busy hub", []answer{problem(503, "policy_stale", nil), problem(429, "rate_limited", nil), fine}, read, 3, "", 0},
		{"a hub that names a time", []answer{problem(503, "overloaded", map[string]string{"Retry-After": "1"}), fine}, read, 2, "", time.Second},
		{"a time that is too long", []answer{problem(503, "overloaded", map[string]string{"Retry-After": "600"}), fine}, read, 1, "overloaded", 0},
		{"a quota that is used up", []answer{problem(429, "quota_exhausted", nil), fine}, read, 1, "quota_exhausted", 0},
		{"a refusal", []answer{problem(403, "no_grant", nil), fine}, read, 1, "no_grant", 0},
		{"a hub that stays busy", []answer{problem(503, "overloaded", nil)}, read, 5, "overloaded", 0},
		{"a read that was cut", []answer{{}, {}, fine}, read, 3, "", 0},
		{"a write that was cut", []answer{{}, fine}, write, 1, "-", 0},
		{"a write under a key that was cut", []answer{{}, fine}, writeOnce, 2, "", 0},
		{"something to make that was cut", []answer{{}, fine}, create, 2, "", 0},
		{"a write to a busy hub", []answer{problem(503, "overloaded", nil), fine}, write, 2, "", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			hub, sent := hub(t, c.answers...)
			began := time.Now()
			err := c.call(t.Context(), hub)
			code := client.Code(err)
			if err != nil && code == "" {
				code = "-"
			}
			if code != c.code || len(sent()) != c.want || time.Since(began) < c.least {
				t.Errorf("got %v after %d calls and %s, want %q after %d and %s", err, len(sent()), time.Since(began), c.code, c.want, c.least)
			}
			for _, line := range sent() {
				if line != sent()[0] {
					t.Errorf("repeated as another call: %s, %s", line, sent()[0])
				}
			}
		})
	}
}

func read(ctx context.Context, c *client.Client) error { _, err := c.Run(ctx, "1"); return err }

func write(ctx context.Context, c *client.Client) error {
	_, err := c.Suspend(ctx, "1", "r")
	return err
}

func create(ctx context.Context, c *client.Client) error { _, err := c.RunNow(ctx, "1"); return err }

func writeOnce(ctx context.Context, c *client.Client) error {
	_, err := c.Suspend(ctx, "1", "r", client.Once("key of the caller"))
	return err
}

// A context that ends stops the waiting at once.
func TestRetryEndsWithContext(t *testing.T) {
	t.Parallel()
	hub, sent := hub(t, problem(503, "overloaded", map[string]string{"Retry-After": "1"}))
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := read(ctx, hub); client.Code(err) != "overloaded" || len(sent()) != 1 {
		t.Errorf("%v after %d calls", err, len(sent()))
	}
}

// What was damaged or cut on the way is an error, in pages and in streams, also when it is well-formed.
func TestDigests(t *testing.T) {
	t.Parallel()
	page := `{"rows":[{"no":"1"}]}`
	for name, c := range map[string]struct {
		digest string
		want   error
	}{"whole": {digest(page), nil}, "damaged": {digest(page + " "), client.ErrDigest}, "without a digest": {"", nil}} {
		hub, _ := hub(t, answer{200, page, map[string]string{"X-Content-Digest": c.digest}})
		if _, err := hub.Rows(t.Context(), client.Pull{Resource: "r"}, client.Query{}); !errors.Is(err, c.want) {
			t.Errorf("a page %s: %v, want %v", name, err, c.want)
		}
	}
	rows := "{\"no\":\"1\"}\n{\"no\":\"2\"}\n"
	for name, c := range map[string]struct {
		body string
		rows int
		want error
	}{
		"whole":   {rows + `{"end":{"rows":2,"digest":"` + digest(rows) + `"}}` + "\n", 2, nil},
		"damaged": {rows + `{"end":{"rows":2,"digest":"` + digest("other") + `"}}` + "\n", 2, client.ErrDigest},
		"cut":     {rows, 2, client.ErrTruncated},
	} {
		hub, _ := hub(t, answer{200, c.body, nil})
		var seen int
		var last error
		for _, err := range hub.StreamRows(t.Context(), client.Pull{Resource: "r"}, client.Query{}) {
			if last = err; err == nil {
				seen++
			}
		}
		if seen != c.rows || !errors.Is(last, c.want) {
			t.Errorf("a stream %s: %d rows, %v, want %v", name, seen, last, c.want)
		}
	}
	stopped, _ := hub(t, answer{200, "{\"no\":\"1\"}\n" + `{"error":{"code":"grant_suspended"}}` + "\n", nil})
	_, err := stopped.Stream(t.Context(), client.Pull{Resource: "r"}, client.Query{}, func(client.Row) error { return nil })
	if client.Code(err) != "grant_suspended" {
		t.Errorf("a stream that policy stopped: %v", err)
	}
}

// A list is read page by page as far as it is wanted, and an error ends it.
func TestEach(t *testing.T) {
	t.Parallel()
	answers := []answer{{200, `{"data":[{"id":"1"},{"id":"2"}],"next_cursor":"a b"}`, nil}, {200, `{"data":[{"id":"3"}],"next_cursor":""}`, nil}}
	whole, sent := hub(t, answers...)
	var ids []string
	for grant, err := range whole.EachGrant(t.Context(), client.Filter{"state": "active", "side": ""}) {
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, grant.ID)
	}
	if diff := cmp.Diff("1,2,3", strings.Join(ids, ",")); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"GET /grants?state=active ", "GET /grants?state=active&cursor=a+b "}, sent()); diff != "" {
		t.Error(diff)
	}
	part, sent := hub(t, answers...)
	for range part.EachGrant(t.Context(), nil) {
		break
	}
	if len(sent()) != 1 {
		t.Errorf("%d calls for the first entry", len(sent()))
	}
	refused, _ := hub(t, answers[0], problem(403, "forbidden", nil))
	var last error
	n := 0
	for _, err := range refused.EachGrant(t.Context(), nil) {
		last, n = err, n+1
	}
	if n != 3 || client.Code(last) != "forbidden" {
		t.Errorf("%d turns, the last with %v", n, last)
	}
}

// Read every row that a grant gives, then what changes, and remember the cursor for next time.
func Example() {
	ctx := context.Background()
	hub := client.New("https://hub.example.gov.cn/api/v1", "<key id>.<secret>").Persistent(client.Retry{})
	grant := client.Pull{Resource: "<resource id>", Purpose: "benefit-check"}
	var cursor string
	for page, err := range client.Pages[client.Row](ctx, hub, grant, client.Query{Limit: 1000}) {
		if err != nil {
			return // A *client.Problem says what the hub refuses.
		}
		fmt.Println(len(page.Rows))
		cursor = page.ChangesCursor // On the last page.
	}
	for page, err := range client.ChangePages[client.Row](ctx, hub, grant, client.Query{Cursor: cursor}) {
		if err != nil {
			return
		}
		for _, change := range page.Changes {
			fmt.Println(change.Op, change.Row, change.Key)
		}
		cursor = page.NextCursor
	}
}

// A list of the management API is iterated over; pages are fetched as they are needed.
func ExampleClient_EachGrant() {
	ctx := context.Background()
	hub, err := client.New("https://hub.example.gov.cn/api/v1", "").SignIn(ctx, "social_admin", "<password>")
	if err != nil {
		return
	}
	for grant, err := range hub.EachGrant(ctx, client.Filter{"state": "active", "side": "consumer"}) {
		if err != nil {
			return
		}
		fmt.Println(grant.ID, grant.Purpose, grant.ValidTo)
	}
}

// A write that may be repeated has a key: however often it is sent, the run is queued once.
func ExampleOnce() {
	hub := client.New("https://hub.example.gov.cn/api/v1", "<token>").Persistent(client.Retry{})
	run, err := hub.RunNow(context.Background(), "<task id>", client.Once(client.NewKey()))
	var p *client.Problem
	switch {
	case errors.As(err, &p):
		fmt.Println(p.Code, p.Detail, p.RequestID)
	case err == nil:
		fmt.Println(run.ID)
	}
}
