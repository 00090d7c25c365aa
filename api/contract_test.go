package api_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/shuqiao/shuqiao/api"
	"github.com/shuqiao/shuqiao/api/client"
	"github.com/shuqiao/shuqiao/internal/hubtest"
)

// answer is what came back from a raw request.
type answer struct {
	status  int
	header  http.Header
	body    string
	problem client.Problem
}

// send sends a raw request; a body that is JSON problem+json is decoded.
func send(t *testing.T, method, url, token, body string, headers ...string) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if body == "" {
		req.Body = http.NoBody
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatalf("%s %s: %v", method, url, err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("%s %s: %v", method, url, err)
	}
	a := answer{status: resp.StatusCode, header: resp.Header, body: string(raw)}
	if resp.Header.Get("Content-Type") == "application/problem+json" && len(raw) > 0 {
		if err := json.Unmarshal(raw, &a.problem); err != nil {
			t.Fatalf("%s %s: malformed problem %s", method, url, raw)
		}
	}
	return a
}

// fill puts something well-formed in the place of path parameters.
func fill(path string) string {
	const id = "01a201f9-0000-7000-8000-000000000001"
	return strings.NewReplacer("{id}", id, "{resource}", id, "{key}", "K1", "{code}", "population", "{number}", "1", "{leaf}", "1", "{deputy}", id).Replace(path)
}

// Every route is in the OpenAPI document with its access and permission, and the list of public ones is this short.
func TestEveryRouteDeclaresItsPermission(t *testing.T) {
	t.Parallel()
	h := hubtest.Start(t, hubtest.Options{})
	var doc struct {
		OpenAPI string `json:"openapi"`
		Paths   map[string]map[string]struct {
			Access     string `json:"x-access"`
			Permission string `json:"x-permission"`
		} `json:"paths"`
	}
	raw := send(t, "GET", h.URL()+"/openapi.json", "", "")
	if err := json.Unmarshal([]byte(raw.body), &doc); err != nil || !strings.HasPrefix(doc.OpenAPI, "3.1") {
		t.Fatalf("openapi %q: %v", doc.OpenAPI, err)
	}
	var public []string
	described := 0
	for _, operations := range doc.Paths {
		described += len(operations)
	}
	for _, r := range h.API().Routes() {
		op, ok := doc.Paths[r.Path][strings.ToLower(r.Method)]
		if !ok || op.Access != string(r.Access) || op.Permission != string(r.Action) {
			t.Errorf("%s %s: described as %+v", r.Method, r.Path, op)
		}
		switch r.Access {
		case api.Public, api.Operators:
			public = append(public, r.Method+" "+r.Path)
		case api.Permitted, api.ByClient, api.Parties:
			if r.Action == "" {
				t.Errorf("%s %s has no permission", r.Method, r.Path)
			}
		case api.SignedIn:
		default:
			t.Errorf("%s %s has the unknown access %q", r.Method, r.Path, r.Access)
		}
	}
	want := []string{
		"POST /api/v1/setup", "POST /api/v1/sessions", "POST /api/v1/sessions/second-factor", "GET /id/catalogue", "GET /id/resource/{resource}", "GET /healthz", "GET /readyz", "GET /metrics", "GET /openapi.json", "GET /docs",
	}
	if diff := cmp.Diff(want, public); diff != "" {
		t.Errorf("public routes (-want +got):\n%s", diff)
	}
	if described != len(h.API().Routes()) {
		t.Errorf("the document describes %d operations, the table has %d", described, len(h.API().Routes()))
	}
}

// Each route that needs a login refuses the anonymous with 401, and with 403 a person or client whose roles can never have
// its permission.
func TestEveryRouteRefusesAnonymousAndWrongRole(t *testing.T) {
	t.Parallel()
	h := hubtest.Start(t, hubtest.Options{})
	staff := h.SetUp(t)
	bureau := h.Bureau(t, staff, 1, "示例市公安局", "police")
	system, err := bureau.Admin.CreateConsumingSystem(t.Context(), bureau.ID, "示例业务系统", nil)
	if err != nil {
		t.Fatal(err)
	}
	key, err := bureau.Admin.IssueKey(t.Context(), system.ID, system.CreatedAt.AddDate(0, 1, 0))
	if err != nil {
		t.Fatal(err)
	}
	people := []struct {
		role  string
		token string
	}{
		{"system_admin", staff.SystemAdmin.Token},
		{"security_admin", staff.SecurityAdmin.Token},
		{"auditor", staff.Auditor.Token},
		{"platform_operator", staff.Operator.Token},
		{"dept_admin", bureau.Admin.Token},
		{"dept_operator", bureau.Operator.Token},
	}
	rules, err := staff.SecurityAdmin.Rules(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	has := map[string]bool{}
	for _, r := range rules {
		has[r.Role+" "+r.Action] = true
	}
	for _, r := range h.API().Routes() {
		if r.Access == api.Public || r.Access == api.Operators {
			continue
		}
		url := h.URL() + fill(r.Path)
		if a := send(t, r.Method, url, "", ""); a.status != 401 || a.problem.Code != "unauthenticated" {
			t.Errorf("%s %s for the anonymous: got %d %s", r.Method, r.Path, a.status, a.problem.Code)
		}
		if r.Access != api.ByClient && r.Access != api.Parties {
			if a := send(t, r.Method, url, key.Token(), ""); a.status != 403 || a.problem.Code != "forbidden" {
				t.Errorf("%s %s for a client: got %d %s", r.Method, r.Path, a.status, a.problem.Code)
			}
		}
		for _, person := range people {
			wrong := r.Access == api.ByClient || (r.Access == api.Permitted && !has[person.role+" "+string(r.Action)])
			if !wrong {
				continue
			}
			if a := send(t, r.Method, url, person.token, ""); a.status != 403 || a.problem.Code != "forbidden" {
				t.Errorf("%s %s for %s: got %d %s", r.Method, r.Path, person.role, a.status, a.problem.Code)
			}
		}
	}
}

// Hostile input is answered with 4xx and a code, never with a 500, and never repeats what was sent.
func TestHostileInput(t *testing.T) {
	t.Parallel()
	h := hubtest.Start(t, hubtest.Options{})
	staff := h.SetUp(t)
	bureau := h.Bureau(t, staff, 1, "示例市公安局", "police")
	const marker = "Zq7marker"
	long := strings.Repeat("x", 2<<20)
	api, op := h.APIURL(), bureau.Operator.Token
	cases := []struct {
		name, method, url, token, body string
		headers                        []string
		status                         int
		code                           string
		field                          string // The first field that the answer names; "" means that it may be any.
	}{
		{name: "no JSON", method: "POST", url: api + "/resources", token: op, body: marker, status: 400, code: "invalid"},
		{name: "half a JSON", method: "POST", url: api + "/resources", token: op, body: `{"name":"` + marker, status: 400, code: "invalid"},
		{name: "a list instead of an object", method: "POST", url: api + "/resources", token: op, body: `["` + marker + `"]`, status: 400, code: "invalid"},
		{name: "a number instead of text", method: "POST", url: api + "/resources", token: op, body: `{"name":7712345}`, status: 400, code: "invalid"},
		{name: "an unknown field", method: "POST", url: api + "/resources", token: op, body: `{"` + marker + `":1}`, status: 400, code: "invalid"},
		{name: "an unknown field deep inside", method: "POST", url: api + "/resources", token: op, body: `{"items":[{"` + marker + `":1}]}`, status: 400, code: "invalid"},
		{name: "a malformed id in the body", method: "POST", url: api + "/requests", token: op, body: `{"client_id":"` + marker + `"}`, status: 400, code: "invalid", field: "client_id"},
		{name: "a malformed time", method: "POST", url: api + "/requests", token: op, body: `{"valid_until":"` + marker + `"}`, status: 400, code: "invalid"},
		{name: "a number beyond 64 bits", method: "POST", url: api + "/requests", token: op, body: `{"quota":99999999999999999999999}`, status: 400, code: "invalid"},
		{name: "bytes that are not UTF-8", method: "POST", url: api + "/resources", token: op, body: "{\"name\":\"\xff" + marker + "\"}", status: 400, code: "not_utf8"},
		{name: "the character NUL", method: "POST", url: api + "/resources", token: op, body: `{"name":"` + marker + `\u0000"}`, status: 400, code: "nul_character"},
		{name: "a body beyond the limit", method: "POST", url: api + "/resources", token: op, body: `{"name":"` + long + `"}`, status: 413, code: "too_large"},
		{name: "a large sign-in", method: "POST", url: api + "/sessions", body: `{"username":"` + long[:100<<10] + `"}`, status: 413, code: "too_large"},
		{name: "a foreign media type", method: "POST", url: api + "/resources", token: op, body: marker, headers: []string{"Content-Type", "text/" + strings.ToLower(marker)}, status: 415, code: "unsupported_media_type"},
		{name: "a packed body", method: "POST", url: api + "/resources", token: op, body: `{}`, headers: []string{"Content-Encoding", "gzip"}, status: 415, code: "unsupported_content_encoding"},
		{name: "deep nesting", method: "POST", url: api + "/requests", token: op, body: `{"row_filter":` + strings.Repeat("[", 20000) + strings.Repeat("]", 20000) + `}`, status: 400, code: "invalid"},
		{name: "a malformed id in the path", method: "GET", url: api + "/resources/" + marker, token: op, status: 400, code: "invalid", field: "id"},
		{name: "an unknown query parameter", method: "GET", url: api + "/resources?" + marker + "=1", token: op, status: 400, code: "invalid", field: "query"},
		{name: "a forged cursor", method: "GET", url: api + "/resources?cursor=" + marker, token: op, status: 400, code: "cursor_invalid"},
		{name: "a limit that is no number", method: "GET", url: api + "/resources?limit=" + marker, token: op, status: 400, code: "invalid"},
		{name: "a query that is not UTF-8", method: "GET", url: api + "/resources?q=%ff" + marker, token: op, status: 400, code: "not_utf8"},
		{name: "a query with NUL", method: "GET", url: api + "/resources?q=%00" + marker, token: op, status: 400, code: "not_utf8"},
		{name: "a malformed escape in the query", method: "GET", url: api + "/resources?q=%zz" + marker, token: op, status: 400, code: "query_malformed"},
		{name: "a malformed If-Match", method: "POST", url: api + "/resources/01a201f9-0000-7000-8000-000000000001/submit", token: op, headers: []string{"If-Match", marker}, status: 400, code: "invalid"},
		{name: "a forged token", method: "GET", url: api + "/resources", token: "sqs_" + marker, status: 401, code: "unauthenticated"},
		{name: "a forged key", method: "GET", url: api + "/data/x/rows", token: "sqk_" + marker + ".secret", status: 401, code: "unauthenticated"},
		{name: "a wrong password", method: "POST", url: api + "/sessions", body: `{"username":"system_admin","password":"` + marker + `"}`, status: 401, code: "unauthenticated"},
		{name: "a wrong method", method: "PATCH", url: api + "/resources", token: op, status: 405, code: "method_not_allowed"},
		{name: "no such route", method: "GET", url: api + "/" + marker, token: op, status: 404, code: "no_such_route"},
	}
	for _, c := range cases {
		a := send(t, c.method, c.url, c.token, c.body, c.headers...)
		if a.status != c.status || a.problem.Code != c.code {
			t.Errorf("%s: got %d %s, want %d %s (%s)", c.name, a.status, a.problem.Code, c.status, c.code, a.body)
		}
		if c.field != "" && (len(a.problem.Errors) == 0 || a.problem.Errors[0].Name != c.field) {
			t.Errorf("%s: the answer does not name %s: %s", c.name, c.field, a.body)
		}
		if strings.Contains(strings.ToLower(a.body), strings.ToLower(marker)) || strings.Contains(a.body, "7712345") {
			t.Errorf("%s: the answer repeats what was sent: %s", c.name, a.body)
		}
		if a.problem.RequestID == "" || a.header.Get("X-Request-Id") != a.problem.RequestID {
			t.Errorf("%s: request id %q in the body, %q in the header", c.name, a.problem.RequestID, a.header.Get("X-Request-Id"))
		}
	}
	if strings.Contains(h.Logs(), marker) {
		t.Error("the log holds what was sent")
	}
}

// A write that is repeated under one key happens once and is answered alike; another body under the key is refused, and a
// refusal frees the key.
func TestRepeatedWriteHappensOnce(t *testing.T) {
	t.Parallel()
	h := hubtest.Start(t, hubtest.Options{})
	staff := h.SetUp(t)
	bureau := h.Bureau(t, staff, 1, "示例市公安局", "police")
	url, token := h.APIURL()+"/systems", bureau.Operator.Token
	const body = `{"name":"示例信息系统","state":"live"}`
	first := send(t, "POST", url, token, body, "Idempotency-Key", "k1")
	again := send(t, "POST", url, token, body, "Idempotency-Key", "k1")
	if first.status != 201 || again.status != 201 || !bytes.Equal([]byte(first.body), []byte(again.body)) {
		t.Errorf("repeated: got %d %s, first %d %s", again.status, again.body, first.status, first.body)
	}
	if again.header.Get("Idempotency-Replayed") != "true" {
		t.Error("the repetition does not say that it is one")
	}
	if a := send(t, "POST", url, token, `{"name":"示例信息系统二","state":"live"}`, "Idempotency-Key", "k1"); a.status != 409 || a.problem.Code != "idempotency_mismatch" {
		t.Errorf("another body: got %d %s", a.status, a.problem.Code)
	}
	if a := send(t, "POST", url, token, body, "Idempotency-Key", "k2"); a.status < 400 || a.status >= 500 {
		t.Errorf("the same name under another key: got %d", a.status)
	}
	if a := send(t, "POST", url, token, `{"name":"示例信息系统二","state":"live"}`, "Idempotency-Key", "k3"); a.status != 201 {
		t.Errorf("a new write: got %d %s", a.status, a.body)
	}
	if a := send(t, "POST", url, token, `{"name":"","state":"live"}`, "Idempotency-Key", "k4"); a.status != 400 {
		t.Errorf("a wrong write: got %d %s", a.status, a.body)
	}
	if a := send(t, "POST", url, token, `{"name":"","state":"live"}`, "Idempotency-Key", "k4"); a.status != 400 {
		t.Errorf("the wrong write again: got %d %s", a.status, a.body)
	}
}

// If-Match with a version that is no longer in force answers 412, and the change is not made.
func TestStaleVersionIsRefused(t *testing.T) {
	t.Parallel()
	h := hubtest.Start(t, hubtest.Options{})
	staff := h.SetUp(t)
	bureau := h.Bureau(t, staff, 1, "示例市公安局", "police")
	r, err := bureau.Operator.CreateResource(t.Context(), "", hubtest.Metadata("示例事项"))
	if err != nil {
		t.Fatal(err)
	}
	m := hubtest.Metadata("示例事项二")
	if _, err := bureau.Operator.EditDraft(t.Context(), r.ID, m, client.IfMatch(r.RowVersion)); err != nil {
		t.Fatalf("editing under the version in force: %v", err)
	}
	_, err = bureau.Operator.EditDraft(t.Context(), r.ID, hubtest.Metadata("示例事项三"), client.IfMatch(r.RowVersion))
	wantCode(t, "editing under an old version", err, 412, "version_mismatch")
	if now, err := bureau.Operator.Resource(t.Context(), r.ID); err != nil || now.Version.Name != "示例事项二" {
		t.Errorf("name: got %q, %v", now.Version.Name, err)
	}
}

// A hub that serves is alive and ready, shows its figures and its documentation, and sends the headers that keep browsers
// from doing harm.
func TestOperationsRoutes(t *testing.T) {
	t.Parallel()
	h := hubtest.Start(t, hubtest.Options{})
	h.SetUp(t)
	// On a full machine a node is late to confirm its policy now and then, says so, and is ready again.
	for late := time.Now().Add(20 * time.Second); send(t, "GET", h.URL()+"/readyz", "", "").status != 200 && time.Now().Before(late); {
		time.Sleep(50 * time.Millisecond)
	}
	for path, want := range map[string]string{
		"/healthz": `"alive":true`, "/readyz": `"ready":true`, "/docs": "/api/v1/requests/{id}/approve",
		"/metrics": "shuqiao_policy_lease_age_seconds",
	} {
		a := send(t, "GET", h.URL()+path, "", "")
		if a.status != 200 || !strings.Contains(a.body, want) {
			t.Errorf("%s: got %d %.200s", path, a.status, a.body)
		}
		if a.header.Get("X-Content-Type-Options") != "nosniff" || a.header.Get("X-Frame-Options") != "DENY" {
			t.Errorf("%s: headers %v", path, a.header)
		}
	}
	if policy := send(t, "GET", h.URL()+"/docs", "", "").header.Get("Content-Security-Policy"); !strings.Contains(policy, "default-src 'none'") {
		t.Errorf("policy of /docs: %q", policy)
	}
}
