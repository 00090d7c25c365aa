package audit

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
)

func verify(t testing.TB, d *db.DB) Report {
	t.Helper()
	report, err := Verify(t.Context(), d.Pool, VerifyOptions{})
	noError(t, err)
	return report
}

// checkKinds compares the kinds of problems found, each once, in alphabetical order.
func checkKinds(t testing.TB, report Report, want ...ProblemKind) {
	t.Helper()
	var got []ProblemKind
	for _, p := range report.Problems {
		got = append(got, p.Kind)
	}
	slices.Sort(got)
	slices.Sort(want)
	if diff := cmp.Diff(want, slices.Compact(got)); diff != "" {
		t.Errorf("kinds of problems (-want +got):\n%s%v", diff, report.Problems)
	}
}

// Each way of tampering is found and named, and after it is undone the log is whole again.
func TestVerifyNamesTampering(t *testing.T) {
	t.Parallel()
	d := newDB(t)
	signer, key := newSigner(t)
	ids := writeEvents(t, d, 20)
	sealNow(t, d, signer)
	r := newRecorder(t, d)
	u := sampleUsage(ModeRow)
	recorded, err := r.Record(t.Context(), u)
	noError(t, err)
	stream, at, err := r.Open(t.Context(), sampleUsage(ModeStream))
	noError(t, err)
	noError(t, r.Reserve(t.Context(), stream, at, 500))
	noError(t, r.End(t.Context(), stream, at, 400, []byte("digest")))
	still, _, err := r.Open(t.Context(), sampleUsage(ModeExport))
	noError(t, err)
	sealNow(t, d, signer)
	writeEvents(t, d, 3)
	sealNow(t, d, signer)
	waiting := writeEvents(t, d, 1)[0]
	opt := VerifyOptions{VerifierKeys: []string{key}}
	victim := ids[7]
	leafOf := value[int64](t, d, "SELECT leaf FROM leaf WHERE event_id = $1", victim)
	last := value[int64](t, d, "SELECT max(leaf) FROM leaf")
	idx := tlog.StoredHashIndex(0, leafOf)
	node := tlog.StoredHashIndex(2, leafOf/4)

	for _, tc := range []struct {
		name   string
		tamper string
		args   []any
		kinds  []ProblemKind
		event  uuid.UUID // Named by the first problem of the first kind.
		where  []string
	}{
		{"nothing", "SELECT 1", nil, nil, uuid.Nil, nil},
		{"the body of an event", "UPDATE event SET body = body || ' '::bytea WHERE id = $1", []any{victim}, []ProblemKind{EventAltered}, victim, []string{"body"}},
		{"a value inside the body", `UPDATE event SET body = convert_to(replace(convert_from(body, 'UTF8'), '"n":7', '"n":8'), 'UTF8') WHERE id = $1`, []any{victim}, []ProblemKind{EventAltered}, victim, []string{"body"}},
		{"a body that is no JSON", `UPDATE event SET body = '\x00' WHERE id = $1`, []any{victim}, []ProblemKind{EventAltered}, victim, []string{"body"}},
		{"the time", "UPDATE event SET at = at + interval '1 microsecond' WHERE id = $1", []any{victim}, []ProblemKind{EventAltered}, victim, []string{"at"}},
		{"the time made infinite", "UPDATE event SET at = 'infinity' WHERE id = $1", []any{victim}, []ProblemKind{EventAltered}, victim, []string{"at"}},
		{"the kind of actor", "UPDATE event SET actor_kind = 'system' WHERE id = $1", []any{victim}, []ProblemKind{EventAltered}, victim, []string{"actor_kind"}},
		{"the actor", "UPDATE event SET actor_id = 'x' WHERE id = $1", []any{victim}, []ProblemKind{EventAltered}, victim, []string{"actor_id"}},
		{"the actor's department", "UPDATE event SET actor_department = NULL WHERE id = $1", []any{victim}, []ProblemKind{EventAltered}, victim, []string{"actor_department"}},
		{"the action", "UPDATE event SET action = 'grant.resume' WHERE id = $1", []any{victim}, []ProblemKind{EventAltered}, victim, []string{"action"}},
		{"the kind of object", "UPDATE event SET object_kind = 'run' WHERE id = $1", []any{victim}, []ProblemKind{EventAltered}, victim, []string{"object_kind"}},
		{"the object", "UPDATE event SET object_id = 'x' WHERE id = $1", []any{victim}, []ProblemKind{EventAltered}, victim, []string{"object_id"}},
		{"the outcome", "UPDATE event SET outcome = 'denied' WHERE id = $1", []any{victim}, []ProblemKind{EventAltered}, victim, []string{"outcome"}},
		{"a column of a pending event", "UPDATE event SET outcome = 'denied' WHERE id = $1", []any{waiting}, []ProblemKind{EventAltered}, waiting, []string{"outcome"}},
		{"an event deleted", "DELETE FROM event WHERE id = $1", []any{victim}, []ProblemKind{EventMissing}, victim, nil},
		{"a pending event deleted", "DELETE FROM event WHERE id = $1", []any{waiting}, []ProblemKind{EventMissing}, waiting, nil},
		{"a pending mark deleted", "DELETE FROM pending", nil, []ProblemKind{EventUnsealed}, waiting, nil},
		{"a leaf deleted", "DELETE FROM leaf WHERE leaf = $1", []any{leafOf}, []ProblemKind{EventUnsealed, LeafMissing}, victim, nil},
		{
			"an event deleted with its leaf and hash", "WITH a AS (DELETE FROM event WHERE id = $1), b AS (DELETE FROM tree_hash WHERE idx = $2) DELETE FROM leaf WHERE event_id = $1",
			[]any{victim, idx},
			[]ProblemKind{LeafMissing, TreeAltered},
			uuid.Nil, nil,
		},
		{"the end of the log cut off", "DELETE FROM leaf WHERE leaf = $1", []any{last}, []ProblemKind{CheckpointMismatch, EventUnsealed, TreeAltered}, uuid.Nil, nil},
		{"a leaf far away", "UPDATE leaf SET leaf = 1000000000000 WHERE leaf = $1", []any{last}, []ProblemKind{LeafMissing, TreeAltered}, uuid.Nil, nil},
		{"the data of a leaf", `UPDATE leaf SET data = data || '\x00' WHERE leaf = $1`, []any{leafOf}, []ProblemKind{LeafAltered}, victim, []string{"data"}},
		{"the hash of a leaf", "UPDATE leaf SET hash = sha256('x') WHERE leaf = $1", []any{leafOf}, []ProblemKind{LeafAltered}, victim, []string{"hash"}},
		{"the hash of a leaf in the tree", "UPDATE tree_hash SET hash = sha256('x') WHERE idx = $1", []any{idx}, []ProblemKind{TreeAltered}, victim, nil},
		{"a hash inside the tree", "UPDATE tree_hash SET hash = sha256('x') WHERE idx = $1", []any{node}, []ProblemKind{TreeAltered}, uuid.Nil, nil},
		{"a hash inside the tree deleted", "DELETE FROM tree_hash WHERE idx = $1", []any{node}, []ProblemKind{TreeAltered}, uuid.Nil, nil},
		{"a hash past the end", "INSERT INTO tree_hash VALUES (1000000, sha256('x'))", nil, []ProblemKind{TreeAltered}, uuid.Nil, nil},
		{
			"an event slipped in", `INSERT INTO event SELECT $1, '2999-01-01'::timestamptz, actor_kind, actor_id, NULL, action, object_kind, object_id, outcome, body
			FROM event WHERE id = $2`,
			[]any{uuid.UUID{15: 9}, victim},
			[]ProblemKind{EventUnsealed},
			uuid.UUID{15: 9},
			nil,
		},
		{"the root of a checkpoint", "UPDATE checkpoint SET root = sha256('x') WHERE size = 20", nil, []ProblemKind{CheckpointAltered}, uuid.Nil, nil},
		{"the note of a checkpoint", "UPDATE checkpoint SET note = replace(note, E'\\n20\\n', E'\\n21\\n') WHERE size = 20", nil, []ProblemKind{CheckpointSignature}, uuid.Nil, nil},
		{"a column of a usage record", "UPDATE usage SET rows = 1 WHERE id = $1", []any{recorded}, []ProblemKind{UsageAltered}, uuid.Nil, nil},
		{"the query of a usage record", `UPDATE usage SET query = '{}' WHERE id = $1`, []any{recorded}, []ProblemKind{UsageAltered}, uuid.Nil, nil},
		{"a subject of a usage record", `UPDATE usage SET subject_tokens[2] = '\x00' WHERE id = $1`, []any{recorded}, []ProblemKind{UsageAltered}, uuid.Nil, nil},
		{"the time of a usage record made infinite", `UPDATE usage SET at = '-infinity', as_of = 'infinity' WHERE id = $1`, []any{recorded}, []ProblemKind{UsageAltered}, uuid.Nil, nil},
		{"a usage record deleted", "DELETE FROM usage WHERE id = $1", []any{recorded}, []ProblemKind{UsageAltered}, uuid.Nil, nil},
		{"the rows of an ended stream", "UPDATE usage SET rows = 1 WHERE id = $1", []any{stream}, []ProblemKind{UsageAltered}, uuid.Nil, nil},
		{"an ended stream deleted", "DELETE FROM usage WHERE id = $1", []any{stream}, []ProblemKind{UsageMissing}, uuid.Nil, nil},
		{"the grant of an open stream", "UPDATE usage SET grant_id = gen_random_uuid() WHERE id = $1", []any{still}, []ProblemKind{UsageAltered}, uuid.Nil, nil},
		{"an open stream called ended", "UPDATE usage SET state = 'done' WHERE id = $1", []any{still}, []ProblemKind{UsageUnevidenced}, uuid.Nil, nil},
		{"a usage record without evidence", "UPDATE usage SET batch_event = NULL WHERE id = $1", []any{recorded}, []ProblemKind{UsageAltered, UsageUnevidenced}, uuid.Nil, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			undo := tampered(t, d, tc.tamper, tc.args...)
			report, err := Verify(t.Context(), d.Pool, opt)
			noError(t, err)
			checkKinds(t, report, tc.kinds...)
			if len(tc.kinds) > 0 && tc.event != uuid.Nil {
				i := slices.IndexFunc(report.Problems, func(p Problem) bool { return p.Event == tc.event })
				if i < 0 {
					t.Fatalf("no problem names event %s: %v", tc.event, report.Problems)
				}
				if p := report.Problems[i]; tc.where != nil && !slices.Equal(p.Where, tc.where) {
					t.Errorf("got %v, want it in %v", p, tc.where)
				}
			}
			undo()
			if report, err := Verify(t.Context(), d.Pool, opt); err != nil || !report.OK() {
				t.Fatalf("after undoing: %v, err %v", report.Problems, err)
			}
		})
	}
}

// tables of evidence, in an order in which they can be emptied and filled.
var tables = []string{"event", "pending", "leaf", "tree_hash", "checkpoint", "usage"}

// tampered keeps a copy of all evidence, runs the statement as superuser, and returns what puts the copy back.
func tampered(t *testing.T, d *db.DB, statement string, args ...any) (undo func()) {
	t.Helper()
	for _, table := range tables {
		exec(t, d, "CREATE TABLE copy_"+table+" AS TABLE "+table)
	}
	exec(t, d, statement, args...)
	return func() {
		for _, table := range tables {
			exec(t, d, "TRUNCATE "+table)
			exec(t, d, "INSERT INTO "+table+" SELECT * FROM copy_"+table)
			exec(t, d, "DROP TABLE copy_"+table)
		}
	}
}

// A forger who rewrites event, leaf and the whole tree consistently is caught by a signed checkpoint; one who signs anew
// with another key, by the verifier key; one who has the key, too, by a checkpoint kept outside.
func TestVerifyRewrittenLog(t *testing.T) {
	t.Parallel()
	d := newDB(t)
	signer, key := newSigner(t)
	ids := writeEvents(t, d, 10)
	sealNow(t, d, signer)
	published, err := NewLog(d).Checkpoint(t.Context())
	noError(t, err)

	rewrite(t, d, ids[3])
	report, err := Verify(t.Context(), d.Pool, VerifyOptions{VerifierKeys: []string{key}})
	noError(t, err)
	checkKinds(t, report, CheckpointMismatch)

	exec(t, d, "TRUNCATE checkpoint")
	forger, forgersKey := newSigner(t)
	stop := start(t, Options{DB: d, Signer: forger})
	eventually(t, "the forger has signed", func() bool { return value[int](t, d, "SELECT count(*) FROM checkpoint") == 1 })
	stop()
	report, err = Verify(t.Context(), d.Pool, VerifyOptions{VerifierKeys: []string{key}})
	noError(t, err)
	checkKinds(t, report, CheckpointSignature)

	report, err = Verify(t.Context(), d.Pool, VerifyOptions{VerifierKeys: []string{forgersKey}})
	noError(t, err)
	checkKinds(t, report) // Without anything from outside a whole rewriting is not to be seen.

	report, err = Verify(t.Context(), d.Pool, VerifyOptions{VerifierKeys: []string{key, forgersKey}, Published: []string{published.Note}})
	noError(t, err)
	checkKinds(t, report, CheckpointMismatch)
}

// rewrite changes one event and makes the log agree with it, as somebody with all rights to the database could.
func rewrite(t *testing.T, d *db.DB, event uuid.UUID) {
	t.Helper()
	exec(t, d, `UPDATE event SET body = convert_to(replace(convert_from(body, 'UTF8'), '示例', '样例'), 'UTF8') WHERE id = $1`, event)
	exec(t, d, "WITH l AS (SELECT event_id FROM leaf) INSERT INTO pending SELECT event_id FROM l")
	exec(t, d, "TRUNCATE leaf, tree_hash")
	sealNow(t, d, nil)
}

// Malformed keys and published checkpoints are the caller's mistake and are said to be.
func TestVerifyRefusesMalformedInput(t *testing.T) {
	t.Parallel()
	d := newDB(t)
	if _, err := Verify(t.Context(), d.Pool, VerifyOptions{VerifierKeys: []string{"no key"}}); fault.CodeOf(err) != "verifier_key" {
		t.Errorf("key: got %v", err)
	}
	_, key := newSigner(t)
	if _, err := Verify(t.Context(), d.Pool, VerifyOptions{VerifierKeys: []string{key}, Published: []string{"no note"}}); fault.CodeOf(err) != "checkpoint_signature" {
		t.Errorf("published: got %v", err)
	}
	if _, err := Verify(t.Context(), d.Pool, VerifyOptions{Published: []string{"no note"}}); !fault.Is(err, fault.Invalid) {
		t.Errorf("published without key: got %v", err)
	}
}

// The list of problems is bounded, their number is not; a problem reads as one line that names the event.
func TestReportIsBounded(t *testing.T) {
	t.Parallel()
	d := newDB(t)
	writeEvents(t, d, 8)
	sealNow(t, d, nil)
	exec(t, d, "UPDATE event SET action = 'x.y'")
	report, err := Verify(t.Context(), d.Pool, VerifyOptions{MaxProblems: 3})
	noError(t, err)
	if report.Found != 8 || len(report.Problems) != 3 {
		t.Errorf("got %d found, %d listed", report.Found, len(report.Problems))
	}
	line := report.Problems[0].String()
	for _, part := range []string{report.Problems[0].Event.String(), "leaf 0", "x.y", "action"} {
		if !strings.Contains(line, part) {
			t.Errorf("%q does not name %q", line, part)
		}
	}
}

// A log longer than one window, with its usage records, is followed over the borders of windows.
func TestVerifyOverWindows(t *testing.T) {
	t.Parallel()
	d := newDB(t)
	signer, key := newSigner(t)
	exec(t, d, `WITH e AS (
			INSERT INTO event (id, at, actor_kind, actor_id, action, object_kind, object_id, outcome, body)
			SELECT gen_random_uuid(), '2026-01-01', 'system', 'x', 'x.y', 'x', '1', 'ok', ''::bytea FROM generate_series(1, $1) RETURNING id)
		INSERT INTO pending SELECT id FROM e`, 2*window+sealBatch)
	exec(t, d, `UPDATE event SET body = convert_to(json_build_object('id', id, 'at', '2026-01-01T00:00:00Z', 'actor', json_build_object('kind', 'system', 'id', 'x'),
		'action', 'x.y', 'object', json_build_object('kind', 'x', 'id', '1'), 'outcome', 'ok')::text, 'UTF8')`)
	sealNow(t, d, signer)
	opt := VerifyOptions{VerifierKeys: []string{key}}
	report, err := Verify(t.Context(), d.Pool, opt)
	noError(t, err)
	checkKinds(t, report)
	if report.Leaves != 2*window+sealBatch {
		t.Fatalf("got %d leaves", report.Leaves)
	}
	// A gap across a border, and one without hashes to bridge it.
	exec(t, d, "DELETE FROM leaf WHERE leaf BETWEEN $1 AND $2", window-2, window+1)
	exec(t, d, "DELETE FROM event e WHERE NOT EXISTS (SELECT FROM leaf l WHERE l.event_id = e.id)")
	report, err = Verify(t.Context(), d.Pool, opt)
	noError(t, err)
	checkKinds(t, report, LeafMissing)
	if len(report.Problems) != 1 || *report.Problems[0].Leaf != window-2 {
		t.Errorf("got %v", report.Problems)
	}
	exec(t, d, "DELETE FROM tree_hash WHERE idx >= $1 AND idx < $2", tlog.StoredHashCount(window-2), tlog.StoredHashCount(3*window))
	exec(t, d, "DELETE FROM leaf WHERE leaf BETWEEN $1 AND $2", window, 3*window)
	exec(t, d, "DELETE FROM event e WHERE NOT EXISTS (SELECT FROM leaf l WHERE l.event_id = e.id)")
	report, err = Verify(t.Context(), d.Pool, opt)
	noError(t, err)
	checkKinds(t, report, LeafMissing, TreeAltered)
}
