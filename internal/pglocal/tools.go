package pglocal

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
)

// FindTool returns the path of a client program of PostgreSQL, such as pg_dump, of exactly the major version or the next newer
// one installed: an older program refuses a newer server. Programs in the places where packages install them come before
// the one in PATH, which may be a wrapper.
func FindTool(ctx context.Context, name string, version int) (string, error) {
	best, bestVersion := "", 0
	look := func(path string) {
		found, err := programVersion(ctx, path)
		if err == nil && found >= version && (best == "" || found < bestVersion) {
			best, bestVersion = path, found
		}
	}
	for _, pattern := range binaryDirs {
		paths, err := filepath.Glob(filepath.Join(pattern, name))
		if err != nil {
			return "", fmt.Errorf("listing %q: %w", pattern, err)
		}
		for _, path := range paths {
			look(path)
		}
	}
	if path, err := exec.LookPath(name); err == nil && bestVersion != version {
		look(path)
	}
	if err := ctx.Err(); err != nil {
		return "", fmt.Errorf("looking for %s: %w", name, err)
	}
	if best == "" {
		return "", fmt.Errorf("no %s of PostgreSQL %d or newer found in PATH, /usr/lib/postgresql or Homebrew; on Debian and Ubuntu "+
			"the package postgresql-client-%d has it", name, version, version)
	}
	return best, nil
}
