package main

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/shuqiao/shuqiao/api"
	"github.com/shuqiao/shuqiao/api/client"
	"github.com/shuqiao/shuqiao/cmd/shuqiao/cli"
	"github.com/shuqiao/shuqiao/internal/hubtest"
)

// withoutCommand are the routes of the management API that no command of the table calls: setting up and signing in and out have commands of
// their own, the others are for `shuqiao api` only.
var withoutCommand = []string{
	"POST /setup", "POST /sessions", "POST /sessions/second-factor", "DELETE /sessions/current", "PUT /users/me/password", "PUT /me/password", "GET /me",
	"GET /openapi/{grant}.json", "GET /resources/{id}/documents/{sha256}", "GET /resources.jsonl", "GET /dcat", "GET /dcat/{resource}",
	// Files, which have commands of their own: import send, result and template, resource export.
	"POST /imports", "GET /imports/{id}/result", "GET /directory/template", "GET /directory/export",
}

// The commands over the API, on one hub.
func TestClientCommands(t *testing.T) {
	t.Parallel()
	h := hubtest.Start(t, hubtest.Options{})
	sample := h.Sample(t, 30)
	t.Run("commands and routes", func(t *testing.T) { checkCommandsAndRoutes(t, h) })
	t.Run("one grant by commands", func(t *testing.T) { checkOneGrantByCommands(t, h, sample) })
	t.Run("samples", func(t *testing.T) { checkSamples(t, h, sample) })
}

// Every command of the table calls a route that exists, as the contract describes it, and every route of the management API
// has a command or is on the short list.
func checkCommandsAndRoutes(t *testing.T, h *hubtest.Hub) {
	t.Helper()
	routes := map[string]api.Route{}
	for _, r := range h.API().Routes() {
		if path, ours := strings.CutPrefix(r.Path, "/api/v1"); ours && r.Access != api.ByClient {
			routes[r.Method+" "+path] = r
		}
	}
	var unknown []string
	called := map[string]bool{}
	seen := map[string]bool{}
	for _, c := range cli.Commands() {
		name := c.Method + " " + c.Route
		r, ok := routes[name]
		if !ok {
			unknown = append(unknown, c.Path+": "+name)
			continue
		}
		called[name] = true
		if r.Once != c.Once {
			t.Errorf("%s: Once is %v, of its route %v", c.Path, c.Once, r.Once)
		}
		if seen[c.Path] || c.Help == "" {
			t.Errorf("%s is there twice or has no help", c.Path)
		}
		seen[c.Path] = true
	}
	var missing []string
	for name := range routes {
		if !called[name] && !slices.Contains(withoutCommand, name) {
			missing = append(missing, name)
		}
	}
	slices.Sort(missing)
	if diff := cmp.Diff([]string(nil), missing); diff != "" {
		t.Errorf("routes without a command (enter them in cli.Commands):\n%s", diff)
	}
	if diff := cmp.Diff([]string(nil), unknown); diff != "" {
		t.Errorf("commands without a route:\n%s", diff)
	}
	s := shell{t: t, hub: h, home: t.TempDir()}
	for path, want := range map[string]string{
		"audit events": "--object-kind", "audit verify": "--verifier-key", "run watch": "--every", "client key add": "--expires-at", "user create": "--password-file",
	} {
		if out := s.must("", append(strings.Fields(path), "--help")...); !strings.Contains(out, want) {
			t.Errorf("%s --help does not name %s: %s", path, want, out)
		}
	}
}

// listTypes are what lists hold, by the path of the command; a group's list and others that share its entries.
var listTypes = map[string]any{
	"source draft": client.DraftedTable{}, "source drift": client.Drift{},
	"resource list": client.Entry{}, "resource versions": client.Version{}, "resource history": client.HistoryEntry{}, "resource templates": client.Template{},
	"resource rejects": client.Reject{}, "resource reconciliations": client.Reconciliation{}, "import list": client.Import{}, "import errors": client.ImportError{}, "mount list": client.Mount{}, "source list": client.Source{},
	"source tables": client.Table{}, "request list": client.Request{}, "request history": client.RequestEntry{}, "request refusal-codes": "",
	"grant list": client.Grant{}, "grant history": client.GrantEntry{}, "task list": client.Task{}, "run list": client.Run{}, "run rejects": client.Reject{},
	"run reconciliation": client.Reconciliation{}, "schedule list": client.Schedule{}, "schedule fires": client.Fire{}, "alarm list": client.Alarm{}, "alarm rules": client.AlarmRule{}, "alarm channels": client.AlarmChannel{},
	"alarm deliveries": client.AlarmDelivery{}, "department list": client.Department{},
	"system list": client.System{}, "base-database list": client.BaseDatabase{}, "client list": client.ConsumingSystem{}, "client key list": client.Key{},
	"data-element list": client.DataElement{}, "data-element sources": client.ElementSource{}, "duty list": client.DutyClaim{},
	"resource item-sources": client.ItemSource{}, "resource sleeping": client.SleepingEntry{},
	"resource access": client.Access{}, "client access": client.Access{},
	"user list": client.User{}, "user handed-over": client.Handed{}, "user deputy list": client.Deputy{}, "me deputy list": client.Deputy{},
	"me session list": client.OpenSession{}, "me colleagues": client.User{}, "client key expiring": client.ExpiringKey{}, "policy rules": client.Rule{}, "audit events": client.Event{}, "audit usage": client.Usage{},
	"code-table list": client.CodeTable{}, "code-table values": client.CodeValue{}, "code-table history": client.CodeChange{}, "resource related": client.Related{},
	"audit retention": client.RetentionLine{},
	"system report":   client.DepartmentCoverage{}, "system nil-returns": client.NilReturn{}, "calendar list": client.CalendarYear{},
	"resource return-codes": "", "resource impact-grants": client.ImpactUse{}, "resource comments": client.Comment{}, "resource assessments": client.AssessmentFile{},
	"change list": client.ChangeEvent{}, "grant changes": client.GrantChange{},
	"resource suggest": client.Completion{},
}

// Every column of a list is a field of what the list holds.
func TestColumnsAreFields(t *testing.T) {
	t.Parallel()
	for _, c := range cli.Commands() {
		if c.Columns == "" {
			continue
		}
		entry, ok := listTypes[c.Path]
		if !ok {
			t.Errorf("%s: what its list holds is not in the table of this test", c.Path)
			continue
		}
		for column := range strings.FieldsSeq(c.Columns) {
			if column != "." && !hasField(reflect.TypeOf(entry), column) {
				t.Errorf("%s: there is no field %s", c.Path, column)
			}
		}
	}
}

// hasField reports whether a type has a field of a JSON name, or of names joined by dots.
func hasField(kind reflect.Type, path string) bool {
	name, rest, deeper := strings.Cut(path, ".")
	for kind.Kind() == reflect.Pointer {
		kind = kind.Elem()
	}
	for i := range kind.NumField() {
		f := kind.Field(i)
		tag, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if f.Anonymous && tag == "" && hasField(f.Type, path) {
			return true
		}
		if tag == name {
			return !deeper || hasField(f.Type, rest)
		}
	}
	return false
}

// shell types commands. Every person has a profile.
type shell struct {
	t    *testing.T
	hub  *hubtest.Hub
	home string
}

// run carries out a command line as a person, "" for nobody.
func (s shell) run(person string, args ...string) (code int, out, errOut string) {
	s.t.Helper()
	environ := []string{"XDG_CONFIG_HOME=" + s.home, "SHUQIAO_URL=" + s.hub.URL()}
	if person != "" {
		args = append(args, "--profile", person)
	}
	var o, e strings.Builder
	code = run(context.WithoutCancel(s.t.Context()), args, environ, &o, &e)
	return code, o.String(), e.String()
}

func (s shell) must(person string, args ...string) string {
	s.t.Helper()
	code, out, errOut := s.run(person, args...)
	if code != exitOK {
		s.t.Fatalf("%v as %s: exit code %d, %s", args, person, code, errOut)
	}
	return out
}

// field runs a command with -o json and returns one value of its answer.
func (s shell) field(person, name string, args ...string) string {
	s.t.Helper()
	var answer map[string]any
	if err := json.Unmarshal([]byte(s.must(person, append(args, "-o", "json")...)), &answer); err != nil {
		s.t.Fatalf("%v: %v", args, err)
	}
	return fmt.Sprint(answer[name])
}

func (s shell) file(name, content string) string {
	s.t.Helper()
	path := filepath.Join(s.home, name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		s.t.Fatal(err)
	}
	return path
}

// A grant comes about, is pulled and is suspended by commands alone, as TestOneGrantEndToEnd does through the API; answers are
// tables for people and JSON or CSV for programs, and refusals say what the hub says, with an exit code of their kind.
func checkOneGrantByCommands(t *testing.T, h *hubtest.Hub, sample hubtest.Sample) {
	t.Helper()
	s := shell{t: t, hub: h, home: t.TempDir()}
	word := s.file("password", hubtest.Password+"\n")
	for _, name := range []string{"police_admin", "police_operator", "social_admin", "social_operator", "platform_operator", "auditor"} {
		s.must(name, "login", name, "--password-file", word)
	}
	info, err := os.Stat(filepath.Join(s.home, "shuqiao", "profiles", "auditor.json"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the kept sign-in: %v, %v", info, err)
	}
	if code, _, errOut := s.run("nobody", "login", "police_admin", "--password-file", s.file("wrong", "x")); code != exitRefused || !strings.Contains(errOut, "code ") {
		t.Errorf("a wrong password: exit code %d, %s", code, errOut)
	}
	if code, _, errOut := s.run("nobody", "whoami"); code != exitRefused || !strings.Contains(errOut, "shuqiao login") {
		t.Errorf("nobody: exit code %d, %s", code, errOut)
	}
	if code, _, _ := s.run("auditor", "whoami", "--url", "http://127.0.0.1:1"); code != exitValidation {
		t.Errorf("a token for another hub: exit code %d", code)
	}

	keyFile := filepath.Join(t.TempDir(), "key")
	var key client.IssuedKey
	if err := json.Unmarshal([]byte(s.must("social_admin", "client", "key", "add", sample.System.ID, "-o", "json")), &key); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(keyFile, []byte(key.Token()), 0o600); err != nil {
		t.Fatal(err)
	}
	folder := filepath.Join(t.TempDir(), "copy")
	pull := []string{"pull", "--into", folder, "--key-file", keyFile, "--resource", sample.Resource.ID, "--purpose", "benefit-check"}
	if code, _, errOut := s.run("", pull...); code != exitOver || !strings.Contains(errOut, "not in force") {
		t.Errorf("pulling before the grant: exit code %d, %s", code, errOut)
	}
	terms, err := json.Marshal(sample.Terms())
	if err != nil {
		t.Fatal(err)
	}
	id := s.field("social_operator", "id", "request", "create", "--client", sample.System.ID, "--resource", sample.Resource.ID, "-f", s.file("terms", string(terms)))
	s.must("social_operator", "request", "submit", id)
	s.must("social_admin", "request", "sign", id, "--opinion", "同意")
	if code, _, errOut := s.run("social_admin", "request", "sign", id); code != exitRuntime || !strings.Contains(errOut, "allowed now: ") || !strings.Contains(errOut, "illegal_move") {
		t.Errorf("signing twice: exit code %d, %s", code, errOut)
	}
	if code, _, errOut := s.run("police_operator", "request", "accept", id); code != exitRefused {
		t.Errorf("accepting without the right: exit code %d, %s", code, errOut)
	}
	s.must("platform_operator", "request", "accept", id)
	grant := s.field("police_admin", "grant_id", "request", "approve", id)

	var out, errOut string
	waitFor(t, func() bool { _, out, errOut = s.run("", pull...); return strings.HasPrefix(out, "20 rows as of ") })
	if verified := s.must("", append([]string{"pull", "verify"}, pull[1:]...)...); !strings.Contains(verified, `"equal": true`) {
		t.Errorf("comparing: %s", verified)
	}
	s.checkExports(keyFile, sample.Resource.ID)
	s.must("police_admin", "grant", "suspend", grant, "--reason", "示例原因")
	var code int
	waitFor(t, func() bool { code, _, errOut = s.run("", pull...); return code != exitOK })
	if code != exitRefused || !strings.Contains(errOut, "suspended") {
		t.Errorf("pulling after the suspension: exit code %d, %s", code, errOut)
	}
	if status := s.must("", "pull", "status", "--into", folder); !strings.Contains(status, "the grant is suspended") {
		t.Errorf("status: %s", status)
	}
	s.checkForms(grant, sample)
	s.checkSheets(sample)
	s.must("auditor", "logout")
	if code, _, _ := s.run("auditor", "whoami"); code != exitRefused {
		t.Errorf("after signing out: exit code %d", code)
	}
}

// checkExports orders a file once, however often it is asked to, fetches it, and removes it.
func (s shell) checkExports(keyFile, resource string) {
	t := s.t
	t.Helper()
	by := []string{"--key-file", keyFile, "--purpose", "benefit-check"}
	order := append([]string{"export", "order", "--resource", resource, "--items", "no,title", "--idempotency-key", "night-1"}, by...)
	var e client.Export
	for range 2 {
		if err := json.Unmarshal([]byte(s.must("", order...)), &e); err != nil {
			t.Fatal(err)
		}
	}
	to := filepath.Join(t.TempDir(), "rows.csv")
	said := s.must("", append([]string{"export", "fetch", e.ID, "--to", to}, by...)...)
	raw, err := os.ReadFile(to)
	if err != nil || !strings.HasPrefix(said, "20 rows, ") || !strings.HasPrefix(string(raw), "no,title\r\n") || strings.Count(string(raw), "\n") != 21 {
		t.Errorf("fetching said %q, %v:\n%s", said, err, raw)
	}
	if info, err := os.Stat(to); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file: %v, %v", info, err)
	}
	if shown := s.must("", append([]string{"export", "show", e.ID}, by...)...); !strings.Contains(shown, `"state": "ready"`) {
		t.Errorf("showing: %s", shown)
	}
	if listed := s.must("", append([]string{"export", "list", "-o", "csv"}, by...)...); strings.Count(listed, "\n") != 2 || !strings.Contains(listed, e.ID+",ready,") {
		t.Errorf("listing: %s", listed)
	}
	s.must("", append([]string{"export", "delete", e.ID}, by...)...)
	if code, _, errOut := s.run("", append([]string{"export", "fetch", e.ID, "--to", to}, by...)...); code != exitOver || !strings.Contains(errOut, "deleted") {
		t.Errorf("fetching a deleted one: exit code %d, %s", code, errOut)
	}
	if left, err := filepath.Glob(filepath.Join(filepath.Dir(to), ".*")); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	if code, _, errOut := s.run("", append([]string{"export", "order", "--resource", resource, "--filter", "{"}, by...)...); code != exitValidation || !strings.Contains(errOut, "JSON") {
		t.Errorf("a filter of no form: exit code %d, %s", code, errOut)
	}
}

// checkForms looks at the same answers as tables, JSON and CSV.
func (s shell) checkForms(grant string, sample hubtest.Sample) {
	t := s.t
	t.Helper()
	table := s.must("police_operator", "resource", "list")
	lines := strings.Split(strings.TrimSpace(table), "\n")
	if len(lines) != 2 || !strings.HasPrefix(lines[0], "ID ") || !strings.Contains(lines[1], "示例事项") {
		t.Fatalf("a table:\n%s", table)
	}
	// What stands right of Chinese text stands under its heading: each of these characters takes two columns.
	column := strings.Index(lines[0], "SHARE_TYPE")
	wide := 0
	for _, r := range lines[1][:strings.Index(lines[1], " conditional")] {
		wide++
		if r > 0x2e80 {
			wide++
		}
	}
	if wide+1 != column {
		t.Errorf("columns are not aligned (%d, want %d):\n%s", wide+1, column, table)
	}
	records, err := csv.NewReader(strings.NewReader(s.must("police_admin", "grant", "list", "-o", "csv"))).ReadAll()
	if err != nil || len(records) != 2 || records[0][0] != "id" || records[1][0] != grant || records[1][1] != "suspended" {
		t.Errorf("CSV: %v, %v", records, err)
	}
	var all client.List[client.Event]
	if err := json.Unmarshal([]byte(s.must("auditor", "audit", "events", "--limit", "3", "--all", "-o", "json")), &all); err != nil || len(all.Data) < 20 || all.NextCursor != "" {
		t.Errorf("all events by pages of 3: %d, %v", len(all.Data), err)
	}
	code, _, errOut := s.run("auditor", "audit", "events", "--limit", "3")
	if code != exitOK || !strings.Contains(errOut, "--all") {
		t.Errorf("the first of many pages: exit code %d, says %q", code, errOut)
	}
	if code, _, errOut := s.run("police_admin", "grant", "show", "00000000-0000-0000-0000-000000000000"); code != exitValidation || !strings.Contains(errOut, "request ") {
		t.Errorf("a grant that does not exist: exit code %d, %s", code, errOut)
	}
	run := s.field("police_operator", "id", "task", "run", sample.Task.ID)
	if out := s.must("police_operator", "run", "watch", run, "--every", "100ms"); !strings.Contains(out, "succeeded") || !strings.Contains(out, "read 30") {
		t.Errorf("watching a run: %s", out)
	}
	file := filepath.Join(s.home, "directory.jsonl")
	s.must("police_operator", "resource", "dump", "-o", file)
	if written, err := os.ReadFile(file); err != nil || string(written) != s.must("police_operator", "resource", "dump") || !strings.Contains(string(written), `"id":"`+sample.Resource.ID) {
		t.Errorf("the directory as a file: %v, %.200s", err, written)
	}
	if out := s.must("police_operator", "api", "GET", "/runs/"+run); !strings.Contains(out, run) {
		t.Errorf("any route: %s", out)
	}
}

// checkSheets takes the directory out into files, and files into the directory.
func (s shell) checkSheets(sample hubtest.Sample) {
	t := s.t
	t.Helper()
	whole, template, result := filepath.Join(s.home, "directory.zip"), filepath.Join(s.home, "template.xlsx"), filepath.Join(s.home, "result.xlsx")
	s.must("police_operator", "resource", "export", "--format", "csv", "-o", whole)
	if said := s.must("police_operator", "import", "send", whole, "--every", "100ms", "--apply"); !strings.Contains(said, "1 entries: 0 new, 0 changed, 1 as they are, 0 with mistakes") || !strings.Contains(said, "nothing to write") {
		t.Errorf("what was exported is sent in: %s", said)
	}
	s.must("police_operator", "import", "template", "-o", template)
	if raw, err := os.ReadFile(template); err != nil || !strings.HasPrefix(string(raw), "PK") {
		t.Errorf("the workbook to fill in: %v, %.20q", err, raw)
	}
	wrong := s.file("wrong.csv", "资源名称,更新周期\n示例甲,常常\n示例乙,每日\n")
	code, said, errOut := s.run("police_operator", "import", "send", wrong, "--every", "100ms", "--apply")
	if code != exitValidation || !strings.Contains(said, "2 entries: 1 new, 0 changed, 0 as they are, 1 with mistakes") || !strings.Contains(said, "!B2") || !strings.Contains(errOut, "import result ") {
		t.Errorf("a wrong file: exit code %d, %s%s", code, said, errOut)
	}
	id, _, _ := strings.Cut(said, ":")
	s.must("police_operator", "import", "result", id, "-o", result)
	if raw, err := os.ReadFile(result); err != nil || !strings.HasPrefix(string(raw), "PK") {
		t.Errorf("the file with what is wrong: %v, %.20q", err, raw)
	}
	if said := s.must("police_operator", "import", "send", wrong, "--mode", "good", "--every", "100ms", "--apply"); !strings.Contains(said, "1 entries are written") {
		t.Errorf("what is right of a wrong file: %s", said)
	}
	if found := s.must("police_operator", "resource", "list", "--state", "draft"); !strings.Contains(found, "示例乙") || strings.Contains(found, "示例甲") {
		t.Errorf("drafts after the import: %s", found)
	}
	if code, _, errOut := s.run("police_operator", "import", "send", template+"x"); code != exitValidation || !strings.Contains(errOut, "cannot be read") {
		t.Errorf("a file that is not there: exit code %d, %s", code, errOut)
	}
}

// Credentials are not sent where others could read them, nor taken from files that others can read.
func TestPullRefuses(t *testing.T) {
	t.Parallel()
	s := shell{t: t, home: t.TempDir(), hub: &hubtest.Hub{}}
	key := s.file("key", "sqk_x.y")
	open := s.file("open", "sqk_x.y")
	if err := os.Chmod(open, 0o644); err != nil {
		t.Fatal(err)
	}
	base := []string{"pull", "--into", t.TempDir(), "--resource", "r"}
	for _, c := range []struct {
		name string
		args []string
		want int
		says string
	}{
		{"a plain connection to another machine", []string{"--url", "http://192.0.2.1", "--key-file", key}, exitValidation, "unencrypted"},
		{"an address of something else", []string{"--url", "ftp://192.0.2.1", "--key-file", key}, exitValidation, "https://"},
		{"a key that others can read", []string{"--url", "https://192.0.2.1", "--key-file", open}, exitValidation, "chmod 600"},
		{"no key", []string{"--url", "https://192.0.2.1"}, exitValidation, "--key-file"},
		{"two ways of ending", []string{"--url", "https://192.0.2.1", "--key-file", key, "--once", "--every", "1s"}, exitValidation, "--once"},
		{"a certificate file without certificates", []string{"--url", "https://192.0.2.1", "--key-file", key, "--ca-file", key}, exitValidation, "PEM"},
	} {
		var out, errOut strings.Builder
		code := run(t.Context(), append(slices.Clone(base), c.args...), nil, &out, &errOut)
		if code != c.want || !strings.Contains(errOut.String(), c.says) || strings.Contains(errOut.String(), "sqk_x") {
			t.Errorf("%s: exit code %d, says %s", c.name, code, errOut.String())
		}
	}
}

// waitFor asks until the answer is yes, for at most five seconds.
func waitFor(t *testing.T, yes func() bool) {
	t.Helper()
	for deadline := time.Now().Add(5 * time.Second); !yes(); {
		if time.Now().After(deadline) {
			t.Fatal("it did not become true in time")
		}
	}
}

// The completion for bash is a script that bash takes, and completes commands, commands of groups, and flags.
func TestCompletion(t *testing.T) {
	t.Parallel()
	s := shell{t: t, home: t.TempDir(), hub: &hubtest.Hub{}}
	for _, shell := range []string{"zsh", "fish"} {
		if out := s.complete(shell); !strings.Contains(out, "client key") || !strings.Contains(out, "--if-match") {
			t.Errorf("%s: %.200s", shell, out)
		}
	}
	script := s.file("completion.bash", s.complete("bash"))
	for line, want := range map[string]string{
		"shuqiao requ": "request", "shuqiao client key re": "revoke", "shuqiao -o json grant sus": "suspend", "shuqiao run watch --ev": "--every",
	} {
		words := strings.Fields(line)
		test := fmt.Sprintf("source %s; COMP_WORDS=(%s); COMP_CWORD=%d; _shuqiao; echo ${COMPREPLY[*]}", script, line, len(words)-1)
		out, err := exec.CommandContext(t.Context(), "bash", "-c", test).CombinedOutput()
		if got := strings.TrimSpace(string(out)); err != nil || got != want {
			t.Errorf("%s: got %q, want %q, %v", line, got, want, err)
		}
	}
}

func (s shell) complete(shell string) string {
	s.t.Helper()
	var out, errOut strings.Builder
	if code := run(s.t.Context(), []string{"completion", shell}, nil, &out, &errOut); code != exitOK {
		s.t.Fatalf("completion %s: exit code %d, %s", shell, code, errOut.String())
	}
	return out.String()
}
