package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The list of a real binary, this test's own, names the Go release, every module that is linked in with its checksum, and the
// embedded packages; twice the same.
func TestList(t *testing.T) {
	t.Parallel()
	binary, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	list := func() (document, string) {
		var out bytes.Buffer
		if err := run([]string{"-version", "v1.2.3", "-time", "2026-01-02T03:04:05Z", "-assets", "../../console/assets/package.json", binary}, &out); err != nil {
			t.Fatal(err)
		}
		var d document
		if err := json.Unmarshal(out.Bytes(), &d); err != nil {
			t.Fatal(err)
		}
		return d, out.String()
	}
	d, first := list()
	if _, second := list(); first != second {
		t.Error("two lists of one binary differ")
	}
	if c := d.Metadata.Component; c.Version != "v1.2.3" || len(c.Hashes) != 1 || len(c.Hashes[0].Content) != 64 {
		t.Errorf("the hub is listed as %+v", c)
	}
	kinds := map[string]int{}
	for i, c := range d.Components {
		kind, _, _ := strings.Cut(c.PURL, "/")
		kinds[kind]++
		if c.Version == "" || c.Ref != c.PURL || d.Dependencies[0].On[i] != c.Ref || d.Dependencies[i+1].Ref != c.Ref {
			t.Errorf("listed as %+v", c)
		}
	}
	if kinds["pkg:golang"] == 0 || kinds["pkg:npm"] < 3 || len(d.Dependencies) != len(d.Components)+1 {
		t.Errorf("listed: %v", kinds)
	}
}

// What cannot be listed truly is refused: no binary, an unpinned package.
func TestRefuses(t *testing.T) {
	t.Parallel()
	binary, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	loose := filepath.Join(t.TempDir(), "package.json")
	if err := os.WriteFile(loose, []byte(`{"dependencies":{"sample":"^1.0.0"}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, args := range map[string][]string{
		"no binary": {}, "a text": {"doc.go"}, "nothing there": {"none"}, "unpinned": {"-assets", loose, binary}, "no list": {"-assets", "none", binary},
	} {
		var out bytes.Buffer
		if err := run(args, &out); err == nil || out.Len() > 0 {
			t.Errorf("%s: got %v and %d bytes", name, err, out.Len())
		}
	}
}
