package main

import (
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/shuqiao/shuqiao/api/client"
	"github.com/shuqiao/shuqiao/internal/hubtest"
	"github.com/shuqiao/shuqiao/internal/pgtest"
)

// The real binary serves, prints a link by which it is set up, ends with 0 on the signal of Ctrl-C, says in one sentence that a port is taken, comes back after
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
	link := first.WaitLine(t, "  "+url+"/setup?token=", 10*time.Second)
	setUpByLink(t, url, link)
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
	if strings.Contains(again.Output(), "token") {
		t.Errorf("a hub that is set up prints a link: %s", again.Output())
	}
	verify := hubtest.StartProcess(t, binary, "audit", "verify", "--database-url", database)
	if code := verify.Wait(20 * time.Second); code != exitOK || !strings.Contains(verify.Output(), "OK") {
		t.Errorf("verifying: exit code %d, %s%s", code, verify.Output(), verify.Errors())
	}
	if code := again.Stop(20 * time.Second); code != exitOK {
		t.Errorf("stopping: exit code %d", code)
	}
}

// setUpByLink sets a hub up with the token that it printed.
func setUpByLink(t *testing.T, url, token string) {
	t.Helper()
	account := func(name string) client.Account {
		return client.Account{Username: name, DisplayName: "示例", Password: hubtest.Password}
	}
	_, err := client.New(url+"/api/v1", "").SetUp(t.Context(), token, client.FirstAccounts{
		Authority:   client.Authority{USCC: hubtest.USCC(0), Name: "示例市数据局", DivisionCode: hubtest.Division},
		SystemAdmin: account("system_admin"), SecurityAdmin: account("security_admin"), Auditor: account("auditor"),
	})
	if err != nil {
		t.Fatalf("setting up: %v", err)
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

// A file of answers sets a hub up with the passwords in it and makes up those that are missing. What the hub does not
// understand is refused without being repeated, and where nothing is said and nobody can be asked, it says what to give.
func TestSetupAnswers(t *testing.T) {
	t.Parallel()
	database := pgtest.URL(t)
	setup := func(in string, more ...string) (int, string) {
		var out, errOut strings.Builder
		args := append([]string{"setup", "--database-url", database}, more...)
		code := runFrom(t.Context(), args, nil, strings.NewReader(in), &out, &errOut)
		return code, out.String() + errOut.String()
	}
	const people = `"system_admin":{"username":"wang","display_name":"示例甲","password":"SECRET-pass-1"},
		"security_admin":{"username":"zhao","display_name":"示例乙"},"auditor":{"username":"qian","display_name":"示例丙"}`
	authority := `{"authority":{"uscc":"` + hubtest.USCC(0) + `","name":"示例市数据局","division_code":"330600"},`
	for name, c := range map[string]struct {
		in   string
		args []string
	}{
		"an unknown name":        {authority + people + `,"SECRET":1}`, []string{"--answers", "-"}},
		"no JSON":                {"SECRET", []string{"--answers", "-"}},
		"too much":               {strings.Repeat(" ", maxAnswers+1), []string{"--answers", "-"}},
		"a simple password":      {authority + strings.Replace(people, "SECRET-pass-1", "secretsecret", 1) + "}", []string{"--answers", "-"}},
		"no file":                {"", []string{"--answers", t.TempDir() + "/none"}},
		"answers and flags":      {"", []string{"--answers", "-", "--name", "n"}},
		"nothing, nobody to ask": {"", nil},
	} {
		code, said := setup(c.in, c.args...)
		if code != exitValidation || strings.Contains(said, "SECRET") || strings.Contains(said, "secretsecret") {
			t.Errorf("%s: exit code %d, %s", name, code, said)
		}
	}
	code, said := setup(authority+people+"}", "--answers", "-")
	if code != exitOK || !strings.Contains(said, "zhao") || strings.Contains(said, "wang") || strings.Count(said, "\n") != 3 {
		t.Errorf("exit code %d, %s", code, said)
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
