package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"

	"github.com/shuqiao/shuqiao/internal/config"
)

func deployed(t *testing.T, name string) string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("../../deploy", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// parseCommand parses a command line with the binary's own flags and returns the command's name.
func parseCommand(t *testing.T, args []string) (commands, string) {
	t.Helper()
	var cli commands
	parser, err := newParser(&cli, args, kong.Exit(func(int) {}))
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := parser.Parse(args)
	if err != nil {
		t.Fatalf("%q: %v", args, err)
	}
	return cli, parsed.Command()
}

// The unit runs a command line that the binary takes, as a user of its own, on folders that the other files make, and waits
// for what the hub tells it.
func TestUnit(t *testing.T) {
	t.Parallel()
	unit := map[string]string{}
	for line := range strings.Lines(deployed(t, "shuqiao.service")) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok && !strings.HasPrefix(name, "#") {
			if _, twice := unit[name]; twice {
				t.Errorf("%s is given twice", name)
			}
			unit[name] = value
		}
	}
	words := strings.Fields(unit["ExecStart"])
	if len(words) < 2 || words[0] != "/usr/local/bin/shuqiao" {
		t.Fatalf("ExecStart=%s", unit["ExecStart"])
	}
	cli, command := parseCommand(t, words[1:])
	if command != "serve" || cli.Serve.LogFormat != string(config.LogJSON) {
		t.Errorf("the unit runs %q with %+v", command, cli.Serve)
	}
	for name, want := range map[string]string{
		"Type": "notify", "User": "shuqiao", "ReadWritePaths": cli.Serve.DataDir, "ProtectSystem": "strict", "NoNewPrivileges": "yes",
		"CapabilityBoundingSet": "", "KillMode": "mixed", "RestartPreventExitStatus": "2",
	} {
		if got, ok := unit[name]; !ok || got != want {
			t.Errorf("%s=%s, want %s", name, got, want)
		}
	}
	folders := deployed(t, "shuqiao.tmpfiles")
	for _, folder := range []string{cli.Serve.DataDir, filepath.Dir(cli.ConfigFile)} {
		if !regexp.MustCompile(`(?m)^d ` + folder + ` 07[05]0 `).MatchString(folders) {
			t.Errorf("no file makes %s", folder)
		}
	}
	if !regexp.MustCompile(`(?m)^u ` + unit["User"] + ` `).MatchString(deployed(t, "shuqiao.sysusers")) {
		t.Errorf("no file makes the user %s", unit["User"])
	}
}

// Every setting of the sample file, also those that are commented out, is one that the hub knows and takes, and that the other
// samples rely on.
func TestSampleSettings(t *testing.T) {
	t.Parallel()
	text := regexp.MustCompile(`(?m)^#(SHUQIAO_)`).ReplaceAllString(deployed(t, "shuqiao.conf"), "$1")
	secret := filepath.Join(t.TempDir(), "database-url")
	if err := os.WriteFile(secret, []byte("postgres://hub@db.example.org/hub"), 0o600); err != nil {
		t.Fatal(err)
	}
	text = strings.ReplaceAll(text, "/etc/shuqiao/database-url", secret)
	file := filepath.Join(t.TempDir(), "shuqiao.conf")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := config.Load(config.Sources{File: file})
	if err != nil || len(cfg.Warnings) > 0 {
		t.Fatalf("%v, %v", err, cfg.Warnings)
	}
	if cfg.TLSCert == "" || len(cfg.Proxies) == 0 || cfg.DatabaseURL == "" {
		t.Error("the sample leaves out what it is for")
	}
	for _, name := range []string{"nginx.conf", "Caddyfile"} {
		for line := range strings.Lines(deployed(t, name)) {
			if _, setting, ok := strings.Cut(line, "SHUQIAO_"); ok && strings.Contains(setting, "=") {
				key, value, _ := strings.Cut(strings.TrimSpace("SHUQIAO_"+setting), "=")
				if _, err := config.Load(config.Sources{Environ: []string{key + "=" + value}}); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			}
		}
	}
}

// Both images run a command line that the binary takes, and not as root.
func TestContainerfile(t *testing.T) {
	t.Parallel()
	text := deployed(t, "Containerfile")
	var entry, args [][]string
	for line := range strings.Lines(text) {
		for name, into := range map[string]*[][]string{"ENTRYPOINT ": &entry, "CMD ": &args} {
			if list, ok := strings.CutPrefix(line, name); ok {
				var words []string
				if err := json.Unmarshal([]byte(list), &words); err != nil {
					t.Fatalf("%q: %v", line, err)
				}
				*into = append(*into, words)
			}
		}
	}
	if len(entry) != 2 || len(args) != 2 || strings.Count(text, "USER 10001:10001\n") != 2 {
		t.Fatalf("entry points %v, commands %v", entry, args)
	}
	for i := range entry {
		if !slices.Equal(entry[i], []string{"/usr/local/bin/shuqiao"}) {
			t.Errorf("entry point %v", entry[i])
		}
		cli, command := parseCommand(t, args[i])
		if command != "serve" || cli.Serve.DataDir != "/var/lib/shuqiao" {
			t.Errorf("%q runs %q on %q", args[i], command, cli.Serve.DataDir)
		}
	}
}

// The version says in one line what somebody who reports a fault is asked for.
func TestVersionCommand(t *testing.T) {
	t.Parallel()
	var out, errOut strings.Builder
	code := run(t.Context(), []string{"version"}, nil, &out, &errOut)
	if !regexp.MustCompile(`^shuqiao \S+ \(commit of \S.*, go\S+ \w+/\w+\)\n$`).MatchString(out.String()) || code != exitOK {
		t.Errorf("exit code %d, %q", code, out.String())
	}
}
