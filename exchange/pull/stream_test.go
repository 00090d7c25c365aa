package pull_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/exchange/pull"
)

// sink is a connection that takes what it is given; with block it takes nothing after so many bytes until its deadline.
type sink struct {
	block int // 0: never.

	mu       sync.Mutex
	evidence uuid.UUID
	data     bytes.Buffer
	written  []time.Time // When each write returned.
	deadline time.Time
	moved    chan struct{} // Closed and replaced when the deadline moves.
	hits     []hit
}

// hit is closed when so many rows, or so many bytes, have arrived.
type hit struct {
	rows, bytes int
	at          chan struct{}
}

// reached returns a channel that is closed when n rows have arrived.
func (s *sink) reached(n int) <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	h := hit{rows: n, at: make(chan struct{})}
	s.hits = append(s.hits, h)
	return h.at
}

// reachedBytes returns a channel that is closed when n bytes have arrived.
func (s *sink) reachedBytes(n int) <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	h := hit{bytes: n, at: make(chan struct{})}
	s.hits = append(s.hits, h)
	return h.at
}

func (s *sink) Begin(evidence uuid.UUID, _ pull.Limits, _ time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.evidence = evidence
}

func (s *sink) Write(p []byte) error {
	s.mu.Lock()
	if s.block > 0 && s.data.Len()+len(p) > s.block {
		defer s.mu.Unlock()
		for {
			left := time.Until(s.deadline)
			if left <= 0 {
				return os.ErrDeadlineExceeded
			}
			if s.moved == nil {
				s.moved = make(chan struct{})
			}
			moved := s.moved
			s.mu.Unlock()
			select {
			case <-moved:
			case <-time.After(left):
			}
			s.mu.Lock()
		}
	}
	defer s.mu.Unlock()
	if !s.deadline.IsZero() && time.Now().After(s.deadline) {
		return os.ErrDeadlineExceeded
	}
	s.data.Write(p)
	s.written = append(s.written, time.Now())
	arrived := bytes.Count(s.data.Bytes(), []byte(`"cert_no"`))
	s.hits = slices.DeleteFunc(s.hits, func(h hit) bool {
		there := arrived >= h.rows && s.data.Len() >= h.bytes
		if there {
			close(h.at)
		}
		return there
	})
	return nil
}

func (s *sink) SetDeadline(t time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.deadline = t
	if s.moved != nil {
		close(s.moved)
	}
	s.moved = make(chan struct{})
	return nil
}

func (s *sink) lines() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Split(strings.TrimSuffix(s.data.String(), "\n"), "\n")
}

// rows returns how many row lines have arrived.
func (s *sink) rows() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return bytes.Count(s.data.Bytes(), []byte(`"cert_no"`))
}

func manyRows(n int) map[string]person {
	rows := map[string]person{}
	for i := range n {
		rows[fmt.Sprintf("K%06d", i)] = person{"division_code": "330602", "children": fmt.Sprint(i % 5), "remark": strings.Repeat("示", 20)}
	}
	return rows
}

// A stream sends every row once, and closes with counts, digest and the cursor of the changes; its record is opened
// before and ended after.
func TestStream(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.collect(t, manyRows(2500))
	b.grant(t, grantTerms{items: []string{"cert_no", "children", "remark"}, quota: 100_000})
	s := &sink{}
	end, err := b.first.pull.Stream(t.Context(), b.client, pull.RowsRequest{Call: b.call()}, s)
	if err != nil {
		t.Fatal(err)
	}
	lines := s.lines()
	if len(lines) != 2501 || !strings.Contains(lines[0], "K000000") || !strings.Contains(lines[2499], "K002499") {
		t.Fatalf("%d lines, want 2500 rows in key order and the end", len(lines))
	}
	var last struct {
		End struct {
			Rows          int     `json:"rows"`
			NextCursor    *string `json:"next_cursor"`
			ChangesCursor string  `json:"changes_cursor"`
			Digest        string  `json:"digest"`
		} `json:"end"`
	}
	if err := json.Unmarshal([]byte(lines[2500]), &last); err != nil {
		t.Fatal(err)
	}
	if last.End.Rows != 2500 || last.End.NextCursor != nil || last.End.Digest != digestOf(strings.Join(lines[:2500], "\n")+"\n") || last.End.Digest != end.Digest {
		t.Errorf("end %+v, digest of the rows %s", last.End, digestOf(strings.Join(lines[:2500], "\n")+"\n"))
	}
	if _, err := b.first.pull.Changes(t.Context(), b.client, pull.ChangesRequest{Call: b.call(), Cursor: last.End.ChangesCursor}); err != nil {
		t.Errorf("changes after the stream: %v", err)
	}
	u := b.usage(t)[0]
	if u.Mode != "stream" || u.State != "done" || u.Rows != 2500 || u.ReservedRows < 2500 {
		t.Errorf("usage %+v", u)
	}
}

// A stream with a limit ends there and says where to go on; the next takes up from that cursor.
func TestStreamInParts(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.collect(t, manyRows(30))
	b.grant(t, grantTerms{items: []string{"cert_no"}, rateRows: 100_000})
	request := pull.RowsRequest{Call: b.call(), Limit: 12}
	total := 0
	for range 3 {
		s := &sink{}
		end, err := b.first.pull.Stream(t.Context(), b.client, request, s)
		if err != nil {
			t.Fatal(err)
		}
		total += int(end.Rows)
		request.Cursor = end.NextCursor
	}
	if total != 30 || request.Cursor != "" {
		t.Errorf("%d rows, next cursor %q, want 30 and none", total, request.Cursor)
	}
}

// A stream keeps to the grant's rows per second, smoothly.
func TestStreamPace(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.collect(t, manyRows(1500))
	b.grant(t, grantTerms{items: []string{"cert_no"}, rateRows: 1000})
	s := &sink{}
	began := time.Now()
	if _, err := b.first.pull.Stream(t.Context(), b.client, pull.RowsRequest{Call: b.call()}, s); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took < 1300*time.Millisecond {
		t.Errorf("1500 rows at 1000 a second took %v", took)
	}
	if len(s.written) < 15 {
		t.Errorf("the rows came in %d writes, want at least 15", len(s.written))
	}
}

// A suspension committed anywhere stops a stream within a second, on the node that wrote it as on another; the last line
// says why and the caller must abort. A blocked write is ended too.
func TestStreamStops(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		another bool
		block   int
	}{{"on this node", false, 0}, {"on another node", true, 0}, {"while a write is blocked", false, 20_000}} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.collect(t, manyRows(20_000))
			grant := b.grant(t, grantTerms{items: []string{"cert_no"}, rateRows: 2000})
			n := b.first
			if test.another {
				n = b.node(t)
			}
			s := &sink{block: test.block}
			flowing := s.reached(400)
			type result struct {
				end pull.StreamEnd
				err error
				at  time.Time
			}
			done := make(chan result, 1)
			go func() {
				end, err := n.pull.Stream(context.WithoutCancel(t.Context()), b.client, pull.RowsRequest{Call: b.call()}, s)
				done <- result{end, err, time.Now()}
			}()
			select {
			case r := <-done:
				t.Fatalf("the stream ended by itself: %+v", r)
			case <-flowing:
			}
			b.change(t, grant, "state = 'suspended'")
			committed := time.Now()
			r := <-done
			if took := r.at.Sub(committed); took > time.Second {
				t.Errorf("the stream went on for %v", took)
			}
			wantCode(t, r.err, "grant_suspended")
			if !r.end.Begun {
				t.Error("the end does not tell to abort the connection")
			}
			lines := s.lines()
			if want := `{"error":{"code":"grant_suspended"}}`; test.block == 0 && lines[len(lines)-1] != want {
				t.Errorf("last line %s, want %s", lines[len(lines)-1], want)
			}
			u := b.usage(t)[0]
			if u.State != "done" || u.Rows < int64(s.rows()) || u.Rows > u.ReservedRows {
				t.Errorf("usage %+v, %d rows arrived", u, s.rows())
			}
		})
	}
}

// A stream whose node cannot confirm its policy pauses, sends nothing more, and is aborted when that lasts.
func TestStreamStale(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.collect(t, manyRows(20_000))
	b.grant(t, grantTerms{items: []string{"cert_no"}, rateRows: 2000})
	s := &sink{}
	flowing := s.reached(200)
	done := make(chan error, 1)
	go func() {
		_, err := b.first.pull.Stream(context.WithoutCancel(t.Context()), b.client, pull.RowsRequest{Call: b.call()}, s)
		done <- err
	}()
	<-flowing
	b.first.stop()
	stopped := time.Now()
	wantCode(t, <-done, "policy_stale")
	if waited := time.Since(stopped); waited < 9*time.Second || waited > 12*time.Second {
		t.Errorf("the stream paused for %v, want about 10 s", waited)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if lastRow := s.written[len(s.written)-2]; lastRow.Sub(stopped) > time.Second {
		t.Errorf("a row left %v after the lease was lost", lastRow.Sub(stopped))
	}
}

// A consumer that takes nothing for ten seconds is cut off.
func TestStreamStall(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.collect(t, manyRows(5000))
	b.grant(t, grantTerms{items: []string{"cert_no"}})
	s := &sink{block: 1}
	began := time.Now()
	end, err := b.first.pull.Stream(t.Context(), b.client, pull.RowsRequest{Call: b.call()}, s)
	if err == nil || !end.Begun {
		t.Fatalf("the stream ended well: %+v", end)
	}
	if took := time.Since(began); took < 9*time.Second || took > 13*time.Second {
		t.Errorf("it was cut off after %v, want about 10 s", took)
	}
	if u := b.usage(t)[0]; u.State != "done" || u.Rows == 0 {
		t.Errorf("usage %+v, want the rows of the blocked write counted", u)
	}
}
