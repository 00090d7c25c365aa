package pglocal

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// ErrLocked says that another process holds the data folder.
var ErrLocked = errors.New("data folder is in use")

// DirLock is the exclusive right to one data folder. The kernel frees it when the process ends, however it ends.
type DirLock struct{ file *os.File }

// handover is how long Lock waits for a holder that is dead already. A process forked by it just before its death holds
// the lock, too, until it executes its program, which on a busy machine takes a while.
const handover = 5 * time.Second

// Lock takes <dir>/hub.lock, creating the folder when it is missing, and does not wait for a living holder: the error
// then matches ErrLocked and names the folder and that process.
func Lock(dir string) (*DirLock, error) {
	if err := makeDataDir(dir); err != nil {
		return nil, err
	}
	path := filepath.Join(dir, "hub.lock")
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening lock file: %w", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), handover)
	defer cancel()
	for {
		err = syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if errors.Is(err, syscall.EINTR) {
			continue
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			break
		}
		holder := lockHolder(file)
		if holder != 0 && alive(holder) || pause(ctx, poll) != nil {
			_ = file.Close()
			return nil, fmt.Errorf("%w: process %d holds %q; stop it, or use another data folder", ErrLocked, holder, dir)
		}
	}
	if err != nil {
		_ = file.Close()
		return nil, fmt.Errorf("locking %q: %w", path, err)
	}
	// The number only makes the refusal above quick and clear; the lock itself does not depend on it.
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
	// Unlocked, not only closed: a process forked at this instant shares the open file until it executes its program.
	_ = syscall.Flock(int(l.file.Fd()), syscall.LOCK_UN)
	_ = l.file.Close()
	l.file = nil
}

// lockHolder reads the number of the process that took the lock last, 0 when there is none.
func lockHolder(file *os.File) int {
	text := make([]byte, 32)
	n, _ := file.ReadAt(text, 0) // Shorter than the buffer: always io.EOF.
	pid, err := strconv.Atoi(strings.TrimSpace(string(text[:n])))
	if err != nil || pid <= 0 {
		return 0
	}
	return pid
}
