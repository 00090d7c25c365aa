package console

import (
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/shuqiao/shuqiao/catalog"
	"github.com/shuqiao/shuqiao/internal/fault"
)

func moveSteps() []string {
	var out []string
	for _, m := range catalog.Moves() {
		out = append(out, string(m.Step))
	}
	return out
}

// Every finding that the rules of the catalogue can have is said in both languages, not in the words of the service.
func TestEveryFindingHasASentence(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../catalog/check*.go")
	if err != nil || len(files) == 0 {
		t.Fatalf("the rules were not found: %v", err)
	}
	called := regexp.MustCompile(`c\.(?:block|warn|required)\(([^,]+), "?([a-z_]+|[^,]+)"?[,)]`)
	found := 0
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil || strings.HasSuffix(file, "_test.go") {
			continue
		}
		code := regexp.MustCompile(`fmt\.Sprintf\("(\w+)\[%d\](\.?\w*)", i\)`).ReplaceAllString(string(raw), `"$1$2"`)
		for _, m := range called.FindAllStringSubmatch(code, -1) {
			code := strings.Trim(m[2], `"`)
			if strings.HasPrefix(m[0], "c.required") {
				code = "required"
			}
			if !regexp.MustCompile(`^[a-z_]+$`).MatchString(code) || code == "code" {
				continue // A code that is computed; the fields of those have a sentence of their own.
			}
			name := strings.Trim(regexp.MustCompile(`at\("(\w+)"\)`).ReplaceAllString(m[1], "items.$1"), `" `)
			name = regexp.MustCompile(`^name\+"`).ReplaceAllString(name, "classifications")
			found++
			for _, language := range languages() {
				l := look{messages: load(t, language)}
				if got := l.finding(fault.Field{Name: name, Code: code, Message: "the service's own words"}); got == "the service's own words" {
					t.Errorf("%s: %s has no sentence for %s.%s", file, language, name, code)
				}
			}
		}
	}
	if found < 90 {
		t.Errorf("only %d findings were looked at", found)
	}
	l := look{messages: load(t, chinese)}
	for _, name := range []string{"provider_code", "related_codes[0]", "division_code"} {
		if got := l.finding(fault.Field{Name: name, Code: "odd", Message: "x"}); got == "x" {
			t.Errorf("%s has no sentence", name)
		}
	}
}

func jsonNames(of reflect.Type) []string {
	var out []string
	for i := range of.NumField() {
		name, _, _ := strings.Cut(of.Field(i).Tag.Get("json"), ",")
		out = append(out, name)
	}
	return out
}

// Every field of an entry stands under one heading and is called something; every field of an item is a column of the grid.
func TestEveryFieldIsShown(t *testing.T) {
	t.Parallel()
	l := look{messages: load(t, english)}
	v := &visit{look: l, r: httptest.NewRequest("GET", "/", nil)}
	for _, name := range jsonNames(reflect.TypeFor[catalog.Metadata]()) {
		in := 0
		for _, s := range sections {
			if slices.Contains(s.fields, name) {
				in++
			}
			if !l.has("compile.section_" + s.key) {
				t.Errorf("the section %s has no heading", s.key)
			}
		}
		if name != "items" && in != 1 {
			t.Errorf("%s stands under %d headings", name, in)
		}
		if !l.has("field." + name) {
			t.Errorf("%s has no name", name)
		}
	}
	var columns []string
	for _, c := range v.itemColumns(nil) {
		columns = append(columns, c.Field)
	}
	for _, name := range jsonNames(reflect.TypeFor[catalog.Item]()) {
		if name != "no" && name != "id" && (!slices.Contains(columns, name) || !l.has("item_field."+name)) {
			t.Errorf("the grid has no column for %s", name)
		}
	}
}

// Lists are typed into one field as people of either language do.
func TestParted(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][]string{
		"":                      {},
		"a, b":                  {"a", "b"},
		"\u7532\u3001\u4e59":    {"\u7532", "\u4e59"},
		"sql server;; db2\r\nx": {"sql server", "db2", "x"},
	} {
		if got := parted(text); !slices.Equal(got, want) {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

// What spreadsheets put on the clipboard becomes cells and values.
func TestPasteParser(t *testing.T) {
	t.Parallel()
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("there is no node to run the script with")
	}
	out, err := exec.CommandContext(t.Context(), node, "testdata/paste_check.mjs").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

// A problem leads to the part of the form that holds its field.
func TestAnchorOf(t *testing.T) {
	t.Parallel()
	for field, want := range map[string]string{
		"title": "title", "classifications[0].class2": "classifications", "related[12].code": "related", "head_signoff.sha256": "head_signoff.sha256",
	} {
		if got := anchorOf(field); got != want {
			t.Errorf("%s: got %s, want %s", field, got, want)
		}
	}
}
