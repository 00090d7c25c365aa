package alarm_test

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/shuqiao/shuqiao/alarm"
	"github.com/shuqiao/shuqiao/api/client"
	"github.com/shuqiao/shuqiao/internal/config"
	"github.com/shuqiao/shuqiao/internal/hubtest"
)

// metricNames are the names a query may speak of: those of the hub and of the libraries it is instrumented with.
var metricNames = regexp.MustCompile(`\b(?:shuqiao|process|go)_[a-z_]+`)

// expressions returns the queries of the rules file and of the dashboard.
func expressions(t *testing.T) []string {
	t.Helper()
	var out []string
	raw, err := os.ReadFile("../deploy/prometheus/shuqiao.rules.yml")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(raw)) {
		if _, expr, ok := strings.Cut(line, "expr: "); ok {
			out = append(out, strings.TrimSpace(expr))
		}
	}
	raw, err = os.ReadFile("../deploy/grafana/shuqiao.json")
	if err != nil {
		t.Fatal(err)
	}
	var dashboard struct {
		Panels []struct {
			Targets []struct {
				Expr string `json:"expr"`
			} `json:"targets"`
		} `json:"panels"`
	}
	if err := json.Unmarshal(raw, &dashboard); err != nil {
		t.Fatalf("reading the dashboard: %v", err)
	}
	for _, p := range dashboard.Panels {
		for _, q := range p.Targets {
			out = append(out, q.Expr)
		}
	}
	if len(out) < 20 {
		t.Fatalf("only %d queries were found", len(out))
	}
	return out
}

// until waits until something holds, at most half a minute.
func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	deadline := time.After(30 * time.Second)
	for !holds() {
		select {
		case <-ticker.C:
		case <-deadline:
			t.Fatalf("%s did not come", what)
		}
	}
}

// A hub that serves finds an overdue schedule by itself, tells a receiver through the contract's channel, takes the
// acknowledgement, and exports every figure that the rules file and the dashboard ask for.
func TestHub(t *testing.T) {
	t.Parallel()
	h := hubtest.Start(t, hubtest.Options{})
	s := h.Sample(t, 10)
	ctx := t.Context()
	r := newReceiver(t, httptest.NewServer)
	channel, err := s.Provider.Admin.CreateAlarmChannel(ctx, client.AlarmChannelInput{
		Name: "值班", Kind: "webhook", Settings: client.AlarmChannelSettings{URL: r.URL}, Secret: webhookSecret,
	})
	if err != nil || channel.DepartmentID == nil || *channel.DepartmentID != s.Provider.ID {
		t.Fatalf("making a channel: %+v, %v", channel, err)
	}
	if got, err := s.Provider.Admin.TestAlarmChannel(ctx, channel.ID); err != nil || !got.OK {
		t.Errorf("trying the channel: %+v, %v", got, err)
	}
	schedule, err := s.Provider.Admin.CreateSchedule(ctx, client.NewSchedule{TaskID: s.Task.ID, Spec: "0 2 * * *"})
	if err != nil {
		t.Fatal(err)
	}
	// A parked schedule stays as it is, whatever the scheduler of this node does.
	if _, err := h.DB.Pool.Exec(ctx, knownYears); err != nil {
		t.Fatal(err)
	}
	if _, err := h.DB.Pool.Exec(ctx, "UPDATE schedule SET state = 'parked', next_at = NULL WHERE id = $1", schedule.ID); err != nil {
		t.Fatal(err)
	}
	// The hub judges every 15 seconds; the last round is made to lie back.
	var told *alarm.Message
	until(t, "a message", func() bool {
		if _, err := h.DB.Pool.Exec(ctx, "UPDATE alarm_round SET at = '-infinity' WHERE at < now() - interval '1 second'"); err != nil {
			t.Fatal(err)
		}
		for _, m := range r.messages() {
			if m.message.Event == alarm.EventOpened {
				told = &m.message
			}
		}
		return told != nil
	})
	if told.Alarm.Rule != "schedule_parked" || told.Alarm.ObjectID != schedule.ID {
		t.Fatalf("the receiver heard %+v", *told)
	}
	found, err := s.Provider.Admin.Alarms(ctx, "")
	if err != nil || len(found) != 1 || found[0].ID != told.Alarm.ID.String() {
		t.Fatalf("alarms of the department: %+v, %v", found, err)
	}
	if others, err := s.Consumer.Admin.Alarms(ctx, "all"); err != nil || len(others) != 0 {
		t.Errorf("alarms of the other department: %+v, %v", others, err)
	}
	if a, err := s.Provider.Admin.AcknowledgeAlarm(ctx, found[0].ID, "在查"); err != nil || a.AcknowledgedAt == nil {
		t.Errorf("acknowledging: %+v, %v", a, err)
	}
	if a, err := s.Staff.Operator.SilenceAlarm(ctx, found[0].ID, time.Now().Add(time.Hour), "检修"); err != nil || a.SilencedUntil == nil {
		t.Errorf("silencing: %+v, %v", a, err)
	}
	rules, err := s.Staff.SystemAdmin.AlarmRules(ctx)
	if err != nil || len(rules) != len(alarm.RuleKeys()) {
		t.Errorf("rules: %d, %v", len(rules), err)
	}
	if list, err := s.Provider.Admin.AlarmDeliveries(ctx, channel.ID, 10); err != nil || len(list.Data) != 1 {
		t.Errorf("deliveries: %+v, %v", list, err)
	}

	grant := s.Grant(t, s.Terms())
	until(t, "a pull", func() bool {
		_, err := s.Client.Rows(ctx, client.Pull{Resource: s.Resource.ID, Grant: grant.ID, Purpose: s.Terms().Purpose}, client.Query{})
		return err == nil
	})
	if _, err := h.DB.Pool.Exec(ctx, "INSERT INTO fire (schedule_id, due_from, due_to, outcome, at) VALUES ($1, now(), now(), 'started', now())", schedule.ID); err != nil {
		t.Fatal(err)
	}
	answer, err := http.Get(h.URL() + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	raw, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	var exported []string
	for line := range strings.Lines(string(raw)) {
		if !strings.HasPrefix(line, "#") {
			exported = append(exported, line[:strings.IndexAny(line, "{ ")])
		}
	}
	for _, expr := range expressions(t) {
		for _, name := range metricNames.FindAllString(expr, -1) {
			if !slices.Contains(exported, name) {
				t.Errorf("%q asks for %s, which the hub does not export", expr, name)
			}
		}
	}
	for _, want := range []string{`shuqiao_alarms{rule="schedule_parked",severity="warning"} 1`, `shuqiao_alarms{rule="node_lost",severity="critical"} 0`, `shuqiao_alarm_deliveries{state="sent"} 1`} {
		if !strings.Contains(string(raw), want) {
			t.Errorf("the figures lack %s", want)
		}
	}
}

// A node that allows only the addresses it allows by default takes no source on its own machine, and does not connect to one
// that was registered before.
func TestSourcesOnTheHubsMachine(t *testing.T) {
	t.Parallel()
	h := hubtest.Start(t, hubtest.Options{})
	s := h.Sample(t, 1)
	careful := hubtest.Start(t, hubtest.Options{Beside: h, Flags: map[string]string{"source-networks": "default"}, Role: config.RoleAPI})
	operator := careful.SignIn(t, "police_operator")
	for name, host := range map[string]string{"loopback": "127.0.0.1", "a name of it": "localhost", "a socket": "/run", "metadata": "169.254.169.254"} {
		_, err := operator.CreateSource(t.Context(), client.SourceInput{Name: name, Driver: "postgres", Settings: map[string]string{
			"host": host, "database": "x", "user": "x", "password": "x",
		}})
		if problem, ok := errors.AsType[*client.Problem](err); !ok || problem.Status != 400 || problem.Errors[0].Code != "address_refused" {
			t.Errorf("%s: %v", name, err)
		}
	}
	var probe client.ProbeResult
	if err := operator.Call(t.Context(), http.MethodPost, "/sources/"+s.SourceID+"/probe", nil, &probe); err != nil || probe.OK || probe.Code != "source_not_allowed" {
		t.Errorf("asking a source that was registered before: %+v, %v", probe, err)
	}
}
