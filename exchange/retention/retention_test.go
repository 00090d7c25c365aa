package retention_test

import (
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/shuqiao/shuqiao/api/client"
	"github.com/shuqiao/shuqiao/audit"
	"github.com/shuqiao/shuqiao/internal/hubtest"
	"github.com/shuqiao/shuqiao/internal/retain"
)

// town is a hub with a sample, and what its tests do to time.
type town struct {
	*hubtest.Hub
	hubtest.Sample
}

func (w town) exec(t *testing.T, sql string, args ...any) {
	t.Helper()
	if _, err := w.DB.Pool.Exec(t.Context(), sql, args...); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

func value[T any](t *testing.T, w town, sql string, args ...any) T {
	t.Helper()
	var v T
	if err := w.DB.Pool.QueryRow(t.Context(), sql, args...).Scan(&v); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return v
}

// round lets an hour pass and removes what is due.
func (w town) round(t *testing.T) {
	t.Helper()
	w.exec(t, "UPDATE retention SET last_run_at = last_run_at - interval '1 hour'")
	if err := w.Retention.Round(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// removed returns what the last round removed, by kind, without the kinds of which it removed nothing.
func (w town) removed(t *testing.T) map[retain.Kind]int {
	t.Helper()
	return value[map[retain.Kind]int](t, w, "SELECT coalesce(jsonb_object_agg(kind, last_removed), '{}') FROM retention WHERE last_removed > 0")
}

// grant makes a grant for a purpose and returns its id when the client can use it.
func (w town) grant(t *testing.T, purpose string) string {
	t.Helper()
	terms := w.Terms()
	terms.Purpose = purpose
	g := w.Grant(t, terms)
	w.until(t, func() bool { return w.pull(t, g.ID) == "" })
	return g.ID
}

// pull reads a page under a grant and returns the problem's code, "" for none.
func (w town) pull(t *testing.T, grant string) string {
	t.Helper()
	purpose := value[string](t, w, "SELECT purpose FROM sharing_grant WHERE id = $1", grant)
	_, err := w.Client.Rows(t.Context(), client.Pull{Resource: w.Resource.ID, Grant: grant, Purpose: purpose}, client.Query{Limit: 5})
	if err == nil {
		return ""
	}
	return client.Code(err)
}

// until asks until the condition holds: it waits for the hub's loops.
func (w town) until(t *testing.T, holds func() bool) {
	t.Helper()
	deadline := time.After(20 * time.Second)
	for !holds() {
		select {
		case <-deadline:
			t.Fatal("waited in vain")
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// export orders a file under a grant and returns its name when it is there.
func (w town) export(t *testing.T, grant string) string {
	t.Helper()
	var e struct{ ID string }
	err := w.Client.Call(t.Context(), http.MethodPost, "/data/"+w.Resource.ID+"/exports", map[string]string{"format": "csv"}, &e, func(r *http.Request) {
		r.Header.Set("X-Grant", grant)
		r.Header.Set("X-Purpose", value[string](t, w, "SELECT purpose FROM sharing_grant WHERE id = $1", grant))
	})
	if err != nil {
		t.Fatalf("ordering a file: %v", err)
	}
	w.until(t, func() bool { return value[string](t, w, "SELECT state FROM export WHERE id = $1", e.ID) == "ready" })
	return filepath.Join(w.Dir(), "exports", value[string](t, w, "SELECT file FROM export WHERE id = $1", e.ID))
}

// One hub's story: what is over its period goes, kind by kind; keys and files of grants that are over are destroyed; a revoked
// resource loses its grants at once and its rows after the grace; everything is told and the log verifies.
func TestRetention(t *testing.T) {
	t.Parallel()
	h := hubtest.Start(t, hubtest.Options{})
	w := town{h, h.Sample(t, 30)}
	for _, sql := range []string{"DELETE FROM thing WHERE no = 'T000001'", "INSERT INTO thing VALUES ('T999999', '330602', '示例', '不是日期', 1)"} {
		if _, err := w.Source.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	w.Collect(t)
	kept, ended, over := w.grant(t, "kept"), w.grant(t, "ended"), w.grant(t, "over")
	w.exec(t, "INSERT INTO retention (kind, last_run_at) SELECT unnest($1::text[]), clock_timestamp()", kinds())
	if err := w.Retention.Round(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := value[int](t, w, "SELECT count(*)::int FROM retention WHERE last_run_at > clock_timestamp() - interval '1 minute'"); n != len(kinds()) {
		t.Fatalf("got %d kinds", n)
	}
	t.Run("nothing is due yet", func(t *testing.T) {
		w.round(t)
		if diff := cmp.Diff(map[retain.Kind]int{}, w.removed(t)); diff != "" {
			t.Errorf("removed (-want +got):\n%s", diff)
		}
	})
	t.Run("another node is at it", func(t *testing.T) {
		const lock = 0x7368755f6b656570
		other, err := w.DB.Pool.Acquire(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer other.Release()
		if _, err := other.Exec(t.Context(), "SELECT pg_advisory_lock($1)", int64(lock)); err != nil {
			t.Fatal(err)
		}
		w.round(t)
		if _, err := other.Exec(t.Context(), "SELECT pg_advisory_unlock($1)", int64(lock)); err != nil {
			t.Fatal(err)
		}
		if n := value[int](t, w, "SELECT count(*)::int FROM retention WHERE last_run_at > clock_timestamp() - interval '1 minute'"); n != 0 {
			t.Errorf("%d kinds had their turn meanwhile", n)
		}
	})
	t.Run("what is over its period", func(t *testing.T) { w.eachKind(t, kept) })
	t.Run("grants that are over", func(t *testing.T) { w.grantsOver(t, kept, ended, over) })
	t.Run("a revoked resource", func(t *testing.T) { w.revoked(t, kept) })
	t.Run("the report", func(t *testing.T) { w.report(t) })
	report, err := audit.Verify(t.Context(), w.DB.Pool, audit.VerifyOptions{})
	if err != nil || !report.OK() {
		t.Errorf("verifying the log: %+v, %v", report.Problems, err)
	}
}

func kinds() []string {
	var out []string
	for _, r := range retain.Rules() {
		out = append(out, string(r.Kind))
	}
	return out
}

// eachKind plants what is over its period beside what is not.
func (w town) eachKind(t *testing.T, grant string) {
	w.exec(t, `WITH s AS (INSERT INTO schedule (id, task_id, spec, state, created_at, updated_at) VALUES (gen_random_uuid(), $1, '0 0 1 1 *', 'paused', now(), now()) RETURNING id)
		INSERT INTO fire (schedule_id, due_from, due_to, outcome, at) SELECT s.id, d, d, 'started', d FROM s, (SELECT now() - make_interval(days => n) FROM unnest(ARRAY[369, 368, 367]) n) due(d)`, w.Task.ID)
	w.exec(t, `INSERT INTO reconciliation SELECT (jsonb_populate_record(NULL::reconciliation, to_jsonb(r) || jsonb_build_object('id', gen_random_uuid(), 'at', now() - make_interval(days => n)))).*
		FROM (SELECT * FROM reconciliation LIMIT 1) r, unnest(ARRAY[365, 367, 400]) n`)
	w.exec(t, `INSERT INTO session (id, user_id, token_hash, created_at, expires_at, last_seen_at, ended_at)
		SELECT gen_random_uuid(), u.id, sha256(n::text::bytea), now() - interval '200 days', now() - make_interval(days => n), now() - interval '200 days', NULL
		FROM (SELECT id FROM hub_user LIMIT 1) u, unnest(ARRAY[183, 185]) n`)
	w.exec(t, `INSERT INTO reject SELECT (jsonb_populate_record(NULL::reject, to_jsonb(j) || jsonb_build_object('id', gen_random_uuid(), 'state', s.state, 'created_at', now() - interval '400 days',
			'closed_at', now() - make_interval(days => s.days)))).*
		FROM (SELECT * FROM reject LIMIT 1) j, (VALUES ('corrected', 6), ('corrected', 8), ('corrected', 185), ('waived', 400), ('open', 400)) s (state, days)`)
	w.exec(t, `INSERT INTO idempotency (actor_id, key, route, body_hash, status, answer, created_at) VALUES ('x', 'old', 'r', '', 200, '', now() - interval '25 hours'),
		('x', 'young', 'r', '', 200, '', now() - interval '23 hours')`)
	w.exec(t, `INSERT INTO export (id, grant_id, terms_version, client_id, department_id, resource_id, version, format, compression, items, state, evidence, created_at)
		SELECT gen_random_uuid(), id, 1, client_id, consumer_dept_id, resource_id, 1, 'csv', 'none', '{}', 'failed', gen_random_uuid(), now() - make_interval(days => n)
		FROM sharing_grant, unnest(ARRAY[183, 185]) n WHERE id = $1`, grant)
	w.exec(t, `INSERT INTO run_history SELECT (jsonb_populate_record(NULL::run_history, to_jsonb(r) || jsonb_build_object('id', gen_random_uuid(), 'finished_at', now() - make_interval(days => n)))).*
		FROM (SELECT * FROM run WHERE state = 'succeeded' LIMIT 1) r, unnest(ARRAY[360, 400, 500]) n`)
	w.exec(t, "UPDATE store.head_move SET at = at - interval '91 days'")
	w.round(t)
	want := map[retain.Kind]int{
		retain.Fires: 2, retain.Reconciliation: 2, retain.Sessions: 1, retain.RejectedRows: 2, retain.Rejects: 1, retain.Answers: 1, retain.Exports: 1,
		retain.Runs: 2, retain.ChangeLog: 1,
	}
	if diff := cmp.Diff(want, w.removed(t)); diff != "" {
		t.Errorf("removed (-want +got):\n%s", diff)
	}
	got := value[string](t, w, "SELECT string_agg(state || ' ' || (sealed_row IS NOT NULL), ', ' ORDER BY state, sealed_row IS NOT NULL) FROM reject")
	if want := "corrected false, corrected true, open true, open true, waived true"; got != want {
		t.Errorf("rejects that stay: got %s, want %s", got, want)
	}
	id := value[string](t, w, "SELECT id::text FROM reject WHERE sealed_row IS NULL")
	if _, err := w.Provider.Admin.RejectRow(t.Context(), id); client.Code(err) != "row_removed" {
		t.Errorf("opening a row that was erased: got %v", err)
	}
	// A month of the three years is not dropped, whoever asks.
	if _, err := w.DB.Pool.Exec(t.Context(), "SELECT drop_month('usage', (date_trunc('month', now()) - interval '35 months')::date)"); err == nil {
		t.Error("a month of usage records was dropped before its period was over")
	}
}

// grantsOver ends one grant and lets another expire.
func (w town) grantsOver(t *testing.T, kept, ended, over string) {
	file := w.export(t, ended)
	uses := value[int](t, w, "SELECT count(*)::int FROM usage")
	if _, err := w.Staff.Operator.Terminate(t.Context(), ended, "违规使用", client.Filing{}); err != nil {
		t.Fatal(err)
	}
	w.exec(t, "UPDATE sharing_grant SET valid_from = now() - interval '2 years', valid_to = now() - interval '1 day' WHERE id = $1", over)
	if n, err := w.Sharing.ExpireDue(t.Context()); n != 1 || err != nil {
		t.Fatalf("expired %d: %v", n, err)
	}
	w.until(t, func() bool {
		return value[bool](t, w, "SELECT bool_and(state = 'gone' AND sealed_key IS NULL) FROM export WHERE grant_id = $1", ended)
	})
	w.until(t, func() bool {
		return w.Exports.Tidy(t.Context()) == nil && value[int](t, w, "SELECT count(*)::int FROM export WHERE file <> ''") == 0
	})
	if _, err := os.Stat(file); !os.IsNotExist(err) {
		t.Errorf("the file of a grant that was terminated: %v", err)
	}
	keys := func() map[string]bool {
		return value[map[string]bool](t, w, "SELECT jsonb_object_agg(purpose, rid_key IS NOT NULL) FROM sharing_grant")
	}
	w.round(t)
	if diff := cmp.Diff(map[string]bool{"kept": true, "ended": true, "over": true}, keys()); diff != "" {
		t.Errorf("keys within the grace (-want +got):\n%s", diff)
	}
	w.exec(t, "UPDATE sharing_grant SET updated_at = now() - interval '91 days'")
	w.round(t)
	if diff := cmp.Diff(map[string]bool{"kept": true, "ended": false, "over": false}, keys()); diff != "" {
		t.Errorf("keys after the grace (-want +got):\n%s", diff)
	}
	w.until(t, func() bool { return w.pull(t, over) == "grant_expired" })
	for grant, want := range map[string]string{kept: "", ended: "no_grant", over: "grant_expired"} {
		if got := w.pull(t, grant); got != want {
			t.Errorf("pulling under grant %s: got %q, want %q", grant, got, want)
		}
	}
	if got := value[int](t, w, "SELECT count(*)::int FROM event WHERE action = 'grant.forget_key' AND object_id = ANY($1)", []string{ended, over}); got != 2 {
		t.Errorf("%d events tell of keys, want 2", got)
	}
	if got := value[int](t, w, "SELECT count(*)::int FROM usage"); got < uses {
		t.Errorf("%d records of disclosure of %d are left", got, uses)
	}
}

// revoked revokes the sample's resource.
func (w town) revoked(t *testing.T, kept string) {
	ctx := t.Context()
	_, err := w.Staff.Operator.TakeOffline(ctx, w.Resource.ID, "停止共享", client.OfflineRequest{By: "示例负责人", Date: "2026-11-01", Document: "示例函〔2026〕9号", Filing: "示例备〔2026〕3号"})
	if err == nil {
		_, err = w.Staff.Operator.MoveResourceFor(ctx, w.Resource.ID, "revoke", "停止共享")
	}
	if err != nil {
		t.Fatalf("revoking: %v", err)
	}
	w.until(t, func() bool { return w.pull(t, kept) != "" })
	if _, err := w.Sharing.EndRevoked(ctx); err != nil {
		t.Fatal(err)
	}
	history, err := w.Provider.Admin.GrantHistory(ctx, kept)
	if err != nil || history[len(history)-1].Step != "revoke" || history[len(history)-1].To != "terminated" {
		t.Errorf("history of the grant: %+v, %v", history, err)
	}
	table := value[string](t, w, "SELECT 'store.' || table_name FROM store.layout WHERE resource = $1 AND state = 'active'", w.Resource.ID)
	there := func() bool { return value[bool](t, w, "SELECT to_regclass($1) IS NOT NULL", table) }
	w.round(t)
	if !there() || value[string](t, w, "SELECT state FROM task WHERE id = $1", w.Task.ID) != "disabled" {
		t.Errorf("within the grace: rows kept %v", there())
	}
	w.exec(t, "UPDATE resource_step SET at = at - interval '31 days' WHERE resource_id = $1", w.Resource.ID)
	// Somebody who reads the rows is not waited for.
	reader, err := w.DB.Pool.Begin(ctx)
	if err == nil {
		_, err = reader.Exec(ctx, "SELECT count(*) FROM "+table)
	}
	if err != nil {
		t.Fatal(err)
	}
	w.round(t)
	if !there() {
		t.Error("rows were dropped under a reader")
	}
	if err := reader.Rollback(ctx); err != nil {
		t.Fatal(err)
	}
	w.round(t)
	if there() || value[int](t, w, "SELECT count(*)::int FROM reject") != 0 || value[int](t, w, "SELECT layout FROM store.store_head WHERE resource = $1", w.Resource.ID) != 0 {
		t.Error("something of the resource is left in the store")
	}
	got := value[map[string]any](t, w, "SELECT convert_from(body, 'UTF8')::jsonb -> 'detail' FROM event WHERE action = 'resource.purge' AND object_id = $1", w.Resource.ID)
	delete(got, "revoked_at")
	if diff := cmp.Diff(map[string]any{"layouts": 1.0, "rows": 29.0, "log_rows": 0.0, "rejects": 5.0}, got); diff != "" {
		t.Errorf("event (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[retain.Kind]int{retain.RevokedRows: 34}, w.removed(t)); diff != "" {
		t.Errorf("removed (-want +got):\n%s", diff)
	}
}

// report reads what became of it, and lets a day pass.
func (w town) report(t *testing.T) {
	ctx := t.Context()
	lines, err := w.Staff.Auditor.Retention(ctx)
	if err != nil || len(lines) != len(kinds()) {
		t.Fatalf("got %d lines, %v", len(lines), err)
	}
	for _, line := range lines {
		if line.LastRunAt == nil || line.Error != "" || line.Days < line.Least {
			t.Errorf("got %+v", line)
		}
		if line.Kind == string(retain.RevokedRows) && (line.Total != 34 || line.RemovedAt == nil || line.Days != 30) {
			t.Errorf("got %+v", line)
		}
	}
	if _, err := w.Consumer.Operator.Retention(ctx); client.Code(err) != "forbidden" {
		t.Errorf("an operator of a department: got %v", err)
	}
	told := func() int {
		return value[int](t, w, "SELECT count(*)::int FROM event WHERE action = 'retention.remove'")
	}
	days := value[int](t, w, "SELECT count(*)::int FROM retention_day")
	if w.round(t); told() != 0 || days < 10 {
		t.Errorf("told of %d of %d days that are not over", told(), days)
	}
	w.exec(t, "UPDATE retention_day SET day = day - 1")
	w.round(t)
	if w.round(t); told() != days {
		t.Errorf("told %d times, want %d", told(), days)
	}
	got := value[float64](t, w, "SELECT (convert_from(body, 'UTF8')::jsonb #>> '{detail,removed}')::float8 FROM event WHERE action = 'retention.remove' AND object_id = 'revoked_rows'")
	if got != 34 {
		t.Errorf("told of %v rows, want 34", got)
	}
}
