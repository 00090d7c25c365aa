package pgtest

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// privateServer acquires a server in a folder of its own and returns it with its process.
func privateServer(t *testing.T) (*Server, int) {
	t.Helper()
	dir, err := os.MkdirTemp("", "pgtest")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := makeOwn(dir); err != nil {
		t.Fatal(err)
	}
	s, err := acquireIn(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "cluster", "postgres", "data", "postmaster.pid"))
	if err != nil {
		t.Fatal(err)
	}
	line, _, _ := strings.Cut(string(text), "\n")
	pid, err := strconv.Atoi(line)
	if err != nil {
		t.Fatal(err)
	}
	return s, pid
}

// The server ends by itself once its last user is gone, also one that never said so: a killed process loses its lock just
// like one that closes the file.
func TestLastOneOutStopsTheServer(t *testing.T) {
	t.Parallel()
	if !canWatch() {
		t.Log("flock(1) is missing here: Release stops the server itself")
	}
	first, pid := privateServer(t)
	second, err := acquireIn(t.Context(), first.dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := first.Release(); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, 0); err != nil {
		t.Fatalf("the server went although a user is left: %v", err)
	}
	if canWatch() {
		err = second.hold.Close()
	} else {
		err = second.Release()
	}
	if err != nil {
		t.Fatal(err)
	}
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	limit := time.After(30 * time.Second)
	for {
		if err := syscall.Kill(pid, 0); errors.Is(err, syscall.ESRCH) {
			return
		}
		select {
		case <-ticker.C:
		case <-limit:
			t.Fatalf("the server (process %d) still runs", pid)
		}
	}
}

// Stop leaves a server that others use, and has stopped one that nobody else uses when it returns.
func TestStop(t *testing.T) {
	t.Parallel()
	first, pid := privateServer(t)
	second, err := acquireIn(t.Context(), first.dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := first.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, 0); err != nil {
		t.Fatalf("the server went although a user is left: %v", err)
	}
	if err := second.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	pidFile := filepath.Join(first.dir, "cluster", "postgres", "data", "postmaster.pid")
	if _, err := os.Stat(pidFile); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("after the last Stop the server's pid file: %v, want that it does not exist", err)
	}
	if err := second.Stop(t.Context()); err != nil {
		t.Errorf("a second Stop: %v", err)
	}
}

// A cluster whose files are damaged is made anew instead of failing every test from then on.
func TestDamagedClusterIsRemade(t *testing.T) {
	t.Parallel()
	s, _ := privateServer(t)
	if err := s.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(filepath.Join(s.dir, "cluster", "postgres", "data", "global", "pg_control"), 0); err != nil {
		t.Fatal(err)
	}
	again, err := acquireIn(t.Context(), s.dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := again.Stop(t.Context()); err != nil {
		t.Error(err)
	}
}

// A folder that is a link, as somebody else could plant it in a public place, is refused.
func TestPlantedFolderIsRefused(t *testing.T) {
	t.Parallel()
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(t.TempDir(), link); err != nil {
		t.Fatal(err)
	}
	if err := makeOwn(link); err == nil {
		t.Error("a link was accepted")
	}
}
