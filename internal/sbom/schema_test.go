package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// schema is a part of the CycloneDX schema: the keywords that testdata/bom-1.6.excerpt.schema.json uses, and no other.
type schema struct {
	Comment     string             `json:"$comment"`
	Definitions map[string]*schema `json:"definitions"`
	Ref         string             `json:"$ref"`
	Type        string             `json:"type"`
	Format      string             `json:"format"`
	Pattern     string             `json:"pattern"`
	Enum        []string           `json:"enum"`
	Required    []string           `json:"required"`
	Properties  map[string]*schema `json:"properties"`
	More        *bool              `json:"additionalProperties"`
	Items       *schema            `json:"items"`
	Unique      bool               `json:"uniqueItems"`
	Minimum     *float64           `json:"minimum"`
	MinLength   int                `json:"minLength"`
	MaxLength   int                `json:"maxLength"`
}

// check says what in a value does not fit, "" when all does.
func (s *schema) check(root *schema, at string, value any) string {
	if name, ok := strings.CutPrefix(s.Ref, "#/definitions/"); ok {
		return root.Definitions[name].check(root, at, value)
	}
	switch v := value.(type) {
	case map[string]any:
		return s.checkObject(root, at, v)
	case []any:
		if s.Type != "array" {
			return at + " is a list"
		}
		for i, entry := range v {
			if s.Unique && slices.ContainsFunc(v[:i], func(other any) bool { return reflect.DeepEqual(other, entry) }) {
				return fmt.Sprintf("%s[%d] is there twice", at, i)
			}
			if wrong := s.Items.check(root, fmt.Sprintf("%s[%d]", at, i), entry); wrong != "" {
				return wrong
			}
		}
	case string:
		switch {
		case s.Type != "string", len(s.Enum) > 0 && !slices.Contains(s.Enum, v), len(v) < s.MinLength, s.MaxLength > 0 && len(v) > s.MaxLength,
			s.Pattern != "" && !regexp.MustCompile(s.Pattern).MatchString(v):
			return fmt.Sprintf("%s is %q", at, v)
		}
		if s.Format == "date-time" {
			if _, err := time.Parse(time.RFC3339, v); err != nil {
				return fmt.Sprintf("%s is no time: %v", at, err)
			}
		}
	case float64:
		if s.Type != "integer" || v != float64(int64(v)) || s.Minimum != nil && v < *s.Minimum {
			return fmt.Sprintf("%s is %v", at, v)
		}
	default:
		return fmt.Sprintf("%s is %v", at, v)
	}
	return ""
}

func (s *schema) checkObject(root *schema, at string, v map[string]any) string {
	if s.Type != "object" {
		return at + " is an object"
	}
	for _, name := range s.Required {
		if _, ok := v[name]; !ok {
			return at + " has no " + name
		}
	}
	for name, member := range v {
		known, ok := s.Properties[name]
		if !ok && s.More != nil && !*s.More {
			return at + " has a member " + name
		}
		if ok {
			if wrong := known.check(root, at+"."+name, member); wrong != "" {
				return wrong
			}
		}
	}
	return ""
}

// The list of a binary fits the schema of CycloneDX 1.6, which finds out what does not; every reference leads to a component, and
// every component is known by one of its own.
func TestSchema(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("testdata/bom-1.6.excerpt.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	var rules schema
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&rules); err != nil {
		t.Fatalf("the schema uses what this test does not know: %v", err)
	}
	binary, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := run([]string{"-version", "v1.2.3", "-time", "2026-01-02T03:04:05Z", "-assets", "../../console/assets/package.json", binary}, &out); err != nil {
		t.Fatal(err)
	}
	list := func() (d map[string]any) {
		if err := json.Unmarshal(out.Bytes(), &d); err != nil {
			t.Fatal(err)
		}
		return d
	}
	if wrong := rules.check(&rules, "list", list()); wrong != "" {
		t.Error(wrong)
	}
	for name, spoil := range map[string]func(d, first map[string]any){
		"an unknown member": func(_, first map[string]any) { first["licence"] = "x" },
		"no name":           func(_, first map[string]any) { delete(first, "name") },
		"an unknown kind":   func(_, first map[string]any) { first["type"] = "module" },
		"a digest of no kind": func(_, first map[string]any) {
			first["hashes"] = []any{map[string]any{"alg": "SHA256", "content": strings.Repeat("0", 64)}}
		},
		"a digest of no form": func(_, first map[string]any) {
			first["hashes"] = []any{map[string]any{"alg": "SHA-256", "content": "x"}}
		},
		"a component twice":    func(d, first map[string]any) { d["components"] = append(d["components"].([]any), first) },
		"a time of no form":    func(d, _ map[string]any) { d["metadata"].(map[string]any)["timestamp"] = "yesterday" },
		"another form of list": func(d, _ map[string]any) { d["bomFormat"] = "SPDX" },
		"a version of none":    func(d, _ map[string]any) { d["version"] = 0.0 },
	} {
		d := list()
		spoil(d, d["components"].([]any)[0].(map[string]any))
		if rules.check(&rules, "list", d) == "" {
			t.Errorf("%s fits", name)
		}
	}
	var d document
	if err := json.Unmarshal(out.Bytes(), &d); err != nil {
		t.Fatal(err)
	}
	if d.Spec != "1.6" || !strings.Contains(rules.Comment, d.Schema) {
		t.Errorf("the list is of %s %s, the schema is %s", d.Schema, d.Spec, rules.Comment)
	}
	known := map[string]bool{d.Metadata.Component.Ref: true}
	for _, c := range d.Components {
		if known[c.Ref] || !regexp.MustCompile(`^pkg:(golang|npm)/[A-Za-z0-9._~/%-]+@[A-Za-z0-9._%-]+$`).MatchString(c.PURL) {
			t.Errorf("%s is there twice or is no package URL", c.Ref)
		}
		known[c.Ref] = true
	}
	for _, one := range d.Dependencies {
		for _, ref := range append([]string{one.Ref}, one.On...) {
			if !known[ref] {
				t.Errorf("%s is no component", ref)
			}
		}
	}
}
