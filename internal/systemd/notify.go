package systemd

import (
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"
)

// patience is how long a message may wait for room in the manager's queue.
const patience = 200 * time.Millisecond

// Notifier tells the service manager how the program is. A nil Notifier tells nobody.
type Notifier struct {
	socket   string
	watchdog time.Duration
}

// New returns a notifier as the environment ("KEY=value" entries) of the process pid asks for, or nil where no service manager
// listens: NOTIFY_SOCKET, and WATCHDOG_USEC with WATCHDOG_PID (sd_watchdog_enabled(3)).
func New(environ []string, pid int) *Notifier {
	given := map[string]string{}
	for _, entry := range environ {
		name, value, _ := strings.Cut(entry, "=")
		given[name] = value
	}
	socket := given["NOTIFY_SOCKET"]
	if !strings.HasPrefix(socket, "/") && !strings.HasPrefix(socket, "@") {
		return nil
	}
	n := &Notifier{socket: socket}
	usec, err := strconv.ParseInt(given["WATCHDOG_USEC"], 10, 64)
	if of := given["WATCHDOG_PID"]; err == nil && usec > 0 && (of == "" || of == strconv.Itoa(pid)) {
		n.watchdog = time.Duration(usec) * time.Microsecond
	}
	return n
}

// Send sends assignments such as "READY=1", several in one message.
func (n *Notifier) Send(assignments ...string) error {
	if n == nil {
		return nil
	}
	// net turns a leading @ into the abstract name space, as the protocol wants.
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: n.socket, Net: "unixgram"})
	if err != nil {
		return fmt.Errorf("reaching the service manager: %w", err)
	}
	defer func() { _ = conn.Close() }()
	// A manager that does not read holds nobody up.
	if err := conn.SetWriteDeadline(time.Now().Add(patience)); err != nil {
		return fmt.Errorf("telling the service manager: %w", err)
	}
	if _, err := conn.Write([]byte(strings.Join(assignments, "\n"))); err != nil {
		return fmt.Errorf("telling the service manager: %w", err)
	}
	return nil
}

// Watchdog returns how often the manager wants to be told "WATCHDOG=1" at the least; 0 means never.
func (n *Notifier) Watchdog() time.Duration {
	if n == nil {
		return 0
	}
	return n.watchdog
}
