package api_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/shuqiao/shuqiao/api/client"
	"github.com/shuqiao/shuqiao/internal/hubtest"
)

// visit asks without following where an answer leads.
func visit(t *testing.T, url string, headers ...string) (status int, header http.Header, body string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, resp.Header, string(raw)
}

// publishOpen publishes entries that are open, and one that is not. It returns the open ones.
func publishOpen(t *testing.T, staff hubtest.Staff, b hubtest.Bureau, names ...string) (out []client.Resource) {
	t.Helper()
	for _, name := range append(names, "示例内部事项") {
		m := hubtest.Metadata(name)
		if name != "示例内部事项" {
			m.Open, m.OpenCondition = true, "注明来源"
		}
		r, err := b.Operator.CreateResource(t.Context(), "", m)
		if err == nil {
			_, err = b.Operator.MoveResource(t.Context(), r.ID, "submit")
		}
		if err == nil {
			_, err = b.Admin.MoveResource(t.Context(), r.ID, "approve")
		}
		if err == nil {
			r, err = staff.Operator.MoveResource(t.Context(), r.ID, "publish")
		}
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, r)
	}
	return out[:len(names)]
}

// A hub whose directory is open answers anyone, in the form that is asked for, page by page, and nothing that is not open; so
// many times a minute and address.
func TestOpenDirectoryAnswersAnyone(t *testing.T) {
	t.Parallel()
	h := hubtest.Start(t, hubtest.Options{Flags: map[string]string{"open-directory": "true", "public-url": "https://hub.example.org"}})
	staff := h.SetUp(t)
	b := h.Bureau(t, staff, 1, "示例市公安局", "police")
	entries := publishOpen(t, staff, b, "示例停车场", "示例公园")
	dcat := h.URL() + "/api/v1/dcat"
	path := strings.Replace(entries[0].Code, "/", "-", 1)

	status, header, body := visit(t, dcat+"?limit=1", "Accept", "text/turtle")
	next := strings.TrimSuffix(strings.TrimPrefix(header.Get("Link"), "<"), `>; rel="next"`)
	if status != 200 || header.Get("Content-Type") != "text/turtle; charset=utf-8" || !strings.Contains(body, "hydra:next <"+next+">") ||
		!strings.Contains(body, "<https://hub.example.org/id/resource/"+path+"> a dcat:Dataset") || strings.Contains(body, "值班室") {
		t.Fatalf("the first page: %d %v %s", status, header, body)
	}
	status, header, body = visit(t, h.URL()+strings.TrimPrefix(next, "https://hub.example.org"))
	var doc struct {
		Graph []map[string]any `json:"@graph"`
	}
	if err := json.Unmarshal([]byte(body), &doc); err != nil || status != 200 || header.Get("Content-Type") != "application/ld+json; charset=utf-8" || header.Get("Link") != "" ||
		!strings.Contains(body, "示例公园") || strings.Contains(body, "示例停车场") || strings.Contains(body, "示例内部事项") {
		t.Errorf("the last page: %d %v %v %s", status, header, err, body)
	}

	for _, tc := range []struct {
		name, url, accept string
		status            int
		want              string
	}{
		{"one entry by its code", dcat + "/" + path, "text/turtle", 200, "示例停车场"},
		{"one entry by its id", dcat + "/" + entries[0].ID + "?format=turtle", "application/ld+json", 200, "@prefix"},
		{"an entry that there is not", dcat + "/999999999-000001", "", 404, "not_found"},
		{"no entry's name", dcat + "/..%2F..", "", 404, "not_found"},
		{"a form that there is not", dcat, "application/rdf+xml", 406, "not_acceptable"},
		{"a format that there is not", dcat + "?format=xml", "", 400, "not_choice"},
		{"a parameter that there is not", dcat + "?q=x", "", 400, "unknown_field"},
		{"a cursor that the hub did not make", dcat + "?cursor=x", "", 400, "cursor_invalid"},
		{"a cursor of another list", dcat + "?cursor=WzEsMl0", "", 400, "cursor_invalid"},
	} {
		status, _, body := visit(t, tc.url, "Accept", tc.accept)
		if status != tc.status || !strings.Contains(body, tc.want) {
			t.Errorf("%s: got %d %s", tc.name, status, body)
		}
	}
	for _, tc := range [][3]string{
		{"/id/resource/" + path, "text/html", "/ui/resources/" + path},
		{"/id/resource/" + path, "", "/ui/resources/" + path},
		{"/id/resource/" + path, "text/turtle", "/api/v1/dcat/" + path + "?format=turtle"},
		{"/id/resource/" + path, "text/html;q=0.5, application/ld+json", "/api/v1/dcat/" + path + "?format=jsonld"},
		{"/id/catalogue", "text/turtle", "/api/v1/dcat?format=turtle"},
		{"/id/catalogue", "text/html", "/ui/resources?open=true"},
	} {
		status, header, _ := visit(t, h.URL()+tc[0], "Accept", tc[1])
		if status != 303 || header.Get("Location") != tc[2] {
			t.Errorf("%s as %q: got %d %s", tc[0], tc[1], status, header.Get("Location"))
		}
	}
	for _, path := range []string{"/id/resource/%2F%2Fevil.example", "/id/resource/a%0d%0ab", "/id/resource/..", "/id/resource/%E4%BA%BA"} {
		if status, header, _ := visit(t, h.URL()+path); status != 404 && status != 400 || header.Get("Location") != "" {
			t.Errorf("%s: got %d, to %q", path, status, header.Get("Location"))
		}
	}
	for n := 0; ; n++ {
		status, header, _ := visit(t, dcat+"/"+path)
		if status == http.StatusTooManyRequests && header.Get("Retry-After") != "" {
			break
		}
		if n > 70 || status != 200 {
			t.Fatalf("call %d: got %d", n, status)
		}
	}
}

// Where the directory is not open one signs in to read it; the dump holds what one may read, and packed the same.
func TestClosedDirectoryAndDump(t *testing.T) {
	t.Parallel()
	h := hubtest.Start(t, hubtest.Options{})
	staff := h.SetUp(t)
	b := h.Bureau(t, staff, 1, "示例市公安局", "police")
	publishOpen(t, staff, b, "示例停车场")
	if _, err := b.Operator.CreateResource(t.Context(), "", hubtest.Metadata("示例草稿")); err != nil {
		t.Fatal(err)
	}
	if a := send(t, "GET", h.URL()+"/api/v1/dcat", "", ""); a.status != 401 {
		t.Errorf("anyone reads a closed directory: got %d", a.status)
	}
	if a := send(t, "GET", h.URL()+"/api/v1/dcat?format=turtle", b.Operator.Token, ""); a.status != 200 || !strings.Contains(a.body, h.URL()+"/id/resource/") {
		t.Errorf("who signed in: got %d %s", a.status, a.body)
	}

	for who, want := range map[*client.Client]int{b.Operator: 3, staff.Auditor: 2} {
		var text bytes.Buffer
		if err := who.Dump(t.Context(), &text); err != nil || strings.Count(text.String(), "\n") != want {
			t.Errorf("got %d lines, want %d, %v", strings.Count(text.String(), "\n"), want, err)
		}
		for line := range strings.Lines(text.String()) {
			var r client.Resource
			if err := json.Unmarshal([]byte(line), &r); err != nil || len(r.Version.Items) != 5 || r.Version.ProviderCode == "" {
				t.Errorf("a line: %v, %+v", err, r)
			}
		}
		// The transport unpacks only what it asked for itself.
		status, header, packed := visit(t, h.URL()+"/api/v1/resources.jsonl", "Accept-Encoding", "br, gzip", "Authorization", "Bearer "+who.Token)
		if status != 200 || header.Get("Content-Encoding") != "gzip" || header.Get("Content-Type") != "application/x-ndjson" {
			t.Fatalf("packed: got %d %v", status, header)
		}
		zipped, err := gzip.NewReader(strings.NewReader(packed))
		if err != nil {
			t.Fatal(err)
		}
		if plain, err := io.ReadAll(zipped); err != nil || string(plain) != text.String() {
			t.Errorf("packed it is not the same: %v", err)
		}
	}
	if a := send(t, "GET", h.URL()+"/api/v1/resources.jsonl?state=draft", b.Operator.Token, ""); a.status != 400 || a.problem.Code == "" {
		t.Errorf("a parameter: got %d", a.status)
	}
	if a := send(t, "HEAD", h.URL()+"/api/v1/resources.jsonl", b.Operator.Token, ""); a.status != 200 || a.body != "" {
		t.Errorf("HEAD: got %d", a.status)
	}
	if a := send(t, "GET", h.URL()+"/api/v1/resources.jsonl", "", ""); a.status != 401 {
		t.Errorf("anyone dumps: got %d", a.status)
	}
}
