package hubtest

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// BinaryEnv names a binary that was built before the tests, so that they need not each build it.
const BinaryEnv = "SHUQIAO_TEST_BINARY"

// FiguresEnv names a file that measured figures are appended to, for whoever runs the tests without -v.
const FiguresEnv = "SHUQIAO_TEST_FIGURES"

// Figure logs a measured figure, and appends it to the file of FiguresEnv.
func Figure(t testing.TB, format string, args ...any) {
	t.Helper()
	t.Logf(format, args...)
	path := os.Getenv(FiguresEnv)
	if path == "" {
		return
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		t.Fatalf("opening the file of figures: %v", err)
	}
	defer f.Close()
	if _, err := fmt.Fprintf(f, t.Name()+": "+format+"\n", args...); err != nil {
		t.Fatalf("writing a figure: %v", err)
	}
}

// Build compiles the real binary, without the race detector, and returns its path. Compile once and start often.
func Build(t testing.TB) string {
	t.Helper()
	if built := os.Getenv(BinaryEnv); built != "" {
		return built
	}
	path := filepath.Join(t.TempDir(), "shuqiao")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-o", path, "github.com/shuqiao/shuqiao/cmd/shuqiao")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("building the binary: %v\n%s", err, out)
	}
	return path
}

// Process is a hub in a process of its own.
type Process struct {
	cmd    *exec.Cmd
	out    *lockedBuffer
	err    *lockedBuffer
	lines  chan string
	exited chan struct{}
	once   sync.Once
}

// StartProcess starts the binary. It is killed when the test ends.
func StartProcess(t testing.TB, binary string, args ...string) *Process {
	t.Helper()
	return StartProcessIn(t, nil, binary, args...)
}

// StartProcessIn is StartProcess with "KEY=value" entries that are added to the environment.
func StartProcessIn(t testing.TB, environ []string, binary string, args ...string) *Process {
	t.Helper()
	p := &Process{out: &lockedBuffer{}, err: &lockedBuffer{}, lines: make(chan string, 1024), exited: make(chan struct{})}
	p.cmd = exec.Command(binary, args...)
	p.cmd.Stderr = p.err
	p.cmd.Env = append(os.Environ(), "SHUQIAO_SOURCE_NETWORKS="+LocalNetworks, "SHUQIAO_NOTICE_NETWORKS="+LocalNetworks)
	p.cmd.Env = append(p.cmd.Env, environ...)
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatalf("making a pipe: %v", err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatalf("starting the binary: %v", err)
	}
	go func() {
		defer close(p.exited)
		scanner := bufio.NewScanner(stdout)
		for scanner.Scan() {
			_, _ = p.out.Write(append(scanner.Bytes(), '\n'))
			select {
			case p.lines <- scanner.Text():
			default:
			}
		}
		close(p.lines)
		_ = p.cmd.Wait()
	}()
	t.Cleanup(func() {
		p.Kill()
		if t.Failed() {
			t.Logf("standard output of the process:\n%s\nstandard error:\n%s", p.out.String(), p.err.tail(200))
		}
	})
	return p
}

// WaitLine returns the first line of standard output that starts with prefix, without it, and fails the test when the
// process ends or the limit passes first.
func (p *Process) WaitLine(t testing.TB, prefix string, limit time.Duration) string {
	t.Helper()
	deadline := time.After(limit)
	for {
		select {
		case line, ok := <-p.lines:
			if !ok {
				t.Fatalf("the process ended before it printed %q\n%s", prefix, p.err.tail(50))
			}
			if rest, found := strings.CutPrefix(line, prefix); found {
				return rest
			}
		case <-deadline:
			t.Fatalf("the process did not print %q in time\n%s", prefix, p.err.tail(50))
		}
	}
}

// URL waits until the hub serves and returns where.
func (p *Process) URL(t testing.TB) string {
	t.Helper()
	return p.WaitLine(t, "listening on ", 60*time.Second)
}

// PID returns the process id.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Kill ends the process at once, as a power failure would, and waits for it. It is safe to call twice.
func (p *Process) Kill() {
	p.once.Do(func() { _ = p.cmd.Process.Kill() })
	<-p.exited
}

// Stop sends the signal that Ctrl-C sends and returns the exit code, -1 when the process has not ended within the limit.
func (p *Process) Stop(limit time.Duration) int {
	_ = p.cmd.Process.Signal(syscall.SIGINT)
	return p.Wait(limit)
}

// Signal sends a signal.
func (p *Process) Signal(s syscall.Signal) { _ = p.cmd.Process.Signal(s) }

// Wait returns the exit code when the process has ended, -1 when it has not within the limit.
func (p *Process) Wait(limit time.Duration) int {
	select {
	case <-p.exited:
		return p.cmd.ProcessState.ExitCode()
	case <-time.After(limit):
		return -1
	}
}

// Output returns what the process has written to standard output.
func (p *Process) Output() string { return p.out.String() }

// Errors returns what the process has written to standard error.
func (p *Process) Errors() string { return p.err.String() }
