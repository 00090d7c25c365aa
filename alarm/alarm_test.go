package alarm_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/alarm"
	"github.com/shuqiao/shuqiao/audit"
	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/authz/authztest"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// One of several nodes judges in each interval, and however many judge there is one alarm per rule and object.
func TestOneNodeJudges(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.schedule(t, "1 hour")
	slow := func(opt *alarm.Options) { opt.Every = time.Hour }
	a, b := w.service(t, w.node.DB, slow), w.service(t, authztest.OpenURL(t, w.url), slow)
	type outcome struct {
		ran bool
		err error
	}
	done := make(chan outcome)
	for _, s := range []*alarm.Service{a, b, a, b} {
		go func() {
			ran, err := s.Round(w.ctx)
			done <- outcome{ran, err}
		}()
	}
	rounds := 0
	for range 4 {
		o := <-done
		if o.err != nil {
			t.Error(o.err)
		}
		if o.ran {
			rounds++
		}
	}
	if rounds != 1 {
		t.Errorf("%d nodes judged within one interval, want 1", rounds)
	}
	fast := w.service(t, authztest.OpenURL(t, w.url))
	for _, s := range []*alarm.Service{w.alarm, fast, w.alarm, fast} {
		go func() {
			_, err := s.Round(w.ctx)
			done <- outcome{err: err}
		}()
	}
	for range 4 {
		if o := <-done; o.err != nil && fault.CodeOf(o.err) != "try_again" && !strings.Contains(o.err.Error(), "try_again") {
			t.Error(o.err)
		}
	}
	if found := w.open(t, w.platform); len(found) != 1 {
		t.Errorf("got %d alarms, want 1", len(found))
	}
}

// A thing that is wrong again at once stays one alarm; one rule that cannot be judged leaves its alarms open and keeps no other
// from being judged.
func TestDampingAndBrokenRule(t *testing.T) {
	t.Parallel()
	w := setup(t, func(opt *alarm.Options) { opt.CloseAfter = time.Hour })
	id := w.schedule(t, "1 hour")
	w.judge(t)
	w.exec(t, "UPDATE schedule SET next_at = now() + interval '1 hour' WHERE id = $1", id)
	w.judge(t)
	if found := w.open(t, w.platform); len(found) != 1 {
		t.Fatalf("well for a moment: got %d alarms, want the same one", len(found))
	}
	w.exec(t, "UPDATE schedule SET next_at = now() - interval '1 hour' WHERE id = $1", id)
	w.judge(t)
	w.exec(t, "ALTER TABLE schedule RENAME TO schedule_gone")
	w.exec(t, "INSERT INTO node_report (node_id, disk_free, disk_size, lapses, at) VALUES ($1, 0, 1, 0, now())", db.NewID())
	if ran, err := w.alarm.Round(w.ctx); !ran || err == nil || !strings.Contains(err.Error(), "schedule_overdue") {
		t.Errorf("a rule that cannot be judged: %v, %v", ran, err)
	}
	rules := map[string]bool{}
	for _, a := range w.open(t, w.platform) {
		rules[a.Rule] = true
	}
	if !rules["schedule_overdue"] || !rules["disk_low"] {
		t.Errorf("open: %v, want the old and the new alarm", rules)
	}
}

// Who sees and handles which alarm: the platform's people all, a department's head the department's own, others none; whoever
// may not see one is told that it does not exist.
func TestWhoSeesAndHandles(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.schedule(t, "1 hour")
	w.exec(t, "INSERT INTO node_report (node_id, disk_free, disk_size, lapses, at) VALUES ($1, 0, 1, 0, now())", db.NewID())
	w.judge(t)
	byRule := map[string]uuid.UUID{}
	for _, a := range w.open(t, w.platform) {
		byRule[a.Rule] = a.ID
	}
	for name, c := range map[string]struct {
		p    authz.Principal
		want int
	}{"platform": {w.platform, 2}, "system": {w.system, 2}, "head": {w.admin, 1}, "stranger": {w.stranger, 0}} {
		if got := len(w.open(t, c.p)); got != c.want {
			t.Errorf("%s sees %d alarms, want %d", name, got, c.want)
		}
		if got, err := w.alarm.Open(w.ctx, c.p); err != nil || got != c.want {
			t.Errorf("%s counts %d alarms, %v; want %d", name, got, err, c.want)
		}
	}
	for name, p := range map[string]authz.Principal{"operator": w.operator, "security": w.security} {
		if _, _, err := w.alarm.List(w.ctx, p, alarm.Filter{}, db.Page{}); !fault.Is(err, fault.Forbidden) {
			t.Errorf("%s lists: %v", name, err)
		}
		if n, err := w.alarm.Open(w.ctx, p); n != 0 || err != nil {
			t.Errorf("%s counts %d, %v", name, n, err)
		}
		if _, err := w.alarm.ChangeRule(w.ctx, p, "run_failed", 0, alarm.RuleChange{}); !fault.Is(err, fault.Forbidden) {
			t.Errorf("%s changes a rule: %v", name, err)
		}
	}
	if _, _, err := w.alarm.List(w.ctx, w.admin, alarm.Filter{Department: &w.social}, db.Page{}); !fault.Is(err, fault.Forbidden) {
		t.Errorf("a head asks for another department: %v", err)
	}
	if _, err := w.alarm.Acknowledge(w.ctx, w.stranger, byRule["schedule_overdue"], ""); !fault.Is(err, fault.NotFound) {
		t.Errorf("a stranger acknowledges: %v", err)
	}
	if _, err := w.alarm.Acknowledge(w.ctx, w.admin, byRule["disk_low"], ""); !fault.Is(err, fault.NotFound) {
		t.Errorf("a department acknowledges the platform's: %v", err)
	}
	got, err := w.alarm.Acknowledge(w.ctx, w.admin, byRule["schedule_overdue"], "已联系")
	if err != nil || got.AcknowledgedBy == nil || *got.AcknowledgedBy != w.admin.ID || got.Note != "已联系" {
		t.Errorf("acknowledging: %+v, %v", got, err)
	}
	if _, err := w.alarm.Acknowledge(w.ctx, w.platform, got.ID, ""); !fault.Is(err, fault.Conflict) {
		t.Errorf("acknowledging twice: %v", err)
	}
	for name, c := range map[string]struct {
		until  time.Time
		reason string
	}{"no reason": {time.Now().Add(time.Hour), ""}, "the past": {time.Now().Add(-time.Hour), "x"}, "too long": {time.Now().AddDate(1, 0, 0), "x"}} {
		if _, err := w.alarm.Silence(w.ctx, w.admin, got.ID, c.until, c.reason); !fault.Is(err, fault.Invalid) {
			t.Errorf("silencing with %s: %v", name, err)
		}
	}
	kind, id := "alarm", got.ID.String()
	events, _, err := audit.NewLog(w.node.DB).Find(w.ctx, audit.Filter{ObjectKind: &kind, ObjectID: &id}, db.Page{})
	ok := 0
	for _, e := range events {
		if e.Outcome == audit.OK && e.Action == "alarm.acknowledge" && e.Actor.ID == w.admin.ID.String() {
			ok++
		}
	}
	if err != nil || ok != 1 {
		t.Errorf("evidence of the acknowledgement: %d of %+v, %v", ok, events, err)
	}
}

// Rules take only what makes sense, under the version the caller has seen.
func TestChangeRuleRefuses(t *testing.T) {
	t.Parallel()
	w := setup(t)
	number := func(f float64) *float64 { return &f }
	odd := alarm.Severity("odd")
	for name, c := range map[string]struct {
		key     string
		ifMatch int64
		change  alarm.RuleChange
		want    fault.Kind
	}{
		"an unknown rule":            {"nothing", 0, alarm.RuleChange{}, fault.NotFound},
		"an unknown severity":        {"run_failed", 0, alarm.RuleChange{Severity: &odd}, fault.Invalid},
		"too low a threshold":        {"schedule_overdue", 0, alarm.RuleChange{Threshold: number(1)}, fault.Invalid},
		"a threshold where none is":  {"run_differs", 0, alarm.RuleChange{Threshold: number(1)}, fault.Invalid},
		"a version nobody has seen":  {"run_failed", 7, alarm.RuleChange{}, fault.Precondition},
		"no number as the threshold": {"run_failed", 0, alarm.RuleChange{Threshold: number(0)}, fault.Invalid},
	} {
		if _, err := w.alarm.ChangeRule(w.ctx, w.platform, c.key, c.ifMatch, c.change); !fault.Is(err, c.want) {
			t.Errorf("%s: %v, want %s", name, err, c.want)
		}
	}
	rules, err := w.alarm.Rules(w.ctx, w.admin)
	if err != nil || len(rules) != len(alarm.RuleKeys()) {
		t.Errorf("rules: %d, %v", len(rules), err)
	}
	for _, r := range rules {
		if r.EN == "" || r.ZH == "" || r.AdviceEN == "" || r.AdviceZH == "" || !r.Enabled || r.RowVersion != 0 {
			t.Errorf("%s: %+v", r.Key, r)
		}
	}
}
