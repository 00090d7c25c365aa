package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/shuqiao/shuqiao/internal/hubtest"
)

// The samples for programmers run as their heads say, against a real hub. Where a language is not installed, the log of the
// test says so.
func checkSamples(t *testing.T, h *hubtest.Hub, s hubtest.Sample) {
	t.Helper()
	terms := s.Terms()
	terms.Items, terms.Purpose = nil, "samples"
	for _, item := range s.Resource.Version.Items {
		terms.Items = append(terms.Items, item.Identifier)
	}
	s.Grant(t, terms)
	key := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(key, []byte(s.Key.Token()+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var out, errOut strings.Builder
	waitFor(t, func() bool {
		return run(t.Context(), []string{
			"pull", "--into", t.TempDir(), "--url", h.URL(), "--key-file", key, "--resource", s.Resource.ID, "--purpose", terms.Purpose,
		}, nil, &out, &errOut) == exitOK
	})
	for _, sample := range []struct {
		program string
		args    []string
		want    string
	}{
		{"python3", []string{"../../samples/python/pull.py"}, "20 rows as of "},
		{"java", []string{"-Xshare:auto", "-XX:TieredStopAtLevel=1", "../../samples/java/Pull.java"}, "20 rows, then 0 changes"},
	} {
		program, err := exec.LookPath(sample.program)
		if err != nil {
			t.Logf("%s is not installed: its sample was not run", sample.program)
			continue
		}
		cmd := exec.CommandContext(t.Context(), program, sample.args...)
		cmd.Env = append(os.Environ(), "HUB="+h.URL(), "RESOURCE="+s.Resource.ID, "PURPOSE="+terms.Purpose, "KEY_FILE="+key)
		got, err := cmd.CombinedOutput()
		if err != nil || !strings.HasPrefix(string(got), sample.want) {
			t.Errorf("%s: %v, says %s", sample.program, err, got)
		}
	}
}
