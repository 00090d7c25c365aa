package main

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/shuqiao/shuqiao/internal/hubtest"
	"github.com/shuqiao/shuqiao/internal/pgtest"
)

// openTerminal makes a pseudo terminal: its keyboard and screen, and what a program has as standard input and output.
func openTerminal(t *testing.T) (person, program *os.File) {
	t.Helper()
	person, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = person.Close() })
	fd := int(person.Fd())
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	program, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = program.Close() })
	return person, program
}

// At a terminal setup asks for what was not given, asks again for what is wrong, and shows no password that is typed.
func TestSetupAsks(t *testing.T) {
	t.Parallel()
	person, program := openTerminal(t)
	database := pgtest.URL(t)
	var errOut strings.Builder
	exited := make(chan int, 1)
	go func() {
		exited <- runFrom(t.Context(), []string{"setup", "--database-url", database, "--name", "示例市数据局"}, nil, program, program, &errOut)
		_ = program.Close()
	}()
	shown := make(chan string, 64)
	go func() {
		defer close(shown)
		buffer := make([]byte, 4096)
		for {
			n, err := person.Read(buffer)
			if err != nil {
				return
			}
			shown <- string(buffer[:n])
		}
	}()
	screen, seen := "", 0
	wait := func(text string) {
		t.Helper()
		limit := time.After(20 * time.Second)
		for !strings.Contains(screen[seen:], text) {
			select {
			case more, ok := <-shown:
				if !ok {
					t.Fatalf("the program ended before it said %q:\n%s\n%s", text, screen, errOut.String())
				}
				screen += more
			case <-limit:
				t.Fatalf("the program does not say %q:\n%s", text, screen)
			}
		}
		seen += strings.Index(screen[seen:], text) + len(text)
	}
	const typed = "Typed-Passw0rd"
	for _, turn := range [][2]string{
		{"credit code: ", "123"},
		{"credit code: ", hubtest.USCC(0)},
		{"division code, 6 digits: ", hubtest.Division},
		{"[system_admin]: ", "wang"},
		{"[系统管理员]: ", "示例甲"},
		{"made up]: ", "simple"},
		{"made up]: ", typed},
		{"again: ", "another"},
		{"made up]: ", typed},
		{"again: ", typed},
		{"[security_admin]: ", ""},
		{"[安全管理员]: ", ""},
		{"made up]: ", ""},
		{"[auditor]: ", ""},
		{"[审计管理员]: ", ""},
		{"made up]: ", ""},
		{"[platform_operator]: ", "-"},
	} {
		wait(turn[0])
		if _, err := person.WriteString(turn[1] + "\n"); err != nil {
			t.Fatal(err)
		}
	}
	wait("Write their passwords down")
	if code := <-exited; code != exitOK {
		t.Fatalf("exit code %d: %s", code, errOut.String())
	}
	for more := range shown {
		screen += more
	}
	if strings.Contains(screen, typed) || !strings.Contains(screen, "at least 12 characters") || !strings.Contains(screen, "the two differ") {
		t.Errorf("the screen shows:\n%s", screen)
	}
}
