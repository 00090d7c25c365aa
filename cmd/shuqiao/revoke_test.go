package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/shuqiao/shuqiao/api/client"
	"github.com/shuqiao/shuqiao/internal/hubtest"
	"github.com/shuqiao/shuqiao/internal/pgtest"
)

// revokeWithin is how long after the commit of a revocation the last row may come (promise 2 of the design).
const revokeWithin = time.Second

// Grants, and how often each is suspended.
const (
	revokedGrants = 10
	revokedRounds = 10
)

// pair is two hub processes, A and B, on one database with the sample in it.
type pair struct {
	*nodes
	a, b   *node
	sample hubtest.Sample
	pool   *pgxpool.Pool
	reader *http.Client
}

// newPair builds the sample and starts both processes.
func newPair(t *testing.T, rows int) *pair {
	t.Helper()
	url := pgtest.URL(t)
	h := hubtest.Start(t, hubtest.Options{DatabaseURL: url})
	p := &pair{sample: h.Sample(t, rows)}
	if err := h.Stop(); err != nil {
		t.Fatalf("stopping the hub that made the sample: %v", err)
	}
	p.nodes = newNodes(t, hubtest.Build(t), url, h.Dir(), 2)
	p.a, p.b = p.all[0], p.all[1]
	p.startAll(t)
	var err error
	if p.pool, err = pgxpool.New(t.Context(), url); err != nil {
		t.Fatalf("opening the hub's database: %v", err)
	}
	t.Cleanup(p.pool.Close)
	// Rows wait in the client's socket as little as they do in the hub's: what is measured is when the hub sent them.
	dialer := &net.Dialer{Control: func(_, _ string, c syscall.RawConn) error {
		var setErr error
		err := c.Control(func(fd uintptr) {
			setErr = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 32<<10)
		})
		return errors.Join(err, setErr)
	}}
	transport := &http.Transport{DialContext: dialer.DialContext, MaxIdleConnsPerHost: 64}
	t.Cleanup(transport.CloseIdleConnections)
	p.reader = &http.Client{Transport: transport}
	return p
}

// consumer returns the sample's client on a node.
func (p *pair) consumer(n *node) *client.Client { return n.on(p.sample.Client) }

// admin returns the provider's admin on a node.
func (p *pair) admin(n *node) *client.Client { return n.on(p.sample.Provider.Admin) }

// grant asks for a grant with the rows of one division at this pace; 0 is as fast as it goes.
func (p *pair) grant(t *testing.T, purpose string, pace int) client.Grant {
	t.Helper()
	s := p.sample
	s.Staff.Operator, s.Provider.Admin = p.b.on(s.Staff.Operator), p.admin(p.b)
	s.Consumer.Operator, s.Consumer.Admin = p.b.on(s.Consumer.Operator), p.b.on(s.Consumer.Admin)
	terms := s.Terms()
	terms.Purpose, terms.RateRows = purpose, pace
	return s.Grant(t, terms)
}

// stream reads rows of a grant from a node. It calls each for every row with the time it came. A call that is refused
// returns the problem.
func (p *pair) stream(ctx context.Context, n *node, grant client.Grant, each func(at time.Time)) (code string, err error) {
	c := p.consumer(n)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.Base+"/data/"+grant.ResourceID+"/rows", nil)
	if err != nil {
		return "", err
	}
	req.Header.Set("Authorization", "Bearer "+c.Token)
	req.Header.Set("Accept", "application/x-ndjson")
	req.Header.Set("X-Grant", grant.ID)
	resp, err := p.reader.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() {
		line := lines.Bytes()
		if resp.StatusCode != http.StatusOK || bytes.HasPrefix(line, []byte(`{"error":{`)) {
			var problem struct {
				Code  string
				Error struct{ Code string }
			}
			if err := json.Unmarshal(line, &problem); err != nil {
				return "", fmt.Errorf("decoding a problem: %w", err)
			}
			return problem.Code + problem.Error.Code, nil
		}
		if bytes.HasPrefix(line, []byte(`{"end":{`)) {
			return "end", nil
		}
		each(time.Now())
	}
	return "", nil
}

// pull reads one small page of a grant from a node.
func (p *pair) pull(ctx context.Context, n *node, grant client.Grant) error {
	_, err := p.consumer(n).Rows(ctx, client.Pull{Resource: grant.ResourceID, Grant: grant.ID}, client.Query{Limit: 1})
	return err
}

// await polls until done says so; it reports false when it does not within the limit.
func await(ctx context.Context, limit time.Duration, done func() bool) bool {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return false
		}
	}
	return true
}

// suspension is what one suspension showed.
type suspension struct {
	request time.Duration // From the request to its answer.
	stream  time.Duration // From the commit to the last row; 0 when none came after it.
	refused time.Duration // From the commit to the answer of the last pull that was still allowed, on either node.
	late    int           // Rows that came later than revokeWithin after the commit.
}

// suspend suspends a grant on node B while a client reads its stream from node A and pulls from both, and resumes it.
func (p *pair) suspend(ctx context.Context, grant client.Grant) (out suspension, err error) {
	ctx, cancel := context.WithTimeout(ctx, 40*time.Second)
	defer cancel()
	for _, n := range p.all {
		if !await(ctx, 10*time.Second, func() bool { return p.pull(ctx, n, grant) == nil }) {
			return out, fmt.Errorf("node %s does not allow the grant: %w", n.name, p.pull(ctx, n, grant))
		}
	}
	var rows atomic.Int64
	var moments []time.Time // Only read when the stream has ended.
	ended := make(chan error, 1)
	go func() {
		for {
			code, err := p.stream(ctx, p.a, grant, func(at time.Time) {
				moments = append(moments, at)
				rows.Add(1)
			})
			switch {
			case err == nil && code == "end":
				continue
			// A pending write is ended with the connection: then there is no last line.
			case err == nil && code != "" && code != "grant_suspended":
				err = fmt.Errorf("the stream was stopped with %s", code)
			}
			ended <- err
			return
		}
	}()
	if !await(ctx, 10*time.Second, func() bool { return rows.Load() > 0 }) {
		return out, errors.New("the stream does not begin")
	}
	timer := time.NewTimer(time.Duration(rand.IntN(300)) * time.Millisecond)
	select {
	case <-timer.C:
	case err := <-ended:
		return out, fmt.Errorf("the stream ended before it was stopped: %w", err)
	}

	sent := time.Now()
	var wait sync.WaitGroup
	allowed := make([]time.Time, len(p.all)) // When the last answer that was no refusal came.
	refusals := make([]error, len(p.all))
	for i, n := range p.all {
		wait.Go(func() {
			await(ctx, 5*time.Second, func() bool {
				refusals[i] = p.pull(ctx, n, grant)
				if refusals[i] == nil {
					allowed[i] = time.Now()
				}
				return refusals[i] != nil
			})
		})
	}
	if _, err := p.admin(p.b).Suspend(ctx, grant.ID, "疑似超范围使用,先行暂停"); err != nil {
		return out, fmt.Errorf("suspending: %w", err)
	}
	answered := time.Now()
	out.request = answered.Sub(sent)
	// The entry in the policy log is the last statement before the commit, so its time is not later than the commit.
	committed := sent
	var at time.Time
	if err := p.pool.QueryRow(ctx, "SELECT max(at) FROM policy_log WHERE kind = 'grant' AND id = $1", grant.ID).Scan(&at); err != nil {
		return out, fmt.Errorf("reading the policy log: %w", err)
	}
	if at.After(sent) && at.Before(answered) {
		committed = at
	}
	wait.Wait()
	if err := <-ended; err != nil && !isCut(err) {
		return out, fmt.Errorf("reading the stream: %w", err)
	}
	for _, moment := range moments {
		out.stream = max(out.stream, moment.Sub(committed))
		if moment.Sub(committed) > revokeWithin {
			out.late++
		}
	}
	for i, n := range p.all {
		if code := client.Code(refusals[i]); code != "grant_suspended" {
			return out, fmt.Errorf("node %s answers %w instead of refusing with grant_suspended", n.name, refusals[i])
		}
		if !allowed[i].IsZero() {
			out.refused = max(out.refused, allowed[i].Sub(committed))
		}
		if code := client.Code(p.pull(ctx, n, grant)); code != "grant_suspended" {
			return out, fmt.Errorf("node %s refused once, then answered %q", n.name, code)
		}
	}
	if _, err := p.admin(p.b).Resume(ctx, grant.ID, "核查无误,恢复使用"); err != nil {
		return out, fmt.Errorf("resuming: %w", err)
	}
	return out, nil
}

// isCut reports whether a connection was ended by the other side.
func isCut(err error) bool {
	return errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// What is taken back on one of two running hubs, a grant or a rule, is refused by both within a second, also in the middle of
// a stream, and allowed again when it is given back.
func TestRevocationsHoldOnTwoHubs(t *testing.T) {
	p := newPair(t, 60_000)
	t.Run("grants that are suspended", p.testSuspensions)
	t.Run("a rule that is taken away", p.testRules)
	p.verifyEvidence(t)
}

// testSuspensions: of 100 suspensions on node B none lets a row of a stream that node A sends come later than a second after
// its commit, and none lets a pull on either node be answered later than that.
func (p *pair) testSuspensions(t *testing.T) {
	grants := make([]client.Grant, revokedGrants)
	for i := range grants {
		pace := 2000
		if i%5 == 0 {
			pace = 0
		}
		grants[i] = p.grant(t, fmt.Sprintf("benefit-check-%d", i), pace)
	}
	began := time.Now()
	var mu sync.Mutex
	var all []suspension
	var wait sync.WaitGroup
	for i, grant := range grants {
		wait.Go(func() {
			for round := range revokedRounds {
				s, err := p.suspend(t.Context(), grant)
				if err != nil {
					t.Errorf("grant %d, suspension %d: %v", i, round, err)
					return
				}
				mu.Lock()
				all = append(all, s)
				mu.Unlock()
			}
		})
	}
	wait.Wait()
	if t.Failed() {
		return
	}
	late := 0
	for _, s := range all {
		late += s.late
	}
	streams := spread(all, func(s suspension) time.Duration { return s.stream })
	pulls := spread(all, func(s suspension) time.Duration { return s.refused })
	hubtest.Figure(t, "%d suspensions in %s; last row of a stream after the commit: %s; last pull allowed: %s; the request itself: %s; rows later than %s: %d",
		len(all), time.Since(began).Round(time.Millisecond), streams, pulls, spread(all, func(s suspension) time.Duration { return s.request }), revokeWithin, late)
	if late > 0 {
		t.Errorf("%d rows came later than %s after the commit of the suspension", late, revokeWithin)
	}
	if pulls.worst > revokeWithin {
		t.Errorf("a pull was answered %s after the commit of the suspension", pulls.worst)
	}
	if len(all) < revokedGrants*revokedRounds {
		t.Errorf("%d suspensions, want %d", len(all), revokedGrants*revokedRounds)
	}
}

// times are the middle, the 99th percentile and the greatest of measured times.
type times struct{ middle, p99, worst time.Duration }

func (m times) String() string {
	return fmt.Sprintf("p50 %s, p99 %s, worst %s", m.middle.Round(time.Millisecond), m.p99.Round(time.Millisecond), m.worst.Round(time.Millisecond))
}

func spread(all []suspension, of func(suspension) time.Duration) times {
	var sorted []time.Duration
	for _, s := range all {
		sorted = append(sorted, of(s))
	}
	slices.Sort(sorted)
	n := len(sorted)
	return times{middle: sorted[n/2], p99: sorted[(n*99+99)/100-1], worst: sorted[n-1]}
}

// testRules: taking away the one rule that lets clients pull conditional resources makes both hubs refuse pulls and cut
// streams within a second; taking away the one that lets the hub collect them makes scheduled runs refuse. Given back,
// everything goes on.
func (p *pair) testRules(t *testing.T) {
	ctx := t.Context()
	grant := p.grant(t, "benefit-check", 1000)
	security := p.b.on(p.sample.Staff.SecurityAdmin)
	rules, err := security.Rules(ctx)
	if err != nil {
		t.Fatalf("reading the rules: %v", err)
	}
	rule := func(id string) client.Rule {
		i := slices.IndexFunc(rules, func(r client.Rule) bool { return r.ID == id })
		if i < 0 {
			t.Fatalf("there is no rule %s", id)
		}
		return rules[i]
	}
	pullRule, collectRule := rule("client-pull-conditional"), rule("hub-collect-conditional")

	for _, n := range p.all {
		eventually(t, "the grant to be allowed", 5*time.Second, func() bool { return p.pull(ctx, n, grant) == nil })
	}
	var rows atomic.Int64
	var last atomic.Pointer[time.Time]
	type outcome struct {
		code string
		err  error
	}
	ended := make(chan outcome, 1)
	go func() {
		code, err := p.stream(ctx, p.a, grant, func(at time.Time) { rows.Add(1); last.Store(&at) })
		ended <- outcome{code, err}
	}()
	eventually(t, "the stream to run", 10*time.Second, func() bool { return rows.Load() > 0 })

	if err := security.SaveRules(ctx, nil, []string{pullRule.ID}); err != nil {
		t.Fatalf("taking the rule away: %v", err)
	}
	taken := time.Now()
	for _, n := range p.all {
		var refusal error
		eventually(t, "pulls to be refused", 5*time.Second, func() bool { refusal = p.pull(ctx, n, grant); return refusal != nil })
		if after := time.Since(taken); after > revokeWithin {
			t.Errorf("node %s still allowed a pull %s after the rule was gone", n.name, after)
		}
		if code := client.Code(refusal); code != "forbidden" {
			t.Errorf("node %s: got %v, want forbidden", n.name, refusal)
		}
	}
	select {
	case o := <-ended:
		if o.err != nil && !isCut(o.err) || o.err == nil && o.code != "forbidden" && o.code != "" {
			t.Errorf("the stream ended with %q, %v, want forbidden", o.code, o.err)
		}
	case <-time.After(5 * time.Second):
		t.Error("the stream goes on without the rule")
	}
	after := last.Load().Sub(taken)
	if after > revokeWithin {
		t.Errorf("a row came %s after the rule was gone", after)
	}
	t.Logf("%d rows; the last one %s after the answer that the rule is gone", rows.Load(), after.Round(time.Millisecond))
	if code, err := p.stream(ctx, p.b, grant, func(time.Time) { t.Error("a row came without the rule") }); err != nil || code != "forbidden" {
		t.Errorf("a new stream: got %q, %v, want forbidden", code, err)
	}

	if err := security.SaveRules(ctx, []client.Rule{pullRule}, nil); err != nil {
		t.Fatalf("giving the rule back: %v", err)
	}
	for _, n := range p.all {
		eventually(t, "pulls to be allowed again", 5*time.Second, func() bool { return p.pull(ctx, n, grant) == nil })
	}
	p.refuseRuns(t, security, collectRule)
}

// refuseRuns takes the collect rule away under a task that runs every second, and gives it back.
func (p *pair) refuseRuns(t *testing.T, security *client.Client, rule client.Rule) {
	t.Helper()
	ctx := t.Context()
	if _, err := p.admin(p.a).CreateSchedule(ctx, client.NewSchedule{TaskID: p.sample.Task.ID, Spec: "@every 1s"}); err != nil {
		t.Fatalf("scheduling: %v", err)
	}
	// next waits for a scheduled run that was queued after a moment of the database's clock, and for its end.
	next := func() (state, code string) {
		var after time.Time
		if err := p.pool.QueryRow(ctx, "SELECT clock_timestamp()").Scan(&after); err != nil {
			t.Fatal(err)
		}
		eventually(t, "a scheduled run", 30*time.Second, func() bool {
			err := p.pool.QueryRow(ctx, `SELECT state, coalesce(error->>'code', '') FROM run WHERE task_id = $1 AND trigger = 'schedule'
				AND queued_at > $2 AND state IN ('succeeded', 'partial', 'failed', 'cancelled') ORDER BY queued_at LIMIT 1`, p.sample.Task.ID, after).Scan(&state, &code)
			if err != nil && !errors.Is(err, pgx.ErrNoRows) {
				t.Fatal(err)
			}
			return err == nil
		})
		return state, code
	}
	if state, code := next(); state != "succeeded" {
		t.Fatalf("with the rule a scheduled run is %s (%s)", state, code)
	}
	if err := security.SaveRules(ctx, nil, []string{rule.ID}); err != nil {
		t.Fatalf("taking the rule away: %v", err)
	}
	// Both nodes know of it when they refuse, at most a second later.
	timer := time.NewTimer(revokeWithin)
	<-timer.C
	if state, code := next(); state != "failed" || code != "forbidden" {
		t.Errorf("without the rule a scheduled run is %s (%s), want failed (forbidden)", state, code)
	}
	if err := security.SaveRules(ctx, []client.Rule{rule}, nil); err != nil {
		t.Fatalf("giving the rule back: %v", err)
	}
	timer.Reset(revokeWithin)
	<-timer.C
	if state, code := next(); state != "succeeded" {
		t.Errorf("with the rule again a scheduled run is %s (%s)", state, code)
	}
}
