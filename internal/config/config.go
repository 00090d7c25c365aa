package config

import (
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"strings"
	"time"
	_ "time/tzdata" // schedules need time zones on hosts that install none

	"github.com/shuqiao/shuqiao/internal/netguard"
	"github.com/shuqiao/shuqiao/internal/retain"
	"github.com/shuqiao/shuqiao/internal/secret"
)

// Role says what a node does.
type Role string

// The roles.
const (
	RoleAll    Role = "all"    // Answers requests and runs tasks.
	RoleAPI    Role = "api"    // Answers requests only.
	RoleWorker Role = "worker" // Runs tasks only.
)

// ServesAPI reports whether a node of this role answers requests.
func (r Role) ServesAPI() bool { return r != RoleWorker }

// RunsTasks reports whether a node of this role runs tasks.
func (r Role) RunsTasks() bool { return r != RoleAPI }

// LogFormat is the form of log lines.
type LogFormat string

// The log formats.
const (
	LogText LogFormat = "text"
	LogJSON LogFormat = "json"
)

// ProxyHeader says which headers trusted proxies write.
type ProxyHeader string

// The forms of proxy headers.
const (
	ProxyXForwarded ProxyHeader = "x-forwarded"
	ProxyForwarded  ProxyHeader = "forwarded" // RFC 7239
)

// Config holds the settings in force. It is a value; nothing changes it after Load.
type Config struct {
	DatabaseURL  secret.Secret // "" when the hub starts its own private PostgreSQL
	DataDir      string        // "" for the default folder of the user who runs the hub
	Listen       string        // host:port
	Role         Role
	LogLevel     slog.Level
	LogFormat    LogFormat
	NodeTakeover time.Duration
	Workers      int
	BodyLimit    int64          // bytes
	TLSCert      string         // file; "" serves plain HTTP
	TLSKey       string         // file
	TLSClientCA  string         // file; "" asks clients for no certificate
	Proxies      []netip.Prefix // networks whose proxies may say who calls
	ProxyHeader  ProxyHeader
	ExportsDir   string // "" for exports in the data folder
	ExportKeep   time.Duration
	ExportSpace  int64          // bytes
	CodePrefix   string         // of resource codes; "" makes national ones
	TimeZone     *time.Location // never nil
	Retain       retain.Days    // how long things are kept

	PasswordMinLength   int
	PasswordMaxAge      time.Duration // 0 means never
	LockAfter           int
	LockFor             time.Duration
	SessionIdle         time.Duration
	SessionAbsolute     time.Duration
	SignInRate          int    // per minute and address
	SecondFactor        string // off, admins or all
	PasswordSignIn      bool
	OpenIDIssuer        string // "" for none
	OpenIDClientID      string
	OpenIDClientSecret  secret.Secret
	OpenIDUsernameClaim string
	OpenIDTrustFactors  bool
	PublicURL           string // "" when not known; without a slash at the end
	OpenDirectory       bool

	Warnings []string // things to log at start, such as unknown variables; they hold names, never values

	SourceNetworks netguard.Policy // where sources may lie
	NoticeNetworks netguard.Policy // where webhooks and mail servers may lie

	inForce []setting // in the order of Options
}

// setting is one value with where it came from.
type setting struct {
	option Option
	value  string
	origin string // "default", "file", "environment" or "flag"
}

// Setting is one option with its value in force.
type Setting struct {
	Variable string `json:"variable"`
	Value    string `json:"value"`  // "***" for a secret that is set, "" for one that is not.
	Origin   string `json:"origin"` // default, file, environment or flag.
	Secret   bool   `json:"secret"`
}

// InForce returns every option with its value in force, in the order of Options; secrets are hidden.
func (c Config) InForce() []Setting {
	out := make([]Setting, 0, len(c.inForce))
	for _, s := range c.inForce {
		value := s.value
		if s.option.Secret && value != "" {
			value = newSecret(value).String()
		}
		out = append(out, Setting{Variable: s.option.Env, Value: value, Origin: s.origin, Secret: s.option.Secret})
	}
	return out
}

// Dump writes every option with its value in force, one a line as "KEY=value  # origin", where origin is default, file,
// environment or flag. Secrets are written as *** when they are set and as nothing when they are not.
func (c Config) Dump(w io.Writer) error {
	var b strings.Builder
	for _, s := range c.InForce() {
		fmt.Fprintf(&b, "%s=%s  # %s\n", s.Variable, s.Value, s.Origin)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// Format keeps secrets out of logs: a Config prints what Dump writes.
func (c Config) Format(state fmt.State, _ rune) { _ = c.Dump(state) }

// LogValue returns what Dump writes.
func (c Config) LogValue() slog.Value {
	var b strings.Builder
	_ = c.Dump(&b) // a strings.Builder cannot fail
	return slog.StringValue(b.String())
}

func newSecret(s string) secret.Secret { return secret.Secret(s) }
