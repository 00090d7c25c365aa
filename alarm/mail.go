package alarm

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/smtp"
	"net/textproto"
	"strconv"
	"strings"
	"time"
)

// errNoTLS says that a mail server does not offer the encryption the channel demands.
var errNoTLS = errors.New("the mail server does not offer STARTTLS")

// isTLS reports whether an error is about certificates or encryption.
func isTLS(err error) bool {
	_, verification := errors.AsType[*tls.CertificateVerificationError](err)
	_, record := errors.AsType[tls.RecordHeaderError](err)
	_, alert := errors.AsType[tls.AlertError](err)
	_, unknown := errors.AsType[x509.UnknownAuthorityError](err)
	return verification || record || alert || unknown || errors.Is(err, errNoTLS)
}

// mail sends a message to every address of a channel in one transaction of the mail server.
func (s *Service) mail(ctx context.Context, c Channel, password string, m Message) string {
	err := s.smtp(ctx, c, password, m)
	if err == nil {
		return ""
	}
	if answered, ok := errors.AsType[*textproto.Error](err); ok {
		return "smtp_" + strconv.Itoa(answered.Code)
	}
	return failureCode(ctx, err)
}

func (s *Service) smtp(ctx context.Context, c Channel, password string, m Message) error {
	set := c.Settings
	conn, err := s.opt.Networks.Dial(ctx, "tcp", net.JoinHostPort(set.Host, strconv.Itoa(set.Port)))
	if err != nil {
		return err
	}
	defer conn.Close()
	if deadline, ok := ctx.Deadline(); ok {
		if err := conn.SetDeadline(deadline); err != nil {
			return err
		}
	}
	// A node that stops does not wait for a slow server.
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	encryption := &tls.Config{ServerName: set.Host, RootCAs: s.opt.Roots, MinVersion: tls.VersionTLS12}
	if set.TLS == TLSImplicit {
		conn = tls.Client(conn, encryption)
	}
	client, err := smtp.NewClient(conn, set.Host)
	if err != nil {
		return err
	}
	defer client.Close()
	if set.TLS == TLSStart {
		if ok, _ := client.Extension("STARTTLS"); !ok {
			return errNoTLS
		}
		if err := client.StartTLS(encryption); err != nil {
			return err
		}
	}
	if set.Username != "" {
		_, offered := client.Extension("AUTH")
		if err := client.Auth(&account{user: set.Username, password: password, offered: offered}); err != nil {
			return err
		}
	}
	if err := client.Mail(set.From); err != nil {
		return err
	}
	for _, to := range set.To {
		if err := client.Rcpt(to); err != nil {
			return err
		}
	}
	body, err := client.Data()
	if err != nil {
		return err
	}
	if _, err := body.Write(letter(set, m)); err != nil {
		return err
	}
	if err := body.Close(); err != nil {
		return err
	}
	// From here on the server answers for the message, however it says goodbye.
	_ = client.Quit()
	return nil
}

// letter writes a message as a mail (RFC 5322). Addresses were checked to be bare ASCII, the subject is encoded, and the text is
// base64, so that nothing in it can end a header or the message.
func letter(set ChannelSettings, m Message) []byte {
	var b bytes.Buffer
	domain := set.From[strings.LastIndexByte(set.From, '@')+1:]
	header := func(name, value string) { fmt.Fprintf(&b, "%s: %s\r\n", name, value) }
	header("From", "<"+set.From+">")
	header("To", "<"+strings.Join(set.To, ">,\r\n <")+">")
	header("Subject", mime.BEncoding.Encode("utf-8", line(m.Text)))
	header("Date", m.At.Format("Mon, 02 Jan 2006 15:04:05 -0700"))
	header("Message-ID", "<"+m.ID.String()+"@"+domain+">")
	header("Auto-Submitted", "auto-generated")
	header(HeaderDelivery, m.ID.String())
	header("MIME-Version", "1.0")
	header("Content-Type", "text/plain; charset=utf-8")
	header("Content-Transfer-Encoding", "base64")
	b.WriteString("\r\n")
	var text strings.Builder
	for _, part := range []string{m.Text, m.Advice, "", m.TextEN, m.AdviceEN, "", m.Alarm.ObjectKind + " " + m.Alarm.ObjectID} {
		text.WriteString(line(part) + "\r\n")
	}
	encoded := base64.StdEncoding.EncodeToString([]byte(text.String()))
	for len(encoded) > 76 {
		b.WriteString(encoded[:76] + "\r\n")
		encoded = encoded[76:]
	}
	b.WriteString(encoded + "\r\n")
	return b.Bytes()
}

// account signs in to a mail server by PLAIN (RFC 4616), or by LOGIN where only that is offered. It never does without
// encryption.
type account struct {
	user, password, offered string
	step                    int
}

var errNoAccount = &textproto.Error{Code: 504, Msg: "neither PLAIN nor LOGIN is offered"}

// Start begins the exchange.
func (a *account) Start(server *smtp.ServerInfo) (string, []byte, error) {
	if !server.TLS {
		return "", nil, errNoTLS
	}
	methods := strings.Fields(strings.ToUpper(a.offered))
	for _, method := range methods {
		if method == "PLAIN" {
			return "PLAIN", []byte("\x00" + a.user + "\x00" + a.password), nil
		}
	}
	for _, method := range methods {
		if method == "LOGIN" {
			return "LOGIN", nil, nil
		}
	}
	return "", nil, errNoAccount
}

// Next answers what the server asks: after LOGIN the name, then the password.
func (a *account) Next(_ []byte, more bool) ([]byte, error) {
	if !more {
		return nil, nil
	}
	a.step++
	switch a.step {
	case 1:
		return []byte(a.user), nil
	case 2:
		return []byte(a.password), nil
	}
	return nil, io.ErrUnexpectedEOF
}
