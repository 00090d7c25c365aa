package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/shuqiao/shuqiao/api/client"
	"github.com/shuqiao/shuqiao/internal/edge/edgetest"
	"github.com/shuqiao/shuqiao/internal/hubtest"
	"github.com/shuqiao/shuqiao/internal/pgtest"
)

// service is a hub process as a service manager runs it: over TLS, behind a proxy on this machine, with JSON logs.
type service struct {
	*hubtest.Process
	sample    hubtest.Sample
	dir       string // Of the certificate.
	authority *edgetest.Authority
	messages  chan string // What the process tells its manager.
	url       string
	base      string // Of the contract.
	reader    *http.Client
	hub       *pgx.Conn
	again     func() *hubtest.Process
}

func newService(t *testing.T, rows int) *service {
	t.Helper()
	database := pgtest.URL(t)
	h := hubtest.Start(t, hubtest.Options{DatabaseURL: database})
	s := &service{sample: h.Sample(t, rows), dir: t.TempDir(), authority: edgetest.NewAuthority(t)}
	if err := h.Stop(); err != nil {
		t.Fatalf("stopping the hub that made the sample: %v", err)
	}
	s.certify(t, s.authority.Issue(t, "127.0.0.1"))
	socket := filepath.Join(s.dir, "notify")
	manager, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		t.Fatalf("listening as the service manager: %v", err)
	}
	t.Cleanup(func() { _ = manager.Close() })
	s.messages = make(chan string, 4096)
	go func() {
		buffer := make([]byte, 1024)
		for {
			n, err := manager.Read(buffer)
			if err != nil {
				return
			}
			s.messages <- string(buffer[:n])
		}
	}()
	binary := hubtest.Build(t)
	s.again = func() *hubtest.Process {
		return hubtest.StartProcessIn(t, []string{"NOTIFY_SOCKET=" + socket, "WATCHDOG_USEC=400000"}, binary,
			"serve", "--database-url", database, "--data-dir", h.Dir(), "--listen", "127.0.0.1:0", "--log-format", "json", "--second-factor", "off",
			"--tls-cert", filepath.Join(s.dir, "cert.pem"), "--tls-key", filepath.Join(s.dir, "key.pem"), "--trusted-proxies", "127.0.0.1")
	}
	s.Process = s.again()
	s.url = s.URL(t)
	s.base = s.url + "/api/v1"
	// Rows wait in the client's socket as little as they do in the hub's.
	dialer := &net.Dialer{Control: func(_, _ string, c syscall.RawConn) error {
		var setErr error
		err := c.Control(func(fd uintptr) {
			setErr = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 32<<10)
		})
		return errors.Join(err, setErr)
	}}
	transport := &http.Transport{DialContext: dialer.DialContext, TLSClientConfig: &tls.Config{RootCAs: s.authority.Pool}}
	t.Cleanup(transport.CloseIdleConnections)
	s.reader = &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	s.hub = pgtest.Conn(t, database)
	return s
}

// certify writes a certificate and its key where the process reads them.
func (s *service) certify(t *testing.T, issued edgetest.Issued) {
	t.Helper()
	for name, content := range map[string][]byte{"cert.pem": issued.Cert, "key.pem": issued.Key} {
		if err := os.WriteFile(filepath.Join(s.dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// on returns a client of the process with the credentials of another.
func (s *service) on(c *client.Client) *client.Client {
	return &client.Client{Base: s.base, Token: c.Token, HTTP: s.reader}
}

// told waits until the process has told its manager this .
func (s *service) told(t *testing.T, state string) {
	t.Helper()
	limit := time.NewTimer(10 * time.Second)
	defer limit.Stop()
	for {
		select {
		case got := <-s.messages:
			if got == state {
				return
			}
		case <-limit.C:
			t.Fatalf("waited in vain for %s", state)
		}
	}
}

// stream opens a stream of a grant.
func (s *service) stream(ctx context.Context, t *testing.T, grant client.Grant) *http.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.base+"/data/"+grant.ResourceID+"/rows", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+s.sample.Client.Token)
	req.Header.Set("Accept", "application/x-ndjson")
	req.Header.Set("X-Grant", grant.ID)
	var resp *http.Response
	eventually(t, "the stream to be allowed", 10*time.Second, func() bool {
		resp, err = s.reader.Do(req)
		if err == nil && resp.StatusCode != http.StatusOK {
			_ = resp.Body.Close()
		}
		return err == nil && resp.StatusCode == http.StatusOK
	})
	t.Cleanup(func() { _ = resp.Body.Close() })
	return resp
}

// grant asks for a grant at this pace; 0 is as fast as it goes.
func (s *service) grant(t *testing.T, purpose string, pace int) client.Grant {
	t.Helper()
	sample := s.sample
	sample.Staff.Operator, sample.Provider.Admin = s.on(sample.Staff.Operator), s.on(sample.Provider.Admin)
	sample.Consumer.Operator, sample.Consumer.Admin = s.on(sample.Consumer.Operator), s.on(sample.Consumer.Admin)
	terms := sample.Terms()
	terms.Purpose, terms.RateRows = purpose, pace
	return sample.Grant(t, terms)
}

// lines reads a stream to its end: how many rows, when the last one came, and the code of the error line.
func lines(body io.Reader) (rows int, last time.Time, code string) {
	scanner := bufio.NewScanner(body)
	for scanner.Scan() {
		var line struct{ Error *struct{ Code string } }
		if bytes.HasPrefix(scanner.Bytes(), []byte(`{"error":{`)) && json.Unmarshal(scanner.Bytes(), &line) == nil && line.Error != nil {
			return rows, last, line.Error.Code
		}
		rows, last = rows+1, time.Now()
	}
	return rows, last, ""
}

// A hub that runs as a service over TLS tells its manager how it is, takes a new certificate on SIGHUP, holds revocations
// within a second, believes only its proxy, writes logs that no caller can forge, and stops in order.
func TestService(t *testing.T) {
	t.Parallel()
	s := newService(t, 30_000)
	s.told(t, "READY=1")
	s.told(t, "WATCHDOG=1")
	s.testCertificate(t)
	s.testProxy(t)
	s.testLogs(t)
	s.testRevocation(t)
	s.testStop(t)
	s.checkLogs(t)
}

// testCertificate replaces the certificate in the running process, and then fails to.
func (s *service) testCertificate(t *testing.T) {
	shown := func() string {
		conn, err := tls.Dial("tcp", strings.TrimPrefix(s.url, "https://"), &tls.Config{RootCAs: s.authority.Pool})
		if err != nil {
			t.Fatalf("connecting: %v", err)
		}
		defer conn.Close()
		return conn.ConnectionState().PeerCertificates[0].SerialNumber.String()
	}
	second := s.authority.Issue(t, "127.0.0.1")
	s.certify(t, second)
	s.Signal(syscall.SIGHUP)
	eventually(t, "the new certificate", 5*time.Second, func() bool { return shown() == second.Serial })
	third := s.authority.Issue(t, "127.0.0.1")
	third.Key = second.Key
	s.certify(t, third)
	s.Signal(syscall.SIGHUP)
	eventually(t, "the wrong key to be reported", 5*time.Second, func() bool { return strings.Contains(s.Errors(), "the old one stays in force") })
	if got := shown(); got != second.Serial {
		t.Errorf("after a wrong key: certificate %s, want %s", got, second.Serial)
	}
	s.certify(t, second)

	plain, err := http.Get(strings.Replace(s.url, "https:", "http:", 1) + "/healthz")
	if err != nil {
		t.Fatalf("asking without TLS: %v", err)
	}
	_ = plain.Body.Close()
	if plain.StatusCode != http.StatusBadRequest {
		t.Errorf("without TLS: status %d", plain.StatusCode)
	}
}

// testProxy calls as the proxy on this machine does: what it says about the caller decides about cookies, HSTS and the log.
func (s *service) testProxy(t *testing.T) {
	for proto, secure := range map[string]bool{"": true, "https": true, "http": false} {
		form := url.Values{"username": {"police_admin"}, "password": {hubtest.Password}}
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url+"/ui/sign-in", strings.NewReader(form.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("X-Forwarded-For", "203.0.113.7")
		req.Header.Set("X-Forwarded-Proto", proto)
		resp, err := s.reader.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		cookies := resp.Cookies()
		if resp.StatusCode != http.StatusSeeOther || len(cookies) != 1 || cookies[0].Secure != secure {
			t.Errorf("scheme %q: status %d, cookies %v, want Secure %t", proto, resp.StatusCode, cookies, secure)
		}
		if hsts := resp.Header.Get("Strict-Transport-Security") != ""; hsts != secure {
			t.Errorf("scheme %q: HSTS %t, want %t", proto, hsts, secure)
		}
	}
	eventually(t, "the log to name the caller", 5*time.Second, func() bool { return strings.Contains(s.Errors(), `"from":"203.0.113.7"`) })
}

// testLogs sends what could forge a record: line ends and quotes in everything that a caller chooses.
func (s *service) testLogs(t *testing.T) {
	forged := "x\"}\n{\"level\":\"INFO\",\"msg\":\"forged\"}\n"
	for _, path := range []string{"/api/v1/" + url.PathEscape(forged), "/" + url.PathEscape(forged), "/api/v1/resources?q=" + url.QueryEscape(forged+"queried")} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("X-Request-Id", `x","msg":"forged"`)
		req.Header.Set("X-Forwarded-For", `x","msg":"forged"`)
		req.Header.Set("User-Agent", `forged`)
		resp, err := s.reader.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
	}
	if _, err := s.on(s.sample.Client).SignIn(t.Context(), forged, hubtest.Password); err == nil {
		t.Error("a made-up name signs in")
	}
}

// checkLogs checks that every line of the log is one record, and that none holds what callers sent.
func (s *service) checkLogs(t *testing.T) {
	records := 0
	for line := range strings.Lines(s.Errors()) {
		var record struct{ Time, Level, Msg string }
		if err := json.Unmarshal([]byte(line), &record); err != nil || record.Time == "" || record.Level == "" || record.Msg == "" {
			t.Errorf("no record: %q", line)
		}
		records++
		if strings.Contains(line, "forged") || strings.Contains(line, "queried") || strings.Contains(line, "police_admin") {
			t.Errorf("a caller's text is in the log: %q", line)
		}
	}
	if records < 10 {
		t.Errorf("%d records", records)
	}
}

// testRevocation suspends grants in the middle of streams over TLS, one that is read and one whose reader has fallen asleep.
func (s *service) testRevocation(t *testing.T) {
	read, asleep := s.grant(t, "stream-read", 500), s.grant(t, "stream-asleep", 0)
	flowing, stuck := s.stream(t.Context(), t, read), s.stream(t.Context(), t, asleep)
	if flowing.TLS == nil || flowing.ProtoMajor != 1 {
		t.Errorf("the stream comes by %s, TLS %v", flowing.Proto, flowing.TLS != nil)
	}
	if _, err := stuck.Body.Read(make([]byte, 100)); err != nil {
		t.Fatalf("reading the first rows: %v", err)
	}
	if _, err := flowing.Body.Read(make([]byte, 100)); err != nil {
		t.Fatalf("reading the first rows: %v", err)
	}
	type outcome struct {
		last time.Time
		code string
	}
	done := make(chan outcome, 1)
	go func() {
		_, last, code := lines(flowing.Body)
		done <- outcome{last, code}
	}()
	var began time.Time
	for _, g := range []client.Grant{read, asleep} {
		began = time.Now()
		if _, err := s.on(s.sample.Provider.Admin).Suspend(t.Context(), g.ID, "示例原因"); err != nil {
			t.Fatalf("suspending: %v", err)
		}
	}
	var late time.Duration
	for _, g := range []client.Grant{read, asleep} {
		var took time.Duration
		eventually(t, "the record of the stream to be closed", 10*time.Second, func() bool {
			var seconds *float64
			err := s.hub.QueryRow(t.Context(), `
				SELECT extract(epoch FROM u.ended_at - (SELECT max(at) FROM policy_log WHERE kind = 'grant' AND id = $1::text))::float8
				FROM usage u WHERE grant_id = $1::uuid AND state = 'done'`, g.ID).Scan(&seconds)
			if err == nil && seconds != nil {
				took = time.Duration(*seconds * float64(time.Second))
			}
			return err == nil && seconds != nil
		})
		late = max(late, took)
	}
	hubtest.Figure(t, "streams over TLS ended %s after the commit of the suspension", late.Round(time.Millisecond))
	if late > revokeWithin {
		t.Errorf("a stream ended %s after the suspension", late)
	}
	o := <-done
	// A write that was cut leaves no last line.
	if o.code != "grant_suspended" && o.code != "" {
		t.Errorf("the stream closed with %q", o.code)
	}
	if o.last.Sub(began) > revokeWithin {
		t.Errorf("a row came %s after the suspension", o.last.Sub(began))
	}
	// What the kernels hold still arrives, and then the connection is at its end.
	rest, err := io.Copy(io.Discard, stuck.Body)
	if err == nil || rest > 512<<10 {
		t.Errorf("the reader that slept got %d more bytes, then %v", rest, err)
	}
}

// testStop stops the process while a run merges and a paced stream flows, and lets the next one finish the run.
func (s *service) testStop(t *testing.T) {
	ctx := t.Context()
	if _, err := s.sample.Source.Exec(ctx, "UPDATE thing SET amount = amount + 1"); err != nil {
		t.Fatalf("changing the source: %v", err)
	}
	// The run is held where it reads the first row, then where it merges what it has staged.
	hold := func(dsn, sql string) func() {
		conn := pgtest.Conn(t, dsn)
		for _, statement := range []string{"BEGIN", sql} {
			if _, err := conn.Exec(ctx, statement); err != nil {
				t.Fatalf("holding the run: %v", err)
			}
		}
		return func() { _ = conn.Close(ctx) }
	}
	unread := hold(s.sample.DSN, "LOCK TABLE thing IN ACCESS EXCLUSIVE MODE")
	run, err := s.on(s.sample.Provider.Operator).RunNow(ctx, s.sample.Task.ID)
	if err != nil {
		t.Fatalf("starting a run: %v", err)
	}
	eventually(t, "the run to read", 20*time.Second, func() bool {
		var waits bool
		err := s.sample.Source.QueryRow(ctx, "SELECT EXISTS (SELECT 1 FROM pg_locks WHERE relation = 'thing'::regclass AND NOT granted)").Scan(&waits)
		return err == nil && waits
	})
	unmerged := hold(s.hub.Config().ConnString(), fmt.Sprintf("SELECT 1 FROM store.store_head WHERE resource = '%s' FOR UPDATE", s.sample.Resource.ID))
	unread()
	var state string
	var chunks, attempt int
	look := func() {
		err := s.hub.QueryRow(ctx, "SELECT state || ' ' || stage, attempt, (SELECT count(*) FROM store.chunk WHERE run = id) FROM run WHERE id = $1", run.ID).
			Scan(&state, &attempt, &chunks)
		if err != nil {
			t.Fatalf("reading the run: %v", err)
		}
	}
	eventually(t, "the run to merge", 20*time.Second, func() bool { look(); return state == "running merge" })
	staged := chunks
	flowing := s.stream(ctx, t, s.grant(t, "stream-stopped", 500))
	if _, err := flowing.Body.Read(make([]byte, 100)); err != nil {
		t.Fatalf("reading the first rows: %v", err)
	}

	began := time.Now()
	s.Signal(syscall.SIGTERM)
	rows, _, code := lines(flowing.Body)
	if rows == 0 || code != "hub_stopping" {
		t.Errorf("the stream closed with %q after %d rows", code, rows)
	}
	s.told(t, "STOPPING=1")
	if got := s.Wait(10 * time.Second); got != exitOK {
		t.Fatalf("exit code %d", got)
	}
	hubtest.Figure(t, "stopped %s after SIGTERM, with a run merging and a stream under way", time.Since(began).Round(time.Millisecond))
	look()
	if !strings.HasPrefix(state, "queued") || staged == 0 || chunks != staged {
		t.Errorf("the run is %s with %d chunks, want queued with %d", state, chunks, staged)
	}
	var open, nodes int
	if err := s.hub.QueryRow(ctx, "SELECT (SELECT count(*) FROM usage WHERE state <> 'done'), (SELECT count(*) FROM node)").Scan(&open, &nodes); err != nil {
		t.Fatal(err)
	}
	if open != 0 || nodes != 0 {
		t.Errorf("%d records are open, %d nodes are listed", open, nodes)
	}
	unmerged()

	next := s.again()
	next.URL(t)
	eventually(t, "the run to succeed", 20*time.Second, func() bool { look(); return strings.HasPrefix(state, "succeeded") })
	var updated int
	if err := s.hub.QueryRow(ctx, "SELECT (counts->>'updated')::int FROM run WHERE id = $1", run.ID).Scan(&updated); err != nil {
		t.Fatal(err)
	}
	if attempt != 2 || updated != 30_000 {
		t.Errorf("the run updated %d rows in %d attempts", updated, attempt)
	}
	if code := next.Stop(10 * time.Second); code != exitOK {
		t.Errorf("stopping again: exit code %d", code)
	}
}
