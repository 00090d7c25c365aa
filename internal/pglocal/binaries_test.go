package pglocal_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/shuqiao/shuqiao/internal/pglocal"
)

// Find returns a folder with a server and initdb of a version the hub runs on.
func TestFind(t *testing.T) {
	t.Parallel()
	got, err := pglocal.Find(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got.Version < pglocal.MinVersion {
		t.Errorf("version %d, want at least %d", got.Version, pglocal.MinVersion)
	}
	for _, name := range []string{"initdb", "postgres"} {
		if _, err := exec.LookPath(filepath.Join(got.Dir, name)); err != nil {
			t.Error(err)
		}
	}
}

// A PostgreSQL in PATH wins over one that packages put elsewhere, and one that is too old does not.
func TestFindPrefersPath(t *testing.T) {
	for _, tc := range []struct {
		name, version string
		wins          bool
	}{{"new enough", "15.1", true}, {"too old", "13.9", false}} {
		dir := t.TempDir()
		script := "#!/bin/sh\necho 'postgres (PostgreSQL) " + tc.version + "'\n"
		for _, name := range []string{"postgres", "initdb"} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(script), 0o700); err != nil {
				t.Fatal(err)
			}
		}
		t.Setenv("PATH", dir)
		got, err := pglocal.Find(t.Context())
		if err != nil && (tc.wins || !errors.Is(err, pglocal.ErrNoBinaries)) {
			t.Fatalf("%s: %v", tc.name, err)
		}
		if (got.Dir == dir) != tc.wins {
			t.Errorf("%s: Find chose %q, in PATH was %q", tc.name, got.Dir, dir)
		}
	}
}
