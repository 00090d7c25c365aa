package alarm_test

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/alarm"
	"github.com/shuqiao/shuqiao/internal/db"
)

// Every rule finds what it is there to find and whose matter it is, leaves alone what is well, and lets go of it when it is
// mended.
func TestRules(t *testing.T) {
	t.Parallel()
	w := setup(t)
	run := func(state, code, ago string) string {
		return `INSERT INTO run (id, task_id, resource_id, kind, trigger, state, not_before, queued_at, finished_at, error)
			SELECT gen_random_uuid(), id, resource_id, 'collect', 'schedule', '` + state + `', now(), now() - interval '` + ago + `', now(),
				jsonb_build_object('code', '` + code + `') FROM task`
	}
	schedule := func(state, ago string) string {
		return `INSERT INTO schedule (id, task_id, spec, state, next_at, created_at, updated_at)
			SELECT gen_random_uuid(), id, '0 2 * * *', '` + state + `', now() - interval '` + ago + `', now(), now() FROM task`
	}
	mount := func(state string) string {
		return `WITH s AS (INSERT INTO source (id, department_id, name, driver, settings, created_at, updated_at)
				SELECT gen_random_uuid(), provider_dept_id, gen_random_uuid()::text, 'postgres', '{}', now(), now() FROM resource RETURNING id)
			INSERT INTO mount (id, resource_id, version, source_id, object, columns, schema, state, created_by, created_at, updated_at)
			SELECT gen_random_uuid(), r.id, 1, s.id, 'public.thing', '[]', '{}', '` + state + `', r.created_by, now(), now() FROM resource r, s`
	}
	report := func(free, lapses string) string {
		return `INSERT INTO node_report (node_id, disk_free, disk_size, lapses, at)
			VALUES (gen_random_uuid(), ` + free + ` * 1073741824::bigint, 107374182400, ` + lapses + `, now())`
	}
	key := func(in string) string {
		return `INSERT INTO client_key (key_id, client_id, secret_hash, created_at, expires_at)
			SELECT 'sqk_' || gen_random_uuid(), id, '\x00', now() - interval '1 year', now() + interval '` + in + `' FROM client`
	}
	request := func(state, ago string) string {
		return `INSERT INTO sharing_request (id, client_id, consumer_dept_id, provider_dept_id, resource_id, resource_version, share_type, items, share_methods,
				legal_basis, scenario, purpose, purpose_text, valid_until, state, applicant_id, due_at, created_at, updated_at)
			SELECT gen_random_uuid(), c.id, c.department_id, r.provider_dept_id, r.id, 1, 'conditional', '{1}', '{api}', 'x', 'x', 'x', 'x', now() + interval '1 year',
				'` + state + `', u.id, now() - interval '` + ago + `', now(), now() FROM client c, resource r, hub_user u`
	}
	grant := func(in string) string {
		return `WITH q AS (` + strings.TrimSuffix(request("approved", "0 s"), "") + ` RETURNING *)
			INSERT INTO sharing_grant (id, request_id, client_id, consumer_dept_id, provider_dept_id, resource_id, resource_version, share_type, grade, items, rid_key,
				share_methods, purpose, purpose_text, valid_from, valid_to, state, created_at, updated_at)
			SELECT gen_random_uuid(), q.id, q.client_id, q.consumer_dept_id, q.provider_dept_id, q.resource_id, 1, 'conditional', 'L2', '{1}', '\x00', '{api}', 'x', 'x',
				now() - interval '1 year', now() + interval '` + in + `', 'active', now(), now() FROM q`
	}
	node := func(ago string) string {
		return `INSERT INTO node (node_id, incarnation, role, address, started_at, seen_at)
			VALUES (gen_random_uuid(), gen_random_uuid(), 'all', '192.0.2.1:8080', now(), now() - interval '` + ago + `')`
	}
	channel := func(ago string) string {
		return `WITH a AS (INSERT INTO alarm (id, rule, object_kind, object_id, severity, opened_at, last_seen_at, closed_at)
				VALUES (gen_random_uuid(), 'none', 'hub', 'none', 'info', now(), now(), now()) RETURNING id),
			c AS (INSERT INTO alarm_channel (id, name, kind, settings, least_severity, state, created_by, created_at, updated_at)
				VALUES (gen_random_uuid(), gen_random_uuid()::text, 'webhook', '{"url": "http://192.0.2.1/"}', 'critical', 'enabled', gen_random_uuid(), now(), now()) RETURNING id)
			INSERT INTO alarm_delivery (id, channel_id, alarm_id, event, body, state, next_at, created_at)
			SELECT gen_random_uuid(), c.id, a.id, 'opened', '{}', 'waiting', now() + interval '1 hour', now() - interval '` + ago + `' FROM a, c`
	}
	pending := func(ago string) string {
		return `WITH e AS (INSERT INTO event (id, at, actor_kind, actor_id, action, object_kind, object_id, outcome, body)
				VALUES ('00000000-0000-7000-8000-000000000001', now() - interval '` + ago + `', 'system', 'test', 'x.y', 'x', 'x', 'ok', '{}') RETURNING id)
			INSERT INTO pending SELECT id FROM e`
	}
	// The runs move to where old ones are kept, which changes nothing about them.
	old := []string{"INSERT INTO run_history SELECT * FROM run", "DELETE FROM run"}
	both := func(a, b string) []string { return []string{a, b} }
	all := "DELETE FROM "
	cases := []struct {
		rule     string
		well     []string // Leaves nothing wrong.
		wrong    []string
		mend     string
		severity alarm.Severity
		owner    *uuid.UUID
		fact     string // Part of the detail.
	}{
		{"schedule_overdue", both(schedule("enabled", "5 s"), schedule("paused", "1 day")), []string{schedule("enabled", "2 minutes")}, all + "schedule", alarm.Critical, &w.police, "示例事项"},
		{"schedule_parked", []string{schedule("enabled", "-1 hour")}, []string{schedule("parked", "0 s")}, all + "schedule", alarm.Warning, &w.police, "示例事项"},
		{"run_failed", both(run("failed", "source_down", "2 hours"), run("succeeded", "", "1 hour")), []string{run("failed", "source_down", "1 s")}, all + "run", alarm.Warning, &w.police, "source_down"},
		{"run_differs", both(run("partial", "", "2 hours"), run("succeeded", "", "1 hour")), append([]string{run("partial", "", "1 s")}, old...), all + "run_history", alarm.Warning, &w.police, "示例事项"},
		{"delete_guard", both(run("failed", "delete_guard", "2 hours"), run("succeeded", "", "1 hour")), []string{run("failed", "delete_guard", "1 s")}, all + "run", alarm.Warning, &w.police, "示例事项"},
		{"source_drift", both(run("failed", "schema_changed", "2 hours"), run("succeeded", "", "1 hour")), []string{run("failed", "schema_changed", "1 s")}, all + "run", alarm.Warning, &w.police, "schema_changed"},
		{"mount_blocked", both(mount("suspended"), mount("active")), []string{"DELETE FROM mount WHERE state = 'active'"}, all + "mount", alarm.Warning, &w.police, "示例事项"},
		{"disk_low", []string{report("50", "0")}, []string{report("4", "0")}, all + "node_report", alarm.Warning, nil, "4"},
		{"disk_low", nil, []string{report("0", "0")}, all + "node_report", alarm.Critical, nil, "free_gib"},
		{"policy_lapses", []string{report("50", "2")}, []string{report("50", "3")}, all + "node_report", alarm.Warning, nil, "lapses"},
		{"key_expiring", both(key("60 days"), key("-1 day")), []string{key("20 days")}, all + "client_key", alarm.Info, &w.social, "示例业务系统"},
		{"key_expiring", nil, []string{key("6 days")}, all + "client_key", alarm.Warning, &w.social, "expires_at"},
		{"key_expiring", nil, []string{key("12 hours")}, all + "client_key", alarm.Critical, &w.social, "expires_at"},
		{"sealer_late", nil, []string{pending("5 minutes")}, all + "pending", alarm.Critical, nil, "since"},
		{"node_lost", []string{node("5 s")}, []string{node("40 s")}, all + "node", alarm.Critical, nil, "192.0.2.1"},
		{"request_overdue", both(request("in_review", "-1 day"), request("approved", "1 day")), []string{request("in_review", "1 minute")}, all + "sharing_request", alarm.Warning, &w.police, "due_at"},
		{"request_overdue", nil, []string{request("pending_acceptance", "1 minute")}, all + "sharing_request", alarm.Warning, nil, "pending_acceptance"},
		{"grant_ending", []string{grant("60 days")}, []string{"UPDATE sharing_grant SET valid_to = now() + interval '20 days'"}, "TRUNCATE sharing_grant CASCADE", alarm.Info, &w.social, "示例业务系统"},
		{
			"calendar_missing",
			[]string{`INSERT INTO alarm_rule (key, enabled, severity, threshold, updated_at) VALUES ('calendar_missing', true, 'critical', 366, now())`},
			[]string{"DELETE FROM calendar_year WHERE year > 2026"},
			knownYears, alarm.Critical, nil, "year",
		},
		{"channel_failing", []string{channel("5 minutes")}, []string{channel("2 hours")}, all + "alarm_channel", alarm.Warning, nil, "channel"},
	}
	tested := map[string]bool{}
	for _, c := range cases {
		tested[c.rule] = true
		for _, sql := range c.well {
			w.exec(t, sql)
		}
		w.judge(t)
		if found := w.open(t, w.platform); len(found) != 0 {
			t.Fatalf("%s: nothing is wrong, and yet %+v", c.rule, found)
		}
		for _, sql := range c.wrong {
			w.exec(t, sql)
		}
		w.judge(t)
		w.judge(t) // Again, which opens no second alarm.
		found := w.open(t, w.platform)
		if len(found) != 1 {
			t.Fatalf("%s: got %d alarms: %+v", c.rule, len(found), found)
		}
		a := found[0]
		sameOwner := (a.DepartmentID == nil) == (c.owner == nil) && (c.owner == nil || *a.DepartmentID == *c.owner)
		if a.Rule != c.rule || a.Severity != c.severity || !sameOwner || !strings.Contains(string(a.Detail), c.fact) || a.ObjectID == "" {
			t.Errorf("%s: got %+v, want severity %s with %s", c.rule, a, c.severity, c.fact)
		}
		w.exec(t, c.mend)
		w.judge(t)
		if found := w.open(t, w.platform); len(found) != 0 {
			t.Fatalf("%s: mended, and yet %+v", c.rule, found)
		}
		if got, err := w.alarm.Alarm(w.ctx, w.platform, a.ID); err != nil || got.ClosedAt == nil {
			t.Errorf("%s: the past alarm is not kept: %+v, %v", c.rule, got, err)
		}
	}
	for _, key := range alarm.RuleKeys() {
		if !tested[key] {
			t.Errorf("no case for rule %s", key)
		}
	}
}

// A key that is being replaced by one which is already in use alarms nobody, nor does the second failure of a task before the
// threshold that people set.
func TestThresholds(t *testing.T) {
	t.Parallel()
	w := setup(t)
	insert := `INSERT INTO client_key (key_id, client_id, secret_hash, created_at, expires_at, last_used_at)
		VALUES ($1, $2, '\x00', now() - interval '1 year', now() + $3::interval, now() - $4::interval)`
	w.exec(t, insert, "sqk_old", w.client, "10 days", "2 days")
	w.exec(t, insert, "sqk_new", w.client, "300 days", "3 days")
	w.judge(t)
	if found := w.open(t, w.platform); len(found) != 1 || found[0].ObjectID != "sqk_old" {
		t.Errorf("before the new key is used: %+v", found)
	}
	w.exec(t, "UPDATE client_key SET last_used_at = now() WHERE key_id = 'sqk_new'")
	w.judge(t)
	if found := w.open(t, w.platform); len(found) != 0 {
		t.Errorf("the new key is in use: %+v", found)
	}

	two, high := 2.0, alarm.Critical
	if _, err := w.alarm.ChangeRule(w.ctx, w.platform, "run_failed", 0, alarm.RuleChange{Threshold: &two, Severity: &high}); err != nil {
		t.Fatal(err)
	}
	failed := `INSERT INTO run (id, task_id, resource_id, kind, trigger, state, not_before, queued_at, error)
		VALUES ($1, $2, $3, 'collect', 'schedule', 'failed', now(), clock_timestamp(), '{"code": "source_down"}')`
	for want := range 2 {
		w.exec(t, failed, db.NewID(), w.task, w.resource)
		w.judge(t)
		if found := w.open(t, w.platform); len(found) != want || want == 1 && found[0].Severity != alarm.Critical {
			t.Errorf("after %d failures: %+v", want+1, found)
		}
	}
	off := false
	rule, err := w.alarm.ChangeRule(w.ctx, w.system, "run_failed", 1, alarm.RuleChange{Enabled: &off})
	if err != nil || rule.Threshold != 2 || rule.RowVersion != 2 {
		t.Errorf("switching off: %+v, %v", rule, err)
	}
	w.judge(t)
	if found := w.open(t, w.platform); len(found) != 0 {
		t.Errorf("a rule that is off: %+v", found)
	}
}

// docs/alarms.md lists every rule with the severity and the threshold it has, in the order of the code.
func TestDocumentationMatchesRules(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("../docs/alarms.md")
	if err != nil {
		t.Fatal(err)
	}
	var got, want []string
	row := regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\| (info|warning|critical) \\| ([^|]+) \\|")
	for _, m := range row.FindAllStringSubmatch(string(raw), -1) {
		got = append(got, m[1]+" "+m[2]+" "+m[3])
	}
	for _, r := range alarm.Rules() {
		threshold := "–"
		if r.Unit != "" {
			threshold = fmt.Sprintf("%g %s", r.Threshold, r.Unit)
		}
		want = append(want, r.Key+" "+string(r.Severity)+" "+threshold)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("rules (-code +documentation):\n%s", diff)
	}
}
