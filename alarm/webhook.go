package alarm

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/shuqiao/shuqiao/internal/netguard"
)

// The headers of a webhook.
const (
	HeaderDelivery  = "X-Shuqiao-Delivery"  // Id of the message, the same in every repetition.
	HeaderTimestamp = "X-Shuqiao-Timestamp" // Seconds since 1970, of this attempt.
	HeaderSignature = "X-Shuqiao-Signature" // "v1=" and Sign in hexadecimal.
)

// Sign returns what the signature header of a webhook holds: HMAC-SHA-256 over timestamp, id and body, joined by '.'.
func Sign(secretText, timestamp, id string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(secretText))
	fmt.Fprintf(mac, "%s.%s.", timestamp, id)
	mac.Write(body)
	return "v1=" + hex.EncodeToString(mac.Sum(nil))
}

// The codes of a message that did not arrive, besides "status_<number>" for answers of webhooks and "smtp_<number>" for those of
// mail servers.
const (
	CodeRefused     = "address_refused" // The hub may not connect there; see notice-networks.
	CodeUnreachable = "unreachable"     // No connection, or it broke.
	CodeTimeout     = "timeout"
	CodeTLS         = "tls"       // The certificate is not believed, or encryption is not offered.
	CodeSecret      = "secret"    // The stored secret cannot be opened with this hub's keys.
	CodeMalformed   = "malformed" // The message cannot be written for this channel.
)

// send sends one body through a channel within the limit, and returns "" or why it did not arrive.
func (s *Service) send(ctx context.Context, c Channel, body []byte) string {
	ctx, cancel := context.WithTimeout(ctx, s.opt.SendLimit)
	defer cancel()
	secretText, err := s.secretOf(c)
	if err != nil {
		s.log.ErrorContext(ctx, "a channel's secret cannot be opened", "channel", c.ID, "error", err)
		return CodeSecret
	}
	var m Message
	if err := json.Unmarshal(body, &m); err != nil {
		return CodeMalformed
	}
	if c.Kind == Mail {
		return s.mail(ctx, c, secretText, m)
	}
	return s.webhook(ctx, c, secretText, m, body)
}

// webhook posts the body. Only an answer of 200 to 299 confirms it.
func (s *Service) webhook(ctx context.Context, c Channel, secretText string, m Message, body []byte) string {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.Settings.URL, bytes.NewReader(body))
	if err != nil {
		return CodeMalformed
	}
	timestamp := strconv.FormatInt(time.Now().Unix(), 10)
	for name, value := range map[string]string{
		"Content-Type": "application/json; charset=utf-8", "User-Agent": "shuqiao/" + s.opt.Version, "Idempotency-Key": m.ID.String(),
		HeaderDelivery: m.ID.String(), HeaderTimestamp: timestamp, HeaderSignature: Sign(secretText, timestamp, m.ID.String(), body),
	} {
		req.Header.Set(name, value)
	}
	answer, err := s.opt.Networks.Client(s.opt.SendLimit, s.opt.Roots).Do(req)
	if err != nil {
		return failureCode(ctx, err)
	}
	defer answer.Body.Close()
	// The rest of the answer is read so that a receiver which writes it does not see a broken connection.
	_, _ = io.CopyN(io.Discard, answer.Body, 64<<10)
	if answer.StatusCode < 200 || answer.StatusCode > 299 {
		return "status_" + strconv.Itoa(answer.StatusCode)
	}
	return ""
}

// failureCode says what went wrong around a connection. The text of the error is dropped: it could tell about networks.
func failureCode(ctx context.Context, err error) string {
	var timeout net.Error
	switch {
	case errors.Is(err, netguard.ErrRefused):
		return CodeRefused
	case ctx.Err() != nil, errors.As(err, &timeout) && timeout.Timeout():
		return CodeTimeout
	case isTLS(err):
		return CodeTLS
	}
	return CodeUnreachable
}
