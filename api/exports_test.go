package api_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/csv"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/shuqiao/shuqiao/api/client"
	"github.com/shuqiao/shuqiao/exchange/pull"
	"github.com/shuqiao/shuqiao/internal/hubtest"
)

// pulled is a sample with a grant on it, and how its client calls.
type pulled struct {
	hubtest.Sample
	grant client.Grant
	data  string // The resource's address.
	api   string
	token string
}

func newPulled(t *testing.T, rows int, change func(*client.Terms)) pulled {
	t.Helper()
	h := hubtest.Start(t, hubtest.Options{})
	s := h.Sample(t, rows)
	terms := s.Terms()
	if change != nil {
		change(&terms)
	}
	p := pulled{Sample: s, grant: s.Grant(t, terms), api: h.APIURL(), token: s.Key.Token()}
	p.data = p.api + "/data/" + s.Resource.ID
	waitUntil(t, func() bool {
		_, err := s.Client.Schema(t.Context(), client.Pull{Resource: s.Resource.ID, Purpose: "benefit-check"})
		return err == nil
	})
	return p
}

// Pages, changes, queries and streams come as CSV to who accepts it: the same rows, cursors in headers, and in trailers of
// streams, whose digest is that of the bytes.
func TestCSV(t *testing.T) {
	t.Parallel()
	p := newPulled(t, 300, nil)
	get := func(path string) answer {
		return send(t, "GET", p.data+path, p.token, "", "Accept", "text/csv", "X-Purpose", "benefit-check")
	}
	records := func(a answer) [][]string {
		t.Helper()
		if a.status != 200 || a.header.Get("Content-Type") != "text/csv; charset=utf-8; header=present" {
			t.Fatalf("got %d %s %s", a.status, a.header.Get("Content-Type"), a.body)
		}
		out, err := csv.NewReader(strings.NewReader(a.body)).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	first := get("/rows?limit=2")
	rest := get("/rows?limit=5000&cursor=" + first.header.Get("X-Next-Cursor"))
	all := append(records(first), records(rest)[1:]...)
	if diff := cmp.Diff([]string{"no", "division", "title", "born"}, all[0]); diff != "" || first.header.Get("X-As-Of") == "" {
		t.Errorf("header line (-want +got):\n%s\nas of %q", diff, first.header.Get("X-As-Of"))
	}
	changes := get("/changes?cursor=" + rest.header.Get("X-Changes-Cursor"))
	if got := records(changes); !slices.Equal(got[0][:3], []string{"_op", "_seq", "_key"}) || changes.header.Get("X-More") != "false" || changes.header.Get("X-Next-Cursor") == "" {
		t.Errorf("changes: %v %v", got, changes.header)
	}
	query := send(t, "POST", p.data+"/query", p.token, `{"keys":["`+all[2][0]+`","none"]}`, "Accept", "text/csv", "X-Purpose", "benefit-check")
	if diff := cmp.Diff([][]string{all[0], all[2]}, records(query)); diff != "" {
		t.Errorf("query (-want +got):\n%s", diff)
	}

	req, err := http.NewRequestWithContext(t.Context(), "GET", p.data+"/rows?stream=true", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{"Authorization": "Bearer " + p.token, "Accept": "text/csv", "X-Purpose": "benefit-check"} {
		req.Header.Set(name, value)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(all, records(answer{status: resp.StatusCode, header: resp.Header, body: string(raw)})); diff != "" {
		t.Errorf("stream (-pages +stream):\n%s", diff)
	}
	sum := sha256.Sum256(raw)
	if want := "sha-256=:" + base64.StdEncoding.EncodeToString(sum[:]) + ":"; resp.Trailer.Get("X-Content-Digest") != want {
		t.Errorf("digest %q, want %q", resp.Trailer.Get("X-Content-Digest"), want)
	}
	if a := get("/changes?cursor=" + resp.Trailer.Get("X-Changes-Cursor")); a.status != 200 {
		t.Errorf("the stream's changes cursor: %d %s", a.status, a.body)
	}
	for name, a := range map[string]answer{
		"a stream of JSON":    send(t, "GET", p.data+"/rows?stream=true", p.token, "", "X-Purpose", "benefit-check"),
		"a stream or not":     get("/rows?stream=perhaps"),
		"a query for nothing": send(t, "POST", p.data+"/query", p.token, `{}`, "X-Purpose", "benefit-check"),
		"a query of no form":  send(t, "POST", p.data+"/query", p.token, `{"key":"x"}`, "X-Purpose", "benefit-check"),
	} {
		if a.status != 400 || a.problem.Code != "invalid" {
			t.Errorf("%s: got %d %s", name, a.status, a.body)
		}
	}
}

// A file is ordered, waited for, fetched whole and in parts, and deleted; another client is told that there is none.
func TestExport(t *testing.T) {
	t.Parallel()
	p := newPulled(t, 2000, nil)
	page := send(t, "GET", p.data+"/rows?limit=5000", p.token, "", "Accept", "text/csv", "X-Purpose", "benefit-check")
	ordered := send(t, "POST", p.data+"/exports", p.token, `{"format":"csv"}`, "X-Purpose", "benefit-check")
	var e pull.Export
	if err := json.Unmarshal([]byte(ordered.body), &e); err != nil || ordered.status != 202 || e.State != pull.ExportQueued {
		t.Fatalf("ordering: %d %s", ordered.status, ordered.body)
	}
	url := p.api + "/exports/" + e.ID.String()
	waitUntil(t, func() bool {
		a := send(t, "GET", url, p.token, "")
		if err := json.Unmarshal([]byte(a.body), &e); err != nil || a.status != 200 {
			t.Fatalf("asking: %d %s", a.status, a.body)
		}
		return e.State == pull.ExportReady
	})
	whole := send(t, "GET", url+"/file", p.token, "")
	if whole.status != 200 || whole.body != page.body || whole.header.Get("X-Content-Digest") != e.Digest || whole.header.Get("X-Evidence-Id") == "" {
		t.Errorf("the file: %d, %d bytes, want the %d of the page; %v", whole.status, len(whole.body), len(page.body), whole.header)
	}
	if want := page.header.Get("X-Content-Digest"); e.Digest != want {
		t.Errorf("digest %s, want %s", e.Digest, want)
	}
	size := len(page.body)
	for _, c := range []struct {
		name, spec string
		status     int
		want       string
	}{
		{"the start", "bytes=0-99", 206, page.body[:100]},
		{"from the middle on", "bytes=500-", 206, page.body[500:]},
		{"the end", "bytes=-10", 206, page.body[size-10:]},
		{"more than there is", "bytes=10-99999999", 206, page.body[10:]},
		{"beyond the end", "bytes=99999999-", 416, ""},
		{"several parts", "bytes=0-1,5-6", 200, page.body},
		{"another unit", "rows=0-1", 200, page.body},
		{"nonsense", "bytes=b-a", 200, page.body},
	} {
		a := send(t, "GET", url+"/file", p.token, "", "Range", c.spec)
		if a.status != c.status || c.status != 416 && a.body != c.want {
			t.Errorf("%s: got %d, %d bytes", c.name, a.status, len(a.body))
		}
	}
	for _, state := range []string{"", "ready"} {
		a := send(t, "GET", p.api+"/exports?state="+state, p.token, "", "X-Grant", p.grant.ID)
		var l struct{ Data []pull.Export }
		if err := json.Unmarshal([]byte(a.body), &l); err != nil || a.status != 200 || len(l.Data) != 1 || l.Data[0].ID != e.ID {
			t.Errorf("listing %q: %d %s", state, a.status, a.body)
		}
	}
	if a := send(t, "GET", p.api+"/exports", p.Provider.Admin.Token, ""); a.status != 403 {
		t.Errorf("listing for a person: %d %s", a.status, a.body)
	}
	part := send(t, "GET", url+"/file", p.token, "", "Range", "bytes=0-99", "If-Range", whole.header.Get("ETag"))
	other := send(t, "GET", url+"/file", p.token, "", "Range", "bytes=0-99", "If-Range", `"another"`)
	if part.status != 206 || part.header.Get("Content-Range") == "" || other.status != 200 {
		t.Errorf("If-Range: got %d %v and %d", part.status, part.header, other.status)
	}

	system, err := p.Consumer.Admin.CreateConsumingSystem(t.Context(), p.Consumer.ID, "示例另一系统", nil)
	if err != nil {
		t.Fatal(err)
	}
	key, err := p.Consumer.Admin.IssueKey(t.Context(), system.ID, system.CreatedAt.AddDate(0, 1, 0))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range [][2]string{{"GET", url}, {"GET", url + "/file"}, {"DELETE", url}, {"GET", p.api + "/openapi/" + p.grant.ID + ".json"}} {
		if a := send(t, c[0], c[1], key.Token(), ""); a.status != 404 {
			t.Errorf("%s %s for another client: got %d", c[0], c[1], a.status)
		}
	}
	if a := send(t, "DELETE", url, p.token, ""); a.status != 204 {
		t.Errorf("deleting: %d %s", a.status, a.body)
	}
	if a := send(t, "GET", url+"/file", p.token, ""); a.status != 410 || a.problem.Code != "export_gone" {
		t.Errorf("after deleting: %d %s", a.status, a.problem.Code)
	}
}

// One Idempotency-Key orders one file however often it is sent; with another body, or for another purpose, it is refused.
func TestExportOnce(t *testing.T) {
	t.Parallel()
	p := newPulled(t, 20, nil)
	order := func(body, purpose string) answer {
		return send(t, "POST", p.data+"/exports", p.token, body, "X-Purpose", purpose, "Idempotency-Key", "night-1")
	}
	first, again := order(`{"format":"csv"}`, "benefit-check"), order(`{"format":"csv"}`, "benefit-check")
	if first.status != 202 || again.status != 202 || first.body != again.body || again.header.Get("Idempotency-Replayed") != "true" {
		t.Errorf("got %d %s, then %d %s", first.status, first.body, again.status, again.body)
	}
	for name, a := range map[string]answer{
		"another body": order(`{"format":"ndjson"}`, "benefit-check"), "another purpose": order(`{"format":"csv"}`, "other"),
	} {
		if a.status != 409 || a.problem.Code != "idempotency_mismatch" {
			t.Errorf("%s: got %d %s", name, a.status, a.body)
		}
	}
	if a := send(t, "GET", p.api+"/exports", p.token, ""); strings.Count(a.body, `"id":`) != 1 {
		t.Errorf("orders: %s", a.body)
	}
}

// cutting is a transport that cuts every answer with a file after some bytes, three times.
type cutting struct{ left, after int }

func (c *cutting) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err == nil && strings.HasSuffix(r.URL.Path, "/file") && c.left > 0 {
		c.left--
		resp.Body = &cutBody{resp.Body, c.after}
	}
	return resp, err
}

type cutBody struct {
	io.ReadCloser
	left int
}

func (c *cutBody) Read(p []byte) (int, error) {
	if c.left <= 0 {
		return 0, io.ErrUnexpectedEOF
	}
	n, err := c.ReadCloser.Read(p[:min(len(p), c.left)])
	c.left -= n
	return n, err
}

// The Go client finds rows by key, orders a file, waits for it, lists it, and fetches it whole although the connection is cut again
// and again; without persistence the cut is an error, and a file that is not the one ordered is found out.
func TestClientExports(t *testing.T) {
	t.Parallel()
	p := newPulled(t, 2000, nil)
	call := client.Pull{Resource: p.Resource.ID, Purpose: "benefit-check"}
	page, err := p.Client.Rows(t.Context(), call, client.Query{Limit: 5})
	if err != nil {
		t.Fatal(err)
	}
	keys := client.Keys{Keys: []string{"none"}, Limit: 2}
	for _, row := range page.Rows {
		keys.Keys = append(keys.Keys, row["no"].(string))
	}
	var found []client.Row
	for page, err := range client.FoundPages[client.Row](t.Context(), p.Client, call, keys) {
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, page.Rows...)
	}
	if diff := cmp.Diff(page.Rows, found); diff != "" {
		t.Errorf("by key (-page +found):\n%s", diff)
	}
	e, err := p.Client.OrderExport(t.Context(), call, client.NewExport{Format: "ndjson", Compression: "gzip"}, client.Once(client.NewKey()))
	if err != nil {
		t.Fatal(err)
	}
	asked := 0
	if e, err = p.Client.WaitExport(t.Context(), call, e.ID, func(client.Export) { asked++ }); err != nil || e.State != "ready" || asked == 0 {
		t.Fatalf("waiting: %+v, %v, asked %d times", e, err, asked)
	}
	for listed, err := range p.Client.EachExport(t.Context(), "ready") {
		if err != nil || listed.ID != e.ID || listed.FileName() != e.ID+".ndjson.gz" {
			t.Errorf("listing: %+v, %v", listed, err)
		}
	}
	frail := *p.Client
	frail.HTTP = &http.Client{Transport: &cutting{left: 3, after: int(e.Size) / 5}}
	if err := frail.Download(t.Context(), call, e, io.Discard); !errors.Is(err, client.ErrTruncated) {
		t.Errorf("cut without persistence: %v", err)
	}
	frail.HTTP = &http.Client{Transport: &cutting{left: 3, after: int(e.Size) / 5}}
	var file bytes.Buffer
	if err := frail.Persistent(client.Retry{Base: time.Millisecond}).Download(t.Context(), call, e, &file); err != nil || int64(file.Len()) != e.Size {
		t.Fatalf("cut three times: %d of %d bytes, %v", file.Len(), e.Size, err)
	}
	other := e
	other.Digest = "sha-256=:" + base64.StdEncoding.EncodeToString(make([]byte, sha256.Size)) + ":"
	if err := p.Client.Download(t.Context(), call, other, io.Discard); !errors.Is(err, client.ErrDigest) {
		t.Errorf("another file: %v", err)
	}
	if err := p.Client.DeleteExport(t.Context(), call, e.ID); err != nil {
		t.Fatal(err)
	}
	var over *client.ExportOverError
	if _, err := p.Client.WaitExport(t.Context(), call, e.ID, nil); !errors.As(err, &over) || over.Export.Reason != "deleted" {
		t.Errorf("waiting for a deleted one: %v", err)
	}
}

// A grant's OpenAPI document is whole in itself, has exactly the granted items, says what is masked and which headers are
// needed, and its rows are what pages hold. People who may see the grant read it too.
func TestGrantOpenAPI(t *testing.T) {
	t.Parallel()
	p := newPulled(t, 30, func(terms *client.Terms) {
		terms.Items = []string{"no", "title", "born", "amount"}
		terms.Quota, terms.QuotaPeriod, terms.RateCalls = 100_000, "day", 50
	})
	url := p.api + "/openapi/" + p.grant.ID + ".json"
	a := send(t, "GET", url, p.token, "")
	var doc map[string]any
	if err := json.Unmarshal([]byte(a.body), &doc); err != nil || a.status != 200 {
		t.Fatalf("got %d %s", a.status, a.body)
	}
	if person := send(t, "GET", url, p.Provider.Admin.Token, ""); person.status != 200 || person.body != a.body {
		t.Errorf("for the provider: %d", person.status)
	}
	if foreign := send(t, "GET", strings.TrimSuffix(url, ".json"), p.token, ""); foreign.status != 404 {
		t.Errorf("without .json: %d", foreign.status)
	}
	version, _ := doc["openapi"].(string)
	limits, _ := doc["x-limits"].(map[string]any)
	if !strings.HasPrefix(version, "3.1") || limits["quota_rows"] != 100_000.0 || limits["calls_per_second"] != 50.0 {
		t.Errorf("openapi %q, limits %v", version, limits)
	}
	schemas := doc["components"].(map[string]any)["schemas"].(map[string]any)
	for _, found := range regexp.MustCompile(`"#/components/schemas/([A-Za-z]+)"`).FindAllStringSubmatch(a.body, -1) {
		if schemas[found[1]] == nil {
			t.Errorf("%s is referred to and not there", found[1])
		}
	}
	for path, item := range doc["paths"].(map[string]any) {
		for method, op := range item.(map[string]any) {
			names := map[string]bool{}
			for _, parameter := range op.(map[string]any)["parameters"].([]any) {
				names[parameter.(map[string]any)["name"].(string)] = true
			}
			for _, variable := range regexp.MustCompile(`\{(\w+)\}`).FindAllStringSubmatch(path, -1) {
				if !names[variable[1]] {
					t.Errorf("%s %s does not describe %s", method, path, variable[1])
				}
			}
			if !names["X-Purpose"] || !names["X-Grant"] {
				t.Errorf("%s %s has the parameters %v", method, path, names)
			}
		}
	}
	row := schemas["Row"].(map[string]any)
	var items []string
	for name := range row["properties"].(map[string]any) {
		items = append(items, name)
	}
	slices.Sort(items)
	if diff := cmp.Diff([]string{"amount", "born", "no", "title"}, items); diff != "" {
		t.Errorf("items (-want +got):\n%s", diff)
	}
	var page struct{ Rows []any }
	raw := send(t, "GET", p.data+"/rows", p.token, "", "X-Purpose", "benefit-check")
	if err := json.Unmarshal([]byte(raw.body), &page); err != nil || len(page.Rows) == 0 {
		t.Fatalf("%d rows, %v", len(page.Rows), err)
	}
	for _, one := range page.Rows {
		if problem := conforms(row, one); problem != "" {
			t.Errorf("a row does not fit its schema: %s", problem)
		}
	}
	if conforms(row, map[string]any{"no": 1.0}) == "" || conforms(row, map[string]any{"other": "x"}) == "" {
		t.Error("the schema lets anything through")
	}
	if strings.Contains(a.body, "division") {
		t.Error("the document names an item that is not granted")
	}
	if !bytes.Contains([]byte(a.body), []byte(`"`+p.grant.ID+`"`)) {
		t.Error("the document does not name the grant")
	}
}

// conforms checks a value against the parts of JSON Schema that rows use, and says what does not fit.
func conforms(schema map[string]any, value any) string {
	var types []any
	switch declared := schema["type"].(type) {
	case string:
		types = []any{declared}
	case []any:
		types = declared
	}
	kind := map[bool]string{}
	switch v := value.(type) {
	case nil:
		kind[true] = "null"
	case string:
		kind[true] = "string"
		if pattern, ok := schema["pattern"].(string); ok && !regexp.MustCompile(pattern).MatchString(v) {
			return "a text does not match " + pattern
		}
		if most, ok := schema["maxLength"].(float64); ok && len([]rune(v)) > int(most) {
			return "a text is too long"
		}
	case bool:
		kind[true] = "boolean"
	case float64:
		kind[true] = "number"
		if slices.Contains(types, any("integer")) && v == float64(int64(v)) {
			kind[true] = "integer"
		}
	case map[string]any:
		kind[true] = "object"
		properties, _ := schema["properties"].(map[string]any)
		for name, member := range v {
			property, ok := properties[name].(map[string]any)
			if !ok {
				if schema["additionalProperties"] == false {
					return name + " is not described"
				}
				continue
			}
			if problem := conforms(property, member); problem != "" {
				return name + ": " + problem
			}
		}
	}
	if !slices.Contains(types, any(kind[true])) {
		return "it is of type " + kind[true]
	}
	return ""
}
