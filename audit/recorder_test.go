package audit

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// usage reads one record over a connection of its own.
func usage(t testing.TB, d *db.DB, id uuid.UUID) Usage {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), d.Pool.Config().ConnString())
	noError(t, err)
	defer conn.Close(context.Background())
	rows, err := conn.Query(t.Context(), "SELECT "+usageColumns+" FROM usage u WHERE u.id = $1", id)
	noError(t, err)
	u, err := pgx.CollectExactlyOneRow(rows, scanUsage)
	noError(t, err)
	return u
}

// compareUsage compares what was recorded with what is stored: times to the microsecond, JSON by meaning.
func compareUsage(t testing.TB, want, got Usage) {
	t.Helper()
	for _, u := range []*Usage{&want, &got} {
		u.normalise()
		query, err := canonicalJSON(u.Query)
		noError(t, err)
		u.Query = query
	}
	opts := cmpopts.IgnoreFields(Usage{}, "ID", "At", "Evidence", "Department", "EndedAt")
	if diff := cmp.Diff(want, got, opts); diff != "" {
		t.Errorf("record (-want +got):\n%s", diff)
	}
}

// When Record returns, every field of the record can be read over another connection.
func TestRecordIsDurableWhenItReturns(t *testing.T) {
	t.Parallel()
	d := newDB(t)
	r := newRecorder(t, d)
	bare := sampleUsage(ModeRows)
	bare.Items, bare.Query, bare.SeqFrom, bare.SeqTo, bare.AsOf, bare.SubjectTokens, bare.Digest = nil, nil, nil, nil, nil, nil, nil
	for _, want := range []Usage{sampleUsage(ModeVerify), bare} {
		id, err := r.Record(t.Context(), want)
		noError(t, err)
		got := usage(t, d, id)
		want.State = UsageDone
		compareUsage(t, want, got)
		entry, err := NewLog(d).Get(t.Context(), got.Evidence)
		if err != nil || entry.Action != ActionUsageBatch {
			t.Errorf("evidence: got %+v, err %v", entry, err)
		}
	}
	checkKinds(t, verify(t, d))
}

// Concurrent callers share transactions and leaves, lose no record and get their own ids.
func TestRecordGroupsCallers(t *testing.T) {
	t.Parallel()
	d := newDB(t)
	r := newRecorder(t, d)
	const callers, each = 16, 25
	var mu sync.Mutex
	ids := map[uuid.UUID]bool{}
	var wg sync.WaitGroup
	for range callers {
		wg.Go(func() {
			for range each {
				id, err := r.Record(context.Background(), sampleUsage(ModeRow))
				if err != nil {
					t.Errorf("recording: %v", err)
				}
				mu.Lock()
				ids[id] = true
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if len(ids) != callers*each {
		t.Errorf("got %d ids, want %d", len(ids), callers*each)
	}
	if got := value[int](t, d, "SELECT count(*) FROM usage WHERE state = 'done'"); got != callers*each {
		t.Errorf("got %d records, want %d", got, callers*each)
	}
	if got := value[int](t, d, "SELECT count(*) FROM event"); got >= callers*each/2 {
		t.Errorf("got %d events for %d records: they are not grouped", got, callers*each)
	}
	checkKinds(t, verify(t, d))
}

// A caller who gives up gets the context's error; those who wait with it get their records.
func TestRecordCancelled(t *testing.T) {
	t.Parallel()
	d := newDB(t)
	r := newRecorder(t, d)
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.Record(gone, sampleUsage(ModeRow)); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
	// Hold the table so that a record is on its way while its caller gives up.
	blocker, err := d.Pool.Begin(t.Context())
	noError(t, err)
	defer blocker.Rollback(context.Background())
	_, err = blocker.Exec(t.Context(), "LOCK TABLE usage IN SHARE MODE")
	noError(t, err)
	impatient, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		if _, err := r.Record(impatient, sampleUsage(ModeRow)); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want context.Canceled", err)
		}
	})
	eventually(t, "the record is being written", func() bool {
		return value[int](t, d, "SELECT count(*) FROM pg_locks WHERE relation = 'usage'::regclass AND NOT granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())") == 1
	})
	cancel()
	wg.Wait()
	noError(t, blocker.Rollback(t.Context()))
	_, err = r.Record(t.Context(), sampleUsage(ModeRow))
	noError(t, err)
	checkKinds(t, verify(t, d))
}

// Close writes what was handed over and refuses what comes later; nobody is left waiting.
func TestRecorderClose(t *testing.T) {
	t.Parallel()
	d := newDB(t)
	r := NewRecorder(d)
	var wg sync.WaitGroup
	var mu sync.Mutex
	var kept, refused int
	begun := make(chan struct{}, 64)
	for range 64 {
		wg.Go(func() {
			begun <- struct{}{}
			_, err := r.Record(context.Background(), sampleUsage(ModeRow))
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				kept++
			case fault.CodeOf(err) == "evidence_unavailable":
				refused++
			default:
				t.Errorf("got %v", err)
			}
		})
	}
	for range 32 {
		<-begun
	}
	r.Close()
	r.Close()
	wg.Wait()
	if got := value[int](t, d, "SELECT count(*) FROM usage"); got != kept || kept+refused != 64 {
		t.Errorf("got %d records, %d callers told so, %d refused", got, kept, refused)
	}
	if _, err := r.Record(t.Context(), sampleUsage(ModeRow)); !fault.Is(err, fault.Unavailable) {
		t.Errorf("after Close: got %v", err)
	}
}

// A database that cannot write is an Unavailable fault: nothing may be disclosed then.
func TestRecordWithoutDatabase(t *testing.T) {
	t.Parallel()
	d := newDB(t)
	r := newRecorder(t, d)
	d.Close()
	if _, err := r.Record(t.Context(), sampleUsage(ModeRow)); fault.CodeOf(err) != "evidence_unavailable" {
		t.Errorf("record: got %v", err)
	}
	if _, _, err := r.Open(t.Context(), sampleUsage(ModeStream)); fault.CodeOf(err) != "evidence_unavailable" {
		t.Errorf("open: got %v", err)
	}
}

// Record and event are written together or not at all: a record that the database refuses leaves no event, and the
// recorder goes on.
func TestRecordIsOneTransaction(t *testing.T) {
	t.Parallel()
	d := newDB(t)
	r := newRecorder(t, d)
	exec(t, d, "ALTER TABLE usage ADD CONSTRAINT few_rows CHECK (rows < 100)")
	many := sampleUsage(ModeRows)
	many.Rows = 100
	if _, err := r.Record(t.Context(), many); fault.CodeOf(err) != "evidence_unavailable" {
		t.Errorf("got %v", err)
	}
	if got := value[int](t, d, "SELECT (SELECT count(*) FROM event) + (SELECT count(*) FROM pending) + (SELECT count(*) FROM usage)"); got != 0 {
		t.Errorf("the refused record left %d rows", got)
	}
	_, err := r.Record(t.Context(), sampleUsage(ModeRows))
	noError(t, err)
	checkKinds(t, verify(t, d))
}

// What the database would refuse is refused before it meets the records of others, naming the field and never the value.
func TestRecordRefusesBadInput(t *testing.T) {
	t.Parallel()
	d := newDB(t)
	r := newRecorder(t, d)
	for field, spoil := range map[string]func(*Usage){
		"grant_id":       func(u *Usage) { u.GrantID = uuid.Nil },
		"client_id":      func(u *Usage) { u.ClientID = uuid.Nil },
		"resource_id":    func(u *Usage) { u.ResourceID = uuid.Nil },
		"mode":           func(u *Usage) { u.Mode = "peek" },
		"rows":           func(u *Usage) { u.Rows = -1 },
		"case_number":    func(u *Usage) { u.CaseNumber = "secret\x00" },
		"purpose":        func(u *Usage) { u.Purpose = "secret\xff" },
		"query":          func(u *Usage) { u.Query = json.RawMessage(`{"a":"secret\u0000"}`) },
		"subject_tokens": func(u *Usage) { u.SubjectTokens = make([][]byte, MaxSubjects+1) },
	} {
		u := sampleUsage(ModeRow)
		spoil(&u)
		_, err := r.Record(t.Context(), u)
		f, ok := errors.AsType[*fault.Fault](err)
		if !ok || f.Kind != fault.Invalid || len(f.Fields) != 1 || f.Fields[0].Name != field {
			t.Errorf("%s: got %v", field, err)
		} else if strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: the error repeats the value: %v", field, err)
		}
	}
}

// A query is the same text before it is stored and after PostgreSQL's jsonb has had it.
func TestCanonicalJSON(t *testing.T) {
	t.Parallel()
	d := newDB(t)
	for raw, want := range map[string]string{
		`{"b":1,"a":2}`:             `{"a":2,"b":1}`,
		`{"a":1,"a":2}`:             `{"a":2}`,
		`[1.50, 2e3, -0, 1E-3, 10]`: `[1.5,2000,0,0.001,10]`,
		`"\u4e2d\u00e9\ud800 </>"`:  "\"中é\ufffd \\u003c/\\u003e\"",
		` null `:                    `null`,
		`9007199254740993`:          `9007199254740993`,
	} {
		got, err := canonicalJSON(json.RawMessage(raw))
		if err != nil || string(got) != want {
			t.Errorf("%s: got %s, err %v, want %s", raw, got, err, want)
			continue
		}
		var stored json.RawMessage
		noError(t, d.Pool.QueryRow(t.Context(), "SELECT $1::text::jsonb", string(got)).Scan(&stored))
		if again, err := canonicalJSON(stored); err != nil || string(again) != want {
			t.Errorf("%s: back from the database: %s, err %v", raw, again, err)
		}
	}
	for _, raw := range []string{`{`, `1 2`, `1e999999999`, "\"\xff\"", `{"\u0000":1}`, strings.Repeat("[", 200) + strings.Repeat("]", 200)} {
		if got, err := canonicalJSON(json.RawMessage(raw)); err == nil {
			t.Errorf("%q: got %s, want an error", raw, got)
		}
	}
}

// A stream's record is durable as opened, before each block, and as ended; its ends exclude each other.
func TestStreamRecord(t *testing.T) {
	t.Parallel()
	d := newDB(t)
	r := newRecorder(t, d)
	want := sampleUsage(ModeStream)
	id, at, err := r.Open(t.Context(), want)
	noError(t, err)
	opened := want.asOpened()
	compareUsage(t, opened, usage(t, d, id))

	noError(t, r.Reserve(t.Context(), id, at, 10_000))
	noError(t, r.Reserve(t.Context(), id, at, 5_000)) // A late, smaller total takes nothing back.
	opened.ReservedRows = 10_000
	compareUsage(t, opened, usage(t, d, id))

	noError(t, r.End(t.Context(), id, at, 7_321, []byte("sum")))
	ended := opened
	ended.State, ended.Rows, ended.Digest = UsageDone, 7_321, []byte("sum")
	compareUsage(t, ended, usage(t, d, id))

	for name, err := range map[string]error{
		"reserve after the end": r.Reserve(t.Context(), id, at, 20_000),
		"end after the end":     r.End(t.Context(), id, at, 1, nil),
		"reserve the unknown":   r.Reserve(t.Context(), uuid.New(), at, 1),
		"end the unknown":       r.End(t.Context(), uuid.New(), at, 1, nil),
	} {
		if fault.CodeOf(err) != "usage_not_open" {
			t.Errorf("%s: got %v", name, err)
		}
	}
	kind, subject := "usage", id.String()
	entries, _, err := NewLog(d).Find(t.Context(), Filter{ObjectKind: &kind, ObjectID: &subject}, db.Page{})
	noError(t, err)
	var actions []string
	for _, e := range entries {
		actions = append(actions, e.Action)
	}
	if diff := cmp.Diff([]string{ActionUsageEnd, ActionUsageOpen}, actions); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	checkKinds(t, verify(t, d))
}

// The sweep closes only streams that fell silent, as "at most what was reserved".
func TestSweepInterrupted(t *testing.T) {
	t.Parallel()
	d := newDB(t)
	r := newRecorder(t, d)
	silent, silentAt, err := r.Open(t.Context(), sampleUsage(ModeStream))
	noError(t, err)
	noError(t, r.Reserve(t.Context(), silent, silentAt, 300))
	long, longAt, err := r.Open(t.Context(), sampleUsage(ModeExport))
	noError(t, err)
	noError(t, r.Reserve(t.Context(), long, longAt, 10))
	if swept, err := r.SweepInterrupted(t.Context(), time.Hour); err != nil || swept != 0 {
		t.Errorf("at once: got %d, err %v", swept, err)
	}
	// Both began two hours ago, but only one fell silent.
	exec(t, d, "UPDATE usage SET at = at - interval '2 hours'")
	exec(t, d, "UPDATE usage SET reserved_at = reserved_at - interval '2 hours' WHERE id = $1", silent)
	if swept, err := r.SweepInterrupted(t.Context(), time.Hour); err != nil || swept != 1 {
		t.Errorf("got %d, err %v", swept, err)
	}
	if got := usage(t, d, long); got.State != UsageOpened {
		t.Errorf("a long stream that still reserves: got %s", got.State)
	}
	got := usage(t, d, silent)
	if got.State != UsageInterrupted || got.Rows != 300 || got.EndedAt == nil {
		t.Errorf("got %+v", got)
	}
	if err := r.End(t.Context(), silent, got.At, 5, nil); fault.CodeOf(err) != "usage_not_open" {
		t.Errorf("ending it now: got %v", err)
	}
}

// An interrupted record is evidenced like any other, however many there are.
func TestSweepLeavesEvidence(t *testing.T) {
	t.Parallel()
	d := newDB(t)
	r := newRecorder(t, d)
	for range sweepBatch + 1 {
		_, _, err := r.Open(t.Context(), sampleUsage(ModeStream))
		noError(t, err)
	}
	if swept, err := r.SweepInterrupted(t.Context(), 0); err != nil || swept != sweepBatch+1 {
		t.Errorf("got %d, err %v", swept, err)
	}
	checkKinds(t, verify(t, d))
}

// A subject token depends on key and subject and does not show the subject.
func TestSubjectToken(t *testing.T) {
	t.Parallel()
	a, b, c := SubjectToken([]byte("k"), "x"), SubjectToken([]byte("k"), "y"), SubjectToken([]byte("l"), "x")
	if len(a) != 16 || !slices.Equal(a, SubjectToken([]byte("k"), "x")) || slices.Equal(a, b) || slices.Equal(a, c) {
		t.Errorf("got %x, %x, %x", a, b, c)
	}
}
