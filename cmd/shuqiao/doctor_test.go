package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/alecthomas/kong"

	"github.com/shuqiao/shuqiao/audit"
	"github.com/shuqiao/shuqiao/internal/config"
	"github.com/shuqiao/shuqiao/internal/pgtest"
)

// Doctor ends with 0 where only warnings are found and with 3 where something fails, in words and as JSON, and never shows
// the password of the database.
func TestDoctorCommand(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	doctor := func(database string, more ...string) (int, string, string) {
		var out, errOut strings.Builder
		args := append([]string{"doctor", "--data-dir", folder, "--listen", "127.0.0.1:0"}, more...)
		code := run(t.Context(), args, []string{"SHUQIAO_DATABASE_URL=" + database}, &out, &errOut)
		return code, out.String(), errOut.String()
	}
	if code, out, errOut := doctor(pgtest.URL(t)); code != exitOK || !strings.Contains(out, "warn  setup ") || !strings.Contains(out, "mend:  Open the setup link") {
		t.Errorf("warnings only: exit code %d\n%s%s", code, out, errOut)
	}
	const dead = "postgres://hub:SECRET@127.0.0.1:1/hub?sslmode=disable"
	code, out, errOut := doctor(dead)
	if code != exitEnvironment || !strings.Contains(out, "fail  database ") || errOut != "shuqiao: 1 thing is wrong\n" || strings.Contains(out, "SECRET") {
		t.Errorf("a dead database: exit code %d\n%s%s", code, out, errOut)
	}
	code, out, _ = doctor(dead, "-o", "json")
	var answer struct {
		Status   string `json:"status"`
		Findings []struct {
			Check, Status, Found, Cause, Mend string
		} `json:"findings"`
	}
	if err := json.Unmarshal([]byte(out), &answer); err != nil || code != exitEnvironment || answer.Status != "fail" || len(answer.Findings) < 8 {
		t.Errorf("as JSON: exit code %d, %v\n%s", code, err, out)
	}
}

// The settings that would be served with are shown with where each comes from and without secrets, also as JSON; wrong ones
// end with 2.
func TestConfigCommand(t *testing.T) {
	t.Parallel()
	environ := []string{"SHUQIAO_DATABASE_URL=postgres://hub:HUSHHUSH@db/hub", "SHUQIAO_WORKERS=7"}
	for _, c := range []struct {
		args []string
		want int
		says string
	}{
		{[]string{"config", "--listen", "127.0.0.1:9"}, exitOK, "SHUQIAO_LISTEN=127.0.0.1:9  # flag\n"},
		{[]string{"config"}, exitOK, "SHUQIAO_DATABASE_URL=***  # environment\n"},
		{[]string{"config", "show"}, exitOK, "SHUQIAO_WORKERS=7  # environment\n"},
		{[]string{"config", "-o", "json"}, exitOK, `"value": "***",`},
		{[]string{"config", "sample"}, exitOK, "\n#SHUQIAO_WORKERS=2\n"},
		{[]string{"config", "sample", "--language", "zh-CN"}, exitOK, "密文项"},
		{[]string{"config", "--role", "HUSHHUSH"}, exitValidation, "--role"},
	} {
		var out, errOut strings.Builder
		code := run(t.Context(), c.args, environ, &out, &errOut)
		if said := out.String() + errOut.String(); code != c.want || !strings.Contains(said, c.says) || strings.Contains(said, "HUSHHUSH") {
			t.Errorf("%v: exit code %d\n%s", c.args, code, said)
		}
	}
}

// Every option is a flag of serve and reaches the settings, as docs/configuration.md says.
func TestEveryOptionIsAFlag(t *testing.T) {
	t.Parallel()
	for _, o := range config.Options() {
		var cli commands
		parser, err := newParser(&cli, []string{"serve"}, kong.Exit(func(int) {}))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := parser.Parse([]string{"serve", "--" + o.Key + "=x"}); err != nil {
			t.Errorf("serve has no flag --%s: %v", o.Key, err)
			continue
		}
		if got := cli.Serve.given()[o.Key]; got != "x" {
			t.Errorf("--%s does not reach the settings: add it to serveCommand.given", o.Key)
		}
	}
}

// The verifier key is printed alone, is the one of the data folder, and is not made where no hub has run.
func TestAuditKey(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	key := func() (int, string) {
		var out, errOut strings.Builder
		code := run(t.Context(), []string{"audit", "key", "--data-dir", folder}, nil, &out, &errOut)
		return code, out.String()
	}
	if code, out := key(); code != exitValidation || out != "" {
		t.Errorf("no key: exit code %d, %q", code, out)
	}
	if _, err := os.Stat(filepath.Join(folder, audit.KeyFile)); err == nil {
		t.Error("a key was made")
	}
	_, want, err := audit.LoadOrCreateSigner(folder)
	if err != nil {
		t.Fatal(err)
	}
	if code, out := key(); code != exitOK || out != want+"\n" {
		t.Errorf("exit code %d, got %q, want %q", code, out, want)
	}
}
