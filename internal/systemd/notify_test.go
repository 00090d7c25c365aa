package systemd_test

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/shuqiao/shuqiao/internal/systemd"
)

// What is sent arrives in one message at the socket that the environment names, in the file system or in the abstract name
// space; without a socket nobody is told.
func TestSend(t *testing.T) {
	t.Parallel()
	for name, socket := range map[string]string{
		"in the file system": filepath.Join(t.TempDir(), "notify"), "abstract": fmt.Sprintf("@shuqiao-test-%d", os.Getpid()),
	} {
		manager, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		t.Cleanup(func() { _ = manager.Close() })
		if err := systemd.New([]string{"PATH=/bin", "NOTIFY_SOCKET=" + socket}, 1).Send("READY=1", "STATUS=serving"); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		buffer := make([]byte, 256)
		if err := manager.SetReadDeadline(time.Now().Add(5 * time.Second)); err != nil {
			t.Fatal(err)
		}
		n, err := manager.Read(buffer)
		if got := string(buffer[:n]); err != nil || got != "READY=1\nSTATUS=serving" {
			t.Errorf("%s: got %q, %v", name, got, err)
		}
	}
	for _, environ := range [][]string{nil, {"NOTIFY_SOCKET="}, {"NOTIFY_SOCKET=vsock:2:1"}} {
		n := systemd.New(environ, 1)
		if n != nil || n.Send("READY=1") != nil || n.Watchdog() != 0 {
			t.Errorf("%v: somebody is told", environ)
		}
	}
	if err := systemd.New([]string{"NOTIFY_SOCKET=/nonexistent/socket"}, 1).Send("READY=1"); err == nil {
		t.Error("a socket that is not there is no error")
	}
}

// A manager that reads nothing holds nobody up: its queue overflows with an error.
func TestSendToSleepingManager(t *testing.T) {
	t.Parallel()
	socket := filepath.Join(t.TempDir(), "notify")
	manager, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = manager.Close() })
	n := systemd.New([]string{"NOTIFY_SOCKET=" + socket}, 1)
	began := time.Now()
	for range 10_000 {
		if err = n.Send("WATCHDOG=1"); err != nil {
			break
		}
	}
	if err == nil || time.Since(began) > 5*time.Second {
		t.Errorf("got %v after %s", err, time.Since(began))
	}
}

// The watchdog is for the process that it names, and for any where it names none.
func TestWatchdog(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		environ []string
		want    time.Duration
	}{
		{[]string{"WATCHDOG_USEC=30000000"}, 30 * time.Second},
		{[]string{"WATCHDOG_USEC=30000000", "WATCHDOG_PID=7"}, 30 * time.Second},
		{[]string{"WATCHDOG_USEC=30000000", "WATCHDOG_PID=8"}, 0},
		{[]string{"WATCHDOG_USEC=0"}, 0},
		{[]string{"WATCHDOG_USEC=-5"}, 0},
		{[]string{"WATCHDOG_USEC=soon"}, 0},
		{nil, 0},
	} {
		if got := systemd.New(append(test.environ, "NOTIFY_SOCKET=/x"), 7).Watchdog(); got != test.want {
			t.Errorf("%v: got %s, want %s", test.environ, got, test.want)
		}
	}
}
