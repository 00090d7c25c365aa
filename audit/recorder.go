package audit

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// Actions of the events that hold the digests of usage records.
const (
	ActionUsageBatch = "usage.batch" // Detail: records, rows, sha256 over the canonical lines in order of id.
	ActionUsageOpen  = "usage.open"  // Object: the record. Detail: sha256 of the canonical line as opened.
	ActionUsageEnd   = "usage.end"   // Object: the record. Detail: state, rows, sha256 of the canonical line as ended.
)

// actorRecorder writes for many clients at once, or for one that has gone.
var actorRecorder = Actor{Kind: ActorSystem, ID: "usage"}

const (
	// maxBatch is the most records one group commit holds.
	maxBatch = 256
	// batchWindow is the longest that a record waits for company.
	batchWindow = 2 * time.Millisecond
	// commitLimit bounds one group commit; its callers wait that long at most.
	commitLimit = 10 * time.Second
)

// Recorder writes usage records. Records of concurrent callers share a transaction and a leaf of the tree.
type Recorder struct {
	db      *db.DB
	clock   databaseClock // Of the one goroutine.
	queue   chan *entry
	closing chan struct{}
	closed  chan struct{}
	once    sync.Once
	callers sync.RWMutex // Read-held while a caller hands its record over, so that Close sees all of them.
	stopped bool
}

// entry is one record on its way, with its caller's wish to go on.
type entry struct {
	ctx   context.Context //nolint:containedctx // The caller's, asked once before the record is written.
	usage Usage
	done  chan error
}

// NewRecorder returns a recorder and starts its one goroutine; Close ends it.
func NewRecorder(d *db.DB) *Recorder {
	r := &Recorder{db: d, queue: make(chan *entry, maxBatch), closing: make(chan struct{}), closed: make(chan struct{})}
	go r.run()
	return r
}

// Close writes what callers have handed over and returns when it is durable. Later calls of Record are refused. It is safe
// to call twice.
func (r *Recorder) Close() {
	r.once.Do(func() {
		r.callers.Lock()
		r.stopped = true
		r.callers.Unlock()
		close(r.closing)
	})
	<-r.closed
}

// Record writes one complete disclosure and returns its id when it is durable: only then may the answer's bytes be written.
// ID, At, State, Evidence and EndedAt are the recorder's to give. When ctx ends first its error is returned and the record may
// be written all the same: recording too much is allowed. It returns an Invalid fault that names wrong fields, and an
// Unavailable fault "evidence_unavailable" when the record could not be written; then nothing may be disclosed.
func (r *Recorder) Record(ctx context.Context, u Usage) (uuid.UUID, error) {
	if err := u.validate(); err != nil {
		return uuid.Nil, err
	}
	u.ID, u.State, u.ReservedRows, u.EndedAt = db.NewID(), UsageDone, 0, nil
	u.normalise()
	e := &entry{ctx: ctx, usage: u, done: make(chan error, 1)}
	if err := r.hand(ctx, e); err != nil {
		return uuid.Nil, err
	}
	select {
	case err := <-e.done:
		if err != nil {
			return uuid.Nil, err
		}
		return u.ID, nil
	case <-ctx.Done():
		return uuid.Nil, ctx.Err()
	}
}

func (r *Recorder) hand(ctx context.Context, e *entry) error {
	r.callers.RLock()
	defer r.callers.RUnlock()
	if r.stopped {
		return unavailable(nil)
	}
	select {
	case r.queue <- e:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func unavailable(cause error) error {
	f := fault.New(fault.Unavailable, "evidence_unavailable", "the disclosure could not be recorded, so nothing was disclosed; try again").At("evidence")
	if cause != nil {
		return f.Wrap(cause)
	}
	return f
}

// run commits group after group. A group waits for as many records as the last one had, at most the window: a lone
// caller never waits, and callers that return together meet again.
func (r *Recorder) run() {
	defer close(r.closed)
	expected := 1
	for {
		var first *entry
		select {
		case first = <-r.queue:
		case <-r.closing:
			for len(r.queue) > 0 {
				r.commit(r.gather(<-r.queue, 0))
			}
			return
		}
		group := r.gather(first, expected)
		expected = len(group)
		r.commit(group)
	}
}

// gather takes what is queued, and waits within the window until there are as many as expected.
func (r *Recorder) gather(first *entry, expected int) []*entry {
	group := []*entry{first}
	var window <-chan time.Time
	for len(group) < maxBatch {
		select {
		case e := <-r.queue:
			group = append(group, e)
			continue
		default:
		}
		if len(group) >= expected {
			break
		}
		if window == nil {
			window = time.After(batchWindow)
		}
		select {
		case e := <-r.queue:
			group = append(group, e)
		case <-window:
			return group
		}
	}
	return group
}

func (r *Recorder) commit(group []*entry) {
	ctx, cancel := context.WithTimeout(context.Background(), commitLimit)
	defer cancel()
	wanted := group[:0]
	for _, e := range group {
		if err := e.ctx.Err(); err != nil {
			e.done <- err
			continue
		}
		wanted = append(wanted, e)
	}
	if len(wanted) == 0 {
		return
	}
	records := make([]Usage, len(wanted))
	for i, e := range wanted {
		records[i] = e.usage
	}
	err := r.write(ctx, records)
	if err != nil {
		err = unavailable(fmt.Errorf("writing %d usage records: %w", len(records), err))
	}
	for _, e := range wanted {
		e.done <- err
	}
}

// write makes complete records durable, with one event that holds the digest of all, in one statement and mostly one
// round trip: the time, which the digest covers, is that of the last one carried on.
func (r *Recorder) write(ctx context.Context, records []Usage) error {
	now, ok := r.clock.now(time.Now())
	if !ok {
		sent := time.Now()
		if err := r.db.Pool.QueryRow(ctx, "SELECT clock_timestamp()").Scan(&now); err != nil {
			return fmt.Errorf("reading the time: %w", err)
		}
		r.clock.set(now, sent, time.Now())
		now = r.clock.give(now)
	}
	e, err := batchEvent(records, now)
	if err != nil {
		return err
	}
	event, eventArgs, err := newEvent(e, now)
	if err != nil {
		return err
	}
	sent := time.Now()
	if err := r.db.Pool.QueryRow(ctx, insertBatch, append(usageArgs(records, event), eventArgs...)...).Scan(&now); err != nil {
		return err
	}
	r.clock.set(now, sent, time.Now())
	return nil
}

// batchEvent gives the records their time, sorts them, and describes them.
func batchEvent(records []Usage, now time.Time) (Event, error) {
	// Ids are made by callers and reach the queue in any order; the digest runs over them in order of id.
	sortUsage(records)
	sum := sha256.New()
	var rows int64
	for i := range records {
		records[i].At = now
		records[i].normalise()
		line, err := records[i].canonical()
		if err != nil {
			return Event{}, err
		}
		_, _ = sum.Write(line) // A hash never fails to take bytes.
		rows += records[i].Rows
	}
	return Event{
		Actor: actorRecorder, Action: ActionUsageBatch, Object: Object{Kind: "usage", ID: records[0].ID.String()},
		Detail: map[string]any{"records": len(records), "rows": rows, "sha256": hex.EncodeToString(sum.Sum(nil))},
	}, nil
}

// insertUsage adds any number of records of one time; usageArgs makes its arguments. Arrays travel as array literals,
// because unnest would flatten arrays of arrays.
const insertUsage = `
	INSERT INTO usage (id, at, grant_id, terms_version, client_id, resource_id, mode, state, rows, items, purpose, case_number, query,
		seq_from, seq_to, as_of, subject_tokens, digest, policy_n, rule_id, request_id, batch_event)
	SELECT r.id, $1, r.grant_id, r.terms, r.client, r.resource, r.mode, r.state, r.rows, r.items::int[], r.purpose, r.case_number,
		r.query::jsonb, r.seq_from, r.seq_to, r.as_of, r.tokens::bytea[], r.digest, r.policy_n, r.rule, r.request, $2
	FROM unnest($3::uuid[], $4::uuid[], $5::bigint[], $6::uuid[], $7::uuid[], $8::text[], $9::text[], $10::bigint[], $11::text[],
		$12::text[], $13::text[], $14::text[], $15::bigint[], $16::bigint[], $17::timestamptz[], $18::text[], $19::bytea[], $20::bigint[],
		$21::text[], $22::text[])
		AS r(id, grant_id, terms, client, resource, mode, state, rows, items, purpose, case_number, query, seq_from, seq_to, as_of,
			tokens, digest, policy_n, rule, request)`

// insertBatch adds records and their event, pending mark included, as one statement, which is one transaction, and returns
// the time. Its arguments are those of insertUsage, then those of insertEvent.
const insertBatch = `
	WITH e AS (
		INSERT INTO event (id, at, actor_kind, actor_id, actor_department, action, object_kind, object_id, outcome, body)
		VALUES ($23, $24, $25, $26, $27, $28, $29, $30, $31, $32)),
	p AS (INSERT INTO pending (event_id) VALUES ($23)),
	u AS (` + insertUsage + `)
	SELECT clock_timestamp()`

// usageArgs makes the arguments of insertUsage for records that share a time and an event.
func usageArgs(records []Usage, event uuid.UUID) []any {
	var c usageArrays
	for i := range records {
		c.add(&records[i])
	}
	return []any{
		records[0].At, event, c.id, c.grant, c.terms, c.client, c.resource, c.mode, c.state, c.rows, c.items, c.purpose, c.caseNumber, c.query,
		c.seqFrom, c.seqTo, c.asOf, c.tokens, c.digest, c.policyN, c.rule, c.request,
	}
}

// usageArrays holds records by column.
type usageArrays struct {
	id, grant, client, resource []uuid.UUID
	terms, rows, policyN        []int64
	mode, state, items          []string
	purpose, caseNumber         []string
	rule, request               []string
	query, tokens               []*string
	seqFrom, seqTo              []*int64
	asOf                        []*time.Time
	digest                      [][]byte
}

func (c *usageArrays) add(u *Usage) {
	c.id, c.grant = append(c.id, u.ID), append(c.grant, u.GrantID)
	c.client, c.resource = append(c.client, u.ClientID), append(c.resource, u.ResourceID)
	c.terms, c.rows = append(c.terms, u.TermsVersion), append(c.rows, u.Rows)
	c.policyN = append(c.policyN, u.PolicyN)
	c.mode, c.state = append(c.mode, string(u.Mode)), append(c.state, string(u.State))
	c.items, c.tokens = append(c.items, intLiteral(u.Items)), append(c.tokens, byteaLiteral(u.SubjectTokens))
	c.purpose, c.caseNumber = append(c.purpose, u.Purpose), append(c.caseNumber, u.CaseNumber)
	c.rule, c.request = append(c.rule, u.RuleID), append(c.request, u.RequestID)
	c.query = append(c.query, jsonText(u.Query))
	c.seqFrom, c.seqTo = append(c.seqFrom, u.SeqFrom), append(c.seqTo, u.SeqTo)
	c.asOf, c.digest = append(c.asOf, u.AsOf), append(c.digest, u.Digest)
}

func jsonText(raw json.RawMessage) *string {
	if raw == nil {
		return nil
	}
	text := string(raw)
	return &text
}

func intLiteral(items []int32) string {
	b := []byte{'{'}
	for i, item := range items {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendInt(b, int64(item), 10)
	}
	return string(append(b, '}'))
}

func byteaLiteral(values [][]byte) *string {
	if values == nil {
		return nil
	}
	var b strings.Builder
	b.WriteByte('{')
	for i, value := range values {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(`"\\x` + hex.EncodeToString(value) + `"`)
	}
	b.WriteByte('}')
	text := b.String()
	return &text
}
