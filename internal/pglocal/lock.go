package pglocal

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// ErrLocked says that another process holds the data folder.
var ErrLocked = errors.New("data folder is in use")

// DirLock is the exclusive right to one data folder. The kernel frees it when the process ends, however it ends.
type DirLock struct{ file *os.File }

// Lock takes <dir>/hub.lock, creating the folder when it is missing, and never waits. When another process holds it the
// error matches ErrLocked and names the folder and that process.
func Lock(dir string) (*DirLock, error) {
	if err := makeDataDir(dir); err != nil {
		return nil, err
	}
	path := filepath.Join(dir, "hub.lock")
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening lock file: %w", err)
	}
	for {
		err = syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if !errors.Is(err, syscall.EINTR) {
			break
		}
	}
	if errors.Is(err, syscall.EWOULDBLOCK) {
		holder := "another process"
		if text, readErr := io.ReadAll(io.LimitReader(file, 32)); readErr == nil && len(text) > 0 {
			holder = "process " + strings.TrimSpace(string(text))
		}
		_ = file.Close()
		return nil, fmt.Errorf("%w: %s holds %q; stop it, or use another data folder", ErrLocked, holder, dir)
	}
	if err != nil {
		_ = file.Close()
		return nil, fmt.Errorf("locking %q: %w", path, err)
	}
	// The number only helps the message above; the lock itself does not depend on it.
	if err := file.Truncate(0); err == nil {
		_, _ = file.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	}
	return &DirLock{file: file}, nil
}

// Release gives the folder free. It may be called more than once and on nil.
func (l *DirLock) Release() {
	if l == nil || l.file == nil {
		return
	}
	_ = l.file.Close()
	l.file = nil
}
