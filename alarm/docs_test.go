package alarm_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/shuqiao/shuqiao/alarm"
)

// judging calls the sample of the page with each message of standard input, as a receiver would.
const judging = `
import json, sys
for m in json.load(sys.stdin):
    print(from_the_hub(m["secret"].encode(), m["headers"], m["body"].encode()))
`

// The sample of docs/alarms.md takes what the hub signs, and nothing that was altered, signed by somebody else or sent long ago. Where
// python3 is not installed, the log of the test says so.
func TestSignatureSample(t *testing.T) {
	t.Parallel()
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("python3 is not installed: the sample was not run")
	}
	page, err := os.ReadFile("../docs/alarms.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(page), "```python\n")
	sample, _, closed := strings.Cut(rest, "```")
	if !found || !closed {
		t.Fatal("the page has no sample")
	}
	type message struct {
		Secret  string            `json:"secret"`
		Headers map[string]string `json:"headers"`
		Body    string            `json:"body"`
	}
	signed := func(sent time.Time) message {
		m := message{Secret: webhookSecret, Body: `{"event":"opened","text":"示例"}`}
		stamp := strconv.FormatInt(sent.Unix(), 10)
		m.Headers = map[string]string{
			alarm.HeaderTimestamp: stamp, alarm.HeaderDelivery: "0198a7c5-0000-7000-8000-000000000001",
			alarm.HeaderSignature: alarm.Sign(webhookSecret, stamp, "0198a7c5-0000-7000-8000-000000000001", []byte(m.Body)),
		}
		return m
	}
	cases := []struct {
		name  string
		want  bool
		spoil func(m *message)
	}{
		{"as it was sent", true, func(*message) {}},
		{"another body", false, func(m *message) { m.Body += " " }},
		{"another secret", false, func(m *message) { m.Secret += "x" }},
		{"another delivery", false, func(m *message) { m.Headers[alarm.HeaderDelivery] = "0198a7c5-0000-7000-8000-000000000002" }},
		{"another time", false, func(m *message) { m.Headers[alarm.HeaderTimestamp] = strconv.FormatInt(time.Now().Unix()+1, 10) }},
		{"long ago", false, func(m *message) { *m = signed(time.Now().Add(-time.Hour)) }},
	}
	var messages []message
	for _, c := range cases {
		m := signed(time.Now())
		c.spoil(&m)
		messages = append(messages, m)
	}
	input, err := json.Marshal(messages)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), python, "-c", sample+judging)
	cmd.Stdin = strings.NewReader(string(input))
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	got := strings.Fields(string(out))
	if len(got) != len(cases) {
		t.Fatalf("the sample said %q", out)
	}
	for i, c := range cases {
		if got[i] != map[bool]string{true: "True", false: "False"}[c.want] {
			t.Errorf("%s: got %s, want %v", c.name, got[i], c.want)
		}
	}
}
