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

// The life of a private server, in one folder, since making a cluster is what takes long.
func TestPrivateServer(t *testing.T) {
	t.Parallel()
	dir := Dir(t)
	t.Run("the last one out stops it", func(t *testing.T) { testLastOneOut(t, dir) })
	t.Run("Stop returns when it has stopped", func(t *testing.T) { testStop(t, dir) })
	t.Run("a damaged cluster is made anew", func(t *testing.T) { testDamaged(t, dir) })
}

// acquire returns the server in dir with its process.
func acquire(t *testing.T, dir string) (*Server, int) {
	t.Helper()
	s, err := acquireIn(t.Context(), dir, 200*time.Millisecond)
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
func testLastOneOut(t *testing.T, dir string) {
	if !canWatch() {
		t.Log("flock(1) is missing here: Release stops the server itself")
	}
	first, pid := acquire(t, dir)
	second, _ := acquire(t, dir)
	if err := first.Release(); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, 0); err != nil {
		t.Fatalf("the server went although a user is left: %v", err)
	}
	var err error
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
func testStop(t *testing.T, dir string) {
	first, pid := acquire(t, dir)
	second, _ := acquire(t, dir)
	if err := first.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, 0); err != nil {
		t.Fatalf("the server went although a user is left: %v", err)
	}
	if err := second.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	pidFile := filepath.Join(dir, "cluster", "postgres", "data", "postmaster.pid")
	if _, err := os.Stat(pidFile); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("after the last Stop the server's pid file: %v, want that it does not exist", err)
	}
	if err := second.Stop(t.Context()); err != nil {
		t.Errorf("a second Stop: %v", err)
	}
}

// A cluster whose files are damaged is made anew instead of failing every test from then on.
func testDamaged(t *testing.T, dir string) {
	if err := os.Truncate(filepath.Join(dir, "cluster", "postgres", "data", "global", "pg_control"), 0); err != nil {
		t.Fatal(err)
	}
	s, _ := acquire(t, dir)
	if err := s.Stop(t.Context()); err != nil {
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
