package config_test

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/shuqiao/shuqiao/internal/config"
	"github.com/shuqiao/shuqiao/internal/fault"
)

var update = flag.Bool("update", false, "write the option tables into docs/configuration.md, and the sample settings files")

const (
	documentation = "../../docs/configuration.md"
	samples       = "../../deploy" // Folder of the sample settings files.
)

func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "settings")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func load(t *testing.T, sources config.Sources) config.Config {
	t.Helper()
	c, err := config.Load(sources)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func dump(t *testing.T, c config.Config) string {
	t.Helper()
	var b strings.Builder
	if err := c.Dump(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// Without any source the defaults are in force.
func TestDefaults(t *testing.T) {
	t.Parallel()
	c := load(t, config.Sources{})
	type shown struct {
		DatabaseURL, DataDir, Listen string
		Role                         config.Role
		LogLevel                     slog.Level
		LogFormat                    config.LogFormat
		NodeTakeover                 time.Duration
		Workers                      int
		BodyLimit                    int64
		TimeZone                     string
	}
	got := shown{
		c.DatabaseURL.Reveal(), c.DataDir, c.Listen, c.Role, c.LogLevel, c.LogFormat, c.NodeTakeover, c.Workers, c.BodyLimit,
		c.TimeZone.String(),
	}
	want := shown{"", "", "127.0.0.1:8080", config.RoleAll, slog.LevelInfo, config.LogText, 8 * time.Second, 2, 1 << 20, "Asia/Shanghai"}
	if diff := cmp.Diff(want, got); diff != "" || c.Warnings != nil {
		t.Errorf("warnings %v (-want +got):\n%s", c.Warnings, diff)
	}
}

// Each source wins over the ones before it: defaults, file, environment, flags.
func TestLaterSourcesWin(t *testing.T) {
	t.Parallel()
	sources := config.Sources{
		File: write(t, "# of the city\n\nSHUQIAO_WORKERS = 3\nSHUQIAO_LISTEN='0.0.0.0:1'\nSHUQIAO_ROLE=\"api\"\r\nSHUQIAO_LOG_LEVEL=debug\n"),
		Environ: []string{
			"PATH=/bin", "SHUQIAO_LISTEN=0.0.0.0:2", "SHUQIAO_ROLE=worker", "SHUQIAO_BODY_LIMIT=64KiB",
			"SHUQIAO_TEST_DATABASE_URL=postgres://x/y",
		},
		Flags: map[string]string{"role": "all", "node-takeover": "1s"},
	}
	c := load(t, sources)
	want := `SHUQIAO_DATABASE_URL=  # default
SHUQIAO_DATA_DIR=  # default
SHUQIAO_LISTEN=0.0.0.0:2  # environment
SHUQIAO_ROLE=all  # flag
SHUQIAO_LOG_LEVEL=debug  # file
SHUQIAO_LOG_FORMAT=text  # default
SHUQIAO_NODE_TAKEOVER=1s  # flag
SHUQIAO_WORKERS=3  # file
SHUQIAO_BODY_LIMIT=64KiB  # environment
SHUQIAO_SOURCE_NETWORKS=default  # default
SHUQIAO_NOTICE_NETWORKS=default  # default
SHUQIAO_EXPORTS_DIR=  # default
SHUQIAO_EXPORT_KEEP=168h  # default
SHUQIAO_EXPORT_SPACE=50GiB  # default
SHUQIAO_RESOURCE_CODE_PREFIX=  # default
SHUQIAO_TIME_ZONE=Asia/Shanghai  # default
SHUQIAO_TLS_CERT=  # default
SHUQIAO_TLS_KEY=  # default
SHUQIAO_TLS_CLIENT_CA=  # default
SHUQIAO_TRUSTED_PROXIES=  # default
SHUQIAO_PROXY_HEADER=x-forwarded  # default
SHUQIAO_PASSWORD_MIN_LENGTH=12  # default
SHUQIAO_PASSWORD_MAX_AGE=90d  # default
SHUQIAO_LOCK_AFTER=5  # default
SHUQIAO_LOCK_FOR=30m  # default
SHUQIAO_SESSION_IDLE=30m  # default
SHUQIAO_SESSION_ABSOLUTE=8h  # default
SHUQIAO_SIGN_IN_RATE=20  # default
SHUQIAO_SECOND_FACTOR=admins  # default
SHUQIAO_PASSWORD_SIGN_IN=true  # default
SHUQIAO_OPENID_ISSUER=  # default
SHUQIAO_OPENID_CLIENT_ID=  # default
SHUQIAO_OPENID_CLIENT_SECRET=  # default
SHUQIAO_OPENID_USERNAME_CLAIM=preferred_username  # default
SHUQIAO_OPENID_TRUST_FACTORS=false  # default
SHUQIAO_PUBLIC_URL=  # default
SHUQIAO_OPEN_DIRECTORY=false  # default
SHUQIAO_RETAIN_USAGE=1096  # default
SHUQIAO_RETAIN_RUNS=366  # default
SHUQIAO_RETAIN_FIRES=366  # default
SHUQIAO_RETAIN_RECONCILIATIONS=366  # default
SHUQIAO_RETAIN_SESSIONS=184  # default
SHUQIAO_RETAIN_REJECTED_ROWS=7  # default
SHUQIAO_RETAIN_REJECTS=184  # default
SHUQIAO_RETAIN_CHANGE_LOG=90  # default
SHUQIAO_RETAIN_LAYOUTS=1  # default
SHUQIAO_RETAIN_EXPORTS=184  # default
SHUQIAO_RETAIN_REVOKED_ROWS=30  # default
SHUQIAO_RETAIN_GRANT_KEYS=90  # default
`
	if diff := cmp.Diff(want, dump(t, c)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if c.BodyLimit != 64<<10 || c.Role != config.RoleAll || c.Listen != "0.0.0.0:2" || c.Workers != 3 || c.Warnings != nil {
		t.Errorf("got %v, warnings %v", c, c.Warnings)
	}
}

// Every wrong setting is named at once, where it was given, and no fault repeats a value.
func TestLoadNamesEveryWrongSetting(t *testing.T) {
	t.Parallel()
	large := write(t, strings.Repeat("x", 64<<10+1))
	_, err := config.Load(config.Sources{
		File: write(t, "SHUQIAO_WORKERS=SECRET\nno equals sign SECRET\nSHUQIAO_LISTEN=\"SECRET\nSHUQIAO_LOG_FORMAT=text\nSHUQIAO_LOG_FORMAT=json\n"),
		Environ: []string{
			"SHUQIAO_DATABASE_URL=mysql://user:SECRET@host/db", "SHUQIAO_ROLE=SECRET", "SHUQIAO_BODY_LIMIT=1SECRET",
			"SHUQIAO_TIME_ZONE=SECRET", "SHUQIAO_LOG_LEVEL=", "SHUQIAO_DATABASE_URL_FILE=" + large,
		},
		Flags: map[string]string{"listen": "SECRET", "node-takeover": "0s", "unheard": "SECRET", "beyond": ""},
	})
	f, ok := errors.AsType[*fault.Fault](err)
	if !ok || f.Kind != fault.Invalid || f.Code != "config_invalid" {
		t.Fatalf("got %v", err)
	}
	var got []string
	for _, field := range f.Fields {
		got = append(got, field.Name+" "+field.Code)
	}
	want := []string{
		"settings file line 2 bad_line", "settings file line 3 bad_line", "settings file line 5 given_twice",
		"SHUQIAO_DATABASE_URL_FILE given_twice", "--beyond unknown", "--unheard unknown",
		"SHUQIAO_DATABASE_URL bad_value", "--listen bad_value", "SHUQIAO_ROLE bad_value", "SHUQIAO_LOG_LEVEL bad_value",
		"--node-takeover bad_value", "SHUQIAO_WORKERS bad_value", "SHUQIAO_BODY_LIMIT bad_value", "SHUQIAO_TIME_ZONE bad_value",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	shown, _ := json.Marshal(f)
	if strings.Contains(err.Error()+string(shown), "SECRET") {
		t.Errorf("the fault repeats a value: %v", err)
	}
	for _, name := range want {
		if place := name[:strings.LastIndex(name, " ")]; !strings.Contains(f.Message, place+": ") {
			t.Errorf("the sentence does not name %s: %s", place, f.Message)
		}
	}
}

// Values at and beyond the bounds of each option.
func TestChecks(t *testing.T) {
	t.Parallel()
	cases := map[string]struct{ right, wrong []string }{
		"database-url":           {[]string{"", "postgres://u:p@h:5432/db?sslmode=require", "postgresql://h/db", "postgres:///db?host=/run/pg"}, []string{"h/db", "postgres:db", "postgres:///db", "postgres://u:%zz@h/db"}},
		"data-dir":               {[]string{"", "/srv/数桥", "relative"}, []string{"a\x00b"}},
		"listen":                 {[]string{"127.0.0.1:0", ":8080", "[::1]:65535", "localhost:80"}, []string{"", "8080", "127.0.0.1", "h:65536", "h:-1", "h:http", "::1:80"}},
		"role":                   {[]string{"all", "api", "worker"}, []string{"", "ALL", "api "}},
		"log-level":              {[]string{"debug", "info", "warn", "error"}, []string{"", "trace", "INFO"}},
		"log-format":             {[]string{"text", "json"}, []string{"", "xml"}},
		"node-takeover":          {[]string{"1s", "8s", "1m0s", "1500ms"}, []string{"", "8", "999ms", "61s", "-8s"}},
		"workers":                {[]string{"1", "64"}, []string{"", "0", "65", "1.5", "-1"}},
		"body-limit":             {[]string{"4096", "4KiB", "64MiB", "65536KiB"}, []string{"", "4095", "65MiB", "1MB", "KiB", "-4KiB", "9223372036854775807MiB", "1.5MiB"}},
		"exports-dir":            {[]string{"", "/srv/导出"}, []string{"a\x00b"}},
		"export-space":           {[]string{"1MiB", "50GiB", "65536GiB"}, []string{"", "1023KiB", "65537GiB", "50GB", "-1GiB", "GiB"}},
		"export-keep":            {[]string{"1h", "168h", "720h"}, []string{"", "59m", "721h", "7d", "-1h"}},
		"source-networks":        {[]string{"", "default", "default,unix,127.0.0.1", "10.0.0.0/8, db.example.gov.cn", "fd00::/8"}, []string{"10.0.0.1/8", "a b", "http://h", "default,,unix", "10.0.0.0/33"}},
		"notice-networks":        {[]string{"default"}, []string{"*"}},
		"time-zone":              {[]string{"Asia/Shanghai", "UTC"}, []string{"", "Local", "Asia/Nowhere", "../etc/passwd", "+08:00"}},
		"tls-cert":               {[]string{"", "/etc/shuqiao/tls/cert.pem"}, []string{"a\x00b"}},
		"tls-key":                {[]string{"", "/etc/shuqiao/tls/key.pem"}, []string{"a\x00b"}},
		"tls-client-ca":          {[]string{"", "/etc/shuqiao/tls/clients.pem"}, []string{"a\x00b"}},
		"retain-usage":           {[]string{"1096", "36500"}, []string{"", "1095", "36501", "1096d", "-1"}},
		"retain-runs":            {[]string{"184", "366"}, []string{"", "183", "36501", "1y"}},
		"retain-fires":           {[]string{"184"}, []string{"183"}},
		"retain-reconciliations": {[]string{"184"}, []string{"183"}},
		"retain-sessions":        {[]string{"184"}, []string{"183"}},
		"retain-rejected-rows":   {[]string{"1"}, []string{"0"}},
		"retain-rejects":         {[]string{"30"}, []string{"29"}},
		"retain-change-log":      {[]string{"7"}, []string{"6"}},
		"retain-layouts":         {[]string{"1"}, []string{"0"}},
		"retain-exports":         {[]string{"184"}, []string{"183"}},
		"retain-revoked-rows":    {[]string{"1", "30"}, []string{"0"}},
		"retain-grant-keys":      {[]string{"1"}, []string{"0"}},
		"trusted-proxies": {
			[]string{"", "10.0.0.0/8", "10.0.0.1, ::1", "fd00::/8,::ffff:10.0.0.1", "0.0.0.0/0"},
			[]string{",", "10.0.0.0/33", "10.0.0.1/8", "localhost", "fe80::1%eth0", "::ffff:10.0.0.0/104", strings.Repeat("::1,", 64) + "::1"},
		},
		"proxy-header":          {[]string{"x-forwarded", "forwarded"}, []string{"", "both"}},
		"password-min-length":   {[]string{"8", "12", "64"}, []string{"", "7", "65", "1.5"}},
		"password-max-age":      {[]string{"0", "1d", "90d", "3650d"}, []string{"", "0d", "3651d", "90", "d", "1.5d", "24h"}},
		"lock-after":            {[]string{"3", "20"}, []string{"", "2", "21"}},
		"lock-for":              {[]string{"1m", "24h"}, []string{"", "59s", "25h"}},
		"session-idle":          {[]string{"5m", "12h"}, []string{"", "4m", "13h"}},
		"session-absolute":      {[]string{"15m", "24h"}, []string{"", "14m", "25h"}},
		"sign-in-rate":          {[]string{"1", "100000"}, []string{"", "0", "100001"}},
		"second-factor":         {[]string{"off", "admins", "all"}, []string{"", "on", "Admins"}},
		"password-sign-in":      {[]string{"true", "false"}, []string{"", "yes", "1"}},
		"openid-issuer":         {[]string{"", "https://id.example.org/realms/city", "http://127.0.0.1:9998/", "http://localhost:1", "http://[::1]:1"}, []string{"id.example.org", "http://id.example.org", "https://", "https://u:p@h", "https://h?x=1", "ftp://h"}},
		"openid-client-id":      {[]string{"", "hub"}, []string{"a\nb"}},
		"openid-client-secret":  {[]string{"", "a b"}, []string{"a\x00"}},
		"openid-username-claim": {[]string{"preferred_username", "sub"}, []string{"a\tb"}},
		"openid-trust-factors":  {[]string{"true", "false"}, []string{"", "no"}},
		"resource-code-prefix":  {[]string{"", "Z", "ZJ33", "Z12345678901"}, []string{"1Z", "Z123456789012", "Z-1", "浙"}},
		"open-directory":        {[]string{"true", "false"}, []string{"", "yes", "1"}},
		"public-url":            {[]string{"", "https://share.example.org", "http://127.0.0.1:8080"}, []string{"share.example.org", "http://share.example.org", "https://h#f"}},
	}
	for _, o := range config.Options() {
		test, ok := cases[o.Key]
		if !ok {
			t.Errorf("%s has no cases", o.Key)
		}
		for _, value := range test.right {
			if err := o.Check(value); err != nil {
				t.Errorf("%s: %q is refused: %v", o.Key, value, err)
			}
		}
		for _, value := range test.wrong {
			if o.Check(value) == nil {
				t.Errorf("%s: %q is taken", o.Key, value)
			}
		}
	}
}

// Names agree with each other, are used once, and every default is a right value.
func TestOptionTable(t *testing.T) {
	t.Parallel()
	form := regexp.MustCompile(`^[a-z]+(-[a-z]+)*$`)
	seen := map[string]bool{}
	for _, o := range config.Options() {
		if want := "SHUQIAO_" + strings.ToUpper(strings.ReplaceAll(o.Key, "-", "_")); o.Env != want || !form.MatchString(o.Key) || seen[o.Key] {
			t.Errorf("%s: variable %s, want %s; seen before: %v", o.Key, o.Env, want, seen[o.Key])
		}
		seen[o.Key] = true
		if err := o.Check(o.Default); err != nil {
			t.Errorf("%s: the default is refused: %v", o.Key, err)
		}
		if o.Doc == "" || o.DocZH == "" {
			t.Errorf("%s is not documented in both languages", o.Key)
		}
	}
}

// A secret can come from a file of its own, in any source, and is shown nowhere.
func TestSecretFromFile(t *testing.T) {
	t.Parallel()
	const dsn = "postgres://hub:pa%20ss=word@db.example.org/hub"
	path := write(t, dsn+"\r\n")
	for name, sources := range map[string]config.Sources{
		"environment":               {Environ: []string{"SHUQIAO_DATABASE_URL_FILE=" + path}},
		"settings file":             {File: write(t, "SHUQIAO_DATABASE_URL_FILE="+path+"\n")},
		"plain in the environment":  {Environ: []string{"SHUQIAO_DATABASE_URL=" + dsn}},
		"environment over the file": {File: write(t, "SHUQIAO_DATABASE_URL=postgres://other/db\n"), Environ: []string{"SHUQIAO_DATABASE_URL_FILE=" + path}},
	} {
		c := load(t, sources)
		if got := c.DatabaseURL.Reveal(); got != dsn {
			t.Errorf("%s: got %q", name, got)
		}
		encoded, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		var log strings.Builder
		slog.New(slog.NewTextHandler(&log, nil)).Info("settings", "config", c)
		shown := dump(t, c) + fmt.Sprintf("%v %+v %#v %s", c, &c, c, c) + string(encoded) + log.String()
		if strings.Contains(shown, "word@") || strings.Contains(shown, "pa%20ss") || !strings.Contains(shown, "SHUQIAO_DATABASE_URL=***  # ") {
			t.Errorf("%s: the secret shows or its line is missing:\n%s", name, shown)
		}
	}
	for name, path := range map[string]string{"missing file": path + ".none", "folder": filepath.Dir(path)} {
		_, err := config.Load(config.Sources{Environ: []string{"SHUQIAO_DATABASE_URL_FILE=" + path}})
		if !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), "SHUQIAO_DATABASE_URL_FILE bad_file") {
			t.Errorf("%s: got %v", name, err)
		}
	}
	_, err := config.Load(config.Sources{File: path + ".none"})
	if !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), "settings file bad_file") {
		t.Errorf("missing settings file: got %v", err)
	}
}

// A variable that no option has warns by name and is otherwise ignored; only secrets have a _FILE form.
func TestUnknownVariablesWarn(t *testing.T) {
	t.Parallel()
	c := load(t, config.Sources{
		File:    write(t, "SHUQIAO_LISTN=1\n"),
		Environ: []string{"SHUQIAO_LISTEN_FILE=/x", "SHUQIAO_TEST_ANYTHING=1", "OTHER=1", "SHUQIAO_=1"},
	})
	want := []string{
		"unknown setting SHUQIAO_LISTN in the file is ignored",
		"unknown setting SHUQIAO_LISTEN_FILE in the environment is ignored",
		"unknown setting SHUQIAO_ in the environment is ignored",
	}
	if diff := cmp.Diff(want, c.Warnings); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// The lines that Dump writes, without their origins, can be given as a settings file again.
func TestDumpReadsBack(t *testing.T) {
	t.Parallel()
	c := load(t, config.Sources{Flags: map[string]string{"workers": "5", "data-dir": "/srv/a b"}})
	var lines []string
	for line := range strings.Lines(dump(t, c)) {
		value, _, _ := strings.Cut(line, "  # ")
		lines = append(lines, value)
	}
	again := load(t, config.Sources{File: write(t, strings.Join(lines, "\n"))})
	if again.Workers != 5 || again.DataDir != "/srv/a b" || again.Listen != c.Listen {
		t.Errorf("got %v", again)
	}
}

// docs/configuration.md holds the tables that the options give. Run the test with -update after changing an option.
func TestDocumentationMatchesOptions(t *testing.T) {
	t.Parallel()
	read, err := os.ReadFile(documentation)
	if err != nil {
		t.Fatal(err)
	}
	page := string(read)
	for _, lang := range []string{"en", "zh-CN"} {
		var table strings.Builder
		if err := config.WriteMarkdown(&table, lang); err != nil {
			t.Fatal(err)
		}
		begin, end := "<!-- options "+lang+" -->\n", "<!-- end -->\n"
		before, rest, ok := strings.Cut(page, begin)
		old, after, closed := strings.Cut(rest, end)
		if !ok || !closed {
			t.Fatalf("the page lacks the marks of the %s table", lang)
		}
		if !*update {
			if diff := cmp.Diff(table.String(), old); diff != "" {
				t.Errorf("the %s table is not that of the options (-want +got):\n%s", lang, diff)
			}
		}
		page = before + begin + table.String() + end + after
	}
	if *update {
		if err := os.WriteFile(documentation, []byte(page), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// The sample settings files are those that the options give; they change nothing as they are, and with every line switched
// on they still only repeat the defaults. Run the test with -update after changing an option.
func TestSamples(t *testing.T) {
	t.Parallel()
	for lang, name := range map[string]string{"en": "shuqiao.conf.sample", "zh-CN": "shuqiao.zh-CN.conf.sample"} {
		var text strings.Builder
		if err := config.WriteSample(&text, lang); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(samples, name)
		if *update {
			if err := os.MkdirAll(samples, 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(text.String()), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		kept, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(text.String(), string(kept)); diff != "" {
			t.Errorf("%s is not what the options give (-want +got):\n%s", name, diff)
		}
		setting := regexp.MustCompile(`(?m)^#(SHUQIAO_[A-Z_]+=)`)
		for _, o := range config.Options() {
			if strings.Count(text.String(), "\n#"+o.Env+"="+o.Default+"\n") != 1 {
				t.Errorf("%s: the sample does not show %s once, at its default", name, o.Env)
			}
			if o.Secret && !strings.Contains(text.String(), "\n#"+o.FileEnv()+"=\n") {
				t.Errorf("%s: the sample does not show %s", name, o.FileEnv())
			}
		}
		on := regexp.MustCompile(`(?m)^SHUQIAO_[A-Z_]+_FILE=\n`).ReplaceAllString(setting.ReplaceAllString(text.String(), "$1"), "")
		asItIs, switchedOn := load(t, config.Sources{File: path}), load(t, config.Sources{File: write(t, on)})
		for i, s := range switchedOn.InForce() {
			was := asItIs.InForce()[i]
			if was.Origin != "default" || s.Origin != "file" || s.Value != was.Value {
				t.Errorf("%s: got %+v switched on, %+v as it is", name, s, was)
			}
		}
		for line := range strings.Lines(text.String()) {
			if len([]rune(line)) > 120 && !strings.HasPrefix(line, "#SHUQIAO_") {
				t.Errorf("%s: a line of %d characters: %s", name, len([]rune(line)), line)
			}
		}
	}
}
