// Command withpg runs its command line with SHUQIAO_TEST_DATABASE_URL naming a PostgreSQL server, and ends with the
// command's exit code. When the variable is set already, that server is used; else the shared private one of
// internal/pgtest is started before and, unless others use it, stopped after.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"time"

	"github.com/shuqiao/shuqiao/internal/pgtest"
)

func main() {
	code, err := run(os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "withpg:", err)
	}
	os.Exit(code)
}

// usageError, notRunnable: the exit codes a shell gives for a wrong use and for a command that cannot be run.
const (
	usageError  = 2
	notRunnable = 127
	failed      = 1
)

func run(args []string) (int, error) {
	if len(args) == 0 {
		return usageError, errors.New("usage: withpg command [argument ...]")
	}
	// Caught from the start: an interrupted start must still stop the server. The command gets the terminal's Ctrl-C
	// itself; a signal sent to us alone is passed on.
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)

	server, err := pgtest.Acquire(context.Background())
	if err != nil {
		return failed, err
	}
	code, err := runCommand(args, server.URL(), signals)
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if stopErr := server.Stop(ctx); stopErr != nil {
		return max(code, failed), errors.Join(err, stopErr)
	}
	return code, err
}

func runCommand(args []string, url string, signals <-chan os.Signal) (int, error) {
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Env = append(os.Environ(), pgtest.ServerEnv+"="+url)
	if err := cmd.Start(); err != nil {
		return notRunnable, err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	for {
		select {
		case sig := <-signals:
			if sig != os.Interrupt {
				_ = cmd.Process.Signal(sig) // It may just have ended.
			}
		case err := <-ended:
			exit, ok := errors.AsType[*exec.ExitError](err)
			if !ok {
				return 0, err
			}
			if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() {
				return 128 + int(status.Signal()), nil
			}
			return exit.ExitCode(), nil
		}
	}
}
