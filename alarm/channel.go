package alarm

import (
	"net/mail"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/internal/fault"
)

// ChannelKind is how messages leave.
type ChannelKind string

// The kinds of channels.
const (
	Webhook ChannelKind = "webhook" // A signed POST of JSON.
	Mail    ChannelKind = "mail"    // A message by SMTP.
)

// ChannelState says whether a channel sends.
type ChannelState string

// The states of a channel. A paused one collects no messages, and those that wait in it stay.
const (
	ChannelEnabled ChannelState = "enabled"
	ChannelPaused  ChannelState = "paused"
)

// The ways in which a connection to a mail server is encrypted.
const (
	TLSImplicit = "tls"      // From the first byte, usually port 465.
	TLSStart    = "starttls" // After STARTTLS, which the server must offer.
	TLSNone     = "none"     // Not at all; only without an account.
)

// ChannelSettings are what a channel needs besides its secret. Fields of the other kind are empty.
type ChannelSettings struct {
	URL string `json:"url,omitempty"` // Webhook: http or https.

	Host     string   `json:"host,omitempty"`     // Mail: the server.
	Port     int      `json:"port,omitempty"`     // 0 means 465 for tls, 587 for starttls, 25 for none.
	TLS      string   `json:"tls,omitempty"`      // tls, starttls or none; "" means starttls.
	Username string   `json:"username,omitempty"` // "" signs nobody in.
	From     string   `json:"from,omitempty"`     // One address.
	To       []string `json:"to,omitempty"`       // 1 to 20 addresses.
}

// Channel is where messages go.
type Channel struct {
	ID            uuid.UUID       `json:"id"`
	DepartmentID  *uuid.UUID      `json:"department_id,omitempty"` // Gets that department's alarms; nil gets all.
	Department    string          `json:"department"`
	Name          string          `json:"name"`
	Kind          ChannelKind     `json:"kind"`
	Settings      ChannelSettings `json:"settings"`
	HasSecret     bool            `json:"has_secret"` // The secret itself is never given out.
	LeastSeverity Severity        `json:"least_severity"`
	Rules         []string        `json:"rules"` // Keys; empty for every rule.
	State         ChannelState    `json:"state"`
	RowVersion    int64           `json:"row_version"`
	CreatedAt     time.Time       `json:"created_at"`
	UpdatedAt     time.Time       `json:"updated_at"`

	sealed []byte
}

// ChannelInput is what people state about a channel.
type ChannelInput struct {
	DepartmentID  *uuid.UUID      `json:"department_id,omitempty"` // Only when it is made; departmental roles have their own.
	Name          string          `json:"name"`
	Kind          ChannelKind     `json:"kind"` // Only when it is made.
	Settings      ChannelSettings `json:"settings"`
	Secret        string          `json:"secret,omitempty"` // Webhook: signs messages, at least 16 characters. Mail: the password. "" keeps it.
	LeastSeverity Severity        `json:"least_severity,omitempty"`
	Rules         []string        `json:"rules,omitempty"`
	State         ChannelState    `json:"state,omitempty"`
}

// takes reports whether a message about an alarm leaves by the channel.
func (c Channel) takes(a Alarm) bool {
	return (c.DepartmentID == nil || a.DepartmentID != nil && *a.DepartmentID == *c.DepartmentID) &&
		worse(a.Severity, c.LeastSeverity) == a.Severity && (len(c.Rules) == 0 || slices.Contains(c.Rules, a.Rule))
}

// Bounds of what people state about a channel.
const (
	leastSecret = 16
	mostSecret  = 256
	mostTo      = 20
	mostURL     = 2000
)

// hostPattern is a DNS name or an address without a port.
var hostPattern = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9.:_-]{0,251}[A-Za-z0-9])?$`)

// complete fills in what may be left out and returns what is wrong, in field order. kept says that a secret is stored already.
func (in ChannelInput) complete(kept bool) (ChannelInput, error) {
	var wrong []fault.Field
	add := func(name, code, message string) {
		wrong = append(wrong, fault.Field{Name: name, Code: code, Message: message})
	}
	in.Name = strings.TrimSpace(in.Name)
	if in.Name == "" {
		add("name", "required", "give it a name")
	}
	wrong = append(wrong, tooLong("name", in.Name, 100)...)
	if in.LeastSeverity == "" {
		in.LeastSeverity = Warning
	}
	if !in.LeastSeverity.known() {
		add("least_severity", "not_choice", "use info, warning or critical")
	}
	if in.State == "" {
		in.State = ChannelEnabled
	}
	if in.State != ChannelEnabled && in.State != ChannelPaused {
		add("state", "not_choice", "use enabled or paused")
	}
	for _, key := range in.Rules {
		if _, ok := FindRule(key); !ok {
			add("rules", "unknown", "name rules of the hub only")
			break
		}
	}
	if in.Rules = slices.Compact(slices.Sorted(slices.Values(in.Rules))); in.Rules == nil {
		in.Rules = []string{}
	}
	if len(in.Secret) > mostSecret || strings.ContainsAny(in.Secret, "\x00\r\n") {
		add("secret", "malformed", "use at most 256 bytes in one line")
	}
	switch in.Kind {
	case Webhook:
		wrong = append(wrong, in.Settings.webhook()...)
		if in.Secret == "" && !kept {
			add("secret", "required", "receivers need it to know that a message is the hub's")
		} else if in.Secret != "" && len(in.Secret) < leastSecret {
			add("secret", "too_short", "use at least 16 characters")
		}
	case Mail:
		wrong = append(wrong, in.Settings.mail()...)
		if in.Settings.Username != "" && in.Secret == "" && !kept {
			add("secret", "required", "give the password of the account")
		}
		if in.Settings.TLS == TLSNone && (in.Settings.Username != "" || in.Secret != "") {
			add("settings.tls", "not_allowed", "an account's password is sent over an encrypted connection only")
		}
	default:
		add("kind", "not_choice", "use webhook or mail")
	}
	return in, fault.InvalidFields(wrong)
}

func (s *ChannelSettings) webhook() []fault.Field {
	if s.Host != "" || s.Port != 0 || s.TLS != "" || s.Username != "" || s.From != "" || s.To != nil {
		return []fault.Field{{Name: "settings", Code: "contradictory", Message: "a webhook has a url only"}}
	}
	u, err := url.Parse(s.URL)
	if err != nil || len(s.URL) > mostURL || (u.Scheme != "https" && u.Scheme != "http") || u.Hostname() == "" || u.User != nil || u.Fragment != "" {
		return []fault.Field{{Name: "settings.url", Code: "malformed", Message: "write https://host/path, without an account in it"}}
	}
	return nil
}

func (s *ChannelSettings) mail() []fault.Field {
	var wrong []fault.Field
	add := func(name, code, message string) {
		wrong = append(wrong, fault.Field{Name: "settings." + name, Code: code, Message: message})
	}
	if s.URL != "" {
		add("url", "contradictory", "a mail channel has a host")
	}
	if !hostPattern.MatchString(s.Host) {
		add("host", "malformed", "write the name or address of the mail server, without a port")
	}
	if s.TLS == "" {
		s.TLS = TLSStart
	}
	standard, ok := map[string]int{TLSImplicit: 465, TLSStart: 587, TLSNone: 25}[s.TLS]
	if !ok {
		add("tls", "not_choice", "use tls, starttls or none")
	}
	if s.Port == 0 {
		s.Port = standard
	}
	if s.Port < 1 || s.Port > 65535 {
		add("port", "out_of_range", "use 1 to 65535")
	}
	if len(s.Username) > 200 || strings.ContainsAny(s.Username, "\x00\r\n") {
		add("username", "malformed", "use at most 200 characters in one line")
	}
	if !mailAddress(s.From) {
		add("from", "malformed", "write one address, such as hub@example.gov.cn")
	}
	if len(s.To) == 0 || len(s.To) > mostTo {
		add("to", "out_of_range", "name 1 to 20 addresses")
	}
	for i, to := range s.To {
		if !mailAddress(to) {
			add("to["+strconv.Itoa(i)+"]", "malformed", "write one address, such as duty@example.gov.cn")
		}
	}
	return wrong
}

// mailAddress reports whether text is one bare address of printable ASCII, so that it can neither end a header nor a command.
func mailAddress(text string) bool {
	if len(text) > 254 || strings.IndexFunc(text, func(r rune) bool { return r <= ' ' || r >= 0x7f || strings.ContainsRune(`<>,;:"\()[]`, r) }) >= 0 {
		return false
	}
	a, err := mail.ParseAddress(text)
	return err == nil && a.Address == text
}

// host is where the channel connects to.
func (c Channel) host() string {
	if c.Kind == Webhook {
		if u, err := url.Parse(c.Settings.URL); err == nil {
			return u.Hostname()
		}
		return ""
	}
	return c.Settings.Host
}
