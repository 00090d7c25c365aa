package api_test

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/shuqiao/shuqiao/api/client"
	"github.com/shuqiao/shuqiao/internal/hubtest"
)

func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }

func readCloser(text string) io.ReadCloser { return io.NopCloser(strings.NewReader(text)) }

// read reads an answer.
func read(t *testing.T, resp *http.Response) answer {
	t.Helper()
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	a := answer{status: resp.StatusCode, header: resp.Header, body: string(raw)}
	if resp.Header.Get("Content-Type") == "application/problem+json" && len(raw) > 0 {
		if err := json.Unmarshal(raw, &a.problem); err != nil {
			t.Fatalf("malformed problem %s", raw)
		}
	}
	return a
}

// Every data answer says what is left of rate and quota, a refusal by quota says it too; HEAD is answered as GET without a
// body; a data route answers 406 when none of its formats is accepted.
func TestDataAnswers(t *testing.T) {
	t.Parallel()
	h := hubtest.Start(t, hubtest.Options{})
	s := h.Sample(t, 30)
	terms := s.Terms()
	terms.Quota, terms.QuotaPeriod, terms.RateCalls = 30, "month", 100
	s.Grant(t, terms)
	rows := h.APIURL() + "/data/" + s.Resource.ID + "/rows"
	ask := func(method, url string, headers ...string) answer {
		t.Helper()
		return send(t, method, url, s.Key.Token(), "", append(headers, "X-Purpose", "benefit-check")...)
	}
	waitUntil(t, func() bool { return ask("GET", h.APIURL()+"/data/"+s.Resource.ID+"/schema").status == 200 })

	got := ask("GET", rows+"?limit=20")
	for name, want := range map[string]string{"RateLimit-Limit": "100", "X-Quota-Remaining": "10", "Vary": "Accept"} {
		if got.header.Get(name) != want {
			t.Errorf("%s: got %q, want %q", name, got.header.Get(name), want)
		}
	}
	for _, name := range []string{"RateLimit-Remaining", "RateLimit-Reset"} {
		if got.header.Get(name) == "" {
			t.Errorf("%s is missing", name)
		}
	}
	over := ask("GET", rows+"?limit=20")
	if over.status != 429 || over.problem.Code != "quota_exhausted" || over.header.Get("X-Quota-Remaining") != "10" || over.header.Get("Retry-After") == "" {
		t.Errorf("over the quota: %d %s, %v", over.status, over.problem.Code, over.header)
	}

	schema := h.APIURL() + "/data/" + s.Resource.ID + "/schema"
	get, head := ask("GET", schema), ask("HEAD", schema)
	if head.status != 200 || head.body != "" || head.header.Get("Content-Length") != fmt.Sprint(len(get.body)) {
		t.Errorf("HEAD of the schema: %d %q, %v", head.status, head.body, head.header)
	}
	if head = ask("HEAD", rows+"?limit=1"); head.status != 200 || head.body != "" || head.header.Get("X-Evidence-Id") == "" {
		t.Errorf("HEAD of rows: %d %q, %v", head.status, head.body, head.header)
	}
	if got := ask("HEAD", rows+"?limit=1", "Accept", "application/x-ndjson"); got.status != 200 || got.header.Get("Trailer") != "" {
		t.Errorf("HEAD of a stream: %d, %v", got.status, got.header)
	}
	for path, want := range map[string]int{"/healthz": 200, "/openapi.json": 200, "/api/v1/resources": 401, "/api/v1/requests/x/approve": 405, "/api/v1/nothing": 404} {
		if got := send(t, "HEAD", h.URL()+path, "", ""); got.status != want || got.body != "" {
			t.Errorf("HEAD %s: got %d %q, want %d", path, got.status, got.body, want)
		}
	}

	for accept, want := range map[string]int{
		"": 200, "*/*": 200, "application/*": 200, "application/json;q=0.5, text/html": 200, "text/html": 406, "application/xml, text/*;q=0.3": 406,
		"application/json;q=0": 406, "application/problem+json": 406,
	} {
		got := ask("GET", h.APIURL()+"/data/"+s.Resource.ID+"/schema", "Accept", accept)
		if got.status != want || want == 406 && got.problem.Code != "not_acceptable" {
			t.Errorf("Accept %q: got %d %s, want %d", accept, got.status, got.problem.Code, want)
		}
	}
}

// A list asked for with a value that its filter does not know is refused with the filter's name, not answered as empty; each
// value that the contract names is taken. The states of everything that has states are such filters.
func TestListFiltersKnowTheirValues(t *testing.T) {
	t.Parallel()
	h := hubtest.Start(t, hubtest.Options{})
	staff := h.SetUp(t)
	bureau := h.Bureau(t, staff, 1, "示例市公安局", "police")
	var doc struct {
		Paths map[string]map[string]struct {
			Parameters []struct {
				Name   string
				In     string
				Schema struct{ Enum []string }
			}
		}
	}
	if err := json.Unmarshal([]byte(send(t, "GET", h.URL()+"/openapi.json", "", "").body), &doc); err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	for path, operations := range doc.Paths {
		for _, p := range operations["get"].Parameters {
			if p.In != "query" || len(p.Schema.Enum) == 0 || strings.Contains(path, "{") {
				continue
			}
			found[strings.TrimPrefix(path, "/api/v1")+" "+p.Name] = true
			url := h.URL() + path + "?" + p.Name + "="
			token := bureau.Admin.Token
			if send(t, "GET", url+p.Schema.Enum[0], token, "").status == 403 {
				token = staff.Auditor.Token
			}
			for _, value := range p.Schema.Enum {
				if a := send(t, "GET", url+value, token, ""); a.status != 200 {
					t.Errorf("%s?%s=%s: got %d %s", path, p.Name, value, a.status, a.body)
				}
			}
			a := send(t, "GET", url+"nonsense", token, "")
			if a.status != 400 || len(a.problem.Errors) != 1 || a.problem.Errors[0].Name != p.Name {
				t.Errorf("%s?%s=nonsense: got %d %s", path, p.Name, a.status, a.body)
			}
		}
	}
	for _, filter := range []string{
		"/clients state", "/grants state", "/grants side", "/requests state", "/requests side", "/runs state", "/runs kind", "/schedules state",
		"/tasks state", "/users state", "/users role", "/resources state", "/resources share_type", "/resources update_cycle", "/audit/events outcome",
	} {
		if !found[filter] {
			t.Errorf("the contract does not name the values of %s", filter)
		}
	}
}

// Requests at the same time under one Idempotency-Key write once; the others get the same answer or are told that it is
// under way, never that their own write collided with it.
func TestOneKeyManyRequests(t *testing.T) {
	t.Parallel()
	h := hubtest.Start(t, hubtest.Options{})
	staff := h.SetUp(t)
	bureau := h.Bureau(t, staff, 1, "示例市公安局", "police")
	for round := range 5 {
		const callers = 8
		answers := make([]answer, callers)
		var wg sync.WaitGroup
		for i := range answers {
			wg.Go(func() {
				answers[i] = send(t, "POST", h.APIURL()+"/systems", bureau.Operator.Token, fmt.Sprintf(`{"name":"示例信息系统%d","state":"live"}`, round),
					"Idempotency-Key", fmt.Sprintf("k%d", round))
			})
		}
		wg.Wait()
		first, written := "", 0
		for _, a := range answers {
			switch {
			case a.status == 201 && a.header.Get("Idempotency-Replayed") == "":
				written++
				fallthrough
			case a.status == 201:
				if first == "" {
					first = a.body
				}
				if a.body != first {
					t.Errorf("round %d: answers differ: %s and %s", round, a.body, first)
				}
			case a.status == 409 && a.problem.Code == "already_sent" && a.header.Get("Retry-After") != "":
			default:
				t.Errorf("round %d: got %d %s", round, a.status, a.body)
			}
		}
		if written != 1 {
			t.Errorf("round %d: written %d times", round, written)
		}
	}
	if systems, err := client.All[client.System](t.Context(), bureau.Operator, "/systems"); err != nil || len(systems) != 5 {
		t.Errorf("%d systems, %v", len(systems), err)
	}
}

// A node that can follow neither policy nor its own heartbeat says so in /readyz, by name, while it stays alive; what still
// works is not named.
func TestReadyzNamesWhatFails(t *testing.T) {
	t.Parallel()
	h := hubtest.Start(t, hubtest.Options{})
	h.SetUp(t)
	if a := send(t, "GET", h.URL()+"/readyz", "", ""); a.status != 200 {
		t.Fatalf("at first: %d %s", a.status, a.body)
	}
	for _, sql := range []string{"ALTER TABLE policy_log RENAME COLUMN kind TO kind_gone", "ALTER TABLE node RENAME COLUMN seen_at TO seen_gone"} {
		if _, err := h.DB.Pool.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	var state struct {
		Ready  bool
		Failed map[string]string
	}
	waitUntil(t, func() bool {
		a := send(t, "GET", h.URL()+"/readyz", "", "")
		state.Failed = nil
		if err := json.Unmarshal([]byte(a.body), &state); err != nil {
			t.Fatal(err)
		}
		if (a.status == 200) != state.Ready || !state.Ready && a.header.Get("Retry-After") == "" {
			t.Errorf("status %d with %s", a.status, a.body)
		}
		return len(state.Failed) == 2
	})
	if state.Failed["policy"] == "" || state.Failed["node"] == "" {
		t.Errorf("failed: %v", state.Failed)
	}
	if a := send(t, "GET", h.URL()+"/healthz", "", ""); a.status != 200 {
		t.Errorf("alive: got %d", a.status)
	}
}
