package pull

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"hash"
	"time"

	"github.com/google/uuid"
	"golang.org/x/time/rate"

	"github.com/shuqiao/shuqiao/audit"
	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// A chunk is what may be written after one look at policy.
const (
	chunkRows  = 1000
	chunkBytes = 64 << 10
)

// reserveRows is the most rows whose leaving is recorded ahead.
const reserveRows = 10_000

// endLimit bounds the recording of a stream's end and the writing of its last line.
const endLimit = 10 * time.Second

// StreamWriter is where a stream goes.
type StreamWriter interface {
	// Begin is called once, when the disclosure is recorded as opened and before the first Write: headers belong here. asOf
	// is the database time of the first rows.
	Begin(evidence uuid.UUID, limits Limits, asOf time.Time)
	// Write hands p to the connection; it must not keep p, and returns when p has left the process's own buffers.
	Write(p []byte) error
	// SetDeadline makes the write under way and later ones fail at t. It is called while another goroutine is in Write.
	SetDeadline(t time.Time) error
}

// StreamEnd says how a stream ended.
type StreamEnd struct {
	Begun         bool   // Something was written: an error can no longer be answered and must abort the connection.
	Rows          int64  // Rows handed to the writer.
	Digest        string // Over all row lines, of CSV with the header line, for the X-Content-Digest trailer.
	NextCursor    string
	ChangesCursor string
}

// stream is one stream under way.
type stream struct {
	*session
	scan     *scan
	guard    *guard
	limiter  *rate.Limiter
	batch    int
	limit    int64 // Rows wanted in all; 0 means all.
	id       uuid.UUID
	at       time.Time
	sent     int64
	reserved int64
	sum      hash.Hash
	buffer   []byte
	broken   bool // A write failed: nothing more can be written.
}

// Stream writes rows in key order as NDJSON, one object a line as in Rows, paced to the grant's rows per second, and
// closes with {"end":{"rows","next_cursor","changes_cursor","digest"}}. Each chunk (at most 1000 rows or 64 KiB) is
// written after a look at policy and after its rows are in the usage record. When the grant is lost, a blocked write is
// ended at once and the last line is {"error":{"code":…}} where it can still be written; while the node cannot confirm
// its policy the stream pauses, at most 10 seconds.
//
// In FormatCSV the header line comes first and neither end nor error have a line: the end is told by StreamEnd, and a
// stream that was stopped by nothing but the aborted connection.
//
// An error with Begun false is a fault of the call, as of Rows; nothing was written. With Begun true the connection
// must be aborted, so that nobody takes what came for the whole.
func (s *Service) Stream(ctx context.Context, client authz.Principal, r RowsRequest, w StreamWriter) (StreamEnd, error) {
	select {
	case <-s.stopping:
		return StreamEnd{}, hubStopping()
	default:
	}
	c, err := s.begin(ctx, client, r.Call, authz.DataPull)
	if err != nil {
		return StreamEnd{}, err
	}
	if r.Limit < 0 {
		return StreamEnd{}, fault.InvalidFields([]fault.Field{{Name: "limit", Code: "out_of_range", Message: "a stream has no or a positive limit"}})
	}
	// The first batch is read, and the quota asked, before anything is written, so that their faults can be answered.
	st, err := inItsLayout(ctx, c, r.Cursor, func(c *session) (*stream, error) { return c.firstBatch(ctx, r) })
	if err != nil {
		return StreamEnd{}, err
	}
	st.guard = &guard{
		writer: w, clock: s.clock, left: s.follower.LeaseLeft, stopping: s.stopping,
		recheck: func(ctx context.Context) error { return s.sharing.Recheck(ctx, c.permit) },
	}
	if err := st.open(ctx); err != nil {
		return StreamEnd{}, err
	}
	w.Begin(st.id, st.limits, st.scan.place.at)
	return st.run(ctx)
}

// firstBatch begins a stream and reads its first batch.
func (c *session) firstBatch(ctx context.Context, r RowsRequest) (*stream, error) {
	scan, err := c.scan(r)
	if err != nil {
		return nil, err
	}
	st := &stream{
		session: c, scan: scan, sum: sha256.New(), limit: int64(r.Limit),
		limiter: c.service.rates.stream(&c.terms.grant), batch: c.service.rates.batch(&c.terms.grant),
	}
	return st, st.read(ctx)
}

// open makes the record that the stream begins durable.
func (st *stream) open(ctx context.Context) error {
	query, err := st.scan.view.evidence(int(st.limit))
	if err != nil {
		return err
	}
	u := st.usage(audit.ModeStream, st.scan.view.columns, query)
	u.SeqTo, u.AsOf = &st.scan.place.seq, &st.scan.place.at
	for _, key := range st.scan.view.keys {
		u.SubjectTokens = append(u.SubjectTokens, st.service.subject(key))
	}
	st.id, st.at, err = st.service.recorder.Open(ctx, u)
	return err
}

// read fetches the next batch and takes it from the quota.
func (st *stream) read(ctx context.Context) error {
	want := st.batch
	if st.limit > 0 {
		want = int(min(int64(want), st.limit-st.sent))
	}
	var err error
	if st.buffer, err = st.scan.read(ctx, st.session, st.buffer[:0], want, '\n'); err != nil {
		return err
	}
	return st.useQuota(ctx, st.scan.rows)
}

// run writes batch after batch, then the end.
func (st *stream) run(ctx context.Context) (StreamEnd, error) {
	watched := watch(ctx, st.guard)
	err := st.send(watched)
	if lost := st.guard.reason(); err != nil && lost != nil {
		err = lost
	}
	st.guard.close()
	sum := st.sum.Sum(nil)
	end := StreamEnd{Begun: true, Rows: st.sent, Digest: contentDigest(sum)}
	if err == nil {
		end.NextCursor, end.ChangesCursor, err = st.scan.cursors(st.session)
	}
	// The end belongs into the evidence even when the client has gone.
	closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), endLimit)
	defer cancel()
	if recorded := st.service.recorder.End(closing, st.id, st.at, st.sent, sum); err == nil {
		err = recorded
	}
	if err != nil {
		st.fail(err)
		return end, fmt.Errorf("streaming rows: %w", err)
	}
	return end, st.finish(end)
}

// send writes all batches.
func (st *stream) send(ctx context.Context) error {
	if st.scan.csv {
		if err := st.sendChunk(ctx, st.scan.view.appendCSVHead(nil), 0); err != nil {
			return err
		}
	}
	for {
		if st.limiter != nil && st.scan.rows > 0 {
			if err := st.limiter.WaitN(ctx, min(st.scan.rows, st.limiter.Burst())); err != nil {
				return err
			}
		}
		st.service.rates.pay(&st.terms.grant, st.scan.rows)
		for from, ends := 0, st.scan.ends; len(ends) > 0; {
			rows := wholeRows(ends, from)
			if err := st.sendChunk(ctx, st.buffer[from:ends[rows-1]], rows); err != nil {
				return err
			}
			from, ends = ends[rows-1], ends[rows:]
		}
		if !st.scan.more || st.limit > 0 && st.sent >= st.limit {
			return nil
		}
		if err := st.read(ctx); err != nil {
			return err
		}
	}
}

// wholeRows returns how many of the rows that end at these places, from one place on, make up a chunk: at least one.
func wholeRows(ends []int, from int) int {
	rows := 1
	for rows < len(ends) && rows < chunkRows && ends[rows]-from <= chunkBytes {
		rows++
	}
	return rows
}

// sendChunk writes bytes that hold so many rows.
func (st *stream) sendChunk(ctx context.Context, chunk []byte, inside int) error {
	rows := int64(inside)
	if st.sent+rows > st.reserved {
		// About a second's worth ahead; recording too much is allowed, too little never.
		ahead := int64(reserveRows)
		if st.terms.grant.RateRows > 0 {
			ahead = min(ahead, int64(st.terms.grant.RateRows))
		}
		st.reserved = st.sent + max(rows, ahead)
		if err := st.service.recorder.Reserve(ctx, st.id, st.at, st.reserved); err != nil {
			return err
		}
	}
	if err := st.mayGoOn(ctx); err != nil {
		return err
	}
	st.sent += rows
	_, _ = st.sum.Write(chunk) // A hash never fails to take bytes.
	written, err := st.guard.write(chunk)
	st.broken = written && err != nil
	return err
}

// fail writes the last line of a stream that was stopped, if the connection still takes it.
func (st *stream) fail(err error) {
	if st.broken || st.scan.csv {
		return
	}
	line, encodeErr := json.Marshal(map[string]any{"error": map[string]string{"code": fault.CodeOf(err)}})
	if encodeErr != nil {
		return
	}
	_ = st.guard.writer.SetDeadline(st.service.clock().Add(leaseGrace))
	_ = st.guard.writer.Write(append(line, '\n'))
}

// finish writes the end line and leaves the writer time for the trailer.
func (st *stream) finish(end StreamEnd) error {
	if st.scan.csv {
		if err := st.guard.writer.SetDeadline(st.service.clock().Add(endLimit)); err != nil {
			return fmt.Errorf("ending the stream: %w", err)
		}
		return nil
	}
	line := fmt.Appendf(nil, `{"end":{"rows":%d,"next_cursor":`, end.Rows)
	line = appendTextOrNull(line, end.NextCursor)
	line = append(line, `,"changes_cursor":`...)
	line = appendTextOrNull(line, end.ChangesCursor)
	line = append(line, `,"digest":`...)
	line = append(appendString(line, []byte(end.Digest)), "}}\n"...)
	if err := st.guard.writer.SetDeadline(st.service.clock().Add(endLimit)); err != nil {
		return fmt.Errorf("ending the stream: %w", err)
	}
	if err := st.guard.writer.Write(line); err != nil {
		return fmt.Errorf("ending the stream: %w", err)
	}
	return nil
}
