package pglocal

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
)

// MinVersion is the oldest PostgreSQL major version the hub runs on.
const MinVersion = 14

// InstallHint is the one command, for root, that installs a PostgreSQL server on Debian and Ubuntu without leaving a running
// service behind. The file keeps the package from creating and starting a cluster of its own.
const InstallHint = `sh -c 'mkdir -p /etc/postgresql-common && echo create_main_cluster=false >>/etc/postgresql-common/createcluster.conf && ` +
	`apt-get update && UCF_FORCE_CONFFOLD=1 DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends postgresql'`

// ErrNoBinaries says that no PostgreSQL server of MinVersion or newer is installed. Its text holds InstallHint.
var ErrNoBinaries = fmt.Errorf("no PostgreSQL server %d or newer found in PATH, /usr/lib/postgresql or Homebrew; as root, install one with: %s",
	MinVersion, InstallHint)

// Binaries is one installed PostgreSQL.
type Binaries struct {
	Dir     string // Folder that holds initdb and postgres.
	Version int    // Major version, for example 15.
}

// binaryDirs are the places where packages put server binaries that are often not in PATH: Debian and Ubuntu, the
// PostgreSQL yum repository, Homebrew on both processor types.
var binaryDirs = []string{
	"/usr/lib/postgresql/*/bin",
	"/usr/pgsql-*/bin",
	"/opt/homebrew/opt/postgresql@*/bin",
	"/usr/local/opt/postgresql@*/bin",
}

// Find returns the PostgreSQL to create a new cluster with: the one in PATH when it is MinVersion or newer, else the
// newest in the places where packages install it. It returns ErrNoBinaries when there is none.
func Find(ctx context.Context) (Binaries, error) {
	found, err := findAll(ctx)
	if err != nil {
		return Binaries{}, err
	}
	return found[0], nil
}

// findVersion returns binaries of exactly the major version that made a cluster; PostgreSQL opens no other's files.
func findVersion(ctx context.Context, version int) (Binaries, error) {
	found, err := findAll(ctx)
	if err != nil {
		return Binaries{}, err
	}
	for _, b := range found {
		if b.Version == version {
			return b, nil
		}
	}
	return Binaries{}, fmt.Errorf("the cluster was made by PostgreSQL %d, but only %d is installed: install postgresql-%d, "+
		"or dump with the old version and restore into a new data folder", version, found[0].Version, version)
}

// findAll returns at least one installed PostgreSQL of MinVersion or newer, the one in PATH first, then newest first.
func findAll(ctx context.Context) ([]Binaries, error) {
	var found []Binaries
	if path, err := exec.LookPath("postgres"); err == nil {
		if real, err := filepath.EvalSymlinks(path); err == nil {
			found = appendUsable(ctx, found, filepath.Dir(real))
		}
	}
	inPath := len(found)
	for _, pattern := range binaryDirs {
		dirs, err := filepath.Glob(pattern)
		if err != nil {
			return nil, fmt.Errorf("listing %q: %w", pattern, err)
		}
		for _, dir := range dirs {
			found = appendUsable(ctx, found, dir)
		}
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("looking for PostgreSQL: %w", err)
	}
	if len(found) == 0 {
		return nil, ErrNoBinaries
	}
	slices.SortStableFunc(found[inPath:], func(a, b Binaries) int { return b.Version - a.Version })
	return found, nil
}

func appendUsable(ctx context.Context, found []Binaries, dir string) []Binaries {
	if _, err := os.Stat(filepath.Join(dir, "initdb")); err != nil {
		return found
	}
	version, err := binaryVersion(ctx, dir)
	if err != nil || version < MinVersion {
		return found
	}
	return append(found, Binaries{Dir: dir, Version: version})
}

// versionText matches "postgres (PostgreSQL) 15.18 (Debian …)" and pre-releases such as "19beta1".
var versionText = regexp.MustCompile(`\(PostgreSQL\) (\d+)`)

func binaryVersion(ctx context.Context, dir string) (int, error) {
	return programVersion(ctx, filepath.Join(dir, "postgres"))
}

// programVersion asks a program of PostgreSQL for its major version.
func programVersion(ctx context.Context, path string) (int, error) {
	out, err := exec.CommandContext(ctx, path, "--version").Output()
	if err != nil {
		return 0, fmt.Errorf("asking %q for its version: %w", path, err)
	}
	m := versionText.FindSubmatch(out)
	if m == nil {
		return 0, errors.New("reading the version of " + path)
	}
	return strconv.Atoi(string(m[1]))
}
