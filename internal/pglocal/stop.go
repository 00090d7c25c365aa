package pglocal

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// closeLimit is how long Close lets the server finish; a shutdown checkpoint of max_wal_size fits in it.
const closeLimit = 30 * time.Second

// Stop ends all sessions, shuts the server down with a checkpoint ("fast" shutdown) and frees the lock Start took. When
// ctx ends first, the server is told to end at once: nothing committed is lost, the next start replays the log; Stop then
// returns the context's error. It may be called again, and after the server has gone.
func (c *Cluster) Stop(ctx context.Context) error {
	defer c.lock.Release()
	if err := c.signal(syscall.SIGINT); err != nil {
		return err
	}
	for c.Alive() {
		if err := pause(ctx, poll); err != nil {
			return errors.Join(fmt.Errorf("waiting for PostgreSQL to stop: %w", err), c.quit())
		}
	}
	// A short socket folder outside the data folder would stay behind in /tmp for good.
	if c.socketDir != filepath.Join(c.dir, "postgres", "socket") {
		_ = os.Remove(c.socketDir)
	}
	return nil
}

// Close is Stop with a limit of its own of 30 seconds, for deferred calls.
func (c *Cluster) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), closeLimit)
	defer cancel()
	return c.Stop(ctx)
}

// Detach frees the lock Start took and leaves the server running, for a later Start to adopt.
func (c *Cluster) Detach() { c.lock.Release() }

// quit makes the server end without a checkpoint and waits up to five seconds for it.
func (c *Cluster) quit() error {
	if err := c.signal(syscall.SIGQUIT); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	for c.Alive() {
		if err := pause(ctx, poll); err != nil {
			return fmt.Errorf("waiting for PostgreSQL to end at once: %w", err)
		}
	}
	return nil
}

// signal reaches only the process that was started or adopted: os.Process holds on to it where the kernel can, so a
// number used again by another program is not hit.
func (c *Cluster) signal(sig syscall.Signal) error {
	err := c.process.Signal(sig)
	if err == nil || errors.Is(err, os.ErrProcessDone) {
		return nil
	}
	return fmt.Errorf("signalling PostgreSQL (process %d): %w", c.pid, err)
}
