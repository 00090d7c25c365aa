package main

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"github.com/shuqiao/shuqiao/internal/fault"
)

// Every kind of fault has an exit code other than 0, and there is none for anything else.
func TestExitTableIsComplete(t *testing.T) {
	t.Parallel()
	table := exitCodes()
	for _, kind := range fault.Kinds() {
		if code := table[kind]; code < exitRuntime || code > exitOver {
			t.Errorf("%s has exit code %d", kind, code)
		}
		delete(table, kind)
	}
	if len(table) > 0 {
		t.Errorf("exit codes of unknown kinds: %v", table)
	}
}

// A wrong command line ends with 2 and one sentence, a version with 0.
func TestCommandLine(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		args []string
		want int
		out  string
	}{
		{[]string{"version"}, exitOK, "shuqiao "},
		{[]string{"--help"}, exitOK, "Usage"},
		{[]string{"fly"}, exitValidation, ""},
		{[]string{"serve", "--role", "king"}, exitValidation, ""},
		{[]string{"serve", "--database-url", "mysql://x"}, exitValidation, ""},
		{[]string{"setup", "--name", "n", "--uscc", "x", "--division", "y", "--data-dir", "/nonexistent"}, exitValidation, ""},
		{[]string{"migrate", "status", "--database-url", "postgres://nobody@127.0.0.1:1/none?connect_timeout=1"}, exitEnvironment, ""},
	} {
		var out, errOut bytes.Buffer
		got := run(context.Background(), c.args, nil, &out, &errOut)
		if got != c.want || !strings.Contains(out.String(), c.out) {
			t.Errorf("%v: got %d, %q, %q", c.args, got, out.String(), errOut.String())
		}
		if got != exitOK && !strings.HasPrefix(errOut.String(), "shuqiao: ") {
			t.Errorf("%v: says %q", c.args, errOut.String())
		}
	}
}
