package main

import (
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/shuqiao/shuqiao/internal/hubtest"
	"github.com/shuqiao/shuqiao/internal/pgtest"
)

// The real binary serves, ends with 0 on the signal of Ctrl-C, says in one sentence that a port is taken, comes back after
// being killed, and lets the evidence be verified beside it.
func TestServeProcess(t *testing.T) {
	t.Parallel()
	binary := hubtest.Build(t)
	database, folder := pgtest.URL(t), t.TempDir()
	serve := func(args ...string) *hubtest.Process {
		return hubtest.StartProcess(t, binary, append([]string{"serve", "--database-url", database}, args...)...)
	}
	first := serve("--data-dir", folder, "--listen", "127.0.0.1:0")
	url := first.URL(t)
	resp, err := http.Get(url + "/readyz")
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("readiness: %v, %v", resp, err)
	}
	resp.Body.Close()

	blocked := serve("--data-dir", t.TempDir(), "--listen", strings.TrimPrefix(url, "http://"))
	if code := blocked.Wait(20 * time.Second); code != exitEnvironment || !strings.Contains(blocked.Errors(), "--listen") {
		t.Errorf("port taken: exit code %d, %s", code, blocked.Errors())
	}
	locked := serve("--data-dir", folder, "--listen", "127.0.0.1:0")
	if code := locked.Wait(20 * time.Second); code != exitEnvironment {
		t.Errorf("data folder taken: exit code %d, %s", code, locked.Errors())
	}
	keyless := serve("--data-dir", t.TempDir(), "--listen", "127.0.0.1:0")
	if code := keyless.Wait(20 * time.Second); code != exitEnvironment || !strings.Contains(keyless.Errors(), "hub.key") {
		t.Errorf("a second node without the key file: exit code %d, %s", code, keyless.Errors())
	}
	other := t.TempDir()
	hubtest.CopyKey(t, folder, other)
	second := serve("--data-dir", other, "--listen", "127.0.0.1:0")
	second.URL(t)
	if code := second.Stop(20 * time.Second); code != exitOK {
		t.Errorf("stopping: exit code %d", code)
	}

	first.Kill()
	if _, err := net.DialTimeout("tcp", strings.TrimPrefix(url, "http://"), time.Second); err == nil {
		t.Error("the killed hub still listens")
	}
	again := serve("--data-dir", folder, "--listen", "127.0.0.1:0")
	again.URL(t)
	verify := hubtest.StartProcess(t, binary, "audit", "verify", "--database-url", database)
	if code := verify.Wait(20 * time.Second); code != exitOK || !strings.Contains(verify.Output(), "OK") {
		t.Errorf("verifying: exit code %d, %s%s", code, verify.Output(), verify.Errors())
	}
	if code := again.Stop(20 * time.Second); code != exitOK {
		t.Errorf("stopping: exit code %d", code)
	}
}

// An operator sets a hub up from the command line, once: on a database that a hub has prepared and on an empty one, as it
// is before the first start.
func TestSetupCommand(t *testing.T) {
	t.Parallel()
	for name, database := range map[string]func(testing.TB) string{"prepared": pgtest.URL, "empty": pgtest.Empty} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			args := []string{"setup", "--database-url", database(t), "--name", "示例市数据局", "--uscc", hubtest.USCC(0), "--division", hubtest.Division}
			var out, errOut strings.Builder
			if code := run(t.Context(), args, nil, &out, &errOut); code != exitOK || strings.Count(out.String(), "\n") != 5 {
				t.Fatalf("exit code %d: %s%s", code, out.String(), errOut.String())
			}
			if code := run(t.Context(), args, nil, &out, &errOut); code != exitRuntime {
				t.Errorf("a second time: exit code %d, %s", code, errOut.String())
			}
		})
	}
}

// Setup names every wrong field with what is wrong about it, and leaves the database alone.
func TestSetupCommandNamesFields(t *testing.T) {
	t.Parallel()
	var out, errOut strings.Builder
	code := run(t.Context(), []string{"setup", "--name", " ", "--uscc", "x", "--division", "1", "--data-dir", "/nonexistent"}, nil, &out, &errOut)
	want := "shuqiao: correct these fields: name, uscc, division\n  name: say what the authority is called\n" +
		"  uscc: a credit code has 18 characters\n  division: a division code has 6, 9 or 12 digits\n"
	if code != exitValidation || errOut.String() != want {
		t.Errorf("exit code %d, says %q, want %q", code, errOut.String(), want)
	}
}
