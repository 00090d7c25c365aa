package audit

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// Find gives an event back as it was written, with its leaf once sealed and "pending" before.
func TestFindShowsWhatWasWritten(t *testing.T) {
	t.Parallel()
	d := newDB(t)
	want := sampleEvent(1)
	sealed, err := Write(t.Context(), d, want)
	noError(t, err)
	sealNow(t, d, nil)
	bare := Event{Actor: Actor{Kind: ActorSystem, ID: "scheduler"}, Action: "run.start", Object: Object{Kind: "run", ID: "1"}, Outcome: Failed}
	waiting, err := Write(t.Context(), d, bare)
	noError(t, err)
	got, next, err := NewLog(d).Find(t.Context(), Filter{}, db.Page{})
	noError(t, err)
	if next != "" || len(got) != 2 {
		t.Fatalf("got %+v, next %q", got, next)
	}
	expected := []Entry{
		{ID: waiting, Seq: SeqPending, At: got[0].At, Actor: bare.Actor, Action: "run.start", Object: bare.Object, Outcome: Failed, Detail: json.RawMessage("{}")},
		{ID: sealed, Seq: "0", At: got[1].At, Actor: want.Actor, Action: want.Action, Object: want.Object, Outcome: OK, Detail: json.RawMessage(`{"n":1,"reason":"示例"}`)},
	}
	if diff := cmp.Diff(expected, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	one, err := NewLog(d).Get(t.Context(), sealed)
	if err != nil || !cmp.Equal(one, got[1]) {
		t.Errorf("Get: got %+v, err %v", one, err)
	}
	if _, err := NewLog(d).Get(t.Context(), uuid.New()); !fault.Is(err, fault.NotFound) {
		t.Errorf("unknown: got %v", err)
	}
}

// A refusal is noted whatever the caller called the object: what cannot be stored or shown is not an id.
func TestHostileObjectIsNotedWithoutItsID(t *testing.T) {
	t.Parallel()
	d := newDB(t)
	for _, hostile := range []string{"a\x00b", "\xff", "a\nb", strings.Repeat("9", idLimit+1)} {
		id, err := Write(t.Context(), d, Event{
			Actor: Actor{Kind: ActorUser, ID: uuid.NewString()}, Action: "resource.read", Object: Object{Kind: "resource", ID: hostile}, Outcome: Denied,
		})
		noError(t, err)
		got, err := NewLog(d).Get(t.Context(), id)
		noError(t, err)
		if got.Object.ID != unwritable || got.Outcome != Denied {
			t.Errorf("%.20q: got %+v", hostile, got)
		}
	}
}

// Every field of the filter narrows, alone and together.
func TestFindFilters(t *testing.T) {
	t.Parallel()
	d := newDB(t)
	one, other := sampleEvent(1), sampleEvent(2)
	other.Actor.Kind, other.Action, other.Object.Kind, other.Outcome = ActorClient, "grantor.pull", "resource", Denied
	first, err := Write(t.Context(), d, one)
	noError(t, err)
	second, err := Write(t.Context(), d, other)
	noError(t, err)
	entry, err := NewLog(d).Get(t.Context(), second)
	noError(t, err)
	prefix, kind, outcome := "grant.", ActorClient, Denied
	for name, tc := range map[string]struct {
		filter Filter
		want   []uuid.UUID
	}{
		"nothing":          {Filter{}, []uuid.UUID{second, first}},
		"from":             {Filter{From: &entry.At}, []uuid.UUID{second}},
		"to":               {Filter{To: &entry.At}, []uuid.UUID{first}},
		"kind of actor":    {Filter{ActorKind: &kind}, []uuid.UUID{second}},
		"actor":            {Filter{ActorID: &one.Actor.ID}, []uuid.UUID{first}},
		"department":       {Filter{Department: &other.Actor.Department}, []uuid.UUID{second}},
		"action":           {Filter{Action: &other.Action}, []uuid.UUID{second}},
		"family of action": {Filter{Action: &prefix}, []uuid.UUID{first}},
		"kind of object":   {Filter{ObjectKind: &one.Object.Kind}, []uuid.UUID{first}},
		"object":           {Filter{ObjectID: &other.Object.ID}, []uuid.UUID{second}},
		"outcome":          {Filter{Outcome: &outcome}, []uuid.UUID{second}},
		"two that exclude": {Filter{Outcome: &outcome, ActorID: &one.Actor.ID}, nil},
	} {
		entries, _, err := NewLog(d).Find(t.Context(), tc.filter, db.Page{})
		noError(t, err)
		var got []uuid.UUID
		for _, e := range entries {
			got = append(got, e.ID)
		}
		if diff := cmp.Diff(tc.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// Pages follow each other without a gap or a repetition, whatever is written meanwhile; a forged cursor is refused.
func TestFindPages(t *testing.T) {
	t.Parallel()
	d := newDB(t)
	want := writeEvents(t, d, 25)
	slices.Reverse(want)
	var got []uuid.UUID
	for cursor := ""; ; {
		entries, next, err := NewLog(d).Find(t.Context(), Filter{}, db.Page{Limit: 10, Cursor: cursor})
		noError(t, err)
		for _, e := range entries {
			got = append(got, e.ID)
		}
		if cursor = next; next == "" {
			break
		}
		writeEvents(t, d, 1)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if _, _, err := NewLog(d).Find(t.Context(), Filter{}, db.Page{Cursor: "x"}); fault.CodeOf(err) != "cursor_invalid" {
		t.Errorf("forged cursor: got %v", err)
	}
}

// Disclosures are found by grant, client, resource, subject and time, page by page.
func TestFindUsage(t *testing.T) {
	t.Parallel()
	d := newDB(t)
	r := newRecorder(t, d)
	key := []byte("test-key")
	mine := sampleUsage(ModeRow)
	mine.SubjectTokens = [][]byte{SubjectToken(key, "only")}
	id, err := r.Record(t.Context(), mine)
	noError(t, err)
	for range 4 {
		_, err := r.Record(t.Context(), sampleUsage(ModeRows))
		noError(t, err)
	}
	at := usage(t, d, id).At
	after := at.Add(time.Microsecond)
	for name, f := range map[string]UsageFilter{
		"grant":    {Grant: &mine.GrantID},
		"client":   {Client: &mine.ClientID},
		"resource": {Resource: &mine.ResourceID},
		"subject":  {Subject: SubjectToken(key, "only")},
		"time":     {From: &at, To: &after},
	} {
		got, next, err := NewLog(d).FindUsage(t.Context(), f, db.Page{})
		if err != nil || next != "" || len(got) != 1 || got[0].ID != id {
			t.Errorf("%s: got %+v, next %q, err %v", name, got, next, err)
		}
	}
	seen := map[uuid.UUID]bool{}
	for cursor := ""; ; {
		page, next, err := NewLog(d).FindUsage(t.Context(), UsageFilter{}, db.Page{Limit: 2, Cursor: cursor})
		noError(t, err)
		for _, u := range page {
			seen[u.ID] = true
		}
		if cursor = next; next == "" {
			break
		}
	}
	if len(seen) != 5 {
		t.Errorf("got %d records over the pages, want 5", len(seen))
	}
}

// A proof convinces somebody who has nothing but the verifier key, and one that was changed convinces nobody.
func TestProof(t *testing.T) {
	t.Parallel()
	d := newDB(t)
	signer, key := newSigner(t)
	_, foreignKey := newSigner(t)
	log := NewLog(d)
	if _, err := log.Checkpoint(t.Context()); fault.CodeOf(err) != "no_checkpoint" {
		t.Errorf("before any: got %v", err)
	}
	const events = 13
	ids := writeEvents(t, d, events)
	sealNow(t, d, nil)
	if _, err := log.Proof(t.Context(), 3); fault.CodeOf(err) != "not_signed_yet" {
		t.Errorf("before a checkpoint: got %v", err)
	}
	stop := start(t, Options{DB: d, Signer: signer})
	eventually(t, "a checkpoint is signed", func() bool { return value[int](t, d, "SELECT count(*) FROM checkpoint") == 1 })
	stop()
	for leaf := range int64(events) {
		p, err := log.Proof(t.Context(), leaf)
		noError(t, err)
		// By way of JSON, as a reader gets it.
		raw, err := json.Marshal(p)
		noError(t, err)
		var received Proof
		noError(t, json.Unmarshal(raw, &received))
		if err := received.Check(key); err != nil || received.Event != ids[leaf] {
			t.Errorf("leaf %d: got event %s, err %v", leaf, received.Event, err)
		}
		if err := tlog.CheckRecord(p.Hashes, p.Checkpoint.Size, p.Checkpoint.Root, leaf, tlog.RecordHash(LeafData(p.Event, p.Body))); err != nil {
			t.Errorf("leaf %d by the library: %v", leaf, err)
		}
		for name, spoil := range map[string]func(*Proof){
			"body":  func(p *Proof) { p.Body = append(slices.Clone(p.Body), ' ') },
			"leaf":  func(p *Proof) { p.Leaf = (p.Leaf + 1) % events },
			"event": func(p *Proof) { p.Event = uuid.New() },
			"hash":  func(p *Proof) { p.Hashes = slices.Clone(p.Hashes); p.Hashes[0][0] ^= 1 },
		} {
			wrong := p
			spoil(&wrong)
			if err := wrong.Check(key); fault.CodeOf(err) != "proof_wrong" {
				t.Errorf("leaf %d with another %s: got %v", leaf, name, err)
			}
		}
		if err := p.Check(foreignKey); fault.CodeOf(err) != "checkpoint_signature" {
			t.Errorf("foreign key: got %v", err)
		}
	}
	if _, err := log.Proof(t.Context(), events); !fault.Is(err, fault.NotFound) {
		t.Errorf("unknown leaf: got %v", err)
	}
}

// Each later checkpoint is proved to extend each earlier one.
func TestCheckpointsAreConsistent(t *testing.T) {
	t.Parallel()
	d := newDB(t)
	signer, _ := newSigner(t)
	log := NewLog(d)
	var earlier []Checkpoint
	for range 5 {
		writeEvents(t, d, 3)
		sealNow(t, d, signer)
		for _, c := range earlier {
			proof, newest, err := log.Consistency(t.Context(), c.Size)
			noError(t, err)
			if err := tlog.CheckTree(proof, newest.Size, newest.Root, c.Size, c.Root); err != nil {
				t.Errorf("%d to %d: %v", c.Size, newest.Size, err)
			}
		}
		newest, err := log.Checkpoint(t.Context())
		noError(t, err)
		earlier = append(earlier, newest)
	}
	for _, size := range []int64{0, -1, 1000} {
		if _, _, err := log.Consistency(t.Context(), size); fault.CodeOf(err) != "size_out_of_range" {
			t.Errorf("size %d: got %v", size, err)
		}
	}
}

// Partitions are made once, by any number of nodes at once, and take over the rows that lay in the default partition.
func TestMakePartitions(t *testing.T) {
	t.Parallel()
	d := newDB(t)
	r := newRecorder(t, d)
	id, err := r.Record(t.Context(), sampleUsage(ModeRow))
	noError(t, err)
	stream, at, err := r.Open(t.Context(), sampleUsage(ModeStream))
	noError(t, err)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if err := MakePartitions(context.Background(), d); err != nil {
				t.Errorf("making partitions: %v", err)
			}
		})
	}
	wg.Wait()
	if got := value[int](t, d, "SELECT count(*) FROM pg_inherits WHERE inhparent = 'usage'::regclass"); got != 3 {
		t.Errorf("got %d partitions, want the default and two months", got)
	}
	if got := value[int](t, d, "SELECT count(*) FROM usage_other"); got != 0 {
		t.Errorf("got %d rows left in the default partition", got)
	}
	if got := usage(t, d, id); got.ID != id {
		t.Errorf("got %+v", got)
	}
	noError(t, r.End(t.Context(), stream, at, 1, nil))
	if _, err := r.Record(t.Context(), sampleUsage(ModeRow)); err != nil {
		t.Errorf("recording into the partition: %v", err)
	}
	if got := value[int](t, d, "SELECT count(*) FROM usage_other"); got != 0 {
		t.Errorf("got %d new rows in the default partition", got)
	}
	checkKinds(t, verify(t, d))
}

// The signing key is made once, even by processes that start together, is readable by its owner only, and a file that
// others can read or that is damaged is refused without quoting it.
func TestLoadOrCreateSigner(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var mu sync.Mutex
	keys := map[string]bool{}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			_, key, err := LoadOrCreateSigner(dir)
			if err != nil {
				t.Errorf("loading: %v", err)
			}
			mu.Lock()
			keys[key] = true
			mu.Unlock()
		})
	}
	wg.Wait()
	files, err := os.ReadDir(dir)
	noError(t, err)
	if len(keys) != 1 || len(files) != 1 {
		t.Errorf("got %d keys, %d files", len(keys), len(files))
	}
	path := filepath.Join(dir, KeyFile)
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("got mode %v, err %v", info.Mode(), err)
	}
	noError(t, os.Chmod(path, 0o640))
	if _, _, err := LoadOrCreateSigner(dir); fault.CodeOf(err) != "audit_key" {
		t.Errorf("readable by others: got %v", err)
	}
	noError(t, os.WriteFile(path, []byte("PRIVATE+KEY+secret"), 0o600))
	noError(t, os.Chmod(path, 0o600))
	if _, _, err := LoadOrCreateSigner(dir); fault.CodeOf(err) != "audit_key" {
		t.Errorf("damaged: got %v", err)
	}
}
