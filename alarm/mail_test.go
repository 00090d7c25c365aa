package alarm_test

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"io"
	"mime"
	"net"
	"net/http/httptest"
	"net/mail"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/shuqiao/shuqiao/alarm"
)

// mailServer is a small mail server: it offers STARTTLS or speaks TLS from the start, wants an account where it has one, and
// refuses as many letters as it is told to.
type mailServer struct {
	listener net.Listener
	tls      *tls.Config
	implicit bool
	auth     string // Methods offered; "" wants nobody to sign in.
	mu       sync.Mutex
	refuse   int
	letters  []letter
}

type letter struct {
	encrypted bool
	account   string
	from      string
	to        []string
	data      string
}

func newMailServer(t *testing.T, s *mailServer) *mailServer {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.listener = listener
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			serving.Go(func() { s.serve(conn) })
		}
	})
	t.Cleanup(func() { listener.Close(); serving.Wait() })
	return s
}

func (s *mailServer) port() int { return s.listener.Addr().(*net.TCPAddr).Port }

func (s *mailServer) received() []letter {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]letter(nil), s.letters...)
}

func (s *mailServer) serve(conn net.Conn) {
	defer func() { conn.Close() }()
	encrypted := s.implicit
	if s.implicit {
		conn = tls.Server(conn, s.tls)
	}
	in := bufio.NewReader(conn)
	say := func(text string) { _, _ = io.WriteString(conn, text+"\r\n") }
	decoded := func(text string) string {
		raw, _ := base64.StdEncoding.DecodeString(text)
		return string(raw)
	}
	read := func() (string, bool) {
		text, err := in.ReadString('\n')
		return strings.TrimRight(text, "\r\n"), err == nil
	}
	say("220 test")
	var l letter
	for {
		text, ok := read()
		if !ok {
			return
		}
		verb, rest, _ := strings.Cut(text, " ")
		switch strings.ToUpper(verb) {
		case "EHLO":
			offers := []string{"test"}
			if s.tls != nil && !encrypted {
				offers = append(offers, "STARTTLS")
			}
			if s.auth != "" {
				offers = append(offers, "AUTH "+s.auth)
			}
			for i, offer := range offers {
				say("250" + map[bool]string{true: " ", false: "-"}[i == len(offers)-1] + offer)
			}
		case "STARTTLS":
			say("220 go on")
			conn = tls.Server(conn, s.tls)
			in, encrypted = bufio.NewReader(conn), true
		case "AUTH":
			method, initial, _ := strings.Cut(rest, " ")
			if method == "PLAIN" {
				l.account = strings.TrimPrefix(strings.ReplaceAll(decoded(initial), "\x00", "/"), "/")
			} else {
				say("334 " + base64.StdEncoding.EncodeToString([]byte("Username:")))
				user, _ := read()
				say("334 " + base64.StdEncoding.EncodeToString([]byte("Password:")))
				password, _ := read()
				l.account = decoded(user) + "/" + decoded(password)
			}
			if l.account != "hub/Pass word-1" {
				say("535 no")
				continue
			}
			say("235 welcome")
		case "MAIL":
			s.mu.Lock()
			refused := s.refuse > 0
			s.refuse--
			s.mu.Unlock()
			if refused {
				say("451 later")
				continue
			}
			l.from, l.encrypted = rest, encrypted
			say("250 ok")
		case "RCPT":
			l.to = append(l.to, rest)
			say("250 ok")
		case "DATA":
			say("354 go on")
			var data strings.Builder
			for {
				text, ok := read()
				if !ok {
					return
				}
				if text == "." {
					break
				}
				data.WriteString(text + "\r\n")
			}
			l.data = data.String()
			s.mu.Lock()
			s.letters = append(s.letters, l)
			s.mu.Unlock()
			l = letter{}
			say("250 taken")
		case "QUIT":
			say("221 bye")
			return
		default:
			say("502 unknown")
		}
	}
}

// A letter arrives encrypted, under the account, at every address, with its subject and text whole, however the server signs
// people in; it is tried again when the server refuses it for now; and nothing leaves when the server cannot encrypt, is not
// believed, or refuses the account.
func TestMail(t *testing.T) {
	t.Parallel()
	certified := httptest.NewTLSServer(nil)
	t.Cleanup(certified.Close)
	roots := x509.NewCertPool()
	roots.AddCert(certified.Certificate())
	secure := &tls.Config{Certificates: certified.TLS.Certificates}
	w := setup(t, func(opt *alarm.Options) { opt.Roots = roots })
	channel := func(name string, s *mailServer, encryption, password string) alarm.Channel {
		t.Helper()
		in := alarm.ChannelInput{
			Name: name, Kind: alarm.Mail, Secret: password, LeastSeverity: alarm.Info, State: alarm.ChannelPaused,
			Settings: alarm.ChannelSettings{Host: "127.0.0.1", Port: s.port(), TLS: encryption, From: "hub@example.org", To: []string{"duty@example.org", "night@example.org"}},
		}
		if password != "" {
			in.Settings.Username = "hub"
		}
		c, err := w.alarm.CreateChannel(w.ctx, w.platform, in)
		if err != nil {
			t.Fatalf("making channel %s: %v", name, err)
		}
		return c
	}
	const password = "Pass word-1"
	for _, c := range []struct {
		name, encryption, password, want string
		server                           *mailServer
	}{
		{"starttls and plain", "starttls", password, "", newMailServer(t, &mailServer{tls: secure, auth: "LOGIN PLAIN"})},
		{"tls and login", "tls", password, "", newMailServer(t, &mailServer{tls: secure, implicit: true, auth: "LOGIN"})},
		{"in the clear, nobody signs in", "none", "", "", newMailServer(t, &mailServer{})},
		{"a server that cannot encrypt", "starttls", password, alarm.CodeTLS, newMailServer(t, &mailServer{auth: "PLAIN"})},
		{"a wrong password", "starttls", "wrong", "smtp_535", newMailServer(t, &mailServer{tls: secure, auth: "PLAIN"})},
		{"a server that is busy", "starttls", "", "smtp_451", newMailServer(t, &mailServer{tls: secure, refuse: 9})},
		{"an unknown way to sign in", "starttls", password, "smtp_504", newMailServer(t, &mailServer{tls: secure, auth: "GSSAPI"})},
	} {
		got, err := w.alarm.TestChannel(w.ctx, w.platform, channel(c.name, c.server, c.encryption, c.password).ID)
		letters := c.server.received()
		if err != nil || got.Code != c.want || (len(letters) == 1) != (c.want == "") {
			t.Errorf("%s: %+v, %v, %d letters; want %q", c.name, got, err, len(letters), c.want)
			continue
		}
		if c.want == "" {
			l := letters[0]
			if l.encrypted != (c.encryption != "none") || (c.password != "" && l.account != "hub/"+password) || l.from != "FROM:<hub@example.org>" ||
				cmp.Diff([]string{"TO:<duty@example.org>", "TO:<night@example.org>"}, l.to) != "" {
				t.Errorf("%s: %+v", c.name, l)
			}
		}
	}
	// The machine's own roots do not know the certificate.
	server := newMailServer(t, &mailServer{tls: secure, refuse: 1})
	c := channel("alarms", server, "starttls", "")
	if got, err := w.service(t, w.node.DB).TestChannel(w.ctx, w.platform, c.ID); err != nil || got.Code != alarm.CodeTLS || len(server.received()) != 0 {
		t.Errorf("an unknown issuer: %+v, %v", got, err)
	}

	// What people named things cannot become a header.
	w.exec(t, "UPDATE resource SET name = E'示例\r\nBcc: evil@example.org\r\n\r\n.\r\nMAIL'")
	in := alarm.ChannelInput{Name: c.Name, Settings: c.Settings, LeastSeverity: alarm.Info, State: alarm.ChannelEnabled}
	if _, err := w.alarm.UpdateChannel(w.ctx, w.platform, c.ID, 0, in); err != nil {
		t.Fatal(err)
	}
	w.schedule(t, "1 hour")
	w.judge(t)
	w.send(t)
	letters := server.received()
	if len(letters) != 1 {
		t.Fatalf("got %d letters, want one at the second attempt", len(letters))
	}
	parsed, err := mail.ReadMessage(strings.NewReader(letters[0].data))
	if err != nil {
		t.Fatalf("the letter is no letter: %v\n%s", err, letters[0].data)
	}
	subject, err := new(mime.WordDecoder).DecodeHeader(parsed.Header.Get("Subject"))
	if err != nil || !strings.Contains(subject, "调度逾期未触发") || !strings.Contains(subject, "Bcc: evil@example.org") {
		t.Errorf("subject: %q, %v", subject, err)
	}
	if parsed.Header.Get("Bcc") != "" || len(parsed.Header["To"]) != 1 || parsed.Header.Get(alarm.HeaderDelivery) == "" {
		t.Errorf("headers: %v", parsed.Header)
	}
	text, err := io.ReadAll(base64.NewDecoder(base64.StdEncoding, parsed.Body))
	if err != nil || !strings.Contains(string(text), "没有调度器在工作") || !strings.Contains(string(text), "A schedule should have fired") {
		t.Errorf("text: %s, %v", text, err)
	}
}
