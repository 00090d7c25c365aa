package api_test

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/shuqiao/shuqiao/api"
	"github.com/shuqiao/shuqiao/api/client"
	"github.com/shuqiao/shuqiao/internal/hubtest"
)

// mark stands in every hostile text, so that an answer or a log that repeats one is found.
const mark = "Zq7marker"

// described is an operation as the OpenAPI document describes it.
type described struct {
	api.Route
	parameters []any
	body       map[string]any // Its schema, or nil.
}

// contract is the OpenAPI document of a hub.
type contract struct{ schemas map[string]any }

func describedBy(t *testing.T, h *hubtest.Hub) (contract, []described) {
	t.Helper()
	var doc map[string]any
	if err := json.Unmarshal([]byte(send(t, "GET", h.URL()+"/openapi.json", "", "").body), &doc); err != nil {
		t.Fatal(err)
	}
	c := contract{schemas: at(doc, "components", "schemas")}
	var out []described
	for _, r := range h.API().Routes() {
		op := at(doc, "paths", r.Path, strings.ToLower(r.Method))
		if op == nil {
			t.Fatalf("%s %s is not described", r.Method, r.Path)
		}
		parameters, _ := op["parameters"].([]any)
		out = append(out, described{Route: r, parameters: parameters, body: c.schema(at(op, "requestBody", "content", "application/json", "schema"))})
	}
	return c, out
}

func at(v map[string]any, path ...string) map[string]any {
	for _, step := range path {
		v, _ = v[step].(map[string]any)
	}
	return v
}

// schema follows a reference.
func (c contract) schema(s map[string]any) map[string]any {
	if ref, ok := s["$ref"].(string); ok {
		return at(c.schemas, ref[strings.LastIndex(ref, "/")+1:])
	}
	return s
}

// taste makes values for a schema.
type taste struct {
	text   string
	number any
	moment string
	last   bool // Takes the last of several allowed values rather than the first.
	wrong  bool // Makes values of another type than the schema asks for.
	null   bool
}

// tastes are ways of being hostile inside the form of the contract, and just outside of it.
func tastes() []taste {
	return []taste{
		{text: mark + `'; DROP TABLE users; --`, number: json.Number("9223372036854775807"), moment: "9999-12-31T23:59:59.999999999Z"},
		{text: mark + "\u202e\u2028%n%s\r\nSet-Cookie: a=b\\", number: json.Number("-9223372036854775808"), moment: "0000-01-01T00:00:00Z", last: true},
		{text: mark + strings.Repeat("汉", 5000), number: json.Number("1e308"), moment: "2026-02-30T25:61:61+99:99"},
		{text: "${jndi:ldap://" + mark + "/}", number: json.Number("1e400"), moment: mark, wrong: true},
		{text: mark, number: 0.5, null: true},
	}
}

func (c contract) value(s map[string]any, w taste, depth int) any {
	s = c.schema(s)
	if w.null && depth > 0 {
		return nil
	}
	kind, _ := s["type"].(string)
	if kinds, ok := s["type"].([]any); ok && len(kinds) > 0 {
		kind, _ = kinds[0].(string)
	}
	if enum, ok := s["enum"].([]any); ok && len(enum) > 0 && !w.wrong {
		if w.last {
			return enum[len(enum)-1]
		}
		return enum[0]
	}
	if w.wrong && depth > 0 {
		switch kind {
		case "string":
			return map[string]any{w.text: []any{w.text}}
		case "object", "":
			return w.text
		case "array":
			return []any{nil, w.text, 1, []any{[]any{}}}
		}
		return w.text
	}
	switch kind {
	case "string":
		return c.text(s, w)
	case "integer", "number":
		return w.number
	case "boolean":
		return w.last
	case "array":
		if depth > 6 {
			return []any{}
		}
		items, _ := s["items"].(map[string]any)
		return []any{c.value(items, w, depth+1), c.value(items, w, depth+1)}
	case "object":
		properties := at(s, "properties")
		if properties == nil || depth > 6 {
			return map[string]any{w.text: w.text, "op": "and", "args": []any{w.text, w.number}}
		}
		out := map[string]any{}
		for name, property := range properties {
			schema, _ := property.(map[string]any)
			out[name] = c.value(schema, w, depth+1)
		}
		return out
	}
	return map[string]any{"op": w.text, "item": w.text, "value": []any{w.number, nil}}
}

// text keeps the bounds that the contract states, so that it reaches what is behind them.
func (c contract) text(s map[string]any, w taste) string {
	switch s["format"] {
	case "uuid":
		return unknownID
	case "date-time":
		return w.moment
	}
	text := []rune(w.text)
	if most, ok := s["maxLength"].(float64); ok && len(text) > int(most) {
		text = text[:int(most)]
	}
	return string(text)
}

const unknownID = "01a201f9-0000-7000-8000-000000000001"

// bodies returns the hostile bodies of an operation: whole ones of every taste, and for each field one in which it alone is
// of the wrong kind.
func (c contract) bodies(op described) []string {
	if op.body == nil {
		return []string{"", mark, `{"` + mark + `":1}`}
	}
	encode := func(v any) string {
		raw, err := json.Marshal(v)
		if err != nil {
			return fmt.Sprint(v)
		}
		return string(raw)
	}
	var out []string
	for _, w := range tastes() {
		out = append(out, encode(c.value(op.body, w, 0)))
	}
	out = append(out, "null", `"`+mark+`"`, "[", strings.Repeat(`{"a":`, 9000), `{"`+mark+`":{"`+mark+`":1}}`, "\xff"+mark,
		`{"filter":`+strings.Repeat(`{"op":"not","arg":`, 3000)+`1`+strings.Repeat("}", 3000)+`}`)
	for name, property := range at(op.body, "properties") {
		schema, _ := property.(map[string]any)
		wrong := c.value(schema, taste{text: mark, wrong: true}, 1)
		out = append(out, encode(map[string]any{name: wrong}), encode(map[string]any{name: mark}))
		if inner := at(c.schema(schema), "properties"); inner != nil {
			for below := range inner {
				out = append(out, encode(map[string]any{name: map[string]any{below: mark}}))
			}
		}
	}
	return out
}

// queries returns hostile query strings of an operation.
func (c contract) queries(op described) []string {
	out := []string{mark + "=1", "%zz" + mark, "a=%ff" + mark}
	all := url.Values{}
	for _, p := range op.parameters {
		parameter, _ := p.(map[string]any)
		name, _ := parameter["name"].(string)
		if parameter["in"] != "query" {
			continue
		}
		for _, value := range []string{mark, "", "-1", "99999999999999999999", strings.Repeat(mark, 600), `{"op":"eq","item":"` + mark + `","value":"` + mark + `"}`, unknownID} {
			out = append(out, url.Values{name: {value}}.Encode())
		}
		all[name] = []string{mark, mark}
	}
	if len(all) > 0 {
		out = append(out, all.Encode())
	}
	return out
}

// ask is send for goroutines that are not the test's own.
func ask(t *testing.T, method, address, token, body string, headers ...string) (answer, error) {
	req, err := http.NewRequestWithContext(t.Context(), method, address, strings.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	a := answer{status: resp.StatusCode, header: resp.Header, body: string(raw)}
	if err == nil && resp.Header.Get("Content-Type") == "application/problem+json" {
		err = json.Unmarshal(raw, &a.problem)
	}
	return a, err
}

// crowd is one token for each role, renewed when a hostile call has ended the session.
type crowd struct {
	hub    *hubtest.Hub
	mu     sync.Mutex
	tokens map[string]string
	names  map[string]string // User names by role.
}

func (c *crowd) token(role string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.tokens[role]
}

func (c *crowd) renew(t *testing.T, role, old string) string {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.tokens[role] == old && c.names[role] != "" {
		// Wrong passwords among the hostile input have locked the account.
		if _, err := c.hub.DB.Pool.Exec(t.Context(), "UPDATE hub_user SET failed = 0, locked_until = NULL WHERE username = $1", c.names[role]); err != nil {
			t.Errorf("unlocking %s: %v", role, err)
		}
		again, err := c.hub.Anonymous.SignIn(t.Context(), c.names[role], hubtest.Password)
		if err != nil {
			t.Errorf("signing %s in again: %v", role, err)
			return old
		}
		c.tokens[role] = again.Token
	}
	return c.tokens[role]
}

// Whatever stands in the path, the query, the headers and the body of any operation of the contract, sent by each role: the
// answer is no 500, a refusal repeats nothing that was sent, and the log holds nothing of it.
func TestHostileInputToEveryOperation(t *testing.T) {
	t.Parallel()
	h := hubtest.Start(t, hubtest.Options{})
	s := h.Sample(t, 30)
	grant := s.Grant(t, s.Terms())
	idle, err := s.Staff.SystemAdmin.CreateUser(t.Context(), client.NewUser{
		Username: "idle_person", DisplayName: "idle_person", Password: hubtest.FirstPassword, DepartmentID: s.Consumer.ID,
	})
	if err != nil {
		t.Fatal(err)
	}
	people := &crowd{
		hub: h, names: map[string]string{
			"system_admin": "system_admin", "security_admin": "security_admin", "auditor": "auditor", "platform_operator": "platform_operator",
			"dept_admin": "police_admin", "dept_operator": "police_operator",
		},
		tokens: map[string]string{
			"system_admin": s.Staff.SystemAdmin.Token, "security_admin": s.Staff.SecurityAdmin.Token, "auditor": s.Staff.Auditor.Token,
			"platform_operator": s.Staff.Operator.Token, "dept_admin": s.Provider.Admin.Token, "dept_operator": s.Provider.Operator.Token,
			"client": s.Key.Token(), "anonymous": "",
		},
	}
	rules, err := s.Staff.SecurityAdmin.Rules(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	has := map[string]bool{}
	for _, r := range rules {
		has[r.Role+" "+r.Action] = true
	}
	known := map[string]string{
		"resources": s.Resource.ID, "data": s.Resource.ID, "tasks": s.Task.ID, "sources": s.SourceID, "clients": s.System.ID, "users": idle.ID,
		"departments": s.Provider.ID, "grants": grant.ID, "requests": grant.RequestID,
	}
	doc, operations := describedBy(t, h)
	// What ends things comes last, so that the others meet something that is alive.
	slices.SortStableFunc(operations, func(a, b described) int { return harm(a) - harm(b) })

	roles := slices.Sorted(maps.Keys(people.tokens))
	calls := make(chan func())
	var walkers sync.WaitGroup
	for range 4 {
		walkers.Go(func() {
			for call := range calls {
				call()
			}
		})
	}
	try := func(op described, role, path, query, body string, headers ...string) {
		calls <- func() {
			address := h.URL() + path
			if query != "" {
				address += "?" + query
			}
			headers := append([]string{"X-Purpose", "benefit-check"}, headers...)
			token := people.token(role)
			shown := fmt.Sprintf("%s %s?%.80s for %s with %.120q %.60q", op.Method, op.Path, query, role, body, headers[2:])
			a, err := ask(t, op.Method, address, token, body, headers...)
			if err == nil && a.status == http.StatusUnauthorized && token != "" {
				if renewed := people.renew(t, role, token); renewed != token {
					a, err = ask(t, op.Method, address, renewed, body, headers...)
				}
			}
			if err != nil {
				t.Errorf("%s: %v", shown, err)
				return
			}
			if a.status >= http.StatusInternalServerError && a.status != http.StatusServiceUnavailable {
				t.Errorf("%s: %d %s", shown, a.status, a.body)
			}
			if a.status >= http.StatusBadRequest {
				if strings.Contains(strings.ToLower(a.body), strings.ToLower(mark)) {
					t.Errorf("%s: the answer repeats what was sent: %s", shown, a.body)
				}
				if a.problem.Code == "" && op.Access != api.Operators {
					t.Errorf("%s: %d without a code", shown, a.status)
				}
			}
		}
	}
	for _, op := range operations {
		room, _, _ := strings.Cut(strings.TrimPrefix(op.Path, "/api/v1/"), "/")
		paths := []string{fill(op.Path)}
		if id := known[room]; id != "" && strings.Contains(op.Path, "{") {
			paths = append(paths, strings.NewReplacer("{id}", id, "{resource}", id, "{key}", "T000001", "{number}", "1", "{deputy}", unknownID).Replace(op.Path))
		}
		bodies, queries := doc.bodies(op), doc.queries(op)
		alone := true // The whole program is for one of the roles that may; the others send what is well-formed.
		for _, role := range roles {
			client := role == "client"
			may := op.Access == api.Public || op.Access == api.SignedIn && !client && role != "anonymous" || op.Access == api.ByClient && client ||
				op.Access == api.Parties && (client || has[role+" "+string(op.Action)]) || has[role+" "+string(op.Action)]
			if !may || op.Access == api.Public && role != "anonymous" {
				try(op, role, paths[len(paths)-1], "", bodies[0])
				continue
			}
			path := paths[len(paths)-1]
			if !alone {
				for _, body := range bodies[:min(3, len(bodies))] {
					try(op, role, path, "", body)
				}
				continue
			}
			alone = false
			for _, body := range bodies {
				try(op, role, path, "", body)
			}
			for _, query := range queries {
				try(op, role, path, query, "")
			}
			for _, body := range bodies[:min(2, len(bodies))] {
				try(op, role, paths[0], "", body, "Idempotency-Key", mark+"\t'")
			}
			if strings.Contains(op.Path, "{") {
				for _, hostile := range []string{mark, "%00" + mark, "%2e%2e%2f" + mark, "-1", "99999999999999999999", strings.Repeat(mark, 500)} {
					try(op, role, op.Path[:strings.Index(op.Path, "{")]+hostile+op.Path[strings.LastIndex(op.Path, "}")+1:], "", bodies[0])
				}
			}
			for _, header := range [][2]string{
				{"If-Match", mark},
				{"If-Match", `"9223372036854775808"`},
				{"Idempotency-Key", strings.Repeat(mark, 100)},
				{"Accept", mark + "/*;q=1e9"},
				{"Content-Type", "text/" + strings.ToLower(mark)},
				{"Content-Encoding", "gzip"},
				{"X-Purpose", mark},
				{"X-Case-Number", mark},
				{"X-Grant", mark},
				{"X-Grant", unknownID},
				{"Range", "bytes=" + mark + "-,,-99999999999999999999"},
				{"If-Range", mark},
				{"X-Request-Id", mark + ` "`},
				{"X-Forwarded-For", mark},
				{"Forwarded", `for="` + mark},
				{"X-HTTP-Method-Override", "DELETE"},
			} {
				ofData := strings.HasPrefix(header[0], "X-Purpose") || header[0] == "X-Case-Number" || header[0] == "X-Grant" || strings.Contains(header[0], "Range")
				if ofData && op.Access != api.ByClient && op.Access != api.Parties {
					continue
				}
				try(op, role, path, "", bodies[0], header[0], header[1])
			}
		}
	}
	close(calls)
	walkers.Wait()
	for _, line := range strings.Split(h.Logs(), "\n") {
		if strings.Contains(line, mark) {
			t.Fatalf("the log holds what was sent: %.600s", line)
		}
	}
}

// harm orders operations by what they leave of the world that the others need.
func harm(op described) int {
	switch {
	case strings.Contains(op.Path, "/policy/"):
		return 5
	case op.Method == http.MethodDelete:
		return 4
	case strings.HasPrefix(op.Path, "/api/v1/data/"):
		return 0
	case op.Method == http.MethodGet:
		return 1
	case strings.HasPrefix(op.Path, "/api/v1/grants"):
		return 3
	}
	return 2
}
