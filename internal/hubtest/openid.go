package hubtest

import (
	"bufio"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// ProviderEnv names the OpenID provider's binary where it was built before the tests.
const ProviderEnv = "SHUQIAO_TEST_OPENID_PROVIDER"

// ProviderSecret is the hub's client secret at the provider of StartProvider, ProviderClient its id.
const (
	ProviderClient = "hub"
	ProviderSecret = "provider-secret"
)

// ProviderPerson is somebody whom the provider knows. The one named "Otp" signs in with a one-time code, says the provider.
type ProviderPerson struct {
	ID        string // The subject.
	Username  string
	Password  string
	FirstName string
}

// StartProvider runs a real OpenID provider as a process of its own until the test ends and returns its issuer.
func StartProvider(t testing.TB, redirect string, people ...ProviderPerson) string {
	t.Helper()
	binary := os.Getenv(ProviderEnv)
	if binary == "" {
		binary = filepath.Join(t.TempDir(), "openid-provider")
		build := exec.CommandContext(t.Context(), "go", "build", "-o", binary, ".")
		build.Dir = filepath.Join(moduleRoot(t), "internal", "openidtest")
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			t.Fatalf("building the provider: %v\n%s", err, out)
		}
	}
	byID := map[string]ProviderPerson{}
	for _, p := range people {
		byID[p.ID] = p
	}
	raw, err := json.Marshal(byID)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "people.json")
	if err := os.WriteFile(file, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	log := &lockedBuffer{}
	cmd := exec.Command(binary, file, redirect)
	cmd.Stderr = log
	stdin, err := cmd.StdinPipe() // The provider ends when this closes, also with a test that was killed.
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatalf("starting the provider: %v", err)
	}
	t.Cleanup(func() {
		_ = stdin.Close()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("log of the provider:\n%s", log.tail(100))
		}
	})
	issuer, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatalf("the provider does not serve: %v", err)
	}
	return strings.TrimSpace(issuer)
}

func moduleRoot(t testing.TB) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}").Output()
	if err != nil {
		t.Fatalf("finding the module: %v", err)
	}
	return strings.TrimSpace(string(out))
}
