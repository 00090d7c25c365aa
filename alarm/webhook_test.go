package alarm_test

import (
	"crypto/x509"
	"encoding/json"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/shuqiao/shuqiao/alarm"
	"github.com/shuqiao/shuqiao/authz/authztest"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
	"github.com/shuqiao/shuqiao/internal/netguard"
)

// A message is signed, is repeated under one id until the receiver confirms it with 2xx (a redirect is no confirmation and is
// not followed), and its end is told, too.
func TestWebhook(t *testing.T) {
	t.Parallel()
	w := setup(t)
	r := newReceiver(t, httptest.NewServer, 500, 302)
	c := w.webhook(t, w.platform, r.URL)
	id := w.schedule(t, "1 hour")
	w.judge(t)
	w.send(t)
	w.judge(t)
	w.send(t)
	got := r.messages()
	if len(got) != 3 {
		t.Fatalf("got %d requests, want two refused ones and the confirmed one", len(got))
	}
	for _, m := range got {
		delivery, stamp := m.header.Get(alarm.HeaderDelivery), m.header.Get(alarm.HeaderTimestamp)
		if m.header.Get(alarm.HeaderSignature) != alarm.Sign(webhookSecret, stamp, delivery, m.body) {
			t.Errorf("signature %q does not fit", m.header.Get(alarm.HeaderSignature))
		}
		if alarm.Sign("another secret!!", stamp, delivery, m.body) == m.header.Get(alarm.HeaderSignature) {
			t.Error("the signature does not depend on the secret")
		}
		if delivery != got[0].header.Get("Idempotency-Key") || m.message.ID.String() != delivery {
			t.Errorf("a repetition has the id %s", delivery)
		}
	}
	m := got[2].message
	if m.Event != alarm.EventOpened || m.Alarm.Rule != "schedule_overdue" || m.Alarm.ObjectID != id.String() || m.Alarm.Department != "示例市公安局" ||
		!strings.Contains(m.Text, "示例事项") || !strings.Contains(m.TextEN, "schedule") || m.Advice == "" {
		t.Errorf("message: %+v", m)
	}
	deliveries, _, err := w.alarm.Deliveries(w.ctx, w.platform, c.ID, db.Page{})
	if err != nil || len(deliveries) != 1 || deliveries[0].State != alarm.DeliverySent || deliveries[0].Attempts != 3 {
		t.Errorf("deliveries: %+v, %v", deliveries, err)
	}
	w.exec(t, "DELETE FROM schedule")
	w.judge(t)
	w.send(t)
	if got := r.messages(); len(got) != 4 || got[3].message.Event != alarm.EventClosed || got[3].message.Alarm.ClosedAt == nil {
		t.Errorf("after the end: %d messages", len(got))
	}
}

// A message that a dead node had taken is sent by another one when its time is over, under the same id; two nodes that send at
// once send each message once.
func TestTakenByADeadNode(t *testing.T) {
	t.Parallel()
	w := setup(t)
	r := newReceiver(t, httptest.NewServer)
	w.webhook(t, w.platform, r.URL)
	for range 12 {
		w.schedule(t, "1 hour")
	}
	w.judge(t)
	// What a node that took a message and died leaves behind.
	w.exec(t, `UPDATE alarm_delivery SET attempts = 1, next_at = now() + interval '1 minute' WHERE id = (SELECT id FROM alarm_delivery ORDER BY id LIMIT 1)`)
	other := w.service(t, authztest.OpenURL(t, w.url))
	failures := make(chan error)
	for _, s := range []*alarm.Service{w.alarm, other} {
		go func() {
			_, err := s.Send(w.ctx)
			failures <- err
		}()
	}
	for range 2 {
		if err := <-failures; err != nil {
			t.Error(err)
		}
	}
	if got := len(r.messages()); got != 11 {
		t.Errorf("two nodes sent %d messages, want 11 once each", got)
	}
	w.exec(t, "UPDATE alarm_delivery SET next_at = now() WHERE state = 'waiting'")
	w.send(t)
	seen := map[string]bool{}
	for _, m := range r.messages() {
		seen[m.header.Get(alarm.HeaderDelivery)] = true
	}
	if len(seen) != 12 {
		t.Errorf("%d different messages arrived, want 12", len(seen))
	}
}

// Which alarms a channel gets: its department's, its rules', from its severity on. An acknowledged or silenced alarm is not told
// again, one that gets worse is, and a silence holds when the alarm opens anew.
func TestWhatAChannelGets(t *testing.T) {
	t.Parallel()
	w := setup(t)
	rs := map[string]*receiver{}
	for name, change := range map[string]func(*alarm.ChannelInput){
		"all":      func(*alarm.ChannelInput) {},
		"critical": func(in *alarm.ChannelInput) { in.LeastSeverity = alarm.Critical },
		"police":   func(in *alarm.ChannelInput) { in.DepartmentID = &w.police },
		"social":   func(in *alarm.ChannelInput) { in.DepartmentID = &w.social },
		"keys":     func(in *alarm.ChannelInput) { in.Rules = []string{"key_expiring"} },
		"paused":   func(in *alarm.ChannelInput) { in.State = alarm.ChannelPaused },
	} {
		rs[name] = newReceiver(t, httptest.NewServer)
		w.webhook(t, w.platform, rs[name].URL, func(in *alarm.ChannelInput) { in.Name = name }, change)
	}
	counts := func() map[string]int {
		out := map[string]int{}
		for name, r := range rs {
			out[name] = len(r.messages())
		}
		return out
	}
	step := func(what string, want map[string]int) {
		t.Helper()
		w.judge(t)
		w.send(t)
		if diff := cmp.Diff(want, counts()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", what, diff)
		}
	}
	w.exec(t, `INSERT INTO client_key (key_id, client_id, secret_hash, created_at, expires_at) VALUES ('sqk_a', $1, '\x00', now() - interval '1 year', now() + interval '20 days')`, w.client)
	step("an ending key", map[string]int{"all": 1, "critical": 0, "police": 0, "social": 1, "keys": 1, "paused": 0})
	step("nothing new", map[string]int{"all": 1, "critical": 0, "police": 0, "social": 1, "keys": 1, "paused": 0})
	a := w.open(t, w.platform)[0]
	if _, err := w.alarm.Acknowledge(w.ctx, w.stranger, a.ID, "在换"); err != nil {
		t.Fatal(err)
	}
	w.exec(t, "UPDATE client_key SET expires_at = now() + interval '12 hours'")
	step("it gets worse", map[string]int{"all": 2, "critical": 1, "police": 0, "social": 2, "keys": 2, "paused": 0})
	if got := rs["critical"].messages()[0].message; got.Event != alarm.EventRaised || got.Alarm.AcknowledgedAt != nil {
		t.Errorf("raised: %+v", got)
	}
	if _, err := w.alarm.Silence(w.ctx, w.stranger, a.ID, time.Now().Add(time.Hour), "今日更换"); err != nil {
		t.Fatal(err)
	}
	w.exec(t, "UPDATE client_key SET revoked_at = now()")
	step("over while silenced", map[string]int{"all": 2, "critical": 1, "police": 0, "social": 2, "keys": 2, "paused": 0})
	w.exec(t, "UPDATE client_key SET revoked_at = NULL")
	step("again while silenced", map[string]int{"all": 2, "critical": 1, "police": 0, "social": 2, "keys": 2, "paused": 0})
	again := w.open(t, w.platform)
	if len(again) != 1 || again[0].ID == a.ID || !again[0].Silent(time.Now()) || again[0].SilenceReason != "今日更换" {
		t.Fatalf("again: %+v", again)
	}
	if _, err := w.alarm.Unsilence(w.ctx, w.platform, again[0].ID); err != nil {
		t.Fatal(err)
	}
	step("the silence ends", map[string]int{"all": 3, "critical": 2, "police": 0, "social": 3, "keys": 3, "paused": 0})
}

// After a day without success a message is given up, and each pause is longer than the one before.
func TestGivingUp(t *testing.T) {
	t.Parallel()
	w := setup(t, func(opt *alarm.Options) { opt.FirstRetry = time.Minute })
	r := newReceiver(t, httptest.NewServer, 503, 503, 503)
	c := w.webhook(t, w.platform, r.URL)
	w.schedule(t, "1 hour")
	w.judge(t)
	var pauses []time.Duration
	for range 2 {
		if _, err := w.alarm.Send(w.ctx); err != nil {
			t.Fatal(err)
		}
		found, _, err := w.alarm.Deliveries(w.ctx, w.platform, c.ID, db.Page{})
		if err != nil || len(found) != 1 || found[0].State != alarm.DeliveryWaiting || found[0].Code != "status_503" {
			t.Fatalf("after a failure: %+v, %v", found, err)
		}
		pauses = append(pauses, time.Until(found[0].NextAt).Round(30*time.Second))
		w.exec(t, "UPDATE alarm_delivery SET next_at = now()")
	}
	if diff := cmp.Diff([]time.Duration{time.Minute, 2 * time.Minute}, pauses); diff != "" {
		t.Errorf("pauses (-want +got):\n%s", diff)
	}
	w.exec(t, "UPDATE alarm_delivery SET created_at = now() - interval '24 hours'")
	if _, err := w.alarm.Send(w.ctx); err != nil {
		t.Fatal(err)
	}
	found, _, err := w.alarm.Deliveries(w.ctx, w.platform, c.ID, db.Page{})
	if err != nil || found[0].State != alarm.DeliveryGivenUp || found[0].EndedAt == nil {
		t.Errorf("after a day: %+v, %v", found, err)
	}
}

// A channel is tried by a message that says it is a test; every way to fail has a code and no text of the other side.
func TestTryingAChannel(t *testing.T) {
	t.Parallel()
	secure := newReceiver(t, httptest.NewTLSServer)
	roots := x509.NewCertPool()
	roots.AddCert(secure.Certificate())
	w := setup(t, func(opt *alarm.Options) { opt.Roots = roots; opt.SendLimit = 2 * time.Second })
	stranger := newReceiver(t, httptest.NewTLSServer, 418)
	gone := httptest.NewServer(nil)
	gone.Close()
	plain := newReceiver(t, httptest.NewServer, 404)
	for name, c := range map[string]struct{ url, want string }{
		"a believed certificate": {secure.URL, ""},
		"an answer":              {plain.URL, "status_404"},
		"nobody there":           {gone.URL, alarm.CodeUnreachable},
	} {
		channel := w.webhook(t, w.platform, c.url, func(in *alarm.ChannelInput) { in.Name = name })
		got, err := w.alarm.TestChannel(w.ctx, w.platform, channel.ID)
		if err != nil || got.Code != c.want || got.OK != (c.want == "") {
			t.Errorf("%s: %+v, %v; want %q", name, got, err, c.want)
		}
	}
	if got := secure.messages(); len(got) != 1 || got[0].message.Event != alarm.EventTest {
		t.Errorf("the test message: %+v", got)
	}
	// The machine's own roots do not know the certificate.
	machine := w.service(t, w.node.DB)
	channel := w.webhook(t, w.platform, stranger.URL, func(in *alarm.ChannelInput) { in.Name = "unknown issuer" })
	if got, err := machine.TestChannel(w.ctx, w.platform, channel.ID); err != nil || got.Code != alarm.CodeTLS {
		t.Errorf("an unknown issuer: %+v, %v", got, err)
	}
	closed, err := netguard.Parse("default")
	if err != nil {
		t.Fatal(err)
	}
	guarded := w.service(t, w.node.DB, func(opt *alarm.Options) { opt.Networks = closed })
	if got, err := guarded.TestChannel(w.ctx, w.platform, channel.ID); err != nil || got.Code != alarm.CodeRefused {
		t.Errorf("a closed address: %+v, %v", got, err)
	}
	in := alarm.ChannelInput{Name: "inside", Kind: alarm.Webhook, Settings: alarm.ChannelSettings{URL: "http://169.254.169.254/latest"}, Secret: webhookSecret}
	if _, err := guarded.CreateChannel(w.ctx, w.platform, in); !fault.Is(err, fault.Invalid) {
		t.Errorf("a channel to a closed address: %v", err)
	}
}

// Channels are made of what makes sense; departments manage their own; a stored secret is given to nobody and to no other
// address.
func TestChannels(t *testing.T) {
	t.Parallel()
	w := setup(t)
	for name, in := range map[string]alarm.ChannelInput{
		"no secret":        {Name: "x", Kind: alarm.Webhook, Settings: alarm.ChannelSettings{URL: "https://127.0.0.1/"}},
		"a short secret":   {Name: "x", Kind: alarm.Webhook, Settings: alarm.ChannelSettings{URL: "https://127.0.0.1/"}, Secret: "short"},
		"a file":           {Name: "x", Kind: alarm.Webhook, Settings: alarm.ChannelSettings{URL: "file:///etc/passwd"}, Secret: webhookSecret},
		"an account":       {Name: "x", Kind: alarm.Webhook, Settings: alarm.ChannelSettings{URL: "https://a:b@127.0.0.1/"}, Secret: webhookSecret},
		"an unknown rule":  {Name: "x", Kind: alarm.Webhook, Settings: alarm.ChannelSettings{URL: "https://127.0.0.1/"}, Secret: webhookSecret, Rules: []string{"odd"}},
		"another kind":     {Name: "x", Kind: "pigeon"},
		"a second header":  {Name: "x", Kind: alarm.Mail, Settings: alarm.ChannelSettings{Host: "127.0.0.1", From: "a@example.org\r\nBcc: b@example.org", To: []string{"c@example.org"}}},
		"a second command": {Name: "x", Kind: alarm.Mail, Settings: alarm.ChannelSettings{Host: "127.0.0.1", From: "a@example.org", To: []string{"c@example.org>\r\nDATA"}}},
		"nobody":           {Name: "x", Kind: alarm.Mail, Settings: alarm.ChannelSettings{Host: "127.0.0.1", From: "a@example.org"}},
		"a bare password":  {Name: "x", Kind: alarm.Mail, Settings: alarm.ChannelSettings{Host: "127.0.0.1", TLS: "none", Username: "u", From: "a@example.org", To: []string{"c@example.org"}}, Secret: "p"},
	} {
		if _, err := w.alarm.CreateChannel(w.ctx, w.platform, in); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	mine := w.webhook(t, w.admin, "https://127.0.0.1/hook?a=1")
	if mine.DepartmentID == nil || *mine.DepartmentID != w.police || !mine.HasSecret {
		t.Errorf("a department's channel: %+v", mine)
	}
	raw, err := json.Marshal(mine)
	if err != nil || strings.Contains(string(raw), webhookSecret) {
		t.Errorf("the channel shows its secret: %s, %v", raw, err)
	}
	var stored string
	if err := w.node.DB.Pool.QueryRow(w.ctx, "SELECT encode(sealed, 'escape') || settings::text FROM alarm_channel WHERE id = $1", mine.ID).Scan(&stored); err != nil || strings.Contains(stored, webhookSecret) {
		t.Errorf("the secret is stored in the clear: %v", err)
	}
	if _, err := w.alarm.Channel(w.ctx, w.stranger, mine.ID); !fault.Is(err, fault.NotFound) {
		t.Errorf("another department reads it: %v", err)
	}
	in := alarm.ChannelInput{Name: "x", Kind: alarm.Webhook, Settings: alarm.ChannelSettings{URL: "https://127.0.0.1/"}, Secret: webhookSecret, DepartmentID: &w.police}
	if _, err := w.alarm.CreateChannel(w.ctx, w.stranger, in); !fault.Is(err, fault.Forbidden) {
		t.Errorf("a channel for another department: %v", err)
	}
	in = alarm.ChannelInput{Name: mine.Name, Settings: alarm.ChannelSettings{URL: "https://127.0.0.1/other"}}
	if _, err := w.alarm.UpdateChannel(w.ctx, w.admin, mine.ID, mine.RowVersion, in); !fault.Is(err, fault.Invalid) {
		t.Errorf("a kept secret for another address: %v", err)
	}
	in.Settings.URL, in.Name, in.State = mine.Settings.URL, "夜班", alarm.ChannelPaused
	changed, err := w.alarm.UpdateChannel(w.ctx, w.admin, mine.ID, mine.RowVersion, in)
	if err != nil || changed.Name != "夜班" || changed.State != alarm.ChannelPaused || !changed.HasSecret || changed.RowVersion != 2 {
		t.Errorf("changing: %+v, %v", changed, err)
	}
	if _, err := w.alarm.UpdateChannel(w.ctx, w.admin, mine.ID, mine.RowVersion, in); !fault.Is(err, fault.Precondition) {
		t.Errorf("under an old version: %v", err)
	}
	if found, _, err := w.alarm.Channels(w.ctx, w.stranger, db.Page{}); err != nil || len(found) != 0 {
		t.Errorf("another department lists %d channels, %v", len(found), err)
	}
	if err := w.alarm.DeleteChannel(w.ctx, w.admin, mine.ID); err != nil {
		t.Errorf("deleting: %v", err)
	}
	if found, _, err := w.alarm.Channels(w.ctx, w.platform, db.Page{}); err != nil || len(found) != 0 {
		t.Errorf("after deleting: %d channels, %v", len(found), err)
	}
}
